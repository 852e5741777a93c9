//! Server-side apply over the wire.

use serde_json::Value;

use super::super::resources::Resource;
use super::super::status::ApiError;
use super::super::store::{Applied, Writer};
use super::ApiServer;
use super::access::Attempt;
use super::path::ObjectPath;
use super::serve::{Call, Reply};
use super::write::{admit, keep_uid, part, place, read_yaml, undecodable, unknown_fields, writer, written};

/// The patch type.
pub(super) const MEDIA_TYPE: &str = "application/apply-patch+yaml";

/// Answers a PATCH of that type: creates or changes the object.
pub(super) fn answer(
    server: &ApiServer,
    call: &mut Call,
    resource: &'static Resource,
    path: &ObjectPath,
    dry_run: bool,
) -> Result<Reply, ApiError> {
    let mut wanted =
        read_yaml(&call.body).map_err(|why| ApiError::bad_request(format!("error decoding YAML: {why}")))?;
    let given = |key: &str| wanted.get(key).and_then(Value::as_str).unwrap_or("");
    if given("apiVersion").is_empty() || given("kind").is_empty() {
        return Err(ApiError::bad_request("invalid object type: /, Kind="));
    }
    if wanted.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    place(resource, path, &mut wanted)?;
    unknown_fields(call, resource, &wanted).map_err(|why| undecodable(resource, &why))?;
    let exists = server.store().find(resource, &path.namespace, &path.name).is_some();
    if !exists {
        server.access().authorize(&call.user, &Attempt::on(path, "create"))?;
    }
    let by = Writer { apply: true, ..writer(call, dry_run) };
    let how = (part(path), call.query.flag("force"));
    let Applied { object, created } = server.store().apply(resource, &wanted, how, &by, |old, new| {
        let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
        if let Some(old) = old {
            keep_uid(resource, path, old, &wanted)?;
        }
        admit(server, call, path, (operation, dry_run), old, new)
    })?;
    written(server, call, resource, if created { 201 } else { 200 }, object)
}
