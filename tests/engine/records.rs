//! The shared record as the engine keeps it: passed on, written again, never forgotten.

use gonogo::domain::id::ClusterIx;
use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::record::{Body, Scope};
use gonogo::engine::effect::ActResult;

use crate::fixture::*;

fn hold() -> Body {
    Body::Hold { scope: Scope::Service, reason: "pager".into() }
}

#[test]
fn a_hold_by_somebody_else_is_passed_on_to_every_region_and_so_is_its_release() {
    let mut world = World::keeping();
    let id = world.write_fact(US, hold());
    world.pass(30);
    for at in ALL {
        assert!(world.fact_kinds(at).contains(&"hold"), "{}", world.name(at));
    }
    assert!(world.engine.services[0].record.holds()[0].complete());
    world.write_fact(AP, Body::Release { hold: id, reason: "over".into() });
    world.pass(60);
    for at in ALL {
        assert!(world.fact_kinds(at).contains(&"release"), "{}", world.name(at));
    }
}

#[test]
fn regional_facts_are_not_passed_on() {
    let mut world = World::keeping();
    world.write_fact(US, Body::Note { text: "here".into() });
    world.pass(60);
    assert!(!world.fact_kinds(EU).contains(&"note"));
}

#[test]
fn what_a_region_settled_on_is_written_once() {
    let mut world = World::keeping();
    world.pass(120);
    let settled = |w: &World, at| {
        let data = w.objects[&w.record_ref(at)]["data"].as_object().unwrap().clone();
        data.keys().filter(|k| k.starts_with("settled.")).count()
    };
    assert_eq!(ALL.map(|at| settled(&world, at)), [1; 5]);
    let writes = world.log.iter().filter(|l| l.starts_with("keep")).count();
    assert_eq!(writes, 5, "{:?}", world.log);
}

#[test]
fn a_record_that_disappeared_is_written_again_from_memory() {
    let mut world = World::keeping();
    world.write_fact(EU, hold());
    world.pass(30);
    let before = world.objects[&world.record_ref(EU)]["data"].clone();
    world.record_is_gone(EU);
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "held", "memory holds");
    world.pass(30);
    assert_eq!(world.objects[&world.record_ref(EU)]["data"], before);
    assert!(world.engine.services[0].regions[EU.at()].record_lost, "until somebody has looked");
    let writes = world.log.iter().filter(|l| l.starts_with("keep 3")).count();
    world.pass(120);
    assert_eq!(world.log.iter().filter(|l| l.starts_with("keep 3")).count(), writes, "once is enough");
}

#[test]
fn one_fact_that_was_deleted_under_us_counts_and_comes_back() {
    let mut world = World::keeping();
    let id = world.write_fact(EU, hold());
    world.pass(30);
    for at in ALL {
        let object = world.record_ref(at);
        world.objects.get_mut(&object).unwrap()["data"].as_object_mut().unwrap().remove(&format!("{id}.hold"));
        world.show(object);
    }
    assert_eq!(world.engine.services[0].record.holds().len(), 1, "a fact is only ended by a fact");
    world.pass(30);
    assert!(world.fact_kinds(EU).contains(&"hold"));
}

#[test]
fn where_records_may_not_be_written_it_is_said_and_acknowledging_is_enough() {
    let mut world = World::keeping();
    world.write_fact(EU, Body::Note { text: "seen".into() });
    world.keep_fault = Some(ActResult::Refused { code: 403, message: "may not write configmaps".into() });
    world.record_is_gone(EU);
    world.pass(10);
    assert_eq!(&*world.engine.record_refusals()[&(WEBAPP, EU)], "may not write configmaps");
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "record-lost");
    world.engine.acknowledge(WEBAPP);
    world.review(promote(), ring(2)).unwrap();
    let tries = world.log.iter().filter(|l| l.starts_with("keep 3")).count();
    world.pass(120);
    assert_eq!(world.log.iter().filter(|l| l.starts_with("keep 3")).count(), tries, "not asked again for five minutes");
}

#[test]
fn nothing_is_kept_where_a_cluster_is_away_or_keeping_is_not_allowed() {
    let mut world = World::keeping();
    world.pass(30);
    world.cut(ClusterIx(3));
    world.write_fact(US, hold());
    let before = world.log.len();
    world.pass(60);
    assert!(!world.log[before..].iter().any(|l| l.starts_with("keep 3")));
    let mut world = World::new();
    world.write_fact(US, hold());
    world.pass(60);
    assert!(!world.log.iter().any(|l| l.starts_with("keep")));
}

#[test]
fn the_author_is_who_the_cluster_says_one_is() {
    let mut world = World::new();
    world.known_as(ClusterIx(3), "ana@corp");
    world.go(Verb::Hold, Target::Service);
    assert_eq!(world.facts(EU)[0].by.as_str(), "ana@corp");
    assert_eq!(world.facts(US)[0].by.as_str(), "ana@console");
}

#[test]
fn a_record_of_ten_thousand_facts_and_garbage_still_holds_what_it_holds() {
    let mut world = World::keeping();
    let object = world.record_ref(EU);
    let mut data = serde_json::Map::new();
    for n in 0..10_000_u128 {
        let id = gonogo::domain::record::FactId(ulid::Ulid::from_parts(1_772_000_000_000 + n as u64, n));
        let note = gonogo::domain::record::Fact {
            id,
            by: "bo".into(),
            at: world.now.wall,
            journal: "".into(),
            body: Body::Note { text: format!("note {n}").into() },
        };
        data.insert(note.key(), note.value().into());
    }
    data.insert("01KJPZV2805819AEQBE1KKWAEB.kind-to-come".into(), "by=bo\nat=2026-03-02T09:00:00Z\n".into());
    data.insert("not a key at all".into(), "\u{1b}[2J".into());
    data.insert("settled.xyz".into(), "by=".into());
    data.insert("01KJPZV2805819AEQBE1KKWAEC.hold".into(), "garbage".into());
    world.objects.insert(object.clone(), serde_json::json!({"data": data}));
    let began = std::time::Instant::now();
    world.show(object);
    world.pass(60);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    // A hold that cannot be read holds; what cannot be read loosens nothing.
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "held");
    let id = world.go(Verb::Hold, Target::Service);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    // It is larger than a record may grow: nothing is kept there beyond what a plan writes.
    assert!(!world.log.iter().any(|l| l.starts_with("keep 3")), "{:?}", world.log);
}
