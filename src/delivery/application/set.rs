//! An ApplicationSet of `argoproj.io/v1alpha1`: the element that an Application comes from, and its rolling steps.
//!
//! What it generates it puts back. So a version is given to the element of its list that makes the Application, where
//! the version is a value of that element; anything else is a refusal that says where the change belongs.

use serde_json::Value;

use super::knob::{Chosen, Edit, shown, still};
use super::write::is_automated;
use crate::delivery::{Beside, Writing};
use crate::domain::change::{ApiType, pointer_key, replace, test};
use crate::domain::id::Namespace;
use crate::domain::plan::DiffLine;
use crate::domain::text::safe;
use crate::kinds::Still;

/// Applications that are named, of those that a step waits for.
const MOST_NAMED: usize = 3;

pub(super) fn api() -> ApiType {
    ApiType::new("argoproj.io", "v1alpha1", "applicationsets", "ApplicationSet")
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Whether it leaves this field of an Application as somebody else wrote it.
pub(super) fn leaves(set: &Value, application: &Value, field: &str) -> bool {
    if matches!(text(set, "/spec/syncPolicy/applicationsSync"), "create-only" | "create-delete") {
        return true;
    }
    let name = text(application, "/metadata/name");
    let covers = |pointer: &str| field == pointer || field.strip_prefix(pointer).is_some_and(|r| r.starts_with('/'));
    list(set, "/spec/ignoreApplicationDifferences").iter().any(|rule| {
        let whose = text(rule, "/name");
        (whose.is_empty() || whose == name) && list(rule, "/jsonPointers").iter().filter_map(Value::as_str).any(covers)
    })
}

/// The change of the set that makes it generate the Application with this edit.
pub(super) fn order(application: &Value, set: &Value, chosen: &Chosen<'_>, edit: &Edit) -> Result<Writing, Still> {
    let name = safe(text(set, "/metadata/name"), 253);
    let refuse = |code, why: &str| {
        Err(still(
            code,
            format!("is brought by an Application that ApplicationSet {name} generates, {why}"),
            format!("change what ApplicationSet {name} reads: its generators, its template, or the repository"),
        ))
    };
    if !text(set, "/metadata/deletionTimestamp").is_empty() {
        return refuse("deleting", "which is being deleted");
    }
    if !text(set, "/spec/templatePatch").is_empty() {
        return refuse("generated", "with a `templatePatch`, which may say another version than its template");
    }
    let Some(to) = edit.to.as_ref().and_then(Value::as_str) else {
        return refuse("generated", "and only a text can be a value of its elements");
    };
    let field = format!("/spec/template/spec{}{}", chosen.at, edit.field);
    let Some(template) = set.pointer(&field).and_then(Value::as_str) else {
        return refuse("generated", "whose template does not say that field; through Git the change lasts");
    };
    let go = set.pointer("/spec/goTemplate") == Some(&Value::Bool(true));
    let parts = match parts(template, go) {
        Some(parts) => parts,
        None if !template.contains("{{") => {
            return refuse(
                "every-region",
                "and its template gives every Application the same: all regions would change at once",
            );
        }
        None => return refuse("generated", "by a template that more than one value of an element goes into"),
    };
    let Some(value) = to.strip_prefix(parts.before).and_then(|rest| rest.strip_suffix(parts.after)) else {
        return refuse("generated", "by a template that cannot make this version");
    };
    let element = match element(application, set, go) {
        Ok(element) => element,
        Err(why) => return refuse("generated", why),
    };
    let path = parts.key.split('.').map(pointer_key).collect::<Vec<_>>().join("/");
    let pointer = format!("{element}/{path}");
    let Some(from) = set.pointer(&pointer).filter(|v| v.is_string()).cloned() else {
        return refuse("generated", "and the element that makes it has no such value");
    };
    if parts_use(text(set, "/spec/template/metadata/name"), &parts.key, go) {
        return refuse("generated", "and the same value names the Application: another one would be made");
    }
    let mut notes = arrives(application, set)?;
    if uses(set.pointer("/spec/template").unwrap_or(&Value::Null), &parts.key, go) > 1 {
        notes.push(format!("`{}` of the element is used more than once in the template", safe(&parts.key, 80)).into());
    }
    let own = |pointer: &str| test(pointer, set.pointer(pointer).cloned().unwrap_or_default());
    let operations = vec![
        own("/metadata/uid"),
        own("/spec/generators"),
        own("/spec/template"),
        replace(pointer.clone(), value.into()),
    ];
    let line = format!("ApplicationSet {name} element {}", safe(&parts.key, 80));
    let label = format!("{} {} → {} (ApplicationSet {name})", shown(chosen, edit), shown_value(&from), safe(value, 80));
    let on = Beside {
        api: api(),
        namespace: Namespace::new(text(set, "/metadata/namespace")),
        name: text(set, "/metadata/name").into(),
    };
    notes.push(format!("ApplicationSet {name} generates it, and is changed instead").into());
    let before = edit.from.as_ref().map_or_else(|| "absent".to_owned(), Value::to_string);
    Ok(Writing {
        on: Some(on),
        label: label.into(),
        operations,
        diff: vec![DiffLine { field: line.into(), from: Some(from), to: Some(value.into()) }],
        was: Some((format!("application {}", shown(chosen, edit)).into(), before.into())),
        notes,
    })
}

fn shown_value(value: &Value) -> String {
    safe(value.as_str().unwrap_or("?"), 80)
}

/// A text with one placeholder.
struct Parts<'a> {
    before: &'a str,
    /// Keys from the element downwards, joined by `.`.
    key: String,
    after: &'a str,
}

/// `v{{revision}}`, or `v{{.revision}}` where Go's templates are used; none: no placeholder, several, or more than a
/// plain value.
fn parts(template: &str, go: bool) -> Option<Parts<'_>> {
    let (before, rest) = template.split_once("{{")?;
    let (inside, after) = rest.split_once("}}")?;
    if after.contains("{{") {
        return None;
    }
    let inside = inside.trim();
    let key = if go { inside.strip_prefix('.')? } else { inside };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (!key.is_empty() && key.chars().all(plain)).then(|| Parts { before, key: key.to_owned(), after })
}

/// What a template makes of one element; none: it takes more than plain values.
fn rendered(template: &str, element: &Value, go: bool) -> Option<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once("{{") {
        let (inside, after) = tail.split_once("}}")?;
        let inside = inside.trim();
        let key = if go { inside.strip_prefix('.')? } else { inside };
        let pointer: String = key.split('.').map(|k| format!("/{}", pointer_key(k))).collect();
        out.push_str(before);
        out.push_str(element.pointer(&pointer)?.as_str()?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// Pointer of the list element that makes this Application.
fn element(application: &Value, set: &Value, go: bool) -> Result<String, &'static str> {
    let name = text(application, "/metadata/name");
    let template = text(set, "/spec/template/metadata/name");
    let generators = list(set, "/spec/generators");
    let mut found = Vec::new();
    for (at, generator) in generators.iter().enumerate() {
        let elements = list(generator, "/list/elements");
        let own = generator.pointer("/list/template/spec").is_some_and(Value::is_object);
        for (n, element) in elements.iter().enumerate() {
            if rendered(template, element, go).as_deref() == Some(name) {
                if own {
                    return Err("by a generator with a template of its own");
                }
                found.push(format!("/spec/generators/{at}/list/elements/{n}"));
            }
        }
    }
    let is_list = |g: &Value| g.get("list").is_some();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] if generators.iter().any(|g| g.get("git").is_some()) => {
            Err("from what a repository holds: the change goes through Git")
        }
        [] if !generators.iter().any(is_list) => Err("by generators that have no list"),
        [] => Err("and none of its list elements makes it by itself"),
        _ => Err("and several of its list elements make it"),
    }
}

fn parts_use(template: &str, key: &str, go: bool) -> bool {
    uses(&Value::from(template), key, go) > 0
}

/// How often a value of an element is used in what is below.
fn uses(below: &Value, key: &str, go: bool) -> usize {
    match below {
        Value::String(text) => {
            let inside = text.split("{{").skip(1).filter_map(|t| t.split_once("}}")).map(|(inside, _)| inside.trim());
            let dotted = format!(".{key}");
            inside.filter(|i| if go { i.split_whitespace().any(|w| w == dotted) } else { *i == key }).count()
        }
        Value::Array(all) => all.iter().map(|v| uses(v, key, go)).sum(),
        Value::Object(map) => map.values().map(|v| uses(v, key, go)).sum(),
        _ => 0,
    }
}

/// Whether, and when, what it generates is brought.
fn arrives(application: &Value, set: &Value) -> Result<Vec<crate::domain::id::Text>, Still> {
    let name = safe(text(set, "/metadata/name"), 253);
    let Some(rolling) = rolling(set, application) else {
        return match is_automated(application) {
            true => Ok(Vec::new()),
            false => Err(still(
                "by-hand",
                format!(
                    "is brought by an Application that ApplicationSet {name} generates without `automated`: nobody would \
                     bring what it then follows"
                ),
                format!("let ApplicationSet {name} be automated or roll by steps, or sync by hand"),
            )),
        };
    };
    if rolling.step.is_none() {
        return Err(still(
            "no-step",
            format!("is in no rolling step of ApplicationSet {name}: it is never synced"),
            format!("let a step of ApplicationSet {name} match the labels of its Application"),
        ));
    }
    if rolling.closed {
        return Err(still(
            "step-closed",
            format!("is in {} of ApplicationSet {name}, where `maxUpdate` is 0: nobody moves", rolling.place()),
            "raise `maxUpdate` of that step",
        ));
    }
    let mut notes = vec![format!("ApplicationSet {name} rolls by steps, and syncs it in {}", rolling.place()).into()];
    if let Some(shut) = rolling.shut_before {
        return Err(still(
            "step-closed",
            format!(
                "is in {} of ApplicationSet {name}, and `maxUpdate` of step {shut} before it is 0",
                rolling.place()
            ),
            format!("raise `maxUpdate` of step {shut}, or finish it by hand"),
        ));
    }
    if !rolling.waits_for.is_empty() {
        let named: Vec<&str> = rolling.waits_for.iter().take(MOST_NAMED).map(|n| &**n).collect();
        let more = rolling.waits_for.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("that step opens once {}{more} of earlier steps are healthy", named.join(", ")).into());
    }
    Ok(notes)
}

/// Where an Application stands among the rolling steps of its set.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rolling {
    /// Its step, from 1; none: it is in none, and never synced.
    step: Option<usize>,
    /// How many there are.
    of: usize,
    /// Its step lets nobody move.
    closed: bool,
    /// An earlier step that lets nobody move, and is not through.
    shut_before: Option<usize>,
    /// Applications of earlier steps that are not healthy yet.
    waits_for: Vec<String>,
}

impl Rolling {
    fn place(&self) -> String {
        let step = self.step.map_or_else(|| "no step".to_owned(), |s| format!("step {s}"));
        format!("{step} of {}", self.of)
    }
}

/// Its rolling steps; none: all of its Applications may move at once.
fn rolling(set: &Value, application: &Value) -> Option<Rolling> {
    if text(set, "/spec/strategy/type") != "RollingSync" {
        return None;
    }
    let steps = list(set, "/spec/strategy/rollingSync/steps");
    let labels = application.pointer("/metadata/labels");
    let step = steps.iter().position(|step| matches(step, labels));
    let lets_none = |step: &Value| {
        step.get("maxUpdate").is_some_and(|m| m.as_i64() == Some(0) || matches!(m.as_str(), Some("0" | "0%")))
    };
    let statuses = list(set, "/status/applicationStatus");
    let before = |status: &&Value| {
        let at = text(status, "/step").parse::<usize>().ok();
        at.zip(step).is_some_and(|(at, own)| at >= 1 && at <= own) && text(status, "/status") != "Healthy"
    };
    let waiting: Vec<&Value> = statuses.iter().filter(before).collect();
    let waits_at = |n: usize| waiting.iter().any(|s| text(s, "/step").parse() == Ok(n));
    let shut = steps.iter().enumerate().take(step.unwrap_or(0)).find(|(at, s)| lets_none(s) && waits_at(at + 1));
    Some(Rolling {
        step: step.map(|s| s + 1),
        of: steps.len(),
        closed: step.and_then(|s| steps.get(s)).is_some_and(lets_none),
        shut_before: shut.map(|(at, _)| at + 1),
        waits_for: waiting.iter().map(|s| safe(text(s, "/application"), 253)).collect(),
    })
}

fn matches(step: &Value, labels: Option<&Value>) -> bool {
    let rules = list(step, "/matchExpressions");
    rules.iter().all(|rule| {
        let own = labels.and_then(|l| l.get(text(rule, "/key"))).and_then(Value::as_str);
        let listed = own.is_some_and(|own| list(rule, "/values").iter().any(|v| v.as_str() == Some(own)));
        match text(rule, "/operator") {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_is_read_as_argo_cd_renders_it() {
        let element = json!({"cluster": "eu", "values": {"rev": "v1"}});
        assert_eq!(rendered("web-{{cluster}}", &element, false).as_deref(), Some("web-eu"));
        assert_eq!(rendered("{{ cluster }}-{{values.rev}}", &element, false).as_deref(), Some("eu-v1"));
        assert_eq!(rendered("web-{{.cluster}}", &element, true).as_deref(), Some("web-eu"));
        assert_eq!(rendered("web-{{cluster}}", &element, true), None, "a function of Go's templates");
        assert_eq!(rendered("web-{{nope}}", &element, false), None);
        assert_eq!(rendered("web-{{cluster", &element, false), None);
        let parts = parts("v{{ .values.rev }}-x", true).unwrap();
        assert_eq!((parts.before, &*parts.key, parts.after), ("v", "values.rev", "-x"));
        assert!(super::parts("{{a}}{{b}}", false).is_none() && super::parts("{{ .a | upper }}", true).is_none());
    }

    #[test]
    fn a_field_that_it_is_told_to_ignore_is_left() {
        let app = json!({"metadata": {"name": "web-eu"}});
        let set = |rule: Value| json!({"spec": {"ignoreApplicationDifferences": [rule]}});
        let field = "/spec/source/targetRevision";
        assert!(leaves(&set(json!({"jsonPointers": ["/spec/source/targetRevision"]})), &app, field));
        assert!(leaves(&set(json!({"jsonPointers": ["/spec/source"]})), &app, field));
        assert!(!leaves(&set(json!({"jsonPointers": ["/spec/sour"]})), &app, field));
        assert!(!leaves(&set(json!({"name": "web-us", "jsonPointers": ["/spec/source"]})), &app, field));
        assert!(leaves(&json!({"spec": {"syncPolicy": {"applicationsSync": "create-only"}}}), &app, field));
        assert!(!leaves(&json!({"spec": {"syncPolicy": {"applicationsSync": "create-update"}}}), &app, field));
    }
}
