//! Argo CD's application controller: compares what a repository holds with what runs, and brings it.
//!
//! The repository is a simple one: each tag is a version, and holds the manifests of every service with that version's
//! image. One call is one look at one Application.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{after, hash, stamp};

/// How long a sync takes to apply manifests.
const SYNC: SignedDuration = SignedDuration::from_secs(2);
/// Argo CD waits so long before it puts back what somebody changed.
const HEAL: SignedDuration = SignedDuration::from_secs(5);
/// Entries of a history that are kept, unless the Application says otherwise.
const HISTORY: usize = 10;

/// What is seen of an Application's workload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// The image that it names; none: it is not there.
    pub image: Option<String>,
    /// How it is, in Argo CD's words.
    pub health: &'static str,
}

/// What one look comes to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Looked {
    /// `status` from now on.
    pub status: Value,
    /// The operation was taken up to its end: it is removed.
    pub ended: bool,
    /// The operation that Argo CD begins by itself.
    pub begun: Option<Value>,
    /// Apply this image.
    pub apply: Option<String>,
    /// Look again at this time.
    pub wake: Option<Timestamp>,
}

/// The image that a revision of the repository holds; none: there is no such revision.
pub type Repository<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How a Deployment is, as Argo CD's health check says.
#[must_use]
pub fn health(deployment: Option<&Value>) -> &'static str {
    let Some(object) = deployment else { return "Missing" };
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array).map(Vec::as_slice);
    let missed = |c: &Value| c.get("reason").and_then(Value::as_str) == Some("ProgressDeadlineExceeded");
    let updated = number("/status/updatedReplicas");
    if object.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        "Suspended"
    } else if number("/metadata/generation") > number("/status/observedGeneration") {
        "Progressing"
    } else if conditions.unwrap_or_default().iter().any(missed) {
        "Degraded"
    } else if updated < number("/spec/replicas")
        || number("/status/replicas") > updated
        || number("/status/availableReplicas") < updated
    {
        "Progressing"
    } else {
        "Healthy"
    }
}

/// The commit that a tag names; a commit names itself.
#[must_use]
pub fn commit(revision: &str) -> String {
    if revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit()) {
        return revision.to_owned();
    }
    let word = |salt: u8| hash::fnv(format!("{salt}:{revision}").as_bytes());
    let mut text = format!("{:016x}{:016x}{:016x}", word(1), word(2), word(3));
    text.truncate(40);
    text
}

/// One look.
#[must_use]
pub fn look(object: &Value, live: &Live, repository: Repository<'_>, now: Timestamp) -> Looked {
    let app = App { object, live, repository, now };
    let mut status = object.get("status").cloned().unwrap_or_else(|| json!({}));
    let mut looked = match object.get("operation").filter(|o| o.is_object()) {
        Some(operation) => app.operate(operation, &mut status),
        None => Looked::default(),
    };
    let synced = app.compare(&mut status, looked.apply.as_deref());
    if object.get("operation").is_none_or(Value::is_null) {
        let (begun, wake) = app.automatic(&status, synced);
        looked.begun = begun;
        looked.wake = wake;
    }
    looked.status = status;
    looked
}

struct App<'a> {
    object: &'a Value,
    live: &'a Live,
    repository: Repository<'a>,
    now: Timestamp,
}

impl App<'_> {
    /// The source that holds manifests: the only one, or the first of several.
    fn source(&self) -> Option<&Value> {
        let several = self.object.pointer("/spec/sources").and_then(Value::as_array);
        several.and_then(|all| all.first()).or_else(|| self.object.pointer("/spec/source"))
    }

    fn is_several(&self) -> bool {
        self.object.pointer("/spec/sources").and_then(Value::as_array).is_some_and(|all| !all.is_empty())
    }

    fn target(&self) -> &str {
        let target = self.source().and_then(|s| s.get("targetRevision")).and_then(Value::as_str);
        target.filter(|t| !t.is_empty()).unwrap_or("HEAD")
    }

    /// What a revision wants, with what the Application itself overrides.
    fn wanted(&self, revision: &str) -> Option<String> {
        let image = (self.repository)(revision)?;
        let (repository, _) = image.split_once(':').unwrap_or((&image, ""));
        let images = self.source().and_then(|s| s.pointer("/kustomize/images")).and_then(Value::as_array);
        let mut overridden = images.into_iter().flatten().filter_map(Value::as_str).filter_map(|text| {
            let (name, new) = text.split_once('=').unwrap_or((text.split(':').next().unwrap_or(text), text));
            (name == repository).then(|| new.to_owned())
        });
        Some(overridden.next_back().unwrap_or(image))
    }

    fn compare(&self, status: &mut Value, applied: Option<&str>) -> Option<bool> {
        let target = self.target();
        let Some(wanted) = self.wanted(target) else {
            let message = format!("unable to resolve '{target}' to a commit SHA");
            put(status, "sync", json!({"status": "Unknown"}));
            put(status, "health", json!({"status": self.live.health}));
            put(status, "conditions", json!([{"type": "ComparisonError", "message": message}]));
            return None;
        };
        let is_there = applied.or(self.live.image.as_deref()) == Some(&*wanted);
        let word = if is_there { "Synced" } else { "OutOfSync" };
        let mut sync = json!({"status": word});
        self.revision(&mut sync, commit(target));
        put(status, "sync", sync);
        put(status, "health", json!({"status": self.live.health}));
        if let Some(status) = status.as_object_mut() {
            status.remove("conditions");
        }
        Some(is_there)
    }

    /// In the singular where there is one source, in the plural where there are several.
    fn revision(&self, of: &mut Value, commit: String) {
        if self.is_several() {
            put(of, "revisions", json!([commit]));
        } else {
            put(of, "revision", commit.into());
        }
    }

    fn operate(&self, operation: &Value, status: &mut Value) -> Looked {
        let state = status.get("operationState").filter(|s| s.is_object()).cloned();
        let phase = state.as_ref().and_then(|s| s.get("phase")).and_then(Value::as_str).unwrap_or_default().to_owned();
        let started = state.as_ref().and_then(|s| s.get("startedAt")).and_then(Value::as_str);
        let started: Option<Timestamp> = started.and_then(|t| t.parse().ok());
        match (phase.as_str(), started) {
            ("Terminating", _) => {
                self.end(status, "Failed", "Operation terminated", None);
                Looked { ended: true, ..Looked::default() }
            }
            ("Running", Some(started)) if after(started, SYNC) > self.now => {
                Looked { wake: Some(after(started, SYNC)), ..Looked::default() }
            }
            ("Running", Some(_)) => self.apply(operation, status),
            _ => {
                let state = json!({
                    "operation": operation, "phase": "Running", "message": "waiting for completion of hook",
                    "startedAt": stamp(self.now),
                });
                put(status, "operationState", state);
                Looked { wake: Some(after(self.now, SYNC)), ..Looked::default() }
            }
        }
    }

    fn apply(&self, operation: &Value, status: &mut Value) -> Looked {
        let asked = operation.pointer("/sync/revision").and_then(Value::as_str).filter(|r| !r.is_empty());
        let revision = asked.unwrap_or_else(|| self.target());
        let Some(image) = self.wanted(revision) else {
            let why = format!("unable to resolve '{revision}' to a commit SHA");
            self.end(status, "Error", &why, None);
            return Looked { ended: true, ..Looked::default() };
        };
        let id = status.pointer("/history").and_then(Value::as_array).and_then(|h| h.last());
        let id = id.and_then(|h| h.get("id")).and_then(Value::as_i64).map_or(0, |id| id + 1);
        let started = status.pointer("/operationState/startedAt").cloned().unwrap_or_default();
        let mut entry = json!({
            "id": id, "deployedAt": stamp(self.now), "deployStartedAt": started,
            "initiatedBy": operation.get("initiatedBy").cloned().unwrap_or_else(|| json!({})),
        });
        self.revision(&mut entry, commit(revision));
        let (key, source) = if self.is_several() { ("sources", "/spec/sources") } else { ("source", "/spec/source") };
        put(&mut entry, key, self.object.pointer(source).cloned().unwrap_or_default());
        let mut history = status.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
        history.push(entry);
        let limit = self.object.pointer("/spec/revisionHistoryLimit").and_then(Value::as_u64);
        let limit = limit.and_then(|l| usize::try_from(l).ok()).unwrap_or(HISTORY);
        let surplus = history.len().saturating_sub(limit);
        put(status, "history", history.into_iter().skip(surplus).collect());
        self.end(status, "Succeeded", "successfully synced (all tasks run)", Some(commit(revision)));
        Looked { ended: true, apply: Some(image), ..Looked::default() }
    }

    fn end(&self, status: &mut Value, phase: &str, message: &str, commit: Option<String>) {
        let mut state = status.get("operationState").cloned().unwrap_or_else(|| json!({}));
        put(&mut state, "phase", phase.into());
        put(&mut state, "message", message.into());
        put(&mut state, "finishedAt", stamp(self.now).into());
        if let Some(commit) = commit {
            let mut result = json!({"resources": []});
            self.revision(&mut result, commit);
            put(&mut state, "syncResult", result);
        }
        put(status, "operationState", state);
    }

    /// Argo CD tries each commit once; what it brought already, it brings again only to heal.
    fn automatic(&self, status: &Value, synced: Option<bool>) -> (Option<Value>, Option<Timestamp>) {
        let automated = self.object.pointer("/spec/syncPolicy/automated").filter(|a| a.is_object());
        let Some(automated) = automated.filter(|a| a.get("enabled") != Some(&Value::Bool(false))) else {
            return (None, None);
        };
        if synced != Some(false) {
            return (None, None);
        }
        let wanted = commit(self.target());
        let tried = ["/operationState/syncResult/revision", "/operationState/syncResult/revisions/0"];
        let tried = tried.into_iter().find_map(|p| status.pointer(p)).and_then(Value::as_str) == Some(&*wanted);
        if tried {
            let finished = status.pointer("/operationState/finishedAt").and_then(Value::as_str);
            let finished: Timestamp = finished.and_then(|t| t.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
            if automated.get("selfHeal") != Some(&Value::Bool(true)) {
                return (None, None);
            }
            if after(finished, HEAL) > self.now {
                return (None, Some(after(finished, HEAL)));
            }
        }
        let operation = json!({
            "initiatedBy": {"automated": true},
            "retry": {"limit": 5},
            "sync": {"revision": wanted, "prune": automated.get("prune") == Some(&Value::Bool(true))},
        });
        (Some(operation), None)
    }
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}
