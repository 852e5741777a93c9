//! The seam between a question and the network: one HTTP exchange.

use std::path::PathBuf;
use std::sync::Arc;
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

/// The network. The client is made with the first request, off the loop.
pub struct Network {
    ca: Option<PathBuf>,
    proxy: ProxyEnv,
    client: OnceCell<Client>,
}

impl Network {
    /// With a certificate authority of its own, if it has one.
    pub fn new(ca: Option<PathBuf>, proxy: ProxyEnv) -> Arc<Self> {
        Arc::new(Self { ca, proxy, client: OnceCell::new() })
    }

    async fn client(&self, server: &http::Uri) -> Result<&Client, NoAnswer> {
        let (ca, proxy) = (self.ca.clone(), self.proxy.of(server));
        let make = move || client(ca.as_deref(), proxy.as_ref());
        let made = || async {
            let made = tokio::task::spawn_blocking(make).await;
            made.unwrap_or_else(|_| Err(NoAnswer::Failed("the client could not be made".to_owned())))
        };
        self.client.get_or_try_init(made).await
    }
}

fn client(ca: Option<&std::path::Path>, proxy: Option<&http::Uri>) -> Result<Client, NoAnswer> {
    // The environment is read by our own rules: never a proxy to this host itself.
    let mut builder = Client::builder()
        .no_proxy()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("gonogo/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = proxy {
        builder = builder.proxy(Proxy::all(proxy.to_string()).map_err(|e| failed(&e))?);
    }
    if let Some(path) = ca {
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
            let mut answer = client.execute(request).await.map_err(|e| failed(&e.without_url()))?;
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
