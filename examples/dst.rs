//! Runs the deterministic simulation for many seeds; ends with one line.
//!
//! ```text
//! cargo run --release --example dst -- --seeds 1000          seeds 0 to 999
//! cargo run --release --example dst -- --seeds 1 --from 42   one seed
//!   --small        the small worlds of `cargo test`
//!   --history      prints what happened
//!   --shrink       a seed that breaks a rule is shrunk to what is needed for that
//!   --bug NAME     with a planted bug
//!   --threads N    so many runs at a time (2)
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a test program"
)]
#![allow(dead_code, reason = "some of it is used by the tests only")]

#[path = "../tests/dst/mod.rs"]
mod dst;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use dst::planted::{BUGS, Bug};
use dst::play::play;
use dst::rules::RULES;
use dst::script::{Script, Size};
use dst::shrink::shrink;
use dst::tally::Tally;

/// What was asked for.
struct Asked {
    seeds: u64,
    from: u64,
    size: Size,
    history: bool,
    shrink: bool,
    bug: Option<Bug>,
    threads: usize,
}

fn asked() -> Result<Asked, String> {
    let mut asked =
        Asked { seeds: 100, from: 0, size: Size::Full, history: false, shrink: false, bug: None, threads: 2 };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
        let number = |text: String| text.parse::<u64>().map_err(|e| format!("{text}: {e}"));
        match arg.as_str() {
            "--seeds" => asked.seeds = number(value()?)?,
            "--from" => asked.from = number(value()?)?,
            "--threads" => asked.threads = usize::try_from(number(value()?)?).unwrap_or(2).max(1),
            "--small" => asked.size = Size::Small,
            "--history" => asked.history = true,
            "--shrink" => asked.shrink = true,
            "--bug" => {
                let name = value()?;
                let found = BUGS.into_iter().find(|b| format!("{b:?}") == name);
                asked.bug = Some(found.ok_or_else(|| format!("{name}: there are {BUGS:?}"))?);
            }
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let (next, tally) = (AtomicU64::new(asked.from), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..asked.threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= asked.from + asked.seeds {
                        return;
                    }
                    one(seed, &asked, &tally);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    print!("{tally}");
    let missing = if asked.seeds >= 100 && asked.bug.is_none() { tally.missing() } else { Vec::new() };
    if !missing.is_empty() {
        println!("never happened: {}", missing.join(", "));
    }
    println!("{}", tally.line());
    if tally.broken == 0 && missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(seed: u64, asked: &Asked, tally: &Mutex<Tally>) {
    let script = Script::of(seed, asked.size);
    let outcome = play(&script, asked.bug, asked.history);
    for line in &outcome.lines {
        println!("{line}");
    }
    tally.lock().unwrap().add(&outcome);
    let Some(broken) = &outcome.broken else { return };
    println!("seed {seed}: rule {} at {:?}: {}", RULES[broken.rule - 1], broken.at, broken.why);
    if asked.shrink {
        let least = shrink(&script, asked.bug, broken.rule, 200);
        println!(
            "seed {seed}: {} of {} events break it, in {:?}:",
            least.events.len(),
            script.events.len(),
            script.shape
        );
        for event in &least.events {
            println!("  {event}");
        }
    }
}
