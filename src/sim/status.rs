//! What an API server answers when it refuses: a `Status` object with code and reason.

use std::fmt;

use serde_json::{Value, json};

use super::resources::Resource;

/// One entry of `details.causes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Machine-readable, such as `FieldValueInvalid`.
    pub reason: &'static str,
    /// What is wrong, without the field's name.
    pub message: String,
    /// The path, such as `spec.replicas`; empty where none applies.
    pub field: String,
}

impl Cause {
    /// A bad value: `Invalid value: "x": why`.
    pub fn invalid(field: impl Into<String>, value: &Value, why: impl fmt::Display) -> Self {
        let message = format!("Invalid value: {}: {why}", shown(value));
        Self { reason: "FieldValueInvalid", message, field: field.into() }
    }

    /// A value that must be there: `Required value` and why, if anything is to be said.
    pub fn required(field: impl Into<String>, why: &str) -> Self {
        let message = if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
        Self { reason: "FieldValueRequired", message, field: field.into() }
    }

    /// A value that may not be given or changed: `Forbidden: why`.
    pub fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self { reason: "FieldValueForbidden", message: format!("Forbidden: {why}"), field: field.into() }
    }

    /// A value outside the closed list of allowed ones.
    pub fn unsupported(field: impl Into<String>, value: &Value, allowed: &[&str]) -> Self {
        let allowed: Vec<String> = allowed.iter().map(|a| format!("{a:?}")).collect();
        let message = format!("Unsupported value: {}: supported values: {}", shown(value), allowed.join(", "));
        Self { reason: "FieldValueNotSupported", message, field: field.into() }
    }

    /// A value of another type than the schema of a CRD wants.
    pub fn wrong_type(field: impl Into<String>, value: &Value, wanted: &str) -> Self {
        let have = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(n) if n.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let field = field.into();
        let message = format!("Invalid value: {have:?}: {field} in body must be of type {wanted}: {have:?}");
        Self { reason: "FieldValueTypeInvalid", message, field }
    }

    /// As `kubectl` and the message of the Status show it: `field: message`.
    fn line(&self) -> String {
        if self.field.is_empty() { self.message.clone() } else { format!("{}: {}", self.field, self.message) }
    }
}

/// A value as Go's `%q`/`%v` would show it inside a cause: strings quoted, the rest as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

/// A value as Go's `%v` prints it.
pub fn in_go(value: &Value) -> String {
    let listed = |parts: Vec<String>| parts.join(" ");
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", listed(list.iter().map(in_go).collect())),
        Value::Object(map) => {
            // Go prints maps by key.
            let sorted: std::collections::BTreeMap<_, _> = map.iter().collect();
            format!("map[{}]", listed(sorted.into_iter().map(|(k, v)| format!("{k}:{}", in_go(v))).collect()))
        }
        other => other.to_string(),
    }
}

/// A refusal. Becomes a `Status` object on the wire, except `PlainNotFound`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message} ({code} {reason})")]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// `Status.reason`.
    pub reason: &'static str,
    /// `Status.message`.
    pub message: String,
    /// `Status.details`, absent where the real server sends none.
    pub details: Option<Box<Details>>,
    /// True where a real server answers in plain text (`404 page not found`).
    pub plain: bool,
}

/// `Status.details`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// The object's name.
    pub name: String,
    /// The API group; empty for core.
    pub group: String,
    /// The resource's plural, or for validation failures the kind.
    pub kind: String,
    /// The object's uid, where known.
    pub uid: String,
    /// What exactly is wrong.
    pub causes: Vec<Cause>,
    /// Seconds after which to try again; 0 = not said.
    pub retry_after: u32,
}

impl ApiError {
    /// A refusal without details.
    pub fn bare(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, plain: false }
    }

    fn about(code: u16, reason: &'static str, resource: &Resource, name: &str, message: String) -> Self {
        let details = Details {
            name: name.to_owned(),
            group: resource.group.to_owned(),
            kind: resource.plural.to_owned(),
            ..Details::default()
        };
        Self { code, reason, message, details: Some(Box::new(details)), plain: false }
    }

    /// 404: the object does not exist.
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} {name:?} not found", resource.qualified());
        Self::about(404, "NotFound", resource, name, message)
    }

    /// 404 of a path that no handler serves: text, not a Status.
    pub fn no_such_path() -> Self {
        Self { plain: true, ..Self::bare(404, "NotFound", "404 page not found\n") }
    }

    /// 409: a POST for a name that is taken.
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", resource.qualified());
        Self::about(409, "AlreadyExists", resource, name, message)
    }

    /// 409: the resourceVersion or uid given is not the stored one.
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} {name:?}: {why}", resource.qualified());
        Self::about(409, "Conflict", resource, name, message)
    }

    /// 409 in the words of a stale resourceVersion.
    pub fn stale(resource: &Resource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 422 with causes.
    pub fn invalid(resource: &Resource, name: &str, causes: Vec<Cause>) -> Self {
        Self::invalid_kind(resource.group, resource.kind, name, causes)
    }

    /// 422 with causes, about something of this group and kind. The message says each cause
    /// once, the list of causes as often as it was found.
    pub fn invalid_kind(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for line in causes.iter().map(Cause::line) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let listed = match lines.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let details = Details {
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
            causes,
            ..Details::default()
        };
        let kind = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        Self {
            code: 422,
            reason: "Invalid",
            message: format!("{kind} {name:?} is invalid: {listed}"),
            details: Some(Box::new(details)),
            plain: false,
        }
    }

    /// 422 without causes: a JSON patch whose `test` failed or whose path does not exist.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        let mut error = Self::bare(422, "Invalid", message);
        error.details = Some(Box::default());
        error
    }

    /// 422 about a request's options, such as `PatchOptions`.
    pub fn bad_options(kind: &str, causes: Vec<Cause>) -> Self {
        Self::invalid_kind("meta.k8s.io", kind, "", causes)
    }

    /// 500 in the words of whatever failed inside, without a reason.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::bare(500, "", message)
    }

    /// 404 of a path in a group that is served: a Status that names nothing.
    pub fn no_such_resource() -> Self {
        let mut error = Self::bare(404, "NotFound", "the server could not find the requested resource");
        error.details = Some(Box::default());
        error
    }

    /// 415 of a patch of no known type.
    pub fn unsupported_patch() -> Self {
        let mut error = Self::bare(415, "UnsupportedMediaType", "415: Unsupported Media Type");
        error.details = Some(Box::default());
        error
    }

    /// 409: a deletion's precondition does not hold.
    pub fn precondition(resource: &Resource, name: &str, why: &str) -> Self {
        let kind = resource.kind;
        let named = if resource.group.is_empty() { kind.to_owned() } else { format!("{kind}.{}", resource.group) };
        let message = format!("Operation cannot be fulfilled on {named} {name:?}: {why}");
        let mut error = Self::about(409, "Conflict", resource, name, message);
        if let Some(details) = &mut error.details {
            details.kind = kind.to_owned();
        }
        error
    }

    /// 504: the resourceVersion asked for is not there yet.
    pub fn too_large(asked: u64, current: u64) -> Self {
        let cause = Cause {
            reason: "ResourceVersionTooLarge",
            message: "Too large resource version".to_owned(),
            field: String::new(),
        };
        let details = Details { causes: vec![cause], retry_after: 1, ..Details::default() };
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        Self { details: Some(Box::new(details)), ..Self::bare(504, "Timeout", message) }
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::bare(400, "BadRequest", message)
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        let mut error = Self::bare(405, "MethodNotAllowed", message);
        error.details = Some(Box::default());
        error
    }

    /// 410: the revision asked for is no longer in the history.
    pub fn expired(requested: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {requested} ({oldest})");
        Self::bare(410, "Expired", message)
    }

    /// 403 with the API server's words and the object's details.
    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        let message = if name.is_empty() {
            format!("{} is forbidden: {why}", resource.qualified())
        } else {
            format!("{} {name:?} is forbidden: {why}", resource.qualified())
        };
        Self::about(403, "Forbidden", resource, name, message)
    }

    /// 429 with a Retry-After.
    pub fn too_many_requests(seconds: u32) -> Self {
        let message = "the server has received too many requests and has asked us to try again later";
        let mut error = Self::bare(429, "TooManyRequests", message);
        error.details = Some(Box::new(Details { retry_after: seconds, ..Details::default() }));
        error
    }

    /// The causes, if any.
    pub fn causes(&self) -> &[Cause] {
        self.details.as_deref().map_or(&[], |d| d.causes.as_slice())
    }

    /// The `Status` object.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if let (false, Some(map)) = (self.reason.is_empty(), status.as_object_mut()) {
            map.insert("reason".to_owned(), self.reason.into());
        }
        if let (Some(details), Some(map)) = (&self.details, status.as_object_mut()) {
            map.insert("details".to_owned(), details.to_value());
        }
        status
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut out = serde_json::Map::new();
        for (key, text) in [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)] {
            if !text.is_empty() {
                out.insert(key.to_owned(), Value::String(text.clone()));
            }
        }
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(|cause| {
                let given =
                    [("reason", cause.reason), ("message", cause.message.as_str()), ("field", cause.field.as_str())];
                let entry = given.into_iter().filter(|(_, text)| !text.is_empty());
                Value::Object(entry.map(|(k, v)| (k.to_owned(), v.into())).collect())
            });
            out.insert("causes".to_owned(), causes.collect());
        }
        if self.retry_after > 0 {
            out.insert("retryAfterSeconds".to_owned(), self.retry_after.into());
        }
        Value::Object(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::resources::{DEPLOYMENTS, PODS};
    use super::*;

    #[test]
    fn messages_are_the_api_servers() {
        assert_eq!(ApiError::not_found(&DEPLOYMENTS, "web").message, "deployments.apps \"web\" not found");
        assert_eq!(ApiError::not_found(&PODS, "a").message, "pods \"a\" not found");
        let one = Cause::invalid("spec.replicas", &json!(-1), "must be greater than or equal to 0");
        assert_eq!(
            ApiError::invalid(&DEPLOYMENTS, "web", vec![one]).message,
            "Deployment.apps \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
        );
    }

    #[test]
    fn a_failed_test_has_details_without_causes() {
        let status = ApiError::unprocessable("the server rejected our request").to_status();
        assert_eq!(status.pointer("/code"), Some(&json!(422)));
        assert_eq!(status.pointer("/details/causes"), None);
    }
}
