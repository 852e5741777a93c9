//! Reads on demand: what is absent, what is there, what cannot be had.

use gonogo::domain::change::{ApiType, ObjectRef};
use gonogo::domain::id::ClusterIx;
use gonogo::domain::link::LostReason;
use gonogo::io::connect::Mode;
use gonogo::io::fetch;
use serde_json::json;

use super::stage::*;

fn web() -> ObjectRef {
    ObjectRef {
        cluster: ClusterIx(0),
        api: ApiType::new("apps", "v1", "deployments", "Deployment"),
        namespace: "shop".into(),
        name: "web".into(),
    }
}

/// Answers every GET of the workload and its pods, ReplicaSets, events and log.
fn shop(asked: &Asked) -> Does {
    let owner = json!([{"uid": "uid-web", "controller": true}]);
    match asked.path.rsplit('/').next().unwrap() {
        "web" => Does::Json(200, deployment("web", "9", "v1")),
        "replicasets" => list_of(
            "10",
            vec![
                json!({"metadata": {"name": "web-a", "labels": {"pod-template-hash": "a"}, "ownerReferences": owner,
                "annotations": {"deployment.kubernetes.io/revision": "1"}}}),
                json!({"metadata": {"name": "web-b", "labels": {"pod-template-hash": "b"}, "ownerReferences": owner,
                "annotations": {"deployment.kubernetes.io/revision": "2"}}}),
            ],
        ),
        "pods" => list_of("10", vec![json!({"metadata": {"name": "web-b-1"}, "status": {"phase": "Running"}})]),
        "events" => list_of(
            "10",
            vec![
                json!({"metadata": {}, "type": "Warning", "reason": "BackOff", "message": "again\u{1b}", "count": 3,
                "lastTimestamp": "2026-11-21T09:59:00Z", "involvedObject": {"kind": "Pod", "name": "web-b-1"}}),
                json!({"metadata": {}, "reason": "x", "involvedObject": {"kind": "Pod", "name": "other-b-1"}}),
            ],
        ),
        "web-b-1" => Does::Json(
            200,
            json!({"metadata": {"name": "web-b-1"}, "status": {"containerStatuses": [
            {"name": "side", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            {"name": "web", "restartCount": 0, "state": {"running": {}}}]}}),
        ),
        "log" => Does::Raw(200, &[], b"first\n\x1b[31mlast\n".to_vec()),
        _ => Does::Json(404, failed(404, "NotFound", "no")),
    }
}

#[tokio::test]
async fn lists_about_a_region_follow_its_selector() {
    let server = Server::new(shop);
    let fleet = fleet(1, false);
    let clusters = ways(&fleet, std::slice::from_ref(&server), &Mode::Console);
    let access = clusters.get(ClusterIx(0)).unwrap();
    let region = &fleet.services[0].regions[0];
    let revisions = fetch::revisions(access, region).await.unwrap();
    assert_eq!(revisions.iter().map(|r| r.number).collect::<Vec<_>>(), [2, 1]);
    let asked = server.asked().into_iter().find(|a| a.path.ends_with("/replicasets")).unwrap();
    assert!(asked.query.starts_with("labelSelector=app%3Dweb&"), "{}", asked.query);
    assert!(asked.headers["accept"].to_str().unwrap().contains("as=PartialObjectMetadataList"));
    let pods = fetch::pods(access, region).await.unwrap();
    assert_eq!((&*pods[0].name, &*pods[0].phase), ("web-b-1", "Running"));
    let events = fetch::events(access, region).await.unwrap();
    assert_eq!((events.len(), &*events[0].message, events[0].warning), (1, "again␛ (x3)", true));
    let lines = fetch::logs(access, region, "web-b-1").await.unwrap();
    assert_eq!(lines.iter().map(|l| &**l).collect::<Vec<_>>(), ["first", "␛[31mlast"]);
    let log = server.asked().pop().unwrap();
    assert!(log.query.contains("container=side&previous=true"), "the one that crashed: {}", log.query);
}

#[tokio::test(start_paused = true)]
async fn an_object_is_there_absent_or_cannot_be_had() {
    let fleet = fleet(1, false);
    let read = async |server: Server| {
        let clusters = ways(&fleet, &[server], &Mode::Console);
        fetch::object(clusters.get(ClusterIx(0)).unwrap(), &web()).await
    };
    assert_eq!(read(Server::new(shop)).await.unwrap().unwrap()["metadata"]["uid"], "uid-web");
    assert_eq!(read(Server::new(|_| Does::Json(404, failed(404, "NotFound", "no")))).await, Ok(None));
    // A 404 that no API server wrote is not an absent object.
    let proxy = read(Server::new(|_| Does::Raw(404, &[], b"404 page not found".to_vec()))).await;
    assert!(matches!(proxy, Err(LostReason::Failing(_))), "{proxy:?}");
    let hung = read(Server::new(|_| Does::Hang)).await.unwrap_err();
    let LostReason::Unreachable(text) = hung else { panic!("{hung:?}") };
    assert_eq!(&*text, "get Deployment shop/web of cluster c0: no answer within 30 s");
    let garbage = read(Server::new(|_| Does::Raw(200, &[], b"{\"secret\":".to_vec()))).await.unwrap_err();
    assert!(!garbage.text().1.contains("secret"), "an answer is never quoted: {garbage:?}");
}
