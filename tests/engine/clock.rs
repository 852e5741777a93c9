//! The rollback clock: since when, against what, and when it ends.

use std::time::Duration;

use gonogo::domain::intent::Verb;
use gonogo::domain::policy::*;
use gonogo::domain::record::{Body, Move};
use gonogo::domain::stamp::SignedDuration;
use gonogo::engine::view::Incident;

use crate::automation::{arming, policy, promoted, ring_of, windows};
use crate::fixture::*;

/// ring-2 was promoted, people decide, and a way back may take four minutes.
fn watched() -> World {
    promoted(RingPolicy { rollback_limit: Duration::from_secs(240), ..policy(OnNogo::Advise, Reach::Region) })
}

/// Some time later the errors of eu-west-1 are seen.
fn breach(world: &mut World) {
    world.skip(1_500);
    windows(world, EU, 0.15);
    world.pass(1);
}

fn clock(world: &World) -> Option<Incident> {
    world.engine.services[0].view.rollback_clock().copied()
}

/// The same clusters, seen by a console that was opened just now.
fn opened_afresh(world: World) -> World {
    let mut fresh = World::with((*world.fleet).clone());
    fresh.objects = world.objects;
    fresh.now = world.now;
    fresh.show_everything();
    fresh.pass(1);
    windows(&mut fresh, EU, 0.15);
    fresh.pass(1);
    fresh
}

fn back_at(world: &World) -> Option<SignedDuration> {
    clock(world).map(|c| c.elapsed(world.now.wall))
}

#[test]
fn none_runs_while_nothing_is_wrong() {
    let mut world = watched();
    assert_eq!(clock(&world), None);
    world.go(Verb::Hold, ring_of(2));
    world.pass(2);
    assert_eq!(clock(&world), None, "a hold where no gate says no is a pause, and nothing is on its way back");
}

#[test]
fn it_starts_with_the_first_no_go_and_runs_until_the_rollback_settled() {
    let mut world = watched();
    breach(&mut world);
    let begun = clock(&world).unwrap();
    assert_eq!((begun.region, begun.since, begun.limit), (EU, world.now.wall, Duration::from_secs(240)));
    world.pass(192);
    assert_eq!(clock(&world).unwrap().since, begun.since, "the first one counts");
    assert!(!clock(&world).unwrap().overdue(world.now.wall));
    // The way back is written, and its pods are not there yet.
    world.controller = false;
    world.go(roll_back(), ring_of(2));
    world.pass(49);
    assert_eq!(world.image(EU), V1);
    let late = clock(&world).unwrap();
    assert_eq!(late.since, begun.since, "an accepted rollback is not a settled one");
    assert!(late.overdue(world.now.wall), "{late:?}");
    world.finish(EU);
    world.pass(1);
    assert_eq!(clock(&world), None);
}

#[test]
fn it_ends_when_the_verdict_is_known_and_no_longer_no_go() {
    let mut world = watched();
    breach(&mut world);
    let since = clock(&world).unwrap().since;
    // Nobody can tell any more: that is no recovery.
    let last = gonogo::domain::stamp::window_floor(world.now.wall);
    let lost = |n: i64| {
        let end = last.checked_sub(SignedDuration::from_mins(5 * n)).unwrap();
        (end, Err(gonogo::domain::metric::NoData::Timeout))
    };
    let readings = vec![(EU, (0..24).map(lost).collect())];
    world.see(gonogo::domain::observation::Observation::Windows { service: WEBAPP, column: "errors".into(), readings });
    world.pass(2);
    assert_eq!(clock(&world).map(|c| c.since), Some(since));
    windows(&mut world, EU, 0.001);
    world.pass(2);
    assert_eq!(clock(&world), None);
}

#[test]
fn a_rollback_that_nobody_was_told_to_make_starts_it_too() {
    let mut world = watched();
    world.controller = false;
    let from = world.now.wall;
    world.go(roll_back(), ring_of(2));
    world.pass(30);
    assert_eq!(clock(&world).map(|c| (c.region, c.since)), Some((EU, from)));
    // Another console has it from the record.
    let facts = world.facts(EU);
    let written = facts.iter().find(|f| matches!(f.body, Body::RolledBack(_))).unwrap().at;
    let mut fresh = opened_afresh(world);
    assert_eq!(clock(&fresh).map(|c| (c.region, c.since)), Some((EU, written)));
    fresh.finish(EU);
    fresh.pass(1);
    assert_eq!(clock(&fresh), None);
}

#[test]
fn an_approved_rollback_counts_before_its_cluster_can_be_reached() {
    let mut world = watched();
    let plan = world.review(roll_back(), ring_of(2)).unwrap();
    let approved = gonogo::domain::challenge::challenge(&plan).answer(plan, "y", None, "bo".into()).unwrap();
    world.cut(gonogo::domain::id::ClusterIx(3));
    let from = world.now.wall;
    world.carry_out(approved);
    world.pass(20);
    assert_eq!(world.image(EU), V2, "nothing could be sent");
    assert_eq!(clock(&world).map(|c| (c.region, c.since)), Some((EU, from)));
}

#[test]
fn a_console_that_is_opened_later_counts_from_what_is_on_record() {
    let mut world = watched();
    breach(&mut world);
    let at = world.now.wall;
    world.go(Verb::Hold, ring_of(2));
    world.pass(100);
    let fresh = opened_afresh(world);
    let since = clock(&fresh).unwrap().since;
    assert!(since <= at, "{since} is not after the hold of {at}");
    let given = fresh.facts(EU).iter().find(|f| matches!(f.body, Body::Promoted(_))).unwrap().at;
    assert!(since >= given, "{since}: not before eu-west-1 was given it at {given}");
    assert!(back_at(&fresh).unwrap() >= SignedDuration::from_secs(100));
}

#[test]
fn of_several_regions_the_one_whose_limit_comes_first_is_shown() {
    let mut world = watched();
    let mut fleet = (*world.fleet).clone();
    fleet.services[0].policy.rings[1].rollback_limit = Duration::from_secs(60);
    let mut fresh = World::with(fleet);
    fresh.objects = std::mem::take(&mut world.objects);
    fresh.now = world.now;
    fresh.show_everything();
    fresh.controller = false;
    for (at, ring) in [(EU, "ring-2"), (AP, "ring-1")] {
        let facts = fresh.facts(EU);
        let promoted = facts.iter().find_map(|f| if let Body::Promoted(m) = &f.body { Some(m.clone()) } else { None });
        let moved: Move = promoted.unwrap();
        let way_back = Move {
            ring: ring.into(),
            from_version: moved.to_version.clone(),
            to_version: moved.from_version.clone(),
            from_template: moved.to_template,
            to_template: moved.from_template,
            ..moved
        };
        fresh.pass(5);
        fresh.write_fact(at, Body::RolledBack(way_back));
    }
    fresh.pass(1);
    assert_eq!(
        clock(&fresh).map(|c| (c.region, c.limit)),
        Some((AP, Duration::from_secs(60))),
        "begun later, due first"
    );
    assert_eq!(fresh.engine.services[0].view.incidents.len(), 2);
}

#[test]
fn a_guard_that_rolls_back_stops_it() {
    let mut world = promoted(policy(OnNogo::RollBack, Reach::Region));
    world.engine.arm(arming(Mode::Guard));
    breach(&mut world);
    world.pass(5);
    assert_eq!(world.image(EU), V1, "{:?}", world.log);
    assert_eq!(clock(&world), None);
    assert_eq!(world.end(world.engine.operations.last().unwrap().plan.id).0, "settled");
}

#[test]
fn scripts_read_the_same_clock() {
    let said = |world: &World| gonogo::run::output::status::json(&world.engine, None)["services"][0].clone();
    let mut world = watched();
    assert!(said(&world)["rollback_clock"].is_null());
    breach(&mut world);
    let since = world.now.wall.to_string();
    world.pass(192);
    let clock = &said(&world)["rollback_clock"];
    assert_eq!(clock["region"], "eu-west-1");
    assert_eq!(clock["since"], since);
    assert_eq!((&clock["elapsed_seconds"], &clock["limit_seconds"]), (&192.into(), &240.into()));
    assert_eq!(clock["overdue"], false);
    assert_eq!(clock["regions"].as_array().map(Vec::len), Some(1));
    world.pass(49);
    assert_eq!(said(&world)["rollback_clock"]["overdue"], true);
}
