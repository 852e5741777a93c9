//! The network's stack of one client, sized for hundreds of clusters with a few watches each.
//!
//! What the client library would build, with three differences: buffers do not stay as large
//! as the largest list was, connections that nobody uses are closed, and nothing is traced.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::rt::{Read, Write};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt, DynBody};
use kube::config::Config;
use tower::util::BoxService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

use super::dial::Stack;

/// What is read from a connection at once; the head of an answer must fit.
const READ: usize = 16 * 1024;
/// A connection that nobody uses is closed after this time.
const UNUSED: Duration = Duration::from_secs(15);

/// A client's stack for a configuration. Must be called inside a tokio runtime.
pub(super) fn stack(config: Config) -> Result<ClientBuilder<Stack>, kube::Error> {
    if config.proxy_url.is_some() {
        // Tunnels are the library's own.
        return ClientBuilder::try_from(config);
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    if config.cluster_url.scheme_str() == Some("http") {
        // What is not encrypted needs no certificates and no sessions.
        return over(config, tcp);
    }
    let tls = config.rustls_https_connector_with_connector(tcp)?;
    over(config, tls)
}

fn over<C>(config: Config, connector: C) -> Result<ClientBuilder<Stack>, kube::Error>
where
    C: Service<http::Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let mut connector = TimeoutConnector::new(connector);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    let client: Client<_, Body> = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(UNUSED)
        .http1_read_buf_exact_size(READ)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(client);
    let boxed = |body: hyper::body::Incoming| -> Box<DynBody> { Box::new(body.map_err(BoxError::from)) };
    let service = service.map_response(move |r: http::Response<_>| r.map(boxed));
    Ok(ClientBuilder::new(BoxService::new(service), config.default_namespace))
}
