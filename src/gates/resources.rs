//! `resources`: what a region uses did not grow over the bake.

use super::only_if_seen;
use super::rules::{self, GRACE, MIN_TRAFFIC, Rules, ring_bake};
use super::series::{Span, begin, count, found, query, when, windows_long};
use crate::domain::fleet::{Column, Param, Params, Service, Unit};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::id::ColumnName;
use crate::domain::metric::NoData;
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, short};
use crate::domain::verdict::{Judgement, Verdict};

/// A leak is within every bound until it is not: the end of the bake against its beginning.
pub struct Resources;

/// Compared stretches, unless said otherwise: the first and the last six hours.
const OVER: SignedDuration = SignedDuration::from_hours(6);
/// Shorter stretches say nothing about growth.
const SHORTEST: SignedDuration = SignedDuration::from_mins(30);
/// So much of a stretch must be known.
const KNOWN: f64 = 5.0 / 6.0;

impl GateType for Resources {
    fn name(&self) -> &'static str {
        "resources"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "What a region uses (memory, CPU, connections) did not grow: the mean of the bake's last hours against that of its first. More than `growth` is NO-GO, more than half of it a finding. Waits until both stretches are there; five sixths of each must be known."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter { name: "column", about: "The column that is compared, e.g. `memory`.", required: true },
            Parameter {
                name: "growth",
                about: "So much more than at the beginning is NO-GO; `20%` unless given.",
                required: false,
            },
            Parameter {
                name: "over",
                about: "How long the compared stretches are; `6h` unless given, or half of the ring's bake where that is shorter.",
                required: false,
            },
            Parameter {
                name: "per_request",
                about: "`true` compares the use per request, for what follows the traffic (CPU); `false` unless given.",
                required: false,
            },
            GRACE,
            MIN_TRAFFIC,
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let column = rules::column(params, "column", service)?;
        let growth = match params.0.get("growth") {
            None => Some(0.2),
            Some(Param::Number(n)) => Some(*n),
            Some(Param::Text(text)) => super::parse_bound(text, Unit::Ratio),
            Some(_) => None,
        };
        let wrong = || ParamError::new("growth", "write how much more is too much, above 0 %, e.g. `growth = \"20%\"`");
        let growth = growth.filter(|g| g.is_finite() && *g > 0.0 && *g <= 100.0).ok_or_else(wrong)?;
        let over = rules::length(params, "over")?;
        if over.is_some_and(|o| o < SHORTEST || o > SignedDuration::from_hours(72)) {
            return Err(ParamError::new("over", "between 30 minutes and 3 days, e.g. `over = \"6h\"`"));
        }
        let traffic = service.traffic_column().map(|c| c.name.clone());
        let per_request = match params.0.get("per_request") {
            None | Some(Param::Flag(false)) => None,
            Some(Param::Flag(true)) => Some(traffic.ok_or_else(|| {
                ParamError::new("per_request", "no column of this service measures traffic: requests cannot be counted")
            })?),
            Some(_) => return Err(ParamError::new("per_request", "`per_request` is `true` or `false`")),
        };
        let rules = Rules::read(params, service)?;
        Ok(Box::new(Growth { column: column.clone(), growth, over, per_request, rules }))
    }
}

struct Growth {
    column: Column,
    growth: f64,
    over: Option<SignedDuration>,
    /// The traffic that use is divided by.
    per_request: Option<ColumnName>,
    rules: Rules,
}

impl Gate for Growth {
    fn needs(&self) -> Vec<Need> {
        let columns = std::iter::once(&self.column.name).chain(&self.per_request).cloned();
        columns.map(Need::Windows).chain(self.rules.need()).collect()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }

    fn minimum(&self) -> std::time::Duration {
        self.over.map(|over| over.saturating_mul(2)).and_then(|l| l.try_into().ok()).unwrap_or_default()
    }
}

/// The mean of a stretch, and how many of its windows are known.
#[derive(Clone, Copy)]
struct Part {
    mean: f64,
    known: usize,
}

impl Growth {
    /// How long the compared stretches are in this ring, in windows.
    fn windows(&self, evidence: &Evidence<'_>) -> usize {
        let half = ring_bake(evidence.ring).map(|bake| bake / 2);
        let over = self.over.unwrap_or_else(|| half.map_or(OVER, |half| half.clamp(SHORTEST, OVER)));
        usize::try_from(over.as_secs() / WINDOW.as_secs()).unwrap_or(1).max(1)
    }

    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let (region, name) = (&evidence.region.name, &self.column.name);
        let span = match Span::of(evidence, name.as_str(), self.rules.grace) {
            Ok(span) => span,
            Err(none) => return *none,
        };
        let n = self.windows(evidence);
        let all: Vec<(Timestamp, Result<f64, NoData>)> = self.values(evidence, &span);
        if all.len() < 2 * n {
            let until = span.first.saturating_add(windows_long(2 * n - 1)).unwrap_or(Timestamp::MAX);
            let sentence = format!(
                "{region}: growth of {name} is judged when the bake has {} and {0} to compare, at {}",
                short(windows_long(n)),
                when(until)
            );
            return Judgement::new(Verdict::Wait, "–", sentence).until(until);
        }
        let (first, last) = (all.get(..n).unwrap_or_default(), all.get(all.len() - n..).unwrap_or_default());
        let (before, after) = (part(first), part(last));
        let needed = KNOWN * count(n);
        for (which, part, windows) in [("first", before, first), ("last", after, last)] {
            if count(part.known) < needed {
                let why = windows.iter().find_map(|(end, seen)| Some((end, seen.as_ref().err()?)));
                let why = why.map_or_else(String::new, |(end, why)| format!(", first that to {}: {why}", when(*end)));
                let sentence =
                    format!("{region}: {name} is unknown for {} of the {which} {n} windows{why}", n - part.known);
                return Judgement::new(Verdict::NoData, "no data", sentence);
            }
        }
        let grown = if before.mean > 0.0 { after.mean / before.mean - 1.0 } else { f64::INFINITY };
        let grown = if after.mean <= before.mean { grown.min(0.0) } else { grown };
        let show = |value: f64| {
            if self.per_request.is_some() { format!("{value:.3e} per request") } else { self.column.unit.show(value) }
        };
        let text = format!(
            "{name} went from {} to {} ({}) between the first and the last {} of the bake, {:.0} % more is the bound",
            show(before.mean),
            show(after.mean),
            if grown.is_finite() { format!("{:+.0} %", grown * 100.0) } else { "from nothing".to_owned() },
            short(windows_long(n)),
            self.growth * 100.0
        );
        let cell = if grown.is_finite() { format!("{:+.0} %", grown * 100.0) } else { "grew".to_owned() };
        let judged = Judgement::new(Verdict::Go, cell, format!("{region}: {text}"));
        let judged = if grown > self.growth {
            Judgement { verdict: Verdict::NoGo, ..judged }
        } else if grown > self.growth / 2.0 {
            found(judged, evidence, "growth", &text)
        } else {
            judged
        };
        let ends = |windows: &[(Timestamp, Result<f64, NoData>)]| {
            let from = windows.first().map_or(span.first, |(end, _)| *end);
            let to = windows.last().map_or(span.first, |(end, _)| *end);
            format!("{} to {}", when(begin(from)), when(to))
        };
        judged
            .because(format!(
                "first {}: mean {}, {} of {n} windows known",
                ends(first),
                show(before.mean),
                before.known
            ))
            .because(format!("last {}: mean {}, {} of {n} windows known", ends(last), show(after.mean), after.known))
            .because(format!("query: {}", query(&self.column)))
            .figure("first", before.mean, self.column.unit)
            .figure("last", after.mean, self.column.unit)
    }

    /// What was used, window by window.
    fn values(&self, evidence: &Evidence<'_>, span: &Span) -> Vec<(Timestamp, Result<f64, NoData>)> {
        let traffic = self.per_request.as_ref().map(|name| evidence.windows.get(name));
        let series = span.series(evidence.windows.get(&self.column.name), self.rules.traffic(evidence));
        let one = |(end, seen): (Timestamp, Result<f64, &NoData>)| {
            let value = match (seen, traffic) {
                (Err(why), _) => Err(why.clone()),
                (Ok(value), None) => Ok(value),
                (Ok(value), Some(windows)) => match windows.and_then(|w| w.get(end)) {
                    Some(Ok(qps)) if qps > 0.0 => Ok(value / qps),
                    Some(Err(why)) => Err(why),
                    Some(Ok(_)) => Err(NoData::LowTraffic),
                    None => Err(NoData::NotAsked),
                },
            };
            (end, value)
        };
        series.map(one).collect()
    }
}

fn part(windows: &[(Timestamp, Result<f64, NoData>)]) -> Part {
    let known = windows.iter().filter_map(|(_, seen)| seen.as_ref().ok());
    let (sum, known) = known.fold((0.0, 0), |(sum, n), v| (sum + v, n + 1));
    Part { mean: if known > 0 { sum / count(known) } else { 0.0 }, known }
}
