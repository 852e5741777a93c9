//! The wire between one process and the world: everything that leaves is seen by the rules, everything that
//! comes can be lost, late, doubled, out of order or broken, and the process can die at any crossing.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use gonogo::io::prometheus::{HttpStack, NoAnswer};
use gonogo::sim::api::{ApiBody, ApiServer, Reset};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::{BoxError, Service};

use super::disk::Disk;
use super::planted::Bug;
use super::rules::{Sent, Shared};

/// What can be wrong between one process and one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Requests never arrive.
    Drop,
    /// Requests arrive late.
    Delay,
    /// Requests are carried out and their replies lost.
    LoseReply,
    /// What is open freezes, what is new hangs.
    HalfOpen,
    /// Replies end in the middle of their JSON.
    Truncate,
    /// 429 with Retry-After.
    TooMany,
    /// 500, 502, 503 or 504 from something in between.
    ServerError,
    /// Watch events are lost.
    WatchDrop,
    /// Watch events are late.
    WatchDelay,
    /// Watch events come twice.
    WatchDuplicate,
    /// Watch events change places.
    WatchReorder,
}

impl Trouble {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drop => "request dropped",
            Self::Delay => "request delayed",
            Self::LoseReply => "reply lost",
            Self::HalfOpen => "half-open connection",
            Self::Truncate => "truncated JSON",
            Self::TooMany => "429",
            Self::ServerError => "5xx",
            Self::WatchDrop => "watch event dropped",
            Self::WatchDelay => "watch event delayed",
            Self::WatchDuplicate => "watch event duplicated",
            Self::WatchReorder => "watch events reordered",
        }
    }
}

/// One trouble on one link.
#[derive(Clone, Copy, Debug)]
struct Active {
    cluster: usize,
    trouble: Trouble,
    until: Instant,
    /// Of a hundred requests or events, so many meet it.
    share: u8,
}

/// What becomes of a process at a crossing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Lives,
    /// It dies now: this is half done.
    Dies,
    /// It is dead already.
    Dead,
}

/// One life of a process.
#[derive(Default)]
struct Life {
    dead: bool,
    /// Crossings until it dies.
    left: Option<u32>,
}

struct Net {
    troubles: Vec<Active>,
    rng: fastrand::Rng,
    /// How often the watches of each cluster were cut.
    cuts: BTreeMap<usize, u64>,
    /// Tells watches that they may have been cut, in the order in which they wait.
    cut: Arc<Notify>,
}

/// The wire of one process.
#[derive(Clone)]
pub struct Wire {
    /// Which process.
    pub node: usize,
    life: Arc<Mutex<Life>>,
    net: Arc<Mutex<Net>>,
    rules: Shared,
}

impl Wire {
    /// A wire without troubles.
    pub fn new(node: usize, rules: Shared, seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        let net = Net { troubles: Vec::new(), rng, cuts: BTreeMap::new(), cut: Arc::default() };
        Self { node, life: Arc::default(), net: Arc::new(Mutex::new(net)), rules }
    }

    /// The same wire, for the next life of the process.
    pub fn reborn(&self) -> Self {
        Self { life: Arc::default(), ..self.clone() }
    }

    fn net(&self) -> MutexGuard<'_, Net> {
        self.net.lock().unwrap()
    }

    /// It dies after so many crossings; 0: now.
    pub fn dies_in(&self, crossings: u32) {
        let mut life = self.life.lock().unwrap();
        life.left = Some(crossings);
        life.dead |= crossings == 0;
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        self.life.lock().unwrap().dead
    }

    /// Something becomes visible outside, or something from outside in here.
    pub fn crosses(&self) -> Fate {
        let mut life = self.life.lock().unwrap();
        if life.dead {
            return Fate::Dead;
        }
        match &mut life.left {
            Some(left) if *left <= 1 => {
                life.dead = true;
                Fate::Dies
            }
            Some(left) => {
                *left -= 1;
                Fate::Lives
            }
            None => Fate::Lives,
        }
    }

    /// Trouble on the link to a cluster.
    pub fn trouble(&self, cluster: usize, trouble: Trouble, lasts: Duration, share: u8) {
        let until = Instant::now() + lasts;
        self.net().troubles.push(Active { cluster, trouble, until, share });
    }

    /// Ends every open watch of a cluster.
    pub fn cut(&self, cluster: usize) {
        let mut net = self.net();
        *net.cuts.entry(cluster).or_default() += 1;
        net.cut.notify_waiters();
    }

    fn cuts(&self, cluster: usize) -> u64 {
        self.net().cuts.get(&cluster).copied().unwrap_or(0)
    }

    /// Ends all troubles.
    pub fn heal(&self) {
        self.net().troubles.clear();
    }

    /// Until when a trouble lasts that this request or event meets.
    fn meets(&self, cluster: usize, trouble: Trouble) -> Option<Instant> {
        let now = Instant::now();
        let mut net = self.net();
        net.troubles.retain(|t| t.until > now);
        let found = net.troubles.iter().find(|t| t.cluster == cluster && t.trouble == trouble).copied()?;
        (net.rng.u8(..100) < found.share).then_some(found.until)
    }

    fn fired(&self, cluster: usize, trouble: Trouble) {
        let mut rules = self.rules.lock();
        rules.fired(trouble.name());
        rules.disturbed(self.node, cluster, trouble == Trouble::WatchDrop);
    }

    fn below(&self, most: u64) -> Duration {
        Duration::from_millis(self.net().rng.u64(1..=most))
    }
}

/// An API server at the end of a wire.
#[derive(Clone)]
pub struct Wired {
    pub server: ApiServer,
    pub cluster: usize,
    pub wire: Wire,
    pub disk: Disk,
    pub bug: Option<Bug>,
}

type Answered = Result<Response<ApiBody>, BoxError>;

impl<B> Service<Request<B>> for Wired
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<ApiBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Answered> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let wired = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(Into::into)?.to_bytes();
            wired.exchange(parts, body).await
        })
    }
}

impl Wired {
    async fn exchange(mut self, mut parts: http::request::Parts, mut body: Bytes) -> Answered {
        let Self { wire, cluster, bug, .. } = self.clone();
        if wire.crosses() != Fate::Lives {
            return Err(Reset.into());
        }
        if let Some(bug) = bug {
            bug.leaves(&mut parts, &mut body);
        }
        let sent = Sent::new(wire.node, self.cluster, self.server.name(), &parts, &body, &self.disk);
        wire.rules.lock().leaves(&sent);
        wire.rules.lock().history(&format!("{} → {}", wire.node, sent.line()));
        if wire.meets(cluster, Trouble::Drop).is_some() {
            wire.fired(cluster, Trouble::Drop);
            return Err(Reset.into());
        }
        if wire.meets(cluster, Trouble::Delay).is_some() {
            wire.fired(cluster, Trouble::Delay);
            tokio::time::sleep(wire.below(4_000)).await;
        }
        if let Some(until) = wire.meets(cluster, Trouble::HalfOpen) {
            wire.fired(cluster, Trouble::HalfOpen);
            tokio::time::sleep_until(until).await;
            return Err(Reset.into());
        }
        for trouble in [Trouble::TooMany, Trouble::ServerError] {
            if wire.meets(cluster, trouble).is_some() {
                wire.fired(cluster, trouble);
                return Ok(in_between(trouble, wire.below(4).subsec_millis()));
            }
        }
        let before = sent.is_write().then(|| wire.rules.lock().arrives(&sent));
        let watch = sent.query.contains("watch=true");
        let mut answer = self.server.call(Request::from_parts(parts, Full::new(body))).await?;
        if let Some(before) = before {
            wire.rules.lock().answered(&sent, answer.status().as_u16(), before);
        }
        if wire.meets(cluster, Trouble::LoseReply).is_some() {
            wire.fired(cluster, Trouble::LoseReply);
            return Err(Reset.into());
        }
        if !watch && wire.meets(cluster, Trouble::Truncate).is_some() {
            wire.fired(cluster, Trouble::Truncate);
            answer = answer.map(truncated);
        }
        if let Some(bug) = bug.filter(|b| b.changes_answers()) {
            answer = answer.map(|body| bug.comes(body));
        }
        // A reply that comes to a process that is dead comes to nobody.
        if wire.crosses() != Fate::Lives {
            return Err(Reset.into());
        }
        Ok(if watch { answer.map(|body| disturbed(body, wire, cluster)) } else { answer })
    }
}

fn truncated(body: ApiBody) -> ApiBody {
    match body {
        ApiBody::Whole(Some(whole)) => ApiBody::Whole(Some(whole.slice(..whole.len() / 2))),
        other => other,
    }
}

/// What a proxy or an overloaded server says.
fn in_between(trouble: Trouble, pick: u32) -> Response<ApiBody> {
    let code = match (trouble, pick) {
        (Trouble::TooMany, _) => 429,
        (_, 1) => 500,
        (_, 2) => 502,
        (_, 3) => 503,
        _ => 504,
    };
    let text = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": if code == 429 { "TooManyRequests" } else { "InternalError" }, "message": "try later",
    });
    let mut answer = Response::new(ApiBody::from(text.to_string()));
    *answer.status_mut() = http::StatusCode::from_u16(code).unwrap();
    answer.headers_mut().insert("content-type", "application/json".parse().unwrap());
    if code == 429 {
        answer.headers_mut().insert("retry-after", "1".parse().unwrap());
    }
    answer
}

/// A watch whose events meet the troubles of its link.
fn disturbed(body: ApiBody, wire: Wire, cluster: usize) -> ApiBody {
    let ApiBody::Stream(chunks) = body else { return body };
    let cuts = wire.cuts(cluster);
    let (lines, part) = (VecDeque::new(), Vec::new());
    let state = Events { chunks, wire, cluster, cuts, lines, part, again: None, ended: false };
    ApiBody::stream(futures::stream::unfold(state, |mut state| async move {
        let next = state.next().await?;
        Some((next, state))
    }))
}

struct Events {
    chunks: Pin<Box<dyn futures::Stream<Item = Result<Bytes, Reset>> + Send>>,
    wire: Wire,
    cluster: usize,
    /// When it was opened, so many cuts had been.
    cuts: u64,
    lines: VecDeque<Bytes>,
    part: Vec<u8>,
    /// Comes once more.
    again: Option<Bytes>,
    ended: bool,
}

impl Events {
    /// More lines, or false at the end.
    async fn more(&mut self) -> Result<bool, Reset> {
        if self.ended {
            return Ok(false);
        }
        let cut = self.wire.net().cut.clone();
        let next = loop {
            let told = cut.notified();
            if self.wire.cuts(self.cluster) != self.cuts {
                return Err(Reset);
            }
            tokio::select! {
                biased;
                () = told => {}
                next = self.chunks.next() => break next,
            }
        };
        match next {
            None => {
                self.ended = true;
                Ok(false)
            }
            Some(Err(reset)) => Err(reset),
            Some(Ok(chunk)) => {
                for piece in chunk.split_inclusive(|b| *b == b'\n') {
                    self.part.extend_from_slice(piece);
                    if piece.ends_with(b"\n") {
                        self.lines.push_back(std::mem::take(&mut self.part).into());
                    }
                }
                Ok(true)
            }
        }
    }

    fn meets(&self, trouble: Trouble) -> bool {
        let met = self.wire.meets(self.cluster, trouble).is_some();
        if met {
            self.wire.fired(self.cluster, trouble);
        }
        met
    }

    async fn next(&mut self) -> Option<Result<Bytes, Reset>> {
        loop {
            while self.lines.is_empty() && self.again.is_none() {
                match self.more().await {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(reset) => return Some(Err(reset)),
                }
            }
            if self.wire.crosses() != Fate::Lives {
                return Some(Err(Reset));
            }
            if let Some(until) = self.wire.meets(self.cluster, Trouble::HalfOpen) {
                self.wire.fired(self.cluster, Trouble::HalfOpen);
                tokio::time::sleep_until(until).await;
                return Some(Err(Reset));
            }
            // The second of two is not doubled again.
            if let Some(line) = self.again.take() {
                return Some(Ok(line));
            }
            let line = self.lines.pop_front()?;
            if self.meets(Trouble::WatchDrop) {
                continue;
            }
            if self.meets(Trouble::WatchDelay) {
                tokio::time::sleep(self.wire.below(6_000)).await;
            }
            if self.meets(Trouble::WatchDuplicate) {
                self.again = Some(line.clone());
            } else if self.meets(Trouble::WatchReorder) {
                // Behind the one that comes next, if one comes soon.
                if self.lines.is_empty() {
                    let _ = tokio::time::timeout(Duration::from_secs(3), self.more()).await;
                }
                if let Some(next) = self.lines.pop_front() {
                    self.lines.push_front(line);
                    return Some(Ok(next));
                }
            }
            return Some(Ok(line));
        }
    }
}

/// A Prometheus at the end of a wire.
pub struct WiredHttp {
    pub stack: Arc<dyn HttpStack>,
    pub faults: gonogo::sim::prom::faults::Faults,
    pub region: String,
    pub wire: Wire,
}

impl HttpStack for WiredHttp {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, NoAnswer>> {
        Box::pin(async move {
            if self.wire.crosses() != Fate::Lives {
                return Err(NoAnswer::Failed("killed".to_owned()));
            }
            let (parts, body) = request.into_parts();
            {
                let mut rules = self.wire.rules.lock();
                rules.asks(self.wire.node, &self.region, &parts, &body);
                for fault in self.faults.now() {
                    rules.fired(super::script::prom_name(&fault));
                }
            }
            let answer = self.stack.send(Request::from_parts(parts, body)).await;
            if self.wire.crosses() == Fate::Lives { answer } else { Err(NoAnswer::Failed("killed".to_owned())) }
        })
    }
}
