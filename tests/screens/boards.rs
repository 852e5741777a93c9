//! The main board at each size, and the moments that must be loud.

use std::time::Duration;

use gonogo::app::{Mode, Setup};
use gonogo::domain::id::RegionIx;

use super::fixture;
use super::stage::Stage;

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 36), (200, 60), (40, 10)];

fn each_size(name: &str, stage: impl Fn((u16, u16)) -> Stage) {
    for (columns, rows) in SIZES {
        insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), stage((columns, rows)).shot());
    }
}

#[test]
fn a_release_that_bakes() {
    each_size("baking", Stage::normal);
}

#[test]
fn a_region_that_is_lost_is_greyed_and_stands_in_the_top_line() {
    each_size("lost", |size| Stage::of(fixture::lost(), size));
    for size in SIZES {
        let text = Stage::of(fixture::lost(), size).text();
        let top = text.lines().next().unwrap();
        assert!(top.contains("unreachable"), "{size:?}: {top}");
    }
}

#[test]
fn a_hold_stands_in_the_top_line() {
    each_size("held", |size| Stage::of(fixture::held(), size));
    for size in SIZES {
        let text = Stage::of(fixture::held(), size).text();
        assert!(text.lines().next().unwrap().contains("HELD"), "{size:?}");
    }
}

#[test]
fn the_lost_rows_age_counts_on_between_observations() {
    let mut stage = Stage::of(fixture::lost(), (120, 36));
    assert!(stage.text().contains("unreachable 43s"));
    stage.wait(Duration::from_secs(7));
    assert!(stage.text().contains("unreachable 50s"));
}

#[test]
fn ages_tick_once_a_second_all_together() {
    let mut stage = Stage::normal((120, 36));
    let before = stage.text();
    stage.app.take_dirty();
    stage.wait(Duration::from_millis(400));
    assert!(!stage.app.take_dirty());
    assert_eq!(stage.text(), before);
    stage.wait(Duration::from_millis(700));
    assert!(stage.app.take_dirty());
    assert_ne!(stage.text(), before);
}

#[test]
fn a_watch_screen_says_that_it_cannot_write_and_turns_to_the_next_service() {
    let setup =
        Setup { mode: Mode::Watch { rotate: Some(Duration::from_secs(20)) }, size: (120, 36), ..Setup::default() };
    let mut stage = Stage::with(fixture::large(), setup);
    stage.wait(Duration::from_secs(6));
    let text = stage.text();
    assert!(text.contains("WATCH · cannot write · data 8s old · next: payments in 14s"), "{text}");
    stage.wait(Duration::from_secs(14));
    assert!(stage.text().contains("gonogo · payments"));
    insta::assert_snapshot!("watch_120x36", stage.shot());
}

#[test]
fn badges_tell_what_this_console_is() {
    for (mode, unjournaled, badge) in [
        (Mode::ReadOnly("no right to write".into()), None, "READ-ONLY"),
        (Mode::Replay, None, "REPLAY"),
        (Mode::Console, Some("disk full".into()), "UNJOURNALED"),
    ] {
        for size in SIZES {
            let setup = Setup { mode: mode.clone(), unjournaled: unjournaled.clone(), size, ..Setup::default() };
            let text = Stage::with(fixture::normal(), setup).text();
            assert!(text.lines().next().unwrap().contains(badge), "{badge} {size:?}");
        }
    }
}

#[test]
fn ascii_shows_the_same_facts_in_the_same_places() {
    use gonogo::look::Theme;
    for size in SIZES {
        let stage = Stage::of(fixture::held(), size);
        let plain = gonogo::screen::text(&stage.buffer(&Theme::markers().with_ascii(true)));
        assert!(plain.is_ascii(), "{size:?}");
        let rich = stage.text();
        for (a, b) in plain.lines().zip(rich.lines()) {
            assert_eq!(a.chars().count(), b.chars().count(), "{a}\n{b}");
        }
    }
    let stage = Stage::of(fixture::lost(), (80, 24));
    insta::assert_snapshot!("ascii_80x24", gonogo::screen::text(&stage.buffer(&Theme::markers().with_ascii(true))));
}

/// What must not be missed stands in the top line at every size: a pause that was forgotten, and
/// whether a guard is armed and heard.
#[test]
fn a_forgotten_pause_and_the_guard_stand_in_the_top_line_at_every_size() {
    use gonogo::engine::automation::lease::GuardSeen;
    let with = |silent: bool| {
        let mut engine = fixture::normal();
        let mut changed = fixture::now();
        changed.mono -= Duration::from_secs(if silent { 90 } else { 2 });
        for region in &mut engine.services[0].regions {
            region.guard = Some(GuardSeen {
                holder: "guard-1".into(),
                mode: "guard".into(),
                policy: "0123456789abcdef".into(),
                policy_text: None,
                renewed: "2026-11-20T14:32:05Z".into(),
                transitions: 0,
                changed,
            });
        }
        engine
    };
    for size in SIZES {
        let top = |engine| Stage::of(engine, size).text().lines().next().unwrap().to_owned();
        let armed = ["♥guard 2s", "guard GUARD ♥ 2s", "guard GUARD 4/4 ♥ 2s"];
        assert!(armed.iter().any(|a| top(with(false)).contains(a)), "{size:?}: {}", top(with(false)));
        assert!(top(with(true)).contains("GUARD SILENT"), "{size:?}: {}", top(with(true)));
        let mut engine = fixture::normal();
        engine.services[0].view.forgotten = vec![(2.into(), fixture::at("20 09:32:07"))];
        assert!(top(engine).contains("PAUSED 5h00m"), "{size:?}");
    }
    let mut engine = with(false);
    engine.services[0].view.forgotten = vec![(2.into(), fixture::at("20 09:32:07"))];
    insta::assert_snapshot!("forgotten_120x36", Stage::of(engine, (120, 36)).shot());
}

/// Budget and burn stand in the table where a gate asks for them; unknown is never a number.
#[test]
fn the_error_budget_stands_in_the_region_table() {
    use gonogo::domain::verdict::Verdict;
    use gonogo::engine::view::Burn;
    assert!(!Stage::normal((200, 60)).text().contains("budget"));
    let mut engine = fixture::normal();
    let burn = |rate, left, verdict| Some(Burn { rate, left, at_most: true, verdict });
    let view = &mut engine.services[0].view;
    view.regions[1].burn = burn(Some(15.2), Some(0.61), Verdict::NoGo);
    view.regions[2].burn = burn(Some(0.42), Some(0.98), Verdict::Go);
    view.regions[3].burn = burn(None, None, Verdict::NoData);
    let text = Stage::of(engine, (200, 60)).text();
    for said in ["burn", "budget", "15.2×", "≤61 %", "0.4×", "≤98 %"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}

/// The board as the engine judges it: windows for deploys are in the outlook.
#[test]
fn the_outlook_counts_windows_in() {
    let engine = fixture::judged();
    let view = &engine.services[0].view;
    let ring = view.question.as_ref().unwrap().ring;
    assert_eq!(ring.at(), 2);
    // ring-1 has to bake again until Saturday 00:10 UTC; Dublin opens on Monday at 9.
    assert_eq!(view.rings[2].promote_at, Some(fixture::at("23 09:00:00")), "{:?}", view.rings);
    // A day of bake later New York is open: from 9 to 17 there, 14 to 22 UTC.
    let next = view.rings[3].promote_at.unwrap();
    assert_eq!(next, fixture::at("24 14:00:00"));
    assert!(view.eta.unwrap() > fixture::at("25 14:00:00"));
    let text = Stage::of(fixture::judged(), (200, 60)).text();
    assert!(text.lines().next().unwrap().contains("ring-2 from 23 Nov 09:00"), "{text}");
    insta::assert_snapshot!("judged_80x24", Stage::of(fixture::judged(), (80, 24)).shot());
}

/// A region on what was found bad: how long, against what the policy allows; past that, an alarm.
#[test]
fn the_rollback_clock_runs_in_the_top_line_at_every_size() {
    use gonogo::engine::view::Incident;
    let with = |seconds: i64| {
        let mut engine = fixture::judged();
        let since = fixture::now().wall - gonogo::domain::stamp::SignedDuration::from_secs(seconds);
        let incident = |region: u32| Incident { region: RegionIx(region), since, limit: Duration::from_secs(600) };
        engine.services[0].view.incidents = vec![incident(1), incident(2)];
        engine
    };
    for size in SIZES {
        let top = |seconds| Stage::of(with(seconds), size).text().lines().next().unwrap().to_owned();
        assert!(top(192).contains("03:12"), "{size:?}: {}", top(192));
        assert!(top(4_003).contains("OVERDUE 1:06:43"), "{size:?}: {}", top(4_003));
        assert!(!top(192).contains("OVERDUE"), "{size:?}");
    }
    let mut stage = Stage::of(with(192), (120, 36));
    assert!(stage.text().contains("rollback clock 03:12 of 10:00"), "{}", stage.text());
    stage.wait(Duration::from_secs(7));
    assert!(stage.text().contains("rollback clock 03:19 of 10:00"), "it runs between observations");
    for size in [(80, 24), (200, 60)] {
        let name = format!("{}x{}", size.0, size.1);
        insta::assert_snapshot!(format!("rollback_clock_{name}"), Stage::of(with(192), size).shot());
        insta::assert_snapshot!(format!("rollback_overdue_{name}"), Stage::of(with(601), size).shot());
    }
}
