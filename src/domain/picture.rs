//! What a judgement rests on, as something that can be drawn. Made only when somebody looks.

use super::fleet::Unit;
use super::id::{ColumnName, Text};
use super::stamp::Timestamp;

/// The evidence of one gate about one region.
#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    /// Windows over time, with their bounds.
    Series(Series),
    /// Hours of the day that were seen.
    Hours(Hours),
}

/// Windows over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What is measured, e.g. `errors`.
    pub name: Text,
    /// The column that it is.
    pub column: ColumnName,
    /// Its unit.
    pub unit: Unit,
    /// What the windows are compared with, e.g. `the old version`; none: with bounds alone.
    pub base: Option<Text>,
    /// Windows, oldest first, without holes: an unknown one is a gap.
    pub points: Vec<Point>,
}

/// One window.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// When it ends.
    pub end: Timestamp,
    /// What was measured; none: unknown, or not comparable.
    pub value: Option<f64>,
    /// What it is compared with.
    pub base: Option<f64>,
    /// At least this is within bounds.
    pub low: Option<f64>,
    /// At most this is within bounds.
    pub high: Option<f64>,
    /// A person accepted it with a reason.
    pub accepted: bool,
}

impl Point {
    /// A window without bounds.
    pub fn new(end: Timestamp, value: Option<f64>) -> Self {
        Self { end, value, base: None, low: None, high: None, accepted: false }
    }

    /// How far outside of its bounds, at most 0 within them; the value itself where there are none.
    pub fn excess(&self) -> f64 {
        let value = self.value.unwrap_or(f64::NAN);
        match (self.low, self.high) {
            (Some(low), None) => low - value,
            (Some(low), Some(high)) => (value - high).max(low - value),
            (None, Some(high)) => value - high,
            (None, None) => value,
        }
    }

    /// Outside of its bounds.
    pub fn outside(&self) -> bool {
        let below = self.value.zip(self.low).is_some_and(|(value, low)| value < low);
        below || self.value.zip(self.high).is_some_and(|(value, high)| value > high)
    }
}

impl Series {
    /// The window that is furthest outside of its bounds and that nobody accepted; the last of equals.
    pub fn worst_outside(&self) -> Option<&Point> {
        let outside = self.points.iter().filter(|p| p.outside() && !p.accepted);
        outside.max_by(|a, b| a.excess().total_cmp(&b.excess()))
    }
}

/// Hours of the day in one zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    /// The zone's name.
    pub zone: Text,
    /// From 0 to 23.
    pub seen: [HourSeen; 24],
    /// The hour that it is now there.
    pub now: usize,
    /// Named instants, and whether each was seen.
    pub instants: Vec<(Text, bool)>,
}

/// How much of an hour of the day was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HourSeen {
    /// Not asked for.
    Free,
    /// Nothing of it.
    Missing,
    /// Too little of it.
    Partly,
    /// Enough of it.
    Seen,
}
