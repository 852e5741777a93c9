//! Accepted is not done: whether what a step wrote is what the cluster shows.

use std::time::Duration;

use super::Engine;
use super::draft::Read;
use super::effect::Effect;
use super::execute::{LOOK_EVERY, RETRY_FOR, StepMemory, sends_again};
use super::operation::{Outcome, StepState};
use crate::domain::change::Change;
use crate::domain::id::{Place, Text};
use crate::domain::intent::Verb;
use crate::domain::outside::{GitChange, Outside, Push};
use crate::domain::plan::{Expectation, Plan, Start, Step, WriteRole};
use crate::domain::record::FactId;
use crate::domain::stamp::Stamp;
use crate::domain::verify::{Check, delivers, verify};
use crate::domain::workload::Workload;
use crate::kinds::WorkloadKind;
use crate::traffic::TrafficProvider;

/// A rollback that somebody paused is given up after this: it would wait for a person.
const STANDS_STILL: Duration = Duration::from_secs(60);

/// A commit that left on a branch of its own: what is done is done, and what people do with it comes later.
fn waits_for_people(spec: &Step) -> Option<&Text> {
    match spec.main().map(|main| &main.change) {
        Some(Change::Outside(Outside::Git(GitChange { push: Push::Branch(branch), .. }))) => Some(branch),
        _ => None,
    }
}

impl Engine {
    pub(super) fn verify_step(&mut self, at: usize, step: usize, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(operation) = self.operations.get(at) else { return };
        let Some(StepState::Verifying { since, .. }) = operation.steps.get(step) else { return };
        let since = *since;
        let plan = operation.plan.clone();
        let Some(spec) = plan.steps.get(step) else { return };
        let place: Place = (plan.service, spec.region);
        let memory = self.memory.get(&plan.id).and_then(|m| m.get(step)).cloned().unwrap_or_default();
        let check = match self.unreported(place, spec, since).unwrap_or_else(|| self.check(place, spec, &memory)) {
            Check::Missing(what) => match self.paused_back(&plan, place, &memory) {
                Some(why) if now.since(since) >= STANDS_STILL => Check::Never(why),
                Some(why) => Check::Missing(why),
                None => Check::Missing(what),
            },
            check => check,
        };
        let again = memory.lost && sends_again(&plan, spec);
        // What can be sent again is not given up before what could not be sent at all.
        let first = memory.begun.unwrap_or(operation.started);
        let late = if again { now.since(first) >= RETRY_FOR } else { now.since(since) >= spec.limit };
        match check {
            Check::Seen if spec.start == Start::IfNoneServes => {
                let why =
                    "no region was left with a weight, another was drained at the same time: this one was put back";
                self.end_step(at, step, Outcome::Diverged, why.into(), effects);
            }
            Check::Seen => {
                let took = crate::domain::stamp::short(now.since(since).try_into().unwrap_or_default());
                let why = match waits_for_people(spec) {
                    Some(branch) => format!("pushed as {branch}: nothing moves until somebody merges it"),
                    None => format!("seen after {took}"),
                };
                self.end_step(at, step, Outcome::Settled, why.into(), effects);
            }
            Check::Never(why) if self.is_put_back(place, spec, &memory) => {
                let seen = self.what_puts_back(place, &why);
                let why = self.blame_revert(plan.id, step, seen, effects);
                self.end_step(at, step, Outcome::Diverged, why, effects);
            }
            Check::Never(why) => self.end_step(at, step, Outcome::Diverged, why, effects),
            Check::Missing(_) if again && memory.read && memory.overtaken => {
                let why = self.blame_step(plan.id, step, effects);
                self.end_step(at, step, Outcome::Refused, why, effects);
            }
            Check::Missing(_) if again && memory.read => {
                self.retry(at, step, "no answer came, and reading shows that it did not arrive".into(), effects);
            }
            Check::Missing(what) if late && memory.lost => {
                let why = format!("the reply was lost, and reading does not show it: {what}").into();
                self.end_step(at, step, Outcome::Unknown, why, effects);
            }
            Check::Missing(what) if late => {
                let limit = crate::domain::stamp::short(spec.limit.try_into().unwrap_or_default());
                let why = format!("not seen within {limit}: {what}").into();
                self.end_step(at, step, Outcome::Diverged, why, effects);
            }
            Check::Missing(what) => {
                if let Some(StepState::Verifying { missing, .. }) =
                    self.operations.get_mut(at).and_then(|o| o.steps.get_mut(step))
                {
                    *missing = what;
                }
                self.look(&plan, step, spec, &memory, effects);
            }
        }
    }

    /// What a pipeline reported before it was told says nothing of what became of it.
    fn unreported(&self, place: Place, spec: &Step, since: Stamp) -> Option<Check> {
        let region = self.fleet.service(place.0).and_then(|s| s.region(place.1)).filter(|r| r.is_reported())?;
        spec.main().filter(|m| matches!(m.change, Change::Outside(_)))?;
        // Only what such a report shows waits for one.
        spec.expect.iter().find(|e| matches!(e, Expectation::Runs(_) | Expectation::Paused(_)))?;
        let heard = self.sources.link(region).and_then(|(_, heard)| heard);
        heard.is_none_or(|h| h.mono <= since.mono).then(|| Check::Missing("no report has come since".into()))
    }

    /// A GET where the watch cannot tell: the reply was lost, or the cluster is not live.
    fn look(&mut self, plan: &Plan, step: usize, spec: &Step, memory: &StepMemory, effects: &mut Vec<Effect>) {
        let now = self.now.mono;
        let Some(main) = spec.writes.iter().find(|w| w.role == WriteRole::Main) else { return };
        // What went past the clusters shows in the workload.
        let place = (plan.service, spec.region);
        let shows = match spec.expect.iter().any(|e| matches!(e, Expectation::Weight(_))) {
            true => self.object_of(place.0, &Read::Route(place.1)),
            false => self.workload_object(place),
        };
        let Some(object) = main.change.object().cloned().or(shows) else { return };
        let live = self.clusters.get(object.cluster.at()).is_some_and(|c| c.freshness(self.now).is_live());
        let due = memory.looked.is_none_or(|l| now.saturating_sub(l) >= LOOK_EVERY);
        // Nothing watches what a pipeline runs: it is asked at once, and then as often as ever.
        let first = memory.looked.is_none()
            && [crate::kinds::Pipeline.api(), crate::traffic::Command.api()].contains(&object.api);
        if (first || memory.lost || !live || self.records_unwatched(object.cluster)) && due {
            if let Some(memory) = self.step_memory(plan.id, step) {
                memory.looked = Some(now);
            }
            self.look_at(object, effects);
        }
    }

    fn check(&self, place: Place, spec: &Step, memory: &StepMemory) -> Check {
        let Some(service) = self.services.get(place.0.at()) else { return Check::Missing("no such service".into()) };
        let Some(region) = service.region(place.1) else { return Check::Missing("no such region".into()) };
        let weight = self.fleet.service(place.0).and_then(|s| s.region(place.1)).and_then(|r| region.weight(r));
        let record = service.record.region(place.1);
        let approved =
            |id: FactId| service.record.approvals_in(place.1).any(|(_, a)| a.as_ref().is_ok_and(|a| a.id == id));
        for expected in &spec.expect {
            if *expected == Expectation::Stopped {
                match self.stopped(place) {
                    Check::Seen => continue,
                    other => return other,
                }
            }
            if *expected == Expectation::Answered && memory.lost {
                return Check::Missing("nothing else would show it".into());
            }
            match delivers(expected, region.delivery.as_ref()) {
                Some(Check::Seen) => continue,
                Some(other) => return other,
                None => {}
            }
            // The generation of a route is not the workload's.
            let generation = match expected {
                Expectation::Weight(_) | Expectation::Fact(_) | Expectation::Approval(_) => None,
                _ => memory.generation,
            };
            match verify(expected, region.workload.as_ref(), weight, record, &approved, generation) {
                Check::Seen => {}
                other => return other,
            }
        }
        Check::Seen
    }

    /// Whether a template that was written and seen gave way to another.
    fn is_put_back(&self, place: Place, spec: &Step, memory: &StepMemory) -> bool {
        let workload =
            self.services.get(place.0.at()).and_then(|s| s.region(place.1)).and_then(|r| r.workload.as_ref());
        let Some((workload, generation)) = workload.zip(memory.generation) else { return false };
        let other = |expected: &Expectation| match expected {
            Expectation::Settled(wanted) | Expectation::Partitioned(wanted) | Expectation::Template(wanted) => {
                workload.template != *wanted
            }
            _ => false,
        };
        workload.generation > generation && spec.expect.iter().any(other)
    }

    /// What is seen, and what would do that by itself.
    fn what_puts_back(&self, place: Place, seen: &Text) -> Text {
        let spec = self.fleet.service(place.0).and_then(|s| s.region(place.1)).and_then(|r| r.delivery.as_ref());
        let state = self.services.get(place.0.at()).and_then(|s| s.region(place.1)).and_then(|r| r.delivery.as_ref());
        let Some((spec, _)) = spec.zip(state).filter(|(_, delivery)| delivery.heals()) else { return seen.clone() };
        let tool = crate::delivery::tool(&spec.kind).map_or("its delivery tool", |t| t.name());
        format!(
            "{seen}: {tool} puts back what is written past it ({} {}/{}, self-heal); change what it follows instead",
            spec.kind, spec.namespace, spec.name
        )
        .into()
    }

    /// Why a rollback stands still, if somebody paused it: by which hold, and what lets it go on.
    fn paused_back(&self, plan: &Plan, place: Place, memory: &StepMemory) -> Option<Text> {
        if !matches!(plan.intent.verb, Verb::RollBack { .. } | Verb::Abort) {
            return None;
        }
        let generation = memory.generation?;
        let state = self.services.get(place.0.at())?;
        state.region(place.1)?.workload.as_ref().filter(|w| w.paused && w.in_flight() && w.generation >= generation)?;
        let service = self.fleet.service(place.0)?;
        let region = service.region(place.1)?;
        let whose = match state.holds().into_iter().find(|h| h.scope.covers(service, place.1)) {
            Some(hold) if hold.reason.is_empty() => format!("a hold of {} by {}", hold.scope, hold.by),
            Some(hold) => format!("a hold of {} by {}: {}", hold.scope, hold.by, hold.reason),
            None => "no hold covers it, so somebody paused it by hand".to_owned(),
        };
        let line = format!("`gonogo rollback {} {}` again lets it go on; holds stay", service.name, region.name);
        Some(format!("the rollback of {} stands still because it is paused ({whose}); {line}", region.name).into())
    }

    /// Whether no rollout goes on in a region that could not be read when it was held.
    fn stopped(&self, place: Place) -> Check {
        let service = self.fleet.service(place.0);
        let Some((service, region)) = service.and_then(|s| Some((s, s.region(place.1)?))) else {
            return Check::Missing("no such region".into());
        };
        let live = self.clusters.get(region.cluster.at()).is_some_and(|c| c.freshness(self.now).is_live())
            && self.sources.freshness(region, self.now).is_none_or(|f| f.is_live());
        let state = self.services.get(place.0.at()).and_then(|s| s.region(place.1));
        let record = self.services.get(place.0.at()).and_then(|s| s.record.region(place.1));
        let back = |w: &Workload| record.is_some_and(|r| r.is_rolled_back_to(w.template));
        let line = format!("`gonogo hold {} {}` pauses it", service.name, region.name);
        match state {
            Some(state) if live && state.absent => Check::Seen,
            Some(state) if live && state.workload.as_ref().is_some_and(back) => Check::Seen,
            Some(state) if live && state.workload.is_some() => {
                let workload = state.workload.as_ref();
                match verify(&Expectation::Stopped, workload, None, None, &|_| false, None) {
                    Check::Never(why) => Check::Never(format!("{} is held, but {why}: {line}", region.name).into()),
                    other => other,
                }
            }
            _ => Check::Missing(
                format!("{} cannot be read: a rollout there may not be paused; if so, {line}", region.name).into(),
            ),
        }
    }
}
