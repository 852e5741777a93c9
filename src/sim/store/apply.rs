//! Server-side apply: the writer says all it wants, and owns that and nothing else.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::super::resources::Resource;
use super::super::schema::{Merge, Shape, field_of};
use super::super::status::{ApiError, Cause, Details};
use super::managed::{self, Entry, Tree};
use super::{Part, Store, Writer, meta};

/// What an apply did.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The object after it.
    pub object: Arc<Value>,
    /// True when it did not exist before.
    pub created: bool,
}

impl Store {
    /// Applies `wanted` (all that the writer wants of the object, name and namespace
    /// included). Fields that others own with another value are conflicts, or with `force`
    /// taken over; fields the writer no longer names and nobody else owns are removed.
    /// `admit` sees the object before and after.
    pub fn apply(
        &self,
        resource: &'static Resource,
        wanted: &Value,
        (part, force): (Part, bool),
        writer: &Writer,
        mut admit: impl FnMut(Option<&Value>, &Value) -> Result<(), ApiError>,
    ) -> Result<Applied, ApiError> {
        let resource = resource.stored();
        let (ns, name) = (meta::text(wanted, "namespace").to_owned(), meta::text(wanted, "name").to_owned());
        let shape = Shape::Struct(resource.kind);
        if self.find(resource, &ns, &name).is_none() {
            if part != Part::Main {
                return Err(ApiError::not_found(resource, &name));
            }
            admit(None, wanted)?;
            let object = self.create(resource, wanted.clone(), writer)?;
            return Ok(Applied { object, created: true });
        }
        let tree = managed::tree_of(wanted, &shape, true);
        let by = self.entry(writer, part);
        let make = |current: &Value| {
            let mut entries = managed::entries_of(current);
            let mut conflicts = Vec::new();
            for entry in entries.iter_mut().filter(|entry| !managed::is_entry(entry, &by)) {
                let theirs = entry.get("fieldsV1").and_then(Value::as_object).cloned().unwrap_or_default();
                let mut clash = Tree::new();
                clashes(&theirs, wanted, Some(current), &shape, true, &mut clash);
                if clash.is_empty() {
                    continue;
                }
                conflicts.extend(paths(&clash, "").into_iter().map(|path| (label(entry), path)));
                if let Some(Value::Object(tree)) = entry.get_mut("fieldsV1") {
                    managed::subtract(tree, &clash);
                }
            }
            if !force && !conflicts.is_empty() {
                return Err(refusal(conflicts));
            }
            let mut next = current.clone();
            let mine = entries.iter().position(|entry| managed::is_entry(entry, &by));
            let before = mine.map(|at| entries.remove(at));
            let mut dropped = tree_in(before.as_ref());
            managed::subtract(&mut dropped, &tree);
            for entry in &entries {
                spare(&mut dropped, &tree_in(Some(entry)));
            }
            remove(&mut next, &dropped, &shape);
            merge(&mut next, wanted, &shape);
            admit(Some(current), &next)?;
            let same_fields = tree_in(before.as_ref()) == tree;
            Ok((next, Ownership { entries, before, same_fields, tree: tree.clone() }))
        };
        let own = |old: &Value, new: &mut Value, ownership: Ownership| {
            let Ownership { mut entries, before, same_fields, tree } = ownership;
            let unchanged = same_fields && managed::without(new) == managed::without(old);
            match before.filter(|_| unchanged) {
                Some(entry) => entries.push(entry),
                None => managed::add_to_entry(&mut entries, resource, &by, tree),
            }
            managed::store_entries(new, entries);
        };
        let object = self.change(resource, (&ns, &name), part, writer, make, own)?;
        Ok(Applied { object, created: false })
    }
}

struct Ownership {
    entries: Vec<Value>,
    before: Option<Value>,
    same_fields: bool,
    tree: Tree,
}

fn tree_in(entry: Option<&Value>) -> Tree {
    entry.and_then(|e| e.get("fieldsV1")).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Owned fields that `wanted` gives another value than `current` has.
fn clashes(theirs: &Tree, wanted: &Value, current: Option<&Value>, shape: &Shape, top: bool, out: &mut Tree) {
    let now = current.map(|c| managed::children(c, shape, top)).unwrap_or_default();
    for (key, (value, inner)) in managed::children(wanted, shape, top) {
        let Some(Value::Object(owned)) = theirs.get(&key) else { continue };
        let live = now.iter().find(|(k, _)| *k == key).map(|(_, (v, _))| *v);
        if managed::is_granular(value, &inner) {
            let mut below = Tree::new();
            clashes(owned, value, live, &inner, false, &mut below);
            if !below.is_empty() {
                out.insert(key, Value::Object(below));
            }
        } else if live != Some(value) {
            out.insert(key, Value::Object(Tree::new()));
        }
    }
}

/// Takes out of `dropped` what another manager owns, and the containers of that.
fn spare(dropped: &mut Tree, theirs: &Tree) {
    for (key, below) in theirs {
        let (Some(Value::Object(mine)), Value::Object(below)) = (dropped.get_mut(key), below) else { continue };
        mine.remove(".");
        if below.is_empty() {
            dropped.remove(key);
        } else {
            spare(mine, below);
            if mine.is_empty() {
                dropped.remove(key);
            }
        }
    }
}

/// Merges what is wanted into the object; keyed lists by all their keys.
fn merge(target: &mut Value, wanted: &Value, shape: &Shape) {
    match (target, wanted, shape) {
        (Value::Object(map), Value::Object(wanted), _) => {
            for (key, value) in wanted {
                let inner = field_of(shape, key).map_or(Shape::Any, |f| f.shape.clone());
                let slot = map.entry(key.clone()).or_insert(Value::Null);
                merge(slot, value, &inner);
            }
        }
        (Value::Array(list), Value::Array(wanted), Shape::List(item, Merge::Keys(keys))) => {
            for element in wanted {
                let key = managed::key_of(element, keys);
                match list.iter_mut().find(|have| managed::key_of(have, keys) == key) {
                    Some(have) => merge(have, element, item),
                    None => list.push(element.clone()),
                }
            }
        }
        (Value::Array(list), Value::Array(wanted), Shape::List(_, Merge::Set)) => {
            for element in wanted.iter().filter(|e| !list.contains(e)).cloned().collect::<Vec<_>>() {
                list.push(element);
            }
        }
        (target, wanted, _) => target.clone_from(wanted),
    }
}

/// Removes the fields of a tree.
fn remove(target: &mut Value, gone: &Tree, shape: &Shape) {
    for (key, below) in gone {
        let Value::Object(below) = below else { continue };
        // A container that was owned, and in which nobody else owns anything, goes whole.
        let whole = below.is_empty() || below.contains_key(".");
        match (&mut *target, shape) {
            (Value::Object(map), _) => {
                let Some(name) = key.strip_prefix("f:") else { continue };
                let inner = field_of(shape, name).map_or(Shape::Any, |f| f.shape.clone());
                match map.get_mut(name) {
                    Some(child) if !whole => remove(child, below, &inner),
                    _ => {
                        map.remove(name);
                    }
                }
            }
            (Value::Array(list), Shape::List(item, Merge::Keys(keys))) => {
                let at = list.iter().position(|e| format!("k:{}", Value::Object(managed::key_of(e, keys))) == *key);
                match at {
                    Some(at) if whole => {
                        list.remove(at);
                    }
                    Some(at) => {
                        if let Some(element) = list.get_mut(at) {
                            remove(element, below, item);
                        }
                    }
                    None => {}
                }
            }
            (Value::Array(list), Shape::List(_, Merge::Set)) => list.retain(|e| format!("v:{e}") != *key),
            _ => {}
        }
    }
}

/// The leaves of a tree, as messages name them: `.spec.containers[name="web"].image`.
fn paths(tree: &Map<String, Value>, above: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (key, below) in tree {
        let step = if let Some(name) = key.strip_prefix("f:") {
            format!(".{name}")
        } else if let Some(keys) = key.strip_prefix("k:") {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("[{}]", keys.join(","))
        } else if let Some(value) = key.strip_prefix("v:") {
            format!("[={value}]")
        } else {
            continue;
        };
        let path = format!("{above}{step}");
        match below.as_object() {
            Some(inner) if !inner.is_empty() => out.extend(paths(inner, &path)),
            _ => out.push(path),
        }
    }
    out
}

/// The other manager, as messages name it.
fn label(entry: &Value) -> String {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("");
    let part = match text("subresource") {
        "" => String::new(),
        part => format!(" with subresource {part:?}"),
    };
    format!("{:?}{part} using {}", text("manager"), text("apiVersion"))
}

/// 409 with one `FieldManagerConflict` per field.
fn refusal(conflicts: Vec<(String, String)>) -> ApiError {
    let message = match conflicts.as_slice() {
        [(manager, path)] => format!("Apply failed with 1 conflict: conflict with {manager}: {path}"),
        many => {
            let mut text = format!("Apply failed with {} conflicts:", many.len());
            let mut last = "";
            for (manager, path) in many {
                if manager != last {
                    let apart = if last.is_empty() { ' ' } else { '\n' };
                    text.push_str(&format!("{apart}conflicts with {manager}:"));
                    last = manager;
                }
                text.push_str(&format!("\n- {path}"));
            }
            text
        }
    };
    let causes = conflicts.into_iter().map(|(manager, path)| Cause {
        reason: "FieldManagerConflict",
        message: format!("conflict with {manager}"),
        field: path,
    });
    let details = Details { causes: causes.collect(), ..Details::default() };
    ApiError { details: Some(Box::new(details)), ..ApiError::bare(409, "Conflict", message) }
}

/// The entry of a new object that was applied: it owns what was given, not the defaults.
pub(super) fn record_new(resource: &'static Resource, wanted: &Value, object: &mut Value, by: &Entry<'_>) {
    let tree = managed::tree_of(wanted, &Shape::Struct(resource.kind), true);
    let mut entries = Vec::new();
    managed::add_to_entry(&mut entries, resource, by, tree);
    managed::store_entries(object, entries);
}
