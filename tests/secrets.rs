//! Secrets that a run is given stand in nothing that it leaves behind: not on its outputs, not in its journal, logs,
//! saved files and errors, whatever goes wrong and whoever repeats them.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

#[path = "verbs/fleet.rs"]
#[allow(dead_code, reason = "tests of verbs use the rest")]
mod fleet;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fleet::{Done, Fleet};

/// Each planted in a place of its own.
const CANARIES: [&str; 6] = [
    "canary-prometheus-bearer-71",
    "canary-prometheus-header-72",
    "canary-url-password-73",
    "canary-exec-token-74",
    "canary-endpoint-password-75",
    "canary-wrong-token-76",
];

/// Everything that a run left: outputs, and files but those that were given to it.
struct Left {
    canaries: Vec<String>,
    seen: usize,
}

impl Left {
    fn of(fleet: &Fleet) -> Self {
        let token = fleet.token();
        let mut canaries: Vec<String> = CANARIES.iter().map(|c| (*c).to_owned()).chain([token]).collect();
        let encoded: Vec<String> = canaries.iter().map(|c| STANDARD.encode(c)).collect();
        canaries.extend(encoded);
        Self { canaries, seen: 0 }
    }

    fn holds(&mut self, what: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        self.seen += usize::from(!text.is_empty());
        for canary in &self.canaries {
            assert!(!text.contains(canary.as_str()), "{what} repeats {canary}:\n{text}");
        }
    }

    fn output(&mut self, args: &[&str], done: &Done) {
        self.holds(&format!("{args:?} on stdout"), done.out.as_bytes());
        self.holds(&format!("{args:?} on stderr"), done.err.as_bytes());
    }

    fn files(&mut self, folder: &Path) {
        // What only looks may keep nothing.
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                self.files(&path);
            } else {
                self.holds(&path.display().to_string(), &std::fs::read(&path).unwrap());
            }
        }
    }
}

/// Verbs of a whole release, as text and as JSON.
const RUNS: [&[&str]; 19] = [
    &["status", "webapp", "--wait", "30s"],
    &["status", "webapp", "--wait", "30s", "-o", "json"],
    &["board", "webapp"],
    &["explain", "webapp", "ring-2", "-o", "json"],
    &["promote", "webapp", "ring-2", "--dry-run", "-o", "json"],
    &["promote", "webapp", "ring-2", "--reason", "go", "--confirm", "ring-2", "--wait", "1s"],
    &["hold", "webapp", "--reason", "odd graphs"],
    &["resume", "webapp", "webapp", "--reason", "fine", "--confirm", "webapp"],
    &["rollback", "webapp", "ring-2", "--reason", "worse"],
    &["drain", "webapp", "ap-south-1", "--reason", "odd", "--confirm", "ap-south-1", "--wait", "1s"],
    &["check"],
    &["check", "--connect", "-o", "json"],
    &["doctor", "-o", "json"],
    &["report", "webapp"],
    &["handover", "webapp"],
    &["journal", "list", "-o", "json"],
    &["journal", "export"],
    &["journal", "verify", "--against-fleet"],
    &["login"],
];

fn all(fleet: &Fleet, left: &mut Left, runs: &[&[&str]]) {
    for args in runs {
        left.output(args, &fleet.run(args));
    }
    left.files(&fleet.state());
}

/// Answers every request with an error that repeats all of it, as a debug page does.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut bytes = [0; 16 * 1024];
            let read = stream.read(&mut bytes).unwrap_or(0);
            let said = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let head = format!("HTTP/1.1 500 oh\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", said.len());
            let _ = stream.write_all((head + &said).as_bytes());
        }
    });
    format!("http://{at}")
}

#[test]
fn a_release_leaves_no_secret_behind() {
    let fleet = Fleet::start("");
    let mut left = Left::of(&fleet);
    let bearer = fleet.file("bearer", CANARIES[0]);
    fleet.edit_config(
        "[prometheus.",
        &format!("bearer = {{ file = {bearer:?} }}\nheaders = {{ X-Key = \"{}\" }}\n", CANARIES[1]),
    );
    let password = fleet.file("password", CANARIES[4]);
    fleet.configure(&format!(
        "[endpoint.board]\nurl = \"http://127.0.0.1:9/\"\n[endpoint.board.basic]\nuser = \"ann\"\npassword = {{ file = {password:?} }}\n"
    ));
    all(&fleet, &mut left, &RUNS);
    assert!(left.seen > 20, "outputs and files were looked at: {}", left.seen);
}

#[test]
fn what_fails_leaves_no_secret_behind_whoever_repeats_it() {
    let fleet = Fleet::start("");
    let mut left = Left::of(&fleet);
    let few = [RUNS[0], RUNS[1], RUNS[4], RUNS[10], RUNS[11], RUNS[12], RUNS[18]];
    // A Prometheus that repeats what it was asked, at a URL with a password.
    let bearer = fleet.file("bearer", CANARIES[0]);
    fleet.edit_config(
        "[prometheus.",
        &format!("bearer = {{ file = {bearer:?} }}\nheaders = {{ X-Key = \"{}\" }}\n", CANARIES[1]),
    );
    let url = echo();
    let named = url.replace("http://", &format!("http://ann:{}@", CANARIES[2]));
    fleet.replace_config_line("url = ", &format!("url = \"{named}\""));
    all(&fleet, &mut left, &few);
    fleet.replace_config_line("url = ", &format!("url = \"{url}\""));
    all(&fleet, &mut left, &few);
    let told = fleet.run(RUNS[12]);
    assert!(told.out.contains("500"), "it was asked, and its answer was told: {told:?}");
    // API servers that repeat what they were asked.
    let server = echo();
    fleet.replace_servers(&server);
    all(&fleet, &mut left, &few);
    assert!(fleet.run(RUNS[12]).out.contains("failing"), "they were asked, and their answer was told");
    // A credential that nobody takes, and one that is no ExecCredential.
    let token = fleet.token();
    fleet.edit_kubeconfig(&token, CANARIES[5]);
    all(&fleet, &mut left, &few);
    let broken =
        format!("#!/bin/sh\necho '{{\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"{}\"'\n", CANARIES[3]);
    let plugin = fleet.program("plugin", &broken);
    let exec =
        format!("exec: {{apiVersion: client.authentication.k8s.io/v1, command: {plugin:?}, interactiveMode: Never}}");
    fleet.edit_kubeconfig(&format!("token: \"{}\"", CANARIES[5]), &exec);
    all(&fleet, &mut left, &few);
    let told = fleet.run(RUNS[12]).out;
    assert!(told.contains("plugin"), "it was run, and what is wrong with it was told: {told}");
    // Files that cannot be read are not quoted.
    fleet.edit_kubeconfig("apiVersion: v1", &format!("apiVersion: [v1 {}", CANARIES[3]));
    all(&fleet, &mut left, &few);
    fleet.configure(&format!("password = \"{}\n", CANARIES[4]));
    all(&fleet, &mut left, &few);
}
