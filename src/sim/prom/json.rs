//! JSON as Prometheus writes it: values as strings, times as seconds with milliseconds.

use std::fmt::Write as _;

use super::error::QueryError;
use super::value::{Answer, Sample};
use crate::sim::model::Labels;

/// The text of a value: shortest digits that read back the same, an exponent only
/// below 1e-6 and from 1e21 on, `NaN`, `+Inf`, `-Inf`.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(rest) => ('-', rest),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// A time in seconds, with three decimals where it has milliseconds.
pub fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let (whole, part) = (ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000);
    if part == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part:03}") }
}

/// The time of a scalar or a string: unlike those of series it has no padded decimals.
fn plain_seconds(ms: i64) -> String {
    let text = seconds(ms);
    if text.contains('.') { text.trim_end_matches('0').to_owned() } else { text }
}

/// The value of a scalar: unlike those of series it never has an exponent.
fn plain_number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { number(value) }
}

/// A JSON string literal.
pub fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn point(out: &mut String, sample: Sample) {
    let _ = write!(out, "[{},\"{}\"]", seconds(sample.t), number(sample.v));
}

/// Writes labels as an object.
pub fn labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (i, (name, value)) in labels.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        let _ = write!(out, "{comma}{}:{}", string(name), string(value));
    }
    out.push('}');
}

/// The `data` of a query's answer.
pub fn answer(answer: &Answer) -> String {
    let mut out = String::new();
    let kind = match answer {
        Answer::Matrix(_) => "matrix",
        Answer::Vector(_) => "vector",
        Answer::Scalar(_) => "scalar",
        Answer::Text(..) => "string",
    };
    let _ = write!(out, "{{\"resultType\":\"{kind}\",\"result\":");
    match answer {
        Answer::Scalar(sample) => {
            let _ = write!(out, "[{},\"{}\"]", plain_seconds(sample.t), plain_number(sample.v));
        }
        Answer::Text(at, text) => {
            let _ = write!(out, "[{},{}]", plain_seconds(*at), string(text));
        }
        Answer::Vector(elements) => listed(&mut out, elements, |out, (metric, sample)| {
            out.push_str("{\"metric\":");
            labels(out, metric);
            out.push_str(",\"value\":");
            point(out, *sample);
            out.push('}');
        }),
        Answer::Matrix(series) => listed(&mut out, series, |out, (metric, samples)| {
            out.push_str("{\"metric\":");
            labels(out, metric);
            out.push_str(",\"values\":");
            listed(out, samples, |out, sample| point(out, *sample));
            out.push('}');
        }),
    }
    out.push('}');
    out
}

/// Writes an array.
pub fn listed<T>(out: &mut String, items: &[T], mut each: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        each(out, item);
    }
    out.push(']');
}

/// The envelope of a success.
pub fn success(data: &str, warnings: &[String]) -> String {
    let mut out = format!("{{\"status\":\"success\",\"data\":{data}");
    if !warnings.is_empty() {
        out.push_str(",\"warnings\":");
        listed(&mut out, warnings, |out, text| out.push_str(&string(text)));
    }
    out.push('}');
    out
}

/// The envelope of an error.
pub fn failure(error: &QueryError) -> String {
    let text = string(&error.to_string());
    format!("{{\"status\":\"error\",\"errorType\":\"{}\",\"error\":{text}}}", error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_prometheus_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (45_200.0, "45200"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-07"),
            (-2.5e300, "-2.5e+300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn times_are_seconds_with_milliseconds_where_there_are_any() {
        assert_eq!(seconds(1_435_781_430_000), "1435781430");
        assert_eq!(seconds(1_435_781_430_007), "1435781430.007");
        assert_eq!(seconds(-1_500), "-1.500");
    }
}
