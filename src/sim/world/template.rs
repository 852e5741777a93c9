//! Pod templates of services, with their hashes: made once, used for every object that has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::layout::{CONTAINER, image};
use crate::sim::controllers::deployment::without_hash;
use crate::sim::controllers::hash::template_hash;

/// One pod template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// The version it runs.
    pub version: Arc<str>,
    /// The template, whole, with the API's defaults.
    pub value: Value,
    /// Its `pod-template-hash`.
    pub hash: Arc<str>,
    /// SHA-256 of its canonical form: what the record calls a template digest.
    pub digest: String,
}

/// All templates that were asked for.
#[derive(Debug, Default)]
pub struct Templates {
    /// Large fleets have lean templates that are the same in every region: ten thousand
    /// complete ones are a hundred megabytes that nobody reads.
    lean: bool,
    known: BTreeMap<(String, String, String), Arc<Template>>,
}

impl Templates {
    /// An empty collection.
    #[must_use]
    pub fn new(lean: bool) -> Self {
        Self { lean, known: BTreeMap::new() }
    }

    /// The template of a service's version in a region.
    pub fn get(&mut self, service: &str, region: &str, version: &str) -> Arc<Template> {
        let place = if self.lean { "" } else { region };
        let key = (service.to_owned(), place.to_owned(), version.to_owned());
        let lean = self.lean;
        Arc::clone(self.known.entry(key).or_insert_with(|| Arc::new(make(service, region, version, lean))))
    }
}

fn make(service: &str, region: &str, version: &str, lean: bool) -> Template {
    let mut container = json!({
        "name": CONTAINER,
        "image": image(service, version),
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    });
    if let Some(container) = container.as_object_mut().filter(|_| !lean) {
        container
            .insert("env".into(), json!([{"name": "REGION", "value": region}, {"name": "LOG_LEVEL", "value": "info"}]));
        container.insert("ports".into(), json!([{"name": "http", "containerPort": 8080, "protocol": "TCP"}]));
        let probe = json!({
            "httpGet": {"path": "/healthz", "port": "http", "scheme": "HTTP"},
            "periodSeconds": 2, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3,
        });
        container.insert("readinessProbe".into(), probe);
        let resources = json!({
            "requests": {"cpu": "1", "memory": "768Mi"},
            "limits": {"cpu": "2", "memory": "1Gi"},
        });
        container.insert("resources".into(), resources);
    }
    let value = json!({
        "metadata": {"labels": {"app": service}},
        "spec": {
            "containers": [container],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        },
    });
    let hash = template_hash(&value).as_str().into();
    let digest = Sha256::digest(without_hash(&value).to_string().as_bytes());
    let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Template { version: version.into(), value, hash, digest }
}
