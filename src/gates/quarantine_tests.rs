#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use ulid::Ulid;

use crate::domain::record::{Body, Move};
use crate::domain::verdict::Verdict;
use crate::gates::stand::{stand, template};

#[test]
fn what_was_rolled_back_anywhere_is_refused_here() {
    let mut stand = stand();
    assert_eq!(stand.verdict("quarantine", []).verdict, Verdict::Go);
    let left = Body::RolledBack(Move {
        plan: Ulid(1),
        ring: "ring-1".into(),
        from_version: "v2".into(),
        to_version: "v1".into(),
        from_template: template("other"),
        to_template: template("v1"),
        from: Vec::new(),
        policy: "".into(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "errors".into(),
    });
    let id = stand.fact("us", "ben", "2026-11-19T10:00:00Z", left);
    let judged = stand.verdict("quarantine", []);
    assert_eq!(judged.verdict, Verdict::NoGo);
    assert_eq!(
        &*judged.sentence,
        "eu: v2 was rolled back in us by ben: errors; a clearance with a reason lets it in again"
    );
    assert!(judged.evidence.iter().any(|l| l.contains(&id.to_string())), "{:?}", judged.evidence);
    let cleared = Body::Clearance { quarantine: id, reason: "fixed by configuration".into() };
    stand.fact("staging", "ana", "2026-11-19T12:00:00Z", cleared);
    assert_eq!(stand.verdict("quarantine", []).verdict, Verdict::Go);
    stand.entering = None;
    assert_eq!(stand.verdict("quarantine", []).verdict, Verdict::NoData);
}

#[test]
fn a_digest_that_somebody_quarantined_is_refused() {
    let mut stand = stand();
    let named = Body::Quarantine { digest: "sha256:v2".into(), reason: "leaks".into() };
    // The stand's images have no algorithm before their digest.
    if let Some(w) = stand.workloads.iter_mut().flatten().nth(1) {
        w.image = Some(crate::domain::version::Image::parse("r/web:v2@sha256:v2"));
    }
    stand.fact("staging", "ana", "2026-11-19T12:00:00Z", named);
    let judged = stand.verdict("quarantine", []);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::NoGo, "quarantine"));
}
