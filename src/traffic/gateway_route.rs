//! `HTTPRoute` and `GRPCRoute` of `gateway.networking.k8s.io/v1`: weights of a rule's backendRefs.

use serde::Deserialize;
use serde_json::Value;

use super::{Entry, NamedRoute, Object, RouteError, TrafficProvider, named, weigh};
use crate::domain::change::ApiType;
use crate::domain::fleet::RouteRef;
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::workload::{Backend, Route};

/// Routes of the Gateway API. A weight's share is weight / sum; 0 means no traffic; the
/// default is 1. All weights 0 gives 500s, so the last non-zero one is never set to 0.
pub struct GatewayRoute {
    kind: &'static str,
    plural: &'static str,
}

/// HTTPRoutes.
pub const HTTP_ROUTE: GatewayRoute = GatewayRoute { kind: "HTTPRoute", plural: "httproutes" };
/// GRPCRoutes: their rules match methods, and weigh backends as those of HTTPRoutes do.
pub const GRPC_ROUTE: GatewayRoute = GatewayRoute { kind: "GRPCRoute", plural: "grpcroutes" };

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    backend_refs: Vec<BackendRef>,
}

#[derive(Deserialize)]
struct BackendRef {
    name: Text,
    #[serde(default)]
    weight: Option<u32>,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    parents: Vec<Parent>,
}

#[derive(Deserialize)]
struct Parent {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: Text,
    status: Text,
    #[serde(default)]
    observed_generation: Option<i64>,
    #[serde(default)]
    reason: Text,
    #[serde(default)]
    message: Text,
}

impl TrafficProvider for GatewayRoute {
    fn name(&self) -> &'static str {
        self.kind
    }

    fn api(&self) -> ApiType {
        ApiType::new("gateway.networking.k8s.io", "v1", self.plural, self.kind)
    }

    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError> {
        let object = Object::<Spec, Status>::parsed(object)?;
        let trouble = trouble(&object);
        let rules = object.spec.rules.into_iter().map(|rule| {
            rule.backend_refs.into_iter().map(|b| Backend { name: b.name, weight: b.weight.unwrap_or(1) }).collect()
        });
        let owner = object.metadata.owner();
        let rules = rules.collect();
        Ok(named(object.metadata, |uid| Route::of(uid, rules, owner, trouble)))
    }

    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError> {
        let list = format!("/spec/rules/{}/backendRefs", route.rule);
        weigh(object, route, &Entry { list: &list, field: "weight", weight }, |backend| {
            backend.get("name").and_then(Value::as_str).map(str::to_owned)
        })
    }
}

/// Accepted and ResolvedRefs must be true for the newest generation.
fn trouble(object: &Object<Spec, Status>) -> Option<Text> {
    let conditions = || object.status.parents.iter().flat_map(|p| &p.conditions);
    let wrong = conditions().find(|c| matches!(&*c.kind, "Accepted" | "ResolvedRefs") && &*c.status != "True");
    if let Some(c) = wrong {
        return Some(safe(&format!("{} is {}: {} {}", c.kind, c.status, c.reason, c.message), 300).into());
    }
    conditions()
        .any(|c| c.observed_generation.is_some_and(|g| g < object.metadata.generation))
        .then(|| "the newest weights are not yet observed by the gateway".into())
}
