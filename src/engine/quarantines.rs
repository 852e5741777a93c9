//! Quarantines in force, in words: what they are about, by the versions that people know.

use super::Engine;
use super::state::ServiceState;
use crate::domain::fleet::Service;
use crate::domain::id::{RegionIx, ServiceIx, Text};
use crate::domain::quarantine::{Candidate, Quarantined};
use crate::domain::stamp::Timestamp;
use crate::domain::workload::Workload;

/// One quarantine in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InQuarantine {
    /// What it names: a digest or a version.
    pub subject: Text,
    /// Versions that run somewhere now and that it covers.
    pub versions: Vec<Text>,
    /// Who did what, and why.
    pub said: Text,
}

impl InQuarantine {
    /// The version that people know, else what it names.
    pub fn name(&self) -> String {
        match self.versions.as_slice() {
            [] => self.subject.to_string(),
            known => known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        }
    }
}

/// What runs, as something that may run elsewhere.
pub(super) fn candidate(workload: &Workload) -> Candidate<'_> {
    Candidate { version: &workload.version, image: workload.image.as_ref(), template: Some(workload.template) }
}

/// Versions that run somewhere now and that a quarantine covers.
pub(super) fn versions(state: &ServiceState, quarantine: &Quarantined<'_>) -> Vec<Text> {
    let workloads = state.regions.iter().filter_map(|r| r.workload.as_ref());
    let covered = workloads.filter(|w| quarantine.covers(&candidate(w)));
    let mut versions: Vec<Text> = covered.map(|w| w.version.0.clone()).collect();
    versions.sort();
    versions.dedup();
    versions
}

fn all(service: &Service, state: &ServiceState, now: Timestamp) -> Vec<InQuarantine> {
    let region = |at: RegionIx| service.region(at).map_or_else(|| "?".into(), |r| Text::from(r.name.as_str()));
    let mut found: Vec<InQuarantine> = Vec::new();
    for quarantine in state.record.quarantined(now) {
        let (subject, said) = (Text::from(quarantine.subject()), Text::from(quarantine.text(region)));
        let one = InQuarantine { subject, versions: versions(state, &quarantine), said };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

impl Engine {
    /// Quarantines in force over a service, oldest first.
    pub fn in_quarantine(&self, at: ServiceIx) -> Vec<InQuarantine> {
        let found = self.fleet.service(at).zip(self.services.get(at.at()));
        found.map(|(service, state)| all(service, state, self.server_now())).unwrap_or_default()
    }
}
