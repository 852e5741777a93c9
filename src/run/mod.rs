//! The shells around the engine.

pub mod inbox;
pub mod output;
pub mod terminal;

use std::process::ExitCode;

use crate::cli::Cli;

/// Does what the arguments say.
pub fn main(_cli: Cli) -> ExitCode {
    ExitCode::from(1)
}
