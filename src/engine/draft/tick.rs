//! Tick: a step of a checklist was taken by hand, or taken back; a fact in the region's record.

use super::{Desk, StepParts, targets};
use crate::domain::finding::{Finding, Severity};
use crate::domain::id::{RegionIx, RingIx, Text};
use crate::domain::intent::Intent;
use crate::domain::plan::{Plan, PlanId, Refusal, Step};
use crate::domain::record::Body;
use crate::domain::version::Version;
use crate::gates::{Steps, WayBack, checklists, is_done};

pub(super) fn draft(
    desk: &mut Desk<'_>,
    id: PlanId,
    intent: &Intent,
    item: Option<&Text>,
    done: bool,
) -> Result<Plan, Refusal> {
    let regions = targets(desk.service, &intent.target);
    let mut steps: Vec<Step> = Vec::new();
    let mut findings = Vec::new();
    let mut refused: Option<Refusal> = None;
    let mut what: Text = item.cloned().unwrap_or_else(|| "?".into());
    for at in regions.clone() {
        match region(desk, at, item, done, &mut findings) {
            Ok((name, step)) => {
                what = name;
                steps.push(step);
            }
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    if steps.is_empty() {
        return Err(refused.unwrap_or_else(|| Refusal::new("nothing", "no region is selected", "select a region")));
    }
    if let Some(refusal) = refused {
        let text = format!("not in this plan: {}", refusal.text);
        findings.push(Finding::new(Severity::Note, "left-out", "plan", text));
    }
    let regions: Vec<RegionIx> = steps.iter().map(|s| s.region).collect();
    let word = if done { "tick" } else { "untick" };
    let names = desk.names(&regions);
    Ok(Plan {
        id,
        intent: intent.clone(),
        service: desk.at,
        title: format!("{word} {what} in {names}").into(),
        after: format!("the board shows {what} as {}", if done { "done" } else { "open" }).into(),
        way_back: format!("`:{}tick {names} {what}` says the opposite", if done { "un" } else { "" }).into(),
        parallelism: steps.len(),
        blast: desk.blast(regions),
        findings,
        steps,
        name: names.as_str().into(),
        ring: None,
        rests_on: Vec::new(),
    })
}

/// The fact of one region, and the step it is about: the one named, else the first that is open.
fn region(
    desk: &mut Desk<'_>,
    at: RegionIx,
    item: Option<&Text>,
    done: bool,
    findings: &mut Vec<Finding>,
) -> Result<(Text, Step), Refusal> {
    let region = desk.region(at)?.clone();
    let lists = desk.ring_of(at).map(checklists).unwrap_or_default();
    if lists.is_empty() {
        return Err(Refusal::new(
            "no-gate",
            format!("{}: its ring has no `checklist`", region.name),
            "add `{ gate = \"checklist\", items = […] }` to its `entry` or `exit`",
        ));
    }
    let version = version(desk, at, region.ring).ok_or_else(|| {
        Refusal::new("stale", format!("what {} runs is not known", region.name), "R tries its cluster again")
    })?;
    let record = desk.state.record.region(at);
    let open = |list: &Steps| -> Option<Text> {
        let names = list.items.iter().map(|i| &i.name).chain(&list.must_close);
        names.into_iter().find(|n| !is_done(record, &list.name, n, &version)).cloned()
    };
    let found = match item {
        Some(item) => lists.iter().find(|l| l.has(item)).map(|l| (l, item.clone())),
        None if done => lists.iter().find_map(|l| Some((l, open(l)?))),
        None => None,
    };
    let Some((list, item)) = found else {
        let known: Vec<String> = lists
            .iter()
            .flat_map(|l| l.items.iter().map(|i| &i.name).chain(&l.must_close))
            .map(ToString::to_string)
            .collect();
        let text = match item {
            Some(item) => format!("{}: there is no step {item}", region.name),
            None if done => format!("{}: every step is done for {version}", region.name),
            None => format!("{}: say which step is taken back", region.name),
        };
        return Err(Refusal::new("unknown", text, format!("the steps are: {}", known.join(", "))));
    };
    if is_done(record, &list.name, &item, &version) == done {
        let word = if done { "done" } else { "open" };
        return Err(Refusal::new(
            "nothing-to-do",
            format!("{}: {item} is {word} already for {version}", region.name),
            "nothing is to be done",
        ));
    }
    let place = list.items.iter().position(|i| i.name == item);
    if let (true, Some(place)) = (done, place)
        && let Some(first) = list.items.iter().take(place).find(|i| !is_done(record, &list.name, &i.name, &version))
    {
        return Err(Refusal::new(
            "order",
            format!("{}: {} comes before {item}, and is open", region.name, first.name),
            "steps are taken in order",
        ));
    }
    if let Some(WayBack::Irreversible(why)) = place.and_then(|p| list.items.get(p)).map(|i| &i.way_back) {
        let text = if done {
            format!("{}: {item} is irreversible ({why}): from then on only forward", region.name)
        } else {
            format!("{}: {item} was irreversible ({why}); taking back the tick does not undo it", region.name)
        };
        findings.push(Finding::new(Severity::Warning, "irreversible", region.name.as_str(), text));
    }
    let name = list.name.clone();
    let body = Body::Checked { list: name, item: item.clone(), version: version.0.clone(), done, reason: "".into() };
    let fact = desk.fact(&region, body);
    let label = format!("{item} {} for {version}", if done { "done" } else { "open again" });
    Ok((item, desk.step(at, StepParts::facts(label, vec![fact]))?))
}

/// What the steps are about: what would enter the region's ring, else what it runs.
fn version(desk: &Desk<'_>, at: RegionIx, ring: RingIx) -> Option<Version> {
    let asked = desk.state.view.question.as_ref().filter(|q| q.ring == ring).map(|q| q.version.clone());
    asked.or_else(|| desk.region_state(at)?.workload.as_ref().map(|w| w.version.clone()))
}
