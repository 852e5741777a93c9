//! Reads on demand: one object, a list, revisions, pods, events, logs. Each within a time limit.

mod events;
mod logs;
mod object;
mod pods;
mod revisions;

pub use events::events;
pub use logs::logs;
pub use object::{list, object};
pub use pods::pods;
pub use revisions::revisions;
