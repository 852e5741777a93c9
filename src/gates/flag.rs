//! `flag`: a feature flag says on, or off.

use serde_json::Value;

use super::asked::{ENDPOINT, EVERY, PATH, QUERY, answered, endpoint, need, number, query};
use super::only_if_seen;
use crate::domain::call::HttpNeed;
use crate::domain::fleet::{Param, Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::verdict::{Judgement, Verdict};

/// On before, or off until after.
pub struct Flag;

impl GateType for Flag {
    fn name(&self) -> &'static str {
        "flag"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "A feature flag must say `on` or `off`: before, as an entry gate, or after, as an exit gate. By a query that gives 1 or 0, or an endpoint that answers `true`, `\"on\"`, 1 or their opposites. Waits while it says the other; anything else is NO DATA."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[
            Parameter { name: "must", about: "`on` or `off`.", required: true },
            QUERY,
            ENDPOINT,
            PATH,
            Parameter {
                name: "pointer",
                about: "Where in the endpoint's JSON the flag stands, e.g. `/flags/new-cart/enabled`; all of it unless given.",
                required: false,
            },
            EVERY,
        ]
    }
    fn build(&self, params: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        let must = match params.text("must") {
            Some("on") => true,
            Some("off") => false,
            _ => return Err(ParamError::new("must", "write `must = \"on\"` or `must = \"off\"`")),
        };
        let pointer: Text = match params.0.get("pointer") {
            None => "".into(),
            Some(Param::Text(pointer)) if pointer.is_empty() || pointer.starts_with('/') => pointer.as_str().into(),
            Some(_) => return Err(ParamError::new("pointer", "`pointer` is a JSON pointer such as `/enabled`")),
        };
        let asks = match (query(params)?, endpoint(params, false)?) {
            (Some(_), Some(_)) => {
                return Err(ParamError::new("endpoint", "`query` and `endpoint` exclude each other; keep one"));
            }
            (Some(query), None) => Asks::Query(query),
            (None, Some(need)) => Asks::Endpoint(need, pointer),
            (None, None) => {
                return Err(ParamError::new("query", "say where the flag is asked for: `query` or `endpoint`"));
            }
        };
        Ok(Box::new(Says { asks, must }))
    }
}

enum Asks {
    Query(Text),
    Endpoint(HttpNeed, Text),
}

struct Says {
    asks: Asks,
    must: bool,
}

/// A flag's value, whichever way it is written; none: that is no flag.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(n) if n.as_f64() == Some(1.0) => Some(true),
        Value::Number(n) if n.as_f64() == Some(0.0) => Some(false),
        Value::String(text) if ["on", "true", "1", "enabled"].contains(&text.trim().to_ascii_lowercase().as_str()) => {
            Some(true)
        }
        Value::String(text)
            if ["off", "false", "0", "disabled"].contains(&text.trim().to_ascii_lowercase().as_str()) =>
        {
            Some(false)
        }
        _ => None,
    }
}

impl Gate for Says {
    fn needs(&self) -> Vec<Need> {
        match &self.asks {
            Asks::Query(query) => vec![need(query)],
            Asks::Endpoint(need, _) => vec![Need::Http(need.clone())],
        }
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let word = |on: bool| if on { "on" } else { "off" };
        let judged = match self.value(evidence) {
            Err(why) => Judgement::new(Verdict::NoData, "no data", format!("{region}: the flag is unknown: {why}")),
            Ok((on, said)) => {
                let sentence = format!("{region}: the flag is {}, it must be {}", word(on), word(self.must));
                let verdict = if on == self.must { Verdict::Go } else { Verdict::Wait };
                Judgement::new(verdict, word(on), sentence).because(said)
            }
        };
        let asked = match &self.asks {
            Asks::Query(query) => format!("query: {query}"),
            Asks::Endpoint(need, pointer) => format!("endpoint {} {}{pointer}", need.endpoint, need.path),
        };
        only_if_seen(evidence, judged.because(asked))
    }
}

impl Says {
    fn value(&self, evidence: &Evidence<'_>) -> Result<(bool, String), String> {
        match &self.asks {
            Asks::Query(query) => match number(evidence, query)? {
                (1.0, said) => Ok((true, said)),
                (0.0, said) => Ok((false, said)),
                (value, _) => Err(format!("the query gave {value}, neither 1 nor 0")),
            },
            Asks::Endpoint(need, pointer) => {
                let (answer, body) = answered(evidence, need)?;
                let json: Value = serde_json::from_str(body)
                    .map_err(|_| format!("{} did not answer with JSON: {}", need.endpoint, safe(first(body), 80)))?;
                let value =
                    json.pointer(pointer).ok_or_else(|| format!("{} has nothing at {pointer}", need.endpoint))?;
                let flag = flag(value).ok_or_else(|| {
                    format!("{} says {}, neither on nor off", need.endpoint, safe(&value.to_string(), 80))
                })?;
                Ok((flag, format!("{value} at {}", answer.at.strftime("%H:%M:%S UTC"))))
            }
        }
    }
}

fn first(body: &str) -> &str {
    body.lines().next().unwrap_or_default()
}

#[cfg(test)]
#[path = "flag_tests.rs"]
mod tests;
