//! `StatefulSet` of `apps/v1`: phase as `kubectl rollout status` decides it, a partition as ramp and as pause.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::children::{self, CHANGE_CAUSE};
use super::metadata::Metadata;
use super::template::Template;
use super::{
    Child, Children, Named, Past, Pause, ReadError, ReadHow, Still, Turn, Undo, WorkloadKind, controller_revision,
    selector,
};
use crate::domain::change::{ApiType, replace, test};
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::plan::Expectation;
use crate::domain::text::safe;
use crate::domain::version::TemplateDigest;
use crate::domain::workload::{Phase, Progress, Progressing, Replicas, Revision, Workload};

/// Pointer of the partition.
const PARTITION: &str = "/spec/updateStrategy/rollingUpdate/partition";
/// The same as people write it.
const PARTITION_FIELD: &str = "spec.updateStrategy.rollingUpdate.partition";

/// The partition of a hold: the largest there is, so that an autoscaler does not let pods through.
const HELD: u32 = i32::MAX.unsigned_abs();

/// StatefulSets.
pub struct StatefulSet;

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
    pod_management_policy: Option<Text>,
    #[serde(default)]
    update_strategy: Strategy,
    #[serde(borrow)]
    template: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Strategy {
    #[serde(rename = "type")]
    kind: Option<Text>,
    rolling_update: Option<Rolling>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rolling {
    partition: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    replicas: u32,
    updated_replicas: u32,
    ready_replicas: u32,
    available_replicas: u32,
    current_revision: Text,
    update_revision: Text,
}

impl Spec<'_> {
    /// The server writes the type into every object; where it is missing all the same, it means this.
    fn is_rolling(&self) -> bool {
        self.update_strategy.kind.as_deref().is_none_or(|t| t == "RollingUpdate")
    }

    fn partition(&self) -> Option<u32> {
        self.update_strategy.rolling_update.as_ref()?.partition
    }
}

impl WorkloadKind for StatefulSet {
    fn name(&self) -> &'static str {
        "StatefulSet"
    }

    fn api(&self) -> ApiType {
        ApiType::new("apps", "v1", "statefulsets", "StatefulSet")
    }

    fn read(&self, object: &[u8], wanted: &dyn Fn(&str, &str) -> Option<ReadHow>) -> Result<Option<Named>, ReadError> {
        let fail = |e: serde_json::Error| ReadError { kind: "StatefulSet", why: safe(&e.to_string(), 200) };
        let object: Object<'_> = serde_json::from_slice(object).map_err(fail)?;
        let Some(how) = wanted(&object.metadata.namespace, &object.metadata.name) else { return Ok(None) };
        let template: Value = serde_json::from_str(object.spec.template.get()).map_err(fail)?;
        let read = Template::read(&template, &how);
        let (spec, status) = (&object.spec, &object.status);
        let desired = spec.replicas.unwrap_or(1);
        let phase = phase(object.metadata.generation, spec, status);
        let workload = Workload {
            uid: Uid::new(object.metadata.uid.clone()),
            generation: object.metadata.generation,
            observed_generation: status.observed_generation,
            template: read.digest,
            version: read.version,
            image: read.image,
            replicas: Replicas {
                desired,
                total: status.replicas,
                updated: status.updated_replicas,
                ready: status.ready_replicas,
                available: status.available_replicas,
            },
            paused: spec.is_rolling() && keeps_all(spec.partition(), desired),
            progress: Progress {
                partition: spec.partition().filter(|_| spec.is_rolling()),
                update_revision: Some(status.update_revision.clone()).filter(|r| !r.is_empty()),
                snag: snag(phase, spec, status),
                ..Progress::default()
            },
            phase,
            // The object does not say; the names of its revisions are hashes.
            revision: None,
            change_cause: object.metadata.annotation(CHANGE_CAUSE).map(|c| safe(c, 300).into()),
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
        controller_revision::children()
    }

    fn revisions(&self, uid: &str, children: Vec<Child>) -> Vec<Revision> {
        // Its pods carry the whole name of their revision.
        controller_revision::revisions(uid, children, |child| Some(&*child.metadata.name))
    }

    fn history(&self, object: &Value, owned: &[Value]) -> Vec<Past> {
        children::history(object, owned, controller_revision::past)
    }

    fn undo(&self, _object: &Value, past: &Past) -> Undo {
        Undo { operations: vec![replace(self.template_pointer(), past.template.clone())], annotations: None }
    }

    /// Raises the partition above all pods: what was replaced stays, nothing else is.
    fn pause(&self, workload: &Workload) -> Option<Pause> {
        // The server writes one into every object that rolls.
        let from = workload.progress.partition?;
        let mut operations = vec![replace(PARTITION, HELD.into())];
        if let Some(revision) = workload.progress.update_revision.as_ref().filter(|_| workload.is_observed()) {
            operations.insert(0, test("/status/updateRevision", revision.as_ref().into()));
        }
        let mut pause = Pause::of(PARTITION_FIELD, operations, Some(from.into()), HELD.into());
        pause.was = Some(from.to_string().into());
        Some(pause)
    }

    fn un_pause(&self, object: &Value, was: Option<&str>) -> Option<Pause> {
        let (partition, _) = kept(object).filter(|(partition, desired)| keeps_all(Some(*partition), *desired))?;
        let to: u32 = was.and_then(|was| was.parse().ok()).unwrap_or(0);
        Some(Pause::of(PARTITION_FIELD, move_to(partition, to), Some(partition.into()), to.into()))
    }

    fn stands_still(&self, object: &Value) -> Option<Still> {
        if !is_rolling(object) {
            return Some(Still {
                code: "on-delete",
                why: "takes a new version only where somebody deletes pods (updateStrategy OnDelete): nothing would \
                      say when it is rolled out"
                    .to_owned(),
                hint: "set updateStrategy to RollingUpdate, with a partition if it is to go pod by pod".to_owned(),
            });
        }
        let (partition, desired) = kept(object).filter(|(p, desired)| keeps_all(Some(*p), *desired))?;
        Some(Still {
            code: "paused",
            why: format!(
                "keeps all its pods back (partition {partition}, {desired} replicas): a new version would not roll out"
            ),
            hint: "resume it first (U) if a hold of ours did that, else lower its partition".to_owned(),
        })
    }

    fn let_through(&self, object: &Value) -> Result<Option<Turn>, Still> {
        let Some((partition, desired)) = kept(object).filter(|(p, _)| *p > 0 && is_rolling(object)) else {
            return Ok(None);
        };
        if let Some(still) = self.stands_still(object) {
            return Err(still);
        }
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        let (updated, ready) = (number("/status/updatedReplicas"), number("/status/readyReplicas"));
        let wanted = u64::from(desired);
        if updated >= wanted {
            // All pods run it: the partition keeps nothing back.
            return Ok(None);
        }
        let seen = number("/status/observedGeneration") >= number("/metadata/generation");
        if !seen || updated < wanted.saturating_sub(u64::from(partition)) || ready < wanted {
            return Err(Still {
                code: "not-ready",
                why: format!(
                    "has not finished as far as partition {partition} lets it: {updated} of {wanted} updated, {ready} ready"
                ),
                hint: "wait until they are ready, or roll it back (B)".to_owned(),
            });
        }
        let running = TemplateDigest::of(object.pointer(self.template_pointer()).unwrap_or(&Value::Null));
        let opened = Pause::of(PARTITION_FIELD, move_to(partition, 0), Some(partition.into()), 0.into());
        let label = "let through to all pods".to_owned();
        Ok(Some(Turn::new(label, opened.operations, opened.diff, Expectation::Settled(running))))
    }

    fn settles(&self, object: &Value, template: TemplateDigest) -> Expectation {
        match kept(object) {
            Some((partition, _)) if partition > 0 => Expectation::Partitioned(template),
            _ => Expectation::Settled(template),
        }
    }

    fn before_undo(&self, object: &Value) -> Option<String> {
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
        let desired = number("/spec/replicas").unwrap_or(1);
        let ready = number("/status/readyReplicas").unwrap_or(0);
        if !in_order(object.pointer("/spec/podManagementPolicy").and_then(Value::as_str)) || ready >= desired {
            return None;
        }
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let updated = number("/status/updatedReplicas").filter(|n| (1..=desired).contains(n));
        // Pods are replaced from the highest ordinal down, one at a time: the last one is the lowest updated.
        let first = number("/spec/ordinals/start").unwrap_or(0);
        let likely = updated
            .map(|n| format!(" (by the order of the rollout `{}-{}`)", safe(name, 60), first + desired - n))
            .unwrap_or_default();
        Some(format!(
            "{} of {desired} pods are not ready{likely}, and a StatefulSet that goes in order waits for them before it \
             takes the template back: once it is back, delete such a pod by hand (kubectl delete pod)",
            desired.saturating_sub(ready)
        ))
    }

    fn selector(&self, object: &Value) -> Option<String> {
        selector::text(object)
    }

    fn pod_label(&self) -> &'static str {
        "controller-revision-hash"
    }
}

/// A partition that no pod is at or above.
fn keeps_all(partition: Option<u32>, desired: u32) -> bool {
    partition.is_some_and(|p| p > 0 && p >= desired)
}

fn in_order(policy: Option<&str>) -> bool {
    policy != Some("Parallel")
}

fn is_rolling(object: &Value) -> bool {
    object.pointer("/spec/updateStrategy/type").and_then(Value::as_str).is_none_or(|t| t == "RollingUpdate")
}

/// Partition and wanted pods of a full object; none: it has no partition.
fn kept(object: &Value) -> Option<(u32, u32)> {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    Some((number(PARTITION)?, number("/spec/replicas").unwrap_or(1)))
}

/// The partition that was read gives way to another.
fn move_to(from: u32, to: u32) -> Vec<Value> {
    vec![test(PARTITION, from.into()), replace(PARTITION, to.into())]
}

/// In the order of `kubectl rollout status`, which calls a partition that is reached done: nothing bakes on that.
fn phase(generation: i64, spec: &Spec<'_>, status: &Status) -> Phase {
    let desired = spec.replicas;
    if !spec.is_rolling() {
        Phase::OnDelete
    } else if status.observed_generation == 0 || generation > status.observed_generation {
        Phase::Unobserved
    } else if desired.is_some_and(|d| status.ready_replicas < d) {
        Phase::Progressing(Progressing::Availability)
    } else if spec.update_strategy.rolling_update.is_some() {
        let kept = spec.partition().unwrap_or(0);
        let updated = status.updated_replicas;
        match desired {
            Some(d) if updated < d.saturating_sub(kept) => Phase::Progressing(Progressing::Updating),
            Some(d) if updated < d => Phase::Partitioned,
            _ => Phase::Complete,
        }
    } else if status.update_revision != status.current_revision {
        Phase::Progressing(Progressing::Updating)
    } else {
        Phase::Complete
    }
}

/// Pods that are not ready and may run what was left behind: they are waited for, in order.
fn snag(phase: Phase, spec: &Spec<'_>, status: &Status) -> Option<Text> {
    let waits = matches!(phase, Phase::Progressing(_)) && in_order(spec.pod_management_policy.as_deref());
    let others = status.replicas > status.updated_replicas;
    (waits && others && status.ready_replicas < status.replicas).then(|| {
        let unready = status.replicas - status.ready_replicas;
        format!(
            "{unready} of {} pods not ready: a StatefulSet that goes in order waits for them, also where they run a \
             template that was left behind; a pod that is deleted (kubectl delete pod) comes back with the new one",
            status.replicas
        )
        .into()
    })
}
