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
    /// How many of those that wait are news: proof of life alone is not.
    news: usize,
    /// Who takes waits for observations too, and not only for what cannot wait.
    awaited: bool,
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
            news: 0,
            awaited: true,
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
        if queues.is_awaited() {
            ready.notify_one();
        }
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
    ///
    /// Observations alone are let gather for `pause` first: a flood wakes nobody a thousand
    /// times a second. Keys and answers do not wait for that.
    pub fn take(&self, pause: Duration, most: Duration) -> Vec<Incoming<K>> {
        let (queues, ready) = &*self.0;
        let mut guard = queues.lock().unwrap_or_else(PoisonError::into_inner);
        for (awaited, wait) in [(false, pause.min(most)), (true, most.saturating_sub(pause))] {
            guard.awaited = awaited;
            if !wait.is_zero() {
                let waited = ready.wait_timeout_while(guard, wait, |q| !q.is_awaited());
                guard = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            if guard.is_awaited() {
                break;
            }
        }
        guard.awaited = false;
        guard.drain()
    }
}

impl<K> Queues<K> {
    /// Something is there that is waited for.
    fn is_awaited(&self) -> bool {
        !self.keys.is_empty() || !self.replies.is_empty() || (self.awaited && self.news > 0)
    }

    fn push_seen(&mut self, seen: Observation) {
        self.news += usize::from(is_news(&seen));
        if let Observation::Object { cluster, seen: Seen::Workload { namespace, name, state, .. }, .. } = &seen {
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
        self.news = 0;
        out.extend(self.seen.drain(..).flatten().map(|s| Incoming::Engine(Msg::Seen(s))));
        out
    }
}

/// Proof of life comes with each event and just before it. If it woke anybody, the event itself
/// would come too late for that frame: it is taken in with what comes next, or with the next tick.
/// With a server's time it is stamped at once, since the two are compared.
pub fn is_news(seen: &Observation) -> bool {
    !matches!(seen, Observation::Heard { server_time: None, .. })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stamp::SignedDuration;

    const LONG: Duration = Duration::from_secs(3_600);

    fn heard(cluster: u32) -> Observation {
        let server_time = crate::domain::stamp::Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_secs(1)).ok();
        Observation::Heard { cluster: ClusterIx(cluster), server_time }
    }

    fn kinds(taken: &[Incoming<&str>]) -> Vec<&'static str> {
        let kind = |i: &Incoming<&str>| if matches!(i, Incoming::Key(_)) { "key" } else { "seen" };
        taken.iter().map(kind).collect()
    }

    #[test]
    fn an_observation_after_a_quiet_spell_is_taken_at_once() {
        let inbox: Inbox<&str> = Inbox::default();
        inbox.seen(heard(0));
        assert_eq!(kinds(&inbox.take(Duration::ZERO, LONG)), ["seen"]);
        assert_eq!(kinds(&inbox.take(Duration::ZERO, Duration::ZERO)), [""; 0]);
    }

    #[test]
    fn observations_gather_until_something_comes_that_cannot_wait() {
        let inbox: Inbox<&str> = Inbox::default();
        inbox.seen(heard(0));
        let to = inbox.clone();
        let other = std::thread::spawn(move || {
            to.seen(heard(1));
            to.key("q");
        });
        let taken = inbox.take(LONG, LONG);
        assert_eq!(kinds(&taken).first(), Some(&"key"));
        assert_eq!(taken.len(), 3);
        assert!(other.join().is_ok());
    }

    #[test]
    fn proof_of_life_wakes_nobody_before_the_event_that_gave_it() {
        let inbox: Inbox<&str> = Inbox::default();
        inbox.seen(Observation::Heard { cluster: ClusterIx(0), server_time: None });
        let to = inbox.clone();
        let other = std::thread::spawn(move || to.seen(heard(1)));
        assert_eq!(kinds(&inbox.take(Duration::ZERO, LONG)), ["seen", "seen"]);
        assert!(other.join().is_ok());
    }

    #[test]
    fn what_gathered_is_taken_when_the_pause_is_over() {
        let inbox: Inbox<&str> = Inbox::default();
        inbox.seen(heard(0));
        assert_eq!(kinds(&inbox.take(Duration::from_millis(1), LONG)), ["seen"]);
    }
}
