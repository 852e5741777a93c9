//! The prompt over the board.

use ratatui::layout::{Position, Rect};

use crate::app::App;
use crate::app::prompt::Prompt;
use crate::app::prompt_text::{Border, columns, sheet};
use crate::look::frame::{centered, popup};
use crate::look::{Canvas, Line, Role, scroll};

/// Draws the prompt; gives where the cursor stands.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, prompt: &Prompt) -> Option<Position> {
    let columns = columns(area.width);
    let sheet = sheet(app, prompt, columns);
    let lines = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let foot = lines(sheet.foot.len());
    let most = area.height.saturating_sub(4).saturating_sub(foot);
    let body = lines(sheet.body.len()).min(most);
    let height = body + foot + 2;
    let place = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
    let place = centered(place, columns + 4, height);
    let loud = sheet.border == Border::Loud;
    let title = Line::of(if loud { Role::NoGo } else { Role::Strong }, sheet.title);
    let inner = popup(canvas, place, &title, if loud { Role::NoGo } else { Role::Accent });
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    scroll::lines(canvas, Rect { height: body, ..inner }, &sheet.body, prompt.scroll);
    let start = inner.y + body;
    for (y, line) in (start..inner.bottom()).zip(&sheet.foot) {
        canvas.line(inner.x, y, inner.width, line);
    }
    let (line, column) = sheet.cursor?;
    let x = inner.x + lines(column).min(inner.width.saturating_sub(1));
    Some(Position { x, y: start + lines(line) })
}
