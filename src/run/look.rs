//! Verbs that only look: one question, one answer, under the same guard as a watch screen.

use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr};
use jiff::ToSpan;

use super::failure::Exit;
use super::journal;
use super::session::{Session, Signal};
use super::world::World;
use super::{Use, by_signal, fail, open, opened, output, say_as_is, say_errors, say_text, session};
use crate::cli::{Awaited, Cli, LookArgs, ReportArgs, ReportOutput, StatusOutput, TextOutput};
use crate::domain::fleet::Service;
use crate::domain::id::{RingIx, ServiceIx, Text};
use crate::domain::stamp::Timestamp;
use crate::domain::text::did_you_mean;
use crate::domain::verdict::Verdict;
use crate::engine::Engine;
use crate::engine::effect::Effect;
use crate::engine::report::{Ask, Operation, report as tell};
use crate::engine::view::{Question, RegionWord, RingRuns};
use crate::io::journal::read_all;

/// How long the leases of guards may take.
const LEASES: Duration = Duration::from_secs(2);
/// How long the hourly traffic of the past may take.
const HISTORY: Duration = Duration::from_secs(5);

/// What runs where, and what each ring waits for.
pub(super) fn status(
    cli: &Cli,
    service: Option<&str>,
    output: StatusOutput,
    wait: Duration,
) -> Result<std::process::ExitCode> {
    opened(cli, |mut world| {
        let only = match service.map(|name| open::service(&world, Some(name))).transpose() {
            Ok(only) => only,
            Err(error) => return Ok(fail(&error.to_string(), Exit::Usage)),
        };
        let mut session = session(&mut world, Use::Look)?;
        let all: Vec<ServiceIx> = match only {
            Some(only) => vec![only],
            None => (0..world.fleet.services.len()).map(ServiceIx::from).collect(),
        };
        for service in all {
            let effects = session.engine.show(service);
            session.perform(effects);
            session.first_data(Some(service), wait);
            leases(&mut session, service, wait.min(LEASES));
        }
        if let Some(Signal(signal)) = session.signal {
            return Ok(by_signal(signal));
        }
        let engine = &session.engine;
        let text = match output {
            StatusOutput::Table => output::status::text(engine, only, false),
            StatusOutput::Wide => output::status::text(engine, only, true),
            StatusOutput::Json => output::document(&output::status::json(engine, only)),
        };
        say_text(&mut std::io::stdout(), &text);
        Ok(match output::status::worst(engine, only) {
            Verdict::Go => Exit::Done,
            _ if engine.clusters.iter().all(|c| !c.freshness(engine.now).is_live()) => Exit::Unreachable,
            _ => Exit::Refused,
        }
        .into())
    })
}

/// Who guards: read once, where the clusters are heard.
fn leases(session: &mut Session, service: ServiceIx, wait: Duration) {
    session.pump(wait, |engine| {
        let regions = &engine.fleet.service(service)?.regions;
        let heard = |cluster: usize| engine.clusters.get(cluster).is_some_and(|c| c.freshness(engine.now).is_live());
        let missing = regions
            .iter()
            .enumerate()
            .any(|(at, region)| heard(region.cluster.at()) && !engine.lease_known((service, at.into())));
        (!missing).then_some(())
    });
}

/// One frame of the board as text.
pub(super) fn board(
    cli: &Cli,
    service: &str,
    size: (u16, u16),
    ansi: bool,
    wait: Duration,
) -> Result<std::process::ExitCode> {
    opened(cli, |mut world| {
        let service = match open::service(&world, Some(service)) {
            Ok(service) => service,
            Err(error) => return Ok(fail(&error.to_string(), Exit::Usage)),
        };
        let mut notices = Vec::new();
        let themes = open::themes(cli, &world, &mut notices);
        let mut session = session(&mut world, Use::Look)?;
        let effects = session.engine.show(service);
        session.perform(effects);
        session.first_data(Some(service), wait);
        if let Some(Signal(signal)) = session.signal {
            return Ok(by_signal(signal));
        }
        let setup = crate::app::Setup {
            mode: crate::app::Mode::Watch { rotate: None },
            service,
            size,
            ..crate::app::Setup::default()
        };
        let now = world.clock.now();
        let mut app = crate::app::App::new(session.engine, setup, now);
        let tick = crate::app::AppMsg::Resize { columns: size.0, rows: size.1 };
        let _ = app.update(crate::domain::stamp::Stamped { stamp: now, value: tick });
        let theme = themes.first().ok_or_else(|| color_eyre::eyre::eyre!("there is no theme"))?;
        let text = super::board::text(&app, theme, size, ansi).wrap_err("the frame cannot be drawn")?;
        let say = if ansi { say_as_is } else { say_text };
        say(&mut std::io::stdout(), &text);
        Ok(Exit::Done.into())
    })
}

/// One service with first data, under the guard of a watch screen.
fn on_service(
    cli: &Cli,
    name: &str,
    wait: Duration,
    then: impl FnOnce(&World, &mut Session, ServiceIx) -> Result<Exit>,
) -> Result<std::process::ExitCode> {
    opened(cli, |mut world| {
        let at = match open::service(&world, Some(name)) {
            Ok(at) => at,
            Err(error) => return Ok(fail(&error.to_string(), Exit::Usage)),
        };
        let mut session = session(&mut world, Use::Look)?;
        let effects = session.engine.show(at);
        session.perform(effects);
        session.first_data(Some(at), wait);
        if let Some(Signal(signal)) = session.signal {
            return Ok(by_signal(signal));
        }
        let exit = then(&world, &mut session, at)?;
        Ok(session.signal.map_or_else(|| exit.into(), |Signal(s)| by_signal(s)))
    })
}

/// The ring of that name, or what to say instead.
fn ring(service: &Service, name: &str) -> Result<RingIx, String> {
    if let Some((at, _)) = service.find_ring(name) {
        return Ok(at);
    }
    let names: Vec<&str> = service.rings.iter().map(|r| r.name.as_str()).collect();
    let hint = match did_you_mean(name, names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("rings are {}", names.join(", ")),
    };
    Err(format!("{} has no ring {name}; {hint}", service.name))
}

/// May the ring have the version that is on its way? What is asked of a ring that has it already
/// is whether it would be let in again.
fn asked(
    cli: &Cli,
    args: &LookArgs,
    then: impl FnOnce(&Engine, ServiceIx, &Question) -> Exit,
) -> Result<std::process::ExitCode> {
    on_service(cli, &args.service, args.wait, |world, session, at| {
        let fleet = world.fleet.clone();
        let Some(service) = fleet.service(at) else { return Ok(Exit::Unexpected) };
        let at_ring = match ring(service, &args.ring) {
            Ok(ring) => ring,
            Err(text) => {
                fail(&text, Exit::Usage);
                return Ok(Exit::Usage);
            }
        };
        let Some(question) = session.engine.may(at, at_ring) else {
            let text = format!("nothing is known yet of what {} runs; `gonogo status` says why", service.name);
            fail(&text, Exit::Unreachable);
            return Ok(Exit::Unreachable);
        };
        if !session.engine.has_first_data(at) {
            let wait = crate::domain::stamp::short(args.wait.try_into().unwrap_or_default());
            say_errors(&format!(
                "gonogo: checking: after {wait} not everything was answered; what says `not asked yet` is no verdict. \
                 --wait gives it longer\n"
            ));
        }
        Ok(then(&session.engine, at, &question))
    })
}

/// `gonogo gate`: for scripts, the answer is the exit code.
pub(super) fn gate(cli: &Cli, args: &LookArgs) -> Result<std::process::ExitCode> {
    asked(cli, args, |engine, at, question| {
        let text = match args.output {
            TextOutput::Text => output::question::line(engine, at, question),
            TextOutput::Json => output::document(&output::question::document(engine, at, question, "gate")),
        };
        say_text(&mut std::io::stdout(), &text);
        by_verdict(question.verdict)
    })
}

/// `gonogo explain`: why a ring may not have the version, in plain sentences, and when that may change.
pub(super) fn explain(cli: &Cli, args: &LookArgs) -> Result<std::process::ExitCode> {
    asked(cli, args, |engine, at, question| {
        let text = match args.output {
            TextOutput::Text => output::question::text(engine, at, question),
            TextOutput::Json => output::document(&output::question::document(engine, at, question, "explain")),
        };
        say_text(&mut std::io::stdout(), &text);
        by_verdict(question.verdict)
    })
}

/// Only a plain go is 0: what a person should have seen first is not for a script to pass over.
fn by_verdict(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Go => Exit::Done,
        _ => Exit::Refused,
    }
}

/// `gonogo wait`: until a ring is go, or has settled on what is on its way.
pub(super) fn wait(
    cli: &Cli,
    service: &str,
    ring_name: &str,
    until: Awaited,
    timeout: Duration,
) -> Result<std::process::ExitCode> {
    on_service(cli, service, timeout.min(Duration::from_secs(8)), |world, session, at| {
        let fleet = world.fleet.clone();
        let Some(service) = fleet.service(at) else { return Ok(Exit::Unexpected) };
        let at_ring = match ring(service, ring_name) {
            Ok(ring) => ring,
            Err(text) => {
                fail(&text, Exit::Usage);
                return Ok(Exit::Usage);
            }
        };
        let done = session.pump(timeout, |engine| {
            engine.freshen(at);
            match until {
                Awaited::Go => engine.may(at, at_ring).is_some_and(|q| q.verdict == Verdict::Go),
                Awaited::Settled => settled(engine, at, service, at_ring),
            }
            .then_some(())
        });
        if session.signal.is_some() {
            return Ok(Exit::Unexpected);
        }
        let question = session.engine.may(at, at_ring);
        let line = question.map(|q| output::question::line(&session.engine, at, &q)).unwrap_or_default();
        if done.is_some() {
            let word = if until == Awaited::Go { "go" } else { "settled" };
            let line = if until == Awaited::Go { line } else { String::new() };
            say_text(&mut std::io::stdout(), &format!("{ring_name}: {word}\n{line}"));
            return Ok(Exit::Done);
        }
        let seen = output::question::ring_line(&session.engine, at, at_ring);
        fail(&format!("timed out; {seen}\n{}", line.trim_end()), Exit::Diverged);
        Ok(Exit::Diverged)
    })
}

/// Every region of the ring runs the version that is on its way, complete, and is heard.
fn settled(engine: &Engine, at: ServiceIx, service: &Service, ring: RingIx) -> bool {
    let Some(view) = engine.services.get(at.at()).map(|s| &s.view) else { return false };
    let wanted = view.release.to.as_ref();
    let runs = view.rings.get(ring.at()).map(|r| &r.runs);
    let regions = service.ring(ring).map(|r| r.regions.as_slice()).unwrap_or_default();
    let region = |at: &crate::domain::id::RegionIx| view.regions.get(at.at());
    matches!((runs, wanted), (Some(RingRuns::One(v)), Some(w)) if v == w)
        && !regions.is_empty()
        && regions.iter().all(|r| {
            region(r).is_some_and(|v| v.state == RegionWord::Settled && v.heard == crate::engine::view::Heard::Live)
        })
}

/// `gonogo handover`: what the next shift must know, on one screen.
pub(super) fn handover(cli: &Cli, service: &str, form: TextOutput, wait: Duration) -> Result<std::process::ExitCode> {
    on_service(cli, service, wait, |_, session, at| {
        let text = match form {
            TextOutput::Text => output::handover::text(&session.engine, at),
            TextOutput::Json => output::document(&output::handover::json(&session.engine, at)),
        };
        say_text(&mut std::io::stdout(), &text);
        Ok(Exit::Done)
    })
}

/// `gonogo report`: what happened, from the record and this host's journal.
pub(super) fn report(cli: &Cli, args: &ReportArgs) -> Result<std::process::ExitCode> {
    on_service(cli, &args.service, args.wait, |world, session, at| {
        let now = session.engine.server_now();
        let since = now.checked_sub(i64::try_from(args.since.as_secs()).unwrap_or(i64::MAX).seconds());
        let Ok(since) = since else {
            fail("--since reaches further back than there are times", Exit::Usage);
            return Ok(Exit::Usage);
        };
        traffic(session, at);
        let (operations, trouble) = operations(world);
        let ask = ask(&session.engine, at, since, now, args.release.as_deref());
        let fleet = world.fleet.clone();
        let (Some(service), Some(state)) = (fleet.service(at), session.engine.services.get(at.at())) else {
            return Ok(Exit::Unexpected);
        };
        let told = tell(service, &state.record, &operations, &ask);
        let page = output::report::Page { engine: &session.engine, at, ask: &ask, report: &told, trouble };
        let text = match args.output {
            ReportOutput::Md => page.markdown(),
            ReportOutput::Json => output::document(&page.json()),
        };
        say_text(&mut std::io::stdout(), &text);
        Ok(Exit::Done)
    })
}

/// The journal of this host, held against every record of the fleet.
pub(super) fn verify(cli: &Cli, wait: Duration) -> Result<std::process::ExitCode> {
    opened(cli, |mut world| {
        let mut session = session(&mut world, Use::Look)?;
        for service in (0..world.fleet.services.len()).map(ServiceIx::from) {
            let effects = session.engine.show(service);
            session.perform(effects);
        }
        session.pump(wait, |engine| {
            let read = |(at, service): (usize, &Service)| {
                let record = &engine.services.get(at)?.record;
                service.region_indexes().all(|r| record.region(r).is_some()).then_some(())
            };
            let all = engine.fleet.services.iter().enumerate().all(|one| read(one).is_some());
            all.then_some(())
        });
        if let Some(Signal(signal)) = session.signal {
            return Ok(by_signal(signal));
        }
        Ok(super::said(journal::against_fleet(&session, &world)?))
    })
}

/// The hourly traffic of the last days, for exposure; what does not come stays unknown.
fn traffic(session: &mut Session, at: ServiceIx) {
    let mut effects: Vec<Effect> = Vec::new();
    session.engine.ask_week(at, &mut effects);
    let asked = !effects.is_empty();
    session.perform(effects);
    if asked {
        session.pump(HISTORY, |engine| {
            let state = engine.services.get(at.at())?;
            let steered = |i: usize| engine.fleet.service(at)?.regions.get(i).map(|r| r.route.is_some());
            let missing = state.regions.iter().enumerate().any(|(i, r)| r.week.is_empty() && steered(i) == Some(true));
            (!missing).then_some(())
        });
    }
}

fn ask(engine: &Engine, at: ServiceIx, since: Timestamp, until: Timestamp, release: Option<&str>) -> Ask {
    let mut ask = Ask { since, until, release: release.map(Into::into), ..Ask::default() };
    let Some(state) = engine.services.get(at.at()) else { return ask };
    ask.traffic = state.regions.iter().map(|r| r.week.clone()).collect();
    ask.runs = state.regions.iter().map(|r| r.workload.as_ref().map(|w| w.version.0.clone())).collect();
    if let Some(RingRuns::One(version)) = state.view.rings.first().map(|r| &r.runs)
        && let Some(start) = state.view.rings.first().and_then(|r| r.bake_start)
    {
        ask.arrivals.insert(version.0.clone(), start.at);
    }
    ask
}

/// What this host's journal knows, and what of it could not be read.
fn operations(world: &World) -> (Vec<Operation>, Option<String>) {
    let folder = world.journal_folder();
    let history = match read_all(&folder, &world.around.host) {
        Ok(history) => history,
        Err(error) => {
            return (Vec::new(), Some(format!("the journal in {} cannot be read: {error}", folder.display())));
        }
    };
    let missing = super::journal::missing(&history);
    let trouble = (!missing.is_empty()).then(|| missing.trim_end().to_owned());
    let text = |t: &str| -> Text { t.into() };
    let operation = |o: crate::io::journal::Operation| Operation {
        plan: text(&o.opened.plan),
        at: o.at,
        by: text(&o.opened.operator),
        title: text(&o.opened.title),
        service: text(&o.opened.service),
        regions: o.opened.regions.iter().map(|r| text(&r.region)).collect(),
        why: text(o.opened.reason.as_deref().unwrap_or_default()),
        facts: o.opened.steps.iter().flat_map(|step| step.facts()).map(|fact| fact.id).collect(),
        ended: o.closed.as_ref().map(|(outcome, _, at)| (text(outcome), *at)),
        break_glass: false,
    };
    (history.operations().into_iter().map(operation).collect(), trouble)
}
