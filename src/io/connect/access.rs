//! The way into each cluster: dials when needed, and renews what has expired.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, watch};
use tokio::time::timeout;

use super::client::{Reader, Writer};
use super::dial::{Dial, Dialed};
use super::guard::Reach;
use crate::domain::fleet::Fleet;
use crate::domain::id::{ClusterIx, ClusterName, Text};
use crate::domain::link::LostReason;
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::io::clock::Clock;

/// Credentials are renewed this long before they end.
const EARLY: SignedDuration = SignedDuration::from_secs(60);

/// A write waits at most so long to learn which cluster it would go to.
const IDENTITY: Duration = Duration::from_secs(5);

/// Which cluster it is, against what was remembered: a write goes to no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identified {
    /// Nobody asks, or the cluster did not say: lowering goes on regardless.
    #[default]
    Unknown,
    /// It is being asked.
    Asking,
    /// As before, or seen for the first time, behind the server with this anchor.
    Same(Text),
    /// Another one than before: why nothing is written to it.
    Changed(Text),
}

/// Whether this process may write.
#[derive(Clone, Debug)]
pub enum Mode {
    /// Reads and writes.
    Console,
    /// Only reads: no writer can be had.
    Watch(Reach),
}

/// The way into every cluster of a fleet.
#[derive(Clone)]
pub struct Clusters {
    fleet: Arc<Fleet>,
    all: Arc<[Arc<Access>]>,
}

/// The way into one cluster.
pub struct Access {
    /// Its position.
    pub cluster: ClusterIx,
    /// Its name, for messages.
    pub name: ClusterName,
    dial: Arc<dyn Dial>,
    mode: Mode,
    clock: Clock,
    reader: Mutex<Option<Opened<Reader>>>,
    writer: Mutex<Option<Held>>,
    known: watch::Sender<Identified>,
    moved: Notify,
}

/// The writer's slot.
enum Held {
    Open(Opened<Writer>),
    Refused,
}

struct Opened<C> {
    client: C,
    generation: Generation,
    valid_until: Option<Timestamp>,
    context: Text,
    anchor: Text,
}

/// Which client a caller used: so that an expired one is renewed once, not once per watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

/// A reader with what it stands on.
#[derive(Clone, Debug)]
pub struct OpenReader {
    /// The client.
    pub reader: Reader,
    /// Its generation.
    pub generation: Generation,
    /// See [`Dialed::context`].
    pub context: Text,
    /// See [`Dialed::anchor`].
    pub anchor: Text,
}

impl Clusters {
    /// The ways into every cluster; nothing is dialled yet.
    pub fn new(fleet: Arc<Fleet>, dial: Arc<dyn Dial>, mode: &Mode, clock: &Clock) -> Self {
        let all = fleet.clusters.iter().enumerate().map(|(i, cluster)| {
            Arc::new(Access {
                cluster: ClusterIx::from(i),
                name: cluster.name.clone(),
                dial: Arc::clone(&dial),
                mode: mode.clone(),
                clock: clock.clone(),
                reader: Mutex::new(None),
                writer: Mutex::new(None),
                known: watch::Sender::new(Identified::Unknown),
                moved: Notify::new(),
            })
        });
        Self { all: all.collect(), fleet }
    }

    /// The fleet.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// The way into one cluster.
    pub fn get(&self, cluster: ClusterIx) -> Option<&Arc<Access>> {
        self.all.get(cluster.at())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Access>> {
        self.all.iter()
    }
}

impl Access {
    /// Whether this process may write.
    pub fn mode(&self) -> &Mode {
        &self.mode
    }

    /// A reader: the one there is while its credentials last, else a new one.
    pub async fn reader(&self) -> Result<OpenReader, LostReason> {
        self.reader_after(None).await
    }

    /// A reader whose credentials are newer than those of `generation`.
    pub async fn renewed(&self, generation: Generation) -> Result<OpenReader, LostReason> {
        self.reader_after(Some(generation)).await
    }

    async fn reader_after(&self, spent: Option<Generation>) -> Result<OpenReader, LostReason> {
        // Held while dialling: callers wait for one dial instead of starting several.
        let mut slot = self.reader.lock().await;
        if let Some(open) = slot.as_ref()
            && self.lasts(open.valid_until)
            && spent.is_none_or(|s| open.generation > s)
        {
            return Ok(open.shown());
        }
        let generation = Generation(slot.as_ref().map_or(0, |o| o.generation.0 + 1));
        let reach = match &self.mode {
            Mode::Console => Reach::Console,
            Mode::Watch(reach) => reach.clone(),
        };
        let open = self.dialed(generation, spent.is_some(), |d| Reader::new(d, reach)).await?;
        let shown = open.shown();
        if slot.as_ref().is_some_and(|before| before.anchor != open.anchor) {
            // The kubeconfig was changed under us: whoever that is, it must be asked who it is.
            self.moved.notify_one();
        }
        *slot = Some(open);
        Ok(shown)
    }

    /// Waits until reads go to another server than before.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// What was learnt of its identity. Asking again, or asking in vain, ends no knowledge.
    pub fn identified(&self, known: Identified) {
        self.known.send_if_modified(|now| {
            let news = match known {
                Identified::Unknown => *now == Identified::Asking,
                Identified::Asking => *now == Identified::Unknown,
                Identified::Same(_) | Identified::Changed(_) => *now != known,
            };
            if news {
                *now = known;
            }
            news
        });
    }

    /// A writer. There is none in watch mode, and none to another cluster than was remembered.
    pub(crate) async fn writer(&self) -> Result<Writer, LostReason> {
        if let Mode::Watch(_) = self.mode {
            return Err(LostReason::Unusable("a watch screen has no client that can write".into()));
        }
        let mut known = self.known.subscribe();
        // Who does not answer in time is not another one; unreachable shows when it is written to.
        let _ = timeout(IDENTITY, known.wait_for(|k| *k != Identified::Asking)).await;
        if let Identified::Changed(why) = &*known.borrow() {
            return Err(LostReason::Changed(why.clone()));
        }
        let mut slot = self.writer.lock().await;
        let renew = match slot.as_ref() {
            Some(Held::Open(open)) if self.lasts(open.valid_until) => return Ok(open.client.clone()),
            held => held.is_some(),
        };
        let open = self.dialed(Generation(0), renew, Writer::new).await?;
        if matches!(&*known.borrow(), Identified::Same(anchor) if *anchor != open.anchor) {
            let text = format!("context {} leads to another server than the one that was identified", open.context);
            return Err(LostReason::Changed(text.into()));
        }
        let client = open.client.clone();
        *slot = Some(Held::Open(open));
        Ok(client)
    }

    /// The writer's credentials were refused: the next one gets new ones.
    pub(crate) async fn forget_writer(&self) {
        *self.writer.lock().await = Some(Held::Refused);
    }

    async fn dialed<C>(
        &self,
        generation: Generation,
        renew: bool,
        make: impl FnOnce(Dialed) -> C,
    ) -> Result<Opened<C>, LostReason> {
        let dialed = self.dial.dial(self.cluster, renew).await?;
        let (valid_until, context, anchor) = (dialed.valid_until, dialed.context.clone(), dialed.anchor.clone());
        Ok(Opened { client: make(dialed), generation, valid_until, context, anchor })
    }

    fn lasts(&self, until: Option<Timestamp>) -> bool {
        until.is_none_or(|end| self.clock.wall().saturating_add(EARLY).is_ok_and(|soon| soon < end))
    }
}

impl Opened<Reader> {
    fn shown(&self) -> OpenReader {
        OpenReader {
            reader: self.client.clone(),
            generation: self.generation,
            context: self.context.clone(),
            anchor: self.anchor.clone(),
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({})", self.name)
    }
}
