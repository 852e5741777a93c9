//! The log of this program, drawn by tui-logger.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;
use tui_logger::{TuiLoggerLevelOutput, TuiLoggerWidget, TuiWidgetEvent, TuiWidgetState};

use crate::input::Command;
use crate::look::{Canvas, Role};

/// Where the log is scrolled to.
pub struct State {
    inner: TuiWidgetState,
}

impl Default for State {
    fn default() -> Self {
        Self { inner: TuiWidgetState::new() }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("log::State")
    }
}

impl State {
    /// A movement.
    pub fn on(&mut self, command: Command) {
        match command {
            Command::Up | Command::PageUp => self.inner.transition(TuiWidgetEvent::PrevPageKey),
            Command::Down | Command::PageDown => self.inner.transition(TuiWidgetEvent::NextPageKey),
            Command::Bottom | Command::Top => self.inner.transition(TuiWidgetEvent::EscapeKey),
            _ => {}
        }
    }
}

/// Draws the log. The widget writes into a buffer of its own, and the cell writer copies
/// it: log lines hold text from outside.
pub fn draw(canvas: &mut Canvas<'_>, area: Rect, state: &State) {
    if area.width < 10 || area.height == 0 {
        return;
    }
    tui_logger::move_events();
    let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width: area.width, height: area.height });
    TuiLoggerWidget::default()
        .output_separator(' ')
        .output_timestamp(Some("%H:%M:%S".to_owned()))
        .output_level(Some(TuiLoggerLevelOutput::Abbreviated))
        .output_target(false)
        .output_file(false)
        .output_line(false)
        .state(&state.inner)
        .render(buffer.area, &mut buffer);
    for y in 0..area.height {
        let row: String = (0..area.width).filter_map(|x| buffer.cell((x, y))).map(|c| c.symbol()).collect();
        let row = row.trim_end();
        let role = match row.get(9..10) {
            Some("E") => Role::NoGo,
            Some("W") => Role::Watch,
            Some("D" | "T") => Role::Dim,
            _ => Role::Text,
        };
        canvas.put(area.x, area.y + y, area.width, role, row);
    }
}
