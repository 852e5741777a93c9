//! What is wrong with a configuration: where, what, and how to put it right.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::domain::text::safe;

use super::mask::masked;
use super::source::{Source, Span};

/// How much a problem weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know; `check` is still satisfied.
    Note,
    /// Usable, but somebody should look at it: `check` exits 3.
    Finding,
    /// Not usable: exit 2.
    Error,
}

impl Severity {
    /// The word in front of the message.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Finding => "finding",
            Severity::Error => "error",
        }
    }
}

/// One problem of a configuration, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// How much it weighs.
    pub severity: Severity,
    /// Stable word for machines and tests, e.g. `unknown-key`.
    pub code: &'static str,
    /// The file.
    pub origin: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line as it stands there, made visible.
    pub text: String,
    /// Columns of blank before the caret, and how many carets.
    pub caret: (usize, usize),
    /// What is wrong.
    pub message: String,
    /// How to put it right.
    pub fix: String,
}

impl ConfigError {
    pub(super) fn new(
        severity: Severity,
        code: &'static str,
        source: &Source,
        span: Span,
        message: impl Into<String>,
    ) -> Self {
        let place = source.place(span);
        let shown = masked(source, span, &place);
        let (text, caret) = excerpt(&shown.text, shown.column, shown.marked);
        Self {
            severity,
            code,
            origin: source.origin.clone(),
            line: place.line,
            column: place.column,
            text,
            caret,
            message: safe(&message.into(), 2000),
            fix: String::new(),
        }
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = safe(&fix.into(), 2000);
        self
    }
}

/// At most this many characters of a line are shown.
const WIDEST: usize = 140;

/// The part of a line around `column`, made visible, and where its carets go.
fn excerpt(line: &str, column: usize, marked: usize) -> (String, (usize, usize)) {
    let skip = if column + marked.min(40) > WIDEST { column.saturating_sub(20) } else { 0 };
    let part = |from: usize, count: usize| -> String { line.chars().skip(from).take(count).collect() };
    let shown = |from: usize, count: usize| crate::domain::text::visible(&part(from, count)).into_owned();
    let mut text = if skip > 0 { "…".to_owned() } else { String::new() };
    text.push_str(&shown(skip, WIDEST));
    if line.chars().count() > skip + WIDEST {
        text.push('…');
    }
    let marked = marked.min(WIDEST.saturating_sub(column - skip)).max(1);
    let lead = usize::from(skip > 0) + width(&shown(skip, column - skip));
    (text, (lead, width(&shown(column, marked)).max(1)))
}

fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// All problems as text for a terminal, worst first within the file's order.
///
/// `colour`: with ANSI colours; the words carry the meaning either way.
pub fn render_errors(errors: &[ConfigError], colour: bool) -> String {
    let mut out = String::new();
    let paint =
        |code: &str, text: &str| if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() };
    for error in errors {
        let hue = match error.severity {
            Severity::Error => "1;31",
            Severity::Finding => "1;33",
            Severity::Note => "1;36",
        };
        let origin = safe(&error.origin.display().to_string(), 400);
        let gutter = " ".repeat(error.line.to_string().len());
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}: {}", paint(hue, error.severity.word()), paint("1", &error.message));
        let _ = writeln!(out, "{gutter}{} {origin}:{}:{}", paint("34", "-->"), error.line, error.column);
        if !error.text.trim().is_empty() {
            let (lead, count) = error.caret;
            let bar = paint("34", "|");
            let _ = writeln!(out, "{gutter} {bar}");
            let _ = writeln!(out, "{} {bar} {}", paint("34", &error.line.to_string()), error.text);
            let _ = writeln!(out, "{gutter} {bar} {}{}", " ".repeat(lead), paint(hue, &"^".repeat(count)));
        }
        if !error.fix.is_empty() {
            let _ = writeln!(out, "{gutter} {} {} {}", paint("34", "="), paint("1", "fix:"), error.fix);
        }
        out.push('\n');
    }
    let counts = [Severity::Error, Severity::Finding, Severity::Note].map(|severity| {
        let count = errors.iter().filter(|e| e.severity == severity).count();
        (count > 0).then(|| format!("{count} {}{}", severity.word(), if count == 1 { "" } else { "s" }))
    });
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    if !counts.is_empty() {
        let _ = writeln!(out, "{}", counts.join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn one(text: &str, word: &str) -> String {
        let source = Source::new(Path::new("c.toml"), text);
        let start = text.find(word).unwrap_or(0);
        let span = Span { start, end: start + word.len() };
        let error = ConfigError::new(Severity::Error, "x", &source, span, "wrong").fix("do it so");
        render_errors(&[error], false)
    }

    #[test]
    fn an_error_shows_file_line_text_caret_and_fix() {
        assert_eq!(
            one("a = 1\nfoo = \"日本\" # x\n", "\"日本\""),
            "error: wrong\n --> c.toml:2:7\n  |\n2 | foo = \"日本\" # x\n  |       ^^^^^^\n  = fix: do it so\n\n1 error\n"
        );
    }

    #[test]
    fn what_a_terminal_could_obey_is_visible_and_long_lines_are_cut_around_the_caret() {
        let shown = one("a = \"\u{1b}[2J\"", "\u{1b}[2J");
        assert!(shown.contains("a = \"␛[2J\"") && !shown.contains('\u{1b}'));
        let long = format!("a = \"{}BAD{}\"", "x".repeat(5000), "y".repeat(5000));
        let shown = one(&long, "BAD");
        assert!(shown.contains("BADyyy") && shown.lines().all(|l| l.chars().count() < 200));
        let caret = shown.lines().find(|l| l.contains('^')).map(|l| l.find('^'));
        assert!(caret.is_some());
    }
}
