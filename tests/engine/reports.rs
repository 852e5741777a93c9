//! A report of a release that a policy rolled back: whole, and without what must stay in its region.

use gonogo::domain::intent::{Target, Verb};
use gonogo::domain::policy::*;
use gonogo::domain::stamp::SignedDuration;
use gonogo::engine::report::{Ask, report};
use gonogo::run::output::report::Page;
use gonogo::run::output::{handover, question};

use crate::automation::{arming, judged, policy, ring_of, well, windows};
use crate::fixture::*;

/// eu-west-1 was promoted and rolled back by policy; ap-south-1 was held by a person.
fn rolled_back(stays: bool) -> World {
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
    world
}

/// That, with its Markdown and JSON.
fn told(stays: bool) -> (String, String) {
    let world = rolled_back(stays);
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

/// Whatever leaves a region in writing goes by one rule: handover, explanation, notices, journal, and what policies
/// write into the records of all regions.
#[test]
fn measured_values_of_a_region_that_keeps_them_are_in_nothing_that_leaves_it() {
    let said = |stays: bool| -> Vec<(&'static str, String)> {
        let mut world = rolled_back(stays);
        world.engine.freshen(WEBAPP);
        let question = world.engine.services[0].view.question.clone().unwrap();
        let records = world.objects.iter().filter(|(object, _)| &*object.api.kind == "ConfigMap");
        let records: Vec<String> = records.map(|(_, value)| value["data"].to_string()).collect();
        vec![
            ("handover", handover::text(&world.engine, WEBAPP)),
            ("handover json", handover::json(&world.engine, WEBAPP).to_string()),
            ("explain json", question::document(&world.engine, WEBAPP, &question, "explain").to_string()),
            ("notices", world.told.iter().map(|n| format!("{n:?}\n")).collect()),
            ("journal", world.opened.join("\n")),
            ("records", records.join("\n")),
        ]
    };
    let values = ["15.0 %", "0.15", "3.21 %", "0.0321"];
    for (what, text) in said(true) {
        for value in values {
            assert!(!text.contains(value), "{what} tells {value}: {text}");
        }
    }
    let told = said(true);
    assert!(told[0].1.contains("LESS  values measured in eu-west-1 are left out"), "{}", told[0].1);
    for (what, text) in &told[1..3] {
        assert!(text.contains(r#""withheld":["eu-west-1"]"#), "{what}: {text}");
    }
    // Where nothing must stay, they are told.
    let whole = said(false);
    for what in ["explain json", "notices", "journal", "records"] {
        let (_, text) = whole.iter().find(|(name, _)| *name == what).unwrap();
        assert!(values.iter().any(|v| text.contains(v)), "{what}: {text}");
    }
}
