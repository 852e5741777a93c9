//! A window over more rows than fit.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::line::Line;
use super::role::Role;

/// First row shown, so that `selected` is in a window of `height` rows with context around it.
pub fn window(selected: usize, total: usize, height: usize) -> usize {
    if total <= height {
        return 0;
    }
    selected.saturating_sub(height / 2).min(total - height)
}

/// How far a text of `total` rows may be scrolled in a window of `height`.
pub fn most(total: usize, height: usize) -> usize {
    total.saturating_sub(height)
}

/// Draws lines from an offset, with marks where more is above or below.
pub fn lines(canvas: &mut Canvas<'_>, area: Rect, lines: &[Line], offset: usize) {
    let height = usize::from(area.height);
    let offset = offset.min(most(lines.len(), height));
    for (y, line) in (area.top()..area.bottom()).zip(lines.iter().skip(offset)) {
        canvas.line(area.x, y, area.width, line);
    }
    let edge = area.right().saturating_sub(1);
    if offset > 0 && area.height > 0 {
        canvas.cell(edge, area.y, Role::Accent, '↑');
    }
    if offset + height < lines.len() && area.height > 0 {
        canvas.cell(edge, area.bottom() - 1, Role::Accent, '↓');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_row_is_always_in_the_window() {
        for total in 0..30 {
            for height in 1..12 {
                for selected in 0..total {
                    let first = window(selected, total, height);
                    assert!(first <= selected && selected < first + height, "{selected} of {total} in {height}");
                    assert!(first + height <= total.max(height));
                }
            }
        }
    }
}
