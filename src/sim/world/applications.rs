//! Applications of Argo CD on the edge cluster: one look at one, and what it brings into the regions.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::cluster::Key;
use super::fleet::{Due, World};
use super::layout::{EDGE, Layout, Region, Service, image};
use super::tick::{annotate, put};
use crate::sim::controllers::application::{self, Live, commit, look};
use crate::sim::controllers::{after, stamp};
use crate::sim::resources::{APPLICATIONS, DEPLOYMENTS};
use crate::sim::scenario::DeliverySettings;
use crate::sim::store::{Change, Part, Writer};

/// Namespace of the Applications.
pub const NAMESPACE: &str = "argocd";
/// Field manager of Argo CD's controller.
const ARGO_CD: &str = "argocd-controller";
/// How long it takes to notice a change.
const NOTICE: SignedDuration = SignedDuration::from_millis(500);

/// Name of the Application that brings a service to a region.
#[must_use]
pub fn name(service: &str, region: &str) -> String {
    format!("{service}-{region}")
}

/// The Application that has brought `version`, at rest.
#[must_use]
pub fn application(
    service: &Service,
    region: &Region,
    version: &str,
    settings: DeliverySettings,
    since: Timestamp,
) -> Value {
    let source = json!({
        "repoURL": "https://git.example/shop.git", "path": format!("{}/overlays/{}", service.name, region.name),
        "targetRevision": version,
    });
    let mut policy = json!({"syncOptions": ["CreateNamespace=true"]});
    if settings.automated {
        put(&mut policy, "automated", json!({"prune": true, "selfHeal": settings.self_heal}));
    }
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": name(&service.name, &region.name), "namespace": NAMESPACE,
            "labels": {"app": service.name, "region": region.name}},
        "spec": {
            "project": "default", "source": source, "syncPolicy": policy,
            "destination": {"name": region.name, "namespace": service.name},
        },
        "status": {
            "sync": {"status": "Synced", "revision": commit(version)},
            "health": {"status": "Healthy"},
            "history": [{
                "id": 0, "revision": commit(version), "deployedAt": stamp(since), "deployStartedAt": stamp(since),
                "source": source, "initiatedBy": {"automated": settings.automated},
            }],
            "operationState": {
                "phase": "Succeeded", "message": "successfully synced (all tasks run)",
                "operation": {"initiatedBy": {"automated": settings.automated}, "sync": {"revision": commit(version)}},
                "startedAt": stamp(since), "finishedAt": stamp(since),
                "syncResult": {"revision": commit(version), "resources": []},
            },
        },
    })
}

/// A Deployment with the mark of the Application that brings it.
#[must_use]
pub fn tracked(mut object: Value, region: &Region) -> Value {
    let name_of = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let id = format!("{}:apps/Deployment:{name_of}/{name_of}", name(&name_of, &region.name));
    annotate(&mut object, &[("argocd.argoproj.io/tracking-id".to_owned(), id)].into());
    object
}

/// What a revision of the repository holds: a version's tag, or its commit.
fn image_of(layout: &Layout, service: &str, revision: &str) -> Option<String> {
    let is_version =
        |text: &str| text.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if is_version(revision) {
        return Some(image(service, revision));
    }
    let release = &layout.service(service)?.release;
    let known = [&release.before, &release.from, &release.to];
    known.into_iter().find(|version| commit(version) == revision).map(|version| image(service, version))
}

impl World {
    /// An Application was written, or what one brings.
    pub(super) fn application_concerned(&mut self, index: usize, change: &Change, now: Timestamp) {
        let at = after(now, NOTICE);
        if change.resource.is(&APPLICATIONS) {
            if Some(index) == self.edge() {
                self.look_at_application(&(change.stored.namespace().into(), change.stored.name().into()), at);
            }
            return;
        }
        if self.scenario.delivery.is_none() {
            return;
        }
        let Some(region) = self.clusters.get(index).map(|cluster| cluster.name.clone()) else { return };
        let brings = |app: &Value| {
            let text = |pointer: &str| app.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            text("/spec/destination/name") == region
                && text("/spec/destination/namespace") == change.stored.namespace()
                && change.stored.name() == change.stored.namespace()
        };
        let Some(edge) = self.edge().and_then(|edge| self.clusters.get(edge)) else { return };
        let key = |app: &Value| -> Option<Key> {
            let text = |pointer: &str| app.pointer(pointer).and_then(Value::as_str);
            Some((text("/metadata/namespace")?.into(), text("/metadata/name")?.into()))
        };
        let concerned = edge.store.list(&APPLICATIONS, None);
        let concerned: Vec<Key> = concerned.iter().filter(|app| brings(app)).filter_map(|app| key(app)).collect();
        for key in concerned {
            self.look_at_application(&key, at);
        }
    }

    /// Looks at an Application at `at`, if not earlier anyway.
    pub(super) fn look_at_application(&mut self, key: &Key, at: Timestamp) {
        let due = self.applications.get(key).copied();
        if due.is_none_or(|due| at < due) {
            self.applications.insert(key.clone(), at);
            self.at(at, Due::Application(key.clone()));
        }
    }

    /// One look at one Application: everything that Argo CD would do now.
    pub(super) fn tick_application(&mut self, key: &Key, at: Timestamp) {
        if self.applications.get(key) != Some(&at) {
            return;
        }
        self.applications.remove(key);
        let Some(edge) = self.edge().and_then(|edge| self.clusters.get(edge)) else { return };
        let Some(object) = edge.store.get(&APPLICATIONS, &key.0, &key.1) else { return };
        let skips = object.pointer("/metadata/annotations").and_then(|a| a.get("argocd.argoproj.io/skip-reconcile"));
        if skips.and_then(Value::as_str) == Some("true") {
            return;
        }
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (region, service) = (text("/spec/destination/name"), text("/spec/destination/namespace"));
        let there = self.cluster(&region).and_then(|index| self.clusters.get(index)).filter(|c| c.name != EDGE);
        let deployment = there.and_then(|c| c.store.get(&DEPLOYMENTS, &service, &service));
        let image = deployment.as_deref().and_then(|d| d.pointer("/spec/template/spec/containers/0/image"));
        let live = Live {
            image: image.and_then(Value::as_str).map(str::to_owned),
            health: application::health(deployment.as_deref()),
        };
        let layout = &self.layout;
        let repository = |revision: &str| image_of(layout, &service, revision);
        let looked = look(&object, &live, &repository, at);
        if let (Some(image), Some(there)) = (&looked.apply, there) {
            let change = |object: &mut Value| {
                if let Some(slot) = object.pointer_mut("/spec/template/spec/containers/0/image") {
                    *slot = image.clone().into();
                }
                Ok(())
            };
            // A Deployment that somebody deleted is not made anew: the simulation's repository holds images only.
            let writer = Writer::named(ARGO_CD);
            let _ = there.store.modify(&DEPLOYMENTS, &service, &service, Part::Main, &writer, change);
        }
        let change = |object: &mut Value| {
            put(object, "status", looked.status.clone());
            if let Some(map) = object.as_object_mut()
                && looked.ended
            {
                map.remove("operation");
            }
            if let Some(begun) = &looked.begun {
                put(object, "operation", begun.clone());
            }
            Ok(())
        };
        let is_new = object.get("status") != Some(&looked.status) || looked.ended || looked.begun.is_some();
        if is_new && let Some(edge) = self.edge().and_then(|edge| self.clusters.get(edge)) {
            // Deleted in between: then there is nothing to write to.
            let _ = edge.store.modify(&APPLICATIONS, &key.0, &key.1, Part::Main, &Writer::named(ARGO_CD), change);
        }
        if let Some(wake) = looked.wake {
            self.look_at_application(key, wake);
        }
    }
}
