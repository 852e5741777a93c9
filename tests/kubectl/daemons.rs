//! DaemonSets of the simulated fleet, as kubectl sees and moves them.

use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::Value;

use crate::cluster::{self, Run, kubectl_is_here};

const MANIFEST: &str = r"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default, annotations: {kubernetes.io/change-cause: first}}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: agent, image: 'registry.example/agent:v1'}]
";

struct Fleet {
    runtime: tokio::runtime::Runtime,
    fleet: SimFleet,
    dir: tempfile::TempDir,
    kubeconfig: std::path::PathBuf,
}

impl Fleet {
    /// A fleet in which v2.1.0 crashes in eu-west-1, with the DaemonSet `agent` there.
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
        let file = fleet.dir.path().join("agent.yaml");
        std::fs::write(&file, MANIFEST).unwrap();
        fleet.on(&["apply", "-f", file.to_str().unwrap()]).good();
        fleet.waits_for("{.status.desiredNumberScheduled}=3");
        fleet
    }

    fn on(&self, args: &[&str]) -> Run {
        let mut all = vec!["--context=sim-eu-west-1", "-n", "default"];
        all.extend(args);
        cluster::run(cluster::command(self.dir.path(), &self.kubeconfig, &all))
    }

    fn image(&self, version: &str) {
        self.on(&["set", "image", "ds/agent", &format!("agent=registry.example/agent:{version}")]).good();
    }

    fn settled(&self) -> String {
        self.on(&["rollout", "status", "ds/agent", "--timeout=60s"]).good()
    }

    fn versions(&self) -> Vec<String> {
        let pods: Value =
            serde_json::from_str(&self.on(&["get", "pods", "-l", "app=agent", "-o", "json"]).good()).unwrap();
        let tag = |pod: &Value| {
            let image = pod["spec"]["containers"][0]["image"].as_str().unwrap();
            image.rsplit_once(':').unwrap().1.to_owned()
        };
        let of = |pod: &&Value| pod["metadata"].get("deletionTimestamp").is_none();
        pods["items"].as_array().unwrap().iter().filter(of).map(tag).collect()
    }

    fn waits_for(&self, condition: &str) {
        self.on(&["wait", "ds/agent", &format!("--for=jsonpath={condition}"), "--timeout=60s"]).good();
    }

    fn stop(self) {
        self.runtime.block_on(self.fleet.stop());
    }
}

#[test]
fn a_daemon_set_rolls_over_the_nodes_and_back() {
    if !kubectl_is_here() {
        return;
    }
    let fleet = Fleet::start();
    let status = fleet.settled();
    assert!(status.contains("daemon set \"agent\" successfully rolled out"), "{status}");
    let table = fleet.on(&["get", "ds"]).good();
    let words: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words[..6], ["agent", "3", "3", "3", "3", "3"], "{table}");
    fleet.image("v2.0.0");
    let status = fleet.settled();
    assert!(status.contains("out of 3 new pods have been updated"), "{status}");
    assert_eq!(fleet.versions(), ["v2.0.0"; 3]);
    let history = fleet.on(&["rollout", "history", "ds/agent"]).good();
    assert_eq!(history.lines().filter(|l| l.contains("first")).count(), 2, "{history}");
    let revisions = fleet.on(&["get", "controllerrevisions"]).good();
    assert_eq!(revisions.matches("daemonset.apps/agent").count(), 2, "{revisions}");
    let undone = fleet.on(&["rollout", "undo", "ds/agent"]).good();
    assert!(undone.contains("rolled back"), "{undone}");
    fleet.settled();
    assert_eq!(fleet.versions(), ["v1"; 3]);
    fleet.on(&["rollout", "restart", "ds/agent"]).good();
    fleet.settled();
    let revisions = fleet.on(&["get", "controllerrevisions", "-o", "jsonpath={.items[*].revision}"]).good();
    let mut numbers: Vec<&str> = revisions.split_whitespace().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["2", "3", "4"], "the first one was taken again, and a restart is another");
    let described = fleet.on(&["describe", "ds", "agent"]).good();
    for part in [
        "Desired Number of Nodes Scheduled: 3",
        "Number of Nodes Scheduled with Up-to-date Pods: 3",
        "3 Running",
        "SuccessfulCreate",
        "SuccessfulDelete",
    ] {
        assert!(described.contains(part), "no {part} in\n{described}");
    }
    let pod = fleet.on(&["get", "pods", "-l", "app=agent", "-o", "name"]).good();
    let pod = fleet.on(&["describe", pod.lines().next().unwrap()]).good();
    assert!(pod.contains("Controlled By:  DaemonSet/agent"), "{pod}");
    fleet.on(&["delete", "ds", "agent", "--timeout=20s"]).good();
    assert!((0..100).any(|_| fleet.versions().is_empty()), "{:?}", fleet.versions());
    fleet.stop();
}

#[test]
fn a_daemon_set_that_does_not_start_stops_at_the_first_node() {
    if !kubectl_is_here() {
        return;
    }
    let fleet = Fleet::start();
    fleet.settled();
    fleet.image("v2.1.0");
    fleet.waits_for("{.status.numberUnavailable}=1");
    fleet.waits_for("{.status.updatedNumberScheduled}=1");
    let waits = fleet.on(&["rollout", "status", "ds/agent", "--watch=false"]).good();
    assert!(waits.contains("1 out of 3 new pods have been updated"), "{waits}");
    fleet.on(&["rollout", "undo", "ds/agent"]).good();
    fleet.settled();
    assert_eq!(fleet.versions(), ["v1"; 3]);
    let on_delete = r#"{"spec":{"updateStrategy":{"$retainKeys":["type"],"type":"OnDelete","rollingUpdate":null}}}"#;
    fleet.on(&["patch", "ds", "agent", "-p", on_delete]).good();
    let refused = fleet.on(&["rollout", "status", "ds/agent"]).bad();
    assert!(refused.contains("only available for RollingUpdate"), "{refused}");
    fleet.stop();
}
