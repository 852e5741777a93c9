//! SelfSubjectReview, SelfSubjectAccessReview and SelfSubjectRulesReview.

use http::Method;
use serde_json::{Value, json};

use super::super::clock::rfc3339;
use super::super::status::ApiError;
use super::ApiServer;
use super::access::Attempt;
use super::path::ObjectPath;
use super::serve::{Call, Reply};
use super::write::read_object;

/// Answers a review; None where the path is not one.
pub(super) fn answer(server: &ApiServer, call: &Call, path: &ObjectPath) -> Result<Option<Reply>, ApiError> {
    let review = match (path.group.as_str(), path.version.as_str(), path.plural.as_str()) {
        ("authentication.k8s.io", "v1", "selfsubjectreviews") => who_am_i,
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews") => can_i,
        ("authorization.k8s.io", "v1", "selfsubjectrulesreviews") => rules,
        _ => return Ok(None),
    };
    if call.method != Method::POST || !path.name.is_empty() {
        return Err(ApiError::method_not_allowed());
    }
    let asked = read_object(call)?;
    Ok(Some(Reply::value(201, &review(server, call, &asked))))
}

fn who_am_i(server: &ApiServer, call: &Call, _: &Value) -> Value {
    let now = rfc3339(server.store().clock().now());
    json!({
        "kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": now},
        "status": {"userInfo": {"username": call.user.name, "groups": call.user.all_groups()}},
    })
}

fn can_i(server: &ApiServer, call: &Call, asked: &Value) -> Value {
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
    let reason = if allowed { "RBAC: allowed by the simulation's grants" } else { "" };
    json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
        "spec": asked.get("spec").cloned().unwrap_or_else(|| json!({})),
        "status": {"allowed": allowed, "reason": reason},
    })
}

fn rules(server: &ApiServer, call: &Call, asked: &Value) -> Value {
    let namespace = asked.pointer("/spec/namespace").and_then(Value::as_str).unwrap_or("");
    let mut rules = server.access().rules(&call.user, namespace);
    rules.push(json!({"verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]}));
    rules.push(json!({"verbs": ["create"], "apiGroups": ["authentication.k8s.io"],
        "resources": ["selfsubjectreviews"]}));
    json!({
        "kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
        "spec": {},
        "status": {"resourceRules": rules, "incomplete": false, "nonResourceRules": [
            {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz",
                "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"]}]},
    })
}
