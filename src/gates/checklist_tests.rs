#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use crate::gates::stand::{Stand, list, params, stand, text};

fn phases() -> [(&'static str, Param); 4] {
    [
        ("items", list(&["expand", "dual-write", "backfill", "contract"])),
        (
            "reverts",
            list(&["expand: drop the new columns", "dual-write: write the old ones only", "backfill: nothing"]),
        ),
        ("irreversible", list(&["contract: the old columns are gone"])),
        ("must_close", list(&["resume-replication"])),
    ]
}

fn tick(stand: &mut Stand, region: &str, item: &str, version: &str, done: bool, when: &str) {
    let body =
        Body::Checked { list: "checklist".into(), item: item.into(), version: version.into(), done, reason: "".into() };
    stand.fact(region, "ana", when, body);
}

#[test]
fn steps_are_done_per_region_and_version() {
    let mut stand = stand();
    let judged = stand.verdict("checklist", phases());
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Wait, "0/4"));
    assert_eq!(&*judged.sentence, "eu: expand of checklist is open for v2, then dual-write, backfill, contract");
    tick(&mut stand, "us", "expand", "v2", true, "2026-11-20T08:00:00Z");
    tick(&mut stand, "eu", "expand", "v1", true, "2026-11-20T08:00:00Z");
    assert_eq!(&*stand.verdict("checklist", phases()).cell, "0/4", "another region, another version");
    for (n, item) in ["expand", "dual-write", "backfill", "contract"].into_iter().enumerate() {
        tick(&mut stand, "eu", item, "v2", true, &format!("2026-11-20T09:0{n}:00Z"));
    }
    let judged = stand.verdict("checklist", phases());
    assert_eq!(judged.verdict, Verdict::Go, "what must be closed later keeps nobody out: {}", judged.sentence);
    assert!(judged.evidence.iter().any(|l| l.contains("irreversible: the old columns are gone")));
    tick(&mut stand, "eu", "backfill", "v2", false, "2026-11-20T10:00:00Z");
    assert_eq!(stand.verdict("checklist", phases()).verdict, Verdict::Wait, "the newest word counts");
    stand.record.regions[2] = None;
    assert_eq!(stand.verdict("checklist", phases()).verdict, Verdict::NoData);
}

#[test]
fn an_exit_gate_also_waits_for_what_must_be_closed() {
    let mut stand = stand();
    (stand.region, stand.entering) = ("ap", None);
    for item in ["expand", "dual-write", "backfill", "contract"] {
        tick(&mut stand, "ap", item, "v2", true, "2026-11-20T09:00:00Z");
    }
    let judged = stand.verdict("checklist", phases());
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Wait, "4/5"));
    tick(&mut stand, "ap", "resume-replication", "v2", true, "2026-11-20T10:00:00Z");
    assert_eq!(stand.verdict("checklist", phases()).verdict, Verdict::Go);
}

#[test]
fn a_ring_may_need_only_the_first_steps() {
    let mut stand = stand();
    let [items, reverts, irreversible, close] = phases();
    let early = || [items.clone(), reverts.clone(), irreversible.clone(), close.clone(), ("until", text("expand"))];
    tick(&mut stand, "eu", "expand", "v2", true, "2026-11-20T09:00:00Z");
    let judged = stand.verdict("checklist", early());
    assert_eq!((judged.verdict, &*judged.cell), (Verdict::Go, "1/1"));
}

#[test]
fn an_irreversible_step_that_was_taken_leaves_only_the_way_forward() {
    let mut stand = stand();
    let given = params(phases());
    stand.exit(2, "checklist", given.clone());
    let v2 = Version("v2".into());
    let ahead = |stand: &Stand| no_way_back(&stand.service.rings[2], stand.record.regions[2].as_ref(), &v2);
    assert!(ahead(&stand).is_empty());
    tick(&mut stand, "eu", "contract", "v2", true, "2026-11-20T09:00:00Z");
    assert_eq!(ahead(&stand), [("contract".into(), "the old columns are gone".into())]);
    tick(&mut stand, "eu", "contract", "v2", false, "2026-11-20T09:30:00Z");
    assert!(ahead(&stand).is_empty());
    let [items, ..] = phases();
    let vague = Steps::read(&params([items])).unwrap();
    assert_eq!(vague.unsaid().count(), 4);
    assert_eq!(Steps::read(&given).unwrap().unsaid().count(), 0);
}

#[test]
fn wrong_parameters_say_which() {
    let stand = stand();
    let items = || ("items", list(&["expand", "contract"]));
    for (given, name) in [
        (params([]), "items"),
        (params([("items", list(&["dual write"]))]), "items"),
        (params([("items", list(&["a", "a"]))]), "items"),
        (params([items(), ("reverts", list(&["expand"]))]), "reverts"),
        (params([items(), ("reverts", list(&["other: x"]))]), "reverts"),
        (params([items(), ("reverts", text("expand: x")), ("irreversible", text("expand: y"))]), "irreversible"),
        (params([items(), ("must_close", text("two words"))]), "must_close"),
        (params([items(), ("until", text("backfill"))]), "until"),
        (params([items(), ("name", Param::Flag(true))]), "name"),
    ] {
        assert_eq!(Checklist.build(&given, &stand.service).err().map(|e| e.name).as_deref(), Some(name));
    }
}
