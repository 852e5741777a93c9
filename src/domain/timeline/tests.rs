//! Whatever the facts say, lanes are in order, without overlaps, and nothing of the past lies ahead.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use ulid::Ulid;

use super::*;
use crate::domain::gate::BakeSource;
use crate::domain::record::{Body, Fact, FactId, Move};
use crate::domain::stamp::SignedDuration;
use crate::domain::workload::{Phase, Progress, Replicas};

const NOW: i64 = 1_800_000_000;

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn digest(version: u8) -> TemplateDigest {
    TemplateDigest::of(&serde_json::json!(version))
}

fn moved(from: u8, to: u8) -> Move {
    Move {
        plan: Ulid(1),
        ring: "ring-0".into(),
        from_version: format!("v{from}").into(),
        to_version: format!("v{to}").into(),
        from_template: digest(from),
        to_template: digest(to),
        from: Vec::new(),
        policy: "".into(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    }
}

fn workload(version: u8, paused: bool, phase: Phase, updated: i64) -> Workload {
    Workload {
        uid: "u".into(),
        generation: 1,
        observed_generation: 1,
        template: digest(version),
        version: Version(format!("v{version}").into()),
        image: None,
        replicas: Replicas::default(),
        paused,
        progress: Progress { updated: Some(time(updated)), ..Progress::default() },
        phase,
        revision: Some(3),
        change_cause: None,
        owner: None,
        configurations: Default::default(),
    }
}

fn body(kind: u8, n: u8) -> Body {
    let id = FactId(Ulid(u128::from(n)));
    match kind {
        0 => Body::Promoted(moved(n, n.wrapping_add(1) % 4)),
        1 => Body::RolledBack(moved(n, n.wrapping_sub(1) % 4)),
        2 => Body::Drained { before: Vec::new(), backend: "b".into(), reason: "".into() },
        3 => Body::Restored { drained: id, reason: "".into() },
        4 => Body::Paused { hold: id, template: digest(n % 4), was: None },
        _ => Body::Unpaused { paused: id },
    }
}

prop_compose! {
    fn region()(
        facts in proptest::collection::vec((0u8..6, 0u8..12, -90_000i64..90_000), 0..12),
        created in proptest::collection::vec((-90_000i64..9_000, any::<bool>()), 0..5),
        version in 0u8..4,
        paused in any::<bool>(),
        phase in 0u8..3,
        settled in proptest::option::of(-90_000i64..90_000),
        happened in proptest::collection::vec((0u8..4, -90_000i64..9_000), 0..6),
        listed in any::<bool>(),
    ) -> (RegionRecord, Vec<Revision>, Workload, Option<i64>, Vec<Happening>, bool) {
        let mut record = RegionRecord::default();
        for (kind, n, at) in facts {
            let id = FactId(Ulid(u128::from(n)));
            record.facts.insert(id, Fact { id, by: "x".into(), at: time(NOW + at), journal: "".into(), body: body(kind, n) });
        }
        let revisions = created.iter().enumerate().map(|(n, (at, reused))| Revision {
            name: "rs".into(),
            number: u64::try_from(n).unwrap(),
            hash: "h".into(),
            created: Some(time(NOW + at)),
            reused: *reused,
            cause: None,
        });
        let phase = [Phase::Complete, Phase::DeadlineExceeded, Phase::Unobserved][usize::from(phase)];
        let happened = happened.iter().map(|(kind, at)| Happening {
            at: time(NOW + at),
            what: match kind {
                0 => Happened::Gap,
                1 => Happened::Weight(0),
                2 => Happened::Weight(5),
                _ => Happened::Template { version: "v".into(), template: digest(version) },
            },
        });
        let settled_at = settled.filter(|_| phase == Phase::Complete);
        (
            record,
            revisions.collect(),
            workload(version, paused, phase, NOW - 500),
            settled_at,
            happened.collect(),
            listed,
        )
    }
}

proptest! {
    #[test]
    fn lanes_are_ordered_disjoint_and_past(regions in proptest::collection::vec(region(), 1..4)) {
        let now = time(NOW);
        let stories: Vec<RegionStory<'_>> = regions
            .iter()
            .enumerate()
            .map(|(n, (record, revisions, workload, settled, happenings, listed))| RegionStory {
                region: n.into(),
                workload: Some(workload),
                revisions,
                listed: *listed,
                record: Some(record),
                happenings,
                settled: settled.map(|at| BakeStart { at: time(NOW + at), source: BakeSource::Record }),
                ring_start: settled.map(|at| time(NOW + at)),
                bake: Duration::from_secs(3_600),
                ring: n,
            })
            .collect();
        let segments = segments(&stories, now);
        prop_assert_eq!(&segments, &super::segments(&stories, now), "the same twice");
        for (n, s) in segments.iter().enumerate() {
            prop_assert!(s.from <= now && s.to.is_none_or(|to| to <= now && to >= s.from), "{s:?}");
            prop_assert!(!s.projected);
            prop_assert!(s.kind.is_mark() || s.to.is_none_or(|to| to > s.from), "{s:?}");
            let Some(next) = segments.get(n + 1).filter(|o| o.region == s.region) else { continue };
            prop_assert!(next.from >= s.from, "out of order: {s:?} {next:?}");
        }
        for (n, a) in segments.iter().enumerate().filter(|(_, s)| s.to != Some(s.from)) {
            for b in segments.iter().skip(n + 1).filter(|b| b.region == a.region && b.to != Some(b.from)) {
                prop_assert!(a.to.is_some_and(|to| to <= b.from), "overlap: {a:?} {b:?}");
            }
        }
    }

    #[test]
    fn projections_lie_ahead_and_come_ring_by_ring(
        rings in proptest::collection::vec((1u32..4, any::<bool>(), 0i64..200_000, 0u64..100_000, 1u32..4, any::<bool>()), 1..5),
    ) {
        let version = Version("v2".into());
        let mut next = 0u32;
        let rings = rings.into_iter().map(|(count, has, ago, bake, parallelism, stuck)| {
            let regions = (0..count).map(|_| { next += 1; (RegionIx(next - 1), has) }).collect();
            RingOutlook {
                regions,
                bake_start: has.then(|| time(NOW - ago)),
                bake: Duration::from_secs(bake),
                until: None,
                not_before: None,
                distance: Duration::ZERO,
                parallelism,
                stagger: None,
                stuck,
            }
        });
        let outlook = Outlook { version: &version, rings: rings.collect(), rollout: None, changed: None, opens: &|_, at| Some(at), now: time(NOW) };
        let projection = project(&outlook);
        prop_assert!(projection.segments.iter().all(|s| s.projected && s.from >= time(NOW) && s.to >= Some(s.from)));
        prop_assert!(projection.ready_at.windows(2).all(|w| w[1].is_none() || w[0] <= w[1]));
        prop_assert_eq!(projection.eta, projection.ready_at.last().copied().flatten());
        let stuck = outlook.rings.iter().position(|r| r.stuck).unwrap_or(usize::MAX);
        prop_assert!(projection.ready_at.iter().enumerate().all(|(n, r)| r.is_some() == (n < stuck)));
    }
}

#[test]
fn a_staggered_ring_is_projected_region_by_region() {
    let version = Version("v2".into());
    let ring = RingOutlook {
        regions: vec![(RegionIx(0), true), (RegionIx(1), false), (RegionIx(2), false)],
        bake_start: None,
        bake: Duration::from_secs(600),
        until: None,
        not_before: None,
        distance: Duration::ZERO,
        parallelism: 3,
        stagger: Some(Duration::from_secs(60)),
        stuck: false,
    };
    let rollout = Some(SignedDuration::from_secs(100));
    let projection = project(&Outlook {
        version: &version,
        rings: vec![ring],
        rollout,
        changed: None,
        opens: &|_, at| Some(at),
        now: time(NOW),
    });
    let promoted: Vec<_> = projection
        .segments
        .iter()
        .filter(|s| s.kind == SegmentKind::Promoted)
        .map(|s| (s.region.0, s.from.as_second() - NOW))
        .collect();
    assert_eq!(promoted, [(1, 0), (2, 160)]);
    assert_eq!(projection.eta, Some(time(NOW + 260 + 600)));
}
