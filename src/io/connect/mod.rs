//! From a cluster's name to a client for it: one type that reads, another that writes.

mod access;
mod acting;
mod client;
mod dial;
mod exec;
mod guard;
mod identity;
mod inspect;
mod kubeconfig;
mod memory;
mod proxy;
mod stack;

pub use access::{Access, Clusters, Generation, Identified, Mode, OpenReader};
pub use acting::ActingAs;
pub use client::{REQUEST_LIMIT, Reader, Writer};
pub use dial::{Dial, Dialed, InProcess, Stack};
pub use exec::{Credential, Plugins};
pub use guard::{Reach, Watched};
pub(crate) use identity::MOST_RIGHTS;
pub use identity::{Forgetful, Identity, Remembered, identity, may, rights, version, whoami};
pub use inspect::{Inspected, is_open};
pub use kubeconfig::{KubeDial, Way, contexts, merged, usual_files};
pub use memory::{Accepting, Memory};
pub use proxy::ProxyEnv;
