#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use crate::gates::stand::{Stand, list, params, stand, template, text};

fn configured(each: [&str; 4]) -> Stand {
    let mut stand = stand();
    for (workload, name) in stand.workloads.iter_mut().flatten().zip(each) {
        workload.configurations = if name.is_empty() { Box::default() } else { Box::new([template(name)]) };
    }
    stand
}

#[test]
fn a_region_that_differs_from_most_others_is_told() {
    for (each, verdict, words) in [
        (["a", "a", "a", "a"], Verdict::Go, "as 3 other regions"),
        (["a", "b", "a", "a"], Verdict::Go, "as 2 other regions"),
        (["a", "a", "b", "a"], Verdict::Findings, "otherwise than staging, ap, us"),
        (["a", "b", "c", "a"], Verdict::Findings, "otherwise than staging, us"),
        (["a", "a", "", "a"], Verdict::NoData, "not known"),
        (["", "", "a", ""], Verdict::NoData, "no other region is seen"),
    ] {
        let stand = configured(each);
        let judged = stand.verdict("drift", []);
        assert_eq!(judged.verdict, verdict, "{each:?}: {}", judged.sentence);
        assert!(judged.sentence.contains(words), "{each:?}: {}", judged.sentence);
        let strict = stand.verdict("drift", [("strict", Param::Flag(true))]).verdict;
        assert_eq!(strict == Verdict::NoGo, verdict == Verdict::Findings);
    }
}

#[test]
fn each_set_of_fields_that_may_differ_is_a_digest_of_its_own() {
    let mut stand = stand();
    let path = "/spec/template/spec/containers[name=web]/env[name=REGION]";
    stand.exit(0, "drift", params([]));
    stand.exit(1, "drift", params([("except", list(&[path]))]));
    stand.exit(2, "drift", params([]));
    assert_eq!(allowed_sets(&stand.service), [vec![], vec![CarryPath::parse(path).unwrap_or(CarryPath(Vec::new()))]]);
    stand
        .service
        .carries
        .push(Carry::Pointer { path: CarryPath(Vec::new()), value: crate::domain::fleet::CarryValue::Verbatim });
    assert_eq!(left_out(&stand.service).iter().map(Vec::len).collect::<Vec<_>>(), [1, 2], "and what is carried");
    for bad in [text("env"), text("/spec/replicas"), list(&["/spec/template/spec/containers[name]/env"])] {
        assert_eq!(stand.build("drift", [("except", bad)]).err().map(|e| e.name).as_deref(), Some("except"));
    }
    assert_eq!(stand.build("drift", [("strict", text("yes"))]).err().map(|e| e.name).as_deref(), Some("strict"));
}
