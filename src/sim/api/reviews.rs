//! SelfSubjectReview, SelfSubjectAccessReview and SelfSubjectRulesReview.

use http::Method;
use serde_json::{Value, json};

use super::super::clock::rfc3339;
use super::super::status::{ApiError, Cause};
use super::ApiServer;
use super::access::Attempt;
use super::path::ObjectPath;
use super::serve::{Call, Reply};
use super::write::read_object;

/// Answers a review; None where the path is not one.
pub(super) fn answer(server: &ApiServer, call: &Call, path: &ObjectPath) -> Result<Option<Reply>, ApiError> {
    type Review = fn(&ApiServer, &Call, &Value) -> Result<Value, ApiError>;
    let (kind, review): (_, Review) = match (path.group.as_str(), path.version.as_str(), path.plural.as_str()) {
        ("authentication.k8s.io", "v1", "selfsubjectreviews") => ("SelfSubjectReview", who_am_i),
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews") => ("SelfSubjectAccessReview", can_i),
        ("authorization.k8s.io", "v1", "selfsubjectrulesreviews") => ("SelfSubjectRulesReview", rules),
        _ => return Ok(None),
    };
    if call.method != Method::POST || !path.name.is_empty() {
        return Err(ApiError::method_not_allowed());
    }
    let asked = read_object(call, kind)?;
    Ok(Some(Reply::value(201, &review(server, call, &asked)?)))
}

fn who_am_i(server: &ApiServer, call: &Call, _: &Value) -> Result<Value, ApiError> {
    let now = rfc3339(server.store().clock().now());
    Ok(json!({
        "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": now},
        "status": {"userInfo": {"username": call.user.name, "groups": call.user.all_groups()}},
    }))
}

fn can_i(server: &ApiServer, call: &Call, asked: &Value) -> Result<Value, ApiError> {
    let given = |key: &str| asked.pointer(&format!("/spec/{key}")).cloned();
    let (why, field, value) = match (given("resourceAttributes"), given("nonResourceAttributes")) {
        (None, None) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            (why, "spec.resourceAttributes", Some(Value::Null))
        }
        (Some(_), Some(both)) => {
            ("cannot be specified in combination with resourceAttributes", "spec.nonResourceAttributes", Some(both))
        }
        _ => ("", "", None),
    };
    if let Some(value) = value {
        let cause = Cause::invalid(field, &value, why);
        return Err(ApiError::invalid_kind("authorization.k8s.io", "", "", vec![cause]));
    }
    let text = |key: &str| {
        let found = asked.pointer(&format!("/spec/resourceAttributes/{key}"));
        found.and_then(Value::as_str).unwrap_or("").to_owned()
    };
    let access = server.access();
    let allowed = if asked.pointer("/spec/resourceAttributes").is_some() {
        let (resource, part) = (text("resource"), text("subresource"));
        let attempt = Attempt {
            verb: text("verb"),
            group: text("group"),
            resource: if part.is_empty() { resource } else { format!("{resource}/{part}") },
            namespace: text("namespace"),
            name: text("name"),
        };
        access.allows(&call.user, &attempt)
    } else {
        let at = |key: &str| {
            let found = asked.pointer(&format!("/spec/nonResourceAttributes/{key}"));
            found.and_then(Value::as_str).unwrap_or("").to_owned()
        };
        access.authorize_path(&call.user, &at("path"), &at("verb")).is_ok()
    };
    let status = if allowed {
        json!({"allowed": true, "reason": "RBAC: allowed by the simulation's grants"})
    } else {
        json!({"allowed": false})
    };
    let mut spec = asked.get("spec").cloned().unwrap_or_else(|| json!({}));
    for attributes in spec.as_object_mut().into_iter().flat_map(|map| map.values_mut()) {
        if let Some(map) = attributes.as_object_mut() {
            map.retain(|_, value| value.as_str() != Some(""));
        }
    }
    Ok(json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
        "spec": spec, "status": status,
    }))
}

fn rules(server: &ApiServer, call: &Call, asked: &Value) -> Result<Value, ApiError> {
    let namespace = asked.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or("");
    let mut rules = server.access().rules(&call.user, namespace);
    rules.push(json!({"verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]}));
    rules.push(json!({"verbs": ["create"], "apiGroups": ["authentication.k8s.io"],
        "resources": ["selfsubjectreviews"]}));
    Ok(json!({
        "kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
        "spec": {},
        "status": {"resourceRules": rules, "incomplete": false, "nonResourceRules": [
            {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz",
                "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"]}]},
    }))
}
