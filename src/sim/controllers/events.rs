//! Events as the controllers record them (core/v1).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::hash::fnv;
use super::stamp;

/// What an Event is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// `apps/v1`.
    pub api_version: &'a str,
    /// `Deployment`.
    pub kind: &'a str,
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// uid.
    pub uid: &'a str,
}

/// What is told.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// `Normal` or `Warning`.
    pub warning: bool,
    /// One word.
    pub reason: &'a str,
    /// One sentence.
    pub message: &'a str,
    /// `deployment-controller`, `kubelet` …
    pub component: &'a str,
}

/// The Event; its name follows from what it says and when.
#[must_use]
pub fn event(about: About<'_>, telling: Telling<'_>, at: Timestamp) -> Value {
    let seed = fnv(format!("{}{}{}{}", about.uid, telling.reason, telling.message, at).as_bytes());
    json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("{}.{seed:016x}", about.name), "namespace": about.namespace},
        "involvedObject": {
            "apiVersion": about.api_version, "kind": about.kind, "namespace": about.namespace,
            "name": about.name, "uid": about.uid,
        },
        "type": if telling.warning { "Warning" } else { "Normal" },
        "reason": telling.reason, "message": telling.message,
        "source": {"component": telling.component},
        "reportingComponent": telling.component, "reportingInstance": "",
        "firstTimestamp": stamp(at), "lastTimestamp": stamp(at), "eventTime": null, "count": 1,
    })
}
