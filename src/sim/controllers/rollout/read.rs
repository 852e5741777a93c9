//! The part of Rollouts and AnalysisRuns that their controller reads.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::sim::controllers::hash::template_hash;
use crate::sim::controllers::view::{IntOrPercent, Meta, Round, StringMap};

/// A Rollout.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    /// Metadata.
    pub meta: Meta,
    /// Pods wanted.
    pub replicas: i64,
    /// `spec.selector.matchLabels`.
    pub selector: StringMap,
    /// The pod template, whole.
    pub template: Value,
    /// Whether a person has stopped it.
    pub paused: bool,
    /// Seconds a pod must be ready to count as available.
    pub min_ready_seconds: i64,
    /// Seconds without progress after which it counts as stuck.
    pub deadline: i64,
    /// How new pods take over.
    pub strategy: Strategy,
    /// Status as last written.
    pub status: Map<String, Value>,
}

/// How new pods take over.
#[derive(Debug, Clone, PartialEq)]
pub enum Strategy {
    /// Step by step.
    Canary {
        /// The steps.
        steps: Vec<Value>,
        /// A router gives the traffic, rather than the number of pods.
        routed: bool,
        /// Pods above the wanted size.
        surge: i64,
        /// Pods below the wanted size.
        unavailable: i64,
        /// Seconds that pods which serve nobody stay, where a router gives the traffic.
        delay: i64,
    },
    /// All at once, by a switch.
    BlueGreen {
        /// Without a person.
        auto: bool,
        /// After so many seconds; 0: at once.
        seconds: i64,
        /// Seconds that pods which serve nobody stay.
        delay: i64,
    },
    /// Neither.
    Unknown,
}

/// An AnalysisRun of a Rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// Its phase; empty before it began.
    pub phase: String,
    /// What it says.
    pub message: String,
}

impl Rollout {
    /// Reads a Rollout; fields that are missing get the API's defaults.
    ///
    /// # Errors
    /// When its metadata has another form than the API gives it.
    pub fn read(object: &Value) -> Result<Self, serde_json::Error> {
        let meta = Meta::deserialize(object.get("metadata").unwrap_or(&Value::Null))?;
        let at = |pointer: &str| object.pointer(pointer).unwrap_or(&Value::Null);
        let number = |pointer: &str, default: i64| at(pointer).as_i64().unwrap_or(default);
        let replicas = number("/spec/replicas", 1);
        let share = |pointer: &str, default: &str, round: Round| {
            let share = IntOrPercent::deserialize(at(pointer)).unwrap_or(IntOrPercent::Percent(default.into()));
            share.of(replicas, round)
        };
        let strategy = if at("/spec/strategy/canary").is_object() {
            Strategy::Canary {
                steps: at("/spec/strategy/canary/steps").as_array().cloned().unwrap_or_default(),
                routed: at("/spec/strategy/canary/trafficRouting").is_object(),
                surge: share("/spec/strategy/canary/maxSurge", "25%", Round::Up),
                unavailable: share("/spec/strategy/canary/maxUnavailable", "25%", Round::Down),
                delay: number("/spec/strategy/canary/scaleDownDelaySeconds", 30),
            }
        } else if at("/spec/strategy/blueGreen").is_object() {
            Strategy::BlueGreen {
                auto: at("/spec/strategy/blueGreen/autoPromotionEnabled") != &Value::Bool(false),
                seconds: number("/spec/strategy/blueGreen/autoPromotionSeconds", 0),
                delay: number("/spec/strategy/blueGreen/scaleDownDelaySeconds", 30),
            }
        } else {
            Strategy::Unknown
        };
        Ok(Self {
            meta,
            replicas,
            selector: StringMap::deserialize(at("/spec/selector/matchLabels")).unwrap_or_default(),
            template: at("/spec/template").clone(),
            paused: at("/spec/paused") == &Value::Bool(true),
            min_ready_seconds: number("/spec/minReadySeconds", 0),
            deadline: number("/spec/progressDeadlineSeconds", 600),
            strategy,
            status: at("/status").as_object().cloned().unwrap_or_default(),
        })
    }

    /// Steps of a canary; none of a blue-green.
    #[must_use]
    pub fn steps(&self) -> &[Value] {
        match &self.strategy {
            Strategy::Canary { steps, .. } => steps,
            _ => &[],
        }
    }

    /// Tells one list of steps from another.
    #[must_use]
    pub fn step_hash(&self) -> String {
        template_hash(&Value::Array(self.steps().to_vec()))
    }

    /// Labels of its pods.
    #[must_use]
    pub fn labels(&self) -> StringMap {
        let labels = self.template.pointer("/metadata/labels");
        labels.and_then(|l| StringMap::deserialize(l).ok()).unwrap_or_default()
    }
}

impl Run {
    /// Reads an AnalysisRun.
    #[must_use]
    pub fn read(object: &Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { name: text("/metadata/name"), phase: text("/status/phase"), message: text("/status/message") }
    }
}

/// How long a pause step lasts; none: until a person ends it.
pub(super) fn pause_length(pause: &Value) -> Option<SignedDuration> {
    let length = pause.get("duration")?;
    let seconds = length.as_i64().or_else(|| length.as_str()?.parse().ok());
    seconds.map(SignedDuration::from_secs).or_else(|| length.as_str()?.parse().ok())
}
