//! `gonogo check --plan` and `--simulate`: the release plan judged, and played, before it is carried out.

use std::process::ExitCode;
use std::time::Duration;

use color_eyre::eyre::Result;

use super::failure::Exit;
use super::output::{self, forecast};
use super::world::World;
use super::{Use, fail, open, opened, say_errors, say_text, session};
use crate::cli::{CheckArgs, Cli, TextOutput};
use crate::config::{self, Config};
use crate::domain::fleet::Service;
use crate::domain::id::{RegionIx, ServiceIx};
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::engine::state::RegionState;
use crate::forecast::{Forecast, Terms, play};
use crate::io::Clock;
use crate::lint::{self, Input, Measured, Report};

/// The configuration, or how it ends where it cannot be read.
fn read(cli: &Cli) -> Result<Config, ExitCode> {
    open::load(cli.config.clone(), false).map(|loaded| loaded.config).map_err(|errors| {
        say_errors(&config::render_errors(&errors, open::colour()));
        Exit::Usage.into()
    })
}

/// The service that is asked for, or all.
fn services<'c>(config: &'c Config, wanted: Option<&str>) -> Result<Vec<&'c Service>, ExitCode> {
    let all = &config.fleet.services;
    let found: Vec<&Service> = all.iter().filter(|s| wanted.is_none_or(|w| s.name.as_str() == w)).collect();
    match (found.is_empty(), wanted) {
        (true, Some(name)) => {
            let names: Vec<&str> = all.iter().map(|s| s.name.as_str()).collect();
            let text = format!("there is no service {name}; services are {}", names.join(", "));
            Err(fail(&text, Exit::Usage))
        }
        _ => Ok(found),
    }
}

/// Plays a release of each service.
pub(super) fn simulate(cli: &Cli, args: &CheckArgs, span: Duration) -> Result<ExitCode> {
    let config = match read(cli) {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let found = match services(&config, args.service.as_deref()) {
        Ok(found) => found,
        Err(code) => return Ok(code),
    };
    let length = |d: Duration| SignedDuration::try_from(d).unwrap_or(SignedDuration::ZERO);
    let terms = Terms {
        from: args.from.unwrap_or_else(|| now(&config)),
        span: length(span),
        people: length(args.people),
        rollout: length(args.rollout),
    };
    let played: Vec<(&Service, Forecast)> = found.into_iter().map(|s| (s, play(s, terms))).collect();
    let text = match args.output {
        TextOutput::Text => forecast::text(&played),
        TextOutput::Json => output::document(&forecast::json(&played)),
    };
    say_text(&mut std::io::stdout(), &text);
    let through = played.iter().all(|(_, f)| f.finish.is_some());
    Ok(if through { Exit::Done.into() } else { Exit::Refused.into() })
}

/// Now, by the simulation's time where the configuration has one; to the minute, for people.
fn now(config: &Config) -> Timestamp {
    let real = Clock::host().wall();
    let now = config.simulated_clock.map_or(real, |clock| clock.at(real));
    Timestamp::from_second(now.as_second() - now.as_second().rem_euclid(60)).unwrap_or(now)
}

/// Judges the plan of each service: by what is declared, or connected by what is measured.
pub(super) fn judge(cli: &Cli, args: &CheckArgs) -> Result<ExitCode> {
    if args.connect {
        return opened(cli, |mut world| judge_connected(&mut world, args));
    }
    match read(cli) {
        Ok(config) => Ok(said(&config, args, None)),
        Err(code) => Ok(code),
    }
}

fn judge_connected(world: &mut World, args: &CheckArgs) -> Result<ExitCode> {
    let config = world.config.clone();
    // A name that is not there is said before anybody is asked.
    if let Err(code) = services(&config, args.service.as_deref()) {
        return Ok(code);
    }
    let wanted = |name: &str| args.service.as_deref().is_none_or(|w| w == name);
    let mut session = session(world, Use::Look)?;
    let mut measured = vec![Measured::default(); config.fleet.services.len()];
    for (at, service) in config.fleet.services.iter().enumerate().filter(|(_, s)| wanted(s.name.as_str())) {
        let effects = session.engine.show(at.into());
        session.perform(effects);
        session.first_data(Some(at.into()), args.wait);
        let newest = |state: Option<&RegionState>| {
            let samples = state.into_iter().flat_map(|s| &s.current);
            samples.map(|(column, (_, reading))| (column.clone(), reading.clone())).collect()
        };
        let state = session.engine.services.get(at);
        let regions = (0..service.regions.len()).map(|i| newest(state.and_then(|s| s.region(RegionIx::from(i)))));
        if let Some(place) = measured.get_mut(at) {
            *place = Measured(regions.collect());
        }
    }
    let code = said(&config, args, Some(&measured));
    let any = measured.iter().flat_map(|m| &m.0).flat_map(|r| r.values()).any(Result::is_ok);
    // Nothing was measured: what was said rests on declarations alone.
    Ok(if !any && code == Exit::Done.into() { Exit::Unreachable.into() } else { code })
}

fn said(config: &Config, args: &CheckArgs, measured: Option<&[Measured]>) -> ExitCode {
    let found = match services(config, args.service.as_deref()) {
        Ok(found) => found,
        Err(code) => return code,
    };
    let now = now(config);
    let one = |service: &Service| {
        let at = config.fleet.find_service(service.name.as_str()).map_or(ServiceIx(0), |(at, _)| at);
        let measured = measured.and_then(|m| m.get(at.at()));
        lint::judge(Input { config, service: at, measured, now })
    };
    let judged: Vec<(&Service, Report)> = found.into_iter().map(|s| (s, one(s))).collect();
    let text = match args.output {
        TextOutput::Text => output::lint::text(&judged),
        TextOutput::Json => output::document(&output::lint::json(&judged, measured.is_some())),
    };
    say_text(&mut std::io::stdout(), &text);
    let clean = judged.iter().all(|(_, report)| report.open().next().is_none());
    if clean { Exit::Done.into() } else { Exit::Refused.into() }
}
