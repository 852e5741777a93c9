//! One thread that appends and makes durable: a slow disk delays nobody but who waits for it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::anchor::Anchor;
use super::chain::Head;
use super::entry::{Begin, Entry, FORMAT, HeadRef};
use super::read::newest_heads;
use crate::domain::text::safe;
use crate::io::clock::Clock;

/// Entries that may wait: thousands of steps; more means that the disk is gone.
const WAITING: usize = 4096;
/// Longest name of a person or terminal, in bytes.
const LONGEST: usize = 200;
/// Heads of other files that a new file names.
const HEADS: usize = 32;

/// Where bytes become durable.
pub trait Sink: Send {
    /// Appends all bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything appended so far durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// Opens new journal files.
pub trait Store: Send + 'static {
    /// A new file with its name, and the heads of the newest others.
    fn open(&mut self) -> io::Result<(String, Box<dyn Sink>, Vec<HeadRef>)>;
    /// The host, for the first line.
    fn host(&self) -> &str;
    /// Who runs this process, for the first line.
    fn who(&self) -> Who {
        Who::default()
    }
}

/// Who runs this process, whoever the clusters take it for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// `user@host`.
    pub user: Option<String>,
    /// The terminal, e.g. `/dev/pts/3`; absent: there is none.
    pub terminal: Option<String>,
    /// Whom every cluster is asked to take us for (`--as`).
    pub acting_as: Option<String>,
}

/// Journal files in a folder.
#[derive(Clone, Debug)]
pub struct Files {
    folder: PathBuf,
    host: String,
    /// Why nothing in the folder lasts.
    passing: Option<String>,
    who: Who,
}

/// A host's name as names of files have it.
pub fn host_name(host: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
    let host: String = host.chars().take(60).map(plain).collect();
    if host.is_empty() { "host".to_owned() } else { host }
}

impl Files {
    /// Files `<host>-<ulid>.jsonl` in a folder that is made when needed.
    pub fn new(folder: impl Into<PathBuf>, host: &str) -> Self {
        Self { folder: folder.into(), host: host_name(host), passing: None, who: Who::default() }
    }

    /// Files that say who writes them.
    #[must_use]
    pub fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// Files that are not durable wherever they are written, and why: none is, then.
    #[must_use]
    pub fn passing(mut self, why: Option<String>) -> Self {
        self.passing = why;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

struct OnDisk {
    file: File,
    path: PathBuf,
    /// Lines that were written whole.
    lines: usize,
    /// What was written is on the disk.
    durable: bool,
}

impl Sink for OnDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).map_err(|e| at(&self.path, &e))?;
        self.lines += 1;
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data().map_err(|e| at(&self.path, &e))?;
        self.durable = true;
        Ok(())
    }
}

impl Drop for OnDisk {
    /// A file that says nothing but that it began is not left behind: a full disk would be given one per try.
    fn drop(&mut self) {
        if !self.durable && self.lines <= 1 {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What failed, and where.
fn at(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

impl Store for Files {
    fn open(&mut self) -> io::Result<(String, Box<dyn Sink>, Vec<HeadRef>)> {
        if let Some(why) = &self.passing {
            return Err(io::Error::other(why.clone()));
        }
        let folder = |e: io::Error| at(&self.folder, &e);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(folder)?;
        let heads = newest_heads(&self.folder, HEADS).map_err(folder)?;
        let name = format!("{}-{}.jsonl", self.host, ulid::Ulid::new());
        let path = self.folder.join(&name);
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|e| at(&path, &e))?;
        let opened = OnDisk { file, path, lines: 0, durable: false };
        // Held while this process lives: others see by it who is dead. Never waited for.
        let _ = rustix::fs::flock(&opened.file, rustix::fs::FlockOperation::NonBlockingLockExclusive);
        // The file's name must be durable too.
        File::open(&self.folder).and_then(|f| f.sync_all()).map_err(folder)?;
        Ok((name, Box::new(opened), heads))
    }

    fn host(&self) -> &str {
        &self.host
    }

    fn who(&self) -> Who {
        self.who.clone()
    }
}

/// What a waiting caller gets: the anchor after its entry, or why it is not durable.
pub(super) type Durable = Result<String, String>;

pub(super) struct Order {
    /// None: only to be told when everything before is on the disk.
    pub(super) entry: Option<Entry>,
    pub(super) reply: Option<oneshot::Sender<Durable>>,
}

/// The end that gives orders.
#[derive(Clone)]
pub(super) enum Orders {
    /// To a thread of its own.
    Thread(SyncSender<Order>),
    /// To a writer that works at once, where the order is given.
    AtOnce(Arc<Mutex<Writer>>),
}

impl Orders {
    /// Starts the thread.
    pub(super) fn start(store: Box<dyn Store>, clock: Clock) -> io::Result<Self> {
        let (orders, inbox) = sync_channel(WAITING);
        let writer = Writer::new(store, clock);
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run(&inbox))?;
        Ok(Self::Thread(orders))
    }

    /// Without a thread.
    pub(super) fn at_once(store: Box<dyn Store>, clock: Clock) -> Self {
        Self::AtOnce(Arc::new(Mutex::new(Writer::new(store, clock))))
    }

    /// Gives an order without waiting for another thread.
    pub(super) fn give(&self, order: Order) -> Result<(), String> {
        match self {
            Self::Thread(orders) => orders.try_send(order).map_err(|e| match e {
                TrySendError::Full(_) => format!("{WAITING} journal entries wait for the disk"),
                TrySendError::Disconnected(_) => "the journal's thread has ended".to_owned(),
            }),
            Self::AtOnce(writer) => {
                writer.lock().unwrap_or_else(PoisonError::into_inner).carry_out([order]);
                Ok(())
            }
        }
    }
}

pub(super) struct Writer {
    store: Box<dyn Store>,
    clock: Clock,
    open: Option<OpenFile>,
    /// Entries that are not known to be durable: written again into a new file.
    owed: Vec<Entry>,
    /// Files that were given up, with the newest line of each that is on the disk: what follows it may be
    /// read now and be gone later, so no other file names it.
    given_up: BTreeMap<String, Option<HeadRef>>,
}

struct OpenFile {
    sink: Box<dyn Sink>,
    head: Head,
    name: String,
    /// The newest line that is on the disk.
    durable: Option<HeadRef>,
}

impl Writer {
    fn new(store: Box<dyn Store>, clock: Clock) -> Self {
        Self { store, clock, open: None, owed: Vec::new(), given_up: BTreeMap::new() }
    }

    fn run(mut self, inbox: &Receiver<Order>) {
        while let Ok(first) = inbox.recv() {
            self.carry_out(std::iter::once(first).chain(inbox.try_iter().take(WAITING)));
        }
    }

    fn carry_out(&mut self, orders: impl IntoIterator<Item = Order>) {
        let mut waiting = Vec::new();
        for order in orders {
            self.owed.extend(order.entry);
            waiting.extend(order.reply);
        }
        let done = self.settle();
        if let Err(why) = &done {
            tracing::error!("journal: {why}");
        }
        for reply in waiting {
            // Who gave up waiting does not need the answer.
            let _ = reply.send(done.clone());
        }
    }

    /// Writes what is owed and makes it durable. After any failure the file is given up:
    /// after a failed fsync nobody can say what of it is on the disk.
    fn settle(&mut self) -> Durable {
        self.try_settle().map_err(|e| {
            self.open = None;
            format!("not durable: {e}")
        })
    }

    fn try_settle(&mut self) -> io::Result<String> {
        let mut file = match self.open.take() {
            Some(file) => file,
            // Nothing was ever written, and nothing is to be: no file is made for that.
            None if self.owed.is_empty() => return Ok(String::new()),
            None => self.begin()?,
        };
        if let Err(e) = self.write(&mut file) {
            self.given_up.insert(file.name, file.durable);
            return Err(e);
        }
        self.owed.clear();
        let head = file.durable.clone();
        self.open = Some(file);
        Ok(Anchor { host: self.store.host().to_owned(), head }.to_string())
    }

    fn write(&self, file: &mut OpenFile) -> io::Result<()> {
        let now = self.clock.wall();
        for entry in &self.owed {
            let line = file.head.append(now, entry).map_err(io::Error::other)?;
            file.sink.append(&line)?;
        }
        file.sink.sync()?;
        let seq = file.head.next.saturating_sub(1);
        file.durable = Some(HeadRef { file: file.name.clone(), seq, hash: file.head.hash.clone() });
        Ok(())
    }

    fn begin(&mut self) -> io::Result<OpenFile> {
        let (name, mut sink, heads) = self.store.open()?;
        let who = self.store.who();
        let lasting = |head: HeadRef| self.given_up.get(&head.file).map_or(Some(head), Clone::clone);
        let heads = heads.into_iter().filter_map(lasting).collect();
        let begin = Entry::Begin(Begin {
            format: FORMAT,
            gonogo: env!("CARGO_PKG_VERSION").to_owned(),
            file: name.clone(),
            host: self.store.host().to_owned(),
            pid: std::process::id(),
            heads,
            user: who.user.map(|user| safe(&user, LONGEST)),
            terminal: who.terminal.map(|terminal| safe(&terminal, LONGEST)),
            acting_as: who.acting_as.map(|name| safe(&name, LONGEST)),
        });
        let mut head = Head::default();
        let line = head.append(self.clock.wall(), &begin).map_err(io::Error::other)?;
        sink.append(&line)?;
        Ok(OpenFile { sink, head, name, durable: None })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let below = file.join("journal");
        let why = Files::new(&below, "host").open().err().unwrap().to_string();
        assert!(why.starts_with(&below.display().to_string()), "{why}");
    }

    #[test]
    fn a_file_into_which_nothing_can_be_written_is_named_and_not_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host-1.jsonl");
        fs::write(&path, "").unwrap();
        // Opened for reading: every write fails, as on a full disk.
        let mut sink = OnDisk { file: File::open(&path).unwrap(), path: path.clone(), lines: 0, durable: false };
        let why = sink.append(b"x\n").unwrap_err().to_string();
        assert!(why.starts_with(&path.display().to_string()), "{why}");
        drop(sink);
        assert!(!path.exists());
    }

    #[test]
    fn what_holds_an_entry_or_is_durable_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Files::new(folder.path(), "host");
        let (begun, mut sink, _) = files.open().unwrap();
        sink.append(b"begin\n").unwrap();
        drop(sink);
        assert!(!folder.path().join(begun).exists(), "it only began");
        let (entry, mut sink, _) = files.open().unwrap();
        sink.append(b"begin\n").unwrap();
        sink.append(b"entry\n").unwrap();
        drop(sink);
        assert!(folder.path().join(entry).exists(), "it may be all that is left of it");
        let (durable, mut sink, _) = files.open().unwrap();
        sink.append(b"begin\n").unwrap();
        sink.sync().unwrap();
        drop(sink);
        assert!(folder.path().join(durable).exists());
    }
}
