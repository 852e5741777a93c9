//! Samples with everything that makes PromQL hard: resets, gaps, jitter, late starts,
//! early ends, NaN and infinities, histograms with odd buckets.

use gonogo::sim::model::Labels;
use gonogo::sim::prom::storage::SampleList;
use gonogo::sim::prom::value::Sample;

/// 2026-06-01T12:00:00Z.
pub const START: i64 = 1_780_315_200_000;
const SCRAPE: i64 = 15_000;

fn series(list: &mut SampleList, name: &str, labels: &[(&str, &str)], samples: Vec<(i64, f64)>) {
    let all = [("__name__", name)].into_iter().chain(labels.iter().copied());
    let samples = samples.into_iter().map(|(t, v)| Sample { t: START + t, v }).collect();
    list.push(Labels::new(all), samples);
}

/// A counter over an hour: `rate` per second, with noise, a reset now and then.
fn counter(seed: u64, rate: f64, reset_every: i64, jitter: i64) -> Vec<(i64, f64)> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut value = 0.0;
    (0..240)
        .map(|i| {
            if reset_every > 0 && i % reset_every == reset_every - 1 {
                value = 0.0;
            }
            value += (rate * 15.0 * (0.5 + rng.f64())).round();
            let late = if jitter > 0 { rng.i64(0..jitter) } else { 0 };
            (i * SCRAPE + late, value)
        })
        .collect()
}

/// The list that both sides evaluate.
pub fn list() -> SampleList {
    let mut list = SampleList::default();
    let regions = ["ap-south-1", "eu-west-1", "us-east-1"];
    for (i, region) in regions.into_iter().enumerate() {
        for (j, (version, code, rate)) in
            [("v1", "200", 400.0), ("v1", "500", 0.8), ("v2", "200", 90.0), ("v2", "503", 0.3)].into_iter().enumerate()
        {
            let seed = (i * 10 + j) as u64;
            let reset = if j == 2 { 70 } else { 0 };
            let mut samples = counter(seed, rate * (i + 1) as f64, reset, if i == 1 { 900 } else { 0 });
            if version == "v2" && i == 0 {
                samples.retain(|s| s.0 >= 1_000_000); // came later
            }
            if version == "v1" && i == 2 {
                samples.retain(|s| s.0 <= 2_500_000); // went earlier
            }
            if i == 1 && j == 0 {
                samples.retain(|s| !(1_200_000..1_900_000).contains(&s.0)); // a gap
            }
            series(
                &mut list,
                "http_requests_total",
                &[("region", region), ("version", version), ("code", code)],
                samples,
            );
        }
        histogram(&mut list, region, i as f64);
    }
    gauges(&mut list);
    list
}

fn histogram(list: &mut SampleList, region: &str, i: f64) {
    let shares = [("0.025", 0.2), ("0.05", 0.55 - 0.1 * i), ("0.1", 0.9), ("0.25", 0.985), ("1", 0.999), ("+Inf", 1.0)];
    for (le, share) in shares {
        let samples = (0..240).map(|n| (n * SCRAPE, (n as f64 * 300.0 * (1.0 + i) * share).floor())).collect();
        series(list, "duration_seconds_bucket", &[("region", region), ("le", le)], samples);
    }
    // Odd histograms: without observations, without +Inf, one bucket, counts that fall.
    let still = |v: f64| (0..240).map(|n| (n * SCRAPE, v)).collect::<Vec<_>>();
    series(list, "odd_bucket", &[("region", region), ("case", "empty"), ("le", "1")], still(0.0));
    series(list, "odd_bucket", &[("region", region), ("case", "empty"), ("le", "+Inf")], still(0.0));
    series(list, "odd_bucket", &[("region", region), ("case", "no-inf"), ("le", "1")], still(3.0));
    series(list, "odd_bucket", &[("region", region), ("case", "no-inf"), ("le", "2")], still(5.0));
    series(list, "odd_bucket", &[("region", region), ("case", "one"), ("le", "+Inf")], still(5.0));
    for (le, n) in [("-1", 2.0), ("1", 8.0), ("2", 6.0), ("3", 10.0), ("+Inf", 10.0)] {
        series(list, "odd_bucket", &[("region", region), ("case", "falls"), ("le", le)], still(n));
    }
    for (le, n) in [("x", 4.0), ("1", 8.0), ("1.0", 1.0), ("+Inf", 10.0)] {
        series(list, "odd_bucket", &[("region", region), ("case", "names"), ("le", le)], still(n));
    }
}

fn gauges(list: &mut SampleList) {
    let gauge = |f: fn(f64) -> f64| (0..240).map(|n| (n * SCRAPE, f(n as f64))).collect::<Vec<_>>();
    series(list, "gauge", &[("kind", "wave"), ("region", "eu-west-1")], gauge(|n| (n / 9.0).sin() * 100.0));
    series(list, "gauge", &[("kind", "line"), ("region", "eu-west-1")], gauge(|n| n * 3.5 - 200.0));
    series(list, "gauge", &[("kind", "steps"), ("region", "us-east-1")], gauge(|n| (n / 20.0).floor()));
    series(list, "gauge", &[("kind", "flat"), ("region", "us-east-1")], gauge(|_| 7.25));
    series(
        list,
        "gauge",
        &[("kind", "nan"), ("region", "us-east-1")],
        gauge(|n| if n % 7.0 == 3.0 { f64::NAN } else { n }),
    );
    series(
        list,
        "gauge",
        &[("kind", "inf"), ("region", "us-east-1")],
        gauge(|n| if n % 50.0 == 49.0 { f64::INFINITY } else { -n }),
    );
    series(list, "gauge", &[("kind", "zero"), ("region", "ap-south-1")], gauge(|_| 0.0));
    series(
        list,
        "gauge",
        &[("kind", "sparse"), ("region", "ap-south-1")],
        (0..12).map(|n| (n * 290_000 + 11, n as f64)).collect(),
    );
    series(list, "gauge", &[("kind", "tiny"), ("region", "ap-south-1")], gauge(|n| (n + 1.0) * 1e-9));
    series(list, "limit", &[("region", "eu-west-1")], gauge(|_| 50.0));
    series(list, "limit", &[("region", "us-east-1")], gauge(|_| 5.0));
    series(list, "owner", &[("region", "eu-west-1"), ("team", "north")], gauge(|_| 1.0));
    series(list, "owner", &[("region", "us-east-1"), ("team", "west")], gauge(|_| 1.0));
}
