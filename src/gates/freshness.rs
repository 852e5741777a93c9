//! `freshness`: the region is heard, its workload is seen, and its record can be read.

use super::silence;
use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::verdict::{Judgement, Verdict};

/// What the board shows of the region is what is there now.
pub struct FreshnessGate;

impl GateType for FreshnessGate {
    fn name(&self) -> &'static str {
        "freshness"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "The cluster is heard (an event, a bookmark or a renewed watch within 45 s), the workload is seen, and the shared record can be read. NO DATA otherwise, never better."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
    fn build(&self, _: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Ok(Box::new(FreshnessGate))
    }
}

impl Gate for FreshnessGate {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        if let Some(why) = silence(&evidence.freshness) {
            return Judgement::new(Verdict::NoData, "NO LINK", format!("{region}: {why}"));
        }
        let object = &evidence.region.workload;
        if evidence.workload.is_none() {
            let sentence = format!("{region}: {} {}/{} was not seen", object.kind, object.namespace, object.name);
            return Judgement::new(Verdict::NoData, "unseen", sentence);
        }
        if let Some(why) = &evidence.record_unread {
            let sentence =
                format!("{region}: its shared record could not be read, so a hold there would not be seen: {why}");
            return Judgement::new(Verdict::NoData, "no record", sentence);
        }
        Judgement::new(Verdict::Go, "live", format!("{region}: heard, and {} {} is seen", object.kind, object.name))
    }
}
