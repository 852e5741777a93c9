//! Starts and asks a real Prometheus.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gonogo::sim::prom::json::{number, seconds};
use gonogo::sim::prom::storage::SampleList;
use gonogo::sim::prom::value::Steps;
use gonogo::sim::prom::window::Dialect;

/// How long the binary may take to be ready, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Distance of polls while waiting for something.
pub const POLL: Duration = Duration::from_millis(50);

/// A running Prometheus, stopped when dropped.
pub struct Prometheus {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// False, with the reason on stderr, where the binaries are missing; a failure in CI.
pub fn installed() -> bool {
    let missing: Vec<&str> = ["prometheus", "promtool"]
        .into_iter()
        .filter(|tool| {
            let run = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            !run.is_ok_and(|status| status.success())
        })
        .collect();
    if missing.is_empty() {
        return true;
    }
    let ci = std::env::var("CI").is_ok_and(|v| v == "true");
    assert!(!ci, "{missing:?} must be installed in CI (Debian: apt-get install prometheus)");
    eprintln!("skipped: {missing:?} not installed, so there is no real Prometheus to compare with");
    false
}

impl Prometheus {
    /// One whose storage holds exactly these samples, none later than an hour ago.
    pub fn over(list: &SampleList) -> Option<Self> {
        if !installed() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("samples.txt");
        fs::write(&file, openmetrics(list)).unwrap();
        let data = dir.path().join("data");
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&file, &data])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(Self::start(dir, "scrape_configs: []\n"))
    }

    /// One that scrapes a target every second.
    pub fn scraping(port: u16) -> Option<Self> {
        let config = format!(
            "scrape_configs:\n- job_name: sim\n  honor_labels: true\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  static_configs:\n  - targets: ['127.0.0.1:{port}']\n"
        );
        installed().then(|| Self::start(tempfile::tempdir().unwrap(), &config))
    }

    fn start(dir: tempfile::TempDir, config: &str) -> Self {
        let file = dir.path().join("prometheus.yml");
        fs::write(&file, config).unwrap();
        let port = free_port();
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut prometheus = Self { child, port, _dir: dir };
        let deadline = Instant::now() + PATIENCE;
        while !prometheus.get("/-/ready").is_ok_and(|body| body.contains("Ready")) {
            let ended = prometheus.child.try_wait().unwrap();
            let log = || read(prometheus._dir.path().join("log").as_path());
            assert!(ended.is_none(), "prometheus ended: {ended:?}\n{}", log());
            assert!(Instant::now() < deadline, "not ready in {PATIENCE:?}\n{}", log());
            std::thread::park_timeout(POLL);
        }
        prometheus
    }

    /// The rules of its release.
    pub fn dialect(&self) -> Dialect {
        let info = self.json("/api/v1/status/buildinfo");
        let version = info["data"]["version"].as_str().unwrap().to_owned();
        if version.starts_with("2.") { Dialect::V2 } else { Dialect::V3 }
    }

    /// The whole envelope of an instant query.
    pub fn query(&self, query: &str, at: i64) -> serde_json::Value {
        self.json(&format!("/api/v1/query?query={}&time={}", escape(query), seconds(at)))
    }

    /// The whole envelope of a range query.
    pub fn query_range(&self, query: &str, steps: &Steps) -> serde_json::Value {
        self.json(&format!(
            "/api/v1/query_range?query={}&start={}&end={}&step={}",
            escape(query),
            seconds(steps.start),
            seconds(steps.end),
            seconds(steps.step)
        ))
    }

    fn json(&self, path: &str) -> serde_json::Value {
        let body = self.get(path).unwrap();
        serde_json::from_str(&body).unwrap_or_else(|e| panic!("{path}: {e}: {body}"))
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn get(&self, path: &str) -> std::io::Result<String> {
        get(self.port, path)
    }
}

/// One GET by HTTP/1.0: the body ends with the connection.
pub fn get(port: u16, path: &str) -> std::io::Result<String> {
    get_with_status(port, path).map(|(_, body)| body)
}

/// The status code and the body.
pub fn get_with_status(port: u16, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// The samples as an OpenMetrics text.
fn openmetrics(list: &SampleList) -> String {
    let mut out = String::new();
    for (labels, samples) in list.iter() {
        for sample in samples {
            let text = labels.to_string().replace(", ", ",");
            out.push_str(&format!("{text} {} {}\n", number(sample.v), seconds(sample.t)));
        }
    }
    out.push_str("# EOF\n");
    out
}
