//! What holds of every gate in the table: nothing known is never GO, and to know less is never to go on.

use super::*;
use crate::domain::approval::{About, Approval as Given};
use crate::domain::fleet::Capacity;
use crate::gates::stand::{Stand, at as moment, list, runs, stand, template};

/// A world in which one gate says GO, or nearly so.
enum Good {
    /// What a ring's own regions show over their bake.
    Bake(Box<Case>, Vec<(&'static str, Param)>),
    /// What is asked before a region is changed.
    Entry(Box<Stand>, Vec<(&'static str, Param)>),
}

/// A day of windows since the bake began, all well, with a region on the old version beside it.
fn day() -> Case {
    let ends = || (1..=288).map(|n| n * 5);
    let mut case = case().bakes("24h");
    for (column, value) in [("errors", 0.002), ("p99", 0.1), ("heap", 4e8), ("qps", 9_000.0)] {
        case = case.column(column, ends().map(move |n| (n, Ok(value))));
    }
    case.now = at(24 * 60);
    let ring = Ring { name: RingName::new("ring-2"), regions: vec![RegionIx(1)], ..case.service.rings[0].clone() };
    case.service.rings.push(ring);
    let us = Region { name: RegionName::new("us"), ring: RingIx(1), ..case.service.regions[0].clone() };
    case.service.regions.push(us);
    let old = Workload {
        template: digest(7),
        version: Version("v1".into()),
        image: Some(Image::parse("web:v1")),
        ..workload()
    };
    case.peers.push(Other {
        workload: Some(old),
        freshness: Freshness::Live,
        settled: Some(BakeStart { at: at(-50_000), source: BakeSource::Record }),
        windows: case.windows.clone(),
        held: false,
        weight: Some(10),
    });
    case
}

const QUERY: &str = "asked{region=\"{{region}}\"}";

fn asked(value: f64) -> Box<Stand> {
    let mut stand = stand();
    stand.query(QUERY, Ok(value));
    stand.query(crate::gates::alerts::FIRING, Ok(value));
    Box::new(stand)
}

/// Every gate of the table with a world that suits it.
fn good(gate: &str) -> Good {
    let bake = |params: Vec<(&'static str, Param)>| Good::Bake(Box::new(day()), params);
    let entry = |stand: Stand, params: Vec<(&'static str, Param)>| Good::Entry(Box::new(stand), params);
    match gate {
        "ready" | "freshness" => bake(vec![]),
        "bake" => bake(vec![("for", text("24h"))]),
        "coverage" => bake(vec![("zone", text("UTC"))]),
        "threshold" => bake(vec![("column", text("errors")), ("max", text("1%"))]),
        "baseline" => bake(vec![("column", text("errors"))]),
        "burn_rate" => bake(vec![("column", text("errors")), ("slo", text("99%"))]),
        "resources" => bake(vec![("column", text("heap"))]),
        "min_traffic" => bake(vec![("min", Param::Number(5.0))]),
        "window" => entry(stand(), vec![("during", list(&["Mon-Fri 09:00-17:00"]))]),
        "freeze" => entry(stand(), vec![("during", list(&["2026-12-18..2027-01-04"]))]),
        "approval" => {
            let mut stand = stand();
            stand.service.regions.iter_mut().for_each(|r| r.cluster = 0_usize.into());
            let started =
                crate::domain::record::Move { from_version: "v1".into(), to_version: "v2".into(), ..a_move() };
            stand.fact("staging", "ben", "2026-11-18T10:00:00Z", Body::Promoted(started));
            let given = Given {
                id: FactId(ulid::Ulid(1)),
                approver: "ana".into(),
                group: Some("managers".into()),
                about: About {
                    fleet: "acme".into(),
                    service: "web".into(),
                    ring: "ring-2".into(),
                    version: Version("v2".into()),
                    template: Some(template("v2")),
                },
                created: moment("2026-11-20T08:00:00Z"),
                expires: moment("2026-11-27T08:00:00Z"),
                reason: "".into(),
                immutable: true,
            };
            let ix = stand.ix("eu");
            stand.record.approvals[ix].insert(Given::name(given.id).into(), Ok(given));
            entry(stand, vec![("groups", list(&["managers"]))])
        }
        "quarantine" | "artefact" | "upstream" => entry(stand(), vec![]),
        "requires" => {
            let mut stand = stand();
            let accounts = Service { name: ServiceName::new("accounts"), ..stand.service.clone() };
            stand.others = vec![(accounts, Some(runs("v2.3.0")), Freshness::Live)];
            entry(stand, vec![("service", text("accounts")), ("at_least", text("v2.3"))])
        }
        "min_available" => entry(stand(), vec![("regions", Param::Number(2.0))]),
        "headroom" => {
            let mut stand = stand();
            for n in 0..4 {
                stand.service.regions[n].capacity = Some(Capacity { qps: 900.0, measured: None });
                stand.weights[n] = Some(10);
                stand.qps[n] = Some(100.0);
            }
            entry(stand, vec![])
        }
        "drift" => {
            let mut stand = stand();
            stand.workloads.iter_mut().flatten().for_each(|w| w.configurations = Box::new([template("same")]));
            entry(stand, vec![])
        }
        "flag" => Good::Entry(asked(1.0), vec![("query", text(QUERY)), ("must", text("on"))]),
        "replication" => Good::Entry(asked(0.0), vec![("query", text(QUERY)), ("max", text("5s"))]),
        "alerts" => Good::Entry(asked(0.0), vec![]),
        "analysis" => {
            let mut day = day();
            let run = crate::domain::steps::StepAnalysis {
                what: "background",
                name: "errors".into(),
                phase: "Successful".into(),
                message: "".into(),
            };
            let steps = crate::domain::steps::Steps { analyses: vec![run], ..Default::default() };
            if let Some(workload) = &mut day.workload {
                workload.progress.steps = Some(Box::new(steps));
            }
            Good::Bake(Box::new(day), vec![])
        }
        "delivered" => {
            let mut stand = stand();
            stand.delivered_by(&crate::gates::stand::application());
            entry(stand, vec![])
        }
        "webhook" => {
            let mut stand = stand();
            let template = template("v2").hex();
            let body = format!(
                r#"{{"from":"v1","kind":"gonogo.gate","region":"eu","ring":"ring-2","service":"web","template":"{template}","to":"v2","version":1}}"#
            );
            stand.answer("board", "", Some(&body), Ok((200, r#"{"verdict": "go"}"#)));
            entry(stand, vec![("endpoint", text("board"))])
        }
        "checklist" => {
            let mut stand = stand();
            let done = Body::Checked {
                list: "checklist".into(),
                item: "expand".into(),
                version: "v2".into(),
                done: true,
                reason: "".into(),
            };
            stand.fact("eu", "ana", "2026-11-20T08:00:00Z", done);
            entry(stand, vec![("items", list(&["expand"])), ("reverts", list(&["expand: drop the columns"]))])
        }
        other => panic!("the gate {other} has no world here: add one"),
    }
}

fn a_move() -> crate::domain::record::Move {
    crate::domain::record::Move {
        plan: ulid::Ulid(9),
        ring: "ring-0".into(),
        from_version: "".into(),
        to_version: "".into(),
        from_template: template("v1"),
        to_template: template("v2"),
        from: Vec::new(),
        policy: "".into(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    }
}

/// Gates that rest on the clock alone: nothing that a cluster does not say can be missing to them.
const CLOCKS: [&str; 2] = ["window", "freeze"];

/// Ways in which less is known.
const WAYS: usize = 9;

impl Good {
    fn judge(&self, name: &str) -> Judgement {
        let params =
            |given: &[(&str, Param)]| Params(given.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect());
        let build = |service: &Service, given: &[(&str, Param)]| {
            let gate = gate_type(name).unwrap().build(&params(given), service);
            gate.unwrap_or_else(|e| panic!("{name}: {e:?}"))
        };
        match self {
            Good::Bake(case, given) => case.judge(&*build(&case.service, given)),
            Good::Entry(stand, given) => stand.judge(&*build(&stand.service, given)),
        }
    }

    /// Less is known from now on; `which` picks among several things of a kind.
    fn forget(&mut self, way: usize, which: usize) {
        match self {
            Good::Bake(case, _) => {
                let columns: Vec<ColumnName> = case.windows.keys().cloned().collect();
                let column = columns.get(which % columns.len().max(1)).cloned();
                let known = column.as_ref().and_then(|c| case.windows.get_mut(c));
                match way {
                    0 => case.workload = None,
                    1 => case.freshness = Freshness::Never,
                    2 => case.freshness = Freshness::Late(Duration::from_secs(90)),
                    3 => case.bake_start = None,
                    4 => drop(column.map(|c| case.windows.remove(&c))),
                    5 => case.windows.clear(),
                    6 | 7 => {
                        // An hour of it cannot be read.
                        let Some(windows) = known else { return };
                        let first = i64::try_from(which % 24).unwrap() * 12;
                        for n in first..first + 12 {
                            windows.insert(at(n * 5 + 5), Err(if way == 6 { NoData::Timeout } else { NoData::Gap }));
                        }
                    }
                    _ => case.peers.iter_mut().for_each(|p| (p.workload, p.freshness) = (None, Freshness::Never)),
                }
            }
            Good::Entry(stand, _) => {
                let (n, own) = (which % 4, stand.ix("eu"));
                match way {
                    0 => stand.workloads[own] = None,
                    1 => stand.freshness = vec![Freshness::Never; 4],
                    2 => stand.freshness[n] = Freshness::Late(Duration::from_secs(90)),
                    3 => stand.workloads[n] = None,
                    4 => stand.queried.clear(),
                    5 => stand.queried.values_mut().for_each(|(_, reading)| *reading = Err(NoData::Empty)),
                    6 => stand.answers.clear(),
                    7 => {
                        stand.others.iter_mut().for_each(|(_, workload, _)| *workload = None);
                        stand.delivery = None;
                    }
                    _ => (stand.qps[n], stand.weights[n]) = (None, None),
                }
            }
        }
    }

    /// Nothing is known any more.
    fn forget_all(&mut self) {
        for way in 0..WAYS {
            (0..4).for_each(|which| self.forget(way, which));
        }
        if let Good::Entry(stand, _) = self {
            stand.freshness = vec![Freshness::Never; 4];
            stand.record = Record::for_regions(4);
        }
    }
}

#[test]
fn with_everything_known_every_gate_lets_through() {
    for gate in GATES {
        let judged = good(gate.name()).judge(gate.name());
        assert_eq!(judged.verdict, Verdict::Go, "{}: {}", gate.name(), judged.sentence);
    }
}

#[test]
fn with_nothing_known_no_gate_lets_through() {
    for gate in GATES {
        let mut world = good(gate.name());
        world.forget_all();
        let judged = world.judge(gate.name());
        let clock = CLOCKS.contains(&gate.name());
        assert_eq!(
            judged.verdict <= Verdict::Findings,
            clock,
            "{}: {} {}",
            gate.name(),
            judged.verdict,
            judged.sentence
        );
    }
}

proptest! {
    #[test]
    fn to_know_less_never_lets_through_what_was_not(
        at in 0..GATES.len(),
        losses in prop::collection::vec((0..WAYS, 0usize..24), 1..6),
    ) {
        let name = GATES[at].name();
        let mut world = good(name);
        let mut before = world.judge(name);
        for (way, which) in losses {
            world.forget(way, which);
            let after = world.judge(name);
            prop_assert!(
                before.verdict <= Verdict::Findings || after.verdict > Verdict::Findings,
                "{name}: {} became {} by way {way}: {}", before.verdict, after.verdict, after.sentence
            );
            before = after;
        }
    }

    #[test]
    fn a_worse_sample_never_lets_through_what_was_not(
        at in 0..GATES.len(),
        changes in prop::collection::vec((240i64..288, 0.0f64..3.0), 1..20),
        more in 0.0f64..4.0,
    ) {
        let name = GATES[at].name();
        let mut better = good(name);
        let mut worse = good(name);
        // The last hours of the bake, or what was asked: errors and memory rise, traffic falls.
        match (&mut better, &mut worse) {
            (Good::Bake(better, _), Good::Bake(worse, _)) => {
                for (n, factor) in changes {
                    let end = super::at(n * 5 + 5);
                    for (column, value) in [("errors", 0.002), ("p99", 0.1), ("heap", 4e8)] {
                        let column = ColumnName::new(column);
                        better.windows.get_mut(&column).unwrap().insert(end, Ok(value * factor));
                        worse.windows.get_mut(&column).unwrap().insert(end, Ok(value * (factor + more)));
                    }
                    if name == "min_traffic" {
                        let qps = ColumnName::new("qps");
                        better.windows.get_mut(&qps).unwrap().insert(end, Ok(10.0 * factor));
                        worse.windows.get_mut(&qps).unwrap().insert(end, Ok(10.0 * factor / (1.0 + more)));
                    }
                }
            }
            (Good::Entry(better, _), Good::Entry(worse, _)) => {
                let flips = |world: &mut Stand, by: f64| {
                    let must_rise = name == "flag";
                    for (_, reading) in world.queried.values_mut() {
                        let value = *reading.as_ref().unwrap();
                        *reading = Ok(if must_rise { (value - by.min(1.0)).max(0.0).round() } else { value + by });
                    }
                    world.qps.iter_mut().flatten().for_each(|q| *q *= 1.0 + by * 4.0);
                    for workload in world.workloads.iter_mut().flatten() {
                        workload.replicas.available = workload.replicas.available.saturating_sub(by as u32);
                    }
                };
                let first = changes.first().map_or(0.0, |(_, factor)| *factor);
                flips(better, first);
                flips(worse, first + more);
            }
            _ => unreachable!(),
        }
        let (better, worse) = (better.judge(name), worse.judge(name));
        prop_assert!(
            better.verdict <= Verdict::Findings || worse.verdict > Verdict::Findings,
            "{name}: {} and, worse, {}: {} / {}", better.verdict, worse.verdict, better.sentence, worse.sentence
        );
    }

    #[test]
    fn one_gate_more_never_moves_a_ring_towards_go(
        cells in prop::collection::vec(prop::collection::vec(0u8..5, 1..4), 1..4),
        more in prop::collection::vec(0u8..5, 4),
    ) {
        const ALL: [Verdict; 5] = [Verdict::Go, Verdict::Findings, Verdict::Wait, Verdict::NoData, Verdict::NoGo];
        let judged = |n: &u8| Judgement::new(ALL[usize::from(*n)], "", "");
        let gates = cells.iter().map(Vec::len).min().unwrap();
        let ring = |extra: bool| RingVerdict {
            gates: (0..gates + usize::from(extra)).map(|n| format!("g{n}").into()).collect(),
            rows: cells.iter().enumerate().map(|(at, row)| {
                let row = row.iter().take(gates).chain(extra.then(|| &more[at]));
                (RegionIx::from(at), row.map(judged).collect())
            }).collect(),
        };
        prop_assert!(ring(true).folded() >= ring(false).folded());
        prop_assert_eq!(RingVerdict { gates: Vec::new(), ..ring(false) }.folded(), Verdict::NoData, "no gate is no evidence");
    }
}
