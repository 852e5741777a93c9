//! How the world is, read from the stores behind the API servers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gonogo::domain::fleet::Fleet;
use gonogo::domain::record::{Body, FactId, RegionRecord, Scope};
use gonogo::sim::resources::{CONFIGMAPS, DEPLOYMENTS, HTTPROUTES};
use gonogo::sim::store::Store;
use gonogo::sim::world::SimFleet;
use serde_json::Value;

/// One region of the service.
pub struct Region {
    pub name: String,
    /// Position of its cluster.
    pub cluster: usize,
    /// The image of its container, and since when.
    pub image: String,
    pub since: Duration,
    /// Since when its rollout is complete; none while it is not.
    pub settled: Option<Duration>,
    pub paused: bool,
}

impl Region {
    /// How long it has run what it runs, complete. What was there at the start has run for a day.
    pub fn baked(&self, now: Duration) -> Duration {
        let settled = self.settled.map(|at| now.saturating_sub(at));
        settled.map_or(
            Duration::ZERO,
            |for_| if self.since.is_zero() { for_ + Duration::from_secs(24 * 3_600) } else { for_ },
        )
    }
}

/// A hold that is in a record.
#[derive(Clone, Debug)]
pub struct Hold {
    pub scope: Scope,
    /// Clusters in whose record it is, and since when.
    pub seen: BTreeMap<usize, Duration>,
    /// No record ends it.
    pub stands: bool,
}

/// How the world is.
pub struct Truth {
    pub clusters: Vec<String>,
    pub regions: Vec<Region>,
    pub holds: BTreeMap<FactId, Hold>,
    /// Weights of the service's route, by backend.
    pub weights: Vec<(String, u64)>,
    stores: Vec<Store>,
    revisions: Vec<u64>,
    edge: usize,
    service: String,
    record: String,
    released: BTreeSet<FactId>,
}

/// The weight of a region's backend.
pub fn weight_of(weights: &[(String, u64)], region: &str) -> u64 {
    weights.iter().find(|(name, _)| name.ends_with(region)).map_or(0, |(_, w)| *w)
}

impl Truth {
    pub fn new(sim: &SimFleet, fleet: &Fleet) -> Self {
        let service = &fleet.services[0];
        let regions = service.regions.iter().map(|r| Region {
            name: r.name.to_string(),
            cluster: r.cluster.at(),
            image: String::new(),
            since: Duration::ZERO,
            settled: None,
            paused: false,
        });
        let clusters: Vec<String> = fleet.clusters.iter().map(|c| c.name.to_string()).collect();
        let stores: Vec<Store> = clusters.iter().map(|c| sim.api(c).unwrap().store().clone()).collect();
        let mut truth = Self {
            edge: clusters.iter().position(|c| c == "edge").unwrap(),
            regions: regions.collect(),
            holds: BTreeMap::new(),
            weights: Vec::new(),
            revisions: vec![u64::MAX; stores.len()],
            stores,
            clusters,
            service: service.name.to_string(),
            record: fleet.record_name(service),
            released: BTreeSet::new(),
        };
        truth.look(Duration::ZERO);
        truth
    }

    /// Looks at what has changed.
    pub fn look(&mut self, now: Duration) {
        for cluster in 0..self.stores.len() {
            let revision = self.stores[cluster].revision();
            if self.revisions[cluster] == revision {
                continue;
            }
            self.revisions[cluster] = revision;
            if cluster == self.edge {
                self.weights = self.read_weights();
            }
            for at in 0..self.regions.len() {
                if self.regions[at].cluster == cluster {
                    self.look_at_region(at, now);
                }
            }
        }
    }

    fn look_at_region(&mut self, at: usize, now: Duration) {
        let cluster = self.regions[at].cluster;
        let store = &self.stores[cluster];
        if let Some(object) = store.get(&DEPLOYMENTS, &self.service, &self.service) {
            let region = &mut self.regions[at];
            let image = object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
            if region.image != image {
                region.since = now;
                region.image = image.to_owned();
                region.settled = None;
            }
            region.settled = if is_complete(&object) { region.settled.or(Some(now)) } else { None };
            region.paused = object["spec"]["paused"].as_bool().unwrap_or(false);
        }
        let record = store.get(&CONFIGMAPS, &self.service, &self.record);
        let data = record.as_ref().and_then(|r| r["data"].as_object());
        let entries = data.into_iter().flatten().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)));
        let facts = RegionRecord::read(entries).facts;
        for fact in facts.values() {
            match &fact.body {
                Body::Hold { scope, .. } => {
                    let new = || Hold { scope: scope.clone(), seen: BTreeMap::new(), stands: true };
                    self.holds.entry(fact.id).or_insert_with(new).seen.entry(cluster).or_insert(now);
                }
                Body::Release { hold, .. } => {
                    self.released.insert(*hold);
                }
                _ => {}
            }
        }
        for (id, hold) in &mut self.holds {
            hold.stands = !self.released.contains(id);
            if !facts.contains_key(id) {
                hold.seen.remove(&cluster);
            }
        }
    }

    fn read_weights(&self) -> Vec<(String, u64)> {
        let Some(route) = self.stores[self.edge].get(&HTTPROUTES, &self.service, &self.service) else {
            return Vec::new();
        };
        let refs = route["spec"]["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
        let one = |r: &Value| (r["name"].as_str().unwrap_or_default().to_owned(), r["weight"].as_u64().unwrap_or(1));
        refs.iter().map(one).collect()
    }
}

/// Every pod is of this template, and available.
fn is_complete(object: &Value) -> bool {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let wanted = number("/spec/replicas").unwrap_or(1);
    number("/status/observedGeneration") == number("/metadata/generation")
        && number("/status/updatedReplicas").unwrap_or(0) == wanted
        && number("/status/replicas").unwrap_or(0) == wanted
        && number("/status/availableReplicas").unwrap_or(0) >= wanted
}
