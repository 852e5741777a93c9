//! A read overtakes the watch: what the watch brings afterwards from before says nothing.

use gonogo::domain::id::ClusterIx;
use gonogo::domain::observation::{Observation, ResourceVersion, WatchKind};
use gonogo::domain::record::{Body, Scope};

use crate::fixture::*;

fn hold() -> Body {
    Body::Hold { scope: Scope::Service, reason: "pager".into() }
}

/// The record of a region as it is now, at a version.
fn at_version(world: &mut World, version: &str) -> serde_json::Value {
    let object = world.record_ref(EU);
    let record = world.objects.get_mut(&object).unwrap();
    record["metadata"]["resourceVersion"] = version.into();
    record.clone()
}

fn lost(world: &World) -> bool {
    world.engine.services[0].regions[EU.at()].record_lost
}

/// EU's record at version 5 with a note; then somebody holds the service, which makes it version 6.
/// The watch has not brought that yet.
fn behind() -> (World, serde_json::Value) {
    let mut world = World::new();
    world.write_fact(EU, Body::Note { text: "seen".into() });
    let before = at_version(&mut world, "5");
    world.show(world.record_ref(EU));
    world.pass(1);
    world.watch_is_behind = true;
    world.write_fact(EU, hold());
    at_version(&mut world, "6");
    world.watch_is_behind = false;
    assert!(world.engine.services[0].record.holds().is_empty(), "not seen yet");
    (world, before)
}

#[test]
fn the_watch_catching_up_with_a_read_is_not_a_record_that_lost_a_fact() {
    let (mut world, before) = behind();
    // A review reads the record again: the hold is seen.
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "held");
    // Only now the watch brings what was there before.
    let object = world.record_ref(EU);
    let now = world.objects.insert(object.clone(), before).unwrap();
    world.show(object.clone());
    assert!(!lost(&world), "nothing was lost: the view is older than what was read");
    assert_eq!(world.engine.services[0].record.holds().len(), 1);
    world.objects.insert(object.clone(), now);
    world.show(object);
    assert!(!lost(&world));
    // The watch has caught up: nobody asks again.
    let read = world.gets;
    world.pass(30);
    assert_eq!(world.gets, read);
}

#[test]
fn a_list_from_before_does_not_make_a_new_record_disappear() {
    let mut world = World::new();
    world.watch_is_behind = true;
    world.write_fact(EU, hold());
    at_version(&mut world, "6");
    world.watch_is_behind = false;
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "held");
    // A list that was made when the collection stood at 5 comes in late.
    world.see(Observation::Synced {
        cluster: ClusterIx(3),
        watch: WatchKind::Records,
        namespace: None,
        present: Vec::new(),
        version: ResourceVersion::parse("5"),
        gap: false,
    });
    assert!(!lost(&world));
    // One that was made after it counts.
    world.see(Observation::Synced {
        cluster: ClusterIx(3),
        watch: WatchKind::Records,
        namespace: None,
        present: Vec::new(),
        version: ResourceVersion::parse("7"),
        gap: true,
    });
    assert!(lost(&world));
}

#[test]
fn a_server_that_counts_from_earlier_again_is_asked_and_believed() {
    let mut world = World::new();
    world.write_fact(EU, hold());
    at_version(&mut world, "900");
    world.show(world.record_ref(EU));
    // Restored from a backup: the record is older, and really has no such fact.
    let object = world.record_ref(EU);
    world.objects.get_mut(&object).unwrap()["data"] = serde_json::json!({});
    at_version(&mut world, "40");
    world.show(object);
    assert!(!lost(&world), "one view with a lower number may just be late");
    world.pass(10);
    assert!(lost(&world), "a read that was sent afterwards tells");
}

#[test]
fn the_view_from_before_a_write_that_was_read_back_changes_nothing() {
    let mut world = World::new();
    let before = {
        let object = world.workload(EU);
        object["metadata"]["resourceVersion"] = "10".into();
        object.clone()
    };
    world.show_workload(EU);
    world.workload(EU)["metadata"]["resourceVersion"] = "12".into();
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["image"] = "registry.example/webapp:other".into();
    // Read for a review that rests on it.
    let _ = world.review(promote(), ring(3));
    let seen = |w: &World| w.engine.services[0].regions[EU.at()].workload.as_ref().unwrap().version.to_string();
    assert_eq!(seen(&world), "other");
    let now = world.objects.insert(world.workload_ref(EU), before).unwrap();
    world.show_workload(EU);
    assert_eq!(seen(&world), "other");
    world.objects.insert(world.workload_ref(EU), now);
    world.show_workload(EU);
    assert_eq!(seen(&world), "other");
}

#[test]
fn without_comparable_versions_the_last_view_counts() {
    let mut world = World::new();
    world.write_fact(EU, hold());
    at_version(&mut world, "opaque-b");
    world.show(world.record_ref(EU));
    let object = world.record_ref(EU);
    world.objects.get_mut(&object).unwrap()["data"] = serde_json::json!({});
    at_version(&mut world, "opaque-a");
    world.show(object);
    assert!(lost(&world));
}
