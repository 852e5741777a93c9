//! What makes an Application bring another version: the field that says which, and the operation that brings it.
//!
//! An operation is asked for as Argo CD's API server does: never over another one, and with what the last one came to
//! taken away, so that its end is not read as the end of this one. Where the Application brings changes by itself
//! none is asked for: two writers of operations would get in each other's way.

use serde_json::{Value, json};

use super::SKIP;
use super::knob::{Chosen, Edit, edit, edit_back, shown, source, still};
use super::set;
use crate::delivery::{Back, Wanted, Writing};
use crate::domain::carrier::{ApplicationCarrier, ApplicationField};
use crate::domain::change::{add, replace, test};
use crate::domain::id::Text;
use crate::domain::plan::DiffLine;
use crate::domain::text::safe;
use crate::domain::version::Image;
use crate::kinds::Still;

/// Why an operation is there, for who reads the Application.
const REASON: &str = "Reason";

pub(super) fn bring(object: &Value, means: &ApplicationCarrier, wanted: &Wanted<'_>) -> Result<Option<Writing>, Still> {
    takes_orders(object)?;
    is_idle(object)?;
    // A sync brings every source: none of them is meant more than others.
    let first = "0".into();
    let which = if means.field == ApplicationField::Sync { Some(&first) } else { means.source.as_ref() };
    let chosen = source(spec(object)?, which)?;
    let edit = edit(object, chosen.source, means, wanted)?.filter(|e| e.from != e.to);
    let set = generated(object, wanted.generator, &chosen, edit.as_ref())?;
    if let Some((set, edit)) = set.zip(edit.as_ref()) {
        return set::order(object, set, &chosen, edit).map(Some);
    }
    let why = format!("gonogo: {}", wanted.version);
    order(object, &chosen, edit, wanted.by, &why)
}

pub(super) fn back(object: &Value, means: &ApplicationCarrier, back: &Back<'_>) -> Result<Option<Writing>, Still> {
    takes_orders(object)?;
    spec(object)?;
    let wanted = &back.wanted;
    if means.field == ApplicationField::Sync {
        is_idle(object)?;
        return history(object, wanted.by).map(Some);
    }
    let chosen = source(spec(object)?, means.source.as_ref())?;
    let edit = match back.was {
        Some(was) => {
            let was: Option<Value> = serde_json::from_str(was).ok();
            edit_back(chosen.source, means, wanted.repository, was.as_ref())?
        }
        None => edit(object, chosen.source, means, wanted)?,
    };
    let Some(edit) = edit.filter(|e| e.from != e.to) else { return Ok(None) };
    let busy = is_idle(object);
    let mut order = match generated(object, wanted.generator, &chosen, Some(&edit))? {
        Some(set) => set::order(object, set, &chosen, &edit)?,
        None => {
            if !is_automated(object) {
                busy.clone()?;
            }
            let order = order(object, &chosen, Some(edit), wanted.by, "gonogo: roll back")?;
            let Some(order) = order else { return Ok(None) };
            order
        }
    };
    order.notes.push(
        "what it follows goes back: Argo CD's own rollback would leave that, be refused while it is automated, and be \
         undone by the next sync"
            .into(),
    );
    if busy.is_err() {
        order.notes.push("an operation is under way, and ends before this is brought".into());
    }
    Ok(Some(order))
}

pub(super) fn spec(object: &Value) -> Result<&Value, Still> {
    object
        .get("spec")
        .filter(|s| s.is_object())
        .ok_or_else(|| still("no-source", "is brought by an Application without a spec", "look at it"))
}

/// Whether anything that is written to it has an effect.
pub(super) fn takes_orders(object: &Value) -> Result<(), Still> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    if text("/metadata/deletionTimestamp").is_some() {
        return Err(still("deleting", "is brought by an Application that is being deleted", "find out who deletes it"));
    }
    let skips = object.pointer("/metadata/annotations").and_then(|a| a.get(SKIP)).and_then(Value::as_str);
    if skips.is_some_and(super::is_true) {
        return Err(still(
            "ignored",
            "is brought by an Application that Argo CD is told to leave alone: nothing that is written to it has an effect",
            format!("take the annotation {SKIP} away first"),
        ));
    }
    if object.pointer("/spec/sourceHydrator").is_some_and(Value::is_object) {
        return Err(still(
            "hydrated",
            "follows manifests that Argo CD's hydrator writes to Git",
            "change the repository that the hydrator reads",
        ));
    }
    Ok(())
}

/// The ApplicationSet that is to be changed instead, since it would put a change of this one back.
fn generated<'a>(
    object: &Value,
    set: Option<&'a Value>,
    chosen: &Chosen<'_>,
    edit: Option<&Edit>,
) -> Result<Option<&'a Value>, Still> {
    let Some(name) = generator(object) else { return Ok(None) };
    let Some(set) = set else {
        return Err(still(
            "generated",
            format!("is brought by an Application that ApplicationSet {name} generates: it would put a change back"),
            format!("ApplicationSet {name} could not be read: change it, or the repository that it reads"),
        ));
    };
    let field = edit.map(|e| format!("/spec{}{}", chosen.at, e.field));
    Ok(Some(set).filter(|set| !field.is_some_and(|field| set::leaves(set, object, &field))))
}

/// Name of the ApplicationSet that generates it.
pub(super) fn generator(object: &Value) -> Option<String> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array)?;
    let set = owners.iter().find(|o| o.get("kind").and_then(Value::as_str) == Some("ApplicationSet"))?;
    Some(safe(set.get("name").and_then(Value::as_str).unwrap_or("?"), 253))
}

/// No operation is asked for or runs.
pub(super) fn is_idle(object: &Value) -> Result<(), Still> {
    let state = object.pointer("/status/operationState");
    let phase = state.and_then(|s| s.get("phase")).and_then(Value::as_str).unwrap_or_default();
    let asked = object.get("operation").is_some_and(|o| !o.is_null());
    if !asked && !matches!(phase, "Running" | "Terminating") {
        return Ok(());
    }
    let wish = object.get("operation").filter(|o| !o.is_null()).or_else(|| state.and_then(|s| s.get("operation")));
    let by = wish.and_then(|w| w.pointer("/initiatedBy/username")).and_then(Value::as_str).filter(|b| !b.is_empty());
    let by = by.map(|by| format!(" for {}", safe(by, 120))).unwrap_or_default();
    let phase = if matches!(phase, "Running" | "Terminating") { phase } else { "Requested" };
    Err(still(
        "busy",
        format!("is brought by an Application whose operation is under way ({phase}{by})"),
        "wait until it ended, or end it with `argocd app terminate-op`",
    ))
}

pub(super) fn is_automated(object: &Value) -> bool {
    let automated = object.pointer("/spec/syncPolicy/automated").filter(|a| a.is_object());
    automated.is_some_and(|a| a.get("enabled") != Some(&Value::Bool(false)))
}

/// This object, with the sources and the policy that were read, and idle where an operation is asked for.
fn as_read(object: &Value) -> Vec<Value> {
    let own = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    ["/metadata/uid", "/spec/source", "/spec/sources", "/spec/syncPolicy"].map(|p| test(p, own(p))).into()
}

/// Operations that ask for one, over none: as Argo CD's API server, what the last one came to goes.
fn asked(object: &Value, operation: &Value) -> Vec<Value> {
    let mut operations = vec![test("/operation", Value::Null)];
    if let Some(state) = object.pointer("/status/operationState").filter(|s| s.is_object()) {
        // Which one it was: another that came and went since is another's word.
        for key in ["startedAt", "phase"] {
            let value = state.get(key).cloned().unwrap_or_default();
            operations.push(test(format!("/status/operationState/{key}"), value));
        }
        operations.push(json!({"op": "remove", "path": "/status/operationState"}));
    }
    operations.push(add("/operation", operation.clone()));
    operations
}

/// The edit, if any, and the operation that brings it where nothing else would.
fn order(
    object: &Value,
    chosen: &Chosen<'_>,
    edit: Option<Edit>,
    by: &str,
    why: &str,
) -> Result<Option<Writing>, Still> {
    let automated = is_automated(object);
    let in_sync = object.pointer("/status/sync/status").and_then(Value::as_str) == Some("Synced");
    if edit.is_none() && (automated || in_sync) {
        return Ok(None);
    }
    let mut operations = as_read(object);
    let (mut diff, mut notes) = (Vec::new(), Vec::new());
    let mut label = String::from("sync");
    let mut was = None;
    let mut target = chosen.source.clone();
    if let Some(edit) = &edit {
        let path = format!("/spec{}{}", chosen.at, edit.field);
        operations.push(match (&edit.from, &edit.to) {
            (Some(_), Some(to)) => replace(path, to.clone()),
            (None, Some(to)) => add(path, to.clone()),
            (_, None) => json!({"op": "remove", "path": path}),
        });
        let field = shown(chosen, edit);
        label = match (&edit.from, &edit.to) {
            (Some(from), Some(to)) => format!("{field} {} → {}", word(from), word(to)),
            (None, Some(to)) => format!("{field} {}", word(to)),
            (_, None) => format!("{field} as before"),
        };
        let before = edit.from.as_ref().map_or_else(|| "absent".to_owned(), Value::to_string);
        was = Some((format!("application {field}").into(), before.into()));
        if edit.field == "/targetRevision" {
            put(&mut target, "targetRevision", edit.to.clone().unwrap_or_default());
        }
        diff.push(DiffLine { field: field.into(), from: edit.from.clone(), to: edit.to.clone() });
    }
    if !automated {
        let operation = operation(object, chosen, &target, by, why);
        operations.extend(asked(object, &operation));
        diff.push(DiffLine { field: "operation".into(), from: None, to: Some(operation) });
        notes.push("a sync is asked for, which brings all that the repository changed since the last".into());
    }
    Ok(Some(Writing { on: None, label: label.into(), operations, diff, was, notes }))
}

/// The sync, with every revision said: what was shown is what is brought.
fn operation(object: &Value, chosen: &Chosen<'_>, target: &Value, by: &str, why: &str) -> Value {
    let revision = |s: &Value| s.get("targetRevision").filter(|t| t.is_string()).cloned().unwrap_or_else(|| "".into());
    let mut sync = json!({"syncStrategy": {"hook": {}}});
    let several = object.pointer("/spec/sources").and_then(Value::as_array).filter(|all| !all.is_empty());
    match several {
        Some(all) => {
            let of = |(at, s): (usize, &Value)| {
                if chosen.at == format!("/sources/{at}") { revision(target) } else { revision(s) }
            };
            put(&mut sync, "revisions", all.iter().enumerate().map(of).collect());
        }
        None if revision(target) != "" => put(&mut sync, "revision", revision(target)),
        None => {}
    }
    if let Some(options) = object.pointer("/spec/syncPolicy/syncOptions").filter(|o| o.is_array()) {
        put(&mut sync, "syncOptions", options.clone());
    }
    json!({
        "initiatedBy": {"username": safe(by, 120)},
        "info": [{"name": REASON, "value": safe(why, 200)}],
        "sync": sync,
    })
}

/// Argo CD's own rollback: what it brought before, out of its history. What it follows stays.
fn history(object: &Value, by: &str) -> Result<Writing, Still> {
    if is_automated(object) {
        return Err(still(
            "automated",
            "is brought by an Application that is automated: Argo CD refuses a rollback, and would bring the newest again",
            "roll back what it follows: revert the commit in the repository, or hold first, which takes `automated` away",
        ));
    }
    let entries = object.pointer("/status/history").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let revisions = |e: &Value| {
        let one = e.get("revision").filter(|r| r.as_str().is_some_and(|r| !r.is_empty())).cloned();
        (one, e.get("revisions").filter(|r| r.as_array().is_some_and(|r| !r.is_empty())).cloned())
    };
    let now = entries.last().map(revisions);
    let before = entries.iter().rev().find(|e| Some(revisions(e)) != now && revisions(e) != (None, None));
    let Some((before, now)) = before.zip(now) else {
        return Err(still(
            "no-history",
            "is brought by an Application whose history holds nothing but what it brought last",
            "revert the commit in the repository",
        ));
    };
    let mut sync = json!({"syncStrategy": {"apply": {}}});
    for key in ["revision", "revisions", "source", "sources"] {
        if let Some(value) = before.get(key).filter(|v| !v.is_null()) {
            put(&mut sync, key, value.clone());
        }
    }
    if let Some(options) = object.pointer("/spec/syncPolicy/syncOptions").filter(|o| o.is_array()) {
        put(&mut sync, "syncOptions", options.clone());
    }
    let info = json!([{"name": REASON, "value": "gonogo: roll back"}]);
    let operation = json!({"initiatedBy": {"username": safe(by, 120)}, "info": info, "sync": sync});
    let mut operations = as_read(object);
    operations.extend(asked(object, &operation));
    let word = |(one, several): (Option<Value>, Option<Value>)| {
        let all = several.as_ref().and_then(Value::as_array).cloned().unwrap_or_else(|| one.into_iter().collect());
        let short = |r: &Value| safe(&r.as_str().unwrap_or("?").chars().take(12).collect::<String>(), 40);
        all.iter().map(short).collect::<Vec<_>>().join(", ")
    };
    let id = before.get("id").and_then(Value::as_i64).unwrap_or_default();
    let label = format!("{} → {} (history {id})", word(now), word(revisions(before)));
    let diff = vec![DiffLine { field: "operation".into(), from: None, to: Some(operation) }];
    let note = "what it follows stays as it is: it is out of sync afterwards, and the next sync brings that again";
    Ok(Writing { on: None, label: label.into(), operations, diff, was: None, notes: vec![note.into()] })
}

/// A value as people read it: of an image the version.
fn word(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = match text.rsplit_once('=').map_or(text.as_str(), |(_, new)| new) {
        image if image.contains(['/', '@']) && !image.contains("://") => Image::parse(image).version().to_string(),
        _ => text,
    };
    safe(&text, 80)
}

pub(super) fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(map) = object.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// As JSON, for a record.
pub(super) fn text(value: &Value) -> Text {
    value.to_string().into()
}
