//! What comes in to the app, and what goes out.

use crossterm::event::{Event, MouseButton, MouseEventKind};

use crate::domain::id::Text;
use crate::domain::intent::Intent;
use crate::domain::plan::PlanId;
use crate::engine::effect::{Effect, Msg};
use crate::engine::left::LeftFacts;
use crate::input::Key;

/// A message for the app.
#[derive(Debug)]
pub enum AppMsg {
    /// For the engine.
    Engine(Msg),
    /// A key.
    Key(Key),
    /// Pasted text: data, never keys.
    Paste(String),
    /// The mouse.
    Mouse(Mouse),
    /// The terminal has another size.
    Resize {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// The terminal has, or has lost, the focus.
    Focus(bool),
    /// What became of closing what an earlier console left open.
    LeftClosed {
        /// The plan.
        plan: Text,
        /// Why it is not closed.
        result: Result<(), Text>,
    },
    /// Something to say: a screen was saved, a theme is bad.
    Notice {
        /// The sentence.
        text: Text,
        /// It is a failure.
        bad: bool,
    },
}

/// Something done with the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What.
    pub kind: MouseKind,
    /// Column, from 0.
    pub x: u16,
    /// Row, from 0.
    pub y: u16,
}

/// What was done with the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MouseKind {
    /// Left button.
    Click,
    /// Wheel away.
    WheelUp,
    /// Wheel towards.
    WheelDown,
}

impl AppMsg {
    /// From a terminal's event; what means nothing here is none.
    pub fn from_terminal(event: Event) -> Option<Self> {
        match event {
            Event::Key(key) => Key::from_terminal(key).map(AppMsg::Key),
            Event::Paste(text) => Some(AppMsg::Paste(text)),
            Event::Resize(columns, rows) => Some(AppMsg::Resize { columns, rows }),
            Event::FocusGained => Some(AppMsg::Focus(true)),
            Event::FocusLost => Some(AppMsg::Focus(false)),
            Event::Mouse(mouse) => {
                let kind = match mouse.kind {
                    MouseEventKind::Down(MouseButton::Left) => MouseKind::Click,
                    MouseEventKind::ScrollUp => MouseKind::WheelUp,
                    MouseEventKind::ScrollDown => MouseKind::WheelDown,
                    _ => return None,
                };
                Some(AppMsg::Mouse(Mouse { kind, x: mouse.column, y: mouse.row }))
            }
        }
    }
}

/// Something for the shell to do.
#[derive(Debug)]
pub enum AppEffect {
    /// What the engine wants.
    Engine(Effect),
    /// Leave.
    Quit,
    /// Back to the shell for a while (SIGTSTP), the terminal restored.
    Suspend,
    /// Write the screen to a file, and say where with [`AppMsg::Notice`].
    SaveScreen,
    /// To the terminal's clipboard (OSC 52); already made visible, bounded.
    Copy(Text),
    /// Draw every cell anew.
    Redraw,
    /// Drop whatever can write: from here on this is a watch screen.
    BecomeWatch,
    /// Use the next theme.
    NextTheme,
    /// Close in the journal what an earlier console left open; [`AppMsg::LeftClosed`] answers.
    CloseLeft {
        /// The plan.
        plan: Text,
        /// The plan that goes on with it; none: a person looked, and that is all.
        goes_on: Option<PlanId>,
    },
}

/// An operation that an earlier process left open.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// Its plan, as the journal names it.
    pub plan: Text,
    /// One line, e.g. `promote ring-2 to v2.1.0`.
    pub title: Text,
    /// Who and when.
    pub started: Text,
    /// How far each step came, in one line.
    pub steps: Vec<(Came, Text)>,
    /// What to propose to go on; none: it can only be looked at.
    pub intent: Option<Intent>,
    /// The facts of steps that had not ended, by place.
    pub facts: LeftFacts,
}

/// How far a step came that an earlier process left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// The expected state was seen.
    Settled,
    /// It ended otherwise.
    Ended,
    /// Something may have been sent; what came of it was not noted.
    Unknown,
    /// Nothing was sent.
    NotStarted,
}
