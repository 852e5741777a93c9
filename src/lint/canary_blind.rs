//! A canary that nobody watches finds nothing.

use super::view::{Plan, evidence, list};
use super::{Check, Notes, Severity};

pub(super) static CHECK: Check = Check {
    code: "GG003",
    name: "canary-blind",
    severity: Severity::High,
    about: "A region of the first ring that users reach is not monitored: no Prometheus, no gate that judges a metric, or no sample for one.",
    measures: true,
    find,
};

/// Gates that judge samples.
const JUDGE_SAMPLES: [&str; 4] = ["threshold", "baseline", "burn_rate", "resources"];

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    let Some((ring, spec, canary)) = plan.canary() else { return };
    let gates: Vec<_> = evidence(spec).filter(|g| JUDGE_SAMPLES.contains(&&*g.gate)).collect();
    if gates.is_empty() {
        return notes.ring(
            ring,
            format!("{} meets users first, and no gate of its `exit` judges a metric", spec.name),
            "add a `threshold` or a `baseline` on `errors` and on a latency to its `exit`",
        );
    }
    for (at, region) in canary {
        let server = plan.fleet.cluster(region.cluster).and_then(|c| c.prometheus);
        if server.is_none() {
            notes.region(
                plan,
                at,
                format!("{} meets users first, and has no Prometheus: its gates will always say NO DATA", region.name),
                format!("write `prometheus = \"…\"` in `[cluster.{}]`", plan.fleet.cluster_name(region.cluster)),
            );
            continue;
        }
        if plan.measured.is_none() {
            continue;
        }
        let mut columns: Vec<&str> = gates.iter().filter_map(|g| g.params.text("column")).collect();
        columns.sort_unstable();
        columns.dedup();
        let missing: Vec<(&str, String)> =
            columns.into_iter().filter_map(|c| Some((c, plan.measured(at, &c.into()).err()?))).collect();
        if let Some((_, why)) = missing.first() {
            notes.region(
                plan,
                at,
                format!(
                    "{} meets users first, and has no sample of {}: {why}",
                    region.name,
                    list(missing.iter().map(|(c, _)| *c))
                ),
                "`gonogo check --connect` says what each query answers",
            );
        }
    }
}
