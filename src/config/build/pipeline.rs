//! `[pipeline.NAME]`: what is told to other systems that bring versions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::reader::Table;
use super::Build;
use super::deed::{Sense, Shared, deed};
use super::names;
use crate::domain::deed::Deed;
use crate::domain::pipeline::{ASKED, PLACEHOLDERS, Pipeline};

/// Between two questions unless said otherwise; what is asked less often would count as late.
const EVERY: Duration = Duration::from_secs(15);
/// How long a rollout may take unless said otherwise.
const DEADLINE: Duration = Duration::from_secs(3_600);
/// What may stand where a rollout is stopped or goes on: `version` is what runs.
const RUNS: [&str; 6] = ["service", "ring", "region", "cluster", "namespace", "version"];

/// Pipelines by name; none: it is wrong, which was said.
pub(super) type Pipelines = BTreeMap<String, Option<Arc<Pipeline>>>;

pub(super) fn read(build: &Build<'_>, root: Table<'_>) -> Pipelines {
    let endpoints: Vec<String> = root.named("endpoint").into_iter().map(|(name, _)| name.value).collect();
    let mut out = Pipelines::new();
    for (name, table) in root.named("pipeline") {
        names::check(build.problems, "pipeline", &name.value, name.at);
        let shared = Shared { endpoints: endpoints.clone(), table };
        let every = table.duration("every");
        if let Some(every) = &every
            && !(Duration::from_secs(5)..=Duration::from_secs(30)).contains(&every.value)
        {
            let message = "`every` must be from 5s to 30s: what is older counts as late";
            build.problems.error("bad-duration", every.at, message, "write `every = \"15s\"`");
        }
        let moves = |key: &str, verb: &str| {
            let body = body(verb, r#""from":"{{from}}","to":"{{version}}""#);
            deed(build, &shared, key, &PLACEHOLDERS, Sense::Tells(&body))
        };
        let stops = |key: &str| deed(build, &shared, key, &RUNS, Sense::Tells(&body(key, r#""runs":"{{version}}""#)));
        let pipeline = Pipeline {
            name: name.value.as_str().into(),
            state: deed(build, &shared, "state", &ASKED, Sense::Asks),
            every: every.map_or(EVERY, |e| e.value),
            deadline: table.duration("deadline").map_or(DEADLINE, |d| d.value),
            promote: moves("promote", "promote"),
            hold: stops("hold"),
            resume: stops("resume"),
            roll_back: moves("rollback", "rollback"),
        };
        if pipeline.promote.is_none() && table.raw("promote").is_none() {
            table.missing("promote", "{ run = [\"PROGRAM\", \"{{region}}\", \"{{version}}\"] }");
        }
        for key in ["hold", "resume"] {
            if let (None, Some((_, at))) = (table.raw("state"), table.raw(key)) {
                let message = format!(
                    "without `state` nobody sees what `{key}` does: the workload in the cluster is paused instead"
                );
                build.problems.error("contradiction", at, message, format!("add `state`, or take `{key}` out"));
            }
        }
        let whole = table.raw("state").is_none() == pipeline.state.is_none();
        out.insert(name.value.clone(), whole.then(|| Arc::new(pipeline)));
    }
    out
}

/// `flag_off` of a service: what switches a flag off.
pub(super) fn flag_off(build: &Build<'_>, root: Table<'_>, table: Table<'_>, service: &str) -> Option<Deed> {
    let endpoints = root.named("endpoint").into_iter().map(|(name, _)| name.value).collect();
    let body = format!(r#"{{"kind":"gonogo.flag","version":1,"do":"off","service":"{service}"}}"#);
    deed(build, &Shared { endpoints, table }, "flag_off", &RUNS, Sense::Tells(&body))
}

/// What is sent where nothing else is said; the same deed has the same bytes.
fn body(verb: &str, about: &str) -> String {
    format!(
        r#"{{"kind":"gonogo.pipeline","version":1,"do":"{verb}","service":"{{{{service}}}}","ring":"{{{{ring}}}}","region":"{{{{region}}}}",{about}}}"#
    )
}
