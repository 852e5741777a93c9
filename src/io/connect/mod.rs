//! From a cluster's name to a client for it: one type that reads, another that writes.

mod access;
mod client;
mod dial;
mod guard;
mod identity;

pub use access::{Access, Clusters, Generation, Mode, OpenReader};
pub use client::{REQUEST_LIMIT, Reader, Writer};
pub use dial::{Dial, Dialed, InProcess, Stack};
pub use guard::{Reach, Watched};
pub use identity::{Forgetful, Identity, Remembered, identity, may, rights, version, whoami};
