//! One commit that changes one scalar, from the file at the head of its branch to the branch that is followed.

use std::time::Duration;

use tokio::time::Instant;

use super::clone::Clone;
use super::program::{Failed, LOCAL};
use super::push::{self, Outcome};
use super::read::{self, Entry};
use super::{GitError, compare};
use crate::domain::outside::{GitChange, Push};
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::domain::yaml::{self, YamlError};

/// How long somebody else may be faster each time before it is given up.
const RACES: Duration = Duration::from_secs(45);

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The commit.
    pub commit: String,
    /// The branch that holds it.
    pub branch: String,
    /// Where a change request can be opened, if the commit is on a branch of its own and the host is known.
    pub link: Option<String>,
}

/// The file before and after, as objects of the clone.
struct Edit {
    mode: String,
    before: String,
    after: String,
    signs: bool,
}

/// Where a commit goes, and what it is made from.
struct Road<'c> {
    change: &'c GitChange,
    /// The branch that is pushed to.
    branch: &'c str,
    at: Timestamp,
}

pub(super) async fn carry(clone: &mut Clone<'_>, change: &GitChange, at: Timestamp) -> Result<Carried, GitError> {
    let branch = match &change.push {
        Push::Direct => &change.branch,
        Push::Branch(own) => own,
    };
    let road = Road { change, branch, at };
    let deadline = Instant::now() + RACES;
    let mut head = road.head(clone).await?;
    if let Some(commit) = road.done_before(clone, &head).await? {
        return Ok(road.carried(clone, commit));
    }
    let mut edit: Option<Edit> = None;
    loop {
        // The less there is to do between a fetch and a push, the less often somebody is faster.
        let same = match edit.take() {
            Some(made) => road.is_still(clone, &head, &made).await.then_some(made),
            None => None,
        };
        let made = match same {
            Some(made) => made,
            None => road.edit(clone, &head).await?,
        };
        let commit = road.commit(clone, &head, &made).await?;
        edit = Some(made);
        match push::push(clone, &commit, branch).await {
            Outcome::Taken => return Ok(road.carried(clone, commit)),
            // Somebody was faster: from what is there now, if the scalar still says the same.
            Outcome::Race if Instant::now() < deadline => head = road.head(clone).await?,
            Outcome::Race => break,
            Outcome::Refused(why) => return Err(GitError::Refused { repository: clone.name.to_owned(), why }),
            Outcome::Lost(why) => {
                return match road.arrived(clone, &commit).await {
                    true => Ok(road.carried(clone, commit)),
                    false => Err(GitError::Lost { commit, why }),
                };
            }
        }
    }
    let why = format!("others pushed to {} each time, for {} s: try again", safe(branch, 200), RACES.as_secs());
    Err(GitError::Refused { repository: clone.name.to_owned(), why })
}

impl Road<'_> {
    /// What the commit is made on.
    async fn head(&self, clone: &mut Clone<'_>) -> Result<String, GitError> {
        let followed = clone.fetch(&self.change.branch).await?;
        if matches!(self.change.push, Push::Direct) {
            return Ok(followed);
        }
        // Another step of the same plan may have begun the branch.
        match clone.fetch(self.branch).await {
            Err(GitError::NoBranch { .. }) => Ok(followed),
            other => other,
        }
    }

    /// The commit that did it, where it was done: by this step before its reply was lost, or by another of its plan
    /// that is brought from the same file.
    async fn done_before(&self, clone: &Clone<'_>, head: &str) -> Result<Option<String>, GitError> {
        let since = format!("{}..{head}", self.change.base);
        let args = ["log", "--no-show-signature", "--format=%H%x00%B%x00", "-z", "--max-count=2000", &since];
        // A history that was written anew does not hold what was looked at: then nothing of ours is in it.
        let Ok(out) = clone.git.run(&args, LOCAL).await else { return Ok(None) };
        let out = String::from_utf8_lossy(&out).into_owned();
        let mut parts = out.split('\0').filter(|p| !p.trim().is_empty());
        while let (Some(commit), Some(message)) = (parts.next(), parts.next()) {
            let same = message.trim_end() == self.change.message.trim_end()
                || plan_of(message).is_some() && plan_of(message) == plan_of(&self.change.message);
            if same && self.says_so(clone, commit).await {
                return Ok(Some(commit.to_owned()));
            }
        }
        Ok(None)
    }

    /// Whether the scalar has its new value at a commit.
    async fn says_so(&self, clone: &Clone<'_>, commit: &str) -> bool {
        let Ok(entry) = read::entry(clone, commit, &self.change.branch, &self.change.path).await else { return false };
        let Ok(pointer) = read::pointer(&self.change.pointer) else { return false };
        yaml::read(&entry.text, &pointer).is_ok_and(|scalar| scalar.value == *self.change.to)
    }

    /// Whether the file is what was edited.
    async fn is_still(&self, clone: &Clone<'_>, head: &str, made: &Edit) -> bool {
        let at = format!("{head}:{}", self.change.path);
        clone.git.text(&["rev-parse", "--verify", "--quiet", &at]).await.is_ok_and(|blob| blob == made.before)
    }

    /// Writes the file with the new value, as an object on no branch.
    async fn edit(&self, clone: &Clone<'_>, head: &str) -> Result<Edit, GitError> {
        let entry = read::entry(clone, head, &self.change.branch, &self.change.path).await?;
        let text = self.edited(clone, &entry).await?;
        // As it is: no filter and no change of line endings.
        let after = clone.git.fed(&["hash-object", "-w", "--stdin"], LOCAL, Some(text), &[]).await;
        let after = word(after.map_err(|e| clone.local("the file cannot be written", &e))?);
        let signs = clone.is_set("commit.gpgSign").await;
        Ok(Edit { mode: entry.mode, before: entry.blob, after, signs })
    }

    /// The file with the new value.
    async fn edited(&self, clone: &Clone<'_>, entry: &Entry) -> Result<Vec<u8>, GitError> {
        let GitChange { path, pointer, from, to, reverts, .. } = self.change;
        let pointer = read::pointer(pointer)?;
        let edited = yaml::replace(&entry.text, &pointer, from, to).map_err(|error| {
            let path = safe(path, 400);
            match error {
                YamlError::Differs { .. } | YamlError::Missing(_) => GitError::Changed { path, error },
                error => GitError::Yaml { path, error },
            }
        })?;
        let Some(reverted) = reverts else { return Ok(edited) };
        // What the file was before, byte by byte, where nothing else happened to it since.
        let (then, before) = (format!("{reverted}:{path}"), format!("{reverted}^:{path}"));
        let is_last = clone.git.text(&["rev-parse", "--verify", "--quiet", &then]).await.is_ok_and(|b| b == entry.blob);
        let alone = read::paths(clone, reverted).await.is_some_and(|p| p == [&**path]);
        let was = match is_last && alone {
            true => clone.git.run(&["cat-file", "blob", &before], clone.repository.limit).await.ok(),
            false => None,
        };
        let was = was.filter(|text| yaml::read(text, &pointer).is_ok_and(|scalar| scalar.value == **to));
        Ok(was.unwrap_or(edited))
    }

    /// Makes the commit. Nobody's files are touched: the tree is made from the head's by an index of its own.
    async fn commit(&self, clone: &Clone<'_>, head: &str, made: &Edit) -> Result<String, GitError> {
        let git = &clone.git;
        let cannot = |e: Failed| clone.local("the commit cannot be made", &e);
        let index = clone.folder.join("gonogo-index");
        let _ = std::fs::remove_file(&index);
        let _ = std::fs::remove_file(index.with_extension("lock"));
        let index = index.to_string_lossy().into_owned();
        let env = [("GIT_INDEX_FILE", index.as_str())];
        git.fed(&["read-tree", head], LOCAL, None, &env).await.map_err(cannot)?;
        let line = format!("{} {}\t{}\0", made.mode, made.after, self.change.path);
        git.fed(&["update-index", "-z", "--index-info"], LOCAL, Some(line.into_bytes()), &env).await.map_err(cannot)?;
        let tree = word(git.fed(&["write-tree", "--missing-ok"], LOCAL, None, &env).await.map_err(cannot)?);
        let _ = std::fs::remove_file(&index);
        let mut args = vec!["commit-tree", "-p", head, "-F", "-"];
        if made.signs {
            args.push("-S");
        }
        args.push(&tree);
        // The same plan on the same head is the same commit, however often it is made.
        let date = format!("{} +0000", self.at.as_second());
        let env = [("GIT_AUTHOR_DATE", date.as_str()), ("GIT_COMMITTER_DATE", date.as_str())];
        let message = self.change.message.as_bytes().to_vec();
        let made = git.fed(&args, LOCAL, Some(message), &env).await.map_err(|e| match e.text() {
            text if text.contains("user.email") || text.contains("empty ident") => GitError::Local(
                "git does not know who commits: `git config --global user.name …` and `user.email …`".to_owned(),
            ),
            _ => cannot(e),
        })?;
        Ok(word(made))
    }

    /// Whether the branch holds the commit.
    async fn arrived(&self, clone: &mut Clone<'_>, commit: &str) -> bool {
        let Ok(head) = clone.fetch(self.branch).await else { return false };
        clone.git.run(&["merge-base", "--is-ancestor", commit, &head], LOCAL).await.is_ok()
    }

    fn carried(&self, clone: &Clone<'_>, commit: String) -> Carried {
        let link = match &self.change.push {
            Push::Direct => None,
            Push::Branch(own) => compare(&clone.repository.url, &self.change.branch, own),
        };
        Carried { commit, branch: self.branch.to_owned(), link }
    }
}

fn word(out: Vec<u8>) -> String {
    String::from_utf8_lossy(&out).trim().to_owned()
}

/// The plan in a message's trailers.
fn plan_of(message: &str) -> Option<&str> {
    message.lines().rev().find_map(|line| line.strip_prefix("Gonogo-Plan: ")).map(str::trim)
}
