//! The engine by its messages: what an intent becomes, what goes out, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "engine/automation.rs"]
mod automation;
#[path = "engine/approvals.rs"]
mod approvals;
#[path = "engine/accepts.rs"]
mod accepts;
#[path = "engine/approving.rs"]
mod approving;
#[path = "engine/beginnings.rs"]
mod beginnings;
#[path = "engine/asking.rs"]
mod asking;
#[path = "engine/challenges.rs"]
mod challenges;
#[path = "engine/clock.rs"]
mod clock;
#[path = "engine/daemon_sets.rs"]
mod daemon_sets;
#[path = "engine/carried.rs"]
mod carried;
#[path = "engine/deliveries.rs"]
mod deliveries;
#[path = "engine/drains.rs"]
mod drains;
#[path = "engine/drills.rs"]
mod drills;
#[path = "engine/execution.rs"]
mod execution;
#[allow(dead_code, reason = "shared with the properties, which use more of it")]
#[path = "engine/fixture.rs"]
mod fixture;
#[path = "engine/flags.rs"]
mod flags;
#[path = "engine/holds.rs"]
mod holds;
#[path = "engine/overlays.rs"]
mod overlays;
#[path = "engine/overtaken.rs"]
mod overtaken;
#[path = "engine/pipelines.rs"]
mod pipelines;
#[path = "engine/pace.rs"]
mod pace;
#[path = "engine/promotions.rs"]
mod promotions;
#[path = "engine/quiet.rs"]
mod quiet;
#[path = "engine/quarantines.rs"]
mod quarantines;
#[path = "engine/records.rs"]
mod records;
#[path = "engine/reports.rs"]
mod reports;
#[path = "engine/refusals.rs"]
mod refusals;
#[path = "engine/rollbacks.rs"]
mod rollbacks;
#[path = "engine/rollouts.rs"]
mod rollouts;
#[path = "engine/scope.rs"]
mod scope;
#[path = "engine/spread.rs"]
mod spread;
#[path = "engine/steps.rs"]
mod steps;
#[path = "engine/steering.rs"]
mod steering;
#[path = "engine/stateful_sets.rs"]
mod stateful_sets;
