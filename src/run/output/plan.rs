//! A plan and its operation, as one-shot verbs print them.

use serde_json::{Value, json};

use super::VERSION;
use super::wording::for_verbs;
use crate::domain::finding::Severity;
use crate::domain::fleet::{Fleet, Service, Unit};
use crate::domain::intent::Direction;
use crate::domain::plan::{DiffLine, Plan, Refusal, WriteRole};
use crate::domain::text::{several, visible};
use crate::engine::operation::{Operation, StepState};
use crate::engine::unwatched::is_sent;

/// A value of the diff on one line. Literal values of environment variables and arguments that do not
/// change are never in a diff; those that do are what the operator must see.
pub fn value_text(value: Option<&Value>) -> String {
    match value {
        None => "–".to_owned(),
        Some(Value::String(text)) => visible(text).into_owned(),
        Some(other) => visible(&other.to_string()).into_owned(),
    }
}

fn region_name(service: Option<&Service>, step: &crate::domain::plan::Step) -> String {
    service.and_then(|s| s.region(step.region)).map_or_else(|| "?".to_owned(), |r| r.name.to_string())
}

/// The plan for people: exactly what would be sent.
pub fn plan_text(fleet: &Fleet, plan: &Plan) -> String {
    let service = fleet.service(plan.service);
    let name = service.map(|s| s.name.as_str());
    let share = match plan.blast.share {
        Some(share) => format!("{:.0} % of live traffic", share * 100.0),
        None => "share of live traffic unknown, counted as 100 %".to_owned(),
    };
    let qps = plan.blast.qps.map(|q| format!("{} QPS, ", Unit::PerSecond.show(q))).unwrap_or_default();
    let mut out = format!("{}\n  {}, {qps}{share}\n", plan.title, several(plan.blast.regions.len(), "region"));
    for step in &plan.steps {
        out.push_str(&format!("  {} — {}\n", region_name(service, step), visible(&step.label)));
        for write in step.writes.iter().filter(|w| w.role == WriteRole::Main) {
            let (method, subject) = (write.change.method(), visible(&write.change.subject()).into_owned());
            out.push_str(&match write.change.cluster() {
                Some(at) => format!("    {method} {subject} on cluster {}\n", fleet.cluster_name(at)),
                None => format!("    {method} {subject}: {}\n", visible(&write.change.path())),
            });
        }
        for DiffLine { field, from, to } in &step.diff {
            let (from, to) = (value_text(from.as_ref()), value_text(to.as_ref()));
            out.push_str(&format!("    {}: {from} → {to}\n", visible(field)));
        }
        let facts: Vec<&str> = step.facts.iter().flat_map(|(_, f)| f).map(|f| f.kind()).collect();
        let event = step.writes.iter().any(|w| w.role == WriteRole::Event);
        if !facts.is_empty() || event {
            let event = if event { ", 1 event" } else { "" };
            out.push_str(&format!("    record: {}{event}\n", facts.join(", ")));
        }
    }
    for finding in &plan.findings {
        // A dry run with `!` ends with 3; a note is only good to know.
        let sign = if finding.severity >= Severity::Warning { '!' } else { '·' };
        out.push_str(&format!("  {sign} {}\n", visible(&for_verbs(&finding.text, name))));
    }
    let (after, back) = (for_verbs(&plan.after, name), for_verbs(&plan.way_back, name));
    let (after, back) = (visible(&after), visible(&back));
    out.push_str(&format!("  after: {after}\n  way back: {back}\n  plan {}\n", plan.hash()));
    out
}

/// A refusal for people.
pub fn refusal_text(refusal: &Refusal, service: &str) -> String {
    let hint = for_verbs(&refusal.hint, Some(service));
    let hint = if hint.is_empty() { String::new() } else { format!("\n  hint: {}", visible(&hint)) };
    let text = for_verbs(&refusal.text, Some(service));
    format!("refused ({}): {}{hint}\n", refusal.code, visible(&text))
}

/// A refusal as JSON.
pub fn refusal_json(refusal: &Refusal, service: &str) -> Value {
    json!({
        "version": VERSION, "kind": "refusal",
        "code": refusal.code, "text": for_verbs(&refusal.text, Some(service)),
        "hint": for_verbs(&refusal.hint, Some(service)),
    })
}

/// The plan as JSON: the exact body's digest, never the body.
pub fn plan_json(fleet: &Fleet, plan: &Plan) -> Value {
    let service = fleet.service(plan.service);
    let name = service.map(|s| s.name.as_str());
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .map(|step| {
            let writes: Vec<Value> = step
                .writes
                .iter()
                .map(|w| {
                    json!({
                        "role": match w.role {
                            WriteRole::Main => "main", WriteRole::Record => "record", WriteRole::Event => "event",
                        },
                        "method": w.change.method(),
                        "cluster": w.change.cluster().map(|at| fleet.cluster_name(at).to_string()),
                        "path": w.change.path(),
                        "content_type": w.change.content_type(),
                        "body_sha256": w.change.body_sha256(),
                    })
                })
                .collect();
            let diff: Vec<Value> =
                step.diff.iter().map(|d| json!({"field": &*d.field, "from": d.from, "to": d.to})).collect();
            json!({
                "region": region_name(service, step), "label": &*step.label, "writes": writes, "diff": diff,
                "limit_seconds": step.limit.as_secs(),
            })
        })
        .collect();
    json!({
        "version": VERSION,
        "kind": "plan",
        "id": plan.id.to_string(),
        "hash": plan.hash(),
        "verb": plan.intent.verb.word(),
        "direction": match plan.direction() { Direction::Raising => "raising", Direction::Lowering => "lowering" },
        "service": service.map(|s| s.name.to_string()),
        "title": &*plan.title,
        "confirm": &*plan.name,
        "blast": {
            "regions": plan.blast.regions.iter()
                .filter_map(|r| service?.region(*r)).map(|r| r.name.to_string()).collect::<Vec<_>>(),
            "share": plan.blast.share, "qps": plan.blast.qps,
        },
        "findings": plan.findings.iter().map(|f| json!({
            "severity": format!("{:?}", f.severity).to_lowercase(), "code": f.code,
            "subject": &*f.subject, "text": for_verbs(&f.text, name),
        })).collect::<Vec<_>>(),
        "after": for_verbs(&plan.after, name),
        "way_back": for_verbs(&plan.way_back, name),
        "steps": steps,
    })
}

/// A step's state in one line.
pub fn step_text(state: &StepState) -> String {
    match state {
        StepState::Pending => "not started".to_owned(),
        StepState::Sending { .. } => "sending".to_owned(),
        StepState::Retrying { why, .. } => format!("could not be sent, trying again: {}", visible(why)),
        StepState::Verifying { missing, lost: true, .. } => format!("no answer, being read: {}", visible(missing)),
        StepState::Verifying { missing, .. } => format!("accepted, waiting: {}", visible(missing)),
        StepState::Ended(outcome, why) => format!("{}: {}", outcome.word(), visible(why)),
    }
}

/// An operation for people.
pub fn operation_text(fleet: &Fleet, operation: &Operation) -> String {
    let service = fleet.service(operation.plan.service);
    let mut out = match &operation.ended {
        Some((_, outcome, why)) => format!("{}: {}: {}\n", operation.plan.title, outcome.word(), visible(why)),
        None if is_sent(operation) => {
            format!("{}: sent and accepted; the outcome is not waited for\n", operation.plan.title)
        }
        None => format!("{}: still under way; not everything was sent\n", operation.plan.title),
    };
    if let Some(why) = &operation.unjournaled {
        out.push_str(&format!("  UNJOURNALED: {}\n", visible(why)));
    }
    if let Some(remains) = &operation.remains {
        out.push_str(&format!("  {}\n", visible(remains)));
    }
    for (step, state) in operation.plan.steps.iter().zip(&operation.steps) {
        // A pause and its hold are two steps of one region.
        let alone = operation.plan.steps.iter().filter(|s| s.region == step.region).count() == 1;
        let what = if alone { String::new() } else { format!(", {}", visible(&step.label)) };
        out.push_str(&format!("  {}{what}: {}\n", region_name(service, step), step_text(state)));
    }
    out
}

/// An operation as JSON.
pub fn operation_json(fleet: &Fleet, operation: &Operation) -> Value {
    let service = fleet.service(operation.plan.service);
    json!({
        "version": VERSION,
        "kind": "operation",
        "plan": plan_json(fleet, &operation.plan),
        "by": operation.by.as_str(),
        "reason": operation.reason.as_deref(),
        "outcome": operation.ended.as_ref().map(|(_, o, _)| o.word()),
        "why": operation.ended.as_ref().map(|(_, _, w)| w.to_string()),
        "unjournaled": operation.unjournaled.as_deref(),
        "remains": operation.remains.as_deref(),
        "steps": operation.plan.steps.iter().zip(&operation.steps).map(|(step, state)| json!({
            "region": region_name(service, step),
            "step": &*step.label,
            "state": step_text(state),
        })).collect::<Vec<_>>(),
    })
}
