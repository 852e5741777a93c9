//! How a region behaves when all is well: its daily curve, its noise, its latencies.

use std::f64::consts::TAU;

use super::latency::Quantiles;
use super::wave::{Harmonic, Wave};
use crate::sim::world::history::Baseline;

/// Swing of the daily curve around its mean (±15 %).
const DAILY_SWING: f64 = 0.15;
/// Local hour at which a region is busiest.
const BUSIEST_HOUR: f64 = 20.0;
/// CPU that one pod requests, in cores.
pub const CPU_REQUEST: f64 = 1.0;
/// CPU limit of one pod, in cores.
pub const CPU_LIMIT: f64 = 2.0;
/// Memory that one pod requests, in bytes.
pub const MEMORY_REQUEST: f64 = 805_306_368.0;
/// Memory limit of one pod, in bytes.
pub const MEMORY_LIMIT: f64 = 1_073_741_824.0;
/// Share of the CPU use that does not depend on traffic.
pub const IDLE_CPU: f64 = 0.2;

/// (region, p50 and p95 as shares of p99, degrees east): the dashboard of the source document.
const KNOWN: [(&str, f64, f64, f64); 3] = [
    ("ap-south-1", 41.0 / 145.0, 96.0 / 145.0, 72.8),
    ("eu-west-1", 38.0 / 120.0, 88.0 / 120.0, -6.3),
    ("us-east-1", 39.0 / 130.0, 90.0 / 130.0, -77.5),
];

/// Hash of names and seed; the same on every machine (FNV-1a, then a mix so that
/// similar names land far apart).
pub fn seeded(seed: u64, parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

/// Shapes of a region's rates, all relative to its offered traffic.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Traffic: mean 1 over the day (or exactly scaled to be 1, noise aside, at the anchor).
    pub traffic: Wave,
    /// Noise of errors, relative to their mean, on top of the traffic's.
    pub errors: Wave,
    /// Noise of the slow half of all requests, relative to it.
    pub slow: Wave,
    /// Noise of the working set, relative to it; a gauge.
    pub memory: Wave,
    /// Latencies of a version without faults.
    pub latency: Quantiles,
}

/// Integrals of the relative rates from the origin to a time; only differences mean
/// something. What was not needed is zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct Areas {
    /// Of the traffic.
    pub traffic: f64,
    /// Of the errors' own noise.
    pub errors: f64,
    /// Of the slow half's own noise.
    pub slow: f64,
}

/// Which noises a reader needs; what is not needed is not computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Errors.
    pub errors: bool,
    /// The split into fast and slow requests.
    pub latency: bool,
}

impl Needs {
    /// Everything.
    pub const ALL: Self = Self { errors: true, latency: true };
}

impl Profile {
    /// The integrals up to a time.
    pub fn areas(&self, at_ms: i64, needs: Needs) -> Areas {
        Areas {
            traffic: self.traffic.area(at_ms),
            errors: if needs.errors { self.errors.area(at_ms) } else { 0.0 },
            slow: if needs.latency { self.slow.area(at_ms) } else { 0.0 },
        }
    }

    /// The integrals at `count` times of a grid.
    pub fn areas_on(&self, first_ms: i64, step_ms: i64, count: usize, needs: Needs) -> Vec<Areas> {
        let read = |wave: &Wave, wanted: bool| {
            let mut sums = vec![0.0; count];
            if wanted {
                wave.add_areas(first_ms, step_ms, &mut sums);
            }
            sums
        };
        let traffic = read(&self.traffic, true);
        let errors = read(&self.errors, needs.errors);
        let slow = read(&self.slow, needs.latency);
        let all = traffic.into_iter().zip(errors).zip(slow);
        all.map(|((traffic, errors), slow)| Areas { traffic, errors, slow }).collect()
    }

    /// The profile of a service in a region. With an anchor, the daily curve passes
    /// through the baseline's traffic at that time instead of having it as its mean.
    pub fn of(region: &str, service: &str, baseline: &Baseline, seed: u64, anchor_ms: Option<i64>) -> Self {
        let known = KNOWN.iter().find(|row| row.0 == region);
        let (p50, p95) = known.map_or((0.3, 0.7), |row| (row.1, row.2));
        let longitude = known.map_or_else(
            || fastrand::Rng::with_seed(seeded(seed, &["longitude", region])).f64() * 360.0 - 180.0,
            |row| row.3,
        );
        let origin = anchor_ms.unwrap_or(0);
        let noise =
            |what: &str, parts: &[(f64, f64)]| Wave::noise(seeded(seed, &[what, region, service]), origin, parts);
        let p99 = baseline.p99_ms / 1000.0;
        Self {
            traffic: daily(
                noise(
                    "traffic",
                    &[(240.0, 0.005), (660.0, 0.007), (2_200.0, 0.008), (6_100.0, 0.010), (18_000.0, 0.012)],
                ),
                longitude,
                anchor_ms,
            ),
            errors: noise("errors", &[(190.0, 0.05), (1_000.0, 0.05), (4_300.0, 0.05)]),
            slow: noise("slow", &[(300.0, 0.10), (1_400.0, 0.12), (5_400.0, 0.12)]),
            memory: noise("memory", &[(420.0, 0.004), (3_100.0, 0.010), (25_000.0, 0.012)]),
            latency: Quantiles { p50: p99 * p50, p95: p99 * p95, p99 },
        }
    }
}

/// Adds the daily curve to a noise. The Unix epoch is midnight UTC, so the phase
/// follows from the longitude alone.
fn daily(noise: Wave, longitude: f64, anchor_ms: Option<i64>) -> Wave {
    const DAY_MS: i64 = 86_400_000;
    let busiest_utc = BUSIEST_HOUR - longitude / 15.0;
    #[expect(clippy::cast_precision_loss, reason = "less than a day")]
    let origin_hour = noise.origin_ms.rem_euclid(DAY_MS) as f64 / 3_600_000.0;
    let day =
        Harmonic { amplitude: DAILY_SWING, omega: TAU / 86_400.0, phase: TAU * (origin_hour - busiest_utc) / 24.0 };
    let at_anchor = anchor_ms.map_or(1.0, |_| 1.0 + DAILY_SWING * day.phase.cos());
    let scaled = |h: Harmonic| Harmonic { amplitude: h.amplitude / at_anchor, ..h };
    Wave {
        mean: 1.0 / at_anchor,
        harmonics: std::iter::once(day).chain(noise.harmonics).map(scaled).collect(),
        origin_ms: noise.origin_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        Baseline { qps: 45_200.0, error_rate: 0.002, p99_ms: 120.0, cpu: 0.38, memory: 0.65, replicas: 12 }
    }

    #[test]
    fn an_anchored_region_has_its_normal_traffic_at_the_anchor() {
        for hour in 0..24 {
            let anchor = 1_780_000_000_000 + hour * 3_600_000;
            let profile = Profile::of("eu-west-1", "webapp", &baseline(), 1, Some(anchor));
            let rate = profile.traffic.rate(anchor);
            assert!((rate - 1.0).abs() < 0.06, "hour {hour}: {rate}");
        }
    }

    #[test]
    fn the_busiest_hour_follows_the_longitude() {
        let busiest = |region: &str| {
            let traffic = Profile::of(region, "webapp", &baseline(), 1, None).traffic;
            let day = 1_780_000_000_000 / 86_400_000 * 86_400_000;
            (0..24).map(|h| (h, traffic.rate(day + h * 3_600_000))).max_by(|a, b| a.1.total_cmp(&b.1)).map(|(h, _)| h)
        };
        let near = |got: Option<i64>, hour: i64| got.is_some_and(|h| (h - hour).abs() <= 2);
        assert!(near(busiest("ap-south-1"), 15), "{:?}", busiest("ap-south-1"));
        assert!(near(busiest("eu-west-1"), 20), "{:?}", busiest("eu-west-1"));
    }
}
