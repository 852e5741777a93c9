//! Weights that lie in objects of their own, one in each region's cluster: no precondition covers them all.

use gonogo::domain::intent::Verb;
use gonogo::domain::record::Body;
use gonogo::engine::view::Drained;
use serde_json::json;

use crate::fixture::*;

/// A console that shows the service, so that its view is kept.
fn shown() -> World {
    let mut world = World::with(dns_fleet());
    let effects = world.engine.show(WEBAPP);
    world.perform(effects);
    world
}

#[test]
fn a_drain_looks_at_every_regions_record_and_writes_one() {
    let mut world = shown();
    world.sample(QPS.map(Some));
    let before = world.gets;
    let plan = world.review(Verb::Drain, region(EU)).unwrap();
    assert!(world.gets - before >= 3, "all three records were read");
    let labels: Vec<&str> = plan.steps.iter().map(|s| &*s.label).collect();
    assert_eq!(labels[..5], ["draining fact"; 5], "every region is told first");
    assert_eq!(labels[5..], ["weight 40 → 0", "weight 0 → 40, only if no region is left with a weight"]);
    let id = world.approve();
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.fact_kinds(US), ["draining"]);
    assert_eq!(world.fact_kinds(EU), ["draining", "drained"], "nothing was taken back");
    assert_eq!((world.dns_weight(AP), world.dns_weight(EU), world.dns_weight(US)), ("20", "0", "40"));
    world.engine.freshen(WEBAPP);
    let view = &world.engine.services[0].view.regions;
    assert_eq!(view[EU.at()].drained, Drained::ByUs);
    assert_eq!(view[AP.at()].weight, Some((20, Some(20.0 / 60.0))), "a share of all records, wherever they lie");
    let id = world.go(Verb::Restore, region(EU));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.dns_weight(EU), "40");
}

#[test]
fn the_last_record_with_a_weight_is_never_set_to_zero() {
    let mut world = World::with(dns_fleet());
    for at in [AP, US] {
        world.objects.insert(world.record_of(at).unwrap(), dns_endpoint(at, 0));
    }
    let refusal = world.review(Verb::Drain, region(EU)).unwrap_err();
    assert_eq!(refusal.code, "last-serving");
    assert!(refusal.text.contains("last region with a weight"), "{}", refusal.text);
}

#[test]
fn a_record_that_cannot_be_read_serves_nobody_as_far_as_is_known() {
    let mut world = World::with(dns_fleet());
    world.objects.insert(world.record_of(AP).unwrap(), dns_endpoint(AP, 0));
    world.cut(world.record_of(US).unwrap().cluster);
    let refusal = world.review(Verb::Drain, region(EU)).unwrap_err();
    assert_eq!(refusal.code, "last-serving");
    assert!(refusal.text.contains("us-east-1 could not be read"), "{}", refusal.text);
    // One that is known to serve is enough: lowering is not blocked by another region being down.
    world.objects.insert(world.record_of(AP).unwrap(), dns_endpoint(AP, 20));
    assert!(world.review(Verb::Drain, region(EU)).is_ok());
}

#[test]
fn a_weight_that_is_no_number_is_already_drained_by_external_dns() {
    let mut world = shown();
    let record = world.record_of(EU).unwrap();
    let slip = &mut world.objects.get_mut(&record).unwrap()["spec"]["endpoints"][0]["providerSpecific"][0]["value"];
    *slip = json!("4O");
    world.show(record);
    world.engine.freshen(WEBAPP);
    let view = &world.engine.services[0].view.regions[EU.at()];
    assert_eq!(view.drained, Drained::Elsewhere);
    assert_eq!(world.review(Verb::Drain, region(EU)).unwrap_err().code, "nothing-to-do");
}

#[test]
fn a_region_that_is_being_drained_just_now_does_not_count() {
    let mut world = World::with(dns_fleet());
    world.objects.insert(world.record_of(AP).unwrap(), dns_endpoint(AP, 0));
    world.write_fact(STAGE_A, Body::Draining { region: "us-east-1".into() });
    let refusal = world.review(Verb::Drain, region(EU)).unwrap_err();
    assert_eq!(refusal.code, "last-serving");
    world.pass(200);
    assert!(world.review(Verb::Drain, region(EU)).is_ok(), "whoever began it has not gone on");
}

#[test]
fn two_consoles_that_drain_the_last_two_regions_at_once_do_not_both_pass() {
    let mut world = World::with(dns_fleet());
    world.sample(QPS.map(Some));
    world.objects.insert(world.record_of(AP).unwrap(), dns_endpoint(AP, 0));
    let id = world.review(Verb::Drain, region(EU)).unwrap().id;
    // The other console was asked before this one wrote its fact, and writes before this one has looked again.
    world.objects.insert(world.record_of(US).unwrap(), dns_endpoint(US, 0));
    world.approve();
    world.pass(2);
    let (outcome, why) = world.end(id);
    assert_eq!(outcome, "diverged", "{why}");
    assert!(why.contains("this one was put back"), "{why}");
    assert_eq!(world.dns_weight(EU), "40");
    assert_eq!(world.fact_kinds(EU), ["draining", "drained", "restored"]);
    assert!(world.engine.services[0].record.region(EU).unwrap().drained().is_none(), "no drain is in force");
}

#[test]
fn where_nobody_can_tell_whether_another_serves_it_says_so() {
    let mut world = World::with(dns_fleet());
    world.sample(QPS.map(Some));
    world.objects.insert(world.record_of(AP).unwrap(), dns_endpoint(AP, 0));
    let id = world.review(Verb::Drain, region(EU)).unwrap().id;
    world.cut(world.record_of(US).unwrap().cluster);
    world.approve();
    world.pass(15);
    assert_eq!(world.dns_weight(EU), "0", "lowering went on though a region is away");
    world.pass(15 * 60);
    let (outcome, why) = world.end(id);
    assert_eq!(outcome, "unknown", "{why}");
    assert!(why.contains("could not be read"), "{why}");
}

#[test]
fn no_region_with_a_weight_is_an_alarm_whoever_did_it() {
    let mut world = shown();
    for at in [AP, EU, US] {
        let record = world.record_of(at).unwrap();
        world.objects.insert(record.clone(), dns_endpoint(at, 0));
        world.show(record);
    }
    world.engine.freshen(WEBAPP);
    let alarms = world.engine.services[0].view.alarms.join("\n");
    assert!(alarms.contains("no region has a weight"), "{alarms}");
}

#[test]
fn what_is_cached_is_counted_down_beside_what_still_comes() {
    let mut world = shown();
    world.sample(QPS.map(Some));
    let id = world.go(Verb::Drain, region(EU));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    world.sample(QPS.map(Some));
    let told = |world: &mut World| {
        world.engine.freshen(WEBAPP);
        world.engine.services[0].view.regions[EU.at()].out_of_traffic().unwrap()
    };
    let said = told(&mut world);
    // A minute of external-dns, a minute of Route 53, and the TTL of the record.
    assert!(said.starts_with("draining, ") && said.ends_with("; DNS TTL 60s: up to 3m00s left"), "{said}");
    world.pass(60);
    assert!(told(&mut world).contains("; DNS TTL 60s: up to 2m0"), "{}", told(&mut world));
    world.pass(200);
    assert!(!told(&mut world).contains("TTL"), "what comes now comes over open connections: {}", told(&mut world));
    let mut gone = QPS.map(Some);
    gone[EU.at()] = Some(0.0);
    world.sample(gone);
    assert_eq!(told(&mut world), "drained", "only once it is measured");
}
