//! Time as data: nothing in the core asks what time it is.

use std::time::Duration;

pub use jiff::{SignedDuration, Timestamp};

/// When a message entered: wall clock and a clock that never jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Wall time of this host.
    pub wall: Timestamp,
    /// Time since the program started; unaffected by clock changes.
    pub mono: Duration,
}

/// A message with the moment it entered.
#[derive(Clone, Debug)]
pub struct Stamped<T> {
    /// When it entered the inbox.
    pub stamp: Stamp,
    /// The message.
    pub value: T,
}

impl Stamp {
    /// How long after `earlier` this is; zero when it is not later.
    pub fn since(self, earlier: Stamp) -> Duration {
        self.mono.saturating_sub(earlier.mono)
    }
}

/// Length of the windows that thresholds are judged on; aligned to UTC.
pub const WINDOW: SignedDuration = SignedDuration::from_secs(300);

/// The latest window boundary at or before `at`.
pub fn window_floor(at: Timestamp) -> Timestamp {
    let seconds = at.as_second();
    Timestamp::from_second(seconds - seconds.rem_euclid(WINDOW.as_secs())).unwrap_or(at)
}

/// The earliest window boundary at or after `at`.
pub fn window_ceil(at: Timestamp) -> Timestamp {
    let floor = window_floor(at);
    if floor == at { at } else { floor.saturating_add(WINDOW).unwrap_or(at) }
}

/// How many window boundaries there are from the boundary `first` to `last`, both counted.
pub fn windows_between(first: Timestamp, last: Timestamp) -> usize {
    let seconds = last.as_second().saturating_sub(first.as_second());
    if seconds < 0 { 0 } else { usize::try_from(seconds / WINDOW.as_secs()).map_or(usize::MAX, |n| n + 1) }
}

/// A length of time in at most two units: `22h38m`, `4m05s`, `12s`, `3d04h`.
pub fn short(length: SignedDuration) -> String {
    let total = length.as_secs().unsigned_abs();
    let (days, hours, minutes, seconds) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, m) => format!("{m}m{seconds:02}s"),
        (0, h, m) => format!("{h}h{m:02}m"),
        (d, h, _) => format!("{d}d{h:02}h"),
    }
}

/// Reads `90s`, `30m`, `1h30m`, `24h`, `2d`, `500ms`; none for anything else or an overflow.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at_checked(letters)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(Duration::from_millis(number.checked_mul(millis)?))?;
        rest = next;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_and_print() {
        for (text, seconds, shown) in
            [("12s", 12, "12s"), ("4m5s", 245, "4m05s"), ("22h38m", 81_480, "22h38m"), ("2d", 172_800, "2d00h")]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
            let length = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
            assert_eq!(short(length), shown);
        }
        for bad in ["", "5", "h", "5 m", "5x", "-5s", "99999999999999999999s"] {
            assert_eq!(parse_duration(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn windows_align_to_utc() {
        let at = Timestamp::from_second(1_000_000_123).unwrap_or_default();
        assert_eq!(window_floor(at).as_second() % 300, 0);
        assert_eq!(window_ceil(at).as_second() - window_floor(at).as_second(), 300);
        assert_eq!(window_ceil(window_floor(at)), window_floor(at));
        assert_eq!(windows_between(window_floor(at), at), 1);
        assert_eq!(windows_between(window_floor(at), window_ceil(at)), 2);
        assert_eq!(windows_between(window_ceil(at), window_floor(at)), 0);
    }
}
