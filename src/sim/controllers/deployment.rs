//! The Deployment controller: from a Deployment, its ReplicaSets and its pods to what it writes next.
//!
//! One call is one sync of the real controller. It makes at most one kind of move (scale up,
//! or scale down) and writes the status that the ReplicaSets report; what the moves bring
//! about shows in later syncs.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::after;
use super::hash::template_hash;
use super::scaling::{is_saturated, is_scaling, max_surge, max_unavailable, next_size, proportional, total};
use super::status::{self, PROGRESSING, condition};
use super::view::{
    DESIRED_REPLICAS, Deployment, LAST_APPLIED, MAX_REPLICAS, REVISION, REVISION_HISTORY, ReplicaSet, Status, Strategy,
    StringMap, TEMPLATE_HASH,
};

/// One thing that the controller wants written or done.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// Make this ReplicaSet.
    CreateReplicaSet(Value),
    /// Change these fields of a ReplicaSet.
    UpdateReplicaSet {
        /// Its name.
        name: String,
        /// Its new size, when that changes.
        replicas: Option<i64>,
        /// Its new `minReadySeconds`, when that changes.
        min_ready_seconds: Option<i64>,
        /// Annotations to set.
        annotations: StringMap,
    },
    /// Delete a ReplicaSet of old history.
    DeleteReplicaSet(String),
    /// Replace the Deployment's status, and set these annotations.
    UpdateStatus {
        /// The whole status.
        status: Value,
        /// The revision, when it changed.
        annotations: StringMap,
    },
    /// Tell people, as an Event on the Deployment.
    Event {
        /// `ScalingReplicaSet` and the like.
        reason: &'static str,
        /// One sentence.
        message: String,
    },
    /// Look again at this time, even if nothing changes.
    WakeAt(Timestamp),
}

/// Pods that still exist, terminating ones included, by name of their ReplicaSet.
pub type PodCounts = BTreeMap<String, i64>;

/// One sync: what to write next. Empty when everything is as it should be.
#[must_use]
pub fn reconcile(deployment: &Deployment, sets: &[ReplicaSet], pods: &PodCounts, now: Timestamp) -> Vec<Write> {
    let mut sync = Sync::new(deployment, sets, now);
    if deployment.meta.deletion_timestamp.is_some() {
        return sync.finish_resting();
    }
    if let Some(changed) = status::pause_condition(deployment, now) {
        sync.deployment.status.set(changed);
    }
    if deployment.paused {
        sync.adopt_newest();
        sync.resize();
        sync.clean_up();
        return sync.finish_resting();
    }
    if is_scaling(deployment, sync.all()) {
        sync.adopt_newest();
        sync.resize();
        return sync.finish_resting();
    }
    match deployment.strategy {
        Strategy::Recreate => sync.recreate(pods),
        Strategy::Rolling(_) => sync.roll(),
    }
    sync.finish_rollout()
}

struct Sync {
    deployment: Deployment,
    /// Status as the API has it, to tell whether a write is needed.
    stored: Status,
    newest: Option<ReplicaSet>,
    old: Vec<ReplicaSet>,
    now: Timestamp,
    annotations: StringMap,
    writes: Vec<Write>,
}

impl Sync {
    fn new(deployment: &Deployment, sets: &[ReplicaSet], now: Timestamp) -> Self {
        let mut own: Vec<ReplicaSet> =
            sets.iter().filter(|rs| rs.meta.controlled_by(&deployment.meta.uid)).cloned().collect();
        own.sort_by(|a, b| (a.meta.creation_timestamp, &a.meta.name).cmp(&(b.meta.creation_timestamp, &b.meta.name)));
        let same = |rs: &ReplicaSet| without_hash(&rs.template) == without_hash(&deployment.template);
        let newest = own.iter().position(same).map(|at| own.remove(at));
        Self {
            deployment: deployment.clone(),
            stored: deployment.status.clone(),
            newest,
            old: own,
            now,
            annotations: StringMap::new(),
            writes: Vec::new(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.old.iter().chain(self.newest.as_ref())
    }

    // ---- the newest ReplicaSet and its revision ----

    fn next_revision(&self) -> i64 {
        self.old.iter().filter_map(|rs| rs.meta.revision()).max().unwrap_or(0) + 1
    }

    /// Brings an existing newest ReplicaSet up to date: annotations, revision, and the
    /// Deployment's own revision. Rolling back ends here: an old ReplicaSet gets a new number.
    fn adopt_newest(&mut self) {
        let revision = self.next_revision();
        let Some(newest) = self.newest.as_mut() else {
            return;
        };
        let mut changes = copied_annotations(&self.deployment);
        if let Some(before) = newest.meta.revision().filter(|before| *before < revision) {
            changes.insert(REVISION.into(), revision.to_string());
            if before > 0 {
                let earlier = newest.meta.annotations.get(REVISION_HISTORY).filter(|text| !text.is_empty());
                let history = earlier.map_or_else(|| before.to_string(), |text| format!("{text},{before}"));
                changes.insert(REVISION_HISTORY.into(), history);
            }
        }
        changes.retain(|key, value| newest.meta.annotations.get(key) != Some(value));
        let wanted = self.deployment.min_ready_seconds;
        let min_ready_seconds = (newest.min_ready_seconds != wanted).then_some(wanted);
        if !changes.is_empty() || min_ready_seconds.is_some() {
            newest.meta.annotations.extend(changes.clone());
            newest.min_ready_seconds = wanted;
            let name = newest.meta.name.clone();
            self.writes.push(Write::UpdateReplicaSet { name, replicas: None, min_ready_seconds, annotations: changes });
        }
        let shown = newest.meta.annotations.get(REVISION).cloned().unwrap_or_default();
        let name = newest.meta.name.clone();
        self.show_revision(shown);
        self.found(&name);
    }

    fn show_revision(&mut self, revision: String) {
        if self.deployment.meta.annotations.get(REVISION) != Some(&revision) {
            self.annotations.insert(REVISION.into(), revision);
        }
    }

    fn found(&mut self, name: &str) {
        let untold = self.deployment.status.condition(PROGRESSING).is_none();
        if untold && self.deployment.progress_deadline_seconds.is_some() {
            let message = format!("Found new replica set {name:?}");
            self.deployment.status.set(condition(PROGRESSING, "True", "FoundNewReplicaSet", message, self.now));
        }
    }

    fn ensure_newest(&mut self) {
        if self.newest.is_some() {
            self.adopt_newest();
            return;
        }
        let size = next_size(&self.deployment, total(&self.old), 0);
        let revision = self.next_revision().to_string();
        let object = new_replica_set(&self.deployment, size, &revision);
        let Ok(mut view) = ReplicaSet::read(&object) else {
            return;
        };
        view.meta.creation_timestamp = Some(self.now);
        let name = view.meta.name.clone();
        self.newest = Some(view);
        self.writes.push(Write::CreateReplicaSet(object));
        if size > 0 {
            let message = format!("Scaled up replica set {name} from 0 to {size}");
            self.writes.push(Write::Event { reason: "ScalingReplicaSet", message });
        }
        self.show_revision(revision);
        if self.deployment.progress_deadline_seconds.is_some() {
            let message = format!("Created new replica set {name:?}");
            self.deployment.status.set(condition(PROGRESSING, "True", "NewReplicaSetCreated", message, self.now));
        }
    }

    // ---- strategies ----

    fn roll(&mut self) {
        self.ensure_newest();
        if self.grow_newest() || self.shrink_old() {
            return;
        }
        if status::is_complete(&self.deployment, &self.stored) {
            self.clean_up();
        }
    }

    fn grow_newest(&mut self) -> bool {
        let all = total(self.all());
        let Some(newest) = &self.newest else {
            return false;
        };
        let wanted = self.deployment.replicas;
        let size = if newest.replicas > wanted { wanted } else { next_size(&self.deployment, all, newest.replicas) };
        self.scale_newest(size)
    }

    fn shrink_old(&mut self) -> bool {
        if total(&self.old) == 0 {
            return false;
        }
        let min_available = self.deployment.replicas - max_unavailable(&self.deployment);
        let not_yet = self.newest.as_ref().map_or(0, |rs| rs.replicas - rs.status.available_replicas);
        let room = total(self.all()) - min_available - not_yet;
        if room <= 0 {
            return false;
        }
        let cleaned = self.drop_unhealthy(room);
        let available: i64 = self.all().map(|rs| rs.status.available_replicas.min(rs.replicas)).sum();
        let dropped = self.drop_old(available - min_available);
        cleaned + dropped > 0
    }

    /// Unhealthy old pods go first: they add nothing, and would block the rollout.
    fn drop_unhealthy(&mut self, room: i64) -> i64 {
        let mut dropped = 0;
        for index in 0..self.old.len() {
            let Some(rs) = self.old.get(index) else { break };
            let (name, size) = (rs.meta.name.clone(), rs.replicas);
            let take = (size - rs.status.available_replicas).min(room - dropped);
            if size > 0 && take > 0 {
                self.scale_old(&name, size - take);
                dropped += take;
            }
        }
        dropped
    }

    fn drop_old(&mut self, room: i64) -> i64 {
        let mut dropped = 0;
        for index in 0..self.old.len() {
            let Some(rs) = self.old.get(index) else { break };
            let (name, size) = (rs.meta.name.clone(), rs.replicas);
            let take = size.min(room - dropped);
            if take > 0 {
                self.scale_old(&name, size - take);
                dropped += take;
            }
        }
        dropped
    }

    fn recreate(&mut self, pods: &PodCounts) {
        if self.newest.is_some() {
            self.adopt_newest();
        }
        let active: Vec<String> = self.old.iter().filter(|rs| rs.replicas > 0).map(|rs| rs.meta.name.clone()).collect();
        for name in &active {
            self.scale_old(name, 0);
        }
        let remain = self.old.iter().any(|rs| pods.get(&rs.meta.name).is_some_and(|count| *count > 0));
        if !active.is_empty() || remain {
            return;
        }
        self.ensure_newest();
        let wanted = self.deployment.replicas;
        self.scale_newest(wanted);
        if status::is_complete(&self.deployment, &self.stored) {
            self.clean_up();
        }
    }

    // ---- sizes ----

    /// Follows a change of `spec.replicas`, or a paused Deployment's size.
    fn resize(&mut self) {
        let active: Vec<&ReplicaSet> = self.all().filter(|rs| rs.replicas > 0).collect();
        let wanted = self.deployment.replicas;
        let only = match active.as_slice() {
            [] => self.newest.as_ref().or_else(|| self.old.iter().max_by_key(|rs| rs.meta.revision())),
            [one] => Some(*one),
            _ => None,
        };
        if let Some(name) = only.map(|rs| rs.meta.name.clone()) {
            self.scale(&name, wanted);
        } else if is_saturated(&self.deployment, self.newest.as_ref()) {
            let old: Vec<String> =
                self.old.iter().filter(|rs| rs.replicas > 0).map(|rs| rs.meta.name.clone()).collect();
            for name in old {
                self.scale(&name, 0);
            }
        } else if matches!(self.deployment.strategy, Strategy::Rolling(_)) {
            let active: Vec<ReplicaSet> = active.into_iter().cloned().collect();
            let sizes = proportional(&self.deployment, &active);
            for (rs, size) in active.iter().zip(sizes) {
                self.scale(&rs.meta.name, size);
            }
        }
    }

    fn scale(&mut self, name: &str, size: i64) {
        if self.newest.as_ref().is_some_and(|rs| rs.meta.name == name) {
            self.scale_newest(size);
        } else {
            self.scale_old(name, size);
        }
    }

    fn scale_newest(&mut self, size: i64) -> bool {
        let Some(rs) = self.newest.as_mut() else {
            return false;
        };
        let made = resized(&self.deployment, rs, size);
        let scaled = made.iter().any(|write| matches!(write, Write::Event { .. }));
        self.writes.extend(made);
        scaled
    }

    fn scale_old(&mut self, name: &str, size: i64) {
        if let Some(rs) = self.old.iter_mut().find(|rs| rs.meta.name == name) {
            let made = resized(&self.deployment, rs, size);
            self.writes.extend(made);
        }
    }

    /// Deletes the oldest empty ReplicaSets beyond the history limit.
    fn clean_up(&mut self) {
        let mut ranked: Vec<&ReplicaSet> = self.old.iter().filter(|rs| rs.meta.deletion_timestamp.is_none()).collect();
        let keep = usize::try_from(self.deployment.revision_history_limit).unwrap_or(0);
        let surplus = ranked.len().saturating_sub(keep);
        ranked.sort_by_key(|rs| rs.meta.revision());
        for rs in ranked.into_iter().take(surplus) {
            let empty = rs.replicas == 0 && rs.status.replicas == 0;
            if empty && rs.meta.generation <= rs.status.observed_generation {
                self.writes.push(Write::DeleteReplicaSet(rs.meta.name.clone()));
            }
        }
    }

    // ---- status ----

    fn finish_resting(self) -> Vec<Write> {
        let all: Vec<&ReplicaSet> = self.all().collect();
        let status = status::calculate(&self.deployment, self.newest.as_ref(), &all, self.now);
        self.finish(&status)
    }

    fn finish_rollout(self) -> Vec<Write> {
        let all: Vec<&ReplicaSet> = self.all().collect();
        let status = status::of_rollout(&self.deployment, self.newest.as_ref(), &all, self.now);
        self.finish(&status)
    }

    fn finish(mut self, status: &Status) -> Vec<Write> {
        if *status != self.stored || !self.annotations.is_empty() {
            let annotations = std::mem::take(&mut self.annotations);
            self.writes.push(Write::UpdateStatus { status: status::to_json(status), annotations });
        }
        if let Some(deadline) = status::deadline(&self.deployment, status) {
            // One second later than the deadline: stored times are whole seconds.
            self.writes.push(Write::WakeAt(after(deadline, SignedDuration::from_secs(1))));
        }
        self.writes
    }
}

/// Sizes a ReplicaSet, and says so; size annotations follow even if the size stays.
fn resized(deployment: &Deployment, rs: &mut ReplicaSet, size: i64) -> Vec<Write> {
    let mut annotations = size_annotations(deployment);
    annotations.retain(|key, value| rs.meta.annotations.get(key) != Some(value));
    let before = rs.replicas;
    if before == size && annotations.is_empty() {
        return Vec::new();
    }
    rs.replicas = size;
    rs.meta.annotations.extend(annotations.clone());
    let name = rs.meta.name.clone();
    let replicas = (before != size).then_some(size);
    let mut writes =
        vec![Write::UpdateReplicaSet { name: name.clone(), replicas, min_ready_seconds: None, annotations }];
    if before != size {
        let way = if size > before { "up" } else { "down" };
        let message = format!("Scaled {way} replica set {name} from {before} to {size}");
        writes.push(Write::Event { reason: "ScalingReplicaSet", message });
    }
    writes
}

fn size_annotations(deployment: &Deployment) -> StringMap {
    let wanted = deployment.replicas;
    StringMap::from([
        (DESIRED_REPLICAS.into(), wanted.to_string()),
        (MAX_REPLICAS.into(), (wanted + max_surge(deployment)).to_string()),
    ])
}

/// The Deployment's annotations that its newest ReplicaSet carries too; so change causes
/// get into the history.
fn copied_annotations(deployment: &Deployment) -> StringMap {
    let own = [LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS];
    let copied = deployment.meta.annotations.iter().filter(|(key, _)| !own.contains(&key.as_str()));
    copied.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The ReplicaSet for the Deployment's present template.
#[must_use]
pub fn new_replica_set(deployment: &Deployment, size: i64, revision: &str) -> Value {
    let hash = template_hash(&deployment.template);
    let mut labels =
        deployment.template.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    labels.insert(TEMPLATE_HASH.into(), json!(hash));
    let mut template = deployment.template.as_object().cloned().unwrap_or_default();
    let mut metadata = template.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    metadata.insert("labels".into(), json!(labels));
    template.insert("metadata".into(), json!(metadata));
    let mut selector = deployment.selector.clone();
    selector.insert(TEMPLATE_HASH.into(), hash.clone());
    let mut annotations = copied_annotations(deployment);
    annotations.extend(size_annotations(deployment));
    annotations.insert(REVISION.into(), revision.into());
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", deployment.meta.name),
            "namespace": deployment.meta.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "Deployment", "name": deployment.meta.name,
                "uid": deployment.meta.uid, "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {"replicas": size, "selector": {"matchLabels": selector}, "template": template},
        "status": {"replicas": 0},
    });
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    if let Some(spec) = spec.filter(|_| deployment.min_ready_seconds != 0) {
        spec.insert("minReadySeconds".into(), deployment.min_ready_seconds.into());
    }
    object
}

/// A template without the label that tells ReplicaSets apart.
#[must_use]
pub fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(TEMPLATE_HASH);
    }
    template
}

#[cfg(test)]
mod tests;
