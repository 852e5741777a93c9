//! `[steering.NAME]`: traffic systems that are steered by commands or requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::reader::Table;
use super::Build;
use super::deed::{Sense, Shared, deed};
use super::names;
use crate::domain::steering::{ASKED, Steering, TOLD};

/// Between two questions unless said otherwise.
const EVERY: Duration = Duration::from_secs(30);

/// Steerings by name; none: it is wrong, which was said.
pub(super) type Steerings = BTreeMap<String, Option<Arc<Steering>>>;

pub(super) fn read(build: &Build<'_>, root: Table<'_>) -> Steerings {
    let endpoints: Vec<String> = root.named("endpoint").into_iter().map(|(name, _)| name.value).collect();
    let mut out = Steerings::new();
    for (name, table) in root.named("steering") {
        names::check(build.problems, "steering", &name.value, name.at);
        let shared = Shared { endpoints: endpoints.clone(), table };
        let every = table.duration("every");
        if let Some(every) = &every
            && !(Duration::from_secs(5)..=Duration::from_secs(300)).contains(&every.value)
        {
            let message = "`every` must be from 5s to 5m";
            build.problems.error("bad-duration", every.at, message, "write `every = \"30s\"`");
        }
        for key in ["state", "drain", "restore"] {
            if table.raw(key).is_none() {
                table.missing(key, "{ run = [\"PROGRAM\", …] }");
            }
        }
        let tells = |key: &str| deed(build, &shared, key, &TOLD, Sense::Tells(&body(key)));
        let (state, drain, restore) =
            (deed(build, &shared, "state", &ASKED, Sense::Asks), tells("drain"), tells("restore"));
        let steering = state.zip(drain).zip(restore).map(|((state, drain), restore)| {
            let name = name.value.as_str().into();
            Arc::new(Steering { name, state, every: every.map_or(EVERY, |e| e.value), drain, restore })
        });
        out.insert(name.value.clone(), steering);
    }
    out
}

/// What is sent where nothing else is said.
fn body(verb: &str) -> String {
    format!(
        r#"{{"kind":"gonogo.traffic","version":1,"do":"{verb}","service":"{{{{service}}}}","region":"{{{{region}}}}","backend":"{{{{backend}}}}","weight":"{{{{weight}}}}"}}"#
    )
}
