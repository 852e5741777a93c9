//! `bake` and `min_traffic`: time counts while somebody can see how it goes.

use super::*;

fn with_evidence(columns: &[&str]) -> Box<dyn Gate> {
    let columns = Param::List(columns.iter().map(|c| (*c).to_owned()).collect());
    gate("bake", &[("for", text("1h")), ("evidence", columns)]).unwrap()
}

#[test]
fn presets_are_lengths_by_name() {
    for (name, hours) in [("day", 24.0), ("half-day", 12.0), ("quarter-day", 6.0), ("long-soak", 1.0), ("soak", 0.5)] {
        let gate = gate("bake", &[("for", text(name))]).unwrap();
        assert_eq!(gate.minimum().as_secs_f64(), hours * 3600.0, "{name}");
    }
}

#[test]
fn stretches_without_evidence_do_not_count_as_bake() {
    let gate = with_evidence(&["errors"]);
    assert_eq!(gate.needs(), [Need::Windows(ColumnName::new("errors"))]);
    assert_eq!(Case::good().judge(&*gate).verdict, Verdict::Go);
    let gap = || case().errors((1..=12).map(|n| (n * 5, if n < 4 { Err(NoData::Gap) } else { Ok(0.1) })));
    let judged = gap().judge(&*gate);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Wait, "45m00s/1h00m"), "{}", judged.sentence);
    assert_eq!(judged.until, Some(at(75)));
    let said = "15m00s without evidence do not count, first the window to ";
    assert!(judged.evidence.iter().any(|l| l.starts_with(said) && l.ends_with("(errors: gap in the samples)")));
    // What a person accepted counts.
    assert_eq!(gap().accepts((5, 15), digest(1)).judge(&*gate).verdict, Verdict::Go);
    // What was not read yet may be anything.
    assert_eq!(case().judge(&*gate).verdict, Verdict::NoData);
    let mut young = case();
    young.now = at(30);
    assert_eq!(young.judge(&*gate).verdict, Verdict::Wait, "too short either way");
    // A window that lacks either of two columns is one window.
    let both = with_evidence(&["errors", "p99"]);
    let judged =
        gap().column("p99", (1..=12).map(|n| (n * 5, if n == 3 { Err(NoData::Gap) } else { Ok(0.1) }))).judge(&*both);
    assert_eq!(&*judged.cell, "45m00s/1h00m");
}

#[test]
fn the_evidence_is_what_the_rings_gates_judge_unless_said() {
    let mut case = case().errors((1..=12).map(|n| (n * 5, if n < 4 { Err(NoData::Gap) } else { Ok(0.1) })));
    assert_eq!(case.judge(&*bake("1h")).verdict, Verdict::Go, "no gate of the ring looks at a column");
    let params = Params([("column".to_owned(), text("errors"))].into());
    case.service.rings[0].exit_gates.push(GateSpec { gate: "threshold".into(), label: "errors".into(), params });
    assert_eq!(case.judge(&*bake("1h")).verdict, Verdict::Wait);
    assert_eq!(case.judge(&*with_evidence(&[])).verdict, Verdict::Go);
}

fn least(qps: f64) -> Box<dyn Gate> {
    gate("min_traffic", &[("min", Param::Number(qps))]).unwrap()
}

#[test]
fn too_little_traffic_is_no_data_and_never_go() {
    let with =
        |qps: &[Reading]| case().column("qps", qps.iter().cloned().enumerate().map(|(n, q)| (n as i64 * 5 + 5, q)));
    let mut qps: Vec<Reading> = vec![Ok(10.0); 12];
    assert_eq!(with(&qps).judge(&*least(10.0)).verdict, Verdict::Go);
    qps[11] = Ok(9.0);
    assert_eq!(with(&qps).judge(&*least(10.0)).verdict, Verdict::Go, "one of three");
    qps[10] = Ok(9.0);
    let judged = with(&qps).judge(&*least(10.0));
    assert_eq!(judged.verdict, Verdict::NoData);
    assert!(judged.sentence.contains("2 of the last 3 windows"), "{}", judged.sentence);
    qps[11] = Err(NoData::Timeout);
    assert_eq!(with(&qps).judge(&*least(1.0)).verdict, Verdict::NoData);
    assert_eq!(case().judge(&*least(1.0)).verdict, Verdict::NoData);
}

#[test]
fn the_rings_least_traffic_is_a_rule_for_its_metric_gates() {
    let mut case = Case::good().column("qps", (1..=12).map(|n| (n * 5, Ok(if n == 6 { 3.0 } else { 50.0 }))));
    assert_eq!(case.judge(&*errors_below_one_percent()).verdict, Verdict::Go);
    let params = Params([("min".to_owned(), Param::Number(5.0))].into());
    case.service.rings[0].exit_gates.push(GateSpec { gate: "min_traffic".into(), label: "traffic".into(), params });
    let judged = case.judge(&*errors_below_one_percent());
    assert_eq!(judged.verdict, Verdict::NoData);
    assert!(judged.sentence.contains("too little traffic"), "{}", judged.sentence);
    assert_eq!(&*case.judge(&*with_evidence(&["errors"])).cell, "55m00s/1h00m");
}

#[test]
fn what_lies_before_the_windows_that_are_read_is_no_evidence() {
    // Prometheus is dead, and the ring has run its version for two weeks.
    let days = |days: i64, known: i64| {
        let mut case = case();
        case.now = at(days * 24 * 60);
        let from = (days - 7).max(0) * 288 + 1;
        let known = days * 288 - known + 1;
        case.errors((from..=days * 288).map(move |n| (n * 5, if n < known { Err(NoData::Gap) } else { Ok(0.1) })))
    };
    let gate = with_evidence(&["errors"]);
    for age in [2, 7, 8, 14, 60] {
        let judged = days(age, 0).judge(&*gate);
        assert_ne!(judged.verdict, Verdict::Go, "{age} days: {}", judged.sentence);
        let judged = days(age, 12).judge(&*gate);
        assert_eq!(judged.verdict, Verdict::Go, "{age} days, and the last hour is seen: {}", judged.sentence);
    }
    // All of the last seven days is seen: the bake is as old as it is.
    assert_eq!(&*days(14, 7 * 288).judge(&*gate).cell, "14d00h");
    // Only a bake that is longer than seven days counts what cannot be read any more.
    let long = gate_of("10d");
    assert_eq!(days(14, 7 * 288 - 12).judge(&*long).verdict, Verdict::Wait);
    assert_eq!(days(60, 0).judge(&*long).verdict, Verdict::Wait);
}

fn gate_of(length: &str) -> Box<dyn Gate> {
    gate("bake", &[("for", text(length)), ("evidence", Param::List(vec!["errors".to_owned()]))]).unwrap()
}
