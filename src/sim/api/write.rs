//! Create, replace, patch and delete.

use std::sync::Arc;

use http::{Method, header};
use serde_json::{Value, json};

use super::super::patch::{self, json::JsonPatchError};
use super::super::resources::Resource;
use super::super::schema::{self, Shape};
use super::super::status::{ApiError, Cause, Details};
use super::super::store::{DeleteOptions, Part, Propagation, Stored, Writer, events};
use super::ApiServer;
use super::admission::{self, Review};
use super::apply;
use super::duplicates;
use super::path::ObjectPath;
use super::protobuf;
use super::represent;
use super::selector::Selector;
use super::serve::{Call, Reply};

/// Routes a write on an object or its status.
pub(super) fn answer(
    server: &ApiServer,
    call: &mut Call,
    resource: &'static Resource,
    path: &ObjectPath,
) -> Result<Reply, ApiError> {
    let dry_run = dry_run(call)?;
    let collection = path.name.is_empty();
    match call.method {
        Method::POST if collection => create(server, call, resource, path, dry_run),
        Method::PUT if !collection => replace(server, call, resource, path, dry_run),
        Method::PATCH if !collection => patch(server, call, resource, path, dry_run),
        Method::DELETE if path.subresource.is_empty() => delete(server, call, resource, path, dry_run),
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// Whether this is a dry run; the only value there is is `All`.
pub(super) fn dry_run(call: &Call) -> Result<bool, ApiError> {
    let mut any = false;
    for value in call.query.all("dryRun") {
        if value != "All" {
            let given = Value::String(value.to_owned());
            let cause = Cause::unsupported("dryRun", &given, &["All"]);
            let message = format!("WriteOptions.meta.k8s.io \"\" is invalid: dryRun: {}", cause.message);
            let details = Details {
                group: "meta.k8s.io".to_owned(),
                kind: "WriteOptions".to_owned(),
                causes: vec![cause],
                ..Details::default()
            };
            return Err(ApiError { details: Some(Box::new(details)), ..ApiError::bare(422, "Invalid", message) });
        }
        any = true;
    }
    Ok(any)
}

/// The writer of a request: its field manager, or its User-Agent up to the slash.
pub(super) fn writer(call: &Call, dry_run: bool) -> Writer {
    let given = call.query.get("fieldManager");
    let agent = call.header(header::USER_AGENT).split('/').next().unwrap_or("");
    let name = match (given, agent) {
        ("", "") => "unknown",
        ("", agent) => agent,
        (given, _) => given,
    };
    Writer::named(name.chars().take(128).collect::<String>()).dry(dry_run)
}

/// Reads a JSON (or YAML) object from the body.
pub(super) fn read_object(call: &Call) -> Result<Value, ApiError> {
    match call.content_type() {
        "" | "application/json" => serde_json::from_slice(&call.body).map_err(|error| {
            let why = format!("couldn't get version/kind; json parse error: {error}");
            ApiError::bad_request(format!("the object provided is unrecognized: {why}"))
        }),
        "application/yaml" | "application/x-yaml" => read_yaml(&call.body),
        protobuf::MEDIA_TYPE => protobuf::decode(&call.body).ok_or_else(unsupported_media),
        _ => Err(unsupported_media()),
    }
}

/// Reads a YAML document as JSON.
pub(super) fn read_yaml(body: &[u8]) -> Result<Value, ApiError> {
    serde_saphyr::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("error converting YAML to JSON: {error}")))
}

fn unsupported_media() -> ApiError {
    let message = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml";
    let mut error = ApiError::bare(415, "UnsupportedMediaType", message);
    error.details = Some(Box::default());
    error
}

/// Checks an object that came in a body against where it was sent.
pub(super) fn place(resource: &Resource, path: &ObjectPath, object: &mut Value) -> Result<(), ApiError> {
    if !object.is_object() {
        return Err(ApiError::bad_request("the object provided is unrecognized: expected a JSON object"));
    }
    let wanted = [("apiVersion", resource.api_version()), ("kind", resource.kind.to_owned())];
    for (key, value) in wanted {
        let given = object.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        if !given.is_empty() && given != value {
            let what = if key == "kind" { "kind" } else { "API version" };
            return Err(ApiError::bad_request(format!(
                "the {what} in the data ({given}) does not match the expected {what} ({value})"
            )));
        }
    }
    let map = object.as_object_mut();
    let meta = map.map(|map| map.entry("metadata").or_insert_with(|| json!({})));
    let Some(Value::Object(meta)) = meta else {
        return Err(ApiError::bad_request("metadata: expected a JSON object"));
    };
    let text = |key: &str| meta.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let (ns, name) = (text("namespace"), text("name"));
    if resource.namespaced && !ns.is_empty() && ns != path.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if resource.namespaced {
        meta.insert("namespace".to_owned(), path.namespace.clone().into());
    }
    if !path.name.is_empty() && name.is_empty() {
        return Err(ApiError::bad_request("name must be provided"));
    }
    if !path.name.is_empty() && name != path.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            path.name
        )));
    }
    Ok(())
}

/// What `fieldValidation` makes of fields the kind does not have, or that are given twice.
pub(super) fn unknown_fields(call: &mut Call, resource: &Resource, object: &Value) -> Result<(), String> {
    let validation = call.query.get("fieldValidation").to_owned();
    if validation == "Ignore" {
        return Ok(());
    }
    let unknown = schema::decode(resource.kind, &mut object.clone(), true).unknown;
    let mut words: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    if call.content_type() != "application/json-patch+json" {
        words.extend(duplicates::find(&call.body).iter().map(|path| format!("duplicate field {path:?}")));
    }
    if words.is_empty() {
        return Ok(());
    }
    if validation == "Strict" {
        return Err(format!("strict decoding error: {}", words.join(", ")));
    }
    // A patch that is tried again would warn again.
    words.retain(|word| !call.warnings.contains(word));
    call.warnings.extend(words);
    Ok(())
}

pub(super) fn undecodable(resource: &Resource, why: &str) -> ApiError {
    let (kind, version) = (resource.kind, resource.version);
    ApiError::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
}

/// Asks the admission rules.
pub(super) fn admit(
    server: &ApiServer,
    call: &mut Call,
    path: &ObjectPath,
    (operation, dry_run): (&str, bool),
    old: Option<&Value>,
    new: &Value,
) -> Result<(), ApiError> {
    let review = Review { path, operation, user: &call.user, dry_run, old, new };
    admission::admit(&server.admission(), &review, &mut call.warnings)
}

/// A written object, in the form asked for.
pub(super) fn written(
    server: &ApiServer,
    call: &Call,
    resource: &'static Resource,
    code: u16,
    object: Arc<Value>,
) -> Result<Reply, ApiError> {
    let form = represent::wanted(&call.headers, call.query.get("includeObject"))?;
    let now = server.store().clock().now();
    Ok(Reply::json(code, represent::one(resource, form, &Stored::new(object), now)))
}

fn create(
    server: &ApiServer,
    call: &mut Call,
    resource: &'static Resource,
    path: &ObjectPath,
    dry_run: bool,
) -> Result<Reply, ApiError> {
    let mut object = read_object(call)?;
    place(resource, path, &mut object)?;
    unknown_fields(call, resource, &object).map_err(|why| undecodable(resource, &why))?;
    admit(server, call, path, ("CREATE", dry_run), None, &object)?;
    let made = server.store().create(resource, object, &writer(call, dry_run))?;
    written(server, call, resource, 201, made)
}

pub(super) fn part(path: &ObjectPath) -> Part {
    if path.subresource == "status" { Part::Status } else { Part::Main }
}

fn replace(
    server: &ApiServer,
    call: &mut Call,
    resource: &'static Resource,
    path: &ObjectPath,
    dry_run: bool,
) -> Result<Reply, ApiError> {
    let mut object = read_object(call)?;
    place(resource, path, &mut object)?;
    unknown_fields(call, resource, &object).map_err(|why| undecodable(resource, &why))?;
    if resource.view_of.is_some() {
        events::to_core(&mut object);
    }
    let exists = server.store().find(resource, &path.namespace, &path.name).is_some();
    let upsert = matches!(resource.kind, "Lease" | "Event" | "Service");
    if !exists && upsert && path.subresource.is_empty() {
        return create(server, call, resource, path, dry_run);
    }
    let unconditional = !resource.custom && resource.kind != "Lease";
    let versioned = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
    if exists && !unconditional && versioned.is_none_or(str::is_empty) {
        let zero = Value::String("0x0".to_owned());
        let mut cause = Cause::invalid("metadata.resourceVersion", &zero, "must be specified for an update");
        cause.message = cause.message.replace('"', "");
        return Err(ApiError::invalid(resource, &path.name, vec![cause]));
    }
    let by = writer(call, dry_run);
    let done = server.store().modify(resource, &path.namespace, &path.name, part(path), &by, |current| {
        admit(server, call, path, ("UPDATE", dry_run), Some(current), &object)?;
        current.clone_from(&object);
        Ok(())
    })?;
    written(server, call, resource, 200, done)
}

/// How a patch changes an object.
pub(super) enum Patch {
    /// RFC 6902.
    Json(Value),
    /// RFC 7386.
    Merge(Value),
    /// Strategic merge.
    Strategic(Value),
}

/// Reads a patch by its content type. `custom`: strategic patches are not supported.
pub(super) fn read_patch(call: &Call, custom: bool) -> Result<Patch, ApiError> {
    let body = || {
        serde_json::from_slice::<Value>(&call.body)
            .map_err(|error| ApiError::bad_request(format!("error decoding patch: {error}")))
    };
    match call.content_type() {
        "application/json-patch+json" => Ok(Patch::Json(body()?)),
        "application/merge-patch+json" => match body()? {
            object @ Value::Object(_) => Ok(Patch::Merge(object)),
            _ => Err(ApiError::bad_request("error decoding patch: expected a JSON object")),
        },
        "application/strategic-merge-patch+json" if !custom => match body()? {
            object @ Value::Object(_) => Ok(Patch::Strategic(object)),
            _ => Err(ApiError::bad_request("error decoding patch: expected a JSON object")),
        },
        _ => {
            let strategic = if custom { "" } else { ", application/strategic-merge-patch+json" };
            let message = format!(
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json{strategic}, application/apply-patch+yaml"
            );
            let mut error = ApiError::bare(415, "UnsupportedMediaType", message);
            error.details = Some(Box::default());
            Err(error)
        }
    }
}

impl Patch {
    /// Applies the patch to an object of the named kind.
    pub(super) fn apply(&self, object: &mut Value, kind: &'static str) -> Result<(), ApiError> {
        match self {
            Self::Merge(body) => patch::merge::apply(object, body),
            Self::Strategic(body) => {
                patch::strategic::apply(object, body, &Shape::Struct(kind)).map_err(ApiError::bad_request)?
            }
            Self::Json(body) => patch::json::apply(object, body).map_err(|error| match error {
                JsonPatchError::Malformed(why) => ApiError::bad_request(why),
                // The real server keeps the library's words to itself.
                JsonPatchError::Failed(_) => {
                    ApiError::unprocessable("the server rejected our request due to an error in our request")
                }
            })?,
        }
        Ok(())
    }
}

/// A patched object that does not decode: 422 about the patch, as the server words it.
fn bad_patch(object: &Value, why: &str) -> ApiError {
    let cause = Cause::invalid("patch", &Value::String(object.to_string()), why);
    let message = format!(" \"\" is invalid: patch: {}", cause.message);
    let details = Details { causes: vec![cause], ..Details::default() };
    ApiError { details: Some(Box::new(details)), ..ApiError::bare(422, "Invalid", message) }
}

fn patch(
    server: &ApiServer,
    call: &mut Call,
    resource: &'static Resource,
    path: &ObjectPath,
    dry_run: bool,
) -> Result<Reply, ApiError> {
    if call.content_type() == apply::MEDIA_TYPE {
        return apply::answer(server, call, resource, path, dry_run);
    }
    let patch = read_patch(call, resource.custom)?;
    let by = writer(call, dry_run);
    let done = server.store().modify(resource, &path.namespace, &path.name, part(path), &by, |current| {
        let old = current.clone();
        if resource.view_of.is_some() {
            events::to_events_v1(current);
        }
        patch.apply(current, resource.kind)?;
        check_patched(call, resource, path, current)?;
        if resource.view_of.is_some() {
            events::to_core(current);
        }
        admit(server, call, path, ("UPDATE", dry_run), Some(&old), current)
    })?;
    written(server, call, resource, 200, done)
}

fn check_patched(call: &mut Call, resource: &Resource, path: &ObjectPath, object: &mut Value) -> Result<(), ApiError> {
    let decoded = schema::decode(resource.kind, &mut object.clone(), true);
    if let Some(why) = decoded.mismatch {
        return Err(bad_patch(object, &why));
    }
    unknown_fields(call, resource, object).map_err(|why| bad_patch(object, &why))?;
    place(resource, path, object)
}

/// Reads what a DELETE asks for, from body and query.
fn delete_options(call: &Call) -> Result<DeleteOptions, ApiError> {
    let body = if call.body.is_empty() { json!({}) } else { read_object(call)? };
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let policy = text("/propagationPolicy").unwrap_or_else(|| call.query.get("propagationPolicy").to_owned());
    let propagation = match policy.as_str() {
        "Orphan" => Propagation::Orphan,
        "Foreground" => Propagation::Foreground,
        "" | "Background" => Propagation::Background,
        other => {
            let given = Value::String(other.to_owned());
            let allowed = ["Foreground", "Background", "Orphan"];
            let cause = Cause::unsupported("propagationPolicy", &given, &allowed);
            let message = format!("DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: {}", cause.message);
            let details = Details {
                group: "meta.k8s.io".to_owned(),
                kind: "DeleteOptions".to_owned(),
                causes: vec![cause],
                ..Details::default()
            };
            return Err(ApiError { details: Some(Box::new(details)), ..ApiError::bare(422, "Invalid", message) });
        }
    };
    Ok(DeleteOptions {
        uid: text("/preconditions/uid"),
        resource_version: text("/preconditions/resourceVersion"),
        propagation,
    })
}

fn delete(
    server: &ApiServer,
    call: &mut Call,
    resource: &'static Resource,
    path: &ObjectPath,
    dry_run: bool,
) -> Result<Reply, ApiError> {
    let options = delete_options(call)?;
    let body: Value = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
    let dry_run = dry_run || body.get("dryRun") == Some(&json!(["All"]));
    let by = writer(call, dry_run);
    let store = server.store();
    if path.name.is_empty() {
        let query = call.query.clone();
        let selector = Selector::parse(resource, query.get("labelSelector"), query.get("fieldSelector"))?;
        let namespace = (!path.namespace.is_empty()).then_some(path.namespace.as_str());
        let (revision, mut gone) = store.snapshot(resource, namespace);
        gone.retain(|stored| selector.matches(&stored.value));
        for stored in &gone {
            admit(server, call, path, ("DELETE", dry_run), Some(&stored.value), &stored.value)?;
            // Another of these may have owned it: then it is gone already.
            match store.delete(resource, stored.namespace(), stored.name(), &options, &by) {
                Ok(_) => {}
                Err(error) if error.code == 404 => {}
                Err(error) => return Err(error),
            }
        }
        let form = represent::wanted(&call.headers, query.get("includeObject"))?;
        let meta = represent::ListMeta { revision, next: String::new(), remaining: 0 };
        let now = store.clock().now();
        return Ok(Reply::json(200, represent::list(resource, form, &gone, &meta, now)));
    }
    let Some(current) = store.find(resource, &path.namespace, &path.name) else {
        return Err(ApiError::not_found(resource, &path.name));
    };
    admit(server, call, path, ("DELETE", dry_run), Some(&current.value), &current.value)?;
    let gone = store.delete(resource, &path.namespace, &path.name, &options, &by)?;
    if matches!(resource.kind, "Pod" | "Namespace" | "Service") || gone.pointer("/metadata/finalizers").is_some() {
        return written(server, call, resource, 200, gone);
    }
    let mut details = json!({"name": path.name, "kind": resource.plural, "uid": current.meta("uid")});
    if let (false, Some(map)) = (resource.group.is_empty(), details.as_object_mut()) {
        map.insert("group".to_owned(), resource.group.into());
    }
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
    Ok(Reply::value(200, &status))
}
