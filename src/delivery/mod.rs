//! Delivery tools, each a pure translator in a file of its own, listed in one table.
//!
//! A delivery object brings what a repository holds into the cluster of a workload. It may lie in another cluster.

use crate::domain::change::ApiType;
use crate::domain::delivery::Delivery;
use crate::domain::id::{Namespace, Text};

mod application;

pub use application::Application;

/// Every kind of delivery object.
pub const TOOLS: &[&dyn DeliveryTool] = &[&Application];

/// A tool by the name of its kind in the configuration.
pub fn tool(kind: &str) -> Option<&'static dyn DeliveryTool> {
    TOOLS.iter().copied().find(|t| t.kind() == kind)
}

/// Reads a delivery object into our words.
pub trait DeliveryTool: std::marker::Sync {
    /// Its kind in the configuration, e.g. `Application`.
    fn kind(&self) -> &'static str;

    /// The tool's own name, e.g. `Argo CD`.
    fn name(&self) -> &'static str;

    /// Where its objects usually lie.
    fn namespace(&self) -> &'static str;

    /// Its API type.
    fn api(&self) -> ApiType;

    /// Reads one object.
    ///
    /// # Errors
    /// It is not what the API promises.
    fn read(&self, object: &[u8]) -> Result<NamedDelivery, DeliveryError>;
}

/// A delivery object with its name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedDelivery {
    /// Namespace.
    pub namespace: Namespace,
    /// Name.
    pub name: Text,
    /// What it says.
    pub delivery: Delivery,
}

/// Why a delivery object cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot be read as {kind}: {why}")]
pub struct DeliveryError {
    /// The kind.
    pub kind: &'static str,
    /// What is wrong, made visible.
    pub why: String,
}
