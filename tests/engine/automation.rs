//! A guard: what a policy does about a NO-GO, in every state, once, and only in its scope.

use gonogo::domain::fleet::*;
use gonogo::domain::id::*;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::observation::Observation;
use gonogo::domain::plan::PlanId;
use gonogo::domain::policy::*;
use gonogo::domain::record::{Body, Scope};
use gonogo::domain::stamp::window_floor;
use gonogo::engine::automation::{Arming, Interrupted};
use gonogo::engine::effect::ActResult;
use ulid::Ulid;

use crate::fixture::*;

fn text(of: &str) -> Param {
    Param::Text(of.to_owned())
}

/// The fleet, judged by its errors, with one policy for every ring.
pub fn judged(ring: RingPolicy) -> Fleet {
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
    for spec in &mut service.rings {
        let params = Params([("column".to_owned(), text("errors")), ("max".to_owned(), text("1%"))].into());
        spec.exit_gates.push(GateSpec { gate: "ready".into(), label: "ready".into(), params: Params::default() });
        spec.exit_gates.push(GateSpec { gate: "threshold".into(), label: "errors".into(), params });
    }
    service.policy.rings = vec![ring; 4];
    fleet
}

pub fn policy(on_nogo: OnNogo, scope: Reach) -> RingPolicy {
    RingPolicy { reaction: Reaction { on_nogo, scope }, ..RingPolicy::default() }
}

pub fn arming(mode: Mode) -> Arming {
    Arming { mode, lessened: None, holder: "guard-1".into(), regions: Vec::new(), interrupted: Vec::new() }
}

/// ring-2 was promoted, and a guard watches.
pub fn promoted(ring: RingPolicy) -> World {
    let mut world = World::with(judged(ring));
    // What the earlier rings run was judged long ago, and is well.
    world.pass(2);
    well(&mut world);
    let id = world.go(Verb::Promote { to: None, without_wait: true }, ring_of(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    world.sent.clear();
    world.log.clear();
    world
}

pub fn ring_of(at: u32) -> Target {
    Target::Ring(RingIx(at))
}

/// What the rings before run is well in every window that is judged.
pub fn well(world: &mut World) {
    for at in [STAGE_A, STAGE_B, AP] {
        windows_back(world, at, 0.001, 640);
    }
}

/// Every window of the last two hours has this share of errors.
pub fn windows(world: &mut World, at: RegionIx, errors: f64) {
    windows_back(world, at, errors, 24);
}

fn windows_back(world: &mut World, at: RegionIx, errors: f64, count: i64) {
    let last = window_floor(world.now.wall);
    let ends = (0..count).map(|n| last.checked_sub(gonogo::domain::stamp::SignedDuration::from_mins(5 * n)).unwrap());
    let readings = vec![(at, ends.map(|end| (end, Ok(errors))).collect())];
    world.see(Observation::Windows { service: WEBAPP, column: "errors".into(), readings });
}

/// Some time later, the errors of a region are seen.
fn breach(world: &mut World, at: RegionIx) {
    world.skip(1_500);
    windows(world, at, 0.15);
    world.pass(3);
}

/// Objects that were written, by kind and cluster.
pub fn written(world: &World, kind: &str) -> Vec<u32> {
    world
        .sent
        .iter()
        .filter(|c| &*c.object().unwrap().api.kind == kind)
        .map(|c| c.object().unwrap().cluster.0)
        .collect()
}

#[test]
fn advise_says_and_does_nothing() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(arming(Mode::Advise));
    breach(&mut world, EU);
    assert!(world.sent.is_empty(), "{:?}", world.log);
    assert_eq!(world.image(EU), V2);
}

/// Every state a ring can be in when the breach comes.
/// A state by its name, and how a fleet comes into it.
type State = (&'static str, fn(&mut World));

fn states() -> Vec<State> {
    vec![
        ("baking", |_| {}),
        ("waiting for a person", |world| world.skip(25 * 3_600)),
        ("rolling out", |world| world.in_flight(EU)),
        ("held while it rolls out", |world| {
            world.in_flight(EU);
            world.go(Verb::Hold, ring_of(2));
            assert!(world.paused(EU));
            world.sent.clear();
        }),
        ("held", |world| {
            world.go(Verb::Hold, Target::Service);
            world.sent.clear();
        }),
        ("paused by somebody", |world| {
            world.workload(EU)["spec"]["paused"] = true.into();
            world.show_workload(EU);
        }),
        ("drained", |world| {
            world.go(Verb::Drain, Target::Regions(vec![EU]));
            assert_eq!(world.weight(1), 0, "{:?}", world.log);
            world.sent.clear();
        }),
        ("scaled by an autoscaler", |world| {
            world.workload(EU)["spec"]["replicas"] = 9.into();
            world.show_workload(EU);
        }),
        ("while its Prometheus says nothing for a while", |world| {
            let last = window_floor(world.now.wall);
            let lost = |n: i64| {
                let end = last.checked_sub(gonogo::domain::stamp::SignedDuration::from_mins(5 * n)).unwrap();
                (end, Err(gonogo::domain::metric::NoData::Timeout))
            };
            let readings = vec![(EU, (0..3).map(lost).collect())];
            world.see(Observation::Windows { service: WEBAPP, column: "errors".into(), readings });
            world.pass(20);
        }),
        ("on a host whose clock is wrong", |world| crate::refusals::clock_off(world)),
        ("seen by a guard that was started just now", |world| {
            let fleet = (*world.fleet).clone();
            let mut fresh = World::with(fleet);
            fresh.objects = world.objects.clone();
            fresh.now = world.now;
            fresh.show_everything();
            *world = fresh;
        }),
        ("while other clusters are away", |world| [0, 1, 2, 4].into_iter().for_each(|c| world.cut(ClusterIx(c)))),
    ]
}

#[test]
fn a_breach_in_any_state_is_rolled_back_once_and_only_there() {
    for (state, reach) in states() {
        let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
        reach(&mut world);
        world.engine.arm(arming(Mode::Guard));
        breach(&mut world, EU);
        assert_eq!(world.image(EU), V1, "{state}: {:?}", world.log);
        assert_eq!(written(&world, "Deployment"), [3], "{state}: exactly one write, there");
        assert!(!world.paused(EU), "{state}");
        let reasons: Vec<String> = world
            .facts(EU)
            .iter()
            .filter_map(|f| match &f.body {
                Body::RolledBack(m) => Some(m.reason.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!(reasons.len(), 1, "{state}");
        assert!(reasons[0].starts_with("by policy: errors says NO-GO: eu-west-1: errors was 15.0 %"), "{reasons:?}");
        // The errors stay: nothing is rolled back twice, and no rollback is rolled back.
        for _ in 0..5 {
            breach(&mut world, EU);
        }
        assert_eq!(written(&world, "Deployment"), [3], "{state}: never again");
    }
}

#[test]
fn a_hold_is_put_once_and_a_person_has_the_last_word() {
    let mut world = promoted(policy(OnNogo::Hold, Reach::Ring));
    world.engine.arm(arming(Mode::Guard));
    breach(&mut world, EU);
    let holds = world.engine.services[0].record.holds();
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].scope, Scope::Ring("ring-2".into()));
    assert!(holds[0].reason.starts_with("by policy: errors says NO-GO"), "{:?}", holds[0]);
    assert!(written(&world, "Deployment").is_empty(), "what runs is left alone");
    world.go(resume(), ring_of(2));
    assert!(world.engine.services[0].record.holds().is_empty());
    breach(&mut world, EU);
    assert!(world.engine.services[0].record.holds().is_empty(), "a person released it: it is not put back");
}

#[test]
fn two_guards_that_see_the_same_write_one_hold() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut world = promoted(policy(OnNogo::Hold, Reach::Region));
        world.engine.arm(arming(Mode::Guard));
        breach(&mut world, EU);
        ids.push(world.engine.services[0].record.holds()[0].id);
    }
    assert_eq!(ids[0], ids[1], "one fact, whoever writes it, however often");
}

#[test]
fn abort_rolls_back_what_is_in_flight_and_holds_what_is_not() {
    let mut world = promoted(policy(OnNogo::Abort, Reach::Region));
    world.in_flight(EU);
    world.engine.arm(arming(Mode::Guard));
    breach(&mut world, EU);
    assert_eq!(world.image(EU), V1, "{:?}", world.log);

    let mut world = promoted(policy(OnNogo::Abort, Reach::Region));
    world.engine.arm(arming(Mode::Guard));
    breach(&mut world, EU);
    assert_eq!(world.image(EU), V2, "it had settled");
    assert_eq!(world.engine.services[0].record.holds().len(), 1);
}

#[test]
fn scope_upstream_takes_the_earlier_rings_back_too() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Upstream));
    for (at, cluster) in [(STAGE_A, 0), (STAGE_B, 1), (AP, 2)] {
        let uid = format!("uid-{}", at.0);
        world.owned.insert(ClusterIx(cluster), vec![replica_set(&uid, "7", V2), replica_set(&uid, "5", V1)]);
    }
    world.engine.arm(arming(Mode::Guard));
    breach(&mut world, EU);
    for at in [STAGE_A, STAGE_B, AP, EU] {
        assert_eq!(world.image(at), V1, "{}", world.name(at));
    }
    let mut clusters = written(&world, "Deployment");
    clusters.sort_unstable();
    assert_eq!(clusters, [0, 1, 2, 3], "once each, and not in us-east-1");
}

#[test]
fn one_gate_may_be_answered_otherwise() {
    let mut ring = policy(OnNogo::RollBack, Reach::Region);
    ring.gates.insert("errors".into(), Reaction { on_nogo: OnNogo::Advise, scope: Reach::Region });
    let mut world = promoted(ring);
    world.engine.arm(arming(Mode::Guard));
    breach(&mut world, EU);
    assert!(world.sent.is_empty(), "{:?}", world.log);
}

#[test]
fn what_was_released_long_ago_and_everywhere_is_nobodys_release() {
    let mut world = World::with(judged(policy(OnNogo::RollBack, Reach::Region)));
    for at in ALL {
        let uid = format!("uid-{}", at.0);
        let object = world.workload_ref(at);
        world.objects.insert(object, deployment(&uid, V2));
    }
    world.show_everything();
    world.engine.arm(arming(Mode::Guard));
    breach(&mut world, EU);
    assert!(world.sent.is_empty(), "an incident of what has run for days is not a release: {:?}", world.log);
}

#[test]
fn unknown_is_neither_go_nor_no_go() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(arming(Mode::Autopilot));
    world.pass(900);
    assert!(world.sent.is_empty(), "no windows came: {:?}", world.log);
    assert_eq!(world.image(EU), V2);
}

#[test]
fn an_unreachable_region_is_rolled_back_when_it_is_back() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(arming(Mode::Guard));
    world.skip(1_500);
    world.cut(ClusterIx(3));
    windows(&mut world, EU, 0.15);
    world.pass(60);
    assert_eq!(world.image(EU), V2);
    world.mend(ClusterIx(3));
    world.pass(30);
    assert_eq!(world.image(EU), V1, "{:?}", world.log);
    assert_eq!(written(&world, "Deployment"), [3]);
}

#[test]
fn where_known_good_is_quarantined_it_goes_one_further_back_and_then_out_of_traffic() {
    let quarantined = |ring: RingPolicy| {
        let mut world = promoted(ring);
        world.write_fact(US, Body::Quarantine { digest: "sha256:1111111111111111".into(), reason: "leaks".into() });
        world.engine.arm(arming(Mode::Guard));
        world
    };
    let older = "registry.example/webapp:v1.9.0@sha256:0000000000000000";
    let mut world = quarantined(policy(OnNogo::RollBack, Reach::Region));
    let history = |images: &[(&str, &str)]| images.iter().map(|(n, i)| replica_set("uid-3", n, i)).collect();
    world.owned.insert(ClusterIx(3), history(&[("8", V2), ("7", V1), ("5", older)]));
    breach(&mut world, EU);
    world.pass(20);
    assert_eq!(world.image(EU), older, "N-2: {:?}", world.log);

    let fallback = vec![Fallback::Previous, Fallback::BeforePrevious, Fallback::Drain];
    let mut world = quarantined(RingPolicy { fallback, ..policy(OnNogo::RollBack, Reach::Region) });
    world.owned.insert(ClusterIx(3), history(&[("8", V2), ("7", V1)]));
    breach(&mut world, EU);
    world.pass(40);
    assert_eq!(world.weight(1), 0, "out of traffic: {:?}", world.log);
    assert_eq!(world.image(EU), V2);

    let mut world = quarantined(policy(OnNogo::RollBack, Reach::Region));
    world.owned.insert(ClusterIx(3), history(&[("8", V2), ("7", V1)]));
    breach(&mut world, EU);
    world.pass(60);
    let holds = world.engine.services[0].record.holds();
    assert_eq!(holds.len(), 1, "nothing worked: a person decides, {:?}", world.log);
    assert!(holds[0].reason.contains("nothing that the policy names worked"), "{:?}", holds[0]);
    assert_eq!(world.weight(1), 40, "drain is not named, so it is not done");
}

#[test]
fn the_breaker_opens_after_so_many_and_a_person_closes_it() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    for round in 0..3 {
        world.engine.arm(arming(Mode::Guard));
        breach(&mut world, EU);
        assert_eq!(world.image(EU), V1, "round {round}");
        world.engine.disarm();
        well(&mut world);
        // A person promotes again, by break-glass, again and again.
        world.go(Verb::Promote { to: None, without_wait: true }, ring_of(2));
        assert_eq!(world.image(EU), V2, "round {round}: {:?}", world.log);
    }
    world.sent.clear();
    world.engine.arm(arming(Mode::Guard));
    breach(&mut world, EU);
    assert_eq!(world.image(EU), V2, "three were enough: {:?}", world.log);
    assert!(written(&world, "Deployment").is_empty());
    let holds = world.engine.services[0].record.holds();
    assert_eq!(holds.len(), 1);
    assert!(
        holds[0].reason.starts_with("by policy: breaker open: 3 automatic actions in this region"),
        "{:?}",
        holds[0]
    );
    assert_eq!(holds[0].scope, Scope::Region("eu-west-1".into()));
    // Closed by a person, it acts again.
    world.go(resume(), Target::Regions(vec![EU]));
    world.pass(20);
    assert_eq!(world.image(EU), V1, "{:?}", world.log);
}

#[test]
fn a_rollback_that_is_refused_is_tried_so_often_and_no_more() {
    let ring = RingPolicy { fallback: vec![Fallback::Previous], ..policy(OnNogo::RollBack, Reach::Region) };
    let mut world = promoted(ring);
    world.engine.arm(arming(Mode::Guard));
    let no = || refused(403, "admission says no");
    world.faults.insert((EU, "Deployment"), [no(), no(), no(), no(), no()].into());
    breach(&mut world, EU);
    world.pass(120);
    let tries = world.requests().iter().filter(|r| **r == "eu-west-1 Main PATCH Deployment").count();
    assert_eq!(tries, 2, "two attempts, then a hold: {:?}", world.requests());
    let holds = world.engine.services[0].record.holds();
    assert!(holds[0].reason.contains("a person decides"), "{holds:?}");
}

#[test]
fn two_guards_never_write_twice() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(arming(Mode::Guard));
    // The other one was faster: this one's watch has not shown it yet.
    world.watch = false;
    world.faults.insert((EU, "Deployment"), [Fault::Answer(ActResult::Changed)].into());
    breach(&mut world, EU);
    assert!(written(&world, "ConfigMap").is_empty(), "a refused step leaves no fact: {:?}", world.log);
    assert_eq!(world.requests().iter().filter(|r| r.contains("PATCH Deployment")).count(), 1);
}

#[test]
fn an_interrupted_rollback_is_continued_by_a_new_plan_that_names_the_old_one() {
    let mut world = promoted(policy(OnNogo::Advise, Reach::Region));
    let old = PlanId(Ulid::from_parts(world.now.wall.as_millisecond().unsigned_abs(), 7));
    let interrupted = |verb: &str, raising| Interrupted {
        plan: old,
        service: WEBAPP,
        verb: verb.into(),
        raising,
        regions: vec![EU],
        title: format!("{verb} eu-west-1").into(),
        facts: Vec::new(),
    };
    world.engine.arm(Arming { interrupted: vec![interrupted("rollback", false)], ..arming(Mode::Guard) });
    world.pass(3);
    assert_eq!(world.image(EU), V1, "{:?}", world.log);
    let reason = world.facts(EU).iter().find_map(|f| match &f.body {
        Body::RolledBack(m) => Some(m.reason.to_string()),
        _ => None,
    });
    assert_eq!(reason, Some(format!("by policy: continues {old} (rollback eu-west-1)")));
    assert!(world.log.contains(&"note closed interrupted".to_owned()), "the old one is closed: {:?}", world.log);

    let mut world = promoted(policy(OnNogo::Advise, Reach::Region));
    world.engine.arm(Arming { interrupted: vec![interrupted("promote", true)], ..arming(Mode::Autopilot) });
    world.pass(30);
    assert!(world.sent.is_empty(), "what raises waits for a person: {:?}", world.log);
    assert_eq!(world.engine.automation().unwrap().interrupted().len(), 1);
}

#[test]
fn wherever_a_guard_dies_in_a_rollback_the_next_one_finishes_it_and_nothing_is_written_twice() {
    let (mut before_journal, mut after_journal) = (0, 0);
    for point in 0..24 {
        let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
        world.engine.arm(arming(Mode::Guard));
        world.skip(1_500);
        world.dies_after = Some(point);
        windows(&mut world, EU, 0.15);
        world.pass(3);
        // What its journal has is what the next one finds.
        let journaled = world.log.iter().any(|l| l.starts_with("journal roll back"));
        let closed = world.log.iter().any(|l| l.starts_with("note closed"));
        let left = world.engine.operations.iter().filter(|_| journaled && !closed).map(|o| Interrupted {
            plan: o.plan.id,
            service: WEBAPP,
            verb: "rollback".into(),
            raising: false,
            regions: vec![EU],
            title: o.plan.title.to_string().into(),
            facts: facts_of(&o.plan),
        });
        let interrupted: Vec<Interrupted> = left.filter(|l| l.title.contains("roll back")).collect();
        *(if journaled { &mut after_journal } else { &mut before_journal }) += 1;
        let (before, log) = (written(&world, "Deployment"), world.log.clone());
        let mut next = world.reopened(true);
        next.engine.arm(Arming { interrupted, ..arming(Mode::Guard) });
        next.pass(2);
        windows(&mut next, EU, 0.15);
        next.pass(40);
        assert_eq!(next.image(EU), V1, "dead after {point} effects: {log:?} then {:?}", next.log);
        let all = [before, written(&next, "Deployment")].concat();
        assert_eq!(all, [3], "dead after {point} effects: one write, there");
        let back = next.facts(EU).iter().filter(|f| matches!(f.body, Body::RolledBack(_))).count();
        assert_eq!(back, 1, "dead after {point} effects: the record tells of it, once: {log:?} then {:?}", next.log);
        assert!(next.engine.automation().unwrap().interrupted().is_empty(), "dead after {point} effects");
        let closes = next.log.iter().filter(|l| l.starts_with("note closed interrupted")).count();
        assert_eq!(closes, usize::from(journaled && !closed), "dead after {point} effects: {:?}", next.log);
    }
    assert!(before_journal > 0 && after_journal > 0, "{before_journal} {after_journal}");
}

/// The facts of a plan, as a journal keeps them.
fn facts_of(plan: &gonogo::domain::plan::Plan) -> gonogo::engine::left::LeftFacts {
    let of = |s: &gonogo::domain::plan::Step| Some(((plan.service, s.region), s.facts.as_ref()?.1.clone()));
    plan.steps.iter().filter_map(of).collect()
}

/// A console died between the rollback of eu-west-1 and its record.
fn died_before_the_record() -> (World, gonogo::domain::plan::Plan) {
    let mut world = promoted(policy(OnNogo::Advise, Reach::Region));
    world.faults.insert((EU, "ConfigMap"), [Fault::Hang].into());
    let id = world.go(Verb::RollBack { to_revision: None }, Target::Regions(vec![EU]));
    assert_eq!(world.image(EU), V1, "{:?}", world.log);
    let plan = (*world.operation(id).plan).clone();
    assert!(!world.fact_kinds(EU).contains(&"rolled-back"));
    (world.reopened(true), plan)
}

#[test]
fn what_a_console_left_without_its_record_is_written_when_a_person_answers_and_only_where_it_is_so() {
    let told = |world: &World| world.facts(EU).iter().filter(|f| matches!(f.body, Body::RolledBack(_))).count();
    let (mut world, plan) = died_before_the_record();
    world.pass(20);
    assert_eq!(told(&world), 0, "nobody was asked");
    for _ in 0..2 {
        world.engine.take_over(facts_of(&plan));
        world.pass(20);
    }
    assert_eq!(told(&world), 1, "{:?}", world.log);
    let fact = world.facts(EU).into_iter().find(|f| matches!(f.body, Body::RolledBack(_))).unwrap();
    assert_eq!(plan.steps[0].facts.as_ref().unwrap().1, [fact], "to the letter, under its own key");

    // The region runs something else by now: nothing was rolled back as far as anybody can tell.
    let (mut world, plan) = died_before_the_record();
    let uid = format!("uid-{}", EU.0);
    let object = world.workload_ref(EU);
    world.objects.insert(object, deployment(&uid, V2));
    world.show_workload(EU);
    world.engine.take_over(facts_of(&plan));
    world.pass(20);
    assert_eq!(told(&world), 0);

    // Its cluster is away: it is written when that can be told.
    let (mut world, plan) = died_before_the_record();
    world.cut(ClusterIx(3));
    world.engine.take_over(facts_of(&plan));
    world.pass(20);
    assert_eq!(told(&world), 0);
    world.mend(ClusterIx(3));
    world.pass(40);
    assert_eq!(told(&world), 1, "{:?}", world.log);
}

#[test]
fn a_record_that_may_not_be_written_keeps_no_interrupted_plan_open_for_ever() {
    let (mut world, plan) = died_before_the_record();
    world.keep_fault = Some(ActResult::Refused { code: 403, message: "configmaps is forbidden".into() });
    let left = Interrupted {
        plan: plan.id,
        service: WEBAPP,
        verb: "rollback".into(),
        raising: false,
        regions: vec![EU],
        title: plan.title.clone(),
        facts: facts_of(&plan),
    };
    world.engine.arm(Arming { interrupted: vec![left], ..arming(Mode::Guard) });
    world.pass(60);
    assert!(world.engine.automation().unwrap().interrupted().is_empty(), "{:?}", world.log);
    assert!(written(&world, "Deployment").is_empty(), "it had arrived: nothing is sent again");
}

#[test]
fn an_interrupted_rollback_whose_regions_are_away_is_not_forgotten() {
    let left = |world: &World| Interrupted {
        plan: PlanId(Ulid::from_parts(world.now.wall.as_millisecond().unsigned_abs(), 7)),
        service: WEBAPP,
        verb: "rollback".into(),
        raising: false,
        regions: vec![EU, US],
        title: "rollback eu-west-1, us-east-1".into(),
        facts: Vec::new(),
    };
    // One of them is away, then both.
    for away in [&[4][..], &[3, 4]] {
        let mut world = promoted(policy(OnNogo::Advise, Reach::Region));
        let id = world.go(Verb::Promote { to: None, without_wait: true }, ring_of(3));
        assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
        world.sent.clear();
        world.log.clear();
        away.iter().for_each(|c| world.cut(ClusterIx(*c)));
        let left = left(&world);
        world.engine.arm(Arming { interrupted: vec![left], ..arming(Mode::Guard) });
        world.pass(60);
        assert_eq!(world.image(EU) == V1, !away.contains(&3), "{:?}", world.log);
        assert_eq!(world.image(US), V2);
        let closed = |world: &World| world.log.iter().filter(|l| *l == "note closed interrupted").count();
        assert_eq!(closed(&world), 0, "a part of it is still to be done");
        away.iter().for_each(|c| world.mend(ClusterIx(*c)));
        world.pass(60);
        assert_eq!([world.image(EU), world.image(US)], [V1, V1], "{:?}", world.log);
        assert_eq!(closed(&world), 1);
        let mut clusters = written(&world, "Deployment");
        clusters.sort_unstable();
        assert_eq!(clusters, [3, 4], "once each");
    }
}

#[test]
fn after_an_interrupted_promotion_nothing_is_promoted_until_a_person_has_decided() {
    let mut world = baked(auto());
    let old = PlanId(Ulid::from_parts(world.now.wall.as_millisecond().unsigned_abs() - 60_000, 7));
    let left = Interrupted {
        plan: old,
        service: WEBAPP,
        verb: "promote".into(),
        raising: true,
        regions: vec![EU],
        title: "promote ring-2 to v2.1.0".into(),
        facts: Vec::new(),
    };
    world.engine.arm(Arming { interrupted: vec![left], ..arming(Mode::Autopilot) });
    world.pass(60);
    assert!(written(&world, "Deployment").is_empty(), "GO and the lease do not suffice: {:?}", world.log);
    assert_eq!(world.engine.automation().unwrap().interrupted().len(), 1);
    world.go(promote(), ring_of(2));
    world.pass(3);
    assert!(world.engine.automation().unwrap().interrupted().is_empty(), "a person moved it: decided");
    assert!(world.log.contains(&"note closed interrupted".to_owned()), "{:?}", world.log);
}

#[test]
fn who_leaves_in_order_gives_its_leases_back_and_the_next_need_not_wait() {
    let mut world = baked(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(arming(Mode::Guard));
    world.pass(12);
    assert_eq!(lease(&world, EU)["spec"]["holderIdentity"], "guard-1");
    world.engine.disarm();
    world.engine.leave_leases();
    assert!(!world.engine.leases().writing());
    let effects = world.engine.give_leases_back();
    assert_eq!(effects.len(), ALL.len(), "one write for each region");
    world.perform(effects);
    world.pass(40);
    for at in ALL {
        assert!(lease(&world, at)["spec"]["holderIdentity"].is_null(), "{}: {}", world.name(at), lease(&world, at));
        assert!(!world.engine.leases().held((WEBAPP, at), world.now.mono));
    }
    let alarms = world.engine.services[0].view.alarms.join("\n");
    assert!(!alarms.contains("has not been heard"), "it went in order: {alarms}");
}

#[test]
fn a_guard_of_one_region_acts_there_and_nowhere_else() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(Arming { regions: vec!["us-east-1".into()], ..arming(Mode::Guard) });
    breach(&mut world, EU);
    assert!(world.sent.is_empty(), "{:?}", world.log);
    world.engine.arm(Arming { regions: vec!["eu-west-1".into()], ..arming(Mode::Guard) });
    world.pass(3);
    assert_eq!(world.image(EU), V1);
}

#[test]
fn a_person_at_the_prompt_is_not_disturbed() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(arming(Mode::Guard));
    world.skip(1_500);
    world.propose(Verb::Hold, Target::Service);
    let before = world.engine.proposal.as_ref().map(|p| p.id);
    windows(&mut world, EU, 0.15);
    world.pass(3);
    assert_eq!(world.image(EU), V1);
    assert_eq!(world.engine.proposal.as_ref().map(|p| p.id), before, "the prompt stays open");
}

/// The lease of a region, as its cluster shows it.
fn lease(world: &World, at: RegionIx) -> serde_json::Value {
    let object = world.engine.lease_object((WEBAPP, at)).unwrap();
    world.objects.get(&object).cloned().unwrap_or_default()
}

fn auto() -> RingPolicy {
    RingPolicy { advance: Advance::Auto, ..policy(OnNogo::RollBack, Reach::Region) }
}

/// Everything is baked and well; ring-2 may have it.
fn baked(ring: RingPolicy) -> World {
    let mut world = World::with(judged(ring));
    world.pass(2);
    well(&mut world);
    world.pass(2);
    world
}

#[test]
fn autopilot_promotes_on_go_with_the_lease_and_once() {
    let mut world = baked(auto());
    world.engine.arm(arming(Mode::Autopilot));
    world.pass(3);
    assert_eq!(world.image(EU), V2, "{:?}", world.log);
    assert_eq!(lease(&world, EU)["spec"]["holderIdentity"], "guard-1");
    assert_eq!(lease(&world, EU)["metadata"]["annotations"]["gonogo.dev/mode"], "autopilot");
    world.pass(60);
    assert_eq!(written(&world, "Deployment"), [3], "and not on to ring-3 before ring-2 has baked");
}

#[test]
fn guard_never_promotes_and_autopilot_only_where_the_policy_says_auto() {
    for (mode, ring) in [(Mode::Guard, auto()), (Mode::Autopilot, policy(OnNogo::RollBack, Reach::Region))] {
        let mut world = baked(ring);
        world.engine.arm(arming(mode));
        world.pass(60);
        assert!(written(&world, "Deployment").is_empty(), "{mode:?}: {:?}", world.log);
    }
}

#[test]
fn autopilot_treats_findings_as_wait() {
    // Not one of the deciders: a person must see that.
    let mut fleet = judged(auto());
    fleet.services[0].deciders = vec!["people".into()];
    let mut world = World::with(fleet);
    world.pass(2);
    well(&mut world);
    world.known_as(ClusterIx(3), "guard");
    world.engine.arm(arming(Mode::Autopilot));
    world.pass(30);
    assert!(written(&world, "Deployment").is_empty(), "{:?}", world.log);
}

#[test]
fn a_lease_of_another_that_is_renewed_keeps_autopilot_from_promoting_and_not_from_rolling_back() {
    let mut world = baked(auto());
    let object = world.engine.lease_object((WEBAPP, EU)).unwrap();
    let mut beat = 0;
    let mut renew = |world: &mut World| {
        beat += 1;
        // Its clock is hours off: that does not matter.
        let renewed = format!("2020-01-01T00:00:{:02}.000000Z", beat % 60);
        let lease = serde_json::json!({"metadata": {"annotations": {}},
            "spec": {"holderIdentity": "guard-2", "renewTime": renewed, "leaseTransitions": 4}});
        world.objects.insert(object.clone(), lease);
    };
    renew(&mut world);
    world.engine.arm(arming(Mode::Autopilot));
    for _ in 0..12 {
        world.pass(10);
        renew(&mut world);
    }
    assert!(written(&world, "Deployment").is_empty(), "guard-2 is alive: {:?}", world.log);
    let waits = world.engine.automation().unwrap().waits.clone().unwrap();
    assert!(waits.ends_with("it waits: the lease of eu-west-1 is held by guard-2"), "{waits}");
    // It dies: nothing changes for long enough by our own clock.
    world.pass(60);
    assert_eq!(world.image(EU), V2, "{:?}", world.log);
    assert_eq!(lease(&world, EU)["spec"]["holderIdentity"], "guard-1");
    assert_eq!(lease(&world, EU)["spec"]["leaseTransitions"], 5);
    // It comes back and takes the lease; a breach is rolled back all the same.
    renew(&mut world);
    breach(&mut world, EU);
    assert_eq!(world.image(EU), V1, "{:?}", world.log);
}

#[test]
fn a_guard_that_only_advises_gives_its_lease_to_one_that_may_act() {
    for (mode, promotes) in [("advise", true), ("guard", false)] {
        let mut world = baked(auto());
        let object = world.engine.lease_object((WEBAPP, EU)).unwrap();
        let lease_of = |beat: u32| {
            serde_json::json!({"metadata": {"annotations": {"gonogo.dev/mode": mode, "gonogo.dev/policy": ""}},
                "spec": {"holderIdentity": "guard-2", "renewTime": format!("2020-01-01T00:00:{:02}.000000Z", beat % 60)}})
        };
        world.objects.insert(object.clone(), lease_of(0));
        world.engine.arm(arming(Mode::Autopilot));
        for beat in 1..12 {
            world.pass(10);
            // The other renews what it still holds.
            if world.objects[&object]["spec"]["holderIdentity"] == "guard-2" {
                world.objects.insert(object.clone(), lease_of(beat));
            }
        }
        assert_eq!(world.image(EU) == V2, promotes, "{mode}: {:?}", world.log);
    }
}

#[test]
fn a_guard_tells_its_policy_once_and_a_console_names_what_differs() {
    let mut world = baked(auto());
    world.engine.arm(arming(Mode::Guard));
    world.pass(30);
    let object = world.engine.lease_object((WEBAPP, EU)).unwrap();
    let annotations = world.objects[&object]["metadata"]["annotations"].clone();
    let text = annotations["gonogo.dev/policy-text"].as_str().unwrap().to_owned();
    assert!(text.starts_with("gonogo policy 1\nservice \"webapp\""), "{text}");
    // What it would not have written is not taken for a policy.
    let theirs = text.replacen("parallelism 1", "parallelism 2", 1);
    let lease = |text: &str| {
        serde_json::json!({
            "metadata": {"annotations": {"gonogo.dev/mode": "guard", "gonogo.dev/policy": "feedfeedfeedfeed", "gonogo.dev/policy-text": text}},
            "spec": {"holderIdentity": "guard-2", "renewTime": "2020-01-01T00:00:00.000000Z"}})
    };
    for (text, known) in [(theirs.clone(), true), ("x".repeat(17 * 1024), false)] {
        let mut world = baked(auto());
        let effects = world.engine.show(WEBAPP);
        world.perform(effects);
        world.objects.insert(object.clone(), lease(&text));
        world.pass(12);
        world.engine.freshen(WEBAPP);
        let others = &world.engine.services[0].view.policies;
        assert_eq!((&*others[0].hash, others[0].guards), ("feedfeedfeedfeed", true));
        assert_eq!(others[0].text.as_deref(), known.then_some(text.as_str()));
    }
}

#[test]
fn consoles_see_the_guard_and_that_it_died() {
    let mut world = baked(auto());
    let object = world.engine.lease_object((WEBAPP, EU)).unwrap();
    let lease = serde_json::json!({
        "metadata": {"annotations": {"gonogo.dev/mode": "guard", "gonogo.dev/policy": "0011223344556677"}},
        "spec": {"holderIdentity": "guard-2", "renewTime": "2020-01-01T00:00:00.000000Z"}});
    world.objects.insert(object, lease);
    let effects = world.engine.show(WEBAPP);
    world.perform(effects);
    world.pass(12);
    let seen = world.engine.services[0].regions[EU.at()].guard.clone().unwrap();
    assert_eq!((&*seen.holder, &*seen.mode), ("guard-2", "guard"));
    assert!(seen.alive(world.now));
    world.pass(40);
    let alarms = world.engine.services[0].view.alarms.join("\n");
    assert!(alarms.contains("eu-west-1: the guard (guard-2, guard) has not been heard for"), "{alarms}");
}

#[test]
fn a_console_and_a_guard_judge_the_same() {
    let play = |guard: bool| {
        let mut world = baked(auto());
        if guard {
            world.engine.arm(arming(Mode::Advise));
        }
        let mut seen = Vec::new();
        let mut look = |world: &mut World| {
            world.engine.freshen(WEBAPP);
            let view = &world.engine.services[0].view;
            let rings: Vec<_> = view.rings.iter().map(|r| (r.verdict, r.phase, r.bake_start)).collect();
            seen.push((view.question.clone(), rings, view.release.clone()));
        };
        look(&mut world);
        world.go(promote(), ring_of(2));
        look(&mut world);
        for errors in [0.001, 0.15, 0.001] {
            world.skip(1_500);
            windows(&mut world, EU, errors);
            world.pass(2);
            look(&mut world);
        }
        world.cut(ClusterIx(3));
        world.pass(60);
        look(&mut world);
        seen
    };
    let (console, guard) = (play(false), play(true));
    assert_eq!(console.len(), 6);
    for (n, (c, g)) in console.iter().zip(&guard).enumerate() {
        assert_eq!(c, g, "at {n}");
    }
}

#[test]
fn a_metric_that_flickers_is_not_acted_on() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(arming(Mode::Guard));
    for round in 0..12 {
        world.skip(300);
        let end = window_floor(world.now.wall);
        // One window of three is bad.
        let errors = if round % 3 == 0 { 0.15 } else { 0.001 };
        let readings = vec![(EU, [(end, Ok(errors))].into_iter().collect())];
        world.see(Observation::Windows { service: WEBAPP, column: "errors".into(), readings });
        world.pass(2);
    }
    assert_eq!(world.image(EU), V2, "{:?}", world.log);
}

#[test]
fn another_policy_stops_autopilot_and_never_a_rollback() {
    let mut world = promoted(auto());
    let mut fleet = (*world.fleet).clone();
    fleet.services[0].policy_hash = "feedfeedfeedfeed".into();
    let mut other = World::with(fleet);
    other.objects = world.objects.clone();
    other.now = world.now;
    other.show_everything();
    other.pass(2);
    well(&mut other);
    other.engine.arm(arming(Mode::Autopilot));
    let question = other.engine.services[0].view.question.clone().unwrap();
    assert!(
        question.sentence.contains("this console's policy feedfeedfeedfeed is not the one"),
        "{}",
        question.sentence
    );
    breach(&mut other, EU);
    assert_eq!(other.image(EU), V1, "{:?}", other.log);
    assert_eq!(world.image(US), V1);
}

#[test]
fn people_are_told_once_per_change() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(arming(Mode::Guard));
    world.pass(5);
    let before = world.told.len();
    breach(&mut world, EU);
    world.pass(60);
    let kinds: Vec<&str> = world.told[before..].iter().map(|n| n.kind.word()).collect();
    assert!(kinds.contains(&"verdict") && kinds.contains(&"rollback"), "{:?}", world.told);
    let rollback = world.told.iter().find(|n| n.kind.word() == "rollback").unwrap();
    assert!(rollback.text.contains("eu-west-1: rolled back from v2.1.0 to v2.0.0"), "{rollback:?}");
    let count = world.told.len();
    world.pass(300);
    assert_eq!(world.told.len(), count, "nothing changed: {:?}", &world.told[count..]);
}

#[test]
fn what_was_not_asked_yet_is_no_verdict_worth_a_notice() {
    let mut fleet = judged(policy(OnNogo::Hold, Reach::Region));
    fleet.prometheuses = vec!["main".into()];
    fleet.clusters.iter_mut().for_each(|c| c.prometheus = Some(0.into()));
    let verdicts = |world: &World| world.told.iter().filter(|n| n.kind.word() == "verdict").count();
    let mut world = World::with(fleet);
    // A template that was rolled back elsewhere says NO-GO, whatever nobody answered.
    world.go(Verb::Quarantine { digest: None }, Target::Regions(vec![AP]));
    world.engine.arm(arming(Mode::Guard));
    world.pass(50);
    assert_eq!(verdicts(&world), 0, "{:?}", world.told);
    // It does not wait for ever: a Prometheus that never answers hides no NO-GO.
    world.pass(20);
    assert_eq!(verdicts(&world), 1, "{:?}", world.told);
}

#[test]
fn a_forgotten_pause_and_a_release_that_stands_still_are_told() {
    let mut fleet = judged(policy(OnNogo::Hold, Reach::Region));
    fleet.services[0].policy.unmoved = Some(std::time::Duration::from_secs(6 * 3_600));
    let mut world = World::with(fleet);
    world.pass(2);
    world.engine.arm(arming(Mode::Guard));
    world.pass(5);
    world.in_flight(AP);
    world.go(Verb::Hold, Target::Regions(vec![AP]));
    world.pass(5);
    for _ in 0..9 {
        world.skip(3_600);
        world.pass(8);
    }
    let texts: Vec<&str> = world.told.iter().map(|n| &*n.text).collect();
    assert_eq!(texts.iter().filter(|t| t.contains("forgotten?")).count(), 1, "{texts:?}");
    assert_eq!(texts.iter().filter(|t| t.contains("has not moved for")).count(), 1, "{texts:?}");
}
