//! What comes in from clusters: one task per cluster, lists and watches, observations out.
//!
//! ```text
//! plan     fleet -> which objects of which cluster are wanted (pure)
//! read     an object's bytes -> an observation (pure; the translators do the work)
//! lines    a response body -> one event per line
//! follow   list, watch, resume, resync: one watch for as long as the program runs
//! health   the cluster's link, its backoff, what is said about it
//! identify which cluster it is, and who we are there
//! task     one task per cluster that runs the above
//! ```

mod follow;
mod health;
mod identify;
mod lines;
mod plan;
mod read;
mod task;

pub(crate) use follow::escaped;
pub(crate) use plan::resource;
pub use plan::{ClusterPlan, Wanted, WatchPlan, plan, reach};
pub use task::{Watching, watch_all};
