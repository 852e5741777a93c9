//! What a gate is: two pure functions, `needs` and `judge`. No gate waits.

use std::collections::BTreeMap;
use std::time::Duration;

use super::approval::Identities;
use super::call::{HttpAnswer, HttpCall, HttpNeed};
use super::delivery::Delivery;
use super::fleet::{Params, Region, Ring, Service};
use super::id::{ColumnName, Operator, RegionIx, RingIx, Text};
use super::link::Freshness;
use super::metric::{Reading, Windows};
use super::picture::Picture;
use super::pool::Pools;
use super::record::Record;
use super::stamp::{SignedDuration, Timestamp};
use super::verdict::Judgement;
use super::version::{TemplateDigest, Version};
use super::workload::Workload;

/// Where a gate may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateRole {
    /// Judges a ring's own regions, and lets later rings start.
    Exit,
    /// Judges the ring that would change.
    Entry,
    /// Both.
    Both,
}

/// What a gate's answer hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangsOn {
    /// Time alone, as long as somebody is looking: a forecast asks the gate itself.
    Time,
    /// Somebody's word: a forecast assumes that it comes.
    People,
    /// What clusters, metrics and other programs say: a forecast assumes GO.
    World,
}

/// A gate type: one line in the table of [`crate::gates`].
pub trait GateType: Sync {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;
    /// Where it may stand.
    fn role(&self) -> GateRole;
    /// One sentence for help and docs.
    fn about(&self) -> &'static str;
    /// Parameters with their meaning, for docs, schema and "did you mean".
    fn parameters(&self) -> &'static [Parameter];
    /// Checks parameters and makes the judge, or says what is wrong with which parameter.
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError>;
    /// What its answer hangs on, for forecasts.
    fn hangs_on(&self) -> HangsOn {
        HangsOn::World
    }
    /// Whether it can judge this ring: what it must know of the ring's regions is configured.
    fn fits(&self, _params: &Params, _service: &Service, _ring: RingIx) -> Result<(), ParamError> {
        Ok(())
    }
}

/// A parameter of a gate type.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Name in the configuration.
    pub name: &'static str,
    /// What it is, with unit and default.
    pub about: &'static str,
    /// Whether it may not be left out.
    pub required: bool,
}

/// What is wrong with a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamError {
    /// Which one.
    pub name: String,
    /// What is wrong, and how to write it.
    pub message: String,
}

/// A gate with its parameters.
pub trait Gate: Send + Sync {
    /// What must be kept fresh for it, besides the workload itself.
    fn needs(&self) -> Vec<Need>;
    /// The judgement on one region.
    fn judge(&self, evidence: &Evidence<'_>) -> Judgement;
    /// What the judgement rests on, to be drawn; none: its sentences say all there is.
    fn picture(&self, _evidence: &Evidence<'_>) -> Option<Picture> {
        None
    }
    /// The earliest moment from one on at which its calendar lets a region be changed: for projections.
    /// None: never, as far ahead as it looks.
    fn opens(&self, _at: RegionIx, from: Timestamp) -> Option<Timestamp> {
        Some(from)
    }
    /// How long it makes a ring wait at least, for projections; zero if it does not.
    fn minimum(&self) -> Duration {
        Duration::ZERO
    }
}

/// Something a gate wants kept fresh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// 5-minute windows of a column since the bake began.
    Windows(ColumnName),
    /// The newest sample of a column.
    Current(ColumnName),
    /// The windows of this ring's bake, in every region of the service.
    PeerWindows(ColumnName),
    /// The windows of this ring's bake, that much earlier (a day, a week), in the same region.
    EarlierWindows {
        /// The column.
        column: ColumnName,
        /// How much earlier.
        by: SignedDuration,
    },
    /// The newest windows of a column in this ring's regions, so far back, whatever runs.
    RecentWindows {
        /// The column.
        column: ColumnName,
        /// How far back from now.
        reach: SignedDuration,
    },
    /// What another service runs in the region of the same name.
    Service(Text),
    /// The newest answer of a query of the gate's own, about each region; see [`query_column`].
    Query(Text),
    /// What an HTTP endpoint answers about each region.
    Http(HttpNeed),
}

/// Under which name the answers of a gate's own query stand among the newest samples.
pub fn query_column(query: &str) -> ColumnName {
    // A column's name has no such sign.
    ColumnName::new(format!("={query}"))
}

/// What is known about one region when it is judged. `None` anywhere is unknown, not fine.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// The service.
    pub service: &'a Service,
    /// The ring that is judged.
    pub ring: &'a Ring,
    /// The region that is judged.
    pub region: &'a Region,
    /// Its position.
    pub at: RegionIx,
    /// The workload as last seen.
    pub workload: Option<&'a Workload>,
    /// What delivers it, as last seen.
    pub delivery: Option<&'a Delivery>,
    /// How well the cluster that holds what delivers it is heard.
    pub delivery_freshness: Freshness<'a>,
    /// The template that the release wants in this ring; none: whatever runs.
    pub wanted: Option<TemplateDigest>,
    /// How well the cluster is heard.
    pub freshness: Freshness<'a>,
    /// Why the region's shared record is not known; none when it is.
    pub record_unread: Option<Text>,
    /// When the ring's last region settled on what it runs now; none: not settled, or unknown.
    pub bake_start: Option<BakeStart>,
    /// Windows per column since the bake began.
    pub windows: &'a BTreeMap<ColumnName, Windows>,
    /// Newest sample per column, with its time.
    pub current: &'a BTreeMap<ColumnName, (Timestamp, Reading)>,
    /// Every region of the service by position, this one too: for gates that compare.
    pub peers: &'a [Peer<'a>],
    /// What the ring would get; none where it is judged on what it runs.
    pub entering: Option<Entering<'a>>,
    /// What HTTP endpoints answered about this region.
    pub answers: &'a BTreeMap<HttpCall, HttpAnswer>,
    /// What other services that were asked for run in the region of this name.
    pub siblings: &'a [Sibling<'a>],
    /// The shared record of the service, as read.
    pub record: &'a Record,
    /// Who is who where clusters call people differently.
    pub identities: &'a Identities,
    /// This console is about to promote: what its own user approved does not count.
    pub promoting: bool,
    /// Windows of other regions, pooled: made once for all judgements of a moment.
    pub pools: &'a Pools,
    /// Server time now.
    pub now: Timestamp,
}

/// A region of the service as a gate sees it that compares regions.
#[derive(Clone, Debug)]
pub struct Peer<'a> {
    /// The region.
    pub region: &'a Region,
    /// The workload as last seen.
    pub workload: Option<&'a Workload>,
    /// How well its cluster is heard.
    pub freshness: Freshness<'a>,
    /// When it settled on what it runs.
    pub settled: Option<BakeStart>,
    /// Windows per column.
    pub windows: &'a BTreeMap<ColumnName, Windows>,
    /// Newest sample per column, with its time.
    pub current: &'a BTreeMap<ColumnName, (Timestamp, Reading)>,
    /// A hold covers it.
    pub held: bool,
    /// Who this console is in its cluster, if the cluster said.
    pub user: Option<&'a Operator>,
    /// Weight of its backend; none where it is not steered, or the route was not seen.
    pub weight: Option<u32>,
}

/// Another service in the region of the same name.
#[derive(Clone, Debug)]
pub struct Sibling<'a> {
    /// The service.
    pub service: &'a Service,
    /// Its workload there, as last seen; none: not seen.
    pub workload: Option<&'a Workload>,
    /// How well its cluster is heard.
    pub freshness: Freshness<'a>,
}

/// What a ring would get.
#[derive(Clone, Copy, Debug)]
pub struct Entering<'a> {
    /// The version.
    pub version: &'a Version,
    /// What runs in the ring before, whose carried fields would be copied; none for the first ring.
    pub source: Option<&'a Workload>,
}

/// When a bake began, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BakeStart {
    /// The moment.
    pub at: Timestamp,
    /// The evidence.
    pub source: BakeSource,
}

/// What tells when a region settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BakeSource {
    /// The workload's own condition (Progressing/NewReplicaSetAvailable).
    Condition,
    /// The `settled` fact in the record.
    Record,
    /// Nothing tells: when this console first saw it settled.
    FirstSeen,
}

impl BakeSource {
    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            BakeSource::Condition => "by the workload's condition",
            BakeSource::Record => "by the record",
            BakeSource::FirstSeen => "first seen by this console",
        }
    }
}

impl ParamError {
    /// An error about one parameter.
    pub fn new(name: &str, message: impl Into<Text>) -> Self {
        Self { name: name.to_owned(), message: message.into().to_string() }
    }
}
