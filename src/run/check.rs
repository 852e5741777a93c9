//! `gonogo check --connect`: everything the configuration needs, asked for once and said plainly.

use serde_json::{Value, json};

use super::failure::Exit;
use super::output::VERSION;
use crate::domain::id::{ClusterIx, RegionIx, ServiceIx};
use crate::domain::link::{Freshness, LostReason};
use crate::domain::stamp::short;
use crate::domain::text::visible;
use crate::engine::Engine;
use crate::engine::scene::{one_object, one_object_sentence};
use crate::engine::state::ClusterState;
use crate::io::connect::MOST_RIGHTS;

/// One line of the report.
pub(super) struct Line {
    /// How a check of the configuration ends for it.
    pub exit: Exit,
    /// What it is about.
    pub what: String,
    /// What was found.
    pub text: String,
    /// What to do; empty: nothing.
    pub hint: String,
    /// It takes nothing away from looking: only what would be done later is refused.
    pub is_right: bool,
}

impl Line {
    fn new(exit: Exit, what: impl Into<String>, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit, what: what.into(), text: text.into(), hint: hint.into(), is_right: false }
    }
}

/// A clock that is off by more lets this host only lower risk.
const SKEW: i64 = 30;

/// What was found, as text, and how it ends.
pub fn text(engine: &Engine) -> (String, Exit) {
    let lines = lines(engine);
    let mut out = String::new();
    for line in &lines {
        let mark = if line.exit == Exit::Done { "✓" } else { "✗" };
        out.push_str(&format!("{mark} {}: {}\n", visible(&line.what), visible(&line.text)));
    }
    (out, worst(&lines))
}

/// What was found, as JSON.
pub fn json(engine: &Engine) -> (Value, Exit) {
    let lines = lines(engine);
    let all: Vec<Value> = lines
        .iter()
        .map(|l| json!({"ok": l.exit == Exit::Done, "exit": l.exit as u8, "what": l.what, "text": l.text}))
        .collect();
    (json!({"version": VERSION, "kind": "check", "results": all}), worst(&lines))
}

fn worst(lines: &[Line]) -> Exit {
    lines.iter().map(|l| l.exit).max().unwrap_or(Exit::Done)
}

/// Everything that was asked of clusters and Prometheus.
pub(super) fn lines(engine: &Engine) -> Vec<Line> {
    let mut lines = Vec::new();
    for (at, state) in engine.clusters.iter().enumerate() {
        cluster(engine, ClusterIx::from(at), state, &mut lines);
    }
    same_clusters(engine, &mut lines);
    for at in 0..engine.fleet.services.len() {
        service(engine, ServiceIx::from(at), &mut lines);
    }
    lines
}

fn cluster(engine: &Engine, at: ClusterIx, state: &ClusterState, lines: &mut Vec<Line>) {
    let what = format!("cluster {}", engine.fleet.cluster_name(at));
    let mut say = |exit, text: String, hint: &str| lines.push(Line::new(exit, what.clone(), text, hint));
    match state.freshness(engine.now) {
        Freshness::Live | Freshness::Late(_) => {
            let facts = &state.facts;
            let latency = facts.latency.map(|l| format!(", answered in {} ms", l.as_millis())).unwrap_or_default();
            let version = facts.version.as_deref().unwrap_or("version unknown");
            let user = facts.user.as_ref().map_or_else(|| "user unknown".to_owned(), |u| format!("as {u}"));
            say(Exit::Done, format!("reachable {user}, {version}{latency}, {} watches", facts.watches), "");
        }
        Freshness::Never => {
            say(
                Exit::Unreachable,
                "no answer in time".to_owned(),
                "is the network or VPN up? `kubectl get --raw /readyz`",
            );
            return;
        }
        Freshness::Lost(_, reason) => {
            let (word, why) = reason.text();
            let hint = match reason {
                LostReason::Unauthenticated(_) => "`gonogo login` runs the credential plugin with this terminal",
                LostReason::Forbidden(_) => "the reader role in deploy/ has what is needed",
                LostReason::Unusable(_) => "mend the kubeconfig, or the context's name in the configuration",
                LostReason::Changed(_) => "look where the context leads; `gonogo check --connect --accept CLUSTER`",
                LostReason::Unreachable(_) | LostReason::Failing(_) => "is the network or VPN up? is the server well?",
            };
            say(Exit::Unreachable, format!("{word}: {why}"), hint);
            return;
        }
    }
    match (&state.facts.uid, state.facts.uid_is_derived, state.facts.uid_changed) {
        (Some(uid), _, true) => say(
            Exit::Refused,
            format!(
                "identity {uid} differs from the one remembered for this context: nothing is written to it. \
                 If that is meant: gonogo check --connect --accept {}",
                engine.fleet.cluster_name(at)
            ),
            "",
        ),
        (Some(uid), true, false) => {
            say(Exit::Done, format!("identity {uid} (from CA and URL: namespace kube-system may not be read)"), "");
        }
        (Some(uid), false, false) => say(Exit::Done, format!("identity {uid}"), ""),
        (None, ..) => {
            say(Exit::Refused, "identity unknown".to_owned(), "the reader role may get namespace kube-system")
        }
    }
    if let Some(skew) = state.skew.filter(|s| s.abs().as_secs() > 2) {
        let exit = if skew.abs().as_secs() > SKEW { Exit::Refused } else { Exit::Done };
        let word = if skew.is_negative() { "behind" } else { "ahead of" };
        let hint = if exit == Exit::Done { "" } else { "set the clock of whichever is wrong (NTP)" };
        say(exit, format!("its clock is {} {word} this host's", short(skew.abs())), hint);
    }
    for trouble in &state.facts.troubles {
        say(Exit::Refused, format!("cannot be watched: {trouble}"), "the reader role in deploy/ has what is needed");
    }
    match state.facts.rights_unanswered {
        None => say(Exit::Unreachable, "what we may do there was not answered in time".to_owned(), ""),
        Some(0) => {}
        Some(n) if state.facts.rights.len() < MOST_RIGHTS => {
            say(Exit::Refused, format!("{n} of the rights that will be needed were not answered"), "");
        }
        Some(n) => say(Exit::Done, format!("of the rights that will be needed {n} were not asked about"), ""),
    }
    for right in &state.facts.rights {
        if !right.allowed {
            let text = format!("may not {} {} in namespace {}", right.verb, right.resource, right.namespace);
            let hint = "the operator role in deploy/ has it; without it gonogo looks, and the key is refused";
            lines.push(Line { is_right: true, ..Line::new(Exit::Refused, what.clone(), text, hint) });
        }
    }
}

/// Two clusters of the configuration that lead to one API server: right where they hold other objects.
fn same_clusters(engine: &Engine, lines: &mut Vec<Line>) {
    let all = || engine.clusters.iter().enumerate();
    for (i, a) in all() {
        for (j, b) in all().skip(i + 1) {
            if a.facts.uid.is_some() && a.facts.uid == b.facts.uid {
                let (a, b) = (engine.fleet.cluster_name(i.into()), engine.fleet.cluster_name(j.into()));
                let text = format!("note: leads to the same API server as cluster {b}");
                lines.push(Line::new(Exit::Done, format!("cluster {a}"), text, ""));
            }
        }
    }
}

fn service(engine: &Engine, at: ServiceIx, lines: &mut Vec<Line>) {
    let Some((spec, state)) = engine.fleet.service(at).zip(engine.services.get(at.at())) else { return };
    for pair in one_object(spec, &engine.clusters) {
        let text = one_object_sentence(&engine.fleet, spec, pair);
        lines.push(Line::new(Exit::Refused, spec.name.to_string(), text, "give each cluster its own context"));
    }
    for (i, region) in spec.regions.iter().enumerate() {
        let what = format!("{} {}", spec.name, region.name);
        let mut say = |exit, text: String, hint: &str| lines.push(Line::new(exit, what.clone(), text, hint));
        let Some(seen) = state.region(RegionIx::from(i)) else { continue };
        let workload = &region.workload;
        let name = format!("{} {}/{}", workload.kind, workload.namespace, workload.name);
        match &seen.workload {
            Some(found) if found.image.is_none() && !region.is_reported() => {
                say(
                    Exit::Refused,
                    format!("{name} has no container {}", workload.container),
                    "`container` in `[service.NAME]`",
                );
            }
            Some(found) => say(Exit::Done, format!("{name} runs {}, {}", found.version, found.phase.word()), ""),
            None if seen.absent => {
                say(Exit::Refused, format!("{name} does not exist"), "its namespace and name in the configuration");
            }
            None => say(Exit::Unreachable, format!("{name} was not seen"), ""),
        }
        if let Some(route) = &region.route {
            let found = seen.route.as_ref().and_then(|r| r.rules.get(route.rule));
            let there = found.is_some_and(|rule| rule.iter().any(|b| b.name == route.backend));
            let text = format!("{} {}/{} rule {}", route.provider, route.namespace, route.name, route.rule);
            match (found, there) {
                (_, true) => say(Exit::Done, format!("{text} steers it by backend {}", route.backend), ""),
                (Some(_), false) => {
                    say(Exit::Refused, format!("{text} has no backend {}", route.backend), "`backend` of the route");
                }
                (None, _) => say(Exit::Refused, format!("{text} was not seen"), "its namespace, name and rule"),
            }
        }
        for column in &spec.columns {
            match seen.current.get(&column.name) {
                Some((_, Ok(value))) => {
                    say(Exit::Done, format!("column {} is {}", column.name, column.unit.show(*value)), "");
                }
                Some((_, Err(why))) => {
                    say(Exit::Refused, format!("column {}: {why}", column.name), "ask its query in Prometheus itself");
                }
                None => {
                    say(
                        Exit::Refused,
                        format!("column {}: no answer in time", column.name),
                        "is its Prometheus reachable?",
                    );
                }
            }
        }
    }
}
