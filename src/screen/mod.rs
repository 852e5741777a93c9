//! Draws the app into a frame.

mod bottom;
mod modals;
mod prompt;
mod strip;
mod top;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::app::{App, View};
use crate::look::frame::{frame, inside};
use crate::look::{Canvas, Line, Role, Theme};
use crate::panes::layout::{LEAST, Layout, Size, layout};
use crate::panes::{Pane, charts, detail, events, fleet, journal, log, regions, timeline, verdicts};

/// Draws the app.
pub fn draw(app: &App, theme: &Theme, terminal: &mut Frame<'_>) {
    let area = terminal.area();
    let cursor = paint(app, theme, terminal.buffer_mut());
    if let Some(cursor) = cursor.filter(|c| area.contains(*c)) {
        terminal.set_cursor_position(cursor);
    }
}

/// Draws the app into a buffer; gives where the cursor stands.
pub fn paint(app: &App, theme: &Theme, buffer: &mut Buffer) -> Option<Position> {
    let area = buffer.area;
    let mut canvas = Canvas::new(buffer, theme);
    canvas.clear(area);
    let scene = app.scene();
    let operations = app.fresh_operations();
    let layout = layout(&scene, &app.panes.timeline, (area.width, area.height), operations.len());
    if layout.size == Size::Tiny {
        too_small(app, &mut canvas, area);
        return None;
    }
    top::draw(app, &mut canvas, layout.top);
    match app.view() {
        View::Board => board(app, &mut canvas, &layout),
        View::Only(pane) => only(app, &mut canvas, layout.body, pane),
    }
    strip::draw(app, &mut canvas, layout.strip, &operations);
    let cursor = bottom::draw(app, &mut canvas, layout.bottom);
    modals::draw(app, &mut canvas, area).or(cursor)
}

/// The board of one service.
fn board(app: &App, canvas: &mut Canvas<'_>, layout: &Layout) {
    let scene = app.scene();
    for (pane, area) in &layout.panes {
        let focused = app.focus == *pane && app.modals.is_empty();
        let area = *area;
        if !layout.framed {
            match pane {
                Pane::Timeline => {
                    let look = timeline::Look { framed: false, focused };
                    timeline::draw(canvas, area, &app.panes.timeline, &scene, look);
                }
                Pane::Verdicts => {
                    let used = sentence(canvas, area, &verdicts::sentence(&scene), focused);
                    let rest = Rect { y: area.y + used, height: area.height.saturating_sub(used), ..area };
                    verdicts::brief(canvas, rest, &scene);
                }
                _ => regions::draw(canvas, area, &scene, false),
            }
            continue;
        }
        let title = match pane {
            Pane::Timeline => Line::of(Role::Dim, "rings"),
            Pane::Verdicts => verdicts::sentence(&scene),
            Pane::Regions => regions_title(app),
            Pane::Charts => charts::title(&scene),
            Pane::Journal => Line::of(Role::Dim, "journal"),
            Pane::Events => Line::of(Role::Dim, "events"),
            _ => Line::of(Role::Dim, "log"),
        };
        let inside = frame(canvas, area, &title, focused);
        match pane {
            Pane::Timeline => {
                let look = timeline::Look { framed: true, focused };
                timeline::draw(canvas, area, &app.panes.timeline, &scene, look);
            }
            Pane::Verdicts => verdicts::draw(canvas, inside, &app.panes.verdicts, &scene, focused),
            Pane::Regions => regions::draw(canvas, inside, &scene, area.width >= 160),
            Pane::Charts => charts::draw(canvas, shrink(inside), &scene),
            Pane::Journal => journal::draw(canvas, inside, &app.panes.journal, &scene, false),
            Pane::Events => events::draw(canvas, inside, &app.panes.events, &scene, false),
            _ => log::draw(canvas, shrink(inside), &app.panes.log),
        }
    }
}

fn shrink(area: Rect) -> Rect {
    Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

fn regions_title(app: &App) -> Line {
    let scene = app.scene();
    let all = scene.service().map_or(0, |s| s.regions.len());
    let mut line = Line::of(Role::Dim, "regions");
    if !scene.picks.filter.is_empty() {
        line = line.add(Role::Accent, format!(" · {} of {all} match “{}”", scene.rows().len(), scene.picks.filter));
    }
    if !scene.picks.marks.is_empty() {
        line = line.add(Role::Accent, format!(" · {} marked: capitals act on them", scene.picks.marks.len()));
    }
    line
}

/// The verdict in words, on at most two lines; gives how many it took.
fn sentence(canvas: &mut Canvas<'_>, area: Rect, line: &Line, focused: bool) -> u16 {
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), height: area.height.min(2), ..area };
    let mut used = 0;
    for (y, line) in (inner.top()..inner.bottom()).zip(line.wrap(usize::from(inner.width), 2)) {
        canvas.line(inner.x, y, inner.width, &line);
        used += 1;
    }
    if focused {
        canvas.cell(area.x, area.y, Role::Accent, '▸');
    }
    used
}

/// One pane alone.
fn only(app: &App, canvas: &mut Canvas<'_>, area: Rect, pane: Pane) {
    let scene = app.scene();
    let title = match pane {
        Pane::Detail => detail::title(&app.panes.detail, &scene),
        Pane::Fleet => fleet::title(&scene),
        Pane::Verdicts => verdicts::sentence(&scene),
        Pane::Journal => Line::of(Role::Strong, "journal")
            .add(Role::Dim, " · operations of this console and the record, newest first, UTC"),
        Pane::Events => Line::of(Role::Strong, "events")
            .add(Role::Dim, " · what was seen happen, and the Kubernetes events of the open region, UTC"),
        _ => Line::of(Role::Strong, "log").add(Role::Dim, " of this program"),
    };
    frame(canvas, area, &title, false);
    let inside = inside(area);
    match pane {
        Pane::Detail => detail::draw(canvas, inside, &app.panes.detail, &scene),
        Pane::Verdicts => verdicts::alone(canvas, inside, &app.panes.verdicts, &scene),
        Pane::Fleet => fleet::draw(canvas, inside, &app.panes.fleet, &scene),
        Pane::Journal => journal::draw(canvas, inside, &app.panes.journal, &scene, true),
        Pane::Events => events::draw(canvas, inside, &app.panes.events, &scene, true),
        _ => log::draw(canvas, shrink(inside), &app.panes.log),
    }
}

/// Too small for a board: what must be known at every size, and how much room is missing.
fn too_small(app: &App, canvas: &mut Canvas<'_>, area: Rect) {
    let (columns, rows) = LEAST;
    let mut lines = vec![top::line(app, area.width)];
    let text = format!("{}×{} is too small for the board: {columns}×{rows} shows it", area.width, area.height);
    let wrapped = |line: Line| line.wrap(usize::from(area.width.max(1)), 0);
    lines.extend(wrapped(Line::of(Role::Dim, text)));
    if app.asks_to_quit() {
        lines.extend(wrapped(Line::of(Role::Wait, "an operation is open: quit all the same? y yes, Esc no")));
    }
    if let Some(notice) = &app.notice {
        lines.extend(wrapped(Line::of(if notice.bad { Role::Alarm } else { Role::Text }, notice.text.to_string())));
    }
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        canvas.line(area.x, y, area.width, &line);
    }
}

/// A frame as text, one line per row: for files and for `board`.
pub fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in buffer.area.top()..buffer.area.bottom() {
        let mut row = String::new();
        let mut skip = 0;
        for x in buffer.area.left()..buffer.area.right() {
            let Some(cell) = buffer.cell((x, y)) else { continue };
            if skip > 0 {
                skip -= 1;
                continue;
            }
            row.push_str(cell.symbol());
            skip = crate::look::canvas::width(cell.symbol()).saturating_sub(1);
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
