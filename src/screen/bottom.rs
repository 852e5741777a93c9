//! The bottom line: what was said last, the filter, or the keys that work now.

use ratatui::layout::{Position, Rect};

use crate::app::{App, Mode};
use crate::domain::stamp::{SignedDuration, short};
use crate::input::Command;
use crate::look::canvas::width;
use crate::look::{Canvas, Line, Role};

/// Commands in the order in which the bottom line offers them; looking comes after `│`.
const ACTS: [Command; 13] = [
    Command::Promote,
    Command::PromoteNow,
    Command::Approve,
    Command::Hold,
    Command::HoldAll,
    Command::Undo,
    Command::RollBack,
    Command::RollBackUpstream,
    Command::Abort,
    Command::Drain,
    Command::FlagOff,
    Command::Retry,
    Command::Cancel,
];
const LOOKS: [Command; 13] = [
    Command::Explain,
    Command::Gates,
    Command::Events,
    Command::Journal,
    Command::Describe,
    Command::Yaml,
    Command::Pods,
    Command::Copy,
    Command::Fleet,
    Command::Filter,
    Command::Palette,
    Command::Help,
    Command::Quit,
];

/// Draws the bottom line; gives where the cursor stands while the filter is typed.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect) -> Option<Position> {
    if app.filtering {
        let used = canvas.put(area.x + 1, area.y, 2, Role::Key, "/");
        let room = area.width.saturating_sub(used + 2);
        let typed = canvas.put(area.x + 1 + used, area.y, room, Role::Input, &app.picks.filter);
        let x = area.x + 1 + used + typed;
        canvas.put(x + 2, area.y, area.width.saturating_sub(x + 2), Role::Dim, "Enter keeps, Esc clears");
        return Some(Position { x, y: area.y });
    }
    let line = match (&app.notice, &app.setup.mode) {
        (Some(notice), _) => {
            let (role, glyph) = if notice.bad { (Role::Watch, "!") } else { (Role::Accent, "·") };
            Line::of(role, format!("{glyph} ")).add(Role::Text, notice.text.to_string())
        }
        (None, mode) => match (app.modal_offers(), mode) {
            (Some(offers), _) => modal_keys(&offers, area.width.saturating_sub(2)),
            (None, Mode::Watch { .. }) => watch(app),
            (None, _) => keys(app, area.width.saturating_sub(2)),
        },
    };
    canvas.line(area.x + 1, area.y, area.width.saturating_sub(2), &line);
    None
}

/// The keys of what lies over the board, as many as fit.
fn modal_keys(offers: &[(String, &'static str)], room: u16) -> Line {
    let mut line = Line::new();
    for (key, does) in offers {
        let next = Line::of(Role::Key, key.clone()).add(Role::Text, format!(" {does}  "));
        if line.width() + next.width() <= usize::from(room) + 2 {
            line = line.join(next);
        }
    }
    line
}

/// `WATCH · cannot write · data 2s old · next: payments in 14s`
fn watch(app: &App) -> Line {
    let scene = app.scene();
    let regions = scene.service().map(|s| s.region_indexes()).into_iter().flatten();
    let oldest = regions.filter_map(|at| scene.region(at)?.age(scene.clock)).max();
    let data = match oldest {
        Some(age) => format!("data {} old", short(age)),
        None => "no data yet".to_owned(),
    };
    let mut line = Line::of(Role::Accent, "WATCH").add(Role::Dim, format!(" · cannot write · {data}"));
    if let Some((next, left)) = app.next_service() {
        let name = app.engine.fleet.service(next).map_or("?", |s| s.name.as_str());
        let left = SignedDuration::from_secs(i64::try_from(left.as_secs()).unwrap_or(0));
        line = line.add(Role::Dim, format!(" · next: {name} in {}", short(left)));
    }
    line
}

/// The keys that work now, as many as fit; help always fits.
fn keys(app: &App, room: u16) -> Line {
    let word = |command: &Command| {
        let about = command.about().filter(|_| app.offers(*command))?;
        let short = match command {
            // The same key: on such a cell it is about that cell.
            Command::Approve if app.cell_to_accept().is_some() => "accept",
            _ if about.short.is_empty() => about.name,
            _ => about.short,
        };
        Some((app.setup.keymap.key(*command)?, short))
    };
    let acts: Vec<_> = ACTS.iter().filter_map(word).collect();
    let looks: Vec<_> = LOOKS.iter().filter_map(word).collect();
    let wide = |(key, text): &(String, &str)| width(key) + 1 + text.len() + 2;
    let help = looks.iter().find(|(_, t)| *t == "help").map_or(0, wide);
    let mut left = usize::from(room).saturating_sub(help);
    let mut line = Line::new();
    for entry in &acts {
        if wide(entry) <= left {
            left -= wide(entry);
            line = line.add(Role::Key, entry.0.clone()).add(Role::Text, format!(" {}  ", entry.1));
        }
    }
    if !acts.is_empty() && left >= 2 {
        left -= 2;
        line = line.add(Role::Border, "│ ");
    }
    for entry in &looks {
        let is_help = entry.1 == "help";
        if is_help || wide(entry) <= left {
            left = left.saturating_sub(if is_help { 0 } else { wide(entry) });
            line = line.add(Role::Key, entry.0.clone()).add(Role::Dim, format!(" {}  ", entry.1));
        }
    }
    line
}
