//! What must be answered only ever grows.

use gonogo::domain::challenge::{Asked, BREAK_GLASS, Challenge, challenge};
use gonogo::domain::finding::{Finding, Severity};
use gonogo::domain::intent::{Intent, Target, Verb};
use gonogo::domain::plan::{Blast, Plan, PlanId};
use proptest::prelude::*;
use ulid::Ulid;

use crate::fixture::*;

fn effort(asked: &Challenge) -> (u8, bool) {
    let how = match &asked.answer {
        Asked::Key => 0,
        Asked::Typed(text) if &**text == BREAK_GLASS => 2,
        Asked::Typed(_) => 1,
    };
    (how, asked.reason_required)
}

fn severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(vec![Severity::Note, Severity::Warning, Severity::Override, Severity::BreakGlass])
}

fn verb() -> impl Strategy<Value = Verb> {
    prop::sample::select(vec![promote(), Verb::Hold, resume(), roll_back(), Verb::Abort, Verb::Drain, Verb::Restore])
}

fn plan(verb: Verb, share: Option<f64>, severities: &[Severity]) -> Plan {
    Plan {
        rests_on: Vec::new(),
        id: PlanId(Ulid::nil()),
        intent: Intent { service: WEBAPP, verb, target: Target::Service, reason: None },
        service: WEBAPP,
        title: "".into(),
        steps: Vec::new(),
        parallelism: 1,
        blast: Blast { regions: Vec::new(), share, qps: None },
        findings: severities.iter().map(|s| Finding::new(*s, "c", "s", "t")).collect(),
        after: "".into(),
        way_back: "".into(),
        name: "ring-2".into(),
        ring: None,
    }
}

proptest! {
    #![proptest_config(crate::cases(512))]

    #[test]
    fn a_finding_more_never_makes_it_easier(
        verb in verb(),
        share in prop::option::of(0.0_f64..=1.0),
        findings in prop::collection::vec(severity(), 0..4),
        more in severity(),
    ) {
        let before = effort(&challenge(&plan(verb.clone(), share, &findings)));
        let mut findings = findings;
        findings.push(more);
        let after = effort(&challenge(&plan(verb, share, &findings)));
        prop_assert!(after.0 >= before.0 && after.1 >= before.1, "{before:?} became {after:?}");
    }

    #[test]
    fn a_larger_share_never_makes_it_easier(
        verb in verb(),
        a in 0.0_f64..=1.0,
        b in 0.0_f64..=1.0,
        findings in prop::collection::vec(severity(), 0..3),
    ) {
        let (less, more) = if a < b { (a, b) } else { (b, a) };
        let small = effort(&challenge(&plan(verb.clone(), Some(less), &findings)));
        let large = effort(&challenge(&plan(verb, Some(more), &findings)));
        prop_assert!(large.0 >= small.0 && large.1 >= small.1);
    }

    #[test]
    fn nothing_but_the_answer_makes_a_plan_approved(typed in any::<String>(), verb in verb(), share in 0.0_f64..=1.0) {
        let plan = plan(verb, Some(share), &[]);
        let asked = challenge(&plan);
        let right = match &asked.answer {
            Asked::Key => "y".to_owned(),
            Asked::Typed(text) => text.to_string(),
        };
        prop_assume!(typed != right);
        prop_assert!(asked.answer(plan, &typed, Some("r".into()), "x".into()).is_err());
    }
}
