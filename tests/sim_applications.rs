//! Applications of Argo CD in the simulated fleet under paused time: what its controller does, and what our translator
//! reads of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::Duration;

use gonogo::delivery::Application;
use gonogo::delivery::{DeliveryTool, Wanted};
use gonogo::domain::carrier::{ApplicationCarrier, ApplicationField};
use gonogo::domain::delivery::{Delivery, Health, OperationPhase, Sync};
use gonogo::domain::version::Version;
use gonogo::sim::resources::{APPLICATIONS, DEPLOYMENTS};
use gonogo::sim::store::{Part, Store, Writer};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::{Value, json};

const NAME: &str = "webapp-eu-west-1";
const SERVICE: &str = "webapp";

struct Fleet {
    edge: Store,
    region: Store,
    _fleet: SimFleet,
}

impl Fleet {
    /// The scenario `self-heal-fight`.
    async fn start() -> Self {
        let start = "2026-03-02T10:00:00Z".parse().ok();
        let options =
            SimOptions { scenario: "self-heal-fight".into(), speed: Some(1.0), start, ..SimOptions::default() };
        let fleet = SimFleet::start(&options).unwrap();
        let edge = fleet.api("edge").unwrap().store().clone();
        let region = fleet.api("eu-west-1").unwrap().store().clone();
        Self { edge, region, _fleet: fleet }
    }

    fn object(&self) -> Value {
        Value::clone(&self.edge.get(&APPLICATIONS, "argocd", NAME).unwrap())
    }

    fn read(&self) -> Delivery {
        Application.read(self.object().to_string().as_bytes()).unwrap().delivery
    }

    fn change(&self, change: impl Fn(&mut Value)) {
        let change = |object: &mut Value| {
            change(object);
            Ok(())
        };
        self.edge.modify(&APPLICATIONS, "argocd", NAME, Part::Main, &Writer::named("kubectl"), change).unwrap();
    }

    fn deployment(&self) -> Value {
        Value::clone(&self.region.get(&DEPLOYMENTS, SERVICE, SERVICE).unwrap())
    }

    fn image(&self) -> String {
        self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    }

    /// Somebody writes past Argo CD.
    fn set_image(&self, image: &str) {
        let change = |object: &mut Value| {
            object["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
            Ok(())
        };
        self.region.modify(&DEPLOYMENTS, SERVICE, SERVICE, Part::Main, &Writer::named("kubectl-set"), change).unwrap();
    }

    /// Time passes until this is so; how long it took.
    async fn until(&self, what: &str, is_so: impl Fn(&Delivery) -> bool) -> Duration {
        let began = tokio::time::Instant::now();
        for _ in 0..1_200 {
            if is_so(&self.read()) {
                return began.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("{what} never came: {:?}\n{}", self.read(), self.object());
    }
}

fn is_at_rest(delivery: &Delivery) -> bool {
    delivery.sync == Sync::Synced
        && delivery.health == Health::Healthy
        && delivery.operation.as_ref().is_none_or(|o| !o.phase.is_open())
}

#[tokio::test(start_paused = true)]
async fn what_is_written_past_it_is_put_back_after_five_seconds_by_its_own_name() {
    let fleet = Fleet::start().await;
    fleet.until("rest", is_at_rest).await;
    let before = fleet.image();
    fleet.set_image("registry.example/webapp:v9");
    fleet.until("out of sync", |d| d.sync == Sync::OutOfSync).await;
    let took = fleet.until("back", |d| d.sync == Sync::Synced).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(fleet.image(), before);
    let writers = fleet.deployment()["metadata"]["managedFields"].to_string();
    assert!(writers.contains("argocd-controller"), "{writers}");
    // It heals again, but not at once: five seconds after the last time.
    fleet.set_image("registry.example/webapp:v9");
    fleet.until("out of sync", |d| d.sync == Sync::OutOfSync).await;
    let took = fleet.until("back", |d| d.sync == Sync::Synced).await;
    assert!(took >= Duration::from_secs(2) && fleet.image() == before, "{took:?}");
    fleet.until("rest", is_at_rest).await;
    assert_eq!(fleet.read().deployed.unwrap().id, 2, "each sync is in its history");
}

#[tokio::test(start_paused = true)]
async fn another_target_is_brought_and_the_workload_says_how_it_is() {
    let fleet = Fleet::start().await;
    fleet.until("rest", is_at_rest).await;
    fleet.change(|app| app["spec"]["source"]["targetRevision"] = json!("v2.1.0"));
    fleet.until("progress", |d| d.sync == Sync::Synced && d.health == Health::Progressing).await;
    assert!(fleet.image().contains(":v2.1.0@sha256:"), "{}", fleet.image());
    fleet.until("rest", is_at_rest).await;
    let delivery = fleet.read();
    assert_eq!((delivery.follows().as_str(), delivery.deployed.as_ref().unwrap().id), ("v2.1.0", 1));
    assert_eq!(delivery.deployed.unwrap().revisions, delivery.revisions);
    // An override of the image counts more than what the repository holds.
    fleet.change(|app| app["spec"]["source"]["kustomize"] = json!({"images": ["registry.example/webapp:v2.1.1"]}));
    fleet.until("out of sync", |d| d.sync == Sync::OutOfSync).await;
    fleet.until("brought", |d| d.sync == Sync::Synced).await;
    assert_eq!(fleet.image(), "registry.example/webapp:v2.1.1");
}

#[tokio::test(start_paused = true)]
async fn by_hand_nothing_is_put_back_until_somebody_syncs_it() {
    let fleet = Fleet::start().await;
    fleet.until("rest", is_at_rest).await;
    let before = fleet.image();
    fleet.change(|app| app["spec"]["syncPolicy"]["automated"] = Value::Null);
    fleet.set_image("registry.example/webapp:v9");
    fleet.until("out of sync", |d| d.sync == Sync::OutOfSync).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(fleet.image(), "registry.example/webapp:v9");
    let operation = json!({"initiatedBy": {"username": "alice"}, "sync": {}});
    fleet.change(|app| app["operation"] = operation.clone());
    fleet.until("running", |d| d.operation.as_ref().is_some_and(|o| o.phase == OperationPhase::Running)).await;
    assert_eq!(fleet.read().operation.unwrap().by.as_deref(), Some("alice"));
    fleet.until("done", |d| d.operation.as_ref().is_some_and(|o| o.phase == OperationPhase::Succeeded)).await;
    assert_eq!(fleet.image(), before);
}

#[tokio::test(start_paused = true)]
async fn an_operation_can_be_ended_and_a_target_that_is_not_there_is_said() {
    let fleet = Fleet::start().await;
    fleet.until("rest", is_at_rest).await;
    fleet.change(|app| app["spec"]["syncPolicy"]["automated"] = Value::Null);
    fleet.set_image("registry.example/webapp:v9");
    fleet.until("out of sync", |d| d.sync == Sync::OutOfSync).await;
    fleet.change(|app| app["operation"] = json!({"sync": {}}));
    fleet.until("running", |d| d.operation.as_ref().is_some_and(|o| o.phase == OperationPhase::Running)).await;
    fleet.change(|app| app["status"]["operationState"]["phase"] = json!("Terminating"));
    fleet.until("ended", |d| d.operation.as_ref().is_some_and(|o| o.phase == OperationPhase::Failed)).await;
    assert_eq!(fleet.image(), "registry.example/webapp:v9");
    fleet.change(|app| app["spec"]["source"]["targetRevision"] = json!("main"));
    fleet.until("unknown", |d| d.sync == Sync::Unknown).await;
    let trouble = fleet.read().troubles.join(", ");
    assert!(trouble.contains("ComparisonError: unable to resolve 'main'"), "{trouble}");
}

#[tokio::test(start_paused = true)]
async fn told_to_leave_it_alone_it_does_nothing() {
    let fleet = Fleet::start().await;
    fleet.until("rest", is_at_rest).await;
    let skip = json!({"argocd.argoproj.io/skip-reconcile": "true"});
    fleet.change(|app| app["metadata"]["annotations"] = skip.clone());
    fleet.set_image("registry.example/webapp:v9");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(fleet.image(), "registry.example/webapp:v9");
    let delivery = fleet.read();
    assert!(delivery.ignored && !delivery.heals() && delivery.sync == Sync::Synced, "{delivery:?}");
}

/// What a promotion, a way back or a halt writes, as the API server applies it.
fn written(fleet: &Fleet, writing: gonogo::delivery::Writing) {
    let operations = Value::Array(writing.operations);
    fleet.change(|app| gonogo::sim::patch::json::apply(app, &operations).unwrap());
}

fn brought_by(fleet: &Fleet, version: &str) -> gonogo::delivery::Writing {
    let carrier =
        ApplicationCarrier { source: None, field: ApplicationField::TargetRevision, template: "{{version}}".into() };
    let version = Version(version.into());
    let wanted = Wanted { version: &version, image: None, repository: None, generator: None, by: "alice" };
    Application.bring(&fleet.object(), &carrier, &wanted).unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_a_promotion_writes_is_brought_automated_or_by_hand() {
    let fleet = Fleet::start().await;
    fleet.until("rest", is_at_rest).await;
    written(&fleet, brought_by(&fleet, "v2.1.0"));
    let brought = |d: &Delivery, id: i64| d.deployed.as_ref().is_some_and(|b| b.id == id) && is_at_rest(d);
    fleet.until("brought", |d| brought(d, 1)).await;
    assert!(fleet.image().contains(":v2.1.0@sha256:"), "{}", fleet.image());
    // A hold, and then by hand: asked for by name, and done once.
    let halted = Application.halt(&fleet.read()).unwrap().unwrap();
    let was = halted.was.clone().unwrap().1;
    written(&fleet, halted);
    written(&fleet, brought_by(&fleet, "v2.2.0"));
    let running = |d: &Delivery| d.operation.as_ref().is_some_and(|o| o.phase == OperationPhase::Running);
    fleet.until("running", running).await;
    assert_eq!(fleet.read().operation.unwrap().by.as_deref(), Some("alice"));
    fleet.until("brought", |d| brought(d, 2)).await;
    assert!(fleet.image().contains(":v2.2.0"), "{}", fleet.image());
    let on = Application.go_on(&fleet.object(), &was).unwrap().unwrap();
    written(&fleet, on);
    assert!(fleet.read().heals(), "as it was: {}", fleet.object());
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_is_ended_brings_nothing() {
    let fleet = Fleet::start().await;
    fleet.until("rest", is_at_rest).await;
    let before = fleet.image();
    let halted = Application.halt(&fleet.read()).unwrap().unwrap();
    written(&fleet, halted);
    written(&fleet, brought_by(&fleet, "v2.1.0"));
    let running = |d: &Delivery| d.operation.as_ref().is_some_and(|o| o.phase == OperationPhase::Running);
    fleet.until("running", running).await;
    written(&fleet, Application.terminate(&fleet.read()).unwrap());
    fleet.until("ended", |d| d.operation.as_ref().is_some_and(|o| o.phase == OperationPhase::Failed)).await;
    assert_eq!(fleet.image(), before);
}
