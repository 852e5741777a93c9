//! The value behind the screen: engine, panes, focus, modals; `update(message) -> effects`.
//!
//! Rules about releases are the engine's; this adds what only a screen needs.

/// A scene over fields of the app, so that panes' state can be borrowed beside it.
macro_rules! scene {
    ($app:expr) => {
        $crate::panes::Scene {
            engine: &$app.engine,
            picks: &$app.picks,
            clock: $app.clock,
            mask: matches!($app.setup.mode, $crate::app::Mode::Watch { .. }),
        }
    };
}

pub mod available;
pub mod commands;
pub mod copy;
pub mod hold_all;
pub mod keys;
pub mod message;
pub mod modal;
pub mod modal_keys;
pub mod mouse;
pub mod order;
pub mod prompt;
pub mod prompt_text;
pub mod target;
mod tiny;
mod trace;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::id::{ClusterIx, ServiceIx, Text};
use crate::domain::stamp::{Stamp, Stamped};
use crate::engine::Engine;
use crate::engine::effect::{Effect, Msg};
use crate::engine::operation::Operation;
use crate::input::{Key, Keymap};
use crate::panes::{Pane, Panes, Picks, Scene};

pub use message::{AppEffect, AppMsg, Came, Mouse, MouseKind, Unfinished};
use modal::Modal;

/// What a screen may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Shows and acts.
    Console,
    /// Shows and cannot act, with the reason (no right to write, no durable journal by choice).
    ReadOnly(Text),
    /// A wall screen: cannot act until it is started again; turns to the next service so often.
    Watch {
        /// How long each service is shown; none: only the one chosen.
        rotate: Option<Duration>,
    },
    /// A recording: nothing on it is now.
    Replay,
}

/// How kubectl reaches a cluster: what a line for the clipboard must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeContext {
    /// The kube context, which need not be called as the cluster is.
    pub context: Text,
    /// The kubeconfig file, where the configuration names one.
    pub kubeconfig: Option<Text>,
}

/// What the app needs to know of the process it is in.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What it may do.
    pub mode: Mode,
    /// Keys.
    pub keymap: Keymap,
    /// The service shown first.
    pub service: ServiceIx,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// Offline copies of runbooks.
    pub runbooks: BTreeMap<ServiceIx, Text>,
    /// Where a trace is shown, with `{{trace_id}}` for its id.
    pub trace_url: Option<Text>,
    /// Operations that an earlier process left open: shown first, and only offered.
    pub unfinished: Vec<Unfinished>,
    /// How kubectl reaches a cluster, where there is a context for it: not from inside a pod.
    pub contexts: BTreeMap<ClusterIx, KubeContext>,
    /// Whom every cluster is asked to take us for (`--as`), with the groups.
    pub acting_as: Option<(Text, Vec<Text>)>,
    /// Why nothing can be journaled; none: the journal is durable.
    pub unjournaled: Option<Text>,
    /// Said at the start: a bad theme, a config that falls back.
    pub notices: Vec<Text>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: Mode::Console,
            keymap: Keymap::default(),
            service: ServiceIx(0),
            size: (80, 24),
            runbooks: BTreeMap::new(),
            trace_url: None,
            unfinished: Vec::new(),
            contexts: BTreeMap::new(),
            acting_as: None,
            unjournaled: None,
            notices: Vec::new(),
        }
    }
}

/// What fills the screen between top line and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// The main board of one service.
    Board,
    /// One pane alone.
    Only(Pane),
}

/// Something said to the operator for a few seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The sentence.
    pub text: Text,
    /// It is a refusal or a failure.
    pub bad: bool,
    /// When it was said.
    pub at: Stamp,
}

/// How long a notice stands.
const NOTICE: Duration = Duration::from_secs(6);
/// A service that was turned to so recently is still being asked about.
const OPENING: Duration = Duration::from_secs(10);
/// Rows do not move within this of a key.
pub const STILL: Duration = Duration::from_secs(1);

/// The screen's value.
pub struct App {
    /// Everything believed, reviewed and carried out.
    pub engine: Engine,
    /// As given at the start; the mode changes once at most, to watch.
    pub setup: Setup,
    /// What is picked.
    pub picks: Picks,
    /// State of the panes.
    pub panes: Panes,
    /// What is open; the last is shown.
    pub views: Vec<View>,
    /// The pane that keys go to.
    pub focus: Pane,
    /// What is over the board; the last gets the keys.
    pub modals: Vec<Modal>,
    /// What was said last.
    pub notice: Option<Notice>,
    /// The filter is being typed.
    pub filtering: bool,
    /// A hold of everything on its way.
    pub holding: Option<hold_all::HoldAll>,
    /// The first key of a sequence, with its moment.
    pub pending: Option<(Key, Stamp)>,
    /// The moment that clocks and ages show: changes once a second.
    pub clock: Stamp,
    /// Stamp of the last message.
    pub now: Stamp,
    /// Stamp of the last key.
    pub last_key: Option<Stamp>,
    /// Last key that was a digit.
    pub last_digit: Option<Stamp>,
    /// When the key that is taken in was read from the terminal: time between keys is told by that.
    pub key_at: Stamp,
    /// The key taken in last came upon another one, as nobody types: a paste that was not bracketed.
    pub crowded: bool,
    /// A key has just answered a question: what follows at once belongs to that.
    pub echoes: bool,
    /// The key before the one that is taken in.
    pub key_before: Option<Key>,
    /// A `!` that holds as soon as it is sure that it came alone.
    pub armed: Option<Stamp>,
    /// When the service shown was turned to.
    pub turned: Stamp,
    /// Something that may be seen has changed since the last frame.
    pub dirty: bool,
    /// Nobody has chosen a row yet: the cursor stays on what needs attention most.
    pub unchosen: bool,
}

impl App {
    /// An app over an engine. [`App::start`] gives the first effects.
    pub fn new(engine: Engine, setup: Setup, now: Stamp) -> Self {
        let modals = setup.unfinished.iter().rev().cloned().map(|u| Modal::Unfinished(Box::new(u))).collect();
        let text = setup.notices.join("; ");
        let notice = (!text.is_empty()).then(|| Notice { text: text.into(), bad: true, at: now });
        let mut app = Self {
            engine,
            picks: Picks { service: Some(setup.service), ..Picks::default() },
            setup,
            panes: Panes::default(),
            views: vec![View::Board],
            focus: Pane::Regions,
            modals,
            notice,
            filtering: false,
            holding: None,
            pending: None,
            clock: now,
            now,
            last_key: None,
            last_digit: None,
            key_at: now,
            crowded: false,
            echoes: false,
            key_before: None,
            armed: None,
            turned: now,
            dirty: true,
            unchosen: true,
        };
        app.settle_rows(true);
        app
    }

    /// The first effects: the service on the screen is sampled.
    pub fn start(&mut self) -> Vec<AppEffect> {
        let service = self.scene().at();
        wrap(self.engine.show(service))
    }

    /// Takes one message in; says what is to be done.
    pub fn update(&mut self, message: Stamped<AppMsg>) -> Vec<AppEffect> {
        let stamp = message.stamp;
        if let AppMsg::Engine(msg) = message.value {
            return self.update_all(stamp, vec![msg]);
        }
        self.turn_clock(stamp);
        let mut effects = self.hold_if_alone(stamp);
        effects.extend(match message.value {
            AppMsg::Engine(_) => Vec::new(),
            AppMsg::Key(key) => {
                self.dirty = true;
                self.press(key, stamp)
            }
            AppMsg::Paste(text) => {
                self.dirty = true;
                self.last_key = Some(stamp);
                self.paste(&text);
                Vec::new()
            }
            AppMsg::Mouse(mouse) => {
                self.dirty = true;
                self.point(mouse)
            }
            AppMsg::Resize { columns, rows } => {
                self.dirty = true;
                self.resize((columns, rows));
                Vec::new()
            }
            AppMsg::Focus(_) => Vec::new(),
            AppMsg::LeftClosed { plan, result } => {
                self.left_closed(&plan, result);
                Vec::new()
            }
            AppMsg::Notice { text, bad } => {
                self.say(text, bad);
                Vec::new()
            }
        });
        effects.extend(self.attend());
        effects
    }

    /// Takes in what came for the engine at one moment, in order. What changed nothing that may
    /// be seen is no reason for a frame: ages change with the clock.
    pub fn update_all(&mut self, stamp: Stamp, messages: Vec<Msg>) -> Vec<AppEffect> {
        self.turn_clock(stamp);
        let mut effects = self.hold_if_alone(stamp);
        let before = self.engine.revision();
        effects.extend(wrap(self.engine.update_all(stamp, messages)));
        let after = self.engine.revision();
        let shows_all = self.view() == View::Only(Pane::Fleet);
        self.dirty |= after.shown != before.shown || (shows_all && after.fleet != before.fleet);
        effects.extend(self.attend());
        effects
    }

    /// A key was read a moment before it is taken in: what came in between has turned the clock further.
    fn turn_clock(&mut self, stamp: Stamp) {
        if stamp.mono < self.now.mono {
            return;
        }
        self.now = stamp;
        self.engine.now = stamp;
        if stamp.wall.as_second() != self.clock.wall.as_second() {
            self.clock = stamp;
            self.dirty = true;
        }
    }

    /// Somebody waits for something that time alone brings: seconds are too coarse.
    pub fn is_busy(&self) -> bool {
        let lately = |at: Stamp, span: Duration| self.now.since(at) < span;
        !self.modals.is_empty()
            || self.holding.is_some()
            || self.engine.proposal.is_some()
            || self.engine.operations.iter().any(Operation::open)
            || self.last_key.is_some_and(|at| lately(at, STILL * 2))
            || lately(self.turned, OPENING)
    }

    /// What follows from any message: rows, prompts, `!` on its way, rotation.
    fn attend(&mut self) -> Vec<AppEffect> {
        let mut effects = self.attend_hold_all();
        self.attend_prompt();
        effects.extend(self.rotate());
        self.settle_rows(false);
        // What was said at the start stays until somebody is there: the first key takes it away.
        let unread = self.last_key.is_none() && self.setup.mode == Mode::Console && !self.setup.notices.is_empty();
        if !unread && self.notice.as_ref().is_some_and(|n| self.now.since(n.at) > NOTICE) {
            self.notice = None;
            self.dirty = true;
        }
        if self.pending.is_some_and(|(_, at)| self.now.since(at) > STILL) {
            self.pending = None;
        }
        let view = self.view();
        if matches!(view, View::Only(Pane::Detail)) {
            let scene = scene!(self);
            self.panes.detail.refresh(&scene);
        }
        effects
    }

    /// What fills the screen.
    pub fn view(&self) -> View {
        self.views.last().copied().unwrap_or(View::Board)
    }

    /// The world as panes see it.
    pub fn scene(&self) -> Scene<'_> {
        scene!(self)
    }

    /// Whether something that may be seen has changed since this was asked last.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// It cannot act, and why.
    pub fn cannot_write(&self) -> Option<Text> {
        match &self.setup.mode {
            Mode::Console => None,
            Mode::ReadOnly(why) => Some(format!("this console is read-only: {why}").into()),
            Mode::Watch { .. } => Some("this is a watch screen: it cannot write until it is started again".into()),
            Mode::Replay => Some("this is a recording: nothing on it is now".into()),
        }
    }

    /// Says something for a few seconds.
    pub fn say(&mut self, text: impl Into<Text>, bad: bool) {
        self.notice = Some(Notice { text: text.into(), bad, at: self.now });
        self.dirty = true;
    }

    /// Turns to another service.
    pub fn turn_to(&mut self, service: ServiceIx) -> Vec<AppEffect> {
        if self.engine.fleet.service(service).is_none() {
            return Vec::new();
        }
        self.turned = self.now;
        if self.picks.service != Some(service) {
            self.picks = Picks { service: Some(service), ..Picks::default() };
            self.unchosen = true;
            self.panes.verdicts = Default::default();
            self.panes.timeline = Default::default();
            self.settle_rows(true);
        }
        let mut effects = wrap(self.engine.show(service));
        effects.extend(wrap(self.engine.open(None)));
        effects
    }

    fn rotate(&mut self) -> Vec<AppEffect> {
        let Mode::Watch { rotate: Some(every) } = self.setup.mode else { return Vec::new() };
        let many = self.engine.fleet.services.len();
        if many < 2 || self.now.since(self.turned) < every {
            return Vec::new();
        }
        self.dirty = true;
        let next = (self.scene().at().at() + 1) % many;
        self.turn_to(next.into())
    }

    /// The service that a watch screen turns to next, and in how long.
    pub fn next_service(&self) -> Option<(ServiceIx, Duration)> {
        let Mode::Watch { rotate: Some(every) } = self.setup.mode else { return None };
        let many = self.engine.fleet.services.len();
        let next = (self.scene().at().at() + 1) % many.max(1);
        (many > 1).then(|| (next.into(), every.saturating_sub(self.clock.since(self.turned))))
    }
}

/// Engine effects as the app's.
fn wrap(effects: Vec<Effect>) -> Vec<AppEffect> {
    effects.into_iter().map(AppEffect::Engine).collect()
}
