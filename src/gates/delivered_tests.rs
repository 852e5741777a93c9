#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use serde_json::{Value, json};

use crate::domain::link::{Freshness, LostReason};
use crate::domain::verdict::Verdict;
use crate::gates::stand::{Stand, application, stand};

/// The Application of the region that is judged, after a change of one at rest.
fn with(change: impl FnOnce(&mut Value)) -> Stand {
    let (mut stand, mut object) = (stand(), application());
    change(&mut object);
    stand.delivered_by(&object);
    stand
}

#[test]
fn in_sync_healthy_and_at_rest_is_go_and_nothing_else_is() {
    let says = |sync: &'static str, health: &'static str| {
        with(move |o| {
            o["status"]["sync"]["status"] = json!(sync);
            o["status"]["health"]["status"] = json!(health);
        })
    };
    for (stand, verdict, words) in [
        (says("Synced", "Healthy"), Verdict::Go, "Application argocd/web-eu is Synced, Healthy"),
        (says("OutOfSync", "Healthy"), Verdict::Wait, "is OutOfSync, Healthy"),
        (says("Synced", "Progressing"), Verdict::Wait, "is Synced, Progressing"),
        (says("Synced", "Suspended"), Verdict::Wait, "is Synced, Suspended"),
        (says("Synced", "Degraded"), Verdict::NoGo, "is Synced, Degraded"),
        (says("OutOfSync", "Missing"), Verdict::NoGo, "is OutOfSync, Missing"),
        (says("Unknown", "Healthy"), Verdict::NoData, "is Unknown, Healthy"),
        (says("Synced", "Dreaming"), Verdict::NoData, "is Synced, Unknown"),
        (says("", ""), Verdict::NoData, "is Unknown, Unknown"),
    ] {
        let judged = stand.verdict("delivered", []);
        assert_eq!(judged.verdict, verdict, "{}", judged.sentence);
        assert!(judged.sentence.contains(words), "{}", judged.sentence);
    }
}

#[test]
fn what_it_does_and_what_becomes_of_it_count_too() {
    let by_hand = |o: &mut Value| {
        o["status"]["sync"]["status"] = json!("OutOfSync");
        o["spec"]["syncPolicy"] = json!({});
    };
    let fails = |o: &mut Value| {
        o["status"]["sync"]["status"] = json!("OutOfSync");
        o["status"]["operationState"] = json!({"phase": "Failed", "message": "no such chart"});
    };
    let cases: [(Stand, Verdict, &str); 5] = [
        (with(|o| o["operation"] = json!({"sync": {}})), Verdict::Wait, "is syncing (Requested)"),
        (with(by_hand), Verdict::Wait, "waits for somebody to sync it"),
        (with(fails), Verdict::NoGo, "failed to sync: no such chart"),
        (with(|o| o["metadata"]["deletionTimestamp"] = json!("2026-03-02T10:00:00Z")), Verdict::NoGo, "being deleted"),
        (
            with(|o| o["metadata"]["annotations"] = json!({"argocd.argoproj.io/skip-reconcile": "true"})),
            Verdict::NoData,
            "left alone",
        ),
    ];
    for (stand, verdict, words) in cases {
        let judged = stand.verdict("delivered", []);
        assert_eq!(judged.verdict, verdict, "{}", judged.sentence);
        assert!(judged.sentence.contains(words), "{}", judged.sentence);
    }
}

#[test]
fn what_is_not_heard_of_it_is_not_green() {
    let mut stand = with(|_| {});
    let reason: &'static LostReason = Box::leak(Box::new(LostReason::Unreachable("refused".into())));
    stand.delivery_freshness = Freshness::Lost(None, reason);
    let judged = stand.verdict("delivered", []);
    assert_eq!(judged.verdict, Verdict::NoData);
    assert!(judged.sentence.contains("last known: eu: Application argocd/web-eu is Synced"), "{}", judged.sentence);
    stand.delivery_freshness = Freshness::Live;
    stand.delivery = None;
    assert_eq!(stand.verdict("delivered", []).verdict, Verdict::NoData);
    let ix = stand.ix("eu");
    stand.service.regions[ix].delivery = None;
    let judged = stand.verdict("delivered", []);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::NoData, "none"));
}
