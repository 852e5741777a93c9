//! From an intent to something a person can approve: reads, draft, dry-run.
//!
//! The prompt opens at once; reads and dry-runs go on behind it. Raising waits for
//! them; lowering waits a moment for reads and for no dry-run at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Engine;
use super::draft::{self, Desk, Objects, Read};
use super::effect::{Effect, MetricQuestion, Ticket};
use super::newest::Came;
use super::operation::{Proposal, ProposalState};
use crate::carriers::CarrierRead;
use crate::domain::approval::Approval;
use crate::domain::carrier::OverlayRef;
use crate::domain::challenge::challenge;
use crate::domain::change::{ApiType, ObjectRef};
use crate::domain::finding::{Finding, Severity};
use crate::domain::id::{Place, RegionIx, ServiceIx, Text};
use crate::domain::intent::{Direction, Intent, Target, Verb};
use crate::domain::link::{Link, LostReason};
use crate::domain::observation::{ResourceVersion, Seen};
use crate::domain::plan::{Plan, PlanId, Refusal};
use crate::domain::record::{Body, RegionRecord};
use crate::domain::stamp::SignedDuration;

/// Lowering drafts with what was read by then; the rest is left out, and said.
const LOWERING_READS: Duration = Duration::from_millis(1_500);
/// Raising refuses when reads take longer.
const RAISING_READS: Duration = Duration::from_secs(10);
/// Selects approvals among what gonogo manages.
const APPROVALS: &str = "app.kubernetes.io/managed-by=gonogo,app.kubernetes.io/component=approval";
/// A drain is judged without the last week when its traffic is not known by then.
const WEEK: Duration = Duration::from_secs(5);
/// A dry-run that takes longer is a finding.
const DRY_RUN: Duration = Duration::from_secs(3);

/// What is behind a proposal.
#[derive(Debug, Default)]
pub(super) struct Review {
    reading: BTreeMap<Ticket, Read>,
    asked: BTreeSet<Read>,
    objects: Objects,
    pub(super) dry_runs: BTreeMap<Ticket, usize>,
    /// Rehearsals of a forged approval, by the region it would lie in.
    pub(super) forged: BTreeMap<Ticket, RegionIx>,
    ready_since: Option<Duration>,
    /// The traffic of the last week was asked for, and is waited for.
    week: bool,
}

impl Review {
    /// Rehearsals that are not answered.
    pub(super) fn unanswered(&self) -> usize {
        self.dry_runs.len() + self.forged.len()
    }
}

/// What a read brought.
pub(super) enum Answer {
    /// One object.
    Object(Result<Option<Value>, LostReason>),
    /// A list.
    List(Result<Vec<Value>, LostReason>),
}

impl Review {
    /// Whether this is the answer to something it asked.
    pub(super) fn waits_for(&self, ticket: Ticket) -> bool {
        self.reading.contains_key(&ticket) || self.dry_runs.contains_key(&ticket)
    }
}

impl Engine {
    /// Starts to review an intent; its proposal replaces the one under review.
    pub fn propose(&mut self, id: PlanId, intent: Intent) -> Vec<Effect> {
        let mut effects = Vec::new();
        let title = self.title(&intent);
        self.review = Some(Review::default());
        self.proposal = Some(Proposal {
            id,
            title,
            opened: self.now,
            state: ProposalState::Reading { missing: 0 },
            intent: intent.clone(),
        });
        let Some((service, state)) = self.fleet.service(intent.service).zip(self.services.get(intent.service.at()))
        else {
            self.refuse(Refusal::new("nothing", "no such service", "check its name"));
            return effects;
        };
        let reads = draft::reads(service, state, &intent);
        if matches!(intent.verb, Verb::Drain) {
            let before = effects.len();
            self.ask_week(intent.service, &mut effects);
            let asked = effects.len() > before;
            if let Some(state) = self.services.get_mut(intent.service.at()) {
                state.week_came = false;
            }
            if let Some(review) = &mut self.review {
                review.week = asked;
            }
        }
        self.read(reads, &mut effects);
        self.go_on(&mut effects);
        effects
    }

    /// Leaves the review without doing anything.
    pub fn dismiss(&mut self) {
        self.proposal = None;
        self.review = None;
    }

    fn title(&self, intent: &Intent) -> Text {
        let Some(service) = self.fleet.service(intent.service) else { return intent.verb.word().into() };
        let whom = match &intent.target {
            Target::Service => service.name.to_string(),
            Target::Ring(ring) => service.ring(*ring).map_or_else(|| "?".to_owned(), |r| r.name.to_string()),
            Target::Regions(regions) => {
                let name = |r: &RegionIx| service.region(*r).map(|r| r.name.to_string());
                regions.iter().filter_map(name).collect::<Vec<_>>().join(", ")
            }
        };
        format!("{} {whom}", intent.verb.word()).into()
    }

    fn read(&mut self, reads: Vec<Read>, effects: &mut Vec<Effect>) {
        let Some(intent) = self.proposal.as_ref().map(|p| p.intent.clone()) else { return };
        for read in reads {
            if let Some(scalar) = self.scalar_of(intent.service, &read) {
                let ticket = self.ticket();
                let Some(review) = &mut self.review else { return };
                if review.asked.insert(read.clone()) {
                    effects.push(Effect::ReadScalar { ticket, scalar: Box::new(scalar) });
                    review.reading.insert(ticket, read);
                }
                continue;
            }
            let Some(object) = self.object_of(intent.service, &read) else { continue };
            let ticket = self.ticket();
            let Some(review) = &mut self.review else { return };
            if !review.asked.insert(read.clone()) {
                continue;
            }
            effects.push(match &read {
                Read::Owned(_, selector) => Effect::FetchList {
                    ticket,
                    cluster: object.cluster,
                    api: children_of(&object.api),
                    namespace: object.namespace,
                    selector: selector.as_str().into(),
                },
                Read::Approvals(_) => Effect::FetchList {
                    ticket,
                    cluster: object.cluster,
                    api: ApiType::config_map(),
                    namespace: object.namespace,
                    selector: APPROVALS.into(),
                },
                _ => Effect::Fetch { ticket, object },
            });
            review.reading.insert(ticket, read);
        }
        self.count_missing();
    }

    pub(super) fn object_of(&self, service: ServiceIx, read: &Read) -> Option<ObjectRef> {
        let spec = self.fleet.service(service)?;
        let (Read::Workload(at)
        | Read::Owned(at, _)
        | Read::Route(at)
        | Read::Delivery(at)
        | Read::Carrier(at)
        | Read::Record(at)
        | Read::Approvals(at)) = read
        else {
            let Read::Beside(object) = read else { return None };
            return Some(object.clone());
        };
        let region = spec.region(*at)?;
        match read {
            Read::Workload(_) | Read::Owned(..) => self.workload_object((service, *at)),
            Read::Route(_) => {
                let route = region.route.as_ref()?;
                Some(ObjectRef {
                    cluster: route.cluster,
                    api: crate::traffic::provider(&route.provider)?.api(),
                    namespace: route.namespace.clone(),
                    name: route.name.clone(),
                })
            }
            Read::Delivery(_) => {
                let delivery = region.delivery.as_ref()?;
                Some(ObjectRef {
                    cluster: delivery.cluster,
                    api: crate::delivery::tool(&delivery.kind)?.api(),
                    namespace: delivery.namespace.clone(),
                    name: delivery.name.clone(),
                })
            }
            Read::Carrier(_) => match crate::carriers::carrier(region)?.reads(region)? {
                CarrierRead::Object(object) => Some(object),
                CarrierRead::Scalar(_) => None,
            },
            Read::Beside(object) => Some(object.clone()),
            Read::Record(_) | Read::Approvals(_) => Some(ObjectRef {
                cluster: region.cluster,
                api: ApiType::config_map(),
                namespace: region.workload.namespace.clone(),
                name: self.fleet.record_name(spec).into(),
            }),
        }
    }

    /// What of a repository a read is about; none: it is about an object.
    fn scalar_of(&self, service: ServiceIx, read: &Read) -> Option<OverlayRef> {
        let Read::Carrier(at) = read else { return None };
        let region = self.fleet.service(service)?.region(*at)?;
        match crate::carriers::carrier(region)?.reads(region)? {
            CarrierRead::Scalar(scalar) => Some(scalar),
            CarrierRead::Object(_) => None,
        }
    }

    fn count_missing(&mut self) {
        let missing = self.review.as_ref().map_or(0, |r| r.reading.len());
        if let Some(ProposalState::Reading { missing: m }) = self.proposal.as_mut().map(|p| &mut p.state) {
            *m = missing;
        }
    }

    pub(super) fn read_for_review(&mut self, ticket: Ticket, answer: Answer, effects: &mut Vec<Effect>) {
        let Some(read) = self.review.as_mut().and_then(|r| r.reading.remove(&ticket)) else { return };
        let Some((service, opened)) = self.proposal.as_ref().map(|p| (p.intent.service, p.opened.mono)) else { return };
        // What was read enters the state too: the verdict must rest on it.
        if let Answer::Object(Ok(value)) = &answer
            && let Some(object) = self.object_of(service, &read)
        {
            self.observe_full(&object, value.as_ref(), opened);
            self.refresh();
        }
        if let (Read::Approvals(at), Answer::List(Ok(list))) = (&read, &answer) {
            self.approvals_listed((service, *at), list);
            self.refresh();
        }
        let Some(review) = &mut self.review else { return };
        match (read, answer) {
            (Read::Workload(at), Answer::Object(result)) => {
                review.objects.workloads.insert(at, result);
            }
            (Read::Route(at), Answer::Object(result)) => {
                review.objects.routes.insert(at, result);
            }
            (Read::Delivery(at), Answer::Object(result)) => {
                review.objects.deliveries.insert(at, result.map(|_| ()));
            }
            (Read::Carrier(at), Answer::Object(result)) => {
                review.objects.carriers.insert(at, result);
            }
            (Read::Beside(object), Answer::Object(result)) => {
                review.objects.besides.insert(object, result);
            }
            (Read::Record(at), Answer::Object(result)) => {
                review.objects.records.insert(at, result.map(|_| ()));
            }
            (Read::Owned(at, _), Answer::List(result)) => {
                review.objects.owned.insert(at, result);
            }
            (Read::Approvals(at), Answer::List(result)) => {
                review.objects.approvals.insert(at, result.map(|_| ()));
            }
            _ => {}
        }
        self.count_missing();
        self.go_on(effects);
    }

    /// Drafts as soon as everything that is waited for is there.
    fn go_on(&mut self, effects: &mut Vec<Effect>) {
        let Some((review, proposal)) = self.review.as_ref().zip(self.proposal.as_ref()) else { return };
        if !review.reading.is_empty() || !matches!(proposal.state, ProposalState::Reading { .. }) {
            return;
        }
        let intent = proposal.intent.clone();
        let came = self.services.get(intent.service.at()).is_none_or(|s| s.week_came);
        if review.week && !came && self.now.since(proposal.opened) < WEEK {
            return;
        }
        if let Some((service, state)) = self.fleet.service(intent.service).zip(self.services.get(intent.service.at())) {
            let more = draft::more_reads(service, state, &intent, &review.objects);
            let more: Vec<Read> = more.into_iter().filter(|r| !review.asked.contains(r)).collect();
            if !more.is_empty() {
                self.read(more, effects);
                return;
            }
        }
        self.draft(effects);
    }

    fn draft(&mut self, effects: &mut Vec<Effect>) {
        let Some((id, intent)) = self.proposal.as_ref().map(|p| (p.id, p.intent.clone())) else { return };
        match self.drafted(id, &intent) {
            None => {}
            Some(Err(refusal)) => self.refuse(refusal),
            Some(Ok(plan)) => self.ready(plan, effects),
        }
    }

    /// The plan for an intent from what was read and from what is believed now; none: no such service.
    fn drafted(&mut self, id: PlanId, intent: &Intent) -> Option<Result<Plan, Refusal>> {
        let objects = self.review.as_ref().map(|r| r.objects.clone()).unwrap_or_default();
        // What was just read must be in the view and in the verdict.
        self.freshen(intent.service);
        let question = self.question_for(intent);
        let now = self.server_now();
        let fleet = self.fleet.clone();
        let (service, state) = fleet.service(intent.service).zip(self.services.get(intent.service.at()))?;
        let mut desk = Desk {
            fleet: &fleet,
            clusters: &self.clusters,
            sources: &self.sources,
            at: intent.service,
            service,
            state,
            objects: &objects,
            question,
            now,
            stamp: self.now,
            ids: &mut self.ids,
            operator: &self.operator,
            journal: &self.journal_head,
        };
        Some(draft::draft(&mut desk, id, intent))
    }

    /// Why a raising plan may not go out, although somebody approved it. It must be the plan under
    /// review, with every read and rehearsal answered (or given up, which is a finding); and
    /// what it rests on must still hold: a hold that came while the prompt was open stops it.
    pub(super) fn may_not_raise(&mut self, plan: &Plan) -> Option<Text> {
        let proposal = self.proposal.as_ref().filter(|p| p.id == plan.id);
        let shown = match proposal.map(|p| &p.state) {
            Some(ProposalState::Ready { plan, checking: 0, .. }) => plan.clone(),
            Some(ProposalState::Ready { checking, .. }) => {
                return Some(format!("{checking} dry-runs were not answered yet: nothing was written").into());
            }
            Some(ProposalState::Reading { missing }) => {
                return Some(format!("{missing} objects it rests on were not read yet: nothing was written").into());
            }
            Some(ProposalState::Refused(refusal)) => return Some(refusal.text.clone()),
            None => return Some("it is not the plan under review: nothing was written".into()),
        };
        if !plan.is_as_shown(&shown) {
            return Some("it is not the plan that was shown: nothing was written".into());
        }
        match self.drafted(plan.id, &plan.intent)? {
            Err(refusal) => Some(format!("changed since you looked: {}", refusal.text).into()),
            Ok(now) => {
                let known = |f: &Finding| {
                    let same = |s: &&Finding| s.code == f.code && s.subject == f.subject && s.severity >= f.severity;
                    shown.findings.iter().any(|s| same(&s))
                };
                let new = now.findings.iter().find(|f| f.severity >= Severity::Warning && !known(f));
                let new = new.map(|f| f.text.to_string()).or_else(|| self.news(plan));
                new.map(|text| format!("changed since you looked: {text}").into())
            }
        }
    }

    /// What somebody did to the service since a plan was drafted: a move, a hold, a quarantine.
    fn news(&self, plan: &Plan) -> Option<String> {
        let known = self.known_facts(plan.id)?;
        let record = &self.services.get(plan.service.at())?.record;
        let facts =
            record.regions.iter().enumerate().flat_map(|(at, r)| {
                r.iter().flat_map(|r| r.facts.values()).map(move |fact| (RegionIx::from(at), fact))
            });
        let tells = |body: &Body| {
            matches!(body, Body::Promoted(_) | Body::RolledBack(_) | Body::Hold { .. } | Body::Quarantine { .. })
        };
        let new = facts.filter(|(_, f)| tells(&f.body) && !known.contains(&f.id)).max_by_key(|(_, f)| f.id);
        let (at, fact) = new?;
        let region = self.region_text(plan.service, at);
        Some(match &fact.body {
            Body::Promoted(m) => format!("{} promoted {region} from {} to {}", fact.by, m.from_version, m.to_version),
            Body::RolledBack(m) => {
                let reason = if m.reason.is_empty() { String::new() } else { format!(": {}", m.reason) };
                format!("{} rolled {region} back from {} to {}{reason}", fact.by, m.from_version, m.to_version)
            }
            Body::Hold { scope, reason } => format!("{} holds {scope}: {reason}", fact.by),
            _ => format!("{} quarantined something", fact.by),
        })
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if let Some(proposal) = &mut self.proposal {
            proposal.state = ProposalState::Refused(refusal);
        }
        self.review = None;
    }

    fn ready(&mut self, plan: Plan, effects: &mut Vec<Effect>) {
        self.remember_facts(plan.id, plan.service);
        let mut dry_runs = BTreeMap::new();
        for (step, write) in plan.rehearsals() {
            let ticket = self.ticket();
            dry_runs.insert(ticket, step);
            effects.push(Effect::DryRun { ticket, change: Box::new(write.change.clone()) });
        }
        let forged = self.rehearse_forgery(&plan, effects);
        let checking = dry_runs.len();
        if let Some(review) = &mut self.review {
            review.forged = forged;
            review.dry_runs = dry_runs;
            review.ready_since = Some(self.now.mono);
        }
        if let Some(proposal) = &mut self.proposal {
            proposal.title = plan.title.clone();
            let challenge = challenge(&plan);
            proposal.state = ProposalState::Ready { challenge, plan: Arc::new(plan), checking };
        }
    }

    /// Time limits of the review.
    pub(super) fn tend_review(&mut self, effects: &mut Vec<Effect>) {
        // What must be fetched from a repository takes longer than a GET, and there is no plan without it.
        let fetches = self.review.as_ref().zip(self.proposal.as_ref()).is_some_and(|(review, proposal)| {
            review.reading.values().any(|read| self.scalar_of(proposal.intent.service, read).is_some())
        });
        let patience = if fetches { RAISING_READS } else { LOWERING_READS };
        let Some((review, proposal)) = self.review.as_mut().zip(self.proposal.as_ref()) else { return };
        let lowering = proposal.intent.verb.direction() == Direction::Lowering;
        let waited = self.now.since(proposal.opened);
        match &proposal.state {
            ProposalState::Reading { .. } if review.reading.is_empty() => self.go_on(effects),
            ProposalState::Reading { .. } if lowering && waited >= patience => {
                let late = LostReason::Unreachable("no answer yet".into());
                for read in std::mem::take(&mut review.reading).into_values() {
                    match read {
                        Read::Workload(at) => drop(review.objects.workloads.insert(at, Err(late.clone()))),
                        Read::Route(at) => drop(review.objects.routes.insert(at, Err(late.clone()))),
                        Read::Delivery(at) => drop(review.objects.deliveries.insert(at, Err(late.clone()))),
                        Read::Carrier(at) => drop(review.objects.carriers.insert(at, Err(late.clone()))),
                        Read::Beside(object) => drop(review.objects.besides.insert(object, Err(late.clone()))),
                        Read::Owned(at, _) => drop(review.objects.owned.insert(at, Err(late.clone()))),
                        Read::Record(at) => drop(review.objects.records.insert(at, Err(late.clone()))),
                        Read::Approvals(at) => drop(review.objects.approvals.insert(at, Err(late.clone()))),
                    }
                }
                self.go_on(effects);
            }
            ProposalState::Reading { missing } if !lowering && waited >= RAISING_READS => {
                let text = format!("{missing} of the objects this rests on could not be read within 10 s");
                self.refuse(Refusal::new("unreachable", text, "R tries lost clusters again"));
            }
            ProposalState::Ready { checking, .. } if *checking > 0 => {
                let late = review.ready_since.is_some_and(|t| self.now.mono.saturating_sub(t) >= DRY_RUN);
                if late {
                    review.forged.clear();
                    let steps: Vec<usize> = std::mem::take(&mut review.dry_runs).into_values().collect();
                    self.unrehearsed(&steps, lowering);
                }
            }
            _ => {}
        }
    }

    pub(super) fn region_text(&self, service: ServiceIx, region: RegionIx) -> Text {
        self.fleet
            .service(service)
            .and_then(|s| s.region(region))
            .map_or_else(|| "?".into(), |r| r.name.as_str().into())
    }

    /// The traffic column of the last week, hourly, for the peak of these hours.
    pub fn ask_week(&self, service: ServiceIx, effects: &mut Vec<Effect>) {
        let last = self.server_now();
        let first = last.saturating_sub(SignedDuration::from_hours(7 * 24 + 1)).unwrap_or(last);
        let step = SignedDuration::from_hours(1);
        let span = super::effect::Span::History { first, last, step };
        let questions: Vec<MetricQuestion> = self.traffic_questions(service, span);
        effects.extend(questions.into_iter().map(|q| Effect::Ask(Box::new(q))));
    }

    /// A full object that was read enters the state as if the watch had shown it; `sent`: not before
    /// that moment it was asked for.
    pub(super) fn observe_full(&mut self, object: &ObjectRef, value: Option<&Value>, sent: Duration) {
        let seen = match &*object.api.kind {
            "ConfigMap" if Approval::is_named_so(&object.name) => Some(Seen::Approval {
                namespace: object.namespace.clone(),
                name: object.name.clone(),
                state: value.map(|v| Box::new(Approval::read(&object.name, v.to_string().as_bytes()))),
            }),
            "ConfigMap" => Some(Seen::Record {
                namespace: object.namespace.clone(),
                name: object.name.clone(),
                state: value.map(|v| {
                    let data = v.get("data").and_then(Value::as_object);
                    let entries = data.into_iter().flatten().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)));
                    Box::new(RegionRecord::read(entries))
                }),
            }),
            kind => self.seen_of_kind(kind, object, value),
        };
        if let Some(Seen::Workload { state: Some(_), .. }) = &seen
            && let Some(place) = self.reported_at(object)
        {
            self.reported(place, Link::Live);
        }
        // One object may steer in two ways: an HTTPRoute by its weights, and by its annotations.
        let routes = crate::traffic::PROVIDERS.iter().filter(|p| p.api() == object.api);
        let routes: Vec<Seen> = routes.filter_map(|p| seen_of_route(*p, object, value)).collect();
        for seen in seen.into_iter().chain(routes) {
            self.object(object.cluster, seen, value.and_then(ResourceVersion::of), Came::Read(sent));
        }
    }

    /// A fresh list of the approvals in a region: what is not in it is gone.
    fn approvals_listed(&mut self, place: Place, list: &[Value]) {
        let Some(region) = self.fleet.service(place.0).and_then(|s| s.region(place.1)) else { return };
        let (cluster, namespace) = (region.cluster, region.workload.namespace.clone());
        let known = self.services.get(place.0.at()).map(|s| &s.record);
        let gone: Vec<Text> =
            known.into_iter().flat_map(|r| r.approvals_in(place.1)).map(|(name, _)| name.clone()).collect();
        let gone = gone.into_iter().map(|name| (name, None));
        let name = |object: &Value| -> Option<Text> { Some(object.pointer("/metadata/name")?.as_str()?.into()) };
        let there = list.iter().filter_map(|object| {
            let name = name(object).filter(|n| Approval::is_named_so(n))?;
            let read = Approval::read(&name, object.to_string().as_bytes());
            Some((name, Some(read)))
        });
        for (name, state) in gone.chain(there.collect::<Vec<_>>()) {
            self.approval(cluster, &namespace, &name, state);
        }
    }

    fn seen_of_kind(&self, kind: &str, object: &ObjectRef, value: Option<&Value>) -> Option<Seen> {
        let (namespace, name) = (object.namespace.clone(), object.name.clone());
        let bytes = value.map(ToString::to_string);
        if let Some(kind) = crate::kinds::KINDS.iter().find(|k| &*k.api().kind == kind) {
            let how = |ns: &str, n: &str| self.read_how(object.cluster, ns, n);
            let state = match bytes {
                // An absent object says so; one that cannot be read says nothing.
                None => None,
                Some(bytes) => Some(Box::new(kind.read(bytes.as_bytes(), &how).ok()??.workload)),
            };
            return Some(Seen::Workload { namespace, name, kind: kind.name().into(), state });
        }
        if let Some(tool) = crate::delivery::TOOLS.iter().find(|t| &*t.api().kind == kind) {
            let state = match bytes {
                None => None,
                Some(bytes) => Some(Box::new(tool.read(bytes.as_bytes()).ok()?.delivery)),
            };
            return Some(Seen::Delivery { namespace, name, kind: tool.kind().into(), state });
        }
        None
    }
}

/// An object as a provider reads it; one that cannot be read says nothing.
fn seen_of_route(
    provider: &dyn crate::traffic::TrafficProvider,
    object: &ObjectRef,
    value: Option<&Value>,
) -> Option<Seen> {
    let state = match value {
        None => None,
        Some(value) => Some(Box::new(provider.read(value.to_string().as_bytes()).ok()?.route)),
    };
    let (namespace, name) = (object.namespace.clone(), object.name.clone());
    Some(Seen::Route { namespace, name, provider: provider.name().into(), state })
}

/// What the history of a workload of this type lies in.
fn children_of(api: &ApiType) -> ApiType {
    let of = |k: &&&dyn crate::kinds::WorkloadKind| k.api() == *api;
    crate::kinds::KINDS.iter().find(of).map_or_else(|| api.clone(), |k| k.children().api)
}
