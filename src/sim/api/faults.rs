//! What can go wrong between a client and one cluster, switched at run time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

/// Whether the network lets anything through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// All is well.
    #[default]
    Up,
    /// Packets vanish: what is open freezes, what is new hangs.
    Hung,
    /// Connections are reset and new ones refused.
    Refused,
}

/// Which requests a storm or a damage meets. Empty texts match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Matching {
    /// HTTP method.
    pub method: String,
    /// Part of the path.
    pub path: String,
    /// Only this many times; 0: for as long as it is set.
    pub times: u32,
}

impl Matching {
    fn meets(&self, method: &str, path: &str) -> bool {
        (self.method.is_empty() || self.method.eq_ignore_ascii_case(method)) && path.contains(&self.path)
    }
}

/// What happens to a request that a fault meets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Answered with this code without being looked at: 429 and 503 with Retry-After 1.
    Storm(u16),
    /// The reply's body ends after this many bytes and the connection stays open.
    HangAfter(usize),
    /// The reply's body is cut in the middle, and ends as if it were whole.
    Truncate,
    /// The body is not JSON at all.
    Garbage,
    /// The object that is read carries an annotation of this many bytes.
    Huge(usize),
    /// The request is carried out and its reply never sent: the connection is reset.
    DropReply,
    /// The request is held for this long, in real time, before it is looked at.
    DelayMillis(u64),
}

#[derive(Debug, Default)]
struct State {
    latency: Duration,
    faults: Vec<(Matching, Fault, u32)>,
    skew: i64,
    expired: bool,
}

/// The faults of one cluster. Clones switch the same ones.
#[derive(Clone, Debug)]
pub struct Faults {
    state: Arc<Mutex<State>>,
    link: watch::Sender<Link>,
    /// Counts cuts: each ends every open watch.
    cuts: watch::Sender<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { state: Arc::default(), link: watch::Sender::new(Link::Up), cuts: watch::Sender::new(0) }
    }
}

impl Faults {
    fn with<T>(&self, run: impl FnOnce(&mut State) -> T) -> T {
        run(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the network's state.
    pub fn set_link(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// The network's state, to be watched.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    /// Time, real, by which every request is held up.
    pub fn set_latency(&self, latency: Duration) {
        self.with(|state| state.latency = latency);
    }

    /// Adds a fault for matching requests.
    pub fn add(&self, matching: Matching, fault: Fault) {
        self.with(|state| state.faults.push((matching, fault, 0)));
    }

    /// Removes all faults that were added, and the latency, skew and expiry.
    pub fn clear(&self) {
        self.with(|state| *state = State::default());
        self.set_link(Link::Up);
    }

    /// Seconds by which the Date header is off.
    pub fn set_skew(&self, seconds: i64) {
        self.with(|state| state.skew = seconds);
    }

    /// Whether all tokens count as expired (401).
    pub fn expire_tokens(&self, expired: bool) {
        self.with(|state| state.expired = expired);
    }

    /// Ends every open watch, as a load balancer's idle cut does.
    pub fn cut_watches(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    pub(super) fn cuts(&self) -> watch::Receiver<u64> {
        self.cuts.subscribe()
    }

    pub(super) fn latency(&self) -> Duration {
        self.with(|state| state.latency)
    }

    pub(super) fn skew(&self) -> i64 {
        self.with(|state| state.skew)
    }

    pub(super) fn tokens_expired(&self) -> bool {
        self.with(|state| state.expired)
    }

    /// The faults this request meets; counted ones are used up.
    pub(super) fn meet(&self, method: &str, path: &str) -> Vec<Fault> {
        self.with(|state| {
            let mut met = Vec::new();
            for (matching, fault, used) in &mut state.faults {
                if matching.meets(method, path) {
                    *used += 1;
                    met.push(fault.clone());
                }
            }
            state.faults.retain(|(matching, _, used)| matching.times == 0 || *used < matching.times);
            met
        })
    }

    /// Returns at once while the link is up; hangs for as long as it is hung.
    pub(super) async fn pass(&self) -> Result<(), super::body::Reset> {
        let mut link = self.link();
        loop {
            let now = *link.borrow_and_update();
            match now {
                Link::Up => return Ok(()),
                Link::Refused => return Err(super::body::Reset),
                Link::Hung => {}
            }
            if link.changed().await.is_err() {
                return Err(super::body::Reset);
            }
        }
    }
}
