//! A clone under the cache folder: bare, of what is asked for only, and used by one process at a time.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::program::{Failed, LOCAL, Program};
use super::{GitError, Repository};
use crate::domain::text::safe;
use crate::domain::version::sha256_hex;
use crate::io::command::{NotRun, Runner};

/// How often a lock that is held is tried.
const LOOK: Duration = Duration::from_millis(50);

/// A clone that is ours until this goes.
pub(super) struct Clone<'a> {
    /// Name in the configuration.
    pub name: &'a str,
    pub repository: &'a Repository,
    pub folder: PathBuf,
    pub git: Program<'a>,
    _lock: File,
}

impl<'a> Clone<'a> {
    /// Locks it, and makes it where it is not there yet.
    pub(super) async fn open(
        runner: &'a dyn Runner,
        cache: &Path,
        name: &'a str,
        repository: &'a Repository,
    ) -> Result<Self, GitError> {
        let local = |what: &str, e: std::io::Error| GitError::Local(format!("{what}: {e}"));
        std::fs::create_dir_all(cache).map_err(|e| local(&format!("folder {} cannot be made", cache.display()), e))?;
        // Of the URL only its digest: it may hold credentials.
        let id: String = sha256_hex(repository.url.as_bytes()).chars().take(20).collect();
        let folder = cache.join(format!("{id}.git"));
        let lock = locked(&cache.join(format!("{id}.lock")), name, repository.limit).await?;
        let mut clone = Self { name, repository, git: Program::new(runner, cache).await, folder, _lock: lock };
        if !clone.folder.join("HEAD").exists() {
            clone.make().await?;
        }
        clone.git = clone.git.within(&clone.folder);
        Ok(clone)
    }

    /// Fetches a branch, and gives its head.
    pub(super) async fn fetch(&mut self, branch: &str) -> Result<String, GitError> {
        let first = self.fetched(branch).await;
        let Err(why @ GitError::Unreachable { .. }) = first else { return first };
        // A process that was ended may have left a lock or half an object behind, and all of it can be had again.
        if self.is_sound().await {
            return Err(why);
        }
        self.make().await?;
        self.fetched(branch).await
    }

    /// Head of a branch as it was fetched last.
    pub(super) async fn head(&self, branch: &str) -> Option<String> {
        self.git.text(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{branch}^{{commit}}")]).await.ok()
    }

    async fn fetched(&self, branch: &str) -> Result<String, GitError> {
        let spec = format!("+refs/heads/{branch}:refs/heads/{branch}");
        let args = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--recurse-submodules=no",
            "origin",
            spec.as_str(),
        ];
        match self.git.run(&args, self.repository.limit).await {
            Ok(_) => {}
            Err(Failed::Ended(ran)) if ran.stderr.contains("couldn't find remote ref") => {
                return Err(GitError::NoBranch { repository: self.name.to_owned(), branch: safe(branch, 200) });
            }
            Err(failed) => return Err(self.unreachable(&failed)),
        }
        self.head(branch)
            .await
            .ok_or_else(|| GitError::NoBranch { repository: self.name.to_owned(), branch: safe(branch, 200) })
    }

    /// Whether what is here is whole: nothing is locked, and its newest commits and trees can be read.
    async fn is_sound(&self) -> bool {
        let locked = ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "gc.pid"];
        if locked.iter().any(|l| self.folder.join(l).exists()) || has_locks(&self.folder.join("refs"), 8) {
            return false;
        }
        let Ok(heads) = self.git.text(&["for-each-ref", "--format=%(objectname)"]).await else { return false };
        for head in heads.lines() {
            let tree = format!("{head}^{{tree}}");
            if self.git.text(&["cat-file", "-e", head]).await.is_err()
                || self.git.text(&["ls-tree", &tree]).await.is_err()
            {
                return false;
            }
        }
        true
    }

    /// Makes it anew beside what is there, and takes it only when it is whole.
    async fn make(&self) -> Result<(), GitError> {
        let new = self.folder.with_extension("new");
        let gone = |path: &Path| match std::fs::remove_dir_all(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(GitError::Local(format!("{} cannot be removed: {e}", path.display())))
            }
            _ => Ok(()),
        };
        gone(&new)?;
        let beside = self.folder.parent().unwrap_or(&self.folder);
        let into = new.to_string_lossy();
        // History without files: those that are read are fetched when they are. No template: its hooks are not ours.
        let args = [
            "clone",
            "--quiet",
            "--bare",
            "--single-branch",
            "--no-tags",
            "--filter=blob:none",
            "--template=",
            "--",
            &self.repository.url,
            &into,
        ];
        let made = self.git.within(beside).run(&args, self.repository.limit).await;
        if let Err(failed) = made {
            gone(&new)?;
            return Err(self.unreachable(&failed));
        }
        gone(&self.folder)?;
        std::fs::rename(&new, &self.folder)
            .map_err(|e| GitError::Local(format!("{} cannot be made: {e}", self.folder.display())))
    }

    /// What went wrong with the other side.
    pub(super) fn unreachable(&self, failed: &Failed) -> GitError {
        match failed {
            Failed::NotRun(NotRun::Absent) => GitError::NoGit,
            failed => GitError::Unreachable { repository: self.name.to_owned(), why: failed.text() },
        }
    }

    /// What went wrong on this host.
    pub(super) fn local(&self, what: &str, failed: &Failed) -> GitError {
        match failed {
            Failed::NotRun(NotRun::Absent) => GitError::NoGit,
            failed => GitError::Local(format!("{what}: {}", failed.text())),
        }
    }

    /// One value of the user's settings.
    pub(super) async fn is_set(&self, key: &str) -> bool {
        let got = self.git.run(&["config", "--type=bool", "--get", key], LOCAL).await;
        got.is_ok_and(|out| out.trim_ascii() == b"true")
    }
}

fn has_locks(folder: &Path, deep: usize) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| {
        let path = entry.path();
        path.extension().is_some_and(|e| e == "lock") || deep > 0 && path.is_dir() && has_locks(&path, deep - 1)
    })
}

async fn locked(path: &Path, name: &str, limit: Duration) -> Result<File, GitError> {
    let cannot = |e: std::io::Error| GitError::Local(format!("{} cannot be locked: {e}", path.display()));
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(cannot)?;
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(e)) => return Err(cannot(e)),
            Err(TryLockError::WouldBlock) if tokio::time::Instant::now() >= deadline => {
                return Err(GitError::Busy(name.to_owned()));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
        }
    }
}
