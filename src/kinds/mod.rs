//! Workload kinds, each a pure translator in a file of its own, listed in one table.

use std::sync::Arc;

use serde_json::Value;

use crate::domain::change::ApiType;
use crate::domain::fleet::{CarryPath, CarryStep, VersionFrom};
use crate::domain::id::{Namespace, Text};
use crate::domain::plan::{DiffLine, Expectation};
use crate::domain::version::TemplateDigest;
use crate::domain::workload::{Revision, Workload};

mod children;
mod controller_revision;
mod daemon_set;
mod deployment;
mod metadata;
mod owner;
mod pipeline;
mod rollout;
mod selector;
mod stateful_set;
mod template;

pub use children::{Child, Children};
pub use daemon_set::DaemonSet;
pub use deployment::{Deployment, undo_annotations};
pub(crate) use metadata::Metadata;
pub use pipeline::{Pipeline, reported};
pub use rollout::Rollout;
pub use stateful_set::StatefulSet;

/// Every workload kind.
pub const KINDS: &[&dyn WorkloadKind] = &[&Deployment, &StatefulSet, &DaemonSet, &Rollout, &Pipeline];

/// A kind by its name in the configuration.
pub fn kind(name: &str) -> Option<&'static dyn WorkloadKind> {
    KINDS.iter().copied().find(|k| k.name() == name)
}

/// Reads an object into our words, and writes a step as an exact change.
pub trait WorkloadKind: Sync {
    /// Its name in the configuration, e.g. `Deployment`.
    fn name(&self) -> &'static str;

    /// Its API type.
    fn api(&self) -> ApiType;

    /// Whether an API server holds it: it is watched, its past and its pods are listed.
    fn is_in_cluster(&self) -> bool {
        true
    }

    /// Reads one object, given what the configuration wants of it.
    ///
    /// `wanted` says how an object is to be read, or that nobody asks for it; the
    /// answer is then none.
    fn read(&self, object: &[u8], wanted: &dyn Fn(&str, &str) -> Option<ReadHow>) -> Result<Option<Named>, ReadError>;

    /// The pod template inside a full object.
    fn template<'a>(&self, object: &'a Value) -> Option<&'a Value>;

    /// Digest of what this full object runs or is to run; none: it has no template.
    fn digest(&self, object: &Value) -> Option<TemplateDigest> {
        self.template(object).map(TemplateDigest::of)
    }

    /// Pointer of the pod template, for `test` operations.
    fn template_pointer(&self) -> &'static str;

    /// The objects that prove what ran before: ReplicaSets or ControllerRevisions.
    fn children(&self) -> Children;

    /// Revisions told by children, newest first; those of another owner than `uid` are none.
    fn revisions(&self, uid: &str, children: Vec<Child>) -> Vec<Revision>;

    /// Rollout revisions of a full object's owned history, newest first, for an undo.
    fn history(&self, object: &Value, owned: &[Value]) -> Vec<Past>;

    /// Puts a past revision's template back, as `kubectl rollout undo` does.
    fn undo(&self, object: &Value, past: &Past) -> Undo;

    /// Stops a rollout, from what is known without a read; none where the kind has no such thing.
    ///
    /// The operations test what the controller calls the newest template: a pause that was meant for one
    /// rollout must not freeze another, such as the rollback that began since.
    fn pause(&self, workload: &Workload) -> Option<Pause>;

    /// Takes a pause back; `was` is what [`Pause::was`] said. None where the object is not paused.
    fn un_pause(&self, object: &Value, was: Option<&str>) -> Option<Pause>;

    /// Why a new template would not roll out on this full object by itself; none: it would.
    fn stands_still(&self, object: &Value) -> Option<Still>;

    /// What remains to be let through where this full object has its newest template already: the next
    /// step of a ramp. None: nothing.
    ///
    /// # Errors
    /// Why that step cannot be taken yet.
    fn let_through(&self, _object: &Value) -> Result<Option<Turn>, Still> {
        Ok(None)
    }

    /// The same without what it would wait for on its way: an override.
    ///
    /// # Errors
    /// Why that cannot be done.
    fn let_all_through(&self, object: &Value) -> Result<Option<Turn>, Still> {
        self.let_through(object)
    }

    /// Gives up what is in flight on this full object by its controller; none: only its template goes back.
    fn abort(&self, _object: &Value) -> Option<Turn> {
        None
    }

    /// Where the template of this full object is kept, if not in it; none: in it.
    fn elsewhere(&self, _object: &Value) -> Option<Still> {
        None
    }

    /// The template that the controller calls good, by the children of this full object; none: it does not say.
    fn known_good(&self, _object: &Value, _owned: &[Value]) -> Option<TemplateDigest> {
        None
    }

    /// Why a past revision is no way back for this full object; none: it is one.
    fn is_no_way_back(&self, _object: &Value, _owned: &[Value], _to: &Past) -> Option<String> {
        None
    }

    /// What a person must know of the way from this full object back to that template; none: nothing.
    fn on_way_back(&self, _object: &Value, _owned: &[Value], _to: &Value) -> Option<WayBack> {
        None
    }

    /// What a person should know before this full object gets another template; none: nothing.
    fn before_promotion(&self, _object: &Value) -> Option<String> {
        None
    }

    /// What is to be seen once this full object, with this template, has rolled out.
    fn settles(&self, _object: &Value, template: TemplateDigest) -> Expectation {
        Expectation::Settled(template)
    }

    /// What a person must know before this full object goes back to another template; none: nothing.
    fn before_undo(&self, _object: &Value) -> Option<String> {
        None
    }

    /// Label by which pods of one template are told from those of another.
    fn pod_label(&self) -> &'static str;

    /// Label selector of a full object, as text.
    fn selector(&self, object: &Value) -> Option<String>;
}

/// Operations with the lines they are shown as, and what must be remembered to take them back.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// JSON patch operations.
    pub operations: Vec<Value>,
    /// How they are shown.
    pub diff: Vec<DiffLine>,
    /// The value they replace, where it is not told by itself.
    pub was: Option<Text>,
}

impl Pause {
    /// One field gets another value.
    fn of(field: &str, operations: Vec<Value>, from: Option<Value>, to: Value) -> Self {
        let diff = vec![DiffLine { field: field.into(), from, to: Some(to) }];
        Self { operations, diff, was: None }
    }
}

/// How a rollout goes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayBack {
    /// Without the steps that lead forward.
    pub at_once: bool,
    /// In words.
    pub text: String,
}

/// The next turn of a rollout that goes step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// What it does, in a few words.
    pub label: String,
    /// JSON patch operations.
    pub operations: Vec<Value>,
    /// How they are shown.
    pub diff: Vec<DiffLine>,
    /// They are for the status: sent to the subresource, and to the object where it has none.
    pub is_status: bool,
    /// What must be seen afterwards.
    pub expect: Expectation,
    /// What a person must have seen before; follows the region's name.
    pub warning: Option<String>,
    /// It goes past what was to be waited for: an override.
    pub overrides: bool,
}

impl Turn {
    fn new(label: String, operations: Vec<Value>, diff: Vec<DiffLine>, expect: Expectation) -> Self {
        Self { label, operations, diff, is_status: false, expect, warning: None, overrides: false }
    }
}

/// Why a workload takes nothing new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Still {
    /// e.g. `paused`, `on-delete` or `not-ready`.
    pub code: &'static str,
    /// The fact, to follow the region's name.
    pub why: String,
    /// What to do.
    pub hint: String,
}

/// How a past revision is put back.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// JSON patch operations.
    pub operations: Vec<Value>,
    /// The object's annotations afterwards; none: they stay, and the change cause says who did it.
    pub annotations: Option<serde_json::Map<String, Value>>,
}

/// How an object is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadHow {
    /// Container whose image counts.
    pub container: Text,
    /// Where the version is.
    pub version_from: VersionFrom,
    /// For each digest of the configuration: what is left out of the template, besides the image.
    pub left_out: Arc<[Vec<CarryPath>]>,
}

/// Digests of a template without the image and what may differ, as `how` wants them.
pub(crate) fn configurations(template: &Value, how: &ReadHow) -> Box<[TemplateDigest]> {
    let digest = |paths: &Vec<CarryPath>| {
        let mut object = serde_json::json!({"spec": {"template": template}});
        let containers = object.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            if container.get("name").and_then(Value::as_str) == Some(&*how.container)
                && let Some(container) = container.as_object_mut()
            {
                container.remove("image");
            }
        }
        for path in paths {
            remove(&mut object, &path.0);
        }
        TemplateDigest::of(object.pointer("/spec/template").unwrap_or(&Value::Null))
    };
    how.left_out.iter().map(digest).collect()
}

/// Takes a field out, if it is there.
fn remove(value: &mut Value, path: &[CarryStep]) {
    let Some((step, rest)) = path.split_first() else { return };
    match (step, value) {
        (CarryStep::Key(key), Value::Object(map)) if rest.is_empty() => drop(map.remove(&**key)),
        (CarryStep::Key(key), Value::Object(map)) => {
            if let Some(below) = map.get_mut(&**key) {
                remove(below, rest);
            }
        }
        (CarryStep::Named { field, value: name }, Value::Array(list)) => {
            let is = |item: &Value| item.get(&**field).and_then(Value::as_str) == Some(&**name);
            if rest.is_empty() {
                list.retain(|item| !is(item));
            } else {
                list.iter_mut().filter(|item| is(item)).for_each(|item| remove(item, rest));
            }
        }
        _ => {}
    }
}

/// A workload with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Namespace.
    pub namespace: Namespace,
    /// Name.
    pub name: Text,
    /// The workload.
    pub workload: Workload,
}

/// A past revision that may be returned to.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// Revision number.
    pub number: u64,
    /// Its template, without the hash label.
    pub template: Value,
    /// Digest of the template.
    pub digest: TemplateDigest,
    /// Its annotations, for kubectl's annotation rules.
    pub annotations: serde_json::Map<String, Value>,
    /// `kubernetes.io/change-cause`.
    pub cause: Option<Text>,
}

/// Why an object cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot be read as {kind}: {why}")]
pub struct ReadError {
    /// The kind that was expected.
    pub kind: &'static str,
    /// What is wrong, made visible.
    pub why: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn template(image: &str, args: &str, region: &str) -> Value {
        json!({"spec": {"containers": [
            {"name": "proxy", "image": "proxy:1"},
            {"name": "web", "image": image, "args": [args], "env": [{"name": "REGION", "value": region}, {"name": "A", "value": "1"}]},
        ]}})
    }

    #[test]
    fn a_configuration_is_the_template_without_what_may_differ() {
        let path = |text: &str| CarryPath::parse(text).unwrap();
        let web = "/spec/template/spec/containers[name=web]";
        let how = ReadHow {
            container: "web".into(),
            version_from: VersionFrom::Image,
            left_out: vec![vec![], vec![path(&format!("{web}/args")), path(&format!("{web}/env[name=REGION]"))]].into(),
        };
        let of = |image, args, region| configurations(&template(image, args, region), &how).into_vec();
        let (a, b) = (of("web:1", "--x", "eu"), of("web:2", "--y", "us"));
        assert_eq!(a.len(), 2);
        assert_ne!(a.first(), b.first(), "args and environment differ");
        assert_eq!(a.last(), b.last(), "beyond them nothing does");
        assert_eq!(of("web:1", "--x", "eu"), of("web:9", "--x", "eu"), "the image is no configuration");
        let other = configurations(&json!({"spec": {"containers": [{"name": "proxy", "image": "proxy:2"}]}}), &how);
        assert_ne!(other.last(), a.last());
    }
}
