//! Argo Rollouts in the simulated fleet under paused time: what the controller does, and what our translator
//! reads of it and writes to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::time::Duration;

use gonogo::domain::fleet::VersionFrom;
use gonogo::domain::steps::Steps;
use gonogo::domain::workload::{Phase, Workload};
use gonogo::kinds::{self, ReadHow, Turn, WorkloadKind};
use gonogo::sim::resources::{ANALYSISRUNS, PODS, REPLICASETS, ROLLOUTS};
use gonogo::sim::store::{Part, Store, Writer};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::{Value, json};

const NAMESPACE: &str = "default";

/// A fleet in which v2.1.0 fails every twentieth request, with a Rollout `shop` of five pods in eu-west-1.
struct Shop {
    store: Store,
    _fleet: SimFleet,
}

fn kind() -> &'static dyn WorkloadKind {
    kinds::kind("Rollout").unwrap()
}

impl Shop {
    async fn start(strategy: Value) -> Self {
        let start = "2026-06-01T12:00:00Z".parse().ok();
        let options = SimOptions { scenario: "regression".into(), speed: Some(1.0), start, ..SimOptions::default() };
        let fleet = SimFleet::start(&options).unwrap();
        let store = fleet.api("eu-west-1").unwrap().store().clone();
        let object = json!({
            "metadata": {"name": "shop", "namespace": NAMESPACE},
            "spec": {
                "replicas": 5, "selector": {"matchLabels": {"app": "shop"}}, "strategy": strategy,
                "template": {
                    "metadata": {"labels": {"app": "shop"}},
                    "spec": {"containers": [{"name": "shop", "image": "registry.example/shop:v1"}]},
                },
            },
        });
        store.create(&ROLLOUTS, object, &Writer::named("test")).unwrap();
        let shop = Self { store, _fleet: fleet };
        shop.settled().await;
        shop
    }

    fn change(&self, part: Part, change: impl Fn(&mut Value)) {
        let change = |object: &mut Value| {
            change(object);
            Ok(())
        };
        self.store.modify(&ROLLOUTS, NAMESPACE, "shop", part, &Writer::named("test"), change).unwrap();
    }

    fn image(&self, version: &str) {
        let image = format!("registry.example/shop:{version}");
        self.change(Part::Main, |o| o["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image));
    }

    fn pause(&self, paused: bool) {
        self.change(Part::Main, |o| o["spec"]["paused"] = json!(paused));
    }

    /// Sends what our translator would send.
    fn send(&self, turn: Turn) {
        let part = if turn.is_status { Part::Status } else { Part::Main };
        let operations = Value::Array(turn.operations);
        self.change(part, |o| gonogo::sim::patch::json::apply(o, &operations).unwrap());
    }

    fn next(&self) {
        self.send(kind().let_through(&self.object()).unwrap().unwrap());
    }

    fn object(&self) -> Value {
        Value::clone(&self.store.get(&ROLLOUTS, NAMESPACE, "shop").unwrap())
    }

    fn owned(&self) -> Vec<Value> {
        self.store.list(&REPLICASETS, Some(NAMESPACE)).iter().map(|v| Value::clone(v)).collect()
    }

    /// Pods wanted of each version, newest revision first; versions without any are left out.
    fn sizes(&self) -> Vec<(String, i64)> {
        let mut all: Vec<(i64, String, i64)> = Vec::new();
        for set in self.owned() {
            let image = set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
            let number = set["metadata"]["annotations"]["rollout.argoproj.io/revision"].as_str().unwrap();
            let version = image.rsplit_once(':').unwrap().1.to_owned();
            all.push((number.parse().unwrap(), version, set["spec"]["replicas"].as_i64().unwrap()));
        }
        all.sort_by_key(|(number, ..)| std::cmp::Reverse(*number));
        all.into_iter().filter(|(.., size)| *size > 0).map(|(_, version, size)| (version, size)).collect()
    }

    fn read(&self) -> Workload {
        let how = |_: &str, _: &str| {
            let left_out = Default::default();
            Some(ReadHow { container: "shop".into(), version_from: VersionFrom::Image, left_out })
        };
        kind().read(self.object().to_string().as_bytes(), &how).unwrap().unwrap().workload
    }

    fn steps(&self) -> Steps {
        *self.read().progress.steps.unwrap()
    }

    /// Time passes until this is so.
    async fn until(&self, what: &str, is_so: impl Fn(&Workload) -> bool) {
        for _ in 0..4_800 {
            if is_so(&self.read()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("{what} never came: {:?} {:?} {}", self.read(), self.sizes(), self.object()["status"]);
    }

    /// It stands at a step with so many done.
    async fn at_step(&self, done: u32) {
        let at = |w: &Workload| w.phase == Phase::AtStep && w.progress.steps.as_ref().unwrap().done == done;
        self.until(&format!("step {done}"), at).await;
    }

    async fn settled(&self) {
        self.until("settled", Workload::settled).await;
    }
}

fn sizes(of: &[(&str, i64)]) -> Vec<(String, i64)> {
    of.iter().map(|(version, size)| ((*version).to_owned(), *size)).collect()
}

fn canary(steps: Value) -> Value {
    json!({"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}})
}

#[tokio::test(start_paused = true)]
async fn a_canary_goes_step_by_step_and_a_pause_with_a_length_ends_by_itself() {
    let steps = json!([{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": "10m"}}]);
    let shop = Shop::start(canary(steps)).await;
    assert_eq!(shop.sizes(), sizes(&[("v1", 5)]), "the first rollout goes at once");
    let stable = shop.steps().stable.unwrap();
    shop.image("v2");
    shop.at_step(1).await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 1), ("v1", 4)]));
    let steps = shop.steps();
    assert_eq!(
        (steps.count().unwrap().as_str(), steps.now.as_deref(), steps.set_weight),
        ("1/4", Some("pause"), Some(20))
    );
    assert_eq!((&*steps.says, steps.stable.as_ref()), ("Paused - CanaryPauseStep", Some(&stable)));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(shop.steps().done, 1, "it waits until somebody lets it on");
    shop.next();
    assert!(kind().let_through(&shop.object()).is_err(), "it is going on: a second one finds nothing to let on");
    shop.at_step(3).await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 3), ("v1", 2)]));
    assert!(shop.steps().pauses[0].lasts.is_some());
    shop.settled().await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 5)]));
    assert_ne!(shop.steps().stable.unwrap(), stable);
    assert!(shop.read().completed_at().is_some(), "the cluster says when");
}

#[tokio::test(start_paused = true)]
async fn in_full_skips_what_is_left() {
    let shop = Shop::start(canary(json!([{"setWeight": 20}, {"pause": {}}, {"pause": {}}]))).await;
    shop.image("v2");
    shop.at_step(1).await;
    shop.send(kind().let_all_through(&shop.object()).unwrap().unwrap());
    shop.settled().await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 5)]));
    assert!(!shop.steps().full);
}

#[tokio::test(start_paused = true)]
async fn an_abort_gives_the_pods_back_and_the_template_stays_until_it_is_tried_again() {
    let shop = Shop::start(canary(json!([{"setWeight": 60}, {"pause": {}}]))).await;
    shop.image("v2");
    shop.at_step(1).await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 3), ("v1", 2)]));
    shop.send(kind().abort(&shop.object()).unwrap());
    shop.until("pods given back", |w| w.phase == Phase::Degraded && w.replicas.updated == 0).await;
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(shop.sizes(), sizes(&[("v1", 5)]));
    assert_eq!(&*shop.read().version.0, "v2", "the template stays");
    assert!(kind().abort(&shop.object()).is_none(), "once is enough");
    assert_eq!(kind().let_all_through(&shop.object()).unwrap_err().code, "aborted");
    shop.next();
    shop.at_step(1).await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 3), ("v1", 2)]));
}

#[tokio::test(start_paused = true)]
async fn the_way_back_to_the_stable_revision_skips_every_step() {
    let shop = Shop::start(canary(json!([{"setWeight": 60}, {"pause": {}}, {"setWeight": 80}, {"pause": {}}]))).await;
    shop.image("v2");
    shop.at_step(1).await;
    let (object, owned) = (shop.object(), shop.owned());
    let good = kind().known_good(&object, &owned).unwrap();
    let past = kind().history(&object, &owned);
    let stable = past.iter().find(|p| p.digest == good).unwrap();
    let way = kind().on_way_back(&object, &owned, &stable.template).unwrap();
    assert!(way.at_once && way.text.contains("skips all 4 steps"), "{way:?}");
    assert_eq!(past[0].digest, shop.read().template, "the newest revision is what runs");
    let operations = Value::Array(kind().undo(&object, stable).operations);
    shop.change(Part::Main, |o| gonogo::sim::patch::json::apply(o, &operations).unwrap());
    shop.settled().await;
    assert_eq!(shop.sizes(), sizes(&[("v1", 5)]));
    assert_eq!((shop.read().template, shop.steps().done), (good, 4));
}

#[tokio::test(start_paused = true)]
async fn what_a_person_paused_takes_a_template_and_moves_no_pod() {
    let shop = Shop::start(canary(json!([{"setWeight": 60}, {"pause": {"duration": "1m"}}]))).await;
    shop.image("v2");
    shop.at_step(1).await;
    shop.pause(true);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(&*shop.steps().says, "Paused - manually paused");
    assert_eq!(shop.steps().done, 1, "the pause does not end meanwhile");
    assert!(kind().abort(&shop.object()).is_none(), "an abort would leave its canary");
    shop.image("v1");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(shop.sizes(), sizes(&[("v1", 2), ("v2", 3)]), "a way back moves nothing either");
    shop.pause(false);
    shop.settled().await;
    assert_eq!(shop.sizes(), sizes(&[("v1", 5)]));
}

#[tokio::test(start_paused = true)]
async fn an_analysis_lets_what_is_quiet_on_and_gives_up_what_fails() {
    let steps = json!([{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "errors"}]}}]);
    let shop = Shop::start(canary(steps)).await;
    shop.image("v2");
    shop.at_step(1).await;
    assert_eq!(kind().let_through(&shop.object()).unwrap_err().code, "analysis", "nobody skips it by P");
    shop.settled().await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 5)]));
    shop.image("v2.1.0");
    shop.until("given up", |w| w.phase == Phase::Degraded).await;
    let read = shop.read();
    assert!(read.progress.failure.unwrap().contains("assessed Failed"));
    let runs = shop.store.list(&ANALYSISRUNS, Some(NAMESPACE));
    let mut phases: Vec<&str> = runs.iter().map(|r| r["status"]["phase"].as_str().unwrap()).collect();
    phases.sort_unstable();
    assert_eq!(phases, ["Failed", "Successful"]);
    let measured = runs.iter().all(|r| r["status"]["metricResults"][0]["measurements"][0]["value"].is_string());
    assert!(measured, "each says what it measured");
}

#[tokio::test(start_paused = true)]
async fn blue_green_comes_up_beside_and_switches_when_it_is_let_on() {
    let strategy = json!({"blueGreen": {"activeService": "a", "previewService": "p", "autoPromotionEnabled": false}});
    let shop = Shop::start(strategy).await;
    let first = shop.steps().active.unwrap();
    shop.image("v2");
    shop.until("the preview", |w| w.phase == Phase::AtStep).await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 5), ("v1", 5)]));
    let steps = shop.steps();
    assert_eq!((&*steps.says, steps.active.as_ref()), ("Paused - BlueGreenPause", Some(&first)));
    assert_ne!(steps.preview.as_ref(), Some(&first));
    shop.next();
    shop.settled().await;
    assert_ne!(shop.steps().active.as_ref(), Some(&first));
    assert_eq!(shop.sizes(), sizes(&[("v2", 5), ("v1", 5)]), "the old pods stay for a while");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 5)]));
    // Aborted before the switch: nothing has changed for anybody.
    shop.image("v3");
    shop.until("the preview", |w| w.phase == Phase::AtStep).await;
    shop.send(kind().abort(&shop.object()).unwrap());
    shop.until("given up", |w| w.phase == Phase::Degraded).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 5)]));
}

#[tokio::test(start_paused = true)]
async fn a_router_gives_the_weight_and_the_stable_pods_stay() {
    let strategy = json!({"canary": {
        "trafficRouting": {"plugins": {}}, "steps": [{"setWeight": 20}, {"pause": {}}],
    }});
    let shop = Shop::start(strategy).await;
    shop.image("v2");
    shop.at_step(1).await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 1), ("v1", 5)]));
    assert_eq!(shop.steps().actual_weight, Some(20));
    shop.next();
    shop.settled().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(shop.sizes(), sizes(&[("v2", 5)]));
}

/// What the fleet of a scenario shows of `webapp` in a region.
async fn webapp(scenario: &str, region: &str, until: impl Fn(&Workload) -> bool) -> Workload {
    let start = "2026-06-01T12:00:00Z".parse().ok();
    let options = SimOptions { scenario: scenario.into(), speed: Some(1.0), start, ..SimOptions::default() };
    let fleet = SimFleet::start(&options).unwrap();
    assert!(fleet.config_toml().contains("kind = \"Rollout\""));
    let store = fleet.api(region).unwrap().store().clone();
    let how = |_: &str, _: &str| {
        let left_out = Default::default();
        Some(ReadHow { container: "web".into(), version_from: VersionFrom::Image, left_out })
    };
    let read = || {
        let object = store.get(&ROLLOUTS, "webapp", "webapp").unwrap();
        kind().read(object.to_string().as_bytes(), &how).unwrap().unwrap().workload
    };
    let first = read();
    assert!(first.settled() && first.completed_at().is_some(), "{scenario} begins at rest: {first:?}");
    assert_eq!(store.list(&PODS, Some("webapp")).len(), first.replicas.ready as usize, "its pods are there");
    for _ in 0..2_400 {
        if until(&read()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    read()
}

#[tokio::test(start_paused = true)]
async fn a_fleet_of_rollouts_is_at_rest_but_where_its_scenario_says() {
    let rests = webapp("canary-stuck", "ap-south-1", Workload::settled).await;
    assert!(rests.settled() && &*rests.version.0 == "v2.1.0", "{rests:?}");
    let stuck = webapp("canary-stuck", "eu-west-1", |w| w.phase == Phase::AtStep).await;
    let steps = stuck.progress.steps.unwrap();
    assert_eq!((stuck.phase, steps.count().as_deref()), (Phase::AtStep, Some("1/5")), "{steps:?}");
    let aborted = webapp("aborted", "eu-west-1", |w| w.phase == Phase::Degraded).await;
    assert_eq!((aborted.phase, aborted.replicas.updated), (Phase::Degraded, 0));
    assert!(aborted.progress.failure.unwrap().contains("assessed Failed"));
}
