//! A bound so far away that half as much again passes below it.

use super::view::Plan;
use super::{Check, Notes, Severity};
use crate::domain::fleet::{Column, GateSpec, Param, Ring};
use crate::domain::id::RingIx;
use crate::gates::parse_bound;

pub(super) static CHECK: Check = Check {
    code: "GG011",
    name: "threshold-loose",
    severity: Severity::High,
    about: "A column may get half as bad again as it normally is, and a threshold still passes, with no baseline beside it that would tell.",
    measures: true,
    find,
};

/// A regression that must be noticed.
const WORSE: f64 = 1.5;

/// A sentence, its fix, and the rings it is about.
type Loose<'p> = (String, String, Vec<(RingIx, &'p Ring)>);

fn find(plan: &Plan<'_>, notes: &mut Notes) {
    // By column and bound: rings that share it are told once.
    let mut loose: Vec<Loose<'_>> = Vec::new();
    let mut unknown: Vec<&str> = Vec::new();
    for (at, ring) in plan.rings() {
        for gate in ring.exit_gates.iter().filter(|g| &*g.gate == "threshold") {
            let Some(column) = gate.params.text("column").and_then(|c| plan.service.column(c)) else { continue };
            if compared(ring, column) {
                continue;
            }
            let Some((normal, how)) = normal(plan, column) else {
                if !unknown.contains(&column.name.as_str()) {
                    unknown.push(column.name.as_str());
                }
                continue;
            };
            let Some(told) = told(gate, column, normal, how) else { continue };
            match loose.iter_mut().find(|(known, _, _)| *known == told.0) {
                Some((_, _, rings)) => rings.push((at, ring)),
                None => loose.push((told.0, told.1, vec![(at, ring)])),
            }
        }
    }
    for (sentence, fix, rings) in loose {
        let names: Vec<&str> = rings.iter().map(|(_, r)| r.name.as_str()).collect();
        let everywhere = rings.len() == plan.service.rings.len();
        match (rings.first(), everywhere) {
            (_, true) if rings.len() > 1 => notes.service(format!("in every ring {sentence}"), fix),
            (Some((at, _)), _) if rings.len() == 1 => notes.ring(*at, format!("in {} {sentence}", names.concat()), fix),
            _ => notes.service(format!("in {} {sentence}", super::view::list(names)), fix),
        }
    }
    if !unknown.is_empty() {
        let names = super::view::list(unknown);
        notes.lacks(format!(
            "what is normal for {names} is neither declared (`normal` of the column) nor measured (--connect)"
        ));
    }
}

/// The sentence and the fix, where a bound would not notice.
fn told(gate: &GateSpec, column: &Column, normal: f64, how: &str) -> Option<(String, String)> {
    let show = |value: f64| column.unit.show(value);
    let bound = |name: &str| bound(gate, name, column);
    let baseline =
        format!("add `{{ gate = \"baseline\", column = \"{}\", against = [\"peers\", \"yesterday\"] }}`", column.name);
    let (worse, best, key) = match (bound("max"), bound("min")) {
        (Some(max), _) if normal > 0.0 && normal * WORSE <= max => (normal * WORSE, max, "max"),
        (_, Some(min)) if normal > 0.0 && normal / WORSE >= min => (normal / WORSE, min, "min"),
        _ => return None,
    };
    let sentence = format!(
        "{} may go from {} ({how}) to {}, and still passes {key} = {}",
        column.name,
        show(normal),
        show(worse),
        show(best)
    );
    Some((sentence, format!("{baseline}, or a `{key}` nearer to {}", show(normal))))
}

/// A baseline of the ring that says something about half as much again.
fn compared(ring: &Ring, column: &Column) -> bool {
    let baselines = ring.exit_gates.iter().filter(|g| &*g.gate == "baseline");
    let mut mine = baselines.filter(|g| g.params.text("column") == Some(column.name.as_str()));
    mine.any(|g| {
        let ratio = g.params.number("ratio").unwrap_or(2.0);
        g.params.number("watch").unwrap_or(1.25_f64.min(ratio)) <= WORSE
    })
}

/// What is normal, and how that is known.
fn normal(plan: &Plan<'_>, column: &Column) -> Option<(f64, &'static str)> {
    if let Some(declared) = plan.facts.normals.get(&column.name) {
        return Some((*declared, "declared as normal"));
    }
    let mut samples: Vec<f64> =
        plan.production().iter().filter_map(|(at, _)| plan.measured(*at, &column.name).ok()).collect();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).map(|median| (*median, "measured now"))
}

fn bound(gate: &GateSpec, name: &str, column: &Column) -> Option<f64> {
    match gate.params.0.get(name)? {
        Param::Number(number) => Some(*number),
        Param::Text(text) => parse_bound(text, column.unit),
        _ => None,
    }
}
