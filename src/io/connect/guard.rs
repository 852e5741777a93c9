//! The layer under every reader: what is not a read does not pass.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{Method, Request};
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use crate::io::answer::NotAllowed;

/// What a reader's requests may reach.
#[derive(Clone, Debug)]
pub enum Reach {
    /// A console: any GET without `Upgrade`, questions about oneself, and `dryRun=All`.
    Console,
    /// A watch screen: GET without `Upgrade`, on these resources and paths, and nothing else.
    Watch(Arc<Watched>),
}

/// What a watch screen looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Group (empty for core) and plural of every resource that is watched or listed.
    pub resources: BTreeSet<(String, String)>,
    /// Other paths, exactly: configured Prometheus queries through a service proxy.
    pub paths: Vec<String>,
}

impl Reach {
    /// Whether the request may pass; otherwise why not.
    pub fn judge(&self, request: &Request<Body>) -> Result<(), NotAllowed> {
        let path = request.uri().path();
        if request.headers().contains_key(http::header::UPGRADE) {
            return Err(NotAllowed(format!("a reader does not upgrade connections: {path}")));
        }
        let allowed = match (self, request.method()) {
            (Reach::Console, &Method::GET) => true,
            (Reach::Console, method) => {
                is_about_oneself(method, path) || is_dry_run(request.uri().query().unwrap_or_default())
            }
            (Reach::Watch(watched), &Method::GET) => watched.covers(path),
            (Reach::Watch(_), _) => false,
        };
        if allowed { Ok(()) } else { Err(NotAllowed(format!("a reader does not send {} {path}", request.method()))) }
    }
}

/// `SelfSubjectReview` and `SelfSubjectAccessReview`: they store nothing.
fn is_about_oneself(method: &Method, path: &str) -> bool {
    *method == Method::POST
        && matches!(
            path,
            "/apis/authentication.k8s.io/v1/selfsubjectreviews"
                | "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        )
}

fn is_dry_run(query: &str) -> bool {
    let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(k, _)| *k == "dryRun");
    // A second `dryRun` could be the one that a server reads: exactly one, and it is All.
    matches!((values.next(), values.next()), (Some((_, "All")), None))
}

impl Watched {
    fn covers(&self, path: &str) -> bool {
        if path.contains("..") || path.contains("//") || path.contains('%') {
            return false;
        }
        if matches!(path, "/version" | "/api/v1/namespaces/kube-system") {
            return true;
        }
        if self.paths.iter().any(|p| path == p) {
            return true;
        }
        resource(path).is_some_and(|(group, plural)| {
            self.resources.iter().any(|(g, p)| g.as_str() == group && p.as_str() == plural)
        })
    }
}

/// Group and plural that a path names; none for subresources and for what is not a resource.
fn resource(path: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _version, rest @ ..] => ("", rest),
        ["apis", group, _version, rest @ ..] => (*group, rest),
        _ => return None,
    };
    match rest {
        ["namespaces", _, plural] | ["namespaces", _, plural, _] | [plural] => Some((group, plural)),
        _ => None,
    }
}

/// Puts [`Reach`] in front of a client's stack.
#[derive(Clone, Debug)]
pub(crate) struct GuardLayer(pub(crate) Reach);

/// A stack with [`Reach`] in front.
#[derive(Debug)]
pub(crate) struct Guarded<S> {
    reach: Reach,
    inner: S,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;
    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { reach: self.0.clone(), inner }
    }
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Error = BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<S::Future, Ready<Result<S::Response, BoxError>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        match self.reach.judge(&request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(denied) => Either::Right(ready(Err(denied.into()))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn request(method: &str, uri: &str) -> Request<Body> {
        Request::builder().method(method).uri(uri).body(Body::empty()).unwrap()
    }

    fn watch() -> Reach {
        let resources = [("apps", "deployments"), ("", "configmaps")].map(|(g, p)| (g.to_owned(), p.to_owned())).into();
        Reach::Watch(Arc::new(Watched { resources, paths: Vec::new() }))
    }

    #[test]
    fn watch_mode_lets_through_reads_of_what_is_watched_and_nothing_else() {
        for uri in [
            "/apis/apps/v1/deployments?watch=true",
            "/apis/apps/v1/namespaces/shop/deployments",
            "/apis/apps/v1/namespaces/shop/deployments/web",
            "/api/v1/namespaces/shop/configmaps?labelSelector=x",
            "/api/v1/namespaces/kube-system",
            "/version",
        ] {
            assert!(watch().judge(&request("GET", uri)).is_ok(), "{uri}");
        }
        for (method, uri) in [
            ("GET", "/api/v1/namespaces/shop/secrets"),
            ("GET", "/api/v1/namespaces/shop/pods/web-0/log"),
            ("GET", "/apis/apps/v1/namespaces/shop/deployments/web/scale"),
            ("GET", "/apis/apps/v1/namespaces/shop/deployments/../secrets"),
            ("GET", "/api/v1/namespaces/shop/services/prom:9090/proxy/api/v1/query"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web?dryRun=All"),
            ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
            ("DELETE", "/apis/apps/v1/namespaces/shop/deployments/web"),
        ] {
            assert!(watch().judge(&request(method, uri)).is_err(), "{method} {uri}");
        }
    }

    #[test]
    fn no_reader_upgrades_a_connection() {
        let mut upgrade = request("GET", "/apis/apps/v1/deployments");
        upgrade.headers_mut().insert(http::header::UPGRADE, "websocket".parse().unwrap());
        assert!(watch().judge(&upgrade).is_err());
        assert!(Reach::Console.judge(&upgrade).is_err());
    }

    #[test]
    fn a_console_reader_writes_nothing_either() {
        for (method, uri) in [
            ("GET", "/api/v1/namespaces/shop/pods/web-0/log"),
            ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=gonogo&dryRun=All"),
        ] {
            assert!(Reach::Console.judge(&request(method, uri)).is_ok(), "{method} {uri}");
        }
        for (method, uri) in [
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web?dryRun=all"),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web?dryRun=All&dryRun="),
            ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web?xdryRun=All"),
            ("POST", "/api/v1/namespaces/shop/configmaps"),
        ] {
            assert!(Reach::Console.judge(&request(method, uri)).is_err(), "{method} {uri}");
        }
    }
}
