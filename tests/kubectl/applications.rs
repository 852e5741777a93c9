//! Applications of the simulated Argo CD, as kubectl sees and changes them: with the patches that gonogo writes.

use gonogo::delivery::{Application, DeliveryTool, Wanted, Writing};
use gonogo::domain::carrier::{ApplicationCarrier, ApplicationField};
use gonogo::domain::version::Version;
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::Value;

use crate::cluster::{self, Run, kubectl_is_here};

const APP: &str = "webapp-eu-west-1";

struct Fleet {
    runtime: tokio::runtime::Runtime,
    fleet: SimFleet,
    dir: tempfile::TempDir,
    kubeconfig: std::path::PathBuf,
}

impl Fleet {
    /// The scenario `self-heal-fight`.
    fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let entered = runtime.enter();
        let start = "2026-03-02T10:00:00Z".parse().ok();
        let options =
            SimOptions { scenario: "self-heal-fight".into(), speed: Some(8.0), start, ..SimOptions::default() };
        let mut fleet = SimFleet::start(&options).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let kubeconfig = runtime.block_on(fleet.serve(dir.path())).unwrap().kubeconfig.clone();
        drop(entered);
        Self { runtime, fleet, dir, kubeconfig }
    }

    fn on(&self, context: &str, args: &[&str]) -> Run {
        let context = format!("--context=sim-{context}");
        let mut all = vec![context.as_str()];
        all.extend(args);
        cluster::run(cluster::command(self.dir.path(), &self.kubeconfig, &all))
    }

    fn argocd(&self, args: &[&str]) -> Run {
        let mut all = vec!["-n", "argocd"];
        all.extend(args);
        self.on("edge", &all)
    }

    fn object(&self) -> Value {
        serde_json::from_str(&self.argocd(&["get", "application", APP, "-o", "json"]).good()).unwrap()
    }

    fn patch(&self, writing: &Writing) -> Run {
        let body = Value::Array(writing.operations.clone()).to_string();
        self.argocd(&["patch", "application", APP, "--type=json", "-p", &body])
    }

    /// Its history has an entry of this number, and nothing is asked of it.
    fn brought(&self, id: u32) {
        let condition = format!("--for=jsonpath={{.status.history[-1:].id}}={id}");
        self.argocd(&["wait", "application", APP, &condition, "--timeout=60s"]).good();
        let condition = "--for=jsonpath={.status.operationState.phase}=Succeeded";
        self.argocd(&["wait", "application", APP, condition, "--timeout=60s"]).good();
    }

    fn image(&self) -> String {
        let template = "jsonpath={.spec.template.spec.containers[0].image}";
        self.on("eu-west-1", &["-n", "webapp", "get", "deployment", "webapp", "-o", template]).good()
    }
}

fn bring(object: &Value, version: &str) -> Writing {
    let carrier =
        ApplicationCarrier { source: None, field: ApplicationField::TargetRevision, template: "{{version}}".into() };
    let version = Version(version.into());
    let wanted = Wanted { version: &version, image: None, repository: None, generator: None, by: "alice" };
    Application.bring(object, &carrier, &wanted).unwrap().unwrap()
}

#[test]
fn an_application_is_listed_patched_as_gonogo_does_and_brings_what_it_follows() {
    if !kubectl_is_here() {
        return;
    }
    let fleet = Fleet::start();
    let names = fleet.argocd(&["get", "applications", "-o", "name"]).good();
    assert!(names.contains(&format!("application.argoproj.io/{APP}")), "{names}");
    let before = fleet.object();
    let promotion = bring(&before, "v2.1.0");
    fleet.patch(&promotion).good();
    fleet.brought(1);
    assert!(fleet.image().contains(":v2.1.0@sha256:"), "{}", fleet.image());
    // What was planned on another state is refused, and nothing of it is written.
    fleet.patch(&promotion).bad();
    // A halt, and then a sync by name.
    let known = Application.read(fleet.object().to_string().as_bytes()).unwrap().delivery;
    fleet.patch(&Application.halt(&known).unwrap().unwrap()).good();
    let by_hand = bring(&fleet.object(), "v2.2.0");
    fleet.patch(&by_hand).good();
    fleet.brought(2);
    assert!(fleet.image().contains(":v2.2.0"), "{}", fleet.image());
    let object = fleet.object();
    assert_eq!(object["status"]["operationState"]["operation"]["initiatedBy"]["username"], "alice");
    assert!(object.get("operation").is_none() && object["spec"]["syncPolicy"].get("automated").is_none(), "{object}");
    fleet.runtime.block_on(fleet.fleet.stop());
}
