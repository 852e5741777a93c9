//! The forms in which objects go out: as they are, metadata only, or Table rows.

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use serde_json::{Value, json};

use super::super::resources::Resource;
use super::super::status::ApiError;
use super::super::store::{Representation, Stored, events};
use super::columns;

/// What a Table row carries besides its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// Nothing.
    None,
    /// The object's metadata: the default.
    Metadata,
    /// The object.
    Object,
}

/// The form a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The object.
    Object,
    /// `PartialObjectMetadata`.
    Metadata,
    /// `meta.k8s.io/v1` Table.
    Table(Include),
}

/// The form that the Accept header and `includeObject` ask for.
pub fn wanted(headers: &HeaderMap, include: &str) -> Result<Form, ApiError> {
    let accept = headers.get(http::header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("");
    if accept.trim().is_empty() {
        return Ok(Form::Object);
    }
    for clause in accept.split(',') {
        let mut pieces = clause.split(';').map(str::trim);
        let media = pieces.next().unwrap_or("");
        let parameters: Vec<&str> = pieces.collect();
        let known = matches!(media, "application/json" | "application/*" | "*/*");
        let of = |key: &str| parameters.iter().find_map(|p| p.strip_prefix(key)?.strip_prefix('=')).unwrap_or("");
        if !known || (!of("g").is_empty() && of("g") != "meta.k8s.io") {
            continue;
        }
        return match of("as") {
            "" => Ok(Form::Object),
            "Table" => match include {
                "None" => Ok(Form::Table(Include::None)),
                "Object" => Ok(Form::Table(Include::Object)),
                "" | "Metadata" => Ok(Form::Table(Include::Metadata)),
                odd => Err(ApiError::bad_request(format!(
                    "Unable to convert to Table as requested: includeObject: Invalid value: {odd:?}: \
                     must be 'Metadata', 'Object', 'None', or empty"
                ))),
            },
            "PartialObjectMetadata" | "PartialObjectMetadataList" => Ok(Form::Metadata),
            _ => continue,
        };
    }
    let message = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
    Err(ApiError { details: Some(Box::default()), ..ApiError::bare(406, "NotAcceptable", message) })
}

fn to_bytes(value: &Value) -> Bytes {
    serde_json::to_vec(value).map(Bytes::from).unwrap_or_default()
}

/// The object in the version of `resource`, encoded once per object.
pub fn object(resource: &Resource, stored: &Stored) -> Bytes {
    if resource.view_of.is_none() {
        return stored.encoded(Representation::Full, to_bytes);
    }
    stored.encoded(Representation::View, |value| {
        let mut view = value.clone();
        events::to_events_v1(&mut view);
        to_bytes(&view)
    })
}

/// The object as an item of its list: built-in kinds leave out apiVersion and kind there.
fn item(resource: &Resource, stored: &Stored) -> Bytes {
    if resource.custom {
        return object(resource, stored);
    }
    if resource.view_of.is_some() {
        let mut view = Value::clone(&stored.value);
        events::to_events_v1(&mut view);
        return to_bytes(&bare(view));
    }
    stored.encoded(Representation::Item, |value| to_bytes(&bare(value.clone())))
}

fn bare(mut object: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
    }
    object
}
/// The object's metadata.
pub fn metadata(stored: &Stored) -> Bytes {
    stored.encoded(Representation::Metadata, |value| to_bytes(&partial(value)))
}

fn partial(value: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": value.get("metadata").cloned().unwrap_or_else(|| json!({}))})
}

/// One object in the form asked for. `now`: for the ages in a Table.
pub fn one(resource: &Resource, form: Form, stored: &Stored, now: jiff::Timestamp) -> Bytes {
    match form {
        Form::Object => object(resource, stored),
        Form::Metadata => metadata(stored),
        Form::Table(include) => {
            let revision = stored.meta("resourceVersion").to_owned();
            let row = row(resource, include, stored, now);
            table(resource, &revision, "", &[row], true)
        }
    }
}

/// What a list's metadata says.
pub struct ListMeta {
    /// The revision of the list.
    pub revision: u64,
    /// The token for the next page; empty on the last.
    pub next: String,
    /// Objects on the pages after this one; 0 where that is not known.
    pub remaining: usize,
}

/// A list in the form asked for.
pub fn list(
    resource: &Resource,
    form: Form,
    objects: &[std::sync::Arc<Stored>],
    meta: &ListMeta,
    now: jiff::Timestamp,
) -> Bytes {
    let (kind, version) = match form {
        Form::Object => (format!("{}List", resource.kind), resource.api_version()),
        Form::Metadata => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
        Form::Table(include) => {
            let rows: Vec<Bytes> = objects.iter().map(|o| row(resource, include, o, now)).collect();
            return table(resource, &meta.revision.to_string(), &meta.next, &rows, true);
        }
    };
    let mut about = json!({"resourceVersion": meta.revision.to_string()});
    if let (false, Some(map)) = (meta.next.is_empty(), about.as_object_mut()) {
        map.insert("continue".to_owned(), meta.next.clone().into());
        if meta.remaining > 0 {
            map.insert("remainingItemCount".to_owned(), meta.remaining.into());
        }
    }
    let mut out = BytesMut::new();
    let head = format!("{{\"kind\":{kind:?},\"apiVersion\":{version:?},\"metadata\":{about},\"items\":[");
    out.put_slice(head.as_bytes());
    for (index, stored) in objects.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        out.put_slice(&if form == Form::Metadata { metadata(stored) } else { item(resource, stored) });
    }
    out.put_slice(b"]}\n");
    out.freeze()
}

/// A Table row.
pub fn row(resource: &Resource, include: Include, stored: &Stored, now: jiff::Timestamp) -> Bytes {
    let cells = columns::cells(resource, &stored.value, now);
    let mut out = BytesMut::new();
    out.put_slice(b"{\"cells\":");
    out.put_slice(&to_bytes(&Value::Array(cells)));
    out.put_slice(b",\"object\":");
    match include {
        Include::None => out.put_slice(b"null"),
        Include::Metadata => out.put_slice(&metadata(stored)),
        Include::Object => out.put_slice(&object(resource, stored)),
    }
    out.put_u8(b'}');
    out.freeze()
}

/// A Table. A watch sends the column definitions with its first event only.
pub fn table(resource: &Resource, revision: &str, next: &str, rows: &[Bytes], head: bool) -> Bytes {
    let mut meta = json!({"resourceVersion": revision});
    if let (false, Some(map)) = (next.is_empty(), meta.as_object_mut()) {
        map.insert("continue".to_owned(), next.into());
    }
    let definitions = if head { Value::Array(columns::definitions(resource)) } else { Value::Null };
    let mut out = BytesMut::new();
    let start = format!(
        "{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{meta},\"columnDefinitions\":{definitions},\"rows\":["
    );
    out.put_slice(start.as_bytes());
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        out.put_slice(row);
    }
    out.put_slice(b"]}\n");
    out.freeze()
}
