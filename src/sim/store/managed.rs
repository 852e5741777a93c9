//! `metadata.managedFields`: who wrote which field last, as trees of field paths.
//!
//! A tree is a JSON object: `f:<name>` for fields, `k:{…}` for elements of keyed lists,
//! `v:<scalar>` for elements of sets, `.` for the container itself; an empty object is a leaf.

use serde_json::{Map, Value, json};

use super::super::resources::Resource;
use super::super::schema::{Merge, Shape, field_of};
use super::meta;

/// Managers of updates kept apart; older ones are folded into one, as the real server does.
const MANAGERS: usize = 10;
const ANCIENT: &str = "ancient-changes";
/// Metadata that the server owns.
const SERVERS: [&str; 11] = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
];

/// A tree of field paths.
pub(super) type Tree = Map<String, Value>;

/// Who writes, for an entry.
pub(super) struct Entry<'a> {
    pub(super) manager: &'a str,
    pub(super) operation: &'static str,
    pub(super) subresource: Option<&'static str>,
    pub(super) time: String,
}

/// Records an update from `old` (None: a new object) to `new` in `new`'s managedFields.
pub(super) fn record(resource: &'static Resource, old: Option<&Value>, new: &mut Value, by: &Entry) {
    let shape = Shape::Struct(resource.kind);
    let empty = Value::Object(Map::new());
    let before = old.unwrap_or(&empty);
    let (written, removed) = differences(before, new, &shape, true);
    let mut entries = entries_of(before);
    for entry in &mut entries {
        let own = is_entry(entry, by);
        if let Some(Value::Object(tree)) = entry.get_mut("fieldsV1") {
            subtract(tree, &removed);
            if !own {
                subtract(tree, &written);
            }
        }
    }
    add_to_entry(&mut entries, resource, by, written);
    store_entries(new, entries);
}

/// The managedFields entries of an object.
pub(super) fn entries_of(object: &Value) -> Vec<Value> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Writes entries back, without empty ones and with old managers folded together.
pub(super) fn store_entries(object: &mut Value, mut entries: Vec<Value>) {
    entries.retain(|e| e.get("fieldsV1").and_then(Value::as_object).is_some_and(|t| !t.is_empty()));
    fold_oldest(&mut entries);
    // Applied ones first, then the older ones.
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    entries
        .sort_by_cached_key(|e| ["operation", "time", "manager", "apiVersion", "subresource"].map(|key| text(e, key)));
    let list = (!entries.is_empty()).then_some(Value::Array(entries));
    meta::set(object, "managedFields", list);
}

/// True for the entry that `by` would add to.
pub(super) fn is_entry(entry: &Value, by: &Entry) -> bool {
    entry.get("manager").and_then(Value::as_str) == Some(by.manager)
        && entry.get("operation").and_then(Value::as_str) == Some(by.operation)
        && entry.get("subresource").and_then(Value::as_str) == by.subresource
}

/// Adds a tree to the writer's entry and dates it.
pub(super) fn add_to_entry(entries: &mut Vec<Value>, resource: &Resource, by: &Entry, written: Tree) {
    if let Some(entry) = entries.iter_mut().find(|entry| is_entry(entry, by)) {
        if let Some(Value::Object(tree)) = entry.get_mut("fieldsV1") {
            union(tree, written);
        }
        if let Some(map) = entry.as_object_mut() {
            map.insert("time".to_owned(), by.time.clone().into());
        }
        return;
    }
    let mut entry = json!({
        "manager": by.manager, "operation": by.operation, "apiVersion": resource.api_version(),
        "time": by.time, "fieldsType": "FieldsV1", "fieldsV1": written,
    });
    if let (Some(part), Some(map)) = (by.subresource, entry.as_object_mut()) {
        map.insert("subresource".to_owned(), part.into());
    }
    entries.push(entry);
}

fn fold_oldest(entries: &mut Vec<Value>) {
    let update = |e: &Value| e.get("operation").and_then(Value::as_str) == Some("Update");
    while entries.iter().filter(|e| update(e)).count() > MANAGERS {
        let time = |e: &Value| e.get("time").and_then(Value::as_str).unwrap_or("").to_owned();
        let mut updates: Vec<usize> = entries.iter().enumerate().filter(|(_, e)| update(e)).map(|(i, _)| i).collect();
        updates.sort_by_key(|&i| entries.get(i).map(time));
        let (Some(&first), Some(&second)) = (updates.first(), updates.get(1)) else {
            return;
        };
        let oldest = entries.get(first).and_then(|e| e.get("fieldsV1")).cloned();
        if let Some(entry) = entries.get_mut(second).and_then(Value::as_object_mut) {
            entry.insert("manager".to_owned(), ANCIENT.into());
            if let (Some(Value::Object(tree)), Some(Value::Object(more))) = (entry.get_mut("fieldsV1"), oldest) {
                union(tree, more);
            }
        }
        entries.remove(first);
    }
}

/// What went from `old` to `new`: fields written, and fields removed.
pub(super) fn differences(old: &Value, new: &Value, shape: &Shape, top: bool) -> (Tree, Tree) {
    let (mut written, mut removed) = (Tree::new(), Tree::new());
    let before = children(old, shape, top);
    let after = children(new, shape, top);
    for (key, (value, inner)) in &after {
        match before.iter().find(|(k, _)| k == key) {
            None => {
                written.insert(key.clone(), Value::Object(branch(shape, key, value, inner)));
            }
            Some((_, (was, _))) if was == value => {}
            Some((_, (was, _))) => {
                let granular = is_granular(was, inner) && is_granular(value, inner);
                if granular {
                    let (more, less) = differences(was, value, inner, false);
                    if !more.is_empty() {
                        written.insert(key.clone(), Value::Object(more));
                    }
                    if !less.is_empty() {
                        removed.insert(key.clone(), Value::Object(less));
                    }
                } else {
                    written.insert(key.clone(), Value::Object(Tree::new()));
                }
            }
        }
    }
    for (key, (value, inner)) in &before {
        if !after.iter().any(|(k, _)| k == key) {
            removed.insert(key.clone(), Value::Object(branch(shape, key, value, inner)));
        }
    }
    (written, removed)
}

/// Every field of `value`.
pub(super) fn tree_of(value: &Value, shape: &Shape, top: bool) -> Tree {
    if !is_granular(value, shape) {
        return Tree::new();
    }
    let branches = children(value, shape, top).into_iter();
    branches.map(|(key, (child, inner))| (key.clone(), Value::Object(branch(shape, &key, child, &inner)))).collect()
}

/// The tree below one path element. Whoever makes a map, an element or an optional struct
/// owns it itself too (`.`); structs that are always there are nobody's.
fn branch(shape: &Shape, key: &str, child: &Value, inner: &Shape) -> Tree {
    let mut tree = tree_of(child, inner, false);
    let name = key.strip_prefix("f:").unwrap_or("");
    let always = name == "metadata" || field_of(shape, name).is_some_and(|field| field.always);
    if !tree.is_empty() && !always {
        tree.insert(".".to_owned(), json!({}));
    }
    tree
}

pub(super) fn is_granular(value: &Value, shape: &Shape) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(_) => matches!(shape, Shape::List(_, Merge::Keys(_) | Merge::Set)),
        _ => false,
    }
}

/// The parts of a value that are owned one by one, with their path elements.
pub(super) fn children<'a>(value: &'a Value, shape: &Shape, top: bool) -> Vec<(String, (&'a Value, Shape))> {
    match (value, shape) {
        (Value::Object(map), _) => map
            .iter()
            .filter(|(key, _)| !top || (*key != "apiVersion" && *key != "kind"))
            .filter(|(key, _)| *shape != Shape::Struct("ObjectMeta") || !SERVERS.contains(&key.as_str()))
            .map(|(key, child)| {
                let inner = field_of(shape, key).map_or(Shape::Any, |f| f.shape.clone());
                (format!("f:{key}"), (child, inner))
            })
            .filter(|(_, (child, inner))| {
                // A metadata that holds only what the server owns is nobody's.
                *inner != Shape::Struct("ObjectMeta") || !children(child, inner, false).is_empty()
            })
            .collect(),
        (Value::Array(list), Shape::List(item, Merge::Keys(keys))) => list
            .iter()
            .map(|element| {
                let named = key_of(element, keys);
                (format!("k:{}", Value::Object(named)), (element, Shape::clone(item)))
            })
            .collect(),
        (Value::Array(list), Shape::List(_, Merge::Set)) => {
            list.iter().map(|element| (format!("v:{element}"), (element, Shape::Text))).collect()
        }
        _ => Vec::new(),
    }
}

/// What tells an element of a keyed list apart. Ports without a protocol are TCP.
pub(super) fn key_of(element: &Value, keys: &[&'static str]) -> Map<String, Value> {
    let value = |key: &str| match (element.get(key), key) {
        (Some(value), _) => Some(value.clone()),
        (None, "protocol") => Some("TCP".into()),
        (None, _) => None,
    };
    keys.iter().filter_map(|key| Some(((*key).to_owned(), value(key)?))).collect()
}

/// The object without its managedFields.
pub(super) fn without(object: &Value) -> Value {
    let mut bare = object.clone();
    meta::set(&mut bare, "managedFields", None);
    bare
}

/// Adds the paths of `more`.
pub(super) fn union(tree: &mut Tree, more: Tree) {
    for (key, value) in more {
        match (tree.get_mut(&key), value) {
            (Some(Value::Object(have)), Value::Object(inner)) => union(have, inner),
            (_, value) => {
                tree.insert(key, value);
            }
        }
    }
}

/// Removes the paths of `less`; a leaf removes everything below it.
pub(super) fn subtract(tree: &mut Tree, less: &Tree) {
    for (key, value) in less {
        let Value::Object(inner) = value else {
            continue;
        };
        let Some(Value::Object(have)) = tree.get_mut(key) else {
            continue;
        };
        if !inner.is_empty() {
            subtract(have, inner);
        }
        if inner.is_empty() || have.is_empty() {
            tree.remove(key);
        }
    }
}
