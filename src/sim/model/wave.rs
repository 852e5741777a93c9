//! A rate over time: a mean and a few harmonics, so that its integral is closed-form.

use std::f64::consts::TAU;

/// One cosine: `amplitude · cos(omega · seconds + phase)`.
#[derive(Clone, Copy, Debug)]
pub struct Harmonic {
    /// In units of the rate.
    pub amplitude: f64,
    /// Radians per second.
    pub omega: f64,
    /// Radians.
    pub phase: f64,
}

/// A rate per second as a smooth function of time. Times are milliseconds since the
/// Unix epoch; `origin_ms` keeps the arguments small and so the sums exact.
#[derive(Clone, Debug)]
pub struct Wave {
    /// The mean rate per second.
    pub mean: f64,
    /// What is added to the mean.
    pub harmonics: Vec<Harmonic>,
    /// The time that counts as zero.
    pub origin_ms: i64,
}

impl Wave {
    /// A seeded noise around zero: one harmonic per (period in seconds, amplitude),
    /// the period moved by up to a fifth and the phase drawn from the seed.
    pub fn noise(seed: u64, origin_ms: i64, parts: &[(f64, f64)]) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let harmonics = parts
            .iter()
            .map(|&(period, amplitude)| Harmonic {
                amplitude,
                omega: TAU / (period * (0.8 + 0.4 * rng.f64())),
                phase: TAU * rng.f64(),
            })
            .collect();
        Self { mean: 0.0, harmonics, origin_ms }
    }

    /// Seconds since the origin. Exact: milliseconds fit a float's mantissa.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53 ms")]
    fn seconds(&self, at_ms: i64) -> f64 {
        at_ms.saturating_sub(self.origin_ms) as f64 / 1000.0
    }

    /// The rate at a time.
    pub fn rate(&self, at_ms: i64) -> f64 {
        let t = self.seconds(at_ms);
        self.harmonics.iter().fold(self.mean, |sum, h| sum + h.amplitude * (h.omega * t + h.phase).cos())
    }

    /// The integral from the origin to a time (an antiderivative: only differences mean something).
    pub fn area(&self, at_ms: i64) -> f64 {
        let t = self.seconds(at_ms);
        self.harmonics.iter().fold(self.mean * t, |sum, h| sum + h.amplitude / h.omega * (h.omega * t + h.phase).sin())
    }
}

impl Wave {
    /// Adds [`Self::area`] at `first_ms`, `first_ms + step_ms`, … to what is in `sums`.
    /// Each harmonic is turned by a fixed angle per step instead of asking for a sine,
    /// and set right again every now and then.
    pub fn add_areas(&self, first_ms: i64, step_ms: i64, sums: &mut [f64]) {
        const TURNS: usize = 64;
        let mut first = first_ms;
        for chunk in sums.chunks_mut(TURNS) {
            let t = self.seconds(first);
            let dt = self.seconds(self.origin_ms.saturating_add(step_ms));
            let mut mean = self.mean * t;
            for sum in chunk.iter_mut() {
                *sum += mean;
                mean += self.mean * dt;
            }
            for h in &self.harmonics {
                let size = h.amplitude / h.omega;
                let (mut sin, mut cos) = (h.omega * t + h.phase).sin_cos();
                let (turn_sin, turn_cos) = (h.omega * dt).sin_cos();
                for sum in chunk.iter_mut() {
                    *sum += size * sin;
                    (sin, cos) = (sin * turn_cos + cos * turn_sin, cos * turn_cos - sin * turn_sin);
                }
            }
            first = first.saturating_add(step_ms.saturating_mul(64));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn the_area_is_the_integral_of_the_rate() {
        let mut wave = Wave::noise(7, 1_000_000, &[(240.0, 3.0), (86_400.0, 20.0)]);
        wave.mean = 100.0;
        let (from, to) = (1_500_000_i64, 3_300_000_i64);
        let steps = 180_000;
        let dt = (to - from) as f64 / 1000.0 / f64::from(steps);
        let sum: f64 = (0..steps).map(|i| wave.rate(from + i64::from(i) * 10 + 5) * dt).sum();
        let exact = wave.area(to) - wave.area(from);
        assert!((sum - exact).abs() < 1e-3, "{sum} is not {exact}");
    }

    #[test]
    fn a_constant_rate_integrates_to_rate_times_seconds() {
        let wave = Wave { mean: 40.0, harmonics: vec![], origin_ms: 0 };
        assert!((wave.area(90_000) - wave.area(30_000) - 2_400.0).abs() < 1e-9);
    }

    #[test]
    fn one_seed_gives_one_noise() {
        let parts = [(60.0, 1.0), (600.0, 2.0)];
        let (a, b) = (Wave::noise(3, 0, &parts), Wave::noise(3, 0, &parts));
        assert_eq!(a.rate(123_456), b.rate(123_456));
        assert_ne!(a.rate(123_456), Wave::noise(4, 0, &parts).rate(123_456));
    }

    #[test]
    fn areas_on_a_grid_are_those_at_its_times() {
        let mut wave = Wave::noise(9, 0, &[(240.0, 3.0), (86_400.0, 20.0)]);
        wave.mean = 100.0;
        let mut sums = vec![0.0; 500];
        wave.add_areas(7_000, 15_000, &mut sums);
        for (at, got) in (7_000..).step_by(15_000).zip(sums) {
            assert!((got - wave.area(at)).abs() < 1e-6, "{at}");
        }
    }
}
