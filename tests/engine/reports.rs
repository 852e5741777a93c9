//! A report of a release that a policy rolled back: whole, and without what must stay in its region.

use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::policy::*;
use gonogo::domain::stamp::SignedDuration;
use gonogo::engine::report::{Ask, report};
use gonogo::run::output::report::Page;

use crate::automation::{arming, judged, policy, ring_of, well, windows};
use crate::fixture::*;

/// eu-west-1 was promoted and rolled back by policy; ap-south-1 was held by a person. With its Markdown and JSON.
fn told(stays: bool) -> (String, String) {
    let mut fleet = judged(policy(OnNogo::RollBack, Reach::Region));
    fleet.services[0].regions[EU.at()].stays = stays;
    let mut world = World::with(fleet);
    world.pass(2);
    well(&mut world);
    let id = world.go(Verb::Promote { to: None, without_wait: true }, ring_of(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    world.engine.arm(arming(Mode::Guard));
    world.skip(1_500);
    windows(&mut world, EU, 0.15);
    world.pass(3);
    assert_eq!(world.image(EU), V1, "{:?}", world.log);
    world.go(Verb::Hold, Target::Regions(vec![AP]));
    world.skip(3_600);
    world.pass(2);
    windows(&mut world, EU, 0.0321);
    windows(&mut world, AP, 0.0123);
    world.pass(3);
    let until = world.now.wall;
    let hourly = |qps: f64| vec![(until.checked_sub(SignedDuration::from_mins(20)).unwrap(), qps)];
    let ask = Ask {
        since: LONG_AGO.parse().unwrap(),
        until,
        traffic: QPS.map(hourly).into(),
        runs: vec![Some("v2.1.0".into()), Some("v2.1.0".into()), Some("v2.1.0".into()), None, Some("v2.0.0".into())],
        ..Ask::default()
    };
    let state = &world.engine.services[0];
    let report = report(&world.fleet.services[0], &state.record, &[], &ask);
    let page = Page { engine: &world.engine, at: WEBAPP, ask: &ask, report: &report, trouble: None };
    (page.markdown(), format!("{:#}\n", page.json()))
}

#[test]
fn measured_values_of_a_region_that_keeps_them_are_left_out_and_the_report_says_so() {
    let (whole, document) = told(false);
    for value in ["15.0 %", "3.21 %", "1.23 %"] {
        assert!(whole.contains(value) && document.contains(value), "{value}: {whole}");
    }
    assert!(!whole.contains("left out"), "{whole}");
    let (page, document) = told(true);
    for text in [&page, &document] {
        for value in ["15.0 %", "0.15", "3.21", "0.0321"] {
            assert!(!text.contains(value), "{value}: {text}");
        }
        assert!(text.contains("values measured in eu-west-1 are left out"), "{text}");
        assert!(text.contains("1.23 %"), "what was measured elsewhere stays: {text}");
        assert!(text.contains("by policy: errors says NO-GO"), "who acted, and why, stays: {text}");
    }
    insta::assert_snapshot!("report_residency_md", page);
    insta::assert_snapshot!("report_residency_json", document);
}
