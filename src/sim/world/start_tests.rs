//! A fleet behind its servers: faults of scenarios, logs, lazily written pods, the record.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "tests"
)]

use serde_json::{Value, json};

use super::layout::image;
use super::run::lock;
use super::tests::{progressing, start_of_time};
use crate::sim::resources::*;
use crate::sim::store::{Part, Writer};

fn fleet(scenario: &str, regions: usize, services: usize) -> super::SimFleet {
    let options = super::SimOptions {
        scenario: scenario.into(),
        regions,
        services,
        start: Some(start_of_time()),
        ..super::SimOptions::default()
    };
    super::SimFleet::start(&options).unwrap()
}

async fn get(fleet: &super::SimFleet, cluster: &str, path: &str) -> (u16, String) {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let server = fleet.api(cluster).unwrap().trusting("oncall");
    let request = http::Request::get(path).body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let response = server.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/webapp/deployments/webapp";

fn promote(fleet: &super::SimFleet, cluster: &str, version: &str) {
    let change = |object: &mut Value| {
        object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image("webapp", version));
        Ok(())
    };
    let store = fleet.api(cluster).unwrap().store();
    store.modify(&DEPLOYMENTS, "webapp", "webapp", Part::Main, &Writer::named("gonogo"), change).unwrap();
}

async fn answers(fleet: &super::SimFleet, cluster: &str) -> bool {
    let wait = std::time::Duration::from_secs(5);
    tokio::time::timeout(wait, get(fleet, cluster, DEPLOYMENT)).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_partition_begins_in_the_middle_of_the_rollout_and_ends() {
    let fleet = fleet("partition", 4, 1);
    assert!(answers(&fleet, "eu-west-1").await);
    promote(&fleet, "eu-west-1", "v2.1.0");
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert!(!answers(&fleet, "eu-west-1").await, "cut off");
    assert!(answers(&fleet, "us-east-1").await, "nobody else");
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let (code, body) = get(&fleet, "eu-west-1", DEPLOYMENT).await;
    let object: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((code, &object["status"]["updatedReplicas"]), (200, &json!(12)), "it went on behind the partition");
    fleet.stop().await;
}

#[tokio::test(start_paused = true)]
async fn slow_servers_take_two_seconds() {
    let fleet = fleet("slow", 4, 1);
    let before = tokio::time::Instant::now();
    get(&fleet, "staging", DEPLOYMENT).await;
    assert!(before.elapsed() >= std::time::Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn without_metrics_prometheus_refuses_connections() {
    let down = fleet("no-metrics", 4, 1);
    assert!(down.prometheus("eu-west-1").unwrap().faults().is_down());
    let path = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query=up";
    assert_eq!(get(&down, "eu-west-1", path).await.0, 503);
    let up = fleet("steady", 4, 1);
    let (code, body) = get(&up, "eu-west-1", path).await;
    assert_eq!(code, 200, "{body}");
    assert!(body.contains("eu-west-1"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_regression_shows_only_where_the_load_is_high() {
    let fleet = fleet("regression", 4, 1);
    promote(&fleet, "eu-west-1", "v2.1.0");
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    let ratio = |region: &str| {
        let world = lock(fleet.world());
        let views = world.model.views(|key| &*key.region == region);
        views[0].error_ratio(world.clock.now().as_millisecond())
    };
    assert!(ratio("eu-west-1") > 0.02, "{}", ratio("eu-west-1"));
    assert!(ratio("ap-south-1") < 0.006, "{}", ratio("ap-south-1"));
}

#[tokio::test(start_paused = true)]
async fn pods_on_paper_become_real_when_somebody_looks() {
    let fleet = fleet("steady", 40, 3);
    let (_, body) = get(&fleet, "region-11", "/api/v1/namespaces/webapp/pods").await;
    let list: Value = serde_json::from_str(&body).unwrap();
    let pods = list["items"].as_array().unwrap();
    assert!(!pods.is_empty());
    let name = pods[0]["metadata"]["name"].as_str().unwrap();
    let (code, log) = get(&fleet, "region-11", &format!("/api/v1/namespaces/webapp/pods/{name}/log")).await;
    assert_eq!(code, 200, "{log}");
    assert!(log.contains("version=v2.0.0") || log.contains("requests="), "{log}");
    let elsewhere = fleet.api("region-12").unwrap().store().list(&PODS, None);
    assert!(elsewhere.is_empty(), "only where somebody looked");
}

#[tokio::test(start_paused = true)]
async fn a_scenario_that_names_a_region_of_another_fleet_is_refused() {
    let options = super::SimOptions { scenario: "partition".into(), regions: 2, ..super::SimOptions::default() };
    let error = super::SimFleet::start(&options).err().unwrap().to_string();
    assert!(error.contains("eu-west-1") && error.contains("2 regions"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_record_of_the_past_can_be_read_by_its_own_rules() {
    let fleet = fleet("steady", 4, 1);
    let store = fleet.api("ap-south-1").unwrap().store();
    let map = store.get(&CONFIGMAPS, "webapp", "gonogo-sim-webapp").unwrap();
    let data = map["data"].as_object().unwrap();
    let promoted = data.iter().filter(|(key, _)| key.ends_with(".promoted")).count();
    assert_eq!(promoted, 2);
    assert!(data.values().all(|value| value.as_str().unwrap().starts_with("by=")));
    let deployment = store.get(&DEPLOYMENTS, "webapp", "webapp").unwrap();
    let digest = super::template::Templates::new(false).get("webapp", "ap-south-1", "v2.1.0").digest.clone();
    let settled = data.iter().find(|(key, _)| key.contains(&digest));
    let (_, settled) = settled.unwrap();
    assert!(settled.as_str().unwrap().contains(deployment["metadata"]["uid"].as_str().unwrap()));
    let at = progressing(&deployment)["lastUpdateTime"].as_str().unwrap();
    assert!(settled.as_str().unwrap().contains(at), "the fact counts from the cluster's evidence");
}
