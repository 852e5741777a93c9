//! Tells people through webhooks: generic JSON, or what Slack and its like take.
//!
//! Each webhook has a queue and a task of its own: the engine gives a notice away and never
//! waits. An address is a secret: it is in no log, no error and no message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::config::{NotifyForm, Secret, Webhook};
use crate::engine::effect::Notice;
use crate::io::prometheus::HttpStack;

/// Notices that may wait for a webhook; more are dropped, and counted.
const WAITING: usize = 256;
/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Between tries, at first; doubled up to [`WAIT_MOST`].
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// Between tries, at most.
const WAIT_MOST: Duration = Duration::from_secs(60);
/// Tries of one notice.
const TRIES: u32 = 8;

/// What became of notices.
#[derive(Debug, Default)]
pub struct Counts {
    /// Taken by their receivers.
    pub sent: AtomicU64,
    /// Given up after all tries.
    pub failed: AtomicU64,
    /// Not even queued: too many waited.
    pub dropped: AtomicU64,
}

/// Every webhook of a configuration.
#[derive(Clone)]
pub struct Notifier {
    hooks: Arc<Vec<(Webhook, Sender<Notice>)>>,
    counts: Arc<Counts>,
}

/// Who tells: stands in every message.
#[derive(Clone, Debug)]
pub struct Teller {
    /// Name of the fleet.
    pub fleet: String,
    /// The guard.
    pub guard: String,
    /// Its mode.
    pub mode: String,
}

impl Notifier {
    /// Starts a task per webhook.
    pub fn start(runtime: &Handle, hooks: &[Webhook], stack: &Arc<dyn HttpStack>, teller: &Teller) -> Self {
        let counts = Arc::new(Counts::default());
        let start = |hook: &Webhook| {
            let (to, from) = channel(WAITING);
            let line =
                Line { hook: hook.clone(), stack: stack.clone(), teller: teller.clone(), counts: counts.clone() };
            runtime.spawn(line.run(from));
            (hook.clone(), to)
        };
        Self { hooks: Arc::new(hooks.iter().map(start).collect()), counts: counts.clone() }
    }

    /// Gives a notice to every webhook that wants its kind. Never waits.
    pub fn tell(&self, notice: &Notice) {
        for (hook, to) in self.hooks.iter() {
            let wanted = hook.events.is_empty() || hook.events.contains(&notice.kind);
            if wanted && to.try_send(notice.clone()).is_err() {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
                tracing::error!("notify {}: too many notices wait; this one is dropped: {}", hook.name, notice.text);
            }
        }
    }

    /// What became of notices so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

struct Line {
    hook: Webhook,
    stack: Arc<dyn HttpStack>,
    teller: Teller,
    counts: Arc<Counts>,
}

impl Line {
    async fn run(self, mut from: Receiver<Notice>) {
        while let Some(notice) = from.recv().await {
            let mut wait = WAIT_FIRST;
            let mut why = String::new();
            for attempt in 0..TRIES {
                match self.send(&notice).await {
                    Ok(()) => {
                        why.clear();
                        break;
                    }
                    // What the receiver will not take now it will not take later.
                    Err(Failed::ForGood(text)) => {
                        why = text;
                        break;
                    }
                    Err(Failed::ForNow(text)) => {
                        why = text;
                        if attempt + 1 < TRIES {
                            tokio::time::sleep(wait).await;
                            wait = wait.saturating_mul(2).min(WAIT_MOST);
                        }
                    }
                }
            }
            let counter = if why.is_empty() { &self.counts.sent } else { &self.counts.failed };
            counter.fetch_add(1, Ordering::Relaxed);
            if !why.is_empty() {
                tracing::error!("notify {}: not told: {why}: {}", self.hook.name, notice.text);
            }
        }
    }

    async fn send(&self, notice: &Notice) -> Result<(), Failed> {
        let url = match &self.hook.url {
            Secret::Known(url) => url.to_string(),
            Secret::File(path) => match tokio::fs::read_to_string(path).await {
                Ok(text) => text.trim().to_owned(),
                Err(error) => {
                    return Err(Failed::ForNow(format!("{} cannot be read: {}", path.display(), error.kind())));
                }
            },
        };
        let body = Bytes::from(body(self.hook.form, notice, &self.teller));
        let request = Request::post(url).header(http::header::CONTENT_TYPE, "application/json").body(body);
        // The error would show the address.
        let request = request.map_err(|_| Failed::ForGood("its url is not one".to_owned()))?;
        match tokio::time::timeout(LIMIT, self.stack.send(request)).await {
            Err(_) => Err(Failed::ForNow(format!("no answer within {} s", LIMIT.as_secs()))),
            Ok(Err(_)) => Err(Failed::ForNow("the receiver cannot be reached".to_owned())),
            Ok(Ok(answer)) => match answer.status().as_u16() {
                200..=299 => Ok(()),
                code @ (408 | 425 | 429 | 500..=599) => Err(Failed::ForNow(format!("the receiver answered {code}"))),
                code => Err(Failed::ForGood(format!("the receiver answered {code}"))),
            },
        }
    }
}

enum Failed {
    ForNow(String),
    ForGood(String),
}

/// The message.
pub fn body(form: NotifyForm, notice: &Notice, teller: &Teller) -> String {
    let document = match form {
        NotifyForm::Generic => json!({
            "version": 1,
            "kind": notice.kind.word(),
            "key": notice.key,
            "fleet": teller.fleet,
            "service": notice.service,
            "text": notice.text,
            "at": notice.at.to_string(),
            "guard": teller.guard,
            "mode": teller.mode,
        }),
        // Slack reads `&`, `<` and `>` as markup.
        NotifyForm::Slack => {
            let plain = |t: &str| t.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            json!({"text": format!("*{}* {}: {}", plain(&notice.service), notice.kind.word(), plain(&notice.text))})
        }
    };
    document.to_string()
}
