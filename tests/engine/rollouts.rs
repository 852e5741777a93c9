//! Argo Rollouts: step by step, each step one plan; held, given up, tried again, and back to the stable revision.

use gonogo::domain::finding::Severity;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::plan::{Expectation, Plan};
use gonogo::domain::record::Body;
use gonogo::domain::workload::Phase;
use serde_json::{Value, json};

use crate::fixture::rollout_world::{hash, owned_set};
use crate::fixture::*;

fn world() -> World {
    let mut fleet = fleet();
    for region in &mut fleet.services[0].regions {
        region.workload.kind = "Rollout".into();
    }
    World::with(fleet)
}

fn phase(world: &World) -> Phase {
    world.engine.services[0].regions[EU.at()].workload.as_ref().unwrap().phase
}

/// At the first pause of a promotion.
fn at_a_pause() -> World {
    let mut world = world();
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(phase(&world), Phase::AtStep);
    world.sent.clear();
    world
}

fn full() -> Verb {
    Verb::Promote { to: None, without_wait: true }
}

/// Operations of a plan's only step: what is tested and what is written, and where it is sent.
fn request(plan: &Plan) -> (Vec<String>, Vec<String>, String) {
    let change = &plan.steps[0].main().unwrap().change;
    let body: Value = serde_json::from_slice(&change.body()).unwrap();
    let (tests, writes): (Vec<_>, Vec<_>) = body.as_array().unwrap().iter().partition(|o| o["op"] == "test");
    let paths = |all: Vec<&Value>| all.iter().map(|o| o["path"].as_str().unwrap().to_owned()).collect();
    let writes = writes.iter().map(|o| format!("{} {}", o["op"].as_str().unwrap(), o["path"].as_str().unwrap()));
    (paths(tests), writes.collect(), change.path())
}

fn status(world: &mut World, key: &str) -> Value {
    world.workload(EU)["status"][key].clone()
}

#[test]
fn a_version_comes_to_the_first_pause_and_each_promotion_is_one_step_further() {
    let mut world = at_a_pause();
    assert_eq!(world.image(EU), V2);
    world.pass(1);
    assert_eq!(world.engine.services[0].regions[EU.at()].settled, None, "it is on its way: no bake");
    let refusal = world.review(promote(), ring(3)).unwrap_err();
    assert!(["wait", "no-data", "stale"].contains(&refusal.code), "the next ring waits: {refusal:?}");
    let plan = world.review(promote(), ring(2)).unwrap();
    let (tests, writes, path) = request(&plan);
    let wanted = [
        "/metadata/uid",
        "/spec/template",
        "/status/currentPodHash",
        "/status/currentStepIndex",
        "/status/pauseConditions",
    ];
    assert_eq!(tests, wanted);
    assert_eq!(writes, ["remove /status/pauseConditions"]);
    assert!(path.ends_with("/rollouts/webapp/status"), "{path}");
    assert!(matches!(plan.steps[0].expect[..], [Expectation::AtStep { beyond: Some(1), .. }]));
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(status(&mut world, "currentStepIndex"), json!(3));
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(phase(&world), Phase::Complete);
    let promotions = world.fact_kinds(EU).iter().filter(|k| **k == "promoted").count();
    assert_eq!(promotions, 1, "the way back stays the first's");
    let id = world.go(roll_back(), ring(2));
    assert_eq!(world.end(id).0, "open", "v2 became the stable revision: the way back goes step by step");
    assert_eq!((world.image(EU).as_str(), phase(&world)), (V1, Phase::AtStep));
    let plan = world.review(roll_back(), ring(2)).unwrap();
    assert_eq!(request(&plan).1, ["add /status/promoteFull"], "once more: without the rest of the steps");
    let again = world.approve();
    assert_eq!((world.end(again).0, world.end(id).0), ("settled", "settled"));
    assert_eq!(phase(&world), Phase::Complete);
    let refusal = world.review(roll_back(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "nothing-to-do", "{refusal:?}");
}

#[test]
fn a_step_that_somebody_else_took_meanwhile_is_never_taken_twice() {
    let mut world = at_a_pause();
    world.review(promote(), ring(2)).unwrap();
    // Another console was faster: it is at the next pause already, and the watch has not said so.
    world.workload(EU)["status"].as_object_mut().unwrap().remove("pauseConditions");
    rollout_world::follow(world.workload(EU), true, NOW);
    let id = world.approve();
    assert_eq!(world.end(id).0, "refused", "{:?}", world.end(id));
    assert_eq!(status(&mut world, "currentStepIndex"), json!(3), "it waits where the other left it");
}

#[test]
fn a_step_is_not_done_before_the_next_one_is_seen() {
    let mut world = at_a_pause();
    world.watch = false;
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "open", "the watch still shows the pause before");
    rollout_world::follow(world.workload(EU), true, NOW);
    world.show_workload(EU);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn promoting_in_full_says_what_it_skips_and_wants_a_reason() {
    let mut world = at_a_pause();
    let plan = world.review(full(), ring(2)).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "steps").unwrap();
    assert_eq!(finding.severity, Severity::Override);
    assert!(finding.text.contains("skips the 3 steps"), "{}", finding.text);
    assert_eq!(request(&plan).1, ["add /status/promoteFull"]);
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(phase(&world), Phase::Complete);
}

#[test]
fn a_running_analysis_is_skipped_by_nobody_who_did_not_say_so() {
    let mut world = at_a_pause();
    let object = world.workload(EU);
    object["spec"]["strategy"]["canary"]["steps"][1] = json!({"analysis": {}});
    object["status"]["canary"] = json!({"currentStepAnalysisRunStatus": {"name": "errors-1", "status": "Running"}});
    object["status"].as_object_mut().unwrap().remove("pauseConditions");
    object["status"]["controllerPause"] = json!(false);
    object["status"]["phase"] = json!("Progressing");
    world.show_workload(EU);
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "analysis");
    let plan = world.review(full(), ring(2)).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "steps").unwrap();
    assert!(finding.text.contains("errors-1"), "{}", finding.text);
}

fn with_history(mut world: World) -> World {
    let cluster = world.workload_ref(EU).cluster;
    world.owned.insert(cluster, vec![owned_set("uid-3", 1, V1), owned_set("uid-3", 2, V2)]);
    world
}

#[test]
fn an_abort_gives_the_traffic_back_at_once_and_the_template_stays() {
    let mut world = with_history(at_a_pause());
    let plan = world.review(Verb::Abort, ring(2)).unwrap();
    let (tests, writes, path) = request(&plan);
    assert_eq!(tests, ["/metadata/uid", "/status/currentPodHash"], "a step that moved must not stop it");
    assert_eq!(writes, ["add /status/abort"]);
    assert!(path.ends_with("/status"), "{path}");
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!((phase(&world), world.image(EU).as_str()), (Phase::Degraded, V2));
    let moved = world.facts(EU).into_iter().find_map(|f| match f.body {
        Body::RolledBack(m) => Some((m.from_version.to_string(), m.to_version.to_string())),
        _ => None,
    });
    assert_eq!(moved, Some(("v2.1.0".to_owned(), "v2.0.0".to_owned())));
    // Once more: a clearance first, as for anything that was rolled back. All at once: never.
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "no-go");
    world.go(Verb::Clear { what: None }, Target::Service);
    assert_eq!(world.review(full(), ring(2)).unwrap_err().code, "aborted");
    let plan = world.review(promote(), ring(2)).unwrap();
    assert!(plan.findings.iter().any(|f| f.code == "steps" && f.text.contains("was aborted")), "{:?}", plan.findings);
    assert_eq!(request(&plan).1, ["replace /status/abort"]);
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(phase(&world), Phase::AtStep);
    let id = world.go(Verb::Abort, ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    // What was given up goes back for good by its template.
    let id = world.go(roll_back(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!((phase(&world), world.image(EU).as_str()), (Phase::Complete, V1));
}

#[test]
fn what_is_paused_by_hand_goes_back_by_its_template_in_one_patch() {
    let mut world = with_history(at_a_pause());
    world.workload(EU)["spec"]["paused"] = json!(true);
    world.workload(EU)["metadata"]["generation"] = json!(6);
    rollout_world::follow(world.workload(EU), true, NOW);
    world.show_workload(EU);
    let plan = world.review(Verb::Abort, ring(2)).unwrap();
    let (_, writes, path) = request(&plan);
    assert!(writes.contains(&"replace /spec/paused".to_owned()), "{writes:?}");
    assert!(path.ends_with("/rollouts/webapp"), "an abort of a paused rollout would leave its canary: {path}");
    assert!(plan.findings.iter().any(|f| f.code == "steps" && f.text.contains("skips all 4 steps")));
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!((phase(&world), world.image(EU).as_str()), (Phase::Complete, V1));
}

#[test]
fn a_hold_stops_a_pause_from_ending_and_a_resume_restores_it() {
    let mut world = at_a_pause();
    world.go(Verb::Hold, Target::Service);
    assert_eq!(world.workload(EU)["spec"]["paused"], json!(true));
    let patch = world.sent.iter().find(|c| &*c.object().unwrap().api.kind == "Rollout").unwrap();
    assert!(String::from_utf8(patch.body()).unwrap().contains("/status/currentPodHash"));
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert!(["held", "paused"].contains(&refusal.code), "{refusal:?}");
    let id = world.go(resume(), Target::Service);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.workload(EU)["spec"]["paused"], json!(false));
    assert_eq!(phase(&world), Phase::AtStep);
}

#[test]
fn a_hold_does_not_freeze_what_goes_back() {
    let mut world = at_a_pause();
    world.go(Verb::Abort, ring(2));
    world.sent.clear();
    world.go(Verb::Hold, Target::Service);
    assert!(world.sent.iter().all(|c| &*c.object().unwrap().api.kind != "Rollout"), "its canary would keep serving");
}

#[test]
fn without_a_fact_it_goes_back_to_the_stable_revision_and_to_none_that_was_given_up() {
    let mut world = world();
    let cluster = world.workload_ref(EU).cluster;
    let failed = "registry.example/webapp:v2.0.9";
    let sets = [owned_set("uid-3", 1, V1), owned_set("uid-3", 2, failed), owned_set("uid-3", 3, V2)];
    world.owned.insert(cluster, sets.into());
    let stable = world.workload(EU)["status"]["stableRS"].clone();
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["image"] = json!(V2);
    world.workload(EU)["metadata"]["generation"] = json!(5);
    rollout_world::follow(world.workload(EU), true, NOW);
    world.show_workload(EU);
    let refusal = world.review(Verb::RollBack { to_revision: Some(2) }, ring(2)).unwrap_err();
    assert_eq!(refusal.code, "given-up", "{refusal:?}");
    let id = world.go(roll_back(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(json!(hash(world.workload(EU))), stable);
    assert_eq!(world.image(EU), V1);
}

#[test]
fn where_the_type_has_no_status_of_its_own_the_object_is_written() {
    let mut world = at_a_pause();
    world.no_status = true;
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    let change = world.sent.iter().find(|c| &*c.object().unwrap().api.kind == "Rollout").unwrap();
    assert!(change.path().ends_with("/rollouts/webapp"), "{}", change.path());
}

#[test]
fn a_template_that_another_object_has_is_not_written_and_its_rollout_is_held() {
    let mut world = at_a_pause();
    world.workload(EU)["spec"].as_object_mut().unwrap().remove("template");
    world.workload(EU)["spec"]["workloadRef"] = json!({"kind": "Deployment", "name": "webapp"});
    world.show_workload(EU);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert!(["workload-ref", "no-data"].contains(&refusal.code), "{refusal:?}");
    let refusal = world.review(roll_back(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "workload-ref", "{refusal:?}");
    assert!(refusal.text.contains("Deployment webapp"), "{}", refusal.text);
    world.go(Verb::Hold, Target::Service);
    assert_eq!(world.workload(EU)["spec"]["paused"], json!(true));
}

#[test]
fn a_pause_of_hours_is_pointed_out_it_is_no_bake() {
    let mut world = world();
    world.workload(EU)["spec"]["strategy"]["canary"]["steps"][3] = json!({"pause": {"duration": "24h"}});
    world.show_workload(EU);
    let plan = world.review(promote(), ring(2)).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "long-pause").unwrap();
    assert!(finding.text.contains("step 4 pauses for 1d00h"), "{}", finding.text);
}
