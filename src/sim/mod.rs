//! A simulated fleet at the wire; it imports none of our own translators.

/// The API server of one cluster.
pub mod api;
/// The simulation's time: tokio's clock times a speed.
pub mod clock;
/// What moves the objects: Deployments, ReplicaSets, pods, autoscalers.
pub mod controllers;
/// Writes a served fleet's files.
pub mod dir;
/// The files with which others find a served fleet.
pub mod fleet_files;
/// A kubeconfig for simulated clusters.
pub mod kubeconfig;
/// The metric model: seeded functions of time over the world's history.
pub mod model;
/// The patch types.
pub mod patch;
/// Prometheus at the wire: PromQL, the HTTP API, text exposition.
pub mod prom;
/// The table of served kinds.
pub mod resources;
/// Scenario files: what is wrong, and when.
pub mod scenario;
/// The shapes of the served kinds.
pub mod schema;
/// API servers on loopback sockets.
pub mod socket;
/// What an API server answers when it refuses: `Status` objects.
pub mod status;
/// One cluster's objects, revisions and history.
pub mod store;
/// The fleet itself: what runs where, and what ran before.
pub mod world;
