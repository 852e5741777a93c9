//! The shells around the engine.

pub mod failure;
pub mod inbox;
pub mod output;
mod performer;
mod session;
pub mod terminal;
mod verb;

use std::process::ExitCode;

use crate::cli::Cli;

/// Does what the arguments say.
pub fn main(_cli: Cli) -> ExitCode {
    ExitCode::from(1)
}
