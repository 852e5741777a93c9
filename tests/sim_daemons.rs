//! DaemonSets in the simulated fleet under paused time: what the controller does, and what our translator reads of
//! it and writes to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::Duration;

use gonogo::domain::fleet::VersionFrom;
use gonogo::domain::workload::{Phase, Workload};
use gonogo::kinds::{self, ReadHow};
use gonogo::sim::patch;
use gonogo::sim::resources::{CONTROLLERREVISIONS, DAEMONSETS, NODES, PODS};
use gonogo::sim::store::{DeleteOptions, Part, Store, Writer};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::{Value, json};

const NAMESPACE: &str = "default";

/// A fleet in which v2.1.0 crashes in eu-west-1, with a DaemonSet `agent` on its three nodes.
struct Agent {
    store: Store,
    _fleet: SimFleet,
}

impl Agent {
    async fn start(spec: Value) -> Self {
        let start = "2026-06-01T12:00:00Z".parse().ok();
        let options = SimOptions { scenario: "crashloop".into(), speed: Some(1.0), start, ..SimOptions::default() };
        let fleet = SimFleet::start(&options).unwrap();
        let store = fleet.api("eu-west-1").unwrap().store().clone();
        let mut object = json!({
            "metadata": {"name": "agent", "namespace": NAMESPACE},
            "spec": {
                "selector": {"matchLabels": {"app": "agent"}},
                "template": {
                    "metadata": {"labels": {"app": "agent"}},
                    "spec": {"containers": [{"name": "agent", "image": "registry.example/agent:v1"}]},
                },
            },
        });
        patch::merge::apply(&mut object, &json!({ "spec": spec }));
        store.create(&DAEMONSETS, object, &Writer::named("test")).unwrap();
        let agent = Self { store, _fleet: fleet };
        agent.until("seen", |w| w.observed_generation > 0 && w.replicas.desired > 0).await;
        agent.settled().await;
        agent
    }

    fn change(&self, change: impl Fn(&mut Value)) {
        let change = |object: &mut Value| {
            change(object);
            Ok(())
        };
        self.store.modify(&DAEMONSETS, NAMESPACE, "agent", Part::Main, &Writer::named("test"), change).unwrap();
    }

    fn image(&self, version: &str) {
        let image = format!("registry.example/agent:{version}");
        self.change(|o| o["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image));
    }

    fn object(&self) -> Value {
        Value::clone(&self.store.get(&DAEMONSETS, NAMESPACE, "agent").unwrap())
    }

    /// Node, version and readiness of each pod that is there and not on its way out.
    fn pods(&self) -> Vec<(String, String, bool)> {
        let all = self.store.list(&PODS, Some(NAMESPACE));
        let one = |pod: &Value| {
            let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
            let conditions = pod["status"]["conditions"].as_array().unwrap();
            let ready = conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True");
            let node = pod["spec"]["nodeName"].as_str().unwrap_or_default().to_owned();
            (node, image.rsplit_once(':').unwrap().1.to_owned(), ready)
        };
        let mut all: Vec<_> =
            all.iter().filter(|p| p["metadata"].get("deletionTimestamp").is_none()).map(|pod| one(pod)).collect();
        all.sort();
        all
    }

    fn versions(&self) -> Vec<String> {
        self.pods().into_iter().map(|(_, version, _)| version).collect()
    }

    fn read(&self) -> Workload {
        let how = |_: &str, _: &str| {
            let left_out = Default::default();
            Some(ReadHow { container: "agent".into(), version_from: VersionFrom::Image, left_out })
        };
        let bytes = self.object().to_string();
        kinds::kind("DaemonSet").unwrap().read(bytes.as_bytes(), &how).unwrap().unwrap().workload
    }

    /// Time passes until this is so.
    async fn until(&self, what: &str, mut is_so: impl FnMut(&Workload) -> bool) {
        for _ in 0..1_200 {
            if is_so(&self.read()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("{what} never came: {:?} {:?}", self.read(), self.pods());
    }

    async fn settled(&self) {
        self.until("settled", Workload::settled).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_node_has_one_pod_and_they_are_replaced_one_node_at_a_time() {
    let agent = Agent::start(json!({})).await;
    let nodes: Vec<String> = agent.pods().into_iter().map(|(node, ..)| node).collect();
    assert_eq!(nodes, ["eu-west-1-node-0", "eu-west-1-node-1", "eu-west-1-node-2"]);
    agent.image("v2.0.0");
    let mut least = 3;
    agent
        .until("all new", |w| {
            least = least.min(agent.pods().iter().filter(|(.., ready)| *ready).count());
            w.settled() && w.replicas.updated == 3
        })
        .await;
    assert_eq!((agent.versions(), least), (vec!["v2.0.0".to_owned(); 3], 2), "one was missing at a time");
}

#[tokio::test(start_paused = true)]
async fn with_a_surge_the_new_pod_comes_before_the_old_one_goes() {
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    let agent = Agent::start(json!({"updateStrategy": rolling})).await;
    agent.image("v2.0.0");
    let (mut most, mut least) = (0, 3);
    agent
        .until("all new", |w| {
            let pods = agent.pods();
            most = most.max(pods.len());
            least = least.min(pods.iter().filter(|(.., ready)| *ready).count());
            w.settled() && w.replicas.updated == 3
        })
        .await;
    assert_eq!((most, least, agent.versions()), (4, 3, vec!["v2.0.0".to_owned(); 3]));
}

#[tokio::test(start_paused = true)]
async fn a_broken_version_stops_at_the_first_node_and_says_why_and_the_way_back_is_not_blocked() {
    let kind = kinds::kind("DaemonSet").unwrap();
    let agent = Agent::start(json!({})).await;
    agent.image("v2.1.0");
    agent.until("a broken pod", |w| w.replicas.updated == 1 && w.replicas.ready == 2).await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(agent.versions().iter().filter(|v| *v == "v2.1.0").count(), 1, "{:?}", agent.pods());
    let snag = agent.read().progress.snag.unwrap();
    assert!(snag.contains("1 of 3 nodes") && snag.contains("no more than 1"), "{snag}");
    let owned: Vec<Value> =
        agent.store.list(&CONTROLLERREVISIONS, Some(NAMESPACE)).iter().map(|v| Value::clone(v)).collect();
    let object = agent.object();
    let past = kind.history(&object, &owned);
    assert_eq!(past.iter().map(|p| p.number).collect::<Vec<_>>(), [2, 1]);
    let operations = Value::Array(kind.undo(&object, past.last().unwrap()).operations);
    agent.change(|o| patch::json::apply(o, &operations).unwrap());
    agent.until("all back", |w| w.settled() && w.replicas.updated == 3).await;
    assert_eq!(agent.versions(), ["v1"; 3]);
    assert_eq!(agent.read().template, past.last().unwrap().digest, "what ran before is what runs");
    // The revision that was taken again has the highest number.
    let revisions = agent.store.list(&CONTROLLERREVISIONS, Some(NAMESPACE));
    let mut numbers: Vec<i64> = revisions.iter().map(|r| r["revision"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn on_delete_a_pod_takes_the_new_version_when_somebody_deletes_it() {
    let agent = Agent::start(json!({})).await;
    agent.change(|o| o["spec"]["updateStrategy"] = json!({"type": "OnDelete"}));
    agent.image("v2.0.0");
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!((agent.versions(), agent.read().phase), (vec!["v1".to_owned(); 3], Phase::OnDelete));
    let pods = agent.store.list(&PODS, Some(NAMESPACE));
    let name = pods[0]["metadata"]["name"].as_str().unwrap();
    agent.store.delete(&PODS, NAMESPACE, name, &DeleteOptions::default(), &Writer::named("test")).unwrap();
    agent.until("one new pod", |w| w.replicas.updated == 1 && w.replicas.ready == 3).await;
    assert_eq!(agent.versions().iter().filter(|v| *v == "v2.0.0").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn pods_follow_the_nodes_that_a_selector_asks_for() {
    let agent = Agent::start(json!({})).await;
    let writer = Writer::named("test");
    agent.store.delete(&NODES, "", "eu-west-1-node-2", &DeleteOptions::default(), &writer).unwrap();
    agent.until("two", |w| w.replicas.desired == 2 && w.settled()).await;
    assert_eq!(agent.pods().len(), 2);
    agent.change(|o| o["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "ssd"}));
    agent.until("none", |w| w.replicas.desired == 0).await;
    let label = |node: &mut Value| {
        node["metadata"]["labels"]["disk"] = json!("ssd");
        Ok(())
    };
    agent.store.modify(&NODES, "", "eu-west-1-node-1", Part::Main, &writer, label).unwrap();
    agent.until("one", |w| w.replicas.desired == 1 && w.settled() && w.replicas.ready == 1).await;
    assert_eq!(agent.pods()[0].0, "eu-west-1-node-1");
}
