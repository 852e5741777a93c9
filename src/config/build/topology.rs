//! `[topology.NAME]` and `rings`: stages in order.

use std::cell::Cell;
use std::time::Duration;

use toml::de::DeValue;

use super::super::keys;
use super::super::reader::{Table, Value, texts_of};
use super::super::source::{At, Span};
use super::Build;
use super::gates::{GateDraft, draft};
use super::names;
use super::policy::PolicyDraft;
use crate::domain::id::Text;

/// Gates and bake as written at one level.
#[derive(Clone, Debug, Default)]
pub(super) struct Level {
    pub exit: Option<Vec<GateDraft>>,
    pub entry: Option<Vec<GateDraft>>,
    pub bake: Option<At<Duration>>,
    pub policy: PolicyDraft,
}

impl Level {
    pub fn read(build: &Build<'_>, table: Table<'_>) -> Self {
        Self {
            exit: draft(build, table, "exit"),
            entry: draft(build, table, "entry"),
            bake: table.duration("bake"),
            policy: table.table("policy").map(|t| PolicyDraft::read(build, t)).unwrap_or_default(),
        }
    }
}

/// A ring as written.
#[derive(Clone, Debug)]
pub(super) struct RingDraft {
    pub name: At<String>,
    pub label: Option<Text>,
    pub regions: Vec<At<String>>,
    pub parallelism: u32,
    pub stagger: Option<Duration>,
    pub level: Level,
}

/// A topology as written.
pub(super) struct TopologyDraft {
    pub name: At<String>,
    pub rings: Vec<RingDraft>,
    pub level: Level,
    pub used: Cell<bool>,
}

pub(super) fn read(build: &Build<'_>, root: Table<'_>) -> Vec<TopologyDraft> {
    let mut out = Vec::new();
    for (name, table) in root.named("topology") {
        names::check(build.problems, "topology", &name.value, name.at);
        if table.raw("rings").is_none() {
            table.missing("rings", "[[\"staging\"], [\"eu-west-1\"]]");
        }
        let level = Level::read(build, table);
        out.push(TopologyDraft { name, rings: rings(build, table).unwrap_or_default(), level, used: Cell::new(false) });
    }
    out
}

/// The rings of a topology or service.
pub(super) fn rings(build: &Build<'_>, table: Table<'_>) -> Option<Vec<RingDraft>> {
    let (value, at) = table.raw("rings")?;
    let DeValue::Array(items) = value.get_ref() else {
        let fix = "write `rings = [[\"staging\"], [\"eu-west-1\"]]`, or `[[topology.NAME.rings]]` tables";
        build.problems.error("wrong-type", value.span().into(), "`rings` must be a list", fix);
        return Some(Vec::new());
    };
    let rings: Vec<RingDraft> = items.iter().enumerate().filter_map(|(i, item)| ring(build, i, item)).collect();
    if items.is_empty() {
        build.problems.error("empty-rings", at, "there is no ring", "write `rings = [[\"staging\"], [\"eu-west-1\"]]`");
    }
    duplicates(build, &rings);
    Some(rings)
}

fn ring(build: &Build<'_>, position: usize, item: &Value<'_>) -> Option<RingDraft> {
    let at: Span = item.span().into();
    let unnamed = At { value: format!("ring-{position}"), at };
    if let DeValue::Array(_) = item.get_ref() {
        let regions = texts_of(build.problems, "regions", item);
        let ring =
            RingDraft { name: unnamed, label: None, regions, parallelism: 1, stagger: None, level: Level::default() };
        return Some(refuse_empty(build, ring, at));
    }
    let table = Table::open(build.problems, &keys::RING, item, at)?;
    if table.raw("regions").is_none() {
        table.missing("regions", "[\"eu-west-1\"]");
    }
    let ring = RingDraft {
        name: table.text("name").unwrap_or(unnamed),
        label: super::region::text(table, "label"),
        regions: table.texts("regions").unwrap_or_default(),
        parallelism: table.whole("parallelism").unwrap_or(1),
        stagger: table.duration("stagger").map(|s| s.value),
        level: Level::read(build, table),
    };
    Some(if table.raw("regions").is_some() { refuse_empty(build, ring, table.place_of("regions")) } else { ring })
}

fn refuse_empty(build: &Build<'_>, ring: RingDraft, at: Span) -> RingDraft {
    names::check(build.problems, "ring", &ring.name.value, ring.name.at);
    if ring.regions.is_empty() {
        let message = format!("ring `{}` has no region", ring.name.value);
        build.problems.error("empty-ring", at, message, "add a region, or take the ring out");
    }
    ring
}

fn duplicates(build: &Build<'_>, rings: &[RingDraft]) {
    let mut seen_rings: Vec<&At<String>> = Vec::new();
    let mut seen: std::collections::BTreeMap<&str, (&At<String>, &str)> = std::collections::BTreeMap::new();
    for ring in rings {
        if let Some(first) = seen_rings.iter().find(|r| r.value == ring.name.value) {
            let line = build.problems.source.line(first.at);
            let message = format!("ring `{}` is there twice, first on line {line}", ring.name.value);
            build.problems.error("duplicate-ring", ring.name.at, message, "give it another name");
        }
        seen_rings.push(&ring.name);
        for region in &ring.regions {
            let Some((first, other)) = seen.insert(&region.value, (region, &ring.name.value)) else { continue };
            let line = build.problems.source.line(first.at);
            let message = if other == ring.name.value {
                format!("region `{}` is listed twice in ring `{other}`, first on line {line}", region.value)
            } else {
                format!(
                    "region `{}` is in ring `{other}` (line {line}) and in ring `{}`",
                    region.value, ring.name.value
                )
            };
            build.problems.error("duplicate-region", region.at, message, "a region belongs to one ring: take one out");
        }
    }
}
