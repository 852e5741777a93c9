//! A Rollout as a healthy cluster keeps it: what its controller makes of a write, in one go.

use serde_json::{Value, json};

use super::{LONG_AGO, deployment, template_digest};

/// A Rollout at rest on its stable revision: a quarter, a pause without end, a half, a pause of ten minutes.
pub fn rollout(uid: &str, image: &str) -> Value {
    let template = deployment(uid, image)["spec"]["template"].clone();
    let mut object = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "webapp", "namespace": "shop", "uid": uid, "generation": 4,
            "annotations": {"rollout.argoproj.io/revision": "7"},
        },
        "spec": {
            "replicas": 4, "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": "webapp"}},
            "strategy": {"canary": {"steps": [
                {"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {"duration": "10m"}},
            ]}},
            "template": template,
        },
        "status": {
            "replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4,
            "observedGeneration": "4", "controllerPause": false, "currentStepIndex": 4,
            "phase": "Healthy",
            "conditions": [
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
                 "lastUpdateTime": LONG_AGO, "lastTransitionTime": LONG_AGO, "message": "rolled out"},
                {"type": "Completed", "status": "True", "reason": "RolloutCompleted",
                 "lastUpdateTime": LONG_AGO, "lastTransitionTime": LONG_AGO, "message": ""},
            ],
        },
    });
    let hash = hash(&object);
    object["status"]["currentPodHash"] = json!(hash);
    object["status"]["stableRS"] = json!(hash);
    object
}

/// What the controller calls the template of a Rollout.
pub fn hash(object: &Value) -> String {
    template_digest(object).short()
}

/// A ReplicaSet of a Rollout.
pub fn owned_set(owner: &str, number: u32, image: &str) -> Value {
    let object = rollout(owner, image);
    let mut template = object["spec"]["template"].clone();
    template["metadata"]["labels"]["rollouts-pod-template-hash"] = json!(hash(&object));
    json!({
        "metadata": {
            "name": format!("webapp-{}", hash(&object)), "namespace": "shop",
            "labels": {"rollouts-pod-template-hash": hash(&object)},
            "annotations": {"rollout.argoproj.io/revision": number.to_string()},
            "ownerReferences": [{"controller": true, "uid": owner}],
        },
        "spec": {"template": template},
    })
}

fn say(o: &mut Value, phase: &str, message: &str) {
    o["status"]["phase"] = json!(phase);
    o["status"]["message"] = json!(message);
}

fn completed(o: &mut Value, is: bool, now: &str) {
    let to = if is { "True" } else { "False" };
    if o["status"]["conditions"][1]["status"] != to {
        o["status"]["conditions"][1]["status"] = json!(to);
        o["status"]["conditions"][1]["lastTransitionTime"] = json!(now);
    }
}

fn un_pause(o: &mut Value) {
    o["status"].as_object_mut().unwrap().remove("pauseConditions");
    o["status"]["controllerPause"] = json!(false);
}

/// What the controller makes of it now; not `finished`: new pods do not become ready.
pub fn follow(o: &mut Value, finished: bool, now: &str) {
    let steps = o["spec"]["strategy"]["canary"]["steps"].as_array().unwrap().clone();
    let hash = hash(o);
    o["status"]["observedGeneration"] = json!(o["metadata"]["generation"].as_i64().unwrap().to_string());
    if o["status"]["currentPodHash"] != json!(hash) {
        o["status"]["currentPodHash"] = json!(hash);
        for flag in ["abort", "promoteFull"] {
            o["status"][flag] = json!(false);
        }
        un_pause(o);
        let back = o["status"]["stableRS"] == json!(hash);
        o["status"]["currentStepIndex"] = json!(if back { steps.len() } else { 0 });
    }
    completed(o, o["status"]["stableRS"] == json!(hash), now);
    if o["status"]["abort"] == json!(true) {
        un_pause(o);
        o["status"]["currentStepIndex"] = json!(0);
        o["status"]["updatedReplicas"] = json!(0);
        return say(o, "Degraded", "RolloutAborted: Rollout aborted update to revision 8");
    }
    if o["spec"]["paused"] == json!(true) {
        return say(o, "Paused", "manually paused");
    }
    if o["status"]["promoteFull"] == json!(true) {
        un_pause(o);
        o["status"]["currentStepIndex"] = json!(steps.len());
    }
    if !finished {
        return say(o, "Progressing", "more replicas need to be updated");
    }
    loop {
        let index = o["status"]["currentStepIndex"].as_u64().unwrap() as usize;
        let Some(step) = steps.get(index) else { break };
        if step.get("pause").is_some() {
            let waits = o["status"]["pauseConditions"].as_array().is_some_and(|p| !p.is_empty());
            if !waits && o["status"]["controllerPause"] != json!(true) {
                o["status"]["controllerPause"] = json!(true);
                o["status"]["pauseConditions"] = json!([{"reason": "CanaryPauseStep", "startTime": now}]);
            }
            if waits || o["status"]["pauseConditions"].is_array() {
                o["status"]["updatedReplicas"] = json!(index.min(3));
                return say(o, "Paused", "CanaryPauseStep");
            }
            un_pause(o);
        }
        o["status"]["currentStepIndex"] = json!(index + 1);
    }
    o["status"]["stableRS"] = json!(hash);
    o["status"]["promoteFull"] = json!(false);
    o["status"]["updatedReplicas"] = json!(4);
    completed(o, true, now);
    say(o, "Healthy", "");
}
