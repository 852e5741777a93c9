//! A pod's life, as scheduler and kubelet would lead it: compact, seeded, advanced only when due.
//!
//! ```text
//! Pending ─▶ Creating ─▶ Starting ─▶ Ready ─▶ Terminating ─▶ gone
//!               │           │
//!               ▼           ▼ container exits
//!          PullFailed    BackOff ─▶ Starting …   (0, 10, 20, 40 … 300 s)
//! ```

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::after;
use super::hash::{fnv, spell};

/// How the container of one version lives; the default starts and stays.
#[derive(Debug, Clone, PartialEq)]
pub struct PodBehaviour {
    /// Factor on the time from start to ready.
    pub start_factor: f64,
    /// The container exits, again and again.
    pub crash: Option<Crash>,
    /// The image cannot be pulled.
    pub image_missing: bool,
}

impl Default for PodBehaviour {
    fn default() -> Self {
        Self { start_factor: 1.0, crash: None, image_missing: false }
    }
}

/// How a container exits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// Its exit code.
    pub exit_code: i32,
    /// How long it runs before.
    pub after: SignedDuration,
    /// Its last words in the log.
    pub message: String,
}

/// Where a pod is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not scheduled.
    Pending,
    /// Scheduled; the image is pulled, the container made.
    Creating,
    /// The container runs; its readiness probe has not passed.
    Starting,
    /// Ready.
    Ready,
    /// The container exited and waits for its next start.
    BackOff,
    /// The image could not be pulled.
    PullFailed,
    /// Asked to go.
    Terminating,
    /// Gone: to be forgotten.
    Gone,
}

/// How a container run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code.
    pub code: i32,
    /// When that run began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
}

/// Nodes of a cluster, as pods are spread over them.
pub const NODES: u64 = 3;

/// How a pod is called, and so who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Naming {
    /// By its ReplicaSet and letters of its own.
    #[default]
    Letters,
    /// By its StatefulSet and its place in it.
    Ordinal(u32),
    /// By its DaemonSet and letters of its own; it belongs on the node of this number.
    Node(u32),
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Seed of everything about this pod; its name's suffix follows from it.
    pub id: u64,
    /// Name of its ReplicaSet or ControllerRevision.
    pub set: Arc<str>,
    /// How it is called.
    pub naming: Naming,
    /// When it was made.
    pub created: Timestamp,
    /// Where it is.
    pub stage: Stage,
    /// Since when.
    pub since: Timestamp,
    /// When it moves on by itself.
    pub due: Option<Timestamp>,
    /// When it was scheduled, once it was.
    pub scheduled: Option<Timestamp>,
    /// When the present container run began.
    pub started: Option<Timestamp>,
    /// How often its container was started again.
    pub restarts: u32,
    /// How the run before ended.
    pub last_exit: Option<Exit>,
}

/// What a pod's move is told as, in an Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Whether it is a warning.
    pub warning: bool,
    /// `Scheduled`, `Pulled`, `Started`, `BackOff` …
    pub reason: &'static str,
}

/// Steps that one call advances at most; a pod due long ago catches up over several calls.
const MAX_STEPS: usize = 64;

impl Pod {
    /// A pod made at `now`.
    #[must_use]
    pub fn new(id: u64, set: Arc<str>, now: Timestamp) -> Self {
        let mut pod = Self::at(id, set, now, Stage::Pending);
        pod.due = Some(after(now, pod.jitter("schedule", 15, 60)));
        pod
    }

    /// A pod that has been ready for a while, as an old history leaves it.
    #[must_use]
    pub fn settled(id: u64, set: Arc<str>, created: Timestamp) -> Self {
        let mut pod = Self::at(id, set, created, Stage::Ready);
        let scheduled = after(created, pod.jitter("schedule", 15, 60));
        let started = after(scheduled, pod.jitter("pull", 500, 1_800));
        pod.scheduled = Some(scheduled);
        pod.started = Some(started);
        pod.since = after(started, pod.jitter("start", 1_500, 4_000));
        pod
    }

    fn at(id: u64, set: Arc<str>, created: Timestamp, stage: Stage) -> Self {
        Self {
            id,
            set,
            naming: Naming::default(),
            created,
            stage,
            since: created,
            due: None,
            scheduled: None,
            started: None,
            restarts: 0,
            last_exit: None,
        }
    }

    /// The same pod, called otherwise.
    #[must_use]
    pub fn named(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// The pod's name.
    #[must_use]
    pub fn name(&self) -> String {
        match self.naming {
            Naming::Letters => format!("{}-{}", self.set, spell(self.id, 5)),
            Naming::Ordinal(ordinal) => format!("{}-{ordinal}", self.owner().1),
            Naming::Node(_) => format!("{}-{}", self.owner().1, spell(self.id, 5)),
        }
    }

    /// Its place in a StatefulSet.
    #[must_use]
    pub fn ordinal(&self) -> Option<u32> {
        match self.naming {
            Naming::Letters | Naming::Node(_) => None,
            Naming::Ordinal(ordinal) => Some(ordinal),
        }
    }

    /// The number of its node.
    #[must_use]
    pub fn node(&self) -> u64 {
        match self.naming {
            Naming::Node(node) => node.into(),
            Naming::Letters | Naming::Ordinal(_) => self.id % NODES,
        }
    }

    /// Kind and name of its controller. A revision is called by its owner and a hash.
    #[must_use]
    pub fn owner(&self) -> (&'static str, &str) {
        let of_revision = || self.set.rsplit_once('-').map_or(&*self.set, |(name, _)| name);
        match self.naming {
            Naming::Letters => ("ReplicaSet", &self.set),
            Naming::Ordinal(_) => ("StatefulSet", of_revision()),
            Naming::Node(_) => ("DaemonSet", of_revision()),
        }
    }

    /// Its uid, where its name is not its own alone.
    #[must_use]
    pub fn uid(&self) -> Option<String> {
        self.ordinal()?;
        let (a, b) = (self.id, fnv(&self.id.to_le_bytes()));
        Some(format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            a >> 32,
            a >> 16 & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        ))
    }

    /// Whether it counts as one of its ReplicaSet's pods: everything but terminating ones.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !matches!(self.stage, Stage::Terminating | Stage::Gone)
    }

    /// Whether it serves.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Whether its container uses memory.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Starting | Stage::Ready | Stage::Terminating) && self.started.is_some()
    }

    /// When it has been ready for `min_ready` seconds; none while it is not ready.
    #[must_use]
    pub fn available_from(&self, min_ready: i64) -> Option<Timestamp> {
        self.is_ready().then(|| after(self.since, SignedDuration::from_secs(min_ready)))
    }

    /// Asks the pod to go; it stops serving at once and is gone after its grace period.
    pub fn terminate(&mut self, now: Timestamp) {
        if self.is_active() {
            let grace = if self.started.is_some() { self.jitter("stop", 1_000, 3_000) } else { SignedDuration::ZERO };
            self.enter(Stage::Terminating, now, Some(grace));
        }
    }

    /// Makes a running container exit now (a crash from outside).
    pub fn crash_now(&mut self, exit_code: i32, now: Timestamp) {
        if matches!(self.stage, Stage::Starting | Stage::Ready) {
            self.exit(exit_code, now);
        }
    }

    /// Moves the pod through everything that is due at `now`; tells what happened.
    pub fn advance(&mut self, behaviour: &PodBehaviour, now: Timestamp) -> Vec<Told> {
        let mut told = Vec::new();
        for _ in 0..MAX_STEPS {
            let Some(at) = self.due.filter(|due| *due <= now) else {
                break;
            };
            self.step(behaviour, at, &mut told);
        }
        told
    }

    fn step(&mut self, behaviour: &PodBehaviour, at: Timestamp, told: &mut Vec<Told>) {
        let mut tell = |warning, reason| told.push(Told { at, warning, reason });
        match self.stage {
            Stage::Pending => {
                self.scheduled = Some(at);
                self.enter(Stage::Creating, at, Some(self.jitter("pull", 500, 1_800)));
                tell(false, "Scheduled");
            }
            Stage::Creating if behaviour.image_missing => {
                self.enter(Stage::PullFailed, at, None);
                tell(true, "Failed");
            }
            Stage::Creating => {
                self.start(behaviour, at);
                tell(false, "Pulled");
                tell(false, "Created");
                tell(false, "Started");
            }
            Stage::Starting => match &behaviour.crash {
                Some(crash) => {
                    self.exit(crash.exit_code, at);
                    tell(true, "BackOff");
                }
                None => self.enter(Stage::Ready, at, None),
            },
            Stage::BackOff => {
                self.restarts += 1;
                self.start(behaviour, at);
                tell(false, "Started");
            }
            Stage::Terminating => self.enter(Stage::Gone, at, None),
            Stage::Ready | Stage::PullFailed | Stage::Gone => self.due = None,
        }
    }

    fn start(&mut self, behaviour: &PodBehaviour, at: Timestamp) {
        self.started = Some(at);
        let span = match &behaviour.crash {
            Some(crash) => crash.after,
            None => scaled(self.jitter("start", 1_500, 4_000), behaviour.start_factor),
        };
        self.enter(Stage::Starting, at, Some(span));
    }

    fn exit(&mut self, code: i32, at: Timestamp) {
        let started = self.started.take().unwrap_or(at);
        self.last_exit = Some(Exit { code, started, finished: at });
        self.enter(Stage::BackOff, at, Some(self.back_off()));
    }

    /// The wait before the next start: none, then 10 s doubled each time, at most 5 minutes.
    #[must_use]
    pub fn back_off(&self) -> SignedDuration {
        match self.restarts {
            0 => SignedDuration::from_millis(800),
            n => SignedDuration::from_secs(10_i64.saturating_mul(1 << (n - 1).min(5)).min(300)),
        }
    }

    fn enter(&mut self, stage: Stage, at: Timestamp, stay: Option<SignedDuration>) {
        self.stage = stage;
        self.since = at;
        self.due = stay.map(|stay| after(at, stay));
    }

    /// A span in milliseconds between `low` and `high` that belongs to this pod and step.
    fn jitter(&self, step: &str, low: i64, high: i64) -> SignedDuration {
        let seed = fnv(step.as_bytes()) ^ self.id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        SignedDuration::from_millis(fastrand::Rng::with_seed(seed).i64(low..=high))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds of seconds to hours")]
fn scaled(span: SignedDuration, factor: f64) -> SignedDuration {
    SignedDuration::from_millis((span.as_secs_f64() * 1_000.0 * factor.clamp(0.0, 1e6)) as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn start() -> Timestamp {
        "2026-03-02T10:00:00Z".parse().unwrap()
    }

    fn pod() -> Pod {
        Pod::new(7, "webapp-abc".into(), start())
    }

    #[test]
    fn a_healthy_pod_is_ready_within_seconds_and_stays() {
        let mut pod = pod();
        pod.advance(&PodBehaviour::default(), after(start(), SignedDuration::from_secs(10)));
        assert_eq!(pod.stage, Stage::Ready);
        assert_eq!(pod.due, None);
        assert!(pod.since > pod.started.unwrap());
        assert!(pod.started.unwrap() > pod.scheduled.unwrap());
    }

    #[test]
    fn the_same_seed_leads_the_same_life() {
        let late = after(start(), SignedDuration::from_secs(10));
        let (mut a, mut b) = (pod(), pod());
        a.advance(&PodBehaviour::default(), late);
        // In small steps, as a step loop does it.
        for ms in (0..10_000).step_by(50) {
            b.advance(&PodBehaviour::default(), after(start(), SignedDuration::from_millis(ms)));
        }
        assert_eq!(a, b);
    }

    #[test]
    fn a_crashing_container_backs_off_longer_each_time() {
        let crash = Crash { exit_code: 137, after: SignedDuration::from_secs(2), message: "boom".into() };
        let behaviour = PodBehaviour { crash: Some(crash), ..PodBehaviour::default() };
        let mut pod = pod();
        let mut waits = Vec::new();
        for _ in 0..40 {
            let Some(due) = pod.due else { break };
            pod.advance(&behaviour, due);
            if pod.stage == Stage::BackOff {
                waits.push(pod.back_off().as_secs());
            }
        }
        assert!(waits.starts_with(&[0, 10, 20, 40, 80, 160, 300, 300]), "{waits:?}");
        assert_eq!(pod.last_exit.unwrap().code, 137);
    }

    #[test]
    fn a_missing_image_never_starts() {
        let behaviour = PodBehaviour { image_missing: true, ..PodBehaviour::default() };
        let mut pod = pod();
        pod.advance(&behaviour, after(start(), SignedDuration::from_secs(60)));
        assert_eq!(pod.stage, Stage::PullFailed);
        assert_eq!(pod.started, None);
    }
}
