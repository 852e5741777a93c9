#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use ulid::Ulid;

use super::*;
use crate::domain::record::RegionRecord;

fn template(n: u8) -> TemplateDigest {
    TemplateDigest::of(&serde_json::json!({ "n": n }))
}

fn record(bodies: Vec<(u128, Body)>) -> Record {
    let mut record = Record::for_regions(2);
    let mut region = RegionRecord::default();
    for (n, body) in bodies {
        let fact = Fact {
            id: FactId(Ulid(n)),
            by: "ana".into(),
            at: "2026-11-20T08:00:00Z".parse().unwrap(),
            journal: "".into(),
            body,
        };
        region.facts.insert(fact.id, fact);
    }
    record.regions[1] = Some(region);
    record
}

fn left(image: Option<&str>) -> Body {
    Body::RolledBack(Move {
        plan: Ulid(9),
        ring: "ring-1".into(),
        from_version: "v2".into(),
        to_version: "v1".into(),
        from_template: template(2),
        to_template: template(1),
        from: image.map(|i| ("/spec/containers[name=web]/image".into(), format!("{i:?}").into())).into_iter().collect(),
        policy: "".into(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "errors".into(),
    })
}

fn covers(record: &Record, version: &str, image: Option<&str>, digest: Option<TemplateDigest>) -> bool {
    let image = image.map(Image::parse);
    let version = Version(version.into());
    let candidate = Candidate { version: &version, image: image.as_ref(), template: digest };
    record.quarantined("2026-11-21T08:00:00Z".parse().unwrap()).iter().any(|q| q.covers(&candidate))
}

#[test]
fn a_rollback_anywhere_covers_the_image_everywhere() {
    let known = record(vec![(1, left(Some("r/web:v2@sha256:bad")))]);
    assert!(covers(&known, "v2", Some("other/web:v2@sha256:bad"), Some(template(7))));
    assert!(covers(&known, "v3", Some("r/web:v3@sha256:bad"), None), "another tag for it is no other image");
    assert!(covers(&known, "x", None, Some(template(2))), "the template itself");
    assert!(!covers(&known, "v2", Some("r/web:v2@sha256:good"), Some(template(7))), "a tag that was built again");
    assert!(covers(&known, "v2", Some("r/web:v2"), None), "without a digest the version must do");
    let tags = record(vec![(1, left(None))]);
    assert!(covers(&tags, "v2", Some("r/web:v2@sha256:any"), None));
    assert!(!covers(&tags, "v1", None, None));
}

#[test]
fn a_clearance_ends_it_and_age_too_unless_it_is_the_newest() {
    let cleared = Body::Clearance { quarantine: FactId(Ulid(1)), reason: "fixed".into() };
    assert!(!covers(&record(vec![(1, left(None)), (2, cleared.clone())]), "v2", None, None));
    let named = Body::Quarantine { digest: "sha256:bad".into(), reason: "leaks".into() };
    assert!(covers(&record(vec![(1, named.clone())]), "v2", Some("r/web@sha256:bad"), None));
    assert!(!covers(&record(vec![(1, named), (2, cleared)]), "v2", Some("r/web@sha256:bad"), None));
    let digest = Body::Quarantine { digest: template(5).hex().into(), reason: "".into() };
    assert!(covers(&record(vec![(1, digest)]), "v2", None, Some(template(5))));
    let old = record(vec![(1, left(None))]);
    let later = "2027-03-01T00:00:00Z".parse().unwrap();
    assert_eq!(old.quarantined(later).len(), 1, "the newest move of a region is never too old");
}

#[test]
fn who_and_why_are_told() {
    let record = record(vec![(1, left(None))]);
    let all = record.quarantined("2026-11-21T08:00:00Z".parse().unwrap());
    assert_eq!(all[0].text(|_| "eu".into()), "rolled back in eu by ana: errors");
    assert_eq!(all[0].subject(), "v2");
}
