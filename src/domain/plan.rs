//! A plan: every request to be sent, so exact that execution makes no choices.

use std::time::Duration;

use serde_json::Value;
use ulid::Ulid;

use super::change::Change;
use super::finding::{Finding, Severity};
use super::id::{RegionIx, RingIx, ServiceIx, Text};
use super::intent::{Direction, Intent};
use super::record::FactId;
use super::version::TemplateDigest;

/// Identity of a plan, and of the operation that carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub Ulid);

impl std::fmt::Display for PlanId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Every request to be sent, with what the operator must know.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its identity.
    pub id: PlanId,
    /// What was wanted.
    pub intent: Intent,
    /// The service.
    pub service: ServiceIx,
    /// One line, e.g. `promote ring-2 to v2.1.0`.
    pub title: Text,
    /// The steps, in the order of the regions.
    pub steps: Vec<Step>,
    /// How many steps may be under way together.
    pub parallelism: usize,
    /// Who is hit.
    pub blast: Blast,
    /// What a person must see.
    pub findings: Vec<Finding>,
    /// What happens afterwards.
    pub after: Text,
    /// How to take it back.
    pub way_back: Text,
    /// The name that must be typed where typing is asked for: the ring's or region's.
    pub name: Text,
    /// The ring it raises, if it promotes one.
    pub ring: Option<RingIx>,
}

/// Who is hit by a plan.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Blast {
    /// The regions.
    pub regions: Vec<RegionIx>,
    /// Measured share of live traffic from 0 to 1; unknown counts as 1.
    pub share: Option<f64>,
    /// Measured queries per second.
    pub qps: Option<f64>,
}

impl Blast {
    /// The share that limits apply to.
    pub fn counted_share(&self) -> f64 {
        self.share.unwrap_or(1.0)
    }
}

/// What is done in one region. Every step is a safe place to stop.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where.
    pub region: RegionIx,
    /// What changes, in one line, e.g. `image v2.0.0 → v2.1.0`.
    pub label: Text,
    /// The requests, in order.
    pub writes: Vec<Write>,
    /// The diff, made from the bodies that are sent.
    pub diff: Vec<DiffLine>,
    /// What must be seen afterwards.
    pub expect: Vec<Expectation>,
    /// How long that may take.
    pub limit: Duration,
}

/// One request of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What it is for.
    pub role: WriteRole,
    /// The request.
    pub change: Change,
    /// Sent instead when the object is absent (404): a record that does not exist yet.
    pub if_absent: Option<Change>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteRole {
    /// The step fails when it fails.
    Main,
    /// Own record facts: a failure is shown, and does not stop the step.
    Record,
    /// One Kubernetes Event: a failure is logged.
    Event,
}

/// A line of the diff.
#[derive(Clone, Debug, PartialEq)]
pub struct DiffLine {
    /// The field, with containers by name.
    pub field: Text,
    /// Before; none: absent.
    pub from: Option<Value>,
    /// After; none: removed.
    pub to: Option<Value>,
}

/// What must be seen after a step. Accepted is not done.
#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    /// The workload runs this template, and its rollout is complete.
    Settled(TemplateDigest),
    /// The workload's spec has this template; the rollout may be held.
    Template(TemplateDigest),
    /// `spec.paused` is so, and the controller has seen it.
    Paused(bool),
    /// The backend of the region's route has this weight.
    Weight(u32),
    /// The region's record holds this fact.
    Fact(FactId),
}

impl Plan {
    /// The direction of risk.
    pub fn direction(&self) -> Direction {
        self.intent.verb.direction()
    }
    /// The worst severity among the findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.severity).max()
    }
    /// SHA-256 over every request, 16 hex digits: `--plan HASH` binds a script to what it saw.
    ///
    /// Identities and times inside the record facts differ between two drafts of the
    /// same plan, so only the main requests count.
    pub fn hash(&self) -> String {
        let mut text = String::new();
        for (step, write) in self.steps.iter().flat_map(|s| s.writes.iter().map(move |w| (s, w))) {
            if write.role == WriteRole::Main {
                let object = write.change.object();
                text.push_str(&format!("{} {} {} ", step.region.0, write.change.method(), object));
                if object.api.kind.as_ref() != "ConfigMap" {
                    text.push_str(&write.change.body_sha256());
                }
                text.push('\n');
            }
        }
        super::version::sha256_hex(text.as_bytes()).chars().take(16).collect()
    }
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Stable word for machines, e.g. `gate`, `held`, `stale`, `nothing-to-do`.
    pub code: &'static str,
    /// What was refused and why; names region and cluster.
    pub text: Text,
    /// What to do next.
    pub hint: Text,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: &'static str, text: impl Into<Text>, hint: impl Into<Text>) -> Self {
        Self { code, text: text.into(), hint: hint.into() }
    }
}
