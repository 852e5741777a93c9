//! Services that Argo Rollouts roll out: what the releases of the past left of them.

use serde_json::{Map, Value, json};

use super::past::Move;
use crate::sim::controllers::hash::template_hash;
use crate::sim::controllers::rollout::{HASH, REVISION, Rollout};
use crate::sim::controllers::stamp;
use crate::sim::controllers::view::TEMPLATE_HASH;

/// Steps of every Rollout: a fifth, a look by a person, an analysis, three fifths, ten minutes.
fn steps() -> Value {
    json!([
        {"setWeight": 20}, {"pause": {}}, {"analysis": {"templates": [{"templateName": "errors"}]}},
        {"setWeight": 60}, {"pause": {"duration": "10m"}},
    ])
}

/// A Deployment of the past as the Rollout that would have come of the same releases.
#[must_use]
pub fn rollout(deployment: Value, moves: &[Move]) -> Value {
    let mut object = deployment;
    let Some((first, last)) = moves.first().zip(moves.last()) else { return object };
    let template = object.pointer("/spec/template").cloned().unwrap_or_default();
    let hash = template_hash(&template);
    let old = object.get("status").cloned().unwrap_or_default();
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    let mut status: Map<String, Value> =
        counts.iter().filter_map(|key| Some(((*key).to_owned(), old.get(*key)?.clone()))).collect();
    let condition = |kind: &str, reason: &str, message: String| {
        json!({"type": kind, "status": "True", "reason": reason, "message": message,
            "lastUpdateTime": stamp(last.settled), "lastTransitionTime": stamp(last.settled)})
    };
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let progress = format!("ReplicaSet \"{name}-{hash}\" has successfully progressed.");
    let conditions = json!([
        {"type": "Available", "status": "True", "reason": "AvailableReason", "message": "",
            "lastUpdateTime": stamp(first.settled), "lastTransitionTime": stamp(first.settled)},
        condition("Completed", "RolloutCompleted", "RolloutCompleted".into()),
        condition("Healthy", "RolloutHealthy", String::new()),
        condition("Progressing", "NewReplicaSetAvailable", progress),
    ]);
    let steps = steps();
    let rest = json!({
        "observedGeneration": moves.len().to_string(), "currentPodHash": hash, "stableRS": hash,
        "currentStepHash": template_hash(&steps), "currentStepIndex": steps.as_array().map_or(0, Vec::len),
        "controllerPause": false, "phase": "Healthy", "conditions": conditions, "canary": {}, "blueGreen": {},
        "HPAReplicas": old.get("replicas"), "selector": format!("app={name}"),
    });
    status.extend(rest.as_object().cloned().unwrap_or_default());
    if let Some(map) = object.as_object_mut() {
        map.insert("apiVersion".into(), "argoproj.io/v1alpha1".into());
        map.insert("kind".into(), "Rollout".into());
        map.insert("status".into(), status.into());
    }
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("strategy".into(), json!({"canary": {"maxSurge": "25%", "maxUnavailable": 0, "steps": steps}}));
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.starts_with("deployment.kubernetes.io/"));
        annotations.insert(REVISION.into(), moves.len().to_string().into());
    }
    object
}

/// A ReplicaSet of a Deployment as one of a Rollout.
#[must_use]
pub fn replica_set(set: Value, rollout: &Rollout, revision: usize) -> Value {
    let mut object = set;
    for labels in ["/metadata/labels", "/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
        let Some(labels) = object.pointer_mut(labels).and_then(Value::as_object_mut) else { continue };
        if let Some(hash) = labels.remove(TEMPLATE_HASH) {
            labels.insert(HASH.into(), hash);
        }
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !key.starts_with("deployment.kubernetes.io/"));
        annotations.insert(REVISION.into(), revision.to_string().into());
    }
    let owner = json!([{
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": rollout.meta.name, "uid": rollout.meta.uid,
        "controller": true, "blockOwnerDeletion": true,
    }]);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("ownerReferences".into(), owner);
    }
    object
}
