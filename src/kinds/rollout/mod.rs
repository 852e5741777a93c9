//! `Rollout` of Argo Rollouts: phase as `kubectl argo rollouts status` says it, steps, and their exact requests.

mod object;
mod status;
mod turns;

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::children::{self, CHANGE_CAUSE};
use super::template::Template;
use super::{
    Child, Children, Named, Past, Pause, ReadError, ReadHow, Still, Turn, Undo, WayBack, WorkloadKind, selector,
};
use crate::domain::change::{ApiType, replace, test};
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::plan::Expectation;
use crate::domain::stamp::short;
use crate::domain::text::safe;
use crate::domain::version::{TemplateDigest, Version};
use crate::domain::workload::{Phase, Progress, Replicas, Revision, Workload};
use object::Object;

/// Annotation that numbers revisions, on Rollouts and their ReplicaSets.
const REVISION: &str = "rollout.argoproj.io/revision";
/// Label that tells the pods of one template from those of another.
const HASH: &str = "rollouts-pod-template-hash";
/// A pause of a step that is longer than this stands where a bake should stand.
const LONG_PAUSE: Duration = Duration::from_secs(3_600);

/// Argo Rollouts: canary and blue-green.
pub struct Rollout;

impl WorkloadKind for Rollout {
    fn name(&self) -> &'static str {
        "Rollout"
    }

    fn api(&self) -> ApiType {
        ApiType::new("argoproj.io", "v1alpha1", "rollouts", "Rollout")
    }

    fn read(&self, object: &[u8], wanted: &dyn Fn(&str, &str) -> Option<ReadHow>) -> Result<Option<Named>, ReadError> {
        let fail = |why: String| ReadError { kind: "Rollout", why: safe(&why, 200) };
        let object: Object = serde_json::from_slice(object).map_err(|e| fail(e.to_string()))?;
        let Some(how) = wanted(&object.metadata.namespace, &object.metadata.name) else { return Ok(None) };
        let read = match (&object.spec.template, &object.spec.workload_ref) {
            (Some(template), _) => Template::read(template, &how),
            (None, Some(of)) => elsewhere(&object, of),
            (None, None) => return Err(fail("it has neither a template nor a workloadRef".to_owned())),
        };
        let (spec, status) = (&object.spec, &object.status);
        let generation = object.metadata.generation;
        let observed = status.observed_generation.map_or(generation, |seen| seen.min(generation));
        let workload = Workload {
            uid: Uid::new(object.metadata.uid.clone()),
            generation,
            observed_generation: observed,
            template: read.digest,
            version: read.version,
            image: read.image,
            replicas: Replicas {
                desired: spec.replicas.unwrap_or(1),
                total: status.replicas,
                updated: status.updated_replicas,
                ready: status.ready_replicas,
                available: status.available_replicas,
            },
            paused: spec.paused,
            progress: progress(&object),
            phase: status::phase(&object),
            revision: object.metadata.annotation(REVISION).and_then(|r| r.parse().ok()),
            change_cause: object.metadata.annotation(CHANGE_CAUSE).map(|c| safe(c, 300).into()),
            configurations: read.configurations,
            owner: object.metadata.owner(),
        };
        Ok(Some(Named { namespace: Namespace::new(object.metadata.namespace), name: object.metadata.name, workload }))
    }

    fn template<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        object.pointer(self.template_pointer()).filter(|t| !t.is_null())
    }

    fn digest(&self, object: &Value) -> Option<TemplateDigest> {
        self.template(object).map(TemplateDigest::of).or_else(|| {
            let read = Object::deserialize(object).ok()?;
            read.spec.workload_ref.as_ref().map(|of| by_hash(&read, of))
        })
    }

    fn template_pointer(&self) -> &'static str {
        "/spec/template"
    }

    fn children(&self) -> Children {
        Children { api: ApiType::new("apps", "v1", "replicasets", "ReplicaSet"), metadata_only: true }
    }

    fn revisions(&self, uid: &str, children: Vec<Child>) -> Vec<Revision> {
        let mut all: Vec<Revision> =
            children.into_iter().filter(|c| c.metadata.controlled_by(uid)).filter_map(revision).collect();
        all.sort_by_key(|r| std::cmp::Reverse(r.number));
        all
    }

    fn history(&self, object: &Value, owned: &[Value]) -> Vec<Past> {
        let mut all = children::history(object, owned, past);
        let current = with_hash(object, owned, "/status/currentPodHash");
        // A ReplicaSet's template has the server's defaults, a Rollout's has not: the newest is what the object says.
        let running = self.template(object).zip(current);
        if let Some((template, current)) = running.filter(|(template, current)| is_within(template, &current.template))
            && let Some(newest) = all.iter_mut().find(|p| p.number == current.number)
        {
            newest.template = template.clone();
            newest.digest = TemplateDigest::of(template);
        }
        all
    }

    fn undo(&self, _object: &Value, past: &Past) -> Undo {
        Undo { operations: vec![replace(self.template_pointer(), past.template.clone())], annotations: None }
    }

    /// A rollout that was given up is not paused: its canary would keep serving.
    fn pause(&self, workload: &Workload) -> Option<Pause> {
        let steps = workload.progress.steps.as_deref().filter(|s| !s.aborted)?;
        let mut pause = paused(true);
        if workload.is_observed() && !steps.current.is_empty() {
            pause.operations.insert(0, test("/status/currentPodHash", steps.current.as_ref().into()));
        }
        Some(pause)
    }

    fn un_pause(&self, object: &Value, _was: Option<&str>) -> Option<Pause> {
        is_paused(object).then(|| paused(false))
    }

    fn stands_still(&self, object: &Value) -> Option<Still> {
        if is_paused(object) {
            return Some(Still {
                code: "paused",
                why: "is paused: a new version would not roll out".to_owned(),
                hint: "resume it first (U)".to_owned(),
            });
        }
        let strategy = object.pointer("/spec/strategy").and_then(Value::as_object);
        let known = strategy.is_some_and(|s| ["canary", "blueGreen"].iter().any(|k| s.contains_key(*k)));
        (!known).then(|| Still {
            code: "strategy",
            why: "has neither a canary nor a blueGreen strategy: how it would roll out is not known".to_owned(),
            hint: "see `kubectl argo rollouts lint`; change it by hand".to_owned(),
        })
    }

    fn elsewhere(&self, object: &Value) -> Option<Still> {
        let of = object.pointer("/spec/workloadRef").filter(|of| !of.is_null())?;
        let text = |key: &str| safe(of.get(key).and_then(Value::as_str).unwrap_or("?"), 120);
        let of = format!("{} {}", text("kind"), text("name"));
        Some(Still {
            code: "workload-ref",
            why: format!("takes its template from {of} (workloadRef): that object would have to be changed"),
            hint: format!("change {of} with the tool that owns it; the rollout is held, resumed and aborted from here"),
        })
    }

    fn let_through(&self, object: &Value) -> Result<Option<Turn>, Still> {
        turns::next(object, self.stands_still(object))
    }

    fn let_all_through(&self, object: &Value) -> Result<Option<Turn>, Still> {
        turns::all(object, self.stands_still(object))
    }

    fn abort(&self, object: &Value) -> Option<Turn> {
        turns::abort(object)
    }

    fn settles(&self, object: &Value, template: TemplateDigest) -> Expectation {
        match Object::deserialize(object) {
            Ok(object) if waits_on_its_way(&object) => Expectation::AtStep { template, beyond: None },
            _ => Expectation::Settled(template),
        }
    }

    fn known_good(&self, object: &Value, owned: &[Value]) -> Option<TemplateDigest> {
        stable(object, owned).map(|past| past.digest)
    }

    fn is_no_way_back(&self, object: &Value, owned: &[Value], to: &Past) -> Option<String> {
        let stable = stable(object, owned)?;
        let hash = object.pointer("/status/stableRS").and_then(Value::as_str).unwrap_or_default();
        // Whatever came after the stable one, and is not it, was given up on its way.
        (to.number > stable.number).then(|| {
            format!(
                "revision {} came after the stable revision {} ({}) and never became it: it was given up",
                to.number,
                stable.number,
                safe(hash, 63)
            )
        })
    }

    fn on_way_back(&self, object: &Value, owned: &[Value], to: &Value) -> Option<WayBack> {
        let read = Object::deserialize(object).ok()?;
        let count = read.steps().len();
        let at_once = stable(object, owned).is_some_and(|stable| is_within(to, &stable.template));
        let text = if at_once {
            // The controller skips every step on the way back to the stable revision.
            format!(
                "going back to the stable revision ends the pause and skips all {count} steps, analyses too: it is at \
                 once"
            )
        } else {
            format!(
                "this is not the stable revision ({}): unless its rollbackWindow covers it, it goes through all \
                 {count} steps again, pauses too; B once more skips what is left of them",
                safe(&read.status.stable_rs, 63)
            )
        };
        (count > 0 && !(at_once && read.is_promoted())).then_some(WayBack { at_once, text })
    }

    fn before_promotion(&self, object: &Value) -> Option<String> {
        let read = Object::deserialize(object).ok()?;
        let long = |length: &Duration| *length >= LONG_PAUSE;
        let (at, length) = read
            .steps()
            .iter()
            .enumerate()
            .find_map(|(at, step)| Some((at + 1, step.pause().flatten().filter(long)?)))?;
        Some(format!(
            "step {at} pauses for {}: a pause inside a rollout is no bake, and no gate judges it; a `bake` gate \
             between rings does",
            short(length.try_into().unwrap_or_default())
        ))
    }

    fn selector(&self, object: &Value) -> Option<String> {
        selector::text(object)
    }

    fn pod_label(&self) -> &'static str {
        HASH
    }
}

/// The past revision whose hash the status has at this place.
fn with_hash(object: &Value, owned: &[Value], pointer: &str) -> Option<Past> {
    let hash = object.pointer(pointer).and_then(Value::as_str).filter(|h| !h.is_empty())?;
    let uid = object.pointer("/metadata/uid");
    let is = |set: &&Value| {
        let owners = set.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        owners.is_some_and(|all| all.iter().any(|o| o.get("uid") == uid))
            && object::labels(set).get(HASH) == Some(&hash)
    };
    owned.iter().find(is).and_then(past)
}

/// The revision that the controller calls good, as it stands in the history.
fn stable(object: &Value, owned: &[Value]) -> Option<Past> {
    let number = with_hash(object, owned, "/status/stableRS")?.number;
    Rollout.history(object, owned).into_iter().find(|p| p.number == number)
}

/// Everything of the one template is in the other: so the controller tells whether a template ran before.
fn is_within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| is_within(part, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| is_within(part, whole))
        }
        _ => part == whole,
    }
}

/// A template that another object has: told by the hash that the controller gave it.
fn elsewhere(object: &Object, of: &object::WorkloadRef) -> Template {
    Template { digest: by_hash(object, of), image: None, version: Version("?".into()), configurations: Box::default() }
}

fn by_hash(object: &Object, of: &object::WorkloadRef) -> TemplateDigest {
    let hash = &object.status.current_pod_hash;
    TemplateDigest::of(&json!({"workloadRef": {"kind": of.kind, "name": of.name}, "hash": hash}))
}

/// It stops by itself on its way: at a pause, an analysis, an experiment, or before the switch.
fn waits_on_its_way(object: &Object) -> bool {
    let blue_green = object.spec.strategy.blue_green.as_ref();
    object.steps().iter().any(object::Step::is_open_ended)
        || blue_green
            .is_some_and(|b| b.auto_promotion_enabled == Some(false) || b.auto_promotion_seconds.is_some_and(|s| s > 0))
}

fn is_paused(object: &Value) -> bool {
    object.pointer("/spec/paused") == Some(&Value::Bool(true))
}

fn paused(to: bool) -> Pause {
    Pause::of("spec.paused", vec![replace("/spec/paused", Value::Bool(to))], Some((!to).into()), to.into())
}

fn progress(object: &Object) -> Progress {
    let (spec, status) = (&object.spec, &object.status);
    let phase = status::phase(object);
    let progressing = object.condition("Progressing");
    // Completed turns false with a new template, and true when it is the stable one.
    let completed = object.condition("Completed").filter(|c| phase == Phase::Complete && &*c.status == "True");
    let replica = object.condition("ReplicaFailure").filter(|c| &*c.status == "True");
    let failure = replica.map(|c| format!("{}: {}", c.reason, c.message));
    let failure = failure.or_else(|| {
        let failed = matches!(phase, Phase::Degraded | Phase::DeadlineExceeded);
        failed.then(|| status::says(object).1.to_string())
    });
    Progress {
        reason: match completed {
            Some(c) => Some(c.reason.clone()),
            None => progressing.map(|c| safe(&c.reason, 80).into()),
        },
        updated: match completed {
            Some(c) => c.last_transition_time,
            None => progressing.and_then(|c| c.last_update_time),
        },
        deadline: Some(Duration::from_secs(spec.progress_deadline_seconds.unwrap_or(600))),
        failure: failure.filter(|f| !f.is_empty()).map(|f| safe(&f, 300).into()),
        update_revision: Some(status.current_pod_hash.clone()).filter(|h| !h.is_empty()).map(|h| safe(&h, 63).into()),
        steps: Some(Box::new(status::steps(object))),
        ..Progress::default()
    }
}

/// One revision, from a ReplicaSet's metadata; one without a number is none.
fn revision(child: Child) -> Option<Revision> {
    let meta = child.metadata;
    Some(Revision {
        name: safe(&meta.name, 253).into(),
        number: meta.annotation(REVISION)?.parse().ok()?,
        hash: safe(meta.label(HASH)?, 63).into(),
        created: meta.creation_timestamp,
        reused: meta.annotation("rollout.argoproj.io/revision-history").is_some_and(|h| !h.is_empty()),
        cause: meta.annotation(CHANGE_CAUSE).map(|c| safe(c, 300).into()),
    })
}

/// One past revision, from a ReplicaSet.
fn past(replica_set: &Value) -> Option<Past> {
    let annotations = replica_set.pointer("/metadata/annotations").and_then(Value::as_object).cloned()?;
    let number = annotations.get(REVISION)?.as_str()?.parse().ok()?;
    let mut template = replica_set.pointer("/spec/template")?.clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(HASH);
    }
    let digest = TemplateDigest::of(&template);
    let cause: Option<Text> = annotations.get(CHANGE_CAUSE).and_then(Value::as_str).map(|c| safe(c, 300).into());
    Some(Past { number, template, digest, annotations, cause })
}
