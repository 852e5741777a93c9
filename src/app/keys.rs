//! A key goes to the filter, to the topmost modal, or through the keymap.

use std::time::Duration;

use super::hold_all::CROWDED;
use super::modal::{Ask, Asking, Modal, Palette};
use super::prompt::{BURST, QUIET, edit};
use super::{App, AppEffect, Mode, STILL, Unfinished};
use crate::domain::id::Text;
use crate::domain::intent::{Intent, Target, Verb};
use crate::domain::stamp::Stamp;
use crate::domain::text::safe;
use crate::input::command::Danger;
use crate::input::key::Code;
use crate::input::keymap::Match;
use crate::input::{Command, Key};
use crate::panes::approvals;

impl App {
    /// One key.
    pub(super) fn press(&mut self, key: Key, read: Stamp) -> Vec<AppEffect> {
        let gap = self.last_key.map_or(Duration::MAX, |at| read.since(at));
        // A paste that the terminal does not bracket comes as keys that nobody types so fast. A `!`
        // that is held down, or hit again and again, is one that a slow line delivers at once.
        let holds = self.is_hold_all(key);
        let again = holds && self.key_before == Some(key) && !self.crowded;
        self.crowded = gap < BURST && !again;
        let disarmed = self.crowded && self.armed.take().is_some();
        (self.last_key, self.key_at) = (Some(read), read);
        self.unchosen = false;
        // What was said was read, or is said again; but nobody reads between the bytes of a paste.
        if !self.crowded {
            self.notice = None;
        }
        // Keys of the burst that closed a question are not for the board behind it: a `y` that is held
        // down says yes once. What stops or leaves gets through.
        self.echoes &= gap < QUIET;
        let effects = if self.echoes && !holds && (key.typed().is_some() || key.code == Code::Enter) {
            Vec::new()
        } else {
            let asked = self.asks();
            let effects = self.take_key(key, gap);
            self.echoes |= asked && !self.asks() && key.code != Code::Esc;
            effects
        };
        self.key_before = Some(key);
        if matches!(key.code, Code::Char('0'..='9')) {
            self.last_digit = Some(read);
        }
        if disarmed {
            self.say(CROWDED, true);
        }
        effects
    }

    pub(super) fn take_key(&mut self, key: Key, gap: Duration) -> Vec<AppEffect> {
        if self.is_tiny() && !self.asks_to_quit() {
            return self.tiny_key(key);
        }
        if self.filtering {
            self.type_filter(key);
            self.say_if_hold_all(key);
            return Vec::new();
        }
        if self.modals.is_empty() {
            return self.map_key(key);
        }
        if key == Key::ctrl('z') {
            return vec![AppEffect::Suspend];
        }
        // Whatever lies over the board, a stop gets through; only what is typed is text.
        if self.is_hold_all(key) && !self.types_text() {
            return self.hold_all();
        }
        let typed = self.types_text();
        let effects = self.modal_key(key, gap);
        if typed {
            self.say_if_hold_all(key);
        }
        self.keep_row_in_view();
        effects
    }

    /// A plan lies over the board that a key confirms.
    fn asks(&self) -> bool {
        matches!(self.modals.last(), Some(Modal::Prompt(_)))
    }

    fn is_hold_all(&self, key: Key) -> bool {
        self.setup.keymap.find(&[key]) == Match::Command(Command::HoldAll)
    }

    /// The topmost modal takes characters as text.
    pub(super) fn types_text(&self) -> bool {
        match self.modals.last() {
            Some(Modal::Palette(_)) => true,
            Some(Modal::Prompt(prompt)) => self.types_in(prompt),
            _ => false,
        }
    }

    /// A key that would stop everything was taken as text: says how to stop everything.
    fn say_if_hold_all(&mut self, key: Key) {
        if self.is_hold_all(key) && key.typed().is_some() {
            self.say(format!("`{key}` is text here: Esc, then {key} holds every region"), true);
        }
    }

    fn map_key(&mut self, key: Key) -> Vec<AppEffect> {
        let mut typed: Vec<Key> =
            self.pending.take().filter(|(_, at)| self.now.since(*at) <= STILL).map(|(k, _)| k).into_iter().collect();
        typed.push(key);
        match self.setup.keymap.find(&typed) {
            Match::Command(command) => self.command(command, Some(key)),
            Match::Prefix => {
                self.pending = Some((key, self.now));
                Vec::new()
            }
            Match::Nothing if typed.len() > 1 => self.map_key(key),
            Match::Nothing => {
                let help = self.setup.keymap.key(Command::Help).unwrap_or_default();
                self.say(format!("`{key}` is not bound; {help} shows the keys"), false);
                Vec::new()
            }
        }
    }

    fn modal_key(&mut self, key: Key, gap: Duration) -> Vec<AppEffect> {
        let Some(modal) = self.modals.last_mut() else { return Vec::new() };
        match modal {
            Modal::Prompt(_) => return self.prompt_key(key, gap),
            Modal::Palette(_) => return self.palette_key(key),
            Modal::Ask(ask) => {
                let ask = *ask;
                return self.ask_key(ask, key, gap);
            }
            Modal::Unfinished(unfinished) => {
                let unfinished = Unfinished::clone(unfinished);
                return self.unfinished_key(key, unfinished);
            }
            Modal::Help { scroll }
            | Modal::Explain { scroll }
            | Modal::Policy { scroll }
            | Modal::Evidence { scroll, .. }
            | Modal::Runbook { scroll } => {
                if let Some(step) = scrolls(key) {
                    // The end of the text is known to the drawing, which stops there.
                    *scroll = scroll.saturating_add_signed(step).min(10_000);
                    return Vec::new();
                }
            }
            Modal::Approvals { .. } => {
                if let Some(effects) = self.approvals_key(key) {
                    return effects;
                }
            }
            Modal::Took(_) => {}
        }
        let command = match self.setup.keymap.find(&[key]) {
            Match::Command(command) => Some(command),
            _ => None,
        };
        match (key.code, command) {
            (Code::Esc | Code::Enter, _) | (_, Some(Command::Quit | Command::Back)) => {
                self.modals.pop();
                Vec::new()
            }
            (_, Some(Command::QuitNow)) => self.quit(key),
            (_, Some(command @ (Command::Left | Command::Right | Command::Up | Command::Down))) => {
                self.move_evidence(command)
            }
            (_, Some(command @ (Command::Copy | Command::Save | Command::Redraw))) => self.command(command, Some(key)),
            // A capital pressed over a popup is for the board behind it.
            (_, Some(command)) if command.danger() != Danger::None => {
                self.modals.pop();
                self.command(command, Some(key))
            }
            _ => Vec::new(),
        }
    }

    /// A key of the approvals inbox; none: it is for what every popup does.
    fn approvals_key(&mut self, key: Key) -> Option<Vec<AppEffect>> {
        let entries = approvals::waiting(&self.engine);
        let Some(Modal::Approvals { selected }) = self.modals.last_mut() else { return None };
        *selected = (*selected).min(entries.len().saturating_sub(1));
        let at = *selected;
        let verb = match (key.code, key.ctrl) {
            (Code::Up | Code::Char('k'), false) => {
                *selected = at.saturating_sub(1);
                return Some(Vec::new());
            }
            (Code::Down | Code::Char('j'), false) => {
                *selected = (at + 1).min(entries.len().saturating_sub(1));
                return Some(Vec::new());
            }
            (Code::Enter | Code::Char('A'), false) => Verb::Approve { to: None },
            (Code::Char('r'), false) => Verb::Revoke { approval: None },
            _ => return None,
        };
        let entry = entries.get(at)?;
        self.modals.pop();
        let rule = format!("acts on the entry of the inbox: {}", entry.title).into();
        let intent = Intent { service: entry.service, verb, target: Target::Ring(entry.ring), reason: None };
        Some(self.review(intent, rule, Some(key)))
    }

    fn palette_key(&mut self, key: Key) -> Vec<AppEffect> {
        let keymap = self.setup.keymap.clone();
        let Some(Modal::Palette(palette)) = self.modals.last_mut() else { return Vec::new() };
        let many = palette.entries(&keymap).len();
        match (key.code, key.ctrl) {
            (Code::Esc, _) | (Code::Char('c'), true) => drop(self.modals.pop()),
            (Code::Up, _) | (Code::Char('p'), true) => palette.selected = palette.selected.saturating_sub(1),
            (Code::Down, _) | (Code::Char('n'), true) => {
                palette.selected = (palette.selected + 1).min(many.saturating_sub(1));
            }
            (Code::Enter, _) => {
                let entry = palette.entries(&keymap).get(palette.selected).map(|e| e.command);
                let words = palette.arguments();
                self.modals.pop();
                return match entry {
                    Some(command) => self.command_with(command, &words, Some(key)),
                    None => {
                        self.say("no command matches", false);
                        Vec::new()
                    }
                };
            }
            _ => {
                edit(&mut palette.input, key);
                palette.selected = 0;
            }
        }
        Vec::new()
    }

    fn ask_key(&mut self, ask: Ask, key: Key, gap: Duration) -> Vec<AppEffect> {
        let again = key == Key::ctrl('c') && ask.what == Asking::Quit && gap >= QUIET;
        let yes = key == Key::char('y') && ask.opened_by != Some(key) && gap >= QUIET;
        match (yes || again, ask.what) {
            (true, Asking::Quit) => return vec![AppEffect::Quit],
            (true, Asking::Watch) => {
                self.modals.clear();
                self.leave_prompt();
                self.picks.marks.clear();
                self.setup.mode = Mode::Watch { rotate: None };
                self.turned = self.now;
                return vec![AppEffect::BecomeWatch];
            }
            _ if key == Key::char('y') => self.say("too soon after another key: wait a moment, then press y", false),
            _ if matches!(key.code, Code::Esc | Code::Char('n' | 'q')) || key == Key::ctrl('c') => {
                self.modals.pop();
            }
            _ => {}
        }
        Vec::new()
    }

    fn unfinished_key(&mut self, key: Key, unfinished: Unfinished) -> Vec<AppEffect> {
        match key.code {
            Code::Esc | Code::Char('q') => drop(self.modals.pop()),
            Code::Char('c') if key.ctrl => return vec![AppEffect::Quit],
            Code::Char('T' | 'C') if self.cannot_write().is_some() => {
                let why = self.cannot_write().unwrap_or_default();
                self.say(why, true);
            }
            Code::Char('T') => match unfinished.intent {
                Some(intent) => {
                    self.modals.pop();
                    self.engine.take_over(unfinished.facts);
                    return self.review_left(intent, unfinished.plan, Some(key));
                }
                None => self.say("what it acted on is not in this configuration: it can only be closed", true),
            },
            Code::Char('C') => {
                self.engine.take_over(unfinished.facts);
                self.say("being closed in the journal…", false);
                return vec![AppEffect::CloseLeft { plan: unfinished.plan, goes_on: None }];
            }
            _ => self.say(format!("`{key}` does nothing here: T, C or Esc"), false),
        }
        Vec::new()
    }

    /// What an earlier console left open was closed in the journal, or could not be.
    pub(super) fn left_closed(&mut self, plan: &Text, result: Result<(), Text>) {
        if let Err(why) = result {
            return self.say(format!("not closed: {why}"), true);
        }
        let other = |u: &Unfinished| u.plan != *plan;
        self.setup.unfinished.retain(other);
        self.modals.retain(|m| !matches!(m, Modal::Unfinished(u) if !other(u)));
        if !self.engine.operations.iter().any(crate::engine::operation::Operation::open) {
            self.say("closed in the journal; the clusters are as they are", false);
        }
    }

    /// Shows again what earlier consoles left open.
    pub(super) fn show_left(&mut self) {
        let left = self.setup.unfinished.iter().rev().cloned();
        self.modals.extend(left.map(|u| Modal::Unfinished(Box::new(u))));
    }

    fn type_filter(&mut self, key: Key) {
        match (key.code, key.ctrl) {
            (Code::Esc, _) | (Code::Char('c'), true) => {
                self.picks.filter.clear();
                self.filtering = false;
            }
            (Code::Enter, _) => self.filtering = false,
            (Code::Backspace, _) => drop(self.picks.filter.pop()),
            (Code::Char('u'), true) => self.picks.filter.clear(),
            _ => {
                if let Some(c) = key.typed().filter(|_| self.picks.filter.len() < 80) {
                    self.picks.filter.push(c);
                }
            }
        }
        self.keep_row_in_view();
    }

    /// Pasted text is data, never keys.
    pub(super) fn paste(&mut self, text: &str) {
        let line = safe(text.lines().next().unwrap_or_default(), 80);
        if self.filtering {
            self.picks.filter.push_str(&line);
            return self.keep_row_in_view();
        }
        match self.modals.last_mut() {
            Some(Modal::Prompt(_)) => self.paste_in_prompt(text),
            Some(Modal::Palette(palette)) => {
                for c in line.chars() {
                    palette.input.handle(tui_input::InputRequest::InsertChar(c));
                }
            }
            _ if self.armed.take().is_some() || text.contains('!') => {
                self.say("pasted text is not taken for keys: nothing was held", true);
            }
            _ => self.say("pasted text is not taken for keys", false),
        }
    }

    /// Asks first when an operation is open.
    pub(super) fn quit(&mut self, key: Key) -> Vec<AppEffect> {
        if self.engine.operations.iter().any(crate::engine::operation::Operation::open) {
            self.modals.retain(|m| !matches!(m, Modal::Ask(_)));
            self.modals.push(Modal::Ask(Ask { what: Asking::Quit, opened: self.now, opened_by: Some(key) }));
            return Vec::new();
        }
        vec![AppEffect::Quit]
    }

    /// Opens the palette.
    pub(super) fn open_palette(&mut self) {
        self.modals.push(Modal::Palette(Palette::default()));
    }
}

/// How far a key scrolls a text.
fn scrolls(key: Key) -> Option<isize> {
    Some(match (key.code, key.ctrl) {
        (Code::Up | Code::Char('k'), false) => -1,
        (Code::Down | Code::Char('j'), false) => 1,
        (Code::PageUp, _) | (Code::Char('u' | 'b'), true) => -10,
        (Code::PageDown, _) | (Code::Char('d' | 'f'), true) => 10,
        (Code::Home | Code::Char('g'), false) => -10_000,
        (Code::End | Code::Char('G'), false) => 10_000,
        _ => return None,
    })
}
