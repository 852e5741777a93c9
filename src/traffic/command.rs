//! `command`: weights that a command or an endpoint reports, read from JSON of one small form. No API server holds
//! them; what is reported is put into an object, so that everything that reads routes does the same with it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{BackendName, NamedRoute, RouteError, Sharing, TrafficProvider};
use crate::domain::change::{ApiType, pointer_key, replace, test};
use crate::domain::fleet::RouteRef;
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::text::{is_hostile, safe};
use crate::domain::workload::{Backend, Route};

/// What is steered by commands.
pub struct Command;

/// The form that is read.
const SCHEMA: u32 = 1;
/// More backends than any service has regions.
const MOST: usize = 1_000;

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Object {
    metadata: Metadata,
    spec: Report,
}

#[derive(Deserialize)]
struct Metadata {
    namespace: String,
    name: Text,
    uid: String,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Report {
    schema: u32,
    weights: BTreeMap<String, u32>,
    #[serde(default)]
    message: Option<String>,
}

impl Report {
    fn check(self) -> Result<Self, String> {
        if self.schema != SCHEMA {
            return Err(format!("its schema is {}, and this program reads {SCHEMA}", self.schema));
        }
        let bad = |name: &String| name.is_empty() || name.len() > 253 || name.chars().any(is_hostile);
        if self.weights.len() > MOST || self.weights.keys().any(bad) {
            return Err("it has too many backends, or one whose name is none".to_owned());
        }
        Ok(self)
    }
}

/// The object that a report becomes; `uid` names what reported.
///
/// # Errors
/// Why the report cannot be read, in words.
pub fn reported(namespace: &str, name: &str, uid: &str, report: &[u8]) -> Result<Value, String> {
    let read: Report = serde_json::from_slice(report).map_err(|e| safe(&e.to_string(), 200))?;
    let read = read.check()?;
    Ok(json!({
        "apiVersion": "gonogo/v1",
        "kind": "Steering",
        "metadata": {"namespace": namespace, "name": name, "uid": uid},
        "spec": {"schema": read.schema, "weights": read.weights, "message": read.message},
    }))
}

impl TrafficProvider for Command {
    fn name(&self) -> &'static str {
        "command"
    }

    fn api(&self) -> ApiType {
        ApiType::new("gonogo", "v1", "steerings", "Steering")
    }

    fn is_in_cluster(&self) -> bool {
        false
    }

    fn backends(&self) -> BackendName {
        BackendName::SetIdentifier
    }

    fn sharing(&self) -> Sharing {
        Sharing::Rule
    }

    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError> {
        let fail = |why: String| RouteError(format!("cannot be read as weights: {why}"));
        let object: Object = serde_json::from_slice(object).map_err(|e| fail(safe(&e.to_string(), 200)))?;
        let report = object.spec.check().map_err(fail)?;
        let backends =
            report.weights.iter().map(|(name, weight)| Backend { name: name.as_str().into(), weight: *weight });
        let trouble = report.message.filter(|m| !m.trim().is_empty()).map(|m| Text::from(safe(&m, 300)));
        let route = Route::of(Uid::new(object.metadata.uid), vec![backends.collect()], None, trouble);
        Ok(NamedRoute { namespace: Namespace::new(object.metadata.namespace), name: object.metadata.name, route })
    }

    /// Nothing is patched: these say what the report is to show, and that the backend is one of it.
    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError> {
        let RouteRef { name: of, backend, .. } = route;
        let weights =
            object.pointer("/spec/weights").filter(|w| w.get(&**backend).is_some()).filter(|_| route.rule == 0);
        let Some(weights) = weights else {
            return Err(RouteError(format!("what steers {of} reports no backend {backend}")));
        };
        let uid = object.pointer("/metadata/uid").cloned().unwrap_or(Value::Null);
        let path = format!("/spec/weights/{}", pointer_key(backend));
        Ok(vec![test("/metadata/uid", uid), test("/spec/weights", weights.clone()), replace(path, weight.into())])
    }
}
