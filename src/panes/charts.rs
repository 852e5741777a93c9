//! Charts of the focused region: the last hour of each column, over the band of the baseline.

use ratatui::layout::Rect;

use super::regions::reading;
use super::scene::Scene;
use crate::domain::fleet::Column as Metric;
use crate::look::chart::{Chart, chart};
use crate::look::{Canvas, Line, Role};

/// Narrowest chart.
const NARROWEST: u16 = 34;

/// What stands in the frame's title.
pub fn title(scene: &Scene<'_>) -> Line {
    match scene.selected() {
        Some(region) => Line::of(Role::Strong, region.spec.name.as_str())
            .add(Role::Dim, " · last hour over the band of the regions on the old version"),
        None => Line::of(Role::Dim, "no region is selected"),
    }
}

/// Draws as many charts beside each other as fit, in two rows where there is height.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>) {
    let Some(service) = scene.service() else { return };
    if area.height < 4 || service.columns.is_empty() {
        return;
    }
    let compared = super::regions::compared(&service.columns).map(|c| c.name.clone());
    let mut shown: Vec<&Metric> = service.columns.iter().collect();
    // The compared column first, then the slowest latency, traffic, then the order of the file.
    shown.sort_by_key(|m| (Some(&m.name) != compared.as_ref(), !m.name.as_str().contains("99"), !m.is_traffic));
    let beside = usize::from((area.width / NARROWEST).max(1));
    let rows = if area.height >= 16 && shown.len() > beside { 2 } else { 1 };
    let beside = beside.min(shown.len().div_ceil(rows));
    let of = |n: usize| u16::try_from(n).unwrap_or(1).max(1);
    let (wide, high) = (area.width / of(beside), area.height / of(rows));
    for (at, metric) in shown.into_iter().take(beside * rows).enumerate() {
        let (column, row) = (of(at % beside + 1) - 1, of(at / beside + 1) - 1);
        let place =
            Rect { x: area.x + wide * column, y: area.y + high * row, width: wide.saturating_sub(2), height: high };
        one(canvas, place, scene, metric);
    }
}

fn one(canvas: &mut Canvas<'_>, area: Rect, scene: &Scene<'_>, metric: &Metric) {
    let Some(region) = scene.selected() else { return };
    let name = metric.name.as_str();
    let now = reading(region.state.current.get(name), metric, scene);
    let used = canvas.put(area.x, area.y, area.width, Role::Dim, &format!("{} ", metric.title));
    let unit = if matches!(metric.unit, crate::domain::fleet::Unit::Seconds | crate::domain::fleet::Unit::Millis) {
        " ms"
    } else {
        ""
    };
    canvas.put(area.x + used, area.y, area.width.saturating_sub(used), now.role, &format!("{}{unit}", now.text));
    let points: Vec<Option<f64>> = history(scene, region.at, name).iter().map(|(_, v)| Some(*v)).collect();
    let plot = Rect { y: area.y + 1, height: area.height - 1, x: area.x, width: area.width };
    if points.is_empty() {
        canvas.put(plot.x, plot.y, plot.width, Role::NoData, "? no samples of the last hour");
        return;
    }
    let band = band(scene, name, points.len());
    let all = || {
        points
            .iter()
            .flatten()
            .copied()
            .chain(band.iter().flatten().flat_map(|(l, h)| [*l, *h]))
            .filter(|v| v.is_finite())
    };
    let top = all().fold(0.0, f64::max) * 1.1;
    // From zero, unless everything is far from it: then the differences would be lost.
    let least = all().fold(f64::INFINITY, f64::min);
    let low = if least.is_finite() && least > top * 0.5 { least * 0.9 } else { 0.0 };
    let axis = 7.min(plot.width / 3);
    let scale = |v: f64| metric.unit.show(v);
    canvas.put_right(plot.x, plot.y, axis, Role::Dim, &scale(top));
    canvas.put_right(plot.x, plot.bottom() - 1, axis, Role::Dim, &if low > 0.0 { scale(low) } else { "0".to_owned() });
    let inner = Rect { x: plot.x + axis + 1, width: plot.width.saturating_sub(axis + 1), ..plot };
    for y in inner.top()..inner.bottom() {
        canvas.cell(inner.x.saturating_sub(1), y, Role::Border, '│');
    }
    chart(canvas, inner, &Chart { points, band, low, top, ..Chart::default() });
    if region.is_stale(scene.clock) {
        canvas.over(area, Role::Stale);
    }
}

fn history<'a>(
    scene: &Scene<'a>,
    at: crate::domain::id::RegionIx,
    column: &str,
) -> &'a [(crate::domain::stamp::Timestamp, f64)] {
    let points = scene.region(at).and_then(|r| r.state.history.get(column));
    points.map(Vec::as_slice).unwrap_or_default()
}

/// Lowest and highest of the regions on the old version, at each of `count` points.
fn band(scene: &Scene<'_>, column: &str, count: usize) -> Vec<Option<(f64, f64)>> {
    let Some(service) = scene.service() else { return Vec::new() };
    let selected = scene.picks.region;
    let old: Vec<&[_]> = service
        .region_indexes()
        .filter(|at| Some(*at) != selected)
        .filter(|at| scene.region(*at).and_then(|r| r.view).is_some_and(|v| v.on_new == Some(false)))
        .map(|at| history(scene, at, column))
        .filter(|h| !h.is_empty())
        .collect();
    let at = |h: &[(_, f64)], point: usize| h.get(point * h.len() / count.max(1)).map(|(_, v)| *v);
    (0..count)
        .map(|point| {
            let values = old.iter().filter_map(|h| at(h, point)).filter(|v| v.is_finite());
            values.fold(None, |band: Option<(f64, f64)>, v| {
                Some(band.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
            })
        })
        .collect()
}
