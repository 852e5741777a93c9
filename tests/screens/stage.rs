//! A stage: an app that is fed messages, and drawn.

use std::time::Duration;

use gonogo::app::{App, AppEffect, AppMsg, Setup};
use gonogo::domain::stamp::{SignedDuration, Stamp, Stamped};
use gonogo::engine::Engine;
use gonogo::input::Key;
use gonogo::look::Theme;
use gonogo::screen;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::fixture;

pub struct Stage {
    pub app: App,
    pub effects: Vec<AppEffect>,
}

impl Stage {
    pub fn of(engine: Engine, size: (u16, u16)) -> Self {
        Self::with(engine, Setup { size, ..Setup::default() })
    }
    pub fn with(engine: Engine, setup: Setup) -> Self {
        Self { app: App::new(engine, setup, fixture::now()), effects: Vec::new() }
    }
    pub fn normal(size: (u16, u16)) -> Self {
        Self::of(fixture::normal(), size)
    }
    /// A message so long after the one before.
    pub fn send(&mut self, after: Duration, message: AppMsg) -> &mut Self {
        let mut stamp = self.app.now;
        stamp.mono += after;
        stamp.wall = stamp.wall.checked_add(SignedDuration::try_from(after).unwrap()).unwrap();
        self.effects.extend(self.app.update(Stamped { stamp, value: message }));
        self
    }
    /// Keys as a person presses them: half a second apart.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        for key in keys.split_whitespace() {
            let key = Key::parse(key).unwrap_or_else(|| panic!("{key} is a key"));
            self.send(Duration::from_millis(480), AppMsg::Key(key));
            // What waits until a key was alone has gone on by the next one.
            self.wait(Duration::from_millis(20));
        }
        self
    }
    /// A key that was read at one moment and is taken in at a later one.
    pub fn late(&mut self, read: Stamp, key: Key) -> &mut Self {
        self.effects.extend(self.app.update(Stamped { stamp: read, value: AppMsg::Key(key) }));
        self
    }
    /// Text as a person types it.
    pub fn types(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.send(Duration::from_millis(80), AppMsg::Key(Key::char(c)));
        }
        self
    }
    pub fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        self.send(Duration::from_millis(10), AppMsg::Resize { columns, rows })
    }
    pub fn wait(&mut self, length: Duration) -> &mut Self {
        self.send(length, AppMsg::Focus(true))
    }
    pub fn buffer(&self, theme: &Theme) -> Buffer {
        let (width, height) = self.app.setup.size;
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width, height });
        screen::paint(&self.app, theme, &mut buffer);
        buffer
    }
    pub fn text(&self) -> String {
        screen::text(&self.buffer(&Theme::markers()))
    }
    /// Text, and below it the roles of every row.
    pub fn shot(&self) -> String {
        let buffer = self.buffer(&Theme::markers());
        format!("{}\n{}", screen::text(&buffer), roles(&buffer))
    }
}

/// Runs of roles per row; what is ordinary text, border or blank is left out.
fn roles(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut runs: Vec<(String, u16, u16)> = Vec::new();
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let (text, ground) = Theme::marked(cell.style());
            let mut name = text.filter(|_| cell.symbol() != " ").map_or("", |r| r.name()).to_owned();
            if matches!(name.as_str(), "text" | "border") {
                name.clear();
            }
            if let Some(ground) = ground {
                name = format!("{name}+{}", ground.name());
            }
            // A blank inside a run belongs to it, on the same ground.
            let ground = |n: &str| n.split_once('+').map(|(_, g)| g.to_owned());
            match runs.last_mut() {
                Some((last, _, end)) if *last == name => *end = x,
                Some((last, _, end)) if cell.symbol() == " " && ground(last) == ground(&name) => *end = x,
                _ => runs.push((name, x, x)),
            }
        }
        let shown: Vec<String> =
            runs.into_iter().filter(|(n, ..)| !n.is_empty()).map(|(n, a, b)| format!("{a}-{b} {n}")).collect();
        if !shown.is_empty() {
            out.push_str(&format!("{y:>3}: {}\n", shown.join(", ")));
        }
    }
    out
}
