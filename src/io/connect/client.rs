//! The two clients. A [`Reader`] cannot write: its stack does not let a write through.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use kube::client::Body;

use super::dial::Dialed;
use super::guard::{GuardLayer, Reach};
use crate::io::answer::{Answer, Failure, exchange, open};

/// How long any request that is not a watch may take, with its body.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// Largest answer that is read: one object can be no larger than a few MB, a list page has 500.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;

/// A client that reads.
#[derive(Clone)]
pub struct Reader(kube::Client);

/// A client that writes. Watch mode never makes one.
#[derive(Clone)]
pub struct Writer(kube::Client);

impl Reader {
    /// A reader over a stack, under its guard. Must be called inside a tokio runtime.
    pub fn new(dialed: Dialed, reach: Reach) -> Self {
        Self(dialed.builder.with_layer(&GuardLayer(reach)).build())
    }

    /// GET of a path with query, whole, in time.
    pub async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.get_as(path, "application/json", REQUEST_LIMIT).await
    }

    /// GET with a media type and a limit of its own.
    pub async fn get_as(&self, path: &str, accept: &str, limit: Duration) -> Result<Answer, Failure> {
        exchange(&self.0, request(Method::GET, path, accept, None)?, limit, MOST_BYTES).await
    }

    /// GET whose body is read bit by bit: a watch. The caller sets its time limits.
    pub async fn stream(&self, path: &str) -> Result<Response<Body>, Failure> {
        let mut request = request(Method::GET, path, "application/json", None)?;
        // From 1.37 on servers compress watches event by event where a client accepts it.
        request.headers_mut().insert(http::header::ACCEPT_ENCODING, http::HeaderValue::from_static("identity"));
        open(&self.0, request).await
    }

    /// A question about oneself.
    pub async fn review(&self, path: &str, body: Bytes) -> Result<Answer, Failure> {
        let json = Some(("application/json", body));
        exchange(&self.0, request(Method::POST, path, "application/json", json)?, REQUEST_LIMIT, MOST_BYTES).await
    }

    /// A request built elsewhere; the guard judges it like any other.
    pub(crate) async fn send(&self, request: Request<Bytes>, limit: Duration) -> Result<Answer, Failure> {
        exchange(&self.0, request, limit, MOST_BYTES).await
    }
}

impl Writer {
    /// A writer over a stack of its own. Must be called inside a tokio runtime.
    pub fn new(dialed: Dialed) -> Self {
        Self(dialed.builder.build())
    }

    /// Sends one write, once.
    pub(crate) async fn send(&self, request: Request<Bytes>, limit: Duration) -> Result<Answer, Failure> {
        exchange(&self.0, request, limit, MOST_BYTES).await
    }
}

/// A request with headers that every one of ours has.
fn request(
    method: Method,
    path: &str,
    accept: &str,
    body: Option<(&'static str, Bytes)>,
) -> Result<Request<Bytes>, Failure> {
    let mut builder = Request::builder().method(method).uri(path).header(http::header::ACCEPT, accept);
    if let Some((media, _)) = &body {
        builder = builder.header(http::header::CONTENT_TYPE, *media);
    }
    let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
    builder.body(body).map_err(|e| Failure::Denied(format!("not a request: {e}")))
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}
