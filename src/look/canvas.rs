//! The cell writer: all text reaches the terminal through it, made harmless and fitted to columns.
//!
//! Three promises: no character that a terminal could obey gets through; nothing is written
//! outside the columns given, whatever the text; and a character never takes more columns
//! in the terminal than it has here, so no border ever moves.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::glyph::twin;
use super::line::Line;
use super::role::Role;
use super::theme::Theme;
use crate::domain::text::visible;

/// Most combining marks kept on one character.
const MOST_MARKS: usize = 3;
/// Most characters looked at of one text: more never fits a line.
const MOST_CHARS: usize = 4_096;

/// A buffer, and the theme it is drawn with.
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    theme: &'a Theme,
}

/// How many columns a text takes here.
pub fn width(text: &str) -> usize {
    visible(text).chars().map(|c| c.width().unwrap_or(0)).sum()
}

impl<'a> Canvas<'a> {
    /// A canvas over a buffer.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme) -> Self {
        Self { buffer, theme }
    }

    /// The whole area.
    pub fn area(&self) -> Rect {
        self.buffer.area
    }

    /// The theme.
    pub fn theme(&self) -> &Theme {
        self.theme
    }

    /// Empties an area.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            self.heal(area.x, y);
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut(Position { x, y }) {
                    cell.reset();
                    cell.set_style(self.theme.ground());
                }
            }
        }
    }

    /// Writes one character of our own; wider ones are refused.
    pub fn cell(&mut self, x: u16, y: u16, role: Role, c: char) {
        let c = if self.theme.ascii { twin(c) } else { c };
        if c.width() == Some(1) && self.buffer.area.contains(Position { x, y }) {
            self.heal(x, y);
            self.set(x, y, role, c.encode_utf8(&mut [0; 4]));
        }
    }

    /// Fills an area with one character of our own.
    pub fn fill(&mut self, area: Rect, role: Role, c: char) {
        let area = area.intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                self.cell(x, y, role, c);
            }
        }
    }

    /// Lays a role over what is written: the cursor's ground, a greyed row.
    pub fn over(&mut self, area: Rect, role: Role) {
        let area = area.intersection(self.buffer.area);
        let style = self.theme.style(role);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut(Position { x, y }) {
                    cell.set_style(style);
                }
            }
        }
    }

    /// Writes text into at most `most` columns, cut with `…`; gives the columns used.
    pub fn put(&mut self, x: u16, y: u16, most: u16, role: Role, text: &str) -> u16 {
        let area = self.buffer.area;
        if y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right() {
            return 0;
        }
        let most = most.min(area.right() - x);
        let text = visible(text);
        let fits =
            text.chars().take(MOST_CHARS + 1).map(|c| c.width().unwrap_or(0)).sum::<usize>() <= usize::from(most);
        let room = if fits { most } else { most.saturating_sub(1) };
        let mut used = self.write(x, y, room, role, &text);
        if !fits && most > 0 {
            self.cell(x + used, y, role, '…');
            used += 1;
        }
        used
    }

    /// Writes text so that it ends at the right edge of `most` columns.
    pub fn put_right(&mut self, x: u16, y: u16, most: u16, role: Role, text: &str) -> u16 {
        let wide = u16::try_from(width(text)).unwrap_or(u16::MAX).min(most);
        self.put(x + (most - wide), y, wide, role, text)
    }

    /// Writes a line of several roles into at most `most` columns; gives the columns used.
    pub fn line(&mut self, x: u16, y: u16, most: u16, line: &Line) -> u16 {
        let mut used = 0;
        let mut spans = line.spans.iter().peekable();
        while let Some(span) = spans.next() {
            let left = most - used;
            let wide = u16::try_from(width(&span.text)).unwrap_or(u16::MAX);
            // One column stays for the mark when something after this span will not fit.
            let cut = wide <= left && wide == left && spans.peek().is_some_and(|s| !s.text.is_empty());
            used += self.put(x + used, y, left, span.role, &span.text);
            if cut {
                self.cell(x + used.saturating_sub(1), y, span.role, '…');
            }
            if used >= most {
                break;
            }
        }
        used
    }

    fn write(&mut self, x: u16, y: u16, room: u16, role: Role, text: &str) -> u16 {
        let mut used: u16 = 0;
        let mut marks = 0;
        self.heal(x, y);
        for c in text.chars().take(MOST_CHARS) {
            let c = if self.theme.ascii && !c.is_ascii() { ascii(c) } else { c };
            // A few characters claim three columns; no cell can hold that.
            let c = if c.width().unwrap_or(0) > 2 { '?' } else { c };
            let wide = u16::try_from(c.width().unwrap_or(0)).unwrap_or(2);
            if wide == 0 {
                marks += 1;
                if marks <= MOST_MARKS && used > 0 && !self.theme.ascii {
                    self.combine(x, x + used, y, c);
                }
                continue;
            }
            if used + wide > room {
                break;
            }
            marks = 0;
            self.heal(x + used, y);
            let mut bytes = [0; 4];
            let symbol = c.encode_utf8(&mut bytes);
            // What measures otherwise as text than as a character is not trusted to a terminal.
            let symbol = if symbol.width() == usize::from(wide) {
                &*symbol
            } else if wide == 2 {
                "??"
            } else {
                "?"
            };
            if symbol == "??" {
                self.set(x + used, y, role, "?");
                self.set(x + used + 1, y, role, "?");
            } else {
                self.set(x + used, y, role, symbol);
                if wide == 2 {
                    self.heal(x + used + 1, y);
                    self.set(x + used, y, role, symbol);
                    self.tail(x + used + 1, y, role);
                }
            }
            used += wide;
        }
        used
    }

    /// Adds a combining mark to the character before, if it stays as wide as it was.
    fn combine(&mut self, first: u16, end: u16, y: u16, mark: char) {
        let at = (first..end).rev().find(|x| {
            self.buffer.cell(Position { x: *x, y }).is_some_and(|c| !c.symbol().is_empty() && c.symbol() != " ")
        });
        let Some(x) = at else { return };
        let Some(cell) = self.buffer.cell_mut(Position { x, y }) else { return };
        let joined = format!("{}{mark}", cell.symbol());
        if joined.width() == cell.symbol().width() {
            cell.set_symbol(&joined);
        }
    }

    /// Before column `x` is written: a wide character that reaches into it loses both halves.
    fn heal(&mut self, x: u16, y: u16) {
        let wide = |b: &Buffer, x: u16| b.cell(Position { x, y }).is_some_and(|c| c.symbol().width() > 1);
        if x > self.buffer.area.left()
            && wide(self.buffer, x - 1)
            && let Some(cell) = self.buffer.cell_mut(Position { x: x - 1, y })
        {
            cell.set_symbol(" ");
        }
        if wide(self.buffer, x)
            && let Some(cell) = self.buffer.cell_mut(Position { x, y })
        {
            cell.set_symbol(" ");
        }
    }

    fn set(&mut self, x: u16, y: u16, role: Role, symbol: &str) {
        let style = self.theme.ground().patch(self.theme.style(role));
        if let Some(cell) = self.buffer.cell_mut(Position { x, y }) {
            cell.reset();
            cell.set_symbol(symbol);
            cell.set_style(style);
        }
    }

    fn tail(&mut self, x: u16, y: u16, role: Role) {
        self.set(x, y, role, " ");
    }
}

/// Our own twin, or a mark as wide as the character.
fn ascii(c: char) -> char {
    match c.width() {
        Some(1) => twin(c),
        // Two columns: the caller measures again; one mark is enough, the row keeps its layout by padding.
        Some(2) => '?',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::domain::text::is_hostile;

    /// `|` at both ends of a row of 10; what is written between must not move them.
    fn bordered(text: &str, at: u16, most: u16, ascii: bool) -> Buffer {
        drawn(&Theme::markers().with_ascii(ascii), text, at, most)
    }

    fn drawn(theme: &Theme, text: &str, at: u16, most: u16) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 1));
        let mut canvas = Canvas::new(&mut buffer, theme);
        canvas.cell(0, 0, Role::Border, '|');
        canvas.cell(9, 0, Role::Border, '|');
        canvas.put(at, 0, most, Role::Text, text);
        buffer
    }

    /// Columns as a terminal fills them: a wide symbol swallows the cell after it.
    fn check(buffer: &Buffer, what: &dyn std::fmt::Debug) {
        assert_eq!(buffer[(0, 0)].symbol(), "|", "{what:?}");
        assert_eq!(buffer[(9, 0)].symbol(), "|", "{what:?}");
        let mut x = 0;
        while x < 10 {
            let symbol = buffer[(x, 0)].symbol();
            assert!(!symbol.chars().any(is_hostile), "{what:?} {symbol:?}");
            assert!((1..=2).contains(&symbol.width()), "{what:?} {symbol:?}");
            x += u16::try_from(symbol.width()).unwrap();
        }
        assert_eq!(x, 10, "{what:?}");
    }

    #[test]
    fn no_code_point_in_any_position_moves_a_border_or_passes_as_a_control() {
        let theme = Theme::markers();
        for c in (0..=0x10_ffff_u32).filter_map(char::from_u32) {
            // Alone; doubled, before and after a wide one, after a mark, and at the edge.
            for text in [format!("{c}"), format!("a{c}{c}漢{c}e\u{301}{c}{c}{c}{c}")] {
                let buffer = drawn(&theme, &text, 1, 8);
                check(&buffer, &(u32::from(c), &text));
            }
        }
    }

    #[test]
    fn wide_and_hostile_text_fits_at_every_position_and_width() {
        for text in [
            "漢字漢字漢字",
            "a\u{1b}[2J\u{202e}x",
            "e\u{301}\u{301}\u{301}\u{301}\u{301}",
            "👩\u{200d}👩",
            "🇩🇪🇫🇷",
            "👍🏽x",
            "\t\n",
        ] {
            for at in 1..9 {
                for most in 0..=(9 - at) {
                    for ascii in [false, true] {
                        check(&bordered(text, at, most, ascii), &(text, at, most));
                    }
                }
            }
        }
        let long = "x\u{301}".repeat(50_000);
        let buffer = bordered(&long, 1, 8, false);
        check(&buffer, &"long");
        assert!(buffer[(1, 0)].symbol().chars().count() <= 1 + MOST_MARKS);
    }

    #[test]
    fn writing_over_half_of_a_wide_character_blanks_the_other_half() {
        let theme = Theme::markers();
        for at in 1..8 {
            let mut buffer = bordered("漢字漢字", 1, 8, false);
            Canvas::new(&mut buffer, &theme).put(at, 0, 1, Role::Text, "x");
            check(&buffer, &at);
            assert_eq!(buffer[(at, 0)].symbol(), "x");
        }
    }

    #[test]
    fn too_long_is_cut_with_a_mark() {
        let row = |text: &str, most, ascii| {
            let buffer = bordered(text, 1, most, ascii);
            (0..10).map(|x| buffer[(x, 0)].symbol().to_owned()).collect::<String>()
        };
        assert_eq!(row("abcdefghij", 8, false), "|abcdefg…|");
        assert_eq!(row("abcdefgh", 8, false), "|abcdefgh|");
        assert_eq!(row("abcdefghij", 8, true), "|abcdefg>|");
        assert_eq!(row("v2 → v3", 8, true), "|v2 > v3 |");
    }
}
