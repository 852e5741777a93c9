//! Flag off: one command or request of the configuration, shown, journaled and sent once; its answer is all there is.

use gonogo::domain::change::Change;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::plan::Plan;
use gonogo::domain::record::Body;
use gonogo::engine::effect::ActResult;

use crate::fixture::pipeline_world::run;
use crate::fixture::*;

fn world(words: &str) -> World {
    let mut fleet = fleet();
    fleet.services[0].flag_off = run(words);
    World::with(fleet)
}

fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().filter_map(|s| s.main()).map(|w| w.change.path()).collect()
}

#[test]
fn a_flag_of_the_service_is_switched_off_once_wherever_the_cursor_stands() {
    let mut world = world("flags off checkout {{service}} {{version}}");
    let plan = world.review(Verb::FlagOff, ring(2)).unwrap();
    assert_eq!(lines(&plan), ["flags off checkout webapp v2.1.0"]);
    assert_eq!((&*plan.title, &*plan.name), ("flag off webapp", "webapp"));
    assert_eq!(plan.blast.regions.len(), ALL.len(), "all of them are hit");
    assert!(plan.findings.iter().any(|f| f.text.contains("watch the metrics")), "{:?}", plan.findings);
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.log.first().map(String::as_str), Some("journal flag off webapp"), "{:?}", world.log);
    let notes: Vec<_> = world.facts(STAGE_A).into_iter().filter(|f| matches!(f.body, Body::Note { .. })).collect();
    assert_eq!(notes.len(), 1, "others see who did it");
}

#[test]
fn one_that_names_the_region_is_switched_off_in_each_of_the_target() {
    let mut world = world("flags off checkout {{region}}");
    assert_eq!(lines(&world.review(Verb::FlagOff, ring(2)).unwrap()), ["flags off checkout eu-west-1"]);
    assert_eq!(world.review(Verb::FlagOff, Target::Service).unwrap().steps.len(), ALL.len());
}

#[test]
fn a_hold_and_a_cluster_that_is_away_do_not_stand_in_its_way() {
    let mut world = world("flags off checkout");
    world.go(Verb::Hold, Target::Service);
    for cluster in 1..5_usize {
        world.cut(cluster.into());
    }
    let id = world.go(Verb::FlagOff, ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn what_was_not_answered_is_never_called_done_and_never_sent_again() {
    let mut world = world("flags off checkout");
    world.faults.entry((STAGE_A, "Outside")).or_default().push_back(Fault::LostBefore);
    let id = world.go(Verb::FlagOff, ring(2));
    world.pass(70);
    assert_eq!(world.end(id).0, "unknown", "{:?}", world.end(id));
    assert_eq!(world.requests().iter().filter(|r| r.contains("Main RUN")).count(), 1, "{:?}", world.log);
    let mut world = self::world("flags off checkout");
    let no = ActResult::Refused { code: 0, message: "no such flag".into() };
    world.faults.entry((STAGE_A, "Outside")).or_default().push_back(Fault::Answer(no));
    let id = world.go(Verb::FlagOff, ring(2));
    assert_eq!(world.end(id).0, "refused");
    assert!(!world.sent.iter().any(|c| matches!(c, Change::Outside(_))));
    // What could not be sent is tried again: nothing can have happened.
    let mut world = self::world("flags off checkout");
    let away = Fault::Answer(ActResult::NotSent("no route to host".into()));
    world.faults.entry((STAGE_A, "Outside")).or_default().push_back(away);
    let id = world.go(Verb::FlagOff, ring(2));
    world.pass(3);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn without_anything_configured_it_is_refused_with_what_to_add() {
    let refusal = World::new().review(Verb::FlagOff, ring(2)).unwrap_err();
    assert_eq!((refusal.code, &*refusal.hint), ("flag-off", "add `[service.webapp.flag_off]` with `run` or `path`"));
}
