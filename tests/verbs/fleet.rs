//! A simulated fleet in a process of its own, and verbs against it as a script runs them: no terminal, no input.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a verb may take on a busy machine: longer is a hang.
const PATIENCE: Duration = Duration::from_secs(180);

/// One simulated fleet at a time: verbs have time limits of their own, and these tests are about what they say.
static ONE: Mutex<()> = Mutex::new(());

pub struct Fleet {
    child: Child,
    config: PathBuf,
    dir: tempfile::TempDir,
    _one: MutexGuard<'static, ()>,
}

/// What a verb did.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Fleet {
    /// A fleet, with more at the end of its configuration.
    pub fn start(more: &str) -> Self {
        Self::of("steady", more)
    }

    /// The fleet of a scenario.
    pub fn of(scenario: &str, more: &str) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gonogo"))
            .args(["sim", "--scenario", scenario, "--dir"])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulation starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).expect("one JSON object");
        let config = PathBuf::from(answer["config"].as_str().unwrap());
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{text}\n{more}")).unwrap();
        Self { child, config, dir, _one: one }
    }

    /// A verb, from beginning to end.
    pub fn run(&self, args: &[&str]) -> Done {
        self.run_with(&self.config.display().to_string(), args)
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The same with another configuration.
    pub fn run_with(&self, config: &str, args: &[&str]) -> Done {
        let home: &Path = self.dir.path();
        let mut child = Command::new(env!("CARGO_BIN_EXE_gonogo"))
            .arg("--config")
            .arg(config)
            .args(args)
            .env_clear()
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("USER", "oncall")
            .env("KUBECONFIG", home.join("kubeconfig"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let read = |from: &mut dyn Read| {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).unwrap();
            String::from_utf8(bytes).expect("text")
        };
        let errors = std::thread::spawn(move || read(&mut err));
        let output = std::thread::spawn(move || read(&mut out));
        let began = Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if began.elapsed() >= PATIENCE => {
                    child.kill().unwrap();
                    panic!("{args:?} hangs");
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let done = Done {
            code: status.code().expect("it ends by itself"),
            out: output.join().unwrap(),
            err: errors.join().unwrap(),
        };
        for text in [&done.out, &done.err] {
            assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{args:?} lets sequences out: {text:?}");
        }
        done
    }

    /// Spoils the second line of the largest journal file, as a hand would that hides something.
    pub fn edit_journal(&self) {
        let files = std::fs::read_dir(self.dir.path().join("state/gonogo/journal")).unwrap().flatten();
        let path = files.map(|f| f.path()).max_by_key(|p| p.metadata().unwrap().len()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let second = text.find('\n').unwrap() + 1;
        let (first, rest) = text.split_at(second);
        std::fs::write(&path, format!("{first}{}", rest.replacen("drill", "drall", 1))).unwrap();
    }

    fn journal_files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.dir.path().join("state/gonogo/journal")).unwrap().flatten();
        let mut files: Vec<PathBuf> = files.map(|f| f.path()).collect();
        files.sort();
        files
    }

    /// Takes the lines after the first from the newest journal file, as whoever hides what came last would.
    pub fn cut_journal(&self) {
        let path = self.journal_files().pop().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.lines().next().unwrap().to_owned() + "\n").unwrap();
    }

    /// Takes every journal file away, as a lost disk does.
    pub fn lose_journal(&self) {
        self.journal_files().iter().for_each(|f| std::fs::remove_file(f).unwrap());
    }

    /// A file that everybody may read.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// A named pipe that nobody writes to.
    pub fn pipe(&self, name: &str) {
        let path = self.dir.path().join(name);
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }

    /// A program.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.file(name, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// What the program keeps of its runs.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The token of the kubeconfig.
    pub fn token(&self) -> String {
        let text = std::fs::read_to_string(self.dir.path().join("kubeconfig")).unwrap();
        let kubeconfig: Value = serde_saphyr::from_str(&text).unwrap();
        kubeconfig["users"][0]["user"]["token"].as_str().unwrap().to_owned()
    }

    /// Adds lines to each table of the configuration that begins so.
    pub fn edit_config(&self, table: &str, lines: &str) {
        self.rewrite(&|line| if line.starts_with(table) { format!("{line}\n{lines}") } else { line.to_owned() });
    }

    /// Puts another line in the place of each that begins so.
    pub fn replace_config_line(&self, start: &str, by: &str) {
        self.rewrite(&|line| if line.starts_with(start) { by.to_owned() } else { line.to_owned() });
    }

    fn rewrite(&self, line: &dyn Fn(&str) -> String) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        let after: String = text.lines().map(|l| line(l) + "\n").collect();
        assert_ne!(text, after, "nothing was changed");
        std::fs::write(&self.config, after).unwrap();
    }

    /// Leads every context of the kubeconfig to another server.
    pub fn replace_servers(&self, url: &str) {
        let path = self.dir.path().join("kubeconfig");
        let text = std::fs::read_to_string(&path).unwrap();
        let moved = |line: &str| match line.split_once("server: ") {
            Some((before, _)) => format!("{before}server: {url}\n"),
            None => format!("{line}\n"),
        };
        std::fs::write(&path, text.lines().map(moved).collect::<String>()).unwrap();
    }

    /// Replaces a text of the kubeconfig wherever it stands.
    pub fn edit_kubeconfig(&self, from: &str, to: &str) {
        let path = self.dir.path().join("kubeconfig");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in the kubeconfig");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }

    /// Adds to the configuration: another policy is another hash.
    pub fn configure(&self, more: &str) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        std::fs::write(&self.config, format!("{text}\n{more}")).unwrap();
    }

    /// Takes a region's record away, as if it had never been written.
    pub fn forget_record(&self, region: &str) {
        let text = std::fs::read_to_string(self.dir.path().join("kubeconfig")).unwrap();
        let kubeconfig: Value = serde_saphyr::from_str(&text).unwrap();
        let named = |list: &str| {
            let all = kubeconfig[list].as_array().unwrap();
            all.iter().find(|c| c["name"].as_str().unwrap().ends_with(region)).cloned().unwrap()
        };
        let server = named("clusters")["cluster"]["server"].as_str().unwrap().trim_start_matches("http://").to_owned();
        let token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap().to_owned();
        let mut stream = TcpStream::connect(&server).unwrap();
        let path = "/api/v1/namespaces/webapp/configmaps/gonogo-sim-webapp";
        let head = format!("host: {server}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n");
        write!(stream, "DELETE {path} HTTP/1.1\r\n{head}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// A verb that must end so.
    pub fn ends(&self, code: i32, args: &[&str]) -> Done {
        let done = self.run(args);
        assert_eq!(done.code, code, "{args:?}: {done:?}");
        done
    }

    /// A verb's document; it names its version and kind.
    pub fn json(&self, code: i32, kind: &str, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["-o", "json"]).collect();
        let done = self.ends(code, &args);
        let value: Value = serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{args:?}: {e}: {done:?}"));
        assert_eq!((&value["version"], &value["kind"]), (&1.into(), &kind.into()), "{args:?}");
        value
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
