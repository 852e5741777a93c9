//! The scenario's actions, each as the person or the accident that would bring it about.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::cluster::Key;
use super::fleet::{Due, World};
use super::layout::image;
use super::past::record_name;
use super::route::backend;
use super::tick::annotate;
use crate::sim::controllers::after;
use crate::sim::controllers::view::StringMap;
use crate::sim::resources::{CONFIGMAPS, DEPLOYMENTS, ROLLOUTS};
use crate::sim::scenario::{Action, Deed};
use crate::sim::store::{DeleteOptions, Part, Writer};

/// Most wake-ups per real second for status updates; above it several are written at once.
const CHURN_WAKES: u32 = 500;

impl World {
    /// A rollout began in a region: what waited for it is put on the queue.
    pub(super) fn rollout_began(&mut self, region: &str, at: Timestamp) {
        let (now, later) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(_, action)| action.region.as_deref() == Some(region));
        self.waiting = later;
        let begun: Vec<(usize, Action)> = now;
        for (index, action) in begun {
            self.at(after(at, action.at.0), Due::Action(index));
        }
    }

    /// Does what an action says.
    pub(super) fn act(&mut self, action: &Action, at: Timestamp) {
        let service = action.service.clone().or_else(|| self.layout.services.first().map(|s| s.name.clone()));
        let service = service.unwrap_or_default();
        let region = action.region.clone().unwrap_or_default();
        match action.deed {
            Deed::Partition | Deed::Heal | Deed::Slow | Deed::Skew | Deed::MetricsDown | Deed::MetricsUp => {
                self.wire.push(action.clone());
            }
            Deed::Crash => self.crash(&region, &service, action.count.unwrap_or(1), at),
            Deed::Traffic => {
                self.traffic.insert(service.clone(), action.factor.unwrap_or(1.0));
                self.program(&(service.as_str().into(), service.as_str().into()), at);
            }
            Deed::Weight => self.weigh(&service, &region, action.weight.unwrap_or(0)),
            Deed::LetOn => {
                if let Some(cluster) = self.cluster(&region).and_then(|index| self.clusters.get(index)) {
                    let change = |object: &mut Value| {
                        if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
                            status.remove("pauseConditions");
                        }
                        Ok(())
                    };
                    // What is no Rollout, or is gone, waits for nobody.
                    let (part, writer) = (Part::Status, Writer::named("kubectl-argo-rollouts"));
                    let _ = cluster.store.modify(&ROLLOUTS, &service, &service, part, &writer, change);
                }
            }
            Deed::DeleteRecord => {
                if let Some(cluster) = self.cluster(&region).and_then(|index| self.clusters.get(index)) {
                    let (name, writer) = (record_name(&service), Writer::named("kubectl"));
                    // Nothing to delete is as good as deleted.
                    let _ = cluster.store.delete(&CONFIGMAPS, &service, &name, &DeleteOptions::default(), &writer);
                }
            }
            Deed::SetImage | Deed::Scale | Deed::Annotate | Deed::SetEnv | Deed::Pause | Deed::Resume => {
                self.edit(action, &region, &service);
            }
        }
    }

    /// Changes a Deployment or Rollout as `kubectl` would.
    fn edit(&self, action: &Action, region: &str, service: &str) {
        let Some(cluster) = self.cluster(region).and_then(|index| self.clusters.get(index)) else { return };
        let manager = match action.deed {
            Deed::SetImage | Deed::SetEnv => "kubectl-set",
            Deed::Pause | Deed::Resume => "kubectl-rollout",
            Deed::Annotate => "kubectl-annotate",
            _ => "kubectl",
        };
        let change = |object: &mut Value| {
            edit_object(object, action, service);
            Ok(())
        };
        let kind = if self.layout.rollouts { &ROLLOUTS } else { &DEPLOYMENTS };
        // A workload that somebody deleted cannot be changed: then nothing happens.
        let _ = cluster.store.modify(kind, service, service, Part::Main, &Writer::named(manager), change);
    }

    fn crash(&mut self, region: &str, service: &str, count: u32, at: Timestamp) {
        let Some(index) = self.cluster(region) else { return };
        let key: Key = (service.into(), service.into());
        self.make_real(index, &key, at);
        if let Some(work) = self.clusters.get_mut(index).and_then(|c| c.workloads.get_mut(&key)) {
            let ready = work.pods.iter_mut().filter(|pod| pod.is_ready());
            for pod in ready.take(usize::try_from(count).unwrap_or(usize::MAX)) {
                pod.crash_now(1, at);
            }
        }
        self.look(index, &key, at);
    }

    fn weigh(&self, service: &str, region: &str, weight: u32) {
        let Some(edge) = self.edge().and_then(|index| self.clusters.get(index)) else { return };
        let name = backend(service, region);
        let steering = self.layout.steering;
        let change = |object: &mut Value| {
            steering.weigh(object, &name, weight);
            Ok(())
        };
        // A route that somebody deleted cannot be changed: then nothing happens.
        let _ = edge.store.modify(
            steering.resource(),
            service,
            service,
            Part::Main,
            &Writer::named("kubectl-edit"),
            change,
        );
    }

    /// Status updates on random workloads, as kubelets and other controllers cause them:
    /// real changes, and none that a rollout or a gate would mind.
    pub(super) fn churn(&mut self, now: Timestamp) {
        let wakes = self.churn.clamp(1, CHURN_WAKES);
        let elapsed = now.duration_since(self.clock.start()).as_secs_f64() / self.clock.speed();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of events")]
        let wanted = (elapsed * f64::from(self.churn)) as u64;
        // After a pause of the machine the backlog is not made up for in one go.
        let backlog = wanted.saturating_sub(self.churned).min(u64::from(self.churn));
        self.churned = wanted;
        for _ in 0..backlog {
            self.touch();
        }
        let every = SignedDuration::from_secs_f64(self.clock.speed() / f64::from(wakes));
        self.at(after(now, every), Due::Churn);
    }

    fn touch(&mut self) {
        let region = self.rng.usize(..self.layout.regions.len().max(1));
        let service = self.rng.usize(..self.layout.services.len().max(1));
        let Some((cluster, service)) = self.clusters.get(region).zip(self.layout.services.get(service)) else { return };
        // Deleted by somebody: then there is nothing to update.
        let _ = cluster.store.adjust(&DEPLOYMENTS, &service.name, &service.name, |object| {
            if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
                let before = status.get("terminatingReplicas").and_then(Value::as_i64).unwrap_or(0);
                status.insert("terminatingReplicas".into(), json!((before + 1) % 3));
            }
        });
    }
}

fn edit_object(object: &mut Value, action: &Action, service: &str) {
    match action.deed {
        Deed::SetImage => {
            let version = action.version.as_deref().unwrap_or_default();
            if let Some(slot) = object.pointer_mut("/spec/template/spec/containers/0/image") {
                *slot = image(service, version).into();
            }
        }
        Deed::SetEnv => {
            let (key, value) = (action.key.clone().unwrap_or_default(), action.value.clone().unwrap_or_default());
            let container = object.pointer_mut("/spec/template/spec/containers/0").and_then(Value::as_object_mut);
            let env = container.map(|c| c.entry("env").or_insert_with(|| json!([])));
            if let Some(env) = env.and_then(Value::as_array_mut) {
                env.retain(|entry| entry.get("name").and_then(Value::as_str) != Some(&key));
                env.push(json!({"name": key, "value": value}));
            }
        }
        Deed::Annotate => {
            let pair = (action.key.clone().unwrap_or_default(), action.value.clone().unwrap_or_default());
            annotate(object, &StringMap::from([pair]));
        }
        Deed::Scale => super::tick::set_spec(object, "replicas", action.replicas.map(i64::from)),
        Deed::Pause | Deed::Resume => {
            if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
                if action.deed == Deed::Pause {
                    spec.insert("paused".into(), true.into());
                } else {
                    spec.remove("paused");
                }
            }
        }
        _ => {}
    }
}
