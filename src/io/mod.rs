//! Everything that can block or fail: clusters, Prometheus, journal, clock, files.
//!
//! Generic over workload kinds, traffic providers and metric sources: those are pure
//! translators over bytes; only this module talks to anything.

pub mod act;
pub mod answer;
pub mod clock;
pub mod command;
pub mod connect;
pub mod endpoint;
pub mod fetch;
pub mod files;
pub mod git;
pub mod journal;
pub mod log;
pub mod notify;
pub mod prometheus;
pub mod reports;
pub mod secrets;
pub mod watch;

pub use clock::Clock;
pub use connect::{Access, Clusters, Mode};

use std::sync::Arc;

use crate::domain::observation::Observation;

/// Where observations go: the shell's inbox, which stamps them. Must not wait.
pub type Tell = Arc<dyn Fn(Observation) + Send + Sync>;
