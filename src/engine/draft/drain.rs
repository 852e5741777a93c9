//! Drain: a region's weight goes to 0. It has its own guard: headroom, and never the last serving region.

use serde_json::Value;

use super::{Desk, SOON, StepParts, patch, targets};
use crate::domain::change::ObjectRef;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{Region, RouteRef, Unit};
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::Intent;
use crate::domain::plan::{DiffLine, Expectation, Plan, PlanId, Refusal};
use crate::domain::record::Body;
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::workload::Backend;
use crate::traffic;

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
    let (route, object) = route(desk, at, &region)?;
    let backends = backends(&object, &route);
    let mine = weight_of(&backends, &route.backend);
    guard(&region, &route, &backends, mine)?;
    let findings = headroom(desk, at, &region, &backends)?;
    let provider = provider(&route)?;
    let operations = provider.set_weight(&object, &route, 0).map_err(refused)?;
    let before: Vec<(Text, u32)> = backends.iter().map(|b| (b.name.clone(), b.weight)).collect();
    let draining = desk.fact(&region, Body::Draining { region: region.name.as_str().into() });
    let body = Body::Drained { before, backend: route.backend.clone(), reason: "".into() };
    // A drain of a drained region remembers nothing new: the first memory counts, and one restore ends it.
    let mut facts = vec![draining];
    if desk.state.record.region(at).is_none_or(|r| r.drained().is_none()) {
        facts.push(desk.fact(&region, body));
    }
    let parts = StepParts {
        label: format!("weight {mine} → 0").into(),
        main: Some(patch(object_ref(&route, provider), operations)),
        facts,
        event: workload_event(desk, at, "GonogoDrained", format!("gonogo: drained, weight {mine} → 0")),
        diff: vec![line(&route, mine, 0)],
        expect: vec![Expectation::Weight(0)],
        limit: SOON,
    };
    let steps = vec![desk.step(at, parts)?];
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("drain {}", region.name).into(),
        after: "the other regions absorb its traffic; open connections end by themselves".into(),
        way_back: format!("U on {} restores weight {mine}", region.name).into(),
        parallelism: 1,
        blast: desk.blast(vec![at]),
        findings,
        steps,
        name: region.name.as_str().into(),
        ring: None,
    })
}

/// The event stands beside the workload: its operators look there.
pub(super) fn workload_event(
    desk: &Desk<'_>,
    at: RegionIx,
    reason: &'static str,
    note: String,
) -> Option<(String, &'static str, String)> {
    let workload = desk.region_state(at)?.workload.as_ref()?;
    Some((workload.uid.to_string(), reason, note))
}

pub(super) fn route(desk: &Desk<'_>, at: RegionIx, region: &Region) -> Result<(RouteRef, Value), Refusal> {
    let Some(route) = region.route.clone() else {
        return Err(Refusal::new(
            "no-route",
            format!("{}: no route is configured, so its traffic cannot be steered", region.name),
            "configure `route` for the service",
        ));
    };
    match desk.objects.routes.get(&at) {
        Some(Ok(Some(object))) => Ok((route, object.clone())),
        Some(Ok(None)) => Err(Refusal::new(
            "absent",
            format!("{} {} does not exist in {}", route.provider, route.name, desk.fleet.cluster_name(route.cluster)),
            "check `route` in the configuration",
        )),
        Some(Err(reason)) => {
            let (word, text) = reason.text();
            let cluster = desk.fleet.cluster_name(route.cluster);
            Err(Refusal::new(
                "unreachable",
                format!("{cluster} holds the route and is {word}: {text}"),
                "R tries again",
            ))
        }
        None => Err(Refusal::new("unreachable", "the route was not read yet", "try again")),
    }
}

pub(super) fn provider(route: &RouteRef) -> Result<&'static dyn traffic::TrafficProvider, Refusal> {
    traffic::provider(&route.provider).ok_or_else(|| {
        Refusal::new("provider", format!("routes of kind {} are not supported", route.provider), "see `gonogo check`")
    })
}

pub(super) fn refused(error: traffic::RouteError) -> Refusal {
    Refusal::new("route", error.0, "check `route` in the configuration")
}

pub(super) fn object_ref(route: &RouteRef, provider: &dyn traffic::TrafficProvider) -> ObjectRef {
    ObjectRef {
        cluster: route.cluster,
        api: provider.api(),
        namespace: route.namespace.clone(),
        name: route.name.clone(),
    }
}

pub(super) fn line(route: &RouteRef, from: u32, to: u32) -> DiffLine {
    DiffLine {
        field: format!("{} {} rule {} [{}] weight", route.provider, route.name, route.rule, route.backend).into(),
        from: Some(from.into()),
        to: Some(to.into()),
    }
}

/// Weights of the rule, from the full object.
pub(super) fn backends(object: &Value, route: &RouteRef) -> Vec<Backend> {
    let read = provider(route).ok().and_then(|p| p.read(object.to_string().as_bytes()).ok());
    read.and_then(|r| r.route.rules.get(route.rule).cloned()).unwrap_or_default()
}

pub(super) fn weight_of(backends: &[Backend], name: &str) -> u32 {
    backends.iter().find(|b| &*b.name == name).map_or(0, |b| b.weight)
}

/// Never the only backend, never the last non-zero weight: no override lifts that.
fn guard(region: &Region, route: &RouteRef, backends: &[Backend], mine: u32) -> Result<(), Refusal> {
    let others = || backends.iter().filter(|b| b.name != route.backend);
    if others().next().is_none() {
        return Err(Refusal::new(
            "only-backend",
            format!(
                "{} is the only backend of {} {}: nothing could take its traffic",
                region.name, route.provider, route.name
            ),
            "roll back instead, or add a backend",
        ));
    }
    if mine == 0 {
        return Err(Refusal::new("nothing-to-do", format!("{} is at weight 0 already", region.name), "U restores it"));
    }
    if others().all(|b| b.weight == 0) {
        return Err(Refusal::new(
            "last-serving",
            format!("{} is the last region with a weight: draining it would serve nobody", region.name),
            "restore another region first",
        ));
    }
    Ok(())
}

/// What the absorbers would carry: beyond capacity now is refused, at peak a finding, unknown a finding
/// that must be overridden with a reason.
fn headroom(desk: &Desk<'_>, at: RegionIx, region: &Region, backends: &[Backend]) -> Result<Vec<Finding>, Refusal> {
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
    let absorbers = absorbers(desk, at, region, backends);
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
fn absorbers(desk: &Desk<'_>, at: RegionIx, region: &Region, backends: &[Backend]) -> Vec<(RegionIx, f64)> {
    let weight = |r: &Region| r.route.as_ref().map_or(0, |route| weight_of(backends, &route.backend));
    let candidates: Vec<(RegionIx, u32)> = desk
        .service
        .region_indexes()
        .filter(|r| *r != at)
        .filter_map(|r| Some((r, desk.service.region(r)?)))
        .filter(|(_, r)| region.absorbers.is_empty() || region.absorbers.contains(&r.name))
        .map(|(at, r)| (at, weight(r)))
        .filter(|(_, w)| *w > 0)
        .collect();
    let sum: u32 = candidates.iter().map(|(_, w)| w).sum();
    candidates.into_iter().map(|(at, w)| (at, f64::from(w) / f64::from(sum.max(1)))).collect()
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
