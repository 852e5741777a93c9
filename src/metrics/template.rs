//! Placeholders in PromQL: only inside quotes, always escaped.

use std::ops::Range;

/// Placeholders of a query, with their meaning.
pub const PLACEHOLDERS: &[(&str, &str)] = &[
    ("service", "name of the service"),
    ("region", "name of the region"),
    ("regions", "all regions of the service, for `=~`"),
    ("namespace", "namespace of the workload"),
    ("workload", "name of the workload"),
    ("version", "version that runs, as the board shows it"),
    ("template_hash", "`pod-template-hash` of the newest ReplicaSet"),
];

/// What stands for a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill<'a> {
    /// One value.
    One(&'a str),
    /// Any of these; only in a regular expression.
    AnyOf(&'a [&'a str]),
    /// Not yet: the placeholder stays.
    Later,
    /// There is no such placeholder.
    Unknown,
}

/// Why a query's placeholders cannot be used, and where in the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the query.
    pub at: Range<usize>,
    /// Name of the placeholder; empty when it has no end.
    pub name: String,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// What is wrong with a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// There is no such placeholder.
    Unknown,
    /// Only inside quotes can a value be escaped.
    NotQuoted,
    /// `{{` without `}}`.
    Unclosed,
    /// Several values need `=~`.
    NeedsRegex,
    /// The value cannot stand in a raw string.
    NotInBackticks,
}

impl ProblemKind {
    /// The sentence for a placeholder of that name.
    pub fn text(self, name: &str) -> String {
        match self {
            ProblemKind::Unknown => format!("there is no placeholder `{{{{{name}}}}}`"),
            ProblemKind::NotQuoted => {
                format!("`{{{{{name}}}}}` stands outside of quotes, where it cannot be escaped")
            }
            ProblemKind::Unclosed => "`{{` has no `}}`".to_owned(),
            ProblemKind::NeedsRegex => format!("`{{{{{name}}}}}` is several values and needs `=~`"),
            ProblemKind::NotInBackticks => {
                format!("the value of `{{{{{name}}}}}` holds a backtick and cannot stand in a raw string")
            }
        }
    }
}

/// Where the scan stands.
#[derive(Clone, Copy)]
enum State {
    Code,
    Comment,
    Text { quote: char, regex: bool },
}

/// Replaces placeholders by what `fill` says; all problems at once otherwise.
pub fn render<'a>(query: &str, fill: &dyn Fn(&str) -> Fill<'a>) -> Result<String, Vec<Problem>> {
    let mut out = String::with_capacity(query.len() + 32);
    let mut problems = Vec::new();
    let mut state = State::Code;
    let mut at = 0;
    while let Some(rest) = query.get(at..) {
        let Some(c) = rest.chars().next() else { break };
        if !matches!(state, State::Comment) && rest.starts_with("{{") {
            let (length, text) = placeholder(rest, at, state, fill, &mut problems);
            out.push_str(&text);
            at += length;
            continue;
        }
        out.push(c);
        at += c.len_utf8();
        state = match (state, c) {
            (State::Code, '#') => State::Comment,
            (State::Comment, '\n') => State::Code,
            (State::Code, quote @ ('"' | '\'' | '`')) => {
                let before = out.get(..out.len() - 1).unwrap_or_default().trim_end();
                State::Text { quote, regex: before.ends_with("=~") || before.ends_with("!~") }
            }
            (State::Text { quote, .. }, c) if c == quote => State::Code,
            (State::Text { quote: '"' | '\'', .. }, '\\') => {
                if let Some(escaped) = query.get(at..).and_then(|r| r.chars().next()) {
                    out.push(escaped);
                    at += escaped.len_utf8();
                }
                state
            }
            _ => state,
        };
    }
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

/// Length of the placeholder at the start of `rest`, and its replacement.
fn placeholder<'a>(
    rest: &str,
    at: usize,
    state: State,
    fill: &dyn Fn(&str) -> Fill<'a>,
    problems: &mut Vec<Problem>,
) -> (usize, String) {
    let Some(length) = rest.find("}}").map(|i| i + 2) else {
        problems.push(Problem { at: at..at + 2, name: String::new(), kind: ProblemKind::Unclosed });
        return (rest.len(), String::new());
    };
    let whole = rest.get(..length).unwrap_or_default();
    let name = whole.trim_start_matches('{').trim_end_matches('}').trim();
    let mut fail = |kind| {
        problems.push(Problem { at: at..at + length, name: name.to_owned(), kind });
        (length, String::new())
    };
    let State::Text { quote, regex } = state else { return fail(ProblemKind::NotQuoted) };
    let value = match fill(name) {
        Fill::Unknown => return fail(ProblemKind::Unknown),
        Fill::Later => return (length, whole.to_owned()),
        Fill::One(value) if regex => quote_regex(value),
        Fill::One(value) => value.to_owned(),
        Fill::AnyOf(_) if !regex => return fail(ProblemKind::NeedsRegex),
        Fill::AnyOf(values) => values.iter().map(|v| quote_regex(v)).collect::<Vec<_>>().join("|"),
    };
    match escape(&value, quote) {
        Some(text) => (length, text),
        None => fail(ProblemKind::NotInBackticks),
    }
}

/// As it must stand between quotes; none where a raw string cannot hold it.
fn escape(value: &str, quote: char) -> Option<String> {
    if quote == '`' {
        return (!value.contains('`')).then(|| value.to_owned());
    }
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    Some(out)
}

/// A regular expression (RE2) that matches exactly this text.
fn quote_regex(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn fill(name: &str) -> Fill<'static> {
        match name {
            "region" => Fill::One("eu.\"west\"\\1"),
            "regions" => Fill::AnyOf(&["a.b", "c"]),
            "version" => Fill::Later,
            _ => Fill::Unknown,
        }
    }

    #[test]
    fn values_are_escaped_for_the_quotes_they_stand_in() {
        for (query, rendered) in [
            (r#"up{r="{{region}}"}"#, r#"up{r="eu.\"west\"\\1"}"#),
            (r#"up{r='{{ region }}'}"#, r#"up{r='eu."west"\\1'}"#),
            (r#"up{r=`{{region}}`}"#, r#"up{r=`eu."west"\1`}"#),
            (r#"up{r=~"{{region}}"}"#, r#"up{r=~"eu\\.\"west\"\\\\1"}"#),
            (r#"up{r !~ "{{regions}}-x"}"#, r#"up{r !~ "a\\.b|c-x"}"#),
            (r#"up{v="{{version}}"} # {{nothing}} here"#, r#"up{v="{{version}}"} # {{nothing}} here"#),
            (r#"up{v="\"{{version}}"}"#, r#"up{v="\"{{version}}"}"#),
        ] {
            assert_eq!(render(query, &fill).as_deref(), Ok(rendered));
        }
    }

    #[test]
    fn what_cannot_be_filled_is_said_with_its_place() {
        for (query, kind, word) in [
            (r#"up{r="{{regoin}}"}"#, ProblemKind::Unknown, "{{regoin}}"),
            (r#"{{region}}{r="x"}"#, ProblemKind::NotQuoted, "{{region}}"),
            (r#"up{r="{{regions}}"}"#, ProblemKind::NeedsRegex, "{{regions}}"),
            (r#"up{r="{{region"}"#, ProblemKind::Unclosed, "{{"),
        ] {
            let problems = render(query, &fill).unwrap_err();
            assert_eq!(problems.len(), 1);
            assert_eq!(problems[0].kind, kind);
            assert_eq!(query.get(problems[0].at.clone()), Some(word));
            assert!(!problems[0].kind.text(&problems[0].name).is_empty());
        }
        let backtick = |_: &str| Fill::One("a`b");
        assert_eq!(render("up{r=`{{x}}`}", &backtick).unwrap_err()[0].kind, ProblemKind::NotInBackticks);
    }

    proptest! {
        #[test]
        fn any_text_is_rendered_or_refused(query in ".{0,200}") {
            let _ = render(&query, &fill);
        }

        #[test]
        fn a_value_never_ends_its_string(value in ".{0,40}") {
            let fill = |_: &str| Fill::One(value.as_str());
            let text = render(r#"up{r="{{region}}"}"#, &fill).unwrap();
            let ends = promql_parser::parser::parse(&text);
            prop_assert!(ends.is_ok(), "{text}: {ends:?}");
        }
    }
}
