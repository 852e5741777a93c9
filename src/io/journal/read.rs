//! All journal files as one history; operations, and which of them were left open.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::chain::{Head, Line, Torn};
use super::entry::{Entry, HeadRef, Opened, OpenedStep};
use crate::domain::fleet::Fleet;
use crate::domain::id::Place;
use crate::domain::record::Fact;
use crate::domain::stamp::Timestamp;

/// Outcomes of steps that changed nothing.
const DID_NOT_HAPPEN: [&str; 2] = ["refused", "cancelled"];

/// One file, as far as it can be trusted.
#[derive(Clone, Debug)]
pub struct JournalFile {
    /// Its name.
    pub name: String,
    /// Good lines from the start; what follows a bad line is not believed.
    pub lines: Vec<Line>,
    /// The first bad line, from 0, and why.
    pub bad: Option<(u64, String)>,
    /// The last line is not complete.
    pub torn: Option<Torn>,
    /// Whether its writer lives.
    pub process: Process,
}

/// Whether the process that wrote a file lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It holds its file.
    Alive,
    /// Nobody holds the file.
    Dead,
    /// Another host's, or the file system has no locks.
    Unknown,
}

/// An entry with where it stands.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// File name.
    pub file: String,
    /// The line.
    pub line: Line,
}

/// Everything that all files say.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The files, oldest first.
    pub files: Vec<JournalFile>,
    /// Files that cannot be read, and why.
    pub unreadable: Vec<(String, String)>,
}

/// One operation, put together from its entries.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its file.
    pub file: String,
    /// Whether its process lives.
    pub process: Process,
    /// When it was opened.
    pub at: Timestamp,
    /// What was approved.
    pub opened: Opened,
    /// State of each step.
    pub steps: Vec<StepState>,
    /// Outcome, why, and when; none: not closed.
    pub closed: Option<(String, String, Timestamp)>,
}

impl Operation {
    /// Steps of which it is not known whether the record got their facts.
    pub fn steps_left(&self) -> usize {
        let open = self.opened.steps.iter().zip(&self.steps);
        open.filter(|(step, state)| state.ended.is_none() && !step.facts.is_empty()).count()
    }

    /// The facts of steps that were not noted as ended, by place; those of other configurations are left out.
    pub fn left_facts(&self, fleet: &Fleet) -> Vec<(Place, Vec<Fact>)> {
        self.facts_where(fleet, |state| state.ended.is_none())
    }

    /// The facts of steps that may have happened, by place.
    pub fn past_facts(&self, fleet: &Fleet) -> Vec<(Place, Vec<Fact>)> {
        self.facts_where(fleet, |state| match &state.ended {
            // The line that says that it was started may be lost.
            None => true,
            Some((outcome, _)) => !DID_NOT_HAPPEN.contains(&outcome.as_str()),
        })
    }

    fn facts_where(&self, fleet: &Fleet, holds: impl Fn(&StepState) -> bool) -> Vec<(Place, Vec<Fact>)> {
        let Some((at, service)) = fleet.find_service(&self.opened.service) else { return Vec::new() };
        let open = self.opened.steps.iter().zip(&self.steps).filter(|(_, state)| holds(state));
        let of = |(step, _): (&OpenedStep, _)| Some(((at, service.find_region(&step.region)?.0), step.facts()));
        open.filter_map(of).filter(|(_, facts)| !facts.is_empty()).collect()
    }
}

/// How far a step came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepState {
    /// It was started: something may have been sent.
    pub started: bool,
    /// Answers by write.
    pub answers: BTreeMap<usize, String>,
    /// Outcome and why.
    pub ended: Option<(String, String)>,
}

/// Reads every journal file of a folder; a folder that is not there has none.
pub fn read_all(folder: &Path, host: &str) -> io::Result<History> {
    let mut history = History::default();
    for name in names(folder)? {
        match read_file(folder, &name, host) {
            Ok(file) => history.files.push(file),
            Err(e) => history.unreadable.push((name, e.to_string())),
        }
    }
    Ok(history)
}

/// Names of journal files, oldest first: the ULID at the end is a time.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string()
            && name.ends_with(".jsonl")
        {
            names.push(name);
        }
    }
    names.sort_by(|a, b| born(a).cmp(born(b)).then_with(|| a.cmp(b)));
    Ok(names)
}

fn born(name: &str) -> &str {
    name.strip_suffix(".jsonl").and_then(|n| n.rsplit_once('-')).map_or("", |(_, ulid)| ulid)
}

/// Opens a file without waiting for anybody: what is a pipe or a device under this name would never end.
fn opened(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
    }
    Ok(file)
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    opened(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_file(folder: &Path, name: &str, host: &str) -> io::Result<JournalFile> {
    let path = folder.join(name);
    let bytes = bytes(&path)?;
    let mut file = check(name, &bytes);
    let same_host = name.strip_suffix(".jsonl").and_then(|n| n.rsplit_once('-')).is_some_and(|(h, _)| h == host);
    file.process = if same_host { process(&path) } else { Process::Unknown };
    Ok(file)
}

/// A file's bytes, checked line by line.
pub fn check(name: &str, bytes: &[u8]) -> JournalFile {
    let mut file =
        JournalFile { name: name.to_owned(), lines: Vec::new(), bad: None, torn: None, process: Process::Unknown };
    let mut head = Head::default();
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let Some(whole) = line.strip_suffix(b"\n") else {
            file.torn = Some(Torn { seq: head.next, bytes: line.len() });
            break;
        };
        match head.check(whole) {
            Ok(line) => file.lines.push(line),
            Err(why) => {
                file.bad = Some((head.next, why.to_owned()));
                break;
            }
        }
    }
    file
}

/// A lock that can be had for a moment tells that its owner is gone. Never waits.
fn process(path: &Path) -> Process {
    let Ok(file) = opened(path) else { return Process::Unknown };
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared) {
        Ok(()) => Process::Dead,
        Err(rustix::io::Errno::WOULDBLOCK) => Process::Alive,
        Err(_) => Process::Unknown,
    }
}

/// Heads of the newest files, newest first: for the first line of a new one, and for promoted facts.
/// The error is that of the folder.
pub fn newest_heads(folder: &Path, most: usize) -> io::Result<Vec<HeadRef>> {
    let mut heads = Vec::new();
    for name in names(folder)?.into_iter().rev() {
        if heads.len() == most {
            break;
        }
        // A file that cannot be read stops no one from acting; verify will say so.
        let Ok(bytes) = bytes(&folder.join(&name)) else { continue };
        if let Some(last) = check(&name, &bytes).lines.pop() {
            heads.push(HeadRef { file: name, seq: last.seq, hash: last.hash });
        }
    }
    Ok(heads)
}

impl History {
    /// Every entry of every file, by time.
    pub fn entries(&self) -> Vec<Recorded> {
        let mut all: Vec<Recorded> = self
            .files
            .iter()
            .flat_map(|f| f.lines.iter().map(|line| Recorded { file: f.name.clone(), line: line.clone() }))
            .collect();
        // Stable: within a file the order of the lines stands, whatever a clock did.
        all.sort_by_key(|r| r.line.at);
        all
    }

    /// Every operation, by the time it was opened.
    pub fn operations(&self) -> Vec<Operation> {
        let mut all: Vec<Operation> = Vec::new();
        let mut by_plan: BTreeMap<String, usize> = BTreeMap::new();
        for file in &self.files {
            for line in &file.lines {
                take(&mut all, &mut by_plan, file, line);
            }
        }
        all.sort_by_key(|o| o.at);
        all
    }

    /// Operations whose process died before they were closed: offered, never resumed by themselves.
    pub fn left_open(&self) -> Vec<Operation> {
        self.operations().into_iter().filter(|o| o.closed.is_none() && o.process == Process::Dead).collect()
    }

    /// Facts of operations that are over, opened since then, and with `dead` of those that a dead process
    /// left open: no run of theirs writes what the record may still lack of them.
    pub fn past_facts(&self, fleet: &Fleet, since: Timestamp, dead: bool) -> Vec<(Place, Vec<Fact>)> {
        let over = |o: &Operation| o.closed.is_some() || dead && o.process == Process::Dead;
        let past = self.operations().into_iter().filter(|o| o.at >= since && over(o));
        past.flat_map(|o| o.past_facts(fleet)).collect()
    }

    /// One operation by the start of its plan's id.
    pub fn operation(&self, plan: &str) -> Option<Operation> {
        let mut found = self.operations().into_iter().filter(|o| !plan.is_empty() && o.opened.plan.starts_with(plan));
        match (found.next(), found.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        }
    }
}

fn take(all: &mut Vec<Operation>, by_plan: &mut BTreeMap<String, usize>, file: &JournalFile, line: &Line) {
    if let Entry::Opened(opened) = &line.entry {
        // Written again into a new file after a failed fsync: the same operation, in its newest file.
        if let Some(known) = by_plan.get(&opened.plan).and_then(|at| all.get_mut(*at)) {
            (known.file, known.process) = (file.name.clone(), file.process);
            return;
        }
        by_plan.insert(opened.plan.clone(), all.len());
        all.push(Operation {
            file: file.name.clone(),
            process: file.process,
            at: line.at,
            opened: (**opened).clone(),
            steps: vec![StepState::default(); opened.steps.len()],
            closed: None,
        });
        return;
    }
    let Some(operation) = line.entry.plan().and_then(|p| by_plan.get(p)).and_then(|at| all.get_mut(*at)) else {
        return;
    };
    match &line.entry {
        Entry::Begin(_) | Entry::Opened(_) => {}
        Entry::StepStarted { step, .. } => operation.step(*step, |s| s.started = true),
        Entry::Answered { step, write, answer, .. } => operation.step(*step, |s| {
            s.answers.insert(*write, answer.clone());
        }),
        Entry::StepEnded { step, outcome, why, .. } => {
            operation.step(*step, |s| s.ended = Some((outcome.clone(), why.clone())));
        }
        Entry::Closed { outcome, why, .. } => operation.closed = Some((outcome.clone(), why.clone(), line.at)),
    }
}

impl Operation {
    fn step(&mut self, step: usize, change: impl FnOnce(&mut StepState)) {
        if let Some(state) = self.steps.get_mut(step) {
            change(state);
        }
    }
}
