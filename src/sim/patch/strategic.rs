//! Strategic merge patch: lists of the built-in kinds are merged by key.
//!
//! Directives: `$patch` (delete, replace, merge), `$setElementOrder/<list>`,
//! `$deleteFromPrimitiveList/<list>`, `$retainKeys`, and null to remove.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::super::schema::{Merge, Shape, field_of};
use super::super::status::in_go;

const ORDER: &str = "$setElementOrder/";
const DELETE_SCALARS: &str = "$deleteFromPrimitiveList/";

/// Applies `patch` to `target`, an object of `shape`. The error is the server's message.
pub fn apply(target: &mut Value, patch: &Value, shape: &Shape) -> Result<(), String> {
    let Value::Object(patch) = patch else {
        return Err("invalid JSON document: expected an object".to_owned());
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(map) = target.as_object_mut() else {
        return Ok(());
    };
    merge_map(map, patch, shape)
}

fn merge_map(map: &mut Map<String, Value>, patch: &Map<String, Value>, shape: &Shape) -> Result<(), String> {
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            map.clear();
            map.extend(patch.iter().filter(|(k, _)| *k != "$patch").map(|(k, v)| (k.clone(), v.clone())));
            return Ok(());
        }
        Some("delete") => {
            map.clear();
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(format!("unknown patch type: {other} in map: map[$patch:{other}]")),
    }
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        map.retain(|key, _| kept.iter().any(|k| k.as_str() == Some(key)));
    }
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix(DELETE_SCALARS) {
            remove_scalars(map.get_mut(list), value);
        } else if !key.starts_with('$') {
            merge_key(map, key, value, patch, shape)?;
        }
    }
    // An order may be given for a list that the patch itself does not name.
    for (key, order) in patch {
        if let Some(list) = key.strip_prefix(ORDER) {
            let merge = list_merge(shape, list);
            if let (Some(Value::Array(items)), Value::Array(order)) = (map.get_mut(list), order) {
                reorder(items, order, &merge);
            }
        }
    }
    Ok(())
}

fn merge_key(
    map: &mut Map<String, Value>,
    key: &str,
    value: &Value,
    patch: &Map<String, Value>,
    shape: &Shape,
) -> Result<(), String> {
    let field = field_of(shape, key);
    let inner = field.map_or(Shape::Any, |f| f.shape.clone());
    match (value, &inner) {
        (Value::Null, _) => {
            map.remove(key);
        }
        (Value::Object(wanted), _) => {
            let slot = map.entry(key.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            if let Some(slot) = slot.as_object_mut() {
                merge_map(slot, wanted, &inner)?;
            }
        }
        (Value::Array(wanted), Shape::List(item, merge)) if *merge != Merge::Atomic => {
            let slot = map.entry(key.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
            if !slot.is_array() {
                *slot = Value::Array(Vec::new());
            }
            let ordered = patch.contains_key(&format!("{ORDER}{key}"));
            if let Some(list) = slot.as_array_mut() {
                match merge {
                    Merge::Keys(keys) => merge_list(list, wanted, item, keys, ordered)?,
                    _ => merge_set(list, wanted),
                }
            }
        }
        (Value::Array(wanted), _) => {
            let plain = wanted.iter().filter(|v| v.get("$patch").is_none());
            map.insert(key.to_owned(), plain.cloned().collect());
        }
        (scalar, _) => {
            map.insert(key.to_owned(), scalar.clone());
        }
    }
    Ok(())
}

fn list_merge(shape: &Shape, list: &str) -> Merge {
    match field_of(shape, list).map(|f| &f.shape) {
        Some(Shape::List(_, merge)) => merge.clone(),
        _ => Merge::Atomic,
    }
}

fn merge_set(list: &mut Vec<Value>, wanted: &[Value]) {
    for value in wanted {
        if !list.contains(value) {
            list.push(value.clone());
        }
    }
}

fn remove_scalars(list: Option<&mut Value>, gone: &Value) {
    if let (Some(Value::Array(list)), Value::Array(gone)) = (list, gone) {
        list.retain(|value| !gone.contains(value));
    }
}

/// Merges elements by the first key, the patch merge key.
fn merge_list(
    list: &mut Vec<Value>,
    wanted: &[Value],
    item: &Shape,
    keys: &[&'static str],
    ordered: bool,
) -> Result<(), String> {
    let Some(key) = keys.first() else {
        return Ok(());
    };
    if wanted.iter().any(|v| v.get("$patch").and_then(Value::as_str) == Some("replace")) {
        let plain = wanted.iter().filter(|v| v.get("$patch").is_none());
        *list = plain.cloned().collect();
        return Ok(());
    }
    let mut added = Vec::new();
    for element in wanted {
        let Value::Object(patch) = element else {
            return Err(format!("expected an object in a list merged by {key}"));
        };
        let Some(name) = patch.get(*key) else {
            return Err(format!("map: {} does not contain declared merge key: {key}", in_go(element)));
        };
        if patch.get("$patch").and_then(Value::as_str) == Some("delete") {
            list.retain(|have| have.get(*key) != Some(name));
            continue;
        }
        match list.iter_mut().find(|have| have.get(*key) == Some(name)) {
            Some(Value::Object(have)) => merge_map(have, patch, item)?,
            _ => {
                let mut fresh = Map::new();
                merge_map(&mut fresh, patch, item)?;
                added.push(Value::Object(fresh));
            }
        }
    }
    // What the patch adds comes first; what it names stands in the patch's order.
    added.append(list);
    *list = added;
    if !ordered {
        reorder(list, wanted, &Merge::Keys(keys.to_vec()));
    }
    Ok(())
}

/// Puts the elements into the order asked for; those it does not name keep their place
/// relative to their neighbours.
fn reorder(items: &mut Vec<Value>, order: &[Value], merge: &Merge) {
    let key_of = |value: &Value| match merge {
        Merge::Keys(keys) => keys.first().and_then(|key| value.get(*key)).cloned(),
        _ => Some(value.clone()),
    };
    let rank = |value: &Value| {
        let key = key_of(value);
        order.iter().position(|wanted| key_of(wanted) == key)
    };
    let all: Vec<Value> = std::mem::take(items);
    let (mut named, others): (Vec<_>, Vec<_>) =
        all.into_iter().enumerate().partition(|(_, value)| rank(value).is_some());
    named.sort_by(|(_, a), (_, b)| rank(a).partial_cmp(&rank(b)).unwrap_or(Ordering::Equal));
    let mut named = named.into_iter().peekable();
    for (place, other) in others {
        while let Some((_, next)) = named.next_if(|(was, _)| *was < place) {
            items.push(next);
        }
        items.push(other);
    }
    items.extend(named.map(|(_, value)| value));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn run(mut target: Value, patch: Value) -> Value {
        apply(&mut target, &patch, &Shape::Struct("PodSpec")).unwrap();
        target
    }

    #[test]
    fn containers_and_their_env_merge_by_name() {
        let pod = json!({"containers": [{"name": "web", "image": "v1", "env": [{"name": "A", "value": "1"}]}]});
        let patch = json!({"containers": [{"name": "web", "image": "v2", "env": [{"name": "B", "value": "2"}]}]});
        let wanted = json!({"containers": [{"name": "web", "image": "v2",
            "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}]});
        assert_eq!(run(pod, patch), wanted);
    }

    #[test]
    fn directives_delete_replace_and_order() {
        let pod = json!({"containers": [{"name": "a"}, {"name": "b"}], "nodeSelector": {"x": "1", "y": "2"}});
        assert_eq!(
            run(pod.clone(), json!({"containers": [{"$patch": "delete", "name": "a"}]})),
            json!({"containers": [{"name": "b"}], "nodeSelector": {"x": "1", "y": "2"}})
        );
        assert_eq!(
            run(pod.clone(), json!({"nodeSelector": {"$patch": "replace", "z": "3"}})),
            json!({"containers": [{"name": "a"}, {"name": "b"}], "nodeSelector": {"z": "3"}})
        );
        assert_eq!(
            run(pod.clone(), json!({"containers": [{"$patch": "replace"}, {"name": "c"}]})),
            json!({"containers": [{"name": "c"}], "nodeSelector": {"x": "1", "y": "2"}})
        );
        let order = json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
            "containers": [{"name": "c"}]});
        let names = run(pod, order)["containers"].clone();
        assert_eq!(names, json!([{"name": "c"}, {"name": "b"}, {"name": "a"}]));
    }

    #[test]
    fn null_removes_and_atomic_lists_are_replaced() {
        let pod = json!({"hostname": "h", "tolerations": [{"key": "a"}], "containers": [{"name": "c", "args": ["1"]}]});
        let patch =
            json!({"hostname": null, "tolerations": [{"key": "b"}], "containers": [{"name": "c", "args": ["2"]}]});
        let wanted = json!({"tolerations": [{"key": "b"}], "containers": [{"name": "c", "args": ["2"]}]});
        assert_eq!(run(pod, patch), wanted);
    }

    #[test]
    fn an_element_without_its_merge_key_is_refused() {
        let patch = json!({"containers": [{"image": "v2"}]});
        assert!(apply(&mut json!({}), &patch, &Shape::Struct("PodSpec")).is_err());
    }
}
