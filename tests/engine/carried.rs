//! Promotions, rollbacks and holds that go by the Application that delivers a region.

use gonogo::domain::carrier::{ApplicationCarrier, ApplicationField, CarrierRef};
use gonogo::domain::change::{ApiType, Change, ObjectRef};
use gonogo::domain::finding::Severity;
use gonogo::domain::fleet::{DeliveryRef, OnHold};
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::plan::{Expectation, Plan, WriteRole};
use gonogo::domain::record::Body;
use serde_json::{Value, json};

use crate::fixture::*;

fn of(kind: &str, name: &str) -> ObjectRef {
    let plural = format!("{}s", kind.to_lowercase());
    let api = ApiType::new("argoproj.io", "v1alpha1", &plural, kind);
    ObjectRef { cluster: EDGE, api, namespace: "argocd".into(), name: name.into() }
}

fn application() -> ObjectRef {
    of("Application", "webapp-eu")
}

/// eu-west-1 is carried by an Application on the edge cluster that follows v2.0.0, with this policy.
fn world(policy: Value) -> World {
    let mut fleet = fleet();
    let region = &mut fleet.services[0].regions[EU.at()];
    region.delivery = Some(DeliveryRef {
        kind: "Application".into(),
        cluster: EDGE,
        namespace: "argocd".into(),
        name: "webapp-eu".into(),
        on_hold: OnHold::Terminate,
    });
    region.carrier = Some(CarrierRef::Application(ApplicationCarrier {
        source: None,
        field: ApplicationField::TargetRevision,
        template: "{{version}}".into(),
    }));
    let mut world = World::with(fleet);
    // Its generation is far above the workload's: one says nothing of the other.
    let object = json!({
        "metadata": {"name": "webapp-eu", "namespace": "argocd", "uid": "app-1", "generation": 311},
        "spec": {
            "project": "shop",
            "source": {"repoURL": "https://git.example/shop.git", "targetRevision": "v2.0.0"},
            "syncPolicy": {"automated": policy},
        },
        "status": {
            "sync": {"status": "Synced", "revision": "8c1f"}, "health": {"status": "Healthy"},
            "operationState": {"phase": "Succeeded", "startedAt": "2026-03-01T09:00:00Z"},
        },
    });
    world.objects.insert(application(), object);
    world.objects.insert(of("AppProject", "shop"), json!({"metadata": {"name": "shop", "uid": "p"}, "spec": {}}));
    world.show(application());
    world
}

fn change(world: &mut World, change: impl FnOnce(&mut Value)) {
    change(world.objects.get_mut(&application()).unwrap());
    world.show(application());
}

fn target(world: &World) -> Value {
    world.objects[&application()]["spec"]["source"]["targetRevision"].clone()
}

/// Argo CD brought it, and the Deployment rolled out.
fn brought(world: &mut World, image: &str) {
    let workload = world.workload(EU);
    workload["spec"]["template"]["spec"]["containers"][1]["image"] = json!(image);
    workload["metadata"]["generation"] = json!(workload["metadata"]["generation"].as_i64().unwrap() + 1);
    world.finish(EU);
    world.pass(1);
}

fn main(plan: &Plan) -> Change {
    let step = plan.steps.iter().find(|s| s.region == EU).unwrap();
    step.writes.iter().find(|w| w.role == WriteRole::Main).unwrap().change.clone()
}

fn warnings(plan: &Plan) -> Vec<String> {
    plan.findings.iter().filter(|f| f.severity >= Severity::Warning).map(|f| f.text.to_string()).collect()
}

#[test]
fn a_promotion_is_what_the_application_follows_and_over_when_the_workload_runs_it() {
    let mut world = world(json!({"selfHeal": true, "prune": true}));
    let plan = world.review(promote(), ring(2)).unwrap();
    assert_eq!(main(&plan).object(), Some(&application()));
    assert!(!plan.findings.iter().any(|f| ["reverts", "owner"].contains(&f.code)), "{:?}", plan.findings);
    let step = plan.steps.iter().find(|s| s.region == EU).unwrap();
    assert_eq!(step.diff[0].field.as_ref(), "targetRevision");
    assert_eq!(step.expect, [Expectation::Runs(gonogo::domain::version::Version("v2.1.0".into()))]);
    let id = world.approve();
    assert_eq!((target(&world), world.end(id).0), (json!("v2.1.0"), "open"));
    assert!(world.objects[&application()].get("operation").is_none(), "it brings that by itself");
    brought(&mut world, V2);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    let kept = world.facts(EU).into_iter().find_map(|f| match f.body {
        Body::Promoted(m) => Some(m.from),
        _ => None,
    });
    let field = ("carrier.application targetRevision".into(), "\"v2.0.0\"".into());
    assert!(kept.unwrap().contains(&field), "the record knows the way back");

    let plan = world.review(roll_back(), region(EU)).unwrap();
    assert!(warnings(&plan).iter().any(|w| w.contains("what it follows goes back")), "{:?}", plan.findings);
    let id = world.approve();
    assert_eq!(target(&world), json!("v2.0.0"));
    brought(&mut world, V1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn by_hand_a_sync_is_asked_for_by_name_and_never_over_another() {
    let mut world = world(Value::Null);
    world.known_as(EDGE, "ana@argocd");
    change(&mut world, |app| app["operation"] = json!({"initiatedBy": {"username": "bo"}, "sync": {}}));
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "busy");
    assert!(refusal.text.contains("operation is under way (Requested for bo)"), "{refusal:?}");
    change(&mut world, |app| {
        app.as_object_mut().unwrap().remove("operation");
    });
    let plan = world.review(promote(), ring(2)).unwrap();
    assert!(warnings(&plan).iter().any(|w| w.contains("a sync is asked for")), "{:?}", plan.findings);
    // Somebody is faster: nothing is written over it.
    world.objects.get_mut(&application()).unwrap()["operation"] = json!({"sync": {}});
    let id = world.approve();
    let (how, why) = world.end(id);
    assert_eq!(how, "refused", "{why}");
    assert_eq!(target(&world), json!("v2.0.0"));
    world.objects.get_mut(&application()).unwrap().as_object_mut().unwrap().remove("operation");
    world.show(application());
    world.go(promote(), ring(2));
    let object = &world.objects[&application()];
    assert_eq!(object["operation"]["initiatedBy"]["username"], "ana@argocd");
    assert_eq!(object["operation"]["sync"]["revision"], "v2.1.0");
    assert_eq!(object["status"].get("operationState"), None, "as Argo CD's API server does");
}

#[test]
fn a_sync_window_that_is_shut_refuses_a_promotion_and_does_not_keep_a_rollback() {
    let mut world = world(json!({}));
    let window = json!([{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}]);
    world.objects.get_mut(&of("AppProject", "shop")).unwrap()["spec"] = json!({"syncWindows": window});
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "window");
    assert!(refusal.text.contains("a sync window denies it (* * * * *, for 1h, UTC)"), "{refusal:?}");
    world.objects.remove(&of("AppProject", "shop"));
    let plan = world.review(promote(), ring(2)).unwrap();
    let said = warnings(&plan);
    assert!(said.iter().any(|w| w.contains("AppProject argocd/shop shuts is not known (it was not read)")), "{said:?}");
    world.go(promote(), ring(2));
    brought(&mut world, V2);
    world.objects.insert(of("AppProject", "shop"), json!({"metadata": {"uid": "p"}, "spec": {"syncWindows": window}}));
    let plan = world.review(roll_back(), region(EU)).unwrap();
    assert!(warnings(&plan).iter().any(|w| w.contains("may wait before it goes back")), "{:?}", plan.findings);
}

#[test]
fn what_a_set_generates_is_changed_in_the_set_or_not_at_all() {
    let mut world = world(json!({}));
    change(&mut world, |app| {
        app["metadata"]["ownerReferences"] = json!([{"kind": "ApplicationSet", "name": "shop", "uid": "s"}]);
    });
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "generated");
    assert!(refusal.hint.contains("ApplicationSet shop could not be read"), "{refusal:?}");
    let element = |cluster: &str, revision: &str| json!({"cluster": cluster, "revision": revision});
    let set = json!({
        "metadata": {"name": "shop", "namespace": "argocd", "uid": "s"},
        "spec": {
            "generators": [{"list": {"elements": [element("ap", "v2.1.0"), element("eu", "v2.0.0")]}}],
            "template": {
                "metadata": {"name": "webapp-{{cluster}}"},
                "spec": {"source": {"targetRevision": "{{revision}}"}, "syncPolicy": {"automated": {}}},
            },
        },
    });
    world.objects.insert(of("ApplicationSet", "shop"), set);
    let plan = world.review(promote(), ring(2)).unwrap();
    assert_eq!(main(&plan).object(), Some(&of("ApplicationSet", "shop")));
    let id = world.approve();
    let elements = &world.objects[&of("ApplicationSet", "shop")]["spec"]["generators"][0]["list"]["elements"];
    assert_eq!(elements, &json!([element("ap", "v2.1.0"), element("eu", "v2.1.0")]));
    assert_eq!(target(&world), json!("v2.0.0"), "that is left to its controller");
    brought(&mut world, V2);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn a_hold_takes_automation_away_and_its_release_gives_back_exactly_that() {
    let policy = json!({"selfHeal": true, "prune": false, "allowEmpty": true});
    let mut world = world(policy.clone());
    change(&mut world, |app| {
        app["operation"] = json!({"sync": {}});
        app["status"]["operationState"] = json!({"phase": "Running", "startedAt": "2026-03-02T09:59:00Z"});
    });
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    let labels: Vec<&str> = plan.steps.iter().map(|s| &*s.label).collect();
    assert_eq!(labels[..2], ["webapp-eu: automated off", "webapp-eu: end the sync"]);
    let id = world.approve();
    let object = world.objects[&application()].clone();
    assert_eq!(object["spec"]["syncPolicy"], json!({}));
    assert_eq!(object["status"]["operationState"]["phase"], "Terminating");
    assert_eq!(world.end(id).0, "open", "the sync has not ended");
    change(&mut world, |app| {
        app.as_object_mut().unwrap().remove("operation");
        app["status"]["operationState"]["phase"] = json!("Failed");
    });
    world.pass(1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.steps(id));
    // A second hold has nothing to take, and its release nothing to give while the first is there.
    world.go(Verb::Hold, region(EU));
    let newest = world.review(resume(), region(EU)).unwrap();
    assert!(!newest.steps.iter().any(|s| s.label.contains("automated")), "{:?}", newest.title);
    world.approve();
    assert_eq!(world.objects[&application()]["spec"]["syncPolicy"], json!({}));
    let plan = world.review(resume(), Target::Service).unwrap();
    assert!(plan.after.contains("what delivers eu-west-1 brings changes by itself again"), "{}", plan.after);
    let id = world.approve();
    assert_eq!(world.objects[&application()]["spec"]["syncPolicy"]["automated"], policy);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.steps(id));
    let kinds = world.fact_kinds(EU);
    assert!(kinds.contains(&"halted") && kinds.contains(&"unhalted"), "{kinds:?}");
}

#[test]
fn what_a_hold_cannot_stop_it_says_and_holds_all_the_same() {
    let mut world = world(json!({"selfHeal": true}));
    change(&mut world, |app| {
        app["metadata"]["ownerReferences"] = json!([{"kind": "ApplicationSet", "name": "shop", "uid": "s"}]);
    });
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    let said = warnings(&plan);
    assert!(said.iter().any(|w| w.contains("stays automated: ApplicationSet shop generates")), "{said:?}");
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled");
    assert!(world.fact_kinds(EU).contains(&"hold"));
}

#[test]
fn a_halt_that_somebody_gave_back_is_ended_in_the_record() {
    let mut world = world(json!({}));
    world.go(Verb::Hold, Target::Service);
    change(&mut world, |app| app["spec"]["syncPolicy"]["automated"] = json!({"prune": true}));
    world.go(resume(), Target::Service);
    assert_eq!(world.objects[&application()]["spec"]["syncPolicy"]["automated"], json!({"prune": true}));
    assert!(world.fact_kinds(EU).contains(&"unhalted"));
}
