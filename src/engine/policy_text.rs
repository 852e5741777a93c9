//! The resolved policy of a service as text: what its hash is made of, what a guard tells beside its heartbeat,
//! and which settings of two of them differ.

use std::fmt::Write as _;

use crate::domain::carrier::{ApplicationField, CarrierRef};
use crate::domain::fleet::{Carry, CarryValue, Column, GateSpec, OnHold, Param, QueryText, Service, Unit, VersionFrom};
use crate::domain::id::Text;
use crate::domain::policy::{Reaction, RingPolicy};
use crate::domain::version::sha256_hex;

/// What is longer is not told beside a heartbeat, in bytes.
pub const MOST_TOLD: usize = 16 * 1024;

/// How the paths of endpoints that gates ask are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paths {
    /// As configured: for the hash, and for who has the configuration.
    Whole,
    /// As a hash: a path may hold a secret, and only whether it is another matters.
    Hashed,
}

/// The resolved topology and policy of a service, as it is hashed: one fact per line, in a fixed order,
/// texts quoted as JSON. `name` tells how a cluster is called.
pub fn policy_text(service: &Service, name: &dyn Fn(usize) -> String) -> String {
    text(service, name, Paths::Whole)
}

/// The same as others may read it: paths of endpoints are hashes. None where it is longer than [`MOST_TOLD`].
pub fn told_text(service: &Service, name: &dyn Fn(usize) -> String) -> Option<Text> {
    let text = text(service, name, Paths::Hashed);
    (text.len() <= MOST_TOLD).then(|| text.into())
}

fn text(service: &Service, name: &dyn Fn(usize) -> String, paths: Paths) -> String {
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
                if !r.steps.is_empty() {
                    let _ = writeln!(out, "drain steps {:?} dwell {}", r.steps, r.dwell.as_millis());
                }
            }
            if let Some(d) = &region.delivery {
                let (holder, namespace) = (cluster(d.cluster.at()), quoted(d.namespace.as_str()));
                let _ = writeln!(out, "delivery {} {holder} {namespace} {}", quoted(&d.kind), quoted(&d.name));
                let _ = match d.on_hold {
                    OnHold::Leave => Ok(()),
                    OnHold::Stop => writeln!(out, "delivery hold stop"),
                    OnHold::Terminate => writeln!(out, "delivery hold terminate"),
                };
            }
            if let Some(CarrierRef::Application(carrier)) = &region.carrier {
                let source = carrier.source.as_ref().map(|s| quoted(s)).unwrap_or_default();
                let field = match &carrier.field {
                    ApplicationField::TargetRevision => "revision".to_owned(),
                    ApplicationField::KustomizeImage(name) => {
                        format!("image {}", name.as_ref().map(|n| quoted(n)).unwrap_or_default())
                    }
                    ApplicationField::HelmParameter(name) => format!("parameter {}", quoted(name)),
                    ApplicationField::Sync => "sync".to_owned(),
                };
                let _ = writeln!(out, "carrier application {source} {field} {}", quoted(&carrier.template));
            }
            if let Some(pipeline) = region.pipeline() {
                let _ = writeln!(out, "pipeline {} reports {}", quoted(&pipeline.name), pipeline.state.is_some());
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
        ring.exit_gates.iter().for_each(|g| gate(&mut out, "exit", g, service, paths));
        ring.entry_gates.iter().for_each(|g| gate(&mut out, "entry", g, service, paths));
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
fn gate(out: &mut String, role: &str, gate: &GateSpec, service: &Service, paths: Paths) {
    let _ = write!(out, "{role} {}", quoted(&gate.gate));
    for (name, value) in &gate.params.0 {
        let value = match value {
            // `60m`, `1h` and `long-soak` are one rule.
            Param::Text(text) if name == "path" && paths == Paths::Hashed => {
                let hash: String = sha256_hex(text.as_bytes()).chars().take(8).collect();
                format!("#{hash}")
            }
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

/// A setting that two policies have differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In which ring; empty: of the service as a whole.
    pub ring: Text,
    /// As one has it; none: it lacks it.
    pub ours: Option<Text>,
    /// As the other has it; none: it lacks it.
    pub theirs: Option<Text>,
}

/// The settings that two policies have differently, in the order of ours; then what only the other has.
pub fn differences(ours: &str, theirs: &str) -> Vec<Difference> {
    let (mine, others) = (settings(ours), settings(theirs));
    let mut left: Vec<(&str, &str)> = others.clone();
    let mut lacking: Vec<(&str, &str)> = Vec::new();
    for setting in mine {
        match left.iter().position(|other| *other == setting) {
            Some(at) => drop(left.remove(at)),
            None => lacking.push(setting),
        }
    }
    let text = |line: &str| Some(Text::from(line));
    let mut found = Vec::new();
    for (ring, line) in lacking {
        // The same setting with another value, where there is one.
        let other = left.iter().position(|(r, l)| *r == ring && subject(l) == subject(line));
        let theirs = other.map(|at| left.remove(at)).and_then(|(_, l)| text(l));
        found.push(Difference { ring: ring.into(), ours: text(line), theirs });
    }
    found.extend(left.into_iter().map(|(ring, l)| Difference { ring: ring.into(), ours: None, theirs: text(l) }));
    found
}

/// Each line with the ring that it is about.
fn settings(text: &str) -> Vec<(&str, &str)> {
    let mut ring = "";
    let mut all = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("ring ") {
            ring = rest.split(" parallelism ").next().unwrap_or(rest).trim_matches('"');
        }
        all.push((ring, line));
    }
    all
}

/// What a line is about: its first word, and the name that follows if there is one.
fn subject(line: &str) -> (&str, &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let name = rest.split(' ').next().filter(|n| n.starts_with('"')).unwrap_or_default();
    (word, name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::domain::fleet::Params;

    const OURS: &str = "gonogo policy 1\nring \"ring-0\" parallelism 1 stagger 0\nexit \"bake\" for=86400000ms\nring \"ring-1\" parallelism 1 stagger 0\nexit \"bake\" for=86400000ms\nexit \"ready\"\n";

    #[test]
    fn what_differs_is_named_with_its_ring_and_both_values() {
        assert!(differences(OURS, OURS).is_empty());
        let theirs = OURS
            .replacen("for=86400000ms\nring", "for=28800000ms\nring", 1)
            .replace("exit \"ready\"", "exit \"alerts\"");
        let line = |ring: &str, ours: Option<&str>, theirs: Option<&str>| Difference {
            ring: ring.into(),
            ours: ours.map(Text::from),
            theirs: theirs.map(Text::from),
        };
        let expected = [
            line("ring-0", Some("exit \"bake\" for=86400000ms"), Some("exit \"bake\" for=28800000ms")),
            line("ring-1", Some("exit \"ready\""), None),
            line("ring-1", None, Some("exit \"alerts\"")),
        ];
        assert_eq!(differences(OURS, &theirs), expected);
    }

    #[test]
    fn a_path_is_told_as_a_hash_and_what_is_too_long_not_at_all() {
        let mut service = crate::engine::fixture::release().fleet.services[0].clone();
        let params = |path: &str| Params([("path".to_owned(), Param::Text(path.to_owned()))].into());
        let gate = |path: &str| GateSpec { gate: "webhook".into(), label: "webhook".into(), params: params(path) };
        service.rings[0].exit_gates.push(gate("/hook?token=s3cret"));
        let name = |_: usize| "a".to_owned();
        let told = told_text(&service, &name).unwrap();
        assert!(policy_text(&service, &name).contains("s3cret"));
        assert!(!told.contains("s3cret") && told.contains("path=#"), "{told}");
        service.rings[0].exit_gates.pop();
        service.rings[0].exit_gates.push(gate("/hook?token=other"));
        assert_eq!(differences(&told, &told_text(&service, &name).unwrap()).len(), 1, "that it is another is told");
        service.deciders = (0..2_000).map(|n| Text::from(format!("person-{n}"))).collect();
        assert_eq!(told_text(&service, &name), None);
    }

    #[test]
    fn a_text_of_somebody_else_is_only_text() {
        for hostile in ["", "\n\n", "ring", "ring \u{1b}[2J", "\u{202e}exit \"bake\""] {
            assert!(!differences(OURS, hostile).is_empty());
            assert_eq!(differences(hostile, hostile), []);
        }
    }
}
