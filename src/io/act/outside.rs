//! Sends what goes past the clusters: programs and HTTP requests, as planned, once. And asks by them.

use std::sync::Arc;

use crate::domain::change::Change;
use crate::domain::id::Text;
use crate::domain::link::LostReason;
use crate::domain::outside::{HttpWrite, Invocation, Outside};
use crate::domain::plan::PlanId;
use crate::domain::text::safe;
use crate::engine::effect::ActResult;
use crate::io::command::{Command, Inherits, NotRun, Ran, Runner};
use crate::io::endpoint::Endpoints;
use crate::io::git::Git;
use crate::io::journal::Journaled;
use crate::io::secrets::{hidden, hidden_bytes, learn};

/// Largest report that is read.
const MOST_REPORT: usize = 64 * 1024;
/// By this exit code a program says that it refused, and that nothing was changed.
const REFUSED: i32 = 3;
/// By these, that it could not reach what it needs, or not now, and that nothing was changed: our own code for it,
/// and `EX_TEMPFAIL` of sysexits.
const UNREACHED: [i32; 2] = [5, 75];
/// Variables whose values are words like any other.
const PLAIN: [&str; 10] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "TERM", "TZ", "PWD", "SHELL", "TMPDIR"];

/// What sends them. Each is absent where this screen may not write, or nothing of the kind is configured.
#[derive(Clone, Default)]
pub struct Outsides {
    /// Runs programs.
    pub runner: Option<Arc<dyn Runner>>,
    /// Sends HTTP requests.
    pub endpoints: Option<Arc<Endpoints>>,
    /// Reads repositories, and commits to them.
    pub git: Option<Arc<Git>>,
}

/// Sends one write of a journaled plan that no API server takes. The proof holds the plan: nothing else can be
/// sent with it.
pub async fn act_outside(outsides: &Outsides, journaled: &Journaled, step: usize, write: usize) -> ActResult {
    let plan = journaled.plan();
    let planned = plan.steps.get(step).and_then(|s| s.writes.get(write));
    let Some(Change::Outside(outside)) = planned.map(|w| &w.change) else {
        return ActResult::NotSent(format!("plan {} has no such write {write} in step {step}", plan.id).into());
    };
    sent(outsides, outside, plan.id).await
}

async fn sent(outsides: &Outsides, outside: &Outside, plan: PlanId) -> ActResult {
    match outside {
        Outside::Run(run) => ran(outsides, run).await,
        Outside::Call(call) => called(outsides, call).await,
        Outside::Git(change) => match &outsides.git {
            Some(git) => git.act(change, plan).await,
            None => ActResult::NotSent("this screen commits to no repository".into()),
        },
    }
}

/// Asks by a program or a request that changes nothing: what it printed or answered.
///
/// # Errors
/// Why there is no report.
pub async fn ask(outsides: &Outsides, outside: &Outside) -> Result<Vec<u8>, LostReason> {
    let report = match outside {
        Outside::Run(run) => {
            let runner = outsides.runner.as_ref();
            let runner = runner.ok_or_else(|| LostReason::Unusable("this screen runs no commands".into()))?;
            printed(run, runner.run(command(run), run.limit).await)?
        }
        Outside::Call(call) => {
            let endpoints = outsides.endpoints.as_ref();
            let endpoints =
                endpoints.ok_or_else(|| LostReason::Unusable("this screen asks no HTTP endpoint".into()))?;
            match endpoints.read(call).await {
                Ok((200..=299, body)) => body.as_bytes().to_vec(),
                Ok((code, body)) => {
                    let said = body.split_whitespace().collect::<Vec<_>>().join(" ");
                    let text = safe(&format!("endpoint {} answered {code} {said}", call.endpoint), 300);
                    return Err(LostReason::Failing(text.trim_end().into()));
                }
                Err(why) => return Err(LostReason::Unreachable(format!("endpoint {}: {why}", call.endpoint).into())),
            }
        }
        Outside::Git(_) => return Err(LostReason::Unusable("a repository reports nothing".into())),
    };
    if report.len() > MOST_REPORT {
        return Err(LostReason::Failing(format!("it reported more than {} KiB", MOST_REPORT / 1024).into()));
    }
    // What it repeats of its credentials is repeated nowhere.
    Ok(hidden_bytes(&report).into_owned())
}

/// The program with its words and with the variables that it may have, and no others.
fn command(run: &Invocation) -> Command {
    // Whatever it prints, what it was given in confidence is not repeated.
    let secret = |name: &&Text| !PLAIN.contains(&&***name) && !name.starts_with("LC_");
    run.env.iter().filter(secret).filter_map(|name| std::env::var(&**name).ok()).for_each(|value| learn(&value));
    Command {
        program: run.program.to_string(),
        args: run.args.iter().map(ToString::to_string).collect(),
        inherits: Inherits::Only(run.env.iter().map(ToString::to_string).collect()),
        input: run.stdin.as_ref().map(|text| text.as_bytes().to_vec()),
        ..Command::default()
    }
}

/// How a program ended, with what it complained of.
fn ended(run: &Invocation, ran: &Ran) -> Text {
    let how = ran.failed.as_deref().unwrap_or("no complaint");
    let said = if ran.stderr.is_empty() { String::new() } else { format!(": {}", ran.stderr) };
    safe(&format!("{} ended with {how}{said}", run.what), 600).into()
}

/// 0 is yes. What says that nothing was changed is believed; any other end may have come after it was heard: only
/// what it is about can tell.
async fn ran(outsides: &Outsides, run: &Invocation) -> ActResult {
    let Some(runner) = &outsides.runner else { return ActResult::NotSent("this screen runs no commands".into()) };
    match runner.run(command(run), run.limit).await {
        Ok(ran) => match ran.code {
            Some(0) => ActResult::Accepted {
                object: None,
                audit: None,
                warnings: (!ran.stderr.is_empty()).then(|| ran.stderr.as_str().into()).into_iter().collect(),
            },
            Some(REFUSED) => ActResult::Refused { code: 0, message: ended(run, &ran) },
            Some(code) if UNREACHED.contains(&code) => ActResult::NotSent(ended(run, &ran)),
            Some(_) | None => ActResult::Unknown(ended(run, &ran)),
        },
        Err(NotRun::Absent) => ActResult::NotSent(format!("no such program: {}", run.program).into()),
        Err(NotRun::Failed(why)) => {
            ActResult::Unknown(safe(&format!("{} could not be run: {}", run.what, hidden(&why)), 600).into())
        }
        // It was ended, and may have done it before.
        Err(error @ (NotRun::Timeout(_) | NotRun::TooMuch(_))) => {
            ActResult::Unknown(format!("{}: {error}", run.what).into())
        }
    }
}

/// What a program that was asked printed.
fn printed(run: &Invocation, ran: Result<Ran, NotRun>) -> Result<Vec<u8>, LostReason> {
    let text = |why: &str| Text::from(safe(&format!("{}: {}", run.what, hidden(why)), 600));
    match ran {
        Ok(ran) => match ran.code {
            Some(0) => Ok(ran.stdout),
            Some(code) if UNREACHED.contains(&code) => Err(LostReason::Unreachable(ended(run, &ran))),
            _ => Err(LostReason::Failing(ended(run, &ran))),
        },
        Err(NotRun::Absent) => Err(LostReason::Unusable(text(&format!("no such program: {}", run.program)))),
        Err(NotRun::Failed(why)) => Err(LostReason::Unusable(text(&why))),
        Err(error @ NotRun::Timeout(_)) => Err(LostReason::Unreachable(text(&error.to_string()))),
        Err(error @ NotRun::TooMuch(_)) => Err(LostReason::Failing(text(&error.to_string()))),
    }
}

async fn called(outsides: &Outsides, call: &HttpWrite) -> ActResult {
    match &outsides.endpoints {
        Some(endpoints) => endpoints.write(call).await,
        None => ActResult::NotSent("this screen writes to no HTTP endpoint".into()),
    }
}

#[cfg(test)]
#[path = "outside_tests.rs"]
mod tests;
