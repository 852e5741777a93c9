//! One full object, or a list of them.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::change::{ApiType, ObjectRef};
use crate::domain::id::Namespace;
use crate::domain::link::LostReason;
use crate::io::answer::{Answer, Failure};
use crate::io::connect::{Access, REQUEST_LIMIT};
use crate::io::watch::{escaped, resource};

/// Objects per page.
const PAGE: usize = 500;
/// Pages of one list: beyond this the selector is wrong.
const MOST_PAGES: usize = 40;

/// GET of one object as the server has it; none: absent. `managedFields` are kept: they name who changed it.
pub async fn object(access: &Access, object: &ObjectRef) -> Result<Option<Value>, LostReason> {
    let path = object.api.path(object.namespace.as_str(), &object.name, None);
    let doing = format!("get {object} of cluster {}", access.name);
    match get(access, &path, "application/json").await {
        Ok(answer) => parse(&answer.body).map(Some).map_err(|f| f.reason(&doing)),
        Err(Failure::Status(status)) if status.code == 404 && status.is_status => Ok(None),
        Err(failure) => Err(failure.reason(&doing)),
    }
}

/// GET of a whole list, page by page.
pub async fn list(
    access: &Access,
    api: &ApiType,
    namespace: &Namespace,
    selector: &str,
) -> Result<Vec<Value>, LostReason> {
    let mut all = Vec::new();
    pages(access, api, namespace, &format!("labelSelector={}", escaped(selector)), "application/json", |item| {
        all.push(parse(item.get().as_bytes())?);
        Ok(())
    })
    .await?;
    Ok(all)
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: Meta,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(rename = "continue", default)]
    next: Option<String>,
}

/// Calls `each` with every item of a list.
pub(super) async fn pages(
    access: &Access,
    api: &ApiType,
    namespace: &Namespace,
    query: &str,
    accept: &str,
    mut each: impl FnMut(&RawValue) -> Result<(), Failure>,
) -> Result<(), LostReason> {
    let doing = format!("list {} in namespace {namespace} of cluster {}", resource(api), access.name);
    let mut next = String::new();
    for _ in 0..MOST_PAGES {
        let mut path = format!("{}?{query}&limit={PAGE}", api.path(namespace.as_str(), "", None));
        if !next.is_empty() {
            path.push_str("&continue=");
            path.push_str(&escaped(&next));
        }
        let answer = get(access, &path, accept).await.map_err(|f| f.reason(&doing))?;
        let page: Page<'_> = parse(&answer.body).map_err(|f| f.reason(&doing))?;
        for item in page.items.unwrap_or_default() {
            each(item).map_err(|f| f.reason(&doing))?;
        }
        match page.metadata.next.filter(|n| !n.is_empty()) {
            Some(token) => next = token,
            None => return Ok(()),
        }
    }
    Err(Failure::Garbage(format!("more than {} objects", MOST_PAGES * PAGE)).reason(&doing))
}

/// GET with the credentials there are; refused ones are renewed once.
pub(super) async fn get(access: &Access, path: &str, accept: &str) -> Result<Answer, Failure> {
    let open = access.reader().await.map_err(Failure::NoAccess)?;
    match open.reader.get_as(path, accept, REQUEST_LIMIT).await {
        Err(failure) if failure.code() == Some(401) => {
            let open = access.renewed(open.generation).await.map_err(Failure::NoAccess)?;
            open.reader.get_as(path, accept, REQUEST_LIMIT).await
        }
        answer => answer,
    }
}

/// JSON of the shape the API promises. Never quotes the bytes: they may hold secrets.
pub(super) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|e| {
        Failure::Garbage(format!("answer is not what the API promises (line {}, column {})", e.line(), e.column()))
    })
}
