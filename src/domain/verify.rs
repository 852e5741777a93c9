//! Whether what was expected is seen. Accepted is not done.

use super::delivery::Delivery;
use super::id::Text;
use super::plan::Expectation;
use super::record::{FactId, RegionRecord};
use super::workload::{Phase, Workload};

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Seen.
    Seen,
    /// Not yet; what is missing.
    Missing(Text),
    /// It will not come; why.
    Never(Text),
}

/// Compares an expectation with what is known of a region.
///
/// `generation` is that of the accepted object: a view that is older says nothing.
pub fn verify(
    expected: &Expectation,
    workload: Option<&Workload>,
    weight: Option<u32>,
    record: Option<&RegionRecord>,
    approved: &dyn Fn(FactId) -> bool,
    generation: Option<i64>,
) -> Check {
    let missing = |text: &str| Check::Missing(text.into());
    match expected {
        Expectation::Weight(wanted) => match weight {
            Some(weight) if weight == *wanted => Check::Seen,
            Some(weight) => Check::Missing(format!("weight is {weight}, not yet {wanted}").into()),
            None => missing("the route is not seen"),
        },
        Expectation::Fact(id) => match record {
            Some(record) if record.facts.contains_key(id) => Check::Seen,
            _ => missing("the fact is not yet in the record"),
        },
        // Whether it was, only its answer tells: see `engine/verifying.rs`.
        Expectation::Answered => Check::Seen,
        Expectation::Approval(id) if approved(*id) => Check::Seen,
        Expectation::Approval(_) => missing("the approval is not shown yet"),
        // Asked of what delivers, by [`delivers`].
        Expectation::Delivers(_) | Expectation::Idle => missing("what delivers it is not seen"),
        Expectation::Settled(_)
        | Expectation::Runs(_)
        | Expectation::Partitioned(_)
        | Expectation::Template(_)
        | Expectation::AtStep { .. }
        | Expectation::Aborted
        | Expectation::Retried(_)
        | Expectation::Paused(_)
        | Expectation::Stopped => {
            let Some(workload) = workload else { return missing("the workload is not seen") };
            if generation.is_some_and(|g| workload.generation < g) {
                return missing("the watch has not shown the write yet");
            }
            of_workload(expected, workload, generation)
        }
    }
}

/// Compares an expectation with what delivers a region; none: it is about something else.
pub fn delivers(expected: &Expectation, delivery: Option<&Delivery>) -> Option<Check> {
    let missing = |text: &str| Some(Check::Missing(text.into()));
    match (expected, delivery) {
        (Expectation::Delivers(_) | Expectation::Idle, None) => missing("what delivers it is not seen"),
        (Expectation::Delivers(wanted), Some(d)) if d.automated.is_some() == *wanted => Some(Check::Seen),
        (Expectation::Delivers(true), Some(_)) => missing("not yet automated"),
        (Expectation::Delivers(false), Some(_)) => missing("still automated"),
        (Expectation::Idle, Some(d)) => match d.operation.as_ref().filter(|o| o.phase.is_open()) {
            Some(open) => Some(Check::Missing(format!("its sync is {}", open.phase.word()).into())),
            None => Some(Check::Seen),
        },
        _ => None,
    }
}

fn of_workload(expected: &Expectation, workload: &Workload, generation: Option<i64>) -> Check {
    let other = |wanted: &super::version::TemplateDigest| {
        let text = format!("runs template {}, not yet {}", workload.template.short(), wanted.short()).into();
        // Once the write was seen, another template means that somebody else wrote.
        if generation.is_some_and(|g| workload.generation > g) { Check::Never(text) } else { Check::Missing(text) }
    };
    match expected {
        // Whoever brings it does so when he gets to it: no view is too new.
        Expectation::Runs(wanted) if workload.version != *wanted => {
            Check::Missing(format!("runs {}, not yet {wanted}", workload.version).into())
        }
        Expectation::Template(wanted) if workload.template != *wanted => other(wanted),
        Expectation::Template(_) => Check::Seen,
        Expectation::Settled(wanted)
        | Expectation::Partitioned(wanted)
        | Expectation::AtStep { template: wanted, .. }
        | Expectation::Retried(wanted)
            if workload.template != *wanted =>
        {
            other(wanted)
        }
        Expectation::Aborted if workload.progress.steps.as_ref().is_some_and(|s| s.aborted) => Check::Seen,
        Expectation::Aborted => Check::Missing("not yet aborted".into()),
        Expectation::Retried(_) if workload.phase == Phase::Degraded => Check::Missing("still aborted".into()),
        Expectation::Retried(_) => Check::Seen,
        Expectation::Settled(_) | Expectation::Runs(_) | Expectation::Partitioned(_) | Expectation::AtStep { .. } => {
            match workload.phase {
                Phase::Complete => Check::Seen,
                Phase::Partitioned if matches!(expected, Expectation::Partitioned(_)) => Check::Seen,
                Phase::Partitioned | Phase::AtStep | Phase::Progressing(_) if workload.paused => {
                    Check::Missing("paused: the rollout stands still".into())
                }
                Phase::Partitioned => {
                    let r = &workload.replicas;
                    let partition = workload.progress.partition.unwrap_or(0);
                    Check::Missing(
                        format!("{} of {} updated: partition {partition} keeps the others back", r.updated, r.desired)
                            .into(),
                    )
                }
                Phase::AtStep => {
                    let steps = workload.progress.steps.as_deref();
                    let done = steps.map_or(0, |s| s.done);
                    match expected {
                        Expectation::AtStep { beyond, .. } if beyond.is_none_or(|b| done > b) => Check::Seen,
                        _ => Check::Missing(
                            format!("stops at {}", steps.map_or_else(|| "a step".to_owned(), |s| s.place())).into(),
                        ),
                    }
                }
                Phase::Degraded => Check::Never(
                    workload.progress.failure.clone().unwrap_or_else(|| "its controller gave it up".into()),
                ),
                Phase::OnDelete => Check::Missing("pods change only when somebody deletes them (OnDelete)".into()),
                Phase::DeadlineExceeded => {
                    let why = workload.progress.failure.clone().unwrap_or_else(|| "progress deadline exceeded".into());
                    Check::Never(why)
                }
                Phase::Unobserved => Check::Missing("the controller has not seen it".into()),
                Phase::Progressing(_) => {
                    let r = &workload.replicas;
                    let counts = format!("{} of {} updated, {} available", r.updated, r.desired, r.available);
                    Check::Missing(match &workload.progress.snag {
                        Some(why) => format!("{counts}; if nothing moves: {why}").into(),
                        None => counts.into(),
                    })
                }
            }
        }
        Expectation::Stopped if workload.in_flight() && !workload.paused => {
            Check::Never("a rollout is in flight there, and it was not paused".into())
        }
        Expectation::Paused(wanted) if workload.paused != *wanted => {
            Check::Missing(if *wanted { "not yet paused".into() } else { "still paused".into() })
        }
        Expectation::Paused(_) if workload.observed_generation < workload.generation => {
            Check::Missing("the controller has not seen it".into())
        }
        _ => Check::Seen,
    }
}
