//! One HTTP exchange with an API server: the answer with its headers, or how it failed.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;

use crate::domain::id::Text;
use crate::domain::link::LostReason;
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::io::secrets::{hidden, hidden_bytes};

/// Longest error message kept, in bytes.
const MESSAGE: usize = 600;
/// Largest error body read: a `Status` is small, a proxy's HTML page is cut.
const ERROR_BODY: usize = 256 * 1024;

/// A successful answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the headers say.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
}

/// What we read from the headers of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `Date`: the server's clock.
    pub server_time: Option<Timestamp>,
    /// `Audit-Id`: joins our journal to the server's audit log.
    pub audit: Option<Text>,
    /// `Warning` headers, made visible.
    pub warnings: Vec<Text>,
    /// `Retry-After` in seconds.
    pub retry_after: Option<Duration>,
}

/// How an exchange failed. What matters for a write is whether the request may have left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no way in: context, credentials plugin, TLS settings.
    NoAccess(LostReason),
    /// No connection was made: nothing was sent.
    NotSent(String),
    /// Our own guard stopped it: nothing was sent.
    Denied(String),
    /// The request may have left, and no complete answer came.
    Lost(String),
    /// The server answered with an error.
    Status(Box<Status>),
    /// The answer is not what the API promises.
    Garbage(String),
}

/// An error answer: a Kubernetes `Status`, or plain text from something in between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// HTTP status.
    pub code: u16,
    /// Reason word, e.g. `Forbidden`; empty for a plain text answer.
    pub reason: String,
    /// The message, made visible.
    pub message: String,
    /// `details.causes` is there and not empty.
    pub has_causes: bool,
    /// `Retry-After`, from the header or the details.
    pub retry_after: Option<Duration>,
    /// The body is a `Status` object: an API server spoke, not a proxy.
    pub is_status: bool,
    /// The headers.
    pub headers: Headers,
    /// The body where it is not a `Status`: something behind a proxy may have its own words.
    pub body: Bytes,
}

#[derive(Deserialize)]
struct RawStatus {
    kind: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    code: Option<u16>,
    #[serde(default)]
    details: Option<RawDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDetails {
    #[serde(default)]
    causes: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    retry_after_seconds: Option<u64>,
}

/// An in-process stack says by this error that no connection was made.
#[derive(Debug, thiserror::Error)]
#[error("connection refused: {0}")]
pub struct NotConnected(pub String);

/// Our guard's refusal, as it travels through the client's stack.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotAllowed(pub String);

/// Sends one request and reads the whole answer, within `limit` and at most `most` bytes.
pub(crate) async fn exchange(
    client: &kube::Client,
    request: Request<Bytes>,
    limit: Duration,
    most: usize,
) -> Result<Answer, Failure> {
    let work = async {
        let response = open(client, request).await?;
        let headers = Headers::read(response.headers());
        let body = whole(response.into_body(), most).await?;
        Ok(Answer { headers, body })
    };
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(Failure::timeout(limit)))
}

/// Sends one request; a success comes back with its body unread.
pub(crate) async fn open(client: &kube::Client, request: Request<Bytes>) -> Result<Response<Body>, Failure> {
    let response = client.send(request.map(Body::from)).await.map_err(|e| Failure::of(&e))?;
    let code = response.status();
    if code.is_success() {
        return Ok(response);
    }
    let headers = Headers::read(response.headers());
    // The code alone already says that it failed: a body that cannot be read changes nothing.
    let body = whole(response.into_body(), ERROR_BODY).await.unwrap_or_default();
    Err(Failure::Status(Box::new(Status::read(code.as_u16(), headers, &body))))
}

/// A whole body of at most `most` bytes.
async fn whole(mut body: Body, most: usize) -> Result<Bytes, Failure> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| Failure::Lost(format!("answer cut off: {}", chain(&e))))?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > most {
            return Err(Failure::Garbage(format!("answer is larger than {} MB", most / (1024 * 1024))));
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

impl Headers {
    /// Reads what we use.
    pub fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        Self {
            server_time: text("date").and_then(http_date),
            audit: text("audit-id").map(|a| safe(a, 80).into()),
            warnings: headers
                .get_all("warning")
                .iter()
                .filter_map(|v| std::str::from_utf8(v.as_bytes()).ok())
                .map(|w| safe(warning_text(w), 300).into())
                .collect(),
            retry_after: text("retry-after").and_then(|s| s.trim().parse().ok()).map(Duration::from_secs),
        }
    }
}

/// RFC 9110 dates, e.g. `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}

/// The text inside `299 - "text"`.
fn warning_text(header: &str) -> &str {
    match (header.find('"'), header.rfind('"')) {
        (Some(first), Some(last)) if first < last => header.get(first + 1..last).unwrap_or(header),
        _ => header,
    }
}

impl Status {
    /// Reads an error body: a `Status`, or anything else a proxy may say.
    pub fn read(code: u16, headers: Headers, body: &[u8]) -> Self {
        let body: &[u8] = &hidden_bytes(body);
        let raw = serde_json::from_slice::<RawStatus>(body).ok().filter(|s| s.kind == "Status");
        let is_status = raw.is_some();
        let (message, reason, details) = match raw {
            Some(raw) => (raw.message.unwrap_or_default(), raw.reason.unwrap_or_default(), raw.details),
            None => (plain(body), String::new(), None),
        };
        let asked = details.as_ref().and_then(|d| d.retry_after_seconds).map(Duration::from_secs);
        Self {
            code,
            reason: safe(&reason, 80),
            message: safe(message.trim(), MESSAGE),
            has_causes: details.and_then(|d| d.causes).is_some_and(|c| !c.is_empty()),
            retry_after: headers.retry_after.or(asked),
            is_status,
            headers,
            body: if is_status { Bytes::new() } else { Bytes::copy_from_slice(body) },
        }
    }

    /// A `Status` inside a watch event of type `ERROR`.
    pub fn in_event(object: &[u8]) -> Self {
        let code = serde_json::from_slice::<RawStatus>(object).ok().and_then(|s| s.code).unwrap_or(500);
        Self::read(code, Headers::default(), object)
    }

    /// Code, reason and message in one line.
    pub fn line(&self) -> String {
        match (self.reason.as_str(), self.message.as_str()) {
            ("", "") => self.code.to_string(),
            ("", message) => format!("{} {message}", self.code),
            (reason, "") => format!("{} {reason}", self.code),
            (reason, message) => format!("{} {reason}: {message}", self.code),
        }
    }
}

/// The first line of a text answer; a page of HTML only by its name.
fn plain(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start();
    if text.starts_with('<') {
        return "an HTML page, not the Kubernetes API".to_owned();
    }
    text.lines().next().unwrap_or_default().to_owned()
}

impl Failure {
    /// Sorts a client error by whether the request may have left.
    pub(crate) fn of(error: &kube::Error) -> Self {
        if let Some(denied) = find::<NotAllowed>(error) {
            return Failure::Denied(denied.0.clone());
        }
        if let Some(text) = untrusted(error) {
            return Failure::NotSent(text);
        }
        let text = chain(error);
        let before = find::<NotConnected>(error).is_some()
            || find::<hyper_util::client::legacy::Error>(error).is_some_and(|e| e.is_connect())
            || find::<std::io::Error>(error).is_some_and(|e| never_connected(e.kind()));
        match error {
            _ if before => Failure::NotSent(text),
            kube::Error::Auth(_) => Failure::NoAccess(LostReason::Unusable(text.into())),
            _ => Failure::Lost(text),
        }
    }

    /// No answer within `limit`.
    pub(crate) fn timeout(limit: Duration) -> Self {
        Failure::Lost(format!("no answer within {} s", limit.as_secs()))
    }

    /// The HTTP status, if the server answered.
    pub fn code(&self) -> Option<u16> {
        match self {
            Failure::Status(status) => Some(status.code),
            _ => None,
        }
    }

    /// How long the server asks us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Status(status) => status.retry_after,
            _ => None,
        }
    }

    /// For people, without what was attempted.
    pub fn text(&self) -> String {
        match self {
            Failure::NoAccess(reason) => reason.text().1.to_owned(),
            Failure::NotSent(text) | Failure::Denied(text) | Failure::Lost(text) | Failure::Garbage(text) => {
                hidden(text).into_owned()
            }
            Failure::Status(status) => status.line(),
        }
    }

    /// As the link shows it; `doing` names verb, object and cluster.
    pub fn reason(&self, doing: &str) -> LostReason {
        let text: Text = safe(&format!("{doing}: {}", self.text()), MESSAGE).into();
        match self {
            Failure::NoAccess(reason) => reason.clone(),
            Failure::NotSent(_) | Failure::Lost(_) => LostReason::Unreachable(text),
            Failure::Denied(_) => LostReason::Unusable(text),
            Failure::Garbage(_) => LostReason::Failing(text),
            Failure::Status(status) => match status.code {
                401 => LostReason::Unauthenticated(text),
                403 => LostReason::Forbidden(text),
                _ => LostReason::Failing(text),
            },
        }
    }
}

/// Kinds of error that a connection attempt gives and an open connection never does.
fn never_connected(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::AddrNotAvailable
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    )
}

/// Why the server's certificate is not trusted, and what to do about it.
fn untrusted(error: &(dyn StdError + 'static)) -> Option<String> {
    use rustls::CertificateError as Wrong;
    let error = causes(error).find_map(|e| e.downcast_ref::<rustls::Error>().or_else(|| carried(e)))?;
    let rustls::Error::InvalidCertificate(wrong) = error else { return None };
    Some(match wrong {
        Wrong::UnknownIssuer | Wrong::BadSignature => {
            "its certificate is not signed by the CA of the kubeconfig: this is \
             another server, or its CA was renewed; fetch the kubeconfig anew"
                .to_owned()
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            let names = match wrong {
                Wrong::NotValidForNameContext { presented, .. } => format!(" ({})", presented.join(", ")),
                _ => String::new(),
            };
            let text = "its certificate is for other names than the one in the kubeconfig";
            safe(&format!("{text}{names}: correct `server`, or set `tls-server-name`"), MESSAGE)
        }
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            "its certificate has expired: renew it, or set this host's clock".to_owned()
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "its certificate is not valid yet: set this host's clock, or wait".to_owned()
        }
        other => safe(&format!("its certificate is not trusted: {other}"), MESSAGE),
    })
}

/// The TLS error that an I/O error carries, or one that it carries: it does not name it as its source.
fn carried<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut io = error.downcast_ref::<std::io::Error>()?;
    for _ in 0..8 {
        let inner = io.get_ref()?;
        match inner.downcast_ref::<rustls::Error>() {
            Some(found) => return Some(found),
            None => io = inner.downcast_ref::<std::io::Error>()?,
        }
    }
    None
}

/// The first error of a type in the chain of sources.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    causes(error).find_map(|e| e.downcast_ref::<E>())
}

/// An error and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let next = |e: &&'a (dyn StdError + 'static)| {
        let e: &'a (dyn StdError + 'static) = *e;
        e.source()
    };
    std::iter::successors(Some(error), next).take(16)
}

/// The innermost causes in one line, made visible: outer layers only repeat them.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut lines: Vec<String> = Vec::new();
    for cause in causes(error) {
        let line = cause.to_string();
        if let Some(last) = lines.last_mut()
            && last.contains(&line)
        {
            *last = line;
        } else {
            lines.push(line);
        }
    }
    let from = lines.len().saturating_sub(2);
    safe(&lines.get(from..).unwrap_or_default().join(": "), MESSAGE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn a_status_keeps_what_decides_and_makes_text_visible() {
        let body = br#"{"kind":"Status","code":422,"reason":"Invalid","message":"no\u001b[2J",
            "details":{"causes":[{"reason":"x"}],"retryAfterSeconds":7}}"#;
        let status = Status::read(422, Headers::default(), body);
        assert!(status.has_causes && status.is_status);
        assert_eq!(status.retry_after, Some(Duration::from_secs(7)));
        assert_eq!(status.line(), "422 Invalid: no␛[2J");
    }

    #[test]
    fn text_and_pages_from_in_between_are_said_plainly() {
        let read = |body: &[u8]| Status::read(404, Headers::default(), body).line();
        assert_eq!(read(b"404 page not found\n"), "404 404 page not found");
        assert_eq!(read(b"  <html><body>x"), "404 an HTML page, not the Kubernetes API");
        assert_eq!(read(b""), "404");
        assert_eq!(read(&[0xff, 0xfe]), "404 \u{fffd}\u{fffd}");
    }

    #[test]
    fn headers_give_server_time_audit_id_and_warnings() {
        let mut map = HeaderMap::new();
        map.insert("date", "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        map.insert("audit-id", "a-1".parse().unwrap());
        map.append("warning", r#"299 - "spec.x is deprecated""#.parse().unwrap());
        map.append("warning", "odd".parse().unwrap());
        map.insert("retry-after", "3".parse().unwrap());
        let headers = Headers::read(&map);
        assert_eq!(headers.server_time.unwrap().to_string(), "1994-11-06T08:49:37Z");
        assert_eq!(headers.audit.as_deref(), Some("a-1"));
        assert_eq!(&*headers.warnings[0], "spec.x is deprecated");
        assert_eq!(&*headers.warnings[1], "odd");
        assert_eq!(headers.retry_after, Some(Duration::from_secs(3)));
    }
}
