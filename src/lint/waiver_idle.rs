//! A waiver that waives nothing hides the next finding.

use super::view::Plan;
use super::{CHECKS, Check, Found, Notes, Severity, check};
use crate::config::{Waiver, Waives};
use crate::domain::fleet::Service;
use crate::domain::text::did_you_mean;

pub(super) static CHECK: Check = Check {
    code: "GG016",
    name: "waiver-idle",
    severity: Severity::Low,
    about: "A waiver waives nothing: what it accepted is gone, or its code does not exist.",
    measures: false,
    find,
};

/// Codes that do not exist; the others are known once everything was judged.
fn find(plan: &Plan<'_>, notes: &mut Notes) {
    for waiver in plan.facts.waivers.iter().filter(|w| check(&w.code).is_none()) {
        let near = did_you_mean(&waiver.code, CHECKS.iter().map(|c| c.code));
        let fix = near
            .map_or_else(|| "docs/plan-checks.md lists the codes".to_owned(), |near| format!("did you mean `{near}`?"));
        let sentence = format!("line {} waives {}, which does not exist", waiver.line, waiver.code);
        notes.found.push(place(waiver, sentence, fix));
    }
}

/// A waiver of something that was not found.
pub(super) fn found(service: &Service, waiver: &Waiver) -> Found {
    let of = match waiver.over {
        Waives::Service => service.name.to_string(),
        Waives::Ring(at) => service.ring(at).map_or_else(|| "?".to_owned(), |r| r.name.to_string()),
        Waives::Region(at) => service.region(at).map_or_else(|| "?".to_owned(), |r| r.name.to_string()),
    };
    let sentence = format!("line {} waives {} for {of}, where it is not found", waiver.line, waiver.code);
    place(waiver, sentence, "take the waiver out".to_owned())
}

fn place(waiver: &Waiver, sentence: String, fix: String) -> Found {
    let (ring, region) = match waiver.over {
        Waives::Service => (None, None),
        Waives::Ring(at) => (Some(at), None),
        Waives::Region(at) => (None, Some(at)),
    };
    Found { ring, region, sentence, fix }
}
