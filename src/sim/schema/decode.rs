//! Reading an object as a Go server would: types checked, unknown fields found and
//! dropped, empty values left out, as encoding it again would leave them out.

use serde_json::{Map, Value};

use super::{Field, Merge, Shape, fields};

/// What decoding found.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Paths of fields the kind does not have; they have been removed.
    pub unknown: Vec<String>,
    /// The first value of a wrong type, in Go's words.
    pub mismatch: Option<String>,
}

/// Decodes `object` in place as `kind`. `canonical`: leave out what Go's `omitempty` leaves
/// out (built-in kinds); objects of a CRD keep their empty values.
pub fn decode(kind: &'static str, object: &mut Value, canonical: bool) -> Decoded {
    let mut walk = Walk { found: Decoded::default(), canonical, root: kind };
    if let Value::Object(map) = object {
        walk.map(kind, map, "");
    } else {
        walk.mismatch(kind, "", object, kind);
    }
    walk.found
}

struct Walk {
    found: Decoded,
    canonical: bool,
    root: &'static str,
}

impl Walk {
    fn map(&mut self, name: &'static str, map: &mut Map<String, Value>, path: &str) {
        let Some(known) = fields(name) else { return };
        let top = path.is_empty();
        let names: Vec<String> = map.keys().cloned().collect();
        for key in names {
            if top && (key == "apiVersion" || key == "kind") {
                continue;
            }
            let at = if top { key.clone() } else { format!("{path}.{key}") };
            let Some(field) = known.get(key.as_str()) else {
                map.remove(&key);
                self.found.unknown.push(at);
                continue;
            };
            let Some(value) = map.get_mut(&key) else {
                continue;
            };
            self.value(name, &field.shape, value, &at);
            if self.left_out(field, value) {
                map.remove(&key);
            }
        }
        if self.canonical {
            self.fill(known, map);
        }
    }

    /// Structs that Go writes even when nothing is in them.
    fn fill(&self, known: &'static std::collections::BTreeMap<&'static str, Field>, map: &mut Map<String, Value>) {
        for (key, field) in known.iter().filter(|(_, field)| field.always) {
            let empty = match field.shape {
                Shape::Struct(_) | Shape::Any => Value::Object(Map::new()),
                Shape::Int => 0.into(),
                Shape::Bool => false.into(),
                Shape::Text => "".into(),
                _ => continue,
            };
            map.entry(*key).or_insert(empty);
        }
    }

    fn left_out(&self, field: &Field, value: &Value) -> bool {
        if value.is_null() {
            return true;
        }
        if !self.canonical || field.always {
            return false;
        }
        match value {
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty() && matches!(field.shape, Shape::Map | Shape::Quantities),
            _ if field.pointer => false,
            Value::Bool(truth) => !truth,
            Value::String(text) => text.is_empty() && matches!(field.shape, Shape::Text),
            Value::Number(number) => matches!(field.shape, Shape::Int) && number.as_i64() == Some(0),
            Value::Null => true,
        }
    }

    fn value(&mut self, owner: &'static str, shape: &Shape, value: &mut Value, path: &str) {
        let fits = match (shape, &*value) {
            (_, Value::Null) | (Shape::Any, _) => return,
            (Shape::Text | Shape::Time | Shape::IntOrText, Value::String(_))
            | (Shape::Bool, Value::Bool(_))
            | (Shape::Struct(_), Value::Object(_))
            | (Shape::List(..), Value::Array(_)) => true,
            (Shape::Int | Shape::IntOrText, Value::Number(number)) => number.is_i64(),
            (Shape::Map, Value::Object(map)) => map.values().all(|v| v.is_string() || v.is_null()),
            (Shape::Quantities, Value::Object(map)) => map.values().all(|v| v.is_string() || v.is_number()),
            _ => false,
        };
        if !fits {
            return self.mismatch(owner, path, value, go_type(shape));
        }
        match (shape, value) {
            (Shape::Struct(name), Value::Object(map)) => self.map(name, map, path),
            (Shape::List(item, merge), Value::Array(list)) => {
                for (index, element) in list.iter_mut().enumerate() {
                    self.value(owner, item, element, &format!("{path}[{index}]"));
                }
                if *merge == Merge::Set {
                    let mut seen = Vec::new();
                    list.retain(|element| {
                        let new = !seen.contains(element);
                        seen.push(element.clone());
                        new
                    });
                }
            }
            (Shape::Map, Value::Object(map)) => {
                // Go decodes null into a map of strings as the empty string.
                map.values_mut().filter(|v| v.is_null()).for_each(|v| *v = "".into());
            }
            (Shape::Quantities, Value::Object(map)) => {
                let numbers = map.values_mut().filter(|v| v.is_number());
                numbers.for_each(|v| *v = Value::String(v.to_string()));
            }
            _ => {}
        }
    }

    fn mismatch(&mut self, owner: &str, path: &str, value: &Value, wanted: &str) {
        let given = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let plain: String = strip_indexes(path);
        let what = if plain.is_empty() {
            format!("json: cannot unmarshal {given} into Go value of type {}", self.root)
        } else {
            format!("json: cannot unmarshal {given} into Go struct field {owner}.{plain} of type {wanted}")
        };
        self.found.mismatch.get_or_insert(what);
    }
}

/// Go names the field without list positions.
fn strip_indexes(path: &str) -> String {
    let mut depth = 0_u32;
    path.chars()
        .filter(|letter| {
            match letter {
                '[' => depth += 1,
                ']' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

fn go_type(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text => "string",
        Shape::Time => "v1.Time",
        Shape::Int => "int32",
        Shape::Bool => "bool",
        Shape::IntOrText => "intstr.IntOrString",
        Shape::Map => "map[string]string",
        Shape::Quantities => "v1.ResourceList",
        Shape::Any => "interface {}",
        Shape::Struct(name) => name,
        Shape::List(..) => "slice",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_as_go_does() {
        let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": {}},
            "spec": {"replicas": 0, "paused": false, "minReadySeconds": 0, "colour": "red",
                "template": {"spec": {"containers": [{"name": "c", "command": [], "imge": "x"}]}}}});
        let found = decode("Deployment", &mut object, true);
        assert_eq!(found.mismatch, None);
        assert_eq!(found.unknown, ["spec.colour", "spec.template.spec.containers[0].imge"]);
        assert_eq!(
            object,
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
                "spec": {"replicas": 0, "strategy": {},
                    "template": {"spec": {"containers": [{"name": "c", "resources": {}}]}}}, "status": {}})
        );
    }

    #[test]
    fn a_wrong_type_is_named_in_gos_words() {
        let mut object = json!({"spec": {"replicas": "three"}});
        assert_eq!(
            decode("Deployment", &mut object, true).mismatch.as_deref(),
            Some("json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32")
        );
    }
}
