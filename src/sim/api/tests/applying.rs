//! Server-side apply.

use super::*;

fn manifest(replicas: Option<i64>, image: &str) -> String {
    let replicas = replicas.map_or_else(String::new, |n| format!("  replicas: {n}\n"));
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: api\n  labels: {{team: shop}}\nspec:\n{replicas}  selector:\n    matchLabels: {{app: api}}\n  template:\n    metadata:\n      labels: {{app: api}}\n    spec:\n      containers:\n      - name: api\n        image: {image}\n        ports: [{{containerPort: 80}}]\n"
    )
}

async fn apply(server: &ApiServer, query: &str, body: String) -> Got {
    let path = format!("/apis/apps/v1/namespaces/shop/deployments/api?{query}");
    send(server, "PATCH", &path, &[("content-type", "application/apply-patch+yaml")], body).await
}

#[tokio::test(start_paused = true)]
async fn applying_creates_then_changes_then_rests() {
    let server = cluster();
    let made = apply(&server, "fieldManager=ci", manifest(Some(2), "api:v1")).await;
    assert_eq!(made.code, 201);
    let entries = made.json()["metadata"]["managedFields"].clone();
    assert_eq!(entries.as_array().unwrap().len(), 1);
    assert_eq!(entries[0]["operation"], "Apply");
    assert_eq!(entries[0]["fieldsV1"]["f:spec"].get("f:progressDeadlineSeconds"), None);
    let before = server.store().revision();
    assert_eq!(apply(&server, "fieldManager=ci", manifest(Some(2), "api:v1")).await.code, 200);
    assert_eq!(server.store().revision(), before);
    let next = apply(&server, "fieldManager=ci", manifest(Some(2), "api:v2")).await.json();
    assert_eq!(next["spec"]["template"]["spec"]["containers"][0]["image"], "api:v2");
    assert_eq!(next["spec"]["template"]["spec"]["containers"][0]["ports"].as_array().unwrap().len(), 1);
    assert_eq!(apply(&server, "", manifest(None, "api:v1")).await.code, 422);
}

#[tokio::test(start_paused = true)]
async fn what_another_manager_set_is_a_conflict_until_forced() {
    let server = cluster();
    apply(&server, "fieldManager=ci", manifest(Some(2), "api:v1")).await;
    let path = "/apis/apps/v1/namespaces/shop/deployments/api";
    patch(&server, &format!("{path}?fieldManager=ann"), "merge", json!({"spec": {"replicas": 9}})).await;
    let refused = apply(&server, "fieldManager=ci", manifest(Some(3), "api:v1")).await;
    assert_eq!(refused.code, 409);
    let status = refused.json();
    assert_eq!(status["message"], "Apply failed with 1 conflict: conflict with \"ann\" using apps/v1: .spec.replicas");
    assert_eq!(status["details"]["causes"][0]["reason"], "FieldManagerConflict");
    assert_eq!(apply(&server, "fieldManager=ci", manifest(Some(9), "api:v1")).await.code, 200);
    let forced = apply(&server, "fieldManager=ci&force=true", manifest(Some(3), "api:v1")).await.json();
    assert_eq!(forced["spec"]["replicas"], 3);
    let managers: Vec<&Value> =
        forced["metadata"]["managedFields"].as_array().unwrap().iter().map(|e| &e["manager"]).collect();
    assert_eq!(managers, ["ci"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_named_goes_unless_another_owns_it() {
    let server = cluster();
    apply(&server, "fieldManager=ci", manifest(Some(2), "api:v1")).await;
    let path = "/apis/apps/v1/namespaces/shop/deployments/api";
    patch(&server, &format!("{path}?fieldManager=ann"), "merge", json!({"metadata": {"labels": {"mine": "yes"}}}))
        .await;
    let unlabelled = manifest(None, "api:v1").replace("  labels: {team: shop}\n", "");
    let done = apply(&server, "fieldManager=ci", unlabelled).await.json();
    assert_eq!(done["metadata"]["labels"], json!({"mine": "yes"}));
    // Nobody owns the replicas any more: the default comes back.
    assert_eq!(done["spec"]["replicas"], 1);
}
