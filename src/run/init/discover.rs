//! What clusters say of themselves: workloads, regions, rings, and where their metrics are. Only GET.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use serde::Deserialize;

use crate::domain::id::ClusterIx;
use crate::io::Clock;
use crate::io::answer::Failure;
use crate::io::command::Processes;
use crate::io::connect::{Dial, KubeDial, Plugins, Reach, Reader, Way};
use crate::run::world::Surroundings;

/// How long a cluster may take.
const LIMIT: Duration = Duration::from_secs(20);
/// Namespaces of the system: nobody releases what is in them.
const SYSTEM: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];
/// Workloads that are looked at, and their paths.
const KINDS: [(&str, &str); 2] = [("Deployment", "deployments"), ("StatefulSet", "statefulsets")];

/// What one cluster said.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The context.
    pub context: String,
    /// `topology.kubernetes.io/region` of its nodes.
    pub region: Option<String>,
    /// Its workloads.
    pub workloads: Vec<Seen>,
    /// Namespace, name and port of its Prometheus.
    pub prometheus: Option<(String, String, u64)>,
    /// What it did not say, and why.
    pub trouble: Option<String>,
}

/// A workload that was seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    pub replicas: u64,
    /// Its label `region`, of its own or of its pods.
    pub region: Option<String>,
    /// Its label `ring`.
    pub ring: Option<String>,
    containers: Vec<String>,
}

impl Seen {
    /// The container that is called like the service, else the first.
    pub(super) fn container(&self, service: &str) -> Option<String> {
        self.containers.iter().find(|c| *c == service).or(self.containers.first()).cloned()
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    name: String,
    namespace: String,
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    replicas: Option<u64>,
    template: Template,
    ports: Vec<Port>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Template {
    metadata: Metadata,
    spec: PodSpec,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PodSpec {
    containers: Vec<Container>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Container {
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Port {
    name: String,
    port: u64,
}

/// Looks into every cluster at once.
pub(super) async fn look(contexts: &[String], namespace: Option<&str>, around: &Surroundings) -> Vec<Looked> {
    let way = |context: &String| Way::Context { context: context.clone(), file: None };
    let ways = contexts.iter().map(way).collect();
    let clock = Clock::host();
    let plugins = Plugins::new(std::sync::Arc::new(Processes), clock.clone());
    let dial = KubeDial::new(ways, around.kubeconfigs.clone(), around.proxy.clone(), plugins, clock);
    let all = contexts.iter().enumerate().map(|(at, context)| {
        let dial = &dial;
        async move {
            let looked = tokio::time::timeout(LIMIT, one(dial, at.into(), namespace)).await;
            let looked = looked.unwrap_or_else(|_| Looked {
                trouble: Some(format!("no answer within {} s", LIMIT.as_secs())),
                ..Looked::default()
            });
            Looked { context: context.clone(), ..looked }
        }
    });
    join_all(all).await
}

async fn one(dial: &KubeDial, at: ClusterIx, namespace: Option<&str>) -> Looked {
    let mut looked = Looked::default();
    let reader = match dial.dial(at, false).await {
        Ok(dialed) => Reader::new(dialed, Reach::Console),
        Err(reason) => {
            let (word, why) = reason.text();
            looked.trouble = Some(format!("{word}: {why}"));
            return looked;
        }
    };
    let below = namespace.map(|n| format!("/namespaces/{n}")).unwrap_or_default();
    for (kind, plural) in KINDS {
        match items(&reader, &format!("/apis/apps/v1{below}/{plural}?limit=500")).await {
            Ok(items) => looked.workloads.extend(items.into_iter().filter_map(|i| seen(kind, i))),
            Err(failure) => looked.trouble = Some(hint(&failure, namespace)),
        }
    }
    // Who may not see nodes or services goes without.
    if let Ok(nodes) = items(&reader, "/api/v1/nodes?limit=1").await {
        looked.region = nodes.first().and_then(|n| n.metadata.labels.get("topology.kubernetes.io/region")).cloned();
    }
    let services = "/api/v1/services?labelSelector=app.kubernetes.io%2Fname%3Dprometheus&limit=20";
    if let Ok(services) = items(&reader, services).await {
        looked.prometheus = services.into_iter().find_map(prometheus);
    }
    looked
}

async fn items(reader: &Reader, path: &str) -> Result<Vec<Item>, Failure> {
    let answer = reader.get(path).await?;
    let page: Page =
        serde_json::from_slice(&answer.body).map_err(|_| Failure::Garbage("the answer is no list".to_owned()))?;
    Ok(page.items)
}

fn hint(failure: &Failure, namespace: Option<&str>) -> String {
    let why = failure.text();
    match failure.code() {
        Some(403) if namespace.is_none() => format!("{why}; --namespace NAME looks into one that you may see"),
        _ => why,
    }
}

fn seen(kind: &'static str, item: Item) -> Option<Seen> {
    if SYSTEM.contains(&item.metadata.namespace.as_str()) {
        return None;
    }
    let template = item.spec.template;
    let label = |name: &str| item.metadata.labels.get(name).or_else(|| template.metadata.labels.get(name)).cloned();
    let (region, ring) = (label("region"), label("ring"));
    Some(Seen {
        kind,
        namespace: item.metadata.namespace,
        name: item.metadata.name,
        replicas: item.spec.replicas.unwrap_or(1),
        region,
        ring,
        containers: template.spec.containers.into_iter().map(|c| c.name).collect(),
    })
}

fn prometheus(item: Item) -> Option<(String, String, u64)> {
    let by_name = |p: &&Port| ["http-web", "http", "web"].contains(&p.name.as_str());
    let ports = &item.spec.ports;
    let port = ports.iter().find(|p| p.port == 9090).or_else(|| ports.iter().find(by_name)).or(ports.first())?;
    Some((item.metadata.namespace, item.metadata.name, port.port))
}
