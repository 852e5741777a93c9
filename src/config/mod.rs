//! Text to a checked configuration, or errors with file, line and fix.
//!
//! [`read`](crate::config::read) is pure: it is given the bytes, the environment and the kubeconfigs. [`load`](crate::config::load)
//! adds the files. The keys are in one table ([`keys`](crate::config::keys)), by which the reader, the JSON
//! schema and the docs go.

use std::path::Path;

use toml::de::DeTable;

mod build;
mod error;
pub mod first;
pub mod keys;
pub mod kubeconfig;
mod load;
mod mask;
mod model;
pub mod print;
mod reader;
mod source;
#[cfg(test)]
mod tests;

pub use error::{ConfigError, Severity, render_errors};
pub use load::{Loaded, Place, SearchPaths, load, locate};
pub use model::{
    Config, Connection, Declared, Endpoint, Given, KeyOverride, Kubeconfigs, Login, NotifyForm, PlanFacts,
    PrometheusServer, Reach, RepositoryServer, Secret, SimulatedClock, Ui, Waiver, Waives, Webhook,
};

use source::{Source, Span};

/// The complete example, which is also a file of the repository.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// At most so many errors of syntax are shown: after some, it is another language.
const MOST_SYNTAX_ERRORS: usize = 10;

/// Reads a configuration: with what there is to say about it, or everything that is wrong at once.
pub fn read(origin: &Path, bytes: &[u8], given: &Given<'_>) -> Result<(Config, Vec<ConfigError>), Vec<ConfigError>> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(vec![not_text(origin, bytes, error.valid_up_to())]),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(origin, text);
    let nothing = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if nothing {
        let message = "the file says nothing";
        let error = ConfigError::new(Severity::Error, "empty-file", &source, Span::default(), message);
        return Err(vec![error.fix("`gonogo print config` shows a complete example; `gonogo demo` needs no file")]);
    }
    let (parsed, errors) = DeTable::parse_recoverable(&source.text);
    if let Some(other) = other_language(text).filter(|_| !errors.is_empty()) {
        let message = format!("this is not TOML; it looks like {other}");
        let error = ConfigError::new(Severity::Error, "not-toml", &source, Span { start: 0, end: 1 }, message);
        return Err(vec![error.fix("gonogo reads TOML; `gonogo print config` shows a complete example")]);
    }
    let count = errors.len();
    let mut syntax: Vec<ConfigError> = errors.iter().map(|error| syntax_error(&source, error)).collect();
    syntax.sort_by_key(|e| (e.line, e.column));
    syntax.dedup_by_key(|e| e.line);
    syntax.truncate(MOST_SYNTAX_ERRORS);
    if count > MOST_SYNTAX_ERRORS {
        return Err(syntax);
    }
    build::build(&source, parsed.get_ref(), given, syntax)
}

/// What a file says of the screen, whatever else is wrong with it; none: it cannot be read as TOML at all.
pub fn read_ui(origin: &Path, bytes: &[u8], given: &Given<'_>) -> Option<Ui> {
    let text = std::str::from_utf8(bytes).ok()?;
    let source = Source::new(origin, text.strip_prefix('\u{feff}').unwrap_or(text));
    let (parsed, errors) = DeTable::parse_recoverable(&source.text);
    (errors.len() <= MOST_SYNTAX_ERRORS).then(|| build::ui_alone(&source, parsed.get_ref(), given))
}

fn not_text(origin: &Path, bytes: &[u8], bad: usize) -> ConfigError {
    let lossy = String::from_utf8_lossy(bytes);
    let before = bytes.get(..bad).map(String::from_utf8_lossy).unwrap_or_default();
    let source = Source::new(origin, &lossy);
    let at = Span { start: before.len(), end: before.len() + '\u{fffd}'.len_utf8() };
    let byte = bytes.get(bad).copied().unwrap_or_default();
    let message = format!("this is not UTF-8 text: byte 0x{byte:02x} at position {bad}");
    ConfigError::new(Severity::Error, "not-utf-8", &source, at, message).fix("save the file as UTF-8")
}

/// What else people call a configuration.
fn other_language(text: &str) -> Option<&'static str> {
    let first = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#'))?;
    let yaml = |line: &str| {
        line == "---" || line.split_once(':').is_some_and(|(key, _)| !key.contains(['=', '"', '[']) && !key.is_empty())
    };
    match first.chars().next()? {
        '{' => Some("JSON"),
        '<' => Some("XML or HTML"),
        _ if yaml(first) => Some("YAML"),
        _ => None,
    }
}

fn syntax_error(source: &Source, error: &toml::de::Error) -> ConfigError {
    let at: Span = error.span().map(Span::from).unwrap_or_default();
    let text = error.message().lines().next().unwrap_or("not TOML").to_owned();
    let duplicate = text.contains("duplicate key");
    if duplicate {
        let name = source.text.get(at.start..at.end).unwrap_or_default();
        let what = duplicate_of(source, at, name);
        let message = format!("{what} `{name}` is there twice");
        return ConfigError::new(Severity::Error, "duplicate", source, at, message)
            .fix("keep one, or give one another name");
    }
    let fix = match () {
        () if text.contains("must be quoted") => "put the text in quotes",
        () if text.contains("date") => "write a day as 2026-05-01, a moment as 2026-05-01T12:00:00Z",
        () if text.contains("unclosed") => "close what was opened",
        () => "texts stand in quotes, lists in `[…]`, tables begin with `[name]`",
    };
    ConfigError::new(Severity::Error, "syntax", source, at, format!("not TOML: {text}")).fix(fix)
}

/// What a key that is there twice stands for, by its line: `[cluster.a]` is a cluster.
fn duplicate_of(source: &Source, at: Span, name: &str) -> &'static str {
    let line = source.place(at).text;
    let header = line.trim().trim_start_matches('[').trim_end_matches(']');
    let mut parts = header.split('.').map(|p| p.trim().trim_matches('"'));
    let is = |kind: &str| header.starts_with(&format!("{kind}."));
    let nested = parts.clone().count() > 2;
    if !line.trim_start().starts_with('[') || parts.next_back() != Some(name.trim_matches('"')) {
        return "the key";
    }
    match () {
        () if is("service") && header.contains(".region.") => "region",
        () if is("service") && header.contains(".ring.") => "ring",
        () if nested => "the table",
        () if is("cluster") => "cluster",
        () if is("region") => "region",
        () if is("service") => "service",
        () if is("topology") => "topology",
        () if is("prometheus") => "prometheus",
        () if is("column") => "column",
        () => "the table",
    }
}
