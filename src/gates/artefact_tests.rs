#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use crate::domain::verdict::Verdict;
use crate::domain::version::Image;
use crate::gates::stand::stand;

#[test]
fn one_tag_is_one_image() {
    let mut stand = stand();
    let judged = stand.verdict("artefact", []);
    assert_eq!(judged.verdict, Verdict::Go, "{}", judged.sentence);
    assert!(judged.evidence.iter().any(|l| l.starts_with("us runs ")), "{:?}", judged.evidence);
    stand.workload("us").image = Some(Image::parse("mirror/web:v2@sha256:other"));
    let judged = stand.verdict("artefact", []);
    assert_eq!(judged.verdict, Verdict::NoGo);
    assert!(judged.sentence.contains("in us: one tag, two images"), "{}", judged.sentence);
    stand.workload("us").image = Some(Image::parse("mirror/web:v1@sha256:other"));
    assert_eq!(stand.verdict("artefact", []).verdict, Verdict::Go, "another tag");
}

#[test]
fn a_tag_without_a_digest_is_a_finding_and_no_image_is_unknown() {
    let mut stand = stand();
    stand.workload("ap").image = Some(Image::parse("r/web:v2"));
    let judged = stand.verdict("artefact", []);
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Findings, "no digest"));
    stand.workload("ap").image = None;
    assert_eq!(stand.verdict("artefact", []).verdict, Verdict::NoData);
    // As an exit gate it looks at what runs.
    stand.entering = None;
    assert_eq!(stand.verdict("artefact", []).verdict, Verdict::Go);
    stand.workload("eu").image = Some(Image::parse("r/web:v1"));
    assert_eq!(stand.verdict("artefact", []).verdict, Verdict::Findings);
    // In the first ring nothing says which image it will be.
    (stand.region, stand.entering) = ("staging", Some("v3"));
    assert_eq!(stand.verdict("artefact", []).verdict, Verdict::Findings);
}
