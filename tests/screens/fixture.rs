//! One moment of a release: ring-1 bakes, ring-2 and ring-3 wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gonogo::domain::change::{ApiType, Change, ObjectRef, PatchKind};
use gonogo::domain::finding::Finding;
use gonogo::domain::fleet::{
    Better, Capacity, Cluster, Column, Fleet, QueryText, Region, Ring, RouteRef, Service, Unit, VersionFrom,
    WorkloadRef,
};
use gonogo::domain::gate::{BakeSource, BakeStart};
use gonogo::domain::id::{ClusterUid, ColumnName, RegionIx, RingIx, ServiceIx};
use gonogo::domain::intent::{Intent, Target, Verb};
use gonogo::domain::link::{Link, LostReason};
use gonogo::domain::plan::{Blast, DiffLine, Expectation, Plan, PlanId, Step, Write, WriteRole};
use gonogo::domain::record::{Body, Fact, FactId, HoldInForce, Move, RegionRecord, Scope};
use gonogo::domain::stamp::{Stamp, Stamped, Timestamp};
use gonogo::domain::verdict::{Judgement, Stretch, Verdict};
use gonogo::domain::version::{Image, TemplateDigest, Version};
use gonogo::domain::workload::{Phase, Progress, Replicas, Revision, Workload};
use gonogo::engine::effect::Msg;
use gonogo::engine::state::{Happened, Happening, RegionState};
use gonogo::engine::view::{
    Drained, Heard, LastRaised, Question, QuestionRow, RegionView, RegionWord, ReleasePhase, ReleaseView, RingPhase,
    RingRuns, RingView, Segment, SegmentKind, ServiceView,
};
use gonogo::engine::{Engine, Setting};
use serde_json::json;

/// 20 November, 14:32:07 UTC.
pub fn now() -> Stamp {
    Stamp { wall: "2026-11-20T14:32:07Z".parse().unwrap(), mono: Duration::from_secs(1_000) }
}

pub fn at(text: &str) -> Timestamp {
    format!("2026-11-{text}Z").replace(' ', "T").parse().unwrap()
}

/// Name, cluster, namespace zone, replicas, QPS, share, errors, p99.
pub struct Place(pub &'static str, pub &'static str, pub u32, pub f64, pub f64, pub f64, pub f64);

pub const PLACES: [Place; 4] = [
    Place("staging", "UTC", 2, 40.0, 0.0, 0.0, 0.101),
    Place("ap-south-1", "Asia/Kolkata", 12, 12_400.0, 0.113, 0.0030, 0.145),
    Place("eu-west-1", "Europe/Dublin", 40, 45_200.0, 0.412, 0.0020, 0.120),
    Place("us-east-1", "America/New_York", 48, 52_100.0, 0.475, 0.0021, 0.130),
];

fn column(name: &str, unit: Unit, better: Better) -> Column {
    Column {
        name: ColumnName::from(name),
        title: name.into(),
        query: QueryText::PerRegion("x".into()),
        unit,
        better,
        is_traffic: name == "QPS",
    }
}

pub fn service(name: &str, regions: &[(String, usize)], rings: &[(&str, &str)]) -> Service {
    let zone = |name: &str| PLACES.iter().find(|p| p.0 == name).map(|p| p.1.into());
    Service {
        name: name.into(),
        rings: rings
            .iter()
            .enumerate()
            .map(|(at, (ring, label))| Ring {
                name: (*ring).into(),
                label: Some((*label).into()),
                regions: regions.iter().enumerate().filter(|(_, r)| r.1 == at).map(|(i, _)| i.into()).collect(),
                parallelism: 1,
                stagger: None,
                exit_gates: Vec::new(),
                entry_gates: Vec::new(),
            })
            .collect(),
        regions: regions
            .iter()
            .enumerate()
            .map(|(at, (region, ring))| Region {
                name: region.as_str().into(),
                ring: (*ring).into(),
                cluster: at.into(),
                workload: WorkloadRef {
                    kind: "Deployment".into(),
                    namespace: "webapp".into(),
                    name: name.into(),
                    container: "web".into(),
                },
                route: (*ring > 0).then(|| RouteRef {
                    provider: "HTTPRoute".into(),
                    cluster: at.into(),
                    namespace: "edge".into(),
                    name: name.into(),
                    rule: 0,
                    backend: region.as_str().into(),
                    drained_below: None,
                    steps: Vec::new(),
                    dwell: std::time::Duration::ZERO,
                    steering: None,
                }),
                delivery: None,
                carrier: None,
                capacity: Some(Capacity { qps: 60_000.0, measured: None }),
                absorbers: Vec::new(),
                zone: zone(region),
                owner: None,
                escalation: None,
                deciders: Vec::new(),
                stays: false,
            })
            .collect(),
        columns: vec![
            column("QPS", Unit::PerSecond, Better::Neither),
            column("errors", Unit::Ratio, Better::Lower),
            column("p50", Unit::Seconds, Better::Lower),
            column("p95", Unit::Seconds, Better::Lower),
            column("p99", Unit::Seconds, Better::Lower),
            column("CPU", Unit::Ratio, Better::Lower),
            column("mem", Unit::Ratio, Better::Lower),
        ],
        carries: Vec::new(),
        version_from: VersionFrom::Image,
        owner: Some("team-web".into()),
        escalation: Some("#web-oncall".into()),
        deciders: vec!["release-team".into()],
        runbook: Some("https://runbooks.example/webapp".into()),
        release_url: None,
        freeze: false,
        flag_off: None,
        policy: Default::default(),
        policy_hash: "0123456789abcdef".into(),
    }
}

pub const RINGS: [(&str, &str); 4] =
    [("ring-0", "internal staging"), ("ring-1", "canary"), ("ring-2", "second"), ("ring-3", "first")];

pub fn fleet(services: Vec<Service>) -> Arc<Fleet> {
    let most = services.iter().map(|s| s.regions.len()).max().unwrap_or(0);
    let names = services.first().map(|s| s.regions.clone()).unwrap_or_default();
    let clusters = (0..most).map(|i| Cluster {
        name: names.get(i).map_or_else(|| format!("c{i}"), |r| format!("prod-{}", r.name)).as_str().into(),
        prometheus: None,
    });
    Arc::new(Fleet {
        name: "demo".into(),
        clusters: clusters.collect(),
        prometheuses: Vec::new(),
        services,
        identities: Default::default(),
    })
}

/// Four regions in four rings.
pub fn four() -> Vec<(String, usize)> {
    PLACES.iter().enumerate().map(|(at, p)| (p.0.to_owned(), at)).collect()
}

pub fn engine(fleet: Arc<Fleet>) -> Engine {
    let setting =
        Setting { operator: "oncall@desk".into(), seed: 7, may_keep: false, refresh: Duration::from_secs(15) };
    let mut engine = Engine::new(fleet, setting, now());
    // Views are made anew where something changed; after this only what is set here is shown.
    engine.update(Stamped { stamp: now(), value: Msg::Tick });
    for (i, cluster) in engine.clusters.iter_mut().enumerate() {
        cluster.link = Link::Live;
        cluster.heard = Some(now());
        cluster.facts.uid = Some(ClusterUid::from(format!("5c1e{i:04}-aaaa-bbbb-cccc-000000000000")));
        cluster.facts.version = Some("v1.32.4".into());
        cluster.facts.user = Some("oncall@example".into());
        cluster.facts.watches = 3;
    }
    engine
}

pub fn digest(version: &str) -> TemplateDigest {
    TemplateDigest::of(&json!({ "v": version }))
}

pub fn workload(version: &str, replicas: u32) -> Workload {
    Workload {
        uid: "uid-1".into(),
        generation: 14,
        observed_generation: 14,
        template: digest(version),
        version: Version(version.into()),
        image: Some(Image::parse(&format!("registry.example/webapp:{version}@sha256:91a0b1c2d3e4f5"))),
        replicas: Replicas {
            desired: replicas,
            total: replicas,
            updated: replicas,
            ready: replicas,
            available: replicas,
        },
        paused: false,
        progress: Progress { reason: Some("NewReplicaSetAvailable".into()), ..Progress::default() },
        phase: Phase::Complete,
        revision: Some(14),
        change_cause: Some("gonogo promote".into()),
        owner: None,
        configurations: Default::default(),
    }
}

fn history(base: f64, seed: usize) -> Vec<(Timestamp, f64)> {
    let wave = |i: usize| 1.0 + 0.25 * (((i * 7 + seed * 13) % 11) as f64 / 11.0 - 0.5);
    let start = now().wall.as_second() - 3_600;
    (0..60).map(|i| (Timestamp::from_second(start + i as i64 * 60).unwrap(), base * wave(i))).collect()
}

pub fn region_state(at_index: usize, place: &Place, version: &str) -> RegionState {
    let sampled = Timestamp::from_second(now().wall.as_second() - 2).unwrap();
    let values: [(&str, f64); 7] = [
        ("QPS", place.3),
        ("errors", place.5),
        ("p50", place.6 * 0.3),
        ("p95", place.6 * 0.7),
        ("p99", place.6),
        ("CPU", 0.42 - 0.02 * at_index as f64),
        ("mem", 0.68 - 0.01 * at_index as f64),
    ];
    let mut state =
        RegionState { workload: Some(workload(version, place.2)), record_listed: true, ..RegionState::default() };
    for (name, value) in values {
        state.current.insert(name.into(), (sampled, Ok(value)));
        state.history.insert(name.into(), history(value, at_index));
    }
    if place.5 > 0.0 {
        let mut windows = BTreeMap::new();
        for i in 0..24 {
            let end = Timestamp::from_second(at("20 02:00:00").as_second() + i * 300 + 300).unwrap();
            windows.insert(end, Ok(place.5 * if i >= 12 { 1.1 } else { 1.0 }));
        }
        state.windows.insert("errors".into(), windows.into_iter().collect());
    }
    state.revisions = vec![
        Revision {
            name: "webapp-7d9".into(),
            number: 14,
            hash: "7d9".into(),
            created: Some(at("19 15:51:00")),
            reused: false,
            cause: Some("gonogo promote".into()),
        },
        Revision {
            name: "webapp-5f4".into(),
            number: 13,
            hash: "5f4".into(),
            created: Some(at("02 09:00:00")),
            reused: false,
            cause: None,
        },
    ];
    if at_index == 1 {
        state.happenings.push(Happening { at: at("20 14:31:50"), what: Happened::Settled });
        state.happenings.push(Happening {
            at: at("19 15:51:00"),
            what: Happened::Template { version: "v2.1.0".into(), template: digest("v2.1.0") },
        });
    }
    state
}

pub fn region_view(on_new: bool, share: f64, routed: bool) -> RegionView {
    RegionView {
        state: RegionWord::Settled,
        heard: Heard::Live,
        on_new: Some(on_new),
        weight: routed.then_some((100, Some(share))),
        share: Some(share),
        drained: Drained::No,
        under_way: None,
        residual: None,
        held: false,
        burn: None,
        template: Some(digest(if on_new { "v2.1.0" } else { "v2.0.0" })),
    }
}

fn ring_view(
    phase: RingPhase,
    version: &str,
    settled: Option<&str>,
    verdict: Verdict,
    ready: Option<&str>,
) -> RingView {
    RingView {
        runs: RingRuns::One(Version(version.into())),
        phase,
        bake_start: settled.map(|s| BakeStart { at: at(s), source: BakeSource::Condition }),
        bake: Duration::from_secs(86_400),
        verdict,
        ready_at: ready.map(at),
        promote_at: None,
    }
}

pub fn segment(region: u32, kind: SegmentKind, from: &str, to: Option<&str>, projected: bool) -> Segment {
    Segment {
        region: RegionIx(region),
        kind,
        from: at(from),
        to: to.map(at),
        version: Some(Version("v2.1.0".into())),
        projected,
    }
}

pub fn question() -> Question {
    let go =
        |cell: &str| Some(Judgement::new(Verdict::Go, cell, format!("ap-south-1: {cell} is within bounds")).into());
    let mut bake =
        Judgement::new(Verdict::Wait, "1h22m", "ap-south-1 has baked 22h38m of 24h00m").until(at("20 15:54:00"));
    bake.evidence.push("template 3f2a91bc settled 19 Nov 15:54 UTC by the workload's condition".into());
    let mut baseline = Judgement::new(Verdict::Findings, "+50 %", "errors in ap-south-1 are 50 % above the baseline");
    baseline.findings.push(gonogo::domain::finding::Finding::new(
        gonogo::domain::finding::Severity::Warning,
        "baseline",
        "ap-south-1",
        "0.30 % against 0.20 % in eu-west-1 and us-east-1, n = 44 M",
    ));
    Question {
        ring: RingIx(2),
        version: Version("v2.1.0".into()),
        verdict: Verdict::Wait,
        sentence: "1h22m of bake left; 1 approval missing (release-team)".into(),
        gates: ["ready", "bake", "errors", "p99", "baseline", "freshness", "approval"]
            .iter()
            .map(|g| (*g).into())
            .collect(),
        rows: vec![
            QuestionRow {
                ring: RingIx(1),
                region: Some(RegionIx(1)),
                cells: vec![
                    go("12/12"),
                    Some(bake.into()),
                    go("0.31 %"),
                    go("145 ms"),
                    Some(baseline.into()),
                    go("2s"),
                    None,
                ],
            },
            QuestionRow {
                ring: RingIx(2),
                region: None,
                cells: vec![
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    Some(Judgement::new(Verdict::Wait, "1 of 2", "one approval of two").into()),
                ],
            },
        ],
    }
}

/// A fault in ring-1 is over, and a person may accept it.
pub fn acceptable() -> Engine {
    let mut engine = normal();
    let question = engine.services[0].view.question.as_mut().unwrap();
    let text = "ap-south-1: errors was outside from 09:10 to 09:25, 3.10 % at worst";
    let mut judged = Judgement::new(Verdict::Wait, "3.10 %", text);
    judged.acceptable = Some(Stretch { column: "errors".into(), from: at("20 09:10:00"), to: at("20 09:25:00") });
    question.rows[0].cells[2] = Some(judged.into());
    engine
}

pub fn view() -> ServiceView {
    use SegmentKind::{Bake, Deploy, Wait};
    ServiceView {
        release: ReleaseView {
            from: Some(Version("v2.0.0".into())),
            to: Some(Version("v2.1.0".into())),
            phase: ReleasePhase::Baking,
            ring: Some(RingIx(1)),
        },
        rings: vec![
            ring_view(RingPhase::Baked, "v2.1.0", Some("18 10:20:40"), Verdict::Go, Some("18 22:20:40")),
            ring_view(RingPhase::Baking, "v2.1.0", Some("19 15:54:00"), Verdict::Wait, Some("20 15:54:00")),
            ring_view(RingPhase::Waiting, "v2.0.0", None, Verdict::NoData, Some("21 04:00:00")),
            ring_view(RingPhase::Waiting, "v2.0.0", None, Verdict::NoData, None),
        ],
        regions: PLACES.iter().enumerate().map(|(i, p)| region_view(i < 2, p.4, i > 0)).collect(),
        question: Some(question()),
        holds: Vec::new(),
        forgotten: Vec::new(),
        under_review: None,
        incidents: Vec::new(),
        policies: Vec::new(),
        segments: vec![
            segment(0, Deploy, "18 10:20:00", Some("18 10:20:40"), false),
            segment(0, Bake, "18 10:20:40", Some("18 22:20:40"), false),
            segment(0, Wait, "18 22:20:40", Some("19 15:51:00"), false),
            segment(1, Deploy, "19 15:51:00", Some("19 15:54:00"), false),
            segment(1, Bake, "19 15:54:00", None, false),
            segment(1, Bake, "20 14:32:07", Some("20 15:54:00"), true),
            segment(2, Deploy, "20 15:54:00", Some("20 16:10:00"), true),
            segment(2, Bake, "20 16:10:00", Some("21 04:10:00"), true),
            segment(3, Deploy, "21 04:10:00", Some("21 04:30:00"), true),
            segment(3, Bake, "21 04:30:00", Some("22 04:30:00"), true),
        ],
        changed_under_hold: Vec::new(),
        last_raised: Some(LastRaised { by: "oncall".into(), at: at("19 15:51:00"), what: "promote ring-1".into() }),
        exposure: Some(0.113),
        eta: Some(at("22 11:00:00")),
        alarms: Vec::new(),
    }
}

fn promoted(id: &str, when: &str, ring: &str, by: &str) -> Fact {
    Fact {
        id: FactId(ulid::Ulid::from_string(id).unwrap()),
        by: by.into(),
        at: at(when),
        journal: "".into(),
        body: Body::Promoted(Move {
            plan: ulid::Ulid::nil(),
            ring: ring.into(),
            from_version: "v2.0.0".into(),
            to_version: "v2.1.0".into(),
            from_template: digest("v2.0.0"),
            to_template: digest("v2.1.0"),
            from: Vec::new(),
            policy: "".into(),
            overrides: Vec::new(),
            break_glass: false,
            reason: "".into(),
        }),
    }
}

/// The engine of the moment that the reference picture shows.
pub fn normal() -> Engine {
    let mut engine = engine(fleet(vec![service("webapp", &four(), &RINGS)]));
    let state = &mut engine.services[0];
    state.regions =
        PLACES.iter().enumerate().map(|(i, p)| region_state(i, p, if i < 2 { "v2.1.0" } else { "v2.0.0" })).collect();
    let record = |fact: Fact| {
        let mut record = RegionRecord::default();
        record.facts.insert(fact.id, fact);
        Some(record)
    };
    state.record.regions = vec![
        record(promoted("01JD0000000000000000000001", "18 10:20:00", "ring-0", "ci")),
        record(promoted("01JD0000000000000000000002", "19 15:51:00", "ring-1", "oncall")),
        None,
        None,
    ];
    state.view = view();
    engine
}

/// The same moment as the engine judges it: a bound that midnight broke, a comparison, hours of the day,
/// a budget, and windows for deploys.
pub fn judged() -> Engine {
    use gonogo::domain::fleet::{GateSpec, Param, Params};
    let gate = |gate: &str, params: &[(&str, Param)]| GateSpec {
        gate: gate.into(),
        label: gate.into(),
        params: Params(params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()),
    };
    let text = |text: &str| Param::Text(text.to_owned());
    let mut web = service("webapp", &four(), &RINGS);
    let exits = [
        gate("bake", &[("for", text("24h"))]),
        gate("threshold", &[("column", text("errors")), ("max", text("1%")), ("gaps", text("30m"))]),
        gate("baseline", &[("column", text("errors")), ("min_requests", Param::Number(0.0)), ("gaps", text("30m"))]),
        gate("coverage", &[("at", text("00:00 UTC"))]),
        gate("burn_rate", &[("column", text("errors")), ("slo", text("99%"))]),
    ];
    for ring in &mut web.rings {
        ring.exit_gates = exits.to_vec();
    }
    let hours = Param::List(vec!["Mon-Fri 09:00-17:00".to_owned()]);
    for ring in web.rings.iter_mut().skip(2) {
        ring.entry_gates = vec![gate("window", &[("during", hours.clone())])];
    }
    let mut engine = engine(fleet(vec![web]));
    let state = &mut engine.services[0];
    state.regions =
        PLACES.iter().enumerate().map(|(i, p)| region_state(i, p, if i < 2 { "v2.1.0" } else { "v2.0.0" })).collect();
    for (i, region) in state.regions.iter_mut().enumerate() {
        let since = ["18 10:20:00", "19 15:51:00"].get(i).copied().unwrap_or("10 09:00:00");
        if let Some(workload) = &mut region.workload {
            workload.progress.updated = Some(at(since));
            let digest = if i < 2 { "91a0b1c2" } else { "c07d1e2f" };
            workload.image =
                Some(Image::parse(&format!("registry.example/webapp:{}@sha256:{digest}", workload.version)));
        }
        region.settled = Some(BakeStart { at: at(since), source: BakeSource::Condition });
        for (column, base) in [("errors", PLACES[i].5.max(0.001)), ("QPS", PLACES[i].3)] {
            let start = at("18 10:00:00").as_second();
            let windows = (0..631).map(|n| {
                let end = Timestamp::from_second(start + n * 300).unwrap();
                let midnight = column == "errors" && i == 1 && end > at("19 23:55:00") && end <= at("20 00:10:00");
                let gap = i == 1 && end > at("20 06:00:00") && end <= at("20 06:20:00");
                let wave = 1.0 + 0.1 * (n as f64 / 17.0).sin();
                let value = if gap {
                    Err(gonogo::domain::metric::NoData::Gap)
                } else {
                    Ok(if midnight { 0.15 } else { base * wave })
                };
                (end, value)
            });
            region.windows.insert(column.into(), windows.collect());
        }
    }
    state.record = gonogo::domain::record::Record::for_regions(4);
    state.record.regions.iter_mut().for_each(|r| *r = Some(RegionRecord::default()));
    // Showing a service makes its view anew.
    engine.show(ServiceIx(0));
    engine.freshen(ServiceIx(0));
    engine
}

/// A fleet that nothing is known of yet.
pub fn empty() -> Engine {
    let mut engine = engine(fleet(vec![service("webapp", &four(), &RINGS)]));
    for cluster in &mut engine.clusters {
        cluster.link = Link::Connecting;
        cluster.heard = None;
    }
    engine.services[0].view = ServiceView::default();
    engine
}

/// eu-west-1 stopped answering 43 seconds ago.
pub fn lost() -> Engine {
    let mut engine = normal();
    let reason = LostReason::Unreachable("connection refused".into());
    engine.clusters[2].link = Link::Lost { reason, next_try: at("20 14:32:20") };
    engine.clusters[2].heard = Some(Stamp { wall: at("20 14:31:24"), mono: Duration::from_secs(957) });
    let view = &mut engine.services[0].view;
    view.regions[2].heard = Heard::Lost {
        word: "unreachable".into(),
        reason: "connection refused".into(),
        age: Some(Duration::from_secs(43)),
        next_try: at("20 14:32:20"),
    };
    let question = view.question.as_mut().unwrap();
    question.verdict = Verdict::NoData;
    question.sentence = "eu-west-1 is unreachable".into();
    question.rows[1].cells[5] = Some(Judgement::new(Verdict::NoData, "stale", "eu-west-1 is unreachable").into());
    engine
}

/// A hold of ring-2 in two of four regions, and one paused region.
pub fn held() -> Engine {
    let mut engine = normal();
    let view = &mut engine.services[0].view;
    view.holds = vec![HoldInForce {
        id: Some(FactId(ulid::Ulid::from_string("01JD0000000000000000000009").unwrap())),
        scope: Scope::Ring("ring-2".into()),
        by: "maria".into(),
        at: Some(at("20 14:28:02")),
        reason: "checkout errors".into(),
        seen_in: 2,
        of: 4,
    }];
    view.release.phase = ReleasePhase::Held;
    view.regions[2].held = true;
    view.regions[2].state = RegionWord::Paused;
    view.regions[3].drained = Drained::ByUs;
    view.regions[3].weight = Some((0, Some(0.0)));
    view.rings[2].phase = RingPhase::Held;
    engine
}

/// The normal moment with every name replaced.
pub fn renamed(name: &dyn Fn(&str) -> String) -> Engine {
    let mut service = service("webapp", &four(), &RINGS);
    service.name = name("webapp").as_str().into();
    for region in &mut service.regions {
        region.name = name(region.name.as_str()).as_str().into();
    }
    for ring in &mut service.rings {
        ring.name = name(ring.name.as_str()).as_str().into();
        ring.label = ring.label.as_ref().map(|l| name(l).into());
    }
    let mut renamed = engine(fleet(vec![service]));
    let source = normal();
    renamed.services[0] = source.services[0].clone();
    let state = &mut renamed.services[0];
    for region in &mut state.regions {
        if let Some(workload) = &mut region.workload {
            workload.version = Version(name(&workload.version.0).into());
            workload.change_cause = Some(name("cause").into());
        }
    }
    let question = state.view.question.as_mut().unwrap();
    question.sentence = name(&question.sentence).into();
    question.version = Version(name("v2.1.0").into());
    for judgement in question.rows.iter_mut().flat_map(|r| &mut r.cells).flatten() {
        judgement.cell = name(&judgement.cell).into();
        judgement.sentence = name(&judgement.sentence).into();
    }
    state.view.release.to = Some(Version(name("v2.1.0").into()));
    state.view.alarms = vec![name("changed under a hold").into()];
    renamed
}

/// A fleet of many services of many regions.
pub fn large() -> Engine {
    let regions: Vec<(String, usize)> = (0..200)
        .map(|i| {
            (
                format!("region-{i:03}"),
                if i < 2 {
                    0
                } else if i < 20 {
                    1
                } else if i < 80 {
                    2
                } else {
                    3
                },
            )
        })
        .collect();
    let services = ["webapp", "payments", "search", "mail", "login"];
    let mut engine = engine(fleet(services.iter().map(|s| service(s, &regions, &RINGS)).collect()));
    for (index, state) in engine.services.iter_mut().enumerate() {
        state.regions = (0..200).map(|i| region_state(i % 3, &PLACES[1 + i % 3], "v2.0.0")).collect();
        state.view = view();
        state.view.segments.clear();
        state.view.regions = (0..200).map(|i| region_view(i < 20, 0.005, true)).collect();
        let (phase, ring) = match index {
            0 => (ReleasePhase::Baking, RingPhase::Baking),
            1 => (ReleasePhase::Failed, RingPhase::Failed),
            2 => (ReleasePhase::Steady, RingPhase::Steady),
            3 => (ReleasePhase::Ready, RingPhase::Baked),
            _ => (ReleasePhase::Held, RingPhase::Held),
        };
        state.view.release.phase = phase;
        state.view.rings[1].phase = ring;
        if phase == ReleasePhase::Steady {
            state.view.question = None;
            state.view.release.from = state.view.release.to.clone();
        }
        if index == 1 {
            state.view.rings[1].runs = RingRuns::Mixed(vec![Version("v2.0.0".into()), Version("v2.1.0".into())]);
        }
        if index == 4 {
            state.view.holds = held().services[0].view.holds.clone();
        }
    }
    engine
}

/// A plan as the engine drafts it, for one region.
pub fn plan(id: PlanId, verb: Verb, findings: Vec<Finding>) -> Plan {
    let object = ObjectRef {
        cluster: 2.into(),
        api: ApiType::new("apps", "v1", "deployments", "Deployment"),
        namespace: "webapp".into(),
        name: "webapp".into(),
    };
    let body = json!([{"op": "test", "path": "/metadata/uid", "value": "uid-1"}]);
    let change = Change::Patch { object, kind: PatchKind::Json, subresource: None, body };
    let image = |v: &str, d: &str| Some(json!(format!("registry.example/webapp:{v}@sha256:{d}")));
    Plan {
        rests_on: Vec::new(),
        id,
        intent: Intent { service: ServiceIx(0), verb, target: Target::Ring(RingIx(2)), reason: None },
        service: ServiceIx(0),
        title: "promote ring-2 to v2.1.0".into(),
        steps: vec![Step {
            region: RegionIx(2),
            start: Default::default(),
            label: "image v2.0.0 → v2.1.0".into(),
            writes: vec![Write { role: WriteRole::Main, change, if_absent: None }],
            facts: None,
            diff: vec![
                DiffLine {
                    field: "containers[web].image".into(),
                    from: image("v2.0.0", "91a0b1c2d3e4f5061728394a5b6c7d8e"),
                    to: image("v2.1.0", "c07d1e2f3a4b5c6d7e8f90a1b2c3d4e5"),
                },
                DiffLine {
                    field: "annotation kubernetes.io/change-cause".into(),
                    from: None,
                    to: Some(json!("gonogo promote v2.1.0")),
                },
            ],
            expect: vec![Expectation::Settled(digest("v2.1.0"))],
            limit: Duration::from_secs(600),
        }],
        parallelism: 1,
        blast: Blast { regions: vec![RegionIx(2)], share: Some(0.412), qps: Some(45_200.0) },
        findings,
        after: "bake 12 h, then ring-3 may ask".into(),
        way_back: "B on ring-2 returns to v2.0.0 (revision 14)".into(),
        name: "ring-2".into(),
        ring: Some(RingIx(2)),
    }
}
