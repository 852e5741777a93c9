//! Drill: the fact that a rollback was walked through, in each region that it would have hit.

use super::{Desk, StepParts, targets};
use crate::domain::finding::{Finding, Severity};
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::{Drill, Intent, Verb};
use crate::domain::plan::{Plan, PlanId, Refusal};
use crate::domain::record::Body;
use crate::engine::drills::{due_sentence, is_due, last, seconds, sentence};

pub(super) fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent, drill: &Drill) -> Result<Plan, Refusal> {
    let regions = targets(desk.service, &intent.target);
    let mut steps = Vec::new();
    for at in regions.iter().copied() {
        let region = desk.region(at)?.clone();
        let ring = desk.ring_of(at).map_or_else(|| Text::from("?"), |r| r.name.as_str().into());
        let body =
            Body::Drilled { ring, from: drill.from.clone(), to: drill.to.clone(), took: drill.took, real: drill.real };
        let fact = desk.fact(&region, body);
        let label = format!("drilled in {}", seconds(drill.took));
        steps.push(desk.step(at, StepParts::facts(label, vec![fact]))?);
    }
    let names = desk.names(&regions);
    let how = if drill.real { "for real" } else { "by dry-run" };
    Ok(Plan {
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("drill {names}: {} → {} in {}, {how}", drill.from, drill.to, seconds(drill.took)).into(),
        after: "the prompt of a rollback there says how long it took".into(),
        way_back: "none is needed: nothing that runs is changed by this".into(),
        parallelism: steps.len(),
        blast: desk.blast(regions),
        findings: Vec::new(),
        steps,
        name: names.as_str().into(),
        ring: None,
        rests_on: Vec::new(),
    })
}

/// How long the way back took when it was last tried; before a promotion, that nobody tried it lately.
pub(super) fn finding(desk: &Desk<'_>, plan: &Plan) -> Option<Finding> {
    let record = &desk.state.record;
    let regions: &[RegionIx] = &plan.blast.regions;
    match &plan.intent.verb {
        Verb::RollBack { .. } | Verb::Abort => {
            let (fact, took, real) = last(record, regions)?;
            Some(Finding::new(Severity::Note, "drill", desk.names(regions), sentence(&fact, took, real)))
        }
        Verb::Promote { .. } => {
            let ring = desk.ring_of(*regions.first()?).filter(|ring| is_due(record, ring, desk.now))?;
            let text = due_sentence(desk.service, &[ring])?;
            Some(Finding::new(Severity::Note, "drill", ring.name.as_str(), text))
        }
        _ => None,
    }
}
