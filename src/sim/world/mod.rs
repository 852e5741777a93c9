//! The simulated fleet: its regions and services, and their history.

/// Applications of Argo CD in the world.
pub mod applications;
/// Autoscalers in the world.
mod autoscale;
/// Puts the world together.
mod build;
/// One cluster and what moves in it.
pub mod cluster;
/// One look at one DaemonSet.
mod daemons;
/// The world and what is due in it.
pub mod fleet;
/// The gateway: routes and what traffic comes by them.
mod gateway;
/// What ran in each region over time, as plain data for the metric model.
pub mod history;
/// Regions, rings and services.
pub mod layout;
/// The objects of the fleet.
pub mod objects;
/// What others write, and whom it concerns.
mod observe;
/// Versions that stand in a repository.
pub mod overlays;
/// What happened before the simulation began.
pub mod past;
/// ControllerRevisions of what is looked at.
mod revisions;
/// The route of a service, in the shape of its kind.
pub mod route;
/// One look at one Rollout.
mod rollouts;
/// The step loop.
pub mod run;
/// The scenario's actions.
mod script;
/// A running fleet.
mod start;
/// One look at one StatefulSet.
mod stateful;
/// Services that Argo Rollouts roll out.
mod stepped;
/// Pod templates and their hashes.
pub mod template;
/// One look at one workload.
mod tick;
/// The fleet's servers and their faults.
pub mod wire;

pub use start::{SimError, SimFleet, SimOptions};

#[cfg(test)]
mod start_tests;
#[cfg(test)]
mod tests;
