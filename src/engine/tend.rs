//! What is kept up to date: views after a change, samples when they are due.

use super::Engine;
use super::bake;
use super::derive::derive;
use super::effect::{Effect, MetricQuestion, Span};
use super::judge;
use super::sampling::{self, Sampled};
use super::scene::{Scene, World};
use super::view::{Question, RingRuns};
use crate::domain::id::{ColumnName, RegionIx, RingIx, ServiceIx};
use crate::domain::intent::{Intent, Verb};
use crate::domain::metric::Reading;
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::version::{Image, Version};

impl Engine {
    /// What surrounds every service now.
    fn world(&self) -> World<'_> {
        World {
            fleet: &self.fleet,
            clusters: &self.clusters,
            gates: &self.gates,
            now: self.server_now(),
            stamp: self.now,
        }
    }

    /// Services that are sampled and whose records are kept: shown, or under release.
    pub(super) fn sampled_services(&self) -> Vec<ServiceIx> {
        let under_release = |at: &ServiceIx| {
            self.services.get(at.at()).is_some_and(|s| {
                let view = &s.view;
                view.question.is_some() || view.release.from != view.release.to
            })
        };
        let all = (0..self.services.len()).map(ServiceIx::from);
        all.filter(|at| self.shown == Some(*at) || under_release(at)).collect()
    }

    /// Every column of a shown service was answered, one way or the other.
    pub fn fully_sampled(&self, service: ServiceIx) -> bool {
        self.services.get(service.at()).is_none_or(|state| sampling::answered(self.world(), service, state))
    }

    /// Makes the views anew of services in which something changed.
    pub(super) fn refresh(&mut self) {
        for at in 0..self.services.len() {
            if self.services.get(at).is_some_and(|s| s.stale_view) {
                self.renew(at.into());
            }
        }
    }

    /// Time passes: what is shown of the service on the screen depends on it.
    pub(super) fn age_views(&mut self) {
        if let Some(at) = self.shown {
            self.renew(at);
        }
        // The others in turn, one a second: nobody looks at their seconds.
        if let Some(count) = u64::try_from(self.services.len()).ok().filter(|c| *c > 0) {
            let turn = usize::try_from(self.now.mono.as_secs() % count).unwrap_or_default();
            self.renew(turn.into());
        }
    }

    fn renew(&mut self, at: ServiceIx) {
        let now = self.server_now();
        let fleet = self.fleet.clone();
        let Some((service, state)) = fleet.service(at).zip(self.services.get_mut(at.at())) else { return };
        state.stale_view = false;
        bake::settle(service, state, now);
        let Some(state) = self.services.get(at.at()) else { return };
        let view = derive(self.world(), at, state);
        if let Some(state) = self.services.get_mut(at.at()) {
            state.view = view;
        }
    }

    /// Asks what is due.
    pub(super) fn sample(&mut self, effects: &mut Vec<Effect>) {
        let sampled: Vec<Sampled> = self
            .sampled_services()
            .into_iter()
            .map(|service| Sampled { service, shown: self.shown == Some(service) })
            .collect();
        let mut sampler = std::mem::take(&mut self.sampler);
        let questions = sampler.due(self.world(), &self.services, &sampled);
        self.sampler = sampler;
        effects.extend(questions.into_iter().map(|q| Effect::Ask(Box::new(q))));
    }

    /// The board's answer for the ring that a promotion would change.
    pub(super) fn question_for(&self, intent: &Intent) -> Option<Question> {
        let Verb::Promote { to, .. } = &intent.verb else { return None };
        let state = self.services.get(intent.service.at())?;
        let scene = Scene::new(self.world(), intent.service, state)?;
        let targets = super::draft::targets(scene.service, &intent.target);
        let ring: RingIx = scene.service.region(*targets.first()?)?.ring;
        let version = match ring.at().checked_sub(1) {
            Some(before) => match scene.runs(before.into()) {
                RingRuns::One(version) => version.clone(),
                // What is asked for has a name all the same; the answer will be no.
                RingRuns::Mixed(_) | RingRuns::Unknown => state.view.release.to.clone()?,
            },
            None => match to.as_deref() {
                Some(text) if text.contains(['/', '@', ':']) => Image::parse(text).version(),
                Some(text) => Version(text.into()),
                None => return None,
            },
        };
        Some(judge::may(&scene, ring, &version))
    }

    /// The traffic column over a span, for every region of a service.
    pub(super) fn traffic_questions(&self, service: ServiceIx, span: Span) -> Vec<MetricQuestion> {
        let state = self.services.get(service.at());
        state.map(|state| sampling::traffic_questions(self.world(), service, state, span)).unwrap_or_default()
    }

    pub(super) fn take_samples(
        &mut self,
        service: ServiceIx,
        column: &ColumnName,
        at: Timestamp,
        readings: Vec<(RegionIx, Reading)>,
    ) {
        if let Some((spec, state)) = self.fleet.service(service).zip(self.services.get_mut(service.at())) {
            sampling::take_samples(spec, state, column, at, readings);
            state.stale_view = true;
        }
    }

    pub(super) fn take_windows(
        &mut self,
        service: ServiceIx,
        column: &ColumnName,
        readings: Vec<(RegionIx, Vec<(Timestamp, Reading)>)>,
    ) {
        if let Some((spec, state)) = self.fleet.service(service).zip(self.services.get_mut(service.at())) {
            sampling::take_windows(spec, state, column, readings);
            state.stale_view = true;
        }
    }

    pub(super) fn take_history(
        &mut self,
        service: ServiceIx,
        column: &ColumnName,
        step: SignedDuration,
        points: Vec<(RegionIx, Vec<(Timestamp, f64)>)>,
    ) {
        if let Some((spec, state)) = self.fleet.service(service).zip(self.services.get_mut(service.at())) {
            sampling::take_history(spec, state, column, step, points);
        }
    }
}
