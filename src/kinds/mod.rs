//! Workload kinds, each a pure translator in a file of its own, listed in one table.

use serde_json::Value;

use crate::domain::change::ApiType;
use crate::domain::fleet::VersionFrom;
use crate::domain::id::{Namespace, Text};
use crate::domain::version::TemplateDigest;
use crate::domain::workload::Workload;

mod deployment;

pub(crate) use deployment::owner_of;
pub use deployment::{Deployment, undo_annotations};

/// Every workload kind.
pub const KINDS: &[&dyn WorkloadKind] = &[&Deployment];

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

    /// Reads one object, given what the configuration wants of it.
    ///
    /// `wanted` says how an object is to be read, or that nobody asks for it; the
    /// answer is then none.
    fn read(&self, object: &[u8], wanted: &dyn Fn(&str, &str) -> Option<ReadHow>) -> Result<Option<Named>, ReadError>;

    /// The pod template inside a full object.
    fn template<'a>(&self, object: &'a Value) -> Option<&'a Value>;

    /// Pointer of the pod template, for `test` operations.
    fn template_pointer(&self) -> &'static str;

    /// Operations that pause or un-pause; none where the kind has no such thing.
    fn pause(&self, paused: bool) -> Option<Vec<Value>>;

    /// Rollout revisions of a full object's owned history, newest first, for an undo.
    fn history(&self, object: &Value, owned: &[Value]) -> Vec<Past>;

    /// Label selector of a full object, as text.
    fn selector(&self, object: &Value) -> Option<String>;
}

/// How an object is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadHow {
    /// Container whose image counts.
    pub container: Text,
    /// Where the version is.
    pub version_from: VersionFrom,
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
