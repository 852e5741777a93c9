//! One frame of the board as text: for `gonogo board`, and for `S`.

use std::io;
use std::path::{Path, PathBuf};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::app::App;
use crate::domain::stamp::Timestamp;
use crate::look::Theme;

/// The frame as text; with `ansi` in colour.
pub fn text(app: &App, theme: &Theme, size: (u16, u16), ansi: bool) -> io::Result<String> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).map_err(io::Error::other)?;
    terminal.draw(|frame| crate::screen::draw(app, theme, frame)).map_err(io::Error::other)?;
    Ok(lines(terminal.backend().buffer(), ansi))
}

fn lines(buffer: &Buffer, ansi: bool) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut style = Style::default();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let Some(cell) = buffer.cell((x, y)) else { continue };
            if skip > 0 {
                skip -= 1;
                continue;
            }
            if ansi && cell.style() != style {
                style = cell.style();
                line.push_str(&sgr(style));
            }
            line.push_str(cell.symbol());
            skip = unicode_width::UnicodeWidthStr::width(cell.symbol()).saturating_sub(1);
        }
        if ansi {
            line.push_str("\x1b[0m");
            out.push_str(&line);
        } else {
            out.push_str(line.trim_end());
        }
        out.push('\n');
    }
    out
}

/// The sequence that selects a style.
fn sgr(style: Style) -> String {
    let mut codes = vec!["0".to_owned()];
    let set = style.add_modifier;
    for (modifier, code) in [
        (Modifier::BOLD, "1"),
        (Modifier::DIM, "2"),
        (Modifier::ITALIC, "3"),
        (Modifier::UNDERLINED, "4"),
        (Modifier::REVERSED, "7"),
        (Modifier::CROSSED_OUT, "9"),
    ] {
        if set.contains(modifier) {
            codes.push(code.to_owned());
        }
    }
    codes.extend(style.fg.and_then(|c| colour(c, 38)));
    codes.extend(style.bg.and_then(|c| colour(c, 48)));
    format!("\x1b[{}m", codes.join(";"))
}

fn colour(colour: Color, base: u8) -> Option<String> {
    let indexed = |n: u8| Some(format!("{base};5;{n}"));
    match colour {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some(format!("{base};2;{r};{g};{b}")),
        Color::Indexed(n) => indexed(n),
        Color::Black => indexed(0),
        Color::Red => indexed(1),
        Color::Green => indexed(2),
        Color::Yellow => indexed(3),
        Color::Blue => indexed(4),
        Color::Magenta => indexed(5),
        Color::Cyan => indexed(6),
        Color::Gray => indexed(7),
        Color::DarkGray => indexed(8),
        Color::LightRed => indexed(9),
        Color::LightGreen => indexed(10),
        Color::LightYellow => indexed(11),
        Color::LightBlue => indexed(12),
        Color::LightMagenta => indexed(13),
        Color::LightCyan => indexed(14),
        Color::White => indexed(15),
    }
}

/// Writes a saved screen into a folder, named after the moment.
pub fn save(folder: &Path, at: Timestamp, text: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(format!("screen-{}.txt", at.strftime("%Y%m%dT%H%M%SZ")));
    std::fs::write(&path, text)?;
    Ok(path)
}
