//! The controller of Argo Rollouts: from a Rollout, its ReplicaSets and its analyses to what it writes next.
//!
//! One call is one sync of the real controller. Its rules are those that its documentation and its behaviour
//! show: steps, pauses that a person ends, aborts, a fast way back to the stable revision, the switch of a
//! blue-green.

/// AnalysisRuns: what is measured, and what comes of it.
pub mod analysis;
mod blue_green;
mod canary;
mod read;
mod status;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::hash::template_hash;
use super::view::{ReplicaSet, StringMap};
use super::{after, stamp};
pub use read::{Rollout, Run, Strategy};

/// Annotation with the revision of a Rollout or of a ReplicaSet of one.
pub const REVISION: &str = "rollout.argoproj.io/revision";
/// Label that tells the pods of one template from those of another.
pub const HASH: &str = "rollouts-pod-template-hash";
/// Annotation: when a ReplicaSet that serves nobody is to go.
const DEADLINE: &str = "scale-down-deadline";

/// One thing that the controller wants written or done.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Make this ReplicaSet.
    CreateSet(Value),
    /// Change these fields of a ReplicaSet.
    UpdateSet {
        /// Its name.
        name: String,
        /// Its new size, when that changes.
        replicas: Option<i64>,
        /// Annotations to set.
        annotations: StringMap,
    },
    /// Make this AnalysisRun.
    CreateRun(Value),
    /// Replace the status, and set these annotations.
    UpdateStatus {
        /// The whole status.
        status: Value,
        /// The revision, when it changed.
        annotations: StringMap,
    },
    /// Tell people, as an Event on the Rollout.
    Event {
        /// `RolloutStepCompleted` and the like.
        reason: &'static str,
        /// One sentence.
        message: String,
    },
    /// Look again at this time, even if nothing changes.
    WakeAt(Timestamp),
}

/// One sync: what to write next. Empty when everything is as it should be.
#[must_use]
pub fn reconcile(rollout: &Rollout, sets: &[ReplicaSet], runs: &[Run], now: Timestamp) -> Vec<Write> {
    if rollout.meta.deletion_timestamp.is_some() {
        return Vec::new();
    }
    let mut sync = Sync::new(rollout, sets, runs, now);
    if rollout.strategy == Strategy::Unknown {
        return sync.finish();
    }
    sync.find_newest();
    if sync.is_new() {
        sync.begin();
        return sync.finish();
    }
    if sync.is_stable() {
        // Nothing is under way: there is nothing to give up.
        sync.new.remove("abort");
    }
    match rollout.strategy {
        Strategy::BlueGreen { .. } => sync.blue_green(),
        _ => sync.canary(),
    }
    sync.finish()
}

struct Sync<'a> {
    rollout: &'a Rollout,
    runs: &'a [Run],
    newest: ReplicaSet,
    others: Vec<ReplicaSet>,
    now: Timestamp,
    /// The status that is to be.
    new: Map<String, Value>,
    annotations: StringMap,
    /// Pauses to be added and taken away in this sync.
    added: Vec<&'static str>,
    ended: bool,
    /// Why it was given up in this sync.
    aborted: Option<String>,
    writes: Vec<Write>,
}

impl<'a> Sync<'a> {
    fn new(rollout: &'a Rollout, sets: &[ReplicaSet], runs: &'a [Run], now: Timestamp) -> Self {
        let mut own = sets.to_vec();
        own.sort_by(|a, b| (a.meta.creation_timestamp, &a.meta.name).cmp(&(b.meta.creation_timestamp, &b.meta.name)));
        let hash = template_hash(&rollout.template);
        // A Rollout's template has no defaults, a ReplicaSet's has: one that was put back from there has them too.
        let same = |set: &&ReplicaSet| is_within(&rollout.template, &set.template);
        let named = own.iter().position(|set| hash_of(set) == hash);
        let found = named.or_else(|| own.iter().position(|set| same(&set))).map(|at| own.remove(at));
        let newest = found.unwrap_or_else(|| new_set(rollout, &hash));
        Self {
            rollout,
            runs,
            newest,
            others: own,
            now,
            new: rollout.status.clone(),
            annotations: StringMap::new(),
            added: Vec::new(),
            ended: false,
            aborted: None,
            writes: Vec::new(),
        }
    }

    // ---- the newest ReplicaSet ----

    fn find_newest(&mut self) {
        let number = |set: &ReplicaSet| set.meta.annotations.get(REVISION).and_then(|n| n.parse::<i64>().ok());
        let last = self.others.iter().filter_map(number).max().unwrap_or(0);
        let has = number(&self.newest);
        let revision = has.filter(|n| *n > last).unwrap_or(last + 1);
        if self.newest.meta.uid.is_empty() {
            self.newest.meta.annotations.insert(REVISION.into(), revision.to_string());
            let name = &self.newest.meta.name;
            self.writes.push(Write::CreateSet(set_object(self.rollout, &self.newest)));
            let message = format!("Created ReplicaSet {name} (revision {revision})");
            self.writes.push(Write::Event { reason: "NewReplicaSetCreated", message });
        } else if has != Some(revision) {
            let annotations = StringMap::from([(REVISION.into(), revision.to_string())]);
            let name = self.newest.meta.name.clone();
            self.writes.push(Write::UpdateSet { name, replicas: None, annotations });
        }
        if self.rollout.meta.annotations.get(REVISION) != Some(&revision.to_string()) {
            self.annotations.insert(REVISION.into(), revision.to_string());
            let message = format!("Rollout updated to revision {revision}");
            self.writes.push(Write::Event { reason: "RolloutUpdated", message });
        }
    }

    fn revision(&self) -> String {
        let shown = self.annotations.get(REVISION).or_else(|| self.rollout.meta.annotations.get(REVISION));
        shown.cloned().unwrap_or_else(|| "1".to_owned())
    }

    /// The template or the steps are others than before.
    fn is_new(&self) -> bool {
        self.text("currentPodHash") != hash_of(&self.newest) || self.text("currentStepHash") != self.rollout.step_hash()
    }

    /// A new update, or a way back: everything that was said of the one before is gone.
    fn begin(&mut self) {
        let back = self.is_stable();
        for key in ["pauseConditions", "controllerPause", "abort", "abortedAt", "promoteFull"] {
            self.new.remove(key);
        }
        self.put_in("canary", "currentStepAnalysisRunStatus", None);
        let steps = self.rollout.steps().len();
        if back && steps > 0 && !self.text("currentPodHash").is_empty() {
            self.writes.push(Write::Event { reason: "SkipSteps", message: "Rollback to stable ReplicaSets".into() });
        }
        let first = self.stable().is_none() && !back;
        self.set_index(if back || first { steps } else { 0 });
        self.ended = true;
    }

    // ---- what the status says ----

    fn text(&self, key: &str) -> &str {
        self.new.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self.new.get(key) == Some(&Value::Bool(true))
    }

    fn within(&self, outer: &str, key: &str) -> &str {
        self.new.get(outer).and_then(|o| o.get(key)).and_then(Value::as_str).unwrap_or_default()
    }

    fn put_in(&mut self, outer: &str, key: &str, value: Option<Value>) {
        let slot = self.new.entry(outer).or_insert_with(|| json!({}));
        if let Some(map) = slot.as_object_mut() {
            match value {
                Some(value) => drop(map.insert(key.to_owned(), value)),
                None => drop(map.remove(key)),
            }
        }
    }

    /// The stable ReplicaSet, when it is another than the newest.
    fn stable(&self) -> Option<&ReplicaSet> {
        let hash = self.text("stableRS");
        self.others.iter().find(|set| !hash.is_empty() && hash_of(set) == hash)
    }

    fn is_stable(&self) -> bool {
        self.text("stableRS") == hash_of(&self.newest)
    }

    fn index(&self) -> usize {
        let index = self.new.get("currentStepIndex").and_then(Value::as_u64).unwrap_or(0);
        usize::try_from(index).unwrap_or(0).min(self.rollout.steps().len())
    }

    fn set_index(&mut self, index: usize) {
        if !self.rollout.steps().is_empty() {
            self.new.insert("currentStepIndex".into(), index.into());
        }
    }

    /// When a pause of that reason began.
    fn pause(&self, reason: &str) -> Option<Timestamp> {
        let all = self.rollout.status.get("pauseConditions").and_then(Value::as_array)?;
        let found = all.iter().find(|p| p.get("reason").and_then(Value::as_str) == Some(reason))?;
        found.get("startTime").and_then(Value::as_str)?.parse().ok()
    }

    fn is_paused(&self) -> bool {
        self.rollout.status.get("pauseConditions").and_then(Value::as_array).is_some_and(|p| !p.is_empty())
    }

    /// Somebody ended the pause that the controller made.
    fn was_let_on(&self, reason: &str) -> bool {
        self.rollout.status.get("controllerPause") == Some(&Value::Bool(true)) && self.pause(reason).is_none()
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.writes.push(Write::WakeAt(after(at, SignedDuration::from_secs(1))));
    }

    // ---- sizes ----

    fn size(&mut self, name: &str, to: i64, annotations: StringMap) {
        let all = std::iter::once(&mut self.newest).chain(&mut self.others);
        let Some(set) = all.into_iter().find(|set| set.meta.name == name) else { return };
        let before = set.replicas;
        if before == to && annotations.iter().all(|(k, v)| set.meta.annotations.get(k) == Some(v)) {
            return;
        }
        set.replicas = to;
        let replicas = (before != to).then_some(to);
        self.writes.push(Write::UpdateSet { name: name.to_owned(), replicas, annotations });
        if before != to {
            let way = if to > before { "up" } else { "down" };
            let message =
                format!("Scaled {way} ReplicaSet {name} (revision {}) from {before} to {to}", self.revision());
            self.writes.push(Write::Event { reason: "ScalingReplicaSet", message });
        }
    }

    /// ReplicaSets that serve nobody go when their time has come; one that has none gets it.
    fn retire(&mut self, name: &str, delay: i64) {
        let Some(set) = self.others.iter().chain([&self.newest]).find(|set| set.meta.name == name) else { return };
        let (size, told) = (set.replicas, set.meta.annotations.get(DEADLINE).cloned().unwrap_or_default());
        if size == 0 {
            return;
        }
        match told.parse::<Timestamp>() {
            Ok(at) if at <= self.now => self.size(name, 0, StringMap::from([(DEADLINE.into(), String::new())])),
            Ok(at) => self.wake_at(at),
            Err(_) => {
                let at = after(self.now, SignedDuration::from_secs(delay));
                self.size(name, size, StringMap::from([(DEADLINE.into(), stamp(at))]));
                self.wake_at(at);
            }
        }
    }

    /// Gives up: the stable revision serves.
    fn abort(&mut self, why: &str) {
        self.new.insert("abort".into(), true.into());
        let message = format!("Rollout aborted update to revision {}: {why}", self.revision());
        self.writes.push(Write::Event { reason: "RolloutAborted", message });
        self.aborted = Some(why.to_owned());
    }

    /// The newest revision is the good one from now on.
    fn promote(&mut self, why: &str) {
        let hash = hash_of(&self.newest).to_owned();
        if self.text("stableRS") != hash {
            let message = format!("Rollout completed update to revision {} ({hash}): {why}", self.revision());
            self.writes.push(Write::Event { reason: "RolloutCompleted", message });
        }
        self.new.insert("stableRS".into(), hash.into());
        self.new.remove("promoteFull");
        self.set_index(self.rollout.steps().len());
    }
}

/// Hash of the template that a ReplicaSet was made for.
fn hash_of(set: &ReplicaSet) -> &str {
    set.meta.labels.get(HASH).map_or("", String::as_str)
}

/// Everything of the one is in the other.
fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| is_within(part, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_within(part, whole))
        }
        _ => part == whole,
    }
}

fn new_set(rollout: &Rollout, hash: &str) -> ReplicaSet {
    let mut template = rollout.template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.insert(HASH.into(), hash.into());
    }
    let mut set = ReplicaSet {
        meta: super::view::Meta {
            name: format!("{}-{hash}", rollout.meta.name),
            namespace: rollout.meta.namespace.clone(),
            ..Default::default()
        },
        replicas: 0,
        template,
        min_ready_seconds: rollout.min_ready_seconds,
        status: super::view::Status::default(),
    };
    set.meta.labels = rollout.labels();
    set.meta.labels.insert(HASH.into(), hash.into());
    set
}

/// A ReplicaSet of a Rollout as an object.
#[must_use]
pub fn set_object(rollout: &Rollout, set: &ReplicaSet) -> Value {
    let mut selector = rollout.selector.clone();
    selector.insert(HASH.into(), hash_of(set).to_owned());
    let causes = rollout.meta.annotations.iter().filter(|(k, _)| *k == "kubernetes.io/change-cause");
    let mut annotations: StringMap = causes.map(|(k, v)| (k.clone(), v.clone())).collect();
    annotations.extend(set.meta.annotations.clone());
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": set.meta.name, "namespace": set.meta.namespace,
            "labels": set.meta.labels, "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": rollout.meta.name,
                "uid": rollout.meta.uid, "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {"replicas": set.replicas, "selector": {"matchLabels": selector}, "template": set.template},
        "status": {"replicas": 0},
    })
}
