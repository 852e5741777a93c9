//! The whole world: clusters, what is due when, and the history that metrics read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;

use super::cluster::{Cluster, Key, Workload};
use super::history::{Daily, Segment, SharedHistory, TrackKey, VersionBehaviour, VersionPods, WorldHistory};
use super::layout::{EDGE, Layout};
use super::template::Templates;
use crate::sim::clock::SimClock;
use crate::sim::controllers::pod::{Crash, PodBehaviour};
use crate::sim::model::Model;
use crate::sim::scenario::{Action, BehaviourRule, Scenario};

/// Something that happens by itself at a set time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Look at a workload: cluster and key.
    Workload(usize, Key),
    /// Look at a StatefulSet: cluster and key.
    Stateful(usize, Key),
    /// Look at a DaemonSet: cluster and key.
    Daemons(usize, Key),
    /// Look at a Rollout: cluster and key.
    Rollout(usize, Key),
    /// Look at an autoscaler: cluster and key.
    Autoscaler(usize, Key),
    /// Look at an Application of the edge cluster.
    Application(Key),
    /// The gateway takes up a changed route.
    Route(Key),
    /// Names are answered by changed records: of as many clients as so many quarters of the TTL have passed.
    Names(Key, u8),
    /// The scenario's action of this index.
    Action(usize),
    /// The next status updates on random workloads.
    Churn,
}

/// The state that the step loop moves.
pub struct World {
    /// Regions and services on paper.
    pub layout: Layout,
    /// What is wrong, and when.
    pub scenario: Scenario,
    /// The simulated time.
    pub clock: SimClock,
    /// Regions in order, then the edge.
    pub clusters: Vec<Cluster>,
    /// What metrics read.
    pub history: SharedHistory,
    /// Metrics over that history; its daily curves pass through what is normal at the start.
    pub model: Arc<Model>,
    /// Requests per second sent to each region, per service.
    pub offered: BTreeMap<TrackKey, f64>,
    /// Factor on a service's traffic.
    pub traffic: BTreeMap<String, f64>,
    /// Actions that wait for their region's first rollout.
    pub waiting: Vec<(usize, Action)>,
    /// When Applications of the edge cluster are looked at next.
    pub(super) applications: BTreeMap<Key, Timestamp>,
    /// Status updates per real second.
    pub churn: u32,
    pub(super) templates: Templates,
    pub(super) rng: fastrand::Rng,
    pub(super) churned: u64,
    /// What scenario actions ask of the wire (faults), for whoever owns it to take.
    pub(super) wire: Vec<Action>,
    queue: BinaryHeap<Reverse<(Timestamp, u64, Due)>>,
    queued: u64,
}

impl World {
    /// A world without clusters.
    #[must_use]
    pub fn new(layout: Layout, scenario: Scenario, clock: SimClock, churn: u32) -> Self {
        let seed = layout.seed;
        let templates = Templates::new(layout.is_large());
        let mut history = WorldHistory::new(seed);
        for rule in &scenario.behaviour {
            history.set_behaviour(&rule.version, metrics_of(rule));
        }
        let history = Arc::new(RwLock::new(history));
        let anchor = clock.start().as_millisecond();
        Self {
            layout,
            scenario,
            clusters: Vec::new(),
            model: Arc::new(Model::new(Arc::clone(&history), Some(anchor))),
            clock,
            history,
            offered: BTreeMap::new(),
            traffic: BTreeMap::new(),
            waiting: Vec::new(),
            applications: BTreeMap::new(),
            churn,
            templates,
            rng: fastrand::Rng::with_seed(seed ^ 0x00c0_ffee),
            churned: 0,
            wire: Vec::new(),
            queue: BinaryHeap::new(),
            queued: 0,
        }
    }

    /// Index of the cluster of that name.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<usize> {
        self.clusters.iter().position(|cluster| cluster.name == name)
    }

    /// Index of the cluster with the routes.
    #[must_use]
    pub fn edge(&self) -> Option<usize> {
        self.cluster(EDGE)
    }

    // ---- what is due ----

    /// Puts something on the queue. Equal times keep the order in which they were put.
    pub fn at(&mut self, at: Timestamp, due: Due) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, due)));
    }

    /// Looks at a workload at `at`, if not earlier anyway.
    pub fn look(&mut self, cluster: usize, key: &Key, at: Timestamp) {
        let Some(work) = self.clusters.get_mut(cluster).and_then(|c| c.workloads.get_mut(key)) else { return };
        if work.due.is_none_or(|due| at < due) {
            work.due = Some(at);
            self.at(at, Due::Workload(cluster, key.clone()));
        }
    }

    /// Does everything that is due at `now`, in order; says when something is due next.
    pub fn step(&mut self, now: Timestamp) -> Option<Timestamp> {
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > now {
                return Some(*at);
            }
            if let Some(Reverse((at, _, due))) = self.queue.pop() {
                self.handle(due, at, now);
            }
        }
        None
    }

    fn handle(&mut self, due: Due, at: Timestamp, now: Timestamp) {
        match due {
            Due::Workload(cluster, key) => {
                let work = self.clusters.get_mut(cluster).and_then(|c| c.workloads.get_mut(&key));
                // An entry that was overtaken by an earlier one is not due any more.
                if let Some(work) = work.filter(|work| work.due == Some(at)) {
                    work.due = None;
                    self.tick(cluster, &key, at);
                }
            }
            Due::Stateful(cluster, key) => {
                let work = self.clusters.get_mut(cluster).and_then(|c| c.stateful.get_mut(&key));
                if let Some(work) = work.filter(|work| work.due == Some(at)) {
                    work.due = None;
                    self.tick_stateful(cluster, &key, at);
                }
            }
            Due::Daemons(cluster, key) => {
                let work = self.clusters.get_mut(cluster).and_then(|c| c.daemons.get_mut(&key));
                if let Some(work) = work.filter(|work| work.due == Some(at)) {
                    work.due = None;
                    self.tick_daemons(cluster, &key, at);
                }
            }
            Due::Rollout(cluster, key) => {
                let work = self.clusters.get_mut(cluster).and_then(|c| c.rollouts.get_mut(&key));
                if let Some(work) = work.filter(|work| work.due == Some(at)) {
                    work.due = None;
                    self.tick_rollout(cluster, &key, at);
                }
            }
            Due::Autoscaler(cluster, key) => self.autoscale(cluster, &key, at),
            Due::Application(key) => self.tick_application(&key, at),
            Due::Route(key) => self.program(&key, at),
            Due::Names(key, quarters) => self.answer_names(&key, quarters, at),
            Due::Action(index) => {
                if let Some(action) = self.scenario.action.get(index).cloned() {
                    self.act(&action, at);
                }
            }
            Due::Churn => self.churn(now),
        }
    }

    // ---- behaviour ----

    /// How pods of a version live in a region.
    #[must_use]
    pub fn pod_behaviour(&self, region: &str, version: &str) -> PodBehaviour {
        let here = |rule: &&BehaviourRule| rule.regions.is_empty() || rule.regions.iter().any(|name| name == region);
        let rules = self.scenario.behaviour.iter().filter(|rule| rule.version == version);
        rules.filter(here).fold(PodBehaviour::default(), |behaviour, rule| PodBehaviour {
            start_factor: behaviour.start_factor * rule.start,
            crash: behaviour.crash.or_else(|| {
                let crash = rule.crash.as_ref()?;
                Some(Crash { exit_code: crash.exit_code, after: crash.after.0, message: crash.message.clone() })
            }),
            image_missing: behaviour.image_missing || rule.image_missing,
        })
    }

    // ---- history ----

    /// Writes what a workload runs now into the history.
    pub fn remember(&self, work: &Workload, desired: i64, at: Timestamp) {
        let Some(key) = &work.track else { return };
        let mut versions: BTreeMap<(Arc<str>, Arc<str>), (u32, u32)> = BTreeMap::new();
        for pod in &work.pods {
            let hash = pod.set.rsplit_once('-').map_or(&*pod.set, |(_, hash)| hash);
            let counts = versions.entry((work.version(&pod.set), hash.into())).or_default();
            counts.0 += u32::from(pod.is_ready());
            counts.1 += u32::from(pod.is_running());
        }
        let versions = versions
            .into_iter()
            .filter(|(_, (_, running))| *running > 0)
            .map(|(names, (ready, running))| VersionPods { version: names.0, template_hash: names.1, ready, running });
        let segment = Segment {
            from: at,
            versions: versions.collect(),
            desired: u32::try_from(desired).unwrap_or(0),
            offered_qps: self.offered.get(key).copied().unwrap_or(0.0),
        };
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(track) = history.track_mut(key) {
            track.push(segment);
        }
    }
}

fn metrics_of(rule: &BehaviourRule) -> VersionBehaviour {
    VersionBehaviour {
        error_rate: rule.error_rate,
        latency_factor: rule.latency,
        cpu_factor: rule.cpu,
        leak_per_hour: rule.leak_per_hour,
        above_qps: rule.above_qps,
        daily: rule.daily.as_ref().map(|d| Daily { at_ms: d.at.0, lasts_ms: d.lasts.millis() }),
    }
}
