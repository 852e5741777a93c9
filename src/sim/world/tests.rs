//! The world under paused time: what people do to it, and what comes of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "tests"
)]

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fleet::World;
use super::history::TrackKey;
use super::layout::{Layout, image};
use super::run::{self, SharedWorld, lock};
use crate::sim::clock::SimClock;
use crate::sim::resources::*;
use crate::sim::scenario::Scenario;
use crate::sim::store::{Changes, DeleteOptions, Part, Store, Verb, Writer};

struct Running {
    world: SharedWorld,
    stop: CancellationToken,
}

pub(super) fn start_of_time() -> Timestamp {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

fn start(scenario: &str) -> Running {
    start_text(scenario, None)
}

fn start_text(name: &str, text: Option<&str>) -> Running {
    let scenario = match text {
        Some(text) => Scenario::parse(name, text).unwrap(),
        None => Scenario::named(name).unwrap(),
    };
    let clock = SimClock::new(start_of_time(), 1.0);
    let layout = Layout::new(4, 1, &scenario.release, 1);
    let churn = scenario.events_per_second;
    let world = World::build(layout, scenario, clock, churn);
    let world = std::sync::Arc::new(std::sync::Mutex::new(world));
    let stop = CancellationToken::new();
    run::start(std::sync::Arc::clone(&world), stop.clone(), |_| {});
    Running { world, stop }
}

impl Running {
    fn store(&self, cluster: &str) -> Store {
        let world = lock(&self.world);
        let index = world.cluster(cluster).unwrap();
        world.clusters[index].store.clone()
    }

    async fn pass(&self, seconds: i64) {
        tokio::time::sleep(std::time::Duration::from_secs(seconds.unsigned_abs())).await;
    }

    fn deployment(&self, cluster: &str) -> Value {
        Value::clone(&self.store(cluster).get(&DEPLOYMENTS, "webapp", "webapp").unwrap())
    }

    fn promote(&self, cluster: &str, version: &str) {
        let change = |object: &mut Value| {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image("webapp", version));
            Ok(())
        };
        let writer = Writer::named("gonogo");
        self.store(cluster).modify(&DEPLOYMENTS, "webapp", "webapp", Part::Main, &writer, change).unwrap();
    }

    fn segment(&self, region: &str) -> super::history::Segment {
        let world = lock(&self.world);
        let history = world.history.read().unwrap();
        let track = history.track(&TrackKey::new(region, "webapp")).unwrap();
        track.segments().last().unwrap().clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) fn progressing(deployment: &Value) -> &Value {
    let conditions = deployment["status"]["conditions"].as_array().unwrap();
    conditions.iter().find(|c| c["type"] == "Progressing").unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_nobody_touches_writes_nothing() {
    let running = start("steady");
    let revisions = |running: &Running| -> Vec<u64> {
        lock(&running.world).clusters.iter().map(|cluster| cluster.store.revision()).collect()
    };
    running.pass(1).await;
    let before = revisions(&running);
    running.pass(3_600).await;
    assert_eq!(revisions(&running), before);
}

#[tokio::test(start_paused = true)]
async fn a_promotion_rolls_out_and_is_remembered_for_the_metrics() {
    let running = start("steady");
    running.promote("eu-west-1", "v2.1.0");
    running.pass(3).await;
    let mixed = running.segment("eu-west-1");
    assert_eq!(mixed.versions.len(), 2, "{mixed:?}");
    running.pass(60).await;
    let deployment = running.deployment("eu-west-1");
    assert_eq!(deployment["status"]["updatedReplicas"], 12);
    assert_eq!(progressing(&deployment)["reason"], "NewReplicaSetAvailable");
    assert_eq!(deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "3");
    assert_eq!(deployment["status"]["observedGeneration"], deployment["metadata"]["generation"]);
    let after = running.segment("eu-west-1");
    assert_eq!((&*after.versions[0].version, after.ready(), after.versions.len()), ("v2.1.0", 12, 1));
    let pods = running.store("eu-west-1").list(&PODS, Some("webapp"));
    assert_eq!(pods.len(), 12);
    assert!(pods.iter().all(|pod| pod["status"]["phase"] == "Running"));
    let events = running.store("eu-west-1").list(&EVENTS, Some("webapp"));
    assert!(events.iter().any(|event| event["reason"] == "ScalingReplicaSet"));
    let untouched = running.deployment("us-east-1");
    assert_eq!(untouched["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn rolling_back_reuses_the_replica_set_of_the_past() {
    let running = start("steady");
    running.promote("ap-south-1", "v2.0.0");
    running.pass(60).await;
    let store = running.store("ap-south-1");
    let sets = store.list(&REPLICASETS, Some("webapp"));
    assert_eq!(sets.len(), 3, "no new ReplicaSet");
    let back = sets.iter().find(|set| set["spec"]["replicas"] == 4).unwrap();
    assert_eq!(back["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "4");
    assert_eq!(back["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"], "2");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_and_a_scaled_deployment_come_right() {
    let running = start("steady");
    let store = running.store("us-east-1");
    let pods = store.list(&PODS, Some("webapp"));
    let name = pods[0]["metadata"]["name"].as_str().unwrap();
    store.delete(&PODS, "webapp", name, &DeleteOptions::default(), &Writer::named("kubectl")).unwrap();
    running.pass(20).await;
    assert_eq!(store.list(&PODS, Some("webapp")).len(), 14);
    let change = |object: &mut Value| {
        object["spec"]["replicas"] = json!(3);
        Ok(())
    };
    store.modify(&DEPLOYMENTS, "webapp", "webapp", Part::Scale, &Writer::named("kubectl"), change).unwrap();
    running.pass(20).await;
    assert_eq!(store.list(&PODS, Some("webapp")).len(), 3);
    assert_eq!(running.segment("us-east-1").desired, 3);
}

#[tokio::test(start_paused = true)]
async fn a_new_deployment_of_anybodys_is_run_too_and_a_deleted_one_leaves_nothing() {
    let running = start("steady");
    let store = running.store("staging");
    let object = json!({"metadata": {"name": "guest", "namespace": "default"}, "spec": {"replicas": 2,
        "selector": {"matchLabels": {"app": "guest"}},
        "template": {"metadata": {"labels": {"app": "guest"}}, "spec": {"containers": [{"name": "c", "image": "guest:1"}]}}}});
    store.create(&DEPLOYMENTS, object, &Writer::named("kubectl")).unwrap();
    running.pass(20).await;
    let guest = store.get(&DEPLOYMENTS, "default", "guest").unwrap();
    assert_eq!(guest["status"]["availableReplicas"], 2, "{guest:#}");
    store.delete(&DEPLOYMENTS, "default", "guest", &DeleteOptions::default(), &Writer::named("kubectl")).unwrap();
    running.pass(20).await;
    assert!(store.list(&PODS, Some("default")).is_empty());
    assert!(store.list(&REPLICASETS, Some("default")).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_drained_region_gets_no_traffic_and_the_others_get_its_share() {
    let running = start("steady");
    let before = running.segment("us-east-1").offered_qps;
    let edge = running.store("edge");
    let change = |object: &mut Value| {
        object["spec"]["rules"][0]["backendRefs"][1]["weight"] = json!(0);
        Ok(())
    };
    edge.modify(&HTTPROUTES, "webapp", "webapp", Part::Main, &Writer::named("gonogo"), change).unwrap();
    running.pass(1).await;
    assert!(running.segment("eu-west-1").offered_qps.abs() < f64::EPSILON);
    let after = running.segment("us-east-1").offered_qps;
    assert!(after > before * 1.6, "{before} {after}");
    let route = edge.get(&HTTPROUTES, "webapp", "webapp").unwrap();
    assert_eq!(route["status"]["parents"][0]["conditions"][0]["observedGeneration"], route["metadata"]["generation"]);
    assert!((running.segment("staging").offered_qps - 240.0).abs() < 1.0, "staging is not behind the route");
}

#[tokio::test(start_paused = true)]
async fn crashloop_exceeds_its_deadline_with_reasons_to_read() {
    let running = start("crashloop");
    running.promote("eu-west-1", "v2.1.0");
    running.pass(120).await;
    let deployment = running.deployment("eu-west-1");
    assert_eq!(progressing(&deployment)["reason"], "ProgressDeadlineExceeded");
    assert_eq!(deployment["status"]["availableReplicas"], 9);
    let pods = running.store("eu-west-1").list(&PODS, Some("webapp"));
    let waiting: Vec<_> = pods
        .iter()
        .filter_map(|pod| pod.pointer("/status/containerStatuses/0/state/waiting/reason"))
        .filter(|reason| **reason == "CrashLoopBackOff")
        .collect();
    assert!(!waiting.is_empty());
    running.promote("eu-west-1", "v2.0.0");
    running.pass(60).await;
    assert_eq!(running.deployment("eu-west-1")["status"]["availableReplicas"], 12);
}

#[tokio::test(start_paused = true)]
async fn autoscalers_follow_the_traffic() {
    let running = start("hpa");
    running.pass(15 * 60).await;
    let log: Vec<_> = running.store("eu-west-1").list(&EVENTS, Some("webapp"));
    let rescaled = log.iter().filter(|event| event["reason"] == "SuccessfulRescale").count();
    assert!(rescaled >= 2, "up and down again: {rescaled}");
    let deployment = running.deployment("eu-west-1");
    assert_eq!(
        progressing(&deployment)["lastTransitionTime"],
        running.deployment("eu-west-1")["status"]["conditions"][0]["lastTransitionTime"]
    );
    let hpa = running.store("eu-west-1").get(&HPAS, "webapp", "webapp").unwrap();
    assert!(hpa["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"].as_i64().unwrap() > 20);
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_a_thousand_changes_a_second_and_moves_nothing() {
    let running = start("flood");
    running.pass(1).await;
    let sum = |running: &Running| -> u64 { lock(&running.world).clusters.iter().map(|c| c.store.revision()).sum() };
    let before = sum(&running);
    running.pass(2).await;
    let made = sum(&running) - before;
    assert!((1_990..=2_010).contains(&made), "{made}");
    assert_eq!(running.deployment("eu-west-1")["metadata"]["generation"], 2);
}

#[tokio::test(start_paused = true)]
async fn actions_of_a_scenario_happen_at_their_time() {
    let text = r#"
description = "a script for this test"
[[action]]
at = "+10s"
do = "set-image"
region = "staging"
version = "v2.2.0"
[[action]]
at = "+5s"
of = "rollout"
do = "scale"
region = "staging"
replicas = 5
"#;
    let running = start_text("test", Some(text));
    running.pass(9).await;
    assert_eq!(running.deployment("staging")["metadata"]["generation"], 3);
    running.pass(3).await;
    assert_eq!(running.deployment("staging")["metadata"]["generation"], 4);
    running.pass(30).await;
    assert_eq!(running.deployment("staging")["status"]["availableReplicas"], 5);
}

/// Every change of a cluster, one line each.
fn lines(changes: &mut Changes, log: &mut String) {
    while let Some(change) = changes.try_next().unwrap() {
        let verb = match change.verb {
            Verb::Added => "ADDED",
            Verb::Modified => "MODIFIED",
            Verb::Deleted => "DELETED",
        };
        let status = change.object.get("status").map(Value::to_string).unwrap_or_default();
        writeln!(log, "{} {verb} {} {} {status}", change.revision, change.resource.kind, change.stored.name()).unwrap();
    }
}

async fn history_of_a_script() -> (String, String) {
    let running = start("crashloop");
    let mut all: Vec<Changes> = lock(&running.world).clusters.iter().map(|c| c.store.subscribe()).collect();
    running.promote("eu-west-1", "v2.1.0");
    let mut log = String::new();
    for _ in 0..40 {
        running.pass(2).await;
        for changes in &mut all {
            lines(changes, &mut log);
        }
    }
    running.promote("eu-west-1", "v2.0.0");
    running.pass(40).await;
    for changes in &mut all {
        lines(changes, &mut log);
    }
    let events: Vec<String> = running
        .store("eu-west-1")
        .list(&EVENTS, Some("webapp"))
        .iter()
        .filter(|event| event["involvedObject"]["kind"] == "Deployment")
        .map(|event| format!("{} {}", event["lastTimestamp"].as_str().unwrap(), event["message"].as_str().unwrap()))
        .collect();
    let mut events = events;
    events.sort();
    (log, events.join("\n"))
}

#[test]
fn the_same_seed_and_script_give_the_same_history() {
    let once = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(history_of_a_script())
    };
    let (first, events) = once();
    let (second, _) = once();
    assert!(first.lines().count() > 200, "{}", first.lines().count());
    assert_eq!(first, second);
    insta::assert_snapshot!("events_of_a_crashloop_and_its_rollback", events);
}

#[test]
fn a_large_fleet_starts_quickly_and_keeps_pods_on_paper() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let scenario = Scenario::named("steady").unwrap();
        let clock = SimClock::new(start_of_time(), 1.0);
        let layout = Layout::new(40, 10, &scenario.release, 1);
        let world = World::build(layout, scenario, clock, 0);
        let cluster = &world.clusters[10];
        assert_eq!(cluster.store.list(&DEPLOYMENTS, None).len(), 10);
        assert!(cluster.store.list(&PODS, None).is_empty());
        let running =
            Running { world: std::sync::Arc::new(std::sync::Mutex::new(world)), stop: CancellationToken::new() };
        run::start(std::sync::Arc::clone(&running.world), running.stop.clone(), |_| {});
        running.promote("region-11", "v2.2.0");
        running.pass(90).await;
        let deployment = running.deployment("region-11");
        assert_eq!(deployment["status"]["updatedReplicas"], deployment["spec"]["replicas"]);
        assert_eq!(running.store("region-11").list(&REPLICASETS, Some("webapp")).len(), 3);
    });
}
