//! The shapes of the served kinds: what decoding, strategic patches, field ownership and
//! OpenAPI all read.

mod decode;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use decode::{Decoded, decode};

/// A field's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    Text,
    /// A time in whole seconds: text or null.
    Time,
    /// A time with exactly six decimals: text or null.
    MicroTime,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A truth value.
    Bool,
    /// A whole number or text such as `25%`.
    IntOrText,
    /// Text to text.
    Map,
    /// Text to base64.
    Bytes,
    /// Resource names to quantities (text or numbers).
    Quantities,
    /// Anything: not looked into.
    Any,
    /// A named struct.
    Struct(&'static str),
    /// A list.
    List(Box<Shape>, Merge),
}

/// How a list is merged and owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Replaced and owned as a whole.
    Atomic,
    /// Elements are told apart by these keys.
    Keys(Vec<&'static str>),
    /// Scalars, told apart by their value.
    Set,
}

/// A field of a struct.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its type.
    pub shape: Shape,
    /// A pointer in Go: its zero value is kept.
    pub pointer: bool,
    /// Written even when empty.
    pub always: bool,
    /// `patchStrategy: retainKeys`.
    pub retain_keys: bool,
}

/// Struct name → field name → field.
type Types = BTreeMap<&'static str, BTreeMap<&'static str, Field>>;

static TYPES: LazyLock<Types> = LazyLock::new(|| parse(include_str!("types.txt")));

/// The fields of a struct; none for names that are not in the table.
pub fn fields(name: &str) -> Option<&'static BTreeMap<&'static str, Field>> {
    TYPES.get(name)
}

/// All structs, by name.
pub fn all() -> impl Iterator<Item = (&'static str, &'static BTreeMap<&'static str, Field>)> {
    TYPES.iter().map(|(name, fields)| (*name, fields))
}

/// The shape of a field within `shape`, where that is a struct that has it.
pub fn field_of(shape: &Shape, key: &str) -> Option<&'static Field> {
    match shape {
        Shape::Struct(name) => fields(name)?.get(key),
        _ => None,
    }
}

fn parse(text: &'static str) -> Types {
    let mut types = Types::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let Some((name, rest)) = line.split_once(" = ") else {
            continue;
        };
        let fields = rest.split_whitespace().filter_map(|word| word.split_once(':'));
        types.insert(name, fields.map(|(field, code)| (field, parse_field(code))).collect());
    }
    types
}

fn parse_field(code: &'static str) -> Field {
    let bare = code.trim_end_matches(['*', '!', '^']);
    let marks = code.get(bare.len()..).unwrap_or("");
    Field {
        shape: parse_shape(bare),
        pointer: marks.contains('*'),
        always: marks.contains('!'),
        retain_keys: marks.contains('^'),
    }
}

fn parse_shape(code: &'static str) -> Shape {
    if let Some(inner) = code.strip_prefix('[').and_then(|c| c.strip_suffix(']')) {
        return match inner.split_once('/') {
            None => Shape::List(Box::new(parse_shape(inner)), Merge::Atomic),
            Some((item, "")) => Shape::List(Box::new(parse_shape(item)), Merge::Set),
            Some((item, keys)) => Shape::List(Box::new(parse_shape(item)), Merge::Keys(keys.split(',').collect())),
        };
    }
    match code {
        "string" => Shape::Text,
        "time" => Shape::Time,
        "microtime" => Shape::MicroTime,
        "int" => Shape::Int,
        "long" => Shape::Long,
        "bytes" => Shape::Bytes,
        "bool" => Shape::Bool,
        "intstr" => Shape::IntOrText,
        "map" => Shape::Map,
        "quantities" => Shape::Quantities,
        "any" => Shape::Any,
        name => Shape::Struct(name),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::super::resources::RESOURCES;
    use super::*;

    fn check(owner: &str, shape: &Shape) {
        match shape {
            Shape::Struct(name) => assert!(fields(name).is_some(), "{owner}: no struct {name}"),
            Shape::List(item, Merge::Keys(keys)) => {
                check(owner, item);
                for key in keys.iter().filter(|_| **item != Shape::Any) {
                    assert!(field_of(item, key).is_some(), "{owner}: no key {key}");
                }
            }
            Shape::List(item, _) => check(owner, item),
            _ => {}
        }
    }

    #[test]
    fn every_name_in_the_table_is_defined_and_every_resource_has_a_shape() {
        for (name, fields) in all() {
            for field in fields.values() {
                check(name, &field.shape);
            }
        }
        for resource in RESOURCES {
            assert!(fields(resource.kind).is_some(), "{}", resource.kind);
        }
    }
}
