//! What can be wrong with a Prometheus, switched on and off while it runs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::StatusCode;

/// One thing that is wrong. Several may hold at once.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The connection is refused (in process: the service returns an error).
    Down,
    /// Requests are never answered.
    Hang,
    /// Every answer takes this long.
    Slow(Duration),
    /// A proxy in front answers 502 with an HTML page.
    HtmlBody,
    /// Every request is answered with this status and an error envelope.
    Status(StatusCode),
    /// Answers end in the middle of their JSON.
    TruncatedJson,
    /// Every series is absent.
    Empty,
    /// Series of a service or a region (or both) are absent; none means any.
    Without {
        /// Only this service's series.
        service: Option<String>,
        /// Only this region's series.
        region: Option<String>,
    },
    /// Every sample is NaN.
    NotANumber,
    /// Answers carry these warnings, as a partial answer of Thanos does.
    Warnings(Vec<String>),
    /// Nothing has been scraped since this time (ms since the epoch).
    StaleSince(i64),
}

/// The faults of one Prometheus. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<RwLock<Vec<Fault>>>);

impl Faults {
    /// Replaces all faults.
    pub fn set(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = faults.into_iter().collect();
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.set([]);
    }

    /// The faults now.
    pub fn now(&self) -> Vec<Fault> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True while connections must be refused; the listener asks this.
    pub fn is_down(&self) -> bool {
        self.now().contains(&Fault::Down)
    }
}
