#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
use super::*;
use crate::domain::id::{PrometheusIx, ServiceIx};
use proptest::prelude::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn question(span: Span) -> MetricQuestion {
    MetricQuestion {
        prometheus: PrometheusIx(0),
        service: ServiceIx(0),
        column: "errors".into(),
        query: "q".into(),
        span,
        regions: SeriesOf::Label {
            label: "region".into(),
            values: vec![(RegionIx(0), "eu".into()), (RegionIx(1), "us".into())],
        },
    }
}

fn samples(code: u16, body: &str) -> Vec<Reading> {
    match answer(&question(Span::At(at(1000))), code, body.as_bytes()) {
        Observation::Samples { readings, .. } => readings.into_iter().map(|(_, r)| r).collect(),
        other => panic!("{other:?}"),
    }
}

fn vector(items: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{items}]}}}}"#)
}

#[test]
fn one_fresh_finite_number_is_a_reading_and_nothing_else_is() {
    let eu = |value: &str| vector(&format!(r#"{{"metric":{{"region":"eu"}},"value":[1000,"{value}"]}}"#));
    assert_eq!(samples(200, &eu("0.25")), [Ok(0.25), Err(NoData::Empty)]);
    assert_eq!(samples(200, &eu("NaN"))[0], Err(NoData::NotANumber));
    assert_eq!(samples(200, &eu("+Inf"))[0], Err(NoData::Infinite));
    assert_eq!(
        samples(200, &eu("x"))[0].as_ref().unwrap_err().to_string().split(':').next(),
        Some("not a Prometheus answer")
    );
    let stale = vector(r#"{"metric":{"region":"eu"},"value":[100,"1"]}"#);
    assert_eq!(samples(200, &stale)[0], Err(NoData::Stale(900)));
    let twice = vector(
        r#"{"metric":{"region":"eu"},"value":[1000,"1"]},{"metric":{"region":"eu","v":"2"},"value":[1000,"1"]}"#,
    );
    assert_eq!(samples(200, &twice)[0], Err(NoData::Ambiguous(2)));
}

#[test]
fn errors_warnings_and_pages_are_no_data_with_the_reason() {
    let error = r#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
    assert_eq!(samples(422, error)[0], Err(NoData::Http(422, "too many samples".into())));
    let warned = r#"{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["store away"]}"#;
    assert_eq!(samples(200, warned)[0], Err(NoData::Warning("store away".into())));
    let partial = r#"{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}"#;
    assert!(matches!(samples(200, partial)[0], Err(NoData::Warning(_))));
    assert!(matches!(samples(200, "<html>login</html>")[0], Err(NoData::NotPrometheus(_))));
    assert!(matches!(samples(502, "<html>bad gateway</html>")[0], Err(NoData::Http(502, _))));
    assert!(matches!(samples(200, r#"{"status":"success"}"#)[0], Err(NoData::NotPrometheus(_))));
}

#[test]
fn windows_that_are_left_out_are_gaps() {
    let body = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{"region":"eu"},"values":[[300,"1"],[900,"3"]]}]}}"#;
    let span = Span::Windows { first: at(300), last: at(900) };
    let Observation::Windows { readings, .. } = answer(&question(span), 200, body.as_bytes()) else { panic!() };
    let of = |region: usize| [300, 600, 900, 1200].map(|end| readings[region].1.get(at(end)));
    assert_eq!(of(0), [Some(Ok(1.0)), Some(Err(NoData::Gap)), Some(Ok(3.0)), None]);
    assert_eq!(of(1)[..2], [Some(Err(NoData::Empty)), Some(Err(NoData::Empty))]);
}

#[test]
fn a_form_names_the_time_and_refuses_parts() {
    let form = form(&question(Span::Windows { first: at(300), last: at(900) }));
    let get = |k: &str| form.iter().find(|(n, _)| *n == k).map(|(_, v)| v.as_str());
    assert_eq!((get("start"), get("end"), get("step")), (Some("300.000"), Some("900.000"), Some("300")));
    assert_eq!(get("partial_response"), Some("false"));
}

#[test]
fn a_range_of_more_points_than_a_server_gives_is_asked_in_parts_that_touch_and_do_not_overlap() {
    let windows = |n: i64| Span::Windows { first: at(300), last: at(300 * n) };
    assert_eq!(parts(&question(windows(11_000))).len(), 1);
    assert_eq!(parts(&question(Span::At(at(300)))).len(), 1);
    let asked = parts(&question(windows(25_000)));
    let spans: Vec<Span> = asked.iter().map(|q| q.span).collect();
    assert_eq!(
        spans,
        [
            Span::Windows { first: at(300), last: at(300 * 11_000) },
            Span::Windows { first: at(300 * 11_001), last: at(300 * 22_000) },
            Span::Windows { first: at(300 * 22_001), last: at(300 * 25_000) },
        ]
    );
    // A step that does not divide the range, and one that is no step at all.
    let history = |step| Span::History { first: at(0), last: at(30_001), step: SignedDuration::from_secs(step) };
    for step in [0, 1, 2, 7] {
        let asked = parts(&question(history(step)));
        let mut points = 0;
        let mut next = at(0);
        for part in &asked {
            let Span::History { first, last, .. } = part.span else { panic!() };
            assert_eq!(first, next);
            let many = last.duration_since(first).as_secs() / step.max(1) + 1;
            assert!(many <= 11_000, "{many}");
            points += many;
            next = first.saturating_add(SignedDuration::from_secs(many * step.max(1))).unwrap();
        }
        assert_eq!(points, 30_001 / step.max(1) + 1, "step {step}");
    }
}

#[test]
fn answers_to_parts_are_one_answer_and_half_a_history_is_none() {
    let asked = parts(&question(Span::Windows { first: at(300), last: at(300 * 11_001) }));
    let body = |at: i64| vector_of_windows(at);
    let answers = vec![answer(&asked[0], 200, body(300).as_bytes()), answer(&asked[1], 502, b"bad gateway")];
    let Some(Observation::Windows { readings, .. }) = joined(answers) else { panic!() };
    assert_eq!(readings[0].1.len(), 11_001);
    assert_eq!(readings[0].1.get(at(300)), Some(Ok(1.0)));
    assert!(matches!(readings[0].1.get(at(300 * 11_001)), Some(Err(NoData::Http(502, _)))));
    let step = SignedDuration::from_secs(1);
    let asked = parts(&question(Span::History { first: at(0), last: at(12_000), step }));
    let good = vector_of_windows(5);
    let both = vec![answer(&asked[0], 200, good.as_bytes()), answer(&asked[1], 200, good.as_bytes())];
    let Some(Observation::History { points, .. }) = joined(both) else { panic!() };
    assert_eq!(points[0].1.len(), 2);
    let half = vec![answer(&asked[0], 200, good.as_bytes()), failed(&asked[1], NoData::Timeout)];
    let Some(Observation::History { points, .. }) = joined(half) else { panic!() };
    assert!(points.is_empty(), "{points:?}");
}

/// A matrix with one point for `eu`.
fn vector_of_windows(at: i64) -> String {
    format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"region":"eu"}},"values":[[{at},"1"]]}}]}}}}"#
    )
}

proptest! {
    #[test]
    fn garbage_is_never_a_reading(code in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let Observation::Samples { readings, .. } = answer(&question(Span::At(at(1000))), code, &body) else {
            return Err(TestCaseError::fail("another observation"));
        };
        prop_assert!(readings.iter().all(|(_, r)| r.is_err()));
    }
}
