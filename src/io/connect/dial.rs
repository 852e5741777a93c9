//! The seam between us and the network: how a cluster's stack of services is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use kube::client::{Body, ClientBuilder, DynBody};
use tower::util::BoxService;
use tower::{BoxError, Service, ServiceExt};

use crate::domain::id::{ClusterIx, Text};
use crate::domain::link::LostReason;
use crate::domain::stamp::Timestamp;

/// What a client sits on: requests in, answers out, over the network or not.
pub type Stack = BoxService<Request<Body>, Response<Box<DynBody>>, BoxError>;

/// A stack for one cluster, with what is known from its configuration.
pub struct Dialed {
    /// The stack, to be completed.
    pub builder: ClientBuilder<Stack>,
    /// When its credentials end, if that is known.
    pub valid_until: Option<Timestamp>,
    /// What the identity is remembered by: the context, or `in-cluster`.
    pub context: Text,
    /// SHA-256 of CA and server URL: the identity where kube-system may not be read.
    pub anchor: Text,
}

/// Makes stacks.
pub trait Dial: Send + Sync + 'static {
    /// A new stack for a cluster; with `renew`, credentials that are kept are asked for again.
    fn dial(&self, cluster: ClusterIx, renew: bool) -> BoxFuture<'_, Result<Dialed, LostReason>>;
}

/// Clusters that live in this process: the demo's and the tests'.
#[derive(Default)]
pub struct InProcess {
    clusters: BTreeMap<ClusterIx, (Text, Maker)>,
}

type Maker = Arc<dyn Fn() -> Stack + Send + Sync>;

impl InProcess {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a cluster by the service that is its API server.
    #[must_use]
    pub fn with<S, B>(mut self, cluster: ClusterIx, name: &str, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let make: Maker = Arc::new(move || BoxService::new(service.clone().map_err(Into::into).map_response(boxed)));
        self.clusters.insert(cluster, (name.into(), make));
        self
    }
}

/// A response with the body type that every stack has.
fn boxed<B>(response: Response<B>) -> Response<Box<DynBody>>
where
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    response.map(|body| -> Box<DynBody> { Box::new(body.map_err(Into::into).boxed_unsync()) })
}

impl Dial for InProcess {
    fn dial(&self, cluster: ClusterIx, _renew: bool) -> BoxFuture<'_, Result<Dialed, LostReason>> {
        let dialed = match self.clusters.get(&cluster) {
            Some((name, make)) => Ok(Dialed {
                builder: ClientBuilder::new(make(), "default"),
                valid_until: None,
                context: name.clone(),
                anchor: crate::domain::version::sha256_hex(name.as_bytes()).into(),
            }),
            None => Err(LostReason::Unusable("no such cluster in this process".into())),
        };
        Box::pin(std::future::ready(dialed))
    }
}
