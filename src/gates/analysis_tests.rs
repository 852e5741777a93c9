#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use crate::domain::steps::{StepAnalysis, Steps};
use crate::domain::verdict::Verdict;
use crate::gates::stand::{Stand, stand, text};

fn with(runs: &[(&'static str, &str)]) -> Stand {
    let mut stand = stand();
    let one = |(what, phase): &(&'static str, &str)| StepAnalysis {
        what,
        name: "errors-1".into(),
        phase: (*phase).into(),
        message: "".into(),
    };
    let steps = Steps { analyses: runs.iter().map(one).collect(), ..Steps::default() };
    let ix = stand.ix("eu");
    stand.workloads[ix].as_mut().unwrap().progress.steps = Some(Box::new(steps));
    stand
}

#[test]
fn the_worst_analysis_counts_and_what_is_not_known_is_not_green() {
    for (runs, verdict) in [
        (vec![("step", "Successful")], Verdict::Go),
        (vec![("step", "Successful"), ("background", "Running")], Verdict::Wait),
        (vec![("step", "Failed"), ("background", "Inconclusive")], Verdict::NoGo),
        (vec![("step", "Error")], Verdict::NoGo),
        (vec![("step", "Successful"), ("background", "Inconclusive")], Verdict::NoData),
        (vec![("step", "Dreaming")], Verdict::NoData),
        (vec![("experiment", "")], Verdict::NoData),
        (vec![], Verdict::NoData),
    ] {
        let judged = with(&runs).verdict("analysis", []);
        assert_eq!(judged.verdict, verdict, "{runs:?}: {}", judged.sentence);
    }
}

#[test]
fn one_sort_is_asked_alone() {
    let stand = with(&[("step", "Failed"), ("after the switch", "Successful")]);
    assert_eq!(stand.verdict("analysis", [("only", text("post-promotion"))]).verdict, Verdict::Go);
    assert_eq!(stand.verdict("analysis", [("only", text("step"))]).verdict, Verdict::NoGo);
    assert_eq!(stand.verdict("analysis", [("only", text("background"))]).verdict, Verdict::NoData);
}

#[test]
fn what_is_no_rollout_has_no_analyses() {
    let judged = stand().verdict("analysis", [("only", text("step"))]);
    assert_eq!(judged.verdict, Verdict::NoData);
    assert!(judged.sentence.contains("only an Argo Rollout"), "{}", judged.sentence);
}
