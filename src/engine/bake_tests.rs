#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use crate::domain::record::Settled;
use crate::domain::workload::{Phase, Progressing};
use crate::engine::fixture::{Stage, at, clock, later, moved, release, service, template, workload};

const SETTLED: &str = "2026-11-19T15:54:00Z";

fn start(stage: &mut Stage) -> Option<BakeStart> {
    stage.settle();
    ring_start(&stage.fleet.services[0].rings[1], &stage.state)
}

fn by_condition(text: &str) -> Option<BakeStart> {
    Some(BakeStart { at: at(text), source: BakeSource::Condition })
}

fn settled_fact(stage: &mut Stage, version: &str, text: &str, revision: Option<u64>) {
    let fact = Settled { by: "somebody".into(), at: at(text), uid: "uid-1".into(), revision };
    let region = stage.ix("ap-south-1");
    let record = stage.state.record.regions[region.at()].as_mut().unwrap();
    record.settled.insert(template(version), fact);
}

/// A console that was opened just now: it sees the same objects and remembers nothing.
fn opened_fresh(stage: &Stage) -> Stage {
    let mut fresh = release();
    fresh.now = stage.now;
    fresh.stamp = stage.stamp;
    for (new, old) in fresh.state.regions.iter_mut().zip(&stage.state.regions) {
        new.workload = old.workload.clone();
        new.revisions = old.revisions.clone();
        new.revisions_for = old.revisions_for;
    }
    fresh.state.record = stage.state.record.clone();
    fresh
}

#[test]
fn a_ring_bakes_since_the_cluster_says_that_its_rollout_completed() {
    assert_eq!(start(&mut release()), by_condition(SETTLED));
}

#[test]
fn an_autoscaler_that_scales_every_30_seconds_for_24_hours_leaves_the_clock_alone() {
    let mut stage = release();
    assert_eq!(start(&mut stage), by_condition(SETTLED));
    for n in 0..2_880u32 {
        stage.pass(15);
        stage.edit("ap-south-1", |w| {
            w.generation += 1;
            w.replicas.desired = 12 + n % 7;
            w.phase = Phase::Unobserved;
        });
        assert_eq!(start(&mut stage), by_condition(SETTLED));
        stage.edit("ap-south-1", |w| {
            w.observed_generation = w.generation;
            w.phase = Phase::Progressing(if n % 2 == 0 { Progressing::Updating } else { Progressing::Availability });
        });
        assert_eq!(start(&mut stage), by_condition(SETTLED));
        stage.pass(15);
        stage.edit("ap-south-1", |w| {
            w.replicas.updated = w.replicas.desired;
            w.phase = Phase::Complete;
        });
        assert_eq!(start(&mut stage), by_condition(SETTLED));
    }
    assert_eq!(start(&mut opened_fresh(&stage)), by_condition(SETTLED));
}

#[test]
fn a_version_that_comes_back_bakes_anew_whatever_the_record_says_of_its_first_stay() {
    // v2.1.0 baked here for weeks, was replaced, and came back a minute ago by a rollback.
    let mut stage = release();
    settled_fact(&mut stage, "v2.1.0", "2026-11-01T00:00:00Z", None);
    stage.edit("ap-south-1", |w| {
        w.revision = Some(99);
        w.progress.updated = Some(at("2026-11-20T14:31:00Z"));
    });
    let region = stage.ix("ap-south-1");
    stage.state.regions[region.at()].revisions.clear();
    stage.state.regions[region.at()].revisions_for = None;
    assert_eq!(start(&mut stage), by_condition("2026-11-20T14:31:00Z"), "nothing but the condition tells yet");
}

#[test]
fn what_was_believed_too_early_is_dropped_when_the_move_is_seen() {
    let mut stage = release();
    let region = stage.ix("ap-south-1");
    assert_eq!(start(&mut stage), by_condition(SETTLED));
    let template = stage.state.regions[region.at()].workload.as_ref().unwrap().template;
    let version = "v2.1.0".into();
    let what = crate::engine::state::Happened::Template { version, template };
    stage.state.regions[region.at()].remember(at("2026-11-20T14:30:00Z"), what);
    stage.edit("ap-south-1", |w| w.progress.updated = Some(at("2026-11-20T14:31:00Z")));
    assert_eq!(start(&mut stage), by_condition("2026-11-20T14:31:00Z"));
}

#[test]
fn a_hold_and_a_resume_leave_the_clock_alone() {
    let mut stage = release();
    assert_eq!(start(&mut stage), by_condition(SETTLED));
    settled_fact(&mut stage, "v2.1.0", SETTLED, Some(14));
    for (paused, reason) in
        [(true, "DeploymentPaused"), (false, "DeploymentResumed"), (false, "NewReplicaSetAvailable")]
    {
        stage.pass(600);
        let now = stage.now;
        stage.edit("ap-south-1", |w| {
            w.paused = paused;
            w.progress.reason = Some(reason.into());
            w.progress.updated = Some(now);
        });
        assert_eq!(start(&mut stage).unwrap().at, at(SETTLED), "{reason}");
        let fresh = start(&mut opened_fresh(&stage));
        assert_eq!(fresh, Some(BakeStart { at: at(SETTLED), source: BakeSource::Record }), "{reason}");
    }
}

#[test]
fn a_new_annotation_leaves_the_clock_alone() {
    let mut stage = release();
    stage.settle();
    stage.pass(60);
    stage.edit("ap-south-1", |w| {
        w.generation += 1;
        w.observed_generation += 1;
        w.change_cause = Some("somebody looked at it".into());
    });
    assert_eq!(start(&mut stage), by_condition(SETTLED));
}

#[test]
fn one_env_value_restarts_the_clock() {
    let mut stage = release();
    stage.settle();
    settled_fact(&mut stage, "v2.1.0", SETTLED, Some(14));
    stage.pass(60);
    let began = stage.now;
    stage.edit("ap-south-1", |w| {
        w.template = template("v2.1.0 with DEBUG=1");
        w.generation += 1;
        w.phase = Phase::Unobserved;
    });
    assert_eq!(start(&mut stage), None, "nothing has settled on the new template");
    stage.pass(60);
    stage.edit("ap-south-1", |w| {
        w.observed_generation = w.generation;
        w.revision = Some(15);
        w.phase = Phase::Complete;
        w.progress.updated = Some(later(began, 45));
    });
    let restarted = Some(BakeStart { at: later(began, 45), source: BakeSource::Condition });
    assert_eq!(start(&mut stage), restarted);
    assert_eq!(start(&mut opened_fresh(&stage)), restarted);
}

#[test]
fn a_recreated_object_restarts_the_clock() {
    let mut stage = release();
    stage.settle();
    settled_fact(&mut stage, "v2.1.0", SETTLED, Some(14));
    let again = clock("14:00");
    stage.edit("ap-south-1", |w| {
        w.uid = "uid-2".into();
        w.progress.updated = Some(again);
    });
    assert_eq!(start(&mut stage), Some(BakeStart { at: again, source: BakeSource::Condition }));
}

#[test]
fn a_template_that_was_left_and_came_back_bakes_anew() {
    // v2.1.0 settled yesterday, was rolled back, and was promoted again at noon. Paused since,
    // so that no condition tells when it settled; only facts do.
    let again = "2026-11-20T12:00:00Z";
    let paused = |stage: &mut Stage| {
        stage.edit("ap-south-1", |w| {
            w.revision = Some(16);
            w.paused = true;
            w.progress.reason = Some("DeploymentPaused".into());
        });
    };
    let mut by_revision = release();
    paused(&mut by_revision);
    settled_fact(&mut by_revision, "v2.1.0", SETTLED, Some(14));
    assert_eq!(start(&mut by_revision).unwrap().source, BakeSource::FirstSeen, "the old fact is of another stay");
    settled_fact(&mut by_revision, "v2.1.0", "2026-11-20T12:01:00Z", Some(16));
    assert_eq!(start(&mut opened_fresh(&by_revision)).unwrap().at, at("2026-11-20T12:01:00Z"));

    let mut by_move = release();
    paused(&mut by_move);
    settled_fact(&mut by_move, "v2.1.0", SETTLED, None);
    by_move.fact("ap-south-1", at(again), Body::Promoted(moved("ring-1", "v2.0.0", "v2.1.0")));
    assert_eq!(start(&mut by_move).unwrap().source, BakeSource::FirstSeen, "it was promoted again after the fact");

    let mut by_replica_set = release();
    paused(&mut by_replica_set);
    settled_fact(&mut by_replica_set, "v2.1.0", SETTLED, None);
    let region = by_replica_set.region("ap-south-1");
    region.revisions_for = Some(template("v2.1.0"));
    region.revisions = vec![revision(16, at("2026-11-19T15:50:00Z"), true), revision(15, at(again), false)];
    assert_eq!(start(&mut by_replica_set).unwrap().source, BakeSource::FirstSeen, "another ran in between");
}

fn revision(number: u64, created: Timestamp, reused: bool) -> Revision {
    Revision { name: "web-1".into(), number, hash: "abc".into(), created: Some(created), reused, cause: None }
}

#[test]
fn where_nothing_tells_the_first_sight_counts_and_is_kept_and_said() {
    let mut stage = release();
    stage.edit("ap-south-1", |w| {
        w.progress.reason = None;
        w.progress.updated = None;
    });
    let first = stage.now;
    let seen = Some(BakeStart { at: first, source: BakeSource::FirstSeen });
    assert_eq!(start(&mut stage), seen);
    stage.pass(3_600);
    assert_eq!(start(&mut stage), seen);
    // The fact that somebody wrote earlier takes over.
    settled_fact(&mut stage, "v2.1.0", SETTLED, Some(14));
    assert_eq!(start(&mut stage).unwrap().at, at(SETTLED));
}

#[test]
fn a_fact_from_the_future_counts_as_now_at_most() {
    let mut stage = release();
    stage.edit("ap-south-1", |w| w.progress.reason = None);
    settled_fact(&mut stage, "v2.1.0", "2099-01-01T00:00:00Z", Some(14));
    let now = stage.now;
    assert_eq!(start(&mut stage).unwrap().at, now);
}

#[test]
fn a_ring_bakes_from_its_last_region_and_not_while_one_is_missing() {
    let mut stage = Stage::new(service("webapp", &[&["staging"], &["a", "b", "c"]]));
    stage.runs("a", workload("v2", clock("10:00")));
    stage.runs("b", workload("v2", clock("12:00")));
    assert_eq!(start(&mut stage), None, "c was not seen");
    stage.rolling("c", "v2");
    assert_eq!(start(&mut stage), None, "c has not settled");
    stage.runs("c", workload("v2", clock("11:00")));
    assert_eq!(start(&mut stage).unwrap().at, clock("12:00"));
}

#[test]
fn windows_of_another_stay_are_forgotten() {
    let mut stage = release();
    stage.settle();
    let windows = || [(at("2026-11-19T16:00:00Z"), Ok(0.0))].into_iter().collect();
    stage.region("ap-south-1").windows.insert("errors".into(), windows());
    stage.edit("ap-south-1", |w| w.replicas.desired = 20);
    stage.settle();
    assert_eq!(stage.region("ap-south-1").windows["errors"].len(), 1, "scaling is the same stay");
    stage.rolling("ap-south-1", "v2.2.0");
    stage.settle();
    assert!(stage.region("ap-south-1").windows.is_empty());
}
