//! Who else serves: the weights of the other regions, in the rule of the one that is to be drained and in objects of
//! their own.

use serde_json::Value;

use super::{Desk, weight};
use crate::domain::fleet::{RouteRef, Service};
use crate::domain::id::{RegionIx, Text};
use crate::domain::plan::Refusal;
use crate::domain::record::Body;
use crate::domain::stamp::SignedDuration;
use crate::domain::workload::Backend;
use crate::traffic::Sharing;

/// So long after it began, a drain of another region counts as under way whatever its weight still says.
const UNDER_WAY: SignedDuration = SignedDuration::from_mins(2);

/// Another backend, and what it gets.
pub(super) struct Other {
    /// The region, or the backend where no region of this service is that.
    pub name: Text,
    /// The region, if it is one of this service.
    pub region: Option<RegionIx>,
    /// Its weight; none: it could not be read.
    pub weight: Option<u32>,
}

/// Regions whose weights lie in other objects than this one's, and share its traffic all the same.
pub(super) fn elsewhere(service: &Service, at: RegionIx) -> Vec<RegionIx> {
    let Some(mine) = service.region(at).and_then(|r| r.route.as_ref()) else { return Vec::new() };
    if !sharing(mine).is_spread() {
        return Vec::new();
    }
    let of = |at: &RegionIx| service.region(*at).and_then(|r| r.route.as_ref());
    let other = |r: &RouteRef| r.provider == mine.provider && !is_one_object(r, mine);
    service.region_indexes().filter(|r| of(r).is_some_and(other)).collect()
}

fn sharing(route: &RouteRef) -> Sharing {
    crate::traffic::provider(&route.provider).map_or(Sharing::Rule, |p| p.sharing())
}

/// Whether the weights of a route lie where no precondition of one write covers them all.
pub(super) fn is_spread(service: &Service, at: RegionIx) -> bool {
    !elsewhere(service, at).is_empty()
}

fn is_one_object(a: &RouteRef, b: &RouteRef) -> bool {
    (&a.provider, a.cluster, &a.namespace, &a.name) == (&b.provider, b.cluster, &b.namespace, &b.name)
}

/// Every other backend that shares the traffic of a region. `backends` are those of its own rule.
pub(super) fn others(desk: &Desk<'_>, at: RegionIx, route: &RouteRef, backends: &[Backend]) -> Vec<Other> {
    let is_in_rule = |r: &RouteRef| is_one_object(r, route) && r.rule == route.rule;
    let region = |backend: &Text| {
        let is = |r: &RouteRef| is_in_rule(r) && r.backend == *backend;
        let of = |r: &RegionIx| desk.service.region(*r).and_then(|r| r.route.as_ref()).is_some_and(is);
        desk.service.region_indexes().find(of)
    };
    let mut others: Vec<Other> = backends
        .iter()
        .filter(|b| b.name != route.backend)
        .map(|b| {
            let region = region(&b.name);
            let name = region.map_or_else(|| b.name.clone(), |r| desk.region_name(r));
            Other { name, region, weight: Some(b.weight) }
        })
        .collect();
    for other in elsewhere(desk.service, at) {
        let Some(spec) = desk.service.region(other).and_then(|r| r.route.as_ref()) else { continue };
        let read = desk.objects.routes.get(&other);
        let weight = match read {
            Some(Ok(Some(object))) => weight_in(object, spec),
            // No object, no record.
            Some(Ok(None)) => Some(0),
            _ => None,
        };
        // Somebody takes it out just now: it may have its weight still, and is not one to lean on.
        let weight = weight.map(|w| if is_being_drained(desk, other) { 0 } else { w });
        others.push(Other { name: desk.region_name(other), region: Some(other), weight });
    }
    others
}

/// Whether another drain of this region began a moment ago, and nothing took it back since.
fn is_being_drained(desk: &Desk<'_>, at: RegionIx) -> bool {
    let name = desk.region_name(at);
    let regions = desk.state.record.regions.iter().flatten();
    let begun = regions.flat_map(|r| r.facts.values()).filter(|f| {
        matches!(&f.body, Body::Draining { region } if *region == name) && desk.now.duration_since(f.at) <= UNDER_WAY
    });
    let restored = desk.state.record.region(at).into_iter().flat_map(|r| r.facts.values());
    let restored = restored.filter(|f| matches!(f.body, Body::Restored { .. })).map(|f| f.id).max();
    begun.map(|f| f.id).max().is_some_and(|begun| restored.is_none_or(|restored| restored < begun))
}

/// The weight of a region in a full object; none: it cannot be told.
fn weight_in(object: &Value, route: &RouteRef) -> Option<u32> {
    weight::read(object, route)?.weight(route.rule, &route.backend)
}

/// Never the only one, never the last that serves: no override lifts that.
pub(super) fn guard(name: &str, route: &RouteRef, others: &[Other]) -> Result<(), Refusal> {
    if others.is_empty() {
        return Err(Refusal::new(
            "only-backend",
            format!("{name} is the only backend of {} {}: nothing could take its traffic", route.provider, route.name),
            "roll back instead, or add a backend",
        ));
    }
    if others.iter().any(|o| o.weight.is_some_and(|w| w > 0)) {
        return Ok(());
    }
    let unknown: Vec<&str> = others.iter().filter(|o| o.weight.is_none()).map(|o| &*o.name).collect();
    if unknown.is_empty() {
        return Err(Refusal::new(
            "last-serving",
            format!("{name} is the last region with a weight: draining it would serve nobody"),
            "restore another region first; one that is being drained just now does not count",
        ));
    }
    Err(Refusal::new(
        "last-serving",
        format!("no other region is known to have a weight: those of {} could not be read", unknown.join(", ")),
        "R reads their clusters again; restore another region first",
    ))
}
