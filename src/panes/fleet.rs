//! The fleet board: services × rings, worst first; hundreds of regions fold into rings.

use ratatui::layout::Rect;

use super::journal::scrolled;
use super::scene::{Matcher, Scene};
use crate::domain::fleet::Service;
use crate::domain::id::ServiceIx;
use crate::domain::text::several;
use crate::domain::verdict::Verdict;
use crate::engine::view::{Heard, ReleasePhase, RingPhase, RingRuns, ServiceView};
use crate::input::Command;
use crate::look::glyph::{Sign, release_word};
use crate::look::table::{self, Cell, Column};
use crate::look::{Canvas, Line, Role, scroll};

/// The service under the cursor: it stays under it when rows move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    picked: Option<ServiceIx>,
}

impl State {
    /// A movement.
    pub fn on(&mut self, command: Command, scene: &Scene<'_>) {
        let rows = rows(scene);
        let at = self.selected(scene).and_then(|s| rows.iter().position(|r| *r == s)).unwrap_or(0);
        let to = scrolled(at, command, rows.len().saturating_sub(1));
        self.picked = rows.get(to).copied();
    }

    /// The service under the cursor.
    pub fn selected(&self, scene: &Scene<'_>) -> Option<ServiceIx> {
        let rows = rows(scene);
        self.picked.filter(|p| rows.contains(p)).or_else(|| rows.first().copied())
    }
}

/// Worst first, then the order of the configuration; those that match the filter.
fn rows(scene: &Scene<'_>) -> Vec<ServiceIx> {
    let services = scene.engine.fleet.services.iter().enumerate();
    let mut matcher = (!scene.picks.filter.is_empty()).then(|| Matcher::new(&scene.picks.filter));
    let mut rows: Vec<ServiceIx> = services
        .filter(|(_, s)| matcher.as_mut().is_none_or(|m| m.matches(&searched(s))))
        .map(|(at, _)| at.into())
        .collect();
    rows.sort_by_key(|at| {
        let view = scene.engine.services.get(at.at()).map(|s| &s.view);
        (view.map_or(0, rank), *at)
    });
    rows
}

fn searched(service: &Service) -> String {
    format!("{} {}", service.name, service.owner.as_deref().unwrap_or_default())
}

/// Smaller is worse.
fn rank(view: &ServiceView) -> u8 {
    let lost = view.regions.iter().any(|r| matches!(r.heard, Heard::Lost { .. }));
    match view.release.phase {
        ReleasePhase::Failed => 0,
        ReleasePhase::Blocked => 1,
        _ if !view.alarms.is_empty() => 2,
        _ if lost => 3,
        ReleasePhase::Held => 4,
        ReleasePhase::NoData => 5,
        ReleasePhase::Ready | ReleasePhase::ReadyWithFindings => 6,
        ReleasePhase::RollingOut => 7,
        ReleasePhase::Baking => 8,
        ReleasePhase::Unknown => 9,
        ReleasePhase::Steady => 10,
    }
}

/// What stands in the frame's title.
pub fn title(scene: &Scene<'_>) -> Line {
    let fleet = &scene.engine.fleet;
    let count = |wanted: fn(&ServiceView) -> bool| scene.engine.services.iter().filter(|s| wanted(&s.view)).count();
    let moving = count(|v| !matches!(v.release.phase, ReleasePhase::Steady | ReleasePhase::Unknown));
    let bad = count(|v| matches!(v.release.phase, ReleasePhase::Failed | ReleasePhase::Blocked));
    let held = count(|v| !v.holds.is_empty());
    let mut line = Line::of(Role::Strong, format!("fleet {}", fleet.name))
        .add(Role::Dim, format!(" · {} · {moving} under release", several(fleet.services.len(), "service")));
    if bad > 0 {
        line = line.add(Role::NoGo, format!(" · ✗ {bad} no-go"));
    }
    if held > 0 {
        line = line.add(Role::Held, format!(" · ‖ {held} held"));
    }
    line
}

/// Draws the board.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, scene: &Scene<'_>) {
    if area.height < 2 || area.width < 20 {
        return;
    }
    let rows = rows(scene);
    if rows.is_empty() {
        canvas.put(area.x + 2, area.y, area.width - 2, Role::Dim, "no service matches the filter");
        return;
    }
    let rings = scene.engine.fleet.services.iter().map(|s| s.rings.len()).max().unwrap_or(0);
    let mut columns = vec![Column::words("service", 0).most(30), Column::words("release", 1).most(34)];
    columns.extend((0..rings).map(|at| Column::words(heading(scene, at), 2).most(22)));
    columns.push(Column::numbers("regions", 6));
    columns.push(Column::words("trouble", 3).most(80).least(16));
    let selected = state.selected(scene);
    let height = usize::from(area.height - 1);
    let first = scroll::window(rows.iter().position(|r| Some(*r) == selected).unwrap_or(0), rows.len(), height);
    let shown: Vec<ServiceIx> = rows.iter().copied().skip(first).take(height).collect();
    let cells: Vec<Vec<Cell>> = shown.iter().map(|at| row(scene, *at, rings)).collect();
    let inner = Rect { x: area.x + 2, width: area.width - 2, ..area };
    let layout = table::fit(&columns, &cells, inner.width);
    table::head(canvas, Rect { height: 1, ..inner }, &columns, &layout);
    for (line, (at, row)) in shown.iter().zip(&cells).enumerate() {
        let y = area.y + 1 + u16::try_from(line).unwrap_or(0);
        table::row(canvas, Rect { y, height: 1, ..inner }, &columns, &layout, row);
        if Some(*at) == selected {
            canvas.over(Rect { y, height: 1, ..area }, Role::Selected);
            canvas.cell(area.x, y, Role::Accent, Sign::Cursor.glyph());
        }
    }
    if first + height < rows.len() {
        canvas.cell(area.right() - 1, area.bottom() - 1, Role::Accent, '↓');
    }
}

/// The ring's name where all services share it, else its number.
fn heading(scene: &Scene<'_>, at: usize) -> String {
    let mut names = scene.engine.fleet.services.iter().filter_map(|s| s.rings.get(at)).map(|r| &r.name);
    match names.next() {
        Some(first) if names.all(|n| n == first) => first.to_string(),
        _ => format!("ring {}", at + 1),
    }
}

fn row(scene: &Scene<'_>, at: ServiceIx, rings: usize) -> Vec<Cell> {
    let Some(service) = scene.engine.fleet.service(at) else { return Vec::new() };
    let Some(view) = scene.engine.services.get(at.at()).map(|s| &s.view) else { return Vec::new() };
    let mut cells = vec![Cell::new(Role::Strong, service.name.as_str()), release(view)];
    for ring in 0..rings {
        cells.push(match (service.rings.get(ring), view.rings.get(ring)) {
            (None, _) => Cell::new(Role::Dim, ""),
            (Some(_), None) => Cell::new(Role::NoData, "? unknown"),
            (Some(_), Some(ring)) => {
                let sign = Sign::of_ring(ring.phase);
                let quiet = matches!(ring.phase, RingPhase::Steady | RingPhase::Waiting | RingPhase::Baked);
                let runs = match &ring.runs {
                    RingRuns::Unknown => "?".to_owned(),
                    RingRuns::One(version) => version.to_string(),
                    RingRuns::Mixed(versions) => format!("mixed ({})", versions.len()),
                };
                Cell::new(if quiet { Role::Text } else { sign.role() }, format!("{} {runs}", sign.glyph()))
            }
        });
    }
    cells.push(Cell::new(Role::Dim, service.regions.len().to_string()));
    cells.push(trouble(view));
    cells
}

fn release(view: &ServiceView) -> Cell {
    let sign = Sign::of_release(view.release.phase);
    let versions = match (&view.release.from, &view.release.to) {
        (Some(from), Some(to)) if from != to => format!(" {from} → {to}"),
        _ => String::new(),
    };
    let text = format!("{} {}{versions}", sign.glyph(), release_word(view.release.phase).to_lowercase());
    Cell::new(sign.role(), text)
}

/// The loudest thing about a service, in one cell.
fn trouble(view: &ServiceView) -> Cell {
    let lost = view.regions.iter().filter(|r| matches!(r.heard, Heard::Lost { .. } | Heard::Late(_))).count();
    let verdict = view.question.as_ref().map(|q| q.verdict);
    match () {
        () if !view.alarms.is_empty() => {
            Cell::new(Role::Watch, format!("! {}", view.alarms.first().map_or("", |a| &**a)))
        }
        () if lost > 0 => Cell::new(Role::Stale, format!("~ {lost} of {} unreachable", view.regions.len())),
        () if !view.holds.is_empty() => {
            let reason = view.holds.first().map_or("", |h| &*h.reason);
            Cell::new(Role::Held, format!("‖ held: {reason}"))
        }
        () => match (verdict, view.question.as_ref()) {
            (Some(verdict), Some(question)) if verdict > Verdict::Go => {
                let sign = Sign::of(verdict);
                Cell::new(sign.role(), format!("{} {}", sign.glyph(), question.sentence))
            }
            _ => Cell::new(Role::Dim, ""),
        },
    }
}
