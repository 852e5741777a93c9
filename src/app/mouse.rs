//! The mouse: a click selects, the wheel moves. Never needed, and never acts.

use std::time::Duration;

use ratatui::layout::Position;

use super::{App, AppEffect, Mouse, MouseKind, View};
use crate::input::key::Code;
use crate::input::{Command, Key};
use crate::panes::layout::layout;
use crate::panes::{Pane, regions};

impl App {
    /// Something done with the mouse.
    pub(super) fn point(&mut self, mouse: Mouse) -> Vec<AppEffect> {
        self.unchosen = false;
        let wheel = match mouse.kind {
            MouseKind::WheelUp => Some((Command::Up, Code::Up)),
            MouseKind::WheelDown => Some((Command::Down, Code::Down)),
            MouseKind::Click => None,
        };
        match wheel {
            Some((_, code)) if !self.modals.is_empty() => {
                // A wheel is no key: it must not end a quiet spell, nor type.
                self.notice = None;
                self.take_key(Key::plain(code), Duration::MAX)
            }
            Some((command, _)) => self.command(command, None),
            None if self.modals.is_empty() && self.view() == View::Board => {
                self.click(Position { x: mouse.x, y: mouse.y });
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn click(&mut self, at: Position) {
        let scene = self.scene();
        let operations = self.fresh_operations().len();
        let layout = layout(&scene, &self.panes.timeline, self.setup.size, operations);
        let Some((pane, area)) = layout.panes.iter().find(|(_, area)| area.contains(at)).copied() else { return };
        let region = match pane {
            Pane::Regions => regions::row_at(&scene, area, layout.framed, at.y),
            _ => None,
        };
        self.focus = pane;
        if region.is_some() {
            self.picks.region = region;
        }
    }
}
