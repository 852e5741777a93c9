//! A journal in memory, written and read by the program's own code, that can be cut at any byte.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use gonogo::io::journal::{Entry, Head, HeadRef, History, Sink, Store, Verified, newest_heads, read_all, verify};

use super::wire::{Fate, Wire};

/// The host of every journal: whoever reads one is the one who wrote it.
const HOST: &str = "dst";

/// One request that an opened plan holds: step, cluster, method, path, SHA-256 of the body.
type Planned = (usize, String, String, String, String);

/// The disk of one operator: it outlives the process.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: Vec<File>,
    /// From now on nothing becomes durable.
    fails: bool,
    /// It says that everything is durable, and keeps nothing: a planted bug.
    lies: bool,
    /// Requests of plans that are durable.
    opened: BTreeMap<String, BTreeSet<Planned>>,
    heads: Vec<HeadRef>,
}

#[derive(Default)]
struct File {
    name: String,
    bytes: Vec<u8>,
    /// So many of them survive whatever happens.
    durable: usize,
    /// Of the durable ones, so many were taken in.
    read: usize,
    head: Head,
    lines: usize,
}

impl Disk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Whether nothing becomes durable for now.
    pub fn fail(&self, fails: bool) {
        self.lock().fails = fails;
    }

    /// A planted bug: it answers before anything is kept.
    pub fn lie(&self) {
        self.lock().lies = true;
    }

    /// Whether a durable plan holds this very request.
    pub fn has(&self, plan: &str, request: &Planned) -> bool {
        self.lock().opened.get(plan).is_some_and(|plan| plan.contains(request))
    }

    /// Plans that are durable.
    pub fn plans(&self) -> Vec<String> {
        self.lock().opened.keys().cloned().collect()
    }

    /// The process died: of what was not durable, a part may be lost, at any byte.
    pub fn cut(&self, share: f64) {
        let mut guard = self.lock();
        let state = &mut *guard;
        for file in &mut state.files {
            let loose = file.bytes.len() - file.durable;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
            let kept = (loose as f64 * share) as usize;
            file.bytes.truncate(file.durable + kept.min(loose));
            file.durable = file.bytes.len();
            file.take_in(&mut state.opened);
        }
    }

    /// What a new process reads, and what `gonogo journal verify` says; lines that were durable, by file.
    pub fn read(&self) -> (History, Verified, BTreeMap<String, usize>) {
        let folder = tempfile::tempdir().unwrap();
        let mut durable = BTreeMap::new();
        for file in &self.lock().files {
            std::fs::write(folder.path().join(&file.name), &file.bytes).unwrap();
            durable.insert(file.name.clone(), file.lines);
        }
        let history = read_all(folder.path(), HOST).unwrap();
        let verified = verify(&history);
        self.lock().heads = newest_heads(folder.path(), 32).unwrap();
        (history, verified, durable)
    }

    /// The journal of a process that writes by a wire: it dies with it.
    pub fn store(&self, wire: &Wire) -> Mounted {
        Mounted { disk: self.clone(), wire: wire.clone() }
    }
}

impl File {
    /// Takes in the durable lines: the program's own check says what they are.
    fn take_in(&mut self, opened: &mut BTreeMap<String, BTreeSet<Planned>>) {
        while let Some(length) = self.bytes[self.read..self.durable].iter().position(|b| *b == b'\n') {
            let line = &self.bytes[self.read..self.read + length];
            let line = self.head.check(line).unwrap_or_else(|why| panic!("{}: {why}", self.name));
            self.read += length + 1;
            self.lines += 1;
            if let Entry::Opened(plan) = line.entry {
                let requests = opened.entry(plan.plan.clone()).or_default();
                for (at, step) in plan.steps.iter().enumerate() {
                    for w in &step.writes {
                        let (cluster, method) = (w.cluster.clone(), w.method.clone());
                        requests.insert((at, cluster, method, w.path.clone(), w.sha256.clone()));
                    }
                }
            }
        }
    }
}

/// A disk in the hands of one process.
pub struct Mounted {
    disk: Disk,
    wire: Wire,
}

struct OneFile {
    disk: Disk,
    wire: Wire,
    at: usize,
}

impl Store for Mounted {
    fn open(&mut self) -> io::Result<(String, Box<dyn Sink>, Vec<HeadRef>)> {
        if self.wire.crosses() != Fate::Lives {
            return Err(io::Error::other("killed"));
        }
        let at = self.disk.lock().files.len();
        // Sorted as the program sorts them: by the ULID at the end.
        let name = format!("{HOST}-{}.jsonl", ulid::Ulid::from_parts(1_700_000_000_000 + at as u64, at as u128));
        let heads = if at == 0 {
            Vec::new()
        } else {
            drop(self.disk.read());
            self.disk.lock().heads.clone()
        };
        self.disk.lock().files.push(File { name: name.clone(), ..File::default() });
        Ok((name, Box::new(OneFile { disk: self.disk.clone(), wire: self.wire.clone(), at }), heads))
    }

    fn host(&self) -> &str {
        HOST
    }
}

impl Sink for OneFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fate = self.wire.crosses();
        // Whoever dies in the middle has written a part.
        if fate != Fate::Dead {
            self.disk.lock().files[self.at].bytes.extend_from_slice(bytes);
        }
        if fate == Fate::Lives { Ok(()) } else { Err(io::Error::other("killed")) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.wire.crosses() != Fate::Lives {
            return Err(io::Error::other("killed"));
        }
        let mut guard = self.disk.lock();
        let state = &mut *guard;
        if state.fails {
            return Err(io::Error::other("input/output error"));
        }
        if state.lies {
            return Ok(());
        }
        let file = &mut state.files[self.at];
        file.durable = file.bytes.len();
        file.take_in(&mut state.opened);
        Ok(())
    }
}
