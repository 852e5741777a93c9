//! `webhook`: another system says go, no-go or wait.

use serde::Deserialize;

use super::asked::{ENDPOINT, EVERY, PATH, answered, endpoint};
use crate::domain::call::HttpNeed;
use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::domain::verdict::{Judgement, Verdict};

/// A POST with what is about to happen; the answer is a verdict.
pub struct Webhook;

impl GateType for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "Another system decides: a POST with service, ring, region, versions and template, which is the same as long as they are, answered with `{\"verdict\": \"go\" | \"no-go\" | \"wait\", \"reason\": …}`. No answer in time, another status than 200, or anything that is not such a verdict about this is NO DATA. A watch screen does not ask."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[Parameter { required: true, ..ENDPOINT }, PATH, EVERY]
    }
    fn build(&self, params: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let need = endpoint(params, true)?;
        let missing = || ParamError::new("endpoint", "say which, e.g. `endpoint = \"change-board\"`");
        need.ok_or_else(missing).map(|need| Box::new(Elsewhere(need)) as Box<dyn Gate>)
    }
}

struct Elsewhere(HttpNeed);

#[derive(Deserialize)]
struct Said {
    verdict: String,
    #[serde(default)]
    reason: String,
    /// When a wait ends.
    #[serde(default)]
    until: Option<Timestamp>,
    // Whoever says what the answer is about must mean what was asked.
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    to: Option<String>,
}

impl Gate for Elsewhere {
    fn needs(&self) -> Vec<Need> {
        vec![Need::Http(self.0.clone())]
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let judged = self
            .said(evidence)
            .unwrap_or_else(|why| Judgement::new(Verdict::NoData, "no data", format!("{region}: {why}")));
        judged.because(format!("POST to endpoint {} {}", self.0.endpoint, self.0.path))
    }
}

impl Elsewhere {
    fn said(&self, evidence: &Evidence<'_>) -> Result<Judgement, String> {
        let (region, endpoint) = (&evidence.region.name, &self.0.endpoint);
        let (answer, body) = answered(evidence, &self.0)?;
        let first = || safe(body.lines().next().unwrap_or_default(), 80);
        let said: Said =
            serde_json::from_str(body).map_err(|_| format!("{endpoint} did not answer with a verdict: {}", first()))?;
        let wanted = [
            ("service", said.service.as_deref(), Some(evidence.service.name.as_str())),
            ("region", said.region.as_deref(), Some(region.as_str())),
            ("version", said.to.as_deref(), evidence.entering.map(|e| &*e.version.0)),
        ];
        for (what, theirs, ours) in wanted {
            if let Some(theirs) = theirs
                && Some(theirs) != ours
            {
                return Err(format!("{endpoint} answered about {what} {}, which was not asked", safe(theirs, 60)));
            }
        }
        let (verdict, word) = match said.verdict.as_str() {
            "go" => (Verdict::Go, "go"),
            "wait" => (Verdict::Wait, "wait"),
            "no-go" => (Verdict::NoGo, "no-go"),
            other => return Err(format!("{endpoint} says {}, which is no verdict", safe(other, 40))),
        };
        let reason =
            if said.reason.trim().is_empty() { String::new() } else { format!(": {}", safe(&said.reason, 200)) };
        let judged = Judgement::new(verdict, word, format!("{region}: {endpoint} says {word}{reason}"));
        let judged = match said.until.filter(|until| verdict == Verdict::Wait && *until > evidence.now) {
            Some(until) => judged.until(until),
            None => judged,
        };
        Ok(judged.because(format!("answered {}", answer.at.strftime("%Y-%m-%d %H:%M:%S UTC"))))
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
