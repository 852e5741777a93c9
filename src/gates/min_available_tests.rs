#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use std::time::Duration;

use crate::domain::fleet::{Capacity, Param};
use crate::domain::link::Freshness;
use crate::domain::verdict::Verdict;
use crate::gates::stand::{Stand, stand, text};

fn sized() -> Stand {
    let mut stand = stand();
    for (region, qps) in stand.service.regions.iter_mut().zip([10.0, 20.0, 30.0, 40.0]) {
        region.capacity = Some(Capacity { qps, measured: None });
    }
    stand
}

#[test]
fn so_many_others_serve_while_this_one_changes() {
    let two = || [("regions", Param::Number(2.0))];
    let mut stand = sized();
    assert_eq!(stand.verdict("min_available", two()).verdict, Verdict::Go);
    stand.workload("us").replicas.available = 0;
    assert_eq!(stand.verdict("min_available", two()).verdict, Verdict::Go, "staging and ap");
    stand.freshness[1] = Freshness::Late(Duration::from_secs(60));
    let judged = stand.verdict("min_available", two());
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::NoData, "1/2"), "{}", judged.sentence);
    assert!(judged.sentence.contains("ap: its cluster was last heard"), "{}", judged.sentence);
    stand.workload("staging").replicas.available = 0;
    assert_eq!(stand.verdict("min_available", two()).verdict, Verdict::NoGo, "ap alone is not two");
}

#[test]
fn missing_pods_are_missing_capacity() {
    let most = || [("capacity", text("60%"))];
    let mut stand = sized();
    // 70 of 100.
    assert_eq!(&*stand.verdict("min_available", most()).cell, "70 %");
    stand.workload("us").replicas.available = 2;
    let judged = stand.verdict("min_available", most());
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::NoGo, "50 %"));
    stand.service.regions.iter_mut().for_each(|r| r.capacity = None);
    assert!(stand.build("min_available", most()).is_err());
}

#[test]
fn wrong_parameters_say_which() {
    let stand = sized();
    for (name, value) in [
        ("regions", Param::Number(0.0)),
        ("regions", Param::Number(4.0)),
        ("regions", text("two")),
        ("capacity", text("120%")),
        ("capacity", text("much")),
        ("capacity", Param::Flag(true)),
    ] {
        assert_eq!(stand.build("min_available", [(name, value)]).err().map(|e| e.name).as_deref(), Some(name));
    }
    assert_eq!(stand.build("min_available", []).err().map(|e| e.name).as_deref(), Some("regions"));
}
