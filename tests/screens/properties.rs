//! Whatever the keys, the sizes and the moments.

use std::sync::Arc;
use std::time::Duration;

use gonogo::app::{AppEffect, AppMsg, Mode, Mouse, MouseKind, Setup};
use gonogo::domain::challenge::{How, challenge};
use gonogo::domain::intent::Verb;
use gonogo::engine::effect::Effect;
use gonogo::engine::operation::ProposalState;
use gonogo::input::Key;
use gonogo::input::key::Code;
use proptest::prelude::*;

use super::fixture;
use super::stage::Stage;

#[derive(Clone, Debug)]
enum Event {
    Key(Key, u64),
    Paste(String),
    Resize(u16, u16),
    Mouse(u16, u16, bool),
    Plan(bool),
    Wait(u64),
}

fn key() -> impl Strategy<Value = Key> {
    let codes = vec![
        Code::Enter,
        Code::Esc,
        Code::Tab,
        Code::BackTab,
        Code::Backspace,
        Code::Delete,
        Code::Up,
        Code::Down,
        Code::Left,
        Code::Right,
        Code::Home,
        Code::End,
        Code::PageUp,
        Code::PageDown,
        Code::F(5),
    ];
    prop_oneof![
        6 => proptest::char::range(' ', '~').prop_map(Key::char),
        2 => prop::sample::select(codes).prop_map(Key::plain),
        1 => proptest::char::range('a', 'z').prop_map(Key::ctrl),
        1 => any::<char>().prop_map(Key::char),
    ]
}

fn event(gap: std::ops::Range<u64>) -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (key(), gap).prop_map(|(k, g)| Event::Key(k, g)),
        1 => "[ -~\\n]{0,12}".prop_map(Event::Paste),
        2 => (0u16..260, 0u16..80).prop_map(|(c, r)| Event::Resize(c, r)),
        1 => (0u16..260, 0u16..80, any::<bool>()).prop_map(|(x, y, w)| Event::Mouse(x, y, w)),
        2 => any::<bool>().prop_map(Event::Plan),
        1 => (0u64..3_000).prop_map(Event::Wait),
    ]
}

fn play(stage: &mut Stage, events: Vec<Event>) {
    for event in events {
        match event {
            Event::Key(key, gap) => drop(stage.send(Duration::from_millis(gap), AppMsg::Key(key))),
            Event::Paste(text) => drop(stage.send(Duration::from_millis(1), AppMsg::Paste(text))),
            Event::Resize(columns, rows) => drop(stage.resize(columns, rows)),
            Event::Mouse(x, y, wheel) => {
                let kind = if wheel { MouseKind::WheelDown } else { MouseKind::Click };
                stage.send(Duration::from_millis(1), AppMsg::Mouse(Mouse { kind, x, y }));
            }
            // The engine answers: what was proposed has a plan now.
            Event::Plan(raising) => {
                if let Some(proposal) = &mut stage.app.engine.proposal {
                    let verb = match &proposal.intent.verb {
                        _ if raising => Verb::Promote { to: None, without_wait: false },
                        verb => verb.clone(),
                    };
                    let mut plan = fixture::plan(proposal.id, verb, Vec::new());
                    plan.blast.share = Some(0.001);
                    let challenge = challenge(&plan);
                    proposal.state = ProposalState::Ready { plan: Arc::new(plan), challenge, checking: 0 };
                }
                stage.wait(Duration::from_millis(1));
            }
            Event::Wait(length) => drop(stage.wait(Duration::from_millis(length))),
        }
        stage.text();
    }
}

fn journaled(stage: &Stage) -> Vec<How> {
    let how = |e: &AppEffect| match e {
        AppEffect::Engine(Effect::Journal(approved)) => Some(approved.how()),
        // A write is asked for only once the journal has answered, which it does not here.
        AppEffect::Engine(Effect::Act { .. } | Effect::Keep { .. }) => panic!("a write without a journal"),
        _ => None,
    };
    stage.effects.iter().filter_map(how).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn no_keys_at_any_size_panic_or_write_without_a_proof(events in prop::collection::vec(event(0..900), 0..60)) {
        let mut stage = Stage::normal((120, 36));
        play(&mut stage, events);
        journaled(&stage);
    }

    #[test]
    fn keys_faster_than_a_hand_approve_nothing_but_a_hold(events in prop::collection::vec(event(0..5), 0..60)) {
        let mut stage = Stage::of(fixture::held(), (120, 36));
        play(&mut stage, events.into_iter().filter(|e| !matches!(e, Event::Wait(_))).collect());
        prop_assert!(journaled(&stage).iter().all(|how| *how == How::Standing));
    }

    #[test]
    fn a_watch_screen_approves_nothing(events in prop::collection::vec(event(0..900), 0..60)) {
        let setup = Setup { mode: Mode::Watch { rotate: None }, size: (120, 36), ..Setup::default() };
        let mut stage = Stage::with(fixture::normal(), setup);
        play(&mut stage, events);
        prop_assert_eq!(journaled(&stage), []);
        prop_assert!(stage.app.engine.proposal.is_none());
    }

    #[test]
    fn every_moment_draws_at_every_size(columns in 0u16..300, rows in 0u16..90, which in 0usize..5) {
        let engine = match which {
            0 => fixture::empty(),
            1 => fixture::lost(),
            2 => fixture::large(),
            3 => fixture::renamed(&|n| format!("漢\u{1b}{n}\u{301}\u{301}")),
            _ => fixture::held(),
        };
        let mut stage = Stage::of(engine, (columns, rows));
        for keys in ["", "P", "esc ?", "esc d", "l", "esc f", "esc :", "esc x", "esc z"] {
            stage.keys(keys).text();
        }
    }
}
