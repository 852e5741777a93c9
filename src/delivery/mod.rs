//! Delivery tools, each a pure translator in a file of its own, listed in one table.
//!
//! A delivery object brings what a repository holds into the cluster of a workload. It may lie in another cluster.

use serde_json::Value;

use crate::domain::carrier::ApplicationCarrier;
use crate::domain::change::ApiType;
use crate::domain::delivery::Delivery;
use crate::domain::id::{Namespace, Text};
use crate::domain::plan::DiffLine;
use crate::domain::stamp::Timestamp;
use crate::domain::version::{Image, Version};
use crate::kinds::Still;

mod application;
mod flux;

pub use application::Application;
pub use flux::{HelmRelease, Kustomization};

/// Every kind of delivery object.
pub const TOOLS: &[&dyn DeliveryTool] = &[&Application, &Kustomization, &HelmRelease];

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

    /// Makes this full object bring another version; none: it names that version, and brings it by itself.
    ///
    /// # Errors
    /// Why it cannot, or must not, be told so.
    fn bring(&self, object: &Value, means: &ApplicationCarrier, wanted: &Wanted<'_>) -> Result<Option<Writing>, Still>;

    /// Makes this full object bring what it brought before.
    ///
    /// # Errors
    /// Why it cannot, or must not, be told so.
    fn back(&self, object: &Value, means: &ApplicationCarrier, back: &Back<'_>) -> Result<Option<Writing>, Still>;

    /// What else is to be read before this full object is changed: what generates it.
    fn generator(&self, _object: &Value) -> Option<Beside> {
        None
    }

    /// The object that says when this full object may bring anything.
    fn calendar(&self, _object: &Value) -> Option<Beside> {
        None
    }

    /// Why this full object may not bring anything now, by the calendar as read; none: it may.
    ///
    /// # Errors
    /// The calendar cannot be read.
    fn shut(&self, _object: &Value, _calendar: &Value, _now: Timestamp) -> Result<Option<String>, String> {
        Ok(None)
    }

    /// Keeps it from bringing anything by itself, from what is known without a read; none: it brings nothing by
    /// itself.
    ///
    /// # Errors
    /// Why that would not last.
    fn halt(&self, known: &Delivery) -> Result<Option<Writing>, Still>;

    /// Ends what it is doing, from what is known without a read; none: it does nothing.
    fn terminate(&self, _known: &Delivery) -> Option<Writing> {
        None
    }

    /// Takes a halt back on this full object: `was` is what [`Writing::was`] said. None: somebody did already.
    ///
    /// # Errors
    /// Why that would not last.
    fn go_on(&self, object: &Value, was: &str) -> Result<Option<Writing>, Still>;
}

/// What is to be brought.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The version as people call it.
    pub version: &'a Version,
    /// Tag and digest of the image that the ring before runs; none: only the version is known.
    pub image: Option<&'a Image>,
    /// Repository of the image that runs now.
    pub repository: Option<&'a str>,
    /// What generates the object, as read.
    pub generator: Option<&'a Value>,
    /// Who asks.
    pub by: &'a str,
}

/// What is to be brought again.
#[derive(Clone, Copy, Debug)]
pub struct Back<'a> {
    /// The version, and who asks.
    pub wanted: Wanted<'a>,
    /// The value that [`Writing::was`] told when the version that runs was brought; none: it is not known.
    pub was: Option<&'a str>,
}

/// An object in the same cluster on which another one rests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Its type.
    pub api: ApiType,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: Text,
}

/// What is written to a delivery object, and what is to be said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Writing {
    /// The object that is written instead, because it generates this one; none: this one.
    pub on: Option<Beside>,
    /// In a few words.
    pub label: Text,
    /// JSON patch operations, tests first.
    pub operations: Vec<Value>,
    /// How they are shown.
    pub diff: Vec<DiffLine>,
    /// The field that it replaces and its value, as JSON: how to take it back. None: nothing is replaced.
    pub was: Option<(Text, Text)>,
    /// What a person must know; each follows the region's name.
    pub notes: Vec<Text>,
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
