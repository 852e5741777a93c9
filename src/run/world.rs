//! What a run stands on: configuration, runtime, clock, and the ways into clusters and Prometheus.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use color_eyre::eyre::{Result, WrapErr};
use tokio::runtime::Runtime;

use super::diary::Diary;
use super::inbox::Inbox;
use super::performer::Performer;
use crate::config::{Config, Connection, RepositoryServer};
use crate::domain::fleet::Fleet;
use crate::domain::id::Operator;
use crate::engine::{Engine, Setting};
use crate::io::act::Outsides;
use crate::io::command::Processes;
use crate::io::connect::{Accepting, ActingAs, KubeDial, Memory, Plugins, ProxyEnv, Remembered, Way, usual_files};
use crate::io::endpoint::Endpoints;
use crate::io::files::Places;
use crate::io::git::{Git, Repository};
use crate::io::journal::{Anchor, Files, Journal, Who, host_name, newest_heads};
use crate::io::prometheus::Prometheus;
use crate::io::reports::Reports;
use crate::io::watch::{plan, reach, watch_all};
use crate::io::{Clock, Clusters, Mode, Tell};

/// Who and where we are: read from the environment once.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Folders.
    pub places: Places,
    /// Files that kubectl reads.
    pub kubeconfigs: Vec<PathBuf>,
    /// Proxies.
    pub proxy: ProxyEnv,
    /// This host's name.
    pub host: String,
    /// `user@host`.
    pub operator: Operator,
    /// Whom every cluster is to take us for (`--as`).
    pub acting_as: Option<ActingAs>,
}

impl Surroundings {
    /// Of this process.
    pub fn read() -> Self {
        let var = |name: &str| std::env::var_os(name);
        let text = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let places = Places::of(var, &std::env::temp_dir());
        let home = var("HOME").map(PathBuf::from);
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let user = text("USER").or_else(|| text("LOGNAME")).unwrap_or_else(|| "unknown".to_owned());
        let kubeconfig: Option<OsString> = var("KUBECONFIG");
        Self {
            places,
            kubeconfigs: usual_files(kubeconfig.as_deref(), home.as_deref()),
            proxy: ProxyEnv::read(text),
            operator: Operator::new(format!("{user}@{host}")),
            acting_as: None,
            host,
        }
    }

    /// Who runs this process, for the journal.
    pub fn who(&self) -> Who {
        let terminal = rustix::termios::ttyname(std::io::stdin(), Vec::new()).ok();
        Who {
            user: Some(self.operator.as_str().to_owned()),
            terminal: terminal.map(|name| name.to_string_lossy().into_owned()),
            acting_as: self.acting_as.as_ref().map(|a| a.user.clone()),
        }
    }
}

/// What a run stands on.
pub struct World {
    /// The configuration.
    pub config: Config,
    /// Its fleet, shared.
    pub fleet: Arc<Fleet>,
    /// The runtime of everything that waits.
    pub runtime: Arc<Runtime>,
    /// The clock.
    pub clock: Clock,
    /// Who and where we are.
    pub around: Surroundings,
    dial: Arc<KubeDial>,
    remembered: Arc<dyn Remembered>,
    journal: Option<Journal>,
    /// Why there is no journal.
    pub unjournaled: Option<String>,
    seed: u64,
}

impl World {
    /// Over a configuration. Nothing is connected yet.
    pub fn new(config: Config, runtime: Arc<Runtime>, around: Surroundings) -> Self {
        let clock = match &config.simulated_clock {
            Some(simulated) => Clock::simulated(simulated.at(Clock::host().wall()), simulated.speed),
            None => Clock::host(),
        };
        let ways = config.connections.iter().map(way).collect();
        let plugins = Plugins::new(Arc::new(Processes), clock.clone());
        let dial = KubeDial::new(ways, around.kubeconfigs.clone(), around.proxy.clone(), plugins, clock.clone())
            .acting_as(around.acting_as.clone());
        let remembered: Arc<dyn Remembered> = Arc::new(Memory::new(around.places.identities()));
        Self {
            fleet: config.fleet.clone(),
            config,
            runtime,
            clock,
            around,
            dial: Arc::new(dial),
            remembered,
            journal: None,
            unjournaled: None,
            seed: fastrand::u64(..),
        }
    }

    /// These clusters may be others than before: what their contexts lead to now is remembered.
    /// The error names one that is not configured.
    pub fn accept(&mut self, clusters: &[String]) -> Result<(), String> {
        let mut contexts = Vec::new();
        for name in clusters {
            let at = self.fleet.clusters.iter().position(|c| c.name.as_str() == name);
            let connection = at.and_then(|at| self.config.connections.get(at));
            contexts.push(way(connection.ok_or_else(|| format!("there is no cluster {name}"))?).remembered_by());
        }
        self.remembered = Arc::new(Accepting::new(self.remembered.clone(), contexts));
        Ok(())
    }

    /// Keeps these services, and forgets the others. Before anything is connected.
    pub fn only(&mut self, services: &[String]) {
        let mut fleet = (*self.fleet).clone();
        fleet.services.retain(|s| services.iter().any(|n| n == s.name.as_str()));
        self.fleet = Arc::new(fleet);
    }

    /// Where the journal is.
    pub fn journal_folder(&self) -> PathBuf {
        self.around.places.journal()
    }

    /// Starts the journal's thread: without it nothing can be raised.
    pub fn start_journal(&mut self) {
        // A temporary folder is emptied by the next start of the host, if not before.
        let passing = self.around.places.passing.clone();
        self.unjournaled.clone_from(&passing);
        let files = Files::new(self.journal_folder(), &self.around.host).passing(passing).by(self.around.who());
        match Journal::start(files, self.clock.clone()) {
            Ok(journal) => self.journal = Some(journal),
            Err(error) => self.unjournaled = Some(format!("the journal cannot be started: {error}")),
        }
    }

    /// Connects everything: watches tell the inbox, the performer answers to it.
    ///
    /// With `watch_only` nothing can be written; with `asks` pipelines are asked all the same how they stand, which a
    /// watch screen never does.
    pub fn connect<K: Send + 'static>(&self, inbox: &Inbox<K>, watch_only: bool, asks: bool) -> Performer<K> {
        let _guard = self.runtime.enter();
        let plans = plan(&self.fleet);
        let mode = if watch_only {
            Mode::Watch(reach(&plans, Prometheus::proxy_paths(&self.config.prometheuses)))
        } else {
            Mode::Console
        };
        let clusters = Clusters::new(self.fleet.clone(), self.dial.clone(), &mode, &self.clock);
        let (to, diary) = (inbox.clone(), Diary::new(self.fleet.clone()));
        let tell: Tell = Arc::new(move |seen| {
            diary.observed(&seen);
            to.seen(seen);
        });
        let watching = watch_all(&clusters, &plans, &self.clock, &tell, &self.remembered, self.seed);
        let prometheus = Prometheus::new(&self.config, &clusters, watch_only, tell.clone());
        let journal = if watch_only { None } else { self.journal.clone() };
        let performer = Performer::new(
            self.runtime.handle().clone(),
            clusters,
            Arc::new(watching),
            Arc::new(move |question| prometheus.ask(question)),
            journal,
            inbox.clone(),
        );
        let outsides = (!watch_only || asks).then(|| Outsides {
            runner: Some(Arc::new(Processes)),
            endpoints: Some(Arc::new(Endpoints::new(&self.config, tell.clone()))),
            // Who only looks reads no repository, and clones none.
            git: if watch_only { None } else { self.repositories() },
        });
        let reports = Reports::start(&self.fleet, outsides.clone(), &self.clock, &tell, self.seed);
        let writing = outsides.filter(|_| !watch_only);
        performer.with_outsides(writing.unwrap_or_default()).with_reports(reports)
    }

    /// The repositories; what is not cloned yet is, while nobody waits for it.
    fn repositories(&self) -> Option<Arc<Git>> {
        let server =
            |r: &RepositoryServer| (r.name.to_string(), Repository { url: r.url.to_string(), limit: r.timeout });
        let all: BTreeMap<_, _> = self.config.repositories.iter().map(server).collect();
        let git = (!all.is_empty()).then(|| Arc::new(Git::new(Arc::new(Processes), self.around.places.git(), all)))?;
        let warm = git.clone();
        self.runtime.spawn(async move { warm.warm().await });
        Some(git)
    }

    /// An engine that has seen nothing.
    pub fn engine(&self, may_keep: bool) -> Engine {
        let setting = Setting {
            operator: self.around.operator.clone(),
            seed: self.seed,
            may_keep,
            refresh: self.config.ui.refresh,
        };
        let mut engine = Engine::new(self.fleet.clone(), setting, self.clock.now());
        let heads = newest_heads(&self.journal_folder(), 1).unwrap_or_default();
        if self.journal.is_some() {
            let anchor = Anchor { host: host_name(&self.around.host), head: heads.into_iter().next() };
            engine.know_journal(anchor.to_string().into());
        }
        engine
    }

    /// Waits until everything that was noted is on the disk, or cannot be.
    pub async fn close_journal(&self) {
        if let Some(journal) = &self.journal {
            journal.flush().await;
        }
    }

    /// The ways into clusters, for `login`.
    pub fn dial(&self) -> &Arc<KubeDial> {
        &self.dial
    }
}

fn way(connection: &Connection) -> Way {
    match connection {
        Connection::Context { context, kubeconfig } => {
            Way::Context { context: context.to_string(), file: kubeconfig.clone() }
        }
        Connection::InCluster => Way::InCluster,
    }
}

/// Reads an offline copy of a runbook; an URL has none.
pub fn runbook(text: &str, beside: &Path) -> Option<String> {
    if text.contains("://") {
        return None;
    }
    let path = beside.parent().unwrap_or(beside).join(text);
    let size = std::fs::metadata(&path).ok()?.len();
    (size <= 1 << 20).then(|| std::fs::read_to_string(&path).ok()).flatten()
}

/// Workers of what only watches and asks: nothing computes there for long, and every further
/// thread holds memory of its own.
pub const WATCHING: usize = 1;
/// Workers of a process that simulates a fleet too.
pub const SIMULATING: usize = 2;

/// A runtime with so many workers.
pub fn runtime(workers: usize) -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .wrap_err("the runtime cannot be started")
}
