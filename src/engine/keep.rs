//! Bookkeeping outside plans, a closed list: settled facts, passing on holds and quarantines,
//! and writing a record again that disappeared.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Engine;
use super::effect::{ActResult, Effect, Ticket};
use crate::domain::change::{ApiType, Change, ObjectRef, PatchKind, add, pointer_key, test};
use crate::domain::gate::BakeSource;
use crate::domain::id::{Place, RegionIx, ServiceIx, Text};
use crate::domain::plan::{record_object, record_write};
use crate::domain::record::{Body, Fact, FactId, MOST_BYTES, RegionRecord, Settled};

/// After a refusal, a region's record is left alone for so long.
const REFUSED_WAIT: Duration = Duration::from_secs(300);
/// After any other failure.
const FAILED_WAIT: Duration = Duration::from_secs(15);

/// What is under way, and what is left alone for a while.
#[derive(Clone, Debug, Default)]
pub struct Keeping {
    open: BTreeMap<Ticket, Place>,
    not_before: BTreeMap<Place, Duration>,
    /// Records that may not be written, with the server's words: said on the screen.
    pub refused: BTreeMap<Place, Text>,
}

impl Engine {
    /// Writes what is missing in the records of services that are shown or under release.
    pub(super) fn keep_records(&mut self, effects: &mut Vec<Effect>) {
        if !self.may_keep {
            return;
        }
        let services: Vec<ServiceIx> = self.sampled_services();
        for service in services {
            let count = self.services.get(service.at()).map_or(0, |s| s.regions.len());
            for region in (0..count).map(RegionIx::from) {
                let place = (service, region);
                let busy = self.keeping.open.values().any(|p| *p == place);
                let waits = self.keeping.not_before.get(&place).is_some_and(|t| self.now.mono < *t);
                if !busy
                    && !waits
                    && let Some((change, if_absent)) = self.missing(place)
                {
                    let ticket = self.ticket();
                    self.keeping.open.insert(ticket, place);
                    effects.push(Effect::Keep { ticket, change: Box::new(change), if_absent: if_absent.map(Box::new) });
                }
            }
        }
    }

    pub(super) fn kept(&mut self, ticket: Ticket, result: &ActResult) {
        let Some(place) = self.keeping.open.remove(&ticket) else { return };
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
        self.keeping.not_before.insert(place, self.now.mono + wait);
    }

    /// The next thing to write into a region's record, if any.
    fn missing(&self, place: Place) -> Option<(Change, Option<Change>)> {
        let fleet = &self.fleet;
        let spec = fleet.service(place.0)?.region(place.1)?;
        let cluster = self.clusters.get(spec.cluster.at())?;
        let service = self.services.get(place.0.at())?;
        let region = service.region(place.1)?;
        let record = service.record.region(place.1)?;
        if !cluster.freshness(self.now).is_live() || !region.record_listed || record.bytes >= MOST_BYTES {
            return None;
        }
        let object = ObjectRef {
            cluster: spec.cluster,
            api: ApiType::config_map(),
            namespace: spec.workload.namespace.clone(),
            name: fleet.record_name(fleet.service(place.0)?).into(),
        };
        let gone: Vec<&Fact> =
            record.relevant(self.server_now()).filter(|f| !region.record_had.contains(&f.id)).collect();
        if !gone.is_empty() {
            return Some(rewrite(&object, &gone, record, region.record_had.is_empty()));
        }
        self.pass_on(place, record, &object).or_else(|| self.settled_fact(place, record, &object))
    }

    /// Others' holds and quarantines, and what ends them, that this region lacks.
    fn pass_on(&self, place: Place, record: &RegionRecord, object: &ObjectRef) -> Option<(Change, Option<Change>)> {
        let service = self.services.get(place.0.at())?;
        let holds = service.record.holds();
        let released = |id: &FactId| service.record.released(*id);
        let mut facts: Vec<&Fact> = Vec::new();
        for fact in service.record.regions.iter().flatten().flat_map(|r| r.facts.values()) {
            let wanted = match &fact.body {
                Body::Hold { .. } => holds.iter().any(|h| h.id == Some(fact.id)) && !released(&fact.id),
                // A release goes where its hold is: elsewhere the hold would stay in force if read alone.
                Body::Release { hold, .. } => record.facts.contains_key(hold),
                Body::Quarantine { .. } => service.record.quarantines().iter().any(|(_, q)| q.id == fact.id),
                Body::Clearance { quarantine, .. } => record.facts.contains_key(quarantine),
                _ => false,
            };
            if wanted && !record.facts.contains_key(&fact.id) && !facts.iter().any(|f| f.id == fact.id) {
                facts.push(fact);
            }
        }
        if facts.is_empty() {
            return None;
        }
        let entries: Vec<_> = facts.iter().map(|f| (f.key(), f.value())).collect();
        let write = record_write(crate::domain::plan::WriteRole::Record, object, &entries);
        Some((write.change, write.if_absent))
    }

    /// The settled fact of what runs, first writer wins: `test` for absence, then `add`.
    fn settled_fact(
        &self,
        place: Place,
        record: &RegionRecord,
        object: &ObjectRef,
    ) -> Option<(Change, Option<Change>)> {
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
        let body = match known {
            // Another object, or an earlier stay on this template: its fact says nothing of this one.
            Some(_) => json!([{"op": "replace", "path": path, "value": value}]),
            None => json!([test(path.clone(), Value::Null), add(path, Value::String(value))]),
        };
        let patch = Change::Patch { object: object.clone(), kind: PatchKind::Json, subresource: None, body };
        let create = Change::Create { object: object.clone(), body: record_object(object, data) };
        Some((patch, Some(create)))
    }
}

/// What is in memory of a record that disappeared, as a whole or in part.
fn rewrite(object: &ObjectRef, gone: &[&Fact], record: &RegionRecord, whole: bool) -> (Change, Option<Change>) {
    let mut entries: Vec<(String, String)> = gone.iter().map(|f| (f.key(), f.value())).collect();
    if whole {
        entries.extend(record.settled.iter().map(|(digest, s)| s.entry(*digest)));
    }
    let write = record_write(crate::domain::plan::WriteRole::Record, object, &entries);
    (write.change, write.if_absent)
}
