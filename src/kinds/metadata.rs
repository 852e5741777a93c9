//! What every object says of itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::owner::owner_of;
use crate::domain::id::Text;
use crate::domain::workload::Owner;

/// The part of an object's metadata that is read, of workloads and routes alike.
#[derive(Deserialize)]
#[serde(expecting = "the metadata of an object")]
pub(crate) struct Metadata {
    pub(crate) name: Text,
    pub(crate) namespace: Text,
    pub(crate) uid: Text,
    #[serde(default)]
    pub(crate) generation: i64,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Metadata {
    /// An annotation's value.
    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }

    /// Who would put the object back.
    pub(crate) fn owner(&self) -> Option<Owner> {
        owner_of(self.labels.as_ref(), self.annotations.as_ref())
    }
}
