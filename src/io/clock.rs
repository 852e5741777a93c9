//! The only reader of time outside the simulation.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::SignedDuration;

use crate::domain::stamp::{Stamp, Timestamp};

/// Tells the time. Cheap to copy around; every part of one process uses the same one.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    /// This host's clocks.
    Host { origin: Instant },
    /// A wall clock that runs at a speed of its own; monotonic time stays real, because
    /// ages of connections are about the network and not about the simulated world.
    Simulated { start: Timestamp, speed: f64, origin: Instant },
    /// Tokio's clock: stands still and jumps where a test pauses it.
    Tokio {
        start: Timestamp,
        origin: tokio::time::Instant,
        /// By how much its wall time was set forward, in ms.
        forward: AtomicI64,
    },
}

impl Clock {
    /// This host's clocks.
    pub fn host() -> Self {
        Self(Arc::new(Source::Host { origin: Instant::now() }))
    }

    /// A wall clock that starts at `start` and runs `speed` times as fast.
    pub fn simulated(start: Timestamp, speed: f64) -> Self {
        Self(Arc::new(Source::Simulated { start, speed, origin: Instant::now() }))
    }

    /// Wall time that starts at `start` and follows tokio's clock, paused or not.
    ///
    /// Must be called inside a tokio runtime.
    pub fn tokio(start: Timestamp) -> Self {
        let origin = tokio::time::Instant::now();
        Self(Arc::new(Source::Tokio { start, origin, forward: AtomicI64::new(0) }))
    }

    /// Sets the wall time of a [`Clock::tokio`] forward, or back where negative, as somebody who corrects a
    /// host's clock does; monotonic time runs on. The host's own clock is not ours to set.
    pub fn set_forward(&self, by: SignedDuration) {
        if let Source::Tokio { forward, .. } = &*self.0 {
            forward.fetch_add(i64::try_from(by.as_millis()).unwrap_or(0), Ordering::Relaxed);
        }
    }

    /// Wall and monotonic time, read together.
    pub fn now(&self) -> Stamp {
        match &*self.0 {
            Source::Host { origin } => Stamp { wall: Timestamp::now(), mono: origin.elapsed() },
            Source::Simulated { start, speed, origin } => {
                let mono = origin.elapsed();
                Stamp { wall: after(*start, mono.as_secs_f64() * speed), mono }
            }
            Source::Tokio { start, origin, forward } => {
                let mono = origin.elapsed();
                let set = SignedDuration::from_millis(forward.load(Ordering::Relaxed));
                let start = start.checked_add(set).unwrap_or(*start);
                Stamp { wall: after(start, mono.as_secs_f64()), mono }
            }
        }
    }

    /// Wall time only.
    pub fn wall(&self) -> Timestamp {
        self.now().wall
    }

    /// The wall time at which a real wait of `length` that begins now ends.
    pub fn wall_after(&self, length: Duration) -> Timestamp {
        after(self.wall(), length.as_secs_f64() * self.speed())
    }

    /// Real time until the wall clock shows the next second.
    pub fn to_next_second(&self) -> Duration {
        let past = f64::from(self.wall().subsec_nanosecond()) / 1e9;
        let left = if past < 0.0 { -past } else { 1.0 - past };
        Duration::try_from_secs_f64(left / self.speed()).unwrap_or(Duration::from_secs(1))
    }

    /// Wall seconds per real second.
    fn speed(&self) -> f64 {
        match &*self.0 {
            Source::Simulated { speed, .. } => *speed,
            Source::Host { .. } | Source::Tokio { .. } => 1.0,
        }
    }
}

/// `seconds` after `start`; at the end of representable time it stays there.
fn after(start: Timestamp, seconds: f64) -> Timestamp {
    SignedDuration::try_from_secs_f64(seconds).ok().and_then(|d| start.checked_add(d).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_moves_only_when_time_is_advanced() {
        let start: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let clock = Clock::tokio(start);
        assert_eq!(clock.now(), clock.now());
        tokio::time::advance(Duration::from_secs(90)).await;
        assert_eq!(clock.now().mono, Duration::from_secs(90));
        assert_eq!(clock.wall().to_string(), "2026-11-21T10:01:30Z");
        assert_eq!(clock.wall_after(Duration::from_secs(30)).to_string(), "2026-11-21T10:02:00Z");
    }

    #[tokio::test(start_paused = true)]
    async fn wall_time_can_be_set_and_monotonic_time_runs_on() {
        let clock = Clock::tokio("2026-11-21T10:00:00Z".parse().unwrap());
        tokio::time::advance(Duration::from_secs(5)).await;
        clock.set_forward(SignedDuration::from_secs(-65));
        assert_eq!(clock.now().mono, Duration::from_secs(5));
        assert_eq!(clock.wall().to_string(), "2026-11-21T09:59:00Z");
        clock.set_forward(SignedDuration::from_secs(60));
        assert_eq!(clock.wall().to_string(), "2026-11-21T10:00:00Z");
    }

    #[test]
    fn a_simulated_wall_clock_runs_at_its_speed_and_monotonic_time_does_not() {
        let start: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let clock = Clock::simulated(start, 600.0);
        let now = clock.now();
        let ran = now.wall.duration_since(start).as_secs_f64();
        assert!((ran - now.mono.as_secs_f64() * 600.0).abs() < 1e-3, "{ran} {now:?}");
        let ahead = clock.wall_after(Duration::from_secs(1)).duration_since(clock.wall()).as_secs_f64();
        assert!((599.0..=601.0).contains(&ahead), "{ahead}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_second_is_never_further_than_one() {
        let clock = Clock::tokio("2026-11-21T10:00:00.25Z".parse().unwrap());
        assert_eq!(clock.to_next_second(), Duration::from_millis(750));
        tokio::time::advance(Duration::from_millis(750)).await;
        assert_eq!(clock.to_next_second(), Duration::from_secs(1));
        let early = Clock::tokio("1969-12-31T23:59:59.25Z".parse().unwrap());
        assert_eq!(early.to_next_second(), Duration::from_millis(750));
        let fast = Clock::simulated("2026-11-21T10:00:00Z".parse().unwrap(), 600.0);
        assert!(fast.to_next_second() <= Duration::from_millis(2));
    }

    #[test]
    fn no_speed_and_no_age_overflows() {
        let start: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        assert_eq!(after(start, f64::INFINITY), Timestamp::MAX);
        assert_eq!(after(start, 1e18), Timestamp::MAX);
    }
}
