//! One cluster's objects: what an API server's registry does between the wire and etcd.
//!
//! Reads and writes are synchronous and atomic. A write is prepared outside the lock
//! (patch, defaults, validation) and committed only if the object is still the one it
//! started from, as the real server does.

mod apply;
mod defaults;
mod delete;
/// Events in two API groups.
pub mod events;
mod history;
mod load;
mod managed;
mod meta;
mod stored;
mod validate;
mod write;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::clock::SimClock;
use super::resources::{self, Resource};
use super::status::ApiError;

pub use apply::Applied;
pub use delete::{DeleteOptions, Propagation};
use history::History;
pub use history::{Change, Changes, Compacted, Verb};
pub use load::Author;
pub use stored::{Representation, Stored};
pub use validate::label_key;
pub use write::{Part, Writer};

/// Objects of one resource: namespace (empty for cluster scope) → name → object.
type Shelf = BTreeMap<String, BTreeMap<String, Arc<Stored>>>;

/// One cluster's objects. Clones are handles on the same cluster.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    clock: SimClock,
    seed: u64,
    state: Mutex<State>,
    /// Wakes watchers, in the order in which they wait: the same script gives the same history.
    written: Notify,
}

struct State {
    revision: u64,
    shelves: BTreeMap<(&'static str, &'static str), Shelf>,
    history: History,
    /// Events by the time of their writes, to be forgotten after an hour.
    events: VecDeque<(Timestamp, Arc<Stored>)>,
}

impl Store {
    /// An empty cluster.
    pub fn new(clock: SimClock) -> Self {
        Self::seeded(clock, 0)
    }

    /// An empty cluster whose uids follow from `seed`: give each cluster of a fleet its own.
    pub fn seeded(clock: SimClock, seed: u64) -> Self {
        let state =
            State { revision: 1, shelves: BTreeMap::new(), history: History::default(), events: VecDeque::new() };
        let inner = Inner { clock, seed, state: Mutex::new(state), written: Notify::new() };
        Self { inner: Arc::new(inner) }
    }

    /// The cluster's time.
    pub fn clock(&self) -> &SimClock {
        &self.inner.clock
    }

    /// The newest revision: the `resourceVersion` of a list made now.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// The object, if it exists. Cluster-scoped resources take an empty namespace.
    pub fn get(&self, resource: &'static Resource, ns: &str, name: &str) -> Option<Arc<Value>> {
        self.find(resource, ns, name).map(|stored| Arc::clone(&stored.value))
    }

    /// As `get`, with its encodings.
    pub fn find(&self, resource: &'static Resource, ns: &str, name: &str) -> Option<Arc<Stored>> {
        self.lock().find(resource, ns, name).cloned()
    }

    /// All objects, or those of one namespace, ordered by namespace and name.
    pub fn list(&self, resource: &'static Resource, ns: Option<&str>) -> Vec<Arc<Value>> {
        let (_, all) = self.snapshot(resource, ns);
        all.into_iter().map(|stored| Arc::clone(&stored.value)).collect()
    }

    /// As `list`, with encodings and the revision the list is of.
    pub fn snapshot(&self, resource: &'static Resource, ns: Option<&str>) -> (u64, Vec<Arc<Stored>>) {
        let state = self.lock();
        (state.revision, state.all(resource, ns))
    }

    /// The list as it was at an earlier `revision`; an error once history has forgotten it.
    pub fn snapshot_at(
        &self,
        resource: &'static Resource,
        ns: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Arc<Stored>>, Compacted> {
        let state = self.lock();
        let later = state.history.after(revision, state.revision)?;
        let mut objects: BTreeMap<(String, String), Arc<Stored>> = BTreeMap::new();
        for stored in state.all(resource, ns) {
            objects.insert((stored.namespace().to_owned(), stored.name().to_owned()), stored);
        }
        for change in later.iter().rev().filter(|c| c.resource.is(resource.stored())) {
            let (at, name) = (change.stored.namespace(), change.stored.name());
            if ns.is_some_and(|ns| ns != at) {
                continue;
            }
            let key = (at.to_owned(), name.to_owned());
            match &change.previous {
                Some(previous) => objects.insert(key, Arc::new(Stored::new(Arc::clone(previous)))),
                None => objects.remove(&key),
            };
        }
        Ok(objects.into_values().collect())
    }

    /// Changes from now on. They cannot be lost silently: a reader that falls behind the
    /// bounded history is told so.
    pub fn subscribe(&self) -> Changes {
        self.changes_after(self.revision())
    }

    /// Changes after `revision`.
    pub fn changes_after(&self, revision: u64) -> Changes {
        Changes::new(self.clone(), revision)
    }

    /// Forgets all history up to now, as etcd's compaction does: older watches get 410.
    pub fn compact(&self) {
        let mut state = self.lock();
        let revision = state.revision;
        state.history.compact(revision);
    }

    fn written(&self) -> Notified<'_> {
        self.inner.written.notified()
    }

    /// How many changes the history keeps at most (default 2,048).
    pub fn keep_history(&self, changes: usize) {
        self.lock().history.keep(changes);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&self, resource: &'static Resource, ns: &str, name: &str) -> Option<&Arc<Stored>> {
        let stored = resource.stored();
        self.shelves.get(&(stored.group, stored.plural))?.get(ns)?.get(name)
    }

    fn all(&self, resource: &'static Resource, ns: Option<&str>) -> Vec<Arc<Stored>> {
        let stored = resource.stored();
        let Some(shelf) = self.shelves.get(&(stored.group, stored.plural)) else {
            return Vec::new();
        };
        match ns {
            Some(ns) => shelf.get(ns).into_iter().flat_map(|names| names.values().cloned()).collect(),
            None => shelf.values().flat_map(|names| names.values().cloned()).collect(),
        }
    }

    fn put(&mut self, resource: &'static Resource, object: &Arc<Stored>) {
        let shelf = self.shelves.entry((resource.group, resource.plural)).or_default();
        let names = shelf.entry(object.namespace().to_owned()).or_default();
        names.insert(object.name().to_owned(), Arc::clone(object));
    }

    fn remove(&mut self, resource: &'static Resource, ns: &str, name: &str) {
        let Some(shelf) = self.shelves.get_mut(&(resource.group, resource.plural)) else {
            return;
        };
        let Some(names) = shelf.get_mut(ns) else {
            return;
        };
        names.remove(name);
        if names.is_empty() {
            shelf.remove(ns);
        }
    }

    /// Every object whose ownerReferences name `uid`, with its resource.
    fn owned_by(&self, uid: &str) -> Vec<(&'static Resource, Arc<Stored>)> {
        let mut found = Vec::new();
        for (&(group, plural), shelf) in &self.shelves {
            let Some(resource) = resources::RESOURCES.into_iter().find(|r| r.group == group && r.plural == plural)
            else {
                continue;
            };
            for stored in shelf.values().flat_map(|names| names.values()) {
                if stored.owners().any(|owner| owner == uid) {
                    found.push((resource, Arc::clone(stored)));
                }
            }
        }
        found
    }
}

/// The refusal for a namespaced object whose namespace does not exist.
fn no_namespace(ns: &str) -> ApiError {
    ApiError::not_found(&resources::NAMESPACES, ns)
}

#[cfg(test)]
mod tests;
