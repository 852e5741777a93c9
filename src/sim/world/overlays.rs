//! Versions that stand in a repository: what its files say at the start, and what becomes of them in the regions.
//!
//! The repository itself is a real one, outside of the simulation: whoever keeps it brings here what it holds.

use serde_json::Value;

use super::fleet::World;
use super::layout::{EDGE, image, version_of};
use crate::sim::resources::DEPLOYMENTS;
use crate::sim::store::{Part, Writer};

/// Where the tag stands in each file, as a configuration names it.
pub const POINTER: &str = "/images/0/newTag";
/// Each file, as a configuration names it.
pub const PATH: &str = "{{service}}/{{region}}/kustomization.yaml";
/// Field manager of what brings files to clusters.
const SYNCER: &str = "git-syncer";

/// A file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Its service.
    pub service: String,
    /// Its region.
    pub region: String,
    /// Where it is, from the repository's root.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl World {
    /// Every file of the repository, as what runs now has it.
    #[must_use]
    pub fn overlays(&self) -> Vec<Overlay> {
        let mut out = Vec::new();
        for cluster in self.clusters.iter().filter(|cluster| cluster.name != EDGE) {
            for name in self.layout.services.iter().map(|service| service.name.as_str()) {
                let Some(object) = cluster.store.get(&DEPLOYMENTS, name, name) else { continue };
                let Some(tag) = runs(&object).map(version_of) else { continue };
                let region = &cluster.name;
                let text = format!(
                    "# What runs in {region}: one commit changes it.\n\
                     apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../base]\n\n\
                     images:\n  - name: registry.example/{name}\n    newTag: {tag} # by gonogo\n"
                );
                let path = PATH.replace("{{service}}", name).replace("{{region}}", region);
                out.push(Overlay { service: name.to_owned(), region: region.clone(), path, text });
            }
        }
        out
    }

    /// Brings what a file says to its region; whether that was another version than runs.
    pub fn bring(&mut self, overlay: &Overlay) -> bool {
        let said: Option<Value> = serde_saphyr::from_str(&overlay.text).ok();
        let tag = said.as_ref().and_then(|said| said.pointer(POINTER)).and_then(Value::as_str);
        let cluster = self.cluster(&overlay.region).and_then(|index| self.clusters.get(index));
        let (Some(tag), Some(cluster)) = (tag, cluster) else { return false };
        let name = &overlay.service;
        let there = cluster.store.get(&DEPLOYMENTS, name, name);
        let wanted = image(name, tag);
        if there.as_deref().and_then(runs).is_none_or(|runs| runs == wanted) {
            return false;
        }
        let change = |object: &mut Value| {
            if let Some(slot) = object.pointer_mut(IMAGE) {
                *slot = wanted.clone().into();
            }
            Ok(())
        };
        cluster.store.modify(&DEPLOYMENTS, name, name, Part::Main, &Writer::named(SYNCER), change).is_ok()
    }
}

const IMAGE: &str = "/spec/template/spec/containers/0/image";

fn runs(deployment: &Value) -> Option<&str> {
    deployment.pointer(IMAGE).and_then(Value::as_str)
}
