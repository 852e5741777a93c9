//! Traffic providers, each a pure translator in a file of its own, listed in one table.

use serde_json::Value;

use crate::domain::change::{ApiType, add, replace, test};
use crate::domain::fleet::RouteRef;
use crate::domain::id::{Namespace, Text};
use crate::domain::workload::Route;

mod gateway_route;
mod virtual_service;

pub use gateway_route::{GRPC_ROUTE, HTTP_ROUTE};
pub use virtual_service::VirtualService;

/// Every traffic provider.
pub const PROVIDERS: &[&dyn TrafficProvider] = &[&HTTP_ROUTE, &GRPC_ROUTE, &VirtualService];

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

    /// What its backends are named by.
    fn backends(&self) -> BackendName {
        BackendName::Service
    }

    /// Reads one object.
    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError>;

    /// Operations that set the weight of the region's backend: they test the complete list first.
    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError>;
}

/// The weight of one entry of a list, the complete list tested first. `name` tells the entries apart.
fn weigh(
    object: &Value,
    list: &str,
    route: &RouteRef,
    weight: u32,
    name: impl Fn(&Value) -> Option<String>,
) -> Result<Vec<Value>, RouteError> {
    let RouteRef { provider, name: of, rule, backend: wanted, .. } = route;
    let entries = object
        .pointer(list)
        .and_then(Value::as_array)
        .ok_or_else(|| RouteError(format!("{provider} {of} has no rule {rule}")))?;
    let mut found = entries.iter().enumerate().filter(|(_, e)| name(e).as_deref() == Some(&**wanted));
    let (Some((at, entry)), None) = (found.next(), found.next()) else {
        return Err(RouteError(format!("{provider} {of} rule {rule} has not exactly one backend {wanted}")));
    };
    let uid = object.pointer("/metadata/uid").cloned().unwrap_or(Value::Null);
    let path = format!("{list}/{at}/weight");
    let value = Value::from(weight);
    let write = if entry.get("weight").is_some() { replace(path, value) } else { add(path, value) };
    Ok(vec![test("/metadata/uid", uid), test(list, Value::from(entries.clone())), write])
}

/// What the backends of a provider are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendName {
    /// The name of a Service.
    Service,
    /// A host, or `host/subset`.
    HostAndSubset,
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

/// Why a route cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RouteError(pub String);
