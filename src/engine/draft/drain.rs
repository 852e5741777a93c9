//! Drain: a region's weight goes to 0. It has its own guard: headroom, and never the last serving region.

use std::time::Duration;

use super::serving::{self, Other};
use super::{Desk, everywhere, targets, weight};
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{Region, RouteRef, Unit};
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::Intent;
use crate::domain::plan::{Plan, PlanId, Refusal, Start};
use crate::domain::record::Body;
use crate::domain::stamp::{SignedDuration, Timestamp, short};

pub(super) fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent) -> Result<Plan, Refusal> {
    let regions = targets(desk.service, &intent.target);
    let [at] = regions.as_slice() else {
        return Err(Refusal::new(
            "several-regions",
            "drain takes one region at a time: the others absorb its traffic",
            "select one region",
        ));
    };
    let at = *at;
    let region = desk.region(at)?.clone();
    let (route, object) = weight::route(desk, at, &region)?;
    let backends = weight::backends(&object, &route);
    // What cannot be written at all is said in the provider's words.
    weight::can_close(&object, &route)?;
    let mine = weight::of(&backends, &route.backend);
    let others = serving::others(desk, at, &route, &backends);
    if mine == 0 && !others.is_empty() {
        return Err(Refusal::new("nothing-to-do", format!("{} is at weight 0 already", region.name), "U restores it"));
    }
    serving::guard(region.name.as_str(), &route, &others)?;
    let findings = headroom(desk, at, &region, &others)?;
    let before: Vec<(Text, u32)> = backends.iter().map(|b| (b.name.clone(), b.weight)).collect();
    // A drain of a drained region remembers nothing new: the first memory counts, and one restore ends it.
    let remembered = desk.state.record.region(at).and_then(|r| r.drained()).map(|f| (f.id, f.body.weight_before()));
    let draining = Body::Draining { region: region.name.as_str().into() };
    let is_spread = serving::is_spread(desk.service, at);
    // Where weights lie in objects of their own, the others must know before anything is written.
    let mut steps = if is_spread { everywhere(desk, vec![draining.clone()], "draining")? } else { Vec::new() };
    let mut facts = Vec::new();
    if !is_spread {
        facts.push(desk.fact(&region, draining));
    }
    let drained = match remembered {
        Some((drained, _)) => drained,
        None => {
            let body = Body::Drained { before, backend: route.backend.clone(), reason: "".into() };
            let fact = desk.fact(&region, body);
            let id = fact.id;
            facts.push(fact);
            id
        }
    };
    let full = remembered.and_then(|(_, weight)| weight).unwrap_or(mine).max(mine);
    let (mut from, mut shown) = (mine, object);
    for (i, to) in weight::down(&route.steps, full, mine).into_iter().enumerate() {
        let facts = std::mem::take(&mut facts);
        let moved =
            weight::Moved { route: &route, from, to, back_to: None, facts, event: ("GonogoDrained", "drained") };
        let mut step = weight::step(desk, at, &shown, moved)?;
        step.start = match i {
            0 if !is_spread => Start::AtOnce,
            0 => Start::Then(Duration::ZERO),
            _ => Start::Then(route.dwell),
        };
        weight::apply(&mut shown, &step, &route.backend);
        steps.push(step);
        from = to;
    }
    if is_spread {
        // Two who drain the last two at once: whoever finds nobody left puts his own back.
        let facts = vec![desk.fact(&region, Body::Restored { drained, reason: "nobody was left serving".into() })];
        let event = ("GonogoRestored", "nobody was left serving: restored");
        let moved = weight::Moved { route: &route, from, to: mine, back_to: None, facts, event };
        let mut step = weight::step(desk, at, &shown, moved)?;
        step.label = format!("{}, only if no region is left with a weight", step.label).into();
        step.start = Start::IfNoneServes;
        steps.push(step);
    }
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("drain {}", region.name).into(),
        after: after(&route).into(),
        way_back: format!("U on {} restores weight {full}", region.name).into(),
        parallelism: 1,
        blast: desk.blast(vec![at]),
        findings,
        steps,
        name: region.name.as_str().into(),
        ring: None,
    })
}

/// What follows a drain.
fn after(route: &RouteRef) -> String {
    let ends = "the other regions absorb its traffic; open connections end by themselves";
    if route.steps.iter().all(|p| *p == 0) {
        return ends.to_owned();
    }
    let dwell = short(SignedDuration::try_from(route.dwell).unwrap_or(SignedDuration::MAX));
    format!("{ends}; {dwell} between two steps, and none follows while another region is beyond its capacity")
}

/// What the absorbers would carry: beyond capacity now is refused, at peak a finding, unknown a finding
/// that must be overridden with a reason.
fn headroom(desk: &Desk<'_>, at: RegionIx, region: &Region, others: &[Other]) -> Result<Vec<Finding>, Refusal> {
    let mut findings = Vec::new();
    let unknown = |subject: &str, text: String| Finding::new(Severity::Override, "headroom", subject, text);
    let Some(column) = desk.service.traffic_column() else {
        return Ok(vec![unknown(region.name.as_str(), "no column measures traffic: headroom is unknown".into())]);
    };
    let qps =
        |at: RegionIx| -> Option<f64> { desk.region_state(at)?.current.get(&column.name)?.1.as_ref().ok().copied() };
    let Some(moving) = qps(at) else {
        return Ok(vec![unknown(
            region.name.as_str(),
            format!("the traffic of {} is not measured: headroom is unknown", region.name),
        )]);
    };
    let peak_moving = peak(desk, at);
    let absorbers = absorbers(desk, region, others);
    if absorbers.is_empty() {
        return Ok(vec![unknown(
            region.name.as_str(),
            format!("no region that is to absorb the traffic of {} has a weight: headroom is unknown", region.name),
        )]);
    }
    for (absorber, share) in absorbers {
        let Some(spec) = desk.service.region(absorber) else { continue };
        let name = spec.name.as_str();
        let (Some(own), Some(capacity)) = (qps(absorber), spec.capacity) else {
            findings.push(unknown(name, format!("{name}: capacity or traffic is unknown, headroom cannot be judged")));
            continue;
        };
        let show = |v: f64| Unit::PerSecond.show(v);
        let then = own + moving * share;
        if then > capacity.qps {
            return Err(Refusal::new(
                "headroom",
                format!("{name} would carry {} of {} QPS: beyond its capacity now", show(then), show(capacity.qps)),
                "drain less, or add capacity first",
            ));
        }
        match (peak(desk, absorber), peak_moving) {
            (Some(own), Some(moving)) if own + moving * share > capacity.qps => findings.push(Finding::new(
                Severity::Warning,
                "headroom-peak",
                name,
                format!(
                    "{name} would carry {} of {} QPS at the peak of these hours in the last 7 days",
                    show(own + moving * share),
                    show(capacity.qps)
                ),
            )),
            (None, _) | (_, None) => findings.push(Finding::new(
                Severity::Warning,
                "headroom-peak",
                name,
                format!("{name}: the last 7 days are not known, so the peak cannot be judged"),
            )),
            _ => {}
        }
    }
    Ok(findings)
}

/// Who takes the traffic, and which share of it: as configured, else by weight.
fn absorbers(desk: &Desk<'_>, region: &Region, others: &[Other]) -> Vec<(RegionIx, f64)> {
    let of = |o: &Other| Some((o.region?, o.weight.filter(|w| *w > 0)?));
    let absorbs = |(at, _): &(RegionIx, u32)| {
        let spec = desk.service.region(*at);
        spec.is_some_and(|r| region.absorbers.is_empty() || region.absorbers.contains(&r.name))
    };
    let candidates: Vec<(RegionIx, u32)> = others.iter().filter_map(of).filter(absorbs).collect();
    let sum: f64 = candidates.iter().map(|(_, w)| f64::from(*w)).sum();
    candidates.into_iter().map(|(at, w)| (at, f64::from(w) / sum.max(1.0))).collect()
}

/// The peak within an hour of this time of day, over the last 7 days.
fn peak(desk: &Desk<'_>, at: RegionIx) -> Option<f64> {
    let near = |then: Timestamp| {
        let day = 86_400;
        let offset = desk.now.duration_since(then).as_secs().rem_euclid(day);
        offset <= 3_600 || offset >= day - 3_600
    };
    let recent = |then: Timestamp| desk.now.duration_since(then) <= SignedDuration::from_hours(7 * 24);
    let points = &desk.region_state(at)?.week;
    points.iter().filter(|(t, _)| near(*t) && recent(*t)).map(|(_, v)| *v).max_by(f64::total_cmp)
}
