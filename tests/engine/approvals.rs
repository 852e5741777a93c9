//! Whoever approves: a raising plan goes out only as it was shown, fully checked, on grounds that still hold.

use gonogo::domain::challenge::{Approved, Asked};
use gonogo::domain::finding::{Finding, Severity};
use gonogo::domain::id::ClusterIx;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::plan::Plan;
use gonogo::domain::record::{Body, Scope};
use gonogo::domain::stamp::SignedDuration;
use gonogo::engine::operation::ProposalState;

use crate::fixture::*;

/// An answer to a plan, as any of the makers of approvals gives it.
fn answered(plan: &Plan) -> Approved {
    let challenge = gonogo::domain::challenge::challenge(plan);
    let typed = match &challenge.answer {
        Asked::Key => "y".to_owned(),
        Asked::Typed(text) => text.to_string(),
    };
    challenge.answer(plan.clone(), &typed, Some("because".into()), "ana".into()).unwrap()
}

fn under_review(world: &World) -> (Plan, usize) {
    match &world.engine.proposal.as_ref().unwrap().state {
        ProposalState::Ready { plan, checking, .. } => ((**plan).clone(), *checking),
        other => panic!("{other:?}"),
    }
}

/// The only operation: it was refused, nothing was journaled and nothing sent.
fn refused_with(world: &World, why: &str) {
    let operation = world.engine.operations.last().expect("it is shown");
    let (_, outcome, text) = operation.ended.as_ref().expect("it is over");
    assert_eq!(outcome.word(), "refused");
    assert!(text.contains(why), "{text}");
    assert!(!world.log.iter().any(|l| l.starts_with("journal")), "{:?}", world.log);
    assert!(world.requests().is_empty(), "{:?}", world.log);
}

#[test]
fn a_raising_plan_is_not_carried_out_before_its_rehearsals_are_answered() {
    let mut world = World::new();
    world.dry_run.push_back(Fault::Hang);
    world.propose(promote(), ring(2));
    let (plan, checking) = under_review(&world);
    assert_eq!(checking, 1);
    world.carry_out(answered(&plan));
    refused_with(&world, "1 dry-runs were not answered yet");

    // Given up after 3 s, that is a finding somebody must see: the plan from before is another one.
    let mut world = World::new();
    world.dry_run.push_back(Fault::Hang);
    world.propose(promote(), ring(2));
    let (before, _) = under_review(&world);
    world.pass(4);
    let (after, checking) = under_review(&world);
    assert_eq!((checking, codes(&after).contains(&"not-rehearsed")), (0, true));
    world.carry_out(answered(&before));
    refused_with(&world, "not the plan that was shown");
    let mut world = World::new();
    world.dry_run.push_back(Fault::Hang);
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled");
}

#[test]
fn a_raising_plan_that_nobody_reviews_any_more_is_not_carried_out() {
    let mut world = World::new();
    let plan = world.review(promote(), ring(2)).unwrap();
    world.engine.dismiss();
    world.carry_out(answered(&plan));
    refused_with(&world, "not the plan under review");

    let mut world = World::new();
    let plan = world.review(promote(), ring(2)).unwrap();
    world.review(Verb::Hold, Target::Service).unwrap();
    world.carry_out(answered(&plan));
    refused_with(&world, "not the plan under review");
}

#[test]
fn what_is_approved_is_what_was_shown_to_the_letter() {
    let changes: [fn(&mut Plan); 4] = [
        |p| p.findings.push(Finding::new(Severity::Note, "x", "y", "z")),
        |p| p.steps[0].diff.clear(),
        |p| p.steps[0].expect.clear(),
        |p| {
            let gonogo::domain::change::Change::Patch { body, .. } = &mut p.steps[0].writes[0].change else { panic!() };
            let last = body.as_array().unwrap().len() - 1;
            body[last]["value"] = "another".into();
        },
    ];
    for change in changes {
        let mut world = World::new();
        let mut plan = world.review(promote(), ring(2)).unwrap();
        change(&mut plan);
        world.carry_out(answered(&plan));
        refused_with(&world, "not the plan that was shown");
    }
}

#[test]
fn what_comes_while_a_raising_prompt_is_open_stops_it() {
    type Happens = fn(&mut World);
    let cases: [(Happens, &str); 5] = [
        (
            |w| {
                w.write_fact(US, Body::Hold { scope: Scope::Service, reason: "checkout fails".into() });
            },
            "changed since you looked: ring-2 is held by bo@elsewhere (service): checkout fails",
        ),
        (|w| w.cut(ClusterIx(2)), "changed since you looked: ap-south-1"),
        (
            |w| {
                w.workload(AP)["spec"]["template"]["spec"]["containers"][1]["args"] = serde_json::json!(["--slow"]);
                w.in_flight(AP);
            },
            "changed since you looked",
        ),
        (
            |w| {
                w.write_fact(EU, Body::Note { text: "seen".into() });
                w.record_is_gone(EU);
            },
            "changed since you looked: eu-west-1: the shared record has disappeared",
        ),
        (
            |w| {
                let server = w.now.wall.checked_add(SignedDuration::from_mins(5)).unwrap();
                (0..6).for_each(|c| {
                    w.see(gonogo::domain::observation::Observation::Heard {
                        cluster: ClusterIx(c),
                        server_time: Some(server),
                    });
                });
            },
            "changed since you looked: this host's clock",
        ),
    ];
    for (happens, why) in cases {
        let mut world = World::new();
        let plan = world.review(promote(), ring(2)).unwrap();
        happens(&mut world);
        world.carry_out(answered(&plan));
        refused_with(&world, why);
    }
}

#[test]
fn scaling_status_and_time_do_not_make_a_plan_another_one() {
    let mut world = World::new();
    world.review(promote(), ring(2)).unwrap();
    for replicas in 5..40 {
        let object = world.workload(EU);
        object["spec"]["replicas"] = replicas.into();
        object["metadata"]["generation"] = replicas.into();
        object["status"]["observedGeneration"] = replicas.into();
        world.show_workload(EU);
        world.pass(1);
    }
    let id = world.approve();
    assert!(world.requests().contains(&"eu-west-1 Main PATCH Deployment"), "{:?}", world.end(id));
}

#[test]
fn lowering_waits_for_nobody() {
    let mut world = World::new();
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    world.engine.dismiss();
    world.cut(ClusterIx(2));
    let approved = Approved::standing(plan, "ana".into()).unwrap();
    world.carry_out(approved);
    assert!(world.requests().len() >= 5, "{:?}", world.log);
    // A rollback whose rehearsal hangs goes out at once.
    let mut world = World::new();
    world.go(promote(), ring(2));
    world.dry_run.push_back(Fault::Hang);
    world.propose(roll_back(), ring(2));
    let (plan, checking) = under_review(&world);
    assert_eq!(checking, 1);
    world.carry_out(answered(&plan));
    assert_eq!(world.image(EU), V1);
}
