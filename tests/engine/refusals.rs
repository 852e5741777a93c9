//! What a refusal says: which region, which cluster, why, and what to do next.

use gonogo::domain::finding::Severity;
use gonogo::domain::id::{ClusterIx, RegionIx};
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::link::{Link, LostReason};
use gonogo::domain::observation::{ClusterFacts, Observation};
use gonogo::domain::record::{Body, Scope};

use crate::fixture::*;

type Case = (&'static str, fn(&mut World), Verb, Target);

fn cases() -> Vec<Case> {
    vec![
        ("promote: nothing selected", |_| {}, promote(), Target::Regions(Vec::new())),
        ("promote: no such region", |_| {}, promote(), Target::Regions(vec![RegionIx(99)])),
        ("promote: several rings", |_| {}, promote(), Target::Regions(vec![EU, US])),
        ("promote: first ring without a version", |_| {}, promote(), ring(0)),
        ("promote: runs it already", |_| {}, promote(), ring(1)),
        ("promote: a version out of order", |_| {}, promote_to("v9"), ring(2)),
        ("promote: source is mixed", |w| set_image(w, STAGE_B, V1), promote(), ring(1)),
        ("promote: the ring before runs the old", |_| {}, promote(), ring(3)),
        ("promote: bake not over", |w| rolled_out(w, AP, "2026-03-02T09:00:00Z"), promote(), ring(2)),
        ("promote: ring before in flight", rolling, promote(), ring(2)),
        ("promote: held by a person", held, promote(), ring(2)),
        ("promote: cluster away", |w| w.cut(ClusterIx(3)), promote(), ring(2)),
        ("promote: cluster before away", |w| w.cut(ClusterIx(2)), promote(), ring(2)),
        ("promote: not logged in", logged_out, promote(), ring(2)),
        ("promote: workload gone", |w| drop(w.objects.remove(&w.workload_ref(EU))), promote(), ring(2)),
        ("promote: paused by somebody", paused, promote(), ring(2)),
        ("promote: record gone", record_gone, promote(), ring(2)),
        ("promote: clock off", clock_off, promote(), ring(2)),
        ("promote: another cluster than before", another_cluster, promote(), ring(2)),
        ("promote: container renamed", renamed, promote(), ring(2)),
        (
            "promote: would be refused",
            |w| w.dry_run.push_back(refused(403, "deployments.apps is forbidden")),
            promote(),
            ring(2),
        ),
        ("resume: nothing held", |_| {}, resume(), Target::Service),
        ("roll back: no history", |_| {}, roll_back(), ring(2)),
        ("roll back: cluster away", |w| w.cut(ClusterIx(3)), roll_back(), ring(2)),
        ("roll back: no such revision", |_| {}, Verb::RollBack { to_revision: Some(3) }, ring(2)),
        ("abort: nothing in flight", |_| {}, Verb::Abort, Target::Service),
        ("drain: several", |_| {}, Verb::Drain, Target::Regions(vec![EU, US])),
        ("drain: no route", |_| {}, Verb::Drain, region(STAGE_A)),
        ("drain: route gone", |w| drop(w.objects.remove(&w.route_ref())), Verb::Drain, region(EU)),
        ("drain: edge away", |w| w.cut(EDGE), Verb::Drain, region(EU)),
        ("drain: last weight", |w| drop(w.objects.insert(w.route_ref(), route([0, 40, 0]))), Verb::Drain, region(EU)),
        (
            "drain: drained already",
            |w| drop(w.objects.insert(w.route_ref(), route([20, 0, 40]))),
            Verb::Drain,
            region(EU),
        ),
        (
            "drain: beyond capacity",
            |w| w.sample([Some(0.0), Some(0.0), Some(110_000.0), Some(45_200.0), Some(1.0)]),
            Verb::Drain,
            region(EU),
        ),
        ("restore: no drain of ours", |_| {}, Verb::Restore, region(EU)),
    ]
}

fn set_image(world: &mut World, at: RegionIx, image: &str) {
    world.workload(at)["spec"]["template"]["spec"]["containers"][1]["image"] = image.into();
    world.show_workload(at);
}

fn rolled_out(world: &mut World, at: RegionIx, when: &str) {
    // A new object: what an old one settled on says nothing of it.
    world.workload(at)["metadata"]["uid"] = "uid-again".into();
    world.workload(at)["status"]["conditions"][0]["lastUpdateTime"] = when.into();
    world.show_workload(at);
}

fn rolling(world: &mut World) {
    set_image(world, AP, "registry.example/webapp:v2.1.0@sha256:9999999999999999");
    world.in_flight(AP);
}

fn held(world: &mut World) {
    world.write_fact(US, Body::Hold { scope: Scope::Service, reason: "checkout is failing".into() });
}

fn logged_out(world: &mut World) {
    let reason = LostReason::Unauthenticated("token expired; run `gonogo login eu`".into());
    world.down.insert(ClusterIx(3));
    let next_try = world.now.wall;
    world.see(Observation::Link { cluster: ClusterIx(3), link: Link::Lost { reason, next_try } });
}

fn paused(world: &mut World) {
    world.workload(EU)["spec"]["paused"] = true.into();
    world.show_workload(EU);
}

fn record_gone(world: &mut World) {
    world.write_fact(EU, Body::Note { text: "seen".into() });
    world.record_is_gone(EU);
}

pub fn clock_off(world: &mut World) {
    let server = world.now.wall.checked_add(gonogo::domain::stamp::SignedDuration::from_mins(10)).unwrap();
    for cluster in 0..6 {
        world.see(Observation::Heard { cluster: ClusterIx(cluster), server_time: Some(server) });
    }
}

fn another_cluster(world: &mut World) {
    let cluster = world.fleet.services[0].regions[EU.at()].cluster;
    let facts = ClusterFacts { uid: Some("other".into()), uid_changed: true, ..ClusterFacts::default() };
    world.see(Observation::Cluster { cluster, facts });
}

fn renamed(world: &mut World) {
    world.workload(EU)["spec"]["template"]["spec"]["containers"][1]["name"] = "app".into();
    world.show_workload(EU);
}

#[test]
fn refusals_say_what_why_and_what_next() {
    let mut text = String::new();
    for (name, prepare, verb, target) in cases() {
        let mut world = World::new();
        prepare(&mut world);
        let answer = match world.review(verb, target) {
            Err(r) => format!("  {}: {}\n  hint: {}", r.code, r.text, r.hint),
            Ok(plan) => format!("  NOT REFUSED: {} with {:?}", plan.title, codes(&plan)),
        };
        assert!(!answer.contains("NOT REFUSED"), "{name}\n{answer}");
        assert!(world.requests().is_empty(), "{name}: a review writes nothing");
        text.push_str(&format!("{name}\n{answer}\n\n"));
    }
    insta::assert_snapshot!("refusals", text);
}

#[test]
fn a_record_that_disappeared_stops_raising_until_somebody_has_looked() {
    let mut world = World::new();
    record_gone(&mut world);
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "record-lost");
    world.review(roll_back(), ring(2)).unwrap_err();
    world.go(Verb::Hold, ring(3));
    world.engine.acknowledge(WEBAPP);
    world.review(promote(), ring(2)).unwrap();
}

#[test]
fn one_cluster_with_a_wrong_clock_is_a_finding_and_not_this_hosts_fault() {
    for (minutes, word) in [(10, "10m00s ahead of"), (-10, "10m00s behind")] {
        let mut world = World::new();
        let span = gonogo::domain::stamp::SignedDuration::from_mins(minutes);
        let server_time = Some(world.now.wall.checked_add(span).unwrap());
        world.see(Observation::Heard { cluster: ClusterIx(3), server_time });
        world.pass(1);
        let alarms = world.engine.services[0].view.alarms.join("; ");
        assert!(alarms.contains(&format!("eu: its clock is {word} the other clusters'")), "{alarms}");
        let plan = world.review(promote(), ring(2)).unwrap();
        let finding = plan.findings.iter().find(|f| f.code == "clock").expect("a finding");
        assert_eq!((finding.severity, &*finding.subject), (Severity::Warning, "eu"));
        assert!(finding.text.contains(word), "{}", finding.text);
        let id = world.approve();
        assert_eq!(world.end(id).0, "settled");
    }
}

#[test]
fn a_clock_that_is_off_lets_lowering_through() {
    let mut world = World::new();
    clock_off(&mut world);
    world.in_flight(AP);
    let id = world.go(Verb::Hold, Target::Service);
    assert_eq!(world.end(id).0, "settled");
    let id = world.go(Verb::Drain, region(EU));
    assert_eq!(world.end(id).0, "settled");
}

#[test]
fn nothing_is_written_where_a_context_leads_to_another_cluster_than_before() {
    use gonogo::domain::observation::ClusterFacts;
    let turn = |world: &mut World, changed: bool| {
        let facts = ClusterFacts { uid: Some("uid-b".into()), uid_changed: changed, ..ClusterFacts::default() };
        world.see(Observation::Cluster { cluster: ClusterIx(2), facts });
    };
    // Neither into it, nor on what it shows.
    for target in [1, 2] {
        let mut world = World::new();
        turn(&mut world, true);
        let refusal = world.review(promote(), ring(target)).unwrap_err();
        if target == 2 {
            assert_eq!(refusal.code, "another-cluster");
            assert!(refusal.text.contains("ap: its context leads to another cluster"), "{}", refusal.text);
            assert!(refusal.hint.contains("gonogo check --connect --accept ap"), "{}", refusal.hint);
        }
    }
    // A hold reaches all the others, and says which it does not.
    let mut world = World::new();
    turn(&mut world, true);
    let id = world.go(Verb::Hold, Target::Service);
    assert_eq!(world.end(id).0, "settled");
    assert!(codes(&world.operation(id).plan).contains(&"another-cluster"));
    assert!(world.facts(AP).is_empty() && !world.facts(EU).is_empty());
    // A rollback there alone has nothing left to do.
    let refusal = world.review(roll_back(), region(AP)).unwrap_err();
    assert!(["another-cluster", "no-known-good"].contains(&refusal.code), "{refusal:?}");
    // It turns while a hold is being tried again: what was not sent is not sent there any more.
    let mut world = World::new();
    world.cut(ClusterIx(2));
    let id = world.go(Verb::Hold, Target::Service);
    turn(&mut world, true);
    world.mend(ClusterIx(2));
    world.pass(60);
    assert_eq!(world.end(id).0, "refused", "{:?}", world.end(id));
    assert!(world.facts(AP).is_empty());
    // Bookkeeping neither; accepted, it goes on.
    let mut world = World::keeping();
    turn(&mut world, true);
    world.write_fact(US, Body::Hold { scope: Scope::Service, reason: "pager".into() });
    world.pass(60);
    assert!(!world.fact_kinds(AP).contains(&"hold") && world.fact_kinds(EU).contains(&"hold"));
    turn(&mut world, false);
    world.pass(60);
    assert!(world.fact_kinds(AP).contains(&"hold"));
}

#[test]
fn two_regions_that_are_one_object_are_an_alarm_and_no_ground_to_raise_on() {
    let mut world = World::new();
    for cluster in [3, 4] {
        let facts = gonogo::domain::observation::ClusterFacts { uid: Some("one".into()), ..Default::default() };
        world.see(gonogo::domain::observation::Observation::Cluster { cluster: cluster.into(), facts });
    }
    world.pass(3);
    let view = &world.engine.services[0].view;
    let said =
        "eu-west-1 and us-east-1 are one object (shop/webapp): the clusters eu and us lead to the same API server";
    assert!(view.alarms.iter().any(|a| &**a == said), "{:?}", view.alarms);
    assert!(view.question.as_ref().unwrap().verdict >= gonogo::domain::verdict::Verdict::NoData);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!((refusal.code, &*refusal.text), ("one-object", said));
    assert!(world.review(gonogo::domain::intent::Verb::Hold, ring(2)).is_ok(), "lowering goes on");
}
