//! A whole guard on the simulated wire, under a clock that the test moves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::expect_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::config::{Given, Reach, read};
use crate::domain::challenge::Asked;
use crate::domain::fleet::Fleet;
use crate::domain::id::{ClusterIx, RegionIx, ServiceIx};
use crate::domain::intent::{Intent, Target, Verb};
use crate::domain::policy::Mode;
use crate::domain::record::{Body, Fact, HoldInForce};
use crate::domain::stamp::{Stamped, Timestamp, window_floor};
use crate::engine::automation::Arming;
use crate::engine::effect::{Effect, Msg};
use crate::engine::operation::{Outcome, ProposalState};
use crate::engine::{Engine, Setting};
use crate::io::connect::{Forgetful, InProcess, Remembered};
use crate::io::journal::{Files, Journal, read_all};
use crate::io::prometheus::{HttpStack, InProcessHttp, Prometheus};
use crate::io::watch::{plan, watch_all};
use crate::io::{Clock, Clusters, Mode as Reading, Tell};
use crate::run::inbox::{Inbox, Incoming};
use crate::run::performer::Performer;
use crate::sim::api::access::{Access, Grant, User};
use crate::sim::prom::faults::Fault;
use crate::sim::store::{DeleteOptions, Writer};
use crate::sim::world::{SimFleet, SimOptions};

mod differential;

const START: &str = "2026-03-02T10:00:00Z";
const SHOP: ServiceIx = ServiceIx(0);
/// How often Prometheus is asked: the evaluation interval.
const REFRESH: Duration = Duration::from_secs(15);

/// A simulated fleet, and one engine on its wire.
struct Stand {
    sim: SimFleet,
    fleet: Arc<Fleet>,
    engine: Engine,
    inbox: Inbox<()>,
    performer: Performer<()>,
    clock: Clock,
    journal: Journal,
    state: tempfile::TempDir,
    /// Hears what the engine hears of the world, and does nothing.
    twin: Option<Engine>,
}

impl Stand {
    fn new(scenario: &str, policy: &str, user: &str, grants: &dyn Fn(&mut Access)) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let clock = Clock::tokio(start);
        let options =
            SimOptions { scenario: scenario.into(), speed: Some(1.0), start: Some(start), ..SimOptions::default() };
        let sim = SimFleet::start(&options).unwrap();
        let text = format!("{}\n{policy}", sim.config_toml());
        let env = |_: &str| None;
        let (config, _) = read(Path::new("config.toml"), text.as_bytes(), &Given::env(&env))
            .unwrap_or_else(|e| panic!("{}", crate::config::render_errors(&e, false)));
        let fleet = config.fleet.clone();
        let mut dial = InProcess::new();
        for (at, cluster) in fleet.clusters.iter().enumerate() {
            let server = sim.api(cluster.name.as_str()).unwrap();
            server.requests().keep(100_000);
            server.set_access(|access| grants(access));
            dial = dial.with(ClusterIx::from(at), cluster.name.as_str(), server.trusting(user));
        }
        let clusters = Clusters::new(fleet.clone(), Arc::new(dial), &Reading::Console, &clock);
        let inbox: Inbox<()> = Inbox::default();
        let to = inbox.clone();
        let tell: Tell = Arc::new(move |seen| to.seen(seen));
        let remembered: Arc<dyn Remembered> = Arc::new(Forgetful);
        let watching = watch_all(&clusters, &plan(&fleet), &clock, &tell, &remembered, 7);
        let stack = |server: &crate::config::PrometheusServer| -> Arc<dyn HttpStack> {
            let Reach::Url(url) = &server.reach else { panic!("by url") };
            let region = sim.layout().regions.iter().find(|r| url.contains(&r.name)).unwrap();
            Arc::new(InProcessHttp(sim.prometheus(&region.name).unwrap().clone()))
        };
        let prometheus = Prometheus::over(&config.prometheuses, stack, &clusters, false, tell);
        let state = tempfile::tempdir().unwrap();
        let journal = Journal::start(Files::new(state.path(), "test"), clock.clone()).unwrap();
        let performer = Performer::new(
            tokio::runtime::Handle::current(),
            clusters,
            Arc::new(watching),
            Arc::new(move |question| prometheus.ask(question)),
            Some(journal.clone()),
            inbox.clone(),
        );
        let setting = Setting { operator: "guard@test".into(), seed: 7, may_keep: true, refresh: REFRESH };
        let engine = Engine::new(fleet.clone(), setting, clock.now());
        Self { sim, fleet, engine, inbox, performer, clock, journal, state, twin: None }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        self.performer.know(&self.engine);
        effects.into_iter().for_each(|e| self.performer.perform(e));
    }

    fn feed(&mut self, value: Msg) {
        let stamp = self.clock.now();
        let heard = match &value {
            Msg::Seen(observation) => Some(Msg::Seen(observation.clone())),
            Msg::Tick => Some(Msg::Tick),
            Msg::Reply(_) => None,
        };
        if let Some((twin, value)) = self.twin.as_mut().zip(heard) {
            twin.update(Stamped { stamp, value });
        }
        let effects = self.engine.update(Stamped { stamp, value });
        self.perform(effects);
    }

    /// Lets virtual time pass until it holds.
    async fn until(&mut self, what: &str, most: Duration, holds: impl Fn(&Self) -> bool) {
        let deadline = self.clock.now().mono + most;
        let mut ticked = Duration::ZERO;
        while !holds(self) {
            self.let_the_journal_answer().await;
            let now = self.clock.now().mono;
            assert!(now < deadline, "never came: {what}; alarms {:?}", self.engine.services[0].view.alarms);
            for incoming in self.inbox.take(Duration::ZERO, Duration::ZERO) {
                if let Incoming::Engine(message) = incoming {
                    self.feed(message);
                }
            }
            if now.saturating_sub(ticked) >= Duration::from_millis(200) {
                ticked = now;
                self.feed(Msg::Tick);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The journal's thread lives in real time, which virtual time would outrun: it stands still while
    /// something runs outside the runtime.
    async fn let_the_journal_answer(&self) {
        if self.engine.operations.iter().any(|o| o.open()) {
            let (runtime, journal) = (tokio::runtime::Handle::current(), self.journal.clone());
            tokio::task::spawn_blocking(move || runtime.block_on(journal.flush())).await.unwrap();
        }
    }

    fn region(&self, name: &str) -> RegionIx {
        self.fleet.services[0].find_region(name).unwrap().0
    }

    fn version(&self, name: &str) -> String {
        let at = self.region(name);
        let workload = self.engine.services[0].regions[at.at()].workload.as_ref();
        workload.map_or_else(String::new, |w| w.version.to_string())
    }

    /// Patches of workloads that a cluster took, besides rehearsals.
    fn patches(&self, cluster: &str) -> usize {
        let writes = self.sim.api(cluster).unwrap().requests().writes();
        writes.iter().filter(|r| r.method == "PATCH" && r.path.contains("/deployments/") && r.code == 200).count()
    }

    /// A person promotes the next ring, without the rest of the wait.
    async fn promote(&mut self, region: &str) {
        let ring = self.fleet.services[0].region(self.region(region)).unwrap().ring;
        let id = self.engine.next_plan_id();
        let verb = Verb::Promote { to: None, without_wait: true };
        let intent = Intent { service: SHOP, verb, target: Target::Ring(ring), reason: None };
        let effects = self.engine.propose(id, intent);
        self.perform(effects);
        let ready = |s: &Self| {
            let state = s.engine.proposal.as_ref().map(|p| p.state.clone());
            if let Some(ProposalState::Refused(refusal)) = &state {
                panic!("refused: {refusal:?}");
            }
            matches!(state, Some(ProposalState::Ready { checking: 0, .. }))
        };
        self.until("a plan", Duration::from_secs(30), ready).await;
        let Some(ProposalState::Ready { plan, challenge, .. }) = self.engine.proposal.as_ref().map(|p| p.state.clone())
        else {
            panic!("no plan")
        };
        let typed = match &challenge.answer {
            Asked::Key => "y".to_owned(),
            Asked::Typed(text) => text.to_string(),
        };
        let approved = challenge.answer((*plan).clone(), &typed, Some("a test".into()), "ana".into()).unwrap();
        let effects = self.engine.carry_out(approved);
        self.perform(effects);
        let ended = |s: &Self| s.engine.operations.iter().any(|o| o.plan.id == id && o.ended.is_some());
        self.until("the rollout", Duration::from_secs(900), ended).await;
        let ended = self.engine.operations.iter().find(|o| o.plan.id == id).and_then(|o| o.ended.clone()).unwrap();
        assert_eq!(ended.1, Outcome::Settled, "{}", ended.2);
    }

    fn arm(&mut self, mode: Mode) {
        let holder = "guard-1".into();
        self.engine.arm(Arming { mode, lessened: None, holder, regions: Vec::new(), interrupted: Vec::new() });
    }
}

const ROLLBACK: &str = "[service.webapp.policy]\non_nogo = \"rollback\"\n";

/// The rules of a role in deploy/, as grants.
fn granted(role: &str, to: &str) -> Vec<Grant> {
    let files = [include_str!("../../../deploy/role-reader.yaml"), include_str!("../../../deploy/role-guard.yaml")];
    let mut grants = Vec::new();
    for part in files.iter().flat_map(|f| f.split("\n---\n")) {
        let object: Value = serde_saphyr::from_str(part).unwrap();
        if object["metadata"]["name"] != role {
            continue;
        }
        let words = |v: &Value| v.as_array().into_iter().flatten().map(|w| w.as_str().unwrap().to_owned()).collect();
        for rule in object["rules"].as_array().unwrap() {
            grants.push(Grant {
                to: vec![to.to_owned()],
                verbs: words(&rule["verbs"]),
                groups: words(&rule["apiGroups"]),
                resources: words(&rule["resources"]),
                names: words(&rule["resourceNames"]),
                namespaces: Vec::new(),
            });
        }
    }
    assert!(!grants.is_empty());
    grants
}

/// Verb, group and resource of a request, as RBAC sees it.
fn right(method: &str, path: &str, query: &str) -> Option<(String, String, String)> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", _, rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    let (plural, name) = match rest {
        ["namespaces", _, plural, name] => (*plural, Some(*name)),
        ["namespaces", _, plural] | [plural] => (*plural, None),
        ["namespaces", name] => ("namespaces", Some(*name)),
        _ => return None,
    };
    let verb = match (method, name) {
        ("GET", Some(_)) => "get",
        ("GET", None) if query.contains("watch=true") => "watch",
        ("GET", None) => "list",
        ("POST", _) => "create",
        ("PATCH", _) => "patch",
        _ => "other",
    };
    Some((verb.to_owned(), group.to_owned(), plural.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn a_breach_is_rolled_back_within_one_interval_and_a_second_with_the_guards_own_rights() {
    let grants = |access: &mut Access| {
        let name = "system:serviceaccount:gonogo:gonogo-guard";
        access.tokens.insert("guard-token".into(), User::named(name));
        access.grants.retain(|g| !g.to.iter().any(|t| t == name));
        access.grants.extend(granted("gonogo-reader", name));
        access.grants.extend(granted("gonogo-guard", name));
    };
    let user = "system:serviceaccount:gonogo:gonogo-guard";
    let mut stand = Stand::new("regression", ROLLBACK, user, &grants);
    // One region has no record yet: it is made.
    let record = stand.fleet.record_name(&stand.fleet.services[0]);
    let store = stand.sim.api("staging").unwrap().store().clone();
    let (options, writer) = (DeleteOptions::default(), Writer::named("kubectl"));
    store.delete(&crate::sim::resources::CONFIGMAPS, "webapp", &record, &options, &writer).unwrap();
    stand.arm(Mode::Guard);
    let heard = |s: &Stand| s.version("eu-west-1") == "v2.0.0" && s.version("ap-south-1") == "v2.1.0";
    stand.until("the fleet", Duration::from_secs(60), heard).await;
    let minute = stand.clock.now().mono + Duration::from_secs(60);
    stand.until("the first data", Duration::from_secs(120), |s| s.clock.now().mono >= minute).await;
    stand.promote("eu-west-1").await;
    assert_eq!(stand.patches("eu-west-1"), 1);
    stand.until("the rollback", Duration::from_secs(1_800), |s| s.patches("eu-west-1") == 2).await;
    // The breached window is complete at a boundary, and can be read a minute later (scrapes come
    // late): from then on, one interval and a second.
    let at = stand.clock.wall();
    let readable = window_floor(at).checked_add(crate::engine::wants::INGEST).unwrap();
    let late = at.duration_since(readable);
    assert!(late.as_secs_f64() <= REFRESH.as_secs_f64() + 1.0, "{late:?} after it could be read");
    stand.until("known good", Duration::from_secs(900), |s| s.version("eu-west-1") == "v2.0.0").await;
    let later = stand.clock.now().mono + Duration::from_secs(900);
    stand.until("what follows", Duration::from_secs(1_000), |s| s.clock.now().mono >= later).await;
    assert_eq!(stand.patches("eu-west-1"), 2, "once");
    for other in ["staging", "ap-south-1", "us-east-1", "edge"] {
        assert_eq!(stand.patches(other), 0, "{other} is left alone");
    }
    // Nothing was refused for want of rights, and no right is there for nothing.
    let mut used = BTreeSet::new();
    for cluster in stand.sim.clusters() {
        for request in stand.sim.api(cluster).unwrap().requests().all() {
            assert!(request.code != 403, "{cluster}: {} {} was refused", request.method, request.path);
            used.extend(right(&request.method, &request.path, &request.query));
        }
    }
    for grant in granted("gonogo-guard", user) {
        for (verb, (group, resource)) in
            grant.verbs.iter().flat_map(|v| grant.groups.iter().zip(&grant.resources).map(move |gr| (v, gr)))
        {
            // This fleet has no Rollouts.
            let known = group == "argoproj.io" || used.contains(&(verb.clone(), group.clone(), resource.clone()));
            assert!(known, "the guard's role grants {verb} {group}/{resource}, which nothing used: {used:?}");
        }
    }
    // The lease is one that kubectl would show.
    let object = stand.engine.lease_object((SHOP, stand.region("eu-west-1"))).unwrap();
    let cluster = stand.sim.api("eu-west-1").unwrap();
    let lease = cluster
        .store()
        .get(&crate::sim::resources::LEASES, object.namespace.as_str(), &object.name)
        .expect("there is a lease");
    assert_eq!(lease["spec"]["holderIdentity"], "guard-1");
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_may_write_in_one_region_holds_there_and_asks_the_others_once() {
    let name = "system:serviceaccount:gonogo:gonogo-guard";
    let grants = |access: &mut Access| {
        access.tokens.insert("guard-token".into(), User::named(name));
        access.grants.retain(|g| !g.to.iter().any(|t| t == name));
        access.grants.extend(granted("gonogo-reader", name));
        access.grants.extend(granted("gonogo-guard", name));
    };
    let mut stand = Stand::new("regression", "[service.webapp.policy]\non_nogo = \"hold\"\n", name, &grants);
    let heard = |s: &Stand| s.version("eu-west-1") == "v2.0.0" && s.version("ap-south-1") == "v2.1.0";
    stand.until("the fleet", Duration::from_secs(60), heard).await;
    let minute = stand.clock.now().mono + Duration::from_secs(60);
    stand.until("the first data", Duration::from_secs(120), |s| s.clock.now().mono >= minute).await;
    stand.promote("eu-west-1").await;
    // Rights to write in its own region, and to read elsewhere: the documented default.
    let others = ["staging", "ap-south-1", "us-east-1"];
    for other in others {
        let writes = granted("gonogo-guard", name);
        stand.sim.api(other).unwrap().set_access(|access| access.grants.retain(|g| !writes.contains(g)));
    }
    let holder = "guard-eu".into();
    let regions = vec!["eu-west-1".into()];
    stand.engine.arm(Arming { mode: Mode::Guard, lessened: None, holder, regions, interrupted: Vec::new() });
    let start = stand.clock.now().mono;
    let ended = |s: &Stand| !s.engine.automation().unwrap().ended.is_empty();
    stand.until("the hold", Duration::from_secs(1_800), ended).await;
    // Longer than a record that refused is left alone.
    let later = stand.clock.now().mono + Duration::from_secs(330);
    stand.until("six minutes", Duration::from_secs(400), |s| s.clock.now().mono >= later).await;
    let armed = stand.clock.now().mono.saturating_sub(start);
    let ended = &stand.engine.automation().unwrap().ended;
    assert_eq!(*ended, [(("hold", "settled"), 1)].into(), "taken where it acts, once");
    let hold = &stand.engine.services[0].view.holds;
    let told: Vec<Option<String>> = hold.iter().map(HoldInForce::partly).collect();
    assert_eq!(told, [Some("hold 1 of 4".to_owned())]);
    let (_, _, why) = stand.engine.operations.last().unwrap().ended.clone().unwrap();
    assert!(why.ends_with("hold 1 of 4: others pass it on"), "{why}");
    let most = usize::try_from(armed.as_secs() / 8).unwrap() + 2;
    for other in others {
        let all = stand.sim.api(other).unwrap().requests().all();
        let refused: Vec<String> =
            all.iter().filter(|r| r.code == 403).map(|r| format!("{} {}", r.method, r.path)).collect();
        assert_eq!(refused.len(), 1, "{other} was asked once: {refused:?}");
        // Its guard's lease is looked at every 8 s, also where there is none.
        let looks = all.iter().filter(|r| r.method == "GET" && r.path.contains("/leases/")).count();
        assert!((2..=most).contains(&looks), "{other}'s lease was looked at {looks} times, {most} at most");
    }
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_is_lost_in_the_bake_changes_nothing() {
    unknown_in_the_bake(Fault::Down).await;
}

#[tokio::test(start_paused = true)]
async fn a_prometheus_that_answers_in_part_changes_nothing() {
    unknown_in_the_bake(Fault::Warnings(vec!["a store did not answer".to_owned()])).await;
}

async fn unknown_in_the_bake(fault: Fault) {
    let mut stand = Stand::new("regression", ROLLBACK, "oncall", &|_| {});
    stand.arm(Mode::Autopilot);
    let heard = |s: &Stand| s.version("eu-west-1") == "v2.0.0" && s.version("ap-south-1") == "v2.1.0";
    stand.until("the fleet", Duration::from_secs(60), heard).await;
    let minute = stand.clock.now().mono + Duration::from_secs(60);
    stand.until("the first data", Duration::from_secs(120), |s| s.clock.now().mono >= minute).await;
    stand.promote("eu-west-1").await;
    for region in ["staging", "ap-south-1", "eu-west-1", "us-east-1"] {
        stand.sim.prometheus(region).unwrap().faults().set([fault.clone()]);
    }
    let later = stand.clock.now().mono + Duration::from_secs(1_800);
    stand.until("half an hour", Duration::from_secs(2_000), |s| s.clock.now().mono >= later).await;
    assert_eq!(stand.patches("eu-west-1"), 1, "unknown is no reason to roll back");
    assert_eq!(stand.version("us-east-1"), "v2.0.0", "and none to promote");
    for region in ["staging", "ap-south-1", "eu-west-1", "us-east-1"] {
        stand.sim.prometheus(region).unwrap().faults().clear();
    }
    // History is read when it is back: what was missed is judged all the same.
    stand.until("the rollback", Duration::from_secs(1_800), |s| s.patches("eu-west-1") == 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_dies_in_the_middle_of_a_rollback_leaves_a_plan_that_the_next_one_takes_up() {
    let mut stand = Stand::new("regression", ROLLBACK, "oncall", &|_| {});
    let heard = |s: &Stand| s.version("eu-west-1") == "v2.0.0" && s.version("ap-south-1") == "v2.1.0";
    stand.until("the fleet", Duration::from_secs(60), heard).await;
    let minute = stand.clock.now().mono + Duration::from_secs(60);
    stand.until("the first data", Duration::from_secs(120), |s| s.clock.now().mono >= minute).await;
    stand.promote("eu-west-1").await;
    stand.arm(Mode::Guard);
    stand.until("the rollback", Duration::from_secs(1_800), |s| s.patches("eu-west-1") == 2).await;
    // It dies: nothing of it is answered any more, and its journal is let go.
    let Stand { engine, performer, inbox, journal, fleet, clock, state, sim, .. } = stand;
    let plan = engine.operations.last().unwrap().plan.id;
    drop((engine, performer, inbox, journal));
    let left = || super::interrupted(&read_all(state.path(), "test").unwrap(), &fleet, clock.wall());
    for _ in 0..200 {
        if !left().is_empty() {
            break;
        }
        // Its thread ends as soon as nobody can give it orders.
        tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let left = left();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((left[0].plan, &*left[0].verb, left[0].raising), (plan, "rollback", false));
    let eu = fleet.services[0].find_region("eu-west-1").unwrap().0;
    assert_eq!(left[0].regions, [eu]);
    // It holds every fact that was to be written, so that the record can be completed.
    let [(place, facts)] = left[0].facts.as_slice() else { panic!("{:?}", left[0].facts) };
    assert_eq!(*place, (SHOP, eu));
    let back = |f: &Fact| matches!(&f.body, Body::RolledBack(m) if m.plan == plan.0 && &*m.to_version == "v2.0.0");
    assert!(facts.iter().any(back), "{facts:?}");
    drop(sim);
}

/// What a probe gets: status and body.
async fn get(address: std::net::SocketAddr, method: &str, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let code = text.split(' ').nth(1).unwrap().parse().unwrap();
    (code, text.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[tokio::test]
async fn probes_are_told_how_things_stand() {
    let text = "[cluster.a]\n[cluster.b]\n[service.web]\nrings = [[\"a\"], [\"b\"]]\n";
    let env = |_: &str| None;
    let (config, _) = read(Path::new("c.toml"), text.as_bytes(), &Given::env(&env)).unwrap();
    let clock = Clock::host();
    let setting = Setting { operator: "guard@test".into(), seed: 7, may_keep: true, refresh: REFRESH };
    let mut engine = Engine::new(config.fleet.clone(), setting, clock.now());
    let board = super::door::Board::new(clock.clone());
    let door = super::door::Door::open("127.0.0.1:0".parse().unwrap(), board.clone()).await.unwrap();
    let at = door.address();
    assert_eq!(get(at, "GET", "/healthz").await.0, 503, "the loop has not begun");
    let counts = crate::io::notify::Counts::default();
    let lessened = Some("no durable journal, so it only advises: x".into());
    let arming = |lessened| Arming {
        mode: Mode::Advise,
        lessened,
        holder: "g".into(),
        regions: Vec::new(),
        interrupted: Vec::new(),
    };
    engine.arm(arming(lessened));
    board.beat(&engine, &counts);
    assert_eq!(get(at, "GET", "/healthz").await, (200, "ok\n".to_owned()));
    let (code, why) = get(at, "GET", "/readyz").await;
    assert_eq!((code, why.as_str()), (503, "no durable journal, so it only advises: x\n"));
    let (code, metrics) = get(at, "GET", "/metrics").await;
    assert_eq!(code, 200);
    for (name, kind, _) in super::metrics::METRICS {
        assert!(metrics.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
    }
    assert!(metrics.contains("gonogo_guard_mode{mode=\"advise\"} 1\n"), "{metrics}");
    assert!(metrics.contains("gonogo_cluster_live{cluster=\"a\"} 0\n"), "{metrics}");
    // Nothing was heard yet: not ready, whatever the journal is.
    engine.arm(arming(None));
    board.beat(&engine, &counts);
    assert!(get(at, "GET", "/readyz").await.1.starts_with("no cluster was heard: a, b"));
    assert_eq!(get(at, "GET", "/other").await.0, 404);
    assert_eq!(get(at, "POST", "/metrics").await.0, 405);
}
