//! What Prometheus is told of a guard. The names are an interface: docs/guard.md lists them.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use crate::domain::policy::Mode;
use crate::domain::verdict::Verdict;
use crate::engine::Engine;
use crate::engine::view::RingRuns;
use crate::io::notify::Counts;

/// Every metric: name, type, help.
pub const METRICS: &[(&str, &str, &str)] = &[
    ("gonogo_guard_mode", "gauge", "1 for the mode that holds (advise, guard, autopilot)."),
    ("gonogo_guard_lessened", "gauge", "1 when it only advises because there is no durable journal."),
    ("gonogo_cluster_live", "gauge", "1 when the cluster is heard."),
    ("gonogo_lease_held", "gauge", "1 when this guard holds the lease of the region: it may promote there."),
    ("gonogo_ring_verdict", "gauge", "Verdict of the ring's exit gates: 0 go, 1 findings, 2 wait, 3 no data, 4 no-go."),
    ("gonogo_ring_info", "gauge", "1, with the version that the ring runs."),
    ("gonogo_question_verdict", "gauge", "The board's answer for the next ring, as above."),
    ("gonogo_holds", "gauge", "Holds in force."),
    ("gonogo_alarms", "gauge", "Alarms on the board."),
    ("gonogo_actions_started_total", "counter", "Automatic actions that were begun."),
    ("gonogo_actions_ended_total", "counter", "Automatic actions that came to an end, by outcome."),
    ("gonogo_interrupted_plans", "gauge", "Plans of an earlier run that wait for a person."),
    ("gonogo_notices_total", "counter", "Notices to people: sent, failed, dropped."),
];

/// Why the guard is not ready to act; none when it is.
pub fn unready(engine: &Engine) -> Option<String> {
    let automation = engine.automation()?;
    if let Some(why) = &automation.arming().lessened {
        return Some(why.to_string());
    }
    let unheard = engine.clusters.iter().enumerate().filter(|(_, c)| c.heard.is_none()).map(|(at, _)| at);
    let names: Vec<String> = unheard.map(|at| engine.fleet.cluster_name(at.into()).to_string()).collect();
    // One that was heard and is lost now does not make it less ready for the others.
    (!names.is_empty() && names.len() == engine.clusters.len())
        .then(|| format!("no cluster was heard: {}", names.join(", ")))
}

fn level(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Go => 0,
        Verdict::Findings => 1,
        Verdict::Wait => 2,
        Verdict::NoData => 3,
        Verdict::NoGo => 4,
    }
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The text that Prometheus reads.
pub fn text(engine: &Engine, notices: &Counts) -> String {
    let mut out = String::new();
    for (name, kind, help) in METRICS {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples(engine, notices, name) {
            let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", label(v))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    }
    out
}

type Sample = (Vec<(&'static str, String)>, u64);

fn samples(engine: &Engine, notices: &Counts, name: &str) -> Vec<Sample> {
    let automation = engine.automation();
    let services = || engine.fleet.services.iter().zip(&engine.services);
    let rings = || {
        services().flat_map(|(spec, state)| {
            let name = spec.name.to_string();
            spec.rings.iter().zip(&state.view.rings).map(move |(r, v)| (name.clone(), r.name.to_string(), v))
        })
    };
    match name {
        "gonogo_guard_mode" => Mode::NAMES
            .iter()
            .map(|(word, mode)| {
                (vec![("mode", (*word).to_owned())], u64::from(automation.is_some_and(|a| a.mode() == *mode)))
            })
            .collect(),
        "gonogo_guard_lessened" => {
            vec![(Vec::new(), u64::from(automation.is_some_and(|a| a.arming().lessened.is_some())))]
        }
        "gonogo_cluster_live" => {
            let live = |(at, c): (usize, &crate::engine::state::ClusterState)| {
                let name = engine.fleet.cluster_name(at.into()).to_string();
                (vec![("cluster", name)], u64::from(c.freshness(engine.now).is_live()))
            };
            engine.clusters.iter().enumerate().map(live).collect()
        }
        "gonogo_lease_held" => {
            let all = engine.fleet.services.iter().enumerate();
            all.flat_map(|(s, spec)| spec.regions.iter().enumerate().map(move |(r, region)| (s, r, spec, region)))
                .map(|(s, r, spec, region)| {
                    let labels = vec![("service", spec.name.to_string()), ("region", region.name.to_string())];
                    (labels, u64::from(engine.leases().held((s.into(), r.into()), engine.now.mono)))
                })
                .collect()
        }
        "gonogo_ring_verdict" => {
            rings().map(|(s, r, v)| (vec![("service", s), ("ring", r)], u64::from(level(v.verdict)))).collect()
        }
        "gonogo_ring_info" => rings()
            .map(|(s, r, v)| {
                let version = match &v.runs {
                    RingRuns::One(version) => version.to_string(),
                    RingRuns::Mixed(_) => "mixed".to_owned(),
                    RingRuns::Unknown => "unknown".to_owned(),
                };
                (vec![("service", s), ("ring", r), ("version", version)], 1)
            })
            .collect(),
        "gonogo_question_verdict" => services()
            .filter_map(|(spec, state)| {
                let question = state.view.question.as_ref()?;
                let ring = spec.ring(question.ring)?.name.to_string();
                Some((vec![("service", spec.name.to_string()), ("ring", ring)], u64::from(level(question.verdict))))
            })
            .collect(),
        "gonogo_holds" => {
            services().map(|(s, v)| (vec![("service", s.name.to_string())], v.view.holds.len() as u64)).collect()
        }
        "gonogo_alarms" => {
            services().map(|(s, v)| (vec![("service", s.name.to_string())], v.view.alarms.len() as u64)).collect()
        }
        "gonogo_actions_started_total" => automation
            .iter()
            .flat_map(|a| a.started.iter().map(|(action, n)| (vec![("action", (*action).to_owned())], *n)))
            .collect(),
        "gonogo_actions_ended_total" => automation
            .iter()
            .flat_map(|a| a.ended.iter())
            .map(|((action, outcome), n)| {
                (vec![("action", (*action).to_owned()), ("outcome", (*outcome).to_owned())], *n)
            })
            .collect(),
        "gonogo_interrupted_plans" => vec![(Vec::new(), automation.map_or(0, |a| a.interrupted().len() as u64))],
        "gonogo_notices_total" => {
            let count = |word: &str, n: &std::sync::atomic::AtomicU64| {
                (vec![("outcome", word.to_owned())], n.load(Ordering::Relaxed))
            };
            vec![count("sent", &notices.sent), count("failed", &notices.failed), count("dropped", &notices.dropped)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::METRICS;

    #[test]
    fn every_metric_is_in_the_docs_under_its_name() {
        let docs = include_str!("../../../docs/guard.md");
        for (name, ..) in METRICS {
            assert!(docs.contains(&format!("`{name}`")), "{name} is not in docs/guard.md");
        }
    }
}
