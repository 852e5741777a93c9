//! The fields of Deployments and ReplicaSets that controllers read, with the API's defaults.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// Annotation with the revision of a Deployment or ReplicaSet.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Annotation with the earlier revisions of a ReplicaSet that was rolled back to.
pub const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// Annotation with the Deployment's size when it last sized this ReplicaSet.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// Annotation with the Deployment's size plus surge when it last sized this ReplicaSet.
pub const MAX_REPLICAS: &str = "deployment.kubernetes.io/max-replicas";
/// `kubectl apply`'s annotation; never copied to ReplicaSets.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Label that tells the pods of one template from those of another.
pub const TEMPLATE_HASH: &str = "pod-template-hash";

/// String map of labels or annotations.
pub type StringMap = BTreeMap<String, String>;

/// `metadata`, as far as controllers look at it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
    /// Unique id.
    pub uid: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// When it was made.
    pub creation_timestamp: Option<Timestamp>,
    /// When somebody asked to delete it.
    pub deletion_timestamp: Option<Timestamp>,
    /// Labels.
    pub labels: StringMap,
    /// Annotations.
    pub annotations: StringMap,
    /// Who owns it.
    pub owner_references: Vec<Owner>,
}

/// One owner reference.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owner {
    /// The owner's uid.
    pub uid: String,
    /// Whether the owner is the controller.
    pub controller: bool,
}

impl Meta {
    /// The revision annotation as a number; 0 when missing, none when it is no number.
    #[must_use]
    pub fn revision(&self) -> Option<i64> {
        self.annotations.get(REVISION).map_or(Some(0), |text| text.parse().ok())
    }

    /// Whether `uid` controls this object.
    #[must_use]
    pub fn controlled_by(&self, uid: &str) -> bool {
        self.owner_references.iter().any(|owner| owner.controller && owner.uid == uid)
    }
}

/// A count or a percentage: `3` or `"25%"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum IntOrPercent {
    /// A count.
    Count(i64),
    /// A percentage with its sign.
    Percent(String),
}

/// Which way a percentage of pods is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Towards more pods (surge).
    Up,
    /// Towards fewer pods (unavailable).
    Down,
}

impl IntOrPercent {
    /// The number of pods out of `total`; text that is no percentage counts as 0.
    #[must_use]
    pub fn of(&self, total: i64, round: Round) -> i64 {
        match self {
            Self::Count(count) => *count,
            Self::Percent(text) => {
                let percent: i64 = text.trim_end_matches('%').trim().parse().unwrap_or(0);
                let scaled = percent.saturating_mul(total);
                match round {
                    Round::Up => scaled.saturating_add(99) / 100,
                    Round::Down => scaled / 100,
                }
            }
        }
    }
}

/// How old pods are replaced.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StrategyText {
    #[serde(rename = "type")]
    kind: String,
    rolling_update: RollingUpdate,
}

impl Default for StrategyText {
    fn default() -> Self {
        Self { kind: "RollingUpdate".into(), rolling_update: RollingUpdate::default() }
    }
}

/// Limits of a rolling update.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RollingUpdate {
    /// Pods above the wanted size.
    pub max_surge: IntOrPercent,
    /// Pods below the wanted size.
    pub max_unavailable: IntOrPercent,
}

impl Default for RollingUpdate {
    fn default() -> Self {
        let quarter = IntOrPercent::Percent("25%".into());
        Self { max_surge: quarter.clone(), max_unavailable: quarter }
    }
}

/// How old pods are replaced by new ones.
#[derive(Debug, Clone, PartialEq)]
pub enum Strategy {
    /// A few at a time.
    Rolling(RollingUpdate),
    /// All old ones go before the first new one comes.
    Recreate,
}

/// A condition of a Deployment or ReplicaSet.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// `Progressing`, `Available`, `ReplicaFailure`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// One word that says why.
    pub reason: String,
    /// A sentence that says why.
    pub message: String,
    /// When the controller last touched it.
    pub last_update_time: Timestamp,
    /// When `status` last changed.
    pub last_transition_time: Timestamp,
}

impl Default for Condition {
    fn default() -> Self {
        Self {
            kind: String::new(),
            status: String::new(),
            reason: String::new(),
            message: String::new(),
            last_update_time: Timestamp::UNIX_EPOCH,
            last_transition_time: Timestamp::UNIX_EPOCH,
        }
    }
}

/// `status` of a Deployment or ReplicaSet.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// Generation the controller has seen.
    pub observed_generation: i64,
    /// Pods that exist and are not terminating.
    pub replicas: i64,
    /// Of these, pods of the newest template (Deployments only).
    pub updated_replicas: i64,
    /// Of these, ready pods.
    pub ready_replicas: i64,
    /// Of these, pods ready for `minReadySeconds`.
    pub available_replicas: i64,
    /// Pods missing (Deployments only).
    pub unavailable_replicas: i64,
    /// Pods that carry all labels of the template (ReplicaSets only).
    pub fully_labeled_replicas: i64,
    /// Conditions, in the order in which they were set.
    pub conditions: Vec<Condition>,
}

impl Status {
    /// The condition of that type.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.kind == kind)
    }
}

/// A Deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Metadata.
    pub meta: Meta,
    /// Pods wanted.
    pub replicas: i64,
    /// `spec.selector.matchLabels`.
    pub selector: StringMap,
    /// The pod template, whole.
    pub template: Value,
    /// How pods are replaced.
    pub strategy: Strategy,
    /// Whether rollouts stand still.
    pub paused: bool,
    /// Seconds a pod must be ready to count as available.
    pub min_ready_seconds: i64,
    /// Old ReplicaSets to keep.
    pub revision_history_limit: i64,
    /// Seconds without progress after which a rollout counts as stuck; none: no limit.
    pub progress_deadline_seconds: Option<i64>,
    /// Status as last written.
    pub status: Status,
}

/// A ReplicaSet.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaSet {
    /// Metadata.
    pub meta: Meta,
    /// Pods wanted.
    pub replicas: i64,
    /// The pod template, whole, with its hash label.
    pub template: Value,
    /// Seconds a pod must be ready to count as available.
    pub min_ready_seconds: i64,
    /// Status as last written.
    pub status: Status,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SpecText {
    replicas: Option<i64>,
    selector: SelectorText,
    template: Value,
    strategy: StrategyText,
    paused: bool,
    min_ready_seconds: i64,
    revision_history_limit: Option<i64>,
    progress_deadline_seconds: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SelectorText {
    match_labels: StringMap,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ObjectText {
    metadata: Meta,
    spec: SpecText,
    status: Status,
}

/// Value of `progressDeadlineSeconds` that means "no deadline" (the largest 32-bit integer).
const NO_DEADLINE: i64 = i32::MAX as i64;

impl Deployment {
    /// Reads a Deployment; fields that are missing get the API's defaults.
    ///
    /// # Errors
    /// When a field has another type than the API gives it.
    pub fn read(object: &Value) -> Result<Self, serde_json::Error> {
        let text = ObjectText::deserialize(object)?;
        let strategy = if text.spec.strategy.kind == "Recreate" {
            Strategy::Recreate
        } else {
            Strategy::Rolling(text.spec.strategy.rolling_update)
        };
        Ok(Self {
            meta: text.metadata,
            replicas: text.spec.replicas.unwrap_or(1),
            selector: text.spec.selector.match_labels,
            template: text.spec.template,
            strategy,
            paused: text.spec.paused,
            min_ready_seconds: text.spec.min_ready_seconds,
            revision_history_limit: text.spec.revision_history_limit.unwrap_or(10),
            progress_deadline_seconds: match text.spec.progress_deadline_seconds.unwrap_or(600) {
                NO_DEADLINE => None,
                seconds => Some(seconds),
            },
            status: text.status,
        })
    }
}

impl ReplicaSet {
    /// Reads a ReplicaSet; fields that are missing get the API's defaults.
    ///
    /// # Errors
    /// When a field has another type than the API gives it.
    pub fn read(object: &Value) -> Result<Self, serde_json::Error> {
        let text = ObjectText::deserialize(object)?;
        Ok(Self {
            meta: text.metadata,
            replicas: text.spec.replicas.unwrap_or(1),
            template: text.spec.template,
            min_ready_seconds: text.spec.min_ready_seconds,
            status: text.status,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn percentages_of_pods_round_up_for_surge_and_down_for_unavailable() {
        let quarter = IntOrPercent::Percent("25%".into());
        assert_eq!(quarter.of(10, Round::Up), 3);
        assert_eq!(quarter.of(10, Round::Down), 2);
        assert_eq!(quarter.of(12, Round::Up), 3);
        assert_eq!(IntOrPercent::Count(4).of(10, Round::Up), 4);
    }

    #[test]
    fn what_a_deployment_does_not_say_has_the_apis_defaults() {
        let read = Deployment::read(&json!({"metadata": {"name": "webapp"}, "spec": {}})).unwrap();
        assert_eq!(read.replicas, 1);
        assert_eq!(read.progress_deadline_seconds, Some(600));
        assert_eq!(read.revision_history_limit, 10);
        assert_eq!(read.strategy, Strategy::Rolling(RollingUpdate::default()));
        let unlimited = json!({"spec": {"progressDeadlineSeconds": 2_147_483_647}});
        assert_eq!(Deployment::read(&unlimited).unwrap().progress_deadline_seconds, None);
    }
}
