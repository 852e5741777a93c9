//! `gonogo doctor`: everything that gonogo needs, asked for once: a table of what is well, what is doubtful and what
//! is broken, each with what to do.
//!
//! It sends nothing but reads, and questions about rights.

mod connections;
mod host;
mod metrics;

use serde_json::{Value, json};

use super::check;
use super::failure::Exit;
use super::output::{VERSION, document, table};
use super::session::Session;
use super::verb::Said;
use super::world::World;
use crate::cli::TextOutput;
use crate::domain::text::{several, visible};

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Warn,
    Fail,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        }
    }
}

/// One line of the table.
struct Line {
    level: Level,
    what: String,
    text: String,
    hint: String,
}

impl Line {
    fn new(level: Level, what: impl Into<String>, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { level, what: what.into(), text: text.into(), hint: hint.into() }
    }
}

/// Everything that was found, after the session has heard what it could.
pub fn run(session: &Session, world: &World, output: TextOutput) -> Said {
    let mut lines = host::lines(world);
    lines.extend(connections::lines(world, session.engine.server_now()));
    lines.extend(check::lines(&session.engine).into_iter().filter(|l| !metrics::are_about(l)).map(of_check));
    lines.extend(metrics::lines(&session.engine));
    let worst = lines.iter().map(|l| l.level).max().unwrap_or(Level::Ok);
    let out = match output {
        TextOutput::Text => text(&lines),
        TextOutput::Json => document(&json_of(&lines, worst)),
    };
    // What is doubtful keeps nobody from working.
    let exit = if worst == Level::Fail { Exit::Unreachable } else { Exit::Done };
    Said { out, err: String::new(), exit }
}

/// Who may only look is well enough to look.
fn of_check(line: check::Line) -> Line {
    let level = match line.exit {
        Exit::Done => Level::Ok,
        _ if line.is_right => Level::Warn,
        _ => Level::Fail,
    };
    Line::new(level, line.what, line.text, line.hint)
}

fn text(lines: &[Line]) -> String {
    let rows: Vec<Vec<String>> = lines
        .iter()
        .flat_map(|line| {
            let row =
                [line.level.word().to_owned(), visible(&line.what).into_owned(), visible(&line.text).into_owned()];
            let hint = (line.level > Level::Ok && !line.hint.is_empty())
                .then(|| vec![String::new(), String::new(), format!("→ {}", visible(&line.hint))]);
            std::iter::once(row.to_vec()).chain(hint)
        })
        .collect();
    let count = |level: Level| lines.iter().filter(|l| l.level == level).count();
    let mut out = table(&rows, &[]);
    let fails = count(Level::Fail);
    let broken = if fails == 0 { "nothing is broken".to_owned() } else { format!("{fails} broken") };
    out.push_str(&format!("{}: {broken}, {} doubtful\n", several(lines.len(), "check"), count(Level::Warn)));
    out
}

fn json_of(lines: &[Line], worst: Level) -> Value {
    let word = |level: Level| level.word().to_lowercase();
    let all: Vec<Value> = lines
        .iter()
        .map(|l| {
            let hint = Some(&l.hint).filter(|h| !h.is_empty());
            json!({"state": word(l.level), "what": l.what, "text": l.text, "hint": hint})
        })
        .collect();
    json!({"version": VERSION, "kind": "doctor", "state": word(worst), "results": all})
}
