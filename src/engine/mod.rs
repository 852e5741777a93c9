//! The value that a console, a watch screen and a one-shot verb share.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::challenge::Approved;
use crate::domain::fleet::Fleet;
use crate::domain::id::{Place, ServiceIx, Text};
use crate::domain::intent::Intent;
use crate::domain::plan::PlanId;
use crate::domain::stamp::{Stamp, Stamped};

pub mod draft;
pub mod effect;
pub mod ids;
pub mod operation;
pub mod state;
pub mod view;

use effect::{Effect, Msg};
use operation::{Operation, Proposal};
use state::{ClusterState, ServiceState};

/// Everything that is believed, reviewed and carried out.
pub struct Engine {
    /// The fleet as configured.
    pub fleet: Arc<Fleet>,
    /// Clusters, by position.
    pub clusters: Vec<ClusterState>,
    /// Services, by position.
    pub services: Vec<ServiceState>,
    /// What is being reviewed.
    pub proposal: Option<Proposal>,
    /// What is or was carried out, oldest first.
    pub operations: Vec<Operation>,
    /// Logs of opened pods.
    pub logs: BTreeMap<(Place, Text), Vec<Text>>,
    /// Stamp of the last message.
    pub now: Stamp,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(fleet: Arc<Fleet>, now: Stamp) -> Self {
        Self {
            clusters: vec![ClusterState::default(); fleet.clusters.len()],
            services: vec![ServiceState::default(); fleet.services.len()],
            fleet,
            proposal: None,
            operations: Vec::new(),
            logs: BTreeMap::new(),
            now,
        }
    }

    /// Takes one message in; says what is to be done.
    pub fn update(&mut self, message: Stamped<Msg>) -> Vec<Effect> {
        self.now = message.stamp;
        Vec::new()
    }

    /// This service is on the screen: it is sampled, and its history listed.
    pub fn show(&mut self, _service: ServiceIx) -> Vec<Effect> {
        Vec::new()
    }

    /// This region is open: its pods and events are listed.
    pub fn open(&mut self, _place: Option<Place>) -> Vec<Effect> {
        Vec::new()
    }

    /// Starts to review an intent; its proposal replaces the one under review.
    pub fn propose(&mut self, _id: PlanId, _intent: Intent) -> Vec<Effect> {
        Vec::new()
    }

    /// Leaves the review without doing anything.
    pub fn dismiss(&mut self) {
        self.proposal = None;
    }

    /// Carries out an approved plan.
    pub fn carry_out(&mut self, _approved: Approved) -> Vec<Effect> {
        Vec::new()
    }
}
