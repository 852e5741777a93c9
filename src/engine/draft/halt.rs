//! What a hold does to what delivers a region: it brings nothing by itself until the hold is released.
//!
//! As all of a hold it goes out from what is known. What was taken away is a fact beside the workload, so that the
//! release gives back exactly that.

use super::{Desk, SOON, StepParts, patch};
use crate::delivery::{DeliveryTool, Writing, tool};
use crate::domain::change::ObjectRef;
use crate::domain::finding::{Finding, Severity};
use crate::domain::fleet::{DeliveryRef, OnHold, Region, Service};
use crate::domain::id::{RegionIx, Text};
use crate::domain::plan::{Expectation, Refusal, Step};
use crate::domain::record::{Body, FactId};
use crate::engine::state::ServiceState;

/// What delivers a region, with its tool, where a hold concerns it.
fn concerned(region: &Region) -> Option<(&DeliveryRef, &'static dyn DeliveryTool)> {
    let delivery = region.delivery.as_ref().filter(|d| d.on_hold != OnHold::Leave)?;
    Some((delivery, tool(&delivery.kind)?))
}

fn object(delivery: &DeliveryRef, tool: &dyn DeliveryTool) -> ObjectRef {
    ObjectRef {
        cluster: delivery.cluster,
        api: tool.api(),
        namespace: delivery.namespace.clone(),
        name: delivery.name.clone(),
    }
}

/// What a hold with this identity does to what delivers a region.
pub(super) fn halt(
    desk: &mut Desk<'_>,
    at: RegionIx,
    hold: FactId,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Step>, Refusal> {
    let region = desk.region(at)?.clone();
    let Some((delivery, tool)) = concerned(&region) else { return Ok(Vec::new()) };
    let object = object(delivery, tool);
    let warn = |text: String| Finding::new(Severity::Warning, "not-halted", region.name.as_str(), text);
    let Some(known) = desk.region_state(at).and_then(|s| s.delivery.clone()) else {
        let cluster = desk.fleet.cluster_name(delivery.cluster);
        findings
            .push(warn(format!("{}: {object} of {cluster} was not seen: it may bring changes by itself", region.name)));
        return Ok(Vec::new());
    };
    let mut steps = Vec::new();
    match tool.halt(&known) {
        Ok(None) => {}
        Err(still) => findings.push(warn(format!("{} {}: {}", region.name, still.why, still.hint))),
        Ok(Some(writing)) => {
            let was = writing.was.as_ref().map_or_else(|| "".into(), |(_, was)| was.clone());
            let fact = desk.fact(&region, Body::Halted { hold, object: object.to_string().into(), was });
            let parts = StepParts { facts: vec![fact], ..parts(&object, writing, Expectation::Delivers(false)) };
            steps.push(desk.step(at, parts)?);
        }
    }
    if delivery.on_hold == OnHold::Terminate
        && let Some(writing) = tool.terminate(&known)
    {
        steps.push(desk.step(at, parts(&object, writing, Expectation::Idle))?);
    }
    Ok(steps)
}

fn parts(object: &ObjectRef, writing: Writing, expect: Expectation) -> StepParts {
    StepParts {
        label: format!("{}: {}", object.name, writing.label).into(),
        main: Some(patch(object.clone(), writing.operations)),
        facts: Vec::new(),
        event: None,
        diff: writing.diff,
        expect: vec![expect],
        limit: SOON,
    }
}

/// Regions whose delivery a hold of ours keeps from bringing anything by itself.
pub(super) fn open_halt(desk: &Desk<'_>, at: RegionIx) -> Option<(Vec<FactId>, Text)> {
    let halts: Vec<_> = desk.state.record.region(at)?.halts().collect();
    // The first took away what others had set.
    let was = halts.iter().map(|(_, was)| *was).find(|was| !was.is_empty())?.clone();
    Some((halts.iter().map(|(fact, _)| fact.id).collect(), was))
}

/// Gives back what a hold took away in a region; none: nothing was, or somebody gave it back already.
pub(super) fn go_on(desk: &mut Desk<'_>, at: RegionIx, findings: &mut Vec<Finding>) -> Result<Option<Step>, Refusal> {
    let Some((halts, was)) = open_halt(desk, at) else { return Ok(None) };
    let region = desk.region(at)?.clone();
    let left = |why: String| {
        let text = format!("{}: what delivers it stays without `automated`: {why}", region.name);
        Finding::new(Severity::Override, "left-halted", region.name.as_str(), text)
    };
    let Some((delivery, tool)) = region.delivery.as_ref().and_then(|d| Some((d, crate::delivery::tool(&d.kind)?)))
    else {
        findings.push(left("the configuration names nothing that delivers it any more".to_owned()));
        return Ok(None);
    };
    let object = object(delivery, tool);
    let read = match desk.objects.besides.get(&object) {
        Some(Ok(Some(read))) => read.clone(),
        Some(Ok(None)) => {
            findings.push(left(format!("{object} does not exist")));
            return Ok(None);
        }
        Some(Err(reason)) => {
            let (word, text) = reason.text();
            findings.push(left(format!("{object}: {word}: {text}")));
            return Ok(None);
        }
        None => {
            findings.push(left(format!("{object} was not read")));
            return Ok(None);
        }
    };
    let writing = match tool.go_on(&read, &was) {
        Err(still) => {
            findings.push(left(format!("{} {}", still.why, still.hint)));
            return Ok(None);
        }
        Ok(writing) => writing,
    };
    let ended: Vec<_> = halts.into_iter().map(|halted| desk.fact(&region, Body::Unhalted { halted })).collect();
    let Some(writing) = writing else {
        // Somebody gave it back: then only the record says that we owe nothing.
        return desk.step(at, StepParts::facts("what delivers it is automated already", ended)).map(Some);
    };
    findings.extend(writing.notes.iter().map(|note| {
        Finding::new(
            Severity::Warning,
            "delivers",
            region.name.as_str(),
            format!("{}: {} {note}", region.name, object.name),
        )
    }));
    let parts = StepParts { facts: ended, ..parts(&object, writing, Expectation::Delivers(true)) };
    desk.step(at, parts).map(Some)
}

/// What is to be read before anything can be given back.
pub(super) fn reads_back(service: &Service, state: &ServiceState) -> impl Iterator<Item = ObjectRef> {
    let halted = |at: &RegionIx| state.record.region(*at).is_some_and(|r| r.halts().next().is_some());
    service.region_indexes().filter(halted).filter_map(|at| {
        let delivery = service.region(at)?.delivery.as_ref()?;
        Some(object(delivery, tool(&delivery.kind)?))
    })
}
