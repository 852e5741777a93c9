//! What is declared for judging release plans: normal values, traffic, waivers.

use toml::de::DeValue;

use super::super::model::{Declared, PlanFacts, Waiver, Waives};
use super::super::reader::Table;
use super::super::source::At;
use super::Build;
use crate::domain::fleet::{Service, Unit};
use crate::domain::id::{RegionIx, RingIx, Text};
use crate::gates::parse_bound;

/// What is declared of each service, by position.
pub(super) fn read(build: &Build<'_>, root: Table<'_>, services: &[Service]) -> Vec<PlanFacts> {
    let tables = root.named("service");
    let facts = |service: &Service| {
        let table = tables.iter().find(|(name, _)| name.value == service.name.as_str()).map(|(_, table)| *table);
        table.map(|table| one(build, root, table, service)).unwrap_or_default()
    };
    services.iter().map(facts).collect()
}

fn one(build: &Build<'_>, root: Table<'_>, table: Table<'_>, service: &Service) -> PlanFacts {
    let mut facts = PlanFacts { traffic: vec![Declared::default(); service.regions.len()], ..PlanFacts::default() };
    let columns: Vec<(At<String>, Table<'_>)> = root.named("column").into_iter().chain(table.named("column")).collect();
    for (name, column) in &columns {
        let Some(known) = service.column(&name.value) else { continue };
        let Some(text) = column.text("normal") else { continue };
        match parse_bound(&text.value, known.unit) {
            // The service's own comes last, and wins.
            Some(normal) => {
                facts.normals.insert(known.name.clone(), normal);
            }
            None => {
                let message = format!("`normal` does not fit the unit of column `{}`", name.value);
                let fix = match known.unit {
                    Unit::Ratio => "write e.g. `normal = \"0.2%\"`",
                    Unit::Seconds | Unit::Millis => "write e.g. `normal = \"120ms\"`",
                    Unit::Bytes => "write e.g. `normal = \"2GiB\"`",
                    Unit::PerSecond | Unit::Number => "write e.g. `normal = \"100\"`",
                };
                build.problems.error("bad-normal", text.at, message, fix);
            }
        }
    }
    waivers(build, table, Waives::Service, &mut facts);
    for (name, ring) in table.named("ring") {
        if let Some((at, _)) = service.find_ring(&name.value) {
            waivers(build, ring, Waives::Ring(at), &mut facts);
        }
    }
    for (name, region) in table.named("region") {
        let Some((at, _)) = service.find_region(&name.value) else { continue };
        waivers(build, region, Waives::Region(at), &mut facts);
        if let (Some(declared), Some(place)) = (region.table("traffic"), facts.traffic.get_mut(at.at())) {
            *place = traffic(build, declared);
        }
    }
    facts
}

/// Findings that somebody has accepted, each with the reason.
fn waivers(build: &Build<'_>, table: Table<'_>, over: Waives, facts: &mut PlanFacts) {
    for (code, value) in table.by_name("waive") {
        match value.get_ref() {
            DeValue::String(reason) if !reason.trim().is_empty() => facts.waivers.push(Waiver {
                code: code.value.as_str().into(),
                over,
                reason: Text::from(reason.trim()),
                line: build.problems.source.line(code.at),
            }),
            _ => {
                let message = format!("`{}` is waived without a reason", code.value);
                let fix = format!("write why: `waive = {{ {} = \"…\" }}`", code.value);
                build.problems.error("no-reason", code.at, message, fix);
            }
        }
    }
}

fn traffic(build: &Build<'_>, table: Table<'_>) -> Declared {
    let qps = table.number("qps").filter(|qps| {
        let fits = qps.value >= 0.0;
        if !fits {
            let message = format!("traffic of {} is impossible", qps.value);
            build.problems.error("bad-number", qps.at, message, "write queries per second: `qps = 12000`");
        }
        fits
    });
    let share = table.text("share").and_then(|text| percent(build, "share", text));
    let mut mix = std::collections::BTreeMap::new();
    for (name, value) in table.by_name("mix") {
        for text in super::super::reader::texts_of(build.problems, &name.value, value) {
            if let Some(share) = percent(build, &name.value, text) {
                mix.insert(Text::from(name.value.as_str()), share);
            }
        }
    }
    Declared { qps: qps.map(|q| q.value), share, mix }
}

/// A share from 0 to 1, written in percent.
fn percent(build: &Build<'_>, key: &str, text: At<String>) -> Option<f64> {
    let read = text.value.trim().strip_suffix('%').and_then(|t| t.trim().parse::<f64>().ok());
    let share = read.map(|n| n / 100.0).filter(|s| (0.0..=1.0).contains(s));
    if share.is_none() {
        let message = format!("`{}` is no share", text.value);
        build.problems.error("bad-number", text.at, message, format!("write percent, e.g. `{key} = \"25%\"`"));
    }
    share
}

impl Waives {
    /// Whether it covers what was found in a ring or region.
    pub fn covers(self, ring: Option<RingIx>, region: Option<RegionIx>) -> bool {
        match self {
            Waives::Service => true,
            Waives::Ring(at) => ring == Some(at),
            Waives::Region(at) => region == Some(at),
        }
    }
}
