//! Drain and restore in steps: each one is seen before the next, others are watched between, every one is a safe
//! place to stop.

use std::time::Duration;

use gonogo::domain::fleet::Fleet;
use gonogo::domain::intent::Verb;
use gonogo::engine::view::Drained;

use crate::fixture::*;

const DWELL: u64 = 120;

fn stepped(mut fleet: Fleet) -> Fleet {
    for route in fleet.services[0].regions.iter_mut().filter_map(|r| r.route.as_mut()) {
        (route.steps, route.dwell) = (vec![50, 10, 0], Duration::from_secs(DWELL));
    }
    fleet
}

fn world() -> World {
    let mut world = World::with(stepped(fleet()));
    world.sample(QPS.map(Some));
    world
}

fn drained(world: &mut World) -> Drained {
    world.engine.freshen(WEBAPP);
    world.engine.services[0].view.regions[EU.at()].drained
}

#[test]
fn a_drain_goes_down_step_by_step_and_a_restore_up_the_same_way() {
    let mut world = world();
    let plan = world.review(Verb::Drain, region(EU)).unwrap();
    let labels: Vec<&str> = plan.steps.iter().map(|s| &*s.label).collect();
    assert_eq!(labels, ["weight 40 → 20", "weight 20 → 4", "weight 4 → 0"]);
    assert_eq!(plan.rehearsals().count(), 1, "the later ones rest on the first");
    assert!(plan.after.contains("2m00s between two steps"), "{}", plan.after);
    let id = world.approve();
    assert_eq!(world.weight(1), 20, "the first at once");
    assert_eq!(drained(&mut world), Drained::Partly);
    world.pass(DWELL - 5);
    assert_eq!(world.weight(1), 20, "the others take it first");
    world.pass(10);
    assert_eq!(world.weight(1), 4);
    world.sample(QPS.map(Some));
    world.pass(DWELL + 5);
    assert_eq!((world.weight(0), world.weight(1), world.weight(2)), (20, 0, 40));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(drained(&mut world), Drained::ByUs);
    assert_eq!(world.fact_kinds(EU), ["draining", "drained"]);

    let id = world.go(Verb::Restore, region(EU));
    assert_eq!(world.weight(1), 4);
    assert_eq!(world.fact_kinds(EU), ["draining", "drained"], "not over before all of it is back");
    world.pass(DWELL + 5);
    assert_eq!(world.weight(1), 20);
    world.pass(DWELL + 5);
    assert_eq!(world.weight(1), 40, "what was remembered, and not past it");
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.fact_kinds(EU), ["draining", "drained", "restored"]);
}

#[test]
fn no_step_follows_while_another_region_is_beyond_its_capacity() {
    let mut world = world();
    let id = world.go(Verb::Drain, region(EU));
    world.sample([0.0, 0.0, 20_000.0, 20_000.0, 130_000.0].map(Some));
    world.pass(5);
    let (outcome, why) = world.end(id);
    assert_eq!(outcome, "cancelled", "{why}");
    assert!(why.contains("us-east-1 carries 130k of 120k QPS: U on eu-west-1 restores it"), "{why}");
    assert_eq!(world.weight(1), 20, "where it stood");
    // It is shown with its fact, and both ways lead on from there.
    assert_eq!(drained(&mut world), Drained::Partly);
    world.sample(QPS.map(Some));
    let plan = world.review(Verb::Drain, region(EU)).unwrap();
    let labels: Vec<&str> = plan.steps.iter().map(|s| &*s.label).collect();
    assert_eq!(labels, ["weight 20 → 4", "weight 4 → 0"]);
    let plan = world.review(Verb::Restore, region(EU)).unwrap();
    let labels: Vec<&str> = plan.steps.iter().map(|s| &*s.label).collect();
    assert_eq!(labels, ["weight 20 → 40"]);
}

#[test]
fn a_drain_that_died_on_its_way_is_shown_and_goes_on_from_there() {
    let mut world = world();
    world.go(Verb::Drain, region(EU));
    assert_eq!(world.weight(1), 20);
    let mut world = world.restarted();
    world.show_everything();
    world.sample(QPS.map(Some));
    assert_eq!(drained(&mut world), Drained::Partly);
    world.pass(700);
    world.engine.freshen(WEBAPP);
    let alarms = world.engine.services[0].view.alarms.join("\n");
    assert!(alarms.contains("as far as weight 20 of 40: D takes the rest, U restores it"), "{alarms}");
    world.sample(QPS.map(Some));
    let id = world.go(Verb::Restore, region(EU));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.weight(1), 40);
}

#[test]
fn a_step_that_somebody_else_overtook_stops_the_rest() {
    let mut world = world();
    let id = world.go(Verb::Drain, region(EU));
    let object = world.route_ref();
    world.objects.get_mut(&object).unwrap()["spec"]["rules"][0]["backendRefs"][0]["weight"] = 25.into();
    world.pass(DWELL + 5);
    assert_eq!(world.end(id).0, "refused", "{:?}", world.end(id));
    assert_eq!(world.weight(1), 20);
}
