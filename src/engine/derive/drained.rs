//! Out of traffic: what the record and the route say, and what is measured.

use super::super::scene::Scene;
use crate::domain::fleet::{Region, Unit};
use crate::domain::id::RegionIx;
use crate::domain::stamp::SignedDuration;
use crate::engine::state::Happened;
use crate::engine::view::{Drained, Residual, UnderWay};

pub(super) fn drained(scene: &Scene<'_>, at: RegionIx, weight: Option<(u32, Option<f64>)>) -> Drained {
    let drain = scene.state.record.region(at).and_then(|r| r.drained());
    let ours = drain.is_some();
    let before = drain.and_then(|f| f.body.weight_before());
    match weight {
        Some((0, _)) if ours => Drained::ByUs,
        Some((0, _)) => Drained::Elsewhere,
        Some((weight, _)) if before.is_some_and(|before| weight < before) => Drained::Partly,
        // The route is not seen: what the record says is the best that is known.
        None if ours => Drained::ByUs,
        _ => Drained::No,
    }
}

/// What still comes to a region that is out of traffic: a weight is a wish until the traffic is gone, since
/// open connections and cached names outlive it.
pub(super) fn residual(region: &Region, drained: Drained, qps: Option<f64>) -> Option<Residual> {
    if matches!(drained, Drained::No | Drained::Partly) {
        return None;
    }
    let hundredth = region.capacity.map_or(1.0, |c| (c.qps / 100.0).max(1.0));
    let below = region.route.as_ref().and_then(|r| r.drained_below).map_or(hundredth, f64::from);
    Some(match qps {
        None => Residual::Unmeasured,
        Some(qps) if qps < below => Residual::Nothing,
        Some(qps) => Residual::Qps { qps, below },
    })
}

/// How long a weight of 0 may still be under way: until its provider has brought it everywhere, and clients have
/// forgotten the answers of before.
pub(super) fn under_way(scene: &Scene<'_>, at: RegionIx, drained: Drained) -> Option<UnderWay> {
    if !matches!(drained, Drained::ByUs | Drained::Elsewhere) {
        return None;
    }
    let route = scene.service.region(at)?.route.as_ref()?;
    let state = scene.region(at)?;
    let propagation = crate::traffic::provider(&route.provider)?.propagation();
    let ttl = state.route.as_ref().and_then(|r| r.ttl);
    let most = SignedDuration::try_from(propagation.saturating_add(ttl.unwrap_or_default())).ok()?;
    let seen = state.happenings.iter().rev().find(|h| h.what == Happened::Weight(0)).map(|h| h.at);
    let ours = scene.state.record.region(at).and_then(|r| r.drained()).map(|f| f.at);
    let left = most.checked_sub(scene.world.now.duration_since(seen.or(ours)?))?;
    (left > SignedDuration::ZERO).then_some(UnderWay { ttl, left: left.min(most) })
}

/// Regions beyond their capacity while others are out of traffic by a drain of ours: the drain is what to
/// take back.
pub(super) fn overloaded(scene: &Scene<'_>, qps: &[Option<f64>]) -> Vec<String> {
    let regions = || scene.service.region_indexes();
    let ours = |at: &RegionIx| scene.state.record.region(*at).is_some_and(|r| r.drained().is_some());
    let drained: Vec<_> = regions().filter(ours).map(|at| scene.region_name(at)).collect();
    let over = |at: RegionIx| -> Option<String> {
        let capacity = scene.service.region(at)?.capacity?.qps;
        let carries = qps.get(at.at()).copied().flatten().filter(|q| *q > capacity)?;
        let show = |v: f64| Unit::PerSecond.show(v);
        let (name, drained) = (scene.region_name(at), drained.join(", "));
        Some(format!(
            "{name}: carries {} of {} QPS while {drained} is drained: U on {drained} restores it",
            show(carries),
            show(capacity)
        ))
    };
    if drained.is_empty() { Vec::new() } else { regions().filter_map(over).collect() }
}

/// All regions that are steered have weight 0: what happens then is never what was meant.
pub(super) fn nobody_serves(scene: &Scene<'_>) -> Option<String> {
    let regions = scene.service.regions.iter().zip(&scene.state.regions);
    let steered = regions.filter(|(r, _)| r.route.is_some());
    let weights: Option<Vec<u32>> = steered.map(|(r, state)| state.weight(r)).collect();
    let none = weights.is_some_and(|w| w.len() > 1 && w.iter().all(|w| *w == 0));
    none.then(|| {
        "no region has a weight: gateways answer with errors then, and names are answered as if all had one: \
         U on a region restores it"
            .to_owned()
    })
}
