//! `carries` and `version_from`: what a promotion copies, and what it is called.

use serde_json::{Map, Number, Value as Json};
use toml::de::DeValue;

use super::super::reader::{Table, Value, in_order, number_of};
use super::super::source::Span;
use super::Build;
use crate::domain::fleet::{Carry, CarryPath, CarryStep, CarryValue, VersionFrom};

const EXAMPLE: &str = "write `\"image\"`, `\"image:ref\"`, a pointer such as `\"/spec/template/spec/containers[name=web]/args\"`, or `{ path = …, template = … }`";

pub(super) fn carries(build: &Build<'_>, table: Table<'_>) -> Option<Vec<Carry>> {
    let (value, at) = table.raw("carries")?;
    let DeValue::Array(items) = value.get_ref() else {
        build.problems.error(
            "wrong-type",
            value.span().into(),
            "`carries` must be a list",
            "write `carries = [\"image\"]`",
        );
        return None;
    };
    let mut out: Vec<Carry> = Vec::new();
    for item in items.iter() {
        let Some(carry) = carry(build, item) else { continue };
        let same = |other: &Carry| match (other, &carry) {
            (Carry::Pointer { path: a, .. }, Carry::Pointer { path: b, .. }) => a == b,
            (Carry::Pointer { .. }, _) | (_, Carry::Pointer { .. }) => false,
            _ => true,
        };
        if out.iter().any(same) {
            let message = "this is carried twice";
            build.problems.error("duplicate-carry", item.span().into(), message, "take one of them out");
        }
        out.push(carry);
    }
    if items.is_empty() {
        build.problems.error("empty-carries", at, "a promotion would carry nothing", "write `carries = [\"image\"]`");
    }
    Some(out)
}

fn carry(build: &Build<'_>, item: &Value<'_>) -> Option<Carry> {
    let at: Span = item.span().into();
    let wrong = |message: &str| {
        build.problems.error("bad-carry", at, message, EXAMPLE);
        None
    };
    match item.get_ref() {
        DeValue::String(text) => match &**text {
            "image" => Some(Carry::Image),
            "image:ref" => Some(Carry::ImageRef),
            path if path.starts_with('/') => {
                Some(Carry::Pointer { path: pointer(build, path, at)?, value: CarryValue::Verbatim })
            }
            other => wrong(&format!("`{other}` is nothing that can be carried")),
        },
        DeValue::Table(entries) => {
            let mut path = None;
            let mut template = None;
            for (name, value) in in_order(entries) {
                match (&**name.get_ref(), value.get_ref()) {
                    ("path", DeValue::String(text)) => path = pointer(build, text, value.span().into()),
                    ("template", _) => template = Some(value),
                    (other, _) => return wrong(&format!("`{other}` has no meaning here")),
                }
            }
            let value = match template {
                Some(value) => CarryValue::Template(json(build, value)?.to_string().into()),
                None => CarryValue::Verbatim,
            };
            Some(Carry::Pointer { path: path?, value })
        }
        _ => wrong("this is nothing that can be carried"),
    }
}

/// A pointer below the pod template: what lies elsewhere is not part of what is judged.
fn pointer(build: &Build<'_>, text: &str, at: Span) -> Option<CarryPath> {
    let Some(path) = CarryPath::parse(text) else {
        build.problems.error("bad-carry", at, format!("`{text}` is not a pointer"), EXAMPLE);
        return None;
    };
    let key = |n: usize| match path.0.get(n) {
        Some(CarryStep::Key(key)) => Some(&**key),
        _ => None,
    };
    if key(0) != Some("spec") || key(1) != Some("template") || path.0.len() < 3 {
        let message = format!("`{text}` is not below /spec/template, which is what bakes and is judged");
        build.problems.error("bad-carry", at, message, "carry fields of the pod template only");
        return None;
    }
    Some(path)
}

/// A TOML value as JSON; its placeholders are checked.
fn json(build: &Build<'_>, value: &Value<'_>) -> Option<Json> {
    let at: Span = value.span().into();
    match value.get_ref() {
        DeValue::String(text) => {
            placeholders(build, text, at, &["version", "ring", "region"])?;
            Some(Json::String(text.to_string()))
        }
        DeValue::Boolean(flag) => Some(Json::Bool(*flag)),
        DeValue::Integer(i) => i64::from_str_radix(i.as_str(), i.radix()).ok().map(Json::from),
        number @ DeValue::Float(_) => number_of(number).and_then(Number::from_f64).map(Json::Number),
        DeValue::Datetime(date) => Some(Json::String(date.to_string())),
        DeValue::Array(items) => items.iter().map(|i| json(build, i)).collect::<Option<Vec<_>>>().map(Json::Array),
        DeValue::Table(entries) => in_order(entries)
            .map(|(name, value)| Some((name.get_ref().to_string(), json(build, value)?)))
            .collect::<Option<Map<_, _>>>()
            .map(Json::Object),
    }
}

/// Checks that a text holds only these placeholders.
pub(super) fn placeholders(build: &Build<'_>, text: &str, at: Span, known: &[&str]) -> Option<()> {
    let mut rest = text;
    let mut fine = Some(());
    while let Some((_, tail)) = rest.split_once("{{") {
        let (name, after) = tail.split_once("}}").unwrap_or((tail, ""));
        rest = after;
        if known.contains(&name) {
            continue;
        }
        let list = known.iter().map(|k| format!("`{{{{{k}}}}}`")).collect::<Vec<_>>().join(" ");
        let near = crate::domain::text::did_you_mean(name.trim(), known.iter().copied());
        let fix = near.map_or_else(|| format!("there is {list}"), |n| format!("did you mean `{{{{{n}}}}}`?"));
        let place = super::inside(build.problems.source, at, &format!("{{{{{name}}}}}"));
        build.problems.error(
            "unknown-placeholder",
            place,
            format!("there is no placeholder `{{{{{name}}}}}` here"),
            fix,
        );
        fine = None;
    }
    fine
}

pub(super) fn version_from(build: &Build<'_>, table: Table<'_>) -> Option<VersionFrom> {
    let (value, _) = table.raw("version_from")?;
    let wrong = || {
        let message = "`version_from` must be `\"image\"`, a label or an annotation";
        let fix = "write `version_from = { label = \"app.kubernetes.io/version\" }`";
        build.problems.error("wrong-type", value.span().into(), message, fix);
        None
    };
    match value.get_ref() {
        DeValue::String(text) if text == "image" => Some(VersionFrom::Image),
        DeValue::Table(entries) => {
            let mut entries = entries.iter();
            match (entries.next(), entries.next()) {
                (Some((name, value)), None) => match (&**name.get_ref(), value.get_ref()) {
                    ("label", DeValue::String(key)) => Some(VersionFrom::Label(key.to_string().into())),
                    ("annotation", DeValue::String(key)) => Some(VersionFrom::Annotation(key.to_string().into())),
                    _ => wrong(),
                },
                _ => wrong(),
            }
        }
        _ => wrong(),
    }
}
