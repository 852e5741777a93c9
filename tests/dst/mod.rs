//! Everything at once, in one process under paused time: consoles, a guard, a wall screen, clusters and Prometheus,
//! and what people, machines and accidents do to them, all of it from one seed.
//!
//! ```text
//! script   a seed -> everything that happens in one run
//! play     one run
//! node     one process: engine, inbox, journal, wire, and who uses it
//! wire     what is between a process and the world
//! disk     a journal that can be cut at any byte
//! truth    how the world is
//! rules    the twelve rules
//! allowed  what may leave without a plan
//! history  what happened
//! shrink   the least that still breaks a rule
//! planted  bugs that the rules must find
//! tally    how often everything happened
//! ```

pub mod allowed;
pub mod disk;
pub mod history;
pub mod node;
pub mod planted;
pub mod play;
pub mod rules;
pub mod script;
pub mod shrink;
pub mod tally;
pub mod truth;
pub mod wire;
