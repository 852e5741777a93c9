//! The value that a console, a watch screen and a one-shot verb share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::change::ObjectRef;
use crate::domain::fleet::Fleet;
use crate::domain::id::{ClusterIx, Operator, Place, ServiceIx, Text};
use crate::domain::link::LostReason;
use crate::domain::plan::PlanId;
use crate::domain::record::Record;
use crate::domain::stamp::{SignedDuration, Stamp, Stamped};

pub mod automation;
mod asking;
pub mod bake;
pub mod besides;
mod between;
pub mod blame;
pub mod deciders;
pub mod derive;
pub mod draft;
pub mod drills;
pub mod effect;
mod execute;
mod exemplar;
#[cfg(test)]
pub(crate) mod fixture;
pub mod ids;
pub mod judge;
mod keep;
pub mod left;
pub mod newest;
mod observe;
pub mod operation;
pub mod pace;
pub mod policy_text;
pub mod quarantines;
mod remaining;
pub mod report;
mod rehearse;
mod review;
pub mod sampling;
pub mod scene;
pub mod sources;
pub mod state;
mod tend;
pub mod unwatched;
pub mod view;
mod verifying;
mod wanted;
pub mod wants;

use effect::{Effect, Msg, Reply, Ticket};
use ids::Ids;
use operation::{Operation, Proposal};
use review::Review;
use state::{ClusterState, RegionState, ServiceState};

/// Everything that is believed, reviewed and carried out.
pub struct Engine {
    /// The fleet as configured.
    pub fleet: Arc<Fleet>,
    /// Clusters, by position.
    pub clusters: Vec<ClusterState>,
    /// Services, by position.
    pub services: Vec<ServiceState>,
    /// Commands and endpoints that are asked how regions stand.
    pub sources: sources::Sources,
    /// What is being reviewed.
    pub proposal: Option<Proposal>,
    /// What is or was carried out, oldest first.
    pub operations: Vec<Operation>,
    /// Logs of opened pods, or why there are none.
    pub logs: BTreeMap<(Place, Text), Result<Vec<Text>, LostReason>>,
    /// Full objects that were asked for, with their time.
    pub full: BTreeMap<ObjectRef, (Stamp, Result<Option<serde_json::Value>, LostReason>)>,
    /// Stamp of the last message.
    pub now: Stamp,
    /// The service on the screen.
    pub shown: Option<ServiceIx>,
    /// The region that is open.
    pub opened: Option<Place>,
    /// The exemplar that was asked for last.
    sought: Option<crate::domain::exemplar::Sought>,
    index: observe::Index,
    gates: judge::Gates,
    sampler: sampling::Sampler,
    /// Metrics of services that are not shown any more are kept.
    remembers: bool,
    /// Second of the last ageing of views.
    aged: Option<u64>,
    /// Counts changes: see [`Engine::revision`].
    revision: Revision,
    /// Server clocks minus ours, the median of the clusters that answered.
    skew: SignedDuration,
    ids: Ids,
    operator: Operator,
    journal_head: Text,
    tickets: u64,
    review: Option<Review>,
    memory: BTreeMap<PlanId, Vec<execute::StepMemory>>,
    journaling: BTreeSet<PlanId>,
    /// Reads beside the watch, with the moment they were sent.
    looks: BTreeMap<Ticket, (ObjectRef, std::time::Duration)>,
    /// Objects of which an older view came after a newer one, and since when the watch has not caught up.
    overtaken: BTreeMap<ObjectRef, std::time::Duration>,
    details: BTreeMap<Ticket, ObjectRef>,
    keeping: keep::Keeping,
    asked: asking::Asked,
    blaming: blame::Blaming,
    may_keep: bool,
    listed: BTreeMap<Place, std::time::Duration>,
    revisions_asked: BTreeMap<Place, std::time::Duration>,
    automation: Option<automation::Automation>,
    leases: automation::lease::Leases,
}

/// How often something changed that a screen may show. Two equal values: nothing did, but for
/// the ages that a clock shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// Of the shown service, of clusters, reviews and operations.
    pub shown: u64,
    /// Of any service's view.
    pub fleet: u64,
}

/// What an engine needs to know of the process it is in.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Who acts, where a cluster does not say: `user@host`.
    pub operator: Operator,
    /// Seed of identities.
    pub seed: u64,
    /// Whether it may write bookkeeping; a watch screen may not.
    pub may_keep: bool,
    /// Between two questions for the newest sample.
    pub refresh: std::time::Duration,
}

/// Between two lists of an opened region's pods and events.
const LIST_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// They are half of an object, and nobody reads them on a screen.
fn without_managed_fields(mut object: serde_json::Value) -> serde_json::Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// A watch has caught up with a read by then.
const CATCHES_UP: std::time::Duration = std::time::Duration::from_secs(5);

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(fleet: Arc<Fleet>, setting: Setting, now: Stamp) -> Self {
        let services = fleet.services.iter().map(|s| ServiceState {
            regions: vec![RegionState::default(); s.regions.len()],
            record: Record::for_regions(s.regions.len()),
            stale_view: true,
            ..ServiceState::default()
        });
        Self {
            clusters: vec![ClusterState::default(); fleet.clusters.len()],
            sources: sources::Sources::default(),
            services: services.collect(),
            index: observe::Index::new(&fleet),
            gates: judge::Gates::build(&fleet, &crate::gates::gate_type),
            sought: None,
            sampler: sampling::Sampler::new(setting.refresh),
            remembers: false,
            aged: None,
            revision: Revision::default(),
            skew: SignedDuration::ZERO,
            fleet,
            proposal: None,
            operations: Vec::new(),
            logs: BTreeMap::new(),
            full: BTreeMap::new(),
            now,
            shown: None,
            opened: None,
            ids: Ids::new(setting.seed),
            operator: setting.operator,
            journal_head: "".into(),
            tickets: 0,
            review: None,
            memory: BTreeMap::new(),
            journaling: BTreeSet::new(),
            looks: BTreeMap::new(),
            overtaken: BTreeMap::new(),
            details: BTreeMap::new(),
            keeping: keep::Keeping::default(),
            asked: asking::Asked::default(),
            blaming: blame::Blaming::default(),
            may_keep: setting.may_keep,
            listed: BTreeMap::new(),
            revisions_asked: BTreeMap::new(),
            automation: None,
            leases: automation::lease::Leases::default(),
        }
    }

    /// Takes one message in; says what is to be done.
    pub fn update(&mut self, message: Stamped<Msg>) -> Vec<Effect> {
        self.update_all(message.stamp, [message.value])
    }

    /// Takes in what came at one moment, in order: views follow once, for all of it.
    pub fn update_all(&mut self, stamp: Stamp, messages: impl IntoIterator<Item = Msg>) -> Vec<Effect> {
        self.now = stamp;
        let mut effects = Vec::new();
        let mut ticks = false;
        for message in messages {
            ticks |= matches!(message, Msg::Tick);
            match message {
                Msg::Seen(seen) => self.observe(seen),
                Msg::Reply(reply) => {
                    self.revision.shown += 1;
                    self.reply(reply, &mut effects);
                }
                Msg::Tick => self.tick(&mut effects),
            }
            // What is being verified must not miss a state that the next message replaces.
            if self.operations.iter().any(Operation::open) {
                self.refresh();
                self.tend_operations(&mut effects);
            }
        }
        self.want_holds();
        self.refresh();
        self.tend_automation(ticks, &mut effects);
        effects
    }

    /// Counts what changed so far.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Something of a service changed that is not part of its view.
    fn changed(&mut self, service: ServiceIx) {
        if self.shown == Some(service) {
            self.revision.shown += 1;
        }
    }

    fn tick(&mut self, effects: &mut Vec<Effect>) {
        self.age_views();
        self.sample(effects);
        self.call(effects);
        self.list_what_is_open(effects);
        self.keep_records(effects);
        self.look_at_overtaken(effects);
        self.tend_changed();
        self.blame(effects);
        self.tend_review(effects);
        self.tend_slot_reviews(effects);
        self.tend_leases(effects);
    }

    fn reply(&mut self, reply: Reply, effects: &mut Vec<Effect>) {
        match reply {
            Reply::Fetched { ticket, result } => {
                if self.lease_read(ticket, &result) {
                    // Taken: whose it is, is kept with its region.
                } else if let Some((object, sent)) = self.looks.remove(&ticket) {
                    self.looked(&object, sent, result);
                } else if self.is_blame(ticket, &result) {
                    // Taken: who it was is kept, the object is not.
                } else if let Some(object) = self.details.remove(&ticket) {
                    let result = result.map(|value| value.map(without_managed_fields));
                    self.full.insert(object, (self.now, result));
                } else {
                    let answer = review::Answer::Object(result);
                    self.for_review(ticket, |engine| engine.read_for_review(ticket, answer, effects));
                }
            }
            Reply::FetchedList { ticket, result } => {
                let answer = review::Answer::List(result);
                self.for_review(ticket, |engine| engine.read_for_review(ticket, answer, effects));
            }
            Reply::DryRan { ticket, result } => {
                self.for_review(ticket, |engine| engine.dry_ran(ticket, result));
            }
            Reply::Journaled { plan, result } => self.journaled(plan, result, effects),
            Reply::Acted { plan, step, write, result } => self.acted(plan, step, write, result, effects),
            Reply::Kept { ticket, result } => {
                if !self.lease_kept(ticket, &result) {
                    self.kept(ticket, &result, effects);
                }
            }
            Reply::Logged { place, pod, result } => {
                self.logs.insert((place, pod), result);
            }
        }
    }

    /// This service is on the screen: it is sampled, and its history listed.
    pub fn show(&mut self, service: ServiceIx) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.shown != Some(service) {
            let before = self.shown.replace(service);
            if let Some(before) = before {
                self.forget_metrics(before);
            }
            self.revision.shown += 1;
            if let Some(state) = self.services.get_mut(service.at()) {
                state.stale_view = true;
            }
            self.refresh();
            self.sample(&mut effects);
        }
        effects
    }

    /// This region is open: its pods and events are listed, its object is read.
    pub fn open(&mut self, place: Option<Place>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.opened != place {
            self.opened = place;
            self.full.clear();
            self.logs.clear();
            self.listed.clear();
            self.list_what_is_open(&mut effects);
            if let Some(object) = place.and_then(|p| self.workload_object(p)) {
                let ticket = self.ticket();
                self.details.insert(ticket, object.clone());
                effects.push(Effect::Fetch { ticket, object });
            }
        }
        effects
    }

    fn list_what_is_open(&mut self, effects: &mut Vec<Effect>) {
        if let Some(place) = self.opened
            && self.listed.get(&place).is_none_or(|t| self.now.mono.saturating_sub(*t) >= LIST_EVERY)
        {
            self.listed.insert(place, self.now.mono);
            // What no cluster holds has neither pods nor events nor revisions in one.
            if self.is_in_cluster(place) {
                effects.push(Effect::ListPods(place));
                effects.push(Effect::ListEvents(place));
            }
        }
        // History of the shown service: one metadata list per region, again when its digest changes.
        // A guard has no screen, and needs it of whatever is under release.
        let all = (0..self.services.len()).map(ServiceIx::from);
        let guarded = all.filter(|at| self.automation.is_some() && self.is_sampled(*at));
        let listed: BTreeSet<ServiceIx> = self.shown.into_iter().chain(guarded).collect();
        let of = |service: ServiceIx| {
            let regions = self.services.get(service.at()).map(|s| s.regions.as_slice()).unwrap_or_default();
            let stale = |r: &RegionState| r.workload.as_ref().is_some_and(|w| r.revisions_for != Some(w.template));
            regions.iter().enumerate().filter(move |(_, r)| stale(r)).map(move |(at, _)| (service, at.into()))
        };
        let due: Vec<Place> = listed.into_iter().flat_map(of).filter(|place| self.is_in_cluster(*place)).collect();
        for place in due {
            let waits = self.revisions_asked.get(&place).is_some_and(|t| self.now.mono.saturating_sub(*t) < LIST_EVERY);
            if !waits {
                self.revisions_asked.insert(place, self.now.mono);
                effects.push(Effect::ListRevisions(place));
            }
        }
    }

    fn is_in_cluster(&self, place: Place) -> bool {
        let region = self.fleet.service(place.0).and_then(|s| s.region(place.1));
        region.and_then(|r| crate::kinds::kind(&r.workload.kind)).is_none_or(|k| k.is_in_cluster())
    }

    /// The object that runs a region.
    pub fn workload_object(&self, place: Place) -> Option<ObjectRef> {
        let region = self.fleet.service(place.0)?.region(place.1)?;
        let kind = crate::kinds::kind(&region.workload.kind)?;
        Some(ObjectRef {
            cluster: region.cluster,
            api: kind.api(),
            namespace: region.workload.namespace.clone(),
            name: region.workload.name.clone(),
        })
    }

    /// A GET for verification: what it shows enters like any observation.
    fn looked(
        &mut self,
        object: &ObjectRef,
        sent: std::time::Duration,
        result: Result<Option<serde_json::Value>, LostReason>,
    ) {
        self.tell_weight(object, sent, result.is_ok());
        if let Ok(value) = result {
            self.observe_full(object, value.as_ref(), sent);
            self.tell_lost(object, sent);
        }
    }

    /// Sends a GET whose answer enters like any observation.
    fn look_at(&mut self, object: ObjectRef, effects: &mut Vec<Effect>) {
        let ticket = self.ticket();
        self.looks.insert(ticket, (object.clone(), self.now.mono));
        effects.push(Effect::Fetch { ticket, object });
    }

    /// A watch that has not caught up with a newer view is not waited for: a server that was restored
    /// counts from an earlier version again, and only a read can tell.
    fn look_at_overtaken(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now.mono;
        let due = |since: &std::time::Duration| now.saturating_sub(*since) >= CATCHES_UP;
        let objects: Vec<ObjectRef> =
            self.overtaken.iter().filter(|(_, since)| due(since)).map(|(object, _)| object.clone()).collect();
        for object in objects {
            self.overtaken.insert(object.clone(), now);
            self.look_at(object, effects);
        }
    }

    /// Records of this cluster are not watched (no right, or not listed yet).
    fn records_unwatched(&self, cluster: ClusterIx) -> bool {
        let places = self.index.clusters.get(&cluster);
        places
            .into_iter()
            .flatten()
            .any(|(s, r)| self.services.get(s.at()).and_then(|s| s.region(*r)).is_some_and(|r| !r.record_listed))
    }

    /// A disappeared record was looked at by a person: raising may go on once it is written again.
    pub fn acknowledge(&mut self, service: ServiceIx) {
        if let Some(state) = self.services.get_mut(service.at()) {
            state.regions.iter_mut().for_each(|r| r.record_lost = false);
            state.stale_view = true;
        }
    }

    /// Why records may not be written, by place: shown per region.
    pub fn record_refusals(&self) -> &BTreeMap<Place, Text> {
        &self.keeping.refused
    }

    /// From now on nothing is written outside plans: this has become a watch screen.
    pub fn stop_keeping(&mut self) {
        self.may_keep = false;
    }

    /// An identity for a plan that is about to be proposed.
    pub fn next_plan_id(&mut self) -> PlanId {
        PlanId(self.ids.next(self.now.wall))
    }

    /// What tells this process from another on the same host.
    pub fn instance(&mut self) -> String {
        self.ids.next(self.now.wall).to_string().to_lowercase()
    }

    /// Who acts: the user that the plan's first cluster names, else `user@host`.
    pub fn operator_of(&self, plan: &crate::domain::plan::Plan) -> Operator {
        let cluster = plan.steps.first().and_then(|s| {
            let region = self.fleet.service(plan.service)?.region(s.region)?;
            self.clusters.get(region.cluster.at())
        });
        cluster.and_then(|c| c.facts.user.clone()).unwrap_or_else(|| self.operator.clone())
    }

    /// Where the journal stood when this process began: facts name it.
    pub fn know_journal(&mut self, head: Text) {
        if self.journal_head.is_empty() {
            self.journal_head = head;
        }
    }

    /// Who acts, where a cluster does not say.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }
}
