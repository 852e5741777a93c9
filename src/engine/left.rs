//! Facts of plans whose process died between a write and its record: written where the region
//! shows that it happened, under the keys that the plan gave them.

use super::Engine;
use crate::domain::id::Place;
use crate::domain::record::{Body, Fact};

/// Facts that plans were to write, by place.
pub type LeftFacts = Vec<(Place, Vec<Fact>)>;

/// How a region stands to the facts that a plan was to write there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It cannot be told now.
    Unknown,
    /// What they say is not so.
    NotSo,
    /// What they say is so, and the record lacks some.
    Lacking,
    /// The record has them.
    Written,
}

impl Engine {
    /// Takes over the facts of plans that nobody carries out any more: each is written where the
    /// region shows that it is so, as soon as that can be told, and otherwise forgotten.
    pub fn take_over(&mut self, facts: LeftFacts) {
        self.keeping.left.extend(facts);
    }

    /// What can be told by now of facts that were taken over.
    pub(super) fn tend_left(&mut self) {
        for (place, facts) in std::mem::take(&mut self.keeping.left) {
            match self.left(place, &facts) {
                Left::Unknown => self.keeping.left.push((place, facts)),
                Left::Lacking => self.owe_left(place, facts),
                Left::NotSo | Left::Written => {}
            }
        }
    }

    /// They are written with the bookkeeping of the region.
    pub(super) fn owe_left(&mut self, place: Place, facts: Vec<Fact>) {
        let now = self.now.mono;
        if self.keeping.owe(place, facts)
            && let Some(state) = self.services.get_mut(place.0.at())
        {
            state.keep_at = Some(now);
        }
    }

    /// How a region stands to facts that a plan was to write there.
    pub(super) fn left(&self, place: Place, facts: &[Fact]) -> Left {
        let spec = self.fleet.service(place.0).and_then(|s| s.region(place.1));
        let cluster = spec.and_then(|r| self.clusters.get(r.cluster.at()));
        let service = self.services.get(place.0.at());
        let Some(((spec, cluster), service)) = spec.zip(cluster).zip(service) else { return Left::NotSo };
        let known = service.region(place.1).zip(service.record.region(place.1));
        let Some((region, record)) = known.filter(|_| cluster.freshness(self.now).is_live()) else {
            // Nothing was heard of it yet.
            return Left::Unknown;
        };
        let weight = region.weight(spec);
        // What the region shows; none: it is not such a fact.
        let shows = |fact: &Fact| match &fact.body {
            Body::Promoted(m) | Body::RolledBack(m) => {
                Some(region.workload.as_ref().map(|w| w.template == m.to_template))
            }
            // Also one that was stopped on its way down.
            Body::Drained { .. } => Some(weight.map(|w| w == 0 || fact.body.weight_before().is_some_and(|b| w < b))),
            Body::Restored { drained, .. } => {
                let before = record.facts.get(drained).and_then(|f| f.body.weight_before());
                Some(weight.map(|w| w > 0 && w >= before.unwrap_or(1)))
            }
            _ => None,
        };
        match facts.iter().find_map(shows) {
            Some(Some(true)) => {}
            Some(None) => return Left::Unknown,
            Some(Some(false)) | None => return Left::NotSo,
        }
        if !region.record_is_known(self.now) {
            return Left::Unknown;
        }
        if facts.iter().all(|f| record.facts.contains_key(&f.id)) {
            return Left::Written;
        }
        // Whoever wrote later has the last word, and what somebody wrote already needs no second fact.
        let newest = record.newest_move();
        let so = |fact: &Fact| match &fact.body {
            _ if record.facts.contains_key(&fact.id) => true,
            Body::Promoted(m) | Body::RolledBack(m) => {
                newest.is_none_or(|(known, other)| known.id < fact.id && other.to_template != m.to_template)
            }
            Body::Drained { .. } => record.drained().is_none(),
            Body::Restored { drained, .. } => record.drained().is_some_and(|known| known.id == *drained),
            _ => true,
        };
        if facts.iter().all(so) { Left::Lacking } else { Left::NotSo }
    }
}
