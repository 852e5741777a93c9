//! A Rollout's status: counts, conditions, pauses, and the phase that follows from all of it.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Strategy, Sync, Write, hash_of};
use crate::sim::controllers::status::condition;
use crate::sim::controllers::view::{Condition, ReplicaSet};
use crate::sim::controllers::{after, stamp};

/// A step as people read it.
pub(super) fn label(step: &Value) -> String {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    match step.as_object().and_then(|s| s.iter().next()) {
        Some((kind, weight)) if kind == "setWeight" => format!("setWeight: {}", text(weight)),
        Some((kind, pause)) if kind == "pause" => match pause.get("duration") {
            Some(length) => format!("pause: {}", text(length)),
            None => "pause".to_owned(),
        },
        Some((kind, _)) => kind.clone(),
        None => "invalid".to_owned(),
    }
}

impl Sync<'_> {
    /// Writes down what this sync found and did.
    pub(super) fn finish(mut self) -> Vec<Write> {
        let old = self.rollout.status.clone();
        if self.rollout.strategy != Strategy::Unknown {
            self.count();
            self.pauses();
        }
        self.conditions(&old);
        self.new.insert("observedGeneration".into(), self.rollout.meta.generation.to_string().into());
        let (phase, message) = self.phase();
        self.new.insert("phase".into(), phase.into());
        if message.is_empty() {
            self.new.remove("message");
        } else {
            self.new.insert("message".into(), message.into());
        }
        if self.new != old || !self.annotations.is_empty() {
            let annotations = std::mem::take(&mut self.annotations);
            let status = Value::Object(std::mem::take(&mut self.new));
            self.writes.push(Write::UpdateStatus { status, annotations });
        }
        self.writes
    }

    fn count(&mut self) {
        let sum = |sync: &Self, of: fn(&ReplicaSet) -> i64| of(&sync.newest) + sync.others.iter().map(of).sum::<i64>();
        let counts = [
            ("replicas", sum(self, |s| s.status.replicas)),
            ("readyReplicas", sum(self, |s| s.status.ready_replicas)),
            ("availableReplicas", sum(self, |s| s.status.available_replicas)),
            ("HPAReplicas", sum(self, |s| s.status.replicas)),
            ("updatedReplicas", self.newest.status.replicas),
        ];
        for (name, count) in counts {
            self.new.insert(name.into(), count.into());
        }
        let active = self.within("blueGreen", "activeSelector").to_owned();
        let serves = self.others.iter().chain([&self.newest]).find(|set| !active.is_empty() && hash_of(set) == active);
        if let Some((ready, available)) = serves.map(|s| (s.status.ready_replicas, s.status.available_replicas)) {
            self.new.insert("readyReplicas".into(), ready.into());
            self.new.insert("availableReplicas".into(), available.into());
        }
        let hash = hash_of(&self.newest).to_owned();
        self.new.insert("currentPodHash".into(), hash.clone().into());
        if let Strategy::Canary { routed, .. } = self.rollout.strategy {
            self.new.insert("currentStepHash".into(), self.rollout.step_hash().into());
            if routed {
                let weight = if self.is_stable() { 0 } else { self.weight() };
                let stable = self.text("stableRS").to_owned();
                let weights = json!({
                    "canary": {"weight": weight, "podTemplateHash": hash},
                    "stable": {"weight": 100 - weight, "podTemplateHash": stable},
                });
                self.put_in("canary", "weights", Some(weights));
            }
        } else {
            self.new.insert("currentStepHash".into(), self.rollout.step_hash().into());
        }
        let selector = self.rollout.selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",");
        self.new.insert("selector".into(), selector.into());
        for outer in ["canary", "blueGreen"] {
            self.new.entry(outer).or_insert_with(|| json!({}));
        }
    }

    /// An update that ended, or was given up, waits for nothing; a pause that was made stays until it ends.
    fn pauses(&mut self) {
        let now = stamp(self.now);
        let aborted = self.flag("abort");
        let before = self.rollout.status.get("pauseConditions").and_then(Value::as_array).cloned();
        let mut all = if self.ended || aborted { Vec::new() } else { before.unwrap_or_default() };
        for reason in self.added.iter().filter(|_| !aborted) {
            if !all.iter().any(|p| p.get("reason").and_then(Value::as_str) == Some(*reason)) {
                all.push(json!({"reason": reason, "startTime": now}));
                let message = format!("Rollout is paused ({reason})");
                self.writes.push(Write::Event { reason: "RolloutPaused", message });
            }
        }
        self.new.insert("controllerPause".into(), (!all.is_empty()).into());
        if all.is_empty() {
            self.new.remove("pauseConditions");
        } else {
            self.new.insert("pauseConditions".into(), all.into());
        }
        if aborted {
            self.new.entry("abortedAt").or_insert_with(|| now.into());
        } else {
            self.new.remove("abort");
            self.new.remove("abortedAt");
        }
    }

    // ---- conditions ----

    fn conditions(&mut self, old: &Map<String, Value>) {
        let mut all = read(old);
        let now = self.now;
        let name = self.rollout.meta.name.clone();
        if self.rollout.strategy == Strategy::Unknown {
            let text = format!("The Rollout \"{name}\" is invalid: spec.strategy: Required value");
            set(&mut all, condition("InvalidSpec", "True", "InvalidSpec", text, now));
            return self.write(&all);
        }
        all.retain(|c| c.kind != "InvalidSpec");
        let number = |of: &Map<String, Value>, key: &str| of.get(key).and_then(Value::as_i64).unwrap_or(0);
        let wanted = self.rollout.replicas;
        let (available, updated) = (number(&self.new, "availableReplicas"), number(&self.new, "updatedReplicas"));
        let is_enough = if available >= wanted { "True" } else { "False" };
        set(&mut all, condition("Available", is_enough, "AvailableReason", String::new(), now));
        let promoted = self.is_stable();
        let complete = if promoted { "True" } else { "False" };
        set(&mut all, condition("Completed", complete, "RolloutCompleted", "RolloutCompleted".into(), now));
        let waits = self.rollout.paused || self.new.contains_key("pauseConditions");
        let healthy = promoted && !waits && available >= wanted && updated >= wanted;
        let is_healthy = if healthy { "True" } else { "False" };
        set(&mut all, condition("Healthy", is_healthy, "RolloutHealthy", String::new(), now));
        let is_waiting = if waits { "True" } else { "False" };
        if waits || all.iter().any(|c| c.kind == "Paused") {
            set(&mut all, condition("Paused", is_waiting, "RolloutPaused", "Rollout is paused".into(), now));
        }
        self.progressing(&mut all, old, healthy, waits);
        self.write(&all);
    }

    fn progressing(&mut self, all: &mut Vec<Condition>, old: &Map<String, Value>, healthy: bool, waits: bool) {
        let (now, set_name) = (self.now, self.newest.meta.name.clone());
        let had = all.iter().find(|c| c.kind == "Progressing").map(|c| (c.reason.clone(), c.last_update_time));
        let reason = had.as_ref().map(|(reason, _)| reason.clone()).unwrap_or_default();
        if self.flag("abort") {
            if reason == "RolloutAborted" && self.aborted.is_none() {
                return;
            }
            let why = self.aborted.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            let text = format!("Rollout aborted update to revision {}{why}", self.revision());
            return set(all, condition("Progressing", "False", "RolloutAborted", text, now));
        }
        let moved =
            ["currentPodHash", "currentStepIndex", "stableRS", "updatedReplicas", "availableReplicas", "replicas"]
                .iter()
                .any(|key| self.new.get(*key) != old.get(*key));
        let progress = format!("ReplicaSet \"{set_name}\" is progressing.");
        if healthy {
            let text = format!("ReplicaSet \"{set_name}\" has successfully progressed.");
            set(all, condition("Progressing", "True", "NewReplicaSetAvailable", text, now));
        } else if waits {
            if reason != "RolloutPaused" {
                set(all, condition("Progressing", "Unknown", "RolloutPaused", "Rollout is paused".into(), now));
            }
        } else if moved || had.is_none() || matches!(reason.as_str(), "RolloutAborted" | "RolloutPaused") {
            let transition = all.iter().find(|c| c.kind == "Progressing" && c.status == "True");
            let transition = transition.map(|c| c.last_transition_time);
            all.retain(|c| c.kind != "Progressing");
            let mut new = condition("Progressing", "True", "ReplicaSetUpdated", progress, now);
            new.last_transition_time = transition.unwrap_or(now);
            all.push(new);
        } else if let Some((_, updated)) = had.filter(|_| !self.is_open_ended() && reason != "ProgressDeadlineExceeded")
        {
            let ends = after(updated, SignedDuration::from_secs(self.rollout.deadline));
            if ends <= now {
                let text = format!("ReplicaSet \"{set_name}\" has timed out progressing.");
                set(all, condition("Progressing", "False", "ProgressDeadlineExceeded", text, now));
            } else {
                self.wake_at(ends);
            }
        }
    }

    /// No deadline runs while it is paused, analyses or experiments.
    fn is_open_ended(&self) -> bool {
        let step = self.rollout.steps().get(self.index());
        step.is_some_and(|s| ["pause", "analysis", "experiment"].iter().any(|kind| s.get(*kind).is_some()))
    }

    fn write(&mut self, all: &[Condition]) {
        let one = |c: &Condition| {
            json!({
                "type": c.kind, "status": c.status, "reason": c.reason, "message": c.message,
                "lastUpdateTime": stamp(c.last_update_time), "lastTransitionTime": stamp(c.last_transition_time),
            })
        };
        self.new.insert("conditions".into(), all.iter().map(one).collect());
    }

    fn phase(&self) -> (&'static str, String) {
        let all = read(&self.new);
        let bad = ["RolloutAborted", "ProgressDeadlineExceeded"];
        let bad = all.iter().find(|c| c.kind == "InvalidSpec" || bad.contains(&c.reason.as_str()));
        if let Some(bad) = bad {
            return ("Degraded", format!("{}: {}", bad.reason, bad.message));
        }
        if self.rollout.paused {
            return ("Paused", "manually paused".into());
        }
        let pauses = self.new.get("pauseConditions").and_then(Value::as_array);
        if let Some(reason) = pauses.and_then(|p| p.first()?.get("reason")?.as_str()) {
            return ("Paused", reason.into());
        }
        let number = |key: &str| self.new.get(key).and_then(Value::as_i64).unwrap_or(0);
        let progressing = |why: &str| ("Progressing", why.to_owned());
        if number("updatedReplicas") < self.rollout.replicas {
            return progressing("more replicas need to be updated");
        }
        if number("availableReplicas") < number("updatedReplicas") {
            return progressing("updated replicas are still becoming available");
        }
        match self.rollout.strategy {
            Strategy::BlueGreen { .. } => {
                if self.within("blueGreen", "activeSelector") != self.text("currentPodHash") {
                    return progressing("active service cutover pending");
                }
                if !self.is_stable() {
                    return progressing("waiting for post-promotion verification to complete");
                }
            }
            Strategy::Canary { routed, .. } => {
                if !routed && number("replicas") > number("updatedReplicas") {
                    return progressing("old replicas are pending termination");
                }
                if !self.is_stable() {
                    return progressing("waiting for all steps to complete");
                }
            }
            Strategy::Unknown => {}
        }
        ("Healthy", String::new())
    }
}

fn read(status: &Map<String, Value>) -> Vec<Condition> {
    let all = status.get("conditions").cloned().unwrap_or_default();
    Vec::<Condition>::deserialize(all).unwrap_or_default()
}

/// Status and reason as before: nothing happens. The same status: the time of the transition stays.
fn set(all: &mut Vec<Condition>, mut new: Condition) {
    let at = all.iter().position(|c| c.kind == new.kind);
    if let Some(old) = at.and_then(|at| all.get(at)) {
        if old.status == new.status && old.reason == new.reason && old.message == new.message {
            return;
        }
        if old.status == new.status {
            new.last_transition_time = old.last_transition_time;
        }
    }
    match at.and_then(|at| all.get_mut(at)) {
        Some(slot) => *slot = new,
        None => all.push(new),
    }
}
