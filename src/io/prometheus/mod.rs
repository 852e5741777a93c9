//! Asks Prometheus: one slot per question, few in flight, within time and size limits.

mod line;
mod stack;

pub use line::Prometheus;
pub(crate) use line::authorize;
pub use stack::{Clients as HttpClients, HttpStack, InProcessHttp, Network, NoAnswer};
