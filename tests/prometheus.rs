//! A real Prometheus as the referee: it answers the same expressions over the very same
//! samples, and scrapes the simulation's `/metrics`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::string_slice,
    reason = "tests"
)]

#[path = "prometheus/binary.rs"]
mod binary;
#[path = "prometheus/expressions.rs"]
mod expressions;
#[path = "prometheus/random.rs"]
mod random;
#[path = "prometheus/samples.rs"]
mod samples;
#[path = "prometheus/scraped.rs"]
mod scraped;

use binary::Prometheus;
use gonogo::sim::prom::eval::{self, Options};
use gonogo::sim::prom::json;
use gonogo::sim::prom::value::Steps;
use samples::START;

/// Expressions that are put together at random.
const RANDOM: usize = 800;

/// Compares two `data` objects of a query: same series, same times, values within float tolerance.
fn same(ours: &serde_json::Value, theirs: &serde_json::Value) -> Result<(), String> {
    use serde_json::Value;
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let (mine, other): (Vec<_>, Vec<_>) = (a.keys().collect(), b.keys().collect());
            if mine != other {
                return Err(format!("{mine:?} is not {other:?}"));
            }
            a.iter().try_for_each(|(k, v)| same(v, &b[k]).map_err(|e| format!("{k}: {e}")))
        }
        (Value::Array(a), Value::Array(b)) => {
            if a.len() != b.len() {
                return Err(format!("{} elements, not {}: {ours} is not {theirs}", a.len(), b.len()));
            }
            a.iter().zip(b).try_for_each(|(a, b)| same(a, b))
        }
        (Value::String(a), Value::String(b)) => match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(x), Ok(y)) if close(x, y) => Ok(()),
            _ if a == b => Ok(()),
            _ => Err(format!("{a} is not {b}")),
        },
        _ if ours == theirs => Ok(()),
        _ => Err(format!("{ours} is not {theirs}")),
    }
}

fn close(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-6)
}

/// Instant vectors come in any order; sorts them by their labels.
fn in_order(mut data: serde_json::Value, keep: bool) -> serde_json::Value {
    if !keep
        && let Some(result) = data["result"].as_array_mut()
        && data_is_series(result)
    {
        result.sort_by_key(|item| item["metric"].to_string());
    }
    data
}

fn data_is_series(result: &[serde_json::Value]) -> bool {
    result.iter().all(|item| item.get("metric").is_some())
}

#[test]
fn answers_equal_those_of_a_real_prometheus_over_the_same_samples() {
    let list = samples::list();
    let Some(prometheus) = Prometheus::over(&list) else {
        return;
    };
    let options = Options { dialect: prometheus.dialect(), ..Options::default() };
    let mut wrong = Vec::new();
    let mut compared = 0;
    for query in expressions::ANSWERED {
        let expr = eval::parse(query).unwrap_or_else(|e| panic!("{query}: {e}"));
        let ordered = query.starts_with("sort") || query.starts_with("topk(") || query.starts_with("bottomk(");
        for at in [START + 600_000, START + 907_500, START + 1_800_000, START + 3_000_123, START + 7_000_000] {
            let ours = eval::instant(&list, options, &expr, at);
            let theirs = prometheus.query(query, at);
            compared += 1;
            if let Err(why) = compare(ours, &theirs, ordered) {
                wrong.push(format!("{query} at +{}: {why}", at - START));
            }
        }
        if matches!(
            expr.value_type(),
            promql_parser::parser::value::ValueType::Matrix | promql_parser::parser::value::ValueType::String
        ) {
            continue;
        }
        for step in [60_000, 47_000] {
            let steps = Steps { start: START + 300_000, end: START + 4_000_000, step };
            let ours = eval::range(&list, options, &expr, &steps);
            let theirs = prometheus.query_range(query, &steps);
            compared += 1;
            if let Err(why) = compare(ours, &theirs, false) {
                wrong.push(format!("{query} by steps of {step}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
}

fn compare(
    ours: Result<gonogo::sim::prom::value::Answer, gonogo::sim::prom::error::QueryError>,
    theirs: &serde_json::Value,
    ordered: bool,
) -> Result<(), String> {
    match ours {
        Ok(answer) => {
            if theirs["status"] != "success" {
                return Err(format!("we answer, they say {theirs}"));
            }
            let ours: serde_json::Value = serde_json::from_str(&json::answer(&answer)).expect("our JSON");
            same(&in_order(ours, ordered), &in_order(theirs["data"].clone(), ordered))
        }
        Err(error) if error.to_string().contains("simulated") => Err(format!("we do not know it: {error}")),
        Err(error) if theirs["errorType"] == error.kind() => Ok(()),
        Err(error) => Err(format!("we say {error}, they say {theirs}")),
    }
}

#[test]
fn what_a_real_prometheus_refuses_is_refused_with_the_same_class() {
    let list = samples::list();
    let Some(prometheus) = Prometheus::over(&list) else {
        return;
    };
    let options = Options { dialect: prometheus.dialect(), ..Options::default() };
    let at = START + 1_800_000;
    let mut wrong = Vec::new();
    for query in expressions::REFUSED {
        let theirs = prometheus.query(query, at);
        let ours = eval::parse(query).and_then(|expr| eval::instant(&list, options, &expr, at));
        let ours = ours.map_or_else(|e| e.kind().to_owned(), |a| json::answer(&a));
        if theirs["errorType"] != ours.as_str() {
            wrong.push(format!("{query}: we {ours}, they {theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn expressions_put_together_at_random_are_answered_alike() {
    let list = samples::list();
    let Some(prometheus) = Prometheus::over(&list) else {
        return;
    };
    let options = Options { dialect: prometheus.dialect(), ..Options::default() };
    let mut rng = fastrand::Rng::with_seed(20_260_601);
    let (mut wrong, mut answered) = (Vec::new(), 0);
    for _ in 0..RANDOM {
        let depth = rng.usize(1..4);
        let query = random::vector(&mut rng, depth);
        let expr = eval::parse(&query).unwrap_or_else(|e| panic!("{query}: {e}"));
        let at = START + rng.i64(60_000..4_500_000);
        let ours = eval::instant(&list, options, &expr, at);
        let theirs = prometheus.query(&query, at);
        let found = theirs["data"]["result"].as_array();
        answered += usize::from(found.is_some_and(|r| !r.is_empty()));
        if let Err(why) = compare(ours, &theirs, false) {
            wrong.push(format!("{query} at +{}: {why}", at - START));
        }
        let step = rng.i64(20..200) * 1_000;
        let steps = Steps { start: at, end: at + step * 20, step };
        let ours = eval::range(&list, options, &expr, &steps);
        if let Err(why) = compare(ours, &prometheus.query_range(&query, &steps), false) {
            wrong.push(format!("{query} from +{} by {step}: {why}", at - START));
        }
    }
    assert!(wrong.is_empty(), "{} of {RANDOM} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(answered > RANDOM / 4, "only {answered} of {RANDOM} have a result: nothing compared");
}
