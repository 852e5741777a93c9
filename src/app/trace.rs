//! The trace of a breach, in the evidence popup: asked for when the popup shows it, and copied from there.

use super::modal::Modal;
use super::{App, AppEffect, wrap};
use crate::domain::exemplar::trace_url;
use crate::domain::text::{safe, visible};
use crate::domain::verdict::Verdict;
use crate::look::{Line, Role};
use crate::panes::scene::utc_minute;

/// Longest text for the clipboard, in bytes.
const MOST: usize = 4_000;

impl App {
    /// The cell whose evidence lies on top.
    fn evidence_cell(&self) -> Option<(usize, usize)> {
        match self.modals.last()? {
            Modal::Evidence { row, gate, .. } => Some((*row, *gate)),
            _ => None,
        }
    }

    /// Asks for an exemplar when windows of the cell whose evidence was opened are outside their bounds: also
    /// those that it only waits for now.
    pub(super) fn seek_trace(&mut self) -> Vec<AppEffect> {
        let Some((row, gate)) = self.evidence_cell() else { return Vec::new() };
        let service = self.scene().at();
        let question = self.engine.services.get(service.at()).and_then(|s| s.view.question.as_ref());
        let judged = question.and_then(|q| q.rows.get(row)?.cells.get(gate)?.as_ref());
        if judged.is_none_or(|j| j.verdict == Verdict::Go) {
            return Vec::new();
        }
        wrap(self.engine.seek_exemplar(service, (row, gate)))
    }

    /// The link of the trace that was found, or its id where no link can be made of it.
    fn trace_text(&self, cell: (usize, usize)) -> Option<String> {
        let found = self.engine.exemplar(self.scene().at(), cell)?.answer.as_ref()?.as_ref().ok()?.as_ref()?;
        let url = self.setup.trace_url.as_ref().and_then(|template| trace_url(template, &found.trace));
        Some(url.unwrap_or_else(|| found.trace.to_string()))
    }

    /// Evidence lies on top, and a trace of its breach was found.
    pub(super) fn has_trace(&self) -> bool {
        self.evidence_cell().is_some_and(|cell| self.trace_text(cell).is_some())
    }

    /// What the evidence popup says of the trace; none: nothing was asked for.
    pub fn trace_line(&self, cell: (usize, usize)) -> Option<Line> {
        let sought = self.engine.exemplar(self.scene().at(), cell)?;
        let worst = format!("the worst window, to {} UTC", utc_minute(sought.end));
        Some(match &sought.answer {
            None => Line::of(Role::Wait, "◔ ").add(Role::Dim, format!("looking for a trace of {worst}")),
            Some(Err(why)) => Line::of(Role::Dim, format!("no trace of {worst}: {}", visible(&why.to_string()))),
            Some(Ok(None)) => Line::of(Role::Dim, format!("no trace of {worst}: the query's series have no exemplar")),
            Some(Ok(Some(found))) => {
                let text = self.trace_text(cell).unwrap_or_default();
                let of = format!("  {} of {}, in {worst}", found.value, visible(&found.series));
                Line::of(Role::Accent, "trace ").add(Role::Text, visible(&text).into_owned()).add(Role::Dim, of)
            }
        })
    }

    /// Copies the trace of the evidence that lies on top; none: there is none.
    pub(super) fn copy_trace(&mut self) -> Option<Vec<AppEffect>> {
        let text = safe(&self.trace_text(self.evidence_cell()?)?, MOST);
        self.say(format!("copied: {text}"), false);
        Some(vec![AppEffect::Copy(text.into())])
    }
}
