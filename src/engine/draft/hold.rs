//! Hold: a fact in every region of the service, and a pause where a rollout is in flight.
//!
//! Nothing is read before: a hold goes out from what is known, at once.

use super::{Desk, SOON, StepParts, halt, patch, reported, targets};
use crate::domain::change::test;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::Region;
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::{Intent, Target};
use crate::domain::plan::{Expectation, Plan, PlanId, Refusal, Step};
use crate::domain::record::{Body, Fact, FactId, Scope};
use crate::domain::workload::{Phase, Workload};
use crate::kinds;

pub(super) fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent) -> Result<Plan, Refusal> {
    let covered = targets(desk.service, &intent.target);
    let scopes = scopes(desk, &intent.target);
    let reason = intent.reason.clone().unwrap_or_else(|| "".into());
    // One fact per scope, the same identity in every region.
    let holds: Vec<(FactId, Scope)> = scopes.iter().map(|s| (FactId(desk.ids.next(desk.now)), s.clone())).collect();
    let (mut steps, mut findings) = (Vec::new(), Vec::new());
    // What would bring more comes before all else.
    for at in &covered {
        if let Some((hold, _)) = holds.iter().find(|(_, s)| s.covers(desk.service, *at)) {
            steps.extend(halt::halt(desk, *at, *hold, &mut findings)?);
        }
    }
    // What is in flight is paused first. The hold is a step of its own: it is there also where
    // the pause is refused.
    for at in desk.service.region_indexes() {
        if must_pause(desk, at, &covered)
            && let Some(step) = pause_step(desk, at, &holds, &reason)?
        {
            steps.push(step);
        }
    }
    for at in desk.service.region_indexes() {
        let mut step = fact_step(desk, at, &holds, &reason)?;
        if is_unread(desk, at, &covered) {
            // No pause can be planned from nothing: at least a rollout there is not passed over in silence.
            step.expect.push(Expectation::Stopped);
        }
        steps.push(step);
    }
    let name = match (&intent.target, scopes.as_slice()) {
        (Target::Service, _) => desk.service.name.as_str().into(),
        (Target::Ring(ring), _) => desk.service.ring(*ring).map_or_else(|| "?".into(), |r| r.name.as_str().into()),
        (Target::Regions(_), _) => Text::from(desk.names(&covered)),
    };
    let pausing = covered.iter().filter(|r| must_pause(desk, **r, &covered) && can_pause(desk, **r)).count();
    let back: Vec<RegionIx> = covered.iter().copied().filter(|r| is_going_back(desk, *r)).collect();
    let back = match back.as_slice() {
        [] => String::new(),
        back => format!(", the rollback of {} goes on", desk.names(back)),
    };
    let moving: Vec<RegionIx> = covered.iter().copied().filter(|r| goes_on(desk, *r)).collect();
    let unread: Vec<RegionIx> = covered.iter().copied().filter(|r| is_unread(desk, *r, &covered)).collect();
    let unknown = match unread.as_slice() {
        [] => String::new(),
        unread => format!(", not known in {}", desk.names(unread)),
    };
    let goes_on = match moving.as_slice() {
        [] => String::new(),
        moving => format!(", what rolls out in {} goes on", desk.names(moving)),
    };
    let unread = unread.iter().map(|at| {
        let name = desk.region_name(*at);
        let text = format!("{name} cannot be read: a rollout there may not be paused");
        Finding::new(Severity::Warning, "unread", name, text)
    });
    let moving = moving.iter().filter_map(|at| {
        let (name, region) = (desk.region_name(*at), desk.region(*at).ok()?);
        let replicas = desk.region_state(*at)?.workload.as_ref()?.replicas;
        let text = format!(
            "{name}: this {} cannot be paused: its rollout goes on ({} of {} updated); B rolls it back",
            region.workload.kind, replicas.updated, replicas.desired
        );
        Some(Finding::new(Severity::Warning, "goes-on", name, text))
    });
    findings.extend(unread.chain(moving));
    let parallelism = steps.len();
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("hold {name}").into(),
        after: format!(
            "{pausing} rollouts pause{unknown}{back}{goes_on}; nothing is promoted into {name} until the hold is released"
        )
        .into(),
        way_back: "U releases the hold and resumes exactly what it paused".into(),
        parallelism,
        blast: desk.blast(covered),
        findings,
        steps,
        name,
        ring: None,
    })
}

fn scopes(desk: &Desk<'_>, target: &Target) -> Vec<Scope> {
    match target {
        Target::Service => vec![Scope::Service],
        Target::Ring(ring) => {
            desk.service.ring(*ring).map(|r| Scope::Ring(r.name.as_str().into())).into_iter().collect()
        }
        Target::Regions(regions) => regions.iter().map(|r| Scope::Region(desk.region_name(*r))).collect(),
    }
}

/// Paused are rollouts in flight, but for a rollback; with `freeze` also finished ones. What is paused
/// stays so.
fn must_pause(desk: &Desk<'_>, at: RegionIx, covered: &[RegionIx]) -> bool {
    let moving = |w: &Workload| if w.in_flight() { !is_going_back(desk, at) } else { desk.service.freeze };
    covered.contains(&at)
        && desk.region_state(at).and_then(|s| s.workload.as_ref()).is_some_and(|w| !w.paused && moving(w))
}

/// A rollback is under way there. It lowers risk: half of it would leave what it takes away.
fn is_going_back(desk: &Desk<'_>, at: RegionIx) -> bool {
    let workload = desk.region_state(at).and_then(|s| s.workload.as_ref()).filter(|w| w.in_flight() && !w.paused);
    let reported = desk.region(at).is_ok_and(Region::is_reported);
    workload.is_some_and(|w| match reported {
        true => reported::is_going_back(desk, at, w),
        false => desk.state.record.region(at).is_some_and(|r| r.is_rolled_back_to(w.template)),
    })
}

/// Whether there is something in its kind that stops a rollout.
fn can_pause(desk: &Desk<'_>, at: RegionIx) -> bool {
    if let Ok(region) = desk.region(at)
        && region.is_reported()
    {
        return reported::can_hold(region);
    }
    let kind = desk.region(at).ok().and_then(|r| kinds::kind(&r.workload.kind));
    let workload = desk.region_state(at).and_then(|s| s.workload.as_ref());
    kind.zip(workload).is_some_and(|(kind, workload)| kind.pause(workload).is_some())
}

/// Whether a rollout moves there that nothing stops. Where pods change only when deleted, none does.
fn goes_on(desk: &Desk<'_>, at: RegionIx) -> bool {
    let workload = desk.region_state(at).and_then(|s| s.workload.as_ref());
    let moves = |w: &Workload| w.in_flight() && !w.paused && w.phase != Phase::OnDelete;
    workload.is_some_and(moves) && !can_pause(desk, at) && !is_going_back(desk, at)
}

/// Whether nothing rolls out there is not known now: the region cannot be read, and no pause is planned.
fn is_unread(desk: &Desk<'_>, at: RegionIx, covered: &[RegionIx]) -> bool {
    let live = desk
        .region(at)
        .ok()
        .and_then(|r| desk.clusters.get(r.cluster.at()))
        .is_some_and(|c| c.freshness(desk.stamp).is_live())
        && desk.region(at).ok().and_then(|r| desk.sources.freshness(r, desk.stamp)).is_none_or(|f| f.is_live());
    let known = desk.region_state(at).is_some_and(|s| s.workload.is_some() || s.absent);
    covered.contains(&at) && !(live && known) && !must_pause(desk, at, covered)
}

/// Pauses a rollout; none where the kind has no such thing, or no hold covers the region.
fn pause_step(
    desk: &mut Desk<'_>,
    at: RegionIx,
    holds: &[(FactId, Scope)],
    reason: &Text,
) -> Result<Option<Step>, Refusal> {
    let region = desk.region(at)?.clone();
    let Some(kind) = kinds::kind(&region.workload.kind) else { return Ok(None) };
    let hold = holds.iter().find(|(_, s)| s.covers(desk.service, at)).map(|(id, _)| *id);
    if let Some(hold) = hold.filter(|_| region.is_reported()) {
        return reported::hold(desk, at, hold);
    }
    let workload = desk.region_state(at).and_then(|s| s.workload.clone());
    let pause = workload.as_ref().and_then(|w| kind.pause(w));
    let (Some(hold), Some(workload), Some(pause)) = (hold, workload, pause) else { return Ok(None) };
    let fact = desk.fact(&region, Body::Paused { hold, template: workload.template, was: pause.was });
    let mut operations = vec![test("/metadata/uid", workload.uid.as_str().into())];
    operations.extend(pause.operations);
    let parts = StepParts {
        label: "pause the rollout".into(),
        main: Some(patch(desk.workload_ref(&region, kind), operations)),
        facts: vec![fact],
        event: Some((workload.uid.to_string(), "GonogoHeld", format!("gonogo: held {reason}"))),
        diff: pause.diff,
        expect: vec![Expectation::Paused(true)],
        limit: SOON,
    };
    desk.step(at, parts).map(Some)
}

/// Writes the hold into a region's record.
fn fact_step(desk: &mut Desk<'_>, at: RegionIx, holds: &[(FactId, Scope)], reason: &Text) -> Result<Step, Refusal> {
    let region = desk.region(at)?.clone();
    let by = desk.by(&region);
    let hold = |(id, scope): &(FactId, Scope)| Fact {
        journal: desk.journal.clone(),
        id: *id,
        by: by.clone(),
        at: desk.now,
        body: Body::Hold { scope: scope.clone(), reason: reason.clone() },
    };
    let facts: Vec<Fact> = holds.iter().map(hold).collect();
    desk.step(at, StepParts::facts("hold fact", facts))
}
