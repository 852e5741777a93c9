//! The part of a Rollout that is read. What versions of the controller write differently is taken either way.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::domain::id::Text;
use crate::domain::stamp::{Timestamp, parse_duration};
use crate::domain::text::safe;
use crate::kinds::Metadata;

/// Longest name of a step that is kept.
const LONGEST: usize = 80;

#[derive(Deserialize)]
pub(super) struct Object {
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
    #[serde(default)]
    pub(super) status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(default)]
    pub(super) replicas: Option<u32>,
    #[serde(default)]
    pub(super) paused: bool,
    #[serde(default)]
    pub(super) progress_deadline_seconds: Option<u64>,
    #[serde(default)]
    pub(super) restart_at: Option<Text>,
    #[serde(default)]
    pub(super) template: Option<Value>,
    #[serde(default)]
    pub(super) workload_ref: Option<WorkloadRef>,
    #[serde(default)]
    pub(super) strategy: Strategy,
}

#[derive(Deserialize)]
pub(super) struct WorkloadRef {
    #[serde(default)]
    pub(super) kind: Text,
    #[serde(default)]
    pub(super) name: Text,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Strategy {
    pub(super) canary: Option<Canary>,
    pub(super) blue_green: Option<BlueGreen>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Canary {
    #[serde(default)]
    pub(super) steps: Option<Vec<Step>>,
    #[serde(default)]
    pub(super) traffic_routing: Option<Router>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Router {
    #[serde(default)]
    max_traffic_weight: Option<u32>,
    #[serde(default)]
    istio: Value,
    #[serde(default)]
    plugins: Value,
}

impl Router {
    /// Routes whose weights it writes, by kind and name.
    fn steers(&self) -> Vec<(Text, Text)> {
        let mut found = Vec::new();
        let mut add = |kind: &str, value: Option<&Value>| {
            if let Some(name) = value.and_then(Value::as_str).filter(|n| !n.is_empty()) {
                found.push((kind.into(), safe(name, 253).into()));
            }
        };
        let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
        add("VirtualService", self.istio.pointer("/virtualService/name"));
        for named in list(self.istio.get("virtualServices")) {
            add("VirtualService", named.get("name"));
        }
        let gateway = self.plugins.get("argoproj-labs/gatewayAPI").cloned().unwrap_or_default();
        for (kind, one, several) in [("HTTPRoute", "httpRoute", "httpRoutes"), ("GRPCRoute", "grpcRoute", "grpcRoutes")]
        {
            add(kind, gateway.get(one));
            for named in list(gateway.get(several)) {
                add(kind, named.get("name"));
            }
        }
        found
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlueGreen {
    #[serde(default)]
    pub(super) auto_promotion_enabled: Option<bool>,
    #[serde(default)]
    pub(super) auto_promotion_seconds: Option<u64>,
    #[serde(default)]
    pub(super) post_promotion_analysis: Option<Value>,
}

/// One step, as its one key and what stands there.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Step(serde_json::Map<String, Value>);

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    /// A number as text; older controllers wrote a hash.
    #[serde(deserialize_with = "number")]
    pub(super) observed_generation: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) workload_observed_generation: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) current_step_index: Option<i64>,
    pub(super) phase: Text,
    pub(super) message: Text,
    pub(super) abort: bool,
    pub(super) promote_full: bool,
    pub(super) controller_pause: bool,
    pub(super) pause_conditions: Option<Vec<PauseCondition>>,
    pub(super) current_pod_hash: Text,
    #[serde(rename = "stableRS")]
    pub(super) stable_rs: Text,
    pub(super) replicas: u32,
    pub(super) updated_replicas: u32,
    pub(super) ready_replicas: u32,
    pub(super) available_replicas: u32,
    pub(super) restarted_at: Option<Text>,
    pub(super) conditions: Vec<Condition>,
    pub(super) canary: CanaryStatus,
    pub(super) blue_green: BlueGreenStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PauseCondition {
    #[serde(default)]
    pub(super) reason: Text,
    #[serde(default)]
    pub(super) start_time: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: Text,
    #[serde(default)]
    pub(super) status: Text,
    #[serde(default)]
    pub(super) reason: Text,
    #[serde(default)]
    pub(super) message: Text,
    #[serde(default)]
    pub(super) last_update_time: Option<Timestamp>,
    #[serde(default)]
    pub(super) last_transition_time: Option<Timestamp>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CanaryStatus {
    pub(super) current_step_analysis_run_status: Option<RunStatus>,
    pub(super) current_background_analysis_run_status: Option<RunStatus>,
    pub(super) current_experiment: Option<Text>,
    pub(super) weights: Option<Weights>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Weights {
    pub(super) canary: Weight,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Weight {
    pub(super) weight: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BlueGreenStatus {
    pub(super) active_selector: Option<Text>,
    pub(super) preview_selector: Option<Text>,
    pub(super) pre_promotion_analysis_run_status: Option<RunStatus>,
    pub(super) post_promotion_analysis_run_status: Option<RunStatus>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RunStatus {
    pub(super) name: Text,
    pub(super) status: Text,
    pub(super) message: Text,
}

/// A number, also as text; anything else is none.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let value = Option::<Value>::deserialize(from)?;
    Ok(value.and_then(|v| v.as_i64().or_else(|| v.as_str()?.parse().ok())))
}

impl Step {
    /// As `kubectl argo rollouts` prints it; a step that is not known is called `unknown`.
    pub(super) fn label(&self) -> String {
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        let named = |key: &str, v: &Value| format!("{key}: {}", v.get("name").map(&text).unwrap_or_default());
        let label = match self.only() {
            Some(("setWeight", weight)) => format!("setWeight: {}", text(weight)),
            Some(("pause", pause)) => match pause.get("duration") {
                Some(duration) => format!("pause: {}", text(duration)),
                None => "pause".to_owned(),
            },
            Some((key @ ("experiment" | "analysis"), _)) => key.to_owned(),
            Some(("setCanaryScale", scale)) => {
                let first = scale.as_object().and_then(|m| m.iter().next());
                first
                    .map_or_else(|| "setCanaryScale".to_owned(), |(k, v)| format!("setCanaryScale{{{k}: {}}}", text(v)))
            }
            Some((key @ ("plugin" | "setHeaderRoute" | "setMirrorRoute"), v)) => named(key, v),
            Some((key, _)) => format!("unknown: {key}"),
            None => "unknown".to_owned(),
        };
        safe(&label, LONGEST)
    }

    fn only(&self) -> Option<(&str, &Value)> {
        let mut keys = self.0.iter().filter(|(_, v)| !v.is_null());
        keys.next().map(|(key, value)| (key.as_str(), value))
    }

    pub(super) fn weight(&self) -> Option<u32> {
        self.0.get("setWeight").and_then(Value::as_u64).and_then(|w| u32::try_from(w).ok())
    }

    /// A pause, with its length; none in it: until somebody ends it. The controller takes a number as
    /// seconds, also where it is written as text.
    pub(super) fn pause(&self) -> Option<Option<Duration>> {
        let pause = self.0.get("pause").filter(|p| !p.is_null())?;
        let length = |v: &Value| match v {
            Value::String(text) => text.parse().ok().map(Duration::from_secs).or_else(|| parse_duration(text)),
            number => number.as_u64().map(Duration::from_secs),
        };
        Some(pause.get("duration").and_then(length))
    }

    /// It may take as long as it likes: no deadline runs while it does.
    pub(super) fn is_open_ended(&self) -> bool {
        matches!(self.only(), Some(("pause" | "analysis" | "experiment", _)))
    }
}

impl Object {
    /// Steps of a canary; none for blue-green.
    pub(super) fn steps(&self) -> &[Step] {
        self.spec.strategy.canary.as_ref().and_then(|c| c.steps.as_deref()).unwrap_or_default()
    }

    /// Steps that are done.
    pub(super) fn done(&self) -> usize {
        let index = self.status.current_step_index.and_then(|i| usize::try_from(i).ok()).unwrap_or(0);
        index.min(self.steps().len())
    }

    /// The step that it is at; none: all are done, or there are none.
    pub(super) fn step(&self) -> Option<&Step> {
        self.steps().get(self.done())
    }

    /// What 100 % is.
    pub(super) fn most(&self) -> u32 {
        let router = self.spec.strategy.canary.as_ref().and_then(|c| c.traffic_routing.as_ref());
        router.and_then(|r| r.max_traffic_weight).unwrap_or(100)
    }

    /// Routes whose weights the controller writes itself.
    pub(super) fn steers(&self) -> Vec<(Text, Text)> {
        let router = self.spec.strategy.canary.as_ref().and_then(|c| c.traffic_routing.as_ref());
        router.map(Router::steers).unwrap_or_default()
    }

    pub(super) fn is_routed(&self) -> bool {
        self.spec.strategy.canary.as_ref().is_some_and(|c| c.traffic_routing.is_some())
    }

    pub(super) fn pauses(&self) -> &[PauseCondition] {
        self.status.pause_conditions.as_deref().unwrap_or_default()
    }

    /// The newest revision is the one that is known to be good.
    pub(super) fn is_promoted(&self) -> bool {
        !self.status.stable_rs.is_empty() && self.status.stable_rs == self.status.current_pod_hash
    }

    /// Weight that the steps ask for.
    pub(super) fn set_weight(&self) -> u32 {
        if self.status.abort {
            return 0;
        }
        if self.step().is_none() {
            return self.most();
        }
        self.steps().iter().take(self.done() + 1).rev().find_map(Step::weight).unwrap_or(0)
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|c| &*c.kind == kind)
    }

    /// Everything that is asked of analyses now, with what for.
    pub(super) fn analyses(&self) -> impl Iterator<Item = (&'static str, &RunStatus)> {
        let (canary, blue_green) = (&self.status.canary, &self.status.blue_green);
        [
            ("step", &canary.current_step_analysis_run_status),
            ("background", &canary.current_background_analysis_run_status),
            ("before the switch", &blue_green.pre_promotion_analysis_run_status),
            ("after the switch", &blue_green.post_promotion_analysis_run_status),
        ]
        .into_iter()
        .filter_map(|(what, run)| Some((what, run.as_ref()?)))
    }
}

/// Labels as an object has them.
pub(super) fn labels(object: &Value) -> BTreeMap<&str, &str> {
    let all = object.pointer("/metadata/labels").and_then(Value::as_object);
    all.into_iter().flatten().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?))).collect()
}
