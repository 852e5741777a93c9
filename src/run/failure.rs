//! How a run ends: exit codes, one table for all verbs.

use std::process::ExitCode;

use crate::engine::operation::Outcome;

/// Exit codes, the same for every verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, or go.
    Done = 0,
    /// Something unexpected.
    Unexpected = 1,
    /// Usage, or an unreadable configuration.
    Usage = 2,
    /// Refused, or findings.
    Refused = 3,
    /// Diverged, or timed out.
    Diverged = 4,
    /// Could not reach what it needs.
    Unreachable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// How an operation's outcome ends a verb.
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Settled => Exit::Done,
            Outcome::Cancelled | Outcome::Refused => Exit::Refused,
            Outcome::Unknown | Outcome::Diverged => Exit::Diverged,
        }
    }
}
