//! Gates that ask an endpoint, and steps that people tick.

use std::time::Duration;

use gonogo::domain::finding::Severity;
use gonogo::domain::fleet::{Fleet, GateSpec, Param, Params};
use gonogo::domain::intent::Verb;
use gonogo::domain::record::Body;
use gonogo::domain::verdict::Verdict;
use serde_json::{Value, json};

use crate::fixture::*;

fn gate(name: &str, params: Vec<(&str, Param)>) -> GateSpec {
    let params = Params(params.into_iter().map(|(n, v)| (n.to_owned(), v)).collect());
    GateSpec { gate: name.into(), label: name.into(), params }
}

fn text(value: &str) -> Param {
    Param::Text(value.to_owned())
}

fn list(values: &[&str]) -> Param {
    Param::List(values.iter().map(|v| (*v).to_owned()).collect())
}

fn entering(gates: Vec<GateSpec>) -> Fleet {
    let mut fleet = fleet();
    fleet.services[0].rings[2].entry_gates = gates;
    fleet
}

fn verdict(world: &mut World) -> Verdict {
    world.engine.freshen(WEBAPP);
    world.engine.services[0].view.question.clone().unwrap().verdict
}

#[test]
fn a_webhook_is_asked_about_what_would_happen_and_again_when_that_changes() {
    let mut world = World::with(entering(vec![gate("webhook", vec![("endpoint", text("board"))])]));
    assert_eq!(verdict(&mut world), Verdict::NoData, "nobody has answered");
    world.endpoint = Some(Ok((200, json!({"verdict": "go"}).to_string())));
    world.pass(1);
    let [(place, call)] = world.calls.as_slice() else { panic!("{:?}", world.calls) };
    assert_eq!(*place, (WEBAPP, EU));
    let body: Value = serde_json::from_str(call.body.as_ref().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({
            "kind": "gonogo.gate", "version": 1, "service": "webapp", "ring": "ring-2", "region": "eu-west-1",
            "from": "v2.0.0", "to": "v2.1.0", "template": template_digest(&world.objects[&world.workload_ref(AP)]).hex(),
        })
    );
    assert_eq!(verdict(&mut world), Verdict::Go);
    world.pass(30);
    assert_eq!(world.calls.len(), 1, "not more often than its interval");
    world.pass(31);
    assert_eq!(world.calls.len(), 2);
    assert_eq!(world.calls[0].1, world.calls[1].1, "the same question has the same bytes");
    // Another template in the ring before is another question, asked at once.
    world.workload(AP)["spec"]["template"]["spec"]["containers"][1]["args"] = json!(["--slow"]);
    world.endpoint = Some(Ok((200, "<html>sign in</html>".to_owned())));
    world.show_workload(AP);
    world.pass(2);
    assert_eq!(world.calls.len(), 3);
    assert_ne!(world.calls[1].1, world.calls[2].1);
    assert_eq!(verdict(&mut world), Verdict::NoData);
    // And nobody is promoted on it.
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "no-data", "{refusal:?}");
}

#[test]
fn an_endpoint_that_never_answers_is_asked_again_and_stays_unknown() {
    let mut world = World::with(entering(vec![gate("webhook", vec![("endpoint", text("board"))])]));
    world.pass(60);
    assert_eq!(world.calls.len(), 1, "one question is open");
    world.pass(60);
    assert_eq!(world.calls.len(), 2, "a lost one is asked again");
    assert_eq!(verdict(&mut world), Verdict::NoData);
    assert!(Duration::from_secs(120) > Duration::from_secs(90));
}

fn phases() -> Vec<GateSpec> {
    vec![gate(
        "checklist",
        vec![
            ("items", list(&["expand", "contract"])),
            ("reverts", list(&["expand: drop the new columns"])),
            ("irreversible", list(&["contract: the old columns are gone"])),
        ],
    )]
}

fn tick(item: Option<&str>, done: bool) -> Verb {
    Verb::Tick { item: item.map(Into::into), done }
}

#[test]
fn steps_are_ticked_in_order_and_then_the_ring_may_change() {
    let mut world = World::with(entering(phases()));
    assert_eq!(verdict(&mut world), Verdict::Wait);
    assert_eq!(world.review(tick(Some("contract"), true), region(EU)).unwrap_err().code, "order");
    assert_eq!(world.review(tick(Some("migrate"), true), region(EU)).unwrap_err().code, "unknown");
    assert_eq!(world.review(tick(None, true), region(AP)).unwrap_err().code, "no-gate");
    let id = world.go(tick(None, true), region(EU));
    assert_eq!(world.end(id).0, "settled");
    let facts = world.facts(EU);
    let Some(Body::Checked { item, version, done: true, reason, .. }) = facts.first().map(|f| &f.body) else {
        panic!("{facts:?}")
    };
    assert_eq!((&**item, &**version, &**reason), ("expand", "v2.1.0", "because"));
    assert_eq!(world.review(tick(Some("expand"), true), region(EU)).unwrap_err().code, "nothing-to-do");
    let plan = world.review(tick(None, true), region(EU)).unwrap();
    assert!(plan.findings.iter().any(|f| f.code == "irreversible"), "{:?}", plan.findings);
    world.approve();
    assert_eq!(verdict(&mut world), Verdict::Go);
    world.go(tick(Some("expand"), false), region(EU));
    assert_eq!(verdict(&mut world), Verdict::Wait);
}

#[test]
fn after_an_irreversible_step_the_way_is_forward() {
    let mut world = World::with(entering(phases()));
    world.go(tick(None, true), region(EU));
    world.go(promote_now(), ring(2));
    let plan = world.review(roll_back(), region(EU)).unwrap();
    assert!(plan.worst() < Some(Severity::BreakGlass), "{:?}", plan.findings);
    world.go(tick(Some("contract"), true), region(EU));
    let plan = world.review(roll_back(), region(EU)).unwrap();
    assert_eq!(plan.worst(), Some(Severity::BreakGlass));
    let said = plan.findings.iter().find(|f| f.code == "irreversible").unwrap();
    assert_eq!(
        &*said.text,
        "eu-west-1: contract was taken for v2.1.0 and is irreversible (the old columns are gone): roll forward only"
    );
}

fn promote_now() -> Verb {
    Verb::Promote { to: None, without_wait: true }
}
