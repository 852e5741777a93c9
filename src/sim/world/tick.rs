//! One look at one workload: kubelet, ReplicaSet and Deployment controllers in turn.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::cluster::{Cluster, Key, Workload};
use super::fleet::World;
use crate::sim::controllers::after;
use crate::sim::controllers::deployment::{PodCounts, Write, reconcile};
use crate::sim::controllers::events::{About, Telling};
use crate::sim::controllers::pod::{PodBehaviour, Stage, Told};
use crate::sim::controllers::replicaset;
use crate::sim::controllers::view::{Deployment, REVISION, ReplicaSet, StringMap};
use crate::sim::resources::{DEPLOYMENTS, PODS, REPLICASETS};
use crate::sim::store::{DeleteOptions, Part, Writer};

/// Time between two syncs of a controller while things move.
const SYNC: SignedDuration = SignedDuration::from_millis(10);

impl World {
    /// Looks at a workload at `at`: everything its controllers would do now.
    pub(super) fn tick(&mut self, index: usize, key: &Key, at: Timestamp) {
        self.make_real(index, key, at);
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let Some(mut work) = cluster.workloads.remove(key) else { return };
        let region = cluster.name.clone();
        let behaviours = self.behaviours(&region, &work);
        let behaviour = |version: &str| behaviours.get(version).cloned().unwrap_or_default();
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let mut sync = Look::new(cluster, key, &mut work, at);
        let desired = sync.run(&behaviour);
        let (next, rollout) = (sync.next(), sync.rollout);
        self.remember(&work, desired.unwrap_or(0), at);
        let gone = desired.is_none() && work.pods.is_empty();
        if let Some(cluster) = self.clusters.get_mut(index).filter(|_| !gone) {
            cluster.workloads.insert(key.clone(), work);
        }
        if let Some(next) = next {
            self.look(index, key, next);
        }
        if rollout {
            self.rollout_began(&region, at);
        }
    }

    pub(super) fn behaviours(&self, region: &str, work: &Workload) -> BTreeMap<String, PodBehaviour> {
        let versions = work.versions.values().map(|version| version.to_string());
        versions.map(|version| (version.clone(), self.pod_behaviour(region, &version))).collect()
    }
}

pub(super) struct Look<'a> {
    pub(super) cluster: &'a mut Cluster,
    pub(super) key: &'a Key,
    pub(super) work: &'a mut Workload,
    pub(super) at: Timestamp,
    /// Something was written: look again soon.
    pub(super) moved: bool,
    /// Look again at this time in any case.
    wake: Option<Timestamp>,
    /// A new template starts to roll out.
    rollout: bool,
}

impl<'a> Look<'a> {
    pub(super) fn new(cluster: &'a mut Cluster, key: &'a Key, work: &'a mut Workload, at: Timestamp) -> Self {
        Self { cluster, key, work, at, moved: false, wake: None, rollout: false }
    }

    /// When to look again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        [self.moved.then(|| after(self.at, SYNC)), self.work.pods_due(), self.wake].into_iter().flatten().min()
    }
}

impl Look<'_> {
    /// Returns the wanted size; none when the Deployment is gone.
    fn run(&mut self, behaviour: &dyn Fn(&str) -> PodBehaviour) -> Option<i64> {
        let object = self.cluster.store.get(&DEPLOYMENTS, &self.key.0, &self.key.1);
        let deployment = object.as_deref().and_then(|object| Deployment::read(object).ok());
        let mut sets = Vec::new();
        if let Some(deployment) = &deployment {
            sets = self.cluster.sets_of(&self.key.0, &deployment.meta.uid);
        }
        for set in &sets {
            self.work.learn(set);
        }
        self.advance_pods(&sets, behaviour);
        let Some(deployment) = deployment else {
            self.end_pods();
            self.cluster.show_pods(self.work, &sets, behaviour, self.at);
            return None;
        };
        self.sync_sets(&sets);
        let sets = self.cluster.sets_of(&self.key.0, &deployment.meta.uid);
        let mut pods = PodCounts::new();
        for pod in &self.work.pods {
            *pods.entry(pod.set.to_string()).or_default() += 1;
        }
        for write in reconcile(&deployment, &sets, &pods, self.at) {
            self.apply(&deployment, write);
        }
        self.cluster.show_pods(self.work, &sets, behaviour, self.at);
        Some(deployment.replicas)
    }

    // ---- pods ----

    pub(super) fn advance_pods(&mut self, sets: &[ReplicaSet], behaviour: &dyn Fn(&str) -> PodBehaviour) {
        let mut told = Vec::new();
        for index in 0..self.work.pods.len() {
            let Some(set) = self.work.pods.get(index).map(|pod| pod.set.clone()) else { break };
            let version = self.work.version(&set);
            let Some(pod) = self.work.pods.get_mut(index) else { break };
            let before = pod.stage;
            let behaviour = behaviour(&version);
            for what in pod.advance(&behaviour, self.at) {
                told.push((pod.name(), set.clone(), what));
            }
            self.moved |= pod.stage != before;
        }
        self.work.pods.retain(|pod| pod.stage != Stage::Gone);
        for (pod, set, what) in told {
            let image =
                sets.iter().find(|s| *s.meta.name == *set).and_then(|s| s.template.pointer("/spec/containers/0/image"));
            self.tell_pod(&pod, image.and_then(Value::as_str).unwrap_or_default(), &what);
        }
    }

    fn tell_pod(&mut self, pod: &str, image: &str, what: &Told) {
        let (component, message) = match what.reason {
            "Scheduled" => ("default-scheduler", format!("Successfully assigned {}/{pod}", self.key.0)),
            "Pulled" => ("kubelet", format!("Successfully pulled image \"{image}\"")),
            "Failed" => ("kubelet", format!("Failed to pull image \"{image}\": not found")),
            "BackOff" => ("kubelet", format!("Back-off restarting failed container in pod {pod}")),
            "Created" => ("kubelet", "Created container".to_owned()),
            _ => ("kubelet", "Started container".to_owned()),
        };
        let stored = self.cluster.store.get(&PODS, &self.key.0, pod);
        let uid = stored.as_deref().and_then(|pod| pod.pointer("/metadata/uid")).and_then(Value::as_str);
        let uid = uid.unwrap_or_default();
        let about = About { api_version: "v1", kind: "Pod", namespace: &self.key.0, name: pod, uid };
        let telling = Telling { warning: what.warning, reason: what.reason, message: &message, component };
        self.cluster.tell(about, telling, what.at);
    }

    /// The Deployment is gone: so are its pods, by and by.
    pub(super) fn end_pods(&mut self) {
        for pod in &mut self.work.pods {
            pod.terminate(self.at);
        }
    }

    // ---- ReplicaSets ----

    pub(super) fn sync_sets(&mut self, sets: &[ReplicaSet]) {
        for set in sets {
            let synced = replicaset::sync(set, &mut self.work.pods, self.work.seed, &mut self.work.born, self.at);
            for name in &synced.created {
                self.tell_set(set, "SuccessfulCreate", &format!("Created pod: {name}"));
            }
            for name in &synced.deleted {
                self.tell_set(set, "SuccessfulDelete", &format!("Deleted pod: {name}"));
            }
            self.moved |= !synced.created.is_empty() || !synced.deleted.is_empty();
            self.wake_at(synced.wake);
            if let Some(status) = synced.status {
                let writer = Writer::controller();
                let write = self.cluster.store.modify(
                    &REPLICASETS,
                    &self.key.0,
                    &set.meta.name,
                    Part::Status,
                    &writer,
                    |object| {
                        put(object, "status", status.clone());
                        Ok(())
                    },
                );
                // Gone meanwhile: the change of its owner brings the next look.
                self.moved |= write.is_ok();
            }
        }
        // ReplicaSets that were deleted leave no pods behind.
        for pod in &mut self.work.pods {
            if !sets.iter().any(|set| *set.meta.name == *pod.set) && pod.is_active() {
                pod.terminate(self.at);
                self.moved = true;
            }
        }
    }

    fn tell_set(&mut self, set: &ReplicaSet, reason: &str, message: &str) {
        let about = About {
            api_version: "apps/v1",
            kind: "ReplicaSet",
            namespace: &self.key.0,
            name: &set.meta.name,
            uid: &set.meta.uid,
        };
        let telling = Telling { warning: false, reason, message, component: "replicaset-controller" };
        self.cluster.tell(about, telling, self.at);
    }

    pub(super) fn wake_at(&mut self, at: Option<Timestamp>) {
        self.wake = [self.wake, at].into_iter().flatten().min();
    }

    // ---- the Deployment's writes ----

    fn apply(&mut self, deployment: &Deployment, write: Write) {
        let (store, writer, key) = (self.cluster.store.clone(), Writer::controller(), self.key);
        let namespace = &*key.0;
        // A write that fails met a concurrent change, whose own event brings the next look.
        let done = match write {
            Write::CreateReplicaSet(object) => {
                self.rollout = true;
                store.create(&REPLICASETS, object, &writer).is_ok()
            }
            Write::UpdateReplicaSet { name, replicas, min_ready_seconds, annotations } => {
                self.rollout |= annotations.contains_key(REVISION);
                let change = |object: &mut Value| {
                    set_spec(object, "replicas", replicas);
                    set_spec(object, "minReadySeconds", min_ready_seconds);
                    annotate(object, &annotations);
                    Ok(())
                };
                store.modify(&REPLICASETS, namespace, &name, Part::Main, &writer, change).is_ok()
            }
            Write::DeleteReplicaSet(name) => {
                store.delete(&REPLICASETS, namespace, &name, &DeleteOptions::default(), &writer).is_ok()
            }
            Write::UpdateStatus { status, annotations } => {
                let change = |object: &mut Value| {
                    put(object, "status", status.clone());
                    annotate(object, &annotations);
                    Ok(())
                };
                store.modify(&DEPLOYMENTS, namespace, &key.1, Part::Status, &writer, change).is_ok()
            }
            Write::Event { reason, message } => {
                let about = About {
                    api_version: "apps/v1",
                    kind: "Deployment",
                    namespace,
                    name: &key.1,
                    uid: &deployment.meta.uid,
                };
                let telling = Telling { warning: false, reason, message: &message, component: "deployment-controller" };
                self.cluster.tell(about, telling, self.at);
                false
            }
            Write::WakeAt(at) => {
                self.wake_at(Some(at));
                false
            }
        };
        self.moved |= done;
    }
}

/// Sets a top-level field.
pub(super) fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// Sets a field of the spec, if there is something to set.
pub(super) fn set_spec(object: &mut Value, key: &str, value: Option<i64>) {
    if let (Some(spec), Some(value)) = (object.get_mut("spec").and_then(Value::as_object_mut), value) {
        spec.insert(key.to_owned(), value.into());
    }
}

/// Sets annotations.
pub(super) fn annotate(object: &mut Value, annotations: &StringMap) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if annotations.is_empty() {
        return;
    }
    let all = metadata.entry("annotations").or_insert_with(|| json!({}));
    if let Some(all) = all.as_object_mut() {
        all.extend(annotations.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))));
    }
}

/// Sets a text in the metadata.
pub(super) fn put_meta(object: &mut Value, key: &str, value: String) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert(key.to_owned(), value.into());
    }
}
