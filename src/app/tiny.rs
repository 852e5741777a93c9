//! A terminal too small for a board: nothing is done that nobody can see, but a stop.

use super::modal::{Asking, Modal};
use super::{App, AppEffect};
use crate::input::keymap::Match;
use crate::input::{Command, Key};
use crate::panes::layout::LEAST;

impl App {
    /// Whether the terminal shows no more than the top line.
    pub fn is_tiny(&self) -> bool {
        let (columns, rows) = self.setup.size;
        columns < LEAST.0 || rows < LEAST.1
    }

    /// The question that is shown all the same: whether to leave.
    pub fn asks_to_quit(&self) -> bool {
        matches!(self.modals.last(), Some(Modal::Ask(ask)) if ask.what == Asking::Quit)
    }

    /// A key while nothing can be shown: it stops everything, leaves, or does nothing.
    pub(super) fn tiny_key(&mut self, key: Key) -> Vec<AppEffect> {
        if key == Key::ctrl('z') {
            return vec![AppEffect::Suspend];
        }
        match self.setup.keymap.find(&[key]) {
            Match::Command(Command::HoldAll) => self.hold_all(),
            Match::Command(Command::Quit | Command::QuitNow) => self.quit(key),
            Match::Command(command) if command.danger() != crate::input::command::Danger::None => {
                self.say(format!("`{key}` does nothing here: nobody could see what it does"), true);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}
