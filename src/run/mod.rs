//! The shells around the engine.

mod board;
mod check;
mod console;
mod diary;
mod doctor;
mod drill;
pub mod failure;
mod folder;
mod guard;
pub mod inbox;
mod init;
mod journal;
mod login;
mod look;
mod open;
pub mod output;
pub mod performer;
mod plan;
mod print;
mod repository;
mod session;
mod sim;
pub mod terminal;
mod verb;
mod world;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr};
use tracing_subscriber::filter::LevelFilter;

use crate::cli::{Cli, Command, GuardArgs, JournalCommand, SimArgs, TextOutput, VerbArgs};
use crate::config::{self, Severity};
use crate::domain::id::ServiceIx;
use crate::domain::text::{printable, several};
use crate::io::connect::ActingAs;
use crate::io::log;
use crate::sim::world::SimFleet;
use console::Ended;
use failure::Exit;
use inbox::Inbox;
use open::{NotOpened, Opening};
use session::{Session, Signal};
use verb::Said;
use world::{Surroundings, World};

/// Something that was to be said could not be written.
static UNSAID: AtomicBool = AtomicBool::new(false);

/// Does what the arguments say.
pub fn main(cli: Cli) -> ExitCode {
    // One TLS provider for the whole program, before the first client is made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Err(error) = color_eyre::config::HookBuilder::default().display_env_section(false).install() {
        return fail(&error.to_string(), Exit::Unexpected);
    }
    terminal::install_panic_hook();
    match dispatch(cli) {
        // Nobody has read what was said: no exit code may speak for it.
        Ok(_) if UNSAID.load(Ordering::Relaxed) => Exit::Unexpected.into(),
        Ok(code) => code,
        Err(error) => fail(&format!("{error:#}"), Exit::Unexpected),
    }
}

fn dispatch(mut cli: Cli) -> Result<ExitCode> {
    match cli.command.take() {
        None => screen(&cli, None, None),
        Some(Command::Console { service }) => screen(&cli, service.as_deref(), None),
        Some(Command::Watch { service, rotate }) => {
            let rotate = service.is_none().then_some(rotate);
            screen(&cli, service.as_deref(), Some(rotate))
        }
        Some(Command::Demo(sim)) => demo(cli, &sim),
        Some(Command::Sim { sim, dir }) => {
            let signal = world::runtime(world::SIMULATING)?.block_on(sim::serve(&sim, dir, say_line))?;
            Ok(by_signal(signal))
        }
        Some(Command::Guard(args)) => guarded(&cli, &args),
        Some(Command::Status { service, output, wait }) => look::status(&cli, service.as_deref(), output, wait),
        Some(Command::Board { service, size, ansi, wait }) => look::board(&cli, &service, size, ansi, wait),
        Some(Command::Gate(args)) => look::gate(&cli, &args),
        Some(Command::Explain(args)) => look::explain(&cli, &args),
        Some(Command::Wait { service, ring, until, timeout }) => look::wait(&cli, &service, &ring, until, timeout),
        Some(Command::Handover { service, output, wait }) => look::handover(&cli, &service, output, wait),
        Some(Command::Report(args)) => look::report(&cli, &args),
        Some(Command::Promote { args, to, without_wait }) => {
            verb(&cli, "promote", &VerbArgs { to, without_wait, ..args })
        }
        Some(Command::Hold(args)) => verb(&cli, "hold", &args),
        Some(Command::Resume { args, hold }) => verb(&cli, "resume", &VerbArgs { hold, ..args }),
        Some(Command::Rollback { args, to }) => verb(&cli, "rollback", &VerbArgs { to, ..args }),
        Some(Command::Abort(args)) => verb(&cli, "abort", &args),
        Some(Command::Drain(args)) => verb(&cli, "drain", &args),
        Some(Command::FlagOff(args)) => verb(&cli, "flag-off", &args),
        Some(Command::Restore(args)) => verb(&cli, "restore", &args),
        Some(Command::Approve { args, to }) => verb(&cli, "approve", &VerbArgs { to, ..args }),
        Some(Command::Revoke(args)) => verb(&cli, "revoke", &args),
        Some(Command::Quarantine { args, to }) => verb(&cli, "quarantine", &VerbArgs { to, ..args }),
        Some(Command::Clear { args, to }) => verb(&cli, "clear", &VerbArgs { to, ..args }),
        Some(Command::Accept { args, to }) => verb(&cli, "accept", &VerbArgs { to, ..args }),
        Some(Command::Drill(args)) => acted(&cli, false, |session| drill::run(session, &args)),
        Some(Command::Tick { args, to }) => verb(&cli, "tick", &VerbArgs { to, ..args }),
        Some(Command::Untick { args, to }) => verb(&cli, "untick", &VerbArgs { to: Some(to), ..args }),
        Some(Command::Check(args)) => match (args.simulate, args.plan, args.connect) {
            (Some(span), ..) => plan::simulate(&cli, &args, span),
            (None, true, _) => plan::judge(&cli, &args),
            (None, false, false) => Ok(checked(&cli, args.output, true)),
            (None, false, true) => check_connected(&cli, &args.accept, args.output),
        },
        Some(Command::Init(args)) => init::run(&args, cli.config.as_deref()),
        Some(Command::Doctor { output, wait }) => doctor(&cli, output, wait),
        Some(Command::Login { cluster }) => opened(&cli, |world| login::run(&world, cluster.as_deref())),
        Some(Command::Journal(JournalCommand::Verify { against_fleet: true, wait })) => look::verify(&cli, wait),
        Some(Command::Journal(command)) => {
            let around = Surroundings::read();
            Ok(said(journal::run(&command, &around)?))
        }
        Some(Command::Print { what }) => print::run(what),
    }
}

/// Whom the clusters are to take us for.
fn acting_as(cli: &Cli) -> Result<Option<ActingAs>, &'static str> {
    let groups = cli.acting_groups.clone();
    match &cli.acting_as {
        Some(user) if user.trim().is_empty() => Err("--as names nobody"),
        Some(user) => Ok(Some(ActingAs { user: user.clone(), groups })),
        None if groups.is_empty() => Ok(None),
        None => Err("--as-group needs --as: groups are somebody's"),
    }
}

/// Opens the configuration's world, or says what is wrong with it.
fn opened(cli: &Cli, then: impl FnOnce(World) -> Result<ExitCode>) -> Result<ExitCode> {
    let runtime = Arc::new(world::runtime(world::WATCHING)?);
    let around = match acting_as(cli) {
        Ok(acting_as) => Surroundings { acting_as, ..Surroundings::read() },
        Err(why) => return Ok(fail(why, Exit::Usage)),
    };
    match open::world(cli.config.clone(), runtime, around) {
        Ok(world) => then(world),
        Err(NotOpened { text, exit }) => {
            say_errors(&text);
            Ok(exit.into())
        }
    }
}

fn screen(cli: &Cli, service: Option<&str>, watch: Option<Option<Duration>>) -> Result<ExitCode> {
    opened(cli, |world| {
        let service = match open::service(&world, service) {
            Ok(service) => service,
            Err(error) => return Ok(fail(&error.to_string(), Exit::Usage)),
        };
        show(cli, world, &Opening { service, watch })
    })
}

fn show(cli: &Cli, world: World, opening: &Opening) -> Result<ExitCode> {
    if !terminal::is_there() {
        let hint = "`gonogo status` and `gonogo board SERVICE` print without one";
        return Ok(fail(&format!("standard output is not a terminal; {hint}"), Exit::Usage));
    }
    // A log that cannot be written is no reason not to look at a fleet.
    let _log = log::start(&world.around.places.log(), LevelFilter::INFO, true).ok();
    let ended = open::console(cli, world, opening)?.run()?;
    Ok(match ended {
        Ended::Quit => Exit::Done.into(),
        Ended::Signal(signal) => by_signal(signal),
        Ended::Gone => by_signal(signal_hook::consts::SIGHUP),
    })
}

/// The console on a simulated fleet, with a home that goes away with it.
fn demo(cli: Cli, args: &SimArgs) -> Result<ExitCode> {
    let runtime = Arc::new(world::runtime(world::SIMULATING)?);
    let home = folder::Folder::new("demo").wrap_err("a folder for the demo cannot be made")?;
    let mut fleet = {
        let _inside = runtime.enter();
        match SimFleet::start(&sim::options(args)) {
            Ok(fleet) => fleet,
            Err(error) => return Ok(fail(&error.to_string(), Exit::Usage)),
        }
    };
    let config = runtime.block_on(fleet.serve(home.path()))?.config.clone();
    let _keeper = runtime.block_on(repository::keep(fleet.world(), home.path()))?;
    let mut around = Surroundings::read();
    around.places.state = home.path().join("state");
    around.places.cache = home.path().join("cache");
    // The demo's journal need not outlive the demo.
    around.places.passing = None;
    let code = match open::world(Some(config), runtime.clone(), around) {
        Ok(world) => show(&cli, world, &Opening { service: ServiceIx(0), watch: None }),
        Err(NotOpened { text, exit }) => {
            say_errors(&text);
            Ok(exit.into())
        }
    };
    runtime.block_on(fleet.stop());
    code
}

/// What a run without a screen may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// Look, under the same guard as a watch screen.
    Look,
    /// Look, and ask the servers about our identity and rights.
    Ask,
    /// Write, journaled.
    Write,
}

/// A run without a screen over the configuration.
fn session(world: &mut World, purpose: Use) -> Result<Session> {
    if purpose == Use::Write {
        world.start_journal();
    }
    let inbox: Inbox<Signal> = Inbox::default();
    let to = inbox.clone();
    let mut signals = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGHUP,
    ])
    .wrap_err("signals cannot be listened to")?;
    std::thread::spawn(move || signals.forever().for_each(|s| to.key(Signal(s))));
    let performer = world.connect(&inbox, purpose == Use::Look, true);
    Ok(Session::new(world.engine(purpose == Use::Write), inbox, performer, world.clock.clone()))
}

fn guarded(cli: &Cli, args: &GuardArgs) -> Result<ExitCode> {
    opened(cli, |mut world| {
        // Pods keep no log files: what a guard says is collected from its standard error.
        log::to_stderr(LevelFilter::INFO)?;
        if let Some(state) = &args.state {
            world.around.places.state.clone_from(state);
        }
        if let Err(text) = guard::scope(&mut world, &args.services, &args.regions) {
            return Ok(fail(&text, Exit::Usage));
        }
        let session = session(&mut world, Use::Write)?;
        let ended = guard::run(&world, session, args)?;
        world.runtime.block_on(world.close_journal());
        Ok(ended.map_or(Exit::Done.into(), |Signal(signal)| by_signal(signal)))
    })
}

fn verb(cli: &Cli, word: &str, args: &VerbArgs) -> Result<ExitCode> {
    acted(cli, !args.dry_run, |session| verb::run(session, word, args))
}

/// A run that writes: journaled, and over when what it did is on the disk.
///
/// With `complete` it first completes the record by what earlier runs here did: a plan may rest on it.
fn acted(cli: &Cli, complete: bool, act: impl FnOnce(&mut Session) -> Said) -> Result<ExitCode> {
    opened(cli, |mut world| {
        let _log = log::start(&world.around.places.log(), LevelFilter::INFO, false).ok();
        let mut session = session(&mut world, Use::Write)?;
        if complete && let Ok(history) = open::history(&world) {
            session.engine.take_over(open::past_facts(&world, &history, true));
        }
        let done = act(&mut session);
        // What was noted last is on the disk before the program ends.
        world.runtime.block_on(world.close_journal());
        let signal = session.signal;
        let code = said(done);
        Ok(signal.map_or(code, |Signal(s)| by_signal(s)))
    })
}

/// What is wrong with the configuration, and what it describes; without `summary` only what is wrong is said.
fn checked(cli: &Cli, output: TextOutput, summary: bool) -> ExitCode {
    let (findings, config) = match open::load(cli.config.clone(), true) {
        Ok(loaded) => {
            let mut findings = loaded.findings;
            let (ui, origin) = (&loaded.config.ui, &loaded.config.origin);
            findings.extend(open::ui_errors(cli, ui, origin, &Surroundings::read().places));
            (findings, Some(loaded.config))
        }
        Err(mut errors) => {
            if let Some((ui, origin)) = open::broken_ui(cli.config.clone()) {
                errors.extend(open::ui_errors(cli, &ui, &origin, &Surroundings::read().places));
            }
            (errors, None)
        }
    };
    let worst = findings.iter().map(|f| f.severity).max();
    let exit = match worst {
        Some(Severity::Error) => Exit::Usage,
        Some(Severity::Finding) => Exit::Refused,
        Some(Severity::Note) | None => Exit::Done,
    };
    match output {
        TextOutput::Json => {
            let all: Vec<serde_json::Value> = findings
                .iter()
                .map(|f| {
                    serde_json::json!({
                        "severity": f.severity.word(), "code": f.code, "file": f.origin.display().to_string(),
                        "line": f.line, "column": f.column, "message": f.message, "fix": f.fix,
                    })
                })
                .collect();
            let document = serde_json::json!({"version": output::VERSION, "kind": "check", "findings": all});
            say_text(&mut std::io::stdout(), &output::document(&document));
        }
        TextOutput::Text => {
            say_errors(&config::render_errors(&findings, open::colour()));
            if let Some(config) = config.filter(|_| summary) {
                let regions: usize = config.fleet.services.iter().map(|s| s.regions.len()).sum();
                let text = format!(
                    "{}: {}, {}, {}\n",
                    config.origin.display(),
                    several(config.fleet.clusters.len(), "cluster"),
                    several(config.fleet.services.len(), "service"),
                    several(regions, "region")
                );
                say_text(&mut std::io::stdout(), &text);
            }
        }
    }
    exit.into()
}

fn doctor(cli: &Cli, output: TextOutput, wait: Duration) -> Result<ExitCode> {
    let offline = checked(cli, TextOutput::Text, false);
    if offline == ExitCode::from(Exit::Usage) {
        return Ok(offline);
    }
    opened(cli, |mut world| {
        let mut session = session(&mut world, Use::Ask)?;
        for service in (0..world.fleet.services.len()).map(ServiceIx::from) {
            let effects = session.engine.show(service);
            session.perform(effects);
            session.first_data(Some(service), wait);
        }
        session.acquaint(wait);
        if let Some(Signal(signal)) = session.signal {
            return Ok(by_signal(signal));
        }
        Ok(said(doctor::run(&session, &world, output)))
    })
}

fn check_connected(cli: &Cli, accept: &[String], output: TextOutput) -> Result<ExitCode> {
    // A document stands alone on standard output.
    let offline = checked(cli, TextOutput::Text, output == TextOutput::Text);
    if offline == ExitCode::from(Exit::Usage) {
        return Ok(offline);
    }
    opened(cli, |mut world| {
        if let Err(error) = world.accept(accept) {
            return Ok(fail(&error, Exit::Usage));
        }
        let mut session = session(&mut world, Use::Ask)?;
        for service in (0..world.fleet.services.len()).map(ServiceIx::from) {
            let effects = session.engine.show(service);
            session.perform(effects);
            session.first_data(Some(service), Duration::from_secs(8));
        }
        session.acquaint(Duration::from_secs(8));
        let (text, exit) = match output {
            TextOutput::Text => check::text(&session.engine),
            TextOutput::Json => {
                let (document, exit) = check::json(&session.engine);
                (output::document(&document), exit)
            }
        };
        say_text(&mut std::io::stdout(), &text);
        Ok(if exit == Exit::Done { offline } else { exit.into() })
    })
}

fn said(said: Said) -> ExitCode {
    say_text(&mut std::io::stdout(), &said.out);
    say_text(&mut std::io::stderr(), &said.err);
    said.exit.into()
}

fn by_signal(signal: i32) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
}

/// A line on standard output; a reader that is gone is no error.
fn say_line(line: &str) {
    say_text(&mut std::io::stdout(), &format!("{line}\n"));
}

/// The one place where text leaves: whatever it was made of, a terminal has nothing to obey.
fn say_text(to: &mut dyn Write, text: &str) {
    say_as_is(to, &printable(text));
}

/// Errors of a configuration: made harmless part by part, since their colours are sequences.
fn say_errors(text: &str) {
    let to = &mut std::io::stderr();
    if open::colour() { say_as_is(to, text) } else { say_text(to, text) }
}

/// What a program reads, or what has sequences of our own: completions, the man page, colours.
fn say_as_is(to: &mut dyn Write, text: &str) {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Ok(()) => {}
        // A reader that has seen enough is no error.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        Err(error) => {
            UNSAID.store(true, Ordering::Relaxed);
            let _ = writeln!(std::io::stderr(), "gonogo: the output could not be written: {error}");
        }
    }
}

/// An error on standard error.
fn fail(text: &str, exit: Exit) -> ExitCode {
    say_text(&mut std::io::stderr(), &format!("gonogo: {text}\n"));
    exit.into()
}
