//! Sparklines and bars: text made of eighths.

const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A sparkline of `columns` characters over values from 0 to `top`; unknown is a space.
///
/// More points than columns are folded by their maximum: a spike is never hidden.
pub fn spark(points: &[Option<f64>], columns: usize, top: f64) -> String {
    if points.is_empty() || columns == 0 {
        return String::new();
    }
    let columns = columns.min(points.len());
    let mut out = String::with_capacity(columns * 3);
    for column in 0..columns {
        let (from, to) = (column * points.len() / columns, (column + 1) * points.len() / columns);
        let part = points.get(from..to.max(from + 1)).unwrap_or_default();
        let worst = part.iter().flatten().copied().filter(|v| v.is_finite()).fold(f64::NAN, f64::max);
        out.push(if worst.is_nan() { ' ' } else { step(worst, top) });
    }
    out
}

fn step(value: f64, top: f64) -> char {
    let share = if top > 0.0 { (value / top).clamp(0.0, 1.0) } else { 0.0 };
    // The cast is of a number from 0 to 7.
    let at = (share * 7.0).round() as usize;
    STEPS.get(at).copied().unwrap_or('█')
}

/// A bar of `columns` characters for a share from 0 to 1.
pub fn bar(share: f64, columns: usize) -> (String, String) {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    // At most `columns`, and at least one mark for anything above nothing.
    let full = (share * columns as f64).round() as usize;
    let full = if share > 0.0 { full.clamp(1, columns) } else { 0 };
    ("█".repeat(full), "▁".repeat(columns - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_is_never_hidden_and_unknown_is_blank() {
        let mut points = vec![Some(0.0); 60];
        points.insert(30, Some(8.0));
        assert_eq!(spark(&points, 8, 8.0).chars().filter(|c| *c == '█').count(), 1);
        assert_eq!(spark(&[Some(1.0), None, Some(0.0)], 8, 1.0), "█ ▁");
        assert_eq!(spark(&[], 8, 1.0), "");
    }

    #[test]
    fn a_bar_shows_little_as_something_and_nothing_as_nothing() {
        assert_eq!(bar(0.113, 8), ("█".to_owned(), "▁".repeat(7)));
        assert_eq!(bar(0.0, 4).0, "");
        assert_eq!(bar(f64::NAN, 4).0, "");
        assert_eq!(bar(2.0, 4).0, "████");
    }
}
