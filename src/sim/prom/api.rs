//! The paths of the HTTP API.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use promql_parser::label::Matcher;
use promql_parser::parser::Expr;

use super::error::QueryError;
use super::eval::{self, MAX_POINTS, Options};
use super::exemplars;
use super::exposition;
use super::json;
use super::params::{Params, invalid};
use super::scrape::Scrapes;
use super::storage::Storage;
use super::value::{Answer, Steps};
use crate::sim::model::Labels;

/// Content type of envelopes.
pub const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Method.
    pub method: &'a Method,
    /// Path without query.
    pub path: &'a str,
    /// Parameters of the body and the query string.
    pub form: &'a Params,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Content type.
    pub content_type: &'static str,
    /// Body.
    pub body: String,
}

impl From<Result<String, QueryError>> for Reply {
    /// An envelope, good or bad.
    fn from(result: Result<String, QueryError>) -> Self {
        match result {
            Ok(body) => Self { status: StatusCode::OK, content_type: JSON, body },
            Err(error) => Self { status: error.status(), content_type: JSON, body: json::failure(&error) },
        }
    }
}

impl Reply {
    fn plain(status: StatusCode, text: &str) -> Self {
        Self { status, content_type: PLAIN, body: text.to_owned() }
    }
}

/// Answers a request that reached the API.
pub fn reply(scrapes: &Scrapes, options: Options, warnings: &[String], asked: Asked) -> Reply {
    let reads = *asked.method == Method::GET;
    let may_post = matches!(
        asked.path,
        "/api/v1/query" | "/api/v1/query_range" | "/api/v1/query_exemplars" | "/api/v1/labels" | "/api/v1/series"
    );
    let known = may_post
        || matches!(asked.path, "/metrics" | "/-/healthy" | "/-/ready" | "/api/v1/status/buildinfo")
        || label_name(asked.path).is_some();
    if !known {
        return Reply::plain(StatusCode::NOT_FOUND, "404 page not found\n");
    }
    let posts = may_post && *asked.method == Method::POST;
    if !(reads || posts) {
        return Reply::plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
    }
    let envelope = |data: Result<String, QueryError>| Reply::from(data.map(|data| json::success(&data, warnings)));
    match asked.path {
        "/metrics" => {
            Reply { status: StatusCode::OK, content_type: exposition::CONTENT_TYPE, body: exposition::text(scrapes) }
        }
        "/-/healthy" => Reply::plain(StatusCode::OK, "Prometheus Server is Healthy.\n"),
        "/-/ready" => Reply::plain(StatusCode::OK, "Prometheus Server is Ready.\n"),
        "/api/v1/status/buildinfo" => envelope(Ok(build_info())),
        "/api/v1/query" => Reply::from(query(scrapes, options, warnings, asked.form)),
        "/api/v1/query_range" => Reply::from(query_range(scrapes, options, warnings, asked.form)),
        "/api/v1/query_exemplars" => envelope(exemplars::query(scrapes, asked.form)),
        "/api/v1/series" => envelope(series(scrapes, asked.form)),
        path => envelope(names(scrapes, asked.form, label_name(path))),
    }
}

fn label_name(path: &str) -> Option<&str> {
    path.strip_prefix("/api/v1/label/")?.strip_suffix("/values")
}

fn build_info() -> String {
    let version = json::string(&format!("3.0.0-gonogo-sim-{}", env!("CARGO_PKG_VERSION")));
    format!(
        "{{\"version\":{version},\"revision\":\"sim\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}}"
    )
}

/// The options that a request may change.
fn options_of(options: Options, form: &Params) -> Result<Options, QueryError> {
    form.optional_duration("timeout")?;
    let lookback_ms = form.optional_duration("lookback_delta")?.unwrap_or(options.lookback_ms);
    Ok(Options { lookback_ms, ..options })
}

fn query(scrapes: &Scrapes, options: Options, warnings: &[String], form: &Params) -> Result<String, QueryError> {
    let at = form.time_or("time", (scrapes.now)())?;
    let options = options_of(options, form)?;
    let expr = eval::parse(form.first("query"))?;
    limited(eval::instant(scrapes, options, &expr, at)?, warnings, form)
}

fn query_range(scrapes: &Scrapes, options: Options, warnings: &[String], form: &Params) -> Result<String, QueryError> {
    let (start, end) = (form.time("start")?, form.time("end")?);
    if end < start {
        return Err(invalid("end", "end timestamp must not be before start time"));
    }
    let step = form.duration("step")?;
    if step <= 0 {
        return Err(invalid(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if (end - start) / step > MAX_POINTS {
        return Err(QueryError::BadData("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)".to_owned()));
    }
    let options = options_of(options, form)?;
    let expr = eval::parse(form.first("query"))?;
    limited(eval::range(scrapes, options, &expr, &Steps { start, end, step })?, warnings, form)
}

/// Applies `limit`, which cuts the series of an answer and says so.
fn limited(mut answer: Answer, warnings: &[String], form: &Params) -> Result<String, QueryError> {
    let limit = match form.first("limit") {
        "" | "0" => usize::MAX,
        text => text.parse().map_err(|_| invalid("limit", &format!("cannot parse \"{text}\" to a number")))?,
    };
    let mut warnings = warnings.to_vec();
    let length = match &answer {
        Answer::Vector(elements) => elements.len(),
        Answer::Matrix(series) => series.len(),
        _ => 0,
    };
    if length > limit {
        warnings.push("results truncated due to limit".to_owned());
        match &mut answer {
            Answer::Vector(elements) => elements.truncate(limit),
            Answer::Matrix(series) => series.truncate(limit),
            _ => {}
        }
    }
    Ok(json::success(&json::answer(&answer), &warnings))
}

/// The series that any of the selectors of `match[]` names, in the given time.
fn selected(scrapes: &Scrapes, form: &Params) -> Result<BTreeSet<Labels>, QueryError> {
    let from = form.time_or("start", i64::MIN / 4)?;
    let to = form.time_or("end", i64::MAX / 4)?;
    let mut selectors: Vec<Vec<Matcher>> = Vec::new();
    for text in form.all("match[]") {
        match eval::parse(text) {
            Ok(Expr::VectorSelector(selector)) => selectors.push(eval::matchers(&selector)?),
            _ => {
                return Err(invalid("match[]", &format!("cannot parse \"{text}\" to a series selector")));
            }
        }
    }
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    let mut all = BTreeSet::new();
    for matchers in selectors {
        all.extend(scrapes.series(&matchers, from, to)?);
    }
    Ok(all)
}

fn series(scrapes: &Scrapes, form: &Params) -> Result<String, QueryError> {
    if form.all("match[]").next().is_none() {
        return Err(QueryError::BadData("no match[] parameter provided".to_owned()));
    }
    let all: Vec<Labels> = selected(scrapes, form)?.into_iter().collect();
    let mut out = String::new();
    json::listed(&mut out, &all, json::labels);
    Ok(out)
}

/// Names of labels, or the values of one.
fn names(scrapes: &Scrapes, form: &Params, of: Option<&str>) -> Result<String, QueryError> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for labels in selected(scrapes, form)? {
        match of {
            Some(name) => {
                found.extend(Some(labels.get(name)).filter(|v| !v.is_empty()).map(str::to_owned));
            }
            None => found.extend(labels.iter().map(|(name, _)| name.to_string())),
        }
    }
    let found: Vec<String> = found.into_iter().collect();
    let mut out = String::new();
    json::listed(&mut out, &found, |out, text| out.push_str(&json::string(text)));
    Ok(out)
}
