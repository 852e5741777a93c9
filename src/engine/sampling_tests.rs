#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use crate::domain::gate::Need;
use crate::domain::id::RingIx;
use crate::domain::metric::NoData;
use crate::domain::stamp::WINDOW;
use crate::engine::fixture::{Stage, at, clock, gate, release, workload};

const SHOWN: [Sampled; 1] = [Sampled { service: ServiceIx(0), shown: true }];

fn due(sampler: &mut Sampler, stage: &mut Stage, sampled: &[Sampled]) -> Vec<MetricQuestion> {
    stage.view();
    sampler.due(stage.world(), std::slice::from_ref(&stage.state), sampled)
}

/// The release, its rings judged by the error rate too.
fn judged() -> Stage {
    let mut stage = release();
    for ring in &mut stage.service().rings {
        ring.exit_gates.push(gate("threshold", &[("column", "errors"), ("max", "1%")]));
    }
    stage.build();
    // An hour ago: at 14:32 the windows that ended at 13:40 to 14:30 count.
    stage.runs("ap-south-1", workload("v2.1.0", clock("13:32")));
    stage.runs("staging", workload("v2.1.0", clock("13:32")));
    stage
}

fn windows(questions: &[MetricQuestion]) -> Vec<(u32, Timestamp, Timestamp)> {
    let one = |q: &MetricQuestion| match (&q.span, &q.regions) {
        (Span::Windows { first, last }, SeriesOf::One(region)) => Some((region.0, *first, *last)),
        _ => None,
    };
    questions.iter().filter_map(one).collect()
}

/// Answers every question about windows, with no data where `bad` says so.
fn answer(stage: &mut Stage, questions: &[MetricQuestion], bad: &dyn Fn(Timestamp) -> bool) {
    for (region, first, last) in windows(questions) {
        let mut readings = Vec::new();
        let mut end = first;
        while end <= last {
            readings.push((end, if bad(end) { Err(NoData::Empty) } else { Ok(0.002) }));
            end = end.checked_add(WINDOW).unwrap();
        }
        let service = stage.fleet.services[0].clone();
        take_windows(
            &service,
            &mut stage.state,
            &"errors".into(),
            vec![(RegionIx(region), readings.into_iter().collect())],
        );
    }
}

#[test]
fn one_query_for_all_regions_of_a_prometheus_and_one_per_region_otherwise() {
    let mut stage = release();
    let questions = due(&mut Sampler::default(), &mut stage, &SHOWN);
    let now: Vec<_> = questions.iter().filter(|q| matches!(q.span, Span::At(_))).collect();
    let qps: Vec<_> = now.iter().filter(|q| q.column.as_str() == "qps").collect();
    assert_eq!(qps.len(), 1);
    assert!(matches!(&qps[0].regions, SeriesOf::Label { values, .. } if values.len() == 4));
    let errors: Vec<_> = now.iter().filter(|q| q.column.as_str() == "errors").map(|q| q.query.as_str()).collect();
    assert_eq!(
        errors,
        [
            "errors{region=\"staging\",v=\"v2.1.0\"}",
            "errors{region=\"ap-south-1\",v=\"v2.1.0\"}",
            "errors{region=\"eu-west-1\",v=\"v2.0.0\"}",
            "errors{region=\"us-east-1\",v=\"v2.0.0\"}",
        ]
    );
}

#[test]
fn a_query_that_names_what_is_not_known_is_not_asked() {
    let mut stage = release();
    stage.region("eu-west-1").workload = None;
    stage.fleet.clusters[3].prometheus = None;
    let questions = due(&mut Sampler::default(), &mut stage, &SHOWN);
    let asked = questions.iter().filter(|q| q.column.as_str() == "errors" && matches!(q.span, Span::At(_)));
    let asked: Vec<_> = asked.map(|q| q.regions.clone()).collect();
    assert_eq!(asked, [SeriesOf::One(RegionIx(0)), SeriesOf::One(RegionIx(1))]);
}

#[test]
fn samples_every_15_seconds_history_every_minute_and_only_for_the_shown() {
    let mut stage = release();
    let mut sampler = Sampler::default();
    let (mut samples, mut history) = (0, 0);
    for _ in 0..60 {
        let questions = due(&mut sampler, &mut stage, &SHOWN);
        samples += questions.iter().filter(|q| matches!(q.span, Span::At(_))).count();
        history += questions.iter().filter(|q| matches!(q.span, Span::History { .. })).count();
        stage.pass(1);
    }
    assert_eq!((samples, history), (4 * 5, 5));
    let unseen = [Sampled { service: ServiceIx(0), shown: false }];
    let questions = due(&mut Sampler::default(), &mut stage, &unseen);
    assert!(questions.iter().all(|q| !matches!(q.span, Span::History { .. })));
    assert_eq!(due(&mut Sampler::default(), &mut stage, &[]), []);
}

#[test]
fn of_a_service_that_nobody_looks_at_only_traffic_is_sampled_until_somebody_does() {
    let mut stage = release();
    let mut sampler = Sampler::default();
    let unseen = [Sampled { service: ServiceIx(0), shown: false }];
    let columns = |questions: Vec<MetricQuestion>| {
        let now = questions.into_iter().filter(|q| matches!(q.span, Span::At(_)));
        now.map(|q| q.column.as_str().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(columns(due(&mut sampler, &mut stage, &unseen)), BTreeSet::from(["qps".to_owned()]));
    stage.pass(1);
    let all = columns(due(&mut sampler, &mut stage, &SHOWN));
    assert!(all.len() == stage.fleet.services[0].columns.len() && all.contains("errors"), "{all:?}");
    stage.pass(1);
    assert_eq!(columns(due(&mut sampler, &mut stage, &SHOWN)), BTreeSet::new(), "not again within the interval");
}

#[test]
fn metrics_are_forgotten_with_the_service_and_what_a_gate_rests_on_last() {
    let mut stage = judged();
    let mut sampler = Sampler::default();
    let questions = due(&mut sampler, &mut stage, &SHOWN);
    answer(&mut stage, &questions, &|_| false);
    let now = stage.now;
    let service = stage.fleet.services[0].clone();
    for column in ["qps", "errors"] {
        take_samples(&service, &mut stage.state, &column.into(), now, vec![(RegionIx(1), Ok(1.0))]);
        let step = SignedDuration::from_secs(60);
        take_history(&service, &mut stage.state, &column.into(), step, vec![(RegionIx(1), vec![(now, 1.0)])]);
    }
    let kept = |stage: &Stage| {
        let region = &stage.state.regions[1];
        [region.current.len(), region.windows.len(), region.history.len()]
    };
    assert_eq!(kept(&stage), [2, 1, 2]);
    let needed = wants::current(&stage.world(), ServiceIx(0), &service, &stage.state);
    super::forget(&mut stage.state, Some(&needed));
    assert_eq!(kept(&stage), [1, 1, 0], "traffic and windows are evidence while a release is under way");
    super::forget(&mut stage.state, None);
    assert_eq!(kept(&stage), [0, 0, 0]);
}

#[test]
fn windows_are_asked_since_the_bake_began_and_then_only_the_newest() {
    let mut stage = judged();
    let mut sampler = Sampler::default();
    let questions = due(&mut sampler, &mut stage, &SHOWN);
    let span = (clock("13:40"), clock("14:30"));
    assert_eq!(windows(&questions), [(0, span.0, span.1), (1, span.0, span.1)]);
    answer(&mut stage, &questions, &|_| false);
    for _ in 0..170 {
        stage.pass(1);
        assert_eq!(windows(&due(&mut sampler, &mut stage, &SHOWN)), [], "at {}", stage.now);
    }
    // 14:36:02: the window that ended at 14:35 has had time to be scraped.
    stage.pass(65);
    let questions = due(&mut sampler, &mut stage, &SHOWN);
    assert_eq!(windows(&questions), [(0, clock("14:35"), clock("14:35")), (1, clock("14:35"), clock("14:35"))]);
    answer(&mut stage, &questions, &|_| false);
    let question = stage.view().question.unwrap();
    let errors = question.gates.iter().position(|g| &**g == "errors").unwrap();
    let row = question.rows.iter().find(|r| r.ring == RingIx(1) && r.region.is_some()).unwrap();
    assert_eq!(row.cells[errors].as_ref().unwrap().verdict, crate::domain::verdict::Verdict::Go);
}

#[test]
fn windows_without_data_are_asked_again_ever_more_rarely() {
    let mut stage = judged();
    let mut sampler = Sampler::default();
    let bad = |end: Timestamp| end == clock("14:00");
    let mut asked = Vec::new();
    for second in 0..150 {
        let questions = due(&mut sampler, &mut stage, &SHOWN);
        if !windows(&questions).is_empty() {
            asked.push((second, windows(&questions)[0].1));
        }
        answer(&mut stage, &questions, &bad);
        stage.pass(1);
    }
    let seconds: Vec<_> = asked.iter().map(|(s, _)| *s).collect();
    assert_eq!(seconds, [0, 15, 30, 60, 120]);
    assert!(asked.iter().skip(1).all(|(_, first)| *first == clock("14:00")), "only what is missing");
}

#[test]
fn what_is_known_is_never_replaced_by_not_knowing() {
    let mut stage = judged();
    stage.settle();
    let service = stage.fleet.services[0].clone();
    let end = clock("14:00");
    for reading in [Ok(0.5), Err(NoData::Timeout)] {
        take_windows(
            &service,
            &mut stage.state,
            &"errors".into(),
            vec![(RegionIx(1), Windows::from_iter([(end, reading)]))],
        );
    }
    assert_eq!(stage.region("ap-south-1").windows["errors"].get(end), Some(Ok(0.5)));
    // Of no such column or region: not kept.
    let early = vec![(RegionIx(99), Windows::from_iter([(end, Ok(0.1))]))];
    take_windows(&service, &mut stage.state, &"errors".into(), early);
    take_windows(
        &service,
        &mut stage.state,
        &"nothing".into(),
        vec![(RegionIx(1), Windows::from_iter([(end, Ok(0.1))]))],
    );
    assert_eq!(stage.region("ap-south-1").windows.len(), 1);
}

/// A gate that asks for one need, whatever its parameters.
struct Asks(crate::domain::gate::Need);

impl crate::domain::gate::Gate for Asks {
    fn needs(&self) -> Vec<crate::domain::gate::Need> {
        vec![self.0.clone()]
    }
    fn judge(&self, _: &crate::domain::gate::Evidence<'_>) -> crate::domain::verdict::Judgement {
        crate::domain::verdict::Judgement::new(crate::domain::verdict::Verdict::Go, "x", "x")
    }
}

/// `column` says which column; `at` which need.
struct AsksFor;

impl crate::domain::gate::GateType for AsksFor {
    fn name(&self) -> &'static str {
        "asks"
    }
    fn role(&self) -> crate::domain::gate::GateRole {
        crate::domain::gate::GateRole::Both
    }
    fn about(&self) -> &'static str {
        "asks"
    }
    fn parameters(&self) -> &'static [crate::domain::gate::Parameter] {
        &[]
    }
    fn build(
        &self,
        params: &crate::domain::fleet::Params,
        _: &crate::domain::fleet::Service,
    ) -> Result<Box<dyn crate::domain::gate::Gate>, crate::domain::gate::ParamError> {
        let column = ColumnName::new("errors");
        Ok(Box::new(Asks(match params.text("need") {
            Some("peers") => Need::PeerWindows(column),
            Some("earlier") => Need::EarlierWindows { column, by: SignedDuration::from_hours(24) },
            Some("recent") => Need::RecentWindows { column, reach: SignedDuration::from_hours(2) },
            _ => Need::Windows(column),
        })))
    }
}

/// The release, ring-1 with these needs as exit gates, ring-2 with these as entry gates.
fn asking(exit: &[&str], entry: &[&str]) -> Stage {
    let mut stage = release();
    stage.runs("ap-south-1", workload("v2.1.0", clock("13:32")));
    let asks = |needs: &[&str]| needs.iter().map(|n| gate("asks", &[("need", n)])).collect::<Vec<_>>();
    stage.service().rings[1].exit_gates = asks(exit);
    stage.service().rings[2].entry_gates = asks(entry);
    let find = |name: &str| -> Option<&'static dyn crate::domain::gate::GateType> {
        if name == "asks" { Some(&AsksFor) } else { crate::gates::gate_type(name) }
    };
    stage.gates = crate::engine::judge::Gates::build(&stage.fleet, &find);
    stage
}

#[test]
fn the_same_span_of_the_other_regions_and_of_another_day_is_asked_too() {
    let span = (clock("13:40"), clock("14:30"));
    let mut peers = asking(&["peers", "own"], &[]);
    let questions = windows(&due(&mut Sampler::default(), &mut peers, &SHOWN));
    assert_eq!(questions, [0, 1, 2, 3].map(|r| (r, span.0, span.1)), "once: the ring's own are among them");
    let mut earlier = asking(&["earlier"], &[]);
    let questions = windows(&due(&mut Sampler::default(), &mut earlier, &SHOWN));
    // An hour more on both sides, for nights on which clocks change.
    let span = (at("2026-11-19T12:40:00Z"), at("2026-11-19T15:30:00Z"));
    assert_eq!(questions, [(1, span.0, span.1)]);
    let mut recent = asking(&["recent"], &[]);
    let questions = windows(&due(&mut Sampler::default(), &mut recent, &SHOWN));
    assert_eq!(questions, [(1, clock("12:35"), clock("14:30"))]);
}

#[test]
fn entry_gates_of_the_next_ring_are_asked_for_too() {
    let mut stage = asking(&[], &["recent"]);
    assert_eq!(stage.view().question.map(|q| q.ring.0), Some(2));
    let questions = windows(&due(&mut Sampler::default(), &mut stage, &SHOWN));
    assert_eq!(questions, [(2, clock("12:35"), clock("14:30"))]);
    assert!(!answered(stage.world(), ServiceIx(0), &stage.state));
}

#[test]
fn a_region_that_lacks_more_is_asked_alone() {
    let mut stage = asking(&["peers"], &[]);
    let mut sampler = Sampler::default();
    let questions = due(&mut sampler, &mut stage, &SHOWN);
    answer(&mut stage, &questions, &|_| false);
    stage.region("us-east-1").windows.clear();
    stage.pass(235);
    let questions = windows(&due(&mut sampler, &mut stage, &SHOWN));
    let newest = (clock("14:35"), clock("14:35"));
    assert_eq!(
        questions,
        [(3, clock("13:40"), newest.1), (0, newest.0, newest.1), (1, newest.0, newest.1), (2, newest.0, newest.1)]
    );
}

#[test]
fn windows_that_nobody_wants_are_forgotten() {
    let mut stage = asking(&["peers"], &[]);
    let mut sampler = Sampler::default();
    let questions = due(&mut sampler, &mut stage, &SHOWN);
    answer(&mut stage, &questions, &|_| false);
    let service = stage.fleet.services[0].clone();
    let more = vec![(RegionIx(1), Windows::from_iter([(clock("13:00"), Ok(0.1))]))];
    take_windows(&service, &mut stage.state, &"qps".into(), more.clone());
    take_windows(&service, &mut stage.state, &"errors".into(), more);
    let forget = |sampler: &mut Sampler, stage: &mut Stage| {
        let mut services = vec![stage.state.clone()];
        sampler.forget(stage.world(), &mut services);
        stage.state = services.remove(0);
        stage.state.regions.iter().map(|r| r.windows.values().map(|w| w.len()).sum()).collect::<Vec<usize>>()
    };
    assert_eq!(forget(&mut sampler, &mut stage), [11; 4]);
    // What is kept is not looked at again while the same is wanted.
    let more = vec![(RegionIx(1), Windows::from_iter([(clock("13:00"), Ok(0.1))]))];
    take_windows(&service, &mut stage.state, &"errors".into(), more);
    assert_eq!(forget(&mut sampler, &mut stage)[1], 12);
    stage.pass(300);
    assert_eq!(forget(&mut sampler, &mut stage)[1], 11);
}

#[test]
fn an_answer_that_was_overtaken_is_dropped() {
    let mut stage = release();
    let service = stage.fleet.services[0].clone();
    for (time, value) in [("14:30", 2.0), ("14:29", 1.0)] {
        take_samples(&service, &mut stage.state, &"qps".into(), clock(time), vec![(RegionIx(0), Ok(value))]);
    }
    assert_eq!(stage.region("staging").current["qps"], (clock("14:30"), Ok(2.0)));
}

#[test]
fn a_long_bake_is_asked_for_in_what_a_server_accepts() {
    let mut stage = judged();
    for region in ["staging", "ap-south-1"] {
        stage.runs(region, workload("v2.1.0", at("2026-01-01T00:00:00Z")));
    }
    let questions = due(&mut Sampler::default(), &mut stage, &SHOWN);
    let asked = windows(&questions);
    for (_, first, last) in &asked {
        assert!(last.duration_since(*first) <= AT_ONCE, "a day at a time");
    }
    for region in [0, 1] {
        let mine = || asked.iter().filter(|(r, ..)| *r == region);
        let (first, last) = (mine().map(|a| a.1).min().unwrap(), mine().map(|a| a.2).max().unwrap());
        assert!(last.duration_since(first) <= crate::gates::JUDGED_SPAN, "gates look no further back");
        let ends: usize = mine().map(|a| windows_between(a.1, a.2)).sum();
        assert_eq!(ends, windows_between(first, last), "every window once");
    }
}

#[test]
fn a_service_is_answered_when_every_column_is() {
    let mut stage = release();
    let service = stage.fleet.services[0].clone();
    let all = |value: f64| (0..4).map(|r| (RegionIx(r), Ok(value))).collect::<Vec<_>>();
    assert!(!answered(stage.world(), ServiceIx(0), &stage.state));
    let now = stage.now;
    take_samples(&service, &mut stage.state, &"qps".into(), now, all(1.0));
    assert!(!answered(stage.world(), ServiceIx(0), &stage.state));
    take_samples(&service, &mut stage.state, &"errors".into(), now, vec![(RegionIx(0), Err(NoData::Timeout))]);
    take_samples(&service, &mut stage.state, &"errors".into(), now, all(0.1).split_off(1));
    assert!(answered(stage.world(), ServiceIx(0), &stage.state));
}

#[test]
fn a_region_without_a_prometheus_says_so_and_is_not_asked_about() {
    let mut stage = release();
    stage.service().rings[1].exit_gates.push(gate("threshold", &[("column", "errors"), ("max", "1%")]));
    stage.build();
    let at_ap = stage.ix("ap-south-1");
    stage.fleet.clusters[at_ap.at()].prometheus = None;
    let (fleet, service) = (stage.fleet.clone(), stage.fleet.services[0].clone());
    say_unconfigured(&fleet, &service, &mut stage.state);
    let (_, said) = &stage.region("ap-south-1").current["errors"];
    assert_eq!(said.as_ref().unwrap_err().to_string(), "no Prometheus configured");
    assert!(stage.region("eu-west-1").current.is_empty(), "that one will be asked about");
    stage.view();
    let exit = crate::engine::derive::exit_gates(stage.world(), ServiceIx(0), &stage.state, RingIx(1));
    let judged: Vec<_> = exit.cells().map(|(_, _, j)| j).collect();
    let threshold = judged.iter().find(|j| j.sentence.contains("errors")).unwrap();
    assert_eq!(threshold.verdict, crate::domain::verdict::Verdict::NoData);
    assert!(threshold.sentence.ends_with("no Prometheus configured"), "{}", threshold.sentence);
    assert!(!threshold.sentence.contains("not asked yet"), "{}", threshold.sentence);
}
