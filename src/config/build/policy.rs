//! `policy`: what follows a NO-GO, resolved key by key from the most specific level.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::error::Severity;
use super::super::reader::Table;
use super::super::source::{At, Span};
use super::Build;
use super::names::{self, Kind};
use super::topology::{Level, RingDraft};
use crate::domain::fleet::{GateSpec, Service};
use crate::domain::id::{RingIx, Text};
use crate::domain::policy::{Advance, Fallback, OnNogo, Policy, Preset, Reach, Reaction, RingPolicy};
use crate::domain::stamp::{SignedDuration, short};
use crate::gates::bake_length;

/// A policy as written at one level.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyDraft {
    preset: Option<At<String>>,
    on_nogo: Option<OnNogo>,
    scope: Option<Reach>,
    gates: Vec<(At<String>, Option<OnNogo>, Option<Reach>)>,
    fallback: Option<(Vec<Fallback>, Span)>,
    rollback_limit: Option<Duration>,
    attempts: Option<u32>,
    advance: Option<At<Advance>>,
    region_distance: Option<At<Duration>>,
    ring_distance: Option<Duration>,
    actions: Option<u32>,
    breaker: Option<u32>,
    forgotten_pause: Option<Duration>,
    unmoved: Option<Duration>,
    longest: Option<At<Duration>>,
}

fn word<T: Copy>(table: Table<'_>, key: &str, names: &[(&'static str, T)]) -> Option<At<T>> {
    let word = table.word(key)?;
    let value = names.iter().find(|(name, _)| *name == word.value).map(|(_, value)| *value)?;
    Some(At { value, at: word.at })
}

impl PolicyDraft {
    /// Reads a `policy` table, of a service or of a ring.
    pub fn read(build: &Build<'_>, table: Table<'_>) -> Self {
        let has = |key: &str| table.section.key(key).is_some();
        let length = |key: &str| if has(key) { table.duration(key) } else { None };
        let whole = |key: &str| if has(key) { table.whole(key) } else { None };
        Self {
            preset: if has("preset") { table.word("preset") } else { None },
            on_nogo: word(table, "on_nogo", &OnNogo::NAMES).map(|w| w.value),
            scope: word(table, "scope", &Reach::NAMES).map(|w| w.value),
            gates: table
                .named("gate")
                .into_iter()
                .map(|(name, gate)| {
                    let on_nogo = word(gate, "on_nogo", &OnNogo::NAMES).map(|w| w.value);
                    (name, on_nogo, word(gate, "scope", &Reach::NAMES).map(|w| w.value))
                })
                .collect(),
            fallback: fallback(build, table),
            rollback_limit: length("rollback_limit").map(|l| positive(build, "rollback_limit", l)),
            attempts: whole("attempts"),
            advance: word(table, "advance", &Advance::NAMES),
            region_distance: length("region_distance"),
            ring_distance: length("ring_distance").map(|l| l.value),
            actions: whole("actions"),
            breaker: whole("breaker"),
            forgotten_pause: length("forgotten_pause").map(|l| positive(build, "forgotten_pause", l)),
            unmoved: length("unmoved").map(|l| positive(build, "unmoved", l)),
            longest: length("longest"),
        }
    }
}

fn positive(build: &Build<'_>, key: &str, length: At<Duration>) -> Duration {
    if length.value.is_zero() {
        let message = format!("`{key}` of nothing can never be kept");
        build.problems.error("bad-duration", length.at, message, format!("write `{key} = \"10m\"`"));
    }
    length.value
}

fn fallback(build: &Build<'_>, table: Table<'_>) -> Option<(Vec<Fallback>, Span)> {
    let at = table.place_of("fallback");
    let known: Vec<&str> = Fallback::NAMES.iter().map(|(name, _)| *name).collect();
    let mut out: Vec<Fallback> = Vec::new();
    for text in table.texts("fallback")? {
        match Fallback::NAMES.iter().find(|(name, _)| *name == text.value) {
            Some((_, value)) if out.contains(value) => {
                let message = format!("`{}` is there twice", text.value);
                build.problems.error("bad-word", text.at, message, "take one of them out");
            }
            Some((_, value)) => out.push(*value),
            None => {
                let near = crate::domain::text::did_you_mean(&text.value, known.iter().copied());
                let fix = near.map_or_else(
                    || format!("write some of {}", names::list(&known)),
                    |n| format!("did you mean `{n}`?"),
                );
                let message = format!("a rollback cannot go to `{}`", text.value);
                build.problems.error("bad-word", text.at, message, fix);
            }
        }
    }
    let rank = |f: &Fallback| Fallback::NAMES.iter().position(|(_, v)| v == f);
    if out.is_empty() || !out.is_sorted_by_key(rank) {
        let message = if out.is_empty() { "`fallback` names nothing" } else { "`fallback` goes from near to far" };
        let fix = "write `fallback = [\"n-1\", \"n-2\", \"drain\"]`, or part of it in that order";
        build.problems.error("bad-fallback", at, message, fix);
    }
    Some((out, at))
}

/// The preset of a service, from the most specific level that names one.
pub(super) fn preset(levels: &[&Level]) -> Option<(&'static Preset, Span)> {
    let named = levels.iter().find_map(|level| level.policy.preset.as_ref())?;
    Some((Preset::find(&named.value)?, named.at))
}

/// The bake that a preset wants in a ring, as the least specific level.
pub(super) fn preset_level(preset: Option<(&'static Preset, Span)>, ring: usize, of: usize) -> Level {
    let bake = preset.map(|(p, at)| At { value: p.bake(ring, of), at });
    Level { bake, ..Level::default() }
}

/// Levels of one ring, most specific first; the last ones are the service's.
pub(super) fn resolve(
    build: &Build<'_>,
    service: &Service,
    rings: &[(&RingDraft, [&Level; 2])],
    general: &[&Level],
) -> Policy {
    let preset = preset(general);
    let base = Policy::default();
    let all = || general.iter().map(|l| &l.policy);
    let longest = all().find_map(|p| p.longest.as_ref()).map(|l| l.value).or_else(|| preset.map(|(p, _)| p.longest));
    let policy = Policy {
        preset: preset.map(|(p, _)| p.name.into()),
        rings: rings.iter().map(|(_, own)| ring(own, general, preset.map(|(p, _)| p))).collect(),
        actions: all().find_map(|p| p.actions).unwrap_or(base.actions),
        breaker: all().find_map(|p| p.breaker).unwrap_or(base.breaker),
        forgotten_pause: all().find_map(|p| p.forgotten_pause).unwrap_or(base.forgotten_pause),
        unmoved: all().find_map(|p| p.unmoved).or_else(|| preset.map(|(p, _)| p.longest)),
        longest,
    };
    gates_are_there(build, service, rings, general);
    if let Some((preset, at)) = preset {
        contradicts(build, service, preset, at);
    }
    for (ix, (draft, own)) in rings.iter().enumerate() {
        if let Some(ring) = policy.rings.get(ix) {
            let levels: Vec<&Level> = own.iter().copied().chain(general.iter().copied()).collect();
            odd_ring(build, service, ix.into(), ring, draft, &levels);
        }
    }
    policy
}

fn ring(own: &[&Level; 2], general: &[&Level], preset: Option<&Preset>) -> RingPolicy {
    let all = || own.iter().chain(general).map(|l| &l.policy);
    let base = RingPolicy::default();
    let reaction = Reaction {
        on_nogo: all().find_map(|p| p.on_nogo).or_else(|| preset.map(|p| p.on_nogo)).unwrap_or(base.reaction.on_nogo),
        scope: all().find_map(|p| p.scope).unwrap_or(base.reaction.scope),
    };
    let mut gates: BTreeMap<Text, Reaction> = BTreeMap::new();
    // From the least specific level on, so that the most specific one has the last word.
    for (name, on_nogo, scope) in own.iter().chain(general).rev().flat_map(|l| &l.policy.gates) {
        let known = gates.entry(name.value.as_str().into()).or_insert(reaction);
        known.on_nogo = on_nogo.unwrap_or(known.on_nogo);
        known.scope = scope.unwrap_or(known.scope);
    }
    RingPolicy {
        reaction,
        gates,
        fallback: all().find_map(|p| p.fallback.as_ref()).map_or(base.fallback, |(f, _)| f.clone()),
        rollback_limit: all().find_map(|p| p.rollback_limit).unwrap_or(base.rollback_limit),
        attempts: all().find_map(|p| p.attempts).unwrap_or(base.attempts),
        advance: all()
            .find_map(|p| p.advance.as_ref().map(|a| a.value))
            .or_else(|| preset.map(|p| p.advance))
            .unwrap_or(base.advance),
        region_distance: all()
            .find_map(|p| p.region_distance.as_ref().map(|d| d.value))
            .unwrap_or(base.region_distance),
        ring_distance: all()
            .find_map(|p| p.ring_distance)
            .or_else(|| preset.map(|p| p.ring_distance))
            .unwrap_or(base.ring_distance),
    }
}

/// A reaction to a gate that nobody judges by is a misspelt one. `[defaults]` may name gates
/// that only other services have, so it is not asked.
fn gates_are_there(build: &Build<'_>, service: &Service, rings: &[(&RingDraft, [&Level; 2])], general: &[&Level]) {
    let labels = |gates: &[GateSpec]| gates.iter().map(|g| g.label.to_string()).collect::<Vec<_>>();
    let every: Vec<String> = service.rings.iter().flat_map(|r| labels(&r.exit_gates)).collect();
    let known = |known: &[String], name: &At<String>| {
        if !known.contains(&name.value) {
            let mut distinct: Vec<&str> = known.iter().map(String::as_str).collect();
            distinct.sort_unstable();
            distinct.dedup();
            names::unknown(build.problems, Kind::Gate, name, distinct);
        }
    };
    for (ix, (_, own)) in rings.iter().enumerate() {
        let here = service.rings.get(ix).map(|r| labels(&r.exit_gates)).unwrap_or_default();
        own.iter().flat_map(|l| &l.policy.gates).for_each(|(name, ..)| known(&here, name));
    }
    // The service's and the topology's: all levels but the last, which is `[defaults]`.
    let written = general.split_last().map(|(_, rest)| rest).unwrap_or_default();
    written.iter().flat_map(|l| &l.policy.gates).for_each(|(name, ..)| known(&every, name));
}

/// What a preset is made for, and this service is not.
fn contradicts(build: &Build<'_>, service: &Service, preset: &Preset, at: Span) {
    let (name, count) = (&service.name, service.rings.len());
    if let Some(wanted) = preset.rings.filter(|wanted| *wanted != count) {
        let message = format!("preset `{}` is made for {wanted} rings; service `{name}` has {count}", preset.name);
        let fix = "give the service as many rings, or take another preset";
        build.problems.error("preset-rings", at, message, fix);
    }
    if preset.one_cell {
        let cell = service.rings.get(1).map_or(0, |r| r.regions.len());
        if cell != 1 {
            let message = format!(
                "preset `{}` bakes in one cell: ring 1 of service `{name}` must be a single region, not {cell}",
                preset.name
            );
            build.problems.error("preset-rings", at, message, "move the other regions to a later ring");
        }
    }
    for (ix, ring) in service.rings.iter().enumerate() {
        let wanted = preset.bake(ix, count);
        if let Some(bake) = bake_of(&ring.exit_gates).filter(|bake| *bake < wanted) {
            let message = format!(
                "ring `{}` of service `{name}` bakes {}, which is less than the {} of preset `{}`",
                ring.name,
                length(bake),
                length(wanted),
                preset.name
            );
            let fix = "bake as long as the preset, or take one that promises less";
            build.problems.put(Severity::Finding, "preset-bake", at, message, fix);
        }
    }
}

fn bake_of(gates: &[GateSpec]) -> Option<Duration> {
    gates.iter().filter(|g| &*g.gate == "bake").find_map(|g| g.params.text("for").and_then(bake_length))
}

fn length(of: Duration) -> String {
    short(SignedDuration::try_from(of).unwrap_or_default())
}

/// What one ring's policy cannot mean.
fn odd_ring(build: &Build<'_>, service: &Service, at: RingIx, ring: &RingPolicy, draft: &RingDraft, levels: &[&Level]) {
    let Some(spec) = service.ring(at) else { return };
    let name = &spec.name;
    let written = |find: &dyn Fn(&PolicyDraft) -> Option<Span>| {
        levels.iter().find_map(|l| find(&l.policy)).unwrap_or(draft.name.at)
    };
    let advance = written(&|p| p.advance.as_ref().map(|a| a.at));
    let approval = spec.entry_gates.iter().any(|g| &*g.gate == "approval");
    if ring.advance == Advance::TwoPerson && !approval {
        let message = format!("ring `{name}` needs two persons, but no `approval` gate asks the second");
        let fix = "add `{ gate = \"approval\", … }` to its `entry`, or write `advance = \"ask\"`";
        build.problems.error("two-person", advance, message, fix);
    }
    let judged = spec.exit_gates.iter().any(|g| !matches!(&*g.gate, "ready" | "freshness" | "bake"));
    let waits_for_nobody = at.0 > 0 && ring.advance == Advance::Auto;
    if waits_for_nobody && !judged {
        let message = format!("ring `{name}` moves by itself, and no gate but time and readiness judges it");
        let fix = "add a `threshold` to its `exit`, or write `advance = \"ask\"`";
        build.problems.put(Severity::Finding, "blind-autopilot", advance, message, fix);
    }
    if !ring.region_distance.is_zero() && spec.parallelism > 1 {
        let place = written(&|p| p.region_distance.as_ref().map(|d| d.at));
        let message = format!(
            "ring `{name}` has a `region_distance`, which changes one region at a time, and `parallelism = {}`",
            spec.parallelism
        );
        build.problems.put(Severity::Finding, "distance-parallelism", place, message, "keep one of them");
    }
    let unsteered = spec.regions.iter().filter_map(|r| service.region(*r)).find(|r| r.route.is_none());
    if let Some(region) = unsteered.filter(|_| ring.fallback.contains(&Fallback::Drain)) {
        let place = written(&|p| p.fallback.as_ref().map(|(_, at)| *at));
        let message = format!("region `{}` of ring `{name}` has no route: it cannot be drained", region.name);
        build.problems.put(Severity::Note, "fallback-drain", place, message, "the region is held instead");
    }
}
