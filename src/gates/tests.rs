//! Each gate as a table: what is seen, and what is said of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::fixture::{params, service, workload};
use super::{GATES, gate_type};
use crate::domain::fleet::Service;
use crate::domain::gate::{BakeSource, BakeStart, Evidence, Gate};
use crate::domain::id::{ColumnName, RegionIx};
use crate::domain::link::{Freshness, LostReason};
use crate::domain::metric::{NoData, Reading, Windows};
use crate::domain::stamp::Timestamp;
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::workload::{Phase, Progressing, Workload};

fn at(text: &str) -> Timestamp {
    format!("2026-11-20T{text}:00Z").parse().unwrap()
}

struct Case<'a> {
    workload: Option<&'a Workload>,
    freshness: Freshness<'a>,
    start: Option<Timestamp>,
    windows: BTreeMap<ColumnName, Windows>,
    now: Timestamp,
}

impl<'a> Case<'a> {
    fn new(workload: Option<&'a Workload>) -> Self {
        Self {
            workload,
            freshness: Freshness::Live,
            start: Some(at("10:02")),
            windows: BTreeMap::new(),
            now: at("10:17"),
        }
    }
    fn windows(mut self, readings: &[(&str, Reading)]) -> Self {
        let windows = readings.iter().map(|(t, r)| (at(t), r.clone())).collect();
        self.windows.insert("errors".into(), Windows(windows));
        self
    }
    fn judge(self, gate: &dyn Gate, service: &Service) -> Judgement {
        gate.judge(&Evidence {
            service,
            ring: &service.rings[0],
            region: &service.regions[0],
            at: RegionIx(0),
            workload: self.workload,
            wanted: None,
            freshness: self.freshness,
            bake_start: self.start.map(|at| BakeStart { at, source: BakeSource::Condition }),
            windows: &self.windows,
            current: &BTreeMap::new(),
            now: self.now,
        })
    }
}

fn build(name: &str, entries: &[(&str, &str)]) -> Box<dyn Gate> {
    gate_type(name).unwrap().build(&params(entries), &service()).expect("the parameters are right")
}

#[test]
fn ready_waits_for_the_rollout_and_says_no_when_it_failed() {
    let service = service();
    let gate = build("ready", &[]);
    let judge = |w: Option<&Workload>| Case::new(w).judge(&*gate, &service).verdict;
    assert_eq!(judge(None), Verdict::NoData);
    assert_eq!(judge(Some(&workload(Phase::Complete))), Verdict::Go);
    assert_eq!(judge(Some(&workload(Phase::Unobserved))), Verdict::Wait);
    assert_eq!(judge(Some(&workload(Phase::Progressing(Progressing::Updating)))), Verdict::Wait);
    assert_eq!(judge(Some(&workload(Phase::DeadlineExceeded))), Verdict::NoGo);
    let paused = Workload { paused: true, ..workload(Phase::Complete) };
    assert_eq!(judge(Some(&paused)), Verdict::Wait);
}

#[test]
fn a_bake_ends_to_the_second_and_never_begins_in_the_future() {
    let service = service();
    let gate = build("bake", &[("for", "15m")]);
    let judge = |start: Option<&str>, now: &str| {
        Case { start: start.map(at), now: at(now), ..Case::new(None) }.judge(&*gate, &service)
    };
    assert_eq!(judge(None, "10:17").verdict, Verdict::NoData);
    let waits = judge(Some("10:02"), "10:16");
    assert_eq!((waits.verdict, &*waits.cell, waits.until), (Verdict::Wait, "1m00s", Some(at("10:17"))));
    assert_eq!(judge(Some("10:02"), "10:17").verdict, Verdict::Go);
    assert_eq!(judge(Some("10:30"), "10:17").verdict, Verdict::NoData);
    assert_eq!(gate.minimum(), Duration::from_secs(900));
}

#[test]
fn a_threshold_is_judged_by_its_worst_whole_window() {
    let service = service();
    let gate = build("threshold", &[("column", "errors"), ("max", "1%")]);
    let judge = |readings: &[(&str, Reading)]| Case::new(None).windows(readings).judge(&*gate, &service);
    // The bake began at 10:02 and it is 10:17: the only whole windows end at 10:10 and 10:15.
    let good = judge(&[("10:05", Ok(0.5)), ("10:10", Ok(0.002)), ("10:15", Ok(0.01))]);
    assert_eq!((good.verdict, &*good.cell), (Verdict::Go, "1.00 %"), "a window before the bake does not count");
    let bad = judge(&[("10:10", Ok(0.0101)), ("10:15", Ok(0.001))]);
    assert_eq!(bad.verdict, Verdict::NoGo);
    assert!(
        bad.sentence.contains("ap-south-1 errors was 1.01 % in the window to 20 Nov 10:10 UTC"),
        "{}",
        bad.sentence
    );
    for why in [NoData::Empty, NoData::NotANumber, NoData::Gap, NoData::Warning("partial".into())] {
        let unknown = judge(&[("10:10", Ok(0.001)), ("10:15", Err(why))]);
        assert_eq!(unknown.verdict, Verdict::NoData);
    }
    assert_eq!(judge(&[("10:10", Ok(0.001))]).verdict, Verdict::NoData, "a window nobody asked for is unknown");
    assert_eq!(judge(&[("10:10", Ok(0.5)), ("10:15", Err(NoData::Empty))]).verdict, Verdict::NoGo, "the worst wins");
}

#[test]
fn a_threshold_waits_for_its_first_whole_window() {
    let service = service();
    let gate = build("threshold", &[("column", "errors"), ("max", "1%")]);
    let early = Case { now: at("10:09"), ..Case::new(None) }.judge(&*gate, &service);
    assert_eq!(early.verdict, Verdict::Wait);
    let never = Case { start: None, ..Case::new(None) }.judge(&*gate, &service);
    assert_eq!(never.verdict, Verdict::NoData);
}

#[test]
fn a_mean_that_looks_fine_does_not_hide_a_bad_quarter_of_an_hour() {
    // 15 % errors for 15 minutes in 22 hours: the mean is 0.17 %.
    let service = service();
    let gate = build("threshold", &[("column", "errors"), ("max", "1%")]);
    let start: Timestamp = "2026-11-19T00:00:00Z".parse().unwrap();
    let now: Timestamp = "2026-11-19T22:00:00Z".parse().unwrap();
    let windows = (1..=264).map(|n| {
        let end = Timestamp::from_second(start.as_second() + n * 300).unwrap();
        (end, Ok(if (100..103).contains(&n) { 0.15 } else { 0.0 }))
    });
    let mut case = Case { start: Some(start), now, ..Case::new(None) };
    case.windows.insert("errors".into(), Windows(windows.collect()));
    assert_eq!(case.judge(&*gate, &service).verdict, Verdict::NoGo);
}

#[test]
fn freshness_closes_on_anything_but_a_live_link() {
    let service = service();
    let gate = build("freshness", &[]);
    let lost = LostReason::Unreachable("connection refused".into());
    let seen = workload(Phase::Complete);
    let judge = |f: Freshness<'_>, w: Option<&Workload>| {
        let service = &service;
        Case { freshness: f, ..Case::new(w) }.judge(&*gate, service).verdict
    };
    assert_eq!(judge(Freshness::Live, Some(&seen)), Verdict::Go);
    assert_eq!(judge(Freshness::Live, None), Verdict::NoData);
    assert_eq!(judge(Freshness::Never, Some(&seen)), Verdict::NoData);
    assert_eq!(judge(Freshness::Late(Duration::from_secs(50)), Some(&seen)), Verdict::NoData);
    assert_eq!(judge(Freshness::Lost(None, &lost), Some(&seen)), Verdict::NoData);
}

#[test]
fn parameters_are_checked_with_a_way_out() {
    let build = |name: &str, entries: &[(&str, &str)]| {
        gate_type(name).unwrap().build(&params(entries), &service()).err().map(|e| (e.name, e.message))
    };
    for (name, entries, parameter, hint) in [
        ("bake", &[][..], "for", "24h"),
        ("bake", &[("for", "0s")][..], "for", "no length"),
        ("threshold", &[("max", "1%")][..], "column", "errors"),
        ("threshold", &[("column", "erors"), ("max", "1%")][..], "column", "did you mean \"errors\"?"),
        ("threshold", &[("column", "errors")][..], "max", "`max` or `min`"),
        ("threshold", &[("column", "errors"), ("max", "5ms")][..], "max", "1%"),
    ] {
        let (at, message) = build(name, entries).expect("an error");
        assert_eq!(at, parameter);
        assert!(message.contains(hint), "{message}");
    }
}

proptest! {
    #[test]
    fn losing_a_window_or_worsening_it_never_gives_a_better_verdict(
        values in proptest::collection::vec(proptest::option::of(0.0f64..0.02), 2),
        at_ in 0usize..2,
        worse in proptest::option::of(0.0f64..1.0),
    ) {
        let service = service();
        let gate = build("threshold", &[("column", "errors"), ("max", "1%")]);
        let ends = ["10:10", "10:15"];
        let readings = |values: &[Option<f64>]| -> Vec<(&str, Reading)> {
            ends.iter().zip(values).map(|(e, v)| (*e, v.ok_or(NoData::Empty))).collect()
        };
        let before = Case::new(None).windows(&readings(&values)).judge(&*gate, &service).verdict;
        let mut changed = values.clone();
        changed[at_] = match (values[at_], worse) {
            (Some(old), Some(more)) => Some(old + more),
            (old, None) if old.is_some_and(|v| v > 0.01) => old,
            (Some(_), None) => None,
            (None, _) => None,
        };
        let after = Case::new(None).windows(&readings(&changed)).judge(&*gate, &service).verdict;
        prop_assert!(after >= before, "{before:?} became {after:?}");
    }
}

#[test]
fn every_gate_says_what_it_is() {
    for gate in GATES {
        assert!(gate.about().ends_with('.'), "{}", gate.name());
    }
}
