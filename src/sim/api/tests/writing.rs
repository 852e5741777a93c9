//! Create, replace, patch, delete, dry runs, conflicts.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_precondition_in_a_json_patch_holds_or_is_a_bare_422() {
    let server = cluster();
    seed_web(&server);
    let web = get(&server, WEB).await.json();
    let ops = |uid: &Value| {
        json!([{"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "test", "path": "/spec/template", "value": web["spec"]["template"]},
            {"op": "test", "path": "/spec/paused", "value": null},
            {"op": "replace", "path": "/spec/paused", "value": true}])
    };
    let done = patch(&server, WEB, "json", ops(&web["metadata"]["uid"])).await;
    assert_eq!((done.code, done.json()["spec"]["paused"].as_bool()), (200, Some(true)));
    for wrong in [ops(&json!("another")), ops(&web["metadata"]["uid"])] {
        let refused = patch(&server, WEB, "json", wrong).await;
        assert_eq!(refused.code, 422);
        let status = refused.json();
        assert_eq!(status["reason"], "Invalid");
        assert_eq!(status["details"].get("causes"), None);
    }
    let malformed = patch(&server, WEB, "json", json!({"op": "test"})).await;
    assert_eq!(malformed.code, 400);
}

#[tokio::test(start_paused = true)]
async fn what_the_registry_refuses_has_causes() {
    let server = cluster();
    seed_web(&server);
    let refused = patch(&server, WEB, "merge", json!({"spec": {"replicas": -1}})).await;
    assert_eq!(refused.code, 422);
    assert_eq!(refused.json()["details"]["causes"][0]["field"], "spec.replicas");
    let selector = json!({"spec": {"selector": {"matchLabels": {"app": "x"}}}});
    let refused = patch(&server, WEB, "merge", selector).await.json();
    let fields: Vec<&str> =
        refused["details"]["causes"].as_array().unwrap().iter().map(|c| c["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["spec.template.metadata.labels", "spec.selector"]);
    let wrong_type = patch(&server, WEB, "merge", json!({"spec": {"replicas": "three"}})).await;
    assert_eq!((wrong_type.code, wrong_type.json()["details"]["causes"][0]["field"].as_str()), (422, Some("patch")));
}

#[tokio::test(start_paused = true)]
async fn stale_versions_and_other_uids_are_conflicts() {
    let server = cluster();
    seed_web(&server);
    let web = get(&server, WEB).await.json();
    patch(&server, WEB, "merge", json!({"spec": {"replicas": 5}})).await;
    let put = send(&server, "PUT", WEB, &[], web.to_string()).await;
    assert_eq!((put.code, put.json()["reason"].as_str()), (409, Some("Conflict")));
    let stale = json!({"metadata": {"resourceVersion": web["metadata"]["resourceVersion"]}, "spec": {"paused": true}});
    assert_eq!(patch(&server, WEB, "merge", stale).await.code, 409);
    // A patch cannot change the uid; with PUT it is a precondition.
    let other = json!({"metadata": {"uid": "another"}, "spec": {"paused": true}});
    let refused = patch(&server, WEB, "merge", other).await;
    assert_eq!((refused.code, refused.json()["reason"].as_str()), (422, Some("Invalid")));
    let mut other = get(&server, WEB).await.json();
    other["metadata"]["uid"] = json!("another");
    let refused = send(&server, "PUT", WEB, &[], other.to_string()).await.json();
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "Operation cannot be fulfilled on deployments.apps \"web\": StorageError: invalid object, Code: 4, Key: \
             /registry/deployments/shop/web, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in \
             precondition: another, UID in object meta: "
        ),
        "{message}"
    );
    let mut fresh = get(&server, WEB).await.json();
    fresh["spec"]["replicas"] = json!(6);
    assert_eq!(send(&server, "PUT", WEB, &[], fresh.to_string()).await.code, 200);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_does_everything_but_store() {
    let server = cluster();
    seed_web(&server);
    let before = server.store().revision();
    let path = format!("{WEB}?dryRun=All");
    let would = patch(&server, &path, "merge", json!({"spec": {"paused": true}})).await;
    assert_eq!((would.code, would.json()["spec"]["paused"].as_bool()), (200, Some(true)));
    assert_eq!(patch(&server, &path, "merge", json!({"spec": {"replicas": -1}})).await.code, 422);
    let map = json!({"metadata": {"name": "m"}});
    assert_eq!(send(&server, "POST", &format!("{MAPS}?dryRun=All"), &[], map.to_string()).await.code, 201);
    assert_eq!(send(&server, "DELETE", &path, &[], "").await.code, 200);
    assert_eq!(patch(&server, &format!("{WEB}?dryRun=Some"), "merge", json!({})).await.code, 422);
    assert_eq!(server.store().revision(), before);
    assert_eq!(get(&server, WEB).await.json()["spec"].get("paused"), None);
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_refused_warned_of_or_ignored() {
    let server = cluster();
    seed_web(&server);
    let body = json!({"spec": {"colour": "red"}});
    let strict = patch(&server, &format!("{WEB}?fieldValidation=Strict"), "merge", body.clone()).await;
    assert_eq!(strict.code, 422);
    let warned = patch(&server, WEB, "merge", body.clone()).await;
    assert_eq!(warned.header("warning"), "299 - \"unknown field \\\"spec.colour\\\"\"");
    let ignored = patch(&server, &format!("{WEB}?fieldValidation=Ignore"), "merge", body).await;
    assert_eq!((ignored.code, ignored.header("warning")), (200, ""));
    let twice = r#"{"spec":{"replicas":1,"replicas":3}}"#;
    let headers = [("content-type", "application/merge-patch+json")];
    let warned = send(&server, "PATCH", WEB, &headers, twice).await;
    assert_eq!(warned.header("warning"), "299 - \"duplicate field \\\"spec.replicas\\\"\"");
    let map = json!({"metadata": {"name": "m"}, "dta": {}});
    let created = send(&server, "POST", &format!("{MAPS}?fieldValidation=Strict"), &[], map.to_string()).await;
    assert_eq!(created.code, 400);
    assert!(created.json()["message"].as_str().unwrap().contains("strict decoding error: unknown field \"dta\""));
}

#[tokio::test(start_paused = true)]
async fn malformed_bodies_and_wrong_media_are_told_apart() {
    let server = cluster();
    seed_web(&server);
    assert_eq!(send(&server, "POST", MAPS, &[], "{").await.code, 400);
    let other_kind = json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "m"}});
    assert_eq!(send(&server, "POST", MAPS, &[], other_kind.to_string()).await.code, 400);
    assert_eq!(patch(&server, WEB, "application/xml", json!({})).await.code, 415);
    assert_eq!(send(&server, "PUT", MAPS, &[], "{}").await.code, 405);
    let elsewhere = json!({"metadata": {"name": "m", "namespace": "other"}});
    assert_eq!(send(&server, "POST", MAPS, &[], elsewhere.to_string()).await.code, 400);
}

#[tokio::test(start_paused = true)]
async fn a_strategic_patch_works_on_built_in_kinds_only() {
    let server = cluster();
    seed_web(&server);
    let body = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:v2"}]}}}});
    let done = patch(&server, WEB, "strategic", body).await.json();
    assert_eq!(done["spec"]["template"]["spec"]["containers"][0]["image"], "web:v2");
    let routes = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes";
    let route = json!({"metadata": {"name": "r"}, "spec": {"rules": [{"backendRefs": [{"name": "a", "port": 80}]}]}});
    assert_eq!(send(&server, "POST", routes, &[], route.to_string()).await.code, 201);
    let refused = patch(&server, &format!("{routes}/r"), "strategic", json!({})).await;
    assert_eq!((refused.code, refused.json()["reason"].as_str()), (415, Some("UnsupportedMediaType")));
    let unversioned = send(&server, "PUT", &format!("{routes}/r"), &[], route.to_string()).await;
    assert_eq!(unversioned.code, 422);
}

#[tokio::test(start_paused = true)]
async fn status_and_scale_are_doors_of_their_own() {
    let server = cluster();
    seed_web(&server);
    let status = json!({"status": {"replicas": 3}, "spec": {"replicas": 9}});
    let done = patch(&server, &format!("{WEB}/status"), "merge", status).await.json();
    assert_eq!((&done["status"]["replicas"], &done["spec"]["replicas"]), (&json!(3), &json!(3)));
    let scale = format!("{WEB}/scale");
    let read = get(&server, &scale).await.json();
    assert_eq!((&read["kind"], &read["status"]["selector"]), (&json!("Scale"), &json!("app=web")));
    assert_eq!(patch(&server, &scale, "merge", json!({"spec": {"replicas": 4}})).await.json()["spec"]["replicas"], 4);
    let mut put = get(&server, &scale).await.json();
    put["spec"]["replicas"] = json!(5);
    assert_eq!(send(&server, "PUT", &scale, &[], put.to_string()).await.code, 200);
    assert_eq!(send(&server, "PUT", &scale, &[], put.to_string()).await.code, 409);
    assert_eq!(get(&server, WEB).await.json()["spec"]["replicas"], 5);
}

#[tokio::test(start_paused = true)]
async fn immutable_configmaps_stay_and_facts_merge_without_conflict() {
    let server = cluster();
    let map = json!({"metadata": {"name": "approval"}, "data": {"approver": "ann"}, "immutable": true});
    assert_eq!(send(&server, "POST", MAPS, &[], map.to_string()).await.code, 201);
    let path = format!("{MAPS}/approval");
    let forged = patch(&server, &path, "merge", json!({"data": {"approver": "bob"}})).await;
    assert_eq!((forged.code, forged.json()["details"]["causes"][0]["field"].as_str()), (422, Some("data")));
    assert_eq!(patch(&server, &path, "merge", json!({"metadata": {"labels": {"a": "b"}}})).await.code, 200);
    seed_map(&server, "record", json!({}));
    for key in ["1.hold", "2.note"] {
        let fact = json!({"data": {key: "by=ann"}});
        assert_eq!(patch(&server, &format!("{MAPS}/record"), "merge", fact).await.code, 200);
    }
    let record = get(&server, &format!("{MAPS}/record")).await.json();
    assert_eq!(record["data"].as_object().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn managed_fields_say_who_wrote_what_and_when() {
    let server = cluster();
    seed_web(&server);
    tokio::time::advance(std::time::Duration::from_secs(90)).await;
    let done =
        patch(&server, &format!("{WEB}?fieldManager=ann"), "merge", json!({"spec": {"replicas": 8}})).await.json();
    let entries = done["metadata"]["managedFields"].as_array().unwrap();
    let ann = entries.iter().find(|e| e["manager"] == "ann").unwrap();
    assert_eq!(ann["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(ann["time"], "2026-03-02T10:01:30Z");
    let setup = entries.iter().find(|e| e["manager"] == "setup").unwrap();
    assert_eq!(setup["fieldsV1"]["f:spec"].get("f:replicas"), None);
    let image = "/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"web\"}/f:image";
    assert!(setup["fieldsV1"].pointer(image).is_some(), "{}", setup["fieldsV1"]);
    let agent = patch(&server, &format!("{WEB}/status"), "merge", json!({"status": {"replicas": 1}})).await.json();
    let agent = agent["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["manager"] == "gonogo")
        .cloned()
        .unwrap();
    assert_eq!(agent["subresource"], "status");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_a_mutex() {
    let server = cluster();
    let leases = "/apis/coordination.k8s.io/v1/namespaces/shop/leases";
    let lease = json!({"metadata": {"name": "lock"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}});
    assert_eq!(send(&server, "POST", leases, &[], lease.to_string()).await.code, 201);
    assert_eq!(send(&server, "POST", leases, &[], lease.to_string()).await.json()["reason"], "AlreadyExists");
    let held = get(&server, &format!("{leases}/lock")).await.json();
    let mut mine = held.clone();
    mine["spec"]["holderIdentity"] = json!("b");
    assert_eq!(send(&server, "PUT", &format!("{leases}/lock"), &[], mine.to_string()).await.code, 200);
    assert_eq!(send(&server, "PUT", &format!("{leases}/lock"), &[], held.to_string()).await.code, 409);
}

#[tokio::test(start_paused = true)]
async fn deletion_heeds_preconditions() {
    let server = cluster();
    seed_map(&server, "a", json!({"x": "1"}));
    seed_map(&server, "b", json!({"x": "1"}));
    let path = format!("{MAPS}/a");
    let wrong = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "another"}});
    assert_eq!(send(&server, "DELETE", &path, &[], wrong.to_string()).await.code, 409);
    let gone = send(&server, "DELETE", &path, &[], "").await.json();
    assert_eq!((&gone["status"], &gone["details"]["kind"]), (&json!("Success"), &json!("configmaps")));
    let rest = send(&server, "DELETE", &format!("{MAPS}?labelSelector=x%3D1"), &[], "").await.json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert!(server.store().list(&CONFIGMAPS, None).is_empty());
}
