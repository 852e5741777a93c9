//! What the operator wants.

use std::fmt;
use std::time::Duration;

use super::id::{ColumnName, RegionIx, RingIx, ServiceIx, Text};
use super::record::FactId;

/// As the revision of a rollback: the newest before the one that ran before the release. Real
/// numbers begin at 1.
pub const BEFORE_PREVIOUS: u64 = 0;

/// As the revision of a rollback: what the region ran before its newest promotion, also where that promotion
/// is long done. For drills only: nobody is rolled back from what is known to be good without saying to what.
pub const ALSO_STABLE: u64 = u64::MAX;

/// What the operator wants, before anything is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The service.
    pub service: ServiceIx,
    /// What to do.
    pub verb: Verb,
    /// Where.
    pub target: Target,
    /// Why, if given beforehand.
    pub reason: Option<Text>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Give the target the version of the ring before, or the one named.
    Promote {
        /// A version by hand: a tag, or an image reference with digest.
        to: Option<Text>,
        /// Without the rest of the bake: an override.
        without_wait: bool,
    },
    /// Stop promotions of the target, and pause rollouts in flight.
    Hold,
    /// Release a hold; un-pause what a hold of ours paused.
    Resume {
        /// Which hold; none: the newest that covers the target.
        hold: Option<FactId>,
    },
    /// Back to known-good.
    RollBack {
        /// A revision chosen by hand where there is no fact to go by, or [`BEFORE_PREVIOUS`].
        to_revision: Option<u64>,
    },
    /// Roll back what is in flight.
    Abort,
    /// Out of traffic.
    Drain,
    /// Switch a flag off, by what the configuration says.
    FlagOff,
    /// Back to the weight before the drain.
    Restore,
    /// Say yes to what a ring would get.
    Approve {
        /// The version, for the first ring: it has none before it.
        to: Option<Text>,
    },
    /// End approvals of a ring.
    Revoke {
        /// Which one; none: all that are there.
        approval: Option<FactId>,
    },
    /// Refuse a digest everywhere.
    Quarantine {
        /// Image digest, template digest or version; none: the image of what the target runs.
        digest: Option<Text>,
    },
    /// A step of a checklist was taken by hand.
    Tick {
        /// Which; none: the first that is open.
        item: Option<Text>,
        /// Done, or open again.
        done: bool,
    },
    /// Accept what stands in a metric gate's way: windows outside that are over, or that are unknown.
    Accept {
        /// Of which column; none: of all.
        column: Option<ColumnName>,
    },
    /// Write down that a rollback was walked through.
    Drill(Drill),
    /// End a quarantine.
    Clear {
        /// What is in quarantine (or the fact's identity); none: the only one.
        what: Option<Text>,
    },
}

/// A rollback that was walked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drill {
    /// The version that runs.
    pub from: Text,
    /// Where the way back leads.
    pub to: Text,
    /// How long it took until it could be sent, or, for real, until it stood.
    pub took: Duration,
    /// It was carried out, not only rehearsed.
    pub real: bool,
}

/// Where to do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every region of the service.
    Service,
    /// A ring.
    Ring(RingIx),
    /// Chosen regions.
    Regions(Vec<RegionIx>),
}

/// Whether an action adds risk or removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Adds risk: refused unless the evidence is there.
    Raising,
    /// Removes risk: never blocked by promotion gates or other regions.
    Lowering,
}

impl Verb {
    /// The direction of risk.
    pub fn direction(&self) -> Direction {
        match self {
            Verb::Promote { .. }
            | Verb::Resume { .. }
            | Verb::Restore
            | Verb::Approve { .. }
            | Verb::Tick { done: true, .. }
            | Verb::Accept { .. }
            | Verb::Clear { .. } => Direction::Raising,
            Verb::Hold
            | Verb::RollBack { .. }
            | Verb::Abort
            | Verb::Drain
            | Verb::FlagOff
            | Verb::Revoke { .. }
            | Verb::Tick { done: false, .. }
            | Verb::Drill(_)
            | Verb::Quarantine { .. } => Direction::Lowering,
        }
    }
    /// The word on screen, in the journal and on the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Verb::Promote { .. } => "promote",
            Verb::Hold => "hold",
            Verb::Resume { .. } => "resume",
            Verb::RollBack { .. } => "rollback",
            Verb::Abort => "abort",
            Verb::Drain => "drain",
            Verb::FlagOff => "flag-off",
            Verb::Restore => "restore",
            Verb::Approve { .. } => "approve",
            Verb::Revoke { .. } => "revoke",
            Verb::Quarantine { .. } => "quarantine",
            Verb::Tick { done: true, .. } => "tick",
            Verb::Tick { .. } => "untick",
            Verb::Accept { .. } => "accept",
            Verb::Drill(_) => "drill",
            Verb::Clear { .. } => "clear",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
