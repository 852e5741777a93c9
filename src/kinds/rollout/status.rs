//! Where a Rollout stands, in the words of `kubectl argo rollouts status` and in ours.

use super::object::{Condition, Object};
use crate::domain::id::Text;
use crate::domain::steps::{StepAnalysis, StepPause, Steps};
use crate::domain::text::safe;
use crate::domain::workload::{Phase, Progressing};

/// Annotation that counts the generations of the object which a `workloadRef` names.
const WORKLOAD_GENERATION: &str = "rollout.argoproj.io/workload-generation";

/// Why the status does not speak of what the spec wants; none: it does.
pub(super) fn unobserved(object: &Object) -> Option<&'static str> {
    let status = &object.status;
    // Old controllers wrote a hash, which may look like a number that is too large.
    if status.observed_generation.is_some_and(|seen| seen < object.metadata.generation) {
        return Some("waiting for rollout spec update to be observed");
    }
    if is_going_on(object) {
        return Some("waiting for rollout to unpause");
    }
    let wanted = object.metadata.annotation(WORKLOAD_GENERATION).and_then(|g| g.parse::<i64>().ok());
    let referred = wanted.zip(status.workload_observed_generation).is_some_and(|(wanted, seen)| wanted != seen);
    (object.spec.workload_ref.is_some() && referred)
        .then_some("waiting for rollout spec update to be observed for the reference workload")
}

/// Somebody ended a pause, and the controller has not gone on yet.
pub(super) fn is_going_on(object: &Object) -> bool {
    object.status.controller_pause && object.pauses().is_empty()
}

/// Phase and message as the plugin says them.
pub(super) fn says(object: &Object) -> (Text, Text) {
    if let Some(why) = unobserved(object) {
        return ("Progressing".into(), why.into());
    }
    if !object.status.phase.is_empty() {
        return (safe(&object.status.phase, 40).into(), safe(&object.status.message, 300).into());
    }
    let (phase, message) = computed(object);
    (phase.into(), safe(&message, 300).into())
}

/// As controllers before 1.0 left it to their readers.
fn computed(object: &Object) -> (&'static str, String) {
    const BAD: [&str; 2] = ["RolloutAborted", "ProgressDeadlineExceeded"];
    let (spec, status) = (&object.spec, &object.status);
    let progressing = |why: &str| ("Progressing", why.to_owned());
    let bad = |c: &&Condition| &*c.kind == "InvalidSpec" || BAD.contains(&&*c.reason);
    if let Some(found) = status.conditions.iter().find(bad) {
        let what = if &*found.kind == "InvalidSpec" { &found.kind } else { &found.reason };
        return ("Degraded", format!("{what}: {}", found.message));
    }
    if spec.paused {
        return ("Paused", "manually paused".to_owned());
    }
    if let Some(pause) = object.pauses().first() {
        return ("Paused", pause.reason.to_string());
    }
    if spec.restart_at.is_some() && spec.restart_at != status.restarted_at {
        return progressing("rollout is restarting");
    }
    if status.updated_replicas < spec.replicas.unwrap_or(1) {
        return progressing("more replicas need to be updated");
    }
    if status.available_replicas < status.updated_replicas {
        return progressing("updated replicas are still becoming available");
    }
    if let Some(blue_green) = &spec.strategy.blue_green {
        let active = status.blue_green.active_selector.as_deref().unwrap_or_default();
        if active.is_empty() || *active != *status.current_pod_hash {
            return progressing("active service cutover pending");
        }
        if !object.is_promoted() {
            let run = status.blue_green.post_promotion_analysis_run_status.as_ref();
            let done = run.is_some_and(|r| is_over(&r.status));
            let waits = blue_green.post_promotion_analysis.is_some() && !done;
            let what = if waits { "analysis" } else { "post-promotion verification" };
            return progressing(&format!("waiting for {what} to complete"));
        }
    } else if spec.strategy.canary.is_some() {
        if !object.is_routed() && status.replicas > status.updated_replicas {
            return progressing("old replicas are pending termination");
        }
        if !object.is_promoted() {
            return progressing("waiting for all steps to complete");
        }
    }
    ("Healthy", String::new())
}

/// An analysis that will not change any more.
pub(super) fn is_over(phase: &str) -> bool {
    matches!(phase, "Successful" | "Failed" | "Error" | "Inconclusive")
}

/// Something that has no deadline of its own runs: an analysis or an experiment.
pub(super) fn is_analysing(object: &Object) -> bool {
    let at = object.step().is_some_and(|s| s.is_open_ended() && s.pause().is_none());
    let switching = |(what, run): (&str, &super::object::RunStatus)| what != "background" && !is_over(&run.status);
    !object.is_promoted() && (at || object.analyses().any(switching))
}

/// Our word for it. Healthy on another revision than the stable one is not believed.
pub(super) fn phase(object: &Object) -> Phase {
    if unobserved(object).is_some() {
        return Phase::Unobserved;
    }
    let (says, _) = says(object);
    match &*says {
        "Healthy" if object.is_promoted() => Phase::Complete,
        "Degraded" if is_late(object) => Phase::DeadlineExceeded,
        "Degraded" => Phase::Degraded,
        "Paused" if !object.pauses().is_empty() => Phase::AtStep,
        "Paused" if object.is_promoted() && is_whole(object) => Phase::Complete,
        "Progressing" if is_analysing(object) => Phase::AtStep,
        _ => Phase::Progressing(waits_for(object)),
    }
}

fn is_late(object: &Object) -> bool {
    !object.status.abort
        && object.condition("Progressing").is_some_and(|c| &*c.reason == "ProgressDeadlineExceeded")
        && object.condition("InvalidSpec").is_none()
}

fn is_whole(object: &Object) -> bool {
    let (status, wanted) = (&object.status, object.spec.replicas.unwrap_or(1));
    status.updated_replicas >= wanted && status.available_replicas >= wanted
}

fn waits_for(object: &Object) -> Progressing {
    let status = &object.status;
    if status.updated_replicas < object.spec.replicas.unwrap_or(1) {
        Progressing::Updating
    } else if status.available_replicas < status.updated_replicas {
        Progressing::Availability
    } else if object.is_promoted() || object.steps().is_empty() {
        Progressing::Terminating
    } else {
        Progressing::Updating
    }
}

/// Everything about the steps.
pub(super) fn steps(object: &Object) -> Steps {
    let status = &object.status;
    let (phase, message) = says(object);
    let text = |t: &Text| -> Option<Text> { (!t.is_empty()).then(|| safe(t, 63).into()) };
    let lasts = |reason: &str| match reason {
        "CanaryPauseStep" => object.step().and_then(|s| s.pause()).flatten(),
        "BlueGreenPause" => {
            let waits = object.spec.strategy.blue_green.as_ref();
            let waits = waits.filter(|b| b.auto_promotion_enabled != Some(false));
            waits.and_then(|b| b.auto_promotion_seconds).map(std::time::Duration::from_secs)
        }
        _ => None,
    };
    let pause = |p: &super::object::PauseCondition| StepPause {
        reason: safe(&p.reason, 60).into(),
        since: p.start_time,
        lasts: lasts(&p.reason),
    };
    let analysis = |(what, run): (&'static str, &super::object::RunStatus)| StepAnalysis {
        what,
        name: safe(&run.name, 253).into(),
        phase: safe(&run.status, 40).into(),
        message: safe(&run.message, 200).into(),
    };
    let experiment = status.canary.current_experiment.as_ref().filter(|name| !name.is_empty());
    let experiment = experiment.map(|name| StepAnalysis {
        what: "experiment",
        name: safe(name, 253).into(),
        phase: "".into(),
        message: "".into(),
    });
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Steps {
        says: if message.is_empty() { phase } else { format!("{phase} - {message}").into() },
        blue_green: object.spec.strategy.blue_green.is_some(),
        done: count(object.done()),
        of: count(object.steps().len()),
        now: object.step().map(|s| s.label().into()),
        set_weight: object.spec.strategy.canary.as_ref().map(|_| object.set_weight()),
        actual_weight: object
            .is_routed()
            .then(|| status.canary.weights.as_ref().and_then(|w| w.canary.weight))
            .flatten(),
        most: object.most(),
        pauses: object.pauses().iter().map(pause).collect(),
        stable: text(&status.stable_rs),
        current: safe(&status.current_pod_hash, 63).into(),
        active: status.blue_green.active_selector.as_ref().and_then(text),
        preview: status.blue_green.preview_selector.as_ref().and_then(text),
        aborted: status.abort,
        full: status.promote_full,
        analyses: object.analyses().map(analysis).chain(experiment).collect(),
        steers: object.steers(),
    }
}
