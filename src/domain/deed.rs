//! Deeds: what another system is told to do, or asked, by a command or over HTTP, with names filled in.
//!
//! What a deed sends is fixed when its names are filled in: that is what a prompt shows, and nothing else goes out.

use std::time::Duration;

use serde_json::Value;

use super::id::Text;
use super::outside::{HttpWrite, Invocation, Outside};
use super::text::is_hostile;

/// Longest value that is filled in, in bytes: a version, a region, a weight.
const LONGEST_VALUE: usize = 256;

/// What another system is told or asked, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A program of this host.
    Run(CommandLine),
    /// A request to an endpoint of the configuration.
    Call(EndpointCall),
}

/// A program with its words; no shell is between.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandLine {
    /// The program and its arguments, each with or without `{{placeholders}}`.
    pub words: Vec<Text>,
    /// Names of the variables that it gets of ours: its environment has no others.
    pub env: Vec<Text>,
    /// How long it may take.
    pub limit: Duration,
}

/// One HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointCall {
    /// Name of the endpoint in the configuration.
    pub endpoint: Text,
    /// How it is asked.
    pub method: Method,
    /// Path below its base, with or without placeholders: they are percent-encoded.
    pub path: Text,
    /// JSON, with or without placeholders inside of its texts; none: no body.
    pub body: Option<Text>,
}

/// The HTTP methods that a deed may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Asks, and changes nothing.
    Get,
    /// The usual one.
    Post,
    /// Replaces.
    Put,
    /// Changes a part.
    Patch,
}

impl Method {
    /// All, as the configuration writes them.
    pub const NAMES: &'static [&'static str] = &["GET", "POST", "PUT", "PATCH"];

    /// As HTTP and the configuration write it.
    pub fn word(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
        }
    }

    /// Reads [`Method::word`].
    pub fn parse(text: &str) -> Option<Self> {
        [Method::Get, Method::Post, Method::Put, Method::Patch].into_iter().find(|m| m.word() == text)
    }
}

/// What placeholders stand for: names without braces, each with its value.
pub type Names<'a> = [(&'a str, &'a str)];

impl Deed {
    /// Whether it is another one in every region: it says where it is.
    pub fn is_local(&self) -> bool {
        ["ring", "region", "cluster", "namespace"].iter().any(|name| self.mentions(name))
    }

    /// Whether a placeholder stands in it.
    pub fn mentions(&self, name: &str) -> bool {
        let place = format!("{{{{{name}}}}}");
        let local = |text: &str| text.contains(&place);
        match self {
            Deed::Run(line) => line.words.iter().any(|w| local(w)),
            Deed::Call(call) => local(&call.path) || call.body.as_deref().is_some_and(local),
        }
    }

    /// With its names filled in, as it is sent; `what` is what people call it. Or why that cannot be: a value that
    /// is not known, or could be taken for something else than a value.
    ///
    /// # Errors
    /// In words, about the placeholder.
    pub fn filled(&self, what: &str, names: &Names<'_>) -> Result<Outside, String> {
        Ok(match self {
            Deed::Run(line) => {
                let mut words = line.words.iter().map(|w| word(w, names));
                Outside::Run(Invocation {
                    what: what.into(),
                    program: words.next().unwrap_or_else(|| Err("it names no program".to_owned()))?,
                    args: words.collect::<Result<_, _>>()?,
                    env: line.env.clone(),
                    stdin: None,
                    limit: line.limit,
                })
            }
            Deed::Call(call) => Outside::Call(HttpWrite {
                endpoint: call.endpoint.clone(),
                method: call.method.word().into(),
                path: fill(&call.path, names, &encoded)?.into(),
                body: call.body.as_ref().map(|body| json(body, names)).transpose()?.unwrap_or_else(|| "".into()),
            }),
        })
    }
}
/// One word of a command line: a value cannot become an option, and holds nothing that a terminal obeys.
fn word(template: &str, names: &Names<'_>) -> Result<Text, String> {
    let text = fill(template, names, &str::to_owned)?;
    if template.starts_with("{{") && text.starts_with('-') {
        return Err(format!("`{text}` would be taken for an option"));
    }
    Ok(text.into())
}

/// JSON whose texts are filled in.
fn json(template: &str, names: &Names<'_>) -> Result<Text, String> {
    fn walk(value: &mut Value, names: &Names<'_>) -> Result<(), String> {
        match value {
            Value::String(text) => *text = fill(text, names, &str::to_owned)?,
            Value::Array(items) => items.iter_mut().try_for_each(|i| walk(i, names))?,
            Value::Object(map) => map.values_mut().try_for_each(|v| walk(v, names))?,
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        Ok(())
    }
    let mut value: Value = serde_json::from_str(template).map_err(|e| format!("its body is no JSON: {e}"))?;
    walk(&mut value, names)?;
    Ok(value.to_string().into())
}

/// Replaces every placeholder once: what a value holds is never read as a placeholder.
fn fill(template: &str, names: &Names<'_>, write: &dyn Fn(&str) -> String) -> Result<String, String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once("{{") {
        let (name, after) = tail.split_once("}}").ok_or_else(|| format!("`{template}` has `{{{{` without `}}}}`"))?;
        let value = names.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
        let value = value.ok_or_else(|| format!("`{{{{{name}}}}}` is not known here"))?;
        if value.is_empty() || value.len() > LONGEST_VALUE || value.chars().any(|c| is_hostile(c) || c.is_whitespace())
        {
            return Err(format!("the value of `{{{{{name}}}}}` is empty, too long, or holds what is no name"));
        }
        out.push_str(before);
        out.push_str(&write(value));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Percent-encoded, but for what may stand in any part of a URL.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Deed {
        let words = words.iter().map(|w| Text::from(*w)).collect();
        Deed::Run(CommandLine { words, env: Vec::new(), limit: Duration::from_secs(30) })
    }

    #[test]
    fn words_are_filled_once_and_shown_as_a_shell_would_take_them() {
        let deed = run(&["deploy", "--to={{version}}", "{{region}}", "a b", "it's"]);
        let filled = deed.filled("test", &[("version", "v2-{{region}}"), ("region", "eu")]).unwrap();
        assert_eq!(filled.path(), r"deploy '--to=v2-{{region}}' eu 'a b' 'it'\''s'");
    }

    #[test]
    fn a_value_cannot_become_an_option_or_anything_but_a_value() {
        let deed = run(&["deploy", "{{version}}"]);
        for bad in ["-rf", "", "a b", "a\nb", "\u{1b}[31m", "\u{202e}x", &"x".repeat(257)] {
            assert!(deed.filled("test", &[("version", bad)]).is_err(), "{bad:?}");
        }
        assert!(deed.filled("test", &[("region", "eu")]).unwrap_err().contains("{{version}}"));
        // Behind a text of the configuration a dash is a part of it.
        assert!(run(&["deploy", "--to={{version}}"]).filled("test", &[("version", "-1")]).is_ok());
    }

    #[test]
    fn a_path_is_encoded_and_a_body_stays_json() {
        let deed = Deed::Call(EndpointCall {
            endpoint: "cd".into(),
            method: Method::Post,
            path: "/apps/{{service}}/{{version}}".into(),
            body: Some(r#"{"to": "{{version}}", "n": 1, "list": ["{{region}}"]}"#.into()),
        });
        let filled = deed.filled("test", &[("service", "web"), ("version", r#"v2"/+"#), ("region", "eu")]).unwrap();
        assert_eq!((filled.method(), &*filled.path()), ("POST", "cd/apps/web/v2%22%2F%2B"));
        assert_eq!(filled.body(), br#"{"list":["eu"],"n":1,"to":"v2\"/+"}"#);
    }
}
