//! What a delivery tool says of a region: it brings what a repository holds into a cluster, and keeps it so.

use std::time::Duration;

use super::id::{Text, Uid};
use super::stamp::{SignedDuration, Timestamp, short};

/// One object of a delivery tool, e.g. an Application of Argo CD: slim, since thousands are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// `metadata.uid`.
    pub uid: Uid,
    /// Whether the cluster has what the repository wants.
    pub sync: Sync,
    /// How what it brought is, in the tool's eyes.
    pub health: Health,
    /// Where it takes what it brings from; more than one where the tool composes them.
    pub sources: Box<[Source]>,
    /// What the cluster was compared with last: a revision per source.
    pub revisions: Box<[Text]>,
    /// The newest entry of its history.
    pub deployed: Option<Deployed>,
    /// It brings changes by itself; absent: only when somebody asks.
    pub automated: Option<Automated>,
    /// What it is doing, or did last.
    pub operation: Option<Operation>,
    /// Errors that it reports of itself, `Type: message`.
    pub troubles: Box<[Text]>,
    /// `automated` as JSON, to take it away and to put it back as it was.
    pub automation: Option<Text>,
    /// What made it, and would put a change of it back: an ApplicationSet's name.
    pub generated_by: Option<Text>,
    /// Its own place among sync waves, if somebody gave it one.
    pub wave: Option<Text>,
    /// The tool was told to leave it alone: what it says does not change any more.
    pub ignored: bool,
    /// It is being deleted.
    pub deleting: bool,
}

/// Whether the cluster has what the repository wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// It has.
    Synced,
    /// Something differs.
    OutOfSync,
    /// The tool cannot tell.
    Unknown,
}

/// How what was brought is, in the tool's eyes; the worst of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Healthy,
    /// Something is paused.
    Suspended,
    /// Something rolls out.
    Progressing,
    /// Something is not there.
    Missing,
    /// Something failed.
    Degraded,
    /// The tool cannot tell.
    Unknown,
}

/// Where it takes what it brings from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name, where sources have names.
    pub name: Option<Text>,
    /// The repository.
    pub repository: Text,
    /// The branch, tag or version that it follows; absent: the default branch.
    pub target: Option<Text>,
}

/// What was brought last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// Its number in the history.
    pub id: i64,
    /// A revision per source.
    pub revisions: Box<[Text]>,
    /// When.
    pub at: Option<Timestamp>,
}

/// How it brings changes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Automated {
    /// It puts back what others change in the cluster.
    pub self_heal: bool,
    /// It deletes what the repository does not hold any more.
    pub prune: bool,
    /// It looks again so often, and puts back what it heals only then; none: at once.
    pub every: Option<Duration>,
}

/// One operation: what the tool is doing, or did last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Where it stands.
    pub phase: OperationPhase,
    /// What it says.
    pub message: Option<Text>,
    /// Who asked for it; absent: the tool itself.
    pub by: Option<Text>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationPhase {
    /// It was asked for, and has not begun.
    Requested,
    /// It runs.
    Running,
    /// It was told to end.
    Terminating,
    /// It was done.
    Succeeded,
    /// Something could not be brought.
    Failed,
    /// It could not be tried.
    Error,
}

impl Sync {
    /// As the tool writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Synced => "Synced",
            Self::OutOfSync => "OutOfSync",
            Self::Unknown => "Unknown",
        }
    }
}

impl Health {
    /// As the tool writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Suspended => "Suspended",
            Self::Progressing => "Progressing",
            Self::Missing => "Missing",
            Self::Degraded => "Degraded",
            Self::Unknown => "Unknown",
        }
    }
}

impl OperationPhase {
    /// As the tool writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requested => "Requested",
            Self::Running => "Running",
            Self::Terminating => "Terminating",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Error => "Error",
        }
    }

    /// Nothing else may be asked of the tool meanwhile.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Running | Self::Terminating)
    }
}

impl Delivery {
    /// What becomes of a direct write to what it brings.
    pub fn after_a_write(&self) -> &'static str {
        match self.automated {
            _ if self.ignored => "leaves it, as long as it is told to leave this application alone",
            _ if self.deleting => "is deleting that application: what becomes of this write is not known",
            Some(Automated { self_heal: true, every: Some(_), .. }) => "puts it back at its next round",
            Some(Automated { self_heal: true, .. }) => "puts it back within seconds (self-heal is on)",
            Some(_) => "puts it back when it brings the next revision (automated, without self-heal)",
            None => "puts it back when somebody syncs it (not automated)",
        }
    }

    /// A direct write does not last: the tool itself undoes it, without anybody asking.
    pub fn heals(&self) -> bool {
        !self.ignored && !self.deleting && self.automated.is_some_and(|a| a.self_heal)
    }

    /// `automated, self-heal, prune`, or `by hand`.
    pub fn policy(&self) -> String {
        let Some(automated) = self.automated else { return "by hand".to_owned() };
        let heal = if automated.self_heal { ", self-heal" } else { "" };
        let prune = if automated.prune { ", prune" } else { "" };
        let every = automated.every.and_then(|every| SignedDuration::try_from(every).ok());
        let every = every.map(|every| format!(", every {}", short(every))).unwrap_or_default();
        format!("automated{heal}{prune}{every}")
    }

    /// `v2.1.0`, or one per source: what it follows.
    pub fn follows(&self) -> String {
        let one = |s: &Source| {
            let target = s.target.as_deref().unwrap_or("HEAD");
            s.name.as_ref().map_or_else(|| target.to_owned(), |name| format!("{name} {target}"))
        };
        self.sources.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}
