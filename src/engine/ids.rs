//! Identities for facts and plans: sortable by time, from a seed, so that a replay makes the same ones.

use ulid::Ulid;

use crate::domain::stamp::Timestamp;

/// A source of ULIDs. The seed is the only randomness, and comes from outside.
#[derive(Clone, Debug)]
pub struct Ids {
    state: u64,
    last: u128,
    given: Option<Ulid>,
}

impl Ids {
    /// A source from a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, last: 0, given: None }
    }

    /// The next identity will be this one: two guards that say the same write the same fact.
    pub fn give(&mut self, id: Option<Ulid>) {
        self.given = id;
    }

    /// The next identity; later ones sort after earlier ones even when the clock goes back.
    pub fn next(&mut self, at: Timestamp) -> Ulid {
        if let Some(given) = self.given.take() {
            return given;
        }
        let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
        let random = u128::from(self.word()) << 64 | u128::from(self.word());
        let id = Ulid::from_parts(millis, random).0.max(self.last + 1);
        self.last = id;
        Ulid(id)
    }

    /// SplitMix64.
    fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_sort_by_time_and_repeat_with_the_seed() {
        let later = Timestamp::from_second(2_000).unwrap_or_default();
        let earlier = Timestamp::from_second(1_000).unwrap_or_default();
        let (mut a, mut b) = (Ids::new(1), Ids::new(1));
        let first = a.next(later);
        assert!(a.next(earlier) > first, "the clock went back");
        assert_eq!(first, b.next(later));
    }
}
