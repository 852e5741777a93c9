//! One region's lane: pieces laid over each other so that the weightier one shows.

use super::{Segment, SegmentKind};
use crate::domain::id::RegionIx;
use crate::domain::stamp::Timestamp;
use crate::domain::version::Version;

/// Collects pieces of one region, and cuts the lighter where a weightier one lies.
pub(super) struct Lane {
    region: RegionIx,
    now: Timestamp,
    marks: Vec<Segment>,
    stretches: Vec<Segment>,
}

/// Which piece shows where two lie over each other; higher is weightier.
fn weight(kind: SegmentKind) -> u8 {
    match kind {
        SegmentKind::Gap => 0,
        SegmentKind::Wait => 1,
        SegmentKind::Bake => 2,
        SegmentKind::Deploy => 3,
        SegmentKind::Drained => 4,
        SegmentKind::Failed => 5,
        SegmentKind::Paused => 6,
        SegmentKind::RolledBack | SegmentKind::Promoted => 7,
    }
}

impl Lane {
    pub(super) fn new(region: RegionIx, now: Timestamp) -> Self {
        Self { region, now, marks: Vec::new(), stretches: Vec::new() }
    }

    /// A moment; one in the future counts as now.
    pub(super) fn mark(&mut self, kind: SegmentKind, at: Timestamp, version: Option<Version>) {
        let at = at.min(self.now);
        self.marks.push(self.segment(kind, at, Some(at), version));
    }

    /// A stretch; without an end it goes on. Nonsense (reversed, wholly in the future) is dropped.
    pub(super) fn stretch(
        &mut self,
        kind: SegmentKind,
        from: Timestamp,
        to: Option<Timestamp>,
        version: Option<Version>,
    ) {
        let to = to.map(|t| t.min(self.now));
        if from <= self.now && to.is_none_or(|t| t > from) {
            self.stretches.push(self.segment(kind, from, to, version));
        }
    }

    fn segment(&self, kind: SegmentKind, from: Timestamp, to: Option<Timestamp>, version: Option<Version>) -> Segment {
        Segment { region: self.region, kind, from, to, version, projected: false }
    }

    /// The lane: the weightiest wins wherever pieces lie over each other.
    pub(super) fn finish(mut self) -> Vec<Segment> {
        // Weightiest first; each is cut by what was laid before it.
        self.stretches.sort_by(|a, b| {
            weight(b.kind)
                .cmp(&weight(a.kind))
                .then_with(|| (a.from, a.to.is_none(), a.to).cmp(&(b.from, b.to.is_none(), b.to)))
        });
        let mut laid: Vec<Segment> = Vec::with_capacity(self.stretches.len());
        for stretch in self.stretches {
            let mut pieces = vec![stretch];
            for over in &laid {
                pieces = pieces.into_iter().flat_map(|piece| cut(piece, over)).collect();
            }
            laid.extend(pieces);
        }
        laid.append(&mut self.marks);
        super::order(&mut laid);
        laid.dedup();
        laid
    }
}

/// What is left of a piece where another lies over it.
fn cut(piece: Segment, over: &Segment) -> Vec<Segment> {
    let starts_after = over.to.is_some_and(|end| piece.from >= end);
    let ends_before = piece.to.is_some_and(|end| end <= over.from);
    if starts_after || ends_before {
        return vec![piece];
    }
    let mut left = Vec::new();
    if piece.from < over.from {
        left.push(Segment { to: Some(over.from), ..piece.clone() });
    }
    if let Some(end) = over.to
        && piece.to.is_none_or(|to| to > end)
    {
        left.push(Segment { from: end, ..piece });
    }
    left
}
