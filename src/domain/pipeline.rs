//! Delivery pipelines of other systems: what each of our verbs is there, and how they are asked how it stands.

use std::time::Duration;

use super::deed::Deed;
use super::id::Text;

/// How a service gets its versions in a region where neither we nor a tool that we know brings them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name in the configuration.
    pub name: Text,
    /// Asks how it stands; none: the workload is read in its cluster.
    pub state: Option<Deed>,
    /// Between two such questions.
    pub every: Duration,
    /// How long a rollout may take before it counts as diverged.
    pub deadline: Duration,
    /// Brings a version.
    pub promote: Option<Deed>,
    /// Stops what is in flight.
    pub hold: Option<Deed>,
    /// Lets it go on.
    pub resume: Option<Deed>,
    /// Brings the version back that ran before.
    pub roll_back: Option<Deed>,
}

/// Placeholder of the version that is to run; where nothing is to change, of what runs.
pub const VERSION: &str = "version";
/// Placeholder of the version that runs.
pub const FROM: &str = "from";

/// What placeholders may stand in what a pipeline is told: `version` is what is to run, `from` what runs.
pub const PLACEHOLDERS: [&str; 7] = ["service", "ring", "region", "cluster", "namespace", VERSION, FROM];

/// The same in what it is asked: no version is meant yet.
pub const ASKED: [&str; 5] = ["service", "ring", "region", "cluster", "namespace"];

/// What a region is called in what is told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The service.
    pub service: Text,
    /// The ring.
    pub ring: Text,
    /// The region.
    pub region: Text,
    /// The cluster.
    pub cluster: Text,
    /// The namespace.
    pub namespace: Text,
}

impl Whereabouts {
    /// Each with its placeholder.
    pub fn each(&self) -> [(&str, &str); 5] {
        let [a, b, c, d, e] = ASKED;
        [(a, &*self.service), (b, &*self.ring), (c, &*self.region), (d, &*self.cluster), (e, &*self.namespace)]
    }
}
