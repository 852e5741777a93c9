//! Carries operations out: starts steps, takes answers, verifies what was written.
//!
//! Raising goes region by region in the given order with limited parallelism, and the
//! first divergence stops it. Lowering goes to all regions at once, each on its own;
//! what could not be sent is tried again until done, cancelled or 15 minutes old.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::between::{self, May};
use super::effect::{ActResult, Effect, Note, NoteKind, Ticket};
use super::operation::{Operation, Outcome, StepState};
use crate::domain::challenge::Approved;
use crate::domain::change::ObjectRef;
use crate::domain::id::{ClusterIx, Text};
use crate::domain::intent::{Direction, Verb};
use crate::domain::plan::{Plan, PlanId, Step, WriteRole};
use crate::domain::record::Body;
use crate::domain::stamp::Stamp;

/// How long what could not be sent is tried again.
pub(super) const RETRY_FOR: Duration = Duration::from_secs(15 * 60);
/// Between tries, at first; doubled up to [`RETRY_MOST`].
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// Between tries, at most.
const RETRY_MOST: Duration = Duration::from_secs(15);
/// Between GETs while verifying without a live watch.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(3);
/// A write that was not answered by then counts as lost: the wire has limits of its own, far below.
const ANSWER_MOST: Duration = Duration::from_secs(120);
/// Finished operations that are kept.
const MOST_FINISHED: usize = 64;

/// What the executor remembers of a step besides its state.
#[derive(Clone, Debug, Default)]
pub(super) struct StepMemory {
    /// The reply was lost: only reading can tell.
    pub lost: bool,
    /// When it was lost: an earlier read tells nothing.
    pub lost_at: Duration,
    /// A read sent since then was answered.
    pub read: bool,
    /// It was sent again, and its precondition failed: the first one may have done that.
    pub overtaken: bool,
    /// `metadata.generation` of the accepted object: older views do not count.
    pub generation: Option<i64>,
    /// Tries that could not be sent.
    pub tries: u32,
    /// Last GET for verification.
    pub looked: Option<Duration>,
    /// What went wrong beside the main request.
    pub beside: Option<Text>,
    /// The record's write was sent again already.
    pub record_again: bool,
    /// Facts that a record still lacks, for no reason of its own.
    pub owes: bool,
    /// When it was started first: a step that waits for others has its own time to be sent in.
    pub begun: Option<Stamp>,
    /// When it was over.
    pub over: Option<Stamp>,
    /// Weights that are read before it is decided whether it is needed: since when, and which are missing.
    pub reading: Option<between::Reading>,
}

/// What kept a write from arriving may pass; a refusal does not.
fn passes(result: &ActResult) -> bool {
    matches!(result, ActResult::Unknown(_) | ActResult::NotSent(_) | ActResult::Refused { code: 429 | 500..=599, .. })
}

impl Engine {
    /// Carries out an approved plan: journal first.
    ///
    /// A raising plan that is not fully checked, or whose grounds have changed meanwhile, is refused:
    /// whoever approved it.
    pub fn carry_out(&mut self, approved: Approved) -> Vec<Effect> {
        if self.operations.iter().any(|o| o.plan.id == approved.plan().id) {
            return Vec::new();
        }
        let refused = match approved.plan().direction() {
            Direction::Raising => self.may_not_raise(approved.plan()),
            Direction::Lowering => None,
        };
        let now = self.server_now();
        let ids = &mut self.ids;
        let approved = approved.dated(now, &mut || ids.next(now));
        let plan = Arc::new(approved.plan().clone());
        self.proposal = None;
        let steps = plan.steps.len();
        let ended = refused.map(|why| (self.now, Outcome::Refused, why));
        let state = match &ended {
            Some((_, _, why)) => StepState::Ended(Outcome::Cancelled, why.clone()),
            None => StepState::Pending,
        };
        let is_open = ended.is_none();
        self.operations.push(Operation {
            by: approved.by().clone(),
            reason: approved.reason().cloned(),
            started: self.now,
            unjournaled: None,
            remains: None,
            steps: vec![state; steps],
            ended,
            plan: plan.clone(),
        });
        if !is_open {
            self.forget_finished();
            return Vec::new();
        }
        self.memory.insert(plan.id, vec![StepMemory::default(); steps]);
        self.journaling.insert(plan.id);
        self.forget_finished();
        self.want_holds();
        vec![Effect::Journal(Box::new(approved))]
    }

    /// Stops what has not started yet; what was written stays.
    pub fn cancel(&mut self, id: PlanId) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(at) = self.operation_at(id) else { return effects };
        let pending: Vec<usize> = self
            .operations
            .get(at)
            .map(|o| {
                let waits = |s: &StepState| matches!(s, StepState::Pending | StepState::Retrying { .. });
                o.steps.iter().enumerate().filter(|(_, s)| waits(s)).map(|(i, _)| i).collect()
            })
            .unwrap_or_default();
        for step in pending {
            self.end_step(at, step, Outcome::Cancelled, "cancelled by the operator".into(), &mut effects);
        }
        for step in self.unanswered(at) {
            let why = "cancelled by the operator; no answer came, and reading had not told whether it arrived";
            self.end_step(at, step, Outcome::Unknown, why.into(), &mut effects);
        }
        self.advance(at, &mut effects);
        self.want_holds();
        self.refresh();
        effects
    }

    /// Tries again at once what waits to be tried again.
    pub fn hurry(&mut self, id: PlanId) -> Vec<Effect> {
        let mut effects = Vec::new();
        let now = self.now;
        let Some(operation) = self.operations.iter_mut().find(|o| o.plan.id == id) else { return effects };
        for state in &mut operation.steps {
            if let StepState::Retrying { at, .. } = state {
                *at = now;
            }
        }
        self.tend_operations(&mut effects);
        effects
    }

    /// Lowering steps that would be sent again once reading shows that they did not arrive.
    fn unanswered(&self, at: usize) -> Vec<usize> {
        let Some(operation) = self.operations.get(at) else { return Vec::new() };
        let lost = |s: &StepState| matches!(s, StepState::Verifying { lost: true, .. });
        let again = |step: usize| operation.plan.steps.get(step).is_some_and(|s| sends_again(&operation.plan, s));
        operation.steps.iter().enumerate().filter(|(i, s)| lost(s) && again(*i)).map(|(i, _)| i).collect()
    }

    /// A read of an object was answered: it tells of every write of it whose reply was lost before.
    pub(super) fn tell_lost(&mut self, object: &ObjectRef, sent: Duration) {
        for operation in self.operations.iter().filter(|o| o.open()) {
            let Some(memory) = self.memory.get_mut(&operation.plan.id) else { continue };
            for (step, memory) in operation.plan.steps.iter().zip(memory) {
                if memory.lost
                    && sent >= memory.lost_at
                    && step.main().is_some_and(|m| m.change.object() == Some(object))
                {
                    memory.read = true;
                }
            }
        }
    }

    pub(super) fn journaled(&mut self, id: PlanId, result: Result<Text, Text>, effects: &mut Vec<Effect>) {
        let Some(at) = self.operation_at(id) else { return };
        self.journaling.remove(&id);
        match result {
            Ok(head) => self.journal_head = head,
            Err(why) => {
                let Some(operation) = self.operations.get_mut(at) else { return };
                if operation.plan.direction() == Direction::Raising {
                    let why: Text = format!("no durable journal, so nothing was written: {why}").into();
                    operation.steps.iter_mut().for_each(|s| *s = StepState::Ended(Outcome::Cancelled, why.clone()));
                    operation.ended = Some((self.now, Outcome::Refused, why));
                    return;
                }
                // Lowering goes on regardless; the record and the server's audit id are its journal.
                operation.unjournaled = Some(why);
            }
        }
        self.advance(at, effects);
    }

    pub(super) fn acted(
        &mut self,
        id: PlanId,
        step: usize,
        write: usize,
        result: ActResult,
        effects: &mut Vec<Effect>,
    ) {
        let Some(at) = self.operation_at(id) else { return };
        let Some(operation) = self.operations.get(at) else { return };
        if !matches!(operation.steps.get(step), Some(StepState::Sending { write: w, .. }) if *w == write) {
            return;
        }
        let plan = operation.plan.clone();
        let Some(spec) = plan.steps.get(step) else { return };
        let Some(role) = spec.writes.get(write).map(|w| w.role) else { return };
        self.note(id, NoteKind::Answered { step, write, answer: result.text() }, effects);
        match (role, result) {
            (WriteRole::Main, result) => self.main_answered(at, step, write, spec, result, effects),
            (_, ActResult::Accepted { .. }) => self.next_write(at, step, write, spec, effects),
            // A fact's key is its own: sending it twice does no harm, and not having it may.
            (WriteRole::Record, result) if passes(&result) && self.record_again(id, step) => {
                let now = self.now;
                if let Some(state) = self.operations.get_mut(at).and_then(|o| o.steps.get_mut(step)) {
                    *state = StepState::Sending { write, since: now };
                }
                effects.push(Effect::Act { plan: id, step, write });
            }
            (role, result) => {
                // Bookkeeping that fails is shown, and does not stop the step.
                if role == WriteRole::Record
                    && let Some(memory) = self.step_memory(id, step)
                {
                    memory.owes = passes(&result);
                    let later = if memory.owes { "; it is written later" } else { "" };
                    memory.beside = Some(format!("the record was not written: {}{later}", result.text()).into());
                }
                self.next_write(at, step, write, spec, effects);
            }
        }
        self.advance(at, effects);
    }

    /// Whether the record's write of a step is to be sent once more at once.
    fn record_again(&mut self, id: PlanId, step: usize) -> bool {
        self.step_memory(id, step).is_some_and(|memory| !std::mem::replace(&mut memory.record_again, true))
    }

    fn main_answered(
        &mut self,
        at: usize,
        step: usize,
        write: usize,
        spec: &Step,
        result: ActResult,
        effects: &mut Vec<Effect>,
    ) {
        let Some((id, direction)) = self.operations.get(at).map(|o| (o.plan.id, o.plan.direction())) else { return };
        let service = self.operations.get(at).map(|o| o.plan.service);
        let workload = service.and_then(|service| self.workload_object((service, spec.region)));
        match result {
            ActResult::Accepted { object, warnings, .. } => {
                let told = spec.main().is_some_and(|m| m.change.object().is_none()) && !warnings.is_empty();
                if let Some(memory) = self.step_memory(id, step) {
                    if told {
                        memory.beside = Some(warnings.join("; ").into());
                    }
                    // That of a route, or of what delivers, is not the workload's.
                    let own = spec.main().is_some_and(|m| m.change.object() == workload.as_ref());
                    let object = object.as_ref().filter(|_| own);
                    let generation = object.and_then(|o| o.pointer("/metadata/generation")?.as_i64());
                    memory.generation = generation;
                    (memory.lost, memory.overtaken) = (false, false);
                }
                self.next_write(at, step, write, spec, effects);
            }
            ActResult::Unknown(_) => {
                let now = self.now.mono;
                if let Some(memory) = self.step_memory(id, step) {
                    (memory.lost, memory.lost_at, memory.read) = (true, now, false);
                }
                self.next_write(at, step, write, spec, effects);
            }
            ActResult::NotSent(why) if direction == Direction::Lowering => self.retry(at, step, why, effects),
            ActResult::NotSent(why) => {
                self.end_step(at, step, Outcome::Refused, format!("not sent: {why}").into(), effects);
            }
            // Sent again after a lost reply: the first one may have arrived after all.
            ActResult::Changed if self.step_memory(id, step).is_some_and(|m| m.lost) => {
                let now = self.now.mono;
                if let Some(memory) = self.step_memory(id, step) {
                    (memory.overtaken, memory.lost_at, memory.read) = (true, now, false);
                }
                self.next_write(at, step, write, spec, effects);
            }
            ActResult::Changed => {
                let why = self.blame_step(id, step, effects);
                self.end_step(at, step, Outcome::Refused, why, effects);
            }
            ActResult::Absent(what) => {
                self.end_step(at, step, Outcome::Refused, format!("absent: {what}").into(), effects);
            }
            ActResult::Refused { code: 429 | 500..=599, message } if direction == Direction::Lowering => {
                self.retry(at, step, message, effects);
            }
            ActResult::Refused { code, message } => {
                // A program has no status: what it said is all there is.
                let why = match code {
                    0 => format!("refused: {message}").into(),
                    code => format!("refused by the server ({code}): {message}").into(),
                };
                self.end_step(at, step, Outcome::Refused, why, effects);
            }
        }
    }

    /// More is known about a step that was refused: its sentence is replaced where it still stands.
    pub(super) fn reword_step(&mut self, id: PlanId, step: usize, before: &Text, after: &Text) {
        self.revision.shown += 1;
        let Some(operation) = self.operations.iter_mut().find(|o| o.plan.id == id) else { return };
        if let Some(StepState::Ended(_, why)) = operation.steps.get_mut(step)
            && why == before
        {
            *why = after.clone();
        }
        if let Some((_, _, why)) = operation.ended.as_mut().filter(|(_, _, why)| why == before) {
            *why = after.clone();
        }
    }

    pub(super) fn retry(&mut self, at: usize, step: usize, why: Text, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(id) = self.operations.get(at).map(|o| o.plan.id) else { return };
        let Some(memory) = self.step_memory(id, step) else { return };
        memory.tries += 1;
        let wait = RETRY_FIRST.saturating_mul(1 << memory.tries.min(5).saturating_sub(1)).min(RETRY_MOST);
        let first = memory.begun.unwrap_or(now);
        if now.since(first) >= RETRY_FOR {
            let why = format!("not sent within 15 minutes: {why}").into();
            self.end_step(at, step, Outcome::Refused, why, effects);
            return;
        }
        let next = Stamp { wall: now.wall, mono: now.mono + wait };
        if let Some(state) = self.operations.get_mut(at).and_then(|o| o.steps.get_mut(step)) {
            *state = StepState::Retrying { at: next, first, why };
        }
    }

    fn next_write(&mut self, at: usize, step: usize, write: usize, spec: &Step, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(operation) = self.operations.get_mut(at) else { return };
        let id = operation.plan.id;
        let next = write + 1;
        let Some(state) = operation.steps.get_mut(step) else { return };
        if next < spec.writes.len() {
            *state = StepState::Sending { write: next, since: now };
            effects.push(Effect::Act { plan: id, step, write: next });
        } else {
            let lost = self.memory.get(&id).and_then(|m| m.get(step)).is_some_and(|m| m.lost);
            *state = StepState::Verifying { since: now, missing: "waiting for the watch".into(), lost };
            self.verify_step(at, step, effects);
        }
    }

    /// Starts what may start; ends the operation when all steps are over.
    pub(super) fn advance(&mut self, at: usize, effects: &mut Vec<Effect>) {
        let Some(operation) = self.operations.get(at).filter(|o| o.open()) else { return };
        let plan = operation.plan.clone();
        if self.journaling.contains(&plan.id) {
            return;
        }
        let bad = |s: &StepState| matches!(s, StepState::Ended(outcome, _) if *outcome != Outcome::Settled);
        let failed = operation.steps.iter().any(bad);
        let stop = self.why_to_stop(&plan, operation.started, failed);
        let active = operation.steps.iter().filter(|s| !matches!(s, StepState::Pending | StepState::Ended(..))).count();
        let pending: Vec<usize> = operation
            .steps
            .iter()
            .enumerate()
            .filter(|(_, s)| matches!(s, StepState::Pending))
            .map(|(i, _)| i)
            .collect();
        if let Some(why) = stop {
            for step in pending {
                self.end_step(at, step, Outcome::Cancelled, why.as_str().into(), effects);
            }
        } else {
            let room = match plan.direction() {
                Direction::Lowering => usize::MAX,
                Direction::Raising => plan.parallelism.max(1).saturating_sub(active),
            };
            let mut room = room;
            for step in pending {
                match self.may_start(at, step, effects) {
                    _ if room == 0 => break,
                    May::Start => {
                        room -= 1;
                        self.start_step(at, step, effects);
                    }
                    May::Wait => {}
                    May::End(outcome, why) => self.end_step(at, step, outcome, why, effects),
                }
            }
        }
        self.close_if_over(at, effects);
    }

    fn start_step(&mut self, at: usize, step: usize, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(operation) = self.operations.get_mut(at) else { return };
        let id = operation.plan.id;
        let is_other = |c: ClusterIx| self.clusters.get(c.at()).is_some_and(|c| c.facts.uid_changed);
        let writes = operation.plan.steps.get(step).into_iter().flat_map(|s| &s.writes);
        if let Some(cluster) = writes.filter_map(|w| w.change.cluster()).find(|c| is_other(*c)) {
            let name = self.fleet.cluster_name(cluster);
            let why = format!("{name}: its context leads to another cluster now, so nothing is written there");
            return self.end_step(at, step, Outcome::Refused, why.into(), effects);
        }
        let Some(state) = operation.steps.get_mut(step) else { return };
        *state = StepState::Sending { write: 0, since: now };
        if let Some(memory) = self.step_memory(id, step) {
            memory.begun.get_or_insert(now);
        }
        self.note(id, NoteKind::StepStarted { step }, effects);
        effects.push(Effect::Act { plan: id, step, write: 0 });
    }

    fn close_if_over(&mut self, at: usize, effects: &mut Vec<Effect>) {
        let now = self.now;
        let stands = self.hold_stands(at);
        let Some(operation) = self.operations.get_mut(at).filter(|o| o.open()) else { return };
        let ends: Option<Vec<(Outcome, Text)>> = operation
            .steps
            .iter()
            .map(|s| match s {
                StepState::Ended(outcome, why) => Some((*outcome, why.clone())),
                _ => None,
            })
            .collect();
        let Some(ends) = ends else { return };
        // The worst step names the operation; what was cancelled after it only follows.
        let (outcome, why) =
            ends.into_iter().max_by_key(|(o, _)| *o).unwrap_or((Outcome::Settled, "nothing to do".into()));
        let took = crate::domain::stamp::short(now.since(operation.started).try_into().unwrap_or_default());
        let (outcome, why): (_, Text) = match (outcome, stands) {
            (Outcome::Settled, _) => (outcome, format!("settled in {took}").into()),
            (_, Some(far)) => (Outcome::Settled, format!("settled in {took}{far}").into()),
            _ => (outcome, why),
        };
        let plan = operation.plan.clone();
        // Whoever resumes must not believe that all goes on while another hold stands.
        let remains = self.still_held(&plan);
        let Some(operation) = self.operations.get_mut(at) else { return };
        operation.ended = Some((now, outcome, why.clone()));
        operation.remains.clone_from(&remains);
        let why = remains.map_or(why.clone(), |remains| format!("{why}; {remains}").into());
        let id = operation.plan.id;
        self.note(id, NoteKind::Closed { outcome: outcome.word().into(), why }, effects);
    }

    pub(super) fn end_step(&mut self, at: usize, step: usize, outcome: Outcome, why: Text, effects: &mut Vec<Effect>) {
        let Some(operation) = self.operations.get_mut(at) else { return };
        let id = operation.plan.id;
        let Some(state) = operation.steps.get_mut(step) else { return };
        let memory = self.memory.get(&id).and_then(|m| m.get(step));
        let beside = memory.and_then(|m| m.beside.clone());
        // What did not happen needs no fact.
        let owed = memory.is_some_and(|m| m.owes) && matches!(outcome, Outcome::Settled | Outcome::Diverged);
        if let Some((service, spec)) =
            operation.plan.steps.get(step).filter(|_| owed).map(|s| (operation.plan.service, s))
        {
            let facts = spec.facts.iter().flat_map(|(_, facts)| facts).cloned();
            self.keeping.owe((service, spec.region), facts);
            if let Some(state) = self.services.get_mut(service.at()) {
                state.keep_at = Some(self.now.mono);
            }
        }
        let why: Text = match beside {
            Some(beside) => format!("{why}; {beside}").into(),
            None => why,
        };
        *state = StepState::Ended(outcome, why.clone());
        let now = self.now;
        if let Some(memory) = self.step_memory(id, step) {
            memory.over = Some(now);
        }
        self.note(id, NoteKind::StepEnded { step, outcome: outcome.word().into(), why }, effects);
    }

    /// Looks at everything that waits: retries that are due, expectations, time limits.
    pub(super) fn tend_operations(&mut self, effects: &mut Vec<Effect>) {
        for at in 0..self.operations.len() {
            let Some(operation) = self.operations.get(at).filter(|o| o.open()) else { continue };
            for step in 0..operation.steps.len() {
                match self.operations.get(at).and_then(|o| o.steps.get(step)) {
                    Some(StepState::Retrying { at: due, .. }) if self.now.mono >= due.mono => {
                        self.try_again(at, step, effects);
                    }
                    Some(StepState::Verifying { .. }) => self.verify_step(at, step, effects),
                    Some(StepState::Sending { write, since }) if self.now.since(*since) >= ANSWER_MOST => {
                        let write = *write;
                        let Some(id) = self.operations.get(at).map(|o| o.plan.id) else { continue };
                        self.acted(id, step, write, ActResult::Unknown("no answer".into()), effects);
                    }
                    _ => {}
                }
            }
            self.advance(at, effects);
        }
    }

    /// Before each try the record is looked at again: a hold that was released is not put back.
    fn try_again(&mut self, at: usize, step: usize, effects: &mut Vec<Effect>) {
        let Some(operation) = self.operations.get(at) else { return };
        let plan = operation.plan.clone();
        let released = matches!(plan.intent.verb, Verb::Hold)
            && plan.steps.get(step).and_then(|s| s.facts.as_ref()).is_some_and(|(_, facts)| {
                let record = self.services.get(plan.service.at()).map(|s| &s.record);
                facts.iter().any(|f| match f.body {
                    Body::Hold { .. } => record.is_some_and(|record| record.released(f.id)),
                    Body::Paused { hold, .. } | Body::Halted { hold, .. } => {
                        record.is_some_and(|record| record.released(hold))
                    }
                    _ => false,
                })
            });
        if released {
            self.end_step(at, step, Outcome::Cancelled, "the hold was released meanwhile".into(), effects);
        } else {
            self.start_step(at, step, effects);
        }
    }

    pub(super) fn step_memory(&mut self, id: PlanId, step: usize) -> Option<&mut StepMemory> {
        self.memory.get_mut(&id).and_then(|m| m.get_mut(step))
    }

    pub(super) fn operation_at(&self, id: PlanId) -> Option<usize> {
        self.operations.iter().position(|o| o.plan.id == id)
    }

    fn note(&self, plan: PlanId, what: NoteKind, effects: &mut Vec<Effect>) {
        effects.push(Effect::Note(Box::new(Note { plan, what })));
    }

    fn forget_finished(&mut self) {
        while self.operations.iter().filter(|o| !o.open()).count() > MOST_FINISHED {
            let Some(at) = self.operations.iter().position(|o| !o.open()) else { return };
            let gone = self.operations.remove(at);
            self.memory.remove(&gone.plan.id);
        }
    }

    pub(super) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}

/// Whether a step whose reply was lost may be sent again once reading shows that it did not arrive:
/// it lowers risk, and a second one that overtakes or follows the first changes nothing.
pub(super) fn sends_again(plan: &Plan, step: &Step) -> bool {
    plan.direction() == Direction::Lowering && step.main().is_some_and(|w| w.change.is_safe_twice())
}
