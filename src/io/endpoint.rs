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
use crate::domain::stamp::{SignedDuration, short};
use crate::domain::text::safe;
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
        let wrong = |e: &dyn std::fmt::Display| Text::from(safe(&format!("not a request: {e}"), 200));
        let url = format!("{}{}", self.endpoint.url, call.path);
        let builder = Request::builder().header(ACCEPT, "application/json").uri(url);
        let request = match &call.body {
            None => builder.method("GET").body(Bytes::new()),
            Some(body) => builder
                .method("POST")
                .header(CONTENT_TYPE, "application/json")
                .body(Bytes::copy_from_slice(body.as_bytes())),
        };
        let mut request = request.map_err(|e| wrong(&e))?;
        authorize(&mut request, &self.endpoint.headers, &self.endpoint.login)
            .await
            .map_err(|e| Text::from(safe(&e.to_string().replace("Prometheus unreachable: ", ""), 300)))?;
        let answer = self.stack.send(request).await.map_err(|e| match e {
            NoAnswer::Failed(text) => Text::from(hidden(&text).as_ref()),
            NoAnswer::TooLarge => "an answer that is too large".into(),
        })?;
        let code = answer.status().as_u16();
        if (300..400).contains(&code) {
            // Whoever answers elsewhere would get our secrets, or answer for somebody else.
            return Err(format!("answered {code}: redirects are not followed").into());
        }
        let body = answer.into_body();
        if body.len() > MOST_BYTES {
            return Err(format!("an answer of more than {} KiB", MOST_BYTES / 1024).into());
        }
        let text = std::str::from_utf8(&body).map_err(|_| Text::from("an answer that is no text"))?;
        // What an endpoint echoes of our credentials is repeated nowhere.
        Ok((code, hidden(text).as_ref().into()))
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
