//! ReplicaSets of a workload, by their metadata only.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::object::{object, pages, parse};
use crate::domain::change::{ApiType, ObjectRef};
use crate::domain::fleet::Region;
use crate::domain::id::Text;
use crate::domain::link::LostReason;
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::domain::workload::Revision;
use crate::io::connect::Access;
use crate::kinds;

/// Only metadata: a ReplicaSet holds a whole pod template that we do not need.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

#[derive(Deserialize)]
struct Item {
    metadata: Meta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: Text,
    #[serde(default)]
    creation_timestamp: Option<Timestamp>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    owner_references: Option<Vec<Owner>>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    controller: Option<bool>,
}

/// Revisions of a region's workload, newest first; none where the workload is absent.
pub async fn revisions(access: &Access, region: &Region) -> Result<Vec<Revision>, LostReason> {
    let Some(found) = workload(access, region).await? else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    let query = format!("labelSelector={}", crate::io::watch::escaped(&found.selector));
    pages(access, &ApiType::replica_set(), &region.workload.namespace, &query, METADATA_ONLY, |item| {
        all.extend(revision(parse(item.get().as_bytes())?, &found.uid));
        Ok(())
    })
    .await?;
    all.sort_by_key(|r| std::cmp::Reverse(r.number));
    Ok(all)
}

/// What lists about a workload need of it.
pub(super) struct Found {
    pub(super) uid: String,
    pub(super) selector: String,
}

/// The workload's uid and selector; none: absent, or a kind without a selector.
pub(super) async fn workload(access: &Access, region: &Region) -> Result<Option<Found>, LostReason> {
    let Some(kind) = kinds::kind(&region.workload.kind) else { return Ok(None) };
    let of = ObjectRef {
        cluster: region.cluster,
        api: kind.api(),
        namespace: region.workload.namespace.clone(),
        name: region.workload.name.clone(),
    };
    let Some(full) = object(access, &of).await? else { return Ok(None) };
    let uid = full.pointer("/metadata/uid").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    Ok(kind.selector(&full).map(|selector| Found { uid, selector }))
}

/// One revision; a ReplicaSet of another owner, or without a number, is none.
fn revision(item: Item, owner: &str) -> Option<Revision> {
    let meta = item.metadata;
    let owners = meta.owner_references.unwrap_or_default();
    if !owners.iter().any(|o| o.controller == Some(true) && o.uid == owner) {
        return None;
    }
    let annotation = |name: &str| meta.annotations.as_ref().and_then(|a| a.get(name));
    Some(Revision {
        name: safe(&meta.name, 253).into(),
        number: annotation("deployment.kubernetes.io/revision")?.parse().ok()?,
        hash: safe(meta.labels.as_ref()?.get("pod-template-hash")?, 63).into(),
        created: meta.creation_timestamp,
        reused: annotation("deployment.kubernetes.io/revision-history").is_some_and(|h| !h.is_empty()),
        cause: annotation("kubernetes.io/change-cause").map(|c| safe(c, 300).into()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn item(text: &str) -> Item {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_revision_is_read_from_metadata_and_only_of_its_owner() {
        let text = r#"{"metadata":{"name":"web-7d","creationTimestamp":"2026-11-20T10:00:00Z",
            "labels":{"pod-template-hash":"7d"},
            "annotations":{"deployment.kubernetes.io/revision":"4","kubernetes.io/change-cause":"v2\u001b"},
            "ownerReferences":[{"uid":"u1","controller":true}]}}"#;
        let read = revision(item(text), "u1").unwrap();
        assert_eq!((read.number, &*read.hash, read.reused), (4, "7d", false));
        assert_eq!(read.cause.as_deref(), Some("v2␛"));
        assert_eq!(revision(item(text), "u2"), None);
        let none = text.replace("\"4\"", "\"four\"");
        assert_eq!(revision(item(&none), "u1"), None);
    }
}
