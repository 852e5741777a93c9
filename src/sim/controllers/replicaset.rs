//! The ReplicaSet controller: makes and takes pods, and counts them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::hash::fnv;
use super::pod::{Pod, Stage};
use super::status;
use super::view::{ReplicaSet, Status};

/// What one sync of a ReplicaSet did and saw.
#[derive(Debug, Default)]
pub struct Synced {
    /// Names of pods that were made.
    pub created: Vec<String>,
    /// Names of pods that were asked to go.
    pub deleted: Vec<String>,
    /// The status to write, when it differs from the stored one.
    pub status: Option<Value>,
    /// When a ready pod becomes an available one.
    pub wake: Option<Timestamp>,
}

/// One sync: brings the pods of `set` among `pods` to its size, and counts them.
///
/// `seed` names the workload; new pods get ids that follow from it and `born`, the
/// count of pods ever made there.
pub fn sync(set: &ReplicaSet, pods: &mut Vec<Pod>, seed: u64, born: &mut u64, now: Timestamp) -> Synced {
    let mut synced = Synced::default();
    let name: Arc<str> = set.meta.name.as_str().into();
    let active = pods.iter().filter(|pod| *pod.set == *name && pod.is_active()).count();
    let wanted = if set.meta.deletion_timestamp.is_some() { 0 } else { usize::try_from(set.replicas).unwrap_or(0) };
    for _ in active..wanted {
        *born += 1;
        let pod = Pod::new(fnv(&(seed ^ born.wrapping_mul(0x9e37_79b9)).to_le_bytes()), Arc::clone(&name), now);
        synced.created.push(pod.name());
        pods.push(pod);
    }
    for index in surplus(pods, &name, active.saturating_sub(wanted)) {
        if let Some(pod) = pods.get_mut(index) {
            pod.terminate(now);
            synced.deleted.push(pod.name());
        }
    }
    let (counted, wake) = count(set, pods, now);
    synced.wake = wake;
    if counted != set.status {
        let mut json = status::to_json(&counted);
        if let Some(map) = json.as_object_mut() {
            map.entry("replicas").or_insert_with(|| 0.into());
        }
        synced.status = Some(json);
    }
    synced
}

/// Indexes of the pods to give up first: not started before started, unready before
/// ready, ready for a shorter time first, more restarts first, younger first.
fn surplus(pods: &[Pod], name: &str, count: usize) -> Vec<usize> {
    let mut ranked: Vec<(usize, &Pod)> =
        pods.iter().enumerate().filter(|(_, pod)| *pod.set == *name && pod.is_active()).collect();
    ranked.sort_by_key(|(_, pod)| {
        let rank = match pod.stage {
            Stage::Pending => 0,
            Stage::Creating | Stage::PullFailed => 1,
            Stage::Starting | Stage::BackOff => 2,
            Stage::Ready | Stage::Terminating | Stage::Gone => 3,
        };
        let (since, restarts) = (std::cmp::Reverse(pod.since), std::cmp::Reverse(pod.restarts));
        (rank, since, restarts, std::cmp::Reverse(pod.created), pod.id)
    });
    ranked.into_iter().take(count).map(|(index, _)| index).collect()
}

fn count(set: &ReplicaSet, pods: &[Pod], now: Timestamp) -> (Status, Option<Timestamp>) {
    let mut counted = Status {
        observed_generation: set.meta.generation,
        conditions: set.status.conditions.clone(),
        ..Status::default()
    };
    let mut wake = None;
    for pod in pods.iter().filter(|pod| *pod.set == *set.meta.name && pod.is_active()) {
        counted.replicas += 1;
        counted.fully_labeled_replicas += 1;
        let Some(available) = pod.available_from(set.min_ready_seconds) else {
            continue;
        };
        counted.ready_replicas += 1;
        if available <= now {
            counted.available_replicas += 1;
        } else {
            wake = Some(wake.map_or(available, |wake: Timestamp| wake.min(available)));
        }
    }
    (counted, wake)
}
