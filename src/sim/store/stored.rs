//! An object as it is kept: its value, and each wire form made at most once.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;

/// The wire forms of one object that are worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representation {
    /// The object as it is.
    Full,
    /// `meta.k8s.io/v1` PartialObjectMetadata.
    Metadata,
    /// A Table row whose object is metadata only (what kubectl asks for).
    Row,
    /// As an item of a list of a built-in kind: without apiVersion and kind.
    Item,
    /// The other API group's view (events.k8s.io/v1).
    View,
}

/// One revision of one object.
#[derive(Debug)]
pub struct Stored {
    /// The object.
    pub value: Arc<Value>,
    encoded: [OnceLock<Bytes>; 5],
}

impl Stored {
    /// Wraps a value.
    pub fn new(value: Arc<Value>) -> Self {
        Self { value, encoded: Default::default() }
    }

    /// The object in this form; `make` runs once per object and form.
    pub fn encoded(&self, form: Representation, make: impl FnOnce(&Value) -> Bytes) -> Bytes {
        let slot = match form {
            Representation::Full => self.encoded.first(),
            Representation::Metadata => self.encoded.get(1),
            Representation::Row => self.encoded.get(2),
            Representation::Item => self.encoded.get(3),
            Representation::View => self.encoded.get(4),
        };
        match slot {
            Some(slot) => slot.get_or_init(|| make(&self.value)).clone(),
            None => make(&self.value),
        }
    }

    /// `metadata.<key>` as text; empty where absent.
    pub fn meta(&self, key: &str) -> &str {
        self.value.get("metadata").and_then(|m| m.get(key)).and_then(Value::as_str).unwrap_or("")
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.meta("name")
    }

    /// The namespace; empty for cluster-scoped objects.
    pub fn namespace(&self) -> &str {
        self.meta("namespace")
    }

    /// The uids of the owners.
    pub fn owners(&self) -> impl Iterator<Item = &str> {
        self.value
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|owner| owner.get("uid").and_then(Value::as_str))
    }
}
