//! Who may do what, admission, reviews.

use super::super::access::User;
use super::super::admission::AdmissionRule;
use super::*;

fn bearer(token: &str) -> [(&'static str, String); 1] {
    [("authorization", format!("Bearer {token}"))]
}

async fn as_token(server: &ApiServer, token: &str, method: &str, path: &str, body: &str) -> Got {
    let headers = bearer(token);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
    send(server, method, path, &headers, body.to_owned()).await
}

#[tokio::test(start_paused = true)]
async fn tokens_name_users_and_rights_follow() {
    let server = cluster();
    seed_web(&server);
    assert_eq!(as_token(&server, "viewer-token", "GET", WEB, "").await.code, 200);
    let refused = as_token(&server, "viewer-token", "DELETE", WEB, "").await;
    assert_eq!(
        refused.json()["message"],
        "deployments.apps \"web\" is forbidden: User \"viewer\" cannot delete resource \"deployments\" in API group \"apps\" in the namespace \"shop\""
    );
    assert_eq!(as_token(&server, "deployer-token", "POST", MAPS, "{}").await.code, 403);
    let unknown = as_token(&server, "nonsense", "GET", WEB, "").await;
    assert_eq!((unknown.code, unknown.json()["reason"].as_str()), (401, Some("Unauthorized")));
    let anonymous = ApiServer { trusted: None, ..server.clone() };
    assert_eq!(get(&anonymous, WEB).await.code, 403);
    assert_eq!(get(&anonymous, "/version").await.code, 200);
    server.faults().expire_tokens(true);
    assert_eq!(as_token(&server, "viewer-token", "GET", WEB, "").await.code, 401);
}

#[tokio::test(start_paused = true)]
async fn cluster_wide_lists_need_cluster_wide_rights() {
    let server = cluster();
    server.set_access(|access| {
        access.tokens.insert("t".to_owned(), User::named("local"));
        access.grants.push(super::super::access::Grant {
            to: vec!["local".to_owned()],
            verbs: vec!["list".to_owned()],
            groups: vec!["apps".to_owned()],
            resources: vec!["deployments".to_owned()],
            namespaces: vec!["shop".to_owned()],
            ..Default::default()
        });
    });
    let local = as_token(&server, "t", "GET", "/apis/apps/v1/namespaces/shop/deployments", "").await;
    assert_eq!(local.code, 200);
    let wide = as_token(&server, "t", "GET", "/apis/apps/v1/deployments", "").await;
    assert!(wide.json()["message"].as_str().unwrap().ends_with("at the cluster scope"));
    let asked = |ns: &str| {
        json!({"spec": {"resourceAttributes": {"verb": "list", "group": "apps", "resource": "deployments", "namespace": ns}}}).to_string()
    };
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    assert_eq!(as_token(&server, "t", "POST", path, &asked("shop")).await.json()["status"]["allowed"], true);
    assert_eq!(as_token(&server, "t", "POST", path, &asked("")).await.json()["status"]["allowed"], false);
    let me = as_token(&server, "t", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}").await;
    assert_eq!((me.code, me.json()["status"]["userInfo"]["username"].as_str()), (201, Some("local")));
}

#[tokio::test(start_paused = true)]
async fn impersonation_needs_its_own_right() {
    let server = cluster();
    let headers = [("impersonate-user", "viewer")];
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let me = send(&server, "POST", path, &headers, "{}").await.json();
    assert_eq!(me["status"]["userInfo"]["username"], "viewer");
    let viewer = server.trusting("viewer");
    assert_eq!(send(&viewer, "POST", path, &[("impersonate-user", "oncall")], "{}").await.code, 403);
}

fn rules(text: &str) -> Vec<AdmissionRule> {
    #[derive(serde::Deserialize)]
    struct File {
        rule: Vec<AdmissionRule>,
    }
    toml::from_str::<File>(text).unwrap().rule
}

#[tokio::test(start_paused = true)]
async fn admission_rules_are_data_and_refuse_as_the_real_ones_do() {
    let server = cluster();
    seed_web(&server);
    server.set_admission(rules(
        r#"
        [[rule]]
        name = "freeze.example.com"
        group = "apps"
        resource = "deployments"
        when = [{ field = "/spec/paused", equals = true }]
        effect.webhook.message = "change freeze"
        [[rule]]
        name = "tags"
        group = "apps"
        resource = "deployments"
        when = [{ field = "/spec/template/spec/containers/0/image", contains = ":latest" }]
        effect.policy = { binding = "prod", message = "no latest tags" }
        [[rule]]
        name = "max"
        group = "apps"
        resource = "deployments"
        when = [{ field = "/spec/replicas", above = 50.0 }]
        effect.invalid = { field = "spec.replicas", message = "must be at most 50" }
        [[rule]]
        name = "audit.example.com"
        resource = "configmaps"
        effect = "no-dry-run"
        [[rule]]
        name = "advice"
        group = "apps"
        resource = "deployments"
        when = [{ field = "/spec/replicas", changed = true }]
        effect.warn.message = "the autoscaler owns replicas"
        "#,
    ));
    let frozen = patch(&server, WEB, "merge", json!({"spec": {"paused": true}})).await;
    assert_eq!(frozen.code, 403);
    assert_eq!(frozen.json()["message"], "admission webhook \"freeze.example.com\" denied the request: change freeze");
    let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:latest"}]);
    let policy = patch(&server, WEB, "json", image).await;
    assert_eq!(policy.code, 422);
    assert!(
        policy.json()["message"]
            .as_str()
            .unwrap()
            .contains("ValidatingAdmissionPolicy 'tags' with binding 'prod' denied request: no latest tags")
    );
    assert_eq!(policy.json()["details"]["causes"].as_array().unwrap().len(), 1);
    let many = patch(&server, WEB, "merge", json!({"spec": {"replicas": 51}})).await;
    assert_eq!(many.json()["details"]["causes"][0]["field"], "spec.replicas");
    let map = json!({"metadata": {"name": "m"}}).to_string();
    let dry = send(&server, "POST", &format!("{MAPS}?dryRun=All"), &[], map.clone()).await;
    assert_eq!(
        (dry.code, dry.json()["message"].as_str()),
        (400, Some("admission webhook \"audit.example.com\" does not support dry run"))
    );
    assert_eq!(send(&server, "POST", MAPS, &[], map).await.code, 201);
    let warned = patch(&server, WEB, "merge", json!({"spec": {"replicas": 9}})).await;
    assert_eq!((warned.code, warned.header("warning")), (200, "299 - \"the autoscaler owns replicas\""));
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_its_authors_or_it_is_refused() {
    let server = cluster();
    server.set_admission(rules(
        r#"
        [[rule]]
        name = "approvals"
        resource = "configmaps"
        operations = ["CREATE"]
        when = [{ field = "/metadata/labels/kind", equals = "approval" }, { field = "/data/approver", requester = false }]
        effect.policy = { binding = "fleet", message = "the approver is the one who asks" }
        "#,
    ));
    let approval = |name: &str, approver: &str| {
        json!({"metadata": {"name": name, "labels": {"kind": "approval"}}, "data": {"approver": approver}}).to_string()
    };
    assert_eq!(send(&server, "POST", MAPS, &[], approval("a", "oncall")).await.code, 201);
    assert_eq!(send(&server, "POST", MAPS, &[], approval("b", "ann")).await.code, 422);
}
