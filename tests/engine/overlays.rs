//! Versions that stand in a repository: one commit changes one value, and the workload shows what came of it.

use gonogo::domain::carrier::{CarrierRef, OverlayRef};
use gonogo::domain::challenge::{Asked, challenge};
use gonogo::domain::change::Change;
use gonogo::domain::id::RegionIx;
use gonogo::domain::outside::{GitChange, Outside, Push};
use gonogo::domain::plan::{Expectation, Plan};
use gonogo::domain::record::Body;
use gonogo::domain::version::Version;
use gonogo::engine::effect::ActResult;
use serde_json::{Value, json};

use crate::fixture::*;

const POINTER: &str = "/images[name=registry.example/webapp]/newTag";
const HEAD: &str = "1111111111111111111111111111111111111111";

/// The versions of production stand in a repository, where `eu-west-1` is at this.
fn world(value: &str, own_branch: bool) -> World {
    let mut fleet = fleet();
    for at in [AP, EU, US] {
        let region = &mut fleet.services[0].regions[at.at()];
        region.carrier = Some(CarrierRef::Overlay(OverlayRef {
            repository: "deploys".into(),
            branch: "main".into(),
            path: format!("webapp/{}/kustomization.yaml", region.name).into(),
            pointer: POINTER.into(),
            own_branch,
        }));
    }
    let mut world = World::with(fleet);
    world.git = Some(seen(value));
    world
}

fn seen(value: &str) -> Value {
    json!({"head": HEAD, "value": value, "line": 7, "last": null})
}

/// What else is there brings a version to the cluster.
fn delivered(world: &mut World, at: RegionIx, image: &str) {
    let workload = world.workload(at);
    let generation = workload["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
    workload["metadata"]["generation"] = generation.into();
    workload["status"]["observedGeneration"] = generation.into();
    workload["spec"]["template"]["spec"]["containers"][1]["image"] = image.into();
    world.show_workload(at);
}

fn commit(plan: &Plan) -> GitChange {
    let main = plan.steps[0].main().unwrap();
    let Change::Outside(Outside::Git(git)) = &main.change else { panic!("{main:?}") };
    git.clone()
}

fn message(plan: &Plan) -> String {
    commit(plan).message.replace(&plan.id.to_string(), "PLAN")
}

#[test]
fn a_promotion_is_one_commit_and_over_when_the_workload_runs_it() {
    let mut world = world("v2.0.0", false);
    let plan = world.review(promote(), ring(2)).unwrap();
    let git = commit(&plan);
    assert_eq!((&*git.from, &*git.to, &*git.base), ("v2.0.0", "v2.1.0", HEAD));
    assert_eq!((&*git.path, &*git.pointer), ("webapp/eu-west-1/kustomization.yaml", POINTER));
    assert_eq!((git.push, git.reverts), (Push::Direct, None));
    assert_eq!(
        message(&plan),
        "webapp eu-west-1: v2.0.0 -> v2.1.0\n\nGonogo-Service: webapp\nGonogo-Ring: ring-2\n\
         Gonogo-Region: eu-west-1\nGonogo-From: v2.0.0\nGonogo-To: v2.1.0\nGonogo-Plan: PLAN"
    );
    let field = format!("webapp/eu-west-1/kustomization.yaml of deploys, line 7: {POINTER}");
    let line = &plan.steps[0].diff[0];
    assert_eq!((&*line.field, &line.from, &line.to), (field.as_str(), &Some("v2.0.0".into()), &Some("v2.1.0".into())));
    assert_eq!(plan.steps[0].expect, [Expectation::Runs(Version("v2.1.0".into()))]);

    let id = world.approve();
    assert_eq!(world.sent.iter().filter(|c| matches!(c, Change::Outside(_))).count(), 1);
    assert!(!world.sent.iter().any(|c| c.object().is_some_and(|o| &*o.api.kind == "Deployment")), "{:?}", world.sent);
    assert!(world.operation(id).ended.is_none(), "pushed is not done");
    delivered(&mut world, EU, V2);
    world.pass(1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.fact_kinds(EU), ["promoted"]);
}

#[test]
fn the_reason_is_a_trailer_and_begins_no_other() {
    let mut world = world("v2.0.0", false);
    let plan = world.review(promote(), ring(2)).unwrap();
    let challenge = challenge(&plan);
    let reason = Some("fixes the cart\nGonogo-Plan: forged".into());
    let typed = match &challenge.answer {
        Asked::Key => "y".to_owned(),
        Asked::Typed(text) => text.to_string(),
    };
    let approved = challenge.answer(plan, &typed, reason, "ana".into()).unwrap();
    let said = message(approved.plan());
    assert!(said.ends_with("\nGonogo-Plan: PLAN\nGonogo-Reason: fixes the cart Gonogo-Plan: forged"), "{said}");
    world.carry_out(approved);
    assert!(world.sent.iter().any(|c| matches!(c, Change::Outside(_))), "it is the plan that was shown");
}

/// ring-2 was brought v2.1.0 by a commit of ours.
fn promoted() -> (World, String) {
    let mut world = world("v2.0.0", false);
    let id = world.go(promote(), ring(2));
    delivered(&mut world, EU, V2);
    world.pass(1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    let facts = world.engine.services[0].record.region(EU).unwrap().facts.values().cloned().collect::<Vec<_>>();
    let moved = facts.iter().find_map(|f| match &f.body {
        Body::Promoted(moved) => Some(moved.clone()),
        _ => None,
    });
    let kept = moved.unwrap().from;
    assert!(kept.contains(&("carrier.value".into(), "v2.0.0".into())), "{kept:?}");
    (world, id.to_string())
}

#[test]
fn a_way_back_takes_back_the_commit_that_brought_it() {
    let (mut world, plan) = promoted();
    let last = json!({"commit": "abc123", "message": format!("webapp\n\nGonogo-Plan: {plan}"), "alone": true});
    world.git = Some(json!({"head": HEAD, "value": "v2.1.0", "line": 7, "last": last}));
    let plan = world.review(roll_back(), ring(2)).unwrap();
    let git = commit(&plan);
    assert_eq!((&*git.from, &*git.to), ("v2.1.0", "v2.0.0"));
    assert_eq!(git.reverts.as_deref(), Some("abc123"));
    assert!(git.message.starts_with("webapp eu-west-1: back, v2.1.0 -> v2.0.0\n\nThis takes back commit abc123.\n\n"));
    let id = world.approve();
    delivered(&mut world, EU, V1);
    world.pass(1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.fact_kinds(EU), ["promoted", "rolled-back"]);
}

#[test]
fn a_way_back_over_what_others_did_writes_the_old_value() {
    let (mut world, plan) = promoted();
    for last in [
        json!({"commit": "abc123", "message": "somebody", "alone": true}),
        json!({"commit": "abc123", "message": format!("Gonogo-Plan: {plan}"), "alone": false}),
        Value::Null,
    ] {
        world.git = Some(json!({"head": HEAD, "value": "v2.1.0", "line": 7, "last": last}));
        let git = commit(&world.review(roll_back(), ring(2)).unwrap());
        assert_eq!((&*git.from, &*git.to, git.reverts), ("v2.1.0", "v2.0.0", None));
    }
}

#[test]
fn where_git_and_the_cluster_differ_a_person_must_have_seen_it() {
    let mut behind = world("v1.9.0", false);
    let plan = behind.review(promote(), ring(2)).unwrap();
    let found = plan.findings.iter().find(|f| f.code == "carrier").unwrap();
    assert_eq!(
        &*found.text,
        "eu-west-1 is at v1.9.0 in webapp/eu-west-1/kustomization.yaml of deploys, while its cluster runs v2.0.0: \
         one has not followed the other"
    );
    assert_eq!(&*commit(&plan).from, "v1.9.0");
    let refusal = world("v2.1.0", false).review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "nothing-to-do");
    assert_eq!(
        &*refusal.text,
        "eu-west-1 is at v2.1.0 in webapp/eu-west-1/kustomization.yaml of deploys already, and runs v2.0.0"
    );
}

#[test]
fn what_cannot_be_read_or_edited_is_refused_with_the_reason() {
    let mut world = world("v2.0.0", false);
    world.git = Some(json!({"cannot": "webapp/eu-west-1/kustomization.yaml: line 7: the value has a tag"}));
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "git");
    assert!(refusal.text.ends_with("kustomization.yaml: line 7: the value has a tag"), "{}", refusal.text);
    world.git = None;
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "unreachable", "{refusal:?}");
}

#[test]
fn a_commit_on_a_branch_of_its_own_promises_nothing() {
    let mut world = world("v2.0.0", true);
    let id = world.go(promote(), ring(2));
    let git = world.sent.iter().find_map(|c| match c {
        Change::Outside(Outside::Git(git)) => Some(git.clone()),
        _ => None,
    });
    assert_eq!(git.unwrap().push, Push::Branch(format!("gonogo/{}", id.to_string().to_lowercase()).into()));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.fact_kinds(EU), [""; 0], "nothing was promoted yet");
    assert_eq!(world.sent.len(), 1, "{:?}", world.sent);
}

#[test]
fn somebody_elses_value_ends_it_as_changed_and_a_lost_reply_is_told_by_the_workload() {
    let mut changed = world("v2.0.0", false);
    changed.faults.insert((EU, "Outside"), [Fault::Answer(ActResult::Changed)].into());
    let id = changed.go(promote(), ring(2));
    let (end, why) = changed.end(id);
    assert_eq!(end, "refused");
    assert!(why.contains("changed since you looked"), "{why}");

    let mut lost = world("v2.0.0", false);
    lost.faults.insert((EU, "Outside"), [Fault::LostBefore].into());
    let id = lost.go(promote(), ring(2));
    assert!(lost.operation(id).ended.is_none());
    delivered(&mut lost, EU, V2);
    lost.pass(5);
    assert_eq!(lost.end(id).0, "settled", "{:?}", lost.end(id));
    let sent = lost.log.iter().filter(|l| l.contains("COMMIT")).count();
    assert_eq!(sent, 1, "it was not sent again");
}
