//! An operation that nobody waits for: every request was sent and answered, and what comes of it is not watched.

use super::Engine;
use super::effect::{Effect, Note, NoteKind};
use super::operation::{Operation, StepState};
use crate::domain::plan::PlanId;
use crate::domain::text::several;

/// Outcome in the journal: sent and accepted, and nobody waited for what came of it.
pub const UNWATCHED: &str = "not-watched";

/// Whether nothing is left to send, and every request was answered: whoever goes now leaves nothing half done.
pub fn is_sent(operation: &Operation) -> bool {
    let over = |s: &StepState| matches!(s, StepState::Verifying { lost: false, .. } | StepState::Ended(..));
    operation.steps.iter().all(over)
}

impl Engine {
    /// Notes that an operation is left to itself, where all of it was sent. Where something was not sent, or
    /// not answered, nothing is noted: the journal shows it as left open, and the next start offers it.
    pub fn leave_unwatched(&mut self, id: PlanId) -> Vec<Effect> {
        let found = self.operations.iter().find(|o| o.plan.id == id && o.open() && is_sent(o));
        let Some(operation) = found else { return Vec::new() };
        let waiting = operation.steps.iter().filter(|s| matches!(s, StepState::Verifying { .. })).count();
        let why = format!(
            "given up waiting: the requests were sent and accepted, the outcome of {} was not watched",
            several(waiting, "step")
        );
        let note = Note { plan: id, what: NoteKind::Closed { outcome: UNWATCHED.into(), why: why.into() } };
        vec![Effect::Note(Box::new(note))]
    }
}
