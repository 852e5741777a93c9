//! Prometheus: placeholders into query text, answers into readings.
//!
//! An answer that is anything but one fresh finite number per region is no data, with the reason.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::id::{RegionIx, Text};
use crate::domain::metric::{NoData, Reading};
use crate::domain::observation::Observation;
use crate::domain::question::{MetricQuestion, SeriesOf, Span};
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW};
use crate::domain::text::safe;

/// A newest sample older than this is stale.
const FRESH: SignedDuration = SignedDuration::from_secs(300);

/// Longest text of an error that is kept.
const MOST_TEXT: usize = 200;

/// Path of the endpoint for a question, below the base URL.
pub fn path(question: &MetricQuestion) -> &'static str {
    match question.span {
        Span::At(_) => "/api/v1/query",
        Span::Windows { .. } | Span::History { .. } => "/api/v1/query_range",
    }
}

/// The form (or query string) of a question.
///
/// `partial_response=false` makes Thanos fail instead of answering with a part.
pub fn form(question: &MetricQuestion) -> Vec<(&'static str, String)> {
    let mut form = vec![("query", question.query.clone())];
    match question.span {
        Span::At(at) => form.push(("time", seconds(at))),
        Span::Windows { first, last } => range(&mut form, first, last, WINDOW),
        Span::History { first, last, step } => range(&mut form, first, last, step),
    }
    form.push(("timeout", "10s".to_owned()));
    form.push(("partial_response", "false".to_owned()));
    form
}

/// A server gives no more points than this to one range question.
const MOST_POINTS: i32 = 11_000;

/// A question as parts that a server answers: a long range in several, oldest first.
pub fn parts(question: &MetricQuestion) -> Vec<MetricQuestion> {
    let (first, last, step) = match question.span {
        Span::At(_) => return vec![question.clone()],
        Span::Windows { first, last } => (first, last, WINDOW),
        Span::History { first, last, step } => (first, last, step.max(SignedDuration::from_secs(1))),
    };
    let mut parts = Vec::new();
    let mut from = first;
    loop {
        let end = from.saturating_add(step.saturating_mul(MOST_POINTS - 1)).unwrap_or(last).min(last);
        let span = match question.span {
            Span::History { step, .. } => Span::History { first: from, last: end, step },
            _ => Span::Windows { first: from, last: end },
        };
        parts.push(MetricQuestion { span, ..question.clone() });
        match end.checked_add(step) {
            Ok(next) if next <= last => from = next,
            _ => return parts,
        }
    }
}

/// The answers to a question's parts as one; none of none.
pub fn joined(answers: Vec<Observation>) -> Option<Observation> {
    answers.into_iter().reduce(|mut all, part| {
        match (&mut all, part) {
            (Observation::Windows { readings: all, .. }, Observation::Windows { readings, .. }) => join(all, readings),
            (Observation::History { points: all, .. }, Observation::History { points, .. }) => join(all, points),
            _ => {}
        }
        all
    })
}

/// Appends what belongs to the same region. A region that a part has no answer for has none at all:
/// half a history would pass for a whole one.
fn join<T>(all: &mut Vec<(RegionIx, Vec<T>)>, mut more: Vec<(RegionIx, Vec<T>)>) {
    all.retain_mut(|(region, known)| match more.iter_mut().find(|(r, _)| r == region) {
        Some((_, values)) => {
            known.append(values);
            true
        }
        None => false,
    });
}

fn range(form: &mut Vec<(&'static str, String)>, first: Timestamp, last: Timestamp, step: SignedDuration) {
    form.push(("start", seconds(first)));
    form.push(("end", seconds(last)));
    form.push(("step", step.as_secs().max(1).to_string()));
}

fn seconds(at: Timestamp) -> String {
    let millis = at.as_millisecond();
    format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    is_partial: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

/// One series of an answer.
#[derive(Clone, Debug, PartialEq)]
struct Series {
    labels: BTreeMap<String, String>,
    points: Vec<(Timestamp, f64)>,
}

/// Reads an HTTP answer into what was asked for.
pub fn answer(question: &MetricQuestion, code: u16, body: &[u8]) -> Observation {
    failed_or(question, parse(code, body))
}

/// The observation of a question that could not be sent or answered.
pub fn failed(question: &MetricQuestion, why: NoData) -> Observation {
    failed_or(question, Err(why))
}

fn failed_or(question: &MetricQuestion, series: Result<Vec<Series>, NoData>) -> Observation {
    let per_region = split(question, series);
    let (service, column) = (question.service, question.column.clone());
    match question.span {
        Span::At(at) => {
            let readings = per_region.into_iter().map(|(r, s)| (r, newest(s, at))).collect();
            Observation::Samples { service, column, at, readings }
        }
        Span::Windows { first, last } => {
            let readings = per_region.into_iter().map(|(r, s)| (r, windows(s, first, last))).collect();
            Observation::Windows { service, column, readings }
        }
        Span::History { step, .. } => {
            let finite = |s: Series| s.points.into_iter().filter(|(_, v)| v.is_finite()).collect();
            let points = per_region.into_iter().filter_map(|(r, s)| Some((r, finite(s.ok()?)))).collect();
            Observation::History { service, column, step, points }
        }
    }
}

fn parse(code: u16, body: &[u8]) -> Result<Vec<Series>, NoData> {
    let text = |t: &str| -> Text { safe(t.trim(), MOST_TEXT).into() };
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(_) if !(200..300).contains(&code) => {
            return Err(NoData::Http(code, text(&String::from_utf8_lossy(body.get(..400).unwrap_or(body)))));
        }
        Err(error) => {
            let start = String::from_utf8_lossy(body.get(..80).unwrap_or(body)).into_owned();
            return Err(NoData::NotPrometheus(text(&format!("{error}: {start}"))));
        }
    };
    if envelope.status != "success" || !(200..300).contains(&code) {
        return Err(NoData::Http(code, text(envelope.error.as_deref().unwrap_or("no error text"))));
    }
    if let Some(warning) = envelope.warnings.first() {
        return Err(NoData::Warning(text(warning)));
    }
    if envelope.is_partial {
        return Err(NoData::Warning("isPartial is set".into()));
    }
    let Some(data) = envelope.data else { return Err(NoData::NotPrometheus("success without data".into())) };
    series(data).ok_or_else(|| NoData::NotPrometheus("a result of an unexpected shape".into()))
}

fn series(data: Data) -> Option<Vec<Series>> {
    let points = |points: Vec<(f64, String)>| -> Option<Vec<(Timestamp, f64)>> {
        points.into_iter().map(|(at, value)| Some((timestamp(at)?, value.parse().ok()?))).collect()
    };
    match data.result_type.as_str() {
        "vector" | "matrix" => {
            let items: Vec<Item> = serde_json::from_value(data.result).ok()?;
            items
                .into_iter()
                .map(|item| {
                    let mut all = item.values;
                    all.extend(item.value);
                    Some(Series { labels: item.metric, points: points(all)? })
                })
                .collect()
        }
        "scalar" => {
            let point: (f64, String) = serde_json::from_value(data.result).ok()?;
            Some(vec![Series { labels: BTreeMap::new(), points: points(vec![point])? }])
        }
        _ => None,
    }
}

fn timestamp(seconds: f64) -> Option<Timestamp> {
    if !seconds.is_finite() || seconds.abs() > 1e11 {
        return None;
    }
    // Prometheus has milliseconds; a float holds them exactly enough.
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
}

/// Which series is which region's.
fn split(question: &MetricQuestion, series: Result<Vec<Series>, NoData>) -> Vec<(RegionIx, Result<Series, NoData>)> {
    let one = |found: Vec<Series>| match found.len() {
        0 => Err(NoData::Empty),
        1 => found.into_iter().next().ok_or(NoData::Empty),
        many => Err(NoData::Ambiguous(many)),
    };
    match (&question.regions, series) {
        (SeriesOf::One(region), series) => vec![(*region, series.and_then(one))],
        (SeriesOf::Label { values, .. }, Err(why)) => values.iter().map(|(r, _)| (*r, Err(why.clone()))).collect(),
        (SeriesOf::Label { label, values }, Ok(series)) => values
            .iter()
            .map(|(region, value)| {
                let is = |s: &&Series| s.labels.get(&**label).is_some_and(|v| *v == **value);
                (*region, one(series.iter().filter(is).cloned().collect()))
            })
            .collect(),
    }
}

fn reading(value: f64) -> Reading {
    if value.is_nan() {
        Err(NoData::NotANumber)
    } else if value.is_infinite() {
        Err(NoData::Infinite)
    } else {
        Ok(value)
    }
}

fn newest(series: Result<Series, NoData>, at: Timestamp) -> Reading {
    let (time, value) = series?.points.last().copied().ok_or(NoData::Empty)?;
    let age = at.duration_since(time);
    if age > FRESH { Err(NoData::Stale(age.as_secs())) } else { reading(value) }
}

/// Every window that was asked for has a reading; one that the answer leaves out is a gap.
fn windows(series: Result<Series, NoData>, first: Timestamp, last: Timestamp) -> Vec<(Timestamp, Reading)> {
    let by_end: Result<BTreeMap<Timestamp, f64>, NoData> = series.map(|s| s.points.into_iter().collect());
    let mut out = Vec::new();
    let mut end = first;
    // Bounded as Prometheus bounds it.
    while end <= last && out.len() < MOST_POINTS.unsigned_abs() as usize {
        out.push((
            end,
            match &by_end {
                Ok(points) => points.get(&end).map_or(Err(NoData::Gap), |v| reading(*v)),
                Err(why) => Err(why.clone()),
            },
        ));
        let Ok(next) = end.checked_add(WINDOW) else { break };
        end = next;
    }
    out
}

#[cfg(test)]
#[path = "prometheus_tests.rs"]
mod tests;
