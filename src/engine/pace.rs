//! How fast a release may go, whatever its gates say: least distances between rings and between
//! regions, and the soak of a staggered ring.

use super::Engine;
use super::judge;
use super::operation::StepState;
use super::scene::Scene;
use crate::domain::challenge::BREAK_GLASS_LASTS;
use crate::domain::finding::Severity;
use crate::domain::id::{RegionIx, RingIx};
use crate::domain::intent::Direction;
use crate::domain::plan::Plan;
use crate::domain::record::Body;
use crate::domain::stamp::{SignedDuration, Stamp, Timestamp, short};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::Version;

/// Why a ring may not be changed yet; none where it may, or nobody asked for a distance.
pub fn pace(scene: &Scene<'_>, ring: RingIx, version: &Version) -> Option<Judgement> {
    let between_rings = ring_distance(scene, ring);
    let between_regions = next_region(scene, ring, version);
    [between_rings, between_regions]
        .into_iter()
        .flatten()
        .max_by(|a, b| a.verdict.cmp(&b.verdict).then(a.until.cmp(&b.until)))
}

/// Since the last change of an earlier ring.
fn ring_distance(scene: &Scene<'_>, ring: RingIx) -> Option<Judgement> {
    let distance = length(scene.service.policy.ring(ring).ring_distance)?;
    let earlier = scene.service.rings.iter().take(ring.at()).flat_map(|r| &r.regions);
    let promoted = |at: &RegionIx| match scene.state.record.region(*at)?.newest_move()? {
        (fact, _) if matches!(fact.body, Body::Promoted(_)) => Some((fact.at, *at)),
        _ => None,
    };
    let (at, last) = earlier.filter_map(promoted).max()?;
    let until = at.checked_add(distance).ok()?;
    waits(scene, until, || {
        format!(
            "{} waits {} after the change of {}: rings are {} apart",
            scene.ring_name(ring),
            short(until.duration_since(scene.world.now)),
            scene.region_name(last),
            short(distance)
        )
    })
}

/// Between the regions of one ring: the ones before have soaked, and their gates do not say no.
fn next_region(scene: &Scene<'_>, ring: RingIx, version: &Version) -> Option<Judgement> {
    let spec = scene.service.ring(ring)?;
    let soak = scene.service.soak(ring).and_then(length)?;
    let has = |at: &RegionIx| scene.workload(*at).is_some_and(|w| w.version == *version);
    let (given, waiting): (Vec<RegionIx>, Vec<RegionIx>) = spec.regions.iter().copied().partition(has);
    if given.is_empty() || waiting.is_empty() {
        return None;
    }
    let mut worst: Option<Judgement> = None;
    let mut take = |judgement: Option<Judgement>| {
        let Some(new) = judgement else { return };
        if worst.as_ref().is_none_or(|old| (new.verdict, new.until) > (old.verdict, old.until)) {
            worst = Some(new);
        }
    };
    for at in given {
        let name = scene.region_name(at);
        let Some(settled) = scene.region(at).and_then(|r| r.settled) else {
            let sentence = format!("{name} is still rolling out: the next region of {} waits", scene.ring_name(ring));
            take(Some(Judgement::new(Verdict::Wait, "rolling", sentence)));
            continue;
        };
        let until = settled.at.checked_add(soak).unwrap_or(Timestamp::MAX);
        take(waits(scene, until, || {
            format!(
                "{name} soaks for another {} before the next region of {}",
                short(until.duration_since(scene.world.now)),
                scene.ring_name(ring)
            )
        }));
        // A bake that is not over is no reason; a gate that says no, or cannot say, is.
        let gates = judge::armed(scene, at).into_iter().map(|(_, j)| j).filter(|j| j.verdict >= Verdict::NoData);
        take(gates.max_by_key(|j| j.verdict));
    }
    worst
}

fn waits(scene: &Scene<'_>, until: Timestamp, sentence: impl FnOnce() -> String) -> Option<Judgement> {
    let left = until.duration_since(scene.world.now);
    left.is_positive().then(|| Judgement::new(Verdict::Wait, short(left), sentence()).until(until))
}

fn length(of: std::time::Duration) -> Option<SignedDuration> {
    SignedDuration::try_from(of).ok().filter(|d| d.is_positive())
}

impl Engine {
    /// Why the steps of a plan that have not started do not start any more; none where they may.
    pub(super) fn why_to_stop(&self, plan: &Plan, started: Stamp, failed: bool) -> Option<String> {
        if plan.direction() != Direction::Raising {
            return None;
        }
        if failed {
            return Some("stopped: an earlier region did not settle".to_owned());
        }
        if let Some(why) = self.held_meanwhile(plan) {
            return Some(why);
        }
        if plan.worst() != Some(Severity::BreakGlass) {
            return self.locked(plan).or_else(|| self.lease_lost(plan));
        }
        let over = self.now.since(started) >= BREAK_GLASS_LASTS;
        over.then(|| "stopped: broken glass lasts 15 minutes; look again, and decide again".to_owned())
    }

    /// A hold that came after the approval: where it covers what has not started, nothing more is raised. What
    /// only writes facts moves nothing, and what a plan releases itself does not stand in its way.
    fn held_meanwhile(&self, plan: &Plan) -> Option<String> {
        let service = self.fleet.service(plan.service)?;
        let holds = self.services.get(plan.service.at())?.holds();
        let released = |id| {
            let facts = plan.steps.iter().flat_map(|s| &s.facts).flat_map(|(_, facts)| facts);
            facts.into_iter().any(|f| matches!(f.body, Body::Release { hold, .. } if Some(hold) == id))
        };
        let states = &self.operations.iter().find(|o| o.plan.id == plan.id)?.steps;
        let pending = plan.steps.iter().zip(states).filter(|(_, state)| **state == StepState::Pending);
        let raising = pending.filter(|(step, _)| step.moves());
        let (region, hold) = raising.into_iter().find_map(|(step, _)| {
            let hold = holds.iter().find(|h| !released(h.id) && h.scope.covers(service, step.region))?;
            Some((service.region(step.region)?, hold))
        })?;
        Some(format!("stopped: {} is held by {} ({}): {}", region.name, hold.by, hold.scope, hold.why()))
    }

    /// A promotion does not go on once an earlier ring has failed on its version.
    fn locked(&self, plan: &Plan) -> Option<String> {
        let ring = plan.ring?;
        let service = self.fleet.service(plan.service)?;
        let state = self.services.get(plan.service.at())?;
        let failed = service.rings.iter().zip(&state.view.rings).take(ring.at());
        let (failed, _) = failed.into_iter().find(|(_, view)| view.verdict == Verdict::NoGo)?;
        Some(format!("stopped: {} says NO-GO, which locks every later ring", failed.name))
    }
}
