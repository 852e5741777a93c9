//! `Application` of `argoproj.io/v1alpha1`: what Argo CD brings, and what it says of it.
//!
//! It has no status subresource: spec, operation and status are parts of one object.

use serde::Deserialize;
use serde_json::Value;

use super::{Back, Beside, DeliveryError, DeliveryTool, NamedDelivery, Wanted, Writing};
use crate::domain::carrier::ApplicationCarrier;
use crate::domain::change::ApiType;
use crate::domain::delivery::{Automated, Delivery, Deployed, Health, Operation, OperationPhase, Source, Sync};
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::kinds::Still;

mod halt;
mod knob;
mod set;
mod window;
mod write;

/// Most characters of a message that are kept.
const LONGEST: usize = 300;
/// Orders resources within one sync of one Application.
const WAVE: &str = "argocd.argoproj.io/sync-wave";
/// Argo CD leaves an Application with this annotation alone, and what it says of it grows old.
const SKIP: &str = "argocd.argoproj.io/skip-reconcile";

/// Applications of Argo CD.
pub struct Application;

#[derive(Deserialize)]
struct Object {
    metadata: Meta,
    spec: Spec,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    operation: Option<Wish>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: Text,
    namespace: Text,
    uid: Text,
    #[serde(default)]
    deletion_timestamp: Option<Text>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
    #[serde(default)]
    owner_references: Option<Vec<Owner>>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(default)]
    kind: Text,
    #[serde(default)]
    name: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    source: Option<SourceText>,
    #[serde(default)]
    sources: Option<Vec<SourceText>>,
    #[serde(default)]
    sync_policy: Option<SyncPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourceText {
    #[serde(default)]
    name: Option<Text>,
    #[serde(default, rename = "repoURL")]
    repo_url: Text,
    #[serde(default)]
    target_revision: Option<Text>,
}

#[derive(Deserialize)]
struct SyncPolicy {
    #[serde(default)]
    automated: Option<Value>,
}

/// All are pointers: what is absent is off, but for `enabled`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AutomatedText {
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    self_heal: Option<bool>,
    #[serde(default)]
    prune: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    sync: SyncText,
    health: HealthText,
    history: Option<Vec<History>>,
    operation_state: Option<State>,
    conditions: Option<Vec<Condition>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SyncText {
    status: Text,
    revision: Option<Text>,
    revisions: Option<Vec<Text>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HealthText {
    status: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    #[serde(default)]
    id: i64,
    #[serde(default)]
    revision: Option<Text>,
    #[serde(default)]
    revisions: Option<Vec<Text>>,
    #[serde(default)]
    deployed_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    #[serde(default)]
    phase: Text,
    #[serde(default)]
    message: Option<Text>,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    finished_at: Option<Timestamp>,
    #[serde(default)]
    operation: Option<Wish>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    #[serde(default)]
    initiated_by: Option<Initiator>,
}

#[derive(Deserialize)]
struct Initiator {
    #[serde(default)]
    username: Option<Text>,
    #[serde(default)]
    automated: bool,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type", default)]
    kind: Text,
    #[serde(default)]
    message: Text,
}

impl DeliveryTool for Application {
    fn kind(&self) -> &'static str {
        "Application"
    }

    fn name(&self) -> &'static str {
        "Argo CD"
    }

    fn namespace(&self) -> &'static str {
        "argocd"
    }

    fn api(&self) -> ApiType {
        ApiType::new("argoproj.io", "v1alpha1", "applications", "Application")
    }

    fn read(&self, object: &[u8]) -> Result<NamedDelivery, DeliveryError> {
        let fail = |e: serde_json::Error| DeliveryError { kind: "Application", why: safe(&e.to_string(), 200) };
        let object: Object = serde_json::from_slice(object).map_err(fail)?;
        let status = object.status.unwrap_or_default();
        let metadata = object.metadata;
        let annotation = |key: &str| metadata.annotations.as_ref().and_then(|a| a.get(key));
        let skips = annotation(SKIP).is_some_and(|v| is_true(v));
        let wave = annotation(WAVE).map(|wave| safe(wave, 20).into());
        let automated = object.spec.sync_policy.and_then(|p| p.automated);
        let automation = automated.as_ref().map(|a| a.to_string().into());
        let automated: Option<AutomatedText> = automated.map(serde_json::from_value).transpose().map_err(fail)?;
        let sources = match (object.spec.sources, object.spec.source) {
            // Where there are several, Argo CD does not look at the one.
            (Some(several), _) if !several.is_empty() => several,
            (_, one) => one.into_iter().collect(),
        };
        let delivery = Delivery {
            uid: Uid::new(metadata.uid),
            sync: sync(&status.sync.status),
            health: health(&status.health.status),
            sources: sources.into_iter().map(source).collect(),
            revisions: revisions(status.sync.revision, status.sync.revisions),
            deployed: status.history.into_iter().flatten().next_back().map(|h| Deployed {
                id: h.id,
                revisions: revisions(h.revision, h.revisions),
                at: h.deployed_at,
            }),
            automated: automated.filter(|a| a.enabled != Some(false)).map(|a| Automated {
                self_heal: a.self_heal == Some(true),
                prune: a.prune == Some(true),
                every: None,
            }),
            automation,
            operation: operation(object.operation, status.operation_state),
            troubles: status.conditions.into_iter().flatten().filter_map(trouble).collect(),
            generated_by: metadata
                .owner_references
                .into_iter()
                .flatten()
                .find_map(|o| (&*o.kind == "ApplicationSet").then(|| safe(&o.name, 253).into())),
            wave,
            ignored: skips,
            deleting: metadata.deletion_timestamp.is_some(),
        };
        Ok(NamedDelivery { namespace: Namespace::new(metadata.namespace), name: metadata.name, delivery })
    }

    fn bring(&self, object: &Value, means: &ApplicationCarrier, wanted: &Wanted<'_>) -> Result<Option<Writing>, Still> {
        write::bring(object, means, wanted)
    }

    fn back(&self, object: &Value, means: &ApplicationCarrier, back: &Back<'_>) -> Result<Option<Writing>, Still> {
        write::back(object, means, back)
    }

    fn generator(&self, object: &Value) -> Option<Beside> {
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str)?;
        let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array)?;
        let set = owners.iter().find(|o| o.get("kind").and_then(Value::as_str) == Some("ApplicationSet"))?;
        let name = set.get("name").and_then(Value::as_str)?;
        Some(Beside { api: set::api(), namespace: Namespace::new(namespace), name: name.into() })
    }

    fn calendar(&self, object: &Value) -> Option<Beside> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).filter(|t| !t.is_empty());
        // Projects lie where Argo CD runs; Applications may lie elsewhere.
        let namespace = text("/status/controllerNamespace").or_else(|| text("/metadata/namespace"))?;
        let name = text("/spec/project").unwrap_or("default");
        let api = ApiType::new("argoproj.io", "v1alpha1", "appprojects", "AppProject");
        Some(Beside { api, namespace: Namespace::new(namespace), name: name.into() })
    }

    fn shut(&self, object: &Value, calendar: &Value, now: Timestamp) -> Result<Option<String>, String> {
        window::shut(calendar, object, !write::is_automated(object), now)
    }

    fn halt(&self, known: &Delivery) -> Result<Option<Writing>, Still> {
        halt::halt(known)
    }

    fn terminate(&self, known: &Delivery) -> Option<Writing> {
        halt::terminate(known)
    }

    fn go_on(&self, object: &Value, was: &str) -> Result<Option<Writing>, Still> {
        halt::go_on(object, was)
    }
}

/// As Go's `strconv.ParseBool` reads it: anything else is not true.
fn is_true(text: &str) -> bool {
    ["1", "t", "T", "TRUE", "true", "True"].contains(&text)
}

fn sync(word: &str) -> Sync {
    match word {
        "Synced" => Sync::Synced,
        "OutOfSync" => Sync::OutOfSync,
        // Also where nothing is said yet, and where a newer version says something that we do not know.
        _ => Sync::Unknown,
    }
}

fn health(word: &str) -> Health {
    match word {
        "Healthy" => Health::Healthy,
        "Suspended" => Health::Suspended,
        "Progressing" => Health::Progressing,
        "Missing" => Health::Missing,
        "Degraded" => Health::Degraded,
        _ => Health::Unknown,
    }
}

fn source(text: SourceText) -> Source {
    let short = |t: Text| -> Text { safe(&t, 200).into() };
    Source {
        name: text.name.filter(|n| !n.is_empty()).map(short),
        repository: without_user(&short(text.repo_url)),
        // An empty one means the default branch, as a missing one does.
        target: text.target_revision.filter(|t| !t.is_empty()).map(short),
    }
}

/// A user and password in a repository's address are nobody's business.
fn without_user(url: &Text) -> Text {
    let Some((scheme, rest)) = url.split_once("://") else { return url.clone() };
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(a, p)| (a, Some(p)));
    let Some((_, host)) = authority.rsplit_once('@') else { return url.clone() };
    path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}")).into()
}

fn revisions(one: Option<Text>, several: Option<Vec<Text>>) -> Box<[Text]> {
    let all = several.filter(|all| !all.is_empty()).unwrap_or_else(|| one.into_iter().collect());
    all.into_iter().filter(|r| !r.is_empty()).map(|r| safe(&r, 80).into()).collect()
}

/// What was asked for counts before what was done: it has not begun, or has no state yet.
fn operation(wish: Option<Wish>, state: Option<State>) -> Option<Operation> {
    let by = |wish: Option<&Wish>| {
        let initiator = wish.and_then(|w| w.initiated_by.as_ref()).filter(|i| !i.automated)?;
        initiator.username.as_ref().filter(|n| !n.is_empty()).map(|n| -> Text { safe(n, 120).into() })
    };
    // A state that ended is that of the operation before.
    let is_open = |state: &State| matches!(&*state.phase, "Running" | "Terminating");
    let Some(state) = state.filter(|state| wish.is_none() || is_open(state)) else {
        return wish.map(|wish| Operation {
            phase: OperationPhase::Requested,
            message: None,
            by: by(Some(&wish)),
            started: None,
            finished: None,
        });
    };
    let phase = match &*state.phase {
        "Running" => OperationPhase::Running,
        "Terminating" => OperationPhase::Terminating,
        "Succeeded" => OperationPhase::Succeeded,
        "Failed" => OperationPhase::Failed,
        _ => OperationPhase::Error,
    };
    Some(Operation {
        phase,
        message: state.message.filter(|m| !m.is_empty()).map(|m| safe(&m, LONGEST).into()),
        by: by(wish.as_ref().or(state.operation.as_ref())),
        started: state.started_at,
        finished: state.finished_at,
    })
}

/// Warnings about what else is in the cluster are left to Argo CD's own screens.
fn trouble(condition: Condition) -> Option<Text> {
    let is_error = condition.kind.ends_with("Error");
    is_error.then(|| safe(&format!("{}: {}", condition.kind, condition.message), LONGEST).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_repository_is_shown_without_who_may_read_it() {
        let shown = |url: &str| without_user(&url.into()).to_string();
        assert_eq!(shown("https://bot:secret@git.example/shop.git"), "https://git.example/shop.git");
        assert_eq!(shown("https://bot:se@cret@git.example/shop.git"), "https://git.example/shop.git");
        assert_eq!(shown("https://git.example/a@b"), "https://git.example/a@b");
        assert_eq!(shown("git@git.example:shop.git"), "git@git.example:shop.git");
        assert_eq!(shown("https://bot:secret@git.example"), "https://git.example");
    }
}
