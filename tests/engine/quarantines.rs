//! Quarantines: what was rolled back anywhere is refused everywhere, until cleared with a reason.

use gonogo::domain::finding::Severity;
use gonogo::domain::fleet::{GateSpec, Param, Params};
use gonogo::domain::id::ClusterIx;
use gonogo::domain::intent::{Target, Verb};

use crate::fixture::*;

fn quarantine(digest: Option<&str>) -> Verb {
    Verb::Quarantine { digest: digest.map(Into::into) }
}

fn clear(what: Option<&str>) -> Verb {
    Verb::Clear { what: what.map(Into::into) }
}

#[test]
fn what_was_rolled_back_in_one_region_is_refused_in_all() {
    let mut world = World::new();
    world.go(promote(), ring(2));
    world.skip(30 * 3_600);
    let id = world.go(roll_back(), region(EU));
    assert_eq!((world.end(id).0, world.image(EU)), ("settled", V1.to_owned()));
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "no-go", "{refusal:?}");
    assert!(refusal.text.contains("v2.1.0 was rolled back in eu-west-1"), "{}", refusal.text);
    // By hand into the first ring neither.
    let refusal = world.review(promote_to(V2), ring(0)).unwrap_err();
    assert_eq!(refusal.code, "quarantine", "{refusal:?}");
    // Cleared with a reason, it may come again through its gates.
    let id = world.go(clear(None), Target::Service);
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert!(ALL.iter().all(|at| world.fact_kinds(*at).contains(&"clearance")));
    let id = world.go(promote(), ring(2));
    assert_eq!((world.end(id).0, world.image(EU)), ("settled", V2.to_owned()));
}

#[test]
fn a_quarantine_goes_everywhere_and_one_region_that_is_away_does_not_hold_it_up() {
    let mut world = World::new();
    world.cut(ClusterIx(4));
    let id = world.go(quarantine(None), region(AP));
    assert_eq!(world.end(id).0, "open");
    let kinds: Vec<_> = ALL.iter().map(|at| world.fact_kinds(*at)).collect();
    assert_eq!(kinds[0], ["quarantine"]);
    assert!(kinds[4].is_empty());
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "no-go", "{refusal:?}");
    world.mend(ClusterIx(4));
    world.pass(20);
    assert_eq!(world.end(id).0, "settled");
    assert_eq!(world.review(quarantine(None), region(AP)).unwrap_err().code, "nothing-to-do");
}

#[test]
fn what_is_quarantined_is_no_way_back() {
    let mut world = World::new();
    world.go(promote(), ring(2));
    world.go(quarantine(Some("sha256:1111111111111111")), Target::Service);
    let refusal = world.review(roll_back(), region(EU)).unwrap_err();
    assert_eq!(refusal.code, "quarantine", "{refusal:?}");
    assert!(refusal.hint.contains("clear the quarantine"), "{refusal:?}");
    world.go(clear(Some("sha256:1111111111111111")), Target::Service);
    let id = world.go(roll_back(), region(EU));
    assert_eq!(world.end(id).0, "settled");
}

#[test]
fn a_quarantine_of_what_runs_says_that_it_goes_on_running() {
    let mut world = World::new();
    let plan = world.review(quarantine(None), region(AP)).unwrap();
    let said = plan.findings.iter().find(|f| f.code == "runs").unwrap();
    assert_eq!(said.severity, Severity::Note);
    assert!(said.text.contains("stage-a, stage-b, ap-south-1"), "{}", said.text);
}

#[test]
fn a_clearance_names_what_it_clears_when_there_are_several() {
    let mut world = World::new();
    assert_eq!(world.review(clear(None), Target::Service).unwrap_err().code, "nothing-to-do");
    world.go(quarantine(Some("sha256:aaaa")), Target::Service);
    world.go(quarantine(Some("v9.9.9")), Target::Service);
    let refusal = world.review(clear(None), Target::Service).unwrap_err();
    assert_eq!(refusal.code, "several");
    assert!(refusal.text.contains("sha256:aaaa, v9.9.9"), "{refusal:?}");
    assert_eq!(world.review(clear(Some("v1")), Target::Service).unwrap_err().code, "nothing-to-do");
    let plan = world.review(clear(Some("v9.9.9")), Target::Service).unwrap();
    assert!(plan.findings.iter().any(|f| f.severity == Severity::Warning && f.code == "quarantine"));
}

#[test]
fn rolling_back_below_what_another_service_requires_takes_break_glass() {
    let mut fleet = fleet();
    let mut other = fleet.services[0].clone();
    other.name = "checkout".into();
    other.regions.iter_mut().for_each(|r| r.workload.name = "checkout".into());
    let text = |text: &str| Param::Text(text.to_owned());
    let params = [("service".to_owned(), text("webapp")), ("at_least".to_owned(), text("v2.1.0"))];
    let gate = GateSpec { gate: "requires".into(), label: "requires".into(), params: Params(params.into()) };
    other.rings[2].entry_gates = vec![gate];
    fleet.services.push(other);
    let mut world = World::with(fleet);
    world.go(promote(), ring(2));
    let plan = world.review(roll_back(), region(EU)).unwrap();
    assert_eq!(plan.worst(), Some(Severity::BreakGlass));
    let said = plan.findings.iter().find(|f| f.code == "required").unwrap();
    assert_eq!(&*said.text, "eu-west-1: checkout requires webapp at least at v2.1.0; v2.0.0 is below it");
}

#[test]
fn a_quarantine_of_a_known_good_says_whose_way_back_it_takes() {
    let mut world = World::new();
    world.go(promote(), ring(2));
    let plan = world.review(quarantine(Some("sha256:1111111111111111")), Target::Service).unwrap();
    let found = plan.findings.iter().find(|f| f.code == "no-way-back").expect("a finding");
    assert_eq!(found.severity, Severity::Warning, "{found:?}");
    assert!(found.text.contains("eu-west-1") && found.text.contains("would be refused"), "{found:?}");
    assert!(found.text.contains("What then remains"), "{found:?}");
    assert!(!found.text.contains("us-east-1"), "it runs it: nothing is to be gone back to: {found:?}");
    // And it is so.
    world.go(quarantine(Some("sha256:1111111111111111")), Target::Service);
    assert_eq!(world.review(roll_back(), region(EU)).unwrap_err().code, "quarantine");
    // What runs is nobody's way back.
    let mut world = World::new();
    world.go(promote(), ring(2));
    let plan = world.review(quarantine(None), region(EU)).unwrap();
    assert!(!codes(&plan).contains(&"no-way-back"), "{:?}", plan.findings);
}
