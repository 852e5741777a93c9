//! Get, list, tables, selectors, paging, discovery.

use super::super::represent;
use super::*;

#[tokio::test(start_paused = true)]
async fn a_kube_client_reads_and_writes() {
    use k8s_openapi::api::apps::v1::Deployment;
    use kube::api::{Api, ListParams, Patch, PatchParams};
    let server = cluster();
    seed_web(&server);
    let client = kube::Client::new(server.clone(), "shop");
    let api: Api<Deployment> = Api::namespaced(client.clone(), "shop");
    let web = api.get("web").await.unwrap();
    assert_eq!(web.spec.unwrap().replicas, Some(3));
    let scaled =
        api.patch("web", &PatchParams::default(), &Patch::Merge(json!({"spec": {"replicas": 4}}))).await.unwrap();
    assert_eq!(scaled.metadata.generation, Some(2));
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
    assert!(api.get_opt("nope").await.unwrap().is_none());
    assert_eq!(client.apiserver_version().await.unwrap().git_version, super::super::VERSION);
}

#[tokio::test(start_paused = true)]
async fn absent_objects_are_a_status_and_absent_groups_are_text() {
    let server = cluster();
    let missing = get(&server, "/apis/apps/v1/namespaces/shop/deployments/nope").await;
    assert_eq!(missing.code, 404);
    assert_eq!(missing.json()["reason"], "NotFound");
    assert_eq!(missing.json()["details"], json!({"name": "nope", "group": "apps", "kind": "deployments"}));
    let absent = get(&server, "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/shop/kustomizations").await;
    assert_eq!((absent.code, absent.text.as_str()), (404, "404 page not found\n"));
    assert!(absent.header("content-type").starts_with("text/plain"));
}

#[tokio::test(start_paused = true)]
async fn every_reply_has_the_servers_date_and_the_callers_audit_id() {
    let server = cluster();
    let sent = send(&server, "GET", "/version", &[("audit-id", "mine")], "").await;
    assert_eq!(sent.header("audit-id"), "mine");
    assert_eq!(sent.header("date"), "Mon, 02 Mar 2026 10:00:00 GMT");
    server.faults().set_skew(600);
    let skewed = get(&server, "/version").await;
    assert_eq!(skewed.header("date"), "Mon, 02 Mar 2026 10:10:00 GMT");
    assert_eq!(skewed.header("audit-id").len(), 36);
}

#[tokio::test(start_paused = true)]
async fn lists_leave_out_the_kind_of_built_in_items() {
    let server = cluster();
    seed_web(&server);
    let list = get(&server, "/apis/apps/v1/deployments").await.json();
    assert_eq!(list["kind"], "DeploymentList");
    assert_eq!(list["metadata"]["resourceVersion"], server.store().revision().to_string());
    assert_eq!(list["items"][0].get("kind"), None);
    let metadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    let list = send(&server, "GET", "/apis/apps/v1/deployments", &[("accept", metadata)], "").await.json();
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["items"][0].get("spec"), None);
}

#[tokio::test(start_paused = true)]
async fn tables_carry_columns_cells_and_what_was_asked_to_be_included() {
    let server = cluster();
    seed_web(&server);
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let path = "/apis/apps/v1/namespaces/shop/deployments";
    let table = send(&server, "GET", path, &accept, "").await.json();
    assert_eq!(table["columnDefinitions"][0]["name"], "Name");
    assert_eq!(table["rows"][0]["cells"][1], "0/3");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let full = format!("{path}?includeObject=Object");
    let table = send(&server, "GET", &full, &accept, "").await.json();
    assert_eq!(table["rows"][0]["object"]["kind"], "Deployment");
    let unknown = send(&server, "GET", path, &[("accept", "text/csv")], "").await;
    assert_eq!(unknown.code, 406);
}

#[tokio::test(start_paused = true)]
async fn pages_are_of_one_moment_until_that_is_forgotten() {
    let server = cluster();
    for name in ["a", "b", "c", "d"] {
        seed_map(&server, name, json!({}));
    }
    let first = get(&server, &format!("{MAPS}?limit=3")).await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    let next = first["metadata"]["continue"].as_str().unwrap().to_owned();
    seed_map(&server, "e", json!({}));
    let second = get(&server, &format!("{MAPS}?limit=3&continue={next}")).await.json();
    let names: Vec<&Value> = second["items"].as_array().unwrap().iter().map(|o| &o["metadata"]["name"]).collect();
    assert_eq!(names, ["d"]);
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    server.store().compact();
    let late = get(&server, &format!("{MAPS}?limit=3&continue={next}")).await;
    assert_eq!((late.code, late.json()["reason"].as_str()), (410, Some("Expired")));
    assert_eq!(get(&server, &format!("{MAPS}?limit=3&continue=nonsense")).await.code, 400);
}

#[tokio::test(start_paused = true)]
async fn revisions_asked_for_are_kept_or_refused() {
    let server = cluster();
    seed_map(&server, "a", json!({}));
    let then = server.store().revision();
    seed_map(&server, "b", json!({}));
    let exact = format!("{MAPS}?resourceVersion={then}&resourceVersionMatch=Exact");
    assert_eq!(get(&server, &exact).await.json()["items"].as_array().unwrap().len(), 1);
    let newer = get(&server, &format!("{MAPS}?resourceVersion=999999")).await;
    assert_eq!(newer.code, 504);
    assert_eq!(newer.json()["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(get(&server, &format!("{MAPS}?fieldSelector=spec.x%3D1")).await.code, 400);
    assert_eq!(get(&server, &format!("{MAPS}?labelSelector=a+in+b")).await.code, 400);
}

#[tokio::test(start_paused = true)]
async fn one_event_is_seen_in_both_groups() {
    let server = cluster();
    let event = json!({"metadata": {"name": "e", "namespace": "shop"}, "eventTime": "2026-03-02T10:00:00.000000Z",
        "reportingController": "gonogo", "reportingInstance": "host", "action": "Promote", "reason": "Promoted",
        "type": "Normal", "note": "ring-2", "regarding": {"kind": "Deployment", "name": "web", "namespace": "shop"}});
    let path = "/apis/events.k8s.io/v1/namespaces/shop/events";
    let made = send(&server, "POST", path, &[], event.to_string()).await;
    assert_eq!((made.code, made.json()["note"].as_str()), (201, Some("ring-2")));
    let bare = json!({"metadata": {"name": "bare", "namespace": "shop"}, "type": "Loud"}).to_string();
    let refused = send(&server, "POST", path, &[], bare).await;
    assert_eq!((refused.code, refused.json()["details"]["causes"].as_array().unwrap().len()), (422, 9));
    let core = get(&server, "/api/v1/namespaces/shop/events?fieldSelector=involvedObject.name%3Dweb").await.json();
    assert_eq!(core["items"][0]["message"], "ring-2");
    let view = get(&server, &format!("{path}?fieldSelector=regarding.name%3Dweb")).await.json();
    // Items of a list of a built-in kind do not name it again.
    assert_eq!((&view["apiVersion"], &view["items"][0]["apiVersion"]), (&json!("events.k8s.io/v1"), &Value::Null));
    assert_eq!(core["items"][0]["firstTimestamp"], Value::Null);
    assert!(core["items"][0].as_object().unwrap().contains_key("firstTimestamp"), "written though empty");
    assert_eq!(view["items"][0]["regarding"]["kind"], "Deployment");
}

#[tokio::test(start_paused = true)]
async fn discovery_lists_what_is_served() {
    let server = cluster();
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let all = send(&server, "GET", "/apis", &[("accept", accept)], "").await;
    assert_eq!(all.header("content-type"), accept);
    let apps =
        all.json()["items"].as_array().unwrap().iter().find(|g| g["metadata"]["name"] == "apps").cloned().unwrap();
    let kinds: Vec<Value> =
        apps["versions"][0]["resources"].as_array().unwrap().iter().map(|r| r["resource"].clone()).collect();
    assert!(kinds.contains(&json!("deployments")));
    let old = get(&server, "/apis/gateway.networking.k8s.io/v1").await.json();
    let routes: Vec<&Value> = old["resources"].as_array().unwrap().iter().map(|r| &r["name"]).collect();
    assert!(routes.contains(&&json!("httproutes")) && routes.contains(&&json!("grpcroutes")), "{routes:?}");
    let groups = get(&server, "/apis").await.json()["groups"].to_string();
    for resource in crate::sim::resources::RESOURCES.into_iter().filter(|r| !r.group.is_empty()) {
        assert!(groups.contains(&format!("\"{}\"", resource.group)), "{} is not discovered", resource.kind);
    }
    let index = get(&server, "/openapi/v3").await.json();
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let document = get(&server, &url).await.json();
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["PodSpec"]["properties"]["containers"]["x-kubernetes-patch-merge-key"], "name");
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(get(&server, path).await.text, "ok");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_is_serialised_once() {
    let server = cluster();
    seed_web(&server);
    let stored = server.store().find(&DEPLOYMENTS, "shop", "web").unwrap();
    let first = represent::object(&DEPLOYMENTS, &stored);
    let second = represent::object(&DEPLOYMENTS, &stored);
    assert_eq!(first.as_ptr(), second.as_ptr());
}
