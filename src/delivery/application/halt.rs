//! What keeps an Application from bringing anything by itself, and what gives that back exactly.

use serde_json::{Value, json};

use super::knob::still;
use super::write::{generator, is_automated, spec, takes_orders, text};
use crate::delivery::Writing;
use crate::domain::change::{add, replace, test};
use crate::domain::delivery::{Delivery, OperationPhase};
use crate::domain::plan::DiffLine;
use crate::kinds::Still;

/// The field that a halt takes away.
const AUTOMATED: &str = "/spec/syncPolicy/automated";

/// `automated` goes away whole: `enabled: false` is not read by versions before 3.1, which would stay on.
pub(super) fn halt(known: &Delivery) -> Result<Option<Writing>, Still> {
    let Some(was) = known.automation.as_ref().filter(|_| known.automated.is_some()) else { return Ok(None) };
    if let Some(set) = &known.generated_by {
        return Err(still(
            "generated",
            format!("stays automated: ApplicationSet {set} generates its Application, and would put `automated` back"),
            format!("set `automated` in ApplicationSet {set}, or let it ignore /spec/syncPolicy"),
        ));
    }
    let Ok(value) = serde_json::from_str::<Value>(was) else { return Ok(None) };
    let operations = vec![
        test("/metadata/uid", known.uid.as_str().into()),
        test(AUTOMATED, value.clone()),
        json!({"op": "remove", "path": AUTOMATED}),
    ];
    let diff = vec![DiffLine { field: "syncPolicy.automated".into(), from: Some(value.clone()), to: None }];
    Ok(Some(Writing {
        on: None,
        label: "automated off".into(),
        operations,
        diff,
        was: Some(("syncPolicy.automated".into(), text(&value))),
        notes: Vec::new(),
    }))
}

/// Ends the operation that is seen to run, and no other.
pub(super) fn terminate(known: &Delivery) -> Option<Writing> {
    let open = known.operation.as_ref().filter(|o| o.phase == OperationPhase::Running)?;
    let phase = "/status/operationState/phase";
    let mut operations = vec![test("/metadata/uid", known.uid.as_str().into()), test(phase, "Running".into())];
    if let Some(started) = open.started {
        operations.push(test("/status/operationState/startedAt", started.to_string().into()));
    }
    operations.push(replace(phase, "Terminating".into()));
    let by = open.by.as_ref().map(|by| format!(" for {by}")).unwrap_or_default();
    let diff =
        vec![DiffLine { field: "operation".into(), from: Some("Running".into()), to: Some("Terminating".into()) }];
    Some(Writing {
        on: None,
        label: format!("end the sync{by}").into(),
        operations,
        diff,
        was: None,
        notes: Vec::new(),
    })
}

pub(super) fn go_on(object: &Value, was: &str) -> Result<Option<Writing>, Still> {
    takes_orders(object)?;
    spec(object)?;
    if let Some(set) = generator(object) {
        return Err(still(
            "generated",
            format!("is brought by an Application that ApplicationSet {set} generates: it says what is automated"),
            format!("change ApplicationSet {set}"),
        ));
    }
    if object.pointer(AUTOMATED).is_some_and(|a| !a.is_null()) {
        return Ok(None);
    }
    let Some(value) = serde_json::from_str::<Value>(was).ok().filter(Value::is_object) else {
        return Err(still(
            "unreadable",
            "was automated in a way that its record does not tell",
            "set `automated` of the Application by hand",
        ));
    };
    let policy = object.pointer("/spec/syncPolicy").filter(|p| p.is_object());
    let mut operations = vec![
        test("/metadata/uid", object.pointer("/metadata/uid").cloned().unwrap_or_default()),
        test("/spec/syncPolicy", object.pointer("/spec/syncPolicy").cloned().unwrap_or_default()),
    ];
    operations.push(match policy {
        Some(_) => add(AUTOMATED, value.clone()),
        None => add("/spec/syncPolicy", json!({"automated": value})),
    });
    let brings = object.pointer("/status/sync/status").and_then(Value::as_str) != Some("Synced");
    let notes = match brings && !is_automated(object) {
        true => vec!["is not in sync: once it is automated again, Argo CD brings what it follows".into()],
        false => Vec::new(),
    };
    let diff = vec![DiffLine { field: "syncPolicy.automated".into(), from: None, to: Some(value) }];
    Ok(Some(Writing { on: None, label: "automated as before".into(), operations, diff, was: None, notes }))
}
