//! What another system is told or asked: a table with a command, or with an HTTP request.

use std::time::Duration;

use super::super::reader::Table;
use super::super::source::At;
use super::Build;
use super::carry::placeholders;
use super::names::{self, Kind};
use crate::domain::deed::{CommandLine, Deed, EndpointCall, Method};
use crate::domain::id::Text;

/// How long a command may take unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The shortest and the longest: a write that was not answered for two minutes counts as lost.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(90);
/// Variables that commands get unless said otherwise.
const ENV: [&str; 2] = ["PATH", "HOME"];

/// What the deeds of one table share.
pub(super) struct Shared<'a> {
    /// Names of the endpoints there are.
    pub endpoints: Vec<String>,
    /// The table that says what holds for all.
    pub table: Table<'a>,
}

/// What is asked, or what is told with the JSON that says so.
#[derive(Clone, Copy)]
pub(super) enum Sense<'s> {
    /// A question: it changes nothing.
    Asks,
    /// A deed, and its default body.
    Tells(&'s str),
}

/// The deed of a key; none: it has none, or it is wrong.
pub(super) fn deed(
    build: &Build<'_>,
    shared: &Shared<'_>,
    key: &str,
    known: &[&str],
    sense: Sense<'_>,
) -> Option<Deed> {
    let table = shared.table.table(key)?;
    let problems = build.problems;
    match (table.texts("run"), table.text("path")) {
        (Some(_), Some(path)) => {
            let message = format!("`{key}` has `run` and `path`: it is a command or a request");
            problems.error("contradiction", path.at, message, "keep one of them");
            None
        }
        (Some(words), None) => run(build, shared, table, &words, known),
        (None, Some(path)) => call(build, shared, table, &path, known, sense),
        (None, None) => {
            if table.raw("run").is_none() && table.raw("path").is_none() {
                table.missing("run", "[\"PROGRAM\", \"{{region}}\"]");
            }
            None
        }
    }
}

fn run(build: &Build<'_>, shared: &Shared<'_>, table: Table<'_>, words: &[At<String>], known: &[&str]) -> Option<Deed> {
    let problems = build.problems;
    for key in ["endpoint", "method", "body"] {
        if let Some((_, at)) = table.raw(key) {
            let message = format!("`{key}` belongs to a request, and this is a command");
            problems.error("contradiction", at, message, format!("take `{key}` out"));
        }
    }
    let Some(program) = words.first().filter(|w| !w.value.trim().is_empty()) else {
        problems.error("empty-text", table.place_of("run"), "`run` names no program", "write `run = [\"PROGRAM\", …]`");
        return None;
    };
    if program.value.contains("{{") || words.len() == 1 && program.value.contains(' ') {
        let message = "the program must be a name or a path, and each argument a text of its own";
        problems.error(
            "bad-command",
            program.at,
            message,
            "write `run = [\"PROGRAM\", \"ARGUMENT\", …]`: no shell is between",
        );
        return None;
    }
    for word in words {
        placeholders(build, &word.value, word.at, known)?;
    }
    let timeout = table.duration("timeout");
    if let Some(timeout) = &timeout
        && !(SHORTEST..=LONGEST).contains(&timeout.value)
    {
        problems.error("bad-duration", timeout.at, "`timeout` must be from 1s to 90s", "write `timeout = \"30s\"`");
    }
    let env = [table, shared.table].into_iter().filter(|t| t.section.key("env").is_some()).find_map(|t| t.texts("env"));
    for name in env.iter().flatten() {
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            let message = format!("`{}` is no name of a variable", name.value);
            problems.error("bad-name", name.at, message, "write names only: values come from the environment");
        }
    }
    let mut all: Vec<Text> = words.iter().map(|w| w.value.as_str().into()).collect();
    if let Some(first) = all.first_mut().filter(|p| p.contains('/')) {
        *first = build.path(&program.value).to_string_lossy().into();
    }
    Some(Deed::Run(CommandLine {
        words: all,
        env: match env {
            Some(names) => names.into_iter().map(|n| n.value.into()).collect(),
            None => ENV.map(Text::from).to_vec(),
        },
        limit: timeout.map_or(TIMEOUT, |t| t.value),
    }))
}

fn call(
    build: &Build<'_>,
    shared: &Shared<'_>,
    table: Table<'_>,
    path: &At<String>,
    known: &[&str],
    sense: Sense<'_>,
) -> Option<Deed> {
    let problems = build.problems;
    for key in ["timeout", "env"] {
        if let Some((_, at)) = table.raw(key) {
            let message = format!("`{key}` belongs to a command, and this is a request");
            problems.error("contradiction", at, message, "the endpoint has a `timeout` of its own");
        }
    }
    let Some(endpoint) = [table, shared.table]
        .into_iter()
        .filter(|t| t.section.key("endpoint").is_some())
        .find_map(|t| t.text("endpoint"))
    else {
        table.missing("endpoint", "\"NAME\"");
        return None;
    };
    if !shared.endpoints.contains(&endpoint.value) {
        names::unknown(problems, Kind::Endpoint, &endpoint, shared.endpoints.iter().map(String::as_str));
        return None;
    }
    placeholders(build, &path.value, path.at, known)?;
    if !path.value.starts_with('/') || path.value.contains(char::is_whitespace) {
        problems.error("bad-path", path.at, format!("`{}` is no path", path.value), "begin it with `/`");
        return None;
    }
    let asks = matches!(sense, Sense::Asks);
    let method = match table.word("method") {
        Some(word) => Method::parse(&word.value)?,
        None if table.raw("method").is_some() => return None,
        None if asks => Method::Get,
        None => Method::Post,
    };
    if asks != (method == Method::Get) {
        let (message, fix) = match asks {
            true => ("what asks must not change anything: it is a GET", "take `method` out"),
            false => ("a GET changes nothing", "write `method = \"POST\"`"),
        };
        problems.error("bad-word", table.place_of("method"), message, fix);
        return None;
    }
    let own = table.text("body");
    if let Some(own) = &own {
        placeholders(build, &own.value, own.at, known)?;
        if let Err(why) = serde_json::from_str::<serde_json::Value>(&own.value) {
            let fix = "write JSON, e.g. `body = '{\"version\": \"{{version}}\"}'`";
            problems.error("bad-json", own.at, format!("`body` is no JSON: {why}"), fix);
            return None;
        }
    }
    let body = match (own, sense) {
        (Some(own), Sense::Tells(_)) => Some(own.value.into()),
        (None, Sense::Tells(default)) => Some(default.into()),
        (Some(own), Sense::Asks) => {
            problems.error("contradiction", own.at, "a GET has no body", "take `body` out");
            None
        }
        (None, Sense::Asks) => None,
    };
    Some(Deed::Call(EndpointCall { endpoint: endpoint.value.into(), method, path: path.value.as_str().into(), body }))
}
