//! `coverage`: hours of the day, and named instants, were seen on what runs.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::clock::{Clock, DAY, HOUR, hour_of_day};
use super::only_if_seen;
use super::rules::{self, MIN_TRAFFIC, Rules};
use super::series::{Span, begin, when};
use super::zones::{ZONE, every_region_has_one};
use crate::domain::cron::Cron;
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, HangsOn, Need, ParamError, Parameter};
use crate::domain::id::{ColumnName, RingIx};
use crate::domain::metric::NoData;
use crate::domain::picture::{HourSeen, Hours, Picture};
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, window_ceil, window_floor};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::zone;

/// Time-dependent faults show at their time only: so many hours, and these instants, must have been seen.
pub struct Coverage;

/// So many windows of an hour make it seen: 50 of its 60 minutes.
const ENOUGH: i64 = 10;
/// Windows of an hour.
const ALL: i64 = 12;
/// Around an instant, unless said otherwise.
const AROUND: SignedDuration = SignedDuration::from_mins(10);
/// An instant that comes within so many days is foretold.
const AHEAD_DAYS: i64 = 35;

const HOURS: Parameter = Parameter {
    name: "hours",
    about: "Hours of the day that must be seen: `\"all\"` (unless given), `\"8-20\"`, `[\"22-23\", \"0-6\"]`, or `\"none\"` where only instants count. A range names its first and last hour.",
    required: false,
};
const AT: Parameter = Parameter {
    name: "at",
    about: "Instants that must be seen: `\"00:00 UTC\"`, `\"midnight\"` (local), `\"19:30\"` (local, e.g. the peak), `\"09:00 Asia/Tokyo\"`.",
    required: false,
};
const CRON: Parameter = Parameter {
    name: "cron",
    about: "Times of jobs that must be seen, as cron expressions of five fields in local time, e.g. `\"30 3 * * *\"`; at most 24 times a day.",
    required: false,
};
const AROUND_PARAMETER: Parameter = Parameter {
    name: "around",
    about: "An instant is seen when every window from so long before to so long after it was; `10m` unless given.",
    required: false,
};
const COLUMN: Parameter = Parameter {
    name: "column",
    about: "The column whose samples are the evidence; the one that measures traffic unless given.",
    required: false,
};

impl GateType for Coverage {
    fn name(&self) -> &'static str {
        "coverage"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn hangs_on(&self) -> HangsOn {
        HangsOn::Time
    }
    fn about(&self) -> &'static str {
        "Hours of the day, and named instants, were seen on the template that runs: a fault at midnight shows at midnight. An hour counts with at least 50 of its 60 minutes sampled above `min_traffic`, in the region's own time. Waits until the last of them can have been seen; hours that daylight saving skips are not asked for."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[HOURS, AT, CRON, AROUND_PARAMETER, COLUMN, ZONE, MIN_TRAFFIC]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let column = match params.text("column") {
            Some(name) => rules::column_named(name, "column", service)?,
            None => service.traffic_column().ok_or_else(|| {
                let message = "no column of this service measures traffic: say whose samples are the evidence, e.g. `column = \"errors\"`";
                ParamError::new("column", message)
            })?,
        };
        let zone = match params.text("zone") {
            Some(name) => Some(zone_of(name, "zone")?),
            None => None,
        };
        let own = zone::zone;
        let zones = service.regions.iter().map(|r| zone.clone().or_else(|| own(r.zone.as_deref()?)));
        let mut instants = Vec::new();
        for text in texts(params, "at")? {
            instants.push(instant(&text)?);
        }
        for text in texts(params, "cron")? {
            let cron = Cron::few(&text).map_err(|why| ParamError::new("cron", why))?;
            let of = |time: &Time| Instant {
                name: format!("{} ({text})", time.strftime("%H:%M")),
                time: *time,
                zone: None,
                days: Some(cron.clone()),
            };
            instants.extend(cron.times.iter().map(of));
        }
        let hours = hours(params)?;
        if instants.is_empty() && hours.iter().all(|on| !on) {
            return Err(ParamError::new("hours", "without hours and instants nothing would be asked for"));
        }
        let around = rules::length(params, "around")?.unwrap_or(AROUND);
        if around > SignedDuration::from_hours(6) {
            return Err(ParamError::new("around", "at most six hours around an instant, e.g. `around = \"10m\"`"));
        }
        let rules = Rules::read(params, service)?;
        Ok(Box::new(Seen { column: column.name.clone(), hours, instants, around, zones: zones.collect(), rules }))
    }

    fn fits(&self, params: &Params, service: &Service, ring: RingIx) -> Result<(), ParamError> {
        // All hours are the same ones in every zone.
        let all = hours(params)?.iter().all(|on| *on);
        let local = |text: &String| text == "midnight" || !text.trim().contains(' ');
        let instants = texts(params, "at")?.iter().any(local) || params.0.contains_key("cron");
        if all && !instants { Ok(()) } else { every_region_has_one(params, service, ring) }
    }
}

/// A text, or a list of texts.
fn texts(params: &Params, name: &str) -> Result<Vec<String>, ParamError> {
    match params.0.get(name) {
        None => Ok(Vec::new()),
        Some(Param::Text(text)) => Ok(vec![text.clone()]),
        Some(Param::List(list)) => Ok(list.clone()),
        Some(_) => Err(ParamError::new(name, format!("`{name}` is a text or a list of texts"))),
    }
}

fn hours(params: &Params) -> Result<[bool; 24], ParamError> {
    let wrong = |text: &str| {
        ParamError::new(
            "hours",
            format!("`{text}` are no hours; write e.g. `hours = \"8-20\"`, `\"all\"` or `\"none\"`"),
        )
    };
    let mut hours = [false; 24];
    let entries = if params.0.contains_key("hours") { texts(params, "hours")? } else { vec!["all".to_owned()] };
    for text in entries {
        let (from, to) = match text.trim() {
            "none" => continue,
            "all" => ("0", "23"),
            range => range.split_once('-').unwrap_or((range, range)),
        };
        let hour = |t: &str| t.trim().parse::<usize>().ok().filter(|h| *h < 24).ok_or_else(|| wrong(&text));
        let (from, to) = (hour(from)?, hour(to)?);
        if from > to {
            return Err(wrong(&text));
        }
        hours.iter_mut().take(to + 1).skip(from).for_each(|on| *on = true);
    }
    Ok(hours)
}

fn zone_of(name: &str, parameter: &str) -> Result<TimeZone, ParamError> {
    zone::zone(name).ok_or_else(|| {
        ParamError::new(parameter, format!("there is no time zone `{name}`; write e.g. `Europe/Dublin` or `UTC`"))
    })
}

/// A time of day that must be seen.
struct Instant {
    name: String,
    time: Time,
    /// Its zone; none: the region's.
    zone: Option<TimeZone>,
    /// Only on these days.
    days: Option<Cron>,
}

fn instant(text: &str) -> Result<Instant, ParamError> {
    let (time, zone) = text.trim().split_once(' ').map_or((text.trim(), None), |(t, z)| (t, Some(z.trim())));
    let wrong =
        || ParamError::new("at", format!("`{text}` is no instant; write e.g. `00:00 UTC`, `midnight` or `19:30`"));
    let time = match time {
        "midnight" => Time::midnight(),
        time => {
            let (hour, minute) = time.split_once(':').ok_or_else(wrong)?;
            let number = |t: &str| t.parse::<i8>().ok().filter(|_| t.len() == 2).ok_or_else(wrong);
            Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| wrong())?
        }
    };
    let zone = zone.map(|name| zone_of(name, "at")).transpose()?;
    Ok(Instant { name: text.trim().to_owned(), time, zone, days: None })
}

struct Seen {
    column: ColumnName,
    hours: [bool; 24],
    instants: Vec<Instant>,
    around: SignedDuration,
    /// By position of the region.
    zones: Vec<Option<TimeZone>>,
    rules: Rules,
}

impl Gate for Seen {
    fn needs(&self) -> Vec<Need> {
        std::iter::once(Need::Windows(self.column.clone())).chain(self.rules.need()).collect()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }

    fn picture(&self, evidence: &Evidence<'_>) -> Option<Picture> {
        let span = Span::of(evidence, "coverage", self.rules.grace).ok()?;
        let (_, local, tally) = self.tally(evidence, &span);
        let instant = |i: &Instant| (i.name.as_str().into(), !tally.missing.contains(&i.name));
        Some(Picture::Hours(Hours {
            zone: local.iana_name().unwrap_or("UTC").into(),
            seen: tally.hours.map(Hour::seen),
            now: usize::try_from(local.to_datetime(evidence.now).hour()).unwrap_or(0),
            instants: self.instants.iter().map(instant).collect(),
        }))
    }
}

/// Which windows of a bake were seen.
struct Windows {
    first: Timestamp,
    seen: Vec<bool>,
    /// The newest window is unknown.
    blind: Option<NoData>,
}

impl Windows {
    fn of(gate: &Seen, evidence: &Evidence<'_>, span: &Span) -> Self {
        let mut blind = None;
        let series = span.series(evidence.windows.get(&gate.column), gate.rules.traffic(evidence));
        let seen = series.map(|(_, seen)| {
            // Too little traffic is known: it only does not count.
            blind = seen.err().filter(|why| **why != NoData::LowTraffic).cloned();
            seen.is_ok()
        });
        let seen = seen.collect();
        Self { first: span.first, seen, blind }
    }

    /// Whether every window from one moment to another was seen.
    fn saw(&self, from: Timestamp, to: Timestamp) -> bool {
        let (first, last) = (window_floor(from).saturating_add(WINDOW).unwrap_or(from), window_ceil(to));
        let at = |end: Timestamp| usize::try_from(end.duration_since(self.first).as_secs() / WINDOW.as_secs()).ok();
        if first < self.first {
            return false;
        }
        let span = at(first).zip(at(last)).and_then(|(from, to)| self.seen.get(from..=to));
        span.is_some_and(|windows| windows.iter().all(|seen| *seen))
    }
}

/// An hour of the day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hour {
    /// Not asked for, or not there on this night.
    Free,
    Missing,
    Partly,
    Seen,
}

/// What is asked for, and how far it is.
struct Tally {
    hours: [Hour; 24],
    missing: Vec<String>,
    done: usize,
    asked: usize,
    /// When the last of it can have been seen.
    until: Option<Timestamp>,
}

impl Seen {
    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let span = match Span::of(evidence, "coverage", self.rules.grace) {
            Ok(span) => span,
            Err(none) => return *none,
        };
        let (windows, local, tally) = self.tally(evidence, &span);
        let name = local.iana_name().unwrap_or("UTC");
        let region = &evidence.region.name;
        let judged = if tally.missing.is_empty() {
            let sentence = format!("{region}: every hour and instant that is asked for was seen ({name})");
            Judgement::new(Verdict::Go, format!("{}/{}", tally.done, tally.asked), sentence)
        } else {
            let missing = tally.missing.join(", ");
            let cell = format!("{}/{}", tally.done, tally.asked);
            match (&windows.blind, tally.until) {
                (Some(why), _) => {
                    let sentence =
                        format!("{region}: not seen yet: {missing} ({name}); {} is unknown now: {why}", self.column);
                    Judgement::new(Verdict::NoData, cell, sentence)
                }
                (None, until) => {
                    let when = until.map_or_else(String::new, |until| format!("; by {}", when(until)));
                    let sentence = format!("{region}: not seen yet: {missing} ({name}){when}");
                    let mut judged = Judgement::new(Verdict::Wait, cell, sentence);
                    judged.until = until;
                    judged
                }
            }
        };
        let ring: String = tally.hours.iter().map(|hour| hour.glyph()).collect();
        let first = begin(windows.first);
        judged.because(format!("hours {ring} from 0 to 23, {name}: █ seen, ▄ partly, ░ not yet")).because(format!(
            "by windows of {} since {}",
            self.column,
            when(first)
        ))
    }

    /// What was seen, in which zone, and what of it is asked for.
    fn tally(&self, evidence: &Evidence<'_>, span: &Span) -> (Windows, TimeZone, Tally) {
        let windows = Windows::of(self, evidence, span);
        let local = self.zones.get(evidence.at.at()).cloned().flatten().unwrap_or(TimeZone::UTC);
        let mut tally = self.hours_seen(evidence.now, &windows, &local);
        for instant in &self.instants {
            self.instant_seen(instant, evidence.now, &windows, &local, &mut tally);
        }
        (windows, local, tally)
    }

    fn hours_seen(&self, now: Timestamp, windows: &Windows, zone: &TimeZone) -> Tally {
        let from = begin(windows.first);
        let day = from.saturating_add(SignedDuration::from_secs(DAY)).unwrap_or(from);
        let ahead = now.max(day).saturating_add(SignedDuration::from_secs(2 * DAY)).unwrap_or(now);
        let clock = Clock::over(zone, from, ahead);
        let mut hours = self.hours.map(|on| if on { Hour::Missing } else { Hour::Free });
        if clock.changes() {
            // Once around the wall clock: an hour that is skipped on the way is not asked for.
            let around = SignedDuration::from_secs(clock.offset(from) - clock.offset(day));
            let day = day.saturating_add(around).unwrap_or(day);
            let mut there = [false; 24];
            let mut at = from;
            while at < day {
                there.iter_mut().skip(hour_of_day(clock.local(at))).take(1).for_each(|h| *h = true);
                at = at.saturating_add(WINDOW).unwrap_or(day);
            }
            hours.iter_mut().zip(there).filter(|(_, there)| !there).for_each(|(hour, _)| *hour = Hour::Free);
        }
        // Windows that were seen of the hour that is under way: a fold makes it longer.
        let (mut hour, mut seen) = (i64::MIN, 0);
        let mut at = from;
        for window in &windows.seen {
            let local = clock.local(at);
            if local.div_euclid(HOUR) != hour {
                (hour, seen) = (local.div_euclid(HOUR), 0);
            }
            seen += i64::from(*window);
            note(&mut hours, &clock, hour, seen);
            at = at.saturating_add(WINDOW).unwrap_or(Timestamp::MAX);
        }
        let asked = hours.iter().filter(|h| **h != Hour::Free).count();
        let done = hours.iter().filter(|h| **h == Hour::Seen).count();
        let left: Vec<usize> =
            (0..24).filter(|h| matches!(hours.get(*h), Some(Hour::Missing | Hour::Partly))).collect();
        let missing = if left.is_empty() { Vec::new() } else { vec![format!("hours {}", ranges(&left))] };
        // If all windows to come are seen, this is when the last hour is.
        let mut coming = hours;
        let mut until = None;
        while at < ahead && coming.iter().any(|h| matches!(h, Hour::Missing | Hour::Partly)) {
            let local = clock.local(at);
            if local.div_euclid(HOUR) != hour {
                (hour, seen) = (local.div_euclid(HOUR), 0);
            }
            seen += 1;
            note(&mut coming, &clock, hour, seen);
            at = at.saturating_add(WINDOW).unwrap_or(ahead);
            until = Some(at);
        }
        Tally { hours, missing, done, asked, until }
    }

    fn instant_seen(&self, instant: &Instant, now: Timestamp, windows: &Windows, own: &TimeZone, tally: &mut Tally) {
        let zone = instant.zone.as_ref().unwrap_or(own);
        let from = begin(windows.first).saturating_add(self.around).unwrap_or(windows.first);
        tally.asked += 1;
        let mut date = zone.to_datetime(from).date();
        let mut next = None;
        for _ in 0..AHEAD_DAYS {
            for at in moments(instant, date, zone).into_iter().filter(|at| *at >= from) {
                let after = at.saturating_add(self.around).unwrap_or(at);
                if windows.saw(at.saturating_sub(self.around).unwrap_or(at), after) {
                    tally.done += 1;
                    return;
                }
                if after > now && next.is_none() {
                    next = Some(window_ceil(after));
                }
            }
            if next.is_some() {
                break;
            }
            let Ok(tomorrow) = date.tomorrow() else { break };
            date = tomorrow;
        }
        tally.missing.push(instant.name.clone());
        tally.until = match (tally.until, next) {
            (Some(hours), Some(next)) => Some(hours.max(next)),
            // Hours that are all seen have nothing to wait for.
            (None, next) => next,
            (Some(_), None) => None,
        };
    }
}

/// The moments of an instant on a day: two where the clock shows it twice, the jump where it skips it.
fn moments(instant: &Instant, date: Date, zone: &TimeZone) -> Vec<Timestamp> {
    if instant.days.as_ref().is_some_and(|days| !days.fits(date)) {
        return Vec::new();
    }
    let ambiguous = || zone.to_ambiguous_timestamp(date.to_datetime(instant.time));
    let mut moments: Vec<Timestamp> =
        [ambiguous().compatible(), ambiguous().later()].into_iter().filter_map(Result::ok).collect();
    moments.dedup();
    moments
}

/// Notes how much of an hour was seen.
fn note(hours: &mut [Hour; 24], clock: &Clock, hour: i64, seen: i64) {
    let Some(slot) = hours.get_mut(usize::try_from(hour.rem_euclid(24)).unwrap_or(0)) else { return };
    if seen == 0 || matches!(slot, Hour::Free | Hour::Seen) {
        return;
    }
    // An hour that lasts half as long on this night needs half as much.
    let lasts = if clock.changes() { clock.lasts(hour) / WINDOW.as_secs() } else { ALL };
    let enough = ENOUGH.min((lasts * ENOUGH).div_euclid(ALL)).max(1);
    *slot = if seen >= enough { Hour::Seen } else { Hour::Partly };
}

/// `0-6, 9, 22-23`.
fn ranges(hours: &[usize]) -> String {
    let mut out: Vec<(usize, usize)> = Vec::new();
    for hour in hours {
        match out.last_mut() {
            Some((_, to)) if *to + 1 == *hour => *to = *hour,
            _ => out.push((*hour, *hour)),
        }
    }
    let text = |(from, to): &(usize, usize)| if from == to { from.to_string() } else { format!("{from}-{to}") };
    out.iter().map(text).collect::<Vec<_>>().join(", ")
}

impl Hour {
    fn seen(self) -> HourSeen {
        match self {
            Hour::Seen => HourSeen::Seen,
            Hour::Partly => HourSeen::Partly,
            Hour::Missing => HourSeen::Missing,
            Hour::Free => HourSeen::Free,
        }
    }

    fn glyph(self) -> char {
        match self {
            Hour::Seen => '█',
            Hour::Partly => '▄',
            Hour::Missing => '░',
            Hour::Free => ' ',
        }
    }
}
