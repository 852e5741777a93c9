//! What the world plugs into an API server: pod logs, and services behind the proxy path.

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};

use super::super::resources::Resource;

/// What `kubectl logs` asks of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container; the pod's only one where not given.
    pub container: String,
    /// The terminated run before this one.
    pub previous: bool,
}

/// Gives the text of a container's log; the server does `tailLines` itself.
pub trait PodLogs: Send + Sync {
    /// The log, oldest line first. None: this container has not run (yet, or before).
    fn text(&self, query: &LogQuery) -> Option<String>;
}

/// Is told before objects are read, so that a large fleet can keep what nobody has looked
/// at on paper and write it when somebody does.
pub trait BeforeRead: Send + Sync {
    /// Somebody is about to get, list or watch `resource` in `namespace` (empty: everywhere).
    fn touch(&self, resource: &'static Resource, namespace: &str);
}

/// Answers for the services of a cluster behind
/// `/api/v1/namespaces/<namespace>/services/<name>:<port>/proxy/<path>`.
pub trait ServiceProxy: Send + Sync {
    /// The service's answer; the request's URI holds only the path and query after `proxy`.
    /// None: there is no such service.
    fn call(
        &self,
        namespace: &str,
        service: &str,
        request: Request<Bytes>,
    ) -> Option<BoxFuture<'static, Response<Bytes>>>;
}
