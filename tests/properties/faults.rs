//! Any faults at any steps: an operation comes to an end, says how, and never sends a write twice
//! whose fate is not known.

use gonogo::domain::id::ClusterIx;
use gonogo::domain::intent::Direction;
use gonogo::engine::effect::ActResult;
use proptest::prelude::*;

use crate::fixture::*;
use crate::plans::{Circumstance, arrange, circumstance, target, verb};

fn fault() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![
        Fault::LostAfter,
        Fault::LostBefore,
        Fault::Hang,
        not_sent(),
        refused(403, "forbidden"),
        refused(409, "conflict"),
        refused(422, "denied by policy"),
        refused(429, "slow down"),
        refused(500, "etcd"),
        refused(503, "busy"),
        Fault::Answer(ActResult::Changed),
        Fault::Answer(ActResult::Absent("gone".into())),
    ])
}

/// Something that happens while an operation is under way.
#[derive(Clone, Debug)]
enum Event {
    Cut(usize),
    Mend(usize),
    Finish(usize),
    DeadlineMissed(usize),
    SomebodyElseWrites(usize),
    Cancel,
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_usize..6).prop_map(Event::Cut),
        (0_usize..6).prop_map(Event::Mend),
        (0_usize..5).prop_map(Event::Finish),
        (0_usize..5).prop_map(Event::DeadlineMissed),
        (0_usize..5).prop_map(Event::SomebodyElseWrites),
        Just(Event::Cancel),
        (1_u64..60).prop_map(Event::Wait),
    ]
}

fn happen(world: &mut World, event: &Event) {
    match event {
        Event::Cut(at) => world.cut(ClusterIx::from(*at)),
        Event::Mend(at) => world.mend(ClusterIx::from(*at)),
        Event::Finish(at) => world.finish((*at).into()),
        Event::DeadlineMissed(at) => {
            world.workload((*at).into())["status"]["conditions"][0]["reason"] = "ProgressDeadlineExceeded".into();
            world.show_workload((*at).into());
        }
        Event::SomebodyElseWrites(at) => {
            let object = world.workload((*at).into());
            let generation = object["metadata"]["generation"].as_i64().unwrap() + 1;
            object["metadata"]["generation"] = generation.into();
            object["spec"]["template"]["spec"]["containers"][1]["image"] = "registry.example/webapp:other".into();
            world.show_workload((*at).into());
        }
        Event::Cancel => {
            if let Some(id) = world.engine.operations.last().map(|o| o.plan.id) {
                world.cancel(id);
            }
        }
        Event::Wait(seconds) => world.skip(*seconds),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 8_192, ..crate::cases(128) })]

    #[test]
    fn every_operation_ends_and_says_how(
        circumstances in prop::collection::vec(circumstance(), 0..3),
        verb in verb(),
        target in target(),
        faults in prop::collection::vec((0_usize..5, 0_usize..3, fault()), 0..6),
        events in prop::collection::vec(event(), 0..8),
        (watch, controller, durable) in (prop::bool::weighted(0.7), prop::bool::weighted(0.6), prop::bool::weighted(0.9)),
    ) {
        let mut world = World::new();
        arrange(&mut world, &circumstances.into_iter().filter(|c| !matches!(c, Circumstance::Weights(_))).collect::<Vec<_>>());
        prop_assume!(world.review(verb, target).is_ok());
        world.watch = watch;
        world.controller = controller;
        world.journal = if durable { Journal::Durable } else { Journal::Broken };
        for (at, kind, fault) in faults {
            let kind = ["Deployment", "ConfigMap", "HTTPRoute"][kind];
            world.faults.entry((at.into(), kind)).or_default().push_back(fault);
        }
        let id = world.approve();
        for event in &events {
            happen(&mut world, event);
        }
        // 15 minutes of tries, an answer that never comes, and the longest limit of a step, for two
        // steps one after the other.
        for _ in 0..(15 * 60 + 2 * (3 * 120 + 640)) / 5 {
            if !world.operation(id).open() {
                break;
            }
            world.skip(5);
        }
        let (end, why) = world.end(id);
        prop_assert!(["settled", "diverged", "unknown", "refused", "cancelled"].contains(&end), "{end}: {why}");
        prop_assert!(!why.is_empty());
        prop_assert!(world.steps(id).iter().all(|(_, s)| !["pending", "sending", "retrying", "verifying"].contains(s)));

        let raising = world.operation(id).plan.direction() == Direction::Raising;
        let journaled = world.log.iter().position(|l| l.starts_with("journal promote") || l.starts_with("journal"));
        let first = world.log.iter().position(|l| l.starts_with("send"));
        if let Some(first) = first {
            prop_assert!(journaled.is_some_and(|j| j < first), "journal first: {:?}", world.log);
            prop_assert!(durable || !raising, "raising without a durable journal");
        }
        // A raising write whose fate is not known is the last of its kind there. A lowering one is
        // sent again after a look: its `test` operations, or its own key, make a second one nothing.
        for (at, line) in world.log.iter().enumerate().filter(|(_, l)| l.contains(" write 0 unknown")) {
            let step: String = line.chars().take_while(|c| *c != 'w').collect();
            let again = world.log[at + 1..].iter().any(|l| l.starts_with(&format!("{step}started")));
            prop_assert!(!again || !raising, "sent again after {line}: {:?}", world.log);
        }
        if raising {
            let mut sent: Vec<&str> = world.requests().into_iter().filter(|r| r.contains(" Main ")).collect();
            let all = sent.len();
            sent.sort_unstable();
            sent.dedup();
            prop_assert_eq!(sent.len(), all, "raising sends each write once");
        }
        if end == "settled" {
            prop_assert!(world.steps(id).iter().all(|(_, s)| *s == "settled"));
        }
    }
}
