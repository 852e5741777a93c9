//! Arguments.

mod arguments;
mod values;

pub use arguments::*;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use values::{duration, size};

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
    /// Act as this user in every cluster, as `kubectl --as` does. The servers check that you may, and their audit logs have
    /// both names.
    #[arg(long = "as", global = true, value_name = "USER")]
    pub acting_as: Option<String>,
    /// With --as: a group of that user, once for each.
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub acting_groups: Vec<String>,
    /// Theme: a name (`gonogo print themes` lists them) or a file.
    #[arg(long, global = true, value_name = "THEME")]
    pub theme: Option<String>,
    /// Draw with ASCII only: the default where neither LC_ALL, LC_CTYPE nor LANG names UTF-8.
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
    ///
    /// The service's own name in place of a ring rolls back all regions that run what came with the release.
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
    ///
    /// The service's own name in place of a ring means all of it.
    #[command(after_help = "Example:\n  gonogo abort webapp ring-2 --reason \"pods crash\"")]
    Abort(VerbArgs),
    /// Take a region out of traffic.
    #[command(after_help = "Example:\n  gonogo drain webapp eu-west-1 --reason \"zone outage\" --confirm eu-west-1")]
    Drain(VerbArgs),
    /// Switch a flag of a service off, by what its configuration says (`flag_off`).
    ///
    /// The service's own name in place of a ring means all of it.
    #[command(after_help = "Example:\n  gonogo flag-off webapp webapp --reason \"checkout fails\"")]
    FlagOff(VerbArgs),
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
        after_help = "Example:\n  gonogo clear webapp eu-west-1 --reason \"fixed by config\" --confirm webapp\n\n\
         It ends everywhere, so the name to confirm is the service's."
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
    /// Write a first configuration, by asking and by looking into the clusters of the kubeconfig.
    ///
    /// It lists workloads, takes regions and rings from labels (`region`, `ring`, the nodes' topology) where there are any,
    /// finds a Prometheus, shows what it made, and asks before it writes. Nothing is overwritten, and nothing is sent to a
    /// cluster but GET.
    #[command(after_help = "\
Example:\n  gonogo init\n  gonogo init webapp --context staging --context eu --context us --yes")]
    Init(InitArgs),
    /// Everything that gonogo needs, asked for once: what is well, what is doubtful, what is broken, and what to do.
    ///
    /// Clusters (reachable, identity, rights, clock, certificates, credentials), workloads, routes, every metric for
    /// every region, the journal, the terminal, files with secrets. Exit 0 when nothing is broken, 5 otherwise.
    Doctor {
        /// Form of the output.
        #[arg(short, long, default_value = "text")]
        output: TextOutput,
        /// How long to wait for answers.
        #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "8s")]
        wait: Duration,
    },
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

/// Reads the arguments; ends the program with a message when they make no sense.
pub fn parse() -> Cli {
    Cli::parse()
}

#[cfg(test)]
mod tests {
    use super::values::moment;
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
    fn a_board_that_would_be_too_small_is_refused_with_the_least_that_shows_it() {
        let error = |size: &str| match Cli::try_parse_from(["gonogo", "board", "webapp", "--size", size]) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        for small in ["59x15", "60x14", "20x5", "0x0"] {
            assert!(error(small).contains("too small for the board: the least is 60x15"), "{small}: {}", error(small));
        }
        assert!(error("501x60").contains("the most is 500x300"));
        assert!(error("wide").contains("such as 120x36"));
        assert_eq!(error("60x15"), "");
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
