//! From an intent to a plan: which objects to read first, then exactly what would be written.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::ids::Ids;
use super::sources::Sources;
use super::state::{ClusterState, RegionState, ServiceState};
use super::view::Question;
use crate::domain::change::{ApiType, Change, ObjectRef, PatchKind, add, test};
use crate::domain::finding::Severity;
use crate::domain::fleet::{Fleet, Region, Ring, Service};
use crate::domain::id::{Operator, RegionIx, RingIx, ServiceIx, Text};
use crate::domain::intent::{Direction, Intent, Target, Verb};
use crate::domain::link::LostReason;
use crate::domain::plan::{Blast, Plan, PlanId, Refusal, Start, Step, Write, WriteRole, record_write};
use crate::domain::record::{Body, Fact, FactId};
use crate::domain::stamp::{Stamp, Timestamp};
use crate::domain::version::TemplateDigest;
use crate::kinds::{self, WorkloadKind};

mod abort;
mod accept;
mod approve;
mod carrier;
mod carry;
mod drain;
mod drill;
mod flag_off;
mod grounds;
mod halt;
mod hold;
mod owner;
mod known_good;
mod leaves;
mod promote;
mod quarantine;
mod reported;
mod restore;
mod resume;
mod roll_back;
mod serving;
mod tick;
mod weight;

pub(super) use approve::forged_approval;

/// Annotation that tells `kubectl rollout history` why.
pub const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
/// How long a pause, a weight or a fact may take to be seen.
const SOON: Duration = Duration::from_secs(60);
/// How long a rollout may take where the workload has no deadline.
const NO_DEADLINE: Duration = Duration::from_secs(3_600);
/// What is added to a progress deadline: the controller's own delay in saying so.
const GRACE: Duration = Duration::from_secs(30);

/// A full object that was read for a draft.
pub type Fetched = Result<Option<Value>, LostReason>;

/// Everything that was read for a draft.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Workloads, by region.
    pub workloads: BTreeMap<RegionIx, Fetched>,
    /// ReplicaSets or ControllerRevisions, by region.
    pub owned: BTreeMap<RegionIx, Result<Vec<Value>, LostReason>>,
    /// Routes, by region.
    pub routes: BTreeMap<RegionIx, Fetched>,
    /// What brings the workload, by region: it is in the state.
    pub deliveries: BTreeMap<RegionIx, Result<(), LostReason>>,
    /// What carries versions, by region.
    pub carriers: BTreeMap<RegionIx, Fetched>,
    /// What carriers rest on besides.
    pub besides: BTreeMap<ObjectRef, Fetched>,
    /// Records, by region; their facts are in the state.
    pub records: BTreeMap<RegionIx, Result<(), LostReason>>,
    /// Lists of approvals, by region; the approvals are in the state.
    pub approvals: BTreeMap<RegionIx, Result<(), LostReason>>,
}

/// Something to read for a draft.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// The workload of a region.
    Workload(RegionIx),
    /// The ReplicaSets or ControllerRevisions of a region, by selector.
    Owned(RegionIx, String),
    /// The route of a region.
    Route(RegionIx),
    /// What brings the workload of a region.
    Delivery(RegionIx),
    /// What carries versions to a region.
    Carrier(RegionIx),
    /// What that rests on besides.
    Beside(ObjectRef),
    /// The record of a region.
    Record(RegionIx),
    /// The approvals that lie in a region.
    Approvals(RegionIx),
}

/// What a draft works on.
pub struct Desk<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// Clusters.
    pub clusters: &'a [ClusterState],
    /// Commands and endpoints that are asked how regions stand.
    pub sources: &'a Sources,
    /// Position of the service.
    pub at: ServiceIx,
    /// The service.
    pub service: &'a Service,
    /// What is believed of it.
    pub state: &'a ServiceState,
    /// What was read.
    pub objects: &'a Objects,
    /// The board's answer for the ring that a promotion would change.
    pub question: Option<Question>,
    /// Server time.
    pub now: Timestamp,
    /// Stamp of the draft.
    pub stamp: Stamp,
    /// Identities for facts.
    pub ids: &'a mut Ids,
    /// Who acts, where a cluster does not say.
    pub operator: &'a Operator,
    /// Where the own journal stands.
    pub journal: &'a Text,
}

/// What must be read before an intent can be drafted; lowering reads little, holding nothing.
pub fn reads(service: &Service, state: &ServiceState, intent: &Intent) -> Vec<Read> {
    let targets = targets(service, &intent.target);
    let every = || service.region_indexes().map(Read::Record);
    match &intent.verb {
        Verb::Hold => Vec::new(),
        Verb::Promote { .. } => {
            // The verdict rests on every ring up to the target's: all of it is read again.
            let last = targets.iter().filter_map(|r| service.region(*r)).map(|r| r.ring).max();
            let rests = |r: &RegionIx| service.region(*r).map(|r| r.ring) <= last;
            let mut reads: Vec<Read> = service.region_indexes().filter(rests).map(Read::Workload).collect();
            reads.extend(every());
            reads.extend(approvals(service, &targets));
            reads.extend(carried(service, &targets));
            reads
        }
        Verb::Approve { .. } => {
            let before = targets.iter().filter_map(|r| service.region(*r)).filter_map(|r| r.ring.at().checked_sub(1));
            let before = before.filter_map(|j| service.rings.get(j)).flat_map(|r| r.regions.iter().copied());
            let mut reads: Vec<Read> = before.map(Read::Workload).collect();
            reads.extend(every());
            reads.extend(approvals(service, &targets));
            reads.sort();
            reads.dedup();
            reads
        }
        Verb::Revoke { .. } => targets.into_iter().map(Read::Approvals).collect(),
        Verb::Quarantine { .. } | Verb::Tick { done: false, .. } | Verb::Drill(_) | Verb::FlagOff => Vec::new(),
        Verb::Tick { .. } => every().collect(),
        Verb::Accept { .. } => targets.into_iter().map(Read::Workload).chain(every()).collect(),
        Verb::Clear { .. } => every().collect(),
        Verb::Resume { .. } => targets.into_iter().map(Read::Workload).chain(every()).collect(),
        Verb::RollBack { .. } => {
            let carried = carried(service, &targets);
            targets.into_iter().map(Read::Workload).chain(carried).collect()
        }
        Verb::Abort => {
            let in_flight =
                |r: &RegionIx| state.region(*r).and_then(|s| s.workload.as_ref()).is_none_or(|w| w.in_flight());
            let targets: Vec<RegionIx> = targets.into_iter().filter(in_flight).collect();
            let carried = carried(service, &targets);
            targets.into_iter().map(Read::Workload).chain(carried).collect()
        }
        Verb::Drain => {
            // Weights that lie in objects of their own: whether another region serves, only theirs tell.
            let others = targets.iter().flat_map(|at| serving::elsewhere(service, *at)).collect::<Vec<_>>();
            // And who else drains: that is in the record.
            let records = (!others.is_empty()).then(every).into_iter().flatten();
            targets.into_iter().chain(others).map(Read::Route).chain(records).collect()
        }
        Verb::Restore => targets.into_iter().flat_map(|r| [Read::Route(r), Read::Workload(r)]).chain(every()).collect(),
    }
}

/// What carries versions to these regions, where anything does.
fn carried(service: &Service, targets: &[RegionIx]) -> Vec<Read> {
    let carried = |at: &&RegionIx| service.region(**at).is_some_and(|r| r.carrier.is_some());
    targets.iter().filter(carried).map(|at| Read::Carrier(*at)).collect()
}

/// The approvals of rings that ask for them.
fn approvals(service: &Service, targets: &[RegionIx]) -> Vec<Read> {
    let mut rings: Vec<RingIx> = targets.iter().filter_map(|r| service.region(*r)).map(|r| r.ring).collect();
    rings.dedup();
    let asks = |ring: &&Ring| !crate::gates::approval_rules(ring).is_empty();
    let rings = rings.into_iter().filter_map(|r| service.ring(r)).filter(asks);
    rings.flat_map(|r| r.regions.iter().copied()).map(Read::Approvals).collect()
}

/// What must be read besides, now that the first answers are there.
pub fn more_reads(service: &Service, state: &ServiceState, intent: &Intent, objects: &Objects) -> Vec<Read> {
    if let Verb::Resume { .. } = &intent.verb {
        // The hold may cover more than the target: whatever it paused is un-paused with it.
        let halted = halt::reads_back(service, state).map(Read::Beside);
        return resume::may_un_pause(service, state).into_iter().map(Read::Workload).chain(halted).collect();
    }
    let mut reads = carrier::besides(service, objects);
    let (Verb::RollBack { .. } | Verb::Abort) = &intent.verb else { return reads };
    for (at, fetched) in &objects.workloads {
        let (Ok(Some(object)), Some(region)) = (fetched, service.region(*at)) else { continue };
        // Also where a fact says what ran: whether it did, only its children tell.
        if !objects.owned.contains_key(at)
            && let Some(selector) = kinds::kind(&region.workload.kind).and_then(|k| k.selector(object))
        {
            reads.push(Read::Owned(*at, selector));
        }
    }
    reads
}

/// The regions an intent is about, in promotion order.
pub fn targets(service: &Service, target: &Target) -> Vec<RegionIx> {
    match target {
        Target::Service => service.region_indexes().collect(),
        Target::Ring(ring) => service.ring(*ring).map(|r| r.regions.clone()).unwrap_or_default(),
        Target::Regions(regions) => {
            let mut regions = regions.clone();
            regions.sort();
            regions.dedup();
            regions.retain(|r| service.region(*r).is_some());
            regions
        }
    }
}

/// The plan for an intent, or why there is none. An empty target never means everything.
pub fn draft(desk: &mut Desk<'_>, id: PlanId, intent: &Intent) -> Result<Plan, Refusal> {
    if targets(desk.service, &intent.target).is_empty() {
        return Err(Refusal::new("nothing", "no region is selected", "select a ring or mark regions first"));
    }
    let mut plan = match &intent.verb {
        Verb::Promote { to, without_wait } => promote::draft(desk, id, intent, to.as_deref(), *without_wait),
        Verb::Hold => hold::draft(desk, id, intent),
        Verb::Resume { hold } => resume::draft(desk, id, intent, *hold),
        Verb::RollBack { to_revision } => roll_back::draft(desk, id, intent, *to_revision),
        Verb::Abort => abort::draft(desk, id, intent),
        Verb::Drain => drain::draft(desk, id, intent),
        Verb::Restore => restore::draft(desk, id, intent),
        Verb::FlagOff => flag_off::draft(desk, id, intent),
        Verb::Approve { to } => approve::draft(desk, id, intent, to.as_deref()),
        Verb::Revoke { approval } => approve::revoke(desk, id, intent, *approval),
        Verb::Quarantine { digest } => quarantine::draft(desk, id, intent, digest.as_ref()),
        Verb::Tick { item, done } => tick::draft(desk, id, intent, item.as_ref(), *done),
        Verb::Accept { column } => accept::draft(desk, id, intent, column.as_ref()),
        Verb::Drill(drill) => drill::draft(desk, id, intent, drill),
        Verb::Clear { what } => quarantine::clear(desk, id, intent, what.as_ref()),
    }?;
    plan.rests_on = rests_on(desk);
    plan.findings.extend(drill::finding(desk, &plan));
    grounds::other_clusters(desk, &mut plan)?;
    if plan.direction() == Direction::Raising {
        grounds::raising_findings(desk, &mut plan)?;
    }
    if plan.direction() == Direction::Raising && plan.worst() == Some(Severity::BreakGlass) {
        let what = plan.title.clone();
        plan.add_fact(|at| {
            let region = desk.service.region(at)?.clone();
            Some(desk.fact(&region, Body::BreakGlass { what: what.clone(), reason: "".into() }))
        });
    }
    let found = owner::findings(desk, &plan);
    plan.findings.extend(found);
    Ok(plan)
}

/// The newest move of every region, and holds in force.
fn rests_on(desk: &Desk<'_>) -> Vec<FactId> {
    let record = &desk.state.record;
    let moves = record.regions.iter().flatten().filter_map(|r| r.newest_move()).map(|(fact, _)| fact.id);
    let holds = record.holds().into_iter().filter_map(|h| h.id);
    moves.chain(holds).collect()
}

impl Desk<'_> {
    fn region(&self, at: RegionIx) -> Result<&Region, Refusal> {
        self.service.region(at).ok_or_else(|| Refusal::new("nothing", "no such region", "reload the configuration"))
    }

    fn ring_of(&self, at: RegionIx) -> Option<&Ring> {
        self.service.region(at).and_then(|r| self.service.ring(r.ring))
    }

    fn region_state(&self, at: RegionIx) -> Option<&RegionState> {
        self.state.region(at)
    }

    fn region_name(&self, at: RegionIx) -> Text {
        self.service.region(at).map_or_else(|| "?".into(), |r| r.name.as_str().into())
    }

    fn names(&self, regions: &[RegionIx]) -> String {
        regions.iter().map(|r| self.region_name(*r).to_string()).collect::<Vec<_>>().join(", ")
    }

    fn kind(&self, region: &Region) -> Result<&'static dyn WorkloadKind, Refusal> {
        kinds::kind(&region.workload.kind).ok_or_else(|| {
            Refusal::new(
                "kind",
                format!("{}: workloads of kind {} are not supported", region.name, region.workload.kind),
                "see `gonogo check` for the kinds that are",
            )
        })
    }

    /// A hold that covers any of the regions refuses what raises: it is lifted by its own key, not overridden.
    fn held(&self, regions: &[RegionIx], name: &str) -> Result<(), Refusal> {
        let covers =
            |hold: &crate::domain::record::HoldInForce| regions.iter().any(|at| hold.scope.covers(self.service, *at));
        match self.state.holds().into_iter().find(covers) {
            Some(hold) if hold.seen_in == 0 => Err(Refusal::new(
                "held",
                format!(
                    "a hold of {} by {} is wanted and still being written: hold 0 of {}",
                    hold.scope, hold.by, hold.of
                ),
                "wait until it is there, or cancel it",
            )),
            Some(hold) => Err(Refusal::new(
                "held",
                format!("{name} is held by {} ({}): {}", hold.by, hold.scope, hold.why()),
                "U releases a hold, with a reason",
            )),
            None => Ok(()),
        }
    }

    /// The object that runs a region.
    pub(super) fn workload_ref(&self, region: &Region, kind: &dyn WorkloadKind) -> ObjectRef {
        ObjectRef {
            cluster: region.cluster,
            api: kind.api(),
            namespace: region.workload.namespace.clone(),
            name: region.workload.name.clone(),
        }
    }

    /// The record of a region.
    fn record_ref(&self, region: &Region) -> ObjectRef {
        ObjectRef {
            cluster: region.cluster,
            api: ApiType::config_map(),
            namespace: region.workload.namespace.clone(),
            name: self.fleet.record_name(self.service).into(),
        }
    }

    /// Who acts in a region's cluster.
    fn by(&self, region: &Region) -> Operator {
        self.clusters
            .get(region.cluster.at())
            .and_then(|c| c.facts.user.clone())
            .unwrap_or_else(|| self.operator.clone())
    }

    fn fact(&mut self, region: &Region, body: Body) -> Fact {
        let id = FactId(self.ids.next(self.now));
        Fact { id, by: self.by(region), at: self.now, journal: self.journal.clone(), body }
    }

    /// The full workload that was read, or why not.
    fn workload(&self, at: RegionIx) -> Result<&Value, Refusal> {
        let name = self.region_name(at);
        match self.objects.workloads.get(&at) {
            Some(Ok(Some(object))) => Ok(object),
            Some(Ok(None)) => {
                Err(Refusal::new("absent", format!("{name}: the workload does not exist"), "check the configuration"))
            }
            Some(Err(reason)) => {
                let (word, text) = reason.text();
                Err(Refusal::new("unreachable", format!("{name}: {word}: {text}"), "R tries the cluster again"))
            }
            None => Err(Refusal::new("unreachable", format!("{name}: not read yet"), "try again")),
        }
    }

    /// Measured share of live traffic of some regions, and their queries per second.
    fn blast(&self, regions: Vec<RegionIx>) -> Blast {
        let Some(column) = self.service.traffic_column() else { return Blast { regions, share: None, qps: None } };
        let qps = |at: RegionIx| -> Option<f64> {
            let (_, reading) = self.region_state(at)?.current.get(&column.name)?;
            reading.as_ref().ok().copied()
        };
        let sum = |regions: &mut dyn Iterator<Item = RegionIx>| regions.map(qps).sum::<Option<f64>>();
        // Regions that are not steered (staging) carry no live traffic, where any is steered.
        let steered = self.service.regions.iter().any(|r| r.route.is_some());
        let live = |at: &RegionIx| !steered || self.service.region(*at).is_some_and(|r| r.route.is_some());
        let mine = sum(&mut regions.iter().copied().filter(live));
        let all = sum(&mut self.service.region_indexes().filter(live));
        let share = match (mine, all) {
            // The sum of nothing is -0.0, which nobody wants to read.
            (Some(mine), Some(all)) if all > 0.0 => Some((mine / all).clamp(0.0, 1.0) + 0.0),
            _ => None,
        };
        Blast { share, qps: sum(&mut regions.iter().copied()), regions }
    }

    /// How long a rollout may take before it counts as diverged.
    fn limit(&self, at: RegionIx) -> Duration {
        self.region_state(at)
            .and_then(|s| s.workload.as_ref())
            .and_then(|w| w.progress.deadline)
            .map_or(NO_DEADLINE, |d| d + GRACE)
    }

    /// One Kubernetes Event about the workload.
    fn event(&mut self, region: &Region, uid: &str, reason: &str, note: &str) -> Write {
        let id = self.ids.next(self.now).to_string().to_lowercase();
        let kind = kinds::kind(&region.workload.kind).map(|k| k.api());
        let (api_version, kind) = kind.map_or_else(Default::default, |a| (a.api_version(), a.kind.to_string()));
        let namespace = region.workload.namespace.clone();
        let name: Text = format!("{}.{id}", region.workload.name).into();
        let object = ObjectRef {
            cluster: region.cluster,
            api: ApiType::new("events.k8s.io", "v1", "events", "Event"),
            namespace: namespace.clone(),
            name: name.clone(),
        };
        let body = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": self.now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
            "reportingController": "gonogo",
            "reportingInstance": "gonogo",
            "action": reason,
            "reason": reason,
            "type": "Normal",
            "note": crate::domain::text::bounded(note, 900),
            "regarding": {
                "apiVersion": api_version,
                "kind": kind,
                "name": region.workload.name,
                "namespace": namespace,
                "uid": uid,
            },
        });
        Write { role: WriteRole::Event, change: Change::Create { object, body }, if_absent: None }
    }

    /// A finished step: main write, record facts, event.
    fn step(&mut self, at: RegionIx, parts: StepParts) -> Result<Step, Refusal> {
        let region = self.region(at)?.clone();
        let mut writes: Vec<Write> = parts.main.into_iter().collect();
        let facts = (!parts.facts.is_empty()).then(|| (self.record_ref(&region), parts.facts));
        if let Some((object, facts)) = &facts {
            // Without a main request, the facts are what the step is for.
            let role = if writes.is_empty() { WriteRole::Main } else { WriteRole::Record };
            let entries: Vec<_> = facts.iter().map(|f| (f.key(), f.value())).collect();
            writes.push(record_write(role, object, &entries));
        }
        if let Some((uid, reason, note)) = parts.event {
            let event = self.event(&region, &uid, reason, &note);
            writes.push(event);
        }
        Ok(Step {
            region: at,
            start: Start::AtOnce,
            label: parts.label,
            writes,
            facts,
            diff: parts.diff,
            expect: parts.expect,
            limit: parts.limit,
        })
    }
}

/// Facts that go to every region of the service, one step each, with the same identities everywhere.
fn everywhere(desk: &mut Desk<'_>, bodies: Vec<Body>, what: &str) -> Result<Vec<Step>, Refusal> {
    let facts: Vec<(FactId, Body)> = bodies.into_iter().map(|b| (FactId(desk.ids.next(desk.now)), b)).collect();
    let mut steps = Vec::new();
    for at in desk.service.region_indexes() {
        let region = desk.region(at)?.clone();
        let by = desk.by(&region);
        let fact = |(id, body): &(FactId, Body)| Fact {
            id: *id,
            by: by.clone(),
            at: desk.now,
            journal: desk.journal.clone(),
            body: body.clone(),
        };
        let facts: Vec<Fact> = facts.iter().map(fact).collect();
        steps.push(desk.step(at, StepParts::facts(format!("{what} fact"), facts))?);
    }
    Ok(steps)
}

/// What a step is made of.
struct StepParts {
    label: Text,
    main: Option<Write>,
    facts: Vec<Fact>,
    event: Option<(String, &'static str, String)>,
    diff: Vec<crate::domain::plan::DiffLine>,
    expect: Vec<crate::domain::plan::Expectation>,
    limit: Duration,
}

impl StepParts {
    /// A step that writes facts and nothing else: it is over when the record shows them.
    fn facts(label: impl Into<Text>, facts: Vec<Fact>) -> Self {
        Self {
            label: label.into(),
            main: None,
            expect: facts.iter().map(|f| crate::domain::plan::Expectation::Fact(f.id)).collect(),
            facts,
            event: None,
            diff: Vec::new(),
            limit: SOON,
        }
    }
}

/// A JSON patch of an object as a step's main write.
fn patch(object: ObjectRef, operations: Vec<Value>) -> Write {
    Write {
        role: WriteRole::Main,
        change: Change::Patch { object, kind: PatchKind::Json, subresource: None, body: Value::Array(operations) },
        if_absent: None,
    }
}

/// A turn of a rollout that goes step by step, as a step's main write. A status is written by itself, and with
/// the object where its type has no status of its own.
fn turn(object: ObjectRef, operations: Vec<Value>, is_status: bool) -> Write {
    let whole = patch(object, operations);
    match whole.change.clone() {
        Change::Patch { object, kind, body, .. } if is_status => {
            let change = Change::Patch { object, kind, subresource: Some("status".into()), body };
            Write { role: WriteRole::Main, change, if_absent: Some(whole.change) }
        }
        _ => whole,
    }
}

/// The operation that sets the change-cause, and its line in the diff.
fn change_cause(object: &Value, cause: &str) -> (Value, crate::domain::plan::DiffLine) {
    let value = Value::from(cause);
    let operation = if object.pointer("/metadata/annotations").is_some_and(Value::is_object) {
        add(format!("/metadata/annotations/{}", crate::domain::change::pointer_key(CHANGE_CAUSE)), value.clone())
    } else {
        add("/metadata/annotations", json!({ CHANGE_CAUSE: cause }))
    };
    let before = object.pointer("/metadata/annotations").and_then(|a| a.get(CHANGE_CAUSE)).cloned();
    let line = crate::domain::plan::DiffLine {
        field: format!("annotation {CHANGE_CAUSE}").into(),
        from: before,
        to: Some(value),
    };
    (operation, line)
}

/// Why no template is written where another object has it.
fn not_elsewhere(kind: &dyn WorkloadKind, region: &Region, object: &Value) -> Result<(), Refusal> {
    match kind.elsewhere(object) {
        Some(still) => Err(Refusal::new(still.code, format!("{} {}", region.name, still.why), still.hint)),
        None => Ok(()),
    }
}

/// The precondition of a change that rests on the whole template: this object, with the template that was read.
fn as_read(kind: &dyn WorkloadKind, object: &Value) -> Vec<Value> {
    vec![
        test("/metadata/uid", uid(object).into()),
        test(kind.template_pointer(), kind.template(object).cloned().unwrap_or_default()),
    ]
}

/// `metadata.uid`, for `test` operations.
fn uid(object: &Value) -> String {
    object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Digest of an object's template.
fn digest(kind: &dyn WorkloadKind, object: &Value) -> Option<TemplateDigest> {
    kind.digest(object)
}
