//! ControllerRevisions: how the controllers of StatefulSets and DaemonSets number their templates.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::hash::template_hash;
use super::view::{Meta, ReplicaSet, Status, StringMap};

/// Label by which pods of one revision are told from those of another.
pub const REVISION_HASH: &str = "controller-revision-hash";

/// A ControllerRevision.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Metadata.
    pub meta: Meta,
    /// Its number.
    pub number: i64,
    /// The pod template that it keeps.
    pub template: Value,
}

/// Whose revisions these are.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// `StatefulSet` or `DaemonSet`.
    pub kind: &'static str,
    /// Its metadata.
    pub meta: &'a Meta,
    /// Its present template.
    pub template: &'a Value,
}

/// What must be written so that the present template has the highest number.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbering {
    /// It has it.
    Newest(Revision),
    /// It ran before: that one gets a new number.
    Again(Revision),
    /// It never ran: a new one is made, as an object too.
    New(Revision, Value),
}

impl Revision {
    /// Reads a ControllerRevision; none when it keeps no template.
    #[must_use]
    pub fn read(object: &Value) -> Option<Self> {
        let meta = serde_json::from_value(object.get("metadata")?.clone()).ok()?;
        let mut template = object.pointer("/data/spec/template")?.clone();
        template.as_object_mut()?.remove("$patch");
        Some(Self { meta, number: object.get("revision")?.as_i64()?, template })
    }

    /// What its pods are made of, as a ReplicaSet would have it; they carry `hash` as label.
    #[must_use]
    pub fn pods_of(&self, hash: &str, min_ready_seconds: i64) -> ReplicaSet {
        let mut template = self.template.clone();
        let labels = template.get_mut("metadata").and_then(|m| m.get_mut("labels")).and_then(Value::as_object_mut);
        if let Some(labels) = labels {
            labels.insert(REVISION_HASH.into(), hash.into());
        }
        let status = Status::default();
        ReplicaSet { meta: self.meta.clone(), replicas: 0, template, min_ready_seconds, status }
    }
}

/// Gives the owner's template its number among the revisions it owns.
#[must_use]
pub fn number(owner: Owner<'_>, own: &[Revision], now: Timestamp) -> Numbering {
    let last = own.iter().map(|r| r.number).max().unwrap_or(0);
    match own.iter().filter(|r| r.template == *owner.template).max_by_key(|r| r.number) {
        Some(found) if found.number == last => Numbering::Newest(found.clone()),
        Some(found) => Numbering::Again(Revision { number: last + 1, ..found.clone() }),
        None => {
            let object = new_object(owner, last + 1);
            let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let meta = Meta {
                name,
                namespace: owner.meta.namespace.clone(),
                creation_timestamp: Some(now),
                ..Meta::default()
            };
            Numbering::New(Revision { meta, number: last + 1, template: owner.template.clone() }, object)
        }
    }
}

fn new_object(owner: Owner<'_>, number: i64) -> Value {
    let hash = template_hash(owner.template);
    let labels = owner.template.pointer("/metadata/labels").and_then(Value::as_object).cloned();
    let mut labels = labels.unwrap_or_default();
    let key = if owner.kind == "DaemonSet" { REVISION_HASH } else { "controller.kubernetes.io/hash" };
    labels.insert(key.into(), hash.clone().into());
    let mut template = owner.template.clone();
    if let Some(template) = template.as_object_mut() {
        template.insert("$patch".into(), "replace".into());
    }
    let annotations: &StringMap = &owner.meta.annotations;
    json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": format!("{}-{hash}", owner.meta.name),
            "namespace": owner.meta.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": owner.kind, "name": owner.meta.name, "uid": owner.meta.uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "data": {"spec": {"template": template}},
        "revision": number,
    })
}

/// Names of the oldest revisions beyond the limit that nothing runs.
#[must_use]
pub fn surplus(own: &[Revision], live: &[&str], limit: i64) -> Vec<String> {
    let mut idle: Vec<&Revision> = own.iter().filter(|r| !live.contains(&r.meta.name.as_str())).collect();
    idle.sort_by_key(|r| r.number);
    let keep = usize::try_from(limit).unwrap_or(0);
    let over = idle.len().saturating_sub(keep);
    idle.into_iter().take(over).map(|r| r.meta.name.clone()).collect()
}
