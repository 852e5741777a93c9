//! The built binary in a real terminal, as a tired operator uses it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    missing_docs,
    reason = "tests"
)]

#[path = "terminal/acting.rs"]
mod acting;
#[path = "terminal/login.rs"]
mod login;
#[path = "terminal/recorded.rs"]
mod recorded;
#[path = "terminal/pty.rs"]
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod pty;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pty::{Pty, Start};
use rustix::process::Signal;

const ENV: &[(&str, &str)] = &[];

fn demo(size: (u16, u16)) -> Pty {
    let pty = Pty::start(&Start { args: &["demo"], size, env: ENV });
    pty.wait_for("ring-2 to be ready", |s| s.contains("READY ring-2"));
    pty
}

/// The simulated fleet in a process of its own, so that a console can be killed and started again.
struct Sim {
    child: Child,
    config: String,
    kubeconfig: String,
    /// Goes away after the child.
    _dir: tempfile::TempDir,
}

impl Sim {
    fn start(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gonogo"))
            .args(["sim", "--dir"])
            .arg(dir.path())
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulation starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&line).expect("one JSON object");
        let path = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self { child, config: path("config"), kubeconfig: path("kubeconfig"), _dir: dir }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_newcomer_promotes_the_next_ring_to_settled() {
    let mut pty = demo((160, 50));
    pty.send("P");
    pty.wait_text("promote ring-2 to v2.1.0");
    pty.wait_text("dry-run answered");
    pty.type_slowly("ring-2");
    pty.wait_for("the operation to settle", |s| {
        s.lines().any(|l| l.contains("promote ring-2") && l.contains("settled"))
    });
    pty.wait_for("the region on the new version", |s| {
        s.lines().any(|l| l.contains("eu-west-1") && l.contains("v2.1.0") && l.contains("12/12"))
    });
    pty.wait_text("may ring-3 have v2.1.0?");
    pty.send("q");
    assert_eq!(pty.wait_exit().exit_code(), 0);
    assert_eq!(pty.modes_left_on(), Vec::<&str>::new());
}

#[test]
fn hold_all_and_resume_leave_nothing_behind() {
    let mut pty = demo((160, 50));
    pty.send("!");
    pty.wait_text("HELD");
    pty.wait_for("the hold to be everywhere", |s| s.lines().any(|l| l.contains("hold") && l.contains("settled")));
    pty.wait_text("Esc closes this");
    pty.send("\x1b");
    pty.wait_for("the list to be closed", |s| !s.contains("Esc closes this"));
    pty.send("U");
    pty.wait_text("resume webapp");
    // The reason that is needed is asked for first.
    pty.wait_for("the reason to be asked", |s| s.contains("Reason (needed)") && s.contains("only record facts"));
    pty.type_slowly("all clear");
    pty.type_slowly("\twebapp");
    pty.wait_for("the hold to be gone", |s| s.contains("READY ring-2") && !s.contains("HELD"));
}

#[test]
fn a_paste_and_held_keys_never_confirm() {
    let mut pty = demo((160, 50));
    pty.send("P");
    pty.wait_text("dry-run answered");
    // A bracketed paste of the very text that is asked for.
    pty.send("\x1b[200~ring-2\r\x1b[201~");
    // The same as a burst of bytes, as a terminal without bracketed paste sends it.
    pty.send("ring-2");
    // Enter and the opening key, held.
    for _ in 0..40 {
        pty.send("\rP");
    }
    pty.wait_text("promote ring-2 to v2.1.0");
    pty.send("\x1b");
    pty.wait_for("the prompt to be gone", |s| !s.contains("Esc to leave"));
    assert!(!pty.screen().contains("under way"), "{}", pty.screen());
    assert!(pty.screen().contains("READY ring-2"));
    // A rollback asks for `y`; the opening key and `y`, held, do not confirm either.
    pty.send("4");
    pty.wait_text("▸ ap-south-1");
    pty.send("B");
    pty.wait_text("roll back");
    for _ in 0..40 {
        pty.send("yy");
    }
    pty.send("\x1b");
    pty.wait_for("the prompt to be gone", |s| !s.contains("Esc to leave"));
    assert!(!pty.screen().contains("under way"), "{}", pty.screen());
}

#[test]
fn every_way_out_restores_the_terminal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let mut pty = demo((120, 36));
        assert!(pty.modes_left_on().contains(&"alternate screen"));
        pty.signal(signal);
        assert_eq!(pty.wait_exit().exit_code(), code);
        pty.wait_closed();
        assert_eq!(pty.modes_left_on(), Vec::<&str>::new());
    }
}

#[test]
fn a_terminal_that_is_gone_ends_the_program_within_two_seconds() {
    // A terminal of another process, which is killed: nobody says goodbye.
    let home = tempfile::tempdir().unwrap();
    let command = format!("stty cols 120 rows 36; exec {} demo", env!("CARGO_BIN_EXE_gonogo"));
    let mut terminal = Command::new("script")
        .args(["-q", "-f", "-c", &command, "/dev/null"])
        .env_clear()
        .envs(pty::base_env(home.path()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`script` of util-linux is there");
    let mut seen = Vec::new();
    let mut out = terminal.stdout.take().unwrap();
    while !String::from_utf8_lossy(&seen).contains("READY") {
        let mut some = [0; 4096];
        let read = std::io::Read::read(&mut out, &mut some).unwrap();
        assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&some[..read]);
    }
    let children = format!("/proc/{0}/task/{0}/children", terminal.id());
    let child = std::fs::read_to_string(children).unwrap().trim().to_owned();
    let gone = Instant::now();
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    let alive = || std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|s| !s.contains(") Z "));
    while alive() {
        assert!(gone.elapsed() < Duration::from_secs(2), "it lives on without a terminal");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_storm_of_sizes_is_survived_and_a_tiny_terminal_is_told_so() {
    let pty = demo((120, 36));
    for step in 0..60u16 {
        pty.resize(20 + step * 3 % 180, 5 + step * 7 % 55);
    }
    pty.resize(40, 10);
    pty.wait_text("too small");
    pty.resize(80, 24);
    pty.wait_for("the board at 80×24", |s| s.contains("may ring-2") && s.contains("eu-west-1"));
    pty.resize(200, 60);
    pty.wait_for("the board at 200×60", |s| s.contains("journal") && s.contains("us-east-1"));
}

#[test]
fn without_a_terminal_the_console_says_what_prints_without_one() {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gonogo"))
        .arg("demo")
        .env_clear()
        .envs(pty::base_env(home.path()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("not a terminal") && text.contains("gonogo status"), "{text}");
}

#[test]
fn an_operation_that_was_killed_is_shown_first_and_only_offered() {
    let sim = Sim::start(&[]);
    let start = Start { args: &["--config", &sim.config], size: (160, 50), env: ENV };
    let mut pty = Pty::start(&start);
    pty.wait_text("READY ring-2");
    pty.send("P");
    pty.wait_text("dry-run answered");
    pty.type_slowly("ring-2");
    pty.wait_text("under way");
    pty.signal(Signal::KILL);
    pty.wait_exit();
    let home = pty.take_home();
    let mut again = Pty::start_at(&start, home);
    again.wait_for("what was left open", |s| {
        s.contains("left open: promote ring-2 to v2.1.0") && s.contains("eu-west-1")
    });
    again.send("\x1b");
    again.wait_for("the board", |s| !s.contains("left open:") && s.contains("may ring-"));
}

#[test]
fn a_cluster_that_is_cut_off_is_greyed_with_its_age_and_the_others_go_on() {
    // The cluster stops answering four seconds into its rollout, without a word.
    let mut pty = Pty::start(&Start { args: &["demo", "--scenario", "partition"], size: (160, 50), env: ENV });
    pty.wait_text("READY ring-2");
    pty.send("P");
    pty.wait_text("dry-run answered");
    pty.type_slowly("ring-2");
    pty.wait_text("under way");
    let lost = |l: &str| l.contains("eu-west-1") && (l.contains("unreachable") || l.contains("late"));
    let screen = pty.wait_for("a lost cluster", |s| s.lines().any(lost));
    let row = screen.lines().find(|l| lost(l)).unwrap();
    assert!(!row.contains(" 0/"), "unreachable is never shown as empty: {row}");
    let other = screen.lines().find(|l| l.contains("us-east-1") && l.contains("v2.0.0")).unwrap();
    assert!(!other.contains("unreachable") && !other.contains("late"), "{other}");
}

#[test]
fn a_watch_screen_offers_no_key_that_acts() {
    let sim = Sim::start(&[]);
    let start = Start { args: &["--config", &sim.config, "watch"], size: (120, 36), env: ENV };
    let mut pty = Pty::start(&start);
    pty.wait_text("WATCH");
    pty.wait_text("eu-west-1");
    for key in ["P", "H", "!", "B", "D", "U", "X", "F"] {
        pty.send(key);
    }
    pty.wait_text("cannot write");
    assert!(!pty.screen().contains("Esc to leave"), "{}", pty.screen());
}
