//! One look at one Rollout: kubelet, ReplicaSet controller, analyses and the Rollout's own controller in turn.

use jiff::Timestamp;
use serde_json::Value;

use super::cluster::Key;
use super::fleet::{Due, World};
use super::tick::{Look, annotate, put, set_spec};
use crate::sim::controllers::events::{About, Telling};
use crate::sim::controllers::pod::PodBehaviour;
use crate::sim::controllers::rollout::{HASH, Rollout, Run, Write, analysis, reconcile};
use crate::sim::resources::{ANALYSISRUNS, REPLICASETS, ROLLOUTS};
use crate::sim::store::{Part, Writer};

/// Share of failing requests of a version of which nothing bad is known.
const QUIET: f64 = 0.002;

impl World {
    /// Looks at a Rollout at `at`: everything its controllers would do now.
    pub(super) fn tick_rollout(&mut self, index: usize, key: &Key, at: Timestamp) {
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let Some(mut work) = cluster.rollouts.remove(key) else { return };
        let region = cluster.name.clone();
        let behaviours = self.behaviours(&region, &work);
        let behaviour = |version: &str| behaviours.get(version).cloned().unwrap_or_default();
        let rules = self.scenario.behaviour.clone();
        let errors = |version: &str| {
            QUIET + rules.iter().filter(|rule| rule.version == version).map(|rule| rule.error_rate).sum::<f64>()
        };
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let mut look = Look::new(cluster, key, &mut work, at);
        let desired = look.run_rollout(&behaviour, &errors);
        let next = look.next();
        self.remember(&work, desired.unwrap_or(0), at);
        let gone = desired.is_none() && work.pods.is_empty();
        if let Some(cluster) = self.clusters.get_mut(index).filter(|_| !gone) {
            cluster.rollouts.insert(key.clone(), work);
        }
        if let Some(next) = next {
            self.look_rollout(index, key, next);
        }
    }

    /// Looks at a Rollout at `at`, if not earlier anyway.
    pub(super) fn look_rollout(&mut self, cluster: usize, key: &Key, at: Timestamp) {
        let Some(work) = self.clusters.get_mut(cluster).and_then(|c| c.rollouts.get_mut(key)) else { return };
        if work.due.is_none_or(|due| at < due) {
            work.due = Some(at);
            self.at(at, Due::Rollout(cluster, key.clone()));
        }
    }
}

impl Look<'_> {
    /// Returns the wanted size; none when the Rollout is gone.
    fn run_rollout(&mut self, behaviour: &dyn Fn(&str) -> PodBehaviour, errors: &dyn Fn(&str) -> f64) -> Option<i64> {
        let object = self.cluster.store.get(&ROLLOUTS, &self.key.0, &self.key.1);
        let rollout = object.as_deref().and_then(|object| Rollout::read(object).ok());
        let uid = rollout.as_ref().map(|r| r.meta.uid.clone()).unwrap_or_default();
        let sets = self.cluster.sets_of(&self.key.0, &uid);
        for set in &sets {
            self.work.learn(set);
        }
        self.advance_pods(&sets, behaviour);
        let Some(rollout) = rollout else {
            self.end_pods();
            self.cluster.show_pods(self.work, &sets, behaviour, self.at);
            return None;
        };
        self.sync_sets(&sets);
        let runs = self.measure(&uid, errors);
        let sets = self.cluster.sets_of(&self.key.0, &uid);
        for write in reconcile(&rollout, &sets, &runs, self.at) {
            self.apply_rollout(&rollout, write);
        }
        self.cluster.show_pods(self.work, &sets, behaviour, self.at);
        Some(rollout.replicas)
    }

    /// Takes the measurements that are due of this Rollout's runs.
    fn measure(&mut self, uid: &str, errors: &dyn Fn(&str) -> f64) -> Vec<Run> {
        let store = self.cluster.store.clone();
        let owned = |run: &Value| run.pointer("/metadata/ownerReferences/0/uid").and_then(Value::as_str) == Some(uid);
        let mut runs = Vec::new();
        for run in store.list(&ANALYSISRUNS, Some(&self.key.0)).iter().filter(|run| owned(run)) {
            let text = |pointer: &str| run.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let hash = run.pointer("/metadata/labels").and_then(|l| l.get(HASH)).and_then(Value::as_str);
            let set = format!("{}-{}", self.key.1, hash.unwrap_or_default());
            let (status, due) = analysis::measure(run, errors(&self.work.version(&set)), self.at);
            self.wake_at(due);
            let mut now = Run::read(run);
            if let Some(status) = status {
                let change = |object: &mut Value| {
                    put(object, "status", status.clone());
                    Ok(())
                };
                let name = text("/metadata/name");
                if let Ok(run) =
                    store.modify(&ANALYSISRUNS, &self.key.0, name, Part::Main, &Writer::controller(), change)
                {
                    now = Run::read(&run);
                    self.moved = true;
                }
            }
            runs.push(now);
        }
        runs
    }

    fn apply_rollout(&mut self, rollout: &Rollout, write: Write) {
        let (store, writer, key) = (self.cluster.store.clone(), Writer::controller(), self.key);
        let (namespace, name) = (&*key.0, &*key.1);
        // A write that fails met a concurrent change, whose own event brings the next look.
        let done = match write {
            Write::CreateSet(object) => store.create(&REPLICASETS, object, &writer).is_ok(),
            Write::CreateRun(object) => store.create(&ANALYSISRUNS, object, &writer).is_ok(),
            Write::UpdateSet { name, replicas, annotations } => {
                let change = |object: &mut Value| {
                    set_spec(object, "replicas", replicas);
                    annotate(object, &annotations);
                    Ok(())
                };
                store.modify(&REPLICASETS, namespace, &name, Part::Main, &writer, change).is_ok()
            }
            Write::UpdateStatus { status, annotations } => {
                let change = |object: &mut Value| {
                    put(object, "status", status.clone());
                    Ok(())
                };
                let noted = annotations.is_empty()
                    || store
                        .modify(&ROLLOUTS, namespace, name, Part::Main, &writer, |object: &mut Value| {
                            annotate(object, &annotations);
                            Ok(())
                        })
                        .is_ok();
                noted && store.modify(&ROLLOUTS, namespace, name, Part::Status, &writer, change).is_ok()
            }
            Write::Event { reason, message } => {
                let about = About {
                    api_version: "argoproj.io/v1alpha1",
                    kind: "Rollout",
                    namespace,
                    name,
                    uid: &rollout.meta.uid,
                };
                let warning = reason == "RolloutAborted";
                let telling = Telling { warning, reason, message: &message, component: "rollouts-controller" };
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
