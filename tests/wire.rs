//! Clusters on the wire, in process, under paused time: what is seen, and when it is tried again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "tests"
)]

#[path = "wire/metrics.rs"]
mod metrics;
#[path = "wire/reading.rs"]
mod reading;
#[path = "wire/simulated.rs"]
mod simulated;
#[path = "wire/sockets.rs"]
mod sockets;
#[path = "wire/stage.rs"]
mod stage;
#[path = "wire/watching.rs"]
mod watching;
#[path = "wire/writing.rs"]
mod writing;
