//! What others write into the clusters, and whom it concerns.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::cluster::{Key, Workload};
use super::fleet::{Due, World};
use super::history::TrackKey;
use super::layout::seed_of;
use super::route::TTL;
use crate::sim::controllers::after;
use crate::sim::controllers::hpa;
use crate::sim::resources::{
    APPLICATIONS, DAEMONSETS, DEPLOYMENTS, HPAS, NODES, PODS, REPLICASETS, ROLLOUTS, STATEFULSETS,
};
use crate::sim::scenario::Steering;
use crate::sim::store::{Change, Verb};

/// How long controllers take to notice a change.
const NOTICE: SignedDuration = SignedDuration::from_millis(5);
/// How long a gateway takes to route by a changed route.
const PROGRAM: SignedDuration = SignedDuration::from_millis(400);
/// How long external-dns takes to look at changed records.
const LOOKS: SignedDuration = SignedDuration::from_secs(45);
/// How long name servers take to answer by them.
const SERVES: SignedDuration = SignedDuration::from_secs(30);

impl World {
    /// Takes note of a change in a cluster.
    pub fn observe(&mut self, index: usize, change: &Change, now: Timestamp) {
        let resource = change.resource;
        if resource.is(&APPLICATIONS) || resource.is(&DEPLOYMENTS) {
            self.application_concerned(index, change, now);
        }
        if resource.is(&DEPLOYMENTS) {
            self.deployment_changed(index, change, now);
        } else if resource.is(&REPLICASETS) {
            self.set_changed(index, change, now);
        } else if resource.is(&STATEFULSETS) {
            self.stateful_changed(index, change, now);
        } else if resource.is(&DAEMONSETS) {
            self.daemons_changed(index, change, now);
        } else if resource.is(&NODES) {
            self.look_at_daemons(index, after(now, NOTICE));
        } else if resource.is(&ROLLOUTS) {
            self.rollout_changed(index, change, now);
        } else if resource.is(&PODS) && change.verb == Verb::Deleted {
            self.pod_deleted(index, change, now);
        } else if resource.is(self.layout.steering.resource()) && Some(index) == self.edge() {
            if change.verb != Verb::Modified || concerns_controllers(change) {
                self.route_changed(key_of(change), now);
            }
        } else if resource.is(&HPAS) && change.verb == Verb::Added {
            self.at(after(now, hpa::PERIOD), Due::Autoscaler(index, key_of(change)));
        }
    }

    /// A gateway takes it up at once. Records wait for the next look of external-dns, then for the name servers,
    /// and then for every client to forget what it was answered before.
    fn route_changed(&mut self, key: Key, now: Timestamp) {
        if self.layout.steering != Steering::DnsEndpoint {
            return self.at(after(now, PROGRAM), Due::Route(key));
        }
        for quarters in 0..=4_u8 {
            let kept = TTL.saturating_mul(quarters.into()) / 4;
            let answered = if quarters == 0 { LOOKS } else { LOOKS.saturating_add(SERVES).saturating_add(kept) };
            self.at(after(now, answered), Due::Names(key.clone(), quarters));
        }
    }

    /// Looks at every workload of a cluster again, after changes were missed.
    pub fn look_at_all(&mut self, index: usize, now: Timestamp) {
        let keys: Vec<Key> = self.clusters.get(index).into_iter().flat_map(|c| c.workloads.keys().cloned()).collect();
        for key in keys {
            self.look(index, &key, now);
        }
        let keys: Vec<Key> = self.clusters.get(index).into_iter().flat_map(|c| c.stateful.keys().cloned()).collect();
        for key in keys {
            self.look_stateful(index, &key, now);
        }
        let keys: Vec<Key> = self.clusters.get(index).into_iter().flat_map(|c| c.rollouts.keys().cloned()).collect();
        for key in keys {
            self.look_rollout(index, &key, now);
        }
        self.look_at_daemons(index, now);
    }

    fn look_at_daemons(&mut self, index: usize, at: Timestamp) {
        let keys: Vec<Key> = self.clusters.get(index).into_iter().flat_map(|c| c.daemons.keys().cloned()).collect();
        for key in keys {
            self.look_daemons(index, &key, at);
        }
    }

    fn daemons_changed(&mut self, index: usize, change: &Change, now: Timestamp) {
        if change.verb == Verb::Modified && !concerns_controllers(change) {
            return;
        }
        let key = key_of(change);
        let seed = |name: &str| seed_of(self.layout.seed, &["nodes", name, &key.0, &key.1]);
        let Some(seed) = self.clusters.get(index).map(|cluster| seed(&cluster.name)) else { return };
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        if change.verb == Verb::Added {
            cluster.daemons.entry(key.clone()).or_insert_with(|| Workload::new(seed, None));
        }
        self.look_daemons(index, &key, after(now, NOTICE));
    }

    fn stateful_changed(&mut self, index: usize, change: &Change, now: Timestamp) {
        if change.verb == Verb::Modified && !concerns_controllers(change) {
            return;
        }
        let key = key_of(change);
        let seed = |name: &str| seed_of(self.layout.seed, &["ordered", name, &key.0, &key.1]);
        let Some(seed) = self.clusters.get(index).map(|cluster| seed(&cluster.name)) else { return };
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        if change.verb == Verb::Added {
            cluster.stateful.entry(key.clone()).or_insert_with(|| Workload::new(seed, None));
        }
        self.look_stateful(index, &key, after(now, NOTICE));
    }

    /// Also what somebody writes to its status: that is how a pause ends, and an abort begins.
    fn rollout_changed(&mut self, index: usize, change: &Change, now: Timestamp) {
        let key = key_of(change);
        let seed = |name: &str| seed_of(self.layout.seed, &["rollout", name, &key.0, &key.1]);
        let Some(seed) = self.clusters.get(index).map(|cluster| seed(&cluster.name)) else { return };
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        if change.verb == Verb::Added {
            cluster.rollouts.entry(key.clone()).or_insert_with(|| Workload::new(seed, None));
        }
        self.look_rollout(index, &key, after(now, NOTICE));
    }

    fn deployment_changed(&mut self, index: usize, change: &Change, now: Timestamp) {
        if change.verb == Verb::Modified && !concerns_controllers(change) {
            return;
        }
        let key = key_of(change);
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        if change.verb == Verb::Added && !cluster.workloads.contains_key(&key) {
            let planned = cluster.region.is_some() && key.0 == key.1 && self.layout.service(&key.1).is_some();
            let track = planned.then(|| TrackKey::new(&cluster.name, &key.1));
            let seed = seed_of(self.layout.seed, &["pods", &cluster.name, &key.0, &key.1]);
            cluster.workloads.insert(key.clone(), Workload::new(seed, track));
        }
        self.look(index, &key, after(now, NOTICE));
    }

    fn set_changed(&mut self, index: usize, change: &Change, now: Timestamp) {
        let owner = change.object.pointer("/metadata/ownerReferences/0/name").and_then(Value::as_str);
        let Some(owner) = owner.filter(|_| change.verb == Verb::Deleted || concerns_controllers(change)) else {
            return;
        };
        let key: Key = (change.stored.namespace().into(), owner.into());
        self.look(index, &key, after(now, NOTICE));
        self.look_rollout(index, &key, after(now, NOTICE));
    }

    /// Somebody deleted a pod: its controller makes another.
    fn pod_deleted(&mut self, index: usize, change: &Change, now: Timestamp) {
        let (namespace, name) = (change.stored.namespace(), change.stored.name());
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let uid = change.object.pointer("/metadata/uid").and_then(Value::as_str);
        let mut ordered = None;
        for (key, work) in cluster.stateful.iter_mut().filter(|(key, _)| &*key.0 == namespace) {
            let before = work.pods.len();
            // Another pod may have its name already.
            work.pods.retain(|pod| pod.name() != name || pod.uid().as_deref() != uid);
            if work.pods.len() != before {
                ordered = Some(key.clone());
            }
        }
        let mut stepped = None;
        for (key, work) in cluster.rollouts.iter_mut().filter(|(key, _)| &*key.0 == namespace) {
            let before = work.pods.len();
            work.pods.retain(|pod| pod.name() != name);
            if work.pods.len() != before {
                stepped = Some(key.clone());
            }
        }
        let in_namespace = cluster.workloads.iter_mut().filter(|(key, _)| &*key.0 == namespace);
        let mut of = None;
        for (key, work) in in_namespace {
            let before = work.pods.len();
            work.pods.retain(|pod| pod.name() != name);
            if work.pods.len() != before {
                of = Some(key.clone());
            }
        }
        let mut on_node = None;
        for (key, work) in cluster.daemons.iter_mut().filter(|(key, _)| &*key.0 == namespace) {
            let before = work.pods.len();
            work.pods.retain(|pod| pod.name() != name);
            if work.pods.len() != before {
                on_node = Some(key.clone());
            }
        }
        if let Some(key) = on_node {
            self.look_daemons(index, &key, after(now, NOTICE));
        }
        if let Some(key) = ordered {
            self.look_stateful(index, &key, after(now, NOTICE));
        }
        if let Some(key) = stepped {
            self.look_rollout(index, &key, after(now, NOTICE));
        }
        if let Some(key) = of {
            self.look(index, &key, after(now, NOTICE));
        }
    }
}

fn key_of(change: &Change) -> Key {
    (change.stored.namespace().into(), change.stored.name().into())
}

/// Whether spec, labels or annotations changed, rather than a status.
fn concerns_controllers(change: &Change) -> bool {
    let Some(before) = &change.previous else { return true };
    ["/metadata/generation", "/metadata/annotations", "/metadata/labels", "/metadata/deletionTimestamp"]
        .into_iter()
        .any(|pointer| before.pointer(pointer) != change.object.pointer(pointer))
}
