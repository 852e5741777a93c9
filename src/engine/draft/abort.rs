//! Abort: what is in flight goes back. A kind whose controller can give a rollout up is told to; every other
//! goes back by its template, as a rollback does.

use serde_json::Value;

use super::known_good::{history, version_of};
use super::roll_back::{forward_only, plan};
use super::{Desk, SOON, StepParts, as_read, digest, targets, turn, uid};
use crate::domain::change::test;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::Region;
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::Intent;
use crate::domain::plan::{Expectation, Plan, PlanId, Refusal, Step};
use crate::domain::record::{Body, Move};
use crate::domain::version::TemplateDigest;
use crate::kinds::WorkloadKind;

/// Rolls back what is in flight among the targets.
pub(super) fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent) -> Result<Plan, Refusal> {
    let in_flight: Vec<RegionIx> = targets(desk.service, &intent.target)
        .into_iter()
        .filter(|r| desk.region_state(*r).and_then(|s| s.workload.as_ref()).is_some_and(|w| w.in_flight()))
        .collect();
    if in_flight.is_empty() {
        return Err(Refusal::new("nothing-to-do", "no rollout is in flight here", "B rolls back what is finished"));
    }
    plan(desk, id, intent, in_flight, None, "abort")
}

/// The step of a region whose controller gives the rollout up; none: it goes back by its template.
pub(super) fn by_controller(
    desk: &mut Desk<'_>,
    id: PlanId,
    at: RegionIx,
    findings: &mut Vec<Finding>,
) -> Result<Option<Step>, Refusal> {
    let region = desk.region(at)?.clone();
    let kind = desk.kind(&region)?;
    let object = desk.workload(at)?.clone();
    let Some((abort, running)) = kind.abort(&object).zip(digest(kind, &object)) else { return Ok(None) };
    let old: Text =
        desk.region_state(at).and_then(|s| s.workload.as_ref()).map_or_else(|| "?".into(), |w| w.version.0.clone());
    findings.extend(forward_only(desk, at, &region));
    let past = match desk.objects.owned.get(&at) {
        Some(Ok(owned)) => kind.known_good(&object, owned),
        _ => None,
    };
    let past = past.and_then(|good| history(desk, at, &object, kind).into_iter().find(|p| p.digest == good));
    let to = past.as_ref().map(|p| version_of(&region, p));
    let said = to.clone().unwrap_or_else(|| "its stable revision".into());
    findings.push(Finding::new(
        Severity::Note,
        "abort",
        region.name.as_str(),
        format!("{}: {said} serves again; the template stays {old}, and B puts that back too", region.name),
    ));
    let ring: Text = desk.ring_of(at).map_or_else(|| "?".into(), |r| r.name.as_str().into());
    // Where the stable revision is not listed, the journal and the Event say what was done.
    let moved = past.zip(to).map(|(past, to)| Move {
        plan: id.0,
        ring,
        from_version: old.clone(),
        to_version: to,
        from_template: running,
        to_template: past.digest,
        from: Vec::new(),
        policy: desk.service.policy_hash.clone(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    });
    let facts = moved.map(|m| desk.fact(&region, Body::RolledBack(m))).into_iter().collect();
    let mut operations = vec![test("/metadata/uid", uid(&object).into())];
    operations.extend(abort.operations);
    let parts = StepParts {
        label: format!("{old}: {}", abort.label).into(),
        main: Some(turn(desk.workload_ref(&region, kind), operations, abort.is_status)),
        facts,
        event: Some((uid(&object), "GonogoAborted", format!("gonogo: abort {old} in {}", region.name))),
        diff: abort.diff,
        expect: vec![abort.expect],
        limit: SOON,
    };
    desk.step(at, parts).map(Some)
}

/// The rest of a way back that goes step by step: once more is without what it would wait for. None: it is
/// complete, or its kind has no such thing.
pub(super) fn in_full(desk: &mut Desk<'_>, at: RegionIx, findings: &mut Vec<Finding>) -> Result<Option<Step>, Refusal> {
    let region = desk.region(at)?.clone();
    let kind = desk.kind(&region)?;
    let object = desk.workload(at)?.clone();
    let Ok(Some(rest)) = kind.let_all_through(&object) else { return Ok(None) };
    if let Some(warning) = rest.warning.filter(|_| rest.overrides) {
        findings.push(Finding::new(
            Severity::Note,
            "steps",
            region.name.as_str(),
            format!("{}: the way back {warning}", region.name),
        ));
        let mut operations = as_read(kind, &object);
        operations.extend(rest.operations);
        let parts = StepParts {
            label: "the rest of the way back".into(),
            main: Some(turn(desk.workload_ref(&region, kind), operations, rest.is_status)),
            facts: Vec::new(),
            event: Some((uid(&object), "GonogoRolledBack", format!("gonogo: {} back in full", region.name))),
            diff: rest.diff,
            expect: vec![rest.expect],
            limit: desk.limit(at),
        };
        return desk.step(at, parts).map(Some);
    }
    Ok(None)
}

/// What a person must know of the way back to a template: at once, or step by step.
pub(super) fn on_way_back(
    desk: &Desk<'_>,
    at: RegionIx,
    region: &Region,
    kind: &dyn WorkloadKind,
    to: &Value,
) -> Option<Finding> {
    let object = desk.workload(at).ok()?;
    let owned = desk.objects.owned.get(&at).and_then(|o| o.as_ref().ok()).map_or(&[][..], Vec::as_slice);
    let way = kind.on_way_back(object, owned, to)?;
    let severity = if way.at_once { Severity::Note } else { Severity::Warning };
    Some(Finding::new(severity, "steps", region.name.as_str(), format!("{}: {}", region.name, way.text)))
}

/// What must be seen of a way back. Half of one is none: a step of its own that it stops at is not the end.
pub(super) fn arrives(settles: Expectation, to: TemplateDigest) -> Expectation {
    match settles {
        Expectation::AtStep { .. } => Expectation::Settled(to),
        other => other,
    }
}
