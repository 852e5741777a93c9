//! Label and field selectors.

use serde_json::Value;

use super::super::resources::Resource;
use super::super::status::ApiError;
use super::super::store::label_key;

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
            "status.podIPs",
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
        ("", "Node") => &["spec.unschedulable"],
        ("", "Service") => &["spec.clusterIP", "spec.type"],
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
            let why = format!("invalid selector: '{text}'; can't understand '{term}'");
            return Err(ApiError::bad_request(why));
        };
        if value.contains('=') {
            let why = "invalid field selector: unescaped character in value: 61";
            return Err(ApiError::bad_request(why));
        }
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

/// The one name that a field selector leaves, if it leaves one.
pub fn only_name(fields: &str) -> Option<String> {
    let mut terms = fields.split(',').map(str::trim).filter_map(|term| term.strip_prefix("metadata.name="));
    terms.next().map(|name| name.trim_start_matches('=').to_owned())
}

/// Reads `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>1,m<2`.
fn parse_labels(text: &str) -> Result<Vec<Requirement>, ApiError> {
    let mut reader = Reader { tokens: tokens(text), at: 0 };
    let mut out = Vec::new();
    loop {
        match reader.peek() {
            "" if out.is_empty() => return Ok(out),
            "!" => out.push(reader.requirement()?),
            word if is_word(word) => out.push(reader.requirement()?),
            other => {
                let why = format!("found '{other}', expected: !, identifier, or 'end of string'");
                return Err(ApiError::bad_request(why));
            }
        }
        match reader.take() {
            "" => return Ok(out),
            "," => {
                let next = reader.peek();
                if next != "!" && !is_word(next) {
                    let why = format!("found '{next}', expected: identifier after ','");
                    return Err(ApiError::bad_request(why));
                }
            }
            other => {
                return Err(ApiError::bad_request(format!("found '{other}', expected: ',' or 'end of string'")));
            }
        }
    }
}

/// Words and signs; spaces only part them.
fn tokens(text: &str) -> Vec<&str> {
    const SIGNS: [&str; 9] = ["!=", "==", "=", "!", "(", ")", ",", ">", "<"];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
        let ends = |c: char| c.is_whitespace() || "=!(),><".contains(c);
        let length = sign.map_or_else(|| rest.find(ends).unwrap_or(rest.len()), str::len);
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        out.push(token);
        rest = after.trim_start();
    }
    out
}

fn is_word(token: &str) -> bool {
    !token.is_empty() && !token.starts_with(|c: char| "=!(),><".contains(c))
}

fn unparsed(why: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("unable to parse requirement: {why}"))
}

struct Reader<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next token; empty at the end.
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or("")
    }

    fn take(&mut self) -> &'a str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, ApiError> {
        if self.peek() == "!" {
            self.take();
            return Ok(Requirement::Absent(self.key()?));
        }
        let key = self.key()?;
        match self.peek() {
            "" | "," => Ok(Requirement::Exists(key)),
            "=" | "==" => {
                self.take();
                Ok(Requirement::Is(key, self.value()?))
            }
            "!=" => {
                self.take();
                Ok(Requirement::IsNot(key, self.value()?))
            }
            "in" => {
                self.take();
                Ok(Requirement::In(key, self.values()?))
            }
            "notin" => {
                self.take();
                Ok(Requirement::NotIn(key, self.values()?))
            }
            sign @ (">" | "<") => {
                self.take();
                let bound = self.value()?;
                let Ok(bound) = bound.parse() else {
                    let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                    return Err(unparsed(format_args!("values[0]: Invalid value: {bound:?}: {why}")));
                };
                Ok(if sign == ">" { Requirement::More(key, bound) } else { Requirement::Less(key, bound) })
            }
            other => Err(unparsed(format_args!("found '{other}', expected: in, notin, =, ==, !=, gt, lt"))),
        }
    }

    fn key(&mut self) -> Result<String, ApiError> {
        let word = self.take();
        if !is_word(word) {
            return Err(unparsed(format_args!("found '{word}', expected: identifier")));
        }
        match label_key(word).into_iter().next() {
            Some(why) => Err(unparsed(format_args!("<nil>: Invalid value: {word:?}: {why}"))),
            None => Ok(word.to_owned()),
        }
    }

    /// One value; nothing stands for the empty text.
    fn value(&mut self) -> Result<String, ApiError> {
        match self.peek() {
            "" | "," => Ok(String::new()),
            word if is_word(word) => Ok(self.take().to_owned()),
            other => Err(unparsed(format_args!("found '{other}', expected: identifier"))),
        }
    }

    /// `(a,b)`; `()` is the empty text.
    fn values(&mut self) -> Result<Vec<String>, ApiError> {
        let open = self.take();
        if open != "(" {
            return Err(unparsed(format_args!("found '{open}' expected: '('")));
        }
        let mut out = Vec::new();
        loop {
            if is_word(self.peek()) {
                out.push(self.take().to_owned());
            } else {
                out.push(String::new());
            }
            match self.take() {
                ")" => return Ok(out),
                "," => {}
                other => return Err(unparsed(format_args!("found '{other}', expected: ',' or ')'"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::super::super::resources::{DEPLOYMENTS, EVENTS, PODS, REPLICASETS};
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
    }

    /// What v1.34 says to each, and does not take.
    #[test]
    fn label_selectors_are_refused_in_the_servers_words() {
        let name = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
        let dashed = format!("unable to parse requirement: <nil>: Invalid value: \"-a\": {name}");
        let table = [
            ("a b=c", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a>=b", "unable to parse requirement: found '=', expected: identifier"),
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
            ("=a", "found '=', expected: !, identifier, or 'end of string'"),
            (",", "found ',', expected: !, identifier, or 'end of string'"),
            ("(a)", "found '(', expected: !, identifier, or 'end of string'"),
            ("a=b=c", "found '=', expected: ',' or 'end of string'"),
            ("a=b!", "found '!', expected: ',' or 'end of string'"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            (
                "a>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
            ),
            ("-a", &dashed),
        ];
        for (text, wanted) in table {
            let refused = Selector::parse(&DEPLOYMENTS, text, "").unwrap_err();
            assert_eq!((refused.code, &*refused.message), (400, wanted), "{text}");
        }
        for text in ["", "a=", "a==b", "a in ()", "a in (,b)", "a!=b,!c"] {
            assert!(Selector::parse(&DEPLOYMENTS, text, "").is_ok(), "{text}");
        }
    }

    #[test]
    fn field_selectors_select_what_the_kind_allows() {
        let pod = json!({"metadata": {"name": "a", "namespace": "s"}, "status": {"phase": "Running"}});
        let matches = |text: &str| Selector::parse(&PODS, "", text).unwrap().matches(&pod);
        assert!(matches("metadata.name=a,status.phase!=Failed"));
        assert!(!matches("metadata.namespace=other"));
        assert!(Selector::parse(&EVENTS, "", "involvedObject.name=web").is_ok());
        for (resource, text, wanted) in [
            (
                &DEPLOYMENTS,
                "status.x=y",
                "\"status.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            ),
            (
                &REPLICASETS,
                "status.replicas=0",
                "\"status.replicas\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            ),
            (&PODS, "status.x=y", "field label not supported: status.x"),
            (&PODS, "metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
            (&PODS, "metadata.name=a=b", "invalid field selector: unescaped character in value: 61"),
        ] {
            assert_eq!(Selector::parse(resource, "", text).unwrap_err().message, wanted, "{text}");
        }
    }
}
