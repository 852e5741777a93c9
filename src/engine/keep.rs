//! Bookkeeping outside plans, a closed list: settled facts, passing on holds and quarantines,
//! and writing a record again that disappeared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::Engine;
use super::effect::{ActResult, Effect, Ticket};
use super::left::LeftFacts;
use crate::domain::change::{ApiType, Change, ObjectRef, PatchKind, add, pointer_key, test};
use crate::domain::gate::BakeSource;
use crate::domain::id::{ClusterIx, Place, RegionIx, ServiceIx, Text};
use crate::domain::plan::{record_object, record_write};
use crate::domain::record::{Body, Fact, FactId, MOST_BYTES, Record, RegionRecord, Settled};

/// After a refusal, a region's record is left alone for so long.
const REFUSED_WAIT: Duration = Duration::from_secs(300);
/// After any other failure.
const FAILED_WAIT: Duration = Duration::from_secs(15);
/// Writes under way at the same time; in one cluster, one. Bookkeeping has time.
const AT_ONCE: usize = 16;

/// A write into a record, and what to create where there is none.
type RecordWrite = (Change, Option<Change>);

/// What is under way, and what is left alone for a while.
#[derive(Clone, Debug, Default)]
pub struct Keeping {
    open: BTreeMap<Ticket, (Place, ClusterIx)>,
    not_before: BTreeMap<Place, Duration>,
    /// Facts of plans that were carried out, and that a record lacks because no answer came.
    owed: BTreeMap<Place, Vec<Fact>>,
    /// Facts of plans that nobody carries out any more: written where the region shows that they are so.
    pub(super) left: LeftFacts,
    /// Records that may not be written, with the server's words: said on the screen.
    pub refused: BTreeMap<Place, Text>,
}

impl Keeping {
    /// These facts are still to be written; whether that is news.
    pub(super) fn owe(&mut self, place: Place, facts: impl IntoIterator<Item = Fact>) -> bool {
        let owed = self.owed.entry(place).or_default();
        let before = owed.len();
        for fact in facts {
            if owed.iter().all(|known| known.id != fact.id) {
                owed.push(fact);
            }
        }
        owed.len() > before
    }

    /// Something is still to be written for a service, or was.
    fn owes(&self, service: ServiceIx) -> bool {
        self.owed.keys().any(|(at, _)| *at == service)
    }
}

impl Engine {
    /// Whether the records of a service lack nothing that was done, as far as can be told.
    pub fn owes_nothing(&self, service: ServiceIx) -> bool {
        let left = self.keeping.left.iter().any(|((at, _), _)| *at == service);
        let record = self.services.get(service.at()).map(|s| &s.record);
        let lacks = |((at, region), facts): (&Place, &Vec<Fact>)| {
            let known = record.filter(|_| *at == service).and_then(|r| r.region(*region));
            known.is_some_and(|known| facts.iter().any(|f| !known.facts.contains_key(&f.id)))
        };
        !self.may_keep || !left && !self.keeping.owed.iter().any(lacks)
    }

    /// Writes what is missing in the records of services that are shown or under release.
    ///
    /// A service is looked through when something in it changed, or when a wait is over.
    pub(super) fn keep_records(&mut self, effects: &mut Vec<Effect>) {
        if !self.may_keep {
            return;
        }
        self.tend_left();
        let now = self.now.mono;
        let due = |at: &ServiceIx| self.services.get(at.at()).is_some_and(|s| s.keep_at.is_some_and(|t| t <= now));
        let services: Vec<ServiceIx> = (0..self.services.len()).map(ServiceIx::from).filter(due).collect();
        for service in services.into_iter().filter(|at| self.is_kept(*at) || self.keeping.owes(*at)).collect::<Vec<_>>()
        {
            if self.keeping.open.len() >= AT_ONCE {
                return;
            }
            let missing = self.missing(service);
            let mut again = None;
            for (region, write) in missing {
                let place = (service, region);
                if let Some(wait) = self.keeping.not_before.get(&place).filter(|t| now < **t) {
                    again = Some(again.map_or(*wait, |a: Duration| a.min(*wait)));
                    continue;
                }
                let cluster = self.fleet.service(service).and_then(|s| s.region(region)).map(|r| r.cluster);
                let busy = self.keeping.open.values().any(|(_, c)| Some(*c) == cluster);
                let Some(cluster) = cluster.filter(|_| !busy && self.keeping.open.len() < AT_ONCE) else {
                    // What is under way makes room: see `kept`.
                    again = Some(now);
                    continue;
                };
                let ticket = self.ticket();
                self.keeping.open.insert(ticket, (place, cluster));
                let (change, if_absent) = write;
                effects.push(Effect::Keep { ticket, change: Box::new(change), if_absent: if_absent.map(Box::new) });
            }
            if let Some(state) = self.services.get_mut(service.at()) {
                state.keep_at = again;
            }
        }
    }

    pub(super) fn kept(&mut self, ticket: Ticket, result: &ActResult, effects: &mut Vec<Effect>) {
        let Some((place, _)) = self.keeping.open.remove(&ticket) else { return };
        let wait = match result {
            ActResult::Accepted { .. } => {
                self.keeping.refused.remove(&place);
                // The watch will show it; until then the same is not written again.
                FAILED_WAIT
            }
            // Somebody else was first: settled facts keep the first writer's.
            ActResult::Changed => FAILED_WAIT,
            ActResult::Refused { message, .. } => {
                self.keeping.refused.insert(place, message.clone());
                REFUSED_WAIT
            }
            ActResult::Absent(_) | ActResult::NotSent(_) | ActResult::Unknown(_) => FAILED_WAIT,
        };
        let again = self.now.mono + wait;
        self.keeping.not_before.insert(place, again);
        if let Some(state) = self.services.get_mut(place.0.at()) {
            state.keep_at = Some(state.keep_at.map_or(again, |known| known.min(again)));
        }
        self.keep_records(effects);
    }

    /// The next thing to write into the record of each region of a service that lacks something.
    fn missing(&self, at: ServiceIx) -> Vec<(RegionIx, RecordWrite)> {
        let Some(service) = self.services.get(at.at()) else { return Vec::new() };
        let passed_on = passed_on(&service.record);
        // A guard of some regions may write there only; others keep theirs.
        let regions = (0..service.regions.len()).map(RegionIx::from).filter(|region| self.acts_in((at, *region)));
        regions.filter_map(|region| Some((region, self.missing_in((at, region), &passed_on)?))).collect()
    }

    /// The next thing to write into a region's record, if any.
    fn missing_in(&self, place: Place, passed_on: &[&Fact]) -> Option<RecordWrite> {
        let fleet = &self.fleet;
        let spec = fleet.service(place.0)?.region(place.1)?;
        let cluster = self.clusters.get(spec.cluster.at())?;
        let service = self.services.get(place.0.at())?;
        let region = service.region(place.1)?;
        let record = service.record.region(place.1)?;
        if cluster.facts.uid_changed
            || !cluster.freshness(self.now).is_live()
            || !region.record_is_known(self.now)
            || record.bytes >= MOST_BYTES
        {
            return None;
        }
        let object = || -> Option<ObjectRef> {
            Some(ObjectRef {
                cluster: spec.cluster,
                api: ApiType::config_map(),
                namespace: spec.workload.namespace.clone(),
                name: fleet.record_name(fleet.service(place.0)?).into(),
            })
        };
        let gone: Vec<&Fact> =
            record.relevant(self.server_now()).filter(|f| !region.record_had.contains(&f.id)).collect();
        if !gone.is_empty() {
            return Some(rewrite(&object()?, &gone, record, region.record_had.is_empty()));
        }
        let lacks: Vec<&Fact> = passed_on.iter().copied().filter(|f| lacks(record, f)).collect();
        if !lacks.is_empty() {
            let entries: Vec<_> = lacks.iter().map(|f| (f.key(), f.value())).collect();
            let write = record_write(crate::domain::plan::WriteRole::Record, &object()?, &entries);
            return Some((write.change, write.if_absent));
        }
        let owed = self.keeping.owed.get(&place).map(Vec::as_slice).unwrap_or_default();
        let owed: Vec<_> = owed.iter().filter(|f| !record.facts.contains_key(&f.id)).collect();
        if !owed.is_empty() {
            let entries: Vec<_> = owed.iter().map(|f| (f.key(), f.value())).collect();
            let write = record_write(crate::domain::plan::WriteRole::Record, &object()?, &entries);
            return Some((write.change, write.if_absent));
        }
        self.settled_fact(place, record, object)
    }

    /// The settled fact of what runs, first writer wins: `test` for absence, then `add`.
    fn settled_fact(
        &self,
        place: Place,
        record: &RegionRecord,
        object: impl Fn() -> Option<ObjectRef>,
    ) -> Option<RecordWrite> {
        let region = self.services.get(place.0.at())?.region(place.1)?;
        let workload = region.workload.as_ref().filter(|w| w.settled() && !w.paused)?;
        let start = region.settled?;
        let known = record.settled.get(&workload.template);
        if start.source == BakeSource::Record || known.is_some_and(|s| s.speaks_of(workload)) {
            return None;
        }
        let spec = self.fleet.service(place.0)?.region(place.1)?;
        let by = self.clusters.get(spec.cluster.at()).and_then(|c| c.facts.user.clone());
        let by = by.unwrap_or_else(|| self.operator.clone());
        let (key, value) = Settled { by, at: start.at, uid: workload.uid.clone(), revision: workload.revision }
            .entry(workload.template);
        let data: serde_json::Map<String, Value> =
            std::iter::once((key.clone(), Value::String(value.clone()))).collect();
        let path = format!("/data/{}", pointer_key(&key));
        let object = object()?;
        let body = match known {
            // Another object, or an earlier stay on this template: its fact says nothing of this one.
            Some(_) => json!([{"op": "replace", "path": path, "value": value}]),
            None => json!([test(path.clone(), Value::Null), add(path, Value::String(value))]),
        };
        let patch = Change::Patch { object: object.clone(), kind: PatchKind::Json, subresource: None, body };
        let create = Change::Create { object: object.clone(), body: record_object(&object, data) };
        Some((patch, Some(create)))
    }
}

/// Facts that others are told: holds and quarantines in force, and what ends any.
fn passed_on(record: &Record) -> Vec<&Fact> {
    let holds: BTreeSet<FactId> = record.holds().iter().filter_map(|h| h.id).collect();
    let quarantines: BTreeSet<FactId> = record.quarantines().iter().map(|(_, q)| q.id).collect();
    let mut facts: BTreeMap<FactId, &Fact> = BTreeMap::new();
    for fact in record.regions.iter().flatten().flat_map(|r| r.facts.values()) {
        let wanted = match &fact.body {
            Body::Hold { .. } => holds.contains(&fact.id),
            Body::Quarantine { .. } => quarantines.contains(&fact.id),
            Body::Release { .. } | Body::Clearance { .. } => true,
            _ => false,
        };
        if wanted {
            facts.entry(fact.id).or_insert(fact);
        }
    }
    facts.into_values().collect()
}

/// A region lacks a fact that is passed on. What ends another goes where that one is:
/// elsewhere it would stay in force if read alone.
fn lacks(record: &RegionRecord, fact: &Fact) -> bool {
    let ends = match &fact.body {
        Body::Release { hold, .. } => Some(hold),
        Body::Clearance { quarantine, .. } => Some(quarantine),
        _ => None,
    };
    !record.facts.contains_key(&fact.id) && ends.is_none_or(|ended| record.facts.contains_key(ended))
}

/// What is in memory of a record that disappeared, as a whole or in part.
fn rewrite(object: &ObjectRef, gone: &[&Fact], record: &RegionRecord, whole: bool) -> RecordWrite {
    let mut entries: Vec<(String, String)> = gone.iter().map(|f| (f.key(), f.value())).collect();
    if whole {
        entries.extend(record.settled.iter().map(|(digest, s)| s.entry(*digest)));
    }
    let write = record_write(crate::domain::plan::WriteRole::Record, object, &entries);
    (write.change, write.if_absent)
}
