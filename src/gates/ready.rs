//! `ready`: the wanted template is rolled out everywhere in the ring.

use super::{only_if_seen, other_template};
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::workload::{Phase, Workload};

/// Rolled out: settled on the wanted template, and not paused.
pub struct Ready;

impl GateType for Ready {
    fn name(&self) -> &'static str {
        "ready"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "The rollout is complete, on the template that the release wants, and not paused. Waits while pods are replaced; NO-GO when the progress deadline passed."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
    fn build(&self, _: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Ok(Box::new(Ready))
    }
}

impl Gate for Ready {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let Some(workload) = evidence.workload else {
            let object = &evidence.region.workload;
            let sentence = format!("{region}: {} {}/{} was not seen", object.kind, object.namespace, object.name);
            return only_if_seen(evidence, Judgement::new(Verdict::NoData, "unseen", sentence));
        };
        let judged = judge(evidence, workload);
        let seen = format!(
            "generation {} of {}, template {}, {}",
            workload.observed_generation,
            workload.generation,
            workload.template.short(),
            counts(workload)
        );
        only_if_seen(evidence, judged.because(seen))
    }
}

fn counts(workload: &Workload) -> String {
    let r = workload.replicas;
    format!("{} of {} updated, {} available", r.updated, r.desired, r.available)
}

fn judge(evidence: &Evidence<'_>, workload: &Workload) -> Judgement {
    let region = &evidence.region.name;
    let r = workload.replicas;
    if workload.phase == Phase::DeadlineExceeded {
        let why = workload.progress.failure.as_deref().unwrap_or("no message");
        let sentence = format!("{region}: the progress deadline passed with {} ({why})", counts(workload));
        return Judgement::new(Verdict::NoGo, "deadline", sentence);
    }
    if workload.phase == Phase::Degraded {
        let why = workload.progress.failure.as_deref().unwrap_or("its controller gave it up");
        let sentence = format!("{region}: {} did not roll out ({why}), {}", workload.version, counts(workload));
        return Judgement::new(Verdict::NoGo, "degraded", sentence);
    }
    // What a pipeline reports has a version and no container.
    if workload.image.is_none() && !evidence.region.is_reported() {
        let sentence = format!("{region}: there is no container {}", evidence.region.workload.container);
        return Judgement::new(Verdict::NoData, "container", sentence);
    }
    if let Some(wanted) = other_template(evidence) {
        let sentence = format!(
            "{region}: runs template {} ({}), the release wants {}",
            workload.template.short(),
            workload.version,
            wanted.short()
        );
        return Judgement::new(Verdict::Wait, workload.version.to_string(), sentence);
    }
    if workload.paused {
        let sentence = format!("{region}: paused with {}", counts(workload));
        return Judgement::new(Verdict::Wait, "paused", sentence);
    }
    if let Some(stuck) = workload.stuck(evidence.now) {
        let text = stuck.text(evidence.now);
        let sentence = format!("{region}: rolling out, {text}");
        let mut judged = Judgement::new(Verdict::Wait, format!("{}/{} new", stuck.ready, stuck.new), sentence);
        judged.findings.push(Finding::new(Severity::Warning, "not-ready", region.as_str(), text));
        return judged;
    }
    match workload.phase {
        Phase::Complete if r.desired == 0 => {
            let text = "scaled to zero: nothing runs that could show a fault";
            let mut judged = Judgement::new(Verdict::Findings, "0 pods", format!("{region}: {text}"));
            judged.findings.push(Finding::new(Severity::Warning, "no-replicas", region.as_str(), text));
            judged
        }
        Phase::Complete => {
            let sentence = format!("{region}: {} is rolled out, {}", workload.version, counts(workload));
            Judgement::new(Verdict::Go, format!("{}/{}", r.available, r.desired), sentence)
        }
        Phase::Unobserved => {
            let sentence = format!("{region}: the controller has not seen generation {} yet", workload.generation);
            Judgement::new(Verdict::Wait, "unobserved", sentence)
        }
        Phase::Partitioned => {
            let kept = workload.progress.partition.unwrap_or(0);
            let sentence = format!("{region}: {}; pods below partition {kept} run what ran before", counts(workload));
            Judgement::new(Verdict::Wait, format!("{}/{}", r.updated, r.desired), sentence)
        }
        Phase::OnDelete => {
            let sentence = format!(
                "{region}: {}; pods change only when somebody deletes them (OnDelete), so nothing says when it is \
                 rolled out",
                counts(workload)
            );
            Judgement::new(Verdict::NoData, "on delete", sentence)
        }
        Phase::AtStep => {
            let steps = workload.progress.steps.as_deref();
            let place = steps.map_or_else(|| "a step".to_owned(), |s| s.place());
            let waits = steps.and_then(|s| s.pauses.first()).map(|p| format!(": {}", p.text(evidence.now)));
            let waits = waits.unwrap_or_default();
            let sentence = format!("{region}: stops at {place}{waits}; {}", counts(workload));
            let short = steps.and_then(|s| s.count()).map_or_else(|| "at a step".to_owned(), |c| format!("step {c}"));
            Judgement::new(Verdict::Wait, short, sentence)
        }
        phase => {
            let sentence = format!("{region}: {}, {}", phase.word(), counts(workload));
            let sentence = match &workload.progress.snag {
                Some(snag) => format!("{sentence}; if nothing moves: {snag}"),
                None => sentence,
            };
            Judgement::new(Verdict::Wait, format!("{}/{}", r.updated.min(r.available), r.desired), sentence)
        }
    }
}
