//! Tests of the views.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Instant;

use super::*;
use crate::domain::record::Scope;
use crate::engine::fixture::{Stage, at, clock, later, moved, release, service, template, workload};
use crate::engine::view::{ReleasePhase, ServiceView};

fn traffic(stage: &mut Stage, region: &str, qps: f64) {
    let now = stage.now;
    stage.region(region).current.insert("qps".into(), (now, Ok(qps)));
}

#[test]
fn the_source_documents_release_reads_as_its_board_shows_it() {
    let mut stage = release();
    for (region, qps) in [("ap-south-1", 12_400.0), ("eu-west-1", 45_200.0), ("us-east-1", 52_100.0)] {
        traffic(&mut stage, region, qps);
    }
    let view = stage.view();
    assert_eq!(view.release.from, Some(Version("v2.0.0".into())));
    assert_eq!(view.release.to, Some(Version("v2.1.0".into())));
    assert_eq!((view.release.phase, view.release.ring), (ReleasePhase::Baking, Some(RingIx(1))));
    let phases: Vec<_> = view.rings.iter().map(|r| r.phase).collect();
    assert_eq!(phases, [RingPhase::Baked, RingPhase::Baking, RingPhase::Waiting, RingPhase::Waiting]);
    let question = view.question.as_ref().unwrap();
    assert_eq!((question.ring, question.verdict), (RingIx(2), Verdict::Wait));
    assert_eq!(&*question.sentence, "WAIT — 1h21m of bake left in ring-1");
    assert!((view.exposure.unwrap() - 12.4 / 109.7).abs() < 1e-9, "{:?}", view.exposure);
    assert_eq!(view.rings[1].ready_at, Some(clock("15:54")));
    assert_eq!(view.alarms, Vec::<crate::domain::id::Text>::new());
}
