//! The terminal: modes set and always restored, keys read, bytes written, each by a thread of its own.
//!
//! Writing is another thread's work, so a terminal that stops reading delays no watch,
//! no journal write and no action: while it is busy no frame is made, and afterwards it
//! gets one current frame.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange,
    EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;

/// Whether the modes are set: read by the panic hook and the signal handler.
static RAW: AtomicBool = AtomicBool::new(false);

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub enum NoTerminal {
    /// Standard output is a file or a pipe.
    #[error("standard output is not a terminal")]
    NotATerminal,
    /// A mode could not be set.
    #[error("the terminal's modes could not be set: {0}")]
    Modes(#[from] io::Error),
}

/// Whether there is a terminal on both ends.
pub fn is_there() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

/// Sets the modes; [`restore`] undoes them.
pub fn enter() -> Result<(), NoTerminal> {
    if !is_there() {
        return Err(NoTerminal::NotATerminal);
    }
    enable_raw_mode()?;
    RAW.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste, EnableFocusChange, Hide)?;
    Ok(())
}

/// Undoes every mode, once; safe to call from a panic hook, again and again.
pub fn restore() {
    if RAW.swap(false, Ordering::SeqCst) {
        // Nothing can be done about a failure here: the terminal may be gone.
        let _ = execute!(
            io::stdout(),
            EndSynchronizedUpdate,
            DisableFocusChange,
            DisableBracketedPaste,
            DisableMouseCapture,
            LeaveAlternateScreen,
            Show
        );
        let _ = disable_raw_mode();
    }
}

/// Restores the terminal before any panic is reported, in whichever thread.
pub fn install_panic_hook() {
    let next = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        next(info);
    }));
}

/// Bytes of one frame, collected while ratatui draws.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Vec<u8>>>);

impl Collected {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Collected {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The screen: draws when the terminal has taken the frame before.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Collected>>,
    collected: Collected,
    to_writer: Sender<Vec<u8>>,
    busy: Arc<AtomicBool>,
    gone: Arc<AtomicBool>,
    size: (u16, u16),
}

impl Screen {
    /// A screen of the terminal's size. `written` is called after each frame was taken.
    pub fn new(written: impl Fn() + Send + 'static) -> Result<Self, NoTerminal> {
        let size = crossterm::terminal::size()?;
        let collected = Collected::default();
        let (to_writer, frames) = channel();
        let busy = Arc::new(AtomicBool::new(false));
        let gone = Arc::new(AtomicBool::new(false));
        let (b, g) = (busy.clone(), gone.clone());
        thread::Builder::new().name("terminal-writer".into()).spawn(move || write_frames(&frames, &b, &g, &written))?;
        Ok(Self { terminal: fixed(&collected, size)?, collected, to_writer, busy, gone, size })
    }

    /// The terminal has not taken the last frame yet.
    pub fn busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// Writing failed: the terminal is gone.
    pub fn gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Takes another size; the next frame is drawn whole.
    pub fn resize(&mut self, size: (u16, u16)) -> io::Result<()> {
        if self.size != size {
            self.size = size;
            self.terminal.resize(Rect::new(0, 0, size.0, size.1))?;
        }
        Ok(())
    }

    /// The next frame is drawn whole: after a suspend, or when asked for.
    ///
    /// Nothing is asked of the terminal for it: one that does not say where its cursor is must not
    /// end the program.
    pub fn forget(&mut self) -> io::Result<()> {
        self.terminal = fixed(&self.collected, self.size)?;
        queue!(self.collected, Clear(ClearType::All))
    }

    /// Puts text on the terminal's clipboard (OSC 52), if the terminal allows that.
    pub fn copy(&mut self, text: &str) {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        // Not counted as a frame: it is written between two.
        let _ = self.to_writer.send(format!("\x1b]52;c;{encoded}\x07").into_bytes());
    }

    /// Draws a frame and hands what changed to the writer. Nothing changed: nothing is written.
    pub fn draw(&mut self, frame: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(frame)?;
        let bytes = self.collected.take();
        if bytes.is_empty() || only_cursor(&bytes) {
            return Ok(());
        }
        let mut whole = Vec::with_capacity(bytes.len() + 32);
        queue!(whole, BeginSynchronizedUpdate)?;
        whole.extend_from_slice(&bytes);
        queue!(whole, EndSynchronizedUpdate)?;
        self.busy.store(true, Ordering::Release);
        if self.to_writer.send(whole).is_err() {
            self.gone.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// A frame in which no cell changed still carries the cursor's and the colours' reset.
fn only_cursor(bytes: &[u8]) -> bool {
    bytes
        .split(|b| *b == 0x1b)
        .all(|part| matches!(part, b"" | b"[?25l" | b"[?25h" | b"[39m" | b"[49m" | b"[59m" | b"[0m" | b"[39m\x1b[49m"))
}

fn fixed(collected: &Collected, size: (u16, u16)) -> io::Result<Terminal<CrosstermBackend<Collected>>> {
    let viewport = ratatui::Viewport::Fixed(Rect::new(0, 0, size.0, size.1));
    Terminal::with_options(CrosstermBackend::new(collected.clone()), ratatui::TerminalOptions { viewport })
}

fn write_frames(frames: &Receiver<Vec<u8>>, busy: &AtomicBool, gone: &AtomicBool, written: &impl Fn()) {
    let mut out = io::stdout();
    while let Ok(bytes) = frames.recv() {
        let result = out.write_all(&bytes).and_then(|()| out.flush());
        if result.is_err() {
            gone.store(true, Ordering::Release);
        }
        busy.store(false, Ordering::Release);
        written();
        if result.is_err() {
            return;
        }
    }
}

/// The next event of the terminal; an error when it is gone.
///
/// Waits with a time limit, so that a terminal that hung up without a word is noticed.
pub fn next_event() -> io::Result<Option<crossterm::event::Event>> {
    if crossterm::event::poll(std::time::Duration::from_secs(1))? {
        return crossterm::event::read().map(Some);
    }
    hung_up()
}

/// Asks the kernel whether the terminal has hung up: some event sources never say.
fn hung_up() -> io::Result<Option<crossterm::event::Event>> {
    use rustix::event::{PollFd, PollFlags, poll};
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
    let no_wait = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&no_wait))?;
    let gone = fds.iter().any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL));
    if gone { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(None) }
}
