#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use proptest::prelude::*;

use super::*;
use crate::domain::stamp::SignedDuration;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn calendar(entry: &str) -> Calendar {
    Calendar::parse([entry]).unwrap()
}

fn minutes(span: Option<Span>) -> i64 {
    span.map_or(0, |s| s.to.duration_since(s.from).as_mins())
}

#[test]
fn every_form_is_read_and_wrong_ones_say_how() {
    for good in [
        "Mon-Fri 09:00-17:00",
        "daily 22:00-06:00",
        "Sat,Sun",
        "sunday",
        "Fri-Mon",
        "Mon 00:00-24:00",
        "Fri 16:00-Mon 08:00",
        "2026-12-25",
        "2026-12-18..2027-01-04",
        "2026-12-18 18:00..2027-01-04 06:00",
        "2028-02-29",
    ] {
        assert!(Calendar::parse([good]).is_ok(), "{good}");
    }
    for (bad, words) in [
        ("", "write e.g."),
        ("Mo 09:00-17:00", "there is no day `Mo`"),
        ("Mon 9-17", "`9` is no time of day"),
        ("Mon 09:00-25:00", "`25:00` is no time of day"),
        ("Mon 24:00-08:00", "`24:00` can only be an end"),
        ("Mon 09:00", "write e.g."),
        ("2027-02-29", "there is no day `2027-02-29`"),
        ("2026-12-18 18:00", "one moment is no stretch"),
        ("2027-01-04..2026-12-18", "it ends before it begins"),
        ("2026-12-18 1800..2027-01-04", "`1800` is no time of day"),
        ("Mon 09:00-17:00 UTC please", "write e.g."),
    ] {
        let said = Calendar::parse([bad]).unwrap_err();
        assert!(said.contains(words) && said.starts_with(&format!("`{bad}`: ")), "{bad}: {said}");
    }
    assert!(Calendar::parse([]).is_err());
}

#[test]
fn hours_are_those_of_the_region_and_go_over_midnight() {
    let night = calendar("Fri 22:00-06:00");
    let kolkata = zone("Asia/Kolkata");
    // Friday 22:00 in Kolkata is 16:30 UTC.
    for (now, inside) in [
        ("2026-11-20T16:29:59Z", false),
        ("2026-11-20T16:30:00Z", true),
        ("2026-11-21T00:29:59Z", true),
        ("2026-11-21T00:30:00Z", false),
        ("2026-11-19T17:00:00Z", false),
    ] {
        let standing = night.at(at(now), &kolkata, Twice::WallClock);
        assert_eq!(standing.inside.is_some(), inside, "{now}");
    }
    let next = night.at(at("2026-11-21T00:30:00Z"), &kolkata, Twice::WallClock).next.unwrap();
    assert_eq!(next.from, at("2026-11-27T16:30:00Z"));
}

#[test]
fn stretches_that_touch_are_one() {
    let weekend = Calendar::parse(["Fri 16:00-24:00", "Sat,Sun", "Mon 00:00-08:00"]).unwrap();
    let standing = weekend.at(at("2026-11-21T12:00:00Z"), &TimeZone::UTC, Twice::Widest);
    assert_eq!(standing.inside, Some(Span { from: at("2026-11-20T16:00:00Z"), to: at("2026-11-23T08:00:00Z") }));
    assert_eq!(weekend, Calendar::parse(["Fri 16:00-24:00", "Sat,Sun", "Mon 00:00-08:00"]).unwrap());
    let long = calendar("Fri 16:00-Mon 08:00").at(at("2026-11-21T12:00:00Z"), &TimeZone::UTC, Twice::Widest);
    assert_eq!(long.inside, standing.inside);
}

#[test]
fn an_hour_that_is_skipped_does_not_open_and_does_not_freeze() {
    // Clocks go from 02:00 to 03:00 (Lord Howe: from 02:00 to 02:30).
    for (name, before, gap) in [
        ("Europe/Berlin", "2026-03-29T00:00:00Z", "Sun 02:15-02:45"),
        ("America/New_York", "2026-03-08T06:00:00Z", "Sun 02:15-02:45"),
        ("Australia/Lord_Howe", "2026-10-03T14:30:00Z", "Sun 02:05-02:25"),
    ] {
        for twice in [Twice::WallClock, Twice::Widest] {
            let standing = calendar(gap).at(at(before), &zone(name), twice);
            assert_eq!(standing.inside, None, "{name}");
            let next = standing.next.unwrap();
            let days = next.from.duration_since(at(before)).as_hours() / 24;
            assert_eq!(days, 7, "{name}: the skipped one is passed over: {next:?}");
        }
        // A stretch around the jump lasts as long as its instants do.
        let around = calendar("Sun 01:00-04:00").at(at(before), &zone(name), Twice::WallClock);
        let skipped = if name == "Australia/Lord_Howe" { 30 } else { 60 };
        assert_eq!(minutes(around.inside.or(around.next)), 180 - skipped, "{name}");
    }
}

#[test]
fn an_hour_that_is_repeated_opens_twice_and_freezes_once_and_long() {
    // (zone, a moment before, local times in the repeated stretch)
    for (name, before, fold, length, repeat) in [
        ("Europe/Berlin", "2026-10-24T22:00:00Z", "Sun 02:15-02:45", 30, 60),
        ("America/New_York", "2026-11-01T04:00:00Z", "Sun 01:15-01:45", 30, 60),
        ("Australia/Lord_Howe", "2026-04-04T14:00:00Z", "Sun 01:40-01:50", 10, 30),
    ] {
        let zone = zone(name);
        let first = calendar(fold).at(at(before), &zone, Twice::WallClock).next.unwrap();
        let second = calendar(fold).at(first.to, &zone, Twice::WallClock).next.unwrap();
        assert_eq!((minutes(Some(first)), minutes(Some(second))), (length, length), "{name}");
        assert_eq!(second.from.duration_since(first.from).as_mins(), repeat, "{name}");
        let frozen = calendar(fold).at(at(before), &zone, Twice::Widest).next.unwrap();
        assert_eq!(frozen, Span { from: first.from, to: second.to }, "{name}");
    }
    // An end inside the repeated hour: open until it first shows it, and again after the jump.
    let berlin = zone("Europe/Berlin");
    let open = calendar("Sun 01:00-02:30");
    let first = open.at(at("2026-10-24T22:00:00Z"), &berlin, Twice::WallClock).next.unwrap();
    assert_eq!(first, Span { from: at("2026-10-24T23:00:00Z"), to: at("2026-10-25T00:30:00Z") });
    let second = open.at(first.to, &berlin, Twice::WallClock).next.unwrap();
    assert_eq!(second, Span { from: at("2026-10-25T01:00:00Z"), to: at("2026-10-25T01:30:00Z") });
    let frozen = open.at(at("2026-10-24T22:00:00Z"), &berlin, Twice::Widest).next.unwrap();
    assert_eq!(frozen, Span { from: first.from, to: second.to });
}

#[test]
fn a_leap_day_is_a_day_and_a_month_end_follows_it() {
    let leap = calendar("2028-02-29");
    let standing = leap.at(at("2026-11-21T00:00:00Z"), &TimeZone::UTC, Twice::Widest);
    assert_eq!(standing.next, Some(Span { from: at("2028-02-29T00:00:00Z"), to: at("2028-03-01T00:00:00Z") }));
    let through = calendar("2028-02-28..2028-03-01").at(at("2028-02-29T23:59:59Z"), &TimeZone::UTC, Twice::Widest);
    assert_eq!(minutes(through.inside), 3 * 24 * 60);
}

#[test]
fn a_moment_is_told_in_both_clocks() {
    let moment = at("2026-11-23T03:30:00Z");
    assert_eq!(local_and_utc(moment, &zone("Asia/Kolkata")), "Mon 2026-11-23 09:00 IST (03:30 UTC)");
    assert_eq!(local_and_utc(moment, &zone("America/New_York")), "Sun 2026-11-22 22:30 EST (Mon 03:30 UTC)");
    assert_eq!(local_and_utc(moment, &TimeZone::UTC), "Mon 2026-11-23 03:30 UTC");
}

proptest! {
    #[test]
    fn inside_is_what_the_wall_clock_shows(
        seconds in 1_700_000_000i64..1_900_000_000,
        from in 0i8..24, length in 1i8..23,
        name in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]),
    ) {
        let zone = zone(name);
        let now = Timestamp::from_second(seconds).unwrap();
        let to = (from + length) % 24;
        prop_assume!(from != to);
        let open = calendar(&format!("daily {from:02}:00-{to:02}:00"));
        let hour = now.to_zoned(zone.clone()).hour();
        let shown = if from < to { (from..to).contains(&hour) } else { hour >= from || hour < to };
        let standing = open.at(now, &zone, Twice::WallClock);
        prop_assert_eq!(standing.inside.is_some(), shown, "{:?}", standing);
        // What is allowed by the clock is never wider than what is forbidden by it.
        let wide = open.at(now, &zone, Twice::Widest);
        prop_assert!(!shown || wide.inside.is_some());
        if let Some(span) = standing.inside {
            prop_assert!(span.from <= now && now < span.to);
        }
        if let Some(next) = standing.next {
            prop_assert!(next.from > now && next.from.duration_since(now) <= SignedDuration::from_hours(24 * 16));
        }
    }
}
