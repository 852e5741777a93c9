//! Drain and restore: by weight, with a guard of its own, and back to what it was.

use gonogo::domain::finding::Severity;
use gonogo::domain::id::{ClusterIx, RegionIx};
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::observation::Observation;
use gonogo::domain::record::Body;
use gonogo::domain::stamp::{SignedDuration, Timestamp};
use serde_json::json;

use crate::fixture::*;

/// Hourly traffic of the last week, as high as given at this time of day.
fn week(world: &mut World, peaks: [f64; 5]) {
    let hours = |peak: f64| -> Vec<(Timestamp, f64)> {
        (0..168).map(|h| (world.now.wall.saturating_sub(SignedDuration::from_hours(h)).unwrap(), peak)).rev().collect()
    };
    let points = ALL.into_iter().zip(peaks.map(hours)).collect();
    let step = SignedDuration::from_hours(1);
    world.see(Observation::History { service: WEBAPP, column: "qps".into(), step, points });
}

#[test]
fn a_drain_tests_the_complete_list_and_sets_one_weight() {
    let mut world = World::new();
    week(&mut world, QPS);
    let plan = world.review(Verb::Drain, region(EU)).unwrap();
    assert!(plan.findings.is_empty(), "{:?}", plan.findings);
    let list = world.objects[&world.route_ref()]["spec"]["rules"][0]["backendRefs"].clone();
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&plan.steps[0].writes[0].change.body()).unwrap(),
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "route-1"},
            {"op": "test", "path": "/spec/rules/0/backendRefs", "value": list},
            {"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 0},
        ])
    );
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!((world.weight(0), world.weight(1), world.weight(2)), (20, 0, 40));
    assert_eq!(world.fact_kinds(EU), ["draining", "drained"]);
}

#[test]
fn a_restore_writes_the_remembered_weight() {
    let mut world = World::new();
    world.go(Verb::Drain, region(EU));
    let id = world.go(Verb::Restore, region(EU));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.weight(1), 40);
    assert_eq!(world.review(Verb::Restore, region(EU)).unwrap_err().code, "nothing-to-do");
}

#[test]
fn a_drain_of_a_drained_region_remembers_nothing_new() {
    let mut world = World::new();
    world.go(Verb::Drain, region(EU));
    assert_eq!(world.review(Verb::Drain, region(EU)).unwrap_err().code, "nothing-to-do");
    // Somebody lets a trickle in, and it is drained again: the memory stays.
    let route = world.route_ref();
    world.objects.get_mut(&route).unwrap()["spec"]["rules"][0]["backendRefs"][1]["weight"] = 1.into();
    world.show(route);
    world.go(Verb::Drain, region(EU));
    world.go(Verb::Restore, region(EU));
    assert_eq!(world.weight(1), 40);
    let refusal = world.review(Verb::Restore, region(EU)).unwrap_err();
    assert_eq!(refusal.code, "nothing-to-do", "one restore ends it: {refusal:?}");
    assert!(world.engine.services[0].record.region(EU).unwrap().drained().is_none());
}

#[test]
fn a_weight_that_was_not_written_counts_as_one() {
    let mut world = World::new();
    let route = world.route_ref();
    for at in 0..3 {
        world.objects.get_mut(&route).unwrap()["spec"]["rules"][0]["backendRefs"][at]
            .as_object_mut()
            .unwrap()
            .remove("weight");
    }
    world.show(route);
    world.go(Verb::Drain, region(EU));
    assert_eq!(world.weight(1), 0);
    world.go(Verb::Restore, region(EU));
    assert_eq!(world.weight(1), 1);
}

#[test]
fn the_last_weight_the_only_backend_and_what_is_not_steered_are_refused_whatever_is_said() {
    let mut world = World::new();
    world.objects.insert(world.route_ref(), route([0, 40, 0]));
    assert_eq!(world.review(Verb::Drain, region(EU)).unwrap_err().code, "last-serving");

    let mut only = route([0, 40, 0]);
    only["spec"]["rules"][0]["backendRefs"] = json!([{"name": "webapp-eu", "weight": 40}]);
    world.objects.insert(world.route_ref(), only);
    let refusal = world.review(Verb::Drain, region(EU)).unwrap_err();
    assert_eq!(refusal.code, "only-backend");

    let mut world = World::new();
    assert_eq!(world.review(Verb::Drain, region(STAGE_A)).unwrap_err().code, "no-route");
    assert_eq!(world.review(Verb::Drain, Target::Service).unwrap_err().code, "several-regions");
    world.cut(EDGE);
    assert_eq!(world.review(Verb::Drain, region(EU)).unwrap_err().code, "unreachable");
}

#[test]
fn two_who_drain_the_last_two_regions_at_once_leave_one_serving() {
    let mut world = World::new();
    world.objects.insert(world.route_ref(), route([0, 40, 40]));
    world.show(world.route_ref());
    let first = world.review(Verb::Drain, region(EU)).unwrap();
    let second = world.review(Verb::Drain, region(US)).unwrap();
    let ids = [first, second].map(|plan| {
        let asked = gonogo::domain::challenge::challenge(&plan);
        let typed = match &asked.answer {
            gonogo::domain::challenge::Asked::Key => "y".to_owned(),
            gonogo::domain::challenge::Asked::Typed(t) => t.to_string(),
        };
        let id = plan.id;
        let approved = asked.answer(plan, &typed, Some("incident".into()), "x".into()).unwrap();
        world.carry_out(approved);
        id
    });
    assert_eq!(world.end(ids[0]).0, "settled");
    assert_eq!(world.end(ids[1]).0, "refused");
    assert_eq!((world.weight(1), world.weight(2)), (0, 40));
    assert!(world.facts(US).is_empty());
}

#[test]
fn headroom_beyond_capacity_now_is_refused() {
    let mut fleet = fleet();
    fleet.services[0].regions[2].capacity.as_mut().unwrap().qps = 20_000.0;
    let mut world = World::with(fleet);
    week(&mut world, QPS);
    let refusal = world.review(Verb::Drain, region(EU)).unwrap_err();
    assert_eq!(refusal.code, "headroom");
    // 12,400 + a third of 45,200.
    assert!(refusal.text.contains("27.5k of 20.0k"), "{refusal:?}");
}

#[test]
fn headroom_beyond_capacity_at_peak_is_a_finding() {
    let mut world = World::new();
    week(&mut world, [0.0, 0.0, 100_000.0, 90_000.0, 80_000.0]);
    let plan = world.review(Verb::Drain, region(EU)).unwrap();
    let peak: Vec<_> = plan.findings.iter().filter(|f| f.code == "headroom-peak").collect();
    assert_eq!(peak.len(), 2, "{:?}", plan.findings);
    assert!(peak.iter().all(|f| f.severity == Severity::Warning));
    // The night before says nothing about this hour of the day.
    let mut world = World::new();
    week(&mut world, QPS);
    let night = world.now.wall.saturating_sub(SignedDuration::from_hours(10)).unwrap();
    let points: Vec<(RegionIx, Vec<(Timestamp, f64)>)> =
        ALL.map(|r| (r, vec![(night, 1e6), (world.now.wall, 1.0)])).into();
    world.see(Observation::History {
        service: WEBAPP,
        column: "qps".into(),
        step: SignedDuration::from_hours(1),
        points,
    });
    assert!(world.review(Verb::Drain, region(EU)).unwrap().findings.is_empty());
}

#[test]
fn unknown_headroom_needs_an_override() {
    // Traffic of the region; traffic of an absorber; capacity of an absorber; who absorbs at all.
    let measured = QPS.map(Some);
    let without = |at: usize| {
        let mut qps = measured;
        qps[at] = None;
        qps
    };
    for (qps, capacity, absorbers) in [
        (without(3), true, vec![]),
        (without(4), true, vec![]),
        (measured, false, vec![]),
        (measured, true, vec!["ap-south-1".into()]),
    ] {
        let mut fleet = fleet();
        if !capacity {
            fleet.services[0].regions[4].capacity = None;
        }
        fleet.services[0].regions[3].absorbers = absorbers.clone();
        let mut world = World::with(fleet);
        if !absorbers.is_empty() {
            world.objects.insert(world.route_ref(), route([0, 40, 40]));
            world.show(world.route_ref());
        }
        week(&mut world, QPS);
        world.sample(qps);
        let plan = world.review(Verb::Drain, region(EU)).unwrap();
        let finding = plan.findings.iter().find(|f| f.code == "headroom");
        assert_eq!(finding.map(|f| f.severity), Some(Severity::Override), "{qps:?} {absorbers:?}: {:?}", plan.findings);
    }
}

#[test]
fn a_restore_is_refused_into_a_region_that_could_not_serve() {
    let mut world = World::new();
    world.go(Verb::Drain, region(EU));
    world.in_flight(EU);
    assert_eq!(world.review(Verb::Restore, region(EU)).unwrap_err().code, "not-serving");
    world.finish(EU);
    world.cut(ClusterIx(3));
    let refusal = world.review(Verb::Restore, region(EU)).unwrap_err();
    assert_eq!(refusal.code, "unreachable", "what it runs is not known any more: {refusal:?}");
}

#[test]
fn a_drain_while_everything_else_is_away_goes_out() {
    let mut world = World::new();
    for cluster in 0..5 {
        world.cut(ClusterIx(cluster));
    }
    let id = world.go(Verb::Drain, region(EU));
    assert_eq!(world.weight(1), 0);
    assert_eq!(world.end(id).0, "settled", "the weight is seen at the edge: {:?}", world.end(id));
    let facts = &world.engine.operations[0].plan.steps[0].facts.as_ref().unwrap().1;
    assert!(facts.iter().any(|f| matches!(f.body, Body::Drained { .. })));
}

#[test]
fn a_route_that_a_rollout_steers_is_never_touched() {
    let mut fleet = fleet();
    for region in &mut fleet.services[0].regions {
        region.workload.kind = "Rollout".into();
        if let Some(route) = &mut region.route {
            (route.cluster, route.namespace) = (region.cluster, "shop".into());
        }
    }
    let mut world = World::with(fleet);
    let route_of = |world: &World, at: RegionIx| {
        let route = world.fleet.services[0].regions[at.at()].route.clone().unwrap();
        let api = gonogo::traffic::provider(&route.provider).unwrap().api();
        gonogo::domain::change::ObjectRef { cluster: route.cluster, api, namespace: route.namespace, name: route.name }
    };
    for at in [EU, US] {
        world.objects.insert(route_of(&world, at), route([20, 40, 40]));
    }
    let plugin = json!({"argoproj-labs/gatewayAPI": {"httpRoutes": [{"name": "webapp"}], "namespace": "shop"}});
    world.workload(EU)["spec"]["strategy"]["canary"]["trafficRouting"] = json!({"plugins": plugin});
    world.show_workload(EU);
    for verb in [Verb::Drain, Verb::Restore] {
        let refusal = world.review(verb, region(EU)).unwrap_err();
        assert_eq!(refusal.code, "managed");
        assert!(
            refusal.text.contains("Rollout webapp of eu-west-1 writes the weights of HTTPRoute webapp"),
            "{}",
            refusal.text
        );
    }
    // Another object of that name, in another cluster, is another route.
    assert!(world.review(Verb::Drain, region(US)).is_ok());
}
