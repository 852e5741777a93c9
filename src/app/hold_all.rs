//! `!`: hold every region of the service, at once and without a prompt; it only holds.

use std::time::Duration;

use super::modal::Modal;
use super::prompt::BURST;
use super::{App, AppEffect, wrap};
use crate::domain::challenge::Approved;
use crate::domain::intent::{Intent, Target, Verb};
use crate::domain::plan::{Plan, PlanId};
use crate::domain::record::Scope;
use crate::domain::stamp::Stamp;
use crate::engine::operation::ProposalState;

/// `!` within this of a digit is a slip of the finger on its way to one.
pub const AFTER_DIGIT: Duration = Duration::from_millis(300);

/// What is said of a `!` among other bytes.
pub(super) const CROWDED: &str =
    "`!` came together with other keys, as a paste does: nothing was held; press ! again to hold";

/// A hold of everything on its way to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldAll {
    /// Its plan.
    pub id: PlanId,
}

impl App {
    /// Holds the service shown, once it is sure that the key came alone: bytes that come upon each
    /// other are a paste, whether it stands first, last or among them.
    pub(super) fn hold_all(&mut self) -> Vec<AppEffect> {
        if let Some(why) = self.cannot_write() {
            self.say(why, true);
        } else if self.last_digit.is_some_and(|at| self.key_at.since(at) < AFTER_DIGIT) {
            self.say("`!` right after a digit is not taken for a hold: press it again", true);
        } else if self.crowded {
            self.say(CROWDED, true);
        } else {
            self.armed = Some(self.key_at);
        }
        Vec::new()
    }

    /// The moment from which an armed `!` holds, since the start of the program.
    pub fn due(&self) -> Option<Duration> {
        self.armed.map(|at| at.mono.saturating_add(BURST))
    }

    /// No other key came with it.
    pub(super) fn hold_if_alone(&mut self, now: Stamp) -> Vec<AppEffect> {
        match self.armed {
            Some(at) if now.since(at) >= BURST => {
                self.armed = None;
                self.hold_all_now()
            }
            _ => Vec::new(),
        }
    }

    /// Proposes to hold the service shown; approved as soon as there is a plan.
    fn hold_all_now(&mut self) -> Vec<AppEffect> {
        if self.holding.is_some() {
            return Vec::new();
        }
        let service = self.scene().at();
        if let Some(id) = self.engine.hold_under_way(service) {
            // One hold is enough: the one that is being written is tried again at once.
            self.modals.retain(|m| !matches!(m, Modal::Prompt(_) | Modal::Took(_)));
            self.modals.push(Modal::Took(id));
            return wrap(self.engine.hurry(id));
        }
        if let Some(said) = self.held_already() {
            self.say(said, false);
            return Vec::new();
        }
        self.modals.retain(|m| !matches!(m, Modal::Prompt(_)));
        let id = self.engine.next_plan_id();
        let intent = Intent { service: self.scene().at(), verb: Verb::Hold, target: Target::Service, reason: None };
        self.holding = Some(HoldAll { id });
        self.say("holding every region…", false);
        let mut effects = wrap(self.engine.propose(id, intent));
        effects.extend(self.attend_hold_all());
        effects
    }

    /// A hold of the whole service is in force and complete, and nothing moves that another one would pause.
    ///
    /// One that cannot be read, or that only a few regions have, is none to lean on: it may be gone when
    /// they are looked at again.
    fn held_already(&self) -> Option<String> {
        let scene = self.scene();
        let (view, state) = (scene.view()?, scene.state()?);
        let hold = state
            .record
            .holds()
            .into_iter()
            .rev()
            .find(|h| h.scope == Scope::Service && h.id.is_some() && h.complete())?;
        let workloads = || state.regions.iter().filter_map(|r| r.workload.as_ref());
        let moves = workloads().any(|w| w.in_flight() && !w.paused);
        if moves || view.regions.is_empty() {
            return None;
        }
        Some(format!(
            "held already by {} (in {} of {} regions): no second hold is added",
            hold.by, hold.seen_in, hold.of
        ))
    }

    /// Approves the hold by its standing approval once its plan is there.
    pub(super) fn attend_hold_all(&mut self) -> Vec<AppEffect> {
        let Some(HoldAll { id }) = self.holding else { return Vec::new() };
        let plan = match self.engine.proposal.as_ref().filter(|p| p.id == id).map(|p| &p.state) {
            Some(ProposalState::Reading { .. }) => return Vec::new(),
            Some(ProposalState::Ready { plan, .. }) => plan.clone(),
            Some(ProposalState::Refused(refusal)) => {
                let text = format!("not held: {} — {}", refusal.text, refusal.hint);
                self.holding = None;
                self.engine.dismiss();
                self.say(text, true);
                return Vec::new();
            }
            None => {
                self.holding = None;
                self.say("not held: another review took its place; press ! again", true);
                return Vec::new();
            }
        };
        self.holding = None;
        let by = self.operator_of(&plan);
        match Approved::standing(Plan::clone(&plan), by) {
            Ok(approved) => {
                let effects = wrap(self.engine.carry_out(approved));
                if self.engine.proposal.as_ref().is_some_and(|p| p.id == id) {
                    self.engine.dismiss();
                }
                // What became of it is shown region by region.
                self.notice = None;
                self.modals.retain(|m| !matches!(m, Modal::Took(_)));
                self.modals.push(Modal::Took(id));
                effects
            }
            Err((_, why)) => {
                self.engine.dismiss();
                self.say(format!("not held: {}", why.text()), true);
                Vec::new()
            }
        }
    }
}
