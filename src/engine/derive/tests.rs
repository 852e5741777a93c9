//! Tests of the views.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, reason = "tests")]

use std::time::Instant;

use super::*;
use crate::domain::fleet::Capacity;
use crate::domain::record::Scope;
use crate::domain::stamp::Timestamp;
use crate::engine::fixture::{Stage, at, clock, later, moved, release, service, template, workload};
use crate::engine::view::{Drained, ReleasePhase, Residual, ServiceView};

fn traffic(stage: &mut Stage, region: &str, qps: f64) {
    let now = stage.now;
    stage.region(region).current.insert("qps".into(), (now, Ok(qps)));
}

#[test]
fn the_source_documents_release_reads_as_its_board_shows_it() {
    let mut stage = release();
    for (region, qps) in [("ap-south-1", 12_400.0), ("eu-west-1", 45_200.0), ("us-east-1", 52_100.0)] {
        traffic(&mut stage, region, qps);
    }
    let view = stage.view();
    assert_eq!(view.release.from, Some(Version("v2.0.0".into())));
    assert_eq!(view.release.to, Some(Version("v2.1.0".into())));
    assert_eq!((view.release.phase, view.release.ring), (ReleasePhase::Baking, Some(RingIx(1))));
    let phases: Vec<_> = view.rings.iter().map(|r| r.phase).collect();
    assert_eq!(phases, [RingPhase::Baked, RingPhase::Baking, RingPhase::Waiting, RingPhase::Waiting]);
    let question = view.question.as_ref().unwrap();
    assert_eq!((question.ring, question.verdict), (RingIx(2), Verdict::Wait));
    assert_eq!(&*question.sentence, "1h21m of bake left in ring-1");
    assert!((view.exposure.unwrap() - 12.4 / 109.7).abs() < 1e-9, "{:?}", view.exposure);
    assert_eq!(view.rings[1].ready_at, Some(clock("15:54")));
    assert_eq!(view.alarms, Vec::<crate::domain::id::Text>::new());
}

fn runs(stage: &mut Stage, versions: &[(&str, &str)]) {
    for (region, version) in versions {
        stage.runs(region, workload(version, at("2026-11-10T10:00:00Z")));
    }
}

#[test]
fn nothing_is_under_way_when_every_ring_runs_the_same() {
    let mut stage = release();
    runs(&mut stage, &[("staging", "v2"), ("ap-south-1", "v2"), ("eu-west-1", "v2"), ("us-east-1", "v2")]);
    let view = stage.view();
    assert_eq!((view.release.phase, view.release.from.as_ref()), (ReleasePhase::Steady, view.release.to.as_ref()));
    assert_eq!(view.question, None);
    assert!(view.rings.iter().all(|r| r.phase == RingPhase::Steady));
    assert!(view.segments.iter().all(|s| !s.projected));
    // The last ring has just settled: it bakes for itself.
    let now = stage.now;
    stage.runs("us-east-1", workload("v2", now));
    stage.edit("us-east-1", |w| w.revision = Some(15));
    let view = stage.view();
    assert_eq!((view.release.phase, view.release.ring), (ReleasePhase::Baking, Some(RingIx(3))));
}

#[test]
fn nothing_seen_is_unknown_and_not_steady() {
    let mut stage = Stage::new(service("webapp", &[&["a"], &["b"]]));
    let view = stage.view();
    assert_eq!(view.release.phase, ReleasePhase::Unknown);
    assert_eq!((view.release.to, view.exposure, view.question), (None, None, None));
    assert!(view.rings.iter().all(|r| r.runs == RingRuns::Unknown && r.phase == RingPhase::Unknown));
    runs(&mut stage, &[("a", "v2")]);
    let view = stage.view();
    assert_eq!(view.question.unwrap().verdict, Verdict::Go, "ring-1 lacks it, as far as is known");
    assert_eq!(view.rings[1].phase, RingPhase::Unknown);
}

#[test]
fn registries_may_differ_and_digests_may_not() {
    let mut stage = Stage::new(service("webapp", &[&["a", "b"]]));
    runs(&mut stage, &[("a", "v2"), ("b", "v2")]);
    let image = |text: &str| Some(crate::domain::version::Image::parse(text));
    stage.edit("a", |w| w.image = image("eu.example/web:v2@sha256:aa"));
    stage.edit("b", |w| w.image = image("us.example/web:v2@sha256:aa"));
    assert_eq!(stage.view().rings[0].runs, RingRuns::One(Version("v2".into())));
    stage.edit("b", |w| w.image = image("us.example/web:v2@sha256:bb"));
    let RingRuns::Mixed(names) = &stage.view().rings[0].runs else { panic!("not mixed") };
    assert_eq!(names[0].to_string(), "v2@sha256:aa");
    assert_ne!(names[0], names[1]);
}

#[test]
fn in_a_mixed_first_ring_the_version_given_last_is_the_new_one() {
    let mut stage = Stage::new(service("webapp", &[&["a", "b"], &["c"]]));
    runs(&mut stage, &[("a", "v2"), ("b", "v1"), ("c", "v1")]);
    assert_eq!(stage.view().release.to, Some(Version("v2".into())), "the later rings run the other");
    stage.fact("b", clock("10:00"), Body::RolledBack(moved("ring-0", "v2", "v1")));
    stage.fact("a", clock("09:00"), Body::Promoted(moved("ring-0", "v1", "v2")));
    assert_eq!(stage.view().release.to, Some(Version("v1".into())), "it is being rolled back");
}

#[test]
fn pausing_is_not_paused_and_scaling_is_not_a_rollout() {
    let mut stage = release();
    stage.settle();
    let word = |stage: &mut Stage| stage.view().regions[1].state;
    assert_eq!(word(&mut stage), RegionWord::Settled);
    stage.edit("ap-south-1", |w| {
        w.phase = Phase::Progressing(crate::domain::workload::Progressing::Availability);
        w.replicas.available = 9;
    });
    assert_eq!(word(&mut stage), RegionWord::Settled);
    stage.rolling("ap-south-1", "v2.2.0");
    assert_eq!(word(&mut stage), RegionWord::RollingOut);
    stage.edit("ap-south-1", |w| {
        w.paused = true;
        w.generation += 1;
    });
    assert_eq!(word(&mut stage), RegionWord::Pausing);
    stage.edit("ap-south-1", |w| w.observed_generation = w.generation);
    assert_eq!(word(&mut stage), RegionWord::Paused);
    stage.edit("ap-south-1", |w| {
        w.paused = false;
        w.phase = Phase::DeadlineExceeded;
    });
    assert_eq!(word(&mut stage), RegionWord::Failed);
    let view = stage.view();
    assert_eq!((view.release.phase, view.rings[1].phase), (ReleasePhase::Failed, RingPhase::Failed));
}

#[test]
fn exposure_is_measured_or_unknown() {
    let mut stage = release();
    assert_eq!(stage.view().exposure, None, "nothing was measured");
    for region in ["ap-south-1", "eu-west-1", "us-east-1"] {
        traffic(&mut stage, region, 100.0);
    }
    traffic(&mut stage, "staging", 4_000.0);
    let view = stage.view();
    assert!((view.exposure.unwrap() - 1.0 / 3.0).abs() < 1e-9, "staging carries no live traffic");
    assert_eq!(view.regions[0].share, None);
    assert_eq!(view.regions[1].share, view.regions[2].share);
    stage.pass(120);
    assert_eq!(stage.view().exposure, None, "old samples say nothing");
}

#[test]
fn drained_by_us_or_elsewhere() {
    let mut stage = release();
    let mut route = (*stage.region("eu-west-1").route.clone().unwrap()).clone();
    route.rules[0][1].weight = 0;
    stage.region("eu-west-1").route = Some(route.into());
    let view = stage.view();
    assert_eq!((view.regions[2].drained, view.regions[2].weight), (Drained::Elsewhere, Some((0, Some(0.0)))));
    assert_eq!(view.regions[3].drained, Drained::No);
    assert_eq!(view.regions[0].weight, None, "staging is not steered");
    let body = Body::Drained { before: Vec::new(), backend: "eu-west-1".into(), reason: "".into() };
    stage.fact("eu-west-1", clock("14:00"), body);
    assert_eq!(stage.view().regions[2].drained, Drained::ByUs);
}

#[test]
fn a_region_at_weight_zero_is_drained_once_its_traffic_is_gone() {
    let mut stage = release();
    stage.service().regions[2].capacity = Some(Capacity { qps: 50_000.0, measured: None });
    let mut route = (*stage.region("eu-west-1").route.clone().unwrap()).clone();
    route.rules[0][1].weight = 0;
    stage.region("eu-west-1").route = Some(route.into());
    let body = Body::Drained { before: Vec::new(), backend: "eu-west-1".into(), reason: "".into() };
    stage.fact("eu-west-1", clock("14:00"), body);
    let mut told = |qps: Option<f64>| {
        match qps {
            Some(qps) => traffic(&mut stage, "eu-west-1", qps),
            None => stage.pass(120),
        }
        let view = stage.view();
        (view.regions[2].out_of_traffic().unwrap(), view.regions[2].residual.unwrap())
    };
    // 1 % of the capacity: 500.
    let left = Residual::Qps { qps: 9_800.0, below: 500.0 };
    assert_eq!(told(Some(9_800.0)), ("draining, 9.80k/s left".to_owned(), left));
    assert_eq!(told(Some(499.0)), ("drained".to_owned(), Residual::Nothing));
    assert_eq!(told(None), ("drained".to_owned(), Residual::Unmeasured));
    assert_eq!(stage.view().regions[3].residual, None, "in traffic");
}

#[test]
fn a_region_over_its_capacity_while_another_is_drained_says_what_to_take_back() {
    let mut stage = release();
    stage.service().regions[3].capacity = Some(Capacity { qps: 60_000.0, measured: None });
    traffic(&mut stage, "us-east-1", 61_000.0);
    assert_eq!(alarms(&mut stage), Vec::<String>::new(), "nothing is drained");
    let body = Body::Drained { before: Vec::new(), backend: "eu-west-1".into(), reason: "".into() };
    stage.fact("eu-west-1", clock("14:00"), body);
    let said = alarms(&mut stage);
    let carries = "us-east-1: carries 61.0k of 60.0k QPS while eu-west-1 is drained: U on eu-west-1 restores it";
    assert!(said.contains(&carries.to_owned()), "{said:?}");
    traffic(&mut stage, "us-east-1", 59_000.0);
    assert!(!alarms(&mut stage).iter().any(|a| a.contains("carries")));
}

fn alarms(stage: &mut Stage) -> Vec<String> {
    stage.view().alarms.iter().map(ToString::to_string).collect()
}

#[test]
fn paused_with_no_hold_is_an_open_item() {
    let mut stage = release();
    stage.rolling("eu-west-1", "v2.1.0");
    stage.edit("eu-west-1", |w| w.paused = true);
    assert_eq!(alarms(&mut stage), ["eu-west-1: paused, and not by a hold of ours"]);
    let hold = stage.fleet_fact(clock("14:00"), Body::Hold { scope: Scope::Service, reason: "x".into() });
    stage.fact("eu-west-1", clock("14:00:01"), Body::Paused { hold, template: template("v2.1.0"), was: None });
    assert_eq!(alarms(&mut stage), Vec::<String>::new());
    assert_eq!(stage.view().release.phase, ReleasePhase::Held);
    stage.fact("staging", clock("14:10"), Body::Release { hold, reason: "ok".into() });
    assert_eq!(alarms(&mut stage), ["eu-west-1: paused, hold released: U un-pauses it (v2.1.0)"]);
}

#[test]
fn a_change_under_a_hold_is_loud_and_a_rollback_under_it_is_not() {
    let mut stage = release();
    stage.rolling("eu-west-1", "v2.1.0");
    stage.edit("eu-west-1", |w| w.paused = true);
    let hold = stage.fleet_fact(clock("14:00"), Body::Hold { scope: Scope::Service, reason: "x".into() });
    stage.fact("eu-west-1", clock("14:00:01"), Body::Paused { hold, template: template("v2.1.0"), was: None });
    stage.edit("eu-west-1", |w| {
        w.version = Version("v2.1.1".into());
        w.template = template("v2.1.1");
        w.change_cause = Some("hotfix\u{1b}[2J".into());
    });
    let said = alarms(&mut stage);
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("eu-west-1: changed under the hold by oncall: v2.1.1 runs"), "{}", said[0]);
    assert!(said[0].contains("hotfix") && !said[0].contains('\u{1b}'));
    stage.fact("eu-west-1", clock("14:20"), Body::RolledBack(moved("ring-2", "v2.1.0", "v2.1.1")));
    let said = alarms(&mut stage);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("ring-2 failed on v2.1.0 in eu-west-1: later rings are locked; staging, ap-south-1"));
}

#[test]
fn other_tools_lost_records_clocks_and_policies_are_said() {
    let mut stage = release();
    let mut other = moved("ring-1", "v2.0.0", "v2.2.0");
    other.policy = "feed".into();
    stage.fact("ap-south-1", at("2026-11-19T15:50:00Z"), Body::Promoted(other));
    stage.region("us-east-1").record_lost = true;
    stage.clusters.iter_mut().for_each(|c| c.skew = Some(SignedDuration::from_secs(45)));
    let said = alarms(&mut stage);
    assert_eq!(said.len(), 4, "{said:#?}");
    assert!(said[0].contains("45s behind the clusters"));
    assert!(said[1].starts_with("ap-south-1: runs v2.1.0, but oncall promoted it to v2.2.0: another tool"));
    assert!(said[2].starts_with("us-east-1: the shared record has disappeared"));
    assert!(said[3].contains("feed"));
}

#[test]
fn who_raised_last_is_known_from_the_record() {
    let mut stage = release();
    assert_eq!(stage.view().last_raised, None);
    stage.fact("staging", clock("09:00"), Body::Promoted(moved("ring-0", "v2.0.0", "v2.1.0")));
    stage.fact("ap-south-1", clock("10:00"), Body::Promoted(moved("ring-1", "v2.0.0", "v2.1.0")));
    stage.fleet_fact(clock("11:00"), Body::Hold { scope: Scope::Service, reason: "".into() });
    let last = stage.view().last_raised.unwrap();
    assert_eq!((last.at, &*last.what), (clock("10:00"), "promote ring-1 to v2.1.0"));
}

#[test]
fn what_would_follow_is_projected_and_stops_at_a_hold() {
    let mut stage = release();
    let view = stage.view();
    let projected = |view: &ServiceView, kind| -> Vec<(u32, Timestamp)> {
        let pieces = view.segments.iter().filter(|s| s.projected && s.kind == kind);
        pieces.map(|s| (s.region.0, s.from)).collect()
    };
    // ring-1 is through at 15:54; a rollout is guessed at 5 minutes, a bake is 24 hours.
    let ring_2 = clock("15:54");
    let ring_3 = later(ring_2, 300 + 86_400);
    assert_eq!(projected(&view, SegmentKind::Promoted), [(2, ring_2), (3, ring_3)]);
    assert_eq!(view.eta, Some(later(ring_3, 300 + 86_400)));
    assert_eq!(view.rings[2].ready_at, Some(ring_3));
    stage.fleet_fact(clock("14:00"), Body::Hold { scope: Scope::Ring("ring-3".into()), reason: "".into() });
    let view = stage.view();
    assert_eq!(projected(&view, SegmentKind::Promoted), [(2, ring_2)]);
    assert_eq!(view.eta, None);
}

#[test]
fn one_moment_gives_one_view() {
    let mut stage = release();
    let first = stage.view();
    assert_eq!(first, stage.view());
}

#[test]
fn a_large_service_is_derived_within_a_sane_time() {
    // A bound that only something quadratic would break, also in a debug build on a busy machine.
    let names: Vec<String> = (0..200).map(|n| format!("region-{n:03}")).collect();
    let rings: Vec<Vec<&str>> = names.chunks(50).map(|c| c.iter().map(String::as_str).collect()).collect();
    let rings: Vec<&[&str]> = rings.iter().map(Vec::as_slice).collect();
    let mut stage = Stage::new(service("webapp", &rings));
    for (n, name) in names.iter().enumerate() {
        let version = if n < 100 { "v2" } else { "v1" };
        stage.runs(name, workload(version, clock("10:00")));
        stage.fact(name, clock("09:59"), Body::Promoted(moved("ring-0", "v1", version)));
        traffic(&mut stage, name, 100.0);
    }
    stage.view();
    let began = Instant::now();
    for _ in 0..100 {
        stage.view();
    }
    let each = began.elapsed() / 100;
    println!("derive of 200 regions: {each:?}");
    assert!(each < Duration::from_secs(2), "{each:?}");
}
