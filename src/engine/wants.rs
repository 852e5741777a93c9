//! Which windows somebody judges: of which column, in which regions, over which span.
//!
//! What is wanted is asked for and kept; nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use super::bake;
use super::scene::World;
use super::state::ServiceState;
use super::view::RingPhase;
use crate::domain::fleet::{Ring, Service};
use crate::domain::gate::{Need, query_column};
use crate::domain::id::{ColumnName, RegionIx, RingIx, ServiceIx, Text};
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, window_ceil, window_floor};
use crate::gates::JUDGED_SPAN;

/// A window is asked for this long after its end: scrapes come late. Gates count it a little later.
pub const INGEST: SignedDuration = SignedDuration::from_secs(60);
/// Where a zone's clock changes, the same local hour of another day is at most so far off.
const CLOCK_CHANGE: SignedDuration = SignedDuration::from_hours(1);

/// A stretch of windows that a gate judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Whose gates: tries are counted by it.
    pub key: WantKey,
    /// In which regions, in order.
    pub regions: Vec<RegionIx>,
    /// End of the first window.
    pub first: Timestamp,
    /// End of the last.
    pub last: Timestamp,
}

/// What tells wants apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantKey {
    /// The column.
    pub column: ColumnName,
    /// The ring whose gates want it.
    pub ring: RingIx,
    /// What of it.
    pub need: Need,
}

/// The spans that a ring's needs are about.
struct Spans {
    /// Newest window that can have been scraped.
    last: Timestamp,
    /// First window of the bake, or since the ring is being changed, at most [`JUDGED_SPAN`] ago; none otherwise.
    bake: Option<Timestamp>,
}

/// Every stretch that the gates of a service judge now, none of them inside another.
pub fn wants(world: &World<'_>, at: ServiceIx, service: &Service, state: &ServiceState) -> Vec<Want> {
    let target = state.view.question.as_ref().map(|q| q.ring);
    let mut all: Vec<Want> = Vec::new();
    for (r, ring) in service.rings.iter().enumerate() {
        let r = RingIx::from(r);
        let mut needs = Vec::new();
        if is_judged(world, at, state, r) {
            needs.extend(world.gates.exit_needs(at, r));
        }
        if target == Some(r) {
            needs.extend(world.gates.entry_needs(at, r));
        }
        let Some(spans) = Spans::of(world, at, state, r) else { continue };
        for need in needs {
            let Some(want) = spans.want(service, ring, r, need) else { continue };
            if !all.iter().any(|other| other.holds(&want)) {
                all.retain(|other| !want.holds(other));
                all.push(want);
            }
        }
    }
    all
}

/// Columns whose newest sample is needed whether somebody looks or not: the traffic, and what gates want.
pub fn current(world: &World<'_>, at: ServiceIx, service: &Service, state: &ServiceState) -> BTreeSet<ColumnName> {
    let target = state.view.question.as_ref().map(|q| q.ring);
    let rings = (0..service.rings.len()).map(RingIx::from);
    let exit = rings.filter(|r| is_judged(world, at, state, *r)).flat_map(|r| world.gates.exit_needs(at, r));
    let needs = exit.chain(target.into_iter().flat_map(|r| world.gates.entry_needs(at, r)));
    let columns = needs.filter_map(|need| match need {
        Need::Current(column) => Some(column),
        Need::Query(query) => Some(query_column(&query)),
        _ => None,
    });
    columns.chain(service.traffic_column().map(|c| c.name.clone())).collect()
}

/// Queries of gates' own that somebody judges by, each with the regions it is asked about.
pub fn queries(
    world: &World<'_>,
    at: ServiceIx,
    service: &Service,
    state: &ServiceState,
) -> BTreeMap<Text, Vec<RegionIx>> {
    let target = state.view.question.as_ref().map(|q| q.ring);
    let mut found: BTreeMap<Text, Vec<RegionIx>> = BTreeMap::new();
    for (n, ring) in service.rings.iter().enumerate() {
        let n = RingIx::from(n);
        let exit = is_judged(world, at, state, n).then(|| world.gates.exit_needs(at, n));
        let entry = (target == Some(n)).then(|| world.gates.entry_needs(at, n));
        for need in exit.into_iter().chain(entry).flatten() {
            if let Need::Query(query) = need {
                let regions = found.entry(query).or_default();
                regions.extend(ring.regions.iter().filter(|r| !regions.contains(r)).copied().collect::<Vec<_>>());
            }
        }
    }
    found
}

/// A ring that is before the one that is asked about, that bakes, or that is being changed.
pub(super) fn is_judged(world: &World<'_>, at: ServiceIx, state: &ServiceState, ring: RingIx) -> bool {
    let view = &state.view;
    let bakes = || {
        let ring = view.rings.get(ring.at())?;
        let bake = SignedDuration::try_from(ring.bake).ok()?;
        let over = ring.bake_start?.at.checked_add(bake).ok()? <= world.now;
        Some(!over || matches!(ring.phase, RingPhase::Baking | RingPhase::Blocked))
    };
    view.question.as_ref().is_some_and(|q| ring < q.ring)
        || bakes().unwrap_or(false)
        || moving_since(world, at, state, ring).is_some()
}

/// Since when a ring is being changed that does not bake yet; none for one that is not: a breach
/// may come before the rollout is complete.
fn moving_since(world: &World<'_>, at: ServiceIx, state: &ServiceState, ring: RingIx) -> Option<Timestamp> {
    let view = state.view.rings.get(ring.at())?;
    let moves =
        view.bake_start.is_none() && matches!(view.phase, RingPhase::RollingOut | RingPhase::Held | RingPhase::Failed);
    let begun = |at: &RegionIx| bake::begun(state.region(*at)?, state.record.region(*at));
    // What still runs the old version was given that long ago.
    let new = |at: &&RegionIx| state.view.regions.get(at.at()).is_some_and(|r| r.on_new == Some(true));
    world.fleet.service(at)?.ring(ring).filter(|_| moves)?.regions.iter().filter(new).filter_map(begun).min()
}

impl Spans {
    fn of(world: &World<'_>, at: ServiceIx, state: &ServiceState, ring: RingIx) -> Option<Self> {
        let last = window_floor(world.now.saturating_sub(INGEST).unwrap_or(world.now));
        let bakes = state.view.rings.get(ring.at())?.bake_start.map(|start| start.at);
        let bake = bakes.or_else(|| moving_since(world, at, state, ring)).and_then(|start| {
            // Only windows that lie wholly inside the bake count, and gates look no further back.
            let reach = world.now.saturating_sub(JUDGED_SPAN).ok()?;
            window_ceil(start).max(window_ceil(reach)).checked_add(WINDOW).ok()
        });
        Some(Self { last, bake: bake.filter(|first| *first <= last) })
    }

    fn want(&self, service: &Service, ring: &Ring, at: RingIx, need: Need) -> Option<Want> {
        let own = || ring.regions.clone();
        let (column, regions, first, last) = match &need {
            Need::Windows(column) => (column.clone(), own(), self.bake?, self.last),
            Need::PeerWindows(column) => (column.clone(), service.region_indexes().collect(), self.bake?, self.last),
            Need::EarlierWindows { column, by } => {
                let back = |t: Timestamp, by: SignedDuration| t.checked_sub(by).ok();
                let first = back(self.bake?, by.checked_add(CLOCK_CHANGE)?)?;
                let last = back(self.last, by.checked_sub(CLOCK_CHANGE)?)?.min(self.last);
                (column.clone(), own(), first, last)
            }
            Need::RecentWindows { column, reach } => {
                let first = self.last.checked_sub(*reach).ok()?.checked_add(WINDOW).ok()?;
                (column.clone(), own(), first, self.last)
            }
            _ => return None,
        };
        service.column(column.as_str())?;
        let key = WantKey { column, ring: at, need };
        (first <= last).then_some(Want { key, regions, first, last })
    }
}

impl Want {
    /// Whether all of another want is part of this one.
    fn holds(&self, other: &Want) -> bool {
        self.key.column == other.key.column
            && self.first <= other.first
            && self.last >= other.last
            && other.regions.iter().all(|r| self.regions.binary_search(r).is_ok())
    }
}

/// Forgets, in every region, the windows that no want is about.
pub fn forget(state: &mut ServiceState, wants: &[Want]) {
    for (at, region) in state.regions.iter_mut().enumerate() {
        let about = |column: &ColumnName| -> Vec<(Timestamp, Timestamp)> {
            let mine = wants.iter().filter(|w| w.key.column == *column && w.regions.contains(&at.into()));
            mine.map(|w| (w.first, w.last)).collect()
        };
        for (column, windows) in &mut region.windows {
            windows.keep(&about(column));
        }
        region.windows.retain(|_, windows| !windows.is_empty());
    }
}
