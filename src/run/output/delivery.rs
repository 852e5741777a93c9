//! What brings a region's workload from a repository, as JSON.

use serde_json::{Value, json};

use crate::domain::delivery::Delivery;
use crate::domain::fleet::Region;
use crate::engine::Engine;
use crate::engine::state::RegionState;

/// None where the configuration names nothing.
pub(super) fn of(engine: &Engine, spec: &Region, state: Option<&RegionState>) -> Option<Value> {
    let delivery = spec.delivery.as_ref()?;
    let heard = engine.clusters.get(delivery.cluster.at()).is_some_and(|c| c.freshness(engine.now).is_live());
    let said = state.and_then(|s| s.delivery.as_ref());
    Some(json!({
        "kind": &*delivery.kind,
        "cluster": engine.fleet.cluster_name(delivery.cluster).as_str(),
        "namespace": delivery.namespace.as_str(),
        "name": &*delivery.name,
        "heard": heard,
        "absent": state.is_some_and(|s| s.delivery_absent),
        "says": said.map(says),
    }))
}

fn says(delivery: &Delivery) -> Value {
    let sources = delivery.sources.iter().map(|source| {
        json!({"name": source.name.as_deref(), "repository": &*source.repository, "target": source.target.as_deref()})
    });
    json!({
        "sync": delivery.sync.word(),
        "health": delivery.health.word(),
        "sources": sources.collect::<Vec<_>>(),
        "revisions": delivery.revisions.iter().map(|r| &**r).collect::<Vec<_>>(),
        "deployed": delivery.deployed.as_ref().map(|d| json!({
            "id": d.id,
            "revisions": d.revisions.iter().map(|r| &**r).collect::<Vec<_>>(),
            "at": d.at.map(|at| at.to_string()),
        })),
        "automated": delivery.automated.map(|a| json!({"self_heal": a.self_heal, "prune": a.prune, "every_seconds": a.every.map(|e| e.as_secs())})),
        "operation": delivery.operation.as_ref().map(|o| json!({
            "phase": o.phase.word(), "by": o.by.as_deref(), "message": o.message.as_deref(),
        })),
        "troubles": delivery.troubles.iter().map(|t| &**t).collect::<Vec<_>>(),
        "generated_by": delivery.generated_by.as_deref(),
        "ignored": delivery.ignored,
        "deleting": delivery.deleting,
    })
}
