//! Any plan on any fleet stays where it was meant, and carries its own precondition.

use gonogo::domain::change::{Change, PatchKind};
use gonogo::domain::id::{ClusterIx, RegionIx};
use gonogo::domain::intent::{Direction, Target, Verb};
use gonogo::domain::plan::{Plan, WriteRole};
use gonogo::domain::record::{Body, Scope};
use gonogo::engine::draft::targets;
use proptest::prelude::*;

use crate::fixture::*;

/// What stands where when the operator comes.
#[derive(Clone, Debug)]
pub enum Circumstance {
    Image(usize, bool),
    InFlight(usize),
    PausedBySomebody(usize),
    Away(usize),
    HeldService,
    HeldRing(u32),
    Weights([u32; 3]),
}

pub fn circumstance() -> impl Strategy<Value = Circumstance> {
    prop_oneof![
        (0_usize..5, any::<bool>()).prop_map(|(at, new)| Circumstance::Image(at, new)),
        (0_usize..5).prop_map(Circumstance::InFlight),
        (0_usize..5).prop_map(Circumstance::PausedBySomebody),
        (0_usize..6).prop_map(Circumstance::Away),
        Just(Circumstance::HeldService),
        (0_u32..4).prop_map(Circumstance::HeldRing),
        prop::array::uniform3(0_u32..3).prop_map(Circumstance::Weights),
    ]
}

pub fn arrange(world: &mut World, circumstances: &[Circumstance]) {
    for c in circumstances {
        match c {
            Circumstance::Image(at, new) => {
                let at = RegionIx::from(*at);
                let image = if *new { V2 } else { V1 };
                world.workload(at)["spec"]["template"]["spec"]["containers"][1]["image"] = image.into();
                world.show_workload(at);
            }
            Circumstance::InFlight(at) => world.in_flight((*at).into()),
            Circumstance::PausedBySomebody(at) => {
                world.workload((*at).into())["spec"]["paused"] = true.into();
                world.show_workload((*at).into());
            }
            Circumstance::Away(at) => world.cut(ClusterIx::from(*at)),
            Circumstance::HeldService => {
                world.write_fact(US, Body::Hold { scope: Scope::Service, reason: "r".into() });
            }
            Circumstance::HeldRing(at) => {
                world
                    .write_fact(AP, Body::Hold { scope: Scope::Ring(format!("ring-{at}").into()), reason: "r".into() });
            }
            Circumstance::Weights(weights) => {
                world.objects.insert(world.route_ref(), route(*weights));
                world.show(world.route_ref());
            }
        }
    }
}

pub fn verb() -> impl Strategy<Value = Verb> {
    prop::sample::select(vec![
        promote(),
        promote_to("v2.2.0"),
        Verb::Promote { to: None, without_wait: true },
        Verb::Hold,
        resume(),
        roll_back(),
        Verb::Abort,
        Verb::Drain,
        Verb::Restore,
    ])
}

pub fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::Service),
        (0_u32..4).prop_map(ring),
        prop::collection::vec(0_usize..7, 0..3)
            .prop_map(|r| Target::Regions(r.into_iter().map(RegionIx::from).collect())),
    ]
}

fn main_requests(plan: &Plan) -> Vec<(RegionIx, &Change)> {
    let writes = plan.steps.iter().flat_map(|s| s.writes.iter().map(move |w| (s.region, w)));
    writes.filter(|(_, w)| w.role == WriteRole::Main).map(|(r, w)| (r, &w.change)).collect()
}

fn check(world: &World, plan: &Plan, verb: &Verb, target: &Target) {
    let service = &world.fleet.services[0];
    let meant = targets(service, target);
    assert!(!meant.is_empty(), "an empty selection never means everything");
    let highest = meant.iter().map(|r| service.region(*r).unwrap().ring).max();
    assert_eq!(main_requests(plan).len(), plan.steps.len(), "each step has one main request");
    for step in &plan.steps {
        assert!(!step.expect.is_empty(), "something must be seen afterwards");
        assert!(!step.limit.is_zero());
    }
    for (at, change) in main_requests(plan) {
        let kind = &*change.object().unwrap().api.kind;
        if kind == "ConfigMap" {
            assert!(matches!(verb, Verb::Hold | Verb::Resume { .. }), "facts alone are holds and their ends");
            continue;
        }
        // A resume un-pauses what its hold paused, wherever that is; all else stays where it was meant.
        if !matches!(verb, Verb::Resume { .. }) {
            assert!(meant.contains(&at), "{} was not meant", world.name(at));
            assert!(Some(service.region(at).unwrap().ring) <= highest);
        }
        assert!(plan.blast.regions.contains(&at), "{} is not in the blast radius", world.name(at));
        let Change::Patch { kind: PatchKind::Json, body, .. } = change else { panic!("{change:?}") };
        let tests: Vec<&str> = body
            .as_array()
            .unwrap()
            .iter()
            .filter(|o| o["op"] == "test")
            .map(|o| o["path"].as_str().unwrap())
            .collect();
        assert!(tests.contains(&"/metadata/uid"), "{body}");
        let whole = match verb {
            Verb::Hold => "/metadata/uid",
            Verb::Drain | Verb::Restore => "/spec/rules/0/backendRefs",
            _ => "/spec/template",
        };
        assert!(tests.contains(&whole), "{body}");
        let first_change = body.as_array().unwrap().iter().position(|o| o["op"] != "test").unwrap();
        assert!(first_change >= 1, "the test comes first");
    }
    if plan.direction() == Direction::Raising && matches!(verb, Verb::Promote { .. }) {
        let mut rings: Vec<_> = plan.steps.iter().map(|s| service.region(s.region).unwrap().ring).collect();
        rings.dedup();
        assert_eq!(rings.len(), 1, "one ring at a time");
    }
}

proptest! {
    #![proptest_config(crate::cases(192))]

    #[test]
    fn a_plan_stays_where_it_was_meant_and_tests_what_it_rests_on(
        circumstances in prop::collection::vec(circumstance(), 0..5),
        verb in verb(),
        target in target(),
    ) {
        let mut world = World::new();
        arrange(&mut world, &circumstances);
        let before = world.objects.clone();
        if let Ok(plan) = world.review(verb.clone(), target.clone()) {
            check(&world, &plan, &verb, &target);
        }
        prop_assert_eq!(&before, &world.objects, "a review changes nothing");
        prop_assert!(world.requests().is_empty());
    }
}
