//! What verbs take, and the forms of what they print.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::values::{ahead, duration, moment};

/// Arguments of a check.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// With --plan or --simulate: only this service.
    #[arg(requires = "playing")]
    pub service: Option<String>,
    /// Connect: reachable, latency, identity, rights, clock, each query's answer.
    #[arg(long)]
    pub connect: bool,
    /// This cluster was rebuilt or its context moved: remember what it leads to now.
    #[arg(long, value_name = "CLUSTER", requires = "connect", conflicts_with = "playing")]
    pub accept: Vec<String>,
    /// Judge the release plan: order, canary, bakes, windows, headroom, ...; docs/plan-checks.md.
    ///
    /// By declared traffic and capacities; with --connect by measured traffic and metrics.
    #[arg(long, group = "playing")]
    pub plan: bool,
    /// Play a release by its policy, so far ahead, without any cluster: the earliest times.
    #[arg(long, value_name = "DURATION", value_parser = ahead, group = "playing", conflicts_with = "connect")]
    pub simulate: Option<Duration>,
    /// With --simulate: when the release begins (UTC unless it says a zone); now when left out.
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "simulate", conflicts_with = "plan")]
    pub from: Option<Timestamp>,
    /// With --simulate: how long people take to approve, tick or promote once they may.
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration,
        default_value = "15m",
        requires = "simulate",
        conflicts_with = "plan"
    )]
    pub people: Duration,
    /// With --simulate: how long a region's rollout takes.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m", requires = "simulate")]
    pub rollout: Duration,
    /// With --plan --connect: how long to wait for first data.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "8s", requires = "plan")]
    pub wait: Duration,
    /// Form of the output.
    #[arg(short, long, default_value = "text")]
    pub output: TextOutput,
}

/// Arguments of a guard.
#[derive(Clone, Debug, Args)]
pub struct GuardArgs {
    /// Services to guard; all when left out.
    pub services: Vec<String>,
    /// What it may do by itself.
    #[arg(long, default_value = "advise")]
    pub mode: GuardMode,
    /// Serve /healthz, /readyz and /metrics here.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<std::net::SocketAddr>,
    /// Act only in this region; more than one may be given. All when left out.
    #[arg(long = "region", value_name = "REGION")]
    pub regions: Vec<String>,
    /// Where journal and identities lie: on a volume that lasts.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// What a guard may do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GuardMode {
    /// Only say what it would do.
    Advise,
    /// Hold, abort and roll back; drain where a policy names it.
    Guard,
    /// Also promote, where a ring's policy says `auto` and every gate says GO.
    Autopilot,
}

impl From<GuardMode> for crate::domain::policy::Mode {
    fn from(mode: GuardMode) -> Self {
        match mode {
            GuardMode::Advise => Self::Advise,
            GuardMode::Guard => Self::Guard,
            GuardMode::Autopilot => Self::Autopilot,
        }
    }
}

/// What is simulated.
#[derive(Clone, Debug, Args)]
pub struct SimArgs {
    /// Scenario (`gonogo print scenarios` lists them).
    #[arg(long, default_value = "steady", value_name = "NAME")]
    pub scenario: String,
    /// Simulated seconds per second.
    #[arg(long, value_name = "N")]
    pub speed: Option<f64>,
    /// Seed: the same seed gives the same history.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Regions, one cluster each.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=500))]
    pub regions: u32,
    /// Services.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub services: u32,
    /// Status changes per second, spread over the fleet.
    #[arg(long, value_name = "N")]
    pub events_per_second: Option<u32>,
}

/// Arguments of a verb that writes.
#[derive(Clone, Debug, Args)]
pub struct VerbArgs {
    /// The service.
    pub service: String,
    /// A ring, or regions. Naming nothing is an error: no input ever means everything.
    #[arg(required = true, value_name = "RING|REGION")]
    pub targets: Vec<String>,
    /// Why. Needed to promote, resume, drain and restore.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// What the prompt would ask to be typed: the ring's or region's name.
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// The version, the revision number or the digest or step that the verb is about.
    #[arg(skip)]
    pub to: Option<String>,
    /// Of promote: without the rest of the wait.
    #[arg(skip)]
    pub without_wait: bool,
    /// Of resume: which hold.
    #[arg(skip)]
    pub hold: Option<String>,
    /// What may be overridden, by the code that --dry-run shows (e.g. policy); --plan says it of all that it showed.
    #[arg(long = "override", value_name = "CODE", value_delimiter = ',')]
    pub overrides: Vec<String>,
    /// Show the plan and what the servers say to it; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Only if the plan is still this one (as --dry-run printed it).
    #[arg(long, value_name = "HASH")]
    pub plan: Option<String>,
    /// How long to wait for the outcome; 0s: do not wait.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Form of the output.
    #[arg(short, long, default_value = "text")]
    pub output: TextOutput,
}

/// Arguments of a first configuration.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// The workload that is released; asked for when left out.
    pub service: Option<String>,
    /// A context of the kubeconfig, once for each cluster; asked for when left out.
    #[arg(long, value_name = "NAME")]
    pub context: Vec<String>,
    /// Look into this namespace only.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Name of the fleet; that of the service when left out.
    #[arg(long, value_name = "NAME")]
    pub fleet: Option<String>,
    /// URL of a Prometheus that knows all clusters.
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// Ask nothing, and write it.
    #[arg(short, long)]
    pub yes: bool,
    /// Print it, and write nothing.
    #[arg(long, conflicts_with = "yes")]
    pub print: bool,
}

/// Arguments of a drill.
#[derive(Clone, Debug, Args)]
pub struct DrillArgs {
    /// The service.
    pub service: String,
    /// The ring, or a region.
    pub ring: String,
    /// Roll back for real, and promote what ran again, by its gates. Users get the earlier version meanwhile, and the
    /// bake begins anew. Needs --reason and --confirm.
    #[arg(long)]
    pub for_real: bool,
    /// Why; for --for-real.
    #[arg(long, value_name = "TEXT", requires = "for_real")]
    pub reason: Option<String>,
    /// The name of the ring or region, typed again; for --for-real.
    #[arg(long, value_name = "NAME", requires = "for_real")]
    pub confirm: Option<String>,
    /// Form of the output.
    #[arg(short, long, default_value = "text")]
    pub output: TextOutput,
}

/// Arguments of a question about one ring.
#[derive(Clone, Debug, Args)]
pub struct LookArgs {
    /// The service.
    pub service: String,
    /// The ring that would change.
    pub ring: String,
    /// Form of the output.
    #[arg(short, long, default_value = "text")]
    pub output: TextOutput,
    /// How long to wait for first data.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "8s")]
    pub wait: Duration,
}

/// Arguments of a report.
#[derive(Clone, Debug, Args)]
pub struct ReportArgs {
    /// The service.
    pub service: String,
    /// Only the release of this version.
    #[arg(long, value_name = "VERSION")]
    pub release: Option<String>,
    /// How far back.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30d")]
    pub since: Duration,
    /// Form of the output.
    #[arg(short, long, default_value = "md")]
    pub output: ReportOutput,
    /// How long to wait for first data.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "8s")]
    pub wait: Duration,
}

/// What `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Awaited {
    /// Every gate says go.
    Go,
    /// Every region of the ring runs the version, complete.
    Settled,
}

/// Forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportOutput {
    /// Markdown.
    Md,
    /// Stable JSON with a version field.
    Json,
}

/// Reading the audit log.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Operations, newest last.
    List {
        /// Form of the output.
        #[arg(short, long, default_value = "text")]
        output: TextOutput,
    },
    /// One operation with everything that was noted of it.
    Show {
        /// Its plan's identity, or the beginning of it.
        plan: String,
        /// Form of the output.
        #[arg(short, long, default_value = "text")]
        output: TextOutput,
    },
    /// Close an operation that a process which is gone left open. Nothing is sent to any cluster.
    Close {
        /// Its plan's identity, or the beginning of it.
        plan: String,
        /// What you found, and why it may be closed.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Check every file's hash chain; names the first bad entry.
    Verify {
        /// Also hold it against what the fleet's records say of it: what was cut off or replaced as a whole is found,
        /// also on a host that has lost its files.
        #[arg(long)]
        against_fleet: bool,
        /// How long to wait for the records.
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "15s", requires = "against_fleet")]
        wait: Duration,
    },
    /// Every entry of every file in one stream of JSON lines, oldest first.
    Export {
        /// Only what is not older, e.g. `90d`.
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        since: Option<Duration>,
        /// Only operations of this service.
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// Only operations that this person or guard approved.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

/// What can be printed.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Printed {
    /// Shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// The man page.
    Man,
    /// JSON schema of the configuration, for editors.
    Schema,
    /// A complete, commented configuration.
    Config,
    /// Keys and what they do.
    Keys,
    /// Themes.
    Themes,
    /// Scenarios of the simulated fleet.
    Scenarios,
    /// Gate types and their parameters.
    Gates,
}

/// Forms of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatusOutput {
    /// One line per region.
    Table,
    /// With every column.
    Wide,
    /// Stable JSON with a version field.
    Json,
}

/// Text or JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TextOutput {
    /// For people.
    #[value(alias = "table")]
    Text,
    /// Stable JSON with a version field.
    Json,
}
