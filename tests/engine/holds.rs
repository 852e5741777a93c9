//! Hold and resume: at once, everywhere, and back exactly.

use gonogo::domain::challenge::{Approved, challenge};
use gonogo::domain::finding::Severity;
use gonogo::domain::id::{ClusterIx, RegionIx};
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::plan::WriteRole;
use gonogo::domain::record::{Body, Scope};
use gonogo::domain::verdict::Verdict;
use gonogo::engine::operation::ProposalState;
use serde_json::json;

use crate::fixture::*;

#[test]
fn a_hold_is_ready_at_once_from_what_is_known() {
    let mut world = World::new();
    for cluster in 0..5 {
        world.down.insert(ClusterIx(cluster));
    }
    world.propose(Verb::Hold, Target::Service);
    let state = &world.engine.proposal.as_ref().unwrap().state;
    assert!(matches!(state, ProposalState::Ready { .. }), "nothing is read before: {state:?}");
}

#[test]
fn a_hold_pauses_only_what_is_in_flight() {
    let mut world = World::new();
    world.in_flight(AP);
    let id = world.go(Verb::Hold, Target::Service);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    for at in ALL {
        assert_eq!(world.paused(at), at == AP);
        let hold = world.facts(at).into_iter().find(|f| f.kind() == "hold").unwrap();
        assert!(matches!(&hold.body, Body::Hold { scope: Scope::Service, reason } if &**reason == "because"));
    }
    assert_eq!(world.fact_kinds(AP), ["hold", "paused"]);
    assert_eq!(world.engine.services[0].record.holds().len(), 1, "one hold, the same everywhere");
    assert!(world.engine.services[0].record.holds()[0].complete());
}

#[test]
fn what_is_in_flight_is_paused_first() {
    let mut world = World::new();
    world.in_flight(US);
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    assert_eq!(plan.steps[0].region, US);
    let main: Vec<_> = plan.steps[0].writes.iter().filter(|w| w.role == WriteRole::Main).collect();
    assert_eq!(main.len(), 1);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&main[0].change.body()).unwrap(),
        json!([
            {"op": "test", "path": "/metadata/uid", "value": "uid-4"},
            {"op": "test", "path": "/metadata/annotations/deployment.kubernetes.io~1revision", "value": "7"},
            {"op": "replace", "path": "/spec/paused", "value": true},
        ])
    );
}

#[test]
fn freeze_pauses_finished_rollouts_too() {
    let mut fleet = fleet();
    fleet.services[0].freeze = true;
    let mut world = World::with(fleet);
    world.go(Verb::Hold, ring(1));
    for at in ALL {
        assert_eq!(world.paused(at), at == AP, "only what the hold covers");
    }
}

#[test]
fn a_region_that_is_away_delays_no_other_and_gets_its_hold_when_it_is_back() {
    let mut world = World::new();
    world.in_flight(AP);
    world.in_flight(EU);
    world.cut(ClusterIx(2));
    let id = world.go(Verb::Hold, Target::Service);
    assert!(world.paused(EU) && !world.paused(AP));
    assert_eq!(world.end(id).0, "open");
    let open: Vec<_> = world.steps(id).into_iter().filter(|(_, s)| *s != "settled").map(|(r, _)| r).collect();
    assert_eq!(open, ["ap-south-1", "ap-south-1"], "its pause and its fact");
    world.pass(60);
    assert_eq!(world.end(id).0, "open");
    world.mend(ClusterIx(2));
    world.pass(20);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(world.paused(AP));
}

#[test]
fn what_cannot_be_sent_is_given_up_after_fifteen_minutes() {
    let mut world = World::new();
    world.cut(ClusterIx(2));
    let id = world.go(Verb::Hold, Target::Service);
    world.pass(14 * 60);
    assert_eq!(world.end(id).0, "open");
    let tries = world.requests().iter().filter(|r| r.starts_with("ap-south-1 Main")).count();
    assert!((55..80).contains(&tries), "every 15 s in the end: {tries}");
    world.pass(3 * 60);
    assert_eq!(world.end(id).0, "refused", "{:?}", world.end(id));
    assert!(world.end(id).1.contains("15 minutes"));
}

#[test]
fn a_hold_that_was_released_meanwhile_is_not_put_back() {
    let mut world = World::new();
    world.in_flight(AP);
    world.cut(ClusterIx(2));
    let id = world.go(Verb::Hold, Target::Service);
    let hold = world.engine.services[0].record.holds()[0].id.unwrap();
    world.write_fact(US, Body::Release { hold, reason: "over".into() });
    world.mend(ClusterIx(2));
    world.pass(30);
    assert!(!world.paused(AP));
    assert_eq!(world.end(id).0, "cancelled", "{:?}", world.end(id));
    assert!(world.facts(AP).is_empty());
}

#[test]
fn a_pause_that_is_refused_still_leaves_the_hold_in_that_region() {
    let mut world = World::new();
    world.in_flight(AP);
    world.faults.insert((AP, "Deployment"), [refused(403, "may not patch deployments")].into());
    let id = world.go(Verb::Hold, region(AP));
    assert_eq!(world.end(id).0, "refused");
    assert_eq!(world.engine.services[0].record.holds().len(), 1, "it holds all the same: {:?}", world.facts(AP));
    assert!(!world.fact_kinds(AP).contains(&"paused"), "nothing was paused by us there");
    assert_eq!(world.fact_kinds(AP), ["hold"]);
}

#[test]
fn two_who_hold_at_once_both_hold_and_one_pause_is_ours_to_take_back() {
    let mut world = World::new();
    world.in_flight(AP);
    world.go(Verb::Hold, Target::Service);
    world.go(Verb::Hold, Target::Service);
    assert_eq!(world.engine.services[0].record.holds().len(), 2);
    assert_eq!(world.fact_kinds(AP).iter().filter(|k| **k == "paused").count(), 1);
    let plan = world.review(resume(), Target::Service).unwrap();
    assert!(plan.after.contains("1 hold remains: service by ana"), "{}", plan.after);
    let id = world.go(resume(), Target::Service);
    assert!(world.paused(AP), "the other hold still covers it");
    let operation = world.engine.operations.iter().find(|o| o.plan.id == id).unwrap();
    let remains = operation.remains.as_deref().expect("whoever resumed is told that it is still held");
    assert!(remains.starts_with("STILL HELD: service by ana"), "{remains}");
    assert!(remains.contains("ap-south-1 still paused"), "{remains}");
    assert_eq!(world.end(id).0, "settled", "what was asked for is done");
    assert_eq!(world.engine.services[0].record.holds().len(), 1);
    let id = world.go(resume(), Target::Service);
    assert!(!world.paused(AP), "now none does");
    assert_eq!(world.engine.operations.iter().find(|o| o.plan.id == id).unwrap().remains, None);
    assert!(world.engine.services[0].record.holds().is_empty());
}

#[test]
fn a_resume_takes_back_only_what_a_hold_of_ours_paused() {
    let mut world = World::new();
    world.in_flight(AP);
    world.workload(EU)["spec"]["paused"] = true.into();
    world.in_flight(EU);
    world.go(Verb::Hold, Target::Service);
    assert!(world.paused(AP) && world.paused(EU));
    let id = world.go(resume(), Target::Service);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(!world.paused(AP));
    assert!(world.paused(EU), "somebody else paused it");
    assert_eq!(world.fact_kinds(AP), ["hold", "paused", "release", "unpaused"]);
}

#[test]
fn resuming_a_ring_releases_the_hold_of_the_service_that_covers_it() {
    let mut world = World::new();
    world.in_flight(AP);
    world.in_flight(EU);
    world.go(Verb::Hold, Target::Service);
    let id = world.go(resume(), ring(1));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(!world.paused(AP) && !world.paused(EU), "no hold covers either any more");
}

#[test]
fn a_template_changed_under_the_hold_makes_the_resume_an_override_that_names_the_manager() {
    let mut world = World::new();
    world.in_flight(AP);
    world.go(Verb::Hold, Target::Service);
    let object = world.workload(AP);
    object["spec"]["template"]["spec"]["containers"][1]["image"] = "registry.example/webapp:evil".into();
    object["metadata"]["managedFields"] = json!([
        {"manager": "gonogo", "time": "2026-03-01T10:00:00Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
        {"manager": "kubectl-edit", "time": "2026-03-02T09:00:00Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
    ]);
    world.show_workload(AP);
    // Who it was is asked when it happens, and said loudly before anybody resumes anything.
    let asked = world.gets;
    world.pass(3);
    let alarms = world.engine.services[0].view.alarms.join("; ");
    assert!(alarms.contains("ap-south-1: changed under the hold by ana@console: evil runs"), "{alarms}");
    assert!(alarms.contains("written by kubectl-edit at 02 Mar 09:00:00 UTC"), "{alarms}");
    world.pass(60);
    assert_eq!(world.gets, asked + 1, "asked once");
    let plan = world.review(resume(), Target::Service).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "changed-under-hold").expect("a finding");
    assert_eq!(finding.severity, Severity::Override);
    assert!(finding.text.contains("kubectl-edit"), "{}", finding.text);
    assert!(challenge(&plan).reason_required);
}

#[test]
fn a_pause_left_over_after_a_partition_is_resumed_only_by_hand() {
    let mut world = World::new();
    world.in_flight(AP);
    world.go(Verb::Hold, Target::Service);
    let hold = world.engine.services[0].record.holds()[0].id.unwrap();
    world.write_fact(US, Body::Release { hold, reason: "released elsewhere".into() });
    world.pass(30);
    assert!(world.paused(AP), "nothing resumes by itself");
    let id = world.go(resume(), region(AP));
    assert_eq!(world.end(id).0, "settled");
    assert!(!world.paused(AP));
}

#[test]
fn a_region_that_is_away_does_not_keep_the_others_paused() {
    let mut world = World::new();
    world.in_flight(AP);
    world.in_flight(EU);
    world.go(Verb::Hold, Target::Service);
    world.cut(ClusterIx(3));
    let plan = world.review(resume(), Target::Service).unwrap();
    let finding = plan.findings.iter().find(|f| f.code == "left-paused").expect("a finding");
    assert_eq!((finding.severity, &*finding.subject), (Severity::Override, "eu-west-1"));
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(!world.paused(AP) && world.paused(EU));
    assert!(world.engine.services[0].record.holds().is_empty());
    // It comes back paused, with no hold on it: an open item, resumed by hand.
    world.mend(ClusterIx(3));
    world.pass(30);
    assert!(world.paused(EU));
    world.go(resume(), region(EU));
    assert!(!world.paused(EU));
}

#[test]
fn the_standing_approval_is_for_holds_only() {
    let mut world = World::new();
    world.in_flight(AP);
    let hold = world.review(Verb::Hold, Target::Service).unwrap();
    assert!(Approved::standing(hold, "ana".into()).is_ok());
    for verb in [promote(), roll_back(), resume(), Verb::Drain, Verb::Restore, Verb::Abort] {
        let target = if verb == promote() { ring(2) } else { region(AP) };
        if let Ok(plan) = world.review(verb, target) {
            assert!(Approved::standing(plan, "ana".into()).is_err());
        }
    }
}

/// A console opened fresh, to which one cluster does not answer.
fn opened_without(down: ClusterIx, in_flight: RegionIx) -> World {
    let mut world = World::unheard();
    world.workload(in_flight)["status"]["updatedReplicas"] = 1.into();
    world.workload(in_flight)["status"]["conditions"][0]["reason"] = "ReplicaSetUpdated".into();
    world.cut(down);
    for cluster in (0..world.fleet.clusters.len()).map(ClusterIx::from).filter(|c| *c != down) {
        world.hear(cluster);
    }
    for at in ALL.into_iter().filter(|at| at.at() != down.at()) {
        world.show_workload(at);
        world.show(world.record_ref(at));
    }
    world
}

#[test]
fn a_hold_names_the_regions_whose_rollouts_it_does_not_know() {
    let mut world = opened_without(ClusterIx(2), EU);
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    let said: Vec<_> = plan.findings.iter().filter(|f| f.code == "unread").collect();
    assert_eq!(said.len(), 1, "{:?}", plan.findings);
    assert_eq!((said[0].severity, &*said[0].subject), (Severity::Warning, "ap-south-1"));
    assert!(said[0].text.contains("cannot be read: a rollout there may not be paused"), "{}", said[0].text);
    assert!(plan.after.contains("1 rollouts pause, not known in ap-south-1"), "{}", plan.after);
    assert!(Approved::standing(plan, "ana".into()).is_ok(), "it is never refused for that");

    // What was seen once may have begun to roll since.
    let mut world = World::new();
    world.cut(ClusterIx(2));
    assert!(codes(&world.review(Verb::Hold, Target::Service).unwrap()).contains(&"unread"));
    // A hold of another region has nothing to do with it.
    assert!(!codes(&world.review(Verb::Hold, region(EU)).unwrap()).contains(&"unread"));
}

#[test]
fn a_dry_run_counts_as_answered_only_when_one_was() {
    let mut world = World::new();
    assert_eq!(world.review(Verb::Hold, Target::Service).unwrap().rehearsed(), (0, 0), "only facts");
    world.in_flight(AP);
    world.in_flight(EU);
    assert_eq!(world.review(Verb::Hold, Target::Service).unwrap().rehearsed(), (2, 2));
    world.cut(ClusterIx(2));
    assert_eq!(world.review(Verb::Hold, Target::Service).unwrap().rehearsed(), (1, 2));
    world.cut(ClusterIx(3));
    assert_eq!(world.review(Verb::Hold, Target::Service).unwrap().rehearsed(), (0, 2));
}

#[test]
fn a_rollout_that_nobody_saw_when_it_was_held_is_not_passed_over() {
    let mut world = opened_without(ClusterIx(2), AP);
    let id = world.go(Verb::Hold, Target::Service);
    world.pass(12);
    assert_eq!(world.end(id).0, "open");
    world.mend(ClusterIx(2));
    world.show_workload(AP);
    world.pass(20);
    assert!(world.fact_kinds(AP).contains(&"hold"));
    let (word, why) = world.end(id);
    assert_eq!(word, "diverged", "{why}");
    assert!(why.contains("ap-south-1 is held, but a rollout is in flight there, and it was not paused"), "{why}");
    assert!(why.contains("`gonogo hold webapp ap-south-1`"), "{why}");
    // The line that is named does it.
    let again = world.go(Verb::Hold, region(AP));
    assert_eq!(world.end(again).0, "settled", "{:?}", world.end(again));
    assert!(world.paused(AP));
}

#[test]
fn a_region_where_nothing_turns_out_to_roll_is_held_and_settled() {
    let mut world = opened_without(ClusterIx(2), EU);
    let id = world.go(Verb::Hold, Target::Service);
    world.mend(ClusterIx(2));
    world.pass(5);
    assert_eq!(world.end(id).0, "open", "the fact is there, the workload is not seen");
    world.show_workload(AP);
    world.pass(5);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
}

#[test]
fn a_region_that_is_held_and_never_read_is_no_success() {
    let mut world = opened_without(ClusterIx(2), EU);
    let id = world.go(Verb::Hold, Target::Service);
    world.mend(ClusterIx(2));
    world.pass(100);
    let (word, why) = world.end(id);
    assert_eq!(word, "diverged", "{why}");
    assert!(why.contains("ap-south-1 cannot be read"), "{why}");
}

#[test]
fn a_pause_that_was_meant_for_another_revision_freezes_nothing() {
    let mut world = World::new();
    world.in_flight(AP);
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    // Somebody rolls back meanwhile, and this console has not seen it.
    world.workload(AP)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "8".into();
    world.carry_out(Approved::standing(plan.clone(), "ana".into()).unwrap());
    world.pass(5);
    let (word, why) = world.end(plan.id);
    assert_eq!(word, "refused");
    assert!(why.contains("changed since you looked"), "{why}");
    assert!(!world.paused(AP));
    assert_eq!(world.fact_kinds(AP), ["hold"], "the hold stands all the same");
}

#[test]
fn a_rollback_that_runs_is_not_paused_by_a_hold() {
    let mut world = World::new();
    promoted_to_ap(&mut world);
    world.controller = false;
    world.go(roll_back(), region(AP));
    assert!(!world.paused(AP));
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    assert!(plan.steps.iter().all(|s| &*s.label == "hold fact"), "{:?}", plan.steps);
    // Another rollout there is one like any other.
    world.workload(AP)["spec"]["template"]["spec"]["containers"][1]["image"] = "registry.example/webapp:v9".into();
    world.show_workload(AP);
    let plan = world.review(Verb::Hold, Target::Service).unwrap();
    assert_eq!(plan.steps.iter().filter(|s| s.region == AP).count(), 2);
}

#[test]
fn a_rollback_that_somebody_paused_says_so_and_does_not_wait_for_ever() {
    let mut world = World::new();
    promoted_to_ap(&mut world);
    world.controller = false;
    let id = world.go(roll_back(), region(AP));
    world.write_fact(US, Body::Hold { scope: Scope::Service, reason: "what is this".into() });
    let object = world.workload(AP);
    object["spec"]["paused"] = true.into();
    object["metadata"]["generation"] = (object["metadata"]["generation"].as_i64().unwrap() + 1).into();
    world.show_workload(AP);
    world.pass(5);
    let (word, said) = world.end(id);
    assert_eq!(word, "open");
    assert!(said.contains("stands still because it is paused"), "{said}");
    assert!(said.contains("a hold of service by bo@elsewhere: what is this"), "{said}");
    world.pass(70);
    let (word, why) = world.end(id);
    assert_eq!(word, "diverged", "{why}");
    assert!(why.contains("`gonogo rollback webapp ap-south-1` again lets it go on"), "{why}");
    // And so it does, whoever paused it.
    world.controller = true;
    let id = world.go(roll_back(), region(AP));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(!world.paused(AP));
    assert_eq!(world.engine.services[0].record.holds().len(), 1, "the hold stays");
    world.propose(roll_back(), region(AP));
    let state = &world.engine.proposal.as_ref().unwrap().state;
    assert!(matches!(state, ProposalState::Refused(r) if r.code == "nothing-to-do"), "{state:?}");
}

/// What ap runs was promoted to it from v2.0.0.
fn promoted_to_ap(world: &mut World) {
    world.write_fact(AP, Body::Promoted(crate::promotions::moved("0011223344556677")));
}

#[test]
fn a_hold_on_what_this_configuration_does_not_know_holds_everything_and_can_be_released() {
    for scope in [Scope::Ring("secondary".into()), Scope::Region("mars-1".into())] {
        let mut world = World::new();
        world.write_fact(US, Body::Hold { scope: scope.clone(), reason: "renamed there".into() });
        world.pass(1);
        let question = world.engine.services[0].view.question.clone().unwrap();
        let hold = question.verdict;
        assert_eq!(hold, Verdict::NoGo, "{scope}: {question:?}");
        let refusal = world.review(promote(), ring(2)).unwrap_err();
        assert_eq!(refusal.code, "held", "{refusal:?}");
        let id = world.go(resume(), Target::Service);
        assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
        assert_eq!(world.engine.services[0].record.holds().len(), 0);
        world.review(promote(), ring(2)).unwrap();
    }
}
