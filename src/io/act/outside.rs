//! Sends what goes past the clusters: programs and HTTP requests, as planned, once.

use std::sync::Arc;

use crate::domain::change::Change;
use crate::domain::outside::{HttpWrite, Invocation, Outside};
use crate::domain::text::safe;
use crate::engine::effect::ActResult;
use crate::io::command::{Command, Inherits, NotRun, Runner};
use crate::io::endpoint::Endpoints;
use crate::io::git::Git;
use crate::io::journal::Journaled;

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
    match outside {
        Outside::Run(run) => ran(outsides, run).await,
        Outside::Call(call) => called(outsides, call).await,
        Outside::Git(change) => match &outsides.git {
            Some(git) => git.act(change, plan.id).await,
            None => ActResult::NotSent("this screen commits to no repository".into()),
        },
    }
}

/// 0 is yes. 75 (`EX_TEMPFAIL` of sysexits) is "not now, nothing was done"; any other code is no.
async fn ran(outsides: &Outsides, run: &Invocation) -> ActResult {
    let Some(runner) = &outsides.runner else { return ActResult::NotSent("this screen runs no commands".into()) };
    let command = Command {
        program: run.program.to_string(),
        args: run.args.iter().map(ToString::to_string).collect(),
        inherits: Inherits::Only(run.env.iter().map(ToString::to_string).collect()),
        input: run.stdin.as_ref().map(|text| text.as_bytes().to_vec()),
        ..Command::default()
    };
    match runner.run(command, run.limit).await {
        Ok(ran) => match ran.failed {
            None => ActResult::Accepted { object: None, audit: None, warnings: Vec::new() },
            Some(how) => {
                let said = if ran.stderr.is_empty() { String::new() } else { format!(": {}", ran.stderr) };
                ActResult::Refused {
                    code: 0,
                    message: safe(&format!("{} ended with {how}{said}", run.what), 600).into(),
                }
            }
        },
        Err(NotRun::Absent) => ActResult::NotSent(format!("no such program: {}", run.program).into()),
        Err(NotRun::Failed(why)) => ActResult::NotSent(format!("{} could not be run: {why}", run.program).into()),
        // It was ended, and may have done it before.
        Err(NotRun::Timeout(limit)) => ActResult::Unknown(format!("{} took longer than {limit} s", run.what).into()),
        Err(too_much @ NotRun::TooMuch(_)) => ActResult::Unknown(format!("{}: {too_much}", run.what).into()),
    }
}

async fn called(outsides: &Outsides, call: &HttpWrite) -> ActResult {
    match &outsides.endpoints {
        Some(endpoints) => endpoints.write(call).await,
        None => ActResult::NotSent("this screen writes to no HTTP endpoint".into()),
    }
}
