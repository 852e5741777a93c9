//! `Pipeline`: a workload that another system runs and reports, read from JSON of one small form.
//!
//! No API server holds it. What its command or endpoint says is put into an object of the usual shape, so that
//! everything that reads, compares and bakes workloads does the same with it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Child, Children, Named, Past, Pause, ReadError, ReadHow, Still, Undo, WorkloadKind};
use crate::domain::change::ApiType;
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::stamp::Timestamp;
use crate::domain::text::{is_hostile, safe};
use crate::domain::version::{TemplateDigest, Version};
use crate::domain::workload::{Phase, Progress, Progressing, Replicas, Revision, Workload};

/// What is reported by a command or an endpoint.
pub struct Pipeline;

/// The form that is read.
const SCHEMA: u32 = 1;
/// Longest version and id, in bytes.
const LONGEST: usize = 128;
/// As the reason of a rollout that is complete: then its time is when that was.
const COMPLETED: &str = "RolloutCompleted";

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Object {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: String,
    name: Text,
    uid: String,
}

/// What is said of one service in one region.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct State {
    schema: u32,
    version: String,
    #[serde(default)]
    id: Option<String>,
    phase: Word,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    desired: u32,
    #[serde(default)]
    ready: u32,
    #[serde(default)]
    current: Option<u32>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    updated: Option<Timestamp>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Word {
    Progressing,
    Waiting,
    Complete,
    Failed,
}

impl State {
    fn read(text: &[u8]) -> Result<Self, String> {
        let state: State = serde_json::from_slice(text).map_err(|e| safe(&e.to_string(), 200))?;
        if state.schema != SCHEMA {
            return Err(format!("its schema is {}, and this program reads {SCHEMA}", state.schema));
        }
        for (name, text) in [("version", Some(&state.version)), ("id", state.id.as_ref())] {
            let bad = |t: &String| {
                t.is_empty()
                    || t.len() > LONGEST
                    || t.starts_with('-')
                    || t.chars().any(|c| is_hostile(c) || c.is_whitespace())
            };
            if text.is_some_and(bad) {
                return Err(format!("its {name} is empty, too long, begins with a dash, or holds what is no name"));
            }
        }
        Ok(state)
    }

    /// What runs or is rolling out, as it stands in the object: the same version by the same id.
    fn template(&self) -> Value {
        match &self.id {
            Some(id) => json!({"version": self.version, "id": id}),
            None => json!({"version": self.version}),
        }
    }

    fn phase(&self) -> Phase {
        match self.phase {
            // What says complete and lacks instances is not: unknown is never green.
            Word::Complete if self.ready < self.desired => Phase::Progressing(Progressing::Availability),
            Word::Complete => Phase::Complete,
            Word::Progressing => Phase::Progressing(Progressing::Updating),
            Word::Waiting => Phase::AtStep,
            Word::Failed => Phase::Degraded,
        }
    }
}

/// The object that a report becomes; `uid` names the pipeline that reported.
///
/// # Errors
/// Why the report cannot be read, in words.
pub fn reported(namespace: &str, name: &str, uid: &str, report: &[u8]) -> Result<Value, String> {
    let state = State::read(report)?;
    let status: Value = serde_json::from_slice(report).map_err(|e| safe(&e.to_string(), 200))?;
    Ok(json!({
        "apiVersion": "gonogo/v1",
        "kind": "Pipeline",
        "metadata": {"namespace": namespace, "name": name, "uid": uid},
        "spec": {"paused": state.paused, "template": state.template()},
        "status": status,
    }))
}

impl WorkloadKind for Pipeline {
    fn name(&self) -> &'static str {
        "Pipeline"
    }

    fn api(&self) -> ApiType {
        ApiType::new("gonogo", "v1", "pipelines", "Pipeline")
    }

    fn is_in_cluster(&self) -> bool {
        false
    }

    fn read(&self, object: &[u8], wanted: &dyn Fn(&str, &str) -> Option<ReadHow>) -> Result<Option<Named>, ReadError> {
        let fail = |why: String| ReadError { kind: "Pipeline", why };
        let whole: Value = serde_json::from_slice(object).map_err(|e| fail(safe(&e.to_string(), 200)))?;
        let status = whole.get("status").map(ToString::to_string).unwrap_or_default();
        let state = State::read(status.as_bytes()).map_err(fail)?;
        let object: Object = serde_json::from_value(whole).map_err(|e| fail(safe(&e.to_string(), 200)))?;
        if wanted(&object.metadata.namespace, &object.metadata.name).is_none() {
            return Ok(None);
        }
        let phase = state.phase();
        let message = state.message.as_deref().filter(|m| !m.trim().is_empty()).map(|m| Text::from(safe(m, 300)));
        let failed = phase == Phase::Degraded;
        let failure = failed.then(|| message.clone().unwrap_or_else(|| "its pipeline says that it failed".into()));
        let workload = Workload {
            uid: Uid::new(object.metadata.uid),
            generation: 0,
            observed_generation: 0,
            template: TemplateDigest::of(&state.template()),
            version: Version(state.version.as_str().into()),
            image: None,
            replicas: Replicas {
                desired: state.desired,
                total: state.desired.max(state.ready),
                updated: state.current.unwrap_or(state.ready),
                ready: state.ready,
                available: state.ready,
            },
            paused: state.paused,
            progress: Progress {
                reason: (phase == Phase::Complete).then(|| COMPLETED.into()),
                updated: state.updated,
                failure,
                snag: message.filter(|_| !failed && phase != Phase::Complete),
                ..Progress::default()
            },
            phase,
            revision: None,
            change_cause: None,
            owner: None,
            configurations: Box::default(),
        };
        Ok(Some(Named { namespace: Namespace::new(object.metadata.namespace), name: object.metadata.name, workload }))
    }

    fn template<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        object.pointer(self.template_pointer())
    }

    fn template_pointer(&self) -> &'static str {
        "/spec/template"
    }

    /// Nothing lies in a cluster: it is never asked for.
    fn children(&self) -> Children {
        Children { api: self.api(), metadata_only: true }
    }

    fn revisions(&self, _uid: &str, _children: Vec<Child>) -> Vec<Revision> {
        Vec::new()
    }

    fn history(&self, _object: &Value, _owned: &[Value]) -> Vec<Past> {
        Vec::new()
    }

    fn undo(&self, _object: &Value, _past: &Past) -> Undo {
        Undo { operations: Vec::new(), annotations: None }
    }

    /// Nothing is patched: what is told to it instead, its configuration says.
    fn pause(&self, _workload: &Workload) -> Option<Pause> {
        None
    }

    fn un_pause(&self, _object: &Value, _was: Option<&str>) -> Option<Pause> {
        None
    }

    fn stands_still(&self, object: &Value) -> Option<Still> {
        let paused = object.pointer("/spec/paused").and_then(Value::as_bool)?;
        paused.then(|| Still {
            code: "paused",
            why: "is paused there: it would stand still".to_owned(),
            hint: "resume it first (U, or where it was paused)".to_owned(),
        })
    }

    fn pod_label(&self) -> &'static str {
        ""
    }

    fn selector(&self, _object: &Value) -> Option<String> {
        None
    }
}
