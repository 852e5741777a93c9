//! One run of a version in a region: from its first pod to its last. Its counters
//! start at zero and are integrals over the spans in which its traffic was steady.

use std::sync::Arc;

use super::latency::{BOUNDS, Distribution};
pub use super::profile::Needs;
use super::profile::{Areas, CPU_REQUEST, IDLE_CPU, Profile};
use crate::sim::world::history::Baseline;

/// Everything counted at a time. What was not [needed](Needs) has no meaning.
/// Two regimes, because a fault may show only under load:
/// index 0 is the healthy one, 1 the faulty one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Requests served.
    pub served: [f64; 2],
    /// Requests among them that took the slow half's latencies.
    pub slow: [f64; 2],
    /// Requests among them answered with 5xx.
    pub errors: f64,
    /// CPU seconds.
    pub cpu: f64,
}

impl Totals {
    /// Requests in both regimes.
    pub fn requests(&self) -> f64 {
        self.served.iter().sum()
    }
}

/// A time in which the version's share of traffic, its pods and its regime did not change.
#[derive(Clone, Debug)]
pub struct Span {
    /// Start, ms since the epoch.
    pub from_ms: i64,
    /// End; `i64::MAX` while it lasts.
    pub to_ms: i64,
    /// Requests per second offered to this version (daily mean).
    pub qps: f64,
    /// 0 healthy, 1 faulty.
    pub regime: usize,
    /// Share of 5xx.
    pub error_ratio: f64,
    /// Factor on CPU per request.
    pub cpu_factor: f64,
    /// Pods that run (ready or not).
    pub running: u32,
    /// What had been counted when the span began.
    pub start: Totals,
    /// The integrals up to that time.
    pub origin: Areas,
}

/// One run of a version in a region.
#[derive(Clone, Debug)]
pub struct Life {
    /// The version.
    pub version: Arc<str>,
    /// The pod-template-hash.
    pub template_hash: Arc<str>,
    /// Contiguous, in order; never empty.
    pub spans: Vec<Span>,
    /// Memory each pod gains per hour, as a share of its limit.
    pub leak_per_hour: f64,
    /// Latencies of the fast and the slow half, per regime.
    pub latency: [Arc<[Distribution; 2]>; 2],
}

impl Life {
    /// First instant, ms since the epoch.
    pub fn from_ms(&self) -> i64 {
        self.spans.first().map_or(i64::MAX, |s| s.from_ms)
    }

    /// The instant at which the last pod went; `i64::MAX` while it lives.
    pub fn to_ms(&self) -> i64 {
        self.spans.last().map_or(i64::MIN, |s| s.to_ms)
    }

    /// The span that holds at a time.
    pub fn span(&self, at_ms: i64) -> Option<&Span> {
        let after = self.spans.partition_point(|s| s.from_ms <= at_ms);
        self.spans.get(after.checked_sub(1)?)
    }

    /// What has been counted by a time inside the life; after its end, the last figures.
    pub fn totals(&self, profile: &Profile, baseline: &Baseline, at_ms: i64, needs: Needs) -> Totals {
        self.span(at_ms).map_or_else(Totals::default, |span| {
            let at_ms = at_ms.min(span.to_ms);
            span.totals(baseline, at_ms, &profile.areas(at_ms, needs))
        })
    }

    /// What has been counted by each of the given times, which are in order and inside
    /// the life, with the integrals up to them.
    pub fn totals_on(&self, baseline: &Baseline, grid: impl Iterator<Item = (i64, Areas)>, out: &mut Vec<Totals>) {
        let mut spans = self.spans.iter().peekable();
        for (at_ms, areas) in grid {
            while spans.peek().is_some_and(|span| span.to_ms <= at_ms) {
                spans.next();
            }
            out.push(spans.peek().map_or_else(Totals::default, |span| span.totals(baseline, at_ms, &areas)));
        }
    }

    /// Cumulative count of a bucket; the index after the last bound is `+Inf`.
    pub fn bucket(&self, totals: &Totals, bucket: usize) -> f64 {
        if bucket >= BOUNDS.len() {
            return totals.requests();
        }
        self.weighted(totals, |distribution| distribution.share(bucket))
    }

    /// Sum of all durations in seconds.
    pub fn duration_sum(&self, totals: &Totals) -> f64 {
        self.weighted(totals, |distribution| distribution.mean)
    }

    fn weighted(&self, totals: &Totals, of: impl Fn(&Distribution) -> f64) -> f64 {
        let halves = totals.served.iter().zip(&totals.slow);
        self.latency
            .iter()
            .zip(halves)
            .map(|(latency, (&served, &slow_served))| {
                let [fast, slow] = &**latency;
                (served - slow_served) * of(fast) + slow_served * of(slow)
            })
            .sum()
    }
}

impl Span {
    /// What has been counted by a time in the span, with the integrals up to it.
    pub fn totals(&self, baseline: &Baseline, at_ms: i64, areas: &Areas) -> Totals {
        let seconds = seconds_between(self.from_ms, at_ms);
        let traffic = areas.traffic - self.origin.traffic;
        let served = self.qps * traffic;
        let mut totals = self.start;
        if let Some(count) = totals.served.get_mut(self.regime) {
            *count += served;
        }
        if let Some(count) = totals.slow.get_mut(self.regime) {
            *count += self.qps * 0.5 * (traffic + areas.slow - self.origin.slow);
        }
        totals.errors += self.qps * self.error_ratio * (traffic + areas.errors - self.origin.errors);
        let busy = if baseline.qps > 0.0 { served / baseline.qps } else { 0.0 };
        totals.cpu += CPU_REQUEST
            * baseline.cpu
            * (IDLE_CPU * f64::from(self.running) * seconds
                + (1.0 - IDLE_CPU) * f64::from(baseline.replicas) * busy * self.cpu_factor);
        totals
    }
}

/// Seconds from one time to another, both in ms.
#[expect(clippy::cast_precision_loss, reason = "spans are far below 2^53 ms")]
pub fn seconds_between(from_ms: i64, to_ms: i64) -> f64 {
    to_ms.saturating_sub(from_ms) as f64 / 1000.0
}
