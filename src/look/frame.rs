//! Borders: thin, few, and with a title that carries the sentence that matters.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::line::Line;
use super::role::Role;

/// Draws a frame with a title in its upper border; gives the area inside.
pub fn frame(canvas: &mut Canvas<'_>, area: Rect, title: &Line, focused: bool) -> Rect {
    frame_in(canvas, area, title, if focused { Role::Dim } else { Role::Border })
}

/// Draws a frame with borders in a role.
pub fn frame_in(canvas: &mut Canvas<'_>, area: Rect, title: &Line, role: Role) -> Rect {
    if area.width < 2 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    for x in area.x + 1..right {
        canvas.cell(x, area.y, role, '─');
        canvas.cell(x, bottom, role, '─');
    }
    for y in area.y + 1..bottom {
        canvas.cell(area.x, y, role, '│');
        canvas.cell(right, y, role, '│');
    }
    for (x, y, c) in [(area.x, area.y, '╭'), (right, area.y, '╮'), (area.x, bottom, '╰'), (right, bottom, '╯')]
    {
        canvas.cell(x, y, role, c);
    }
    if !title.spans.is_empty() && area.width > 6 {
        let room = area.width - 4;
        canvas.put(area.x + 1, area.y, 1, role, " ");
        let used = canvas.line(area.x + 2, area.y, room - 1, title);
        canvas.put(area.x + 2 + used, area.y, 1, role, " ");
    }
    inside(area)
}

/// The area inside a frame.
pub fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x.saturating_add(1),
        y: area.y.saturating_add(1),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// An area of that size in the middle of another, no larger than it.
pub fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// A frame in the middle, over what is there; gives the area inside.
pub fn popup(canvas: &mut Canvas<'_>, area: Rect, title: &Line, role: Role) -> Rect {
    canvas.clear(area);
    frame_in(canvas, area, title, role)
}
