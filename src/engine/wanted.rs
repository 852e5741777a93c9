//! Holds that were approved and are still on their way: they count before every record has them.

use std::collections::BTreeMap;

use super::Engine;
use super::operation::Operation;
use crate::domain::id::ServiceIx;
use crate::domain::intent::{Target, Verb};
use crate::domain::plan::PlanId;
use crate::domain::record::{Body, Fact, FactId};

impl Engine {
    /// The hold of a whole service that is still being written.
    pub fn hold_under_way(&self, service: ServiceIx) -> Option<PlanId> {
        let holds = |o: &&Operation| {
            let intent = &o.plan.intent;
            o.open() && o.plan.service == service && intent.verb == Verb::Hold && intent.target == Target::Service
        };
        self.operations.iter().rev().find(holds).map(|o| o.plan.id)
    }

    /// Holds that were approved and are still being written count, as wanted, also where no record has them.
    pub(super) fn want_holds(&mut self) {
        let services = 0..self.services.len();
        for at in services.map(ServiceIx::from) {
            let open = self.operations.iter().filter(|o| o.open() && o.plan.service == at);
            let mut wanted: BTreeMap<FactId, Fact> = BTreeMap::new();
            for operation in open.filter(|o| matches!(o.plan.intent.verb, Verb::Hold)) {
                for fact in operation.plan.steps.iter().flat_map(|s| &s.facts).flat_map(|(_, facts)| facts) {
                    if matches!(fact.body, Body::Hold { .. }) {
                        wanted.entry(fact.id).or_insert_with(|| fact.clone());
                    }
                }
            }
            let Some(state) = self.services.get_mut(at.at()) else { continue };
            if state.wanted != wanted {
                state.wanted = wanted;
                state.stale_view = true;
            }
        }
    }
}
