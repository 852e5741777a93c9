//! From the parsed file to a checked configuration, section by section.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::error::{ConfigError, Severity};
use super::keys;
use super::model::{Config, Given, KeyOverride, SimulatedClock, Ui};
use super::reader::{Problems, Table};
use super::source::{Source, Span};
use crate::domain::approval::Identities;
use crate::domain::exemplar::PLACE;
use crate::domain::fleet::Fleet;
use crate::domain::id::{FleetName, Text};

mod carry;
mod clusters;
mod columns;
mod deed;
mod endpoint;
mod gates;
mod git;
mod hash;
mod lint;
mod names;
mod notify;
mod pipeline;
mod plan;
mod policy;
mod prometheus;
mod region;
mod service;
mod steering;
mod topology;
mod workload;

pub(super) use columns::STANDARD;

/// A configuration with what there is to say about it, or everything that is wrong.
pub(super) type Outcome = Result<(Config, Vec<ConfigError>), Vec<ConfigError>>;

/// Everything that the sections share while they are read.
pub(super) struct Build<'a> {
    pub problems: &'a Problems<'a>,
    pub given: &'a Given<'a>,
    /// The file's folder: paths in it are relative to that.
    folder: PathBuf,
    /// Names that many regions share, each held once.
    names: RefCell<BTreeSet<Text>>,
}

impl Build<'_> {
    /// A name as it is held by everything that has it.
    fn name(&self, name: &str) -> Text {
        let mut names = self.names.borrow_mut();
        if let Some(known) = names.get(name) {
            return known.clone();
        }
        let new = Text::from(name);
        names.insert(new.clone());
        new
    }

    /// A path as it is meant: `~/` is the home folder, others are relative to the file.
    fn path(&self, text: &str) -> PathBuf {
        match text.strip_prefix("~/").and_then(|rest| Some((rest, (self.given.env)("HOME")?))) {
            Some((rest, home)) => Path::new(&home).join(rest),
            None => self.folder.join(text),
        }
    }
}

/// Only what a file says of the screen; what is wrong with it is said by [`build`].
pub(super) fn ui_alone(source: &Source, parsed: &DeTable<'_>, given: &Given<'_>) -> Ui {
    let problems = Problems::new(source);
    let build = Build { problems: &problems, given, folder: PathBuf::new(), names: RefCell::default() };
    ui(&build, Table::root(build.problems, &keys::ROOT, parsed))
}

/// Reads the sections of a parsed file; `earlier` are problems of its syntax.
pub(super) fn build(source: &Source, parsed: &DeTable<'_>, given: &Given<'_>, earlier: Vec<ConfigError>) -> Outcome {
    let problems = Problems::new(source);
    let folder = source.origin.parent().map(Path::to_owned).unwrap_or_default();
    let config = {
        let build = Build { problems: &problems, given, folder, names: RefCell::default() };
        let root = Table::root(build.problems, &keys::ROOT, parsed);
        config(&build, root, &source.origin)
    };
    let broken = problems.any_error() || !earlier.is_empty();
    let found = problems.into_sorted();
    if !broken {
        return Ok((config, found));
    }
    // What was recovered of a broken line is not what its author meant.
    let lines: Vec<usize> = earlier.iter().map(|e| e.line).collect();
    let recovered = |e: &ConfigError| !lines.is_empty() && (lines.contains(&e.line) || e.code.starts_with("missing"));
    // Findings about what is wrong anyway would often only be its consequence.
    let told = |e: &ConfigError| e.severity == Severity::Error && !recovered(e);
    let mut all = earlier;
    all.extend(found.into_iter().filter(told));
    all.sort_by_key(|e| (e.line, e.column));
    Err(all)
}

fn config(build: &Build<'_>, root: Table<'_>, origin: &Path) -> Config {
    let clusters = clusters::read(build, root);
    let prometheuses = prometheus::read(build, root, &clusters);
    let regions = region::read(build, root, &clusters);
    let topologies = topology::read(build, root);
    let pipelines = pipeline::read(build, root);
    let steerings = steering::read(build, root);
    let services = service::read(
        build,
        root,
        &service::Shared {
            clusters: &clusters,
            regions: &regions,
            topologies: &topologies,
            prometheuses: &prometheuses,
            pipelines: &pipelines,
            steerings: &steerings,
        },
    );
    let name = root.text("fleet");
    if let Some(name) = &name
        && !names::is_label(&name.value)
    {
        let fix = "use lower-case letters, digits and `-`: it becomes part of ConfigMap names";
        build.problems.error("bad-name", name.at, format!("`{}` cannot be the name of a fleet", name.value), fix);
    }
    let fleet = Fleet {
        name: FleetName::new(name.map_or_else(|| "default".to_owned(), |n| n.value)),
        clusters: clusters.fleet(&prometheuses),
        prometheuses: prometheuses.servers.iter().map(|p| p.name.clone()).collect(),
        services: services.services,
        identities: identities(build, root),
    };
    lint::unused(build, &clusters, &prometheuses, &regions, &topologies, &fleet);
    Config {
        plans: plan::read(build, root, &fleet.services),
        fleet: Arc::new(fleet),
        connections: clusters.connections,
        prometheuses: prometheuses.servers,
        endpoints: endpoint::read(build, root),
        repositories: git::repositories(build, root),
        ui: ui(build, root),
        notify: notify::read(build, root),
        simulated_clock: clock(build, root),
        origin: origin.to_owned(),
    }
}

/// Each name belongs to one person.
fn identities(build: &Build<'_>, root: Table<'_>) -> Identities {
    let mut names: BTreeMap<Text, Text> = BTreeMap::new();
    for (person, value) in root.by_name("identities") {
        for name in super::reader::texts_of(build.problems, &person.value, value) {
            let person: Text = person.value.as_str().into();
            if let Some(other) = names.insert(name.value.as_str().into(), person.clone())
                && other != person
            {
                let message = format!("`{}` is the name of `{other}` and of `{person}`", name.value);
                build.problems.error("duplicate", name.at, message, "a name belongs to one person: take one out");
            }
        }
    }
    Identities::new(names)
}

fn ui(build: &Build<'_>, root: Table<'_>) -> Ui {
    let table = root.table("ui");
    let refresh = table.and_then(|t| t.duration("refresh")).map(|refresh| {
        let (least, most) = (std::time::Duration::from_secs(5), std::time::Duration::from_secs(300));
        if refresh.value < least || refresh.value > most {
            let message = "`refresh` must be from 5s to 5m";
            build.problems.error("bad-duration", refresh.at, message, "write `refresh = \"15s\"`");
        }
        refresh.value
    });
    let trace_url = table.and_then(|t| t.text("trace_url"));
    if let Some(url) = &trace_url {
        let sample = url.value.replace(PLACE, "id");
        let parsed = sample.parse::<http::Uri>().ok().filter(|u| matches!(u.scheme_str(), Some("http" | "https")));
        if parsed.is_none() || sample == url.value || sample.contains(['{', '}']) {
            let fix = "write it like `https://traces.example/trace/{{trace_id}}`";
            build.problems.error("bad-url", url.at, "this is not an http(s) URL with `{{trace_id}}` in it", fix);
        }
    }
    let mut keys = Vec::new();
    for (command, value) in table.map(|t| t.by_name("keys")).unwrap_or_default() {
        let texts = super::reader::texts_of(build.problems, &command.value, value);
        keys.push(KeyOverride {
            command: command.value.into(),
            keys: texts.into_iter().map(|t| Text::from(t.value)).collect(),
            line: build.problems.source.line(command.at),
        });
    }
    Ui {
        theme: table.and_then(|t| t.text("theme")).map_or_else(|| "dark".into(), |t| t.value.into()),
        refresh: refresh.unwrap_or(std::time::Duration::from_secs(15)),
        trace_url: trace_url.map(|t| t.value.into()),
        keys,
    }
}

fn clock(build: &Build<'_>, root: Table<'_>) -> Option<SimulatedClock> {
    let table = root.table("simulated_clock")?;
    for key in ["start", "at"] {
        if table.raw(key).is_none() {
            table.missing(key, "2026-05-01T12:00:00Z");
        }
    }
    let speed = table.number("speed");
    if let Some(speed) = &speed
        && speed.value <= 0.0
    {
        build.problems.error("bad-number", speed.at, "`speed` must be positive", "write `speed = 1`");
    }
    Some(SimulatedClock {
        start: table.moment("start")?.value,
        at: table.moment("at")?.value,
        speed: speed.map_or(1.0, |s| s.value),
    })
}

/// The place of a text inside a value of the file, else the whole value: for carets inside strings.
pub(super) fn inside(source: &Source, value: Span, needle: &str) -> Span {
    let found = source.text.get(value.start..value.end).and_then(|text| text.find(needle));
    found.map_or(value, |i| Span { start: value.start + i, end: value.start + i + needle.len() })
}
