//! One inbox for everything that comes in: keys first, observations coalesced per object.
//!
//! Observations of one object replace each other while they wait, but never across a
//! transition (template, phase, pause, condition reason): those are kept in order.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::id::{ClusterIx, Namespace, Text};
use crate::domain::observation::{Observation, Seen};
use crate::domain::workload::Workload;
use crate::engine::effect::{Msg, Reply};

/// Something for the loop.
#[derive(Debug)]
pub enum Incoming<K> {
    /// From the terminal or a signal: always first.
    Key(K),
    /// For the engine.
    Engine(Msg),
}

/// The receiving end's state.
struct Queues<K> {
    keys: VecDeque<K>,
    replies: VecDeque<Reply>,
    seen: VecDeque<Option<Observation>>,
    /// Position of the newest queued observation of an object, counted from the start of time.
    newest: HashMap<(ClusterIx, Namespace, Text), u64>,
    /// How many observations were taken out so far.
    taken: u64,
}

/// An inbox; cloning gives another sender and receiver of the same.
pub struct Inbox<K>(Arc<(Mutex<Queues<K>>, Condvar)>);

impl<K> Clone for Inbox<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K> Default for Inbox<K> {
    fn default() -> Self {
        let queues = Queues {
            keys: VecDeque::new(),
            replies: VecDeque::new(),
            seen: VecDeque::new(),
            newest: HashMap::new(),
            taken: 0,
        };
        Self(Arc::new((Mutex::new(queues), Condvar::new())))
    }
}

impl<K> Inbox<K> {
    fn with<T>(&self, change: impl FnOnce(&mut Queues<K>) -> T) -> T {
        let (queues, ready) = &*self.0;
        // A poisoned lock means a panic elsewhere, which ends the program; the queues are whole.
        let mut queues = queues.lock().unwrap_or_else(PoisonError::into_inner);
        let out = change(&mut queues);
        ready.notify_one();
        out
    }

    /// A key, a resize, a signal.
    pub fn key(&self, key: K) {
        self.with(|q| q.keys.push_back(key));
    }

    /// An answer.
    pub fn reply(&self, reply: Reply) {
        self.with(|q| q.replies.push_back(reply));
    }

    /// An observation.
    pub fn seen(&self, seen: Observation) {
        self.with(|q| q.push_seen(seen));
    }

    /// Takes what is there, keys first; waits at most `most` when nothing is.
    pub fn take(&self, most: Duration) -> Vec<Incoming<K>> {
        let (queues, ready) = &*self.0;
        let mut guard = queues.lock().unwrap_or_else(PoisonError::into_inner);
        if guard.is_empty() && !most.is_zero() {
            guard = ready.wait_timeout_while(guard, most, |q| q.is_empty()).unwrap_or_else(PoisonError::into_inner).0;
        }
        guard.drain()
    }
}

impl<K> Queues<K> {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.replies.is_empty() && self.seen.is_empty()
    }

    fn push_seen(&mut self, seen: Observation) {
        if let Observation::Object { cluster, seen: Seen::Workload { namespace, name, state, .. } } = &seen {
            let key = (*cluster, namespace.clone(), name.clone());
            let position = self.taken + self.seen.len() as u64;
            let before = self.newest.insert(key, position);
            let slot = before
                .and_then(|p| usize::try_from(p.checked_sub(self.taken)?).ok())
                .and_then(|i| self.seen.get_mut(i));
            if let Some(slot) = slot
                && replaceable(slot.as_ref(), state.as_deref())
            {
                *slot = None;
            }
        }
        self.seen.push_back(Some(seen));
    }

    fn drain(&mut self) -> Vec<Incoming<K>> {
        let mut out: Vec<Incoming<K>> = self.keys.drain(..).map(Incoming::Key).collect();
        out.extend(self.replies.drain(..).map(|r| Incoming::Engine(Msg::Reply(r))));
        self.taken += self.seen.len() as u64;
        self.newest.clear();
        out.extend(self.seen.drain(..).flatten().map(|s| Incoming::Engine(Msg::Seen(s))));
        out
    }
}

/// Whether a waiting observation says nothing that the newer one does not say too.
fn replaceable(old: Option<&Observation>, new: Option<&Workload>) -> bool {
    let Some(Observation::Object { seen: Seen::Workload { state: Some(old), .. }, .. }) = old else { return false };
    new.is_some_and(|new| {
        old.template == new.template
            && old.uid == new.uid
            && old.phase == new.phase
            && old.paused == new.paused
            && old.progress.reason == new.progress.reason
    })
}
