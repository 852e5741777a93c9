//! Listens to everything that leaves a console, and knows what its disk had made durable by then.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use gonogo::domain::version::sha256_hex;
use gonogo::io::journal::{HeadRef, Sink, Store};
use gonogo::io::prometheus::{HttpStack, NoAnswer};
use gonogo::sim::api::ApiServer;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{BoxError, Service};

/// One request, as it left.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The cluster, or `prometheus REGION`.
    pub to: String,
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    /// The journal had this very request durable before it left.
    pub journaled: bool,
}

impl Sent {
    /// Neither a read, nor a rehearsal, nor a question about oneself.
    pub fn is_write(&self) -> bool {
        self.method != "GET"
            && !self.query.split('&').any(|p| p == "dryRun=All")
            && !self.path.contains("/selfsubject")
            && !self.to.starts_with("prometheus")
    }

    pub fn audit(&self) -> &str {
        self.headers.get("audit-id").and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// What was done to what: what two runs with one seed have in common. The journal's head is not:
    /// its thread dates entries by real time.
    pub fn line(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let mut parts = body.split("journal=");
        let first = parts.next().unwrap_or_default().to_owned();
        // It stands at the end of a fact's line.
        let rest = parts.map(|p| p.find("\\n").map_or("", |end| &p[end..]));
        let body = rest.fold(first, |all, part| format!("{all}journal={part}"));
        format!("{} {} {}?{} {body}", self.to, self.method, self.path, self.query)
    }
}

/// What one console sent, in order, and what its disk holds.
#[derive(Clone, Default)]
pub struct Tap {
    sent: Arc<Mutex<Vec<Sent>>>,
    pub disk: Disk,
}

impl Tap {
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    pub fn writes(&self) -> Vec<Sent> {
        self.sent().into_iter().filter(Sent::is_write).collect()
    }

    fn record(&self, to: &str, parts: &http::request::Parts, body: &Bytes) {
        let audit = parts.headers.get("audit-id").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let journaled = self.disk.has(to, audit, parts.method.as_str(), parts.uri.path(), &sha256_hex(body));
        self.sent.lock().unwrap().push(Sent {
            to: to.to_owned(),
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            body: body.clone(),
            journaled,
        });
    }
}

/// An API server that is listened to.
#[derive(Clone)]
pub struct Tapped {
    pub server: ApiServer,
    pub cluster: String,
    pub tap: Tap,
}

type Answer =
    Pin<Box<dyn Future<Output = Result<<ApiServer as Service<Request<Full<Bytes>>>>::Response, BoxError>> + Send>>;

impl<B> Service<Request<B>> for Tapped
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = <ApiServer as Service<Request<Full<Bytes>>>>::Response;
    type Error = BoxError;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let mut tapped = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(Into::into)?.to_bytes();
            tapped.tap.record(&tapped.cluster, &parts, &body);
            tapped.server.call(Request::from_parts(parts, Full::new(body))).await
        })
    }
}

/// A Prometheus that is listened to.
pub struct TappedHttp {
    pub stack: Arc<dyn HttpStack>,
    pub region: String,
    pub tap: Tap,
}

impl HttpStack for TappedHttp {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, NoAnswer>> {
        let (parts, body) = request.into_parts();
        self.tap.record(&format!("prometheus {}", self.region), &parts, &body);
        self.stack.send(Request::from_parts(parts, body))
    }
}

/// A disk that knows what is durable.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Bytewise>>);

#[derive(Default)]
struct Bytewise {
    files: Vec<File>,
    fails: bool,
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    durable: usize,
}

impl Disk {
    /// From now on nothing becomes durable.
    pub fn fail(&self) {
        self.0.lock().unwrap().fails = true;
    }

    /// Entries that are durable.
    pub fn entries(&self) -> Vec<Value> {
        let state = self.0.lock().unwrap();
        let text = |f: &File| String::from_utf8(f.bytes[..f.durable].to_vec()).unwrap();
        let lines: String = state.files.iter().map(text).collect();
        lines.lines().map(|l| serde_json::from_str::<Value>(l).unwrap()["entry"].clone()).collect()
    }

    /// Plans that were opened: verb and how it ended, if it did.
    pub fn operations(&self) -> Vec<(String, Option<String>)> {
        let entries = self.entries();
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let opened = entries.iter().filter(|e| e["type"] == "opened");
        opened
            .map(|o| {
                let closed = entries.iter().find(|e| e["type"] == "closed" && e["plan"] == o["plan"]);
                (text(&o["verb"]), closed.map(|c| text(&c["outcome"])))
            })
            .collect()
    }

    /// Whether an opened plan holds this very request.
    fn has(&self, cluster: &str, audit: &str, method: &str, path: &str, sha256: &str) -> bool {
        let mut parts = audit.split('-');
        let (Some(plan), Some(step)) = (parts.next(), parts.next().and_then(|s| s.parse::<usize>().ok())) else {
            return false;
        };
        let entries = self.entries();
        let opened = entries.iter().find(|e| e["type"] == "opened" && e["plan"] == plan);
        let writes = opened.and_then(|o| o["steps"][step]["writes"].as_array().cloned()).unwrap_or_default();
        writes
            .iter()
            .any(|w| w["cluster"] == cluster && w["method"] == method && w["path"] == path && w["sha256"] == sha256)
    }
}

struct OneFile(Disk, usize);

impl Store for Disk {
    fn open(&mut self) -> io::Result<(String, Box<dyn Sink>, Vec<HeadRef>)> {
        let mut state = self.0.lock().unwrap();
        state.files.push(File::default());
        let at = state.files.len() - 1;
        Ok((format!("disk-{at}.jsonl"), Box::new(OneFile(self.clone(), at)), vec![]))
    }
    fn host(&self) -> &str {
        "here"
    }
}

impl Sink for OneFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.0.lock().unwrap().files[self.1].bytes.extend_from_slice(bytes);
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        if state.fails {
            return Err(io::Error::other("input/output error"));
        }
        let file = &mut state.files[self.1];
        file.durable = file.bytes.len();
        Ok(())
    }
}
