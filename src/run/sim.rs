//! `gonogo sim`: the simulated fleet on loopback, without a screen, until a signal.

use std::path::PathBuf;

use color_eyre::eyre::{Context, Result};

use super::folder::Folder;
use crate::cli::SimArgs;
use crate::sim::world::{SimFleet, SimOptions};

/// What the arguments ask for.
pub fn options(args: &SimArgs) -> SimOptions {
    SimOptions {
        scenario: args.scenario.clone(),
        speed: args.speed,
        seed: args.seed,
        regions: args.regions as usize,
        services: args.services as usize,
        events_per_second: args.events_per_second,
        start: None,
    }
}

/// Serves until SIGTERM, SIGINT or SIGHUP; gives the number of the signal.
pub async fn serve(args: &SimArgs, dir: Option<PathBuf>, say: impl FnOnce(&str)) -> Result<i32> {
    let mut signals = signals().wrap_err("signals cannot be listened to")?;
    let own = Folder::new("sim").wrap_err("a folder for the fleet's files cannot be made")?;
    let dir = dir.unwrap_or_else(|| own.path().to_owned());
    let mut fleet = SimFleet::start(&options(args))?;
    let line = fleet.serve(&dir).await?.json_line();
    let _keeper = super::repository::keep(fleet.world(), &dir).await?;
    say(&line);
    let signal = signals.recv().await.unwrap_or(0);
    fleet.stop().await;
    Ok(signal)
}

/// Numbers of signals that end a run.
fn signals() -> std::io::Result<tokio::sync::mpsc::Receiver<i32>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (to, from) = tokio::sync::mpsc::channel(1);
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut stream = signal(kind)?;
        let to = to.clone();
        tokio::spawn(async move {
            stream.recv().await;
            let _ = to.send(kind.as_raw_value()).await;
        });
    }
    Ok(from)
}
