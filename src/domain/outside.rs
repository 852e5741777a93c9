//! Writes that go past the clusters: a scalar in a Git repository, a program, an HTTP request.
//!
//! Like an object patch each is data that is sent as it is; none can be rehearsed by an API server, and
//! none answers with an object: what came of it shows in the workload.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::id::Text;
use super::text::safe;

/// A write that no API server takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Outside {
    /// One scalar of one file of a repository.
    Git(GitChange),
    /// A program of this host.
    Run(Invocation),
    /// A request to an HTTP endpoint.
    Call(HttpWrite),
}

/// A scalar of a file in a Git repository gets another value; the commit is its carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitChange {
    /// Name of the repository in the configuration: its URL may hold credentials.
    pub repository: Text,
    /// Branch that is followed.
    pub branch: Text,
    /// File, from the repository's root.
    pub path: Text,
    /// Which scalar: a [`super::fleet::CarryPath`], e.g. `/images[name=web]/newTag`.
    pub pointer: Text,
    /// The value that must be there; another one means that somebody changed it.
    pub from: Text,
    /// The value that is written.
    pub to: Text,
    /// Commit that was looked at.
    pub base: Text,
    /// The commit message, with its trailers.
    pub message: Text,
    /// How it leaves.
    pub push: Push,
    /// This commit is reverted where that changes nothing else; the scalar is written otherwise.
    pub reverts: Option<Text>,
}

/// How a commit leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Push {
    /// To the branch that is followed.
    Direct,
    /// To a branch of its own, for people to merge.
    Branch(Text),
}

/// A program of this host, without a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What it is in the configuration, e.g. `pipeline deploys: promote`.
    pub what: Text,
    /// Path or name.
    pub program: Text,
    /// Arguments.
    pub args: Vec<Text>,
    /// Variables of this process that it gets; all others it does not.
    pub env: Vec<Text>,
    /// What it reads.
    pub stdin: Option<Text>,
    /// How long it may take.
    pub limit: Duration,
}

/// A request to an HTTP endpoint of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpWrite {
    /// Name of the endpoint.
    pub endpoint: Text,
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: Text,
    /// Path below its base.
    pub path: Text,
    /// The body; empty: none.
    pub body: Text,
}

/// Before the reason in a commit's message.
const REASON: &str = "Gonogo-Reason: ";

impl GitChange {
    /// Puts a reason into the message, in one line, in place of the one there; empty: none.
    pub(super) fn say_reason(&mut self, reason: &str) {
        let mut lines: Vec<&str> = self.message.lines().filter(|l| !l.starts_with(REASON)).collect();
        let said = format!("{REASON}{}", safe(reason.split_whitespace().collect::<Vec<_>>().join(" ").as_str(), 400));
        if !reason.trim().is_empty() {
            lines.push(&said);
        }
        self.message = lines.join("\n").into();
    }
}

impl Outside {
    /// What is done, as a method is to an object.
    pub fn method(&self) -> &str {
        match self {
            Outside::Git(_) => "COMMIT",
            Outside::Run(_) => "RUN",
            Outside::Call(call) => &call.method,
        }
    }

    /// Where it goes, as a path is to an object.
    pub fn path(&self) -> String {
        match self {
            Outside::Git(git) => format!("{} {} {}#{}", git.repository, git.branch, git.path, git.pointer),
            Outside::Run(run) => {
                run.args.iter().fold(run.program.to_string(), |line, arg| format!("{line} {}", quoted(arg)))
            }
            Outside::Call(call) => format!("{}{}", call.endpoint, call.path),
        }
    }

    /// Media type of the body.
    pub fn content_type(&self) -> &'static str {
        match self {
            Outside::Git(_) => "text/x-yaml-scalar",
            Outside::Run(_) => "text/plain",
            Outside::Call(_) => "application/json",
        }
    }

    /// Everything that makes it what it is, as bytes: for its digest.
    pub fn body(&self) -> Vec<u8> {
        let value: Value = match self {
            Outside::Git(git) => {
                let push = match &git.push {
                    Push::Direct => "direct",
                    Push::Branch(name) => name,
                };
                json!({
                    "repository": git.repository, "branch": git.branch, "path": git.path, "pointer": git.pointer,
                    "from": git.from, "to": git.to, "message": git.message, "push": push, "reverts": git.reverts,
                })
            }
            Outside::Run(run) => json!({
                "program": run.program, "args": run.args, "env": run.env, "stdin": run.stdin,
                "limit": run.limit.as_millis() as u64,
            }),
            Outside::Call(call) => return call.body.as_bytes().to_vec(),
        };
        // A JSON value always prints: its keys are strings.
        serde_json::to_vec(&value).unwrap_or_default()
    }
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outside::Git(git) => write!(f, "{} of {} ({})", git.path, git.repository, git.branch),
            Outside::Run(run) => write!(f, "{} (command)", run.what),
            Outside::Call(call) => write!(f, "endpoint {}", call.endpoint),
        }
    }
}

/// For a POSIX shell: plain words as they are, anything else in single quotes.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
