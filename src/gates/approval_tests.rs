#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use proptest::prelude::*;
use ulid::Ulid;

use super::*;
use crate::domain::approval::{About, Identities};
use crate::domain::fleet::Param;
use crate::domain::record::{FactId, Move};
use crate::gates::stand::{Stand, at, list, params, stand, template, text};

const MANAGERS: &str = "release-managers";

fn rule() -> [(&'static str, Param); 1] {
    [("groups", list(&[MANAGERS]))]
}

/// Ana of the release managers approved v2 for ring-2 this morning.
fn given(n: u128, approver: &str) -> Given {
    Given {
        id: FactId(Ulid(n)),
        approver: approver.into(),
        group: Some(MANAGERS.into()),
        about: About {
            fleet: "acme".into(),
            service: "web".into(),
            ring: "ring-2".into(),
            version: Version("v2".into()),
            template: Some(template("v2")),
        },
        created: at("2026-11-20T08:00:00Z"),
        expires: at("2026-11-27T08:00:00Z"),
        reason: "looked at it".into(),
        immutable: true,
    }
}

fn put(stand: &mut Stand, region: &str, given: Given) {
    let ix = stand.ix(region);
    stand.record.approvals[ix].insert(Given::name(given.id).into(), Ok(given));
}

/// Ben started the release in staging.
fn started(stand: &mut Stand, by: &str) {
    let moved = Move {
        plan: Ulid(9),
        ring: "ring-0".into(),
        from_version: "v1".into(),
        to_version: "v2".into(),
        from_template: template("v1"),
        to_template: template("v2"),
        from: Vec::new(),
        policy: "".into(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    };
    stand.fact("staging", by, "2026-11-18T10:00:00Z", Body::Promoted(moved));
}

/// One cluster for all: names are compared.
fn one_cluster() -> Stand {
    let mut stand = stand();
    stand.service.regions.iter_mut().for_each(|r| r.cluster = 0_usize.into());
    started(&mut stand, "ben");
    stand
}

#[test]
fn one_approval_by_a_member_of_the_group_is_go() {
    let mut stand = one_cluster();
    let judged = stand.verdict("approval", rule());
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Wait, "0/1"));
    assert_eq!(&*judged.sentence, "eu: v2 in ring-2 has 0 of 1 approvals; group release-managers may give them");
    put(&mut stand, "eu", given(1, "ana"));
    let judged = stand.verdict("approval", rule());
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Go, "1/1"), "{}", judged.sentence);
    assert!(judged.sentence.contains("approved by ana (release-managers), for 6d17h more"), "{}", judged.sentence);
    assert!(judged.evidence.iter().any(|l| &**l == "v2 was started by ben"), "{:?}", judged.evidence);
    // It lies in one region of the ring, and counts for all of them.
    stand.region = "us";
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::Go);
}

#[test]
fn what_does_not_count_is_said_with_its_reason() {
    type Change = fn(&mut Stand, &mut Given);
    let table: &[(&str, Change, &str)] = &[
        ("for another revision", |_, a| a.about.template = Some(template("v1")), "for another revision"),
        (
            "the ring before runs something else by now",
            |s, _| s.workload("ap").template = template("v9"),
            "for another revision",
        ),
        ("bound to nothing", |_, a| a.about.template = None, "for another revision (none, now"),
        ("for another version", |_, a| a.about.version = Version("v1.9".into()), "it is for v1.9"),
        ("for another ring", |_, a| a.about.ring = "ring-1".into(), "it is for ring-1"),
        ("ended, as its author wanted", |_, a| a.expires = at("2026-11-20T14:32:07Z"), "it ended 2026-11-20 14:32 UTC"),
        (
            "ended, whatever its author wanted",
            |_, a| (a.created, a.expires) = (at("2026-11-13T14:32:07Z"), at("2027-11-20T00:00:00Z")),
            "it ended 2026-11-20 14:32 UTC",
        ),
        ("not in the group", |_, a| a.group = Some("developers".into()), "not one of those who may"),
        ("in no group", |_, a| a.group = None, "not one of those who may"),
        ("the author's own", |_, a| a.approver = "ben".into(), "the author of the release cannot approve it"),
        ("may have been changed", |_, a| a.immutable = false, "it is not immutable"),
        (
            "revoked, in whichever region that is said",
            |s, a| {
                let revoked = Body::Revoked { approval: a.id, reason: "wrong ring".into() };
                s.fact("ap", "dora", "2026-11-20T09:00:00Z", revoked);
            },
            "revoked by dora",
        ),
    ];
    for (name, change, words) in table {
        let mut stand = one_cluster();
        let mut approval = given(1, "ana");
        change(&mut stand, &mut approval);
        put(&mut stand, "eu", approval);
        let judged = stand.verdict("approval", rule());
        assert_eq!(judged.verdict, Verdict::Wait, "{name}: {}", judged.sentence);
        let said = judged.evidence.join("\n");
        assert!(said.contains(words) && said.contains("does not count"), "{name}: {said}");
    }
}

#[test]
fn an_approval_in_a_region_of_another_ring_is_not_looked_at() {
    let mut stand = one_cluster();
    put(&mut stand, "ap", given(1, "ana"));
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::Wait);
}

#[test]
fn two_are_two_people() {
    let two = || [("groups", list(&[MANAGERS])), ("count", Param::Number(2.0))];
    let mut stand = one_cluster();
    put(&mut stand, "eu", given(1, "ana"));
    put(&mut stand, "us", given(2, "ana"));
    let judged = stand.verdict("approval", two());
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Wait, "1/2"), "{}", judged.sentence);
    // Another name of hers is no other person.
    stand.identities = Identities::new([("ana".into(), "Ana".into()), ("arn:ana".into(), "Ana".into())]);
    put(&mut stand, "us", given(2, "arn:ana"));
    assert_eq!(stand.verdict("approval", two()).verdict, Verdict::Wait);
    put(&mut stand, "us", given(3, "carl"));
    assert_eq!(stand.verdict("approval", two()).verdict, Verdict::Go);
}

#[test]
fn whoever_promotes_has_not_approved() {
    let mut stand = one_cluster();
    put(&mut stand, "eu", given(1, "carol"));
    let judged = stand.verdict("approval", rule());
    assert_eq!(judged.verdict, Verdict::Go, "carol only looks");
    assert!(judged.evidence.join("\n").contains("only if somebody else promotes"));
    stand.promoting = true;
    let judged = stand.verdict("approval", rule());
    assert_eq!(judged.verdict, Verdict::Wait);
    assert!(judged.evidence.join("\n").contains("whoever promotes cannot approve"));
    stand.user = None;
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::Wait, "unknown is never green");
    stand.user = Some("dora".into());
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::Go);
}

#[test]
fn an_unknown_author_is_said() {
    let mut stand = stand();
    put(&mut stand, "eu", given(1, "ana"));
    let judged = stand.verdict("approval", rule());
    assert_eq!(judged.verdict, Verdict::Go);
    assert!(judged.evidence.iter().any(|l| l.contains("its author is not known")), "{:?}", judged.evidence);
}

#[test]
fn names_of_different_clusters_are_not_compared_without_identities() {
    let mut stand = stand();
    started(&mut stand, "ben@corp");
    put(&mut stand, "eu", given(1, "arn:ben"));
    let judged = stand.verdict("approval", rule());
    assert_eq!(judged.verdict, Verdict::Findings, "{}", judged.sentence);
    assert!(judged.sentence.contains("nobody can tell whether arn:ben in eu is the author ben@corp in staging"));
    stand.identities = Identities::new([("ben@corp".into(), "Ben".into()), ("arn:ben".into(), "Ben".into())]);
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::Wait, "it is he");
    stand.identities = Identities::new([("ben@corp".into(), "Ben".into())]);
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::Go, "whoever is listed has the listed names only");
    // The same name is the same person everywhere: that is the careful reading.
    stand.identities = Identities::default();
    put(&mut stand, "eu", given(1, "ben@corp"));
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::Wait);
}

#[test]
fn a_revocation_or_an_approval_that_cannot_be_read_approves_nothing() {
    let mut stand = one_cluster();
    stand.record.approvals[2].insert("gonogo-approval-x".into(), Err("has no `approver`".into()));
    let judged = stand.verdict("approval", rule());
    assert_eq!(judged.verdict, Verdict::Wait);
    assert!(judged.evidence.join("\n").contains("has no `approver`: it does not count"));
    put(&mut stand, "eu", given(1, "ana"));
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::Go);
    stand.record.regions[0].as_mut().unwrap().unreadable.push("01J.revocation".into());
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::NoData);
}

#[test]
fn the_first_ring_is_approved_by_version_alone() {
    let mut stand = one_cluster();
    (stand.region, stand.entering) = ("staging", Some("v3"));
    let mut first = given(1, "ana");
    first.about.ring = "ring-0".into();
    first.about.version = Version("v3".into());
    first.about.template = None;
    put(&mut stand, "staging", first);
    assert_eq!(stand.verdict("approval", rule()).verdict, Verdict::Go);
}

#[test]
fn wrong_parameters_say_which_and_how() {
    let stand = stand();
    let someone = || ("groups", list(&[MANAGERS]));
    for (given, name, words) in [
        (params([]), "groups", "say who may approve"),
        (params([("users", list(&[]))]), "users", "names nobody"),
        (params([("users", Param::Flag(true))]), "users", "a list of names"),
        (params([someone(), ("count", Param::Number(0.0))]), "count", "from 1 to 20"),
        (params([someone(), ("count", Param::Number(1.5))]), "count", "from 1 to 20"),
        (params([("users", list(&["ana"])), ("count", Param::Number(2.0))]), "count", "only 1 may"),
        (params([someone(), ("expires", text("8d"))]), "expires", "at most 7 days"),
        (params([someone(), ("expires", text("soon"))]), "expires", "at most 7 days"),
    ] {
        let error = Approval.build(&given, &stand.service).err().unwrap();
        assert_eq!(error.name, name);
        assert!(error.message.contains(words), "{}", error.message);
    }
}

proptest! {
    /// Taking evidence away, or ageing it, never makes the verdict better.
    #[test]
    fn less_is_never_more(
        approvers in prop::collection::vec(prop::sample::select(vec!["ana", "ben", "carl", "dora"]), 0..4),
        age in 0i64..10, count in 1u8..3, promoting: bool, revoked in 0usize..4, removed in 0usize..4,
    ) {
        let mut stand = one_cluster();
        stand.promoting = promoting;
        let rule = || [("groups", list(&[MANAGERS])), ("count", Param::Number(f64::from(count)))];
        for (n, who) in approvers.iter().enumerate() {
            put(&mut stand, if n % 2 == 0 { "eu" } else { "us" }, given(n as u128 + 1, who));
        }
        let before = stand.verdict("approval", rule()).verdict;
        stand.now = stand.now.checked_add(SignedDuration::from_hours(24 * age)).unwrap();
        let aged = stand.verdict("approval", rule()).verdict;
        prop_assert!(aged >= before);
        prop_assert!(age < 7 || aged >= Verdict::Wait);
        let gone = FactId(Ulid(revoked as u128));
        stand.fact("staging", "dora", "2026-11-20T09:00:00Z", Body::Revoked { approval: gone, reason: "".into() });
        let less = stand.verdict("approval", rule()).verdict;
        prop_assert!(less >= aged);
        for known in &mut stand.record.approvals {
            known.remove(&*Given::name(FactId(Ulid(removed as u128))));
        }
        prop_assert!(stand.verdict("approval", rule()).verdict >= less);
        let people: std::collections::BTreeSet<_> = approvers.iter().filter(|a| **a != "ben").collect();
        prop_assert!(before > Verdict::Go || people.len() >= usize::from(count));
    }
}
