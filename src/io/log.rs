//! The program's own log: files that roll, and the log pane. Never a body, never a secret.

use std::io::{self, Write};
use std::path::Path;

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::FilterFn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::domain::text::visible;

/// Days of log that are kept.
const DAYS: usize = 7;
/// Lines that may wait for the disk; their room is taken from the start. Beyond it lines are dropped.
const WAITING: usize = 2_048;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder or the file cannot be written.
    #[error("log folder cannot be written: {0}")]
    Folder(String),
    /// Somebody set up logging before.
    #[error("logging was set up twice: {0}")]
    Twice(#[from] TryInitError),
}

/// Starts logging: into rolling files of `folder`, and into the log pane where there is one.
///
/// Lines are written by a thread of their own. Dropping the guard writes the rest.
pub fn start(folder: &Path, level: LevelFilter, with_pane: bool) -> Result<WorkerGuard, LogError> {
    std::fs::create_dir_all(folder).map_err(|e| LogError::Folder(e.to_string()))?;
    let files = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("gonogo")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(folder)
        .map_err(|e| LogError::Folder(e.to_string()))?;
    let lines = tracing_appender::non_blocking::NonBlockingBuilder::default().buffered_lines_limit(WAITING);
    let (writer, guard) = lines.finish(files);
    let file = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(VisibleLines(writer))
        .with_filter(FilterFn::new(is_ours))
        .with_filter(level);
    let pane =
        with_pane.then(|| tui_logger::TuiTracingSubscriberLayer.with_filter(FilterFn::new(is_ours)).with_filter(level));
    tracing_subscriber::registry().with(file).with(pane).try_init()?;
    if with_pane {
        // Its own thread would wake a hundred times a second; the console calls `gather` instead.
        tui_logger::set_default_level(tui_logger::LevelFilter::Debug);
    }
    Ok(guard)
}

/// Makes room for new lines of the pane: to be called once a second. What comes faster than a
/// thousand lines between two calls is lost to the pane, which says so; the file has all of it.
pub fn gather() {
    tui_logger::move_events();
}

/// Starts logging as JSON lines on standard error, for a process that others collect from.
pub fn to_stderr(level: LevelFilter) -> Result<(), LogError> {
    let lines = JsonLines(std::sync::Mutex::new(io::stderr()));
    let layer = lines.with_filter(FilterFn::new(is_ours)).with_filter(level);
    tracing_subscriber::registry().with(layer).try_init()?;
    Ok(())
}

/// One JSON object per event.
struct JsonLines<W>(std::sync::Mutex<W>);

impl<S, W> Layer<S> for JsonLines<W>
where
    S: tracing::Subscriber,
    W: Write + Send + 'static,
{
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let line = json_line(crate::io::Clock::host().wall(), event);
        let mut to = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A reader that is gone is no reason to stop guarding.
        let _ = writeln!(to, "{line}").and_then(|()| to.flush());
    }
}

fn json_line(at: crate::domain::stamp::Timestamp, event: &tracing::Event<'_>) -> serde_json::Value {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let meta = event.metadata();
    let mut line = serde_json::json!({
        "at": at.to_string(),
        "level": meta.level().as_str().to_ascii_lowercase(),
        "target": meta.target(),
    });
    if let Some(line) = line.as_object_mut() {
        line.append(&mut fields.0);
    }
    line
}

/// Values of an event, made visible.
#[derive(Default)]
struct Fields(serde_json::Map<String, serde_json::Value>);

impl tracing::field::Visit for Fields {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.0.insert(field.name().to_owned(), visible(value).into());
    }
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), visible(&format!("{value:?}")).into());
    }
}

/// Libraries log requests, and one of them whole bodies: only our own words are kept,
/// and warnings of those that never see a body.
fn is_ours(meta: &Metadata<'_>) -> bool {
    is_kept(meta.target(), *meta.level() <= tracing::Level::WARN)
}

fn is_kept(target: &str, is_warning: bool) -> bool {
    let root = target.split("::").next().unwrap_or_default();
    match root {
        "gonogo" => true,
        "rustls" | "hyper" | "hyper_util" | "tokio" | "tracing_appender" => is_warning,
        _ => false,
    }
}

/// Makes lines harmless for the terminal that shows them one day.
#[derive(Clone)]
struct VisibleLines<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for VisibleLines<W> {
    type Writer = VisibleLines<W::Writer>;
    fn make_writer(&'a self) -> Self::Writer {
        VisibleLines(self.0.make_writer())
    }
}

impl<W: Write> Write for VisibleLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(visible(line).as_bytes())?;
        self.0.write_all(b"\n")?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_our_own_words_are_kept() {
        assert!(is_kept("gonogo::io::watch", false));
        assert!(is_kept("rustls::conn", true) && !is_kept("rustls::conn", false));
        for loud in ["kube_client::client", "kube_client::client::builder", "reqwest::connect", "tower_http"] {
            assert!(!is_kept(loud, true), "{loud}");
        }
    }

    #[test]
    fn a_line_cannot_steer_the_terminal_that_shows_it() {
        let mut out = VisibleLines(Vec::new());
        out.write_all("one \u{1b}[2J two\u{202e}\nthree\n".as_bytes()).unwrap();
        assert_eq!(String::from_utf8(out.0).unwrap(), "one ␛[2J two‹U+202E›␊three\n");
    }
}
