//! Pods of an opened region, with what is wrong with them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::object::{pages, parse};
use super::revisions::workload;
use crate::domain::change::ApiType;
use crate::domain::fleet::Region;
use crate::domain::id::Text;
use crate::domain::link::LostReason;
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::domain::workload::Pod;
use crate::io::connect::Access;

/// Pods of the core group.
pub(super) fn pod_api() -> ApiType {
    ApiType::new("", "v1", "pods", "Pod")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    pub(super) status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: Text,
    #[serde(default)]
    creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    deletion_timestamp: Option<Timestamp>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    phase: String,
    reason: Option<String>,
    message: Option<String>,
    conditions: Option<Vec<Condition>>,
    init_container_statuses: Option<Vec<Container>>,
    pub(super) container_statuses: Option<Vec<Container>>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    #[serde(default)]
    pub(super) restart_count: u32,
    #[serde(default)]
    pub(super) state: State,
    #[serde(default)]
    last_state: State,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) waiting: Option<Waiting>,
    terminated: Option<Terminated>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Waiting {
    reason: Option<String>,
    message: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    reason: Option<String>,
    exit_code: i64,
}

/// Pods of a region's workload by name; none where the workload is absent.
pub async fn pods(access: &Access, region: &Region) -> Result<Vec<Pod>, LostReason> {
    let Some(found) = workload(access, region).await? else { return Ok(Vec::new()) };
    let query = format!("labelSelector={}", crate::io::watch::escaped(&found.selector));
    let mut all = Vec::new();
    pages(access, &pod_api(), &region.workload.namespace, &query, "application/json", |item| {
        all.push(pod(parse(item.get().as_bytes())?, found.kind.pod_label()));
        Ok(())
    })
    .await?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn pod(item: Item, label: &str) -> Pod {
    let trouble = trouble(&item.status);
    let Item { metadata, spec, status } = item;
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    let is_ready = |c: &Condition| c.kind == "Ready" && c.status == "True";
    let phase = if metadata.deletion_timestamp.is_some() { "Terminating" } else { &status.phase };
    Pod {
        name: safe(&metadata.name, 253).into(),
        phase: safe(phase, 60).into(),
        ready: status.conditions.as_deref().unwrap_or_default().iter().any(is_ready),
        restarts: containers.iter().fold(0, |sum, c| sum.saturating_add(c.restart_count)),
        node: spec.node_name.map(|n| safe(&n, 253).into()),
        hash: metadata.labels.as_ref().and_then(|l| l.get(label)).map(|h| safe(h, 63).into()),
        trouble: trouble.map(|t| safe(&t, 300).into()),
        created: metadata.creation_timestamp,
    }
}

/// Why the pod does not run, in the words that `kubectl get pods` and `describe` use.
fn trouble(status: &Status) -> Option<String> {
    let init = status.init_container_statuses.as_deref().unwrap_or_default();
    let main = status.container_statuses.as_deref().unwrap_or_default();
    // An init container that ended well is not trouble.
    let failed_init = |c: &&Container| c.state.terminated.as_ref().is_none_or(|t| t.exit_code != 0);
    for container in init.iter().filter(failed_init).chain(main) {
        if let Some(text) = of_container(container) {
            return Some(text);
        }
    }
    if let Some(reason) = &status.reason {
        return Some(with(reason, status.message.as_deref()));
    }
    let unscheduled = |c: &&Condition| c.kind == "PodScheduled" && c.status == "False";
    let condition = status.conditions.as_deref().unwrap_or_default().iter().find(unscheduled)?;
    Some(with(condition.reason.as_deref().unwrap_or("Unschedulable"), condition.message.as_deref()))
}

fn of_container(container: &Container) -> Option<String> {
    if let Some(waiting) = &container.state.waiting {
        let reason = waiting.reason.as_deref().filter(|r| !matches!(*r, "ContainerCreating" | "PodInitializing"))?;
        return Some(match &container.last_state.terminated {
            Some(last) => format!("{reason} (exit {})", last.exit_code),
            None => with(reason, waiting.message.as_deref()),
        });
    }
    let ended = container.state.terminated.as_ref()?;
    Some(format!("{} (exit {})", ended.reason.as_deref().unwrap_or("Terminated"), ended.exit_code))
}

fn with(reason: &str, message: Option<&str>) -> String {
    match message {
        Some(message) if !message.is_empty() => format!("{reason}: {message}"),
        _ => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(status: &str) -> Pod {
        let text = format!(r#"{{"metadata":{{"name":"web-0"}},"status":{status}}}"#);
        pod(serde_json::from_str(&text).unwrap(), "pod-template-hash")
    }

    #[test]
    fn trouble_names_the_reason_and_the_exit_code() {
        let crash = read(
            r#"{"phase":"Running","containerStatuses":[{"name":"web","restartCount":4,
            "state":{"waiting":{"reason":"CrashLoopBackOff","message":"back-off"}},
            "lastState":{"terminated":{"reason":"Error","exitCode":1}}}]}"#,
        );
        assert_eq!((crash.trouble.as_deref(), crash.restarts), (Some("CrashLoopBackOff (exit 1)"), 4));
        let pull = read(
            r#"{"phase":"Pending","containerStatuses":[{"name":"web","state":{"waiting":
            {"reason":"ImagePullBackOff","message":"no such image"}}}]}"#,
        );
        assert_eq!(pull.trouble.as_deref(), Some("ImagePullBackOff: no such image"));
        let pending = read(
            r#"{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False",
            "reason":"Unschedulable","message":"0/3 nodes"}]}"#,
        );
        assert_eq!(pending.trouble.as_deref(), Some("Unschedulable: 0/3 nodes"));
    }

    #[test]
    fn a_pod_that_starts_or_runs_has_no_trouble() {
        let starting = read(
            r#"{"phase":"Pending","containerStatuses":[{"name":"web","state":{"waiting":
            {"reason":"ContainerCreating"}}}]}"#,
        );
        assert_eq!(starting.trouble, None);
        let running = read(
            r#"{"phase":"Running","conditions":[{"type":"Ready","status":"True"}],
            "initContainerStatuses":[{"name":"i","state":{"terminated":{"reason":"Completed","exitCode":0}}}],
            "containerStatuses":[{"name":"web","state":{"running":{}}}]}"#,
        );
        assert!(running.ready && running.trouble.is_none());
    }
}
