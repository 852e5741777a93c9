//! A guard's hands: what its policies want goes through the same draft, review, approval,
//! journal and execution as a person's keys.
//!
//! ```text
//! decide       verdicts + policy + record -> wishes (pure)
//! bound        guards of some regions
//! interrupted  plans that an earlier run left open
//! notice       what people are told who do not look
//! lease        which guard raises in a region, and its heartbeat
//! mod          wish -> review in a slot of its own -> approved by policy -> carried out
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Engine;
use super::effect::{Effect, Ticket};
use super::operation::{Outcome, Proposal, ProposalState, StepState};
use super::review::Review;
use super::scene::Scene;
use crate::domain::challenge::Approved;
use crate::domain::id::{Place, RegionIx, RingName, ServiceIx, Text};
use crate::domain::intent::{Direction, Verb};
use crate::domain::link::Link;
use crate::domain::plan::{Plan, PlanId};
use crate::domain::policy::Mode;
use crate::domain::stamp::Stamp;
use crate::domain::version::TemplateDigest;

mod bound;
pub mod decide;
mod interrupted;
pub mod lease;
pub mod notice;

pub use interrupted::Interrupted;

use decide::{Cases, Deed, Memory, Progress, Wish};

/// After something that could not be read or sent, the same is not tried again before.
const AGAIN: Duration = Duration::from_secs(15);

/// What a guard is told when it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Arming {
    /// What it may do by itself.
    pub mode: Mode,
    /// Why that is less than what was asked for, if it is.
    pub lessened: Option<Text>,
    /// Who it is, among guards: unique per process.
    pub holder: Text,
    /// Names of the regions it acts in; empty: all.
    pub regions: Vec<Text>,
    /// Plans that an earlier run left open.
    pub interrupted: Vec<Interrupted>,
}

/// A guard at work.
#[derive(Debug)]
pub struct Automation {
    arming: Arming,
    /// What its leases say it may do: also while it leaves and begins nothing new.
    announced: Mode,
    slots: Vec<Slot>,
    cases: Cases,
    running: BTreeMap<PlanId, Running>,
    done: BTreeSet<(Place, String, TemplateDigest)>,
    /// What is waited for: plans of an earlier run.
    interrupted: Vec<Interrupted>,
    /// They are not taken up before, on the monotonic clock.
    taken_up: Duration,
    /// When the views were made that were judged last.
    judged: Vec<Option<Duration>>,
    /// Second in which everything was judged, changed or not.
    second: Option<u64>,
    /// What people were told.
    pub told: notice::Told,
    /// NO-GOs that policies answer: service, ring, and why.
    breached: Vec<(ServiceIx, RingName, Text)>,
    /// Why a promotion waits for a lease, as it was said last.
    pub waits: Option<Text>,
    /// Automatic actions that were started, by word.
    pub started: BTreeMap<&'static str, u64>,
    /// Automatic actions that came to an end, by word and outcome.
    pub ended: BTreeMap<(&'static str, &'static str), u64>,
}

/// A wish under review.
#[derive(Debug)]
struct Slot {
    wish: Wish,
    continues: Option<Interrupted>,
    proposal: Option<Proposal>,
    review: Option<Review>,
}

/// A wish that is being carried out.
#[derive(Debug)]
struct Running {
    wish: Wish,
    since: Stamp,
    limit: Duration,
    overdue: bool,
}

impl Deed {
    /// The word for metrics and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Deed::Hold(_) => "hold",
            Deed::Abort => "abort",
            Deed::Back(crate::domain::policy::Fallback::Drain) => "drain",
            Deed::Back(_) => "rollback",
            Deed::Promote => "promote",
            Deed::Continue => "continue",
        }
    }
    fn key(&self) -> String {
        match self {
            Deed::Hold(id) => format!("hold {id}"),
            other => other.word().to_owned(),
        }
    }
}

/// What [`decide`] asks for.
struct Remembered<'a> {
    automation: &'a Automation,
    engine: &'a Engine,
}

impl Memory for Remembered<'_> {
    fn progress(&self, place: Place, template: TemplateDigest) -> Progress {
        self.automation.cases.get(&(place, template)).copied().unwrap_or_default()
    }
    fn busy(&self, place: Place) -> bool {
        let about = |w: &Wish| w.intent.service == place.0 && w.regions.contains(&place.1);
        let deeds = |w: &Wish| !matches!(w.deed, Deed::Hold(_)) && about(w);
        // What is to be continued there is its way back already.
        let left = |i: &Interrupted| {
            let back = !i.raising && matches!(&*i.verb, "rollback" | "abort");
            let goes = back && i.service == place.0 && i.regions.contains(&place.1) && self.all_mine(i);
            goes && !self.engine.has_arrived(i, place.1)
        };
        self.automation.slots.iter().any(|s| deeds(&s.wish))
            || self.automation.running.values().any(|r| !r.overdue && deeds(&r.wish))
            || self.automation.interrupted.iter().any(left)
            || self.engine.lowering_in(place)
    }
    fn did(&self, place: Place, deed: &Deed, template: TemplateDigest) -> bool {
        let same = |w: &Wish| w.deed == *deed && w.intent.service == place.0;
        self.automation.slots.iter().any(|s| same(&s.wish))
            || self.automation.running.values().any(|r| same(&r.wish))
            || self.automation.done.contains(&(place, deed.key(), template))
    }
    fn mine(&self, place: Place) -> bool {
        self.is_mine(place)
    }
    fn waits(&self, service: ServiceIx) -> bool {
        self.automation.interrupted.iter().any(|i| i.raising && i.service == service)
    }
    fn mono(&self) -> Duration {
        self.engine.now.mono
    }
}

impl Remembered<'_> {
    /// This guard acts in every region of it.
    fn all_mine(&self, left: &Interrupted) -> bool {
        left.regions.iter().all(|at| self.is_mine((left.service, *at)))
    }

    /// This guard acts there.
    fn is_mine(&self, place: Place) -> bool {
        self.engine.acts_in(place)
    }
}

impl Automation {
    /// What it may do by itself.
    pub fn mode(&self) -> Mode {
        self.arming.mode
    }
    /// What it was told.
    pub fn arming(&self) -> &Arming {
        &self.arming
    }
    /// Plans of an earlier run that wait for a person, or for their clusters.
    pub fn interrupted(&self) -> &[Interrupted] {
        &self.interrupted
    }
    /// Whether a plan is ours.
    pub fn runs(&self, plan: PlanId) -> bool {
        self.running.contains_key(&plan)
    }
    /// Something is under review or under way.
    pub fn busy(&self) -> bool {
        !self.slots.is_empty() || self.running.values().any(|r| !r.overdue)
    }
}

impl Engine {
    /// From now on this engine is a guard.
    pub fn arm(&mut self, arming: Arming) {
        let interrupted = arming.interrupted.clone();
        self.automation = Some(Automation {
            announced: arming.mode,
            arming,
            slots: Vec::new(),
            cases: Cases::new(),
            running: BTreeMap::new(),
            done: BTreeSet::new(),
            interrupted,
            taken_up: Duration::ZERO,
            judged: Vec::new(),
            second: None,
            told: notice::Told::default(),
            breached: Vec::new(),
            waits: None,
            started: BTreeMap::new(),
            ended: BTreeMap::new(),
        });
    }

    /// What is known of leases.
    pub fn leases(&self) -> &lease::Leases {
        &self.leases
    }

    fn leases_mut(&mut self) -> &mut lease::Leases {
        &mut self.leases
    }

    /// The guard in this engine, if it is one.
    pub fn automation(&self) -> Option<&Automation> {
        self.automation.as_ref()
    }

    /// No new action is begun from now on; what is under way goes on.
    pub fn disarm(&mut self) {
        if let Some(automation) = &mut self.automation {
            automation.arming.mode = Mode::Advise;
            automation.slots.clear();
        }
    }

    /// A rollback, abort or drain of this process is under way in a region.
    fn lowering_in(&self, place: Place) -> bool {
        self.operations.iter().filter(|o| o.open() && o.plan.service == place.0).any(|o| {
            let ours = self.automation.as_ref().is_some_and(|a| a.runs(o.plan.id));
            let lowers = matches!(o.plan.intent.verb, Verb::RollBack { .. } | Verb::Abort | Verb::Drain);
            lowers && !ours && o.plan.steps.iter().any(|s| s.region == place.1)
        })
    }

    /// Decides, reviews, approves: after every message.
    pub(super) fn tend_automation(&mut self, ticks: bool, effects: &mut Vec<Effect>) {
        if self.automation.is_none() {
            return;
        }
        self.take_in_ended();
        self.take_up_interrupted(effects);
        for wish in self.wishes(ticks) {
            if !self.waits_for_a_lease(&wish) {
                self.review_wish(wish, None, effects);
            }
        }
        self.tend_slots(effects);
        if ticks {
            self.notices(effects);
        }
    }

    /// What the policies want now. What did not change since it was judged wants nothing new:
    /// only time does.
    fn wishes(&mut self, ticks: bool) -> Vec<Wish> {
        let renewed: Vec<Option<Duration>> = self.services.iter().map(|s| s.renewed).collect();
        let Some(automation) = &mut self.automation else { return Vec::new() };
        let before = std::mem::replace(&mut automation.judged, renewed.clone());
        let second = Some(self.now.mono.as_secs());
        let passed = ticks && automation.second != second;
        if passed {
            automation.second = second;
        }
        let Some(automation) = &self.automation else { return Vec::new() };
        let due = |at: &ServiceIx| passed || before.get(at.at()) != renewed.get(at.at());
        let memory = Remembered { automation, engine: self };
        let of = |at: ServiceIx| {
            let state = self.services.get(at.at())?;
            let scene = Scene::new(self.world(), at, state)?;
            let breaches = decide::breaches(&scene, &state.view);
            let name = |r| scene.service.ring(r).map(|r| r.name.clone());
            let why = breaches.iter().filter_map(|b| Some((at, name(b.ring)?, b.sentence.clone())));
            let why: Vec<_> = why.collect();
            Some((at, why, decide::wishes(&scene, &state.view, &breaches, &memory, automation.mode())))
        };
        let judged: Vec<_> = (0..self.services.len()).map(ServiceIx::from).filter(due).filter_map(of).collect();
        let mut wishes = Vec::new();
        if let Some(automation) = &mut self.automation {
            for (at, why, wanted) in judged {
                automation.breached.retain(|(s, ..)| *s != at);
                automation.breached.extend(why);
                wishes.extend(wanted);
            }
        }
        wishes
    }

    /// Another guard raises there, or nobody can tell: a promotion waits, and that is said once.
    fn waits_for_a_lease(&mut self, wish: &Wish) -> bool {
        if wish.deed != Deed::Promote {
            return false;
        }
        let service = wish.intent.service;
        let missing = wish.regions.iter().find(|at| !self.leases.held((service, **at), self.now.mono)).copied();
        let why = missing.map(|at| {
            let name = self.fleet.service(service).and_then(|s| s.region(at)).map_or("?", |r| r.name.as_str());
            let seen = self.services.get(service.at()).and_then(|s| s.region(at)).and_then(|r| r.guard.as_ref());
            let whose = match seen.map(|g| &*g.holder).filter(|h| !h.is_empty()) {
                Some(holder) => format!("held by {}", crate::domain::text::safe(holder, 120)),
                None => "not held by this guard".to_owned(),
            };
            Text::from(format!("{}; it waits: the lease of {name} is {whose}", wish.why))
        });
        let Some(automation) = &mut self.automation else { return true };
        if automation.waits != why {
            if let Some(why) = &why {
                tracing::warn!("guard: {why}");
            }
            automation.waits.clone_from(&why);
        }
        why.is_some()
    }

    fn review_wish(&mut self, wish: Wish, continues: Option<Interrupted>, effects: &mut Vec<Effect>) {
        let id = self.next_plan_id();
        let intent = wish.intent.clone();
        if let Deed::Hold(hold) = wish.deed {
            self.ids.give(Some(hold.0));
        }
        let Some(automation) = &mut self.automation else { return };
        tracing::info!("guard: {}", wish.why);
        automation.slots.push(Slot { wish, continues, proposal: None, review: None });
        let at = automation.slots.len() - 1;
        effects.extend(self.in_slot(at, |engine| engine.propose(id, intent)));
        self.ids.give(None);
    }

    /// Runs something with a slot's review in the place of the person's.
    fn in_slot<T: Default>(&mut self, at: usize, run: impl FnOnce(&mut Self) -> T) -> T {
        let Some(slot) = self.automation.as_mut().and_then(|a| a.slots.get_mut(at)) else { return T::default() };
        std::mem::swap(&mut self.proposal, &mut slot.proposal);
        std::mem::swap(&mut self.review, &mut slot.review);
        let out = run(self);
        if let Some(slot) = self.automation.as_mut().and_then(|a| a.slots.get_mut(at)) {
            std::mem::swap(&mut self.proposal, &mut slot.proposal);
            std::mem::swap(&mut self.review, &mut slot.review);
        }
        out
    }

    /// The slot whose review waits for an answer.
    pub(super) fn slot_of(&self, ticket: Ticket) -> Option<usize> {
        let waits = |s: &Slot| s.review.as_ref().is_some_and(|r| r.waits_for(ticket));
        self.automation.as_ref()?.slots.iter().position(waits)
    }

    /// Gives an answer to the review that waits for it.
    pub(super) fn for_review(&mut self, ticket: Ticket, run: impl FnOnce(&mut Self)) {
        match self.slot_of(ticket) {
            Some(at) => self.in_slot(at, run),
            None => run(self),
        }
    }

    /// Time limits of every slot's review.
    pub(super) fn tend_slot_reviews(&mut self, effects: &mut Vec<Effect>) {
        let count = self.automation.as_ref().map_or(0, |a| a.slots.len());
        for at in 0..count {
            self.in_slot(at, |engine| engine.tend_review(effects));
        }
    }

    /// Approves what is ready, drops what is refused.
    fn tend_slots(&mut self, effects: &mut Vec<Effect>) {
        let mut at = 0;
        while let Some(slot) = self.automation.as_ref().and_then(|a| a.slots.get(at)) {
            match slot.proposal.as_ref().map(|p| &p.state) {
                Some(ProposalState::Refused(refusal)) => {
                    let refusal = refusal.clone();
                    let Some(slot) = self.take_slot(at) else { continue };
                    tracing::warn!("guard: {} refused: {} ({})", slot.wish.deed.word(), refusal.text, refusal.code);
                    self.did_not_work(&slot.wish, refusal.code);
                    match slot.continues {
                        // Nobody could be asked: it is taken up again when somebody can.
                        Some(left) if matches!(refusal.code, "unreachable" | "stale") => self.put_back(left),
                        Some(left) => self.close_interrupted(left.plan, &refusal.text, effects),
                        None => {}
                    }
                }
                Some(ProposalState::Ready { plan, checking, .. })
                    if plan.direction() == Direction::Lowering || *checking == 0 =>
                {
                    let plan = (**plan).clone();
                    // What raises is checked once more against the review that it comes from.
                    self.approve(at, plan, effects);
                    self.take_slot(at);
                }
                _ => at += 1,
            }
        }
    }

    fn take_slot(&mut self, at: usize) -> Option<Slot> {
        let automation = self.automation.as_mut()?;
        (at < automation.slots.len()).then(|| automation.slots.remove(at))
    }

    fn approve(&mut self, at: usize, plan: Plan, effects: &mut Vec<Effect>) {
        let Some(slot) = self.automation.as_ref().and_then(|a| a.slots.get(at)) else { return };
        let (wish, continues) = (slot.wish.clone(), slot.continues.clone());
        let place = |at: &RegionIx| (plan.service, *at);
        if plan.direction() == Direction::Raising
            && !plan.blast.regions.iter().all(|at| self.leases.held(place(at), self.now.mono))
        {
            // Another guard raises there, or nobody can tell: this one waits.
            self.did_not_work(&wish, "unreachable");
            return;
        }
        let (id, since) = (plan.id, self.now);
        let planned: Vec<RegionIx> = plan.steps.iter().map(|s| s.region).collect();
        let service = self.fleet.service(plan.service);
        let ring = wish.cases.first().and_then(|(at, _)| service?.region(*at)).map(|r| r.ring);
        let limit = service.zip(ring).map(|(s, r)| s.policy.ring(r).rollback_limit).unwrap_or_default();
        match Approved::by_policy(plan, wish.why.clone(), self.operator.clone()) {
            Err((plan, rejected)) => {
                tracing::warn!("guard: {}: {}", plan.title, rejected.text());
                self.did_not_work(&wish, "needs-a-person");
            }
            Ok(approved) => {
                effects.extend(self.in_slot(at, |engine| engine.carry_out(approved)));
                if let Some(mut left) = continues {
                    // What could not be read is not in this plan, and not forgotten.
                    left.regions.retain(|at| !planned.contains(at));
                    if left.regions.is_empty() {
                        self.close_interrupted(left.plan, &format!("continued by {id}"), effects);
                    } else {
                        self.put_back(left);
                    }
                }
                let Some(automation) = &mut self.automation else { return };
                *automation.started.entry(wish.deed.word()).or_default() += 1;
                automation.running.insert(id, Running { wish, since, limit, overdue: false });
            }
        }
    }

    /// Raising by policy needs the lease of every region that is still to be changed.
    pub(super) fn lease_lost(&self, plan: &Plan) -> Option<String> {
        self.automation.as_ref().filter(|a| a.runs(plan.id))?;
        let lost = plan.steps.iter().find(|s| !self.leases.held((plan.service, s.region), self.now.mono))?;
        let name = self.fleet.service(plan.service)?.region(lost.region)?.name.clone();
        Some(format!("stopped: the lease of {name} is not held any more"))
    }

    /// What came of what was carried out.
    fn take_in_ended(&mut self) {
        let now = self.now;
        let ids: Vec<PlanId> = self.automation.iter().flat_map(|a| a.running.keys().copied()).collect();
        for id in ids {
            let ended = match self.operations.iter().find(|o| o.plan.id == id) {
                Some(operation) => operation.ended.as_ref().map(|(_, outcome, _)| *outcome),
                None => Some(Outcome::Unknown),
            };
            let Some(automation) = &mut self.automation else { return };
            let Some(running) = automation.running.get_mut(&id) else { continue };
            match ended {
                None => {
                    let late = !running.overdue && now.since(running.since) >= running.limit;
                    if late && matches!(running.wish.deed, Deed::Back(_) | Deed::Abort) {
                        // It goes on; but from here the next way back is tried.
                        running.overdue = true;
                        let wish = running.wish.clone();
                        self.did_not_work(&wish, "limit");
                    }
                }
                Some(outcome) => {
                    let Some(running) = automation.running.remove(&id) else { continue };
                    *automation.ended.entry((running.wish.deed.word(), outcome.word())).or_default() += 1;
                    let unsent = self.operations.iter().find(|o| o.plan.id == id).is_some_and(|o| {
                        let never =
                            |s: &StepState| matches!(s, StepState::Ended(Outcome::Refused | Outcome::Cancelled, _));
                        o.steps.iter().all(never)
                    });
                    match outcome {
                        Outcome::Settled => self.worked(&running.wish),
                        _ if running.overdue => {}
                        // Somebody else was faster: what is to be done is decided anew.
                        Outcome::Refused | Outcome::Cancelled if unsent => self.did_not_work(&running.wish, "refused"),
                        _ => self.did_not_work(&running.wish, outcome.word()),
                    }
                }
            }
        }
    }

    fn worked(&mut self, wish: &Wish) {
        let service = wish.intent.service;
        let Some(automation) = &mut self.automation else { return };
        for (region, template) in &wish.cases {
            automation.done.insert(((service, *region), wish.deed.key(), *template));
        }
    }

    /// A deed did not work: again a little later, and after its tries the next one.
    fn did_not_work(&mut self, wish: &Wish, code: &str) {
        let service = wish.intent.service;
        let mono = self.now.mono;
        let fleet = self.fleet.clone();
        let Some(spec) = fleet.service(service) else { return };
        let Some(automation) = &mut self.automation else { return };
        for (region, template) in &wish.cases {
            let place = (service, *region);
            let ring = spec.region(*region).map(|r| spec.policy.ring(r.ring)).unwrap_or_default();
            let progress = automation.cases.entry((place, *template)).or_default();
            progress.not_before = mono.saturating_add(AGAIN);
            match (&wish.deed, code) {
                // Nobody could be asked, so nothing was tried.
                (_, "unreachable" | "stale") => {}
                (Deed::Promote, _) => {
                    // What raises is tried once; then it waits for a person.
                    automation.done.insert((place, wish.deed.key(), *template));
                }
                (Deed::Back(_), "limit") => {
                    progress.failures += 1;
                    progress.step += 1;
                    progress.tries = 0;
                    progress.not_before = mono;
                }
                (Deed::Back(_), "refused" | "diverged" | "unknown" | "cancelled" | "nothing-to-do") => {
                    progress.failures += u32::from(matches!(code, "diverged" | "unknown"));
                    progress.tries += 1;
                    if progress.tries >= ring.attempts {
                        progress.step += 1;
                        progress.tries = 0;
                    }
                }
                // The plan cannot be made (quarantined, no such revision, no headroom): on to the next.
                (Deed::Back(_), _) => {
                    progress.step += 1;
                    progress.tries = 0;
                    progress.not_before = mono;
                }
                (_, "nothing-to-do") => {
                    automation.done.insert((place, wish.deed.key(), *template));
                }
                (Deed::Abort | Deed::Continue | Deed::Hold(_), _) => {
                    progress.failures += 1;
                    progress.tries += 1;
                    if progress.tries >= ring.attempts.max(3) {
                        automation.done.insert((place, wish.deed.key(), *template));
                    }
                }
            }
        }
    }
}
