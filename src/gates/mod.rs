//! Gate types, each two pure functions in a file of its own, listed in one table.

use std::time::Duration;

use crate::domain::fleet::{GateSpec, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, ParamError, Parameter};
use crate::domain::id::RingIx;
use crate::domain::link::Freshness;
use crate::domain::stamp::{SignedDuration, Timestamp, short};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::TemplateDigest;

mod alerts;
mod analysis;
mod approval;
mod artefact;
mod asked;
mod bake;
mod baseline;
mod burn_rate;
mod checklist;
mod clock;
mod coverage;
mod delivered;
mod drift;
mod flag;
mod freeze;
mod freshness;
mod headroom;
mod min_available;
mod min_traffic;
mod quarantine;
mod ready;
mod replication;
mod requires;
mod resources;
mod rules;
mod series;
mod serving;
#[cfg(test)]
mod stand;
#[cfg(test)]
mod tests;
mod threshold;
mod upstream;
mod webhook;
mod window;
mod zones;

pub use alerts::Alerts;
pub use analysis::Analysis;
pub use approval::{Approval, Rule as ApprovalRule, approval_rules, release_author};
pub use artefact::Artefact;
pub use asked::about_region;
pub use bake::{Bake, bake_length};
pub use baseline::Baseline;
pub use burn_rate::BurnRate;
pub use checklist::{Checklist, Item, Steps, WayBack, checklists, is_done, no_way_back, ticked};
pub use coverage::Coverage;
pub use delivered::Delivered;
pub use drift::{Drift, allowed_sets, left_out};
pub use flag::Flag;
pub use freeze::Freeze;
pub use freshness::FreshnessGate;
pub use headroom::Headroom;
pub use min_available::MinAvailable;
pub use min_traffic::MinTraffic;
pub use quarantine::{Quarantine, quarantined};
pub use ready::Ready;
pub use replication::Replication;
pub use requires::{Requirement, Requires};
pub use resources::Resources;
pub use series::JUDGED_SPAN;
pub use threshold::{Threshold, parse_bound};
pub use upstream::Upstream;
pub use webhook::Webhook;
pub use window::Window;

/// Every gate type.
pub const GATES: &[&dyn GateType] = &[
    &Ready,
    &Bake,
    &Coverage,
    &Threshold,
    &Baseline,
    &BurnRate,
    &Resources,
    &MinTraffic,
    &FreshnessGate,
    &Window,
    &Freeze,
    &Approval,
    &Quarantine,
    &Artefact,
    &Upstream,
    &Requires,
    &MinAvailable,
    &Headroom,
    &Drift,
    &Flag,
    &Replication,
    &Alerts,
    &Analysis,
    &Delivered,
    &Webhook,
    &Checklist,
];

/// A gate type by its name in the configuration.
pub fn gate_type(name: &str) -> Option<&'static dyn GateType> {
    GATES.iter().copied().find(|g| g.name() == name)
}

/// The gate that a checked configuration describes; an unknown type or a bad parameter otherwise.
pub fn build(spec: &GateSpec, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
    let Some(gate) = gate_type(&spec.gate) else {
        return Err(ParamError::new("gate", format!("there is no gate `{}`", spec.gate)));
    };
    gate.build(&spec.params, service)
}

/// Whether a gate can judge the ring it stands at, besides that its parameters are right.
pub fn fits(spec: &GateSpec, service: &Service, ring: RingIx) -> Result<(), ParamError> {
    gate_type(&spec.gate).map_or(Ok(()), |gate| gate.fits(&spec.params, service, ring))
}

impl dyn GateType + '_ {
    /// Whether it may be an exit gate.
    pub fn may_exit(&self) -> bool {
        matches!(self.role(), GateRole::Exit | GateRole::Both)
    }
    /// Whether it may be an entry gate.
    pub fn may_enter(&self) -> bool {
        matches!(self.role(), GateRole::Entry | GateRole::Both)
    }
    /// A parameter by name.
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters().iter().find(|p| p.name == name)
    }
}

/// Shorter than any use; keeps sums of times from overflowing.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A moment later by a length of time; the last moment there is where that overflows.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// What is not seen now is not known: the verdict gets no better than NoData, and says why.
fn only_if_seen(evidence: &Evidence<'_>, mut judged: Judgement) -> Judgement {
    let unseen = || evidence.workload.is_none().then(|| "its workload was not seen".to_owned());
    let Some(why) = silence(&evidence.freshness).or_else(unseen) else { return judged };
    if judged.verdict >= Verdict::NoData {
        return judged.because(why);
    }
    judged.verdict = Verdict::NoData;
    judged.until = None;
    judged.sentence = format!("{}: {why}; last known: {}", evidence.region.name, judged.sentence).into();
    judged.cell = "NO LINK".into();
    judged
}

/// The region runs another template than the release wants: nothing of this judgement has begun.
fn other_template(evidence: &Evidence<'_>) -> Option<TemplateDigest> {
    let wanted = evidence.wanted?;
    let workload = evidence.workload?;
    (wanted != workload.template).then_some(wanted)
}

/// Why a cluster is not heard; none while it is live.
fn silence(freshness: &Freshness<'_>) -> Option<String> {
    let age = |d: &Duration| SignedDuration::try_from(*d).map_or_else(|_| "long".to_owned(), short);
    match freshness {
        Freshness::Live => None,
        Freshness::Never => Some("its cluster was not heard yet".to_owned()),
        Freshness::Late(since) => Some(format!("its cluster was last heard {} ago", age(since))),
        Freshness::Lost(since, reason) => {
            let (word, text) = reason.text();
            let heard =
                since.as_ref().map_or_else(|| "never heard".to_owned(), |s| format!("last heard {} ago", age(s)));
            Some(format!("its cluster is {word} ({text}), {heard}"))
        }
    }
}
