//! What is usable but should be looked at.

use super::super::error::Severity;
use super::super::source::{At, Span};
use super::Build;
use super::clusters::Clusters;
use super::prometheus::Prometheuses;
use super::region::Regions;
use super::topology::{RingDraft, TopologyDraft};
use crate::domain::fleet::{Better, Fleet, GateSpec, Region, Service};
use crate::gates::JUDGED_SPAN;
use jiff::civil::Date;

/// Where a service's parts are written.
pub(super) struct Places<'p> {
    pub service: Span,
    pub rings: &'p [RingDraft],
}

/// A ring that others wait for needs an exit gate; the last one may go without.
pub(super) fn no_exit_gate(build: &Build<'_>, ring: &RingDraft, service: &str, last: bool) {
    let name = &ring.name.value;
    let fix = "add `\"ready\"` and a `bake` to its `exit`";
    if last {
        let message =
            format!("ring `{name}` of service `{service}` has no exit gate: nothing says when the release is done");
        build.problems.put(Severity::Note, "no-exit-gate", ring.name.at, message, fix);
    } else {
        let message = format!("ring `{name}` of service `{service}` has no exit gate: nothing can be promoted from it");
        build.problems.error("no-exit-gate", ring.name.at, message, fix);
    }
}

/// Exit gates that let a release through too easily.
pub(super) fn exit_gates(build: &Build<'_>, ring: &RingDraft, gates: &[GateSpec], by_default: bool, last: bool) {
    let name = &ring.name.value;
    let has = |gate: &str| gates.iter().any(|g| &*g.gate == gate);
    if gates.is_empty() || by_default {
        return;
    }
    for (gate, why) in [
        ("ready", "later rings may start while this one is still rolling out"),
        ("bake", "later rings may start at once"),
    ] {
        if !has(gate) && !last {
            let message = format!("the exit gates of ring `{name}` have no `{gate}`: {why}");
            build.problems.put(
                Severity::Finding,
                "weak-exit",
                ring.name.at,
                message,
                format!("add `{gate}` to its `exit`"),
            );
        }
    }
    let longest = gates.iter().filter_map(|g| g.params.text("for").and_then(crate::gates::bake_length)).max();
    let judged = std::time::Duration::try_from(JUDGED_SPAN).unwrap_or_default();
    let windows = ["threshold", "baseline", "resources", "coverage"].iter().any(|gate| has(gate));
    if longest.is_some_and(|l| l > judged) && windows {
        let message = format!("ring `{name}` bakes for longer than the 7 days that metric gates look back");
        build.problems.put(Severity::Finding, "long-bake", ring.name.at, message, "bake for at most `7d`");
    }
}

/// A capacity is measured before it is written down.
pub(super) fn measured(build: &Build<'_>, measured: &At<Date>) {
    if build.given.today.is_some_and(|today| measured.value > today) {
        let message = format!("{} is in the future", measured.value);
        let fix = "write the day of the measurement: `measured = 2026-05-01`";
        build.problems.put(Severity::Finding, "future-capacity", measured.at, message, fix);
    }
}

/// What is odd about a service as a whole.
pub(super) fn service(build: &Build<'_>, service: &Service, places: &Places<'_>, prometheuses: &Prometheuses) {
    let put = |severity, code, at, message: String, fix: &str| build.problems.put(severity, code, at, message, fix);
    let name = &service.name;
    if prometheuses.names.is_empty() {
        let message =
            format!("no Prometheus is configured: service `{name}` has no metrics, and its exposure counts as 100 %");
        put(Severity::Note, "no-prometheus", places.service, message, "add `[prometheus.NAME]` with its `url`");
    } else if service.traffic_column().is_none() {
        let message = format!("no column of service `{name}` measures traffic: its exposure counts as 100 %");
        put(
            Severity::Note,
            "no-traffic-column",
            places.service,
            message,
            "write `traffic = true` in one `[column.NAME]`",
        );
    }
    let judged = |gates: &[GateSpec]| gates.iter().any(|g| g.params.text("column").is_some());
    for (ring, place) in service.rings.iter().zip(places.rings) {
        for region in ring.regions.iter().filter_map(|at| service.region(*at)) {
            let known = prometheuses.of_cluster.get(region.cluster.at()).copied().flatten().is_some();
            if !known && judged(&ring.exit_gates) {
                let at = place.regions.iter().find(|r| r.value == region.name.as_str()).map_or(place.name.at, |r| r.at);
                let message =
                    format!("region `{}` has no Prometheus: its thresholds will always say NO DATA", region.name);
                put(Severity::Finding, "no-prometheus", at, message, "write `prometheus = \"…\"` in its cluster");
            }
        }
        for gate in &ring.exit_gates {
            wrong_way(build, service, gate, place);
        }
    }
}

/// A bound on the side that is good.
fn wrong_way(build: &Build<'_>, service: &Service, gate: &GateSpec, place: &RingDraft) {
    let Some(column) = gate.params.text("column").and_then(|c| service.column(c)) else { return };
    let has = |bound: &str| gate.params.0.contains_key(bound);
    let (bound, way) = match column.better {
        Better::Lower if has("min") && !has("max") => ("min", "lower"),
        Better::Higher if has("max") && !has("min") => ("max", "higher"),
        _ => return,
    };
    let other = if bound == "min" { "max" } else { "min" };
    let message = format!("`{bound}` bounds column `{}` on its good side: {way} is better there", column.name);
    build.problems.put(
        Severity::Finding,
        "bound-on-good-side",
        place.name.at,
        message,
        format!("did you mean `{other}`?"),
    );
}

/// What is written and never used.
pub(super) fn unused(
    build: &Build<'_>,
    clusters: &Clusters,
    prometheuses: &Prometheuses,
    regions: &Regions<'_>,
    topologies: &[TopologyDraft],
    fleet: &Fleet,
) {
    let note = |at: Span, what: &str, name: &str| {
        let message = format!("{what} `{name}` is not used");
        build.problems.put(Severity::Note, "unused", at, message, "take it out, or use it");
    };
    let all = || fleet.services.iter().flat_map(|s| &s.regions);
    for (at, name) in clusters.names.iter().enumerate() {
        let holds = |r: &Region| {
            let others = [r.route.as_ref().map(|r| r.cluster), r.delivery.as_ref().map(|d| d.cluster)];
            [Some(r.cluster)].into_iter().chain(others).flatten().any(|c| c.at() == at)
        };
        let used = all().any(holds);
        if !used {
            note(name.at, "cluster", &name.value);
        }
    }
    for name in &prometheuses.names {
        let of =
            |server: &str| server == name.value || server.strip_prefix(&name.value).is_some_and(|r| r.starts_with('/'));
        let used = prometheuses
            .of_cluster
            .iter()
            .flatten()
            .any(|at| prometheuses.servers.get(at.at()).is_some_and(|s| of(&s.name)));
        if !used {
            note(name.at, "prometheus", &name.value);
        }
    }
    for (name, (place, _)) in &regions.tables {
        if !all().any(|r| r.name.as_str() == name) {
            note(place.at, "region", name);
        }
    }
    for topology in topologies.iter().filter(|t| !t.used.get()) {
        note(topology.name.at, "topology", &topology.name.value);
    }
}
