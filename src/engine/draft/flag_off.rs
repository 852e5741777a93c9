//! Flag off: the flag of a service is switched off by a command or a request of its configuration.
//!
//! Nothing that we read shows it: the answer is all the evidence there is, and a note in the record says who asked.

use super::{Desk, SOON, StepParts, targets};
use crate::carriers::pipeline::shown;
use crate::domain::change::Change;
use crate::domain::finding::{Finding, Severity};
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::{Intent, Target};
use crate::domain::pipeline::VERSION;
use crate::domain::plan::{Expectation, Plan, PlanId, Refusal, Step, Write, WriteRole};
use crate::domain::record::Body;

pub(super) fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent) -> Result<Plan, Refusal> {
    let Some(deed) = desk.service.flag_off.clone() else {
        return Err(Refusal::new(
            "flag-off",
            format!("nothing is configured that switches a flag of {} off", desk.service.name),
            format!("add `[service.{}.flag_off]` with `run` or `path`", desk.service.name),
        ));
    };
    let wanted = targets(desk.service, &intent.target);
    let whole = !deed.is_local();
    // A flag of the service is switched once, wherever the cursor stands.
    let covered: Vec<RegionIx> = if whole { desk.service.region_indexes().collect() } else { wanted };
    let asked = if whole { covered.iter().copied().take(1).collect() } else { covered.clone() };
    let mut steps: Vec<Step> = Vec::new();
    let mut findings = Vec::new();
    for at in asked {
        match step(desk, at, &deed, whole) {
            Ok(step) => steps.push(step),
            // Nothing that happens to one region delays another.
            Err(refusal) => {
                let text = format!("not in this plan: {}", refusal.text);
                findings.push(Finding::new(Severity::Warning, "left-out", desk.region_name(at), text));
                if whole {
                    return Err(refusal);
                }
            }
        }
    }
    if steps.is_empty() {
        let text = findings.first().map_or_else(|| "no region is selected".into(), |f| f.text.clone());
        return Err(Refusal::new("flag-off", text, "look at `flag_off` in the configuration"));
    }
    let text = "no report shows that a flag is off: its answer is all there is; watch the metrics";
    findings.push(Finding::new(Severity::Note, "flag-off", desk.service.name.as_str(), text));
    let name: Text = match &intent.target {
        _ if whole => desk.service.name.as_str().into(),
        Target::Ring(ring) => desk.service.ring(*ring).map_or_else(|| "?".into(), |r| r.name.as_str().into()),
        Target::Service => desk.service.name.as_str().into(),
        Target::Regions(_) => desk.names(&covered).into(),
    };
    Ok(Plan {
        rests_on: Vec::new(),
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("flag off {name}").into(),
        after: "what runs stays: H holds it, B rolls it back, D drains it".into(),
        way_back: "the flag is switched on where it was switched before: not from here".into(),
        parallelism: steps.len(),
        blast: desk.blast(covered),
        findings,
        steps,
        name,
        ring: None,
    })
}

fn step(desk: &mut Desk<'_>, at: RegionIx, deed: &crate::domain::deed::Deed, whole: bool) -> Result<Step, Refusal> {
    let region = desk.region(at)?.clone();
    let runs = desk.region_state(at).and_then(|s| s.workload.as_ref()).map(|w| w.version.0.clone());
    let whereabouts = desk.service.names_of(desk.fleet, &region);
    let mut names = whereabouts.each().to_vec();
    names.extend(runs.as_ref().map(|runs| (VERSION, &**runs)));
    let outside = deed.filled(&format!("{}: flag off", desk.service.name), &names).map_err(|why| {
        let text = format!("{}: its flag cannot be switched off: {why}", region.name);
        Refusal::new("flag-off", text, "look at `flag_off` in the configuration")
    })?;
    let of = if whole { desk.service.name.to_string() } else { region.name.to_string() };
    let note = desk.fact(&region, Body::Note { text: format!("the flag of {of} is switched off").into() });
    let parts = StepParts {
        label: format!("flag of {of} off").into(),
        diff: shown(&outside),
        main: Some(Write { role: WriteRole::Main, change: Change::Outside(outside), if_absent: None }),
        facts: vec![note],
        event: None,
        expect: vec![Expectation::Answered],
        limit: SOON,
    };
    desk.step(at, parts)
}
