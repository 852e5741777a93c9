//! The controllers of a simulated cluster, as pure functions over objects.
//!
//! Each takes what it sees and the time, and returns what it would write; the step loop
//! (`world`) applies the writes and calls again. Facts about the real ones come from
//! Kubernetes' documentation and the behaviour of `pkg/controller/deployment`.

/// Applications of Argo CD: what a repository holds is brought, and kept so.
pub mod application;
/// DaemonSets: one pod per node, replaced a few nodes at a time.
pub mod daemonset;
/// Deployment: revisions, rolling updates, pauses, deadlines.
pub mod deployment;
/// Events as the controllers record them.
pub mod events;
/// Names of pod templates.
pub mod hash;
/// Autoscalers.
pub mod hpa;
/// A pod's life.
pub mod pod;
/// A pod as an API object.
pub mod pod_object;
/// ReplicaSets: make and take pods, and count them.
pub mod replicaset;
/// ControllerRevisions of StatefulSets and DaemonSets.
pub mod revision;
/// Argo Rollouts: steps, pauses, analyses, aborts, and the switch of a blue-green.
pub mod rollout;
/// How a Deployment's replicas are shared out among its ReplicaSets.
pub mod scaling;
/// StatefulSets: named pods in order, partitions.
pub mod statefulset;
/// A Deployment's status and conditions.
pub mod status;
/// The fields of Deployments and ReplicaSets that controllers read.
pub mod view;

use jiff::{SignedDuration, Timestamp};

/// A time as `metav1.Time` writes it: whole seconds, UTC.
#[must_use]
pub fn stamp(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// `at + span`, at most the end of time.
#[must_use]
pub fn after(at: Timestamp, span: SignedDuration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
