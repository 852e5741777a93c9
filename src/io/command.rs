//! Runs other programs: credential plugins, git, a user's own commands. One seam, so that tests replace it.
//!
//! A program runs in a process group of its own, with standard input that ends, for a limited time
//! and with limited output. What is over a limit is ended together with all that it started.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use futures::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::domain::text::{safe, without_users};
use crate::io::secrets::hidden;

/// Standard output that is kept at most, in bytes; a program that prints more is ended.
pub const MOST_OUTPUT: usize = 4 * 1024 * 1024;
/// Standard error that is kept, in bytes, from its beginning; the rest is read and dropped.
const MOST_ERRORS: usize = 16 * 1024;
/// How much of the standard error is told, in bytes.
const TOLD: usize = 400;

/// A program to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Command {
    /// Path or name.
    pub program: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Variables that it gets, whatever this process has.
    pub env: Vec<(String, String)>,
    /// Which variables of this process it gets.
    pub inherits: Inherits,
    /// Folder that it runs in; none: that of this process.
    pub folder: Option<PathBuf>,
    /// What it reads from standard input; none: nothing. Only where it runs without a terminal.
    pub input: Option<Vec<u8>>,
}

/// Variables that a program gets from this process.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inherits {
    /// All.
    #[default]
    All,
    /// All but these.
    AllBut(Vec<String>),
    /// These, where they are set.
    Only(Vec<String>),
}

/// What a program that ran left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error, made visible and cut, without secrets that are known.
    pub stderr: String,
    /// How it ended, for people; none: well.
    pub failed: Option<String>,
    /// Its exit code; none: a signal ended it.
    pub code: Option<i32>,
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
    /// It printed too much and was ended.
    #[error("it printed more than {0} bytes and was ended")]
    TooMuch(usize),
    /// It could not be started or waited for.
    #[error("{0}")]
    Failed(String),
}

/// Runs programs.
pub trait Runner: Send + Sync + 'static {
    /// Runs without a terminal: standard input ends, standard error is captured.
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
            let ran = tokio::time::timeout(limit, to_its_end(command)).await;
            ran.map_err(|_| NotRun::Timeout(limit.as_secs()))?
        })
    }

    fn run_interactive(&self, command: Command) -> BoxFuture<'_, Result<Ran, NotRun>> {
        Box::pin(async move {
            let mut process = build(&command);
            process.stdin(Stdio::inherit()).stderr(Stdio::inherit());
            let child = process.spawn().map_err(not_run)?;
            let output = child.wait_with_output().await.map_err(not_run)?;
            Ok(ran(output.stdout, &output.stderr, output.status))
        })
    }
}

/// All that a program started, ended when this goes and nobody said that it ended well.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself: then there is nobody left to end.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

async fn to_its_end(command: Command) -> Result<Ran, NotRun> {
    let mut process = build(&command);
    process.stdin(if command.input.is_some() { Stdio::piped() } else { Stdio::null() });
    process.stderr(Stdio::piped()).process_group(0);
    let mut child = process.spawn().map_err(not_run)?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    let mut group = Group(pid.and_then(Pid::from_raw));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let (Some(mut stdin), Some(input)) = (stdin, command.input) {
            // It need not read all of it.
            let _ = stdin.write_all(&input).await;
        }
        Ok::<_, NotRun>(())
    };
    let output = async {
        let (read, more) = read(stdout, MOST_OUTPUT, false).await?;
        if more { Err(NotRun::TooMuch(MOST_OUTPUT)) } else { Ok(read) }
    };
    let errors = async { Ok(read(stderr, MOST_ERRORS, true).await?.0) };
    let status = async { child.wait().await.map_err(not_run) };
    let ((), stdout, stderr, status) = futures::try_join!(feed, output, errors, status)?;
    // All of it ended, or let go of its output: what stays behind does so on purpose.
    group.0 = None;
    Ok(ran(stdout, &stderr, status))
}

/// Reads up to a limit; whether there was more. The rest is read and dropped where asked.
async fn read(from: Option<impl AsyncRead + Unpin>, most: usize, drain: bool) -> Result<(Vec<u8>, bool), NotRun> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return Ok((kept, false)) };
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    (&mut from).take(limit).read_to_end(&mut kept).await.map_err(not_run)?;
    let more = kept.len() > most;
    kept.truncate(most);
    if more && drain {
        tokio::io::copy(&mut from, &mut tokio::io::sink()).await.map_err(not_run)?;
    }
    Ok((kept, more))
}

fn build(command: &Command) -> tokio::process::Command {
    let mut process = tokio::process::Command::new(&command.program);
    process.args(&command.args).stdout(Stdio::piped()).kill_on_drop(true);
    match &command.inherits {
        Inherits::All => {}
        Inherits::AllBut(names) => {
            for name in names {
                process.env_remove(name);
            }
        }
        Inherits::Only(names) => {
            process.env_clear();
            process.envs(names.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        }
    }
    process.envs(command.env.iter().map(|(name, value)| (name, value)));
    if let Some(folder) = &command.folder {
        process.current_dir(folder);
    }
    process
}

fn not_run(error: std::io::Error) -> NotRun {
    match error.kind() {
        std::io::ErrorKind::NotFound => NotRun::Absent,
        _ => NotRun::Failed(error.to_string()),
    }
}

fn ran(stdout: Vec<u8>, stderr: &[u8], status: std::process::ExitStatus) -> Ran {
    let stderr = String::from_utf8_lossy(stderr);
    let lines = stderr.lines().map(str::trim_end).filter(|l| !l.trim().is_empty()).collect::<Vec<_>>().join("; ");
    Ran {
        stderr: safe(&without_users(&hidden(&lines)), TOLD),
        failed: (!status.success()).then(|| status.to_string()),
        code: status.code(),
        stdout,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    /// A hang of the machine; nothing here takes as long.
    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        Command { program: "sh".into(), args: vec!["-c".into(), script.into()], ..Command::default() }
    }

    async fn run(command: Command) -> Result<Ran, NotRun> {
        Processes.run(command, LONG).await
    }

    #[tokio::test]
    async fn a_program_gets_its_input_its_folder_and_only_the_variables_that_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let command = Command {
            inherits: Inherits::Only(vec!["PATH".into()]),
            env: vec![("GIVEN".into(), "yes".into())],
            folder: Some(folder.path().to_owned()),
            input: Some(b"fed".to_vec()),
            ..shell("cat; pwd -P; echo \"$GIVEN ${HOME-no home}\"")
        };
        let out = String::from_utf8(run(command).await.unwrap().stdout).unwrap();
        let real = std::fs::canonicalize(folder.path()).unwrap();
        assert_eq!(out, format!("fed{}\nyes no home\n", real.display()));
        let but = Command { inherits: Inherits::AllBut(vec!["HOME".into()]), ..shell("echo ${HOME-no home}") };
        assert_eq!(run(but).await.unwrap().stdout, b"no home\n");
    }

    #[tokio::test]
    async fn how_it_ended_is_told_and_what_it_said_is_harmless() {
        let ran = run(shell("echo out; printf 'no\\033[2J\\n\\nhttps://ann:pw@host/x\\n' >&2; exit 3")).await.unwrap();
        assert_eq!((ran.code, ran.failed.as_deref()), (Some(3), Some("exit status: 3")));
        assert_eq!(ran.stderr, "no␛[2J; https://•••••@host/x");
        let killed = run(shell("kill -9 $$")).await.unwrap();
        assert!(killed.code.is_none() && killed.failed.is_some(), "{killed:?}");
        let absent = run(Command { program: "/no/such/program".into(), ..Command::default() }).await;
        assert_eq!(absent, Err(NotRun::Absent));
    }

    #[tokio::test]
    async fn a_flood_is_ended_on_standard_output_and_dropped_on_standard_error() {
        assert_eq!(run(shell("exec yes")).await, Err(NotRun::TooMuch(MOST_OUTPUT)));
        let ran = run(shell("yes no | head -c 300000 >&2; echo done")).await.unwrap();
        assert_eq!(ran.stdout, b"done\n");
        assert!(ran.stderr.len() < 500, "{}", ran.stderr.len());
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_ended() {
        let limit = Duration::from_millis(50);
        assert_eq!(Processes.run(shell("exec sleep 600"), limit).await, Err(NotRun::Timeout(0)));
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("alive").display().to_string();
        assert!(run(shell(&format!("mkfifo {fifo}"))).await.unwrap().failed.is_none());
        let hangs = shell(&format!("(echo up; exec sleep 600) > {fifo} & (exec sleep 600) > {fifo} & wait"));
        let (up, is_up) = tokio::sync::oneshot::channel();
        let watched = tokio::spawn(async move {
            // Its end is read once the last of those that write to it is gone.
            let mut pipe = tokio::fs::File::open(fifo).await.unwrap();
            let mut first = [0; 3];
            pipe.read_exact(&mut first).await.unwrap();
            up.send(()).unwrap();
            let mut rest = Vec::new();
            pipe.read_to_end(&mut rest).await.unwrap();
            rest
        });
        tokio::select! {
            ran = run(hangs) => panic!("it ended by itself: {ran:?}"),
            told = is_up => told.unwrap(),
        }
        assert_eq!(tokio::time::timeout(LONG, watched).await.unwrap().unwrap(), b"");
    }
}
