//! Restore: back to the weight before the drain.

use super::{Desk, targets, weight};
use crate::domain::finding::{Finding, Severity};
use crate::domain::intent::Intent;
use crate::domain::plan::{Plan, PlanId, Refusal, Start};
use crate::domain::record::Body;

pub(super) fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent) -> Result<Plan, Refusal> {
    let regions = targets(desk.service, &intent.target);
    let [at] = regions.as_slice() else {
        return Err(Refusal::new("several-regions", "restore takes one region at a time", "select one region"));
    };
    let at = *at;
    let region = desk.region(at)?.clone();
    let (route, object) = weight::route(desk, at, &region)?;
    let drained = desk.state.record.region(at).and_then(|r| r.drained()).cloned();
    let Some((drained, before)) = drained.and_then(|f| match f.body {
        Body::Drained { before, .. } => Some((f.id, before)),
        _ => None,
    }) else {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{}: no drain of ours is in force, so its earlier weight is not known", region.name),
            "whoever set the weight knows what it was",
        ));
    };
    let before_drain = before.iter().find(|(name, _)| *name == route.backend).map_or(0, |(_, w)| *w);
    let backends = weight::backends(&object, &route);
    let now = weight::of(&backends, &route.backend);
    let mut findings = Vec::new();
    if now == before_drain {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{} is back at weight {before_drain} already", region.name),
            "nothing is to be done",
        ));
    }
    if now > before_drain || now > 0 && route.steps.is_empty() {
        findings.push(Finding::new(
            Severity::Warning,
            "weight",
            region.name.as_str(),
            format!("{} is at weight {now}, not 0: somebody changed it after the drain", region.name),
        ));
    }
    // Read again just now: what was last seen of a region that is away says nothing.
    desk.workload(at)?;
    let state = desk.region_state(at).and_then(|s| s.workload.as_ref());
    if !state.is_some_and(|w| w.settled() && w.replicas.available >= w.replicas.desired.min(1)) {
        return Err(Refusal::new(
            "not-serving",
            format!("{} is not rolled out and available: it could not take the traffic", region.name),
            "wait for it, or roll it back first",
        ));
    }
    desk.held(&[at], region.name.as_str())?;
    let mut facts = vec![desk.fact(&region, Body::Restored { drained, reason: "".into() })];
    let ways = weight::up(&route.steps, before_drain, now);
    let (mut steps, mut from, mut shown) = (Vec::with_capacity(ways.len()), now, object);
    for (i, to) in ways.iter().copied().enumerate() {
        // The drain is over when all of it is back: until then, its memory is what the next step goes by.
        let is_last = i + 1 == ways.len();
        let facts = if is_last { std::mem::take(&mut facts) } else { Vec::new() };
        let back_to = is_last.then_some(before.as_slice());
        let event = ("GonogoRestored", if is_last { "restored" } else { "on the way back" });
        let moved = weight::Moved { route: &route, from, to, back_to, facts, event };
        let mut step = weight::step(desk, at, &shown, moved)?;
        if i > 0 {
            step.start = Start::Then(route.dwell);
        }
        weight::apply(&mut shown, &step, &route.backend);
        steps.push(step);
        from = to;
    }
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("restore {}", region.name).into(),
        after: "its share of the traffic comes back".into(),
        way_back: format!("D drains {} again", region.name).into(),
        parallelism: 1,
        blast: desk.blast(vec![at]),
        findings,
        steps,
        name: region.name.as_str().into(),
        ring: None,
    })
}
