//! A baseline that compares with the old version alone, where nobody runs it any more.

use super::view::Plan;
use super::{Check, Notes, Severity};
use crate::domain::fleet::{GateSpec, Param};
use crate::domain::id::RingIx;

pub(super) static CHECK: Check = Check {
    code: "GG017",
    name: "baseline-alone",
    severity: Severity::Low,
    about: "A `baseline` of the last ring compares with its peers alone: when all of it has the version, none is left.",
    measures: false,
    find,
};

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let Some((at, ring)) = plan.service.rings.iter().enumerate().next_back() else { return };
    for gate in ring.exit_gates.iter().filter(|g| &*g.gate == "baseline" && peers_alone(g)) {
        let column = match gate.params.0.get("column") {
            Some(Param::Text(column)) => column.as_str(),
            _ => "?",
        };
        let sentence = format!(
            "the baseline of {column} in {} compares with peers alone: when the last of its regions has the version, \
             no region runs the old one, and the gate says NO DATA from then on",
            ring.name
        );
        notes.ring(RingIx::from(at), sentence, "write `against = [\"peers\", \"yesterday\"]`: an earlier day is left");
    }
}

/// It names no earlier day.
fn peers_alone(gate: &GateSpec) -> bool {
    match gate.params.0.get("against") {
        None => true,
        Some(Param::Text(text)) => text == "peers",
        Some(Param::List(list)) => list.iter().all(|text| text == "peers"),
        Some(_) => false,
    }
}
