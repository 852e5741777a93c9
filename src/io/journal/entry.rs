//! What a journal line says. Bodies are never written, only their SHA-256.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::challenge::Approved;
use crate::domain::change::Change;
use crate::domain::fleet::{Fleet, Service};
use crate::domain::id::{ClusterIx, ClusterUid, Operator, RegionIx, Text};
use crate::domain::intent::Direction;
use crate::domain::plan::{Plan, WriteRole};
use crate::domain::record::{Body, Fact};
use crate::domain::residency;
use crate::domain::text::safe;
use crate::engine::effect::{Note, NoteKind};

/// Version of the format; a reader refuses what it does not know.
pub const FORMAT: u32 = 1;
/// Longest text of one field, in bytes.
const LONGEST: usize = 2_000;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entry {
    /// The first line of every file.
    Begin(Begin),
    /// A plan was approved; nothing was sent yet.
    Opened(Box<Opened>),
    /// A step is about to start.
    StepStarted {
        /// The plan.
        plan: String,
        /// Which step, from 0.
        step: usize,
    },
    /// A write was answered.
    Answered {
        /// The plan.
        plan: String,
        /// Which step.
        step: usize,
        /// Which write of the step.
        write: usize,
        /// In one line.
        answer: String,
    },
    /// A step came to its end.
    StepEnded {
        /// The plan.
        plan: String,
        /// Which step.
        step: usize,
        /// `settled`, `diverged`, `unknown`, `refused`, `failed`, `cancelled`.
        outcome: String,
        /// Why.
        why: String,
    },
    /// The operation came to its end.
    Closed {
        /// The plan.
        plan: String,
        /// `settled`, `diverged`, `unknown`, `refused`, `cancelled`; `not-watched`: sent and accepted,
        /// and nobody waited for what came of it; `closed`: by a person, who was not the one that
        /// carried it out.
        outcome: String,
        /// Why.
        why: String,
    },
}

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// Version of the format.
    pub format: u32,
    /// Version of gonogo.
    pub gonogo: String,
    /// This file's name: a copy under another name is not another journal.
    pub file: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Heads of the newest other files.
    pub heads: Vec<HeadRef>,
    /// `user@host` of whoever ran it, whoever the clusters took it for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its terminal; absent: it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// Whom the clusters were asked to take it for (`--as`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting_as: Option<String>,
}

/// The head of another file when this one began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadRef {
    /// File name.
    pub file: String,
    /// Position of its newest line, from 0.
    pub seq: u64,
    /// Hash of that line.
    pub hash: String,
}

/// An approved plan: who, what, where, why, and every request by its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The plan.
    pub plan: String,
    /// Who approved.
    pub operator: String,
    /// `answered`, `standing`, `flags`.
    pub how: String,
    /// `promote`, `hold`, ….
    pub verb: String,
    /// Adds risk.
    pub raising: bool,
    /// One line.
    pub title: String,
    /// The service.
    pub service: String,
    /// Why, if it was said.
    pub reason: Option<String>,
    /// The regions that are hit.
    pub regions: Vec<OpenedRegion>,
    /// The steps with their requests.
    pub steps: Vec<OpenedStep>,
    /// What was shown as findings.
    pub findings: Vec<String>,
    /// The plan's hash, as `--plan` takes it.
    pub hash: String,
}

/// A region that is hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenedRegion {
    /// Its name.
    pub region: String,
    /// The cluster's name.
    pub cluster: String,
    /// The cluster's identity, if known.
    pub cluster_uid: Option<String>,
    /// Who we are there, if known.
    pub user: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenedStep {
    /// The region.
    pub region: String,
    /// What changes, in one line.
    pub label: String,
    /// Its requests, in order; what is sent when the object is absent follows its write.
    pub writes: Vec<OpenedWrite>,
    /// The record's facts that go along, as the record writes them: whoever finds the step done
    /// and the record silent can complete it. Of carried fields only images are named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
}

impl OpenedStep {
    /// Its facts; what cannot be read is none.
    pub fn facts(&self) -> Vec<Fact> {
        self.facts.iter().filter_map(|(key, value)| Fact::parse(key, value)).collect()
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenedWrite {
    /// `main`, `record`, `event`; `…-if-absent` for what is sent instead then.
    pub role: String,
    /// The cluster.
    pub cluster: String,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// SHA-256 of the exact body.
    pub sha256: String,
}

fn text(from: &str) -> String {
    safe(from, LONGEST)
}

impl Entry {
    /// The entry that opens an approved plan.
    pub fn opened(
        approved: &Approved,
        fleet: &Fleet,
        known: &BTreeMap<ClusterIx, (Option<ClusterUid>, Option<Operator>)>,
    ) -> Self {
        let plan = approved.plan();
        Entry::Opened(Box::new(Opened {
            plan: plan.id.to_string(),
            operator: text(approved.by().as_str()),
            how: approved.how().word().to_owned(),
            verb: plan.intent.verb.word().to_owned(),
            raising: plan.direction() == Direction::Raising,
            title: text(&plan.title),
            service: fleet.service(plan.service).map_or_else(|| "?".to_owned(), |s| text(s.name.as_str())),
            reason: approved.reason().map(|r| text(&told_reason(plan, fleet, r))),
            regions: regions(plan, fleet, known),
            steps: steps(plan, fleet),
            findings: told_findings(plan, fleet),
            hash: plan.hash(),
        }))
    }

    /// The entry that a note of the engine makes.
    pub fn noted(note: &Note) -> Self {
        let plan = note.plan.to_string();
        match &note.what {
            NoteKind::StepStarted { step } => Entry::StepStarted { plan, step: *step },
            NoteKind::Answered { step, write, answer } => {
                Entry::Answered { plan, step: *step, write: *write, answer: text(answer) }
            }
            NoteKind::StepEnded { step, outcome, why } => {
                Entry::StepEnded { plan, step: *step, outcome: text(outcome), why: text(why) }
            }
            NoteKind::Closed { outcome, why } => Entry::Closed { plan, outcome: text(outcome), why: text(why) },
        }
    }

    /// The plan it is about.
    pub fn plan(&self) -> Option<&str> {
        match self {
            Entry::Begin(_) => None,
            Entry::Opened(opened) => Some(&opened.plan),
            Entry::StepStarted { plan, .. }
            | Entry::Answered { plan, .. }
            | Entry::StepEnded { plan, .. }
            | Entry::Closed { plan, .. } => Some(plan),
        }
    }
}

fn regions(
    plan: &Plan,
    fleet: &Fleet,
    known: &BTreeMap<ClusterIx, (Option<ClusterUid>, Option<Operator>)>,
) -> Vec<OpenedRegion> {
    let Some(service) = fleet.service(plan.service) else { return Vec::new() };
    let of = |at| {
        let region = service.region(at)?;
        let (uid, user) = known.get(&region.cluster).cloned().unwrap_or_default();
        Some(OpenedRegion {
            region: text(region.name.as_str()),
            cluster: text(fleet.cluster_name(region.cluster).as_str()),
            cluster_uid: uid.map(|u| text(u.as_str())),
            user: user.map(|u| text(u.as_str())),
        })
    };
    plan.steps.iter().filter_map(|step| of(step.region)).collect()
}

/// Regions of a plan, and its service.
fn about<'f>(plan: &Plan, fleet: &'f Fleet) -> Option<(&'f Service, Vec<RegionIx>)> {
    Some((fleet.service(plan.service)?, plan.steps.iter().map(|step| step.region).collect()))
}

/// The reason, without values that must stay in their region: the journal lies elsewhere.
fn told_reason(plan: &Plan, fleet: &Fleet, reason: &Text) -> Text {
    about(plan, fleet).map_or_else(|| reason.clone(), |(service, at)| residency::reason(service, &at, reason))
}

/// The same of findings.
fn told_findings(plan: &Plan, fleet: &Fleet) -> Vec<String> {
    let Some((service, at)) = about(plan, fleet) else { return Vec::new() };
    let one = |f: &crate::domain::finding::Finding| {
        let said = residency::overrides(service, &at, std::slice::from_ref(&f.text));
        text(&format!("{} {}: {}", f.code, f.subject, said.first().map_or("", |t| t)))
    };
    plan.findings.iter().map(one).collect()
}

/// A fact as the journal keeps it: a carried field that is no image may be anything, also a secret.
fn kept(mut fact: Fact, service: Option<&Service>, region: RegionIx) -> (String, String) {
    if let (Body::Promoted(moved) | Body::RolledBack(moved), Some(service)) = (&mut fact.body, service) {
        moved.overrides = residency::overrides(service, &[region], &moved.overrides);
        moved.reason = residency::reason(service, &[region], &moved.reason);
    }
    if let Body::Promoted(moved) | Body::RolledBack(moved) = &mut fact.body {
        moved.from.retain(|(pointer, _)| pointer.ends_with("/image"));
    }
    (fact.key(), fact.value())
}

fn steps(plan: &Plan, fleet: &Fleet) -> Vec<OpenedStep> {
    let service = fleet.service(plan.service);
    let name = |at| service.and_then(|s| s.region(at)).map(|r| text(r.name.as_str()));
    let request = |role: &str, change: &Change| OpenedWrite {
        role: role.to_owned(),
        // What goes past the clusters names none.
        cluster: change.cluster().map(|at| text(fleet.cluster_name(at).as_str())).unwrap_or_default(),
        method: change.method().to_owned(),
        path: text(&change.path()),
        sha256: change.body_sha256(),
    };
    let writes = |step: &crate::domain::plan::Step| {
        let each = step.writes.iter().flat_map(|write| {
            let role = match write.role {
                WriteRole::Main => "main",
                WriteRole::Record => "record",
                WriteRole::Event => "event",
            };
            let instead = write.if_absent.as_ref().map(|c| request(&format!("{role}-if-absent"), c));
            std::iter::once(request(role, &write.change)).chain(instead)
        });
        each.collect()
    };
    plan.steps
        .iter()
        .map(|step| OpenedStep {
            region: name(step.region).unwrap_or_else(|| "?".to_owned()),
            label: text(&step.label),
            writes: writes(step),
            facts: step
                .facts
                .iter()
                .flat_map(|(_, facts)| facts)
                .map(|f| kept(f.clone(), service, step.region))
                .collect(),
        })
        .collect()
}
