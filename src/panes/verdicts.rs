//! The go/no-go board: regions × gates, each cell a verdict with its evidence one key away.

use ratatui::layout::Rect;

use super::evidence;
use super::scene::Scene;
use crate::domain::id::RegionIx;
use crate::domain::text::several;
use crate::domain::verdict::{Judgement, Verdict};
use crate::engine::view::{Question, QuestionRow, ReleasePhase};
use crate::input::Command;
use crate::look::canvas::width;
use crate::look::glyph::Sign;
use crate::look::table::{self, Cell, Column};
use crate::look::{Canvas, Line, Role, scroll};

/// The cell under the cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    row: usize,
    gate: usize,
}

impl State {
    /// A movement.
    pub fn on(&mut self, command: Command, scene: &Scene<'_>) {
        let Some(question) = question(scene) else { return };
        let (rows, gates) = (question.rows.len(), question.gates.len());
        let last = |n: usize| n.saturating_sub(1);
        match command {
            Command::Up => self.row = self.row.saturating_sub(1),
            Command::Down => self.row = (self.row + 1).min(last(rows)),
            Command::Left => self.gate = self.gate.saturating_sub(1),
            Command::Right => self.gate = (self.gate + 1).min(last(gates)),
            Command::Top => self.row = 0,
            Command::Bottom => self.row = last(rows),
            Command::PageUp => self.row = self.row.saturating_sub(10),
            Command::PageDown => self.row = (self.row + 10).min(last(rows)),
            _ => {}
        }
    }

    /// Row and gate under the cursor.
    pub fn selected(&self, scene: &Scene<'_>) -> Option<(usize, usize)> {
        let question = question(scene)?;
        let last = |n: usize| n.checked_sub(1);
        Some((self.row.min(last(question.rows.len())?), self.gate.min(last(question.gates.len())?)))
    }
}

impl State {
    /// The region under the cursor, and what the gate under the cursor says of it.
    pub fn judged<'a>(&self, scene: &Scene<'a>) -> Option<(RegionIx, &'a Judgement)> {
        let (row, gate) = self.selected(scene)?;
        let row = question(scene)?.rows.get(row)?;
        Some((row.region?, row.cells.get(gate)?.as_ref()?))
    }
}

fn question<'a>(scene: &Scene<'a>) -> Option<&'a Question> {
    scene.view()?.question.as_ref()
}

/// `may ring-2 have v2.1.0?  ◔ WAIT — 1h22m of bake left`
pub fn sentence(scene: &Scene<'_>) -> Line {
    match question(scene) {
        Some(question) => {
            let sign = Sign::of(question.verdict);
            let line =
                Line::of(Role::Strong, format!("may {} have {}?", scene.ring_name(question.ring), question.version))
                    .add(sign.role(), format!("  {} {}", sign.glyph(), question.verdict.word()));
            if question.sentence.is_empty() {
                line
            } else {
                line.add(Role::Text, format!(" — {}", question.sentence))
            }
        }
        None => match scene.view().map(|v| v.release.phase) {
            Some(ReleasePhase::Steady) => {
                let version = scene.view().and_then(|v| v.release.to.as_ref());
                let version = version.map_or_else(|| "?".to_owned(), ToString::to_string);
                Line::of(Role::Dim, "no release is under way: ").add(Role::Text, format!("every ring runs {version}"))
            }
            _ => Line::of(Role::Dim, "no ring waits for a version"),
        },
    }
}

/// Name of a row: its region, or its ring.
pub fn row_name<'a>(scene: &Scene<'a>, row: &QuestionRow) -> &'a str {
    row.region.map_or_else(|| scene.ring_name(row.ring), |r| scene.region_name(r))
}

/// Draws the board into an area without its frame.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, scene: &Scene<'_>, focused: bool) {
    if area.height < 2 || area.width < 20 {
        return;
    }
    let Some(question) = question(scene) else {
        let version = scene.service().and_then(|s| s.rings.first()).map_or("RING", |r| r.name.as_str());
        let text = format!("`:promote {version} VERSION` starts a release");
        canvas.put(area.x + 2, area.y, area.width - 2, Role::Dim, &text);
        return;
    };
    let picked = state.selected(scene).filter(|_| focused);
    let mut columns = vec![Column::words("", 0).most(26)];
    for (at, gate) in question.gates.iter().enumerate() {
        // Where there is no room, gates that are go give way to those that are not.
        let worst = question.rows.iter().filter_map(|r| r.cells.get(at)?.as_ref()).map(|j| j.verdict).max();
        let priority = match worst {
            // The cell under the cursor is always in view.
            _ if picked.is_some_and(|(_, gate)| gate == at) => 0,
            Some(Verdict::NoGo) => 1,
            Some(Verdict::NoData) => 2,
            Some(Verdict::Wait) => 3,
            Some(Verdict::Findings) => 4,
            Some(Verdict::Go) | None => 5,
        };
        columns.push(Column::words(gate.to_string(), priority).most(20));
    }
    let cells: Vec<Vec<Cell>> = question.rows.iter().map(|r| row(scene, r, question.gates.len())).collect();
    let inner = Rect { x: area.x + 2, width: area.width - 2, ..area };
    let layout = table::fit(&columns, &cells, inner.width);
    table::head(canvas, Rect { height: 1, ..inner }, &columns, &layout);
    let hidden = columns.len().saturating_sub(layout.0.len());
    if hidden > 0 {
        let text = format!("+{hidden} more");
        canvas.put_right(area.x, area.y, area.width, Role::Dim, &text);
    }
    let height = usize::from(area.height - 1);
    let first = scroll::window(picked.map_or(0, |p| p.0), cells.len(), height);
    for (line, (at, row)) in cells.iter().enumerate().skip(first).take(height).enumerate() {
        let y = area.y + 1 + u16::try_from(line).unwrap_or(0);
        table::row(canvas, Rect { y, height: 1, ..inner }, &columns, &layout, row);
        if let Some((_, gate)) = picked.filter(|(r, _)| *r == at)
            && let Some((_, x, wide)) = layout.0.iter().find(|(column, ..)| *column == gate + 1)
        {
            canvas.over(Rect { x: inner.x + x, y, width: *wide, height: 1 }, Role::Selected);
            canvas.cell(area.x, y, Role::Accent, Sign::Cursor.glyph());
        }
    }
    if first + height < cells.len() {
        canvas.cell(area.right() - 1, area.bottom() - 1, Role::Accent, '↓');
    }
}

/// One line per row for a small terminal: what is not go, worst first; the worst rows where not all fit.
pub fn brief(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let Some(question) = question(scene) else { return };
    let worst = |row: &QuestionRow| row.cells.iter().flatten().map(|j| j.verdict).max();
    let mut rows: Vec<&QuestionRow> = question.rows.iter().collect();
    let height = usize::from(area.height);
    if rows.len() > height {
        rows.sort_by_key(|row| std::cmp::Reverse(worst(row)));
    }
    let left_out = rows.len().saturating_sub(height);
    let names = rows.iter().take(height).map(|r| width(row_name(scene, r))).max().unwrap_or(0).min(20);
    for (y, row) in (area.top()..area.bottom()).zip(rows) {
        let mut cells: Vec<(&str, &Judgement)> = question
            .gates
            .iter()
            .zip(&row.cells)
            .filter_map(|(gate, cell)| Some((&**gate, cell.as_deref()?)))
            .collect();
        let gates = cells.len();
        cells.retain(|(_, j)| j.verdict > Verdict::Go);
        cells.sort_by_key(|(_, j)| std::cmp::Reverse(j.verdict));
        let role = if row.region.is_none() { Role::Strong } else { Role::Text };
        canvas.put(area.x + 4, y, u16::try_from(names).unwrap_or(20), role, row_name(scene, row));
        let x = area.x + 6 + u16::try_from(names).unwrap_or(20);
        let mut line = Line::new();
        for (gate, judgement) in &cells {
            let cell = cell(judgement);
            line = line.add(cell.role, cell.text).add(Role::Dim, format!(" {gate}   "));
        }
        let sign = worst(row).map_or(Sign::Quiet, Sign::of);
        canvas.cell(area.x + 2, y, sign.role(), sign.glyph());
        if cells.is_empty() {
            let gates = several(gates, "gate");
            line = Line::of(Role::Dim, if worst(row).is_some() { format!("{gates} go") } else { "–".to_owned() });
        }
        canvas.line(x, y, area.right().saturating_sub(x + 1), &line);
    }
    if left_out > 0 && area.height > 0 {
        let text = format!("+{}", several(left_out, "row"));
        canvas.put_right(area.x, area.bottom() - 1, area.width, Role::Dim, &text);
    }
}

/// The board alone: every row, and below it what the cell under the cursor rests on.
pub fn alone(canvas: &mut Canvas<'_>, area: Rect, state: &State, scene: &Scene<'_>) {
    let rows = question(scene).map_or(0, |q| q.rows.len());
    let most = (area.height / 2).max(4);
    let height = (u16::try_from(rows).unwrap_or(most).saturating_add(1)).min(most).min(area.height);
    draw(canvas, Rect { height, ..area }, state, scene, true);
    let rest = Rect {
        x: area.x + 1,
        y: area.y + height + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(height + 1),
    };
    if let Some((row, gate)) = state.selected(scene) {
        evidence::draw(canvas, rest, scene, (row, gate), None, 0);
    }
}

fn row(scene: &Scene<'_>, row: &QuestionRow, gates: usize) -> Vec<Cell> {
    let entry = row.region.is_none();
    let mut cells = vec![Cell::new(if entry { Role::Strong } else { Role::Text }, row_name(scene, row))];
    for at in 0..gates {
        cells.push(match row.cells.get(at).and_then(Option::as_ref) {
            Some(judgement) => cell(judgement),
            None => Cell::new(Role::Dim, "–"),
        });
    }
    cells
}

/// Glyph and cell text; the verdict's word where the gate says nothing shorter.
pub fn cell(judgement: &Judgement) -> Cell {
    let sign = Sign::of(judgement.verdict);
    let text = if judgement.cell.is_empty() { judgement.verdict.word() } else { &judgement.cell };
    // Healthy is quiet: only what is not go has a colour of its own.
    let role = if judgement.verdict == Verdict::Go { Role::Text } else { sign.role() };
    Cell::new(role, format!("{} {text}", sign.glyph()))
}
