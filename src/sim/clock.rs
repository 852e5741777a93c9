//! The simulation's time: a start, plus tokio's elapsed time times a speed.
//!
//! Tokio's clock can be paused in tests; then this one stands still and moves with it,
//! so that the same script gives the same history.

use std::time::Duration;

use jiff::fmt::strtime;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Sim time: `start + (tokio now - origin) × speed`. Clones share the same time.
#[derive(Clone, Debug)]
pub struct SimClock {
    start: Timestamp,
    origin: Instant,
    speed: f64,
}

impl SimClock {
    /// Starts a clock at `start`, now. `speed` is simulated seconds per real second;
    /// values that are not positive and finite count as 1.
    pub fn new(start: Timestamp, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        Self { start, origin: Instant::now(), speed }
    }

    /// The machine's time: where a simulation starts unless it is told.
    pub fn wall() -> Timestamp {
        Timestamp::now()
    }

    /// The simulated time now.
    pub fn now(&self) -> Timestamp {
        let elapsed = self.origin.elapsed().mul_f64(self.speed);
        let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX);
        self.start.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// The time this clock started at.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Simulated seconds per real second.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Real (tokio) time since the clock started.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// How long to sleep in real (tokio) time for `sim` to pass. Negative spans are zero.
    pub fn real(&self, sim: SignedDuration) -> Duration {
        Duration::try_from(sim).unwrap_or(Duration::ZERO).div_f64(self.speed)
    }

    /// Sleeps until `sim` of simulated time has passed.
    pub async fn sleep(&self, sim: SignedDuration) {
        tokio::time::sleep(self.real(sim)).await;
    }
}

/// A time as `metav1.Time` writes it: whole seconds, UTC, `Z`.
pub fn rfc3339(at: Timestamp) -> String {
    strtime::format("%Y-%m-%dT%H:%M:%SZ", &at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default()
}

/// A time as `metav1.MicroTime` writes it: six decimals, UTC, `Z`.
pub fn rfc3339_micro(at: Timestamp) -> String {
    strtime::format("%Y-%m-%dT%H:%M:%S.%6fZ", &at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_passes_at_the_given_speed_and_only_with_tokios_clock() {
        let start: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
        let clock = SimClock::new(start, 600.0);
        assert_eq!(clock.now(), start);
        clock.sleep(SignedDuration::from_mins(10)).await;
        let passed = clock.now().duration_since(start);
        assert!((passed - SignedDuration::from_mins(10)).abs() < SignedDuration::from_secs(1));
        assert_eq!(clock.real(SignedDuration::from_secs(600)), Duration::from_secs(1));
    }

    #[test]
    fn times_are_written_as_kubernetes_writes_them() {
        let at: Timestamp = "2026-03-02T10:00:00.123456789Z".parse().unwrap();
        assert_eq!(rfc3339(at), "2026-03-02T10:00:00Z");
        assert_eq!(rfc3339_micro(at), "2026-03-02T10:00:00.123456Z");
    }
}
