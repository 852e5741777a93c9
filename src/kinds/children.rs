//! The objects that prove what ran before: ReplicaSets and ControllerRevisions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::Past;
use crate::domain::change::ApiType;
use crate::domain::id::Text;
use crate::domain::stamp::Timestamp;

/// Annotation that says why.
pub(super) const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// What to list for the history of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Children {
    /// Their type.
    pub api: ApiType,
    /// Their metadata tells all that a list of revisions needs, so only that is asked for.
    pub metadata_only: bool,
}

/// One of them, as far as a list of revisions needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Child {
    /// Its metadata.
    pub metadata: Meta,
    /// `revision` of a ControllerRevision.
    #[serde(default)]
    pub revision: Option<i64>,
}

/// Metadata of a child.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Name.
    pub name: Text,
    /// When it was made.
    #[serde(default)]
    pub creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    owner_references: Option<Vec<Owner>>,
}

#[derive(Clone, Debug, Deserialize)]
struct Owner {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    controller: Option<bool>,
}

impl Meta {
    /// Whether the object of this uid controls it.
    pub fn controlled_by(&self, uid: &str) -> bool {
        let is = |o: &Owner| o.controller == Some(true) && o.uid == uid;
        self.owner_references.as_deref().unwrap_or_default().iter().any(is)
    }

    /// A label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.as_ref()?.get(name).map(String::as_str)
    }

    /// An annotation.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }
}

/// The past of a full object by its full children, newest first; those of other owners are left out.
pub(super) fn history(object: &Value, owned: &[Value], past: fn(&Value) -> Option<Past>) -> Vec<Past> {
    let uid = object.pointer("/metadata/uid");
    let is_owned = |child: &&Value| {
        child.pointer("/metadata/ownerReferences").and_then(Value::as_array).is_some_and(|owners| {
            owners.iter().any(|o| o.get("controller") == Some(&Value::Bool(true)) && o.get("uid") == uid)
        })
    };
    let mut past: Vec<Past> = owned.iter().filter(is_owned).filter_map(past).collect();
    past.sort_by_key(|p| std::cmp::Reverse(p.number));
    past
}
