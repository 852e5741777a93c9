//! `/scale`: autoscaling/v1 Scale over a workload's replicas.

use http::Method;
use serde_json::{Value, json};

use super::super::resources::Resource;
use super::super::status::{ApiError, Cause};
use super::super::store::Part;
use super::ApiServer;
use super::options;
use super::path::ObjectPath;
use super::serve::{Call, Reply};
use super::write::{admit, read_object, read_patch, writer};

/// Answers get, put and patch.
pub(super) fn answer(
    server: &ApiServer,
    call: &mut Call,
    resource: &'static Resource,
    path: &ObjectPath,
) -> Result<Reply, ApiError> {
    let store = server.store();
    let Some(current) = store.get(resource, &path.namespace, &path.name) else {
        return Err(ApiError::not_found(resource, &path.name));
    };
    if call.method == Method::GET {
        return Ok(Reply::value(200, &scale_of(&current)));
    }
    let dry = options::of_write(call)?;
    let wish = match call.method {
        Method::PUT => Wish::Put(read_object(call, "Scale")?),
        Method::PATCH => Wish::Patch(read_patch(call, resource.custom)?),
        _ => return Err(ApiError::method_not_allowed()),
    };
    let by = writer(call, dry);
    let done = store.modify(resource, &path.namespace, &path.name, Part::Scale, &by, |current| {
        let old = current.clone();
        let mut scale = scale_of(current);
        match &wish {
            Wish::Put(object) => {
                let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
                let have = current.pointer("/metadata/resourceVersion").and_then(Value::as_str);
                if version.is_some_and(|given| !given.is_empty() && Some(given) != have) {
                    return Err(ApiError::stale(resource, &path.name));
                }
                scale.clone_from(object);
            }
            Wish::Patch(patch) => patch.apply(&mut scale, "Scale")?,
        }
        let replicas = scale.pointer("/spec/replicas").cloned().unwrap_or(json!(0));
        if replicas.as_i64().is_none_or(|n| n < 0) {
            let why = "must be greater than or equal to 0";
            let cause = Cause::invalid("spec.replicas", &replicas, why);
            return Err(ApiError::invalid_kind("autoscaling", "Scale", &path.name, vec![cause]));
        }
        if let Some(spec) = current.get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("replicas".to_owned(), replicas);
        }
        // Rules on `deployments/scale` look at the Scale, as webhooks do.
        admit(server, call, path, ("UPDATE", dry), Some(&scale_of(&old)), &scale_of(current))
    })?;
    Ok(Reply::value(200, &scale_of(&done)))
}

enum Wish {
    Put(Value),
    Patch(super::write::Patch),
}

/// The Scale of a workload.
fn scale_of(object: &Value) -> Value {
    let at = |pointer: &str| object.pointer(pointer).cloned().unwrap_or(Value::Null);
    let labels = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    let selector: Vec<String> = labels.map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or(""))).collect();
    let count = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": at("/metadata/name"), "namespace": at("/metadata/namespace"),
            "uid": at("/metadata/uid"), "resourceVersion": at("/metadata/resourceVersion"),
            "creationTimestamp": at("/metadata/creationTimestamp"),
        },
        "spec": {"replicas": count("/spec/replicas")},
        "status": {"replicas": count("/status/replicas"), "selector": selector.join(",")},
    })
}
