//! What the others must carry when the largest region is lost.

use super::view::{Plan, list, qps};
use super::{Check, Notes, Severity};
use crate::domain::id::RegionIx;

pub(super) static CHECK: Check = Check {
    code: "GG012",
    name: "headroom",
    severity: Severity::High,
    about: "If the largest region were lost, the regions that absorb its traffic would run above their capacity.",
    measures: true,
    find,
};

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let traffic = match plan.traffic() {
        Ok(traffic) => traffic,
        Err(lacks) => return notes.lacks(lacks),
    };
    let Some((lost, extra)) = traffic.largest() else { return };
    let Some(spec) = plan.service.region(lost) else { return };
    let absorbs =
        |at: RegionIx| spec.absorbers.is_empty() || spec.absorbers.iter().any(|a| a.as_str() == plan.region_name(at));
    let takers: Vec<(RegionIx, f64)> =
        traffic.of.iter().copied().filter(|(at, _)| *at != lost && absorbs(*at)).collect();
    if takers.is_empty() {
        return notes.region(
            plan,
            lost,
            format!("if {} were lost, no other region could take its {}", spec.name, qps(extra)),
            "serve users from a second region",
        );
    }
    let capacity = |at: RegionIx| plan.service.region(at).and_then(|r| r.capacity).map(|c| c.qps);
    let unknown: Vec<&str> =
        takers.iter().filter(|(at, _)| capacity(*at).is_none()).map(|(at, _)| plan.region_name(*at)).collect();
    if !unknown.is_empty() {
        return notes.lacks(format!("{} have no `capacity`", list(unknown)));
    }
    let room: f64 = takers.iter().filter_map(|(at, _)| capacity(*at)).sum();
    let now: f64 = takers.iter().map(|(_, q)| q).sum();
    // As a drain shares it out: in proportion to capacity.
    let load = |at: RegionIx, q: f64| capacity(at).map(|c| (q + extra * c / room.max(f64::MIN_POSITIVE)) / c);
    let worst = takers.iter().filter_map(|(at, q)| Some((*at, load(*at, *q)?))).max_by(|a, b| a.1.total_cmp(&b.1));
    let Some((worst, load)) = worst.filter(|(_, load)| *load > 1.0) else { return };
    let needed =
        if now > 0.0 { format!("{:.0} % of what they carry now", 100.0 * (now + extra) / now) } else { qps(extra) };
    notes.region(
        plan,
        lost,
        format!(
            "if {} ({}) were lost, {} would need {needed}: {} of a capacity of {}, and {} would run at {:.0} %, by {}",
            spec.name,
            qps(extra),
            list(takers.iter().map(|(at, _)| plan.region_name(*at))),
            qps(now + extra),
            qps(room),
            plan.region_name(worst),
            100.0 * load,
            traffic.basis
        ),
        format!("give them room for {} together, or say what is shed, and waive", qps(now + extra)),
    );
}
