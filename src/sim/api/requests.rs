//! A bounded log of the requests a cluster accepted, for tests to read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Requests kept at most, unless a test asks for more: a fleet of 200 clusters may run for
/// days.
const KEPT: usize = 1_000;

/// One request.
#[derive(Clone, Debug)]
pub struct Logged {
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query as sent.
    pub query: String,
    /// User-Agent.
    pub user_agent: String,
    /// Content-Type.
    pub content_type: String,
    /// The audit id, the client's or ours.
    pub audit_id: String,
    /// User name; empty where authentication failed.
    pub user: String,
    /// Body as sent.
    pub body: Bytes,
    /// Response code; 0 where the connection was dropped instead.
    pub code: u16,
}

impl Logged {
    /// A write: not a read, not a dry run, not a review of oneself.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && !self.query.contains("dryRun=All") && !self.path.contains("/selfsubject")
    }
}

/// The log. Clones share it.
#[derive(Clone, Debug)]
pub struct RequestLog {
    entries: Arc<Mutex<(VecDeque<Logged>, usize)>>,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self { entries: Arc::new(Mutex::new((VecDeque::new(), KEPT))) }
    }
}

impl RequestLog {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<Logged>, usize)> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, entry: Logged) {
        let mut guard = self.lock();
        let (entries, kept) = &mut *guard;
        while entries.len() >= *kept {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// Keeps this many requests from now on; at least one.
    pub fn keep(&self, requests: usize) {
        self.lock().1 = requests.max(1);
    }

    /// Everything kept, oldest first.
    pub fn all(&self) -> Vec<Logged> {
        self.lock().0.iter().cloned().collect()
    }

    /// The writes among them.
    pub fn writes(&self) -> Vec<Logged> {
        self.all().into_iter().filter(Logged::is_write).collect()
    }

    /// Empties the log.
    pub fn clear(&self) {
        self.lock().0.clear();
    }
}
