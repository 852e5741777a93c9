//! The policy hash: consoles that judge by other rules notice each other.

use std::fmt::Write as _;

use super::super::source::At;
use crate::domain::fleet::{Carry, CarryValue, Column, GateSpec, Param, QueryText, Service, Unit, VersionFrom};
use crate::domain::id::Text;
use crate::domain::policy::{Reaction, RingPolicy};
use crate::domain::version::sha256_hex;

/// First 16 hex digits of the SHA-256 of a service's resolved topology and policy.
///
/// What only people read (labels, owners, titles, links) and how this console reaches
/// clusters (contexts, kubeconfigs) is no part of it.
pub(super) fn policy(service: &Service, clusters: &[At<String>]) -> Text {
    let text = policy_text(service, &|at| clusters.get(at).map_or_else(|| "?".to_owned(), |c| c.value.clone()));
    sha256_hex(text.as_bytes()).chars().take(16).collect::<String>().into()
}

/// The resolved topology and policy of a service, as it is hashed: one fact per line, in a fixed order,
/// texts quoted as JSON. `name` tells how a cluster is called.
pub fn policy_text(service: &Service, name: &dyn Fn(usize) -> String) -> String {
    // Writing to a String cannot fail.
    let mut out = String::from("gonogo policy 1\n");
    let cluster = |at: usize| quoted(&name(at));
    let _ = writeln!(out, "service {} freeze {}", quoted(service.name.as_str()), service.freeze);
    let _ = match &service.version_from {
        VersionFrom::Image => writeln!(out, "version image"),
        VersionFrom::Label(key) => writeln!(out, "version label {}", quoted(key)),
        VersionFrom::Annotation(key) => writeln!(out, "version annotation {}", quoted(key)),
    };
    for carry in &service.carries {
        let _ = match carry {
            Carry::Image => writeln!(out, "carry image"),
            Carry::ImageRef => writeln!(out, "carry image:ref"),
            Carry::Pointer { path, value: CarryValue::Verbatim } => {
                writeln!(out, "carry {}", quoted(&path.to_string()))
            }
            Carry::Pointer { path, value: CarryValue::Template(text) } => {
                writeln!(out, "carry {} as {}", quoted(&path.to_string()), quoted(text))
            }
        };
    }
    let policy = &service.policy;
    for decider in &service.deciders {
        let _ = writeln!(out, "decider {}", quoted(decider));
    }
    let _ = writeln!(out, "policy actions {} breaker {}", policy.actions, policy.breaker);
    for (at, ring) in service.rings.iter().enumerate() {
        let stagger = ring.stagger.map_or(0, |s| s.as_millis());
        let _ = writeln!(out, "ring {} parallelism {} stagger {stagger}", quoted(ring.name.as_str()), ring.parallelism);
        for region in ring.regions.iter().filter_map(|at| service.region(*at)) {
            let w = &region.workload;
            let _ = writeln!(
                out,
                "region {} cluster {} {} {} {} {}",
                quoted(region.name.as_str()),
                cluster(region.cluster.at()),
                quoted(&w.kind),
                quoted(w.namespace.as_str()),
                quoted(&w.name),
                quoted(&w.container)
            );
            if let Some(r) = &region.route {
                let (holder, namespace) = (cluster(r.cluster.at()), quoted(r.namespace.as_str()));
                let (provider, name, backend) = (quoted(&r.provider), quoted(&r.name), quoted(&r.backend));
                let _ = writeln!(out, "route {provider} {holder} {namespace} {name} {} {backend}", r.rule);
            }
            if let Some(d) = &region.delivery {
                let (holder, namespace) = (cluster(d.cluster.at()), quoted(d.namespace.as_str()));
                let _ = writeln!(out, "delivery {} {holder} {namespace} {}", quoted(&d.kind), quoted(&d.name));
            }
            if let Some(capacity) = &region.capacity {
                let _ = writeln!(out, "capacity {}", capacity.qps);
            }
            for decider in &region.deciders {
                let _ = writeln!(out, "decider {}", quoted(decider));
            }
            for absorber in &region.absorbers {
                let _ = writeln!(out, "absorber {}", quoted(absorber.as_str()));
            }
        }
        ring_policy(&mut out, &policy.ring(at.into()));
        ring.exit_gates.iter().for_each(|g| gate(&mut out, "exit", g, service));
        ring.entry_gates.iter().for_each(|g| gate(&mut out, "entry", g, service));
    }
    out
}

/// What follows a NO-GO in a ring, and who moves on. What is only an alarm is no part of it.
fn ring_policy(out: &mut String, policy: &RingPolicy) {
    let reaction = |r: &Reaction| format!("{} in {}", r.on_nogo.word(), r.scope.word());
    let fallback: Vec<&str> = policy.fallback.iter().map(|f| f.word()).collect();
    let _ = writeln!(
        out,
        "policy {} fallback {} limit {} attempts {} advance {} distance {} {}",
        reaction(&policy.reaction),
        fallback.join(","),
        policy.rollback_limit.as_millis(),
        policy.attempts,
        policy.advance.word(),
        policy.region_distance.as_millis(),
        policy.ring_distance.as_millis()
    );
    for (gate, own) in &policy.gates {
        let _ = writeln!(out, "policy gate {} {}", quoted(gate), reaction(own));
    }
}

/// The columns that a gate judges by: those it names, and the traffic where that counts.
fn columns<'s>(gate: &GateSpec, service: &'s Service) -> Vec<&'s Column> {
    let named = ["column", "budget", "evidence"].into_iter().filter_map(|name| gate.params.0.get(name));
    let names = named.flat_map(|value| match value {
        Param::Text(name) => vec![name.as_str()],
        Param::List(names) => names.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    });
    let mut columns: Vec<&Column> = names.filter_map(|name| service.column(name)).collect();
    let by_traffic = ["baseline", "burn_rate", "coverage", "min_traffic", "resources"].contains(&&*gate.gate);
    let traffic = service.traffic_column().filter(|_| by_traffic || gate.params.0.contains_key("min_traffic"));
    columns.extend(traffic.filter(|t| !columns.iter().any(|c| c.name == t.name)));
    columns
}

/// A gate with its parameters, and the queries of the columns it judges by.
fn gate(out: &mut String, role: &str, gate: &GateSpec, service: &Service) {
    let _ = write!(out, "{role} {}", quoted(&gate.gate));
    for (name, value) in &gate.params.0 {
        let value = match value {
            // `60m`, `1h` and `long-soak` are one rule.
            Param::Text(text) => match crate::gates::bake_length(text) {
                Some(length) if name == "for" => format!("{}ms", length.as_millis()),
                _ => quoted(text),
            },
            Param::Number(number) => number.to_string(),
            Param::Flag(flag) => flag.to_string(),
            Param::List(list) => list.iter().map(|t| quoted(t)).collect::<Vec<_>>().join(","),
        };
        let _ = write!(out, " {name}={value}");
    }
    for column in columns(gate, service) {
        let (query, by) = match &column.query {
            QueryText::PerRegion(query) => (query, ""),
            QueryText::ByLabel { query, label } => (query, &**label),
        };
        let unit = Unit::NAMES.iter().find(|(_, u)| *u == column.unit).map_or("", |(name, _)| *name);
        let _ = write!(out, " query={} by={} unit={unit}", quoted(query), quoted(by));
    }
    out.push('\n');
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
