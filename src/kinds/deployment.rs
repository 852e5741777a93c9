//! `Deployment` of `apps/v1`: phase as `kubectl rollout status` decides it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Named, Past, ReadError, ReadHow, WorkloadKind};
use crate::domain::change::{ApiType, replace};
use crate::domain::fleet::VersionFrom;
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::domain::version::{Image, TemplateDigest, Version};
use crate::domain::workload::{Owner, OwnerTool, Phase, Progress, Progressing, Replicas, Workload};

/// Annotation that numbers revisions, on Deployments and ReplicaSets.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// Annotation that says why.
const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// Deployments.
pub struct Deployment;

#[derive(Deserialize)]
struct Object<'a> {
    metadata: Meta,
    #[serde(borrow)]
    spec: Spec<'a>,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Meta {
    name: Text,
    namespace: Text,
    uid: Text,
    #[serde(default)]
    generation: i64,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
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
        let image =
            container(&template, &how.container).and_then(|c| c.get("image")).and_then(Value::as_str).map(Image::parse);
        let version = version(&template, image.as_ref(), &how.version_from);
        let annotation = |name: &str| object.metadata.annotations.as_ref().and_then(|a| a.get(name));
        let workload = Workload {
            uid: Uid::new(object.metadata.uid),
            generation: object.metadata.generation,
            observed_generation: object.status.observed_generation,
            template: TemplateDigest::of(&template),
            version,
            image,
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
            configurations: super::configurations(&template, &how),
            owner: owner_of(object.metadata.labels.as_ref(), object.metadata.annotations.as_ref()),
        };
        Ok(Some(Named { namespace: Namespace::new(object.metadata.namespace), name: object.metadata.name, workload }))
    }

    fn template<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        object.pointer(self.template_pointer())
    }

    fn template_pointer(&self) -> &'static str {
        "/spec/template"
    }

    fn pause(&self, paused: bool) -> Option<Vec<Value>> {
        Some(vec![replace("/spec/paused", Value::Bool(paused))])
    }

    fn history(&self, object: &Value, owned: &[Value]) -> Vec<Past> {
        let uid = object.pointer("/metadata/uid");
        let is_owned = |rs: &&Value| {
            rs.pointer("/metadata/ownerReferences").and_then(Value::as_array).is_some_and(|owners| {
                owners.iter().any(|o| o.get("controller") == Some(&Value::Bool(true)) && o.get("uid") == uid)
            })
        };
        let mut past: Vec<Past> = owned.iter().filter(is_owned).filter_map(past).collect();
        past.sort_by_key(|p| std::cmp::Reverse(p.number));
        past
    }

    fn selector(&self, object: &Value) -> Option<String> {
        let selector = object.pointer("/spec/selector")?;
        let mut parts = Vec::new();
        for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
            parts.push(format!("{key}={}", value.as_str()?));
        }
        for e in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
            let key = e.get("key")?.as_str()?;
            let values: Vec<&str> =
                e.get("values").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            parts.push(match e.get("operator")?.as_str()? {
                "In" => format!("{key} in ({})", values.join(",")),
                "NotIn" => format!("{key} notin ({})", values.join(",")),
                "Exists" => key.to_owned(),
                "DoesNotExist" => format!("!{key}"),
                _ => return None,
            });
        }
        Some(parts.join(","))
    }
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
    }
}

fn container<'a>(template: &'a Value, name: &str) -> Option<&'a Value> {
    let containers = template.pointer("/spec/containers")?.as_array()?;
    containers.iter().find(|c| c.get("name").and_then(Value::as_str) == Some(name))
}

fn version(template: &Value, image: Option<&Image>, from: &VersionFrom) -> Version {
    let text = |map: &str, key: &Text| {
        template.pointer(map).and_then(|m| m.get(&**key)).and_then(Value::as_str).map(|v| Version(safe(v, 80).into()))
    };
    match from {
        VersionFrom::Image => image.map(|i| Version(safe(&i.version().0, 80).into())),
        VersionFrom::Label(key) => text("/metadata/labels", key),
        VersionFrom::Annotation(key) => text("/metadata/annotations", key),
    }
    .unwrap_or_else(|| Version("?".into()))
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

/// Who would put the object back: marks of Argo CD, Flux and Helm.
pub(crate) fn owner_of(
    labels: Option<&BTreeMap<String, String>>,
    annotations: Option<&BTreeMap<String, String>>,
) -> Option<Owner> {
    let label = |key: &str| labels.and_then(|l| l.get(key));
    let annotation = |key: &str| annotations.and_then(|a| a.get(key));
    let owner = |tool, name: &str| Some(Owner { tool, name: safe(name, 120).into() });
    if let Some(id) = annotation("argocd.argoproj.io/tracking-id") {
        return owner(OwnerTool::ArgoCd, id.split(':').next().unwrap_or(id));
    }
    if let Some(name) = label("argocd.argoproj.io/instance") {
        return owner(OwnerTool::ArgoCd, name);
    }
    if let Some(name) = label("kustomize.toolkit.fluxcd.io/name").or_else(|| label("helm.toolkit.fluxcd.io/name")) {
        return owner(OwnerTool::Flux, name);
    }
    if label("app.kubernetes.io/managed-by").is_some_and(|m| m == "Helm") {
        return owner(OwnerTool::Helm, annotation("meta.helm.sh/release-name").map_or("?", |n| n));
    }
    None
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
