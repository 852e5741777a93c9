//! What ran in each region over time: the only thing that the metric model knows of the world.
//!
//! ```text
//! region eu-west-1, service webapp
//!   t0 ──────── v1.9.4 ×12 ready, 45 200 qps ────────┐
//!   t1 ── v1.9.4 ×9, v2.0.0 ×3 ──────────────────────┤   segments, oldest first; each one
//!   t2 ──────── v2.0.0 ×12 ──────────────────────────┘   holds until the next one starts
//! ```
//!
//! Metrics are a pure function of (seed, time, this). Past segments never change,
//! so a query about yesterday gives the same answer today and tomorrow.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use jiff::Timestamp;

/// How many segments one track keeps; a fleet that churns for days forgets its oldest ones.
///
/// One rollout of 12 pods makes about 30; ten days of one rollout an hour make 7,200.
const MAX_SEGMENTS: usize = 8_192;

/// The history as the step loop (writer) and the metric servers (readers) share it.
pub type SharedHistory = Arc<RwLock<WorldHistory>>;

/// Names one service in one region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackKey {
    /// The region, as labels and contexts call it: `eu-west-1`.
    pub region: Arc<str>,
    /// The service: `webapp`.
    pub service: Arc<str>,
}

impl TrackKey {
    /// Names a service in a region.
    #[must_use]
    pub fn new(region: &str, service: &str) -> Self {
        Self { region: region.into(), service: service.into() }
    }
}

/// What the service looks like in this region on a quiet afternoon, at its normal traffic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// Requests per second, daily mean.
    pub qps: f64,
    /// Share of requests that fail, 0 to 1.
    pub error_rate: f64,
    /// 99th percentile of latency in milliseconds.
    pub p99_ms: f64,
    /// CPU used of CPU requested, 0 to 1, with `replicas` pods at `qps`.
    pub cpu: f64,
    /// Memory used of memory limit, 0 to 1.
    pub memory: f64,
    /// How many pods carry `qps` with `cpu` load each.
    pub replicas: u32,
}

/// How one version differs from the baseline. The default differs in nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionBehaviour {
    /// Added to the share of failing requests, 0 to 1.
    pub error_rate: f64,
    /// Factor on every latency.
    pub latency_factor: f64,
    /// Factor on CPU per request.
    pub cpu_factor: f64,
    /// Memory that each pod loses per hour, as a share of its limit.
    pub leak_per_hour: f64,
    /// Error rate, latency and CPU of this version count only where the offered traffic
    /// of the region is above this many requests per second (a fault that load uncovers).
    pub above_qps: f64,
    /// They count only at this time of every day.
    pub daily: Option<Daily>,
}

/// A time of every day, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daily {
    /// When it begins, ms after midnight.
    pub at_ms: i64,
    /// How long it lasts, ms; at most a day.
    pub lasts_ms: i64,
}

impl Default for VersionBehaviour {
    fn default() -> Self {
        Self { error_rate: 0.0, latency_factor: 1.0, cpu_factor: 1.0, leak_per_hour: 0.0, above_qps: 0.0, daily: None }
    }
}

const DAY_MS: i64 = 24 * 3_600_000;

impl Daily {
    /// Whether a moment is inside.
    #[must_use]
    pub fn holds(self, at_ms: i64) -> bool {
        (at_ms - self.at_ms).rem_euclid(DAY_MS) < self.lasts_ms
    }

    /// The next moment after `at_ms` at which it begins or ends.
    #[must_use]
    pub fn next(self, at_ms: i64) -> i64 {
        let since = (at_ms - self.at_ms).rem_euclid(DAY_MS);
        at_ms + if since < self.lasts_ms { self.lasts_ms } else { DAY_MS } - since
    }
}

/// Pods of one version at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionPods {
    /// The version, as the image tag says it: `v2.1.0`.
    pub version: Arc<str>,
    /// The pods' `pod-template-hash`.
    pub template_hash: Arc<str>,
    /// Pods that are ready: only these get traffic.
    pub ready: u32,
    /// Pods that exist and run a container (they use memory), ready or not.
    pub running: u32,
}

/// What holds from `from` until the next segment starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// When this state began.
    pub from: Timestamp,
    /// Versions that have pods, in order of version; empty when nothing runs.
    pub versions: Vec<VersionPods>,
    /// `spec.replicas` at that time.
    pub desired: u32,
    /// Requests per second sent here (daily mean, before noise and time of day): this
    /// region's share of the route's weights times all traffic of the service. 0 when drained.
    pub offered_qps: f64,
}

impl Segment {
    /// All ready pods, of every version.
    #[must_use]
    pub fn ready(&self) -> u32 {
        self.versions.iter().map(|v| v.ready).sum()
    }
}

/// One service in one region, over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Namespace of the workload.
    pub namespace: Arc<str>,
    /// Name of the Deployment.
    pub workload: Arc<str>,
    /// Name of the container that serves.
    pub container: Arc<str>,
    /// What is normal here.
    pub baseline: Baseline,
    segments: Vec<Segment>,
}

impl Track {
    /// Starts a track without history.
    #[must_use]
    pub fn new(namespace: &str, workload: &str, container: &str, baseline: Baseline) -> Self {
        Self {
            namespace: namespace.into(),
            workload: workload.into(),
            container: container.into(),
            baseline,
            segments: Vec::new(),
        }
    }

    /// All segments, oldest first; `from` never goes back.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What held at `at`; none before history began.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Option<&Segment> {
        let after = self.segments.partition_point(|s| s.from <= at);
        self.segments.get(after.checked_sub(1)?)
    }

    /// Segments that overlap `from..=to`, each with the time at which it ends
    /// (`to` for the last one).
    pub fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = (&Segment, Timestamp)> {
        let first = self.segments.partition_point(|s| s.from <= from).saturating_sub(1);
        let rest = self.segments.get(first..).unwrap_or_default();
        let ends = rest.iter().skip(1).map(|s| s.from).chain(std::iter::once(Timestamp::MAX));
        rest.iter().zip(ends).map(move |(s, end)| (s, end.min(to))).take_while(move |(s, _)| s.from <= to)
    }

    /// Since when pods of `version` have been there without a gap, as seen at `at`.
    #[must_use]
    pub fn running_since(&self, version: &str, at: Timestamp) -> Option<Timestamp> {
        let after = self.segments.partition_point(|s| s.from <= at);
        self.segments
            .get(..after)?
            .iter()
            .rev()
            .take_while(|s| s.versions.iter().any(|v| &*v.version == version && v.running > 0))
            .last()
            .map(|s| s.from)
    }

    /// Adds what holds from now on. A segment equal to the last one is not added; one with
    /// the same time replaces it; an earlier time is moved to the last one's (time never goes back).
    pub fn push(&mut self, mut segment: Segment) {
        if let Some(last) = self.segments.last_mut() {
            segment.from = segment.from.max(last.from);
            let same = last.versions == segment.versions
                && last.desired == segment.desired
                && (last.offered_qps - segment.offered_qps).abs() < f64::EPSILON;
            if same {
                return;
            }
            if last.from == segment.from {
                *last = segment;
                return;
            }
        }
        if self.segments.len() >= MAX_SEGMENTS {
            self.segments.drain(..MAX_SEGMENTS / 4);
        }
        self.segments.push(segment);
    }
}

/// Everything the metric model may look at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorldHistory {
    /// Seed of all noise.
    pub seed: u64,
    tracks: BTreeMap<TrackKey, Track>,
    behaviours: BTreeMap<Arc<str>, VersionBehaviour>,
}

impl WorldHistory {
    /// An empty history with its seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Adds or replaces a whole track.
    pub fn insert(&mut self, key: TrackKey, track: Track) {
        self.tracks.insert(key, track);
    }

    /// All tracks, ordered by region and service.
    pub fn tracks(&self) -> impl Iterator<Item = (&TrackKey, &Track)> {
        self.tracks.iter()
    }

    /// One track.
    #[must_use]
    pub fn track(&self, key: &TrackKey) -> Option<&Track> {
        self.tracks.get(key)
    }

    /// One track, to add to.
    pub fn track_mut(&mut self, key: &TrackKey) -> Option<&mut Track> {
        self.tracks.get_mut(key)
    }

    /// Says how a version behaves.
    pub fn set_behaviour(&mut self, version: &str, behaviour: VersionBehaviour) {
        self.behaviours.insert(version.into(), behaviour);
    }

    /// How a version behaves; versions nobody spoke of are like the baseline.
    #[must_use]
    pub fn behaviour(&self, version: &str) -> VersionBehaviour {
        self.behaviours.get(version).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        reason = "tests"
    )]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn segment(second: i64, version: &str, ready: u32) -> Segment {
        let pods = VersionPods { version: version.into(), template_hash: "h".into(), ready, running: ready };
        Segment { from: at(second), versions: vec![pods], desired: ready, offered_qps: 10.0 }
    }

    fn track() -> Track {
        let baseline = Baseline { qps: 10.0, error_rate: 0.002, p99_ms: 120.0, cpu: 0.4, memory: 0.6, replicas: 4 };
        let mut track = Track::new("webapp", "webapp", "web", baseline);
        track.push(segment(0, "v1", 4));
        track.push(segment(10, "v2", 4));
        track.push(segment(20, "v2", 5));
        track
    }

    #[test]
    fn a_time_finds_the_segment_that_held_then() {
        let track = track();
        assert_eq!(track.at(at(-1)), None);
        assert_eq!(track.at(at(0)).unwrap().versions[0].version.as_ref(), "v1");
        assert_eq!(track.at(at(9)).unwrap().versions[0].version.as_ref(), "v1");
        assert_eq!(track.at(at(500)).unwrap().ready(), 5);
    }

    #[test]
    fn a_window_is_covered_without_gaps() {
        let track = track();
        let spans: Vec<_> = track.between(at(5), at(15)).map(|(s, end)| (s.from, end)).collect();
        assert_eq!(spans, [(at(0), at(10)), (at(10), at(15))]);
    }

    #[test]
    fn a_version_runs_since_its_first_unbroken_segment() {
        let track = track();
        assert_eq!(track.running_since("v2", at(30)), Some(at(10)));
        assert_eq!(track.running_since("v1", at(30)), None);
        assert_eq!(track.running_since("v1", at(3)), Some(at(0)));
    }

    #[test]
    fn equal_segments_are_one_and_time_never_goes_back() {
        let mut track = track();
        track.push(segment(25, "v2", 5));
        assert_eq!(track.segments().len(), 3);
        track.push(segment(3, "v2", 6));
        assert_eq!(track.segments().len(), 3, "same instant replaces");
        assert_eq!(track.at(at(20)).unwrap().ready(), 6);
    }
}
