//! One-shot verbs: the same plans, checks and journal as the console, without a screen.

use std::time::Duration;

use serde_json::json;

use super::failure::Exit;
use super::output::{VERSION, document, plan as show};
use super::session::Session;
use crate::cli::{TextOutput, VerbArgs};
use crate::domain::finding::Severity;
use crate::domain::fleet::{Fleet, Service};
use crate::domain::id::{ColumnName, RegionIx, ServiceIx};
use crate::domain::intent::{ALSO_STABLE, Direction, Intent, Target, Verb};
use crate::domain::plan::{Plan, PlanId, Refusal, Start};
use crate::domain::record::FactId;
use crate::domain::text::did_you_mean;
use crate::engine::operation::ProposalState;
use crate::engine::unwatched::is_sent;

/// How long first data may take.
const FIRST_DATA: Duration = Duration::from_secs(10);
/// How long lowering waits to learn who we are in a cluster: the record names its author.
const NAMES: Duration = Duration::from_secs(2);
/// How long the record is waited for, where it lacks what was done: a plan rests on it.
const RECORDS: Duration = Duration::from_secs(5);
/// How long reads and dry-runs may take.
const REVIEW: Duration = Duration::from_secs(20);
/// Code of findings that `--without-wait` asked for.
const WAITS: &str = "gate";
/// Longest reason, in characters: it stands in every region's record, which is bounded.
const REASON: usize = 1_000;
/// Beyond the plan's own limits.
const SLACK: Duration = Duration::from_secs(15);

/// What a verb prints, and how it ends.
pub struct Said {
    /// On standard output.
    pub out: String,
    /// On standard error.
    pub err: String,
    /// The exit code.
    pub exit: Exit,
}

impl Said {
    fn refused(args: &VerbArgs, refusal: &Refusal, exit: Exit) -> Self {
        match args.output {
            TextOutput::Json => {
                Self { out: document(&show::refusal_json(refusal, &args.service)), err: String::new(), exit }
            }
            TextOutput::Text => Self { out: String::new(), err: show::refusal_text(refusal, &args.service), exit },
        }
    }
}

/// The verb that the arguments mean.
pub fn verb(word: &str, args: &VerbArgs) -> Result<Verb, Refusal> {
    let to = args.to.as_deref().map(Into::into);
    Ok(match word {
        "promote" => Verb::Promote { to, without_wait: args.without_wait },
        "hold" => Verb::Hold,
        "resume" => Verb::Resume { hold: None },
        "rollback" => {
            let number = |t: &str| t.trim_start_matches("revision").trim().parse().ok().filter(|n| *n < ALSO_STABLE);
            let to_revision = match &args.to {
                None => None,
                Some(text) => Some(number(text).ok_or_else(|| {
                    Refusal::new("usage", format!("--to {text} is not a revision number"), "e.g. --to 14")
                })?),
            };
            Verb::RollBack { to_revision }
        }
        "abort" => Verb::Abort,
        "drain" => Verb::Drain,
        "flag-off" => Verb::FlagOff,
        "approve" => Verb::Approve { to },
        "revoke" => Verb::Revoke { approval: None },
        "quarantine" => Verb::Quarantine { digest: to },
        "clear" => Verb::Clear { what: to },
        "accept" => Verb::Accept { column: args.to.as_deref().map(ColumnName::new) },
        "tick" => Verb::Tick { item: to, done: true },
        "untick" => Verb::Tick { item: to, done: false },
        _ => Verb::Restore,
    })
}

/// The service of that name.
pub fn service<'a>(fleet: &'a Fleet, name: &str) -> Result<(ServiceIx, &'a Service), Refusal> {
    fleet.find_service(name).ok_or_else(|| {
        let names: Vec<&str> = fleet.services.iter().map(|s| s.name.as_str()).collect();
        let hint = did_you_mean(name, names.iter().copied())
            .map_or_else(|| format!("services are {}", names.join(", ")), |n| format!("did you mean {n}?"));
        Refusal::new("unknown", format!("there is no service {name}"), hint)
    })
}

/// The ring or regions that are named. Nothing named never means everything.
pub fn target(service: &Service, verb: &Verb, names: &[String]) -> Result<Target, Refusal> {
    // A hold of everything is named as such: the service's own name.
    if let [one] = names
        && *one == *service.name.as_str()
        && service.find_ring(one).is_none()
        && service.find_region(one).is_none()
    {
        let whole = matches!(
            verb,
            Verb::Hold
                | Verb::Resume { .. }
                | Verb::RollBack { to_revision: None }
                | Verb::Abort
                | Verb::FlagOff
                | Verb::Quarantine { .. }
                | Verb::Clear { .. }
        );
        if whole {
            return Ok(Target::Service);
        }
        let rings = service.rings.iter().map(|r| r.name.as_str()).collect::<Vec<_>>().join(", ");
        let what = match verb {
            Verb::RollBack { .. } => "a rollback to a revision by its number",
            _ => verb.word(),
        };
        let text = format!("{one} is the whole service, and {what} is for a ring or for regions");
        return Err(Refusal::new("whole-service", text, format!("rings are {rings}")));
    }
    if let [one] = names
        && let Some((ring, _)) = service.find_ring(one)
    {
        return Ok(Target::Ring(ring));
    }
    let mut regions: Vec<RegionIx> = Vec::new();
    for name in names {
        match (service.find_region(name), service.find_ring(name)) {
            (Some((region, _)), _) => regions.push(region),
            (None, Some((_, ring))) => regions.extend(&ring.regions),
            (None, None) => {
                let rings = service.rings.iter().map(|r| r.name.as_str());
                let known: Vec<&str> = rings.chain(service.regions.iter().map(|r| r.name.as_str())).collect();
                let hint = match did_you_mean(name, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("there are {}", known.join(", ")),
                };
                let text = format!("{} has no ring or region {name}", service.name);
                return Err(Refusal::new("unknown", text, hint));
            }
        }
    }
    if regions.is_empty() {
        return Err(Refusal::new("nothing", "no ring or region is named", "name a ring, or regions"));
    }
    Ok(Target::Regions(regions))
}

/// Does a verb from beginning to end.
pub fn run(session: &mut Session, word: &str, args: &VerbArgs) -> Said {
    let fleet = session.engine.fleet.clone();
    let (at, service) = match service(&fleet, &args.service) {
        Ok(found) => found,
        Err(refusal) => return Said::refused(args, &refusal, Exit::Usage),
    };
    let found = verb(word, args).and_then(|verb| {
        let target = target(service, &verb, &args.targets)?;
        Ok((verb, target))
    });
    if let Some(long) = args.reason.as_deref().map(|r| r.chars().count()).filter(|n| *n > REASON) {
        let text = format!("the reason has {long} characters; at most {REASON} are kept");
        let refusal = Refusal::new("usage", text, "say it in a line, and name a ticket for the rest");
        return Said::refused(args, &refusal, Exit::Usage);
    }
    let (mut verb, target) = match found {
        Ok(both) => both,
        Err(refusal) => return Said::refused(args, &refusal, Exit::Usage),
    };
    let effects = session.engine.show(at);
    session.perform(effects);
    session.first_data(Some(at), FIRST_DATA);
    let lowering = verb.direction() == Direction::Lowering;
    session.introduce(at, if lowering { NAMES } else { FIRST_DATA });
    session.pump(RECORDS, |engine| engine.owes_nothing(at).then_some(()));
    if let Some(id) = &args.hold {
        match chosen_hold(session, at, id) {
            Ok(hold) => verb = Verb::Resume { hold: Some(hold) },
            Err(refusal) => return Said::refused(args, &refusal, Exit::Refused),
        }
    }
    match review(session, at, verb, target, args) {
        Ok(plan) if args.dry_run => dry_run(session, args, &plan),
        Ok(plan) => carry_out(session, args, plan),
        Err(refusal) => {
            let exit = if refusal.code == "unreachable" { Exit::Unreachable } else { Exit::Refused };
            Said::refused(args, &refusal, exit)
        }
    }
}

/// The hold in force whose id begins so.
fn chosen_hold(session: &Session, at: ServiceIx, id: &str) -> Result<FactId, Refusal> {
    let holds = session.engine.services.get(at.at()).map(|s| s.view.holds.as_slice()).unwrap_or_default();
    let ids: Vec<FactId> = holds.iter().filter_map(|h| h.id).collect();
    let mut found = ids.iter().filter(|known| !id.is_empty() && known.to_string().starts_with(id));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(*one),
        _ => {
            let known = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let hint = if known.is_empty() { "no hold is in force".to_owned() } else { format!("in force: {known}") };
            Err(Refusal::new("no-such-hold", format!("no single hold in force begins with {id}"), hint))
        }
    }
}

fn review(
    session: &mut Session,
    service: ServiceIx,
    verb: Verb,
    target: Target,
    args: &VerbArgs,
) -> Result<Plan, Refusal> {
    let id: PlanId = session.engine.next_plan_id();
    let reason = args.reason.as_deref().filter(|r| !r.trim().is_empty()).map(Into::into);
    let lowering = verb.direction() == Direction::Lowering;
    let effects = session.engine.propose(id, Intent { service, verb, target, reason });
    session.perform(effects);
    let answer = session.pump(REVIEW, |engine| match &engine.proposal.as_ref()?.state {
        ProposalState::Refused(refusal) => Some(Err(refusal.clone())),
        // Lowering does not wait for rehearsals, unless that is what was asked for.
        ProposalState::Ready { plan, checking, .. }
            if *checking == 0 || (lowering && !args.dry_run && args.plan.is_none()) =>
        {
            Some(Ok((**plan).clone()))
        }
        _ => None,
    });
    let plan = answer.unwrap_or_else(|| {
        let text = "what the plan rests on could not be read in time";
        Err(Refusal::new("unreachable", text, "`gonogo status` shows which cluster does not answer"))
    })?;
    match &args.plan {
        Some(hash) if *hash != plan.hash() => Err(Refusal::new(
            "changed",
            format!("the plan is now {}, not {hash}: something changed since it was shown", plan.hash()),
            "look at it again with --dry-run",
        )),
        _ => Ok(plan),
    }
}

fn dry_run(session: &Session, args: &VerbArgs, plan: &Plan) -> Said {
    let fleet = &session.engine.fleet;
    let out = match args.output {
        TextOutput::Json => document(&show::plan_json(fleet, plan)),
        TextOutput::Text => format!("{}nothing was written (--dry-run)\n", show::plan_text(fleet, plan)),
    };
    let exit = if plan.worst() >= Some(Severity::Warning) { Exit::Refused } else { Exit::Done };
    Said { out, err: String::new(), exit }
}

fn carry_out(session: &mut Session, args: &VerbArgs, plan: Plan) -> Said {
    let (id, service) = (plan.id, plan.service);
    let limit = plan.steps.iter().map(|s| s.limit).max().unwrap_or_default();
    let rounds = plan.steps.len().div_ceil(plan.parallelism.max(1)).max(1);
    let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
    let dwell = |s: &crate::domain::plan::Step| match s.start {
        Start::Then(dwell) => dwell,
        Start::AtOnce | Start::IfNoneServes => Duration::ZERO,
    };
    let dwells: Duration = plan.steps.iter().map(dwell).fold(Duration::ZERO, Duration::saturating_add);
    let most = args.wait.unwrap_or_else(|| limit.saturating_mul(rounds).saturating_add(SLACK).saturating_add(dwells));
    let reason = args.reason.as_deref().filter(|r| !r.trim().is_empty()).map(Into::into);
    let by = session.engine.operator_of(&plan);
    if let Err(refusal) = asked_to_override(args, &plan) {
        return Said::refused(args, &refusal, Exit::Refused);
    }
    let challenge = crate::domain::challenge::challenge(&plan);
    let approved = match challenge.flags(plan, args.confirm.as_deref(), reason, by) {
        Ok(approved) => approved,
        Err((plan, rejected)) => {
            let text = format!("{}: {}", plan.title, rejected.text());
            let asked = match &challenge.answer {
                crate::domain::challenge::Asked::Typed(text) => text.clone(),
                crate::domain::challenge::Asked::Key => plan.name.clone(),
            };
            let hint = format!("this needs --reason TEXT and --confirm \"{asked}\"; --dry-run shows the plan");
            return Said::refused(args, &Refusal::new("not-confirmed", text, hint), Exit::Refused);
        }
    };
    let effects = session.engine.carry_out(approved);
    session.perform(effects);
    if most.is_zero() {
        // Not waiting for the outcome: only until everything was sent.
        wait_sent(session, id);
    } else {
        session.pump(most, |engine| engine.operations.iter().find(|o| o.plan.id == id)?.ended.as_ref().map(drop));
    }
    // What no answer came for is written by whoever is still there.
    session.pump(RECORDS, |engine| engine.owes_nothing(service).then_some(()));
    // Whoever reads the journal must not take it for a crash.
    let effects = session.engine.leave_unwatched(id);
    session.perform(effects);
    said(session, args, id)
}

/// In the console a person sees what a reason overrides; here it must be named, or have been shown.
///
/// The wait is named by `--without-wait`; what needs break-glass is typed as a phrase of its own.
fn asked_to_override(args: &VerbArgs, plan: &Plan) -> Result<(), Refusal> {
    if plan.direction() == Direction::Lowering && plan.intent.verb != Verb::Drain || args.plan.is_some() {
        return Ok(());
    }
    let named = |code: &str| code == WAITS || args.overrides.iter().any(|o| o == code);
    let overridden = plan.findings.iter().filter(|f| f.severity == Severity::Override);
    let silent: Vec<_> = overridden.filter(|f| !named(f.code)).collect();
    let Some(first) = silent.first() else { return Ok(()) };
    let mut codes: Vec<&str> = silent.iter().map(|f| f.code).collect();
    codes.dedup();
    let more = silent.len().saturating_sub(1);
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Err(Refusal::new(
        "not-overridden",
        format!("{} would override {}: {}{more}", plan.title, first.code, first.text),
        format!("look at it with --dry-run; then --override {}, or --plan {}", codes.join(","), plan.hash()),
    ))
}

fn wait_sent(session: &mut Session, id: PlanId) {
    session.pump(REVIEW, |engine| {
        let operation = engine.operations.iter().find(|o| o.plan.id == id)?;
        is_sent(operation).then_some(())
    });
}

fn said(session: &mut Session, args: &VerbArgs, id: PlanId) -> Said {
    let fleet = session.engine.fleet.clone();
    let Some(operation) = session.engine.operations.iter().find(|o| o.plan.id == id) else {
        let text = json!({"version": VERSION, "kind": "operation", "outcome": null}).to_string();
        return Said { out: text, err: String::new(), exit: Exit::Unexpected };
    };
    let exit = match (&operation.ended, args.wait) {
        (Some((_, outcome, _)), _) => Exit::of(*outcome),
        // What was not sent is not done, waited for or not.
        (None, Some(wait)) if wait.is_zero() && is_sent(operation) => Exit::Done,
        (None, _) => Exit::Diverged,
    };
    let out = match args.output {
        TextOutput::Json => document(&show::operation_json(&fleet, operation)),
        TextOutput::Text => show::operation_text(&fleet, operation),
    };
    Said { out, err: String::new(), exit }
}
