//! The pure core: no tokio, kube, ratatui, files, clock or randomness.
//!
//! The words: a *fleet* has *services*; a service has *rings* of *regions*; a region
//! runs a *workload*. The world enters as an *observation*. *Gates* judge *evidence*
//! and give *verdicts*. An *intent* becomes a *plan* of *steps*, or a *refusal*; a
//! *challenge* that is answered makes it *approved*.

pub mod approval;
pub mod calendar;
pub mod call;
pub mod carrier;
pub mod challenge;
pub mod change;
pub mod cron;
pub mod deed;
pub mod delivery;
pub mod exemplar;
pub mod finding;
pub mod fleet;
pub mod gate;
pub mod id;
pub mod intent;
pub mod link;
pub mod metric;
pub mod observation;
pub mod outside;
pub mod picture;
pub mod pipeline;
pub mod plan;
pub mod pool;
pub mod policy;
pub mod quarantine;
pub mod question;
pub mod record;
pub mod residency;
pub mod small_map;
pub mod stamp;
pub mod steering;
pub mod steps;
pub mod text;
pub mod timeline;
pub mod verdict;
pub mod verify;
pub mod version;
pub mod workload;
pub mod yaml;
pub mod zone;
