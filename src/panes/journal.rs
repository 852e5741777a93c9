//! The journal: operations of this console and the facts of the record, newest first.

use ratatui::layout::Rect;

use super::scene::{Scene, utc_minute};
use crate::domain::record::{Body, Fact};
use crate::domain::stamp::{Timestamp, short};
use crate::engine::operation::{Operation, StepState};
use crate::input::Command;
use crate::look::glyph::Sign;
use crate::look::{Canvas, Line, Role, scroll};

/// How far it is scrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    scroll: usize,
}

impl State {
    /// A movement.
    pub fn on(&mut self, command: Command, scene: &Scene<'_>) {
        let last = lines(scene, true).len().saturating_sub(1);
        self.scroll = scrolled(self.scroll, command, last);
    }
}

/// Where a movement leads in a text whose last line is `last`.
pub fn scrolled(at: usize, command: Command, last: usize) -> usize {
    match command {
        Command::Up => at.saturating_sub(1),
        Command::Down => (at + 1).min(last),
        Command::PageUp => at.saturating_sub(10),
        Command::PageDown => (at + 10).min(last),
        Command::Top => 0,
        Command::Bottom => last,
        _ => at,
    }
}

/// Draws the newest entries; with steps where there is room.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State, scene: &Scene<'_>, full: bool) {
    let lines = lines(scene, full);
    if lines.is_empty() {
        canvas.put(
            area.x + 1,
            area.y,
            area.width.saturating_sub(1),
            Role::Dim,
            "nothing was done yet, as far as the record tells",
        );
        return;
    }
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
    scroll::lines(canvas, area, &lines, if full { state.scroll } else { 0 });
}

fn lines(scene: &Scene<'_>, full: bool) -> Vec<Line> {
    let mut entries: Vec<(Timestamp, Vec<Line>)> = Vec::new();
    for operation in scene.engine.operations.iter().filter(|o| o.plan.service == scene.at()) {
        entries.push((operation.started.wall, operation_lines(scene, operation, full)));
    }
    // What this console did itself stands there as an operation, not once more as facts.
    let own: Vec<_> = scene.engine.operations.iter().flat_map(|o| &o.plan.steps).flat_map(|s| &s.facts).collect();
    let own = |fact: &Fact| own.iter().any(|(_, facts)| facts.iter().any(|f| f.id == fact.id));
    let mut seen = std::collections::BTreeSet::new();
    if let Some(state) = scene.state() {
        for (at, record) in state.record.regions.iter().enumerate() {
            for fact in record.iter().flat_map(|r| r.facts.values()) {
                // A fleet fact is in every region, and is one entry.
                let counts = !own(fact) && (!fact.is_fleet_fact() || seen.insert(fact.id));
                if counts && let Some(line) = fact_line(scene.region_name(at.into()), fact) {
                    entries.push((fact.at, vec![line]));
                }
            }
        }
    }
    entries.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    entries.into_iter().flat_map(|(_, lines)| lines).collect()
}

fn operation_lines(scene: &Scene<'_>, operation: &Operation, full: bool) -> Vec<Line> {
    let mut lines = vec![operation_line(scene, operation)];
    if full {
        for (step, state) in operation.plan.steps.iter().zip(&operation.steps) {
            lines.push(
                Line::of(Role::Dim, format!("                {} ", scene.region_name(step.region)))
                    .join(step_line(state)),
            );
        }
        if let Some(reason) = &operation.reason {
            lines.push(Line::of(Role::Dim, format!("                reason: {reason}")));
        }
    }
    lines
}

/// `20 Nov 15:51  promote ring-1  settled 2m48s  oncall`
pub fn operation_line(scene: &Scene<'_>, operation: &Operation) -> Line {
    let line = Line::of(Role::Dim, format!("{:>12}  ", utc_minute(operation.started.wall)))
        .add(Role::Text, operation.plan.title.to_string());
    let took = |until: crate::domain::stamp::Stamp| short(until.wall.duration_since(operation.started.wall).abs());
    let line = match &operation.ended {
        Some((at, outcome, why)) => {
            let sign = Sign::of_outcome(*outcome);
            let line = line.add(sign.role(), format!("  {} {} {}", sign.glyph(), outcome.word(), took(*at)));
            let line = match outcome {
                crate::engine::operation::Outcome::Settled => line,
                _ => line.add(Role::Text, format!(": {why}")),
            };
            match &operation.remains {
                Some(remains) => line.add(Role::Held, format!("  {remains}")),
                None => line,
            }
        }
        None => line.add(Role::Wait, format!("  ◔ under way {}", took(scene.clock))),
    };
    let line = match &operation.unjournaled {
        Some(_) => line.add(Role::Alarm, " UNJOURNALED "),
        None => line,
    };
    line.add(Role::Dim, format!("  {}", operation.by))
}

/// The state of a step, with what is missing.
pub fn step_line(state: &StepState) -> Line {
    match state {
        StepState::Pending => Line::of(Role::Dim, "· not started"),
        StepState::Sending { .. } => Line::of(Role::Wait, "◔ sending"),
        StepState::Retrying { why, .. } => Line::of(Role::Wait, "◔ tried again: ").add(Role::Text, why.to_string()),
        StepState::Verifying { missing, lost: true, .. } => {
            Line::of(Role::Wait, "? no answer, being read: ").add(Role::Text, missing.to_string())
        }
        StepState::Verifying { missing, .. } => {
            Line::of(Role::Wait, "◔ accepted, ").add(Role::Text, missing.to_string())
        }
        StepState::Ended(outcome, why) => {
            let sign = Sign::of_outcome(*outcome);
            let line = Line::of(sign.role(), format!("{} {}", sign.glyph(), outcome.word()));
            if why.is_empty() { line } else { line.add(Role::Text, format!(": {why}")) }
        }
    }
}

fn fact_line(region: &str, fact: &Fact) -> Option<Line> {
    let said = fact.body.said(region)?;
    let sign = match &fact.body {
        Body::Hold { .. } | Body::Paused { .. } | Body::Halted { .. } => Sign::Held,
        Body::Quarantine { .. } | Body::Revoked { .. } | Body::BreakGlass { .. } => Sign::NoGo,
        Body::Promoted(_) => Sign::Promoted,
        Body::RolledBack(_) => Sign::RolledBack,
        Body::Drained { .. } => Sign::Drained,
        Body::Release { .. }
        | Body::Clearance { .. }
        | Body::Restored { .. }
        | Body::Unpaused { .. }
        | Body::Unhalted { .. } => Sign::Go,
        Body::Accepted { .. } => Sign::Watch,
        Body::Checked { done: true, .. } => Sign::Go,
        Body::Checked { .. } => Sign::Quiet,
        Body::Draining { .. } | Body::Drilled { .. } | Body::Note { .. } => Sign::Quiet,
    };
    let text = if said.why.is_empty() { said.what.to_string() } else { format!("{} “{}”", said.what, said.why) };
    Some(
        Line::of(Role::Dim, format!("{:>12}  ", utc_minute(fact.at)))
            .add(sign.role(), format!("{} ", sign.glyph()))
            .add(Role::Text, text)
            .add(Role::Dim, format!("  {}", fact.by)),
    )
}
