//! The StatefulSet controller: pods with names, made in order and replaced from the highest down.
//!
//! One call is one sync of the real controller. Where pods come up in order it makes at most one move and
//! waits for every pod to be ready before the next; so a broken pod blocks also the way back.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::after;
use super::pod::{Pod, Stage};
use super::revision::{Numbering, Owner, Revision, number, surplus};
use super::view::Meta;

/// A StatefulSet.
#[derive(Debug, Clone, PartialEq)]
pub struct StatefulSet {
    /// Metadata.
    pub meta: Meta,
    /// Pods wanted.
    pub replicas: i64,
    /// The pod template, whole.
    pub template: Value,
    /// Pods are replaced by the controller, rather than by whoever deletes them.
    pub rolling: bool,
    /// Pods below this ordinal keep the revision before.
    pub partition: i64,
    /// Pods come and go without waiting for one another.
    pub parallel: bool,
    /// Seconds a pod must be ready to count as available.
    pub min_ready_seconds: i64,
    /// Old revisions to keep.
    pub revision_history_limit: i64,
    /// Status as last written.
    pub status: Status,
}

/// `status` of a StatefulSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Generation the controller has seen.
    pub observed_generation: i64,
    /// Pods that exist.
    pub replicas: i64,
    /// Of these, ready pods.
    pub ready_replicas: i64,
    /// Of these, pods ready for `minReadySeconds`.
    pub available_replicas: i64,
    /// Pods of the revision that a finished rollout left.
    pub current_replicas: i64,
    /// Pods of the newest revision.
    pub updated_replicas: i64,
    /// What a finished rollout left.
    pub current_revision: String,
    /// What is to run.
    pub update_revision: String,
}

/// One thing that the controller wants written or done.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Keep a template.
    CreateRevision(Value),
    /// Give a revision another number.
    Renumber {
        /// Its name.
        name: String,
        /// Its new number.
        number: i64,
    },
    /// Forget a revision.
    DeleteRevision(String),
    /// Make the pod of this ordinal, of this revision.
    CreatePod {
        /// Its ordinal.
        ordinal: u32,
        /// Name of its revision.
        revision: String,
    },
    /// Ask the pod of this ordinal to go.
    DeletePod(u32),
    /// Replace the status.
    UpdateStatus(Value),
    /// Look again at this time, even if nothing changes.
    WakeAt(Timestamp),
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ObjectText {
    metadata: Meta,
    spec: SpecText,
    status: Status,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SpecText {
    replicas: Option<i64>,
    template: Value,
    pod_management_policy: String,
    update_strategy: StrategyText,
    min_ready_seconds: i64,
    revision_history_limit: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct StrategyText {
    #[serde(rename = "type")]
    kind: String,
    rolling_update: RollingText,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RollingText {
    partition: i64,
}

impl StatefulSet {
    /// Reads a StatefulSet; fields that are missing get the API's defaults.
    ///
    /// # Errors
    /// When a field has another type than the API gives it.
    pub fn read(object: &Value) -> Result<Self, serde_json::Error> {
        let text = ObjectText::deserialize(object)?;
        Ok(Self {
            meta: text.metadata,
            replicas: text.spec.replicas.unwrap_or(1),
            template: text.spec.template,
            rolling: text.spec.update_strategy.kind != "OnDelete",
            partition: text.spec.update_strategy.rolling_update.partition,
            parallel: text.spec.pod_management_policy == "Parallel",
            min_ready_seconds: text.spec.min_ready_seconds,
            revision_history_limit: text.spec.revision_history_limit.unwrap_or(10),
            status: text.status,
        })
    }
}

/// One sync: what to write next. Empty when everything is as it should be.
#[must_use]
pub fn reconcile(set: &StatefulSet, own: &[Revision], pods: &[Pod], now: Timestamp) -> Vec<Write> {
    let mut writes = Vec::new();
    let owner = Owner { kind: "StatefulSet", meta: &set.meta, template: &set.template };
    let update = match number(owner, own, now) {
        Numbering::Newest(found) => found,
        Numbering::Again(found) => {
            writes.push(Write::Renumber { name: found.meta.name.clone(), number: found.number });
            found
        }
        Numbering::New(made, object) => {
            writes.push(Write::CreateRevision(object));
            made
        }
    };
    let current = own.iter().find(|r| r.meta.name == set.status.current_revision).unwrap_or(&update).meta.name.clone();
    let sync = Sync { set, update: update.meta.name, current, pods: by_ordinal(pods), now };
    if set.meta.deletion_timestamp.is_none() {
        writes.extend(sync.moves());
    }
    let status = sync.status();
    if status != set.status {
        writes.push(Write::UpdateStatus(to_json(&status)));
    }
    let running = pods.iter().map(|p| &*p.set);
    let live: Vec<&str> = [sync.update.as_str(), sync.current.as_str()].into_iter().chain(running).collect();
    writes.extend(surplus(own, &live, set.revision_history_limit).into_iter().map(Write::DeleteRevision));
    writes.extend(sync.wake().map(Write::WakeAt));
    writes
}

fn by_ordinal(pods: &[Pod]) -> BTreeMap<u32, &Pod> {
    pods.iter().filter(|p| p.stage != Stage::Gone).filter_map(|p| Some((p.ordinal()?, p))).collect()
}

struct Sync<'a> {
    set: &'a StatefulSet,
    update: String,
    current: String,
    pods: BTreeMap<u32, &'a Pod>,
    now: Timestamp,
}

impl Sync<'_> {
    fn wanted(&self) -> u32 {
        u32::try_from(self.set.replicas).unwrap_or(0)
    }

    fn available(&self, pod: &Pod) -> bool {
        pod.available_from(self.set.min_ready_seconds).is_some_and(|at| at <= self.now)
    }

    /// The revision of a pod that is missing.
    fn revision_for(&self, ordinal: u32) -> &str {
        let keeps = self.set.rolling && i64::from(ordinal) < self.set.partition;
        if keeps { &self.current } else { &self.update }
    }

    fn moves(&self) -> Vec<Write> {
        let mut writes = Vec::new();
        for ordinal in 0..self.wanted() {
            let done = match self.pods.get(&ordinal) {
                None => {
                    writes.push(Write::CreatePod { ordinal, revision: self.revision_for(ordinal).to_owned() });
                    false
                }
                Some(pod) => pod.is_active() && self.available(pod),
            };
            if !done && !self.set.parallel {
                return writes;
            }
        }
        for (ordinal, pod) in self.pods.range(self.wanted()..).rev() {
            if pod.is_active() {
                writes.push(Write::DeletePod(*ordinal));
            }
            if !self.set.parallel {
                return writes;
            }
        }
        if self.set.rolling && writes.is_empty() {
            writes.extend(self.replaced());
        }
        writes
    }

    /// From the highest ordinal down to the partition: the first pod that runs something else goes; one
    /// that is not available is waited for.
    fn replaced(&self) -> Option<Write> {
        let lowest = u32::try_from(self.set.partition).unwrap_or(0);
        for ordinal in (lowest..self.wanted()).rev() {
            let pod = self.pods.get(&ordinal)?;
            if *pod.set != *self.update && pod.is_active() {
                return Some(Write::DeletePod(ordinal));
            }
            if !self.available(pod) {
                return None;
            }
        }
        None
    }

    fn status(&self) -> Status {
        let count = |wanted: &dyn Fn(&Pod) -> bool| {
            i64::try_from(self.pods.values().filter(|pod| wanted(pod)).count()).unwrap_or(i64::MAX)
        };
        let mut status = Status {
            observed_generation: self.set.meta.generation,
            replicas: count(&|_| true),
            ready_replicas: count(&Pod::is_ready),
            available_replicas: count(&|pod| self.available(pod)),
            current_replicas: count(&|pod| pod.is_active() && *pod.set == *self.current),
            updated_replicas: count(&|pod| pod.is_active() && *pod.set == *self.update),
            current_revision: self.current.clone(),
            update_revision: self.update.clone(),
        };
        let all = [status.updated_replicas, status.ready_replicas, status.replicas];
        if self.set.rolling && all.into_iter().all(|n| n == self.set.replicas) {
            status.current_replicas = status.updated_replicas;
            status.current_revision.clone_from(&status.update_revision);
        }
        status
    }

    /// When the next ready pod becomes an available one.
    fn wake(&self) -> Option<Timestamp> {
        let from = self.pods.values().filter_map(|pod| pod.available_from(self.set.min_ready_seconds));
        from.filter(|at| *at > self.now).min().map(|at| after(at, SignedDuration::from_millis(1)))
    }
}

/// The status as the API writes it: counts that are zero are left out, but for two.
fn to_json(status: &Status) -> Value {
    let mut out = json!({
        "observedGeneration": status.observed_generation,
        "replicas": status.replicas,
        "availableReplicas": status.available_replicas,
        "currentRevision": status.current_revision,
        "updateRevision": status.update_revision,
        "collisionCount": 0,
    });
    let counts = [
        ("readyReplicas", status.ready_replicas),
        ("currentReplicas", status.current_replicas),
        ("updatedReplicas", status.updated_replicas),
    ];
    if let Some(map) = out.as_object_mut() {
        map.extend(counts.into_iter().filter(|(_, n)| *n != 0).map(|(name, n)| (name.to_owned(), n.into())));
    }
    out
}
