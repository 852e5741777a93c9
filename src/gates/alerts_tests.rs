#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use crate::domain::fleet::Param;
use crate::domain::metric::NoData;
use crate::domain::verdict::Verdict;
use crate::gates::stand::{stand, text};

#[test]
fn an_alert_that_fires_is_no_go() {
    let mut stand = stand();
    let judged = stand.verdict("alerts", []);
    assert_eq!(judged.verdict, Verdict::NoData, "not asked yet");
    let query = super::FIRING;
    for (value, verdict) in [
        (Ok(0.0), Verdict::Go),
        (Ok(1.0), Verdict::NoGo),
        (Ok(f64::NAN), Verdict::NoData),
        (Err(NoData::Timeout), Verdict::NoData),
    ] {
        stand.query(query, value);
        let judged = stand.verdict("alerts", []);
        assert_eq!(judged.verdict, verdict, "{}", judged.sentence);
    }
    stand.query(query, Ok(2.0));
    assert_eq!(stand.verdict("alerts", [("max", Param::Number(2.0))]).verdict, Verdict::Go);
    stand.now = stand.now.checked_add(crate::domain::stamp::SignedDuration::from_mins(2)).unwrap();
    assert_eq!(stand.verdict("alerts", []).verdict, Verdict::NoData, "too old");
    let own = [("query", text("sum(my_alerts{region=\"{{region}}\"})"))];
    assert!(stand.verdict("alerts", own).evidence.iter().any(|l| l.contains("my_alerts")));
}

#[test]
fn wrong_parameters_say_which() {
    let stand = stand();
    for (name, value) in [
        ("max", Param::Number(-1.0)),
        ("max", text("none")),
        ("query", text(" ")),
        ("query", Param::Flag(true)),
        ("query", text("up{r=\"{{regoin}}\"}")),
        ("query", text("up{{")),
    ] {
        assert_eq!(stand.build("alerts", [(name, value)]).err().map(|e| e.name).as_deref(), Some(name));
    }
}
