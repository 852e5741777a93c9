//! Who would put an object back, by its marks.

use std::collections::BTreeMap;

use crate::domain::text::safe;
use crate::domain::workload::{Owner, OwnerTool};

/// Who would put the object back: marks of Argo CD, Flux and Helm.
pub(crate) fn owner_of(
    labels: Option<&BTreeMap<String, String>>,
    annotations: Option<&BTreeMap<String, String>>,
) -> Option<Owner> {
    let label = |key: &str| labels.and_then(|l| l.get(key));
    let annotation = |key: &str| annotations.and_then(|a| a.get(key));
    let owner = |tool, name: &str| Some(Owner { tool, name: safe(name, 120).into() });
    if let Some(id) = annotation("argocd.argoproj.io/tracking-id") {
        return owner(OwnerTool::ArgoCd, id.split(':').next().unwrap_or(id));
    }
    if let Some(name) = label("argocd.argoproj.io/instance") {
        return owner(OwnerTool::ArgoCd, name);
    }
    if let Some(name) = label("kustomize.toolkit.fluxcd.io/name").or_else(|| label("helm.toolkit.fluxcd.io/name")) {
        return owner(OwnerTool::Flux, name);
    }
    if label("app.kubernetes.io/managed-by").is_some_and(|m| m == "Helm") {
        return owner(OwnerTool::Helm, annotation("meta.helm.sh/release-name").map_or("?", |n| n));
    }
    None
}
