//! Traffic systems that are steered by commands or requests of the user's own: a DNS service, a load balancer.

use std::time::Duration;

use super::deed::Deed;
use super::id::Text;

/// How the weights of a service are read and set where no cluster holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steering {
    /// Its name in the configuration.
    pub name: Text,
    /// Asks for the weights of all backends.
    pub state: Deed,
    /// Between two such questions.
    pub every: Duration,
    /// Gives a backend less.
    pub drain: Deed,
    /// Gives it more again.
    pub restore: Deed,
}

/// Placeholder of the backend.
pub const BACKEND: &str = "backend";
/// Placeholder of the weight that it is to have.
pub const WEIGHT: &str = "weight";

/// What placeholders may stand in what is told.
pub const TOLD: [&str; 7] = ["service", "ring", "region", "cluster", "namespace", BACKEND, WEIGHT];
/// The same in what is asked: it is asked once for all regions of a service.
pub const ASKED: [&str; 1] = ["service"];
