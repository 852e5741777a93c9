//! The rules of the house, each a function from sources to violations.

use crate::source::Source;

/// Top-level modules in dependency order: a module uses only those before it.
pub const ORDER: [&str; 21] = [
    "domain", "kinds", "traffic", "delivery", "carriers", "gates", "metrics", "forecast", "engine", "config", "lint",
    "input", "look", "panes", "app", "screen", "sim", "io", "cli", "run", "main",
];

/// Modules that the simulation neither uses nor is used by: it is the wire, not a mock of our own types.
const NOT_WITH_SIM: [&str; 10] =
    ["kinds", "traffic", "delivery", "carriers", "gates", "metrics", "forecast", "engine", "config", "lint"];

/// Files and folders where something is allowed: `io/` a folder, `io/clock.rs` a file, `cli` both.
fn within(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| {
        path == *place
            || path == format!("{place}.rs")
            || path.starts_with(&format!("{}/", place.trim_end_matches('/')))
    })
}

fn at(source: &Source, offset: usize, what: &str) -> String {
    format!("src/{}:{}: {what}", source.path, source.line(offset))
}

/// The map in `lib.rs` lists the modules in dependency order.
pub fn map_is_in_order(lib: &Source) -> Vec<String> {
    let listed: Vec<&str> = lib
        .code
        .lines()
        .filter_map(|l| l.trim().trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let wanted: Vec<&str> = ORDER.iter().copied().filter(|m| *m != "main").collect();
    if listed == wanted { Vec::new() } else { vec![format!("src/lib.rs lists {listed:?}, not {wanted:?}")] }
}

/// Imports run one way; so no two top-level modules use each other.
pub fn imports_run_one_way(sources: &[Source]) -> Vec<String> {
    let rank = |module: &str| ORDER.iter().position(|m| *m == module);
    let mut wrong = Vec::new();
    for source in sources {
        let own = source.module();
        if own == "lib" {
            continue;
        }
        let Some(mine) = rank(own) else {
            wrong.push(format!("src/{}: module {own} is not in the map", source.path));
            continue;
        };
        for (offset, path) in source.crate_paths() {
            let used = path.split("::").next().unwrap_or_default();
            let Some(theirs) = rank(used) else { continue };
            let sim_apart = (own == "sim" && NOT_WITH_SIM.contains(&used))
                || (used == "sim" && !["sim", "run", "cli", "main"].contains(&own));
            let only_effects = own == "io" && used == "engine" && !path.starts_with("engine::effect");
            if theirs > mine {
                wrong.push(at(source, offset, &format!("{own} uses {used}, which comes after it")));
            } else if sim_apart {
                wrong.push(at(source, offset, &format!("{own} uses {used}: the simulation stands apart")));
            } else if only_effects {
                wrong.push(at(source, offset, &format!("io uses {path}: of the engine only its effects")));
            } else if own == "io" && ["input", "look", "panes", "app", "screen"].contains(&used) {
                wrong.push(at(source, offset, &format!("io uses {used}: the wire knows no screen")));
            }
        }
    }
    wrong
}

/// What may be named only in certain places, and why.
const BANS: &[(&[&str], &[&str], &str)] = &[
    (
        &["Timestamp::now", "SystemTime::now", "Zoned::now", "Utc::now"],
        &["io/clock.rs", "sim/clock.rs"],
        "wall time enters only as a stamp",
    ),
    (&["std::env"], &["io", "config", "run", "cli", "main"], "the environment is read at the edge"),
    (
        &["std::fs", "tokio::fs", "File::open", "File::create"],
        &["io", "config", "run", "cli", "sim/dir.rs"],
        "files are read at the edge",
    ),
    (&["process::exit", "process::abort"], &["run", "cli", "main"], "only the shell ends the program"),
    (&["println!", "eprintln!", "print!", "eprint!"], &["run", "cli", "main"], "only the shell talks to the terminal"),
    (&["dbg!", "todo!", "unimplemented!"], &[], "not in what is landed"),
    (&["fastrand"], &["io", "sim", "run", "cli"], "randomness comes in as a seed"),
    (&["ratatui", "tui_input"], &["look", "panes", "app", "screen", "run"], "the screen is drawn in its own rooms"),
    // The log pane shows what the log's collector holds; the collector stands where the log is set up.
    (&["tui_logger"], &["io/log.rs", "panes", "screen", "run"], "the log has one collector and one pane"),
    (&["crossterm"], &["input", "look", "panes", "app", "screen", "run"], "keys and terminal modes"),
    (
        &["kube", "reqwest", "hyper", "hyper_util", "rustls"],
        &["io", "run", "sim", "cli", "main"],
        "only the wire speaks HTTP",
    ),
    (&["tokio", "tokio_util", "futures", "tower"], &["io", "run", "sim", "cli", "main"], "only the edge waits"),
    (&["color_eyre"], &["run", "cli", "main"], "typed errors elsewhere"),
];

/// Nothing is named outside its place.
pub fn bans_hold(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (words, places, why) in BANS {
        let allowed = |s: &Source| within(&s.path, places) || places.contains(&s.module());
        for source in sources.iter().filter(|s| !allowed(s)) {
            for word in *words {
                for offset in source.words(word).filter(|o| is_meant(source, *o, word)) {
                    wrong.push(at(source, offset, &format!("{word}: {why}")));
                }
            }
        }
    }
    wrong
}

/// A crate's name counts where it starts a path or is imported, not as somebody's field or module.
fn is_meant(source: &Source, offset: usize, word: &str) -> bool {
    if word.contains("::") || word.ends_with('!') {
        return true;
    }
    let before = source.code[..offset].trim_end();
    let after = &source.code[offset + word.len()..];
    let inner = before.ends_with("::") && !before.ends_with(" ::");
    !inner && !before.ends_with('.') && (after.starts_with("::") || before.ends_with("use") && after.starts_with(';'))
}

/// The monotonic clock: std's only in the clocks; tokio's, which tests can pause, wherever something waits.
pub fn instants_hold(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|s| !within(&s.path, &["io/clock.rs", "sim/clock.rs"])) {
        let of_tokio = imports_instant(source, "tokio::time::");
        let of_std = imports_instant(source, "std::time::");
        for offset in source.words("Instant::now") {
            let spelled = source.code[..offset].ends_with("tokio::time::");
            let pausable = spelled || (of_tokio && !of_std);
            if !pausable || !within(&source.path, &["io", "run", "sim"]) {
                wrong.push(at(source, offset, "Instant::now: monotonic time enters only as a stamp"));
            }
        }
    }
    wrong
}

fn imports_instant(source: &Source, root: &str) -> bool {
    source.code.match_indices(root).any(|(offset, _)| {
        let rest = &source.code[offset + root.len()..];
        let end = if rest.starts_with('{') { rest.find('}') } else { rest.find([';', '(', ' ', '\n']) };
        rest[..end.unwrap_or(rest.len())].split(|c: char| !c.is_alphanumeric()).any(|w| w == "Instant")
    })
}

/// Every file says in its first line what it is, and stays readable in one sitting.
pub fn files_are_introduced_and_short(sources: &[Source]) -> Vec<String> {
    const MOST: usize = 600;
    let mut wrong = Vec::new();
    for source in sources {
        let first = source.text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") {
            wrong.push(format!("src/{}:1: no sentence that says what the file is", source.path));
        }
        if source.production_lines > MOST {
            wrong.push(format!("src/{}: {} production lines, more than {MOST}", source.path, source.production_lines));
        }
    }
    wrong
}

/// Every dependency has a reason: a comment right above it.
pub fn dependencies_have_reasons(manifest: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut inside = false;
    let mut before = "";
    for (number, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
        } else if inside && line.contains('=') && !line.starts_with('#') && !before.starts_with('#') {
            let name = line.split(['=', ' ']).next().unwrap_or_default();
            wrong.push(format!("Cargo.toml:{}: {name} has no reason", number + 1));
        }
        before = line;
    }
    wrong
}
