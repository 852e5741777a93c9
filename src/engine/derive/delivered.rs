//! What brings a region's workload, beside what the region shows: alarms.

use crate::domain::delivery::{Delivery, OperationPhase, Sync};
use crate::domain::fleet::DeliveryRef;
use crate::domain::id::RegionIx;
use crate::engine::scene::Scene;
use crate::engine::state::RegionState;

/// What is wrong with it, one line each.
pub(super) fn alarms(scene: &Scene<'_>, at: RegionIx, region: &RegionState) -> Vec<String> {
    let Some(spec) = scene.service.region(at).and_then(|r| r.delivery.as_ref()) else { return Vec::new() };
    let name = scene.region_name(at);
    let tool = crate::delivery::tool(&spec.kind).map_or("its delivery tool", |t| t.name());
    let whose = object(spec);
    // A cluster that is not heard is an alarm of its own; what was known of it is old.
    let cluster = scene.world.clusters.get(spec.cluster.at());
    if !cluster.is_some_and(|c| c.freshness(scene.world.stamp).is_live()) {
        return Vec::new();
    }
    let Some(delivery) = &region.delivery else {
        let absent = region.delivery_absent.then(|| format!("{name}: {whose} does not exist"));
        return absent.into_iter().collect();
    };
    let mut alarms = Vec::new();
    if delivery.ignored {
        alarms.push(format!("{name}: {tool} is told to leave {whose} alone: what it says of it is old"));
    }
    if delivery.deleting {
        alarms.push(format!("{name}: {whose} is being deleted"));
    }
    alarms.extend(failed(delivery).map(|why| format!("{name}: the last sync of {whose} failed: {why}")));
    alarms.extend(delivery.troubles.iter().map(|trouble| format!("{name}: {whose}: {trouble}")));
    let settled = region.workload.as_ref().is_some_and(|w| w.settled());
    if settled && delivery.sync == Sync::OutOfSync && delivery.automated.is_none() {
        alarms.push(format!(
            "{name}: {whose} is OutOfSync: whoever syncs it replaces what runs with {}",
            delivery.follows()
        ));
    }
    alarms
}

fn object(spec: &DeliveryRef) -> String {
    format!("{} {}/{}", spec.kind, spec.namespace, spec.name)
}

fn failed(delivery: &Delivery) -> Option<&str> {
    let operation = delivery.operation.as_ref()?;
    let failed = matches!(operation.phase, OperationPhase::Failed | OperationPhase::Error);
    // What is in sync now was brought by another way.
    (failed && delivery.sync != Sync::Synced).then(|| operation.message.as_deref().unwrap_or("no reason given"))
}

/// Who brings a region's workload, to follow a sentence about somebody else's write.
pub(super) fn owner(scene: &Scene<'_>, at: RegionIx) -> Option<String> {
    let spec = scene.service.region(at)?.delivery.as_ref()?;
    let tool = crate::delivery::tool(&spec.kind)?.name();
    Some(format!(", brought by {tool} ({})", object(spec)))
}
