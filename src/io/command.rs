//! Runs other programs: credential plugins, later git. One seam, so that tests replace it.

use std::process::Stdio;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::domain::text::safe;

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Command {
    /// Path or name.
    pub program: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Variables beside those of this process.
    pub env: Vec<(String, String)>,
}

/// What a program that ran left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, made visible and cut.
    pub stderr: String,
    /// How it ended, for people; none: well.
    pub failed: Option<String>,
}

/// Why a program did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRun {
    /// There is no such program.
    #[error("no such program")]
    Absent,
    /// It took too long and was ended.
    #[error("no answer within {0} s")]
    Timeout(u64),
    /// It could not be started or waited for.
    #[error("{0}")]
    Failed(String),
}

/// Runs programs.
pub trait Runner: Send + Sync + 'static {
    /// Runs without a terminal: standard input is closed, standard error captured.
    fn run(&self, command: Command, limit: Duration) -> BoxFuture<'_, Result<Ran, NotRun>>;
    /// Runs with this process's terminal, as long as it takes.
    fn run_interactive(&self, command: Command) -> BoxFuture<'_, Result<Ran, NotRun>>;
}

/// Runs processes of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct Processes;

impl Runner for Processes {
    fn run(&self, command: Command, limit: Duration) -> BoxFuture<'_, Result<Ran, NotRun>> {
        Box::pin(async move {
            let mut process = build(&command);
            process.stdin(Stdio::null()).stderr(Stdio::piped());
            let output = tokio::time::timeout(limit, process.output()).await;
            output.map_err(|_| NotRun::Timeout(limit.as_secs()))?.map_err(not_run).map(ran)
        })
    }

    fn run_interactive(&self, command: Command) -> BoxFuture<'_, Result<Ran, NotRun>> {
        Box::pin(async move {
            let mut process = build(&command);
            process.stdin(Stdio::inherit()).stderr(Stdio::inherit());
            let child = process.spawn().map_err(not_run)?;
            child.wait_with_output().await.map_err(not_run).map(ran)
        })
    }
}

fn build(command: &Command) -> tokio::process::Command {
    let mut process = tokio::process::Command::new(&command.program);
    process.args(&command.args).stdout(Stdio::piped()).kill_on_drop(true);
    process.envs(command.env.iter().map(|(name, value)| (name, value)));
    process
}

fn not_run(error: std::io::Error) -> NotRun {
    match error.kind() {
        std::io::ErrorKind::NotFound => NotRun::Absent,
        _ => NotRun::Failed(error.to_string()),
    }
}

fn ran(output: std::process::Output) -> Ran {
    let stderr = String::from_utf8_lossy(&output.stderr);
    Ran {
        stderr: safe(stderr.trim().replace('\n', "; ").as_str(), 400),
        failed: (!output.status.success()).then(|| output.status.to_string()),
        stdout: output.stdout,
    }
}
