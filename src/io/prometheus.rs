//! Asks Prometheus: POST of a form, GET in watch mode, or GET through an API server's service proxy.
//!
//! One slot per service, column and kind of question: a newer question replaces one that
//! waits. At most four are under way per server, so that a slow one is not buried.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::answer::Failure;
use super::{Access, Clusters, Tell};
use crate::config::{Config, Login, PrometheusServer, Reach, Secret};
use crate::domain::id::{ColumnName, ServiceIx};
use crate::domain::metric::NoData;
use crate::domain::question::{MetricQuestion, Span};
use crate::domain::text::safe;
use crate::metrics::prometheus as wire;

/// Questions under way per server.
const AT_ONCE: usize = 4;
/// How long an answer may take, with its body.
const LIMIT: Duration = Duration::from_secs(15);
/// Largest answer that is read.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Every Prometheus of a configuration.
#[derive(Clone)]
pub struct Prometheus {
    servers: Arc<[Arc<Server>]>,
    runtime: tokio::runtime::Handle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Newest,
    Windows,
    History,
}

type Slot = (ServiceIx, ColumnName, Kind, String);

struct Server {
    spec: PrometheusServer,
    proxy: Option<Arc<Access>>,
    get: bool,
    tell: Tell,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<Slot, MetricQuestion>,
    under_way: usize,
    client: Option<reqwest::Client>,
}

impl Prometheus {
    /// Over a configuration; answers are told. Must be called inside a tokio runtime.
    pub fn new(config: &Config, clusters: &Clusters, watch_only: bool, tell: Tell) -> Self {
        let server = |spec: &PrometheusServer| {
            let proxy = match &spec.reach {
                Reach::ServiceProxy { cluster, .. } => clusters.get(*cluster).cloned(),
                Reach::Url(_) => None,
            };
            Arc::new(Server { spec: spec.clone(), proxy, get: watch_only, tell: tell.clone(), state: Mutex::default() })
        };
        Self { servers: config.prometheuses.iter().map(server).collect(), runtime: tokio::runtime::Handle::current() }
    }

    /// The paths through service proxies that a watch screen may read.
    pub fn proxy_paths(config: &Config) -> Vec<String> {
        let path = |spec: &PrometheusServer| Some(format!("{}/api/v1/query", proxy_path(&spec.reach)?));
        config.prometheuses.iter().filter_map(path).collect()
    }

    /// Takes a question; the answer is told. Never waits.
    pub fn ask(&self, question: MetricQuestion) {
        let Some(server) = self.servers.get(question.prometheus.at()).cloned() else {
            return;
        };
        let kind = match question.span {
            Span::At(_) => Kind::Newest,
            Span::Windows { .. } => Kind::Windows,
            Span::History { .. } => Kind::History,
        };
        // Questions about single regions differ in their text: each has a slot of its own.
        let slot = (question.service, question.column.clone(), kind, question.query.clone());
        let start = {
            let mut state = server.lock();
            state.waiting.insert(slot, question);
            let start = state.under_way < AT_ONCE;
            state.under_way += usize::from(start);
            start
        };
        if start {
            self.runtime.spawn(work(server));
        }
    }
}

/// Answers what waits, until nothing does.
async fn work(server: Arc<Server>) {
    loop {
        let question = {
            let mut state = server.lock();
            match state.waiting.pop_first() {
                Some((_, question)) => question,
                None => {
                    state.under_way -= 1;
                    return;
                }
            }
        };
        let observation = match tokio::time::timeout(LIMIT, server.send(&question)).await {
            Ok(Ok((code, body))) => wire::answer(&question, code, &body),
            Ok(Err(why)) => wire::failed(&question, why),
            Err(_) => wire::failed(&question, NoData::Timeout),
        };
        (server.tell)(observation);
    }
}

impl Server {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, question: &MetricQuestion) -> Result<(u16, Vec<u8>), NoData> {
        match &self.spec.reach {
            Reach::Url(base) => self.over_http(base, question).await,
            Reach::ServiceProxy { .. } => self.through_proxy(question).await,
        }
    }

    async fn over_http(&self, base: &str, question: &MetricQuestion) -> Result<(u16, Vec<u8>), NoData> {
        let url = format!("{base}{}", wire::path(question));
        let client = self.client()?;
        let form = wire::form(question);
        let request = if self.get { client.get(&url).query(&form) } else { client.post(&url).form(&form) };
        let request = request.headers(self.headers()?);
        let mut answer = request.send().await.map_err(unreachable)?;
        let code = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MOST_BYTES {
                return Err(NoData::NotPrometheus("the answer is larger than 32 MiB".into()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((code, body))
    }

    async fn through_proxy(&self, question: &MetricQuestion) -> Result<(u16, Vec<u8>), NoData> {
        let lost = |text: String| NoData::Unreachable(safe(&text, 200).into());
        let (Some(access), Some(path)) = (&self.proxy, proxy_path(&self.spec.reach)) else {
            return Err(lost("its cluster is not configured".to_owned()));
        };
        let query = reqwest::Url::parse_with_params("http://proxy.invalid", wire::form(question))
            .map_err(|e| lost(e.to_string()))?;
        let path = format!("{path}{}?{}", wire::path(question), query.query().unwrap_or_default());
        let open = access.reader().await.map_err(|r| lost(format!("{}: {}", r.text().0, r.text().1)))?;
        match open.reader.get(&path).await {
            Ok(answer) => Ok((200, answer.body.to_vec())),
            Err(Failure::Status(status)) => Err(NoData::Http(status.code, status.line().into())),
            Err(failure) => Err(lost(failure.text())),
        }
    }

    /// Made with the first question: roots of trust take a while to read.
    fn client(&self) -> Result<reqwest::Client, NoData> {
        if let Some(client) = &self.lock().client {
            return Ok(client.clone());
        }
        let unusable = |text: String| NoData::Unreachable(safe(&text, 200).into());
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("gonogo/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(5))
            // A redirect would carry credentials elsewhere.
            .redirect(reqwest::redirect::Policy::none());
        if let Some(path) = &self.spec.ca {
            let pem = std::fs::read(path).map_err(|e| unusable(format!("CA {}: {e}", path.display())))?;
            for certificate in reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| unusable(e.to_string()))? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|e| unusable(chain(&e)))?;
        self.lock().client = Some(client.clone());
        Ok(client)
    }

    fn headers(&self) -> Result<HeaderMap, NoData> {
        let bad = |what: &str| NoData::Unreachable(format!("{what} cannot be sent as a header").into());
        let mut headers = HeaderMap::new();
        let value = |text: &str, what: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_| bad(what))?;
            value.set_sensitive(true);
            Ok(value)
        };
        for (name, secret) in &self.spec.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name))?;
            headers.insert(header, value(&read(secret)?, name)?);
        }
        match &self.spec.login {
            Login::None => {}
            Login::Basic { user, password } => {
                use base64::Engine as _;
                let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", read(password)?));
                headers.insert(reqwest::header::AUTHORIZATION, value(&format!("Basic {pair}"), "the password")?);
            }
            Login::Bearer(token) => {
                let text = format!("Bearer {}", read(token)?);
                headers.insert(reqwest::header::AUTHORIZATION, value(&text, "the token")?);
            }
        }
        Ok(headers)
    }
}

/// A secret's text; files are read anew, since tokens are renewed.
fn read(secret: &Secret) -> Result<String, NoData> {
    match secret {
        Secret::Known(text) => Ok(text.to_string()),
        Secret::File(path) => std::fs::read_to_string(path)
            .map(|t| t.trim().to_owned())
            .map_err(|e| NoData::Unreachable(format!("{}: {e}", path.display()).into())),
    }
}

fn proxy_path(reach: &Reach) -> Option<String> {
    match reach {
        Reach::Url(_) => None,
        Reach::ServiceProxy { namespace, service, port, https, path, .. } => {
            let scheme = if *https { "https:" } else { "" };
            Some(format!("/api/v1/namespaces/{namespace}/services/{scheme}{service}:{port}/proxy{path}"))
        }
    }
}

/// Why a request failed: the whole chain, without the URL, which may hold a password.
fn unreachable(error: reqwest::Error) -> NoData {
    if error.is_timeout() {
        return NoData::Timeout;
    }
    NoData::Unreachable(safe(&chain(&error.without_url()), 200).into())
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
