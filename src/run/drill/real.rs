//! A drill for real: rolled back, the quarantine that this leaves lifted, and brought forward again by its gates.
//!
//! Nothing is done that a person could not do by three verbs, and each is a plan of its own in the journal. The way
//! forward is judged as ever: where its gates say no, the ring stays where it went, and that is said.

use std::time::Duration;

use super::{HINT, Leg, Walk};
use crate::domain::finding::Severity;
use crate::domain::id::{RegionIx, ServiceIx, Text};
use crate::domain::intent::{Intent, Target, Verb};
use crate::domain::plan::{Plan, Step};
use crate::domain::quarantine::{Candidate, Quarantined};
use crate::domain::record::Body;
use crate::domain::workload::Workload;
use crate::engine::operation::{Outcome, ProposalState};
use crate::run::session::Session;

/// How long reads and dry-runs may take.
const REVIEW: Duration = Duration::from_secs(20);
/// Beyond a plan's own limits.
const SLACK: Duration = Duration::from_secs(15);
/// How long the board may take to see what was written, before the way forward is refused.
const SETTLES: Duration = Duration::from_secs(60);

/// What was answered beforehand.
pub(super) struct Answers {
    /// The name of the ring or region, typed.
    pub confirm: Option<String>,
    /// Why.
    pub reason: Option<Text>,
}

/// How a drill for real ended.
pub(super) enum Ended {
    /// It went back and came forward again; how long the way back took.
    Whole(Duration),
    /// It went back, and stays there: how long that took, and why it did not come forward.
    Back(Duration, String),
    /// It did not go back.
    Not(Outcome, String),
}

/// Goes back by the plan that was walked, and forward again. Each leg and its time is added to the walk.
pub(super) fn go(session: &mut Session, at: ServiceIx, target: &Target, walk: &mut Walk, answers: &Answers) -> Ended {
    if let Some(why) = quarantined(session, at, walk) {
        return Ended::Not(Outcome::Refused, why);
    }
    let began = session.mono();
    if let Err((outcome, why)) = carry_out(session, walk.plan.clone(), answers) {
        return Ended::Not(outcome, why);
    }
    let took = session.mono().saturating_sub(began);
    walk.legs.push(Leg { name: "rolled back, until every region had settled".to_owned(), took });
    let began = session.mono();
    if let Err(why) = forward(session, at, target, walk, answers) {
        return Ended::Back(took, why);
    }
    let again = session.mono().saturating_sub(began);
    walk.legs.push(Leg { name: "and forward again".to_owned(), took: again });
    Ended::Whole(took)
}

/// What runs is in quarantine: bringing it forward again would be no drill.
fn quarantined(session: &Session, at: ServiceIx, walk: &Walk) -> Option<String> {
    let (from, _) = walk.versions();
    let state = session.engine.services.get(at.at())?;
    let service = session.engine.fleet.service(at)?;
    let all = state.record.quarantined(session.engine.server_now());
    let runs = |q: &&Quarantined<'_>| {
        let workload = |s: &Step| state.region(s.region)?.workload.as_ref();
        let covers = |w: &Workload| {
            q.covers(&Candidate { version: &w.version, image: w.image.as_ref(), template: Some(w.template) })
        };
        walk.plan.steps.iter().filter_map(workload).any(covers)
    };
    let hit = all.iter().find(runs)?;
    let name = |at: RegionIx| service.region(at).map_or_else(|| "?".into(), |r| r.name.as_str().into());
    Some(format!("{from} was {}: it would not be brought forward again; roll it back for good", hit.text(name)))
}

/// The rollbacks that this drill wrote down, as they were dated when they were approved.
fn own_rollbacks(session: &Session, walk: &Walk) -> Vec<Text> {
    let done = session.engine.operations.iter().find(|o| o.plan.id == walk.plan.id);
    let steps = done.map(|o| o.plan.steps.as_slice()).unwrap_or_default();
    let facts = steps.iter().flat_map(|s| &s.facts).flat_map(|(_, facts)| facts);
    let own = facts.filter(|f| matches!(f.body, Body::RolledBack(_)));
    own.map(|f| f.id.to_string().into()).collect()
}

fn forward(
    session: &mut Session,
    at: ServiceIx,
    target: &Target,
    walk: &Walk,
    answers: &Answers,
) -> Result<(), String> {
    let (from, _) = walk.versions();
    // A rollback is a quarantine; what was only drilled was not found to be bad. Its own facts are cleared, and
    // nobody else's: a real rollback that came meanwhile stays one.
    for own in own_rollbacks(session, walk) {
        let clear = Verb::Clear { what: Some(own) };
        let plan = drafted(session, at, clear, &Target::Service, answers)?;
        let name = plan.name.to_string();
        let cleared = Answers { confirm: Some(name), reason: answers.reason.clone() };
        let wrong = |(outcome, why): (Outcome, String)| format!("clearing {from}: {}: {why}", outcome.word());
        carry_out(session, plan, &cleared).map_err(wrong)?;
    }
    let promote = Verb::Promote { to: Some(from.clone()), without_wait: false };
    // The board must have seen what was just written.
    let deadline = session.mono() + SETTLES;
    let plan = loop {
        match drafted(session, at, promote.clone(), target, answers) {
            Ok(plan) => break plan,
            Err(why) if session.mono() >= deadline => return Err(why),
            Err(_) => drop(session.pump(Duration::from_secs(1), |_| None::<()>)),
        }
    };
    if plan.worst() >= Some(Severity::Override) {
        let why = plan.overridden().map(|f| f.text.to_string()).collect::<Vec<_>>().join("; ");
        return Err(format!("it would take an override: {why}"));
    }
    carry_out(session, plan, answers).map_err(|(outcome, why)| format!("{}: {why}", outcome.word()))
}

/// A plan whose reads and dry-runs were all answered, or the sentence that refuses it.
pub(super) fn drafted(
    session: &mut Session,
    at: ServiceIx,
    verb: Verb,
    target: &Target,
    answers: &Answers,
) -> Result<Plan, String> {
    let id = session.engine.next_plan_id();
    let intent = Intent { service: at, verb, target: target.clone(), reason: answers.reason.clone() };
    let effects = session.engine.propose(id, intent);
    session.perform(effects);
    let plan = session.pump(REVIEW, |engine| match &engine.proposal.as_ref()?.state {
        ProposalState::Refused(refusal) => Some(Err(refusal.text.to_string())),
        ProposalState::Ready { plan, checking: 0, .. } => Some(Ok((**plan).clone())),
        _ => None,
    });
    plan.unwrap_or_else(|| Err(format!("what it rests on could not be read in time; {HINT}")))
}

/// Approves a plan with the answers and waits for its end.
pub(super) fn carry_out(session: &mut Session, plan: Plan, answers: &Answers) -> Result<(), (Outcome, String)> {
    let id = plan.id;
    let limit = plan.steps.iter().map(|s| s.limit).max().unwrap_or_default();
    let rounds = plan.steps.len().div_ceil(plan.parallelism.max(1)).max(1);
    let most = limit.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX)).saturating_add(SLACK);
    let by = session.engine.operator_of(&plan);
    let challenge = crate::domain::challenge::challenge(&plan);
    let approved = match challenge.flags(plan, answers.confirm.as_deref(), answers.reason.clone(), by) {
        Ok(approved) => approved,
        Err((plan, rejected)) => return Err((Outcome::Refused, format!("{}: {}", plan.title, rejected.text()))),
    };
    let effects = session.engine.carry_out(approved);
    session.perform(effects);
    let ended = session.pump(most, |engine| engine.operations.iter().find(|o| o.plan.id == id)?.ended.clone());
    // Whoever reads the journal must not take it for a crash.
    let effects = session.engine.leave_unwatched(id);
    session.perform(effects);
    match ended {
        Some((_, Outcome::Settled, _)) => Ok(()),
        Some((_, outcome, why)) => Err((outcome, why.to_string())),
        None => Err((Outcome::Diverged, "it was not seen in time".to_owned())),
    }
}
