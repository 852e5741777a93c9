#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use crate::domain::fleet::Param;
use crate::domain::metric::NoData;
use crate::domain::verdict::Verdict;
use crate::gates::stand::{stand, text};

const LAG: &str = "max(lag_seconds{region=\"{{region}}\"})";

#[test]
fn a_lag_above_the_bound_waits_and_an_unknown_one_is_unknown() {
    let mut stand = stand();
    let rule = || [("query", text(LAG)), ("max", text("5s"))];
    assert_eq!(stand.verdict("replication", rule()).verdict, Verdict::NoData);
    for (lag, verdict) in [
        (Ok(0.0), Verdict::Go),
        (Ok(5.0), Verdict::Go),
        (Ok(5.1), Verdict::Wait),
        (Ok(-1.0), Verdict::NoData),
        (Err(NoData::Empty), Verdict::NoData),
    ] {
        stand.query(LAG, lag);
        let judged = stand.verdict("replication", rule());
        assert_eq!(judged.verdict, verdict, "{}", judged.sentence);
    }
}

#[test]
fn wrong_parameters_say_which() {
    let stand = stand();
    for (given, name) in [
        (vec![("max", text("5s"))], "query"),
        (vec![("query", text(LAG))], "max"),
        (vec![("query", text(LAG)), ("max", text("short"))], "max"),
        (vec![("query", text(LAG)), ("max", Param::Number(-1.0))], "max"),
    ] {
        let given = crate::domain::fleet::Params(given.into_iter().map(|(n, v)| (n.to_owned(), v)).collect());
        let kind = crate::gates::gate_type("replication").unwrap();
        assert_eq!(kind.build(&given, &stand.service).err().map(|e| e.name).as_deref(), Some(name));
    }
}
