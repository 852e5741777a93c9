//! What one cell of the go/no-go board rests on: verdict, chart, numbers, query, objects, and when it may change.

use jiff::tz::TimeZone;
use ratatui::layout::Rect;

use super::axis::{self, Axis};
use super::scene::{Scene, utc_minute};
use super::verdicts::row_name;
use crate::domain::fleet::Unit;
use crate::domain::picture::{HourSeen, Hours, Picture, Point, Series};
use crate::domain::stamp::{Timestamp, WINDOW, short};
use crate::domain::text::{safe, without_subject};
use crate::domain::verdict::{Judgement, Verdict};
use crate::engine::view::QuestionRow;
use crate::look::chart::{Chart, chart};
use crate::look::glyph::Sign;
use crate::look::{Canvas, Line, Role, scroll};

/// Lines below the plot of a chart: marks, two axes, what the signs mean.
const BELOW: u16 = 4;
/// Least lines of a plot.
const PLOT: u16 = 3;
/// Most lines of a plot.
const TALLEST: u16 = 18;
/// Columns of the values beside a plot.
const SCALE: u16 = 9;
/// Longest query that is shown, in bytes.
const LONGEST: usize = 4_000;

/// `ap-south-1 · errors`
pub fn title(scene: &Scene<'_>, row: usize, gate: usize) -> String {
    let question = scene.view().and_then(|v| v.question.as_ref());
    let found = question.and_then(|q| Some((q.rows.get(row)?, q.gates.get(gate)?)));
    found.map_or_else(|| "evidence".to_owned(), |(row, gate)| format!("{} · {gate}", row_name(scene, row)))
}

/// Draws it into an area, with what there is to say of a trace; `offset` scrolls the text, the chart stays.
pub fn draw(
    canvas: &mut Canvas<'_>,
    area: Rect,
    scene: &Scene<'_>,
    (row, gate): (usize, usize),
    trace: Option<&Line>,
    offset: usize,
) {
    let question = scene.view().and_then(|v| v.question.as_ref());
    let found = question.and_then(|q| q.rows.get(row));
    let Some((found, judgement)) = found.and_then(|r| Some((r, r.cells.get(gate)?.as_ref()?))) else {
        canvas.put(area.x, area.y, area.width, Role::Dim, "this gate does not apply here");
        return;
    };
    let wide = usize::from(area.width.max(1));
    let mut head = said(scene, found, judgement, wide);
    head.truncate(usize::from(area.height / 2).max(1));
    let mut text: Vec<Line> = trace.into_iter().flat_map(|l| l.wrap(wide, 4)).collect();
    text.extend(rests_on(scene, found, judgement).iter().flat_map(|l| l.wrap(wide, 4)));
    let mut y = area.y;
    for line in &head {
        canvas.line(area.x, y, area.width, line);
        y += 1;
    }
    let left = area.bottom().saturating_sub(y);
    let text_wants = u16::try_from(text.len()).unwrap_or(u16::MAX).saturating_add(1);
    let picture = scene.engine.picture(scene.at(), (row, gate));
    let zone = found.region.and_then(|r| scene.region(r)).and_then(|r| r.zone());
    let used = match &picture {
        Some(Picture::Series(series)) => {
            // The chart takes what the text leaves, and half of it where there is not enough for both.
            let high = left.saturating_sub(text_wants).max(left / 2 + 1).min(PLOT.max(TALLEST) + BELOW);
            if high >= PLOT + BELOW && area.width >= 40 {
                draw_series(canvas, Rect { y, height: high, ..area }, series, zone.as_ref());
                high + 1
            } else {
                0
            }
        }
        Some(Picture::Hours(hours)) if left >= 8 && area.width >= 40 => {
            draw_hours(canvas, Rect { y, height: 4, ..area }, hours) + 1
        }
        _ => 0,
    };
    let rest = Rect { y: y + used, height: left.saturating_sub(used), ..area };
    scroll::lines(canvas, rest, &text, offset);
}

/// The verdict, and when it may change.
fn said(scene: &Scene<'_>, row: &QuestionRow, judgement: &Judgement, wide: usize) -> Vec<Line> {
    let sign = Sign::of(judgement.verdict);
    let sentence = without_subject(row_name(scene, row), &judgement.sentence);
    let verdict = Line::of(sign.role(), format!("{} {}", sign.glyph(), judgement.verdict.word()))
        .add(Role::Text, format!(" — {sentence}"));
    let zone = row.region.and_then(|r| scene.region(r)).and_then(|r| r.zone());
    let turn = Line::of(Role::Dim, turn(judgement, scene.now(), zone));
    let mut lines = verdict.wrap(wide, 4);
    lines.extend(turn.wrap(wide, 4));
    lines.push(Line::new());
    lines
}

/// When the answer may change.
fn turn(judgement: &Judgement, now: Timestamp, zone: Option<TimeZone>) -> String {
    match (judgement.verdict, judgement.until) {
        (_, Some(until)) if until > now => {
            let local = zone.map(|z| {
                let name = z.iana_name().unwrap_or("local").to_owned();
                format!(" ({} {name})", until.to_zoned(z).strftime("%-d %b %H:%M"))
            });
            let local = local.unwrap_or_default();
            format!("may change by itself in {}, {} UTC{local}", short(until.duration_since(now)), utc_minute(until))
        }
        (Verdict::Go, _) => "holds as long as the evidence does: judged anew with every sample".to_owned(),
        (Verdict::Findings, _) => "goes on when a person has read the findings, and types".to_owned(),
        (Verdict::Wait, _) => "when it may change cannot be told".to_owned(),
        (Verdict::NoData, _) => "changes when the evidence comes".to_owned(),
        (Verdict::NoGo, _) if judgement.acceptable.is_some() => {
            "changes with the evidence, or when a person accepts the stretch with a reason".to_owned()
        }
        (Verdict::NoGo, _) => "changes with the evidence, or when somebody acts; not by waiting".to_owned(),
    }
}

/// Findings, evidence, and the objects that it is bound to.
fn rests_on(scene: &Scene<'_>, row: &QuestionRow, judgement: &Judgement) -> Vec<Line> {
    let mut lines: Vec<Line> =
        judgement.findings.iter().map(|f| Line::of(Role::Watch, format!("! {}", f.said()))).collect();
    lines.push(Line::of(Role::Accent, "rests on"));
    if judgement.evidence.is_empty() {
        lines.push(Line::of(Role::Dim, "  the sentence above: there is nothing more to show"));
    }
    lines.extend(judgement.evidence.iter().map(|e| Line::of(Role::Text, format!("  {}", safe(e, LONGEST)))));
    let Some(region) = row.region.and_then(|r| scene.region(r)) else { return lines };
    let cluster = scene.engine.fleet.cluster_name(region.spec.cluster);
    let workload = &region.spec.workload;
    let object = format!("  {} {}/{} on {cluster}", workload.kind, workload.namespace, workload.name);
    lines.push(match &region.state.workload {
        None => Line::of(Role::NoData, format!("{object}: not seen")),
        Some(w) => {
            let revision = w.revision.map(|r| format!(", revision {r}")).unwrap_or_default();
            let text = format!(
                "{object}: {}, template {}, generation {}{revision}",
                w.version,
                w.template.short(),
                w.generation
            );
            Line::of(Role::Text, text)
        }
    });
    if let Some(settled) = region.state.settled {
        let text = format!("  settled {} UTC, {}", utc_minute(settled.at), settled.source.text());
        lines.push(Line::of(Role::Text, text));
    }
    if let Some(trouble) = region.trouble(scene.clock) {
        lines.push(Line::of(Role::Stale, format!("  ~ {trouble}: the objects are as last known")));
    }
    lines
}

/// Windows that one column shows.
fn windows(points: &[Point], at: usize, of: usize) -> &[Point] {
    let of = of.max(1);
    let from = at * points.len() / of;
    let to = ((at + 1) * points.len() / of).max(from + 1);
    points.get(from..to.min(points.len())).unwrap_or_default()
}

/// Of several windows that share a dot, the one that matters: furthest outside, or nearest to its bound.
fn worst(points: &[Point]) -> Option<&Point> {
    points.iter().filter(|p| p.value.is_some_and(f64::is_finite)).max_by(|a, b| a.excess().total_cmp(&b.excess()))
}

fn draw_series(canvas: &mut Canvas<'_>, area: Rect, series: &Series, zone: Option<&TimeZone>) {
    let points = &series.points;
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        canvas.put(area.x, area.y, area.width, Role::Dim, "no window is complete yet");
        return;
    };
    let plot = Rect {
        x: area.x + SCALE,
        y: area.y,
        width: area.width.saturating_sub(SCALE + 1),
        height: area.height.saturating_sub(BELOW).min(TALLEST),
    };
    let (columns, dots) = (usize::from(plot.width), usize::from(plot.width) * 2);
    let column = |at: usize| windows(points, at, columns);
    let of = |pick: fn(&Point) -> Option<f64>| -> Vec<Option<f64>> {
        (0..columns).map(|at| column(at).iter().rev().find_map(pick).filter(|v| v.is_finite())).collect()
    };
    let bounds = [of(|p| p.low), of(|p| p.high)];
    let base = of(|p| p.base);
    let (low, top) = scale(points);
    let drawn = Chart {
        points: (0..dots).map(|at| worst(windows(points, at, dots)).and_then(|p| p.value)).collect(),
        band: base.iter().map(|b| b.map(|b| (b, b))).collect(),
        bounds,
        low,
        top,
    };
    chart(canvas, plot, &drawn);
    for y in plot.top()..plot.bottom() {
        canvas.cell(plot.x.saturating_sub(1), y, Role::Border, '│');
    }
    values(canvas, plot, series, &drawn);
    marks(canvas, Rect { y: plot.bottom(), height: 1, ..plot }, points);
    let begin = first.end.saturating_sub(WINDOW).unwrap_or(first.end);
    let time = Axis::span(begin, last.end, plot.width);
    axis::ticks(canvas, Rect { y: plot.bottom() + 1, height: 1, ..plot }, &time, &TimeZone::UTC, "");
    canvas.put_right(area.x, plot.bottom() + 1, SCALE - 2, Role::Dim, "UTC");
    if let Some(zone) = zone {
        axis::ticks(canvas, Rect { y: plot.bottom() + 2, height: 1, ..plot }, &time, zone, "");
        let name = zone.iana_name().and_then(|n| n.rsplit('/').next()).unwrap_or("local");
        canvas.put_right(area.x, plot.bottom() + 2, SCALE - 2, Role::Dim, name);
    }
    legend(canvas, Rect { y: plot.bottom() + 3, height: 1, ..area }, series);
}

/// From zero, unless everything is far from it; with room above.
fn scale(points: &[Point]) -> (f64, f64) {
    let all = || points.iter().flat_map(|p| [p.value, p.base, p.low, p.high]).flatten().filter(|v| v.is_finite());
    let top = all().fold(0.0, f64::max) * 1.1;
    let least = all().fold(f64::INFINITY, f64::min);
    let low = if least.is_finite() && least > top * 0.5 { least * 0.9 } else { 0.0 };
    // A line at zero is still a line.
    if top > low { (low, top) } else { (low, low + 1.0) }
}

/// Values beside the plot: the top, the bottom, and where the bound lies now.
fn values(canvas: &mut Canvas<'_>, plot: Rect, series: &Series, drawn: &Chart) {
    let at = plot.x.saturating_sub(SCALE);
    let show = |v: f64| if v == 0.0 && series.unit != Unit::Number { "0".to_owned() } else { series.unit.show(v) };
    canvas.put_right(at, plot.y, SCALE - 2, Role::Dim, &show(drawn.top));
    canvas.put_right(at, plot.bottom() - 1, SCALE - 2, Role::Dim, &show(drawn.low));
    let last = |bounds: &[Option<f64>]| bounds.iter().rev().find_map(|b| *b);
    for bound in drawn.bounds.iter().filter_map(|b| last(b)) {
        let rows = f64::from(plot.height.saturating_sub(1));
        let share = ((bound - drawn.low) / (drawn.top - drawn.low)).clamp(0.0, 1.0);
        // The cast is of a row inside the plot.
        let y = plot.bottom() - 1 - (share * rows).round() as u16;
        canvas.put_right(at, y, SCALE - 2, Role::Watch, &show(bound));
    }
}

/// Below the plot: what was outside, accepted or unknown in each column.
fn marks(canvas: &mut Canvas<'_>, area: Rect, points: &[Point]) {
    for (at, x) in (area.left()..area.right()).enumerate() {
        let here = windows(points, at, usize::from(area.width));
        let outside = |p: &Point| p.outside() && !p.accepted;
        if here.iter().any(outside) {
            canvas.cell(x, area.y, Role::NoGo, Sign::NoGo.glyph());
        } else if here.iter().any(|p| p.value.is_none()) {
            canvas.cell(x, area.y, Role::NoData, Sign::NoData.glyph());
        } else if here.iter().any(Point::outside) {
            canvas.cell(x, area.y, Role::Held, 'a');
        }
    }
}

fn legend(canvas: &mut Canvas<'_>, area: Rect, series: &Series) {
    let points = &series.points;
    let mut line = Line::of(Role::Spark, "⠤ ").add(Role::Dim, format!("{}, windows of 5 min", series.name));
    if points.iter().any(|p| p.low.is_some() || p.high.is_some()) {
        line = line.add(Role::Watch, "  ╌ ").add(Role::Dim, "bound");
    }
    if let Some(base) = &series.base {
        line = line.add(Role::Baseline, "  ░ ").add(Role::Dim, base.to_string());
    }
    let several = |sign: Role, glyph: char, n: usize, word: &str| match n {
        0 => Line::new(),
        n => Line::of(sign, format!("  {glyph} ")).add(Role::Dim, format!("{n} {word}")),
    };
    let count = |which: fn(&Point) -> bool| points.iter().filter(|p| which(p)).count();
    line = line.join(several(Role::NoGo, Sign::NoGo.glyph(), count(|p| p.outside() && !p.accepted), "outside"));
    line = line.join(several(Role::Held, 'a', count(|p| p.outside() && p.accepted), "accepted"));
    line = line.join(several(Role::NoData, Sign::NoData.glyph(), count(|p| p.value.is_none()), "unknown"));
    canvas.line(area.x, area.y, area.width, &line);
}

/// The hours of a day as a strip of 24 cells; gives how many lines it took.
fn draw_hours(canvas: &mut Canvas<'_>, area: Rect, hours: &Hours) -> u16 {
    let each: u16 = if area.width >= 24 * 3 + 2 { 3 } else { 1 };
    for (hour, seen) in hours.seen.iter().enumerate() {
        let x = area.x + u16::try_from(hour).unwrap_or(0) * each;
        let (role, glyph) = match seen {
            HourSeen::Seen => (Role::Go, '█'),
            HourSeen::Partly => (Role::Wait, '▄'),
            HourSeen::Missing => (Role::Wait, '░'),
            HourSeen::Free => (Role::Dim, '·'),
        };
        for x in x..x + each.saturating_sub(1).max(1) {
            canvas.cell(x, area.y, role, glyph);
        }
        if each == 3 || hour % 6 == 0 {
            canvas.put(x, area.y + 1, 2, Role::Dim, &format!("{hour:02}"));
        }
        if hour == hours.now {
            canvas.put(x, area.y + 2, 5, Role::Now, "▲now");
        }
    }
    let legend = Line::of(Role::Dim, format!("hours in {}: ", hours.zone))
        .add(Role::Go, "█ ")
        .add(Role::Dim, "seen  ")
        .add(Role::Wait, "▄ ")
        .add(Role::Dim, "partly  ")
        .add(Role::Wait, "░ ")
        .add(Role::Dim, "not yet  · not asked for");
    canvas.line(area.x, area.y + 3, area.width, &legend);
    if hours.instants.is_empty() {
        return 4;
    }
    let mut line = Line::of(Role::Dim, "instants: ");
    for (name, seen) in &hours.instants {
        let sign = if *seen { Sign::Go } else { Sign::Wait };
        line = line.add(sign.role(), format!("{} ", sign.glyph())).add(Role::Text, format!("{name}   "));
    }
    canvas.line(area.x, area.y + 4, area.width, &line);
    5
}
