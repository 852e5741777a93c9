//! The bounded log of changes, and readers that notice when they fell behind it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::resources::Resource;
use super::{Store, Stored};

/// Changes kept at most: two seconds of a 1,000/s flood. More costs memory for objects
/// nobody will read; a watcher that is further behind lists again, as on a real server.
const CAPACITY: usize = 2_048;
/// Real time for which changes are kept at most: two watch periods of our own clients.
const KEPT: Duration = Duration::from_secs(75);

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// It was created.
    Added,
    /// It was changed.
    Modified,
    /// It was deleted.
    Deleted,
}

/// One committed change; revisions count up by one per change.
#[derive(Debug)]
pub struct Change {
    /// The cluster's revision that this change made.
    pub revision: u64,
    /// What happened.
    pub verb: Verb,
    /// The stored resource (never a view).
    pub resource: &'static Resource,
    /// The object after the change; for a deletion the last state, with the new revision.
    pub object: Arc<Value>,
    /// The object before; none when it was created.
    pub previous: Option<Arc<Value>>,
    /// `object` with its wire forms.
    pub stored: Arc<Stored>,
    at: Duration,
}

impl Change {
    pub(super) fn new(
        revision: u64,
        verb: Verb,
        resource: &'static Resource,
        stored: Arc<Stored>,
        previous: Option<Arc<Value>>,
        at: Duration,
    ) -> Self {
        Self { revision, verb, resource, object: Arc::clone(&stored.value), previous, stored, at }
    }
}

/// The changes asked for are no longer kept: list again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision {requested} is older than the history, which starts at {oldest}")]
pub struct Compacted {
    /// The revision asked for.
    pub requested: u64,
    /// The oldest revision from which changes are still known.
    pub oldest: u64,
}

/// The log itself. `changes` holds exactly the revisions `forgotten + 1 ..= newest`.
pub(super) struct History {
    changes: VecDeque<Arc<Change>>,
    forgotten: u64,
    capacity: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { changes: VecDeque::new(), forgotten: 1, capacity: CAPACITY }
    }
}

impl History {
    pub(super) fn push(&mut self, change: Arc<Change>) {
        let now = change.at;
        self.changes.push_back(change);
        while let Some(front) = self.changes.front() {
            if self.changes.len() <= self.capacity && now.saturating_sub(front.at) <= KEPT {
                break;
            }
            self.forgotten = front.revision;
            self.changes.pop_front();
        }
    }

    pub(super) fn compact(&mut self, revision: u64) {
        self.changes.clear();
        self.forgotten = revision;
    }

    pub(super) fn keep(&mut self, changes: usize) {
        self.capacity = changes;
    }

    /// The changes after `revision`, oldest first.
    pub(super) fn after(&self, revision: u64, newest: u64) -> Result<Vec<Arc<Change>>, Compacted> {
        if revision < self.forgotten {
            return Err(Compacted { requested: revision, oldest: self.forgotten });
        }
        if revision >= newest {
            return Ok(Vec::new());
        }
        let skip = usize::try_from(revision - self.forgotten).unwrap_or(usize::MAX);
        Ok(self.changes.iter().skip(skip).cloned().collect())
    }
}

/// A reader of changes, in order, none left out.
pub struct Changes {
    store: Store,
    read: u64,
    ready: VecDeque<Arc<Change>>,
}

impl Changes {
    pub(super) fn new(store: Store, read: u64) -> Self {
        Self { store, read, ready: VecDeque::new() }
    }

    /// The revision up to which changes have been handed out.
    pub fn read(&self) -> u64 {
        self.ready.front().map_or(self.read, |next| next.revision.saturating_sub(1))
    }

    /// The next change if there is one already.
    pub fn try_next(&mut self) -> Result<Option<Arc<Change>>, Compacted> {
        if self.ready.is_empty() {
            let state = self.store.lock();
            self.ready = state.history.after(self.read, state.revision)?.into();
            self.read = self.read.max(state.revision);
        }
        Ok(self.ready.pop_front())
    }

    /// Gives up on what was missed: the next change is the first one from now on.
    pub fn skip_to_now(&mut self) {
        self.ready.clear();
        self.read = self.store.revision();
    }

    /// Waits for the next change. Safe to cancel.
    pub async fn next(&mut self) -> Result<Arc<Change>, Compacted> {
        loop {
            let store = self.store.clone();
            // Before the look: what comes in between is not missed.
            let more = store.written();
            if let Some(change) = self.try_next()? {
                return Ok(change);
            }
            more.await;
        }
    }
}
