//! `alerts`: no alert fires for the region.

use super::asked::{QUERY, need, number, query};
use super::only_if_seen;
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::id::Text;
use crate::domain::verdict::{Judgement, Verdict};

/// Firing alerts, from Prometheus's own series.
pub struct Alerts;

/// Alerts of the region that fire now. Without any there is no series: zero is said by the vector.
pub(super) const FIRING: &str = r#"count(ALERTS{alertstate="firing",region="{{region}}"}) or vector(0)"#;

impl GateType for Alerts {
    fn name(&self) -> &'static str {
        "alerts"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "NO-GO while more than `max` alerts fire for the region, from the series `ALERTS` with the label `region`, or what `query` counts."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[QUERY, Parameter { name: "max", about: "How many may fire; 0 unless given.", required: false }]
    }
    fn build(&self, params: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let max = match params.0.get("max") {
            None => 0.0,
            Some(Param::Number(n)) if n.fract() == 0.0 && (0.0..=10_000.0).contains(n) => *n,
            Some(_) => return Err(ParamError::new("max", "`max` is a whole number, at least 0")),
        };
        Ok(Box::new(Quiet { query: query(params)?.unwrap_or_else(|| FIRING.into()), max }))
    }
}

struct Quiet {
    query: Text,
    max: f64,
}

impl Gate for Quiet {
    fn needs(&self) -> Vec<Need> {
        vec![need(&self.query)]
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let judged = match number(evidence, &self.query) {
            Err(why) => Judgement::new(Verdict::NoData, "no data", format!("{region}: alerts are unknown: {why}")),
            Ok((firing, said)) => {
                let are = if firing == 1.0 { "alert fires" } else { "alerts fire" };
                let sentence = format!("{region}: {firing} {are}, {} may", self.max);
                let verdict = if firing > self.max || firing < 0.0 { Verdict::NoGo } else { Verdict::Go };
                Judgement::new(verdict, format!("{firing}"), sentence).because(said)
            }
        };
        only_if_seen(evidence, judged.because(format!("query: {}", self.query)))
    }
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
