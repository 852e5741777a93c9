//! One watch, for as long as the program runs: list, watch, resume, resync.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout, timeout_at};

use super::health::{Health, WatchIx};
use super::lines::Lines;
use super::plan::WatchPlan;
use super::read::{self, Event, Page, garbage};
use crate::domain::id::{Namespace, Text};
use crate::domain::observation::{Observation, ResourceVersion};
use crate::domain::text::safe;
use crate::io::answer::{Failure, Headers, Status};
use crate::io::connect::{Access, Generation};

/// Objects per page of a list.
const PAGE: usize = 500;
/// Shortest and longest watch that is asked for, in seconds.
const ASKED: std::ops::RangeInclusive<u64> = 25..=35;
/// A watch that was not ended by its server this long after its time is dead.
const GRACE: Duration = Duration::from_secs(5);
/// A watch is answered (not: brings an event) within this time.
const ANSWERED: Duration = Duration::from_secs(15);
/// A watch that lived this long worked: one broken connection is renewed without a word.
const WORKED: Duration = Duration::from_secs(5);
/// What cannot be watched is asked for again after this time.
const TROUBLE_AGAIN: Duration = Duration::from_secs(60);
/// Pages of one list: a server that never ends a list is not believed.
const MOST_PAGES: usize = 10_000;

/// One watch in one namespace, or in all.
pub(super) struct Follow<'a> {
    pub(super) watch: WatchIx,
    pub(super) access: &'a Access,
    pub(super) health: &'a Health,
    pub(super) plan: &'a WatchPlan,
    pub(super) namespace: Option<Namespace>,
}

/// Where a watch stands.
#[derive(Default)]
struct Position {
    /// Resume from here; none: list first.
    version: Option<String>,
    /// A list was complete before.
    synced: bool,
    /// Credentials of this generation were refused.
    refused: Option<Generation>,
    /// Credentials were renewed since the last success.
    renewed: bool,
    /// Watches in a row that ended at once.
    short: u32,
}

/// How an attempt ended, when the server did not simply end the watch.
struct Ended {
    failure: Failure,
    doing: &'static str,
    generation: Option<Generation>,
    /// The watch had worked: its connection broke.
    broke: bool,
}

impl Follow<'_> {
    /// Runs until nobody listens any more.
    pub(super) async fn run(self, mut rng: fastrand::Rng) {
        let mut at = Position::default();
        loop {
            match self.attempt(&mut at, &mut rng).await {
                Ok(lived) => self.pace(&mut at, lived).await,
                Err(ended) => self.failed(&mut at, ended).await,
            }
        }
    }

    /// A server that ends every watch at once is not asked in a tight loop.
    async fn pace(&self, at: &mut Position, lived: Duration) {
        at.short = if lived < WORKED { at.short.saturating_add(1) } else { 0 };
        if at.short > 1 {
            let most = Duration::from_millis(250).saturating_mul(1 << at.short.min(7));
            let wait = self.health.jittered(most.min(super::health::LONGEST));
            self.health.wait(wait).await;
        }
    }

    async fn failed(&self, at: &mut Position, ended: Ended) {
        let code = ended.failure.code();
        match (&ended.failure, code) {
            (_, Some(401)) => {
                at.refused = ended.generation;
                if !std::mem::replace(&mut at.renewed, true) {
                    return;
                }
                at.renewed = false;
            }
            // Too old to resume from: list again, which is not a failure of the cluster. Where every version
            // is too old, also the one just listed, that is not done without end.
            (_, Some(410)) if at.version.take().is_some() => return self.pace(at, Duration::ZERO).await,
            // Whatever else the server or something in between said: what we resume from may be wrong.
            (Failure::Status(_) | Failure::Garbage(_), code) if !matches!(code, Some(403 | 429)) => at.version = None,
            _ => {}
        }
        let doing = format!("{} {}", ended.doing, self.what());
        // Where the definition of a custom kind is missing, its regions are unknown, and the others live on.
        let undefined = matches!(&ended.failure, Failure::Status(s) if !s.is_status) && code == Some(404);
        let may_lack = !self.plan.is_essential() || undefined && self.plan.is_custom();
        if matches!(code, Some(403 | 404)) && may_lack && !at.synced {
            let text = match (&ended.failure, code) {
                (Failure::Status(s), Some(404)) if !s.is_status => {
                    format!("{} is not served there (CRD absent): {}", self.plan.resource(), self.access.name)
                }
                (failure, _) => format!("{doing}: {}", failure.text()),
            };
            self.health.troubled(self.watch, safe(&text, 600).into());
            let wait = self.health.jittered(TROUBLE_AGAIN);
            return self.health.wait(wait).await;
        }
        if ended.broke && matches!(ended.failure, Failure::Lost(_)) {
            return;
        }
        let asked = ended.failure.retry_after();
        self.health.failed(self.watch, ended.failure.reason(&doing), asked).await;
    }

    /// One list if needed, then one watch; how long the watch lived.
    async fn attempt(&self, at: &mut Position, rng: &mut fastrand::Rng) -> Result<Duration, Ended> {
        let opened = match at.refused.take() {
            Some(generation) => self.access.renewed(generation).await,
            None => self.access.reader().await,
        };
        let end = |doing, generation| move |failure| Ended { failure, doing, generation, broke: false };
        let open = opened.map_err(Failure::NoAccess).map_err(end("connect for", None))?;
        let generation = Some(open.generation);
        let version = match at.version.clone() {
            Some(version) => version,
            None => {
                let version = self.list(&open.reader, at.synced).await.map_err(end("list", generation))?;
                (at.version, at.synced) = (Some(version.clone()), true);
                version
            }
        };
        let seconds = rng.u64(ASKED);
        let start = Instant::now();
        let path = self
            .path(&format!("watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}"));
        let response = timeout(ANSWERED, open.reader.stream(&path)).await;
        let response = response.unwrap_or_else(|_| Err(Failure::timeout(ANSWERED)));
        let response = response.map_err(end("watch", generation))?;
        // Not before: a watch that is resumed asks nothing else, and would be refused and renewed without end.
        at.renewed = false;
        self.health.heard(Headers::read(response.headers()).server_time);
        self.health.opened(self.watch);
        let deadline = start + Duration::from_secs(seconds) + GRACE;
        let ended = self.events(Lines::new(response.into_body()), deadline, at).await;
        let lived = start.elapsed();
        match ended {
            Ok(()) => Ok(lived),
            Err(failure) => {
                // Silence until the deadline is a dead peer, not a connection that somebody closed.
                let broke = lived >= WORKED && Instant::now() < deadline;
                Err(Ended { failure, doing: "watch", generation, broke })
            }
        }
    }

    /// Reads events until the server ends the watch.
    async fn events(&self, mut lines: Lines, deadline: Instant, at: &mut Position) -> Result<(), Failure> {
        let mut since_last = Instant::now();
        loop {
            let line = match timeout_at(deadline, lines.next()).await {
                Ok(line) => line?,
                // Events came until just now: the server only does not keep to the time asked for.
                Err(_) if since_last.elapsed() < GRACE => return Ok(()),
                Err(_) => return Err(Failure::Lost("watch went silent".to_owned())),
            };
            let Some(line) = line else { return Ok(()) };
            since_last = Instant::now();
            self.event(&line, at).await?;
        }
    }

    async fn event(&self, line: &Bytes, at: &mut Position) -> Result<(), Failure> {
        let event: Event<'_> = serde_json::from_slice(line).map_err(|e| garbage("a watch event", &e))?;
        let bytes = event.object.get().as_bytes();
        if event.kind == "ERROR" {
            return Err(Failure::Status(Box::new(Status::in_event(bytes))));
        }
        let head = read::head(self.plan, bytes)?;
        self.health.heard(None);
        if let Some((namespace, name)) = head.wanted {
            let seen = match &*event.kind {
                "ADDED" | "MODIFIED" => Some(read::object(self.plan, namespace, name, bytes)?),
                "DELETED" => Some(read::gone(self.plan, namespace, name)),
                // Types to come are skipped, as the API asks of its clients.
                _ => None,
            };
            if let Some(seen) = seen {
                let (cluster, version) = (self.health.cluster(), head.version);
                self.health.tell(Observation::Object { cluster, seen, version });
            }
        }
        if !head.resource_version.is_empty() {
            at.version = Some(head.resource_version);
        }
        Ok(())
    }

    /// A complete list; the version to watch from.
    async fn list(&self, reader: &crate::io::connect::Reader, gap: bool) -> Result<String, Failure> {
        let mut present: Vec<Text> = Vec::new();
        let mut next = String::new();
        for _ in 0..MOST_PAGES {
            let mut query = format!("limit={PAGE}");
            if !next.is_empty() {
                query.push_str("&continue=");
                query.push_str(&escaped(&next));
            }
            let answer = reader.get(&self.path(&query)).await?;
            self.health.heard(answer.headers.server_time);
            let page: Page<'_> = serde_json::from_slice(&answer.body).map_err(|e| garbage("a list", &e))?;
            for item in page.items.unwrap_or_default() {
                let bytes = item.get().as_bytes();
                let head = read::head(self.plan, bytes)?;
                if let Some((namespace, name)) = head.wanted {
                    present.push(format!("{namespace}/{name}").into());
                    let seen = read::object(self.plan, namespace, name, bytes)?;
                    let (cluster, version) = (self.health.cluster(), head.version);
                    self.health.tell(Observation::Object { cluster, seen, version });
                }
            }
            match page.metadata.next.filter(|n| !n.is_empty()) {
                Some(token) => next = token,
                None => {
                    let synced = Observation::Synced {
                        cluster: self.health.cluster(),
                        watch: self.plan.kind.clone(),
                        namespace: self.namespace.clone(),
                        present,
                        version: ResourceVersion::parse(&page.metadata.resource_version),
                        gap,
                    };
                    self.health.tell(synced);
                    return Ok(page.metadata.resource_version);
                }
            }
        }
        Err(Failure::Garbage("a list has no end".to_owned()))
    }

    fn path(&self, query: &str) -> String {
        let mut path = collection(self.plan, self.namespace.as_ref());
        path.push('?');
        if let Some(selector) = self.plan.selector {
            path.push_str("labelSelector=");
            path.push_str(&escaped(selector));
            path.push('&');
        }
        path.push_str(query);
        path
    }

    /// `deployments.apps in namespace shop of cluster eu`.
    fn what(&self) -> String {
        let place = match &self.namespace {
            Some(namespace) => format!("in namespace {namespace}"),
            None => "in all namespaces".to_owned(),
        };
        format!("{} {place} of cluster {}", self.plan.resource(), self.access.name)
    }
}

/// Path of a collection in one namespace or in all.
pub(super) fn collection(plan: &WatchPlan, namespace: Option<&Namespace>) -> String {
    match namespace {
        Some(namespace) => plan.api.path(namespace.as_str(), "", None),
        None if plan.api.group.is_empty() => format!("/api/{}/{}", plan.api.version, plan.api.plural),
        None => format!("/apis/{}/{}/{}", plan.api.group, plan.api.version, plan.api.plural),
    }
}

/// Percent-encodes a query value.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
