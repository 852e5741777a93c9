//! Answers computed by hand, under the rules of Prometheus 3 (the comparison with a real
//! one is in `tests/prometheus.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::error::QueryError;
use super::eval::{self, Options};
use super::storage::SampleList;
use super::value::{Answer, Sample, Steps, stale_marker};
use super::window::Dialect;
use crate::sim::model::Labels;

fn list(series: &[(&str, &[(i64, f64)])]) -> SampleList {
    let mut list = SampleList::default();
    for (name, samples) in series {
        let (name, label) = name.split_once(' ').unwrap_or((name, ""));
        let labels = Labels::new([("__name__", name), ("case", label)]);
        list.push(labels, samples.iter().map(|&(s, v)| Sample { t: s * 1000, v }).collect());
    }
    list
}

fn ask(list: &SampleList, query: &str, at: i64) -> Result<Answer, QueryError> {
    eval::instant(list, Options::default(), &eval::parse(query)?, at * 1000)
}

/// The values of an instant vector, or none.
fn values(list: &SampleList, query: &str, at: i64) -> Vec<f64> {
    match ask(list, query, at).unwrap_or_else(|e| panic!("{query}: {e}")) {
        Answer::Vector(elements) => elements.into_iter().map(|(_, s)| s.v).collect(),
        Answer::Scalar(sample) => vec![sample.v],
        other => panic!("{query}: {other:?}"),
    }
}

fn one(list: &SampleList, query: &str, at: i64) -> f64 {
    let values = values(list, query, at);
    assert_eq!(values.len(), 1, "{query}");
    values[0]
}

const COUNTER: &[(i64, f64)] = &[(0, 0.0), (15, 30.0), (30, 60.0), (45, 90.0), (60, 120.0)];

#[test]
fn windows_exclude_their_left_end_in_release_three_and_include_it_in_two() {
    let list = list(&[("c", COUNTER)]);
    assert_eq!(one(&list, "count_over_time(c[1m])", 60), 4.0);
    let two = Options { dialect: Dialect::V2, ..Options::default() };
    let expr = eval::parse("count_over_time(c[1m])").unwrap();
    let Answer::Vector(got) = eval::instant(&list, two, &expr, 60_000).unwrap() else { panic!() };
    assert_eq!(got[0].1.v, 5.0);
}

#[test]
fn a_sample_is_good_for_five_minutes_and_not_a_moment_longer() {
    let list = list(&[("g", &[(0, 7.0)])]);
    assert_eq!(values(&list, "g", 0), [7.0]);
    assert_eq!(values(&list, "g", 299), [7.0]);
    assert!(values(&list, "g", 300).is_empty());
    assert!(values(&list, "g", -1).is_empty());
}

#[test]
fn a_stale_marker_ends_a_series_at_once_and_is_no_sample() {
    let list = list(&[("g", &[(0, 7.0), (15, 8.0), (30, stale_marker())])]);
    assert_eq!(values(&list, "g", 29), [8.0]);
    assert!(values(&list, "g", 30).is_empty());
    assert_eq!(one(&list, "count_over_time(g[1m] offset -10s)", 30), 2.0);
}

#[test]
fn rate_extrapolates_to_both_ends_when_samples_come_close() {
    // Samples at 15…60 in the window (0, 60]: 90 in 45 s. The first is 15 s from the left end,
    // within 1.1 × 15 s, so the whole minute counts: 90 × 60/45 = 120.
    let list = list(&[("c", COUNTER)]);
    assert!((one(&list, "increase(c[1m])", 60) - 120.0).abs() < 1e-9);
    assert!((one(&list, "rate(c[1m])", 60) - 2.0).abs() < 1e-9);
}

#[test]
fn rate_extrapolates_half_a_gap_when_the_series_starts_inside_the_window() {
    // Window (-240, 60]: five samples, 120 in 60 s, the first (zero) far from the left end.
    // The counter is zero at its first sample, so nothing is added on the left.
    let list = list(&[("c", COUNTER)]);
    assert!((one(&list, "increase(c[5m])", 60) - 120.0).abs() < 1e-9);
    // A gauge has no zero: half a gap (7.5 s) is added on the left.
    assert!((one(&list, "delta(c[5m])", 60) - 120.0 * 67.5 / 60.0).abs() < 1e-9);
    // At 90 the last sample is 30 s from the right end, beyond 16.5 s: half a gap there too.
    assert!((one(&list, "delta(c[5m])", 90) - 120.0 * 75.0 / 60.0).abs() < 1e-9);
}

#[test]
fn rate_adds_what_was_counted_before_a_reset() {
    let list = list(&[("c", &[(15, 100.0), (30, 130.0), (45, 10.0), (60, 40.0)])]);
    // 30 before the reset, then 10 and 30: (40 - 100) + 130 = 70 in 45 s, extrapolated to 60 s.
    assert!((one(&list, "increase(c[1m])", 60) - 70.0 * 60.0 / 45.0).abs() < 1e-9);
    assert!((one(&list, "irate(c[1m])", 60) - 2.0).abs() < 1e-12);
    assert!((one(&list, "irate(c[1m])", 45) - 10.0 / 15.0).abs() < 1e-12);
    assert_eq!(one(&list, "resets(c[1m])", 60), 1.0);
}

#[test]
fn one_sample_has_no_rate_and_no_data_is_no_zero() {
    let list = list(&[("c", &[(0, 5.0)])]);
    assert!(values(&list, "rate(c[1m])", 10).is_empty());
    assert!(values(&list, "sum(rate(c[1m]))", 10).is_empty());
    assert_eq!(values(&list, "sum(rate(c[1m])) or vector(0)", 10), [0.0]);
    assert!(one(&list, "sum(c * 0) / sum(c * 0)", 10).is_nan());
}

#[test]
fn nan_is_counted_but_loses_against_numbers() {
    let list = list(&[("g a", &[(0, f64::NAN)]), ("g b", &[(0, 3.0)])]);
    assert_eq!(one(&list, "max(g)", 1), 3.0);
    assert_eq!(one(&list, "min(g)", 1), 3.0);
    assert_eq!(one(&list, "count(g)", 1), 2.0);
    assert!(one(&list, "sum(g)", 1).is_nan());
    assert_eq!(values(&list, "g > 1", 1), [3.0]);
}

#[test]
fn a_range_query_has_a_point_per_step_where_there_is_data() {
    let list = list(&[("c", COUNTER)]);
    let steps = Steps { start: 0, end: 400_000, step: 100_000 };
    let expr = eval::parse("c").unwrap();
    let Answer::Matrix(series) = eval::range(&list, Options::default(), &expr, &steps).unwrap() else { panic!() };
    let points: Vec<(i64, f64)> = series[0].1.iter().map(|s| (s.t / 1000, s.v)).collect();
    assert_eq!(points, [(0, 0.0), (100, 120.0), (200, 120.0), (300, 120.0)]);
}

#[test]
fn what_is_not_evaluated_is_refused_by_its_name() {
    let list = list(&[("g", &[(0, 1.0)])]);
    for (query, name) in [
        ("double_exponential_smoothing(g[5m], 0.5, 0.5)", "double_exponential_smoothing"),
        ("count_values(\"v\", g)", "count_values"),
        ("days_in_month()", "days_in_month"),
        ("g atan2 g", "atan2"),
        ("sin(g)", "sin"),
        ("{__name__=\"g\" or __name__=\"h\"}", "or"),
    ] {
        match ask(&list, query, 1) {
            Err(QueryError::Execution(text)) => assert!(text.contains(name), "{query}: {text}"),
            other => panic!("{query}: {other:?}"),
        }
    }
    assert!(matches!(ask(&list, "no_such_function(g)", 1), Err(QueryError::BadData(_))));
}

#[test]
fn two_values_with_the_same_labels_are_an_error_not_a_choice() {
    let list = list(&[("a", &[(0, 1.0)]), ("b", &[(0, 2.0)])]);
    let got = ask(&list, "abs({__name__=~\"a|b\"})", 1);
    assert_eq!(got, Err(QueryError::Execution("vector cannot contain metrics with the same labelset".to_owned())));
}

#[test]
fn a_query_that_would_overflow_the_stack_is_refused() {
    let list = list(&[("g", &[(0, 1.0)])]);
    let deep = [
        format!("{}g{}", "(".repeat(5_000), ")".repeat(5_000)),
        format!("{}g", "-".repeat(5_000)),
        format!("g{}", " and g".repeat(5_000)),
        format!("{}g{}", "abs(".repeat(5_000), ")".repeat(5_000)),
    ];
    for query in deep {
        match ask(&list, &query, 1) {
            Err(QueryError::Execution(text)) => assert!(text.contains("300 operators"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    // Long is not deep: a matcher may name hundreds of regions, and quotes hide operators.
    let regions = (0..500).map(|i| format!("region-{i}")).collect::<Vec<_>>().join("|");
    assert!(values(&list, &format!("g{{region=~\"{regions}|\"}}"), 1) == [1.0]);
}
