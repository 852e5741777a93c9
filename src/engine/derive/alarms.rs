//! Loud sentences: what a person must see whatever else is on the screen.

use crate::domain::challenge::BREAK_GLASS_LASTS;
use crate::domain::id::{RegionIx, Text};
use crate::domain::record::{Body, HoldInForce};
use crate::domain::stamp::{SignedDuration, Stamp, Timestamp};
use crate::domain::text::safe;
use crate::domain::workload::STUCK_AFTER;
use crate::engine::besides;
use crate::engine::scene::{CLOCK_LIMIT, Scene, odd_clock_sentence, odd_clocks, one_object, one_object_sentence};
use crate::engine::state::{Happened, RegionState};
use crate::engine::view::{RingRuns, UnderReview};
use crate::gates::{checklists, is_done};

/// Longest piece of outside text in an alarm, in bytes.
const LONGEST: usize = 80;

/// Every alarm of a service, by region, then of the service as a whole.
/// `qps` is what each region is measured to carry now.
pub(super) fn alarms(scene: &Scene<'_>, qps: &[Option<f64>]) -> Vec<Text> {
    let mut alarms: Vec<String> = Vec::new();
    if let Some(skew) = scene.skew().filter(|s| s.abs() > CLOCK_LIMIT) {
        alarms.push(besides::clock_sentence(skew));
    }
    let odd = odd_clocks(scene.world.clusters);
    for cluster in service_clusters(scene) {
        let Some(state) = scene.world.clusters.get(cluster) else { continue };
        if let Some((_, by)) = odd.iter().find(|(at, _)| *at == cluster) {
            let name = scene.world.fleet.cluster_name(cluster.into());
            alarms.push(odd_clock_sentence(name.as_str(), *by));
        }
        if state.facts.uid_changed {
            let name = scene.world.fleet.cluster_name(cluster.into());
            alarms.push(format!("{name}: the context points to another cluster than before: no writes until `gonogo check --connect --accept {name}`"));
        }
    }
    let one = one_object(scene.service, scene.world.clusters);
    alarms.extend(one.into_iter().map(|pair| one_object_sentence(scene.world.fleet, scene.service, pair)));
    alarms.extend(broken_glass(scene));
    alarms.extend(review_sentence(scene));
    alarms.extend(unmoved(scene));
    let forgotten = forgotten(scene);
    for at in scene.service.region_indexes() {
        if let Some(region) = scene.region(at) {
            alarms.extend(of_region(scene, at, region, &forgotten));
        }
    }
    alarms.extend(super::drained::overloaded(scene, qps));
    alarms.extend(super::drained::nobody_serves(scene));
    alarms.extend(still_open(scene));
    alarms.extend(besides::other_policy(scene));
    alarms.into_iter().map(Text::from).collect()
}

/// Broken glass, until it ends: one line per plan.
fn broken_glass(scene: &Scene<'_>) -> Vec<String> {
    let lasts = SignedDuration::try_from(BREAK_GLASS_LASTS).unwrap_or_default();
    let mut told: Vec<String> = Vec::new();
    for fact in scene.state.record.regions.iter().flatten().flat_map(|r| r.facts.values()) {
        let Body::BreakGlass { what, reason } = &fact.body else { continue };
        let Ok(until) = fact.at.checked_add(lasts) else { continue };
        if until > scene.world.now {
            let line = format!(
                "BREAK-GLASS until {} UTC by {}: {}: {}",
                until.strftime("%H:%M"),
                fact.by,
                safe(what, LONGEST),
                safe(reason, LONGEST)
            );
            if !told.contains(&line) {
                told.push(line);
            }
        }
    }
    told
}

/// A ring that failed on a version: earlier rings that still run it are under review.
pub(super) fn under_review(scene: &Scene<'_>) -> Option<UnderReview> {
    let moves = scene.service.region_indexes().filter_map(|at| {
        let (fact, moved) = scene.state.record.region(at)?.newest_move()?;
        let ring = scene.service.region(at)?.ring;
        matches!(fact.body, Body::RolledBack(_)).then_some((fact.id, ring, at, &moved.from_version))
    });
    let (_, ring, failed, version) = moves.max_by_key(|(id, ..)| *id)?;
    let runs = |at: &RegionIx| scene.workload(*at).is_some_and(|w| w.version.0 == *version);
    let upstream = |at: &RegionIx| scene.service.region(*at).is_some_and(|r| r.ring < ring);
    let regions: Vec<RegionIx> = scene.service.region_indexes().filter(upstream).filter(runs).collect();
    (!regions.is_empty()).then(|| UnderReview { ring, failed, version: version.clone(), regions })
}

fn review_sentence(scene: &Scene<'_>) -> Option<String> {
    let review = under_review(scene)?;
    let regions: Vec<Text> = review.regions.iter().map(|at| scene.region_name(*at)).collect();
    Some(format!(
        "{} failed on {} in {}: later rings are locked; {} still run it and are under review (`:rollback-upstream`)",
        scene.ring_name(review.ring),
        review.version,
        scene.region_name(review.failed),
        regions.join(", "),
    ))
}

/// Regions that are paused for longer than their policy expects, and since when.
pub(super) fn forgotten(scene: &Scene<'_>) -> Vec<(RegionIx, Timestamp)> {
    let limit = SignedDuration::try_from(scene.service.policy.forgotten_pause).unwrap_or(SignedDuration::MAX);
    let since = |at: RegionIx| {
        let region = scene.region(at)?;
        region.workload.as_ref().filter(|w| w.paused)?;
        let since = paused_since(scene, at, region)?;
        (scene.world.now.duration_since(since) > limit).then_some((at, since))
    };
    scene.service.region_indexes().filter_map(since).collect()
}

/// Positions of the clusters that a service's regions and routes are in.
fn service_clusters(scene: &Scene<'_>) -> Vec<usize> {
    let regions = scene.service.regions.iter();
    let mut clusters: Vec<usize> = regions
        .flat_map(|r| {
            let delivery = r.delivery.as_ref().map(|d| d.cluster);
            [Some(r.cluster), r.route.as_ref().map(|r| r.cluster), delivery]
        })
        .flatten()
        .map(|c| c.at())
        .collect();
    clusters.sort_unstable();
    clusters.dedup();
    clusters
}

fn of_region(
    scene: &Scene<'_>,
    at: RegionIx,
    region: &RegionState,
    forgotten: &[(RegionIx, Timestamp)],
) -> Vec<String> {
    let name = scene.region_name(at);
    let mut alarms = Vec::new();
    if region.record_lost {
        alarms.push(format!("{name}: the shared record has disappeared; a hold may have gone with it"));
    }
    if region.absent {
        alarms.push(format!("{name}: the workload does not exist"));
    }
    let stuck = region.workload.as_ref().and_then(|w| w.stuck(scene.world.now));
    alarms.extend(stuck.map(|stuck| format!("{name}: rolling out, {}", stuck.text(scene.world.now))));
    let snag = region.workload.as_ref().and_then(|w| w.progress.snag.as_ref());
    let long = |since: &Stamp| SignedDuration::try_from(scene.world.stamp.since(*since)).is_ok_and(|l| l > STUCK_AFTER);
    let snag = snag.filter(|_| region.still.as_ref().is_some_and(long));
    alarms.extend(snag.map(|why| format!("{name}: nothing moves: {why}")));
    alarms.extend(guard_is_silent(scene, at, region));
    alarms.extend(forgotten.iter().filter(|(f, _)| *f == at).map(|(_, since)| {
        format!("{name}: paused for {}: forgotten?", coarse(scene.world.now.duration_since(*since)))
    }));
    alarms.extend(paused_without_hold(scene, at, region));
    alarms.extend(super::delivered::alarms(scene, at, region));
    alarms.extend(changed_under_hold(scene, at, region).or_else(|| written_elsewhere(scene, at, region)));
    alarms.extend(drained_but_weighted(scene, at, region));
    alarms
}

/// A guard held the lease, and has not renewed it: nobody watches that region any more.
fn guard_is_silent(scene: &Scene<'_>, at: RegionIx, region: &RegionState) -> Option<String> {
    let guard = region.guard.as_ref().filter(|g| !g.holder.is_empty() && !g.alive(scene.world.stamp))?;
    let spec = scene.service.region(at)?;
    if !scene.freshness(spec).is_live() {
        // The cluster is not heard: that is said elsewhere, and says nothing of its guard.
        return None;
    }
    let silent = SignedDuration::try_from(scene.world.stamp.since(guard.changed)).unwrap_or_default();
    let name = scene.region_name(at);
    Some(format!("{name}: the guard ({}, {}) has not been heard for {}", guard.holder, guard.mode, coarse(silent)))
}

/// Since when a region is paused, as far as the record or this console can tell.
pub(super) fn paused_since(scene: &Scene<'_>, at: RegionIx, region: &RegionState) -> Option<Timestamp> {
    let fact = scene.state.record.region(at).into_iter().flat_map(|r| r.pauses()).map(|(f, ..)| f.at).max();
    let seen = region.happenings.iter().rev().find(|h| h.what == Happened::Paused).map(|h| h.at);
    fact.or(seen)
}

/// In whole minutes: an alarm that changes every second is read by nobody.
fn coarse(length: SignedDuration) -> String {
    match length.as_mins() {
        0 => "less than a minute".to_owned(),
        1 => "a minute".to_owned(),
        m if m < 120 => format!("{m} minutes"),
        m if m < 48 * 60 => format!("{} hours", m / 60),
        m => format!("{} days", m / 1_440),
    }
}

/// A release that has not moved for longer than its tier allows.
fn unmoved(scene: &Scene<'_>) -> Option<String> {
    let limit = SignedDuration::try_from(scene.service.policy.unmoved?).ok()?;
    let mut versions = scene.state.regions.iter().filter_map(|r| r.workload.as_ref()).map(|w| &w.version);
    let first = versions.next()?;
    if versions.all(|v| v == first) {
        return None;
    }
    let facts = scene.state.record.regions.iter().flatten().filter_map(|r| r.newest_move()).map(|(f, _)| f.at);
    let settled = scene.state.regions.iter().filter_map(|r| r.settled).map(|s| s.at);
    let last = facts.chain(settled).max()?;
    let still = scene.world.now.duration_since(last);
    (still > limit)
        .then(|| format!("the release has not moved for {}; its policy allows {}", coarse(still), coarse(limit)))
}

/// A pause that no hold explains any more: an open item, never resumed by itself.
fn paused_without_hold(scene: &Scene<'_>, at: RegionIx, region: &RegionState) -> Option<String> {
    let workload = region.workload.as_ref().filter(|w| w.paused)?;
    if scene.holds.iter().any(|h| scene.covers(h, at)) {
        return None;
    }
    let name = scene.region_name(at);
    let ours = scene.state.record.region(at).is_some_and(|r| r.pauses().next().is_some());
    Some(if ours {
        format!("{name}: paused, hold released: U un-pauses it ({})", workload.version)
    } else {
        format!("{name}: paused, and not by a hold of ours")
    })
}

/// Regions whose pod template somebody else changed under a hold.
pub(super) fn changed_under_holds(scene: &Scene<'_>) -> Vec<RegionIx> {
    let changed = |at: &RegionIx| scene.region(*at).and_then(|r| change_under_hold(scene, *at, r)).is_some();
    if scene.holds.is_empty() { Vec::new() } else { scene.service.region_indexes().filter(changed).collect() }
}

/// A hold, and what the template was under it, if somebody else changed it since.
fn change_under_hold<'a>(
    scene: &'a Scene<'_>,
    at: RegionIx,
    region: &RegionState,
) -> Option<(&'a HoldInForce, String)> {
    let workload = region.workload.as_ref()?;
    let hold = scene.holds.iter().find(|h| scene.covers(h, at))?;
    let record = scene.state.record.region(at);
    let paused = record.and_then(|r| r.pauses().last()).filter(|(_, _, then)| *then != workload.template);
    let was = match paused {
        Some((_, _, then)) => {
            format!("template {}, was {} when it was paused", workload.template.short(), then.short())
        }
        None => {
            let made = newest_made(region).filter(|made| hold.at.is_some_and(|held| *made > held))?;
            format!("template {}, rolled out from {}", workload.template.short(), made.strftime("%d %b %H:%M:%S UTC"))
        }
    };
    let held = hold.at;
    // Rolling back under a hold is ours and right.
    let ours = record
        .and_then(|r| r.newest_move())
        .is_some_and(|(fact, moved)| held.is_none_or(|held| fact.at >= held) && moved.to_version == workload.version.0);
    (!ours).then_some((hold, was))
}

/// Somebody changed the pod template of a region that was held: what, and as far as it is known, who.
fn changed_under_hold(scene: &Scene<'_>, at: RegionIx, region: &RegionState) -> Option<String> {
    let workload = region.workload.as_ref()?;
    let (hold, was) = change_under_hold(scene, at, region)?;
    let writer = region.changed_by.as_ref().filter(|(of, _)| *of == workload.template);
    let writer = writer.map(|(_, writer)| format!("; written by {writer}")).unwrap_or_default();
    let cause = workload.change_cause.as_deref().map(|c| format!("; {}", safe(c, LONGEST))).unwrap_or_default();
    Some(format!(
        "{}: changed under the hold by {}: {} runs, {was}{writer}{cause}",
        scene.region_name(at),
        hold.by,
        workload.version
    ))
}

/// When the rollout of what runs began, if its ReplicaSet is new.
fn newest_made(region: &RegionState) -> Option<Timestamp> {
    let template = region.workload.as_ref()?.template;
    let newest = region.revisions.iter().max_by_key(|r| r.number).filter(|_| region.revisions_for == Some(template))?;
    newest.created.filter(|_| !newest.reused)
}

/// What runs is not what was written here last: another tool, or another person, is at work.
fn written_elsewhere(scene: &Scene<'_>, at: RegionIx, region: &RegionState) -> Option<String> {
    let workload = region.workload.as_ref()?;
    let (fact, moved) = scene.state.record.region(at)?.newest_move()?;
    // A fact goes out with its write; the watch may show the write a moment later.
    let young = scene.world.now.duration_since(fact.at).as_secs() < 120;
    // Its change-cause says so when the last write was one of ours, whatever the order of the facts.
    let cause = workload.change_cause.as_deref().unwrap_or_default();
    let ours = cause.starts_with("gonogo: ") && cause.ends_with(&format!(" to {}", workload.version));
    if moved.to_version == workload.version.0 || young || ours {
        return None;
    }
    let what = if matches!(fact.body, Body::Promoted(_)) { "promoted" } else { "rolled back" };
    let owner = super::delivered::owner(scene, at)
        .or_else(|| workload.owner.as_ref().map(|o| format!(", managed by {} ({})", o.tool.name(), o.name)))
        .unwrap_or_default();
    Some(format!(
        "{}: runs {}, but {} {what} it to {}: another tool writes here{owner}",
        scene.region_name(at),
        workload.version,
        fact.by,
        moved.to_version
    ))
}

/// The record says drained, the route gives it traffic.
fn drained_but_weighted(scene: &Scene<'_>, at: RegionIx, region: &RegionState) -> Option<String> {
    let drained = scene.state.record.region(at)?.drained()?;
    let (weight, _) = super::weight(scene, scene.service.region(at)?, region)?;
    let route = scene.service.region(at)?.route.as_ref()?;
    let name = scene.region_name(at);
    let age = scene.world.now.duration_since(drained.at);
    let before = drained.body.weight_before().filter(|before| weight < *before);
    // On its way down step by step, each with a minute to be seen.
    let steps = u32::try_from(route.steps.len()).unwrap_or(u32::MAX);
    let way = route.dwell.saturating_add(std::time::Duration::from_secs(60)).saturating_mul(steps);
    let way = SignedDuration::try_from(way).unwrap_or(SignedDuration::MAX);
    let young = age.as_secs() < 120 || before.is_some() && age < way;
    if weight == 0 || young {
        return None;
    }
    Some(match before {
        Some(before) => {
            format!(
                "{name}: drained by {} as far as weight {weight} of {before}: D takes the rest, U restores it",
                drained.by
            )
        }
        None => format!("{name}: drained by {}, but its weight is {weight} again", drained.by),
    })
}

/// What must be closed before the release is done, once every ring has it.
fn still_open(scene: &Scene<'_>) -> Vec<String> {
    let Some(RingRuns::One(version)) = scene.runs.first() else { return Vec::new() };
    if scene.runs.iter().any(|r| !matches!(r, RingRuns::One(v) if v == version)) {
        return Vec::new();
    }
    let mut alarms = Vec::new();
    for ring in &scene.service.rings {
        for list in checklists(ring) {
            for at in &ring.regions {
                let record = scene.state.record.region(*at);
                let open = list.must_close.iter().filter(|n| !is_done(record, &list.name, n, version));
                let open: Vec<&str> = open.map(|n| &**n).collect();
                if !open.is_empty() {
                    let (name, open) = (scene.region_name(*at), open.join(", "));
                    alarms.push(format!("{name}: {open} is still open: the release of {version} is not done"));
                }
            }
        }
    }
    alarms
}
