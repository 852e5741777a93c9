//! What lies over the board.

use ratatui::layout::{Position, Rect};

use super::prompt;
use crate::app::modal::{Ask, Asking, Modal, Palette};
use crate::app::{App, Came, Unfinished};
use crate::domain::plan::PlanId;
use crate::domain::text::without_subject;
use crate::input::Command;
use crate::input::command::Group;
use crate::input::help::{GLOSSARY, rows};
use crate::look::frame::{centered, popup};
use crate::look::glyph::{SIGNS, Sign};
use crate::look::{Canvas, Line, Role, scroll};
use crate::panes::journal::step_line;
use crate::panes::{approvals, evidence, policy, verdicts};

/// Draws every modal, the last on top; gives where the cursor stands.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> Option<Position> {
    let mut cursor = None;
    for modal in &app.modals {
        cursor = match modal {
            Modal::Prompt(prompt) => prompt::draw(app, canvas, area, prompt),
            Modal::Palette(palette) => Some(draw_palette(app, canvas, area, palette)),
            Modal::Took(id) => {
                took(app, canvas, area, *id);
                None
            }
            Modal::Ask(ask) => {
                draw_ask(app, canvas, area, *ask);
                None
            }
            Modal::Unfinished(unfinished) => {
                draw_unfinished(app, canvas, area, unfinished);
                None
            }
            Modal::Help { scroll } => {
                sheet(canvas, area, "help · keys and words", Role::Accent, &help(app), *scroll);
                None
            }
            Modal::Explain { scroll } => {
                sheet(canvas, area, "why", Role::Accent, &explain(app), *scroll);
                None
            }
            Modal::Policy { scroll } => {
                sheet(canvas, area, "policy", Role::Accent, &policy::lines(&app.scene()), *scroll);
                None
            }
            Modal::Evidence { row, gate, scroll } => {
                draw_evidence(app, canvas, area, (*row, *gate), *scroll);
                None
            }
            Modal::Approvals { selected } => {
                let lines = approvals::lines(&app.scene(), *selected);
                sheet(canvas, area, "approvals", Role::Accent, &lines, 0);
                None
            }
            Modal::Runbook { scroll } => {
                sheet(canvas, area, "runbook", Role::Accent, &runbook(app), *scroll);
                None
            }
        };
    }
    cursor
}

/// A text in the middle of the screen, as large as it needs to be.
fn sheet(canvas: &mut Canvas<'_>, area: Rect, title: &str, border: Role, lines: &[Line], offset: usize) {
    let room = usize::from(area.width.saturating_sub(8).min(110));
    let lines: Vec<Line> = lines.iter().flat_map(|l| l.wrap(room, 4)).collect();
    let wide = lines.iter().map(Line::width).max().unwrap_or(0).max(title.chars().count() + 4).min(room);
    let of = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let place = centered(area, of(wide) + 4, of(lines.len()).saturating_add(2).min(area.height.saturating_sub(2)));
    let inner = popup(canvas, place, &Line::of(Role::Strong, title), border);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    scroll::lines(canvas, inner, &lines, offset);
}

fn help(app: &App) -> Vec<Line> {
    let mut lines = Vec::new();
    for (group, rows) in rows(&app.setup.keymap) {
        lines.push(Line::of(Role::Accent, group.title()));
        for row in rows {
            lines.push(
                Line::of(Role::Key, format!("  {:<25} ", row.keys))
                    .add(Role::Strong, format!("{:<17} ", row.name))
                    .add(Role::Text, row.sentence),
            );
        }
        if group == Group::Move {
            let row =
                Line::of(Role::Key, format!("  {:<25} ", "1 to 9")).add(Role::Strong, format!("{:<17} ", "focus-1"));
            lines.push(row.add(Role::Text, "the region in that row"));
        }
        lines.push(Line::new());
    }
    lines.push(Line::of(Role::Accent, "signs"));
    let sign = |s: &Sign| Line::of(s.role(), format!("  {} ", s.glyph())).add(Role::Text, s.word());
    lines.extend(SIGNS.iter().map(sign));
    lines.push(Line::new());
    lines.push(Line::of(Role::Accent, "words"));
    for (word, meaning) in GLOSSARY {
        lines.push(Line::of(Role::Strong, format!("  {word:<18} ")).add(Role::Text, *meaning));
    }
    lines
}

fn explain(app: &App) -> Vec<Line> {
    let scene = app.scene();
    let mut lines = vec![verdicts::sentence(&scene), Line::new()];
    let Some(view) = scene.view() else { return lines };
    for alarm in &view.alarms {
        lines.push(Line::of(Role::Watch, format!("! {alarm}")));
    }
    for hold in &view.holds {
        let partly =
            if hold.complete() { String::new() } else { format!(" (in {} of {} regions)", hold.seen_in, hold.of) };
        let reason = hold.why();
        let id = hold.id.map(|id| format!("   (:undo {id} releases this one)")).unwrap_or_default();
        lines.push(
            Line::of(Role::Held, format!("‖ held {} by {}{partly}: ", hold.scope, hold.by))
                .add(Role::Text, reason)
                .add(Role::Dim, id),
        );
    }
    for (metric, why, regions) in crate::panes::regions::unknown(&scene) {
        lines.push(Line::of(Role::NoData, format!("? {metric} of {}: ", regions.join(", "))).add(Role::Text, why));
    }
    let Some(question) = &view.question else { return lines };
    let mut cells: Vec<_> = question.cells().collect();
    cells.sort_by_key(|(_, _, j)| std::cmp::Reverse(j.verdict));
    for (row, gate, judgement) in cells {
        let sign = Sign::of(judgement.verdict);
        lines.push(
            Line::of(sign.role(), format!("{} {:<8} ", sign.glyph(), judgement.verdict.word()))
                .add(Role::Strong, format!("{} {gate}: ", verdicts::row_name(&scene, row)))
                .add(Role::Text, without_subject(verdicts::row_name(&scene, row), &judgement.sentence)),
        );
        lines.extend(judgement.findings.iter().map(|f| Line::of(Role::Watch, format!("    ! {}", f.said()))));
    }
    lines
}

/// A sheet with a chart: as large as the screen lets it be.
fn draw_evidence(app: &App, canvas: &mut Canvas<'_>, area: Rect, (row, gate): (usize, usize), offset: usize) {
    let scene = app.scene();
    let wide = area.width.saturating_sub(4).min(150);
    let below = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
    let place = centered(below, wide, below.height.min(44));
    let cell = scene.view().and_then(|v| v.question.as_ref()?.rows.get(row)?.cells.get(gate)?.as_ref());
    let accepts = cell.and_then(|j| j.acceptable.as_ref()).map(|stretch| {
        let key = app.setup.keymap.key(Command::Approve).unwrap_or_else(|| ":accept".to_owned());
        format!(" · {key} accepts {} here, with a reason", stretch.column)
    });
    let accepts = accepts.unwrap_or_default();
    let title = format!("{} · arrows: neighbours{accepts}", evidence::title(&scene, row, gate));
    let inner = popup(canvas, place, &Line::of(Role::Strong, title), Role::Accent);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    evidence::draw(canvas, inner, &scene, (row, gate), app.trace_line((row, gate)).as_ref(), offset);
}

fn runbook(app: &App) -> Vec<Line> {
    let scene = app.scene();
    let mut lines = Vec::new();
    if let Some(service) = scene.service() {
        for (name, text) in
            [("runbook", &service.runbook), ("owner", &service.owner), ("escalation", &service.escalation)]
        {
            if let Some(text) = text {
                lines.push(Line::of(Role::Dim, format!("{name:<11} ")).add(Role::Text, text.to_string()));
            }
        }
        if !service.deciders.is_empty() {
            lines.push(Line::of(Role::Dim, "deciders    ").add(Role::Text, service.deciders.join(", ")));
        }
    }
    lines.push(Line::new());
    match app.setup.runbooks.get(&scene.at()) {
        Some(text) => lines.extend(text.lines().take(2_000).map(|l| Line::of(Role::Text, l.replace('\t', "    ")))),
        None => lines.push(Line::of(Role::Dim, "there is no offline copy")),
    }
    lines
}

/// What became of a hold, region by region.
fn took(app: &App, canvas: &mut Canvas<'_>, area: Rect, id: PlanId) {
    let scene = app.scene();
    let Some(operation) = app.engine.operations.iter().find(|o| o.plan.id == id) else {
        return sheet(canvas, area, "hold", Role::Held, &[Line::of(Role::Wait, "◔ being written to the journal")], 0);
    };
    let mut lines: Vec<Line> = operation
        .plan
        .steps
        .iter()
        .zip(&operation.steps)
        .map(|(step, state)| {
            Line::of(Role::Strong, format!("{:<20} ", scene.region_name(step.region))).join(step_line(state))
        })
        .collect();
    lines.push(Line::new());
    lines.push(
        Line::of(Role::Key, "U").add(Role::Dim, " undoes it; ").add(Role::Key, "Esc").add(Role::Dim, " closes this"),
    );
    sheet(canvas, area, &format!("‖ {}", operation.plan.title), Role::Held, &lines, 0);
}

fn draw_ask(app: &App, canvas: &mut Canvas<'_>, area: Rect, ask: Ask) {
    let mut lines = Vec::new();
    let title = match ask.what {
        Asking::Quit => {
            for operation in app.engine.operations.iter().filter(|o| o.open()) {
                lines.push(Line::of(Role::Wait, "◔ ").add(Role::Text, operation.plan.title.to_string()));
            }
            lines.push(Line::of(
                Role::Text,
                "What was sent goes on in the clusters; what was not is offered at the next start.",
            ));
            "quit while an operation is open?"
        }
        Asking::Watch => {
            lines.push(Line::of(Role::Text, "It shows everything and can write nothing, until it is started again."));
            "turn this console into a watch screen?"
        }
    };
    lines.push(Line::new());
    lines.push(Line::of(Role::Key, "y").add(Role::Text, " yes   ").add(Role::Key, "Esc").add(Role::Text, " no"));
    sheet(canvas, area, title, Role::Accent, &lines, 0);
}

fn draw_unfinished(app: &App, canvas: &mut Canvas<'_>, area: Rect, unfinished: &Unfinished) {
    let mut lines = vec![Line::of(Role::Dim, unfinished.started.to_string()), Line::new()];
    lines.extend(unfinished.steps.iter().map(|(came, line)| {
        let sign = match came {
            Came::Settled => Sign::Go,
            Came::Ended => Sign::Watch,
            Came::Unknown => Sign::NoData,
            Came::NotStarted => Sign::Quiet,
        };
        Line::of(sign.role(), format!("{} ", sign.glyph())).add(Role::Text, line.to_string())
    }));
    lines.push(Line::new());
    if app.cannot_write().is_none() {
        if unfinished.intent.is_some() {
            lines.push(Line::of(Role::Key, "T  ").add(Role::Text, "propose it once more"));
        }
        lines
            .push(Line::of(Role::Key, "C  ").add(Role::Text, "close it in the journal, in your name: nothing is sent"));
        if let Some(key) = app.setup.keymap.key(crate::input::Command::HoldAll) {
            lines
                .push(Line::of(Role::Key, format!("{key}  ")).add(Role::Text, "hold every region of this service now"));
        }
    }
    lines.push(Line::of(Role::Key, "Esc").add(Role::Text, " leave it: shown again at the next start"));
    sheet(canvas, area, &format!("left open: {}", unfinished.title), Role::Wait, &lines, 0);
}

fn draw_palette(app: &App, canvas: &mut Canvas<'_>, area: Rect, palette: &Palette) -> Position {
    let entries = palette.entries(&app.setup.keymap);
    let place = Rect { y: area.y + 2, height: area.height.saturating_sub(4).min(18), ..area };
    let place = centered(place, 96.min(area.width.saturating_sub(4)), place.height);
    let inner = popup(canvas, place, &Line::of(Role::Strong, "command"), Role::Accent);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    canvas.put(inner.x, inner.y, 2, Role::Key, ": ");
    canvas.put(inner.x + 2, inner.y, inner.width.saturating_sub(2), Role::Input, palette.input.value());
    let height = usize::from(inner.height.saturating_sub(1));
    let first = scroll::window(palette.selected, entries.len(), height);
    for (line, (at, entry)) in entries.iter().enumerate().skip(first).take(height).enumerate() {
        let y = inner.y + 1 + u16::try_from(line).unwrap_or(0);
        let works = app.available(entry.command);
        let text = match &works {
            Ok(()) => Line::of(Role::Text, entry.sentence),
            Err(why) => Line::of(Role::Dim, why.to_string()),
        };
        let role = if works.is_ok() { Role::Strong } else { Role::Dim };
        let row =
            Line::of(role, format!("{:<17}", entry.name)).add(Role::Key, format!("{:<10}", entry.keys)).join(text);
        canvas.line(inner.x, y, inner.width, &row);
        if at == palette.selected {
            canvas.over(Rect { y, height: 1, ..inner }, Role::Selected);
        }
    }
    let x = inner.x + 2 + u16::try_from(palette.input.visual_cursor()).unwrap_or(0);
    Position { x: x.min(inner.right().saturating_sub(1)), y: inner.y }
}
