//! This host: configuration, journal, terminal, files with secrets, git.

use std::path::Path;

use super::{Level, Line};
use crate::config::{Login, Secret};
use crate::domain::text::several;
use crate::io::connect::is_open;
use crate::io::journal::{Process, durable, read_all, verify};
use crate::look::depth::{Depth, wants_ascii};
use crate::run::open::variable;
use crate::run::terminal;
use crate::run::world::World;

/// Smaller, and the board shows less than it could.
const COMFORTABLE: (u16, u16) = (80, 24);

pub(super) fn lines(world: &World) -> Vec<Line> {
    let mut lines = vec![configuration(world)];
    journal(world, &mut lines);
    lines.extend(screen());
    lines.extend(secrets(world));
    lines
}

fn configuration(world: &World) -> Line {
    let fleet = &world.fleet;
    let regions: usize = fleet.services.iter().map(|s| s.regions.len()).sum();
    let text = format!(
        "{}: {}, {}, {}",
        world.config.origin.display(),
        several(fleet.clusters.len(), "cluster"),
        several(fleet.services.len(), "service"),
        several(regions, "region")
    );
    Line::new(Level::Ok, "configuration", text, "")
}

fn journal(world: &World, lines: &mut Vec<Line>) {
    let folder = world.journal_folder();
    let mut say = |level, text: String, hint: &str| lines.push(Line::new(level, "journal", text, hint));
    if let Err(why) = durable(&folder) {
        let hint = "nothing is raised without a durable journal: set XDG_STATE_HOME to a disk that lasts";
        say(Level::Fail, format!("{}: {why}", folder.display()), hint);
    }
    let history = match read_all(&folder, &world.around.host) {
        Ok(history) => history,
        Err(error) => return say(Level::Fail, format!("{} cannot be read: {error}", folder.display()), ""),
    };
    let found = verify(&history);
    match found.bad {
        Some(bad) => say(
            Level::Fail,
            format!("{}:{}: {}", bad.file, bad.line, bad.why),
            "somebody changed it, or the disk did: keep a copy, and find out",
        ),
        None => say(
            Level::Ok,
            format!("{}: {}, {}, as they were written", folder.display(), files(found.files), entries(found.entries)),
            "",
        ),
    }
    let left = history.left_open().iter().filter(|o| o.process != Process::Alive).count();
    if left > 0 {
        let text = format!("{} left open by a process that is gone", several(left, "operation"));
        say(Level::Warn, text, "`gonogo journal list`; the next console offers them");
    }
}

fn files(count: usize) -> String {
    several(count, "file")
}

fn entries(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    }
}

fn screen() -> Option<Line> {
    // In a script there is none, and none is needed.
    if !terminal::is_there() {
        return None;
    }
    let no_color = variable("NO_COLOR").is_some_and(|v| !v.is_empty());
    let depth = Depth::detect(no_color, variable("COLORTERM").as_deref(), variable("TERM").as_deref());
    let colours = match depth {
        Depth::None => "no colours",
        Depth::Sixteen => "16 colours",
        Depth::Indexed => "256 colours",
        Depth::True => "24-bit colours",
    };
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|l| !l.is_empty());
    let ascii = wants_ascii(locale.as_deref());
    let letters = if ascii { "ASCII only" } else { "UTF-8" };
    let size = crossterm::terminal::size().unwrap_or_default();
    let text = format!("{}×{}, {colours}, {letters}", size.0, size.1);
    Some(if size.0 < COMFORTABLE.0 || size.1 < COMFORTABLE.1 {
        Line::new(Level::Warn, "terminal", text, "80×24 shows the whole board")
    } else if ascii {
        let hint = "LANG names no UTF-8 locale: set it if the terminal can show more";
        Line::new(Level::Warn, "terminal", text, hint)
    } else {
        Line::new(Level::Ok, "terminal", text, "")
    })
}

/// Files of the configuration that hold a secret, and that others may read, or nobody.
fn secrets(world: &World) -> Vec<Line> {
    let config = &world.config;
    let of_login = |login: &Login| match login {
        Login::None => None,
        Login::Basic { password, .. } => Some(password.clone()),
        Login::Bearer(token) => Some(token.clone()),
    };
    let servers = config.prometheuses.iter().map(|p| (format!("prometheus {}", p.name), &p.headers, &p.login));
    let endpoints = config.endpoints.iter().map(|e| (format!("endpoint {}", e.name), &e.headers, &e.login));
    let held = servers.chain(endpoints).flat_map(|(what, headers, login)| {
        let headers = headers.iter().map(|(_, secret)| secret.clone());
        headers.chain(of_login(login)).map(move |secret| (what.clone(), secret))
    });
    let files = held.filter_map(|(what, secret)| match secret {
        Secret::File(path) => Some((what, path)),
        Secret::Known(_) => None,
    });
    files.filter_map(|(what, path)| of_file(what, &path)).collect()
}

fn of_file(what: String, path: &Path) -> Option<Line> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(error) => Some(Line::new(Level::Fail, what, format!("{shown}: {error}"), "it is read when it is needed")),
        Ok(_) if is_open(path) => {
            let text = format!("{shown} holds a secret, and others of this host may read it");
            Some(Line::new(Level::Warn, what, text, format!("chmod 600 {shown}")))
        }
        Ok(_) => None,
    }
}
