//! Values as people write them: lengths of time, moments, sizes.

use std::time::Duration;

use crate::domain::stamp::{Timestamp, parse_duration};
use crate::panes::layout::LEAST;

/// A length of time.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a length of time such as 30s, 5m or 1h30m".to_owned())
}

/// How far a forecast looks: from an hour to 60 days.
pub(super) fn ahead(text: &str) -> Result<Duration, String> {
    const HOUR: u64 = 3_600;
    let bounds = Duration::from_secs(HOUR)..=Duration::from_secs(60 * 24 * HOUR);
    duration(text).and_then(|d| match bounds.contains(&d) {
        true => Ok(d),
        false => Err("look from 1h to 60d ahead".to_owned()),
    })
}

/// A moment: with an offset or a zone, else in UTC.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let there = |text: &str, zone: jiff::tz::TimeZone| {
        text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(zone).ok().map(|z| z.timestamp())
    };
    let zoned = || {
        let (local, name) = text.strip_suffix(']')?.split_once('[')?;
        there(local, crate::domain::zone::zone(name)?)
    };
    // A date that names a zone nobody knows is not one in UTC.
    let bare = || there(text, jiff::tz::TimeZone::UTC).filter(|_| !text.contains('['));
    let read = text.parse::<Timestamp>().ok().or_else(zoned).or_else(bare);
    read.ok_or_else(|| {
        "expected a moment such as 2026-12-18T09:00Z, 2026-12-18T09:00[Europe/Berlin] or 2026-12-18".to_owned()
    })
}

/// Columns by rows.
pub(super) fn size(text: &str) -> Result<(u16, u16), String> {
    let parse = || {
        let (width, height) = text.split_once('x')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    };
    let (columns, rows) = LEAST;
    match parse() {
        Some((w, h)) if w < columns || h < rows => {
            Err(format!("{w}x{h} is too small for the board: the least is {columns}x{rows}"))
        }
        Some((w @ ..=500, h @ ..=300)) => Ok((w, h)),
        Some((w, h)) => Err(format!("{w}x{h} is too large: the most is 500x300")),
        None => Err("expected columns by rows, such as 120x36".to_owned()),
    }
}
