//! How a cluster does: its link, one backoff for all its watches, what is said about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::id::{ClusterIx, Text};
use crate::domain::link::{Link, LostReason};
use crate::domain::observation::{ClusterFacts, Observation};
use crate::domain::stamp::Timestamp;
use crate::io::Tell;
use crate::io::clock::Clock;

/// Longest wait between tries.
pub(super) const LONGEST: Duration = Duration::from_secs(30);
/// First wait; doubled per try, then jittered down to its half.
const FIRST: Duration = Duration::from_millis(500);
/// A link that lived this long starts again with the first wait.
const STEADY: Duration = Duration::from_secs(30);
/// Proof of life is told at most this often: the link is late after 45 s.
const HEARD_EVERY: Duration = Duration::from_secs(1);

/// A watch of this cluster: position in the plan, position among its namespaces.
pub(super) type WatchIx = (usize, usize);

/// How a cluster does. Shared by its watches, which run in one task.
pub(super) struct Health {
    cluster: ClusterIx,
    clock: Clock,
    tell: Tell,
    state: Mutex<State>,
    nudge: Notify,
    came_back: Notify,
}

struct State {
    rng: fastrand::Rng,
    tries: u32,
    next_try: Instant,
    live_since: Option<Instant>,
    was_lost: bool,
    pending: BTreeSet<WatchIx>,
    failing: BTreeMap<WatchIx, LostReason>,
    open: BTreeSet<WatchIx>,
    troubles: BTreeMap<WatchIx, Text>,
    heard: Option<Instant>,
    facts: ClusterFacts,
}

impl Health {
    /// A cluster that was not heard yet, with `plans` watches to come.
    pub(super) fn new(cluster: ClusterIx, plans: usize, clock: Clock, tell: Tell, rng: fastrand::Rng) -> Self {
        let state = State {
            rng,
            tries: 0,
            next_try: Instant::now(),
            live_since: None,
            was_lost: false,
            pending: (0..plans).map(|p| (p, 0)).collect(),
            failing: BTreeMap::new(),
            open: BTreeSet::new(),
            troubles: BTreeMap::new(),
            heard: None,
            facts: ClusterFacts::default(),
        };
        Self { cluster, clock, tell, state: Mutex::new(state), nudge: Notify::new(), came_back: Notify::new() }
    }

    /// The cluster this is about.
    pub(super) fn cluster(&self) -> ClusterIx {
        self.cluster
    }

    /// Tells an observation.
    pub(super) fn tell(&self, observation: Observation) {
        (self.tell)(observation);
    }

    /// A lock poisoned by a panic elsewhere guards data that is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A plan is followed in this many namespaces.
    pub(super) fn spread(&self, plan: usize, namespaces: usize) {
        let mut state = self.lock();
        state.pending.extend((1..namespaces).map(|n| (plan, n)));
    }

    /// Proof of life.
    pub(super) fn heard(&self, server_time: Option<Timestamp>) {
        let mut state = self.lock();
        let now = Instant::now();
        let recent = state.heard.is_some_and(|at| now.duration_since(at) < HEARD_EVERY);
        if server_time.is_some() || !recent {
            state.heard = Some(now);
            self.tell(Observation::Heard { cluster: self.cluster, server_time });
        }
    }

    /// A watch is open: it has its list, and hears what comes.
    pub(super) fn opened(&self, watch: WatchIx) {
        let mut state = self.lock();
        state.pending.remove(&watch);
        let was_failing = state.failing.remove(&watch).is_some();
        let had_trouble = state.troubles.remove(&watch).is_some();
        let is_new = state.open.insert(watch);
        if is_new || had_trouble {
            self.tell_facts(&mut state);
        }
        self.tell_live(&mut state, was_failing);
    }

    /// A watch cannot be had, and the others do not depend on it: said, not lost.
    pub(super) fn troubled(&self, watch: WatchIx, text: Text) {
        let mut state = self.lock();
        state.pending.remove(&watch);
        let was_failing = state.failing.remove(&watch).is_some();
        state.open.remove(&watch);
        if state.troubles.insert(watch, text.clone()) != Some(text) {
            self.tell_facts(&mut state);
        }
        self.tell_live(&mut state, was_failing);
    }

    /// A request failed: the cluster is lost until this watch is open again. Waits for the next try.
    pub(super) async fn failed(&self, watch: WatchIx, reason: LostReason, at_least: Option<Duration>) {
        let until = {
            let mut state = self.lock();
            let now = Instant::now();
            if state.live_since.take().is_some_and(|since| now.duration_since(since) >= STEADY) {
                state.tries = 0;
            }
            // Watches that fail together wait together: one backoff per cluster.
            if state.next_try <= now {
                let wait = backoff(state.tries, &mut state.rng);
                state.tries = state.tries.saturating_add(1);
                state.next_try = now + wait;
            }
            if let Some(least) = at_least {
                // A server that asks for hours is asked again sooner than that.
                state.next_try = state.next_try.max(now + least.min(Duration::from_secs(300)));
            }
            state.was_lost = true;
            let was_open = state.open.remove(&watch);
            if was_open {
                self.tell_facts(&mut state);
            }
            state.failing.insert(watch, reason.clone());
            let next_try = self.clock.wall_after(state.next_try.saturating_duration_since(now));
            let link = Link::Lost { reason, next_try };
            self.tell(Observation::Link { cluster: self.cluster, link });
            state.next_try
        };
        self.wait_until(until).await;
    }

    /// Waits, or less long when somebody asks to try again now.
    pub(super) async fn wait(&self, length: Duration) {
        self.wait_until(Instant::now() + length).await;
    }

    async fn wait_until(&self, until: Instant) {
        tokio::select! {
            biased;
            () = self.nudge.notified() => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }

    /// Everything that waits tries again now.
    pub(super) fn reconnect(&self) {
        {
            let mut state = self.lock();
            state.tries = 0;
            state.next_try = Instant::now();
        }
        self.nudge.notify_waiters();
    }

    /// Waits until the cluster was lost and is heard again, or `length` has passed.
    pub(super) async fn came_back(&self, length: Duration) {
        tokio::select! {
            biased;
            () = self.came_back.notified() => {}
            () = tokio::time::sleep(length) => {}
        }
    }

    /// What is known of the cluster changed.
    pub(super) fn learnt(&self, change: impl FnOnce(&mut ClusterFacts)) {
        let mut state = self.lock();
        let before = state.facts.clone();
        change(&mut state.facts);
        if state.facts != before {
            self.tell_facts(&mut state);
        }
    }

    /// A seeded random wait up to `most`, at least half of it.
    pub(super) fn jittered(&self, most: Duration) -> Duration {
        let mut state = self.lock();
        jitter(most, &mut state.rng)
    }

    fn tell_live(&self, state: &mut State, was_failing: bool) {
        if !state.pending.is_empty() || !state.failing.is_empty() {
            if let Some(reason) = state.failing.values().next().filter(|_| was_failing) {
                let next_try = self.clock.wall_after(state.next_try.saturating_duration_since(Instant::now()));
                let link = Link::Lost { reason: reason.clone(), next_try };
                self.tell(Observation::Link { cluster: self.cluster, link });
            }
        } else if state.live_since.is_none() {
            state.live_since = Some(Instant::now());
            self.tell(Observation::Link { cluster: self.cluster, link: Link::Live });
            if std::mem::take(&mut state.was_lost) {
                self.came_back.notify_one();
            }
        }
    }

    fn tell_facts(&self, state: &mut State) {
        state.facts.watches = state.open.len();
        state.facts.troubles = state.troubles.values().cloned().collect();
        let facts = state.facts.clone();
        self.tell(Observation::Cluster { cluster: self.cluster, facts });
    }
}

/// 0.5 s doubled per try up to 30 s, then jittered down to its half.
fn backoff(tries: u32, rng: &mut fastrand::Rng) -> Duration {
    let full = FIRST.saturating_mul(1_u32.checked_shl(tries).unwrap_or(u32::MAX)).min(LONGEST);
    jitter(full, rng)
}

fn jitter(full: Duration, rng: &mut fastrand::Rng) -> Duration {
    full.mul_f64(0.5 + 0.5 * rng.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_jitter_and_end_at_thirty_seconds() {
        let mut rng = fastrand::Rng::with_seed(7);
        for tries in 0..70 {
            let full = 0.5 * 2_f64.powi(tries.min(20));
            let wait = backoff(u32::try_from(tries).unwrap_or(0), &mut rng).as_secs_f64();
            assert!(wait <= full.min(30.0) && wait >= full.min(30.0) / 2.0, "{tries}: {wait}");
        }
    }
}
