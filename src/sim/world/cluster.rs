//! One cluster: its store, and the workloads that controllers move in it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::history::TrackKey;
use super::layout::{Region, version_of};
use crate::sim::controllers::after;
use crate::sim::controllers::events::{About, Telling, event};
use crate::sim::controllers::hpa::Wishes;
use crate::sim::controllers::pod::{Pod, PodBehaviour, Stage};
use crate::sim::controllers::pod_object::pod_object;
use crate::sim::controllers::view::ReplicaSet;
use crate::sim::resources::{EVENTS, PODS, REPLICASETS};
use crate::sim::store::{DeleteOptions, Store, Writer};

/// How long Events are kept, as on a real server.
const EVENT_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// Events of our own kept at most per cluster.
const EVENTS_KEPT: usize = 1_000;

/// Namespace and name of a workload.
pub type Key = (Arc<str>, Arc<str>);

/// One cluster.
pub struct Cluster {
    /// Its name: the region's, or `edge`.
    pub name: String,
    /// Its region; none for the edge.
    pub region: Option<Region>,
    /// Its objects.
    pub store: Store,
    /// What controllers move.
    pub workloads: BTreeMap<Key, Workload>,
    /// What the StatefulSet controller moves.
    pub stateful: BTreeMap<Key, Workload>,
    /// What the DaemonSet controller moves.
    pub daemons: BTreeMap<Key, Workload>,
    /// What the controller of Argo Rollouts moves.
    pub rollouts: BTreeMap<Key, Workload>,
    /// Recent wishes of its autoscalers.
    pub wishes: BTreeMap<Key, Wishes>,
    told: VecDeque<(Timestamp, String, String)>,
}

/// A Deployment's pods, and when it is looked at next.
#[derive(Debug, Default)]
pub struct Workload {
    /// Seed of its pods.
    pub seed: u64,
    /// Its pods, terminating ones included.
    pub pods: Vec<Pod>,
    /// Pods ever made.
    pub born: u64,
    /// When it is due; none: at rest.
    pub due: Option<Timestamp>,
    /// Version by name of ReplicaSet.
    pub versions: BTreeMap<Arc<str>, Arc<str>>,
    /// Its place in the metric history.
    pub track: Option<TrackKey>,
    /// Its ReplicaSets and pods are not in the store yet, because nobody has looked.
    pub on_paper: bool,
    /// What the store shows of each pod.
    shown: BTreeMap<String, (u64, Stage, Timestamp, u32)>,
}

impl Workload {
    /// A workload that is followed from now on.
    #[must_use]
    pub fn new(seed: u64, track: Option<TrackKey>) -> Self {
        Self { seed, track, ..Self::default() }
    }

    /// The version that a ReplicaSet's pods run.
    #[must_use]
    pub fn version(&self, set: &str) -> Arc<str> {
        self.versions.get(set).cloned().unwrap_or_else(|| "unknown".into())
    }

    /// Learns which version a ReplicaSet runs.
    pub fn learn(&mut self, set: &ReplicaSet) {
        let image = set.template.pointer("/spec/containers/0/image").and_then(Value::as_str).unwrap_or_default();
        let name: Arc<str> = set.meta.name.as_str().into();
        self.versions.entry(name).or_insert_with(|| version_of(image).into());
    }

    /// The earliest time at which one of its pods moves by itself.
    #[must_use]
    pub fn pods_due(&self) -> Option<Timestamp> {
        self.pods.iter().filter_map(|pod| pod.due).min()
    }
}

impl Cluster {
    /// A cluster around a store.
    #[must_use]
    pub fn new(name: &str, region: Option<Region>, store: Store) -> Self {
        Self {
            name: name.into(),
            region,
            store,
            workloads: BTreeMap::new(),
            stateful: BTreeMap::new(),
            daemons: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            wishes: BTreeMap::new(),
            told: VecDeque::new(),
        }
    }

    /// The ReplicaSets that a Deployment controls.
    #[must_use]
    pub fn sets_of(&self, namespace: &str, uid: &str) -> Vec<ReplicaSet> {
        let all = self.store.list(&REPLICASETS, Some(namespace));
        let read = all.iter().filter_map(|object| ReplicaSet::read(object).ok());
        read.filter(|set| set.meta.controlled_by(uid)).collect()
    }

    /// Records an Event, and forgets those that are too old.
    pub fn tell(&mut self, about: About<'_>, telling: Telling<'_>, at: Timestamp) {
        while let Some((made, namespace, name)) = self.told.front() {
            if self.told.len() < EVENTS_KEPT && after(*made, EVENT_LIFE) > at {
                break;
            }
            // It may have been deleted by somebody else already.
            let _ = self.store.delete(&EVENTS, namespace, name, &DeleteOptions::default(), &Writer::controller());
            self.told.pop_front();
        }
        let object = event(about, telling, at);
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.store.load(&EVENTS, object, None, None);
        self.told.push_back((at, about.namespace.to_owned(), name));
    }

    /// Makes the store's pods those of the workload.
    pub fn show_pods(
        &self,
        work: &mut Workload,
        sets: &[ReplicaSet],
        behaviour: &dyn Fn(&str) -> PodBehaviour,
        now: Timestamp,
    ) {
        let region = self.region.as_ref().map_or(self.name.as_str(), |region| region.name.as_str());
        let namespace = sets.first().map_or("", |set| set.meta.namespace.as_str());
        let mut present = BTreeMap::new();
        for pod in &work.pods {
            let Some(set) = sets.iter().find(|set| *set.meta.name == *pod.set) else { continue };
            let (name, mark) = (pod.name(), (pod.id, pod.stage, pod.since, pod.restarts));
            let before = work.shown.get(&name);
            if before.is_some_and(|before| before.0 != pod.id) {
                // Another pod of that name: a pod that somebody deleted is gone already.
                let _ = self.store.delete(&PODS, namespace, &name, &DeleteOptions::default(), &Writer::controller());
            }
            if before != Some(&mark) {
                let mut object = pod_object(pod, set, region, &behaviour(&work.version(&pod.set)), now);
                if let Some(stored) = self.store.get(&PODS, namespace, &name) {
                    keep_identity(&mut object, &stored);
                }
                self.store.load(&PODS, object, None, None);
            }
            present.insert(name, mark);
        }
        for name in work.shown.keys().filter(|name| !present.contains_key(*name)) {
            // A pod that somebody deleted is gone already.
            let _ = self.store.delete(&PODS, namespace, name, &DeleteOptions::default(), &Writer::controller());
        }
        work.shown = present;
    }
}

/// Gives a pod's new state the uid, and the labels and annotations that people may have set.
fn keep_identity(object: &mut Value, stored: &Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for key in ["uid", "labels", "annotations", "managedFields"] {
        if let Some(value) = stored.pointer(&format!("/metadata/{key}")) {
            metadata.insert(key.into(), value.clone());
        }
    }
}
