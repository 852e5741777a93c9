//! A time axis: columns for moments, ticks at round hours, the now-line always in view.

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use crate::domain::stamp::Timestamp;
use crate::look::{Canvas, Role};

/// Most steps of pan: the now-line stays in view.
pub const MOST_PAN: i32 = 4;

/// Seconds between ticks that people read easily.
const STEPS: [i64; 20] = [
    1, 5, 10, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600,
    2_592_000, 31_536_000,
];

/// Which moments the columns show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    start: f64,
    per_column: f64,
    width: u16,
    now: f64,
}

impl Axis {
    /// An axis from the first to the last moment that matters, zoomed around now.
    pub fn fit(
        now: Timestamp,
        first: Option<Timestamp>,
        last: Option<Timestamp>,
        zoom: i32,
        pan: i32,
        width: u16,
    ) -> Self {
        let at = |t: Timestamp| t.as_second() as f64;
        let now = at(now);
        let past = first.map_or(3_600.0, |f| (now - at(f)).max(600.0));
        let future = last.map_or(0.0, |l| l.as_second() as f64 - now).max(past * 0.3);
        // Now stays between a third and five sixths of the width.
        let share = (past / (past + future)).clamp(0.34, 0.83);
        let span = (past / share).max(future / (1.0 - share)) * 1.04;
        let span = (span / 2f64.powi(zoom)).clamp(60.0, 10.0 * 365.0 * 86_400.0);
        let share = (share - f64::from(pan) / 10.0).clamp(0.04, 0.94);
        let width = width.max(1);
        Self { start: now - span * share, per_column: span / f64::from(width), width, now }
    }

    /// An axis over a span that has passed.
    pub fn span(from: Timestamp, to: Timestamp, width: u16) -> Self {
        let (start, end) = (from.as_second() as f64, to.as_second() as f64);
        let width = width.max(1);
        Self { start, per_column: ((end - start) / f64::from(width)).max(1.0), width, now: end }
    }

    /// The column of the now-line.
    pub fn now_column(&self) -> u16 {
        self.column(self.now).unwrap_or(0)
    }

    fn column(&self, seconds: f64) -> Option<u16> {
        let column = ((seconds - self.start) / self.per_column).floor();
        // The cast is of a number inside the width.
        (column >= 0.0 && column < f64::from(self.width)).then_some(column as u16)
    }

    /// First and last column of a span, cut to what is shown; none when it is outside.
    pub fn columns(&self, from: Timestamp, to: Timestamp) -> Option<(u16, u16)> {
        let (from, to) = (from.as_second() as f64, to.as_second() as f64);
        let end = self.start + self.per_column * f64::from(self.width);
        if to < self.start || from >= end {
            return None;
        }
        let first = self.column(from.max(self.start)).unwrap_or(0);
        // A span ends where the next begins: its last column is the one before, if it has more than one.
        let last = self.column(to).unwrap_or(self.width - 1);
        let last = if last > first && self.column(to) == Some(last) { last - 1 } else { last };
        Some((first, last.max(first)))
    }

    /// Moments of the ticks with their columns, on round times of a zone.
    fn ticks(&self, zone: &TimeZone) -> Vec<(u16, String)> {
        let step = STEPS.iter().copied().find(|s| *s as f64 / self.per_column >= 11.0).unwrap_or(31_536_000);
        let offset = Timestamp::from_second(self.now as i64).map_or(0, |t| i64::from(zone.to_offset(t).seconds()));
        let first = (self.start as i64 + offset).div_euclid(step) * step - offset;
        let mut ticks = Vec::new();
        for n in 0..i64::from(self.width) {
            let Ok(at) = Timestamp::from_second(first + n * step) else { break };
            if at.as_second() as f64 > self.start + self.per_column * f64::from(self.width) {
                break;
            }
            let Some(column) = self.column(at.as_second() as f64) else { continue };
            let local = at.to_zoned(zone.clone());
            let midnight = local.hour() == 0 && local.minute() == 0 && local.second() == 0;
            let format = match (midnight || step >= 86_400, step < 60) {
                (true, _) => "%-d %b",
                (_, true) => "%H:%M:%S",
                _ => "%H:%M",
            };
            ticks.push((column, local.strftime(format).to_string()));
        }
        ticks
    }
}

/// Draws the labels of an axis into one line, with a mark where each tick stands.
pub fn ticks(canvas: &mut Canvas<'_>, area: Rect, axis: &Axis, zone: &TimeZone, name: &str) {
    // A span that has passed has no now-line.
    let now = axis.column(axis.now).unwrap_or(u16::MAX - 8);
    let reserved = u16::try_from(name.len()).unwrap_or(0) + 2;
    for (column, text) in axis.ticks(zone) {
        let wide = u16::try_from(text.len()).unwrap_or(8) + 2;
        // The label of the now-line needs its place.
        let clash = column < now + 7 && column + wide > now.saturating_sub(1);
        if clash || column + wide + reserved > axis.width {
            continue;
        }
        canvas.put(area.x + column, area.y, wide, Role::Dim, &format!(" {text} "));
    }
    let wide = u16::try_from(name.len()).unwrap_or(0);
    if wide > 0 && axis.width > wide + 20 {
        canvas.put(area.right() - wide - 1, area.y, wide + 1, Role::Dim, &format!(" {name}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    proptest! {
        #[test]
        fn now_is_always_in_view(past in 0i64..10_000_000, future in 0i64..10_000_000, zoom in -14i32..=14, pan in -4i32..=4, width in 1u16..300) {
            let now = at(1_700_000_000);
            let axis = Axis::fit(now, Some(at(1_700_000_000 - past)), Some(at(1_700_000_000 + future)), zoom, pan, width);
            prop_assert!(axis.now_column() < width);
            prop_assert!(axis.column(axis.now).is_some());
            for (column, _) in axis.ticks(&TimeZone::UTC) {
                prop_assert!(column < width);
            }
        }
    }

    #[test]
    fn unzoomed_everything_that_matters_is_shown() {
        let axis = Axis::fit(at(1_000_000), Some(at(800_000)), Some(at(1_300_000)), 0, 0, 80);
        assert!(axis.column(800_000.0).is_some() && axis.column(1_300_000.0).is_some());
    }

    #[test]
    fn ticks_stand_on_round_hours_of_their_zone() {
        let now = at(1_700_000_000);
        let axis = Axis::fit(now, Some(at(1_700_000_000 - 86_400)), None, 0, 0, 100);
        let utc = axis.ticks(&TimeZone::UTC);
        assert!(utc.len() >= 4, "{utc:?}");
        assert!(utc.iter().all(|(_, t)| t.ends_with(":00") || t.contains("Nov")), "{utc:?}");
        let kolkata = axis.ticks(&TimeZone::get("Asia/Kolkata").unwrap());
        assert!(kolkata.iter().all(|(_, t)| t.ends_with(":00") || t.contains("Nov")), "{kolkata:?}");
    }

    #[test]
    fn neighbouring_spans_do_not_overlap() {
        let axis = Axis::fit(at(10_000), Some(at(0)), Some(at(10_000)), 0, 0, 50);
        let (_, end) = axis.columns(at(0), at(5_000)).unwrap();
        let (start, _) = axis.columns(at(5_000), at(9_000)).unwrap();
        assert_eq!(end + 1, start);
    }
}
