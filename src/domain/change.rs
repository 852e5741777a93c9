//! One write, exactly: data that the executor sends as it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::id::{ClusterIx, Namespace, Text};
use super::outside::Outside;
use super::version::sha256_hex;

/// A resource type of the Kubernetes API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiType {
    /// API group; empty for core.
    pub group: Text,
    /// Version.
    pub version: Text,
    /// Plural name in paths.
    pub plural: Text,
    /// Kind.
    pub kind: Text,
}

impl ApiType {
    /// A type from its four names.
    pub fn new(group: &str, version: &str, plural: &str, kind: &str) -> Self {
        Self { group: group.into(), version: version.into(), plural: plural.into(), kind: kind.into() }
    }
    /// ConfigMaps, which hold the record.
    pub fn config_map() -> Self {
        Self::new("", "v1", "configmaps", "ConfigMap")
    }
    /// `apps/v1` or `v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_string() } else { format!("{}/{}", self.group, self.version) }
    }
    /// Path of one object, or of the collection when `name` is empty.
    pub fn path(&self, namespace: &str, name: &str, subresource: Option<&str>) -> String {
        let root = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        let mut path = format!("{root}/namespaces/{namespace}/{}", self.plural);
        for part in [Some(name).filter(|n| !n.is_empty()), subresource].into_iter().flatten() {
            path.push('/');
            path.push_str(part);
        }
        path
    }
}

/// An object of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Which cluster.
    pub cluster: ClusterIx,
    /// Which type.
    pub api: ApiType,
    /// Namespace.
    pub namespace: Namespace,
    /// Name.
    pub name: Text,
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.api.kind, self.namespace, self.name)
    }
}

/// One write. A closed set: what is not here cannot be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// PATCH of an object.
    Patch {
        /// The object.
        object: ObjectRef,
        /// Which kind of patch.
        kind: PatchKind,
        /// `status`, `scale`, or the object itself.
        subresource: Option<Text>,
        /// The body.
        body: Value,
    },
    /// POST of a new object.
    Create {
        /// The object.
        object: ObjectRef,
        /// The body.
        body: Value,
    },
    /// Something that no API server takes: a commit, a program, an HTTP request.
    Outside(Outside),
}

/// The patch types of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PatchKind {
    /// RFC 6902; carries its own preconditions as `test` operations.
    Json,
    /// RFC 7386.
    Merge,
}

impl PatchKind {
    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            PatchKind::Json => "application/json-patch+json",
            PatchKind::Merge => "application/merge-patch+json",
        }
    }
}

impl Change {
    /// The object that is written; none: it goes past the clusters.
    pub fn object(&self) -> Option<&ObjectRef> {
        match self {
            Change::Patch { object, .. } | Change::Create { object, .. } => Some(object),
            Change::Outside(_) => None,
        }
    }
    /// The cluster that is written to; none: it goes past the clusters.
    pub fn cluster(&self) -> Option<ClusterIx> {
        self.object().map(|o| o.cluster)
    }
    /// What is written, for people: an object, a file of a repository, a command, an endpoint.
    pub fn subject(&self) -> String {
        match self {
            Change::Patch { object, .. } | Change::Create { object, .. } => object.to_string(),
            Change::Outside(outside) => outside.to_string(),
        }
    }
    /// Whether sending it a second time changes nothing beyond the first: a merge patch names only
    /// its own keys; a JSON patch that tests what it replaces says the same or is refused.
    pub fn is_safe_twice(&self) -> bool {
        match self {
            Change::Patch { kind: PatchKind::Merge, .. } => true,
            Change::Patch { kind: PatchKind::Json, body, .. } => body
                .as_array()
                .is_some_and(|ops| ops.iter().any(|o| o.get("op").and_then(Value::as_str) == Some("test"))),
            Change::Create { .. } => false,
            // A scalar is written only where it has its old value; what a program or an endpoint does twice,
            // nobody knows.
            Change::Outside(outside) => matches!(outside, Outside::Git(_)),
        }
    }
    /// HTTP method, or what stands for it.
    pub fn method(&self) -> &str {
        match self {
            Change::Patch { .. } => "PATCH",
            Change::Create { .. } => "POST",
            Change::Outside(outside) => outside.method(),
        }
    }
    /// Path without query, or what stands for it.
    pub fn path(&self) -> String {
        match self {
            Change::Patch { object, subresource, .. } => {
                object.api.path(object.namespace.as_str(), &object.name, subresource.as_deref())
            }
            Change::Create { object, .. } => object.api.path(object.namespace.as_str(), "", None),
            Change::Outside(outside) => outside.path(),
        }
    }
    /// Media type of the body.
    pub fn content_type(&self) -> &'static str {
        match self {
            Change::Patch { kind, .. } => kind.content_type(),
            Change::Create { .. } => "application/json",
            Change::Outside(outside) => outside.content_type(),
        }
    }
    /// The exact bytes that are sent.
    pub fn body(&self) -> Vec<u8> {
        match self {
            // A JSON value always prints: its keys are strings.
            Change::Patch { body, .. } | Change::Create { body, .. } => serde_json::to_vec(body).unwrap_or_default(),
            Change::Outside(outside) => outside.body(),
        }
    }
    /// SHA-256 of the exact bytes.
    pub fn body_sha256(&self) -> String {
        sha256_hex(&self.body())
    }
}

/// Escapes one key for a JSON pointer (RFC 6901).
pub fn pointer_key(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A `test` operation of a JSON patch.
pub fn test(path: impl Into<String>, value: Value) -> Value {
    serde_json::json!({"op": "test", "path": path.into(), "value": value})
}

/// A `replace` operation; on objects the API server also takes it for a missing key.
pub fn replace(path: impl Into<String>, value: Value) -> Value {
    serde_json::json!({"op": "replace", "path": path.into(), "value": value})
}

/// An `add` operation.
pub fn add(path: impl Into<String>, value: Value) -> Value {
    serde_json::json!({"op": "add", "path": path.into(), "value": value})
}
