//! One line per Prometheus: questions wait in slots, the latest wins, four are in flight.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderName, Request};
use tokio::runtime::Handle;

use super::stack::{Clients as HttpClients, HttpStack, Network, NoAnswer};
use crate::config::{Config, Login, PrometheusServer, Reach, Secret};
use crate::domain::id::{ClusterIx, ColumnName, RegionIx, ServiceIx, Text};
use crate::domain::metric::NoData;
use crate::domain::observation::Observation;
use crate::domain::question::{MetricQuestion, SeriesOf, Span};
use crate::domain::text::safe;
use crate::io::Tell;
use crate::io::answer::Failure;
use crate::io::connect::{Clusters, ProxyEnv};
use crate::io::secrets::{hidden, hidden_bytes, learn};
use crate::io::watch::escaped;
use crate::metrics::prometheus;

/// Questions in flight per Prometheus.
const IN_FLIGHT: usize = 4;
/// How long we wait: longer than the server may evaluate (10 s), so that its own words arrive.
const WAITS: Duration = Duration::from_secs(15);

/// Every Prometheus of a configuration.
pub struct Prometheus {
    all: Vec<Arc<Line>>,
    runtime: Handle,
    tell: Tell,
}

struct Line {
    server: PrometheusServer,
    stack: Arc<dyn HttpStack>,
    clusters: Clusters,
    /// A watch screen sends only GET.
    watch_only: bool,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    order: VecDeque<Slot>,
    waiting: BTreeMap<Slot, MetricQuestion>,
    in_flight: usize,
}

/// What replaces each other: the same column over the same kind of span, for the same regions.
type Slot = (ServiceIx, ColumnName, SpanKind, Option<RegionIx>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SpanKind {
    Now,
    Exemplars,
    /// By its first window: a long span is asked for piece by piece.
    Windows(i64),
    /// By its step: the last hour and the last week are different questions.
    History(i64),
}

/// What a Prometheus answered: status and body.
type Answered = Result<(u16, Bytes), NoData>;

impl Prometheus {
    /// Over the network, or through API servers; answers are told. Must be called inside a tokio runtime.
    pub fn new(config: &Config, clusters: &Clusters, watch_only: bool, tell: Tell) -> Self {
        let proxy = ProxyEnv::read(|name| std::env::var(name).ok());
        let clients = HttpClients::default();
        let stack =
            |s: &PrometheusServer| -> Arc<dyn HttpStack> { Network::sharing(&clients, s.ca.clone(), proxy.clone()) };
        Self::over(&config.prometheuses, stack, clusters, watch_only, tell)
    }

    /// Over other stacks: for what lives in this process. Must be called inside a tokio runtime.
    pub fn over(
        servers: &[PrometheusServer],
        stack: impl Fn(&PrometheusServer) -> Arc<dyn HttpStack>,
        clusters: &Clusters,
        watch_only: bool,
        tell: Tell,
    ) -> Self {
        let line = |server: &PrometheusServer| {
            Arc::new(Line {
                stack: stack(server),
                server: server.clone(),
                clusters: clusters.clone(),
                watch_only,
                queue: Mutex::default(),
            })
        };
        Self { all: servers.iter().map(line).collect(), runtime: Handle::current(), tell }
    }

    /// The paths of queries through service proxies: what a watch screen's reader must let through.
    pub fn proxy_paths(servers: &[PrometheusServer]) -> Vec<String> {
        let paths = servers.iter().filter_map(|s| proxied(&s.reach));
        let below =
            |base: String| ["query", "query_range", "query_exemplars"].map(|name| format!("{base}/api/v1/{name}"));
        paths.flat_map(below).collect()
    }

    /// Asks. A question that still waits in the same slot is replaced. Never waits.
    pub fn ask(&self, question: MetricQuestion) {
        let Some(line) = self.all.get(question.prometheus.at()) else {
            (self.tell)(prometheus::failed(&question, NoData::NotConfigured));
            return;
        };
        if line.enqueue(question) {
            let (line, tell) = (Arc::clone(line), Arc::clone(&self.tell));
            self.runtime.spawn(async move {
                while let Some(question) = line.next() {
                    tell(line.answered(&question).await);
                }
            });
        }
    }

    /// A question outside of slots, for a check: its answer as an observation.
    pub async fn ask_once(&self, question: &MetricQuestion) -> Observation {
        match self.all.get(question.prometheus.at()) {
            Some(line) => line.answered(question).await,
            None => prometheus::failed(question, NoData::NotConfigured),
        }
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Poisoned by a panic elsewhere: the queue itself is whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another one may be in flight.
    fn enqueue(&self, question: MetricQuestion) -> bool {
        let mut queue = self.lock();
        let slot = slot(&question);
        if queue.waiting.insert(slot.clone(), question).is_none() {
            queue.order.push_back(slot);
        }
        let may = queue.in_flight < IN_FLIGHT;
        if may {
            queue.in_flight += 1;
        }
        may
    }

    /// The next question; none ends a worker.
    fn next(&self) -> Option<MetricQuestion> {
        let mut queue = self.lock();
        while let Some(slot) = queue.order.pop_front() {
            if let Some(question) = queue.waiting.remove(&slot) {
                return Some(question);
            }
        }
        queue.in_flight = queue.in_flight.saturating_sub(1);
        None
    }

    /// The answer to a question, which may take several requests, one after the other.
    async fn answered(&self, question: &MetricQuestion) -> Observation {
        let mut answers = Vec::new();
        for part in prometheus::parts(question) {
            answers.push(self.part_answered(&part).await);
        }
        prometheus::joined(answers).unwrap_or_else(|| prometheus::failed(question, NoData::Empty))
    }

    async fn part_answered(&self, question: &MetricQuestion) -> Observation {
        let answer = tokio::time::timeout(WAITS, self.exchange(question)).await;
        match answer.unwrap_or(Err(NoData::Timeout)) {
            // Who refuses may repeat what we sent with the question.
            Ok((code, body)) if !is_answer(code, &body) => prometheus::answer(question, code, &hidden_bytes(&body)),
            Ok((code, body)) => prometheus::answer(question, code, &body),
            Err(reason) => prometheus::failed(question, reason),
        }
    }

    async fn exchange(&self, question: &MetricQuestion) -> Answered {
        let (api, form) = (prometheus::path(question), prometheus::form(question));
        let form: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let form = form.join("&");
        match &self.server.reach {
            Reach::ServiceProxy { cluster, .. } => {
                let path = format!("{}{api}?{form}", proxied(&self.server.reach).unwrap_or_default());
                self.through(*cluster, &path).await
            }
            Reach::Url(base) => {
                let request = self.request(base, api, form).await?;
                let answer = self.stack.send(request).await.map_err(|e| match e {
                    NoAnswer::Failed(text) | NoAnswer::NotSent(text) => NoData::Unreachable(hidden(&text).into()),
                    NoAnswer::TooLarge => NoData::NotPrometheus(format!("an answer {e}").into()),
                })?;
                Ok((answer.status().as_u16(), answer.into_body()))
            }
        }
    }

    /// Through an API server, with its credentials: a GET like any other read.
    async fn through(&self, cluster: ClusterIx, path: &str) -> Answered {
        let access = self.clusters.get(cluster).ok_or(NoData::NotConfigured)?;
        let open = access.reader().await.map_err(|r| NoData::Unreachable(r.text().1.into()))?;
        match open.reader.get_as(path, "application/json", WAITS).await {
            Ok(answer) => Ok((200, answer.body)),
            // Prometheus's own words if it was Prometheus that refused.
            Err(Failure::Status(status)) if !status.is_status => Ok((status.code, status.body)),
            Err(Failure::Status(status)) => Err(NoData::Http(status.code, status.message.into())),
            Err(failure) => Err(NoData::Unreachable(safe(&failure.text(), 300).into())),
        }
    }

    async fn request(&self, base: &str, api: &str, form: String) -> Result<Request<Bytes>, NoData> {
        let wrong = |e: &dyn std::fmt::Display| NoData::Unreachable(safe(&format!("not a request: {e}"), 200).into());
        let url = format!("{}{}", base.trim_end_matches('/'), api);
        let builder = Request::builder().header(ACCEPT, "application/json");
        let mut request = if self.watch_only {
            builder.method("GET").uri(format!("{url}?{form}")).body(Bytes::new())
        } else {
            builder
                .method("POST")
                .uri(url)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Bytes::from(form))
        }
        .map_err(|e| wrong(&e))?;
        authorize(&mut request, &self.server.headers, &self.server.login).await?;
        Ok(request)
    }
}

/// What holds samples: there, a short secret could be a number like any other.
fn is_answer(code: u16, body: &[u8]) -> bool {
    let begin = body.get(..64).unwrap_or(body);
    let has = |part: &[u8], word: &[u8]| part.windows(word.len()).any(|w| w == word);
    code == 200 && has(begin, b"\"success\"") && !has(body, b"\"warnings\"") && !has(body, b"\"infos\"")
}

/// Puts configured headers and the login on a request. Secrets are read now: tokens are renewed.
pub(crate) async fn authorize(
    request: &mut Request<Bytes>,
    headers: &[(Text, Secret)],
    login: &Login,
) -> Result<(), NoData> {
    for (name, secret) in headers {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| NoData::Unreachable("a configured header has no valid name".into()))?;
        request.headers_mut().insert(name, sensitive(&read(secret).await?)?);
    }
    let login = match login {
        Login::None => None,
        Login::Bearer(token) => Some(format!("Bearer {}", read(token).await?)),
        Login::Basic { user, password } => {
            let pair = format!("{user}:{}", read(password).await?);
            learn(&pair);
            Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
        }
    };
    if let Some(login) = login {
        request.headers_mut().insert(AUTHORIZATION, sensitive(&login)?);
    }
    Ok(())
}

fn proxied(reach: &Reach) -> Option<String> {
    match reach {
        Reach::Url(_) => None,
        Reach::ServiceProxy { namespace, service, port, https, path, .. } => {
            let scheme = if *https { "https:" } else { "" };
            let path = path.trim_end_matches('/');
            Some(format!("/api/v1/namespaces/{namespace}/services/{scheme}{service}:{port}/proxy{path}"))
        }
    }
}

/// A secret, read when it is needed: tokens are renewed in their files.
async fn read(secret: &Secret) -> Result<String, NoData> {
    let text = content(secret).await?;
    learn(&text);
    Ok(text)
}

async fn content(secret: &Secret) -> Result<String, NoData> {
    match secret {
        Secret::Known(text) => Ok(text.to_string()),
        Secret::File(path) => {
            let text = tokio::fs::read_to_string(path).await.map_err(|e| {
                NoData::Unreachable(safe(&format!("credential file {}: {e}", path.display()), 300).into())
            })?;
            Ok(text.trim().to_owned())
        }
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, NoData> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| NoData::Unreachable("a configured header value cannot be sent".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn slot(question: &MetricQuestion) -> Slot {
    let kind = match question.span {
        Span::At(_) => SpanKind::Now,
        Span::Exemplars { .. } => SpanKind::Exemplars,
        Span::Windows { first, .. } => SpanKind::Windows(first.as_second()),
        Span::History { step, .. } => SpanKind::History(step.as_secs()),
    };
    let region = match question.regions {
        SeriesOf::One(region) => Some(region),
        SeriesOf::Label { .. } => None,
    };
    (question.service, question.column.clone(), kind, region)
}

impl std::fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&Text> = self.all.iter().map(|l| &l.server.name).collect();
        write!(f, "Prometheus({names:?})")
    }
}
