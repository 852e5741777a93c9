//! Rings over time: history solid, projection dotted, the now-line always in view.

use ratatui::layout::Rect;

use super::axis::{self, Axis};
use super::scene::{Scene, utc_minute};
use crate::domain::id::{RegionIx, RingIx};
use crate::domain::stamp::{SignedDuration, Timestamp, short};
use crate::engine::view::{RingPhase, RingView, Segment, SegmentKind};
use crate::input::Command;
use crate::look::glyph::{Sign, ring_word};
use crate::look::{Canvas, Role, scroll};

/// Zoom, pan and what is expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Steps of zoom: each halves the time shown.
    zoom: i32,
    /// Steps of pan: each an eighth of the time shown; to the right is later.
    pan: i32,
    /// One line per region.
    expanded: bool,
    /// The row under the cursor.
    row: usize,
}

/// Most zoom either way: from a minute to years.
const MOST_ZOOM: i32 = 14;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A ring, with all its regions.
    Ring(RingIx),
    /// One region of the ring above.
    Region(RegionIx),
}

/// Rows from the first ring down.
pub fn rows(scene: &Scene<'_>, state: &State) -> Vec<Row> {
    let Some(service) = scene.service() else { return Vec::new() };
    let mut rows = Vec::new();
    for (at, ring) in service.rings.iter().enumerate() {
        rows.push(Row::Ring(at.into()));
        if state.expanded && ring.regions.len() > 1 {
            rows.extend(ring.regions.iter().map(|r| Row::Region(*r)));
        }
    }
    rows
}

impl State {
    /// A movement, zoom or pan.
    pub fn on(&mut self, command: Command, scene: &Scene<'_>) {
        let last = rows(scene, self).len().saturating_sub(1);
        match command {
            Command::ZoomIn => self.zoom = (self.zoom + 1).min(MOST_ZOOM),
            Command::ZoomOut => self.zoom = (self.zoom - 1).max(-MOST_ZOOM),
            Command::ZoomFit => (self.zoom, self.pan) = (0, 0),
            Command::PanLeft | Command::Left => self.pan = (self.pan - 1).max(-axis::MOST_PAN),
            Command::PanRight | Command::Right => self.pan = (self.pan + 1).min(axis::MOST_PAN),
            Command::Expand => self.expanded = !self.expanded,
            Command::Up | Command::PageUp => self.row = self.row.saturating_sub(1),
            Command::Down | Command::PageDown => self.row = (self.row + 1).min(last),
            Command::Top => self.row = 0,
            Command::Bottom => self.row = last,
            _ => {}
        }
        self.row = self.row.min(rows(scene, self).len().saturating_sub(1));
    }

    /// The ring under the cursor.
    pub fn selected(&self, scene: &Scene<'_>) -> Option<RingIx> {
        match rows(scene, self).get(self.row)? {
            Row::Ring(ring) => Some(*ring),
            Row::Region(region) => Some(scene.region(*region)?.spec.ring),
        }
    }
}

/// Columns of the names on the left.
fn names(scene: &Scene<'_>, width: u16) -> u16 {
    let Some(service) = scene.service() else { return 10 };
    let longest = service.rings.iter().map(|r| crate::look::canvas::width(&ring_name(r))).max().unwrap_or(0);
    let most = if width >= 110 { 28 } else { 18 };
    u16::try_from(longest).unwrap_or(most).clamp(6, most) + 5
}

fn ring_name(ring: &crate::domain::fleet::Ring) -> String {
    match &ring.label {
        Some(label) => format!("{} {label}", ring.name),
        None => ring.name.to_string(),
    }
}

/// The axis for an area of that width.
fn axis_for(scene: &Scene<'_>, state: &State, width: u16) -> Axis {
    let segments = scene.view().map(|v| v.segments.as_slice()).unwrap_or_default();
    let eta = scene.view().and_then(|v| v.eta);
    let ready = scene.view().into_iter().flat_map(|v| &v.rings).filter_map(|r| r.ready_at);
    // The release on the board, from its first deploy; all that is known where there is none.
    let version = scene.view().and_then(|v| v.release.to.as_ref());
    let of_release = |s: &&Segment| !s.projected && s.version.is_some() && s.version.as_ref() == version;
    let begun = |s: &&Segment| matches!(s.kind, SegmentKind::Deploy | SegmentKind::Promoted | SegmentKind::Bake);
    let first = segments.iter().filter(of_release).filter(begun).map(|s| s.from).min();
    let first = first.or_else(|| segments.iter().filter(|s| !s.projected).map(|s| s.from).min());
    let last = segments.iter().filter_map(|s| s.to).chain(eta).chain(ready).max();
    Axis::fit(scene.now(), first, last, state.zoom, state.pan, width)
}

/// The ring that is asked about, and the earliest moment at which it could be promoted: windows counted in.
pub fn next_promotion(scene: &Scene<'_>) -> Option<(RingIx, Timestamp)> {
    let view = scene.view()?;
    let ring = view.question.as_ref()?.ring;
    let own = view.rings.get(ring.at()).and_then(|r| r.promote_at);
    let before = || view.rings.get(ring.at().checked_sub(1)?)?.ready_at;
    own.or_else(before).map(|at| (ring, at))
}

/// Draws the timeline; `area` holds one line of ticks, then the rows, in a frame or not.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, scene: &Scene<'_>, look: Look) {
    let top = area.y;
    let inner = if look.framed {
        crate::look::frame::inside(area)
    } else {
        Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
    };
    if inner.width < 30 || inner.height == 0 {
        return;
    }
    let left = names(scene, inner.width);
    let plot = Rect { x: inner.x + left, width: inner.width - left, ..inner };
    let axis = axis_for(scene, state, plot.width);
    let rows = rows(scene, state);
    let first = scroll::window(state.row, rows.len(), usize::from(inner.height));
    let marked = Role::Now;
    for (line, row) in rows.iter().enumerate().skip(first).take(usize::from(inner.height)) {
        let y = inner.y + u16::try_from(line - first).unwrap_or(0);
        canvas.cell(plot.x + axis.now_column(), y, marked, '┊');
        name(canvas, Rect { y, width: left, height: 1, ..inner }, scene, row);
        draw_row(canvas, Rect { y, height: 1, ..plot }, scene, row, &axis);
        if look.focused && line == state.row {
            canvas.over(Rect { y, height: 1, ..inner }, Role::Selected);
            canvas.cell(inner.x, y, Role::Accent, Sign::Cursor.glyph());
        }
    }
    axis::ticks(canvas, Rect { y: top, height: 1, ..plot }, &axis, &jiff::tz::TimeZone::UTC, "UTC");
    canvas.put(plot.x + axis.now_column(), top, 4, Role::Now, "┊now");
    let zone = scene.selected().and_then(|r| Some((r.zone()?, r.spec.name.as_str())));
    if let Some((zone, region)) = zone
        && look.framed
    {
        let bottom = Rect { y: area.bottom() - 1, height: 1, ..plot };
        axis::ticks(canvas, bottom, &axis, &zone, "");
        let label = format!(" {region} time ");
        canvas.put(inner.x + 1, area.bottom() - 1, left.saturating_sub(2), Role::Dim, &label);
        let local = scene.now().to_zoned(zone).strftime("┊%H:%M").to_string();
        canvas.put(plot.x + axis.now_column(), area.bottom() - 1, 6, Role::Now, &local);
    }
}

/// How the timeline is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// In a frame, whose borders carry the ticks.
    pub framed: bool,
    /// Keys go to it.
    pub focused: bool,
}

fn name(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, row: &Row) {
    let room = area.width.saturating_sub(4);
    match row {
        Row::Ring(at) => {
            let Some(ring) = scene.service().and_then(|s| s.ring(*at)) else { return };
            let view = scene.view().and_then(|v| v.rings.get(at.at()));
            let phase = view.map_or(RingPhase::Unknown, |r| r.phase);
            let sign = Sign::of_ring(phase);
            canvas.cell(area.x + 1, area.y, sign.role(), sign.glyph());
            let used = canvas.put(area.x + 3, area.y, room, Role::Strong, ring.name.as_str());
            if let Some(label) = &ring.label {
                canvas.put(area.x + 4 + used, area.y, room.saturating_sub(used + 1), Role::Dim, label);
            }
        }
        Row::Region(at) => {
            canvas.put(area.x + 5, area.y, room.saturating_sub(2), Role::Dim, scene.region_name(*at));
        }
    }
}

fn draw_row(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, row: &Row, axis: &Axis) {
    let Some(view) = scene.view() else { return };
    let Some(service) = scene.service() else { return };
    let mine = |s: &&Segment| match row {
        Row::Ring(ring) => service.region(s.region).is_some_and(|r| r.ring == *ring),
        Row::Region(region) => s.region == *region,
    };
    let mut segments: Vec<&Segment> = view.segments.iter().filter(mine).collect();
    // What must not be hidden is drawn last.
    segments.sort_by_key(|s| (weight(s.kind), s.from));
    let mut end = 0;
    for segment in segments {
        end = end.max(draw_segment(canvas, area, segment, axis, scene.now()));
    }
    if let Row::Ring(at) = row
        && let Some(ring) = view.rings.get(at.at())
    {
        label(canvas, area, scene, (*at, ring), axis, end);
    }
}

/// Drawing order: the later covers the earlier.
fn weight(kind: SegmentKind) -> u8 {
    match kind {
        SegmentKind::Wait => 0,
        SegmentKind::Bake => 1,
        SegmentKind::Deploy => 2,
        SegmentKind::Drained => 3,
        SegmentKind::Paused => 4,
        SegmentKind::Gap => 5,
        // Of two moves the newer one counts.
        SegmentKind::Promoted | SegmentKind::RolledBack => 6,
        SegmentKind::Failed => 8,
    }
}

/// Draws one piece; gives its last column.
fn draw_segment(canvas: &mut Canvas<'_>, area: Rect, segment: &Segment, axis: &Axis, now: Timestamp) -> u16 {
    let end = segment.to.unwrap_or(now).max(segment.from);
    let Some((from, to)) = axis.columns(segment.from, end) else { return 0 };
    let (from, to) = (area.x + from, area.x + to);
    let fill = |canvas: &mut Canvas<'_>, role, c| {
        for x in from..=to {
            canvas.cell(x, area.y, role, c);
        }
    };
    match (segment.kind, segment.projected) {
        (SegmentKind::Deploy, projected) => {
            let role = if projected { Role::Projected } else { Role::Deploy };
            fill(canvas, role, if projected { '▒' } else { '█' });
            if to > from {
                canvas.cell(from, area.y, role, '▐');
                canvas.cell(to, area.y, role, '▌');
            }
        }
        (SegmentKind::Bake, true) => fill(canvas, Role::Projected, '░'),
        (SegmentKind::Bake, false) => fill(canvas, Role::Bake, '▒'),
        (SegmentKind::Wait, true) => fill(canvas, Role::Projected, '·'),
        (SegmentKind::Wait, false) => {
            canvas.cell(from, area.y, Role::Go, Sign::Go.glyph());
        }
        (SegmentKind::Paused, _) => fill(canvas, Role::Held, Sign::Held.glyph()),
        (SegmentKind::Drained, _) => fill(canvas, Role::Drained, Sign::Drained.glyph()),
        (SegmentKind::Failed, _) => fill(canvas, Role::NoGo, Sign::NoGo.glyph()),
        (SegmentKind::Gap, _) => fill(canvas, Role::NoData, '?'),
        (SegmentKind::RolledBack, _) => canvas.cell(from, area.y, Role::RolledBack, Sign::RolledBack.glyph()),
        (SegmentKind::Promoted, _) => canvas.cell(from, area.y, Role::Accent, Sign::Promoted.glyph()),
    }
    to
}

/// `22h38m/24h` before the now-line; `promote from 15:54` behind it.
fn label(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    (at, ring): (RingIx, &RingView),
    axis: &Axis,
    end: u16,
) {
    let now = scene.now();
    let now_column = area.x + axis.now_column();
    let past = match (ring.phase, ring.bake_start) {
        (RingPhase::Baking, Some(start)) => {
            let done = now.duration_since(start.at).max(SignedDuration::ZERO);
            let all = SignedDuration::try_from(ring.bake).unwrap_or(SignedDuration::ZERO);
            Some((Role::Wait, format!(" {}/{} ", short(done), short_round(all))))
        }
        (RingPhase::Held | RingPhase::Failed | RingPhase::Blocked | RingPhase::RollingOut, _) => {
            let sign = Sign::of_ring(ring.phase);
            Some((sign.role(), format!(" {} {} ", sign.glyph(), ring_word(ring.phase))))
        }
        _ => None,
    };
    if let Some((role, text)) = past {
        let wide = u16::try_from(crate::look::canvas::width(&text)).unwrap_or(u16::MAX);
        if wide <= axis.now_column() {
            canvas.put(now_column - wide, area.y, wide, role, &text);
        } else {
            canvas.put(now_column + 1, area.y, area.right().saturating_sub(now_column + 1), role, &text);
        }
    }
    let question = scene.view().and_then(|v| v.question.as_ref());
    let asks_next = question.is_some_and(|q| q.ring.at() == at.at() + 1);
    let last = scene.service().is_some_and(|s| at.at() + 1 == s.rings.len());
    let eta = scene.view().and_then(|v| v.eta).filter(|e| last && *e > now);
    let next = next_promotion(scene).map(|(_, at)| at).filter(|at| asks_next && *at > now);
    let text = match (next, eta) {
        (Some(ready), _) => format!("promote from {}", clock_of(ready, now)),
        (None, Some(eta)) => format!("done ~{}", clock_of(eta, now)),
        (None, None) => return,
    };
    // Behind the projection; over its end where there is no room.
    let wide = u16::try_from(crate::look::canvas::width(&text)).unwrap_or(u16::MAX);
    let free = end.max(now_column) + 2;
    let from = free.min(area.right().saturating_sub(wide)).max(now_column + 1);
    if from <= end + 1 {
        canvas.put(from.saturating_sub(1), area.y, 1, Role::Dim, " ");
    }
    canvas.put(from, area.y, area.right().saturating_sub(from), Role::Dim, &text);
}

/// `24h` where `short` says `1d00h`: a bake is thought of in hours.
fn short_round(length: SignedDuration) -> String {
    let hours = length.as_hours();
    if length.as_secs() == hours * 3_600 && (1..=72).contains(&hours) {
        return format!("{hours}h");
    }
    let text = short(length);
    ["00m", "00s", "00h"].iter().find_map(|z| text.strip_suffix(z)).map_or(text.clone(), str::to_owned)
}

/// `15:54` today, `22 Nov 11:00` else.
pub fn clock_of(at: Timestamp, now: Timestamp) -> String {
    let same = at.strftime("%Y%m%d").to_string() == now.strftime("%Y%m%d").to_string();
    if same { at.strftime("%H:%M").to_string() } else { utc_minute(at) }
}
