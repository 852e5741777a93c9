//! The record: union by key, whatever the order; nothing is lost between writing and reading.

use gonogo::domain::record::{Body, Fact, FactId, Move, Record, RegionRecord, Scope, Settled};
use gonogo::domain::stamp::Timestamp;
use gonogo::domain::verdict::Stretch;
use gonogo::domain::version::TemplateDigest;
use proptest::prelude::*;
use serde_json::json;
use ulid::Ulid;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,24}", "[\\\\=\n\r\\[\\]/:. a]{0,12}", any::<String>()]
}

fn digest() -> impl Strategy<Value = TemplateDigest> {
    (0_u8..4).prop_map(|n| TemplateDigest::of(&json!({ "n": n })))
}

fn id() -> impl Strategy<Value = FactId> {
    (0_u64..40, 0_u128..3).prop_map(|(ms, r)| FactId(Ulid::from_parts(1_772_000_000_000 + ms, r)))
}

fn at() -> impl Strategy<Value = Timestamp> {
    (1_700_000_000_i64..1_800_000_000).prop_map(|s| Timestamp::from_second(s).unwrap())
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9-]{0,8}"
}

fn moved() -> impl Strategy<Value = Move> {
    let field = (
        prop_oneof![
            Just("/spec/template/spec/containers[name=web]/image".to_owned()),
            Just("/spec/template/spec/containers[name=web]".to_owned()),
            Just("/metadata/annotations/a~1b".to_owned()),
        ],
        text().prop_map(|t| json!([t]).to_string()),
    );
    (text(), text(), digest(), digest(), prop::collection::vec(field, 0..3), text()).prop_map(
        |(from, to, a, b, mut fields, reason)| {
            fields.dedup_by(|x, y| x.0 == y.0);
            Move {
                plan: Ulid::from_parts(1, 2),
                ring: "ring-1".into(),
                from_version: from.into(),
                to_version: to.into(),
                from_template: a,
                to_template: b,
                from: fields.into_iter().map(|(p, v)| (p.into(), v.into())).collect(),
                policy: "p".into(),
                overrides: Vec::new(),
                break_glass: false,
                reason: reason.into(),
            }
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let scope = prop_oneof![
        Just(Scope::Service),
        name().prop_map(|n| Scope::Ring(n.into())),
        name().prop_map(|n| Scope::Region(n.into())),
    ];
    prop_oneof![
        (scope, text()).prop_map(|(scope, r)| Body::Hold { scope, reason: r.into() }),
        (id(), text()).prop_map(|(hold, r)| Body::Release { hold, reason: r.into() }),
        (name(), text()).prop_map(|(d, r)| Body::Quarantine { digest: d.into(), reason: r.into() }),
        (id(), text()).prop_map(|(quarantine, r)| Body::Clearance { quarantine, reason: r.into() }),
        name().prop_map(|r| Body::Draining { region: r.into() }),
        moved().prop_map(Body::Promoted),
        moved().prop_map(Body::RolledBack),
        (prop::collection::vec((name(), 0_u32..1000), 0..4), name(), text()).prop_map(|(before, backend, r)| {
            let before = before.into_iter().map(|(n, w)| (n.into(), w)).collect();
            Body::Drained { before, backend: backend.into(), reason: r.into() }
        }),
        (id(), text()).prop_map(|(drained, r)| Body::Restored { drained, reason: r.into() }),
        (id(), digest(), prop::option::of(text())).prop_map(|(hold, template, was)| Body::Paused {
            hold,
            template,
            was: was.map(Into::into)
        }),
        id().prop_map(|paused| Body::Unpaused { paused }),
        (id(), name(), text()).prop_map(|(hold, object, was)| Body::Halted {
            hold,
            object: object.into(),
            was: was.into()
        }),
        id().prop_map(|halted| Body::Unhalted { halted }),
        (name(), at(), at(), digest(), text()).prop_map(|(column, from, to, template, r)| Body::Accepted {
            stretch: Stretch { column: column.as_str().into(), from, to },
            template,
            reason: r.into(),
        }),
        (id(), text()).prop_map(|(approval, r)| Body::Revoked { approval, reason: r.into() }),
        (name(), name(), text(), any::<bool>(), text()).prop_map(|(list, item, version, done, r)| Body::Checked {
            list: list.into(),
            item: item.into(),
            version: version.into(),
            done,
            reason: r.into(),
        }),
        text().prop_map(|t| Body::Note { text: t.into() }),
        (text(), text(), 0..10_000_000_u64, any::<bool>()).prop_map(|(from, to, took, real)| Body::Drilled {
            ring: "ring-1".into(),
            from: from.into(),
            to: to.into(),
            took: std::time::Duration::from_millis(took),
            real,
        }),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    (id(), text(), at(), text(), body()).prop_map(|(id, by, at, journal, body)| Fact {
        id,
        by: by.into(),
        at,
        journal: journal.as_str().into(),
        body,
    })
}

/// Readings of one region: an identity stands for one fact, as writers see to it.
fn readings(count: usize) -> impl Strategy<Value = Vec<RegionRecord>> {
    let settled = (digest(), at(), name(), prop::option::of(0_u64..3));
    let all = (prop::collection::btree_map(id(), fact(), 0..12), prop::collection::vec(settled, 0..4));
    let which = prop::collection::vec(prop::collection::vec(any::<bool>(), 16), count);
    (all, which).prop_map(|((facts, settled), which)| {
        let reading = |take: &Vec<bool>| {
            let mut record = RegionRecord::default();
            for ((id, fact), _) in facts.iter().zip(take).filter(|(_, t)| **t) {
                record.facts.insert(*id, Fact { id: *id, ..fact.clone() });
            }
            for ((digest, at, by, revision), _) in settled.iter().zip(take.iter().rev()).filter(|(_, t)| **t) {
                let fact = Settled { by: by.as_str().into(), at: *at, uid: by.as_str().into(), revision: *revision };
                record.settled.insert(*digest, fact);
            }
            for (n, _) in take.iter().enumerate().filter(|(n, t)| **t && n % 5 == 4) {
                record.unreadable.push(format!("{n}.what").into());
            }
            record.unreadable.sort();
            record
        };
        which.iter().map(reading).collect()
    })
}

fn merged(a: &RegionRecord, b: &RegionRecord) -> RegionRecord {
    let mut out = a.clone();
    out.merge(b);
    out
}

proptest! {
    #![proptest_config(crate::cases(256))]

    #[test]
    fn what_was_written_is_what_is_read(fact in fact()) {
        let (key, value) = (fact.key(), fact.value());
        prop_assert!(value.starts_with("by="), "who comes first");
        prop_assert_eq!(Fact::parse(&key, &value), Some(fact));
    }

    #[test]
    fn any_bytes_are_read_or_counted_as_unreadable(key in text(), value in text()) {
        let record = RegionRecord::read([(key.as_str(), value.as_str())]);
        prop_assert_eq!(record.facts.len() + record.settled.len() + record.unreadable.len(), 1);
    }

    #[test]
    fn reading_is_a_union_in_any_order(readings in readings(3)) {
        let [a, b, c] = readings.as_slice() else { panic!() };
        prop_assert_eq!(merged(a, b), merged(b, a));
        prop_assert_eq!(merged(&merged(a, b), c), merged(a, &merged(b, c)));
        prop_assert_eq!(merged(a, a), a.clone());
        prop_assert_eq!(merged(&merged(a, b), b), merged(a, b));
    }

    /// A region more can add a hold or end one; it can never make one disappear without its release.
    #[test]
    fn a_hold_stays_in_force_until_its_release_is_seen(readings in readings(4)) {
        let (few, all) = (Record { regions: readings[..2].iter().cloned().map(Some).collect(), ..Record::default() },
                          Record { regions: readings.iter().cloned().map(Some).collect(), ..Record::default() });
        let in_force = all.holds();
        for hold in few.holds() {
            let id = hold.id.unwrap();
            prop_assert!(all.released(id) || in_force.iter().any(|h| h.id == Some(id)));
        }
    }
}
