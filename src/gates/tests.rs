//! Gates judged on tables of evidence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::fleet::{
    Better, Carry, Column, GateSpec, Param, Params, QueryText, Region, Ring, Unit, VersionFrom, WorkloadRef,
};
use crate::domain::gate::{BakeSource, BakeStart, Need, Peer};
use crate::domain::id::{ClusterIx, ColumnName, Namespace, RegionIx, RegionName, RingIx, RingName, ServiceName};
use crate::domain::link::LostReason;
use crate::domain::metric::{NoData, Reading, Windows};
use crate::domain::record::{Body, Fact, FactId, Record, RegionRecord};
use crate::domain::stamp::WINDOW;
use crate::domain::verdict::{RingVerdict, Stretch};
use crate::domain::version::{Image, TemplateDigest, Version};
use crate::domain::workload::{Phase, Progress, Progressing, Replicas, Workload};

mod bake;
mod baseline;
mod burn_rate;
mod coverage;
mod every;
mod resources;
mod threshold;

fn at(minutes: i64) -> Timestamp {
    // A moment on a window boundary.
    Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
}

fn digest(n: u8) -> TemplateDigest {
    TemplateDigest::of(&serde_json::json!({"n": n}))
}

fn service() -> Service {
    let column = |name: &str, unit| Column {
        name: ColumnName::new(name),
        title: name.into(),
        query: QueryText::PerRegion("up".into()),
        unit,
        better: Better::Lower,
        is_traffic: false,
    };
    Service {
        name: ServiceName::new("web"),
        rings: vec![Ring {
            name: RingName::new("ring-1"),
            label: None,
            regions: vec![RegionIx(0)],
            parallelism: 1,
            stagger: None,
            exit_gates: Vec::new(),
            entry_gates: Vec::new(),
        }],
        regions: vec![Region {
            name: RegionName::new("eu"),
            ring: RingIx(0),
            cluster: ClusterIx(0),
            workload: WorkloadRef {
                kind: "Deployment".into(),
                namespace: Namespace::new("web"),
                name: "web".into(),
                container: "web".into(),
            },
            route: None,
            delivery: None,
            carrier: None,
            capacity: None,
            absorbers: Vec::new(),
            zone: None,
            owner: None,
            escalation: None,
            deciders: Vec::new(),
            stays: false,
        }],
        columns: vec![
            column("errors", Unit::Ratio),
            column("p99", Unit::Seconds),
            column("heap", Unit::Bytes),
            Column { is_traffic: true, ..column("qps", Unit::PerSecond) },
        ],
        carries: vec![Carry::Image],
        version_from: VersionFrom::Image,
        owner: None,
        escalation: None,
        deciders: Vec::new(),
        runbook: None,
        release_url: None,
        freeze: false,
        flag_off: None,
        policy: Default::default(),
        policy_hash: "".into(),
    }
}

fn workload() -> Workload {
    Workload {
        uid: "u".into(),
        generation: 3,
        observed_generation: 3,
        template: digest(1),
        version: Version("v2".into()),
        image: Some(Image::parse("web:v2")),
        replicas: Replicas { desired: 4, total: 4, updated: 4, ready: 4, available: 4 },
        paused: false,
        progress: Progress::default(),
        phase: Phase::Complete,
        revision: None,
        change_cause: None,
        owner: None,
        configurations: Default::default(),
    }
}

/// Evidence as data that a test changes.
struct Case {
    service: Service,
    workload: Option<Workload>,
    wanted: Option<TemplateDigest>,
    freshness: Freshness<'static>,
    bake_start: Option<BakeStart>,
    windows: BTreeMap<ColumnName, Windows>,
    record: Record,
    /// Regions of later rings.
    peers: Vec<Other>,
    current: BTreeMap<ColumnName, (Timestamp, Reading)>,
    now: Timestamp,
}

/// Another region.
struct Other {
    workload: Option<Workload>,
    freshness: Freshness<'static>,
    settled: Option<BakeStart>,
    windows: BTreeMap<ColumnName, Windows>,
    held: bool,
    weight: Option<u32>,
}

/// Settled at minute 0 of a boundary, judged an hour later.
fn case() -> Case {
    Case {
        service: service(),
        workload: Some(workload()),
        wanted: Some(digest(1)),
        freshness: Freshness::Live,
        bake_start: Some(BakeStart { at: at(0), source: BakeSource::Condition }),
        windows: BTreeMap::new(),
        record: Record::for_regions(1),
        peers: Vec::new(),
        current: BTreeMap::new(),
        now: at(60),
    }
}

impl Case {
    fn judge(&self, gate: &dyn Gate) -> Judgement {
        let peers = self.seen_peers();
        gate.judge(&Evidence {
            service: &self.service,
            ring: &self.service.rings[0],
            region: &self.service.regions[0],
            at: RegionIx(0),
            workload: self.workload.as_ref(),
            delivery: None,
            delivery_freshness: Freshness::Live,
            wanted: self.wanted,
            freshness: self.freshness.clone(),
            record_unread: None,
            bake_start: self.bake_start,
            windows: &self.windows,
            current: &self.current,
            peers: &peers,
            entering: None,
            answers: &BTreeMap::new(),
            siblings: &[],
            record: &self.record,
            identities: &crate::domain::approval::Identities::default(),
            promoting: false,
            pools: &crate::domain::pool::Pools::default(),
            now: self.now,
        })
    }
    /// This region, and the others.
    fn seen_peers(&self) -> Vec<Peer<'_>> {
        let own = Peer {
            region: &self.service.regions[0],
            workload: self.workload.as_ref(),
            freshness: self.freshness.clone(),
            settled: self.bake_start,
            windows: &self.windows,
            current: &self.current,
            user: None,
            held: false,
            weight: None,
        };
        let others = self.service.regions.iter().skip(1).zip(&self.peers).map(|(region, other)| Peer {
            region,
            workload: other.workload.as_ref(),
            freshness: other.freshness.clone(),
            settled: other.settled,
            windows: &other.windows,
            current: &self.current,
            user: None,
            held: other.held,
            weight: other.weight,
        });
        std::iter::once(own).chain(others).collect()
    }
    /// A gate for this service.
    fn gate(&self, name: &str, params: &[(&str, Param)]) -> Result<Box<dyn Gate>, ParamError> {
        let params = params.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        gate_type(name).unwrap().build(&Params(params), &self.service)
    }
    fn errors(self, readings: impl IntoIterator<Item = (i64, Reading)>) -> Self {
        self.column("errors", readings)
    }
    fn column(mut self, name: &str, readings: impl IntoIterator<Item = (i64, Reading)>) -> Self {
        let windows = readings.into_iter().map(|(minute, reading)| (at(minute), reading)).collect();
        self.windows.insert(ColumnName::new(name), windows);
        self
    }
    /// The ring's own `bake`, as its gates see it.
    fn bakes(mut self, length: &str) -> Self {
        let spec = GateSpec {
            gate: "bake".into(),
            label: "bake".into(),
            params: Params([("for".to_owned(), text(length))].into()),
        };
        self.service.rings[0].exit_gates.push(spec);
        self
    }
    /// A stretch of errors that a person accepted, by the ends of its windows.
    fn accepts(mut self, minutes: (i64, i64), template: TemplateDigest) -> Self {
        let id = FactId(ulid::Ulid::from_parts(7, 7));
        let stretch = Stretch { column: ColumnName::new("errors"), from: at(minutes.0), to: at(minutes.1) };
        let body = Body::Accepted { stretch, template, reason: "a batch job".into() };
        let mut record = RegionRecord::default();
        record.facts.insert(id, Fact { id, by: "ana".into(), at: self.now, journal: "".into(), body });
        self.record.regions[0] = Some(record);
        self
    }
    fn good() -> Self {
        case().errors((1..=12).map(|n| (n * 5, Ok(0.002))))
    }
}

fn gate(name: &str, params: &[(&str, Param)]) -> Result<Box<dyn Gate>, ParamError> {
    let params = params.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
    gate_type(name).unwrap().build(&Params(params), &service())
}

fn text(value: &str) -> Param {
    Param::Text(value.to_owned())
}

fn errors_below_one_percent() -> Box<dyn Gate> {
    gate("threshold", &[("column", text("errors")), ("max", text("1%"))]).unwrap()
}

fn bake(length: &str) -> Box<dyn Gate> {
    gate("bake", &[("for", text(length))]).unwrap()
}

#[test]
fn ready_says_what_is_missing() {
    type Change = fn(&mut Case);
    let table: &[(&str, Change, Verdict, &str)] = &[
        ("rolled out", |_| (), Verdict::Go, "v2 is rolled out, 4 of 4 updated"),
        ("nothing wanted in particular", |c| c.wanted = None, Verdict::Go, "v2"),
        ("another template", |c| c.wanted = Some(digest(2)), Verdict::Wait, "the release wants"),
        ("paused", |c| c.workload.as_mut().unwrap().paused = true, Verdict::Wait, "paused"),
        (
            "under way",
            |c| {
                let w = c.workload.as_mut().unwrap();
                w.phase = Phase::Progressing(Progressing::Updating);
                w.replicas.updated = 1;
            },
            Verdict::Wait,
            "updating, 1 of 4 updated",
        ),
        ("not observed", |c| c.workload.as_mut().unwrap().phase = Phase::Unobserved, Verdict::Wait, "generation 3"),
        (
            "deadline",
            |c| {
                let w = c.workload.as_mut().unwrap();
                w.phase = Phase::DeadlineExceeded;
                w.progress.failure = Some("ProgressDeadlineExceeded: stuck".into());
            },
            Verdict::NoGo,
            "stuck",
        ),
        ("scaled to zero", |c| c.workload.as_mut().unwrap().replicas.desired = 0, Verdict::Findings, "scaled to zero"),
        ("no such container", |c| c.workload.as_mut().unwrap().image = None, Verdict::NoData, "no container web"),
        ("never seen", |c| c.workload = None, Verdict::NoData, "Deployment web/web was not seen"),
        ("never heard", |c| c.freshness = Freshness::Never, Verdict::NoData, "not heard yet"),
    ];
    for (name, change, verdict, words) in table {
        let mut case = case();
        change(&mut case);
        let judged = case.judge(&Ready);
        assert_eq!(judged.verdict, *verdict, "{name}: {}", judged.sentence);
        assert!(judged.sentence.contains(words) && judged.sentence.starts_with("eu:"), "{name}: {}", judged.sentence);
    }
}

#[test]
fn a_known_fault_stays_a_fault_when_the_link_is_lost() {
    let mut case = case();
    case.workload.as_mut().unwrap().phase = Phase::DeadlineExceeded;
    case.freshness = Freshness::Late(Duration::from_secs(90));
    assert_eq!(case.judge(&Ready).verdict, Verdict::NoGo);
}

#[test]
fn bake_counts_from_when_the_last_region_settled() {
    let gate = bake("1h");
    let mut case = case();
    for (now, verdict, cell) in
        [(0, Verdict::Wait, "0s/1h00m"), (59, Verdict::Wait, "59m00s/1h00m"), (60, Verdict::Go, "1h00m")]
    {
        case.now = at(now);
        let judged = case.judge(&*gate);
        assert_eq!((judged.verdict, &*judged.cell), (verdict, cell), "{}", judged.sentence);
        assert_eq!(judged.until, (verdict == Verdict::Wait).then(|| at(60)));
    }
    assert_eq!(gate.minimum(), Duration::from_secs(3600));
    // This host's clock is behind the cluster's.
    case.now = at(-5);
    assert_eq!(case.judge(&*gate).verdict, Verdict::Wait);
    // An autoscaler at work leaves the clock where it was.
    case.now = at(61);
    case.workload.as_mut().unwrap().phase = Phase::Progressing(Progressing::Updating);
    assert_eq!(case.judge(&*gate).verdict, Verdict::Go);
}

#[test]
fn a_bake_without_a_start_is_unknown_or_not_begun() {
    let gate = bake("1h");
    let mut case = case();
    case.bake_start = None;
    assert_eq!(case.judge(&*gate).verdict, Verdict::NoData);
    case.workload.as_mut().unwrap().phase = Phase::Progressing(Progressing::Availability);
    assert_eq!(case.judge(&*gate).verdict, Verdict::Wait);
    case.workload = None;
    assert_eq!(case.judge(&*gate).verdict, Verdict::NoData);
    let mut other = self::case();
    other.wanted = Some(digest(9));
    assert_eq!(other.judge(&*gate).verdict, Verdict::Wait);
}

#[test]
fn freshness_is_about_the_link_and_the_object() {
    let mut case = case();
    assert_eq!(case.judge(&FreshnessGate).verdict, Verdict::Go);
    case.workload = None;
    assert_eq!(case.judge(&FreshnessGate).verdict, Verdict::NoData);
    let reason = LostReason::Unauthenticated("token expired".into());
    let lost = Freshness::Lost(Some(Duration::from_secs(125)), &reason);
    let evidence_case = self::case();
    let judged = FreshnessGate.judge(&Evidence {
        freshness: lost,
        record_unread: None,
        service: &evidence_case.service,
        ring: &evidence_case.service.rings[0],
        region: &evidence_case.service.regions[0],
        at: RegionIx(0),
        workload: evidence_case.workload.as_ref(),
        delivery: None,
        delivery_freshness: Freshness::Live,
        wanted: None,
        bake_start: None,
        windows: &BTreeMap::new(),
        current: &BTreeMap::new(),
        peers: &[],
        entering: None,
        answers: &BTreeMap::new(),
        siblings: &[],
        record: &crate::domain::record::Record::default(),
        identities: &crate::domain::approval::Identities::default(),
        promoting: false,
        pools: &crate::domain::pool::Pools::default(),
        now: at(0),
    });
    assert_eq!(judged.verdict, Verdict::NoData);
    assert_eq!(&*judged.sentence, "eu: its cluster is not logged in (token expired), last heard 2m05s ago");
}

#[test]
fn a_record_that_cannot_be_read_closes_freshness_and_says_why() {
    let case = case();
    let judged = FreshnessGate.judge(&Evidence {
        freshness: Freshness::Live,
        record_unread: Some("list configmaps in namespace web of cluster eu: 403 Forbidden".into()),
        service: &case.service,
        ring: &case.service.rings[0],
        region: &case.service.regions[0],
        at: RegionIx(0),
        workload: case.workload.as_ref(),
        delivery: None,
        delivery_freshness: Freshness::Live,
        wanted: None,
        bake_start: None,
        windows: &BTreeMap::new(),
        current: &BTreeMap::new(),
        peers: &[],
        entering: None,
        answers: &BTreeMap::new(),
        siblings: &[],
        record: &crate::domain::record::Record::default(),
        identities: &crate::domain::approval::Identities::default(),
        promoting: false,
        pools: &crate::domain::pool::Pools::default(),
        now: at(0),
    });
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::NoData, "no record"));
    assert!(judged.sentence.contains("a hold there would not be seen: list configmaps"), "{}", judged.sentence);
}

#[test]
fn parameters_that_do_not_fit_are_refused_with_the_way_to_write_them() {
    for (name, params, wrong, words) in [
        ("bake", vec![], "for", "24h"),
        ("bake", vec![("for", text("soon"))], "for", "24h"),
        ("bake", vec![("for", Param::Number(5.0))], "for", "24h"),
        ("bake", vec![("for", text("9999d"))], "for", "year"),
        ("threshold", vec![("max", text("1%"))], "column", "which column"),
        ("threshold", vec![("column", text("erors")), ("max", text("1%"))], "column", "did you mean `errors`"),
        ("threshold", vec![("column", text("errors"))], "max", "`max` or `min`"),
        ("threshold", vec![("column", text("errors")), ("max", text("200ms"))], "max", "\"1%\" or 0.01"),
        ("threshold", vec![("column", text("p99")), ("max", text("1%"))], "max", "200ms"),
        ("threshold", vec![("column", text("heap")), ("min", Param::Flag(true))], "min", "2GiB"),
        ("threshold", vec![("column", text("p99")), ("max", text("1s")), ("min", text("2s"))], "min", "above"),
        (
            "threshold",
            vec![("column", text("p99")), ("max", text("1s")), ("windows", Param::Number(0.0))],
            "windows",
            "whole number",
        ),
    ] {
        let Err(error) = gate(name, &params) else { panic!("{name} {params:?}") };
        assert_eq!(error.name, wrong, "{name} {params:?}");
        assert!(error.message.contains(words), "{}", error.message);
    }
}

#[test]
fn bounds_are_read_in_the_columns_unit() {
    for (text, unit, value) in [
        ("1%", Unit::Ratio, Some(0.01)),
        ("0.01", Unit::Ratio, Some(0.01)),
        ("200ms", Unit::Seconds, Some(0.2)),
        ("1.5 s", Unit::Seconds, Some(1.5)),
        ("2s", Unit::Millis, Some(2000.0)),
        ("2GiB", Unit::Bytes, Some(2_147_483_648.0)),
        ("10k", Unit::PerSecond, Some(10_000.0)),
        ("-5", Unit::Number, Some(-5.0)),
        ("1%", Unit::Seconds, None),
        ("inf", Unit::Number, None),
        ("", Unit::Number, None),
        ("%", Unit::Ratio, None),
        ("1 2", Unit::Number, None),
    ] {
        let read = parse_bound(text, unit);
        assert!(
            match (read, value) {
                (Some(a), Some(b)) => (a - b).abs() < 1e-9,
                (a, b) => a == b,
            },
            "{text}: {read:?}"
        );
    }
}

#[test]
fn every_gate_type_has_a_name_of_its_own_and_can_be_explained() {
    let names: std::collections::BTreeSet<_> = GATES.iter().map(|g| g.name()).collect();
    assert_eq!(names.len(), GATES.len());
    for gate in GATES {
        assert!(!gate.about().is_empty() && (gate.may_exit() || gate.may_enter()));
        assert!(gate.parameters().iter().all(|p| !p.about.is_empty()));
    }
}

fn reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        6 => (0.0..0.009).prop_map(Ok),
        1 => Just(Ok(0.02)),
        1 => Just(Ok(f64::NAN)),
        1 => Just(Err(NoData::Gap)),
        1 => Just(Err(NoData::Timeout)),
    ]
}

/// Takes evidence away, or makes it fail.
fn damage(case: &mut Case, how: u8, window: usize) {
    let errors = ColumnName::new("errors");
    let key = case.windows.get(&errors).and_then(|w| w.iter().nth(window % 12).map(|(end, _)| end));
    match how {
        0 => case.workload = None,
        1 => case.freshness = Freshness::Never,
        2 => case.freshness = Freshness::Late(Duration::from_secs(100)),
        3 => case.bake_start = None,
        4 => case.windows.clear(),
        5 => {
            // A violation that is no longer known may not turn into good evidence either.
            if let (Some(key), Some(windows)) = (key, case.windows.get_mut(&errors))
                && windows.get(key).is_some_and(|r| r.is_ok_and(|v| v <= 0.01))
            {
                windows.insert(key, Err(NoData::Timeout));
            }
        }
        6 => {
            if let (Some(key), Some(windows)) = (key, case.windows.get_mut(&errors))
                && windows.get(key).is_some_and(|r| r.is_ok_and(|v| v <= 0.01))
            {
                *windows =
                    windows.iter().filter(|(end, _)| *end != key).map(|(e, s)| (e, s.map_err(Clone::clone))).collect();
            }
        }
        _ => case.workload.as_mut().into_iter().for_each(|w| w.image = None),
    }
}

proptest! {
    #[test]
    fn failing_input_never_makes_a_verdict_good(
        readings in prop::collection::vec(reading(), 12),
        how in 0u8..8,
        window in 0usize..12,
        now in 0i64..64,
        phase in 0usize..4,
    ) {
        let gates: [Box<dyn Gate>; 4] = [Box::new(Ready), Box::new(FreshnessGate), bake("30m"), errors_below_one_percent()];
        let build = || {
            let mut case = case().errors(readings.iter().cloned().enumerate().map(|(i, r)| (i as i64 * 5 + 5, r)));
            case.now = at(now);
            let phases = [Phase::Complete, Phase::Unobserved, Phase::Progressing(Progressing::Updating), Phase::DeadlineExceeded];
            case.workload.as_mut().unwrap().phase = phases[phase];
            case
        };
        for gate in &gates {
            let before = build().judge(&**gate);
            let mut worse = build();
            damage(&mut worse, how, window);
            let after = worse.judge(&**gate);
            prop_assert!(
                !(before.verdict > Verdict::Findings && after.verdict <= Verdict::Findings),
                "{} became {}: {}", before.verdict, after.verdict, after.sentence
            );
            if how <= 2 {
                prop_assert!(after.verdict >= Verdict::NoData, "{}", after.sentence);
            }
        }
    }

    #[test]
    fn no_evidence_makes_a_gate_panic(start in any::<i64>(), now in any::<i64>(), values in prop::collection::vec((any::<i64>(), any::<f64>()), 0..20)) {
        let time = |n: i64| Timestamp::from_second(n.rem_euclid(600_000_000_000) - 300_000_000_000).unwrap_or(Timestamp::MAX);
        let mut case = case();
        case.bake_start = Some(BakeStart { at: time(start), source: BakeSource::FirstSeen });
        case.now = time(now);
        let windows = values.iter().map(|(t, v)| (time(*t), Ok(*v))).collect();
        case.windows.insert(ColumnName::new("errors"), windows);
        for gate in [bake("365d"), errors_below_one_percent(), Box::new(Ready), Box::new(FreshnessGate)] {
            let judged = case.judge(&*gate);
            prop_assert!(!judged.sentence.is_empty() && !judged.cell.is_empty());
        }
    }
}

#[test]
fn the_span_that_is_judged_is_whole_windows() {
    assert_eq!(JUDGED_SPAN.as_secs() % WINDOW.as_secs(), 0);
}
