//! What is kept up to date: views after a change, samples when they are due.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Engine;
use super::bake;
use super::derive::derive;
use super::effect::{Effect, MetricQuestion, Span};
use super::judge;
use super::sampling::{self, Sampled};
use super::scene::{Scene, World};
use super::view::{Question, RingPhase, RingRuns};
use super::wants;
use crate::domain::id::{ClusterIx, ColumnName, RegionIx, RingIx, ServiceIx};
use crate::domain::intent::{Intent, Verb};
use crate::domain::link::Link;
use crate::domain::metric::{Reading, Windows};
use crate::domain::picture::Picture;
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::verdict::RingVerdict;
use crate::domain::version::{Image, Version};

/// Between two views of the shown service while changes keep coming: a frame takes longer.
const SHOWN_PAUSE: Duration = Duration::from_millis(10);
/// The same for services that nobody looks at.
const OTHER_PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    /// What surrounds every service now.
    pub(super) fn world(&self) -> World<'_> {
        World {
            fleet: &self.fleet,
            clusters: &self.clusters,
            services: &self.services,
            sources: &self.sources,
            gates: &self.gates,
            now: self.server_now(),
            stamp: self.now,
        }
    }

    /// May this ring have the version that is on its way? None where none is known.
    pub fn may(&self, service: ServiceIx, ring: RingIx) -> Option<Question> {
        super::derive::may(self.world(), service, self.services.get(service.at())?, ring)
    }

    /// What a cell of the board (row, gate) rests on, to be drawn: made when somebody looks.
    pub fn picture(&self, service: ServiceIx, cell: (usize, usize)) -> Option<Picture> {
        super::derive::picture(self.world(), service, self.services.get(service.at())?, cell)
    }

    /// A ring's exit gates as they stand, each with what it rests on.
    pub fn exit_gates(&self, service: ServiceIx, ring: RingIx) -> RingVerdict {
        let state = self.services.get(service.at());
        state.map(|state| super::derive::exit_gates(self.world(), service, state, ring)).unwrap_or_default()
    }

    /// A service is sampled while it is shown or under release. What only is not seen yet, or not
    /// any more, makes no release.
    pub(super) fn is_sampled(&self, at: ServiceIx) -> bool {
        let under_release = |s: &super::state::ServiceState| {
            let unseen = s.view.rings.iter().any(|r| r.runs == RingRuns::Unknown);
            s.view.release.from != s.view.release.to || (s.view.question.is_some() && !unseen)
        };
        // The last ring bakes when every ring has the version: a guard still answers for it.
        let bakes = |s: &super::state::ServiceState| {
            s.view.rings.iter().any(|r| matches!(r.phase, RingPhase::Baking | RingPhase::Blocked | RingPhase::Failed))
        };
        let guarded = |s: &super::state::ServiceState| self.automation.is_some() && bakes(s);
        self.shown == Some(at) || self.services.get(at.at()).is_some_and(|s| under_release(s) || guarded(s))
    }

    /// Records are kept of services that are shown, under release, or held.
    pub(super) fn is_kept(&self, at: ServiceIx) -> bool {
        let active = |s: &super::state::ServiceState| {
            let view = &s.view;
            view.question.is_some() || view.release.from != view.release.to || !view.holds.is_empty()
        };
        self.shown == Some(at) || self.services.get(at.at()).is_some_and(active)
    }

    /// From now on, metrics of services that are not shown any more are kept: for what is printed once.
    pub fn remember_metrics(&mut self) {
        self.remembers = true;
    }

    /// What is held of a service that was turned away from: only what a verdict rests on.
    pub(super) fn forget_metrics(&mut self, at: ServiceIx) {
        if self.remembers {
            return;
        }
        let fleet = self.fleet.clone();
        let of = |state| Some(wants::current(&self.world(), at, fleet.service(at)?, state));
        let needed = self.services.get(at.at()).filter(|_| self.is_sampled(at)).and_then(of);
        if let Some(state) = self.services.get_mut(at.at()) {
            sampling::forget(state, needed.as_ref());
            state.stale_view = true;
        }
    }

    /// Every column of a shown service was answered, one way or the other.
    pub fn fully_sampled(&self, service: ServiceIx) -> bool {
        self.services.get(service.at()).is_none_or(|state| sampling::answered(self.world(), service, state))
    }

    /// How often samples of the columns are asked for.
    pub fn asks_every(&self) -> std::time::Duration {
        self.sampler.every()
    }

    /// Whether a first look at a service shows what there is to see: of every cluster it is in, and
    /// that steers its traffic, each list is complete, refused, or lost with the cluster; and its
    /// columns were answered if it is the shown one.
    pub fn has_first_data(&mut self, service: ServiceIx) -> bool {
        // Views of services that are not shown lag behind by up to a second.
        self.freshen(service);
        let Some((spec, state)) = self.fleet.service(service).zip(self.services.get(service.at())) else { return true };
        // A cluster counts as heard from its first answer, but only all its lists tell what is there.
        let connecting = |at: ClusterIx| self.clusters.get(at.at()).is_some_and(|c| c.link == Link::Connecting);
        let listed = spec.regions.iter().zip(&state.regions).all(|(spec, region)| {
            let lost = self.clusters.get(spec.cluster.at()).is_none_or(|c| matches!(c.link, Link::Lost { .. }));
            let steered = spec.route.as_ref().is_none_or(|route| !connecting(route.cluster));
            let brought = spec.delivery.as_ref().is_none_or(|delivery| !connecting(delivery.cluster));
            !connecting(spec.cluster) && steered && brought && (lost || region.workload.is_some() || region.absent)
        });
        listed && !state.view.regions.is_empty() && (self.shown != Some(service) || self.fully_sampled(service))
    }

    /// Whether every cluster has said who it is and what we may do there, or is lost.
    pub fn is_acquainted(&self) -> bool {
        self.clusters.iter().all(|c| matches!(c.link, Link::Lost { .. }) || c.facts.rights_unanswered.is_some())
    }

    /// Whether the clusters of a service have said which they are and who we are there, or are lost:
    /// what is written names its author.
    pub fn is_introduced(&self, service: ServiceIx) -> bool {
        let spec = self.fleet.service(service);
        let regions = spec.into_iter().flat_map(|s| &s.regions);
        let mut clusters = regions.flat_map(|r| [Some(r.cluster), r.route.as_ref().map(|route| route.cluster)]);
        clusters.all(|at| {
            at.and_then(|at| self.clusters.get(at.at())).is_none_or(|c| {
                // Who may not ask who he is gets no user.
                let named = c.facts.user.is_some() || c.facts.rights_unanswered.is_some();
                matches!(c.link, Link::Lost { .. }) || (c.facts.uid.is_some() && named)
            })
        })
    }

    /// Makes the views anew of services in which something changed: at once after a quiet
    /// spell, else as often as a screen can show it. [`Engine::freshen`] does not wait.
    pub(super) fn refresh(&mut self) {
        for at in (0..self.services.len()).map(ServiceIx::from) {
            // A guard looks at everything.
            let looked_at = self.shown == Some(at) || self.automation.is_some();
            let pause = if looked_at { SHOWN_PAUSE } else { OTHER_PAUSE };
            let due = self
                .services
                .get(at.at())
                .is_some_and(|s| s.stale_view && s.renewed.is_none_or(|t| self.now.mono.saturating_sub(t) >= pause));
            if due {
                self.renew(at);
            }
        }
    }

    /// Makes the view of a service anew if something changed: before it is drawn or printed.
    pub fn freshen(&mut self, at: ServiceIx) {
        if self.services.get(at.at()).is_some_and(|s| s.stale_view) {
            self.renew(at);
        }
    }

    /// Time passes: once a second what is shown, and of the others one in turn. A cluster that
    /// has become late by silence alone changes every view that shows something of it.
    pub(super) fn age_views(&mut self) {
        let second = self.now.mono.as_secs();
        if self.aged == Some(second) {
            return;
        }
        self.aged = Some(second);
        self.notice_silence();
        if let Some(at) = self.shown {
            self.renew(at);
        }
        let count = self.services.len();
        let turn = usize::try_from(second).unwrap_or_default().checked_rem(count);
        if let Some(turn) = turn.map(ServiceIx::from).filter(|t| self.shown != Some(*t)) {
            self.renew(turn);
        }
    }

    fn renew(&mut self, at: ServiceIx) {
        let now = self.server_now();
        let lowering = self.lowered(at);
        let Some(state) = self.services.get_mut(at.at()) else { return };
        state.lowering = lowering;
        if std::mem::take(&mut state.stale_view) {
            // What its records lack may be something else now.
            state.keep_at = Some(self.now.mono);
        }
        state.renewed = Some(self.now.mono);
        bake::settle(state, now);
        let Some(state) = self.services.get(at.at()) else { return };
        let view = derive(self.world(), at, state);
        if let Some(state) = self.services.get_mut(at.at()) {
            let changed = state.view != view;
            state.view = view;
            if changed {
                self.revision.fleet += 1;
                if self.shown == Some(at) {
                    self.revision.shown += 1;
                }
            }
        }
    }

    /// Regions that are being taken back from here, each since its first plan was approved, in server time.
    fn lowered(&self, at: ServiceIx) -> BTreeMap<RegionIx, Timestamp> {
        let mut lowered = BTreeMap::new();
        let back = |verb: &Verb| matches!(verb, Verb::RollBack { .. } | Verb::Abort);
        for operation in self.operations.iter().filter(|o| o.open() && o.plan.service == at) {
            if back(&operation.plan.intent.verb) {
                let since = operation.started.wall.saturating_add(self.skew).unwrap_or(operation.started.wall);
                for step in &operation.plan.steps {
                    lowered.entry(step.region).or_insert(since);
                }
            }
        }
        lowered
    }

    /// Asks what is due.
    pub(super) fn sample(&mut self, effects: &mut Vec<Effect>) {
        let all = (0..self.services.len()).map(ServiceIx::from);
        let sampled: Vec<Sampled> = all
            .filter(|at| self.is_sampled(*at))
            .map(|service| Sampled { service, shown: self.shown == Some(service) })
            .collect();
        for service in self.sampler.given_up(&sampled) {
            self.forget_metrics(service);
        }
        let fleet = self.fleet.clone();
        for which in &sampled {
            let at = which.service;
            if let Some((service, state)) = fleet.service(at).zip(self.services.get_mut(at.at())) {
                sampling::say_unconfigured(&fleet, service, state);
            }
        }
        let mut sampler = std::mem::take(&mut self.sampler);
        let questions = sampler.due(self.world(), &self.services, &sampled);
        let mut services = std::mem::take(&mut self.services);
        sampler.forget(self.world(), &mut services);
        self.services = services;
        self.sampler = sampler;
        effects.extend(questions.into_iter().map(|q| Effect::Ask(Box::new(q))));
    }

    /// The board's answer for the ring that a promotion would change.
    pub(super) fn question_for(&self, intent: &Intent) -> Option<Question> {
        let Verb::Promote { to, .. } = &intent.verb else { return None };
        let state = self.services.get(intent.service.at())?;
        let scene = Scene { promoting: true, ..Scene::new(self.world(), intent.service, state)? };
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
            self.changed(service);
        }
    }

    pub(super) fn take_windows(&mut self, service: ServiceIx, column: &ColumnName, readings: Vec<(RegionIx, Windows)>) {
        if let Some((spec, state)) = self.fleet.service(service).zip(self.services.get_mut(service.at())) {
            sampling::take_windows(spec, state, column, readings);
            state.stale_view = true;
            self.changed(service);
        }
    }

    pub(super) fn take_history(
        &mut self,
        service: ServiceIx,
        column: &ColumnName,
        step: SignedDuration,
        points: Vec<(RegionIx, Vec<(Timestamp, f64)>)>,
    ) {
        // Sparklines that come too late are drawn by nobody; a week of traffic is evidence of a drain.
        if step < SignedDuration::from_hours(1) && self.shown != Some(service) && !self.remembers {
            return;
        }
        if let Some((spec, state)) = self.fleet.service(service).zip(self.services.get_mut(service.at())) {
            sampling::take_history(spec, state, column, step, points);
            self.changed(service);
        }
    }
}
