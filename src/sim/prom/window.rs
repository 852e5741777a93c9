//! Functions over the samples of one window: rate and its kin, and `*_over_time`.

use super::value::{Sample, go_max};

/// Which release's rules apply where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Prometheus 2: windows and lookback include their left end; `rate` limits the
    /// extrapolation by the counter's zero before it compares with the threshold.
    V2,
    /// Prometheus 3: windows and lookback exclude their left end.
    #[default]
    V3,
}

impl Dialect {
    /// The earliest time that still belongs to a window that ends `length` after `left`.
    pub fn first_inside(self, left: i64) -> i64 {
        match self {
            Self::V2 => left,
            Self::V3 => left + 1,
        }
    }
}

/// The samples of one series in one window; no stale markers among them.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// In order of time, at least one.
    pub samples: &'a [Sample],
    /// Left end, ms.
    pub start: i64,
    /// Right end, ms.
    pub end: i64,
    /// Evaluation time, ms (differs from `end` under `offset`).
    pub at: i64,
    /// Scalar argument of the function, where it has one.
    pub param: f64,
    /// Rules.
    pub dialect: Dialect,
}

/// A function of a window; none means that the series has no value there.
pub type WindowFn = fn(Window) -> Option<f64>;

/// The function with a PromQL name, and whether results keep the metric's name.
pub fn window_fn(name: &str) -> Option<(WindowFn, bool)> {
    let plain = |f: WindowFn| Some((f, false));
    match name {
        "rate" => plain(|w| extrapolated(w, true, true)),
        "increase" => plain(|w| extrapolated(w, true, false)),
        "delta" => plain(|w| extrapolated(w, false, false)),
        "irate" => plain(|w| last_two(w, true)),
        "idelta" => plain(|w| last_two(w, false)),
        "avg_over_time" => plain(|w| Some(mean(w))),
        "sum_over_time" => plain(|w| Some(w.values().sum())),
        "count_over_time" => plain(|w| Some(count(w.samples.len()))),
        "min_over_time" => plain(|w| extreme(w, |v, best| v < best)),
        "max_over_time" => plain(|w| extreme(w, |v, best| v > best)),
        "last_over_time" => Some((|w| w.samples.last().map(|s| s.v), true)),
        "present_over_time" => plain(|_| Some(1.0)),
        "stddev_over_time" => plain(|w| Some(variance(w).sqrt())),
        "stdvar_over_time" => plain(|w| Some(variance(w))),
        "quantile_over_time" => plain(|w| Some(quantile(w.param, &mut w.values().collect::<Vec<_>>()))),
        "changes" => plain(|w| Some(pairs(w, |a, b| a != b && !(a.is_nan() && b.is_nan())))),
        "resets" => plain(|w| Some(pairs(w, |a, b| b < a))),
        "deriv" => plain(|w| regression(w, w.samples.first()?.t).map(|(slope, _)| slope)),
        "predict_linear" => plain(|w| regression(w, w.at).map(|(slope, at)| slope * w.param + at)),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
fn count(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds, far below 2^53")]
fn seconds(from: i64, to: i64) -> f64 {
    (to - from) as f64 / 1000.0
}

impl Window<'_> {
    fn values(&self) -> impl Iterator<Item = f64> {
        self.samples.iter().map(|s| s.v)
    }
}

/// `rate`, `increase` and `delta`: the difference of the last and the first sample,
/// with resets added, extrapolated towards the window's ends where the samples come close.
fn extrapolated(w: Window, is_counter: bool, is_rate: bool) -> Option<f64> {
    let [first, .., last] = w.samples else {
        return None;
    };
    let mut result = last.v - first.v;
    if is_counter {
        result +=
            w.samples.iter().zip(w.samples.iter().skip(1)).filter(|(a, b)| b.v < a.v).map(|(a, _)| a.v).sum::<f64>();
    }
    let sampled = seconds(first.t, last.t);
    let average = sampled / count(w.samples.len() - 1);
    let threshold = average * 1.1;
    let to_zero =
        if is_counter && result > 0.0 && first.v >= 0.0 { sampled * (first.v / result) } else { f64::INFINITY };
    let close = |distance: f64| {
        if distance < threshold { distance } else { average / 2.0 }
    };
    let before = seconds(w.start, first.t);
    let before = match w.dialect {
        Dialect::V2 => close(before.min(to_zero)),
        Dialect::V3 => close(before).min(to_zero),
    };
    let after = close(seconds(last.t, w.end));
    let mut factor = (sampled + before + after) / sampled;
    if is_rate {
        factor /= seconds(w.start, w.end);
    }
    Some(result * factor)
}

/// `irate` and `idelta`: the last two samples only.
fn last_two(w: Window, is_rate: bool) -> Option<f64> {
    let [.., a, b] = w.samples else { return None };
    let reset = is_rate && b.v < a.v;
    let result = if reset { b.v } else { b.v - a.v };
    let interval = seconds(a.t, b.t);
    if interval == 0.0 {
        return None;
    }
    Some(if is_rate { result / interval } else { result })
}

fn mean(w: Window) -> f64 {
    w.values().sum::<f64>() / count(w.samples.len())
}

/// The smallest or largest value; a number beats NaN.
fn extreme(w: Window, better: fn(f64, f64) -> bool) -> Option<f64> {
    w.values().reduce(|best, v| if better(v, best) || best.is_nan() { v } else { best })
}

fn variance(w: Window) -> f64 {
    let mean = mean(w);
    w.values().map(|v| (v - mean).powi(2)).sum::<f64>() / count(w.samples.len())
}

fn pairs(w: Window, counts: fn(f64, f64) -> bool) -> f64 {
    let pairs = w.samples.iter().zip(w.samples.iter().skip(1));
    count(pairs.filter(|(a, b)| counts(a.v, b.v)).count())
}

/// Least squares: (slope per second, value at a time).
fn regression(w: Window, at: i64) -> Option<(f64, f64)> {
    let [first, _, ..] = w.samples else {
        return None;
    };
    if w.values().all(|v| v == first.v) {
        return Some((0.0, first.v));
    }
    let n = count(w.samples.len());
    let (mut sx, mut sy, mut sxy, mut sxx) = (0.0, 0.0, 0.0, 0.0);
    for s in w.samples {
        let x = seconds(at, s.t);
        sx += x;
        sy += s.v;
        sxy += x * s.v;
        sxx += x * x;
    }
    let slope = (sxy - sx * sy / n) / (sxx - sx * sx / n);
    Some((slope, sy / n - slope * sx / n))
}

/// The φ-quantile of values, weighted between neighbours; values outside 0 to 1 give ∓Inf.
pub fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    // NaN counts as smaller than every number, as in Prometheus's own ordering.
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let top = count(values.len() - 1);
    let rank = q * top;
    let lower = go_max(0.0, rank.floor());
    let upper = (lower + 1.0).min(top);
    let weight = rank - rank.floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 ..= len - 1")]
    let at = |i: f64| values.get(i as usize).copied().unwrap_or(f64::NAN);
    at(lower) * (1.0 - weight) + at(upper) * weight
}
