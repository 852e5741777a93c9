//! A workload in our words: slim, since thousands are held.

use std::time::Duration;

use super::id::{Text, Uid};
use super::stamp::{SignedDuration, Timestamp};
use super::steps::Steps;
use super::version::{Image, TemplateDigest, Version};

/// What a cluster shows of one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// `metadata.uid`: a recreated object is another object.
    pub uid: Uid,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// What runs, or is rolling out.
    pub template: TemplateDigest,
    /// Version as configured to be read (image tag, label or annotation).
    pub version: Version,
    /// Image of the configured container; absent when there is no such container.
    pub image: Option<Image>,
    /// Replica counts.
    pub replicas: Replicas,
    /// A new template would not roll out: `spec.paused`, or what the kind has in its place.
    pub paused: bool,
    /// What the controller says about the rollout.
    pub progress: Progress,
    /// Where the rollout stands.
    pub phase: Phase,
    /// `deployment.kubernetes.io/revision`.
    pub revision: Option<u64>,
    /// `kubernetes.io/change-cause`.
    pub change_cause: Option<Text>,
    /// Who would revert a direct write.
    pub owner: Option<Owner>,
    /// Digests of the template without the image, what promotions carry and what may differ: one
    /// for each set of fields that a `drift` gate lets differ.
    pub configurations: Box<[TemplateDigest]>,
}

/// Replica counts; terminating pods are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replicas {
    /// `spec.replicas`.
    pub desired: u32,
    /// `status.replicas`.
    pub total: u32,
    /// `status.updatedReplicas`.
    pub updated: u32,
    /// `status.readyReplicas`.
    pub ready: u32,
    /// `status.availableReplicas`.
    pub available: u32,
}

/// The Progressing condition, and others in trouble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// `reason` of Progressing, e.g. `NewReplicaSetAvailable`.
    pub reason: Option<Text>,
    /// `lastUpdateTime` of Progressing: the moment of completion once the reason says so.
    pub updated: Option<Timestamp>,
    /// `spec.progressDeadlineSeconds`; absent means none.
    pub deadline: Option<Duration>,
    /// Reason and message of ReplicaFailure, or the message of a missed deadline.
    pub failure: Option<Text>,
    /// Pods below this ordinal keep the revision before: `partition` of a StatefulSet; absent means none do.
    pub partition: Option<u32>,
    /// The controller's own name of the newest template: `status.updateRevision` of a StatefulSet.
    pub update_revision: Option<Text>,
    /// What may stand in the rollout's way, and what to do about it: it counts once nothing moves.
    pub snag: Option<Text>,
    /// Where a rollout stands that goes step by step.
    pub steps: Option<Box<Steps>>,
}

/// Where a rollout stands, as `kubectl rollout status` decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The controller has not seen the newest spec.
    Unobserved,
    /// Pods are being replaced.
    Progressing(Progressing),
    /// Complete.
    Complete,
    /// Complete as far as a partition lets it: the pods below it run what ran before. `kubectl rollout
    /// status` calls that done; nothing bakes on it.
    Partitioned,
    /// Pods change only when somebody deletes them; `kubectl rollout status` refuses to judge that.
    OnDelete,
    /// It has stopped at a step of its own: a pause, an analysis, an experiment, a switch to be made. Some
    /// pods may run what ran before; nothing bakes on it.
    AtStep,
    /// The controller gave it up, or cannot do what is asked of it.
    Degraded,
    /// The progress deadline passed.
    DeadlineExceeded,
}

/// A rollout that does not move for so long is said to be stuck.
pub const STUCK_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// New pods that do not become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// New pods that are ready, at least.
    pub ready: u32,
    /// New pods.
    pub new: u32,
    /// When the rollout last moved.
    pub since: Timestamp,
}

impl Stuck {
    /// `0 of 3 new pods ready for 2m`.
    pub fn text(&self, now: Timestamp) -> String {
        let minutes = now.duration_since(self.since).as_mins().max(1);
        format!("{} of {} new pods ready for {minutes}m", self.ready, self.new)
    }
}

/// Which count a rollout waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progressing {
    /// New pods are missing.
    Updating,
    /// Old pods still run.
    Terminating,
    /// New pods are not yet available.
    Availability,
}

/// Who would revert a direct write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Which system.
    pub tool: OwnerTool,
    /// Its object, e.g. the Application's name.
    pub name: Text,
}

/// Systems that put objects back as they want them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerTool {
    /// Argo CD.
    ArgoCd,
    /// Flux.
    Flux,
    /// Helm.
    Helm,
}

impl Workload {
    /// Whether the rollout is complete as far as the newest generation.
    pub fn settled(&self) -> bool {
        self.phase == Phase::Complete
    }

    /// When the last rollout completed, by the cluster's own evidence.
    ///
    /// Of a Deployment only `NewReplicaSetAvailable` tells: the controller then stops touching the
    /// time, also when scaling. `lastTransitionTime` is never used there: it stays at the
    /// first rollout's. Of an Argo Rollout it is when condition Completed turned true.
    pub fn completed_at(&self) -> Option<Timestamp> {
        match self.progress.reason.as_deref() {
            Some("NewReplicaSetAvailable" | "RolloutCompleted") if self.settled() => self.progress.updated,
            _ => None,
        }
    }

    /// New pods that do not become ready, once nothing has moved for [`STUCK_AFTER`]: how many are, of how
    /// many, and since when. The controller dates every step forward, so a console opened fresh knows too.
    pub fn stuck(&self, now: Timestamp) -> Option<Stuck> {
        let waits = matches!(self.phase, Phase::Progressing(_)) && !self.paused;
        let rolling = self.progress.reason.as_deref() != Some("NewReplicaSetAvailable");
        let since = self.progress.updated.filter(|_| waits && rolling)?;
        let old = self.replicas.total.saturating_sub(self.replicas.updated);
        let ready = self.replicas.ready.saturating_sub(old).min(self.replicas.updated);
        let long = now.duration_since(since) > STUCK_AFTER;
        (long && ready < self.replicas.updated).then_some(Stuck { ready, new: self.replicas.updated, since })
    }

    /// Whether what the controller says of the newest template is of the newest spec.
    pub fn is_observed(&self) -> bool {
        self.observed_generation >= self.generation
    }

    /// A rollout is under way: pods are being replaced, or would be if not paused.
    pub fn in_flight(&self) -> bool {
        !matches!(self.phase, Phase::Complete)
    }
}

impl Phase {
    /// One word for the board.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Unobserved => "unobserved",
            Phase::Progressing(Progressing::Updating) => "updating",
            Phase::Progressing(Progressing::Terminating) => "terminating old",
            Phase::Progressing(Progressing::Availability) => "becoming available",
            Phase::Complete => "complete",
            Phase::Partitioned => "partitioned",
            Phase::OnDelete => "on delete",
            Phase::AtStep => "at a step",
            Phase::Degraded => "degraded",
            Phase::DeadlineExceeded => "deadline exceeded",
        }
    }
}

impl OwnerTool {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            OwnerTool::ArgoCd => "Argo CD",
            OwnerTool::Flux => "Flux",
            OwnerTool::Helm => "Helm",
        }
    }
}

/// One revision of a workload, from its ReplicaSet or ControllerRevision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Name of the object that keeps it.
    pub name: Text,
    /// Revision number.
    pub number: u64,
    /// What its pods carry as `pod-template-hash` or `controller-revision-hash`.
    pub hash: Text,
    /// When that object was created: start of the rollout unless it was re-used.
    pub created: Option<Timestamp>,
    /// It was rolled back to: `created` is not the start.
    pub reused: bool,
    /// `kubernetes.io/change-cause`.
    pub cause: Option<Text>,
}

/// A pod of an opened region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Name.
    pub name: Text,
    /// Phase, e.g. `Running`.
    pub phase: Text,
    /// Ready condition.
    pub ready: bool,
    /// Restarts of all containers.
    pub restarts: u32,
    /// Node.
    pub node: Option<Text>,
    /// Its `pod-template-hash` or `controller-revision-hash`.
    pub hash: Option<Text>,
    /// Waiting or terminated reason with exit code, e.g. `CrashLoopBackOff (exit 1)`.
    pub trouble: Option<Text>,
    /// When it was created.
    pub created: Option<Timestamp>,
}

/// A route in our words: the weights behind one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// `metadata.uid`.
    pub uid: Uid,
    /// Rules, each its backends in order.
    pub rules: Vec<Vec<Backend>>,
    /// Who would revert a direct write.
    pub owner: Option<Owner>,
    /// What is wrong with it, or not yet done: refused by its controller, or not yet seen by it.
    pub trouble: Option<Text>,
    /// A backend that is not listed gets nothing: its weight is 0, and not unknown.
    pub is_closed: bool,
    /// How long clients keep the answer that brought them, where names are answered.
    pub ttl: Option<Duration>,
}

impl Route {
    /// A route whose backends are all listed, and that no name is answered by.
    pub fn of(uid: Uid, rules: Vec<Vec<Backend>>, owner: Option<Owner>, trouble: Option<Text>) -> Self {
        Self { uid, rules, owner, trouble, is_closed: false, ttl: None }
    }

    /// The weight of a backend; none: it cannot be told.
    pub fn weight(&self, rule: usize, backend: &str) -> Option<u32> {
        let found = self.rules.get(rule)?.iter().find(|b| &*b.name == backend).map(|b| b.weight);
        found.or(self.is_closed.then_some(0))
    }
}

/// One backend of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Name of the Service or ServiceImport.
    pub name: Text,
    /// Weight; the API's default is 1.
    pub weight: u32,
}
