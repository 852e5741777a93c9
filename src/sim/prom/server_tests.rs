//! The HTTP API: envelopes, codes, faults, speed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::{Service, ServiceExt};

use super::{Fault, PromServer};
use crate::sim::model::Model;
use crate::sim::world::history::{Baseline, Segment, Track, TrackKey, VersionPods, WorldHistory};

/// 2026-06-01T12:00:00Z, in seconds.
const NOON: i64 = 1_780_315_200;

fn track(qps: f64, p99_ms: f64, hours: i64) -> Track {
    let baseline = Baseline { qps, error_rate: 0.002, p99_ms, cpu: 0.4, memory: 0.65, replicas: 12 };
    let mut track = Track::new("webapp", "webapp", "web", baseline);
    let segment = |hours_ago: i64, version: &str| Segment {
        from: Timestamp::from_second(NOON - hours_ago * 3600).unwrap(),
        versions: vec![VersionPods { version: version.into(), template_hash: version.into(), ready: 12, running: 12 }],
        desired: 12,
        offered_qps: qps,
    };
    track.push(segment(hours, "v2.0.0"));
    track.push(segment(26, "v2.1.0"));
    track
}

fn server() -> PromServer {
    let mut history = WorldHistory::new(1);
    history.insert(TrackKey::new("ap-south-1", "webapp"), track(12_400.0, 145.0, 240));
    history.insert(TrackKey::new("eu-west-1", "webapp"), track(45_200.0, 120.0, 240));
    history.insert(TrackKey::new("us-east-1", "webapp"), track(52_100.0, 130.0, 240));
    history.insert(TrackKey::new("staging", "webapp"), track(40.0, 120.0, 240));
    let model = Arc::new(Model::new(Arc::new(RwLock::new(history)), Some(NOON * 1000)));
    PromServer::of_all(model, Arc::new(|| NOON * 1000))
}

async fn send(server: &PromServer, request: Request<Full<Bytes>>) -> (StatusCode, String) {
    let mut server = server.clone();
    let service = ServiceExt::<Request<Full<Bytes>>>::ready(&mut server).await.unwrap();
    let response = service.call(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(server: &PromServer, path: &str) -> (StatusCode, String) {
    send(server, Request::get(path).body(Full::default()).unwrap()).await
}

async fn post(server: &PromServer, path: &str, form: &str) -> (StatusCode, Value) {
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from(form.to_owned()))
        .unwrap();
    let (status, body) = send(server, request).await;
    (status, serde_json::from_str(&body).unwrap_or_else(|e| panic!("{e}: {body}")))
}

#[tokio::test]
async fn the_envelope_is_prometheuss() {
    let server = server();
    let (status, body) = get(&server, "/api/v1/query?query=vector(1.5)&time=1780315200.250").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        body,
        r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1780315200.250,"1.5"]}]}}"#
    );
    let (_, body) = get(&server, "/api/v1/query?query=1%2F0&time=10").await;
    assert_eq!(body, r#"{"status":"success","data":{"resultType":"scalar","result":[10,"+Inf"]}}"#);
    let (_, body) = get(&server, "/api/v1/query_range?query=time()&start=10&end=20&step=5").await;
    assert_eq!(
        body,
        r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[10,"10"],[15,"15"],[20,"20"]]}]}}"#
    );
    let (_, body) = get(&server, "/api/v1/query?query=nothing_here").await;
    assert_eq!(body, r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#);
}

#[tokio::test]
async fn errors_have_prometheuss_codes_and_words() {
    let server = server();
    for (form, status, kind, text) in [
        (
            "query=up&time=noon",
            400,
            "bad_data",
            "invalid parameter \"time\": invalid time value for 'time': cannot parse \"noon\" to a valid timestamp",
        ),
        ("query=up{", 400, "bad_data", "invalid parameter \"query\": parse error: "),
        ("", 400, "bad_data", "invalid parameter \"query\": parse error: "),
        ("query=sin(up)", 422, "execution", "the simulated Prometheus does not evaluate the function sin()"),
        (
            "query=up&timeout=soon",
            400,
            "bad_data",
            "invalid parameter \"timeout\": cannot parse \"soon\" to a valid duration",
        ),
    ] {
        let (code, body) = post(&server, "/api/v1/query", form).await;
        assert_eq!(code.as_u16(), status, "{form}: {body}");
        assert_eq!((&body["status"], &body["errorType"]), (&json!("error"), &json!(kind)), "{form}");
        assert!(body["error"].as_str().unwrap().starts_with(text), "{form}: {body}");
    }
    for (form, text) in [
        ("query=up&start=&end=2&step=1", "invalid parameter \"start\": cannot parse \"\" to a valid timestamp"),
        ("query=up&start=2&end=1&step=1", "invalid parameter \"end\": end timestamp must not be before start time"),
        (
            "query=up&start=1&end=2&step=0",
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            "query=up&start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        (
            "query=up[5m]&start=0&end=1&step=1",
            "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector",
        ),
    ] {
        let (code, body) = post(&server, "/api/v1/query_range", form).await;
        assert_eq!((code.as_u16(), body["error"].as_str().unwrap()), (400, text), "{form}");
    }
    let (code, _) = post(&server, "/api/v1/query_range", "query=up&start=0&end=11000&step=1").await;
    assert_eq!(code, StatusCode::OK, "11,000 steps are allowed");
}

#[tokio::test]
async fn get_post_and_paths() {
    let server = server();
    let (_, by_post) = post(&server, "/api/v1/query", "query=sum(up)").await;
    let (_, by_get) = get(&server, "/api/v1/query?query=sum(up)").await;
    assert_eq!(by_post, serde_json::from_str::<Value>(&by_get).unwrap());
    assert_eq!(by_post["data"]["result"][0]["value"][1], "4");
    assert_eq!(get(&server, "/-/healthy").await, (StatusCode::OK, "Prometheus Server is Healthy.\n".to_owned()));
    assert_eq!(get(&server, "/-/ready").await.0, StatusCode::OK);
    assert!(get(&server, "/api/v1/status/buildinfo").await.1.contains("\"version\":\"3."));
    assert_eq!(get(&server, "/api/v1/nowhere").await.0, StatusCode::NOT_FOUND);
    let put = Request::put("/api/v1/query").body(Full::default()).unwrap();
    assert_eq!(send(&server, put).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let (_, regions) = get(&server, "/api/v1/label/region/values").await;
    assert_eq!(regions, r#"{"status":"success","data":["ap-south-1","eu-west-1","staging","us-east-1"]}"#);
    let (_, series) = get(&server, "/api/v1/series?match[]=up%7Bregion%3D%22staging%22%7D").await;
    assert!(series.contains("\"__name__\":\"up\"") && !series.contains("eu-west-1"), "{series}");
    assert_eq!(get(&server, "/api/v1/series").await.0, StatusCode::BAD_REQUEST);
    assert!(get(&server, "/api/v1/labels").await.1.contains("\"template_hash\""));
}

#[tokio::test]
async fn nothing_later_than_now_is_known_and_history_reaches_back() {
    let server = server();
    let ask = |query: &str, at: i64| {
        let path = format!("/api/v1/query?query={query}&time={at}");
        let server = server.clone();
        async move { serde_json::from_str::<Value>(&get(&server, &path).await.1).unwrap()["data"]["result"].clone() }
    };
    assert_eq!(ask("sum(http_requests_total)", NOON + 301).await, json!([]));
    assert_eq!(ask("max(timestamp(up))", NOON + 100).await[0]["value"][1], json!(NOON.to_string()));
    let week_ago = ask("sum(rate(http_requests_total[5m]))", NOON - 7 * 86_400).await;
    let qps: f64 = week_ago[0]["value"][1].as_str().unwrap().parse().unwrap();
    assert!((90_000.0..130_000.0).contains(&qps), "{qps}");
    let versions = ask("count(sum%20by%20(version)(http_requests_total))", NOON - 26 * 3600 - 1).await;
    assert_eq!(versions[0]["value"][1], "1", "the new version is not there yet");
    assert_eq!(
        ask("http_requests_total%7Bversion=%22v2.0.0%22%7D", NOON - 26 * 3600).await,
        json!([]),
        "the old one ended at once"
    );
}

#[tokio::test]
async fn a_prometheus_of_one_region_knows_only_that() {
    let all = server();
    let one = PromServer::of_region(Arc::clone(&all.scrapes().model), "eu-west-1", Arc::new(|| NOON * 1000));
    assert!(get(&one, "/api/v1/label/region/values").await.1.ends_with(r#"["eu-west-1"]}"#));
}

#[tokio::test]
async fn faults_show_as_they_do_in_the_field() {
    let server = server();
    let query = "/api/v1/query?query=sum(http_requests_total)";
    let set = |fault: Fault| server.faults().set([fault]);
    set(Fault::HtmlBody);
    let (status, body) = get(&server, query).await;
    assert!(status == StatusCode::BAD_GATEWAY && body.starts_with("<html>"), "{body}");
    set(Fault::Status(StatusCode::SERVICE_UNAVAILABLE));
    let (status, body) = get(&server, query).await;
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && body.contains("\"errorType\":\"unavailable\""), "{body}");
    set(Fault::TruncatedJson);
    assert!(serde_json::from_str::<Value>(&get(&server, query).await.1).is_err());
    set(Fault::Empty);
    assert!(get(&server, query).await.1.contains("\"result\":[]"));
    set(Fault::Without { service: Some("webapp".to_owned()), region: None });
    assert!(get(&server, query).await.1.contains("\"result\":[]"));
    set(Fault::NotANumber);
    assert!(get(&server, query).await.1.contains("\"NaN\""));
    set(Fault::Warnings(vec!["a store is away".to_owned()]));
    assert!(get(&server, query).await.1.ends_with(r#","warnings":["a store is away"]}"#));
    set(Fault::StaleSince((NOON - 200) * 1000));
    assert!(get(&server, "/api/v1/query?query=max(timestamp(up))").await.1.contains(&format!("\"{}\"", NOON - 210)));
    set(Fault::StaleSince((NOON - 400) * 1000));
    assert!(get(&server, query).await.1.contains("\"result\":[]"));
    set(Fault::Down);
    let request = Request::get(query).body(Full::<Bytes>::default()).unwrap();
    let refused = server.clone().answer(request).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    server.faults().clear();
    assert_eq!(get(&server, query).await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn slow_and_hanging_servers_take_their_time() {
    let server = server();
    server.faults().set([Fault::Slow(Duration::from_secs(2))]);
    let begun = tokio::time::Instant::now();
    get(&server, "/-/ready").await;
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    server.faults().set([Fault::Hang]);
    let hung = tokio::time::timeout(Duration::from_secs(60), get(&server, "/-/ready")).await;
    assert!(hung.is_err());
}

#[tokio::test]
async fn the_documented_columns_show_the_dashboard() {
    let server = server();
    let by_region = |query: &'static str| {
        let server = server.clone();
        async move {
            let form = query.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
            let (_, body) = post(&server, "/api/v1/query", &format!("query={form}")).await;
            let result = body["data"]["result"].as_array().unwrap().clone();
            ["ap-south-1", "eu-west-1", "us-east-1"].map(|region| {
                let found = result.iter().find(|r| r["metric"]["region"] == region);
                found.unwrap_or_else(|| panic!("{query}: {body}"))["value"][1].as_str().unwrap().parse::<f64>().unwrap()
            })
        }
    };
    let near = |what: &str, got: [f64; 3], wished: [f64; 3], tolerance: f64| {
        for (got, wished) in got.into_iter().zip(wished) {
            assert!((got / wished - 1.0).abs() < tolerance, "{what}: {got}, not {wished}");
        }
    };
    let qps = by_region("sum by (region) (rate(http_requests_total{service=\"webapp\"}[5m]))").await;
    near("QPS", qps, [12_400.0, 45_200.0, 52_100.0], 0.06);
    let errors = by_region("(sum by (region) (rate(http_requests_total{service=\"webapp\",code=~\"5..\"}[5m])) or sum by (region) (rate(http_requests_total{service=\"webapp\"}[5m])) * 0) / sum by (region) (rate(http_requests_total{service=\"webapp\"}[5m]))").await;
    near("errors", errors, [0.002; 3], 0.2);
    for (q, wished) in
        [("0.50", [0.041, 0.038, 0.039]), ("0.95", [0.096, 0.088, 0.090]), ("0.99", [0.145, 0.120, 0.130])]
    {
        let query: &'static str = format!("histogram_quantile({q}, sum by (region, le) (rate(http_request_duration_seconds_bucket{{service=\"webapp\"}}[5m])))").leak();
        near(q, by_region(query).await, wished, 0.04);
    }
    let cpu = by_region("sum by (region) (rate(container_cpu_usage_seconds_total{service=\"webapp\"}[5m])) / sum by (region) (kube_pod_container_resource_requests{service=\"webapp\",resource=\"cpu\"})").await;
    near("CPU", cpu, [0.4; 3], 0.06);
    let memory = by_region("sum by (region) (container_memory_working_set_bytes{service=\"webapp\"}) / sum by (region) (kube_pod_container_resource_limits{service=\"webapp\",resource=\"memory\"})").await;
    near("memory", memory, [0.65; 3], 0.04);
}

/// Exemplars of the histogram's own buckets, inside the time asked for; what has no traces has none.
#[tokio::test]
async fn exemplars_are_the_histograms() {
    let server = server();
    let asked = |query: &str| format!("query={query}&start={}&end={}", NOON - 300, NOON);
    let query =
        "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{region=\"eu-west-1\"}[5m])))";
    let (code, body) = post(&server, "/api/v1/query_exemplars", &asked(query)).await;
    assert_eq!((code, &body["status"]), (StatusCode::OK, &json!("success")), "{body}");
    let all = body["data"].as_array().unwrap();
    assert!(all.len() > 3, "{body}");
    let mut ids = std::collections::BTreeSet::new();
    for series in all {
        assert_eq!(series["seriesLabels"]["region"], "eu-west-1");
        let one = &series["exemplars"][0];
        let at = one["timestamp"].as_f64().unwrap();
        assert!((NOON as f64 - 300.0..=NOON as f64).contains(&at), "{one}");
        let (value, bound): (f64, f64) = (
            one["value"].as_str().unwrap().parse().unwrap(),
            series["seriesLabels"]["le"].as_str().unwrap().parse().unwrap(),
        );
        assert!(value <= bound, "{series}");
        assert!(ids.insert(one["labels"]["trace_id"].as_str().unwrap().to_owned()), "one id per request");
    }
    let (_, again) = post(&server, "/api/v1/query_exemplars", &asked(query)).await;
    assert_eq!(again, body, "the same request has the same trace");
    let (_, none) = post(&server, "/api/v1/query_exemplars", &asked("sum(rate(http_requests_total[5m]))")).await;
    assert_eq!(none["data"], json!([]));
    let (code, _) = post(&server, "/api/v1/query_exemplars", "query=sum(").await;
    assert_eq!(code, StatusCode::BAD_REQUEST);
}
