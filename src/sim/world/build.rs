//! Builds the world: clusters with the objects of the past, and the history that goes with them.

use std::sync::PoisonError;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::cluster::{Cluster, Key, Workload};
use super::fleet::{Due, World};
use super::history::TrackKey;
use super::layout::{EDGE, Layout, Region, Service, seed_of};
use super::template::Templates;
use super::{applications, objects, past};
use crate::sim::clock::SimClock;
use crate::sim::controllers::events::{About, Telling};
use crate::sim::controllers::hpa;
use crate::sim::controllers::pod::NODES;
use crate::sim::controllers::pod::{Pod, PodBehaviour};
use crate::sim::controllers::pod_object::node_name;
use crate::sim::controllers::rollout::Rollout;
use crate::sim::controllers::{after, hash::fnv};
use crate::sim::resources::{
    APPLICATIONS, CONFIGMAPS, DEPLOYMENTS, HPAS, NAMESPACES, NODES as NODE, REPLICASETS, ROLLOUTS, SERVICES,
};
use crate::sim::scenario::{Scenario, Since};
use crate::sim::store::{Author, Store};

/// Age of clusters and namespaces.
const FOUNDED: SignedDuration = SignedDuration::from_hours(-24 * 120);
/// Changes that all clusters together keep for watchers that fall behind. Each holds an
/// object of some ten kilobytes; a flood fills them within seconds.
const CHANGES_KEPT: usize = 5_000;
/// Field manager of the releases of the past, and of the controllers.
const RELEASER: &str = "gonogo";
const CONTROLLERS: &str = "kube-controller-manager";

impl World {
    /// The world of a scenario, as it stands at the clock's start.
    #[must_use]
    pub fn build(layout: Layout, scenario: Scenario, clock: SimClock, churn: u32) -> Self {
        let now = clock.start();
        let mut world = Self::new(layout, scenario, clock, churn);
        let layout = world.layout.clone();
        for region in &layout.regions {
            let store = world.store(&region.name);
            world.found(&region.name, &store, now);
            world.clusters.push(Cluster::new(&region.name, Some(region.clone()), store));
        }
        let edge = world.store(EDGE);
        world.found(EDGE, &edge, now);
        world.clusters.push(Cluster::new(EDGE, None, edge));
        for service in &layout.services {
            for (index, region) in layout.regions.iter().enumerate() {
                world.install(index, region, service, now);
            }
            world.install_route(service, now);
            world.install_deliveries(service, now);
        }
        world.plan_script(now);
        world
    }

    fn store(&self, name: &str) -> Store {
        let store = Store::seeded(self.clock.clone(), seed_of(self.layout.seed, &["cluster", name]));
        store.keep_history((CHANGES_KEPT / (self.layout.regions.len() + 1)).clamp(64, 1_024));
        store
    }

    /// What every cluster has: namespaces and nodes.
    fn found(&self, name: &str, store: &Store, now: Timestamp) {
        let since = after(now, FOUNDED);
        let author = Some(Author { manager: "kube-apiserver", at: since });
        for namespace in ["default", "kube-system", "monitoring"] {
            store.load(&NAMESPACES, objects::namespace(namespace), author, None);
        }
        for service in &self.layout.services {
            let by = (!self.layout.is_large()).then_some(Author { manager: "kubectl-create", at: since });
            let mut object = objects::namespace(&service.name);
            super::tick::put_meta(&mut object, "creationTimestamp", crate::sim::controllers::stamp(since));
            store.load(&NAMESPACES, object, by, None);
        }
        if name != EDGE {
            for index in 0..NODES {
                store.load(&NODE, objects::node(&node_name(name, index), name, since), None, None);
            }
            store.load(&SERVICES, objects::service("monitoring", "prometheus", "prometheus", 9090), None, None);
        }
    }

    /// One service in one region.
    fn install(&mut self, index: usize, region: &Region, service: &Service, now: Timestamp) {
        let large = self.layout.is_large();
        let moves = past::moves(&self.layout, region, service, now);
        let object =
            past::deployment(&self.layout, &mut self.templates, region, service, &self.scenario.workload, &moves);
        let object = if self.scenario.delivery.is_some() { applications::tracked(object, region) } else { object };
        let settled = moves.last().map_or(now, |last| last.settled);
        let began = moves.last().map_or(now, |last| last.started);
        let author = (!large).then_some(Author { manager: RELEASER, at: began });
        let status = (!large).then_some(Author { manager: CONTROLLERS, at: settled });
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let rollouts = self.layout.rollouts;
        let stored = if rollouts {
            cluster.store.load(&ROLLOUTS, super::stepped::rollout(object, &moves), author, status)
        } else {
            cluster.store.load(&DEPLOYMENTS, object, author, status)
        };
        let uid = stored.pointer("/metadata/uid").and_then(|uid| uid.as_str()).unwrap_or_default().to_owned();
        if !large || service.release.rings_done < self.layout.rings {
            let record = past::record(&self.layout, &mut self.templates, region, service, &uid, &moves);
            cluster.store.load(&CONFIGMAPS, record, author, None);
        }
        if !large {
            cluster.store.load(
                &SERVICES,
                objects::service(&service.name, &service.name, &service.name, 80),
                author,
                None,
            );
        }
        let baseline = self.layout.baseline(region, service);
        let key: Key = (service.name.as_str().into(), service.name.as_str().into());
        let scales = self.scenario.workload.hpa && !rollouts;
        if scales {
            let target = hpa::default_target(baseline.cpu);
            let object = objects::autoscaler(&service.name, baseline.replicas, target);
            cluster.store.load(&HPAS, object, author, None);
        }
        let track = TrackKey::new(&region.name, &service.name);
        let seed = seed_of(self.layout.seed, &["pods", &region.name, &service.name]);
        let mut work = Workload::new(seed, Some(track.clone()));
        if rollouts {
            install_rollout(cluster, &mut self.templates, (region, service), &stored, work, &moves);
        } else {
            work.on_paper = true;
            cluster.workloads.insert(key.clone(), work);
        }
        self.offered.insert(track.clone(), baseline.qps);
        let lane = past::track(&self.layout, &mut self.templates, region, service, &moves);
        self.history.write().unwrap_or_else(PoisonError::into_inner).insert(track, lane);
        if scales {
            self.at(after(now, hpa::PERIOD), Due::Autoscaler(index, key.clone()));
        }
        if !large {
            self.make_real(index, &key, now);
        }
    }

    /// What brings a service to every region, where anything does.
    fn install_deliveries(&self, service: &Service, now: Timestamp) {
        let Some(settings) = self.scenario.delivery else { return };
        let Some(edge) = self.edge().and_then(|edge| self.clusters.get(edge)) else { return };
        for region in &self.layout.regions {
            let moves = past::moves(&self.layout, region, service, now);
            let Some(last) = moves.last() else { continue };
            let object = applications::application(service, region, &last.version, settings, last.started);
            let author = (!self.layout.is_large()).then_some(Author { manager: RELEASER, at: last.started });
            edge.store.load(&APPLICATIONS, object, author, None);
        }
    }

    fn install_route(&mut self, service: &Service, now: Timestamp) {
        let made = after(now, FOUNDED);
        let author = (!self.layout.is_large()).then_some(Author { manager: "kubectl-client-side-apply", at: made });
        let status = author.map(|author| Author { manager: "gateway-controller", ..author });
        let route = self.layout.steering.route(&self.layout, service, made);
        if let Some(edge) = self.edge().and_then(|edge| self.clusters.get(edge)) {
            edge.store.load(self.layout.steering.resource(), route, author, status);
        }
    }

    /// Writes the ReplicaSets and pods of a workload that so far were only on paper.
    pub(super) fn make_real(&mut self, index: usize, key: &Key, now: Timestamp) {
        let Some(cluster) = self.clusters.get_mut(index) else { return };
        let Some(mut work) = cluster.workloads.remove(key) else { return };
        let plan = cluster.region.clone().zip(self.layout.service(&key.1).cloned());
        if let Some((region, service)) = plan.filter(|_| work.on_paper) {
            work.on_paper = false;
            let start = self.clock.start();
            let moves = past::moves(&self.layout, &region, &service, start);
            let large = self.layout.is_large();
            if let Some(deployment) = cluster.store.get(&DEPLOYMENTS, &key.0, &key.1) {
                for (object, past) in past::replica_sets(&mut self.templates, &deployment, &region, &service, &moves)
                    .into_iter()
                    .zip(&moves)
                {
                    let author = (!large).then_some(Author { manager: CONTROLLERS, at: past.started });
                    let status = (!large).then_some(Author { manager: CONTROLLERS, at: past.settled });
                    cluster.store.load(&REPLICASETS, object, author, status);
                }
                let uid = deployment.pointer("/metadata/uid").and_then(|uid| uid.as_str()).unwrap_or_default();
                let sets = cluster.sets_of(&key.0, uid);
                settle_pods(&mut work, &sets, &moves);
                cluster.show_pods(&mut work, &sets, &|_| PodBehaviour::default(), now);
            }
            let about = About { api_version: "v1", kind: "Pod", namespace: &key.0, name: "", uid: "" };
            if let Some(pod) = work.pods.first().filter(|_| region.ring == 3 && !large) {
                let name = pod.name();
                let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
                let telling = Telling { warning: true, reason: "Unhealthy", message, component: "kubelet" };
                cluster.tell(About { name: &name, ..about }, telling, after(start, SignedDuration::from_mins(-12)));
            }
        }
        cluster.workloads.insert(key.clone(), work);
    }

    /// Somebody looks into a namespace (empty: all) of a cluster: what is there on paper
    /// becomes real.
    pub(super) fn looked_at(&mut self, index: usize, namespace: &str) {
        let Some(cluster) = self.clusters.get(index) else { return };
        let wanted = |key: &Key| namespace.is_empty() || *key.0 == *namespace;
        let paper = cluster.workloads.iter().filter(|(key, work)| work.on_paper && wanted(key));
        let keys: Vec<Key> = paper.map(|(key, _)| key.clone()).collect();
        let now = self.clock.now();
        for key in keys {
            self.make_real(index, &key, now);
        }
    }

    fn plan_script(&mut self, now: Timestamp) {
        for (index, action) in self.scenario.action.clone().into_iter().enumerate() {
            match action.of {
                Since::Start => self.at(after(now, action.at.0), Due::Action(index)),
                Since::Rollout => self.waiting.push((index, action)),
            }
        }
        if self.churn > 0 {
            self.at(now, Due::Churn);
        }
    }
}

/// What the releases of the past left of a service that is an Argo Rollout: ReplicaSets and pods.
fn install_rollout(
    cluster: &mut Cluster,
    templates: &mut Templates,
    (region, service): (&Region, &Service),
    stored: &Value,
    mut work: Workload,
    moves: &[past::Move],
) {
    let Ok(rollout) = Rollout::read(stored) else { return };
    // Its status is of another shape than a Deployment's, and says nothing of the past.
    let mut plain = Value::clone(stored);
    if let Some(object) = plain.as_object_mut() {
        object.remove("status");
    }
    let sets = past::replica_sets(templates, &plain, region, service, moves);
    for (at, (set, past)) in sets.into_iter().zip(moves).enumerate() {
        let (made, settled) = (past.started, past.settled);
        let author = |at| Some(Author { manager: CONTROLLERS, at });
        let set = super::stepped::replica_set(set, &rollout, at + 1);
        cluster.store.load(&REPLICASETS, set, author(made), author(settled));
    }
    let sets = cluster.sets_of(&rollout.meta.namespace, &rollout.meta.uid);
    settle_pods(&mut work, &sets, moves);
    let now = moves.last().map_or(Timestamp::UNIX_EPOCH, |last| last.settled);
    cluster.show_pods(&mut work, &sets, &|_| PodBehaviour::default(), now);
    let key: Key = (rollout.meta.namespace.as_str().into(), rollout.meta.name.as_str().into());
    cluster.rollouts.insert(key, work);
}

/// The pods that the last release left: made one after another while it rolled out.
fn settle_pods(work: &mut Workload, sets: &[crate::sim::controllers::view::ReplicaSet], moves: &[past::Move]) {
    for set in sets {
        work.learn(set);
    }
    let Some((set, last)) = sets.iter().find(|set| set.replicas > 0).zip(moves.last()) else { return };
    let took = last.settled.duration_since(last.started);
    let count = i32::try_from(set.replicas).unwrap_or(1).max(1);
    for pod in 0..count {
        work.born += 1;
        let made = after(last.started, took * pod / (count + 1));
        let id = fnv(&(work.seed ^ work.born.wrapping_mul(0x9e37_79b9)).to_le_bytes());
        work.pods.push(Pod::settled(id, set.meta.name.as_str().into(), made));
    }
}
