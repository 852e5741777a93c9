//! `gonogo journal`: reads every file of the audit log as one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use color_eyre::eyre::{Result, WrapErr};
use serde_json::{Value, json};

use super::failure::Exit;
use super::output::{self, VERSION, table};
use super::session::Session;
use super::verb::Said;
use super::world::{Surroundings, World};
use crate::cli::{JournalCommand, TextOutput};
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::text::{plain_json, several, visible};
use crate::engine::unwatched::UNWATCHED;
use crate::io::Clock;
use crate::io::journal::{Anchored, Files, History, Journal, Operation, Process, compare, host_name, read_all, verify};

/// Does one of the journal's commands.
pub fn run(command: &JournalCommand, around: &Surroundings) -> Result<Said> {
    let (folder, host) = (&around.places.journal(), &around.host);
    let history =
        read_all(folder, host).wrap_err_with(|| format!("the journal in {} cannot be read", folder.display()))?;
    Ok(match command {
        JournalCommand::List { output } => list(&history, *output, folder),
        JournalCommand::Show { plan, output } => show(&history, plan, *output),
        JournalCommand::Close { plan, reason } => close(&history, plan, reason, around)?,
        JournalCommand::Verify { .. } => verified(&history, folder),
        JournalCommand::Export { since, service, by } => {
            let since =
                since.and_then(|span| Clock::host().wall().checked_sub(SignedDuration::try_from(span).ok()?).ok());
            export(&history, &Wanted { since, service: service.as_deref(), by: by.as_deref() })?
        }
    })
}

fn said(out: String, err: String, exit: Exit) -> Said {
    Said { out, err, exit }
}

/// How an operation ended, in a word.
fn outcome(operation: &Operation) -> String {
    match (&operation.closed, operation.process) {
        (Some((outcome, _, _)), _) => outcome.clone(),
        (None, Process::Alive) => "under way".to_owned(),
        (None, Process::Dead) => "LEFT OPEN".to_owned(),
        (None, Process::Unknown) => "not closed".to_owned(),
    }
}

fn regions(operation: &Operation) -> String {
    operation.opened.regions.iter().map(|r| r.region.as_str()).collect::<Vec<_>>().join(",")
}

fn list(history: &History, output: TextOutput, folder: &Path) -> Said {
    let operations = history.operations();
    if output == TextOutput::Json {
        let all: Vec<Value> = operations.iter().map(operation_json).collect();
        let document = json!({"version": VERSION, "kind": "journal", "operations": all});
        return said(output::document(&document), missing(history), Exit::Done);
    }
    if operations.is_empty() {
        let text = format!("no operations in {}\n", folder.display());
        return said(String::new(), missing(history) + &text, Exit::Done);
    }
    let mut rows = vec![["AT", "PLAN", "WHAT", "SERVICE", "REGIONS", "BY", "OUTCOME"].map(str::to_owned).to_vec()];
    for operation in &operations {
        rows.push(vec![
            operation.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            operation.opened.plan.clone(),
            visible(&operation.opened.title).into_owned(),
            visible(&operation.opened.service).into_owned(),
            visible(&regions(operation)).into_owned(),
            visible(&operation.opened.operator).into_owned(),
            outcome(operation),
        ]);
    }
    said(table(&rows, &[]), missing(history), Exit::Done)
}

/// What a person must know who reads the journal: what is not in it, and since where it is not believed.
pub fn missing(history: &History) -> String {
    let line = |(file, why): &(String, String)| format!("{}: cannot be read: {why}\n", visible(file));
    let mut text: String = history.unreadable.iter().map(line).collect();
    for file in history.files.iter() {
        if let Some((seq, why)) = &file.bad {
            let _ = writeln!(
                text,
                "{}:{}: {}; what stands from there on is not believed and not shown: `gonogo journal verify`",
                visible(&file.name),
                seq + 1,
                visible(why)
            );
        }
    }
    text
}

fn operation_json(operation: &Operation) -> Value {
    json!({
        "at": operation.at.to_string(),
        "file": operation.file,
        "opened": operation.opened,
        "outcome": outcome(operation),
        "why": operation.closed.as_ref().map(|(_, why, _)| why),
        "closed_at": operation.closed.as_ref().map(|(_, _, at)| at.to_string()),
        "steps": operation.opened.steps.iter().zip(&operation.steps).map(|(step, state)| json!({
            "region": step.region,
            "started": state.started,
            "answers": state.answers,
            "outcome": state.ended.as_ref().map(|(o, _)| o),
            "why": state.ended.as_ref().map(|(_, w)| w),
        })).collect::<Vec<_>>(),
    })
}

fn show(history: &History, plan: &str, output: TextOutput) -> Said {
    let Some(operation) = history.operation(plan) else {
        let text = format!("no single operation begins with {}; `gonogo journal list` names them\n", visible(plan));
        return said(String::new(), text, Exit::Refused);
    };
    if output == TextOutput::Json {
        let mut document = operation_json(&operation);
        if let Some(map) = document.as_object_mut() {
            map.insert("version".to_owned(), json!(VERSION));
            map.insert("kind".to_owned(), json!("journal-operation"));
        }
        return said(output::document(&document), String::new(), Exit::Done);
    }
    let opened = &operation.opened;
    let mut out = format!(
        "{}\n  plan {} (hash {})\n  by {} ({}) at {}\n",
        visible(&opened.title),
        opened.plan,
        opened.hash,
        visible(&opened.operator),
        opened.how,
        operation.at
    );
    if let Some(reason) = &opened.reason {
        let _ = writeln!(out, "  reason: {}", visible(reason));
    }
    for region in &opened.regions {
        let uid = region.cluster_uid.as_deref().unwrap_or("unknown");
        let _ = writeln!(out, "  {} on cluster {} (uid {uid})", visible(&region.region), visible(&region.cluster));
    }
    for finding in &opened.findings {
        let _ = writeln!(out, "  ! {}", visible(finding));
    }
    let unwatched = operation.closed.as_ref().is_some_and(|(outcome, _, _)| outcome == UNWATCHED);
    for (step, state) in opened.steps.iter().zip(&operation.steps) {
        let how = match (&state.ended, state.started) {
            (Some((outcome, why)), _) => format!("{outcome}: {}", visible(why)),
            (None, true) if unwatched => "sent and accepted; its outcome was not watched".to_owned(),
            (None, true) => "started, and no outcome was noted".to_owned(),
            (None, false) => "not started".to_owned(),
        };
        let _ = writeln!(out, "  step {}: {} — {how}", visible(&step.region), visible(&step.label));
        for (at, write) in step.writes.iter().enumerate() {
            let _ = writeln!(out, "    {} {} on {} sha256 {}", write.method, write.path, write.cluster, write.sha256);
            if let Some(answer) = state.answers.get(&at) {
                let _ = writeln!(out, "      {}", visible(answer));
            }
        }
    }
    let _ = writeln!(out, "  outcome: {}", outcome(&operation));
    if let Some((_, why, at)) = &operation.closed {
        let _ = writeln!(out, "  {} at {at}", visible(why));
    }
    said(out, String::new(), Exit::Done)
}

/// Notes the end of an operation in the name of who looked at it.
fn close(history: &History, plan: &str, reason: &str, around: &Surroundings) -> Result<Said> {
    let refused = |text: String| Ok(said(String::new(), format!("gonogo: {text}\n"), Exit::Refused));
    let Some(operation) = history.operation(plan) else {
        return refused(format!("no single operation begins with {plan}; `gonogo journal list` names them"));
    };
    let opened = &operation.opened;
    if let Some((outcome, why, at)) = &operation.closed {
        return refused(format!("{} is closed since {at}: {outcome}: {why}", opened.plan));
    }
    if operation.process == Process::Alive {
        return refused(format!("{} is under way: the process that carries it out lives", opened.plan));
    }
    if reason.trim().is_empty() {
        return refused("--reason is empty: say what you found".to_owned());
    }
    let files = Files::new(around.places.journal(), &around.host);
    let files = files.passing(around.places.passing.clone()).by(around.who());
    let journal = Journal::start(files, Clock::host()).wrap_err("the journal cannot be started")?;
    let by = around.operator.as_str().to_owned();
    let noted = super::world::runtime(1)?.block_on(journal.close_left(&opened.plan, &by, Some(reason)));
    match noted {
        Ok(_) => {
            let mut text =
                format!("closed by {by}: {}\nNothing was sent: the clusters are as they are.\n", opened.title);
            if operation.steps_left() > 0 {
                text.push_str(
                    "Facts that the record may lack are written by the next console or guard of this host, where the \
                     region shows that they are so.\n",
                );
            }
            Ok(said(text, String::new(), Exit::Done))
        }
        Err(why) => Ok(said(String::new(), format!("gonogo: not closed: {why}\n"), Exit::Unexpected)),
    }
}

fn verified(history: &History, folder: &Path) -> Said {
    let result = verify(history);
    let mut out = format!("{}: {} files, {} entries\n", folder.display(), result.files, result.entries);
    for (file, line) in &result.torn {
        let _ = writeln!(out, "{}:{line}: torn: its process died while writing; nothing whole is lost", visible(file));
    }
    match result.bad {
        Some(bad) => {
            let err = format!("BAD {}:{}: {}\n", visible(&bad.file), bad.line, visible(&bad.why));
            said(out, err, Exit::Refused)
        }
        None => {
            out.push_str("every entry is as it was written\n");
            said(out, String::new(), Exit::Done)
        }
    }
}

/// Which entries are exported.
struct Wanted<'a> {
    since: Option<Timestamp>,
    service: Option<&'a str>,
    by: Option<&'a str>,
}

impl Wanted<'_> {
    /// The plans whose entries are wanted; none: all, also those of no plan.
    fn plans(&self, history: &History) -> Option<BTreeSet<String>> {
        if self.service.is_none() && self.by.is_none() {
            return None;
        }
        let is = |wanted: Option<&str>, said: &str| wanted.is_none_or(|wanted| wanted == said);
        let operations = history.operations().into_iter();
        let wanted = operations.filter(|o| is(self.service, &o.opened.service) && is(self.by, &o.opened.operator));
        Some(wanted.map(|o| o.opened.plan).collect())
    }
}

/// The same, and held against what the records of the fleet say of this host's journals.
pub fn against_fleet(session: &Session, world: &World) -> Result<Said> {
    let folder = &world.journal_folder();
    let host = &world.around.host;
    let history = read_all(folder, host).wrap_err_with(|| format!("{} cannot be read", folder.display()))?;
    let mut result = verified(&history, folder);
    let (facts, unread) = anchored(session);
    let compared = compare(&history, &host_name(host), &facts);
    let _ = writeln!(
        result.out,
        "{} of this host's facts in the fleet stand in its journal, after the line that they name",
        compared.agree
    );
    for (other, count) in &compared.elsewhere {
        let (other, facts) = (visible(other), several(*count, "fact"));
        let _ = writeln!(result.out, "not checked: {facts} of the journal of {other}: verify it there");
    }
    if compared.silent > 0 {
        let facts = several(compared.silent, "fact");
        let _ =
            writeln!(result.out, "not checked: {facts} that name no journal: of older versions, or written by hand");
    }
    for (region, why) in &unread {
        let _ = writeln!(result.out, "not checked: {}: {}", visible(region), visible(why));
    }
    for why in &compared.contradict {
        let _ = writeln!(result.err, "BAD {}", visible(why));
    }
    if !compared.contradict.is_empty() {
        result.exit = Exit::Refused;
    } else if !unread.is_empty() && result.exit == Exit::Done {
        // What was not read may say anything.
        result.exit = Exit::Unreachable;
    }
    Ok(result)
}

/// Every fact that was read, and regions whose record was not.
fn anchored(session: &Session) -> (Vec<Anchored>, Vec<(String, String)>) {
    let (mut facts, mut unread) = (Vec::new(), Vec::new());
    for (service, state) in session.engine.fleet.services.iter().zip(&session.engine.services) {
        for at in service.region_indexes() {
            let Some(region) = service.region(at) else { continue };
            let place = format!("{} {}", service.name, region.name);
            let Some(record) = state.record.region(at) else {
                unread.push((place, "its record was not read".to_owned()));
                continue;
            };
            facts.extend(record.facts.values().map(|fact| Anchored {
                id: fact.id,
                what: format!("{place}: {} of {} by {}", fact.key(), fact.at, fact.by),
                anchor: fact.journal.to_string(),
            }));
        }
    }
    (facts, unread)
}

fn export(history: &History, wanted: &Wanted<'_>) -> Result<Said> {
    let mut out = String::new();
    let plans = wanted.plans(history);
    for recorded in history.entries() {
        let of_plan = plans.as_ref().is_none_or(|plans| recorded.line.entry.plan().is_some_and(|p| plans.contains(p)));
        if !of_plan || wanted.since.is_some_and(|since| recorded.line.at < since) {
            continue;
        }
        let line = json!({
            "version": VERSION, "file": recorded.file, "seq": recorded.line.seq,
            "at": recorded.line.at.to_string(), "entry": recorded.line.entry, "hash": recorded.line.hash,
        });
        out.push_str(&plain_json(&serde_json::to_string(&line)?));
        out.push('\n');
    }
    Ok(said(out, missing(history), Exit::Done))
}
