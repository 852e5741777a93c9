//! The store as a specification.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use serde_json::json;

use super::super::resources::{CONFIGMAPS, DEPLOYMENTS, EVENTS, NAMESPACES, PODS, REPLICASETS};
use super::*;

fn cluster() -> Store {
    let clock = SimClock::new("2026-03-02T10:00:00Z".parse().unwrap(), 1.0);
    let store = Store::seeded(clock, 7);
    for ns in ["default", "shop"] {
        let object = json!({"metadata": {"name": ns}});
        store.create(&NAMESPACES, object, &Writer::named("setup")).unwrap();
    }
    store
}

fn deployment(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {
        "replicas": 3, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": "registry/web:v1"}]}}}})
}

fn me() -> Writer {
    Writer::named("test")
}

#[tokio::test(start_paused = true)]
async fn a_new_object_gets_what_the_server_decides() {
    let store = cluster();
    let made = store.create(&DEPLOYMENTS, deployment("web"), &me()).unwrap();
    assert_eq!(made["apiVersion"], "apps/v1");
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(made["metadata"]["creationTimestamp"], "2026-03-02T10:00:00Z");
    assert_eq!(made["metadata"]["resourceVersion"], store.revision().to_string());
    assert_eq!(made["metadata"]["uid"].as_str().unwrap().len(), 36);
}

#[tokio::test(start_paused = true)]
async fn generation_moves_with_spec_and_annotations_never_with_status() {
    let store = cluster();
    store.create(&DEPLOYMENTS, deployment("web"), &me()).unwrap();
    let generation =
        |store: &Store| store.get(&DEPLOYMENTS, "shop", "web").unwrap()["metadata"]["generation"].as_i64().unwrap();
    let set = |part: Part, path: &'static [&'static str], value: Value| {
        store
            .modify(&DEPLOYMENTS, "shop", "web", part, &me(), |object| {
                let mut at = &mut *object;
                for key in path {
                    at = &mut at[*key];
                }
                *at = value.clone();
                Ok(())
            })
            .unwrap();
    };
    set(Part::Main, &["spec", "replicas"], json!(4));
    assert_eq!(generation(&store), 2);
    set(Part::Status, &["status"], json!({"replicas": 4, "observedGeneration": 2}));
    assert_eq!(generation(&store), 2);
    set(Part::Main, &["status"], json!({"replicas": 9}));
    assert_eq!(store.get(&DEPLOYMENTS, "shop", "web").unwrap()["status"]["replicas"], 4);
    set(Part::Status, &["spec", "replicas"], json!(9));
    assert_eq!(store.get(&DEPLOYMENTS, "shop", "web").unwrap()["spec"]["replicas"], 4);
    set(Part::Main, &["metadata", "annotations"], json!({"a": "b"}));
    assert_eq!(generation(&store), 3);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_changes_nothing_and_a_dry_run_leave_no_trace() {
    let store = cluster();
    store.create(&DEPLOYMENTS, deployment("web"), &me()).unwrap();
    let before = store.revision();
    store.modify(&DEPLOYMENTS, "shop", "web", Part::Main, &me(), |_| Ok(())).unwrap();
    let dry = me().dry(true);
    let scaled = store
        .modify(&DEPLOYMENTS, "shop", "web", Part::Main, &dry, |o| {
            o["spec"]["replicas"] = json!(8);
            Ok(())
        })
        .unwrap();
    assert_eq!(scaled["spec"]["replicas"], 8);
    store.create(&DEPLOYMENTS, deployment("other"), &dry).unwrap();
    store.delete(&DEPLOYMENTS, "shop", "web", &DeleteOptions::default(), &dry).unwrap();
    assert_eq!(store.revision(), before);
}

#[tokio::test(start_paused = true)]
async fn stale_and_mistaken_writers_are_told() {
    let store = cluster();
    store.create(&DEPLOYMENTS, deployment("web"), &me()).unwrap();
    let mut stale = deployment("web");
    stale["metadata"]["resourceVersion"] = json!("1");
    assert_eq!(store.replace(&DEPLOYMENTS, stale, &me()).unwrap_err().code, 409);
    let mut other = deployment("web");
    other["metadata"]["uid"] = json!("another");
    assert_eq!(store.replace(&DEPLOYMENTS, other, &me()).unwrap_err().reason, "Conflict");
    let again = store.create(&DEPLOYMENTS, deployment("web"), &me()).unwrap_err();
    assert_eq!((again.code, again.reason), (409, "AlreadyExists"));
    let nowhere = json!({"metadata": {"name": "x", "namespace": "nowhere"}});
    assert_eq!(store.create(&CONFIGMAPS, nowhere, &me()).unwrap_err().code, 404);
}

#[tokio::test(start_paused = true)]
async fn deletion_takes_what_only_the_deleted_one_owned() {
    let store = cluster();
    let web = store.create(&DEPLOYMENTS, deployment("web"), &me()).unwrap();
    let owned = |name: &str, uid: &Value| {
        json!({"metadata": {"name": name, "namespace": "shop",
            "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": "n", "uid": uid}]}})
    };
    let mut set = deployment("web-1");
    set["metadata"] = owned("web-1", &web["metadata"]["uid"])["metadata"].clone();
    let set = store.create(&REPLICASETS, set, &me()).unwrap();
    let mut pod = owned("web-1-a", &set["metadata"]["uid"]);
    pod["spec"] = json!({"containers": [{"name": "web", "image": "i"}]});
    store.create(&PODS, pod, &me()).unwrap();
    store.delete(&DEPLOYMENTS, "shop", "web", &DeleteOptions::default(), &me()).unwrap();
    assert!(store.list(&REPLICASETS, None).is_empty());
    assert!(store.list(&PODS, None).is_empty());
}

#[tokio::test(start_paused = true)]
async fn readers_get_every_change_in_order_or_are_told_they_cannot() {
    let store = cluster();
    let mut changes = store.subscribe();
    for name in ["a", "b", "c"] {
        let object = json!({"metadata": {"name": name, "namespace": "shop"}});
        store.create(&CONFIGMAPS, object, &me()).unwrap();
    }
    for name in ["a", "b", "c"] {
        assert_eq!(changes.next().await.unwrap().stored.name(), name);
    }
    assert!(changes.try_next().unwrap().is_none());
    store.keep_history(2);
    let mut late = store.changes_after(store.revision());
    for name in ["d", "e", "f"] {
        let object = json!({"metadata": {"name": name, "namespace": "shop"}});
        store.create(&CONFIGMAPS, object, &me()).unwrap();
    }
    assert!(late.next().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_earlier_list_can_be_read_again_until_history_forgets_it() {
    let store = cluster();
    let make = |name: &str| {
        let object = json!({"metadata": {"name": name, "namespace": "shop"}, "data": {"v": "1"}});
        store.create(&CONFIGMAPS, object, &me()).unwrap();
    };
    make("a");
    make("b");
    let then = store.revision();
    make("c");
    store.delete(&CONFIGMAPS, "shop", "a", &DeleteOptions::default(), &me()).unwrap();
    let names = |list: Vec<Arc<Stored>>| list.iter().map(|s| s.name().to_owned()).collect::<Vec<_>>().join(" ");
    assert_eq!(names(store.snapshot(&CONFIGMAPS, None).1), "b c");
    assert_eq!(names(store.snapshot_at(&CONFIGMAPS, None, then).unwrap()), "a b");
    store.compact();
    assert!(store.snapshot_at(&CONFIGMAPS, None, then).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_same_script_gives_the_same_uids() {
    let uid = |store: Store| store.create(&DEPLOYMENTS, deployment("web"), &me()).unwrap()["metadata"]["uid"].clone();
    assert_eq!(uid(cluster()), uid(cluster()));
}

#[tokio::test(start_paused = true)]
async fn events_are_forgotten_an_hour_after_their_last_write() {
    let store = cluster();
    let event = |name: &str| json!({"metadata": {"name": name, "namespace": "shop"}, "involvedObject": {"namespace": "shop"}, "reason": "R"});
    for name in ["a", "b"] {
        store.create(&EVENTS, event(name), &me()).unwrap();
    }
    tokio::time::advance(std::time::Duration::from_secs(2_400)).await;
    let again = |o: &mut Value| {
        o["count"] = json!(2);
        Ok(())
    };
    store.modify(&EVENTS, "shop", "b", Part::Main, &me(), again).unwrap();
    tokio::time::advance(std::time::Duration::from_secs(2_400)).await;
    store.create(&EVENTS, event("c"), &me()).unwrap();
    let names: Vec<Value> = store.list(&EVENTS, None).iter().map(|e| e["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_an_object_until_they_are_gone() {
    let store = cluster();
    let map = json!({"metadata": {"name": "m", "namespace": "shop", "finalizers": ["example.com/wait"]}});
    store.create(&CONFIGMAPS, map, &me()).unwrap();
    let held = store.delete(&CONFIGMAPS, "shop", "m", &DeleteOptions::default(), &me()).unwrap();
    assert_eq!(held["metadata"]["deletionTimestamp"], "2026-03-02T10:00:00Z");
    let free = |o: &mut Value| {
        o["metadata"].as_object_mut().unwrap().remove("finalizers");
        Ok(())
    };
    store.modify(&CONFIGMAPS, "shop", "m", Part::Main, &me(), free).unwrap();
    assert!(store.get(&CONFIGMAPS, "shop", "m").is_none());
}
