//! Plans that an earlier run of a guard left open: what lowers is continued, what raises waits for a person.

use super::decide::{Case, Deed, Wish};
use super::{AGAIN, Remembered};
use crate::domain::id::{Place, RegionIx, ServiceIx, Text};
use crate::domain::intent::{Intent, Target, Verb};
use crate::domain::link::Link;
use crate::domain::plan::PlanId;
use crate::domain::policy::{BY_POLICY, Mode};
use crate::domain::record::{Body, Fact};
use crate::engine::Engine;
use crate::engine::effect::{Effect, Note, NoteKind};
use crate::engine::left::{Left, LeftFacts};

/// A plan that was journaled and not closed, because its process died.
#[derive(Clone, Debug, PartialEq)]
pub struct Interrupted {
    /// The plan.
    pub plan: PlanId,
    /// Its service.
    pub service: ServiceIx,
    /// What it was about to do: as [`Verb::word`] says it.
    pub verb: Text,
    /// It added risk.
    pub raising: bool,
    /// Regions whose steps had not ended.
    pub regions: Vec<RegionIx>,
    /// One line.
    pub title: Text,
    /// The facts that it was to write, by region.
    pub facts: LeftFacts,
}

impl Engine {
    /// Plans of an earlier run: what lowers is continued by a new plan that names the old one;
    /// what raises waits for a person.
    pub(super) fn take_up_interrupted(&mut self, effects: &mut Vec<Effect>) {
        let Some(automation) = &self.automation else { return };
        let waits = self.now.mono < automation.taken_up;
        if automation.mode() == Mode::Advise || automation.interrupted.is_empty() || waits {
            return;
        }
        self.complete_records(effects);
        let Some(automation) = &self.automation else { return };
        let memory = Remembered { automation, engine: self };
        let heard = |i: &Interrupted| {
            let spec = self.fleet.service(i.service);
            i.regions.iter().all(|at| {
                let cluster = spec.and_then(|s| s.region(*at)).and_then(|r| self.clusters.get(r.cluster.at()));
                cluster.is_some_and(|c| c.heard.is_some() || matches!(c.link, Link::Lost { .. }))
            })
        };
        let due = |i: &Interrupted| !i.raising && heard(i) && memory.all_mine(i);
        // A person who moved every region of it since has decided.
        let decided = |i: &Interrupted| i.raising && i.regions.iter().all(|at| self.moved_by_a_person_since(i, *at));
        let (decided, open): (Vec<_>, Vec<_>) = automation.interrupted.iter().cloned().partition(decided);
        let (ready, mut waiting): (Vec<_>, Vec<_>) = open.into_iter().partition(due);
        let mut due = Vec::new();
        for left in ready {
            // Where it arrived there is nothing to continue: only its record is waited for.
            let (arrived, rest): (Vec<_>, Vec<_>) = left.regions.iter().partition(|at| self.has_arrived(&left, **at));
            if !arrived.is_empty() {
                waiting.push(Interrupted { regions: arrived, ..left.clone() });
            }
            if !rest.is_empty() {
                due.push(Interrupted { regions: rest, ..left });
            }
        }
        if let Some(automation) = &mut self.automation {
            automation.interrupted = waiting;
        }
        for left in decided {
            self.close_interrupted(left.plan, "overtaken by a later plan", effects);
        }
        for left in due {
            // Whoever moved a region after the plan was made has the last word.
            let record = self.services.get(left.service.at()).map(|s| &s.record);
            let overtaken = |at: &RegionIx| {
                let newest = record.and_then(|r| r.region(*at)).and_then(|r| r.newest_move());
                newest.is_some_and(|(fact, moved)| {
                    moved.plan != left.plan.0
                        && fact.id.0.timestamp_ms() > left.plan.0.timestamp_ms()
                        && matches!(fact.body, Body::Promoted(_))
                })
            };
            let regions: Vec<RegionIx> = left.regions.iter().copied().filter(|at| !overtaken(at)).collect();
            let verb = match &*left.verb {
                "hold" => Some(Verb::Hold),
                "abort" => Some(Verb::Abort),
                "rollback" => Some(Verb::RollBack { to_revision: None }),
                "drain" => Some(Verb::Drain),
                _ => None,
            };
            let Some(verb) = verb.filter(|_| !regions.is_empty()) else {
                self.close_interrupted(left.plan, "overtaken by a later plan", effects);
                continue;
            };
            let why: Text = format!("{BY_POLICY}continues {} ({})", left.plan, left.title).into();
            let cases: Vec<Case> = regions
                .iter()
                .filter_map(|at| {
                    Some((*at, self.services.get(left.service.at())?.region(*at)?.workload.as_ref()?.template))
                })
                .collect();
            let intent = Intent {
                service: left.service,
                verb,
                target: Target::Regions(regions.clone()),
                reason: Some(why.clone()),
            };
            let left = Interrupted { regions: regions.clone(), ..left };
            self.review_wish(Wish { intent, deed: Deed::Continue, regions, cases, why }, Some(left), effects);
        }
    }

    /// What an interrupted plan was to write in a region is there, and its record may lack it.
    pub(super) fn has_arrived(&self, left: &Interrupted, at: RegionIx) -> bool {
        match self.left((left.service, at), facts_in(left, at)) {
            Left::Lacking | Left::Written => true,
            // Its cluster is heard, its record is not yet.
            Left::Unknown => self.is_live((left.service, at)),
            Left::NotSo => false,
        }
    }

    fn is_live(&self, place: Place) -> bool {
        let region = self.fleet.service(place.0).and_then(|s| s.region(place.1));
        let cluster = region.and_then(|r| self.clusters.get(r.cluster.at()));
        cluster.is_some_and(|c| c.freshness(self.now).is_live())
    }

    /// A process may die between a write and its record. Where the region shows that it happened,
    /// the record is given the facts of that plan, and the plan is closed.
    fn complete_records(&mut self, effects: &mut Vec<Effect>) {
        let lefts = self.automation.iter().flat_map(|a| a.interrupted.clone()).collect::<Vec<_>>();
        for left in lefts {
            let mut over = Vec::new();
            for at in left.regions.iter().copied() {
                let place = (left.service, at);
                if !self.acts_in(place) {
                    continue;
                }
                match self.left(place, facts_in(&left, at)) {
                    Left::Written => over.push(at),
                    Left::Lacking if self.keeping.refused.contains_key(&place) => over.push(at),
                    Left::Lacking => self.owe_left(place, facts_in(&left, at).to_vec()),
                    Left::Unknown | Left::NotSo => {}
                }
            }
            // What raises waits for a person, wherever it arrived.
            if over.is_empty() || left.raising {
                continue;
            }
            let Some(automation) = &mut self.automation else { return };
            for known in automation.interrupted.iter_mut().filter(|i| i.plan == left.plan) {
                known.regions.retain(|at| !over.contains(at));
            }
            automation.interrupted.retain(|i| !i.regions.is_empty());
            let goes_on = |i: &Interrupted| i.plan == left.plan;
            let elsewhere = automation.interrupted.iter().any(goes_on)
                || automation.slots.iter().any(|s| s.continues.as_ref().is_some_and(goes_on));
            if !elsewhere {
                self.close_interrupted(left.plan, "it had arrived, and its record is complete", effects);
            }
        }
    }

    fn moved_by_a_person_since(&self, left: &Interrupted, at: RegionIx) -> bool {
        let record = self.services.get(left.service.at()).and_then(|s| s.record.region(at));
        record.and_then(|r| r.newest_move()).is_some_and(|(fact, moved)| {
            moved.plan != left.plan.0
                && fact.id.0.timestamp_ms() > left.plan.0.timestamp_ms()
                && !moved.reason.starts_with(BY_POLICY)
        })
    }

    /// The journal says of a plan of an earlier run what became of it.
    pub(super) fn close_interrupted(&mut self, plan: PlanId, why: &str, effects: &mut Vec<Effect>) {
        // A part of it may still wait for its record.
        if self.automation.iter().flat_map(|a| &a.interrupted).any(|i| i.plan == plan) {
            return;
        }
        let what = NoteKind::Closed { outcome: "interrupted".into(), why: why.into() };
        effects.push(Effect::Note(Box::new(Note { plan, what })));
    }

    /// It is taken up again a little later.
    pub(super) fn put_back(&mut self, left: Interrupted) {
        let mono = self.now.mono;
        if let Some(automation) = &mut self.automation {
            automation.taken_up = mono.saturating_add(AGAIN);
            automation.interrupted.push(left);
        }
    }
}

/// The facts that a plan was to write in a region.
fn facts_in(left: &Interrupted, at: RegionIx) -> &[Fact] {
    let of = |(place, _): &&(Place, Vec<Fact>)| *place == (left.service, at);
    left.facts.iter().find(of).map(|(_, facts)| facts.as_slice()).unwrap_or_default()
}
