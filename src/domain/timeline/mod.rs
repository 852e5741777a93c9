//! The timeline of a service: what happened in each region, and what would follow, as pieces of time.
//!
//! History is drawn from what lasts: facts of the record, times of ReplicaSets, conditions of
//! the workload. So a console opened on yesterday's release draws what one that ran all along
//! draws. What only this console saw adds marks of gaps, and what nothing else tells.

use std::time::Duration;

use super::gate::BakeStart;
use super::id::{RegionIx, Text};
use super::record::RegionRecord;
use super::stamp::Timestamp;
use super::version::{TemplateDigest, Version};
use super::workload::{Revision, Workload};

mod history;
mod lane;
mod projection;
#[cfg(test)]
mod tests;

pub use history::history;
pub use projection::{Outlook, Projection, ROLLOUT, RingOutlook, project};

/// A piece of the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Which region.
    pub region: RegionIx,
    /// What it is.
    pub kind: SegmentKind,
    /// Start.
    pub from: Timestamp,
    /// End; none: goes on.
    pub to: Option<Timestamp>,
    /// Version it is about.
    pub version: Option<Version>,
    /// Not yet happened.
    pub projected: bool,
}

/// What a piece of the timeline shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SegmentKind {
    /// Pods are being replaced.
    Deploy,
    /// Bakes.
    Bake,
    /// Baked, and waiting for the next ring or a person.
    Wait,
    /// Paused.
    Paused,
    /// A rollout failed.
    Failed,
    /// Out of traffic.
    Drained,
    /// Rolled back at this moment.
    RolledBack,
    /// A promotion was written at this moment.
    Promoted,
    /// Changes may have been missed: a mark, or a stretch that nothing tells about.
    Gap,
}

impl SegmentKind {
    /// A mark stands at a moment; all others are stretches of time.
    pub fn is_mark(self) -> bool {
        matches!(self, SegmentKind::RolledBack | SegmentKind::Promoted | SegmentKind::Gap)
    }
}

/// Something seen happen by this console.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happened,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Happened {
    /// Another template.
    Template {
        /// Its version.
        version: Text,
        /// Its digest.
        template: TemplateDigest,
    },
    /// The rollout completed.
    Settled,
    /// The progress deadline passed.
    Failed,
    /// `spec.paused` was set.
    Paused,
    /// `spec.paused` was cleared.
    Unpaused,
    /// The weight of its backend changed.
    Weight(u32),
    /// Changes may have been missed before this.
    Gap,
    /// The workload is gone.
    Deleted,
}

/// What is known of one region, for its lane of the timeline.
#[derive(Clone, Copy, Debug)]
pub struct RegionStory<'a> {
    /// Which region.
    pub region: RegionIx,
    /// The workload as last seen.
    pub workload: Option<&'a Workload>,
    /// Rollout history, newest first; empty where it was not listed.
    pub revisions: &'a [Revision],
    /// The history was listed for the template that runs now.
    pub listed: bool,
    /// Its facts.
    pub record: Option<&'a RegionRecord>,
    /// What this console saw.
    pub happenings: &'a [Happening],
    /// When it settled on what it runs.
    pub settled: Option<BakeStart>,
    /// When its ring's last region settled.
    pub ring_start: Option<Timestamp>,
    /// How long its ring bakes.
    pub bake: Duration,
    /// Position of its ring.
    pub ring: usize,
}

/// Everything that happened, region by region, each in order of time; marks before stretches.
///
/// Stretches of one region never overlap, nothing lies after `now`, and no end is before its start.
pub fn segments(stories: &[RegionStory<'_>], now: Timestamp) -> Vec<Segment> {
    history(stories, now)
}

/// Puts pieces in the order in which they are kept: by region, start, marks first, kind.
pub(crate) fn order(segments: &mut [Segment]) {
    segments.sort_by(|a, b| {
        (a.region, a.projected, a.from, !a.kind.is_mark(), a.kind, a.to).cmp(&(
            b.region,
            b.projected,
            b.from,
            !b.kind.is_mark(),
            b.kind,
            b.to,
        ))
    });
}
