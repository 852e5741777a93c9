//! One look at one StatefulSet: kubelet and controller in turn.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::cluster::Key;
use super::fleet::{Due, World};
use super::tick::{Look, put};
use crate::sim::controllers::events::{About, Telling};
use crate::sim::controllers::hash::fnv;
use crate::sim::controllers::pod::{Naming, Pod, PodBehaviour};
use crate::sim::controllers::revision::Revision;
use crate::sim::controllers::statefulset::{StatefulSet, Write, reconcile};
use crate::sim::controllers::view::ReplicaSet;
use crate::sim::resources::STATEFULSETS;
use crate::sim::store::{Part, Writer};

impl World {
    /// Looks at a StatefulSet at `at`: everything its controllers would do now.
    pub(super) fn tick_stateful(&mut self, index: usize, key: &Key, at: Timestamp) {
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let Some(mut work) = cluster.stateful.remove(key) else { return };
        let region = cluster.name.clone();
        let behaviours = self.behaviours(&region, &work);
        let behaviour = |version: &str| behaviours.get(version).cloned().unwrap_or_default();
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let mut look = Look::new(cluster, key, &mut work, at);
        let is_there = look.run_stateful(&behaviour);
        let next = look.next();
        let gone = !is_there && work.pods.is_empty();
        if let Some(cluster) = self.clusters.get_mut(index).filter(|_| !gone) {
            cluster.stateful.insert(key.clone(), work);
        }
        if let Some(next) = next {
            self.look_stateful(index, key, next);
        }
    }

    /// Looks at a StatefulSet at `at`, if not earlier anyway.
    pub(super) fn look_stateful(&mut self, cluster: usize, key: &Key, at: Timestamp) {
        let Some(work) = self.clusters.get_mut(cluster).and_then(|c| c.stateful.get_mut(key)) else { return };
        if work.due.is_none_or(|due| at < due) {
            work.due = Some(at);
            self.at(at, Due::Stateful(cluster, key.clone()));
        }
    }
}

impl Look<'_> {
    /// Whether the StatefulSet is there.
    fn run_stateful(&mut self, behaviour: &dyn Fn(&str) -> PodBehaviour) -> bool {
        let object = self.cluster.store.get(&STATEFULSETS, &self.key.0, &self.key.1);
        let set = object.as_deref().and_then(|object| StatefulSet::read(object).ok());
        let sources = set.as_ref().map(|set| self.sources(set)).unwrap_or_default();
        for source in &sources {
            self.work.learn(source);
        }
        self.advance_pods(&sources, behaviour);
        let Some(set) = set else {
            self.end_pods();
            self.cluster.show_pods(self.work, &sources, behaviour, self.at);
            return false;
        };
        let own = self.revisions(&set.meta.uid);
        for write in reconcile(&set, &own, &self.work.pods, self.at) {
            self.apply_stateful(&set, write);
        }
        let sources = self.sources(&set);
        for source in &sources {
            self.work.learn(source);
        }
        self.cluster.show_pods(self.work, &sources, behaviour, self.at);
        true
    }

    /// What pods of each revision are made of.
    fn sources(&self, set: &StatefulSet) -> Vec<ReplicaSet> {
        let of = |revision: &Revision| {
            let mut source = revision.pods_of(&revision.meta.name, set.min_ready_seconds);
            // A pod's owner is the StatefulSet, whose name its own begins with.
            source.meta.uid.clone_from(&set.meta.uid);
            source
        };
        self.revisions(&set.meta.uid).iter().map(of).collect()
    }

    fn apply_stateful(&mut self, set: &StatefulSet, write: Write) {
        let (store, writer, key) = (self.cluster.store.clone(), Writer::controller(), self.key);
        let (namespace, name) = (&*key.0, &*key.1);
        // A write that fails met a concurrent change, whose own event brings the next look.
        let done = match write {
            Write::CreateRevision(object) => self.create_revision(object),
            Write::Renumber { name, number } => self.renumber(&name, number),
            Write::DeleteRevision(name) => self.forget_revision(&name),
            Write::CreatePod { ordinal, revision } => {
                self.work.born += 1;
                let id = fnv(&(self.work.seed ^ self.work.born.wrapping_mul(0x9e37_79b9)).to_le_bytes());
                let pod = Pod::new(id, Arc::from(revision), self.at).named(Naming::Ordinal(ordinal));
                self.work.pods.push(pod);
                let message = format!("create Pod {name}-{ordinal} in StatefulSet {name} successful");
                self.tell_stateful(set, "SuccessfulCreate", &message);
                true
            }
            Write::DeletePod(ordinal) => {
                let pod = self.work.pods.iter_mut().find(|pod| pod.ordinal() == Some(ordinal) && pod.is_active());
                if let Some(pod) = pod {
                    pod.terminate(self.at);
                    let message = format!("delete Pod {name}-{ordinal} in StatefulSet {name} successful");
                    self.tell_stateful(set, "SuccessfulDelete", &message);
                }
                true
            }
            Write::UpdateStatus(status) => {
                let change = |object: &mut Value| {
                    put(object, "status", status.clone());
                    Ok(())
                };
                store.modify(&STATEFULSETS, namespace, name, Part::Status, &writer, change).is_ok()
            }
            Write::WakeAt(at) => {
                self.wake_at(Some(at));
                false
            }
        };
        self.moved |= done;
    }

    fn tell_stateful(&mut self, set: &StatefulSet, reason: &str, message: &str) {
        let about = About {
            api_version: "apps/v1",
            kind: "StatefulSet",
            namespace: &self.key.0,
            name: &self.key.1,
            uid: &set.meta.uid,
        };
        let telling = Telling { warning: false, reason, message, component: "statefulset-controller" };
        self.cluster.tell(about, telling, self.at);
    }
}
