//! Watches: initial events, changes through a selector, bookmarks, and honest ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures::Stream;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::resources::Resource;
use super::super::status::ApiError;
use super::super::store::{Change, Changes, Compacted, Store, Stored, Verb};
use super::body::Reset;
use super::represent::{self, Form};
use super::selector::Selector;

/// How often an idle watch gets a bookmark.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// How long before its end a watch gets its last bookmark.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);
/// How long a watch waits for the revision that it asks for.
const REVISION: Duration = Duration::from_secs(3);
/// At most this much is put together before it is sent.
const CHUNK: usize = 256 * 1024;

/// What a watch asks for.
pub struct WatchRequest {
    /// The resource, possibly a view.
    pub resource: &'static Resource,
    /// Only this namespace; None: all.
    pub namespace: Option<String>,
    /// Only what matches.
    pub selector: Selector,
    /// The form of the objects.
    pub form: Form,
    /// Where it starts.
    pub start: Start,
    /// Whether bookmarks are wanted.
    pub bookmarks: bool,
    /// When it ends.
    pub timeout: Duration,
}

/// Where a watch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With everything there is, then changes.
    Everything {
        /// Whether a bookmark marks the end of the initial events.
        marked: bool,
        /// Not older than this revision; 0: any.
        least: u64,
    },
    /// With the changes after a revision.
    After(u64),
}

struct Watch {
    store: Store,
    request: WatchRequest,
    changes: Changes,
    cuts: watch::Receiver<u64>,
    deadline: Instant,
    bookmark_at: Instant,
    ready: VecDeque<Bytes>,
    heading: bool,
    ended: bool,
    /// When it is given up that the revision asked for is reached.
    awaiting: Option<Instant>,
}

/// The event stream of a watch.
pub fn stream(
    store: &Store,
    request: WatchRequest,
    cuts: watch::Receiver<u64>,
) -> impl Stream<Item = Result<Bytes, Reset>> + Send + 'static {
    let now = Instant::now();
    let deadline = now + request.timeout;
    let early = matches!(request.start, Start::Everything { least, .. } if least > store.revision());
    let (revision, initial) = match request.start {
        Start::After(revision) => (revision, Vec::new()),
        Start::Everything { .. } if early => (store.revision(), Vec::new()),
        Start::Everything { .. } => store.snapshot(request.resource, request.namespace.as_deref()),
    };
    let mut watch = Watch {
        store: store.clone(),
        changes: store.changes_after(revision),
        cuts,
        deadline,
        bookmark_at: next_bookmark(now, deadline),
        ready: VecDeque::new(),
        heading: true,
        ended: false,
        awaiting: early.then(|| now + REVISION),
        request,
    };
    if !early {
        watch.begin(revision, &initial);
    }
    futures::stream::unfold(watch, |mut watch| async move {
        let chunk = watch.next_chunk().await?;
        Some((Ok(chunk), watch))
    })
}

fn next_bookmark(now: Instant, deadline: Instant) -> Instant {
    let last = deadline.checked_sub(LAST_BOOKMARK).unwrap_or(now);
    let regular = now + BOOKMARKS;
    if last > now { regular.min(last) } else { regular }
}

impl Watch {
    fn begin(&mut self, revision: u64, initial: &[Arc<Stored>]) {
        let selected = initial.iter().filter(|o| self.request.selector.matches(&o.value));
        let selected: Vec<Arc<Stored>> = selected.cloned().collect();
        for stored in selected {
            self.push("ADDED", &stored);
        }
        if matches!(self.request.start, Start::Everything { marked: true, .. }) {
            self.push_bookmark(revision, true);
        }
    }

    /// Waits for something to send; None when the watch is over.
    async fn next_chunk(&mut self) -> Option<Bytes> {
        loop {
            if !self.ready.is_empty() {
                return Some(self.take_chunk());
            }
            if self.ended {
                return None;
            }
            if let Some(until) = self.awaiting {
                self.await_revision(until).await;
                continue;
            }
            tokio::select! {
                biased;
                change = self.changes.next() => self.receive(change),
                () = tokio::time::sleep_until(self.bookmark_at) => self.bookmark(),
                () = tokio::time::sleep_until(self.deadline) => self.ended = true,
                _ = self.cuts.changed() => self.ended = true,
            }
        }
    }

    /// Starts once the revision asked for is reached, or says that it was not.
    async fn await_revision(&mut self, until: Instant) {
        let Start::Everything { least, .. } = self.request.start else { return };
        let reached = self.store.revision() >= least;
        if reached {
            let (revision, initial) = self.store.snapshot(self.request.resource, self.request.namespace.as_deref());
            self.changes = self.store.changes_after(revision);
            self.begin(revision, &initial);
            self.awaiting = None;
            return;
        }
        tokio::select! {
            biased;
            _ = self.changes.next() => {}
            () = tokio::time::sleep_until(until) => {
                let status = ApiError::too_large(least, self.store.revision()).to_status();
                self.ready.push_back(event("ERROR", status.to_string().as_bytes()));
                self.awaiting = None;
                self.ended = true;
            }
            _ = self.cuts.changed() => {
                self.awaiting = None;
                self.ended = true;
            }
        }
    }

    /// Takes what has come, and everything that waits behind it.
    fn receive(&mut self, first: Result<Arc<Change>, Compacted>) {
        let mut next = first.map(Some);
        loop {
            match next {
                Ok(Some(change)) => self.offer(&change),
                Ok(None) => return,
                Err(gone) => {
                    let status = ApiError::expired(gone.requested, gone.oldest).to_status();
                    self.ready.push_back(event("ERROR", status.to_string().as_bytes()));
                    self.ended = true;
                    return;
                }
            }
            if self.ready.len() >= 512 {
                return;
            }
            next = self.changes.try_next();
        }
    }

    /// Sends a change if it is asked for: what starts to match is added, what stops is deleted.
    fn offer(&mut self, change: &Change) {
        let request = &self.request;
        if !change.resource.is(request.resource.stored())
            || request.namespace.as_deref().is_some_and(|ns| ns != change.stored.namespace())
        {
            return;
        }
        let before = change.previous.as_deref().is_some_and(|o| request.selector.matches(o));
        let after = change.verb != Verb::Deleted && request.selector.matches(&change.object);
        match (before, after) {
            (false, true) => self.push("ADDED", &change.stored),
            (true, true) => self.push("MODIFIED", &change.stored),
            (true, false) if change.verb == Verb::Deleted => self.push("DELETED", &change.stored),
            (true, false) => {
                // It left the selection: the last state that was in it, at this revision.
                let mut last = change.previous.as_deref().cloned().unwrap_or(Value::Null);
                if let Some(slot) = last.pointer_mut("/metadata/resourceVersion") {
                    *slot = change.revision.to_string().into();
                }
                self.push("DELETED", &Stored::new(Arc::new(last)));
            }
            (false, false) => {}
        }
    }

    fn push(&mut self, kind: &str, stored: &Stored) {
        let resource = self.request.resource;
        let object = match self.request.form {
            Form::Table(include) => {
                let row = represent::row(resource, include, stored, self.store.clock().now());
                let revision = stored.meta("resourceVersion");
                let head = std::mem::take(&mut self.heading);
                represent::table(resource, revision, "", &[row], head)
            }
            form => represent::one(resource, form, stored, self.store.clock().now()),
        };
        self.ready.push_back(event(kind, &object));
    }

    fn bookmark(&mut self) {
        let now = Instant::now();
        self.bookmark_at = next_bookmark(now, self.deadline);
        if self.request.bookmarks {
            self.push_bookmark(self.changes.read(), false);
        }
    }

    fn push_bookmark(&mut self, revision: u64, initial_end: bool) {
        let resource = self.request.resource;
        let mut meta = json!({"resourceVersion": revision.to_string()});
        if let (true, Some(map)) = (initial_end, meta.as_object_mut()) {
            map.insert("annotations".to_owned(), json!({"k8s.io/initial-events-end": "true"}));
        }
        let object = match self.request.form {
            Form::Object => {
                json!({"kind": resource.kind, "apiVersion": resource.api_version(), "metadata": meta})
            }
            Form::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta})
            }
            // A row of an empty object, which carries the mark.
            Form::Table(include) => {
                let empty = Stored::new(Arc::new(json!({"metadata": meta})));
                let row = represent::row(resource, include, &empty, self.store.clock().now());
                let head = std::mem::take(&mut self.heading);
                let table = represent::table(resource, &revision.to_string(), "", &[row], head);
                self.ready.push_back(event("BOOKMARK", &table));
                return;
            }
        };
        self.ready.push_back(event("BOOKMARK", object.to_string().as_bytes()));
    }

    fn take_chunk(&mut self) -> Bytes {
        let Some(first) = self.ready.pop_front() else {
            return Bytes::new();
        };
        if self.ready.is_empty() {
            return first;
        }
        let mut chunk = BytesMut::from(first);
        while let Some(next) = self.ready.pop_front() {
            chunk.put_slice(&next);
            if chunk.len() >= CHUNK {
                break;
            }
        }
        chunk.freeze()
    }
}

/// One line of a watch.
fn event(kind: &str, object: &[u8]) -> Bytes {
    let object = object.strip_suffix(b"\n").unwrap_or(object);
    let mut line = BytesMut::with_capacity(object.len() + 40);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(kind.as_bytes());
    line.put_slice(b"\",\"object\":");
    line.put_slice(object);
    line.put_slice(b"}\n");
    line.freeze()
}
