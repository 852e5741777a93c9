//! `[region.NAME]`: what is true of a region for every service.

use std::collections::BTreeMap;

use super::super::reader::Table;
use super::super::source::At;
use super::Build;
use super::clusters::Clusters;
use super::names::{self, Kind};
use crate::domain::id::{ClusterIx, Text};

/// What is known of a region apart from services.
#[derive(Clone, Debug)]
pub(super) struct RegionFacts {
    pub cluster: ClusterIx,
    pub namespace: Option<At<String>>,
    pub zone: Option<Text>,
    pub owner: Option<Text>,
    pub escalation: Option<Text>,
    pub deciders: Vec<Text>,
    pub stays: bool,
}

/// All regions that have a table.
pub(super) struct Regions<'c> {
    pub tables: BTreeMap<String, (At<String>, Option<RegionFacts>)>,
    clusters: &'c Clusters,
}

impl Regions<'_> {
    /// A region's facts, or an error where it is mentioned.
    pub fn find(&self, build: &Build<'_>, name: &At<String>) -> Option<RegionFacts> {
        if let Some((_, facts)) = self.tables.get(&name.value) {
            // Where its table is wrong, that was said there.
            return facts.clone();
        }
        let Some(at) = self.clusters.position(&name.value) else {
            let known = self.tables.keys().chain(self.clusters.names.iter().map(|n| &n.value));
            let known: Vec<&str> = known.map(String::as_str).collect();
            match crate::domain::text::did_you_mean(&name.value, known.iter().copied()) {
                Some(_) => names::unknown(build.problems, Kind::Region, name, known),
                None => {
                    let message = format!("unknown region `{}`: no cluster is called so", name.value);
                    let fix =
                        format!("add `[region.{}]` with `cluster = \"…\"`, or a cluster of this name", name.value);
                    build.problems.error("unknown-region", name.at, message, fix);
                }
            }
            return None;
        };
        Some(RegionFacts {
            cluster: at.into(),
            namespace: None,
            zone: None,
            owner: None,
            escalation: None,
            deciders: Vec::new(),
            stays: false,
        })
    }
}

pub(super) fn read<'c>(build: &Build<'_>, root: Table<'_>, clusters: &'c Clusters) -> Regions<'c> {
    let mut out = Regions { tables: BTreeMap::new(), clusters };
    for (name, table) in root.named("region") {
        names::check(build.problems, "region", &name.value, name.at);
        let cluster = match table.text("cluster") {
            Some(wanted) => clusters.find(build, &wanted),
            None if table.raw("cluster").is_some() => None,
            None => match clusters.position(&name.value) {
                Some(at) => Some(at.into()),
                None => {
                    let message = format!("region `{}` has no `cluster`, and no cluster is called so", name.value);
                    let known: Vec<&str> = clusters.names.iter().map(|n| n.value.as_str()).collect();
                    let fix = format!("add `cluster = \"…\"`; there is: {}", names::list(&known));
                    build.problems.error("missing-key", name.at, message, fix);
                    None
                }
            },
        };
        let facts = RegionFacts {
            cluster: cluster.unwrap_or(ClusterIx(0)),
            namespace: table.text("namespace"),
            zone: zone(build, table),
            owner: text(table, "owner"),
            escalation: text(table, "escalation"),
            deciders: texts(table, "deciders"),
            stays: table.text("residency").is_some_and(|r| r.value == "stays"),
        };
        out.tables.insert(name.value.clone(), (name, cluster.map(|_| facts)));
    }
    out
}

pub(super) fn text(table: Table<'_>, key: &str) -> Option<Text> {
    table.text(key).map(|t| t.value.into())
}

pub(super) fn texts(table: Table<'_>, key: &str) -> Vec<Text> {
    table.texts(key).unwrap_or_default().into_iter().map(|t| t.value.into()).collect()
}

/// An IANA zone that the bundled database knows.
pub(super) fn zone(build: &Build<'_>, table: Table<'_>) -> Option<Text> {
    let zone = table.text("zone")?;
    if crate::domain::zone::zone(&zone.value).is_some() {
        return Some(zone.value.into());
    }
    let known = crate::domain::zone::names();
    let near = crate::domain::text::did_you_mean(&zone.value, known.iter().map(String::as_str));
    let fix = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write an IANA name such as `Europe/Dublin`, `Asia/Kolkata` or `UTC`".to_owned(),
    };
    build.problems.error("bad-zone", zone.at, format!("there is no time zone `{}`", zone.value), fix);
    None
}
