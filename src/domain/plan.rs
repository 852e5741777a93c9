//! A plan: every request to be sent, so exact that execution makes no choices.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use ulid::Ulid;

use super::approval::Approval;
use super::carrier::OF_CARRIER;
use super::change::{ApiType, Change, ObjectRef, PatchKind};
use super::finding::{Finding, Severity};
use super::id::{RegionIx, RingIx, ServiceIx, Text};
use super::intent::{Direction, Intent};
use super::outside::Outside;
use super::record::{Body, Fact, FactId};
use super::stamp::Timestamp;
use super::version::{TemplateDigest, Version};

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
    /// Facts that it was drafted on: the newest move of every region, holds in force.
    pub rests_on: Vec<FactId>,
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

/// Code of the finding that a dry-run was not answered, one for each request.
pub const UNREHEARSED: &str = "not-rehearsed";

/// Most overridden sentences that a fact names: a record has little room.
const MOST_OVERRIDES: usize = 8;

/// When a step of a plan starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Start {
    /// As soon as there is room.
    #[default]
    AtOnce,
    /// So long after every step before it was seen. Of those that only write facts it is enough that they were
    /// tried; and where the steps before made others carry more than they can, it does not start at all.
    Then(Duration),
    /// Once every step before it is over, and only if no region of the service is left with a weight then:
    /// it takes back what they did.
    IfNoneServes,
}

/// What is done in one region. Every step is a safe place to stop.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where.
    pub region: RegionIx,
    /// When it starts.
    pub start: Start,
    /// What changes, in one line, e.g. `image v2.0.0 → v2.1.0`.
    pub label: Text,
    /// The requests, in order; exactly one is [`WriteRole::Main`].
    pub writes: Vec<Write>,
    /// Record facts that go along, with the ConfigMap that takes them.
    pub facts: Option<(ObjectRef, Vec<Fact>)>,
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
    /// The workload runs this version, by whatever template brought it, and its rollout is complete.
    Runs(Version),
    /// The workload runs this template on every pod that its partition lets through.
    Partitioned(TemplateDigest),
    /// The workload runs this template as far as it goes by itself: it is complete, or has stopped at a step
    /// of its own.
    AtStep {
        /// The template.
        template: TemplateDigest,
        /// More steps than these are done; none: any step will do.
        beyond: Option<u32>,
    },
    /// The rollout was given up by its controller.
    Aborted,
    /// A rollout of this template that was given up is under way again.
    Retried(TemplateDigest),
    /// The workload's spec has this template; the rollout may be held.
    Template(TemplateDigest),
    /// `spec.paused` is so, and the controller has seen it.
    Paused(bool),
    /// No rollout goes on: none is in flight, or it is paused. For what could not be read before.
    Stopped,
    /// What delivers the region brings changes by itself, or does not.
    Delivers(bool),
    /// What delivers the region is doing nothing.
    Idle,
    /// The backend of the region's route has this weight.
    Weight(u32),
    /// The region's record holds this fact.
    Fact(FactId),
    /// The region shows this approval.
    Approval(FactId),
    /// The request was answered with yes: nothing else shows what it does.
    Answered,
}

/// The write that adds facts to a record: a merge patch that names only its own keys, so
/// there is no read-modify-write; the ConfigMap is created when absent.
pub fn record_write(role: WriteRole, object: &ObjectRef, entries: &[(String, String)]) -> Write {
    let data: serde_json::Map<String, Value> =
        entries.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect();
    let patch = serde_json::json!({ "data": data });
    Write {
        role,
        change: Change::Patch { object: object.clone(), kind: PatchKind::Merge, subresource: None, body: patch },
        if_absent: Some(Change::Create { object: object.clone(), body: record_object(object, data) }),
    }
}

/// A new record: no mark by which Argo CD, Flux or Helm would prune it.
pub fn record_object(object: &ObjectRef, data: serde_json::Map<String, Value>) -> Value {
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": object.name,
            "namespace": object.namespace,
            "labels": {"app.kubernetes.io/managed-by": "gonogo"},
        },
        "data": data,
    })
}

impl Step {
    /// The request without which the step fails.
    pub fn main(&self) -> Option<&Write> {
        self.writes.iter().find(|w| w.role == WriteRole::Main)
    }

    /// Whether it changes anything but records and approvals.
    pub fn moves(&self) -> bool {
        self.main().is_some_and(|w| w.change.object().is_none_or(|o| o.api != ApiType::config_map()))
    }

    /// Writes the record facts anew, after a reason was given.
    fn refresh_record(&mut self) {
        let Some((object, facts)) = &self.facts else { return };
        let entries: Vec<(String, String)> = facts.iter().map(|f| (f.key(), f.value())).collect();
        for write in &mut self.writes {
            if write.change.object() == Some(object) {
                *write = record_write(write.role, object, &entries);
            }
        }
    }
}

impl Write {
    /// Whether a dry-run of it is sent: own record facts need none, and only an API server rehearses.
    pub fn is_rehearsed(&self) -> bool {
        let by_a_server = self.change.object().is_some();
        self.role == WriteRole::Main && by_a_server && !matches!(self.if_absent, Some(Change::Create { .. }))
    }
}

impl Plan {
    /// Requests that a dry-run is sent of, each with its step: of several to one object only the first, since
    /// the others rest on it.
    pub fn rehearsals(&self) -> impl Iterator<Item = (usize, &Write)> {
        let again = move |i: usize, s: &Step| {
            let main = |s: &Step| s.main().and_then(|w| w.change.object().cloned());
            let mine = main(s);
            mine.is_some() && self.steps.iter().take(i).any(|before| main(before) == mine)
        };
        let first = self.steps.iter().enumerate().filter(move |(i, s)| !again(*i, s));
        first.flat_map(|(i, s)| s.writes.iter().map(move |w| (i, w))).filter(|(_, w)| w.is_rehearsed())
    }

    /// How many dry-runs of it were answered, and how many are sent.
    pub fn rehearsed(&self) -> (usize, usize) {
        let sent = self.rehearsals().count();
        let silent = self.findings.iter().filter(|f| f.code == UNREHEARSED).count();
        (sent.saturating_sub(silent), sent)
    }

    /// Puts into the record facts what the approval adds: the reason, and what was overridden.
    /// Nothing else of a plan depends on it.
    pub(super) fn record_approval(&mut self, reason: Option<&Text>) {
        let overridden: Vec<Text> = self.overridden().map(|f| f.text.clone()).take(MOST_OVERRIDES).collect();
        let break_glass = self.worst() == Some(Severity::BreakGlass);
        for step in &mut self.steps {
            for fact in step.facts.iter_mut().flat_map(|(_, facts)| facts) {
                match (&mut fact.body, reason) {
                    (Body::Promoted(m) | Body::RolledBack(m), _) => {
                        m.overrides.clone_from(&overridden);
                        m.break_glass = break_glass;
                        m.reason = reason.cloned().unwrap_or_else(|| m.reason.clone());
                    }
                    (
                        Body::Hold { reason: r, .. }
                        | Body::Release { reason: r, .. }
                        | Body::Quarantine { reason: r, .. }
                        | Body::Clearance { reason: r, .. }
                        | Body::Accepted { reason: r, .. }
                        | Body::Revoked { reason: r, .. }
                        | Body::Checked { reason: r, .. }
                        | Body::BreakGlass { reason: r, .. }
                        | Body::Drained { reason: r, .. }
                        | Body::Restored { reason: r, .. },
                        Some(reason),
                    ) => *r = reason.clone(),
                    _ => {}
                }
            }
            step.refresh_record();
            for write in step.writes.iter_mut().filter(|_| reason.is_some()) {
                say_reason(&mut write.change, reason.map_or("", |r| r));
            }
        }
    }

    /// Findings that an approval overrides.
    pub fn overridden(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| f.severity >= Severity::Override)
    }

    /// Whether this is the plan that was shown, to the letter of what is sent, but for the reason:
    /// the same requests, findings and outcome to be seen.
    pub fn is_as_shown(&self, shown: &Plan) -> bool {
        let same = |a: &Step, b: &Step| {
            let main = |s: &Step| s.main().map(|w| without_reason(w.change.clone()));
            let facts = |s: &Step| s.facts.as_ref().map(|(_, f)| f.iter().map(|f| f.id).collect::<Vec<_>>());
            // The facts of a step that writes nothing else are its main request, and take the reason.
            let only_facts =
                a.facts.as_ref().is_some_and(|(o, _)| a.writes.first().is_some_and(|w| w.change.object() == Some(o)));
            a.region == b.region
                && a.start == b.start
                && a.diff == b.diff
                && a.expect == b.expect
                && a.writes.len() == b.writes.len()
                && facts(a) == facts(b)
                && (only_facts || main(a) == main(b))
        };
        self.id == shown.id
            && self.findings == shown.findings
            && self.steps.len() == shown.steps.len()
            && self.steps.iter().zip(&shown.steps).all(|(a, b)| same(a, b))
    }

    /// One more fact with every step that writes any: `make` makes it for a region.
    pub fn add_fact(&mut self, mut make: impl FnMut(RegionIx) -> Option<Fact>) {
        for step in &mut self.steps {
            if let (Some((_, facts)), Some(fact)) = (&mut step.facts, make(step.region)) {
                facts.push(fact);
                step.refresh_record();
            }
        }
    }

    /// The direction of risk.
    pub fn direction(&self) -> Direction {
        self.intent.verb.direction()
    }
    /// The worst severity among the findings.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|f| f.severity).max()
    }
    /// Facts get their identity and time when they are approved: a prompt that stood open for a while
    /// must not write what sorts before what happened meanwhile. `fresh` makes identities.
    pub(super) fn date(&mut self, now: Timestamp, fresh: &mut dyn FnMut() -> Ulid) {
        let mut dated: BTreeMap<FactId, FactId> = BTreeMap::new();
        for step in &mut self.steps {
            for fact in step.facts.iter_mut().flat_map(|(_, facts)| facts).filter(|f| f.at < now) {
                fact.id = *dated.entry(fact.id).or_insert_with(|| FactId(fresh()));
                fact.at = now;
            }
        }
        for step in &mut self.steps {
            for fact in step.facts.iter_mut().flat_map(|(_, facts)| facts) {
                if let Body::Paused { hold: of, .. }
                | Body::Unpaused { paused: of }
                | Body::Restored { drained: of, .. }
                | Body::Halted { hold: of, .. }
                | Body::Unhalted { halted: of } = &mut fact.body
                {
                    *of = dated.get(of).copied().unwrap_or(*of);
                }
            }
            for expected in &mut step.expect {
                if let Expectation::Fact(id) = expected {
                    *id = dated.get(id).copied().unwrap_or(*id);
                }
            }
            step.refresh_record();
        }
    }

    /// SHA-256 over what is meant, 16 hex digits: `--plan HASH` binds a script to what it saw.
    ///
    /// It covers service, verb, targets, every request, what the record facts say, findings, and the
    /// facts that all of it rests on. Identities and times of own facts differ between two drafts of
    /// one plan, and ages and figures in findings tick: those do not count.
    pub fn hash(&self) -> String {
        let own = self.steps.iter().flat_map(|s| &s.facts).flat_map(|(_, facts)| facts).map(|f| f.id);
        let own: Vec<String> = own.map(|id| id.to_string()).collect();
        let nameless = |text: String| {
            own.iter().fold(text, |text, id| if text.contains(id) { text.replace(id, "own") } else { text })
        };
        let mut text = format!(
            "{} {:?} {:?} {} {:?}\n",
            self.service.0, self.intent.verb, self.intent.target, self.title, self.rests_on
        );
        for step in &self.steps {
            text.push_str(&format!("step {} {}\n", step.region.0, step.label));
            if step.start != Start::AtOnce {
                text.push_str(&format!("start {:?}\n", step.start));
            }
            let record = step.facts.as_ref().map(|(object, _)| object);
            for write in &step.writes {
                let object = write.change.object();
                let name = match object {
                    // Their names are identities.
                    Some(o) if write.role == WriteRole::Event || Approval::is_named_so(&o.name) => {
                        o.api.kind.to_string()
                    }
                    _ => write.change.subject(),
                };
                let cluster = object.map_or_else(|| "-".to_owned(), |o| o.cluster.0.to_string());
                text.push_str(&format!("{:?} {cluster} {} {name} ", write.role, write.change.method()));
                if object.is_none() || object != record {
                    text.push_str(&said(&write.change));
                }
                text.push('\n');
            }
            for fact in step.facts.iter().flat_map(|(_, facts)| facts) {
                let mut body = fact.body.clone();
                if let Body::Promoted(m) | Body::RolledBack(m) = &mut body {
                    m.plan = Ulid::nil();
                    // What a carrier found there moves with every push of others; what is written is tested anyway.
                    m.from.retain(|(name, _)| !name.starts_with(OF_CARRIER));
                }
                text.push_str(&nameless(format!("fact {} {body:?}\n", fact.by)));
            }
        }
        for finding in &self.findings {
            let said = without_figures(&finding.text);
            text.push_str(&format!("finding {:?} {} {} {said}\n", finding.severity, finding.code, finding.subject));
        }
        super::version::sha256_hex(text.as_bytes()).chars().take(16).collect()
    }
}

/// What a request says, without identities and times that every draft makes anew.
fn said(change: &Change) -> String {
    match change {
        Change::Patch { .. } => change.body_sha256(),
        // Its message and its own branch name the plan, and what was looked at moves with every push of others.
        Change::Outside(Outside::Git(git)) => {
            format!("{} {} {} {} {:?} {:?}", git.repository, git.branch, git.path, git.pointer, git.from, git.to)
        }
        Change::Outside(_) => change.body_sha256(),
        Change::Create { object, body } if Approval::is_named_so(&object.name) => {
            let keys = ["approver", "ring", "version", "template"];
            format!("{:?}", keys.map(|k| body.pointer(&format!("/data/{k}"))))
        }
        Change::Create { body, .. } => {
            let keys = ["/reason", "/note", "/regarding", "/data"];
            format!("{:?}", keys.map(|k| body.pointer(k)))
        }
    }
}

/// A sentence without ages and measured figures: those tick. Names and versions stay.
fn without_figures(text: &str) -> String {
    let figure = |word: &str| {
        let word = word.trim_start_matches(['(', '-', '+', '−', '~']);
        word.starts_with(|c: char| c.is_ascii_digit()) && !word.contains('-')
    };
    text.split_whitespace().map(|word| if figure(word) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}

/// Puts a reason into an approval; nothing else has one in its body.
fn say_reason(change: &mut Change, reason: &str) {
    if let Change::Outside(Outside::Git(git)) = change {
        git.say_reason(reason);
    }
    if let Change::Create { object, body } = change
        && Approval::is_named_so(&object.name)
        && let Some(said) = body.pointer_mut("/data/reason")
    {
        *said = Value::String(reason.to_owned());
    }
}

fn without_reason(mut change: Change) -> Change {
    say_reason(&mut change, "");
    change
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
