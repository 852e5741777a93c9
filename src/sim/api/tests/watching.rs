//! Watches.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::faults::{Fault, Link, Matching};
use super::*;

/// A watch, read line by line.
struct Lines {
    body: ApiBody,
    rest: String,
}

impl Lines {
    async fn open(server: &ApiServer, path: &str) -> Self {
        let response = open(server, request("GET", path, &[], "")).await;
        assert_eq!(response.status(), 200);
        Self { body: response.into_body(), rest: String::new() }
    }

    /// The next event; None when the watch has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((line, rest)) = self.rest.split_once('\n') {
                let event = serde_json::from_str(line).unwrap();
                self.rest = rest.to_owned();
                return Some(event);
            }
            let frame = self.body.frame().await?.unwrap();
            self.rest.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
    }

    async fn word(&mut self) -> String {
        let event = self.next().await.unwrap();
        let name = event["object"]["metadata"]["name"].as_str().unwrap_or("");
        format!("{} {name}", event["type"].as_str().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_starts_with_everything_or_after_a_revision() {
    let server = cluster();
    seed_map(&server, "a", json!({}));
    let then = server.store().revision();
    seed_map(&server, "b", json!({}));
    let mut all = Lines::open(&server, &format!("{MAPS}?watch=1")).await;
    assert_eq!(all.word().await, "ADDED a");
    assert_eq!(all.word().await, "ADDED b");
    let mut later = Lines::open(&server, &format!("{MAPS}?watch=true&resourceVersion={then}")).await;
    assert_eq!(later.word().await, "ADDED b");
    patch(&server, &format!("{MAPS}/b"), "merge", json!({"data": {"k": "w"}})).await;
    assert_eq!(later.word().await, "MODIFIED b");
    send(&server, "DELETE", &format!("{MAPS}/b"), &[], "").await;
    assert_eq!(later.word().await, "DELETED b");
    assert_eq!(all.word().await, "MODIFIED b");
}

#[tokio::test(start_paused = true)]
async fn a_selector_turns_changes_into_arrivals_and_departures() {
    let server = cluster();
    seed_map(&server, "a", json!({"ring": "1"}));
    seed_map(&server, "b", json!({"ring": "2"}));
    let mut ring = Lines::open(&server, &format!("{MAPS}?watch=1&labelSelector=ring%3D1")).await;
    assert_eq!(ring.word().await, "ADDED a");
    patch(&server, &format!("{MAPS}/b"), "merge", json!({"metadata": {"labels": {"ring": "1"}}})).await;
    assert_eq!(ring.word().await, "ADDED b");
    patch(&server, &format!("{MAPS}/a"), "merge", json!({"metadata": {"labels": {"ring": "9"}}})).await;
    let gone = ring.next().await.unwrap();
    assert_eq!(gone["type"], "DELETED");
    assert_eq!(gone["object"]["metadata"]["labels"]["ring"], "1");
    assert_eq!(gone["object"]["metadata"]["resourceVersion"], server.store().revision().to_string());
    let mut named = Lines::open(&server, &format!("{MAPS}?watch=1&fieldSelector=metadata.name%3Db")).await;
    assert_eq!(named.word().await, "ADDED b");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_watch_gets_a_bookmark_and_then_its_end() {
    let server = cluster();
    let began = Instant::now();
    let path = format!(
        "{MAPS}?watch=1&resourceVersion={}&allowWatchBookmarks=true&timeoutSeconds=30",
        server.store().revision()
    );
    let mut watch = Lines::open(&server, &path).await;
    seed_web(&server);
    let bookmark = watch.next().await.unwrap();
    assert_eq!(bookmark["type"], "BOOKMARK");
    assert_eq!(bookmark["object"]["kind"], "ConfigMap");
    // It carries the revision of changes to other kinds too: that is what it is for.
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], server.store().revision().to_string());
    assert_eq!(began.elapsed().as_secs(), 28);
    assert_eq!(watch.next().await, None);
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_says_when_it_was_everything() {
    let server = cluster();
    seed_map(&server, "a", json!({}));
    let path =
        format!("{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    let mut watch = Lines::open(&server, &path).await;
    assert_eq!(watch.word().await, "ADDED a");
    let mark = watch.next().await.unwrap();
    assert_eq!(mark["type"], "BOOKMARK");
    assert_eq!(mark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    let wrong = get(&server, &format!("{MAPS}?watch=1&sendInitialEvents=true")).await;
    assert_eq!((wrong.code, wrong.json()["reason"].as_str()), (422, Some("Invalid")));
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_forgotten_history_is_told_410_and_ends() {
    let server = cluster();
    let then = server.store().revision();
    seed_map(&server, "a", json!({}));
    server.store().compact();
    let mut watch = Lines::open(&server, &format!("{MAPS}?watch=1&resourceVersion={then}")).await;
    let event = watch.next().await.unwrap();
    assert_eq!(event["type"], "ERROR");
    assert_eq!(event["object"]["code"], 410);
    assert_eq!(event["object"]["reason"], "Expired");
    assert_eq!(watch.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_can_be_cut_and_resumed_without_loss() {
    let server = cluster();
    seed_map(&server, "a", json!({}));
    let mut watch = Lines::open(&server, &format!("{MAPS}?watch=1")).await;
    assert_eq!(watch.word().await, "ADDED a");
    let last = server.store().revision();
    server.faults().cut_watches();
    assert_eq!(watch.next().await, None);
    seed_map(&server, "b", json!({}));
    let mut again = Lines::open(&server, &format!("{MAPS}?watch=1&resourceVersion={last}")).await;
    assert_eq!(again.word().await, "ADDED b");
    assert!(timeout(Duration::from_secs(20), again.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_table_watch_sends_its_columns_once() {
    let server = cluster();
    seed_map(&server, "a", json!({}));
    seed_map(&server, "b", json!({}));
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io")];
    let response = open(&server, request("GET", &format!("{MAPS}?watch=1"), &accept, "")).await;
    let mut watch = Lines { body: response.into_body(), rest: String::new() };
    let first = watch.next().await.unwrap();
    assert_eq!(first["object"]["columnDefinitions"][0]["name"], "Name");
    let second = watch.next().await.unwrap();
    assert_eq!(second["object"]["columnDefinitions"], Value::Null);
    assert_eq!(second["object"]["rows"][0]["cells"][0], "b");
}

#[tokio::test(start_paused = true)]
async fn kubes_watcher_follows() {
    use futures::TryStreamExt;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::{Api, WatchEvent, WatchParams};
    let server = cluster();
    seed_map(&server, "a", json!({}));
    let client = kube::Client::new(server.clone(), "shop");
    let api: Api<ConfigMap> = Api::namespaced(client, "shop");
    let mut events = Box::pin(api.watch(&WatchParams::default(), "0").await.unwrap());
    let first = events.try_next().await.unwrap().unwrap();
    assert!(matches!(first, WatchEvent::Added(map) if map.metadata.name.as_deref() == Some("a")));
}

#[tokio::test(start_paused = true)]
async fn an_open_watch_shares_the_fate_of_its_link() {
    let server = cluster();
    let path = format!("{MAPS}?watch=1&resourceVersion={}", server.store().revision());
    let mut watch = Lines::open(&server, &path).await;
    server.faults().set_link(Link::Hung);
    seed_map(&server, "a", json!({}));
    assert!(timeout(Duration::from_secs(60), watch.next()).await.is_err());
    server.faults().set_link(Link::Up);
    assert_eq!(watch.word().await, "ADDED a");
    server.faults().set_link(Link::Refused);
    assert!(watch.body.frame().await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_watch_can_hang_in_the_middle_of_an_event() {
    let server = cluster();
    seed_map(&server, "a", json!({}));
    let matching = Matching { path: "configmaps".to_owned(), ..Matching::default() };
    server.faults().add(matching, Fault::HangAfter(20));
    let mut body = open(&server, request("GET", &format!("{MAPS}?watch=1"), &[], "")).await.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 20);
    assert!(timeout(Duration::from_secs(600), body.frame()).await.is_err());
}

/// As v1.34: whoever asks for a future is told after three seconds that it did not come.
#[tokio::test(start_paused = true)]
async fn a_streaming_list_of_a_revision_to_come_waits_for_it() {
    let server = cluster();
    seed_map(&server, "a", json!({}));
    let soon = server.store().revision() + 1;
    let path = |revision: u64| {
        format!(
            "{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion={revision}"
        )
    };
    let mut watch = Lines::open(&server, &path(soon)).await;
    let mut never = Lines::open(&server, &path(9_999)).await;
    seed_map(&server, "b", json!({}));
    assert_eq!(watch.word().await, "ADDED a");
    assert_eq!(watch.word().await, "ADDED b");
    assert_eq!(watch.word().await, "BOOKMARK ");
    let start = Instant::now();
    let told = never.next().await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert_eq!((&told["type"], &told["object"]["code"]), (&json!("ERROR"), &json!(504)));
    let message = format!("Timeout: Too large resource version: 9999, current: {soon}");
    assert_eq!(told["object"]["message"], message.as_str());
    assert_eq!(never.next().await, None);
}

/// The mark of a Table watch comes in a row of an empty object.
#[tokio::test(start_paused = true)]
async fn bookmarks_of_a_table_watch_have_a_row() {
    let server = cluster();
    seed_map(&server, "a", json!({}));
    let accept = ("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let path =
        format!("{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true");
    let response = open(&server, request("GET", &path, &[accept], "")).await;
    let mut watch = Lines { body: response.into_body(), rest: String::new() };
    assert_eq!(watch.next().await.unwrap()["object"]["rows"][0]["cells"][1], 1, "a number in a column of text");
    let mark = watch.next().await.unwrap();
    assert_eq!((&mark["type"], &mark["object"]["columnDefinitions"]), (&json!("BOOKMARK"), &Value::Null));
    let row = &mark["object"]["rows"][0];
    assert_eq!(row["cells"], json!(["", 0, "<unknown>"]));
    assert_eq!(row["object"]["metadata"]["annotations"], json!({"k8s.io/initial-events-end": "true"}));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_terminates_before_it_is_gone() {
    let server = cluster();
    seed_map(&server, "a", json!({}));
    let revision = server.store().revision();
    let mut spaces = Lines::open(&server, &format!("/api/v1/namespaces?watch=1&resourceVersion={revision}")).await;
    let gone = send(&server, "DELETE", "/api/v1/namespaces/shop", &[], "").await.json();
    assert_eq!(gone["status"]["phase"], "Terminating");
    assert!(gone["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(spaces.word().await, "MODIFIED shop");
    assert_eq!(spaces.word().await, "DELETED shop");
    assert_eq!(get(&server, &format!("{MAPS}/a")).await.code, 404);
}
