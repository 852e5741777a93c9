#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use std::time::Duration;

use crate::domain::link::Freshness;
use crate::domain::verdict::Verdict;
use crate::domain::workload::{Phase, Progressing};
use crate::gates::stand::{Stand, runs, stand};

#[test]
fn every_earlier_region_still_vouches() {
    type Change = fn(&mut Stand);
    let table: &[(&str, Change, Verdict, &str)] = &[
        ("healthy", |_| (), Verdict::Go, "v2 is healthy in all 2 earlier regions"),
        ("runs another", |s| s.workloads[0] = Some(runs("v1")), Verdict::NoGo, "staging runs v1, not v2"),
        ("failed", |s| s.workload("ap").phase = Phase::DeadlineExceeded, Verdict::NoGo, "the rollout of v2 failed"),
        ("paused", |s| s.workload("ap").paused = true, Verdict::Wait, "ap is paused"),
        ("pods missing", |s| s.workload("ap").replicas.available = 3, Verdict::NoGo, "only 3 of 4 pods available"),
        ("scaled to zero", |s| s.workload("ap").replicas.desired = 0, Verdict::NoGo, "scaled to zero"),
        (
            "rolling out",
            |s| s.workload("ap").phase = Phase::Progressing(Progressing::Updating),
            Verdict::Wait,
            "v2 is updating",
        ),
        ("not seen", |s| s.workloads[1] = None, Verdict::NoData, "not seen"),
        (
            "not heard",
            |s| s.freshness[0] = Freshness::Late(Duration::from_secs(60)),
            Verdict::NoData,
            "last heard 1m00s ago",
        ),
        ("only its own ring is sick", |s| s.workload("us").phase = Phase::DeadlineExceeded, Verdict::Go, "healthy"),
    ];
    for (name, change, verdict, words) in table {
        let mut stand = stand();
        change(&mut stand);
        let judged = stand.verdict("upstream", []);
        assert_eq!(judged.verdict, *verdict, "{name}: {}", judged.sentence);
        assert!(judged.sentence.starts_with("eu: ") && judged.sentence.contains(words), "{name}: {}", judged.sentence);
    }
    let mut first = stand();
    (first.region, first.entering) = ("staging", Some("v3"));
    assert_eq!(first.verdict("upstream", []).verdict, Verdict::Go);
    first.entering = None;
    assert_eq!(first.verdict("upstream", []).verdict, Verdict::NoData);
}
