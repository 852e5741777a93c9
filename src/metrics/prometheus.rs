//! Prometheus: placeholders into query text, answers into readings.
//!
//! An answer that is anything but one fresh finite number per region is no data, with the reason.

use std::collections::BTreeMap;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::exemplar::{Exemplar, trace_of};
use crate::domain::id::{RegionIx, Text};
use crate::domain::metric::{NoData, Reading, Windows};
use crate::domain::observation::Observation;
use crate::domain::question::{MetricQuestion, SeriesOf, Span};
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW};
use crate::domain::text::{bounded, safe};

/// A newest sample older than this is stale.
const FRESH: SignedDuration = SignedDuration::from_secs(300);

/// Longest text of an error that is kept.
const MOST_TEXT: usize = 200;
/// Longest trace id that is kept, in bytes.
const MOST_TRACE: usize = 200;

/// Path of the endpoint for a question, below the base URL.
pub fn path(question: &MetricQuestion) -> &'static str {
    match question.span {
        Span::At(_) => "/api/v1/query",
        Span::Exemplars { .. } => "/api/v1/query_exemplars",
        Span::Windows { .. } | Span::History { .. } => "/api/v1/query_range",
    }
}

/// The form (or query string) of a question.
///
/// `partial_response=false` makes Thanos fail instead of answering with a part.
pub fn form(question: &MetricQuestion) -> Vec<(&'static str, String)> {
    let mut form = vec![("query", question.query.clone())];
    match question.span {
        // It has no time limit of its own.
        Span::Exemplars { first, last } => {
            form.extend([("start", seconds(first)), ("end", seconds(last)), ("partial_response", "false".to_owned())]);
            return form;
        }
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
        Span::At(_) | Span::Exemplars { .. } => return vec![question.clone()],
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
            (Observation::Windows { readings: all, .. }, Observation::Windows { readings, .. }) => {
                join(all, readings, Windows::learn);
            }
            (Observation::History { points: all, .. }, Observation::History { points, .. }) => {
                join(all, points, Vec::extend);
            }
            _ => {}
        }
        all
    })
}

/// Appends what belongs to the same region. A region that a part has no answer for has none at all:
/// half a history would pass for a whole one.
fn join<T>(all: &mut Vec<(RegionIx, T)>, mut more: Vec<(RegionIx, T)>, append: impl Fn(&mut T, T)) {
    all.retain_mut(|(region, known)| match more.iter().position(|(r, _)| r == region) {
        Some(at) => {
            append(known, more.swap_remove(at).1);
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
struct Envelope<'a> {
    status: String,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    is_partial: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    result_type: String,
    #[serde(borrow)]
    result: &'a RawValue,
}

/// One series of an answer; its points stay text until they are wanted.
#[derive(Deserialize)]
struct Series<'a> {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    values: Option<&'a RawValue>,
}

/// A time in seconds and a value, which is a number in a string.
#[derive(Deserialize)]
struct Point(f64, Value);

struct Value(f64);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Value;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number in a string")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
                text.parse().map(Value).map_err(E::custom)
            }
        }
        from.deserialize_str(Number)
    }
}

type Points = Vec<(Timestamp, f64)>;

/// Reads an HTTP answer into what was asked for.
pub fn answer(question: &MetricQuestion, code: u16, body: &[u8]) -> Observation {
    let payload = payload(code, body);
    if let Span::Exemplars { .. } = question.span {
        return exemplars(question, payload.and_then(|p| serde_json::from_str(p.get()).map_err(|_| misshapen())));
    }
    read(
        question,
        payload.and_then(|p| serde_json::from_str(p.get()).ok().as_ref().and_then(series).ok_or_else(misshapen)),
    )
}

/// The observation of a question that could not be sent or answered.
pub fn failed(question: &MetricQuestion, why: NoData) -> Observation {
    if let Span::Exemplars { .. } = question.span {
        return exemplars(question, Err(why));
    }
    read(question, Err(why))
}

fn read(question: &MetricQuestion, series: Result<Vec<Series<'_>>, NoData>) -> Observation {
    let per_region = split(question, series);
    let (service, column) = (question.service, question.column.clone());
    match question.span {
        Span::Exemplars { last, .. } => Observation::Exemplars { service, column, last, found: Vec::new() },
        Span::At(at) => {
            let readings = per_region.into_iter().map(|(r, s)| (r, newest(s, at))).collect();
            Observation::Samples { service, column, at, readings }
        }
        Span::Windows { first, last } => {
            let readings = per_region.into_iter().map(|(r, s)| (r, windows(s, first, last))).collect();
            Observation::Windows { service, column, readings }
        }
        Span::History { step, .. } => {
            let finite = |s: Points| s.into_iter().filter(|(_, v)| v.is_finite()).collect();
            let points = per_region.into_iter().filter_map(|(r, s)| Some((r, finite(s.ok()?)))).collect();
            Observation::History { service, column, step, points }
        }
    }
}

/// The `data` of a good answer.
fn payload(code: u16, body: &[u8]) -> Result<&RawValue, NoData> {
    let text = |t: &str| -> Text { safe(t.trim(), MOST_TEXT).into() };
    let envelope: Envelope<'_> = match serde_json::from_slice(body) {
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
    envelope.data.ok_or_else(|| NoData::NotPrometheus("success without data".into()))
}

fn misshapen() -> NoData {
    NoData::NotPrometheus("a result of an unexpected shape".into())
}

fn series<'a>(data: &Data<'a>) -> Option<Vec<Series<'a>>> {
    match data.result_type.as_str() {
        "vector" | "matrix" => serde_json::from_str(data.result.get()).ok(),
        "scalar" => Some(vec![Series { metric: BTreeMap::new(), value: Some(data.result), values: None }]),
        _ => None,
    }
}

impl Series<'_> {
    /// Its points, oldest first.
    fn points(&self) -> Option<Points> {
        let mut all: Vec<Point> = match self.values {
            Some(values) => serde_json::from_str(values.get()).ok()?,
            None => Vec::new(),
        };
        if let Some(value) = self.value {
            all.push(serde_json::from_str(value.get()).ok()?);
        }
        all.into_iter().map(|Point(at, value)| Some((timestamp(at)?, value.0))).collect()
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

/// Which points are which region's. What belongs to nobody is not read.
fn split(
    question: &MetricQuestion,
    series: Result<Vec<Series<'_>>, NoData>,
) -> Vec<(RegionIx, Result<Points, NoData>)> {
    let one = |found: &[&Series<'_>]| match found {
        [] => Err(NoData::Empty),
        [one] => one.points().ok_or_else(misshapen),
        many => Err(NoData::Ambiguous(many.len())),
    };
    match (&question.regions, series) {
        (SeriesOf::One(region), Ok(series)) => vec![(*region, one(&series.iter().collect::<Vec<_>>()))],
        (SeriesOf::One(region), Err(why)) => vec![(*region, Err(why))],
        (SeriesOf::Label { values, .. }, Err(why)) => values.iter().map(|(r, _)| (*r, Err(why.clone()))).collect(),
        (SeriesOf::Label { label, values }, Ok(series)) => {
            let mut of: BTreeMap<&str, Vec<&Series<'_>>> = BTreeMap::new();
            for one in &series {
                if let Some(value) = one.metric.get(&**label) {
                    of.entry(value).or_default().push(one);
                }
            }
            let found = |value: &str| one(of.get(value).map(Vec::as_slice).unwrap_or_default());
            values.iter().map(|(region, value)| (*region, found(value))).collect()
        }
    }
}

/// Exemplars of one series.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exemplars {
    #[serde(default)]
    series_labels: BTreeMap<String, String>,
    #[serde(default)]
    exemplars: Vec<One>,
}

/// One of them.
#[derive(Deserialize)]
struct One {
    #[serde(default)]
    labels: BTreeMap<String, String>,
    value: Value,
    timestamp: f64,
}

/// The newest exemplar with a trace, for each region that was asked about.
fn exemplars(question: &MetricQuestion, answer: Result<Vec<Exemplars>, NoData>) -> Observation {
    let (first, last) = match question.span {
        Span::Exemplars { first, last } => (first, last),
        _ => (Timestamp::MIN, Timestamp::MAX),
    };
    let of = |series: &Exemplars, mine: &dyn Fn(&Exemplars) -> bool| -> Vec<Exemplar> {
        if !mine(series) {
            return Vec::new();
        }
        let name = series.series_labels.get("__name__").map_or("", String::as_str);
        let one = |one: &One| {
            let trace = trace_of(|label| one.labels.get(label).map(String::as_str))?;
            let at = timestamp(one.timestamp).filter(|at| (first..=last).contains(at))?;
            Some(Exemplar {
                at,
                value: one.value.0,
                trace: bounded(trace, MOST_TRACE).into(),
                series: safe(name, MOST_TEXT).into(),
            })
        };
        series.exemplars.iter().filter_map(one).collect()
    };
    let newest = |mine: &dyn Fn(&Exemplars) -> bool| match &answer {
        Ok(all) => Ok(all.iter().flat_map(|s| of(s, mine)).max_by_key(|e| e.at)),
        Err(why) => Err(why.clone()),
    };
    let found = match &question.regions {
        SeriesOf::One(region) => vec![(*region, newest(&|_| true))],
        SeriesOf::Label { label, values } => {
            let has = |s: &Exemplars, value: &str| s.series_labels.get(&**label).is_some_and(|v| v == value);
            values.iter().map(|(region, value)| (*region, newest(&|s| has(s, value)))).collect()
        }
    };
    Observation::Exemplars { service: question.service, column: question.column.clone(), last, found }
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

fn newest(points: Result<Points, NoData>, at: Timestamp) -> Reading {
    let (time, value) = points?.last().copied().ok_or(NoData::Empty)?;
    let age = at.duration_since(time);
    if age > FRESH { Err(NoData::Stale(age.as_secs())) } else { reading(value) }
}

/// Every window that was asked for has a reading; one that the answer leaves out is a gap.
fn windows(points: Result<Points, NoData>, first: Timestamp, last: Timestamp) -> Windows {
    let (points, left_out) = match points {
        Ok(points) => (points, NoData::Gap),
        Err(why) => (Points::new(), why),
    };
    let asked = |at: &Timestamp| *at >= first && *at <= last;
    let mut out: Windows = points.into_iter().filter(|(at, _)| asked(at)).map(|(at, v)| (at, reading(v))).collect();
    // Bounded as Prometheus bounds it.
    let ends = std::iter::successors(Some(first), |end| end.checked_add(WINDOW).ok());
    for end in ends.take_while(|end| *end <= last).take(MOST_POINTS.unsigned_abs() as usize) {
        if !out.contains(end) {
            out.insert(end, Err(left_out.clone()));
        }
    }
    out
}

#[cfg(test)]
#[path = "prometheus_tests.rs"]
mod tests;
