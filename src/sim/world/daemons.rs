//! One look at one DaemonSet: kubelet and controller in turn.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::cluster::Key;
use super::fleet::{Due, World};
use super::tick::{Look, put};
use crate::sim::controllers::daemonset::{DaemonSet, Write, reconcile};
use crate::sim::controllers::events::{About, Telling};
use crate::sim::controllers::hash::fnv;
use crate::sim::controllers::pod::{NODES, Naming, Pod, PodBehaviour};
use crate::sim::controllers::pod_object::node_name;
use crate::sim::controllers::view::{Meta, ReplicaSet, StringMap};
use crate::sim::resources::{DAEMONSETS, NODES as NODE};
use crate::sim::store::{Part, Writer};

impl World {
    /// Looks at a DaemonSet at `at`: everything its controllers would do now.
    pub(super) fn tick_daemons(&mut self, index: usize, key: &Key, at: Timestamp) {
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let Some(mut work) = cluster.daemons.remove(key) else { return };
        let region = cluster.name.clone();
        let behaviours = self.behaviours(&region, &work);
        let behaviour = |version: &str| behaviours.get(version).cloned().unwrap_or_default();
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let mut look = Look::new(cluster, key, &mut work, at);
        let is_there = look.run_daemons(&behaviour);
        let next = look.next();
        let gone = !is_there && work.pods.is_empty();
        if let Some(cluster) = self.clusters.get_mut(index).filter(|_| !gone) {
            cluster.daemons.insert(key.clone(), work);
        }
        if let Some(next) = next {
            self.look_daemons(index, key, next);
        }
    }

    /// Looks at a DaemonSet at `at`, if not earlier anyway.
    pub(super) fn look_daemons(&mut self, cluster: usize, key: &Key, at: Timestamp) {
        let Some(work) = self.clusters.get_mut(cluster).and_then(|c| c.daemons.get_mut(key)) else { return };
        if work.due.is_none_or(|due| at < due) {
            work.due = Some(at);
            self.at(at, Due::Daemons(cluster, key.clone()));
        }
    }
}

impl Look<'_> {
    /// Whether the DaemonSet is there.
    fn run_daemons(&mut self, behaviour: &dyn Fn(&str) -> PodBehaviour) -> bool {
        let object = self.cluster.store.get(&DAEMONSETS, &self.key.0, &self.key.1);
        let set = object.as_deref().and_then(|object| DaemonSet::read(object).ok());
        let sources = set.as_ref().map(|set| self.daemon_sources(set)).unwrap_or_default();
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
        let nodes = self.nodes(&set.node_selector);
        for write in reconcile(&set, &own, &self.work.pods, &nodes, self.at) {
            self.apply_daemons(&set, write);
        }
        let sources = self.daemon_sources(&set);
        for source in &sources {
            self.work.learn(source);
        }
        self.cluster.show_pods(self.work, &sources, behaviour, self.at);
        true
    }

    /// Numbers of the nodes that have these labels.
    fn nodes(&self, selector: &StringMap) -> Vec<u32> {
        let has = |name: &str| {
            let node = self.cluster.store.get(&NODE, "", name)?;
            let label = |key: &str| node.pointer("/metadata/labels")?.get(key)?.as_str().map(str::to_owned);
            Some(selector.iter().all(|(key, value)| label(key).as_ref() == Some(value)))
        };
        let name = |index: u64| node_name(&self.cluster.name, index);
        let fit = (0..NODES).filter(|index| has(&name(*index)) == Some(true));
        fit.filter_map(|index| u32::try_from(index).ok()).collect()
    }

    /// What pods of each revision are made of.
    fn daemon_sources(&self, set: &DaemonSet) -> Vec<ReplicaSet> {
        self.revisions(&set.meta.uid)
            .iter()
            .map(|revision| {
                let hash = revision.meta.name.rsplit_once('-').map_or("", |(_, hash)| hash);
                let mut source = revision.pods_of(hash, set.min_ready_seconds);
                source.meta = Meta { uid: set.meta.uid.clone(), ..source.meta };
                source
            })
            .collect()
    }

    fn apply_daemons(&mut self, set: &DaemonSet, write: Write) {
        let key = self.key;
        // A write that fails met a concurrent change, whose own event brings the next look.
        let done = match write {
            Write::CreateRevision(object) => self.create_revision(object),
            Write::Renumber { name, number } => self.renumber(&name, number),
            Write::DeleteRevision(name) => self.forget_revision(&name),
            Write::CreatePod { node, revision } => {
                self.work.born += 1;
                let id = fnv(&(self.work.seed ^ self.work.born.wrapping_mul(0x9e37_79b9)).to_le_bytes());
                let pod = Pod::new(id, Arc::from(revision), self.at).named(Naming::Node(node));
                self.tell_daemons(set, "SuccessfulCreate", &format!("Created pod: {}", pod.name()));
                self.work.pods.push(pod);
                true
            }
            Write::DeletePod(id) => {
                let pod = self.work.pods.iter_mut().find(|pod| pod.id == id && pod.is_active());
                if let Some(pod) = pod {
                    pod.terminate(self.at);
                    let message = format!("Deleted pod: {}", pod.name());
                    self.tell_daemons(set, "SuccessfulDelete", &message);
                }
                true
            }
            Write::UpdateStatus(status) => {
                let change = |object: &mut Value| {
                    put(object, "status", status.clone());
                    Ok(())
                };
                let (store, writer) = (&self.cluster.store, Writer::controller());
                store.modify(&DAEMONSETS, &key.0, &key.1, Part::Status, &writer, change).is_ok()
            }
            Write::WakeAt(at) => {
                self.wake_at(Some(at));
                false
            }
        };
        self.moved |= done;
    }

    fn tell_daemons(&mut self, set: &DaemonSet, reason: &str, message: &str) {
        let about = About {
            api_version: "apps/v1",
            kind: "DaemonSet",
            namespace: &self.key.0,
            name: &self.key.1,
            uid: &set.meta.uid,
        };
        let telling = Telling { warning: false, reason, message, component: "daemonset-controller" };
        self.cluster.tell(about, telling, self.at);
    }
}
