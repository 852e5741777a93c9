//! `ready`: rolled out in every region of the ring.

use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, ParamError, Parameter};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::workload::Phase;

/// The gate type.
pub struct Ready;

impl GateType for Ready {
    fn name(&self) -> &'static str {
        "ready"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "The version is rolled out in every region of the ring, as `kubectl rollout status` decides it."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
    fn build(&self, _params: &Params, _service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Ok(Box::new(Self))
    }
}

impl Gate for Ready {
    fn needs(&self) -> Vec<crate::domain::gate::Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let name = &evidence.region.name;
        let Some(workload) = evidence.workload else {
            return Judgement::new(Verdict::NoData, "?", format!("{name}: the workload was not seen"));
        };
        let replicas = workload.replicas;
        let counts = format!("{} of {} ready", replicas.ready, replicas.desired);
        let judgement = if evidence.wanted.is_some_and(|w| w != workload.template) {
            let sentence = format!("{name} runs {}, another template than its ring should", workload.version);
            Judgement::new(Verdict::Wait, "other version", sentence)
        } else {
            match workload.phase {
                Phase::DeadlineExceeded => {
                    let why = workload.progress.failure.as_deref().unwrap_or("progress deadline exceeded");
                    Judgement::new(Verdict::NoGo, "failed", format!("{name}: the rollout failed: {why}"))
                }
                Phase::Complete if workload.paused => {
                    Judgement::new(Verdict::Wait, "paused", format!("{name} is paused"))
                }
                Phase::Complete => Judgement::new(Verdict::Go, "", format!("{name} is rolled out, {counts}")),
                phase => {
                    let paused = if workload.paused { ", and paused" } else { "" };
                    let cell = format!("{}/{}", replicas.updated, replicas.desired);
                    let sentence = format!("{name} is {}{paused}: {counts}", phase.word());
                    Judgement::new(Verdict::Wait, cell, sentence)
                }
            }
        };
        judgement.because(format!(
            "generation {} (observed {}), template {}, updated {} ready {} available {} of {}",
            workload.generation,
            workload.observed_generation,
            workload.template.short(),
            replicas.updated,
            replicas.ready,
            replicas.available,
            replicas.desired
        ))
    }
}
