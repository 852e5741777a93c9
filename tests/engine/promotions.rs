//! Promote: exactly the carried fields, by the ring before, on evidence, ring by ring.

use gonogo::domain::change::Change;
use gonogo::domain::finding::Severity;
use gonogo::domain::fleet::{Carry, CarryPath, CarryValue};
use gonogo::domain::id::ClusterIx;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::plan::Expectation;
use gonogo::domain::record::{Body, Move, Scope};
use gonogo::domain::version::TemplateDigest;
use serde_json::json;
use std::time::Duration;
use ulid::Ulid;

use crate::fixture::*;

fn pretty(change: &Change) -> String {
    let body = match change {
        Change::Patch { body, .. } | Change::Create { body, .. } => serde_json::to_string_pretty(body).unwrap(),
        Change::Outside(outside) => String::from_utf8(outside.body()).unwrap(),
    };
    format!("{} {}\n{}\n{body}\n", change.method(), change.path(), change.content_type())
}

#[test]
fn promoting_a_ring_sends_exactly_this() {
    let mut world = World::new();
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(EU), V2);
    assert_eq!(world.image(US), V1, "a later ring is not touched");
    insta::assert_snapshot!("promote", world.sent.iter().map(pretty).collect::<Vec<_>>().join("\n"));
    assert_eq!(
        world.log,
        [
            "journal promote ring-2 to v2.1.0",
            "note step 0 started",
            "send eu-west-1 Main PATCH Deployment",
            "note step 0 write 0 accepted",
            "send eu-west-1 Record PATCH ConfigMap",
            "note step 0 write 1 accepted",
            "send eu-west-1 Event POST Event",
            "note step 0 write 2 accepted",
            "note step 0 settled",
            "note closed settled",
        ]
    );
    let facts = world.facts(EU);
    let [fact] = facts.as_slice() else { panic!("{facts:?}") };
    let Body::Promoted(moved) = &fact.body else { panic!("{fact:?}") };
    assert_eq!((&*moved.from_version, &*moved.to_version, &*moved.reason), ("v2.0.0", "v2.1.0", "because"));
    assert_eq!(&*moved.from[0].1, format!("{V1:?}"), "the way back is pinned, with its digest");
}

#[test]
fn the_diff_is_what_is_sent() {
    let mut world = World::new();
    let plan = world.review(promote(), ring(2)).unwrap();
    let lines: Vec<String> =
        plan.steps[0].diff.iter().map(|l| format!("{}: {:?} -> {:?}", l.field, l.from, l.to)).collect();
    assert_eq!(
        lines,
        [
            format!("containers[name=web]/image: Some(String({V1:?})) -> Some(String({V2:?}))"),
            "annotation kubernetes.io/change-cause: Some(String(\"before\")) -> \
             Some(String(\"gonogo: promote ring-2 from v2.0.0 to v2.1.0\"))"
                .to_owned(),
        ]
    );
    let Change::Patch { body, .. } = &plan.steps[0].writes[0].change else { panic!() };
    let changing: Vec<&str> =
        body.as_array().unwrap().iter().filter(|o| o["op"] != "test").map(|o| o["path"].as_str().unwrap()).collect();
    assert_eq!(changing.len(), lines.len(), "every change has its line: {changing:?}");
}

#[test]
fn what_is_tested_is_the_object_and_the_whole_template_never_its_version_number() {
    let mut world = World::new();
    let plan = world.review(promote(), ring(2)).unwrap();
    let body = String::from_utf8(plan.steps[0].writes[0].change.body()).unwrap();
    assert!(!body.contains("resourceVersion") && !body.contains("/metadata/generation"));
    let Change::Patch { body, .. } = &plan.steps[0].writes[0].change else { panic!() };
    assert_eq!(body[0], json!({"op": "test", "path": "/metadata/uid", "value": "uid-3"}));
    assert_eq!(body[1]["path"], "/spec/template");
    assert_eq!(body[1]["value"], world.workload(EU)["spec"]["template"]);
    assert_eq!(body[2], json!({"op": "test", "path": "/spec/template/spec/containers/1/name", "value": "web"}));
}

#[test]
fn status_updates_annotations_and_scaling_meanwhile_do_not_matter_and_one_byte_of_the_template_does() {
    let mut world = World::new();
    world.review(promote(), ring(2)).unwrap();
    let object = world.workload(EU);
    object["spec"]["replicas"] = 9.into();
    object["metadata"]["annotations"]["seen-by"] = "somebody".into();
    object["metadata"]["generation"] = 9.into();
    object["metadata"]["resourceVersion"] = "12345".into();
    object["status"]["readyReplicas"] = 3.into();
    let id = world.approve();
    assert_eq!(world.image(EU), V2, "{:?}", world.end(id));

    let mut world = World::new();
    world.review(promote(), ring(2)).unwrap();
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["args"][0] = "--fasT".into();
    world.workload(EU)["metadata"]["managedFields"] = serde_json::json!([
        {"manager": "kubectl-edit", "time": "2026-03-02T09:59:58Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
    ]);
    let id = world.approve();
    let (end, why) = world.end(id);
    assert_eq!(end, "refused");
    assert!(why.starts_with("changed since you looked"), "{why}");
    assert!(why.ends_with("last written by kubectl-edit at 02 Mar 09:59:58 UTC"), "{why}");
    assert_eq!(world.image(EU), V1);
    assert!(world.facts(EU).is_empty(), "what was not done leaves no fact");
}

#[test]
fn an_object_that_was_deleted_and_made_again_is_another_object() {
    let mut world = World::new();
    world.review(promote(), ring(2)).unwrap();
    world.workload(EU)["metadata"]["uid"] = "uid-new".into();
    let id = world.approve();
    assert_eq!(world.end(id).0, "refused");
    assert_eq!(world.image(EU), V1);
}

#[test]
fn the_region_keeps_its_own_registry() {
    let mut world = World::new();
    let mirror = "mirror.eu/apps/webapp:v2.0.0@sha256:1111111111111111";
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["image"] = mirror.into();
    world.show_workload(EU);
    world.go(promote(), ring(2));
    assert_eq!(world.image(EU), "mirror.eu/apps/webapp:v2.1.0@sha256:2222222222222222");
}

#[test]
fn other_fields_are_carried_by_pointer_verbatim_or_from_a_template() {
    let mut fleet = fleet();
    let path = |text: &str| CarryPath::parse(text).unwrap();
    fleet.services[0].carries.extend([
        Carry::Pointer { path: path("/spec/template/spec/containers[name=web]/args"), value: CarryValue::Verbatim },
        Carry::Pointer {
            path: path("/spec/template/metadata/annotations"),
            value: CarryValue::Template(r#"{"ring": "{{ring}}", "at": "{{region}} {{version}}"}"#.into()),
        },
    ]);
    let mut world = World::with(fleet);
    for at in [STAGE_A, STAGE_B, AP] {
        world.workload(at)["spec"]["template"]["spec"]["containers"][1]["args"] = json!(["--faster"]);
        world.show_workload(at);
    }
    world.go(promote(), ring(2));
    let template = world.workload(EU)["spec"]["template"].clone();
    assert_eq!(template["spec"]["containers"][1]["args"], json!(["--faster"]));
    assert_eq!(template["metadata"]["annotations"], json!({"ring": "ring-2", "at": "eu-west-1 v2.1.0"}));
    world.go(roll_back(), ring(2));
    assert_eq!(
        world.workload(EU)["spec"]["template"],
        deployment("x", V1)["spec"]["template"],
        "and all of it comes back"
    );
}

#[test]
fn a_bake_that_is_not_over_refuses_and_an_override_needs_a_reason_and_the_name() {
    let mut world = World::new();
    let started = "2026-03-02T04:00:00Z";
    world.workload(AP)["status"]["conditions"][0]["lastUpdateTime"] = started.into();
    let mut fresh = World::new();
    fresh.objects = world.objects.clone();
    let mut world = fresh.restarted();
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "wait", "{refusal:?}");
    let plan = world.review(Verb::Promote { to: None, without_wait: true }, ring(2)).unwrap();
    assert!(plan.worst() >= Some(Severity::Override), "{:?}", plan.findings);
    let asked = gonogo::domain::challenge::challenge(&plan);
    assert!(asked.reason_required);
    world.approve();
    assert_eq!(world.image(EU), V2);
}

#[test]
fn a_cluster_that_is_away_closes_the_gates_that_rest_on_it_and_no_others() {
    let mut world = World::new();
    world.cut(ClusterIx(2));
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert!(["unreachable", "no-data", "stale"].contains(&refusal.code), "{refusal:?}");
    let mut world = World::new();
    world.cut(ClusterIx(4));
    let plan = world.review(promote(), ring(2)).unwrap();
    assert!(
        plan.findings.iter().all(|f| f.severity < Severity::Override),
        "us-east-1 comes later: {:?}",
        plan.findings
    );
}

#[test]
fn a_mixed_ring_promotes_nothing() {
    let mut world = World::new();
    world.workload(STAGE_B)["spec"]["template"]["spec"]["containers"][1]["image"] = V1.into();
    world.show_workload(STAGE_B);
    let refusal = world.review(promote(), ring(1)).unwrap_err();
    assert_eq!(refusal.code, "mixed", "{refusal:?}");
}

#[test]
fn a_hold_refuses_from_the_first_region_that_has_it() {
    let mut world = World::new();
    world.write_fact(US, Body::Hold { scope: Scope::Service, reason: "pager".into() });
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "held");
    assert!(refusal.text.contains("bo@elsewhere") && refusal.text.contains("pager"), "{refusal:?}");
    // Even one that was written a moment ago and that no watch has shown: records are read again.
    let mut world = World::new();
    let object = world.record_ref(US);
    let fact = gonogo::domain::record::Fact {
        id: gonogo::domain::record::FactId(Ulid::from_parts(1_772_000_000_000, 5)),
        by: "bo".into(),
        at: later(NOW),
        journal: "".into(),
        body: Body::Hold { scope: Scope::Ring("ring-2".into()), reason: "quiet".into() },
    };
    world.objects.insert(object, json!({"data": {fact.key(): fact.value()}}));
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "held");
    assert!(world.review(promote(), ring(3)).is_err(), "ring-2 does not run it yet");
}

#[test]
fn a_hold_of_another_ring_does_not_refuse() {
    let mut world = World::new();
    world.write_fact(US, Body::Hold { scope: Scope::Ring("ring-3".into()), reason: "".into() });
    world.review(promote(), ring(2)).unwrap();
}

#[test]
fn a_hold_that_cannot_be_read_holds() {
    let mut world = World::new();
    world.write_key(AP, &format!("{}.hold", Ulid::from_parts(1_772_000_000_000, 9)), "garbage");
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "held");
    // And every place says it in the same words.
    let hold = world.engine.services[0].view.holds.last().unwrap().headline(1);
    assert_eq!(hold, "HELD service hold 1 of 5");
    let status = gonogo::run::output::status::text(&world.engine, Some(WEBAPP), false);
    assert!(status.lines().next().unwrap().contains(&hold), "{status}");
    let handover = gonogo::run::output::handover::text(&world.engine, WEBAPP);
    assert!(handover.lines().next().unwrap().contains(&hold), "{handover}");
}

#[test]
fn a_staggered_ring_changes_its_next_region_only() {
    let mut fleet = fleet();
    fleet.services[0].rings[0].stagger = Some(Duration::from_secs(3_600));
    let mut world = World::with(fleet);
    let plan = world.review(promote_to("v2.2.0"), ring(0)).unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].region, STAGE_A);
    assert_eq!(plan.blast.regions, [STAGE_A]);
    assert!(codes(&plan).contains(&"stagger"), "{:?}", plan.findings);
    assert_eq!(plan.findings.iter().filter(|f| &*f.subject == "stage-b").count(), 0, "nothing about regions that stay");
}

#[test]
fn a_version_by_hand_is_for_the_first_ring_only_and_warns_without_a_digest() {
    let mut world = World::new();
    let plan = world.review(promote_to("v2.2.0"), ring(0)).unwrap();
    assert_eq!(plan.steps.len(), 2);
    assert!(codes(&plan).contains(&"artefact"), "{:?}", plan.findings);
    let exact = "registry.example/webapp:v2.2.0@sha256:3333333333333333";
    let plan = world.review(promote_to(exact), ring(0)).unwrap();
    assert!(!codes(&plan).contains(&"artefact"), "{:?}", plan.findings);
}

#[test]
fn another_policy_on_this_console_needs_an_override() {
    let mut world = World::new();
    world.write_fact(AP, Body::Promoted(moved("ffffffffffffffff")));
    let plan = world.review(promote(), ring(2)).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "policy").expect("a finding");
    assert_eq!(finding.severity, Severity::Override);
    let mut world = World::new();
    world.write_fact(AP, Body::Promoted(moved("0011223344556677")));
    let plan = world.review(promote(), ring(2)).unwrap();
    assert!(!codes(&plan).contains(&"policy"));
}

#[test]
fn a_quarantined_image_is_not_promoted_without_breaking_glass() {
    let mut world = World::new();
    world.write_fact(US, Body::Quarantine { digest: "sha256:2222222222222222".into(), reason: "leaks".into() });
    match world.review(promote(), ring(2)) {
        Err(refusal) => assert!(["quarantine", "no-go"].contains(&refusal.code), "{refusal:?}"),
        Ok(plan) => panic!("{:?}", plan.findings),
    }
}

#[test]
fn the_plan_hash_is_the_same_for_two_drafts_of_the_same_and_another_for_another() {
    let mut world = World::new();
    let a = world.review(promote(), ring(2)).unwrap();
    world.pass(5);
    let b = world.review(promote(), ring(2)).unwrap();
    assert_ne!(a.id, b.id);
    assert_eq!(a.hash(), b.hash());
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["args"][0] = "--slow".into();
    let c = world.review(promote(), ring(2)).unwrap();
    assert_ne!(a.hash(), c.hash());
    let d = world.review(Verb::Hold, Target::Service).unwrap();
    let e = world.review(Verb::Hold, Target::Service).unwrap();
    assert_eq!(d.hash(), e.hash());
}

#[test]
fn admission_that_changes_the_template_is_said_and_what_it_makes_is_what_must_be_seen() {
    let mut world = World::new();
    let mut admitted = world.workload(EU).clone();
    admitted["spec"]["template"]["spec"]["containers"][1]["image"] = V2.into();
    admitted["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "mesh", "image": "m:1"}));
    let digest = template_digest(&admitted);
    world.dry_run.push_back(Fault::Answer(accepted(Some(admitted))));
    let plan = world.review(promote(), ring(2)).unwrap();
    assert!(codes(&plan).contains(&"admission"), "{:?}", plan.findings);
    assert_eq!(plan.steps[0].expect, [Expectation::Settled(digest)]);
}

#[test]
fn a_dry_run_that_would_be_refused_refuses_and_one_that_cannot_be_made_is_a_finding() {
    for (fault, expected) in [
        (refused(422, "denied by policy"), Err("dry-run")),
        (refused(403, "forbidden"), Err("dry-run")),
        (refused(400, "webhook does not support dry run"), Ok("not-rehearsed")),
        (Fault::Answer(gonogo::engine::effect::ActResult::Changed), Err("changed")),
        (not_sent(), Ok("not-rehearsed")),
        (Fault::Hang, Ok("not-rehearsed")),
    ] {
        let mut world = World::new();
        world.dry_run.push_back(fault.clone());
        match (world.review(promote(), ring(2)), expected) {
            (Err(refusal), Err(code)) => assert_eq!(refusal.code, code, "{fault:?}"),
            (Ok(plan), Ok(code)) => assert!(codes(&plan).contains(&code), "{fault:?}: {:?}", plan.findings),
            (other, _) => panic!("{fault:?}: {other:?}"),
        }
    }
}

pub fn moved(policy: &str) -> Move {
    Move {
        plan: Ulid::from_parts(1, 1),
        ring: "ring-1".into(),
        from_version: "v2.0.0".into(),
        to_version: "v2.1.0".into(),
        from_template: TemplateDigest::of(&deployment("x", V1)["spec"]["template"]),
        to_template: TemplateDigest::of(&deployment("x", V2)["spec"]["template"]),
        from: vec![("/spec/template/spec/containers[name=web]/image".into(), format!("{V1:?}").into())],
        policy: policy.into(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    }
}

#[test]
fn a_prompt_that_stood_open_while_a_colleague_promoted_and_rolled_back_promotes_nothing() {
    let mut world = World::new();
    let plan = world.review(promote(), ring(2)).unwrap();
    world.pass(5);
    world.write_fact(EU, Body::Promoted(moved("")));
    world.pass(5);
    let there = moved("");
    let broken = Move {
        from_version: there.to_version.clone(),
        to_version: there.from_version.clone(),
        from_template: there.to_template,
        to_template: there.from_template,
        reason: "it is BROKEN".into(),
        ..there
    };
    world.write_fact(EU, Body::RolledBack(broken));
    let answered = gonogo::domain::challenge::challenge(&plan).answer(plan, "ring-2", Some("go".into()), "ana".into());
    let approved = answered.unwrap();
    let id = approved.plan().id;
    world.carry_out(approved);
    let (end, why) = world.end(id);
    assert_eq!(end, "refused");
    assert!(why.starts_with("changed since you looked: "), "{why}");
    assert!(why.contains("rolled back in eu-west-1 by bo@elsewhere"), "{why}");
    assert!(why.contains("it is BROKEN"), "{why}");
    assert_eq!(world.image(EU), V1);
}

#[test]
fn a_move_that_speaks_against_nothing_is_news_all_the_same() {
    let mut world = World::new();
    let plan = world.review(promote(), ring(2)).unwrap();
    world.pass(5);
    world.write_fact(US, Body::Promoted(moved("")));
    let answered = gonogo::domain::challenge::challenge(&plan).answer(plan, "ring-2", Some("go".into()), "ana".into());
    let approved = answered.unwrap();
    let id = approved.plan().id;
    world.carry_out(approved);
    let (end, why) = world.end(id);
    assert_eq!(end, "refused");
    assert!(why.contains("changed since you looked: bo@elsewhere promoted us-east-1 from v2.0.0 to v2.1.0"), "{why}");
}

#[test]
fn facts_are_dated_by_the_approval_and_not_by_the_prompt() {
    let mut world = World::new();
    world.review(promote(), ring(2)).unwrap();
    let opened = world.now.wall;
    world.pass(30);
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    let fact = world.facts(EU).into_iter().find(|f| f.kind() == "promoted").unwrap();
    assert!(fact.at > opened, "{fact:?}");
    assert!(fact.id.0.timestamp_ms() > u64::try_from(opened.as_millisecond()).unwrap());
    world.in_flight(AP);
    world.review(Verb::Hold, Target::Service).unwrap();
    world.pass(10);
    let id = world.approve();
    world.pass(3);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    let paused = world.facts(AP).into_iter().find_map(|f| match f.body {
        Body::Paused { hold, .. } => Some(hold),
        _ => None,
    });
    assert_eq!(paused, world.engine.services[0].record.holds()[0].id, "the pause names its hold");
}

#[test]
fn a_plan_hash_tells_every_plan_from_every_other_and_stays_while_nothing_changes() {
    let mut world = World::new();
    let again = |world: &mut World, verb: Verb, target: Target| world.review(verb, target).unwrap().hash();
    let holds = [region(EU), ring(2), Target::Service].map(|t| again(&mut world, Verb::Hold, t));
    assert!(holds[0] != holds[1] && holds[1] != holds[2] && holds[0] != holds[2], "{holds:?}");
    assert_eq!(holds[2], again(&mut world, Verb::Hold, Target::Service), "the same plan, drafted twice");
    let promotion = again(&mut world, promote(), ring(2));
    world.pass(20);
    assert_eq!(promotion, again(&mut world, promote(), ring(2)), "time alone changes nothing");
    world.write_fact(US, Body::RolledBack(moved("")));
    assert_ne!(promotion, world.review(promote(), ring(2)).map_or_else(|_| String::new(), |p| p.hash()));
    // A resume is bound to the hold that it releases.
    world.go(Verb::Hold, Target::Service);
    let first = again(&mut world, resume(), Target::Service);
    world.pass(1);
    world.go(Verb::Hold, Target::Service);
    assert_ne!(first, again(&mut world, resume(), Target::Service));
}

#[test]
fn the_last_ring_is_asked_about_and_what_it_ran_is_named_until_it_has_settled() {
    let mut world = World::new();
    for at in [EU, US] {
        world.workload(at)["spec"]["template"]["spec"]["containers"][1]["image"] = V2.into();
    }
    world.show_workload(EU);
    world.write_fact(US, Body::Promoted(moved("")));
    world.in_flight(US);
    world.pass(5);
    let view = &world.engine.services[0].view;
    assert_eq!(view.question.as_ref().map(|q| q.ring.at()), Some(3));
    assert_eq!(view.release.from.as_ref().map(|v| &*v.0), Some("v2.0.0"));
    assert_eq!(view.release.to.as_ref().map(|v| &*v.0), Some("v2.1.0"));
    world.finish(US);
    world.pass(5);
    let view = &world.engine.services[0].view;
    assert!(view.question.is_none(), "nothing waits for a version any more");
    assert_eq!(view.release.from, view.release.to);
}

#[test]
fn new_pods_that_do_not_become_ready_are_said_long_before_the_deadline() {
    let mut world = World::new();
    let now = world.now.wall.to_string();
    let object = world.workload(EU);
    object["status"]["readyReplicas"] = 3.into();
    object["status"]["availableReplicas"] = 3.into();
    object["status"]["conditions"][0]["lastUpdateTime"] = now.into();
    world.in_flight(EU);
    world.pass(50);
    let alarms = |world: &World| world.engine.services[0].view.alarms.join("; ");
    assert!(!alarms(&world).contains("new pods"), "not yet: {}", alarms(&world));
    world.pass(80);
    assert!(alarms(&world).contains("eu-west-1: rolling out, 0 of 1 new pods ready for 2m"), "{}", alarms(&world));
}
