//! HTTP endpoints that gates ask: one exchange each, bounded in time and size, with no redirects.
//!
//! Secrets are read when they are needed, and stand in no answer and no error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use tokio::runtime::Handle;

use super::prometheus::{HttpClients, HttpStack, Network, NoAnswer, authorize};
use crate::config::{Config, Endpoint};
use crate::domain::call::HttpCall;
use crate::domain::id::{Place, Text};
use crate::domain::observation::Observation;
use crate::domain::outside::HttpWrite;
use crate::domain::stamp::{SignedDuration, short};
use crate::domain::text::safe;
use crate::engine::effect::ActResult;
use crate::io::Tell;
use crate::io::connect::ProxyEnv;
use crate::io::secrets::hidden;

/// Largest answer that is read: a verdict is short.
const MOST_BYTES: usize = 64 * 1024;

/// Every endpoint of a configuration.
pub struct Endpoints {
    all: BTreeMap<Text, Arc<Line>>,
    runtime: Handle,
    tell: Tell,
}

/// Why a request has no answer.
struct Unanswered {
    why: Text,
    /// It may have arrived: only what it is about can tell.
    sent: bool,
}

impl Unanswered {
    fn before(why: impl Into<Text>) -> Self {
        Self { why: why.into(), sent: false }
    }

    fn after(why: impl Into<Text>) -> Self {
        Self { why: why.into(), sent: true }
    }
}

struct Line {
    endpoint: Endpoint,
    stack: Arc<dyn HttpStack>,
}

impl Endpoints {
    /// Over the network; answers are told. Must be called inside a tokio runtime.
    pub fn new(config: &Config, tell: Tell) -> Self {
        let proxy = ProxyEnv::read(|name| std::env::var(name).ok());
        let clients = HttpClients::default();
        Self::over(&config.endpoints, |e| Network::sharing(&clients, e.ca.clone(), proxy.clone()), tell)
    }

    /// Over other stacks: for what lives in this process. Must be called inside a tokio runtime.
    pub fn over(endpoints: &[Endpoint], stack: impl Fn(&Endpoint) -> Arc<dyn HttpStack>, tell: Tell) -> Self {
        let line = |e: &Endpoint| (e.name.clone(), Arc::new(Line { endpoint: e.clone(), stack: stack(e) }));
        Self { all: endpoints.iter().map(line).collect(), runtime: Handle::current(), tell }
    }

    /// Sends a write, once.
    pub async fn write(&self, call: &HttpWrite) -> ActResult {
        let Some(line) = self.all.get(&call.endpoint).cloned() else {
            return ActResult::NotSent(format!("no endpoint {} is configured", call.endpoint).into());
        };
        let limit = line.endpoint.timeout;
        match tokio::time::timeout(limit, line.sent(&call.method, &call.path, &call.body)).await {
            Ok(Ok((code, said))) => written(call, code, &said),
            Ok(Err(Unanswered { why, sent: false })) => ActResult::NotSent(format!("{}: {why}", call.endpoint).into()),
            // Whether it arrived before the connection ended is not known.
            Ok(Err(Unanswered { why, .. })) => ActResult::Unknown(format!("{}: {why}", call.endpoint).into()),
            Err(_) => ActResult::Unknown(format!("{}: {}", call.endpoint, no_answer(limit)).into()),
        }
    }

    /// Asks by a request that changes nothing, once: status and body.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn read(&self, call: &HttpWrite) -> Result<(u16, Text), Text> {
        let line = self.all.get(&call.endpoint).cloned().ok_or("no such endpoint is configured")?;
        let limit = line.endpoint.timeout;
        let sent = line.sent(&call.method, &call.path, &call.body);
        tokio::time::timeout(limit, sent).await.map_err(|_| no_answer(limit))?.map_err(|e| e.why)
    }

    /// Asks. Never waits.
    pub fn call(&self, place: Place, call: HttpCall) {
        let line = self.all.get(&call.endpoint).cloned();
        let tell = Arc::clone(&self.tell);
        self.runtime.spawn(async move {
            let result = match line {
                Some(line) => line.answered(&call).await,
                None => Err("no such endpoint is configured".into()),
            };
            tell(Observation::Called { place, call: Box::new(call), result });
        });
    }
}

impl Line {
    async fn answered(&self, call: &HttpCall) -> Result<(u16, Text), Text> {
        let limit = self.endpoint.timeout;
        match tokio::time::timeout(limit, self.exchange(call)).await {
            Ok(answer) => answer,
            Err(_) => Err(no_answer(limit)),
        }
    }

    async fn exchange(&self, call: &HttpCall) -> Result<(u16, Text), Text> {
        let method = if call.body.is_some() { "POST" } else { "GET" };
        self.sent(method, &call.path, call.body.as_deref().unwrap_or_default()).await.map_err(|e| e.why)
    }

    async fn sent(&self, method: &str, path: &str, body: &str) -> Result<(u16, Text), Unanswered> {
        let wrong = |e: &dyn std::fmt::Display| Unanswered::before(safe(&format!("not a request: {e}"), 200));
        let url = format!("{}{path}", self.endpoint.url);
        let builder = Request::builder().method(method).header(ACCEPT, "application/json").uri(url);
        let builder = if body.is_empty() { builder } else { builder.header(CONTENT_TYPE, "application/json") };
        let mut request = builder.body(Bytes::copy_from_slice(body.as_bytes())).map_err(|e| wrong(&e))?;
        authorize(&mut request, &self.endpoint.headers, &self.endpoint.login)
            .await
            .map_err(|e| Unanswered::before(safe(&e.to_string().replace("Prometheus unreachable: ", ""), 300)))?;
        let answer = self.stack.send(request).await.map_err(|e| match e {
            NoAnswer::Failed(text) => Unanswered::after(&*hidden(&text)),
            NoAnswer::NotSent(text) => Unanswered::before(&*hidden(&text)),
            NoAnswer::TooLarge => Unanswered::after("an answer that is too large"),
        })?;
        let code = answer.status().as_u16();
        if (300..400).contains(&code) {
            // Whoever answers elsewhere would get our secrets, or answer for somebody else.
            return Err(Unanswered::after(format!("answered {code}: redirects are not followed")));
        }
        let body = answer.into_body();
        if body.len() > MOST_BYTES {
            return Err(Unanswered::after(format!("an answer of more than {} KiB", MOST_BYTES / 1024)));
        }
        let text = std::str::from_utf8(&body).map_err(|_| Unanswered::after("an answer that is no text"))?;
        // What an endpoint echoes of our credentials is repeated nowhere.
        Ok((code, hidden(text).as_ref().into()))
    }
}

/// What an endpoint's answer to a write means. Behind a gateway's 502 or 504 it may have arrived, and what was
/// too slow for it (408) too.
fn written(call: &HttpWrite, code: u16, said: &str) -> ActResult {
    let text = safe(&format!("{} answered {code} {said}", call.endpoint), 600).into();
    match code {
        200..=299 => ActResult::Accepted { object: None, audit: None, warnings: Vec::new() },
        409 | 412 => ActResult::Changed,
        408 | 500 | 502 | 504 => ActResult::Unknown(text),
        _ => ActResult::Refused { code, message: text },
    }
}

fn no_answer(limit: Duration) -> Text {
    if limit < Duration::from_secs(1) {
        return format!("no answer within {} ms", limit.as_millis()).into();
    }
    format!("no answer within {}", short(SignedDuration::try_from(limit).unwrap_or_default())).into()
}

impl std::fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoints({:?})", self.all.keys().collect::<Vec<_>>())
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
