//! Canary: a weight, a pause, an analysis at a time.

use serde_json::{Value, json};

use super::read::pause_length;
use super::{HASH, REVISION, Strategy, Sync, Write, hash_of};
use crate::sim::controllers::after;
use crate::sim::controllers::view::{ReplicaSet, StringMap};

/// The controller's reason for waiting at a pause step.
const STEP: &str = "CanaryPauseStep";
/// The same where an analysis did not come to a conclusion.
const INCONCLUSIVE: &str = "InconclusiveAnalysisRun";

impl Sync<'_> {
    fn step(&self) -> Option<&Value> {
        self.rollout.steps().get(self.index())
    }

    fn step_of(&self, kind: &str) -> Option<&Value> {
        self.step().and_then(|s| s.get(kind))
    }

    fn routed(&self) -> bool {
        matches!(self.rollout.strategy, Strategy::Canary { routed: true, .. })
    }

    /// The weight that the steps ask for, in percent.
    pub(super) fn weight(&self) -> i64 {
        let steps = self.rollout.steps();
        if self.flag("abort") {
            return 0;
        }
        if self.step().is_none() {
            return 100;
        }
        let asked = |step: &Value| step.get("setWeight").and_then(Value::as_i64);
        steps.iter().take(self.index() + 1).rev().find_map(asked).unwrap_or(0)
    }

    pub(super) fn canary(&mut self) {
        let halted = self.rollout.paused;
        if self.flag("promoteFull") {
            self.ended = true;
            self.new.remove("abort");
            self.set_index(self.rollout.steps().len());
        }
        if !halted && !self.flag("abort") && !self.is_stable() {
            self.analyse();
        }
        if !halted {
            self.scale();
        }
        if self.stable().is_none() && !self.is_stable() {
            return self.promote("Initial deploy");
        }
        if self.flag("abort") {
            self.ended = true;
            let done = if self.is_stable() { self.rollout.steps().len() } else { 0 };
            return self.set_index(done);
        }
        if halted {
            return;
        }
        let everything = self.newest.status.available_replicas >= self.rollout.replicas;
        if self.step().is_none() && everything && self.newest.replicas == self.rollout.replicas {
            if !self.is_stable() {
                let why = if self.flag("promoteFull") { "Full promotion requested" } else { "Completed all steps" };
                self.promote(why);
            }
            return;
        }
        if self.step_of("pause").is_some() && self.pause(STEP).is_none() && !self.was_let_on(STEP) {
            self.added.push(STEP);
            return;
        }
        if self.is_done() {
            self.go_on();
        }
    }

    /// Whether the current step is done.
    fn is_done(&mut self) -> bool {
        if let Some(pause) = self.step_of("pause").cloned() {
            if self.was_let_on(STEP) {
                return true;
            }
            let ends = self.pause(STEP).zip(pause_length(&pause)).map(|(from, long)| after(from, long));
            return match ends {
                Some(at) if at < self.now => true,
                Some(at) => {
                    self.wake_at(at);
                    false
                }
                None => false,
            };
        }
        if self.step_of("setWeight").is_some() {
            return self.is_at_size();
        }
        if self.step_of("analysis").is_some() {
            return self.run().is_some_and(|(phase, _)| phase == "Successful");
        }
        self.step().is_some()
    }

    fn go_on(&mut self) {
        let label = self.step().map(super::status::label).unwrap_or_default();
        let done = self.index() + 1;
        let message = format!("Rollout step {done}/{} completed ({label})", self.rollout.steps().len());
        self.writes.push(Write::Event { reason: "RolloutStepCompleted", message });
        self.set_index(done);
        self.put_in("canary", "currentStepAnalysisRunStatus", None);
        self.ended = true;
    }

    // ---- analysis ----

    /// The run of the current step: phase and message.
    fn run(&self) -> Option<(String, String)> {
        let status = self.new.get("canary")?.get("currentStepAnalysisRunStatus")?;
        let name = status.get("name")?.as_str()?;
        let run = self.runs.iter().find(|run| run.name == name)?;
        Some((run.phase.clone(), run.message.clone()))
    }

    fn analyse(&mut self) {
        let Some(analysis) = self.step_of("analysis").cloned() else { return };
        if self.is_paused() {
            return;
        }
        let status = self.new.get("canary").and_then(|c| c.get("currentStepAnalysisRunStatus")).cloned();
        let Some(status) = status else {
            let base = format!("{}-{}-{}", self.newest.meta.name, self.revision(), self.index());
            let taken = |name: &str| self.runs.iter().any(|run| run.name == *name);
            let again = (1..).map(|n| format!("{base}.{n}"));
            let name = std::iter::once(base.clone()).chain(again.take(99)).find(|name| !taken(name)).unwrap_or(base);
            self.writes.push(Write::CreateRun(self.run_object(&name, &analysis)));
            let status = json!({"name": name, "status": "Pending"});
            return self.put_in("canary", "currentStepAnalysisRunStatus", Some(status));
        };
        let Some((phase, message)) = self.run() else { return };
        let name = status.get("name").cloned().unwrap_or_default();
        let shown = if phase.is_empty() { "Pending".to_owned() } else { phase.clone() };
        let mut status = json!({"name": name, "status": shown});
        if let Some(map) = status.as_object_mut().filter(|_| !message.is_empty()) {
            map.insert("message".into(), message.clone().into());
        }
        self.put_in("canary", "currentStepAnalysisRunStatus", Some(status));
        match phase.as_str() {
            "Failed" | "Error" => self.abort(&format!("Step-based analysis phase error/failed: {message}")),
            "Inconclusive" => self.added.push(INCONCLUSIVE),
            _ => {}
        }
    }

    fn run_object(&self, name: &str, analysis: &Value) -> Value {
        let labels = json!({
            HASH: hash_of(&self.newest), "rollout-type": "Step", "step-index": self.index().to_string(),
        });
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisRun",
            "metadata": {
                "name": name, "namespace": self.rollout.meta.namespace, "labels": labels,
                "annotations": {REVISION: self.revision()},
                "ownerReferences": [{
                    "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": self.rollout.meta.name,
                    "uid": self.rollout.meta.uid, "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "spec": super::analysis::spec(analysis),
        })
    }

    // ---- sizes ----

    /// Pods that the newest and the stable revision are to have.
    fn sizes(&self) -> (i64, i64) {
        let wanted = self.rollout.replicas;
        if self.stable().is_none() {
            return (wanted, 0);
        }
        let weight = self.weight();
        let share = (weight * wanted + 99) / 100;
        // Nobody gets everything before the end, and nobody who was asked for gets nothing.
        let newest = if weight < 100 && share == wanted && wanted > 1 { wanted - 1 } else { share };
        let stable = if self.routed() { wanted } else { wanted - newest };
        (newest, stable)
    }

    fn is_at_size(&self) -> bool {
        let (newest, stable) = self.sizes();
        let at = |set: &ReplicaSet, size: i64| set.replicas == size && set.status.available_replicas == size;
        let old = self.stable();
        at(&self.newest, newest) && old.is_none_or(|set| at(set, stable))
    }

    fn scale(&mut self) {
        let Strategy::Canary { routed, surge, unavailable, delay, .. } = self.rollout.strategy else { return };
        let (newest, stable) = self.sizes();
        let wanted = self.rollout.replicas;
        if routed {
            self.size(&self.newest.meta.name.clone(), newest, StringMap::new());
            if let Some(name) = self.stable().map(|set| set.meta.name.clone()) {
                self.size(&name, stable, StringMap::new());
            }
            let hash = self.text("stableRS").to_owned();
            let idle = self.others.iter().filter(|set| set.replicas > 0 && hash_of(set) != hash);
            let idle: Vec<String> = idle.map(|set| set.meta.name.clone()).collect();
            for name in idle {
                if self.is_stable() { self.retire(&name, delay) } else { self.size(&name, 0, StringMap::new()) }
            }
            return;
        }
        let total = |sync: &Self| sync.newest.replicas + sync.others.iter().map(|set| set.replicas).sum::<i64>();
        // What is to grow grows into the surge, the stable revision first.
        let old = self.stable().map(|set| (set.meta.name.clone(), set.replicas));
        let surge = if surge == 0 && unavailable == 0 { 1 } else { surge };
        let room = |sync: &Self| (wanted + surge - total(sync)).max(0);
        if let Some((name, size)) = old.clone().filter(|(_, size)| *size < stable) {
            let to = stable.min(size + room(self));
            self.size(&name, to, StringMap::new());
        }
        let (name, size) = (self.newest.meta.name.clone(), self.newest.replicas);
        if size < newest {
            let to = newest.min(size + room(self));
            self.size(&name, to, StringMap::new());
        }
        // What is to shrink shrinks as far as enough pods stay available; what is not available goes first.
        let keeps = |set: &ReplicaSet| set.status.available_replicas.min(set.replicas);
        let available: i64 = self.others.iter().chain([&self.newest]).map(keeps).sum();
        let mut spare = available - (wanted - unavailable);
        let hash = self.text("stableRS").to_owned();
        let targets = self.others.iter().chain([&self.newest]).map(|set| {
            let to = match hash_of(set) {
                mine if mine == hash_of(&self.newest) => newest,
                mine if mine == hash => stable,
                _ => 0,
            };
            (set.meta.name.clone(), set.replicas, keeps(set), to)
        });
        let targets: Vec<_> = targets.filter(|(_, size, _, to)| size > to).collect();
        for (name, size, good, to) in targets {
            let free = (size - good).min(size - to);
            let drop = (size - to - free).min(spare.max(0));
            spare -= drop;
            if free + drop > 0 {
                self.size(&name, size - free - drop, StringMap::new());
            }
        }
    }
}
