//! The format's reference, made from the table of keys: JSON schema and Markdown.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::build::STANDARD;
use super::keys::{Key, ROOT, SECTIONS, Section, Shape};
use crate::domain::fleet::{Better, Unit};
use crate::domain::gate::GateType;
use crate::domain::policy::PRESETS;
use crate::gates::GATES;
use crate::metrics::PLACEHOLDERS;

/// JSON schema (draft 2020-12) of the file, for editors.
pub fn schema() -> Value {
    let mut schema = section(&ROOT);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".into(), "gonogo configuration".into());
    }
    schema
}

fn section(section: &Section) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in section.keys {
        let mut value = shape(key.shape);
        if let Some(value) = value.as_object_mut() {
            value.insert("description".into(), describe(key).into());
        }
        properties.insert(key.name.to_owned(), value);
        if key.default == "required" {
            required.push(key.name);
        }
    }
    // Tables are merged with `[defaults]`, so that a key required there may be missing here.
    let required =
        if section.path.ends_with(".route") || section.path.ends_with(".delivery") { Vec::new() } else { required };
    json!({"type": "object", "description": section.about, "properties": properties, "required": required,
        "additionalProperties": false})
}

fn describe(key: &Key) -> String {
    match key.default {
        "required" | "none" => key.about.to_owned(),
        default => format!("{} Default: {default}.", key.about),
    }
}

fn shape(shape: Shape) -> Value {
    let text = || json!({"type": "string", "minLength": 1});
    let texts = || json!({"type": "array", "items": {"type": "string"}});
    let secret = || {
        let one = |name: &str| json!({"type": "object", "properties": {name: text()}, "required": [name], "additionalProperties": false});
        json!({"oneOf": [one("env"), one("file")]})
    };
    let by_name = |value: Value| json!({"type": "object", "additionalProperties": value});
    match shape {
        Shape::Text => text(),
        Shape::TextOrNumber => json!({"type": ["string", "integer"]}),
        Shape::Texts => json!({"anyOf": [text(), texts()]}),
        Shape::Whole(least) => json!({"type": "integer", "minimum": least, "maximum": 10_000}),
        Shape::PercentsDown => json!({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 99}}),
        Shape::Number => json!({"type": "number"}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Duration => json!({"type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$"}),
        Shape::Day | Shape::Moment => json!({"type": "string"}),
        Shape::Word(words) => json!({"enum": words}),
        Shape::Table(of) => section(of),
        Shape::TableOrOff(of) => json!({"anyOf": [{"const": false}, section(of)]}),
        Shape::Named(of) => by_name(section(of)),
        Shape::TextsByName => by_name(json!({"anyOf": [{"type": "string"}, texts()]})),
        Shape::SecretsByName => by_name(json!({"anyOf": [{"type": "string"}, secret()]})),
        Shape::Secret => secret(),
        Shape::Rings => {
            json!({"type": "array", "minItems": 1, "items": {"anyOf": [texts(), section(&super::keys::RING)]}})
        }
        Shape::Gates => json!({"type": "array", "items": {"anyOf": gates()}}),
        Shape::Carries => {
            let pointer = json!({"type": "string", "pattern": "^(image|image:ref|/spec/template/.+)$"});
            let with_template = json!({"type": "object", "properties": {"path": {"type": "string"}, "template": {}},
                "required": ["path"], "additionalProperties": false});
            json!({"type": "array", "minItems": 1, "items": {"anyOf": [pointer, with_template]}})
        }
        Shape::VersionFrom => {
            let one = |name: &str| json!({"type": "object", "properties": {name: text()}, "required": [name], "additionalProperties": false});
            json!({"anyOf": [{"const": "image"}, one("label"), one("annotation")]})
        }
    }
}

fn gates() -> Vec<Value> {
    let names: Vec<&str> = GATES.iter().map(|g| g.name()).collect();
    let mut out = vec![json!({"enum": names})];
    for gate in GATES {
        let mut properties = Map::new();
        properties.insert("gate".into(), json!({"const": gate.name(), "description": gate.about()}));
        properties.insert("label".into(), json!({"type": "string", "description": "What the board calls it."}));
        for parameter in gate.parameters() {
            let value = json!({"type": ["string", "number", "boolean", "array"], "description": parameter.about});
            properties.insert(parameter.name.to_owned(), value);
        }
        out.push(
            json!({"type": "object", "properties": properties, "required": ["gate"], "additionalProperties": false}),
        );
    }
    out
}

/// The reference tables of `docs/config.md`: every section, gate, column and placeholder.
pub fn reference() -> String {
    // Writing to a String cannot fail.
    let mut out = String::from("## Keys\n");
    for section in SECTIONS {
        let title =
            if section.path.is_empty() { "Top of the file".to_owned() } else { format!("`[{}]`", section.path) };
        let _ = write!(
            out,
            "\n### {title}\n\n{}\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
            cell(section.about)
        );
        for key in section.keys {
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} |",
                key.name,
                cell(&value(key.shape)),
                cell(key.default),
                cell(key.about)
            );
        }
    }
    out.push_str("\n## Gates\n\n| gate | stands in | judges | parameters |\n|---|---|---|---|\n");
    for gate in GATES {
        let parameters: Vec<String> = gate
            .parameters()
            .iter()
            .map(|p| format!("`{}`{}: {}", p.name, if p.required { " (required)" } else { "" }, p.about))
            .collect();
        let parameters = if parameters.is_empty() { "none".to_owned() } else { parameters.join("<br>") };
        let _ =
            writeln!(out, "| `{}` | {} | {} | {} |", gate.name(), role(*gate), cell(gate.about()), cell(&parameters));
    }
    out.push_str("\nEvery gate also takes `label`: what the board calls it.\n");
    presets(&mut out);
    out.push_str("\n## Standard columns\n\n| column | unit | better | query |\n|---|---|---|---|\n");
    for column in STANDARD {
        let unit = Unit::NAMES.iter().find(|(_, u)| *u == column.unit).map_or("", |(name, _)| *name);
        let better = match column.better {
            Better::Lower => "lower",
            Better::Higher => "higher",
            Better::Neither => "neither",
        };
        let traffic = if column.traffic { " (traffic)" } else { "" };
        let _ = writeln!(out, "| `{}`{traffic} | {unit} | {better} | `{}` |", column.name, cell(column.query));
    }
    out.push_str("\nAll of them are asked `by = \"region\"`: one query for all regions of a Prometheus.\n");
    out.push_str("\n## Placeholders of queries\n\n| placeholder | stands for |\n|---|---|\n");
    for (name, about) in PLACEHOLDERS {
        let _ = writeln!(out, "| `{{{{{name}}}}}` | {about} |");
    }
    out
}

/// The table of presets; with so many rings as an example of the bakes.
fn presets(out: &mut String) {
    out.push_str("\n## Presets\n\n`policy = { preset = \"…\" }` is where a policy starts; every key of it can be said otherwise.\n\n");
    out.push_str("| preset | for | rings | bakes | at most | moves on | NO-GO |\n|---|---|---|---|---|---|---|\n");
    for preset in PRESETS {
        let of = preset.rings.unwrap_or(4);
        let bake = |ring| format!("{}h", preset.bake(ring, of).as_secs() / 3_600);
        let bakes: Vec<String> = (0..of).map(bake).collect();
        let rings = preset.rings.map_or_else(|| "any (bakes shown for 4)".to_owned(), |n| n.to_string());
        let _ = writeln!(
            out,
            "| `{}` | {} | {rings} | {} | {} days | `{}` | `{}` |",
            preset.name,
            cell(preset.about),
            bakes.join(", "),
            preset.longest.as_secs() / 86_400,
            preset.advance.word(),
            preset.on_nogo.word()
        );
    }
}

fn role(gate: &dyn GateType) -> &'static str {
    match (gate.may_exit(), gate.may_enter()) {
        (true, true) => "`exit`, `entry`",
        (true, false) => "`exit`",
        _ => "`entry`",
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What a value looks like, in words.
fn value(shape: Shape) -> String {
    match shape {
        Shape::Text => "text".into(),
        Shape::TextOrNumber => "text or number".into(),
        Shape::Texts => "text or list".into(),
        Shape::Whole(least) => format!("whole number ≥ {least}"),
        Shape::PercentsDown => "percentages, falling to 0".into(),
        Shape::Number => "number".into(),
        Shape::Flag => "`true`, `false`".into(),
        Shape::Duration => "time: `90s` `4h` `2d`".into(),
        Shape::Day => "day: `2026-05-01`".into(),
        Shape::Moment => "moment: `2026-05-01T12:00:00Z`".into(),
        Shape::Word(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
        Shape::Table(of) => format!("table `[{}]`", of.path),
        Shape::TableOrOff(of) => format!("table `[{}]`, or `false`", of.path),
        Shape::Named(of) => format!("tables `[{}]`", of.path),
        Shape::TextsByName => "table of texts or lists".into(),
        Shape::SecretsByName => "table of texts or secrets".into(),
        Shape::Secret => "`{ env = … }` or `{ file = … }`".into(),
        Shape::Rings => "list of rings".into(),
        Shape::Gates => "list of gates".into(),
        Shape::Carries => "list".into(),
        Shape::VersionFrom => "`\"image\"`, `{ label = … }`, `{ annotation = … }`".into(),
    }
}
