//! What a resume leaves: holds that still cover what it was about, and rollouts that stay paused.

use super::Engine;
use super::draft::targets;
use crate::domain::id::{RegionIx, Text};
use crate::domain::intent::Verb;
use crate::domain::plan::Plan;
use crate::domain::record::{Body, FactId, HoldInForce};
use crate::domain::text::safe;

/// Holds that are named of those that remain.
const MOST_NAMED: usize = 3;
/// Longest reason that is repeated.
const LONGEST: usize = 80;

impl Engine {
    /// Holds that cover what a resume was about and that it did not release, oldest first; none for other plans.
    pub fn remaining_holds(&self, plan: &Plan) -> Vec<HoldInForce> {
        let Verb::Resume { .. } = plan.intent.verb else { return Vec::new() };
        let found = self.fleet.service(plan.service).zip(self.services.get(plan.service.at()));
        let Some((service, state)) = found else { return Vec::new() };
        let facts = || plan.steps.iter().filter_map(|s| s.facts.as_ref()).flat_map(|(_, facts)| facts);
        let released = |id: FactId| facts().any(|f| matches!(&f.body, Body::Release { hold, .. } if *hold == id));
        let about = targets(service, &plan.intent.target);
        let covers = |hold: &HoldInForce| about.iter().any(|at| hold.scope.covers(service, *at));
        state.holds().into_iter().filter(|h| !h.id.is_some_and(released)).filter(covers).collect()
    }

    /// Regions of a resume whose rollout is paused, by us or by somebody else.
    pub fn still_paused(&self, plan: &Plan) -> Vec<RegionIx> {
        let Verb::Resume { .. } = plan.intent.verb else { return Vec::new() };
        let found = self.fleet.service(plan.service).zip(self.services.get(plan.service.at()));
        let Some((service, state)) = found else { return Vec::new() };
        let paused = |at: &RegionIx| state.region(*at).and_then(|r| r.workload.as_ref()).is_some_and(|w| w.paused);
        targets(service, &plan.intent.target).into_iter().filter(paused).collect()
    }

    /// What a resume leaves, in words; none where nothing holds any more, and for other plans.
    pub(super) fn still_held(&self, plan: &Plan) -> Option<Text> {
        let holds = self.remaining_holds(plan);
        if holds.is_empty() {
            return None;
        }
        let service = self.fleet.service(plan.service)?;
        let said = |hold: &HoldInForce| format!("{} by {} ({})", hold.scope, hold.by, safe(hold.why(), LONGEST));
        let named = holds.iter().take(MOST_NAMED).map(said).collect::<Vec<_>>().join(", ");
        let more = match holds.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let names = |all: Vec<RegionIx>| {
            let names = all.into_iter().filter_map(|at| service.region(at)).map(|r| r.name.to_string());
            names.collect::<Vec<_>>().join(", ")
        };
        let paused = match names(self.still_paused(plan)) {
            paused if paused.is_empty() => String::new(),
            paused => format!("; {paused} still paused"),
        };
        Some(format!("STILL HELD: {named}{more}{paused}").into())
    }
}
