//! Whatever a policy says and wherever it breaks: nothing is written outside the policy's scope.

use gonogo::domain::id::*;
use gonogo::domain::intent::Verb;
use gonogo::domain::policy::*;
use proptest::prelude::*;

use crate::automation::{arming, policy, promoted, ring_of, windows, written};
use crate::fixture::*;

/// What a fleet may be in when the breach comes.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Nothing,
    InFlight,
    Held,
    Away(u32),
    Behind,
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![
        Just(Meanwhile::Nothing),
        Just(Meanwhile::InFlight),
        Just(Meanwhile::Held),
        (0u32..5).prop_map(Meanwhile::Away),
        Just(Meanwhile::Behind),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn a_policy_never_acts_outside_its_scope(
        reaction in 0usize..4,
        reach in 0usize..3,
        breached in prop::collection::btree_set(0u32..5, 1..4),
        meanwhile in meanwhile(),
        only in prop::option::of(0u32..5),
    ) {
        let on_nogo = [OnNogo::Advise, OnNogo::Hold, OnNogo::Abort, OnNogo::RollBack][reaction];
        let scope = [Reach::Region, Reach::Ring, Reach::Upstream][reach];
        let mut world = promoted(policy(on_nogo, scope));
        for (at, cluster) in [(STAGE_A, 0), (STAGE_B, 1), (AP, 2)] {
            let uid = format!("uid-{}", at.0);
            world.owned.insert(ClusterIx(cluster), vec![replica_set(&uid, "7", V2), replica_set(&uid, "5", V1)]);
        }
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::InFlight => world.in_flight(EU),
            Meanwhile::Held => drop(world.go(Verb::Hold, ring_of(2))),
            Meanwhile::Away(cluster) => world.cut(ClusterIx(cluster)),
            Meanwhile::Behind => world.watch = false,
        }
        world.sent.clear();
        let mine = only.map(|at| world.name(RegionIx(at)).to_owned());
        let regions = mine.iter().map(|name| name.as_str().into()).collect();
        world.engine.arm(gonogo::engine::automation::Arming { regions, ..arming(Mode::Guard) });
        world.skip(1_500);
        for at in &breached {
            windows(&mut world, RegionIx(*at), 0.15);
        }
        world.pass(25);
        // us-east-1 was not released to: a breach there is nobody's.
        let released: Vec<RegionIx> = breached.iter().map(|at| RegionIx(*at)).filter(|at| *at != US).collect();
        let ring = |at: RegionIx| world.fleet.services[0].region(at).unwrap().ring;
        let inside = |at: RegionIx| released.iter().any(|b| match scope {
            Reach::Region => at == *b,
            Reach::Ring => ring(at) == ring(*b),
            Reach::Upstream => ring(at) <= ring(*b),
        });
        let objects = written(&world, "Deployment");
        for cluster in &objects {
            let at = RegionIx(*cluster);
            prop_assert!(on_nogo != OnNogo::Advise, "advise writes nothing: {:?}", world.log);
            prop_assert!(inside(at), "{:?} {scope:?} of {breached:?} wrote in {}: {:?}", on_nogo, world.name(at), world.log);
            prop_assert!(only.is_none_or(|mine| mine == at.0), "not its region: {:?}", world.log);
            prop_assert_eq!(objects.iter().filter(|c| *c == cluster).count(), 1, "once: {:?}", world.log);
        }
        prop_assert!(written(&world, "HTTPRoute").is_empty(), "no policy names a drain");
        for at in ALL {
            let image = world.image(at);
            let stays = image == V1 || image == V2;
            prop_assert!(stays, "{image}");
        }
        prop_assert_eq!(world.image(US), V1);
    }
}
