//! Everything that can block or fail: clusters, Prometheus, journal, clock, files.
//!
//! Generic over workload kinds, traffic providers and metric sources: those are pure
//! translators over bytes; only this module talks to anything.

pub mod act;
pub mod answer;
pub mod clock;
pub mod connect;
pub mod fetch;
pub mod journal;
pub mod watch;

pub use clock::Clock;
pub use connect::{Access, Clusters, Mode};
