//! `analysis`: the analyses of an Argo Rollout in the ring came to a good end.

use super::only_if_seen;
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::steps::{StepAnalysis, Steps};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::workload::Phase;

/// What the analyses of a Rollout are for, as the configuration and as the region's detail call it.
const WHAT: [(&str, &str); 5] = [
    ("step", "step"),
    ("background", "background"),
    ("pre-promotion", "before the switch"),
    ("post-promotion", "after the switch"),
    ("experiment", "experiment"),
];

/// What a Rollout's own analyses say of what runs.
pub struct Analysis;

struct Judge {
    /// Only those that are for this; none: all.
    only: Option<&'static str>,
}

impl GateType for Analysis {
    fn name(&self) -> &'static str {
        "analysis"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "The analyses that an Argo Rollout names in its status were successful. Waits while one runs; NO-GO when one failed; one that was not conclusive, or none at all, is NO DATA."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[Parameter {
            name: "only",
            about: "Only those of one sort: `step`, `background`, `pre-promotion`, `post-promotion` or `experiment`; all unless given.",
            required: false,
        }]
    }
    fn build(&self, params: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let only = match params.0.get("only") {
            None => None,
            Some(Param::Text(text)) if WHAT.iter().any(|(name, _)| name == text) => {
                WHAT.iter().find(|(name, _)| name == text).map(|(_, what)| *what)
            }
            Some(_) => {
                let names = WHAT.map(|(name, _)| format!("`{name}`")).join(", ");
                return Err(ParamError::new("only", format!("`only` is one of {names}")));
            }
        };
        Ok(Box::new(Judge { only }))
    }
}

impl Gate for Judge {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let no_data =
            |cell: &'static str, what: &str| Judgement::new(Verdict::NoData, cell, format!("{region}: {what}"));
        let Some(workload) = evidence.workload else {
            return only_if_seen(evidence, no_data("unseen", "its workload was not seen"));
        };
        let judged = match workload.progress.steps.as_deref() {
            None => no_data("no rollout", "only an Argo Rollout has analyses, and this is none"),
            Some(_) if workload.phase == Phase::Unobserved => {
                let sentence = format!("{region}: the controller has not seen the newest spec yet");
                Judgement::new(Verdict::Wait, "unobserved", sentence)
            }
            Some(steps) => self.of(region.as_str(), steps),
        };
        only_if_seen(evidence, judged)
    }
}

impl Judge {
    fn of(&self, region: &str, steps: &Steps) -> Judgement {
        let asked = |run: &&StepAnalysis| self.only.is_none_or(|only| only == run.what);
        let runs: Vec<&StepAnalysis> = steps.analyses.iter().filter(asked).collect();
        let worst = runs.iter().map(|run| (verdict(&run.phase), *run)).max_by_key(|(verdict, _)| *verdict);
        let Some((verdict, run)) = worst else {
            let sort = self.only.map(|what| format!(" ({what})")).unwrap_or_default();
            return Judgement::new(Verdict::NoData, "none", format!("{region}: its status names no analysis{sort}"));
        };
        let message = if run.message.is_empty() { String::new() } else { format!(": {}", run.message) };
        let phase = if run.phase.is_empty() { "not begun" } else { &*run.phase };
        let cell = phase.to_lowercase();
        let sentence = format!("{region}: analysis {} ({}) is {phase}{message}", run.name, run.what);
        Judgement::new(verdict, cell, sentence)
    }
}

/// What an analysis in this phase means; a phase that is not known is unknown.
fn verdict(phase: &str) -> Verdict {
    match phase {
        "Successful" => Verdict::Go,
        "Failed" | "Error" => Verdict::NoGo,
        "Running" | "Pending" => Verdict::Wait,
        _ => Verdict::NoData,
    }
}

#[cfg(test)]
#[path = "analysis_tests.rs"]
mod tests;
