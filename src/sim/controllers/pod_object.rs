//! A pod as an API object: what kubelet and scheduler would have written.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::hash::{fnv, spell};
use super::pod::{Exit, Pod, PodBehaviour, Stage};
use super::stamp;
use super::view::ReplicaSet;

/// Name of a region's node.
#[must_use]
pub fn node_name(region: &str, index: u64) -> String {
    format!("{region}-node-{index}")
}

/// The pod as stored; its uid and creation time are for the caller to set.
#[must_use]
pub fn pod_object(pod: &Pod, set: &ReplicaSet, region: &str, behaviour: &PodBehaviour, now: Timestamp) -> Value {
    let template = &set.template;
    let mut spec = template.get("spec").cloned().unwrap_or_else(|| json!({}));
    if let Some(map) = spec.as_object_mut() {
        if pod.scheduled.is_some() {
            map.insert("nodeName".into(), node_name(region, pod.node()).into());
        }
        map.insert("serviceAccountName".into(), "default".into());
        map.insert("enableServiceLinks".into(), true.into());
    }
    let (_, suffix) = set.meta.name.rsplit_once('-').unwrap_or(("", &set.meta.name));
    let (owner_kind, owner) = pod.owner();
    if let (Some(map), Some(_)) = (spec.as_object_mut(), pod.ordinal()) {
        map.insert("hostname".into(), pod.name().into());
    }
    let mut metadata = json!({
        "name": pod.name(),
        "generateName": format!("{owner}-"),
        "namespace": set.meta.namespace,
        "labels": template.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({"pod-template-hash": suffix})),
        "creationTimestamp": stamp(pod.created),
        "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": owner_kind, "name": owner, "uid": set.meta.uid,
            "controller": true, "blockOwnerDeletion": true,
        }],
    });
    if let (Some(map), Some(annotations)) = (metadata.as_object_mut(), template.pointer("/metadata/annotations")) {
        map.insert("annotations".into(), annotations.clone());
    }
    if let (Some(map), Some(uid), Some(ordinal)) = (metadata.as_object_mut(), pod.uid(), pod.ordinal()) {
        map.insert("uid".into(), uid.into());
        if let Some(labels) = map.get_mut("labels").and_then(Value::as_object_mut) {
            labels.insert("apps.kubernetes.io/pod-index".into(), ordinal.to_string().into());
            labels.insert("statefulset.kubernetes.io/pod-name".into(), pod.name().into());
        }
    }
    if pod.stage == Stage::Terminating
        && let Some(map) = metadata.as_object_mut()
    {
        map.insert("deletionTimestamp".into(), stamp(pod.due.unwrap_or(now)).into());
        map.insert("deletionGracePeriodSeconds".into(), 30.into());
    }
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec,
        "status": status(pod, set, behaviour),
    })
}

/// `status` of the pod.
#[must_use]
pub fn status(pod: &Pod, set: &ReplicaSet, behaviour: &PodBehaviour) -> Value {
    let ready = pod.is_ready();
    let phase = match pod.stage {
        Stage::Pending | Stage::Creating | Stage::PullFailed => "Pending",
        _ => "Running",
    };
    let condition = |kind: &str, holds: bool, since: Timestamp| {
        json!({"type": kind, "status": if holds { "True" } else { "False" }, "lastProbeTime": null,
            "lastTransitionTime": stamp(since)})
    };
    let mut conditions = vec![condition("PodScheduled", pod.scheduled.is_some(), pod.scheduled.unwrap_or(pod.created))];
    let mut status = json!({"phase": phase, "qosClass": "Burstable"});
    if let (Some(map), Some(scheduled)) = (status.as_object_mut(), pod.scheduled) {
        conditions.push(condition("Initialized", true, scheduled));
        conditions.push(condition("ContainersReady", ready, pod.since));
        conditions.push(condition("Ready", ready, pod.since));
        map.insert("startTime".into(), stamp(scheduled).into());
        map.insert("hostIP".into(), format!("10.0.0.{}", 10 + pod.node()).into());
        if !matches!(pod.stage, Stage::Creating | Stage::PullFailed) {
            map.insert("podIP".into(), address(pod).into());
            map.insert("podIPs".into(), json!([{"ip": address(pod)}]));
        }
        let containers = set.template.pointer("/spec/containers").and_then(Value::as_array);
        let statuses = containers.into_iter().flatten().map(|c| container_status(pod, c, set, behaviour));
        map.insert("containerStatuses".into(), statuses.collect());
    }
    if let Some(map) = status.as_object_mut() {
        map.insert("conditions".into(), conditions.into());
    }
    status
}

fn address(pod: &Pod) -> String {
    format!("10.{}.{}.{}", 64 + pod.id % 64, pod.id / 64 % 256, 2 + pod.id / 16_384 % 250)
}

fn container_status(pod: &Pod, container: &Value, set: &ReplicaSet, behaviour: &PodBehaviour) -> Value {
    let text = |key: &str| container.get(key).and_then(Value::as_str).unwrap_or_default();
    let (name, image) = (text("name"), text("image"));
    let state = match pod.stage {
        Stage::Pending | Stage::Creating => json!({"waiting": {"reason": "ContainerCreating"}}),
        Stage::PullFailed => json!({"waiting": {"reason": "ImagePullBackOff",
            "message": format!("Back-off pulling image \"{image}\"")}}),
        Stage::BackOff if pod.restarts == 0 => json!({"terminated": terminated(pod.last_exit, pod.id)}),
        Stage::BackOff => json!({"waiting": {"reason": "CrashLoopBackOff", "message": format!(
            "back-off {} restarting failed container={name} pod={}_{}", wait(pod), pod.name(), set.meta.namespace)}}),
        Stage::Starting | Stage::Ready | Stage::Terminating | Stage::Gone => {
            json!({"running": {"startedAt": pod.started.map(stamp)}})
        }
    };
    let running = pod.started.is_some();
    let mut status = json!({
        "name": name, "image": image, "imageID": image_id(image),
        "ready": pod.is_ready(), "started": running && (pod.is_ready() || behaviour.crash.is_none()),
        "restartCount": pod.restarts, "state": state, "lastState": {},
    });
    if let Some(map) = status.as_object_mut() {
        if running {
            map.insert("containerID".into(), container_id(pod.id, pod.restarts).into());
        }
        let shown_as_state = pod.stage == Stage::BackOff && pod.restarts == 0;
        if pod.last_exit.is_some() && !shown_as_state {
            map.insert("lastState".into(), json!({"terminated": terminated(pod.last_exit, pod.id)}));
        }
    }
    status
}

fn terminated(exit: Option<Exit>, id: u64) -> Value {
    let Some(exit) = exit else { return json!({}) };
    let reason = match exit.code {
        0 => "Completed",
        137 => "OOMKilled",
        _ => "Error",
    };
    json!({
        "exitCode": exit.code, "reason": reason, "startedAt": stamp(exit.started), "finishedAt": stamp(exit.finished),
        "containerID": container_id(id, 0),
    })
}

fn wait(pod: &Pod) -> String {
    let seconds = pod.back_off().as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

fn image_id(image: &str) -> String {
    let name = image.split(['@']).next().unwrap_or(image);
    let repository = name.rsplit_once(':').map_or(name, |(repository, _)| repository);
    match image.split_once('@') {
        Some((_, digest)) => format!("{repository}@{digest}"),
        None => image.to_owned(),
    }
}

fn container_id(id: u64, run: u32) -> String {
    let seed = id ^ u64::from(run).wrapping_mul(0x9e37_79b9);
    let words: String = (0..4_u64).map(|word| format!("{:016x}", fnv(&(seed ^ (word << 7)).to_le_bytes()))).collect();
    format!("containerd://{words}")
}

/// The log of a container's present run, or of the one before.
#[must_use]
pub fn log(
    pod: &Pod,
    version: &str,
    region: &str,
    behaviour: &PodBehaviour,
    previous: bool,
    now: Timestamp,
) -> Option<String> {
    let (from, until, exit) = if previous {
        let exit = pod.last_exit?;
        (exit.started, exit.finished, Some(exit))
    } else {
        match (pod.started, pod.last_exit) {
            (Some(started), _) => (started, now, None),
            (None, Some(exit)) => (exit.started, exit.finished, Some(exit)),
            (None, None) => return None,
        }
    };
    let mut lines = vec![
        format!("{from:.3} INFO  starting version={version} region={region}"),
        format!("{from:.3} INFO  listening on :8080"),
    ];
    lines.extend(requests(pod, from, until));
    if let Some(exit) = exit {
        let words = behaviour.crash.as_ref().map_or("received signal, shutting down", |crash| crash.message.as_str());
        lines.push(format!("{:.3} ERROR {words}", exit.finished));
        lines.push(format!("{:.3} ERROR exit code {}", exit.finished, exit.code));
    }
    Some(lines.join("\n") + "\n")
}

/// One access summary per ten seconds, of the last 200 that fit.
fn requests(pod: &Pod, from: Timestamp, until: Timestamp) -> impl Iterator<Item = String> {
    const EVERY: i64 = 10;
    const MOST: i64 = 200;
    let (first, last) = (from.as_second() / EVERY + 1, until.as_second() / EVERY);
    let id = pod.id;
    (first.max(last - MOST)..=last).filter_map(move |slot| {
        let at = Timestamp::from_second(slot * EVERY).ok()?;
        let mut rng = fastrand::Rng::with_seed(id ^ u64::try_from(slot).unwrap_or(0));
        let (count, slow) = (rng.u32(20_000..42_000), rng.u32(90..190));
        let trace = spell(rng.u64(..), 12);
        Some(format!("{at:.3} INFO  requests={count} p99={slow}ms trace={trace}"))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::sim::controllers::pod::Crash;
    use jiff::SignedDuration;

    fn start() -> Timestamp {
        "2026-03-02T10:00:00Z".parse().unwrap()
    }

    fn set() -> ReplicaSet {
        ReplicaSet::read(&json!({
            "metadata": {"name": "webapp-abc", "namespace": "webapp", "uid": "u"},
            "spec": {"replicas": 1, "template": {"metadata": {"labels": {"app": "webapp"}}, "spec": {"containers":
                [{"name": "web", "image": "registry.example/webapp:v2@sha256:ab"}]}}},
        }))
        .unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        super::super::after(start(), SignedDuration::from_secs(seconds))
    }

    #[test]
    fn a_ready_pod_says_so_everywhere() {
        let mut pod = Pod::new(7, "webapp-abc".into(), start());
        pod.advance(&PodBehaviour::default(), at(10));
        let object = pod_object(&pod, &set(), "eu-west-1", &PodBehaviour::default(), at(10));
        assert_eq!(object["status"]["phase"], "Running");
        assert_eq!(object["status"]["containerStatuses"][0]["ready"], true);
        assert!(object["status"]["containerStatuses"][0]["state"]["running"]["startedAt"].is_string());
        assert_eq!(object["status"]["conditions"][3]["status"], "True");
        assert!(object["spec"]["nodeName"].as_str().unwrap().starts_with("eu-west-1-node-"));
    }

    #[test]
    fn a_crashing_pod_shows_why_how_often_and_its_last_words() {
        let crash = Crash { exit_code: 3, after: SignedDuration::from_secs(1), message: "no such file".into() };
        let behaviour = PodBehaviour { crash: Some(crash), ..PodBehaviour::default() };
        let mut pod = Pod::new(7, "webapp-abc".into(), start());
        pod.advance(&behaviour, at(8));
        let container = &status(&pod, &set(), &behaviour)["containerStatuses"][0];
        assert_eq!(container["state"]["waiting"]["reason"], "CrashLoopBackOff");
        assert_eq!(container["lastState"]["terminated"]["exitCode"], 3);
        assert_eq!(container["restartCount"], 1);
        let log = log(&pod, "v2", "eu-west-1", &behaviour, true, at(8)).unwrap();
        assert!(log.contains("no such file"), "{log}");
    }

    #[test]
    fn a_pod_whose_image_is_missing_waits_for_it() {
        let behaviour = PodBehaviour { image_missing: true, ..PodBehaviour::default() };
        let mut pod = Pod::new(7, "webapp-abc".into(), start());
        pod.advance(&behaviour, at(8));
        let shown = status(&pod, &set(), &behaviour);
        assert_eq!(shown["phase"], "Pending");
        assert_eq!(shown["containerStatuses"][0]["state"]["waiting"]["reason"], "ImagePullBackOff");
        assert_eq!(log(&pod, "v2", "eu-west-1", &behaviour, false, at(8)), None);
    }
}
