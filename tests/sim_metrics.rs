//! The whole simulated fleet as its Prometheus shows it: what is written to the API
//! servers is seen in the metrics, under paused time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use gonogo::sim::world::{SimFleet, SimOptions};
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::ServiceExt;

/// May do everything that the console does.
const USER: &str = "oncall";
const REGIONS: [&str; 3] = ["ap-south-1", "eu-west-1", "us-east-1"];

fn fleet(scenario: &str) -> SimFleet {
    let options = SimOptions {
        scenario: scenario.to_owned(),
        speed: Some(1.0),
        start: Some("2026-06-01T12:00:00Z".parse().unwrap()),
        ..SimOptions::default()
    };
    SimFleet::start(&options).unwrap()
}

async fn pass(minutes: u64) {
    tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
}

async fn patch(fleet: &SimFleet, cluster: &str, path: &str, kind: &str, body: &Value) {
    let request = Request::patch(path)
        .header("content-type", format!("application/{kind}+json"))
        .body(Full::<bytes::Bytes>::from(body.to_string()))
        .unwrap();
    let response = fleet.api(cluster).unwrap().trusting(USER).oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.map(http_body_util::Collected::to_bytes);
    assert!(status.is_success(), "{path}: {status} {body:?}");
}

/// Asks every region's own Prometheus; the first value of each that has any.
async fn ask(fleet: &SimFleet, query: &str) -> BTreeMap<&'static str, f64> {
    let mut values = BTreeMap::new();
    for region in REGIONS {
        let escaped: String = query.replace("REGION", region).bytes().map(|b| format!("%{b:02X}")).collect();
        let request = Request::get(format!("/api/v1/query?query={escaped}")).body(Full::<bytes::Bytes>::default());
        let response = fleet.prometheus(region).unwrap().clone().answer(request.unwrap()).await.unwrap();
        let body: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!(body["status"], "success", "{query}: {body}");
        if let Some(value) = body["data"]["result"][0]["value"][1].as_str() {
            values.insert(region, value.parse().unwrap());
        }
    }
    values
}

const QPS: &str = "sum(rate(http_requests_total{namespace=\"webapp\",workload=\"webapp\",region=\"REGION\"}[5m]))";
const ERRORS: &str = "sum(rate(http_requests_total{workload=\"webapp\",region=\"REGION\",code=~\"5..\"}[5m])) \
     / sum(rate(http_requests_total{workload=\"webapp\",region=\"REGION\"}[5m]))";
const P99: &str = "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{workload=\"webapp\",region=\"REGION\"}[5m])))";

fn near(got: &BTreeMap<&str, f64>, wished: [f64; 3], tolerance: f64) {
    for (region, wished) in REGIONS.into_iter().zip(wished) {
        let got = got[region];
        assert!((got / wished - 1.0).abs() < tolerance, "{region}: {got}, not {wished}");
    }
}

fn image(version: &str) -> Value {
    let image = format!("registry.example/webapp:{version}");
    json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})
}

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/webapp/deployments/webapp";

#[tokio::test(start_paused = true)]
async fn the_default_fleet_shows_the_dashboard() {
    let fleet = fleet("steady");
    pass(1).await;
    near(&ask(&fleet, QPS).await, [12_400.0, 45_200.0, 52_100.0], 0.06);
    near(&ask(&fleet, P99).await, [0.145, 0.120, 0.130], 0.04);
    near(&ask(&fleet, ERRORS).await, [0.003, 0.002, 0.002], 0.2);
    // The release of yesterday, as far back as it began.
    let versions =
        ask(&fleet, "count(count by (version) (count_over_time(http_requests_total{region=\"REGION\"}[3d])))");
    assert_eq!(versions.await.into_values().collect::<Vec<_>>(), [2.0, 1.0, 1.0]);
    fleet.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_under_load_is_seen_after_its_promotion_and_gone_after_the_rollback() {
    let fleet = fleet("regression");
    pass(1).await;
    assert!(ask(&fleet, ERRORS).await["ap-south-1"] < 0.005, "no sign of it in the small region");
    patch(&fleet, "eu-west-1", DEPLOYMENT, "strategic-merge-patch", &image("v2.1.0")).await;
    pass(12).await;
    let (errors, p99) = (ask(&fleet, ERRORS).await, ask(&fleet, P99).await);
    assert!(errors["eu-west-1"] > 0.03 && errors["us-east-1"] < 0.004, "{errors:?}");
    assert!(p99["eu-west-1"] > 0.25 && p99["us-east-1"] < 0.15, "{p99:?}");
    let alerts = ask(&fleet, "ALERTS{alertstate=\"firing\",region=\"REGION\"}").await;
    assert_eq!(alerts.into_keys().collect::<Vec<_>>(), ["eu-west-1"]);
    patch(&fleet, "eu-west-1", DEPLOYMENT, "strategic-merge-patch", &image("v2.0.0")).await;
    pass(12).await;
    assert!(ask(&fleet, ERRORS).await["eu-west-1"] < 0.004);
    fleet.stop().await;
}

/// A template that was there before comes back under its old hash: one series, not two.
#[tokio::test(start_paused = true)]
async fn a_version_that_comes_back_goes_on_with_its_series() {
    let fleet = fleet("steady");
    let by_hash = "sum by (template_hash) (rate(http_requests_total{workload=\"webapp\",region=\"REGION\"}[5m]))";
    for version in ["v2.1.0", "v2.0.0", "v2.1.0", "v2.0.0"] {
        patch(&fleet, "us-east-1", DEPLOYMENT, "strategic-merge-patch", &image(version)).await;
        for _ in 0..6 {
            pass(1).await;
            for query in [QPS, ERRORS, P99, by_hash, "rate(http_requests_total{region=\"REGION\"}[5m])"] {
                assert!(ask(&fleet, query).await.contains_key("us-east-1"), "{query} after {version}");
            }
            let qps = ask(&fleet, QPS).await["us-east-1"];
            assert!((20_000.0..100_000.0).contains(&qps), "{qps} QPS after {version}");
        }
    }
    fleet.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_drained_region_serves_nothing_and_no_request_is_lost() {
    let fleet = fleet("steady");
    pass(1).await;
    let before: f64 = ask(&fleet, QPS).await.values().sum();
    let path = "/apis/gateway.networking.k8s.io/v1/namespaces/webapp/httproutes/webapp";
    let backends: Vec<Value> = [("ap-south-1", 124), ("eu-west-1", 0), ("us-east-1", 521)]
        .map(|(region, weight)| json!({"name": format!("webapp-{region}"), "port": 80, "weight": weight}))
        .into();
    patch(&fleet, "edge", path, "merge-patch", &json!({"spec": {"rules": [{"backendRefs": backends}]}})).await;
    pass(7).await;
    let after = ask(&fleet, QPS).await;
    assert_eq!(after["eu-west-1"], 0.0);
    assert!((after.values().sum::<f64>() / before - 1.0).abs() < 0.05, "{before} became {after:?}");
    assert!((after["us-east-1"] / after["ap-south-1"] / (521.0 / 124.0) - 1.0).abs() < 0.1, "in proportion: {after:?}");
    assert!(ask(&fleet, ERRORS).await["eu-west-1"].is_nan(), "no traffic is no evidence");
    fleet.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_metrics_nothing_answers() {
    let fleet = fleet("no-metrics");
    pass(1).await;
    for region in REGIONS {
        let request = Request::get("/api/v1/query?query=up").body(Full::<bytes::Bytes>::default()).unwrap();
        let refused = fleet.prometheus(region).unwrap().clone().answer(request).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }
    fleet.stop().await;
}
