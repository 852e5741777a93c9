//! `freshness`: what is judged was heard just now; stale evidence closes the gate.

use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::link::Freshness as Link;
use crate::domain::stamp::short;
use crate::domain::text::safe;
use crate::domain::verdict::{Judgement, Verdict};

/// The gate type.
pub struct Freshness;

impl GateType for Freshness {
    fn name(&self) -> &'static str {
        "freshness"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "The region's cluster is heard, and its workload was seen: stale evidence is no evidence."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
    fn build(&self, _params: &Params, _service: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Ok(Box::new(Self))
    }
}

impl Gate for Freshness {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let name = &evidence.region.name;
        let age = |age: std::time::Duration| short(age.try_into().unwrap_or_default());
        match &evidence.freshness {
            Link::Never => Judgement::new(Verdict::NoData, "?", format!("{name}: its cluster was not heard yet")),
            Link::Late(late) => {
                let sentence = format!("{name}: its cluster has been silent for {}", age(*late));
                Judgement::new(Verdict::NoData, format!("~ {}", age(*late)), sentence)
            }
            Link::Lost(last, reason) => {
                let (word, why) = reason.text();
                let last = last.map_or_else(|| "never heard".to_owned(), |l| format!("last heard {} ago", age(l)));
                let sentence = format!("{name}: its cluster is {word} ({last}): {}", safe(why, 160));
                Judgement::new(Verdict::NoData, "~ stale", sentence)
            }
            Link::Live if evidence.workload.is_none() => {
                Judgement::new(Verdict::NoData, "?", format!("{name}: the workload was not seen"))
            }
            Link::Live => Judgement::new(Verdict::Go, "live", format!("{name} is heard")),
        }
    }
}
