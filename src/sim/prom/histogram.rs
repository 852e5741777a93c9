//! `histogram_quantile` over classic buckets, with Prometheus's rules for odd input.

use std::collections::HashMap;

use super::value::Column;
use crate::sim::model::Labels;
use crate::sim::model::labels::METRIC_NAME;

/// Relative difference of neighbouring counts that is taken for rounding.
const SAME_COUNT: f64 = 1e-12;

/// Evaluates the quantile for every group of buckets that differ only in `le`.
/// Columns without a readable `le` are left out.
pub fn histogram_quantile(q: &[f64], buckets: Vec<Column>, steps: usize) -> Vec<Column> {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut groups: Vec<(Labels, Vec<(f64, Column)>)> = Vec::new();
    for column in buckets {
        let Some(bound) = parse_bound(column.labels.get("le")) else {
            continue;
        };
        let labels = column.labels.filtered(|n| n != "le" && n != METRIC_NAME);
        let place = *places.entry(labels.clone()).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, group)) => group.push((bound, column)),
            None => groups.push((labels, vec![(bound, column)])),
        }
    }
    groups
        .into_iter()
        .map(|(labels, mut group)| {
            group.sort_by(|a, b| a.0.total_cmp(&b.0));
            let values = (0..steps)
                .map(|step| {
                    let present: Vec<(f64, f64)> =
                        group.iter().filter_map(|(le, c)| Some((*le, c.at(step)?))).collect();
                    let q = q.get(step).copied().unwrap_or(f64::NAN);
                    (!present.is_empty()).then(|| bucket_quantile(q, present))
                })
                .collect();
            Column { labels, values }
        })
        .collect()
}

/// A bound as Go's `ParseFloat` reads it.
fn parse_bound(le: &str) -> Option<f64> {
    le.parse().ok()
}

/// The quantile of buckets sorted by bound. NaN without observations, with fewer than
/// two buckets, or without `+Inf`; in the highest bucket, the bound below it.
pub fn bucket_quantile(q: f64, buckets: Vec<(f64, f64)>) -> f64 {
    if q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if buckets.last().is_none_or(|&(le, _)| le != f64::INFINITY) {
        return f64::NAN;
    }
    let buckets = monotonic(coalesced(buckets));
    let [lower @ .., (_, observations)] = buckets.as_slice() else {
        return f64::NAN;
    };
    let Some(&(highest, _)) = lower.last() else {
        return f64::NAN;
    };
    if *observations == 0.0 || observations.is_nan() {
        return f64::NAN;
    }
    let rank = q * observations;
    let place = lower.iter().position(|&(_, n)| n >= rank);
    let Some((place, &(end, cumulative))) = place.and_then(|i| Some((i, lower.get(i)?))) else {
        return highest;
    };
    let Some(&(start, below)) = place.checked_sub(1).and_then(|i| lower.get(i)) else {
        return if end <= 0.0 { end } else { end * (rank / cumulative) };
    };
    start + (end - start) * ((rank - below) / (cumulative - below))
}

/// Adds up buckets with one bound (`1` and `1.0`).
fn coalesced(buckets: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut merged: Vec<(f64, f64)> = Vec::with_capacity(buckets.len());
    for (le, n) in buckets {
        match merged.last_mut() {
            Some((bound, sum)) if *bound == le => *sum += n,
            _ => merged.push((le, n)),
        }
    }
    merged
}

/// Raises counts that are below their predecessor, so that the search is defined.
fn monotonic(mut buckets: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let mut highest = f64::NEG_INFINITY;
    for (_, n) in &mut buckets {
        let same = highest.is_finite() && (*n - highest).abs() <= SAME_COUNT * n.abs();
        if same || *n < highest {
            *n = highest;
        } else if *n > highest {
            highest = *n;
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn quantiles_are_interpolated_inside_their_bucket() {
        let buckets = vec![(0.1, 50.0), (0.2, 90.0), (0.5, 100.0), (INF, 100.0)];
        assert!((bucket_quantile(0.5, buckets.clone()) - 0.1).abs() < 1e-12);
        assert!((bucket_quantile(0.7, buckets.clone()) - 0.15).abs() < 1e-12);
        assert!((bucket_quantile(0.95, buckets.clone()) - 0.35).abs() < 1e-12);
        assert!((bucket_quantile(0.25, buckets) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn in_the_highest_bucket_the_answer_is_the_bound_below() {
        assert_eq!(bucket_quantile(0.99, vec![(0.1, 50.0), (10.0, 60.0), (INF, 100.0)]), 10.0);
    }

    #[test]
    fn odd_input_has_its_fixed_answers() {
        let good = || vec![(0.1, 5.0), (INF, 10.0)];
        assert!(bucket_quantile(0.5, vec![(0.1, 0.0), (INF, 0.0)]).is_nan(), "no observations");
        assert!(bucket_quantile(0.5, vec![(INF, 10.0)]).is_nan(), "one bucket");
        assert!(bucket_quantile(0.5, vec![(0.1, 5.0), (0.2, 10.0)]).is_nan(), "no +Inf");
        assert!(bucket_quantile(f64::NAN, good()).is_nan());
        assert_eq!(bucket_quantile(-0.1, good()), f64::NEG_INFINITY);
        assert_eq!(bucket_quantile(1.1, good()), INF);
        assert_eq!(bucket_quantile(0.1, vec![(-1.0, 5.0), (INF, 10.0)]), -1.0, "lowest bound is not above zero");
        assert!((bucket_quantile(0.9, vec![(1.0, 8.0), (2.0, 6.0), (3.0, 10.0), (INF, 10.0)]) - 2.5).abs() < 1e-12);
    }
}
