//! What must be answered: effort grows with blast radius and findings, and lowering stays cheap.

use gonogo::domain::challenge::{Asked, BREAK_GLASS, Challenge, Rejected, challenge};
use gonogo::domain::finding::{Finding, Severity};
use gonogo::domain::intent::{Intent, Target, Verb};
use gonogo::domain::plan::{Blast, Plan, PlanId};
use ulid::Ulid;

use crate::fixture::*;

pub fn plan(verb: Verb, share: Option<f64>, severities: &[Severity]) -> Plan {
    Plan {
        rests_on: Vec::new(),
        id: PlanId(Ulid::from_parts(1, 1)),
        intent: Intent { service: WEBAPP, verb, target: Target::Service, reason: None },
        service: WEBAPP,
        title: "t".into(),
        steps: Vec::new(),
        parallelism: 1,
        blast: Blast { regions: vec![EU], share, qps: None },
        findings: severities.iter().map(|s| Finding::new(*s, "x", "y", "z")).collect(),
        after: "".into(),
        way_back: "".into(),
        name: "ring-2".into(),
        ring: None,
    }
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum How {
    Key,
    Name,
    Glass,
}
use How::*;

fn shape(asked: &Challenge) -> (How, bool) {
    let how = match &asked.answer {
        Asked::Key => Key,
        Asked::Typed(text) if &**text == BREAK_GLASS => Glass,
        Asked::Typed(text) => {
            assert_eq!(&**text, "ring-2", "the name of what is hit");
            Name
        }
    };
    (how, asked.reason_required)
}

/// Verb, measured share, findings; how it is confirmed, and whether a reason is required.
type Row<'a> = (Verb, Option<f64>, &'a [Severity], How, bool);

#[test]
fn what_each_case_asks_for() {
    use Severity::{BreakGlass, Note, Override, Warning};
    let f = || Verb::Promote { to: None, without_wait: true };
    let b = roll_back;
    let table: &[Row] = &[
        // Raising: a key only where next to nobody is hit and nothing was found.
        (promote(), Some(0.0), &[], Key, false),
        (promote(), Some(0.01), &[], Key, false),
        (promote(), Some(0.01), &[Note], Key, false),
        (promote(), Some(0.011), &[], Name, false),
        (promote(), Some(0.41), &[], Name, false),
        (promote(), Some(1.0), &[], Name, false),
        (promote(), None, &[], Name, false),
        (promote(), None, &[Note], Name, false),
        (promote(), Some(0.0), &[Warning], Name, false),
        (promote(), Some(0.41), &[Warning], Name, false),
        (promote(), Some(0.0), &[Override], Name, true),
        (promote(), Some(0.41), &[Override, Note], Name, true),
        (promote(), Some(0.0), &[BreakGlass], Glass, true),
        (promote(), None, &[BreakGlass, Warning], Glass, true),
        (f(), Some(0.0), &[], Key, false),
        (f(), Some(0.3), &[Override], Name, true),
        (f(), Some(0.3), &[BreakGlass], Glass, true),
        (resume(), Some(0.0), &[], Key, true),
        (resume(), Some(0.41), &[], Name, true),
        (resume(), None, &[Override], Name, true),
        (Verb::Restore, Some(0.0), &[], Key, true),
        (Verb::Restore, Some(0.0), &[Warning], Name, true),
        (Verb::Restore, Some(0.41), &[], Name, true),
        // Holding is always one key.
        (Verb::Hold, Some(0.0), &[], Key, false),
        (Verb::Hold, Some(1.0), &[], Key, false),
        (Verb::Hold, None, &[], Key, false),
        (Verb::Hold, None, &[Warning], Key, false),
        // Rolling back is one key up to half of the traffic; what is not measured is no reason to type.
        (b(), Some(0.0), &[], Key, false),
        (b(), Some(0.5), &[], Key, false),
        (b(), Some(0.51), &[], Name, false),
        (b(), None, &[], Key, false),
        (b(), Some(0.1), &[Warning], Key, false),
        (Verb::Abort, Some(0.41), &[], Key, false),
        (Verb::Abort, Some(0.9), &[], Name, false),
        (Verb::Abort, None, &[Note], Key, false),
        (b(), Some(0.1), &[BreakGlass], Glass, true),
        // A drain moves traffic: always with a reason, and typed where most of it moves or nobody knows.
        (Verb::Drain, Some(0.1), &[], Key, true),
        (Verb::Drain, Some(0.5), &[Warning], Key, true),
        (Verb::Drain, Some(0.51), &[], Name, true),
        (Verb::Drain, None, &[], Name, true),
        (Verb::Drain, Some(0.1), &[Override], Key, true),
        (Verb::Drain, Some(0.1), &[BreakGlass], Glass, true),
    ];
    assert!(table.len() >= 40);
    for (verb, share, severities, how, reason) in table {
        let asked = challenge(&plan(verb.clone(), *share, severities));
        assert_eq!(shape(&asked), (*how, *reason), "{verb} at {share:?} with {severities:?}");
    }
}

#[test]
fn only_the_exact_answer_counts_and_a_wrong_one_gives_the_plan_back() {
    let asked = challenge(&plan(promote(), Some(0.4), &[Severity::Override]));
    for typed in ["", "y", "Y", "RING-2", "ring-2 ", " ring-2", "ring-2\n", "ring", "break glass"] {
        let (back, why) = asked
            .answer(plan(promote(), Some(0.4), &[Severity::Override]), typed, Some("r".into()), "a".into())
            .unwrap_err();
        assert_eq!(why, Rejected::WrongText, "{typed:?}");
        assert_eq!(*back, plan(promote(), Some(0.4), &[Severity::Override]));
    }
    for reason in [None, Some(""), Some("  \t")] {
        let given = reason.map(Into::into);
        let (_, why) =
            asked.answer(plan(promote(), Some(0.4), &[Severity::Override]), "ring-2", given, "a".into()).unwrap_err();
        assert_eq!(why, Rejected::ReasonMissing);
    }
    let approved = asked
        .answer(plan(promote(), Some(0.4), &[Severity::Override]), "ring-2", Some("r".into()), "a".into())
        .unwrap();
    assert_eq!(approved.reason().map(|r| &**r), Some("r"));
}

#[test]
fn flags_of_a_verb_need_the_name_and_a_reason_when_raising_and_neither_when_holding_or_rolling_back() {
    let flags = |verb: Verb, confirm: Option<&str>, reason: Option<&str>, severities: &[Severity]| {
        let plan = plan(verb, Some(0.001), severities);
        challenge(&plan).flags(plan, confirm, reason.map(Into::into), "ci".into()).map(|_| ()).map_err(|(_, why)| why)
    };
    use Rejected::{ReasonMissing, WrongText};
    for verb in [promote(), resume(), Verb::Restore, Verb::Drain] {
        assert_eq!(flags(verb.clone(), None, None, &[]), Err(ReasonMissing), "{verb}");
        assert_eq!(flags(verb.clone(), None, Some("r"), &[]), Err(WrongText), "{verb}");
        assert_eq!(flags(verb.clone(), Some("y"), Some("r"), &[]), Err(WrongText), "{verb}: a name, never a key");
        assert_eq!(flags(verb.clone(), Some("ring-2"), Some(" "), &[]), Err(ReasonMissing), "{verb}");
        assert_eq!(flags(verb.clone(), Some("ring-2"), Some("r"), &[]), Ok(()), "{verb}");
        assert_eq!(flags(verb.clone(), Some("ring-2"), Some("r"), &[Severity::BreakGlass]), Err(WrongText), "{verb}");
        assert_eq!(flags(verb, Some(BREAK_GLASS), Some("r"), &[Severity::BreakGlass]), Ok(()));
    }
    for verb in [Verb::Hold, Verb::Abort, roll_back()] {
        assert_eq!(flags(verb.clone(), None, None, &[]), Ok(()), "{verb}");
        assert_eq!(flags(verb, None, None, &[Severity::BreakGlass]), Err(ReasonMissing));
    }
}

#[test]
fn the_reason_given_at_the_prompt_is_the_one_in_the_record() {
    let mut world = World::new();
    let plan = world.review(promote(), ring(2)).unwrap();
    let asked = challenge(&plan);
    let approved = asked.answer(plan, "ring-2", Some("it is\ntime".into()), "ana".into()).unwrap();
    let fact = &approved.plan().steps[0].facts.as_ref().unwrap().1[0];
    let body = String::from_utf8(approved.plan().steps[0].writes[1].change.body()).unwrap();
    assert!(fact.value().contains("reason=it is\\ntime\n"), "{}", fact.value());
    assert!(body.contains("it is\\\\ntime"), "{body}");
}
