//! Stretches of local time, recurring or once, and the instants they mean in a zone.
//!
//! Daylight saving: a local time that a zone skips is the moment of the jump. A local time
//! that happens twice is read as [`Twice`] says.

use jiff::Span as Length;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};

use super::stamp::Timestamp;

/// Stretches of local time, as the configuration writes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar(Vec<Stretch>);

/// One stretch of local time; the start belongs to it, the end does not.
#[derive(Clone, Debug, PartialEq)]
enum Stretch {
    /// Every week.
    Weekly { day: Weekday, from: Time, days: i64, to: Time },
    /// Once.
    Once { from: DateTime, to: DateTime },
}

/// How a local time that happens twice (clocks go back) is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    /// Inside whenever the wall clock shows a time inside: for what is allowed.
    WallClock,
    /// From the first time the start is shown to the last time the end is: for what is forbidden.
    Widest,
}

/// From an instant to an instant; the end does not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First instant inside.
    pub from: Timestamp,
    /// First instant after it.
    pub to: Timestamp,
}

/// Where an instant stands in a calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The stretch it is in; stretches that touch are one.
    pub inside: Option<Span>,
    /// The next one; none: nothing within two weeks, and no date ahead.
    pub next: Option<Span>,
}

/// Days around an instant in which weekly stretches are looked for: the longest lasts a week, and
/// one may be skipped with an hour that does not exist.
const BEFORE: i64 = 8;
const AFTER: i64 = 15;

impl Calendar {
    /// Reads `Mon-Fri 09:00-17:00`, `daily 22:00-06:00`, `Sat,Sun`, `Fri 16:00-Mon 08:00`,
    /// `2026-12-25`, `2026-12-18..2027-01-04`, `2026-12-18 18:00..2027-01-04 06:00`.
    ///
    /// # Errors
    /// Says which entry is wrong and how to write it.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut stretches = Vec::new();
        for entry in entries {
            let text = entry.trim();
            let read = if text.starts_with(|c: char| c.is_ascii_digit()) { once(text) } else { weekly(text) };
            stretches.extend(read.map_err(|why| format!("`{entry}`: {why}"))?);
        }
        if stretches.is_empty() {
            return Err("it names no time".to_owned());
        }
        Ok(Self(stretches))
    }

    /// Where an instant stands.
    pub fn at(&self, now: Timestamp, zone: &TimeZone, twice: Twice) -> Standing {
        let spans = self.spans(now, zone, twice);
        Standing {
            inside: spans.iter().find(|s| s.from <= now && now < s.to).copied(),
            next: spans.iter().find(|s| s.from > now).copied(),
        }
    }

    /// Spans around an instant, in order; those that touch are one.
    fn spans(&self, now: Timestamp, zone: &TimeZone, twice: Twice) -> Vec<Span> {
        let today = now.to_zoned(zone.clone()).date();
        let mut spans = Vec::new();
        for stretch in &self.0 {
            match stretch {
                Stretch::Once { from, to } => instants(*from, *to, zone, twice, &mut spans),
                Stretch::Weekly { day, from, days, to } => {
                    let mut date = plus(today, -BEFORE);
                    let ahead = i64::from(date.weekday().until(*day));
                    date = plus(date, ahead);
                    let last = plus(today, AFTER);
                    while date <= last {
                        instants(date.to_datetime(*from), plus(date, *days).to_datetime(*to), zone, twice, &mut spans);
                        let next = plus(date, 7);
                        if next <= date {
                            break;
                        }
                        date = next;
                    }
                }
            }
        }
        spans.sort();
        spans.dedup_by(|next, last| {
            let touches = next.from <= last.to;
            if touches {
                last.to = last.to.max(next.to);
            }
            touches
        });
        spans
    }
}

fn plus(date: Date, days: i64) -> Date {
    date.saturating_add(Length::new().days(days.clamp(-4_000, 4_000)))
}

/// The instants at which a wall clock shows a local time.
enum Shown {
    Once(Timestamp),
    /// Before the clocks go back at `jump`, and after.
    Twice {
        first: Timestamp,
        jump: Timestamp,
        second: Timestamp,
    },
}

fn shown(at: DateTime, zone: &TimeZone) -> Option<Shown> {
    let jump_after = |instant: Timestamp| zone.following(instant).next().map(|t| t.timestamp());
    match zone.to_ambiguous_timestamp(at).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(at).ok().map(Shown::Once),
        // Never shown: the jump over it stands for it.
        AmbiguousOffset::Gap { after, .. } => {
            let early = after.to_timestamp(at).ok()?;
            Some(Shown::Once(jump_after(early).unwrap_or(early)))
        }
        AmbiguousOffset::Fold { before, after } => {
            let (first, second) = (before.to_timestamp(at).ok()?, after.to_timestamp(at).ok()?);
            Some(Shown::Twice { first, jump: jump_after(first).unwrap_or(second), second })
        }
    }
}

fn instants(from: DateTime, to: DateTime, zone: &TimeZone, twice: Twice, spans: &mut Vec<Span>) {
    let (Some(start), Some(end)) = (shown(from, zone), shown(to, zone)) else { return };
    let mut push = |from: Timestamp, to: Timestamp| {
        if from < to {
            spans.push(Span { from, to });
        }
    };
    if twice == Twice::Widest {
        let (Shown::Once(first) | Shown::Twice { first, .. }) = start;
        let (Shown::Once(last) | Shown::Twice { second: last, .. }) = end;
        return push(first, last);
    }
    match (start, end) {
        (Shown::Once(from), Shown::Once(to)) => push(from, to),
        (Shown::Twice { first: a, jump, second: b }, Shown::Twice { first: c, jump: other, second: d })
            if jump == other =>
        {
            push(a, c);
            push(b, d);
        }
        (start, end) => {
            let from = match start {
                Shown::Once(from) => from,
                Shown::Twice { first, jump, second } => {
                    push(first, jump);
                    second
                }
            };
            let to = match end {
                Shown::Once(to) => to,
                Shown::Twice { first, jump, second } => {
                    push(jump, second);
                    first
                }
            };
            push(from, to);
        }
    }
}

const HOW: &str = "write e.g. `Mon-Fri 09:00-17:00`, `daily 22:00-06:00`, `Fri 16:00-Mon 08:00`, `2026-12-25` or `2026-12-18..2027-01-04`";

fn once(text: &str) -> Result<Vec<Stretch>, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (from, from_time) = moment(first)?;
    let (to, to_time) = moment(last)?;
    if !text.contains("..") && from_time.is_some() {
        return Err(format!("one moment is no stretch of time; {HOW}"));
    }
    let from = from.to_datetime(from_time.unwrap_or(Time::midnight()));
    let to = match to_time {
        Some(time) => to.to_datetime(time),
        // A last day belongs to it whole.
        None => plus(to, 1).to_datetime(Time::midnight()),
    };
    if from >= to {
        return Err("it ends before it begins".to_owned());
    }
    Ok(vec![Stretch::Once { from, to }])
}

fn moment(text: &str) -> Result<(Date, Option<Time>), String> {
    let text = text.trim();
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, Some(time.trim())),
        None => (text, None),
    };
    let no_day = || format!("there is no day `{date}`; {HOW}");
    let read: Date = date.parse().map_err(|_| no_day())?;
    // Only the form that people write: year, month, day.
    if date.len() != 10 {
        return Err(no_day());
    }
    match time.map(clock) {
        None => Ok((read, None)),
        Some(Some((days, time))) => Ok((plus(read, days), Some(time))),
        Some(None) => Err(format!("`{}` is no time of day; write e.g. `18:00`", time.unwrap_or_default())),
    }
}

/// `09:00` up to `24:00`, which is midnight a day later.
fn clock(text: &str) -> Option<(i64, Time)> {
    let (hour, minute) = text.split_once(':')?;
    let two = |s: &str| (s.len() == 2).then(|| s.parse::<i8>().ok()).flatten();
    match (two(hour)?, two(minute)?) {
        (24, 0) => Some((1, Time::midnight())),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok().map(|t| (0, t)),
    }
}

fn weekly(text: &str) -> Result<Vec<Stretch>, String> {
    let wrong = || HOW.to_owned();
    let time = |text: &str| clock(text).ok_or_else(|| format!("`{text}` is no time of day; write e.g. `09:00`"));
    let parts: Vec<&str> = text.split_whitespace().collect();
    match parts.as_slice() {
        [days] => {
            let whole = |day| Stretch::Weekly { day, from: Time::midnight(), days: 1, to: Time::midnight() };
            Ok(days_of(days)?.into_iter().map(whole).collect())
        }
        [days, times] => {
            let (from, to) = times.split_once('-').ok_or_else(wrong)?;
            let ((early, from), (late, to)) = (time(from)?, time(to)?);
            if early > 0 {
                return Err("`24:00` can only be an end".to_owned());
            }
            // Up to the same or an earlier time of day is over midnight.
            let days_later = if late > 0 || to <= from { 1 } else { 0 };
            let days = days_of(days)?.into_iter();
            Ok(days.map(|day| Stretch::Weekly { day, from, days: days_later, to }).collect())
        }
        [first, middle, to] => {
            let (from, last) = middle.split_once('-').ok_or_else(wrong)?;
            let (first, last) = (day_of(first)?, day_of(last)?);
            let ((early, from), (late, to)) = (time(from)?, time(to)?);
            if early > 0 {
                return Err("`24:00` can only be an end".to_owned());
            }
            let mut days = i64::from(first.until(last)) + late;
            if days == 0 && to <= from {
                days = 7;
            }
            Ok(vec![Stretch::Weekly { day: first, from, days, to }])
        }
        _ => Err(wrong()),
    }
}

fn days_of(text: &str) -> Result<Vec<Weekday>, String> {
    if text.eq_ignore_ascii_case("daily") {
        return Ok(Weekday::Monday.cycle_forward().take(7).collect());
    }
    let mut days = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => days.push(day_of(part)?),
            Some((first, last)) => {
                let (first, last) = (day_of(first)?, day_of(last)?);
                let count = usize::try_from(first.until(last)).unwrap_or_default() + 1;
                days.extend(first.cycle_forward().take(count));
            }
        }
    }
    Ok(days)
}

fn day_of(text: &str) -> Result<Weekday, String> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let wanted = text.trim().to_ascii_lowercase();
    let fits = |name: &str| wanted == name || name.get(..3) == Some(wanted.as_str());
    let found = DAYS.iter().find(|(name, _)| fits(name)).map(|(_, day)| *day);
    found.ok_or_else(|| format!("there is no day `{}`; {HOW}", text.trim()))
}

/// A moment as the region's people and all others read it: `Mon 2026-11-23 09:00 IST (03:30 UTC)`.
pub fn local_and_utc(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    let utc = at.to_zoned(TimeZone::UTC);
    let there = local.strftime("%a %Y-%m-%d %H:%M %Z");
    if local.offset().is_zero() && zone.iana_name() == Some("UTC") {
        return utc.strftime("%a %Y-%m-%d %H:%M UTC").to_string();
    }
    let form = if local.date() == utc.date() { "%H:%M UTC" } else { "%a %H:%M UTC" };
    format!("{there} ({})", utc.strftime(form))
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
