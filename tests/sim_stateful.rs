//! StatefulSets in the simulated fleet under paused time: what the controller does, and what our translator
//! reads of it and writes to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::Duration;

use gonogo::domain::fleet::VersionFrom;
use gonogo::domain::workload::{Phase, Workload};
use gonogo::kinds::{self, ReadHow};
use gonogo::sim::resources::{CONTROLLERREVISIONS, PODS, STATEFULSETS};
use gonogo::sim::store::{DeleteOptions, Part, Store, Writer};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::{Value, json};

const NAMESPACE: &str = "default";

/// A fleet in which v2.1.0 crashes in eu-west-1, with a StatefulSet `db` of five pods there.
struct Db {
    store: Store,
    _fleet: SimFleet,
}

impl Db {
    async fn start(spec: Value) -> Self {
        let start = "2026-06-01T12:00:00Z".parse().ok();
        let options = SimOptions { scenario: "crashloop".into(), speed: Some(1.0), start, ..SimOptions::default() };
        let fleet = SimFleet::start(&options).unwrap();
        let store = fleet.api("eu-west-1").unwrap().store().clone();
        let mut object = json!({
            "metadata": {"name": "db", "namespace": NAMESPACE},
            "spec": {
                "replicas": 5, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
                "template": {
                    "metadata": {"labels": {"app": "db"}},
                    "spec": {"containers": [{"name": "db", "image": "registry.example/db:v1"}]},
                },
            },
        });
        for (key, value) in spec.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        store.create(&STATEFULSETS, object, &Writer::named("test")).unwrap();
        Self { store, _fleet: fleet }
    }

    fn change(&self, change: impl Fn(&mut Value)) {
        let change = |object: &mut Value| {
            change(object);
            Ok(())
        };
        self.store.modify(&STATEFULSETS, NAMESPACE, "db", Part::Main, &Writer::named("test"), change).unwrap();
    }

    fn image(&self, version: &str) {
        let image = format!("registry.example/db:{version}");
        self.change(|o| o["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image));
    }

    fn object(&self) -> Value {
        Value::clone(&self.store.get(&STATEFULSETS, NAMESPACE, "db").unwrap())
    }

    /// Name and version of each pod that is there, by name.
    fn pods(&self) -> Vec<(String, String)> {
        let all = self.store.list(&PODS, Some(NAMESPACE));
        let one = |pod: &Value| {
            let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
            let version = image.rsplit_once(':').unwrap().1.to_owned();
            (pod["metadata"]["name"].as_str().unwrap().to_owned(), version)
        };
        let mut all: Vec<_> = all.iter().map(|pod| one(pod)).collect();
        all.sort();
        all
    }

    fn versions(&self) -> Vec<String> {
        self.pods().into_iter().map(|(_, version)| version).collect()
    }

    fn read(&self) -> Workload {
        let how = |_: &str, _: &str| {
            let left_out = Default::default();
            Some(ReadHow { container: "db".into(), version_from: VersionFrom::Image, left_out })
        };
        let bytes = self.object().to_string();
        kinds::kind("StatefulSet").unwrap().read(bytes.as_bytes(), &how).unwrap().unwrap().workload
    }

    /// Time passes until this is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Workload) -> bool) {
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
async fn pods_come_one_after_another_and_are_replaced_from_the_top() {
    let db = Db::start(json!({})).await;
    let mut most = 0;
    db.until("all pods", |w| {
        let (there, ready) = (w.replicas.total, w.replicas.ready);
        assert!(there <= ready + 1, "the next comes when the one before is ready: {:?}", w.replicas);
        w.replicas.ready == 5
    })
    .await;
    db.image("v2.0.0");
    for at in 0..2_000 {
        let versions = db.versions();
        let new = versions.iter().filter(|v| *v == "v2.0.0").count();
        assert!(versions.iter().rev().take(new).all(|v| v == "v2.0.0"), "{versions:?} after {at}");
        most = most.max(new);
        if new == 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(most, 5);
    assert_eq!(
        db.pods().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["db-0", "db-1", "db-2", "db-3", "db-4"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_back_by_a_partition_is_not_settled_and_the_next_step_lets_it_through() {
    let kind = kinds::kind("StatefulSet").unwrap();
    let db = Db::start(json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}})).await;
    db.settled().await;
    db.image("v2.0.0");
    db.until("two pods", |w| w.phase == Phase::Partitioned).await;
    assert_eq!(db.versions(), ["v1", "v1", "v1", "v2.0.0", "v2.0.0"]);
    let next = kind.let_through(&db.object()).unwrap().unwrap();
    let operations = Value::Array(next.operations);
    db.change(|o| gonogo::sim::patch::json::apply(o, &operations).unwrap());
    db.settled().await;
    assert_eq!(db.versions(), ["v2.0.0"; 5]);
    assert_eq!(kind.let_through(&db.object()), Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_what_is_not_replaced_yet_and_the_way_back_takes_the_rest() {
    let kind = kinds::kind("StatefulSet").unwrap();
    let db = Db::start(json!({})).await;
    db.settled().await;
    db.image("v2.0.0");
    db.until("one new pod", |w| w.replicas.updated == 1).await;
    let pause = kind.pause(&db.read()).unwrap();
    let operations = Value::Array(pause.operations);
    db.change(|o| gonogo::sim::patch::json::apply(o, &operations).unwrap());
    db.until("paused", |w| w.paused && w.replicas.ready == 5).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(db.versions().iter().filter(|v| *v == "v2.0.0").count(), 1, "{:?}", db.pods());
    // Back by its ControllerRevisions, with the partition as it was.
    let owned: Vec<Value> =
        db.store.list(&CONTROLLERREVISIONS, Some(NAMESPACE)).iter().map(|v| Value::clone(v)).collect();
    let object = db.object();
    let past = kind.history(&object, &owned);
    assert_eq!(past.iter().map(|p| p.number).collect::<Vec<_>>(), [2, 1]);
    let mut operations = kind.undo(&object, past.last().unwrap()).operations;
    operations.extend(kind.un_pause(&object, pause.was.as_deref()).unwrap().operations);
    let operations = Value::Array(operations);
    db.change(|o| gonogo::sim::patch::json::apply(o, &operations).unwrap());
    db.until("all back", |w| w.settled() && w.replicas.updated == 5).await;
    assert_eq!(db.versions(), ["v1"; 5]);
    assert_eq!(db.read().template, past.last().unwrap().digest, "what ran before is what runs");
}

#[tokio::test(start_paused = true)]
async fn in_order_a_broken_pod_blocks_the_way_back_and_in_parallel_it_does_not() {
    for (policy, blocks) in [("OrderedReady", true), ("Parallel", false)] {
        let db = Db::start(json!({"podManagementPolicy": policy})).await;
        db.settled().await;
        db.image("v2.1.0");
        db.until("a broken pod", |w| w.replicas.updated == 1 && w.replicas.ready == 4).await;
        let kind = kinds::kind("StatefulSet").unwrap();
        assert_eq!(kind.before_undo(&db.object()).is_some_and(|text| text.contains("`db-4`")), blocks, "{policy}");
        db.image("v1");
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(db.read().settled(), !blocks, "{policy}");
        assert_eq!(db.read().progress.snag.is_some(), blocks, "{policy}");
        if blocks {
            let (options, writer) = (DeleteOptions::default(), Writer::named("test"));
            db.store.delete(&PODS, NAMESPACE, "db-4", &options, &writer).unwrap();
        }
        db.until("back", |w| w.settled() && w.replicas.updated == 5).await;
        assert_eq!(db.versions(), ["v1"; 5], "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn old_revisions_beyond_the_limit_are_forgotten() {
    let db = Db::start(json!({"replicas": 1, "revisionHistoryLimit": 2})).await;
    for version in ["v2", "v3", "v4", "v5"] {
        db.settled().await;
        db.image(version);
        db.until(version, |w| w.observed_generation == w.generation).await;
        db.until(version, |w| w.replicas.updated == 1 && w.replicas.ready == 1).await;
    }
    let all = db.store.list(&CONTROLLERREVISIONS, Some(NAMESPACE));
    let mut numbers: Vec<i64> = all.iter().map(|r| r["revision"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 4, 5], "two that ran before, and what runs");
}
