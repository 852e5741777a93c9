//! Translators against objects as clusters show them: YAML in, our words out.
//!
//! One runner over the tables of kinds and providers: an entry without fixtures fails.
//! `GONOGO_BLESS=1` writes the expected texts anew; read the difference before landing it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gonogo::delivery::{self, DeliveryTool};
use gonogo::domain::fleet::{RouteRef, VersionFrom};
use gonogo::domain::id::ClusterIx;
use gonogo::domain::workload::{Phase, Progressing};
use gonogo::kinds::{self, ReadHow, WorkloadKind};
use gonogo::sim::patch;
use gonogo::traffic::{self, TrafficProvider};
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "translators/deliveries.rs"]
mod deliveries;
#[path = "translators/rollouts.rs"]
mod rollouts;
#[path = "translators/traffic.rs"]
mod traffic_objects;

fn folder(table: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(table).join(name.to_lowercase())
}

/// Fixtures of one entry: name, JSON bytes, and where the expected text is.
fn fixtures(table: &str, entry: &str) -> Vec<(String, Vec<u8>, PathBuf)> {
    let folder = folder(table, entry);
    let listed =
        std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("{entry} has no fixtures in {}", folder.display()));
    let mut found: Vec<_> = listed
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "yaml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let value: Value = serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, value.to_string().into_bytes(), path.with_extension("txt"))
        })
        .collect();
    found.sort();
    assert!(found.len() >= 5, "{entry} has only {} fixtures", found.len());
    assert!(found.iter().any(|(name, ..)| name.starts_with("garbage")), "{entry} has no garbage among its fixtures");
    found
}

/// Compares with the expected text beside the fixture.
fn golden(wrong: &mut Vec<String>, name: &str, path: &Path, text: &str) {
    if std::env::var_os("GONOGO_BLESS").is_some() {
        std::fs::write(path, text).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected != text {
        wrong.push(format!("{name}\n--- expected\n{expected}+++ read\n{text}"));
    }
}

fn how(namespace: &str, name: &str) -> Option<ReadHow> {
    ((namespace, name) == ("shop", "webapp")).then(|| ReadHow {
        container: "web".into(),
        version_from: VersionFrom::Image,
        left_out: Default::default(),
    })
}

fn read_workload(kind: &dyn WorkloadKind, object: &[u8]) -> String {
    let named = match kind.read(object, &how) {
        Err(e) => return format!("error: {e}\n"),
        Ok(None) => return "not asked for\n".to_owned(),
        Ok(Some(named)) => named,
    };
    let w = named.workload;
    let r = w.replicas;
    let mut out = String::new();
    let mut line = |name: &str, value: String| writeln!(out, "{name}: {value}").unwrap();
    line("object", format!("{}/{} uid {}", named.namespace, named.name, w.uid));
    line("generation", format!("{} observed {}", w.generation, w.observed_generation));
    line("version", format!("{} template {}", w.version, w.template.short()));
    line("image", w.image.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string));
    line("phase", format!("{}{}", w.phase.word(), if w.paused { ", paused" } else { "" }));
    line(
        "replicas",
        format!(
            "{} desired, {} total, {} updated, {} ready, {} available",
            r.desired, r.total, r.updated, r.ready, r.available
        ),
    );
    let or_none = |t: Option<String>| t.unwrap_or_else(|| "none".to_owned());
    line("progressing", or_none(w.progress.reason.as_ref().map(|t| format!("{t} at {:?}", w.progress.updated))));
    line("completed", or_none(w.completed_at().map(|t| t.to_string())));
    line("deadline", or_none(w.progress.deadline.map(|d| format!("{} s", d.as_secs()))));
    line("failure", or_none(w.progress.failure.as_ref().map(ToString::to_string)));
    line("partition", or_none(w.progress.partition.map(|p| p.to_string())));
    line("snag", or_none(w.progress.snag.as_ref().map(ToString::to_string)));
    line("revision", or_none(w.revision.map(|r| r.to_string())));
    line("cause", or_none(w.change_cause.as_ref().map(ToString::to_string)));
    line("owner", or_none(w.owner.as_ref().map(|o| format!("{} {}", o.tool.name(), o.name))));
    if let Some(steps) = &w.progress.steps {
        out.push_str(&rollouts::describe(steps));
    }
    out
}

#[test]
fn every_kind_reads_its_fixtures_as_expected() {
    let mut wrong = Vec::new();
    for kind in kinds::KINDS {
        for (name, object, path) in fixtures("kinds", kind.name()) {
            let text = read_workload(*kind, &object);
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{name}: hostile text gets through: {text:?}");
            golden(&mut wrong, &name, &path, &text);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What `kubectl rollout status` decides, written down once more from its documentation: in this
/// order, and neither `spec.paused` nor Available is looked at.
fn rollout_status(object: &Value) -> Phase {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let (updated, total) = (number("/status/updatedReplicas"), number("/status/replicas"));
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let missed = |c: &Value| c["type"] == "Progressing" && c["reason"] == "ProgressDeadlineExceeded";
    if number("/metadata/generation") > number("/status/observedGeneration") {
        Phase::Unobserved
    } else if conditions.iter().any(missed) {
        Phase::DeadlineExceeded
    } else if object.pointer("/spec/replicas").and_then(Value::as_i64).is_some_and(|wanted| updated < wanted) {
        Phase::Progressing(Progressing::Updating)
    } else if total > updated {
        Phase::Progressing(Progressing::Terminating)
    } else if number("/status/availableReplicas") < updated {
        Phase::Progressing(Progressing::Availability)
    } else {
        Phase::Complete
    }
}

#[test]
fn the_phase_of_a_deployment_is_what_kubectl_rollout_status_decides() {
    let kind = kinds::kind("Deployment").unwrap();
    let mut seen = Vec::new();
    for (name, object, _) in fixtures("kinds", "Deployment") {
        if let Ok(Some(named)) = kind.read(&object, &how) {
            let value: Value = serde_json::from_slice(&object).unwrap();
            assert_eq!(named.workload.phase, rollout_status(&value), "{name}");
            seen.push(named.workload.phase);
        }
    }
    for phase in [
        Phase::Unobserved,
        Phase::DeadlineExceeded,
        Phase::Progressing(Progressing::Updating),
        Phase::Progressing(Progressing::Terminating),
        Phase::Progressing(Progressing::Availability),
        Phase::Complete,
    ] {
        assert!(seen.contains(&phase), "no fixture shows {phase:?}");
    }
}

/// What `kubectl rollout status` decides of a StatefulSet, written down once more from its documentation:
/// an error, what is waited for, or done. A partition that is reached is done.
fn rollout_status_of_a_stateful_set(object: &Value) -> Result<Result<(), Phase>, ()> {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64);
    let zero = |path: &str| number(path).unwrap_or(0);
    if object.pointer("/spec/updateStrategy/type") != Some(&json!("RollingUpdate")) {
        return Err(());
    }
    let observed = zero("/status/observedGeneration");
    if observed == 0 || observed < zero("/metadata/generation") {
        return Ok(Err(Phase::Unobserved));
    }
    let wanted = number("/spec/replicas").unwrap_or(1);
    if zero("/status/readyReplicas") < wanted {
        return Ok(Err(Phase::Progressing(Progressing::Availability)));
    }
    let is_waiting = match number("/spec/updateStrategy/rollingUpdate/partition") {
        Some(partition) => zero("/status/updatedReplicas") < wanted - partition,
        None => object.pointer("/status/updateRevision") != object.pointer("/status/currentRevision"),
    };
    Ok(if is_waiting { Err(Phase::Progressing(Progressing::Updating)) } else { Ok(()) })
}

#[test]
fn the_phase_of_a_stateful_set_is_what_kubectl_rollout_status_decides() {
    let kind = kinds::kind("StatefulSet").unwrap();
    let mut seen = Vec::new();
    for (name, object, _) in fixtures("kinds", "StatefulSet") {
        let Ok(Some(named)) = kind.read(&object, &how) else { continue };
        let value: Value = serde_json::from_slice(&object).unwrap();
        let phase = named.workload.phase;
        match rollout_status_of_a_stateful_set(&value) {
            Err(()) => assert_eq!(phase, Phase::OnDelete, "{name}"),
            Ok(Err(waits)) => assert_eq!(phase, waits, "{name}"),
            Ok(Ok(())) => {
                let r = named.workload.replicas;
                let wanted = if r.updated < r.desired && named.workload.progress.partition.is_some() {
                    Phase::Partitioned
                } else {
                    Phase::Complete
                };
                assert_eq!(phase, wanted, "{name}");
            }
        }
        seen.push(phase);
    }
    for phase in [
        Phase::Unobserved,
        Phase::OnDelete,
        Phase::Partitioned,
        Phase::Progressing(Progressing::Updating),
        Phase::Progressing(Progressing::Availability),
        Phase::Complete,
    ] {
        assert!(seen.contains(&phase), "no fixture shows {phase:?}");
    }
}

/// What `kubectl rollout status` decides of a DaemonSet, written down once more from its documentation.
fn rollout_status_of_a_daemon_set(object: &Value) -> Phase {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let wanted = number("/status/desiredNumberScheduled");
    if object.pointer("/spec/updateStrategy/type").is_some_and(|t| t != "RollingUpdate") {
        Phase::OnDelete
    } else if number("/metadata/generation") > number("/status/observedGeneration") {
        Phase::Unobserved
    } else if number("/status/updatedNumberScheduled") < wanted {
        Phase::Progressing(Progressing::Updating)
    } else if number("/status/numberAvailable") < wanted {
        Phase::Progressing(Progressing::Availability)
    } else {
        Phase::Complete
    }
}

#[test]
fn the_phase_of_a_daemon_set_is_what_kubectl_rollout_status_decides() {
    let kind = kinds::kind("DaemonSet").unwrap();
    let mut seen = Vec::new();
    for (name, object, _) in fixtures("kinds", "DaemonSet") {
        let Ok(Some(named)) = kind.read(&object, &how) else { continue };
        let value: Value = serde_json::from_slice(&object).unwrap();
        assert_eq!(named.workload.phase, rollout_status_of_a_daemon_set(&value), "{name}");
        assert_eq!(
            kind.stands_still(&value).map(|s| s.code),
            (named.workload.phase == Phase::OnDelete).then_some("on-delete")
        );
        assert_eq!(kind.pause(&named.workload), None, "{name}: it has no pause");
        seen.push(named.workload.phase);
    }
    for phase in [
        Phase::Unobserved,
        Phase::OnDelete,
        Phase::Progressing(Progressing::Updating),
        Phase::Progressing(Progressing::Availability),
        Phase::Complete,
    ] {
        assert!(seen.contains(&phase), "no fixture shows {phase:?}");
    }
}

#[test]
fn what_a_kind_writes_to_pause_it_reads_as_paused_and_taking_it_back_restores_the_object() {
    for kind in kinds::KINDS {
        for (name, object, _) in fixtures("kinds", kind.name()) {
            let Ok(Some(named)) = kind.read(&object, &how) else { continue };
            let Some(pause) = kind.pause(&named.workload).filter(|_| !named.workload.paused) else { continue };
            let before: Value = serde_json::from_slice(&object).unwrap();
            assert_eq!(kind.un_pause(&before, None), None, "{name}: is not paused");
            assert_eq!(kind.stands_still(&before).filter(|s| s.code == "paused"), None, "{name}: is not paused");
            let mut value = before.clone();
            patch::json::apply(&mut value, &Value::Array(pause.operations)).unwrap();
            let read = |value: &Value| kind.read(value.to_string().as_bytes(), &how).unwrap().unwrap().workload;
            assert!(read(&value).paused, "{name}");
            assert_eq!(kind.stands_still(&value).map(|s| s.code), Some("paused"), "{name}");
            let un_pause = kind.un_pause(&value, pause.was.as_deref()).unwrap();
            patch::json::apply(&mut value, &Value::Array(un_pause.operations)).unwrap();
            assert_eq!(read(&value), named.workload, "{name}: as it was");
        }
    }
}

#[test]
fn the_template_that_is_tested_is_the_one_whose_digest_is_read() {
    for kind in kinds::KINDS {
        for (name, object, _) in fixtures("kinds", kind.name()) {
            let Ok(Some(named)) = kind.read(&object, &how) else { continue };
            let value: Value = serde_json::from_slice(&object).unwrap();
            let Some(template) = kind.template(&value) else {
                assert!(kind.elsewhere(&value).is_some(), "{name}: where is its template?");
                assert_eq!(kind.digest(&value), Some(named.workload.template), "{name}");
                continue;
            };
            assert_eq!(Some(template), value.pointer(kind.template_pointer()), "{name}");
            assert_eq!(gonogo::domain::version::TemplateDigest::of(template), named.workload.template, "{name}");
        }
    }
}

fn read_delivery(tool: &dyn DeliveryTool, object: &[u8]) -> String {
    let named = match tool.read(object) {
        Err(e) => return format!("error: {e}\n"),
        Ok(named) => named,
    };
    let d = named.delivery;
    let mut out = format!("object: {}/{} uid {}\n", named.namespace, named.name, d.uid);
    let mut line = |name: &str, value: String| writeln!(out, "{name}: {value}").unwrap();
    line("says", format!("{}, {}", d.sync.word(), d.health.word()));
    line("follows", d.follows());
    let repositories: Vec<String> = d.sources.iter().map(|s| s.repository.to_string()).collect();
    line("repositories", repositories.join(", "));
    line("revisions", d.revisions.join(", "));
    line("policy", d.policy());
    line("a direct write", format!("it {}", d.after_a_write()));
    let or_none = |t: Option<String>| t.unwrap_or_else(|| "none".to_owned());
    let deployed =
        |b: &gonogo::domain::delivery::Deployed| format!("{} {} at {:?}", b.id, b.revisions.join(", "), b.at);
    line("brought", or_none(d.deployed.as_ref().map(deployed)));
    let operation = |o: &gonogo::domain::delivery::Operation| {
        let open = if o.phase.is_open() { " (open)" } else { "" };
        let by = o.by.as_ref().map(|by| format!(" for {by}")).unwrap_or_default();
        format!("{}{open}{by}: {}", o.phase.word(), o.message.as_deref().unwrap_or("says nothing"))
    };
    line("operation", or_none(d.operation.as_ref().map(operation)));
    line("troubles", d.troubles.join("; "));
    line("generated by", or_none(d.generated_by.as_ref().map(ToString::to_string)));
    line("deleting", d.deleting.to_string());
    out
}

#[test]
fn every_delivery_tool_reads_its_fixtures_as_expected() {
    let mut wrong = Vec::new();
    for tool in delivery::TOOLS {
        for (name, object, path) in fixtures("delivery", tool.kind()) {
            let text = read_delivery(*tool, &object);
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{name}: hostile text gets through: {text:?}");
            assert!(!text.contains("hunter2"), "{name}: a secret gets through");
            golden(&mut wrong, &name, &path, &text);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn read_route(provider: &dyn TrafficProvider, object: &[u8]) -> String {
    let named = match provider.read(object) {
        Err(e) => return format!("error: {e}\n"),
        Ok(named) => named,
    };
    let mut out = format!("object: {}/{} uid {}\n", named.namespace, named.name, named.route.uid);
    for (at, rule) in named.route.rules.iter().enumerate() {
        let weights: Vec<String> = rule.iter().map(|b| format!("{} {}", b.name, b.weight)).collect();
        writeln!(out, "rule {at}: {}", weights.join(", ")).unwrap();
    }
    let owner = named.route.owner.as_ref().map(|o| format!("{} {}", o.tool.name(), o.name));
    writeln!(out, "owner: {}", owner.as_deref().unwrap_or("none")).unwrap();
    writeln!(out, "trouble: {}", named.route.trouble.as_deref().unwrap_or("none")).unwrap();
    if let Some(ttl) = named.route.ttl {
        writeln!(out, "ttl: {} s", ttl.as_secs()).unwrap();
    }
    if named.route.is_closed {
        writeln!(out, "what is not listed gets nothing").unwrap();
    }
    out
}

#[test]
fn every_provider_reads_its_fixtures_as_expected() {
    let mut wrong = Vec::new();
    for provider in traffic::PROVIDERS {
        for (name, object, path) in fixtures("traffic", provider.name()) {
            golden(&mut wrong, &name, &path, &read_route(*provider, &object));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn reference(provider: &dyn TrafficProvider, rule: usize, backend: &str) -> RouteRef {
    RouteRef {
        provider: provider.name().into(),
        cluster: ClusterIx(0),
        namespace: "edge".into(),
        name: "webapp".into(),
        rule,
        backend: backend.into(),
        drained_below: None,
        steps: Vec::new(),
        dwell: std::time::Duration::ZERO,
        steering: None,
    }
}

/// An object of a provider with these rules: backends by name, and the weight where one is written.
fn route_of(provider: &dyn TrafficProvider, rules: &[Vec<(String, Option<u32>)>]) -> Value {
    let weighed = |mut backend: Value, weight: &Option<u32>| {
        if let Some(weight) = weight {
            backend["weight"] = json!(weight);
        }
        backend
    };
    let metadata = json!({"name": "webapp", "namespace": "edge", "uid": "u", "generation": 1});
    let list = |rule: &Vec<(String, Option<u32>)>, make: &dyn Fn(&str) -> Value| -> Value {
        rule.iter().map(|(name, weight)| weighed(make(name), weight)).collect()
    };
    match provider.name() {
        "VirtualService" => {
            let backend = |name: &str| json!({"destination": {"host": name}});
            let rules: Value = rules.iter().map(|r| json!({"route": list(r, &backend)})).collect();
            json!({"metadata": metadata, "spec": {"http": rules}})
        }
        _ => {
            let backend = |name: &str| json!({"name": name, "port": 80});
            let rules: Value = rules.iter().map(|r| json!({"backendRefs": list(r, &backend)})).collect();
            json!({"metadata": metadata, "spec": {"rules": rules}})
        }
    }
}

/// Rules of backends with a number each; the others have specifications of their own in `translators/traffic.rs`.
fn is_a_list_of_weights(provider: &dyn TrafficProvider) -> bool {
    matches!(provider.name(), "HTTPRoute" | "GRPCRoute" | "VirtualService")
}

/// What a weight that is not written counts as.
fn unwritten(provider: &dyn TrafficProvider) -> u32 {
    u32::from(provider.name() != "VirtualService")
}

#[test]
fn a_backend_that_is_not_there_once_and_only_once_is_an_error() {
    for provider in traffic::PROVIDERS.iter().filter(|p| is_a_list_of_weights(**p)) {
        let twice = route_of(*provider, &[["a", "a", "b"].map(|n| (n.to_owned(), None)).to_vec()]);
        for (rule, backend) in [(0, "a"), (0, "c"), (1, "b")] {
            let error = provider.set_weight(&twice, &reference(*provider, rule, backend), 0).unwrap_err();
            assert!(error.to_string().contains("webapp"), "{error}");
        }
        provider.set_weight(&twice, &reference(*provider, 0, "b"), 0).unwrap();
    }
}

#[test]
fn destinations_of_one_host_are_told_apart_by_their_subset() {
    let provider = traffic::provider("VirtualService").unwrap();
    let to = |subset: &str, weight: u32| json!({"destination": {"host": "webapp", "subset": subset}, "weight": weight});
    let object = json!({"metadata": {"uid": "u"}, "spec": {"http": [{"route": [to("eu", 90), to("us", 10)]}]}});
    let operations = provider.set_weight(&object, &reference(provider, 0, "webapp/us"), 0).unwrap();
    assert_eq!(operations[2], json!({"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 0}));
    provider.set_weight(&object, &reference(provider, 0, "webapp"), 0).unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Read after write gives the weight asked for, and leaves every other weight alone; what was
    /// written against another list fails.
    #[test]
    fn writing_then_reading_a_weight_gives_the_weight_asked_for(
        weights in prop::collection::vec(prop::option::of(0_u32..1_000_000), 1..6),
        at in 0_usize..6,
        wanted in 0_u32..1_000_000,
    ) {
        let at = at % weights.len();
        for provider in traffic::PROVIDERS.iter().filter(|p| is_a_list_of_weights(**p)) {
            let name = |i: usize| format!("b{i}");
            let rule: Vec<_> = weights.iter().enumerate().map(|(i, w)| (name(i), *w)).collect();
            let other = vec![("else".to_owned(), None)];
            let mut object = route_of(*provider, &[other.clone(), rule.clone()]);
            let operations = provider.set_weight(&object, &reference(*provider, 1, &format!("b{at}")), wanted).unwrap();
            let mut moved = object.clone();
            moved["spec"] = route_of(*provider, &[other, [rule, vec![("new".to_owned(), None)]].concat()])["spec"].clone();
            prop_assert!(patch::json::apply(&mut moved, &Value::Array(operations.clone())).is_err());
            patch::json::apply(&mut object, &Value::Array(operations)).unwrap();
            let rules = provider.read(object.to_string().as_bytes()).unwrap().route.rules;
            let expected: Vec<u32> = weights.iter().enumerate()
                .map(|(i, w)| if i == at { wanted } else { w.unwrap_or(unwritten(*provider)) })
                // Istio sends all to a destination that is alone.
                .map(|w| if weights.len() == 1 && unwritten(*provider) == 0 { w.max(1) } else { w })
                .collect();
            prop_assert_eq!(rules[1].iter().map(|b| b.weight).collect::<Vec<_>>(), expected);
            prop_assert_eq!(rules[0][0].weight, 1);
        }
    }
}
