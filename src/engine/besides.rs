//! What the board's question rests on beside gates: what earlier rings run, holds, how much of the record is
//! known, clocks, identities, policy, a ring that failed, what was rolled back before.

use super::deciders::{may_decide, whom_to_call};
use super::judge::{CAUSES, entering};
use super::scene::{CLOCK_LIMIT, Scene, one_object, one_object_sentence};
use super::view::RingRuns;
use crate::domain::fleet::Region;
use crate::domain::id::{RegionIx, RingIx, Text};
use crate::domain::record::{Body, Fact};
use crate::domain::stamp::{SignedDuration, short};
use crate::domain::verdict::{Judgement, RingVerdict, Verdict};
use crate::domain::version::Version;
use crate::gates::quarantined;

/// Heading of what earlier rings run.
pub const RUNS: &str = "runs";
/// Heading of holds.
pub const HOLD: &str = "hold";
/// Heading of how much of the shared record is fresh.
pub const RECORD: &str = "record";
/// Heading of this host's clock.
pub const CLOCK: &str = "clock";
/// Heading of which cluster is which.
pub const IDENTITY: &str = "identity";
/// Heading of the policy that others promoted by.
pub const POLICY: &str = "policy";
/// Heading of an earlier ring's failure.
pub const LOCK: &str = "lock";
/// Heading of the least time between regions and rings.
pub const PACE: &str = "pace";
/// Heading of who may decide.
pub const DECIDE: &str = "decide";
/// Heading of what was rolled back or quarantined before.
pub const PAST: &str = "past";

/// Whether a draft judges this on what it has just read, and need not take it from the board.
pub fn drafts_see_to(heading: &str) -> bool {
    matches!(heading, HOLD | RECORD | CLOCK | POLICY | DECIDE | IDENTITY)
}

/// Why an earlier ring cannot vouch for the version.
pub(super) fn runs_another(
    scene: &Scene<'_>,
    ring: RingIx,
    verdict: &RingVerdict,
    version: &Version,
) -> Option<Judgement> {
    let name = scene.ring_name(ring);
    match scene.runs(ring) {
        RingRuns::Unknown => Some(Judgement::new(Verdict::NoData, "unknown", format!("what {name} runs is not known"))),
        RingRuns::Mixed(versions) => {
            let list = versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            Some(Judgement::new(Verdict::NoGo, "mixed", format!("{name} is mixed: {list}")))
        }
        RingRuns::One(runs) if runs != version => {
            let sentence = format!("{name} runs {runs}, not {version}");
            Some(Judgement::new(Verdict::NoGo, runs.0.clone(), sentence))
        }
        RingRuns::One(_) if verdict.gates.is_empty() => {
            let sentence = format!("{name} has no exit gate: nothing can be promoted from it");
            Some(Judgement::new(Verdict::NoData, "no gate", sentence))
        }
        RingRuns::One(_) => None,
    }
}

/// Two rings may call different images by one tag: then one does not vouch for the other.
pub(super) fn different_images(scene: &Scene<'_>, ring: RingIx) -> Option<Judgement> {
    let first = |j: usize| {
        let ring = scene.service.rings.get(j)?;
        Some((ring.name.as_str(), scene.workload(*ring.regions.first()?)?))
    };
    let (source, promoted) = first(ring.at().checked_sub(1)?)?;
    let other = (0..ring.at())
        .filter_map(first)
        .find(|(_, w)| w.version == promoted.version && !scene.service.same_release(w, promoted));
    let (other, _) = other?;
    let sentence = format!("{other} and {source} run different images of {}", promoted.version);
    Some(Judgement::new(Verdict::NoGo, "images", sentence))
}

pub(super) fn held(scene: &Scene<'_>, ring: RingIx) -> Judgement {
    let Some(hold) = scene.hold_on(ring) else {
        // A hold may have been put where nobody hears: only a majority of regions rules that out.
        let (regions, live) = (&scene.service.regions, |r: &&Region| scene.freshness(r).is_live());
        let heard = regions.iter().filter(live).count();
        if heard * 2 <= regions.len() {
            let name = scene.ring_name(ring);
            let text =
                format!("whether a hold covers {name} is not known: {heard} of {} regions are heard", regions.len());
            return Judgement::new(Verdict::NoData, "unknown", text);
        }
        return Judgement::new(Verdict::Go, "none", format!("no hold covers {}", scene.ring_name(ring)));
    };
    let reason = if hold.reason.is_empty() { String::new() } else { format!(": {}", hold.reason) };
    let spread = match hold.seen_in {
        _ if hold.complete() => String::new(),
        0 => format!(", wanted, seen in 0 of {} yet", hold.of),
        seen => format!(", seen in {seen} of {}", hold.of),
    };
    let known = if hold.scope.is_known(scene.service) { "" } else { ", not in this configuration, so it covers all" };
    let sentence = format!("{} is held by {} ({}{known}{spread}){reason}", scene.ring_name(ring), hold.by, hold.scope);
    Judgement::new(Verdict::NoGo, "held", sentence)
}

/// Raising needs fresh records of a majority of the regions, and of every region up to the target ring.
pub(super) fn record(scene: &Scene<'_>, ring: RingIx) -> Judgement {
    let regions = &scene.service.regions;
    let fresh = |at: usize| {
        let known = scene.state.regions.get(at).is_some_and(|r| r.record_is_known(scene.world.stamp));
        known && regions.get(at).is_some_and(|r| scene.freshness(r).is_live())
    };
    if let Some(at) = scene.state.regions.iter().position(|r| r.record_lost) {
        let name = scene.region_name(at.into());
        let sentence = format!("{name}: the shared record has disappeared; a hold may have gone with it");
        return Judgement::new(Verdict::NoGo, "lost", sentence);
    }
    let missing: Vec<usize> = (0..regions.len()).filter(|at| !fresh(*at)).collect();
    let needed = missing.iter().filter(|at| regions.get(**at).is_some_and(|r| r.ring <= ring)).count();
    let (have, of) = (regions.len() - missing.len(), regions.len());
    let cell = format!("{have} of {of}");
    if have * 2 > of && needed == 0 {
        return Judgement::new(Verdict::Go, cell, format!("the shared record is fresh in {have} of {of} regions"));
    }
    let mut names: Vec<Text> = missing.iter().take(CAUSES).map(|at| scene.region_name((*at).into())).collect();
    if missing.len() > CAUSES {
        names.push(format!("{} more", missing.len() - CAUSES).into());
    }
    let names = names.join(", ");
    Judgement::new(
        Verdict::NoData,
        cell,
        format!("the shared record is not fresh in {names}: a hold there would not be seen"),
    )
}

/// What is said of one region says nothing of another where both are one object.
pub(super) fn identity(scene: &Scene<'_>) -> Option<Judgement> {
    let pair = one_object(scene.service, scene.world.clusters).into_iter().next()?;
    let sentence = one_object_sentence(scene.world.fleet, scene.service, pair);
    Some(Judgement::new(Verdict::NoData, "one object", sentence))
}

pub(super) fn clock(scene: &Scene<'_>) -> Option<Judgement> {
    let skew = scene.skew().filter(|s| s.abs() > CLOCK_LIMIT)?;
    Some(Judgement::new(Verdict::NoData, short(skew.abs()), clock_sentence(skew)))
}

/// What to say of a clock that is off.
pub(super) fn clock_sentence(skew: SignedDuration) -> String {
    let word = if skew.is_negative() { "ahead of" } else { "behind" };
    format!("this host's clock is {} {word} the clusters: it may lower risk only", short(skew.abs()))
}

pub(super) fn policy(scene: &Scene<'_>) -> Option<Judgement> {
    other_policy(scene).map(|sentence| Judgement::new(Verdict::NoGo, "differs", sentence))
}

/// The newest promotion was judged by another policy than this console's.
pub(super) fn other_policy(scene: &Scene<'_>) -> Option<String> {
    let promotions = scene.state.record.regions.iter().flatten().filter_map(|r| r.newest_promotion());
    let (fact, moved) = promotions.max_by_key(|(f, _)| f.id)?;
    let ours = &scene.service.policy_hash;
    (!moved.policy.is_empty() && moved.policy != *ours)
        .then(|| format!("this console's policy {ours} is not the one {} promoted by ({})", fact.by, moved.policy))
}

/// We are known there, and not one of those who decide: the board says whom to call.
pub(super) fn decide(scene: &Scene<'_>, ring: RingIx) -> Option<Judgement> {
    let regions = scene.service.ring(ring)?.regions.iter().filter_map(|at| scene.service.region(*at));
    let cluster = |r: &Region| scene.world.clusters.get(r.cluster.at());
    let not_ours = regions.filter(|r| may_decide(scene.service, r, cluster(r)) == Some(false));
    let calls: Vec<String> = not_ours.map(|r| whom_to_call(scene.service, r)).collect();
    (!calls.is_empty()).then(|| Judgement::new(Verdict::Findings, "not you", calls.join("; ")))
}

/// A ring that failed on a version locks every later ring for it.
pub(super) fn lock(scene: &Scene<'_>, ring: RingIx, version: &Version) -> Option<Judgement> {
    let earlier = scene.service.rings.iter().take(ring.at()).flat_map(|r| &r.regions);
    let (at, fact) = earlier.filter_map(|at| Some((*at, rolled_back(scene, *at, version)?))).find(|(_, fact)| {
        // A clearance with a reason unlocks, too.
        !scene.state.record.cleared(fact.id)
    })?;
    let failed = scene.service.region(at).map(|r| scene.ring_name(r.ring)).unwrap_or_default();
    let sentence = format!(
        "{} is locked: {failed} failed on {version} ({} was rolled back by {})",
        scene.ring_name(ring),
        scene.region_name(at),
        fact.by
    );
    Some(Judgement::new(Verdict::NoGo, "locked", sentence))
}

/// The rollback from a version that a region's newest move is, if it is one.
pub(super) fn rolled_back<'a>(scene: &Scene<'a>, at: RegionIx, version: &Version) -> Option<&'a Fact> {
    match scene.state.record.region(at)?.newest_move()? {
        (fact, moved) if matches!(fact.body, Body::RolledBack(_)) && moved.from_version == version.0 => Some(fact),
        _ => None,
    }
}

/// What speaks against the version from before: a quarantine, or a rollback anywhere. A ring that
/// lists the gate shows it region by region instead.
pub(super) fn past(scene: &Scene<'_>, ring: RingIx, version: &Version) -> Option<Judgement> {
    let listed = scene.service.ring(ring)?.entry_gates.iter().any(|g| &*g.gate == "quarantine");
    let entering = entering(scene, ring, version);
    let judged = quarantined(scene.service, &scene.state.record, &entering, scene.world.now);
    judged.filter(|_| !listed)
}
