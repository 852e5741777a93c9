//! `Deployment` of `apps/v1`: phase as `kubectl rollout status` decides it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::children::{self, CHANGE_CAUSE};
use super::metadata::Metadata;
use super::template::Template;
use super::{Child, Children, Named, Past, Pause, ReadError, ReadHow, Still, Undo, WorkloadKind, selector};
use crate::domain::change::{ApiType, pointer_key, replace, test};
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::domain::version::TemplateDigest;
use crate::domain::workload::{Phase, Progress, Progressing, Replicas, Revision, Workload};

/// Annotation that numbers revisions, on Deployments and ReplicaSets.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Deployments.
pub struct Deployment;

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Object<'a> {
    metadata: Metadata,
    #[serde(borrow)]
    spec: Spec<'a>,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(default)]
    replicas: Option<u32>,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    progress_deadline_seconds: Option<u64>,
    #[serde(borrow)]
    template: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    replicas: u32,
    updated_replicas: u32,
    ready_replicas: u32,
    available_replicas: u32,
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: Text,
    status: Text,
    #[serde(default)]
    reason: Text,
    #[serde(default)]
    message: Text,
    #[serde(default)]
    last_update_time: Option<Timestamp>,
}

impl WorkloadKind for Deployment {
    fn name(&self) -> &'static str {
        "Deployment"
    }

    fn api(&self) -> ApiType {
        ApiType::new("apps", "v1", "deployments", "Deployment")
    }

    fn read(&self, object: &[u8], wanted: &dyn Fn(&str, &str) -> Option<ReadHow>) -> Result<Option<Named>, ReadError> {
        let fail = |e: serde_json::Error| ReadError { kind: "Deployment", why: safe(&e.to_string(), 200) };
        let object: Object<'_> = serde_json::from_slice(object).map_err(fail)?;
        let Some(how) = wanted(&object.metadata.namespace, &object.metadata.name) else { return Ok(None) };
        let template: Value = serde_json::from_str(object.spec.template.get()).map_err(fail)?;
        let read = Template::read(&template, &how);
        let annotation = |name: &str| object.metadata.annotation(name);
        let workload = Workload {
            uid: Uid::new(object.metadata.uid.clone()),
            generation: object.metadata.generation,
            observed_generation: object.status.observed_generation,
            template: read.digest,
            version: read.version,
            image: read.image,
            replicas: Replicas {
                desired: object.spec.replicas.unwrap_or(1),
                total: object.status.replicas,
                updated: object.status.updated_replicas,
                ready: object.status.ready_replicas,
                available: object.status.available_replicas,
            },
            paused: object.spec.paused,
            progress: progress(&object.spec, &object.status),
            phase: phase(object.metadata.generation, object.spec.replicas, &object.status),
            revision: annotation(REVISION).and_then(|r| r.parse().ok()),
            change_cause: annotation(CHANGE_CAUSE).map(|c| safe(c, 300).into()),
            configurations: read.configurations,
            owner: object.metadata.owner(),
        };
        Ok(Some(Named { namespace: Namespace::new(object.metadata.namespace), name: object.metadata.name, workload }))
    }

    fn template<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        object.pointer(self.template_pointer())
    }

    fn template_pointer(&self) -> &'static str {
        "/spec/template"
    }

    fn children(&self) -> Children {
        Children { api: ApiType::new("apps", "v1", "replicasets", "ReplicaSet"), metadata_only: true }
    }

    fn revisions(&self, uid: &str, children: Vec<Child>) -> Vec<Revision> {
        let mut all: Vec<Revision> =
            children.into_iter().filter(|c| c.metadata.controlled_by(uid)).filter_map(revision).collect();
        all.sort_by_key(|r| std::cmp::Reverse(r.number));
        all
    }

    fn history(&self, object: &Value, owned: &[Value]) -> Vec<Past> {
        children::history(object, owned, past)
    }

    fn undo(&self, object: &Value, past: &Past) -> Undo {
        let empty = Map::new();
        let current = object.pointer("/metadata/annotations").and_then(Value::as_object).unwrap_or(&empty);
        let annotations = undo_annotations(current, &past.annotations);
        let operations = vec![
            replace(self.template_pointer(), past.template.clone()),
            replace("/metadata/annotations", Value::Object(annotations.clone())),
        ];
        Undo { operations, annotations: Some(annotations) }
    }

    fn pause(&self, workload: &Workload) -> Option<Pause> {
        let mut pause = paused(true);
        if let Some(revision) = workload.revision.filter(|_| workload.is_observed()) {
            let path = format!("/metadata/annotations/{}", pointer_key(REVISION));
            pause.operations.insert(0, test(path, revision.to_string().into()));
        }
        Some(pause)
    }

    fn un_pause(&self, object: &Value, _was: Option<&str>) -> Option<Pause> {
        is_paused(object).then(|| paused(false))
    }

    fn stands_still(&self, object: &Value) -> Option<Still> {
        is_paused(object).then(|| Still {
            code: "paused",
            why: "is paused: a new version would not roll out".to_owned(),
            hint: "resume it first (U)".to_owned(),
        })
    }

    fn selector(&self, object: &Value) -> Option<String> {
        selector::text(object)
    }

    fn pod_label(&self) -> &'static str {
        "pod-template-hash"
    }
}

fn is_paused(object: &Value) -> bool {
    object.pointer("/spec/paused") == Some(&Value::Bool(true))
}

fn paused(to: bool) -> Pause {
    Pause::of("spec.paused", vec![replace("/spec/paused", Value::Bool(to))], Some((!to).into()), to.into())
}

/// One revision, from a ReplicaSet's metadata; one without a number is none.
fn revision(child: Child) -> Option<Revision> {
    let meta = child.metadata;
    Some(Revision {
        name: safe(&meta.name, 253).into(),
        number: meta.annotation(REVISION)?.parse().ok()?,
        hash: safe(meta.label("pod-template-hash")?, 63).into(),
        created: meta.creation_timestamp,
        reused: meta.annotation("deployment.kubernetes.io/revision-history").is_some_and(|h| !h.is_empty()),
        cause: meta.annotation(CHANGE_CAUSE).map(|c| safe(c, 300).into()),
    })
}

/// In the order of `kubectl rollout status`: `spec.paused` and Available are not looked at.
fn phase(generation: i64, desired: Option<u32>, status: &Status) -> Phase {
    let deadline = |c: &Condition| &*c.kind == "Progressing" && &*c.reason == "ProgressDeadlineExceeded";
    if generation > status.observed_generation {
        Phase::Unobserved
    } else if status.conditions.iter().any(deadline) {
        Phase::DeadlineExceeded
    } else if desired.is_some_and(|d| status.updated_replicas < d) {
        Phase::Progressing(Progressing::Updating)
    } else if status.replicas > status.updated_replicas {
        Phase::Progressing(Progressing::Terminating)
    } else if status.available_replicas < status.updated_replicas {
        Phase::Progressing(Progressing::Availability)
    } else {
        Phase::Complete
    }
}

fn progress(spec: &Spec<'_>, status: &Status) -> Progress {
    let find = |kind: &str| status.conditions.iter().find(|c| &*c.kind == kind);
    let progressing = find("Progressing");
    let failure = find("ReplicaFailure")
        .filter(|c| &*c.status == "True")
        .or_else(|| progressing.filter(|c| &*c.reason == "ProgressDeadlineExceeded"))
        .map(|c| safe(&format!("{}: {}", c.reason, c.message), 300).into());
    Progress {
        reason: progressing.map(|c| c.reason.clone()),
        updated: progressing.and_then(|c| c.last_update_time),
        deadline: spec.progress_deadline_seconds.map(Duration::from_secs),
        failure,
        ..Progress::default()
    }
}

/// One past revision; a ReplicaSet whose revision is not a number is skipped, as kubectl does.
fn past(replica_set: &Value) -> Option<Past> {
    let annotations = replica_set.pointer("/metadata/annotations").and_then(Value::as_object).cloned()?;
    let number = annotations.get(REVISION)?.as_str()?.parse().ok()?;
    let mut template = replica_set.pointer("/spec/template")?.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove("pod-template-hash");
    }
    let digest = TemplateDigest::of(&template);
    let cause = annotations.get(CHANGE_CAUSE).and_then(Value::as_str).map(|c| safe(c, 300).into());
    Some(Past { number, template, digest, annotations, cause })
}

/// Annotations for an undo, by kubectl's rules: those that belong to the Deployment stay,
/// all others come from the revision returned to.
pub fn undo_annotations(current: &Map<String, Value>, past: &Map<String, Value>) -> Map<String, Value> {
    const STAY: [&str; 6] = [
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        "deployment.kubernetes.io/revision-history",
        "deployment.kubernetes.io/desired-replicas",
        "deployment.kubernetes.io/max-replicas",
        "deprecated.deployment.rollback.to",
    ];
    let stays = |key: &&String| STAY.contains(&key.as_str());
    let mut out: Map<String, Value> =
        current.iter().filter(|(k, _)| stays(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    out.extend(past.iter().filter(|(k, _)| !stays(k)).map(|(k, v)| (k.clone(), v.clone())));
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_revision_is_read_from_metadata_and_only_of_its_owner() {
        let text = r#"{"metadata":{"name":"web-7d","creationTimestamp":"2026-11-20T10:00:00Z",
            "labels":{"pod-template-hash":"7d"},
            "annotations":{"deployment.kubernetes.io/revision":"4","kubernetes.io/change-cause":"v2\u001b"},
            "ownerReferences":[{"uid":"u1","controller":true}]}}"#;
        let read = |text: &str, uid: &str| Deployment.revisions(uid, vec![serde_json::from_str(text).unwrap()]);
        let found = read(text, "u1");
        let first = found.first().unwrap();
        assert_eq!((first.number, &*first.hash, first.reused), (4, "7d", false));
        assert_eq!(first.cause.as_deref(), Some("v2␛"));
        assert_eq!(read(text, "u2"), []);
        assert_eq!(read(&text.replace("\"4\"", "\"four\""), "u1"), []);
    }
}
