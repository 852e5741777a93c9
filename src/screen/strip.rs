//! Operations on their way, one line each, above the keys.

use ratatui::layout::Rect;

use crate::app::App;
use crate::engine::operation::{Operation, Outcome, StepState};
use crate::look::{Canvas, Line, Role};
use crate::panes::journal::{operation_line, step_line};

/// Draws the strip.
pub fn draw(app: &App, canvas: &mut Canvas<'_>, area: Rect, operations: &[&Operation]) {
    for (y, operation) in (area.top()..area.bottom()).zip(operations) {
        let scene = app.scene();
        let mut line = Line::of(Role::Accent, " ▸ ").join(operation_line(&scene, operation));
        // The step that matters: the worst that ended, else the one under way.
        let bad = |s: &&StepState| matches!(s, StepState::Ended(o, _) if *o > Outcome::Settled);
        let moving = |s: &&StepState| !matches!(s, StepState::Pending | StepState::Ended(..));
        let find = |wanted: &dyn Fn(&&StepState) -> bool| operation.steps.iter().position(|s| wanted(&s));
        if operation.open()
            && let Some(at) = find(&bad).or_else(|| find(&moving))
            && let (Some(step), Some(state)) = (operation.plan.steps.get(at), operation.steps.get(at))
        {
            let done = operation.steps.iter().filter(|s| matches!(s, StepState::Ended(..))).count();
            let count = format!("   {done}/{} · {} ", operation.steps.len(), scene.region_name(step.region));
            line = line.add(Role::Dim, count).join(step_line(state));
        }
        canvas.line(area.x, y, area.width, &line);
    }
}
