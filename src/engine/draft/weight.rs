//! A region's weight in its route: what it is, and the step that changes it.

use serde_json::Value;

use super::{Desk, RegionState, SOON, StepParts, patch};
use crate::carriers::pipeline::shown;
use crate::domain::change::{Change, ObjectRef};
use crate::domain::fleet::{Region, RouteRef};
use crate::domain::id::{RegionIx, Text};
use crate::domain::outside::Outside;
use crate::domain::plan::{DiffLine, Expectation, Refusal, Step, Write, WriteRole};
use crate::domain::record::Fact;
use crate::domain::steering::{BACKEND, Steering, WEIGHT};
use crate::domain::workload::{Backend, Route};
use crate::traffic;

/// A change of weight.
pub(super) struct Moved<'a> {
    pub route: &'a RouteRef,
    pub from: u32,
    pub to: u32,
    /// On the way back: the complete rule before the drain.
    pub back_to: Option<&'a [(Text, u32)]>,
    pub facts: Vec<Fact>,
    /// Reason and word of the Kubernetes Event.
    pub event: (&'static str, &'static str),
}

/// Sets the weight in the full object; settled when the route shows it.
pub(super) fn step(desk: &mut Desk<'_>, at: RegionIx, object: &Value, moved: Moved<'_>) -> Result<Step, Refusal> {
    let Moved { route, from, to, back_to, facts, event: (reason, word) } = moved;
    let provider = provider(route)?;
    let operations = match back_to {
        Some(before) => provider.restore(object, route, to, before),
        None => provider.set_weight(object, route, to),
    };
    let operations = operations.map_err(refused)?;
    let told = match &route.steering {
        Some(steering) => Some(told(desk, at, route, steering, (from, to))?),
        None => None,
    };
    let change = format!("weight {from} → {to}");
    // The event stands beside the workload: its operators look there.
    let workload = desk.region_state(at).and_then(|s| s.workload.as_ref());
    let event = workload.map(|w| (w.uid.to_string(), reason, format!("gonogo: {word}, {change}")));
    let parts = StepParts {
        label: change.into(),
        diff: std::iter::once(line(route, from, to)).chain(told.iter().flat_map(shown)).collect(),
        main: Some(match told {
            Some(outside) => Write { role: WriteRole::Main, change: Change::Outside(outside), if_absent: None },
            None => patch(object_ref(route, provider), operations),
        }),
        facts,
        event,
        expect: vec![Expectation::Weight(to)],
        limit: route.steering.as_ref().map_or(SOON, |s| SOON.max(s.every * 8)),
    };
    desk.step(at, parts)
}

/// What is told to a system that no cluster holds the weights of.
fn told(
    desk: &Desk<'_>,
    at: RegionIx,
    route: &RouteRef,
    steering: &Steering,
    (from, to): (u32, u32),
) -> Result<Outside, Refusal> {
    let region = desk.region(at)?;
    let (verb, deed) = if to < from { ("drain", &steering.drain) } else { ("restore", &steering.restore) };
    let weight = to.to_string();
    let whereabouts = desk.service.names_of(desk.fleet, region);
    let mut names = whereabouts.each().to_vec();
    names.extend([(BACKEND, &*route.backend), (WEIGHT, weight.as_str())]);
    deed.filled(&format!("steering {}: {verb}", steering.name), &names).map_err(|why| {
        let text = format!("{}: what steers it cannot be told to {verb}: {why}", region.name);
        Refusal::new("route", text, format!("look at `{verb}` in `[steering.{}]`", steering.name))
    })
}

/// The object as it is once a step of ours was taken: the next one rests on that.
pub(super) fn apply(object: &mut Value, step: &Step, backend: &str) {
    if let (Some(Change::Outside(_)), [Expectation::Weight(to)]) = (step.main().map(|w| &w.change), &*step.expect) {
        let weights = object.pointer_mut("/spec/weights").and_then(Value::as_object_mut);
        if let Some(weight) = weights.and_then(|w| w.get_mut(backend)) {
            *weight = Value::from(*to);
        }
    }
    let Some(Change::Patch { body, .. }) = step.main().map(|w| &w.change) else { return };
    for operation in body.as_array().into_iter().flatten() {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let (Some("replace" | "add"), Some(path), Some(value)) = (text("op"), text("path"), operation.get("value"))
        else {
            continue;
        };
        let Some((parent, key)) = path.rsplit_once('/') else { continue };
        match object.pointer_mut(parent) {
            Some(Value::Object(map)) => {
                map.insert(key.replace("~1", "/").replace("~0", "~"), value.clone());
            }
            Some(Value::Array(list)) => {
                if let Some(entry) = key.parse::<usize>().ok().and_then(|i| list.get_mut(i)) {
                    *entry = value.clone();
                }
            }
            _ => {}
        }
    }
}

/// Weights on the way down, by percents of the weight before the drain: below what it has now, 0 at the end.
pub(super) fn down(percents: &[u32], before: u32, now: u32) -> Vec<u32> {
    let mut weights: Vec<u32> = Vec::new();
    for weight in percents.iter().map(|p| part(before, *p)) {
        if weight > 0 && weight < weights.last().copied().unwrap_or(now) {
            weights.push(weight);
        }
    }
    weights.push(0);
    weights
}

/// The same on the way up, to the weight before the drain and never past it.
pub(super) fn up(percents: &[u32], before: u32, now: u32) -> Vec<u32> {
    let mut weights: Vec<u32> = Vec::new();
    for weight in percents.iter().rev().map(|p| part(before, *p)) {
        if weight > weights.last().copied().unwrap_or(now) && weight < before {
            weights.push(weight);
        }
    }
    weights.push(before);
    weights
}

/// A percentage of a weight, to the nearest, and at least 1 where it is not nothing.
fn part(of: u32, percent: u32) -> u32 {
    let exact = u64::from(of) * u64::from(percent.min(100));
    let least = u64::from(percent > 0 && of > 0);
    u32::try_from(exact.saturating_add(50) / 100).unwrap_or(of).max(u32::try_from(least).unwrap_or(0))
}

/// The route of a region, and its full object as it was read.
pub(super) fn route(desk: &Desk<'_>, at: RegionIx, region: &Region) -> Result<(RouteRef, Value), Refusal> {
    let Some(route) = region.route.clone() else {
        return Err(Refusal::new(
            "no-route",
            format!("{}: no route is configured, so its traffic cannot be steered", region.name),
            "configure `route` for the service",
        ));
    };
    steered_by_a_rollout(desk, &route)?;
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

/// A route whose weights Argo Rollouts writes is never touched: it would write them again.
fn steered_by_a_rollout(desk: &Desk<'_>, route: &RouteRef) -> Result<(), Refusal> {
    let writes = |(region, state): &(&Region, &RegionState)| {
        let steps = state.workload.as_ref().and_then(|w| w.progress.steps.as_ref());
        let same = region.cluster == route.cluster && region.workload.namespace == route.namespace;
        same && steps.is_some_and(|s| s.steers(&route.provider, route.namespace.as_str(), &route.name))
    };
    let Some((region, _)) = desk.service.regions.iter().zip(&desk.state.regions).find(writes) else { return Ok(()) };
    Err(Refusal::new(
        "managed",
        format!(
            "the Rollout {} of {} writes the weights of {} {} itself (trafficRouting): what is written here would be undone",
            region.workload.name, region.name, route.provider, route.name
        ),
        "give the regions a route of their own, before the one that the Rollout steers",
    ))
}

fn provider(route: &RouteRef) -> Result<&'static dyn traffic::TrafficProvider, Refusal> {
    traffic::provider(&route.provider).ok_or_else(|| {
        Refusal::new("provider", format!("routes of kind {} are not supported", route.provider), "see `gonogo check`")
    })
}

fn refused(error: traffic::RouteError) -> Refusal {
    Refusal::new("route", error.0, "check `route` in the configuration")
}

fn object_ref(route: &RouteRef, provider: &dyn traffic::TrafficProvider) -> ObjectRef {
    ObjectRef {
        cluster: route.cluster,
        api: provider.api(),
        namespace: route.namespace.clone(),
        name: route.name.clone(),
    }
}

fn line(route: &RouteRef, from: u32, to: u32) -> DiffLine {
    DiffLine {
        field: format!("{} {} rule {} [{}] weight", route.provider, route.name, route.rule, route.backend).into(),
        from: Some(from.into()),
        to: Some(to.into()),
    }
}

/// Why a region cannot be taken out of traffic by this object, in its provider's words.
pub(super) fn can_close(object: &Value, route: &RouteRef) -> Result<(), Refusal> {
    provider(route)?.set_weight(object, route, 0).map(drop).map_err(refused)
}

/// A full object in our words; none: it cannot be read.
pub(super) fn read(object: &Value, route: &RouteRef) -> Option<Route> {
    let read = provider(route).ok().and_then(|p| p.read(object.to_string().as_bytes()).ok());
    read.map(|named| named.route)
}

/// Weights of the rule, from the full object.
pub(super) fn backends(object: &Value, route: &RouteRef) -> Vec<Backend> {
    read(object, route).and_then(|r| r.rules.get(route.rule).cloned()).unwrap_or_default()
}

/// The weight of one backend; one that is not there has none.
pub(super) fn of(backends: &[Backend], name: &str) -> u32 {
    backends.iter().find(|b| &*b.name == name).map_or(0, |b| b.weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_lead_down_to_nothing_and_up_to_what_was_remembered() {
        assert_eq!(down(&[50, 10, 0], 40, 40), [20, 4, 0]);
        assert_eq!(down(&[50, 10, 0], 40, 20), [4, 0], "one that was stopped goes on from where it stands");
        assert_eq!(down(&[50, 10, 0], 1, 1), [0], "nothing lies between one and nothing");
        assert_eq!(down(&[], 40, 40), [0]);
        assert_eq!(up(&[50, 10, 0], 40, 0), [4, 20, 40]);
        assert_eq!(up(&[50, 10, 0], 40, 20), [40]);
        assert_eq!(up(&[50, 10, 0], 40, 70), [40], "whoever raised it: never past what it was");
        assert_eq!(up(&[], 40, 0), [40]);
    }
}
