//! The main board at each size, and the moments that must be loud.

use std::time::Duration;

use gonogo::app::{Mode, Setup};

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
