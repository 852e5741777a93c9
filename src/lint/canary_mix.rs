//! A canary that serves other traffic than the rest finds only the faults of its own.

use std::collections::BTreeMap;

use super::view::Plan;
use super::{Check, Notes, Severity};
use crate::domain::id::{RegionIx, Text};

pub(super) static CHECK: Check = Check {
    code: "GG004",
    name: "canary-mix",
    severity: Severity::High,
    about: "The traffic of the first ring that users reach is not like the rest: more than 20 points of its declared mix differ, or a kind that makes 5 % elsewhere is not there.",
    measures: true,
    find,
};

/// So much of the mix may differ.
const APART: f64 = 0.20;
/// A kind of traffic that is so common elsewhere must be met by the canary.
const COMMON: f64 = 0.05;

type Mix = BTreeMap<Text, f64>;

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let Some((ring, spec, canary)) = plan.canary() else { return };
    let production = plan.production();
    let rest: Vec<RegionIx> =
        production.iter().map(|(at, _)| *at).filter(|a| !canary.iter().any(|(c, _)| c == a)).collect();
    if rest.is_empty() {
        return;
    }
    let mixed = |at: &RegionIx| plan.declared(*at).is_some_and(|d| !d.mix.is_empty());
    if !production.iter().any(|(at, _)| mixed(at)) {
        return notes.lacks("no region declares the mix of its traffic (`traffic = { mix = … }`)");
    }
    if let Some((_, region)) = production.iter().find(|(at, _)| !mixed(at)) {
        return notes.lacks(format!("{} does not declare the mix of its traffic", region.name));
    }
    let canary: Vec<RegionIx> = canary.into_iter().map(|(at, _)| at).collect();
    let (here, there) = (pooled(plan, &canary), pooled(plan, &rest));
    let share = |mix: &Mix, kind: &Text| mix.get(kind).copied().unwrap_or(0.0);
    let mut kinds: Vec<&Text> = here.keys().chain(there.keys()).collect();
    kinds.sort();
    kinds.dedup();
    let apart: f64 = kinds.iter().map(|k| (share(&here, k) - share(&there, k)).abs()).sum::<f64>() / 2.0;
    let unmet = kinds.iter().find(|k| share(&here, k) <= 0.0 && share(&there, k) >= COMMON);
    let widest = kinds.iter().max_by(|a, b| {
        let gap = |k: &Text| (share(&here, k) - share(&there, k)).abs();
        gap(a).total_cmp(&gap(b))
    });
    let told = match (unmet, widest) {
        (Some(kind), _) => format!("{kind} traffic, {:.0} % elsewhere, is not there", 100.0 * share(&there, kind)),
        (None, Some(kind)) if apart > APART => format!(
            "{:.0} points of its traffic differ, most in {kind}: {:.0} % there, {:.0} % elsewhere",
            100.0 * apart,
            100.0 * share(&here, kind),
            100.0 * share(&there, kind)
        ),
        _ => return,
    };
    notes.ring(
        ring,
        format!("{} meets users first, and is not like the rest: {told}", spec.name),
        "choose a region whose traffic is like the others', or mirror the missing kind to it",
    );
}

/// The mix of several regions, each by its size where sizes are known.
fn pooled(plan: &Plan<'_>, regions: &[RegionIx]) -> Mix {
    let sizes = plan.sizes().ok();
    let size = |at: RegionIx| sizes.as_ref().and_then(|s| s.get(at)).unwrap_or(1.0);
    let total: f64 = regions.iter().map(|at| size(*at)).sum();
    let mut mix = Mix::new();
    for at in regions {
        for (kind, share) in plan.declared(*at).map(|d| &d.mix).into_iter().flatten() {
            *mix.entry(kind.clone()).or_default() += share * size(*at) / total.max(f64::MIN_POSITIVE);
        }
    }
    mix
}
