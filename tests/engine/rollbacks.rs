//! Roll back and abort: to what was known to be good, never forward, never blocked.

use gonogo::domain::id::ClusterIx;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::record::{Body, Scope};
use serde_json::json;

use crate::fixture::*;

/// ring-2 was promoted by us a moment ago.
fn promoted() -> World {
    let mut world = World::new();
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    world.sent.clear();
    world.log.clear();
    world
}

#[test]
fn it_returns_to_the_from_of_the_newest_promotion_and_to_nothing_else() {
    let mut world = promoted();
    // What promotions do not carry stays as somebody left it.
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["args"] = json!(["--debug"]);
    world.show_workload(EU);
    let id = world.go(roll_back(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(EU), V1, "with its digest");
    assert_eq!(world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["args"], json!(["--debug"]));
    assert_eq!(world.fact_kinds(EU), ["promoted", "rolled-back"]);
}

#[test]
fn rolling_back_twice_never_goes_forward() {
    let mut world = promoted();
    world.go(roll_back(), ring(2));
    let refusal = world.review(roll_back(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "nothing-to-do", "{refusal:?}");
    assert_eq!(world.image(EU), V1);
}

#[test]
fn two_who_roll_back_at_once_write_once() {
    let mut world = promoted();
    let first = world.review(roll_back(), ring(2)).unwrap();
    // The other console was faster.
    let other = world.go(roll_back(), ring(2));
    assert_eq!(world.end(other).0, "settled");
    let approved = gonogo::domain::challenge::challenge(&first).answer(first, "y", None, "bo".into()).unwrap();
    let id = approved.plan().id;
    let sent = world.sent.len();
    world.carry_out(approved);
    let (end, why) = world.end(id);
    assert_eq!(end, "refused");
    assert!(why.contains("changed since you looked"), "{why}");
    assert!(why.contains("rolled eu-west-1 back from v2.1.0 to v2.0.0 meanwhile"), "it says by whom and what: {why}");
    assert_eq!(world.image(EU), V1);
    assert_eq!(world.sent.len(), sent + 1, "one request, whose test failed");
}

#[test]
fn a_paused_region_is_un_paused_in_the_same_patch_and_the_hold_stays() {
    let mut world = World::new();
    world.controller = false;
    world.go(promote(), ring(2));
    world.controller = true;
    world.in_flight(EU);
    world.go(Verb::Hold, Target::Service);
    assert!(world.paused(EU));
    world.sent.clear();
    let id = world.go(roll_back(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(EU), V1);
    assert!(!world.paused(EU));
    let patches = world.sent.iter().filter(|c| &*c.object().unwrap().api.kind == "Deployment").count();
    assert_eq!(patches, 1);
    assert_eq!(world.engine.services[0].record.holds().len(), 1);
    // Whoever pauses it from now on is not us.
    world.workload(EU)["spec"]["paused"] = true.into();
    world.in_flight(EU);
    world.go(resume(), Target::Service);
    assert!(world.paused(EU), "a pause by somebody else is not ours to take back");
}

#[test]
fn holds_gates_and_other_regions_do_not_block_it() {
    let mut world = promoted();
    world.write_fact(AP, Body::Hold { scope: Scope::Service, reason: "stop".into() });
    for cluster in [0, 1, 2, 4] {
        world.cut(ClusterIx(cluster));
    }
    let id = world.go(roll_back(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(EU), V1);
}

#[test]
fn a_slow_dry_run_does_not_delay_it() {
    let mut world = promoted();
    world.dry_run.push_back(Fault::Hang);
    world.propose(roll_back(), ring(2));
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "approved while the dry-run is out: {:?}", world.end(id));
}

#[test]
fn a_region_that_cannot_be_read_is_left_out_and_said() {
    let mut world = World::new();
    for at in [STAGE_A, STAGE_B] {
        world.write_fact(at, Body::Promoted(crate::promotions::moved("")));
    }
    world.cut(ClusterIx(1));
    let plan = world.review(roll_back(), ring(0)).unwrap();
    assert_eq!(plan.steps.iter().map(|s| s.region).collect::<Vec<_>>(), [STAGE_A]);
    assert!(plan.findings.iter().any(|f| f.code == "left-out" && f.text.contains("stage-b")), "{:?}", plan.findings);
}

#[test]
fn without_a_fact_it_takes_the_newest_replica_set_that_nobody_rolled_out_or_back() {
    let mut world = World::new();
    world.owned.insert(
        ClusterIx(2),
        vec![
            replica_set("uid-2", "7", V2),
            replica_set("somebody-else", "6", "registry.example/webapp:other"),
            replica_set("uid-2", "5", V1),
            replica_set("uid-2", "not-a-number", "registry.example/webapp:bad"),
        ],
    );
    let plan = world.review(roll_back(), ring(1)).unwrap();
    insta::assert_snapshot!(
        "roll_back_by_replica_set",
        serde_json::to_string_pretty(
            &serde_json::from_slice::<serde_json::Value>(&plan.steps[0].writes[0].change.body()).unwrap()
        )
        .unwrap()
    );
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(AP), V1);
    assert_eq!(world.workload(AP)["metadata"]["annotations"]["kubernetes.io/change-cause"], "r5", "kubectl's rules");
    assert_eq!(world.workload(AP)["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "7");
    assert!(world.workload(AP)["spec"]["template"]["metadata"]["labels"].get("pod-template-hash").is_none());
    // Rolled back from: never offered again.
    world.owned.get_mut(&ClusterIx(2)).unwrap()[0] = replica_set("uid-2", "8", V1);
    world.owned.get_mut(&ClusterIx(2)).unwrap().push(replica_set("uid-2", "7", V2));
    let refusal = world.review(roll_back(), ring(1)).unwrap_err();
    assert_eq!(refusal.code, "nothing-to-do", "{refusal:?}");
    assert!(refusal.hint.contains("revisions: 8") && refusal.hint.contains('7'), "with the list: {refusal:?}");
    // By hand it goes anywhere, once somebody has cleared it.
    let by_hand = Verb::RollBack { to_revision: Some(7) };
    assert_eq!(world.review(by_hand, ring(1)).unwrap_err().code, "quarantine");
    world.go(Verb::Clear { what: None }, Target::Service);
    let plan = world.review(Verb::RollBack { to_revision: Some(7) }, ring(1)).unwrap();
    assert_eq!(plan.steps.len(), 1);
}

#[test]
fn a_quarantined_known_good_is_refused() {
    let mut world = promoted();
    world.write_fact(US, Body::Quarantine { digest: "sha256:1111111111111111".into(), reason: "leaks".into() });
    assert_eq!(world.review(roll_back(), ring(2)).unwrap_err().code, "quarantine");
}

#[test]
fn abort_rolls_back_what_is_in_flight_and_nothing_else() {
    let mut world = World::new();
    world.controller = false;
    world.go(promote(), ring(2));
    world.in_flight(EU);
    world.controller = true;
    let id = world.go(Verb::Abort, Target::Service);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.steps(id), [("eu-west-1".to_owned(), "settled")]);
    assert_eq!(world.image(EU), V1);
    assert_eq!(world.image(AP), V2);
    assert_eq!(world.review(Verb::Abort, Target::Service).unwrap_err().code, "nothing-to-do");
}

#[test]
fn an_argument_list_full_of_brackets_comes_back_as_it_was() {
    let mut fleet = fleet();
    let path = "/spec/template/spec/containers[name=web]/args";
    fleet.services[0].carries.push(gonogo::domain::fleet::Carry::Pointer {
        path: gonogo::domain::fleet::CarryPath::parse(path).unwrap(),
        value: gonogo::domain::fleet::CarryValue::Verbatim,
    });
    let mut world = World::with(fleet);
    let odd = json!(["--match=[a]/b=c", "x]/y=z\n--and=more\\"]);
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["args"] = odd.clone();
    world.show_workload(EU);
    world.go(promote(), ring(2));
    assert_eq!(world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["args"], json!(["--fast"]));
    world.go(roll_back(), ring(2));
    assert_eq!(world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["args"], odd);
}

#[test]
fn a_region_that_the_release_has_not_reached_is_not_taken_behind_what_it_came_from() {
    let mut world = World::new();
    let old = "registry.example/webapp:v1.9.4@sha256:0000000000000000";
    world.owned.insert(ClusterIx(3), vec![replica_set("uid-3", "7", V1), replica_set("uid-3", "6", old)]);
    let refusal = world.review(roll_back(), region(EU)).unwrap_err();
    assert_eq!(refusal.code, "nothing-to-do");
    assert!(refusal.text.contains("eu-west-1 runs v2.0.0, which is what the release came from"), "{refusal:?}");
    assert!(refusal.hint.contains("--to N"), "{refusal:?}");
    // Together with regions that do run it: only those go back.
    world.owned.insert(ClusterIx(2), vec![replica_set("uid-2", "7", V2), replica_set("uid-2", "6", V1)]);
    let plan = world.review(roll_back(), Target::Regions(vec![AP, EU])).unwrap();
    assert_eq!(plan.steps.iter().map(|s| s.region).collect::<Vec<_>>(), [AP]);
    // By hand it is a warning, typed above half of the traffic, and the way back is true.
    let plan = world.review(Verb::RollBack { to_revision: Some(6) }, region(EU)).unwrap();
    assert!(codes(&plan).contains(&"past-stable"), "{:?}", plan.findings);
    assert!(plan.way_back.contains("brings v2.0.0 back") && plan.way_back.contains("--to 7"), "{}", plan.way_back);
    let plan = world.review(Verb::RollBack { to_revision: Some(6) }, Target::Regions(vec![EU, US])).unwrap();
    assert!(plan.findings.iter().any(|f| f.code == "left-out"));
    let mut most = plan;
    most.blast.share = Some(0.6);
    let challenge = gonogo::domain::challenge::challenge(&most);
    assert!(matches!(&challenge.answer, gonogo::domain::challenge::Asked::Typed(_)), "{challenge:?}");
    assert!(challenge.flags(most, None, Some("because".into()), "ana".into()).is_err(), "flags must name it too");
}

/// A promoted fact that claims `fields` ran before.
fn claims(fields: &[(&str, serde_json::Value)]) -> Body {
    let mut moved = crate::promotions::moved("");
    moved.from = fields.iter().map(|(path, value)| ((*path).into(), value.to_string().into())).collect();
    Body::Promoted(moved)
}

const IMAGE: &str = "/spec/template/spec/containers[name=web]/image";

#[test]
fn a_fact_that_nothing_proves_is_passed_over_and_said_with_its_author() {
    let evil = claims(&[(IMAGE, "evil.example/pwn:v6.6.6".into())]);
    let mut world = World::new();
    world.owned.insert(ClusterIx(2), vec![replica_set("uid-2", "7", V2), replica_set("uid-2", "6", V1)]);
    // The promotion that brought what runs, and behind it whatever somebody else wrote.
    world.write_fact(AP, Body::Promoted(crate::promotions::moved("")));
    world.pass(1);
    let forged = [
        ("another image", evil),
        ("a field that is not there", claims(&[("/spec/template/spec/containers[name=gone]/image", "x:1".into())])),
        ("what is no path", claims(&[("nonsense", "x".into())])),
        ("what no promotion carries", claims(&[(IMAGE, V1.into()), ("/spec/replicas", 0.into())])),
    ];
    for (what, fact) in forged {
        world.write_fact(AP, fact);
        world.pass(1);
        let plan = world.review(roll_back(), region(AP)).unwrap_or_else(|r| panic!("{what}: {r:?}"));
        assert!(plan.steps[0].label.contains("v2.0.0 (back)"), "{what}: {}", plan.steps[0].label);
        let passed = plan.findings.iter().find(|f| f.code == "passed-over").unwrap_or_else(|| panic!("{what}"));
        assert!(passed.text.contains("bo@elsewhere") && passed.text.contains("goes back to v2.0.0"), "{passed:?}");
        assert_eq!(passed.severity, gonogo::domain::finding::Severity::Warning);
    }
    let id = world.go(roll_back(), region(AP));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.image(AP), V1);
    assert_eq!(world.workload(AP)["spec"]["replicas"], deployment("x", V1)["spec"]["replicas"]);
}

#[test]
fn where_no_fact_is_proven_the_revisions_are_asked_and_where_they_know_nothing_it_is_refused() {
    let evil = || claims(&[(IMAGE, "evil.example/pwn:v6.6.6".into())]);
    let mut world = World::new();
    world.owned.insert(ClusterIx(2), vec![replica_set("uid-2", "7", V2), replica_set("uid-2", "6", V1)]);
    world.write_fact(AP, evil());
    let plan = world.review(roll_back(), region(AP)).unwrap();
    assert!(plan.steps[0].label.contains("v2.0.0 (back)"), "{}", plan.steps[0].label);
    assert!(codes(&plan).contains(&"passed-over"), "{:?}", plan.findings);
    // Nor does it take the revision away by naming it as what this release brought.
    let mut naming = crate::promotions::moved("");
    (naming.to_template, naming.to_version) = (naming.from_template, "v2.1.0".into());
    naming.from = vec![(IMAGE.into(), "\"evil.example/pwn:v6.6.6\"".into())];
    world.pass(1);
    world.write_fact(AP, Body::Promoted(naming));
    let plan = world.review(roll_back(), region(AP)).unwrap();
    assert!(plan.steps[0].label.contains("v2.0.0 (back)"), "{}", plan.steps[0].label);
    // Only what runs is left: refused, with what there is.
    world.owned.insert(ClusterIx(2), vec![replica_set("uid-2", "7", V2)]);
    let refusal = world.review(roll_back(), region(AP)).unwrap_err();
    assert_eq!(refusal.code, "unproven", "{refusal:?}");
    assert!(refusal.text.contains("no ReplicaSet of ap-south-1 ever ran evil.example/pwn"), "{refusal:?}");
    assert!(refusal.hint.contains("--to") && refusal.hint.contains("revisions: 7"), "{refusal:?}");
}

#[test]
fn without_any_history_an_image_must_come_from_where_the_running_one_does_and_no_other_field_is_believed() {
    let mut world = World::new();
    world.write_fact(AP, claims(&[(IMAGE, "evil.example/pwn:v6.6.6".into())]));
    assert_eq!(world.review(roll_back(), region(AP)).unwrap_err().code, "unproven");
    let mut world = World::new();
    world.write_fact(AP, claims(&[(IMAGE, "registry.example/webapp:v6.6.6".into())]));
    let plan = world.review(roll_back(), region(AP)).unwrap();
    assert!(plan.steps[0].label.contains("v6.6.6"), "called by its own name: {}", plan.steps[0].label);
    let mut world = World::new();
    let command = "/spec/template/spec/containers[name=web]/command";
    world.write_fact(AP, claims(&[(IMAGE, V1.into()), (command, json!(["/bin/sh"]))]));
    let refusal = world.review(roll_back(), region(AP)).unwrap_err();
    assert_eq!(refusal.code, "unproven");
    assert!(refusal.text.contains("command"), "{refusal:?}");
}

#[test]
fn what_another_tool_brought_goes_back_to_what_ran_before_it_and_not_to_the_release_before_that() {
    let older = "registry.example/webapp:v1.9.4@sha256:0000000000000000";
    let digest = |image: &str| gonogo::domain::version::TemplateDigest::of(&deployment("x", image)["spec"]["template"]);
    // The release before this one was promoted by us: from v1.9.4 to v2.0.0.
    let before = || {
        let mut moved = crate::promotions::moved("");
        moved.from = vec![(
            "/spec/template/spec/containers[name=web]/image".into(),
            serde_json::Value::from(older).to_string().into(),
        )];
        (moved.from_version, moved.to_version) = ("v1.9.4".into(), "v2.0.0".into());
        (moved.from_template, moved.to_template) = (digest(older), digest(V1));
        Body::Promoted(moved)
    };
    for (name, there) in [("its own fact", EU), ("a fact of another region", US)] {
        let mut world = World::new();
        world.write_fact(there, before());
        // Now somebody sets the image by hand.
        let object = world.workload_ref(EU);
        world.objects.insert(object, deployment("uid-3", V2));
        world.show_workload(EU);
        world.owned.insert(
            ClusterIx(3),
            vec![replica_set("uid-3", "8", V2), replica_set("uid-3", "7", V1), replica_set("uid-3", "6", older)],
        );
        let id = world.go(roll_back(), region(EU));
        assert_eq!(world.end(id).0, "settled", "{name}: {:?}", world.end(id));
        assert_eq!(world.image(EU), V1, "{name}");
        assert_eq!(world.review(roll_back(), region(EU)).unwrap_err().code, "nothing-to-do", "{name}: and no further");
    }
}
