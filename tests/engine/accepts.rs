//! Accepting what stands in a metric gate's way: a fact of the region, bound to what runs there.

use gonogo::domain::fleet::*;
use gonogo::domain::intent::Verb;
use gonogo::domain::metric::{NoData, Reading};
use gonogo::domain::observation::Observation;
use gonogo::domain::record::Body;
use gonogo::domain::stamp::{SignedDuration, window_floor};
use gonogo::domain::verdict::Verdict;

use crate::fixture::*;

/// The fleet, judged by its errors too; every window of the last days is given.
fn world(errors: impl Fn(i64) -> Reading) -> World {
    let mut fleet = fleet();
    let service = &mut fleet.services[0];
    service.columns.push(Column {
        name: "errors".into(),
        title: "errors".into(),
        query: QueryText::PerRegion("errors".into()),
        unit: Unit::Ratio,
        better: Better::Lower,
        is_traffic: false,
    });
    let text = |of: &str| Param::Text(of.to_owned());
    for ring in &mut service.rings {
        let params = Params([("column".to_owned(), text("errors")), ("max".to_owned(), text("1%"))].into());
        ring.exit_gates.push(GateSpec { gate: "threshold".into(), label: "errors".into(), params });
    }
    let mut world = World::with(fleet);
    world.pass(2);
    let last = window_floor(world.now.wall);
    for at in [STAGE_A, STAGE_B, AP] {
        let of = |ago: i64| (last - SignedDuration::from_mins(5 * ago), if at == AP { errors(ago) } else { Ok(0.001) });
        let readings = vec![(at, (0..640).map(of).collect())];
        world.see(Observation::Windows { service: WEBAPP, column: "errors".into(), readings });
    }
    world.pass(2);
    world
}

fn accept() -> Verb {
    Verb::Accept { column: None }
}

fn answer(world: &World) -> (Verdict, String) {
    let question = world.engine.services[0].view.question.clone().unwrap();
    (question.verdict, question.sentence.to_string())
}

#[test]
fn a_violation_that_is_over_is_accepted_with_a_reason_and_the_release_goes_on() {
    let mut world = world(|ago| Ok(if (30..33).contains(&ago) { 0.2 } else { 0.001 }));
    assert_eq!(answer(&world).0, Verdict::Wait, "{}", answer(&world).1);
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "wait");
    let plan = world.review(accept(), ring(1)).unwrap();
    assert_eq!((&*plan.title, plan.steps.len()), ("accept errors in ring-1", 1));
    let said = plan.findings.iter().find(|f| f.code == "accepts").unwrap();
    assert!(said.text.contains("errors was outside from 2026-03-02 07:15 UTC"), "{}", said.text);
    let id = world.go(accept(), ring(1));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.fact_kinds(AP), ["accepted"]);
    let record = world.engine.services[0].record.region(AP).unwrap();
    let Body::Accepted { stretch, reason, template } = &record.facts.values().next().unwrap().body else { panic!() };
    assert_eq!((&**reason, stretch.column.as_str()), ("because", "errors"));
    assert_eq!((stretch.to - stretch.from).get_seconds(), 600);
    assert_eq!(*template, template_digest(&world.objects[&world.workload_ref(AP)]));
    world.pass(2);
    assert_eq!(answer(&world).0, Verdict::Go, "{}", answer(&world).1);
    assert_eq!(world.review(accept(), ring(1)).unwrap_err().code, "nothing-to-do");
}

#[test]
fn what_lasts_or_is_unknown_now_cannot_be_accepted() {
    for bad in [Ok(0.2), Err(NoData::Gap)] {
        let mut world = world(|ago| if ago < 3 { bad.clone() } else { Ok(0.001) });
        let refusal = world.review(accept(), ring(1)).unwrap_err();
        assert_eq!(refusal.code, "nothing-to-do", "{refusal:?}");
        assert!(world.fact_kinds(AP).is_empty());
    }
}

#[test]
fn only_the_named_column_of_the_named_region_is_accepted() {
    let mut world = world(|ago| Ok(if (30..33).contains(&ago) { 0.2 } else { 0.001 }));
    let other = Verb::Accept { column: Some("qps".into()) };
    assert_eq!(world.review(other, ring(1)).unwrap_err().code, "nothing-to-do");
    assert_eq!(world.review(accept(), ring(0)).unwrap_err().code, "nothing-to-do");
}

#[test]
fn a_column_that_does_not_exist_is_named() {
    let mut world = world(|_| Ok(0.001));
    let refusal = world.review(Verb::Accept { column: Some("erors".into()) }, ring(1)).unwrap_err();
    assert_eq!((refusal.code, &*refusal.hint), ("unknown", "did you mean errors?"), "{}", refusal.text);
}

#[test]
fn a_violation_after_the_accepted_one_is_no_go_again() {
    let mut world = world(|ago| Ok(if (30..33).contains(&ago) { 0.2 } else { 0.001 }));
    let id = world.go(accept(), ring(1));
    assert_eq!(world.end(id).0, "settled");
    world.pass(2);
    assert_eq!(answer(&world).0, Verdict::Go, "{}", answer(&world).1);
    // A quarter of an hour later it is outside again.
    world.pass(900);
    let last = window_floor(world.now.wall);
    for at in [STAGE_A, STAGE_B, AP] {
        let bad = if at == AP { 0.2 } else { 0.001 };
        let readings = vec![(at, (0..3).map(|ago| (last - SignedDuration::from_mins(5 * ago), Ok(bad))).collect())];
        world.see(Observation::Windows { service: WEBAPP, column: "errors".into(), readings });
    }
    world.pass(2);
    let (verdict, sentence) = answer(&world);
    assert_eq!(verdict, Verdict::NoGo, "{sentence}");
    assert!(sentence.contains("errors"), "{sentence}");
    assert_eq!(world.review(accept(), ring(1)).unwrap_err().code, "nothing-to-do", "it lasts");
}

#[test]
fn another_template_is_not_covered_by_what_was_accepted() {
    let mut world = world(|ago| Ok(if (30..33).contains(&ago) { 0.2 } else { 0.001 }));
    let id = world.go(accept(), ring(1));
    assert_eq!(world.end(id).0, "settled");
    let covers = |world: &World| {
        let template = template_digest(&world.objects[&world.workload_ref(AP)]);
        let record = world.engine.services[0].record.region(AP).unwrap().clone();
        record.accepted(&"errors".into(), template, world.now.wall).len()
    };
    assert_eq!(covers(&world), 1);
    world.workload(AP)["spec"]["template"]["spec"]["containers"][0]["env"] =
        serde_json::json!([{"name": "X", "value": "1"}]);
    world.show_workload(AP);
    assert_eq!(covers(&world), 0);
}
