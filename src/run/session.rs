//! A run without a screen: the engine, its inbox, and somebody who does what it asks for.

use std::time::Duration;

use super::inbox::{Inbox, Incoming};
use super::performer::Performer;
use crate::domain::id::ServiceIx;
use crate::domain::stamp::Stamped;
use crate::engine::Engine;
use crate::engine::effect::{Effect, Msg};
use crate::io::Clock;

/// A signal that ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(pub i32);

/// The engine at work, without a screen.
pub struct Session {
    /// The engine.
    pub engine: Engine,
    inbox: Inbox<Signal>,
    performer: Performer<Signal>,
    clock: Clock,
    ticked: Duration,
    /// The signal that came in, if one did.
    pub signal: Option<Signal>,
}

/// Time passes in these steps while something is waited for.
const TICK: Duration = Duration::from_millis(200);

impl Session {
    /// A session around an engine.
    pub fn new(mut engine: Engine, inbox: Inbox<Signal>, performer: Performer<Signal>, clock: Clock) -> Self {
        engine.remember_metrics();
        Self { engine, inbox, performer, clock, ticked: Duration::ZERO, signal: None }
    }

    /// From now on notices go to webhooks.
    pub fn notify(&mut self, notifier: crate::io::notify::Notifier) {
        self.performer.notify(notifier);
    }

    /// Does what the engine asks for.
    pub fn perform(&mut self, effects: Vec<Effect>) {
        self.performer.know(&self.engine);
        for effect in effects {
            self.performer.perform(effect);
        }
    }

    /// Does what the engine asks for, and lets the world come in until the question is answered or the
    /// time is over, whatever signals come.
    pub fn wind_down(&mut self, most: Duration, done: impl FnMut(&mut Engine) -> Option<()>) {
        let signal = self.signal.take();
        self.pump(most, done);
        self.signal = signal;
    }

    /// Lets the world come in until the question is answered, or the time is over, or a signal came.
    pub fn pump<T>(&mut self, most: Duration, mut done: impl FnMut(&mut Engine) -> Option<T>) -> Option<T> {
        let deadline = self.clock.now().mono.saturating_add(most);
        loop {
            if let Some(answer) = done(&mut self.engine) {
                return Some(answer);
            }
            let now = self.clock.now().mono;
            if now >= deadline || self.signal.is_some() {
                return None;
            }
            for incoming in self.inbox.take(Duration::ZERO, TICK.min(deadline - now)) {
                match incoming {
                    Incoming::Key(signal) => self.signal = Some(signal),
                    Incoming::Engine(message) => self.feed(message),
                }
            }
            if self.clock.now().mono.saturating_sub(self.ticked) >= TICK {
                self.ticked = self.clock.now().mono;
                self.feed(Msg::Tick);
            }
        }
    }

    fn feed(&mut self, value: Msg) {
        let effects = self.engine.update(Stamped { stamp: self.clock.now(), value });
        self.perform(effects);
    }

    /// Time since the program began.
    pub fn mono(&self) -> Duration {
        self.clock.now().mono
    }

    /// Waits for first data of a service, or of all: see [`Engine::has_first_data`].
    pub fn first_data(&mut self, only: Option<ServiceIx>, most: Duration) {
        self.feed(Msg::Tick);
        self.pump(most, |engine| {
            let all: Vec<ServiceIx> = match only {
                Some(one) => vec![one],
                None => (0..engine.services.len()).map(ServiceIx::from).collect(),
            };
            all.into_iter().all(|at| engine.has_first_data(at)).then_some(())
        });
    }

    /// Waits until the clusters of a service have said which they are and who we are there.
    pub fn introduce(&mut self, service: ServiceIx, most: Duration) {
        self.pump(most, |engine| engine.is_introduced(service).then_some(()));
    }

    /// Waits until every cluster has said who it is and what we may do there, or is lost.
    pub fn acquaint(&mut self, most: Duration) {
        self.pump(most, |engine| engine.is_acquainted().then_some(()));
    }
}
