//! The gateway: takes up changed routes, says so in their status, and shares traffic by them.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;
use serde_json::Value;

use super::cluster::Key;
use super::fleet::World;
use super::history::{Segment, TrackKey};
use super::route::backend;
use crate::sim::store::{Part, Writer};

/// Field manager of the gateway.
const GATEWAY: &str = "gateway-controller";

impl World {
    /// Takes up a route as it stands now.
    pub(super) fn program(&mut self, key: &Key, at: Timestamp) {
        self.take_up(key, 1.0, at);
    }

    /// external-dns has read the records (none of the TTL has passed), or another quarter of the clients asks anew.
    pub(super) fn answer_names(&mut self, key: &Key, quarters: u8, at: Timestamp) {
        // Of those that still go by what was before.
        let part = if quarters == 0 { 0.0 } else { 1.0 / f64::from(5_u8.saturating_sub(quarters).max(1)) };
        self.take_up(key, part, at);
    }

    /// Takes up a route; this part of what goes elsewhere by now goes by it.
    fn take_up(&mut self, key: &Key, part: f64, at: Timestamp) {
        let resource = self.layout.steering.resource();
        let Some(edge) = self.edge().and_then(|index| self.clusters.get(index)) else { return };
        let route = edge.store.get(resource, &key.0, &key.1);
        if route.is_some() {
            // Deleted in between: then the next change says so.
            let _ = edge.store.modify(resource, &key.0, &key.1, Part::Status, &Writer::named(GATEWAY), |object| {
                observe_generation(object);
                Ok(())
            });
        }
        if key.0 == key.1 {
            self.share_traffic(&key.1, route.as_deref(), part, at);
        }
    }

    /// Works out anew what traffic each region gets, from the route's weights. Without a
    /// route, or with all weights 0, nothing comes in.
    fn share_traffic(&mut self, service: &str, route: Option<&Value>, part: f64, at: Timestamp) {
        let Some(plan) = self.layout.service(service) else { return };
        let total = self.layout.total_qps(plan) * self.traffic.get(service).copied().unwrap_or(1.0);
        let weights: BTreeMap<String, f64> =
            route.map(|route| self.layout.steering.weights(route)).into_iter().flatten().collect();
        let sum: f64 = weights.values().sum();
        let mut changed = Vec::new();
        for region in self.layout.production() {
            let weight = weights.get(&backend(service, &region.name)).copied().unwrap_or(0.0);
            let wanted = if sum > 0.0 { total * weight / sum } else { 0.0 };
            let key = TrackKey::new(&region.name, service);
            let before = self.offered.get(&key).copied().unwrap_or(wanted);
            changed.push((key, before + (wanted - before) * part));
        }
        self.offered.extend(changed.iter().cloned());
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        for (key, qps) in changed {
            let Some(track) = history.track_mut(&key) else { continue };
            if let Some(last) = track.segments().last().cloned() {
                track.push(Segment { from: at, offered_qps: qps, ..last });
            }
        }
    }
}

/// Notes in every condition that the present generation was seen.
fn observe_generation(object: &mut Value) {
    let generation = object.pointer("/metadata/generation").cloned().unwrap_or(Value::Null);
    if let Some(observed) = object.pointer_mut("/status/observedGeneration") {
        *observed = generation.clone();
    }
    let parents = object.pointer_mut("/status/parents").and_then(Value::as_array_mut);
    let conditions = parents.into_iter().flatten().filter_map(|parent| parent.get_mut("conditions")?.as_array_mut());
    for condition in conditions.flatten().filter_map(Value::as_object_mut) {
        condition.insert("observedGeneration".into(), generation.clone());
    }
}
