//! Metric gates end to end: the simulated fleet's Prometheus, the sampler's questions, the verdicts.

use std::time::Duration;

use gonogo::app::Mode;
use gonogo::domain::verdict::{Judgement, Verdict};
use gonogo::sim::world::SimOptions;

use super::console::{Console, config, fleet};

/// A console on a scenario whose rings have these exit gates; nobody wrote anything.
async fn opened(scenario: &str, start: &str, exit: &str) -> Console {
    let options = SimOptions {
        scenario: scenario.to_owned(),
        speed: Some(1.0),
        start: Some(start.parse().unwrap()),
        ..SimOptions::default()
    };
    let fleet = fleet(options);
    let config = config(&fleet, |text| {
        let (before, rest) = text.split_once("exit = [").unwrap();
        let (_, after) = rest.split_once("\n]").unwrap();
        format!("{before}exit = [\n\"ready\",\n{exit}\n]{after}")
    });
    let mut console = Console::open(&fleet, &config, "ana", Mode::Console, 5);
    // Everything that is asked was answered, and the view is of that.
    console.until("samples", |app| app.engine.fully_sampled(0usize.into())).await;
    console.pass(Duration::from_secs(2)).await;
    console
}

/// What a gate says of a region on the board.
fn cell(console: &Console, region: &str, gate: &str) -> Judgement {
    let engine = &console.app.engine;
    let (at, _) = engine.fleet.services[0].find_region(region).unwrap();
    let question = engine.services[0].view.question.clone().unwrap();
    let column = question.gates.iter().position(|g| &**g == gate).unwrap();
    let row = question.rows.iter().find(|r| r.region == Some(at) && r.cells[column].is_some());
    row.unwrap_or_else(|| panic!("{region} has no {gate}; {}", console.state())).cells[column]
        .as_deref()
        .unwrap()
        .clone()
}

const COVERAGE: &str = r#"{ gate = "coverage", at = ["00:00 UTC", "03:00 Asia/Kolkata"] }"#;
const ERRORS: &str = r#"{ gate = "threshold", column = "errors", max = "1%" }"#;
#[tokio::test(start_paused = true)]
async fn a_day_is_covered_by_what_prometheus_remembers_of_it() {
    // Ring-1 settled 24 h 04 min ago; this console was opened a moment ago.
    let console = opened("steady", "2026-11-20T14:32:00Z", COVERAGE).await;
    let judged = cell(&console, "ap-south-1", "coverage");
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Go, "26/26"), "{}", judged.sentence);
    assert!(judged.evidence.iter().any(|l| l.contains(&"█".repeat(24))), "{:?}", judged.evidence);
}

#[tokio::test(start_paused = true)]
async fn a_fault_at_midnight_is_seen_by_a_console_that_is_opened_afterwards() {
    // Ring-1 settled at 02:00:30 and has run for 22 hours and ten minutes.
    let gates = [COVERAGE, ERRORS].join(",\n");
    let console = opened("midnight", "2026-11-20T00:10:30Z", &gates).await;
    let errors = cell(&console, "ap-south-1", "errors");
    assert_eq!(errors.verdict, Verdict::NoGo, "{}", errors.sentence);
    assert!(
        errors.figure_of("worst").unwrap() > 0.1 && errors.figure_of("mean").unwrap() < 0.01,
        "{:?}",
        errors.figures
    );
    assert_eq!(cell(&console, "ap-south-1", "coverage").verdict, Verdict::Wait);
    // A quarter of an hour later it is over, and the bake has to run again.
    let console = opened("midnight", "2026-11-20T00:32:00Z", &gates).await;
    let errors = cell(&console, "ap-south-1", "errors");
    assert_eq!(errors.verdict, Verdict::Wait, "{}", errors.sentence);
    let until = errors.until.unwrap();
    assert!(until >= "2026-11-21T00:05:00Z".parse().unwrap() && until <= "2026-11-21T00:15:00Z".parse().unwrap());
    assert!(errors.acceptable.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_person_accepts_a_fault_that_is_over_from_its_cell_on_the_board() {
    let mut console = opened("midnight", "2026-11-20T00:32:00Z", ERRORS).await;
    let before = cell(&console, "ap-south-1", "errors");
    assert_eq!(before.verdict, Verdict::Wait, "{}", before.sentence);
    // Elsewhere the key is the approvals inbox, and there is nothing to approve.
    console.key("A").await;
    assert!(console.app.prompt().is_none());
    console.key("tab").await;
    console.key("tab").await;
    let ap = console.region("ap-south-1");
    for key in ["right", "right", "down", "left", "left", "down", "right", "right"] {
        if console.app.cell_to_accept().is_some_and(|(at, _)| at == ap) {
            break;
        }
        console.key(key).await;
    }
    assert_eq!(console.app.cell_to_accept(), Some((ap, "errors".into())), "{}", console.state());
    console.open_prompt("A").await;
    let (reason, _) = console.asked();
    assert!(reason, "nothing is accepted without a reason");
    console.confirm().await;
    assert_eq!(console.end().await.0, "settled", "{}", console.state());
    let posts: Vec<String> = console.tap.writes().iter().map(|w| w.line()).collect();
    assert!(posts.iter().any(|l| l.contains("configmaps")) && !posts.iter().any(|l| l.contains("deployments")));
    console.pass(Duration::from_secs(5)).await;
    let after = cell(&console, "ap-south-1", "errors");
    assert_eq!(after.verdict, Verdict::Go, "{} {:?}", after.sentence, after.evidence);
    assert!(
        after.evidence.iter().any(|l| l.starts_with("ana accepted") && l.ends_with("because")),
        "{:?}",
        after.evidence
    );
}

#[tokio::test(start_paused = true)]
async fn a_comparison_sees_what_an_absolute_bound_does_not() {
    // The dashboard of every day: 0.3 % in ap-south-1, 0.2 % in the regions on the old version.
    let gates = [
        ERRORS,
        r#"{ gate = "baseline", column = "errors" }"#,
        r#"{ gate = "baseline", column = "errors", against = "yesterday", label = "as yesterday" }"#,
    ];
    let console = opened("steady", "2026-11-20T14:32:00Z", &gates.join(",\n")).await;
    assert_eq!(cell(&console, "ap-south-1", "errors").verdict, Verdict::Go);
    let judged = cell(&console, "ap-south-1", "baseline errors");
    assert_eq!(judged.verdict, Verdict::Findings, "{}", judged.sentence);
    let baseline = judged.figure_of("baseline").unwrap();
    assert!((0.0015..0.0025).contains(&baseline), "{:?}", judged.figures);
    assert!(
        judged.evidence.iter().any(|l| &**l == "baseline: eu-west-1, us-east-1 pooled by traffic"),
        "{:?}",
        judged.evidence
    );
    // It is the region's own way, and was so before the release.
    let judged = cell(&console, "ap-south-1", "as yesterday");
    assert_eq!(judged.verdict, Verdict::Go, "{} {:?}", judged.sentence, judged.evidence);
}
