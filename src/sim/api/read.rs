//! Get, list and watch.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::super::resources::Resource;
use super::super::status::{ApiError, Cause};
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
    let (asked, current) = (call.query.get("resourceVersion"), server.store().revision());
    if !asked.is_empty() && listed_revision(asked)? > current {
        return Err(ApiError::too_large(listed_revision(asked)?, current));
    }
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
            timeout: watch_timeout(server, call)?,
        };
        let chunks = watch::stream(server.store(), request, server.faults().cuts());
        let body = ApiBody::stream(chunks);
        return Ok(Reply { code: 200, content_type: "application/json", body });
    }
    call.query.number("timeoutSeconds")?;
    let page = page(server, call, resource, namespace.as_deref(), &selector)?;
    let now = server.store().clock().now();
    Ok(Reply::json(200, represent::list(resource, form, &page.objects, &page.meta, now)))
}

fn watch_timeout(server: &ApiServer, call: &Call) -> Result<Duration, ApiError> {
    let asked = u64::try_from(call.query.number("timeoutSeconds")?).unwrap_or(0);
    // Without a wish: 30 to 60 minutes, not all at once; the revision stands in for chance.
    let seconds = if asked > 0 { asked } else { 1_800 + server.store().revision() % 1_800 };
    Ok(Duration::from_secs(seconds))
}

fn bad_list(causes: Vec<Cause>) -> ApiError {
    ApiError::bad_options("ListOptions", causes)
}

/// Why this is no revision, or the revision.
fn revision_of(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| {
        let given = Value::String(text.to_owned());
        let why = format!("strconv.ParseUint: parsing {text:?}: invalid syntax");
        format!("resourceVersion: {}", Cause::invalid("", &given, why).message)
    })
}

fn listed_revision(text: &str) -> Result<u64, ApiError> {
    revision_of(text).map_err(|why| ApiError::bad_request(format!("invalid resource version: {why}")))
}

fn watch_start(server: &ApiServer, call: &Call) -> Result<Start, ApiError> {
    let (revision, matching) = (call.query.get("resourceVersion"), call.query.get("resourceVersionMatch"));
    // A watch fails on it where a list only refuses it.
    let after = |text: &str| revision_of(text).map_err(ApiError::internal);
    if !call.query.has("sendInitialEvents") {
        if !matching.is_empty() {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            return Err(bad_list(vec![Cause::forbidden("resourceVersionMatch", why)]));
        }
    } else if matching != "NotOlderThan" {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        let mut causes = vec![Cause::forbidden("resourceVersionMatch", why)];
        if !matching.is_empty() {
            let given = Value::String(matching.to_owned());
            causes.push(Cause::unsupported("resourceVersionMatch", &given, &["NotOlderThan"]));
        }
        return Err(bad_list(causes));
    } else if call.query.flag("sendInitialEvents") {
        let marked = call.query.flag("allowWatchBookmarks");
        let least = if revision.is_empty() { 0 } else { after(revision)? };
        return Ok(Start::Everything { marked, least });
    } else if revision.is_empty() {
        return Ok(Start::After(server.store().revision()));
    }
    match revision {
        "" | "0" => Ok(Start::Everything { marked: false, least: 0 }),
        given => Ok(Start::After(after(given)?)),
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
    let limit = usize::try_from(call.query.number("limit")?).unwrap_or(0);
    check_match(call)?;
    let (revision, mut objects, after) = if token.is_empty() {
        let (revision, objects) = first_page(server, call, resource, namespace)?;
        (revision, objects, None)
    } else {
        if !matches!(call.query.get("resourceVersion"), "" | "0") {
            let why = "specifying resource version is not allowed when using continue";
            return Err(ApiError::bad_request(why));
        }
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
        // What a selector leaves of the rest is not known.
        remaining = if selector.everything() { objects.len() - limit } else { 0 };
        objects.truncate(limit);
        next = objects.last().map_or_else(String::new, |last| write_token(revision, last));
    }
    Ok(Page { objects, meta: ListMeta { revision, next, remaining } })
}

/// Which revisions and matches go together in a list.
fn check_match(call: &Call) -> Result<(), ApiError> {
    let (revision, matching) = (call.query.get("resourceVersion"), call.query.get("resourceVersionMatch"));
    let field = "resourceVersionMatch";
    let mut causes = Vec::new();
    if !matching.is_empty() && revision.is_empty() {
        causes.push(Cause::forbidden(field, "resourceVersionMatch is forbidden unless resourceVersion is provided"));
    } else if !matches!(matching, "" | "Exact" | "NotOlderThan") {
        let given = Value::String(matching.to_owned());
        causes.push(Cause::unsupported(field, &given, &["Exact", "NotOlderThan", ""]));
    } else if matching == "Exact" && revision == "0" {
        causes.push(Cause::forbidden(field, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
    }
    if call.query.has("sendInitialEvents") {
        causes.push(Cause::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    if causes.is_empty() { Ok(()) } else { Err(bad_list(causes)) }
}

fn first_page(
    server: &ApiServer,
    call: &Call,
    resource: &'static Resource,
    namespace: Option<&str>,
) -> Result<(u64, Vec<Arc<Stored>>), ApiError> {
    let asked = call.query.get("resourceVersion");
    let asked = if asked.is_empty() { 0 } else { listed_revision(asked)? };
    let current = server.store().revision();
    if asked > current {
        return Err(ApiError::too_large(asked, current));
    }
    if call.query.get("resourceVersionMatch") == "Exact" && asked > 0 {
        let gone =
            |_: Compacted| ApiError::bare(410, "Expired", "The resourceVersion for the provided list is too old.");
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
    let bad = || ApiError::bad_request("invalid continue token: continue key is not valid");
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
