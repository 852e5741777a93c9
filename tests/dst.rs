//! A deterministic simulation of everything at once, from a seed: consoles, a guard, a wall screen, clusters and
//! Prometheus in one process under paused time, with accidents in everything between them, and twelve rules that are
//! checked against the world after every step. `examples/dst.rs` runs it for as long as one likes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "tests"
)]
#![allow(dead_code, reason = "some of it is used by the example only")]

#[path = "dst/mod.rs"]
mod dst;

use dst::planted::Bug;
use dst::play::{Outcome, play};
use dst::rules::RULES;
use dst::script::{Script, Size};
use dst::shrink::least;
use dst::tally::Tally;

fn run(seed: u64, size: Size) -> Outcome {
    let outcome = play(&Script::of(seed, size), None, false);
    if let Some(broken) = &outcome.broken {
        let small = if size == Size::Small { " --small" } else { "" };
        panic!(
            "rule {} at {:?}: {}\nreplay it: cargo run --release --example dst --{small} --from {seed} --seeds 1 --history",
            RULES[broken.rule - 1],
            broken.at,
            broken.why
        );
    }
    outcome
}

fn tally(seeds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    seeds.for_each(|seed| tally.add(&run(seed, Size::Small)));
    tally
}

#[test]
fn no_rule_is_broken_whatever_happens() {
    assert_eq!(tally(0..3).broken, 0);
}

#[test]
fn no_rule_is_broken_and_none_is_idle() {
    let idle = tally(6..12).idle_rules();
    assert!(idle.is_empty(), "never exercised: {idle:?}");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let [one, two] = [(); 2].map(|()| play(&Script::of(3, Size::Small), None, true));
    let differs = one.lines.iter().zip(&two.lines).position(|(a, b)| a != b);
    assert_eq!(differs.map(|at| (&one.lines[at], &two.lines[at])), None);
    assert_eq!((one.hash, one.lines.len()), (two.hash, two.lines.len()));
    assert!(one.lines.len() > 300, "{}", one.lines.len());
}

/// A planted bug breaks one of its rules within so many seeds.
fn is_found(bug: Bug, seeds: u64) {
    let rules = |seed| play(&Script::of(seed, Size::Small), Some(bug), false).broken.map(|b| b.rule);
    let found = (0..seeds).find_map(rules);
    assert!(found.is_some_and(|rule| bug.breaks().contains(&rule)), "{bug:?} breaks {found:?}");
}

#[test]
fn a_disk_that_lies_is_found() {
    is_found(Bug::LyingDisk, 6);
}

#[test]
fn a_request_that_was_changed_after_its_plan_is_found() {
    is_found(Bug::ChangedRequest, 6);
}

#[test]
fn whoever_does_not_see_holds_is_found() {
    is_found(Bug::BlindToHolds, 6);
}

#[test]
fn a_watch_screen_that_is_connected_as_a_console_is_found() {
    is_found(Bug::WritingWall, 1);
}

#[test]
fn a_shrunk_list_has_nothing_that_is_not_needed() {
    let all: Vec<u32> = (0..40).collect();
    let mut runs = 0;
    let kept = least(&all, &mut |some| {
        runs += 1;
        some.contains(&7) && some.contains(&31)
    });
    assert_eq!(kept, [7, 31]);
    assert!(runs < 80, "{runs}");
    assert_eq!(least(&all, &mut |some| !some.is_empty()).len(), 1);
}
