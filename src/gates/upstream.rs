//! `upstream`: every earlier ring is still healthy on the version that would enter.

use super::silence;
use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter, Peer};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::Version;
use crate::domain::workload::Phase;

/// What vouches for a version must still stand.
pub struct Upstream;

impl GateType for Upstream {
    fn name(&self) -> &'static str {
        "upstream"
    }
    fn role(&self) -> GateRole {
        GateRole::Entry
    }
    fn about(&self) -> &'static str {
        "Every region of every earlier ring still runs the version that would enter, rolled out, un-paused, with all wanted pods available."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
    fn build(&self, _: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Ok(Box::new(Upstream))
    }
}

impl Gate for Upstream {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let Some(entering) = &evidence.entering else {
            return Judgement::new(Verdict::NoData, "nothing", format!("{region}: nothing is about to enter"));
        };
        let earlier: Vec<&Peer<'_>> = evidence.peers.iter().filter(|p| p.region.ring < evidence.region.ring).collect();
        if earlier.is_empty() {
            return Judgement::new(Verdict::Go, "first", format!("{region}: no ring is before it"));
        }
        let states: Vec<(Verdict, String)> = earlier.iter().map(|p| stands(p, entering.version)).collect();
        let fine = states.iter().filter(|(v, _)| *v == Verdict::Go).count();
        let cell = format!("{fine}/{}", states.len());
        let judged = match states.iter().max_by_key(|(v, _)| *v) {
            Some((verdict, why)) if *verdict > Verdict::Go => {
                Judgement::new(*verdict, cell, format!("{region}: {why}"))
            }
            _ => {
                let many = if fine == 1 { "region" } else { "regions" };
                let sentence = format!("{region}: {} is healthy in all {fine} earlier {many}", entering.version);
                Judgement::new(Verdict::Go, cell, sentence)
            }
        };
        states.into_iter().fold(judged, |judged, (_, line)| judged.because(line))
    }
}

/// How one earlier region stands on the version.
fn stands(peer: &Peer<'_>, version: &Version) -> (Verdict, String) {
    let name = &peer.region.name;
    if let Some(why) = silence(&peer.freshness) {
        return (Verdict::NoData, format!("{name}: {why}"));
    }
    let Some(w) = peer.workload else { return (Verdict::NoData, format!("{name}: its workload was not seen")) };
    let r = w.replicas;
    let counts = format!("{} of {} pods available", r.available, r.desired);
    match w.phase {
        _ if w.version != *version => (Verdict::NoGo, format!("{name} runs {}, not {version}", w.version)),
        Phase::DeadlineExceeded | Phase::Degraded => {
            (Verdict::NoGo, format!("{name}: the rollout of {version} failed, {counts}"))
        }
        _ if w.paused => (Verdict::Wait, format!("{name} is paused on {version}")),
        Phase::Complete if r.desired == 0 => {
            (Verdict::NoGo, format!("{name} is scaled to zero: nothing vouches there"))
        }
        Phase::Complete if r.available >= r.desired => (Verdict::Go, format!("{name}: {version}, {counts}")),
        // Settled once, and pods are missing now: that is no rollout.
        _ if peer.settled.is_some() || w.phase == Phase::Complete => {
            (Verdict::NoGo, format!("{name}: {version} has only {counts}"))
        }
        Phase::OnDelete => (
            Verdict::NoData,
            format!("{name}: its pods change only when deleted (OnDelete): nothing says when they run {version}"),
        ),
        phase => (Verdict::Wait, format!("{name}: {version} is {}, {counts}", phase.word())),
    }
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;
