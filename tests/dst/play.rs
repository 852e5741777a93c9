//! Plays one script: one process, one thread, paused time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Duration;

use gonogo::config::Config;
use gonogo::domain::policy::Mode;
use gonogo::domain::stamp::SignedDuration;
use gonogo::engine::Engine;
use gonogo::io::journal::{History as Entries, Verified};
use gonogo::sim::api::access::{Grant, User};
use gonogo::sim::prom::faults::Fault as PromFault;
use gonogo::sim::resources::{CONFIGMAPS, DEPLOYMENTS, HTTPROUTES};
use gonogo::sim::scenario::{Scenario, Span};
use gonogo::sim::store::{DeleteOptions, Part, Writer};
use gonogo::sim::world::{SimFleet, SimOptions};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::history::History;
use super::node::{Ground, Node, configuration};
use super::planted::Bug;
use super::rules::{Broken, Role, Rules, Shared};
use super::script::{BAKE, Deed, Event, Script, Shape, What, blinds};
use super::wire::Trouble;

/// Between two looks at everything.
const STEP: Duration = Duration::from_millis(100);
/// The same once nothing happens any more.
const CALM: Duration = Duration::from_millis(500);
/// Every operation has come to its end so long after the last accident.
const ENDS: Duration = Duration::from_secs(45 * 60);
/// Messages that may wait for one process between two looks.
const MOST_WAITING: usize = 4_000;
const SERVICE: &str = "webapp";
/// What every ring is judged by.
const GATES: &str = r#"
columns = ["qps", "errors"]
exit = ["ready", "freshness", { gate = "bake", evidence = [] }]
"#;
/// What the ring that has just baked is judged by besides: windows of days cost more than all the rest.
const METRICS: &str = r#"
exit = ["ready", "freshness", { gate = "bake", for = "10m", evidence = ["errors"] }, { gate = "threshold", column = "errors", max = "1%" }]
"#;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    pub broken: Option<Broken>,
    pub fired: BTreeMap<&'static str, u64>,
    pub exercised: [u64; 12],
    pub refused: BTreeMap<&'static str, u64>,
    pub simulated: Duration,
    pub hash: u64,
    pub lines: Vec<String>,
}

thread_local! {
    /// Panics on this thread while a run is played.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Panics in tasks are caught by the runtime and would go unseen.
fn listen_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let heard = PANICS.with_borrow_mut(|panics| panics.as_mut().map(|p| p.push(info.to_string())));
            if heard.is_none() {
                before(info);
            }
        }));
    });
}

/// Plays a script; with `keep`, its history can be read.
pub fn play(script: &Script, bug: Option<Bug>, keep: bool) -> Outcome {
    listen_for_panics();
    PANICS.set(Some(Vec::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(run(script, bug, keep))));
    drop(runtime);
    let panics = PANICS.take().unwrap_or_default();
    let mut outcome = played.unwrap_or_else(|_| Outcome {
        broken: None,
        fired: BTreeMap::new(),
        exercised: [0; 12],
        refused: BTreeMap::new(),
        simulated: Duration::ZERO,
        hash: 0,
        lines: Vec::new(),
    });
    outcome.exercised[11] += 1;
    if let Some(panic) = panics.first() {
        let at = outcome.simulated;
        outcome.broken.get_or_insert(Broken { rule: 12, at, why: panic.clone() });
    }
    outcome
}

/// Everything of one run.
struct Run<'a> {
    script: &'a Script,
    ground: Ground<'a>,
    nodes: Vec<Node>,
    ends: BTreeMap<(Duration, usize), End>,
    healing: BTreeMap<usize, Duration>,
    rng: fastrand::Rng,
    start: Instant,
}

/// What ends at some moment.
#[derive(Clone, Debug)]
enum End {
    Link(usize),
    Faults(usize),
    Metrics(String),
    Disk(usize),
    Rights(usize, usize),
}

async fn run(script: &Script, bug: Option<Bug>, keep: bool) -> Outcome {
    let shape = &script.shape;
    let mut scenario = Scenario::named(shape.scenario).unwrap();
    // The ring before has just baked: its evidence is short.
    scenario.release.settled = Span(SignedDuration::try_from(BAKE).unwrap() + SignedDuration::from_mins(6));
    let options = SimOptions {
        scenario: shape.scenario.to_owned(),
        speed: Some(1.0),
        seed: script.seed,
        regions: shape.regions,
        services: 1,
        events_per_second: Some(0),
        start: Some("2026-11-20T14:32:00Z".parse().unwrap()),
    };
    let sim = SimFleet::start_scenario(shape.scenario, scenario, &options).unwrap();
    let config = configure(&sim, shape);
    let rules = Shared::new(&sim, config.fleet.clone(), History::new(keep));
    let ground = Ground { sim: &sim, config: &config, rules: &rules, seed: script.seed, bug };
    let mut nodes = Vec::new();
    let mut add = |name: &str, role, mode| {
        let at = nodes.len();
        grant(&sim, name, if role == Role::Wall && bug != Some(Bug::WritingWall) { READS } else { &["*"] });
        nodes.push(Node::new(&ground, name, role, at, shape.skews[at], mode));
    };
    ["ana", "bo"].iter().take(shape.operators).for_each(|name| add(name, Role::Operator, None));
    match shape.guard {
        Some("autopilot") => add("guard", Role::Guard, Some(Mode::Autopilot)),
        Some(_) => add("guard", Role::Guard, Some(Mode::Guard)),
        None => {}
    }
    add("wall", Role::Wall, None);
    for (node, skew) in nodes.iter_mut().zip(&shape.skews) {
        node.boot(&ground);
        if *skew != 0 {
            rules.lock().fired("host clock skew");
        }
    }
    let rng = fastrand::Rng::with_seed(script.seed ^ 0xacc1);
    let (ends, healing) = (BTreeMap::new(), BTreeMap::new());
    let mut run = Run { script, ground, nodes, ends, healing, rng, start: Instant::now() };
    run.goes_on().await;
    run.comes_to_rest().await;
    run.looks_back();
    drop(run);
    let outcome = {
        let mut rules = rules.lock();
        let simulated = rules.now();
        let history = rules.take_history();
        Outcome {
            broken: rules.broken.clone(),
            fired: std::mem::take(&mut rules.fired),
            exercised: rules.exercised,
            refused: std::mem::take(&mut rules.refused),
            simulated,
            hash: history.hash(),
            lines: history.lines().to_vec(),
        }
    };
    sim.stop().await;
    outcome
}

const READS: &[&str] = &["get", "list", "watch"];

/// What a user may do, everywhere.
fn grant(sim: &SimFleet, who: &str, verbs: &[&str]) {
    for cluster in sim.clusters() {
        sim.api(cluster).unwrap().set_access(|access| {
            access.tokens.insert(format!("{who}-token"), User::named(who));
            access.grants.push(granted(who, verbs));
        });
    }
}

fn granted(who: &str, verbs: &[&str]) -> Grant {
    let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
    Grant {
        to: words(&[who]),
        verbs: words(verbs),
        groups: words(&["*"]),
        resources: words(&["*"]),
        ..Grant::default()
    }
}

/// The fleet's configuration, with short bakes, wide rings and room to drain.
fn configure(sim: &SimFleet, shape: &Shape) -> Config {
    let mut text: toml::Table = toml::from_str(&sim.config_toml()).unwrap();
    let names: Vec<String> = sim.layout().regions.iter().map(|r| r.name.clone()).collect();
    let (first, rest) = names.split_at(2);
    let (wide, last) = rest.split_at(shape.wide.min(rest.len()));
    let rings: Vec<toml::Value> = [&first[..1], &first[1..], wide, last]
        .iter()
        .enumerate()
        .filter(|(_, regions)| !regions.is_empty())
        .map(|(at, regions)| {
            let mut ring = toml::Table::new();
            ring.insert("name".to_owned(), format!("ring-{at}").into());
            ring.insert("regions".to_owned(), regions.to_vec().into());
            ring.insert("bake".to_owned(), format!("{}m", BAKE.as_secs() / 60).into());
            ring.insert("parallelism".to_owned(), i64::from(shape.parallelism).into());
            ring.into()
        })
        .collect();
    text["topology"]["world"]["rings"] = rings.into();
    // What nobody judges by is not measured either: histograms cost more than all the rest.
    let judged: toml::Table = toml::from_str(GATES).unwrap();
    text["defaults"].as_table_mut().unwrap().extend(judged);
    let service = text["service"][SERVICE].as_table_mut().unwrap();
    for region in service.get_mut("region").and_then(toml::Value::as_table_mut).into_iter().flatten() {
        region.1["capacity"]["qps"] = 100_000_000.0.into();
    }
    let metrics: toml::Table = toml::from_str(METRICS).unwrap();
    let measured = |ring: &str| (ring.to_owned(), toml::Value::from(metrics.clone()));
    let own: toml::Table =
        ["ring-1", "ring-2"].into_iter().take(1 + usize::from(shape.regions > 2)).map(measured).collect();
    service.insert("ring".to_owned(), own.into());
    if shape.guard.is_some() {
        let mut policy = toml::Table::new();
        policy.insert("on_nogo".to_owned(), "rollback".into());
        if shape.guard == Some("autopilot") {
            policy.insert("advance".to_owned(), "auto".into());
        }
        service.insert("policy".to_owned(), policy.into());
    }
    configuration(&toml::to_string(&text).unwrap())
}

impl Run<'_> {
    fn rules(&self) -> std::sync::MutexGuard<'_, Rules> {
        self.ground.rules.lock()
    }

    fn broken(&self) -> bool {
        self.rules().broken.is_some()
    }

    /// Everything that the script says.
    async fn goes_on(&mut self) {
        let mut events = self.script.events.iter().peekable();
        loop {
            let now = self.start.elapsed();
            while let Some(event) = events.next_if(|e| e.at <= now) {
                self.happens(event);
            }
            self.ends_now(now);
            self.heals(now);
            self.turns();
            if self.broken() || (now >= self.script.shape.length && events.peek().is_none()) {
                return;
            }
            tokio::time::sleep(STEP).await;
        }
    }

    /// Nothing is wrong any more: everything that was begun ends.
    async fn comes_to_rest(&mut self) {
        self.healing.clear();
        for ((_, _), end) in std::mem::take(&mut self.ends) {
            self.end(&end);
        }
        self.nodes.iter().for_each(|n| n.wire.heal());
        let began = self.start.elapsed();
        loop {
            let now = self.start.elapsed();
            self.turns();
            let open = |e: &Engine| e.operations.iter().any(|o| o.open());
            let busy = self.nodes.iter().any(|n| n.life.as_ref().is_none_or(|l| open(&l.engine)));
            if self.broken() || (now >= began + Duration::from_secs(30) && !busy) {
                return;
            }
            if now >= began + ENDS {
                let text: Vec<String> = self.nodes.iter().filter_map(Node::still_open).collect();
                return self.rules().breaks(9, format!("still open: {}", text.join("; ")));
            }
            tokio::time::sleep(CALM).await;
        }
    }

    /// What can be said only at the end.
    fn looks_back(&mut self) {
        if self.broken() {
            return;
        }
        for node in &self.nodes {
            let ended = node.life.iter().flat_map(|l| &l.engine.operations).count();
            let mut rules = self.rules();
            (0..ended).for_each(|_| rules.exercise(9));
            drop(rules);
            self.verifies(node, &node.disk.read());
        }
    }

    fn verifies(&self, node: &Node, (history, verified, durable): &(Entries, Verified, BTreeMap<String, usize>)) {
        let mut rules = self.rules();
        rules.exercise(11);
        if let Some(bad) = &verified.bad {
            rules.breaks(11, format!("the journal of {}: {}:{}: {}", node.name, bad.file, bad.line, bad.why));
        }
        for file in &history.files {
            let kept = durable.get(&file.name).copied().unwrap_or(0);
            if file.lines.len() < kept {
                let text =
                    format!("the journal of {}: {} of {kept} durable lines are left", node.name, file.lines.len());
                rules.breaks(11, text);
            }
        }
    }

    /// Every process takes in what has come; then the rules look.
    fn turns(&mut self) {
        let now = Instant::now();
        for at in 0..self.nodes.len() {
            let node = &mut self.nodes[at];
            if node.life.is_some() && node.wire.is_dead() {
                let down = node.back_at.map_or(Duration::ZERO, |back| back.saturating_duration_since(now));
                node.die(down);
                let name = node.name.clone();
                let mut rules = self.ground.rules.lock();
                rules.fired("process killed");
                rules.history(&format!("{name} is killed"));
                drop(rules);
                self.after_death(at);
            }
            let node = &mut self.nodes[at];
            if node.life.is_none() && node.back_at.is_some_and(|back| back <= now) {
                node.back_at = None;
                node.boot(&self.ground);
            }
            let came = node.turn();
            if came > MOST_WAITING {
                self.rules().breaks(12, format!("{came} messages waited for process {at}"));
            }
        }
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let nodes = &self.nodes;
        let mut rules = self.rules();
        rules.exercise(12);
        if tasks > 400 * nodes.len() {
            rules.breaks(12, format!("{tasks} tasks are alive"));
        }
        rules.step(&|node, hold| nodes[node].knows(hold));
    }

    /// A journal that lost its process verifies, and names what was left open.
    fn after_death(&mut self, at: usize) {
        let node = &self.nodes[at];
        let read = node.disk.read();
        self.verifies(node, &read);
        let known: BTreeSet<String> = read.0.operations().into_iter().map(|o| o.opened.plan).collect();
        let closed = read.0.operations().into_iter().filter(|o| o.closed.is_some()).map(|o| o.opened.plan);
        let left: BTreeSet<String> = read.0.left_open().into_iter().map(|o| o.opened.plan).chain(closed).collect();
        for plan in node.disk.plans() {
            let mut rules = self.rules();
            rules.exercise(9);
            if !known.contains(&plan) || !left.contains(&plan) {
                rules.breaks(9, format!("{plan} was journaled, and nobody is told that it was left open"));
            }
        }
    }

    // ---- what happens ----

    fn later(&mut self, lasts: Duration, end: End) {
        let at = self.start.elapsed() + lasts;
        let number = self.ends.len();
        let mut key = (at, number);
        while self.ends.contains_key(&key) {
            key.1 += 1;
        }
        self.ends.insert(key, end);
    }

    fn ends_now(&mut self, now: Duration) {
        while let Some(first) = self.ends.first_entry() {
            if first.key().0 > now {
                return;
            }
            let end = first.remove();
            self.end(&end);
        }
    }

    fn end(&mut self, end: &End) {
        let cluster_name = |at: &usize| self.ground.config.fleet.clusters[*at].name.to_string();
        match end {
            End::Link(cluster) => {
                let mut rules = self.rules();
                rules.fired("cluster back");
                rules.cluster_away(*cluster, false);
                rules.cluster_disturbed(*cluster, Duration::ZERO);
            }
            End::Faults(cluster) => {
                let faults = self.ground.sim.api(&cluster_name(cluster)).unwrap().faults();
                faults.expire_tokens(false);
                faults.set_skew(0);
            }
            End::Metrics(region) => {
                self.ground.sim.prometheus(region).unwrap().faults().clear();
                for region in self.watched_with(region) {
                    self.rules().metrics_away(&region, false);
                }
            }
            End::Disk(who) => self.nodes[*who].disk.fail(false),
            End::Rights(who, cluster) => {
                let name = self.nodes[*who].name.clone();
                self.ground.sim.api(&cluster_name(cluster)).unwrap().set_access(|access| {
                    access.grants.retain(|g| !g.to.contains(&name));
                    access.grants.push(granted(&name, &["*"]));
                });
            }
        }
        self.rules().history(&format!("ends: {end:?}"));
    }

    /// Regions that one Prometheus has.
    fn watched_with(&self, region: &str) -> Vec<String> {
        let all: Vec<String> = self.ground.sim.layout().regions.iter().map(|r| r.name.clone()).collect();
        if all.len() > 8 { all } else { vec![region.to_owned()] }
    }

    fn happens(&mut self, event: &Event) {
        self.rules().history(&format!("{:?}", event.what));
        let cluster_name = |at: usize| self.ground.config.fleet.clusters[at].name.to_string();
        match event.what.clone() {
            What::Act { who, wish, region, think, glass } => {
                let twins = |e: &&Event| e.at == event.at && matches!(e.what, What::Act { .. });
                if self.script.events.iter().filter(twins).count() > 1 {
                    self.rules().fired("two operators at once");
                }
                self.nodes[who].wants(wish, region, think, glass);
            }
            What::Link { who, cluster, trouble, lasts, share } => {
                self.nodes[who].wire.trouble(cluster, trouble, lasts, share);
            }
            What::Away { cluster, hung, lasts } => {
                // Each process meets it by its own wire, in an order that does not depend on chance.
                let trouble = if hung { Trouble::HalfOpen } else { Trouble::Drop };
                for node in &self.nodes {
                    node.wire.trouble(cluster, trouble, lasts, 100);
                    if !hung {
                        node.wire.cut(cluster);
                    }
                }
                let mut rules = self.rules();
                rules.fired("cluster lost");
                rules.cluster_away(cluster, true);
                rules.cluster_disturbed(cluster, lasts);
                drop(rules);
                self.later(lasts, End::Link(cluster));
            }
            What::Compact { cluster } => {
                let server = self.ground.sim.api(&cluster_name(cluster)).unwrap();
                server.store().compact();
                self.nodes.iter().for_each(|n| n.wire.cut(cluster));
                let mut rules = self.rules();
                rules.fired("410 after compaction");
                rules.cluster_disturbed(cluster, Duration::ZERO);
            }
            What::CutWatches { cluster } => {
                self.nodes.iter().for_each(|n| n.wire.cut(cluster));
                let mut rules = self.rules();
                rules.fired("watches cut");
                rules.cluster_disturbed(cluster, Duration::ZERO);
            }
            What::Expired { cluster, lasts } => {
                self.ground.sim.api(&cluster_name(cluster)).unwrap().faults().expire_tokens(true);
                let mut rules = self.rules();
                rules.fired("tokens expired");
                rules.cluster_disturbed(cluster, lasts * 2);
                drop(rules);
                self.later(lasts, End::Faults(cluster));
            }
            What::ServerSkew { cluster, seconds, lasts } => {
                self.ground.sim.api(&cluster_name(cluster)).unwrap().faults().set_skew(seconds);
                self.rules().fired("server clock skew");
                self.later(lasts, End::Faults(cluster));
            }
            What::Metrics { region, fault, lasts } => {
                let name = self.ground.sim.layout().regions[region].name.clone();
                let fault = match fault {
                    PromFault::StaleSince(_) => PromFault::StaleSince(self.ground.sim.clock().now().as_millisecond()),
                    other => other,
                };
                let blind = blinds(&fault);
                self.ground.sim.prometheus(&name).unwrap().faults().set([fault]);
                for region in self.watched_with(&name) {
                    self.rules().metrics_away(&region, false);
                    if blind {
                        self.rules().metrics_away(&region, true);
                    }
                }
                self.later(lasts, End::Metrics(name));
            }
            What::ClockStep { who, seconds } => {
                self.nodes[who].clock.set_forward(SignedDuration::from_secs(seconds));
                self.rules().fired("host clock step");
            }
            What::DiskFails { who, lasts } => {
                self.nodes[who].disk.fail(true);
                self.rules().fired("disk fails");
                self.later(lasts, End::Disk(who));
            }
            What::Kill { who, crossings, share, down } => {
                let node = &mut self.nodes[who];
                if node.life.is_some() {
                    node.share = share;
                    node.back_at = Some(Instant::now() + down);
                    node.wire.dies_in(crossings);
                }
            }
            What::Revoke { who, cluster, lasts } => {
                let name = self.nodes[who].name.clone();
                self.ground.sim.api(&cluster_name(cluster)).unwrap().set_access(|access| {
                    access.grants.retain(|g| !g.to.contains(&name));
                    access.grants.push(granted(&name, READS));
                });
                self.rules().fired("rights revoked");
                self.later(lasts, End::Rights(who, cluster));
            }
            What::Other { region, deed } => self.others(region, deed),
            What::SelfHeal { region, lasts } => {
                let until = self.start.elapsed() + lasts;
                self.healing.insert(region, until);
            }
        }
    }

    /// Somebody else writes, as with kubectl.
    fn others(&mut self, region: usize, deed: Deed) {
        let name = self.ground.sim.layout().regions[region].name.clone();
        let store = self.ground.sim.api(&name).unwrap().store();
        let kubectl = Writer::named("kubectl");
        let workload = |change: &dyn Fn(&mut Value)| {
            let change = |object: &mut Value| {
                change(object);
                Ok(())
            };
            store.modify(&DEPLOYMENTS, SERVICE, SERVICE, Part::Main, &kubectl, change).is_ok()
        };
        let record = format!("gonogo-sim-{SERVICE}");
        let number = self.rng.u32(1..9);
        let done = match deed {
            Deed::SetImage => workload(&|o| {
                let image = gonogo::sim::world::layout::image(SERVICE, &format!("v2.0.{number}"));
                o["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
            }),
            Deed::Pause => workload(&|o| o["spec"]["paused"] = true.into()),
            Deed::LetOn => workload(&|o| o["spec"]["paused"] = false.into()),
            Deed::Scale => workload(&|o| o["spec"]["replicas"] = number.into()),
            Deed::Annotate => workload(&|o| o["metadata"]["annotations"]["team"] = format!("team-{number}").into()),
            Deed::Weight => {
                let edge = self.ground.sim.api("edge").unwrap().store();
                let change = |route: &mut Value| {
                    let refs = route["spec"]["rules"][0]["backendRefs"].as_array_mut();
                    for one in refs.into_iter().flatten() {
                        if one["name"].as_str().is_some_and(|n| n.ends_with(&name)) {
                            one["weight"] = json!(number * 50);
                        }
                    }
                    Ok(())
                };
                edge.modify(&HTTPROUTES, SERVICE, SERVICE, Part::Main, &kubectl, change).is_ok()
            }
            Deed::DeleteRecord => {
                store.delete(&CONFIGMAPS, SERVICE, &record, &DeleteOptions::default(), &kubectl).is_ok()
            }
            Deed::ForgetFacts => {
                let change = |object: &mut Value| {
                    object["data"] = json!({});
                    Ok(())
                };
                store.modify(&CONFIGMAPS, SERVICE, &record, Part::Main, &kubectl, change).is_ok()
            }
            Deed::Crash => workload(&|o| {
                o["spec"]["template"]["metadata"]["annotations"]["restarted"] = format!("{number}").into();
            }),
        };
        if done {
            self.rules().fired("third party writes");
        }
    }

    /// Delivery tools put back what was changed under them.
    fn heals(&mut self, now: Duration) {
        self.healing.retain(|_, until| *until > now);
        for region in self.healing.keys() {
            let name = self.ground.sim.layout().regions[*region].name.clone();
            let wanted = if *region < 2 { "v2.1.0" } else { "v2.0.0" };
            let image = gonogo::sim::world::layout::image(SERVICE, wanted);
            let store = self.ground.sim.api(&name).unwrap().store();
            let Some(object) = store.get(&DEPLOYMENTS, SERVICE, SERVICE) else { continue };
            if object["spec"]["template"]["spec"]["containers"][0]["image"] == image.as_str() {
                continue;
            }
            let change = |object: &mut Value| {
                object["spec"]["template"]["spec"]["containers"][0]["image"] = image.as_str().into();
                Ok(())
            };
            let argocd = Writer::named("argocd-controller");
            if store.modify(&DEPLOYMENTS, SERVICE, SERVICE, Part::Main, &argocd, change).is_ok() {
                self.rules().fired("self-heal reverts");
            }
        }
    }
}
