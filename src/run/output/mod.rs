//! What one-shot verbs print: text for people, JSON with a version field for scripts.

mod delivery;
pub mod forecast;
pub mod handover;
pub mod lint;
pub mod plan;
pub mod question;
pub mod report;
pub mod status;
mod wording;

/// Version of every JSON document that is printed; raised when a field changes its meaning.
pub const VERSION: u32 = 1;

/// A JSON document as it is printed.
pub fn document(value: &serde_json::Value) -> String {
    crate::domain::text::plain_json(&format!("{value:#}\n")).into_owned()
}

/// Columns of text, left-aligned but for those named, two spaces apart.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    use unicode_width::UnicodeWidthStr;
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|t| t.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            let gap = if c == 0 { "" } else { "  " };
            line.push_str(gap);
            if right.contains(&c) {
                line.push_str(&pad);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&pad);
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
