//! `threshold`: a column stayed within bounds in every 5-minute window of the bake.

use super::{later, only_if_seen, other_template};
use crate::domain::fleet::{Column, Param, Params, Service, Unit};
use crate::domain::gate::{BakeStart, Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::id::ColumnName;
use crate::domain::metric::NoData;
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, window_ceil, window_floor, windows_between};
use crate::domain::verdict::{Judgement, Verdict};

/// A metric bound, judged on windows aligned to UTC since the bake began; the worst counts.
pub struct Threshold;

/// After a window's end: scrape, evaluation and answer take that long; until then it is not missing.
const LAG: SignedDuration = SignedDuration::from_secs(90);

impl GateType for Threshold {
    fn name(&self) -> &'static str {
        "threshold"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "A column stays within a bound in every complete 5-minute window (aligned to UTC) since the bake began. One window outside is NO-GO for this bake; a window that is missing, NaN or partial is NO DATA. A ring that runs for more than 7 days is judged on the last 7. Exactly at the bound is within."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter { name: "column", about: "The column that is judged.", required: true },
            Parameter {
                name: "max",
                about: "At most this: a number in the column's unit, or with a unit: `1%`, `200ms`, `2GiB`.",
                required: false,
            },
            Parameter { name: "min", about: "At least this. One of `max` and `min` must be there.", required: false },
            Parameter {
                name: "windows",
                about: "Wait until so many windows are complete; 1 unless given.",
                required: false,
            },
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let missing = || ParamError::new("column", "say which column is judged, e.g. `column = \"errors\"`");
        let name = params.text("column").ok_or_else(missing)?;
        let Some(column) = service.column(name) else {
            let known: Vec<&str> = service.columns.iter().map(|c| c.name.as_str()).collect();
            let near = crate::domain::text::did_you_mean(name, known.iter().copied());
            let fix =
                near.map_or_else(|| format!("there is: {}", known.join(", ")), |n| format!("did you mean `{n}`?"));
            return Err(ParamError::new("column", format!("there is no column `{name}`; {fix}")));
        };
        let (max, min) = (bound(params, "max", column)?, bound(params, "min", column)?);
        match (max, min) {
            (None, None) => {
                return Err(ParamError::new("max", "a threshold needs `max` or `min`, e.g. `max = \"1%\"`"));
            }
            (Some(max), Some(min)) if min > max => {
                return Err(ParamError::new("min", "`min` is above `max`: nothing could pass"));
            }
            _ => {}
        }
        let windows = match params.0.get("windows") {
            None => 1,
            #[expect(clippy::cast_possible_truncation, reason = "between 1 and 10,000")]
            Some(Param::Number(n)) if n.fract() == 0.0 && (1.0..=10_000.0).contains(n) => *n as i64,
            Some(_) => return Err(ParamError::new("windows", "`windows` is a whole number from 1 to 10000")),
        };
        Ok(Box::new(Bound { column: column.name.clone(), unit: column.unit, max, min, windows }))
    }
}

fn bound(params: &Params, name: &str, column: &Column) -> Result<Option<f64>, ParamError> {
    let value = match params.0.get(name) {
        None => return Ok(None),
        Some(Param::Number(number)) => Some(*number).filter(|n| n.is_finite()),
        Some(Param::Text(text)) => parse_bound(text, column.unit),
        Some(_) => None,
    };
    let example = match column.unit {
        Unit::Ratio => "\"1%\" or 0.01",
        Unit::Seconds => "\"200ms\" or 0.2",
        Unit::Millis => "\"200ms\" or 200",
        Unit::Bytes => "\"2GiB\"",
        Unit::PerSecond | Unit::Number => "1000 or \"10k\"",
    };
    let wrong = || {
        let message = format!("`{name}` does not fit the unit of column `{}`; write {name} = {example}", column.name);
        ParamError::new(name, message)
    };
    value.map(Some).ok_or_else(wrong)
}

/// A bound with a suffix that fits the unit, in the unit of the samples.
pub fn parse_bound(text: &str, unit: Unit) -> Option<f64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%' || c == 'µ');
    let suffix = text.strip_prefix(digits)?.trim();
    let number: f64 = digits.trim().parse().ok()?;
    let factor = match (unit, suffix) {
        (_, "") => 1.0,
        (Unit::Ratio, "%") => 0.01,
        (Unit::Seconds, "s") | (Unit::Millis, "ms") => 1.0,
        (Unit::Seconds, "ms") => 0.001,
        (Unit::Seconds, "us" | "µs") => 0.000_001,
        (Unit::Seconds, "m") => 60.0,
        (Unit::Millis, "s") => 1000.0,
        (Unit::Bytes, "B") => 1.0,
        (Unit::Bytes, "kB") => 1e3,
        (Unit::Bytes, "MB") => 1e6,
        (Unit::Bytes, "GB") => 1e9,
        (Unit::Bytes, "KiB") => 1024.0,
        (Unit::Bytes, "MiB") => 1024.0 * 1024.0,
        (Unit::Bytes, "GiB") => 1024.0 * 1024.0 * 1024.0,
        (Unit::PerSecond, "/s") => 1.0,
        (Unit::PerSecond | Unit::Number, "k") => 1e3,
        (Unit::PerSecond | Unit::Number, "M") => 1e6,
        _ => return None,
    };
    Some(number * factor).filter(|n| n.is_finite())
}

struct Bound {
    column: ColumnName,
    unit: Unit,
    max: Option<f64>,
    min: Option<f64>,
    windows: i64,
}

/// What the windows say, each fact with the end of its window.
#[derive(Default)]
struct Tally {
    /// Furthest outside of the bounds, and how many are.
    worst_outside: Option<(Timestamp, f64)>,
    outside: usize,
    /// Nearest to the bound among all.
    worst: Option<(Timestamp, f64)>,
    /// The first that is unknown, and how many are.
    unknown: Option<(Timestamp, NoData)>,
    unknowns: usize,
    /// Good ones.
    good: i64,
}

impl Gate for Bound {
    fn needs(&self) -> Vec<Need> {
        vec![Need::Windows(self.column.clone())]
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }

    fn minimum(&self) -> std::time::Duration {
        let all = WINDOW.saturating_mul(i32::try_from(self.windows).unwrap_or(i32::MAX));
        std::time::Duration::try_from(all).unwrap_or_default()
    }
}

impl Bound {
    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let (region, name) = (&evidence.region.name, &self.column);
        if let Some(other) = other_template(evidence) {
            let sentence = format!("{region}: {name} is judged from when {} runs everywhere", other.short());
            return Judgement::new(Verdict::Wait, "–", sentence);
        }
        let Some(start) = evidence.bake_start else {
            return match evidence.workload {
                Some(workload) if !workload.settled() => {
                    let sentence = format!("{region}: {name} is judged from when the rollout is complete");
                    Judgement::new(Verdict::Wait, "–", sentence)
                }
                _ => {
                    let sentence = format!("{region}: {name} cannot be judged: start of the bake is unknown");
                    Judgement::new(Verdict::NoData, "start?", sentence)
                }
            };
        };
        let first = first_window(start, evidence.now);
        let tally = self.tally(evidence, first);
        let judged = self.verdict(evidence, first, &tally);
        let count = tally.good.unsigned_abs() as usize + tally.outside + tally.unknowns;
        let judged = judged.because(format!(
            "{name} {}, {count} windows of 5 min from {} UTC: {} within, {} outside, {} unknown",
            self.rule(),
            first.saturating_sub(WINDOW).unwrap_or(first).strftime("%Y-%m-%d %H:%M"),
            tally.good,
            tally.outside,
            tally.unknowns
        ));
        match evidence.service.column(name.as_str()) {
            Some(column) => judged.because(format!("query: {}", query(column))),
            None => judged,
        }
    }

    fn verdict(&self, evidence: &Evidence<'_>, first: Timestamp, tally: &Tally) -> Judgement {
        let (region, name, rule) = (&evidence.region.name, &self.column, self.rule());
        if let Some((end, value)) = tally.worst_outside {
            let shown = self.unit.show(value);
            let sentence = format!(
                "{region}: {name} was {shown} in the window to {}, {rule} is the bound; {} of the bake's windows outside",
                end.strftime("%Y-%m-%d %H:%M UTC"),
                tally.outside
            );
            return Judgement::new(Verdict::NoGo, shown, sentence);
        }
        if let Some((end, reason)) = &tally.unknown {
            let sentence = format!(
                "{region}: {name} is unknown for {} of the bake's windows, first that to {}: {reason}",
                tally.unknowns,
                end.strftime("%Y-%m-%d %H:%M UTC"),
            );
            return Judgement::new(Verdict::NoData, "no data", sentence);
        }
        let worst = tally.worst.map(|(_, value)| self.unit.show(value));
        if tally.good < self.windows {
            let ends = SignedDuration::from_secs(WINDOW.as_secs().saturating_mul(self.windows - 1));
            let until = first.saturating_add(ends).unwrap_or(Timestamp::MAX);
            let sentence = format!(
                "{region}: {name} has {} of {} complete windows; enough at {}",
                tally.good,
                self.windows,
                until.strftime("%Y-%m-%d %H:%M UTC")
            );
            let cell = worst.unwrap_or_else(|| format!("{}/{}", tally.good, self.windows));
            return Judgement::new(Verdict::Wait, cell, sentence).until(until);
        }
        let (end, value) = tally.worst.unwrap_or((first, f64::NAN));
        let shown = self.unit.show(value);
        let sentence = format!(
            "{region}: {name} {rule} in all {} windows; the worst was {shown} in that to {}",
            tally.good,
            end.strftime("%Y-%m-%d %H:%M UTC")
        );
        Judgement::new(Verdict::Go, shown, sentence)
    }

    fn tally(&self, evidence: &Evidence<'_>, first: Timestamp) -> Tally {
        let mut tally = Tally::default();
        let none = crate::domain::metric::Windows::default();
        let windows = evidence.windows.get(&self.column).unwrap_or(&none);
        // Answered windows of this bake, also those that are not yet due.
        for (end, value) in windows.known_from(first).filter(|(end, _)| *end <= evidence.now) {
            self.count(&mut tally, end, value);
        }
        for (end, why) in windows.unknown_from(first).filter(|(end, _)| *end <= evidence.now) {
            unknown(&mut tally, end, why);
        }
        // Windows that are due and were not answered at all.
        let unasked = match evidence.current.get(&self.column) {
            Some((_, Err(NoData::NotConfigured))) => NoData::NotConfigured,
            _ => NoData::NotAsked,
        };
        let due = window_floor(evidence.now.saturating_sub(LAG).unwrap_or(evidence.now));
        let (known, asked) = windows.count(first, due);
        if known + asked < windows_between(first, due) {
            let mut end = first;
            while end <= due {
                if !windows.contains(end) {
                    unknown(&mut tally, end, &unasked);
                }
                match end.checked_add(WINDOW) {
                    Ok(next) => end = next,
                    Err(_) => break,
                }
            }
        }
        tally
    }

    fn count(&self, tally: &mut Tally, end: Timestamp, value: f64) {
        if value.is_nan() {
            return unknown(tally, end, &NoData::NotANumber);
        }
        if value.is_infinite() {
            return unknown(tally, end, &NoData::Infinite);
        }
        let worse =
            |than: Option<(Timestamp, f64)>| than.is_none_or(|(_, other)| self.excess(value) > self.excess(other));
        if worse(tally.worst) {
            tally.worst = Some((end, value));
        }
        if self.excess(value) > 0.0 {
            tally.outside += 1;
            if worse(tally.worst_outside) {
                tally.worst_outside = Some((end, value));
            }
        } else {
            tally.good += 1;
        }
    }

    /// How far outside of the bounds; at most 0 within them.
    fn excess(&self, value: f64) -> f64 {
        let above = self.max.map_or(f64::NEG_INFINITY, |max| value - max);
        let below = self.min.map_or(f64::NEG_INFINITY, |min| min - value);
        above.max(below)
    }

    fn rule(&self) -> String {
        let show = |bound: f64| self.unit.show(bound);
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("from {} to {}", show(min), show(max)),
            (Some(min), None) => format!("≥ {}", show(min)),
            (None, Some(max)) => format!("≤ {}", show(max)),
            (None, None) => String::new(),
        }
    }
}

/// A ring that runs for longer is judged on its newest windows: nobody keeps samples for ever.
pub const JUDGED_SPAN: SignedDuration = SignedDuration::from_hours(7 * 24);

fn unknown(tally: &mut Tally, end: Timestamp, reason: &NoData) {
    tally.unknowns += 1;
    if tally.unknown.as_ref().is_none_or(|(known, _)| end < *known) {
        tally.unknown = Some((end, reason.clone()));
    }
}

/// End of the first window that lies wholly in the bake, at most [`JUDGED_SPAN`] ago.
fn first_window(start: BakeStart, now: Timestamp) -> Timestamp {
    let begins = window_ceil(start.at).max(window_ceil(now.saturating_sub(JUDGED_SPAN).unwrap_or(Timestamp::MIN)));
    later(begins, std::time::Duration::from_secs(WINDOW.as_secs().unsigned_abs()))
}

fn query(column: &Column) -> &str {
    match &column.query {
        crate::domain::fleet::QueryText::PerRegion(query) | crate::domain::fleet::QueryText::ByLabel { query, .. } => {
            query
        }
    }
}
