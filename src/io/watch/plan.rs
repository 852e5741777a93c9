//! Which objects of which cluster are wanted, from the fleet. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::change::ApiType;
use crate::domain::fleet::Fleet;
use crate::domain::id::{ClusterIx, Namespace, Text};
use crate::domain::observation::WatchKind;
use crate::io::connect::{Reach, Watched};
use crate::kinds::{self, ReadHow};
use crate::{delivery, traffic};

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
    /// Wanted objects, and how to read them.
    pub wanted: Wanted,
}

/// Wanted objects by namespace and name: a sorted list, since thousands are held all the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted(Box<[(Namespace, Text, Option<ReadHow>)]>);

impl Wanted {
    /// The object with the names as they are held here.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&(Namespace, Text, Option<ReadHow>)> {
        let found = self.0.binary_search_by(|(ns, n, _)| (ns.as_str(), &**n).cmp(&(namespace, name)));
        found.ok().and_then(|at| self.0.get(at))
    }

    /// The namespaces, each once.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.0.chunk_by(|a, b| a.0 == b.0).filter_map(|chunk| chunk.first()).map(|(namespace, _, _)| namespace)
    }
}

impl WatchPlan {
    /// Without it nothing is known of a region.
    pub fn is_essential(&self) -> bool {
        matches!(self.kind, WatchKind::Workloads(_))
    }

    /// Its kind comes with a definition that a cluster may lack.
    pub fn is_custom(&self) -> bool {
        self.api.group.contains('.')
    }

    /// What tells the past of the workloads it is for; none: it is for something else.
    pub fn children(&self) -> Option<ApiType> {
        match &self.kind {
            WatchKind::Workloads(name) => kinds::kind(name).map(|k| k.children().api),
            WatchKind::Records | WatchKind::Routes(_) | WatchKind::Deliveries(_) => None,
        }
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
pub fn plan(fleet: &Fleet) -> Vec<Arc<ClusterPlan>> {
    let mut plans: Vec<Builder> = fleet.clusters.iter().map(|_| Builder::default()).collect();
    for service in &fleet.services {
        let record: Text = fleet.record_name(service).into();
        let left_out: Arc<[_]> = crate::gates::left_out(service).into();
        for region in &service.regions {
            if let Some(plan) = plans.get_mut(region.cluster.at()) {
                let how = ReadHow {
                    left_out: left_out.clone(),
                    container: region.workload.container.clone(),
                    version_from: service.version_from.clone(),
                };
                let names = plan.workloads.entry(region.workload.kind.clone()).or_default();
                names.insert((region.workload.namespace.clone(), region.workload.name.clone()), Some(how));
                plan.records.insert((region.workload.namespace.clone(), record.clone()), None);
            }
            if let Some(route) = &region.route
                && let Some(plan) = plans.get_mut(route.cluster.at())
            {
                let names = plan.routes.entry(route.provider.clone()).or_default();
                names.insert((route.namespace.clone(), route.name.clone()), None);
            }
            if let Some(delivery) = &region.delivery
                && let Some(plan) = plans.get_mut(delivery.cluster.at())
            {
                let names = plan.deliveries.entry(delivery.kind.clone()).or_default();
                names.insert((delivery.namespace.clone(), delivery.name.clone()), None);
            }
        }
    }
    plans.into_iter().map(|p| Arc::new(p.finish())).collect()
}

type Names = BTreeMap<(Namespace, Text), Option<ReadHow>>;

fn wanted(names: Names) -> Wanted {
    Wanted(names.into_iter().map(|((namespace, name), how)| (namespace, name, how)).collect())
}

#[derive(Default)]
struct Builder {
    workloads: BTreeMap<Text, Names>,
    records: Names,
    routes: BTreeMap<Text, Names>,
    deliveries: BTreeMap<Text, Names>,
}

impl Builder {
    fn finish(self) -> ClusterPlan {
        let mut watches = Vec::new();
        for (name, names) in self.workloads {
            // A kind that the table does not know was refused when the configuration was read.
            if let Some(kind) = kinds::kind(&name).filter(|k| k.is_in_cluster()) {
                watches.push(WatchPlan {
                    kind: WatchKind::Workloads(name),
                    api: kind.api(),
                    selector: None,
                    wanted: wanted(names),
                });
            }
        }
        if !self.records.is_empty() {
            watches.push(WatchPlan {
                kind: WatchKind::Records,
                api: ApiType::config_map(),
                selector: Some(RECORD_SELECTOR),
                wanted: wanted(self.records),
            });
        }
        for (name, names) in self.routes {
            if let Some(provider) = traffic::provider(&name).filter(|p| p.is_in_cluster()) {
                watches.push(WatchPlan {
                    kind: WatchKind::Routes(name),
                    api: provider.api(),
                    selector: None,
                    wanted: wanted(names),
                });
            }
        }
        for (name, names) in self.deliveries {
            if let Some(tool) = delivery::tool(&name) {
                watches.push(WatchPlan {
                    kind: WatchKind::Deliveries(name),
                    api: tool.api(),
                    selector: None,
                    wanted: wanted(names),
                });
            }
        }
        ClusterPlan { watches }
    }
}

/// Leases: a guard's heartbeat is looked at now and then.
fn lease() -> ApiType {
    ApiType::new("coordination.k8s.io", "v1", "leases", "Lease")
}

/// What a watch screen may read: what is watched, what tells the past of workloads, and leases.
///
/// `paths` are the configured Prometheus query paths through service proxies.
pub fn reach(plans: &[Arc<ClusterPlan>], paths: Vec<String>) -> Reach {
    let watched = || plans.iter().flat_map(|p| &p.watches);
    let apis = watched().map(|w| w.api.clone()).chain(watched().filter_map(WatchPlan::children)).chain([lease()]);
    let resources: BTreeSet<_> = apis.map(|a| (a.group.to_string(), a.plural.to_string())).collect();
    Reach::Watch(Arc::new(Watched { resources, paths }))
}

/// The plan of one cluster.
pub(crate) fn of(plans: &[Arc<ClusterPlan>], cluster: ClusterIx) -> Arc<ClusterPlan> {
    plans.get(cluster.at()).cloned().unwrap_or_default()
}
