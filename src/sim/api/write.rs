//! Create, replace, patch and delete.

use std::sync::Arc;

use http::{Method, header};
use serde_json::{Value, json};

use super::super::patch::{self, json::JsonPatchError};
use super::super::resources::{self, Resource};
use super::super::schema::{self, Shape};
use super::super::status::{ApiError, Cause, in_go};
use super::super::store::{DeleteOptions, Part, Propagation, Stored, Writer, events};
use super::ApiServer;
use super::admission::{self, Review};
use super::apply;
use super::duplicates;
use super::options;
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
    let collection = path.name.is_empty();
    match call.method {
        Method::POST if collection => {
            let dry_run = options::of_write(call)?;
            create(server, call, resource, path, dry_run)
        }
        Method::PUT if !collection => {
            let dry_run = options::of_write(call)?;
            replace(server, call, resource, path, dry_run)
        }
        Method::PATCH if !collection => {
            if !known_patch(call.content_type()) {
                return Err(ApiError::unsupported_patch());
            }
            let dry_run = options::of_write(call)?;
            patch(server, call, resource, path, dry_run)
        }
        Method::DELETE if path.subresource.is_empty() => delete(server, call, resource, path),
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn known_patch(media: &str) -> bool {
    let named = ["json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"];
    media.strip_prefix("application/").is_some_and(|kind| named.contains(&kind))
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

/// Reads a JSON (or YAML) object of this kind from the body.
pub(super) fn read_object(call: &Call, kind: &str) -> Result<Value, ApiError> {
    let unrecognized = |why: &str| {
        let shown = if call.body.is_empty() { "<empty>" } else { &String::from_utf8_lossy(&call.body) };
        let shown: String = shown.chars().take(1_024).collect();
        ApiError::bad_request(format!("the object provided is unrecognized (must be of type {kind}): {why} ({shown})"))
    };
    match call.content_type() {
        "" | "application/json" => parse_object(&call.body)
            .map_err(|why| unrecognized(&format!("couldn't get version/kind; json parse error: {why}"))),
        "application/yaml" | "application/x-yaml" => read_yaml(&call.body).map_err(|why| unrecognized(&why)),
        protobuf::MEDIA_TYPE => protobuf::decode(&call.body).ok_or_else(unsupported_media),
        _ => Err(unsupported_media()),
    }
}

/// Reads a JSON object with a kind.
fn parse_object(body: &[u8]) -> Result<Value, String> {
    match parse_json(body)? {
        object @ (Value::Object(_) | Value::Null) => Ok(object),
        other => Err(format!(
            "json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; \
             Kind string \"json:\\\"kind,omitempty\\\"\" }}",
            patch::json::type_of(&other)
        )),
    }
}

/// Reads JSON. The error of an empty body is the server's; others name the place.
fn parse_json(body: &[u8]) -> Result<Value, String> {
    if body.is_empty() {
        return Err("unexpected end of JSON input".to_owned());
    }
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// Reads a YAML document as JSON.
pub(super) fn read_yaml(body: &[u8]) -> Result<Value, String> {
    serde_saphyr::from_slice(body).map_err(|error| format!("error converting YAML to JSON: {error}"))
}

fn unsupported_media() -> ApiError {
    let message = "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    ApiError::bare(415, "UnsupportedMediaType", message)
}

/// Checks an object that came in a body against where it was sent.
pub(super) fn place(resource: &Resource, path: &ObjectPath, object: &mut Value) -> Result<(), ApiError> {
    if !object.is_object() {
        return Err(ApiError::bad_request("the object provided is unrecognized: expected a JSON object"));
    }
    kind_of_another(resource, object)?;
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
    let (ns, name, version) = (text("namespace"), text("name"), text("resourceVersion"));
    if resource.namespaced && !ns.is_empty() && ns != path.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if resource.namespaced {
        meta.insert("namespace".to_owned(), path.namespace.clone().into());
    }
    if !path.name.is_empty() && name.is_empty() {
        let why =
            format!("the name of the object ({} based on URL) was undeterminable: name must be provided", path.name);
        return Err(ApiError::bad_request(why));
    }
    if !version.is_empty() && version.parse::<u64>().is_err() {
        let why = format!("strconv.ParseUint: parsing {version:?}: invalid syntax");
        return Err(ApiError::internal(why));
    }
    if !path.name.is_empty() && name != path.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            path.name
        )));
    }
    Ok(())
}

/// An object of another served kind is not turned into this one.
fn kind_of_another(resource: &Resource, object: &Value) -> Result<(), ApiError> {
    let word = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or("");
    let (version, kind) = (word("apiVersion"), word("kind"));
    if resource.custom && !kind.is_empty() && kind != resource.kind && version == resource.api_version() {
        let cause = Cause::invalid("kind", &Value::String(kind.to_owned()), format!("must be {}", resource.kind));
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("");
        return Err(ApiError::invalid_kind(resource.group, kind, name, vec![cause]));
    }
    let Some(other) = resources::of_kind(version, kind).filter(|other| other.kind != resource.kind) else {
        return Ok(());
    };
    let package = if resource.group.is_empty() { "core" } else { resource.group.split('.').next().unwrap_or("") };
    Err(ApiError::bad_request(format!(
        "{kind} in version {:?} cannot be handled as a {}: converting ({}.{kind}) to ({package}.{}): unknown conversion",
        other.version, resource.kind, other.version, resource.kind
    )))
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
    let mut object = read_object(call, resource.kind)?;
    place(resource, path, &mut object)?;
    unknown_fields(call, resource, &object).map_err(|why| undecodable(resource, &why))?;
    if object.pointer("/metadata/resourceVersion").and_then(Value::as_str).is_some_and(|v| !matches!(v, "" | "0")) {
        return Err(ApiError::internal("resourceVersion should not be set on objects to be created"));
    }
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
    let mut object = read_object(call, resource.kind)?;
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
    if exists && !unconditional && versioned.is_none_or(|v| matches!(v, "" | "0")) {
        let cause = Cause::invalid("metadata.resourceVersion", &0.into(), "must be specified for an update");
        return Err(ApiError::invalid_kind(resource.group, resource.plural, &path.name, vec![cause]));
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
    let body = || parse_json(&call.body);
    let undecoded = |why: String| ApiError::bad_request(format!("error decoding patch: {why}"));
    match call.content_type() {
        "application/json-patch+json" => Ok(Patch::Json(body().map_err(undecoded)?)),
        "application/merge-patch+json" => match body().map_err(undecoded)? {
            object @ Value::Object(_) => Ok(Patch::Merge(object)),
            Value::Null => Err(ApiError::bad_request("Invalid JSON Patch")),
            other => Err(undecoded(no_map(&other))),
        },
        "application/strategic-merge-patch+json" if custom => Err(ApiError::bare(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
        )),
        "application/strategic-merge-patch+json" => match body().map_err(ApiError::bad_request)? {
            object @ Value::Object(_) => Ok(Patch::Strategic(object)),
            other => Err(ApiError::bad_request(no_map(&other))),
        },
        _ => Err(ApiError::unsupported_patch()),
    }
}

fn no_map(value: &Value) -> String {
    format!("json: cannot unmarshal {} into Go value of type map[string]interface {{}}", patch::json::type_of(value))
}

impl Patch {
    /// Applies the patch to an object of the named kind.
    pub(super) fn apply(&self, object: &mut Value, kind: &'static str) -> Result<(), ApiError> {
        match self {
            Self::Merge(body) => patch::merge::apply(object, body),
            Self::Strategic(body) => {
                patch::strategic::apply(object, body, &Shape::Struct(kind)).map_err(ApiError::internal)?
            }
            Self::Json(body) => patch::json::apply(object, body).map_err(|error| match error {
                JsonPatchError::Malformed(why) => ApiError::bad_request(format!("error decoding patch: {why}")),
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
fn bad_patch(object: &Value, patch: &Patch, why: &str) -> ApiError {
    let shown = match patch {
        Patch::Strategic(body) => in_go(body),
        _ => object.to_string(),
    };
    ApiError::invalid_kind("", "", "", vec![Cause::invalid("patch", &Value::String(shown), why)])
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
        check_patched(call, resource, path, current, &patch)?;
        keep_uid(resource, path, &old, current)?;
        if resource.view_of.is_some() {
            events::to_core(current);
        }
        admit(server, call, path, ("UPDATE", dry_run), Some(&old), current)
    })?;
    written(server, call, resource, 200, done)
}

fn check_patched(
    call: &mut Call,
    resource: &Resource,
    path: &ObjectPath,
    object: &mut Value,
    patch: &Patch,
) -> Result<(), ApiError> {
    let word = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or("");
    let (version, kind) = (word("apiVersion"), word("kind"));
    if resource.custom && kind.is_empty() {
        let why = format!("Object 'Kind' is missing in '{object}'");
        return Err(bad_patch(object, patch, &why));
    }
    if !kind.is_empty() && (version != resource.api_version() || kind != resource.kind) {
        let why =
            format!("no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:110\"");
        return Err(bad_patch(object, patch, &why));
    }
    let decoded = schema::decode(resource.kind, &mut object.clone(), true);
    match (decoded.wrong, decoded.mismatch) {
        (Some((field, value, wanted)), _) if resource.custom => {
            return Err(ApiError::invalid(resource, &path.name, vec![Cause::wrong_type(field, &value, wanted)]));
        }
        (_, Some(why)) => return Err(bad_patch(object, patch, &why)),
        _ => {}
    }
    unknown_fields(call, resource, object).map_err(|why| bad_patch(object, patch, &why))?;
    place(resource, path, object)
}

/// A patch cannot give an object another uid; with PUT that is a precondition instead.
pub(super) fn keep_uid(resource: &Resource, path: &ObjectPath, old: &Value, new: &Value) -> Result<(), ApiError> {
    let uid = |object: &Value| object.pointer("/metadata/uid").cloned().unwrap_or(Value::Null);
    let (have, given) = (uid(old), uid(new));
    if given.as_str().is_none_or(str::is_empty) || given == have {
        return Ok(());
    }
    // Found by the check that all kinds share and by the kind's own.
    let cause = Cause::invalid("metadata.uid", &given, "field is immutable");
    Err(ApiError::invalid(resource, &path.name, vec![cause.clone(), cause]))
}

/// Reads what a DELETE asks for: from its body, or from the query where there is none. With a
/// body the query does not count, not even `dryRun=All`.
fn delete_options(call: &Call) -> Result<(DeleteOptions, bool), ApiError> {
    let body = if call.body.is_empty() { None } else { Some(read_options(call)?) };
    let text = |pointer: &str| {
        let found = body.as_ref()?.pointer(pointer).and_then(Value::as_str);
        found.filter(|t| !t.is_empty()).map(str::to_owned)
    };
    let (policy, asked) = match &body {
        Some(body) => {
            let listed = body.get("dryRun").and_then(Value::as_array).into_iter().flatten();
            (text("/propagationPolicy").unwrap_or_default(), listed.filter_map(Value::as_str).collect::<Vec<_>>())
        }
        None => (call.query.get("propagationPolicy").to_owned(), call.query.all("dryRun").collect()),
    };
    let mut causes = Vec::new();
    let propagation = match policy.as_str() {
        "Orphan" => Propagation::Orphan,
        "Foreground" => Propagation::Foreground,
        "" | "Background" => Propagation::Background,
        other => {
            let given = Value::String(other.to_owned());
            let allowed = ["Foreground", "Background", "Orphan", "nil"];
            causes.push(Cause::unsupported("propagationPolicy", &given, &allowed));
            Propagation::Background
        }
    };
    options::dry_run(&asked, &mut causes);
    if !causes.is_empty() {
        return Err(ApiError::bad_options("DeleteOptions", causes));
    }
    let options = DeleteOptions {
        uid: text("/preconditions/uid"),
        resource_version: text("/preconditions/resourceVersion"),
        propagation,
    };
    Ok((options, !asked.is_empty()))
}

/// The body of a DELETE. What cannot be read is the server's own failure, as it says.
fn read_options(call: &Call) -> Result<Value, ApiError> {
    let failed = |why: String| ApiError::internal(format!("couldn't get version/kind; json parse error: {why}"));
    match call.content_type() {
        "" | "application/json" => parse_object(&call.body).map_err(failed),
        _ => read_object(call, "DeleteOptions"),
    }
}

fn delete(
    server: &ApiServer,
    call: &mut Call,
    resource: &'static Resource,
    path: &ObjectPath,
) -> Result<Reply, ApiError> {
    let (options, dry_run) = delete_options(call)?;
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
