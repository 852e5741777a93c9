//! Traffic providers, each a pure translator in a file of its own, listed in one table.

use serde_json::Value;

use crate::domain::change::ApiType;
use crate::domain::fleet::RouteRef;
use crate::domain::id::{Namespace, Text};
use crate::domain::workload::Route;

mod http_route;

pub use http_route::HttpRoute;

/// Every traffic provider.
pub const PROVIDERS: &[&dyn TrafficProvider] = &[&HttpRoute];

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

    /// Reads one object.
    fn read(&self, object: &[u8]) -> Result<NamedRoute, RouteError>;

    /// Operations that set the weight of the region's backend: they test the complete list first.
    fn set_weight(&self, object: &Value, route: &RouteRef, weight: u32) -> Result<Vec<Value>, RouteError>;
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
