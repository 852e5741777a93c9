//! `baseline`: against the regions that still run the old version, and against itself earlier.

use super::*;

/// `eu` runs v2 since an hour; `us` and `ap` of ring-2 and `sa` of ring-3 run v1, each with a traffic.
fn world() -> Case {
    let mut case = case();
    case.service.rings.push(Ring { name: RingName::new("ring-2"), ..case.service.rings[0].clone() });
    case.service.rings.push(Ring { name: RingName::new("ring-3"), ..case.service.rings[0].clone() });
    for (name, ring) in [("us", 1), ("ap", 1), ("sa", 2)] {
        let region = Region { name: RegionName::new(name), ring: RingIx(ring), ..case.service.regions[0].clone() };
        case.service.regions.push(region);
        case.peers.push(Other {
            workload: Some(Workload {
                template: digest(7),
                version: Version("v1".into()),
                image: Some(Image::parse("web:v1")),
                ..workload()
            }),
            freshness: Freshness::Live,
            settled: Some(BakeStart { at: at(-50_000), source: BakeSource::Record }),
            windows: BTreeMap::new(),
            held: false,
            weight: Some(10),
        });
    }
    case.steady(None, "errors", 0.002).traffic([12_400.0, 52_000.0, 40_000.0, 5_000.0])
}

impl Case {
    /// A value in every window of the hour: here (none), or in another region.
    fn steady(mut self, other: Option<usize>, column: &str, value: f64) -> Self {
        let all: Windows = (1..=12).map(|n| (at(n * 5), Ok(value))).collect();
        match other {
            None => {
                self.windows.insert(ColumnName::new(column), all.clone());
                for peer in &mut self.peers {
                    peer.windows.entry(ColumnName::new(column)).or_insert_with(|| all.clone());
                }
            }
            Some(n) => drop(self.peers[n].windows.insert(ColumnName::new(column), all)),
        }
        self
    }
    fn traffic(self, qps: [f64; 4]) -> Self {
        let [own, rest @ ..] = qps;
        let case = self.steady(None, "qps", own);
        rest.iter().enumerate().fold(case, |case, (n, q)| case.steady(Some(n), "qps", *q))
    }
    fn baseline(&self, params: &[(&str, Param)]) -> Judgement {
        let mut all = vec![("column", text("errors"))];
        all.extend(params.iter().cloned());
        self.judge(&*self.gate("baseline", &all).unwrap())
    }
}

#[test]
fn half_as_many_errors_again_are_flagged_though_the_bound_holds() {
    // The dashboard of the source: 0.3 % in the canary region, 0.2 % elsewhere.
    let case = world().steady(None, "errors", 0.003);
    let case = (0..3).fold(case, |case, n| case.steady(Some(n), "errors", 0.002));
    assert_eq!(case.judge(&*errors_below_one_percent()).verdict, Verdict::Go);
    let judged = case.baseline(&[]);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Findings, "+50 %"), "{}", judged.sentence);
    assert!(
        judged.sentence.starts_with("eu: errors was 0.30 % in the hour to ")
            && judged.sentence.ends_with("0.20 % in the old version (+50 %)"),
        "{}",
        judged.sentence
    );
    assert_eq!(judged.figure_of("baseline"), Some(0.002));
    assert!(judged.evidence.iter().any(|l| &**l == "baseline: us, ap, sa pooled by traffic"), "{:?}", judged.evidence);
    // As a hard bound.
    assert_eq!(case.baseline(&[("ratio", Param::Number(1.4))]).verdict, Verdict::NoGo);
    assert_eq!(case.baseline(&[("watch", Param::Number(1.6))]).verdict, Verdict::Go);
    assert_eq!(case.baseline(&[("floor", text("0.2%"))]).verdict, Verdict::Go, "the difference is below the floor");
}

#[test]
fn the_baseline_moves_when_the_other_regions_move() {
    let bad = || world().steady(None, "errors", 0.02);
    let still = (0..3).fold(bad(), |case, n| case.steady(Some(n), "errors", 0.002));
    let judged = still.baseline(&[]);
    assert_eq!(judged.verdict, Verdict::NoGo, "{}", judged.sentence);
    assert!(judged.sentence.contains("errors against the old version was 2.00 %"), "{}", judged.sentence);
    // The whole world has the same trouble: it is not the new version's.
    let all = (0..3).fold(bad(), |case, n| case.steady(Some(n), "errors", 0.019));
    assert_eq!(all.baseline(&[]).verdict, Verdict::Go);
}

#[test]
fn large_regions_weigh_more() {
    // The small one alone is bad: the pool is near the large ones.
    let case = world().steady(None, "errors", 0.01).steady(Some(0), "errors", 0.002).steady(Some(1), "errors", 0.002);
    let judged = case.steady(Some(2), "errors", 0.04).baseline(&[]);
    let pooled = (52_000.0 * 0.002 + 40_000.0 * 0.002 + 5_000.0 * 0.04) / 97_000.0;
    assert!((judged.figure_of("baseline").unwrap() - pooled).abs() < 1e-9, "{:?}", judged.figures);
}

#[test]
fn regions_that_are_no_baseline_are_left_out_and_said() {
    type Change = fn(&mut Other);
    let table: &[(&str, Change, &str)] = &[
        ("drained", |o| o.weight = Some(0), "left out: sa is drained"),
        ("held", |o| o.held = true, "left out: sa is held"),
        ("stale", |o| o.freshness = Freshness::Late(Duration::from_secs(99)), "left out: sa is stale"),
        ("never seen", |o| o.workload = None, "left out: sa is not seen"),
        ("being changed", |o| o.settled = None, "left out: sa is being changed"),
    ];
    for (name, change, words) in table {
        let mut case = world().steady(Some(2), "errors", 0.5);
        change(&mut case.peers[2]);
        let judged = case.baseline(&[]);
        assert_eq!(judged.figure_of("baseline"), Some(0.002), "{name}");
        assert!(judged.evidence.iter().any(|l| &**l == *words), "{name}: {:?}", judged.evidence);
    }
    // Drifted: of three regions of a ring, one has another template.
    let mut case = world().steady(Some(2), "errors", 0.5);
    case.service.regions[3].ring = RingIx(1);
    case.peers[2].workload.as_mut().unwrap().template = digest(8);
    let judged = case.baseline(&[]);
    assert_eq!(judged.figure_of("baseline"), Some(0.002));
    assert!(judged.evidence.iter().any(|l| &**l == "left out: sa is drifted"), "{:?}", judged.evidence);
    // Where every region has a template of its own, none has drifted.
    case.peers[1].workload.as_mut().unwrap().template = digest(9);
    assert!(case.baseline(&[]).figure_of("baseline").unwrap() > 0.002);
    // A region that runs what is judged is no baseline, and not worth a word.
    let mut case = world().steady(Some(2), "errors", 0.5);
    case.peers[2].workload = Some(workload());
    let judged = case.baseline(&[]);
    assert_eq!(judged.figure_of("baseline"), Some(0.002));
    assert!(!judged.evidence.iter().any(|l| l.contains("sa")), "{:?}", judged.evidence);
    // What a region did before it ran the old version (again) is no baseline.
    let mut case = world().steady(Some(0), "errors", 0.002).steady(Some(2), "errors", 0.5);
    case.peers[2].settled = Some(BakeStart { at: at(60), source: BakeSource::Record });
    assert_eq!(case.baseline(&[]).figure_of("baseline"), Some(0.002));
}

#[test]
fn nobody_left_is_no_data_unless_it_may_be_compared_with_itself() {
    let alone = || {
        let mut case = world();
        case.peers.iter_mut().for_each(|p| p.workload = Some(workload()));
        case.peers[1].workload.as_mut().unwrap().version = Version("v1".into());
        case.peers[1].workload.as_mut().unwrap().image = Some(Image::parse("web:v1"));
        case.peers[1].held = true;
        case
    };
    let judged = alone().baseline(&[]);
    assert_eq!(judged.verdict, Verdict::NoData);
    assert_eq!(&*judged.sentence, "eu: errors: no region is left to compare with: ap is held");
    let both = || ("against", Param::List(vec!["peers".into(), "yesterday".into()]));
    let judged = alone().baseline(&[both()]);
    assert_eq!(judged.verdict, Verdict::NoData, "and nothing is known of yesterday: {}", judged.sentence);
    let yesterday = |case: Case, errors: f64| {
        let day = 24 * 60;
        let again = |own: &Windows, value: f64| -> Windows {
            let then = (1..=12).map(|n| (at(n * 5 - day), Ok(value)));
            own.iter().map(|(end, seen)| (end, seen.map_err(Clone::clone))).chain(then).collect()
        };
        let mut case = case;
        let (e, q) = (&case.windows["errors"], &case.windows["qps"]);
        let (e, q) = (again(e, errors), again(q, 12_000.0));
        case.windows.insert(ColumnName::new("errors"), e);
        case.windows.insert(ColumnName::new("qps"), q);
        case
    };
    let judged = yesterday(alone(), 0.002).baseline(&[both()]);
    assert_eq!(judged.verdict, Verdict::Go, "{}", judged.sentence);
    assert!(judged.evidence.iter().any(|l| l.ends_with("compared with itself alone")), "{:?}", judged.evidence);
    assert_eq!(yesterday(alone(), 0.0004).baseline(&[both()]).verdict, Verdict::NoGo);
    // Both are compared where both are there; the worse decides.
    let judged = yesterday(world(), 0.0004).baseline(&[both()]);
    assert_eq!(judged.verdict, Verdict::NoGo, "{}", judged.sentence);
    assert!(judged.sentence.contains("itself 1d00h earlier"), "{}", judged.sentence);
    assert!(judged.evidence.iter().any(|l| l.starts_with("also: eu: errors against the old version")));
}

#[test]
fn the_same_local_hour_of_an_earlier_day_is_found_on_nights_on_which_clocks_change() {
    // Where the clock was changed in between, an earlier day's hour is more or less than whole days ago.
    for (zone, against, start, local) in [
        // Back by an hour at 03:00: after it, yesterday is 25 hours ago.
        ("Europe/Berlin", "yesterday", "2026-10-25T02:00:00Z", "2026-10-24T01:00:00Z"),
        ("America/New_York", "yesterday", "2026-11-01T07:00:00Z", "2026-10-31T06:00:00Z"),
        // Half an hour only.
        ("Australia/Lord_Howe", "yesterday", "2026-04-04T16:30:00Z", "2026-04-03T16:00:00Z"),
        // Forward: 23 hours, and 23 and a half.
        ("Europe/Berlin", "yesterday", "2026-03-29T02:00:00Z", "2026-03-28T03:00:00Z"),
        ("America/New_York", "yesterday", "2026-03-08T08:00:00Z", "2026-03-07T09:00:00Z"),
        ("Australia/Lord_Howe", "yesterday", "2026-10-03T16:00:00Z", "2026-10-02T16:30:00Z"),
        // A week with the night in it.
        ("Europe/Berlin", "last-week", "2026-10-27T10:00:00Z", "2026-10-20T09:00:00Z"),
        ("America/New_York", "last-week", "2026-03-10T10:00:00Z", "2026-03-03T11:00:00Z"),
        // A leap day is a day like others: the day after it looks at it, a week after it too.
        ("Europe/Berlin", "yesterday", "2028-03-01T10:00:00Z", "2028-02-29T10:00:00Z"),
        ("America/New_York", "last-week", "2028-03-07T10:00:00Z", "2028-02-29T10:00:00Z"),
    ] {
        let start: Timestamp = start.parse().unwrap();
        let mut case = case();
        case.service.regions[0].zone = Some(zone.into());
        case.bake_start = Some(BakeStart { at: start, source: BakeSource::Condition });
        case.now = start + WINDOW * 12;
        let hour = |from: Timestamp, value: f64| (1..=12).map(move |n| (from + WINDOW * n, Ok(value)));
        let local: Timestamp = local.parse().unwrap();
        for (column, now, then, other) in [("errors", 0.002, 0.0019, 0.9), ("qps", 9000.0, 9000.0, 1.0)] {
            // Everything around that hour is something else.
            let around = (-18..0).chain(12..30).map(|n| (local + WINDOW * (n + 1), Ok(other)));
            let windows = hour(start, now).chain(hour(local, then)).chain(around).collect();
            case.windows.insert(ColumnName::new(column), windows);
        }
        let judged = case.baseline(&[("against", text(against))]);
        assert_eq!(judged.verdict, Verdict::Go, "{zone} {start}: {}", judged.sentence);
        assert_eq!(judged.figure_of("baseline"), Some(0.0019), "{zone} {start}");
        let params = [("column", text("errors")), ("against", text(against))];
        assert_eq!(case.gate("baseline", &params).unwrap().needs().len(), 4);
    }
}

#[test]
fn few_requests_are_not_compared_and_chance_is_not_a_difference() {
    let few = world().steady(None, "errors", 0.02).traffic([3.0, 52_000.0, 40_000.0, 5_000.0]);
    let few = (0..3).fold(few, |case, n| case.steady(Some(n), "errors", 0.002));
    let judged = few.baseline(&[]);
    assert_eq!(judged.verdict, Verdict::NoData, "{}", judged.sentence);
    assert!(judged.sentence.contains("too little traffic"), "{}", judged.sentence);
    // 1200 requests a window, 0.5 % of them failed where 0.2 % do elsewhere: six instead of two or three.
    let chance = world().steady(None, "errors", 0.005).traffic([4.0, 52_000.0, 40_000.0, 5_000.0]);
    let chance = (0..3).fold(chance, |case, n| case.steady(Some(n), "errors", 0.002));
    let judged = chance.baseline(&[]);
    assert_eq!(judged.verdict, Verdict::Findings, "an hour of it is no chance: {}", judged.sentence);
    assert!(judged.evidence.iter().any(|l| l.contains("12 within, 0 outside")), "{:?}", judged.evidence);
    // An unknown window here or there is no comparison.
    let mut hole = world();
    hole.windows.get_mut("errors").unwrap().insert(at(30), Err(NoData::Gap));
    assert_eq!(hole.baseline(&[]).verdict, Verdict::NoData);
    let mut hole = world();
    hole.peers.iter_mut().for_each(|p| p.windows.get_mut("errors").unwrap().insert(at(30), Err(NoData::Gap)));
    let judged = hole.baseline(&[]);
    assert_eq!(judged.verdict, Verdict::NoData);
    assert!(judged.sentence.contains("nothing to compare with"), "{}", judged.sentence);
    // One of three baselines that is not heard for a while is no reason to stop.
    let mut hole = world();
    hole.peers[2].windows.get_mut("errors").unwrap().insert(at(30), Err(NoData::Gap));
    assert_eq!(hole.baseline(&[]).verdict, Verdict::Go);
}

#[test]
fn what_is_better_higher_is_worse_lower() {
    let mut case = world();
    case.service.columns[0].better = Better::Higher;
    let case = case.steady(None, "errors", 0.4);
    let judged = (0..3).fold(case, |case, n| case.steady(Some(n), "errors", 0.95)).baseline(&[]);
    assert_eq!(judged.verdict, Verdict::NoGo, "{}", judged.sentence);
}

proptest! {
    #[test]
    fn a_worse_sample_never_moves_a_verdict_towards_go(
        own in prop::collection::vec(0.0..0.02, 12),
        which in 0usize..12,
        by in 0.0..0.05,
    ) {
        let judge = |own: &[f64]| {
            let windows = own.iter().enumerate().map(|(n, v)| (at(n as i64 * 5 + 5), Ok(*v))).collect();
            let mut case = (0..3).fold(world(), |case, n| case.steady(Some(n), "errors", 0.005));
            case.windows.insert(ColumnName::new("errors"), windows);
            case.baseline(&[])
        };
        let before = judge(&own);
        let mut worse = own.clone();
        worse[which] += by;
        let after = judge(&worse);
        prop_assert!(after.verdict >= before.verdict, "{} became {}", before.sentence, after.sentence);
    }
}
