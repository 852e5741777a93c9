//! A line of text in several roles, and how it wraps.

use super::canvas::width;
use super::role::Role;

/// A line of text in several roles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Its pieces, from left to right.
    pub spans: Vec<Span>,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it means.
    pub role: Role,
    /// The text.
    pub text: String,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of one piece.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self::new().add(role, text)
    }

    /// With one more piece.
    #[must_use]
    pub fn add(mut self, role: Role, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.spans.push(Span { role, text });
        }
        self
    }

    /// With another line after it.
    #[must_use]
    pub fn join(mut self, other: Line) -> Self {
        self.spans.extend(other.spans);
        self
    }

    /// Columns it takes.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|s| width(&s.text)).sum()
    }

    /// Its text without roles.
    pub fn text(&self) -> String {
        self.spans.iter().map(|s| s.text.as_str()).collect()
    }

    /// Broken at spaces into lines of at most `most` columns; continued lines are set in by `indent`.
    pub fn wrap(&self, most: usize, indent: usize) -> Vec<Line> {
        let most = most.max(1);
        let indent = if indent * 2 < most { indent } else { 0 };
        let mut lines = Vec::new();
        let mut line = Line::new();
        let mut used = 0;
        for span in &self.spans {
            for word in words(&span.text) {
                let wide = width(word);
                if used + wide > most && used > indent.min(used) && !word.trim().is_empty() && used > 0 {
                    lines.push(std::mem::take(&mut line));
                    line = line.add(span.role, " ".repeat(indent));
                    used = indent;
                }
                if used + wide <= most {
                    line.push(span.role, word);
                    used += wide;
                } else if !word.trim().is_empty() {
                    for c in word.chars() {
                        let one = width(c.encode_utf8(&mut [0; 4]));
                        if used + one > most && used > 0 {
                            lines.push(std::mem::take(&mut line));
                            line = line.add(span.role, " ".repeat(indent));
                            used = indent;
                        }
                        line.push(span.role, c.encode_utf8(&mut [0; 4]));
                        used += one;
                    }
                }
            }
        }
        lines.push(line);
        lines
    }

    fn push(&mut self, role: Role, text: &str) {
        match self.spans.last_mut() {
            Some(last) if last.role == role => last.text.push_str(text),
            _ => self.spans.push(Span { role, text: text.to_owned() }),
        }
    }
}

/// Words and the spaces between them, in order.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let space = first == ' ';
        let end = rest.find(|c: char| (c == ' ') != space).unwrap_or(rest.len());
        let (word, tail) = rest.split_at_checked(end)?;
        rest = tail;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn wrapped(text: &str, most: usize, indent: usize) -> Vec<String> {
        Line::of(Role::Text, text).wrap(most, indent).iter().map(Line::text).collect()
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 8, 0), ["one two ", "three"]);
        assert_eq!(wrapped("one two three", 8, 2), ["one two ", "  three"]);
        assert_eq!(wrapped("abcdefghij", 4, 0), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("", 4, 0), [""]);
        assert_eq!(wrapped("漢字漢", 4, 0), ["漢字", "漢"]);
    }

    #[test]
    fn no_wrapped_line_is_wider_than_asked() {
        for most in 1..30 {
            for text in ["the quick brown fox", "漢字 漢字漢字", "a  b   c", "\u{1b}[2J and more"] {
                for line in Line::of(Role::Text, text).add(Role::Dim, " and tail").wrap(most, 3) {
                    assert!(line.width() <= most.max(8), "{most} {:?}", line.text());
                }
            }
        }
    }
}
