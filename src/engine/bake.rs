//! The bake clock: when a region settled on what it runs, and since when its ring bakes.
//!
//! It starts from the cluster's own evidence and is bound to the stay: (object, template,
//! revision). A new template or a new object ends the stay; scaling, pausing, resuming and
//! annotations do not, and neither does a restart of a console.

use super::state::{Happened, RegionState, ServiceState};
use crate::domain::fleet::Ring;
use crate::domain::gate::{BakeSource, BakeStart};
use crate::domain::id::Uid;
use crate::domain::record::{Body, RegionRecord, Settled};
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::version::TemplateDigest;
use crate::domain::workload::{Revision, Workload};

/// Clocks of authors and clusters differ by so much without anything being wrong.
const CLOCKS: SignedDuration = SignedDuration::from_secs(30);

/// What a workload runs, from the moment it was given it until it is given something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    uid: Uid,
    template: TemplateDigest,
    revision: Option<u64>,
}

impl Stay {
    /// The stay that a workload is in.
    pub fn of(workload: &Workload) -> Self {
        Self { uid: workload.uid.clone(), template: workload.template, revision: workload.revision }
    }

    /// Whether this is the same stay; a revision that is not known does not tell them apart.
    pub fn same(&self, other: &Stay) -> bool {
        let same = |(a, b): (u64, u64)| a == b;
        self.uid == other.uid && self.template == other.template && self.revision.zip(other.revision).is_none_or(same)
    }
}

/// Brings the bake clocks of a service's regions up to date.
pub fn settle(state: &mut ServiceState, now: Timestamp) {
    let ServiceState { regions, record, .. } = state;
    for (region, record) in regions.iter_mut().zip(record.regions.iter()) {
        // A query may name what runs: windows of another stay are not this one's.
        if let Some(stay) = region.workload.as_ref().map(Stay::of)
            && !region.windows_of.as_ref().is_some_and(|known| known.same(&stay))
            && region.windows_of.replace(stay).is_some()
        {
            region.windows.clear();
        }
        let settled = settled(region, record.as_ref(), now);
        region.settled = settled;
        region.settled_for = region.workload.as_ref().filter(|_| settled.is_some()).map(Stay::of);
    }
}

/// When a region settled on what it runs; none: it has not, or nothing tells yet.
pub fn settled(region: &RegionState, record: Option<&RegionRecord>, now: Timestamp) -> Option<BakeStart> {
    let workload = region.workload.as_ref()?;
    let stay = Stay::of(workload);
    let bound = not_before(region, record, workload);
    let late_enough = |at: Timestamp| bound.is_none_or(|b| at.saturating_add(CLOCKS).unwrap_or(at) >= b);
    let memory =
        region.settled.filter(|m| late_enough(m.at) && region.settled_for.as_ref().is_some_and(|s| s.same(&stay)));
    // The same template may have run here before: a fact that names no revision counts only
    // where the ReplicaSets tell how old this stay can be.
    let told = |s: &Settled| s.revision.is_some() && workload.revision.is_some() || is_listed(region, workload);
    let fact = record
        .and_then(|r| r.settled.get(&workload.template))
        .filter(|s| s.speaks_of(workload) && told(s) && late_enough(s.at))
        .map(|s| BakeStart { at: s.at.min(now), source: BakeSource::Record });
    let condition = workload.completed_at().map(|at| BakeStart { at: at.min(now), source: BakeSource::Condition });
    // Once settled, a stay stays settled: scaling brings missing pods, not another template.
    let first_seen = (workload.settled() && memory.is_none())
        .then_some(BakeStart { at: now, source: BakeSource::FirstSeen })
        .filter(|_| fact.is_none() && condition.is_none());
    // Later conditions come from resuming: the earliest evidence of this very stay counts.
    let believed = [condition, fact, memory].into_iter().flatten().min_by_key(|s| (s.at, rank(s.source)));
    believed.or(first_seen)
}

/// When a region was given what it runs, rolled out or not; none where nothing tells.
pub fn begun(region: &RegionState, record: Option<&RegionRecord>) -> Option<Timestamp> {
    not_before(region, record, region.workload.as_ref()?)
}

/// Of equal moments, the stronger evidence is named.
fn rank(source: BakeSource) -> u8 {
    match source {
        BakeSource::Condition => 0,
        BakeSource::Record => 1,
        BakeSource::FirstSeen => 2,
    }
}

/// The earliest moment at which the current stay can have begun, by what the cluster and the record show.
fn not_before(region: &RegionState, record: Option<&RegionRecord>, workload: &Workload) -> Option<Timestamp> {
    // A ReplicaSet is made when a rollout begins: the current stay is no older than the newest one.
    let listed = is_listed(region, workload);
    let created = region.revisions.iter().filter(|_| listed).filter_map(made).max();
    // What this console saw begin cannot have begun earlier.
    let seen = region.happenings.iter().rev().find_map(|h| match &h.what {
        Happened::Template { template, .. } if *template == workload.template => Some(h.at),
        _ => None,
    });
    let moved = record.into_iter().flat_map(|r| r.facts.values()).filter_map(|f| match &f.body {
        Body::Promoted(m) | Body::RolledBack(m) if m.to_template == workload.template => Some(f.at),
        _ => None,
    });
    created.into_iter().chain(moved.max()).chain(seen).max()
}

/// The ReplicaSets were listed for what runs now.
fn is_listed(region: &RegionState, workload: &Workload) -> bool {
    region.revisions_for == Some(workload.template) && !region.revisions.is_empty()
}

fn made(revision: &Revision) -> Option<Timestamp> {
    revision.created
}

/// Since when a ring bakes: its last region's settling; none while any has not settled or is not seen.
pub fn ring_start(ring: &Ring, state: &ServiceState) -> Option<BakeStart> {
    let starts: Option<Vec<BakeStart>> =
        ring.regions.iter().map(|at| state.regions.get(at.at()).and_then(|r| r.settled)).collect();
    starts?.into_iter().max_by_key(|s| s.at)
}

#[cfg(test)]
#[path = "bake_tests.rs"]
mod tests;
