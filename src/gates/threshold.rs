//! `threshold`: a column stayed within bounds in the 5-minute windows of the bake.

use super::only_if_seen;
use super::rules::{self, AGAIN, GAPS, GRACE, MIN_TRAFFIC, OF, Rules, VIOLATIONS};
use super::series::{self, Span, Story, Subject};
use crate::domain::fleet::{Column, Params, Service, Unit};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::metric::Seen;
use crate::domain::picture::{Picture, Point};
use crate::domain::verdict::Judgement;

/// A metric bound, judged on windows aligned to UTC since the bake began; the worst counts.
pub struct Threshold;

impl GateType for Threshold {
    fn name(&self) -> &'static str {
        "threshold"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "A column stays within a bound in the complete 5-minute windows (aligned to UTC) since the bake began; the worst decides, never a mean. `violations` of the last `of` windows outside are NO-GO while that lasts, and WAIT until the bake has run again from the last of them, or a person accepts the stretch. A single window outside is a finding. A window that is missing, NaN, partial or has too little traffic is NO DATA. A ring that runs for more than 7 days is judged on the last 7. Exactly at the bound is within."
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
            VIOLATIONS,
            OF,
            GRACE,
            GAPS,
            AGAIN,
            MIN_TRAFFIC,
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let column = rules::column(params, "column", service)?;
        let (max, min) = (rules::bound(params, "max", column)?, rules::bound(params, "min", column)?);
        match (max, min) {
            (None, None) => {
                return Err(ParamError::new("max", "a threshold needs `max` or `min`, e.g. `max = \"1%\"`"));
            }
            (Some(max), Some(min)) if min > max => {
                return Err(ParamError::new("min", "`min` is above `max`: nothing could pass"));
            }
            _ => {}
        }
        let least = rules::whole(params, "windows", 1, 10_000)?.unwrap_or(1);
        let rules = Rules::read(params, service)?;
        Ok(Box::new(Bound { column: column.clone(), max, min, least, rules }))
    }
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
    column: Column,
    max: Option<f64>,
    min: Option<f64>,
    least: usize,
    rules: Rules,
}

impl Gate for Bound {
    fn needs(&self) -> Vec<Need> {
        let own = Need::Windows(self.column.name.clone());
        std::iter::once(own).chain(self.rules.need()).collect()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }

    fn picture(&self, evidence: &Evidence<'_>) -> Option<Picture> {
        let name = &self.column.name;
        let span = Span::of(evidence, name.as_str(), self.rules.grace).ok()?;
        let series = span.series(evidence.windows.get(name), self.rules.traffic(evidence));
        let point = |(end, seen): (_, Seen<'_>)| Point { low: self.min, high: self.max, ..Point::new(end, seen.ok()) };
        Some(series::picture(evidence, &self.column, None, series.map(point).collect()))
    }

    fn minimum(&self) -> std::time::Duration {
        series::minimum(self.least)
    }
}

impl Bound {
    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let name = &self.column.name;
        let span = match Span::of(evidence, name.as_str(), self.rules.grace) {
            Ok(span) => span,
            Err(none) => return *none,
        };
        let series = span.series(evidence.windows.get(name), self.rules.traffic(evidence));
        let marks = series.map(|(end, seen)| (end, seen.map(|value| (value, self.excess(value)))));
        let story = Story::tell(evidence, &self.rules, name, |value| self.excess(value), marks);
        let subject = Subject {
            column: &self.column,
            name: name.as_str(),
            rule: &self.rule(),
            least: self.least,
            show: &|value| self.column.unit.show(value),
        };
        series::judge(evidence, &self.rules, &span, &story, &subject)
    }

    /// How far outside of the bounds; at most 0 within them.
    fn excess(&self, value: f64) -> f64 {
        let above = self.max.map_or(f64::NEG_INFINITY, |max| value - max);
        let below = self.min.map_or(f64::NEG_INFINITY, |min| min - value);
        above.max(below)
    }

    fn rule(&self) -> String {
        let show = |bound: f64| self.column.unit.show(bound);
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("from {} to {}", show(min), show(max)),
            (Some(min), None) => format!("≥ {}", show(min)),
            (None, Some(max)) => format!("≤ {}", show(max)),
            (None, None) => String::new(),
        }
    }
}
