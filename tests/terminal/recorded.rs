//! The built binary under random keys, with somebody in the middle who writes down every request.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::pty::{Pty, Start};
use super::{ENV, Sim};

/// A request line with what matters of its head.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    /// With query.
    target: String,
    audit: String,
    upgrade: bool,
    /// The journal names the plan of this request, on the disk, as it passes.
    journaled: bool,
}

impl Asked {
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
    fn is_write(&self) -> bool {
        self.method != "GET" && !self.target.contains("dryRun=All") && !self.path().contains("/selfsubject")
    }
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// Puts a recorder before every API server of the kubeconfig.
fn record(sim: &Sim, journal: &Path) -> Log {
    let log = Log::default();
    let mut text = std::fs::read_to_string(&sim.kubeconfig).unwrap();
    let servers: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c == '"' || c == '\'')
        .filter(|w| w.starts_with("http://127.0.0.1:"))
        .map(str::to_owned)
        .collect();
    assert!(servers.len() >= 5, "{text}");
    for server in servers {
        let upstream = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        text = text.replace(&server, &format!("http://{}", listener.local_addr().unwrap()));
        let (log, journal) = (log.clone(), journal.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (log, journal, upstream) = (log.clone(), journal.clone(), upstream.clone());
                std::thread::spawn(move || carry(&client, &upstream, &log, &journal));
            }
        });
    }
    std::fs::write(&sim.kubeconfig, text).unwrap();
    log
}

fn carry(client: &TcpStream, upstream: &str, log: &Log, journal: &Path) {
    let Ok(server) = TcpStream::connect(upstream) else { return };
    let (Ok(mut from_server), Ok(mut to_client)) = (server.try_clone(), client.try_clone()) else { return };
    let down = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
    let (mut from_client, mut to_server) = (client, &server);
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from_client.read(&mut buffer) {
        // Seen before it is passed on: what must be on the disk by now is looked for now.
        log.lock().unwrap().extend(asked(&String::from_utf8_lossy(&buffer[..read]), journal));
        if to_server.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Both);
    let _ = down.join();
}

/// The request that a piece of a connection begins.
fn asked(text: &str, journal: &Path) -> Option<Asked> {
    let head = text.split("\r\n\r\n").next()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target, protocol) = (first.next()?, first.next()?, first.next()?);
    if !protocol.starts_with("HTTP/1.") {
        return None;
    }
    let headers: Vec<(String, String)> =
        lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let audit = header("audit-id").unwrap_or_default();
    let plan = audit.split('-').next().unwrap_or_default();
    let journaled = plan.len() == 26 && opened(journal).iter().any(|p| p == plan);
    Some(Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        audit,
        upgrade: header("upgrade").is_some(),
        journaled,
    })
}

/// Plans that the journal's files say were opened.
fn opened(journal: &Path) -> Vec<String> {
    let files: Vec<PathBuf> =
        std::fs::read_dir(journal).map(|d| d.flatten().map(|f| f.path()).collect()).unwrap_or_default();
    let text: String = files.iter().filter_map(|f| std::fs::read_to_string(f).ok()).collect();
    let entry = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok().map(|l| l["entry"].clone());
    let entries = text.lines().filter_map(entry).filter(|e| e["type"] == "opened");
    entries.filter_map(|e| e["plan"].as_str().map(str::to_owned)).collect()
}

/// Random keys, each as far from the next as a hurried person's.
fn keys(pty: &mut Pty, seed: u64, many: usize) {
    const KEYS: [&str; 40] = [
        "j", "k", "\t", " ", "\r", "\x1b", "f", "d", "y", "l", "e", "x", "@", ";", "o", "c", "z", "+", "-", "[", "]",
        "P", "F", "H", "U", "!", "B", "X", "D", "T", "R", "?", "/", ":", "1", "3", ".", "\x0c", "G", "n",
    ];
    let mut state = seed;
    for _ in 0..many {
        // A small generator of its own: the same keys on every machine.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 33).unwrap() % KEYS.len();
        pty.type_slowly(KEYS[at]);
    }
    for _ in 0..4 {
        pty.type_slowly("\x1b");
    }
}

#[test]
fn a_watch_screen_of_the_built_binary_sends_only_reads_of_what_it_watches() {
    let sim = Sim::start(&[]);
    let home = tempfile::tempdir().unwrap();
    let log = record(&sim, &home.path().join("state/gonogo/journal"));
    let start = Start { args: &["--config", &sim.config, "watch"], size: (160, 50), env: ENV };
    let mut pty = Pty::start_at(&start, home);
    pty.wait_text("may ring-2");
    keys(&mut pty, 7, 250);
    pty.signal(rustix::process::Signal::TERM);
    assert_eq!(pty.wait_exit().exit_code(), 143);
    let asked = log.lock().unwrap().clone();
    assert!(asked.len() > 15, "{asked:?}");
    for one in &asked {
        let path = one.path();
        let known = ["/deployments", "/configmaps", "/httproutes", "/replicasets", "/leases"];
        let object = |p: &str| known.iter().any(|k| p.ends_with(k) || p.contains(&format!("{k}/")));
        let may = one.method == "GET"
            && !one.upgrade
            && (matches!(path, "/version" | "/api/v1/namespaces/kube-system") || object(path));
        assert!(may, "{one:?}");
    }
    let home = pty.take_home();
    assert!(!home.path().join("state/gonogo/journal").exists(), "there is nothing to journal");
}

#[test]
fn the_built_console_writes_nothing_whose_plan_is_not_in_its_journal() {
    let sim = Sim::start(&[]);
    let home = tempfile::tempdir().unwrap();
    let log = record(&sim, &home.path().join("state/gonogo/journal"));
    let start = Start { args: &["--config", &sim.config], size: (160, 50), env: ENV };
    let mut pty = Pty::start_at(&start, home);
    pty.wait_text("READY ring-2");
    pty.send("P");
    pty.wait_text("dry-run answered");
    pty.type_slowly("ring-2");
    pty.wait_text("under way");
    pty.pause();
    pty.send("!");
    pty.wait_text("HELD");
    keys(&mut pty, 3, 250);
    pty.signal(rustix::process::Signal::TERM);
    assert_eq!(pty.wait_exit().exit_code(), 143);
    let writes: Vec<Asked> = log.lock().unwrap().iter().filter(|a| a.is_write()).cloned().collect();
    let planned = writes.iter().filter(|w| w.journaled).count();
    assert!(planned >= 7, "a promotion and a hold in four regions: {writes:?}");
    for one in writes.iter().filter(|w| !w.journaled) {
        // Bookkeeping: facts of our own record, and nothing else.
        let ours = one.path().starts_with("/api/v1/namespaces/webapp/configmaps");
        assert!(one.audit.starts_with("keep-") && ours, "written without a journal entry: {one:?}");
    }
}
