//! Samples, and why there is none.

use std::collections::BTreeMap;
use std::fmt;

use super::id::Text;
use super::stamp::Timestamp;

/// A sample, or the reason there is none.
pub type Reading = Result<f64, NoData>;

/// Why there is no sample. Unknown is never zero and never green.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NoData {
    /// Not asked yet.
    NotAsked,
    /// The query answered with no series for this region.
    Empty,
    /// NaN: usually a division by no traffic.
    NotANumber,
    /// Infinite.
    Infinite,
    /// Several series where one was expected.
    Ambiguous(usize),
    /// The answer may be partial.
    Warning(Text),
    /// The newest sample is too old (seconds).
    Stale(i64),
    /// HTTP status that is not success, with its error text.
    Http(u16, Text),
    /// A body that is not Prometheus's JSON.
    NotPrometheus(Text),
    /// Could not be reached.
    Unreachable(Text),
    /// No answer within the time limit.
    Timeout,
    /// A window without samples between others.
    Gap,
    /// No Prometheus is configured for this region's cluster.
    NotConfigured,
}

impl fmt::Display for NoData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoData::NotAsked => f.write_str("not asked yet"),
            NoData::Empty => f.write_str("no series for this region"),
            NoData::NotANumber => f.write_str("NaN (no traffic?)"),
            NoData::Infinite => f.write_str("infinite"),
            NoData::Ambiguous(n) => write!(f, "{n} series where one was expected"),
            NoData::Warning(text) => write!(f, "possibly partial: {text}"),
            NoData::Stale(seconds) => write!(f, "newest sample is {seconds} s old"),
            NoData::Http(code, text) => write!(f, "Prometheus answered {code}: {text}"),
            NoData::NotPrometheus(text) => write!(f, "not a Prometheus answer: {text}"),
            NoData::Unreachable(text) => write!(f, "Prometheus unreachable: {text}"),
            NoData::Timeout => f.write_str("Prometheus did not answer in time"),
            NoData::Gap => f.write_str("gap in the samples"),
            NoData::NotConfigured => f.write_str("no Prometheus configured"),
        }
    }
}

/// Readings on 5-minute windows, by the window's end (a UTC-aligned boundary).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows(pub BTreeMap<Timestamp, Reading>);

impl Windows {
    /// Latest window end that was answered.
    pub fn newest(&self) -> Option<Timestamp> {
        self.0.keys().next_back().copied()
    }
    /// Forgets windows that ended before `start`.
    pub fn forget_before(&mut self, start: Timestamp) {
        self.0 = self.0.split_off(&start);
    }
}
