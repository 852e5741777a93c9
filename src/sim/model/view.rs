//! One service in one region, derived from history: its versions' lives and its series.
//! A view is built when first asked for and again only after history has changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::latency::Distribution;
use super::life::{Life, Span, Totals};
use super::profile::{Needs, Profile};
use super::series::Place;
use crate::sim::world::history::{
    Baseline, Segment, SharedHistory, Track, TrackKey, VersionBehaviour, VersionPods, WorldHistory,
};

/// Latency factors of the fast and the slow half of the requests; their mixture has
/// the wished quantiles.
const HALVES: [f64; 2] = [0.955, 1.040];

/// A fault of certain times of day is played for so long after a workload last changed.
const DAILY_FOR_MS: i64 = 60 * 24 * 3_600_000;

/// The replica counts of a workload from a time on.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Start, ms since the epoch.
    pub from_ms: i64,
    /// `spec.replicas`.
    pub desired: u32,
    /// Pods that run.
    pub running: u32,
    /// Pods that run the newest template.
    pub updated: u32,
    /// Ready pods.
    pub ready: u32,
}

/// One service in one region.
#[derive(Debug)]
pub struct TrackView {
    /// Region and service.
    pub key: TrackKey,
    /// What is normal here.
    pub baseline: Baseline,
    /// Curves and noise.
    pub profile: Profile,
    /// Runs of versions, in order of their start.
    pub lives: Vec<Life>,
    /// Replica counts over time.
    pub counts: Vec<Counts>,
    /// The names that its labels show.
    pub place: Place,
    seen: Seen,
}

/// What a view was built from; enough to see that history has moved on.
#[derive(Debug, PartialEq)]
struct Seen {
    segments: usize,
    first: Option<Segment>,
    last: Option<Segment>,
    behaviours: Vec<(Arc<str>, VersionBehaviour)>,
}

impl Seen {
    fn is_current(&self, history: &WorldHistory, track: &Track) -> bool {
        let segments = track.segments();
        self.segments == segments.len()
            && self.last.as_ref() == segments.last()
            && self.first.as_ref() == segments.first()
            && self.behaviours.iter().all(|(version, was)| history.behaviour(version) == *was)
    }
}

impl TrackView {
    /// Derives the view of a track.
    pub fn new(history: &WorldHistory, key: &TrackKey, track: &Track, anchor_ms: Option<i64>) -> Self {
        let baseline = track.baseline;
        let profile = Profile::of(&key.region, &key.service, &baseline, history.seed, anchor_ms);
        let healthy = halves(&profile, 1.0);
        let mut builder = Builder { history, baseline, profile, lives: Vec::new(), open: Vec::new(), healthy };
        let mut counts = Vec::new();
        let segments = track.segments();
        for (i, segment) in segments.iter().enumerate() {
            let to_ms = segments.get(i + 1).map_or(i64::MAX, |next| next.from.as_millisecond());
            builder.add(segment, to_ms);
            counts.push(counts_of(segment, &builder.lives));
        }
        let behaviours: BTreeMap<Arc<str>, VersionBehaviour> = segments
            .iter()
            .flat_map(|s| &s.versions)
            .map(|v| (Arc::clone(&v.version), history.behaviour(&v.version)))
            .collect();
        let Builder { profile, lives, .. } = builder;
        Self {
            key: key.clone(),
            baseline,
            profile,
            lives,
            counts,
            place: Place::of(key, track),
            seen: Seen {
                segments: segments.len(),
                first: segments.first().cloned(),
                last: segments.last().cloned(),
                behaviours: behaviours.into_iter().collect(),
            },
        }
    }

    /// What a life has counted by a time.
    pub fn totals(&self, life: &Life, at_ms: i64, needs: Needs) -> Totals {
        life.totals(&self.profile, &self.baseline, at_ms, needs)
    }

    /// The replica counts at a time; none before history.
    pub fn counts_at(&self, at_ms: i64) -> Option<&Counts> {
        let after = self.counts.partition_point(|c| c.from_ms <= at_ms);
        self.counts.get(after.checked_sub(1)?)
    }

    /// Share of 5xx over all versions in the five minutes before a time.
    pub fn error_ratio(&self, at_ms: i64) -> f64 {
        const WINDOW_MS: i64 = 300_000;
        let needs = Needs { errors: true, latency: false };
        let (mut errors, mut all) = (0.0, 0.0);
        for life in &self.lives {
            if life.to_ms() < at_ms - WINDOW_MS || life.from_ms() > at_ms {
                continue;
            }
            let now = self.totals(life, at_ms, needs);
            let before = self.totals(life, at_ms - WINDOW_MS, needs);
            errors += now.errors - before.errors;
            all += now.requests() - before.requests();
        }
        if all > 0.0 { errors / all } else { 0.0 }
    }
}

fn counts_of(segment: &Segment, lives: &[Life]) -> Counts {
    let newest = lives.last();
    let updated = segment.versions.iter().find(|v| newest.is_some_and(|life| is_of(life, v))).map_or(0, |v| v.running);
    Counts {
        from_ms: segment.from.as_millisecond(),
        desired: segment.desired,
        running: segment.versions.iter().map(|v| v.running).sum(),
        updated,
        ready: segment.ready(),
    }
}

fn is_of(life: &Life, pods: &VersionPods) -> bool {
    life.version == pods.version && life.template_hash == pods.template_hash
}

/// Turns segments into lives.
struct Builder<'a> {
    history: &'a WorldHistory,
    baseline: Baseline,
    profile: Profile,
    lives: Vec<Life>,
    /// Indexes of the lives that have pods in the newest segment.
    open: Vec<usize>,
    /// Latencies of versions without faults.
    healthy: Arc<[Distribution; 2]>,
}

/// The latencies of the fast and the slow half of the requests.
fn halves(profile: &Profile, factor: f64) -> Arc<[Distribution; 2]> {
    Arc::new(HALVES.map(|half| Distribution::fit(profile.latency.scaled(half * factor))))
}

impl Builder<'_> {
    fn add(&mut self, segment: &Segment, to_ms: i64) {
        let ready = f64::from(segment.ready());
        let mut open = Vec::new();
        for pods in segment.versions.iter().filter(|v| v.running > 0 || v.ready > 0) {
            let share = if ready > 0.0 { f64::from(pods.ready) / ready } else { 0.0 };
            let known = self.open.iter().copied().find(|&i| self.lives.get(i).is_some_and(|l| is_of(l, pods)));
            let behaviour = self.history.behaviour(&pods.version);
            let index = known.unwrap_or_else(|| self.start_life(pods, &behaviour));
            let mut from_ms = segment.from.as_millisecond();
            let horizon = from_ms.saturating_add(DAILY_FOR_MS);
            loop {
                let next = behaviour.daily.map_or(i64::MAX, |daily| daily.next(from_ms));
                let end = if next < horizon { next.min(to_ms) } else { to_ms };
                let now = behaviour.daily.is_none_or(|daily| daily.holds(from_ms));
                let faulty = now && segment.offered_qps > behaviour.above_qps;
                let factor = |faulty_one: f64, healthy: f64| if faulty { faulty_one } else { healthy };
                let span = Span {
                    from_ms,
                    to_ms: end,
                    qps: segment.offered_qps * share,
                    regime: usize::from(faulty),
                    error_ratio: (self.baseline.error_rate + factor(behaviour.error_rate, 0.0)).clamp(0.0, 0.8),
                    cpu_factor: factor(behaviour.cpu_factor, 1.0),
                    running: pods.running.max(pods.ready),
                    start: Totals::default(),
                    origin: self.profile.areas(from_ms, Needs::ALL),
                };
                self.extend(index, span);
                if end >= to_ms {
                    break;
                }
                from_ms = end;
            }
            open.push(index);
        }
        self.open = open;
    }

    fn start_life(&mut self, pods: &VersionPods, behaviour: &VersionBehaviour) -> usize {
        let healthy = Arc::clone(&self.healthy);
        #[expect(clippy::float_cmp, reason = "one is the exact default")]
        let faulty = if behaviour.latency_factor == 1.0 {
            Arc::clone(&healthy)
        } else {
            halves(&self.profile, behaviour.latency_factor.max(0.01))
        };
        self.lives.push(Life {
            version: Arc::clone(&pods.version),
            template_hash: Arc::clone(&pods.template_hash),
            spans: Vec::new(),
            leak_per_hour: behaviour.leak_per_hour,
            latency: [healthy, faulty],
        });
        self.lives.len() - 1
    }

    /// Appends a span, carrying on what had been counted; a span that differs in nothing
    /// only prolongs the last one.
    fn extend(&mut self, index: usize, mut span: Span) {
        let Some(life) = self.lives.get_mut(index) else {
            return;
        };
        if let Some(last) = life.spans.last_mut() {
            #[expect(clippy::float_cmp, reason = "equal input gives equal figures")]
            let same = last.qps == span.qps
                && last.regime == span.regime
                && last.error_ratio == span.error_ratio
                && last.cpu_factor == span.cpu_factor
                && last.running == span.running;
            if same {
                last.to_ms = span.to_ms;
                return;
            }
            span.start = last.totals(&self.baseline, span.from_ms, &span.origin);
        }
        life.spans.push(span);
    }
}

/// The metric model of a whole fleet, over a shared history.
#[derive(Debug)]
pub struct Model {
    history: SharedHistory,
    anchor_ms: Option<i64>,
    views: Mutex<BTreeMap<TrackKey, Arc<TrackView>>>,
}

impl Model {
    /// A model of a history. With an anchor (ms since the epoch), the daily curves pass
    /// through the baselines at that time; otherwise the baselines are daily means.
    pub fn new(history: SharedHistory, anchor_ms: Option<i64>) -> Self {
        Self { history, anchor_ms, views: Mutex::default() }
    }

    /// The views of all tracks whose key passes, in order of region and service.
    pub fn views(&self, keep: impl Fn(&TrackKey) -> bool) -> Vec<Arc<TrackView>> {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for (key, track) in history.tracks().filter(|(key, _)| keep(key)) {
            let cached =
                views.get(key).filter(|view| view.baseline == track.baseline && view.seen.is_current(&history, track));
            let view = match cached {
                Some(view) => Arc::clone(view),
                None => {
                    let view = Arc::new(TrackView::new(&history, key, track, self.anchor_ms));
                    views.insert(key.clone(), Arc::clone(&view));
                    view
                }
            };
            found.push(view);
        }
        found
    }
}
