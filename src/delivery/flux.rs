//! Flux: `Kustomization` of `kustomize.toolkit.fluxcd.io/v1` and `HelmRelease` of `helm.toolkit.fluxcd.io/v2`.
//!
//! Neither is told a version: Flux follows its source, so versions are brought through Git. Both are suspended by a
//! field of their spec.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{Back, DeliveryError, DeliveryTool, NamedDelivery, Wanted, Writing};
use crate::domain::carrier::ApplicationCarrier;
use crate::domain::change::{ApiType, replace, test};
use crate::domain::delivery::{Automated, Delivery, Deployed, Health, Operation, OperationPhase, Source, Sync};
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::plan::DiffLine;
use crate::domain::stamp::{Timestamp, parse_duration};
use crate::domain::text::safe;
use crate::kinds::Still;

/// Most characters of a message that are kept.
const LONGEST: usize = 300;
/// What is suspended brings nothing and puts nothing back.
const SUSPEND: &str = "/spec/suspend";

/// Kustomizations of Flux.
pub struct Kustomization;

/// HelmReleases of Flux.
pub struct HelmRelease;

#[derive(Deserialize)]
struct Object {
    metadata: Meta,
    spec: Spec,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: Text,
    namespace: Text,
    uid: Text,
    #[serde(default)]
    generation: i64,
    #[serde(default)]
    deletion_timestamp: Option<Text>,
}

/// What both have, and what one of them has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    suspend: Option<bool>,
    #[serde(default)]
    interval: Option<Text>,
    #[serde(default)]
    path: Option<Text>,
    #[serde(default)]
    prune: Option<bool>,
    #[serde(default)]
    source_ref: Option<Reference>,
    #[serde(default)]
    chart: Option<Chart>,
    #[serde(default)]
    chart_ref: Option<Reference>,
    #[serde(default)]
    drift_detection: Option<Drift>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    kind: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    namespace: Option<Text>,
}

#[derive(Deserialize)]
struct Chart {
    spec: ChartSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChartSpec {
    #[serde(default)]
    chart: Text,
    #[serde(default)]
    version: Option<Text>,
    #[serde(default)]
    source_ref: Option<Reference>,
}

#[derive(Deserialize)]
struct Drift {
    #[serde(default)]
    mode: Text,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    observed_generation: i64,
    conditions: Option<Vec<Condition>>,
    last_applied_revision: Option<Text>,
    last_attempted_revision: Option<Text>,
    history: Option<Vec<Snapshot>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type", default)]
    kind: Text,
    #[serde(default)]
    status: Text,
    #[serde(default)]
    message: Text,
    #[serde(default)]
    last_transition_time: Option<Timestamp>,
}

/// A release of a chart; Kustomizations have a history too, of digests that say nothing here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    #[serde(default)]
    version: Option<i64>,
    #[serde(default)]
    chart_version: Option<Text>,
    #[serde(default)]
    last_deployed: Option<Timestamp>,
}

impl DeliveryTool for Kustomization {
    fn kind(&self) -> &'static str {
        "Kustomization"
    }

    fn name(&self) -> &'static str {
        "Flux"
    }

    fn namespace(&self) -> &'static str {
        "flux-system"
    }

    fn api(&self) -> ApiType {
        ApiType::new("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization")
    }

    fn read(&self, object: &[u8]) -> Result<NamedDelivery, DeliveryError> {
        let object = parsed(self.kind(), object)?;
        let spec = &object.spec;
        let source = spec.source_ref.as_ref().map(|r| source(r, &object.metadata, spec.path.as_ref()));
        let revision = object.status.as_ref().and_then(|s| s.last_applied_revision.clone());
        // It applies all that it has at each round, whoever changed it.
        let automated = Automated { self_heal: true, prune: spec.prune == Some(true), every: every(spec) };
        Ok(delivery(&object, source, revision, None, automated))
    }

    fn bring(&self, _: &Value, _: &ApplicationCarrier, _: &Wanted<'_>) -> Result<Option<Writing>, Still> {
        Err(follows())
    }

    fn back(&self, _: &Value, _: &ApplicationCarrier, _: &Back<'_>) -> Result<Option<Writing>, Still> {
        Err(follows())
    }

    fn halt(&self, known: &Delivery) -> Result<Option<Writing>, Still> {
        Ok(suspended(known))
    }

    fn go_on(&self, object: &Value, was: &str) -> Result<Option<Writing>, Still> {
        resumed(object, was)
    }
}

impl DeliveryTool for HelmRelease {
    fn kind(&self) -> &'static str {
        "HelmRelease"
    }

    fn name(&self) -> &'static str {
        "Flux"
    }

    fn namespace(&self) -> &'static str {
        "flux-system"
    }

    fn api(&self) -> ApiType {
        ApiType::new("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease")
    }

    fn read(&self, object: &[u8]) -> Result<NamedDelivery, DeliveryError> {
        let object = parsed(self.kind(), object)?;
        let spec = &object.spec;
        let source = match (&spec.chart, &spec.chart_ref) {
            (Some(Chart { spec }), _) => {
                let from = spec.source_ref.as_ref().map(|r| source(r, &object.metadata, spec.version.as_ref()));
                from.map(|from| Source { name: Some(safe(&spec.chart, 200).into()), ..from })
            }
            (None, Some(reference)) => Some(source(reference, &object.metadata, None)),
            (None, None) => None,
        };
        let newest = object.status.as_ref().and_then(|s| s.history.as_ref()?.first());
        let deployed = newest.and_then(|release| {
            Some(Deployed {
                id: release.version?,
                revisions: release.chart_version.iter().map(|v| short(v)).collect(),
                at: release.last_deployed,
            })
        });
        let revision = newest.and_then(|release| release.chart_version.clone());
        // Helm looks at what it installed only where it was told to.
        let self_heal = spec.drift_detection.as_ref().is_some_and(|d| &*d.mode == "enabled");
        let automated = Automated { self_heal, prune: true, every: every(spec) };
        Ok(delivery(&object, source, revision, deployed, automated))
    }

    fn bring(&self, _: &Value, _: &ApplicationCarrier, _: &Wanted<'_>) -> Result<Option<Writing>, Still> {
        Err(follows())
    }

    fn back(&self, _: &Value, _: &ApplicationCarrier, _: &Back<'_>) -> Result<Option<Writing>, Still> {
        Err(follows())
    }

    fn halt(&self, known: &Delivery) -> Result<Option<Writing>, Still> {
        Ok(suspended(known))
    }

    fn go_on(&self, object: &Value, was: &str) -> Result<Option<Writing>, Still> {
        resumed(object, was)
    }
}

fn parsed(kind: &'static str, object: &[u8]) -> Result<Object, DeliveryError> {
    serde_json::from_slice(object).map_err(|e| DeliveryError { kind, why: safe(&e.to_string(), 200) })
}

fn short(text: &str) -> Text {
    safe(text, 200).into()
}

/// A source is another object of Flux; its own address stands there.
fn source(reference: &Reference, metadata: &Meta, target: Option<&Text>) -> Source {
    let namespace = reference.namespace.as_ref().filter(|n| !n.is_empty()).unwrap_or(&metadata.namespace);
    Source {
        name: None,
        repository: short(&format!("{} {namespace}/{}", reference.kind, reference.name)),
        target: target.filter(|t| !t.is_empty()).map(|t| short(t)),
    }
}

fn every(spec: &Spec) -> Option<Duration> {
    spec.interval.as_ref().and_then(|text| parse_duration(text))
}

fn delivery(
    object: &Object,
    source: Option<Source>,
    revision: Option<Text>,
    deployed: Option<Deployed>,
    automated: Automated,
) -> NamedDelivery {
    let Object { metadata, spec, .. } = object;
    let none = Status::default();
    let status = object.status.as_ref().unwrap_or(&none);
    let condition = |kind: &str| status.conditions.iter().flatten().find(|c| &*c.kind == kind);
    let is = |kind: &str, word: &str| condition(kind).is_some_and(|c| &*c.status == word);
    let ready = condition("Ready");
    let is_new = status.observed_generation != metadata.generation;
    // Suspended in the middle of a round it keeps the condition of that round.
    let is_suspended = spec.suspend == Some(true);
    let busy = !is_suspended && (is("Reconciling", "True") || is("Ready", "Unknown"));
    let attempted = status.last_attempted_revision.as_ref();
    let is_behind =
        status.last_applied_revision.as_ref().is_some_and(|applied| attempted.is_some_and(|a| a != applied));
    let sync = match ready.map(|c| &*c.status) {
        Some("True") if !is_new && !is_behind => Sync::Synced,
        Some("True" | "False") => Sync::OutOfSync,
        _ => Sync::Unknown,
    };
    let health = if is("Stalled", "True") || is("Ready", "False") && !busy || is("Healthy", "False") {
        Health::Degraded
    } else if is_suspended {
        Health::Suspended
    } else if busy || is_new && ready.is_some() {
        Health::Progressing
    } else if is("Ready", "True") {
        Health::Healthy
    } else {
        Health::Unknown
    };
    let trouble = |kind: &'static str, bad: &str| {
        let found = condition(kind).filter(|c| &*c.status == bad)?;
        Some(short(&safe(&format!("{kind}: {}", found.message), LONGEST)))
    };
    let operation = ready.filter(|_| busy).map(|c| Operation {
        phase: OperationPhase::Running,
        message: Some(&c.message).filter(|m| !m.is_empty()).map(|m| safe(m, LONGEST).into()),
        by: None,
        started: c.last_transition_time,
        finished: None,
    });
    let delivery = Delivery {
        uid: Uid::new(metadata.uid.clone()),
        sync,
        health,
        sources: source.into_iter().collect(),
        revisions: revision.iter().map(|r| short(r)).collect(),
        deployed,
        automated: (!is_suspended).then_some(automated),
        // What a halt replaces: nothing, or a `false` that somebody wrote.
        automation: (!is_suspended).then(|| spec.suspend.map_or("null", |_| "false").into()),
        operation,
        // While it works it says so there, too.
        troubles: [trouble("Stalled", "True"), trouble("Ready", "False").filter(|_| !busy)]
            .into_iter()
            .flatten()
            .collect(),
        generated_by: None,
        wave: None,
        ignored: false,
        deleting: metadata.deletion_timestamp.is_some(),
    };
    NamedDelivery { namespace: Namespace::new(metadata.namespace.clone()), name: metadata.name.clone(), delivery }
}

/// It follows a source, and takes no orders.
fn follows() -> Still {
    Still {
        code: "source",
        why: "is brought by Flux, which follows its source and is told no version".to_owned(),
        hint: "promote through Git: add `[service.NAME.git]`".to_owned(),
    }
}

fn suspended(known: &Delivery) -> Option<Writing> {
    let was: Value = serde_json::from_str(known.automation.as_ref()?).ok()?;
    let operations = vec![
        test("/metadata/uid", known.uid.as_str().into()),
        test(SUSPEND, was.clone()),
        replace(SUSPEND, true.into()),
    ];
    let from = Some(was.clone()).filter(|was| !was.is_null());
    Some(Writing {
        on: None,
        label: "suspended".into(),
        operations,
        diff: vec![DiffLine { field: "spec.suspend".into(), from, to: Some(true.into()) }],
        was: Some(("spec.suspend".into(), was.to_string().into())),
        notes: vec!["finishes what Flux does right now: it is suspended from its next round on".into()],
    })
}

fn resumed(object: &Value, was: &str) -> Result<Option<Writing>, Still> {
    let unreadable =
        |why: &str| Still { code: "unreadable", why: why.to_owned(), hint: "set `spec.suspend` by hand".to_owned() };
    let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
    let uid = uid.ok_or_else(|| unreadable("is brought by something that cannot be read"))?;
    let suspend = object.pointer(SUSPEND);
    if suspend != Some(&Value::Bool(true)) {
        return Ok(None);
    }
    let to = match serde_json::from_str::<Value>(was) {
        Ok(Value::Null) => None,
        Ok(Value::Bool(false)) => Some(Value::Bool(false)),
        _ => return Err(unreadable("was brought in a way that its record does not tell")),
    };
    let operation = match &to {
        None => serde_json::json!({"op": "remove", "path": SUSPEND}),
        Some(value) => replace(SUSPEND, value.clone()),
    };
    let operations = vec![test("/metadata/uid", uid.into()), test(SUSPEND, true.into()), operation];
    Ok(Some(Writing {
        on: None,
        label: "goes on".into(),
        operations,
        diff: vec![DiffLine { field: "spec.suspend".into(), from: Some(true.into()), to }],
        was: None,
        notes: vec!["brings what its source holds by now".into()],
    }))
}
