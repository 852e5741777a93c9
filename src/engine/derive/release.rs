//! Where a release stands: from which version to which, and what is going on.

use crate::domain::fleet::Ring;
use crate::domain::id::{RegionIx, RingIx};
use crate::domain::record::Body;
use crate::domain::verdict::Verdict;
use crate::domain::version::Version;
use crate::domain::workload::Workload;
use crate::engine::scene::Scene;
use crate::engine::view::{Question, RegionView, RegionWord, ReleasePhase, ReleaseView, RingPhase, RingRuns, RingView};

/// The version on its way.
pub(super) struct Target<'a> {
    /// Its name.
    pub(super) version: Version,
    /// A workload of the first ring that runs it.
    pub(super) workload: &'a Workload,
}

/// The newest version: what the first ring runs. Where its regions differ, what was given to
/// one of them last.
pub(super) fn target<'a>(scene: &Scene<'a>) -> Option<Target<'a>> {
    let ring = scene.service.rings.first()?;
    let workloads: Vec<(RegionIx, &'a Workload)> =
        ring.regions.iter().filter_map(|at| Some((*at, scene.workload(*at)?))).collect();
    let (_, first) = *workloads.first()?;
    let workload = if workloads.iter().all(|(_, w)| scene.service.same_release(w, first)) {
        first
    } else {
        let moved = |at: RegionIx, w: &Workload| {
            let (fact, m) = scene.state.record.region(at)?.newest_move()?;
            (m.to_version == w.version.0).then_some((fact.at, fact.id))
        };
        let last_given = workloads.iter().filter_map(|(at, w)| Some((moved(*at, w)?, *w))).max_by_key(|(k, _)| *k);
        let elsewhere = |w: &Workload| others(scene).filter(|o| scene.service.same_release(o, w)).count();
        match last_given {
            Some((_, workload)) => workload,
            // Nobody said: the one that the later rings run least.
            None => workloads.iter().map(|(_, w)| *w).min_by_key(|w| elsewhere(w))?,
        }
    };
    Some(Target { version: workload.version.clone(), workload })
}

/// Workloads of the rings after the first.
fn others<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Workload> {
    let regions = scene.service.rings.iter().skip(1).flat_map(|r| &r.regions);
    regions.filter_map(|at| scene.workload(*at)).collect::<Vec<_>>().into_iter()
}

/// The first ring that does not run the version yet: the board asks about it.
pub(super) fn next_ring(scene: &Scene<'_>, version: &Version) -> Option<RingIx> {
    let lacks = |runs: &RingRuns| !matches!(runs, RingRuns::One(v) if v == version);
    let lacking = scene.runs.iter().skip(1).position(lacks).map(|at| (at + 1).into());
    // Given is not rolled out: the last ring is asked about until it has settled.
    let moves = |ring: &Ring| ring.regions.iter().any(|at| is_moving(scene, *at));
    lacking.or_else(|| scene.service.rings.iter().skip(1).position(moves).map(|at| (at + 1).into()))
}

fn is_moving(scene: &Scene<'_>, at: RegionIx) -> bool {
    let word = scene.region(at).map(super::word);
    matches!(word, Some(RegionWord::RollingOut | RegionWord::Pausing | RegionWord::Paused | RegionWord::Failed))
}

/// What a region that is being changed to a version ran before, as its record tells.
fn left(scene: &Scene<'_>, version: &Version) -> Option<Version> {
    let moving = scene.service.region_indexes().filter(|at| is_moving(scene, *at));
    let given = |at: RegionIx| match scene.state.record.region(at)?.newest_move()? {
        (fact, moved) if matches!(fact.body, Body::Promoted(_)) && moved.to_version == version.0 => {
            Some(Version(moved.from_version.clone()))
        }
        _ => None,
    };
    moving.filter_map(given).last()
}

/// The release as it is shown.
pub(super) fn view(
    scene: &Scene<'_>,
    target: Option<&Target<'_>>,
    rings: &[RingView],
    regions: &[RegionView],
    question: Option<&Question>,
) -> ReleaseView {
    let Some(target) = target else { return ReleaseView::default() };
    // The last ring is changed last: what it still runs is the oldest.
    let mut seen = scene.state.regions.iter().rev().filter_map(|r| r.workload.as_ref());
    let from = seen.find(|w| !scene.service.same_release(w, target.workload)).map(|w| w.version.clone());
    let from = from.or_else(|| left(scene, &target.version));
    let (phase, ring) = phase(scene, rings, regions, question);
    ReleaseView {
        from: Some(from.unwrap_or_else(|| target.version.clone())),
        to: Some(target.version.clone()),
        phase,
        ring,
    }
}

fn phase(
    scene: &Scene<'_>,
    rings: &[RingView],
    regions: &[RegionView],
    question: Option<&Question>,
) -> (ReleasePhase, Option<RingIx>) {
    let ring = |phase: RingPhase| rings.iter().position(|r| r.phase == phase).map(RingIx::from);
    if let Some(at) = ring(RingPhase::Failed) {
        return (ReleasePhase::Failed, Some(at));
    }
    if !scene.holds.is_empty() {
        let held = regions.iter().position(|r| r.held).and_then(|r| scene.service.region(r.into())).map(|r| r.ring);
        return (ReleasePhase::Held, ring(RingPhase::Held).or(held));
    }
    let moving = |r: &RegionView| matches!(r.state, RegionWord::RollingOut | RegionWord::Pausing | RegionWord::Paused);
    if let Some(at) = regions.iter().position(moving) {
        return (ReleasePhase::RollingOut, scene.service.region(at.into()).map(|r| r.ring));
    }
    match question {
        Some(q) => {
            let baking = rings.iter().take(q.ring.at()).rposition(|r| r.phase == RingPhase::Baking);
            match q.verdict {
                Verdict::Go => (ReleasePhase::Ready, Some(q.ring)),
                Verdict::Findings => (ReleasePhase::ReadyWithFindings, Some(q.ring)),
                Verdict::Wait => (ReleasePhase::Baking, baking.map(RingIx::from).or(Some(q.ring))),
                Verdict::NoData => (ReleasePhase::NoData, Some(q.ring)),
                Verdict::NoGo => (ReleasePhase::Blocked, Some(q.ring)),
            }
        }
        None => match ring(RingPhase::Baking).or_else(|| ring(RingPhase::Blocked)).or_else(|| ring(RingPhase::Unknown))
        {
            Some(at) if rings.get(at.at()).is_some_and(|r| r.phase == RingPhase::Baking) => {
                (ReleasePhase::Baking, Some(at))
            }
            Some(at) if rings.get(at.at()).is_some_and(|r| r.phase == RingPhase::Blocked) => {
                (ReleasePhase::Blocked, Some(at))
            }
            Some(at) => (ReleasePhase::Unknown, Some(at)),
            None => (ReleasePhase::Steady, None),
        },
    }
}
