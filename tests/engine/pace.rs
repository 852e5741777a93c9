//! How fast a release may go and who may decide, whatever the gates say; and what breaking glass takes.

use std::time::Duration;

use gonogo::domain::challenge::{Asked, challenge};
use gonogo::domain::fleet::{Fleet, GateSpec, Params};
use gonogo::domain::id::*;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::observation::{ClusterFacts, Observation};
use gonogo::domain::policy::RingPolicy;
use gonogo::domain::record::Body;

use crate::fixture::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// ring-0 to ring-3 as usual, with a policy for every ring.
fn with_policy(policy: RingPolicy) -> Fleet {
    let mut fleet = fleet();
    fleet.services[0].policy.rings = vec![policy; 4];
    fleet
}

#[test]
fn rings_are_so_far_apart() {
    let mut world = World::with(with_policy(RingPolicy { ring_distance: HOUR * 30, ..RingPolicy::default() }));
    world.go(promote(), ring(2));
    world.skip(25 * 3_600);
    world.pass(2);
    let refusal = world.review(promote(), ring(3)).unwrap_err();
    assert_eq!(refusal.code, "wait", "baked, and still too soon: {refusal:?}");
    assert!(refusal.text.contains("ring-3 waits 4h59m after the change of eu-west-1"), "{refusal:?}");
    world.skip(5 * 3_600);
    world.pass(2);
    assert!(world.review(promote(), ring(3)).is_ok());
}

/// One ring of three regions on the old version.
fn wide(change: impl FnOnce(&mut Fleet)) -> World {
    let mut fleet = fleet();
    let service = &mut fleet.services[0];
    service.rings[2].regions = vec![EU, US];
    service.rings.truncate(3);
    service.regions[US.at()].ring = RingIx(2);
    change(&mut fleet);
    World::with(fleet)
}

#[test]
fn a_staggered_ring_soaks_and_its_gates_are_judged_before_the_next_region() {
    let mut world = wide(|fleet| {
        let ring = &mut fleet.services[0].rings[2];
        ring.stagger = Some(HOUR);
        ring.exit_gates.push(GateSpec { gate: "ready".into(), label: "ready".into(), params: Params::default() });
    });
    let id = world.go(promote(), ring(2));
    assert_eq!(world.steps(id), [("eu-west-1".to_owned(), "settled")]);
    world.pass(2);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "wait");
    assert!(refusal.text.contains("eu-west-1 soaks for another 59m"), "{refusal:?}");
    world.skip(3_600);
    world.pass(2);
    assert!(world.review(promote(), ring(2)).is_ok(), "its bake goes on; its soak is over");
    // A gate of the region before says no: nothing goes on.
    world.workload(EU)["status"]["conditions"][0]["status"] = "False".into();
    world.workload(EU)["status"]["conditions"][0]["reason"] = "ProgressDeadlineExceeded".into();
    world.show_workload(EU);
    world.pass(2);
    assert!(world.review(promote(), ring(2)).is_err());
}

#[test]
fn regions_of_a_ring_are_so_far_apart() {
    let policy = RingPolicy { region_distance: HOUR, ..RingPolicy::default() };
    let mut world = wide(|fleet| fleet.services[0].policy.rings = vec![policy; 3]);
    let id = world.go(promote(), ring(2));
    assert_eq!(world.steps(id).len(), 1, "one region at a time");
    world.pass(2);
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "wait");
    world.skip(3_600);
    world.pass(2);
    assert!(world.review(promote(), ring(2)).is_ok());
}

#[test]
fn who_does_not_decide_there_needs_break_glass_and_is_told_whom_to_call() {
    let decided = || {
        let mut fleet = fleet();
        let eu = &mut fleet.services[0].regions[EU.at()];
        eu.deciders = vec!["sre-eu".into()];
        eu.escalation = Some("+353 1 555".into());
        World::with(fleet)
    };
    let mut world = decided();
    world.known_as(ClusterIx(3), "ana");
    let plan = world.review(promote(), ring(2)).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "decider").unwrap();
    assert!(finding.text.contains("sre-eu decide there; call +353 1 555"), "{finding:?}");
    assert_eq!(challenge(&plan).answer, Asked::Typed("break glass".into()));
    world.pass(2);
    let view = &world.engine.services[0].view;
    assert!(view.question.as_ref().unwrap().sentence.contains("call +353 1 555"), "the board says it too");
    // By group, as the cluster names it.
    let mut world = decided();
    let facts = ClusterFacts { user: Some("ana".into()), groups: vec!["sre-eu".into()], ..ClusterFacts::default() };
    world.see(Observation::Cluster { cluster: ClusterIx(3), facts });
    assert!(!codes(&world.review(promote(), ring(2)).unwrap()).contains(&"decider"));
    // Lowering is everybody's.
    let mut world = decided();
    world.known_as(ClusterIx(3), "ana");
    assert!(!codes(&world.review(Verb::Hold, ring(2)).unwrap()).contains(&"decider"));
}

#[test]
fn all_rings_at_once_takes_broken_glass_which_ends_and_is_seen() {
    let mut world = World::new();
    let everything = || Target::Regions(vec![EU, US]);
    assert_eq!(world.review(promote(), everything()).unwrap_err().code, "several-rings");
    let by_force = Verb::Promote { to: None, without_wait: true };
    let plan = world.review(by_force.clone(), everything()).unwrap();
    let asked = challenge(&plan);
    assert_eq!((asked.answer.clone(), asked.reason_required), (Asked::Typed("break glass".into()), true));
    assert!(asked.answer(plan, "break glass", None, "ana".into()).is_err(), "not without a reason");
    world.controller = false;
    let id = world.approve();
    world.pass(2);
    assert!(world.fact_kinds(EU).contains(&"break-glass"), "{:?}", world.fact_kinds(EU));
    let alarms = |world: &World| world.engine.services[0].view.alarms.join("\n");
    assert!(alarms(&world).contains("BREAK-GLASS until 10:15 UTC by ana@console: promote ring-2 and 1 more at once"));
    assert!(alarms(&world).contains("because"), "{}", alarms(&world));
    // What has not started when it ends is not started any more.
    world.skip(16 * 60);
    world.finish(EU);
    world.pass(2);
    assert_eq!(world.steps(id)[1].1, "cancelled", "{:?}", world.steps(id));
    assert_eq!(world.image(US), V1);
    assert!(!alarms(&world).contains("BREAK-GLASS"), "{}", alarms(&world));
}

#[test]
fn a_ring_that_failed_locks_later_rings_and_puts_earlier_ones_under_review() {
    let mut world = World::new();
    world.go(promote(), ring(2));
    world.go(roll_back(), ring(2));
    world.pass(2);
    let alarms = world.engine.services[0].view.alarms.join("\n");
    assert!(alarms.contains("ring-2 failed on v2.1.0 in eu-west-1: later rings are locked"), "{alarms}");
    assert!(alarms.contains("stage-a, stage-b, ap-south-1 still run it and are under review"), "{alarms}");
    // Somebody brings the version there by hand: ring-3 stays locked for it.
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["image"] = V2.into();
    world.show_workload(EU);
    world.finish(EU);
    world.skip(25 * 3_600);
    world.pass(2);
    let refusal = world.review(promote(), ring(3)).unwrap_err();
    assert_eq!(refusal.code, "no-go");
    assert!(refusal.text.contains("ring-3 is locked: ring-2 failed on v2.1.0"), "{refusal:?}");
    assert!(world.facts(US).iter().all(|f| !matches!(f.body, Body::Promoted(_))));
}
