//! `query_exemplars`: the latency histogram's exemplars, one for each bucket that took requests in the time asked for.

use std::collections::BTreeMap;
use std::convert::Infallible;

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};
use sha2::{Digest, Sha256};

use super::error::QueryError;
use super::eval;
use super::json;
use super::params::{Params, invalid};
use super::scrape::Scrapes;
use super::storage::Storage;
use super::value::is_stale;
use crate::sim::model::Labels;
use crate::sim::model::labels::METRIC_NAME;

/// The only metric that is instrumented with traces.
const TRACED: &str = "http_request_duration_seconds_bucket";

/// Selectors of a query, as Prometheus takes them out of it.
#[derive(Default)]
struct Selectors(Vec<VectorSelector>);

impl ExprVisitor for Selectors {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => self.0.push(selector.clone()),
            Expr::MatrixSelector(selector) => self.0.push(selector.vs.clone()),
            _ => {}
        }
        Ok(true)
    }
}

/// A bucket: its bound, its labels, how many were counted in the time, and when the last was scraped.
struct Bucket {
    bound: f64,
    labels: Labels,
    grown: f64,
    at_ms: i64,
}

/// The `data` of the answer.
pub fn query(scrapes: &Scrapes, form: &Params) -> Result<String, QueryError> {
    let (start, end) = (form.time_or("start", i64::MIN / 4)?, form.time_or("end", i64::MAX / 4)?);
    if end < start {
        return Err(invalid("end", "end timestamp must not be before start time"));
    }
    let mut selectors = Selectors::default();
    let Ok(_) = walk_expr(&mut selectors, &eval::parse(form.first("query"))?);
    let mut found: BTreeMap<Labels, (f64, i64)> = BTreeMap::new();
    for selector in &selectors.0 {
        let mut matchers = eval::matchers(selector)?;
        matchers.push(Matcher::new(MatchOp::Equal, METRIC_NAME, TRACED));
        for mut buckets in histograms(scrapes, &matchers, start, end)? {
            buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
            let (mut below, mut counted) = (0.0, 0.0);
            for bucket in buckets {
                // Buckets count what is below their bound: what is in this one alone is the difference.
                if bucket.grown > counted {
                    let value = if bucket.bound.is_finite() { f64::midpoint(below, bucket.bound) } else { below * 2.0 };
                    found.insert(bucket.labels, (value, bucket.at_ms));
                }
                (below, counted) = (bucket.bound, bucket.grown.max(counted));
            }
        }
    }
    let mut out = String::new();
    let found: Vec<_> = found.into_iter().collect();
    json::listed(&mut out, &found, |out, (labels, (value, at))| {
        out.push_str("{\"seriesLabels\":");
        json::labels(out, labels);
        let trace = json::string(&trace_id(labels, *at));
        let (value, at) = (json::string(&json::number(*value)), json::seconds(*at));
        out.push_str(&format!(
            ",\"exemplars\":[{{\"labels\":{{\"trace_id\":{trace}}},\"value\":{value},\"timestamp\":{at}}}]}}"
        ));
    });
    Ok(out)
}

/// Buckets of each histogram.
fn histograms(scrapes: &Scrapes, matchers: &[Matcher], start: i64, end: i64) -> Result<Vec<Vec<Bucket>>, QueryError> {
    let mut all: BTreeMap<Labels, Vec<Bucket>> = BTreeMap::new();
    scrapes.select(matchers, start, end, &mut |labels, samples| {
        let known: Vec<_> = samples.iter().filter(|s| !is_stale(s.v)).collect();
        if let (Some(first), Some(last), Ok(bound)) = (known.first(), known.last(), labels.get("le").parse()) {
            let rest = labels.iter().filter(|(name, _)| &**name != "le");
            let group = Labels::sorted(rest.map(|(name, value)| (name.clone(), value.clone())));
            let bucket = Bucket { bound, labels: labels.clone(), grown: last.v - first.v, at_ms: last.t };
            all.entry(group).or_default().push(bucket);
        }
        Ok(())
    })?;
    Ok(all.into_values().collect())
}

/// 32 hexadecimal digits that are the same for the same request.
fn trace_id(labels: &Labels, at_ms: i64) -> String {
    let mut hash = Sha256::new();
    for (name, value) in labels.iter() {
        hash.update(format!("{name}={value}\n"));
    }
    hash.update(at_ms.to_string());
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
