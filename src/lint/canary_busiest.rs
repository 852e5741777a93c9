//! The canary is the busiest region: most people meet a bad release first.

use super::view::Plan;
use super::{Check, Notes, Severity};

pub(super) static CHECK: Check = Check {
    code: "GG002",
    name: "canary-busiest",
    severity: Severity::High,
    about: "The first ring that users reach has the busiest region.",
    measures: true,
    find,
};

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let Some((ring, spec, canary)) = plan.canary() else { return notes.lacks("users reach no region") };
    let sizes = match plan.sizes() {
        Ok(sizes) => sizes,
        Err(lacks) => return notes.lacks(lacks),
    };
    let Some((busiest, size)) = sizes.largest() else { return };
    // Of several that are alike none is the busiest.
    let alone = sizes.of.iter().filter(|(at, other)| *at != busiest && *other >= size).count() == 0;
    if sizes.of.len() > 1 && alone && canary.iter().any(|(at, _)| *at == busiest) {
        let name = plan.region_name(busiest);
        let share = 100.0 * size / sizes.total();
        notes.ring(
            ring,
            format!(
                "{} meets users first, and has the busiest region: {name} with {} of {} ({share:.0} %), by {}",
                spec.name,
                sizes.basis.show(size),
                sizes.basis.show(sizes.total()),
                sizes.basis
            ),
            "begin with the smallest region that is like the others",
        );
    }
}
