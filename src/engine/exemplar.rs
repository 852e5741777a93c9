//! The trace of a breach: one question, asked only when a person looks at the evidence of a breach.

use super::Engine;
use super::effect::Effect;
use super::sampling;
use crate::domain::exemplar::{Exemplar, Sought};
use crate::domain::id::{ColumnName, Place, RegionIx, ServiceIx};
use crate::domain::metric::NoData;
use crate::domain::picture::Picture;
use crate::domain::question::Span;
use crate::domain::stamp::{Timestamp, WINDOW};

impl Engine {
    /// A person looks at a cell of the board (row, gate): where windows are outside their bounds,
    /// asks for an exemplar of the worst of them. What was asked and not failed is not asked again.
    pub fn seek_exemplar(&mut self, service: ServiceIx, cell: (usize, usize)) -> Vec<Effect> {
        let Some((place, column, end)) = self.worst(service, cell) else { return Vec::new() };
        let failed = |s: &Sought| matches!(s.answer, Some(Err(_)));
        if self.sought.as_ref().is_some_and(|s| (s.place, &s.column, s.end) == (place, &column, end) && !failed(s)) {
            return Vec::new();
        }
        let span = Span::Exemplars { first: end.saturating_sub(WINDOW).unwrap_or(end), last: end };
        let state = self.services.get(service.at());
        let question = state.and_then(|s| sampling::question_about(self.world(), service, s, (&column, place.1), span));
        let answer = if question.is_some() { None } else { Some(Err(NoData::NotConfigured)) };
        self.sought = Some(Sought { place, column, end, answer });
        question.into_iter().map(|q| Effect::Ask(Box::new(q))).collect()
    }

    /// The exemplar that was asked for about a cell's region and column, if any.
    pub fn exemplar(&self, service: ServiceIx, cell: (usize, usize)) -> Option<&Sought> {
        let sought = self.sought.as_ref()?;
        let (place, column, _) = self.worst(service, cell)?;
        (sought.place == place && sought.column == column).then_some(sought)
    }

    /// Region, column and end of the worst window of a cell.
    fn worst(&self, service: ServiceIx, cell: (usize, usize)) -> Option<(Place, ColumnName, Timestamp)> {
        let question = self.services.get(service.at())?.view.question.as_ref()?;
        let region = question.rows.get(cell.0)?.region?;
        let Some(Picture::Series(series)) = self.picture(service, cell) else { return None };
        let end = series.worst_outside()?.end;
        Some(((service, region), series.column, end))
    }

    /// An answer; one to a question that was overtaken is dropped.
    pub(super) fn take_exemplars(
        &mut self,
        service: ServiceIx,
        column: &ColumnName,
        last: Timestamp,
        found: Vec<(RegionIx, Result<Option<Exemplar>, NoData>)>,
    ) {
        let Some(sought) = self.sought.as_mut().filter(|s| s.place.0 == service && s.column == *column) else { return };
        if let Some((_, answer)) = found.into_iter().find(|(region, _)| sought.place.1 == *region)
            && sought.end == last
        {
            sought.answer = Some(answer);
            self.revision.shown += 1;
        }
    }
}
