//! Traffic providers, each a pure translator in a file of its own, listed in one table.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::change::{ApiType, add, replace, test};
use crate::domain::fleet::RouteRef;
use crate::domain::id::{Namespace, Text, Uid};
use crate::domain::text::safe;
use crate::domain::workload::Route;
use crate::kinds::Metadata;

mod command;
mod destination_rule;
mod dns;
mod dns_endpoint;
mod external_dns;
mod gateway_route;
mod global_accelerator;
mod virtual_service;

pub use command::{Command, reported};
pub use destination_rule::DestinationRule;
pub use dns_endpoint::DnsEndpoint;
pub use external_dns::{DNS_GATEWAY, DNS_GRPC_ROUTE, DNS_HTTP_ROUTE, DNS_INGRESS, DNS_SERVICE, ExternalDns};
pub use gateway_route::{GRPC_ROUTE, HTTP_ROUTE};
pub use global_accelerator::GlobalAccelerator;
pub use virtual_service::VirtualService;

/// Every traffic provider.
pub const PROVIDERS: &[&dyn TrafficProvider] = &[
    &HTTP_ROUTE,
    &GRPC_ROUTE,
    &VirtualService,
    &DestinationRule,
    &DNS_SERVICE,
    &DNS_INGRESS,
    &DNS_HTTP_ROUTE,
    &DNS_GRPC_ROUTE,
    &DNS_GATEWAY,
    &DnsEndpoint,
    &GlobalAccelerator,
    &Command,
];

/// A provider by its name in the configuration.
pub fn provider(name: &str) -> Option<&'static dyn TrafficProvider> {
    PROVIDERS.iter().copied().find(|p| p.name() == name)
}

/// Reads a route into weights, and writes a weight as an exact change.
pub trait TrafficProvider: Sync {
    /// Its name in the configuration, e.g. `HTTPRoute`.
    fn name(&self) -> &'static str;

    /// Its API type.
    fn api(&self) -> ApiType;

    /// Whether an API server holds it, and it is watched.
    fn is_in_cluster(&self) -> bool {
        true
    }

    /// What its backends are named by.
    fn backends(&self) -> BackendName {
        BackendName::Service
    }

    /// What its weights are shares of.
    fn sharing(&self) -> Sharing {
        Sharing::Rule
    }

    /// How long a weight that is written takes until it is at work everywhere, at most, without what clients keep.
    fn propagation(&self) -> Duration {
        Duration::ZERO
    }

    /// Reads one object.
    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError>;

    /// Operations that set the weight of the region's backend: they test the complete list first.
    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError>;

    /// The same on the way back from a drain; `before` is the complete rule as it was then.
    fn restore(
        &self,
        object: &Value,
        route: &RouteRef,
        weight: u32,
        _before: &[(Text, u32)],
    ) -> Result<Vec<Value>, RouteError> {
        self.set_weight(object, route, weight)
    }
}

/// What the weights of a provider are shares of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Of one rule of one object: its backends share what comes to it.
    Rule,
    /// Of the records of one name, which lie in several objects, mostly one in each region's cluster.
    Records,
    /// Of nothing: each is a dial of its own, in percent of what would come to its region anyway.
    Dial,
}

impl Sharing {
    /// The regions' weights may lie in objects of their own: no precondition of one write covers them all.
    pub fn is_spread(self) -> bool {
        self != Self::Rule
    }
}

/// An entry of a list that gets another weight.
struct Entry<'a> {
    /// Where the list is.
    list: &'a str,
    /// The entry's key of the weight.
    field: &'a str,
    /// The weight.
    weight: u32,
}

/// An object as a provider reads it. What a type has no use for is `IgnoredAny`.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
#[serde(bound = "Spec: Deserialize<'de> + Default, Status: Deserialize<'de> + Default")]
struct Object<Spec, Status> {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

impl<Spec, Status> Object<Spec, Status>
where
    Spec: DeserializeOwned + Default,
    Status: DeserializeOwned + Default,
{
    fn parsed(object: &[u8]) -> Result<Self, RouteError> {
        serde_json::from_slice(object).map_err(|e| RouteError(safe(&e.to_string(), 200)))
    }
}

/// The weight of one entry of a list, the complete list tested first. `name` tells the entries apart.
fn weigh(
    object: &Value,
    route: &RouteRef,
    set: &Entry<'_>,
    name: impl Fn(&Value) -> Option<String>,
) -> Result<Vec<Value>, RouteError> {
    let RouteRef { provider, name: of, rule, backend: wanted, .. } = route;
    let Entry { list, field, weight } = *set;
    let entries = object
        .pointer(list)
        .and_then(Value::as_array)
        .ok_or_else(|| RouteError(format!("{provider} {of} has no rule {rule}")))?;
    let mut found = entries.iter().enumerate().filter(|(_, e)| name(e).as_deref() == Some(&**wanted));
    let (Some((at, entry)), None) = (found.next(), found.next()) else {
        return Err(RouteError(format!("{provider} {of} rule {rule} has not exactly one backend {wanted}")));
    };
    let uid = object.pointer("/metadata/uid").cloned().unwrap_or(Value::Null);
    let path = format!("{list}/{at}/{field}");
    let value = Value::from(weight);
    let write = if entry.get(field).is_some() { replace(path, value) } else { add(path, value) };
    Ok(vec![test("/metadata/uid", uid), test(list, Value::from(entries.clone())), write])
}

/// What the backends of a provider are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendName {
    /// The name of a Service.
    Service,
    /// A host, or `host/subset`.
    HostAndSubset,
    /// A locality of Istio: `region/zone/subzone`, with `*` for the rest.
    Locality,
    /// The set identifier of a record.
    SetIdentifier,
    /// A region as AWS names it.
    AwsRegion,
}

/// A route with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedRoute {
    /// Namespace.
    pub namespace: Namespace,
    /// Name.
    pub name: Text,
    /// The weights.
    pub route: Route,
}

/// A route with the name that its metadata says.
fn named(metadata: Metadata, route: impl FnOnce(Uid) -> Route) -> NamedRoute {
    let Metadata { name, namespace, uid, .. } = metadata;
    NamedRoute { namespace: Namespace::new(namespace), name, route: route(Uid::new(uid)) }
}

/// Why a route cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RouteError(pub String);
