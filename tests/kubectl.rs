//! The real kubectl against the simulated API server, over loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]

#[path = "kubectl/applications.rs"]
mod applications;
#[path = "kubectl/cluster.rs"]
mod cluster;
#[path = "kubectl/daemons.rs"]
mod daemons;
#[path = "kubectl/stateful.rs"]
mod stateful;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use cluster::{Cluster, kubectl_is_here};
use gonogo::sim::resources::{DEPLOYMENTS, EVENTS, HTTPROUTES, VIRTUALSERVICES};
use gonogo::sim::store::{Part, Writer};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::json;

/// Columns of a line, whatever their width.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn get_shows_tables_wide_tables_yaml_and_json() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    cluster.seed_web();
    let table = cluster.kubectl(&["get", "deployments"]).good();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(words(lines[0]), ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]);
    assert_eq!(words(lines[1])[..4], ["web", "2/2", "2", "2"]);
    let wide = cluster.kubectl(&["get", "deploy", "web", "-o", "wide"]).good();
    assert!(wide.contains("registry.example/web:v2") && wide.contains("app=web"), "{wide}");
    let pods = cluster.kubectl(&["get", "po", "-l", "app in (web)", "--field-selector=status.phase=Running"]).good();
    assert_eq!(pods.lines().count(), 3);
    let sets = cluster.kubectl(&["get", "rs", "-A"]).good();
    assert!(sets.contains("web-aaa") && sets.contains("shop"), "{sets}");
    assert!(cluster.kubectl(&["get", "ns"]).good().contains("kube-system"));
    assert_eq!(cluster.json(&["get", "deploy", "web"])["spec"]["replicas"], 2);
    assert!(cluster.kubectl(&["get", "deploy", "web", "-o", "yaml"]).good().contains("kind: Deployment"));
    assert_eq!(cluster.json(&["get", "pods"])["items"].as_array().unwrap().len(), 2);
    assert!(cluster.kubectl(&["get", "all"]).good().contains("replicaset.apps/web-bbb"));
    assert!(cluster.kubectl(&["get", "statefulsets"]).ok);
    assert!(cluster.kubectl(&["get", "deploy", "nope"]).bad().contains("deployments.apps \"nope\" not found"));
    assert!(
        cluster
            .kubectl(&["get", "kustomizations"])
            .bad()
            .contains("the server doesn't have a resource type \"kustomizations\"")
    );
    cluster.stop();
}

#[test]
fn get_watches() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    cluster.seed_web();
    let mut child = cluster.command(&["get", "deploy", "-w"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("NAME"));
    assert_eq!(words(&lines.next().unwrap().unwrap())[1], "2/2");
    let scaled = cluster.store.modify(&DEPLOYMENTS, "shop", "web", Part::Main, &Writer::named("t"), |o| {
        o["spec"]["replicas"] = json!(5);
        Ok(())
    });
    assert!(scaled.is_ok());
    assert_eq!(words(&lines.next().unwrap().unwrap())[1], "2/5");
    child.kill().unwrap();
    child.wait().unwrap();
    cluster.stop();
}

#[test]
fn patch_three_ways() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    cluster.seed_web();
    let image = |cluster: &Cluster| {
        cluster.json(&["get", "deploy", "web"])["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let strategic = r#"{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"i:3"}]}}}}"#;
    cluster.kubectl(&["patch", "deploy", "web", "-p", strategic]).good();
    assert_eq!(image(&cluster), "i:3");
    cluster.kubectl(&["patch", "deploy", "web", "--type=merge", "-p", r#"{"spec":{"paused":true}}"#]).good();
    assert_eq!(cluster.json(&["get", "deploy", "web"])["spec"]["paused"], true);
    let ops = r#"[{"op":"test","path":"/spec/paused","value":true},{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"i:4"}]"#;
    cluster.kubectl(&["patch", "deploy", "web", "--type=json", "-p", ops]).good();
    assert_eq!(image(&cluster), "i:4");
    let failing = r#"[{"op":"test","path":"/spec/paused","value":false}]"#;
    let complaint = cluster.kubectl(&["patch", "deploy", "web", "--type=json", "-p", failing]).bad();
    assert!(complaint.contains("The request is invalid"), "{complaint}");
    let invalid =
        cluster.kubectl(&["patch", "deploy", "web", "--type=merge", "-p", r#"{"spec":{"replicas":-1}}"#]).bad();
    assert!(invalid.contains("spec.replicas: Invalid value: -1"), "{invalid}");
    let same = cluster.kubectl(&["patch", "deploy", "web", "-p", r#"{"spec":{"paused":true}}"#]).good();
    assert!(same.contains("(no change)"), "{same}");
    cluster.stop();
}

#[test]
fn scale_and_set_image() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    cluster.seed_web();
    cluster.kubectl(&["scale", "deploy/web", "--replicas=7"]).good();
    cluster.kubectl(&["scale", "deploy/web", "--current-replicas=7", "--replicas=6"]).good();
    cluster.kubectl(&["set", "image", "deploy/web", "web=i:9"]).good();
    let web = cluster.json(&["get", "deploy", "web", "--show-managed-fields"]);
    assert_eq!(web["spec"]["replicas"], 6);
    assert_eq!(web["spec"]["template"]["spec"]["containers"][0]["image"], "i:9");
    let managers: Vec<&str> = web["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["manager"].as_str().unwrap())
        .collect();
    assert!(managers.contains(&"kubectl-set") && managers.contains(&"kubectl"), "{managers:?}");
    cluster.stop();
}

#[test]
fn rollout_pause_resume_restart_history_undo_status() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    cluster.seed_web();
    let status = cluster.kubectl(&["rollout", "status", "deploy/web", "--timeout=20s"]).good();
    assert!(status.contains("successfully rolled out"), "{status}");
    let history = cluster.kubectl(&["rollout", "history", "deploy/web"]).good();
    assert!(history.contains("release v1") && history.contains("release v2"), "{history}");
    cluster.kubectl(&["rollout", "pause", "deploy/web"]).good();
    assert!(cluster.kubectl(&["rollout", "pause", "deploy/web"]).bad().contains("already paused"));
    let refused = cluster.kubectl(&["rollout", "undo", "deploy/web"]).bad();
    assert!(refused.contains("cannot rollback a paused deployment"), "{refused}");
    cluster.kubectl(&["rollout", "resume", "deploy/web"]).good();
    assert_eq!(cluster.json(&["get", "deploy", "web"])["spec"].get("paused"), None);
    cluster.kubectl(&["rollout", "undo", "deploy/web"]).good();
    let web = cluster.json(&["get", "deploy", "web"]);
    assert_eq!(web["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/web:v1");
    assert_eq!(web["metadata"]["annotations"]["kubernetes.io/change-cause"], "release v1");
    cluster.kubectl(&["rollout", "restart", "deploy/web"]).good();
    let web = cluster.json(&["get", "deploy", "web"]);
    assert!(web["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].is_string());
    cluster.stop();
}

#[test]
fn identity_and_rights() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    cluster.seed_web();
    let me = cluster.kubectl(&["auth", "whoami"]).good();
    assert!(me.contains("oncall") && me.contains("system:authenticated"), "{me}");
    assert_eq!(cluster.kubectl(&["auth", "can-i", "patch", "deployments"]).good().trim(), "yes");
    let no = cluster.kubectl(&["--context=viewer", "auth", "can-i", "patch", "deployments"]);
    assert_eq!((no.ok, no.out.trim()), (false, "no"));
    let list = cluster.kubectl(&["--context=viewer", "auth", "can-i", "--list"]).good();
    assert!(list.contains("selfsubjectaccessreviews"), "{list}");
    let refused = cluster.kubectl(&["--context=viewer", "scale", "deploy/web", "--replicas=1"]).bad();
    assert!(refused.contains("deployments.apps \"web\" is forbidden: User \"viewer\" cannot patch resource \"deployments/scale\" in API group \"apps\" in the namespace \"shop\""), "{refused}");
    let refused = cluster.kubectl(&["--context=deployer", "create", "configmap", "c"]).bad();
    assert!(refused.contains("cannot create resource \"configmaps\" in API group \"\""), "{refused}");
    cluster.stop();
}

#[test]
fn configmaps_and_dry_runs() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    let before = cluster.store.revision();
    let dry = cluster.kubectl(&["create", "configmap", "c", "--from-literal=a=b", "--dry-run=server"]).good();
    assert!(dry.contains("configmap/c created (server dry run)"), "{dry}");
    assert_eq!(cluster.store.revision(), before);
    assert!(cluster.server.requests().writes().is_empty());
    cluster.kubectl(&["create", "configmap", "c", "--from-literal=a=b"]).good();
    assert_eq!(cluster.server.requests().writes().len(), 1);
    let taken = cluster.kubectl(&["create", "configmap", "c"]).bad();
    assert!(taken.contains("configmaps \"c\" already exists"), "{taken}");
    let table = cluster.kubectl(&["get", "cm", "c"]).good();
    assert_eq!(words(table.lines().nth(1).unwrap())[..2], ["c", "1"]);
    let patched = cluster
        .kubectl(&["patch", "cm", "c", "--type=merge", "-p", r#"{"data":{"x":"y"}}"#, "--dry-run=server", "-o", "yaml"])
        .good();
    assert!(patched.contains("x: \"y\"") || patched.contains("x: y"), "{patched}");
    assert_eq!(cluster.json(&["get", "cm", "c"])["data"], json!({"a": "b"}));
    assert!(cluster.kubectl(&["delete", "cm", "c", "--dry-run=server"]).good().contains("server dry run"));
    cluster.kubectl(&["delete", "cm", "c"]).good();
    assert!(cluster.kubectl(&["get", "cm", "c"]).bad().contains("NotFound"));
    let wrong = cluster.kubectl(&["create", "configmap", "Bad_Name"]).bad();
    assert!(wrong.contains("a lowercase RFC 1123 subdomain"), "{wrong}");
    cluster.stop();
}

const MANIFEST: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      containers:
      - name: api
        image: registry.example/api:v1
        env: [{name: A, value: '1'}, {name: B, value: '2'}]
";

#[test]
fn apply_replace_and_diff_by_manifest() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    assert!(cluster.kubectl_with(&["apply", "-f", "-"], MANIFEST).good().contains("created"));
    assert!(cluster.kubectl_with(&["apply", "-f", "-"], MANIFEST).good().contains("unchanged"));
    let changed = MANIFEST.replace("api:v1", "api:v2").replace(", {name: B, value: '2'}", "");
    assert!(cluster.kubectl_with(&["apply", "-f", "-"], &changed).good().contains("configured"));
    let container = cluster.json(&["get", "deploy", "api"])["spec"]["template"]["spec"]["containers"][0].clone();
    assert_eq!(container["image"], "registry.example/api:v2");
    assert_eq!(container["env"], json!([{"name": "A", "value": "1"}]));
    let misspelt = MANIFEST.replace("replicas:", "replica:");
    let strict = cluster.kubectl_with(&["apply", "-f", "-"], &misspelt).bad();
    assert!(strict.contains("strict decoding error: unknown field \"spec.replica\""), "{strict}");
    let dry = cluster.kubectl_with(&["apply", "--dry-run=server", "-f", "-"], MANIFEST).good();
    assert!(dry.contains("server dry run"), "{dry}");
    assert!(cluster.kubectl_with(&["replace", "-f", "-"], MANIFEST).good().contains("replaced"));
    assert!(cluster.kubectl_with(&["delete", "-f", "-"], MANIFEST).good().contains("deleted"));
    cluster.stop();
}

#[test]
fn routes_of_a_crd() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    cluster.make(
        &HTTPROUTES,
        json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {
        "hostnames": ["web.example"], "parentRefs": [{"name": "edge"}],
        "rules": [{"backendRefs": [{"name": "a", "port": 80, "weight": 1}, {"name": "b", "port": 80, "weight": 3}]}]}}),
    );
    assert!(cluster.kubectl(&["get", "httproutes"]).good().contains("[\"web.example\"]"));
    let strategic = cluster.kubectl(&["patch", "httproute", "web", "-p", "{}"]).bad();
    assert!(
        strategic.contains("415") || strategic.contains("unknown format") || strategic.contains("UnsupportedMediaType"),
        "{strategic}"
    );
    let ops = r#"[{"op":"test","path":"/spec/rules/0/backendRefs/0/weight","value":1},{"op":"replace","path":"/spec/rules/0/backendRefs/0/weight","value":0}]"#;
    cluster.kubectl(&["patch", "httproute", "web", "--type=json", "-p", ops]).good();
    let route = cluster.json(&["get", "httproute", "web"]);
    assert_eq!(route["spec"]["rules"][0]["backendRefs"][0]["weight"], 0);
    assert_eq!(route["metadata"]["generation"], 2);
    let to = |host: &str, weight: u64| json!({"destination": {"host": host}, "weight": weight});
    cluster.make(
        &VIRTUALSERVICES,
        json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {
        "hosts": ["web.example"], "gateways": ["public"], "http": [{"route": [to("a", 1), to("b", 3)]}]}}),
    );
    let table = cluster.kubectl(&["get", "vs"]).good();
    assert!(
        table.contains("GATEWAYS") && table.contains("[\"public\"]") && table.contains("[\"web.example\"]"),
        "{table}"
    );
    let none = r#"[{"op":"replace","path":"/spec/http/0/route/0/weight","value":0},{"op":"replace","path":"/spec/http/0/route/1/weight","value":0}]"#;
    let refused = cluster.kubectl(&["patch", "vs", "web", "--type=json", "-p", none]).bad();
    assert!(refused.contains("total destination weight = 0"), "{refused}");
    cluster.stop();
}

#[test]
fn describe_events_and_logs() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    cluster.seed_web();
    let uid = cluster.json(&["get", "deploy", "web"])["metadata"]["uid"].clone();
    cluster.make(&EVENTS, json!({"metadata": {"name": "web.1", "namespace": "shop"},
        "involvedObject": {"kind": "Deployment", "name": "web", "namespace": "shop", "uid": uid, "apiVersion": "apps/v1"},
        "reason": "ScalingReplicaSet", "message": "Scaled up replica set web-bbb to 2", "type": "Normal",
        "firstTimestamp": "2026-03-02T10:00:00Z", "lastTimestamp": "2026-03-02T10:00:00Z", "count": 1,
        "source": {"component": "deployment-controller"}}));
    let events = cluster.kubectl(&["get", "events"]).good();
    assert!(events.contains("deployment/web") && events.contains("Scaled up replica set"), "{events}");
    assert!(cluster.kubectl(&["events", "--for", "deployment/web"]).good().contains("ScalingReplicaSet"));
    let view = cluster.json(&["get", "events.v1.events.k8s.io", "web.1"]);
    assert_eq!(view["note"], "Scaled up replica set web-bbb to 2");
    let described = cluster.kubectl(&["describe", "deploy", "web"]).good();
    for part in [
        "StrategyType:",
        "25% max unavailable",
        "NewReplicaSetAvailable",
        "web-bbb (2/2 replicas created)",
        "ScalingReplicaSet",
    ] {
        assert!(described.contains(part), "no {part} in\n{described}");
    }
    assert!(cluster.kubectl(&["describe", "pod", "web-bbb-0"]).good().contains("Controlled By:  ReplicaSet/web-bbb"));
    assert!(cluster.kubectl(&["logs", "web-bbb-0", "--tail=5"]).bad().contains("not found"));
    cluster.stop();
}

#[test]
fn apply_on_the_server_side() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    let apply = ["apply", "--server-side", "-f", "-"];
    assert!(cluster.kubectl_with(&apply, MANIFEST).good().contains("serverside-applied"));
    cluster.kubectl(&["set", "image", "deploy/api", "api=other:v1"]).good();
    let conflict = cluster.kubectl_with(&apply, MANIFEST).bad();
    assert!(conflict.contains("conflict with \"kubectl-set\""), "{conflict}");
    cluster.kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], MANIFEST).good();
    let api = cluster.json(&["get", "deploy", "api"]);
    assert_eq!(api["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example/api:v1");
    cluster.stop();
}

#[test]
fn namespaces_labels_annotations_and_waiting() {
    if !kubectl_is_here() {
        return;
    }
    let cluster = Cluster::start();
    cluster.seed_web();
    cluster.kubectl(&["create", "namespace", "other"]).good();
    assert!(cluster.kubectl(&["get", "ns", "other"]).good().contains("Active"));
    cluster.kubectl(&["delete", "ns", "other", "--timeout=20s"]).good();
    // Before the annotation, which counts up the generation that no controller observes here.
    cluster.kubectl(&["wait", "deploy/web", "--for=condition=Available", "--timeout=20s"]).good();
    cluster.kubectl(&["label", "deploy", "web", "ring=2"]).good();
    cluster.kubectl(&["annotate", "deploy", "web", "kubernetes.io/change-cause=by hand"]).good();
    let labelled = cluster.kubectl(&["get", "deploy", "-L", "ring", "--sort-by=.metadata.name"]).good();
    assert!(labelled.lines().nth(1).unwrap().trim_end().ends_with('2'), "{labelled}");
    cluster.kubectl(&["wait", "deploy/web", "--for=jsonpath={.spec.replicas}=2", "--timeout=20s"]).good();
    cluster.kubectl(&["delete", "deploy", "web", "--timeout=20s"]).good();
    assert!(cluster.kubectl(&["get", "rs,po"]).good().is_empty());
    cluster.kubectl(&["create", "deployment", "quick", "--image=web:v1", "--replicas=2", "--port=80"]).good();
    let quick = cluster.json(&["get", "deploy", "quick"]);
    assert_eq!(
        (&quick["spec"]["replicas"], &quick["spec"]["selector"]["matchLabels"]["app"]),
        (&json!(2), &json!("quick"))
    );
    cluster.kubectl(&["set", "resources", "deploy/quick", "--requests=cpu=1", "--limits=cpu=2"]).good();
    let above = cluster.kubectl(&["set", "resources", "deploy/quick", "--limits=cpu=200m"]).bad();
    assert!(above.contains("must be less than or equal to cpu limit of 200m"), "{above}");
    cluster.kubectl(&["expose", "deploy", "quick"]).good();
    assert!(cluster.kubectl(&["get", "svc", "quick"]).good().contains("10.96."));
    let resources = cluster.kubectl(&["api-resources"]).good();
    assert!(resources.contains("httproutes") && resources.contains("deploy "), "{resources}");
    assert!(cluster.kubectl(&["version"]).good().contains("Server Version: v1.34"));
    assert!(cluster.kubectl(&["get", "--raw", "/livez"]).good().contains("ok"));
    assert!(cluster.kubectl(&["explain", "deployment.spec.paused"]).good().contains("paused"));
    cluster.stop();
}

#[test]
fn a_rollout_in_the_simulated_fleet_is_followed_to_its_end() {
    if !kubectl_is_here() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let entered = runtime.enter();
    let start = "2026-03-02T10:00:00Z".parse().ok();
    let options = SimOptions { speed: Some(8.0), start, ..SimOptions::default() };
    let mut fleet = SimFleet::start(&options).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let addresses = runtime.block_on(fleet.serve(dir.path())).unwrap().clone();
    drop(entered);
    let kubectl = |args: &[&str]| cluster::run(cluster::command(dir.path(), &addresses.kubeconfig, args));
    let on = |args: &[&str]| {
        let mut all = vec!["--context=sim-ap-south-1"];
        all.extend(args);
        kubectl(&all)
    };
    let image = |version: &str| {
        let path = "jsonpath={.spec.template.spec.containers[0].name}={.spec.template.spec.containers[0].image}";
        let now = on(&["get", "deploy", "webapp", "-o", path]).good();
        format!("{}:{version}", now.rsplit_once(':').unwrap().0)
    };
    on(&["set", "image", "deploy/webapp", &image("v3")]).good();
    let status = on(&["rollout", "status", "deploy/webapp", "--timeout=60s"]).good();
    assert!(status.contains("Waiting for deployment") && status.contains("successfully rolled out"), "{status}");
    // A rollout is complete when no old replica counts; its last pod may still be on its way out.
    let all_pods = |wanted: &dyn Fn(&str) -> bool| {
        let pods = || on(&["get", "pods", "-o", "jsonpath={.items[*].spec.containers[0].image}"]).good();
        (0..100).any(|_| pods().split_whitespace().all(wanted))
    };
    assert!(all_pods(&|image| image.ends_with(":v3")), "pods of the version before stay");
    on(&["rollout", "undo", "deploy/webapp"]).good();
    on(&["rollout", "status", "deploy/webapp", "--timeout=60s"]).good();
    assert!(!image("x").is_empty() && on(&["rollout", "history", "deploy/webapp"]).ok);
    assert!(all_pods(&|image| !image.ends_with(":v3")), "pods of the version that was undone stay");
    on(&["rollout", "restart", "deploy/webapp"]).good();
    on(&["rollout", "status", "deploy/webapp", "--timeout=60s"]).good();
    assert!(on(&["describe", "deploy", "webapp"]).good().contains("ScalingReplicaSet"));
    let proxied = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query=vector(1)";
    assert!(on(&["get", "--raw", proxied]).good().contains("\"status\":\"success\""));
    let pod = on(&["get", "pods", "-o", "name"]).good();
    assert!(on(&["logs", pod.lines().next().unwrap(), "--tail=3"]).good().lines().count() <= 3);
    on(&["delete", pod.lines().next().unwrap(), "--timeout=20s"]).good();
    on(&["rollout", "status", "deploy/webapp", "--timeout=60s"]).good();
    runtime.block_on(fleet.stop());
}
