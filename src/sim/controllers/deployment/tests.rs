//! A small cluster in memory: Deployment, ReplicaSets and pods, moved by the pure controllers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "tests"
)]

use super::*;
use crate::sim::controllers::pod::{Crash, Pod, PodBehaviour};
use crate::sim::controllers::{replicaset, stamp};

struct Cluster {
    deployment: Value,
    sets: Vec<Value>,
    pods: Vec<Pod>,
    born: u64,
    now: Timestamp,
    wake: Timestamp,
    behaviour: PodBehaviour,
    /// (replicas, updated, ready, available), each time the written status changes.
    seen: Vec<(i64, i64, i64, i64)>,
    events: Vec<String>,
}

impl Cluster {
    fn new(replicas: i64, spec: Value) -> Self {
        let mut deployment = json!({
            "metadata": {"name": "webapp", "namespace": "webapp", "uid": "u1", "generation": 1, "annotations": {}},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": {"app": "webapp"}},
                "template": {"metadata": {"labels": {"app": "webapp"}},
                    "spec": {"containers": [{"name": "web", "image": "webapp:v1"}]}},
            },
            "status": {},
        });
        for (key, value) in spec.as_object().unwrap() {
            deployment["spec"][key] = value.clone();
        }
        let mut cluster = Self {
            deployment,
            sets: Vec::new(),
            pods: Vec::new(),
            born: 0,
            now: "2026-03-02T10:00:00Z".parse().unwrap(),
            wake: Timestamp::MAX,
            behaviour: PodBehaviour::default(),
            seen: Vec::new(),
            events: Vec::new(),
        };
        cluster.run(60);
        cluster.seen.clear();
        cluster.events.clear();
        cluster
    }

    fn change(&mut self, pointer: &str, value: Value) {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        self.deployment.pointer_mut(parent).unwrap()[key] = value;
        let generation = self.deployment["metadata"]["generation"].as_i64().unwrap();
        self.deployment["metadata"]["generation"] = json!(generation + 1);
    }

    fn image(&mut self, image: &str) {
        self.change("/spec/template/spec/containers/0/image", json!(image));
    }

    /// Runs for that many seconds: 10 ms a sync while anything moves, else on to what is due.
    fn run(&mut self, seconds: i64) {
        let end = after(self.now, SignedDuration::from_secs(seconds));
        while self.now < end {
            self.wake = end;
            for pod in &mut self.pods {
                pod.advance(&self.behaviour, self.now);
            }
            self.pods.retain(|pod| pod.stage != crate::sim::controllers::pod::Stage::Gone);
            let moved = self.sync_sets() | self.sync_deployment();
            let due = self.pods.iter().filter_map(|pod| pod.due).min().unwrap_or(end).min(self.wake);
            let next = after(self.now, SignedDuration::from_millis(10));
            self.now = if moved { next } else { due.clamp(next, end.max(next)) };
        }
    }

    fn sync_sets(&mut self) -> bool {
        let mut moved = false;
        for object in &mut self.sets {
            let set = ReplicaSet::read(object).unwrap();
            let synced = replicaset::sync(&set, &mut self.pods, 1, &mut self.born, self.now);
            if let Some(status) = synced.status {
                object["status"] = status;
                moved = true;
            }
            self.wake = self.wake.min(synced.wake.unwrap_or(self.wake));
        }
        moved
    }

    fn views(&self) -> (Deployment, Vec<ReplicaSet>, PodCounts) {
        let sets = self.sets.iter().map(|set| ReplicaSet::read(set).unwrap()).collect();
        let mut counts = PodCounts::new();
        for pod in &self.pods {
            *counts.entry(pod.set.to_string()).or_default() += 1;
        }
        (Deployment::read(&self.deployment).unwrap(), sets, counts)
    }

    fn sync_deployment(&mut self) -> bool {
        let (deployment, sets, pods) = self.views();
        let mut moved = false;
        for write in reconcile(&deployment, &sets, &pods, self.now) {
            moved |= !matches!(write, Write::WakeAt(_));
            self.apply(write);
        }
        moved
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::CreateReplicaSet(mut object) => {
                object["metadata"]["creationTimestamp"] = json!(stamp(self.now));
                object["metadata"]["generation"] = json!(1);
                self.sets.push(object);
            }
            Write::UpdateReplicaSet { name, replicas, min_ready_seconds, annotations } => {
                let object = self.set_mut(&name);
                if let Some(replicas) = replicas {
                    object["spec"]["replicas"] = json!(replicas);
                    let generation = object["metadata"]["generation"].as_i64().unwrap();
                    object["metadata"]["generation"] = json!(generation + 1);
                }
                if let Some(seconds) = min_ready_seconds {
                    object["spec"]["minReadySeconds"] = json!(seconds);
                }
                for (key, value) in annotations {
                    object["metadata"]["annotations"][key] = json!(value);
                }
            }
            Write::DeleteReplicaSet(name) => self.sets.retain(|set| set["metadata"]["name"] != name),
            Write::UpdateStatus { status, annotations } => {
                self.deployment["status"] = status;
                for (key, value) in annotations {
                    self.deployment["metadata"]["annotations"][key] = json!(value);
                }
                let of = |key: &str| self.deployment["status"][key].as_i64().unwrap_or(0);
                let counts = (of("replicas"), of("updatedReplicas"), of("readyReplicas"), of("availableReplicas"));
                if self.seen.last() != Some(&counts) {
                    self.seen.push(counts);
                }
            }
            Write::Event { message, .. } => self.events.push(message),
            Write::WakeAt(at) => self.wake = self.wake.min(at),
        }
    }

    fn set_mut(&mut self, name: &str) -> &mut Value {
        self.sets.iter_mut().find(|set| set["metadata"]["name"] == name).unwrap()
    }

    fn progressing(&self) -> (String, String, String) {
        let conditions = self.deployment["status"]["conditions"].as_array().unwrap();
        let found = conditions.iter().find(|c| c["type"] == "Progressing").unwrap();
        let of = |key: &str| found[key].as_str().unwrap().to_owned();
        (of("reason"), of("lastUpdateTime"), of("lastTransitionTime"))
    }

    fn sizes(&self) -> Vec<i64> {
        self.sets.iter().map(|set| set["spec"]["replicas"].as_i64().unwrap()).collect()
    }

    fn revisions(&self) -> Vec<&str> {
        self.sets.iter().map(|set| set["metadata"]["annotations"][REVISION].as_str().unwrap()).collect()
    }
}

#[test]
fn twelve_pods_with_a_quarter_of_surge_take_the_steps_of_a_real_rollout() {
    let mut cluster = Cluster::new(12, json!({}));
    cluster.image("webapp:v2");
    cluster.run(60);
    let steps: String = cluster.seen.iter().map(|(r, u, y, a)| format!("{r:>2} {u:>2} {y:>2} {a:>2}\n")).collect();
    insta::assert_snapshot!("rollout_of_twelve", format!("replicas updated ready available\n{steps}"));
    insta::assert_snapshot!("rollout_of_twelve_events", cluster.events.join("\n"));
    assert!(cluster.seen.iter().all(|(replicas, ..)| *replicas <= 15), "never above the surge");
    assert!(cluster.seen.iter().all(|(.., available)| *available >= 9), "never below the minimum");
}

#[test]
fn a_finished_rollout_keeps_its_time_of_completion() {
    let mut cluster = Cluster::new(4, json!({}));
    let first = cluster.progressing();
    assert_eq!(first.0, "NewReplicaSetAvailable");
    cluster.image("webapp:v2");
    cluster.run(60);
    let second = cluster.progressing();
    assert_eq!(second.0, "NewReplicaSetAvailable");
    assert!(second.1 > first.1, "completion of this rollout");
    assert_eq!(second.2, first.2, "status stayed True: no transition");
    cluster.change("/spec/replicas", json!(8));
    cluster.run(60);
    assert_eq!(cluster.deployment["status"]["availableReplicas"], 8);
    assert_eq!(cluster.progressing(), second, "scaling touches no progress");
}

#[test]
fn a_crashing_version_exceeds_its_deadline_and_keeps_the_old_one_serving() {
    let mut cluster = Cluster::new(12, json!({"progressDeadlineSeconds": 30}));
    let crash = Crash { exit_code: 1, after: SignedDuration::from_secs(1), message: String::new() };
    cluster.behaviour.crash = Some(crash);
    cluster.image("webapp:v2");
    cluster.run(20);
    assert_eq!(cluster.progressing().0, "ReplicaSetUpdated");
    cluster.run(60);
    let (reason, ..) = cluster.progressing();
    assert_eq!(reason, "ProgressDeadlineExceeded");
    assert_eq!(cluster.deployment["status"]["availableReplicas"], 9);
    assert_eq!(cluster.deployment["status"]["unavailableReplicas"], 6);
    cluster.behaviour.crash = None;
    cluster.image("webapp:v1");
    cluster.run(60);
    assert_eq!(cluster.progressing().0, "NewReplicaSetAvailable");
}

#[test]
fn rolling_back_uses_the_old_replica_set_under_a_new_number() {
    let mut cluster = Cluster::new(4, json!({}));
    cluster.image("webapp:v2");
    cluster.run(60);
    assert_eq!(cluster.revisions(), ["1", "2"]);
    cluster.image("webapp:v1");
    cluster.run(60);
    assert_eq!(cluster.revisions(), ["3", "2"]);
    assert_eq!(cluster.sets[0]["metadata"]["annotations"][REVISION_HISTORY], "1");
    assert_eq!(cluster.deployment["metadata"]["annotations"][REVISION], "3");
    assert_eq!(cluster.sizes(), [4, 0]);
    cluster.image("webapp:v2");
    cluster.run(60);
    cluster.image("webapp:v1");
    cluster.run(60);
    assert_eq!(cluster.sets[0]["metadata"]["annotations"][REVISION_HISTORY], "1,3");
}

#[test]
fn a_pause_stops_a_rollout_where_it_is_and_resuming_goes_on() {
    let mut cluster = Cluster::new(12, json!({}));
    cluster.image("webapp:v2");
    cluster.run(1);
    cluster.change("/spec/paused", json!(true));
    cluster.run(60);
    assert_eq!(cluster.progressing().0, "DeploymentPaused");
    let sizes = cluster.sizes();
    assert_eq!(sizes, [9, 6]);
    assert_eq!(cluster.deployment["status"]["observedGeneration"], cluster.deployment["metadata"]["generation"]);
    cluster.image("webapp:v3");
    cluster.run(60);
    assert_eq!(cluster.sizes(), sizes, "a template changed under a pause makes no ReplicaSet");
    cluster.change("/spec/paused", json!(false));
    cluster.run(60);
    assert_eq!(cluster.progressing().0, "NewReplicaSetAvailable");
    assert_eq!(cluster.sizes(), [0, 0, 12]);
}

#[test]
fn scaling_while_paused_keeps_the_proportions() {
    let mut cluster = Cluster::new(
        10,
        json!({"strategy": {"type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}}),
    );
    cluster.image("webapp:v2");
    cluster.run(1);
    cluster.change("/spec/paused", json!(true));
    cluster.run(30);
    assert_eq!(cluster.sizes(), [8, 5]);
    cluster.change("/spec/replicas", json!(15));
    cluster.run(30);
    assert_eq!(cluster.sizes(), [11, 7]);
}

#[test]
fn recreate_stops_everything_old_before_anything_new() {
    let mut cluster = Cluster::new(4, json!({"strategy": {"type": "Recreate"}}));
    cluster.image("webapp:v2");
    cluster.run(60);
    assert!(cluster.seen.contains(&(0, 0, 0, 0)), "{:?}", cluster.seen);
    assert_eq!(cluster.sizes(), [0, 4]);
    assert_eq!(cluster.progressing().0, "NewReplicaSetAvailable");
}

#[test]
fn pods_count_as_available_only_after_min_ready_seconds() {
    let mut cluster = Cluster::new(4, json!({"minReadySeconds": 20}));
    cluster.image("webapp:v2");
    cluster.run(15);
    assert!(cluster.seen.iter().any(|(_, _, ready, available)| ready > available));
    cluster.run(90);
    assert_eq!(cluster.progressing().0, "NewReplicaSetAvailable");
}

#[test]
fn history_beyond_the_limit_is_deleted_oldest_first() {
    let mut cluster = Cluster::new(2, json!({"revisionHistoryLimit": 2}));
    for version in 2..=5 {
        cluster.image(&format!("webapp:v{version}"));
        cluster.run(40);
    }
    assert_eq!(cluster.revisions(), ["3", "4", "5"]);
}

#[test]
fn a_deployment_at_rest_is_left_alone() {
    let cluster = Cluster::new(4, json!({}));
    let (deployment, sets, pods) = cluster.views();
    assert_eq!(reconcile(&deployment, &sets, &pods, cluster.now), []);
}

#[test]
fn without_a_deadline_there_is_no_progressing_condition() {
    let mut cluster = Cluster::new(2, json!({"progressDeadlineSeconds": 2_147_483_647}));
    cluster.image("webapp:v2");
    cluster.run(60);
    let conditions = cluster.deployment["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().all(|c| c["type"] != "Progressing"));
}

#[test]
fn change_causes_reach_the_replica_set() {
    let mut cluster = Cluster::new(2, json!({}));
    cluster.deployment["metadata"]["annotations"]["kubernetes.io/change-cause"] = json!("promote to v2");
    cluster.image("webapp:v2");
    cluster.run(60);
    assert_eq!(cluster.sets[1]["metadata"]["annotations"]["kubernetes.io/change-cause"], "promote to v2");
}

/// What people may do to a Deployment while it rolls out.
#[derive(Debug, Clone)]
enum Doing {
    Image(u8),
    Scale(i64),
    Pause(bool),
    Wait(i64),
}

fn doing() -> impl proptest::strategy::Strategy<Value = Doing> {
    use proptest::prelude::*;
    prop_oneof![
        (1_u8..5).prop_map(Doing::Image),
        (0_i64..20).prop_map(Doing::Scale),
        any::<bool>().prop_map(Doing::Pause),
        (1_i64..20).prop_map(Doing::Wait),
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 48, ..Default::default() })]

    /// Whatever people do meanwhile: left alone, every Deployment ends up whole, on the newest
    /// template, with one active ReplicaSet, and says so.
    #[test]
    fn every_rollout_comes_to_rest(
        replicas in 1_i64..16,
        surge in 0_i64..60,
        unavailable in 0_i64..60,
        doings in proptest::collection::vec(doing(), 0..10),
    ) {
        let strategy = json!({"type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": format!("{surge}%"), "maxUnavailable": format!("{unavailable}%")}});
        let mut cluster = Cluster::new(replicas, json!({"strategy": strategy}));
        let mut wanted = replicas;
        for doing in doings {
            match doing {
                Doing::Image(version) => cluster.image(&format!("webapp:v{version}")),
                Doing::Scale(size) => {
                    wanted = size;
                    cluster.change("/spec/replicas", json!(size));
                }
                Doing::Pause(paused) => cluster.change("/spec/paused", json!(paused)),
                Doing::Wait(seconds) => cluster.run(seconds),
            }
        }
        cluster.change("/spec/paused", json!(false));
        cluster.run(600);
        let status = Deployment::read(&cluster.deployment).unwrap().status;
        proptest::prop_assert_eq!((status.replicas, status.updated_replicas, status.available_replicas), (wanted, wanted, wanted));
        proptest::prop_assert!(cluster.sizes().iter().filter(|size| **size > 0).count() <= 1);
        proptest::prop_assert_eq!(cluster.progressing().0, "NewReplicaSetAvailable");
        let (deployment, sets, pods) = cluster.views();
        proptest::prop_assert_eq!(reconcile(&deployment, &sets, &pods, cluster.now), vec![]);
    }

    /// A rollout that nobody disturbs stays within its limits all the way.
    #[test]
    fn a_rollout_keeps_to_its_surge_and_its_minimum(
        replicas in 1_i64..25,
        surge in 0_i64..60,
        unavailable in 0_i64..60,
    ) {
        let strategy = json!({"type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": format!("{surge}%"), "maxUnavailable": format!("{unavailable}%")}});
        let mut cluster = Cluster::new(replicas, json!({"strategy": strategy}));
        cluster.image("webapp:v2");
        cluster.run(600);
        let deployment = Deployment::read(&cluster.deployment).unwrap();
        let (most, least) = (replicas + max_surge(&deployment), replicas - max_unavailable(&deployment));
        for (all, _, _, available) in &cluster.seen {
            proptest::prop_assert!(*all <= most, "{} pods of at most {}", all, most);
            proptest::prop_assert!(*available >= least, "{} available of at least {}", available, least);
        }
        proptest::prop_assert_eq!(cluster.progressing().0, "NewReplicaSetAvailable");
    }
}
