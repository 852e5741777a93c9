//! How well we hear a cluster.

use super::id::Text;
use super::stamp::{Stamp, Timestamp};

/// How well we hear a cluster, as its watch task says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Link {
    /// Not yet heard.
    #[default]
    Connecting,
    /// Watches are open; proof of life is an event, a bookmark or a renewed watch.
    Live,
    /// A request failed; what is shown is what was last known.
    Lost {
        /// Why, in one line.
        reason: LostReason,
        /// Wall time of the next try.
        next_try: Timestamp,
    },
}

/// Why a cluster is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostReason {
    /// No connection, TLS failure, reset, timeout.
    Unreachable(Text),
    /// 401: credentials are missing or expired.
    Unauthenticated(Text),
    /// 403: the verb and resource that were refused.
    Forbidden(Text),
    /// The server answers, but not sensibly (5xx, garbage).
    Failing(Text),
    /// The context is not usable (missing, unreadable file, exec plugin failed).
    Unusable(Text),
    /// The context points to another cluster than before.
    Changed(Text),
}

impl LostReason {
    /// The word and the reason.
    pub fn text(&self) -> (&'static str, &str) {
        match self {
            LostReason::Unreachable(t) => ("unreachable", t),
            LostReason::Unauthenticated(t) => ("not logged in", t),
            LostReason::Forbidden(t) => ("forbidden", t),
            LostReason::Failing(t) => ("failing", t),
            LostReason::Unusable(t) => ("unusable", t),
            LostReason::Changed(t) => ("another cluster", t),
        }
    }
}

/// From this age without proof of life a link is shown as late.
pub const LATE_AFTER: std::time::Duration = std::time::Duration::from_secs(45);

/// What the screen and the gates see: the link with its age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freshness<'a> {
    /// Never heard.
    Never,
    /// Heard recently.
    Live,
    /// No proof of life for longer than [`LATE_AFTER`].
    Late(std::time::Duration),
    /// Lost since the age given, if it was ever heard.
    Lost(Option<std::time::Duration>, &'a LostReason),
}

impl Link {
    /// The link with its age at `now`, given the last proof of life.
    pub fn freshness(&self, heard: Option<Stamp>, now: Stamp) -> Freshness<'_> {
        let age = heard.map(|h| now.since(h));
        match (self, age) {
            (Link::Lost { reason, .. }, age) => Freshness::Lost(age, reason),
            (_, None) => Freshness::Never,
            (_, Some(age)) if age > LATE_AFTER => Freshness::Late(age),
            (_, Some(_)) => Freshness::Live,
        }
    }
}

impl Freshness<'_> {
    /// Whether evidence may rest on it.
    pub fn is_live(&self) -> bool {
        matches!(self, Freshness::Live)
    }
}
