//! StatefulSets: a partition is a ramp, a hold keeps pods back by it, and a way back goes by ControllerRevisions.

use gonogo::domain::challenge::Approved;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::plan::Expectation;
use gonogo::domain::record::Body;
use gonogo::domain::workload::Phase;
use serde_json::{Value, json};

use crate::fixture::*;

const PARTITION: &str = "/spec/updateStrategy/rollingUpdate/partition";

/// What a hold raises a partition to: no autoscaler gets past it.
const HELD: u64 = 2_147_483_647;

fn world() -> World {
    let mut fleet = fleet();
    for region in &mut fleet.services[0].regions {
        region.workload.kind = "StatefulSet".into();
    }
    let mut world = World::with(fleet);
    // A StatefulSet does not say when it settled: what counts is what was seen, and a day of it.
    world.pass(1);
    world.skip(25 * 3_600);
    world.show_everything();
    world
}

/// The same, where a region's partition is this.
fn partitioned(partition: u32) -> World {
    let mut world = world();
    *world.workload(EU).pointer_mut(PARTITION).unwrap() = partition.into();
    world.show_workload(EU);
    world
}

fn partition(world: &mut World) -> u64 {
    world.workload(EU).pointer(PARTITION).unwrap().as_u64().unwrap()
}

fn phase(world: &World) -> Phase {
    world.engine.services[0].regions[EU.at()].workload.as_ref().unwrap().phase
}

fn promoted(mut world: World) -> World {
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    world.sent.clear();
    world
}

fn operations(plan: &gonogo::domain::plan::Plan) -> Vec<(String, String)> {
    let body: Value = serde_json::from_slice(&plan.steps[0].main().unwrap().change.body()).unwrap();
    let text = |v: &Value, key: &str| v[key].as_str().unwrap_or_default().to_owned();
    body.as_array().unwrap().iter().map(|o| (text(o, "op"), text(o, "path"))).collect()
}

#[test]
fn it_is_promoted_and_settles_when_every_pod_runs_the_template() {
    let mut world = promoted(world());
    assert_eq!(world.image(EU), V2);
    assert_eq!(phase(&world), Phase::Complete);
    assert!(world.fact_kinds(EU).contains(&"promoted"));
}

#[test]
fn a_partition_lets_the_first_pods_through_and_a_second_promotion_the_others() {
    let mut world = partitioned(3);
    let plan = world.review(promote(), ring(2)).unwrap();
    assert!(matches!(plan.steps[0].expect[..], [Expectation::Partitioned(_)]), "{:?}", plan.steps[0].expect);
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(phase(&world), Phase::Partitioned);
    world.pass(1);
    assert_eq!(world.engine.services[0].regions[EU.at()].settled, None, "three pods run what ran before: no bake");
    let refusal = world.review(promote(), ring(3)).unwrap_err();
    assert!(["wait", "no-data", "stale"].contains(&refusal.code), "the next ring waits: {refusal:?}");
    let plan = world.review(promote(), ring(2)).unwrap();
    let wanted = [("test", "/metadata/uid"), ("test", "/spec/template"), ("test", PARTITION), ("replace", PARTITION)];
    assert_eq!(operations(&plan), wanted.map(|(op, path)| (op.to_owned(), path.to_owned())));
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!((partition(&mut world), phase(&world)), (0, Phase::Complete));
    assert_eq!(world.fact_kinds(EU).iter().filter(|k| **k == "promoted").count(), 1, "the way back stays the first's");
    let id = world.go(roll_back(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(EU), V1);
}

#[test]
fn the_others_are_not_let_through_before_the_first_are_ready() {
    let mut world = promoted(partitioned(3));
    world.workload(EU)["status"]["readyReplicas"] = json!(3);
    world.show_workload(EU);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "not-ready", "{refusal:?}");
}

#[test]
fn where_pods_change_only_when_deleted_nothing_is_promoted() {
    let mut world = world();
    world.workload(EU)["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    world.show_workload(EU);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "on-delete", "{refusal:?}");
    let mut world = partitioned(4);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "paused", "a partition that keeps every pod back: {refusal:?}");
}

/// A rollout that stands in the middle: one pod took the template, and is not ready.
fn under_way(world: World) -> World {
    let mut world = world;
    world.controller = false;
    world.go(promote(), ring(2));
    world.workload(EU)["status"]["updatedReplicas"] = json!(1);
    world.show_workload(EU);
    world.controller = true;
    world
}

#[test]
fn a_hold_raises_the_partition_and_a_resume_gives_back_what_it_was() {
    let mut world = under_way(partitioned(2));
    world.go(Verb::Hold, Target::Service);
    assert_eq!(partition(&mut world), HELD);
    let was = world.facts(EU).into_iter().find_map(|f| match f.body {
        Body::Paused { was, .. } => was,
        _ => None,
    });
    assert_eq!(was.as_deref(), Some("2"));
    assert!(world.engine.services[0].regions[EU.at()].workload.as_ref().unwrap().paused);
    // An autoscaler adds pods: the hold holds, and is still ours to take back.
    world.workload(EU)["spec"]["replicas"] = json!(9);
    world.show_workload(EU);
    assert!(world.engine.services[0].regions[EU.at()].workload.as_ref().unwrap().paused);
    let id = world.go(resume(), Target::Service);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(partition(&mut world), 2);
}

#[test]
fn rolling_back_under_a_hold_gives_the_partition_back_in_the_same_patch() {
    let mut world = under_way(world());
    world.go(Verb::Hold, Target::Service);
    assert_eq!(partition(&mut world), HELD);
    world.sent.clear();
    let id = world.go(roll_back(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!((world.image(EU).as_str(), partition(&mut world)), (V1, 0));
    let patches = world.sent.iter().filter(|c| &*c.object().unwrap().api.kind == "StatefulSet").count();
    assert_eq!(patches, 1);
}

#[test]
fn without_a_fact_it_goes_back_by_its_controller_revisions() {
    let mut world = world();
    let cluster = world.workload_ref(EU).cluster;
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["image"] = json!(V2);
    world.show_workload(EU);
    let revisions = [controller_revision("uid-3", 1, V1), controller_revision("uid-3", 2, V2)];
    world.owned.insert(cluster, revisions.into());
    let plan = world.review(Verb::RollBack { to_revision: Some(1) }, ring(2)).unwrap();
    assert!(operations(&plan).contains(&("replace".to_owned(), "/spec/template".to_owned())));
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(EU), V1);
    assert_eq!(world.workload(EU)["spec"]["template"].get("$patch"), None);
    let refusal = world.review(Verb::RollBack { to_revision: Some(9) }, ring(2)).unwrap_err();
    assert_eq!(refusal.code, "no-known-good", "{refusal:?}");
}

#[test]
fn a_broken_pod_that_would_block_the_way_back_is_named_before_and_after() {
    let mut world = under_way(world());
    let plan = world.review(roll_back(), ring(2)).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "blocks").unwrap();
    assert!(finding.text.contains("webapp-3") && finding.text.contains("kubectl delete pod"), "{}", finding.text);
    // It goes back, and the broken pod is waited for.
    world.controller = false;
    let id = world.approve();
    world.workload(EU)["status"]["updatedReplicas"] = json!(3);
    world.show_workload(EU);
    let alarm = |world: &World| {
        let alarms = &world.engine.services[0].view.alarms;
        alarms.iter().any(|a| a.contains("eu-west-1: nothing moves") && a.contains("kubectl delete pod"))
    };
    assert!(!alarm(&world), "it may still move");
    world.pass(90);
    assert!(alarm(&world), "{:?}", world.engine.services[0].view.alarms);
    assert_eq!(world.end(id).0, "open");
    // Somebody deletes it.
    world.controller = true;
    world.workload(EU)["status"]["updatedReplicas"] = json!(4);
    world.workload(EU)["status"]["readyReplicas"] = json!(4);
    world.show_workload(EU);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn a_hold_that_was_meant_for_another_update_revision_holds_no_pods_back() {
    let mut world = under_way(partitioned(0));
    world.workload(EU)["status"]["observedGeneration"] = world.workload(EU)["metadata"]["generation"].clone();
    world.show_workload(EU);
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    assert!(plan.steps.iter().any(|s| s.region == EU && s.main().is_some()));
    world.workload(EU)["status"]["updateRevision"] = "webapp-another".into();
    world.carry_out(Approved::standing(plan.clone(), "ana".into()).unwrap());
    world.pass(5);
    let (word, why) = world.end(plan.id);
    assert!(word == "refused" && why.contains("changed since you looked"), "{word}: {why}");
    assert_eq!(partition(&mut world), 0);
}
