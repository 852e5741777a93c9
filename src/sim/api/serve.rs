//! From an HTTP request to a reply: faults, who asks, whether they may, and the answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use super::super::status::ApiError;
use super::access::{Attempt, User};
use super::body::{ApiBody, Reset};
use super::faults::Fault;
use super::path::{self, Target};
use super::query::Query;
use super::requests::Logged;
use super::{ApiServer, damage, discovery, openapi, read, reviews, scale, selector, subresources, write};

/// The largest body the server reads, as the real one.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// What a client may get instead of a reply.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// One request, read.
pub(super) struct Call {
    pub(super) method: http::Method,
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) raw_query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) user: User,
    pub(super) warnings: Vec<String>,
}

impl Call {
    /// A header's text; empty where absent.
    pub(super) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }

    /// The media type of the body.
    pub(super) fn content_type(&self) -> &str {
        self.header(header::CONTENT_TYPE).split(';').next().unwrap_or("").trim()
    }
}

/// One answer, before headers that every answer has.
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) content_type: &'static str,
    pub(super) body: ApiBody,
}

impl Reply {
    /// JSON text.
    pub(super) fn json(code: u16, body: impl Into<Bytes>) -> Self {
        Self { code, content_type: "application/json", body: ApiBody::Whole(Some(body.into())) }
    }

    /// A JSON value.
    pub(super) fn value(code: u16, value: &Value) -> Self {
        Self::json(code, format!("{value}\n"))
    }

    /// Plain text.
    pub(super) fn text(code: u16, text: impl Into<Bytes>) -> Self {
        Self { code, content_type: "text/plain; charset=utf-8", body: ApiBody::Whole(Some(text.into())) }
    }

    fn refusal(error: &ApiError) -> Self {
        if error.plain {
            return Self::text(error.code, error.message.clone());
        }
        Self::value(error.code, &error.to_status())
    }
}

impl<B> tower::Service<Request<B>> for ApiServer
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<ApiBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ApiBody>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move { server.serve(request).await })
    }
}

impl ApiServer {
    async fn serve<B>(self, request: Request<B>) -> Result<Response<ApiBody>, BoxError>
    where
        B: http_body::Body + Send,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        self.faults().pass().await?;
        tokio::time::sleep(self.faults().latency()).await;
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let met = self.faults().meet(parts.method.as_str(), &path);
        for fault in &met {
            if let Fault::DelayMillis(millis) = fault {
                tokio::time::sleep(Duration::from_millis(*millis)).await;
            }
        }
        let audit_id = match parts.headers.get("audit-id").and_then(|v| v.to_str().ok()) {
            Some(given) if !given.is_empty() => given.to_owned(),
            _ => self.audit_id(),
        };
        let mut call = Call {
            method: parts.method,
            path,
            query: Query::parse(parts.uri.query().unwrap_or("")),
            raw_query: parts.uri.query().unwrap_or("").to_owned(),
            headers: parts.headers,
            body: Bytes::new(),
            user: User::named(""),
            warnings: Vec::new(),
        };
        let storm = met.iter().find_map(|fault| match fault {
            Fault::Storm(code) => Some(*code),
            _ => None,
        });
        let outcome = match storm {
            Some(code) => Err(stormy(code)),
            None => match read_body(body).await {
                Ok(body) => {
                    call.body = body;
                    self.answer(&mut call).await
                }
                Err(error) => Err(error),
            },
        };
        let dropped = met.contains(&Fault::DropReply);
        let (reply, retry_after) = match outcome {
            Ok(reply) => (reply, 0),
            Err(error) => (Reply::refusal(&error), error.details.as_ref().map_or(0, |d| d.retry_after)),
        };
        self.log(&call, &audit_id, if dropped { 0 } else { reply.code });
        if dropped {
            return Err(Reset.into());
        }
        // A link that went down while the request was worked on loses the reply too.
        self.faults().pass().await?;
        Ok(self.finish(&call, reply, &audit_id, retry_after, &met))
    }

    fn log(&self, call: &Call, audit_id: &str, code: u16) {
        self.requests().push(Logged {
            method: call.method.to_string(),
            path: call.path.clone(),
            query: call.raw_query.clone(),
            user_agent: call.header(header::USER_AGENT).to_owned(),
            content_type: call.header(header::CONTENT_TYPE).to_owned(),
            audit_id: audit_id.to_owned(),
            user: call.user.name.clone(),
            body: call.body.clone(),
            code,
        });
    }

    async fn answer(&self, call: &mut Call) -> Result<Reply, ApiError> {
        call.user = self.authenticate(call)?;
        let target = match path::parse(&call.path) {
            Target::Object(target) => target,
            Target::Other(path) => return self.answer_path(call, &path),
        };
        let verb = verb_of(call, &target);
        let mut attempt = Attempt::on(&target, verb);
        if target.name.is_empty() && matches!(verb, "list" | "watch" | "deletecollection") {
            // A collection of one: a grant for that object's name covers it.
            attempt.name = selector::only_name(call.query.get("fieldSelector")).unwrap_or_default();
        }
        self.access().authorize(&call.user, &attempt)?;
        if let Some(reply) = reviews::answer(self, call, &target)? {
            return Ok(reply);
        }
        let Some(resource) = target.resource() else {
            let served = target.group.is_empty() || discovery::GROUPS.iter().any(|(group, _)| *group == target.group);
            return Err(if served { ApiError::no_such_resource() } else { ApiError::no_such_path() });
        };
        if matches!(call.method, http::Method::HEAD | http::Method::OPTIONS) {
            return Err(ApiError::method_not_allowed());
        }
        self.touch(resource, &target.namespace);
        match (target.subresource.as_str(), &call.method) {
            ("log", &http::Method::GET) if resource.kind == "Pod" => subresources::log(self, call, &target),
            ("proxy", _) if resource.kind == "Service" => subresources::proxy(self, call, &target).await,
            ("scale", _) if resource.scale => scale::answer(self, call, resource, &target),
            ("" | "status", _) if target.subresource.is_empty() || resource.status => match call.method {
                http::Method::GET if target.name.is_empty() => read::list(self, call, resource, &target),
                http::Method::GET => read::get(self, call, resource, &target),
                _ => write::answer(self, call, resource, &target),
            },
            ("scale", _) => Err(ApiError::not_found(resource, &target.name)),
            _ => Err(ApiError::no_such_resource()),
        }
    }

    fn answer_path(&self, call: &Call, path: &str) -> Result<Reply, ApiError> {
        let verb = call.method.as_str().to_lowercase();
        self.access().authorize_path(&call.user, path, &verb)?;
        if call.method != http::Method::GET {
            return Err(ApiError::method_not_allowed());
        }
        match path.trim_end_matches('/') {
            "/healthz" | "/livez" | "/readyz" => Ok(Reply::text(200, "ok")),
            path if path.starts_with("/openapi/v3") => openapi::answer(path),
            path => discovery::answer(path, call.header(header::ACCEPT)),
        }
    }

    fn authenticate(&self, call: &Call) -> Result<User, ApiError> {
        let unauthorized = || ApiError::bare(401, "Unauthorized", "Unauthorized");
        let given = call.header(header::AUTHORIZATION);
        let access = self.access();
        let user = match given.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                if self.faults().tokens_expired() {
                    return Err(unauthorized());
                }
                access.authenticate(token.trim())?
            }
            // Whoever shows something else than a bearer token is a stranger.
            _ if !given.is_empty() => User::anonymous(),
            _ => match &self.trusted {
                Some(_) if self.faults().tokens_expired() => return Err(unauthorized()),
                Some(user) => user.clone(),
                None => User::anonymous(),
            },
        };
        let as_user = call.headers.get("impersonate-user").and_then(|v| v.to_str().ok());
        let Some(as_user) = as_user else {
            return Ok(user);
        };
        let attempt = Attempt {
            verb: "impersonate".to_owned(),
            resource: "users".to_owned(),
            name: as_user.to_owned(),
            ..Attempt::default()
        };
        access.authorize(&user, &attempt)?;
        let groups = call.headers.get_all("impersonate-group").iter();
        let groups = groups.filter_map(|v| v.to_str().ok()).map(str::to_owned).collect();
        Ok(User { name: as_user.to_owned(), groups })
    }

    fn finish(&self, call: &Call, reply: Reply, audit_id: &str, retry_after: u32, met: &[Fault]) -> Response<ApiBody> {
        let (code, content_type) = (reply.code, reply.content_type);
        let body = damage::linked(damage::damage(reply.body, met), self.faults().link());
        let mut response = Response::new(body);
        *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name, value);
            }
        };
        set("audit-id", audit_id);
        let discovery = content_type == discovery::AGGREGATED;
        set("cache-control", if discovery { "public" } else { "no-cache, private" });
        set("content-type", content_type);
        set("date", &self.date());
        let plain = content_type.starts_with("text/plain");
        if code == 403 || (plain && !call.path.ends_with("/log")) {
            set("x-content-type-options", "nosniff");
        }
        if retry_after > 0 {
            set("retry-after", &retry_after.to_string());
        }
        for warning in &call.warnings {
            set("warning", &format!("299 - {warning:?}"));
        }
        response
    }

    /// The Date header: the simulation's time, off by the skew that was set.
    fn date(&self) -> String {
        let skew = jiff::SignedDuration::from_secs(self.faults().skew());
        let now = self.store().clock().now();
        let now = now.checked_add(skew).unwrap_or(now).to_zoned(jiff::tz::TimeZone::UTC);
        jiff::fmt::strtime::format("%a, %d %b %Y %H:%M:%S GMT", &now).unwrap_or_default()
    }
}

async fn read_body<B>(body: B) -> Result<Bytes, ApiError>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {BODY_LIMIT}");
            Err(ApiError::bare(413, "RequestEntityTooLarge", message))
        }
        Err(error) => Err(ApiError::bad_request(format!("unable to read the body: {error}"))),
    }
}

/// RBAC's verb for a request.
fn verb_of(call: &Call, target: &path::ObjectPath) -> &'static str {
    let collection = target.name.is_empty();
    match call.method {
        http::Method::GET | http::Method::HEAD if collection && call.query.flag("watch") => "watch",
        http::Method::GET | http::Method::HEAD if collection => "list",
        http::Method::GET | http::Method::HEAD => "get",
        http::Method::POST => "create",
        http::Method::PUT => "update",
        http::Method::PATCH => "patch",
        http::Method::DELETE if collection => "deletecollection",
        http::Method::DELETE => "delete",
        _ => "",
    }
}

fn stormy(code: u16) -> ApiError {
    match code {
        429 => ApiError::too_many_requests(1),
        503 => {
            let mut error =
                ApiError::bare(503, "ServiceUnavailable", "the server is currently unable to handle the request");
            error.details = ApiError::too_many_requests(1).details;
            error
        }
        504 => ApiError::bare(504, "Timeout", "Timeout: request did not complete within the allotted timeout"),
        code => {
            let message = "Internal error occurred: etcdserver: request timed out";
            ApiError::bare(code, "InternalError", message)
        }
    }
}
