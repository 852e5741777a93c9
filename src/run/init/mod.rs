//! `gonogo init`: a first configuration, by asking and by looking into the clusters. It is shown before it is written,
//! and nothing is ever overwritten.

mod ask;
mod discover;

use std::io::{IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::ExitCode;

use color_eyre::eyre::Result;

use super::failure::Exit;
use super::world::{self, Surroundings};
use super::{fail, open, say_text};
use crate::cli::InitArgs;
use crate::config::first::{Found, FoundPrometheus, FoundRegion, plain_name, rings, text};
use crate::config::{self, Given};
use crate::domain::outside::quoted;
use crate::domain::text::{did_you_mean, several, visible};
use crate::io::connect::contexts;
use ask::{chosen, line, several_chosen};
use discover::{Looked, Seen, look};

/// Why it ends without a configuration, what to do, and how it ends.
struct Stop {
    text: String,
    hint: String,
    exit: Exit,
}

impl Stop {
    fn new(exit: Exit, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: hint.into(), exit }
    }

    fn usage(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text, hint)
    }
}

/// Asks, looks, shows and writes.
pub fn run(args: &InitArgs, flag: Option<&Path>) -> Result<ExitCode> {
    Ok(match made(args, flag) {
        Ok(exit) => exit.into(),
        Err(Stop { text, hint, exit }) => {
            let hint = if hint.is_empty() { hint } else { format!("\n  hint: {}", visible(&hint)) };
            fail(&format!("{text}{hint}"), exit)
        }
    })
}

fn made(args: &InitArgs, flag: Option<&Path>) -> Result<Exit, Stop> {
    let place = open::place(flag.map(Path::to_owned));
    if place.path.exists() && !args.print {
        let text = format!("{} is there already and is not overwritten", place.path.display());
        return Err(Stop::new(Exit::Refused, text, "--print shows what would be written; --config FILE names another"));
    }
    let asks = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !args.yes;
    let around = Surroundings::read();
    let known = contexts(&around.kubeconfigs).map_err(|reason| {
        let (word, why) = reason.text();
        Stop::usage(format!("{word}: {}", visible(why)), "$KUBECONFIG, or ~/.kube/config")
    })?;
    let named = which_contexts(args, &known, asks)?;
    say(&format!("looking into {} …\n", several(named.len(), "cluster")));
    let runtime = world::runtime(world::WATCHING).map_err(|e| Stop::new(Exit::Unexpected, e.to_string(), ""))?;
    let looked = runtime.block_on(look(&named, args.namespace.as_deref(), &around));
    for one in looked.iter().filter_map(|l| l.trouble.as_ref().map(|why| (l, why))) {
        say(&format!("  {}: {}\n", visible(&one.0.context), visible(one.1)));
    }
    let seen = which_workload(args, &looked, asks)?;
    let found = put_together(args, &looked, &seen, asks)?;
    let text = text(&found);
    checked(&text, &place.path)?;
    say_text(&mut std::io::stdout(), &text);
    say(&format!("\n{}", summary(&found)));
    if args.print {
        return Ok(Exit::Done);
    }
    if asks && line(&format!("write {}? [y/N] ", place.path.display())).as_deref() != Some("y") {
        say("nothing was written\n");
        return Ok(Exit::Refused);
    }
    if !asks && !args.yes {
        say("nothing was written: --yes writes it\n");
        return Ok(Exit::Refused);
    }
    written(&place.path, &text)?;
    let with = flag.map(|flag| format!(" --config {}", quoted(&flag.display().to_string()))).unwrap_or_default();
    say(&format!("written: {}\nnext: `gonogo{with} doctor`, then `gonogo{with}`\n", place.path.display()));
    Ok(Exit::Done)
}

/// To standard error: standard output is the configuration.
fn say(text: &str) {
    say_text(&mut std::io::stderr(), text);
}

fn which_contexts(args: &InitArgs, known: &[String], asks: bool) -> Result<Vec<String>, Stop> {
    if !args.context.is_empty() {
        for name in &args.context {
            if !known.contains(name) {
                let near = did_you_mean(name, known.iter().map(String::as_str));
                let hint =
                    near.map_or_else(|| format!("there are {}", known.join(", ")), |n| format!("did you mean {n}?"));
                return Err(Stop::usage(format!("the kubeconfig has no context {}", visible(name)), hint));
            }
        }
        return Ok(args.context.clone());
    }
    if known.is_empty() {
        return Err(Stop::usage("the kubeconfig has no context", "$KUBECONFIG, or ~/.kube/config"));
    }
    if !asks {
        let hint = format!("there are {}", known.join(", "));
        return Err(Stop::usage("name the clusters with --context, once for each", hint));
    }
    several_chosen("contexts of the kubeconfig", "which of them run the service? (e.g. 1 3-5, or all) ", known)
        .ok_or_else(|| Stop::usage("no context was chosen", ""))
}

/// A workload that runs in some of the clusters.
struct Candidate {
    kind: &'static str,
    name: String,
    clusters: usize,
}

/// Workloads by how many of the clusters have them; the fewest namespaces of the system among them.
fn candidates(looked: &[Looked]) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    for seen in looked.iter().flat_map(|l| l.workloads.iter()) {
        if all.iter().any(|c| c.kind == seen.kind && c.name == seen.name) {
            continue;
        }
        let has = |l: &&Looked| l.workloads.iter().any(|w| w.kind == seen.kind && w.name == seen.name);
        let clusters = looked.iter().filter(has).count();
        all.push(Candidate { kind: seen.kind, name: seen.name.clone(), clusters });
    }
    all.sort_by(|a, b| b.clusters.cmp(&a.clusters).then_with(|| a.name.cmp(&b.name)));
    all
}

fn which_workload(args: &InitArgs, looked: &[Looked], asks: bool) -> Result<Candidate, Stop> {
    let mut all = candidates(looked);
    if all.is_empty() {
        let hint = "--namespace NAME looks into one; `kubectl get deployments -A` shows what you may see";
        return Err(Stop::new(Exit::Unreachable, "no Deployment or StatefulSet was found", hint));
    }
    let names: Vec<String> =
        all.iter().map(|c| format!("{} ({}, in {} of {})", c.name, c.kind, c.clusters, looked.len())).collect();
    let at = match &args.service {
        Some(name) => all.iter().position(|c| c.name == *name).ok_or_else(|| {
            let near = did_you_mean(name, all.iter().map(|c| c.name.as_str()));
            let known = || all.iter().take(20).map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
            let hint = near.map_or_else(|| format!("there are {}", known()), |n| format!("did you mean {n}?"));
            Stop::usage(format!("no Deployment or StatefulSet is called {}", visible(name)), hint)
        })?,
        None if asks => chosen("workloads", "which of them is released? ", &names)
            .ok_or_else(|| Stop::usage("no workload was chosen", ""))?,
        None => {
            let list = names.iter().take(20).cloned().collect::<Vec<_>>().join(", ");
            return Err(Stop::usage("name the service", format!("there are {list}")));
        }
    };
    Ok(all.swap_remove(at))
}

fn put_together(args: &InitArgs, looked: &[Looked], workload: &Candidate, asks: bool) -> Result<Found, Stop> {
    let mut regions: Vec<FoundRegion> = Vec::new();
    let mut container = None;
    let several_regions = |l: &Looked| looked.iter().filter(|o| o.region == l.region).count() > 1;
    for one in looked {
        let is = |w: &&Seen| w.kind == workload.kind && w.name == workload.name;
        let Some(seen) = one.workloads.iter().find(is) else { continue };
        let by_node = one.region.clone().filter(|_| !several_regions(one));
        let name = seen.region.clone().or(by_node).unwrap_or_else(|| one.context.clone());
        let name = plain_name(&name);
        let taken = |name: &str, regions: &[FoundRegion]| regions.iter().any(|r| r.name == name);
        let name = if name.is_empty() || taken(&name, &regions) { plain_name(&one.context) } else { name };
        let name = if taken(&name, &regions) { format!("{name}-{}", regions.len() + 1) } else { name };
        container = container.or_else(|| seen.container(&workload.name));
        regions.push(FoundRegion {
            name,
            context: one.context.clone(),
            ring: seen.ring.clone(),
            namespace: seen.namespace.clone(),
            replicas: seen.replicas,
        });
    }
    let prometheus = match (&args.prometheus, inside(looked)) {
        (Some(url), _) => FoundPrometheus::Url(url.clone()),
        (None, Some(found)) => found,
        (None, None) if asks => {
            let said = line("URL of a Prometheus that knows all of them (empty: none yet) ").unwrap_or_default();
            if said.is_empty() { FoundPrometheus::Unknown } else { FoundPrometheus::Url(said) }
        }
        (None, None) => FoundPrometheus::Unknown,
    };
    let container = container.ok_or_else(|| Stop::new(Exit::Unexpected, "the workload has no container", ""))?;
    let fleet = args.fleet.clone().unwrap_or_else(|| plain_name(&workload.name));
    let kind = workload.kind.to_owned();
    Ok(Found { fleet, service: workload.name.clone(), kind, container, regions, prometheus })
}

/// A Prometheus of the same name in every cluster.
fn inside(looked: &[Looked]) -> Option<FoundPrometheus> {
    let (namespace, service, port) = looked.first()?.prometheus.clone()?;
    let same = |l: &Looked| l.prometheus.as_ref().is_some_and(|p| p.0 == namespace && p.1 == service);
    looked.iter().all(same).then_some(FoundPrometheus::Inside { namespace, service, port })
}

/// What was made can be read: a name that no configuration takes is said here, not at the next start.
fn checked(text: &str, path: &Path) -> Result<(), Stop> {
    let env = |name: &str| open::variable(name);
    match config::read(path, text.as_bytes(), &Given::env(&env)) {
        Ok(_) => Ok(()),
        Err(errors) => {
            let errors = config::render_errors(&errors, false);
            Err(Stop::new(
                Exit::Unexpected,
                format!(
                    "what was found makes no configuration:
{errors}"
                ),
                "",
            ))
        }
    }
}

fn summary(found: &Found) -> String {
    let mut out = String::new();
    for (name, members) in rings(&found.regions) {
        let names: Vec<&str> = members.iter().map(|r| r.name.as_str()).collect();
        out.push_str(&format!("  {name}: {}\n", names.join(", ")));
    }
    out
}

/// Makes the file, readable by nobody else; one that came meanwhile is left as it is.
fn written(path: &Path, text: &str) -> Result<(), Stop> {
    let told =
        |e: std::io::Error| Stop::new(Exit::Unexpected, format!("{} cannot be written: {e}", path.display()), "");
    if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(told)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(told)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(told)
}
