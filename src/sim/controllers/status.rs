//! A Deployment's status and conditions: counts, availability, progress and its deadline.
//!
//! The rules for times: `lastTransitionTime` moves only when `status` changes;
//! `lastUpdateTime` of `Progressing` moves at every sign of progress and stands still
//! once a rollout is complete, so it then is the time of completion.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::scaling::{max_unavailable, total};
use super::view::{Condition, Deployment, ReplicaSet, Status};
use super::{after, stamp};

/// Condition type: the rollout moves, or is complete.
pub const PROGRESSING: &str = "Progressing";
/// Condition type: enough pods serve.
pub const AVAILABLE: &str = "Available";
/// Condition type: pods cannot be made.
pub const REPLICA_FAILURE: &str = "ReplicaFailure";
/// Reason: the rollout is complete.
pub const COMPLETE: &str = "NewReplicaSetAvailable";
/// Reason: no progress within the deadline.
pub const TIMED_OUT: &str = "ProgressDeadlineExceeded";
/// Reason: paused.
pub const PAUSED: &str = "DeploymentPaused";
/// Reason: no longer paused, not yet moving.
pub const RESUMED: &str = "DeploymentResumed";

/// A new condition, as of `now`.
#[must_use]
pub fn condition(kind: &str, status: &str, reason: &str, message: String, now: Timestamp) -> Condition {
    Condition {
        kind: kind.into(),
        status: status.into(),
        reason: reason.into(),
        message,
        last_update_time: now,
        last_transition_time: now,
    }
}

impl Status {
    /// Sets a condition: nothing happens when status and reason are as before; the
    /// transition time is kept when only the reason differs.
    pub fn set(&mut self, mut new: Condition) {
        if let Some(old) = self.condition(&new.kind) {
            if old.status == new.status && old.reason == new.reason {
                return;
            }
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time;
            }
        }
        self.remove(&new.kind);
        self.conditions.push(new);
    }

    /// Removes a condition.
    pub fn remove(&mut self, kind: &str) {
        self.conditions.retain(|c| c.kind != kind);
    }
}

/// Counts and availability, from the statuses of the ReplicaSets.
#[must_use]
pub fn calculate(deployment: &Deployment, newest: Option<&ReplicaSet>, all: &[&ReplicaSet], now: Timestamp) -> Status {
    let sum = |of: fn(&Status) -> i64| all.iter().map(|rs| of(&rs.status)).sum::<i64>();
    let available = sum(|s| s.available_replicas);
    let mut status = Status {
        observed_generation: deployment.meta.generation,
        replicas: sum(|s| s.replicas),
        updated_replicas: newest.map_or(0, |rs| rs.status.replicas),
        ready_replicas: sum(|s| s.ready_replicas),
        available_replicas: available,
        unavailable_replicas: (total(all.iter().copied()) - available).max(0),
        fully_labeled_replicas: 0,
        conditions: deployment.status.conditions.clone(),
    };
    let enough = available >= deployment.replicas - max_unavailable(deployment);
    status.set(if enough {
        let message = "Deployment has minimum availability.".to_owned();
        condition(AVAILABLE, "True", "MinimumReplicasAvailable", message, now)
    } else {
        let message = "Deployment does not have minimum availability.".to_owned();
        condition(AVAILABLE, "False", "MinimumReplicasUnavailable", message, now)
    });
    status
}

/// Whether everything runs the newest template and is available.
#[must_use]
pub fn is_complete(deployment: &Deployment, status: &Status) -> bool {
    status.updated_replicas == deployment.replicas
        && status.replicas == deployment.replicas
        && status.available_replicas == deployment.replicas
        && status.observed_generation >= deployment.meta.generation
}

fn has_progressed(before: &Status, now: &Status) -> bool {
    now.updated_replicas > before.updated_replicas
        || now.replicas - now.updated_replicas < before.replicas - before.updated_replicas
        || now.ready_replicas > before.ready_replicas
        || now.available_replicas > before.available_replicas
}

/// When the rollout counts as stuck, unless something moves before; none when there is
/// no deadline, nothing is under way, or it was said already.
#[must_use]
pub fn deadline(deployment: &Deployment, status: &Status) -> Option<Timestamp> {
    let seconds = deployment.progress_deadline_seconds?;
    let current = status.condition(PROGRESSING)?;
    let open = !matches!(current.reason.as_str(), COMPLETE | TIMED_OUT);
    (open && !deployment.paused && !is_complete(deployment, status))
        .then(|| after(current.last_update_time, SignedDuration::from_secs(seconds)))
}

/// Counts, availability and progress of a Deployment that rolls out (not of a paused or
/// scaling one, whose progress is not estimated).
#[must_use]
pub fn of_rollout(deployment: &Deployment, newest: Option<&ReplicaSet>, all: &[&ReplicaSet], now: Timestamp) -> Status {
    let mut status = calculate(deployment, newest, all, now);
    let before = deployment.status.condition(PROGRESSING);
    let rested = status.replicas == status.updated_replicas && before.is_some_and(|c| c.reason == COMPLETE);
    if deployment.progress_deadline_seconds.is_none() {
        status.remove(PROGRESSING);
    } else if !rested {
        estimate_progress(deployment, newest, &mut status, now);
    }
    match all.iter().find_map(|rs| rs.status.condition(REPLICA_FAILURE)) {
        Some(failure) => status.set(failure.clone()),
        None => status.remove(REPLICA_FAILURE),
    }
    status
}

fn estimate_progress(deployment: &Deployment, newest: Option<&ReplicaSet>, status: &mut Status, now: Timestamp) {
    let subject = newest.map_or_else(
        || format!("Deployment {:?}", deployment.meta.name),
        |rs| format!("ReplicaSet {:?}", rs.meta.name),
    );
    let before = deployment.status.condition(PROGRESSING);
    if is_complete(deployment, status) {
        let message = format!("{subject} has successfully progressed.");
        status.set(condition(PROGRESSING, "True", COMPLETE, message, now));
    } else if has_progressed(&deployment.status, status) {
        let message = format!("{subject} is progressing.");
        let mut moved = condition(PROGRESSING, "True", "ReplicaSetUpdated", message, now);
        if let Some(before) = before.filter(|c| c.status == "True") {
            moved.last_transition_time = before.last_transition_time;
        }
        // Removed first: the same reason again still moves lastUpdateTime.
        status.remove(PROGRESSING);
        status.set(moved);
    } else if has_timed_out(deployment, before, now) {
        let message = format!("{subject} has timed out progressing.");
        status.set(condition(PROGRESSING, "False", TIMED_OUT, message, now));
    }
}

fn has_timed_out(deployment: &Deployment, before: Option<&Condition>, now: Timestamp) -> bool {
    let (Some(seconds), Some(before)) = (deployment.progress_deadline_seconds, before) else {
        return false;
    };
    match before.reason.as_str() {
        COMPLETE => false,
        TIMED_OUT => true,
        _ => after(before.last_update_time, SignedDuration::from_secs(seconds)) < now,
    }
}

/// The condition that pausing or resuming leaves on `Progressing`; none when nothing changes.
///
/// A deadline that was exceeded stays on show.
#[must_use]
pub fn pause_condition(deployment: &Deployment, now: Timestamp) -> Option<Condition> {
    deployment.progress_deadline_seconds?;
    let reason = deployment.status.condition(PROGRESSING).map(|c| c.reason.as_str());
    if reason == Some(TIMED_OUT) {
        return None;
    }
    match (deployment.paused, reason == Some(PAUSED)) {
        (true, false) => Some(condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused".into(), now)),
        (false, true) => Some(condition(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed".into(), now)),
        _ => None,
    }
}

/// The status as the API writes it: counts that are zero are left out.
#[must_use]
pub fn to_json(status: &Status) -> Value {
    let mut out = serde_json::Map::new();
    out.insert("observedGeneration".into(), json!(status.observed_generation));
    let counts = [
        ("replicas", status.replicas),
        ("updatedReplicas", status.updated_replicas),
        ("readyReplicas", status.ready_replicas),
        ("availableReplicas", status.available_replicas),
        ("unavailableReplicas", status.unavailable_replicas),
        ("fullyLabeledReplicas", status.fully_labeled_replicas),
    ];
    for (name, count) in counts {
        if count != 0 {
            out.insert(name.into(), json!(count));
        }
    }
    if !status.conditions.is_empty() {
        out.insert("conditions".into(), status.conditions.iter().map(condition_json).collect());
    }
    Value::Object(out)
}

fn condition_json(condition: &Condition) -> Value {
    json!({
        "type": condition.kind,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastUpdateTime": stamp(condition.last_update_time),
        "lastTransitionTime": stamp(condition.last_transition_time),
    })
}
