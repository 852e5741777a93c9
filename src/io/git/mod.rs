//! Repositories: one scalar of one file is read, and one commit that changes it is made and pushed.
//!
//! The `git` of this host does it, in a bare clone under the cache folder that nobody works in. It never asks
//! anybody anything, never pushes with force, and makes one commit at a time: the clone is locked against other
//! processes. What the clone holds can be fetched again; a broken one is thrown away.

mod answer;
mod carry;
mod clone;
mod link;
mod program;
mod push;
mod read;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::outside::GitChange;
use crate::domain::stamp::Timestamp;
use crate::domain::yaml::YamlError;
use crate::io::command::Runner;

pub use carry::Carried;
pub use link::compare;
pub use read::{Last, Seen};

/// A repository of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Where it is: whatever `git clone` takes.
    pub url: String,
    /// How long one exchange with it may take.
    pub limit: Duration,
}

/// Every repository of the configuration.
pub struct Git {
    runner: Arc<dyn Runner>,
    /// Folder of the clones.
    cache: PathBuf,
    repositories: BTreeMap<String, Repository>,
}

/// A scalar of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Where<'a> {
    /// Name of the repository in the configuration.
    pub repository: &'a str,
    /// Branch.
    pub branch: &'a str,
    /// File, from the repository's root.
    pub path: &'a str,
    /// Which scalar: a [`crate::domain::fleet::CarryPath`].
    pub pointer: &'a str,
}

/// Why a scalar could not be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// The configuration names no such repository.
    #[error("no repository {0} is configured")]
    Unknown(String),
    /// There is no `git`.
    #[error("there is no `git` on this host: install it")]
    NoGit,
    /// The repository cannot be reached, or does not let us in.
    #[error("repository {repository} cannot be read: {why}")]
    Unreachable {
        /// Which.
        repository: String,
        /// What git said, made visible.
        why: String,
    },
    /// Another process uses the clone.
    #[error("the clone of repository {0} is in use by another gonogo: try again")]
    Busy(String),
    /// The branch does not exist.
    #[error("repository {repository} has no branch {branch}")]
    NoBranch {
        /// Which repository.
        repository: String,
        /// Which branch.
        branch: String,
    },
    /// The file does not exist on the branch, or is no file.
    #[error("branch {branch} has no file {path}")]
    NoFile {
        /// Which branch.
        branch: String,
        /// Which file.
        path: String,
    },
    /// The scalar cannot be read or replaced.
    #[error("{path}: {error}")]
    Yaml {
        /// Which file.
        path: String,
        /// Why.
        error: YamlError,
    },
    /// Somebody changed it since it was looked at.
    #[error("{path}: {error}")]
    Changed {
        /// Which file.
        path: String,
        /// What is there.
        error: YamlError,
    },
    /// The repository did not take the commit.
    #[error("repository {repository} refused the push: {why}")]
    Refused {
        /// Which.
        repository: String,
        /// What it said, made visible.
        why: String,
    },
    /// Something on this host failed before anything was sent.
    #[error("{0}")]
    Local(String),
    /// Sent, and whether it arrived is not known.
    #[error("whether commit {commit} arrived is not known: {why}")]
    Lost {
        /// The commit.
        commit: String,
        /// What happened.
        why: String,
    },
}

impl Git {
    /// Over the repositories of a configuration; their clones are below `cache`.
    pub fn new(runner: Arc<dyn Runner>, cache: PathBuf, repositories: BTreeMap<String, Repository>) -> Self {
        Self { runner, cache, repositories }
    }

    /// Fetches a branch, and reads a scalar at its head.
    ///
    /// # Errors
    /// It cannot be reached or read, or the scalar could not be replaced.
    pub async fn read(&self, what: Where<'_>) -> Result<Seen, GitError> {
        read::read(&mut self.open(what.repository).await?, what).await
    }

    /// Makes a clone of every repository that has none yet, so that the first plan need not wait for it.
    pub async fn warm(&self) {
        for name in self.repositories.keys() {
            // What is wrong is said when somebody asks for it.
            if let Ok(clone) = self.open(name).await {
                drop(clone);
            }
        }
    }

    /// Makes the commit of a change, dated `at`, and pushes it. Done a second time it finds what the first did.
    ///
    /// # Errors
    /// Nothing was changed; only after [`GitError::Lost`] something may have been.
    pub async fn carry(&self, change: &GitChange, at: Timestamp) -> Result<Carried, GitError> {
        carry::carry(&mut self.open(&change.repository).await?, change, at).await
    }

    async fn open(&self, name: &str) -> Result<clone::Clone<'_>, GitError> {
        let known = self.repositories.get_key_value(name);
        let (name, repository) = known.ok_or_else(|| GitError::Unknown(name.to_owned()))?;
        clone::Clone::open(&*self.runner, &self.cache, name, repository).await
    }
}
