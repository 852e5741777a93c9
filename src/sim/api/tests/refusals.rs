//! Refusals, word for word as kube-apiserver v1.34.2 gave them to the same requests.

use super::super::access::{Grant, User};
use super::*;

/// Method, path, content type, body; code, reason, message.
type Case = (&'static str, &'static str, &'static str, &'static str, u16, &'static str, &'static str);

const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
const MAP: &str = "/api/v1/namespaces/shop/configmaps/m";

async fn check(cases: &[Case]) {
    let server = cluster();
    seed_web(&server);
    seed_map(&server, "m", json!({}));
    for (method, path, media, body, code, reason, message) in cases {
        let got = send(&server, method, path, &[("content-type", media)], *body).await;
        let status = got.json();
        let (said, why) = (status["reason"].as_str().unwrap_or(""), status["message"].as_str().unwrap_or(""));
        assert_eq!((got.code, said, why), (*code, *reason, *message), "{method} {path} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn options_are_checked_by_the_name_of_the_request() {
    let refused = |options: &str, why: &str| format!("{options}.meta.k8s.io \"\" is invalid: {why}");
    let dry = "dryRun: Unsupported value: [\"All\",\"Some\"]: supported values: \"All\"";
    let create = refused("CreateOptions", dry);
    let delete = refused("DeleteOptions", dry);
    let validation = refused(
        "PatchOptions",
        "fieldValidation: Unsupported value: \"Maybe\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
    );
    let cases = [
        ("POST", "/api/v1/namespaces/shop/configmaps?dryRun=All&dryRun=Some", JSON, "{}", create.as_str()),
        ("DELETE", "/api/v1/namespaces/shop/configmaps/m?dryRun=All&dryRun=Some", JSON, "", &delete),
        ("PATCH", "/api/v1/namespaces/shop/configmaps/m?fieldValidation=Maybe", MERGE, "{}", &validation),
        (
            "PATCH",
            "/api/v1/namespaces/shop/configmaps/m?force=true",
            MERGE,
            "{}",
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
        ),
        (
            "DELETE",
            "/api/v1/namespaces/shop/configmaps/m?propagationPolicy=Odd",
            JSON,
            "",
            "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"Odd\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
        ),
    ];
    let server = cluster();
    seed_map(&server, "m", json!({}));
    for (method, path, media, body, message) in cases {
        let got = send(&server, method, path, &[("content-type", media)], body).await;
        assert_eq!((got.code, got.json()["message"].as_str()), (422, Some(message)), "{method} {path}");
    }
}

/// Whoever deletes with a body and asks for a dry run in the query deletes.
#[tokio::test(start_paused = true)]
async fn with_a_body_the_query_of_a_delete_does_not_count() {
    let server = cluster();
    seed_map(&server, "m", json!({}));
    let path = format!("{MAP}?dryRun=All");
    assert_eq!(send(&server, "DELETE", &path, &[], "").await.code, 200);
    assert_eq!(get(&server, MAP).await.code, 200);
    assert_eq!(send(&server, "DELETE", MAP, &[], r#"{"dryRun":["All"]}"#).await.code, 200);
    assert_eq!(get(&server, MAP).await.code, 200);
    assert_eq!(send(&server, "DELETE", &path, &[], r#"{"kind":"DeleteOptions","apiVersion":"v1"}"#).await.code, 200);
    assert_eq!(get(&server, MAP).await.code, 404);
}

#[tokio::test(start_paused = true)]
async fn bodies_that_cannot_be_read() {
    let server_error = "the server rejected our request due to an error in our request";
    check(&[
        (
            "PATCH",
            WEB,
            JSON_PATCH,
            "{}",
            400,
            "BadRequest",
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            "PATCH",
            WEB,
            JSON_PATCH,
            "[1]",
            400,
            "BadRequest",
            "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
        ),
        ("PATCH", WEB, JSON_PATCH, "", 400, "BadRequest", "error decoding patch: unexpected end of JSON input"),
        ("PATCH", WEB, JSON_PATCH, r#"[{"op":"frob","path":"/spec/replicas"}]"#, 422, "Invalid", server_error),
        ("PATCH", WEB, JSON_PATCH, r#"[{"op":"test","path":"/spec/no/no","value":null}]"#, 422, "Invalid", server_error),
        (
            "PATCH",
            WEB,
            MERGE,
            "[1]",
            400,
            "BadRequest",
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        ("PATCH", WEB, MERGE, "null", 400, "BadRequest", "Invalid JSON Patch"),
        (
            "PATCH",
            WEB,
            STRATEGIC,
            "[1]",
            400,
            "BadRequest",
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            "PATCH",
            WEB,
            STRATEGIC,
            r#"{"spec":{"template":{"spec":{"containers":[{"image":"x"}]}}}}"#,
            500,
            "",
            "map: map[image:x] does not contain declared merge key: name",
        ),
        (
            "PATCH",
            "/api/v1/namespaces/shop/configmaps/m?fieldValidation=Strict",
            STRATEGIC,
            r#"{"nope":1,"data":{"b":"2","a":"1"}}"#,
            422,
            "Invalid",
            " \"\" is invalid: patch: Invalid value: \"map[data:map[a:1 b:2] nope:1]\": strict decoding error: unknown field \"nope\"",
        ),
        ("PATCH", WEB, "text/plain", "x", 415, "UnsupportedMediaType", "415: Unsupported Media Type"),
        (
            "POST",
            "/api/v1/namespaces/shop/configmaps",
            JSON,
            "",
            400,
            "BadRequest",
            "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
        ),
        (
            "POST",
            "/apis/apps/v1/namespaces/shop/deployments",
            JSON,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}"#,
            400,
            "BadRequest",
            "ConfigMap in version \"v1\" cannot be handled as a Deployment: converting (v1.ConfigMap) to (apps.Deployment): unknown conversion",
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn versions_and_names_that_do_not_fit() {
    check(&[
        (
            "PUT",
            MAP,
            JSON,
            r#"{"metadata":{"name":"m","resourceVersion":"x"}}"#,
            500,
            "",
            "strconv.ParseUint: parsing \"x\": invalid syntax",
        ),
        (
            "POST",
            "/api/v1/namespaces/shop/configmaps",
            JSON,
            r#"{"metadata":{"name":"n","resourceVersion":"3"}}"#,
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        ),
        (
            "PATCH",
            MAP,
            JSON_PATCH,
            r#"[{"op":"replace","path":"","value":{}}]"#,
            400,
            "BadRequest",
            "the name of the object (m based on URL) was undeterminable: name must be provided",
        ),
        ("GET", "/apis/apps/v1/frobs", JSON, "", 404, "NotFound", "the server could not find the requested resource"),
        (
            "GET",
            "/apis/apps/v1/namespaces/shop/deployments/web/frob",
            JSON,
            "",
            404,
            "NotFound",
            "the server could not find the requested resource",
        ),
        (
            "GET",
            "/api/v1/namespaces/shop/configmaps?limit=junk",
            JSON,
            "",
            400,
            "BadRequest",
            "strconv.ParseInt: parsing \"junk\": invalid syntax",
        ),
        (
            "GET",
            "/api/v1/namespaces/shop/configmaps?resourceVersion=junk",
            JSON,
            "",
            400,
            "BadRequest",
            "invalid resource version: resourceVersion: Invalid value: \"junk\": strconv.ParseUint: parsing \"junk\": invalid syntax",
        ),
        (
            "GET",
            "/api/v1/namespaces/shop/configmaps?watch=1&resourceVersion=junk",
            JSON,
            "",
            500,
            "",
            "resourceVersion: Invalid value: \"junk\": strconv.ParseUint: parsing \"junk\": invalid syntax",
        ),
        (
            "GET",
            "/api/v1/namespaces/shop/configmaps?resourceVersion=0&resourceVersionMatch=Exact",
            JSON,
            "",
            422,
            "Invalid",
            "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        ),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            JSON,
            r#"{"spec":{}}"#,
            422,
            "Invalid",
            ".authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
    ])
    .await;
    let server = cluster();
    seed_map(&server, "m", json!({}));
    let uid = get(&server, MAP).await.json()["metadata"]["uid"].as_str().unwrap().to_owned();
    let refused = send(&server, "DELETE", MAP, &[], r#"{"preconditions":{"uid":"u"}}"#).await.json();
    assert_eq!(
        refused["message"].as_str().unwrap(),
        format!(
            "Operation cannot be fulfilled on ConfigMap \"m\": the UID in the precondition (u) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
        )
    );
    assert_eq!(refused["details"], json!({"name": "m", "kind": "ConfigMap"}));
}

#[tokio::test(start_paused = true)]
async fn values_that_the_registry_does_not_take() {
    let percent = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
    let surge = format!(
        "Deployment.apps \"web\" is invalid: [spec.strategy.rollingUpdate.maxSurge: Invalid value: \"ten\": {percent}, spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0]"
    );
    let cases = [
        (
            WEB,
            r#"{"spec":{"strategy":{"type":"Recreate"}}}"#,
            "Deployment.apps \"web\" is invalid: spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            WEB,
            r#"{"spec":{"strategy":{"type":"Canary"}}}"#,
            "Deployment.apps \"web\" is invalid: spec.strategy: Unsupported value: {\"Type\":\"Canary\",\"RollingUpdate\":{\"MaxUnavailable\":\"25%\",\"MaxSurge\":\"25%\"}}: supported values: \"Recreate\", \"RollingUpdate\"",
        ),
        (WEB, r#"{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"ten","maxUnavailable":0}}}}"#, surge.as_str()),
        (
            WEB,
            r#"{"spec":{"progressDeadlineSeconds":5,"minReadySeconds":6}}"#,
            "Deployment.apps \"web\" is invalid: spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
        ),
        (
            MAP,
            r#"{"data":{"..x":"v"}}"#,
            "ConfigMap \"m\" is invalid: data[..x]: Invalid value: \"..x\": must not start with '..'",
        ),
        (
            MAP,
            r#"{"data":{"k":"v"},"binaryData":{"k":"MQ=="}}"#,
            "ConfigMap \"m\" is invalid: data[k]: Invalid value: \"k\": duplicate of key present in binaryData",
        ),
    ];
    let server = cluster();
    seed_web(&server);
    seed_map(&server, "m", json!({}));
    for (path, body, message) in cases {
        let got = send(&server, "PATCH", path, &[("content-type", MERGE)], body).await;
        assert_eq!((got.code, got.json()["message"].as_str()), (422, Some(message)), "{body}");
    }
    let big = json!({"data": {"big": "x".repeat(1024 * 1024 + 1)}});
    let got = patch(&server, MAP, "merge", big).await.json();
    assert_eq!(got["message"], "ConfigMap \"m\" is invalid: []: Too long: may not be more than 1048576 bytes");
    // Nobody trims the images of a template.
    assert_eq!(
        patch(
            &server,
            WEB,
            "json",
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": " x"}])
        )
        .await
        .code,
        200
    );
}

/// A route's weight that is no whole number is refused by the CRD's schema, not as a bad patch.
#[tokio::test(start_paused = true)]
async fn schemas_of_crds_speak_for_themselves() {
    let server = cluster();
    let routes = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes";
    let route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r"},
        "spec": {"rules": [{"backendRefs": [{"name": "x", "port": 80, "weight": 50}]}]}});
    assert_eq!(send(&server, "POST", routes, &[], route.to_string()).await.code, 201);
    let at = "spec.rules[0].backendRefs[0].weight";
    for (value, message) in [
        (json!("5"), format!("Invalid value: \"string\": {at} in body must be of type integer: \"string\"")),
        (json!(1.5), format!("Invalid value: \"number\": {at} in body must be of type integer: \"number\"")),
        (json!(1_000_001), format!("Invalid value: 1000001: {at} in body should be less than or equal to 1000000")),
        (json!(-1), format!("Invalid value: -1: {at} in body should be greater than or equal to 0")),
    ] {
        let change = json!([{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": value}]);
        let got = patch(&server, &format!("{routes}/r"), "json", change).await;
        let wanted = format!("HTTPRoute.gateway.networking.k8s.io \"r\" is invalid: {at}: {message}");
        assert_eq!((got.code, got.json()["message"].as_str()), (422, Some(wanted.as_str())));
    }
    // Null is pruned, and then the default applies.
    let change = json!([{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": null}]);
    let got = patch(&server, &format!("{routes}/r"), "json", change).await.json();
    assert_eq!(got["spec"]["rules"][0]["backendRefs"][0]["weight"], 1);
    let bare = json!({"metadata": {"name": "r2"}}).to_string();
    let got = send(&server, "POST", routes, &[], bare).await.json();
    assert_eq!(got["message"], "HTTPRoute.gateway.networking.k8s.io \"r2\" is invalid: spec: Required value");
}

#[tokio::test(start_paused = true)]
async fn who_may_one_object_may_list_it_by_name() {
    let server = cluster();
    server.set_access(|access| {
        access.tokens.insert("one-token".to_owned(), User::named("one"));
        access.grants.push(Grant {
            to: vec!["one".to_owned()],
            verbs: vec!["list".to_owned(), "watch".to_owned()],
            groups: vec![String::new()],
            resources: vec!["configmaps".to_owned()],
            names: vec!["m".to_owned()],
            ..Grant::default()
        });
    });
    seed_map(&server, "m", json!({}));
    let maps = "/api/v1/namespaces/shop/configmaps";
    let bearer = [("authorization", "Bearer one-token")];
    let by_name = send(&server, "GET", &format!("{maps}?fieldSelector=metadata.name%3Dm"), &bearer, "").await;
    assert_eq!(by_name.code, 200);
    let other = send(&server, "GET", &format!("{maps}?fieldSelector=metadata.name%3Dn"), &bearer, "").await.json();
    assert_eq!(
        other["message"],
        "configmaps \"n\" is forbidden: User \"one\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"shop\""
    );
    assert_eq!(send(&server, "GET", maps, &bearer, "").await.code, 403);
    // What is no bearer token is nobody's.
    let basic = send(&server, "GET", maps, &[("authorization", "Basic eDp5")], "").await.json();
    assert!(basic["message"].as_str().unwrap().contains("User \"system:anonymous\" cannot list"), "{basic}");
}
