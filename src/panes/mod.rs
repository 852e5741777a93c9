//! The panes: one file each, with its state (plain data), its commands and its drawing.
//!
//! A pane sees the world through [`Scene`](crate::panes::Scene) and knows neither the app nor other panes.

pub mod approvals;
pub mod axis;
pub mod charts;
mod delivery;
pub mod detail;
pub mod events;
pub mod evidence;
pub mod fleet;
pub mod journal;
pub mod layout;
pub mod log;
pub mod policy;
pub mod regions;
pub mod scene;
pub mod timeline;
pub mod verdicts;

pub use scene::{Picks, Scene};

/// A pane of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pane {
    /// Rings over time.
    Timeline,
    /// The go/no-go board.
    Verdicts,
    /// The region table.
    Regions,
    /// Charts of the focused region.
    Charts,
    /// Operations and record facts.
    Journal,
    /// Events and what was seen happen.
    Events,
    /// This program's log.
    Log,
    /// One region in detail.
    Detail,
    /// Services × rings.
    Fleet,
}

/// State of every pane.
#[derive(Debug, Default)]
pub struct Panes {
    /// Of the timeline.
    pub timeline: timeline::State,
    /// Of the go/no-go board.
    pub verdicts: verdicts::State,
    /// Of the journal.
    pub journal: journal::State,
    /// Of events.
    pub events: events::State,
    /// Of the detail pane.
    pub detail: detail::State,
    /// Of the fleet board.
    pub fleet: fleet::State,
    /// Of the log.
    pub log: log::State,
}
