//! The built binary in a real pseudo-terminal, its screen parsed by a terminal emulator.
//!
//! Waiting is always for something on the screen, with a deadline; on failure the screen is printed.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(75);

struct Shared {
    parser: vt100::Parser,
    raw: Vec<u8>,
    /// Bytes that were written so far.
    written: usize,
    closed: bool,
}

/// A program in a pseudo-terminal.
pub struct Pty {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    shared: Arc<(Mutex<Shared>, Condvar)>,
    home: Option<tempfile::TempDir>,
}

/// How a program is started.
pub struct Start<'a> {
    pub args: &'a [&'a str],
    pub size: (u16, u16),
    pub env: &'a [(&'a str, &'a str)],
}

impl Pty {
    /// Starts the built binary with a home of its own.
    pub fn start(start: &Start<'_>) -> Self {
        Self::start_at(start, tempfile::tempdir().expect("a temporary home"))
    }

    /// The same, with a home that was used before.
    pub fn start_at(start: &Start<'_>, home: tempfile::TempDir) -> Self {
        let (cols, rows) = start.size;
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_gonogo"));
        command.args(start.args);
        command.env_clear();
        for (name, value) in base_env(home.path()) {
            command.env(name, value);
        }
        for (name, value) in start.env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let shared = Shared { parser: vt100::Parser::new(rows, cols, 0), raw: Vec::new(), written: 0, closed: false };
        let shared = Arc::new((Mutex::new(shared), Condvar::new()));
        let reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let to = shared.clone();
        std::thread::spawn(move || read_all(reader, &to));
        Self { master: Some(pair.master), writer: Some(writer), child, shared, home: Some(home) }
    }

    /// The screen as text, a line per row.
    pub fn screen(&self) -> String {
        self.shared.0.lock().expect("the reader lives").parser.screen().contents()
    }

    /// Everything that was written so far.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.0.lock().expect("the reader lives").raw.clone()
    }

    /// Whether the alternate screen is on, and mouse or paste modes.
    pub fn modes_left_on(&self) -> Vec<&'static str> {
        let guard = self.shared.0.lock().expect("the reader lives");
        let screen = guard.parser.screen();
        let mut on = Vec::new();
        if screen.alternate_screen() {
            on.push("alternate screen");
        }
        if screen.bracketed_paste() {
            on.push("bracketed paste");
        }
        if screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None {
            on.push("mouse");
        }
        if screen.hide_cursor() {
            on.push("hidden cursor");
        }
        on
    }

    /// Waits until the screen satisfies the question.
    pub fn wait_for(&self, what: &str, question: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let (lock, ready) = &*self.shared;
        let mut guard = lock.lock().expect("the reader lives");
        loop {
            let screen = guard.parser.screen().contents();
            if question(&screen) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !guard.closed, "waited in vain for {what}; the screen:\n{screen}");
            guard = ready.wait_timeout(guard, left.min(Duration::from_millis(200))).expect("the reader lives").0;
        }
    }

    /// Waits until the modes that are on satisfy the question.
    pub fn wait_modes(&self, what: &str, question: impl Fn(&[&str]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !question(&self.modes_left_on()) {
            assert!(Instant::now() < deadline, "waited in vain for {what}: {:?} are on", self.modes_left_on());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the program is stopped, as by Ctrl-Z; waits for it.
    pub fn is_stopped(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let stopped = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        };
        while !stopped() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// Waits for a text on the screen.
    pub fn wait_text(&self, text: &str) -> String {
        self.wait_for(text, |screen| screen.contains(text))
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        let writer = self.writer.as_mut().expect("the terminal is open");
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("the program reads");
    }

    /// Types as a person does: key by key, each further apart than a paste's bytes, and after the
    /// one before was seen to do something: a machine that is busy would take two keys at once.
    pub fn type_slowly(&mut self, text: &str) {
        for c in text.chars() {
            let before = self.shared.0.lock().expect("the reader lives").written;
            self.send(&c.to_string());
            self.wait_written(before, Duration::from_secs(1));
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    /// Waits until something was written, or it is clear that this key shows nothing.
    fn wait_written(&self, before: usize, most: Duration) {
        let deadline = Instant::now() + most;
        let (lock, ready) = &*self.shared;
        let mut guard = lock.lock().expect("the reader lives");
        while guard.written == before && !guard.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            guard = ready.wait_timeout(guard, left).expect("the reader lives").0;
        }
    }

    /// Something else writes over the screen.
    pub fn scribble(&self) {
        let mut guard = self.shared.0.lock().expect("the reader lives");
        guard.parser.process(b"\x1b[5;5HSCRIBBLE");
    }

    /// A person's pause: a confirming key counts only some time after any other.
    pub fn pause(&self) {
        std::thread::sleep(Duration::from_millis(400));
    }

    /// Changes the size.
    pub fn resize(&self, cols: u16, rows: u16) {
        self.shared.0.lock().expect("the reader lives").parser.screen_mut().set_size(rows, cols);
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().expect("the terminal is open").resize(size).expect("the size is taken");
    }

    /// Process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.process_id().expect("it runs")).expect("a pid")
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// The home, for another start in it.
    pub fn take_home(&mut self) -> tempfile::TempDir {
        self.home.take().expect("it was not taken before")
    }

    /// Waits until everything that the program wrote was read.
    pub fn wait_closed(&self) {
        let deadline = Instant::now() + PATIENCE;
        let (lock, ready) = &*self.shared;
        let mut guard = lock.lock().expect("the reader lives");
        while !guard.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the terminal stays open");
            guard = ready.wait_timeout(guard, left).expect("the reader lives").0;
        }
    }

    /// Waits until the program has ended.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end; the screen:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Only what this test started, by its own id.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A home of its own: nothing of the machine's configuration leaks in.
pub fn base_env(home: &Path) -> Vec<(String, String)> {
    let home = home.display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    [
        ("HOME", home.clone()),
        ("XDG_STATE_HOME", format!("{home}/state")),
        ("XDG_CONFIG_HOME", format!("{home}/config")),
        ("XDG_CACHE_HOME", format!("{home}/cache")),
        ("PATH", path),
        ("TERM", "xterm-256color".to_owned()),
        ("COLORTERM", "truecolor".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("USER", "oncall".to_owned()),
    ]
    .map(|(n, v)| (n.to_owned(), v))
    .into()
}

fn read_all(mut reader: Box<dyn Read + Send>, to: &(Mutex<Shared>, Condvar)) {
    let mut buffer = [0u8; 65_536];
    loop {
        let read = reader.read(&mut buffer).unwrap_or(0);
        let (lock, ready) = to;
        let Ok(mut guard) = lock.lock() else { return };
        if read == 0 {
            guard.closed = true;
        } else {
            guard.parser.process(&buffer[..read]);
            guard.written += read;
            if guard.raw.len() < 16 << 20 {
                guard.raw.extend_from_slice(&buffer[..read]);
            }
        }
        ready.notify_all();
        if read == 0 {
            return;
        }
    }
}
