//! Properties over generated inputs: what holds for any record, any plan, any fault.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "properties/challenges.rs"]
mod challenges;
#[path = "properties/faults.rs"]
mod faults;
#[allow(dead_code, reason = "shared with the specification of the engine, which uses more of it")]
#[path = "engine/fixture.rs"]
mod fixture;
#[path = "properties/plans.rs"]
mod plans;
#[path = "properties/records.rs"]
mod records;

use proptest::prelude::ProptestConfig;

/// As many cases as a property can afford; regressions are kept as tests, not as seeds.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { cases: count, failure_persistence: None, ..ProptestConfig::default() }
}
