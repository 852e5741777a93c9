//! Pipelines of other systems: each verb is what the configuration says, sent once; a report says what came of it.

use gonogo::domain::change::Change;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::link::{Link, LostReason};
use gonogo::domain::observation::Observation;
use gonogo::domain::outside::Outside;
use gonogo::domain::workload::Phase;
use gonogo::engine::effect::ActResult;
use serde_json::json;

use crate::fixture::pipeline_world::{behind, complete, pipeline};
use crate::fixture::*;

fn world() -> World {
    World::with(behind(fleet(), pipeline()))
}

/// What went past the clusters, as a person would read it.
fn told(world: &World) -> Vec<String> {
    let told = world.sent.iter().filter(|c| matches!(c, Change::Outside(_)));
    told.map(|c| {
        format!(
            "{} {} {}",
            c.method(),
            c.path(),
            if matches!(c, Change::Outside(Outside::Call(_))) {
                String::from_utf8(c.body()).unwrap()
            } else {
                String::new()
            }
        )
        .trim_end()
        .to_owned()
    })
    .collect()
}

fn moving(version: &str) -> serde_json::Value {
    json!({"schema": 1, "version": version, "phase": "progressing", "desired": 4, "ready": 4, "current": 1, "message": "wave 1"})
}

#[test]
fn it_is_promoted_by_its_command_shown_before_and_settles_when_a_report_says_so() {
    let mut world = world();
    let plan = world.review(promote(), ring(2)).unwrap();
    let shown: Vec<String> =
        plan.steps[0].diff.iter().map(|d| format!("{}: {}", d.field, d.to.as_ref().unwrap())).collect();
    assert_eq!(
        shown,
        [
            r#"version: "v2.1.0""#,
            r#"command: "cd deploy eu-west-1 --from=v2.0.0 v2.1.0""#,
            r#"with the variables: "PATH, CD_TOKEN""#
        ]
    );
    assert!(!plan.steps[0].writes[0].is_rehearsed(), "nobody can rehearse a command");
    let id = world.approve();
    assert_eq!(told(&world), ["RUN cd deploy eu-west-1 --from=v2.0.0 v2.1.0"]);
    world.pass(5);
    assert_eq!(world.end(id).0, "open", "accepted is not done");
    world.pass(1);
    world.report(EU, &moving("v2.1.0"));
    assert!(world.end(id).1.contains("wave 1"), "{:?}", world.end(id));
    world.pass(1);
    world.report(EU, &complete("v2.1.0"));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(world.fact_kinds(EU).contains(&"promoted"));
    assert_eq!(told(&world).len(), 1, "once");
    // Nothing is written into any cluster but the record.
    assert!(world.sent.iter().filter_map(Change::object).all(|o| &*o.api.kind == "ConfigMap"), "{:?}", world.log);
}

#[test]
fn it_goes_back_to_what_the_record_says_ran_before() {
    let mut world = world();
    let id = world.go(promote(), ring(2));
    world.pass(1);
    world.report(EU, &complete("v2.1.0"));
    assert_eq!(world.end(id).0, "settled");
    world.sent.clear();
    let plan = world.review(roll_back(), ring(2)).unwrap();
    assert!(codes(&plan).contains(&"by-record"), "{:?}", plan.findings);
    let id = world.approve();
    assert_eq!(told(&world), [r#"POST cd/webapp/eu-west-1/rollback {"from":"v2.1.0","to":"v2.0.0"}"#]);
    world.pass(1);
    world.report(EU, &complete("v2.0.0"));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.review(roll_back(), ring(2)).unwrap_err().code, "nothing-to-do");
    // What was rolled back is not promoted again without a word.
    assert!(
        world.review(promote(), ring(2)).is_err()
            || codes(&world.review(promote(), ring(2)).unwrap()).contains(&"gate")
    );
}

#[test]
fn without_a_way_back_of_its_own_the_version_from_before_is_brought_like_any_other() {
    let mut world = World::with(behind(fleet(), gonogo::domain::pipeline::Pipeline { roll_back: None, ..pipeline() }));
    world.go(promote(), ring(2));
    world.pass(1);
    world.report(EU, &complete("v2.1.0"));
    world.sent.clear();
    world.go(roll_back(), ring(2));
    assert_eq!(told(&world), ["RUN cd deploy eu-west-1 --from=v2.1.0 v2.0.0"]);
}

#[test]
fn a_promotion_that_no_report_shows_yet_can_be_taken_back() {
    let mut world = world();
    world.go(promote(), ring(2));
    world.pass(2);
    let plan = world.review(roll_back(), ring(2)).unwrap();
    assert!(codes(&plan).contains(&"unseen"), "{:?}", plan.findings);
}

#[test]
fn a_hold_pauses_what_is_in_flight_and_a_resume_lets_exactly_that_go_on() {
    let mut world = world();
    world.report(EU, &moving("v2.1.0"));
    let id = world.go(Verb::Hold, Target::Service);
    assert_eq!(told(&world), ["RUN cd pause eu-west-1 v2.1.0"]);
    world.pass(1);
    let mut paused = moving("v2.1.0");
    paused["paused"] = true.into();
    world.report(EU, &paused);
    world.pass(1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    world.sent.clear();
    let id = world.go(resume(), Target::Service);
    assert_eq!(told(&world), ["RUN cd resume eu-west-1"]);
    world.pass(1);
    world.report(EU, &moving("v2.1.0"));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn a_hold_does_not_stop_what_goes_back_and_says_what_it_cannot_stop() {
    let mut world = world();
    world.go(promote(), ring(2));
    world.pass(1);
    world.report(EU, &complete("v2.1.0"));
    world.go(roll_back(), ring(2));
    world.pass(1);
    world.report(EU, &moving("v2.0.0"));
    world.sent.clear();
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    assert!(plan.after.contains("the rollback of eu-west-1 goes on"), "{}", plan.after);
    // Where a pipeline has no such verb, that is said before.
    let mut world = World::with(behind(fleet(), gonogo::domain::pipeline::Pipeline { hold: None, ..pipeline() }));
    world.report(EU, &moving("v2.1.0"));
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "goes-on").unwrap();
    assert!(finding.text.contains("eu-west-1: this Pipeline cannot be paused"), "{}", finding.text);
}

#[test]
fn nothing_is_promoted_over_a_rollout_that_is_under_way_or_paused() {
    let mut world = world();
    world.report(EU, &moving("v1.9.0"));
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "busy");
    let mut paused = complete("v2.0.0");
    paused["paused"] = true.into();
    world.report(EU, &paused);
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "paused");
    // One that failed may be ordered again.
    world.report(EU, &json!({"schema": 1, "version": "v2.1.0", "phase": "failed", "message": "quota"}));
    let plan = world.review(promote(), ring(2)).unwrap();
    assert_eq!(&*plan.steps[0].label, "v2.1.0 → v2.1.0");
}

#[test]
fn a_lost_reply_is_resolved_by_reports_and_never_by_sending_again() {
    for arrived in [true, false] {
        let mut world = world();
        world.faults.entry((EU, "Outside")).or_default().push_back(Fault::LostBefore);
        let id = world.go(promote(), ring(2));
        world.pass(3);
        assert_eq!(world.end(id).0, "open");
        if arrived {
            world.report(EU, &complete("v2.1.0"));
            assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
        } else {
            world.pass(700);
            assert_eq!(world.end(id).0, "unknown", "{:?}", world.end(id));
            assert!(world.end(id).1.contains("the reply was lost"), "{:?}", world.end(id));
        }
        assert_eq!(world.requests().iter().filter(|r| r.contains("Main RUN")).count(), 1, "{:?}", world.log);
    }
}

#[test]
fn a_lowering_command_whose_reply_was_lost_is_not_sent_again_either() {
    let mut world = world();
    world.report(EU, &moving("v2.1.0"));
    world.faults.entry((EU, "Outside")).or_default().push_back(Fault::LostBefore);
    world.go(Verb::Hold, Target::Service);
    world.pass(200);
    assert_eq!(world.requests().iter().filter(|r| r.contains("Main RUN")).count(), 1, "{:?}", world.log);
    // One that was never started is tried again: nothing can have happened.
    let mut world = self::world();
    world.report(EU, &moving("v2.1.0"));
    let not_sent = Fault::Answer(ActResult::NotSent("no such program: cd".into()));
    world.faults.entry((EU, "Outside")).or_default().push_back(not_sent);
    world.go(Verb::Hold, Target::Service);
    world.pass(5);
    assert_eq!(world.requests().iter().filter(|r| r.contains("Main RUN")).count(), 2, "{:?}", world.log);
}

#[test]
fn a_refusal_ends_the_step_with_its_words() {
    let mut world = world();
    let no = ActResult::Refused { code: 0, message: "pipeline deploys: promote ended with 3: frozen".into() };
    world.faults.entry((EU, "Outside")).or_default().push_back(Fault::Answer(no));
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "refused");
    assert_eq!(world.end(id).1, "refused: pipeline deploys: promote ended with 3: frozen");
}

#[test]
fn a_pipeline_that_does_not_answer_is_lost_like_a_cluster_and_closes_its_gates() {
    let mut world = world();
    let lost = |world: &mut World| {
        let reason = LostReason::Failing("its report cannot be read: expected value".into());
        let link = Link::Lost { reason, next_try: world.now.wall };
        world.see(Observation::Reported { place: (WEBAPP, AP), link });
    };
    let ap = world.workload_ref(AP);
    world.mute.insert(ap);
    lost(&mut world);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert!(refusal.text.contains("its report cannot be read"), "{refusal:?}");
    // What was last known stays.
    let known = world.engine.services[0].regions[AP.at()].workload.as_ref().unwrap();
    assert_eq!((&*known.version.0, known.phase), ("v2.1.0", Phase::Complete));
    world.mute.clear();
    world.report(AP, &complete("v2.1.0"));
    assert!(world.review(promote(), ring(2)).is_ok());
    // Silence is late, and late is not live.
    world.now.mono += std::time::Duration::from_secs(50);
    world.hear(AP.at().into());
    world.tell(gonogo::engine::effect::Msg::Tick);
    let view = &world.engine.services[0].view.regions[AP.at()];
    assert!(matches!(view.heard, gonogo::engine::view::Heard::Late(_)), "{:?}", view.heard);
}

#[test]
fn a_deployment_behind_a_pipeline_is_read_in_its_cluster_and_written_by_the_pipeline() {
    let mut world = World::with(behind(fleet(), gonogo::domain::pipeline::Pipeline { state: None, ..pipeline() }));
    let id = world.go(promote(), ring(2));
    assert_eq!(told(&world), ["RUN cd deploy eu-west-1 --from=v2.0.0 v2.1.0"]);
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["image"] = V2.into();
    world.show_workload(EU);
    world.pass(1);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}
