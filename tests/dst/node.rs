//! One process: an engine with its inbox, its journal and its wire, and a person or a policy that uses it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gonogo::config::{Config, Given, PrometheusServer, Reach, read};
use gonogo::domain::challenge::{Approved, Asked, BREAK_GLASS};
use gonogo::domain::fleet::Fleet;
use gonogo::domain::id::{ClusterIx, RegionIx, RingIx, ServiceIx};
use gonogo::domain::intent::{Intent, Target, Verb};
use gonogo::domain::plan::PlanId;
use gonogo::domain::policy::Mode;
use gonogo::domain::record::{FACT_LIFE, FactId};
use gonogo::domain::stamp::{SignedDuration, Stamped, Timestamp};
use gonogo::engine::automation::{Arming, Interrupted};
use gonogo::engine::effect::{Effect, Msg};
use gonogo::engine::operation::ProposalState;
use gonogo::engine::view::RingRuns;
use gonogo::engine::{Engine, Setting};
use gonogo::io::connect::{Forgetful, InProcess, Remembered};
use gonogo::io::journal::{History, Journal, Process};
use gonogo::io::prometheus::{HttpStack, InProcessHttp, Prometheus};
use gonogo::io::watch::{plan, reach, watch_all};
use gonogo::io::{Clock, Clusters, Mode as Reading, Tell};
use gonogo::run::inbox::{Inbox, Incoming};
use gonogo::run::performer::Performer;
use gonogo::sim::world::SimFleet;
use tokio::time::Instant;

use super::disk::Disk;
use super::planted::Bug;
use super::rules::{Role, Shared};
use super::script::Wish;
use super::wire::{Wire, Wired, WiredHttp};

const SHOP: ServiceIx = ServiceIx(0);
const TICK: Duration = Duration::from_secs(1);
/// A prompt that is not ready by then is left.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads the configuration of a fleet.
pub fn configuration(text: &str) -> Config {
    let env = |_: &str| None;
    let read = read(Path::new("config.toml"), text.as_bytes(), &Given::env(&env));
    let (config, _) = read.unwrap_or_else(|e| panic!("{}", gonogo::config::render_errors(&e, false)));
    config
}

/// What a person is doing.
struct Doing {
    plan: PlanId,
    wish: Wish,
    since: Instant,
    think: Duration,
    glass: bool,
    ready: Option<Instant>,
}

/// One life of a process.
pub struct Life {
    pub engine: Engine,
    inbox: Inbox<()>,
    performer: Performer<()>,
    ticked: Option<Instant>,
    doing: Option<Doing>,
}

/// One process, over all its lives.
pub struct Node {
    pub name: String,
    pub role: Role,
    pub at: usize,
    pub disk: Disk,
    pub wire: Wire,
    pub clock: Clock,
    pub life: Option<Life>,
    pub back_at: Option<Instant>,
    /// What of the journal was not durable is kept up to this share, when it dies.
    pub share: f64,
    lives: u64,
    mode: Option<Mode>,
    bug: Option<Bug>,
    rules: Shared,
    seed: u64,
}

/// What every process stands on.
pub struct Ground<'a> {
    pub sim: &'a SimFleet,
    pub config: &'a Config,
    pub rules: &'a Shared,
    pub seed: u64,
    pub bug: Option<Bug>,
}

impl Node {
    pub fn new(ground: &Ground<'_>, name: &str, role: Role, at: usize, skew: i64, mode: Option<Mode>) -> Self {
        let seed = ground.seed.wrapping_mul(31).wrapping_add(at as u64 + 1);
        let start = ground.sim.clock().now();
        let start = start.checked_add(SignedDuration::from_secs(skew)).unwrap();
        let disk = Disk::default();
        if ground.bug == Some(Bug::LyingDisk) {
            disk.lie();
        }
        ground.rules.lock().joins(role);
        Self {
            name: name.to_owned(),
            role,
            at,
            disk,
            wire: Wire::new(at, ground.rules.clone(), seed),
            clock: Clock::tokio(start),
            life: None,
            back_at: None,
            share: 0.0,
            lives: 0,
            mode,
            bug: ground.bug,
            rules: ground.rules.clone(),
            seed,
        }
    }

    /// Starts the process, on what an earlier life left on its disk.
    pub fn boot(&mut self, ground: &Ground<'_>) {
        self.lives += 1;
        self.wire = self.wire.reborn();
        self.rules.lock().lives(self.at, true);
        let fleet = ground.config.fleet.clone();
        let (history, _, _) = self.disk.read();
        let watches = self.role == Role::Wall;
        let (inbox, performer) = self.connect(ground, watches && self.bug != Some(Bug::WritingWall));
        let setting = Setting {
            operator: format!("{}@dst", self.name).as_str().into(),
            seed: self.seed.wrapping_add(self.lives << 32),
            may_keep: !watches || self.bug == Some(Bug::WritingWall),
            refresh: Duration::from_secs(15),
        };
        let mut engine = Engine::new(fleet.clone(), setting, self.clock.now());
        if let Some(newest) = history.files.last().and_then(|f| f.lines.last()).filter(|_| !watches) {
            engine.know_journal(newest.hash.as_str().into());
        }
        if !watches {
            let since = self.clock.wall().checked_sub(FACT_LIFE).unwrap_or(Timestamp::MIN);
            engine.take_over(history.past_facts(&fleet, since, false));
        }
        let mut effects = Vec::new();
        if let Some(mode) = self.mode {
            engine.arm(Arming {
                mode,
                lessened: None,
                holder: format!("{}-{}", self.name, self.lives).as_str().into(),
                regions: Vec::new(),
                interrupted: interrupted(&history, &fleet),
            });
        } else {
            effects = engine.show(SHOP);
        }
        self.life = Some(Life { engine, inbox, performer, ticked: None, doing: None });
        self.perform(effects);
    }

    fn connect(&self, ground: &Ground<'_>, watch_only: bool) -> (Inbox<()>, Performer<()>) {
        let fleet = ground.config.fleet.clone();
        let mut dial = InProcess::new();
        for (at, cluster) in fleet.clusters.iter().enumerate() {
            let name = cluster.name.to_string();
            let wired = Wired {
                server: ground.sim.api(&name).unwrap().trusting(&self.name),
                cluster: at,
                wire: self.wire.clone(),
                disk: self.disk.clone(),
                bug: self.bug,
            };
            dial = dial.with(ClusterIx::from(at), &name, wired);
        }
        let plans = plan(&fleet);
        let mode = if watch_only { Reading::Watch(reach(&plans, Vec::new())) } else { Reading::Console };
        let clusters = Clusters::new(fleet, Arc::new(dial), &mode, &self.clock);
        let inbox: Inbox<()> = Inbox::default();
        let to = inbox.clone();
        let tell: Tell = Arc::new(move |seen| to.seen(seen));
        let remembered: Arc<dyn Remembered> = Arc::new(Forgetful);
        let watching = watch_all(&clusters, &plans, &self.clock, &tell, &remembered, self.seed ^ self.lives);
        let stack = |server: &PrometheusServer| -> Arc<dyn HttpStack> {
            let Reach::Url(url) = &server.reach else { panic!("by url") };
            let region = ground.sim.layout().regions.iter().find(|r| url.contains(&r.name)).unwrap();
            let prometheus = ground.sim.prometheus(&region.name).unwrap().clone();
            Arc::new(WiredHttp {
                faults: prometheus.faults().clone(),
                stack: Arc::new(InProcessHttp(prometheus)),
                region: region.name.clone(),
                wire: self.wire.clone(),
            })
        };
        let prometheus = Prometheus::over(&ground.config.prometheuses, stack, &clusters, watch_only, tell);
        let journal = (!watch_only).then(|| Journal::at_once(self.disk.store(&self.wire), self.clock.clone()));
        let performer = Performer::new(
            tokio::runtime::Handle::current(),
            clusters,
            Arc::new(watching),
            Arc::new(move |question| prometheus.ask(question)),
            journal,
            inbox.clone(),
        );
        (inbox, performer)
    }

    /// It is dead: nothing of it is left but its disk.
    pub fn die(&mut self, down: Duration) {
        self.wire.dies_in(0);
        self.life = None;
        self.disk.cut(self.share);
        self.rules.lock().lives(self.at, false);
        self.back_at = Some(Instant::now() + down);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let Some(life) = &mut self.life else { return };
        for effect in effects {
            if let Effect::Journal(approved) = &effect {
                self.rules.lock().approved(self.at, approved);
                life.performer.know(&life.engine);
            }
            life.performer.perform(effect);
        }
    }

    /// Takes in what has come, and does what follows; how much had come.
    pub fn turn(&mut self) -> usize {
        let now = Instant::now();
        let Some(life) = &mut self.life else { return 0 };
        let mut messages: Vec<Msg> = Vec::new();
        for incoming in life.inbox.take(Duration::ZERO, Duration::ZERO) {
            if let Incoming::Engine(message) = incoming {
                messages.push(message);
            }
        }
        let came = messages.len();
        if life.ticked.is_none_or(|at| now - at >= TICK) {
            life.ticked = Some(now);
            messages.push(Msg::Tick);
        }
        if messages.is_empty() {
            return 0;
        }
        for message in messages {
            let Some(life) = &mut self.life else { return came };
            let effects = life.engine.update(Stamped { stamp: self.clock.now(), value: message });
            self.perform(effects);
        }
        self.answer();
        came
    }

    /// What it has under way, for people.
    pub fn still_open(&self) -> Option<String> {
        let open = self.life.iter().flat_map(|l| l.engine.operations.iter().filter(|o| o.open()));
        let text: Vec<String> = open.map(|o| format!("{}: {}: {:?}", self.name, o.plan.title, o.steps)).collect();
        (!text.is_empty()).then(|| text.join(", "))
    }

    /// Whether it knows of a hold.
    pub fn knows(&self, hold: FactId) -> bool {
        let Some(life) = &self.life else { return true };
        let state = &life.engine.services[0];
        let has = |r: &gonogo::domain::record::RegionRecord| r.facts.contains_key(&hold);
        state.record.released(hold) || state.record.regions.iter().flatten().any(has)
    }

    // ---- what a person does ----

    /// A person wants something.
    pub fn wants(&mut self, wish: Wish, region: usize, think: Duration, glass: bool) {
        let Some(life) = &mut self.life else { return };
        let engine = &mut life.engine;
        let service = engine.fleet.services[0].clone();
        let region = RegionIx::from(region % service.regions.len());
        let ring = service.regions[region.at()].ring;
        // Where the release goes next.
        let next = |e: &Engine| {
            let to = e.services[0].view.release.to.clone();
            let has = |runs: &RingRuns| matches!((runs, &to), (RingRuns::One(v), Some(to)) if v == to);
            let rings = &e.services[0].view.rings;
            RingIx::from(rings.iter().position(|r| !has(&r.runs)).unwrap_or(ring.at()))
        };
        let (verb, target) = match wish {
            Wish::Promote => (Verb::Promote { to: None, without_wait: false }, Target::Ring(next(engine))),
            Wish::PromoteNow => (Verb::Promote { to: None, without_wait: true }, Target::Ring(next(engine))),
            Wish::HoldAll => (Verb::Hold, Target::Service),
            Wish::HoldRing => (Verb::Hold, Target::Ring(ring)),
            Wish::HoldRegion => (Verb::Hold, Target::Regions(vec![region])),
            Wish::Resume => (Verb::Resume { hold: None }, Target::Regions(vec![region])),
            Wish::RollBack => (Verb::RollBack { to_revision: None }, Target::Regions(vec![region])),
            Wish::Abort => (Verb::Abort, Target::Ring(ring)),
            Wish::Drain => (Verb::Drain, Target::Regions(vec![region])),
            Wish::Restore => (Verb::Restore, Target::Regions(vec![region])),
            Wish::Cancel => {
                let open = engine.operations.iter().rev().find(|o| o.open()).map(|o| o.plan.id);
                let effects = open.map(|id| engine.cancel(id)).unwrap_or_default();
                return self.perform(effects);
            }
        };
        // A lost record was looked at.
        engine.acknowledge(SHOP);
        let plan = engine.next_plan_id();
        let intent = Intent { service: SHOP, verb, target, reason: None };
        let effects = engine.propose(plan, intent);
        let since = Instant::now();
        life.doing = Some(Doing { plan, wish, since, think, glass, ready: None });
        self.rules.lock().history(&format!("{} wants {wish:?} {}", self.at, service.regions[region.at()].name));
        self.perform(effects);
        self.answer();
    }

    /// Answers the prompt that is open, once it is ready and was thought about.
    fn answer(&mut self) {
        let Some(life) = &mut self.life else { return };
        let Some(doing) = &mut life.doing else { return };
        let now = Instant::now();
        let state = life.engine.proposal.as_ref().filter(|p| p.id == doing.plan).map(|p| p.state.clone());
        match state {
            Some(ProposalState::Reading { .. }) if now - doing.since < PATIENCE => {}
            Some(ProposalState::Ready { plan, challenge, checking }) => {
                if doing.wish == Wish::HoldAll {
                    // `!`: at once.
                    life.doing = None;
                    let by = life.engine.operator_of(&plan);
                    let plan = (*plan).clone();
                    if let Ok(approved) = Approved::standing(plan, by) {
                        let effects = life.engine.carry_out(approved);
                        self.perform(effects);
                    }
                    return;
                }
                let ready = *doing.ready.get_or_insert(now);
                let lowering = plan.direction() == gonogo::domain::intent::Direction::Lowering;
                if now - ready < doing.think || (checking > 0 && !lowering && now - ready < PATIENCE) {
                    return;
                }
                let typed = match &challenge.answer {
                    Asked::Key => "y".to_owned(),
                    Asked::Typed(text) => text.to_string(),
                };
                let glass = doing.glass;
                life.doing = None;
                if typed == BREAK_GLASS && !glass {
                    self.rules.lock().history(&format!("{} leaves glass whole", self.at));
                    return life.engine.dismiss();
                }
                let by = life.engine.operator_of(&plan);
                self.rules.lock().says_yes(&plan);
                let reason = Some("because".into());
                if let Ok(approved) = challenge.answer((*plan).clone(), &typed, reason, by) {
                    let effects = life.engine.carry_out(approved);
                    self.perform(effects);
                }
            }
            other => {
                if let Some(ProposalState::Refused(refusal)) = other {
                    let mut rules = self.rules.lock();
                    rules.refused(refusal.code);
                    rules.history(&format!("{} is refused: {}", self.at, refusal.text));
                }
                life.doing = None;
            }
        }
    }
}

/// Plans that an earlier life of a guard left open.
fn interrupted(history: &History, fleet: &Fleet) -> Vec<Interrupted> {
    let left = history.operations().into_iter().filter(|o| o.closed.is_none() && o.process != Process::Alive);
    let read = |o: gonogo::io::journal::Operation| {
        let (at, service) = fleet.find_service(&o.opened.service)?;
        let open = o.opened.steps.iter().zip(&o.steps).filter(|(_, s)| s.ended.is_none());
        let mut regions: Vec<RegionIx> =
            open.filter_map(|(step, _)| service.find_region(&step.region).map(|(r, _)| r)).collect();
        regions.sort();
        regions.dedup();
        Some(Interrupted {
            plan: PlanId(o.opened.plan.parse().ok()?),
            service: at,
            verb: o.opened.verb.as_str().into(),
            raising: o.opened.raising,
            regions,
            title: o.opened.title.as_str().into(),
            facts: o.left_facts(fleet),
        })
    };
    left.filter_map(read).filter(|i| !i.regions.is_empty()).collect()
}
