//! The journal: what was intended is durable before the first write, and what came of it after.
//!
//! One file per process, append-only, each line chained to the one before by SHA-256;
//! the first line of a file names the heads of the newest other files. No process ever
//! waits for another.
//!
//! ```text
//! entry    what a line says
//! chain    entry -> line -> entry, with the chain's hash (pure)
//! writer   one thread: append, fdatasync, answer
//! proof    Approved -> Journaled
//! read     all files as one history; operations; what is still open
//! durable  whether a folder keeps what is written
//! verify   the first bad entry: file, line, why
//! anchor   what the facts of a fleet say of a journal
//! ```

mod anchor;
mod chain;
mod durable;
mod entry;
mod proof;
mod read;
mod verify;
mod writer;

pub use anchor::{Anchor, Anchored, Compared, compare};
pub use chain::{Head, Line, Torn};
pub use durable::durable;
pub use entry::{Begin, Entry, HeadRef, Opened, OpenedRegion, OpenedStep, OpenedWrite};
pub use proof::{Begun, Journal, Journaled, Known};
pub use read::{History, Operation, Process, Recorded, StepState, check, newest_heads, read_all};
pub use verify::{Bad, Verified, verify};
pub use writer::{Files, Sink, Store, Who, host_name};
