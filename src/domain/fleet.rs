//! The fleet as configured: clusters, services, rings, regions. Checked once, then immutable.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::approval::Identities;
use super::carrier::CarrierRef;
use super::deed::Deed;
use super::id::{
    ClusterIx, ClusterName, ColumnName, FleetName, Namespace, PrometheusIx, RegionIx, RegionName, RingIx, RingName,
    ServiceIx, ServiceName, Text,
};
use super::pipeline::{Pipeline, Whereabouts};
use super::policy::Policy;
use super::steering::Steering;
use super::workload::Workload;

/// Everything one configuration describes.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Its name; part of the record's ConfigMap names.
    pub name: FleetName,
    /// Every cluster that is connected.
    pub clusters: Vec<Cluster>,
    /// Every Prometheus, by name.
    pub prometheuses: Vec<Text>,
    /// Every service, in the order of the file.
    pub services: Vec<Service>,
    /// Who is who where clusters call people differently.
    pub identities: Identities,
}

/// One API server.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Name in the configuration.
    pub name: ClusterName,
    /// The Prometheus that knows its regions; none: metric gates have no data there.
    pub prometheus: Option<PrometheusIx>,
}

/// One service and the rings it is released through.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: ServiceName,
    /// Rings, earliest first.
    pub rings: Vec<Ring>,
    /// Regions of all rings, ring by ring.
    pub regions: Vec<Region>,
    /// Columns of its metric table.
    pub columns: Vec<Column>,
    /// Beyond the image: what a promotion copies.
    pub carries: Vec<Carry>,
    /// Where the version is read from.
    pub version_from: VersionFrom,
    /// Team that owns it.
    pub owner: Option<Text>,
    /// Whom to call.
    pub escalation: Option<Text>,
    /// Who may decide.
    pub deciders: Vec<Text>,
    /// Path or URL of the runbook.
    pub runbook: Option<Text>,
    /// Link to release notes, with `{{from}}` and `{{to}}`.
    pub release_url: Option<Text>,
    /// A hold also pauses regions whose rollout is finished.
    pub freeze: bool,
    /// What switches a flag off in an incident.
    pub flag_off: Option<Deed>,
    /// What follows a NO-GO, and how far a release goes by itself.
    pub policy: Policy,
    /// SHA-256 over resolved topology and policy, 16 hex digits: policy is shared truth.
    pub policy_hash: Text,
}

/// An ordered stage.
#[derive(Clone, Debug)]
pub struct Ring {
    /// Its name.
    pub name: RingName,
    /// What people call it, e.g. `internal staging`.
    pub label: Option<Text>,
    /// Its regions, in promotion order; positions in [`Service::regions`].
    pub regions: Vec<RegionIx>,
    /// How many regions a promotion changes at the same time; at least 1.
    pub parallelism: u32,
    /// With a stagger, a promotion offers one region at a time, after this soak of the one before.
    pub stagger: Option<Duration>,
    /// Judge this ring's own regions and let later rings start.
    pub exit_gates: Vec<GateSpec>,
    /// Judge the ring that would change.
    pub entry_gates: Vec<GateSpec>,
}

/// Where a service runs.
#[derive(Clone, Debug)]
pub struct Region {
    /// Its name, unique within the service.
    pub name: RegionName,
    /// The ring it belongs to.
    pub ring: RingIx,
    /// The cluster it is in.
    pub cluster: ClusterIx,
    /// The object that runs it.
    pub workload: WorkloadRef,
    /// How traffic reaches it, if gonogo may steer that.
    pub route: Option<RouteRef>,
    /// What brings its workload from a repository, if the configuration names it.
    pub delivery: Option<DeliveryRef>,
    /// What carries new versions to it; none: they are written into its workload.
    pub carrier: Option<CarrierRef>,
    /// What it can serve, and when that was measured.
    pub capacity: Option<Capacity>,
    /// Who absorbs its traffic when drained; empty: the others in proportion.
    pub absorbers: Vec<RegionName>,
    /// IANA zone for local times.
    pub zone: Option<Text>,
    /// Team or person that owns this region; the service's otherwise.
    pub owner: Option<Text>,
    /// Whom to call; the service's otherwise.
    pub escalation: Option<Text>,
    /// Who may decide; the service's otherwise.
    pub deciders: Vec<Text>,
    /// Values measured in it must not leave it: reports are made without them.
    pub stays: bool,
}

/// The object that runs a service in a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadRef {
    /// Name of the kind in [`crate::kinds`]'s table, e.g. `Deployment`.
    pub kind: Text,
    /// Namespace.
    pub namespace: Namespace,
    /// Object name.
    pub name: Text,
    /// Container whose image is the version.
    pub container: Text,
}

/// The object of a delivery tool that brings a region's workload: it may lie in another cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRef {
    /// Its kind in [`crate::delivery`]'s table, e.g. `Application`.
    pub kind: Text,
    /// Cluster that holds it.
    pub cluster: ClusterIx,
    /// Namespace.
    pub namespace: Namespace,
    /// Name.
    pub name: Text,
    /// What a hold does to it.
    pub on_hold: OnHold,
}

/// What a hold does to the object that delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnHold {
    /// Nothing.
    #[default]
    Leave,
    /// It brings nothing by itself until the hold is released.
    Stop,
    /// The same, and what it is doing ends.
    Terminate,
}

/// Where the version of a workload is read from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum VersionFrom {
    /// The container's image tag or digest.
    #[default]
    Image,
    /// A label of the pod template.
    Label(Text),
    /// An annotation of the pod template.
    Annotation(Text),
}

/// How traffic reaches a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRef {
    /// Name of the provider in [`crate::traffic`]'s table, e.g. `HTTPRoute`.
    pub provider: Text,
    /// Cluster that holds the route.
    pub cluster: ClusterIx,
    /// Namespace of the route.
    pub namespace: Namespace,
    /// Name of the route.
    pub name: Text,
    /// Which rule, counted from 0.
    pub rule: usize,
    /// Name of the backend that is this region.
    pub backend: Text,
    /// Once its weight is 0, the region counts as drained below so many queries per second; none: below
    /// 1 % of its capacity, or 1 where that is not known.
    pub drained_below: Option<u32>,
    /// Percents of its weight on the way out of traffic and back; none: at once.
    pub steps: Vec<u32>,
    /// Between two of them.
    pub dwell: Duration,
    /// What sets its weights where no cluster holds them.
    pub steering: Option<Arc<Steering>>,
}

/// What a region can serve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// Queries per second.
    pub qps: f64,
    /// Day of the measurement.
    pub measured: Option<Date>,
}

/// A field that a promotion copies from ring to ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carry {
    /// Tag and digest; the region's own registry and repository stay.
    Image,
    /// The whole image reference.
    ImageRef,
    /// A field below the workload, with containers by name, e.g.
    /// `/spec/template/spec/containers[name=web]/args`.
    Pointer {
        /// Where.
        path: CarryPath,
        /// Copied verbatim from the source ring, or rendered from a template.
        value: CarryValue,
    },
}

/// A pointer whose list items may be named: `/a/b[name=x]/c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarryPath(pub Vec<CarryStep>);

/// One step of a [`CarryPath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarryStep {
    /// A key of an object.
    Key(Text),
    /// The item of a list whose field has this value.
    Named {
        /// The field, e.g. `name`.
        field: Text,
        /// Its value.
        value: Text,
    },
}

/// What is written at a [`CarryPath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarryValue {
    /// The source ring's value.
    Verbatim,
    /// JSON text in which `{{version}} {{ring}} {{region}}` are replaced inside strings.
    Template(Text),
}

impl CarryPath {
    /// Reads `/a/b[name=x]/c` with `~1` and `~0` as in RFC 6901. What stands in brackets may hold `/`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut inside = false;
        let parts = text.strip_prefix('/')?.split(move |c| {
            inside = c == '[' || inside && c != ']';
            c == '/' && !inside
        });
        for part in parts {
            let plain = |s: &str| -> Text { s.replace("~1", "/").replace("~0", "~").into() };
            match part.split_once('[') {
                None if part.is_empty() => return None,
                None => steps.push(CarryStep::Key(plain(part))),
                Some((key, named)) => {
                    let (field, value) = named.strip_suffix(']')?.split_once('=')?;
                    if key.is_empty() || field.is_empty() || value.is_empty() {
                        return None;
                    }
                    steps.push(CarryStep::Key(plain(key)));
                    steps.push(CarryStep::Named { field: field.into(), value: plain(value) });
                }
            }
        }
        Some(Self(steps))
    }
}

impl fmt::Display for CarryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                CarryStep::Key(key) => write!(f, "/{}", key.replace('~', "~0").replace('/', "~1"))?,
                CarryStep::Named { field, value } => write!(f, "[{field}={}]", value.replace('~', "~0"))?,
            }
        }
        Ok(())
    }
}

/// A gate as configured: its name in [`crate::gates`]'s table and checked parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct GateSpec {
    /// Name of the gate type, e.g. `bake`.
    pub gate: Text,
    /// What the board calls it; the type's name, or the column's for a threshold.
    pub label: Text,
    /// Parameters as written.
    pub params: Params,
}

/// Parameters of a gate, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(pub BTreeMap<String, Param>);

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
}

/// A column of the metric table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name, e.g. `errors`.
    pub name: ColumnName,
    /// Heading; the name otherwise.
    pub title: Text,
    /// Query text with placeholders.
    pub query: QueryText,
    /// Unit of the samples.
    pub unit: Unit,
    /// Which way is good.
    pub better: Better,
    /// This column is the region's traffic in queries per second.
    pub is_traffic: bool,
}

/// How a column is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryText {
    /// One query per region; `{{region}} {{namespace}} {{workload}} {{version}} {{template_hash}}`.
    PerRegion(Text),
    /// One query for all regions of a Prometheus, told apart by a label.
    ByLabel {
        /// The query.
        query: Text,
        /// The label whose value is the region's name.
        label: Text,
    },
}

/// Unit of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share from 0 to 1, shown in percent.
    Ratio,
    /// Seconds; shown in ms below 10 s.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Per second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// A plain number.
    Number,
}

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
    /// Neither.
    Neither,
}

impl Fleet {
    /// The service at a position.
    pub fn service(&self, at: ServiceIx) -> Option<&Service> {
        self.services.get(at.at())
    }
    /// The cluster at a position.
    pub fn cluster(&self, at: ClusterIx) -> Option<&Cluster> {
        self.clusters.get(at.at())
    }
    /// The cluster's name, for messages.
    pub fn cluster_name(&self, at: ClusterIx) -> ClusterName {
        self.cluster(at).map_or_else(|| ClusterName::new("?"), |c| c.name.clone())
    }
    /// A service by name.
    pub fn find_service(&self, name: &str) -> Option<(ServiceIx, &Service)> {
        self.services.iter().enumerate().find(|(_, s)| s.name.as_str() == name).map(|(i, s)| (i.into(), s))
    }
    /// Name of the ConfigMap that holds a service's shared facts in every region.
    pub fn record_name(&self, service: &Service) -> String {
        format!("gonogo-{}-{}", self.name, service.name)
    }
}

impl Region {
    /// The pipeline that brings its versions.
    pub fn pipeline(&self) -> Option<&Pipeline> {
        match &self.carrier {
            Some(CarrierRef::Pipeline(pipeline)) => Some(pipeline),
            _ => None,
        }
    }

    /// Whether a command or an endpoint says how it stands, and not its cluster.
    pub fn is_reported(&self) -> bool {
        self.pipeline().is_some_and(|p| p.state.is_some())
    }
}

impl Service {
    /// What a region is called in what is told to other systems about it.
    pub fn names_of(&self, fleet: &Fleet, region: &Region) -> Whereabouts {
        Whereabouts {
            service: self.name.as_str().into(),
            ring: self.ring(region.ring).map_or_else(|| "?".into(), |r| r.name.as_str().into()),
            region: region.name.as_str().into(),
            cluster: fleet.cluster_name(region.cluster).as_str().into(),
            namespace: region.workload.namespace.as_str().into(),
        }
    }
    /// The region at a position.
    pub fn region(&self, at: RegionIx) -> Option<&Region> {
        self.regions.get(at.at())
    }
    /// The ring at a position.
    pub fn ring(&self, at: RingIx) -> Option<&Ring> {
        self.rings.get(at.at())
    }
    /// The least time between one region of a ring and the next: its stagger or its policy's
    /// distance, whichever is longer; none: its regions need not wait for each other.
    pub fn soak(&self, at: RingIx) -> Option<Duration> {
        let distance = Some(self.policy.ring(at).region_distance);
        self.ring(at)?.stagger.into_iter().chain(distance).max().filter(|soak| !soak.is_zero())
    }
    /// A ring by name.
    pub fn find_ring(&self, name: &str) -> Option<(RingIx, &Ring)> {
        self.rings.iter().enumerate().find(|(_, r)| r.name.as_str() == name).map(|(i, r)| (i.into(), r))
    }
    /// A region by name.
    pub fn find_region(&self, name: &str) -> Option<(RegionIx, &Region)> {
        self.regions.iter().enumerate().find(|(_, r)| r.name.as_str() == name).map(|(i, r)| (i.into(), r))
    }
    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name.as_str() == name)
    }
    /// The column that measures traffic, if one is marked.
    pub fn traffic_column(&self) -> Option<&Column> {
        self.columns.iter().find(|c| c.is_traffic)
    }
    /// Whether two workloads run the same release: by image digest or tag, or by the version
    /// where the configuration reads it elsewhere.
    pub fn same_release(&self, a: &Workload, b: &Workload) -> bool {
        match (&self.version_from, &a.image, &b.image) {
            (VersionFrom::Image, Some(a), Some(b)) => a.same_release(b),
            _ => a.version == b.version,
        }
    }
    /// Positions of all regions.
    pub fn region_indexes(&self) -> impl Iterator<Item = RegionIx> + use<> {
        (0..self.regions.len()).map(RegionIx::from)
    }
}

impl Params {
    /// A text parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Param::Text(text)) => Some(text),
            _ => None,
        }
    }
    /// A number.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(Param::Number(number)) => Some(*number),
            _ => None,
        }
    }
    /// A length of time written as text.
    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.text(name).and_then(super::stamp::parse_duration)
    }
}

impl Unit {
    /// As the configuration writes it.
    pub const NAMES: [(&'static str, Unit); 6] = [
        ("ratio", Unit::Ratio),
        ("seconds", Unit::Seconds),
        ("ms", Unit::Millis),
        ("per_second", Unit::PerSecond),
        ("bytes", Unit::Bytes),
        ("number", Unit::Number),
    ];

    /// Three significant digits with the unit: `0.31 %`, `145 ms`, `12.4k`, `1.2 GB`.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Ratio => format!("{} %", three(value * 100.0)),
            Unit::Seconds if value.abs() < 10.0 => format!("{} ms", three(value * 1000.0)),
            Unit::Seconds => format!("{} s", three(value)),
            Unit::Millis => format!("{} ms", three(value)),
            Unit::PerSecond | Unit::Number => scaled(value, 1000.0, &["", "k", "M", "G"]),
            Unit::Bytes => scaled(value, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB"]),
        }
    }
}

/// Three significant digits, never in exponent form; small ratios keep two decimals.
fn three(value: f64) -> String {
    let size = value.abs();
    if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut rest = value;
    let mut units = units.iter().peekable();
    while let Some(unit) = units.next() {
        if rest.abs() < step * 0.9995 || units.peek().is_none() {
            let number = if unit.trim().is_empty() && rest.fract() == 0.0 { format!("{rest:.0}") } else { three(rest) };
            return format!("{number}{unit}");
        }
        rest /= step;
    }
    three(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        for (unit, value, shown) in [
            (Unit::Ratio, 0.0031, "0.31 %"),
            (Unit::Ratio, 0.42, "42.0 %"),
            (Unit::Seconds, 0.145, "145 ms"),
            (Unit::Seconds, 12.0, "12.0 s"),
            (Unit::PerSecond, 12_400.0, "12.4k"),
            (Unit::PerSecond, 40.0, "40"),
            (Unit::Bytes, 1.5 * 1024.0 * 1024.0, "1.50 MiB"),
        ] {
            assert_eq!(unit.show(value), shown);
        }
    }

    #[test]
    fn carry_paths_read_and_print() {
        for text in ["/spec/template/spec/containers[name=web]/args", "/images[name=a.b/c~0d]/newTag", "/a~1b/0"] {
            assert_eq!(CarryPath::parse(text).map(|p| p.to_string()).as_deref(), Some(text));
        }
        for bad in ["", "spec", "/", "/a//b", "/a[name]", "/a[=x]/b"] {
            assert!(CarryPath::parse(bad).is_none(), "{bad}");
        }
    }
}
