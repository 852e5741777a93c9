//! `threshold`: a metric's bound, judged on 5-minute windows aligned to UTC since the bake
//! began. The worst window counts: a mean would hide a bad quarter of an hour.

use crate::domain::fleet::{Column, Params, Service, Unit};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::metric::{NoData, Reading};
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, window_ceil, window_floor};
use crate::domain::text::did_you_mean;
use crate::domain::verdict::{Judgement, Verdict};

use super::bound::bound;

/// The gate type.
pub struct Threshold;

/// The gate.
struct Bound {
    column: Column,
    max: Option<f64>,
    min: Option<f64>,
}

/// A window counts this long after it ended: samples arrive late.
const INGEST: SignedDuration = SignedDuration::from_secs(45);

impl GateType for Threshold {
    fn name(&self) -> &'static str {
        "threshold"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "A column stays within its bound in every 5-minute window since the bake began; the worst window counts."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter { name: "column", about: "the column that is judged", required: true },
            Parameter { name: "max", about: "upper bound with unit, e.g. `1%`, `200ms`", required: false },
            Parameter { name: "min", about: "lower bound with unit", required: false },
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let name = params.text("column").ok_or_else(|| ParamError::new("column", "name a column, e.g. \"errors\""))?;
        let Some(column) = service.column(name) else {
            let names: Vec<&str> = service.columns.iter().map(|c| c.name.as_str()).collect();
            let hint = did_you_mean(name, names.iter().copied())
                .map_or_else(|| format!("columns are {}", names.join(", ")), |n| format!("did you mean \"{n}\"?"));
            return Err(ParamError::new("column", format!("there is no column \"{name}\"; {hint}")));
        };
        let (max, min) = (bound(params, "max", column)?, bound(params, "min", column)?);
        if max.is_none() && min.is_none() {
            return Err(ParamError::new("max", "a threshold needs `max` or `min`"));
        }
        if let (Some(max), Some(min)) = (max, min)
            && min > max
        {
            return Err(ParamError::new("min", "`min` is above `max`: nothing could pass"));
        }
        Ok(Box::new(Bound { column: column.clone(), max, min }))
    }
}

/// What the windows of a bake say.
struct Tally<'a> {
    worst: Option<(Timestamp, f64)>,
    unknown: Option<(Timestamp, &'a NoData)>,
    unknown_count: usize,
    count: usize,
    violated: usize,
}

impl Bound {
    fn violates(&self, value: f64) -> bool {
        self.max.is_some_and(|max| value > max) || self.min.is_some_and(|min| value < min)
    }

    /// How far out a value is: larger is worse.
    fn badness(&self, value: f64) -> f64 {
        let over = self.max.map(|max| value - max);
        let under = self.min.map(|min| min - value);
        over.into_iter().chain(under).fold(f64::NEG_INFINITY, f64::max)
    }

    fn tally<'a>(&self, windows: &'a crate::domain::metric::Windows, first: Timestamp, last: Timestamp) -> Tally<'a> {
        static MISSING: Reading = Err(NoData::NotAsked);
        let mut tally = Tally { worst: None, unknown: None, unknown_count: 0, count: 0, violated: 0 };
        let mut end = first;
        while end <= last {
            tally.count += 1;
            match windows.0.get(&end).unwrap_or(&MISSING) {
                Ok(value) => {
                    tally.violated += usize::from(self.violates(*value));
                    if tally.worst.is_none_or(|(_, w)| self.badness(*value) > self.badness(w)) {
                        tally.worst = Some((end, *value));
                    }
                }
                Err(why) => {
                    tally.unknown_count += 1;
                    tally.unknown = Some((end, why));
                }
            }
            let Ok(next) = end.checked_add(WINDOW) else { break };
            end = next;
        }
        tally
    }

    fn bounds(&self) -> String {
        let unit = self.column.unit;
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("between {} and {}", unit.show(min), unit.show(max)),
            (None, Some(max)) => format!("at most {}", unit.show(max)),
            (Some(min), None) => format!("at least {}", unit.show(min)),
            (None, None) => String::new(),
        }
    }
}

impl Gate for Bound {
    fn needs(&self) -> Vec<Need> {
        vec![Need::Windows(self.column.name.clone())]
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let column = &self.column.name;
        let Some(start) = evidence.bake_start else {
            let sentence = format!("{region} {column}: the bake has not begun, so there is nothing to judge");
            return Judgement::new(Verdict::NoData, "no bake", sentence);
        };
        // Only windows that lie wholly inside the bake count.
        let first = window_ceil(start.at).saturating_add(WINDOW).unwrap_or(start.at);
        let last = window_floor(evidence.now.saturating_sub(INGEST).unwrap_or(evidence.now));
        if last < first {
            let sentence = format!("{region} {column}: the first whole 5-minute window is not over");
            let until = first.saturating_add(INGEST).unwrap_or(first);
            return Judgement::new(Verdict::Wait, "first window", sentence).until(until);
        }
        let empty = crate::domain::metric::Windows::default();
        let tally = self.tally(evidence.windows.get(column).unwrap_or(&empty), first, last);
        let judgement = judged(self, evidence, &tally);
        judgement.because(format!(
            "{} windows of 5 min from {first} to {last}, {} out of bounds, {} unknown; must be {}",
            tally.count,
            tally.violated,
            tally.unknown_count,
            self.bounds()
        ))
    }
}

fn judged(bound: &Bound, evidence: &Evidence<'_>, tally: &Tally<'_>) -> Judgement {
    let (region, column, unit) = (&evidence.region.name, &bound.column.name, bound.column.unit);
    let show = |value: f64| Unit::show(unit, value);
    if let Some((end, value)) = tally.worst.filter(|(_, v)| bound.violates(*v)) {
        let sentence = format!(
            "{region} {column} was {} in the window to {} UTC, must be {} ({} of {} windows)",
            show(value),
            end.strftime("%d %b %H:%M"),
            bound.bounds(),
            tally.violated,
            tally.count
        );
        return Judgement::new(Verdict::NoGo, show(value), sentence);
    }
    if let Some((end, why)) = tally.unknown {
        let sentence = format!(
            "{region} {column}: {} of {} windows are unknown, the newest to {} UTC: {why}",
            tally.unknown_count,
            tally.count,
            end.strftime("%d %b %H:%M")
        );
        return Judgement::new(Verdict::NoData, "no data", sentence);
    }
    match tally.worst {
        Some((end, value)) => {
            let sentence = format!(
                "{region} {column} was at worst {} (window to {} UTC), {}",
                show(value),
                end.strftime("%d %b %H:%M"),
                bound.bounds()
            );
            Judgement::new(Verdict::Go, show(value), sentence)
        }
        None => Judgement::new(Verdict::NoData, "no data", format!("{region} {column}: no window was judged")),
    }
}
