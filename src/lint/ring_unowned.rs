//! Who is called at three in the morning.

use super::view::{Plan, list};
use super::{Check, Notes, Severity};

pub(super) static CHECK: Check = Check {
    code: "GG006",
    name: "ring-unowned",
    severity: Severity::Low,
    about: "A ring has regions with neither owner nor escalation, of their own or of the service.",
    measures: false,
    find,
};

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let service = plan.service;
    if service.owner.is_some() || service.escalation.is_some() {
        return;
    }
    for (at, ring) in plan.rings() {
        let regions = ring.regions.iter().filter_map(|at| service.region(*at));
        let nobody: Vec<&str> =
            regions.filter(|r| r.owner.is_none() && r.escalation.is_none()).map(|r| r.name.as_str()).collect();
        if !nobody.is_empty() {
            notes.ring(
                at,
                format!("nobody owns {} of {}: nobody knows whom to call", list(nobody), ring.name),
                format!("add `owner` and `escalation` to `[service.{}]`, or to its regions", service.name),
            );
        }
    }
}
