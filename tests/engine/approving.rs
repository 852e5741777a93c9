//! Approvals: bound to ring, version and template; given by one person, used by another.

use gonogo::domain::change::Change;
use gonogo::domain::finding::Severity;
use gonogo::domain::fleet::{Fleet, GateSpec, Param, Params};
use gonogo::domain::id::ClusterIx;
use gonogo::domain::intent::Verb;
use gonogo::domain::record::{Body, Move};
use gonogo::domain::verdict::Verdict;
use serde_json::json;
use ulid::Ulid;

use crate::fixture::*;

const EU_CLUSTER: ClusterIx = ClusterIx(3);
const MANAGERS: &[&str] = &["system:authenticated", "release-managers"];

fn approve() -> Verb {
    Verb::Approve { to: None }
}

fn revoke() -> Verb {
    Verb::Revoke { approval: None }
}

fn gate(name: &str, params: Vec<(&str, Param)>) -> GateSpec {
    let params = Params(params.into_iter().map(|(n, v)| (n.to_owned(), v)).collect());
    GateSpec { gate: name.into(), label: name.into(), params }
}

/// Ring-2 asks for one approval by the release managers.
fn asking() -> Fleet {
    let mut fleet = fleet();
    let groups = Param::List(vec!["release-managers".to_owned()]);
    fleet.services[0].rings[2].entry_gates = vec![gate("approval", vec![("groups", groups)])];
    fleet
}

/// Ana is a release manager; ben started the release; staging and eu are known to call them the same.
fn world() -> World {
    let mut world = World::with(asking());
    world.known_in(EU_CLUSTER, "ana", MANAGERS);
    world
}

fn cell(world: &mut World) -> (Verdict, String) {
    world.engine.freshen(WEBAPP);
    let question = world.engine.services[0].view.question.clone().unwrap();
    let at = question.gates.iter().position(|g| &**g == "approval").unwrap();
    let row = question.rows.iter().find(|r| r.region == Some(EU)).unwrap();
    let judged = row.cells[at].clone().unwrap();
    (judged.verdict, judged.cell.to_string())
}

#[test]
fn one_person_approves_and_another_promotes() {
    let mut world = world();
    assert_eq!(cell(&mut world), (Verdict::Wait, "0/1".to_owned()));
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "wait", "{refusal:?}");
    let id = world.go(approve(), ring(2));
    assert_eq!(world.end(id).0, "settled", "{:?}", world.end(id));
    assert_eq!(
        world.log,
        [
            "journal approve ring-2 for v2.1.0",
            "note step 0 started",
            "send eu-west-1 Main POST ConfigMap",
            "note step 0 write 0 accepted",
            "note step 0 settled",
            "note closed settled",
        ],
        "journal first, and one write"
    );
    let [approval] = world.approvals(EU_CLUSTER).try_into().unwrap();
    assert_eq!(approval["immutable"], json!(true));
    assert_eq!(approval["metadata"]["labels"]["app.kubernetes.io/component"], json!("approval"));
    let template = template_digest(&world.objects[&world.workload_ref(AP)]).hex();
    for (key, value) in [
        ("approver", "ana"),
        ("group", "release-managers"),
        ("fleet", "prod"),
        ("service", "webapp"),
        ("ring", "ring-2"),
        ("version", "v2.1.0"),
        ("template", &template),
        ("expires", "2026-03-09T10:00:00Z"),
        ("reason", "because"),
    ] {
        assert_eq!(approval["data"][key], json!(value), "{key}");
    }
    assert_eq!(cell(&mut world), (Verdict::Go, "1/1".to_owned()));
    let own = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(own.code, "wait");
    assert!(own.text.contains("0 of 1 approvals"), "whoever promotes has not approved: {}", own.text);
    world.known_in(EU_CLUSTER, "carol", MANAGERS);
    let id = world.go(promote(), ring(2));
    assert_eq!((world.end(id).0, world.image(EU)), ("settled", V2.to_owned()));
}

#[test]
fn what_is_shown_is_what_is_sent() {
    let mut world = world();
    let plan = world.review(approve(), ring(2)).unwrap();
    let Change::Create { body, .. } = &plan.steps[0].writes[0].change else { panic!() };
    for line in &plan.steps[0].diff {
        let sent = match &*line.field {
            "immutable" => body["immutable"].clone(),
            field => body["data"][field].clone(),
        };
        assert_eq!(line.to.as_ref(), Some(&sent), "{}", line.field);
    }
    assert_eq!(plan.blast.regions, [EU], "whoever approves sees what would be hit");
    let again = world.review(approve(), ring(2)).unwrap();
    assert_eq!(plan.hash(), again.hash(), "a script can bind itself to what it saw");
}

#[test]
fn another_template_in_the_ring_before_voids_it() {
    let mut world = world();
    world.go(approve(), ring(2));
    world.known_in(EU_CLUSTER, "carol", MANAGERS);
    world.workload(AP)["spec"]["template"]["spec"]["containers"][1]["args"] = json!(["--slow"]);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "wait", "the promotion reads again before it is judged: {refusal:?}");
    assert_eq!(cell(&mut world).0, Verdict::Wait);
}

#[test]
fn it_ends_after_seven_days_and_when_it_is_revoked() {
    let mut world = world();
    world.go(approve(), ring(2));
    world.known_in(EU_CLUSTER, "carol", &[]);
    world.skip(7 * 86_400 - 60);
    assert_eq!(cell(&mut world).0, Verdict::Go);
    world.skip(60);
    assert_eq!(cell(&mut world).0, Verdict::Wait);

    let mut world = self::world();
    world.go(approve(), ring(2));
    // Anybody may: it makes things stricter. One region that is away holds nothing up.
    world.known_in(EU_CLUSTER, "carol", &[]);
    world.cut(ClusterIx(1));
    let id = world.go(revoke(), ring(2));
    assert_eq!(cell(&mut world).0, Verdict::Wait);
    let kinds: Vec<_> = ALL.iter().map(|at| world.fact_kinds(*at)).collect();
    assert_eq!(kinds, [vec!["revocation"], vec![], vec!["revocation"], vec!["revocation"], vec!["revocation"]]);
    world.mend(ClusterIx(1));
    world.pass(20);
    assert_eq!(world.end(id).0, "settled");
    assert_eq!(world.review(revoke(), ring(2)).unwrap_err().code, "nothing-to-do");
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "wait");
    // Only a new approval helps.
    world.known_in(EU_CLUSTER, "ana", MANAGERS);
    world.go(approve(), ring(2));
    assert_eq!(cell(&mut world).0, Verdict::Go);
}

#[test]
fn an_approval_that_was_deleted_is_seen_to_be_gone_at_the_latest_when_promoting() {
    let mut world = world();
    world.go(approve(), ring(2));
    world.known_in(EU_CLUSTER, "carol", &[]);
    world.objects.retain(|o, _| !o.name.starts_with("gonogo-approval-"));
    assert_eq!(cell(&mut world).0, Verdict::Go, "the watch has not shown it");
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "wait");
    assert_eq!(cell(&mut world).0, Verdict::Wait);
}

#[test]
fn who_may_not_is_told_why() {
    type Change = fn(&mut World);
    let table: &[(&str, Change, &str, &str)] = &[
        (
            "not in the group",
            |w| w.known_in(EU_CLUSTER, "eve", &["developers"]),
            "not-approver",
            "group release-managers may",
        ),
        (
            "the author",
            |w| {
                w.known_in(EU_CLUSTER, "ben", MANAGERS);
                let moved = Move {
                    plan: Ulid(3),
                    ring: "ring-0".into(),
                    from_version: "v2.0.0".into(),
                    to_version: "v2.1.0".into(),
                    from_template: template_digest(&deployment("x", V1)),
                    to_template: template_digest(&deployment("x", V2)),
                    from: Vec::new(),
                    policy: "".into(),
                    overrides: Vec::new(),
                    break_glass: false,
                    reason: "".into(),
                };
                let id = w.write_fact(STAGE_A, Body::Promoted(moved));
                let object = w.record_ref(STAGE_A);
                let key = format!("{id}.promoted");
                let value = w.objects[&object]["data"][&key].as_str().unwrap().replace("by=other", "by=ben");
                assert!(value.starts_with("by="), "{value}");
                let rest = value.split_once('\n').unwrap().1.to_owned();
                w.write_key(STAGE_A, &key, &format!("by=ben\n{rest}"));
                w.show(object);
            },
            "self-approval",
            "ask somebody else",
        ),
        (
            "twice",
            |w| assert_eq!(w.go(approve(), ring(2)), w.engine.operations[0].plan.id),
            "nothing-to-do",
            "`:revoke ring-2` ends it",
        ),
        ("no region of the ring is heard", |w| w.cut(EU_CLUSTER), "unreachable", "R tries"),
        (
            "the ring before is mixed",
            |w| {
                *w.workload(STAGE_B) = deployment("uid-1", V1);
                w.show_workload(STAGE_B);
            },
            "",
            "",
        ),
    ];
    for (name, change, code, hint) in table {
        let mut world = world();
        change(&mut world);
        match world.review(approve(), ring(2)) {
            Err(refusal) => {
                assert_eq!(refusal.code, *code, "{name}: {refusal:?}");
                assert!(refusal.hint.contains(hint), "{name}: {refusal:?}");
            }
            Ok(_) => assert!(code.is_empty(), "{name}"),
        }
    }
    let mut world = world();
    assert_eq!(world.review(approve(), ring(3)).unwrap_err().code, "no-gate");
}

#[test]
fn a_console_says_whether_a_forged_approval_would_be_refused() {
    for (policy, words) in [(true, "eu refuses an approval in another's name"), (false, "can approve as anybody")] {
        let mut world = world();
        world.policy = policy;
        let plan = world.review(approve(), ring(2)).unwrap();
        let said =
            plan.findings.iter().find(|f| f.code == "approvals").unwrap_or_else(|| panic!("{:?}", plan.findings));
        assert_eq!(said.severity, Severity::Note);
        assert!(said.text.contains(words), "{}", said.text);
        assert!(world.approvals(EU_CLUSTER).is_empty(), "a rehearsal leaves nothing behind");
    }
}

#[test]
fn without_the_policy_another_name_counts_and_with_it_nobody_can_write_one() {
    let mut world = world();
    world.known_in(EU_CLUSTER, "eve", &[]);
    let forged = json!({
        "metadata": {"name": "gonogo-approval-01kag2m9v2s7zzzzzzzzzzzzzz", "creationTimestamp": "2026-03-02T09:00:00Z"},
        "immutable": true,
        "data": {
            "approver": "ana", "group": "release-managers", "fleet": "prod", "service": "webapp", "ring": "ring-2",
            "version": "v2.1.0", "expires": "2026-03-05T00:00:00Z",
            "template": template_digest(&world.objects[&world.workload_ref(AP)]).hex(),
        },
    });
    let mut object = world.record_ref(EU);
    object.name = "gonogo-approval-01kag2m9v2s7zzzzzzzzzzzzzz".into();
    world.objects.insert(object.clone(), forged);
    world.show(object);
    assert_eq!(cell(&mut world).0, Verdict::Go, "the record is coordination: only the policy makes it more");
}

#[test]
fn a_window_keeps_a_promotion_out_until_it_opens_and_an_override_says_so() {
    let mut fleet = fleet();
    let service = &mut fleet.services[0];
    service.regions[EU.at()].zone = Some("Europe/Berlin".into());
    // It is Monday 11:00 in Berlin.
    let during = Param::List(vec!["Mon-Fri 12:00-16:00".to_owned()]);
    service.rings[2].entry_gates = vec![gate("window", vec![("during", during)])];
    let mut world = World::with(fleet);
    let refusal = world.review(promote(), ring(2)).unwrap_err();
    assert_eq!(refusal.code, "wait");
    assert_eq!(&*refusal.text, "eu-west-1: the window is closed; it opens Mon 2026-03-02 12:00 CET (11:00 UTC)");
    let now = Verb::Promote { to: None, without_wait: true };
    let plan = world.review(now, ring(2)).unwrap();
    assert!(plan.findings.iter().any(|f| f.severity == Severity::Override && &*f.subject == "window"));
    world.skip(3_600);
    let id = world.go(promote(), ring(2));
    assert_eq!((world.end(id).0, world.image(EU)), ("settled", V2.to_owned()));
}

#[test]
fn a_freeze_needs_break_glass() {
    let mut fleet = fleet();
    let service = &mut fleet.services[0];
    service.regions[EU.at()].zone = Some("Europe/Berlin".into());
    let during = Param::Text("2026-03-01..2026-03-03".to_owned());
    service.rings[2].entry_gates = vec![gate("freeze", vec![("during", during)])];
    let mut world = World::with(fleet);
    assert_eq!(world.review(promote(), ring(2)).unwrap_err().code, "no-go");
    let now = Verb::Promote { to: None, without_wait: true };
    let plan = world.review(now, ring(2)).unwrap();
    assert_eq!(plan.worst(), Some(Severity::BreakGlass));
    // What lowers is never frozen.
    assert!(world.review(Verb::Hold, ring(2)).is_ok());
}

#[test]
fn the_admission_policy_speaks_of_the_same_names_as_the_program() {
    use gonogo::domain::approval::{COMPONENT, PREFIX};
    let policy = include_str!("../../deploy/admission/gonogo-approvals.yaml");
    assert!(policy.contains(&format!("startsWith('{PREFIX}')")));
    assert!(policy.contains(&format!("labels[?'{}'].orValue('') == '{}'", COMPONENT.0, COMPONENT.1)));
    let mut world = world();
    let plan = world.review(approve(), ring(2)).unwrap();
    let Change::Create { body, .. } = &plan.steps[0].writes[0].change else { panic!() };
    for key in ["approver", "group"] {
        assert!(policy.contains(&format!("object.data.{key}")) && body["data"][key].is_string(), "{key}");
    }
}
