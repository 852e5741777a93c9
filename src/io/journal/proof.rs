//! From [`Approved`] to [`Journaled`]: the only thing with which a write can be sent.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use tokio::sync::oneshot;

use super::entry::Entry;
use super::writer::{Durable, Order, Orders, Store};
use crate::domain::challenge::Approved;
use crate::domain::fleet::Fleet;
use crate::domain::id::{ClusterIx, ClusterUid, Operator, Text};
use crate::domain::intent::Direction;
use crate::domain::plan::{Plan, PlanId};
use crate::domain::text::safe;
use crate::engine::effect::Note;
use crate::io::clock::Clock;

/// How long a lowering plan waits for the disk before it goes on without.
const LOWERING_WAITS: Duration = Duration::from_millis(500);
/// Outcome of what a person closed: nobody knows more than they do.
pub(super) const CLOSED_BY_PERSON: &str = "closed";
/// How long a raising plan waits before it is refused.
const RAISING_WAITS: Duration = Duration::from_secs(10);

/// Proof that a plan is in the journal, or that it lowers risk and goes on without.
///
/// Only this module makes one; it cannot be copied, nor read from text.
///
/// ```compile_fail
/// use gonogo::domain::challenge::Approved;
/// fn forge(approved: Approved) -> gonogo::io::journal::Journaled {
///     gonogo::io::journal::Journaled { approved, head: Ok("".into()) }
/// }
/// ```
/// ```compile_fail
/// use gonogo::domain::challenge::Approved;
/// fn seal(approved: Approved) -> gonogo::io::journal::Journaled {
///     gonogo::io::journal::Journaled::sealed(approved, Ok("".into()))
/// }
/// ```
/// ```compile_fail
/// fn twice(proof: gonogo::io::journal::Journaled) {
///     let again = proof.clone();
/// }
/// ```
/// ```compile_fail
/// fn from_text(text: &str) -> gonogo::io::journal::Journaled {
///     serde_json::from_str(text).unwrap()
/// }
/// ```
#[derive(Debug)]
pub struct Journaled {
    approved: Approved,
    head: Result<Text, Text>,
}

/// What became of a plan that was to be journaled.
#[derive(Debug)]
pub enum Begun {
    /// It may be carried out: durable, or lowering; [`Journaled::head`] tells which.
    Proof(Box<Journaled>),
    /// A raising plan that is not durable: nothing may be sent.
    Refused {
        /// The plan.
        plan: PlanId,
        /// Why it is not durable.
        why: Text,
    },
}

/// Identity and user per cluster, as far as known.
pub type Known = BTreeMap<ClusterIx, (Option<ClusterUid>, Option<Operator>)>;

/// The journal of this process.
#[derive(Clone)]
pub struct Journal {
    orders: Orders,
}

impl Journaled {
    /// The only maker.
    fn sealed(approved: Approved, head: Result<Text, Text>) -> Self {
        Self { approved, head }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        self.approved.plan()
    }

    /// The approval.
    pub fn approved(&self) -> &Approved {
        &self.approved
    }

    /// Head of the journal; or why the entry is not durable: the plan is UNJOURNALED.
    pub fn head(&self) -> Result<&Text, &Text> {
        self.head.as_ref()
    }
}

impl Journal {
    /// Starts the journal's thread. A file is made with the first entry.
    pub fn start(store: impl Store, clock: Clock) -> io::Result<Self> {
        Ok(Self { orders: Orders::start(Box::new(store), clock)? })
    }

    /// A journal without a thread: every entry is on the store when the order was given. For stores that
    /// never make anybody wait, as those of a simulation, in which time would run ahead of a thread.
    pub fn at_once(store: impl Store, clock: Clock) -> Self {
        Self { orders: Orders::at_once(Box::new(store), clock) }
    }

    /// Makes an approved plan durable. A lowering plan gets its proof regardless, within
    /// 500 ms; a raising plan only when its entry is durable.
    pub async fn begin(&self, approved: Approved, fleet: &Fleet, known: &Known) -> Begun {
        let entry = Entry::opened(&approved, fleet, known);
        let raising = approved.plan().direction() == Direction::Raising;
        let waits = if raising { RAISING_WAITS } else { LOWERING_WAITS };
        let head = self.durable(entry, waits).await.map(Text::from).map_err(Text::from);
        match head {
            Err(why) if raising => {
                let plan = approved.plan().id;
                // It may still reach the disk: then this must follow it.
                let (outcome, gave_up) = ("refused".to_owned(), format!("nothing was sent: {why}"));
                let closed = Entry::Closed { plan: plan.to_string(), outcome, why: gave_up };
                let _ = self.orders.give(Order { entry: Some(closed), reply: None });
                Begun::Refused { plan, why }
            }
            head => Begun::Proof(Box::new(Journaled::sealed(approved, head))),
        }
    }

    /// Appends an outcome. Never waited for; the disk gets it as soon as it can.
    pub fn note(&self, note: &Note) {
        if let Err(why) = self.orders.give(Order { entry: Some(Entry::noted(note)), reply: None }) {
            tracing::error!("journal: {why}");
        }
    }

    /// Closes what another process left open, in a person's name; durable when this is answered.
    pub async fn close_left(&self, plan: &str, by: &str, reason: Option<&str>) -> Result<Text, Text> {
        let said = reason.map_or_else(|| "looked at".to_owned(), |r| safe(r, 400));
        let why = format!("closed by {}: {said}", safe(by, 200));
        let entry = Entry::Closed { plan: plan.to_owned(), outcome: CLOSED_BY_PERSON.to_owned(), why };
        self.durable(entry, RAISING_WAITS).await.map(Text::from).map_err(Text::from)
    }

    /// Waits until everything given so far is on the disk, or cannot be: before the program ends.
    pub async fn flush(&self) {
        let (reply, answer) = oneshot::channel();
        if self.orders.give(Order { entry: None, reply: Some(reply) }).is_ok() {
            // Bounded: a disk that hangs does not keep the program.
            let _ = tokio::time::timeout(RAISING_WAITS, answer).await;
        }
    }

    /// Appends an outcome and waits until it is durable, or cannot be.
    pub async fn settled(&self, note: &Note) -> Result<Text, Text> {
        let done = self.durable(Entry::noted(note), RAISING_WAITS).await;
        done.map(Text::from).map_err(Text::from)
    }

    async fn durable(&self, entry: Entry, waits: Duration) -> Durable {
        let (reply, answer) = oneshot::channel();
        self.orders.give(Order { entry: Some(entry), reply: Some(reply) })?;
        match tokio::time::timeout(waits, answer).await {
            Ok(Ok(durable)) => durable,
            Ok(Err(_)) => Err("the journal's thread has ended".to_owned()),
            Err(_) => Err(format!("the disk took longer than {} ms", waits.as_millis())),
        }
    }
}
