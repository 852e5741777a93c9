//! What expressions evaluate to. A query is evaluated once for all its steps: a vector
//! is a set of columns, each with one optional value per step.

use std::collections::HashMap;

use super::error::QueryError;
use crate::sim::model::Labels;

/// The bits of the NaN that marks a series as ended.
const STALE_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The value that marks a series as ended.
pub fn stale_marker() -> f64 {
    f64::from_bits(STALE_BITS)
}

/// True for the marker, not for other NaNs.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_BITS
}

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the epoch.
    pub t: i64,
    /// Value.
    pub v: f64,
}

/// One series of a result: a value per step, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Labels.
    pub labels: Labels,
    /// One entry per step.
    pub values: Vec<Option<f64>>,
}

impl Column {
    /// The value at a step.
    pub fn at(&self, step: usize) -> Option<f64> {
        self.values.get(step).copied().flatten()
    }
}

/// The value of an expression over all steps.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One number per step.
    Scalar(Vec<f64>),
    /// An instant vector per step.
    Vector(Vec<Column>),
    /// A string.
    Text(String),
}

/// What is asked: the times at which to evaluate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// First time, ms since the epoch.
    pub start: i64,
    /// Last time (inclusive).
    pub end: i64,
    /// Distance in ms; irrelevant for one step.
    pub step: i64,
}

impl Steps {
    /// One time.
    pub fn instant(at: i64) -> Self {
        Self { start: at, end: at, step: 1 }
    }

    /// All times in order.
    pub fn times(&self) -> impl Iterator<Item = i64> + use<> {
        let step = self.step.max(1);
        (self.start..=self.end).step_by(usize::try_from(step).unwrap_or(usize::MAX))
    }

    /// How many.
    pub fn count(&self) -> usize {
        usize::try_from((self.end - self.start) / self.step.max(1) + 1).unwrap_or(0)
    }
}

/// An answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Series with samples.
    Matrix(Vec<(Labels, Vec<Sample>)>),
    /// Series with one sample.
    Vector(Vec<(Labels, Sample)>),
    /// A number.
    Scalar(Sample),
    /// A string, at a time.
    Text(i64, String),
}

/// Merges columns with equal labels; two values at one step are an error, as everywhere
/// in Prometheus where labels are dropped.
pub fn merge(columns: Vec<Column>) -> Result<Vec<Column>, QueryError> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(columns.len());
    let mut merged: Vec<Column> = Vec::with_capacity(columns.len());
    for column in columns {
        let place = *places.entry(column.labels.clone()).or_insert(merged.len());
        let Some(into) = merged.get_mut(place) else {
            merged.push(column);
            continue;
        };
        for (own, other) in into.values.iter_mut().zip(column.values) {
            match (&own, other) {
                (Some(_), Some(_)) => {
                    return Err(QueryError::Execution(
                        "vector cannot contain metrics with the same labelset".to_owned(),
                    ));
                }
                (None, Some(_)) => *own = other,
                _ => {}
            }
        }
    }
    Ok(merged)
}

/// Go's `math.Max`: NaN wins.
pub fn go_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// Go's `math.Min`: NaN wins.
pub fn go_min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}
