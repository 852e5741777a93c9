//! What keys do to selection, marks and rows; and `!`.

use std::time::Duration;

use gonogo::app::{AppEffect, AppMsg, KubeContext, Mouse, MouseKind, Setup};
use gonogo::domain::challenge::How;
use gonogo::domain::intent::{Target, Verb};
use gonogo::engine::effect::Effect;
use gonogo::engine::operation::{Proposal, ProposalState};
use gonogo::engine::view::RegionWord;
use gonogo::input::Key;

use super::fixture;
use super::stage::Stage;

/// Gives a hold its plan, as the engine does once it has read.
fn plan_the_hold(stage: &mut Stage) {
    let id = stage.app.holding.unwrap().id;
    let mut plan = fixture::plan(id, Verb::Hold, Vec::new());
    plan.title = "hold webapp".into();
    let challenge = gonogo::domain::challenge::challenge(&plan);
    let proposal: &mut Proposal = stage.app.engine.proposal.as_mut().unwrap();
    proposal.state = ProposalState::Ready { plan: plan.into(), challenge, checking: 1 };
}

fn journaled(stage: &Stage) -> Vec<How> {
    let how = |e: &AppEffect| match e {
        AppEffect::Engine(Effect::Journal(approved)) => Some(approved.how()),
        _ => None,
    };
    stage.effects.iter().filter_map(how).collect()
}

#[test]
fn the_exclamation_mark_holds_at_once_and_shows_what_took() {
    let mut stage = Stage::normal((120, 36));
    stage.keys("!");
    if stage.app.holding.is_some() {
        assert_eq!(stage.app.engine.proposal.as_ref().unwrap().intent.target, Target::Service);
        plan_the_hold(&mut stage);
        stage.wait(Duration::from_millis(1));
    }
    assert_eq!(journaled(&stage), [How::Standing]);
    insta::assert_snapshot!("took", stage.text());
}

#[test]
fn the_exclamation_mark_right_after_a_digit_is_a_slip() {
    let mut stage = Stage::normal((120, 36));
    stage.keys("1");
    stage.send(Duration::from_millis(200), AppMsg::Key(Key::char('!')));
    assert!(stage.app.holding.is_none() && journaled(&stage).is_empty());
    assert!(stage.text().contains("right after a digit"));
    stage.keys("!");
    assert!(stage.app.holding.is_some() || !journaled(&stage).is_empty());
}

#[test]
fn a_mashed_exclamation_mark_makes_one_hold() {
    let mut stage = Stage::normal((120, 36));
    for _ in 0..20 {
        stage.send(Duration::from_millis(30), AppMsg::Key(Key::char('!')));
    }
    assert_eq!(journaled(&stage), [How::Standing]);
    assert_eq!(stage.app.engine.operations.len(), 1);
}

#[test]
fn a_paste_that_the_terminal_does_not_bracket_holds_nothing() {
    let mut stage = Stage::normal((120, 36));
    for c in "jk jk!jk".chars() {
        stage.send(Duration::from_micros(300), AppMsg::Key(Key::char(c)));
    }
    assert!(stage.app.holding.is_none() && journaled(&stage).is_empty());
    // Typed by hand a moment later it holds.
    stage.send(Duration::from_millis(400), AppMsg::Key(Key::char('!'))).wait(Duration::from_millis(5));
    assert_eq!(journaled(&stage), [How::Standing]);
}

#[test]
fn selection_follows_the_region_and_rows_stay_under_a_finger() {
    let mut stage = Stage::normal((120, 36));
    stage.wait(Duration::from_secs(2)).keys("j");
    let (before, picked) = (stage.app.picks.order.clone(), stage.app.picks.region);
    // us-east-1 fails: it would go to the top.
    stage.app.engine.services[0].view.regions[3].state = RegionWord::Failed;
    stage.wait(Duration::from_millis(900));
    assert_eq!(stage.app.picks.order, before, "within a second of a key");
    stage.wait(Duration::from_millis(200));
    assert_eq!(stage.app.picks.order.first(), Some(&3.into()));
    assert_eq!(stage.app.picks.region, picked);
    stage.keys("space");
    stage.app.engine.services[0].view.regions[3].state = RegionWord::Settled;
    let before = stage.app.picks.order.clone();
    stage.wait(Duration::from_secs(60));
    assert_eq!(stage.app.picks.order, before, "while a row is marked");
    stage.keys("esc").wait(Duration::from_secs(2));
    assert_ne!(stage.app.picks.order, before);
}

#[test]
fn until_a_row_is_chosen_the_cursor_stays_on_what_needs_attention_most() {
    let mut stage = Stage::normal((120, 36));
    stage.app.engine.services[0].view.regions[3].state = RegionWord::Failed;
    stage.wait(Duration::from_secs(1));
    assert_eq!(stage.app.picks.region, Some(3.into()));
    stage.keys("j");
    let chosen = stage.app.picks.region;
    stage.app.engine.services[0].view.regions[0].state = RegionWord::Failed;
    stage.wait(Duration::from_secs(2));
    assert_eq!(stage.app.picks.region, chosen);
}

#[test]
fn capitals_act_on_marks_else_on_what_is_selected_and_the_prompt_says_so() {
    let mut stage = Stage::normal((120, 36));
    let target = |stage: &Stage| stage.app.engine.proposal.as_ref().unwrap().intent.target.clone();
    stage.keys("P");
    assert_eq!(target(&stage), Target::Ring(2.into()));
    assert!(stage.app.prompt().unwrap().rule.contains("the ring that the board asks about: ring-2"));
    stage.keys("esc B");
    assert_eq!(target(&stage), Target::Regions(vec![1.into()]));
    assert!(stage.app.prompt().unwrap().rule.contains("the selected region: ap-south-1"));
    stage.keys("esc space space H");
    assert_eq!(target(&stage), Target::Regions(vec![1.into(), 2.into()]));
    assert!(stage.app.prompt().unwrap().rule.contains("the 2 marked regions"));
    stage.keys("esc esc tab j j H");
    assert_eq!(target(&stage), Target::Ring(2.into()), "{}", stage.text());
}

#[test]
fn undo_resumes_the_hold_that_covers_the_selection_and_restores_where_there_is_none() {
    let mut stage = Stage::of(fixture::held(), (120, 36));
    let verb = |stage: &Stage| stage.app.engine.proposal.as_ref().unwrap().intent.verb.clone();
    let select = |stage: &mut Stage, region: u32| {
        stage.app.picks.region = Some(gonogo::domain::id::RegionIx(region));
    };
    select(&mut stage, 2);
    stage.keys("U");
    assert!(matches!(verb(&stage), Verb::Resume { hold: Some(_) }));
    stage.keys("esc");
    select(&mut stage, 3);
    stage.keys("U");
    assert_eq!(verb(&stage), Verb::Restore);
    stage.keys("esc");
    select(&mut stage, 1);
    stage.keys("U");
    assert!(stage.app.prompt().is_none());
    assert!(stage.text().contains("no hold covers ap-south-1"), "{}", stage.text());
    // What a capital that holds would be about is what this one undoes: the ring under the timeline's cursor.
    stage.keys("tab j j U");
    assert!(matches!(verb(&stage), Verb::Resume { hold: Some(_) }), "{}", stage.text());
}

#[test]
fn quit_goes_back_first_and_asks_while_an_operation_is_open() {
    let mut stage = Stage::normal((120, 36));
    stage.keys("d q");
    assert!(!stage.effects.iter().any(|e| matches!(e, AppEffect::Quit)));
    stage.keys("! ");
    if stage.app.holding.is_some() {
        plan_the_hold(&mut stage);
        stage.wait(Duration::from_millis(1));
    }
    stage.keys("esc q");
    assert!(stage.text().contains("quit while an operation is open?"), "{}", stage.text());
    stage.send(Duration::from_millis(100), AppMsg::Key(Key::char('y')));
    assert!(!stage.effects.iter().any(|e| matches!(e, AppEffect::Quit)));
    stage.keys("y");
    assert!(matches!(stage.effects.last(), Some(AppEffect::Quit)));
}

#[test]
fn a_click_selects_and_a_wheel_moves_but_neither_acts() {
    let mut stage = Stage::normal((120, 36));
    let text = stage.text();
    let y = text.lines().position(|l| l.contains("us-east-1  ")).unwrap();
    let mouse = Mouse { kind: MouseKind::Click, x: 10, y: u16::try_from(y).unwrap() };
    stage.send(Duration::from_millis(10), AppMsg::Mouse(mouse));
    assert_eq!(stage.app.picks.region, Some(3.into()));
    stage.send(Duration::from_millis(10), AppMsg::Mouse(Mouse { kind: MouseKind::WheelUp, ..mouse }));
    assert_eq!(stage.app.picks.region, Some(2.into()));
    assert!(stage.effects.is_empty());
}

#[test]
fn copy_gives_the_line_that_shows_the_same_and_nothing_a_terminal_obeys() {
    // The context is called otherwise than the cluster is here.
    let context = KubeContext { context: "arn:aws:eks:ap-south-1:42:cluster/p 1".into(), kubeconfig: None };
    let contexts: std::collections::BTreeMap<_, _> = [(1.into(), context)].into();
    let copied = |contexts: &std::collections::BTreeMap<_, _>| {
        let setup = Setup { size: (120, 36), contexts: contexts.clone(), ..Setup::default() };
        let mut stage = Stage::with(fixture::normal(), setup);
        stage.keys("c");
        let Some(AppEffect::Copy(line)) = stage.effects.last() else { panic!("{:?}", stage.effects) };
        (line.to_string(), stage.app.notice.as_ref().unwrap().text.to_string())
    };
    let (line, _) = copied(&contexts);
    assert_eq!(
        line,
        "kubectl --context 'arn:aws:eks:ap-south-1:42:cluster/p 1' -n webapp rollout status deployment/webapp"
    );
    let file = KubeContext { context: "ap".into(), kubeconfig: Some("/home/a b/kubeconfig".into()) };
    let (line, _) = copied(&[(1.into(), file)].into());
    assert!(line.starts_with("kubectl --kubeconfig '/home/a b/kubeconfig' --context ap -n webapp"), "{line}");
    // From inside a pod there is no context, and another one must not be guessed.
    let (line, said) = copied(&[].into());
    assert_eq!(line, "kubectl -n webapp rollout status deployment/webapp");
    assert!(said.contains("no kube context leads to ap-south-1: run it inside that cluster"), "{said}");
    let mut stage = Stage::of(fixture::renamed(&|n| format!("{n}\u{1b}]52;c;eA==\u{7}")), (120, 36));
    stage.keys("y c");
    let Some(AppEffect::Copy(line)) = stage.effects.last() else { panic!("{:?}", stage.effects) };
    assert!(!line.chars().any(gonogo::domain::text::is_hostile), "{line}");
}

/// A `!` first, last or in the middle of a paste that is not bracketed: nothing is held, and it says so.
#[test]
fn a_stop_among_bytes_that_come_at_once_is_no_stop() {
    for burst in ["!jk", "jk!", "j!k", "!j", "j!", "!!k", ":!\n"] {
        let mut stage = Stage::normal((120, 36));
        stage.wait(Duration::from_secs(1));
        for c in burst.chars() {
            stage.send(Duration::from_millis(1), AppMsg::Key(Key::char(c)));
        }
        stage.wait(Duration::from_millis(100));
        assert!(stage.app.holding.is_none() && journaled(&stage).is_empty(), "{burst}");
        let said = stage.app.notice.as_ref().map(|n| n.text.to_string()).unwrap_or_default();
        assert!(said.contains("nothing was held") || said.contains("is text here"), "{burst}: {said}");
    }
    let mut stage = Stage::normal((120, 36));
    stage.send(Duration::from_secs(1), AppMsg::Paste("!".to_owned()));
    assert!(journaled(&stage).is_empty() && stage.text().contains("nothing was held"));
}

/// Alone it holds as soon as nothing followed, and says when it is due.
#[test]
fn a_stop_that_came_alone_holds_five_milliseconds_later() {
    let mut stage = Stage::normal((120, 36));
    stage.send(Duration::from_secs(1), AppMsg::Key(Key::char('!')));
    assert!(journaled(&stage).is_empty());
    let due = stage.app.due().unwrap();
    assert_eq!(due.saturating_sub(stage.app.now.mono), Duration::from_millis(5));
    stage.wait(Duration::from_millis(5));
    assert_eq!(journaled(&stage), [How::Standing]);
    assert_eq!(stage.app.due(), None);
}

/// A slow line delivers a key that is held down at once: it still is the stop.
#[test]
fn a_stop_hit_again_and_again_holds_however_close_it_comes() {
    let mut stage = Stage::normal((120, 36));
    stage.wait(Duration::from_secs(1));
    for _ in 0..5 {
        stage.send(Duration::from_micros(100), AppMsg::Key(Key::char('!')));
    }
    stage.wait(Duration::from_millis(5));
    assert_eq!(journaled(&stage), [How::Standing]);
}

/// Keys are told apart by when they were read, not by when a busy loop came to them.
#[test]
fn keys_that_waited_for_a_busy_loop_count_from_when_they_were_read() {
    let mut stage = Stage::normal((120, 36));
    stage.wait(Duration::from_secs(1));
    let start = stage.app.now;
    let read = |ms: i64| {
        let after = Duration::from_millis(ms.unsigned_abs());
        let wall = start.wall.checked_add(gonogo::domain::stamp::SignedDuration::from_millis(ms)).unwrap();
        gonogo::domain::stamp::Stamp { wall, mono: start.mono + after }
    };
    // The loop was busy for a second; meanwhile `j` and, 200 ms later, `!` were pressed.
    stage.wait(Duration::from_secs(1));
    let now = stage.app.now;
    stage.late(read(100), Key::char('j')).late(read(300), Key::char('!'));
    assert_eq!(stage.app.now, now, "time does not go back");
    stage.wait(Duration::from_millis(10));
    assert_eq!(journaled(&stage), [How::Standing]);
}

#[test]
fn on_a_small_terminal_tab_and_enter_lead_to_every_gate() {
    for keys in ["tab tab enter", "v"] {
        let mut stage = Stage::normal((80, 24));
        stage.keys(keys);
        let text = stage.text();
        assert!(text.contains("may ring-2 have v2.1.0?") && text.contains("rests on"), "{keys}: {text}");
        stage.keys("right right enter");
        assert!(stage.text().contains("arrows: neighbours"), "{}", stage.text());
        stage.keys("esc esc");
        assert!(stage.text().contains("us-east-1"), "{}", stage.text());
    }
}

/// After a ring has failed, one key plans the way back of the rings before it.
#[test]
fn one_key_plans_the_rollback_of_the_rings_that_are_under_review() {
    let mut stage = Stage::normal((120, 36));
    stage.keys("Z");
    assert!(stage.text().contains("no earlier ring is under review"), "{}", stage.text());
    stage.app.engine.services[0].view.under_review = Some(gonogo::engine::view::UnderReview {
        ring: 2.into(),
        failed: 2.into(),
        version: "v2.1.0".into(),
        regions: vec![0.into(), 1.into()],
    });
    stage.wait(Duration::from_secs(7));
    let text = stage.text();
    assert_eq!(text.matches("! under review").count(), 2, "{text}");
    assert!(text.lines().last().unwrap().contains("Z upstream"), "{text}");
    stage.keys("Z");
    let intent = &stage.app.engine.proposal.as_ref().unwrap().intent;
    assert_eq!(intent.verb, Verb::RollBack { to_revision: None });
    assert_eq!(intent.target, Target::Regions(vec![0.into(), 1.into()]));
    assert!(stage.app.prompt().unwrap().rule.contains("on which ring-2 failed in eu-west-1: staging, ap-south-1"));
}
