//! Judges release plans: what a configuration would let happen, before it does.
//!
//! Each finding is a file with one `Check`; `CHECKS` is the table. A check is a pure function over what
//! is configured and declared, and what was measured where somebody is connected. What it lacks it says:
//! not checked is not fine.

use std::collections::BTreeMap;

use crate::config::{Config, Waiver};
use crate::domain::fleet::Service;
use crate::domain::id::{ColumnName, RegionIx, RingIx, ServiceIx};
use crate::domain::metric::Reading;
use crate::domain::stamp::Timestamp;

mod approval_nobody;
mod baseline_alone;
mod bake_short;
mod canary_blind;
mod canary_busiest;
mod canary_mix;
mod capacity_old;
mod headroom;
mod mixed_change;
mod order;
mod ring_ungated;
mod ring_unowned;
mod shared_delivery;
mod shares;
mod threshold_loose;
mod too_long;
mod view;
mod waiver_idle;
mod window_shut;

use view::Plan;

/// Every check, by code.
pub static CHECKS: &[&Check] = &[
    &order::CHECK,
    &canary_busiest::CHECK,
    &canary_blind::CHECK,
    &canary_mix::CHECK,
    &ring_ungated::CHECK,
    &ring_unowned::CHECK,
    &bake_short::CHECK,
    &too_long::CHECK,
    &window_shut::CHECK,
    &approval_nobody::CHECK,
    &threshold_loose::CHECK,
    &headroom::CHECK,
    &shares::CHECK,
    &mixed_change::CHECK,
    &capacity_old::CHECK,
    &waiver_idle::CHECK,
    &baseline_alone::CHECK,
    &shared_delivery::CHECK,
];

/// One kind of finding.
#[derive(Debug)]
pub struct Check {
    /// Its code, for good: `GG001`.
    pub code: &'static str,
    /// Its name in a word or two.
    pub name: &'static str,
    /// What it may lead to.
    pub severity: Severity,
    /// What it finds, in one sentence.
    pub about: &'static str,
    /// What is measured may change its answer.
    pub measures: bool,
    /// Looks for it.
    find: fn(&Plan<'_>, &mut Notes),
}

/// What a finding may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The release stalls, or people rest on what no longer holds.
    Low,
    /// A bad release reaches more people, or nobody notices it.
    High,
}

impl Severity {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::High => "high",
        }
    }
}

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Which service of it.
    pub service: ServiceIx,
    /// What was measured; none: nobody is connected.
    pub measured: Option<&'a Measured>,
    /// Now.
    pub now: Timestamp,
}

/// Newest samples by position of the region.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured(pub Vec<BTreeMap<ColumnName, Reading>>);

/// What a check says.
#[derive(Debug, Default)]
struct Notes {
    found: Vec<Found>,
    unchecked: Vec<String>,
}

/// Something found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// In which ring, if it is about one.
    pub ring: Option<RingIx>,
    /// In which region, if it is about one.
    pub region: Option<RegionIx>,
    /// What, with the numbers.
    pub sentence: String,
    /// What to do about it.
    pub fix: String,
}

/// Something found, by which check, and whether somebody has accepted it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The check.
    pub check: &'static Check,
    /// What it found.
    pub found: Found,
    /// Why it is accepted, if it is.
    pub waived: Option<crate::domain::id::Text>,
}

/// What there is to say about the plan of one service.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In the order of the table.
    pub findings: Vec<Finding>,
    /// What could not be judged, and why, by check.
    pub unchecked: Vec<(&'static Check, String)>,
}

impl Report {
    /// Findings that nobody has accepted.
    pub fn open(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.waived.is_none())
    }
}

/// A check by its code.
pub fn check(code: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|c| c.code == code)
}

/// Judges the plan of a service.
pub fn judge(input: Input<'_>) -> Report {
    let mut report = Report::default();
    let Some(plan) = Plan::new(input) else { return report };
    let mut used: Vec<&Waiver> = Vec::new();
    for check in CHECKS {
        let mut notes = Notes::default();
        (check.find)(&plan, &mut notes);
        report.unchecked.extend(notes.unchecked.into_iter().map(|why| (*check, why)));
        for found in notes.found {
            let covers = |w: &&Waiver| &*w.code == check.code && w.over.covers(found.ring, found.region);
            let waiver = plan.facts.waivers.iter().find(covers);
            used.extend(waiver);
            report.findings.push(Finding { check, found, waived: waiver.map(|w| w.reason.clone()) });
        }
    }
    let unsure = |check: &Check| {
        report.unchecked.iter().any(|(c, _)| c.code == check.code) || (check.measures && plan.measured.is_none())
    };
    let idle = plan.facts.waivers.iter().filter(|w| !used.contains(w));
    // What was not judged may yet be found.
    let idle = idle.filter(|w| check(&w.code).is_some_and(|c| !unsure(c)));
    let idle: Vec<Found> = idle.map(|w| waiver_idle::found(plan.service, w)).collect();
    report.findings.extend(idle.into_iter().map(|found| Finding { check: &waiver_idle::CHECK, found, waived: None }));
    report
}

impl Notes {
    /// Something about a ring.
    fn ring(&mut self, ring: RingIx, sentence: impl Into<String>, fix: impl Into<String>) {
        self.found.push(Found { ring: Some(ring), region: None, sentence: sentence.into(), fix: fix.into() });
    }

    /// Something about a region.
    fn region(&mut self, plan: &Plan<'_>, at: RegionIx, sentence: impl Into<String>, fix: impl Into<String>) {
        let ring = plan.service.region(at).map(|r| r.ring);
        self.found.push(Found { ring, region: Some(at), sentence: sentence.into(), fix: fix.into() });
    }

    /// Something about the service.
    fn service(&mut self, sentence: impl Into<String>, fix: impl Into<String>) {
        self.found.push(Found { ring: None, region: None, sentence: sentence.into(), fix: fix.into() });
    }

    /// What is lacking.
    fn lacks(&mut self, why: impl Into<String>) {
        self.unchecked.push(why.into());
    }
}

/// Where something was found, for people.
pub fn place(service: &Service, found: &Found) -> String {
    let region = found.region.and_then(|at| service.region(at)).map(|r| r.name.to_string());
    let ring = || found.ring.and_then(|at| service.ring(at)).map(|r| r.name.to_string());
    region.or_else(ring).unwrap_or_else(|| service.name.to_string())
}
