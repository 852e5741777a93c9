//! The prompt: what it says, and which keys count.

use std::sync::Arc;
use std::time::Duration;

use gonogo::app::{AppMsg, View};
use gonogo::domain::challenge::challenge;
use gonogo::domain::finding::{Finding, Severity};
use gonogo::domain::intent::Verb;
use gonogo::domain::plan::{Plan, Refusal};
use gonogo::engine::operation::ProposalState;
use gonogo::input::Key;

use super::fixture;
use super::stage::Stage;

const PROMOTE: Verb = Verb::Promote { to: None, without_wait: false };

/// A prompt that was opened with `key`, then got its plan.
pub fn opened(key: &str, size: (u16, u16), change: impl Fn(&mut Plan), checking: usize) -> Stage {
    let mut stage = Stage::normal(size);
    stage.keys(key);
    planned(&mut stage, if key == "P" { PROMOTE } else { Verb::RollBack { to_revision: None } }, change, checking);
    stage
}

fn planned(stage: &mut Stage, verb: Verb, change: impl Fn(&mut Plan), checking: usize) {
    let proposal = stage.app.engine.proposal.as_mut().expect("a proposal is open");
    let mut plan = fixture::plan(proposal.id, verb, Vec::new());
    change(&mut plan);
    proposal.title = plan.title.clone();
    let challenge = challenge(&plan);
    proposal.state = ProposalState::Ready { plan: Arc::new(plan), challenge, checking };
    stage.wait(Duration::from_millis(1));
}

/// Plans that were approved: what the engine makes of them is its own affair.
fn approved(stage: &Stage) -> usize {
    stage.app.engine.operations.len()
}

fn press(stage: &mut Stage, gap: u64, key: Key) {
    stage.send(Duration::from_millis(gap), AppMsg::Key(key));
}

fn baseline() -> Finding {
    Finding::new(
        Severity::Warning,
        "baseline",
        "ap-south-1",
        "errors +50 % against eu/us (0.30 % against 0.20 %, n = 44 M)",
    )
}

fn small(plan: &mut Plan) {
    plan.blast.share = Some(0.001);
}

#[test]
fn a_raising_plan_is_typed_by_name() {
    let mut stage = opened("P", (120, 36), |p| p.findings.push(baseline()), 0);
    insta::assert_snapshot!("prompt_typed", stage.shot());
    stage.types("ring-");
    assert_eq!(approved(&stage), 0);
    stage.types("2");
    assert_eq!(approved(&stage), 1);
    assert!(stage.app.prompt().is_none());
}

#[test]
fn keys_of_the_burst_that_confirmed_do_not_reach_the_board() {
    let held = |stage: &mut Stage, key: char| (0..6).for_each(|_| press(stage, 30, Key::char(key)));
    let mut stage = opened("B", (120, 36), small, 0);
    press(&mut stage, 1_000, Key::char('y'));
    assert_eq!(approved(&stage), 1);
    held(&mut stage, 'y');
    assert!(stage.app.view() == View::Board && stage.app.modals.is_empty(), "no YAML is opened: {}", stage.text());
    // After a pause the same key means what it always means.
    press(&mut stage, 400, Key::char('?'));
    assert!(!stage.app.modals.is_empty(), "help");

    // What is typed on after the answer neither.
    let mut stage = opened("P", (120, 36), |p| p.findings.push(baseline()), 0);
    stage.types("ring-2");
    for key in "HDBX".chars() {
        press(&mut stage, 40, Key::char(key));
    }
    assert_eq!((approved(&stage), stage.app.engine.proposal.is_none()), (1, true), "{}", stage.text());

    // A stop gets through, and so does leaving.
    let mut stage = opened("B", (120, 36), small, 0);
    press(&mut stage, 1_000, Key::char('y'));
    press(&mut stage, 30, Key::char('y'));
    press(&mut stage, 30, Key::char('!'));
    stage.wait(Duration::from_millis(20));
    assert!(stage.app.holding.is_some() || approved(&stage) == 2, "`!` holds: {}", stage.text());
}

#[test]
fn every_state_of_the_prompt() {
    for size in [(80, 24), (120, 36)] {
        let name = |state: &str| format!("prompt_{state}_{}x{}", size.0, size.1);
        let mut reading = Stage::normal(size);
        reading.keys("P");
        if let Some(proposal) = &mut reading.app.engine.proposal {
            proposal.state = ProposalState::Reading { missing: 3 };
        }
        insta::assert_snapshot!(name("reading"), reading.text());
        let proposal = reading.app.engine.proposal.as_mut().unwrap();
        proposal.state = ProposalState::Refused(Refusal::new(
            "gate",
            "ring-1 has baked 22h38m of 24h00m",
            "wait until 15:54 UTC, or F with a reason",
        ));
        insta::assert_snapshot!(name("refused"), reading.text());
        insta::assert_snapshot!(name("checking"), opened("P", size, |_| (), 2).text());
        insta::assert_snapshot!(name("key"), opened("B", size, small, 0).text());
        let glass = Finding::new(Severity::BreakGlass, "metrics", "ap-south-1", "errors are no-go");
        insta::assert_snapshot!(name("break_glass"), opened("P", size, |p| p.findings.push(glass.clone()), 0).text());
        let mut complaint = opened("P", size, |_| (), 0);
        complaint.keys("enter");
        insta::assert_snapshot!(name("complaint"), complaint.text());
    }
}

#[test]
fn enter_never_confirms() {
    let mut stage = opened("B", (120, 36), small, 0);
    for _ in 0..20 {
        press(&mut stage, 500, Key::parse("enter").unwrap());
    }
    assert_eq!(approved(&stage), 0);
    assert!(stage.text().contains("Enter does not confirm"));
}

#[test]
fn a_held_key_never_confirms() {
    // The opening key, and `y`, at 10, 30 and 60 Hz for two seconds.
    for hertz in [10, 30, 60] {
        for key in ['B', 'y'] {
            let mut stage = Stage::normal((120, 36));
            stage.keys("B");
            planned(&mut stage, Verb::RollBack { to_revision: None }, small, 0);
            for _ in 0..2 * hertz {
                press(&mut stage, 1_000 / hertz, Key::char(key));
            }
            assert_eq!(approved(&stage), 0, "{key} at {hertz} Hz");
        }
    }
}

#[test]
fn y_counts_after_300_ms_without_any_key_and_once_the_plan_was_shown_so_long() {
    let mut stage = opened("B", (120, 36), small, 0);
    press(&mut stage, 200, Key::char('y'));
    press(&mut stage, 299, Key::char('y'));
    assert_eq!(approved(&stage), 0);
    press(&mut stage, 300, Key::char('y'));
    assert_eq!(approved(&stage), 1);
}

#[test]
fn a_key_that_opened_the_prompt_does_not_confirm_it() {
    let changes = [("rollback".to_owned(), vec!["y".to_owned()]), ("yaml".to_owned(), Vec::new())];
    let keymap = gonogo::input::Keymap::with(&changes).unwrap();
    let setup = gonogo::app::Setup { size: (120, 36), keymap, ..Default::default() };
    let mut stage = Stage::with(fixture::normal(), setup);
    stage.keys("y");
    planned(&mut stage, Verb::RollBack { to_revision: None }, small, 0);
    stage.keys("y y y");
    assert_eq!(approved(&stage), 0);
}

#[test]
fn pasted_text_and_bursts_are_not_typing() {
    let payloads = ["ring-2", "ring-2\r", "ring-2\n", "y", "y\r", "\u{1b}[201~ring-2", "xxring-2"];
    for payload in payloads {
        let mut pasted = opened("P", (120, 36), |_| (), 0);
        pasted.send(Duration::from_secs(1), AppMsg::Paste(payload.to_owned()));
        assert_eq!(approved(&pasted), 0, "{payload:?}");
        // Without bracketed paste the bytes come as keys, closer than a hand can type.
        for gap in [0, 1, 4] {
            let mut burst = opened("P", (120, 36), |_| (), 0);
            burst.wait(Duration::from_secs(1));
            for c in payload.chars() {
                let key = match c {
                    '\r' | '\n' => Key::parse("enter").unwrap(),
                    '\u{1b}' => continue,
                    c => Key::char(c),
                };
                press(&mut burst, gap, key);
            }
            assert_eq!(approved(&burst), 0, "{payload:?} at {gap} ms");
        }
    }
}

/// A slow line delivers Tab and the letter after it at once: the letter is not lost. A paste that
/// begins with a tab is still a paste.
#[test]
fn the_key_right_after_tab_counts() {
    let mut stage = opened("P", (120, 36), |_| (), 0);
    stage.wait(Duration::from_secs(1));
    stage.keys("tab");
    press(&mut stage, 500, Key::parse("tab").unwrap());
    press(&mut stage, 1, Key::char('r'));
    stage.types("ing-2");
    assert_eq!(approved(&stage), 1, "{}", stage.text());
    let mut pasted = opened("P", (120, 36), |_| (), 0);
    pasted.wait(Duration::from_secs(1));
    pasted.keys("tab");
    press(&mut pasted, 500, Key::parse("tab").unwrap());
    for c in "ring-2".chars() {
        press(&mut pasted, 1, Key::char(c));
    }
    assert_eq!(approved(&pasted), 0);
}

#[test]
fn a_raising_plan_waits_for_its_dry_run_and_a_lowering_one_does_not() {
    let mut raising = opened("P", (120, 36), |_| (), 1);
    raising.types("ring-2");
    assert_eq!(approved(&raising), 0);
    assert!(raising.text().contains("checking…"));
    let mut lowering = opened("B", (120, 36), small, 1);
    press(&mut lowering, 400, Key::char('y'));
    assert_eq!(approved(&lowering), 1);
}

#[test]
fn a_plan_that_changed_must_be_read_again() {
    let mut stage = opened("P", (120, 36), |_| (), 0);
    stage.types("ring-");
    planned(&mut stage, PROMOTE, |p| p.findings.push(baseline()), 0);
    stage.types("2");
    assert_eq!(approved(&stage), 0);
    assert!(stage.text().contains("[2"), "{}", stage.text());
    stage.keys("backspace").types("ring-2");
    assert_eq!(approved(&stage), 1);
    assert_eq!(stage.app.engine.operations[0].plan.findings, [baseline()]);
}

#[test]
fn an_override_needs_a_reason_and_the_reason_reaches_the_proof() {
    let finding = Finding::new(Severity::Override, "bake", "ring-1", "1h22m of bake left");
    let mut stage = opened("P", (120, 36), |p| p.findings.push(finding.clone()), 0);
    stage.keys("tab").types("ring-2");
    assert_eq!(approved(&stage), 0);
    stage.types("security fix").keys("enter").types("ring-2");
    assert_eq!(approved(&stage), 1);
    assert_eq!(stage.app.engine.operations[0].reason.as_deref(), Some("security fix"));
}

#[test]
fn escape_leaves_at_once_in_every_state() {
    for change in [small as fn(&mut Plan), |_: &mut Plan| ()] {
        for checking in [0, 2] {
            let mut stage = opened("P", (120, 36), change, checking);
            press(&mut stage, 0, Key::parse("esc").unwrap());
            assert!(stage.app.prompt().is_none() && stage.app.engine.proposal.is_none());
            assert_eq!(approved(&stage), 0);
        }
    }
}

#[test]
fn a_terminal_too_small_to_show_the_prompt_closes_it() {
    let mut stage = opened("P", (120, 36), |_| (), 0);
    stage.resize(90, 26);
    assert!(stage.app.prompt().is_some());
    stage.resize(90, 10);
    assert!(stage.app.prompt().is_none());
    stage.resize(120, 36);
    assert!(stage.app.prompt().is_none());
    assert!(stage.text().contains("too small to show it whole"));
}

#[test]
fn where_nothing_can_be_shown_nothing_is_asked_and_only_a_stop_acts() {
    for (columns, rows) in [(59, 60), (100, 14), (20, 5)] {
        let mut stage = opened("P", (120, 36), |_| (), 0);
        press(&mut stage, 0, Key::parse("esc").unwrap());
        stage.resize(columns, rows);
        for key in ["P", "H", "B", "D", "X", "W"] {
            press(&mut stage, 1_000, Key::parse(key).unwrap());
            assert!(stage.app.prompt().is_none() && stage.app.engine.proposal.is_none(), "{key} at {columns}×{rows}");
        }
        press(&mut stage, 1_000, Key::parse("y").unwrap());
        assert_eq!(approved(&stage), 0);
        if columns > 50 {
            assert!(stage.text().contains("nobody could see what it does") || stage.text().contains("too small"));
        }
        press(&mut stage, 1_000, Key::parse("!").unwrap());
        stage.wait(Duration::from_millis(20));
        assert!(stage.app.holding.is_some() || approved(&stage) == 1, "a stop acts");
    }
}

#[test]
fn the_board_stays_live_behind_the_prompt() {
    let mut stage = opened("P", (120, 36), |_| (), 0);
    stage.app.engine.services[0].view.exposure = Some(0.25);
    stage.wait(Duration::from_secs(2));
    assert!(stage.text().contains("exposure 25.0 %"));
    assert!(stage.app.prompt().is_some());
}

#[test]
fn a_long_raising_plan_is_read_to_its_end_first() {
    let long = |plan: &mut Plan| {
        for n in 0..40 {
            plan.findings.push(Finding::new(Severity::Warning, "note", format!("region-{n}"), "look at this"));
        }
    };
    let mut stage = opened("P", (80, 24), long, 0);
    stage.types("ring-2");
    assert_eq!(approved(&stage), 0);
    assert!(stage.text().contains("more to read below"), "{}", stage.text());
    stage.keys("pagedown pagedown pagedown pagedown pagedown pagedown");
    assert!(stage.text().contains("region-39"), "{}", stage.text());
    stage.types("ring-2");
    assert_eq!(approved(&stage), 1);
}
