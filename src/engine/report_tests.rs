//! What a report tells, and what it leaves unknown.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::domain::record::{Body, Scope};
use crate::engine::fixture::{Stage, at, clock, later, moved, release};

fn ask(stage: &Stage) -> Ask {
    Ask { since: at("2026-11-01T00:00:00Z"), until: stage.now, ..Ask::default() }
}

fn of(stage: &Stage, operations: &[Operation], ask: &Ask) -> Report {
    report(&stage.fleet.services[0], &stage.state.record, operations, ask)
}

fn promoted(plan: u128, ring: &str, from: &str, to: &str) -> Body {
    Body::Promoted(crate::domain::record::Move { plan: Ulid(plan), ..moved(ring, from, to) })
}

#[test]
fn a_plan_over_two_regions_is_one_line_and_a_hold_in_every_region_too() {
    let mut stage = release();
    stage.fact("ap-south-1", clock("10:00"), promoted(1, "ring-1", "v2.0.0", "v2.1.0"));
    stage.fact("eu-west-1", clock("10:01"), promoted(1, "ring-1", "v2.0.0", "v2.1.0"));
    stage.fleet_fact(clock("11:00"), Body::Hold { scope: Scope::Service, reason: "odd graphs".into() });
    let told = of(&stage, &[], &ask(&stage)).told;
    let lines: Vec<(&str, usize, &str)> = told.iter().map(|t| (&*t.what, t.regions.len(), &*t.why)).collect();
    assert_eq!(lines, [("promoted ring-1 v2.0.0 → v2.1.0", 2, ""), ("hold service", 0, "odd graphs")]);
    assert_eq!(told[0].at, clock("10:00"));
}

#[test]
fn figures_count_a_rollback_against_the_promotion_it_took_back() {
    let mut stage = release();
    stage.fact("ap-south-1", clock("08:00"), promoted(1, "ring-1", "v2.0.0", "v2.1.0"));
    stage.fact("eu-west-1", clock("10:00"), promoted(2, "ring-2", "v2.0.0", "v2.1.0"));
    stage.fact("eu-west-1", clock("10:30"), Body::RolledBack(moved("ring-2", "v2.1.0", "v2.0.0")));
    stage.fact("eu-west-1", clock("12:00"), promoted(3, "ring-2", "v2.0.0", "v2.1.0"));
    let report = of(&stage, &[], &ask(&stage));
    let eu = &report.figures[stage.ix("eu-west-1").at()];
    assert_eq!((eu.deployments, eu.failed), (2, 1));
    assert_eq!(eu.failure_rate(), Some(0.5));
    assert_eq!(eu.restore, Some(SignedDuration::from_mins(30)));
    // It arrived in the fleet at 8; the median of 2 h and 4 h, the later of two.
    assert_eq!(eu.lead, Some(SignedDuration::from_hours(4)));
    assert_eq!(eu.per_week(SignedDuration::from_hours(24 * 14)), Some(1.0));
    let us = &report.figures[stage.ix("us-east-1").at()];
    assert_eq!((us.deployments, us.lead, us.restore, us.failure_rate()), (0, None, None, None));
}

#[test]
fn a_drill_for_real_is_no_failure_and_no_promotion() {
    let drilled = |real: bool| {
        let mut stage = release();
        stage.fact("eu-west-1", clock("08:00"), promoted(1, "ring-2", "v2.0.0", "v2.1.0"));
        stage.fact("eu-west-1", clock("10:00"), Body::RolledBack(moved("ring-2", "v2.1.0", "v2.0.0")));
        stage.fact("eu-west-1", clock("10:01"), promoted(2, "ring-2", "v2.0.0", "v2.1.0"));
        let took = std::time::Duration::from_secs(9);
        let (ring, from, to) = ("ring-2".into(), "v2.1.0".into(), "v2.0.0".into());
        stage.fact("eu-west-1", clock("10:02"), Body::Drilled { ring, from, to, took, real });
        let eu = &of(&stage, &[], &ask(&stage)).figures[stage.ix("eu-west-1").at()];
        (eu.deployments, eu.failed)
    };
    assert_eq!(drilled(true), (1, 0));
    assert_eq!(drilled(false), (2, 1), "by dry-run nothing was moved: somebody rolled back for a reason");
}

#[test]
fn what_lies_outside_of_the_span_or_the_release_is_left_out() {
    let mut stage = release();
    stage.fact("eu-west-1", at("2026-10-30T10:00:00Z"), promoted(1, "ring-2", "v1.9.0", "v2.0.0"));
    stage.fact("eu-west-1", clock("09:00"), promoted(2, "ring-2", "v2.0.0", "v2.0.1"));
    stage.fact("eu-west-1", clock("10:00"), promoted(3, "ring-2", "v2.0.1", "v2.1.0"));
    let all = of(&stage, &[], &ask(&stage));
    assert_eq!(all.told.len(), 2);
    let only = of(&stage, &[], &Ask { release: Some("v2.1.0".into()), ..ask(&stage) });
    assert_eq!(only.told.len(), 1);
    assert_eq!(only.figures[stage.ix("eu-west-1").at()].deployments, 1);
}

#[test]
fn the_journal_adds_outcomes_and_what_the_record_never_got() {
    let mut stage = release();
    stage.fact("ap-south-1", clock("10:00"), promoted(1, "ring-1", "v2.0.0", "v2.1.0"));
    let operation = |plan: &str, title: &str, ended| Operation {
        plan: plan.into(),
        at: clock("10:00"),
        by: "ana@console".into(),
        title: title.into(),
        service: "webapp".into(),
        regions: vec!["us-east-1".into()],
        why: "".into(),
        facts: BTreeSet::new(),
        ended,
        break_glass: false,
    };
    let known = Ulid(1).to_string();
    let operations = [
        operation(&known, "promote ring-1", Some(("settled".into(), clock("10:03")))),
        operation("another", "roll back us-east-1", None),
        Operation { service: "other".into(), ..operation("third", "promote", None) },
    ];
    let told = of(&stage, &operations, &ask(&stage)).told;
    let lines: Vec<(&str, Option<&str>)> = told.iter().map(|t| (&*t.what, t.outcome.as_deref())).collect();
    let expected = [("promoted ring-1 v2.0.0 → v2.1.0", Some("settled")), ("roll back us-east-1", Some("not closed"))];
    assert_eq!(lines, expected);
}

#[test]
fn what_the_record_and_the_journal_both_tell_is_told_once() {
    let mut stage = release();
    let hold = Body::Hold { scope: Scope::Service, reason: "odd graphs".into() };
    stage.fleet_fact(clock("11:00"), hold);
    stage.fleet_fact(clock("12:00"), Body::Hold { scope: Scope::Ring("ring-2".into()), reason: "another".into() });
    let told = of(&stage, &[], &ask(&stage)).told;
    assert_eq!(told.len(), 2);
    let id = *stage
        .state
        .record
        .regions
        .iter()
        .flatten()
        .flat_map(|r| r.facts.iter())
        .find_map(|(id, fact)| matches!(&fact.body, Body::Hold { scope: Scope::Service, .. }).then_some(id))
        .unwrap();
    let operation = |facts: BTreeSet<FactId>| Operation {
        plan: "01PLAN".into(),
        at: clock("11:00"),
        by: "ana@console".into(),
        title: "hold webapp".into(),
        service: "webapp".into(),
        regions: vec!["eu-west-1".into()],
        why: "odd graphs".into(),
        facts,
        ended: Some(("settled".into(), clock("11:01"))),
        break_glass: false,
    };
    let lines = |operations: &[Operation]| -> Vec<(String, Option<String>, Option<String>)> {
        let told = of(&stage, operations, &ask(&stage)).told;
        told.iter()
            .map(|t| {
                (t.what.to_string(), t.outcome.as_deref().map(str::to_owned), t.plan.as_deref().map(str::to_owned))
            })
            .collect()
    };
    let some = |text: &str| Some(text.to_owned());
    let other = ("hold ring:ring-2".to_owned(), None, None);
    let joined = ("hold webapp".to_owned(), some("settled"), some("01PLAN"));
    let one = lines(&[operation([id].into())]);
    assert_eq!(one.len(), 2, "{one:?}");
    assert_eq!((&one[0].1, &one[0].2, &one[1]), (&joined.1, &joined.2, &other));
    // A journal that does not name its facts is told beside the record, as before.
    assert_eq!(lines(&[operation(BTreeSet::new())]).len(), 3);
}

#[test]
fn exposure_is_measured_or_unknown_never_guessed() {
    let mut stage = release();
    let when = clock("10:00");
    stage.fact("ap-south-1", when, promoted(1, "ring-1", "v2.0.0", "v2.1.0"));
    stage.fact("eu-west-1", later(when, 7_200), promoted(2, "ring-2", "v2.0.0", "v2.1.0"));
    let runs: Vec<Option<Text>> = ["v2.1.0", "v2.1.0", "v2.1.0", "v2.0.0"].map(|v| Some(v.into())).into();
    let hourly = |qps: f64| vec![(when, qps), (later(when, 7_200), qps)];
    let known = Ask { traffic: vec![vec![], hourly(10.0), hourly(40.0), hourly(50.0)], runs, ..ask(&stage) };
    let shares: Vec<Option<f64>> = of(&stage, &[], &known).exposure.iter().map(|(_, s)| *s).collect();
    assert_eq!(shares, [Some(0.1), Some(0.5)]);
    let gone = Ask { traffic: vec![vec![], hourly(10.0), hourly(40.0), vec![]], ..known };
    assert!(of(&stage, &[], &gone).exposure.iter().all(|(_, s)| s.is_none()));
}

#[test]
fn regions_that_were_not_read_are_named() {
    let mut stage = release();
    let at = stage.ix("us-east-1");
    stage.state.record.regions[at.at()] = None;
    assert_eq!(of(&stage, &[], &ask(&stage)).unread, [at]);
}

#[test]
fn what_a_person_accepted_is_told_apart() {
    let mut stage = release();
    let stretch = crate::domain::verdict::Stretch { column: "errors".into(), from: clock("08:00"), to: clock("08:10") };
    let template = crate::domain::version::TemplateDigest::of(&serde_json::json!({"a": "template"}));
    stage.fact("ap-south-1", clock("10:00"), Body::Accepted { stretch, template, reason: "a batch job".into() });
    stage.fleet_fact(clock("11:00"), Body::Hold { scope: Scope::Service, reason: "odd graphs".into() });
    let told = of(&stage, &[], &ask(&stage)).told;
    let sorts: Vec<(&str, &str)> = told.iter().map(|t| (t.sort.key(), &*t.why)).collect();
    assert_eq!(sorts, [("accepted", "a batch job"), ("event", "odd graphs")]);
}
