//! A zone's clock over a span: which local time a moment has, also on nights on which clocks change.

use jiff::tz::TimeZone;

use crate::domain::stamp::{SignedDuration, Timestamp};

/// Stretches of one offset, oldest first. Made once for a judgement: a lookup is cheap.
pub(super) struct Clock(Vec<(i64, i64)>);

/// Seconds of an hour and a day.
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;

impl Clock {
    /// A zone's clock from a moment to another.
    pub(super) fn over(zone: &TimeZone, from: Timestamp, to: Timestamp) -> Self {
        let first = (i64::MIN, i64::from(zone.to_offset(from).seconds()));
        let changes = zone.following(from).take_while(|t| t.timestamp() <= to);
        let later = changes.map(|t| (t.timestamp().as_second(), i64::from(t.offset().seconds())));
        Self(std::iter::once(first).chain(later).collect())
    }

    /// Whether clocks change within the span.
    pub(super) fn changes(&self) -> bool {
        self.0.len() > 1
    }

    /// The offset at a moment, in seconds.
    pub(super) fn offset(&self, at: Timestamp) -> i64 {
        let at = at.as_second();
        let stretch = self.0.iter().rev().find(|(from, _)| *from <= at);
        stretch.map_or(0, |(_, offset)| *offset)
    }

    /// The wall clock's time at a moment, as seconds since 1970 on that clock.
    pub(super) fn local(&self, at: Timestamp) -> i64 {
        at.as_second().saturating_add(self.offset(at))
    }

    /// How many seconds an hour of the wall clock lasts: the hours since 1970 on that clock name it.
    pub(super) fn lasts(&self, hour: i64) -> i64 {
        let ends = self.0.iter().skip(1).map(|(from, _)| *from).chain([i64::MAX]);
        let (from, to) = (hour.saturating_mul(HOUR), hour.saturating_add(1).saturating_mul(HOUR));
        let part = |((begins, offset), ends): (&(i64, i64), i64)| {
            to.saturating_sub(*offset).min(ends) - from.saturating_sub(*offset).max(*begins)
        };
        self.0.iter().zip(ends).map(part).filter(|seconds| *seconds > 0).sum()
    }

    /// The moment at which the wall clock showed the same, so much earlier.
    pub(super) fn same_time(&self, at: Timestamp, earlier: SignedDuration) -> Option<Timestamp> {
        let back = at.checked_sub(earlier).ok()?;
        back.checked_add(SignedDuration::from_secs(self.offset(at) - self.offset(back))).ok()
    }
}

/// Hour of the day, from 0 to 23, of a wall clock's time.
pub(super) fn hour_of_day(local: i64) -> usize {
    usize::try_from(local.div_euclid(HOUR).rem_euclid(24)).unwrap_or(0)
}
