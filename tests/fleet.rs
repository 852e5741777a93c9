//! Whole consoles, without their terminals, against the simulated fleet in this process, under paused time:
//! everything that leaves them is seen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "tests"
)]

#[path = "fleet/approvals.rs"]
mod approvals;
#[path = "fleet/console.rs"]
mod console;
#[path = "fleet/dns.rs"]
mod dns;
#[path = "fleet/gates.rs"]
mod gates;
#[path = "fleet/holds.rs"]
mod holds;
#[path = "fleet/keys.rs"]
mod keys;
#[path = "fleet/mesh.rs"]
mod mesh;
#[path = "fleet/operators.rs"]
mod operators;
#[path = "fleet/prompts.rs"]
mod prompts;
#[path = "fleet/tap.rs"]
mod tap;
