//! The metric model: pure, seeded functions of time that say what each region's
//! workload served, and how well, at any instant back to the start of history.
//!
//! Counters are integrals of smooth rates, so a counter's value at any time is
//! computed at once, without having been stepped there and without stored samples.

/// Sorted label sets that are cheap to clone.
pub mod labels;
/// Request duration buckets whose quantiles come out as wished.
pub mod latency;
/// One run of a version in a region, and its counters as integrals.
pub mod life;
/// How a region behaves over the day: seeded noise, latencies, resources.
pub mod profile;
/// The series that a service exposes in a region, and their values.
pub mod series;
/// One service in one region, derived from history.
pub mod view;
/// A rate over time with a closed-form integral.
pub mod wave;

#[cfg(test)]
mod tests;

pub use labels::Labels;
pub use view::{Model, TrackView};
