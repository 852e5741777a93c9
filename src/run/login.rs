//! `gonogo login`: runs the exec plugins of credentials with this terminal.

use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::failure::Exit;
use super::world::World;
use crate::domain::id::ClusterIx;
use crate::domain::text::visible;

/// Logs in to one cluster, or to all that have a plugin.
pub fn run(world: &World, only: Option<&str>) -> Result<ExitCode> {
    let clusters: Vec<(ClusterIx, String)> = world
        .fleet
        .clusters
        .iter()
        .enumerate()
        .map(|(at, cluster)| (ClusterIx::from(at), cluster.name.to_string()))
        .filter(|(_, name)| only.is_none_or(|o| o == name))
        .collect();
    if clusters.is_empty() {
        let names: Vec<&str> = world.fleet.clusters.iter().map(|c| c.name.as_str()).collect();
        let text = format!("there is no cluster {}; clusters are {}", only.unwrap_or_default(), names.join(", "));
        return Ok(super::fail(&text, Exit::Usage));
    }
    let mut exit = Exit::Done;
    for (at, name) in clusters {
        match world.runtime.block_on(world.dial().login(at)) {
            Ok(true) => super::say_line(&format!("{name}: logged in")),
            Ok(false) => super::say_line(&format!("{name}: its credentials need no plugin")),
            Err(reason) => {
                let (word, text) = reason.text();
                super::fail(&format!("{name}: {word}: {}", visible(text)), Exit::Unreachable);
                exit = Exit::Unreachable;
            }
        }
    }
    Ok(exit.into())
}
