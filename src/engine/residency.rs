//! What of a region may stand in a report: where values measured in it must stay, verdicts and deeds are told, and
//! no value is.
//!
//! Who did what, when, where and with what outcome is no measured value. A person's own words are told as they were
//! written.

use crate::domain::fleet::{Ring, Service};
use crate::domain::id::{RegionIx, Text};
use crate::domain::verdict::Judgement;

use super::automation::decide::BY_POLICY;

/// Gates whose answer about one region rests on values of others.
const ACROSS: [&str; 4] = ["baseline", "headroom", "min_available", "upstream"];
/// What divides who speaks from what was measured, in a reason that a policy gives.
const SAYS: &str = " says NO-GO: ";

/// The regions whose measured values must stay.
pub fn staying(service: &Service) -> Vec<RegionIx> {
    service.region_indexes().filter(|at| service.region(*at).is_some_and(|r| r.stays)).collect()
}

/// A gate's answer as it may be told: where it rests on values that must stay, only the verdict and the times.
pub fn judgement(service: &Service, ring: &Ring, at: RegionIx, label: &str, judged: &Judgement) -> Judgement {
    let of = |region: RegionIx| service.region(region).filter(|r| r.stays);
    let across = || {
        let gate = ring.exit_gates.iter().find(|g| &*g.label == label);
        let others = gate.is_none_or(|g| ACROSS.contains(&&*g.gate));
        others.then(|| staying(service).into_iter().find_map(of)).flatten()
    };
    match of(at).or_else(across) {
        Some(region) => Judgement {
            until: judged.until,
            ..Judgement::new(judged.verdict, "", format!("values measured in {} are left out", region.name))
        },
        None => judged.clone(),
    }
}

/// A reason as it may be told about these regions, none for all of them: what a policy quotes of a gate is cut.
pub(super) fn reason(service: &Service, regions: &[RegionIx], why: &Text) -> Text {
    if !why.starts_with(BY_POLICY) || !concerns(service, regions, why) {
        return why.clone();
    }
    match why.split_once(SAYS) {
        Some((before, _)) => format!("{before}{}", SAYS.trim_end_matches(": ")).into(),
        None => why.clone(),
    }
}

/// Overrides as they may be told: each quotes a gate.
pub(super) fn overrides(service: &Service, regions: &[RegionIx], said: &[Text]) -> Vec<Text> {
    let told = |text: &Text| match concerns(service, regions, text) {
        true => "left out: it quotes measured values".into(),
        false => text.clone(),
    };
    said.iter().map(told).collect()
}

/// It is about a region whose values must stay, or quotes one.
fn concerns(service: &Service, regions: &[RegionIx], text: &str) -> bool {
    let named = |at: &RegionIx| service.region(*at).is_some_and(|r| text.contains(r.name.as_str()));
    staying(service).iter().any(|at| regions.is_empty() || regions.contains(at) || named(at))
}
