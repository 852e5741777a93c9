//! Metric sources: query text out, samples in. Pure; `io` sends and receives.

pub mod prometheus;
pub mod template;

pub use template::{Fill, PLACEHOLDERS, Problem, ProblemKind};
