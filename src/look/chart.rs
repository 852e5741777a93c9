//! A line chart in braille dots, with a band behind it.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::role::Role;

/// What a chart shows.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// The line, oldest first; unknown is a gap.
    pub points: Vec<Option<f64>>,
    /// Lowest and highest of the baseline at the same moments.
    pub band: Vec<Option<(f64, f64)>>,
    /// Lower and upper bound at the same moments.
    pub bounds: [Vec<Option<f64>>; 2],
    /// Value at the bottom.
    pub low: f64,
    /// Value at the top.
    pub top: f64,
}

/// Draws a chart.
pub fn chart(canvas: &mut Canvas<'_>, area: Rect, chart: &Chart) {
    if area.width == 0 || area.height == 0 || chart.top.is_nan() || chart.top <= chart.low {
        return;
    }
    let (columns, rows) = (usize::from(area.width), usize::from(area.height));
    band(canvas, area, chart);
    bounds(canvas, area, chart);
    let dots = rows * 4;
    let mut cells = vec![0u8; columns * rows];
    let mut before: Option<usize> = None;
    for x in 0..columns * 2 {
        let value = sample(&chart.points, x, columns * 2).copied().flatten();
        let Some(value) = value.filter(|v| v.is_finite()) else {
            before = None;
            continue;
        };
        let y = level(value, chart, dots);
        // A line from the point before, so that a jump stays one line.
        let (low, high) = before.map_or((y, y), |b| {
            if b < y {
                (b + 1, y)
            } else if b > y {
                (y, b - 1)
            } else {
                (y, y)
            }
        });
        for dot in low..=high {
            let from_top = dots - 1 - dot;
            if let Some(cell) = cells.get_mut(from_top / 4 * columns + x / 2) {
                *cell |= bit(x % 2, from_top % 4);
            }
        }
        before = Some(y);
    }
    for (at, bits) in cells.iter().enumerate().filter(|(_, b)| **b > 0) {
        let place = |n: usize| u16::try_from(n).unwrap_or(0);
        let c = char::from_u32(0x2800 + u32::from(*bits)).unwrap_or('·');
        canvas.cell(area.x + place(at % columns), area.y + place(at / columns), Role::Spark, c);
    }
}

fn band(canvas: &mut Canvas<'_>, area: Rect, chart: &Chart) {
    let rows = usize::from(area.height);
    for (column, x) in (area.left()..area.right()).enumerate() {
        let Some(Some((low, high))) = sample(&chart.band, column, usize::from(area.width)) else { continue };
        let (low, high) = (level(*low, chart, rows), level(*high, chart, rows));
        for row in low..=high {
            let y = area.bottom() - 1 - u16::try_from(row.min(rows - 1)).unwrap_or(0);
            canvas.cell(x, y, Role::Baseline, '░');
        }
    }
}

fn bounds(canvas: &mut Canvas<'_>, area: Rect, chart: &Chart) {
    let rows = usize::from(area.height);
    for bounds in &chart.bounds {
        for (column, x) in (area.left()..area.right()).enumerate() {
            let Some(Some(bound)) = sample(bounds, column, usize::from(area.width)) else { continue };
            let row = level(*bound, chart, rows).min(rows - 1);
            canvas.cell(x, area.bottom() - 1 - u16::try_from(row).unwrap_or(0), Role::Watch, '╌');
        }
    }
}

fn sample<T>(points: &[T], at: usize, of: usize) -> Option<&T> {
    points.get(at * points.len() / of.max(1))
}

/// From 0 to `steps` - 1.
fn level(value: f64, chart: &Chart, steps: usize) -> usize {
    let share = ((value - chart.low) / (chart.top - chart.low)).clamp(0.0, 1.0);
    ((share * (steps.saturating_sub(1)) as f64).round() as usize).min(steps.saturating_sub(1))
}

/// Bit of a braille dot: two columns of four rows from the top.
fn bit(column: usize, row: usize) -> u8 {
    match (column, row) {
        (0, 0) => 0x01,
        (0, 1) => 0x02,
        (0, 2) => 0x04,
        (0, _) => 0x40,
        (_, 0) => 0x08,
        (_, 1) => 0x10,
        (_, 2) => 0x20,
        (_, _) => 0x80,
    }
}
