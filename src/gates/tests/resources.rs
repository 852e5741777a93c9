//! `resources`: a leak is within every bound until it is not.

use super::*;

/// Memory by the window of a bake of 24 hours.
fn day(memory: impl Fn(i64) -> Reading) -> Case {
    let mut case = case().bakes("24h").column("heap", (1..=288).map(|n| (n * 5, memory(n))));
    case.now = at(24 * 60);
    case
}

fn growth(case: &Case, params: &[(&str, Param)]) -> Judgement {
    let mut all = vec![("column", text("heap"))];
    all.extend(params.iter().cloned());
    case.judge(&*case.gate("resources", &all).unwrap())
}

const MIB: f64 = 1024.0 * 1024.0;

#[test]
fn a_leak_is_found_though_every_window_is_within_bounds() {
    // One percent of the first mean an hour is 18 % from the first six hours to the last.
    let leaking = |per_hour: f64| day(move |n| Ok(400.0 * MIB * (1.0 + per_hour * n as f64 / 12.0)));
    for (per_hour, verdict) in [
        (0.0, Verdict::Go),
        (0.003, Verdict::Go),
        (0.01, Verdict::Findings),
        (0.02, Verdict::NoGo),
        (-0.02, Verdict::Go),
    ] {
        let judged = growth(&leaking(per_hour), &[]);
        assert_eq!(judged.verdict, verdict, "{per_hour}: {}", judged.sentence);
    }
    let judged = growth(&leaking(0.02), &[]);
    assert_eq!(&*judged.cell, "+34 %");
    assert_eq!(
        &*judged.sentence,
        "eu: heap went from 424 MiB to 568 MiB (+34 %) between the first and the last 6h00m of the bake, 20 % more is the bound"
    );
    assert_eq!(growth(&leaking(0.02), &[("growth", text("40%"))]).verdict, Verdict::Findings);
    assert_eq!(growth(&leaking(0.02), &[("growth", Param::Number(1.0))]).verdict, Verdict::Go);
}

#[test]
fn both_stretches_must_be_there_and_known() {
    let flat = |_| Ok(400.0 * MIB);
    let mut young = day(flat);
    young.now = at(11 * 60);
    young.windows.get_mut("heap").unwrap().keep(&[(at(0), at(11 * 60))]);
    let judged = growth(&young, &[]);
    assert_eq!((judged.verdict, judged.until), (Verdict::Wait, Some(at(12 * 60))), "{}", judged.sentence);
    // In a shorter bake, halves of it are compared.
    let mut short = day(flat);
    short.service.rings[0].exit_gates.clear();
    assert_eq!(growth(&short.bakes("4h"), &[]).verdict, Verdict::Go);
    for hole in [1..=13, 276..=288] {
        let judged = growth(&day(|n| if hole.contains(&n) { Err(NoData::Gap) } else { flat(n) }), &[]);
        assert_eq!(judged.verdict, Verdict::NoData, "{}", judged.sentence);
    }
    let small = growth(&day(|n| if n <= 12 { Err(NoData::Gap) } else { flat(n) }), &[]);
    assert_eq!(small.verdict, Verdict::Go, "five sixths are known");
    let nothing = growth(&day(|n| Ok(if n < 200 { 0.0 } else { MIB })), &[]);
    assert_eq!((nothing.verdict, &*nothing.cell), (Verdict::NoGo, "grew"), "{}", nothing.sentence);
}

#[test]
fn what_follows_the_traffic_is_compared_per_request() {
    // Twice the traffic, twice the use.
    let load = |n: i64| if n > 144 { 2.0 } else { 1.0 };
    let case = day(|n| Ok(100.0 * MIB * load(n))).column("qps", (1..=288).map(|n| (n * 5, Ok(50.0 * load(n)))));
    assert_eq!(growth(&case, &[]).verdict, Verdict::NoGo);
    let per_request = [("per_request", Param::Flag(true))];
    assert_eq!(growth(&case, &per_request).verdict, Verdict::Go);
    assert_eq!(growth(&day(|_| Ok(MIB)), &per_request).verdict, Verdict::NoData, "traffic is not known");
}
