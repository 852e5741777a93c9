//! Pod logs and the service proxy: what the world's hooks answer.

use std::sync::PoisonError;

use bytes::Bytes;
use http::Request;

use super::super::resources::{PODS, SERVICES};
use super::super::status::ApiError;
use super::ApiServer;
use super::body::ApiBody;
use super::hooks::LogQuery;
use super::path::ObjectPath;
use super::serve::{Call, Reply};

/// `pods/<name>/log`.
pub(super) fn log(server: &ApiServer, call: &Call, path: &ObjectPath) -> Result<Reply, ApiError> {
    let Some(pod) = server.store().get(&PODS, &path.namespace, &path.name) else {
        return Err(ApiError::not_found(&PODS, &path.name));
    };
    let containers = pod.pointer("/spec/containers").and_then(|c| c.as_array());
    let names: Vec<&str> =
        containers.into_iter().flatten().filter_map(|c| c.get("name").and_then(|n| n.as_str())).collect();
    let asked = call.query.get("container");
    let container = match names.as_slice() {
        _ if !asked.is_empty() && !names.contains(&asked) => {
            return Err(ApiError::bad_request(format!("container {asked} is not valid for pod {}", path.name)));
        }
        _ if !asked.is_empty() => asked,
        [only] => only,
        many => {
            return Err(ApiError::bad_request(format!(
                "a container name must be specified for pod {}, choose one of: [{}]",
                path.name,
                many.join(" ")
            )));
        }
    };
    let previous = call.query.flag("previous");
    let query = LogQuery {
        namespace: path.namespace.clone(),
        pod: path.name.clone(),
        container: container.to_owned(),
        previous,
    };
    let hook = server.inner.logs.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(text) = hook.and_then(|hook| hook.text(&query)) else {
        let which = if previous { "previous terminated container" } else { "container" };
        return Err(ApiError::bad_request(format!("{which} {container:?} in pod {:?} not found", path.name)));
    };
    let text = match usize::try_from(call.query.number("tailLines")?) {
        Ok(lines) if call.query.has("tailLines") => tail(&text, lines),
        _ => &text,
    };
    let body = ApiBody::Whole(Some(Bytes::copy_from_slice(text.as_bytes())));
    Ok(Reply { code: 200, content_type: "text/plain", body })
}

/// The last lines of a text.
fn tail(text: &str, lines: usize) -> &str {
    if lines == 0 {
        return "";
    }
    let body = text.strip_suffix('\n').unwrap_or(text);
    let start = body.rmatch_indices('\n').nth(lines - 1).map_or(0, |(at, _)| at + 1);
    text.get(start..).unwrap_or(text)
}

/// `services/<name>:<port>/proxy/<path>`.
pub(super) async fn proxy(server: &ApiServer, call: &Call, path: &ObjectPath) -> Result<Reply, ApiError> {
    // `<name>`, `<name>:<port>`, or `<scheme>:<name>:<port>`.
    let parts: Vec<&str> = path.name.split(':').collect();
    let name = match parts.as_slice() {
        [name] | [name, _] | [_, name, _] => *name,
        _ => {
            return Err(ApiError::bad_request(format!("invalid service request {:?}", path.name)));
        }
    };
    let query = if call.raw_query.is_empty() { String::new() } else { format!("?{}", call.raw_query) };
    let inner = if path.rest.is_empty() { "/" } else { path.rest.as_str() };
    let request = Request::builder()
        .method(call.method.clone())
        .uri(format!("{inner}{query}"))
        .header("content-type", call.header(http::header::CONTENT_TYPE))
        .body(call.body.clone())
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let hook = server.inner.proxy.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(answer) = hook.and_then(|hook| hook.call(&path.namespace, name, request)) else {
        if server.store().get(&SERVICES, &path.namespace, name).is_none() {
            return Err(ApiError::not_found(&SERVICES, name));
        }
        let message = format!("no endpoints available for service {name:?}");
        return Err(ApiError::bare(503, "ServiceUnavailable", message));
    };
    let answer = answer.await;
    let text = answer.headers().get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let content_type = match text {
        Some(kind) if kind.starts_with("text/html") => "text/html; charset=utf-8",
        Some(kind) if kind.starts_with("text/plain") => "text/plain; charset=utf-8",
        _ => "application/json",
    };
    let code = answer.status().as_u16();
    Ok(Reply { code, content_type, body: ApiBody::Whole(Some(answer.into_body())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_counts_lines_from_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(tail("a\nb\nc", 1), "c");
        assert_eq!(tail("a\n", 5), "a\n");
        assert_eq!(tail("a\n", 0), "");
    }
}
