//! The twelve rules, checked against the world itself and never against what the program believes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use gonogo::domain::challenge::{Approved, How};
use gonogo::domain::finding::Severity;
use gonogo::domain::fleet::Fleet;
use gonogo::domain::id::RegionIx;
use gonogo::domain::intent::{Direction, Verb};
use gonogo::domain::plan::{Plan, WriteRole};
use gonogo::domain::record::{Body, Fact, FactId};
use gonogo::domain::version::sha256_hex;
use gonogo::sim::world::SimFleet;
use serde_json::Value;
use tokio::time::Instant;

use super::disk::Disk;
use super::history::History;
use super::script::BAKE;
use super::truth::{Truth, weight_of};

/// The rules, in the order of their numbers.
pub const RULES: [&str; 12] = [
    "1 no write without its journal",
    "2 nothing written that was not shown",
    "3 nothing raised against a hold, stale data or a verdict",
    "4 no ring overtakes an earlier one",
    "5 parallelism is kept",
    "6 somebody always serves",
    "7 a hold reaches every reachable console",
    "8 resume and restore give back what was taken",
    "9 every operation ends",
    "10 a watch screen only watches",
    "11 the journal verifies",
    "12 no panic, no unbounded queue",
];

/// A hold is known everywhere within this time where the links are sound.
const KNOWN_WITHIN: Duration = Duration::from_millis(2_000);
/// Between the decision to send and the request: identity may be waited for.
const SEND: Duration = Duration::from_millis(500);
/// What is older than this is stale, whatever link it came by: it counts as late from 45 s on.
const STALE: Duration = Duration::from_secs(75);
/// After a trouble ended, a link counts as sound again: back-off and dead watches are over by then.
const RECOVERS: Duration = Duration::from_secs(75);
/// Metrics that were gone for so long are no evidence.
const NO_METRICS: Duration = Duration::from_secs(6 * 60);

/// Requests of all processes at one moment of virtual time.
const MOST_AT_ONCE: u32 = 3_000;

/// One request, as it left a process.
#[derive(Clone, Debug)]
pub struct Sent {
    pub node: usize,
    pub cluster: usize,
    pub to: String,
    pub method: String,
    pub path: String,
    pub query: String,
    pub media: String,
    pub upgrade: bool,
    pub body: Bytes,
    /// Plan, step, write, and what follows.
    pub audit: String,
    /// A durable plan holds this very request.
    pub journaled: bool,
}

impl Sent {
    pub fn new(node: usize, cluster: usize, to: &str, parts: &http::request::Parts, body: &Bytes, disk: &Disk) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let mut sent = Self {
            node,
            cluster,
            to: to.to_owned(),
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            media: header("content-type"),
            upgrade: parts.headers.contains_key(http::header::UPGRADE),
            body: body.clone(),
            audit: header("audit-id"),
            journaled: false,
        };
        if sent.is_write()
            && let Some((plan, step, _)) = sent.of_plan()
        {
            let request = (step, to.to_owned(), sent.method.clone(), sent.path.clone(), sha256_hex(body));
            sent.journaled = disk.has(&plan, &request);
        }
        sent
    }

    pub fn is_read(&self) -> bool {
        self.method == "GET"
    }

    pub fn is_write(&self) -> bool {
        !self.is_read()
            && !self.query.split('&').any(|p| p == "dryRun=All")
            && !self.path.contains("/selfsubject")
            && !self.to.starts_with("prometheus")
    }

    /// The plan, step and write that its audit id names.
    pub fn of_plan(&self) -> Option<(String, usize, usize)> {
        let mut parts = self.audit.split('-');
        let plan = parts.next().filter(|p| *p != "keep" && !p.is_empty())?;
        Some((plan.to_owned(), parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }

    /// What two runs of one seed have in common.
    pub fn line(&self) -> String {
        let body = if self.is_write() { String::from_utf8_lossy(&self.body).into_owned() } else { String::new() };
        format!("{} {} {}?{} {} {body}", self.to, self.method, self.path, self.query, self.audit)
    }
}

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Operator,
    Guard,
    Wall,
}

struct Process {
    role: Role,
    /// When its newest life began; none while it is dead.
    born: Option<Duration>,
    /// Per cluster: until when its link does not count as sound.
    disturbed: BTreeMap<usize, Duration>,
    /// Per cluster: since when nothing at all comes through.
    away: BTreeMap<usize, Duration>,
}

struct Known {
    plan: Arc<Plan>,
    how: How,
}

/// The first rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its number, from 1.
    pub rule: usize,
    pub at: Duration,
    pub why: String,
}

/// How things stood when a write arrived.
pub struct Before {
    weights: Vec<(String, u64)>,
    paused: Option<bool>,
}

/// Everything that the rules know.
pub struct Rules {
    start: Instant,
    pub truth: Truth,
    fleet: Arc<Fleet>,
    processes: Vec<Process>,
    plans: BTreeMap<(usize, String), Known>,
    /// What a person was shown when they said yes.
    shown: BTreeMap<String, Arc<Plan>>,
    /// Weights from before our drains, by region.
    drained: BTreeMap<RegionIx, u64>,
    /// Regions whose rollout we paused, and did not let go on since.
    paused: BTreeSet<RegionIx>,
    /// Regions without metrics, since when.
    no_metrics: BTreeMap<String, Duration>,
    /// Holds of which a process is known to know: hold, cluster, process, life.
    /// Requests at this moment.
    at_once: (Duration, u32),
    told: BTreeSet<(FactId, usize, usize, Option<Duration>)>,
    pub fired: BTreeMap<&'static str, u64>,
    pub exercised: [u64; 12],
    /// Prompts that were refused, by code.
    pub refused: BTreeMap<&'static str, u64>,
    pub broken: Option<Broken>,
    history: History,
}

/// The rules, shared by every wire.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Rules>>);

impl Shared {
    pub fn new(sim: &SimFleet, fleet: Arc<Fleet>, history: History) -> Self {
        let start = Instant::now();
        let truth = Truth::new(sim, &fleet);
        Self(Arc::new(Mutex::new(Rules {
            start,
            truth,
            fleet,
            processes: Vec::new(),
            plans: BTreeMap::new(),
            shown: BTreeMap::new(),
            drained: BTreeMap::new(),
            paused: BTreeSet::new(),
            no_metrics: BTreeMap::new(),
            at_once: (Duration::ZERO, 0),
            told: BTreeSet::new(),
            fired: BTreeMap::new(),
            exercised: [0; 12],
            refused: BTreeMap::new(),
            broken: None,
            history,
        })))
    }

    pub fn lock(&self) -> MutexGuard<'_, Rules> {
        self.0.lock().unwrap()
    }
}

impl Rules {
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// A rule was broken: the first one counts.
    pub fn breaks(&mut self, rule: usize, why: impl Into<String>) {
        let (at, why) = (self.now(), why.into());
        self.history(&format!("BROKEN {}: {why}", RULES[rule - 1]));
        if self.broken.is_none() {
            self.broken = Some(Broken { rule, at, why });
        }
    }

    pub fn exercise(&mut self, rule: usize) {
        self.exercised[rule - 1] += 1;
    }

    pub fn fired(&mut self, what: &'static str) {
        *self.fired.entry(what).or_default() += 1;
    }

    /// A prompt was refused: what raises was kept from it.
    pub fn refused(&mut self, code: &'static str) {
        *self.refused.entry(code).or_default() += 1;
    }

    pub fn history(&mut self, line: &str) {
        let at = self.now();
        self.history.add(at, line);
    }

    pub fn take_history(&mut self) -> History {
        std::mem::take(&mut self.history)
    }

    // ---- processes and links ----

    pub fn joins(&mut self, role: Role) {
        let (disturbed, away) = (BTreeMap::new(), BTreeMap::new());
        self.processes.push(Process { role, born: None, disturbed, away });
    }

    pub fn lives(&mut self, node: usize, lives: bool) {
        let now = self.now();
        self.processes[node].born = lives.then_some(now);
    }

    /// A link is not sound now; or never again, where something was lost that nobody can notice.
    pub fn disturbed(&mut self, node: usize, cluster: usize, for_ever: bool) {
        let until = if for_ever { Duration::MAX } else { self.now() + RECOVERS };
        let slot = self.processes[node].disturbed.entry(cluster).or_default();
        *slot = until.max(*slot);
    }

    /// Every link of a cluster is not sound for a while.
    pub fn cluster_disturbed(&mut self, cluster: usize, lasts: Duration) {
        let until = self.now() + lasts + RECOVERS;
        for process in &mut self.processes {
            let slot = process.disturbed.entry(cluster).or_default();
            *slot = until.max(*slot);
        }
    }

    /// Nothing comes through to a cluster any more, or again.
    pub fn cluster_away(&mut self, cluster: usize, away: bool) {
        let now = self.now();
        for process in &mut self.processes {
            if away {
                process.away.entry(cluster).or_insert(now);
            } else {
                process.away.remove(&cluster);
            }
        }
    }

    pub fn metrics_away(&mut self, region: &str, away: bool) {
        let now = self.now();
        if away {
            self.no_metrics.entry(region.to_owned()).or_insert(now);
        } else {
            self.no_metrics.remove(region);
        }
    }

    /// A process sees this cluster as it is, within the time a hold may take.
    fn is_sound(&self, node: usize, cluster: usize) -> bool {
        let process = &self.processes[node];
        let settled = process.born.is_some_and(|born| born + Duration::from_secs(20) <= self.now());
        settled && process.disturbed.get(&cluster).is_none_or(|until| *until <= self.now())
    }

    // ---- plans ----

    /// A person says yes to what they see.
    pub fn says_yes(&mut self, plan: &Arc<Plan>) {
        self.shown.insert(plan.id.to_string(), plan.clone());
    }

    /// A plan is about to be journaled.
    pub fn approved(&mut self, node: usize, approved: &Approved) {
        let plan = Arc::new(approved.plan().clone());
        let id = plan.id.to_string();
        self.history(&format!("{node} approves {} ({})", plan.title, approved.how().word()));
        self.exercise(2);
        if approved.how() == How::Answered {
            match self.shown.get(&id) {
                Some(shown) if is_as_shown(&plan, shown) => {}
                _ => self.breaks(2, format!("{} is not the plan that was shown", plan.title)),
            }
        }
        self.plans.insert((node, id), Known { plan, how: approved.how() });
    }

    // ---- what leaves a process ----

    /// A request leaves a process; it may never arrive.
    pub fn leaves(&mut self, sent: &Sent) {
        // Whoever asks again and again without a pause would stop time.
        let now = self.now();
        self.at_once = if self.at_once.0 == now { (now, self.at_once.1 + 1) } else { (now, 0) };
        if self.at_once.1 > MOST_AT_ONCE {
            self.breaks(12, format!("{MOST_AT_ONCE} requests without a pause: {}", sent.line()));
            panic!("requests without a pause: {}", sent.line());
        }
        if self.processes[sent.node].role == Role::Wall {
            self.exercise(10);
            if let Err(why) = super::allowed::may_watch(sent) {
                self.breaks(10, format!("{why}: {}", sent.line()));
            }
        }
        if !sent.is_write() {
            return;
        }
        self.truth.look(self.start.elapsed());
        let Some((id, step, write)) = sent.of_plan() else {
            self.exercise(1);
            let guard = self.processes[sent.node].role == Role::Guard;
            if let Err(why) = super::allowed::is_bookkeeping(sent, guard) {
                self.breaks(1, format!("outside a plan, and not on the closed list ({why}): {}", sent.line()));
            }
            return;
        };
        let Some(known) = self.plans.get(&(sent.node, id.clone())) else {
            return self.breaks(1, format!("nobody approved it: {}", sent.line()));
        };
        let (plan, how) = (known.plan.clone(), known.how);
        let raising = plan.direction() == Direction::Raising;
        self.exercise(1);
        if !sent.journaled && raising {
            self.breaks(1, format!("it raises, and no durable journal has it: {}", sent.line()));
        }
        let planned = plan.steps.get(step).and_then(|s| s.writes.get(write));
        let Some(planned) = planned else {
            return self.breaks(2, format!("its plan has no such write: {}", sent.line()));
        };
        self.exercise(2);
        let same = [Some(&planned.change), planned.if_absent.as_ref()].into_iter().flatten().any(|c| {
            c.method() == sent.method
                && c.path() == sent.path
                && c.body() == sent.body
                && c.content_type() == sent.media
        });
        if !same {
            self.breaks(2, format!("{}: its plan has another request: {}", plan.title, sent.line()));
        }
        if planned.role == WriteRole::Main && raising && self.broken.is_none() {
            self.raises(sent, &plan, step, how);
        }
    }

    /// The main write of a raising step leaves.
    fn raises(&mut self, sent: &Sent, plan: &Plan, step: usize, how: How) {
        let now = self.now();
        let at = plan.steps[step].region;
        let service = self.fleet.services[plan.service.at()].clone();
        let overridden = plan.overridden().next().is_some();
        let glass = plan.worst() == Some(Severity::BreakGlass);
        self.exercise(3);
        // What it releases does not stand in its way.
        let facts: Vec<&Fact> = plan.steps.iter().filter_map(|s| s.facts.as_ref()).flat_map(|(_, f)| f).collect();
        let own: BTreeSet<FactId> = facts.iter().map(|f| f.id).collect();
        let released: BTreeSet<FactId> = facts
            .iter()
            .filter_map(|f| if let Body::Release { hold, .. } = &f.body { Some(*hold) } else { None })
            .collect();
        if overridden && !facts.iter().any(|f| super::allowed::says_override(f)) {
            let why = plan.overridden().next().map(|f| f.text.to_string()).unwrap_or_default();
            if matches!(plan.intent.verb, Verb::Promote { .. }) {
                self.breaks(3, format!("{}: overridden, and no fact says so: {why}", plan.title));
            }
        }
        // Facts alone move nothing.
        let raises_there = !sent.path.contains("/configmaps");
        for (id, hold) in self.truth.holds.clone() {
            if !raises_there || released.contains(&id) || own.contains(&id) || !hold.scope.covers(&service, at) {
                continue;
            }
            let known = |(cluster, since): (&usize, &Duration)| {
                *since + KNOWN_WITHIN + SEND <= now && self.is_sound(sent.node, *cluster)
            };
            if hold.stands && hold.seen.iter().any(known) {
                let name = self.truth.regions[at.at()].name.clone();
                return self.breaks(3, format!("{}: {name} is held ({id}), and raised: {}", plan.title, sent.line()));
            }
        }
        let Some(ring) = plan.ring else { return };
        let earlier: Vec<RegionIx> =
            service.region_indexes().filter(|r| service.region(*r).is_some_and(|r| r.ring < ring)).collect();
        for other in earlier {
            let region = &self.truth.regions[other.at()];
            let (name, cluster) = (region.name.clone(), region.cluster);
            let baked = region.baked(now);
            let bake = BAKE;
            if baked + Duration::from_secs(10) < bake && !overridden && region.since > Duration::ZERO {
                let why = format!("{}: {name} baked {baked:?} of {bake:?}, and nothing was overridden", plan.title);
                return self.breaks(3, why);
            }
            let gone = self.processes[sent.node].away.get(&cluster).copied();
            if let Some(since) = gone.filter(|since| *since + STALE <= now) {
                return self.breaks(3, format!("{}: nothing was heard of {name} since {since:?}", plan.title));
            }
            let blind = self.no_metrics.get(&name).copied();
            if let Some(since) = blind.filter(|since| *since + NO_METRICS <= now && !glass) {
                return self.breaks(3, format!("{}: {name} has no metrics since {since:?}", plan.title));
            }
        }
        let _ = how;
    }

    // ---- what arrives at a server ----

    /// A write arrives at its server; how things stand just before.
    pub fn arrives(&mut self, sent: &Sent) -> Before {
        self.truth.look(self.start.elapsed());
        let planned = self.planned(sent);
        let region = planned.as_ref().map(|(plan, step)| plan.steps[*step].region);
        if let Some((plan, step)) = planned
            && let Verb::Promote { .. } = plan.intent.verb
        {
            self.promotes(sent, &plan, step);
        }
        let paused = region.map(|at| self.truth.regions[at.at()].paused);
        Before { weights: self.truth.weights.clone(), paused }
    }

    /// The plan and step of which this is the main write.
    fn planned(&self, sent: &Sent) -> Option<(Arc<Plan>, usize)> {
        let (id, step, write) = sent.of_plan()?;
        let plan = self.plans.get(&(sent.node, id))?.plan.clone();
        let main = plan.steps.get(step)?.writes.get(write)?.role == WriteRole::Main;
        main.then_some((plan, step))
    }

    /// Rings and parallelism, when a promotion arrives.
    fn promotes(&mut self, sent: &Sent, plan: &Plan, step: usize) {
        let now = self.now();
        let service = self.fleet.services[plan.service.at()].clone();
        let Some(ring) = plan.ring else { return };
        let glass = plan.worst() == Some(Severity::BreakGlass);
        let Some(image) = image_in(&sent.body) else { return };
        self.exercise(4);
        for (at, other) in service.regions.iter().enumerate().filter(|(_, r)| r.ring < ring) {
            let truth = &self.truth.regions[at];
            let sound = self.is_sound(sent.node, truth.cluster);
            let known = if sound { KNOWN_WITHIN + SEND } else { STALE };
            if truth.image != image && truth.since + known <= now && !glass {
                let why =
                    format!("{}: {} runs {} since {:?}, not {image}", plan.title, other.name, truth.image, truth.since);
                return self.breaks(4, why);
            }
        }
        self.exercise(5);
        let most = service.ring(ring).map_or(1, |r| r.parallelism.max(1)) as usize;
        let under_way = |(i, s): &(usize, &gonogo::domain::plan::Step)| {
            let truth = &self.truth.regions[s.region.at()];
            *i != step && truth.image == image && truth.settled.is_none()
        };
        let going: Vec<usize> = plan.steps.iter().enumerate().filter(under_way).map(|(i, _)| i).collect();
        if going.len() >= most {
            self.breaks(5, format!("{}: {} regions roll out already, of {most}", plan.title, going.len()));
        }
    }

    /// A write was answered.
    pub fn answered(&mut self, sent: &Sent, code: u16, before: Before) {
        self.history(&format!("{} ← {code} {}", sent.node, sent.audit));
        if !(200..300).contains(&code) {
            return;
        }
        self.truth.look(self.start.elapsed());
        let Some((plan, step)) = self.planned(sent) else { return };
        let at = plan.steps[step].region;
        let name = self.truth.regions[at.at()].name.clone();
        if sent.path.contains("/httproutes/") {
            self.exercise(6);
            if self.truth.weights.iter().all(|(_, w)| *w == 0) {
                self.breaks(6, format!("{}: no weight is left: {:?}", plan.title, self.truth.weights));
            }
            let (then, now) = (weight_of(&before.weights, &name), weight_of(&self.truth.weights, &name));
            match plan.intent.verb {
                Verb::Drain => {
                    self.drained.entry(at).or_insert(then);
                }
                Verb::Restore => {
                    self.exercise(8);
                    if let Some(taken) = self.drained.remove(&at).filter(|taken| *taken != now) {
                        self.breaks(8, format!("{}: weight {taken} was taken, and {now} given back", plan.title));
                    }
                }
                _ => {}
            }
        }
        let paused = self.truth.regions[at.at()].paused;
        match (&plan.intent.verb, before.paused) {
            (Verb::Hold, Some(false)) if paused => {
                self.paused.insert(at);
            }
            (Verb::Resume { .. }, Some(true)) if !paused => {
                self.exercise(8);
                if !self.paused.remove(&at) {
                    self.breaks(8, format!("{}: {name} was paused by somebody else, and let go on", plan.title));
                }
            }
            _ if !paused => {
                self.paused.remove(&at);
            }
            _ => {}
        }
    }

    /// A question to a Prometheus leaves.
    pub fn asks(&mut self, node: usize, region: &str, parts: &http::request::Parts, body: &Bytes) {
        if self.processes[node].role == Role::Wall {
            self.exercise(10);
            let path = parts.uri.path();
            let known = matches!(path, "/api/v1/query" | "/api/v1/query_range");
            if parts.method != http::Method::GET || !known || !body.is_empty() {
                self.breaks(10, format!("{} {path} to the Prometheus of {region}", parts.method));
            }
        }
    }

    // ---- after every step ----

    /// After every step: what holds of the world, and who must know of it.
    pub fn step(&mut self, knows: &dyn Fn(usize, FactId) -> bool) {
        self.truth.look(self.start.elapsed());
        let now = self.now();
        // Whoever else lets go on what we paused has taken it from us.
        let truth = &self.truth;
        self.paused.retain(|at| truth.regions[at.at()].paused);
        let mut unknown = None;
        for (id, hold) in self.truth.holds.iter().filter(|(_, h)| h.stands) {
            for (cluster, since) in hold.seen.iter().filter(|(_, since)| **since + KNOWN_WITHIN <= now) {
                for node in 0..self.processes.len() {
                    // Once in every life.
                    let life = (*id, *cluster, node, self.processes[node].born);
                    if self.told.contains(&life) || !self.is_sound(node, *cluster) {
                        continue;
                    }
                    self.told.insert(life);
                    self.exercised[6] += 1;
                    if !knows(node, *id) {
                        let name = &self.truth.clusters[*cluster];
                        let text = format!("{id} stands in {name} since {since:?}, and process {node} does not know");
                        unknown = Some(text);
                    }
                }
            }
        }
        if let Some(why) = unknown {
            self.breaks(7, why);
        }
    }
}

/// The image that a JSON patch writes.
fn image_in(body: &Bytes) -> Option<String> {
    let patch: Value = serde_json::from_slice(body).ok()?;
    let written = patch.as_array()?.iter().filter(|op| op["op"] != "test");
    let mut images = written.filter(|op| op["path"].as_str().is_some_and(|p| p.ends_with("/image")));
    images.find_map(|op| op["value"].as_str()).map(str::to_owned)
}

/// Whether what is to be sent is what a person saw, but for the reason that they gave and the identities of facts.
fn is_as_shown(plan: &Plan, shown: &Plan) -> bool {
    let requests = |plan: &Plan| -> Vec<_> {
        let writes = plan.steps.iter().flat_map(|s| s.writes.iter().map(move |w| (s, w)));
        writes
            .map(|(step, w)| {
                let said: Value = serde_json::from_slice(&w.change.body()).unwrap_or_default();
                let main = w.role == WriteRole::Main && said.is_array();
                let said = said.as_array().filter(|_| main).into_iter().flatten();
                let said = said.filter(|op| op["path"].as_str().is_none_or(|p| !p.contains("/annotations")));
                (
                    step.region,
                    step.diff.clone(),
                    w.change.method().to_owned(),
                    w.role,
                    said.cloned().collect::<Vec<_>>(),
                )
            })
            .collect()
    };
    requests(plan) == requests(shown) && plan.findings == shown.findings && plan.title == shown.title
}
