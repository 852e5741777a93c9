//! What would follow, all going well: the rest of bakes, the next promotions, the end of the release.

use std::time::Duration;

use super::{Segment, SegmentKind};
use crate::domain::id::RegionIx;
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::version::Version;

/// What a rollout takes where none was seen yet.
pub const ROLLOUT: SignedDuration = SignedDuration::from_mins(5);

/// Where the rings of a release stand.
#[derive(Clone)]
pub struct Outlook<'a> {
    /// The version on its way.
    pub version: &'a Version,
    /// Rings, earliest first.
    pub rings: Vec<RingOutlook>,
    /// How long rollouts took, as far as the timeline shows; none: a guess is used.
    pub rollout: Option<SignedDuration>,
    /// When a region was last given a version, in any ring; none: not known.
    pub changed: Option<Timestamp>,
    /// The earliest moment from one on at which windows and freezes let a region be changed; none: never.
    pub opens: &'a dyn Fn(RegionIx, Timestamp) -> Option<Timestamp>,
    /// Server time.
    pub now: Timestamp,
}

/// So many times regions that change together are asked when they all may.
const ROUNDS: usize = 64;

/// Where one ring stands.
#[derive(Clone, Debug)]
pub struct RingOutlook {
    /// Its regions in promotion order, and whether each already has the version.
    pub regions: Vec<(RegionIx, bool)>,
    /// When its last region settled; none: not all have.
    pub bake_start: Option<Timestamp>,
    /// How long it must bake.
    pub bake: Duration,
    /// Another gate waits until then.
    pub until: Option<Timestamp>,
    /// Something else that is asked of the ring before it changes waits until then.
    pub not_before: Option<Timestamp>,
    /// Least time between the last change of an earlier ring and this one.
    pub distance: Duration,
    /// How many regions change together.
    pub parallelism: u32,
    /// Soak between regions.
    pub stagger: Option<Duration>,
    /// It would not go on by itself: held, failed, blocked, or unknown.
    pub stuck: bool,
}

/// What would follow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projection {
    /// Pieces that have not happened.
    pub segments: Vec<Segment>,
    /// Per ring: the earliest moment at which the next ring could be promoted.
    pub ready_at: Vec<Option<Timestamp>>,
    /// Per ring: the earliest moment at which its next region could be given the version.
    pub promote_at: Vec<Option<Timestamp>>,
    /// When the last ring would be through.
    pub eta: Option<Timestamp>,
}

/// Projects a release, ring by ring, until one that is stuck.
pub fn project(outlook: &Outlook<'_>) -> Projection {
    let rollout = outlook.rollout.filter(|r| r.is_positive()).unwrap_or(ROLLOUT);
    let mut projection = Projection::default();
    // The moment at which every ring so far lets the next one start; none: it cannot be told.
    let mut ready = Some(outlook.now);
    let mut changed = outlook.changed;
    for ring in &outlook.rings {
        let mut pen = Pen { outlook, rollout, segments: Vec::new(), first: None, changed };
        ready = match ready {
            Some(before) if !ring.stuck => pen.ring(ring, before),
            _ => None,
        };
        changed = pen.changed;
        projection.promote_at.push(pen.first.filter(|_| ready.is_some()));
        projection.segments.extend(pen.segments);
        projection.ready_at.push(ready);
    }
    projection.eta = ready.filter(|_| !outlook.rings.is_empty());
    super::order(&mut projection.segments);
    projection
}

struct Pen<'a> {
    outlook: &'a Outlook<'a>,
    rollout: SignedDuration,
    segments: Vec<Segment>,
    /// The first promotion of the ring.
    first: Option<Timestamp>,
    /// The last promotion of any ring so far.
    changed: Option<Timestamp>,
}

impl Pen<'_> {
    /// Draws what is left of one ring; returns when it lets the next one start.
    fn ring(&mut self, ring: &RingOutlook, before: Timestamp) -> Option<Timestamp> {
        let now = self.outlook.now;
        let missing = ring.regions.iter().filter(|(_, has)| !has).count();
        let settled = match (missing, ring.bake_start) {
            (0, Some(start)) => start.min(now),
            // Its rollouts are under way: as long as one takes, from now.
            (0, None) => {
                let end = plus(now, self.rollout)?;
                ring.regions.iter().for_each(|(r, _)| self.piece(*r, SegmentKind::Deploy, now, end));
                end
            }
            _ => self.promotions(ring, before)?,
        };
        let bake = SignedDuration::try_from(ring.bake).ok()?;
        let baked = plus(settled, bake)?;
        // A ring lets the next one start no earlier than the rings before it do.
        let ready = baked.max(ring.until.unwrap_or(baked)).max(before).max(now);
        for (region, _) in &ring.regions {
            self.piece(*region, SegmentKind::Bake, settled.max(now), baked);
            self.piece(*region, SegmentKind::Wait, baked.max(now), ready);
        }
        Some(ready)
    }

    /// Region by region, as many together as the ring allows; returns when the last has settled.
    fn promotions(&mut self, ring: &RingOutlook, start: Timestamp) -> Option<Timestamp> {
        let together = if ring.stagger.is_some() { 1 } else { usize::try_from(ring.parallelism).unwrap_or(1).max(1) };
        let soak = SignedDuration::try_from(ring.stagger.unwrap_or_default()).ok()?;
        let missing: Vec<RegionIx> = ring.regions.iter().filter(|(_, has)| !has).map(|(r, _)| *r).collect();
        let apart = SignedDuration::try_from(ring.distance).ok()?;
        let spaced = self.changed.filter(|_| apart.is_positive()).and_then(|last| plus(last, apart));
        let mut at = start.max(ring.not_before.unwrap_or(start)).max(spaced.unwrap_or(start));
        let mut end = start;
        for batch in missing.chunks(together) {
            let free = at;
            at = self.open(batch, at)?;
            for region in batch {
                self.piece(*region, SegmentKind::Wait, free.max(self.outlook.now), at);
            }
            self.first = self.first.or(Some(at));
            self.changed = Some(at);
            end = plus(at, self.rollout)?;
            for region in batch {
                self.piece(*region, SegmentKind::Promoted, at, at);
                self.piece(*region, SegmentKind::Deploy, at, end);
            }
            at = plus(end, soak)?;
        }
        Some(end)
    }

    /// When all of some regions may be changed.
    fn open(&self, batch: &[RegionIx], from: Timestamp) -> Option<Timestamp> {
        let mut moment = from;
        for _ in 0..ROUNDS {
            let mut next = moment;
            for region in batch {
                next = (self.outlook.opens)(*region, next)?;
            }
            if next == moment {
                return Some(moment);
            }
            moment = next;
        }
        None
    }

    fn piece(&mut self, region: RegionIx, kind: SegmentKind, from: Timestamp, to: Timestamp) {
        if to > from || kind.is_mark() {
            let version = Some(self.outlook.version.clone());
            self.segments.push(Segment { region, kind, from, to: Some(to), version, projected: true });
        }
    }
}

fn plus(at: Timestamp, length: SignedDuration) -> Option<Timestamp> {
    at.checked_add(length).ok()
}
