//! Keys, verbs and files as the built binary meets them: watch by `W`, suspend, bound plans, a journal that
//! cannot be written.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;

use super::pty::{self, Pty, Start};
use super::{ENV, Sim};

/// A verb without a terminal, at home in a folder.
fn verb(sim: &Sim, home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gonogo"))
        .args(["--config", &sim.config])
        .args(args)
        .env_clear()
        .envs(pty::base_env(home))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn console(sim: &Sim, size: (u16, u16)) -> Pty {
    let pty = Pty::start(&Start { args: &["--config", &sim.config], size, env: ENV });
    pty.wait_text("READY ring-2");
    pty
}

#[test]
fn w_turns_a_console_into_a_watch_screen_for_good() {
    let sim = Sim::start(&[]);
    let mut pty = console(&sim, (160, 50));
    pty.send("W");
    pty.wait_text("y");
    pty.wait_for("the question", |s| s.to_lowercase().contains("watch screen"));
    // The key that asked does not answer; `n` leaves it a console.
    pty.send("n");
    pty.wait_for("a console still", |s| !s.contains("WATCH"));
    pty.send("W");
    pty.wait_for("the question", |s| s.to_lowercase().contains("watch screen"));
    pty.pause();
    pty.send("y");
    pty.wait_text("WATCH");
    for key in ["P", "F", "H", "!", "B", "D", "U", "X", "T"] {
        pty.send(key);
        pty.wait_text("cannot write");
        assert!(!pty.screen().contains("Esc to leave"), "{key}: {}", pty.screen());
        pty.send("\x1b");
    }
    // It goes on to show what others do.
    let home = tempfile::tempdir().unwrap();
    let held = verb(&sim, home.path(), &["hold", "webapp", "ring-3", "--reason", "checkout"]);
    assert_eq!(held.status.code(), Some(0), "{}", text(&held.stderr));
    pty.wait_for("the hold", |s| s.to_lowercase().contains("held") || s.contains("HOLD"));
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_brings_the_board_again() {
    let sim = Sim::start(&[]);
    let mut pty = console(&sim, (120, 36));
    pty.send("\x1a");
    pty.wait_modes("the shell's screen", |on| on.is_empty());
    assert!(pty.is_stopped(), "it is stopped, as the shell expects");
    // What the shell does meanwhile must not be there afterwards.
    pty.resize(160, 50);
    pty.signal(Signal::CONT);
    pty.wait_modes("the board's screen", |on| on.contains(&"alternate screen"));
    pty.wait_for("the board, whole, at the new size", |s| s.contains("may ring-2") && s.contains("us-east-1"));
    pty.send("P");
    // The whole prompt: its foot is drawn last.
    pty.wait_text("promote ring-2 to v2.1.0");
    pty.wait_text("Esc to leave");
    pty.send("\x1b");
    pty.wait_for("the prompt to be gone", |s| !s.contains("Esc to leave"));
    // Drawing everything anew asks nothing of the terminal either.
    pty.scribble();
    pty.send("\x0c");
    pty.wait_for("the board without the scribble", |s| s.contains("may ring-2") && !s.contains("SCRIBBLE"));
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    pty.wait_closed();
    assert_eq!(pty.modes_left_on(), Vec::<&str>::new());
}

#[test]
fn a_verb_bound_to_a_plan_runs_that_plan_and_no_other() {
    let sim = Sim::start(&[]);
    let home = tempfile::tempdir().unwrap();
    let shown = verb(&sim, home.path(), &["promote", "webapp", "ring-2", "--dry-run", "-o", "json"]);
    let plan: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap_or_else(|_| panic!("{shown:?}"));
    let hash = plan["hash"].as_str().or_else(|| plan["plan"]["hash"].as_str()).unwrap_or_else(|| panic!("{plan:#}"));
    let ask = |hash: &str| {
        let args =
            ["promote", "webapp", "ring-2", "--plan", hash, "--reason", "r", "--confirm", "ring-2", "--wait", "0s"];
        verb(&sim, home.path(), &args)
    };
    let other = ask("0000000000000000");
    assert_eq!(other.status.code(), Some(3));
    let said = text(&other.stderr);
    assert!(said.contains("0000000000000000") && said.contains(hash) && said.contains("--dry-run"), "{said}");
    let journal = home.path().join("state/gonogo/journal");
    let entries = || std::fs::read_dir(&journal).map(|d| d.flatten().count()).unwrap_or(0);
    assert_eq!(entries(), 0, "nothing was begun");
    let same = ask(hash);
    assert_eq!(same.status.code(), Some(0), "{}{}", text(&same.stdout), text(&same.stderr));
    assert_eq!(entries(), 1);
    // The same hash once more: what it stood for has been done.
    let again = ask(hash);
    assert_eq!(again.status.code(), Some(3), "{}{}", text(&again.stdout), text(&again.stderr));
}

#[test]
fn without_a_journal_raising_is_refused_and_lowering_goes_on_and_says_unjournaled() {
    let sim = Sim::start(&[]);
    // A folder that cannot be written by anybody: a file stands in its way.
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("state/gonogo")).unwrap();
    std::fs::write(home.path().join("state/gonogo/journal"), "in the way").unwrap();
    let start = Start { args: &["--config", &sim.config], size: (160, 50), env: ENV };
    let mut pty = Pty::start_at(&start, home);
    pty.wait_text("READY ring-2");
    pty.send("P");
    pty.wait_text("dry-run answered");
    pty.type_slowly("ring-2");
    pty.wait_for("the refusal", |s| s.contains("refused") && s.contains("no durable journal"));
    pty.pause();
    pty.send("!");
    pty.wait_text("HELD");
    pty.wait_text("UNJOURNALED");
    pty.wait_text("Esc closes this");
    pty.send("\x1b");
    pty.wait_for("the list to be closed", |s| !s.contains("Esc closes this"));
    pty.send("q");
    pty.wait_exit();
    // The same without a screen.
    let home = pty.take_home();
    let args = ["promote", "webapp", "ring-2", "--reason", "r", "--confirm", "ring-2"];
    let raised = verb(&sim, home.path(), &args);
    assert_eq!(raised.status.code(), Some(3), "{}{}", text(&raised.stdout), text(&raised.stderr));
    let held = verb(&sim, home.path(), &["hold", "webapp", "ring-3"]);
    assert_eq!(held.status.code(), Some(0), "{}", text(&held.stderr));
    let said = format!("{}{}", text(&held.stdout), text(&held.stderr));
    assert!(said.to_uppercase().contains("UNJOURNALED"), "{said}");
}

#[test]
fn a_disk_that_is_full_refuses_raising_and_lets_a_hold_through() {
    // Every file of the process may grow to so many bytes and no further: as a full disk does, in the middle
    // of an entry.
    let sim = Sim::start(&[]);
    let home = tempfile::tempdir().unwrap();
    let limited = |args: &str| {
        let line =
            format!("ulimit -f 1; trap '' XFSZ; exec {} --config {} {args}", env!("CARGO_BIN_EXE_gonogo"), sim.config);
        Command::new("bash")
            .args(["-c", &line])
            .env_clear()
            .envs(pty::base_env(home.path()))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let raised = limited("promote webapp ring-2 --reason r --confirm ring-2");
    let said = format!("{}{}", text(&raised.stdout), text(&raised.stderr));
    assert_eq!(raised.status.code(), Some(3), "{said}");
    assert!(said.contains("journal"), "{said}");
    let held = limited("hold webapp webapp");
    let said = format!("{}{}", text(&held.stdout), text(&held.stderr));
    assert_eq!(held.status.code(), Some(0), "{said}");
    assert!(said.to_uppercase().contains("UNJOURNALED"), "{said}");
    // What is left on the disk is a torn line at most, and it is said.
    let verified = verb(&sim, home.path(), &["journal", "verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}{}", text(&verified.stdout), text(&verified.stderr));
}
