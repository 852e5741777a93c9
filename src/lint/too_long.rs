//! A plan that cannot keep its own promise.

use super::view::Plan;
use super::{Check, Notes, Severity};
use crate::domain::stamp::{SignedDuration, short};
use crate::forecast::exit_minimum;

pub(super) static CHECK: Check = Check {
    code: "GG008",
    name: "too-long",
    severity: Severity::Low,
    about: "Bakes and distances together take longer than the tier or `longest` allows.",
    measures: false,
    find,
};

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let service = plan.service;
    let Some(longest) = service.policy.longest.and_then(|l| SignedDuration::try_from(l).ok()) else { return };
    let mut sum = SignedDuration::ZERO;
    let mut parts = Vec::new();
    for (at, ring) in plan.rings() {
        let between = service.soak(at).and_then(|s| SignedDuration::try_from(s).ok()).unwrap_or_default();
        let gaps = i32::try_from(ring.regions.len().saturating_sub(1)).unwrap_or(i32::MAX);
        let own = exit_minimum(service, at).saturating_add(between.saturating_mul(gaps));
        sum = sum.saturating_add(own);
        parts.push(format!("{} {}", ring.name, short(own)));
    }
    if sum > longest {
        let by = service.policy.preset.as_ref().map_or_else(|| "its policy".to_owned(), |p| format!("preset {p}"));
        notes.service(
            format!("a release takes at least {} ({}); {by} allows {}", short(sum), parts.join(", "), short(longest)),
            "shorten bakes, take rings together, or promise more with `longest`",
        );
    }
}
