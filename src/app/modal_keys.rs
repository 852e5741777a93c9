//! The keys that work over the board: what the bottom line offers while something lies over it.

use super::modal::{Asking, Modal};
use super::prompt::{Field, Prompt};
use super::{App, Unfinished};
use crate::domain::challenge::Asked;
use crate::engine::operation::ProposalState;
use crate::input::Command;

/// A key with what it does here.
pub type Offer = (String, &'static str);

fn offer(key: &str, does: &'static str) -> Offer {
    (key.to_owned(), does)
}

impl App {
    /// Keys of what lies on top, the most wanted first; none: the board has the keys.
    pub fn modal_offers(&self) -> Option<Vec<Offer>> {
        let mut offers = match self.modals.last()? {
            Modal::Prompt(prompt) => self.prompt_offers(prompt),
            Modal::Palette(_) => vec![offer("Enter", "do it"), offer("↑↓", "choose"), offer("Esc", "leave")],
            Modal::Ask(ask) => {
                let yes = match ask.what {
                    Asking::Quit => "quit",
                    Asking::Watch => "become a watch screen",
                };
                vec![offer("y", yes), offer("Esc", "no")]
            }
            Modal::Unfinished(unfinished) => self.unfinished_offers(unfinished),
            Modal::Evidence { .. } => {
                let mut offers =
                    vec![offer("←↑↓→", "neighbouring cells"), offer("PgDn", "more"), offer("Esc", "close")];
                if self.has_trace()
                    && let Some(key) = self.setup.keymap.key(Command::Copy)
                {
                    offers.insert(0, (key, "copy the trace"));
                }
                offers
            }
            Modal::Approvals { .. } => {
                vec![offer("Enter", "approve"), offer("r", "revoke"), offer("↑↓", "choose"), offer("Esc", "close")]
            }
            Modal::Help { .. } | Modal::Explain { .. } | Modal::Policy { .. } | Modal::Runbook { .. } => {
                vec![offer("↑↓", "scroll"), offer("PgDn", "further"), offer("Esc", "close")]
            }
            Modal::Took(_) => match self.setup.keymap.key(Command::Undo) {
                Some(key) => vec![offer("Esc", "close"), (key, "undo")],
                None => vec![offer("Esc", "close")],
            },
        };
        if !self.types_text()
            && self.cannot_write().is_none()
            && let Some(key) = self.setup.keymap.key(Command::HoldAll)
        {
            offers.push((key, "hold all"));
        }
        Some(offers)
    }

    fn prompt_offers(&self, prompt: &Prompt) -> Vec<Offer> {
        let state = self.engine.proposal.as_ref().map(|p| &p.state);
        let Some(ProposalState::Ready { challenge, .. }) = state else {
            return vec![offer("Esc", "leave")];
        };
        let mut offers = match (&challenge.answer, prompt.field) {
            (_, Field::Reason) => vec![offer("Tab", "to the answer")],
            (Asked::Key, Field::Answer) => vec![offer("y", "do it"), offer("n", "leave")],
            (Asked::Typed(_), Field::Answer) => vec![offer("letters", "type what is asked")],
        };
        if prompt.field == Field::Answer {
            offers.push(offer("Tab", "reason"));
        }
        offers.push(offer("Esc", "leave"));
        if super::prompt_text::most_scroll(self, prompt, self.setup.size) > 0 {
            offers.push(offer("PgDn", "read on"));
        }
        offers.push(offer("ctrl-y", "copy kubectl"));
        offers
    }

    fn unfinished_offers(&self, unfinished: &Unfinished) -> Vec<Offer> {
        let mut offers = Vec::new();
        if self.cannot_write().is_none() {
            if unfinished.intent.is_some() {
                offers.push(offer("T", "propose again"));
            }
            offers.push(offer("C", "close it"));
        }
        offers.push(offer("Esc", "later"));
        offers
    }
}
