//! What can go wrong on the way, and the log of what was asked.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::faults::{Fault, Link, Matching};
use super::*;

fn on(method: &str, path: &str, times: u32) -> Matching {
    Matching { method: method.to_owned(), path: path.to_owned(), times }
}

#[tokio::test(start_paused = true)]
async fn a_partition_hangs_or_refuses_until_it_heals() {
    let server = cluster();
    server.faults().set_link(Link::Refused);
    assert!(server.clone().oneshot(request("GET", "/version", &[], "")).await.is_err());
    server.faults().set_link(Link::Hung);
    let waiting = tokio::spawn({
        let server = server.clone();
        async move { get(&server, "/version").await.code }
    });
    assert!(timeout(Duration::from_secs(600), get(&server, "/version")).await.is_err());
    assert!(!waiting.is_finished());
    server.faults().set_link(Link::Up);
    assert_eq!(waiting.await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn latency_is_added_to_every_request() {
    let server = cluster();
    server.faults().set_latency(Duration::from_secs(2));
    let began = Instant::now();
    get(&server, "/version").await;
    assert_eq!(began.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn storms_meet_what_they_match_and_pass() {
    let server = cluster();
    seed_web(&server);
    server.faults().add(on("PATCH", "/deployments", 1), Fault::Storm(429));
    let stormed = patch(&server, WEB, "merge", json!({})).await;
    assert_eq!((stormed.code, stormed.header("retry-after")), (429, "1"));
    assert_eq!(stormed.json()["details"]["retryAfterSeconds"], 1);
    assert_eq!(patch(&server, WEB, "merge", json!({})).await.code, 200);
    server.faults().add(on("", "", 0), Fault::Storm(500));
    assert_eq!(get(&server, WEB).await.json()["reason"], "InternalError");
    server.faults().clear();
    assert_eq!(get(&server, WEB).await.code, 200);
}

#[tokio::test(start_paused = true)]
async fn bodies_break_in_every_way() {
    let server = cluster();
    seed_web(&server);
    let broken = async |fault: Fault| {
        server.faults().clear();
        server.faults().add(on("GET", "", 0), fault);
        get(&server, WEB).await.text
    };
    assert!(serde_json::from_str::<Value>(&broken(Fault::Truncate).await).is_err());
    assert!(serde_json::from_str::<Value>(&broken(Fault::Garbage).await).is_err());
    let huge: Value = serde_json::from_str(&broken(Fault::Huge(1_000_000)).await).unwrap();
    assert_eq!(huge["metadata"]["annotations"]["huge"].as_str().unwrap().len(), 1_000_000);
    assert!(timeout(Duration::from_secs(60), broken(Fault::HangAfter(10))).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reply_was_still_carried_out() {
    let server = cluster();
    seed_web(&server);
    server.faults().add(on("PATCH", "", 1), Fault::DropReply);
    let sent =
        request("PATCH", WEB, &[("content-type", "application/merge-patch+json")], r#"{"spec":{"paused":true}}"#);
    assert!(server.clone().oneshot(sent).await.is_err());
    assert_eq!(get(&server, WEB).await.json()["spec"]["paused"], true);
    assert_eq!(server.requests().writes()[0].code, 0);
}

#[tokio::test(start_paused = true)]
async fn the_request_log_tells_what_was_asked() {
    let server = cluster();
    seed_web(&server);
    get(&server, WEB).await;
    patch(&server, &format!("{WEB}?dryRun=All"), "merge", json!({})).await;
    let headers = [("content-type", "application/merge-patch+json"), ("user-agent", "gonogo/1"), ("audit-id", "op-1")];
    send(&server, "PATCH", WEB, &headers, r#"{"spec":{"paused":true}}"#).await;
    assert_eq!(server.requests().all().len(), 3);
    let writes = server.requests().writes();
    assert_eq!(writes.len(), 1);
    let write = &writes[0];
    assert_eq!((write.method.as_str(), write.path.as_str(), write.code), ("PATCH", WEB, 200));
    assert_eq!(
        (write.user.as_str(), write.user_agent.as_str(), write.audit_id.as_str()),
        ("oncall", "gonogo/1", "op-1")
    );
    assert_eq!(write.body, r#"{"spec":{"paused":true}}"#);
}
