//! Measures the built binary from outside: a pseudo-terminal, a terminal emulator, `gonogo sim`.
//!
//! `cargo bench --bench driver` prints start-up, CPU, memory and event-to-screen latency.
//! `cargo bench --bench driver -- quick` leaves out the large fleets; a part can be named:
//! `start`, `idle`, `latency`, `memory`. It ends by itself: what does not happen in time stops it.
//! Figures are of this machine and moment: compare them within one run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::panic,
    missing_docs,
    reason = "a benchmark prints, and stops at the first surprise"
)]

#[path = "../tests/terminal/pty.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod pty;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pty::{Pty, Start};

/// The simulated fleet in a process of its own.
struct Sim {
    child: Child,
    kubeconfig: String,
    config: PathBuf,
    _dir: tempfile::TempDir,
}

impl Sim {
    fn start(clusters: u32, services: u32, events: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gonogo"))
            .args(["sim", "--dir"])
            .arg(dir.path())
            .args(["--regions", &clusters.to_string(), "--services", &services.to_string()])
            .args(["--events-per-second", &events.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulation starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let answer: serde_json::Value = serde_json::from_str(&line).expect("one JSON object");
        let kubeconfig = std::fs::read_to_string(answer["kubeconfig"].as_str().unwrap()).unwrap();
        Self { child, kubeconfig, config: answer["config"].as_str().unwrap().into(), _dir: dir }
    }

    /// Address and token of a context.
    fn access(&self, context: &str) -> (String, String) {
        let yaml: serde_json::Value = serde_saphyr::from_str(&self.kubeconfig).expect("a kubeconfig");
        let named = |list: &str, name: &str| {
            yaml[list].as_array().unwrap().iter().find(|c| c["name"] == name).cloned().expect("it is there")
        };
        let found = named("contexts", context);
        let cluster = named("clusters", found["context"]["cluster"].as_str().unwrap());
        let user = named("users", found["context"]["user"].as_str().unwrap());
        let server = cluster["cluster"]["server"].as_str().unwrap().trim_start_matches("http://").to_owned();
        (server, user["user"]["token"].as_str().unwrap().to_owned())
    }

    /// Sets the replicas of a Deployment; the moment it was asked.
    fn scale(&self, context: &str, service: &str, replicas: u32) -> Instant {
        let (server, token) = self.access(context);
        let body = format!(r#"{{"spec":{{"replicas":{replicas}}}}}"#);
        let path = format!("/apis/apps/v1/namespaces/{service}/deployments/{service}");
        let request = format!(
            "PATCH {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/merge-patch+json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(&server).unwrap();
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        asked
    }

    /// A watch of one Deployment, as bare as can be: when each number of replicas left the server.
    fn watch(&self, context: &str, service: &str) -> Receiver<(u64, Instant)> {
        let (server, token) = self.access(context);
        let path = format!("/apis/apps/v1/namespaces/{service}/deployments?watch=true&timeoutSeconds=600");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\n\r\n");
        let mut stream = TcpStream::connect(&server).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let (to, from) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { return };
                let at = Instant::now();
                let event = serde_json::from_str::<serde_json::Value>(&line).ok();
                let replicas = event.and_then(|e| e.pointer("/object/spec/replicas")?.as_u64());
                if replicas.is_some_and(|r| to.send((r, at)).is_err()) {
                    return;
                }
            }
        });
        from
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of a process so far.
fn cpu(pid: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Resident memory of a process, in MB.
fn rss(pid: i32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn percentile(values: &mut [Duration], share: f64) -> Duration {
    values.sort();
    values[((values.len() - 1) as f64 * share).round() as usize]
}

fn console(sim: &Sim) -> (Pty, Instant) {
    let config = sim.config.display().to_string();
    let started = Instant::now();
    let start = Start { args: &["--config", &config], size: (160, 50), env: &[] };
    (Pty::start(&start), started)
}

/// The last region of the document's fleet is complete; with two regions, the second.
fn there(clusters: u32) -> &'static str {
    if clusters < 4 { "4/4" } else { "12/12" }
}

/// Start-up: first frame, first data. A fleet of so many regions has one cluster more: its gateway's.
fn start_up(regions: u32) {
    let sim = Sim::start(regions, 1, 0);
    let (mut frames, mut data) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let (pty, started) = console(&sim);
        pty.wait_for("a frame", |s| s.contains("webapp"));
        frames.push(started.elapsed());
        pty.wait_for("data", |s| s.contains(there(regions)));
        data.push(started.elapsed());
    }
    println!(
        "start-up, {} clusters: first frame p50 {:.1} ms, first data p50 {:.1} ms (20 starts)",
        regions + 1,
        percentile(&mut frames, 0.5).as_secs_f64() * 1e3,
        percentile(&mut data, 0.5).as_secs_f64() * 1e3
    );
}

/// How long one latency measurement may take.
const BUDGET: Duration = Duration::from_secs(90);

/// Latency from the event that leaves the server to the row on the screen, and CPU meanwhile.
fn latency(regions: u32, services: u32, events: u32, markers: u32) {
    let sim = Sim::start(regions, services, events);
    let (pty, _) = console(&sim);
    pty.wait_for("data", |s| s.contains(there(regions)));
    std::thread::sleep(Duration::from_secs(3));
    let sent = sim.watch("sim-us-east-1", "webapp");
    let pid = pty.pid();
    let (cpu_before, before) = (cpu(pid), Instant::now());
    let (mut took, mut asked_took) = (Vec::new(), Vec::new());
    for marker in 0..markers {
        if before.elapsed() > BUDGET {
            break;
        }
        // us-east-1's number of replicas, one more, one less: seen as the N of ready/N.
        let replicas = 20 + marker % 2;
        let asked = sim.scale("sim-us-east-1", "webapp", replicas);
        pty.wait_for("the marker", |s| {
            s.lines().any(|l| l.contains("us-east-1") && l.contains(&format!("/{replicas} ")))
        });
        let seen = Instant::now();
        let left = sent.try_iter().find(|(r, at)| *r == u64::from(replicas) && *at > asked).map(|(_, at)| at);
        took.push(seen.saturating_duration_since(left.unwrap_or(asked)));
        asked_took.push(seen.duration_since(asked));
        // Markers are spread over the frame's phase.
        std::thread::sleep(Duration::from_millis(37 + u64::from(marker % 11)));
    }
    let spent = (cpu(pid) - cpu_before).as_secs_f64() / before.elapsed().as_secs_f64() * 100.0;
    println!(
        "event to screen at {events} events/s ({} clusters × {services}): p50 {:.1} ms, p99 {:.1} ms \
         (from the request {:.1} and {:.1}), CPU {spent:.1} % of a core ({} markers)",
        regions + 1,
        percentile(&mut took, 0.5).as_secs_f64() * 1e3,
        percentile(&mut took, 0.99).as_secs_f64() * 1e3,
        percentile(&mut asked_took, 0.5).as_secs_f64() * 1e3,
        percentile(&mut asked_took, 0.99).as_secs_f64() * 1e3,
        took.len(),
    );
}

/// CPU and bytes to the terminal while nothing changes but the clock.
fn at_rest(pty: &Pty, span: Duration) -> (f64, f64) {
    let (before, bytes) = (cpu(pty.pid()), pty.raw().len());
    std::thread::sleep(span);
    let seconds = span.as_secs_f64();
    ((cpu(pty.pid()) - before).as_secs_f64() / seconds * 100.0, (pty.raw().len() - bytes) as f64 / seconds)
}

fn idle(regions: u32) {
    let sim = Sim::start(regions, 1, 0);
    let (pty, _) = console(&sim);
    pty.wait_for("data", |s| s.contains(there(regions)));
    std::thread::sleep(Duration::from_secs(12));
    let (share, bytes) = at_rest(&pty, Duration::from_secs(45));
    println!(
        "idle, {} clusters: CPU {share:.2} % of a core, {bytes:.0} bytes/s to the terminal, RSS {:.1} MB",
        regions + 1,
        rss(pty.pid())
    );
}

fn memory(regions: u32, services: u32) {
    let sim = Sim::start(regions, services, 0);
    let (pty, started) = console(&sim);
    pty.wait_for("data", |s| s.contains(there(regions)));
    let first = started.elapsed();
    std::thread::sleep(Duration::from_secs(30));
    let (share, _) = at_rest(&pty, Duration::from_secs(30));
    println!(
        "memory, {} clusters × {services} services = {} workloads: RSS {:.1} MB, at rest {share:.1} % of a core \
         (first data after {:.0} ms)",
        regions + 1,
        regions * services,
        rss(pty.pid()),
        first.as_secs_f64() * 1e3
    );
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let quick = args.iter().any(|a| a == "quick");
    let parts = ["start", "idle", "latency", "memory"];
    let all = !parts.iter().any(|p| args.iter().any(|a| a == p));
    let wanted = |part: &str| all || args.iter().any(|a| a == part);
    if wanted("start") {
        start_up(2);
        start_up(4);
    }
    if wanted("idle") {
        idle(2);
        idle(4);
    }
    if wanted("latency") {
        latency(4, 1, 0, 300);
        latency(4, 10, 100, 300);
        latency(4, 50, 1000, 300);
    }
    if wanted("memory") {
        memory(2, 50);
        if !quick {
            memory(50, 50);
            memory(200, 50);
        }
    }
}
