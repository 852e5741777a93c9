//! A real Prometheus scrapes the simulation's `/metrics` over a socket; then both answer
//! the shipped columns.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use gonogo::sim::model::Model;
use gonogo::sim::prom::scrape::{Now, Scrapes};
use gonogo::sim::prom::{Faults, PromServer};
use gonogo::sim::world::history::{Baseline, Segment, Track, TrackKey, VersionPods, WorldHistory};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;

use super::binary::{self, POLL, Prometheus};

/// The source document's three regions, half-way through a rollout in one.
fn fleet(from: Timestamp) -> WorldHistory {
    let mut history = WorldHistory::new(11);
    for (region, qps, p99_ms, cpu, memory) in [
        ("ap-south-1", 12_400.0, 145.0, 0.42, 0.68),
        ("eu-west-1", 45_200.0, 120.0, 0.38, 0.65),
        ("us-east-1", 52_100.0, 130.0, 0.40, 0.64),
    ] {
        let baseline = Baseline { qps, error_rate: 0.002, p99_ms, cpu, memory, replicas: 12 };
        let mut track = Track::new("webapp", "webapp", "web", baseline);
        let pods = |version: &str, n| VersionPods {
            version: version.into(),
            template_hash: version.into(),
            ready: n,
            running: n,
        };
        let versions =
            if region == "eu-west-1" { vec![pods("v2.0.0", 8), pods("v2.1.0", 4)] } else { vec![pods("v2.0.0", 12)] };
        track.push(Segment { from, versions, desired: 12, offered_qps: qps });
        history.insert(TrackKey::new(region, "webapp"), track);
    }
    history
}

/// Serves on loopback until the runtime is dropped; gives the port.
fn serve(runtime: &tokio::runtime::Runtime, server: PromServer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let server = server.clone();
            tokio::spawn(async move {
                let service =
                    hyper::service::service_fn(move |request| server.clone().answer::<hyper::body::Incoming>(request));
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    port
}

/// The answer of our service in process, as region → value.
fn ours(runtime: &tokio::runtime::Runtime, server: &PromServer, query: &str, at: i64) -> BTreeMap<String, f64> {
    let form: String = query.bytes().map(|b| format!("%{b:02X}")).collect();
    let uri = format!("/api/v1/query?query={form}&time={}", gonogo::sim::prom::json::seconds(at));
    let request = http::Request::get(uri).body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
    let body = runtime.block_on(async {
        server.clone().answer(request).await.unwrap().into_body().collect().await.unwrap().to_bytes()
    });
    by_label(&serde_json::from_slice(&body).unwrap())
}

fn by_label(envelope: &serde_json::Value) -> BTreeMap<String, f64> {
    assert_eq!(envelope["status"], "success", "{envelope}");
    let result = envelope["data"]["result"].as_array().unwrap();
    let value = |item: &serde_json::Value| item["value"][1].as_str().unwrap().parse().unwrap();
    result.iter().map(|item| (item["metric"].to_string(), value(item))).collect()
}

/// The columns of the documentation, over a window that a test can wait for.
fn columns() -> Vec<String> {
    let mut all = vec![
        "sum by (region) (rate(http_requests_total{service=\"webapp\"}[4s]))".to_owned(),
        "sum by (region, version) (rate(http_requests_total{service=\"webapp\"}[4s]))".to_owned(),
        "(sum by (region) (rate(http_requests_total{service=\"webapp\",code=~\"5..\"}[4s])) or sum by (region) (rate(http_requests_total{service=\"webapp\"}[4s])) * 0) / sum by (region) (rate(http_requests_total{service=\"webapp\"}[4s]))".to_owned(),
        "sum by (region) (rate(container_cpu_usage_seconds_total{service=\"webapp\"}[4s])) / sum by (region) (kube_pod_container_resource_requests{service=\"webapp\",resource=\"cpu\"})".to_owned(),
        "sum by (region) (container_memory_working_set_bytes{service=\"webapp\"}) / sum by (region) (kube_pod_container_resource_limits{service=\"webapp\",resource=\"memory\"})".to_owned(),
        "kube_deployment_status_replicas_available".to_owned().replace("kube", "sum by (region) (kube") + ")",
        // Not one series more or less than we claim to have.
        "count by (__name__, region, version) ({region=~\".+\",__name__!~\"up|ALERTS\"})".to_owned(),
    ];
    for q in ["0.5", "0.95", "0.99"] {
        all.push(format!("histogram_quantile({q}, sum by (region, le) (rate(http_request_duration_seconds_bucket{{service=\"webapp\"}}[4s])))"));
    }
    all
}

#[test]
fn a_real_prometheus_scrapes_the_simulation_and_agrees() {
    let begun = Instant::now();
    let start = Timestamp::now();
    let start_ms = start.as_millisecond();
    let now: Now = Arc::new(move || start_ms + i64::try_from(begun.elapsed().as_millis()).unwrap());
    let history = fleet(start - jiff::SignedDuration::from_hours(48));
    let model = Arc::new(Model::new(Arc::new(RwLock::new(history)), Some(start_ms)));
    let server = PromServer::new(Scrapes { model, regions: None, interval_ms: 100, now, faults: Faults::default() });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let port = serve(&runtime, server.clone());
    let Some(prometheus) = Prometheus::scraping(port) else {
        return;
    };

    // Enough scrapes for a window of four seconds, or a clear failure.
    let deadline = begun + Duration::from_secs(90);
    let newest = loop {
        let at = start_ms + i64::try_from(begun.elapsed().as_millis()).unwrap();
        let scraped = prometheus.query("min(count_over_time(http_requests_total[6s])) >= 6", at);
        if scraped["data"]["result"].as_array().is_some_and(|r| !r.is_empty()) {
            let when = prometheus.query("max(timestamp(http_requests_total))", at);
            let seconds: f64 = by_label(&when).into_values().next().unwrap();
            break (seconds * 1000.0).round() as i64;
        }
        assert!(Instant::now() < deadline, "no six scrapes in time: {scraped}");
        std::thread::park_timeout(POLL);
    };
    for query in columns() {
        let theirs = by_label(&prometheus.query(&query, newest));
        let ours = ours(&runtime, &server, &query, newest);
        assert!(!theirs.is_empty(), "{query}: nothing scraped");
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{query}");
        for (labels, value) in &theirs {
            // A scrape's time is the moment before it is sent, not that of our clock: some
            // milliseconds in a window of four seconds.
            let difference = (ours[labels] / value - 1.0).abs();
            assert!(difference < 0.04, "{query} {labels}: ours {}, theirs {value}", ours[labels]);
        }
    }
}

#[test]
fn the_text_format_passes_promtools_lint() {
    let start = Timestamp::now();
    let at = start.as_millisecond();
    let history = fleet(start - jiff::SignedDuration::from_hours(1));
    let model = Arc::new(Model::new(Arc::new(RwLock::new(history)), None));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let port = serve(&runtime, PromServer::of_all(model, Arc::new(move || at)));
    if !binary::installed() {
        return;
    }
    let text = binary::get(port, "/metrics").unwrap();
    assert!(text.contains("# TYPE http_request_duration_seconds histogram\n"), "{text}");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut promtool.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let done = promtool.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Requests whose answers must be equal to the letter. Left out is what release 3 says
/// differently from the one that Debian has.
const REQUESTS: &[&str] = &[
    "/api/v1/query?query=vector(1)&time=1780315200.25",
    "/api/v1/query?query=1&time=2026-06-01T12:00:00.5Z",
    "/api/v1/query?query=%22text%22&time=7",
    "/api/v1/query?query=%22text%22&time=7.25",
    "/api/v1/query?query=1e-9&time=7.007",
    "/api/v1/query?query=1e22&time=-0.5",
    "/api/v1/query?query=1/0&time=-7",
    "/api/v1/query?query=nothing_here&time=1",
    "/api/v1/query?query=vector(1e-7)&time=1",
    "/api/v1/query?query=vector(1e21)&time=1",
    "/api/v1/query?query=-vector(0)&time=1",
    "/api/v1/query?query=vector(0)/0&time=1",
    "/api/v1/query?query=label_replace(vector(1),%22a%22,%22q%5C%22uote%22,%22%22,%22%22)&time=1",
    "/api/v1/query?query=1&time=noon",
    "/api/v1/query?query=1&timeout=soon",
    "/api/v1/query_range?query=time()&start=0&end=60&step=15s",
    "/api/v1/query_range?query=time()&start=0.1&end=1&step=0.3",
    "/api/v1/query_range?query=nothing_here&start=0&end=60&step=15",
    "/api/v1/query_range?query=1&start=&end=2&step=1",
    "/api/v1/query_range?query=1&start=1&end=x&step=1",
    "/api/v1/query_range?query=1&start=2&end=1&step=1",
    "/api/v1/query_range?query=1&start=1&end=2&step=0",
    "/api/v1/query_range?query=1&start=1&end=2&step=-1",
    "/api/v1/query_range?query=1&start=1&end=2&step=",
    "/api/v1/query_range?query=1&start=1&end=2&step=often",
    "/api/v1/query_range?query=1&start=0&end=11001&step=1",
    "/api/v1/series",
    "/api/v1/series?match[]=nothing_here",
    "/api/v1/series?match[]=nothing_here&start=x",
    "/api/v1/labels?match[]=nothing_here",
    "/api/v1/label/region/values?match[]=nothing_here",
    "/-/healthy",
    "/-/ready",
    "/api/v1/nowhere",
];

#[test]
fn answers_and_errors_of_the_api_are_those_of_a_real_prometheus_to_the_letter() {
    let Some(prometheus) = Prometheus::over(&super::samples::list()) else { return };
    let history = Arc::new(RwLock::new(WorldHistory::new(1)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let port = serve(&runtime, PromServer::of_all(Arc::new(Model::new(history, None)), Arc::new(|| 1_780_315_200_000)));
    let mut wrong = Vec::new();
    for path in REQUESTS {
        let ours = binary::get_with_status(port, path).unwrap();
        let theirs = binary::get_with_status(prometheus.port(), path).unwrap();
        // Release 3 writes its errors in lower case.
        if (ours.0, ours.1.to_lowercase()) != (theirs.0, theirs.1.to_lowercase()) {
            wrong.push(format!("{path}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
