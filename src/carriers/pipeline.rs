//! A pipeline of another system: a command or an HTTP request of the configuration brings the version.

use serde_json::Value;

use super::{Carried, Carrier, CarrierRead, Order, Way};
use crate::domain::carrier::CarrierRef;
use crate::domain::change::Change;
use crate::domain::deed::Deed;
use crate::domain::fleet::Region;
use crate::domain::id::Text;
use crate::domain::outside::Outside;
use crate::domain::pipeline::{FROM, VERSION};
use crate::domain::plan::DiffLine;
use crate::kinds::Still;

/// Pipelines.
pub struct Pipeline;

impl Carrier for Pipeline {
    fn name(&self) -> &'static str {
        "pipeline"
    }

    fn carries(&self, wanted: &CarrierRef) -> bool {
        matches!(wanted, CarrierRef::Pipeline(_))
    }

    fn reads(&self, _region: &Region) -> Option<CarrierRead> {
        None
    }

    fn carry(&self, order: &Order<'_>) -> Result<Carried, Still> {
        let Some(pipeline) = order.region.pipeline() else { return Err(left_out("promote")) };
        let (verb, deed) = match order.way {
            Way::Forward => ("promote", pipeline.promote.as_ref()),
            // Where nothing is said of the way back, the version that ran before is brought like any other.
            Way::Back(_) => ("rollback", pipeline.roll_back.as_ref().or(pipeline.promote.as_ref())),
        };
        let deed = deed.ok_or_else(|| left_out(verb))?;
        let whereabouts = order.service.names_of(order.fleet, order.region);
        let mut names = whereabouts.each().to_vec();
        names.extend([(VERSION, &*order.to.0), (FROM, &*order.from.0)]);
        let outside = filled(deed, &pipeline.name, verb, &names)?;
        let mut diff = vec![DiffLine {
            field: "version".into(),
            from: Some(Value::from(&*order.from.0)),
            to: Some(Value::from(&*order.to.0)),
        }];
        diff.extend(shown(&outside));
        Ok(Carried {
            change: Change::Outside(outside),
            diff,
            remembers: Vec::new(),
            warnings: Vec::new(),
            proposed: false,
        })
    }
}

/// A deed with its names filled in, or why it cannot be sent.
pub(crate) fn filled(deed: &Deed, pipeline: &str, verb: &str, names: &[(&str, &str)]) -> Result<Outside, Still> {
    deed.filled(&format!("pipeline {pipeline}: {verb}"), names).map_err(|why| Still {
        code: "carrier",
        why: format!("cannot be told to {verb}: {why}"),
        hint: format!("look at `{verb}` in `[pipeline.{pipeline}]`"),
    })
}

/// A verb that its pipeline does not have.
fn left_out(verb: &str) -> Still {
    Still {
        code: "carrier",
        why: format!("has a pipeline that cannot {verb}: its configuration says nothing of it"),
        hint: format!("add `{verb}` to its `[pipeline.NAME]`"),
    }
}

/// What is sent, line by line: the command, the variables that it gets by name, or the request with its body.
pub fn shown(outside: &Outside) -> Vec<DiffLine> {
    let line = |field: &str, to: Value| DiffLine { field: field.into(), from: None, to: Some(to) };
    match outside {
        Outside::Run(run) => {
            let mut lines = vec![line("command", outside.path().into())];
            if !run.env.is_empty() {
                let names: Vec<&str> = run.env.iter().map(|name| &**name).collect();
                lines.push(line("with the variables", names.join(", ").into()));
            }
            lines
        }
        Outside::Call(call) => {
            let mut lines = vec![line("request", format!("{} {}", call.method, outside.path()).into())];
            if !call.body.is_empty() {
                lines.push(line("body", body(&call.body)));
            }
            lines
        }
        Outside::Git(_) => Vec::new(),
    }
}

fn body(text: &Text) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(&**text))
}
