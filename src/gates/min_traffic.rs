//! `min_traffic`: there is enough traffic to judge by.

use super::only_if_seen;
use super::rules::{self, GRACE, OF, Rules, VIOLATIONS};
use super::series::{self, Span, count, when};
use crate::domain::fleet::{Column, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::picture::{Picture, Point};
use crate::domain::verdict::{Judgement, Verdict};

/// Below it nobody can tell: the ring's metric gates leave out windows with less, too.
pub struct MinTraffic;

impl GateType for MinTraffic {
    fn name(&self) -> &'static str {
        "min_traffic"
    }
    fn role(&self) -> GateRole {
        GateRole::Exit
    }
    fn about(&self) -> &'static str {
        "There is enough traffic to judge by: NO DATA while `violations` of the last `of` windows have less or are unknown. Windows with less are unknown to every metric gate of the ring that does not say its own `min_traffic`, and count for no bake and no coverage."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter {
                name: "min",
                about: "The least traffic in queries per second, e.g. `5` or `\"10k\"`.",
                required: true,
            },
            VIOLATIONS,
            OF,
            GRACE,
        ]
    }
    fn build(&self, params: &Params, service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let missing = || ParamError::new("min", "say the least traffic in queries per second, e.g. `min = 5`");
        let traffic = service.traffic_column();
        let min = rules::min_traffic(params.0.get("min").ok_or_else(missing)?, "min", traffic)?;
        let rules = Rules::read(params, service)?;
        let column = traffic.cloned().ok_or_else(missing)?;
        Ok(Box::new(Enough { column, min, rules }))
    }
}

struct Enough {
    column: Column,
    min: f64,
    rules: Rules,
}

impl Gate for Enough {
    fn needs(&self) -> Vec<Need> {
        vec![Need::Windows(self.column.name.clone())]
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        only_if_seen(evidence, self.judged(evidence))
    }

    fn picture(&self, evidence: &Evidence<'_>) -> Option<Picture> {
        self.drawn(evidence)
    }
}

impl Enough {
    fn drawn(&self, evidence: &Evidence<'_>) -> Option<Picture> {
        let span = Span::of(evidence, "traffic", self.rules.grace).ok()?;
        let series = span.series(evidence.windows.get(&self.column.name), None);
        let points = series.map(|(end, seen)| Point { low: Some(self.min), ..Point::new(end, seen.ok()) });
        Some(series::picture(evidence, &self.column, None, points.collect()))
    }

    fn judged(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let span = match Span::of(evidence, "traffic", self.rules.grace) {
            Ok(span) => span,
            Err(none) => return *none,
        };
        let readings: Vec<_> = span.series(evidence.windows.get(&self.column.name), None).collect();
        let Some((end, newest)) = readings.last() else {
            let sentence = format!("{region}: traffic is judged from the first complete window of 5 min");
            return Judgement::new(Verdict::Wait, "–", sentence);
        };
        let show = |value: f64| self.column.unit.show(value);
        let enough = |seen: &Result<f64, _>| matches!(seen, Ok(qps) if *qps >= self.min);
        let least = show(self.min);
        let recent = readings.iter().rev().take(usize::try_from(self.rules.of).unwrap_or(usize::MAX));
        let short = recent.filter(|(_, seen)| !enough(seen)).count();
        let cell = newest.map_or_else(|_| "no data".to_owned(), show);
        let judged = match newest {
            Err(why) => Judgement::new(
                Verdict::NoData,
                cell,
                format!("{region}: traffic is unknown in the window to {}: {why}", when(*end)),
            ),
            Ok(_) if short >= usize::try_from(self.rules.violations).unwrap_or(1) => Judgement::new(
                Verdict::NoData,
                cell,
                format!(
                    "{region}: {short} of the last {} windows have less than {least} queries per second: too little to judge by",
                    self.rules.of
                ),
            ),
            Ok(qps) => {
                let sentence = format!("{region}: {} queries per second, at least {least} needed", show(*qps));
                Judgement::new(Verdict::Go, cell, sentence)
            }
        };
        let good = readings.iter().filter(|(_, seen)| enough(seen)).count();
        let share = 100.0 * count(good) / count(readings.len().max(1));
        judged.because(format!("{good} of {} windows of the bake had at least {least} ({share:.0} %)", readings.len()))
    }
}
