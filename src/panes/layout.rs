//! Where everything stands, by the size of the terminal.
//!
//! ```text
//! small (80×24)      medium (120×36)        large (200×60)
//! top line           top line               top line
//! timeline           ╭ timeline ─╮          ╭ timeline ─────────╮
//! verdict, worst gates ╭ go/no-go ─╮        ╭ go/no-go ─────────╮
//! regions            ╭ regions ──╮          ╭ regions ──────────╮
//!                    ╭ jrnl╮╭evts╮          ╭ charts of the focused region ╮
//!                                           ╭ journal ╮╭ events ╮╭ log ╮
//! keys               keys                   keys
//! ```

use ratatui::layout::Rect;

use super::{Pane, Scene, timeline};

/// Least columns and rows that can show a board.
pub const LEAST: (u16, u16) = (60, 15);

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// Too small for a board.
    Tiny,
    /// Top line, timeline, sentence with the worst gates, regions, keys.
    Small,
    /// With the go/no-go board, journal and events, in frames.
    Medium,
    /// With charts and log.
    Large,
}

/// Where everything stands.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How much is shown.
    pub size: Size,
    /// Panes have frames.
    pub framed: bool,
    /// The top line.
    pub top: Rect,
    /// Between top line and strip.
    pub body: Rect,
    /// Operations on their way.
    pub strip: Rect,
    /// Notice and keys.
    pub bottom: Rect,
    /// The panes of the board.
    pub panes: Vec<(Pane, Rect)>,
}

/// Most rows of gates on a small terminal.
const BRIEF: u16 = 6;

/// How much a terminal shows.
pub fn size(terminal: (u16, u16)) -> Size {
    match terminal {
        (w, h) if w < LEAST.0 || h < LEAST.1 => Size::Tiny,
        (w, h) if w < 110 || h < 30 => Size::Small,
        (w, h) if w < 160 || h < 46 => Size::Medium,
        _ => Size::Large,
    }
}

/// Panes that the board shows at a size.
pub fn shown_panes(scene: &Scene<'_>, terminal: (u16, u16)) -> Vec<Pane> {
    layout(scene, &timeline::State::default(), terminal, 0).panes.into_iter().map(|(p, _)| p).collect()
}

/// Where everything stands.
pub fn layout(scene: &Scene<'_>, timeline: &timeline::State, terminal: (u16, u16), operations: usize) -> Layout {
    let size = size(terminal);
    let (width, height) = terminal;
    let strip = u16::try_from(operations).unwrap_or(3).min(3);
    let top = Rect { x: 0, y: 0, width, height: 1.min(height) };
    let bottom = Rect { x: 0, y: height.saturating_sub(1), width, height: 1.min(height) };
    let body = Rect { x: 0, y: 1, width, height: height.saturating_sub(2 + strip) };
    let strip = Rect { x: 0, y: body.bottom(), width, height: strip };
    let framed = size >= Size::Medium;
    let panes = match size {
        Size::Tiny => Vec::new(),
        Size::Small => small(scene, timeline, body),
        Size::Medium | Size::Large => framed_panes(scene, timeline, body, size),
    };
    Layout { size, framed, top, body, strip, bottom, panes }
}

fn rows_of(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn small(scene: &Scene<'_>, timeline: &timeline::State, body: Rect) -> Vec<(Pane, Rect)> {
    let mut stack = Stack { area: body };
    let rings = rows_of(timeline::rows(scene, timeline).len()).clamp(1, body.height / 3) + 1;
    let timeline = stack.take(rings);
    stack.take(u16::from(body.height > 18));
    let rows = scene.view().and_then(|v| v.question.as_ref()).map_or(0, |q| q.rows.len());
    // The regions need their heading and a few rows; what is left tells the worst gates, row by row.
    let regions = rows_of(scene.service().map_or(1, |s| s.regions.len())).clamp(1, 6) + 2;
    let gates = rows_of(rows).min(stack.area.height.saturating_sub(2 + regions)).min(BRIEF);
    let verdicts = stack.take(2 + gates);
    stack.take(u16::from(body.height > 16));
    vec![(Pane::Timeline, timeline), (Pane::Verdicts, verdicts), (Pane::Regions, stack.rest())]
}

fn framed_panes(scene: &Scene<'_>, timeline: &timeline::State, body: Rect, size: Size) -> Vec<(Pane, Rect)> {
    let mut stack = Stack { area: body };
    let mut panes = Vec::new();
    let rings = rows_of(timeline::rows(scene, timeline).len()).clamp(1, body.height / 4);
    panes.push((Pane::Timeline, stack.take(rings + 2)));
    let rows = scene.view().and_then(|v| v.question.as_ref()).map_or(0, |q| q.rows.len());
    let verdicts = if rows == 0 { 3 } else { (rows_of(rows) + 3).min(body.height / 4).max(5) };
    panes.push((Pane::Verdicts, stack.take(verdicts)));
    let regions = rows_of(scene.service().map_or(1, |s| s.regions.len())).max(1) + 3;
    let left = stack.area.height;
    // Below the regions, something for everything else: at least a few rows of journal.
    let below = if size == Size::Large { 20 } else { 6 };
    let regions = regions.min(left.saturating_sub(below).max(left / 2).max(5));
    panes.push((Pane::Regions, stack.take(regions)));
    if size == Size::Large && stack.area.height >= 18 {
        let charts = stack.area.height.saturating_sub(12).clamp(9, 24);
        panes.push((Pane::Charts, stack.take(charts)));
    }
    let rest = stack.rest();
    if rest.height >= 4 {
        let several: &[Pane] = if size == Size::Large {
            &[Pane::Journal, Pane::Events, Pane::Log]
        } else {
            &[Pane::Journal, Pane::Events]
        };
        let each = rest.width / rows_of(several.len());
        for (at, pane) in several.iter().enumerate() {
            let x = rest.x + each * rows_of(at);
            let width = if at + 1 == several.len() { rest.right() - x } else { each };
            panes.push((*pane, Rect { x, width, ..rest }));
        }
    } else if let Some((_, area)) = panes.last_mut() {
        area.height += rest.height;
    }
    panes
}

struct Stack {
    area: Rect,
}

impl Stack {
    fn take(&mut self, height: u16) -> Rect {
        let height = height.min(self.area.height);
        let taken = Rect { height, ..self.area };
        self.area.y += height;
        self.area.height -= height;
        taken
    }
    fn rest(self) -> Rect {
        self.area
    }
}
