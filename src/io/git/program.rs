//! How `git` is run: with the user's settings, and without anything that could ask, point elsewhere or leak.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::io::command::{Command, Inherits, NotRun, Ran, Runner};

/// How long something that only works on the clone may take.
pub(super) const LOCAL: Duration = Duration::from_secs(30);

/// Variables that would lead git to another repository, make it ask somebody, or print what is secret.
const NOT_INHERITED: [&str; 22] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_DATE",
    "GIT_TRACE",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
    "GIT_TRACE2",
    "GIT_TRACE2_EVENT",
    "GIT_CURL_VERBOSE",
    // A passphrase of a signing key is asked for by its agent, not on this terminal.
    "GPG_TTY",
];

/// Why git did not do something.
#[derive(Debug)]
pub(super) enum Failed {
    /// It could not be run, or was ended.
    NotRun(NotRun),
    /// It ended with an error.
    Ended(Ran),
}

impl Failed {
    /// In words, made visible.
    pub(super) fn text(&self) -> String {
        match self {
            Failed::NotRun(NotRun::Absent) => "there is no `git` on this host".to_owned(),
            Failed::NotRun(why) => format!("git: {why}"),
            Failed::Ended(ran) if ran.stderr.is_empty() => format!("git: {}", ran.failed.as_deref().unwrap_or("?")),
            Failed::Ended(ran) => ran.stderr.clone(),
        }
    }
}

/// Git, in one folder.
#[derive(Clone)]
pub(super) struct Program<'a> {
    runner: &'a dyn Runner,
    folder: PathBuf,
    /// How ssh is run; none: as git does by itself.
    ssh: Option<String>,
}

impl<'a> Program<'a> {
    /// In a folder that exists.
    pub(super) async fn new(runner: &'a dyn Runner, folder: &Path) -> Self {
        let mut program = Self { runner, folder: folder.to_owned(), ssh: None };
        let own = match std::env::var("GIT_SSH_COMMAND") {
            Ok(own) if !own.is_empty() => Some(own),
            _ => program.text(&["config", "--get", "core.sshCommand"]).await.ok(),
        };
        program.ssh = silent_ssh(own.as_deref(), std::env::var_os("GIT_SSH").is_some());
        program
    }

    /// The same, in another folder.
    pub(super) fn within(&self, folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..self.clone() }
    }

    /// What it prints, without the line feed at its end.
    pub(super) async fn text(&self, args: &[&str]) -> Result<String, Failed> {
        let out = self.run(args, LOCAL).await?;
        Ok(String::from_utf8_lossy(&out).trim_end().to_owned())
    }

    /// Runs it.
    pub(super) async fn run(&self, args: &[&str], limit: Duration) -> Result<Vec<u8>, Failed> {
        self.fed(args, limit, None, &[]).await
    }

    /// Runs it, with input and variables.
    pub(super) async fn fed(
        &self,
        args: &[&str],
        limit: Duration,
        input: Option<Vec<u8>>,
        env: &[(&str, &str)],
    ) -> Result<Vec<u8>, Failed> {
        let ran = self.whole(args, limit, input, env).await.map_err(Failed::NotRun)?;
        if ran.failed.is_some() { Err(Failed::Ended(ran)) } else { Ok(ran.stdout) }
    }

    /// Runs it, and gives all that it left behind.
    pub(super) async fn whole(
        &self,
        args: &[&str],
        limit: Duration,
        input: Option<Vec<u8>>,
        env: &[(&str, &str)],
    ) -> Result<Ran, NotRun> {
        let mut all: Vec<(String, String)> = [
            ("GIT_TERMINAL_PROMPT", "0"),
            // Set and empty: not even a program that asks in a window.
            ("GIT_ASKPASS", ""),
            ("SSH_ASKPASS", ""),
            ("SSH_ASKPASS_REQUIRE", "never"),
            ("GCM_INTERACTIVE", "never"),
            ("GIT_EDITOR", "false"),
            ("GIT_PAGER", "cat"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            // What it says is read by us.
            ("LC_ALL", "C"),
        ]
        .into_iter()
        .chain(env.iter().copied())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        all.extend(self.ssh.iter().map(|ssh| ("GIT_SSH_COMMAND".to_owned(), ssh.clone())));
        let settings =
            ["-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false", "-c", "advice.detachedHead=false"];
        let command = Command {
            program: "git".to_owned(),
            args: settings.iter().chain(args).map(|a| (*a).to_owned()).collect(),
            env: all,
            inherits: Inherits::AllBut(NOT_INHERITED.iter().map(|n| (*n).to_owned()).collect()),
            folder: Some(self.folder.clone()),
            input,
        };
        self.runner.run(command, limit).await
    }
}

/// How ssh is run so that it never asks: what the user set, where it is ssh. None: as git does by itself.
fn silent_ssh(own: Option<&str>, other_program: bool) -> Option<String> {
    let options = "-o BatchMode=yes -o ConnectTimeout=15";
    match own {
        Some(own) => {
            let first = own.split_whitespace().next().unwrap_or_default();
            let is_ssh = first.rsplit('/').next() == Some("ssh");
            Some(if is_ssh { format!("{own} {options}") } else { own.to_owned() })
        }
        None if other_program => None,
        None => Some(format!("ssh {options}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_never_asks_and_stays_what_the_user_set() {
        let silent = "-o BatchMode=yes -o ConnectTimeout=15";
        assert_eq!(silent_ssh(None, false), Some(format!("ssh {silent}")));
        assert_eq!(silent_ssh(Some("/usr/bin/ssh -i key"), false), Some(format!("/usr/bin/ssh -i key {silent}")));
        assert_eq!(silent_ssh(Some("plink -batch"), false), Some("plink -batch".to_owned()));
        assert_eq!(silent_ssh(None, true), None);
    }
}
