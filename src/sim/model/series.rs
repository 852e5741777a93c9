//! The series that a service exposes in a region. They are not stored: a series is a
//! kind of figure and, mostly, the life of a version; labels and values follow from that.

use std::sync::{Arc, LazyLock};

use super::labels::{Labels, METRIC_NAME};
use super::latency::BOUNDS;
use super::life::{Life, Totals, seconds_between};
use super::profile::{CPU_LIMIT, CPU_REQUEST, MEMORY_LIMIT, MEMORY_REQUEST, Needs};
use super::view::TrackView;
use crate::sim::world::history::{Track, TrackKey};

/// A count that follows from (requests, errors).
type FromCounts = fn(f64, f64) -> f64;

/// Status codes and how their counts follow.
const CODES: [(&str, FromCounts); 4] = [
    ("200", |all, errors| all * (1.0 - NOT_FOUND) - errors),
    ("404", |all, _| all * NOT_FOUND),
    ("500", |_, errors| errors * 0.7),
    ("503", |_, errors| errors * 0.3),
];
/// Share of requests for things that are not there.
const NOT_FOUND: f64 = 0.003;
/// Share of 5xx over five minutes from which on the alert fires.
const ALERT_ABOVE: f64 = 0.01;

/// What a series shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `http_requests_total`, by index of its code.
    Requests(usize),
    /// `http_request_duration_seconds_bucket`, by index of its bound (`+Inf` after the last).
    Bucket(usize),
    /// `http_request_duration_seconds_sum`.
    DurationSum,
    /// `http_request_duration_seconds_count`.
    DurationCount,
    /// `container_cpu_usage_seconds_total`.
    Cpu,
    /// `container_memory_working_set_bytes`.
    Memory,
    /// `kube_pod_container_resource_requests` / `_limits`.
    Resource(Resource),
    /// `kube_deployment_*`.
    Deployment(Count),
    /// `up`.
    Up,
    /// `ALERTS`: 1 while the alert fires, absent otherwise.
    Alert,
}

/// Which resource figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// CPU request in cores.
    CpuRequest,
    /// CPU limit in cores.
    CpuLimit,
    /// Memory request in bytes.
    MemoryRequest,
    /// Memory limit in bytes.
    MemoryLimit,
}

/// Which replica count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// `kube_deployment_spec_replicas`.
    Desired,
    /// `kube_deployment_status_replicas`.
    Running,
    /// `kube_deployment_status_replicas_updated`.
    Updated,
    /// `kube_deployment_status_replicas_ready`.
    Ready,
    /// `kube_deployment_status_replicas_available`.
    Available,
    /// `kube_deployment_status_replicas_unavailable`.
    Unavailable,
}

/// Metric families: name, type and help, in the order in which `/metrics` shows them.
pub const FAMILIES: [(&str, &str, &str); 14] = [
    ("http_requests_total", "counter", "Requests served, by status code."),
    ("http_request_duration_seconds", "histogram", "Time to answer a request."),
    ("container_cpu_usage_seconds_total", "counter", "CPU time used."),
    ("container_memory_working_set_bytes", "gauge", "Working set."),
    ("kube_pod_container_resource_requests", "gauge", "Requested resources."),
    ("kube_pod_container_resource_limits", "gauge", "Limits of resources."),
    ("kube_deployment_spec_replicas", "gauge", "Desired pods."),
    ("kube_deployment_status_replicas", "gauge", "Pods."),
    ("kube_deployment_status_replicas_updated", "gauge", "Pods of the newest template."),
    ("kube_deployment_status_replicas_ready", "gauge", "Ready pods."),
    ("kube_deployment_status_replicas_available", "gauge", "Available pods."),
    ("kube_deployment_status_replicas_unavailable", "gauge", "Pods still missing."),
    ("up", "gauge", "1 while the target answers."),
    ("ALERTS", "gauge", "Alerts that fire."),
];

/// Kinds of which every life of a version has one series.
static LIFE_KINDS: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let resources = [Resource::CpuRequest, Resource::MemoryRequest, Resource::CpuLimit, Resource::MemoryLimit];
    (0..CODES.len())
        .map(Kind::Requests)
        .chain((0..=BOUNDS.len()).map(Kind::Bucket))
        .chain([Kind::DurationSum, Kind::DurationCount, Kind::Cpu, Kind::Memory])
        .chain(resources.map(Kind::Resource))
        .collect()
});

/// Kinds of which the workload as a whole has one series.
const WORKLOAD_KINDS: [Kind; 8] = [
    Kind::Deployment(Count::Desired),
    Kind::Deployment(Count::Running),
    Kind::Deployment(Count::Updated),
    Kind::Deployment(Count::Ready),
    Kind::Deployment(Count::Available),
    Kind::Deployment(Count::Unavailable),
    Kind::Up,
    Kind::Alert,
];

/// The names of all labels, sorted.
const LABEL_NAMES: [&str; 19] = [
    METRIC_NAME,
    "alertname",
    "alertstate",
    "cluster",
    "code",
    "container",
    "deployment",
    "instance",
    "job",
    "le",
    "namespace",
    "region",
    "resource",
    "service",
    "severity",
    "template_hash",
    "unit",
    "version",
    "workload",
];

/// Texts of labels that are the same everywhere, made once.
struct Words {
    names: Vec<Arc<str>>,
    codes: Vec<Arc<str>>,
    bounds: Vec<Arc<str>>,
    fixed: Vec<Arc<str>>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
    let fixed = ["cpu", "memory", "core", "byte", "HighErrorRatio", "firing", "page"];
    let metrics = LIFE_KINDS.iter().chain(&WORKLOAD_KINDS).map(|kind| kind.metric());
    Words {
        names: LABEL_NAMES.iter().map(|&name| Arc::from(name)).collect(),
        codes: CODES.iter().map(|&(code, _)| Arc::from(code)).collect(),
        bounds: bounds.map(Arc::from).collect(),
        fixed: fixed.into_iter().chain(metrics).map(Arc::from).collect(),
    }
});

impl Words {
    fn fixed(&self, text: &str) -> Option<&Arc<str>> {
        self.fixed.iter().find(|word| &***word == text)
    }
}

/// The names of a track, as labels show them.
#[derive(Clone, Debug)]
pub struct Place {
    region: Arc<str>,
    service: Arc<str>,
    namespace: Arc<str>,
    workload: Arc<str>,
    container: Arc<str>,
    instance: Arc<str>,
}

impl Place {
    /// The names of a track. A region is a cluster of its own.
    pub fn of(key: &TrackKey, track: &Track) -> Self {
        Self {
            region: Arc::clone(&key.region),
            service: Arc::clone(&key.service),
            namespace: Arc::clone(&track.namespace),
            workload: Arc::clone(&track.workload),
            container: Arc::clone(&track.container),
            instance: Arc::from(format!("{}.{}.svc:8080", track.workload, track.namespace)),
        }
    }
}

/// One series of a view.
#[derive(Clone, Copy, Debug)]
pub struct Series<'v> {
    view: &'v TrackView,
    life: Option<(usize, &'v Life)>,
    /// What it shows.
    pub kind: Kind,
}

/// All series of a view, those of one life together.
pub fn all(view: &TrackView) -> impl Iterator<Item = Series<'_>> {
    let of_lives = view
        .lives
        .iter()
        .enumerate()
        .flat_map(move |life| LIFE_KINDS.iter().map(move |&kind| Series { view, life: Some(life), kind }));
    of_lives.chain(WORKLOAD_KINDS.map(|kind| Series { view, life: None, kind }))
}

impl<'v> Series<'v> {
    /// The index of its life; none for figures of the workload as a whole.
    pub fn life(&self) -> Option<usize> {
        self.life.map(|(index, _)| index)
    }

    /// The same figure of another life of the view.
    pub fn of_life(&self, index: usize) -> Option<Self> {
        let life = self.view.lives.get(index)?;
        Some(Self { view: self.view, life: Some((index, life)), kind: self.kind })
    }

    /// First instant with samples, ms since the epoch.
    pub fn from_ms(&self) -> i64 {
        let start = || self.view.counts.first().map_or(i64::MAX, |c| c.from_ms);
        self.life.map_or_else(start, |(_, life)| life.from_ms())
    }

    /// First instant without; `i64::MAX` while it lasts.
    pub fn to_ms(&self) -> i64 {
        self.life.map_or(i64::MAX, |(_, life)| life.to_ms())
    }

    /// The value of a label; empty when it has none of that name.
    pub fn label(&self, name: &str) -> &'v str {
        if name == METRIC_NAME {
            return self.kind.metric();
        }
        self.word(name).map_or("", |word| word)
    }

    /// All labels.
    pub fn labels(&self) -> Labels {
        let names = LABEL_NAMES.iter().zip(&WORDS.names);
        Labels::sorted(names.filter_map(|(&name, shared)| Some((Arc::clone(shared), Arc::clone(self.word(name)?)))))
    }

    fn word(&self, name: &str) -> Option<&'v Arc<str>> {
        let words: &'static Words = &WORDS;
        let place = &self.view.place;
        let when = |holds: bool, word: &'v Arc<str>| holds.then_some(word);
        let alert = |text| {
            if self.kind == Kind::Alert { words.fixed(text) } else { None }
        };
        match name {
            METRIC_NAME => words.fixed(self.kind.metric()),
            "cluster" | "region" => Some(&place.region),
            "service" => Some(&place.service),
            "namespace" => Some(&place.namespace),
            "workload" => Some(&place.workload),
            "version" => self.life.map(|(_, life)| &life.version),
            "template_hash" => self.life.map(|(_, life)| &life.template_hash),
            "code" => match self.kind {
                Kind::Requests(i) => words.codes.get(i),
                _ => None,
            },
            "le" => match self.kind {
                Kind::Bucket(i) => words.bounds.get(i),
                _ => None,
            },
            "container" => when(matches!(self.kind, Kind::Cpu | Kind::Memory | Kind::Resource(_)), &place.container),
            "resource" | "unit" => match self.kind {
                Kind::Resource(which) => words.fixed(which.word(name == "unit")),
                _ => None,
            },
            "deployment" => when(matches!(self.kind, Kind::Deployment(_)), &place.workload),
            "job" => when(self.kind == Kind::Up, &place.service),
            "instance" => when(self.kind == Kind::Up, &place.instance),
            "alertname" => alert("HighErrorRatio"),
            "alertstate" => alert("firing"),
            "severity" => alert("page"),
            _ => None,
        }
    }

    /// The value at a time inside its life. `totals` must have been read with what the
    /// kind [needs](Kind::needs).
    pub fn value(&self, at_ms: i64, totals: &Totals) -> Option<f64> {
        let life = self.life.map(|(_, life)| life);
        match self.kind {
            Kind::Requests(i) => {
                let (_, of) = CODES.get(i)?;
                Some(of(totals.requests(), totals.errors).max(0.0).floor())
            }
            Kind::Bucket(i) => Some(life?.bucket(totals, i).floor()),
            Kind::DurationSum => Some(life?.duration_sum(totals)),
            Kind::DurationCount => Some(totals.requests().floor()),
            Kind::Cpu => Some(totals.cpu),
            Kind::Memory => memory(self.view, life?, at_ms),
            Kind::Resource(which) => Some(which.of_one_pod() * f64::from(life?.span(at_ms)?.running)),
            Kind::Deployment(which) => count(self.view, which, at_ms),
            Kind::Up => Some(f64::from(u8::from(self.view.counts_at(at_ms)?.running > 0))),
            Kind::Alert => (self.view.error_ratio(at_ms) > ALERT_ABOVE).then_some(1.0),
        }
    }
}

impl Kind {
    /// The metric's name.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Requests(_) => "http_requests_total",
            Self::Bucket(_) => "http_request_duration_seconds_bucket",
            Self::DurationSum => "http_request_duration_seconds_sum",
            Self::DurationCount => "http_request_duration_seconds_count",
            Self::Cpu => "container_cpu_usage_seconds_total",
            Self::Memory => "container_memory_working_set_bytes",
            Self::Resource(Resource::CpuRequest | Resource::MemoryRequest) => "kube_pod_container_resource_requests",
            Self::Resource(Resource::CpuLimit | Resource::MemoryLimit) => "kube_pod_container_resource_limits",
            Self::Deployment(Count::Desired) => "kube_deployment_spec_replicas",
            Self::Deployment(Count::Running) => "kube_deployment_status_replicas",
            Self::Deployment(Count::Updated) => "kube_deployment_status_replicas_updated",
            Self::Deployment(Count::Ready) => "kube_deployment_status_replicas_ready",
            Self::Deployment(Count::Available) => "kube_deployment_status_replicas_available",
            Self::Deployment(Count::Unavailable) => "kube_deployment_status_replicas_unavailable",
            Self::Up => "up",
            Self::Alert => "ALERTS",
        }
    }

    /// Which counters the value rests on; none when it is a gauge without any.
    pub fn needs(self) -> Option<Needs> {
        match self {
            Self::Requests(_) => Some(Needs { errors: true, latency: false }),
            Self::Bucket(_) | Self::DurationSum => Some(Needs { errors: false, latency: true }),
            Self::DurationCount | Self::Cpu => Some(Needs::default()),
            _ => None,
        }
    }
}

impl Resource {
    fn of_one_pod(self) -> f64 {
        match self {
            Self::CpuRequest => CPU_REQUEST,
            Self::CpuLimit => CPU_LIMIT,
            Self::MemoryRequest => MEMORY_REQUEST,
            Self::MemoryLimit => MEMORY_LIMIT,
        }
    }

    fn word(self, unit: bool) -> &'static str {
        match (self, unit) {
            (Self::CpuRequest | Self::CpuLimit, false) => "cpu",
            (Self::CpuRequest | Self::CpuLimit, true) => "core",
            (Self::MemoryRequest | Self::MemoryLimit, false) => "memory",
            (Self::MemoryRequest | Self::MemoryLimit, true) => "byte",
        }
    }
}

fn count(view: &TrackView, which: Count, at_ms: i64) -> Option<f64> {
    let counts = view.counts_at(at_ms)?;
    Some(f64::from(match which {
        Count::Desired => counts.desired,
        Count::Running => counts.running,
        Count::Updated => counts.updated,
        Count::Ready | Count::Available => counts.ready,
        Count::Unavailable => counts.desired.saturating_sub(counts.ready),
    }))
}

/// The working set of all pods of a version: the normal share of the limit, some noise,
/// and what leaked since the pods started; a pod at its limit is killed and starts again.
fn memory(view: &TrackView, life: &Life, at_ms: i64) -> Option<f64> {
    let span = life.span(at_ms)?;
    let normal = view.baseline.memory * (1.0 + view.profile.memory.rate(at_ms));
    let room = (1.0 - normal).max(0.01);
    let leaked = life.leak_per_hour * seconds_between(life.from_ms(), at_ms) / 3_600.0;
    let share = normal + leaked.rem_euclid(room);
    Some((f64::from(span.running) * MEMORY_LIMIT * share.min(1.0)).round())
}
