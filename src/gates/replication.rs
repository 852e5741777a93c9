//! `replication`: the region's data does not lag behind.

use super::asked::{QUERY, need, number, query};
use super::only_if_seen;
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::id::Text;
use crate::domain::stamp::parse_duration;
use crate::domain::verdict::{Judgement, Verdict};

/// A lag query with a bound.
pub struct Replication;

impl GateType for Replication {
    fn name(&self) -> &'static str {
        "replication"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "The replication lag that `query` gives, in seconds, is at most `max`. Waits while it is above; what is not measured, or below zero, is NO DATA."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter { required: true, ..QUERY },
            Parameter { name: "max", about: "The most lag, e.g. `30s`.", required: true },
        ]
    }
    fn build(&self, params: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let query = query(params)?;
        let query = query.ok_or_else(|| ParamError::new("query", "say how the lag is measured, in seconds"))?;
        let wrong = || ParamError::new("max", "`max` is the most lag, e.g. `max = \"30s\"`");
        let max = match params.0.get("max") {
            Some(Param::Text(text)) => parse_duration(text).map(|d| d.as_secs_f64()).ok_or_else(wrong)?,
            Some(Param::Number(n)) if n.is_finite() && *n >= 0.0 => *n,
            _ => return Err(wrong()),
        };
        Ok(Box::new(Lag { query, max }))
    }
}

struct Lag {
    query: Text,
    max: f64,
}

impl Gate for Lag {
    fn needs(&self) -> Vec<Need> {
        vec![need(&self.query)]
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let unknown =
            |why: String| Judgement::new(Verdict::NoData, "no data", format!("{region}: the lag is unknown: {why}"));
        let judged = match number(evidence, &self.query) {
            Err(why) => unknown(why),
            Ok((lag, _)) if lag < 0.0 => unknown(format!("{lag} s is no lag")),
            Ok((lag, said)) => {
                let sentence = format!("{region}: replication lags {lag:.1} s behind, at most {} s may be", self.max);
                let verdict = if lag <= self.max { Verdict::Go } else { Verdict::Wait };
                Judgement::new(verdict, format!("{lag:.1} s"), sentence).because(said)
            }
        };
        only_if_seen(evidence, judged.because(format!("query: {}", self.query)))
    }
}

#[cfg(test)]
#[path = "replication_tests.rs"]
mod tests;
