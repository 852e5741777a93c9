//! The text of one fact: flat lines `name=value`, `by=` first.

use crate::domain::id::Operator;
use crate::domain::stamp::Timestamp;

/// Lines being written.
pub(super) struct Lines(pub(super) String);

impl Lines {
    /// Who and when come first.
    pub(super) fn start(by: &Operator, at: Timestamp) -> Self {
        let mut lines = Self(String::new());
        lines.put("by", by.as_str()).put("at", &at.to_string());
        lines
    }

    /// One more line.
    pub(super) fn put(&mut self, name: &str, value: &str) -> &mut Self {
        // One line per field: a line break inside would start another.
        let value = value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&value);
        self.0.push('\n');
        self
    }
}

/// Lines that were read; a line without `=` is passed over.
pub(super) struct Fields<'a>(Vec<(&'a str, String)>);

impl<'a> Fields<'a> {
    /// Reads the value of a fact.
    pub(super) fn read(value: &'a str) -> Self {
        Self(value.lines().filter_map(cut).map(|(k, v)| (k, unescape(v))).collect())
    }

    /// The first field of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| *k == name).map(|(_, v)| v.as_str())
    }

    /// Every field whose name starts so, with the rest of its name.
    pub(super) fn all(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(move |(k, v)| Some((k.strip_prefix(prefix)?, v.as_str())))
    }
}

/// Name and value. The name may hold a pointer with `[name=web]` in it: the `=` that counts
/// is the first outside brackets.
fn cut(line: &str) -> Option<(&str, &str)> {
    let mut inside = false;
    for (at, c) in line.char_indices() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            '=' if !inside => return Some((line.get(..at)?, line.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, false) => out.push(c),
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_with_names_ends_at_the_equals_sign_outside_its_brackets() {
        for (name, value) in [
            ("from:/spec/containers[name=web]/args", r#"["--path=[a]/b=c", "x]/y=z"]"#),
            ("from:/spec/containers[name=web]", r#"{"a":["b=c]"]}"#),
            ("from:/metadata/annotations/a", "[1]=]/="),
            ("reason", "a=b [c=d]/e=f"),
        ] {
            let line = format!("{name}={value}");
            assert_eq!(cut(&line), Some((name, value)));
        }
    }
}
