//! `gonogo guard`: the engine without a screen. What it does is decided where a console's
//! verdicts are made; here are a loop, a door for probes, and an orderly end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;

use super::open::{history, past_facts};
use super::session::{Session, Signal};
use super::world::World;
use crate::cli::GuardArgs;
use crate::domain::fleet::Fleet;
use crate::domain::id::{RegionIx, Text};
use crate::domain::plan::PlanId;
use crate::domain::policy::Mode;
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::text::did_you_mean;
use crate::engine::Engine;
use crate::engine::automation::{Arming, Interrupted};
use crate::engine::operation::StepState;
use crate::io::connect::ProxyEnv;
use crate::io::journal::{History, Operation, Process, durable};
use crate::io::notify::{Notifier, Teller};
use crate::io::prometheus::Network;

mod door;
mod metrics;
#[cfg(test)]
mod tests;

use door::{Board, Door};

/// Between two looks at what probes are told.
const BEAT: Duration = Duration::from_secs(1);
/// How long an end may take: what was sent is waited for, nothing new is begun.
const END: Duration = Duration::from_secs(20);
/// How long giving back the leases may take: whoever comes next waits for them a little longer.
const GIVE_BACK: Duration = Duration::from_secs(5);
/// Plans that were left open longer ago are history.
const LEFT_OPEN: SignedDuration = SignedDuration::from_hours(24);

/// Guards until a signal comes.
pub fn run(world: &World, mut session: Session, args: &GuardArgs) -> Result<Option<Signal>> {
    let history =
        history(world).inspect_err(|error| tracing::error!("guard: the journal cannot be read: {error}")).ok();
    let arming = arming(world, &mut session.engine, args, history.as_ref());
    say(&arming);
    if let Some(history) = &history {
        session.engine.take_over(past_facts(world, history, false));
    }
    let board = Board::new(world.clock.clone());
    let door = match args.listen {
        Some(address) => Some(world.runtime.block_on(Door::open(address, board.clone()))?),
        None => None,
    };
    if let Some(door) = &door {
        tracing::info!("guard: listens on {}", door.address());
    }
    let notifier = notifier(world, &arming);
    session.notify(notifier.clone());
    session.engine.arm(arming);
    loop {
        board.beat(&session.engine, notifier.counts());
        if session.signal.is_some() {
            break;
        }
        session.pump(BEAT, |_| None::<()>);
    }
    tracing::info!("guard: ends: nothing new is begun, and what was sent is waited for");
    end(&mut session);
    board.beat(&session.engine, notifier.counts());
    Ok(session.signal)
}

/// What the guard may do, and what an earlier run of it left.
fn arming(world: &World, engine: &mut Engine, args: &GuardArgs, history: Option<&History>) -> Arming {
    let wanted: Mode = args.mode.into();
    let folder = world.journal_folder();
    let journal = match (&world.unjournaled, durable(&folder)) {
        (Some(why), _) => Err(why.clone()),
        (None, done) => done.map_err(|why| format!("{}: {why}", folder.display())),
    };
    let lessened = journal.err().filter(|_| wanted > Mode::Advise);
    let mode = if lessened.is_some() { Mode::Advise } else { wanted };
    let lessened = lessened.map(|why| {
        format!("no durable journal, so it only advises: {why}; give it --state on a volume that lasts").into()
    });
    let holder = format!("{}/{}", world.around.host, engine.instance());
    Arming {
        mode,
        lessened,
        holder: holder.into(),
        regions: args.regions.iter().map(|r| Text::from(r.as_str())).collect(),
        interrupted: history.map(|h| interrupted(h, &world.fleet, world.clock.wall())).unwrap_or_default(),
    }
}

fn say(arming: &Arming) {
    let regions = if arming.regions.is_empty() { "every region".to_owned() } else { arming.regions.join(", ") };
    tracing::info!("guard: {} in {regions}, as {}", arming.mode.word(), arming.holder);
    if let Some(why) = &arming.lessened {
        tracing::error!("guard: {why}");
    }
    for left in &arming.interrupted {
        let next = if left.raising { "waits for a person" } else { "is taken up again" };
        tracing::warn!("guard: plan {} ({}) was left open, and {next}", left.plan, left.title);
    }
}

/// Plans that the journal has open, and that nobody who lives carries out.
fn interrupted(history: &History, fleet: &Fleet, now: Timestamp) -> Vec<Interrupted> {
    let left =
        |o: &Operation| o.closed.is_none() && o.process != Process::Alive && now.duration_since(o.at) <= LEFT_OPEN;
    let read = |o: Operation| {
        let (at, service) = fleet.find_service(&o.opened.service)?;
        // A drain tells all regions first, and is about the one of its last step.
        let skip = if o.opened.verb == "drain" { o.opened.steps.len().saturating_sub(1) } else { 0 };
        let open = o.opened.steps.iter().zip(&o.steps).skip(skip).filter(|(_, s)| s.ended.is_none());
        let mut regions: Vec<RegionIx> =
            open.filter_map(|(step, _)| service.find_region(&step.region).map(|(r, _)| r)).collect();
        regions.sort();
        regions.dedup();
        Some(Interrupted {
            plan: PlanId(o.opened.plan.parse().ok()?),
            service: at,
            verb: o.opened.verb.as_str().into(),
            raising: o.opened.raising,
            regions,
            title: o.opened.title.as_str().into(),
            facts: o.left_facts(fleet),
        })
    };
    history.operations().into_iter().filter(left).filter_map(read).filter(|i| !i.regions.is_empty()).collect()
}

fn notifier(world: &World, arming: &Arming) -> Notifier {
    let stack: Arc<dyn crate::io::prometheus::HttpStack> =
        Network::new(None, ProxyEnv::read(|name| std::env::var(name).ok()));
    let teller = Teller {
        fleet: world.fleet.name.to_string(),
        guard: arming.holder.to_string(),
        mode: arming.mode.word().to_owned(),
    };
    Notifier::start(world.runtime.handle(), &world.config.notify, &stack, &teller)
}

/// Steps that have not started are not started; what was sent is waited for, in bounds.
fn end(session: &mut Session) {
    session.engine.disarm();
    let open: Vec<PlanId> = session.engine.operations.iter().filter(|o| o.open()).map(|o| o.plan.id).collect();
    for plan in open {
        let effects = session.engine.cancel(plan);
        session.perform(effects);
    }
    session.wind_down(END, |engine| {
        let sends = |s: &StepState| matches!(s, StepState::Sending { .. });
        let sending = engine.operations.iter().filter(|o| o.open()).any(|o| o.steps.iter().any(sends));
        (!sending).then_some(())
    });
    // A renewal that is under way would take back what was given.
    session.engine.leave_leases();
    session.wind_down(GIVE_BACK, |engine| (!engine.leases().writing()).then_some(()));
    let effects = session.engine.give_leases_back();
    session.perform(effects);
    session.wind_down(GIVE_BACK, |engine| (!engine.leases().writing()).then_some(()));
}

/// Keeps the services that are named; says so when a name is nobody's.
pub fn scope(world: &mut World, services: &[String], regions: &[String]) -> Result<(), String> {
    let hint = |name: &str, known: &[&str]| {
        did_you_mean(name, known.iter().copied())
            .map_or_else(|| format!("there is {}", known.join(", ")), |near| format!("did you mean {near}?"))
    };
    for name in services {
        if world.fleet.find_service(name).is_none() {
            let known: Vec<&str> = world.fleet.services.iter().map(|s| s.name.as_str()).collect();
            return Err(format!("there is no service {name}; {}", hint(name, &known)));
        }
    }
    for name in regions {
        let known: BTreeSet<&str> =
            world.fleet.services.iter().flat_map(|s| &s.regions).map(|r| r.name.as_str()).collect();
        if !known.contains(name.as_str()) {
            let known: Vec<&str> = known.into_iter().collect();
            return Err(format!("there is no region {name}; {}", hint(name, &known)));
        }
    }
    if !services.is_empty() {
        world.only(services);
    }
    Ok(())
}
