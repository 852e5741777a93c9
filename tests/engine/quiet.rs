//! Nothing changed: nothing to do. And what time alone changes still turns in time.

use std::time::Duration;

use gonogo::domain::id::ServiceName;
use gonogo::engine::effect::Msg;
use gonogo::engine::view::Heard;
use serde_json::json;

use crate::fixture::*;

#[test]
fn an_update_of_what_is_not_read_is_no_change() {
    let mut world = World::new();
    world.engine.show(WEBAPP);
    world.pass(2);
    let before = world.engine.revision();
    for at in ALL {
        world.workload(at)["status"]["terminatingReplicas"] = json!(1);
        world.show_workload(at);
    }
    world.show(world.route_ref());
    assert_eq!(world.engine.revision(), before);
    world.workload(EU)["status"]["readyReplicas"] = json!(1);
    world.show_workload(EU);
    assert!(world.engine.revision().shown > before.shown);
}

#[test]
fn a_cluster_that_falls_silent_turns_every_view_within_a_second() {
    let mut fleet = fleet();
    for n in 0..60 {
        let mut more = fleet.services[0].clone();
        more.name = ServiceName::new(format!("service-{n}"));
        fleet.services.push(more);
    }
    let mut world = World::with(fleet);
    world.pass(1);
    let all = |world: &World, is: fn(&Heard) -> bool| {
        world.engine.services.iter().all(|s| s.view.regions.iter().all(|r| is(&r.heard)))
    };
    world.skip(2);
    assert!(all(&world, |h| matches!(h, Heard::Live)));
    world.now.mono += Duration::from_secs(50);
    world.tell(Msg::Tick);
    assert!(all(&world, |h| matches!(h, Heard::Late(_))));
}
