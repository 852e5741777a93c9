//! The next turn of a rollout, as exact requests: the next step, all steps, back, and once more.
//!
//! Each tests what it rests on: the revision, and where a step counts, the step and its pauses. So a second
//! one is refused as changed, and no step is ever skipped. `controllerPause` is never written: without it the
//! controller would pause again at the same step.

use serde::Deserialize;
use serde_json::{Value, json};

use super::object::Object;
use super::{Rollout, status};
use crate::domain::change::{add, replace, test};
use crate::domain::plan::{DiffLine, Expectation};
use crate::domain::text::safe;
use crate::domain::version::TemplateDigest;
use crate::kinds::{Still, Turn, WorkloadKind};

/// Why nothing may be sent.
fn still(code: &'static str, why: impl Into<String>, hint: &str) -> Still {
    Still { code, why: why.into(), hint: hint.to_owned() }
}

/// The part of a Rollout that turns are made of.
fn read(object: &Value) -> Result<Object, Still> {
    let unreadable = |e: serde_json::Error| {
        still("unreadable", format!("cannot be read: {}", safe(&e.to_string(), 200)), "look at it with `y`")
    };
    Object::deserialize(object).map_err(unreadable)
}

/// What every turn waits for: the status must speak of this spec, and of a revision to come from.
fn is_ready(object: &Object) -> Result<(), Still> {
    if let Some(why) = status::unobserved(object) {
        return Err(still("not-ready", format!("is {why}"), "wait until its controller has taken it up"));
    }
    if object.status.stable_rs.is_empty() {
        let why = "has no stable revision yet: there is nothing to go back to";
        return Err(still("no-stable", why, "wait until its first rollout is complete"));
    }
    if object.status.promote_full {
        return Err(still("not-ready", "is going through all its steps already", "wait, or abort it (X)"));
    }
    Ok(())
}

/// Tests of the revision, and of the step and its pauses where they count.
fn stands(object: &Value, with_step: bool) -> Vec<Value> {
    let at = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    let mut tests = vec!["/status/currentPodHash"];
    if with_step {
        tests.extend(["/status/currentStepIndex", "/status/pauseConditions"]);
    }
    tests.into_iter().map(|pointer| test(pointer, at(pointer))).collect()
}

fn line(field: &str, from: Option<Value>, to: Option<Value>) -> Vec<DiffLine> {
    vec![DiffLine { field: field.into(), from, to }]
}

/// What is to be seen of the template that is there.
fn template(object: &Value) -> TemplateDigest {
    Rollout.digest(object).unwrap_or_else(|| TemplateDigest::of(&Value::Null))
}

/// Lets a rollout on that waits at a pause.
pub(super) fn next(object: &Value, stands_still: Option<Still>) -> Result<Option<Turn>, Still> {
    let read = read(object)?;
    if read.is_promoted() {
        return Ok(None);
    }
    if let Some(still) = stands_still {
        return Err(still);
    }
    is_ready(&read)?;
    if read.status.abort {
        return again(object).map(Some);
    }
    let steps = status::steps(&read);
    let place = steps.place();
    let (phase, message) = status::says(&read);
    if &*phase == "Degraded" {
        return Err(still("degraded", format!("is degraded at {place}: {message}"), "X aborts it, B rolls it back"));
    }
    if let Some(pause) = read.pauses().iter().find(|p| p.reason.starts_with("Inconclusive")) {
        return Err(still(
            "inconclusive",
            format!("waits at {place} because an analysis was not conclusive ({})", safe(&pause.reason, 60)),
            "look at the analysis: X aborts, F goes on without it and without every other step",
        ));
    }
    if !read.pauses().is_empty() {
        let pauses = object.pointer("/status/pauseConditions").cloned();
        let mut operations = stands(object, true);
        operations.push(json!({"op": "remove", "path": "/status/pauseConditions"}));
        let (label, expect) = if steps.blue_green {
            ("switch to the preview".to_owned(), Expectation::Settled(template(object)))
        } else {
            let beyond = Some(steps.done);
            (format!("on from {place}"), Expectation::AtStep { template: template(object), beyond })
        };
        let diff = line("status.pauseConditions", pauses, None);
        return Ok(Some(Turn { is_status: true, ..Turn::new(label, operations, diff, expect) }));
    }
    if status::is_analysing(&read) {
        return Err(still(
            "analysis",
            format!("is at {place}, and what runs there has not ended"),
            "wait for it; F goes on without it and without every other step, typed",
        ));
    }
    Err(still("not-ready", format!("is moving at {place}: {message}"), "wait until it pauses, or roll it back (B)"))
}

/// Skips every step that is left, analyses too.
pub(super) fn all(object: &Value, stands_still: Option<Still>) -> Result<Option<Turn>, Still> {
    let read = read(object)?;
    if read.is_promoted() {
        return Ok(None);
    }
    if let Some(still) = stands_still {
        return Err(still);
    }
    is_ready(&read)?;
    if read.status.abort {
        return Err(still(
            "aborted",
            "was aborted: going on in full would take the abort back and give everybody what failed",
            "P tries it again from its first step; B puts the stable template back",
        ));
    }
    let steps = status::steps(&read);
    let (phase, message) = status::says(&read);
    if &*phase == "Degraded" {
        let why = format!("is degraded at {}: {message}", steps.place());
        return Err(still("degraded", why, "what did not come up for some is not for all: X aborts, B rolls back"));
    }
    let mut operations = stands(object, true);
    operations.push(add("/status/promoteFull", Value::Bool(true)));
    let left: Vec<String> = read.steps().iter().skip(read.done()).map(super::object::Step::label).collect();
    let runs = steps.analyses.iter().filter(|a| !status::is_over(&a.phase)).map(|a| format!("{} {}", a.what, a.name));
    let runs: Vec<String> = runs.collect();
    let mut warning = match left.len() {
        0 => format!("goes on from {} without what it waits for", steps.place()),
        1 => format!("skips the step that is left ({})", left.join(", ")),
        n => format!("skips the {n} steps that are left ({})", left.join(", ")),
    };
    if !runs.is_empty() {
        warning.push_str(&format!(", and an analysis that runs ({})", runs.join(", ")));
    }
    let diff = line("status.promoteFull", Some(read.status.promote_full.into()), Some(true.into()));
    let expect = Expectation::Settled(template(object));
    let turn = Turn::new("promote in full".to_owned(), operations, diff, expect);
    Ok(Some(Turn { is_status: true, overrides: true, warning: Some(warning), ..turn }))
}

/// Tries a rollout again that was given up: from its first step.
fn again(object: &Value) -> Result<Turn, Still> {
    let read = read(object)?;
    let why = read.condition("Progressing").map(|c| safe(&c.message, 200)).unwrap_or_default();
    let mut operations = stands(object, true);
    operations.extend([test("/status/abort", true.into()), replace("/status/abort", false.into())]);
    let diff = line("status.abort", Some(true.into()), Some(false.into()));
    let expect = Expectation::Retried(template(object));
    let turn = Turn::new("try again from the first step".to_owned(), operations, diff, expect);
    let warning = format!("was aborted ({why}): it is tried again from its first step");
    Ok(Turn { is_status: true, warning: Some(warning), ..turn })
}

/// Gives a rollout up: the stable revision gets all traffic at once, and the template stays.
///
/// None where that would do nothing, or half of it: the way back is then the template.
pub(super) fn abort(object: &Value) -> Option<Turn> {
    let read = Object::deserialize(object).ok()?;
    let status = &read.status;
    // A template that the controller has not taken up takes the abort away again; a paused rollout is not
    // scaled back; what has no stable revision has nowhere to go.
    let unseen = status::unobserved(&read).is_some() && !status::is_going_on(&read);
    if unseen || read.spec.paused || status.abort || status.stable_rs.is_empty() || read.is_promoted() {
        return None;
    }
    let mut operations = stands(object, false);
    operations.push(add("/status/abort", Value::Bool(true)));
    let diff = line("status.abort", Some(status.abort.into()), Some(true.into()));
    let label = format!("abort at {}", status::steps(&read).place());
    Some(Turn { is_status: true, ..Turn::new(label, operations, diff, Expectation::Aborted) })
}
