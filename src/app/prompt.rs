//! The prompt: a plan under review, what must be answered, and which keys count.
//!
//! The rules, each with a test: Esc always leaves at once; Enter never confirms; the key
//! that opened the prompt does not confirm; `y` counts only after 300 ms without any key;
//! letters closer than 5 ms and pasted text are not typing; a raising plan cannot be
//! confirmed while it is being checked; a plan that changed must be read again.

use std::sync::Arc;
use std::time::Duration;

use tui_input::{Input, InputRequest};

use super::modal::Modal;
use super::{App, AppEffect, wrap};
use crate::domain::challenge::{Asked, Challenge};
use crate::domain::id::{Operator, Text};
use crate::domain::intent::{Direction, Intent};
use crate::domain::plan::{Plan, PlanId};
use crate::domain::stamp::Stamp;
use crate::domain::text::safe;
use crate::engine::effect::Effect;
use crate::engine::operation::ProposalState;
use crate::input::Key;
use crate::input::key::Code;

/// A confirming key counts only after so long without any key.
pub const QUIET: Duration = Duration::from_millis(300);
/// Letters closer than this are a burst, not typing.
pub const BURST: Duration = Duration::from_millis(5);
/// Longest reason, in bytes.
const LONGEST_REASON: usize = 400;

/// A plan under review.
#[derive(Debug)]
pub struct Prompt {
    /// Of which proposal.
    pub id: PlanId,
    /// The key that opened it.
    pub opened_by: Option<Key>,
    /// Why it acts on what it acts on.
    pub rule: Text,
    /// The plan as shown: this very one is confirmed.
    pub shown: Option<Arc<Plan>>,
    /// When what is shown last changed.
    pub changed: Stamp,
    /// The field that is typed into.
    pub field: Field,
    /// The reason so far.
    pub reason: Input,
    /// The answer so far.
    pub answer: Input,
    /// Why the last key did not count.
    pub complaint: Option<Text>,
    /// First line of the body shown.
    pub scroll: usize,
    /// What an earlier console left open, and this goes on with.
    pub goes_on: Option<Text>,
    /// It was shown whole: a terminal that becomes too small for that closes it.
    pub whole: bool,
}

/// A field of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Why.
    Reason,
    /// What must be typed, or the key.
    Answer,
}

impl App {
    /// Starts to review an intent.
    pub(super) fn review(&mut self, intent: Intent, rule: Text, opened_by: Option<Key>) -> Vec<AppEffect> {
        let id = self.engine.next_plan_id();
        let effects = wrap(self.engine.propose(id, intent));
        self.modals.retain(|m| !matches!(m, Modal::Prompt(_)));
        self.modals.push(Modal::Prompt(Box::new(Prompt {
            id,
            opened_by,
            rule,
            shown: None,
            changed: self.now,
            field: Field::Answer,
            reason: Input::default(),
            answer: Input::default(),
            complaint: None,
            scroll: 0,
            goes_on: None,
            whole: false,
        })));
        effects
    }

    /// Starts to review what goes on with an operation that was left open: that one is closed when this begins.
    pub(super) fn review_left(&mut self, intent: Intent, left: Text, opened_by: Option<Key>) -> Vec<AppEffect> {
        let effects = self.review(intent, "goes on with what an earlier console left open".into(), opened_by);
        if let Some(prompt) = self.prompt_mut() {
            prompt.goes_on = Some(left);
        }
        effects
    }

    /// The prompt that is open.
    pub fn prompt(&self) -> Option<&Prompt> {
        self.modals.iter().rev().find_map(|m| match m {
            Modal::Prompt(prompt) => Some(&**prompt),
            _ => None,
        })
    }

    /// Characters are text in the prompt's field: a reason, or a typed answer.
    pub(super) fn types_in(&self, prompt: &Prompt) -> bool {
        let ready = match self.engine.proposal.as_ref().map(|p| &p.state) {
            Some(ProposalState::Ready { challenge, .. }) => Some(challenge),
            Some(ProposalState::Reading { .. }) => None,
            Some(ProposalState::Refused(_)) | None => return false,
        };
        prompt.field == Field::Reason || matches!(ready.map(|c| &c.answer), Some(Asked::Typed(_)))
    }

    fn prompt_mut(&mut self) -> Option<&mut Prompt> {
        self.modals.iter_mut().rev().find_map(|m| match m {
            Modal::Prompt(prompt) => Some(&mut **prompt),
            _ => None,
        })
    }

    /// Leaves the prompt; nothing is done.
    pub(super) fn leave_prompt(&mut self) {
        self.modals.retain(|m| !matches!(m, Modal::Prompt(_)));
        if self.holding.is_none() {
            self.engine.dismiss();
        }
    }

    /// Keeps the prompt in step with the proposal: a plan that changed must be read again.
    pub(super) fn attend_prompt(&mut self) {
        let Some(id) = self.prompt().map(|p| p.id) else { return };
        let Some(proposal) = self.engine.proposal.as_ref().filter(|p| p.id == id) else {
            self.modals.retain(|m| !matches!(m, Modal::Prompt(_)));
            return;
        };
        let found = match &proposal.state {
            ProposalState::Ready { plan, challenge, .. } => Some((plan.clone(), challenge.reason_required)),
            ProposalState::Reading { .. } | ProposalState::Refused(_) => None,
        };
        let now = self.now;
        let Some(prompt) = self.prompt_mut() else { return };
        match (&prompt.shown, found) {
            (Some(shown), Some((plan, _))) if Arc::ptr_eq(shown, &plan) || **shown == *plan => {}
            (before, Some((plan, reason_required))) => {
                if before.is_some() {
                    prompt.complaint = Some("the plan has changed: read it again".into());
                } else if reason_required {
                    prompt.field = Field::Reason;
                }
                prompt.shown = Some(plan);
                prompt.changed = now;
                prompt.answer.reset();
            }
            (Some(_), None) => {
                prompt.shown = None;
                prompt.changed = now;
                prompt.answer.reset();
            }
            (None, None) => {}
        }
        self.fit_prompt(None);
    }

    /// Closes a prompt that the terminal cannot show whole any more.
    pub(super) fn fit_prompt(&mut self, before: Option<(u16, u16)>) {
        let Some(prompt) = self.prompt() else { return };
        let size = self.setup.size;
        let fit = super::prompt_text::fit(self, prompt, size);
        let shrunk = before.is_some_and(|b| size.0 < b.0 || size.1 < b.1);
        if fit == super::prompt_text::Fit::Never || (shrunk && prompt.whole && fit != super::prompt_text::Fit::Whole) {
            self.leave_prompt();
            self.say("the prompt was closed: this terminal is too small to show it whole", true);
        } else if let Some(prompt) = self.prompt_mut() {
            prompt.whole = fit == super::prompt_text::Fit::Whole;
        }
    }

    /// A key while the prompt is open; `gap`: since any key before.
    pub(super) fn prompt_key(&mut self, key: Key, gap: Duration) -> Vec<AppEffect> {
        let most = self.prompt().map_or(0, |p| super::prompt_text::most_scroll(self, p, self.setup.size));
        let refused = self.engine.proposal.as_ref().is_none_or(|p| matches!(p.state, ProposalState::Refused(_)));
        let Some(prompt) = self.prompt_mut() else { return Vec::new() };
        prompt.complaint = None;
        match key.code {
            Code::Esc => self.leave_prompt(),
            Code::Char('c') if key.ctrl => self.leave_prompt(),
            Code::Char('y') if key.ctrl => return self.copy_plan(),
            Code::Enter if refused && gap >= QUIET => self.leave_prompt(),
            Code::Char('q') if refused => self.leave_prompt(),
            Code::Up => prompt.scroll = prompt.scroll.saturating_sub(1),
            Code::PageUp => prompt.scroll = prompt.scroll.saturating_sub(8),
            Code::Down => prompt.scroll = (prompt.scroll + 1).min(most),
            Code::PageDown => prompt.scroll = (prompt.scroll + 8).min(most),
            _ if refused => {}
            Code::Tab | Code::BackTab => prompt.field = prompt.field.other(),
            Code::Enter => self.enter_in_prompt(gap),
            _ => return self.type_in_prompt(key, gap),
        }
        Vec::new()
    }

    fn enter_in_prompt(&mut self, gap: Duration) {
        let asked = self.challenge().map(|c| asks(&c));
        let Some(prompt) = self.prompt_mut() else { return };
        match prompt.field {
            Field::Reason if gap >= BURST => prompt.field = Field::Answer,
            Field::Reason => {}
            Field::Answer => {
                let asks = asked.unwrap_or_else(|| "wait".to_owned());
                prompt.complaint = Some(format!("Enter does not confirm: {asks}").into());
            }
        }
    }

    fn challenge(&self) -> Option<Challenge> {
        match &self.engine.proposal.as_ref()?.state {
            ProposalState::Ready { challenge, .. } => Some(challenge.clone()),
            _ => None,
        }
    }

    fn type_in_prompt(&mut self, key: Key, gap: Duration) -> Vec<AppEffect> {
        let challenge = self.challenge();
        let Some(prompt) = self.prompt_mut() else { return Vec::new() };
        if prompt.field == Field::Reason {
            if prompt.reason.value().len() < LONGEST_REASON || key.typed().is_none() {
                edit(&mut prompt.reason, key);
            }
            return Vec::new();
        }
        match (challenge, key.typed()) {
            (None, _) => {
                self.complain("still being read: wait, or Esc to leave");
                Vec::new()
            }
            (Some(Challenge { answer: Asked::Key, .. }), Some('n')) => {
                self.leave_prompt();
                Vec::new()
            }
            (Some(challenge @ Challenge { answer: Asked::Key, .. }), Some('y')) => {
                self.press_confirming(key, gap, &challenge)
            }
            (Some(challenge @ Challenge { answer: Asked::Key, .. }), _) => {
                self.complain(asks(&challenge));
                Vec::new()
            }
            (Some(challenge), _) => self.type_answer(key, gap, &challenge),
        }
    }

    fn press_confirming(&mut self, key: Key, gap: Duration, challenge: &Challenge) -> Vec<AppEffect> {
        let read = self.key_at;
        let Some(prompt) = self.prompt_mut() else { return Vec::new() };
        if prompt.opened_by == Some(key) {
            prompt.complaint = Some("the key that opened this does not confirm it".into());
        } else if gap < QUIET {
            prompt.complaint = Some("too soon after another key: wait a moment, then press y".into());
        } else if read.since(prompt.changed) < QUIET {
            prompt.complaint = Some("this has just changed: read it, then press y".into());
        } else {
            return self.confirm("y", challenge);
        }
        Vec::new()
    }

    fn type_answer(&mut self, key: Key, gap: Duration, challenge: &Challenge) -> Vec<AppEffect> {
        let Asked::Typed(wanted) = &challenge.answer else { return Vec::new() };
        if self.is_checking() {
            self.complain("checking…: type when it is done");
            return Vec::new();
        }
        // A slow line delivers Tab and the letter after it at once; the letters after that tell a paste.
        let after_tab = self.key_before.is_some_and(|k| matches!(k.code, Code::Tab | Code::BackTab));
        let Some(prompt) = self.prompt_mut() else { return Vec::new() };
        let first = after_tab && prompt.answer.value().is_empty() && wanted.chars().count() > 1;
        if gap < BURST && !first && key.typed().is_some() {
            prompt.answer.reset();
            prompt.complaint = Some("that came too fast to be typed: type it by hand".into());
            return Vec::new();
        }
        if prompt.answer.value().len() < 64 || key.typed().is_none() {
            edit(&mut prompt.answer, key);
        }
        if key.typed().is_none() || prompt.answer.value() != &**wanted {
            return Vec::new();
        }
        let text = prompt.answer.value().to_owned();
        self.confirm(&text, challenge)
    }

    /// A raising plan whose dry-run is not answered yet.
    pub fn is_checking(&self) -> bool {
        matches!(&self.engine.proposal.as_ref().map(|p| &p.state),
            Some(ProposalState::Ready { plan, checking, .. })
                if *checking > 0 && plan.direction() == Direction::Raising)
    }

    fn confirm(&mut self, typed: &str, challenge: &Challenge) -> Vec<AppEffect> {
        if let Some(why) = self.cannot_write() {
            self.complain(why);
            return Vec::new();
        }
        if self.is_checking() {
            self.complain("checking…: a raising plan waits for that");
            return Vec::new();
        }
        if let Some(prompt) = self.prompt()
            && prompt.shown.as_ref().is_some_and(|p| p.direction() == Direction::Raising)
            && prompt.scroll < super::prompt_text::most_scroll(self, prompt, self.setup.size)
        {
            self.complain("there is more to read below: PageDown to the end first");
            if let Some(prompt) = self.prompt_mut() {
                prompt.answer.reset();
            }
            return Vec::new();
        }
        let Some(plan) = self.prompt().and_then(|p| p.shown.clone()) else { return Vec::new() };
        let by = self.operator_of(&plan);
        let Some(prompt) = self.prompt_mut() else { return Vec::new() };
        let reason: Text = safe(prompt.reason.value().trim(), LONGEST_REASON).into();
        let reason = Some(reason).filter(|r| !r.is_empty());
        let goes_on = prompt.goes_on.clone();
        match challenge.answer(Plan::clone(&plan), typed, reason, by) {
            Ok(approved) => {
                self.modals.retain(|m| !matches!(m, Modal::Prompt(_)));
                self.picks.marks.clear();
                let mut effects = wrap(self.engine.carry_out(approved));
                let begins = effects.iter().any(|e| matches!(e, AppEffect::Engine(Effect::Journal(_))));
                if let Some(left) = goes_on.filter(|_| begins) {
                    effects.push(AppEffect::CloseLeft { plan: left, goes_on: Some(plan.id) });
                }
                if self.engine.proposal.as_ref().is_some_and(|p| p.id == plan.id) {
                    self.engine.dismiss();
                }
                effects
            }
            Err((_, why)) => {
                prompt.answer.reset();
                if why == crate::domain::challenge::Rejected::ReasonMissing {
                    prompt.field = Field::Reason;
                }
                prompt.complaint = Some(why.text().into());
                Vec::new()
            }
        }
    }

    /// Who acts: the user that the plan's first cluster names, else `user@host`.
    pub(super) fn operator_of(&self, plan: &Plan) -> Operator {
        self.engine.operator_of(plan)
    }

    fn complain(&mut self, text: impl Into<Text>) {
        if let Some(prompt) = self.prompt_mut() {
            prompt.complaint = Some(text.into());
        }
    }

    /// Pasted text: welcome in a reason, never an answer.
    pub(super) fn paste_in_prompt(&mut self, text: &str) {
        let Some(prompt) = self.prompt_mut() else { return };
        if prompt.field == Field::Answer {
            prompt.answer.reset();
            prompt.complaint = Some("pasted text does not confirm: type it by hand".into());
            return;
        }
        let line = text.split(['\n', '\r']).map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ");
        for c in safe(&line, LONGEST_REASON).chars() {
            if prompt.reason.value().len() < LONGEST_REASON {
                prompt.reason.handle(InputRequest::InsertChar(c));
            }
        }
    }
}

impl Field {
    fn other(self) -> Self {
        match self {
            Field::Reason => Field::Answer,
            Field::Answer => Field::Reason,
        }
    }
}

/// What the prompt asks for, as a sentence.
pub fn asks(challenge: &Challenge) -> String {
    match &challenge.answer {
        Asked::Key => "press y to go, Esc to leave".to_owned(),
        Asked::Typed(text) => format!("type {text} to go, Esc to leave"),
    }
}

/// Edits a field as shells do.
pub fn edit(input: &mut Input, key: Key) {
    let request = match (key.code, key.ctrl) {
        (Code::Char('u'), true) => InputRequest::DeleteFromStart,
        (Code::Char('k'), true) => InputRequest::DeleteTillEnd,
        (Code::Char('w'), true) => InputRequest::DeletePrevWord,
        (Code::Char('a'), true) | (Code::Home, _) => InputRequest::GoToStart,
        (Code::Char('e'), true) | (Code::End, _) => InputRequest::GoToEnd,
        (Code::Backspace, _) => InputRequest::DeletePrevChar,
        (Code::Delete, _) => InputRequest::DeleteNextChar,
        (Code::Left, _) => InputRequest::GoToPrevChar,
        (Code::Right, _) => InputRequest::GoToNextChar,
        _ => match key.typed().filter(|c| !crate::domain::text::is_hostile(*c)) {
            Some(c) => InputRequest::InsertChar(c),
            None => return,
        },
    };
    input.handle(request);
}
