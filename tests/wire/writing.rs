//! Writes and what became of them; nothing is ever sent twice.

use std::sync::Arc;

use gonogo::domain::challenge::challenge;
use gonogo::domain::change::{ApiType, Change, ObjectRef, PatchKind, replace, test};
use gonogo::domain::fleet::Fleet;
use gonogo::domain::id::{ClusterIx, RegionIx, ServiceIx};
use gonogo::domain::intent::{Intent, Target, Verb};
use gonogo::domain::plan::{Blast, Plan, PlanId, Step, Write, WriteRole};
use gonogo::engine::effect::ActResult;
use gonogo::io::act::{act, dry_run, keep};
use gonogo::io::connect::Mode;
use gonogo::io::journal::{Begun, Files, Journal, Journaled, Known};
use gonogo::io::watch::{plan as watch_plan, reach};
use gonogo::io::{Clock, Clusters};
use serde_json::json;

use super::stage::*;

fn of(api: ApiType, name: &str) -> ObjectRef {
    ObjectRef { cluster: ClusterIx(0), api, namespace: "shop".into(), name: name.into() }
}

fn json_patch() -> Change {
    Change::Patch {
        object: of(ApiType::new("apps", "v1", "deployments", "Deployment"), "web"),
        kind: PatchKind::Json,
        subresource: None,
        body: json!([test("/metadata/uid", json!("uid-web")), replace("/spec/paused", json!(true))]),
    }
}

fn record() -> (Change, Change) {
    let object = of(ApiType::config_map(), "gonogo-test-web");
    let patch = Change::Patch {
        object: object.clone(),
        kind: PatchKind::Merge,
        subresource: None,
        body: json!({"data": {"01.hold": "by=ann"}}),
    };
    (patch, Change::Create { object, body: json!({"kind": "ConfigMap", "data": {"01.hold": "by=ann"}}) })
}

/// A hold of one region: the workload first, then the record.
async fn journaled(fleet: &Fleet) -> (tempfile::TempDir, Journaled) {
    let (patch, create) = record();
    let step = Step {
        region: RegionIx(0),
        start: Default::default(),
        facts: None,
        label: "pause".into(),
        writes: vec![
            Write { role: WriteRole::Main, change: json_patch(), if_absent: None },
            Write { role: WriteRole::Record, change: patch, if_absent: Some(create) },
        ],
        diff: vec![],
        expect: vec![],
        limit: std::time::Duration::from_secs(600),
    };
    let plan = Plan {
        rests_on: Vec::new(),
        id: PlanId(ulid::Ulid::from_parts(1, 2)),
        intent: Intent { service: ServiceIx(0), verb: Verb::Hold, target: Target::Service, reason: None },
        service: ServiceIx(0),
        title: "hold web".into(),
        steps: vec![step],
        parallelism: 1,
        blast: Blast::default(),
        findings: vec![],
        after: "".into(),
        way_back: "".into(),
        name: "web".into(),
        ring: None,
    };
    let approved = challenge(&plan).answer(plan, "y", None, "ann".into()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::start(Files::new(folder.path(), "here"), Clock::tokio(start_of_time())).unwrap();
    match journal.begin(approved, fleet, &Known::new()).await {
        Begun::Proof(proof) => (folder, *proof),
        refused => panic!("{refused:?}"),
    }
}

fn ways_to(server: &Server) -> (Arc<Fleet>, Clusters) {
    let fleet = fleet(1, false);
    let clusters = ways(&fleet, std::slice::from_ref(server), &Mode::Console);
    (fleet, clusters)
}

async fn acted(write: usize, does: impl Fn(&Asked) -> Does + Send + Sync + 'static) -> (ActResult, Server) {
    let server = Server::new(does);
    let (fleet, clusters) = ways_to(&server);
    let (_folder, proof) = journaled(&fleet).await;
    let result = act(clusters.get(ClusterIx(0)).unwrap(), &proof, 0, write).await;
    (result, server)
}

#[tokio::test]
async fn a_write_goes_out_exactly_as_planned_and_is_only_accepted() {
    let (result, server) = acted(0, |_| {
        let headers: &[_] = &[("audit-id", "server-7"), ("warning", "299 - \"old field\"")];
        Does::Raw(200, headers, b"{\"metadata\":{\"uid\":\"uid-web\"}}".to_vec())
    })
    .await;
    let asked = server.asked().remove(0);
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/web")
    );
    assert_eq!(asked.query, "fieldManager=gonogo&fieldValidation=Strict");
    assert_eq!(asked.body, json_patch().body());
    assert_eq!(asked.headers["content-type"], "application/json-patch+json");
    assert_eq!(asked.headers["audit-id"], "00000000010000000000000002-0-0");
    let ActResult::Accepted { object, audit, warnings } = result else { panic!("{result:?}") };
    assert_eq!(object.unwrap()["metadata"]["uid"], "uid-web");
    assert_eq!((audit.as_deref(), &*warnings[0]), (Some("server-7"), "old field"));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let causes = json!({"kind": "Status", "code": 422, "reason": "Invalid", "message": "spec.x: wrong",
        "details": {"causes": [{"field": "spec.x"}]}});
    let hook = "admission webhook \"p\" denied the request: no\u{1b}[2J";
    for (code, body, expected) in [
        (422, failed(422, "Invalid", "the server rejected our request"), "changed"),
        (422, causes, "refused 422 422 Invalid: spec.x: wrong"),
        (
            422,
            failed(422, "Invalid", hook),
            "refused 422 422 Invalid: admission webhook \"p\" denied the request: no␛[2J",
        ),
        (409, failed(409, "Conflict", "modified"), "changed"),
        (404, failed(404, "NotFound", "no such"), "absent"),
        (403, failed(403, "Forbidden", "no"), "refused 403 403 Forbidden: no"),
        (400, failed(400, "BadRequest", "unknown field"), "refused 400 400 BadRequest: unknown field"),
        (401, failed(401, "Unauthorized", "who"), "refused 401 401 Unauthorized: who"),
        (429, failed(429, "TooManyRequests", "later"), "refused 429 429 TooManyRequests: later"),
        (
            500,
            failed(500, "InternalError", "failed calling webhook \"w\""),
            "refused 500 500 InternalError: failed calling webhook \"w\"",
        ),
        (500, failed(500, "InternalError", "etcd"), "unknown"),
        (502, json!("<html>"), "unknown"),
        (503, failed(503, "ServiceUnavailable", "x"), "unknown"),
        (504, failed(504, "Timeout", "x"), "unknown"),
    ] {
        let (result, server) = acted(0, move |_| Does::Json(code, body.clone())).await;
        let shown = match result {
            ActResult::Changed => "changed".to_owned(),
            ActResult::Absent(_) => "absent".to_owned(),
            ActResult::Unknown(_) => "unknown".to_owned(),
            ActResult::Refused { code, message } => format!("refused {code} {message}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(shown, expected);
        assert_eq!(server.asked().len(), 1, "sent once: {expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_happened_is_unknown_and_what_cannot_have_happened_was_not_sent() {
    let (refused, _) = acted(0, |_| Does::Refused).await;
    assert!(matches!(refused, ActResult::NotSent(_)), "{refused:?}");
    let cut: fn(&Asked) -> Does = |_| Does::Stream(vec![Part::Bytes(b"{\"metadata\":".to_vec()), Part::Cut]);
    let short: fn(&Asked) -> Does = |_| Does::Stream(vec![Part::Bytes(b"{\"metadata\":".to_vec())]);
    for does in [cut, short, |_| Does::Reset, |_| Does::Hang, |_| Does::Raw(200, &[], b"<html>".to_vec())] {
        let (result, server) = acted(0, does).await;
        assert!(matches!(result, ActResult::Unknown(_)), "{result:?}");
        assert_eq!(server.asked().len(), 1, "never sent again");
    }
}

#[tokio::test]
async fn an_absent_record_is_created_and_one_that_just_appeared_is_patched() {
    let (result, server) = acted(1, |asked| match asked.method.as_str() {
        "PATCH" => Does::Json(404, failed(404, "NotFound", "no")),
        _ => Does::Json(201, json!({"kind": "ConfigMap"})),
    })
    .await;
    assert!(matches!(result, ActResult::Accepted { .. }));
    let methods = |s: &Server| s.asked().into_iter().map(|a| a.method).collect::<Vec<_>>();
    assert_eq!(methods(&server), ["PATCH", "POST"]);
    let (result, server) = acted(1, |asked| match (asked.method.as_str(), asked.nth) {
        ("PATCH", 0) => Does::Json(404, failed(404, "NotFound", "no")),
        ("POST", _) => Does::Json(409, failed(409, "AlreadyExists", "there")),
        _ => Does::Json(200, json!({"kind": "ConfigMap"})),
    })
    .await;
    assert!(matches!(result, ActResult::Accepted { .. }));
    assert_eq!(methods(&server), ["PATCH", "POST", "PATCH"]);
}

#[tokio::test]
async fn a_dry_run_goes_through_the_reader() {
    let server = Server::new(|_| Does::Json(200, json!({"spec": {}})));
    let (_, clusters) = ways_to(&server);
    let result = dry_run(clusters.get(ClusterIx(0)).unwrap(), &json_patch()).await;
    assert!(matches!(result, ActResult::Accepted { .. }), "{result:?}");
    assert_eq!(server.asked()[0].query, "fieldManager=gonogo&fieldValidation=Strict&dryRun=All");
}

#[tokio::test]
async fn outside_a_plan_only_own_records_are_written() {
    let server = Server::new(|_| Does::Json(200, json!({})));
    let (_, clusters) = ways_to(&server);
    let access = clusters.get(ClusterIx(0)).unwrap();
    let (patch, create) = record();
    assert!(matches!(keep(access, &json_patch(), None, "a").await, ActResult::NotSent(_)));
    let foreign = Change::Create { object: of(ApiType::config_map(), "app-settings"), body: json!({}) };
    assert!(matches!(keep(access, &patch, Some(&foreign), "a").await, ActResult::NotSent(_)));
    assert_eq!(server.asked().len(), 0);
    assert!(matches!(keep(access, &patch, Some(&create), "a").await, ActResult::Accepted { .. }));
}

#[tokio::test]
async fn watch_mode_has_no_way_to_write() {
    let server = Server::new(|_| Does::Json(200, json!({})));
    let fleet = fleet(1, false);
    let mode = Mode::Watch(reach(&watch_plan(&fleet), vec![]));
    let clusters = ways(&fleet, std::slice::from_ref(&server), &mode);
    let access = clusters.get(ClusterIx(0)).unwrap();
    let (_folder, proof) = journaled(&fleet).await;
    assert!(matches!(act(access, &proof, 0, 0).await, ActResult::NotSent(_)));
    assert!(matches!(keep(access, &record().0, None, "a").await, ActResult::NotSent(_)));
    assert!(matches!(dry_run(access, &json_patch()).await, ActResult::NotSent(_)));
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_proof_sends_nothing_that_its_plan_does_not_hold() {
    let server = Server::new(|_| Does::Json(200, json!({})));
    let fleet = fleet(2, false);
    let clusters = ways(&fleet, &[server.clone(), server.clone()], &Mode::Console);
    let (_folder, proof) = journaled(&fleet).await;
    for (cluster, step, write) in [(0, 0, 2), (0, 1, 0), (1, 0, 0)] {
        let result = act(clusters.get(ClusterIx(cluster)).unwrap(), &proof, step, write).await;
        assert!(matches!(result, ActResult::NotSent(_)), "{result:?}");
    }
    assert_eq!(server.asked().len(), 0);
}

/// The context was pointed elsewhere: the object of the same name there is another one.
#[tokio::test]
async fn nothing_is_sent_to_another_cluster_than_was_remembered() {
    let server = Server::new(well);
    let (fleet, clusters) = ways_to(&server);
    let (_folder, proof) = journaled(&fleet).await;
    let access = clusters.get(ClusterIx(0)).unwrap();
    access.identified(gonogo::io::connect::Identified::Changed("context c0 leads elsewhere".into()));
    // Asking again in vain does not make it the one that was meant.
    access.identified(gonogo::io::connect::Identified::Asking);
    access.identified(gonogo::io::connect::Identified::Unknown);
    for write in [0, 1] {
        let result = act(access, &proof, 0, write).await;
        let ActResult::NotSent(why) = result else { panic!("{result:?}") };
        assert_eq!(&*why, "context c0 leads elsewhere");
    }
    assert!(server.asked().is_empty());
}

/// A write that comes before the cluster has said which it is waits for that.
#[tokio::test]
async fn a_write_waits_until_the_cluster_is_known() {
    let server = Server::new(|_| Does::Json(200, json!({"metadata": {"uid": "uid-web"}})));
    let (fleet, clusters) = ways_to(&server);
    let (_folder, proof) = journaled(&fleet).await;
    let access = clusters.get(ClusterIx(0)).unwrap();
    access.identified(gonogo::io::connect::Identified::Asking);
    let writing = act(access, &proof, 0, 0);
    tokio::pin!(writing);
    assert!(futures::poll!(&mut writing).is_pending());
    assert!(server.asked().is_empty());
    let anchor = access.reader().await.unwrap().anchor;
    access.identified(gonogo::io::connect::Identified::Same(anchor));
    assert!(matches!(writing.await, ActResult::Accepted { .. }));
}
