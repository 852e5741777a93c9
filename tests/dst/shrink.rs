//! The least of a script that still breaks the same rule.

use super::planted::Bug;
use super::play::play;
use super::script::{Event, Script};

/// Leaves out whatever is not needed, in halves first and then one by one; at most so many runs.
pub fn shrink(script: &Script, bug: Option<Bug>, rule: usize, most: usize) -> Script {
    let mut runs = 0;
    let breaks = |events: &[Event]| {
        let smaller = Script { events: events.to_vec(), ..script.clone() };
        play(&smaller, bug, false).broken.is_some_and(|b| b.rule == rule)
    };
    let events = least(&script.events, &mut |events| {
        runs += 1;
        runs <= most && breaks(events)
    });
    Script { events, ..script.clone() }
}

/// The least of a list that still fails.
pub fn least<T: Clone>(all: &[T], fails: &mut dyn FnMut(&[T]) -> bool) -> Vec<T> {
    let mut kept = all.to_vec();
    let mut size = kept.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut smaller = false;
        while at < kept.len() {
            let mut without = kept.clone();
            without.drain(at..(at + size).min(kept.len()));
            if fails(&without) {
                kept = without;
                smaller = true;
            } else {
                at += size;
            }
        }
        if size == 1 && !smaller {
            return kept;
        }
        size = if size > 1 { size / 2 } else { 1 };
    }
}
