#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use std::time::Duration as StdDuration;

use super::*;
use crate::domain::id::ServiceIx;
use crate::domain::link::{Link, LostReason};
use crate::domain::record::{Body, Scope};
use crate::domain::workload::Phase;
use crate::engine::fixture::{Stage, at, clock, gate, moved, release, service, template, workload};

fn ask(stage: &mut Stage, ring: u32, version: &str) -> Question {
    stage.settle();
    let scene = Scene::new(stage.world(), ServiceIx(0), &stage.state).unwrap();
    may(&scene, RingIx(ring), &Version(version.into()))
}

/// The release, with ring-1's bake over.
fn baked() -> Stage {
    let mut stage = release();
    stage.runs("ap-south-1", workload("v2.1.0", at("2026-11-19T10:00:00Z")));
    stage
}

#[test]
fn a_ring_may_have_what_every_ring_before_it_has_baked() {
    let mut stage = baked();
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!((question.verdict, &*question.sentence), (Verdict::Go, "every gate of ring-0 to ring-1 says go"));
    assert_eq!(question.gates, ["ready", "bake", "hold", "record"].map(Text::from));
    let rows: Vec<_> = question.rows.iter().map(|r| (r.ring.0, r.region.map(|r| r.0))).collect();
    assert_eq!(rows, [(0, Some(0)), (1, Some(1)), (2, None)]);
    // Ring-3 would need ring-2 to run it first.
    let question = ask(&mut stage, 3, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoGo);
    assert_eq!(&*question.sentence, "ring-2 runs v2.0.0, not v2.1.0");
}

#[test]
fn a_gate_of_any_earlier_ring_can_say_no() {
    let mut stage = baked();
    stage.edit("staging", |w| {
        w.phase = Phase::DeadlineExceeded;
        w.progress.failure = Some("ProgressDeadlineExceeded".into());
    });
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoGo);
    assert!(question.sentence.contains("staging"), "{}", question.sentence);
}

#[test]
fn a_mixed_ring_promotes_nothing() {
    let mut stage = Stage::new(service("webapp", &[&["staging"], &["a", "b"], &["c"]]));
    for (region, version) in [("staging", "v2"), ("a", "v2"), ("b", "v1"), ("c", "v1")] {
        stage.runs(region, workload(version, at("2026-11-10T10:00:00Z")));
    }
    let question = ask(&mut stage, 2, "v2");
    assert_eq!(question.verdict, Verdict::NoGo);
    assert!(question.sentence.starts_with("ring-1 is mixed: v2 and v1"), "{}", question.sentence);
}

#[test]
fn one_tag_for_two_images_is_not_one_release() {
    let mut stage = baked();
    let image = |digest: &str| Some(crate::domain::version::Image::parse(&format!("r/webapp:v2.1.0@sha256:{digest}")));
    stage.edit("staging", |w| w.image = image("aa"));
    stage.edit("ap-south-1", |w| w.image = image("bb"));
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoGo);
    assert!(question.sentence.contains("different images of v2.1.0"), "{}", question.sentence);
}

#[test]
fn a_hold_that_covers_the_ring_says_who_and_why_also_when_incomplete() {
    let mut stage = baked();
    let hold = |scope| Body::Hold { scope, reason: "errors up".into() };
    stage.fact("us-east-1", clock("14:00"), hold(Scope::Ring("ring-2".into())));
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoGo);
    assert_eq!(&*question.sentence, "ring-2 is held by oncall (ring:ring-2, seen in 1 of 4): errors up");
    let mut elsewhere = baked();
    elsewhere.fleet_fact(clock("14:00"), hold(Scope::Region("us-east-1".into())));
    assert_eq!(ask(&mut elsewhere, 2, "v2.1.0").verdict, Verdict::Go, "that hold covers another ring");
    let mut service = baked();
    let id = service.fleet_fact(clock("14:00"), hold(Scope::Service));
    assert_eq!(ask(&mut service, 2, "v2.1.0").verdict, Verdict::NoGo);
    service.fact("staging", clock("14:10"), Body::Release { hold: id, reason: "fine".into() });
    assert_eq!(ask(&mut service, 2, "v2.1.0").verdict, Verdict::Go, "a release anywhere ends it");
}

#[test]
fn what_is_not_known_is_no_data() {
    let mut no_gate = baked();
    no_gate.service().rings[0].exit_gates.clear();
    no_gate.build();
    let question = ask(&mut no_gate, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoData);
    assert!(question.sentence.contains("ring-0 has no exit gate"), "{}", question.sentence);

    let mut unseen = baked();
    unseen.region("ap-south-1").workload = None;
    assert_eq!(ask(&mut unseen, 2, "v2.1.0").verdict, Verdict::NoData);

    let mut unknown_gate = baked();
    unknown_gate.service().rings[0].exit_gates = vec![gate("tarot", &[])];
    unknown_gate.build();
    assert_eq!(ask(&mut unknown_gate, 2, "v2.1.0").verdict, Verdict::NoData);
}

#[test]
fn a_region_that_cannot_be_reached_closes_the_gates_that_rest_on_it() {
    let mut stage = baked();
    let reason = LostReason::Unreachable("connection refused".into());
    let now = stage.now;
    stage.clusters[1].link = Link::Lost { reason, next_try: now };
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoData);
    assert!(question.sentence.contains("ap-south-1: unreachable"), "{}", question.sentence);
    let bake = question.gates.iter().position(|g| &**g == "bake").unwrap();
    assert_eq!(question.rows[1].cells[bake].as_ref().unwrap().verdict, Verdict::NoData, "also the bake");
    // A minority after the target ring, away, does not block the fleet.
    let mut last = baked();
    last.clusters[3].heard = None;
    assert_eq!(ask(&mut last, 2, "v2.1.0").verdict, Verdict::Go);
    // Late is not live.
    let mut late = baked();
    late.stamp.mono += StdDuration::from_secs(60);
    assert_eq!(ask(&mut late, 2, "v2.1.0").verdict, Verdict::NoData);
}

#[test]
fn raising_needs_fresh_records_of_a_majority_and_of_every_ring_up_to_the_target() {
    let mut stage = baked();
    stage.region("us-east-1").record_listed = false;
    assert_eq!(ask(&mut stage, 2, "v2.1.0").verdict, Verdict::Go, "3 of 4, and ring-3 comes later");
    stage.region("eu-west-1").record_listed = false;
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoData);
    assert_eq!(
        &*question.sentence,
        "the shared record is not fresh in eu-west-1, us-east-1: a hold there would not be seen"
    );
    stage.region("eu-west-1").record_listed = true;
    stage.region("staging").record_lost = true;
    assert_eq!(ask(&mut stage, 2, "v2.1.0").verdict, Verdict::NoGo, "a record has disappeared");
}

#[test]
fn the_sentence_names_the_worst_three_and_counts_the_rest() {
    let mut stage = Stage::new(service("webapp", &[&["a", "b", "c", "d", "e"], &["f"]]));
    for region in ["a", "b", "c", "d", "e"] {
        stage.rolling(region, "v2");
    }
    stage.edit("d", |w| {
        w.phase = Phase::DeadlineExceeded;
        w.progress.failure = Some("no room".into());
    });
    stage.runs("f", workload("v1", clock("01:00")));
    let question = ask(&mut stage, 1, "v2");
    assert!(question.sentence.starts_with("d: "), "{}", question.sentence);
    let (_, more) = question.sentence.rsplit_once("; and ").unwrap();
    assert!(more.ends_with(" more"), "{}", question.sentence);
    assert_eq!(question.sentence.chars().filter(|c| *c == ';').count(), 3, "{}", question.sentence);
}

#[test]
fn the_longest_wait_is_named_first_once_for_all_regions() {
    let mut stage = Stage::new(service("webapp", &[&["a"], &["b", "c"], &["d"]]));
    for (region, since) in [("a", "10:00"), ("b", "12:00"), ("c", "12:00")] {
        stage.runs(region, workload("v2", clock(since)));
    }
    stage.runs("d", workload("v1", clock("01:00")));
    let question = ask(&mut stage, 2, "v2");
    assert_eq!(&*question.sentence, "21h27m of bake left in ring-1; 19h27m of bake left in ring-0");
}

#[test]
fn what_was_rolled_back_or_quarantined_before_is_said() {
    let mut stage = baked();
    stage.fact("eu-west-1", clock("09:00"), Body::RolledBack(moved("ring-2", "v2.1.0", "v2.0.0")));
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoGo);
    assert!(question.sentence.contains("v2.1.0 was rolled back in eu-west-1 by oncall"), "{}", question.sentence);
    let digest = template("v2.1.0").hex();
    stage.fleet_fact(clock("09:10"), Body::Quarantine { digest: digest.as_str().into(), reason: "leaks".into() });
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoGo);
    assert!(question.sentence.contains("v2.1.0 was quarantined by oncall: leaks"), "{}", question.sentence);
}

#[test]
fn a_clock_that_is_off_and_another_policy_stop_raising() {
    let mut stage = baked();
    for cluster in &mut stage.clusters {
        cluster.skew = Some(SignedDuration::from_secs(-245));
    }
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoData);
    assert!(question.sentence.contains("4m05s ahead of the clusters"), "{}", question.sentence);

    let mut stage = baked();
    let mut other = moved("ring-1", "v2.0.0", "v2.1.0");
    other.policy = "feedfacefeedface".into();
    stage.fact("ap-south-1", at("2026-11-19T09:59:00Z"), Body::Promoted(other));
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoGo);
    assert!(question.sentence.contains("feedfacefeedface"), "{}", question.sentence);
}

#[test]
fn entry_gates_judge_the_ring_that_would_change() {
    let mut stage = baked();
    stage.service().rings[2].entry_gates = vec![gate("freshness", &[])];
    stage.build();
    assert_eq!(ask(&mut stage, 2, "v2.1.0").verdict, Verdict::Go);
    stage.clusters[2].heard = None;
    assert_eq!(ask(&mut stage, 2, "v2.1.0").verdict, Verdict::NoData);
}

#[test]
fn two_gates_of_one_name_have_a_column_each() {
    let mut stage = baked();
    stage.service().rings[0].exit_gates = vec![gate("bake", &[("for", "1h")]), gate("bake", &[("for", "900h")])];
    stage.build();
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.gates.iter().filter(|g| &***g == "bake").count(), 2);
    assert_eq!(question.verdict, Verdict::Wait);
    assert!(question.rows.iter().all(|r| r.cells.len() == question.gates.len()));
}

#[test]
fn a_record_that_cannot_be_read_closes_freshness_with_the_clusters_words() {
    let mut stage = baked();
    stage.service().rings[1].exit_gates.push(gate("freshness", &[]));
    stage.build();
    assert_eq!(ask(&mut stage, 2, "v2.1.0").verdict, Verdict::Go);
    stage.region("ap-south-1").record_listed = false;
    let at = stage.ix("ap-south-1").at();
    stage.clusters[at].facts.troubles =
        vec!["list configmaps in namespace webapp of cluster cluster-1: 403 Forbidden: no".into()];
    let question = ask(&mut stage, 2, "v2.1.0");
    assert_eq!(question.verdict, Verdict::NoData);
    let cells: Vec<_> = question.rows.iter().flat_map(|r| r.cells.iter().flatten()).collect();
    let said = cells.iter().find(|j| &*j.cell == "no record").map(|j| &*j.sentence);
    assert!(said.is_some_and(|s| s.contains("would not be seen: list configmaps in namespace webapp")), "{said:?}");
    // A read beside the watch is enough for as long as a link may be silent.
    stage.region("ap-south-1").record_read = Some(stage.stamp.mono);
    assert_eq!(ask(&mut stage, 2, "v2.1.0").verdict, Verdict::Go);
    stage.pass(46);
    assert_eq!(ask(&mut stage, 2, "v2.1.0").verdict, Verdict::NoData);
}
