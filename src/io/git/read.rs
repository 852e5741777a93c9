//! What a file at the head of a branch says, and who changed it last.

use std::time::Duration;

use super::clone::Clone;
use super::program::{Failed, LOCAL};
use super::{GitError, Where};
use crate::domain::fleet::CarryPath;
use crate::domain::text::safe;
use crate::domain::yaml::{self, YamlError};

/// Who changed a file last is nice to know; a plan does not wait for it.
const HISTORY: Duration = Duration::from_secs(3);

/// A scalar at the head of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The commit.
    pub head: String,
    /// The value.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
    /// The last commit that changed the file, where that is known in time.
    pub last: Option<Last>,
}

/// The last commit that changed a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The commit.
    pub commit: String,
    /// Its message, made visible.
    pub message: String,
    /// It changed that file and nothing else, and is no merge.
    pub alone: bool,
}

/// A file of a tree.
pub(super) struct Entry {
    /// `100644` or `100755`.
    pub mode: String,
    pub blob: String,
    pub text: Vec<u8>,
}

pub(super) async fn read(clone: &mut Clone<'_>, what: Where<'_>) -> Result<Seen, GitError> {
    let pointer = pointer(what.pointer)?;
    let head = clone.fetch(what.branch).await?;
    let entry = entry(clone, &head, what.branch, what.path).await?;
    let scalar =
        yaml::read(&entry.text, &pointer).map_err(|error| GitError::Yaml { path: safe(what.path, 400), error })?;
    let last = last(clone, &head, what.path).await;
    Ok(Seen { head, value: scalar.value, line: scalar.line, last })
}

/// A pointer of a plan: it was checked when the configuration was read.
pub(super) fn pointer(text: &str) -> Result<CarryPath, GitError> {
    CarryPath::parse(text).ok_or_else(|| GitError::Local(format!("{} is not a pointer", safe(text, 200))))
}

/// The file at a commit.
pub(super) async fn entry(clone: &Clone<'_>, commit: &str, branch: &str, path: &str) -> Result<Entry, GitError> {
    let listed =
        clone.git.run(&["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path], LOCAL).await;
    let listed = listed.map_err(|e| clone.local("the branch cannot be read", &e))?;
    let missing = || GitError::NoFile { branch: safe(branch, 200), path: safe(path, 400) };
    // `100644 blob 3b18e5…<tab>path<nul>`
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let (about, _) = listed.split_once('\t').ok_or_else(missing)?;
    let mut words = about.split(' ');
    let (Some(mode), Some("blob"), Some(blob)) = (words.next(), words.next(), words.next()) else {
        return Err(missing());
    };
    // A link's text is a path, not a document.
    if !mode.starts_with("100") {
        return Err(missing());
    }
    // A clone without files fetches it now.
    let text = clone.git.run(&["cat-file", "blob", blob], clone.repository.limit).await;
    let text = text.map_err(|e| match &e {
        Failed::NotRun(crate::io::command::NotRun::TooMuch(_)) => {
            GitError::Yaml { path: safe(path, 400), error: YamlError::TooLong }
        }
        e => clone.unreachable(e),
    })?;
    Ok(Entry { mode: mode.to_owned(), blob: blob.to_owned(), text })
}

async fn last(clone: &Clone<'_>, head: &str, path: &str) -> Option<Last> {
    let args = ["--literal-pathspecs", "log", "-1", "--no-show-signature", "--format=%H%x00%P%x00%B", head, "--", path];
    let out = clone.git.run(&args, HISTORY).await.ok()?;
    let out = String::from_utf8_lossy(&out).into_owned();
    let mut parts = out.splitn(3, '\0');
    let (commit, parents, message) = (parts.next()?, parts.next()?, parts.next()?);
    let alone = parents.split(' ').filter(|p| !p.is_empty()).count() == 1
        && paths(clone, commit).await.is_some_and(|p| p == [path]);
    Some(Last {
        commit: commit.to_owned(),
        message: message.lines().map(|l| safe(l, 400)).collect::<Vec<_>>().join("\n"),
        alone,
    })
}

/// Every file that a commit changed.
pub(super) async fn paths(clone: &Clone<'_>, commit: &str) -> Option<Vec<String>> {
    let args = ["diff-tree", "--no-commit-id", "--name-only", "--no-renames", "-r", "-z", commit];
    let out = clone.git.run(&args, HISTORY).await.ok()?;
    Some(String::from_utf8_lossy(&out).split('\0').filter(|p| !p.is_empty()).map(str::to_owned).collect())
}
