//! The console and the watch screen: one loop between inbox, app, performer and terminal.
//!
//! ```text
//! terminal-reader ─ events ─┐
//! signals ──────────────────┤
//! watches, answers ─────────┴▶ inbox ─ stamp ─▶ App::update ─▶ effects ─▶ performer
//!                                                   └▶ frame ─▶ terminal-writer
//! ```
//! A change after a quiet spell is drawn at once, then at most 60 frames a second; while
//! the terminal has not taken a frame, none is made.

use std::io;
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr};

use super::inbox::{Inbox, Incoming, is_news};
use super::performer::Performer;
use super::terminal::{self, Screen};
use crate::app::{App, AppEffect, AppMsg};
use crate::domain::stamp::{Stamp, Stamped};
use crate::engine::effect::Msg;
use crate::io::Clock;
use crate::look::Theme;

/// From the terminal and from signals.
#[derive(Debug)]
pub enum Event {
    /// Something for the app.
    App(AppMsg),
    /// From the terminal, with the moment it was read there.
    Read(Stamped<AppMsg>),
    /// A signal that ends the run.
    Signal(i32),
    /// The terminal took the last frame.
    Written,
    /// The terminal is gone.
    Gone,
}

/// Least time between two frames.
const FRAME: Duration = Duration::from_micros(16_600);
/// Time passes this often for the app while somebody waits for something; else with each second.
const TICK: Duration = Duration::from_millis(250);
/// A tick comes a little after the second has turned, never before.
const AFTER: Duration = Duration::from_millis(1);

/// What a run of the console ended by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The operator left.
    Quit,
    /// A signal.
    Signal(i32),
    /// The terminal is gone.
    Gone,
}

/// Turns the reads and writes of a run into those of a watch screen.
pub type IntoWatch = Box<dyn FnMut(&Inbox<Event>) -> Performer<Event>>;

/// Everything a console needs.
pub struct Console {
    /// The app.
    pub app: App,
    /// Its theme; the next on demand.
    pub themes: Vec<Theme>,
    /// Its inbox.
    pub inbox: Inbox<Event>,
    /// Who does what it asks for.
    pub performer: Performer<Event>,
    /// Its clock.
    pub clock: Clock,
    /// For `W`.
    pub into_watch: IntoWatch,
    /// Where `S` writes.
    pub screens: std::path::PathBuf,
}

/// When what happened last, since the start of the program.
struct Pace {
    /// A frame was made.
    drawn: Duration,
    /// Another one is wanted.
    wanted: bool,
    /// Observations that are news were taken in.
    taken: Duration,
    /// Time passed for the app.
    ticked: Duration,
    /// Time passes for the app again.
    next: Duration,
}

impl Console {
    /// Runs until the operator leaves, a signal comes, or the terminal is gone.
    pub fn run(mut self) -> Result<Ended> {
        terminal::enter().wrap_err("there is no screen to draw on")?;
        let inbox = self.inbox.clone();
        let screen = Screen::new(move || inbox.key(Event::Written));
        let mut screen = match screen {
            Ok(screen) => screen,
            Err(error) => {
                terminal::restore();
                return Err(error.into());
            }
        };
        read_terminal(self.inbox.clone(), self.clock.clone())?;
        listen_to_signals(self.inbox.clone())?;
        let ended = self.turn(&mut screen);
        terminal::restore();
        ended
    }

    fn turn(&mut self, screen: &mut Screen) -> Result<Ended> {
        let (columns, rows) = screen.size();
        self.feed(AppMsg::Resize { columns, rows }, self.clock.now(), screen)?;
        let effects = self.app.start();
        if let Some(ended) = self.perform(effects, screen)? {
            return Ok(ended);
        }
        let mut pace = Pace {
            drawn: Duration::ZERO,
            wanted: true,
            taken: Duration::ZERO,
            ticked: Duration::ZERO,
            next: Duration::ZERO,
        };
        self.draw(screen, &mut pace)?;
        loop {
            let (pause, most) = self.wait(screen, &pace);
            let mut seen = Vec::new();
            for incoming in self.inbox.take(pause, most) {
                let ended = match incoming {
                    Incoming::Key(Event::App(message)) => self.feed(message, self.clock.now(), screen)?,
                    Incoming::Key(Event::Read(Stamped { stamp, value })) => self.feed(value, stamp, screen)?,
                    Incoming::Key(Event::Signal(signal)) => Some(Ended::Signal(signal)),
                    Incoming::Key(Event::Gone) => Some(Ended::Gone),
                    Incoming::Key(Event::Written) => None,
                    Incoming::Engine(message) => {
                        seen.push(message);
                        None
                    }
                };
                if let Some(ended) = ended {
                    return Ok(ended);
                }
            }
            if screen.gone() {
                return Ok(Ended::Gone);
            }
            let now = self.clock.now().mono;
            if seen.iter().any(|m| matches!(m, Msg::Seen(seen) if is_news(seen))) {
                pace.taken = now;
            }
            if now >= self.tick_at(&pace) {
                pace.ticked = now;
                pace.next = now + self.clock.to_next_second().max(TICK) + AFTER;
                seen.push(Msg::Tick);
                crate::io::log::gather();
            }
            if !seen.is_empty() || self.app.due().is_some_and(|due| now >= due) {
                let effects = self.app.update_all(self.clock.now(), seen);
                if let Some(ended) = self.perform(effects, screen)? {
                    return Ok(ended);
                }
            }
            self.draw(screen, &mut pace)?;
        }
    }

    fn tick_at(&self, pace: &Pace) -> Duration {
        if self.app.is_busy() { pace.next.min(pace.ticked + TICK) } else { pace.next }
    }

    /// How long observations may gather, and how long until the next tick, or the next frame if
    /// one is wanted and may be made.
    fn wait(&self, screen: &Screen, pace: &Pace) -> (Duration, Duration) {
        let now = self.clock.now().mono;
        let until = |at: Duration| at.saturating_sub(now);
        let tick = until(self.tick_at(pace)).min(self.app.due().map_or(Duration::MAX, until));
        let most = if pace.wanted && !screen.busy() { tick.min(until(pace.drawn + FRAME)) } else { tick };
        (until(pace.taken + FRAME), most)
    }

    fn draw(&mut self, screen: &mut Screen, pace: &mut Pace) -> Result<()> {
        pace.wanted |= self.app.take_dirty();
        let now = self.clock.now().mono;
        if pace.wanted && !screen.busy() && now.saturating_sub(pace.drawn) >= FRAME {
            pace.wanted = false;
            pace.drawn = now;
            if let Some(shown) = self.app.engine.shown {
                self.app.engine.freshen(shown);
            }
            if let Some(theme) = self.themes.first() {
                screen
                    .draw(|frame| crate::screen::draw(&self.app, theme, frame))
                    .wrap_err("a frame could not be made")?;
            }
        }
        Ok(())
    }

    fn feed(&mut self, message: AppMsg, stamp: Stamp, screen: &mut Screen) -> Result<Option<Ended>> {
        if let AppMsg::Resize { columns, rows } = message {
            screen.resize((columns, rows)).wrap_err("the new size could not be taken")?;
        }
        let effects = self.app.update(Stamped { stamp, value: message });
        self.perform(effects, screen)
    }

    fn perform(&mut self, effects: Vec<AppEffect>, screen: &mut Screen) -> Result<Option<Ended>> {
        for effect in effects {
            match effect {
                AppEffect::Engine(effect) => {
                    if matches!(effect, crate::engine::effect::Effect::Journal(_)) {
                        self.performer.know(&self.app.engine);
                    }
                    self.performer.perform(effect);
                }
                AppEffect::Quit => return Ok(Some(Ended::Quit)),
                AppEffect::Suspend => self.suspend(screen)?,
                AppEffect::Redraw => screen.forget().wrap_err("the screen could not be cleared")?,
                AppEffect::Copy(text) => screen.copy(&text),
                AppEffect::SaveScreen => self.save(screen),
                AppEffect::BecomeWatch => {
                    // What could write is dropped before the next message is taken.
                    self.performer = (self.into_watch)(&self.inbox);
                    self.app.engine.stop_keeping();
                }
                AppEffect::CloseLeft { plan, goes_on } => {
                    let (inbox, by) = (self.inbox.clone(), self.app.engine.operator().as_str().to_owned());
                    let id = plan.to_string();
                    let why = goes_on.map(|next| format!("plan {next} goes on with it"));
                    self.performer.close_left(id, by, why, move |result| {
                        inbox.key(Event::App(AppMsg::LeftClosed { plan, result }));
                    });
                }
                AppEffect::NextTheme => {
                    if !self.themes.is_empty() {
                        self.themes.rotate_left(1);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Ctrl-Z: the terminal is given back until `fg`.
    fn suspend(&mut self, screen: &mut Screen) -> Result<()> {
        terminal::restore();
        // Stops this process group as the terminal's own Ctrl-Z would.
        signal_hook::low_level::raise(signal_hook::consts::SIGSTOP).wrap_err("cannot be suspended")?;
        terminal::enter()?;
        screen.resize(crossterm::terminal::size()?)?;
        screen.forget()?;
        Ok(())
    }

    fn save(&mut self, screen: &Screen) {
        let theme = self.themes.first();
        let (columns, rows) = screen.size();
        let saved = theme
            .ok_or_else(|| io::Error::other("there is no theme"))
            .and_then(|theme| super::board::text(&self.app, theme, (columns, rows), false))
            .and_then(|text| super::board::save(&self.screens, self.clock.wall(), &text));
        let (text, bad) = match saved {
            Ok(path) => (format!("screen saved to {}", path.display()), false),
            Err(error) => (format!("the screen could not be saved to {}: {error}", self.screens.display()), true),
        };
        self.app.say(text, bad);
    }
}

/// Reads the terminal's events for as long as there is one. They are stamped here: a loop that is
/// busy must not make a fast typist's keys look like a paste.
fn read_terminal(inbox: Inbox<Event>, clock: Clock) -> Result<()> {
    std::thread::Builder::new()
        .name("terminal-reader".into())
        .spawn(move || {
            loop {
                match terminal::next_event() {
                    Ok(Some(event)) => {
                        let stamp = clock.now();
                        if let Some(value) = AppMsg::from_terminal(event) {
                            inbox.key(Event::Read(Stamped { stamp, value }));
                        }
                    }
                    Ok(None) => {}
                    Err(_) => {
                        inbox.key(Event::Gone);
                        return;
                    }
                }
            }
        })
        .wrap_err("the terminal cannot be read")?;
    Ok(())
}

/// SIGTERM, SIGHUP, SIGINT and SIGQUIT end the run, after the terminal was restored.
fn listen_to_signals(inbox: Inbox<Event>) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGINT, SIGQUIT])
        .wrap_err("signals cannot be listened to")?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                inbox.key(Event::Signal(signal));
            }
        })
        .wrap_err("signals cannot be listened to")?;
    Ok(())
}
