//! `DaemonSet` of `apps/v1`: one pod per node, phase as `kubectl rollout status` decides it; it has no pause.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::children::{self, CHANGE_CAUSE};
use super::metadata::Metadata;
use super::template::Template;
use super::{
    Child, Children, Named, Past, Pause, ReadError, ReadHow, Still, Undo, WorkloadKind, controller_revision, selector,
};
use crate::domain::change::{ApiType, replace};
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::text::safe;
use crate::domain::workload::{Phase, Progress, Progressing, Replicas, Revision, Workload};

/// DaemonSets.
pub struct DaemonSet;

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
#[serde(rename_all = "camelCase", default)]
struct Rolling {
    max_unavailable: Option<Limit>,
    max_surge: Option<Limit>,
}

/// A count or a percentage of nodes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Limit {
    Count(u32),
    Percent(Text),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    desired_number_scheduled: u32,
    current_number_scheduled: u32,
    updated_number_scheduled: u32,
    number_ready: u32,
    number_available: u32,
}

impl Limit {
    /// Nodes out of `all`, rounded up as the controller rounds; none: it cannot be read.
    fn of(&self, all: u32) -> Option<u32> {
        match self {
            Self::Count(count) => Some(*count),
            Self::Percent(text) => {
                let percent: u64 = text.strip_suffix('%')?.parse().ok()?;
                u32::try_from(percent.saturating_mul(all.into()).div_ceil(100)).ok()
            }
        }
    }
}

impl Spec<'_> {
    /// The server writes the type into every object; where it is missing all the same, it means this.
    fn is_rolling(&self) -> bool {
        self.update_strategy.kind.as_deref().is_none_or(|t| t == "RollingUpdate")
    }
}

impl WorkloadKind for DaemonSet {
    fn name(&self) -> &'static str {
        "DaemonSet"
    }

    fn api(&self) -> ApiType {
        ApiType::new("apps", "v1", "daemonsets", "DaemonSet")
    }

    fn read(&self, object: &[u8], wanted: &dyn Fn(&str, &str) -> Option<ReadHow>) -> Result<Option<Named>, ReadError> {
        let fail = |e: serde_json::Error| ReadError { kind: "DaemonSet", why: safe(&e.to_string(), 200) };
        let object: Object<'_> = serde_json::from_slice(object).map_err(fail)?;
        let Some(how) = wanted(&object.metadata.namespace, &object.metadata.name) else { return Ok(None) };
        let template: Value = serde_json::from_str(object.spec.template.get()).map_err(fail)?;
        let read = Template::read(&template, &how);
        let (spec, status) = (&object.spec, &object.status);
        let phase = phase(object.metadata.generation, spec.is_rolling(), status);
        let workload = Workload {
            uid: Uid::new(object.metadata.uid.clone()),
            generation: object.metadata.generation,
            observed_generation: status.observed_generation,
            template: read.digest,
            version: read.version,
            image: read.image,
            replicas: Replicas {
                desired: status.desired_number_scheduled,
                total: status.current_number_scheduled,
                updated: status.updated_number_scheduled,
                ready: status.number_ready,
                available: status.number_available,
            },
            paused: false,
            progress: Progress { snag: snag(phase, spec, status), ..Progress::default() },
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
        // Its pods carry the hash alone, which its revisions carry too.
        controller_revision::revisions(uid, children, |child| child.metadata.label("controller-revision-hash"))
    }

    fn history(&self, object: &Value, owned: &[Value]) -> Vec<Past> {
        children::history(object, owned, controller_revision::past)
    }

    fn undo(&self, _object: &Value, past: &Past) -> Undo {
        Undo { operations: vec![replace(self.template_pointer(), past.template.clone())], annotations: None }
    }

    /// There is no such thing. `OnDelete` would stop it, but it is a strategy of the owner's, in which nothing says
    /// when a rollout is complete.
    fn pause(&self, _workload: &Workload) -> Option<Pause> {
        None
    }

    fn un_pause(&self, _object: &Value, _was: Option<&str>) -> Option<Pause> {
        None
    }

    fn stands_still(&self, object: &Value) -> Option<Still> {
        let kind = object.pointer("/spec/updateStrategy/type").and_then(Value::as_str)?;
        (kind != "RollingUpdate").then(|| Still {
            code: "on-delete",
            why: "takes a new version only where somebody deletes pods (updateStrategy OnDelete): nothing would say \
                  when it is rolled out"
                .to_owned(),
            hint: "set updateStrategy to RollingUpdate, with maxUnavailable for how many nodes at a time".to_owned(),
        })
    }

    fn selector(&self, object: &Value) -> Option<String> {
        selector::text(object)
    }

    fn pod_label(&self) -> &'static str {
        "controller-revision-hash"
    }
}

/// In the order of `kubectl rollout status`.
fn phase(generation: i64, rolling: bool, status: &Status) -> Phase {
    if !rolling {
        Phase::OnDelete
    } else if generation > status.observed_generation {
        Phase::Unobserved
    } else if status.updated_number_scheduled < status.desired_number_scheduled {
        Phase::Progressing(Progressing::Updating)
    } else if status.number_available < status.desired_number_scheduled {
        Phase::Progressing(Progressing::Availability)
    } else {
        Phase::Complete
    }
}

/// Nodes whose pod does not serve use up what may be missing: the others are not replaced before.
fn snag(phase: Phase, spec: &Spec<'_>, status: &Status) -> Option<Text> {
    let all = status.desired_number_scheduled;
    let missing = all.saturating_sub(status.number_available);
    if phase != Phase::Progressing(Progressing::Updating) {
        return (matches!(phase, Phase::Progressing(_)) && missing > 0)
            .then(|| format!("{missing} of {all} nodes have no available pod; a node that is down counts").into());
    }
    let rolling = spec.update_strategy.rolling_update.as_ref();
    let limit = |limit: Option<&Limit>| limit.and_then(|l| l.of(all)).unwrap_or(0);
    let surge = limit(rolling.and_then(|r| r.max_surge.as_ref()));
    if surge > 0 {
        return Some(
            format!(
                "new pods come beside the old ones on {surge} nodes at a time (maxSurge), and an old one goes only when \
                 its new one is available"
            )
            .into(),
        );
    }
    // The server writes 1 where nothing is said; the controller never goes below it.
    let most = limit(rolling.and_then(|r| r.max_unavailable.as_ref())).max(1);
    (missing >= most).then(|| {
        format!(
            "{missing} of {all} nodes have no available pod, and no more than {most} may be without (maxUnavailable): \
             the others are not replaced before; a node that is down counts"
        )
        .into()
    })
}
