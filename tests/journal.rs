//! The journal on real files: durable first, chained, and honest about every damage.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "tests"
)]

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gonogo::domain::challenge::{Approved, challenge};
use gonogo::domain::change::{ApiType, Change, ObjectRef, PatchKind};
use gonogo::domain::fleet::{Cluster, Fleet, Region, Ring, Service, VersionFrom, WorkloadRef};
use gonogo::domain::id::{ClusterIx, RegionIx, RingIx, ServiceIx};
use gonogo::domain::intent::{Intent, Target, Verb};
use gonogo::domain::plan::{Blast, Plan, PlanId, Step, Write, WriteRole};
use gonogo::domain::record::{Body, Fact, FactId, Scope};
use gonogo::domain::stamp::{SignedDuration, Timestamp};
use gonogo::engine::effect::{Note, NoteKind};
use gonogo::io::Clock;
use gonogo::io::journal::{
    Anchor, Anchored, Begun, Entry, Files, HeadRef, History, Journal, Known, Process, Sink, Store, Verified, check,
    compare, read_all, verify,
};
use serde_json::json;

const HOST: &str = "here";
const SECRET: &str = "hunter2";

fn fleet() -> Fleet {
    let workload = WorkloadRef {
        kind: "Deployment".into(),
        namespace: "shop".into(),
        name: "web".into(),
        container: "web".into(),
    };
    let region = Region {
        name: "eu".into(),
        ring: RingIx(0),
        cluster: ClusterIx(0),
        workload,
        route: None,
        delivery: None,
        carrier: None,
        capacity: None,
        absorbers: vec![],
        zone: None,
        owner: None,
        escalation: None,
        deciders: vec![],
        stays: false,
    };
    let ring = Ring {
        name: "ring-1".into(),
        label: None,
        regions: vec![RegionIx(0)],
        parallelism: 1,
        stagger: None,
        exit_gates: vec![],
        entry_gates: vec![],
    };
    let service = Service {
        name: "webapp".into(),
        rings: vec![ring],
        regions: vec![region],
        columns: vec![],
        carries: vec![],
        version_from: VersionFrom::Image,
        owner: None,
        escalation: None,
        deciders: vec![],
        runbook: None,
        release_url: None,
        freeze: false,
        flag_off: None,
        policy: Default::default(),
        policy_hash: "0".into(),
    };
    let clusters = vec![Cluster { name: "eu-1".into(), prometheus: None }];
    Fleet {
        name: "test".into(),
        clusters,
        prometheuses: vec![],
        services: vec![service],
        identities: Default::default(),
    }
}

fn approved(number: u128, verb: Verb) -> Approved {
    approved_with(number, verb, Vec::new())
}

fn approved_with(number: u128, verb: Verb, facts: Vec<Fact>) -> Approved {
    let object = ObjectRef {
        cluster: ClusterIx(0),
        api: ApiType::new("apps", "v1", "deployments", "Deployment"),
        namespace: "shop".into(),
        name: "web".into(),
    };
    let facts = (!facts.is_empty()).then(|| (object.clone(), facts));
    let change = Change::Patch {
        object,
        kind: PatchKind::Json,
        subresource: None,
        body: json!([{"op": "replace", "path": "/spec/template/x", "value": SECRET}]),
    };
    let step = Step {
        region: RegionIx(0),
        start: Default::default(),
        facts,
        label: "image v1 → v2".into(),
        writes: vec![Write { role: WriteRole::Main, change, if_absent: None }],
        diff: vec![],
        expect: vec![],
        limit: Duration::from_secs(600),
    };
    let raising = verb.direction() == gonogo::domain::intent::Direction::Raising;
    let plan = Plan {
        rests_on: Vec::new(),
        id: PlanId(ulid::Ulid::from_parts(1_700_000_000_000, number)),
        intent: Intent { service: ServiceIx(0), verb, target: Target::Ring(RingIx(0)), reason: None },
        service: ServiceIx(0),
        title: "promote ring-1 to v2".into(),
        steps: vec![step.clone(), step],
        parallelism: 1,
        blast: Blast::default(),
        findings: vec![],
        after: "".into(),
        way_back: "".into(),
        name: "ring-1".into(),
        ring: Some(RingIx(0)),
    };
    let typed = if raising { "ring-1" } else { "y" };
    challenge(&plan).answer(plan, typed, Some("because".into()), "ann".into()).unwrap()
}

fn promote() -> Verb {
    Verb::Promote { to: None, without_wait: false }
}

fn start(folder: &Path) -> Journal {
    Journal::start(Files::new(folder, HOST), Clock::host()).unwrap()
}

fn note(number: u128, what: NoteKind) -> Note {
    Note { plan: PlanId(ulid::Ulid::from_parts(1_700_000_000_000, number)), what }
}

/// A whole operation: opened, one step settled, closed.
async fn operation(journal: &Journal, number: u128) {
    let begun = journal.begin(approved(number, promote()), &fleet(), &Known::new()).await;
    assert!(matches!(begun, Begun::Proof(_)), "{begun:?}");
    journal.note(&note(number, NoteKind::StepStarted { step: 0 }));
    journal.note(&note(number, NoteKind::Answered { step: 0, write: 0, answer: "200".into() }));
    let ended = NoteKind::StepEnded { step: 0, outcome: "settled".into(), why: "complete".into() };
    journal.note(&note(number, ended));
    let closed = NoteKind::Closed { outcome: "settled".into(), why: "all".into() };
    journal.settled(&note(number, closed)).await.unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

fn verified(folder: &Path) -> Verified {
    verify(&read_all(folder, HOST).unwrap())
}

#[tokio::test]
async fn an_operation_is_recorded_with_everything_but_bodies() {
    let folder = tempfile::tempdir().unwrap();
    let journal = start(&folder.path().join("journal"));
    operation(&journal, 1).await;
    let folder = folder.path().join("journal");
    let file = files(&folder).remove(0);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(SECRET), "a body is never written");
    let history = read_all(&folder, HOST).unwrap();
    let found = verify(&history);
    assert_eq!((found.files, found.entries, found.bad, found.torn), (1, 6, None, vec![]));
    let one = history.operations().remove(0);
    assert_eq!((one.opened.operator.as_str(), one.opened.how.as_str()), ("ann", "answered"));
    assert_eq!((one.opened.service.as_str(), one.opened.regions[0].cluster.as_str()), ("webapp", "eu-1"));
    assert_eq!(one.opened.reason.as_deref(), Some("because"));
    let write = &one.opened.steps[0].writes[0];
    assert_eq!(
        (write.method.as_str(), write.path.as_str()),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web")
    );
    assert_eq!(write.sha256.len(), 64);
    assert_eq!(one.closed.as_ref().unwrap().0, "settled");
    assert_eq!(one.steps[0].ended.as_ref().unwrap().0, "settled");
    assert!(!one.steps[1].started);
}

#[tokio::test]
async fn what_a_dead_process_left_open_is_found_with_what_was_done() {
    let folder = tempfile::tempdir().unwrap();
    let journal = start(folder.path());
    let begun = journal.begin(approved(1, promote()), &fleet(), &Known::new()).await;
    assert!(matches!(begun, Begun::Proof(_)));
    journal.settled(&note(1, NoteKind::StepStarted { step: 0 })).await.unwrap();
    let history = read_all(folder.path(), HOST).unwrap();
    assert_eq!(history.files[0].process, Process::Alive, "this process holds it");
    assert!(history.left_open().is_empty());
    // As after kill -9: the bytes are there, and nobody holds the file.
    let file = files(folder.path()).remove(0);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(&file, elsewhere.path().join(file.file_name().unwrap())).unwrap();
    let open = read_all(elsewhere.path(), HOST).unwrap().left_open();
    assert_eq!((open.len(), open[0].steps[0].started, open[0].steps[1].started), (1, true, false));
    // Another host's process may well live.
    assert!(read_all(elsewhere.path(), "there").unwrap().left_open().is_empty());
}

#[tokio::test]
async fn a_person_closes_what_a_dead_process_left_open() {
    let (folder, dead) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = start(dead.path());
    let (id, at) = (FactId(ulid::Ulid::from_parts(1_700_000_000_000, 9)), Timestamp::UNIX_EPOCH);
    let fact = Fact { id, by: "ann".into(), at, journal: "".into(), body: Body::Note { text: "promoted".into() } };
    let approved = approved_with(1, promote(), vec![fact.clone()]);
    assert!(matches!(journal.begin(approved, &fleet(), &Known::new()).await, Begun::Proof(_)));
    let file = files(dead.path()).remove(0);
    fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    let left = read_all(folder.path(), HOST).unwrap().left_open().remove(0);
    let mine = start(folder.path());
    mine.close_left(&left.opened.plan, "bob@here", Some("looked: nothing\u{1b}[2J was sent")).await.unwrap();
    let history = read_all(folder.path(), HOST).unwrap();
    assert!(history.left_open().is_empty(), "it is not offered at the next start");
    // Closing sends nothing: what the record may lack is known to the next console, for as long as facts count.
    let place = (ServiceIx(0), RegionIx(0));
    let kept = vec![(place, vec![fact.clone()]), (place, vec![fact])];
    assert_eq!(history.past_facts(&fleet(), Timestamp::MIN, false), kept, "each step's");
    assert_eq!(history.operations()[0].steps_left(), 2);
    let at = history.operations()[0].at;
    assert!(history.past_facts(&fleet(), at + SignedDuration::from_secs(1), false).is_empty(), "opened before");
    assert_eq!(verify(&history).bad, None);
    let (outcome, why, _) = history.operations().remove(0).closed.unwrap();
    assert_eq!((outcome.as_str(), why.as_str()), ("closed", "closed by bob@here: looked: nothing␛[2J was sent"));
}

#[tokio::test]
async fn processes_write_side_by_side_and_name_each_others_heads() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (start(folder.path()), start(folder.path()));
    operation(&a, 1).await;
    operation(&b, 2).await;
    operation(&a, 3).await;
    let history = read_all(folder.path(), HOST).unwrap();
    assert_eq!(verify(&history).bad, None);
    let plans: Vec<String> = history.operations().into_iter().map(|o| o.opened.plan).collect();
    assert_eq!(plans.len(), 3);
    let heads = |i: usize| match &history.files[i].lines[0].entry {
        Entry::Begin(begin) => begin.heads.clone(),
        other => panic!("{other:?}"),
    };
    assert!(heads(0).is_empty());
    assert_eq!((heads(1).len(), heads(1)[0].seq), (1, 5));
    let times: Vec<_> = history.entries().into_iter().map(|r| r.line.at).collect();
    assert!(times.is_sorted());
}

#[tokio::test]
async fn every_change_of_a_single_bit_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    operation(&start(folder.path()), 1).await;
    let file = files(folder.path()).remove(0);
    let good = fs::read(&file).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let mut bytes = good.clone();
    for at in 0..good.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let found = verify(&History { files: vec![check(name, &bytes)], unreadable: Vec::new() });
            assert!(found.bad.is_some() || !found.torn.is_empty(), "byte {at}, bit {bit}");
            bytes[at] = good[at];
        }
    }
}

#[tokio::test]
async fn cutting_anywhere_never_invents_a_finished_operation() {
    let folder = tempfile::tempdir().unwrap();
    operation(&start(folder.path()), 1).await;
    let file = files(folder.path()).remove(0);
    let good = fs::read(&file).unwrap();
    let copy = tempfile::tempdir().unwrap();
    let cut = copy.path().join(file.file_name().unwrap());
    let ends: Vec<usize> = good.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1).collect();
    for length in 0..good.len() {
        fs::write(&cut, &good[..length]).unwrap();
        let history = read_all(copy.path(), HOST).unwrap();
        let whole = ends.iter().filter(|e| **e <= length).count();
        assert_eq!(history.files[0].lines.len(), whole, "cut at {length}");
        assert!(history.operations().iter().all(|o| o.closed.is_none()), "cut at {length}");
        let is_at_end = length == 0 || ends.contains(&length);
        assert_eq!(history.files[0].torn.is_none(), is_at_end, "cut at {length}");
    }
}

#[tokio::test]
async fn verify_names_the_first_bad_entry() {
    let folder = tempfile::tempdir().unwrap();
    operation(&start(folder.path()), 1).await;
    let file = files(folder.path()).remove(0);
    let name = file.file_name().unwrap().to_str().unwrap().to_owned();
    let text = fs::read_to_string(&file).unwrap();
    let good: Vec<&str> = text.lines().collect();
    let mut removed = good.clone();
    removed.remove(2);
    let mut swapped = good.clone();
    swapped.swap(2, 3);
    let mut doubled = good.clone();
    doubled.insert(3, good[2]);
    let edited_line = good[2].replace("step-started", "step-ended");
    let mut edited = good.clone();
    edited[2] = &edited_line;
    for (what, lines, line) in
        [("removed", removed, 3), ("swapped", swapped, 3), ("doubled", doubled, 4), ("edited", edited, 3)]
    {
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        let bad = verified(folder.path()).bad.unwrap();
        assert_eq!((bad.file.as_str(), bad.line), (name.as_str(), line), "{what}: {}", bad.why);
    }
    // A good file under another name is not another journal.
    fs::write(&file, &text).unwrap();
    fs::write(folder.path().join(format!("{HOST}-01ARZ3NDEKTSV4RRFFQ69G5FAV.jsonl")), &text).unwrap();
    assert!(verified(folder.path()).bad.unwrap().why.starts_with("it was written as"));
}

#[tokio::test]
async fn a_tail_that_another_file_names_cannot_be_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    operation(&start(folder.path()), 1).await;
    let first = files(folder.path()).remove(0);
    operation(&start(folder.path()), 2).await;
    assert_eq!(verified(folder.path()).bad, None);
    let text = fs::read_to_string(&first).unwrap();
    let short: Vec<&str> = text.lines().take(4).collect();
    fs::write(&first, short.join("\n") + "\n").unwrap();
    let bad = verified(folder.path()).bad.unwrap();
    assert_eq!((bad.file.as_str(), bad.line), (first.file_name().unwrap().to_str().unwrap(), 5));
    assert!(bad.why.contains("lines are missing"), "{}", bad.why);
    fs::remove_file(&first).unwrap();
    assert!(verified(folder.path()).bad.unwrap().why.contains("the file is gone"));
}

/// A hold's facts, drafted where the journal stood.
fn anchored(number: u128, anchor: &str) -> Fact {
    let id = FactId(ulid::Ulid(number));
    let at = "2026-11-20T14:00:00Z".parse().unwrap();
    let body = Body::Hold { scope: Scope::Service, reason: "odd graphs".into() };
    Fact { id, by: "ann".into(), at, journal: anchor.into(), body }
}

/// Facts as a fleet's records show them: each in two regions.
fn in_the_fleet(facts: &[Fact]) -> Vec<Anchored> {
    let one = |f: &Fact| Anchored { id: f.id, what: f.key(), anchor: f.journal.to_string() };
    facts.iter().chain(facts).map(one).collect()
}

#[tokio::test]
async fn what_was_cut_off_or_put_back_contradicts_the_facts_of_the_fleet() {
    let folder = tempfile::tempdir().unwrap();
    let mut facts = Vec::new();
    let mut copies = Vec::new();
    let mut anchor = Anchor { host: HOST.into(), head: None }.to_string();
    for process in 0..2 {
        let journal = start(folder.path());
        for number in 1..=3 {
            let fact = anchored(process * 10 + number, &anchor);
            let approved = approved_with(process * 10 + number, Verb::Hold, vec![fact.clone()]);
            let Begun::Proof(proof) = journal.begin(approved, &fleet(), &Known::new()).await else { panic!() };
            anchor = proof.head().unwrap().to_string();
            facts.push(fact);
            copies
                .push(files(folder.path()).into_iter().map(|f| (f.clone(), fs::read(f).unwrap())).collect::<Vec<_>>());
        }
        journal.flush().await;
    }
    let of = |facts: &[Fact]| compare(&read_all(folder.path(), HOST).unwrap(), HOST, &in_the_fleet(facts));
    let whole = of(&facts);
    assert_eq!((whole.agree, whole.contradict.len(), whole.silent), (6, 0, 0), "{whole:?}");
    let newest = copies.last().unwrap().clone();
    let restore = |copy: &[(PathBuf, Vec<u8>)]| {
        files(folder.path()).iter().for_each(|f| fs::remove_file(f).unwrap());
        copy.iter().for_each(|(file, bytes)| fs::write(file, bytes).unwrap());
    };
    // Every older state of the whole folder, put back: a chain by itself is content with each of them.
    for (age, copy) in copies.iter().enumerate().rev().skip(1) {
        restore(copy);
        assert_eq!(verified(folder.path()).bad, None, "its own chain says nothing of it");
        let found = of(&facts);
        assert_eq!((found.agree, found.contradict.len()), (age + 1, 5 - age), "{found:?}");
    }
    // Every file cut at every end of a line.
    for (at, (file, bytes)) in newest.iter().enumerate() {
        let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1);
        for end in ends.filter(|end| *end < bytes.len()) {
            restore(&newest);
            fs::write(file, &bytes[..end]).unwrap();
            assert!(!of(&facts).contradict.is_empty(), "file {at} cut at {end}");
        }
    }
    // All of it gone, as with the host.
    restore(&[]);
    assert_eq!(of(&facts).contradict.len(), 6);
    // A new chain, written by somebody who holds the disk.
    let forged = start(folder.path());
    for (at, fact) in facts.iter().enumerate() {
        let approved = approved_with(at as u128 + 100, Verb::Hold, vec![fact.clone()]);
        let _ = forged.begin(approved, &fleet(), &Known::new()).await;
    }
    forged.flush().await;
    assert_eq!(verified(folder.path()).bad, None);
    let found = of(&facts);
    assert_eq!((found.agree, found.contradict.len()), (1, 5), "only the first names no line: {found:?}");
    // What cannot be checked here is said, and is no contradiction.
    let other = Anchor { host: "another-host".into(), head: None }.to_string();
    let mixed = of(&[anchored(50, &other), anchored(51, ""), anchored(52, &"ab".repeat(32))]);
    assert_eq!((mixed.agree, mixed.contradict.len(), mixed.silent), (0, 0, 2));
    assert_eq!(mixed.elsewhere.get("another-host"), Some(&1));
}

#[tokio::test]
async fn a_line_of_another_file_does_not_fit_in() {
    let folder = tempfile::tempdir().unwrap();
    operation(&start(folder.path()), 1).await;
    let first = files(folder.path()).remove(0);
    operation(&start(folder.path()), 2).await;
    let second = files(folder.path()).into_iter().find(|f| *f != first).unwrap();
    let (a, b) = (fs::read_to_string(&first).unwrap(), fs::read_to_string(&second).unwrap());
    let mut spliced: Vec<&str> = b.lines().collect();
    spliced[1] = a.lines().nth(1).unwrap();
    fs::write(&second, spliced.join("\n") + "\n").unwrap();
    let bad = verified(folder.path()).bad.unwrap();
    assert_eq!((bad.line, bad.why.as_str()), (2, "it does not follow the line before it"));
}

#[tokio::test]
async fn without_a_folder_to_write_to_raising_is_refused_and_lowering_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let blocked = place.path().join("journal");
    fs::write(&blocked, "a file, not a folder").unwrap();
    let journal = start(&blocked);
    let begun = journal.begin(approved(1, promote()), &fleet(), &Known::new()).await;
    let Begun::Refused { why, .. } = begun else { panic!("{begun:?}") };
    assert!(why.contains("not durable"), "{why}");
    let Begun::Proof(proof) = journal.begin(approved(2, Verb::Hold), &fleet(), &Known::new()).await else {
        panic!("a hold is never held up")
    };
    assert!(proof.head().is_err(), "it says so: UNJOURNALED");
    // The way is free again: what was owed is written with the next entry.
    fs::remove_file(&blocked).unwrap();
    let Begun::Proof(proof) = journal.begin(approved(3, promote()), &fleet(), &Known::new()).await else {
        panic!("durable again")
    };
    let anchor = Anchor::parse(proof.head().unwrap()).expect("facts name it");
    assert_eq!((anchor.host.as_str(), anchor.head.unwrap().hash.len()), (HOST, 64));
    let history = read_all(&blocked, HOST).unwrap();
    assert_eq!(history.operations().len(), 3);
    assert_eq!(history.operations()[0].closed.as_ref().unwrap().0, "refused");
    assert_eq!(verify(&history).bad, None);
}

/// A disk that does as told.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<DiskState>>);

#[derive(Default)]
struct DiskState {
    files: Vec<Vec<u8>>,
    /// Room for this many bytes more.
    room: Option<usize>,
    fails_sync: bool,
    slow: Duration,
}

struct OneFile(Disk, usize);

impl Store for Disk {
    fn open(&mut self) -> io::Result<(String, Box<dyn Sink>, Vec<HeadRef>)> {
        let mut state = self.0.lock().unwrap();
        state.files.push(Vec::new());
        let at = state.files.len() - 1;
        Ok((format!("disk-{at}.jsonl"), Box::new(OneFile(self.clone(), at)), vec![]))
    }
    fn host(&self) -> &str {
        HOST
    }
}

impl Sink for OneFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        let fits = state.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        state.room = state.room.map(|room| room - fits);
        state.files[self.1].extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
    fn sync(&mut self) -> io::Result<()> {
        let (slow, fails) = {
            let state = self.0.0.lock().unwrap();
            (state.slow, state.fails_sync)
        };
        std::thread::sleep(slow);
        if fails { Err(io::Error::other("input/output error")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_raised_until_a_new_file_is_durable() {
    let disk = Disk::default();
    let journal = Journal::start(disk.clone(), Clock::host()).unwrap();
    let raise = async |n| journal.begin(approved(n, promote()), &fleet(), &Known::new()).await;
    assert!(matches!(raise(1).await, Begun::Proof(_)));
    disk.0.lock().unwrap().fails_sync = true;
    assert!(matches!(raise(2).await, Begun::Refused { .. }));
    assert!(matches!(raise(3).await, Begun::Refused { .. }));
    disk.0.lock().unwrap().fails_sync = false;
    assert!(matches!(raise(4).await, Begun::Proof(_)));
    let state = disk.0.lock().unwrap();
    let last = String::from_utf8(state.files.last().unwrap().clone()).unwrap();
    assert!(state.files.len() > 1, "a file whose sync failed is not trusted again");
    assert_eq!(last.matches("\"opened\"").count(), 3, "what was owed is in the new file");
}

/// Files of a disk whose sync fails now and then.
struct Failing(Files, Arc<AtomicBool>);

struct FailingFile(Box<dyn Sink>, Arc<AtomicBool>);

impl Store for Failing {
    fn open(&mut self) -> io::Result<(String, Box<dyn Sink>, Vec<HeadRef>)> {
        let (name, sink, heads) = self.0.open()?;
        Ok((name, Box::new(FailingFile(sink, self.1.clone())), heads))
    }
    fn host(&self) -> &str {
        self.0.host()
    }
}

impl Sink for FailingFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        if self.1.load(Ordering::SeqCst) { Err(io::Error::other("input/output error")) } else { self.0.sync() }
    }
}

#[tokio::test]
async fn what_a_failed_sync_may_lose_is_named_by_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let fails = Arc::new(AtomicBool::new(false));
    let journal = Journal::at_once(Failing(Files::new(folder.path(), "host"), fails.clone()), Clock::host());
    operation(&journal, 1).await;
    let first = files(folder.path()).remove(0);
    let durable = std::fs::metadata(&first).unwrap().len();
    fails.store(true, Ordering::SeqCst);
    journal.note(&note(1, NoteKind::StepStarted { step: 0 }));
    fails.store(false, Ordering::SeqCst);
    operation(&journal, 2).await;
    assert_eq!(files(folder.path()).len(), 2);
    assert!(std::fs::metadata(&first).unwrap().len() > durable, "it can still be read");
    // The power goes, and with it what was never on the disk.
    std::fs::File::options().write(true).open(&first).unwrap().set_len(durable).unwrap();
    assert_eq!(verified(folder.path()).bad, None);
}

#[tokio::test]
async fn a_full_disk_refuses_raising_and_leaves_a_torn_line_at_most() {
    let disk = Disk::default();
    let journal = Journal::start(disk.clone(), Clock::host()).unwrap();
    disk.0.lock().unwrap().room = Some(700);
    let begun = journal.begin(approved(1, promote()), &fleet(), &Known::new()).await;
    assert!(matches!(begun, Begun::Refused { .. }), "{begun:?}");
    let begun = journal.begin(approved(2, Verb::Hold), &fleet(), &Known::new()).await;
    assert!(matches!(begun, Begun::Proof(proof) if proof.head().is_err()));
    disk.0.lock().unwrap().room = None;
    let begun = journal.begin(approved(3, promote()), &fleet(), &Known::new()).await;
    assert!(matches!(begun, Begun::Proof(proof) if proof.head().is_ok()));
}

#[tokio::test]
async fn a_slow_disk_does_not_delay_a_lowering_plan() {
    let disk = Disk::default();
    disk.0.lock().unwrap().slow = Duration::from_secs(2);
    let journal = Journal::start(disk.clone(), Clock::host()).unwrap();
    let before = Instant::now();
    let begun = journal.begin(approved(1, Verb::Hold), &fleet(), &Known::new()).await;
    assert!(before.elapsed() < Duration::from_millis(1500), "{:?}", before.elapsed());
    let Begun::Proof(proof) = begun else { panic!("{begun:?}") };
    assert_eq!(&**proof.head().unwrap_err(), "the disk took longer than 500 ms");
    // A raising plan waits for the same disk.
    let begun = journal.begin(approved(2, promote()), &fleet(), &Known::new()).await;
    assert!(matches!(begun, Begun::Proof(proof) if proof.head().is_ok()));
}
