//! Resume: release one hold, and un-pause what a hold of ours paused and none covers any more.

use super::halt::{self, open_halt};
use super::{Desk, SOON, StepParts, as_read, digest, patch, targets, uid};
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{Region, Service};
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::Intent;
use crate::domain::plan::{Expectation, Plan, PlanId, Refusal, Step};
use crate::domain::record::{Body, Fact, FactId, HoldInForce, Scope};
use crate::domain::version::TemplateDigest;
use crate::engine::blame::last_writer;
use crate::engine::state::ServiceState;

/// Holds that are named of those that remain.
const MOST_NAMED: usize = 3;

pub(super) fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent, chosen: Option<FactId>) -> Result<Plan, Refusal> {
    let covered = targets(desk.service, &intent.target);
    let holds = desk.state.record.holds();
    let hold = match chosen {
        Some(id) => holds.iter().find(|h| h.id == Some(id)),
        None => holds.iter().rev().find(|h| covers_any(desk, h, &covered)),
    };
    let open: Vec<RegionIx> = covered.iter().copied().filter(|r| open_pause(desk, *r).is_some()).collect();
    let Some(hold) = hold.cloned() else {
        // A pause of ours may be left over after a partition: it is an open item, resumed only by hand.
        let halted: Vec<RegionIx> = covered.iter().copied().filter(|r| open_halt(desk, *r).is_some()).collect();
        return match open.is_empty() && halted.is_empty() {
            true => Err(Refusal::new(
                "nothing-to-do",
                format!("no hold is in force on {}", desk.names(&covered)),
                "H holds; a pause that is not ours is resumed by whoever paused it",
            )),
            false => plan(desk, id, intent, None, (&open, &halted)),
        };
    };
    let Some(hold_id) = hold.id else {
        return Err(Refusal::new(
            "unreadable",
            format!("the hold cannot be read: {}", hold.reason),
            "remove that key from the record by hand, after finding out who wrote it",
        ));
    };
    // Un-paused is what no other hold covers any more.
    let others: Vec<&HoldInForce> = holds.iter().filter(|h| h.id != Some(hold_id)).collect();
    let free = |at: &RegionIx| !others.iter().any(|h| covers_any(desk, h, &[*at]));
    let open: Vec<RegionIx> = desk
        .service
        .region_indexes()
        .filter(|r| covers_any(desk, &hold, &[*r]) && open_pause(desk, *r).is_some() && free(r))
        .collect();
    let halted: Vec<RegionIx> = desk
        .service
        .region_indexes()
        .filter(|r| covers_any(desk, &hold, &[*r]) && open_halt(desk, *r).is_some() && free(r))
        .collect();
    let others: Vec<String> = others.iter().map(|h| format!("{} by {}", h.scope, h.by)).collect();
    let mut plan = plan(desk, id, intent, Some(&hold), (&open, &halted))?;
    if !others.is_empty() {
        let named = others.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = others.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let text = match others.len() {
            1 => format!("1 hold remains: {named}"),
            many => format!("{many} holds remain: {named}{more}"),
        };
        plan.after = format!("{}; {text}", plan.after).into();
    }
    Ok(plan)
}

/// Regions that a release may un-pause: paused, by a hold of ours.
pub(super) fn may_un_pause(service: &Service, state: &ServiceState) -> Vec<RegionIx> {
    let paused = |at: &RegionIx| {
        state.region(*at).and_then(|r| r.workload.as_ref()).is_some_and(|w| w.paused)
            && state.record.region(*at).is_some_and(|r| r.pauses().next().is_some())
    };
    service.region_indexes().filter(paused).collect()
}

fn covers_any(desk: &Desk<'_>, hold: &HoldInForce, regions: &[RegionIx]) -> bool {
    regions.iter().any(|at| hold.scope.covers(desk.service, *at))
}

/// A pause of ours that still holds the workload.
fn open_pause(desk: &Desk<'_>, at: RegionIx) -> Option<(FactId, TemplateDigest)> {
    let paused = desk.region_state(at)?.workload.as_ref()?.paused;
    let (fact, _, template) = desk.state.record.region(at)?.pauses().last()?;
    paused.then_some((fact.id, template))
}

/// What the pauses of ours replaced: the first of them met what others had set.
pub(super) fn replaced(desk: &Desk<'_>, at: RegionIx) -> Option<Text> {
    let mut pauses = desk.state.record.region(at)?.pauses();
    pauses.find_map(|(fact, ..)| match &fact.body {
        Body::Paused { was, .. } => was.clone(),
        _ => None,
    })
}

fn plan(
    desk: &mut Desk<'_>,
    id: PlanId,
    intent: &Intent,
    hold: Option<&HoldInForce>,
    (open, halted): (&[RegionIx], &[RegionIx]),
) -> Result<Plan, Refusal> {
    let release = hold.and_then(|h| h.id).map(|hold| (FactId(desk.ids.next(desk.now)), hold));
    let mut findings = Vec::new();
    let mut steps = Vec::new();
    let mut open = open.to_vec();
    open.retain(|at| match desk.workload(*at) {
        Ok(_) => true,
        Err(refusal) => {
            // The others do not wait for it: it stays paused, as an open item.
            let text = format!("left paused: {}", refusal.text);
            findings.push(Finding::new(Severity::Override, "left-paused", desk.region_name(*at), text));
            false
        }
    });
    for at in halted {
        steps.extend(halt::go_on(desk, *at, &mut findings)?);
    }
    for at in desk.service.region_indexes() {
        let un_pause = open.contains(&at);
        // Where the record cannot be read it cannot be written: the release follows its hold there later.
        let reached = matches!(desk.objects.records.get(&at), Some(Ok(())));
        if un_pause || release.is_some() && reached {
            steps.push(region_step(desk, at, release, un_pause, &mut findings)?);
        }
    }
    if steps.is_empty() {
        return Err(Refusal::new("unreachable", "no region that this is about can be reached", "R tries again"));
    }
    let name: Text = match hold {
        Some(h) => match &h.scope {
            Scope::Ring(name) | Scope::Region(name) if h.scope.is_known(desk.service) => name.clone(),
            Scope::Service | Scope::Ring(_) | Scope::Region(_) => desk.service.name.as_str().into(),
        },
        None if open.is_empty() => desk.names(halted).into(),
        None => desk.names(&open).into(),
    };
    let what = hold.map_or_else(
        || "un-pause what was left paused".to_owned(),
        |h| format!("release the hold by {} ({}): {}", h.by, h.scope, h.why()),
    );
    let going_on = match open.len() {
        0 => "no rollout was paused".to_owned(),
        1 => "1 rollout goes on".to_owned(),
        many => format!("{many} rollouts go on"),
    };
    let going_on = match halted {
        [] => going_on,
        halted => format!("{going_on}; what delivers {} brings changes by itself again", desk.names(halted)),
    };
    let mut hit = open.clone();
    hit.extend(halted.iter().copied().filter(|at| !open.contains(at)));
    let blast = desk.blast(if hit.is_empty() { targets(desk.service, &intent.target) } else { hit });
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("resume {name}").into(),
        after: format!("{what}; {going_on}").into(),
        way_back: "H holds again".into(),
        parallelism: steps.len().max(1),
        blast,
        findings,
        steps,
        name,
        ring: None,
    })
}

/// Why nothing is resumed there.
fn text_of(region: &Region) -> String {
    format!("{} stays paused: its pipeline has no `resume`", region.name)
}

fn region_step(
    desk: &mut Desk<'_>,
    at: RegionIx,
    release: Option<(FactId, FactId)>,
    un_pause: bool,
    findings: &mut Vec<Finding>,
) -> Result<Step, Refusal> {
    let region = desk.region(at)?.clone();
    let by = desk.by(&region);
    let mut facts: Vec<Fact> = release
        .into_iter()
        .map(|(id, hold)| Fact {
            id,
            by: by.clone(),
            at: desk.now,
            journal: desk.journal.clone(),
            body: Body::Release { hold, reason: "".into() },
        })
        .collect();
    let kind = desk.kind(&region)?;
    let pause = open_pause(desk, at).filter(|_| un_pause);
    let was = replaced(desk, at);
    if let (true, Some((paused, then))) = (region.is_reported(), pause) {
        let current = desk.region_state(at).and_then(|s| s.workload.as_ref()).map(|w| w.template);
        if current != Some(then) {
            let text = format!("{}: its pipeline reports another rollout than was paused", region.name);
            findings.push(Finding::new(Severity::Override, "changed-under-hold", region.name.as_str(), text));
        }
        let mut all = facts.clone();
        all.push(desk.fact(&region, Body::Unpaused { paused }));
        if let Some(step) = super::reported::resume(desk, at, all)? {
            return Ok(step);
        }
        let text = format!("{} stays paused: its pipeline has no `resume`; resume it there", region.name);
        findings.push(Finding::new(Severity::Override, "left-paused", region.name.as_str(), text));
        if facts.is_empty() {
            return Err(Refusal::new("carrier", text_of(&region), "resume it with the pipeline's own tool"));
        }
        return desk.step(at, StepParts::facts("release fact", facts));
    }
    let un_paused = desk.workload(at).ok().and_then(|object| kind.un_pause(object, was.as_deref()));
    let (Some((paused, then)), Some(un_pause)) = (pause, un_paused) else {
        return desk.step(at, StepParts::facts("release fact", facts));
    };
    let object = desk.workload(at)?.clone();
    let current = digest(kind, &object);
    if current != Some(then) {
        // The resume would roll out something else than was paused: that is a promotion.
        let writer = last_writer(&object, kind.template_pointer());
        let manager = writer.map_or_else(|| "somebody".to_owned(), |w| w.to_string());
        findings.push(Finding::new(
            Severity::Override,
            "changed-under-hold",
            region.name.as_str(),
            format!(
                "{}: the pod template was changed under the hold by {manager} (then {}, now {})",
                region.name,
                then.short(),
                current.map_or_else(|| "?".to_owned(), TemplateDigest::short)
            ),
        ));
    }
    let fact = desk.fact(&region, Body::Unpaused { paused });
    facts.push(fact);
    let mut all = as_read(kind, &object);
    all.extend(un_pause.operations);
    let parts = StepParts {
        label: "un-pause the rollout".into(),
        main: Some(patch(desk.workload_ref(&region, kind), all)),
        facts,
        event: Some((uid(&object), "GonogoResumed", "gonogo: hold released".to_owned())),
        diff: un_pause.diff,
        expect: vec![Expectation::Paused(false)],
        limit: SOON,
    };
    desk.step(at, parts)
}
