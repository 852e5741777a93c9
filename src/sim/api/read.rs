//! Get, list and watch.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::super::resources::Resource;
use super::super::status::{ApiError, Cause, Details};
use super::super::store::{Compacted, Stored};
use super::ApiServer;
use super::body::ApiBody;
use super::path::ObjectPath;
use super::represent::{self, ListMeta};
use super::selector::Selector;
use super::serve::{Call, Reply};
use super::watch::{self, Start, WatchRequest};

/// One object.
pub(super) fn get(
    server: &ApiServer,
    call: &Call,
    resource: &'static Resource,
    path: &ObjectPath,
) -> Result<Reply, ApiError> {
    let form = represent::wanted(&call.headers, call.query.get("includeObject"))?;
    let found = server.store().find(resource, &path.namespace, &path.name);
    let stored = found.ok_or_else(|| ApiError::not_found(resource, &path.name))?;
    let now = server.store().clock().now();
    Ok(Reply::json(200, represent::one(resource, form, &stored, now)))
}

/// A collection, or a watch on it.
pub(super) fn list(
    server: &ApiServer,
    call: &Call,
    resource: &'static Resource,
    path: &ObjectPath,
) -> Result<Reply, ApiError> {
    let form = represent::wanted(&call.headers, call.query.get("includeObject"))?;
    let query = &call.query;
    let selector = Selector::parse(resource, query.get("labelSelector"), query.get("fieldSelector"))?;
    let namespace = (!path.namespace.is_empty()).then(|| path.namespace.clone());
    if query.flag("watch") {
        let request = WatchRequest {
            resource,
            namespace,
            selector,
            form,
            start: watch_start(server, call)?,
            bookmarks: query.flag("allowWatchBookmarks"),
            timeout: watch_timeout(server, call),
        };
        let chunks = watch::stream(server.store(), request, server.faults().cuts());
        let body = ApiBody::stream(chunks);
        return Ok(Reply { code: 200, content_type: "application/json", body });
    }
    let page = page(server, call, resource, namespace.as_deref(), &selector)?;
    let now = server.store().clock().now();
    Ok(Reply::json(200, represent::list(resource, form, &page.objects, &page.meta, now)))
}

fn watch_timeout(server: &ApiServer, call: &Call) -> Duration {
    let asked = call.query.number("timeoutSeconds").filter(|seconds| *seconds > 0);
    // Without a wish: 30 to 60 minutes, not all at once; the revision stands in for chance.
    let seconds = asked.unwrap_or_else(|| 1_800 + server.store().revision() % 1_800);
    Duration::from_secs(seconds)
}

fn bad_option(field: &str, why: &str) -> ApiError {
    let cause = Cause::forbidden(field, why);
    let message = format!("ListOptions.meta.k8s.io \"\" is invalid: {field}: {}", cause.message);
    let details = Details {
        group: "meta.k8s.io".to_owned(),
        kind: "ListOptions".to_owned(),
        causes: vec![cause],
        ..Details::default()
    };
    ApiError { details: Some(Box::new(details)), ..ApiError::bare(422, "Invalid", message) }
}

fn revision_of(text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        let field = Value::String(text.to_owned());
        let cause =
            Cause::invalid("resourceVersion", &field, format!("strconv.ParseUint: parsing {text:?}: invalid syntax"));
        let message = format!("resourceVersion: {}", cause.message);
        ApiError::bad_request(message)
    })
}

fn watch_start(server: &ApiServer, call: &Call) -> Result<Start, ApiError> {
    let (revision, matching) = (call.query.get("resourceVersion"), call.query.get("resourceVersionMatch"));
    let initial = call.query.get("sendInitialEvents");
    match initial {
        "" if !matching.is_empty() => {
            return Err(bad_option(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        "" => {}
        _ if matching != "NotOlderThan" => {
            return Err(bad_option(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        "true" => {
            let marked = call.query.flag("allowWatchBookmarks");
            return Ok(Start::Everything { marked });
        }
        _ if revision.is_empty() => return Ok(Start::After(server.store().revision())),
        _ => {}
    }
    match revision {
        "" | "0" => Ok(Start::Everything { marked: false }),
        given => Ok(Start::After(revision_of(given)?)),
    }
}

struct Page {
    objects: Vec<Arc<Stored>>,
    meta: ListMeta,
}

fn page(
    server: &ApiServer,
    call: &Call,
    resource: &'static Resource,
    namespace: Option<&str>,
    selector: &Selector,
) -> Result<Page, ApiError> {
    let token = call.query.get("continue");
    let limit = call.query.number("limit").unwrap_or(0);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (revision, mut objects, after) = if token.is_empty() {
        let (revision, objects) = first_page(server, call, resource, namespace)?;
        (revision, objects, None)
    } else {
        let (revision, after) = read_token(token)?;
        let objects = server.store().snapshot_at(resource, namespace, revision).map_err(|_| expired_token(server))?;
        (revision, objects, Some(after))
    };
    if !selector.everything() {
        objects.retain(|stored| selector.matches(&stored.value));
    }
    if let Some((ns, name)) = after {
        objects.retain(|stored| (stored.namespace(), stored.name()) > (ns.as_str(), name.as_str()));
    }
    let (mut next, mut remaining) = (String::new(), 0);
    if limit > 0 && objects.len() > limit {
        remaining = objects.len() - limit;
        objects.truncate(limit);
        next = objects.last().map_or_else(String::new, |last| write_token(revision, last));
    }
    Ok(Page { objects, meta: ListMeta { revision, next, remaining } })
}

fn first_page(
    server: &ApiServer,
    call: &Call,
    resource: &'static Resource,
    namespace: Option<&str>,
) -> Result<(u64, Vec<Arc<Stored>>), ApiError> {
    let asked = call.query.get("resourceVersion");
    let matching = call.query.get("resourceVersionMatch");
    if asked.is_empty() && !matching.is_empty() {
        let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
        return Err(bad_option("resourceVersionMatch", why));
    }
    let asked = if asked.is_empty() { 0 } else { revision_of(asked)? };
    let current = server.store().revision();
    if asked > current {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let cause = Cause {
            reason: "ResourceVersionTooLarge",
            message: "Too large resource version".to_owned(),
            field: String::new(),
        };
        let details = Details { causes: vec![cause], retry_after: 1, ..Details::default() };
        let message = format!("Timeout: {message}");
        return Err(ApiError { details: Some(Box::new(details)), ..ApiError::bare(504, "Timeout", message) });
    }
    if matching == "Exact" && asked > 0 {
        let gone = |gone: Compacted| ApiError::expired(gone.requested, gone.oldest);
        let objects = server.store().snapshot_at(resource, namespace, asked).map_err(gone)?;
        return Ok((asked, objects));
    }
    Ok(server.store().snapshot(resource, namespace))
}

fn write_token(revision: u64, last: &Stored) -> String {
    let start = format!("{}/{}", last.namespace(), last.name());
    BASE64.encode(json!({"v": "meta.k8s.io/v1", "rv": revision, "start": start}).to_string())
}

fn read_token(token: &str) -> Result<(u64, (String, String)), ApiError> {
    let bad = || ApiError::bad_request("continue key is not valid");
    let raw = BASE64.decode(token).map_err(|_| bad())?;
    let value: Value = serde_json::from_slice(&raw).map_err(|_| bad())?;
    let revision = value.get("rv").and_then(Value::as_u64).ok_or_else(bad)?;
    let start = value.get("start").and_then(Value::as_str).ok_or_else(bad)?;
    let (ns, name) = start.split_once('/').ok_or_else(bad)?;
    Ok((revision, (ns.to_owned(), name.to_owned())))
}

/// 410 of a continue token whose revision is gone: list from the start.
fn expired_token(_: &ApiServer) -> ApiError {
    ApiError::bare(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
    )
}
