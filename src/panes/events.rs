//! Events: what was seen happen in every region, and the Kubernetes events of the open one.

use ratatui::layout::Rect;

use super::journal::scrolled;
use super::scene::{Scene, utc_minute, utc_time};
use crate::domain::stamp::Timestamp;
use crate::engine::state::Happened;
use crate::input::Command;
use crate::look::glyph::Sign;
use crate::look::{Canvas, Line, Role, scroll};

/// Most lines kept of all regions together.
const MOST: usize = 400;

/// How far it is scrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    scroll: usize,
}

impl State {
    /// A movement.
    pub fn on(&mut self, command: Command, scene: &Scene<'_>) {
        let last = lines(scene).len().saturating_sub(1);
        self.scroll = scrolled(self.scroll, command, last);
    }
}

/// Draws the newest.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, scene: &Scene<'_>, full: bool) {
    let lines = lines(scene);
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
    if lines.is_empty() {
        canvas.put(area.x, area.y, area.width, Role::Dim, "nothing was seen happen yet");
        return;
    }
    scroll::lines(canvas, area, &lines, if full { state.scroll } else { 0 });
}

fn lines(scene: &Scene<'_>) -> Vec<Line> {
    let Some(service) = scene.service() else { return Vec::new() };
    let mut entries: Vec<(Option<Timestamp>, Line)> = Vec::new();
    for at in service.region_indexes() {
        let Some(region) = scene.region(at) else { continue };
        let name = format!("{:<14} ", region.spec.name);
        for happening in &region.state.happenings {
            entries.push((Some(happening.at), Line::of(Role::Dim, name.clone()).join(happened(&happening.what))));
        }
        for event in &region.state.events {
            let role = if event.warning { Role::Watch } else { Role::Dim };
            let mark = if event.warning { "! " } else { "" };
            let line = Line::of(Role::Dim, name.clone())
                .add(role, format!("{mark}{} ", event.reason))
                .add(Role::Text, format!("{} {}", event.about, event.message));
            entries.push((event.at, line));
        }
    }
    entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    entries.truncate(MOST);
    let today = scene.now().strftime("%Y%m%d").to_string();
    let time = |at: Option<Timestamp>| match at {
        Some(at) if at.strftime("%Y%m%d").to_string() == today => format!("{}  ", utc_time(at)),
        Some(at) => format!("{}  ", utc_minute(at)),
        None => "?         ".to_owned(),
    };
    entries.into_iter().map(|(at, line)| Line::of(Role::Dim, time(at)).join(line)).collect()
}

fn happened(what: &Happened) -> Line {
    let sign = |sign: Sign, text: String| Line::of(sign.role(), format!("{} ", sign.glyph())).add(Role::Text, text);
    match what {
        Happened::Template { version, template } => {
            sign(Sign::Moving, format!("now {version}, template {}", template.short()))
        }
        Happened::Settled => sign(Sign::Go, "settled".to_owned()),
        Happened::Failed => sign(Sign::NoGo, "progress deadline exceeded".to_owned()),
        Happened::Paused => sign(Sign::Held, "paused".to_owned()),
        Happened::Unpaused => sign(Sign::Go, "un-paused".to_owned()),
        Happened::Weight(0) => sign(Sign::Drained, "weight 0: out of traffic".to_owned()),
        Happened::Weight(weight) => sign(Sign::Quiet, format!("weight {weight}")),
        Happened::Gap => sign(Sign::NoData, "changes may have been missed before this".to_owned()),
        Happened::Deleted => sign(Sign::NoGo, "the workload is gone".to_owned()),
    }
}
