//! A guard of some regions: it holds where it may write, and others pass its holds on.

use std::collections::BTreeSet;

use crate::domain::id::{Place, RegionIx};
use crate::domain::intent::Verb;
use crate::engine::Engine;
use crate::engine::operation::{Outcome, StepState};

impl Engine {
    /// Whether the guard in this engine, if it is one, acts in a region.
    pub(in crate::engine) fn acts_in(&self, place: Place) -> bool {
        let Some(automation) = &self.automation else { return true };
        let regions = &automation.arming.regions;
        let name = self.fleet.service(place.0).and_then(|s| s.region(place.1)).map(|r| r.name.as_str());
        regions.is_empty() || name.is_some_and(|name| regions.iter().any(|r| &**r == name))
    }

    /// A hold that stands where this guard acts, though other regions refused it: a hold anywhere
    /// is a hold everywhere, and who may write there passes it on. How far it came.
    pub(in crate::engine) fn hold_stands(&self, at: usize) -> Option<String> {
        let operation = self.operations.get(at)?;
        let plan = &operation.plan;
        let bound = self.automation.as_ref().filter(|a| !a.arming.regions.is_empty() && a.runs(plan.id));
        bound.filter(|_| plan.intent.verb == Verb::Hold)?;
        let (mut held, mut refused) = (BTreeSet::new(), BTreeSet::<RegionIx>::new());
        for (step, state) in plan.steps.iter().zip(&operation.steps) {
            match state {
                StepState::Ended(Outcome::Settled, _) => drop(held.insert(step.region)),
                StepState::Ended(Outcome::Refused, _) if !self.acts_in((plan.service, step.region)) => {
                    refused.insert(step.region);
                }
                _ => return None,
            }
        }
        held.retain(|region| !refused.contains(region));
        let stands = held.iter().any(|region| self.acts_in((plan.service, *region)));
        let of = held.len() + refused.len();
        (stands && !refused.is_empty()).then(|| format!("; hold {} of {of}: others pass it on", held.len()))
    }
}
