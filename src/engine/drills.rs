//! Drills: rollbacks that were walked through while nothing was wrong, and rings where nobody did.

use std::time::Duration;

use super::Engine;
use crate::domain::fleet::{Ring, Service};
use crate::domain::id::{RegionIx, ServiceIx};
use crate::domain::record::{Body, Fact, Record};
use crate::domain::stamp::{SignedDuration, Timestamp, short};
use crate::domain::text::safe;

/// A way back that nobody tried for so long is not known to be one.
pub const DRILL_EVERY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The newest drill in any of these regions: the fact, how long it took, and whether it was for real.
pub fn last(record: &Record, regions: &[RegionIx]) -> Option<(Fact, Duration, bool)> {
    let newest = regions.iter().filter_map(|at| record.region(*at)?.newest_drill());
    let newest = newest.max_by_key(|fact| fact.id)?;
    match &newest.body {
        Body::Drilled { took, real, .. } => Some((newest.clone(), *took, *real)),
        _ => None,
    }
}

/// Whether nobody drilled a ring lately. A record that was not read tells nothing, and is no finding of its own.
pub fn is_due(record: &Record, ring: &Ring, now: Timestamp) -> bool {
    let read = ring.regions.iter().any(|at| record.region(*at).is_some());
    let fresh = |fact: &Fact| now.duration_since(fact.at) <= DRILL_EVERY;
    read && !last(record, &ring.regions).is_some_and(|(fact, ..)| fresh(&fact))
}

/// `drilled 12 Nov 2026 by ana in 1.4s, by dry-run`
pub fn sentence(fact: &Fact, took: Duration, real: bool) -> String {
    let how = if real { "for real" } else { "by dry-run" };
    let by = safe(fact.by.as_str(), 60);
    format!("drilled {} by {by} in {}, {how}", fact.at.strftime("%-d %b %Y"), seconds(took))
}

/// How long something took: milliseconds below a second, tenths below a minute.
pub fn seconds(took: Duration) -> String {
    match SignedDuration::try_from(took) {
        Ok(long) if took >= Duration::from_secs(60) => short(long),
        _ if took < Duration::from_secs(1) => format!("{}ms", took.as_millis()),
        _ => format!("{:.1}s", took.as_secs_f64()),
    }
}

/// What is said where nobody drilled lately, with what to type.
pub fn due_sentence(service: &Service, rings: &[&Ring]) -> Option<String> {
    let names: Vec<&str> = rings.iter().map(|r| r.name.as_str()).collect();
    let first = names.first()?;
    Some(format!(
        "no rollback of {} was drilled in the last 90 days: `gonogo drill {} {first}`",
        names.join(", "),
        service.name
    ))
}

impl Engine {
    /// Rings of a service that nobody drilled lately.
    pub fn undrilled(&self, at: ServiceIx) -> Vec<&Ring> {
        let Some((service, state)) = self.fleet.service(at).zip(self.services.get(at.at())) else { return Vec::new() };
        let now = self.server_now();
        service.rings.iter().filter(|ring| is_due(&state.record, ring, now)).collect()
    }
}
