//! Faults of midnight, of the nightly job and of the evening peak need a day to show.

use super::view::Plan;
use super::{Check, Notes, Severity};
use crate::domain::policy::Preset;
use crate::domain::stamp::{SignedDuration, short};
use crate::forecast::exit_minimum;

pub(super) static CHECK: Check = Check {
    code: "GG007",
    name: "bake-short",
    severity: Severity::High,
    about: "The first ring that users reach bakes for less than 24 h, or than its tier's preset says.",
    measures: false,
    find,
};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let Some((at, ring, canary)) = plan.canary() else { return };
    let service = plan.service;
    // A tier that promises less has chosen to.
    let preset = service.policy.preset.as_deref().and_then(Preset::find);
    let chosen = preset.and_then(|p| p.bake(at.at(), service.rings.len()).try_into().ok());
    let wanted = chosen.unwrap_or(DAY).min(DAY);
    // Every hour of a day takes a day.
    let covers = ring.exit_gates.iter().any(|g| &*g.gate == "coverage" && !g.params.0.contains_key("hours"));
    let bake = exit_minimum(service, at).max(if covers { DAY } else { SignedDuration::ZERO });
    if bake < wanted {
        let users = canary.first().map_or("?", |(_, r)| r.name.as_str());
        notes.ring(
            at,
            format!(
                "{} meets users first ({users}), and bakes {}: {} are needed",
                ring.name,
                short(bake),
                short(wanted)
            ),
            format!("write `bake = \"24h\"` in {}; where no users are, `traffic = {{ qps = 0 }}`", ring.name),
        );
    }
}
