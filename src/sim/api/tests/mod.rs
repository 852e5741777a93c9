//! The API server over the wire, in process, under paused time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod applying;
mod broken;
mod reading;
mod refusals;
mod rights;
mod watching;
mod writing;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::super::clock::SimClock;
use super::super::resources::{CONFIGMAPS, DEPLOYMENTS, NAMESPACES};
use super::super::store::{Store, Writer};
use super::{ApiBody, ApiServer};

/// A reply, read to its end.
struct Got {
    code: u16,
    headers: HeaderMap,
    text: String,
}

impl Got {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

fn cluster() -> ApiServer {
    let clock = SimClock::new("2026-03-02T10:00:00Z".parse().unwrap(), 1.0);
    let store = Store::seeded(clock, 3);
    for name in ["kube-system", "shop"] {
        store.create(&NAMESPACES, json!({"metadata": {"name": name}}), &setup()).unwrap();
    }
    ApiServer::new("ring-1", store).trusting("oncall")
}

fn setup() -> Writer {
    Writer::named("setup")
}

fn seed_web(server: &ApiServer) {
    let web = json!({"metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web:v1"}]}}}});
    server.store().create(&DEPLOYMENTS, web, &setup()).unwrap();
}

fn seed_map(server: &ApiServer, name: &str, labels: Value) {
    let map = json!({"metadata": {"name": name, "namespace": "shop", "labels": labels}, "data": {"k": "v"}});
    server.store().create(&CONFIGMAPS, map, &setup()).unwrap();
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into())).unwrap()
}

async fn open(server: &ApiServer, request: Request<Full<Bytes>>) -> Response<ApiBody> {
    server.clone().oneshot(request).await.unwrap()
}

async fn send(server: &ApiServer, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Got {
    let (parts, body) = open(server, request(method, path, headers, body)).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Got { code: parts.status.as_u16(), headers: parts.headers, text }
}

async fn get(server: &ApiServer, path: &str) -> Got {
    send(server, "GET", path, &[], "").await
}

/// Content types by the name of the patch.
async fn patch(server: &ApiServer, path: &str, kind: &str, body: Value) -> Got {
    let kind = match kind {
        "json" => "application/json-patch+json",
        "merge" => "application/merge-patch+json",
        "strategic" => "application/strategic-merge-patch+json",
        other => other,
    };
    send(server, "PATCH", path, &[("content-type", kind), ("user-agent", "gonogo/1")], body.to_string()).await
}

const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
const MAPS: &str = "/api/v1/namespaces/shop/configmaps";
