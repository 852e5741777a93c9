//! `gonogo drill`: the whole way back of a ring, walked while nothing is wrong, and timed.
//!
//! It goes as far as a rollback goes before it is sent: names, reads, the plan, and a dry-run of every request by
//! the servers. What that took is a fact in the regions' records and an entry in the journal. [`real`] goes all the way.

use std::time::Duration;

use serde_json::{Value, json};

mod real;

use real::{Answers, Ended};

use super::failure::Exit;
use super::output::{VERSION, document, plan as show};
use super::session::Session;
use super::verb::{self, Said};
use crate::cli::{DrillArgs, TextOutput};
use crate::domain::finding::{Finding, Severity};
use crate::domain::id::{RegionIx, ServiceIx, Text};
use crate::domain::intent::{ALSO_STABLE, Drill, Intent, Target, Verb};
use crate::domain::plan::{Plan, Refusal, WriteRole};
use crate::domain::record::Body;
use crate::domain::text::visible;
use crate::engine::drills::seconds;
use crate::engine::operation::{Outcome, ProposalState};

/// How long the first data, and who we are, may take.
const FIRST_DATA: Duration = Duration::from_secs(10);
/// How long reads and dry-runs may take.
const REVIEW: Duration = Duration::from_secs(20);

/// One leg of the way, and how long it took.
struct Leg {
    name: String,
    took: Duration,
}

/// A rollback that was walked through.
struct Walk {
    plan: Plan,
    legs: Vec<Leg>,
}

impl Walk {
    fn took(&self) -> Duration {
        self.legs.iter().map(|l| l.took).sum()
    }

    /// What a rollback would stumble over.
    fn stumbles(&self) -> Vec<&Finding> {
        let stumble = |f: &&Finding| match f.code {
            "dry-run" | "not-rehearsed" | "changed" => true,
            "left-out" => f.severity >= Severity::Warning,
            _ => false,
        };
        self.plan.findings.iter().filter(stumble).collect()
    }

    /// From and to which version, where the plan's facts say it.
    fn versions(&self) -> (Text, Text) {
        let facts = self.plan.steps.iter().flat_map(|s| &s.facts).flat_map(|(_, facts)| facts);
        let mut moved = facts.filter_map(|f| match &f.body {
            Body::RolledBack(m) => Some((m.from_version.clone(), m.to_version.clone())),
            _ => None,
        });
        moved.next_back().unwrap_or_else(|| ("?".into(), "?".into()))
    }
}

/// Walks the way back of a ring.
pub fn run(session: &mut Session, args: &DrillArgs) -> Said {
    let fleet = session.engine.fleet.clone();
    let (at, service) = match verb::service(&fleet, &args.service) {
        Ok(found) => found,
        Err(refusal) => return refused(args, &refusal, Exit::Usage),
    };
    let named = std::slice::from_ref(&args.ring);
    let target = match verb::target(service, &Verb::RollBack { to_revision: None }, named) {
        Ok(target) => target,
        Err(refusal) => return refused(args, &refusal, Exit::Usage),
    };
    let effects = session.engine.show(at);
    session.perform(effects);
    session.first_data(Some(at), FIRST_DATA);
    session.introduce(at, FIRST_DATA);
    let walk = match walk(session, at, &target) {
        Ok(walk) => walk,
        Err(refusal) => {
            let exit = if refusal.code == "unreachable" { Exit::Unreachable } else { Exit::Refused };
            return refused(args, &refusal, exit);
        }
    };
    if !walk.stumbles().is_empty() {
        session.engine.dismiss();
        return said(session, args, &walk, &Recorded::Stumbled);
    }
    if args.for_real {
        return for_real(session, args, at, &target, walk);
    }
    session.engine.dismiss();
    let recorded = record(session, at, &walk, walk.took(), false);
    said(session, args, &walk, &recorded)
}

fn refused(args: &DrillArgs, refusal: &Refusal, exit: Exit) -> Said {
    match args.output {
        TextOutput::Json => {
            Said { out: document(&show::refusal_json(refusal, &args.service)), err: String::new(), exit }
        }
        TextOutput::Text => Said { out: String::new(), err: show::refusal_text(refusal, &args.service), exit },
    }
}

/// The way back from what runs; of a ring that no release has reached, that of its newest promotion.
fn walk(session: &mut Session, at: ServiceIx, target: &Target) -> Result<Walk, Refusal> {
    match walk_to(session, at, target, None) {
        Err(refusal) if refusal.code == "nothing-to-do" => walk_to(session, at, target, Some(ALSO_STABLE)),
        other => other,
    }
}

fn walk_to(session: &mut Session, at: ServiceIx, target: &Target, to: Option<u64>) -> Result<Walk, Refusal> {
    let verb = Verb::RollBack { to_revision: to };
    let id = session.engine.next_plan_id();
    let began = session.mono();
    let intent = Intent { service: at, verb, target: target.clone(), reason: None };
    let effects = session.engine.propose(id, intent);
    session.perform(effects);
    let late = || Refusal::new("unreachable", "what the way back rests on could not be read in time", HINT);
    let drafted = session.pump(REVIEW, |engine| match &engine.proposal.as_ref()?.state {
        ProposalState::Refused(refusal) => Some(Err(refusal.clone())),
        ProposalState::Ready { .. } => Some(Ok(())),
        ProposalState::Reading { .. } => None,
    });
    drafted.unwrap_or_else(|| Err(late()))?;
    let planned = session.mono().saturating_sub(began);
    let began = session.mono();
    let rehearsed = session.pump(REVIEW, |engine| match &engine.proposal.as_ref()?.state {
        ProposalState::Refused(refusal) => Some(Err(refusal.clone())),
        ProposalState::Ready { plan, checking: 0, .. } => Some(Ok((**plan).clone())),
        _ => None,
    });
    let plan = rehearsed.unwrap_or_else(|| Err(late()))?;
    let requests = plan.steps.iter().flat_map(|s| &s.writes).filter(|w| w.role == WriteRole::Main).count();
    let legs = vec![
        Leg { name: "reads and plan".to_owned(), took: planned },
        Leg {
            name: format!("dry-run of {requests} request(s) by the servers"),
            took: session.mono().saturating_sub(began),
        },
    ];
    Ok(Walk { plan, legs })
}

/// Rolled back and promoted again: the ring's name must be typed, whatever the share of traffic.
fn for_real(session: &mut Session, args: &DrillArgs, at: ServiceIx, target: &Target, mut walk: Walk) -> Said {
    let reason = args.reason.as_deref().filter(|r| !r.trim().is_empty());
    let (Some(reason), true) = (reason, args.confirm.as_deref() == Some(args.ring.as_str())) else {
        let text = format!("a drill for real rolls {} back and promotes it again", args.ring);
        let hint = format!("this needs --reason TEXT and --confirm \"{}\"", args.ring);
        return refused(args, &Refusal::new("not-confirmed", text, hint), Exit::Refused);
    };
    let answers = Answers { confirm: args.confirm.clone(), reason: Some(format!("drill: {reason}").into()) };
    let ended = real::go(session, at, target, &mut walk, &answers);
    session.engine.dismiss();
    match ended {
        Ended::Not(outcome, why) => said(session, args, &walk, &Recorded::NotBack(outcome, why)),
        Ended::Back(took, why) => {
            let recorded = record(session, at, &walk, took, true);
            said(session, args, &walk, &Recorded::StaysBack(Box::new(recorded), why))
        }
        Ended::Whole(took) => {
            let recorded = record(session, at, &walk, took, true);
            said(session, args, &walk, &recorded)
        }
    }
}

/// What to do when clusters do not answer.
const HINT: &str = "`gonogo status` shows which cluster does not answer";

/// What became of the fact.
enum Recorded {
    /// It stands in the records.
    Yes,
    /// The way back does not work: there is nothing to be proud of.
    Stumbled,
    /// It could not be written, and why.
    No(Outcome, String),
    /// For real: it did not go back, and why.
    NotBack(Outcome, String),
    /// For real: it went back, which was recorded or not, and did not come forward again, and why.
    StaysBack(Box<Recorded>, String),
}

impl Recorded {
    fn exit(&self) -> Exit {
        match self {
            Recorded::Yes => Exit::Done,
            Recorded::Stumbled | Recorded::StaysBack(..) => Exit::Refused,
            Recorded::No(outcome, _) | Recorded::NotBack(outcome, _) => Exit::of(*outcome),
        }
    }

    fn is_recorded(&self) -> bool {
        match self {
            Recorded::Yes => true,
            Recorded::StaysBack(recorded, _) => recorded.is_recorded(),
            _ => false,
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Recorded::No(_, why) | Recorded::NotBack(_, why) | Recorded::StaysBack(_, why) => Some(why),
            Recorded::Yes | Recorded::Stumbled => None,
        }
    }

    fn text(&self, args: &DrillArgs, from: &str) -> String {
        match self {
            Recorded::Yes => "recorded in each of these regions\n".to_owned(),
            Recorded::Stumbled => "the way back does not work as it is: not recorded as drilled\n".to_owned(),
            Recorded::No(outcome, why) => format!("not recorded: {}: {}\n", outcome.word(), visible(why)),
            Recorded::NotBack(outcome, why) => format!("! not rolled back: {}: {}\n", outcome.word(), visible(why)),
            Recorded::StaysBack(recorded, why) => {
                let (service, ring) = (visible(&args.service), visible(&args.ring));
                let on = format!("`gonogo promote {service} {ring} --to {}`", visible(from));
                format!(
                    "{}! {ring} stays where it went: {}\n  when that is over: {on}\n",
                    recorded.text(args, from),
                    visible(why)
                )
            }
        }
    }
}

/// Writes down that it was walked, journaled like everything that is written.
fn record(session: &mut Session, at: ServiceIx, walk: &Walk, took: Duration, real: bool) -> Recorded {
    let (from, to) = walk.versions();
    let drill = Drill { from, to, took, real };
    let regions: Vec<RegionIx> = walk.plan.steps.iter().map(|s| s.region).collect();
    let silent = Answers { confirm: None, reason: None };
    let plan = match real::drafted(session, at, Verb::Drill(drill), &Target::Regions(regions), &silent) {
        Ok(plan) => plan,
        Err(why) => return Recorded::No(Outcome::Refused, why),
    };
    match real::carry_out(session, plan, &silent) {
        Ok(()) => Recorded::Yes,
        Err((outcome, why)) => Recorded::No(outcome, why),
    }
}

fn said(session: &Session, args: &DrillArgs, walk: &Walk, recorded: &Recorded) -> Said {
    let exit = recorded.exit();
    let out = match args.output {
        TextOutput::Json => document(&json_of(session, args, walk, recorded)),
        TextOutput::Text => text_of(session, args, walk, recorded),
    };
    Said { out, err: String::new(), exit }
}

fn text_of(session: &Session, args: &DrillArgs, walk: &Walk, recorded: &Recorded) -> String {
    let service = session.engine.fleet.service(walk.plan.service);
    let (from, to) = walk.versions();
    let mut out = format!(
        "drill of {} {}: {} → {}, {}\n",
        visible(&args.service),
        visible(&args.ring),
        visible(&from),
        visible(&to),
        if args.for_real { "for real" } else { "nothing that runs was changed" },
    );
    for step in &walk.plan.steps {
        let region = service.and_then(|s| s.region(step.region)).map_or("?", |r| r.name.as_str());
        out.push_str(&format!("  {region} — {}\n", visible(&step.label)));
    }
    for leg in &walk.legs {
        out.push_str(&format!("  {:>6}  {}\n", seconds(leg.took), leg.name));
    }
    if !args.for_real {
        out.push_str(&format!("  {:>6}  until it could be sent\n", seconds(walk.took())));
    }
    for finding in walk.plan.findings.iter().filter(|f| f.code != "drill") {
        let sign = if finding.severity >= Severity::Warning { '!' } else { '·' };
        out.push_str(&format!("  {sign} {}\n", visible(&finding.text)));
    }
    out.push_str(&recorded.text(args, &from));
    out
}

fn json_of(session: &Session, args: &DrillArgs, walk: &Walk, recorded: &Recorded) -> Value {
    let (from, to) = walk.versions();
    let legs: Vec<Value> = walk.legs.iter().map(|l| json!({"step": l.name, "seconds": l.took.as_secs_f64()})).collect();
    json!({
        "version": VERSION,
        "kind": "drill",
        "service": args.service,
        "ring": args.ring,
        "from": &*from,
        "to": &*to,
        "real": args.for_real,
        "works": !matches!(recorded, Recorded::Stumbled | Recorded::NotBack(..)),
        "forward_again": args.for_real.then_some(!matches!(recorded, Recorded::NotBack(..) | Recorded::StaysBack(..))),
        "steps": legs,
        "took_seconds": walk.took().as_secs_f64(),
        "stumbles": walk.stumbles().iter().map(|f| f.text.to_string()).collect::<Vec<_>>(),
        "recorded": recorded.is_recorded(),
        "why": recorded.why(),
        "plan": show::plan_json(&session.engine.fleet, &walk.plan),
    })
}
