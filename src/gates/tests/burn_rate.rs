//! `burn_rate`: hand-checked against the factors of error-budget alerts.

use super::*;

/// Errors so many 5-minute windows ago (0: the newest), three days of them.
fn burning(errors: impl Fn(i64) -> Reading) -> Case {
    let windows = (0..864).map(|ago| (60 - ago * 5, errors(ago)));
    case().errors(windows.collect::<Vec<_>>().into_iter().rev())
}

fn burn(case: &Case, params: &[(&str, Param)]) -> Judgement {
    let mut all = vec![("column", text("errors"))];
    if !params.iter().any(|(n, _)| *n == "slo") {
        all.push(("slo", text("99.9%")));
    }
    all.extend(params.iter().cloned());
    case.judge(&*case.gate("burn_rate", &all).unwrap())
}

/// A service whose traffic is not measured: every window weighs the same.
fn unweighted(mut case: Case) -> Case {
    case.service.columns.retain(|c| !c.is_traffic);
    case
}

#[test]
fn both_windows_of_a_pair_must_burn() {
    // 99.9 %: 0.1 % of errors burn at 1×. 14.4× over an hour is 2 % of a budget of 30 days.
    type Case = (&'static str, fn(i64) -> f64, Verdict);
    let table: &[Case] = &[
        ("quiet", |_| 0.0005, Verdict::Go),
        ("exactly at the factor", |_| 0.001, Verdict::Go),
        ("an hour at 15×", |ago| if ago < 12 { 0.015 } else { 0.0 }, Verdict::NoGo),
        ("the same, but over now", |ago| if (1..13).contains(&ago) { 0.0172 } else { 0.0 }, Verdict::Go),
        ("six hours at 20×, over for one", |ago| if (12..84).contains(&ago) { 0.02 } else { 0.0 }, Verdict::Findings),
        ("five minutes at 100×: 8.3× an hour", |ago| if ago < 1 { 0.1 } else { 0.0 }, Verdict::Go),
        ("six hours at 7×", |ago| if ago < 72 { 0.007 } else { 0.0 }, Verdict::NoGo),
        ("a day at 4×", |ago| if ago < 288 { 0.004 } else { 0.0 }, Verdict::Findings),
        ("three days at 1.1×", |_| 0.0011, Verdict::Findings),
        ("three days ago", |ago| if ago > 600 { 0.5 } else { 0.0 }, Verdict::Go),
    ];
    for (name, errors, verdict) in table {
        let judged = burn(&unweighted(burning(|ago| Ok(errors(ago)))), &[]);
        assert_eq!(judged.verdict, *verdict, "{name}: {} {:?}", judged.sentence, judged.evidence);
    }
    let judged = burn(&unweighted(burning(|ago| Ok(if ago < 12 { 0.015 } else { 0.0 }))), &[]);
    assert_eq!(
        &*judged.sentence,
        "eu: the error budget of 99.9 % burns 15.00× over 1h00m, 15.00× over 5m00s, 14.4× is the limit"
    );
    assert_eq!(judged.evidence.iter().filter(|l| l.contains("is the limit")).count(), 4);
}

#[test]
fn windows_weigh_by_their_traffic() {
    // Half of the hour at 30× with a tenth of the traffic: (6·0.03·1 + 0)/(6·1 + 6·9) is 3×.
    let case = burning(|ago| Ok(if ago < 6 { 0.03 } else { 0.0 }));
    let case = case.column("qps", (0..864).map(|ago| (60 - ago * 5, Ok(if ago < 6 { 1.0 } else { 9.0 }))));
    let judged = burn(&case, &[("pairs", text("14.4 1h 5m"))]);
    assert_eq!(judged.verdict, Verdict::Go, "{}", judged.sentence);
    assert!((judged.figure_of("burn").unwrap() - 3.0).abs() < 1e-9, "{:?}", judged.figures);
    // Where nobody asks for anything, nothing fails.
    let idle = burning(|_| Err(NoData::NotANumber)).column("qps", (0..864).map(|ago| (60 - ago * 5, Ok(0.0))));
    assert_eq!(burn(&idle, &[]).verdict, Verdict::Go);
}

#[test]
fn what_is_unknown_counts_as_burning_before_anything_is_go() {
    let judged = burn(&unweighted(case()), &[]);
    assert_eq!(judged.verdict, Verdict::NoData, "{}", judged.sentence);
    let hole = |at: i64| unweighted(burning(move |ago| if ago == at { Err(NoData::Timeout) } else { Ok(0.0) }));
    assert_eq!(burn(&hole(0), &[]).verdict, Verdict::NoData, "the newest may be anything");
    let judged = burn(&hole(60), &[]);
    assert_eq!(judged.verdict, Verdict::Findings, "1.4 % of six hours, if all of it failed: {}", judged.sentence);
    assert!(judged.sentence.contains("nobody can tell"), "{}", judged.sentence);
    assert_eq!(burn(&hole(3), &[]).verdict, Verdict::NoData, "half an hour of it would be NO-GO");
    assert_eq!(burn(&hole(200), &[]).verdict, Verdict::Go, "no short window reaches it");
    // A fault that is known stays one.
    let burning = unweighted(burning(|ago| if ago == 3 { Err(NoData::Gap) } else { Ok(0.1) }));
    assert_eq!(burn(&burning, &[]).verdict, Verdict::NoGo);
}

#[test]
fn objectives_are_per_region_and_pairs_are_the_users() {
    let case = unweighted(burning(|_| Ok(0.0008)));
    assert_eq!(burn(&case, &[]).verdict, Verdict::Go);
    let stricter = ("slo_of", Param::List(vec!["eu 99.95%".into()]));
    let judged = burn(&case, &[stricter]);
    assert_eq!(judged.verdict, Verdict::Findings, "1.6× over three days: {}", judged.sentence);
    assert_eq!(burn(&case, &[("pairs", text("0.5 1h 10m"))]).verdict, Verdict::NoGo);
    assert_eq!(burn(&case, &[("pairs", text("0.5 1h 10m watch"))]).verdict, Verdict::Findings);
    assert_eq!(burn(&case, &[("slo", Param::Number(0.99))]).verdict, Verdict::Go);
}

#[test]
fn the_budget_that_is_left_is_shown() {
    // 0.05 % of errors over 3 of 30 days: 0.5× of a tenth is 5 % of the budget.
    let judged = burn(&unweighted(burning(|_| Ok(0.0005))), &[]);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Go, "0.5× ≤95%"));
    assert!((judged.figure_of("budget_left_at_most").unwrap() - 0.95).abs() < 1e-9);
    let measured = |left: Reading, age: i64| {
        let mut case = unweighted(burning(|_| Ok(0.0005)));
        case.current.insert(ColumnName::new("heap"), (at(60 - age), left));
        case
    };
    let budget = [("budget", text("heap")), ("min_budget", text("10%"))];
    let judged = burn(&measured(Ok(0.42), 0), &budget);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Go, "0.5× 42%"), "{}", judged.sentence);
    assert_eq!(judged.figure_of("budget_left"), Some(0.42));
    let judged = burn(&measured(Ok(0.04), 0), &budget);
    assert_eq!(judged.verdict, Verdict::NoGo);
    assert_eq!(&*judged.sentence, "eu: 4 % of the error budget is left, 10 % must be");
    for unknown in [measured(Ok(0.42), 11), measured(Err(NoData::Empty), 0), unweighted(burning(|_| Ok(0.0)))] {
        assert_eq!(burn(&unknown, &budget).verdict, Verdict::NoData);
        assert_eq!(burn(&unknown, &budget[..1]).verdict, Verdict::Go, "only said");
    }
}

proptest! {
    #[test]
    fn a_worse_sample_never_moves_a_verdict_towards_go(
        errors in prop::collection::vec(prop_oneof![3 => 0.0..0.02, 1 => Just(-1.0)], 72),
        which in 0usize..72,
        by in 0.0..0.5,
    ) {
        let read = |v: f64| if v < 0.0 { Err(NoData::Gap) } else { Ok(v) };
        let judge = |errors: &[f64]| {
            let recent = |ago: i64| errors.get(ago as usize).map_or(Ok(0.0), |v| read(*v));
            burn(&unweighted(burning(recent)), &[]).verdict
        };
        let before = judge(&errors);
        let mut worse = errors.clone();
        if worse[which] >= 0.0 {
            worse[which] += by;
            prop_assert!(judge(&worse) >= before);
            worse[which] = -1.0;
            let unknown = judge(&worse);
            prop_assert!(unknown >= Verdict::Findings || before == Verdict::Go);
            prop_assert!(before <= Verdict::Findings || unknown > Verdict::Findings);
        }
    }
}
