//! The same watches against the simulated API server, which serves the real wire.

use std::sync::Arc;
use std::time::Duration;

use gonogo::domain::id::ClusterIx;
use gonogo::domain::link::LostReason;
use gonogo::io::connect::{InProcess, Mode};
use gonogo::sim::api::ApiServer;
use gonogo::sim::api::faults::{Fault, Link, Matching};
use gonogo::sim::clock::SimClock;
use gonogo::sim::resources::{DEPLOYMENTS, NAMESPACES};
use gonogo::sim::store::{Part, Store, Writer};
use serde_json::{Value, json};

use super::stage::*;

fn deployment(tag: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": format!("r.example/web:{tag}")}]}}}})
}

/// A cluster with a deployment, and the stage that watches it.
fn simulated() -> (ApiServer, Stage) {
    let store = Store::new(SimClock::new(start_of_time(), 1.0));
    let writer = Writer::named("kubectl");
    for name in ["kube-system", "shop"] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        store.create(&NAMESPACES, namespace, &writer).unwrap();
    }
    store.create(&DEPLOYMENTS, deployment("v1"), &writer).unwrap();
    let server = ApiServer::new("c0", store);
    let dial = InProcess::new().with(ClusterIx(0), "c0", server.trusting("oncall"));
    let stage = Stage::with(fleet(1, true), Arc::new(dial), &Mode::Console);
    (server, stage)
}

fn set_image(server: &ApiServer, tag: &str) {
    let image = format!("r.example/web:{tag}");
    let change = |d: &mut Value| {
        d["spec"]["template"]["spec"]["containers"][0]["image"] = image.clone().into();
        Ok(())
    };
    server.store().modify(&DEPLOYMENTS, "shop", "web", Part::Main, &Writer::named("kubectl"), change).unwrap();
}

#[tokio::test(start_paused = true)]
async fn changes_are_seen_and_a_partition_loses_nothing_that_was_known() {
    let (server, stage) = simulated();
    stage.notes.until("live", |n| n.is_live(0) && n.facts(0).user.is_some()).await;
    assert_eq!(stage.notes.facts(0).user.unwrap().as_str(), "oncall");
    assert!(!stage.notes.facts(0).uid_is_derived && stage.notes.facts(0).uid.is_some());
    set_image(&server, "v2");
    stage.notes.until("v2", |n| n.versions(0).last().is_some_and(|v| v == "v2")).await;
    server.faults().set_link(Link::Hung);
    stage.notes.until("lost", |n| n.lost(0).is_some()).await;
    assert!(matches!(stage.notes.lost(0), Some((_, LostReason::Unreachable(_)))));
    set_image(&server, "v3");
    assert_eq!(stage.notes.versions(0).last().unwrap(), "v2", "what was known stays");
    server.faults().set_link(Link::Up);
    stage.notes.until("live again", |n| n.is_live(0)).await;
    stage.notes.until("v3", |n| n.versions(0).last().is_some_and(|v| v == "v3")).await;
    assert_eq!(stage.notes.syncs(0).len(), 1, "resumed where it was");
}

#[tokio::test(start_paused = true)]
async fn a_history_that_is_gone_is_listed_again() {
    let (server, stage) = simulated();
    stage.notes.until("live", |n| n.is_live(0)).await;
    server.faults().set_link(Link::Refused);
    stage.notes.until("lost", |n| n.lost(0).is_some()).await;
    set_image(&server, "v2");
    server.store().compact();
    server.faults().set_link(Link::Up);
    stage.notes.until("second list", |n| n.syncs(0).len() == 2).await;
    stage.notes.until("live", |n| n.is_live(0)).await;
    assert!(stage.notes.syncs(0)[1].1, "with a gap");
    assert_eq!(stage.notes.versions(0).last().unwrap(), "v2");
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_the_wire_ends_in_a_live_link() {
    for fault in [Fault::Storm(429), Fault::Storm(503), Fault::Truncate, Fault::Garbage, Fault::HangAfter(20)] {
        let (server, stage) = simulated();
        stage.notes.until("live", |n| n.is_live(0)).await;
        let matching = Matching { method: "GET".into(), path: "deployments".into(), times: 3 };
        server.faults().add(matching, fault.clone());
        server.faults().cut_watches();
        tokio::time::sleep(Duration::from_secs(150)).await;
        set_image(&server, "v2");
        stage.notes.until("v2", |n| n.is_live(0) && n.versions(0).last().is_some_and(|v| v == "v2")).await;
        assert!(!stage.notes.versions(0).contains(&"gone".to_owned()), "{fault:?}");
    }
}
