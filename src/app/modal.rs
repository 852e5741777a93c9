//! What lies over the board: prompts, popups, questions. The last one gets the keys.

use super::Unfinished;
use super::prompt::Prompt;
use crate::domain::plan::PlanId;
use crate::domain::stamp::Stamp;
use crate::input::command::{COMMANDS, Command};
use crate::input::{Key, Keymap};
use crate::panes::scene::Matcher;

/// Something over the board.
#[derive(Debug)]
pub enum Modal {
    /// A plan under review.
    Prompt(Box<Prompt>),
    /// What became of a hold of everything, region by region.
    Took(PlanId),
    /// Keys and glossary.
    Help {
        /// First line shown.
        scroll: usize,
    },
    /// Commands by name.
    Palette(Palette),
    /// Why the release may not go on.
    Explain {
        /// First line shown.
        scroll: usize,
    },
    /// The policy in force here, and whose is another.
    Policy {
        /// First line shown.
        scroll: usize,
    },
    /// What one cell of the go/no-go board rests on.
    Evidence {
        /// Row of the board.
        row: usize,
        /// Gate of the board.
        gate: usize,
        /// First line shown.
        scroll: usize,
    },
    /// What waits for an approval.
    Approvals {
        /// The entry under the cursor.
        selected: usize,
    },
    /// The runbook.
    Runbook {
        /// First line shown.
        scroll: usize,
    },
    /// An operation that an earlier process left open.
    Unfinished(Box<Unfinished>),
    /// A question that `y` answers.
    Ask(Ask),
}

/// A question that `y` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What is asked.
    pub what: Asking,
    /// When.
    pub opened: Stamp,
    /// The key that asked; it does not answer.
    pub opened_by: Option<Key>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// Leave while an operation is open.
    Quit,
    /// Become a watch screen.
    Watch,
}

/// Commands by name.
#[derive(Clone, Debug, Default)]
pub struct Palette {
    /// What was typed.
    pub input: tui_input::Input,
    /// The entry under the cursor.
    pub selected: usize,
}

/// An entry of the palette.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The command.
    pub command: Command,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub sentence: &'static str,
    /// Its keys.
    pub keys: String,
}

impl Palette {
    /// Entries that match, best first.
    pub fn entries(&self, keymap: &Keymap) -> Vec<Entry> {
        let entry = |about: &crate::input::command::About| Entry {
            command: about.command,
            name: about.name,
            sentence: about.sentence,
            keys: keymap.keys(about.command).join(" "),
        };
        let shown = COMMANDS.iter().filter(|a| !matches!(a.command, Command::Palette));
        // `promote ring-0 v2.2.0`: what follows the name is its argument.
        let name = self.input.value().split_whitespace().next().unwrap_or_default();
        if let Some(exact) = COMMANDS.iter().find(|a| a.name == name) {
            return vec![entry(exact)];
        }
        if self.input.value().trim().is_empty() {
            return shown.map(entry).collect();
        }
        let mut matcher = Matcher::new(self.input.value());
        let score = |about: &'static crate::input::command::About| {
            let by_name = matcher.score(about.name).map(|s| s + 1_000);
            by_name.or_else(|| matcher.score(about.sentence)).map(|s| (s, about))
        };
        let mut scored: Vec<_> = shown.filter_map(score).collect();
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        scored.into_iter().map(|(_, about)| entry(about)).collect()
    }

    /// Words after the command's name.
    pub fn arguments(&self) -> Vec<String> {
        self.input.value().split_whitespace().skip(1).map(str::to_owned).collect()
    }
}
