//! The seam between a question and the network: one HTTP exchange.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use reqwest::{Certificate, Client, Proxy};
use tokio::sync::OnceCell;
use tower::{BoxError, Service, ServiceExt};

use crate::domain::text::safe;
use crate::io::answer::chain;
use crate::io::connect::ProxyEnv;

/// Largest answer that is read: 11,000 points of some thousand series are never asked for.
pub(super) const MOST_BYTES: usize = 16 * 1024 * 1024;
/// A connection that is not there within this time is not made.
const CONNECT: Duration = Duration::from_secs(10);

/// Why there is no answer at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No connection, reset, cut off, no credentials; made visible.
    #[error("{0}")]
    Failed(String),
    /// No connection could be made: nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// Larger than we read.
    #[error("larger than {} MB", MOST_BYTES / (1024 * 1024))]
    TooLarge,
}

/// Sends one request and reads the whole answer.
pub trait HttpStack: Send + Sync + 'static {
    /// The exchange. The caller limits its time.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, NoAnswer>>;
}

/// A server that lives in this process.
#[derive(Clone, Debug)]
pub struct InProcessHttp<S>(pub S);

impl<S, B> HttpStack for InProcessHttp<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, NoAnswer>> {
        let service = self.0.clone();
        Box::pin(async move {
            let response = service.oneshot(request.map(Full::new)).await.map_err(|e| failed(&*e.into()))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|e| {
                if e.is::<http_body_util::LengthLimitError>() { NoAnswer::TooLarge } else { failed(&*e) }
            })?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        })
    }
}

/// The network. A client is made with the first request that needs it, off the loop.
pub struct Network {
    ca: Option<PathBuf>,
    proxy: ProxyEnv,
    clients: Clients,
}

/// Clients that servers share: the system's certificates take long to read and much room, and hundreds of
/// servers need them once.
#[derive(Clone, Default)]
pub struct Clients(Arc<Mutex<BTreeMap<Kind, Made>>>);

type Made = Arc<OnceCell<Client>>;

/// What tells one client from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    ca: Option<PathBuf>,
    proxy: Option<String>,
    /// Something on the way is encrypted: certificates are needed.
    encrypted: bool,
}

impl Kind {
    fn of(ca: Option<PathBuf>, proxy: Option<&http::Uri>, server: &http::Uri) -> Self {
        let plain = |uri: &http::Uri| uri.scheme_str() == Some("http");
        let encrypted = !plain(server) || proxy.is_some_and(|proxy| !plain(proxy));
        Self { ca, proxy: proxy.map(ToString::to_string), encrypted }
    }
}

impl Network {
    /// With a certificate authority of its own, if it has one, and a client of its own.
    pub fn new(ca: Option<PathBuf>, proxy: ProxyEnv) -> Arc<Self> {
        Self::sharing(&Clients::default(), ca, proxy)
    }

    /// The same, with clients that others use too.
    pub fn sharing(clients: &Clients, ca: Option<PathBuf>, proxy: ProxyEnv) -> Arc<Self> {
        Arc::new(Self { ca, proxy, clients: clients.clone() })
    }

    async fn client(&self, server: &http::Uri) -> Result<Client, NoAnswer> {
        let kind = Kind::of(self.ca.clone(), self.proxy.of(server).as_ref(), server);
        let made = {
            let mut clients = self.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(clients.entry(kind.clone()).or_default())
        };
        let make = || async {
            let made = tokio::task::spawn_blocking(move || client(&kind)).await;
            made.unwrap_or_else(|_| Err(NoAnswer::Failed("the client could not be made".to_owned())))
        };
        made.get_or_try_init(make).await.cloned()
    }
}

fn client(kind: &Kind) -> Result<Client, NoAnswer> {
    // The environment is read by our own rules: never a proxy to this host itself.
    let mut builder = Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("gonogo/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &kind.proxy {
        builder = builder.proxy(Proxy::all(proxy.as_str()).map_err(|e| failed(&e))?);
    }
    if !kind.encrypted && kind.ca.is_none() {
        // What is not encrypted needs no certificates: the system's are not read.
        builder = builder.tls_certs_only([]);
    }
    if let Some(path) = &kind.ca {
        let named = |e: &(dyn std::error::Error + 'static)| {
            NoAnswer::Failed(safe(&format!("CA file {}: {}", path.display(), chain(e)), 300))
        };
        let pem = std::fs::read(path).map_err(|e| named(&e))?;
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem).map_err(|e| named(&e))?);
    }
    builder.build().map_err(|e| failed(&e))
}

impl HttpStack for Network {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, NoAnswer>> {
        Box::pin(async move {
            let client = self.client(request.uri()).await?;
            let request = reqwest::Request::try_from(request).map_err(|e| failed(&e))?;
            let unsent = |e: reqwest::Error| match (e.is_connect(), failed(&e.without_url())) {
                (true, NoAnswer::Failed(why)) => NoAnswer::NotSent(why),
                (_, other) => other,
            };
            let mut answer = client.execute(request).await.map_err(unsent)?;
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = answer.status();
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await.map_err(|e| failed(&e.without_url()))? {
                if body.len() + chunk.len() > MOST_BYTES {
                    return Err(NoAnswer::TooLarge);
                }
                body.extend_from_slice(&chunk);
            }
            *response.body_mut() = body.freeze();
            Ok(response)
        })
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> NoAnswer {
    NoAnswer::Failed(safe(&chain(error), 300))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn uri(text: &str) -> http::Uri {
        text.parse().unwrap()
    }

    #[test]
    fn certificates_are_read_where_something_on_the_way_is_encrypted() {
        let kind = |server: &str, proxy: Option<&str>| Kind::of(None, proxy.map(uri).as_ref(), &uri(server));
        assert!(!kind("http://prometheus:9090/api", None).encrypted);
        assert!(kind("https://prometheus/api", None).encrypted);
        assert!(!kind("http://prometheus:9090/api", Some("http://proxy:3128")).encrypted);
        assert!(kind("http://prometheus:9090/api", Some("https://proxy:3128")).encrypted);
        assert!(kind("http://prometheus:9090/api", Some("socks5://proxy:1080")).encrypted);
    }

    #[tokio::test]
    async fn servers_that_are_reached_alike_share_one_client() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clients = Clients::default();
        let proxy = ProxyEnv { http: Some("proxy:3128".into()), none: Some("near".into()), ..ProxyEnv::default() };
        let first = Network::sharing(&clients, None, proxy.clone());
        let second = Network::sharing(&clients, None, proxy);
        let made = || clients.0.lock().unwrap().len();
        for (network, server, count) in [
            (&first, "http://a:9090/", 1),
            (&second, "http://b:9090/", 1),
            // Reached without the proxy.
            (&second, "http://near:9090/", 2),
            (&first, "http://near:9091/", 2),
        ] {
            assert!(network.client(&uri(server)).await.is_ok());
            assert_eq!(made(), count, "{server}");
        }
        let own = Network::sharing(&clients, Some("/nowhere/ca.pem".into()), ProxyEnv::default());
        let refused = own.client(&uri("http://a:9090/")).await.unwrap_err();
        assert!(refused.to_string().starts_with("CA file /nowhere/ca.pem: "), "{refused}");
    }
}
