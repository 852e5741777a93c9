//! Questions to Prometheus: how they are sent, and that no answer is an answer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gonogo::config::{Login, PrometheusServer, Reach, Secret};
use gonogo::domain::exemplar::{Exemplar, trace_url};
use gonogo::domain::id::{ClusterIx, PrometheusIx, RegionIx, ServiceIx};
use gonogo::domain::metric::{NoData, Reading};
use gonogo::domain::observation::Observation;
use gonogo::domain::question::{MetricQuestion, SeriesOf, Span};
use gonogo::io::connect::Mode;
use gonogo::io::prometheus::{HttpStack, InProcessHttp, Prometheus};
use gonogo::io::watch::{plan, reach};
use serde_json::json;

use super::stage::*;

fn server(reach: Reach) -> PrometheusServer {
    let headers = vec![("X-Scope-OrgID".into(), Secret::Known("team-a".into()))];
    PrometheusServer {
        name: "main".into(),
        reach,
        headers,
        login: Login::Bearer(Secret::Known("t0p".into())),
        ca: None,
    }
}

fn by_url() -> PrometheusServer {
    server(Reach::Url("http://prometheus.example/prom".into()))
}

fn by_proxy() -> PrometheusServer {
    server(Reach::ServiceProxy {
        cluster: ClusterIx(0),
        namespace: "mon".into(),
        service: "prom".into(),
        port: "9090".into(),
        https: false,
        path: "".into(),
    })
}

fn question(column: &str, query: &str) -> MetricQuestion {
    MetricQuestion {
        prometheus: PrometheusIx(0),
        service: ServiceIx(0),
        column: column.into(),
        query: query.to_owned(),
        span: Span::At(start_of_time()),
        regions: SeriesOf::One(RegionIx(0)),
    }
}

/// One series with one sample.
fn answer(value: &str) -> Does {
    let at = start_of_time().as_second();
    let result = json!([{"metric": {}, "value": [at, value]}]);
    Does::Json(200, json!({"status": "success", "data": {"resultType": "vector", "result": result}}))
}

/// Columns with their readings, in the order they were told.
type Told = Arc<Mutex<Vec<(String, Reading)>>>;

/// Lines to a scripted Prometheus; the same server also plays the API server.
fn lines(prometheus: &PrometheusServer, scripted: &Server, mode: &Mode) -> (Prometheus, Told) {
    let told = Told::default();
    let book = Arc::clone(&told);
    let tell: gonogo::io::Tell = Arc::new(move |o| {
        if let Observation::Samples { column, readings, .. } = o {
            book.lock().unwrap().push((column.to_string(), readings[0].1.clone()));
        }
    });
    let clusters = ways(&fleet(1, false), std::slice::from_ref(scripted), mode);
    let stack = |_: &PrometheusServer| -> Arc<dyn HttpStack> { Arc::new(InProcessHttp(scripted.clone())) };
    let only_get = matches!(mode, Mode::Watch(_));
    let servers = std::slice::from_ref(prometheus);
    (Prometheus::over(servers, stack, &clusters, only_get, tell), told)
}

async fn one_answer(prometheus: &PrometheusServer, mode: &Mode, does: fn(&Asked) -> Does) -> (Reading, Server) {
    let scripted = Server::new(does);
    let (lines, told) = lines(prometheus, &scripted, mode);
    lines.ask(question("errors", "rate(x[5m])"));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let readings = told.lock().unwrap().clone();
    assert_eq!(readings.len(), 1);
    (readings[0].1.clone(), scripted)
}

#[tokio::test(start_paused = true)]
async fn a_question_is_a_form_with_our_credentials() {
    let (reading, scripted) = one_answer(&by_url(), &Mode::Console, |_| answer("0.25")).await;
    assert_eq!(reading, Ok(0.25));
    let asked = scripted.asked().remove(0);
    assert_eq!((asked.method.as_str(), asked.path.as_str(), asked.query.as_str()), ("POST", "/prom/api/v1/query", ""));
    let form = String::from_utf8(asked.body.to_vec()).unwrap();
    assert!(form.starts_with("query=rate%28x%5B5m%5D%29&time="), "{form}");
    assert!(form.contains("partial_response=false"), "{form}");
    assert_eq!(asked.headers["authorization"], "Bearer t0p");
    assert_eq!(asked.headers["x-scope-orgid"], "team-a");
}

#[tokio::test(start_paused = true)]
async fn a_watch_screen_only_gets() {
    let watch = Mode::Watch(reach(&plan(&fleet(1, false)), Prometheus::proxy_paths(&[by_proxy()])));
    let (reading, scripted) = one_answer(&by_url(), &watch, |_| answer("1")).await;
    assert_eq!((reading, scripted.asked()[0].method.as_str()), (Ok(1.0), "GET"));
    let (reading, scripted) = one_answer(&by_proxy(), &watch, |_| answer("1")).await;
    assert_eq!(reading, Ok(1.0));
    let asked = &scripted.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("GET", "/api/v1/namespaces/mon/services/prom:9090/proxy/api/v1/query")
    );
    assert!(!asked.headers.contains_key("x-scope-orgid"), "the API server gets its own credentials only");
    // Without being configured the same path is not let through.
    let strict = Mode::Watch(reach(&plan(&fleet(1, false)), vec![]));
    let (reading, scripted) = one_answer(&by_proxy(), &strict, |_| answer("1")).await;
    assert!(matches!(reading, Err(NoData::Unreachable(_))), "{reading:?}");
    assert_eq!(scripted.asked().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_told_with_its_reason() {
    let url = |does| async move { one_answer(&by_url(), &Mode::Console, does).await.0.unwrap_err() };
    assert!(matches!(url(|_| Does::Refused).await, NoData::Unreachable(_)));
    assert_eq!(url(|_| Does::Hang).await, NoData::Timeout);
    assert!(matches!(url(|_| Does::Raw(502, &[], b"<html>".to_vec())).await, NoData::Http(502, _)));
    assert!(matches!(url(|_| Does::Raw(200, &[], b"<html>".to_vec())).await, NoData::NotPrometheus(_)));
    assert!(matches!(url(|_| Does::Raw(200, &[], vec![b' '; 17 << 20])).await, NoData::NotPrometheus(_)));
    assert_eq!(url(|_| answer("NaN")).await, NoData::NotANumber);
    assert_eq!(
        url(move |_| Does::Json(200, json!({"status": "success", "data": {"resultType": "vector", "result": []}})))
            .await,
        NoData::Empty
    );
    let warned = url(|_| {
        let data =
            json!({"resultType": "vector", "result": [{"metric": {}, "value": [start_of_time().as_second(), "1"]}]});
        Does::Json(200, json!({"status": "success", "data": data, "warnings": ["a store did not answer"]}))
    });
    assert_eq!(warned.await, NoData::Warning("a store did not answer".into()));
    let proxy = |does| async move { one_answer(&by_proxy(), &Mode::Console, does).await.0.unwrap_err() };
    let forbidden = proxy(|_| Does::Json(403, failed(403, "Forbidden", "no services/proxy"))).await;
    assert_eq!(forbidden, NoData::Http(403, "no services/proxy".into()));
    let own = proxy(|_| Does::Json(400, json!({"status": "error", "errorType": "bad_data", "error": "bad"}))).await;
    assert!(matches!(&own, NoData::Http(400, text) if text.contains("bad")), "{own:?}");
}

/// A server, or what stands before it, may repeat the credentials that it refuses.
#[tokio::test(start_paused = true)]
async fn credentials_that_an_answer_repeats_are_not_told() {
    let secret = "tok-s3cr3t-ECHO";
    let mut bearer = by_url();
    bearer.login = Login::Bearer(Secret::Known(secret.into()));
    let mut basic = by_url();
    basic.login = Login::Basic { user: "ann".into(), password: Secret::Known(secret.into()) };
    fn sent(asked: &Asked) -> &str {
        asked.headers["authorization"].to_str().unwrap()
    }
    let echoes: [fn(&Asked) -> Does; 3] = [
        |asked| {
            let said = format!("denied for {}", sent(asked));
            Does::Json(401, json!({"status": "error", "errorType": "denied", "error": said}))
        },
        |asked| Does::Raw(403, &[], format!("no: {}", sent(asked)).into_bytes()),
        |asked| {
            let data = json!({"resultType": "vector", "result": []});
            Does::Json(200, json!({"status": "success", "data": data, "warnings": [sent(asked)]}))
        },
    ];
    for server in [bearer, basic] {
        for echo in echoes {
            let reason = one_answer(&server, &Mode::Console, echo).await.0.unwrap_err();
            let told = format!("{reason:?}");
            let base64 = "YW5uOnRvay1zM2NyM3QtRUNITw";
            assert!(!told.contains(secret) && !told.contains(base64), "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_latest_question_of_a_slot_wins_and_four_are_in_flight() {
    let scripted = Server::new(|_| {
        let body = json!({"status": "success", "data": {"resultType": "vector", "result": []}}).to_string();
        Does::Stream(vec![Part::Wait(1), Part::Bytes(body.into_bytes())])
    });
    let (lines, told) = lines(&by_url(), &scripted, &Mode::Console);
    for round in 0..5 {
        for column in 0..8 {
            lines.ask(question(&format!("c{column}"), &format!("q{round}")));
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(scripted.asked().len(), 4);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(told.lock().unwrap().len(), 8, "one per slot");
    let asked = scripted.asked();
    assert!(asked.iter().all(|a| a.body.starts_with(b"query=q4&")), "{asked:?}");
    assert_eq!(scripted.times(|a| a.at < Duration::from_secs(1)).len(), 4);
    // Idle again, the next one goes out at once.
    lines.ask(question("c0", "q9"));
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(scripted.asked().len(), 9);
}

#[test]
fn secrets_are_never_printed() {
    let shown = format!("{:?}", by_url());
    assert!(!shown.contains("t0p") && !shown.contains("team-a"), "{shown}");
}

/// An exemplar is one more question: POST with a form in a console, GET on a watch screen, which lets
/// through exactly this path of the configured Prometheus.
#[tokio::test(start_paused = true)]
async fn exemplars_are_asked_for_like_any_other_question() {
    async fn found(server: &PrometheusServer, mode: &Mode, does: fn(&Asked) -> Does) -> (Found, Server) {
        let scripted = Server::new(does);
        let (lines, _) = lines(server, &scripted, mode);
        let last = start_of_time();
        let first = last - jiff::SignedDuration::from_mins(5);
        let question = MetricQuestion { span: Span::Exemplars { first, last }, ..question("p99", "rate(x[5m])") };
        let Observation::Exemplars { found, .. } = lines.ask_once(&question).await else { panic!("no exemplars") };
        (found[0].1.clone(), scripted)
    }
    type Found = Result<Option<Exemplar>, NoData>;
    let newest = |_: &Asked| {
        let at = start_of_time().as_second();
        let one = |id: &str, at: i64| json!({"labels": {"trace_id": id}, "value": "0.7", "timestamp": at});
        // Later than the window, in it, without a trace: one of four is what is looked for.
        let bare = json!({"labels": {}, "value": "9", "timestamp": at});
        let all = [one("later", at + 1), one("older", at - 9), one("\u{1b}[2J../newest", at - 3), bare];
        let labels = json!({"__name__": "x_bucket"});
        Does::Json(200, json!({"status": "success", "data": [{"seriesLabels": labels, "exemplars": all}]}))
    };
    let (answer, scripted) = found(&by_url(), &Mode::Console, newest).await;
    let exemplar = answer.unwrap().unwrap();
    assert_eq!((&*exemplar.trace, exemplar.value, &*exemplar.series), ("\u{1b}[2J../newest", 0.7, "x_bucket"));
    assert_eq!(trace_url("https://traces.example/{{trace_id}}", &exemplar.trace), None);
    let asked = &scripted.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/prom/api/v1/query_exemplars"));
    let form = String::from_utf8(asked.body.to_vec()).unwrap();
    assert!(form.starts_with("query=rate%28x%5B5m%5D%29&start=") && form.contains("&end="), "{form}");
    let watch = Mode::Watch(reach(&plan(&fleet(1, false)), Prometheus::proxy_paths(&[by_proxy()])));
    for (server, path) in [
        (by_url(), "/prom/api/v1/query_exemplars"),
        (by_proxy(), "/api/v1/namespaces/mon/services/prom:9090/proxy/api/v1/query_exemplars"),
    ] {
        let (answer, scripted) = found(&server, &watch, newest).await;
        assert!(answer.unwrap().is_some());
        assert_eq!((scripted.asked()[0].method.as_str(), scripted.asked()[0].path.as_str()), ("GET", path));
    }
    let paths = Prometheus::proxy_paths(&[by_proxy()]);
    let ends: Vec<&str> = paths.iter().filter_map(|p| p.rsplit('/').next()).collect();
    assert_eq!(ends, ["query", "query_range", "query_exemplars"], "and nothing else");
    let none = |_: &Asked| Does::Json(200, json!({"status": "success", "data": []}));
    assert_eq!(found(&by_url(), &Mode::Console, none).await.0, Ok(None));
    let refused = |_: &Asked| Does::Json(404, json!({"status": "error", "error": "no exemplar storage"}));
    assert!(matches!(found(&by_url(), &Mode::Console, refused).await.0, Err(NoData::Http(404, _))));
    let odd = |_: &Asked| Does::Json(200, json!({"status": "success", "data": {"resultType": "vector"}}));
    assert!(matches!(found(&by_url(), &Mode::Console, odd).await.0, Err(NoData::NotPrometheus(_))));
}
