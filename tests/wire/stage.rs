//! A scripted API server, a small fleet, and a notebook of what was observed when.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use gonogo::domain::fleet::{Cluster, Fleet, Region, Ring, RouteRef, Service as Released, VersionFrom, WorkloadRef};
use gonogo::domain::id::{ClusterIx, RegionIx, RingIx};
use gonogo::domain::link::{Link, LostReason};
use gonogo::domain::observation::{Observation, Seen, WatchKind};
use gonogo::io::connect::{Dial, Forgetful, InProcess, Mode, Remembered};
use gonogo::io::watch::{Watching, plan, watch_all};
use gonogo::io::{Clock, Clusters};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::{BoxError, Service};

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    /// Virtual time since the server was made.
    pub at: Duration,
    /// How many requests with the same method, path and kind (list or watch) came before.
    pub nth: usize,
}

impl Asked {
    pub fn is_watch(&self) -> bool {
        self.query.contains("watch=true")
    }
    pub fn is_list_of(&self, plural: &str) -> bool {
        self.method == "GET" && !self.is_watch() && self.path.ends_with(&format!("/{plural}"))
    }
    pub fn is_watch_of(&self, plural: &str) -> bool {
        self.is_watch() && self.path.ends_with(&format!("/{plural}"))
    }
}

/// What the server does with a request.
pub enum Does {
    Json(u16, Value),
    Raw(u16, &'static [(&'static str, &'static str)], Vec<u8>),
    Stream(Vec<Part>),
    /// Never answers.
    Hang,
    /// No connection.
    Refused,
    /// The connection breaks after the request was sent.
    Reset,
}

/// A part of a streamed body.
#[derive(Clone)]
pub enum Part {
    Line(Value),
    Bytes(Vec<u8>),
    Wait(u64),
    Cut,
    Hang,
}

type Handler = dyn Fn(&Asked) -> Does + Send + Sync;

/// A server that does what a function says.
#[derive(Clone)]
pub struct Server {
    handler: Arc<Handler>,
    pub log: Arc<Mutex<Vec<Asked>>>,
    start: Instant,
}

impl Server {
    pub fn new(handler: impl Fn(&Asked) -> Does + Send + Sync + 'static) -> Self {
        Self { handler: Arc::new(handler), log: Arc::default(), start: Instant::now() }
    }

    /// Requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// Virtual seconds at which requests came that meet the predicate.
    pub fn times(&self, meets: impl Fn(&Asked) -> bool) -> Vec<f64> {
        self.asked().iter().filter(|a| meets(a)).map(|a| a.at.as_secs_f64()).collect()
    }
}

type ServerBody = UnsyncBoxBody<Bytes, BoxError>;

impl<B> Service<Request<B>> for Server
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: std::fmt::Debug,
{
    type Response = Response<ServerBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ServerBody>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let mut asked = Asked {
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                headers: parts.headers,
                body,
                at: server.start.elapsed(),
                nth: 0,
            };
            {
                let mut log = server.log.lock().unwrap();
                let same =
                    |a: &&Asked| a.method == asked.method && a.path == asked.path && a.is_watch() == asked.is_watch();
                asked.nth = log.iter().filter(same).count();
                log.push(asked.clone());
            }
            answer((server.handler)(&asked)).await
        })
    }
}

async fn answer(does: Does) -> Result<Response<ServerBody>, BoxError> {
    let full = |bytes: Vec<u8>| {
        http_body_util::Full::new(Bytes::from(bytes)).map_err(|e: Infallible| match e {}).boxed_unsync()
    };
    match does {
        Does::Json(code, value) => {
            let response = Response::builder().status(code).header("date", "Sat, 21 Nov 2026 10:00:00 GMT");
            Ok(response.header("audit-id", "a-1").body(full(value.to_string().into_bytes())).unwrap())
        }
        Does::Raw(code, headers, bytes) => {
            let mut response = Response::builder().status(code);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            Ok(response.body(full(bytes)).unwrap())
        }
        Does::Stream(parts) => Ok(Response::new(stream(parts))),
        Does::Hang => std::future::pending().await,
        Does::Refused => Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into()),
        Does::Reset => Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
    }
}

fn stream(parts: Vec<Part>) -> ServerBody {
    let frames = futures::stream::iter(parts).then(|part| async move {
        let bytes = match part {
            Part::Line(value) => format!("{value}\n").into_bytes(),
            Part::Bytes(bytes) => bytes,
            Part::Wait(seconds) => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Vec::new()
            }
            Part::Cut => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
            Part::Hang => std::future::pending().await,
        };
        Ok::<_, BoxError>(Frame::data(Bytes::from(bytes)))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// A list of objects at a version.
pub fn list_of(version: &str, items: Vec<Value>) -> Does {
    Does::Json(200, json!({"kind": "List", "metadata": {"resourceVersion": version}, "items": items}))
}

pub fn event(kind: &str, object: Value) -> Part {
    Part::Line(json!({"type": kind, "object": object}))
}

pub fn bookmark(version: &str) -> Part {
    event("BOOKMARK", json!({"kind": "Deployment", "metadata": {"resourceVersion": version}}))
}

pub fn failed(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message})
}

pub fn deployment(name: &str, version: &str, tag: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "generation": 1,
            "resourceVersion": version, "managedFields": [{"manager": "x"}]},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": format!("r.example/web:{tag}")}]}},
            "selector": {"matchLabels": {"app": name}}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2,
            "availableReplicas": 2},
    })
}

/// A well-behaved cluster with one deployment; watches are quiet until their time is over.
pub fn well(asked: &Asked) -> Does {
    if asked.is_watch() {
        return quiet(asked);
    }
    match asked.path.as_str() {
        path if path.ends_with("/deployments") => list_of("10", vec![deployment("web", "9", "v1")]),
        path if path.ends_with("/configmaps") || path.ends_with("/httproutes") => list_of("10", vec![]),
        "/api/v1/namespaces/kube-system" => Does::Json(200, json!({"metadata": {"uid": "cluster-uid"}})),
        "/version" => Does::Json(200, json!({"gitVersion": "v1.34.2"})),
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => {
            Does::Json(201, json!({"status": {"userInfo": {"username": "ann", "groups": ["sre"]}}}))
        }
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            Does::Json(201, json!({"status": {"allowed": true}}))
        }
        _ => Does::Json(404, failed(404, "NotFound", "not found")),
    }
}

/// A watch without events that ends when the client asked for it.
pub fn quiet(asked: &Asked) -> Does {
    let seconds = asked.query.split('&').find_map(|p| p.strip_prefix("timeoutSeconds=")).unwrap();
    Does::Stream(vec![Part::Wait(seconds.parse().unwrap())])
}

/// A service `web` with one region per cluster; the first region has a route where asked.
pub fn fleet(clusters: usize, with_route: bool) -> Arc<Fleet> {
    let regions = (0..clusters).map(|i| Region {
        name: format!("r{i}").into(),
        ring: RingIx(0),
        cluster: ClusterIx::from(i),
        workload: WorkloadRef {
            kind: "Deployment".into(),
            namespace: "shop".into(),
            name: "web".into(),
            container: "web".into(),
        },
        route: (with_route && i == 0).then(|| RouteRef {
            provider: "HTTPRoute".into(),
            cluster: ClusterIx(0),
            namespace: "shop".into(),
            name: "web".into(),
            rule: 0,
            backend: "web".into(),
            drained_below: None,
            steps: Vec::new(),
            dwell: std::time::Duration::ZERO,
            steering: None,
        }),
        delivery: None,
        carrier: None,
        capacity: None,
        absorbers: vec![],
        zone: None,
        owner: None,
        escalation: None,
        deciders: vec![],
        stays: false,
    });
    let regions: Vec<Region> = regions.collect();
    let ring = Ring {
        name: "ring-0".into(),
        label: None,
        regions: (0..regions.len()).map(RegionIx::from).collect(),
        parallelism: 1,
        stagger: None,
        exit_gates: vec![],
        entry_gates: vec![],
    };
    let service = Released {
        name: "web".into(),
        rings: vec![ring],
        regions,
        columns: vec![],
        carries: vec![],
        version_from: VersionFrom::Image,
        owner: None,
        escalation: None,
        deciders: vec![],
        runbook: None,
        release_url: None,
        freeze: false,
        flag_off: None,
        policy: Default::default(),
        policy_hash: "0".into(),
    };
    let cluster = |i| Cluster { name: format!("c{i}").into(), prometheus: None };
    let clusters = (0..clusters).map(cluster).collect();
    Arc::new(Fleet {
        name: "test".into(),
        clusters,
        prometheuses: vec![],
        services: vec![service],
        identities: Default::default(),
    })
}

/// What was observed, and at which virtual time.
#[derive(Clone, Default)]
pub struct Notebook(Arc<Mutex<Vec<(Duration, Observation)>>>);

/// A watched fleet.
pub struct Stage {
    pub watching: Watching,
    pub notes: Notebook,
    pub clusters: Clusters,
}

/// The ways into scripted clusters, without watching them.
pub fn ways(fleet: &Arc<Fleet>, servers: &[Server], mode: &Mode) -> Clusters {
    Clusters::new(Arc::clone(fleet), in_process(servers), mode, &Clock::tokio(start_of_time()))
}

pub fn start_of_time() -> gonogo::domain::stamp::Timestamp {
    "2026-11-21T10:00:00Z".parse().unwrap()
}

pub fn in_process(servers: &[Server]) -> Arc<dyn Dial> {
    let dial = servers
        .iter()
        .enumerate()
        .fold(InProcess::new(), |dial, (i, server)| dial.with(ClusterIx::from(i), &format!("c{i}"), server.clone()));
    Arc::new(dial)
}

impl Stage {
    pub fn watch(fleet: Arc<Fleet>, servers: &[Server]) -> Self {
        Self::with(fleet, in_process(servers), &Mode::Console)
    }

    pub fn with(fleet: Arc<Fleet>, dial: Arc<dyn Dial>, mode: &Mode) -> Self {
        Self::remembering(fleet, dial, mode, Arc::new(Forgetful))
    }

    pub fn remembering(fleet: Arc<Fleet>, dial: Arc<dyn Dial>, mode: &Mode, remembered: Arc<dyn Remembered>) -> Self {
        let clock = Clock::tokio(start_of_time());
        let plans = plan(&fleet);
        let clusters = Clusters::new(fleet, dial, mode, &clock);
        let notes = Notebook::default();
        let start = Instant::now();
        let book = notes.0.clone();
        let tell: gonogo::io::Tell = Arc::new(move |o| book.lock().unwrap().push((start.elapsed(), o)));
        let watching = watch_all(&clusters, &plans, &clock, &tell, &remembered, 7);
        Self { watching, notes, clusters }
    }
}

impl Notebook {
    pub fn all(&self) -> Vec<(Duration, Observation)> {
        self.0.lock().unwrap().clone()
    }

    /// Lets virtual time pass until it holds; at most ten minutes.
    pub async fn until(&self, what: &str, holds: impl Fn(&Notebook) -> bool) {
        for _ in 0..60_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never came: {what}; observed {:#?}", self.all());
    }

    /// Links of a cluster with their times in seconds.
    pub fn links(&self, cluster: u32) -> Vec<(f64, Link)> {
        let of = |(at, o): (Duration, Observation)| match o {
            Observation::Link { cluster: c, link } if c.0 == cluster => Some((at.as_secs_f64(), link)),
            _ => None,
        };
        self.all().into_iter().filter_map(of).collect()
    }

    pub fn is_live(&self, cluster: u32) -> bool {
        matches!(self.links(cluster).last(), Some((_, Link::Live)))
    }

    pub fn lost(&self, cluster: u32) -> Option<(f64, LostReason)> {
        match self.links(cluster).pop() {
            Some((at, Link::Lost { reason, .. })) => Some((at, reason)),
            _ => None,
        }
    }

    /// Versions of workload `web` in the order they were seen; `gone` for a deletion.
    pub fn versions(&self, cluster: u32) -> Vec<String> {
        let of = |(_, o): (Duration, Observation)| match o {
            Observation::Object { cluster: c, seen: Seen::Workload { name, state, .. }, .. }
                if c.0 == cluster && &*name == "web" =>
            {
                Some(state.map_or_else(|| "gone".to_owned(), |w| w.version.to_string()))
            }
            _ => None,
        };
        self.all().into_iter().filter_map(of).collect()
    }

    /// Completed lists of workloads: what was there, and whether there was a gap.
    pub fn syncs(&self, cluster: u32) -> Vec<(Vec<String>, bool)> {
        let of = |(_, o): (Duration, Observation)| match o {
            Observation::Synced { cluster: c, watch: WatchKind::Workloads(_), present, gap, .. } if c.0 == cluster => {
                Some((present.iter().map(ToString::to_string).collect(), gap))
            }
            _ => None,
        };
        self.all().into_iter().filter_map(of).collect()
    }

    /// The newest facts about a cluster.
    pub fn facts(&self, cluster: u32) -> gonogo::domain::observation::ClusterFacts {
        let of = |(_, o): (Duration, Observation)| match o {
            Observation::Cluster { cluster: c, facts } if c.0 == cluster => Some(facts),
            _ => None,
        };
        self.all().into_iter().filter_map(of).last().unwrap_or_default()
    }

    /// Times of proof of life in seconds.
    pub fn heard(&self, cluster: u32) -> Vec<f64> {
        let of = |(at, o): (Duration, Observation)| match o {
            Observation::Heard { cluster: c, .. } if c.0 == cluster => Some(at.as_secs_f64()),
            _ => None,
        };
        self.all().into_iter().filter_map(of).collect()
    }
}
