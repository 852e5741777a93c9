//! Request duration buckets. The counts are laid so that `histogram_quantile`, which
//! interpolates linearly inside a bucket, gives back the wished p50, p95 and p99.

/// Upper bounds of the buckets in seconds; `+Inf` follows. Fine where web latencies are.
pub const BOUNDS: [f64; 24] = [
    0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.075, 0.09, 0.1, 0.11, 0.12, 0.135, 0.15, 0.175, 0.2, 0.25, 0.3, 0.4,
    0.6, 1.0, 2.5, 5.0, 10.0,
];

/// The latencies of a version in a region, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantiles {
    /// Half of all requests are faster.
    pub p50: f64,
    /// 95 % are faster.
    pub p95: f64,
    /// 99 % are faster.
    pub p99: f64,
}

impl Quantiles {
    /// All latencies times a factor.
    pub fn scaled(self, factor: f64) -> Self {
        Self { p50: self.p50 * factor, p95: self.p95 * factor, p99: self.p99 * factor }
    }
}

/// Cumulative shares at [`BOUNDS`], and the mean duration in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Share of requests at most as slow as the bound with the same index.
    pub shares: Vec<f64>,
    /// Mean, as the buckets' middles say it.
    pub mean: f64,
}

impl Distribution {
    /// Fits the buckets to the quantiles. The shares start on a line through the wished
    /// points. Then each wish moves the two ends of its bucket as little as makes the line
    /// between them pass through it, and the shares are kept from falling; both in turn
    /// until they agree.
    pub fn fit(wished: Quantiles) -> Self {
        const ROUNDS: usize = 200;
        const EXACT: f64 = 1e-9;
        let goals = [(0.5, wished.p50), (0.95, wished.p95), (0.99, wished.p99)];
        let mut shares = shares_through(goals.map(|(_, x)| x));
        for _ in 0..ROUNDS {
            let off = goals.iter().map(|&(q, x)| bend(&mut shares, q, x)).fold(0.0, f64::max);
            let mut below = 0.0;
            for (share, &bound) in shares.iter_mut().zip(&BOUNDS) {
                let (least, most) = between_wishes(&goals, bound);
                *share = share.clamp(least, most).max(below);
                below = *share;
            }
            if off < EXACT {
                break;
            }
        }
        let mean = mean_of(&shares);
        Self { shares, mean }
    }

    /// Share of requests in or below a bucket; the index after the last is `+Inf`.
    pub fn share(&self, bucket: usize) -> f64 {
        self.shares.get(bucket).copied().unwrap_or(1.0)
    }
}

/// The shares at the bounds on a line through the three points, with a fast end and a
/// long tail.
fn shares_through([p50, p95, p99]: [f64; 3]) -> Vec<f64> {
    let p95 = p95.max(p50 * 1.01);
    let p99 = p99.max(p95 * 1.01);
    let knots = [(p50 * 0.4, 0.02), (p50, 0.5), (p95, 0.95), (p99, 0.99), (p99 * 3.0, 0.9995), (p99 * 8.0, 1.0)];
    BOUNDS.iter().map(|&bound| on_line(&knots, bound)).collect()
}

/// The shares that a bound may have: no less than the wishes below it, and not quite as
/// much as the next one above.
fn between_wishes(goals: &[(f64, f64)], bound: f64) -> (f64, f64) {
    const CLOSEST: f64 = 0.999;
    let least = goals.iter().filter(|&&(_, x)| x <= bound).map(|&(q, _)| q).fold(0.0, f64::max);
    let next = goals.iter().filter(|&&(_, x)| x > bound).map(|&(q, _)| q).fold(1.0, f64::min);
    (least, if next < 1.0 { least + (next - least) * CLOSEST } else { 1.0 })
}

/// Moves the ends of the bucket around `x` so that `q` lies there; says how far it was off.
fn bend(shares: &mut [f64], q: f64, x: f64) -> f64 {
    let Some(high) = BOUNDS.iter().position(|&bound| x <= bound) else {
        return 0.0;
    };
    let end = BOUNDS.get(high).copied().unwrap_or(x);
    let (start, below) = match high.checked_sub(1) {
        Some(low) => (BOUNDS.get(low).copied().unwrap_or(0.0), shares.get(low).copied().unwrap_or(0.0)),
        None => (0.0, 0.0),
    };
    let up = (x - start) / (end - start);
    let down = if high == 0 { 0.0 } else { 1.0 - up };
    let at = down * below + up * shares.get(high).copied().unwrap_or(1.0);
    let push = (q - at) / (up * up + down * down);
    if let Some(share) = shares.get_mut(high) {
        *share += push * up;
    }
    if let Some(share) = high.checked_sub(1).and_then(|low| shares.get_mut(low)) {
        *share += push * down;
    }
    (q - at).abs()
}

/// The share at `x` on the line through sorted knots; 1 after the last.
fn on_line(knots: &[(f64, f64)], x: f64) -> f64 {
    let mut before = (0.0, 0.0);
    for &(bound, share) in knots {
        if x <= bound {
            let width = bound - before.0;
            let part = if width > 0.0 { (x - before.0) / width } else { 1.0 };
            return before.1 + part * (share - before.1);
        }
        before = (bound, share);
    }
    1.0
}

fn mean_of(shares: &[f64]) -> f64 {
    let (mut low, mut below, mut mean) = (0.0, 0.0, 0.0);
    for (&bound, &share) in BOUNDS.iter().zip(shares) {
        mean += (share - below) * (low + bound) / 2.0;
        (low, below) = (bound, share);
    }
    mean + (1.0 - below) * low
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    /// What `histogram_quantile` makes of the shares.
    fn quantile(shares: &[f64], q: f64) -> f64 {
        let (mut low, mut below) = (0.0, 0.0);
        for (&bound, &share) in BOUNDS.iter().zip(shares) {
            if share >= q {
                return low + (bound - low) * (q - below) / (share - below);
            }
            (low, below) = (bound, share);
        }
        low
    }

    fn dashboard() -> [Quantiles; 3] {
        [[0.041, 0.096, 0.145], [0.038, 0.088, 0.120], [0.039, 0.090, 0.130]].map(|[p50, p95, p99]| Quantiles {
            p50,
            p95,
            p99,
        })
    }

    #[test]
    fn the_wished_quantiles_come_out_of_the_buckets() {
        for wished in dashboard() {
            for factor in [0.95, 1.0, 1.05, 1.4, 2.0, 3.0] {
                let wished = wished.scaled(factor);
                let fitted = Distribution::fit(wished);
                for (q, x) in [(0.5, wished.p50), (0.95, wished.p95), (0.99, wished.p99)] {
                    let got = quantile(&fitted.shares, q);
                    assert!((got - x).abs() < x * 0.015, "{wished:?} p{q}: {got}");
                }
            }
        }
    }

    #[test]
    fn shares_never_fall_and_end_at_one() {
        for tenths in 1..80 {
            let fitted = Distribution::fit(dashboard()[0].scaled(f64::from(tenths) / 10.0));
            let mut below = 0.0;
            for share in &fitted.shares {
                assert!(*share >= below && *share <= 1.0, "{tenths}: {:?}", fitted.shares);
                below = *share;
            }
            assert_eq!(fitted.share(BOUNDS.len()), 1.0);
        }
    }
}
