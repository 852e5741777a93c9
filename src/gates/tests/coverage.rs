//! `coverage`: what must have been seen, in local time.

use super::*;

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A region in a zone, settled at a moment, all of its windows seen until now.
fn seen(zone: &str, start: &str, now: &str) -> Case {
    let mut case = case();
    case.service.regions[0].zone = Some(zone.into());
    case.bake_start = Some(BakeStart { at: moment(start), source: BakeSource::Condition });
    until(case, moment(now))
}

fn until(mut case: Case, now: Timestamp) -> Case {
    case.now = now;
    let start = case.bake_start.unwrap().at;
    let ends = (1..2100).map(|n| crate::domain::stamp::window_ceil(start) + WINDOW * n).take_while(|end| *end <= now);
    case.windows.insert(ColumnName::new("qps"), ends.map(|end| (end, Ok(50.0))).collect());
    case
}

fn coverage(case: &Case, params: &[(&str, Param)]) -> Box<dyn Gate> {
    let params = params.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
    gate_type("coverage").unwrap().build(&Params(params), &case.service).unwrap()
}

fn list(texts: &[&str]) -> Param {
    Param::List(texts.iter().map(|t| (*t).to_owned()).collect())
}

fn ring(judged: &Judgement) -> String {
    let line = judged.evidence.iter().find(|l| l.starts_with("hours ")).unwrap();
    line.chars().skip("hours ".len()).take(24).collect()
}

#[test]
fn eight_green_hours_without_midnight_are_not_a_day() {
    // The war story: settled at ten in the morning in Singapore, promoted eight hours later.
    let case = seen("Asia/Singapore", "2026-11-19T02:00:00Z", "2026-11-19T10:00:00Z");
    let gate = coverage(&case, &[("at", list(&["00:00 UTC", "midnight"]))]);
    let judged = case.judge(&*gate);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Wait, "8/26"), "{}", judged.sentence);
    assert_eq!(
        &*judged.sentence,
        "eu: not seen yet: hours 0-9, 18-23, 00:00 UTC, midnight (Asia/Singapore); by 2026-11-20 01:50 UTC"
    );
    assert_eq!(ring(&judged), "░░░░░░░░░░████████░░░░░░");
    let case = until(case, judged.until.unwrap());
    let judged = case.judge(&*gate);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Go, "26/26"), "{}", judged.sentence);
    assert_eq!(ring(&judged), "█".repeat(24));
}

#[test]
fn an_hour_counts_with_fifty_of_its_minutes_above_the_least_traffic() {
    let case = seen("UTC", "2026-11-19T00:00:00Z", "2026-11-19T02:00:00Z");
    let params = [("hours", text("0-1")), ("min_traffic", Param::Number(10.0))];
    let gate = coverage(&case, &params);
    assert_eq!(case.judge(&*gate).verdict, Verdict::Go);
    for (holes, verdict) in [(2, Verdict::Go), (3, Verdict::Wait)] {
        for hole in [Ok(9.9), Err(NoData::Gap)] {
            let mut case =
                until(seen("UTC", "2026-11-19T00:00:00Z", "2026-11-19T02:00:00Z"), moment("2026-11-19T02:00:00Z"));
            let windows = case.windows.get_mut("qps").unwrap();
            (1..=holes).for_each(|n| windows.insert(moment("2026-11-19T00:00:00Z") + WINDOW * n, hole.clone()));
            let judged = case.judge(&*gate);
            assert_eq!(judged.verdict, verdict, "{holes}: {}", judged.sentence);
            assert_eq!(ring(&judged).chars().next(), Some(if holes == 3 { '▄' } else { '█' }));
        }
    }
    // While nothing is known, nobody can tell when it will be seen.
    let mut blind = until(case, moment("2026-11-19T01:30:00Z"));
    blind.windows.get_mut("qps").unwrap().insert(moment("2026-11-19T01:30:00Z"), Err(NoData::Timeout));
    assert_eq!(blind.judge(&*gate).verdict, Verdict::NoData);
}

#[test]
fn nights_on_which_clocks_change_ask_for_the_hours_they_have() {
    for (zone, start, day, all) in [
        // The clock jumps from 2 to 3: that hour is not asked for.
        ("Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T10:50:00Z", 23),
        ("America/New_York", "2026-03-07T17:00:00Z", "2026-03-08T15:50:00Z", 23),
        // Hour 2 comes twice: the day lasts 25 hours.
        ("Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T12:50:00Z", 24),
        ("America/New_York", "2026-10-31T16:00:00Z", "2026-11-01T16:50:00Z", 24),
        // Half an hour only.
        ("Australia/Lord_Howe", "2026-10-03T01:30:00Z", "2026-10-04T00:50:00Z", 24),
        ("Australia/Lord_Howe", "2026-04-04T01:00:00Z", "2026-04-05T01:20:00Z", 24),
        // A leap day is a day.
        ("Europe/Berlin", "2028-02-28T23:00:00Z", "2028-02-29T22:50:00Z", 24),
        ("America/New_York", "2028-02-29T05:00:00Z", "2028-03-01T04:50:00Z", 24),
        // An ordinary day, in a zone of half hours.
        ("Asia/Kolkata", "2026-11-19T00:30:00Z", "2026-11-20T00:20:00Z", 24),
    ] {
        let before = moment(day) - WINDOW;
        let mut case = until(seen(zone, start, day), before);
        let gate = coverage(&case, &[]);
        let judged = case.judge(&*gate);
        assert_eq!((judged.verdict, judged.until), (Verdict::Wait, Some(moment(day))), "{zone}: {}", judged.sentence);
        case = until(case, moment(day));
        let judged = case.judge(&*gate);
        assert_eq!(judged.verdict, Verdict::Go, "{zone} {start}: {}", judged.sentence);
        assert_eq!(&*judged.cell, format!("{all}/{all}"), "{zone}");
    }
}

#[test]
fn instants_and_jobs_are_seen_with_what_is_around_them() {
    let case = seen("Europe/Dublin", "2026-11-19T12:00:00Z", "2026-11-20T00:05:00Z");
    for (params, early, seen_at) in [
        (vec![("at", list(&["00:00 UTC"]))], "2026-11-20T00:05:00Z", "2026-11-20T00:10:00Z"),
        (vec![("at", text("00:00 UTC")), ("around", text("1h"))], "2026-11-20T00:55:00Z", "2026-11-20T01:00:00Z"),
        (vec![("at", text("08:30 Asia/Tokyo"))], "2026-11-19T23:35:00Z", "2026-11-19T23:40:00Z"),
        (vec![("at", text("19:30"))], "2026-11-19T19:35:00Z", "2026-11-19T19:40:00Z"),
        // It began when the bake did: tomorrow's counts.
        (vec![("at", text("12:05"))], "2026-11-20T12:10:00Z", "2026-11-20T12:15:00Z"),
        (vec![("cron", list(&["0 3 * * *"]))], "2026-11-20T03:05:00Z", "2026-11-20T03:10:00Z"),
        // The next Monday.
        (vec![("cron", list(&["30 6 * * mon"]))], "2026-11-23T06:35:00Z", "2026-11-23T06:40:00Z"),
    ] {
        let mut params = params;
        params.push(("hours", text("none")));
        let gate = coverage(&case, &params);
        let case = |now| until(seen("Europe/Dublin", "2026-11-19T12:00:00Z", now), moment(now));
        let judged = case(early).judge(&*gate);
        assert_eq!((judged.verdict, judged.until), (Verdict::Wait, Some(moment(seen_at))), "{}", judged.sentence);
        assert_eq!(case(seen_at).judge(&*gate).verdict, Verdict::Go, "{params:?}");
    }
    // A local time that does not exist is the jump; one that comes twice may be either.
    let gap = seen("Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T01:40:00Z");
    let gate = coverage(&gap, &[("hours", text("none")), ("at", text("02:30"))]);
    assert_eq!(gap.judge(&*gate).verdict, Verdict::Go, "02:30 is 03:30 on that night");
    let fold = seen("Europe/Berlin", "2026-10-25T01:00:00Z", "2026-10-25T01:40:00Z");
    assert_eq!(fold.judge(&*gate).verdict, Verdict::Go, "the second 02:30 is enough");
}

#[test]
fn local_hours_need_a_zone() {
    let service = service();
    let fits = |params: &[(&str, Param)]| {
        let params = Params(params.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect());
        gate_type("coverage").unwrap().fits(&params, &service, RingIx(0)).map_err(|e| e.message)
    };
    assert_eq!(fits(&[]), Ok(()));
    assert_eq!(fits(&[("at", list(&["00:00 UTC"]))]), Ok(()));
    assert_eq!(fits(&[("hours", text("8-20")), ("zone", text("UTC"))]), Ok(()));
    for params in [vec![("hours", text("8-20"))], vec![("at", text("midnight"))], vec![("cron", text("0 3 * * *"))]] {
        assert!(fits(&params).unwrap_err().contains("region `eu` has no zone"), "{params:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// The end of the wait that is foretold is when it ends, and it was foretold all along.
    #[test]
    fn the_end_of_the_wait_is_foretold(
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
        day in prop::sample::select(vec!["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2028-02-28"]),
        minutes in 0i64..1440,
        at in prop::sample::select(vec!["00:00 UTC", "midnight", "02:30", "12:00"]),
        looks in prop::collection::vec(0i64..300, 4),
    ) {
        let start = moment(&format!("{day}T00:00:00Z")) + SignedDuration::from_mins(minutes);
        let case = || seen(zone, &start.to_string(), &start.to_string());
        let gate = coverage(&case(), &[("at", text(at))]);
        let first = until(case(), start + WINDOW * 3).judge(&*gate);
        prop_assert_eq!(first.verdict, Verdict::Wait);
        let end = first.until.unwrap();
        for look in looks {
            let judged = until(case(), start + WINDOW * i32::try_from(3 + look).unwrap()).judge(&*gate);
            match judged.until {
                Some(foretold) => prop_assert_eq!(foretold, end, "{}", judged.sentence),
                None => prop_assert_eq!(judged.verdict, Verdict::Go),
            }
        }
        prop_assert_eq!(until(case(), end).judge(&*gate).verdict, Verdict::Go);
        prop_assert_eq!(until(case(), end - WINDOW).judge(&*gate).verdict, Verdict::Wait);
    }
}
