//! Between the steps of a plan: when one may start that waits for those before it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Engine;
use super::draft::Read;
use super::effect::Effect;
use super::operation::{Operation, Outcome, StepState};
use crate::domain::change::ObjectRef;
use crate::domain::fleet::Unit;
use crate::domain::id::{RegionIx, Text};
use crate::domain::plan::{Plan, Start, Step};
use crate::domain::stamp::SignedDuration;

/// A fact that was not answered by then is not waited for: lowering is not held up by a region that is away.
const TRIED: Duration = Duration::from_secs(5);
/// Weights that were not read by then are not known.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// A sample older than this says nothing about traffic now.
const SAMPLE_LIFE: SignedDuration = SignedDuration::from_secs(90);

/// Whether a step may start.
pub(super) enum May {
    /// Now.
    Start,
    /// Not yet.
    Wait,
    /// Not at all.
    End(Outcome, Text),
}

/// Weights that are read anew.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    /// Since when: an answer to an earlier question tells nothing.
    since: Duration,
    /// Objects that were not answered.
    missing: BTreeSet<ObjectRef>,
    /// Objects that could not be read: what is remembered of them is older than the question.
    failed: BTreeSet<ObjectRef>,
}

/// How far the steps before one are.
enum Before {
    /// All are over as they were meant, the last of them then.
    Over(Option<crate::domain::stamp::Stamp>),
    /// One is under way.
    UnderWay,
    /// One is over, and not as it was meant: why none follows.
    Failed(Text),
}

/// It writes facts and nothing else.
fn is_only_facts(step: &Step) -> bool {
    let record = step.facts.as_ref().map(|(object, _)| object);
    record.is_some() && step.main().and_then(|w| w.change.object()) == record
}

impl Engine {
    pub(super) fn may_start(&mut self, at: usize, step: usize, effects: &mut Vec<Effect>) -> May {
        let Some(operation) = self.operations.get(at) else { return May::Wait };
        let plan = operation.plan.clone();
        match plan.steps.get(step).map(|s| s.start) {
            None => May::Wait,
            Some(Start::AtOnce) => May::Start,
            Some(Start::Then(dwell)) => match self.before(operation, step) {
                Before::UnderWay => May::Wait,
                Before::Failed(why) => May::End(Outcome::Cancelled, why),
                Before::Over(last) => {
                    if dwell.is_zero() {
                        return May::Start;
                    }
                    if let Some(why) = self.breach(&plan) {
                        return May::End(Outcome::Cancelled, why);
                    }
                    match last {
                        Some(last) if self.now.since(last) < dwell => May::Wait,
                        _ => May::Start,
                    }
                }
            },
            Some(Start::IfNoneServes) => self.is_needed(at, step, &plan, effects),
        }
    }

    fn before(&self, operation: &Operation, step: usize) -> Before {
        let mut last = None;
        let memory = self.memory.get(&operation.plan.id);
        for (i, (spec, state)) in operation.plan.steps.iter().zip(&operation.steps).enumerate().take(step) {
            match state {
                StepState::Sending { since, .. } if is_only_facts(spec) => {
                    if self.now.since(*since) < TRIED {
                        return Before::UnderWay;
                    }
                }
                StepState::Pending => return Before::UnderWay,
                _ if is_only_facts(spec) => {}
                StepState::Ended(Outcome::Settled, _) => {
                    last = last.max(memory.and_then(|m| m.get(i)).and_then(|m| m.over));
                }
                StepState::Ended(Outcome::Cancelled, why) => return Before::Failed(why.clone()),
                StepState::Ended(..) => return Before::Failed("stopped: the step before was not seen".into()),
                _ => return Before::UnderWay,
            }
        }
        Before::Over(last)
    }

    /// A region that carries more than it can, other than those that the plan is about, and what to do about it.
    fn breach(&self, plan: &Plan) -> Option<Text> {
        let (service, state) = self.fleet.service(plan.service).zip(self.services.get(plan.service.at()))?;
        let column = service.traffic_column()?;
        let drained = plan.blast.regions.iter().filter_map(|at| service.region(*at)).map(|r| r.name.as_str());
        let drained = drained.collect::<Vec<_>>().join(", ");
        let now = self.server_now();
        let over = |at: RegionIx| -> Option<Text> {
            let region = service.region(at)?;
            let capacity = region.capacity?.qps;
            let (when, reading) = state.region(at)?.current.get(&column.name)?;
            let fresh = now.duration_since(*when) <= SAMPLE_LIFE;
            let qps = reading.as_ref().ok().copied().filter(|q| fresh && *q > capacity)?;
            let show = |v: f64| Unit::PerSecond.show(v);
            let (qps, capacity) = (show(qps), show(capacity));
            Some(format!("stopped: {} carries {qps} of {capacity} QPS: U on {drained} restores it", region.name).into())
        };
        service.region_indexes().filter(|at| !plan.blast.regions.contains(at)).find_map(over)
    }

    /// Whether a step is needed that takes back what those before it did: all weights are read anew first.
    fn is_needed(&mut self, at: usize, step: usize, plan: &Plan, effects: &mut Vec<Effect>) -> May {
        let Some(operation) = self.operations.get(at) else { return May::Wait };
        let before = operation.plan.steps.iter().zip(&operation.steps).take(step).filter(|(s, _)| !is_only_facts(s));
        let ends: Option<Vec<Outcome>> = before
            .map(|(_, state)| match state {
                StepState::Ended(outcome, _) => Some(*outcome),
                _ => None,
            })
            .collect();
        let Some(ends) = ends else { return May::Wait };
        if ends.iter().all(|o| matches!(o, Outcome::Refused | Outcome::Cancelled)) {
            return May::End(Outcome::Cancelled, "not needed: nothing was written".into());
        }
        let now = self.now.mono;
        let reading = self.step_memory(plan.id, step).and_then(|m| m.reading.clone());
        let Some(reading) = reading else {
            let objects: BTreeSet<ObjectRef> = self.weighed(plan).into_iter().map(|(_, object)| object).collect();
            let reading = Reading { since: now, missing: objects.clone(), failed: BTreeSet::new() };
            if let Some(memory) = self.step_memory(plan.id, step) {
                memory.reading = Some(reading);
            }
            for object in objects {
                self.look_at(object, effects);
            }
            return May::Wait;
        };
        let is_late = now.saturating_sub(reading.since) >= READ_WITHIN;
        if !reading.missing.is_empty() && !is_late {
            return May::Wait;
        }
        let unread = !reading.failed.is_empty() || !reading.missing.is_empty();
        let Some((service, state)) = self.fleet.service(plan.service).zip(self.services.get(plan.service.at())) else {
            return May::Wait;
        };
        let weight = |at: RegionIx| state.region(at)?.weight(service.region(at)?).filter(|w| *w > 0);
        let read = |object: &ObjectRef| !reading.missing.contains(object) && !reading.failed.contains(object);
        let serves = self.weighed(plan).into_iter().find(|(at, object)| read(object) && weight(*at).is_some());
        match serves.and_then(|(at, _)| service.region(at)) {
            Some(region) => May::End(Outcome::Settled, format!("not needed: {} has a weight", region.name).into()),
            None if unread => {
                let why =
                    "whether another region is left with a weight could not be read: look, and restore if none is";
                May::End(Outcome::Unknown, why.into())
            }
            None => May::Start,
        }
    }

    /// Regions whose weights share the traffic that a plan moves, each with the object that holds it.
    fn weighed(&self, plan: &Plan) -> Vec<(RegionIx, ObjectRef)> {
        let Some(service) = self.fleet.service(plan.service) else { return Vec::new() };
        let provider = |at: RegionIx| service.region(at)?.route.as_ref().map(|r| &r.provider);
        let mine: Vec<_> = plan.blast.regions.iter().filter_map(|at| provider(*at)).collect();
        let alike = |at: &RegionIx| provider(*at).is_some_and(|p| mine.contains(&p));
        let object = |at: RegionIx| Some((at, self.object_of(plan.service, &Read::Route(at))?));
        service.region_indexes().filter(alike).filter_map(object).collect()
    }

    /// A read of an object was answered, or failed.
    pub(super) fn tell_weight(&mut self, object: &ObjectRef, sent: Duration, is_read: bool) {
        for memory in self.memory.values_mut().flatten() {
            if let Some(reading) = memory.reading.as_mut().filter(|r| sent >= r.since)
                && reading.missing.remove(object)
                && !is_read
            {
                reading.failed.insert(object.clone());
            }
        }
    }
}
