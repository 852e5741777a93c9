//! The exercise of three rings in one cluster: three namespaces as three regions, ring 1 on v2,
//! rings 2 and 3 on v1. Ring 2 is promoted and ring 3 stays byte for byte; ring 2 is rolled
//! back and ring 3 is still untouched; arguments come from a template.
//!
//! `GONOGO_REAL_KUBECONFIG=PATH` plays it on whatever cluster that file's only or first context
//! names, and cleans up. `GONOGO_REAL_CONTROLLERS=0` says that nothing moves Deployments there (a bare API
//! server): then only what the API shows is asserted. Without the variable the test says so.
//! The same exercise always runs on the simulated fleet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a test"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A cluster to play on.
struct Ground {
    kubeconfig: PathBuf,
    context: String,
    /// Something moves Deployments here.
    controllers: bool,
    dir: tempfile::TempDir,
    /// Names that no other run uses.
    tag: String,
}

impl Ground {
    fn new(kubeconfig: PathBuf, context: String, controllers: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tag = format!("gonogo-{}", std::process::id());
        Self { kubeconfig, context, controllers, dir, tag }
    }

    fn namespace(&self, ring: u32) -> String {
        format!("{}-r{ring}", self.tag)
    }

    fn kubectl(&self, args: &[&str], input: &str) -> String {
        let mut child = Command::new("kubectl")
            .args(["--kubeconfig", &self.kubeconfig.display().to_string(), "--context", &self.context])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl is there");
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn deployment(&self, ring: u32) -> Value {
        let namespace = self.namespace(ring);
        let text = self.kubectl(&["-n", &namespace, "get", "deployment", "shop", "-o", "json"], "");
        serde_json::from_str(&text).unwrap()
    }

    fn gonogo(&self, args: &[&str]) -> Output {
        let home = self.dir.path();
        Command::new(env!("CARGO_BIN_EXE_gonogo"))
            .arg("--config")
            .arg(home.join("config.toml"))
            .args(args)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .stdin(Stdio::null())
            .output()
            .expect("gonogo starts")
    }

    fn must(&self, args: &[&str]) -> String {
        let output = self.gonogo(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "gonogo {args:?}: {:?}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    /// Waits until a ring has baked; how long that takes is the cluster's affair.
    fn wait_until_baked(&self, ring: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let output = self.gonogo(&["status", "shop", "-o", "json"]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let status: Value = serde_json::from_str(&text).expect("status is JSON");
            let rings = status["services"][0]["rings"].as_array().expect("it lists the rings");
            let verdict = rings.iter().find(|r| r["ring"] == ring).map(|r| &r["verdict"]);
            if verdict.is_some_and(|v| v == "go") {
                return;
            }
            assert!(Instant::now() < deadline, "{ring} never got ready: {text}");
        }
    }

    fn write_config(&self) {
        let rings: String = (1..=3)
            .map(|n| {
                let gates = if n == 1 && !self.controllers { "exit = [{ gate = \"ready\" }]" } else { "bake = \"1s\"" };
                format!("[[topology.lab.rings]]\nname = \"ring-{n}\"\nregions = [\"r{n}\"]\n{gates}\n\n")
            })
            .collect();
        let places: String = (1..=3).map(|n| format!("[region.r{n}]\ncluster = \"lab\"\n\n")).collect();
        let config = format!(
            r#"fleet = "lab"

[cluster.lab]
context = "{}"
kubeconfig = "{}"

{places}{rings}
[service.shop]
topology = "lab"
columns = []
carries = [
  "image",
  {{ path = "/spec/template/spec/containers[name=shop]/args", template = ["--version={{{{version}}}}", "--region={{{{region}}}}"] }},
]

[service.shop.workload]
namespace = "{}-{{{{region}}}}"
name = "shop"
container = "shop"
"#,
            self.context,
            self.kubeconfig.display(),
            self.tag,
        );
        std::fs::write(self.dir.path().join("config.toml"), config).unwrap();
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for ring in 1..=3 {
            let _ = Command::new("kubectl")
                .args(["--kubeconfig", &self.kubeconfig.display().to_string(), "--context", &self.context])
                .args(["delete", "namespace", &self.namespace(ring), "--wait=false", "--ignore-not-found"])
                .output();
        }
    }
}

fn manifest(namespace: &str, version: &str, region: &str) -> String {
    serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": namespace, "labels": {"app": "shop"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{
                    "name": "shop",
                    "image": format!("registry.example/shop:{version}"),
                    "args": [format!("--version={version}"), format!("--region={region}")],
                }]},
            },
        },
    })
    .to_string()
}

fn image(deployment: &Value) -> &str {
    deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap()
}

fn play(ground: &Ground) {
    for (ring, version) in [(1, "v2"), (2, "v1"), (3, "v1")] {
        let namespace = ground.namespace(ring);
        ground.kubectl(&["create", "namespace", &namespace], "");
        ground.kubectl(&["apply", "-f", "-"], &manifest(&namespace, version, &format!("r{ring}")));
        if ground.controllers {
            ground.kubectl(&["-n", &namespace, "rollout", "status", "deployment/shop", "--timeout=120s"], "");
        }
    }
    ground.write_config();
    let third = ground.deployment(3);

    // Promote ring 2. Where nothing moves Deployments, ring 1 can never be ready: that is overridden.
    let mut promote = vec!["promote", "shop", "ring-2", "--reason", "exercise", "--confirm", "ring-2"];
    if ground.controllers {
        ground.wait_until_baked("ring-1");
        promote.extend(["--wait", "120s"]);
    } else {
        promote.extend(["--without-wait", "--wait", "0s"]);
    }
    ground.must(&promote);
    let second = ground.deployment(2);
    assert_eq!(image(&second), "registry.example/shop:v2");
    let args = &second["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(*args, serde_json::json!(["--version=v2", "--region=r2"]), "arguments come from the template");
    assert_eq!(ground.deployment(3)["metadata"]["generation"], third["metadata"]["generation"]);

    // Roll ring 2 back: exactly what it ran before, ring 3 still untouched.
    let wait = if ground.controllers { "120s" } else { "0s" };
    ground.must(&["rollback", "shop", "ring-2", "--wait", wait]);
    let second = ground.deployment(2);
    assert_eq!(image(&second), "registry.example/shop:v1");
    let args = &second["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(*args, serde_json::json!(["--version=v1", "--region=r2"]));
    let after = ground.deployment(3);
    assert_eq!(after["metadata"]["generation"], third["metadata"]["generation"]);
    assert_eq!(after["spec"], third["spec"], "ring 3 is byte for byte as it was");

    // Rolling back again goes nowhere, and says so.
    let again = ground.gonogo(&["rollback", "shop", "ring-2", "--wait", wait]);
    assert_eq!(again.status.code(), Some(3), "{}", String::from_utf8_lossy(&again.stderr));
    ground.must(&["journal", "verify"]);
}

/// Whether kubectl is there; where it must be, its absence is a failure.
fn kubectl_is_there() -> bool {
    let there = Command::new("kubectl").args(["version", "--client"]).output().is_ok_and(|o| o.status.success());
    assert!(there || std::env::var_os("CI").is_none(), "kubectl is needed for this test");
    if !there {
        eprintln!("skipped: there is no kubectl on this machine");
    }
    there
}

#[test]
fn on_a_real_cluster() {
    let Some(path) = std::env::var_os("GONOGO_REAL_KUBECONFIG") else {
        eprintln!("skipped: GONOGO_REAL_KUBECONFIG is not set, so there is no real cluster to play on");
        return;
    };
    if !kubectl_is_there() {
        return;
    }
    let kubeconfig = PathBuf::from(path);
    let output = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(&kubeconfig)
        .args(["config", "get-contexts", "-o", "name"])
        .output()
        .unwrap();
    let contexts = String::from_utf8(output.stdout).unwrap();
    let context = contexts.lines().next().expect("the kubeconfig has a context").to_owned();
    let controllers = std::env::var("GONOGO_REAL_CONTROLLERS").as_deref() != Ok("0");
    play(&Ground::new(kubeconfig, context, controllers));
}

struct Sim(Child);

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sim(dir: &Path) -> (Sim, PathBuf) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gonogo"))
        .args(["sim", "--dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the simulation starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let answer: Value = serde_json::from_str(&line).expect("its first line is one JSON object");
    (Sim(child), PathBuf::from(answer["kubeconfig"].as_str().unwrap()))
}

#[test]
fn on_the_simulated_fleet() {
    if !kubectl_is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (_sim, kubeconfig) = sim(dir.path());
    play(&Ground::new(kubeconfig, "sim-staging".to_owned(), true));
}
