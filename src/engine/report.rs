//! What happened to a service: who did what and why, and the figures that follow from it.
//!
//! From the shared record, joined with what a journal knows of the same plans. Nothing is
//! guessed: what neither of them says is left unknown.

use std::collections::{BTreeMap, BTreeSet};

use ulid::Ulid;

use crate::domain::fleet::Service;
use crate::domain::id::{RegionIx, Text};
use crate::domain::record::{Body, Fact, FactId, Move, Record};
use crate::domain::residency;
use crate::domain::stamp::{SignedDuration, Timestamp};

/// Hourly points of a region's traffic, oldest first.
pub type Traffic = Vec<(Timestamp, f64)>;

/// An operation as a journal of this host tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// Its plan.
    pub plan: Text,
    /// When it was approved.
    pub at: Timestamp,
    /// Who approved.
    pub by: Text,
    /// One line.
    pub title: Text,
    /// The service.
    pub service: Text,
    /// The regions that were hit.
    pub regions: Vec<Text>,
    /// Why.
    pub why: Text,
    /// The record's facts that it was to write.
    pub facts: BTreeSet<FactId>,
    /// How it ended, and when; none: not closed.
    pub ended: Option<(Text, Timestamp)>,
    /// It needed a broken glass.
    pub break_glass: bool,
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// Nothing before this.
    pub since: Timestamp,
    /// The moment of asking.
    pub until: Timestamp,
    /// Only this version's release.
    pub release: Option<Text>,
    /// When a version was first seen in the first ring, where gonogo did not bring it there.
    pub arrivals: BTreeMap<Text, Timestamp>,
    /// Traffic by region.
    pub traffic: Vec<Traffic>,
    /// Version that runs now, by region.
    pub runs: Vec<Option<Text>>,
}

/// The report.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What happened, oldest first.
    pub told: Vec<Told>,
    /// Share of live traffic on the new version after each move; none where traffic is not known.
    pub exposure: Vec<(Timestamp, Option<f64>)>,
    /// Figures by region.
    pub figures: Vec<Figures>,
    /// Facts that count and cannot be read, by region.
    pub unreadable: Vec<(RegionIx, usize)>,
    /// Regions whose record was not read: their part is missing.
    pub unread: Vec<RegionIx>,
    /// Regions whose measured values must stay there: they were left out.
    pub withheld: Vec<RegionIx>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Text,
    /// What.
    pub what: Text,
    /// Where; empty for the whole service.
    pub regions: Vec<RegionIx>,
    /// Why.
    pub why: Text,
    /// What was overridden.
    pub overrides: Vec<Text>,
    /// Glass was broken.
    pub break_glass: bool,
    /// How it ended, where a journal of this host knows.
    pub outcome: Option<Text>,
    /// The plan, where one is named.
    pub plan: Option<Text>,
    /// What sort of thing it was, where a report lists that on its own.
    pub sort: Sort,
}

/// What a report lists on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Nothing of the kind.
    #[default]
    Event,
    /// A person accepted windows that stood in a gate's way.
    Accepted,
    /// The way back was walked through.
    Drilled,
}

impl Sort {
    /// As JSON names it.
    pub fn key(self) -> &'static str {
        match self {
            Sort::Event => "event",
            Sort::Accepted => "accepted",
            Sort::Drilled => "drilled",
        }
    }
    fn of(body: &Body) -> Self {
        match body {
            Body::Accepted { .. } => Sort::Accepted,
            Body::Drilled { .. } => Sort::Drilled,
            _ => Sort::Event,
        }
    }
}

/// Delivery figures of one region.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// The region.
    pub region: RegionIx,
    /// Promotions written there.
    pub deployments: usize,
    /// Of them, those that were rolled back.
    pub failed: usize,
    /// Median time from a version's arrival in the fleet to its promotion here.
    pub lead: Option<SignedDuration>,
    /// Median time from a promotion that failed to its rollback.
    pub restore: Option<SignedDuration>,
}

impl Figures {
    /// Promotions per week over a span.
    pub fn per_week(&self, span: SignedDuration) -> Option<f64> {
        let weeks = span.as_secs_f64() / (7.0 * 86_400.0);
        (weeks > 0.0).then(|| self.deployments as f64 / weeks)
    }
    /// Share of promotions that were rolled back; none without a promotion.
    pub fn failure_rate(&self) -> Option<f64> {
        (self.deployments > 0).then(|| self.failed as f64 / self.deployments as f64)
    }
}

/// A move in one region.
#[derive(Clone, Copy)]
struct Moved<'a> {
    region: RegionIx,
    fact: &'a Fact,
    moved: &'a Move,
    forward: bool,
}

/// Tells what happened.
pub fn report(service: &Service, record: &Record, operations: &[Operation], ask: &Ask) -> Report {
    let inside = |at: Timestamp| at >= ask.since && at <= ask.until;
    let of_release = |m: &Move| ask.release.as_ref().is_none_or(|v| m.to_version == *v || m.from_version == *v);
    let moves: Vec<Moved<'_>> = moves(record);
    let mut told = told(service, record, operations, ask, &inside, &of_release);
    for one in &mut told {
        one.why = residency::reason(service, &one.regions, &one.why);
        one.overrides = residency::overrides(service, &one.regions, &one.overrides);
    }
    let drilled = drilled(record, &moves);
    let meant: Vec<Moved<'_>> = moves.iter().filter(|m| !drilled.contains(&m.fact.id)).copied().collect();
    let figures = service.region_indexes().map(|at| figures(at, &meant, ask, &inside, &of_release)).collect();
    let unread = service.region_indexes().filter(|at| record.region(*at).is_none()).collect();
    let unreadable = service
        .region_indexes()
        .filter_map(|at| Some((at, record.region(at)?.unreadable.len())).filter(|(_, n)| *n > 0))
        .collect();
    let withheld = residency::staying(service);
    let mut exposure = exposure(service, &moves, ask, &inside);
    if !withheld.is_empty() {
        // A share of all traffic tells that of each.
        exposure.iter_mut().for_each(|(_, share)| *share = None);
    }
    Report { told, exposure, figures, unreadable, unread, withheld }
}

fn moves(record: &Record) -> Vec<Moved<'_>> {
    let mut moves = Vec::new();
    for (at, region) in record.regions.iter().enumerate() {
        for fact in region.iter().flat_map(|r| r.facts.values()) {
            let (moved, forward) = match &fact.body {
                Body::Promoted(m) => (m, true),
                Body::RolledBack(m) => (m, false),
                _ => continue,
            };
            moves.push(Moved { region: at.into(), fact, moved, forward });
        }
    }
    moves.sort_by_key(|m| (m.fact.at, m.fact.id));
    moves
}

fn told(
    service: &Service,
    record: &Record,
    operations: &[Operation],
    ask: &Ask,
    inside: &dyn Fn(Timestamp) -> bool,
    of_release: &dyn Fn(&Move) -> bool,
) -> Vec<Told> {
    let mut by_plan: BTreeMap<Ulid, Told> = BTreeMap::new();
    let mut told: Vec<Told> = Vec::new();
    let named_by = |fact: FactId| operations.iter().find(|o| o.facts.contains(&fact)).map(|o| o.plan.clone());
    let mut seen: BTreeSet<FactId> = BTreeSet::new();
    for (at, region) in record.regions.iter().enumerate() {
        let at = RegionIx::from(at);
        let name = service.region(at).map_or("?", |r| r.name.as_str());
        for fact in region.iter().flat_map(|r| r.facts.values()).filter(|f| inside(f.at)) {
            match &fact.body {
                Body::Promoted(m) | Body::RolledBack(m) => {
                    if !of_release(m) {
                        continue;
                    }
                    let word = if matches!(fact.body, Body::Promoted(_)) { "promoted" } else { "rolled back" };
                    let entry = by_plan.entry(m.plan).or_insert_with(|| Told {
                        at: fact.at,
                        by: fact.by.as_str().into(),
                        what: format!("{word} {} {} → {}", m.ring, m.from_version, m.to_version).into(),
                        regions: Vec::new(),
                        why: m.reason.clone(),
                        overrides: m.overrides.clone(),
                        break_glass: m.break_glass,
                        outcome: None,
                        plan: Some(m.plan.to_string().into()),
                        sort: Sort::Event,
                    });
                    entry.at = entry.at.min(fact.at);
                    entry.regions.push(at);
                }
                // A fleet fact stands in every region and is one event.
                body if !fact.is_fleet_fact() || seen.insert(fact.id) => {
                    let Some(said) = body.said(name) else { continue };
                    told.push(Told {
                        at: fact.at,
                        by: fact.by.as_str().into(),
                        what: said.what,
                        regions: if fact.is_fleet_fact() { Vec::new() } else { vec![at] },
                        why: said.why,
                        overrides: Vec::new(),
                        break_glass: false,
                        outcome: None,
                        plan: named_by(fact.id),
                        sort: Sort::of(body),
                    });
                }
                _ => {}
            }
        }
    }
    told.extend(by_plan.into_values());
    for operation in operations.iter().filter(|o| *o.service == *service.name.as_str() && inside(o.at)) {
        let outcome = operation.ended.as_ref().map_or_else(|| "not closed".into(), |(o, _)| o.clone());
        // What the record tells of it is not told a second time.
        let mut known = false;
        for told in told.iter_mut().filter(|t| t.plan.as_ref() == Some(&operation.plan)) {
            told.outcome = Some(outcome.clone());
            told.break_glass |= operation.break_glass;
            known = true;
        }
        if known {
            continue;
        }
        // A release's report takes from the journal only what its own facts name.
        if ask.release.is_some() {
            continue;
        }
        let regions = operation.regions.iter().filter_map(|r| service.find_region(r)).map(|(at, _)| at);
        told.push(Told {
            at: operation.at,
            by: operation.by.clone(),
            what: operation.title.clone(),
            regions: regions.collect(),
            why: operation.why.clone(),
            overrides: Vec::new(),
            break_glass: operation.break_glass,
            outcome: Some(outcome),
            plan: Some(operation.plan.clone()),
            sort: Sort::Event,
        });
    }
    told.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.what.cmp(&b.what)));
    told
}

/// Moves of a drill for real: a way back and forward again that nothing was wrong for. No figure counts them.
fn drilled(record: &Record, moves: &[Moved<'_>]) -> BTreeSet<FactId> {
    let mut found = BTreeSet::new();
    for (at, region) in record.regions.iter().enumerate() {
        let here = |m: &&Moved<'_>| m.region == RegionIx::from(at);
        for fact in region.iter().flat_map(|r| r.facts.values()) {
            let Body::Drilled { from, to, real: true, .. } = &fact.body else { continue };
            let earlier = || moves.iter().filter(here).filter(|m| m.fact.id < fact.id);
            let same = |m: &&Moved<'_>| !m.forward && m.moved.from_version == *from && m.moved.to_version == *to;
            let Some(back) = earlier().rfind(same) else { continue };
            let again = |m: &&Moved<'_>| m.forward && m.fact.id > back.fact.id && m.moved.to_version == *from;
            found.insert(back.fact.id);
            found.extend(earlier().filter(again).map(|m| m.fact.id));
        }
    }
    found
}

fn figures(
    at: RegionIx,
    moves: &[Moved<'_>],
    ask: &Ask,
    inside: &dyn Fn(Timestamp) -> bool,
    of_release: &dyn Fn(&Move) -> bool,
) -> Figures {
    let arrival = |version: &Text| {
        let first = moves.iter().filter(|m| m.forward && m.moved.to_version == *version).map(|m| m.fact.at).min();
        [first, ask.arrivals.get(version).copied()].into_iter().flatten().min()
    };
    let mine = || moves.iter().filter(|m| m.region == at && inside(m.fact.at) && of_release(m.moved));
    let mut leads = Vec::new();
    let mut restores = Vec::new();
    let mut failed: BTreeSet<FactId> = BTreeSet::new();
    for moved in mine() {
        if moved.forward {
            let lead = arrival(&moved.moved.to_version).map(|a| moved.fact.at.duration_since(a));
            leads.extend(lead.filter(|l| l.is_positive()));
            continue;
        }
        // The promotion that this rollback took back: the newest before it to what it left.
        let before = moves.iter().rev().find(|m| {
            m.region == at && m.forward && m.fact.at <= moved.fact.at && m.moved.to_version == moved.moved.from_version
        });
        if let Some(promotion) = before.filter(|p| failed.insert(p.fact.id)) {
            restores.push(moved.fact.at.duration_since(promotion.fact.at));
        }
    }
    let promotions: Vec<FactId> = mine().filter(|m| m.forward).map(|m| m.fact.id).collect();
    Figures {
        region: at,
        deployments: promotions.len(),
        failed: promotions.iter().filter(|id| failed.contains(id)).count(),
        lead: median(leads),
        restore: median(restores),
    }
}

fn median(mut lengths: Vec<SignedDuration>) -> Option<SignedDuration> {
    lengths.sort();
    lengths.get(lengths.len() / 2).copied()
}

/// After each move: the share of live traffic that the newest version of the span had then.
fn exposure(
    service: &Service,
    moves: &[Moved<'_>],
    ask: &Ask,
    inside: &dyn Fn(Timestamp) -> bool,
) -> Vec<(Timestamp, Option<f64>)> {
    let newest = || moves.iter().rev().find(|m| m.forward && inside(m.fact.at)).map(|m| m.moved.to_version.clone());
    let Some(version) = ask.release.clone().or_else(newest) else { return Vec::new() };
    let times: BTreeSet<Timestamp> = moves
        .iter()
        .filter(|m| inside(m.fact.at) && (m.moved.to_version == version || m.moved.from_version == version))
        .map(|m| m.fact.at)
        .collect();
    let steered = service.regions.iter().any(|r| r.route.is_some());
    let share = |at: Timestamp| -> Option<f64> {
        let (mut on_new, mut total) = (0.0, 0.0);
        for region in service.region_indexes() {
            if steered && service.region(region)?.route.is_none() {
                continue;
            }
            let qps = traffic_at(ask.traffic.get(region.at())?, at)?;
            total += qps;
            if version_at(moves, region, at).or_else(|| ask.runs.get(region.at())?.clone())? == version {
                on_new += qps;
            }
        }
        (total > 0.0).then(|| on_new / total)
    };
    times.into_iter().map(|at| (at, share(at))).collect()
}

/// The hourly point nearest to a moment; none more than an hour away.
fn traffic_at(points: &Traffic, at: Timestamp) -> Option<f64> {
    let away = |t: Timestamp| t.duration_since(at).abs();
    let (found, qps) = points.iter().min_by_key(|(t, _)| away(*t))?;
    (away(*found) <= SignedDuration::from_hours(1)).then_some(*qps)
}

/// What a region ran just after a moment, as its moves tell; none without a move.
fn version_at(moves: &[Moved<'_>], region: RegionIx, at: Timestamp) -> Option<Text> {
    let mine = || moves.iter().filter(|m| m.region == region);
    let last = mine().rfind(|m| m.fact.at <= at).map(|m| m.moved.to_version.clone());
    last.or_else(|| mine().find(|m| m.fact.at > at).map(|m| m.moved.from_version.clone()))
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
