#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use std::time::Duration;

use super::*;
use crate::domain::link::Freshness;
use crate::domain::workload::{Phase, Progressing};
use crate::gates::stand::{params, runs, stand, text};

fn rule() -> [(&'static str, Param); 2] {
    [("service", text("accounts")), ("at_least", text("v2.3"))]
}

#[test]
fn the_other_service_must_be_there_first() {
    let mut stand = stand();
    let mut accounts = stand.service.clone();
    accounts.name = "accounts".into();
    assert_eq!(stand.verdict("requires", rule()).verdict, Verdict::NoData, "not released there");
    for (version, verdict) in [
        ("v2.3.0", Verdict::Go),
        ("v2.10.0", Verdict::Go),
        ("3", Verdict::Go),
        ("v2.2.9", Verdict::NoGo),
        ("v2.3.0-rc1", Verdict::NoGo),
        ("latest", Verdict::NoData),
    ] {
        stand.others = vec![(accounts.clone(), Some(runs(version)), Freshness::Live)];
        let judged = stand.verdict("requires", rule());
        assert_eq!(judged.verdict, verdict, "{version}: {}", judged.sentence);
    }
    let mut rolling = runs("v2.4.0");
    rolling.phase = Phase::Progressing(Progressing::Updating);
    stand.others = vec![(accounts.clone(), Some(rolling), Freshness::Live)];
    assert_eq!(stand.verdict("requires", rule()).verdict, Verdict::Wait);
    stand.others = vec![(accounts.clone(), None, Freshness::Live)];
    assert_eq!(stand.verdict("requires", rule()).verdict, Verdict::NoData);
    stand.others = vec![(accounts, Some(runs("v2.4.0")), Freshness::Late(Duration::from_secs(60)))];
    assert_eq!(stand.verdict("requires", rule()).verdict, Verdict::NoData);
}

#[test]
fn wrong_parameters_say_which() {
    let stand = stand();
    for (given, name) in [
        (params([("at_least", text("v1"))]), "service"),
        (params([("service", text("accounts"))]), "at_least"),
        (params([("service", text("accounts")), ("at_least", text("newest"))]), "at_least"),
        (params([("service", text("web")), ("at_least", text("v1"))]), "service"),
    ] {
        assert_eq!(Requires.build(&given, &stand.service).err().map(|e| e.name).as_deref(), Some(name));
    }
}
