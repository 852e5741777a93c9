//! Accept what stands in a gate's way: a fact in each region's own record, bound to what runs there.

use super::{Desk, StepParts, digest, targets};
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::Service;
use crate::domain::id::{ColumnName, RegionIx, Text};
use crate::domain::intent::{Intent, Target};
use crate::domain::plan::{Plan, PlanId, Refusal, Step};
use crate::domain::record::{Body, Fact, FactId};
use crate::domain::text::did_you_mean;
use crate::domain::verdict::Stretch;

/// A stretch that a gate of the board would let pass if a person accepted it, with what the gate says.
struct InTheWay {
    region: RegionIx,
    stretch: Stretch,
    sentence: Text,
}

pub(super) fn draft(
    desk: &mut Desk<'_>,
    id: PlanId,
    intent: &Intent,
    column: Option<&ColumnName>,
) -> Result<Plan, Refusal> {
    if let Some(unknown) = column.filter(|c| !desk.service.columns.iter().any(|known| known.name == **c)) {
        return Err(no_column(desk.service, unknown));
    }
    let regions = targets(desk.service, &intent.target);
    let found = in_the_way(desk, &regions, column);
    let mut hit: Vec<RegionIx> = found.iter().map(|f| f.region).collect();
    hit.dedup();
    if hit.is_empty() {
        return Err(Refusal::new(
            "nothing-to-do",
            format!("nothing that can be accepted stands in the way in {}", desk.names(&regions)),
            "a violation can be accepted when it is over, a gap when samples come again",
        ));
    }
    let mut steps = Vec::new();
    for at in &hit {
        let stretches = found.iter().filter(|f| f.region == *at).map(|f| f.stretch.clone()).collect();
        steps.push(step(desk, *at, stretches, intent)?);
    }
    let columns: Vec<&str> = found.iter().map(|f| f.stretch.column.as_str()).collect();
    let columns = unique(columns).join(", ");
    let name: Text = match &intent.target {
        Target::Ring(ring) => desk.service.ring(*ring).map_or_else(|| "?".into(), |r| r.name.as_str().into()),
        _ => desk.names(&hit).into(),
    };
    let finding =
        |f: &InTheWay| Finding::new(Severity::Warning, "accepts", desk.region_name(f.region), f.sentence.clone());
    Ok(Plan {
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("accept {columns} in {name}").into(),
        after: "these windows no longer stand in the way while what runs runs; others do".into(),
        way_back: "another template is judged anew; H holds what must not go on".into(),
        parallelism: steps.len(),
        blast: desk.blast(hit.clone()),
        findings: found.iter().map(finding).collect(),
        steps,
        name,
        ring: None,
        rests_on: Vec::new(),
    })
}

fn no_column(service: &Service, column: &ColumnName) -> Refusal {
    let names: Vec<&str> = service.columns.iter().map(|c| c.name.as_str()).collect();
    let hint = match did_you_mean(column.as_str(), names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("columns are {}", names.join(", ")),
    };
    Refusal::new("unknown", format!("{} has no column {column}", service.name), hint)
}

/// What the board's gates name as acceptable in these regions, each stretch once.
fn in_the_way(desk: &Desk<'_>, regions: &[RegionIx], column: Option<&ColumnName>) -> Vec<InTheWay> {
    let rows = desk.state.view.question.iter().flat_map(|q| &q.rows);
    let mut found: Vec<InTheWay> = Vec::new();
    for row in rows {
        let Some(region) = row.region.filter(|at| regions.contains(at)) else { continue };
        for judged in row.cells.iter().flatten() {
            let Some(stretch) = judged.acceptable.as_ref() else { continue };
            let wanted = column.is_none_or(|c| *c == stretch.column);
            if wanted && !found.iter().any(|f| f.region == region && f.stretch == *stretch) {
                found.push(InTheWay { region, stretch: stretch.clone(), sentence: judged.sentence.clone() });
            }
        }
    }
    found.sort_by_key(|f| f.region);
    found
}

/// The facts of one region, about the template that was read just now.
fn step(desk: &mut Desk<'_>, at: RegionIx, stretches: Vec<Stretch>, intent: &Intent) -> Result<Step, Refusal> {
    let region = desk.region(at)?.clone();
    let kind = desk.kind(&region)?;
    let template = digest(kind, desk.workload(at)?);
    let judged = desk.region_state(at).and_then(|s| s.workload.as_ref()).map(|w| w.template);
    let Some(template) = template.filter(|t| judged == Some(*t)) else {
        return Err(Refusal::new(
            "changed",
            format!("{}: runs another template than the one that was judged", region.name),
            "look at the board again",
        ));
    };
    let by = desk.by(&region);
    let reason = intent.reason.clone().unwrap_or_else(|| "".into());
    let columns = unique(stretches.iter().map(|s| s.column.as_str()).collect()).join(", ");
    let mut facts = Vec::new();
    for stretch in stretches {
        let id = FactId(desk.ids.next(desk.now));
        let body = Body::Accepted { stretch, template, reason: reason.clone() };
        facts.push(Fact { id, by: by.clone(), at: desk.now, journal: desk.journal.clone(), body });
    }
    desk.step(at, StepParts::facts(format!("accept {columns}"), facts))
}

fn unique(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names.dedup();
    names
}
