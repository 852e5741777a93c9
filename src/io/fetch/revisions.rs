//! Revisions of a workload, by its ReplicaSets or ControllerRevisions.

use super::object::{object, pages, parse};
use crate::domain::change::ObjectRef;
use crate::domain::fleet::Region;
use crate::domain::link::LostReason;
use crate::domain::workload::Revision;
use crate::io::connect::Access;
use crate::kinds::{self, Child, WorkloadKind};

/// Only metadata: a ReplicaSet holds a whole pod template that we do not need.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// Revisions of a region's workload, newest first; none where the workload is absent.
pub async fn revisions(access: &Access, region: &Region) -> Result<Vec<Revision>, LostReason> {
    let Some(found) = workload(access, region).await? else { return Ok(Vec::new()) };
    let children = found.kind.children();
    let accept = if children.metadata_only { METADATA_ONLY } else { "application/json" };
    let mut all: Vec<Child> = Vec::new();
    let query = format!("labelSelector={}", crate::io::watch::escaped(&found.selector));
    pages(access, &children.api, &region.workload.namespace, &query, accept, |item| {
        all.push(parse(item.get().as_bytes())?);
        Ok(())
    })
    .await?;
    Ok(found.kind.revisions(&found.uid, all))
}

/// What lists about a workload need of it.
pub(super) struct Found {
    pub(super) kind: &'static dyn WorkloadKind,
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
    Ok(kind.selector(&full).map(|selector| Found { kind, uid, selector }))
}
