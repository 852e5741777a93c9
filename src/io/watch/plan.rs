//! Which objects of which cluster are wanted, from the fleet. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::change::ApiType;
use crate::domain::fleet::Fleet;
use crate::domain::id::{ClusterIx, Namespace, Text};
use crate::domain::observation::WatchKind;
use crate::io::connect::{Reach, Watched};
use crate::kinds::{self, ReadHow};
use crate::traffic;

/// Marks the ConfigMaps that hold records.
pub const RECORD_SELECTOR: &str = "app.kubernetes.io/managed-by=gonogo";

/// What one cluster is watched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterPlan {
    /// The watches, workloads first.
    pub watches: Vec<WatchPlan>,
}

/// One type of object in one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchPlan {
    /// What it is for.
    pub kind: WatchKind,
    /// The type.
    pub api: ApiType,
    /// Label selector.
    pub selector: Option<&'static str>,
    /// Wanted objects: by namespace, then by name, and how to read them.
    pub wanted: BTreeMap<Namespace, BTreeMap<Text, Option<ReadHow>>>,
}

impl WatchPlan {
    /// Whether the object is wanted; for workloads also how it is read.
    pub fn wants(&self, namespace: &str, name: &str) -> Option<&Option<ReadHow>> {
        self.wanted.get(namespace)?.get(name)
    }

    /// Without it nothing is known of a region.
    pub fn is_essential(&self) -> bool {
        matches!(self.kind, WatchKind::Workloads(_))
    }

    /// `deployments.apps`, as messages name it.
    pub fn resource(&self) -> String {
        resource(&self.api)
    }
}

/// `deployments.apps` or `configmaps`.
pub(crate) fn resource(api: &ApiType) -> String {
    if api.group.is_empty() { api.plural.to_string() } else { format!("{}.{}", api.plural, api.group) }
}

/// The plan of every cluster, by position.
pub fn plan(fleet: &Fleet) -> Vec<ClusterPlan> {
    let mut plans: Vec<Builder> = fleet.clusters.iter().map(|_| Builder::default()).collect();
    for service in &fleet.services {
        let record: Text = fleet.record_name(service).into();
        for region in &service.regions {
            if let Some(plan) = plans.get_mut(region.cluster.at()) {
                let how = ReadHow {
                    container: region.workload.container.clone(),
                    version_from: service.version_from.clone(),
                };
                let names = plan.workloads.entry(region.workload.kind.clone()).or_default();
                let names = names.entry(region.workload.namespace.clone()).or_default();
                names.insert(region.workload.name.clone(), Some(how));
                let records = plan.records.entry(region.workload.namespace.clone()).or_default();
                records.insert(record.clone(), None);
            }
            if let Some(route) = &region.route
                && let Some(plan) = plans.get_mut(route.cluster.at())
            {
                let names = plan.routes.entry(route.provider.clone()).or_default();
                names.entry(route.namespace.clone()).or_default().insert(route.name.clone(), None);
            }
        }
    }
    plans.into_iter().map(Builder::finish).collect()
}

type Names = BTreeMap<Namespace, BTreeMap<Text, Option<ReadHow>>>;

#[derive(Default)]
struct Builder {
    workloads: BTreeMap<Text, Names>,
    records: Names,
    routes: BTreeMap<Text, Names>,
}

impl Builder {
    fn finish(self) -> ClusterPlan {
        let mut watches = Vec::new();
        for (name, wanted) in self.workloads {
            // A kind that the table does not know was refused when the configuration was read.
            if let Some(kind) = kinds::kind(&name) {
                watches.push(WatchPlan { kind: WatchKind::Workloads(name), api: kind.api(), selector: None, wanted });
            }
        }
        if !self.records.is_empty() {
            watches.push(WatchPlan {
                kind: WatchKind::Records,
                api: ApiType::config_map(),
                selector: Some(RECORD_SELECTOR),
                wanted: self.records,
            });
        }
        for (name, wanted) in self.routes {
            if let Some(provider) = traffic::provider(&name) {
                watches.push(WatchPlan { kind: WatchKind::Routes(name), api: provider.api(), selector: None, wanted });
            }
        }
        ClusterPlan { watches }
    }
}

/// What a watch screen may read: what is watched, and ReplicaSets' metadata.
///
/// `paths` are the configured Prometheus query paths through service proxies.
pub fn reach(plans: &[ClusterPlan], paths: Vec<String>) -> Reach {
    let apis = plans.iter().flat_map(|p| &p.watches).map(|w| w.api.clone()).chain([ApiType::replica_set()]);
    let resources: BTreeSet<_> = apis.map(|a| (a.group.to_string(), a.plural.to_string())).collect();
    Reach::Watch(Arc::new(Watched { resources, paths }))
}

/// The plan of one cluster.
pub(crate) fn of(plans: &[ClusterPlan], cluster: ClusterIx) -> ClusterPlan {
    plans.get(cluster.at()).cloned().unwrap_or_default()
}
