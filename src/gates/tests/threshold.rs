//! `threshold`, and what every metric gate shares with it.

use super::*;

#[test]
fn a_threshold_judges_every_complete_window_of_the_bake() {
    let gate = errors_below_one_percent();
    let with = |readings: Vec<(i64, Reading)>| {
        let changed: BTreeMap<i64, Reading> = (1..=12).map(|n| (n * 5, Ok(0.002))).chain(readings).collect();
        case().errors(changed)
    };
    let table: Vec<(&str, Case, Verdict, &str)> = vec![
        ("all within", with(vec![]), Verdict::Go, "in all 12 windows"),
        ("exactly at the bound", with(vec![(30, Ok(0.01))]), Verdict::Go, "the worst was 1.00 %"),
        ("one outside", with(vec![(30, Ok(0.0101))]), Verdict::Findings, "1.01 % in the window to"),
        ("two apart", with(vec![(30, Ok(0.02)), (45, Ok(0.03))]), Verdict::Findings, "2 single windows outside"),
        (
            "two of three, long ago",
            with(vec![(30, Ok(0.02)), (40, Ok(0.03))]),
            Verdict::Wait,
            "a person must accept it",
        ),
        ("two of three, now", with(vec![(50, Ok(0.02)), (60, Ok(0.03))]), Verdict::NoGo, "2 windows outside since"),
        ("still", with(vec![(45, Ok(0.2)), (50, Ok(0.5)), (60, Err(NoData::Gap))]), Verdict::NoGo, "50.0 %"),
        ("over, and unknown", with(vec![(20, Ok(0.5)), (25, Ok(0.5)), (35, Err(NoData::Gap))]), Verdict::NoData, "gap"),
        ("NaN as a reason", with(vec![(30, Err(NoData::NotANumber))]), Verdict::NoData, "NaN"),
        ("NaN as a number", with(vec![(30, Ok(f64::NAN))]), Verdict::NoData, "NaN"),
        ("infinite", with(vec![(30, Ok(f64::INFINITY))]), Verdict::NoData, "infinite"),
        ("a gap", with(vec![(30, Err(NoData::Gap))]), Verdict::NoData, "gap"),
        ("partial", with(vec![(5, Err(NoData::Warning("store down".into())))]), Verdict::NoData, "store down"),
        ("before the bake", with(vec![(0, Ok(0.9)), (-5, Err(NoData::Gap))]), Verdict::Go, "in all 12"),
        ("not yet over", with(vec![(65, Ok(0.9))]), Verdict::Go, "in all 12"),
        ("nothing asked", case(), Verdict::NoData, "not asked yet"),
    ];
    for (name, case, verdict, words) in table {
        let judged = case.judge(&*gate);
        assert_eq!(judged.verdict, verdict, "{name}: {}", judged.sentence);
        assert!(judged.sentence.contains(words), "{name}: {}", judged.sentence);
        assert!(judged.evidence.iter().any(|l| l.contains("windows of 5 min")), "{name}");
    }
    assert_eq!(gate.needs(), [Need::Windows(ColumnName::new("errors"))]);
}

#[test]
fn only_windows_that_lie_wholly_in_the_bake_count() {
    let gate = errors_below_one_percent();
    let mut case = Case::good();
    // Settled a second after the boundary: the window that was under way is not judged.
    case.bake_start = Some(BakeStart { at: at(0) + SignedDuration::from_secs(1), source: BakeSource::Record });
    case = case.errors([(5, Ok(0.9)), (10, Ok(0.001))]);
    case.now = at(11);
    assert_eq!(case.judge(&*gate).verdict, Verdict::Go);
    // Before the first window is over there is nothing to judge.
    case.now = at(7);
    let judged = case.judge(&*gate);
    assert_eq!((judged.verdict, judged.until), (Verdict::Wait, Some(at(10))));
}

#[test]
fn the_newest_window_may_take_a_moment_and_then_it_is_missing() {
    let gate = errors_below_one_percent();
    let mut case = case().errors((1..=11).map(|n| (n * 5, Ok(0.002))));
    assert_eq!(case.judge(&*gate).verdict, Verdict::Go);
    case.now = at(62);
    assert_eq!(case.judge(&*gate).verdict, Verdict::NoData);
    // Where it is there already, it counts at once.
    let mut case = case.errors((1..=11).map(|n| (n * 5, Ok(0.002))).chain([(60, Ok(0.5))]));
    case.now = at(60);
    assert_eq!(case.judge(&*gate).verdict, Verdict::Findings);
}

#[test]
fn a_threshold_may_want_several_windows() {
    let params = [("column", text("errors")), ("max", Param::Number(0.01)), ("windows", Param::Number(24.0))];
    let gate = gate("threshold", &params).unwrap();
    let judged = Case::good().judge(&*gate);
    assert_eq!((judged.verdict, judged.until), (Verdict::Wait, Some(at(120))), "{}", judged.sentence);
    assert_eq!(gate.minimum(), Duration::from_secs(7200));
}

#[test]
fn a_ring_that_runs_for_weeks_is_judged_on_its_last_week() {
    let gate = errors_below_one_percent();
    let weeks = 30 * 24 * 60;
    let mut case = case().errors((0..2100).map(|n| (weeks - n * 5, Ok(0.002))).chain([(5, Ok(0.9))]));
    case.now = at(weeks);
    let judged = case.judge(&*gate);
    assert_eq!(judged.verdict, Verdict::Go, "{}", judged.sentence);
    assert!(judged.sentence.contains("2016 windows"), "{}", judged.sentence);
}

/// The release of the war story: settled at 02:00 UTC, 15 % errors from 23:55 to 00:10.
fn midnight() -> Case {
    let start: Timestamp = "2026-11-19T02:00:00Z".parse().unwrap();
    let mut case = case().bakes("24h");
    case.bake_start = Some(BakeStart { at: start, source: BakeSource::Condition });
    let minutes = |text: &str| text.parse::<Timestamp>().unwrap();
    let (from, to) = (minutes("2026-11-19T23:55:00Z"), minutes("2026-11-20T00:10:00Z"));
    let ends = (1..=12 * 60).map(|n| start + WINDOW * n);
    let windows = ends.map(|end| (end, Ok(if end > from && end <= to { 0.15 } else { 0.0002 }))).collect();
    case.windows.insert(ColumnName::new("errors"), windows);
    case
}

fn judged_at(mut case: Case, now: &str) -> Judgement {
    case.now = now.parse().unwrap();
    let seen = case.windows[&ColumnName::new("errors")].iter().filter(|(end, _)| *end <= case.now);
    let seen = seen.map(|(end, value)| (end, value.map_err(Clone::clone))).collect();
    case.windows.insert(ColumnName::new("errors"), seen);
    case.judge(&*errors_below_one_percent())
}

#[test]
fn a_quarter_of_an_hour_at_midnight_is_no_go_though_the_mean_is_fine() {
    let judged = judged_at(midnight(), "2026-11-20T00:10:00Z");
    assert_eq!(judged.verdict, Verdict::NoGo, "{}", judged.sentence);
    assert_eq!(
        &*judged.sentence,
        "eu: errors was 15.0 % in the window to 2026-11-20 00:00 UTC, ≤ 1.00 % is the bound; 3 windows outside since 2026-11-19 23:55 UTC, and it lasts"
    );
    let mean = judged.figure_of("mean").unwrap();
    assert!(mean < 0.002, "a gate on the mean of the bake would pass: {mean}");
    assert!((judged.figure_of("worst_hour").unwrap() - 0.0377).abs() < 0.001, "{:?}", judged.figures);
    assert!(judged.evidence.iter().any(|l| l.starts_with("worst hour 3.7")), "{:?}", judged.evidence);
}

#[test]
fn after_a_violation_the_bake_runs_again_from_its_end() {
    let end: Timestamp = "2026-11-21T00:10:00Z".parse().unwrap();
    for (now, verdict) in [
        // It ends when two of three windows are within again.
        ("2026-11-20T00:15:00Z", Verdict::NoGo),
        ("2026-11-20T00:20:00Z", Verdict::Wait),
        ("2026-11-20T23:00:00Z", Verdict::Wait),
        ("2026-11-21T00:10:00Z", Verdict::Go),
    ] {
        let judged = judged_at(midnight(), now);
        assert_eq!(judged.verdict, verdict, "{now}: {}", judged.sentence);
        assert_eq!(judged.until, (verdict == Verdict::Wait).then_some(end), "{now}");
    }
}

#[test]
fn an_accepted_stretch_no_longer_stands_in_the_way_of_what_ran_then() {
    let gate = errors_below_one_percent();
    let windows = || (1..=12).map(|n| (n * 5, Ok(if n == 4 || n == 5 { 0.3 } else { 0.002 })));
    let before = case().errors(windows()).judge(&*gate);
    assert_eq!(before.verdict, Verdict::Wait, "{}", before.sentence);
    let stretch = before.acceptable.unwrap();
    assert_eq!((stretch.from, stretch.to), (at(20), at(25)));
    let accepted = case().errors(windows()).accepts((20, 25), digest(1)).judge(&*gate);
    assert_eq!(accepted.verdict, Verdict::Go, "{}", accepted.sentence);
    assert!(accepted.evidence.iter().any(|l| l.starts_with("ana accepted") && l.ends_with("a batch job")));
    // Half of it, or what another template did, is not enough.
    for (minutes, template) in [((20, 20), digest(1)), ((20, 25), digest(2))] {
        let judged = case().errors(windows()).accepts(minutes, template).judge(&*gate);
        assert_eq!(judged.verdict, Verdict::Wait, "{}", judged.sentence);
    }
    // What lasts cannot be accepted.
    let lasts = || (1..=12).map(|n| (n * 5, Ok(if n >= 10 { 0.3 } else { 0.002 })));
    let judged = case().errors(lasts()).accepts((0, 60), digest(1)).judge(&*gate);
    assert_eq!((judged.verdict, judged.acceptable), (Verdict::NoGo, None));
    // A single window, or a gap, can be.
    for bad in [Ok(0.3), Err(NoData::Timeout)] {
        let windows = || (1..=12).map(|n| (n * 5, if n == 4 { bad.clone() } else { Ok(0.002) }));
        assert_eq!(case().errors(windows()).judge(&*gate).acceptable.map(|s| s.from), Some(at(20)));
        assert_eq!(case().errors(windows()).accepts((20, 20), digest(1)).judge(&*gate).verdict, Verdict::Go);
    }
}

#[test]
fn violations_and_their_end_are_counted_as_configured() {
    let with = |k: f64, n: f64| {
        let params = [
            ("column", text("errors")),
            ("max", text("1%")),
            ("violations", Param::Number(k)),
            ("of", Param::Number(n)),
        ];
        gate("threshold", &params).unwrap()
    };
    let windows = |bad: &[i64]| {
        let bad = bad.to_vec();
        case().errors((1..=12).map(move |n| (n * 5, Ok(if bad.contains(&n) { 0.3 } else { 0.002 }))))
    };
    for (k, n, bad, verdict) in [
        (1.0, 1.0, &[12][..], Verdict::NoGo),
        (1.0, 1.0, &[11], Verdict::Wait),
        (3.0, 3.0, &[11, 12], Verdict::Findings),
        (3.0, 3.0, &[10, 11, 12], Verdict::NoGo),
        // Not over before three of three are within.
        (3.0, 3.0, &[7, 8, 9, 11], Verdict::NoGo),
        (2.0, 6.0, &[7, 12], Verdict::NoGo),
        (2.0, 6.0, &[6, 12], Verdict::Findings),
    ] {
        let judged = windows(bad).judge(&*with(k, n));
        assert_eq!(judged.verdict, verdict, "{k} of {n}, {bad:?}: {}", judged.sentence);
    }
}

#[test]
fn a_grace_does_not_count_and_gaps_may_be_allowed() {
    let with = |name: &str, value: &str| {
        gate("threshold", &[("column", text("errors")), ("max", text("1%")), (name, text(value))]).unwrap()
    };
    let cold = || case().errors((1..=12).map(|n| (n * 5, Ok(if n <= 3 { 0.3 } else { 0.002 }))));
    assert_eq!(cold().judge(&*errors_below_one_percent()).verdict, Verdict::Wait);
    assert_eq!(cold().judge(&*with("grace", "15m")).verdict, Verdict::Go);
    assert_eq!(cold().judge(&*with("grace", "10m")).verdict, Verdict::Findings, "one window is left");
    let gap = |at: std::ops::RangeInclusive<i64>| {
        case().errors((1..=12).map(move |n| (n * 5, if at.contains(&n) { Err(NoData::Gap) } else { Ok(0.002) })))
    };
    assert_eq!(gap(4..=5).judge(&*with("gaps", "10m")).verdict, Verdict::Findings);
    assert_eq!(gap(4..=6).judge(&*with("gaps", "10m")).verdict, Verdict::NoData);
    assert_eq!(gap(12..=12).judge(&*with("gaps", "10m")).verdict, Verdict::NoData, "unknown now");
}

#[test]
fn too_little_traffic_is_no_data() {
    let params = [("column", text("errors")), ("max", text("1%")), ("min_traffic", Param::Number(5.0))];
    let gate = gate("threshold", &params).unwrap();
    assert_eq!(gate.needs().len(), 2);
    let with =
        |qps: Vec<Reading>| Case::good().column("qps", qps.into_iter().enumerate().map(|(n, q)| (n as i64 * 5 + 5, q)));
    assert_eq!(with(vec![Ok(5.0); 12]).judge(&*gate).verdict, Verdict::Go);
    for bad in [Ok(4.9), Err(NoData::Timeout)] {
        let mut qps = vec![Ok(5.0); 12];
        qps[3] = bad;
        let judged = with(qps).judge(&*gate);
        assert_eq!(judged.verdict, Verdict::NoData, "{}", judged.sentence);
    }
    assert_eq!(Case::good().judge(&*gate).verdict, Verdict::NoData, "traffic was not asked for");
}

proptest! {
    /// A window with more errors is never better evidence.
    #[test]
    fn a_worse_sample_never_moves_a_verdict_towards_go(
        readings in prop::collection::vec(prop_oneof![
            4 => (0.0..0.02).prop_map(Ok),
            1 => Just(Err(NoData::Gap)),
        ], 24),
        which in 0usize..24,
        by in 0.0..0.05,
        k in 1usize..4,
        more in 0usize..4,
        bake in prop_oneof![Just(None), Just(Some("30m")), Just(Some("90m"))],
    ) {
        let params = [
            ("column", text("errors")),
            ("max", text("1%")),
            ("violations", Param::Number(k as f64)),
            ("of", Param::Number((k + more) as f64)),
        ];
        let gate = gate("threshold", &params).unwrap();
        let judge = |readings: &[Reading]| {
            let case = case().errors(readings.iter().cloned().enumerate().map(|(n, r)| (n as i64 * 5 + 5, r)));
            let mut case = match bake {
                Some(length) => case.bakes(length),
                None => case,
            };
            case.now = at(120);
            case.judge(&*gate)
        };
        let before = judge(&readings);
        let mut worse = readings.clone();
        if let Ok(value) = &mut worse[which] {
            *value += by;
        }
        let after = judge(&worse);
        prop_assert!(after.verdict >= before.verdict, "{} became {}", before.sentence, after.sentence);
        worse[which] = Err(NoData::Timeout);
        let after = judge(&worse);
        prop_assert!(after.verdict > Verdict::Go || before.verdict == Verdict::Go, "{}", after.sentence);
    }
}
