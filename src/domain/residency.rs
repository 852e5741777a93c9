//! What of a region may leave it in writing: where values measured in it must stay, verdicts and deeds are told, and
//! no value is. Reports, handovers, explanations for programs, the reasons that policies write into the record,
//! notices and the journal go by this.
//!
//! Who did what, when, where and with what outcome is no measured value. A person's own words are told as they were
//! written.

use super::fleet::{Ring, Service};
use super::id::{RegionIx, Text};
use super::policy::BY_POLICY;
use super::verdict::Judgement;

/// Gates whose answer about one region rests on values of others.
const ACROSS: [&str; 4] = ["baseline", "headroom", "min_available", "upstream"];
/// What divides who speaks from what was measured, in a reason that a policy gives.
const SAYS: &str = " says NO-GO: ";

/// The regions whose measured values must stay.
pub fn staying(service: &Service) -> Vec<RegionIx> {
    service.region_indexes().filter(|at| service.region(*at).is_some_and(|r| r.stays)).collect()
}

/// The same about a ring as a whole.
pub fn of_ring(service: &Service, ring: &Ring, label: &str, judged: &Judgement) -> Judgement {
    let gate = ring.exit_gates.iter().chain(&ring.entry_gates).find(|g| &*g.label == label);
    let across = gate.is_none_or(|g| ACROSS.contains(&&*g.gate));
    match staying(service).first().and_then(|at| service.region(*at)).filter(|_| across) {
        Some(region) => left_out(judged, region.name.as_str()),
        None => judged.clone(),
    }
}

fn left_out(judged: &Judgement, region: &str) -> Judgement {
    let sentence = format!("values measured in {region} are left out");
    Judgement { until: judged.until, ..Judgement::new(judged.verdict, "", sentence) }
}

/// A gate's answer as it may be told: where it rests on values that must stay, only the verdict and the times.
pub fn judgement(service: &Service, ring: &Ring, at: RegionIx, label: &str, judged: &Judgement) -> Judgement {
    let of = |region: RegionIx| service.region(region).filter(|r| r.stays);
    let across = || {
        let gate = ring.exit_gates.iter().chain(&ring.entry_gates).find(|g| &*g.label == label);
        let others = gate.is_none_or(|g| ACROSS.contains(&&*g.gate));
        others.then(|| staying(service).into_iter().find_map(of)).flatten()
    };
    match of(at).or_else(across) {
        Some(region) => left_out(judged, region.name.as_str()),
        None => judged.clone(),
    }
}

/// A reason as it may be told about these regions, none for all of them: what a policy quotes of a gate is cut.
pub fn reason(service: &Service, regions: &[RegionIx], why: &str) -> Text {
    if !why.starts_with(BY_POLICY) || !concerns(service, regions, why) {
        return why.into();
    }
    match why.split_once(SAYS) {
        Some((before, _)) => format!("{before}{}", SAYS.trim_end_matches(": ")).into(),
        None => why.into(),
    }
}

/// Overrides as they may be told: each quotes a gate.
pub fn overrides(service: &Service, regions: &[RegionIx], said: &[Text]) -> Vec<Text> {
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
