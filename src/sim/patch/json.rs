//! JSON patch (RFC 6902) as the API server applies it: on objects, `replace` of a missing
//! key adds it and `test` for null of a missing key holds.

use serde_json::Value;

/// Why a patch was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// Not a list of operations: 400.
    #[error("{0}")]
    Malformed(String),
    /// A `test` failed or a path does not exist: 422.
    #[error("{0}")]
    Failed(String),
}

/// One operation.
#[derive(Clone, Debug)]
struct Operation {
    op: Op,
    path: Vec<String>,
    from: Vec<String>,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

/// Applies the operations in order; the first that fails leaves `target` in between, so
/// callers work on a copy.
pub fn apply(target: &mut Value, patch: &Value) -> Result<(), JsonPatchError> {
    let Value::Array(list) = patch else {
        let why = format!("json: cannot unmarshal {} into Go value of type []handlers.jsonPatchOp", type_of(patch));
        return Err(JsonPatchError::Malformed(why));
    };
    let operations: Vec<Operation> = list.iter().map(operation).collect::<Result<_, _>>()?;
    operations.iter().try_for_each(|operation| operation.apply(target))
}

/// A value's type in Go's words.
pub fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn failed(why: impl Into<String>) -> JsonPatchError {
    JsonPatchError::Failed(why.into())
}

fn operation(raw: &Value) -> Result<Operation, JsonPatchError> {
    let Value::Object(map) = raw else {
        let why = format!("json: cannot unmarshal {} into Go value of type handlers.jsonPatchOp", type_of(raw));
        return Err(JsonPatchError::Malformed(why));
    };
    let text = |key: &str| map.get(key).and_then(Value::as_str);
    // An unknown operation is found only when it is applied: 422.
    let op = match text("op") {
        Some("add") => Op::Add,
        Some("remove") => Op::Remove,
        Some("replace") => Op::Replace,
        Some("move") => Op::Move,
        Some("copy") => Op::Copy,
        Some("test") => Op::Test,
        other => {
            return Err(failed(format!("Unexpected kind: {}", other.unwrap_or("unknown"))));
        }
    };
    let path = text("path").ok_or_else(|| failed("operation missing path field"))?;
    let from = match op {
        Op::Move | Op::Copy => text("from").ok_or_else(|| failed("operation missing from field"))?,
        _ => "",
    };
    // A real server breaks the connection over a `test` without a value of a missing key.
    if op == Op::Test && !map.contains_key("value") {
        return Err(failed("operation missing value field"));
    }
    let value = map.get("value").cloned().unwrap_or(Value::Null);
    Ok(Operation { op, path: pointer(path), from: pointer(from), value })
}

/// The keys of a path. What comes before the first slash is not looked at.
fn pointer(text: &str) -> Vec<String> {
    let rest = text.split_once('/').map(|(_, rest)| rest);
    rest.into_iter().flat_map(|rest| rest.split('/')).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

impl Operation {
    fn apply(&self, target: &mut Value) -> Result<(), JsonPatchError> {
        match self.op {
            Op::Add => add(target, &self.path, self.value.clone()),
            Op::Remove => remove(target, &self.path).map(|_| ()),
            Op::Replace => replace(target, &self.path, self.value.clone()),
            Op::Move => {
                let value = remove(target, &self.from)?;
                add(target, &self.path, value)
            }
            Op::Copy => {
                // Of a missing key the server's library copies null.
                let value = match find(target, &self.from) {
                    Some(value) => value.clone(),
                    None if within_object(target, &self.from) => Value::Null,
                    None => return Err(failed("copy operation does not apply: missing value")),
                };
                add(target, &self.path, value)
            }
            Op::Test => self.test(target),
        }
    }

    fn test(&self, target: &Value) -> Result<(), JsonPatchError> {
        let holds = match find(target, &self.path) {
            Some(value) => same(value, &self.value),
            // Only a missing last key tests as null; a missing parent does not exist.
            None => self.value.is_null() && within_object(target, &self.path),
        };
        if holds { Ok(()) } else { Err(failed(format!("testing path {} failed", self.path.join("/")))) }
    }
}

/// Whether the path names a key of an object that is there.
fn within_object(target: &Value, path: &[String]) -> bool {
    path.split_last().and_then(|(_, up)| find(target, up)).is_some_and(Value::is_object)
}

/// Equality of values, where 1 and 1.0 are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(k, v)| y.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}

fn find<'a>(target: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(target, |at, key| match at {
        Value::Object(map) => map.get(key),
        Value::Array(list) => list.get(position(key, list.len(), false)?),
        _ => None,
    })
}

/// A list position as Go reads a number, negative from the end as the server's library
/// allows, and `-` for the end when adding.
fn position(key: &str, len: usize, adding: bool) -> Option<usize> {
    if key == "-" {
        return adding.then_some(len);
    }
    if let Some(back) = key.strip_prefix('-') {
        let len = if adding { len + 1 } else { len };
        return len.checked_sub(back.parse().ok()?);
    }
    key.parse().ok()
}

fn parent<'a, 'p>(target: &'a mut Value, path: &'p [String]) -> Result<(&'a mut Value, &'p str), JsonPatchError> {
    let missing = || failed(format!("doc is missing path: /{}: missing value", path.join("/")));
    let (last, up) = path.split_last().ok_or_else(missing)?;
    let mut at = target;
    for key in up {
        at = match at {
            Value::Object(map) => map.get_mut(key).ok_or_else(missing)?,
            Value::Array(list) => {
                let index = position(key, list.len(), false).ok_or_else(missing)?;
                list.get_mut(index).ok_or_else(missing)?
            }
            _ => return Err(missing()),
        };
    }
    Ok((at, last))
}

fn add(target: &mut Value, path: &[String], value: Value) -> Result<(), JsonPatchError> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    match parent(target, path)? {
        (Value::Object(map), key) => {
            map.insert(key.to_owned(), value);
            Ok(())
        }
        (Value::Array(list), key) => match position(key, list.len(), true) {
            Some(index) if index <= list.len() => {
                list.insert(index, value);
                Ok(())
            }
            _ => Err(failed(format!("Unable to access invalid index: {key}"))),
        },
        _ => Err(failed(format!("doc is missing path: /{}", path.join("/")))),
    }
}

fn remove(target: &mut Value, path: &[String]) -> Result<Value, JsonPatchError> {
    let missing = || failed(format!("Unable to remove nonexistent key: /{}", path.join("/")));
    match parent(target, path)? {
        (Value::Object(map), key) => map.remove(key).ok_or_else(missing),
        (Value::Array(list), key) => match position(key, list.len(), false) {
            Some(index) if index < list.len() => Ok(list.remove(index)),
            _ => Err(missing()),
        },
        _ => Err(missing()),
    }
}

fn replace(target: &mut Value, path: &[String], value: Value) -> Result<(), JsonPatchError> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    match parent(target, path)? {
        // The server's library asks whether the key can be got; on objects it always can.
        (Value::Object(map), key) => {
            map.insert(key.to_owned(), value);
            Ok(())
        }
        (Value::Array(list), key) => {
            let index = position(key, list.len(), false);
            match index.and_then(|index| list.get_mut(index)) {
                Some(slot) => {
                    *slot = value;
                    Ok(())
                }
                None => Err(failed(format!("Unable to access invalid index: {key}"))),
            }
        }
        _ => Err(failed(format!("replace operation does not apply: /{}", path.join("/")))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn run(doc: Value, patch: Value) -> Result<Value, JsonPatchError> {
        let mut doc = doc;
        apply(&mut doc, &patch).map(|()| doc)
    }

    #[test]
    fn operations_apply_as_the_rfc_says() {
        let doc = json!({"a": {"b": [1, 2, 3]}, "x/y": 1});
        let table = [
            (json!([{"op": "add", "path": "/a/b/1", "value": 9}]), json!({"a": {"b": [1, 9, 2, 3]}, "x/y": 1})),
            (json!([{"op": "add", "path": "/a/b/-", "value": 9}]), json!({"a": {"b": [1, 2, 3, 9]}, "x/y": 1})),
            (json!([{"op": "remove", "path": "/x~1y"}]), json!({"a": {"b": [1, 2, 3]}})),
            (json!([{"op": "replace", "path": "/a/b/0", "value": 7}]), json!({"a": {"b": [7, 2, 3]}, "x/y": 1})),
            (json!([{"op": "move", "from": "/a/b", "path": "/c"}]), json!({"a": {}, "c": [1, 2, 3], "x/y": 1})),
            (
                json!([{"op": "copy", "from": "/x~1y", "path": "/a/c"}]),
                json!({"a": {"b": [1, 2, 3], "c": 1}, "x/y": 1}),
            ),
            (json!([{"op": "test", "path": "/a/b", "value": [1, 2.0, 3]}]), doc.clone()),
        ];
        for (patch, wanted) in table {
            assert_eq!(run(doc.clone(), patch.clone()), Ok(wanted), "{patch}");
        }
    }

    /// What v1.34 answered to each: its library is laxer than the RFC.
    #[test]
    fn liberties_that_nobody_should_rest_on() {
        let doc = json!({"spec": {"list": [1, 2]}, "labels": {}});
        let table = [
            (json!([{"op": "replace", "path": "/spec/list"}]), json!({"spec": {"list": null}, "labels": {}})),
            (
                json!([{"op": "replace", "path": "/spec/list/00", "value": 9}]),
                json!({"spec": {"list": [9, 2]}, "labels": {}}),
            ),
            (
                json!([{"op": "replace", "path": "/spec/list/-1", "value": 9}]),
                json!({"spec": {"list": [1, 9]}, "labels": {}}),
            ),
            (
                json!([{"op": "copy", "from": "/labels/no", "path": "/labels/a"}]),
                json!({"spec": {"list": [1, 2]}, "labels": {"a": null}}),
            ),
            (
                json!([{"op": "replace", "path": "spec/replicas", "value": 3}]),
                json!({"spec": {"list": [1, 2]}, "labels": {}, "replicas": 3}),
            ),
        ];
        for (patch, wanted) in table {
            assert_eq!(run(doc.clone(), patch.clone()), Ok(wanted), "{patch}");
        }
        let refused = [
            json!([{"op": "test", "path": "/spec/list"}]),
            json!([{"op": "test", "path": "/spec/list/7", "value": null}]),
            json!([{"op": "replace", "path": "/spec/list/x", "value": 1}]),
            json!([{"op": "copy", "from": "/no/no", "path": "/labels/a"}]),
        ];
        for patch in refused {
            assert!(run(doc.clone(), patch.clone()).is_err(), "{patch}");
        }
    }

    #[test]
    fn two_liberties_of_the_api_server() {
        let replaced = run(json!({"spec": {}}), json!([{"op": "replace", "path": "/spec/paused", "value": true}]));
        assert_eq!(replaced, Ok(json!({"spec": {"paused": true}})));
        let tested = json!([{"op": "test", "path": "/spec/paused", "value": null}]);
        assert_eq!(run(json!({"spec": {}}), tested.clone()), Ok(json!({"spec": {}})));
        assert!(run(json!({}), tested).is_err());
    }

    #[test]
    fn refusals_are_told_apart() {
        let fails = [
            json!([{"op": "test", "path": "/a", "value": 2}]),
            json!([{"op": "remove", "path": "/nope"}]),
            json!([{"op": "add", "path": "/nope/deep", "value": 1}]),
            json!([{"op": "replace", "path": "/list/7", "value": 1}]),
        ];
        for patch in fails {
            let outcome = run(json!({"a": 1, "list": []}), patch);
            assert!(matches!(outcome, Err(JsonPatchError::Failed(_))), "{outcome:?}");
        }
        assert!(matches!(run(json!({}), json!({"op": "add"})), Err(JsonPatchError::Malformed(_))));
        assert!(matches!(run(json!({}), json!([1])), Err(JsonPatchError::Malformed(_))));
    }
}
