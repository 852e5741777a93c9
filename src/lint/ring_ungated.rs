//! A ring that nothing judges lets everything through.

use super::view::{Plan, evidence};
use super::{Check, Notes, Severity};

pub(super) static CHECK: Check = Check {
    code: "GG005",
    name: "ring-ungated",
    severity: Severity::High,
    about: "No exit gate of a ring looks at how it does: there is none, or only time and readiness count.",
    measures: false,
    find,
};

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let last = plan.service.rings.len().saturating_sub(1);
    for (at, ring) in plan.rings().filter(|(_, ring)| evidence(ring).next().is_none()) {
        let follows = if at.at() == last {
            "nothing says whether the release is good"
        } else {
            "the next ring starts whatever happens"
        };
        let sentence = match ring.exit_gates.is_empty() {
            true => format!("{} has no exit gate: {follows}", ring.name),
            false => format!("the exit gates of {} look only at time and readiness: {follows}", ring.name),
        };
        notes.ring(at, sentence, "add a `threshold` on `errors`, a `baseline`, `burn_rate` or `alerts` to its `exit`");
    }
}
