//! Observations: the only way the world enters.

use std::num::NonZeroU64;
use std::time::Duration;

use serde_json::Value;

use super::approval::Approval;
use super::call::HttpCall;
use super::change::ObjectRef;
use super::delivery::Delivery;
use super::exemplar::Exemplar;
use super::id::{ClusterIx, ClusterUid, ColumnName, Namespace, Operator, RegionIx, ServiceIx, Text};
use super::link::{Link, LostReason};
use super::metric::{NoData, Reading, Windows};
use super::record::RegionRecord;
use super::stamp::{SignedDuration, Timestamp};
use super::workload::{Pod, Revision, Route, Workload};

/// A `metadata.resourceVersion` that can be compared with others of the same type in the same cluster.
///
/// Kubernetes documents them as decimal numbers that only grow (from 1.35; all servers over etcd
/// do so). Anything else is not read as one, and nothing is concluded from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceVersion(NonZeroU64);

impl ResourceVersion {
    /// Reads a decimal number without leading zeros.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        plain.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// That of a full object.
    pub fn of(object: &Value) -> Option<Self> {
        object.pointer("/metadata/resourceVersion").and_then(Value::as_str).and_then(Self::parse)
    }
}

/// Something seen in the world.
#[derive(Clone, Debug)]
pub enum Observation {
    /// A cluster's link changed state.
    Link {
        /// Which cluster.
        cluster: ClusterIx,
        /// Its new state.
        link: Link,
    },
    /// Proof of life: an event, a bookmark, a renewed watch or an answer.
    Heard {
        /// Which cluster.
        cluster: ClusterIx,
        /// The server's `Date`, if this was an HTTP answer.
        server_time: Option<Timestamp>,
    },
    /// What a cluster says of itself and of us.
    Cluster {
        /// Which cluster.
        cluster: ClusterIx,
        /// What was learnt.
        facts: ClusterFacts,
    },
    /// A watched object, or its absence.
    Object {
        /// Which cluster.
        cluster: ClusterIx,
        /// What it is.
        seen: Seen,
        /// Which version of the object this shows; none where it has none that can be compared.
        version: Option<ResourceVersion>,
    },
    /// A list is complete: what was not in it is gone. `gap`: changes may have been missed.
    Synced {
        /// Which cluster.
        cluster: ClusterIx,
        /// Of which watch.
        watch: WatchKind,
        /// In which namespace; none: all.
        namespace: Option<Namespace>,
        /// Names that are there, as `namespace/name`.
        present: Vec<Text>,
        /// The version of the collection that was listed.
        version: Option<ResourceVersion>,
        /// The watch was interrupted before: transitions may have been missed.
        gap: bool,
    },
    /// ReplicaSets of a region's workload.
    Revisions {
        /// Which service and region.
        place: (ServiceIx, RegionIx),
        /// Newest first, or why they could not be listed.
        result: Result<Vec<Revision>, LostReason>,
    },
    /// Pods of an opened region.
    Pods {
        /// Which service and region.
        place: (ServiceIx, RegionIx),
        /// By name, or why they could not be listed.
        result: Result<Vec<Pod>, LostReason>,
    },
    /// Newest samples of a column.
    Samples {
        /// Which service.
        service: ServiceIx,
        /// Which column.
        column: ColumnName,
        /// Time the query was evaluated at.
        at: Timestamp,
        /// Per region that was asked for.
        readings: Vec<(RegionIx, Reading)>,
    },
    /// Windows of a column.
    Windows {
        /// Which service.
        service: ServiceIx,
        /// Which column.
        column: ColumnName,
        /// Every window that was asked for, per region.
        readings: Vec<(RegionIx, Windows)>,
    },
    /// Points of a column: the last hour for sparklines, the last week for peaks.
    History {
        /// Which service.
        service: ServiceIx,
        /// Which column.
        column: ColumnName,
        /// Between points, as asked for.
        step: SignedDuration,
        /// Points, oldest first, per region.
        points: Vec<(RegionIx, Vec<(Timestamp, f64)>)>,
    },
    /// Exemplars of a column: the newest in a stretch of time.
    Exemplars {
        /// Which service.
        service: ServiceIx,
        /// Which column.
        column: ColumnName,
        /// End of the stretch.
        last: Timestamp,
        /// Per region that was asked for: the newest, none where there is none, or why not.
        found: Vec<(RegionIx, Result<Option<Exemplar>, NoData>)>,
    },
    /// What reports a region beside its cluster was asked: it answered, or why not.
    Reported {
        /// The region.
        place: (ServiceIx, RegionIx),
        /// Live, or lost.
        link: Link,
    },
    /// An HTTP endpoint's answer to a gate's question.
    Called {
        /// The region it is about.
        place: (ServiceIx, RegionIx),
        /// The question.
        call: Box<HttpCall>,
        /// Status and body, or why there is none.
        result: Result<(u16, Text), Text>,
    },
    /// A full object that was asked for.
    Full {
        /// Which object.
        object: ObjectRef,
        /// The object, none when absent, or why not.
        result: Result<Option<Value>, LostReason>,
    },
    /// Events about a region's workload.
    Events {
        /// Which service and region.
        place: (ServiceIx, RegionIx),
        /// Newest first.
        lines: Vec<EventLine>,
    },
}

/// A Kubernetes event, in our words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine {
    /// When it last happened.
    pub at: Option<Timestamp>,
    /// `Normal` or `Warning`.
    pub warning: bool,
    /// Reason.
    pub reason: Text,
    /// About which object, `Kind/name`.
    pub about: Text,
    /// The message.
    pub message: Text,
}

/// A watched object.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A workload; none: deleted.
    Workload {
        /// Namespace.
        namespace: Namespace,
        /// Name.
        name: Text,
        /// Kind in the kinds' table.
        kind: Text,
        /// The workload, or what cannot be read about it.
        state: Option<Box<Workload>>,
    },
    /// A record ConfigMap; none: deleted.
    Record {
        /// Namespace.
        namespace: Namespace,
        /// Name.
        name: Text,
        /// The facts.
        state: Option<Box<RegionRecord>>,
    },
    /// An approval; none: deleted.
    Approval {
        /// Namespace.
        namespace: Namespace,
        /// Name.
        name: Text,
        /// What it says, or why it cannot be read.
        state: Option<Box<Result<Approval, Text>>>,
    },
    /// A route; none: deleted.
    Route {
        /// Namespace.
        namespace: Namespace,
        /// Name.
        name: Text,
        /// Provider in the providers' table.
        provider: Text,
        /// The weights.
        state: Option<Box<Route>>,
    },
    /// An object of a delivery tool; none: deleted.
    Delivery {
        /// Namespace.
        namespace: Namespace,
        /// Name.
        name: Text,
        /// Kind in the delivery tools' table.
        kind: Text,
        /// What it says.
        state: Option<Box<Delivery>>,
    },
}

/// Which watch a list belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WatchKind {
    /// Workloads of one kind.
    Workloads(Text),
    /// Record ConfigMaps, and approvals.
    Records,
    /// Routes of one provider.
    Routes(Text),
    /// Objects of one kind of delivery tool.
    Deliveries(Text),
}

/// What a cluster says of itself and of us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    /// Identity.
    pub uid: Option<ClusterUid>,
    /// The identity is a digest of CA and URL, because kube-system may not be read.
    pub uid_is_derived: bool,
    /// The identity differs from the one remembered for this context.
    pub uid_changed: bool,
    /// Server version, e.g. `v1.32.4`.
    pub version: Option<Text>,
    /// Who we are there.
    pub user: Option<Operator>,
    /// Groups we are in.
    pub groups: Vec<Text>,
    /// How many watches are open.
    pub watches: usize,
    /// What cannot be watched there, one line each: the rest is heard all the same.
    pub troubles: Vec<Text>,
    /// Rights that were asked about.
    pub rights: Vec<Right>,
    /// How many more we will need but got no answer about; none: nothing was asked yet.
    pub rights_unanswered: Option<usize>,
    /// Round trip of the last small request.
    pub latency: Option<Duration>,
}

/// Whether we may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// Verb, e.g. `patch`.
    pub verb: Text,
    /// Resource with group, e.g. `deployments.apps`.
    pub resource: Text,
    /// Namespace.
    pub namespace: Namespace,
    /// Allowed.
    pub allowed: bool,
}
