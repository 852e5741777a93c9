//! A simulated fleet in a process of its own, guards in theirs, and somebody in the middle who writes down
//! what is written and may keep it from arriving.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until it is there.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(LOOK);
    }
}

/// What becomes of writes of workloads on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// They arrive.
    Open,
    /// They are kept until the way is open.
    Kept,
    /// They are lost, with their connection.
    Lost,
}

/// What passed between gonogo and the API servers.
#[derive(Default)]
struct Passed {
    /// Method and path of every write besides rehearsals, by cluster.
    writes: Vec<(String, String)>,
    way: Option<Way>,
}

type Wire = Arc<(Mutex<Passed>, Condvar)>;

/// A simulated fleet on loopback.
pub struct Sim {
    child: Child,
    pub config: String,
    servers: BTreeMap<String, String>,
    wire: Wire,
    _dir: tempfile::TempDir,
}

impl Sim {
    /// Runs a scenario; the policy is added to its configuration.
    pub fn start(scenario: &str, speed: u32, policy: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gonogo"))
            .args(["sim", "--scenario", scenario, "--speed", &speed.to_string(), "--dir"])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulation starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).expect("one JSON object");
        let path = |name: &str| answer[name].as_str().unwrap().to_owned();
        let (config, kubeconfig) = (path("config"), path("kubeconfig"));
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{text}\n[ui]\nrefresh = \"5s\"\n\n{policy}\n")).unwrap();
        let wire = Wire::default();
        let servers = between(Path::new(&kubeconfig), &wire);
        assert!(servers.len() >= 5, "{servers:?}");
        Self { child, config, servers, wire, _dir: dir }
    }

    /// Asks a cluster directly.
    pub fn ask(&self, cluster: &str, method: &str, path: &str, body: Option<&Value>) -> Value {
        let text = body.map(Value::to_string).unwrap_or_default();
        let headers = format!("content-type: application/json-patch+json\r\ncontent-length: {}\r\n", text.len());
        let (code, answer) = http(&self.servers[cluster], method, path, &headers, &text).expect("the cluster answers");
        assert!((200..300).contains(&code), "{method} {path}: {code} {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// The workload in a region.
    pub fn workload(&self, region: &str) -> Value {
        self.ask(region, "GET", WORKLOAD, None)
    }

    pub fn image(&self, region: &str) -> String {
        self.workload(region)["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
    }

    pub fn generation(&self, region: &str) -> u64 {
        self.workload(region)["metadata"]["generation"].as_u64().unwrap()
    }

    /// Somebody gives a region what another one runs, with another tool.
    pub fn bring(&self, from: &str, to: &str) -> String {
        let image = self.image(from);
        let path = "/spec/template/spec/containers/0/image";
        let patch = serde_json::json!([{"op": "replace", "path": path, "value": image}]);
        self.ask(to, "PATCH", WORKLOAD, Some(&patch));
        image
    }

    /// Facts of one kind in the record of a region.
    pub fn facts(&self, region: &str, kind: &str) -> Vec<String> {
        let (_, name) = self.names();
        let list = self.ask(region, "GET", "/api/v1/namespaces/webapp/configmaps", None);
        let record = list["items"].as_array().unwrap().iter().find(|o| o["metadata"]["name"] == name.as_str());
        let data = record.and_then(|r| r["data"].as_object().cloned()).unwrap_or_default();
        let of_kind = data.into_iter().filter(|(key, _)| key.ends_with(&format!(".{kind}")));
        of_kind.map(|(_, text)| text.as_str().unwrap().to_owned()).collect()
    }

    /// The `spec` of the lease of a region; null while there is none.
    pub fn lease(&self, region: &str) -> Value {
        let (_, name) = self.names();
        let list = self.ask(region, "GET", "/apis/coordination.k8s.io/v1/namespaces/webapp/leases", None);
        let found = list["items"].as_array().unwrap().iter().find(|o| o["metadata"]["name"] == name.as_str());
        found.map_or(Value::Null, |lease| lease["spec"].clone())
    }

    /// Waits until the lease of a region was renewed so often: a guard has looked at everything meanwhile.
    #[track_caller]
    pub fn renewed(&self, region: &str, times: usize) {
        let mut seen = self.lease(region)["renewTime"].clone();
        for _ in 0..times {
            seen = until("the lease is renewed", || {
                let now = self.lease(region)["renewTime"].clone();
                (now != seen).then_some(now)
            });
        }
    }

    fn names(&self) -> (String, String) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        let fleet = text.lines().find_map(|l| l.strip_prefix("fleet = ")).unwrap().trim_matches('"').to_owned();
        let record = format!("gonogo-{fleet}-webapp");
        (fleet, record)
    }

    /// What becomes of writes of workloads from now on.
    pub fn way(&self, way: Way) {
        self.wire.0.lock().unwrap().way = Some(way);
        self.wire.1.notify_all();
    }

    /// Patches of workloads that were sent, by cluster, whether they arrived or not.
    pub fn patches(&self) -> Vec<String> {
        let passed = self.wire.0.lock().unwrap();
        passed.writes.iter().filter(|(_, line)| line.contains("/deployments/")).map(|(c, _)| c.clone()).collect()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the sim's one service lies.
const WORKLOAD: &str = "/apis/apps/v1/namespaces/webapp/deployments/webapp";

/// Puts a listener before every API server of a kubeconfig; gives the servers by cluster.
fn between(kubeconfig: &Path, wire: &Wire) -> BTreeMap<String, String> {
    let mut text = std::fs::read_to_string(kubeconfig).unwrap();
    let read: Value = serde_saphyr::from_str(&text).unwrap();
    let mut servers = BTreeMap::new();
    for cluster in read["clusters"].as_array().unwrap() {
        let name = cluster["name"].as_str().unwrap().trim_start_matches("sim-").to_owned();
        let url = cluster["cluster"]["server"].as_str().unwrap();
        let upstream = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        text = text.replace(url, &format!("http://{}", listener.local_addr().unwrap()));
        servers.insert(name.clone(), upstream.clone());
        let wire = wire.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (wire, name, upstream) = (wire.clone(), name.clone(), upstream.clone());
                std::thread::spawn(move || carry(&client, &name, &upstream, &wire));
            }
        });
    }
    std::fs::write(kubeconfig, text).unwrap();
    servers
}

fn carry(client: &TcpStream, cluster: &str, upstream: &str, wire: &Wire) {
    let Ok(server) = TcpStream::connect(upstream) else { return };
    let (Ok(mut from_server), Ok(mut to_client)) = (server.try_clone(), client.try_clone()) else { return };
    let down = std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
    let (mut from_client, mut to_server) = (client, &server);
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from_client.read(&mut buffer) {
        let way = told(&String::from_utf8_lossy(&buffer[..read]), cluster, wire);
        if way == Way::Lost || to_server.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Both);
    let _ = client.shutdown(std::net::Shutdown::Both);
    let _ = down.join();
}

/// Notes a write, and waits while it is kept.
fn told(text: &str, cluster: &str, wire: &Wire) -> Way {
    let line = text.lines().next().unwrap_or_default();
    let write = ["PATCH ", "POST ", "PUT ", "DELETE "].iter().any(|m| line.starts_with(m));
    if !write || !line.contains(" HTTP/1.") || line.contains("dryRun=All") || line.contains("/selfsubject") {
        return Way::Open;
    }
    let (lock, changed) = &**wire;
    let mut passed = lock.lock().unwrap();
    passed.writes.push((cluster.to_owned(), line.to_owned()));
    if !line.contains("/deployments/") {
        return Way::Open;
    }
    while passed.way == Some(Way::Kept) {
        passed = changed.wait(passed).unwrap();
    }
    passed.way.unwrap_or(Way::Open)
}

/// One request, one answer; none when nobody answers.
fn http(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}connection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    Some((code, if chunked { unchunked(body) } else { body.to_owned() }))
}

fn unchunked(mut rest: &str) -> String {
    let mut out = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        out.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    out
}

/// Somebody who is told, on loopback: answers with these codes, then 200. One who hangs never answers.
pub fn receiver(hangs: bool, answers: &[u16]) -> (String, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/s3cret", listener.local_addr().unwrap());
    let got: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (to, answers) = (got.clone(), answers.to_vec());
    std::thread::spawn(move || {
        let mut answers = answers.iter();
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let mut head = BufReader::new(stream.try_clone().unwrap());
            let mut length = 0;
            for line in head.by_ref().lines().map_while(Result::ok).take_while(|l| !l.is_empty()) {
                if let Some(text) = line.to_lowercase().strip_prefix("content-length: ") {
                    length = text.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            if head.read_exact(&mut body).is_err() {
                continue;
            }
            to.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            if hangs {
                kept.push(stream);
                continue;
            }
            let code = answers.next().copied().unwrap_or(200);
            let _ = write!(stream, "HTTP/1.1 {code} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    (url, got)
}

/// The built guard.
pub struct Guard {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    address: String,
}

impl Guard {
    /// Starts it, and waits until it listens.
    pub fn start(sim: &Sim, home: &Path, args: &[&str]) -> Self {
        Self::start_in(sim, home, &state(home), args)
    }

    /// The same, with a place for its journal.
    pub fn start_in(sim: &Sim, home: &Path, state: &Path, args: &[&str]) -> Self {
        let mut child = command(sim, home)
            .args(["guard", "--listen", "127.0.0.1:0", "--state"])
            .arg(state)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the guard starts");
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (to, from) = (log.clone(), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                to.lock().unwrap().push(line);
            }
        });
        let mut guard = Self { child, log, address: String::new() };
        let said = guard.says("listens on ");
        guard.address = said.rsplit(' ').next().unwrap().to_owned();
        guard
    }

    /// Its log so far: every line is one JSON object.
    pub fn log(&self) -> Vec<Value> {
        let lines = self.log.lock().unwrap();
        lines.iter().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect()
    }

    /// Waits for a message that has these words.
    #[track_caller]
    pub fn says(&self, words: &str) -> String {
        let look = || {
            let log = self.log();
            let messages = log.iter().filter_map(|l| l["message"].as_str());
            messages.filter(|m| m.contains(words)).map(str::to_owned).next()
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(said) = look() {
                return said;
            }
            assert!(Instant::now() < deadline, "the guard never said {words:?}: {:#?}", self.log());
            std::thread::sleep(LOOK);
        }
    }

    /// What a probe is told.
    pub fn get(&self, path: &str) -> (u16, String) {
        http(&self.address, "GET", path, "", "").expect("the guard answers")
    }

    /// A metric by its name with labels; none when it is not told.
    pub fn metric(&self, name: &str) -> Option<u64> {
        let (_, text) = self.get("/metrics");
        text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Waits until a metric has a value.
    #[track_caller]
    pub fn shows(&self, name: &str, value: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.metric(name) != Some(value) {
            assert!(Instant::now() < deadline, "{name} never was {value}: {:#?}", self.log());
            std::thread::sleep(LOOK);
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn exit(&mut self) -> ExitStatus {
        until("the guard ends", || self.child.try_wait().unwrap())
    }

    /// Killed, without a word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where what runs at this home keeps its journal.
pub fn state(home: &Path) -> PathBuf {
    home.join("state/gonogo")
}

/// The program, at a home of its own.
pub fn command(sim: &Sim, home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gonogo"));
    let below = |name: &str| home.join(name);
    command
        .env_clear()
        .env("HOME", home)
        .env("XDG_STATE_HOME", below("state"))
        .env("XDG_CONFIG_HOME", below("config"))
        .env("XDG_CACHE_HOME", below("cache"))
        .args(["--config", &sim.config]);
    command
}

/// A home that outlasts a process: where tests are built, since memory does not count as durable.
pub fn home() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The journal of a home, as `gonogo journal` tells it.
pub fn journal(sim: &Sim, home: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = command(sim, home).arg("journal").args(args).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}
