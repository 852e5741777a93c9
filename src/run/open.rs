//! From arguments to a world and a screen: configuration, themes, keys, what was left open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::{Result, eyre};
use tokio::runtime::Runtime;

use super::console::{Console, Event, IntoWatch};
use super::failure::Exit;
use super::inbox::Inbox;
use super::performer::Performer;
use super::world::{self, Surroundings, World};
use crate::app::{App, Came, KubeContext, Mode, Setup, Unfinished};
use crate::cli::Cli;
use crate::config::{self, ConfigError, Connection, Given, Loaded, SearchPaths};
use crate::domain::id::{ClusterIx, RegionIx, ServiceIx, Text};
use crate::domain::intent::{Intent, Target, Verb};
use crate::domain::record::FACT_LIFE;
use crate::domain::stamp::Timestamp;
use crate::domain::text::safe;
use crate::engine::left::LeftFacts;
use crate::engine::operation::Outcome;
use crate::input::Keymap;
use crate::io::Clock;
use crate::io::files::Places;
use crate::io::journal::{History, Operation, read_all};
use crate::look::Theme;
use crate::look::depth::{Depth, wants_ascii};
use crate::look::themes::Themes;

/// What cannot be opened: what to say, and how it ends.
#[derive(Debug)]
pub struct NotOpened {
    /// For people.
    pub text: String,
    /// The exit code.
    pub exit: Exit,
}

/// A variable of the environment.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The configuration's place, there or not.
pub fn place(flag: Option<PathBuf>) -> config::Place {
    config::locate(&SearchPaths::from_env(flag, &variable)).unwrap_or(config::Place {
        path: PathBuf::from("gonogo.toml"),
        because: "looked for here, since there is neither --config, $GONOGO_CONFIG, $XDG_CONFIG_HOME nor $HOME",
    })
}

/// What a broken configuration says of the screen: that may be wrong too, and is said at once.
pub fn broken_ui(flag: Option<PathBuf>) -> Option<(config::Ui, PathBuf)> {
    let place = place(flag);
    let bytes = std::fs::read(&place.path).ok()?;
    let given = Given { env: &variable, kubeconfigs: None, today: None };
    Some((config::read_ui(&place.path, &bytes, &given)?, place.path))
}

/// Reads the configuration. Contexts are checked only when asked for: connecting says it too.
pub fn load(flag: Option<PathBuf>, check_contexts: bool) -> Result<Loaded, Vec<ConfigError>> {
    let place = place(flag);
    let list = variable("KUBECONFIG");
    let home = variable("HOME").map(PathBuf::from);
    let kubeconfigs = |file: Option<&Path>| {
        config::kubeconfig::load(file, list.as_deref(), home.as_deref()).map_err(|error| error.to_string())
    };
    let today = Clock::host().wall().to_zoned(jiff::tz::TimeZone::UTC).date();
    let given = Given { env: &variable, kubeconfigs: check_contexts.then_some(&kubeconfigs), today: Some(today) };
    config::load(&place, &given)
}

/// The configuration as a world, or what is wrong with it.
pub fn world(flag: Option<PathBuf>, runtime: Arc<Runtime>, around: Surroundings) -> Result<World, NotOpened> {
    match load(flag, false) {
        Ok(loaded) => Ok(World::new(loaded.config, runtime, around)),
        Err(errors) => {
            let text = config::render_errors(&errors, colour());
            Err(NotOpened { text, exit: Exit::Usage })
        }
    }
}

/// Errors are coloured where they are read by a person.
pub fn colour() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal() && variable("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// The theme asked for first, then all others in order: one key turns to the next.
pub fn themes(cli: &Cli, world: &World, notices: &mut Vec<Text>) -> Vec<Theme> {
    let (themes, wanted, unread) = find_themes(cli, &world.config.ui, &world.around.places.config.join("themes"));
    notices.extend(unread.map(Text::from));
    notices.extend(themes.errors.iter().map(|e| Text::from(e.to_string())));
    let no_color = variable("NO_COLOR").is_some_and(|v| !v.is_empty());
    let depth = Depth::detect(no_color, variable("COLORTERM").as_deref(), variable("TERM").as_deref());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|v| !v.is_empty());
    let ascii = cli.ascii || wants_ascii(locale.as_deref());
    let (first, error) = themes.get(&wanted, depth);
    notices.extend(error.map(|e| Text::from(e.to_string())));
    let mut all = vec![first.with_ascii(ascii)];
    for name in themes.names().filter(|n| *n != wanted) {
        all.push(themes.get(name, depth).0.with_ascii(ascii));
    }
    all
}

/// All themes, the name of the one asked for, and why its file cannot be read.
fn find_themes(cli: &Cli, ui: &config::Ui, folder: &Path) -> (Themes, String, Option<String>) {
    let mut user = user_themes(folder);
    let mut wanted = cli.theme.clone().unwrap_or_else(|| ui.theme.to_string());
    let mut unread = None;
    if wanted.contains('/') || wanted.ends_with(".toml") {
        // A file: its name is the theme's.
        let path = PathBuf::from(&wanted);
        let name = path.file_stem().map_or_else(|| "theme".to_owned(), |s| s.to_string_lossy().into_owned());
        match std::fs::read_to_string(&path) {
            Ok(text) => user.push((name.clone(), text)),
            Err(error) => unread = Some(format!("theme {}: {error}", path.display())),
        }
        wanted = name;
    }
    (Themes::load(&user), wanted, unread)
}

fn user_themes(folder: &Path) -> Vec<(String, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut themes: Vec<(String, String)> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let name = path.file_stem()?.to_str()?.to_owned();
            (path.extension()? == "toml").then(|| Some((name, std::fs::read_to_string(&path).ok()?)))?
        })
        .collect();
    themes.sort();
    themes
}

/// What is wrong with the keys and the theme, as errors of the configuration: a console says
/// them and goes on with the defaults, a check must not pass over them.
pub fn ui_errors(cli: &Cli, ui: &config::Ui, origin: &Path, places: &Places) -> Vec<ConfigError> {
    let error = |code: &'static str, line: usize, message: String, fix: &str| ConfigError {
        severity: config::Severity::Error,
        code,
        origin: origin.to_owned(),
        line,
        column: 1,
        text: String::new(),
        caret: (0, 0),
        message: safe(&message, 600),
        fix: fix.to_owned(),
    };
    let mut errors = Vec::new();
    if let Err(bad) = Keymap::with(&changed_keys(ui)) {
        let line = |text: &str| {
            let named = |k: &&config::KeyOverride| text.contains(&format!("`{}`", k.command));
            ui.keys.iter().find(named).or(ui.keys.first()).map_or(1, |k| k.line)
        };
        let fix = "give each command keys of its own; `gonogo print keys` lists what is bound";
        errors.extend(bad.iter().map(|e| error("bad-key", line(&e.to_string()), format!("[ui.keys]: {e}"), fix)));
    }
    let (themes, wanted, unread) = find_themes(cli, ui, &places.config.join("themes"));
    let (_, unknown) = themes.get(&wanted, Depth::None);
    let fix = "`gonogo print themes` lists the themes; the default is used until then";
    let said = unread.into_iter().chain(unknown.iter().chain(&themes.errors).map(ToString::to_string));
    for text in said {
        if !errors.iter().any(|e| e.message == text) {
            errors.push(error("bad-theme", 1, text, fix));
        }
    }
    errors
}

/// The keymap with the configuration's changes; conflicts are said, and the default is used.
pub fn keymap(world: &World, notices: &mut Vec<Text>) -> Keymap {
    match Keymap::with(&changed_keys(&world.config.ui)) {
        Ok(keymap) => keymap,
        Err(errors) => {
            notices.extend(errors.iter().map(|e| Text::from(e.to_string())));
            Keymap::default()
        }
    }
}

fn changed_keys(ui: &config::Ui) -> Vec<(String, Vec<String>)> {
    let keys = ui.keys.iter();
    keys.map(|k| (k.command.to_string(), k.keys.iter().map(|k| k.to_string()).collect())).collect()
}

/// A service by name, or the first.
pub fn service(world: &World, name: Option<&str>) -> Result<ServiceIx> {
    match name {
        None => Ok(ServiceIx(0)),
        Some(name) => world.fleet.find_service(name).map(|(at, _)| at).ok_or_else(|| {
            let names: Vec<&str> = world.fleet.services.iter().map(|s| s.name.as_str()).collect();
            eyre!("there is no service {name}; services are {}", names.join(", "))
        }),
    }
}

/// What a screen is opened as.
pub struct Opening {
    /// Shown first.
    pub service: ServiceIx,
    /// A watch screen, turning so often.
    pub watch: Option<Option<Duration>>,
}

/// A console over a world.
pub fn console(cli: &Cli, mut world: World, opening: &Opening) -> Result<Console> {
    let mut notices = Vec::new();
    let themes = themes(cli, &world, &mut notices);
    let keymap = keymap(&world, &mut notices);
    let watch_only = opening.watch.is_some();
    if !watch_only {
        world.start_journal();
    }
    notices.extend(world.unjournaled.iter().map(|why| Text::from(format!("UNJOURNALED: {why}; raising is refused"))));
    let inbox: Inbox<Event> = Inbox::default();
    let performer = world.connect(&inbox, watch_only, false);
    let mode = match opening.watch {
        Some(rotate) => Mode::Watch { rotate },
        None => Mode::Console,
    };
    let beside = world.config.origin.clone();
    let runbooks = world.fleet.services.iter().enumerate().filter_map(|(at, service)| {
        let text = world::runbook(service.runbook.as_deref()?, &beside)?;
        Some((ServiceIx::from(at), Text::from(text)))
    });
    let history = if watch_only { None } else { history(&world).ok() };
    let setup = Setup {
        mode,
        keymap,
        service: opening.service,
        size: crossterm::terminal::size().unwrap_or((80, 24)),
        runbooks: runbooks.collect(),
        trace_url: world.config.ui.trace_url.clone(),
        contexts: contexts(&world),
        unfinished: history.iter().flat_map(|h| unfinished(&world, h)).collect(),
        acting_as: world
            .around
            .acting_as
            .as_ref()
            .map(|a| (a.user.as_str().into(), a.groups.iter().map(|g| g.as_str().into()).collect())),
        unjournaled: world.unjournaled.clone().map(Into::into),
        notices,
    };
    // What is said for a moment on the screen stays in the log.
    for notice in &setup.notices {
        tracing::warn!("{notice}");
    }
    let mut engine = world.engine(!watch_only);
    if let Some(history) = &history {
        engine.take_over(past_facts(&world, history, false));
    }
    let clock = world.clock.clone();
    let app = App::new(engine, setup, clock.now());
    let screens = world.around.places.state.join("screens");
    let into_watch: IntoWatch =
        Box::new(move |inbox: &Inbox<Event>| -> Performer<Event> { world.connect(inbox, true, false) });
    Ok(Console { app, themes, inbox, performer, clock, into_watch, screens })
}

/// How kubectl reaches each cluster that is not our own pod's.
fn contexts(world: &World) -> BTreeMap<ClusterIx, KubeContext> {
    let context = |(at, connection): (usize, &Connection)| match connection {
        Connection::Context { context, kubeconfig } => {
            let kubeconfig = kubeconfig.as_ref().map(|f| f.display().to_string().into());
            Some((ClusterIx::from(at), KubeContext { context: context.clone(), kubeconfig }))
        }
        Connection::InCluster => None,
    };
    world.config.connections.iter().enumerate().filter_map(context).collect()
}

/// The journal of this host. It may be long: a start reads it once.
pub fn history(world: &World) -> std::io::Result<History> {
    read_all(&world.journal_folder(), &world.around.host)
}

/// Operations of processes that died before they were closed; only offered.
fn unfinished(world: &World, history: &History) -> Vec<Unfinished> {
    history.left_open().iter().map(|operation| one_unfinished(world, operation)).collect()
}

/// Facts of operations that are over, and with `dead` of those that were left open: the record may still
/// lack them.
pub fn past_facts(world: &World, history: &History, dead: bool) -> LeftFacts {
    let since = world.clock.wall().checked_sub(FACT_LIFE).unwrap_or(Timestamp::MIN);
    history.past_facts(&world.fleet, since, dead)
}

fn one_unfinished(world: &World, operation: &Operation) -> Unfinished {
    let opened = &operation.opened;
    let steps = opened.steps.iter().zip(&operation.steps).map(|(step, state)| {
        let answer = state.answers.values().next();
        let (came, what) = match (&state.ended, answer, state.started) {
            (Some((outcome, why)), ..) if outcome == Outcome::Settled.word() => {
                (Came::Settled, format!(" — {outcome}: {why}"))
            }
            (Some((outcome, why)), ..) => (Came::Ended, format!(" — {outcome}: {why}")),
            (None, Some(answer), _) => (Came::Unknown, format!(" — sent, {answer}; not verified")),
            (None, None, true) => (Came::Unknown, " — started; whether it was sent is unknown".to_owned()),
            (None, None, false) => (Came::NotStarted, " — not started".to_owned()),
        };
        (came, Text::from(format!("{}: {}{what}", step.region, step.label)))
    });
    Unfinished {
        plan: opened.plan.as_str().into(),
        title: opened.title.as_str().into(),
        started: format!("{} at {}", opened.operator, operation.at.strftime("%d %b %H:%M:%S UTC")).into(),
        steps: steps.collect(),
        intent: intent(world, operation),
        facts: operation.left_facts(&world.fleet),
    }
}

/// What would go on with it: a fresh proposal for the same regions, through every check.
fn intent(world: &World, operation: &Operation) -> Option<Intent> {
    let opened = &operation.opened;
    let (at, service) = world.fleet.find_service(&opened.service)?;
    // A drain tells all regions first, and is about the one of its last step.
    let steers = matches!(opened.verb.as_str(), "drain" | "restore");
    let skip = if steers { opened.steps.len().saturating_sub(1) } else { 0 };
    let regions: Vec<RegionIx> =
        opened.steps.iter().skip(skip).filter_map(|s| service.find_region(&s.region).map(|(at, _)| at)).collect();
    let verb = match opened.verb.as_str() {
        "promote" => Verb::Promote { to: None, without_wait: false },
        "hold" => Verb::Hold,
        "resume" => Verb::Resume { hold: None },
        "rollback" => Verb::RollBack { to_revision: None },
        "abort" => Verb::Abort,
        "drain" => Verb::Drain,
        "flag-off" => Verb::FlagOff,
        "restore" => Verb::Restore,
        "approve" => Verb::Approve { to: None },
        "revoke" => Verb::Revoke { approval: None },
        "quarantine" => Verb::Quarantine { digest: None },
        "tick" => Verb::Tick { item: None, done: true },
        "accept" => Verb::Accept { column: None },
        "clear" => Verb::Clear { what: None },
        _ => return None,
    };
    let reason = opened.reason.as_deref().map(Into::into);
    (!regions.is_empty()).then_some(Intent { service: at, verb, target: Target::Regions(regions), reason })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use clap::Parser;

    fn errors(ui: &str, flags: &[&str]) -> Vec<String> {
        let env = |_: &str| Some("x".to_owned());
        let text = config::EXAMPLE.replace("theme = \"dark\"", ui);
        assert!(text.contains(ui), "the example has a theme");
        let (config, _) = config::read(Path::new("c.toml"), text.as_bytes(), &Given::env(&env)).unwrap();
        let cli = Cli::try_parse_from(["gonogo"].iter().chain(flags)).unwrap();
        let places = Places::of(|_| None, Path::new("/nonexistent"));
        ui_errors(&cli, &config.ui, &config.origin, &places).into_iter().map(|e| e.message).collect()
    }

    #[test]
    fn keys_with_two_meanings_and_unknown_themes_are_errors_of_the_configuration() {
        assert_eq!(errors("theme = \"dark\"", &[]), Vec::<String>::new());
        let told = errors("theme = \"dark\"\nkeys = { promote = \"H\" }", &[]);
        assert!(told.len() == 1 && told.iter().all(|t| t.contains("`H`") && t.contains("promote")), "{told:?}");
        for (ui, flags) in [("theme = \"solarized\"", &[][..]), ("theme = \"dark\"", &["--theme", "solarized"][..])] {
            let told = errors(ui, flags);
            assert!(told.len() == 1 && told.iter().all(|t| t.contains("solarized")), "{told:?}");
        }
        assert_eq!(errors("theme = \"dark\"", &["--theme", "/nonexistent/x.toml"]).len(), 2);
    }
}
