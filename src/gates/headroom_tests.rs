#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use crate::domain::fleet::{Capacity, RouteRef};
use crate::domain::verdict::Verdict;
use crate::gates::stand::{Stand, stand, text};

/// The dashboard of the source document: 12.4k, 45.2k and 52.1k, each region with room for 130 %.
fn world() -> Stand {
    let mut stand = stand();
    for (at, qps) in [(1, 12_400.0), (2, 45_200.0), (3, 52_100.0)] {
        let region = &mut stand.service.regions[at];
        region.capacity = Some(Capacity { qps: qps * 1.3, measured: None });
        region.route = Some(RouteRef {
            provider: "HTTPRoute".into(),
            cluster: 9_usize.into(),
            namespace: "edge".into(),
            name: "web".into(),
            rule: 0,
            backend: region.name.as_str().into(),
            drained_below: None,
            steps: Vec::new(),
            dwell: std::time::Duration::ZERO,
            steering: None,
        });
        stand.weights[at] = Some(10);
        stand.qps[at] = Some(qps);
    }
    stand
}

#[test]
fn losing_the_largest_region_needs_more_than_a_third_of_headroom() {
    let mut stand = world();
    stand.region = "us";
    let judged = stand.verdict("headroom", []);
    // ap and eu would carry 109.7k on a base of 57.6k: 190 %, of which they have 130 %.
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::NoGo, "147 %"), "{}", judged.sentence);
    stand.region = "ap";
    let judged = stand.verdict("headroom", []);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Go, "87 %"), "{}", judged.sentence);
    assert_eq!(stand.verdict("headroom", [("load", text("80%"))]).verdict, Verdict::NoGo);
    stand.region = "staging";
    assert_eq!(stand.verdict("headroom", []).verdict, Verdict::Go, "users do not reach it");
}

#[test]
fn only_absorbers_take_it_and_what_does_not_serve_takes_nothing() {
    let mut stand = world();
    stand.region = "ap";
    stand.service.regions[1].absorbers = vec!["us".into()];
    let judged = stand.verdict("headroom", []);
    assert!(judged.sentence.contains("us would run at 95 %"), "{}", judged.sentence);
    stand.weights[3] = Some(0);
    let judged = stand.verdict("headroom", []);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::NoGo, "nobody"));
}

#[test]
fn what_is_not_measured_or_not_sized_is_unknown() {
    for change in [
        |s: &mut Stand| s.qps[3] = None,
        |s: &mut Stand| s.qps[1] = Some(f64::NAN),
        |s: &mut Stand| s.service.regions[3].capacity = None,
        |s: &mut Stand| s.weights[3] = None,
        |s: &mut Stand| s.workloads[3] = None,
    ] {
        let mut stand = world();
        stand.region = "ap";
        change(&mut stand);
        let judged = stand.verdict("headroom", []);
        assert_eq!(judged.verdict, Verdict::NoData, "{}", judged.sentence);
    }
    let mut stand = world();
    for load in ["0%", "101%", "x"] {
        assert_eq!(stand.build("headroom", [("load", text(load))]).err().map(|e| e.name).as_deref(), Some("load"));
    }
    stand.service.regions.iter_mut().for_each(|r| r.capacity = None);
    assert!(stand.build("headroom", []).is_err());
    stand.service.columns.clear();
    assert!(stand.build("headroom", []).is_err());
}
