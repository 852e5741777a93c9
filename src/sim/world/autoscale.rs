//! Autoscalers: CPU from the metric history in, `/scale` out.

use jiff::Timestamp;
use serde_json::Value;

use super::cluster::Key;
use super::fleet::{Due, World};
use super::tick::{put, set_spec};
use crate::sim::controllers::after;
use crate::sim::controllers::events::{About, Telling};
use crate::sim::controllers::hpa::{self, Autoscaler};
use crate::sim::model::life::{Life, Needs};
use crate::sim::model::profile::CPU_REQUEST;
use crate::sim::resources::{DEPLOYMENTS, HPAS};
use crate::sim::store::{Part, Writer};

impl World {
    /// One look of an autoscaler; it looks again as long as it exists.
    pub(super) fn autoscale(&mut self, index: usize, key: &Key, at: Timestamp) {
        let Some(store) = self.clusters.get(index).map(|cluster| cluster.store.clone()) else { return };
        let Some(object) = store.get(&HPAS, &key.0, &key.1) else { return };
        self.at(after(at, hpa::PERIOD), Due::Autoscaler(index, key.clone()));
        let Some(scaler) = Autoscaler::read(&object) else { return };
        let target: Key = (key.0.clone(), scaler.target.as_str().into());
        let size = store.get(&DEPLOYMENTS, &target.0, &target.1);
        let current = size.as_deref().and_then(|d| d.pointer("/spec/replicas")).and_then(Value::as_i64);
        let Some((current, load)) = current.filter(|size| *size > 0).zip(self.cpu_percent(index, &target, at)) else {
            return;
        };
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let wishes = cluster.wishes.entry(key.clone()).or_default();
        let desired = wishes.settle(scaler.wish(current, load), current, at);
        let status = hpa::status(object.get("status").unwrap_or(&Value::Null), current, desired, load, at);
        let writer = Writer::controller();
        let write_status = |object: &mut Value| {
            put(object, "status", status.clone());
            Ok(())
        };
        // Deleted meanwhile: the next look ends it.
        let _ = store.modify(&HPAS, &key.0, &key.1, Part::Status, &writer, write_status);
        if desired == current {
            return;
        }
        let rescale = |object: &mut Value| {
            set_spec(object, "replicas", Some(desired));
            Ok(())
        };
        if store.modify(&DEPLOYMENTS, &target.0, &target.1, Part::Scale, &writer, rescale).is_ok() {
            let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
            let about = About {
                api_version: "autoscaling/v2",
                kind: "HorizontalPodAutoscaler",
                namespace: &key.0,
                name: &key.1,
                uid,
            };
            let way = if desired > current { "above" } else { "below" };
            let message =
                format!("New size: {desired}; reason: cpu resource utilization (percentage of request) {way} target");
            let telling = Telling {
                warning: false,
                reason: "SuccessfulRescale",
                message: &message,
                component: "horizontal-pod-autoscaler",
            };
            cluster.tell(about, telling, at);
        }
    }

    /// CPU used of CPU requested over the last minute, in percent, by the traffic that comes
    /// in and the pods that carry it.
    fn cpu_percent(&self, index: usize, target: &Key, at: Timestamp) -> Option<f64> {
        const WINDOW_MS: i64 = 60_000;
        let work = self.clusters.get(index)?.workloads.get(target)?;
        let key = work.track.as_ref()?;
        let view = self.model.views(|known| known == key).into_iter().next()?;
        let now = at.as_millisecond();
        let used = |life: &Life| {
            let total = |at_ms| view.totals(life, at_ms, Needs::default()).cpu;
            (total(now) - total(now - WINDOW_MS)).max(0.0)
        };
        let alive = view.lives.iter().filter(|life| life.to_ms() > now - WINDOW_MS && life.from_ms() < now);
        let cores: f64 = alive.map(used).sum::<f64>() * 1_000.0 / f64::from(i32::try_from(WINDOW_MS).unwrap_or(1));
        let running = view.counts_at(now)?.running;
        (running > 0).then(|| 100.0 * cores / (f64::from(running) * CPU_REQUEST))
    }
}
