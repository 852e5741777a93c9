//! Reading an object as a Go server would: types checked, unknown fields found and
//! dropped, empty values left out, as encoding it again would leave them out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::super::clock::{rfc3339, rfc3339_micro};
use super::{Field, Merge, Shape, fields};

/// What decoding found.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Paths of fields the kind does not have; they have been removed.
    pub unknown: Vec<String>,
    /// The first value of a wrong type, in Go's words.
    pub mismatch: Option<String>,
    /// The same as a CRD's schema sees it: path, value, and the type wanted.
    pub wrong: Option<(String, Value, &'static str)>,
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
                Shape::Struct(inner) => {
                    let mut filled = Map::new();
                    if let Some(known) = fields(inner) {
                        self.fill(known, &mut filled);
                    }
                    Value::Object(filled)
                }
                Shape::Any => Value::Object(Map::new()),
                Shape::Time | Shape::MicroTime | Shape::List(..) => Value::Null,
                Shape::Int | Shape::Long => 0.into(),
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
            Value::Object(map) => {
                map.is_empty() && matches!(field.shape, Shape::Map | Shape::Bytes | Shape::Quantities)
            }
            _ if field.pointer => false,
            Value::Bool(truth) => !truth,
            Value::String(text) => text.is_empty() && matches!(field.shape, Shape::Text),
            Value::Number(number) => matches!(field.shape, Shape::Int | Shape::Long) && number.as_i64() == Some(0),
            Value::Null => true,
        }
    }

    fn value(&mut self, owner: &'static str, shape: &Shape, value: &mut Value, path: &str) {
        let fits = match (shape, &*value) {
            (_, Value::Null) | (Shape::Any, _) => return,
            (Shape::Text | Shape::Time | Shape::MicroTime | Shape::IntOrText, Value::String(_))
            | (Shape::Bool, Value::Bool(_))
            | (Shape::Struct(_), Value::Object(_))
            | (Shape::List(..), Value::Array(_)) => true,
            (Shape::Int | Shape::IntOrText, Value::Number(n)) => n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            (Shape::Long, Value::Number(number)) => number.is_i64(),
            (Shape::Map | Shape::Bytes, Value::Object(map)) => map.values().all(|v| v.is_string() || v.is_null()),
            (Shape::Quantities, Value::Object(map)) => map.values().all(|v| v.is_string() || v.is_number()),
            _ => false,
        };
        if !fits {
            self.found.wrong.get_or_insert_with(|| (path.to_owned(), value.clone(), schema_type(shape)));
            return self.mismatch(owner, path, value, go_type(shape));
        }
        match (shape, value) {
            (Shape::Time | Shape::MicroTime, Value::String(text)) => match time(text, *shape == Shape::MicroTime) {
                Ok(written) => *text = written,
                Err(why) => {
                    self.found.mismatch.get_or_insert(why);
                }
            },
            (Shape::Bytes, Value::Object(map)) => {
                for value in map.values().filter_map(Value::as_str) {
                    if let Err(why) = bytes(value) {
                        self.found.mismatch.get_or_insert(why);
                    }
                }
            }
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
            // A number that does not fit is named, one in the wrong place is not.
            Value::Number(number) if wanted.starts_with("int") => &format!("number {number}"),
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            // A map of strings: what is wrong is in it.
            Value::Object(map) if wanted == MAP => {
                let odd = map.values().find(|v| !v.is_string() && !v.is_null());
                return self.mismatch(owner, path, odd.unwrap_or(&Value::Null), "string");
            }
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

/// The layouts of `metav1.Time` and `metav1.MicroTime`, as Go's error names them.
const LAYOUTS: [&str; 2] = ["2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000000Z07:00"];
/// Go's type of labels.
const MAP: &str = "map[string]string";

/// A time as it is written after it was read: in UTC, whole seconds or exactly six decimals. The
/// error is Go's, who reads a MicroTime with six decimals and no others.
fn time(text: &str, micro: bool) -> Result<String, String> {
    let [seconds, micros] = LAYOUTS;
    let layout = if micro { micros } else { seconds };
    let failed = |rest: &str, wanted: &str| {
        Err(format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {wanted:?}"))
    };
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return failed(text, "2006");
    }
    let Some(rest) = text.get(19..).filter(|_| text.as_bytes().get(10) == Some(&b'T')) else {
        return failed(text.get(10..).unwrap_or(""), "T");
    };
    if micro {
        let decimals =
            rest.strip_prefix('.').map_or("", |r| r.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(""));
        match decimals.len() {
            0..6 => return failed(rest, ".000000"),
            6 => {}
            _ => return failed(rest.get(7..).unwrap_or(""), "Z07:00"),
        }
    }
    match text.parse::<Timestamp>() {
        Ok(at) if micro => Ok(rfc3339_micro(at)),
        Ok(at) => Ok(rfc3339(at)),
        Err(_) => failed(rest, "Z07:00"),
    }
}

/// Whether this is base64, in Go's words.
fn bytes(text: &str) -> Result<(), String> {
    BASE64.decode(text).map(|_| ()).map_err(|error| {
        let at = match error {
            base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            _ => text.len(),
        };
        format!("illegal base64 data at input byte {at}")
    })
}

/// The type as an OpenAPI schema names it.
fn schema_type(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text | Shape::Time | Shape::MicroTime => "string",
        Shape::Int | Shape::Long | Shape::IntOrText => "integer",
        Shape::Bool => "boolean",
        Shape::List(..) => "array",
        Shape::Map | Shape::Bytes | Shape::Quantities | Shape::Any | Shape::Struct(_) => "object",
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
        // Read as text first.
        Shape::Time | Shape::MicroTime => "string",
        Shape::Int => "int32",
        Shape::Long => "int64",
        Shape::Bool => "bool",
        Shape::IntOrText => "intstr.IntOrString",
        Shape::Map => MAP,
        Shape::Bytes => "[]uint8",
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

    /// What v1.34 answered to each of these as a Lease's `renewTime`.
    #[test]
    fn a_micro_time_has_exactly_six_decimals() {
        let micro = r#"as "2006-01-02T15:04:05.000000Z07:00": cannot parse"#;
        let table = [
            ("2026-01-01T00:00:01.123456Z", Ok("2026-01-01T00:00:01.123456Z".to_owned())),
            ("2026-01-01T02:00:01.123456+02:00", Ok("2026-01-01T00:00:01.123456Z".to_owned())),
            ("x", Err(format!(r#"parsing time "x" {micro} "x" as "2006""#))),
            ("", Err(format!(r#"parsing time "" {micro} "" as "2006""#))),
            ("2026-01-01", Err(format!(r#"parsing time "2026-01-01" {micro} "" as "T""#))),
            (
                "2026-01-01T00:00:01.5Z",
                Err(format!(r#"parsing time "2026-01-01T00:00:01.5Z" {micro} ".5Z" as ".000000""#)),
            ),
            ("2026-01-01T00:00:01Z", Err(format!(r#"parsing time "2026-01-01T00:00:01Z" {micro} "Z" as ".000000""#))),
            (
                "2026-01-01T00:00:01.123456789Z",
                Err(format!(r#"parsing time "2026-01-01T00:00:01.123456789Z" {micro} "789Z" as "Z07:00""#)),
            ),
        ];
        for (text, wanted) in table {
            assert_eq!(time(text, true), wanted, "{text}");
        }
        assert_eq!(time("2026-01-01T02:00:01.9+02:00", false).as_deref(), Ok("2026-01-01T00:00:01Z"));
    }

    #[test]
    fn numbers_and_maps_that_do_not_fit_are_named_in_gos_words() {
        let table = [
            (
                "Deployment",
                json!({"spec": {"replicas": 3_000_000_000_u64}}),
                "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "Deployment",
                json!({"spec": {"replicas": 1.5}}),
                "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "ConfigMap",
                json!({"data": {"k": 1}}),
                "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
            ),
            ("ConfigMap", json!({"binaryData": {"k": "%%"}}), "illegal base64 data at input byte 0"),
        ];
        for (kind, mut object, wanted) in table {
            assert_eq!(decode(kind, &mut object, true).mismatch.as_deref(), Some(wanted), "{object}");
        }
    }
}
