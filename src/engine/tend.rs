//! What is kept up to date: views after a change, samples when they are due.

use super::Engine;
use super::effect::{Effect, MetricQuestion, Span};
use super::view::Question;
use crate::domain::id::{ColumnName, RegionIx, ServiceIx};
use crate::domain::intent::Intent;
use crate::domain::metric::Reading;
use crate::domain::stamp::{SignedDuration, Timestamp};

impl Engine {
    /// Services that are sampled and whose records are kept: shown, or under release.
    pub(super) fn sampled_services(&self) -> Vec<ServiceIx> {
        self.shown.into_iter().collect()
    }

    /// Every column of a shown service was answered, one way or the other.
    pub fn fully_sampled(&self, _service: ServiceIx) -> bool {
        true
    }

    /// Makes the views anew of services in which something changed.
    pub(super) fn refresh(&mut self) {
        self.services.iter_mut().for_each(|s| s.stale_view = false);
    }

    /// Time passes: what is shown of the service on the screen depends on it.
    pub(super) fn age_views(&mut self) {}

    /// Asks what is due.
    pub(super) fn sample(&mut self, _effects: &mut Vec<Effect>) {}

    /// The board's answer for the ring that a promotion would change.
    pub(super) fn question_for(&self, _intent: &Intent) -> Option<Question> {
        None
    }

    /// The traffic column over a span, for every region of a service.
    pub(super) fn traffic_questions(&self, _service: ServiceIx, _span: Span) -> Vec<MetricQuestion> {
        Vec::new()
    }

    pub(super) fn take_samples(
        &mut self,
        service: ServiceIx,
        column: &ColumnName,
        at: Timestamp,
        readings: Vec<(RegionIx, Reading)>,
    ) {
        for (region, reading) in readings {
            self.with((service, region), |r| drop(r.current.insert(column.clone(), (at, reading))));
        }
    }

    pub(super) fn take_windows(
        &mut self,
        service: ServiceIx,
        column: &ColumnName,
        readings: Vec<(RegionIx, Vec<(Timestamp, Reading)>)>,
    ) {
        for (region, windows) in readings {
            self.with((service, region), |r| r.windows.entry(column.clone()).or_default().0.extend(windows));
        }
    }

    pub(super) fn take_history(
        &mut self,
        service: ServiceIx,
        column: &ColumnName,
        step: SignedDuration,
        points: Vec<(RegionIx, Vec<(Timestamp, f64)>)>,
    ) {
        for (region, points) in points {
            self.with((service, region), |r| {
                if step >= SignedDuration::from_hours(1) {
                    r.week = points;
                } else {
                    r.history.insert(column.clone(), points);
                }
            });
        }
    }
}
