//! `GlobalAccelerator` of `aga.k8s.aws/v1beta1`, the AWS Load Balancer Controller's: traffic dials of endpoint groups.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{BackendName, Entry, NamedRoute, Object, RouteError, Sharing, TrafficProvider, named, weigh};
use crate::domain::change::ApiType;
use crate::domain::fleet::RouteRef;
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::workload::{Backend, Route};

/// Listeners are rules, endpoint groups by their AWS region are backends. A dial is the share, in percent, of the
/// traffic that would go to its region anyway; what it turns away goes to the next best. Where all dials are 0,
/// traffic goes on as if none were.
pub struct GlobalAccelerator;

/// What a dial that is not written counts as.
const OPEN: u32 = 100;

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    listeners: Option<Vec<Listener>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listener {
    #[serde(default)]
    endpoint_groups: Option<Vec<Group>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    #[serde(default)]
    region: Option<Text>,
    #[serde(default)]
    traffic_dial_percentage: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    observed_generation: Option<i64>,
    #[serde(default)]
    status: Option<Text>,
}

impl TrafficProvider for GlobalAccelerator {
    fn name(&self) -> &'static str {
        "GlobalAccelerator"
    }

    fn api(&self) -> ApiType {
        ApiType::new("aga.k8s.aws", "v1beta1", "globalaccelerators", "GlobalAccelerator")
    }

    fn backends(&self) -> BackendName {
        BackendName::AwsRegion
    }

    fn sharing(&self) -> Sharing {
        Sharing::Dial
    }

    fn propagation(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError> {
        let object = Object::<Spec, Status>::parsed(object)?;
        let trouble = trouble(&object);
        let owner = object.metadata.owner();
        let dial = |g: Group| {
            // A group without a region lies in the cluster's own, which its object does not say.
            let name = g.region?;
            Some(Backend { name, weight: g.traffic_dial_percentage.unwrap_or(OPEN) })
        };
        let groups = |l: Listener| l.endpoint_groups.unwrap_or_default().into_iter().filter_map(dial).collect();
        let rules = object.spec.listeners.unwrap_or_default().into_iter().map(groups).collect();
        Ok(named(object.metadata, |uid| Route::of(uid, rules, owner, trouble)))
    }

    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError> {
        if weight > OPEN {
            let why = format!("GlobalAccelerator {}: a dial goes from 0 to {OPEN}, not to {weight}", route.name);
            return Err(RouteError(why));
        }
        let list = format!("/spec/listeners/{}/endpointGroups", route.rule);
        let region = |entry: &Value| entry.get("region").and_then(Value::as_str).map(str::to_owned);
        weigh(object, route, &Entry { list: &list, field: "trafficDialPercentage", weight }, region)
    }
}

/// What the controller, or AWS, has not done yet.
fn trouble(object: &Object<Spec, Status>) -> Option<Text> {
    let status = &object.status;
    if status.observed_generation.is_some_and(|g| g < object.metadata.generation) {
        return Some("the newest dials are not yet observed by the controller".into());
    }
    let text = status.status.as_deref().filter(|s| *s != "DEPLOYED" && !s.is_empty())?;
    Some(safe(&format!("the accelerator is {text}"), 300).into())
}
