//! The shells around the engine.

mod board;
mod check;
mod console;
pub mod failure;
pub mod inbox;
mod journal;
pub mod output;
mod performer;
mod session;
mod sim;
pub mod terminal;
mod verb;
mod world;

use std::io::Write;
use std::process::ExitCode;

use color_eyre::eyre::{Context, Result};

use crate::cli::{Cli, Command};
use failure::Exit;

/// Does what the arguments say.
pub fn main(cli: Cli) -> ExitCode {
    // One TLS provider for the whole program, before the first client is made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Err(error) = color_eyre::config::HookBuilder::default().display_env_section(false).install() {
        return say_error(&error.to_string());
    }
    terminal::install_panic_hook();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => say_error(&format!("{error:#}")),
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Some(Command::Sim { sim, dir }) => {
            let runtime = runtime()?;
            let signal = runtime.block_on(sim::serve(&sim, dir, say_line))?;
            Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)))
        }
        _ => Ok(Exit::Unexpected.into()),
    }
}

/// The runtime of everything that waits. Two workers are plenty: nothing computes there.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .wrap_err("the runtime cannot be started")
}

/// A line on standard output; a reader that is gone is no error.
#[expect(clippy::explicit_write, reason = "println panics when the reader is gone")]
fn say_line(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// An error on standard error.
fn say_error(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "gonogo: {text}");
    Exit::Unexpected.into()
}
