//! What the shell must do for the engine. The engine never waits: answers come back as messages.

use serde_json::Value;

pub use super::automation::notice::{Notice, NoticeKind};
use crate::domain::call::HttpCall;
use crate::domain::carrier::OverlayRef;
use crate::domain::challenge::Approved;
use crate::domain::change::{ApiType, Change, ObjectRef};
use crate::domain::id::{ClusterIx, Namespace, Place, Text};
use crate::domain::link::LostReason;
use crate::domain::observation::Observation;
use crate::domain::plan::PlanId;
pub use crate::domain::question::{MetricQuestion, SeriesOf, Span};

/// Joins an answer to its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Something for the shell to do.
#[derive(Debug)]
pub enum Effect {
    /// Ask a Prometheus. One slot per key: a newer question replaces one not yet sent.
    Ask(Box<MetricQuestion>),
    /// List the ReplicaSets' metadata of a region's workload.
    ListRevisions(Place),
    /// List the pods of a region's workload, every few seconds while it is open.
    ListPods(Place),
    /// List the events about a region's workload and its pods.
    ListEvents(Place),
    /// The last lines of a pod's log (of the previous container where it crashed).
    Logs {
        /// The region.
        place: Place,
        /// The pod.
        pod: Text,
    },
    /// GET one object; answered by [`Reply::Fetched`].
    Fetch {
        /// For the answer.
        ticket: Ticket,
        /// Which.
        object: ObjectRef,
    },
    /// Fetch a branch and read one scalar of a file at its head; answered by [`Reply::Fetched`] with what
    /// [`crate::carriers::CarrierRead::Scalar`] says.
    ReadScalar {
        /// For the answer.
        ticket: Ticket,
        /// Which.
        scalar: Box<OverlayRef>,
    },
    /// GET a list of full objects; answered by [`Reply::FetchedList`].
    FetchList {
        /// For the answer.
        ticket: Ticket,
        /// Which cluster.
        cluster: ClusterIx,
        /// Which type.
        api: ApiType,
        /// Where.
        namespace: Namespace,
        /// Label selector.
        selector: Text,
    },
    /// Send a write with `dryRun=All`; answered by [`Reply::DryRan`].
    DryRun {
        /// For the answer.
        ticket: Ticket,
        /// What would be written.
        change: Box<Change>,
    },
    /// Make the approved plan durable; answered by [`Reply::Journaled`].
    ///
    /// The shell keeps the proof that this makes and sends nothing without it.
    Journal(Box<Approved>),
    /// Send one write of a journaled plan; answered by [`Reply::Acted`].
    Act {
        /// The plan.
        plan: PlanId,
        /// Which step.
        step: usize,
        /// Which of its writes.
        write: usize,
    },
    /// Append an outcome to the journal; never waited for.
    Note(Box<Note>),
    /// Write own record facts outside a plan (settled facts, passing on holds): bookkeeping.
    Keep {
        /// For the answer ([`Reply::Kept`]).
        ticket: Ticket,
        /// The write.
        change: Box<Change>,
        /// Sent instead when the object is absent.
        if_absent: Option<Box<Change>>,
    },
    /// Ask an HTTP endpoint about a region; answered by [`Observation::Called`].
    Call {
        /// The region.
        place: Place,
        /// The question.
        call: Box<HttpCall>,
    },
    /// Try a lost cluster again now.
    Reconnect(ClusterIx),
    /// Tell people who do not look; never waited for. Only a guard asks for it.
    Notify(Box<Notice>),
}

/// A line for the journal about a plan that was opened.
#[derive(Clone, Debug)]
pub struct Note {
    /// The plan.
    pub plan: PlanId,
    /// What happened.
    pub what: NoteKind,
}

/// What a journal line says.
#[derive(Clone, Debug, PartialEq)]
pub enum NoteKind {
    /// A step is about to start.
    StepStarted {
        /// Which.
        step: usize,
    },
    /// A write was answered.
    Answered {
        /// Which step.
        step: usize,
        /// Which write.
        write: usize,
        /// In one line.
        answer: Text,
    },
    /// A step came to its end.
    StepEnded {
        /// Which.
        step: usize,
        /// `settled`, `diverged`, `unknown`, `refused`, `failed`, `cancelled`.
        outcome: Text,
        /// Why.
        why: Text,
    },
    /// The operation came to its end.
    Closed {
        /// `settled`, `diverged`, `unknown`, `refused`, `cancelled`.
        outcome: Text,
        /// Why.
        why: Text,
    },
}

/// A message for the engine.
#[derive(Debug)]
pub enum Msg {
    /// Something was seen.
    Seen(Observation),
    /// An answer to an effect.
    Reply(Reply),
    /// Time passes: at least once a second.
    Tick,
}

/// An answer to an effect.
#[derive(Debug)]
pub enum Reply {
    /// To [`Effect::Fetch`]; none: absent.
    Fetched {
        /// The question.
        ticket: Ticket,
        /// The object.
        result: Result<Option<Value>, LostReason>,
    },
    /// To [`Effect::FetchList`].
    FetchedList {
        /// The question.
        ticket: Ticket,
        /// The objects.
        result: Result<Vec<Value>, LostReason>,
    },
    /// To [`Effect::DryRun`].
    DryRan {
        /// The question.
        ticket: Ticket,
        /// What the server would have done; with the object as it would be.
        result: ActResult,
    },
    /// To [`Effect::Journal`]: durable, with the journal's head; or why not.
    Journaled {
        /// The plan.
        plan: PlanId,
        /// Head of the journal, or why the entry is not durable. A lowering plan goes on regardless.
        result: Result<Text, Text>,
    },
    /// To [`Effect::Act`].
    Acted {
        /// The plan.
        plan: PlanId,
        /// Which step.
        step: usize,
        /// Which write.
        write: usize,
        /// What the server said.
        result: ActResult,
    },
    /// To [`Effect::Keep`].
    Kept {
        /// The question.
        ticket: Ticket,
        /// What the server said.
        result: ActResult,
    },
    /// To [`Effect::Logs`].
    Logged {
        /// The region.
        place: Place,
        /// The pod.
        pod: Text,
        /// Lines, made visible, or why there are none.
        result: Result<Vec<Text>, LostReason>,
    },
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum ActResult {
    /// Accepted: not yet done.
    Accepted {
        /// The object as the server returned it.
        object: Option<Box<Value>>,
        /// The server's audit id.
        audit: Option<Text>,
        /// `Warning` headers.
        warnings: Vec<Text>,
    },
    /// 404: the object is absent.
    Absent(Text),
    /// A bare 422: a precondition in the request failed. Changed since it was looked at.
    Changed,
    /// Refused by the server: admission, validation, rights, conflict.
    Refused {
        /// HTTP status.
        code: u16,
        /// Reason and message, made visible.
        message: Text,
    },
    /// Not sent: no connection. Nothing can have happened.
    NotSent(Text),
    /// Sent, and the reply was lost: it may have happened. Resolved by reading, never by sending again.
    Unknown(Text),
}

impl ActResult {
    /// The answer in one line, for the journal.
    pub fn text(&self) -> Text {
        match self {
            ActResult::Accepted { audit, warnings, .. } => {
                let audit = audit.as_ref().map(|a| format!(" audit-id {a}")).unwrap_or_default();
                let warnings =
                    if warnings.is_empty() { String::new() } else { format!(" warnings: {}", warnings.join("; ")) };
                format!("accepted{audit}{warnings}").into()
            }
            ActResult::Absent(what) => format!("absent: {what}").into(),
            ActResult::Changed => "precondition failed: changed since it was looked at".into(),
            ActResult::Refused { code, message } => format!("refused {code}: {message}").into(),
            ActResult::NotSent(why) => format!("not sent: {why}").into(),
            ActResult::Unknown(why) => format!("unknown: {why}").into(),
        }
    }
}
