//! The text of a configuration file, with lines and columns.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// A range of bytes in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// A value with the place where it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub at: Span,
}

/// A place as people count: lines and columns from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
    /// The line without its end.
    pub text: String,
    /// Characters to underline, at least 1, never past the line.
    pub marked: usize,
}

/// The text and where it came from.
#[derive(Debug)]
pub(super) struct Source {
    pub origin: PathBuf,
    pub text: String,
}

impl Source {
    pub fn new(origin: &Path, text: &str) -> Self {
        Self { origin: origin.to_owned(), text: text.to_owned() }
    }

    /// Where a span begins, and how much of its line it covers.
    pub fn place(&self, span: Span) -> Place {
        let start = span.start.min(self.text.len());
        let before = self.text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let rest = self.text.get(line_start..).unwrap_or_default();
        let text = rest.split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let column = self.text.get(line_start..start).unwrap_or_default().chars().count();
        let length = self.text.get(start..span.end.max(start)).unwrap_or_default().chars().count();
        let room = text.chars().count().saturating_sub(column);
        Place {
            line: before.matches('\n').count() + 1,
            column: column + 1,
            text: text.to_owned(),
            marked: length.min(room).max(1),
        }
    }

    /// The line a span begins on.
    pub fn line(&self, span: Span) -> usize {
        self.place(span).line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_characters_from_one() {
        let source = Source::new(Path::new("c.toml"), "a = 1\r\nü = \"bé\"\n");
        let start = source.text.find("\"b").unwrap_or(0);
        let place = source.place(Span { start, end: start + 5 });
        assert_eq!((place.line, place.column, place.marked, place.text.as_str()), (2, 5, 4, "ü = \"bé\""));
        let end = source.place(Span { start: 999, end: 1000 });
        assert_eq!((end.line, end.column, end.marked), (3, 1, 1));
    }
}
