//! Request duration buckets. The counts are laid so that `histogram_quantile`, which
//! interpolates linearly inside a bucket, gives back the wished p50, p95 and p99.

/// Upper bounds of the buckets in seconds; `+Inf` follows. Fine where web latencies are.
pub const BOUNDS: [f64; 24] = [
    0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.075, 0.09, 0.1, 0.11, 0.12, 0.135, 0.15, 0.175,
    0.2, 0.25, 0.3, 0.4, 0.6, 1.0, 2.5, 5.0, 10.0,
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
        Self {
            p50: self.p50 * factor,
            p95: self.p95 * factor,
            p99: self.p99 * factor,
        }
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
    /// Fits the buckets to the quantiles. Each wished quantile `q` at `x` pins the two
    /// ends of its bucket so that the line between them passes through `(x, q)`; between
    /// pinned bounds the shares are linear. Where two wishes share a bucket, the higher
    /// one wins.
    pub fn fit(wished: Quantiles) -> Self {
        let wishes = [
            (wished.p50, 0.5, 0.95),
            (wished.p95, 0.95, 0.99),
            (wished.p99, 0.99, 1.0),
        ];
        let mut knots: Vec<(f64, f64)> = vec![(0.0, 0.0), (wished.p50 * 0.4, 0.02)];
        for (i, &(x, q, next)) in wishes.iter().enumerate() {
            let (low, high) = bucket_of(x);
            let shared = wishes
                .get(i + 1)
                .is_some_and(|&(after, ..)| bucket_of(after) == (low, high));
            if shared {
                continue;
            }
            let width = (x - low) / (high - low);
            let at_high = q + (next - q) * 0.3 * (1.0 - width);
            let at_low = if width < 1.0 {
                (q - width * at_high) / (1.0 - width)
            } else {
                q
            };
            knots.retain(|&(bound, _)| bound <= low);
            let (end, floor) = knots.last().copied().unwrap_or_default();
            if end >= low {
                // The wish before pinned this bucket's lower end: only the upper one is free.
                knots.push((high, (floor + (q - floor) / width).min(1.0)));
                continue;
            }
            if width < 1.0 {
                knots.push((low, at_low.max(floor)));
            }
            knots.push((high, at_high));
        }
        let last = knots.last().map_or(0.99, |&(_, share)| share);
        knots.push((wished.p99 * 3.0, last + (1.0 - last) * 0.9));
        knots.push((wished.p99 * 8.0, 1.0));
        let shares: Vec<f64> = BOUNDS.iter().map(|&bound| on_line(&knots, bound)).collect();
        let mean = mean_of(&shares);
        Self { shares, mean }
    }

    /// Share of requests in or below a bucket; the index after the last is `+Inf`.
    pub fn share(&self, bucket: usize) -> f64 {
        self.shares.get(bucket).copied().unwrap_or(1.0)
    }
}

/// The bucket `(low, high]` that holds a latency.
fn bucket_of(x: f64) -> (f64, f64) {
    let mut low = 0.0;
    for bound in BOUNDS {
        if x <= bound {
            return (low, bound);
        }
        low = bound;
    }
    (low, low * 2.0)
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

    /// What `histogram_quantile` does, on shares.
    fn quantile(d: &Distribution, q: f64) -> f64 {
        let i = d.shares.iter().position(|&s| s >= q).unwrap_or(BOUNDS.len() - 1);
        let (low, below) = if i == 0 { (0.0, 0.0) } else { (BOUNDS[i - 1], d.shares[i - 1]) };
        low + (BOUNDS[i] - low) * (q - below) / (d.shares[i] - below)
    }

    fn dashboard() -> [Quantiles; 3] {
        [[0.041, 0.096, 0.145], [0.038, 0.088, 0.120], [0.039, 0.090, 0.130]]
            .map(|[p50, p95, p99]| Quantiles { p50, p95, p99 })
    }

    #[test]
    fn the_wished_quantiles_come_out_of_the_buckets() {
        for wished in dashboard() {
            for factor in [0.95, 1.0, 1.05, 1.4, 2.0, 3.0] {
                let wished = wished.scaled(factor);
                let fitted = Distribution::fit(wished);
                for (q, x) in [(0.5, wished.p50), (0.95, wished.p95), (0.99, wished.p99)] {
                    let got = quantile(&fitted, q);
                    assert!((got - x).abs() < x * 0.002, "{wished:?} p{q}: {got}");
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
