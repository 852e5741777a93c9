//! `delivered`: what brings the region's workload says that it is in sync and healthy.

use super::{only_if_seen, silence};
use crate::domain::delivery::{Delivery, Health, OperationPhase, Sync};
use crate::domain::fleet::{Params, Service};
use crate::domain::gate::{Evidence, Gate, GateRole, GateType, Need, ParamError, Parameter};
use crate::domain::id::RingIx;
use crate::domain::verdict::{Judgement, Verdict};

/// What a delivery tool says of what it brought.
pub struct Delivered;

impl GateType for Delivered {
    fn name(&self) -> &'static str {
        "delivered"
    }
    fn role(&self) -> GateRole {
        GateRole::Both
    }
    fn about(&self) -> &'static str {
        "What brings the workload from a repository (`[service.NAME.delivery]`) is Synced and Healthy, and does nothing. Waits while it syncs or progresses, and while it is out of sync; NO-GO when it is degraded, lost a part, failed to sync or is being deleted; what it cannot tell, or what is not heard of it, is NO DATA."
    }
    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
    fn build(&self, _: &Params, _: &Service) -> Result<Box<dyn Gate>, ParamError> {
        Ok(Box::new(Delivered))
    }
    fn fits(&self, _: &Params, service: &Service, ring: RingIx) -> Result<(), ParamError> {
        let mut regions = service.ring(ring).into_iter().flat_map(|r| &r.regions).filter_map(|at| service.region(*at));
        match regions.find(|r| r.delivery.is_none()) {
            None => Ok(()),
            Some(region) => Err(ParamError::new(
                "gate",
                format!("nothing that delivers `{}` is configured: name it in `[service.NAME.delivery]`", region.name),
            )),
        }
    }
}

impl Gate for Delivered {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        let region = &evidence.region.name;
        let no_data =
            |cell: &'static str, what: String| Judgement::new(Verdict::NoData, cell, format!("{region}: {what}"));
        let Some(spec) = &evidence.region.delivery else {
            return no_data("none", "nothing that delivers it is configured".to_owned());
        };
        let object = format!("{} {}/{}", spec.kind, spec.namespace, spec.name);
        let judged = match evidence.delivery {
            None => no_data("unseen", format!("{object} was not seen")),
            Some(delivery) => {
                let (verdict, cell, says) = judge(delivery);
                Judgement::new(verdict, cell, format!("{region}: {object} {says}"))
            }
        };
        let judged = match silence(&evidence.delivery_freshness) {
            Some(why) if judged.verdict < Verdict::NoData => {
                no_data("NO LINK", format!("{object}: {why}; last known: {}", judged.sentence))
            }
            _ => judged,
        };
        only_if_seen(evidence, judged)
    }
}

/// Verdict, cell, and what follows the object's name.
fn judge(delivery: &Delivery) -> (Verdict, String, String) {
    let words = format!("{}, {}", delivery.sync.word(), delivery.health.word());
    let said = |verdict, cell: &str, says: String| (verdict, cell.to_owned(), says);
    if delivery.deleting {
        return said(Verdict::NoGo, "deleting", "is being deleted".to_owned());
    }
    if delivery.ignored {
        let says = format!("is left alone by its tool, so what it says is old ({words})");
        return said(Verdict::NoData, "left alone", says);
    }
    let operation = delivery.operation.as_ref();
    let why = operation.and_then(|o| o.message.as_deref()).unwrap_or("no reason given");
    let failed = operation.is_some_and(|o| matches!(o.phase, OperationPhase::Failed | OperationPhase::Error));
    if failed && delivery.sync != Sync::Synced {
        return said(Verdict::NoGo, "sync failed", format!("failed to sync: {why}"));
    }
    match delivery.health {
        Health::Degraded | Health::Missing => {
            return said(Verdict::NoGo, &delivery.health.word().to_lowercase(), format!("is {words}"));
        }
        Health::Unknown => return said(Verdict::NoData, "unknown", format!("is {words}")),
        Health::Healthy | Health::Suspended | Health::Progressing => {}
    }
    if delivery.sync == Sync::Unknown {
        let trouble = delivery.troubles.first().map(|t| format!(": {t}")).unwrap_or_default();
        return said(Verdict::NoData, "unknown", format!("is {words}{trouble}"));
    }
    if let Some(open) = operation.filter(|o| o.phase.is_open()) {
        return said(Verdict::Wait, "syncing", format!("is syncing ({})", open.phase.word()));
    }
    match (delivery.sync, delivery.health) {
        (Sync::Synced, Health::Healthy) => said(Verdict::Go, "synced", format!("is {words}")),
        (Sync::OutOfSync, _) => {
            let waits = if delivery.automated.is_some() { "" } else { ", and waits for somebody to sync it" };
            said(Verdict::Wait, "out of sync", format!("is {words}{waits}"))
        }
        _ => said(Verdict::Wait, &delivery.health.word().to_lowercase(), format!("is {words}")),
    }
}

#[cfg(test)]
#[path = "delivered_tests.rs"]
mod tests;
