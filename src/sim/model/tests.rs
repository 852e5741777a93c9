//! What the model promises: figures, integrals, monotony, resets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::sync::{Arc, RwLock};

use jiff::Timestamp;
use proptest::prelude::*;

use super::profile::Needs;
use super::series::{self, Kind};
use super::{Model, TrackView};
use crate::sim::world::history::{Baseline, Segment, Track, TrackKey, VersionBehaviour, VersionPods, WorldHistory};

/// 2026-06-01T12:00:00Z.
const NOON: i64 = 1_780_315_200_000;
const HOUR: i64 = 3_600_000;
const ALL: Needs = Needs::ALL;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn pods(version: &str, ready: u32) -> VersionPods {
    VersionPods { version: version.into(), template_hash: format!("{version}-hash").into(), ready, running: ready }
}

fn segment(from: i64, versions: Vec<VersionPods>, offered_qps: f64) -> Segment {
    let desired = versions.iter().map(|v| v.running).sum();
    Segment { from: at(from), versions, desired, offered_qps }
}

/// ap-south-1 with the given segments; v2 fails above 20,000 requests per second.
fn history(segments: Vec<Segment>) -> WorldHistory {
    let baseline = Baseline { qps: 12_400.0, error_rate: 0.002, p99_ms: 145.0, cpu: 0.42, memory: 0.68, replicas: 12 };
    let mut track = Track::new("webapp", "webapp", "web", baseline);
    segments.into_iter().for_each(|s| track.push(s));
    let mut history = WorldHistory::new(42);
    history.insert(TrackKey::new("ap-south-1", "webapp"), track);
    history.set_behaviour(
        "v2",
        VersionBehaviour { error_rate: 0.04, latency_factor: 2.0, above_qps: 20_000.0, ..VersionBehaviour::default() },
    );
    history
}

fn view(segments: Vec<Segment>) -> Arc<TrackView> {
    let model = Model::new(Arc::new(RwLock::new(history(segments))), Some(NOON));
    model.views(|_| true).remove(0)
}

fn series_at(view: &TrackView, kind: Kind, life: usize, ms: i64) -> f64 {
    let series = series::all(view).find(|s| s.kind == kind && s.life() == Some(life)).unwrap();
    series.value(ms, &view.totals(&view.lives[life], ms, ALL)).unwrap()
}

/// What `histogram_quantile(q, rate(…[w]))` sees between two times.
fn quantile(view: &TrackView, life: usize, q: f64, from: i64, to: i64) -> f64 {
    let bounds = super::latency::BOUNDS;
    let count = |i: usize| series_at(view, Kind::Bucket(i), life, to) - series_at(view, Kind::Bucket(i), life, from);
    let rank = q * count(bounds.len());
    let i = (0..bounds.len()).find(|&i| count(i) >= rank).unwrap();
    let (low, below) = if i == 0 { (0.0, 0.0) } else { (bounds[i - 1], count(i - 1)) };
    low + (bounds[i] - low) * (rank - below) / (count(i) - below)
}

#[test]
fn around_the_anchor_a_region_shows_the_dashboard() {
    let view = view(vec![segment(NOON - 48 * HOUR, vec![pods("v1", 12)], 12_400.0)]);
    let (from, to) = (NOON - 150_000, NOON + 150_000);
    let delta = |kind| series_at(&view, kind, 0, to) - series_at(&view, kind, 0, from);
    let all: f64 = (0..4).map(|i| delta(Kind::Requests(i))).sum();
    let errors: f64 = (2..4).map(|i| delta(Kind::Requests(i))).sum();
    assert!((all / 300.0 / 12_400.0 - 1.0).abs() < 0.05, "{}", all / 300.0);
    assert!((errors / all - 0.002).abs() < 0.0004, "{}", errors / all);
    let cpu = delta(Kind::Cpu) / 300.0 / 12.0;
    assert!((cpu - 0.42).abs() < 0.03, "{cpu}");
    let memory = series_at(&view, Kind::Memory, 0, NOON) / (12.0 * super::profile::MEMORY_LIMIT);
    assert!((memory - 0.68).abs() < 0.03, "{memory}");
    for (q, ms) in [(0.5, 41.0), (0.95, 96.0), (0.99, 145.0)] {
        let got = quantile(&view, 0, q, from, to) * 1000.0;
        assert!((got / ms - 1.0).abs() < 0.04, "p{q}: {got}");
    }
}

#[test]
fn a_counter_is_the_integral_of_its_rate() {
    let view = view(vec![segment(NOON, vec![pods("v1", 12)], 12_400.0)]);
    let life = &view.lives[0];
    let summed: f64 = (0..36_000).map(|i| 12_400.0 * view.profile.traffic.rate(NOON + i * 100 + 50) * 0.1).sum();
    let counted = view.totals(life, NOON + HOUR, ALL).requests();
    assert!((summed / counted - 1.0).abs() < 1e-6, "{summed} {counted}");
}

#[test]
fn a_drained_region_counts_nothing_and_goes_on_from_where_it_was() {
    let view = view(vec![
        segment(NOON - HOUR, vec![pods("v1", 12)], 12_400.0),
        segment(NOON, vec![pods("v1", 12)], 0.0),
        segment(NOON + HOUR, vec![pods("v1", 12)], 6_200.0),
    ]);
    let count = |ms| series_at(&view, Kind::DurationCount, 0, ms);
    assert_eq!(count(NOON), count(NOON + HOUR));
    assert!(count(NOON) > 3.0e7);
    assert!((count(NOON + HOUR + 60_000) - count(NOON + HOUR)) / 60.0 < 7_000.0);
}

#[test]
fn traffic_follows_ready_pods_and_a_version_that_comes_back_starts_at_zero() {
    let view = view(vec![
        segment(NOON - HOUR, vec![pods("v1", 12)], 12_400.0),
        segment(NOON, vec![pods("v1", 9), pods("v2", 3)], 12_400.0),
        segment(NOON + HOUR, vec![pods("v2", 12)], 12_400.0),
        segment(NOON + 2 * HOUR, vec![pods("v1", 12)], 12_400.0),
    ]);
    assert_eq!(view.lives.iter().map(|l| &*l.version).collect::<Vec<_>>(), ["v1", "v2", "v1"]);
    let served = |life: usize, ms| view.totals(&view.lives[life], ms, ALL).requests();
    let old = served(0, NOON + HOUR) - served(0, NOON);
    let new = served(1, NOON + HOUR);
    assert!((old / new - 3.0).abs() < 1e-9, "{old} {new}");
    assert_eq!(served(2, NOON + 2 * HOUR), 0.0);
}

#[test]
fn a_version_that_cannot_take_the_load_fails_only_under_it() {
    let ratio = |qps| {
        let view = view(vec![segment(NOON - HOUR, vec![pods("v2", 12)], qps)]);
        (view.error_ratio(NOON), quantile(&view, 0, 0.99, NOON - 300_000, NOON))
    };
    let (small, fast) = ratio(12_400.0);
    let (large, slow) = ratio(45_200.0);
    assert!(small < 0.003 && large > 0.035, "{small} {large}");
    assert!((slow / fast - 2.0).abs() < 0.1, "{fast} {slow}");
}

#[test]
fn a_leak_grows_with_the_hours_and_stays_below_the_limit() {
    let mut history = history(vec![segment(NOON, vec![pods("v3", 1)], 100.0)]);
    history.set_behaviour("v3", VersionBehaviour { leak_per_hour: 0.05, ..VersionBehaviour::default() });
    let view = Model::new(Arc::new(RwLock::new(history)), None).views(|_| true).remove(0);
    let share = |hours| series_at(&view, Kind::Memory, 0, NOON + hours * HOUR) / super::profile::MEMORY_LIMIT;
    assert!((share(4) - share(0) - 0.2).abs() < 0.05);
    assert!((0..100).all(|h| share(h) <= 1.0));
}

#[test]
fn an_alert_fires_while_errors_are_above_one_percent_and_is_absent_otherwise() {
    let view = view(vec![
        segment(NOON - HOUR, vec![pods("v1", 12)], 45_200.0),
        segment(NOON, vec![pods("v2", 12)], 45_200.0),
        segment(NOON + HOUR, vec![pods("v1", 12)], 45_200.0),
    ]);
    let alert = series::all(&view).find(|s| s.kind == Kind::Alert).unwrap();
    let fires = |minutes: i64| alert.value(NOON + minutes * 60_000, &super::life::Totals::default());
    assert_eq!((fires(-1), fires(30), fires(66)), (None, Some(1.0), None));
}

#[test]
fn replica_counts_follow_a_rollout() {
    let mut half = segment(NOON, vec![pods("v1", 9), pods("v2", 2)], 12_400.0);
    half.versions[1].running = 4;
    half.desired = 12;
    let view = view(vec![segment(NOON - HOUR, vec![pods("v1", 12)], 12_400.0), half]);
    let at = |ms| {
        let of = |count| {
            let found = series::all(&view).find(|s| s.kind == Kind::Deployment(count)).unwrap();
            found.value(ms, &super::life::Totals::default()).unwrap()
        };
        use super::series::Count::{Available, Desired, Running, Unavailable, Updated};
        [Desired, Running, Updated, Available, Unavailable].map(of)
    };
    assert_eq!(at(NOON - 1), [12.0, 12.0, 12.0, 12.0, 0.0]);
    assert_eq!(at(NOON + 1), [12.0, 13.0, 4.0, 11.0, 1.0]);
}

#[test]
fn a_view_is_built_again_only_when_history_moved() {
    let shared = Arc::new(RwLock::new(history(vec![segment(NOON, vec![pods("v1", 12)], 12_400.0)])));
    let model = Model::new(Arc::clone(&shared), None);
    let first = model.views(|_| true).remove(0);
    assert!(Arc::ptr_eq(&first, &model.views(|_| true)[0]));
    let key = TrackKey::new("ap-south-1", "webapp");
    shared.write().unwrap().track_mut(&key).unwrap().push(segment(NOON + HOUR, vec![pods("v2", 12)], 12_400.0));
    assert_eq!(model.views(|_| true)[0].lives.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn counters_never_fall_whatever_happens(
        steps in proptest::collection::vec((1_i64..4_000, 0_u32..8, 0_u32..8, 0_u32..3), 1..12),
        probes in proptest::collection::vec(0_i64..30_000, 2..20),
    ) {
        let mut from = NOON;
        let mut segments = Vec::new();
        for (seconds, v1, v2, load) in steps {
            segments.push(segment(from, vec![pods("v1", v1), pods("v2", v2)], f64::from(load) * 15_000.0));
            from += seconds * 1_000;
        }
        let view = view(segments);
        let mut times: Vec<i64> = probes.iter().map(|s| NOON + s * 1_000).collect();
        times.sort_unstable();
        for series in series::all(&view).filter(|s| s.kind.needs().is_some()) {
            let life = &view.lives[series.life().unwrap()];
            let mut before = 0.0;
            for &ms in times.iter().filter(|&&ms| ms >= series.from_ms() && ms < series.to_ms()) {
                let now = series.value(ms, &view.totals(life, ms, ALL)).unwrap();
                prop_assert!(now >= before, "{} fell from {before} to {now}", series.labels());
                before = now;
            }
        }
    }
}
