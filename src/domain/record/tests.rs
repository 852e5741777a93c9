#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
use super::*;
use proptest::prelude::*;

fn id(n: u128) -> FactId {
    FactId(Ulid(n))
}

fn fact(n: u128, body: Body) -> Fact {
    Fact {
        id: id(n),
        by: Operator::new("oncall"),
        at: "2026-11-20T14:00:00Z".parse().unwrap(),
        journal: "".into(),
        body,
    }
}

fn a_move() -> Move {
    Move {
        plan: Ulid(7),
        ring: "ring-1".into(),
        from_version: "v2.0.0".into(),
        to_version: "v2.1.0".into(),
        from_template: TemplateDigest::of(&serde_json::json!({"a": 1})),
        to_template: TemplateDigest::of(&serde_json::json!({"a": 2})),
        from: vec![
            ("/spec/template/spec/containers[name=web]/image".into(), "\"r/web:v2.0.0@sha256:ab\"".into()),
            ("/spec/template/spec/containers[name=web]/args".into(), "[\"--a=b\",\"x]=y\"]".into()),
        ],
        policy: "abcd".into(),
        overrides: vec!["12h of bake left in ring-1".into(), "a = b".into()],
        break_glass: true,
        reason: "tuesday".into(),
    }
}

fn bodies() -> Vec<Body> {
    vec![
        Body::Hold { scope: Scope::Ring("ring-1".into()), reason: "errors\nup = bad \\n".into() },
        Body::Release { hold: id(1), reason: "fine".into() },
        Body::Quarantine { digest: "sha256:ab".into(), reason: "leaks".into() },
        Body::Clearance { quarantine: id(2), reason: "fixed".into() },
        Body::Draining { region: "eu-west-1".into() },
        Body::Promoted(a_move()),
        Body::RolledBack(a_move()),
        Body::Drained { before: vec![("eu".into(), 45), ("us".into(), 52)], backend: "eu".into(), reason: "".into() },
        Body::Restored { drained: id(3), reason: "ok".into() },
        Body::Paused { hold: id(1), template: a_move().from_template, was: Some("2".into()) },
        Body::Unpaused { paused: id(4) },
        Body::Checked {
            list: "schema".into(),
            item: "expand".into(),
            version: "v2".into(),
            done: true,
            reason: "a\nb".into(),
        },
        Body::Accepted {
            stretch: Stretch {
                column: "errors".into(),
                from: "2026-03-01T23:55:00Z".parse().unwrap(),
                to: "2026-03-02T00:10:00Z".parse().unwrap(),
            },
            template: a_move().from_template,
            reason: "a batch job, known".into(),
        },
        Body::BreakGlass { what: "promote all".into(), reason: "fire".into() },
        drilled(),
        Body::Note { text: "hello".into() },
    ]
}

fn drilled() -> Body {
    Body::Drilled {
        ring: "ring-2".into(),
        from: "v2.1.0".into(),
        to: "v2.0.0".into(),
        took: std::time::Duration::from_millis(1_234),
        real: false,
    }
}

#[test]
fn every_fact_reads_as_it_was_written_and_names_its_author_first() {
    for (n, body) in bodies().into_iter().enumerate() {
        let fact = fact(n as u128, body);
        assert!(fact.value().starts_with("by=oncall\n"));
        assert_eq!(Fact::parse(&fact.key(), &fact.value()).as_ref(), Some(&fact));
    }
}

#[test]
fn a_hold_anywhere_holds_until_a_release_anywhere() {
    let hold = fact(1, Body::Hold { scope: Scope::Service, reason: "x".into() });
    let release = fact(2, Body::Release { hold: hold.id, reason: "y".into() });
    let mut record = Record::for_regions(4);
    let entry = |f: &Fact| (f.key(), f.value());
    let read = |e: &(String, String)| RegionRecord::read([(e.0.as_str(), e.1.as_str())]);
    record.regions[0] = Some(read(&entry(&hold)));
    assert_eq!(record.holds().len(), 1);
    assert!(!record.holds()[0].complete(), "one of four is not a majority");
    record.regions[3] = Some(read(&entry(&release)));
    assert_eq!(record.holds(), vec![]);
}

#[test]
fn a_hold_that_cannot_be_read_holds() {
    let mut record = Record::for_regions(2);
    record.regions[1] = Some(RegionRecord::read([("01ARZ3NDEKTSV4RRFFQ69G5FAV.hold", "garbage")]));
    let holds = record.holds();
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].scope, Scope::Service);
}

#[test]
fn a_drain_of_a_drained_region_remembers_nothing_new() {
    let first = fact(1, Body::Drained { before: vec![("eu".into(), 45)], backend: "eu".into(), reason: "".into() });
    let second = fact(2, Body::Drained { before: vec![("eu".into(), 0)], backend: "eu".into(), reason: "".into() });
    let entries = [(first.key(), first.value()), (second.key(), second.value())];
    let record = RegionRecord::read(entries.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    assert_eq!(record.drained().map(|f| f.id), Some(first.id));
}

#[test]
fn old_facts_are_ignored_but_for_holds_the_newest_move_and_the_newest_drill() {
    let now: Timestamp = "2027-06-01T00:00:00Z".parse().unwrap();
    let facts = [
        fact(1, Body::Hold { scope: Scope::Service, reason: "".into() }),
        fact(2, Body::Promoted(a_move())),
        fact(3, Body::Promoted(a_move())),
        fact(4, Body::Note { text: "old".into() }),
        fact(5, drilled()),
        fact(6, drilled()),
    ];
    let entries: Vec<_> = facts.iter().map(|f| (f.key(), f.value())).collect();
    let record = RegionRecord::read(entries.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let kept: Vec<_> = record.relevant(now).map(|f| f.id).collect();
    assert_eq!(kept, [id(1), id(3), id(6)]);
}

#[test]
fn two_facts_of_one_identity_do_not_hide_a_hold() {
    let hold = fact(1, Body::Hold { scope: Scope::Service, reason: "pager".into() });
    for other in [Body::Note { text: "n".into() }, Body::Draining { region: "eu".into() }] {
        let other = fact(1, other);
        let entries = [(other.key(), other.value()), (hold.key(), hold.value())];
        let mut sorted: Vec<_> = entries.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        for _ in 0..2 {
            let record = Record { regions: vec![Some(RegionRecord::read(sorted.clone()))], ..Record::default() };
            assert_eq!(record.holds().len(), 1, "{sorted:?}");
            sorted.reverse();
        }
    }
}

proptest! {
    #[test]
    fn garbage_never_breaks_the_reading(data in proptest::collection::btree_map(".{0,40}", ".{0,80}", 0..20)) {
        let record = RegionRecord::read(data.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        prop_assert!(record.facts.len() + record.settled.len() + record.unreadable.len() == data.len());
    }

    #[test]
    fn merging_is_a_union(picks in proptest::collection::vec((0u128..30, 0usize..3), 0..40)) {
        let all = bodies();
        let mut parts = vec![RegionRecord::default(); 3];
        for (n, part) in picks {
            // One id means one fact: the body follows from the id.
            let fact = fact(n, all[n as usize % all.len()].clone());
            parts[part].facts.insert(fact.id, fact);
        }
        let merged = |order: [usize; 3]| {
            let mut out = RegionRecord::default();
            for i in order { out.merge(&parts[i]); }
            out
        };
        let once = merged([0, 1, 2]);
        prop_assert_eq!(&once, &merged([2, 0, 1]));
        prop_assert_eq!(&once, &merged([1, 2, 0]));
        let mut twice = once.clone();
        twice.merge(&once);
        prop_assert_eq!(once, twice);
    }
}
