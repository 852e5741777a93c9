//! `gonogo handover`: what the next shift must know, on one screen.

use serde_json::{Value, json};

use super::VERSION;
use super::question::{line_of, people, withheld};
use super::status::{phase_text, runs_text};
use super::wording::for_verbs;
use crate::domain::fleet::Service;
use crate::domain::id::{RingIx, ServiceIx};
use crate::domain::record::{Body, Fact, Move, Record};
use crate::domain::residency;
use crate::domain::stamp::short;
use crate::domain::text::{safe, visible};
use crate::engine::Engine;
use crate::engine::drills::due_sentence;
use crate::engine::view::{Drained, Heard, ServiceView, Turn};
use crate::look::glyph::ring_word;

/// Most lines: it must fit the smallest terminal.
const MOST: usize = 24;
/// Longest line.
const WIDTH: usize = 160;

/// The page for people, at most 24 lines; what did not fit is counted.
pub fn text(engine: &Engine, at: ServiceIx) -> String {
    let Some(service) = engine.fleet.service(at) else { return String::new() };
    let Some(state) = engine.services.get(at.at()) else { return String::new() };
    let view = &state.view;
    // The head and the foot stand in any case; the middle gives way.
    let mut head = vec![headline(service, view), next_decision(engine, service, view)];
    let mut foot = foot(service, view);
    let withheld = withheld(service);
    if !withheld.is_empty() {
        foot.push(format!("LESS  values measured in {} are left out: they must stay there", withheld.join(", ")));
    }
    let name = Some(service.name.as_str());
    let mut middle: Vec<String> = view.alarms.iter().map(|a| format!("ALARM {}", for_verbs(a, name))).collect();
    middle.extend(view.holds.iter().map(|h| {
        let since = h.at.map(|t| format!(" since {}", t.strftime("%d %b %H:%M UTC"))).unwrap_or_default();
        let reason = residency::reason(service, &[], h.why());
        format!("HOLD  {} by {}{since}: {reason}", h.scope, h.by)
    }));
    middle.extend(engine.in_quarantine(at).iter().map(|q| format!("QUAR  {}: {}", q.name(), q.said)));
    middle.extend(overrides(service, &state.record).into_iter().map(|(fact, moved)| {
        let word = if moved.break_glass { "GLASS" } else { "OVER " };
        let overridden = residency::overrides(service, &[], &moved.overrides);
        let what = overridden.first().map_or("", |o| o);
        let told = residency::reason(service, &[], &moved.reason);
        let reason = if told.is_empty() { "no reason given" } else { &told };
        let when = fact.at.strftime("%d %b %H:%M UTC");
        format!("{word} {} {when} by {}: {what} — {reason}", moved.ring, fact.by)
    }));
    for (ring, view_of_ring) in service.rings.iter().zip(&view.rings) {
        let since = view_of_ring.bake_start.map(|b| short(engine.server_now().duration_since(b.at)));
        let since = since.map(|s| format!(", for {s}")).unwrap_or_default();
        let word = ring_word(view_of_ring.phase);
        middle.push(format!("RING  {} runs {} and is {word}{since}", ring.name, runs_text(&view_of_ring.runs)));
    }
    middle.extend(troubles(service, view).into_iter().map(|t| format!("SEE   {t}")));
    middle.extend(due_sentence(service, &engine.undrilled(at)).map(|due| format!("SEE   {due}")));
    let room = MOST.saturating_sub(head.len() + foot.len());
    if middle.len() > room {
        let more = middle.len() - room.saturating_sub(1);
        middle.truncate(room.saturating_sub(1));
        middle.push(format!("… and {more} lines more: `gonogo status {}`", service.name));
    }
    head.extend(middle);
    head.extend(foot);
    head.iter().map(|line| format!("{}\n", safe(&visible(line), WIDTH))).collect()
}

fn headline(service: &Service, view: &ServiceView) -> String {
    let versions = match (&view.release.from, &view.release.to) {
        (Some(from), Some(to)) if from != to => format!("{from} → {to}"),
        (Some(from), _) => from.to_string(),
        _ => "nothing seen yet".to_owned(),
    };
    // A share of all traffic tells that of each.
    let share = view.exposure.filter(|_| residency::staying(service).is_empty());
    let exposure = share.map_or_else(|| "exposure ?".to_owned(), |share| format!("exposure {:.1} %", share * 100.0));
    let eta = view.eta.map(|t| format!(", done {} at best", t.strftime("%d %b %H:%M UTC"))).unwrap_or_default();
    format!("{}  {versions}  {}  {exposure}{eta}", service.name, phase_text(service, view))
}

fn next_decision(engine: &Engine, service: &Service, view: &ServiceView) -> String {
    let Some(question) = &view.question else {
        return "NEXT  nothing waits for a decision".to_owned();
    };
    let when = match question.turn() {
        Turn::Now => "now".to_owned(),
        Turn::At(t) if t > engine.server_now() => format!("at {}", t.strftime("%d %b %H:%M UTC")),
        Turn::At(_) => "at any moment".to_owned(),
        Turn::Unknown => "when that is seen to".to_owned(),
    };
    format!("NEXT  {} {when}", line_of(service, &question.told(service)).trim_end())
}

fn foot(service: &Service, view: &ServiceView) -> Vec<String> {
    let ring = view.question.as_ref().map_or(RingIx(0), |q| q.ring);
    let mut foot = Vec::new();
    if let Some(raised) = &view.last_raised {
        foot.push(format!(
            "LAST  raised: {} by {} at {}",
            raised.what,
            raised.by,
            raised.at.strftime("%d %b %H:%M UTC")
        ));
    }
    let people = people(service, ring);
    foot.push(if people.is_empty() {
        "WHO   nobody is named in the configuration".to_owned()
    } else {
        format!("WHO   {}", people.join(" · "))
    });
    foot
}

/// Promotions of what runs now that passed over a gate.
fn overrides<'a>(service: &Service, record: &'a Record) -> Vec<(&'a Fact, &'a Move)> {
    let newest = service.region_indexes().filter_map(|at| record.region(at)?.newest_move());
    let mut found: Vec<(&Fact, &Move)> = newest
        .filter(|(fact, m)| matches!(fact.body, Body::Promoted(_)) && (m.break_glass || !m.overrides.is_empty()))
        .collect();
    found.sort_by_key(|(fact, _)| fact.id);
    found.dedup_by_key(|(_, m)| m.plan);
    found
}

/// Regions that are not as they should be.
fn troubles(service: &Service, view: &ServiceView) -> Vec<String> {
    let trouble = |(region, seen): (&crate::domain::fleet::Region, &crate::engine::view::RegionView)| {
        let mut what: Vec<String> = Vec::new();
        if seen.heard != Heard::Live {
            what.push(super::status::heard_text(&seen.heard));
        }
        if let Some(words) = seen.out_of_traffic() {
            let whose = if seen.drained == Drained::Elsewhere { ", not drained by gonogo" } else { "" };
            what.push(format!("{words}{whose}"));
        }
        (!what.is_empty()).then(|| format!("{}: {}", region.name, what.join(", ")))
    };
    service.regions.iter().zip(&view.regions).filter_map(trouble).collect()
}

/// The same as a document.
pub fn json(engine: &Engine, at: ServiceIx) -> Value {
    let lines: Vec<String> = text(engine, at).lines().map(str::to_owned).collect();
    let Some((service, state)) = engine.fleet.service(at).zip(engine.services.get(at.at())) else { return Value::Null };
    let overrides: Vec<Value> = overrides(service, &state.record)
        .into_iter()
        .map(|(fact, moved)| {
            json!({
                "at": fact.at.to_string(), "by": fact.by.as_str(), "ring": &*moved.ring, "to": &*moved.to_version,
                "overrides": residency::overrides(service, &[], &moved.overrides)
                    .iter().map(|o| o.to_string()).collect::<Vec<_>>(),
                "break_glass": moved.break_glass, "reason": &*residency::reason(service, &[], &moved.reason),
            })
        })
        .collect();
    json!({
        "version": VERSION,
        "kind": "handover",
        "service": service.name.as_str(),
        "at": engine.server_now().to_string(),
        "lines": lines,
        "overrides": overrides,
        "question": state.view.question.as_ref().map(|q| super::question::json(service, &q.told(service))),
        "withheld": withheld(service),
    })
}
