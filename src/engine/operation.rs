//! Proposals and operations as data: what is being reviewed, and what is being carried out.

use std::sync::Arc;

use crate::domain::challenge::Challenge;
use crate::domain::id::{Operator, Text};
use crate::domain::intent::Intent;
use crate::domain::plan::{Plan, PlanId, Refusal};
use crate::domain::stamp::Stamp;

/// An intent on its way to a plan: reads and dry-run go on while it is shown.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// Its identity; the plan's too.
    pub id: PlanId,
    /// What is wanted.
    pub intent: Intent,
    /// One line, e.g. `promote ring-2`.
    pub title: Text,
    /// When it was opened.
    pub opened: Stamp,
    /// Where it stands.
    pub state: ProposalState,
}

/// Where a proposal stands.
#[derive(Clone, Debug)]
pub enum ProposalState {
    /// Objects and records are being read; how many answers are missing.
    Reading {
        /// Answers missing.
        missing: usize,
    },
    /// A plan; dry-run answers may still be missing.
    Ready {
        /// The plan.
        plan: Arc<Plan>,
        /// What must be answered.
        challenge: Challenge,
        /// Dry-run answers missing; raising waits for them, at most 3 s.
        checking: usize,
    },
    /// There is no plan.
    Refused(Refusal),
}

/// A plan that is being carried out, or was.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Who approved.
    pub by: Operator,
    /// Why.
    pub reason: Option<Text>,
    /// When it started.
    pub started: Stamp,
    /// The journal does not have it.
    pub unjournaled: Option<Text>,
    /// What a resume left when it ended: holds that still cover it, and what stays paused.
    pub remains: Option<Text>,
    /// Its steps, by position.
    pub steps: Vec<StepState>,
    /// How it ended.
    pub ended: Option<(Stamp, Outcome, Text)>,
}

/// Where a step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// Not started.
    Pending,
    /// A write is under way.
    Sending {
        /// Which.
        write: usize,
        /// Since when.
        since: Stamp,
    },
    /// Could not be sent; tried again at this moment (lowering only).
    Retrying {
        /// When.
        at: Stamp,
        /// First try.
        first: Stamp,
        /// Why.
        why: Text,
    },
    /// Accepted, or the reply was lost; the watch or a read must show it.
    Verifying {
        /// Since when.
        since: Stamp,
        /// What is missing, e.g. `7 of 12 updated`.
        missing: Text,
        /// No answer came: whether it arrived is not known, and nobody accepted it.
        lost: bool,
    },
    /// Over.
    Ended(Outcome, Text),
}

/// How a step or an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The expected state was seen.
    Settled,
    /// Nothing was written: cancelled before.
    Cancelled,
    /// Refused by the server, or changed since it was looked at: nothing was written.
    Refused,
    /// The reply was lost, and reading could not tell either.
    Unknown,
    /// Written, but the expected state did not come.
    Diverged,
}

impl Outcome {
    /// The word on screen and in the journal.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Settled => "settled",
            Outcome::Cancelled => "cancelled",
            Outcome::Refused => "refused",
            Outcome::Unknown => "unknown",
            Outcome::Diverged => "diverged",
        }
    }
}

impl Operation {
    /// Still under way.
    pub fn open(&self) -> bool {
        self.ended.is_none()
    }
}
