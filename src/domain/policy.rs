//! Policy: what follows a NO-GO, and how far a release goes by itself.
//!
//! A policy is data. It is resolved when the configuration is read, is part of the policy
//! hash, and is carried out by the same plans as a person's keys (`engine/automation`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::id::{RingIx, Text};

/// How every reason that a policy gives begins: the record tells by it who acted.
pub const BY_POLICY: &str = "by policy: ";

/// The policy of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Name of the preset it starts from, if any.
    pub preset: Option<Text>,
    /// What holds in each ring; a ring that is not listed has [`RingPolicy::default`].
    pub rings: Vec<RingPolicy>,
    /// At most so many automatic rollbacks, aborts and drains per release: then it only holds.
    pub actions: u32,
    /// So many failures in one region (automatic rollbacks, or actions that did not work)
    /// open its breaker: it is held until a person releases that hold.
    pub breaker: u32,
    /// A pause that lasts longer is an alarm.
    pub forgotten_pause: Duration,
    /// A release that has not moved for longer is an alarm; none: never.
    pub unmoved: Option<Duration>,
    /// The whole release may take so long, as its tier promises; none: as long as it takes.
    pub longest: Option<Duration>,
}

/// What holds in one ring.
#[derive(Clone, Debug, PartialEq)]
pub struct RingPolicy {
    /// What follows a NO-GO of any exit gate.
    pub reaction: Reaction,
    /// What follows a NO-GO of one gate, by its label; it wins over [`RingPolicy::reaction`].
    pub gates: BTreeMap<Text, Reaction>,
    /// Where a rollback goes, in this order, until one works.
    pub fallback: Vec<Fallback>,
    /// A rollback that has not settled by then counts as failed.
    pub rollback_limit: Duration,
    /// How often each entry of `fallback` is tried in a region.
    pub attempts: u32,
    /// Who moves a release into this ring.
    pub advance: Advance,
    /// Least time between one region of this ring and the next.
    pub region_distance: Duration,
    /// Least time between the last change of an earlier ring and this one.
    pub ring_distance: Duration,
}

/// What follows a NO-GO, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// What is done.
    pub on_nogo: OnNogo,
    /// Where it is done.
    pub scope: Reach,
}

/// What is done about a NO-GO. In order: later ones do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnNogo {
    /// Only said.
    Advise,
    /// Promotions stop, and rollouts in flight pause.
    Hold,
    /// A rollout in flight is rolled back; what is rolled out already is held.
    Abort,
    /// Back to known-good.
    RollBack,
}

/// Where something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// In the region that failed.
    Region,
    /// In every region of its ring that runs the version.
    Ring,
    /// In its ring and in every ring before it, where they run the version.
    Upstream,
}

/// Where a rollback goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fallback {
    /// What ran before this release.
    Previous,
    /// What ran before that.
    BeforePrevious,
    /// Out of traffic, under the drain's own guard.
    Drain,
}

/// Who moves a release into a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Advance {
    /// The guard in `autopilot`, when every gate says GO.
    Auto,
    /// A person.
    Ask,
    /// A person, with the approval of another: the ring has an `approval` gate.
    TwoPerson,
}

impl OnNogo {
    /// As the configuration writes it.
    pub const NAMES: [(&'static str, OnNogo); 4] =
        [("advise", OnNogo::Advise), ("hold", OnNogo::Hold), ("abort", OnNogo::Abort), ("rollback", OnNogo::RollBack)];
    /// The word.
    pub fn word(self) -> &'static str {
        word_of(&Self::NAMES, self)
    }
}

impl Reach {
    /// As the configuration writes it.
    pub const NAMES: [(&'static str, Reach); 3] =
        [("region", Reach::Region), ("ring", Reach::Ring), ("upstream", Reach::Upstream)];
    /// The word.
    pub fn word(self) -> &'static str {
        word_of(&Self::NAMES, self)
    }
}

impl Fallback {
    /// As the configuration writes it.
    pub const NAMES: [(&'static str, Fallback); 3] =
        [("n-1", Fallback::Previous), ("n-2", Fallback::BeforePrevious), ("drain", Fallback::Drain)];
    /// The word.
    pub fn word(self) -> &'static str {
        word_of(&Self::NAMES, self)
    }
}

impl Advance {
    /// As the configuration writes it.
    pub const NAMES: [(&'static str, Advance); 3] =
        [("auto", Advance::Auto), ("ask", Advance::Ask), ("two-person", Advance::TwoPerson)];
    /// The word.
    pub fn word(self) -> &'static str {
        word_of(&Self::NAMES, self)
    }
}

/// What a guard may do by itself. In order: later ones may do more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Only says what it would do.
    Advise,
    /// Holds, aborts and rolls back; drains where a policy names it.
    Guard,
    /// Also promotes, where a ring's policy says `auto` and every gate says GO.
    Autopilot,
}

impl Mode {
    /// As the command line writes it.
    pub const NAMES: [(&'static str, Mode); 3] =
        [("advise", Mode::Advise), ("guard", Mode::Guard), ("autopilot", Mode::Autopilot)];
    /// The word.
    pub fn word(self) -> &'static str {
        word_of(&Self::NAMES, self)
    }
}

fn word_of<T: PartialEq + Copy>(names: &[(&'static str, T)], of: T) -> &'static str {
    names.iter().find(|(_, value)| *value == of).map_or("?", |(name, _)| name)
}

impl Default for Reaction {
    fn default() -> Self {
        Self { on_nogo: OnNogo::Hold, scope: Reach::Region }
    }
}

impl Default for RingPolicy {
    fn default() -> Self {
        Self {
            reaction: Reaction::default(),
            gates: BTreeMap::new(),
            // Draining is named by whoever wants it.
            fallback: vec![Fallback::Previous, Fallback::BeforePrevious],
            rollback_limit: Duration::from_secs(10 * 60),
            attempts: 2,
            advance: Advance::Ask,
            region_distance: Duration::ZERO,
            ring_distance: Duration::ZERO,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            preset: None,
            rings: Vec::new(),
            actions: 10,
            breaker: 3,
            forgotten_pause: Duration::from_secs(3_600),
            unmoved: None,
            longest: None,
        }
    }
}

impl Policy {
    /// What holds in a ring.
    pub fn ring(&self, at: RingIx) -> RingPolicy {
        self.rings.get(at.at()).cloned().unwrap_or_default()
    }

    /// What follows a NO-GO of a gate in a ring.
    pub fn reaction(&self, at: RingIx, gate: &str) -> Reaction {
        match self.rings.get(at.at()) {
            Some(ring) => ring.gates.get(gate).copied().unwrap_or(ring.reaction),
            None => Reaction::default(),
        }
    }
}

/// A ready policy for a kind of service: rings keep their gates, and get these bakes and rules
/// where nobody says otherwise.
#[derive(Debug)]
pub struct Preset {
    /// Its name in the configuration.
    pub name: &'static str,
    /// One sentence for the docs.
    pub about: &'static str,
    /// How many rings it is made for; none: any number.
    pub rings: Option<usize>,
    /// Ring 1 (the first that users reach) is a single region.
    pub one_cell: bool,
    /// The whole release, bakes and all, is over within this.
    pub longest: Duration,
    /// Who moves a release on.
    pub advance: Advance,
    /// What follows a NO-GO.
    pub on_nogo: OnNogo,
    /// Least time between rings.
    pub ring_distance: Duration,
    /// Bake of the first, a middle and the last ring.
    bakes: [Duration; 3],
}

const HOUR: u64 = 3_600;
const fn hours(n: u64) -> Duration {
    Duration::from_secs(n * HOUR)
}

/// Every preset, in the order of the docs.
pub static PRESETS: &[Preset] = &[
    Preset {
        name: "tier-1",
        about: "What the business stands on: five days at most, a day per ring, people decide, a NO-GO is rolled back.",
        rings: None,
        one_cell: false,
        longest: hours(5 * 24),
        advance: Advance::Ask,
        on_nogo: OnNogo::RollBack,
        ring_distance: hours(1),
        bakes: [hours(24), hours(24), hours(12)],
    },
    Preset {
        name: "tier-2",
        about: "Three days at most: bakes of 24 h, 12 h and 6 h.",
        rings: None,
        one_cell: false,
        longest: hours(3 * 24),
        advance: Advance::Ask,
        on_nogo: OnNogo::RollBack,
        ring_distance: Duration::from_secs(HOUR / 2),
        bakes: [hours(24), hours(12), hours(6)],
    },
    Preset {
        name: "tier-3",
        about: "One day at most: it moves by itself on GO, and a NO-GO is rolled back.",
        rings: None,
        one_cell: false,
        longest: hours(24),
        advance: Advance::Auto,
        on_nogo: OnNogo::RollBack,
        ring_distance: Duration::from_secs(HOUR / 4),
        bakes: [hours(6), hours(4), hours(2)],
    },
    Preset {
        name: "one-cell",
        about: "One cell for 24 h, then the rest quickly: as Google releases to cells. Ring 1 is a single region.",
        rings: None,
        one_cell: true,
        longest: hours(3 * 24),
        advance: Advance::Ask,
        on_nogo: OnNogo::RollBack,
        ring_distance: Duration::from_secs(HOUR / 2),
        bakes: [hours(24), hours(4), hours(2)],
    },
    Preset {
        name: "five-rings",
        about: "Five rings of a day each, as Azure deploys: canary, pilot, light, heavy, broad. Seven days at most.",
        rings: Some(5),
        one_cell: false,
        longest: hours(7 * 24),
        advance: Advance::Ask,
        on_nogo: OnNogo::RollBack,
        ring_distance: hours(1),
        bakes: [hours(24), hours(24), hours(24)],
    },
    Preset {
        name: "two-regions",
        about: "To start with: two rings, a day in the first; a NO-GO holds, and people do the rest.",
        rings: Some(2),
        one_cell: false,
        longest: hours(2 * 24),
        advance: Advance::Ask,
        on_nogo: OnNogo::Hold,
        ring_distance: Duration::ZERO,
        bakes: [hours(24), hours(12), hours(6)],
    },
];

impl Preset {
    /// A preset by name.
    pub fn find(name: &str) -> Option<&'static Preset> {
        PRESETS.iter().find(|p| p.name == name)
    }

    /// The bake of a ring, of so many.
    pub fn bake(&self, ring: usize, of: usize) -> Duration {
        let [first, middle, last] = self.bakes;
        // With one cell, the long bake is that of the cell: ring 0 is where nobody is served.
        let long = usize::from(self.one_cell && of > 1);
        if ring + 1 == of && of > 1 && ring != long {
            last
        } else if ring == long || (of == 1) {
            first
        } else {
            middle
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_keep_their_own_promise() {
        for preset in PRESETS {
            let of = preset.rings.unwrap_or(4);
            let bakes: Duration = (0..of).map(|ring| preset.bake(ring, of)).sum();
            let gaps = preset.ring_distance * u32::try_from(of - 1).unwrap_or(0);
            assert!(bakes + gaps <= preset.longest, "{}: {bakes:?} + {gaps:?}", preset.name);
            assert!(preset.bake(usize::from(preset.one_cell), of) >= hours(6), "{}", preset.name);
        }
    }

    #[test]
    fn a_gate_may_have_a_reaction_of_its_own() {
        let strict = Reaction { on_nogo: OnNogo::RollBack, scope: Reach::Upstream };
        let ring = RingPolicy { gates: [("errors".into(), strict)].into(), ..RingPolicy::default() };
        let policy = Policy { rings: vec![ring], ..Policy::default() };
        assert_eq!(policy.reaction(RingIx(0), "errors"), strict);
        assert_eq!(policy.reaction(RingIx(0), "p99"), Reaction::default());
        assert_eq!(policy.reaction(RingIx(7), "errors").on_nogo, OnNogo::Hold, "unless told otherwise");
    }

    #[test]
    fn words_and_values_are_one_to_one() {
        assert_eq!(OnNogo::RollBack.word(), "rollback");
        assert_eq!(Reach::Upstream.word(), "upstream");
        assert_eq!(Fallback::BeforePrevious.word(), "n-2");
        assert_eq!(Advance::TwoPerson.word(), "two-person");
    }
}
