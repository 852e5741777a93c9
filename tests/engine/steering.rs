//! Traffic that a command steers: told by one command for each step, seen in what another reports.

use std::sync::Arc;
use std::time::Duration;

use gonogo::domain::change::ObjectRef;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::steering::Steering;
use gonogo::traffic::{self, TrafficProvider};
use serde_json::json;

use crate::fixture::pipeline_world::run;
use crate::fixture::*;

fn the_weights() -> ObjectRef {
    ObjectRef { cluster: EDGE, api: traffic::Command.api(), namespace: "edge".into(), name: "webapp".into() }
}

fn world(steps: &[u32]) -> World {
    let steering = Steering {
        name: "dns".into(),
        state: run("dns state {{service}}").unwrap(),
        every: Duration::from_secs(30),
        drain: run("dns set {{backend}} {{weight}}").unwrap(),
        restore: run("dns restore {{backend}} {{weight}}").unwrap(),
    };
    let steering = Arc::new(steering);
    let mut fleet = fleet();
    for route in fleet.services[0].regions.iter_mut().filter_map(|r| r.route.as_mut()) {
        route.provider = "command".into();
        route.steering = Some(Arc::clone(&steering));
        route.steps = steps.to_vec();
        route.dwell = Duration::from_secs(60);
    }
    let mut world = World::with(fleet);
    weights(&mut world, [20, 40, 40]);
    world
}

/// What is reported now.
fn weights(world: &mut World, [ap, eu, us]: [u32; 3]) {
    let report = json!({"schema": 1, "weights": {"webapp-ap": ap, "webapp-eu": eu, "webapp-us": us}}).to_string();
    let object = traffic::reported("edge", "webapp", "steering dns", report.as_bytes()).unwrap();
    world.objects.insert(the_weights(), object);
    world.show(the_weights());
}

fn told(world: &World) -> Vec<String> {
    world.sent.iter().filter(|c| c.object().is_none()).map(|c| c.path()).collect()
}

#[test]
fn a_drain_is_one_command_and_done_when_the_report_shows_it_and_a_restore_gives_back_what_it_was() {
    let mut world = world(&[]);
    let plan = world.review(Verb::Drain, Target::Regions(vec![EU])).unwrap();
    let shown: Vec<&str> = plan.steps[0].diff.iter().filter_map(|d| d.to.as_ref()?.as_str()).collect();
    assert_eq!(shown, ["dns set webapp-eu 0", "PATH, CD_TOKEN"]);
    let id = world.approve();
    assert_eq!(told(&world), ["dns set webapp-eu 0"]);
    world.pass(5);
    assert_eq!(world.end(id).0, "open", "accepted is not done");
    weights(&mut world, [20, 0, 40]);
    world.pass(1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    world.sent.clear();
    let id = world.go(Verb::Restore, Target::Regions(vec![EU]));
    assert_eq!(told(&world), ["dns restore webapp-eu 40"]);
    weights(&mut world, [20, 40, 40]);
    world.pass(1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn it_goes_in_steps_each_seen_before_the_next() {
    let mut world = world(&[50, 0]);
    let plan = world.review(Verb::Drain, Target::Regions(vec![EU])).unwrap();
    let lines: Vec<String> = plan.steps.iter().filter_map(|s| s.main()).map(|w| w.change.path()).collect();
    assert_eq!(lines, ["dns set webapp-eu 20", "dns set webapp-eu 0"]);
    world.approve();
    assert_eq!(told(&world), ["dns set webapp-eu 20"]);
    world.pass(90);
    assert_eq!(told(&world).len(), 1, "the first is not seen yet");
}

#[test]
fn the_last_region_with_a_weight_is_never_drained_and_what_reports_no_such_backend_is_refused() {
    let mut world = world(&[]);
    weights(&mut world, [0, 40, 0]);
    assert_eq!(world.review(Verb::Drain, Target::Regions(vec![EU])).unwrap_err().code, "last-serving");
    let report = json!({"schema": 1, "weights": {"other": 1}}).to_string();
    let object = traffic::reported("edge", "webapp", "steering dns", report.as_bytes()).unwrap();
    world.objects.insert(the_weights(), object);
    let refusal = world.review(Verb::Drain, Target::Regions(vec![EU])).unwrap_err();
    assert!(refusal.text.contains("reports no backend webapp-eu"), "{refusal:?}");
}

#[test]
fn a_lost_reply_is_resolved_by_the_report_and_never_by_sending_again() {
    let mut world = world(&[]);
    world.faults.entry((EU, "Outside")).or_default().push_back(Fault::LostBefore);
    let id = world.go(Verb::Drain, Target::Regions(vec![EU]));
    world.pass(300);
    assert_eq!(world.end(id).0, "unknown", "{:?}", world.end(id));
    assert_eq!(world.requests().iter().filter(|r| r.contains("Main RUN")).count(), 1, "{:?}", world.log);
}
