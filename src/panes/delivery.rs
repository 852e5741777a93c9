//! What brings a region's workload, as lines of its description.

use super::detail::entry;
use super::scene::{RegionScene, Scene};
use crate::domain::delivery::{Delivery, Health, Operation, OperationPhase, Sync};
use crate::look::{Line, Role};

/// None where the configuration names nothing.
pub(super) fn lines(scene: &Scene<'_>, region: &RegionScene<'_>) -> Vec<Line> {
    let Some(spec) = &region.spec.delivery else { return Vec::new() };
    let name = format!("{} {}/{}", spec.kind, spec.namespace, spec.name);
    let Some(delivery) = &region.state.delivery else {
        let why = if region.state.delivery_absent { "does not exist" } else { "not seen" };
        return vec![entry("delivery", Role::NoData, format!("? {name} {why}"))];
    };
    let heard = scene.engine.clusters.get(spec.cluster.at()).is_some_and(|c| c.freshness(scene.clock).is_live());
    let said = format!("{}, {}", delivery.sync.word(), delivery.health.word());
    let said = if heard {
        entry("", role(delivery), format!("{} {said}", sign(delivery)))
    } else {
        // It may be in another cluster than the workload, and that one may be away alone.
        let cluster = scene.engine.fleet.cluster_name(spec.cluster);
        entry("", Role::Stale, format!("~ {said}: last known, {cluster} is not heard"))
    };
    let mut lines = vec![
        entry("delivery", Role::Text, format!("{name}, {}", delivery.policy())),
        said,
        entry("follows", Role::Text, delivery.follows()),
    ];
    if let Some(deployed) = &delivery.deployed {
        let when = deployed.at.map(|at| format!(" at {}", at.strftime("%d %b %H:%M UTC"))).unwrap_or_default();
        lines.push(entry("brought", Role::Text, format!("{}{when}", deployed.revisions.join(", "))));
    }
    if let Some(operation) = delivery.operation.as_ref().filter(|o| o.phase != OperationPhase::Succeeded) {
        lines.push(operation_line(operation));
    }
    if let Some(set) = &delivery.generated_by {
        lines.push(entry("made by", Role::Watch, format!("! ApplicationSet {set} puts changes of it back")));
    }
    if delivery.ignored {
        lines.push(entry("", Role::Watch, "! told to leave it alone (skip-reconcile): this is old".to_owned()));
    }
    lines.extend(delivery.troubles.iter().map(|trouble| entry("trouble", Role::NoGo, format!("✗ {trouble}"))));
    lines
}

fn operation_line(operation: &Operation) -> Line {
    let by = operation.by.as_ref().map(|by| format!(" for {by}")).unwrap_or_default();
    let why = operation.message.as_ref().map(|m| format!(": {m}")).unwrap_or_default();
    let (role, sign) = if operation.phase.is_open() { (Role::Text, "▸") } else { (Role::NoGo, "✗") };
    entry("sync", role, format!("{sign} {}{by}{why}", operation.phase.word()))
}

fn role(delivery: &Delivery) -> Role {
    match (delivery.sync, delivery.health) {
        (_, Health::Degraded | Health::Missing) => Role::NoGo,
        (Sync::Synced, Health::Healthy) => Role::Go,
        (Sync::Unknown, _) | (_, Health::Unknown) => Role::NoData,
        _ => Role::Watch,
    }
}

fn sign(delivery: &Delivery) -> &'static str {
    match role(delivery) {
        Role::NoGo => "✗",
        Role::Go => "✓",
        Role::NoData => "?",
        _ => "!",
    }
}
