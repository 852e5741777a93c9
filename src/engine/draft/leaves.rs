//! What differs between two templates, leaf by leaf.

use serde_json::Value;

use crate::domain::plan::DiffLine;

/// Leaves that differ between two templates, containers by name.
pub(super) fn diff(before: Option<&Value>, after: &Value) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    leaves("", before, Some(after), &mut lines);
    lines
}

fn leaves(path: &str, before: Option<&Value>, after: Option<&Value>, lines: &mut Vec<DiffLine>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(&path, a.get(key), b.get(key), lines);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if named(a) && named(b) => {
            let name = |v: &Value| v.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let names: std::collections::BTreeSet<String> = a.iter().chain(b).map(name).collect();
            for n in names {
                let find = |list: &'_ [Value]| list.iter().find(|v| name(v) == n).cloned();
                leaves(&format!("{path}[name={n}]"), find(a).as_ref(), find(b).as_ref(), lines);
            }
        }
        _ => lines.push(DiffLine { field: path.into(), from: before.cloned(), to: after.cloned() }),
    }
}

fn named(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|v| v.get("name").is_some_and(Value::is_string))
}
