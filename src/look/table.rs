//! Tables: numbers to the right, the least important columns give way first.

use ratatui::layout::Rect;

use super::canvas::{Canvas, width};
use super::role::Role;

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Heading, with the unit.
    pub title: String,
    /// Where its cells stand.
    pub align: Align,
    /// Columns that do not fit are left out from the highest number down; 0 always stays.
    pub priority: u8,
    /// Most columns it may take; longer cells are cut.
    pub most: u16,
    /// It is cut down to so many columns before a column is left out.
    pub least: u16,
}

/// Where cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What it means.
    pub role: Role,
    /// The text.
    pub text: String,
}

impl Cell {
    /// A cell.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into() }
    }
}

impl Column {
    /// A column of words.
    pub fn words(title: impl Into<String>, priority: u8) -> Self {
        Self { title: title.into(), align: Align::Left, priority, most: 24, least: 24 }
    }
    /// A column of numbers.
    pub fn numbers(title: impl Into<String>, priority: u8) -> Self {
        Self { title: title.into(), align: Align::Right, priority, most: 18, least: 18 }
    }
    /// At most this wide.
    #[must_use]
    pub fn most(mut self, most: u16) -> Self {
        self.most = most;
        self.least = most;
        self
    }
    /// Cut down to this before a column is left out.
    #[must_use]
    pub fn least(mut self, least: u16) -> Self {
        self.least = least;
        self
    }
}

/// Where each column that fits stands: its position, first column and width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout(pub Vec<(usize, u16, u16)>);

/// Fits columns into `room`: those without content and the least important give way.
pub fn fit(columns: &[Column], rows: &[Vec<Cell>], room: u16) -> Layout {
    let wide = |at: usize, column: &Column| {
        let content = rows.iter().filter_map(|r| r.get(at)).map(|c| width(&c.text)).max().unwrap_or(0);
        let content = if content == 0 && column.priority > 0 { 0 } else { content.max(width(&column.title)) };
        u16::try_from(content).unwrap_or(u16::MAX).min(column.most)
    };
    let wanted: Vec<u16> = columns.iter().enumerate().map(|(at, c)| wide(at, c)).collect();
    let least = |at: usize, wide: u16| columns.get(at).map_or(wide, |c| wide.min(c.least));
    let mut kept: Vec<(usize, u16)> =
        wanted.iter().enumerate().filter(|(_, w)| **w > 0).map(|(at, w)| (at, least(at, *w))).collect();
    let total = |kept: &[(usize, u16)], gap: u16| {
        kept.iter().map(|(_, w)| usize::from(*w)).sum::<usize>() + usize::from(gap) * kept.len().saturating_sub(1)
    };
    let priority = |at: usize| columns.get(at).map_or(0, |c| c.priority);
    while total(&kept, 2) > usize::from(room) {
        let drop = kept
            .iter()
            .enumerate()
            .filter(|(_, (at, _))| priority(*at) > 0)
            .max_by_key(|(i, (at, _))| (priority(*at), *i));
        let Some(drop) = drop.map(|(i, _)| i) else { break };
        kept.remove(drop);
    }
    // What is over goes to the columns that were cut down, in their order.
    for at in 0..kept.len() {
        let left = usize::from(room).saturating_sub(total(&kept, 2));
        if let Some((column, wide)) = kept.get_mut(at) {
            let missing = wanted.get(*column).copied().unwrap_or(0).saturating_sub(*wide);
            *wide += missing.min(u16::try_from(left).unwrap_or(u16::MAX));
        }
    }
    // What is then still over widens the gaps a little; the last column always ends at the edge.
    let gap = (3..=4).rev().find(|gap| total(&kept, *gap) <= usize::from(room)).unwrap_or(2);
    let mut x = 0;
    let last = kept.len().saturating_sub(1);
    let place = |(i, (at, wide)): (usize, (usize, u16))| {
        let right = columns.get(at).is_some_and(|c| c.align == Align::Right);
        let start = if i == last && i > 0 && right { room.saturating_sub(wide).max(x) } else { x };
        x = start + wide + gap;
        (at, start, wide)
    };
    Layout(kept.into_iter().enumerate().map(place).collect())
}

/// Draws the headings.
pub fn head(canvas: &mut Canvas<'_>, area: Rect, columns: &[Column], layout: &Layout) {
    for (at, x, wide) in &layout.0 {
        let Some(column) = columns.get(*at) else { continue };
        put(canvas, area, *x, *wide, column.align, Role::Dim, &column.title);
    }
}

/// Draws a row in the first line of `area`.
pub fn row(canvas: &mut Canvas<'_>, area: Rect, columns: &[Column], layout: &Layout, cells: &[Cell]) {
    for (at, x, wide) in &layout.0 {
        if let (Some(column), Some(cell)) = (columns.get(*at), cells.get(*at)) {
            put(canvas, area, *x, *wide, column.align, cell.role, &cell.text);
        }
    }
}

fn put(canvas: &mut Canvas<'_>, area: Rect, x: u16, wide: u16, align: Align, role: Role, text: &str) {
    if x >= area.width || area.height == 0 {
        return;
    }
    let wide = wide.min(area.width - x);
    match align {
        Align::Left => canvas.put(area.x + x, area.y, wide, role, text),
        Align::Right => canvas.put_right(area.x + x, area.y, wide, role, text),
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn the_least_important_column_gives_way_first_and_empty_ones_take_no_room() {
        let columns = [
            Column::words("region", 0),
            Column::numbers("errors", 1),
            Column::numbers("mem", 5),
            Column::words("note", 2),
        ];
        let cell = |t: &str| Cell::new(Role::Text, t);
        let rows = [vec![cell("eu-west-1"), cell("0.31 %"), cell("68 %"), cell("")]];
        let shown = |room| fit(&columns, &rows, room).0.iter().map(|c| c.0).collect::<Vec<_>>();
        assert_eq!(shown(40), [0, 1, 2]);
        assert_eq!(shown(20), [0, 1]);
        assert_eq!(shown(10), [0]);
        assert_eq!(shown(0), [0]);
    }

    #[test]
    fn a_long_column_is_cut_down_before_another_is_left_out() {
        let columns = [Column::words("a", 0), Column::words("why", 1).most(40).least(8), Column::words("b", 2)];
        let cell = |t: &str| Cell::new(Role::Text, t);
        let rows = [vec![cell("name"), cell("a sentence that is rather long"), cell("end")]];
        assert_eq!(fit(&columns, &rows, 30).0, [(0, 0, 4), (1, 6, 19), (2, 27, 3)]);
    }

    #[test]
    fn numbers_end_at_the_edge() {
        let columns = [Column::words("a", 0), Column::numbers("n", 0)];
        let rows = [vec![Cell::new(Role::Text, "x"), Cell::new(Role::Text, "12")]];
        let layout = fit(&columns, &rows, 30);
        assert_eq!(layout.0[1].1 + layout.0[1].2, 30);
    }
}
