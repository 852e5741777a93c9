//! Arguments.

mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use values::{ahead, duration, moment, size};

/// Mission control for multi-region Kubernetes releases.
///
/// Without a command it opens the console on the configured fleet. Try `gonogo demo`
/// first: the same console on a simulated fleet, with nothing to set up.
#[derive(Debug, Parser)]
#[command(name = "gonogo", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Configuration: --config, else $GONOGO_CONFIG, else $XDG_CONFIG_HOME/gonogo/config.toml.\n\
Exit codes: 0 done or go; 1 unexpected; 2 usage or unreadable configuration; 3 refused, \
or findings; 4 diverged or timed out; 5 could not reach what it needs; 128+n signal n.")]
pub struct Cli {
    /// Configuration file.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Theme: a name (`gonogo print themes` lists them) or a file.
    #[arg(long, global = true, value_name = "THEME")]
    pub theme: Option<String>,
    /// Draw with ASCII only.
    #[arg(long, global = true)]
    pub ascii: bool,
    /// What to do; the console when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the console on the configured fleet (what happens without a command).
    Console {
        /// Start on this service.
        service: Option<String>,
    },
    /// Open the console on a simulated fleet with a release under way. Nothing else is needed.
    Demo(SimArgs),
    /// Run the simulated fleet on loopback, without a screen, until SIGTERM or SIGINT.
    ///
    /// The first line on stdout is one JSON object: {"kubeconfig": PATH, "config": PATH,
    /// "prometheus": {REGION: URL}}. Point gonogo or kubectl in another terminal at it.
    Sim {
        /// What is simulated.
        #[command(flatten)]
        sim: SimArgs,
        /// Where the kubeconfig and the configuration are written; a new temporary folder otherwise.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// The same board on a screen that cannot write, and never exits on a cluster's failure.
    Watch {
        /// Only this service.
        service: Option<String>,
        /// Show each service for so long, in turn.
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "20s")]
        rotate: Duration,
    },
    /// Watch without a screen, and hold or roll back by policy while nobody looks.
    ///
    /// The same engine as the console's. It writes its log as JSON lines to stderr, and needs a
    /// durable journal to do more than advise.
    Guard(GuardArgs),
    /// What runs where, and what each ring waits for.
    Status {
        /// Only this service.
        service: Option<String>,
        /// Form of the output.
        #[arg(short, long, default_value = "table")]
        output: StatusOutput,
        /// How long to wait for first data.
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "8s")]
        wait: Duration,
    },
    /// One frame of the board as text.
    Board {
        /// The service.
        service: String,
        /// Columns by rows.
        #[arg(long, value_name = "WxH", value_parser = size, default_value = "120x36")]
        size: (u16, u16),
        /// Keep colours, as ANSI sequences.
        #[arg(long)]
        ansi: bool,
        /// How long to wait for first data.
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "8s")]
        wait: Duration,
    },
    /// May a ring have the version that is on its way? Exit 0 for go, 3 otherwise.
    Gate(LookArgs),
    /// Why a ring may not have the version yet, in plain sentences, and when that may change.
    Explain(LookArgs),
    /// Wait until a ring is go, or has settled on the version that is on its way.
    ///
    /// Exit 0 when it is, 4 when the time is over.
    Wait {
        /// The service.
        service: String,
        /// The ring.
        ring: String,
        /// What is waited for.
        #[arg(long = "for", value_name = "WHAT")]
        until: Awaited,
        /// How long.
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30m")]
        timeout: Duration,
    },
    /// What the next shift must know: at most 24 lines.
    Handover {
        /// The service.
        service: String,
        /// Form of the output.
        #[arg(short, long, default_value = "text")]
        output: TextOutput,
        /// How long to wait for first data.
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "8s")]
        wait: Duration,
    },
    /// What happened to a service: who did what and why, overrides, exposure, delivery figures.
    ///
    /// From the shared record and this host's journal. The record keeps 30 days.
    Report(ReportArgs),
    /// Give a ring the version that the ring before it runs and has baked.
    #[command(after_help = "\
Example:\n  gonogo promote webapp ring-1 --reason \"staging is clean\" --confirm ring-1\n\
  gonogo promote webapp ring-0 --to v2.2.0 --reason \"release\" --confirm ring-0")]
    Promote {
        /// What is promoted, and how.
        #[command(flatten)]
        args: VerbArgs,
        /// The version, for the first ring: it begins a release.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
        /// Without the rest of the wait: an override.
        #[arg(long)]
        without_wait: bool,
    },
    /// Stop promotions, and pause rollouts in flight.
    ///
    /// The service's own name in place of a ring holds all of it.
    #[command(after_help = "Example:\n  gonogo hold webapp webapp --reason \"errors in eu-west-1\"")]
    Hold(VerbArgs),
    /// Release a hold, and resume exactly what it paused.
    #[command(after_help = "\
Example:\n  gonogo resume webapp ring-2 --reason \"fixed in v2.1.1\" --confirm ring-2\n\n\
Where several holds cover it, the newest is released; `gonogo status SERVICE -o json` lists their ids.")]
    Resume {
        /// What is resumed, and how.
        #[command(flatten)]
        args: VerbArgs,
        /// Release this hold: its id, or the beginning of it.
        #[arg(long, value_name = "ID")]
        hold: Option<String>,
    },
    /// Return to known-good.
    #[command(after_help = "Example:\n  gonogo rollback webapp eu-west-1 --reason \"p99 doubled\" --dry-run")]
    Rollback {
        /// What is rolled back, and how.
        #[command(flatten)]
        args: VerbArgs,
        /// A revision number; known-good when left out.
        #[arg(long, value_name = "REVISION")]
        to: Option<String>,
    },
    /// Roll back what is in flight.
    #[command(after_help = "Example:\n  gonogo abort webapp ring-2 --reason \"pods crash\"")]
    Abort(VerbArgs),
    /// Take a region out of traffic.
    #[command(after_help = "Example:\n  gonogo drain webapp eu-west-1 --reason \"zone outage\" --confirm eu-west-1")]
    Drain(VerbArgs),
    /// Put a drained region back at its earlier weight.
    #[command(after_help = "Example:\n  gonogo restore webapp eu-west-1 --reason \"zone is back\" --confirm eu-west-1")]
    Restore(VerbArgs),
    /// Say yes to what a ring would get: this version, this template, for at most seven days.
    #[command(after_help = "Example:\n  gonogo approve webapp ring-2 --reason \"seen\" --confirm ring-2")]
    Approve {
        /// What, and how.
        #[command(flatten)]
        args: VerbArgs,
        /// The version; what waits for approval when left out.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
    },
    /// End the approvals of a ring, whoever gave them.
    #[command(after_help = "Example:\n  gonogo revoke webapp ring-2 --reason \"not yet\"")]
    Revoke(VerbArgs),
    /// Refuse what runs there (or --to DIGEST) everywhere, as target and as way back.
    #[command(after_help = "Example:\n  gonogo quarantine webapp eu-west-1 --reason \"leaks memory\"")]
    Quarantine {
        /// What, and how.
        #[command(flatten)]
        args: VerbArgs,
        /// A template digest; what runs there when left out.
        #[arg(long, value_name = "DIGEST")]
        to: Option<String>,
    },
    /// End a quarantine, or that of what was rolled back (--to VERSION), with a reason.
    #[command(
        after_help = "Example:\n  gonogo clear webapp eu-west-1 --reason \"fixed by config\" --confirm eu-west-1"
    )]
    Clear {
        /// What, and how.
        #[command(flatten)]
        args: VerbArgs,
        /// A version or a template digest; the quarantine there when left out.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
    },
    /// Accept what stands in a metric gate's way: windows outside that are over, or that are unknown.
    ///
    /// It stays on the record and in the report, and counts while the template that was judged runs.
    #[command(after_help = "\
Example:\n  gonogo accept webapp ap-south-1 --column errors --reason \"a batch job\" --confirm ap-south-1")]
    Accept {
        /// Where, and how.
        #[command(flatten)]
        args: VerbArgs,
        /// Of which column; of every column when left out.
        #[arg(long = "column", value_name = "COLUMN")]
        to: Option<String>,
    },
    /// Walk the whole way back of a ring while nothing is wrong, and time it.
    ///
    /// Reads, plan, and a dry-run of every request by the servers; nothing that runs is changed. How long it took
    /// stands in the record and in the prompt of the next rollback. Exit 3 when a rollback would stumble.
    #[command(after_help = "Example:\n  gonogo drill webapp ring-2 -o json")]
    Drill(DrillArgs),
    /// Say that a step of a checklist was taken.
    #[command(after_help = "Example:\n  gonogo tick webapp eu-west-1 --step expand --reason \"migration 42\"")]
    Tick {
        /// Where, and how.
        #[command(flatten)]
        args: VerbArgs,
        /// The step; the first that is open when left out.
        #[arg(long = "step", value_name = "STEP")]
        to: Option<String>,
    },
    /// Say that a step of a checklist was taken back.
    #[command(after_help = "Example:\n  gonogo untick webapp eu-west-1 --step expand --reason \"reverted\"")]
    Untick {
        /// Where, and how.
        #[command(flatten)]
        args: VerbArgs,
        /// The step.
        #[arg(long = "step", value_name = "STEP")]
        to: String,
    },
    /// Check the configuration, with --connect everything it needs; judge or play the release plan.
    #[command(after_help = "\
Example:\n  gonogo check --plan webapp --connect\n  gonogo check --simulate 7d webapp --from 2026-12-18T09:00Z")]
    Check(CheckArgs),
    /// Run the exec plugins of a cluster's credentials with this terminal, to log in.
    Login {
        /// The cluster; all when left out.
        cluster: Option<String>,
    },
    /// Read the audit log.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Print something the program knows.
    Print {
        /// What.
        #[command(subcommand)]
        what: Printed,
    },
}

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

/// Arguments of a drill.
#[derive(Clone, Debug, Args)]
pub struct DrillArgs {
    /// The service.
    pub service: String,
    /// The ring, or a region.
    pub ring: String,
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
    Verify,
    /// Every entry of every file in one stream of JSON lines, oldest first.
    Export,
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

/// Reads the arguments; ends the program with a message when they make no sense.
pub fn parse() -> Cli {
    Cli::parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_forecast_begins_at_a_moment_of_any_zone() {
        for (text, at) in [
            ("2026-12-18T09:00Z", "2026-12-18T09:00:00Z"),
            ("2026-12-18T09:00+01:00", "2026-12-18T08:00:00Z"),
            ("2026-12-18T09:00[Europe/Berlin]", "2026-12-18T08:00:00Z"),
            ("2026-12-18 09:00", "2026-12-18T09:00:00Z"),
            ("2026-12-18", "2026-12-18T00:00:00Z"),
        ] {
            assert_eq!(moment(text).map(|t| t.to_string()).as_deref(), Ok(at), "{text}");
        }
        for bad in ["", "tomorrow", "09:00", "2026-13-01", "2026-12-18T09:00[Europe/Nowhere]"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
        for (arguments, takes) in [
            (&["--plan", "webapp"][..], true),
            (&["--plan", "--connect", "webapp"], true),
            (&["--simulate", "7d", "--from", "2026-12-18", "webapp"], true),
            (&["--simulate", "7d", "-o", "table"], true),
            (&["webapp"], false),
            (&["--simulate", "5m"], false),
            (&["--simulate", "7d", "--plan"], false),
            (&["--simulate", "7d", "--connect"], false),
            (&["--plan", "--from", "2026-12-18"], false),
        ] {
            let parsed = Cli::try_parse_from(["gonogo", "check"].iter().chain(arguments));
            assert_eq!(parsed.is_ok(), takes, "{arguments:?}");
        }
    }

    #[test]
    fn a_verb_without_a_target_is_an_error() {
        assert!(Cli::try_parse_from(["gonogo", "drain", "webapp"]).is_err());
        assert!(Cli::try_parse_from(["gonogo", "drain", "webapp", "eu-west-1"]).is_ok());
    }

    #[test]
    fn a_verb_takes_only_flags_that_mean_something_to_it() {
        for (verb, flag, takes) in [
            ("promote", "--to=v2", true),
            ("promote", "--without-wait", true),
            ("rollback", "--to=14", true),
            ("resume", "--hold=01JD", true),
            ("quarantine", "--to=3f2a", true),
            ("accept", "--column=errors", true),
            ("accept", "--to=errors", false),
            ("revoke", "--to=v2", false),
            ("hold", "--to=v2", false),
            ("drain", "--without-wait", false),
            ("promote", "--hold=01JD", false),
        ] {
            let parsed = Cli::try_parse_from(["gonogo", verb, "webapp", "ring-1", flag]);
            assert_eq!(parsed.is_ok(), takes, "{verb} {flag}");
        }
        for verb in [
            "promote",
            "hold",
            "resume",
            "rollback",
            "abort",
            "drain",
            "restore",
            "approve",
            "revoke",
            "quarantine",
            "clear",
            "accept",
            "tick",
            "untick",
        ] {
            let mut command = Cli::command();
            let help = command.find_subcommand_mut(verb).map(|c| c.render_long_help().to_string());
            assert!(help.is_some_and(|h| h.contains("Example:")), "{verb}");
        }
    }
}
