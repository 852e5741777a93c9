//! A console without its terminal: the app, its inbox, and somebody who does what it asks for.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gonogo::app::{App, AppEffect, AppMsg, Mode, Setup};
use gonogo::config::{Config, Given, PrometheusServer, read};
use gonogo::domain::challenge::Asked;
use gonogo::domain::id::{ClusterIx, RegionIx};
use gonogo::domain::stamp::{Stamped, Timestamp};
use gonogo::engine::effect::{Effect, Msg};
use gonogo::engine::operation::{Operation, ProposalState};
use gonogo::engine::{Engine, Setting};
use gonogo::input::Key;
use gonogo::io::connect::{Forgetful, InProcess};
use gonogo::io::journal::Journal;
use gonogo::io::prometheus::{HttpStack, InProcessHttp, Prometheus};
use gonogo::io::watch::{plan, reach, watch_all};
use gonogo::io::{Clock, Clusters, Mode as Reading, Tell};
use gonogo::run::inbox::{Inbox, Incoming};
use gonogo::run::performer::Performer;
use gonogo::sim::api::access::{Grant, User};
use gonogo::sim::world::{SimFleet, SimOptions};

use super::tap::{Tap, Tapped, TappedHttp};

/// Between two looks at the inbox.
const TURN: Duration = Duration::from_millis(25);
const TICK: Duration = Duration::from_millis(250);
/// Longest that anything is waited for, in virtual time.
const PATIENCE: Duration = Duration::from_secs(1_800);

pub fn start_of_time() -> Timestamp {
    "2026-11-20T14:32:00Z".parse().unwrap()
}

/// The default fleet, in which `ana` and `bo` may do everything.
pub fn fleet(options: SimOptions) -> SimFleet {
    let start = options.start.or(Some(start_of_time()));
    let fleet = SimFleet::start(&SimOptions { start, ..options }).unwrap();
    for name in fleet.clusters() {
        fleet.api(name).unwrap().set_access(|access| {
            for who in ["ana", "bo"] {
                access.tokens.insert(format!("{who}-token"), User::named(who));
                let all = || vec!["*".to_owned()];
                let grant = Grant {
                    to: vec![who.to_owned()],
                    verbs: all(),
                    groups: all(),
                    resources: all(),
                    ..Grant::default()
                };
                access.grants.push(grant);
            }
        });
    }
    fleet
}

/// The fleet's configuration, with its text changed.
pub fn config(fleet: &SimFleet, change: impl Fn(String) -> String) -> Config {
    let text = change(fleet.config_toml());
    let env = |_: &str| None;
    let (config, findings) = read(Path::new("config.toml"), text.as_bytes(), &Given::env(&env)).unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
    config
}

/// Connects an inbox; whether as a watch screen.
type Connect = Box<dyn Fn(&Inbox<AppMsg>, bool) -> Performer<AppMsg>>;

/// A console of one operator.
pub struct Console {
    pub app: App,
    pub tap: Tap,
    /// It asked to leave, so often.
    pub left: usize,
    inbox: Inbox<AppMsg>,
    performer: Performer<AppMsg>,
    clock: Clock,
    ticked: Duration,
    connect: Connect,
}

impl Console {
    /// Opens a console, or a watch screen, as somebody.
    pub fn open(fleet: &SimFleet, config: &Config, who: &str, mode: Mode, seed: u64) -> Self {
        let tap = Tap::default();
        let clock = Clock::tokio(fleet.clock().now());
        let shared = config.fleet.clone();
        let mut dial = InProcess::new();
        for (at, cluster) in shared.clusters.iter().enumerate() {
            let name = cluster.name.to_string();
            let server = fleet.api(&name).unwrap().trusting(who);
            dial = dial.with(ClusterIx::from(at), &name, Tapped { server, cluster: name.clone(), tap: tap.clone() });
        }
        let dial = Arc::new(dial);
        let prometheuses: Vec<(PrometheusServer, Arc<dyn HttpStack>)> = config
            .prometheuses
            .iter()
            .map(|p| {
                let server = fleet.prometheus(&p.name).unwrap().clone();
                let stack: Arc<dyn HttpStack> = Arc::new(TappedHttp {
                    stack: Arc::new(InProcessHttp(server)),
                    region: p.name.to_string(),
                    tap: tap.clone(),
                });
                (p.clone(), stack)
            })
            .collect();
        let journal = Journal::start(tap.disk.clone(), clock.clone()).unwrap();
        let (to_fleet, to_clock) = (shared.clone(), clock.clone());
        let connect = move |inbox: &Inbox<AppMsg>, watch_only: bool| {
            let plans = plan(&to_fleet);
            let mode = if watch_only { Reading::Watch(reach(&plans, Vec::new())) } else { Reading::Console };
            let clusters = Clusters::new(to_fleet.clone(), dial.clone(), &mode, &to_clock);
            let to = inbox.clone();
            let tell: Tell = Arc::new(move |seen| to.seen(seen));
            let remembered: Arc<dyn gonogo::io::connect::Remembered> = Arc::new(Forgetful);
            let watching = watch_all(&clusters, &plans, &to_clock, &tell, &remembered, seed);
            let servers: Vec<PrometheusServer> = prometheuses.iter().map(|(s, _)| s.clone()).collect();
            let stack = |s: &PrometheusServer| {
                prometheuses.iter().find(|(known, _)| known.name == s.name).map(|(_, stack)| stack.clone()).unwrap()
            };
            let prometheus = Prometheus::over(&servers, stack, &clusters, watch_only, tell);
            Performer::new(
                tokio::runtime::Handle::current(),
                clusters,
                Arc::new(watching),
                Arc::new(move |question| prometheus.ask(question)),
                (!watch_only).then(|| journal.clone()),
                inbox.clone(),
            )
        };
        let watch_only = matches!(mode, Mode::Watch { .. });
        let inbox: Inbox<AppMsg> = Inbox::default();
        let performer = connect(&inbox, watch_only);
        let setting = Setting {
            operator: format!("{who}@host").as_str().into(),
            seed,
            may_keep: !watch_only,
            refresh: Duration::from_secs(15),
        };
        let engine = Engine::new(shared, setting, clock.now());
        let app = App::new(engine, Setup { mode, size: (160, 50), ..Setup::default() }, clock.now());
        let connect = Box::new(connect);
        let mut console = Self { app, tap, left: 0, inbox, performer, clock, ticked: Duration::ZERO, connect };
        let effects = console.app.start();
        console.perform(effects);
        console
    }

    /// Takes in what has come, and does what follows.
    pub fn turn(&mut self) {
        for incoming in self.inbox.take(Duration::ZERO, Duration::ZERO) {
            match incoming {
                Incoming::Key(message) => self.feed(message),
                Incoming::Engine(message) => self.feed(AppMsg::Engine(message)),
            }
        }
        let now = self.clock.now().mono;
        if now.saturating_sub(self.ticked) >= TICK {
            self.ticked = now;
            self.feed(AppMsg::Engine(Msg::Tick));
        }
        // A `!` that came alone holds as soon as that is sure.
        if self.app.due().is_some_and(|due| now >= due) {
            let effects = self.app.update_all(self.clock.now(), Vec::new());
            self.perform(effects);
        }
    }

    pub fn feed(&mut self, message: AppMsg) {
        let effects = self.app.update(Stamped { stamp: self.clock.now(), value: message });
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<AppEffect>) {
        for effect in effects {
            match effect {
                AppEffect::Engine(effect) => {
                    if let Effect::Journal(_) = effect {
                        self.performer.know(&self.app.engine);
                        hold_time_for(&self.tap);
                    }
                    self.performer.perform(effect);
                }
                AppEffect::BecomeWatch => {
                    self.performer = (self.connect)(&self.inbox, true);
                    self.app.engine.stop_keeping();
                }
                AppEffect::Quit => self.left += 1,
                _ => {}
            }
        }
    }

    /// Lets virtual time pass.
    pub async fn pass(&mut self, length: Duration) {
        together(&mut [self], length).await;
    }

    /// Lets virtual time pass until it holds.
    pub async fn until(&mut self, what: &str, holds: impl Fn(&App) -> bool) {
        let mut waited = Duration::ZERO;
        while !holds(&self.app) {
            assert!(waited < PATIENCE, "never came: {what}; {}", self.state());
            self.pass(TURN).await;
            waited += TURN;
        }
    }

    /// Everything that is asked was answered, and the next ring may go.
    pub async fn ready(&mut self) {
        self.until("the next ring is ready", |app| {
            let view = &app.engine.services[0].view;
            view.question.as_ref().is_some_and(|q| q.verdict == gonogo::domain::verdict::Verdict::Go)
        })
        .await;
    }

    /// One key, as a person presses it.
    pub async fn key(&mut self, key: &str) {
        self.pass(Duration::from_millis(400)).await;
        self.feed(AppMsg::Key(Key::parse(key).unwrap_or_else(|| panic!("{key} is a key"))));
        if key == "!" {
            // It holds once it is sure that it came alone.
            self.pass(TURN).await;
        }
    }

    /// A region by its name.
    pub fn region(&self, name: &str) -> RegionIx {
        self.app.engine.fleet.services[0].find_region(name).unwrap_or_else(|| panic!("there is no {name}")).0
    }

    /// Puts the cursor on a region.
    pub fn select(&mut self, region: &str) {
        let (at, _) = self.app.engine.fleet.services[0].find_region(region).unwrap();
        self.app.unchosen = false;
        self.app.picks.region = Some(at);
    }

    /// Opens a prompt, and waits until it can be answered.
    pub async fn open_prompt(&mut self, key: &str) {
        self.key(key).await;
        self.until("the prompt is checked", |app| {
            matches!(
                app.engine.proposal.as_ref().map(|p| &p.state),
                Some(ProposalState::Ready { checking: 0, .. } | ProposalState::Refused(_))
            )
        })
        .await;
        self.pass(Duration::from_millis(400)).await;
    }

    /// What the open prompt asks for: the reason if it must be given, and the answer.
    pub fn asked(&self) -> (bool, String) {
        match self.app.engine.proposal.as_ref().map(|p| &p.state) {
            Some(ProposalState::Ready { challenge, .. }) => {
                let answer = match &challenge.answer {
                    Asked::Key => "y".to_owned(),
                    Asked::Typed(text) => text.to_string(),
                };
                (challenge.reason_required, answer)
            }
            other => panic!("nothing is asked: {other:?}"),
        }
    }

    /// Types everything but the last letter of the answer.
    pub async fn all_but_confirm(&mut self) -> char {
        let (reason, answer) = self.asked();
        if reason {
            for c in "because".chars() {
                self.key(&c.to_string()).await;
            }
            self.key("tab").await;
        }
        let mut letters: Vec<char> = answer.chars().collect();
        let last = letters.pop().unwrap();
        for c in letters {
            self.key(&spelled(c)).await;
        }
        self.pass(Duration::from_millis(400)).await;
        last
    }

    /// Answers the open prompt.
    pub async fn confirm(&mut self) {
        let last = self.all_but_confirm().await;
        self.feed(AppMsg::Key(Key::char(last)));
    }

    /// The newest operation.
    pub fn operation(&self) -> &Operation {
        self.app.engine.operations.last().unwrap_or_else(|| panic!("no operation; {}", self.state()))
    }

    /// How the newest operation ended; waits for it.
    pub async fn end(&mut self) -> (&'static str, String) {
        self.until("the operation is over", |app| app.engine.operations.last().is_some_and(|o| !o.open())).await;
        // Who it was is read after the end.
        self.pass(Duration::from_secs(2)).await;
        let (_, outcome, why) = self.operation().ended.as_ref().unwrap();
        (outcome.word(), why.to_string())
    }

    pub fn state(&self) -> String {
        let engine = &self.app.engine;
        let view = &engine.services[0].view;
        let question = view.question.as_ref().map(|q| format!("{} {}", q.verdict, q.sentence));
        let regions: Vec<_> = view.regions.iter().map(|r| (r.state, &r.heard)).collect();
        let operation = engine.operations.last().map(|o| (&o.plan.title, &o.ended, &o.steps));
        let notice = self.app.notice.as_ref().map(|n| &n.text);
        format!(
            "{question:?}; {regions:?}; proposal {:?}; operation {operation:?}; notice {notice:?}",
            engine.proposal.as_ref().map(|p| &p.state)
        )
    }
}

/// A key's name.
pub fn spelled(c: char) -> String {
    match c {
        ' ' => "space".to_owned(),
        '-' => "minus".to_owned(),
        c => c.to_string(),
    }
}

/// Consoles side by side.
pub async fn together(consoles: &mut [&mut Console], length: Duration) {
    let end = tokio::time::Instant::now() + length;
    loop {
        consoles.iter_mut().for_each(|c| c.turn());
        let left = end.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(TURN)).await;
    }
}

/// The journal's thread lives in real time: virtual time stands still until it has answered, so that
/// the same seed gives the same history.
fn hold_time_for(tap: &Tap) {
    let (disk, before) = (tap.disk.clone(), tap.disk.entries().len());
    tokio::task::spawn_blocking(move || {
        let began = std::time::Instant::now();
        while disk.entries().len() == before && began.elapsed() < Duration::from_millis(500) {
            std::thread::sleep(Duration::from_micros(200));
        }
        // Its answer follows at once.
        std::thread::sleep(Duration::from_millis(2));
    });
}
