//! A simulated cluster on a socket, and kubectl pointed at it.

use std::path::Path;
use std::process::{Command, Stdio};

use gonogo::sim::api::ApiServer;
use gonogo::sim::clock::SimClock;
use gonogo::sim::kubeconfig::{Context, to_yaml};
use gonogo::sim::resources::{DEPLOYMENTS, NAMESPACES, PODS, REPLICASETS, Resource};
use gonogo::sim::socket::{self, Served};
use gonogo::sim::store::{Store, Writer};
use serde_json::{Value, json};

/// What a kubectl run gave.
#[derive(Debug)]
pub struct Run {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

impl Run {
    /// The output of a run that must have succeeded.
    #[track_caller]
    pub fn good(self) -> String {
        assert!(self.ok, "kubectl failed: {}\n{}", self.err, self.out);
        self.out
    }

    /// The complaint of a run that must have failed.
    #[track_caller]
    pub fn bad(self) -> String {
        assert!(!self.ok, "kubectl succeeded: {}", self.out);
        self.err
    }
}

pub struct Cluster {
    pub server: ApiServer,
    pub store: Store,
    /// kubectl sends no credentials over plain HTTP, so each user has a door of their own.
    doors: Vec<Served>,
    runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
}

/// Whether kubectl can be run. Where it is missing the test is skipped, loudly; in CI that
/// is a failure, unless `.ci/run` found that no registry has one (`GONOGO_NO_KUBECTL` says why).
pub fn kubectl_is_here() -> bool {
    if let Ok(why) = std::env::var("GONOGO_NO_KUBECTL") {
        eprintln!("SKIPPED: {why}");
        return false;
    }
    let found = Command::new("kubectl").args(["version", "--client"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "kubectl is missing, and this is CI");
        eprintln!("SKIPPED: kubectl is not on the PATH");
    }
    found
}

impl Cluster {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let entered = runtime.enter();
        let store = Store::seeded(SimClock::new("2026-03-02T10:00:00Z".parse().unwrap(), 1.0), 1);
        let server = ApiServer::new("ring-1", store.clone());
        let users = [("ring-1", "oncall"), ("viewer", "viewer"), ("deployer", "deployer")];
        let (mut doors, mut contexts) = (Vec::new(), Vec::new());
        for (name, user) in users {
            let door = runtime.block_on(socket::serve(server.trusting(user))).unwrap();
            contexts.push(Context {
                name: name.to_owned(),
                server: door.url(),
                user: user.to_owned(),
                token: format!("{user}-token"),
                namespace: "shop".to_owned(),
            });
            doors.push(door);
        }
        drop(entered);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config"), to_yaml(&contexts)).unwrap();
        let cluster = Self { server, store, doors, runtime, dir };
        cluster.seed();
        cluster
    }

    fn seed(&self) {
        for name in ["default", "kube-system", "shop"] {
            self.make(&NAMESPACES, json!({"metadata": {"name": name}}));
        }
    }

    #[track_caller]
    pub fn make(&self, resource: &'static Resource, object: Value) -> Value {
        let made = self.store.create(resource, object, &Writer::named("setup")).unwrap();
        Value::clone(&made)
    }

    /// A finished Deployment `web` of `v2` with its ReplicaSets and pods, as its controller
    /// would have left it.
    pub fn seed_web(&self) {
        let template = |version: &str| {
            json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                {"name": "web", "image": format!("registry.example/web:{version}")}]}})
        };
        let selector = json!({"matchLabels": {"app": "web"}});
        let revision = |n: u32| {
            json!({"deployment.kubernetes.io/revision": n.to_string(),
            "kubernetes.io/change-cause": format!("release v{n}")})
        };
        let web = self.make(
            &DEPLOYMENTS,
            json!({
            "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "annotations": revision(2)},
            "spec": {"replicas": 2, "selector": selector, "template": template("v2")}}),
        );
        let status = json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2,
            "readyReplicas": 2, "availableReplicas": 2, "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]});
        let mut web = web;
        web["status"] = status;
        let web = self.store.update_status(&DEPLOYMENTS, web, &Writer::controller()).unwrap();
        let owner = |kind: &str, object: &Value| {
            json!([{"apiVersion": "apps/v1", "kind": kind,
            "name": object["metadata"]["name"], "uid": object["metadata"]["uid"], "controller": true}])
        };
        for (n, hash, replicas) in [(1, "aaa", 0), (2, "bbb", 2)] {
            let mut template = template(&format!("v{n}"));
            template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
            let set = self.make(
                &REPLICASETS,
                json!({
                "metadata": {"name": format!("web-{hash}"), "namespace": "shop",
                    "labels": {"app": "web", "pod-template-hash": hash},
                    "annotations": revision(n), "ownerReferences": owner("Deployment", &web)},
                "spec": {"replicas": replicas, "template": template,
                    "selector": {"matchLabels": {"app": "web", "pod-template-hash": hash}}}}),
            );
            let mut filled = set.clone();
            filled["status"] = json!({"replicas": replicas, "readyReplicas": replicas});
            self.store.update_status(&REPLICASETS, filled, &Writer::controller()).unwrap();
            for p in 0..replicas {
                self.make(
                    &PODS,
                    json!({
                    "metadata": {"name": format!("web-{hash}-{p}"), "namespace": "shop",
                        "labels": {"app": "web", "pod-template-hash": hash},
                        "ownerReferences": owner("ReplicaSet", &set)},
                    "spec": {"containers": [{"name": "web", "image": "registry.example/web:v2"}]},
                    "status": {"phase": "Running", "containerStatuses": [{"name": "web", "ready": true,
                        "restartCount": 0, "image": "i", "imageID": "", "state": {"running": {}}}]}}),
                );
            }
        }
    }

    /// The command, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        command(self.dir.path(), &self.dir.path().join("config"), args)
    }

    /// Runs kubectl.
    pub fn kubectl(&self, args: &[&str]) -> Run {
        run(self.command(args))
    }

    /// Runs kubectl with a file's text for `-f -`.
    pub fn kubectl_with(&self, args: &[&str], input: &str) -> Run {
        let file = self.dir.path().join("input.yaml");
        std::fs::write(&file, input).unwrap();
        let mut command = self.command(args);
        command.stdin(std::fs::File::open(file).unwrap());
        run(command)
    }

    /// Runs kubectl and reads its JSON.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.extend(["-o", "json"]);
        serde_json::from_str(&self.kubectl(&all).good()).unwrap()
    }

    /// Stops the server.
    pub fn stop(self) {
        for door in self.doors {
            self.runtime.block_on(door.stop());
        }
    }
}

/// A kubectl command that sees nothing of this machine but the PATH.
pub fn command(home: &Path, kubeconfig: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("kubectl");
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}
