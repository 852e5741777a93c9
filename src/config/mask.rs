//! What of a line may be shown beside an error: never a value that may be a secret.
//!
//! The file may be broken in any way, so this reads text, not TOML, and when in doubt hides.
//! Where secrets belong, and in sections nobody knows, only keys are shown. Elsewhere the value
//! of a key that resembles a secret's is hidden, and of URLs the user and the query.

use std::ops::Range;

use super::keys::ROOT;
use super::source::{Place, Source, Span};
use crate::domain::text::{is_hostile, near};

/// Stands for a value; always as long, so that it tells nothing of the value's length.
const MASK: &str = "•••••";
/// Keys after which a text may be something that nobody should see.
const SECRET_KEYS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "bearer",
    "authorization",
    "auth",
    "token",
    "secret",
    "api-key",
    "apikey",
    "credential",
    "credentials",
    "cookie",
];
/// The parts of the file in which secrets belong: the address of a notice is one.
const SECRET_SECTIONS: [&str; 2] = ["prometheus", "notify"];
/// What texts of several lines begin and end with.
const LONG_QUOTES: [&str; 2] = ["\"\"\"", "'''"];

/// A line as it may be shown, with where its marks go, in characters.
pub(super) struct Masked {
    pub text: String,
    pub column: usize,
    pub marked: usize,
}

/// The line of a place.
pub(super) fn masked(source: &Source, span: Span, place: &Place) -> Masked {
    let line = place.text.as_str();
    let start = span.start.min(source.text.len());
    let line_start = source.text.get(..start).and_then(|t| t.rfind('\n')).map_or(0, |i| i + 1);
    let hidden = hidden(source.text.get(..line_start).unwrap_or_default(), line);
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let (first, last) = (byte(place.column - 1), byte(place.column - 1 + place.marked));
    // Where a byte comes to stand: at the edge of the mask, if it is under it.
    let moved = |at: usize, end: bool| {
        let mut column = 0;
        let mut done = 0;
        for range in hidden.iter().take_while(|r| r.start < at || (r.start == at && !end)) {
            column += line.get(done..range.start).map_or(0, |t| t.chars().count());
            if at < range.end || (end && at == range.end) {
                return column + if end { MASK.chars().count() } else { 0 };
            }
            column += MASK.chars().count();
            done = range.end;
        }
        column + line.get(done..at).map_or(0, |t| t.chars().count())
    };
    let (column, end) = (moved(first, false), moved(last, true));
    let (mut text, mut done) = (String::new(), 0);
    for range in &hidden {
        text.push_str(line.get(done..range.start).unwrap_or_default());
        text.push_str(MASK);
        done = range.end;
    }
    text.push_str(line.get(done..).unwrap_or_default());
    Masked { text, column, marked: end.saturating_sub(column).max(1) }
}

/// Ranges of bytes of a line that nobody should see, in order and apart.
fn hidden(before: &str, line: &str) -> Vec<Range<usize>> {
    if line.trim().is_empty() || line.trim_start().starts_with('#') && !secret_word(line) {
        return Vec::new();
    }
    let all = || std::iter::once(line.len() - line.trim_start().len()..line.len()).collect();
    let long = LONG_QUOTES.iter().any(|quotes| before.matches(quotes).count() % 2 == 1);
    let of_secret = before.lines().rev().find_map(key_of).is_some_and(resembles_secret);
    let section = section(before);
    let known = section.is_empty() || ROOT.keys.iter().any(|k| k.name == section && !SECRET_SECTIONS.contains(&k.name));
    if long {
        return if known && !of_secret { urls(line) } else { all() };
    }
    if line.trim_start().starts_with('[') && line.trim_end().ends_with(']') && !line.contains(['=', ',']) {
        return Vec::new();
    }
    let Some(key) = key_of(line) else {
        return if known && !of_secret { by_keys(line) } else { all() };
    };
    let inline =
        section.is_empty() && key.split('.').next().is_some_and(|k| SECRET_SECTIONS.iter().any(|s| near(bare(k), s)));
    if known && !inline {
        return by_keys(line);
    }
    let value = line.find('=').map_or(0, |at| at + 1);
    std::iter::once(after_blank(line, value)..line.len()).collect()
}

fn secret_word(line: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').any(resembles_secret)
}

fn after_blank(line: &str, at: usize) -> usize {
    at + line.get(at..).map_or(0, |rest| rest.len() - rest.trim_start().len())
}

/// The first word of the section above; empty at the top of the file.
fn section(before: &str) -> &str {
    let header = before.lines().rev().find(|l| l.trim_start().starts_with('[') && !l.contains(['=', ',']));
    let name = header.map(|l| l.trim().trim_start_matches('[')).unwrap_or_default();
    bare(name.split(['.', ']']).next().unwrap_or_default())
}

fn bare(key: &str) -> &str {
    key.trim().trim_matches(['"', '\''])
}

/// The key that a line begins with, if it is one.
fn key_of(line: &str) -> Option<&str> {
    let (key, rest) = line.split_once('=')?;
    let key = key.trim();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'' | ' ');
    let quotes = key.chars().filter(|c| matches!(c, '"' | '\'')).count();
    let is_key = !key.is_empty() && key.len() <= 64 && quotes % 2 == 0 && key.chars().all(plain);
    // `c2VjcmV0==` is the end of a secret, not a key.
    (is_key && !rest.starts_with('=') && !rest.trim().is_empty()).then_some(key)
}

/// A key of a secret, or one that a slip of the finger made of it.
fn resembles_secret(key: &str) -> bool {
    let key = key.to_lowercase().replace('_', "-");
    let last = bare(key.rsplit('.').next().unwrap_or_default());
    std::iter::once(last)
        .chain(last.split('-'))
        .any(|word| SECRET_KEYS.iter().any(|s| near(word, s) || (s.len() > 4 && word.contains(s))))
}

/// In a section without secrets: from the first key that resembles a secret's on, and in URLs.
fn by_keys(line: &str) -> Vec<Range<usize>> {
    for (at, _) in line.match_indices(['=', ':']) {
        let head = line.get(..at).unwrap_or_default();
        let key = head.rsplit(['{', ',', '[', '=', ':']).next().unwrap_or_default();
        let value = after_blank(line, at + 1);
        if resembles_secret(key) && value < line.len() {
            let mut found: Vec<_> = urls(line).into_iter().filter(|r| r.end <= value).collect();
            found.push(value..line.len());
            return found;
        }
    }
    urls(line)
}

/// User, password and query of every URL.
fn urls(line: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (mark, scheme) in line.match_indices("://") {
        let start = mark + scheme.len();
        if found.last().is_some_and(|last| last.end > start) {
            continue;
        }
        let rest = line.get(start..).unwrap_or_default();
        let stop = rest.find(|c: char| matches!(c, '"' | '\'' | ' ') || is_hostile(c)).unwrap_or(rest.len());
        let url = rest.get(..stop).unwrap_or_default();
        let authority = url.find('/').unwrap_or(url.len());
        let user = url.get(..authority).and_then(|a| a.rfind('@')).unwrap_or(0);
        if user > 0 {
            found.push(start..start + user);
        }
        if let Some(query) = url.get(user..).and_then(|u| u.find(['?', '#'])) {
            let from = start + user + query + 1;
            if from < start + stop {
                found.push(from..start + stop);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn shown(text: &str, word: &str) -> String {
        let source = Source::new(Path::new("c.toml"), text);
        let start = text.rfind(word).unwrap_or(0);
        let span = Span { start, end: start + word.len() };
        masked(&source, span, &source.place(span)).text
    }

    #[test]
    fn where_secrets_belong_only_keys_are_shown() {
        for (line, expected) in [
            ("bearer = \"hunter2\" # x", "bearer = •••••"),
            ("pasword = \"hunter2\"", "pasword = •••••"),
            ("passwd = \"hunter2\"", "passwd = •••••"),
            ("url = \"https://p.example/?token=hunter2\"", "url = •••••"),
            ("bearer = {value=\"hunter2\"}", "bearer = •••••"),
            ("bearer = [\"hunter2\"]", "bearer = •••••"),
            ("bearer = hunter2", "bearer = •••••"),
            ("bearer = \"\"\"hunter2", "bearer = •••••"),
            ("\"X-Token\" = 'hunter2", "\"X-Token\" = •••••"),
            ("basic = { user = \"me\", password = 'hunter2' }", "basic = •••••"),
            ("\"hunter2==\"", "•••••"),
            ("hunter2==", "•••••"),
        ] {
            for section in ["[prometheus.main]\n", "[promethues.main]\n", "[notify.chat]\n", "[whatever]\n"] {
                let text = format!("{section}{line}\n");
                assert_eq!(shown(&text, "hunter2"), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_secret_is_not_shown_wherever_it_was_put_by_mistake() {
        for text in [
            "bearer = \"hunter2\"",
            "{ \"bearer\": \"hunter2\" }",
            "[ui]\ntokn = \"hunter2\"",
            "[service.web]\npassword = [\n  \"hunter2\",\n]",
            "[service.web]\nrunbook = { api_key = \"hunter2\" }",
            "[service.web]\nrunbook = \"https://me:hunter2@x.example/\"",
            "[service.web]\nrunbook = \"https://x.example/a?token=hunter2\"",
            "[prometheus.main]\nbearer = \"\"\"\nx = hunter2\n\"\"\"",
            "[prometheus.main]\nbearer = [\n  \"hunter2\"\n]",
            "prometheus.main.bearer = \"hunter2\"",
            "prometheus = { main = { bearer = \"hunter2\" } }",
            "[prometheus.main] bearer = \"hunter2\"",
            "[notify.chat]\nurl = \"https://hooks.example/hunter2\"",
            "[notify.chat]\nurl = [\"hunter2\"]",
            "[notify.chat]\nurl = { env = \"A\", value = \"hunter2\" }",
            "[notify.chat]\nurl2 = \"hunter2\"",
            "[notify.chat]\nurl = \"https://hooks.example/hunter2",
            "notify.chat.url = \"https://hooks.example/hunter2\"",
            "notify = { chat = { url = \"hunter2\" } }",
        ] {
            assert!(!shown(text, "hunter2").contains("hunter2"), "{text}: {}", shown(text, "hunter2"));
        }
    }

    #[test]
    fn other_lines_are_shown_as_they_are_and_marks_stay_where_they_belong() {
        for line in ["stagger = 30", "regions = [\"a\"]", "query = 'sum(x{a=\"b\"}) by (path)'", "[topology.t]"] {
            assert_eq!(shown(&format!("[service.web]\n{line}"), line), line);
        }
        let marks = |text: &str, word: &str| {
            let source = Source::new(Path::new("c.toml"), text);
            let start = text.rfind(word).unwrap_or(0);
            let span = Span { start, end: start + word.len() };
            let at = masked(&source, span, &source.place(span));
            (at.column, at.marked)
        };
        assert_eq!(marks("[prometheus.a]\nbearer = \"hunter2\"", "\"hunter2\""), (9, 5));
        assert_eq!(marks("[prometheus.a]\nbearer = \"hunter2\"", "bearer"), (0, 6));
        assert_eq!(marks("[ui]\nurl = \"http://u:p@h/x\" # here", "here"), (27, 4));
    }
}
