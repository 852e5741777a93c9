//! What each Prometheus answers: every column for every region, and how old its newest samples are.

use std::collections::BTreeMap;

use super::{Level, Line};
use crate::domain::fleet::{Column, Region};
use crate::domain::id::{RegionIx, ServiceIx};
use crate::domain::stamp::{SignedDuration, short};
use crate::engine::Engine;
use crate::run::check;

/// A sample that is older says little about now.
const OLD: SignedDuration = SignedDuration::from_secs(120);

/// Lines that are told here instead, all regions of a column in one.
pub(super) fn are_about(line: &check::Line) -> bool {
    line.text.starts_with("column ")
}

pub(super) fn lines(engine: &Engine) -> Vec<Line> {
    let services = (0..engine.fleet.services.len()).map(ServiceIx::from);
    services.flat_map(|at| of_service(engine, at)).collect()
}

fn of_service(engine: &Engine, at: ServiceIx) -> Vec<Line> {
    let Some(service) = engine.fleet.service(at) else { return Vec::new() };
    let unknown = |r: &Region| engine.fleet.cluster(r.cluster).is_none_or(|c| c.prometheus.is_none());
    if service.regions.iter().all(unknown) {
        let text = "no Prometheus is configured: no gate looks at errors and latency, and exposure counts as 100 %";
        let what = format!("metric {}", service.name);
        return vec![Line::new(Level::Warn, what, text, "add `[prometheus.NAME]` with its `url`")];
    }
    service.columns.iter().filter_map(|column| of_column(engine, at, column)).collect()
}

fn of_column(engine: &Engine, at: ServiceIx, column: &Column) -> Option<Line> {
    let (spec, state) = engine.fleet.service(at).zip(engine.services.get(at.at()))?;
    let what = format!("metric {} {}", spec.name, column.name);
    let now = engine.server_now();
    let (mut good, mut oldest) = (0, SignedDuration::ZERO);
    // Regions by what is wrong with them.
    let mut bad: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (i, region) in spec.regions.iter().enumerate() {
        match state.region(RegionIx::from(i)).and_then(|r| r.current.get(&column.name)) {
            Some((when, Ok(_))) => {
                good += 1;
                oldest = oldest.max(now.duration_since(*when));
            }
            Some((_, Err(why))) => bad.entry(why.to_string()).or_default().push(region.name.as_str()),
            None => bad.entry("no answer in time".to_owned()).or_default().push(region.name.as_str()),
        }
    }
    let of = spec.regions.len();
    let line = if !bad.is_empty() {
        let each = |(why, regions): (&String, &Vec<&str>)| format!("{}: {why}", regions.join(", "));
        let bad = bad.iter().map(each).collect::<Vec<_>>().join("; ");
        let hint = "does that Prometheus answer? are the labels of these regions in what it answers?";
        Line::new(Level::Fail, what, format!("data for {good} of {of} regions; {bad}"), hint)
    } else if oldest > OLD {
        let text = format!("data for all {of} regions, the oldest {} old", short(oldest));
        Line::new(Level::Warn, what, text, "does Prometheus still scrape them?")
    } else {
        Line::new(Level::Ok, what, format!("data for all {of} regions, at most {} old", short(oldest)), "")
    };
    Some(line)
}
