//! Drills: who walked the way back and how long it took stands where it is needed next.

use std::time::Duration;

use gonogo::domain::finding::Severity;
use gonogo::domain::intent::{Drill, Verb};
use gonogo::domain::record::{Body, FactId};
use gonogo::engine::drills::DRILL_EVERY;

use crate::fixture::*;

fn drill() -> Verb {
    let took = Duration::from_millis(1_420);
    Verb::Drill(Drill { from: "v2.1.0".into(), to: "v2.0.0".into(), took, real: false })
}

fn said(plan: &gonogo::domain::plan::Plan) -> Option<(Severity, String)> {
    plan.findings.iter().find(|f| f.code == "drill").map(|f| (f.severity, f.text.to_string()))
}

#[test]
fn a_promotion_says_that_nobody_drilled_its_way_back_and_a_rollback_how_long_it_took() {
    let mut world = World::new();
    let (severity, text) = said(&world.review(promote(), ring(2)).unwrap()).unwrap();
    assert_eq!(severity, Severity::Note, "it asks for nothing more");
    assert_eq!(text, "no rollback of ring-2 was drilled in the last 90 days: `gonogo drill webapp ring-2`");
    let id = world.go(drill(), region(EU));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(world.fact_kinds(EU), ["drilled"]);
    assert_eq!(said(&world.review(promote(), ring(2)).unwrap()), None);
    let id = world.go(promote(), ring(2));
    assert_eq!(world.end(id).0, "settled");
    let (severity, text) = said(&world.review(roll_back(), ring(2)).unwrap()).unwrap();
    assert_eq!(severity, Severity::Note);
    assert!(text.starts_with("drilled 2 Mar 2026 by ") && text.ends_with(" in 1.4s, by dry-run"), "{text}");
}

#[test]
fn a_drill_writes_its_fact_and_nothing_else() {
    let mut world = World::new();
    let id = world.go(drill(), region(EU));
    assert_eq!(world.end(id).0, "settled");
    let kinds: Vec<String> = world.sent.iter().map(|c| c.object().unwrap().api.kind.to_string()).collect();
    assert_eq!(kinds, ["ConfigMap"]);
    assert!(world.log.iter().any(|line| line.contains("drill")), "it is journaled: {:?}", world.log);
}

#[test]
fn the_newest_drill_of_a_region_counts_for_ninety_days_and_no_longer() {
    let mut world = World::new();
    let body = |took: u64| Body::Drilled {
        ring: "ring-2".into(),
        from: "v2".into(),
        to: "v1".into(),
        took: Duration::from_secs(took),
        real: true,
    };
    let fact = |world: &World, ago: gonogo::domain::stamp::SignedDuration, took| {
        let at = world.now.wall - ago;
        let millis = at.as_millisecond().unsigned_abs();
        gonogo::domain::record::Fact {
            id: FactId(ulid::Ulid::from_parts(millis, took)),
            by: "bo".into(),
            at,
            journal: "".into(),
            body: body(took as u64),
        }
    };
    let hours = gonogo::domain::stamp::SignedDuration::from_hours;
    let old = fact(&world, DRILL_EVERY + hours(1), 9);
    world.write_key(EU, &old.key(), &old.value());
    assert!(said(&world.review(promote(), ring(2)).unwrap()).is_some(), "that one is too old");
    assert!(world.engine.undrilled(WEBAPP).iter().any(|r| r.name.as_str() == "ring-2"));
    let newer = fact(&world, DRILL_EVERY - hours(1), 70);
    world.write_key(EU, &newer.key(), &newer.value());
    assert_eq!(said(&world.review(promote(), ring(2)).unwrap()), None);
    let due: Vec<String> = world.engine.undrilled(WEBAPP).iter().map(|r| r.name.to_string()).collect();
    assert!(!due.contains(&"ring-2".to_owned()), "{due:?}");
}
