//! The series that a service exposes in a region, and their values at a time.

use super::labels::Labels;
use super::latency::BOUNDS;
use super::life::{Life, Needs, Totals, seconds_between};
use super::profile::{CPU_LIMIT, CPU_REQUEST, MEMORY_LIMIT, MEMORY_REQUEST};
use super::view::{PlaceLabels, TrackView};

/// A count that follows from (requests, errors).
type FromCounts = fn(f64, f64) -> f64;
/// Takes a series' name, its labels beside those of its place, and its kind.
type Add<'a> = dyn FnMut(&str, &[(&str, &str)], Kind) + 'a;

/// Status codes and how their counts follow from (requests, errors).
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

/// One series.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its labels, the name among them.
    pub labels: Labels,
    /// What it shows.
    pub kind: Kind,
    /// Index of the life it belongs to; none for figures of the workload as a whole.
    pub life: Option<usize>,
    /// First instant with samples, ms since the epoch.
    pub from_ms: i64,
    /// First instant without; `i64::MAX` while it lasts.
    pub to_ms: i64,
}

/// All series of a view.
pub fn list(view: &TrackView, place: &PlaceLabels) -> Vec<Series> {
    let mut all = Vec::new();
    for (index, life) in view.lives.iter().enumerate() {
        let common = place.common.with("version", &life.version).with("template_hash", &life.template_hash);
        let mut add = |name: &str, extra: &[(&str, &str)], kind: Kind| {
            let labels = extra.iter().fold(common.with(super::labels::METRIC_NAME, name), |l, (n, v)| l.with(n, v));
            all.push(Series { labels, kind, life: Some(index), from_ms: life.from_ms(), to_ms: life.to_ms() });
        };
        life_series(&mut add, &place.container);
    }
    let start = view.counts.first().map_or(i64::MAX, |c| c.from_ms);
    let mut add = |name: &str, extra: &[(&str, &str)], kind: Kind| {
        let labels = extra.iter().fold(place.common.with(super::labels::METRIC_NAME, name), |l, (n, v)| l.with(n, v));
        all.push(Series { labels, kind, life: None, from_ms: start, to_ms: i64::MAX });
    };
    workload_series(&mut add, place, &view.key.service);
    all
}

fn life_series(add: &mut Add, container: &str) {
    for (i, (code, _)) in CODES.iter().enumerate() {
        add("http_requests_total", &[("code", code)], Kind::Requests(i));
    }
    for i in 0..=BOUNDS.len() {
        let le = BOUNDS.get(i).map_or_else(|| "+Inf".to_owned(), f64::to_string);
        add("http_request_duration_seconds_bucket", &[("le", &le)], Kind::Bucket(i));
    }
    add("http_request_duration_seconds_sum", &[], Kind::DurationSum);
    add("http_request_duration_seconds_count", &[], Kind::DurationCount);
    let container = [("container", container)];
    add("container_cpu_usage_seconds_total", &container, Kind::Cpu);
    add("container_memory_working_set_bytes", &container, Kind::Memory);
    for (name, resource, unit, what) in [
        ("kube_pod_container_resource_requests", "cpu", "core", Resource::CpuRequest),
        ("kube_pod_container_resource_requests", "memory", "byte", Resource::MemoryRequest),
        ("kube_pod_container_resource_limits", "cpu", "core", Resource::CpuLimit),
        ("kube_pod_container_resource_limits", "memory", "byte", Resource::MemoryLimit),
    ] {
        let [container] = container;
        add(name, &[container, ("resource", resource), ("unit", unit)], Kind::Resource(what));
    }
}

fn workload_series(add: &mut Add, place: &PlaceLabels, service: &str) {
    for (name, count) in [
        ("kube_deployment_spec_replicas", Count::Desired),
        ("kube_deployment_status_replicas", Count::Running),
        ("kube_deployment_status_replicas_updated", Count::Updated),
        ("kube_deployment_status_replicas_ready", Count::Ready),
        ("kube_deployment_status_replicas_available", Count::Available),
        ("kube_deployment_status_replicas_unavailable", Count::Unavailable),
    ] {
        add(name, &[("deployment", &place.workload)], Kind::Deployment(count));
    }
    let instance = format!("{}.{}.svc:8080", place.workload, place.namespace);
    add("up", &[("job", service), ("instance", &instance)], Kind::Up);
    let alert = [("alertname", "HighErrorRatio"), ("alertstate", "firing"), ("severity", "page")];
    add("ALERTS", &alert, Kind::Alert);
}

impl Kind {
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

/// The value of a series at a time inside its life. `totals` must have been read with
/// what the kind [needs](Kind::needs).
pub fn value(view: &TrackView, series: &Series, at_ms: i64, totals: &Totals) -> Option<f64> {
    let life = series.life.and_then(|i| view.lives.get(i));
    match series.kind {
        Kind::Requests(i) => {
            let (_, of) = CODES.get(i)?;
            Some(of(totals.requests(), totals.errors).max(0.0).floor())
        }
        Kind::Bucket(i) => Some(life?.bucket(totals, i).floor()),
        Kind::DurationSum => Some(life?.duration_sum(totals)),
        Kind::DurationCount => Some(totals.requests().floor()),
        Kind::Cpu => Some(totals.cpu),
        Kind::Memory => memory(view, life?, at_ms),
        Kind::Resource(which) => {
            let each = match which {
                Resource::CpuRequest => CPU_REQUEST,
                Resource::CpuLimit => CPU_LIMIT,
                Resource::MemoryRequest => MEMORY_REQUEST,
                Resource::MemoryLimit => MEMORY_LIMIT,
            };
            Some(each * f64::from(life?.span(at_ms)?.running))
        }
        Kind::Deployment(which) => count(view, which, at_ms),
        Kind::Up => Some(f64::from(u8::from(view.counts_at(at_ms)?.running > 0))),
        Kind::Alert => (view.error_ratio(at_ms) > ALERT_ABOVE).then_some(1.0),
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
