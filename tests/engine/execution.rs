//! Carrying out: journal first, in order, verified by what is seen, and never sent twice.

use gonogo::domain::id::ClusterIx;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::record::{Body, Scope};
use gonogo::engine::effect::{ActResult, Effect};
use gonogo::engine::operation::StepState;

use crate::fixture::*;

fn two_at_once() -> gonogo::domain::fleet::Fleet {
    let mut fleet = fleet();
    fleet.services[0].rings[0].parallelism = 2;
    fleet
}

#[test]
fn nothing_goes_out_before_the_journal_has_it() {
    for (verb, target) in [(promote(), ring(2)), (Verb::Hold, Target::Service), (Verb::Drain, region(EU))] {
        let mut world = World::new();
        world.in_flight(AP);
        world.finish(AP);
        world.objects.get_mut(&world.workload_ref(AP)).unwrap()["status"]["conditions"][0]["lastUpdateTime"] =
            LONG_AGO.into();
        let mut world = world.restarted();
        world.journal = Journal::Hangs;
        let id = world.go(verb, target);
        world.pass(30);
        assert!(world.requests().is_empty(), "{:?}", world.log);
        assert_eq!(world.end(id).0, "open");
        assert!(world.operation(id).steps.iter().all(|s| *s == StepState::Pending));
    }
}

#[test]
fn without_a_durable_journal_raising_is_refused_and_lowering_says_so_and_goes_on() {
    let mut world = World::new();
    world.journal = Journal::Broken;
    let id = world.go(promote(), ring(2));
    assert!(world.requests().is_empty());
    let (end, why) = world.end(id);
    assert_eq!(end, "refused");
    assert!(why.contains("no durable journal") && why.contains("no space left"), "{why}");

    let id = world.go(Verb::Hold, Target::Service);
    assert_eq!(world.end(id).0, "settled");
    assert_eq!(world.operation(id).unjournaled.as_deref(), Some("no space left on device"));
}

#[test]
fn raising_goes_region_by_region_in_the_given_order() {
    let mut world = World::new();
    world.controller = false;
    let id = world.go(promote_to("v2.2.0"), ring(0));
    assert_eq!(world.steps(id), [("stage-a".into(), "verifying"), ("stage-b".into(), "pending")]);
    world.pass(30);
    assert_eq!(world.steps(id)[1].1, "pending");
    world.finish(STAGE_A);
    assert_eq!(world.steps(id), [("stage-a".into(), "settled"), ("stage-b".into(), "verifying")]);
    world.finish(STAGE_B);
    assert_eq!(world.end(id).0, "settled");
}

#[test]
fn a_hold_that_comes_while_a_promotion_is_under_way_stops_what_has_not_started() {
    let held = |scope: Scope| {
        let mut world = World::new();
        world.controller = false;
        let id = world.go(promote_to("v2.2.0"), ring(0));
        // Somebody else, from another console: nothing that rolls out is paused.
        world.write_fact(STAGE_A, Body::Hold { scope, reason: "tls expires".into() });
        world.show(world.record_ref(STAGE_A));
        world.finish(STAGE_A);
        (world.end(id), world.steps(id).iter().map(|(_, s)| *s).collect::<Vec<_>>())
    };
    for scope in [Scope::Service, Scope::Ring("ring-0".into()), Scope::Region("stage-b".into())] {
        let ((end, why), steps) = held(scope.clone());
        assert_eq!((end, steps), ("cancelled", vec!["settled", "cancelled"]), "{scope}");
        assert!(why.starts_with(&format!("stopped: stage-b is held by bo@elsewhere ({scope}): tls expires")), "{why}");
    }
    // Another region's hold, and another ring's, are no reason.
    for scope in [Scope::Region("stage-a".into()), Scope::Ring("ring-2".into())] {
        assert_eq!(held(scope).1, ["settled", "verifying"]);
    }
}

#[test]
fn as_many_regions_at_once_as_the_ring_allows() {
    let mut world = World::with(two_at_once());
    world.controller = false;
    let id = world.go(promote_to("v2.2.0"), ring(0));
    assert!(world.steps(id).iter().all(|(_, s)| *s == "verifying"), "{:?}", world.steps(id));
}

#[test]
fn the_first_divergence_stops_the_rest() {
    for fault in [
        refused(422, "denied"),
        refused(403, "forbidden"),
        refused(500, "etcd"),
        refused(429, "slow down"),
        not_sent(),
        Fault::Answer(ActResult::Changed),
        Fault::Answer(ActResult::Absent("gone".into())),
    ] {
        let mut world = World::new();
        world.faults.insert((STAGE_A, "Deployment"), [fault.clone()].into());
        let id = world.go(promote_to("v2.2.0"), ring(0));
        assert_eq!(world.end(id).0, "refused", "{fault:?}");
        assert_eq!(world.steps(id), [("stage-a".into(), "refused"), ("stage-b".into(), "cancelled")]);
        assert_eq!(world.requests(), ["stage-a Main PATCH Deployment"], "raising is never sent again by itself");
        world.pass(60);
        assert_eq!(world.requests().len(), 1);
    }
}

#[test]
fn a_rollout_that_misses_its_deadline_diverges_with_the_clusters_words() {
    let mut world = World::new();
    world.controller = false;
    let id = world.go(promote_to("v2.2.0"), ring(0));
    let object = world.workload(STAGE_A);
    object["status"]["conditions"][0]["reason"] = "ProgressDeadlineExceeded".into();
    object["status"]["conditions"][0]["message"] = "ReplicaSet \"webapp-9\" has timed out progressing.".into();
    world.show_workload(STAGE_A);
    assert_eq!(world.steps(id), [("stage-a".into(), "diverged"), ("stage-b".into(), "cancelled")]);
    let (end, why) = world.end(id);
    assert_eq!(end, "diverged");
    assert!(why.contains("timed out progressing"), "{why}");
}

#[test]
fn a_controller_that_never_acts_ends_in_diverged_at_the_limit() {
    let mut world = World::new();
    world.controller = false;
    let id = world.go(promote_to("v2.2.0"), ring(0));
    world.in_flight(STAGE_A);
    world.pass(629);
    assert_eq!(world.end(id).0, "open", "600 s of progress deadline and 30 s of grace");
    world.pass(2);
    let (end, why) = world.end(id);
    assert_eq!(end, "diverged");
    assert!(why.contains("not seen within 10m30s") && why.contains("1 of 4 updated"), "{why}");
}

#[test]
fn accepted_is_not_done_only_the_watch_tells() {
    let mut world = World::new();
    world.watch = false;
    let id = world.go(promote(), ring(2));
    world.pass(30);
    assert_eq!(world.end(id).0, "open");
    assert_eq!(world.steps(id)[0].1, "verifying");
    world.finish(EU);
    assert_eq!(world.end(id).0, "settled");
}

#[test]
fn a_view_older_than_the_write_says_nothing() {
    let mut world = World::new();
    // Two promotions and a rollback: the template that is wanted was seen before.
    world.go(promote(), ring(2));
    world.watch = false;
    let before = world.workload(EU).clone();
    let id = world.go(roll_back(), ring(2));
    let after = world.workload(EU).clone();
    // A late event from before the write: it looks settled, on another template.
    world.objects.insert(world.workload_ref(EU), before);
    world.show_workload(EU);
    assert_eq!(world.end(id).0, "open", "{:?}", world.end(id));
    world.objects.insert(world.workload_ref(EU), after);
    world.finish(EU);
    assert_eq!(world.end(id).0, "settled");
}

#[test]
fn somebody_elses_template_after_the_write_is_a_divergence() {
    let mut world = World::new();
    world.controller = false;
    let id = world.go(promote(), ring(2));
    let object = world.workload(EU);
    object["metadata"]["generation"] = 9.into();
    object["spec"]["template"]["spec"]["containers"][1]["image"] = "registry.example/webapp:other".into();
    world.show_workload(EU);
    assert_eq!(world.end(id).0, "diverged", "{:?}", world.end(id));
}

#[test]
fn scaling_meanwhile_is_not_a_divergence() {
    let mut world = World::new();
    world.controller = false;
    let id = world.go(promote(), ring(2));
    let object = world.workload(EU);
    object["metadata"]["generation"] = 9.into();
    object["spec"]["replicas"] = 6.into();
    world.show_workload(EU);
    assert_eq!(world.end(id).0, "open");
    for field in ["replicas", "readyReplicas", "availableReplicas"] {
        world.workload(EU)["status"][field] = 6.into();
    }
    world.finish(EU);
    world.workload(EU)["status"]["updatedReplicas"] = 6.into();
    world.show_workload(EU);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn a_lost_reply_of_a_raising_plan_is_resolved_by_reading_and_never_by_sending_again() {
    // It happened.
    let mut world = World::new();
    world.watch = false;
    world.faults.insert((EU, "Deployment"), [Fault::LostAfter].into());
    let id = world.go(promote(), ring(2));
    world.controller = true;
    let object = world.workload(EU);
    object["status"]["observedGeneration"] = 5.into();
    object["status"]["updatedReplicas"] = 4.into();
    world.pass(10);
    assert_eq!(world.end(id).0, "settled", "a GET told: {:?}", world.end(id));

    // It did not.
    let mut world = World::new();
    world.faults.insert((EU, "Deployment"), [Fault::LostBefore].into());
    let id = world.go(promote(), ring(2));
    world.pass(700);
    let (end, why) = world.end(id);
    assert_eq!(end, "unknown");
    assert!(why.contains("the reply was lost"), "{why}");

    assert_eq!(world.requests().iter().filter(|r| r.contains("PATCH Deployment")).count(), 1);
}

#[test]
fn a_lost_reply_of_a_lowering_plan_is_read_first_and_sent_again_when_it_is_not_there() {
    let mut world = World::new();
    world.in_flight(AP);
    world.faults.insert((AP, "Deployment"), [Fault::LostBefore].into());
    world.faults.insert((US, "ConfigMap"), [Fault::LostBefore, Fault::LostAfter].into());
    let id = world.go(Verb::Hold, Target::Service);
    assert_eq!(world.end(id).0, "open");
    let lost = |s: &StepState| matches!(s, StepState::Verifying { lost: true, .. } | StepState::Retrying { .. });
    assert_eq!(world.operation(id).steps.iter().filter(|s| lost(s)).count(), 2, "{:?}", world.operation(id).steps);
    world.pass(30);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(world.paused(AP));
    assert_eq!(world.facts(US).iter().filter(|f| f.kind() == "hold").count(), 1);
}

#[test]
fn an_emergency_hold_that_nothing_answers_is_wanted_until_it_is_there_and_stops_promotions() {
    let mut world = World::new();
    for at in ALL {
        world.faults.insert((at, "ConfigMap"), [Fault::LostBefore].into());
    }
    let id = world.go(Verb::Hold, Target::Service);
    // Nothing can be read either.
    for cluster in 0..5 {
        world.cut(ClusterIx(cluster));
    }
    world.pass(120);
    assert_eq!(world.end(id).0, "open", "nobody accepted it: {:?}", world.end(id));
    for cluster in 0..5 {
        world.mend(ClusterIx(cluster));
    }
    let holds = world.engine.services[0].view.holds.clone();
    assert_eq!(holds.len(), 1, "wanted is shown");
    assert_eq!(holds[0].partly().as_deref(), Some("hold 0 of 5 wanted"));
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "held", "{refusal:?}");
    world.pass(30);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(world.engine.services[0].record.holds()[0].complete());
}

#[test]
fn a_wanted_hold_that_is_cancelled_is_not_wanted_any_more() {
    let mut world = World::new();
    for at in ALL {
        world.faults.insert((at, "ConfigMap"), [Fault::LostBefore].into());
    }
    for cluster in 0..5 {
        world.down.insert(ClusterIx(cluster));
    }
    let id = world.go(Verb::Hold, Target::Service);
    world.pass(5);
    world.cancel(id);
    assert_eq!(world.end(id).0, "unknown", "{:?}", world.end(id));
    world.pass(2);
    assert!(world.engine.services[0].view.holds.is_empty());
    let sent = world.requests().len();
    world.pass(60);
    assert_eq!(world.requests().len(), sent);
}

#[test]
fn a_roll_back_that_arrived_late_is_not_called_changed_by_somebody_else() {
    let mut world = World::new();
    world.go(promote(), ring(2));
    world.watch = false;
    world.faults.insert((EU, "Deployment"), [Fault::LostBefore].into());
    world.propose(roll_back(), ring(2));
    let id = world.approve();
    world.pass(1);
    // The first one arrives after the read that did not show it.
    let image = |w: &mut World| w.image(EU);
    for _ in 0..60 {
        world.pass(1);
        world.finish(EU);
    }
    assert_eq!(image(&mut world), V1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn what_was_not_sent_is_tried_again_when_lowering_with_growing_pauses() {
    let mut world = World::new();
    world.in_flight(AP);
    world.faults.insert(
        (AP, "Deployment"),
        std::iter::repeat_n(not_sent(), 4).chain([refused(503, "busy"), refused(429, "slow")]).collect(),
    );
    let id = world.go(Verb::Hold, Target::Service);
    let tries = |w: &World| w.requests().iter().filter(|r| **r == "ap-south-1 Main PATCH Deployment").count();
    let mut seen = vec![tries(&world)];
    for _ in 0..60 {
        world.pass(1);
        seen.push(tries(&world));
    }
    assert_eq!(tries(&world), 7);
    assert_eq!(world.end(id).0, "settled");
    let at: Vec<usize> = (1..=7).map(|n| seen.iter().position(|s| *s >= n).unwrap()).collect();
    assert_eq!(at, [0, 1, 3, 7, 15, 30, 45], "1, 2, 4, 8, then 15 s");
}

#[test]
fn bookkeeping_that_fails_is_shown_and_does_not_stop_the_step() {
    let mut world = World::new();
    world.faults.insert((EU, "ConfigMap"), [refused(403, "may not write configmaps")].into());
    world.faults.insert((EU, "Event"), [refused(403, "may not write events")].into());
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled");
    let StepState::Ended(_, why) = &world.operation(id).steps[0] else { panic!() };
    assert!(why.contains("the record was not written") && why.contains("may not write configmaps"), "{why}");
}

#[test]
fn a_fact_whose_answer_was_lost_is_sent_again_at_once_and_then_as_bookkeeping() {
    let posts = |w: &World| w.requests().iter().filter(|r| r.starts_with("eu-west-1 Record")).count();
    let mut world = World::new();
    world.faults.insert((EU, "ConfigMap"), [Fault::LostBefore].into());
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled");
    assert_eq!((posts(&world), world.fact_kinds(EU)), (2, vec!["promoted"]));
    let StepState::Ended(_, why) = &world.operation(id).steps[0] else { panic!() };
    assert!(!why.contains("record"), "nothing is missing: {why}");

    let mut world = World::keeping();
    world.pass(30);
    let before = world.fact_kinds(EU).len();
    world.faults.insert((EU, "ConfigMap"), [not_sent(), refused(503, "busy")].into());
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled");
    let StepState::Ended(_, why) = &world.operation(id).steps[0] else { panic!() };
    assert!(why.contains("the record was not written") && why.contains("it is written later"), "{why}");
    assert_eq!(world.fact_kinds(EU).len(), before);
    world.pass(60);
    assert!(world.fact_kinds(EU).contains(&"promoted"), "{:?}", world.fact_kinds(EU));
}

#[test]
fn cancelling_stops_what_has_not_started_and_leaves_what_was_written() {
    let mut world = World::new();
    world.controller = false;
    let id = world.go(promote_to("v2.2.0"), ring(0));
    let effects = world.engine.cancel(id);
    assert!(effects.iter().all(|e| matches!(e, Effect::Note(_))), "{effects:?}");
    assert_eq!(world.steps(id), [("stage-a".into(), "verifying"), ("stage-b".into(), "cancelled")]);
    world.finish(STAGE_A);
    assert_eq!(world.end(id).0, "cancelled");
    assert_eq!(world.steps(id)[0].1, "settled");
}

#[test]
fn cancelling_ends_the_tries_of_a_region_that_is_away() {
    let mut world = World::new();
    world.cut(ClusterIx(2));
    let id = world.go(Verb::Hold, Target::Service);
    world.engine.cancel(id);
    assert_eq!(world.end(id).0, "cancelled");
    let sent = world.requests().len();
    world.pass(60);
    assert_eq!(world.requests().len(), sent);
}

#[test]
fn an_answer_that_never_comes_ends_as_unknown() {
    let mut world = World::new();
    world.faults.insert((EU, "Deployment"), [Fault::Hang].into());
    let id = world.go(promote(), ring(2));
    world.pass(900);
    assert_eq!(world.end(id).0, "unknown", "{:?}", world.end(id));
}

#[test]
fn an_approved_plan_is_carried_out_once() {
    let mut world = World::new();
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    for _ in 0..2 {
        let approved = gonogo::domain::challenge::Approved::standing(plan.clone(), "ana".into()).unwrap();
        world.carry_out(approved);
    }
    assert_eq!(world.log.iter().filter(|l| l.starts_with("journal")).count(), 1);
    assert_eq!(world.engine.operations.len(), 1);
}

#[test]
fn what_nobody_waits_for_is_noted_as_such_once_all_of_it_was_sent() {
    let mut world = World::new();
    world.controller = false;
    world.propose(promote(), ring(2));
    let id = world.approve();
    assert_eq!(world.end(id).0, "open");
    let effects = world.engine.leave_unwatched(id);
    let [gonogo::engine::effect::Effect::Note(note)] = effects.as_slice() else { panic!("{effects:?}") };
    let gonogo::engine::effect::NoteKind::Closed { outcome, why } = &note.what else { panic!("{note:?}") };
    assert_eq!(&**outcome, "not-watched");
    assert!(why.contains("given up waiting") && why.contains("1 step"), "{why}");
    // What was not answered is not closed: the next start reads what became of it.
    let mut world = World::new();
    world.faults.insert((EU, "Deployment"), [Fault::Hang].into());
    world.propose(promote(), ring(2));
    let id = world.approve();
    assert!(world.engine.leave_unwatched(id).is_empty());
    // Nor what has come to its end.
    let mut world = World::new();
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled");
    assert!(world.engine.leave_unwatched(id).is_empty());
}
