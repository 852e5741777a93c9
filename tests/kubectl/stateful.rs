//! StatefulSets of the simulated fleet, as kubectl sees and moves them.

use std::path::Path;

use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::{Value, json};

use crate::cluster::{self, Run, kubectl_is_here};

const MANIFEST: &str = r"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: default, annotations: {kubernetes.io/change-cause: first}}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: 'registry.example/db:v1'}]
";

struct Fleet {
    runtime: tokio::runtime::Runtime,
    fleet: SimFleet,
    dir: tempfile::TempDir,
    kubeconfig: std::path::PathBuf,
}

impl Fleet {
    /// A fleet in which v2.1.0 crashes in eu-west-1, with the StatefulSet `db` there.
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let entered = runtime.enter();
        let start = "2026-03-02T10:00:00Z".parse().ok();
        let options = SimOptions { scenario: "crashloop".into(), speed: Some(8.0), start, ..SimOptions::default() };
        let mut fleet = SimFleet::start(&options).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let kubeconfig = runtime.block_on(fleet.serve(dir.path())).unwrap().kubeconfig.clone();
        drop(entered);
        let fleet = Self { runtime, fleet, dir, kubeconfig };
        let file = fleet.dir.path().join("db.yaml");
        std::fs::write(&file, MANIFEST).unwrap();
        fleet.on(&["apply", "-f", path(&file)]).good();
        fleet
    }

    fn on(&self, args: &[&str]) -> Run {
        let mut all = vec!["--context=sim-eu-west-1", "-n", "default"];
        all.extend(args);
        cluster::run(cluster::command(self.dir.path(), &self.kubeconfig, &all))
    }

    fn image(&self, version: &str) {
        self.on(&["set", "image", "sts/db", &format!("db=registry.example/db:{version}")]).good();
    }

    fn settled(&self) -> String {
        self.on(&["rollout", "status", "sts/db", "--timeout=60s"]).good()
    }

    /// Image tags by ordinal.
    fn versions(&self) -> Vec<String> {
        let pods: Value =
            serde_json::from_str(&self.on(&["get", "pods", "-l", "app=db", "-o", "json"]).good()).unwrap();
        let tag = |pod: &Value| {
            let image = pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
            (pod["metadata"]["name"].clone().to_string(), image.rsplit_once(':').unwrap().1.to_owned())
        };
        let mut all: Vec<_> = pods["items"].as_array().unwrap().iter().map(tag).collect();
        all.sort();
        all.into_iter().map(|(_, tag)| tag).collect()
    }

    fn waits_for(&self, condition: &str) {
        self.on(&["wait", "sts/db", &format!("--for=jsonpath={condition}"), "--timeout=60s"]).good();
    }

    fn stop(self) {
        self.runtime.block_on(self.fleet.stop());
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_stateful_set_rolls_from_the_top_as_far_as_its_partition_and_back() {
    if !kubectl_is_here() {
        return;
    }
    let fleet = Fleet::start();
    let status = fleet.settled();
    assert!(status.contains("partitioned roll out complete: 3 new pods have been updated"), "{status}");
    let table = fleet.on(&["get", "sts"]).good();
    let words: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words[..2], ["db", "3/3"]);
    let pods = fleet.on(&["get", "pods", "-l", "statefulset.kubernetes.io/pod-name=db-2", "-o", "name"]).good();
    assert_eq!(pods.trim(), "pod/db-2");
    // Only the highest pod takes the new version.
    let partition = r#"{"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}}"#;
    fleet.on(&["patch", "sts", "db", "-p", partition]).good();
    fleet.image("v2.0.0");
    let status = fleet.settled();
    assert!(status.contains("partitioned roll out complete: 1 new pods"), "{status}");
    assert_eq!(fleet.versions(), ["v1", "v1", "v2.0.0"]);
    fleet.on(&["patch", "sts", "db", "-p", &partition.replace('2', "0")]).good();
    fleet.waits_for("{.status.updatedReplicas}=3");
    fleet.settled();
    assert_eq!(fleet.versions(), ["v2.0.0"; 3]);
    let history = fleet.on(&["rollout", "history", "sts/db"]).good();
    assert_eq!(history.lines().filter(|l| l.contains("first")).count(), 2, "{history}");
    let revisions = fleet.on(&["get", "controllerrevisions"]).good();
    assert_eq!(revisions.matches("statefulset.apps/db").count(), 2, "{revisions}");
    let undone = fleet.on(&["rollout", "undo", "sts/db"]).good();
    assert!(undone.contains("rolled back"), "{undone}");
    fleet.settled();
    fleet.waits_for("{.status.updatedReplicas}=3");
    assert_eq!(fleet.versions(), ["v1"; 3]);
    let revisions = fleet.on(&["get", "controllerrevisions", "-o", "jsonpath={.items[*].revision}"]).good();
    let mut numbers: Vec<&str> = revisions.split_whitespace().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["2", "3"], "the first one was taken again");
    let described = fleet.on(&["describe", "sts", "db"]).good();
    for part in ["3 desired | 3 total", "3 Running", "Partition:", "SuccessfulCreate", "SuccessfulDelete"] {
        assert!(described.contains(part), "no {part} in\n{described}");
    }
    assert!(fleet.on(&["describe", "pod", "db-0"]).good().contains("Controlled By:  StatefulSet/db"));
    fleet.on(&["scale", "sts", "db", "--replicas=1"]).good();
    fleet.waits_for("{.status.replicas}=1");
    assert_eq!(fleet.versions(), ["v1"]);
    let on_delete = r#"{"spec":{"updateStrategy":{"$retainKeys":["type"],"type":"OnDelete","rollingUpdate":null}}}"#;
    fleet.on(&["patch", "sts", "db", "-p", on_delete]).good();
    let refused = fleet.on(&["rollout", "status", "sts/db"]).bad();
    assert!(refused.contains("only available for RollingUpdate"), "{refused}");
    fleet.on(&["delete", "sts", "db", "--timeout=20s"]).good();
    assert_eq!(fleet.versions(), [""; 0]);
    fleet.stop();
}

#[test]
fn a_broken_pod_blocks_the_way_back_until_somebody_deletes_it() {
    if !kubectl_is_here() {
        return;
    }
    let fleet = Fleet::start();
    fleet.settled();
    fleet.image("v2.1.0");
    // The pod is there, of the new template, and will not be ready.
    fleet.waits_for("{.status.updatedReplicas}=1");
    fleet.on(&["rollout", "undo", "sts/db"]).good();
    let waits = fleet.on(&["rollout", "status", "sts/db", "--timeout=3s"]).bad();
    assert!(waits.contains("timed out"), "{waits}");
    assert_eq!(fleet.versions(), ["v1", "v1", "v2.1.0"], "the broken one is waited for");
    let uid = |fleet: &Fleet| fleet.on(&["get", "pod", "db-2", "-o", "jsonpath={.metadata.uid}"]).good();
    let before = uid(&fleet);
    fleet.on(&["delete", "pod", "db-2", "--timeout=20s"]).good();
    fleet.settled();
    assert_eq!(fleet.versions(), ["v1"; 3]);
    assert_ne!(uid(&fleet), before, "it is another pod");
    // What gonogo reads of this object is what kubectl says of it.
    let object: Value = serde_json::from_str(&fleet.on(&["get", "sts", "db", "-o", "json"]).good()).unwrap();
    let how = |_: &str, _: &str| {
        Some(gonogo::kinds::ReadHow {
            container: "db".into(),
            version_from: gonogo::domain::fleet::VersionFrom::Image,
            left_out: Default::default(),
        })
    };
    let read = gonogo::kinds::kind("StatefulSet").unwrap().read(object.to_string().as_bytes(), &how);
    let workload = read.unwrap().unwrap().workload;
    assert!(workload.settled(), "{workload:?}");
    assert_eq!(json!(workload.replicas.updated), json!(3));
    fleet.stop();
}
