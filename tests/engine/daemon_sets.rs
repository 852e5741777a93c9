//! DaemonSets: nothing pauses them, so a hold says what goes on; a way back goes by ControllerRevisions.

use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::workload::Phase;
use serde_json::{Value, json};

use crate::fixture::*;

fn world() -> World {
    let mut fleet = fleet();
    for region in &mut fleet.services[0].regions {
        region.workload.kind = "DaemonSet".into();
    }
    let mut world = World::with(fleet);
    // A DaemonSet does not say when it settled: what counts is what was seen, and a day of it.
    world.pass(1);
    world.skip(25 * 3_600);
    world.show_everything();
    world
}

/// The same, where eu-west-1 has the new version on one node of four, and that pod is not available.
fn under_way() -> World {
    let mut world = world();
    world.controller = false;
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "open");
    world.controller = true;
    world.sent.clear();
    world
}

fn phase(world: &World) -> Phase {
    world.engine.services[0].regions[EU.at()].workload.as_ref().unwrap().phase
}

#[test]
fn it_is_promoted_and_settles_when_every_node_runs_the_template() {
    let mut world = world();
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!((world.image(EU).as_str(), phase(&world)), (V2, Phase::Complete));
    assert!(world.fact_kinds(EU).contains(&"promoted"));
    let id = world.go(roll_back(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(EU), V1);
}

#[test]
fn a_hold_is_a_fact_only_and_says_what_goes_on() {
    let mut world = under_way();
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "goes-on").unwrap();
    assert!(finding.text.contains("eu-west-1: this DaemonSet cannot be paused"), "{}", finding.text);
    assert!(finding.text.contains("1 of 4 updated"), "{}", finding.text);
    assert!(plan.after.contains("0 rollouts pause, what rolls out in eu-west-1 goes on"), "{}", plan.after);
    assert_eq!(plan.findings.iter().filter(|f| f.code == "goes-on").count(), 1, "what is complete does not move");
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(world.sent.iter().all(|c| &*c.object().unwrap().api.kind == "ConfigMap"), "{:?}", world.log);
    assert!(world.fact_kinds(EU).contains(&"hold"));
    // Nothing is promoted under it, and a resume has nothing to take back.
    assert_eq!(world.review(promote(), ring(3)).unwrap_err().code, "held");
    let id = world.go(resume(), Target::Service);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(!world.sent.iter().any(|c| &*c.object().unwrap().api.kind == "DaemonSet"), "{:?}", world.log);
}

#[test]
fn a_hold_does_not_speak_of_what_moves_only_when_somebody_deletes_pods() {
    let mut world = under_way();
    world.workload(EU)["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    world.show_workload(EU);
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    assert!(!codes(&plan).contains(&"goes-on"), "{:?}", plan.findings);
}

#[test]
fn where_pods_change_only_when_deleted_nothing_is_promoted() {
    let mut world = world();
    world.workload(EU)["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    world.show_workload(EU);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "on-delete", "{refusal:?}");
}

#[test]
fn an_abort_takes_back_what_is_in_flight_and_nothing_else() {
    let mut world = under_way();
    let id = world.go(Verb::Abort, Target::Service);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!((world.image(EU).as_str(), world.image(AP).as_str()), (V1, V2));
    let patches = world.sent.iter().filter(|c| &*c.object().unwrap().api.kind == "DaemonSet").count();
    assert_eq!(patches, 1);
}

#[test]
fn without_a_fact_it_goes_back_by_its_controller_revisions() {
    let mut world = world();
    let cluster = world.workload_ref(EU).cluster;
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["image"] = json!(V2);
    world.show_workload(EU);
    world.owned.insert(cluster, [controller_revision("uid-3", 1, V1), controller_revision("uid-3", 2, V2)].into());
    let plan = world.review(Verb::RollBack { to_revision: Some(1) }, ring(2)).unwrap();
    let body: Value = serde_json::from_slice(&plan.steps[0].main().unwrap().change.body()).unwrap();
    let replaced = body.as_array().unwrap().iter().find(|o| o["op"] == "replace" && o["path"] == "/spec/template");
    assert_eq!(replaced.unwrap()["value"].get("$patch"), None);
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(EU), V1);
}

#[test]
fn a_node_that_uses_up_what_may_be_missing_is_named_once_nothing_moves() {
    let mut world = under_way();
    let alarm = |world: &World| {
        let alarms = &world.engine.services[0].view.alarms;
        alarms.iter().any(|a| a.contains("eu-west-1: nothing moves") && a.contains("maxUnavailable"))
    };
    assert!(!alarm(&world), "it may still move");
    world.pass(90);
    assert!(alarm(&world), "{:?}", world.engine.services[0].view.alarms);
}
