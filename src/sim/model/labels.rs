//! Label sets: sorted by name, shared, cheap to clone.

use std::fmt;
use std::sync::Arc;

/// The label that carries a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// One label's name and value.
pub type Label = (Arc<str>, Arc<str>);

/// A sorted set of labels, the metric's name among them. An empty value means
/// that the label is absent, as everywhere in Prometheus.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels(Arc<[Label]>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from(Vec::new()))
    }
}

impl Labels {
    /// Sorts the pairs and drops empty values; of two pairs with one name the later wins.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut all: Vec<Label> = Vec::new();
        for (name, value) in pairs {
            let name: Arc<str> = name.into();
            all.retain(|(n, _)| *n != name);
            all.push((name, value.into()));
        }
        all.retain(|(_, value)| !value.is_empty());
        all.sort();
        Self(Arc::from(all))
    }

    /// Takes pairs that are sorted by name, each name once, no value empty.
    pub fn sorted(pairs: impl IntoIterator<Item = Label>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// The value of a label; empty when it is absent.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| &**n == name).map_or("", |(_, v)| v)
    }

    /// All labels, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.0.iter()
    }

    /// True when there is no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the labels whose name passes.
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        if self.0.iter().all(|(n, _)| keep(n)) {
            return self.clone();
        }
        Self(self.0.iter().filter(|(n, _)| keep(n)).cloned().collect())
    }

    /// The same labels without the metric's name: what most functions return.
    pub fn nameless(&self) -> Self {
        self.filtered(|name| name != METRIC_NAME)
    }

    /// The same labels with one set (or removed, when the value is empty).
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut all: Vec<Label> = self.0.iter().filter(|(n, _)| &**n != name).cloned().collect();
        if !value.is_empty() {
            all.push((Arc::from(name), Arc::from(value)));
            all.sort();
        }
        Self(Arc::from(all))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(n, v)| (n, v))).finish()
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get(METRIC_NAME))?;
        f.write_str("{")?;
        let shown = self.0.iter().filter(|(n, _)| &**n != METRIC_NAME);
        for (i, (name, value)) in shown.enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}
