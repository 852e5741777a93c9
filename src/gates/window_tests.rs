#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::gates::stand::{at, list, stand, text};

#[test]
fn a_window_is_open_while_the_regions_own_clock_says_so() {
    let mut stand = stand();
    for (region, now, verdict, words) in [
        // Friday 15:32 in Berlin, 09:32 in New York.
        ("eu", "2026-11-20T14:32:07Z", Verdict::Go, "open until Fri 2026-11-20 17:00 CET (16:00 UTC)"),
        ("us", "2026-11-20T13:59:59Z", Verdict::Wait, "it opens Fri 2026-11-20 09:00 EST (14:00 UTC)"),
        ("us", "2026-11-20T14:00:00Z", Verdict::Go, "open until Fri 2026-11-20 17:00 EST (22:00 UTC)"),
        ("eu", "2026-11-20T16:00:00Z", Verdict::Wait, "it opens Mon 2026-11-23 09:00 CET (08:00 UTC)"),
    ] {
        stand.region = region;
        stand.now = at(now);
        let judged = stand.verdict("window", [("during", list(&["Mon-Fri 09:00-17:00"]))]);
        assert_eq!(judged.verdict, verdict, "{}", judged.sentence);
        assert!(judged.sentence.starts_with(&format!("{region}: ")), "{}", judged.sentence);
        assert!(judged.sentence.contains(words), "{}", judged.sentence);
        assert_eq!(judged.until.is_some(), verdict == Verdict::Wait);
    }
}

#[test]
fn a_window_may_have_a_zone_of_its_own_or_be_over_for_good() {
    let mut stand = stand();
    let judged = stand.verdict("window", [("during", text("Fri 14:00-15:00")), ("zone", text("UTC"))]);
    assert_eq!(judged.verdict, Verdict::Go, "{}", judged.sentence);
    let judged = stand.verdict("window", [("during", text("2026-11-01..2026-11-19"))]);
    assert_eq!(judged.verdict, Verdict::NoGo);
    assert!(judged.sentence.contains("no opening is ahead"));
    let eu = stand.ix("eu");
    stand.service.regions.get_mut(eu).unwrap().zone = None;
    let judged = stand.verdict("window", [("during", text("daily 00:00-24:00"))]);
    assert_eq!(judged.verdict, Verdict::NoData, "unknown is never green");
    let fits = |zone: &str| {
        let given = crate::gates::stand::params([("zone", text(zone))]);
        Window.fits(&given, &stand.service, RingIx(2)).is_ok()
    };
    assert!(fits("UTC"));
    let without = Window.fits(&Params::default(), &stand.service, RingIx(2)).unwrap_err();
    assert!(without.message.contains("region `eu` has no zone"), "{}", without.message);
    assert!(Window.fits(&Params::default(), &stand.service, RingIx(1)).is_ok());
}

#[test]
fn on_a_night_with_two_hours_from_two_to_three_the_window_opens_twice() {
    let mut stand = stand();
    let window = [("during", list(&["Sun 02:00-02:30"]))];
    let open: Vec<bool> = (0..6)
        .map(|n| {
            let start = at("2026-10-25T00:00:00Z");
            stand.now = start.checked_add(crate::domain::stamp::SignedDuration::from_mins(n * 20)).unwrap();
            stand.verdict("window", window.clone()).verdict == Verdict::Go
        })
        .collect();
    assert_eq!(open, [true, true, false, true, true, false]);
}

#[test]
fn wrong_parameters_say_which_and_how() {
    let stand = stand();
    for (given, name, words) in [
        (text("Mo 09:00-10:00"), "during", "there is no day `Mo`"),
        (list(&[]), "during", "it names no time"),
        (crate::domain::fleet::Param::Flag(true), "during", "say when"),
    ] {
        let error = stand.build("window", [("during", given)]).err().unwrap();
        assert_eq!(error.name, name);
        assert!(error.message.contains(words), "{}", error.message);
    }
    let error = stand.build("window", [("during", text("Sun")), ("zone", text("Mars/Base"))]).err().unwrap();
    assert_eq!((error.name.as_str(), error.message.contains("no time zone `Mars/Base`")), ("zone", true));
}
