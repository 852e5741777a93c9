//! `/metrics`: the text format that a real Prometheus scrapes.

use std::fmt::Write as _;

use super::json::number;
use super::scrape::Scrapes;
use crate::sim::model::labels::METRIC_NAME;
use crate::sim::model::series::{FAMILIES, Kind};

/// Content type of the text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All series with their values now, grouped by family. What a Prometheus makes itself
/// (`up`, `ALERTS`) is left out.
pub fn text(scrapes: &Scrapes) -> String {
    let mut bodies = vec![String::new(); FAMILIES.len()];
    scrapes.current(&mut |series, value| {
        if matches!(series.kind, Kind::Up | Kind::Alert) {
            return;
        }
        let (name, labels) = (series.kind.metric(), series.labels());
        let family = FAMILIES.iter().position(|(family, kind, _)| is_of(name, family, kind));
        if let Some(body) = family.and_then(|i| bodies.get_mut(i)) {
            let _ = write!(body, "{name}{{");
            for (i, (label, text)) in labels.iter().filter(|(n, _)| &**n != METRIC_NAME).enumerate() {
                let comma = if i > 0 { "," } else { "" };
                let _ = write!(body, "{comma}{label}=\"{}\"", escape(text));
            }
            let _ = writeln!(body, "}} {}", number(value));
        }
    });
    let mut out = String::new();
    for ((family, kind, help), body) in FAMILIES.iter().zip(bodies).filter(|(_, body)| !body.is_empty()) {
        let _ = write!(out, "# HELP {family} {help}\n# TYPE {family} {kind}\n{body}");
    }
    out
}

fn is_of(name: &str, family: &str, kind: &str) -> bool {
    match name.strip_prefix(family) {
        Some("") => kind != "histogram",
        Some("_bucket" | "_sum" | "_count") => kind == "histogram",
        _ => false,
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
