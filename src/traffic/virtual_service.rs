//! `VirtualService` of `networking.istio.io/v1`: weights of the destinations of an HTTP route.

use serde::Deserialize;
use serde_json::Value;

use super::{BackendName, Entry, NamedRoute, Object, RouteError, TrafficProvider, named, weigh};
use crate::domain::change::ApiType;
use crate::domain::fleet::RouteRef;
use crate::domain::id::Text;
use crate::domain::text::safe;
use crate::domain::workload::{Backend, Route};

/// Istio's VirtualServices: `spec.http[RULE].route[]`. A destination is named by its host, or `host/subset`.
///
/// A weight's share is weight / sum; left out means 0, but a destination that is alone in its rule gets
/// all traffic whatever its weight says. Rules of `tcp` and `tls` are not steered.
pub struct VirtualService;

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    http: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    route: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    destination: Destination,
    #[serde(default)]
    weight: u32,
}

#[derive(Deserialize)]
struct Destination {
    host: Text,
    #[serde(default)]
    subset: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    validation_messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    level: Text,
    #[serde(default)]
    r#type: MessageType,
    #[serde(default, rename = "documentationUrl")]
    url: Text,
}

#[derive(Default, Deserialize)]
struct MessageType {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    code: Text,
}

impl TrafficProvider for VirtualService {
    fn name(&self) -> &'static str {
        "VirtualService"
    }

    fn api(&self) -> ApiType {
        ApiType::new("networking.istio.io", "v1", "virtualservices", "VirtualService")
    }

    fn backends(&self) -> BackendName {
        BackendName::HostAndSubset
    }

    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError> {
        let object = Object::<Spec, Status>::parsed(object)?;
        let trouble = trouble(&object.status);
        let owner = object.metadata.owner();
        let rules = object.spec.http.into_iter().map(|rule| {
            let alone = rule.route.len() == 1;
            let backend = |t: Target| {
                let name = target_name(&t.destination.host, t.destination.subset.as_deref());
                Backend { name: name.into(), weight: if alone { t.weight.max(1) } else { t.weight } }
            };
            rule.route.into_iter().map(backend).collect()
        });
        let rules = rules.collect();
        Ok(named(object.metadata, |uid| Route::of(uid, rules, owner, trouble)))
    }

    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError> {
        let list = format!("/spec/http/{}/route", route.rule);
        weigh(object, route, &Entry { list: &list, field: "weight", weight }, |entry| {
            let host = entry.pointer("/destination/host")?.as_str()?;
            Some(target_name(host, entry.pointer("/destination/subset").and_then(Value::as_str)))
        })
    }
}

/// Destinations of one host are told apart by their subset.
fn target_name(host: &str, subset: Option<&str>) -> String {
    match subset {
        Some(subset) if !subset.is_empty() => format!("{host}/{subset}"),
        _ => host.to_owned(),
    }
}

/// What the control plane's analysis says is wrong; nothing where it does not write a status.
fn trouble(status: &Status) -> Option<Text> {
    let wrong = status.validation_messages.iter().find(|m| &*m.level == "ERROR")?;
    let text = format!("Istio refuses it: {} {} {}", wrong.r#type.code, wrong.r#type.name, wrong.url);
    Some(safe(text.trim_end(), 300).into())
}
