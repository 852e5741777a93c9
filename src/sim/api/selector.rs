//! Label and field selectors.

use serde_json::Value;

use super::super::resources::Resource;
use super::super::status::ApiError;

/// One requirement on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Is(String, String),
    IsNot(String, String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    More(String, i64),
    Less(String, i64),
}

impl Requirement {
    fn matches(&self, labels: Option<&Value>) -> bool {
        let label = |key: &str| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
        let number = |key: &str| label(key).and_then(|text| text.parse::<i64>().ok());
        match self {
            Self::Is(key, value) => label(key) == Some(value),
            Self::IsNot(key, value) => label(key) != Some(value),
            Self::In(key, values) => label(key).is_some_and(|have| values.iter().any(|v| v == have)),
            Self::NotIn(key, values) => label(key).is_none_or(|have| values.iter().all(|v| v != have)),
            Self::Exists(key) => label(key).is_some(),
            Self::Absent(key) => label(key).is_none(),
            Self::More(key, bound) => number(key).is_some_and(|n| n > *bound),
            Self::Less(key, bound) => number(key).is_some_and(|n| n < *bound),
        }
    }
}

/// What a list or watch asks for.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    labels: Vec<Requirement>,
    /// Path, negated, value.
    fields: Vec<(String, bool, String)>,
}

impl Selector {
    /// Reads both selectors as given for `resource`.
    pub fn parse(resource: &Resource, labels: &str, fields: &str) -> Result<Self, ApiError> {
        Ok(Self { labels: parse_labels(labels)?, fields: parse_fields(resource, fields)? })
    }

    /// True when everything matches.
    pub fn everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// True when `object` is asked for.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = object.get("metadata").and_then(|m| m.get("labels"));
        self.labels.iter().all(|requirement| requirement.matches(labels))
            && self.fields.iter().all(|(path, negated, wanted)| (field(object, path) == wanted.as_str()) != *negated)
    }
}

fn field<'a>(object: &'a Value, path: &str) -> &'a str {
    let path = match path {
        // The other view's names for the same fields.
        "source" => "source.component",
        "reportingController" => "reportingComponent",
        other => other,
    };
    let found = match path.strip_prefix("regarding.") {
        Some(rest) => object.get("involvedObject").and_then(|o| o.get(rest)),
        None => path.split('.').try_fold(object, |at, key| at.get(key)),
    };
    found.and_then(Value::as_str).unwrap_or("")
}

/// Fields that may be selected, beyond name and namespace.
fn selectable(resource: &Resource) -> &'static [&'static str] {
    match (resource.group, resource.kind) {
        ("", "Pod") => &[
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
        ],
        ("", "Event") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("events.k8s.io", "Event") => &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
        ("", "Namespace") => &["status.phase"],
        ("", "Secret") => &["type"],
        ("apps", "ReplicaSet") => &["status.replicas"],
        _ => &[],
    }
}

fn parse_fields(resource: &Resource, text: &str) -> Result<Vec<(String, bool, String)>, ApiError> {
    let mut out = Vec::new();
    for term in text.split(',').map(str::trim).filter(|term| !term.is_empty()) {
        let (path, negated, value) = if let Some((path, value)) = term.split_once("!=") {
            (path, true, value)
        } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            (path, false, value)
        } else {
            let why = format!("unable to parse selector: invalid selector: '{text}'; can't understand '{term}'");
            return Err(ApiError::bad_request(why));
        };
        let known = ["metadata.name", "metadata.namespace"];
        if !known.contains(&path) && !selectable(resource).contains(&path) {
            // Kinds that select more than these two were given their own words upstream.
            let why = if selectable(resource).is_empty() && !resource.custom {
                format!("{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
            } else {
                format!("field label not supported: {path}")
            };
            return Err(ApiError::bad_request(why));
        }
        out.push((path.to_owned(), negated, value.to_owned()));
    }
    Ok(out)
}

/// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`.
fn parse_labels(text: &str) -> Result<Vec<Requirement>, ApiError> {
    split_terms(text).into_iter().map(|term| parse_term(term, text)).collect()
}

/// Splits at commas outside parentheses.
fn split_terms(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut terms) = (0_i32, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                terms.push(text.get(start..at).unwrap_or(""));
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(text.get(start..).unwrap_or(""));
    terms.into_iter().map(str::trim).filter(|term| !term.is_empty()).collect()
}

fn parse_term(term: &str, whole: &str) -> Result<Requirement, ApiError> {
    let bad = |why: &str| ApiError::bad_request(format!("unable to parse requirement: {why} in selector {whole:?}"));
    let key = |text: &str| {
        let text = text.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if !text.is_empty() && text.chars().all(fine) {
            Ok(text.to_owned())
        } else {
            Err(bad(&format!("invalid label key {text:?}")))
        }
    };
    if let Some(list) = term.strip_suffix(')') {
        let (head, values) = list.split_once('(').ok_or_else(|| bad("unbalanced parenthesis"))?;
        let values: Vec<String> = values.split(',').map(|v| v.trim().to_owned()).collect();
        return match head.trim().rsplit_once(char::is_whitespace) {
            Some((name, "in")) => Ok(Requirement::In(key(name)?, values)),
            Some((name, "notin")) => Ok(Requirement::NotIn(key(name)?, values)),
            _ => Err(bad("expected 'in' or 'notin'")),
        };
    }
    if let Some((name, value)) = term.split_once("!=") {
        return Ok(Requirement::IsNot(key(name)?, value.trim().to_owned()));
    }
    if let Some((name, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return Ok(Requirement::Is(key(name)?, value.trim().to_owned()));
    }
    for (sign, more) in [('>', true), ('<', false)] {
        if let Some((name, bound)) = term.split_once(sign) {
            let bound =
                bound.trim().parse().map_err(|_| bad("for 'Gt', 'Lt' operators, the value must be an integer"))?;
            let name = key(name)?;
            return Ok(if more { Requirement::More(name, bound) } else { Requirement::Less(name, bound) });
        }
    }
    match term.strip_prefix('!') {
        Some(name) => Ok(Requirement::Absent(key(name)?)),
        None => Ok(Requirement::Exists(key(term)?)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::super::super::resources::{DEPLOYMENTS, EVENTS, PODS};
    use super::*;

    #[test]
    fn label_selectors_select() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "front", "n": "5"}}});
        let table = [
            ("", true),
            ("app=web", true),
            ("app==web,tier=back", false),
            ("app!=web", false),
            ("gone!=web", true),
            ("app in (api, web)", true),
            ("app notin (api,web)", false),
            ("gone notin (x)", true),
            ("app", true),
            ("!app", false),
            ("!gone,tier in (front)", true),
            ("n>4,n<6", true),
        ];
        for (text, wanted) in table {
            let selector = Selector::parse(&DEPLOYMENTS, text, "").unwrap();
            assert_eq!(selector.matches(&object), wanted, "{text}");
        }
        for text in ["app in web", "a b=c", "app on (x)", "n>x", "(a)"] {
            assert_eq!(Selector::parse(&DEPLOYMENTS, text, "").unwrap_err().code, 400, "{text}");
        }
    }

    #[test]
    fn field_selectors_select_what_the_kind_allows() {
        let pod = json!({"metadata": {"name": "a", "namespace": "s"}, "status": {"phase": "Running"}});
        let matches = |text: &str| Selector::parse(&PODS, "", text).unwrap().matches(&pod);
        assert!(matches("metadata.name=a,status.phase!=Failed"));
        assert!(!matches("metadata.namespace=other"));
        assert!(Selector::parse(&EVENTS, "", "involvedObject.name=web").is_ok());
        assert_eq!(Selector::parse(&DEPLOYMENTS, "", "status.phase=x").unwrap_err().code, 400);
    }
}
