//! What is believed about the world: per cluster, per service, per region.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::call::{HttpAnswer, HttpCall};
use crate::domain::delivery::Delivery;
use crate::domain::fleet::Region;
use crate::domain::gate::BakeStart;
use crate::domain::id::{ColumnName, RegionIx};
use crate::domain::link::{Freshness, LATE_AFTER, Link, LostReason};
use crate::domain::metric::{Reading, Windows};
use crate::domain::observation::{ClusterFacts, EventLine};
use crate::domain::record::{Fact, FactId, HoldInForce, Record};
use crate::domain::stamp::{SignedDuration, Stamp, Timestamp};
use crate::domain::version::TemplateDigest;
use crate::domain::workload::{Pod, Revision, Route, Workload};

use super::automation::lease::GuardSeen;
use super::bake::Stay;
use super::blame::Writer;
use super::newest::Newest;
use super::view::ServiceView;

pub use crate::domain::timeline::{Happened, Happening};

/// One cluster.
#[derive(Clone, Debug, Default)]
pub struct ClusterState {
    /// Its link, as its watch task says.
    pub link: Link,
    /// Last proof of life.
    pub heard: Option<Stamp>,
    /// Server clock minus ours at the last answer.
    pub skew: Option<SignedDuration>,
    /// What it says of itself and of us.
    pub facts: ClusterFacts,
    /// It was live when silence was looked for last.
    pub(super) was_live: bool,
}

impl ClusterState {
    /// The link with its age.
    pub fn freshness(&self, now: Stamp) -> Freshness<'_> {
        self.link.freshness(self.heard, now)
    }
}

/// One service.
#[derive(Clone, Debug, Default)]
pub struct ServiceState {
    /// Its regions, by position.
    pub regions: Vec<RegionState>,
    /// The shared record, as read.
    pub record: Record,
    /// The traffic of the last week was answered, one way or the other, since it was asked for.
    pub(super) week_came: bool,
    /// Holds that were approved here and are still being written.
    pub(super) wanted: BTreeMap<FactId, Fact>,
    /// Regions that a plan of this console takes back, and since when it was approved.
    pub(super) lowering: BTreeMap<RegionIx, Timestamp>,
    /// What the screens show; kept up to date by `update`.
    pub view: ServiceView,
    /// Something changed since the view was made.
    pub(super) stale_view: bool,
    /// When the view was made, since the start of the program.
    pub(super) renewed: Option<std::time::Duration>,
    /// When to look for what its records lack, since the start of the program; none: nothing changed.
    pub(super) keep_at: Option<std::time::Duration>,
}

/// One region of one service.
#[derive(Clone, Debug, Default)]
pub struct RegionState {
    /// The workload as last seen.
    pub workload: Option<Workload>,
    /// Which views of its objects are the newest.
    pub newest: NewestViews,
    /// The cluster was listed, and the workload is not there.
    pub absent: bool,
    /// The list of records was complete: no ConfigMap means no facts.
    pub record_listed: bool,
    /// When the record was last read beside the watch, since the start of the program.
    pub record_read: Option<std::time::Duration>,
    /// A record that was there has disappeared, or facts of it, and nobody has acknowledged it.
    pub record_lost: bool,
    /// Facts that its record had when it was last read.
    pub record_had: BTreeSet<FactId>,
    /// The route that steers its traffic: one for all regions that it steers, and it names each of them.
    pub route: Option<Arc<Route>>,
    /// What brings its workload from a repository, as last seen.
    pub delivery: Option<Delivery>,
    /// The cluster that is to hold that was listed, and it is not there.
    pub delivery_absent: bool,
    /// Rollout history, newest first.
    pub revisions: Vec<Revision>,
    /// The template digest the history was read for.
    pub revisions_for: Option<TemplateDigest>,
    /// Pods, while the region is open.
    pub pods: Vec<Pod>,
    /// Why pods, events or revisions could not be read.
    pub trouble: Option<LostReason>,
    /// Events, newest first.
    pub events: Vec<EventLine>,
    /// Newest sample per column.
    pub current: BTreeMap<ColumnName, (Timestamp, Reading)>,
    /// Windows per column: those that a gate wants.
    pub windows: BTreeMap<ColumnName, Windows>,
    /// The stay that ran when they were asked for.
    pub windows_of: Option<Stay>,
    /// What HTTP endpoints answered to gates' questions about it.
    pub answers: BTreeMap<HttpCall, HttpAnswer>,
    /// Last hour per column, oldest first.
    pub history: BTreeMap<ColumnName, Vec<(Timestamp, f64)>>,
    /// Hourly points of the traffic column over the last 7 days, for peaks; asked for by a drain.
    pub week: Vec<(Timestamp, f64)>,
    /// When it settled on what it runs.
    pub settled: Option<BakeStart>,
    /// What `settled` is about: it ends with that stay, and with nothing else.
    pub settled_for: Option<Stay>,
    /// Things seen happen by this console, oldest first; bounded.
    pub happenings: Vec<Happening>,
    /// Who changed the template under a hold: the template it is about, and who wrote it.
    pub changed_by: Option<(TemplateDigest, Writer)>,
    /// What the lease of the region shows: a guard's heartbeat.
    pub guard: Option<GuardSeen>,
    /// Last change that a person would want to notice.
    pub changed: Option<Stamp>,
    /// Since when this console has seen its workload not move.
    pub still: Option<Stamp>,
}

/// Which views of a region's objects are the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewestViews {
    /// Of the workload.
    pub workload: Newest,
    /// Of the record.
    pub record: Newest,
    /// Of the route.
    pub route: Newest,
    /// Of what brings the workload.
    pub delivery: Newest,
}

/// Most happenings kept per region.
pub const MOST_HAPPENINGS: usize = 256;

impl ServiceState {
    /// The region at a position.
    pub fn region(&self, at: RegionIx) -> Option<&RegionState> {
        self.regions.get(at.at())
    }

    /// Holds in force, oldest first, and those that are wanted here and in no record yet.
    pub fn holds(&self) -> Vec<HoldInForce> {
        let mut holds = self.record.holds();
        let missing = |id: &FactId| !self.record.released(*id) && !holds.iter().any(|h| h.id == Some(*id));
        let wanted: Vec<&Fact> = self.wanted.iter().filter(|(id, _)| missing(id)).map(|(_, fact)| fact).collect();
        holds.extend(wanted.into_iter().filter_map(|fact| HoldInForce::wanted(fact, self.regions.len())));
        holds
    }
}

impl RegionState {
    /// Weight of the region's backend; none where it is not steered, or the route was not seen.
    pub fn weight(&self, region: &Region) -> Option<u32> {
        let route = region.route.as_ref()?;
        self.route.as_ref()?.weight(route.rule, &route.backend)
    }

    /// The record is known as it is now: it is watched, or was read a moment ago.
    pub fn record_is_known(&self, now: Stamp) -> bool {
        let recent = |at: std::time::Duration| now.mono.saturating_sub(at) <= LATE_AFTER;
        self.record_listed || self.record_read.is_some_and(recent)
    }

    /// Remembers something seen.
    pub fn remember(&mut self, at: Timestamp, what: Happened) {
        if self.happenings.len() >= MOST_HAPPENINGS {
            self.happenings.remove(0);
        }
        self.happenings.push(Happening { at, what });
    }
}
