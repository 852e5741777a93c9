#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::gates::stand::{at, list, params, stand, text};

#[test]
fn a_freeze_says_no_with_its_reason_and_its_end_in_both_clocks() {
    let mut stand = stand();
    let freeze = || [("during", list(&["2026-12-18 18:00..2027-01-04 06:00"])), ("reason", text("year-end"))];
    stand.now = at("2026-12-18T16:59:59Z");
    let judged = stand.verdict("freeze", freeze());
    assert_eq!(judged.verdict, Verdict::Go);
    assert!(judged.sentence.contains("the next freeze begins Fri 2026-12-18 18:00 CET (17:00 UTC)"));
    stand.now = at("2026-12-18T17:00:00Z");
    let judged = stand.verdict("freeze", freeze());
    assert_eq!(judged.verdict, Verdict::NoGo);
    assert_eq!(&*judged.sentence, "eu: frozen (year-end) until Mon 2027-01-04 06:00 CET (05:00 UTC)");
    assert_eq!(judged.until, Some(at("2027-01-04T05:00:00Z")));
    // In New York that is still six hours off.
    stand.region = "us";
    assert_eq!(stand.verdict("freeze", freeze()).verdict, Verdict::Go);
}

#[test]
fn a_bake_that_would_end_frozen_is_told_beforehand() {
    let mut stand = stand();
    stand.exit(2, "bake", params([("for", text("24h"))]));
    let freeze = || [("during", list(&["Fri 16:00-Mon 08:00"]))];
    for (now, verdict) in [
        ("2026-11-19T14:59:00Z", Verdict::Go),
        ("2026-11-19T15:00:00Z", Verdict::Findings),
        ("2026-11-20T14:59:59Z", Verdict::Findings),
        ("2026-11-20T15:00:00Z", Verdict::NoGo),
        ("2026-11-23T07:00:00Z", Verdict::Go),
    ] {
        stand.now = at(now);
        let judged = stand.verdict("freeze", freeze());
        assert_eq!(judged.verdict, verdict, "{now}: {}", judged.sentence);
    }
    stand.now = at("2026-11-19T15:00:00Z");
    let judged = stand.verdict("freeze", freeze());
    assert_eq!(
        &*judged.sentence,
        "eu: a bake of 1d00h begun now would end Fri 2026-11-20 16:00 CET (15:00 UTC), inside the freeze \
         from Fri 2026-11-20 16:00 CET (15:00 UTC) to Mon 2026-11-23 08:00 CET (07:00 UTC)"
    );
    let [(name, value)] = freeze();
    let silent = [(name, value), ("forecast", Param::Flag(false))];
    assert_eq!(stand.verdict("freeze", silent).verdict, Verdict::Go);
}

#[test]
fn a_freeze_covers_both_of_an_hour_that_comes_twice() {
    let mut stand = stand();
    // In New York 01:00 to 02:00 comes twice: 05:00 and 06:00 UTC.
    stand.region = "us";
    for (now, verdict) in [
        ("2026-11-01T05:29:00Z", Verdict::Go),
        ("2026-11-01T05:30:00Z", Verdict::NoGo),
        ("2026-11-01T05:50:00Z", Verdict::NoGo),
        ("2026-11-01T06:10:00Z", Verdict::NoGo),
        ("2026-11-01T06:45:00Z", Verdict::Go),
    ] {
        stand.now = at(now);
        assert_eq!(stand.verdict("freeze", [("during", list(&["Sun 01:30-01:45"]))]).verdict, verdict, "{now}");
    }
}

#[test]
fn wrong_parameters_say_which() {
    let stand = stand();
    for (extra, name) in [(("reason", Param::Flag(true)), "reason"), (("forecast", text("no")), "forecast")] {
        let error = stand.build("freeze", [("during", text("Sun")), extra]).err().unwrap();
        assert_eq!(error.name, name);
    }
    assert_eq!(stand.build("freeze", []).err().unwrap().name, "during");
}
