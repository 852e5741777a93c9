//! The shared record: facts beside the workloads, one ConfigMap key per fact.
//!
//! Union by key is the merge: commutative, associative, idempotent. A removal is a
//! new fact that names the old one, and wins. What cannot be read may make a verdict
//! stricter, never looser.

mod fact;
mod moved;
mod said;
mod settled;
mod text;

use std::collections::BTreeMap;

use ulid::Ulid;

pub use fact::{Body, Fact, FactId, Scope};
pub use moved::Move;
pub use said::Said;
pub use settled::{SETTLED, Settled};

use super::approval::Approval;
use super::id::{ColumnName, Operator, RegionIx, Text};
use super::small_map::SmallMap;
use super::stamp::{SignedDuration, Timestamp};
use super::verdict::Stretch;
use super::version::TemplateDigest;

/// The record of one region as its ConfigMap shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegionRecord {
    /// Facts by key.
    pub facts: SmallMap<FactId, Fact>,
    /// Settled facts by template.
    pub settled: SmallMap<TemplateDigest, Settled>,
    /// Keys that cannot be read.
    pub unreadable: Vec<Text>,
    /// Bytes of all keys and values.
    pub bytes: usize,
}

/// Most bytes a region's record may grow to.
pub const MOST_BYTES: usize = 32 * 1024;
/// Facts older than this are ignored, but for those [`RegionRecord::relevant`] names.
pub const FACT_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);

impl RegionRecord {
    /// Reads the `data` of a ConfigMap.
    pub fn read<'a>(data: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut record = Self::default();
        for (key, value) in data {
            record.bytes += key.len() + value.len();
            if let Some(hex) = key.strip_prefix(SETTLED) {
                match (TemplateDigest::from_hex(hex), Settled::parse(value)) {
                    (Some(digest), Some(settled)) => {
                        record.settled.insert(digest, settled);
                    }
                    _ => record.unreadable.push(key.into()),
                }
            } else if let Some(fact) = Fact::parse(key, value).filter(|f| !record.facts.contains_key(&f.id)) {
                record.facts.insert(fact.id, fact);
            } else {
                // Also a second fact of one identity: no fact may hide another.
                record.unreadable.push(key.into());
            }
        }
        record
    }

    /// Union by key with another reading of the same region.
    ///
    /// A settled fact is only ever replaced when its stay has ended (the first writer wins
    /// otherwise), so of two with one key the later is the one that stands.
    pub fn merge(&mut self, other: &RegionRecord) {
        for (id, fact) in other.facts.iter() {
            if !self.facts.contains_key(id) {
                self.facts.insert(*id, fact.clone());
            }
        }
        for (digest, settled) in other.settled.iter() {
            if self.settled.get(digest).is_none_or(|mine| settled.order() > mine.order()) {
                self.settled.insert(*digest, settled.clone());
            }
        }
        for key in &other.unreadable {
            if !self.unreadable.contains(key) {
                self.unreadable.push(key.clone());
            }
        }
        self.unreadable.sort();
    }

    /// Facts that count at `now`, oldest first: not older than [`FACT_LIFE`], or a hold or
    /// quarantine, or what ends one, or the newest promoted or rolled-back fact, or the newest drill.
    pub fn relevant(&self, now: Timestamp) -> impl Iterator<Item = &Fact> {
        let newest = self.newest_move().map(|(fact, _)| fact.id);
        let drill = self.newest_drill().map(|fact| fact.id);
        self.facts.values().filter(move |fact| {
            now.duration_since(fact.at) <= FACT_LIFE
                || Some(fact.id) == newest
                || Some(fact.id) == drill
                || matches!(fact.body, Body::Checked { .. } | Body::Halted { .. } | Body::Unhalted { .. })
                || fact.is_fleet_fact() && !matches!(fact.body, Body::Draining { .. } | Body::Revoked { .. })
        })
    }

    /// Promotions into this region, newest first.
    pub fn promotions(&self) -> impl Iterator<Item = (&Fact, &Move)> {
        self.moves().filter(|(f, _)| matches!(f.body, Body::Promoted(_)))
    }

    /// Promotions and rollbacks, newest first.
    pub fn moves(&self) -> impl Iterator<Item = (&Fact, &Move)> {
        self.facts.values().rev().filter_map(|f| match &f.body {
            Body::Promoted(m) | Body::RolledBack(m) => Some((f, m)),
            _ => None,
        })
    }

    /// The newest promotion into this region.
    pub fn newest_promotion(&self) -> Option<(&Fact, &Move)> {
        self.promotions().next()
    }

    /// The newest promotion or rollback.
    pub fn newest_move(&self) -> Option<(&Fact, &Move)> {
        self.moves().next()
    }

    /// Whether what runs there is what a rollback brought: it lowers risk, so a hold does not stop it.
    pub fn is_rolled_back_to(&self, template: TemplateDigest) -> bool {
        self.newest_move().is_some_and(|(f, m)| matches!(f.body, Body::RolledBack(_)) && m.to_template == template)
    }

    /// The newest drill, however old.
    pub fn newest_drill(&self) -> Option<&Fact> {
        self.facts.values().rev().find(|f| matches!(f.body, Body::Drilled { .. }))
    }

    /// What was accepted of a column while this template ran: the fact, the stretch, and why.
    pub fn accepted(
        &self,
        column: &ColumnName,
        template: TemplateDigest,
        now: Timestamp,
    ) -> Vec<(&Fact, &Stretch, &Text)> {
        let facts = self.facts.values().filter(|f| now.duration_since(f.at) <= FACT_LIFE);
        let about = facts.filter_map(|fact| match &fact.body {
            Body::Accepted { stretch, template: ran, reason } if stretch.column == *column && *ran == template => {
                Some((fact, stretch, reason))
            }
            _ => None,
        });
        about.collect()
    }

    /// The drain in force, if any.
    pub fn drained(&self) -> Option<&Fact> {
        let restored = |id: FactId| {
            self.facts.values().any(|f| matches!(&f.body, Body::Restored { drained, .. } if *drained == id))
        };
        // The oldest that was not restored remembers the weights from before.
        self.facts.values().find(|f| matches!(f.body, Body::Drained { .. }) && !restored(f.id))
    }

    /// Pauses of ours that were not taken back.
    pub fn pauses(&self) -> impl Iterator<Item = (&Fact, FactId, TemplateDigest)> {
        self.facts.values().filter_map(|f| match &f.body {
            Body::Paused { hold, template, .. } => {
                let undone =
                    self.facts.values().any(|u| matches!(&u.body, Body::Unpaused { paused } if *paused == f.id));
                (!undone).then_some((f, *hold, *template))
            }
            _ => None,
        })
    }
}

impl RegionRecord {
    /// What delivers the region was kept from bringing anything by itself, and that was not given back: the fact
    /// and what was taken away.
    pub fn halts(&self) -> impl Iterator<Item = (&Fact, &Text)> {
        self.facts.values().filter_map(|f| match &f.body {
            Body::Halted { was, .. } => {
                let undone =
                    self.facts.values().any(|u| matches!(&u.body, Body::Unhalted { halted } if *halted == f.id));
                (!undone).then_some((f, was))
            }
            _ => None,
        })
    }
}

/// The record of a service: one reading per region, none where nothing was read yet.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// By region.
    pub regions: Vec<Option<RegionRecord>>,
    /// Approvals that lie in each region, by the name of their ConfigMap; those that cannot be
    /// read with the reason.
    pub approvals: Vec<BTreeMap<Text, Result<Approval, Text>>>,
}

/// A hold that no release has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct HoldInForce {
    /// The hold; none when the fact cannot be read, which holds all the same.
    pub id: Option<FactId>,
    /// What it covers.
    pub scope: Scope,
    /// Who.
    pub by: Operator,
    /// When, if it can be read.
    pub at: Option<Timestamp>,
    /// Why.
    pub reason: Text,
    /// How many regions have the fact.
    pub seen_in: usize,
    /// How many regions the service has.
    pub of: usize,
}

impl HoldInForce {
    /// A hold that is being written, and that no record has yet; none: the fact is no hold.
    pub fn wanted(fact: &Fact, of: usize) -> Option<Self> {
        let Body::Hold { scope, reason } = &fact.body else { return None };
        Some(Self {
            id: Some(fact.id),
            scope: scope.clone(),
            by: fact.by.clone(),
            at: Some(fact.at),
            reason: reason.clone(),
            seen_in: 0,
            of,
        })
    }

    /// Why, in words also where nobody said.
    pub fn why(&self) -> &str {
        if self.reason.trim().is_empty() { "no reason given" } else { &self.reason }
    }

    /// What is held, as every place says it: `HELD ring-2`, `HELD service hold 1 of 4`; with how many more hold.
    pub fn headline(&self, holds: usize) -> String {
        let scope = match &self.scope {
            Scope::Service => "service",
            Scope::Ring(name) | Scope::Region(name) => name,
        };
        let partly = self.partly().map(|p| format!(" {p}")).unwrap_or_default();
        let more = if holds > 1 { format!(" (+{})", holds - 1) } else { String::new() };
        format!("HELD {scope}{partly}{more}")
    }

    /// How far it has come, where that is less than a majority: `hold 1 of 4`.
    pub fn partly(&self) -> Option<String> {
        let wanted = if self.seen_in == 0 { " wanted" } else { "" };
        (!self.complete()).then(|| format!("hold {} of {}{wanted}", self.seen_in, self.of))
    }

    /// A majority of the regions have it.
    pub fn complete(&self) -> bool {
        self.seen_in * 2 > self.of
    }
}

impl Record {
    /// An empty record for that many regions.
    pub fn for_regions(count: usize) -> Self {
        Self { regions: vec![None; count], approvals: vec![BTreeMap::new(); count] }
    }

    /// The record of a region, if read.
    pub fn region(&self, at: RegionIx) -> Option<&RegionRecord> {
        self.regions.get(at.at()).and_then(Option::as_ref)
    }

    fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.regions.iter().flatten().flat_map(|r| r.facts.values())
    }

    /// Whether any region has the release of a hold.
    pub fn released(&self, hold: FactId) -> bool {
        self.facts().any(|f| matches!(&f.body, Body::Release { hold: h, .. } if *h == hold))
    }

    /// Approvals that lie in a region.
    pub fn approvals_in(&self, at: RegionIx) -> impl Iterator<Item = (&Text, &Result<Approval, Text>)> {
        self.approvals.get(at.at()).into_iter().flatten()
    }

    /// The fact that ended an approval, in whichever region it is.
    pub fn revocation(&self, approval: FactId) -> Option<&Fact> {
        self.facts().find(|f| matches!(&f.body, Body::Revoked { approval: a, .. } if *a == approval))
    }

    /// A revocation that cannot be read may mean any approval.
    pub fn unreadable_revocation(&self) -> Option<&Text> {
        self.regions.iter().flatten().flat_map(|r| &r.unreadable).find(|k| k.ends_with(".revocation"))
    }

    /// Holds in force, oldest first: a hold anywhere is a hold everywhere.
    pub fn holds(&self) -> Vec<HoldInForce> {
        let of = self.regions.len();
        let mut holds: BTreeMap<FactId, HoldInForce> = BTreeMap::new();
        for fact in self.facts() {
            let Some(hold) = HoldInForce::wanted(fact, of) else { continue };
            holds.entry(fact.id).or_insert(hold).seen_in += 1;
        }
        let mut holds: Vec<_> = holds.into_values().filter(|h| h.id.is_none_or(|id| !self.released(id))).collect();
        let broken = self.regions.iter().flatten().flat_map(|r| &r.unreadable).filter(|k| k.ends_with(".hold"));
        for key in broken {
            let reason: Text = format!("the fact {} cannot be read, so it holds", super::text::safe(key, 80)).into();
            let hold = HoldInForce {
                id: key.split_once('.').and_then(|(id, _)| Ulid::from_string(id).ok()).map(FactId),
                scope: Scope::Service,
                by: Operator::new("unknown"),
                at: None,
                reason,
                seen_in: 1,
                of,
            };
            if hold.id.is_none_or(|id| !self.released(id)) && !holds.iter().any(|h| h.id.is_some() && h.id == hold.id) {
                holds.push(hold);
            }
        }
        holds
    }

    /// Quarantines in force: digest and fact.
    pub fn quarantines(&self) -> Vec<(&Text, &Fact)> {
        let cleared = |id: FactId| {
            self.facts().any(|f| matches!(&f.body, Body::Clearance { quarantine, .. } if *quarantine == id))
        };
        let mut found: BTreeMap<FactId, (&Text, &Fact)> = BTreeMap::new();
        for fact in self.facts() {
            if let Body::Quarantine { digest, .. } = &fact.body
                && !cleared(fact.id)
            {
                found.insert(fact.id, (digest, fact));
            }
        }
        found.into_values().collect()
    }

    /// How many regions were read.
    pub fn read_count(&self) -> usize {
        self.regions.iter().flatten().count()
    }
}

#[cfg(test)]
mod tests;
