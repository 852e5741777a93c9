//! The rollback clock: how long users have been on a version that was found bad, against what policy allows.
//!
//! Per region it starts with the first NO-GO against what a release brought there, or with the first
//! lowering plan that goes back from it, whichever came first. It ends when the way back has settled, or when the
//! verdict is known again and is no longer NO-GO: evidence that went missing does not end it.

use super::word;
use crate::domain::id::{RegionIx, RingIx};
use crate::domain::record::Body;
use crate::domain::stamp::Timestamp;
use crate::domain::verdict::Verdict;
use crate::domain::version::TemplateDigest;
use crate::engine::automation::decide;
use crate::engine::judge;
use crate::engine::scene::Scene;
use crate::engine::view::{Incident, RegionWord, ServiceView};

/// The regions that are to go back, in order of their position. `before` is the view that was made last: what it
/// saw begin is not begun anew.
pub(super) fn incidents(scene: &Scene<'_>, view: &ServiceView, before: &ServiceView) -> Vec<Incident> {
    let breaches = decide::breaches(scene, view);
    let of = |at: RegionIx| {
        let ring = scene.service.region(at)?.ring;
        let known = before.incidents.iter().find(|i| i.region == at).map(|i| i.since);
        let returning = returning(scene, at);
        let breached = breaches.iter().any(|b| b.region == at);
        let since = match (known, returning) {
            (Some(known), Some(back)) => known.min(back),
            (Some(known), None) if breached || (decide::armed(scene, view, at) && unknown(scene, at)) => known,
            (Some(_), None) => return None,
            // What a hold or a window tells of the time before it was looked at is not lost.
            (None, back) if breached => [Some(begun(scene, before, at, ring)), back].into_iter().flatten().min()?,
            (None, back) => back?,
        };
        let limit = scene.service.policy.ring(ring).rollback_limit;
        Some(Incident { region: at, since: since.min(scene.world.now), limit })
    };
    scene.service.region_indexes().filter_map(of).collect()
}

/// A region on its way back, and since when: a plan for it was approved here, or the record has it and what it
/// brought back has not settled.
fn returning(scene: &Scene<'_>, at: RegionIx) -> Option<Timestamp> {
    let approved = scene.state.lowering.get(&at).copied();
    let written = || {
        let region = scene.region(at)?;
        let workload = region.workload.as_ref()?;
        let record = scene.state.record.region(at)?;
        let (fact, moved) = record.newest_move().filter(|(f, _)| matches!(f.body, Body::RolledBack(_)))?;
        let runs = |template: TemplateDigest| workload.template == template;
        let back = runs(moved.to_template) || moved.to_version == workload.version.0;
        let left = runs(moved.from_template) || moved.from_version == workload.version.0;
        let settled = back && matches!(word(region), RegionWord::Settled);
        // What runs is neither: somebody went on from there, and this way back is over.
        if settled || !(back || left) {
            return None;
        }
        // Tried again, it is the same way back.
        let promoted = record.newest_promotion().map(|(f, _)| f.id);
        let tries = record.facts.values().filter(|f| matches!(f.body, Body::RolledBack(_)));
        tries.filter(|f| promoted.is_none_or(|p| f.id > p)).map(|f| f.at).min().or(Some(fact.at))
    };
    [approved, written()].into_iter().flatten().min()
}

/// No gate says NO-GO, and not every gate knows.
fn unknown(scene: &Scene<'_>, at: RegionIx) -> bool {
    judge::armed(scene, at).iter().map(|(_, j)| j.verdict).max().is_none_or(|worst| worst == Verdict::NoData)
}

/// When a NO-GO began that was not there in the view before. A console that saw the ring well says: now. One that was
/// just opened asks what is on record: a hold since the region was given what it runs, or the first bad window.
fn begun(scene: &Scene<'_>, before: &ServiceView, at: RegionIx, ring: RingIx) -> Timestamp {
    let now = scene.world.now;
    let shown = before.rings.get(ring.at()).filter(|r| r.bake_start.is_some()).map(|r| r.verdict);
    if shown.is_some_and(|v| v <= Verdict::Wait) {
        return now;
    }
    let given = scene.state.record.region(at).and_then(|r| r.newest_promotion()).map(|(f, _)| f.at);
    let holds = scene.holds.iter().filter(|h| scene.covers(h, at)).filter_map(|h| h.at);
    let windows = judge::armed(scene, at).into_iter().map(|(_, j)| j).filter(|j| j.verdict == Verdict::NoGo);
    let windows = windows.filter_map(|j| j.acceptable).map(|s| s.from);
    let after = |t: &Timestamp| given.is_none_or(|given| *t >= given);
    holds.filter(|t| given.is_some() && after(t)).chain(windows.filter(after)).min().unwrap_or(now)
}
