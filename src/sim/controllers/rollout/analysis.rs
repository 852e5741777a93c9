//! AnalysisRuns: three measurements, ten seconds apart; one that is too high fails the run.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::sim::controllers::{after, stamp};

/// Time between two measurements.
const INTERVAL: SignedDuration = SignedDuration::from_secs(10);
/// Measurements of one run.
const COUNT: usize = 3;
/// A share of failing requests from which on a measurement fails.
const MOST: f64 = 0.01;
const QUERY: &str = "sum(rate(http_requests_total{code=~\"5..\"}[1m])) / sum(rate(http_requests_total[1m]))";

/// What a run measures: the templates that a step names.
#[must_use]
pub fn spec(analysis: &Value) -> Value {
    let templates = analysis.get("templates").and_then(Value::as_array);
    let names = templates.into_iter().flatten().filter_map(|t| t.get("templateName")?.as_str());
    let metric = |name: &str| {
        json!({
            "name": name, "interval": "10s", "count": COUNT, "successCondition": format!("result[0] < {MOST}"),
            "provider": {"prometheus": {"address": "http://prometheus.monitoring:9090", "query": QUERY}},
        })
    };
    let mut metrics: Vec<Value> = names.map(metric).collect();
    if metrics.is_empty() {
        metrics.push(metric("errors"));
    }
    json!({"metrics": metrics})
}

/// The status that a run is to have, with when to look again; none: it is over, or not due.
///
/// `errors` is the share of failing requests of what is analysed.
#[must_use]
pub fn measure(run: &Value, errors: f64, now: Timestamp) -> (Option<Value>, Option<Timestamp>) {
    let at = |pointer: &str| run.pointer(pointer).unwrap_or(&Value::Null);
    let phase = at("/status/phase").as_str().unwrap_or_default();
    if matches!(phase, "Successful" | "Failed" | "Error" | "Inconclusive") {
        return (None, None);
    }
    if at("/spec/terminate") == &Value::Bool(true) {
        let mut status = at("/status").clone();
        if let Some(map) = status.as_object_mut() {
            map.insert("phase".into(), "Successful".into());
            map.insert("message".into(), "Run Terminated".into());
        }
        return (Some(status), None);
    }
    let name = at("/spec/metrics/0/name").as_str().unwrap_or("errors");
    let mut done = at("/status/metricResults/0/measurements").as_array().cloned().unwrap_or_default();
    let last = done.last().and_then(|m| m.get("finishedAt")?.as_str()?.parse::<Timestamp>().ok());
    if let Some(due) = last.map(|last| after(last, INTERVAL)).filter(|due| *due > now) {
        return (None, Some(due));
    }
    let failed = errors >= MOST;
    let word = if failed { "Failed" } else { "Successful" };
    done.push(
        json!({"phase": word, "startedAt": stamp(now), "finishedAt": stamp(now), "value": format!("[{errors}]")}),
    );
    let over = failed || done.len() >= COUNT;
    let phase = if over { word } else { "Running" };
    let started = at("/status/startedAt").as_str().map_or_else(|| stamp(now), str::to_owned);
    let good = done.len() - usize::from(failed);
    let message = if failed {
        format!("Metric \"{name}\" assessed Failed due to failed (1) > failureLimit (0)")
    } else {
        String::new()
    };
    let summary = json!({"count": 1, "successful": u8::from(over && !failed), "failed": u8::from(failed)});
    let status = json!({
        "phase": phase, "message": message, "startedAt": started, "runSummary": summary,
        "metricResults": [{
            "name": name, "phase": phase, "count": done.len(), "successful": good, "failed": u8::from(failed),
            "metadata": {"ResolvedPrometheusQuery": QUERY}, "measurements": done,
        }],
    });
    (Some(status), (!over).then(|| after(now, INTERVAL)))
}
