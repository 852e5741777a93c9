//! The lease of each region: which guard raises there, and the heartbeat that consoles see.
//!
//! It lies in the region's own cluster and namespace. Whether another holder is alive is told
//! by watching its lease change on our own clock, never by comparing clocks. Only raising needs
//! it: what lowers has its precondition in the request.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::Engine;
use super::super::effect::{ActResult, Effect, Ticket};
use crate::domain::change::{ApiType, Change, ObjectRef, PatchKind, add, test};
use crate::domain::id::{Place, ServiceIx, Text};
use crate::domain::link::LostReason;
use crate::domain::policy::Mode;
use crate::domain::stamp::{Stamp, Timestamp};
use crate::domain::text::safe;
use crate::engine::policy_text::{MOST_TOLD, told_text};

/// A lease that has not changed for so long is free.
pub const LASTS: Duration = Duration::from_secs(30);
/// Our own counts for less: whoever takes it after us must find that we have stopped.
const OURS_LASTS: Duration = Duration::from_secs(20);
/// Between two renewals, and between two looks at another's.
const EVERY: Duration = Duration::from_secs(8);
/// After a refusal it is left alone for so long.
const REFUSED: Duration = Duration::from_secs(60);
/// Annotation with the mode of the guard.
pub const MODE: &str = "gonogo.dev/mode";
/// Annotation with the policy hash that it goes by.
pub const POLICY: &str = "gonogo.dev/policy";
/// Annotation with that policy as text, paths of endpoints as hashes; none where it is too long.
pub const POLICY_TEXT: &str = "gonogo.dev/policy-text";

/// What the lease of a region shows: a guard's heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub struct GuardSeen {
    /// Who holds it; empty: it was given back.
    pub holder: Text,
    /// `advise`, `guard`, `autopilot`.
    pub mode: Text,
    /// Hash of the policy that it goes by.
    pub policy: Text,
    /// That policy as text, as far as it says; hostile text of many lines.
    pub policy_text: Option<Text>,
    /// `spec.renewTime` as written: only compared for equality.
    pub renewed: Text,
    /// `spec.leaseTransitions`.
    pub transitions: i64,
    /// When we first saw it like this.
    pub changed: Stamp,
}

impl GuardSeen {
    /// It has changed lately.
    pub fn alive(&self, now: Stamp) -> bool {
        !self.holder.is_empty() && now.since(self.changed) < LASTS
    }

    fn read(object: &Value, now: Stamp) -> Self {
        let text = |pointer: &str| -> Text {
            safe(object.pointer(pointer).and_then(Value::as_str).unwrap_or_default(), 200).into()
        };
        let annotation = |name: &str| text(&format!("/metadata/annotations/{}", name.replace('/', "~1")));
        Self {
            holder: text("/spec/holderIdentity"),
            mode: annotation(MODE),
            policy: annotation(POLICY),
            policy_text: policy_text(object),
            renewed: text("/spec/renewTime"),
            transitions: object.pointer("/spec/leaseTransitions").and_then(Value::as_i64).unwrap_or(0),
            changed: now,
        }
    }

    fn same(&self, other: &Self) -> bool {
        let of = |g: &Self| (g.holder.clone(), g.renewed.clone(), g.transitions, g.mode.clone(), g.policy.clone());
        of(self) == of(other) && self.policy_text == other.policy_text
    }
}

/// What this process knows of leases besides what they show.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    reads: BTreeMap<Ticket, Place>,
    writes: BTreeMap<Ticket, (Place, Duration)>,
    next: BTreeMap<Place, Duration>,
    /// The lease was looked at, and is not there.
    absent: BTreeSet<Place>,
    /// When the last renewal that was accepted was sent.
    held: BTreeMap<Place, Duration>,
    /// Why it cannot be had.
    pub refused: BTreeMap<Place, Text>,
    /// This process ends: no lease is taken, renewed or looked at any more.
    leaving: bool,
}

impl Leases {
    /// Whether the lease of a region is ours now.
    pub fn held(&self, place: Place, mono: Duration) -> bool {
        self.held.get(&place).is_some_and(|at| mono.saturating_sub(*at) < OURS_LASTS)
    }

    /// A write of a lease has not been answered.
    pub fn writing(&self) -> bool {
        !self.writes.is_empty()
    }

    fn due(&self, place: Place, mono: Duration) -> bool {
        let open = self.reads.values().any(|p| *p == place) || self.writes.values().any(|(p, _)| *p == place);
        !open && self.next.get(&place).is_none_or(|next| mono >= *next)
    }
}

/// Leases.
pub fn api() -> ApiType {
    ApiType::new("coordination.k8s.io", "v1", "leases", "Lease")
}

impl Engine {
    /// The lease of a region: one per service, beside the workload.
    pub fn lease_object(&self, place: Place) -> Option<ObjectRef> {
        let service = self.fleet.service(place.0)?;
        let region = service.region(place.1)?;
        Some(ObjectRef {
            cluster: region.cluster,
            api: api(),
            namespace: region.workload.namespace.clone(),
            name: self.fleet.record_name(service).into(),
        })
    }

    /// Whether it is known who holds the lease of a region, or that nobody does.
    pub fn lease_known(&self, place: Place) -> bool {
        let seen = self.services.get(place.0.at()).and_then(|s| s.region(place.1));
        seen.is_some_and(|r| r.guard.is_some()) || self.leases().absent.contains(&place)
    }

    /// A guard renews or takes what is its to have; everybody looks at the others'.
    pub(in crate::engine) fn tend_leases(&mut self, effects: &mut Vec<Effect>) {
        if self.leases().leaving {
            return;
        }
        let services: Vec<ServiceIx> = match &self.automation {
            Some(_) => (0..self.services.len()).map(ServiceIx::from).collect(),
            None => self.shown.into_iter().collect(),
        };
        let mono = self.now.mono;
        for service in services {
            let count = self.services.get(service.at()).map_or(0, |s| s.regions.len());
            for place in (0..count).map(|r| (service, r.into())) {
                if !self.leases().due(place, mono) || !self.reachable(place) {
                    continue;
                }
                let Some(object) = self.lease_object(place) else { continue };
                match self.wanted(place, &object) {
                    Some(change) => {
                        let ticket = self.ticket();
                        self.leases_mut().writes.insert(ticket, (place, mono));
                        effects.push(Effect::Keep { ticket, change: Box::new(change), if_absent: None });
                    }
                    None => {
                        let ticket = self.ticket();
                        self.leases_mut().reads.insert(ticket, place);
                        effects.push(Effect::Fetch { ticket, object });
                    }
                }
                self.leases_mut().next.insert(place, mono.saturating_add(EVERY));
            }
        }
    }

    /// From now on no lease is taken or renewed.
    pub fn leave_leases(&mut self) {
        self.leases_mut().leaving = true;
    }

    /// Gives back what is ours, so that the next guard need not wait until it has run out. To be
    /// asked for when no renewal is under way any more.
    pub fn give_leases_back(&mut self) -> Vec<Effect> {
        let Some(holder) = self.automation.as_ref().map(|a| a.arming.holder.clone()) else { return Vec::new() };
        let ours = |(place, seen): &(Place, Option<&GuardSeen>)| {
            seen.is_some_and(|g| g.holder == holder) && self.reachable(*place)
        };
        let places = self.services.iter().enumerate().flat_map(|(s, state)| {
            let seen = state.regions.iter().enumerate();
            seen.map(move |(r, region)| ((ServiceIx::from(s), r.into()), region.guard.as_ref()))
        });
        let ours: Vec<Place> = places.filter(ours).map(|(place, _)| place).collect();
        let mono = self.now.mono;
        let mut effects = Vec::new();
        for place in ours {
            let Some(object) = self.lease_object(place) else { continue };
            let ticket = self.ticket();
            self.leases_mut().held.remove(&place);
            self.leases_mut().writes.insert(ticket, (place, mono));
            let change = Change::Patch { object, kind: PatchKind::Json, subresource: None, body: given_back(&holder) };
            effects.push(Effect::Keep { ticket, change: Box::new(change), if_absent: None });
        }
        effects
    }

    fn reachable(&self, place: Place) -> bool {
        let region = self.fleet.service(place.0).and_then(|s| s.region(place.1));
        region.and_then(|r| self.clusters.get(r.cluster.at())).is_some_and(|c| c.freshness(self.now).is_live())
    }

    /// The write that takes, renews or makes the lease; none where it is only looked at.
    fn wanted(&self, place: Place, object: &ObjectRef) -> Option<Change> {
        let automation = self.automation.as_ref()?;
        let memory = super::Remembered { automation, engine: self };
        if !memory.is_mine(place) {
            return None;
        }
        let holder = &automation.arming.holder;
        let mode = automation.announced;
        let service = self.fleet.service(place.0)?;
        let policy = service.policy_hash.clone();
        let text = told_text(service, &|at| self.fleet.cluster_name(at.into()).to_string());
        let now = micro(self.server_now());
        let mut annotations = json!({MODE: mode.word(), POLICY: policy});
        if let (Some(text), Some(map)) = (&text, annotations.as_object_mut()) {
            map.insert(POLICY_TEXT.to_owned(), Value::from(&**text));
        }
        if self.leases().absent.contains(&place) {
            return Some(create(object, holder, &now, &annotations));
        }
        let seen = self.services.get(place.0.at())?.region(place.1)?.guard.as_ref()?;
        let ours = seen.holder == *holder;
        // Who only advises raises nowhere: its heartbeat gives way to one that may act.
        let advises = &*seen.mode == Mode::Advise.word();
        if !ours && seen.alive(self.now) && !(advises && mode > Mode::Advise) {
            return None;
        }
        let null_if_empty = |text: &Text| if text.is_empty() { Value::Null } else { Value::from(&**text) };
        let mut operations = vec![
            test("/spec/holderIdentity", null_if_empty(&seen.holder)),
            test("/spec/renewTime", null_if_empty(&seen.renewed)),
            add("/spec/holderIdentity", Value::from(&**holder)),
            add("/spec/renewTime", Value::from(now.as_str())),
            add("/spec/leaseDurationSeconds", LASTS.as_secs().into()),
        ];
        // What stands there already is not sent with every heartbeat.
        if !ours || *seen.mode != *mode.word() || seen.policy != policy || seen.policy_text != text {
            operations.push(add("/metadata/annotations", annotations));
        }
        if !ours {
            operations.push(add("/spec/acquireTime", Value::from(now.as_str())));
            operations.push(add("/spec/leaseTransitions", (seen.transitions + 1).into()));
        }
        if !ours && advises {
            // It may have become more than that.
            operations.insert(
                0,
                test(format!("/metadata/annotations/{}", MODE.replace('/', "~1")), Value::from(&*seen.mode)),
            );
        }
        let body = Value::Array(operations);
        Some(Change::Patch { object: object.clone(), kind: PatchKind::Json, subresource: None, body })
    }

    /// An answer to a look at a lease; whether it was one.
    pub(in crate::engine) fn lease_read(&mut self, ticket: Ticket, result: &Result<Option<Value>, LostReason>) -> bool {
        let Some(place) = self.leases_mut().reads.remove(&ticket) else { return false };
        match result {
            Ok(Some(object)) => {
                let object = object.clone();
                self.lease_seen(place, &object);
            }
            Ok(None) => {
                let news = self.leases_mut().absent.insert(place);
                self.leases_mut().held.remove(&place);
                // Nobody has it: ours at once, if it is to be. Another's is looked at again in its time.
                if self.automation.is_some() && self.acts_in(place) {
                    self.leases_mut().next.remove(&place);
                }
                if news {
                    self.with_quiet(place, None);
                }
            }
            Err(_) => {}
        }
        true
    }

    /// An answer to a renewal; whether it was one.
    pub(in crate::engine) fn lease_kept(&mut self, ticket: Ticket, result: &ActResult) -> bool {
        let Some((place, sent)) = self.leases_mut().writes.remove(&ticket) else { return false };
        match result {
            ActResult::Accepted { object, .. } => {
                if !self.leases().leaving {
                    self.leases_mut().held.insert(place, sent);
                }
                self.leases_mut().refused.remove(&place);
                if let Some(object) = object {
                    self.lease_seen(place, object);
                }
            }
            // Somebody was faster: what there is now is looked at before anything else.
            ActResult::Changed | ActResult::Absent(_) | ActResult::Refused { code: 409, .. } => {
                self.leases_mut().held.remove(&place);
                self.leases_mut().absent.remove(&place);
                self.with_quiet(place, None);
                self.leases_mut().next.remove(&place);
            }
            ActResult::Refused { message, .. } => {
                let next = self.now.mono.saturating_add(REFUSED);
                self.leases_mut().next.insert(place, next);
                self.leases_mut().refused.insert(place, message.clone());
            }
            ActResult::NotSent(_) | ActResult::Unknown(_) => {}
        }
        true
    }

    fn lease_seen(&mut self, place: Place, object: &Value) {
        let seen = GuardSeen::read(object, self.now);
        self.leases_mut().absent.remove(&place);
        let holder = self.automation.as_ref().map(|a| a.arming.holder.clone());
        if holder.is_some_and(|h| h != seen.holder) {
            self.leases_mut().held.remove(&place);
        }
        self.with_quiet(place, Some(seen));
    }

    /// What a lease shows, into the region: what has not changed keeps its age, and is no news.
    fn with_quiet(&mut self, place: Place, seen: Option<GuardSeen>) {
        let known = self.services.get(place.0.at()).and_then(|s| s.region(place.1)).and_then(|r| r.guard.as_ref());
        if !known.zip(seen.as_ref()).is_some_and(|(old, new)| old.same(new)) {
            self.with(place, |region| region.guard = seen);
        }
    }
}

/// The policy that a guard says it goes by; what is longer than any guard writes is none.
fn policy_text(object: &Value) -> Option<Text> {
    let annotations = object.pointer("/metadata/annotations")?;
    let text = annotations.get(POLICY_TEXT)?.as_str().filter(|t| t.len() <= MOST_TOLD)?;
    Some(text.into())
}

/// Nobody's from now on. Whoever took it meanwhile keeps it.
fn given_back(holder: &Text) -> Value {
    json!([
        test("/spec/holderIdentity", Value::from(&**holder)),
        {"op": "remove", "path": "/spec/holderIdentity"},
    ])
}

fn create(object: &ObjectRef, holder: &Text, now: &str, annotations: &Value) -> Change {
    let body = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": object.name,
            "namespace": object.namespace,
            "labels": {"app.kubernetes.io/managed-by": "gonogo"},
            "annotations": annotations,
        },
        "spec": {
            "holderIdentity": holder,
            "acquireTime": now,
            "renewTime": now,
            "leaseDurationSeconds": LASTS.as_secs(),
            "leaseTransitions": 0,
        },
    });
    Change::Create { object: object.clone(), body }
}

/// As the API writes a MicroTime.
fn micro(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
