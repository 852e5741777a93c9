//! From a seed to everything that people, machines and accidents do in one run.

use std::fmt;
use std::time::Duration;

use gonogo::sim::prom::faults::Fault as PromFault;

use super::wire::Trouble;

/// The world of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Regions, staging included; the edge is one cluster more.
    pub regions: usize,
    /// Regions of the ring that the release comes to next; the first two rings have one each.
    pub wide: usize,
    pub parallelism: u32,
    pub operators: usize,
    /// `guard` or `autopilot`, where one stands by.
    pub guard: Option<&'static str>,
    pub scenario: &'static str,
    /// Wall clocks of the processes, in seconds ahead of the clusters.
    pub skews: Vec<i64>,
    pub length: Duration,
}

/// How large worlds are, and how long runs last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What a test can wait for without optimisation.
    Small,
    /// 3 to 12 clusters, up to ten minutes.
    Full,
}

/// How long every ring bakes.
pub const BAKE: Duration = Duration::from_secs(10 * 60);

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Promote,
    PromoteNow,
    HoldAll,
    HoldRing,
    HoldRegion,
    Resume,
    RollBack,
    Abort,
    Drain,
    Restore,
    Cancel,
}

impl Wish {
    /// What gives back what it takes.
    fn back(self) -> Option<Self> {
        match self {
            Self::HoldAll | Self::HoldRing | Self::HoldRegion => Some(Self::Resume),
            Self::Drain => Some(Self::Restore),
            _ => None,
        }
    }
}

/// What others do to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    SetImage,
    Pause,
    LetOn,
    Scale,
    Annotate,
    Weight,
    DeleteRecord,
    ForgetFacts,
    Crash,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A person opens a prompt, thinks, and answers.
    Act { who: usize, wish: Wish, region: usize, think: Duration, glass: bool },
    /// The link between one process and one cluster.
    Link { who: usize, cluster: usize, trouble: Trouble, lasts: Duration, share: u8 },
    /// A cluster's API server is away: frozen, or refusing.
    Away { cluster: usize, hung: bool, lasts: Duration },
    /// History is compacted: watches that resume get 410.
    Compact { cluster: usize },
    /// A load balancer ends every watch.
    CutWatches { cluster: usize },
    /// Tokens count as expired.
    Expired { cluster: usize, lasts: Duration },
    /// A server's clock is off.
    ServerSkew { cluster: usize, seconds: i64, lasts: Duration },
    /// A Prometheus.
    Metrics { region: usize, fault: PromFault, lasts: Duration },
    /// A host's clock is set.
    ClockStep { who: usize, seconds: i64 },
    /// A disk makes nothing durable.
    DiskFails { who: usize, lasts: Duration },
    /// A process is killed after some crossings of its wire, its journal cut, and started again.
    Kill { who: usize, crossings: u32, share: f64, down: Duration },
    /// A right to write is taken away.
    Revoke { who: usize, cluster: usize, lasts: Duration },
    /// Somebody else writes.
    Other { region: usize, deed: Deed },
    /// A delivery tool puts back what runs there, as soon as it is changed.
    SelfHeal { region: usize, lasts: Duration },
}

/// Something that happens at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub at: Duration,
    pub what: What,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9.3} {:?}", self.at.as_secs_f64(), self.what)
    }
}

/// Everything that happens in one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    pub seed: u64,
    pub shape: Shape,
    pub events: Vec<Event>,
}

/// How a Prometheus is wrong, in the report.
pub fn prom_name(fault: &PromFault) -> &'static str {
    match fault {
        PromFault::Down => "Prometheus gone",
        PromFault::Hang => "Prometheus hangs",
        PromFault::Slow(_) => "Prometheus slow",
        PromFault::HtmlBody => "Prometheus behind a broken proxy",
        PromFault::Status(_) => "Prometheus 5xx",
        PromFault::TruncatedJson => "Prometheus truncated",
        PromFault::Empty => "Prometheus empty",
        PromFault::Without { .. } => "Prometheus without a region",
        PromFault::NotANumber => "Prometheus NaN",
        PromFault::Warnings(_) => "Prometheus partial",
        PromFault::StaleSince(_) => "Prometheus stale",
    }
}

/// Every kind of accident; each must have happened in a run of many seeds.
pub const FAULTS: [&str; 36] = [
    "request dropped",
    "request delayed",
    "reply lost",
    "half-open connection",
    "truncated JSON",
    "429",
    "5xx",
    "watch event dropped",
    "watch event delayed",
    "watch event duplicated",
    "watch events reordered",
    "410 after compaction",
    "watches cut",
    "cluster lost",
    "cluster back",
    "tokens expired",
    "server clock skew",
    "host clock skew",
    "host clock step",
    "Prometheus gone",
    "Prometheus hangs",
    "Prometheus slow",
    "Prometheus behind a broken proxy",
    "Prometheus 5xx",
    "Prometheus truncated",
    "Prometheus empty",
    "Prometheus without a region",
    "Prometheus NaN",
    "Prometheus partial",
    "Prometheus stale",
    "disk fails",
    "process killed",
    "rights revoked",
    "third party writes",
    "self-heal reverts",
    "two operators at once",
];

const TROUBLES: [Trouble; 11] = [
    Trouble::Drop,
    Trouble::Delay,
    Trouble::LoseReply,
    Trouble::HalfOpen,
    Trouble::Truncate,
    Trouble::TooMany,
    Trouble::ServerError,
    Trouble::WatchDrop,
    Trouble::WatchDelay,
    Trouble::WatchDuplicate,
    Trouble::WatchReorder,
];

const DEEDS: [Deed; 9] = [
    Deed::SetImage,
    Deed::Pause,
    Deed::LetOn,
    Deed::Scale,
    Deed::Annotate,
    Deed::Weight,
    Deed::DeleteRecord,
    Deed::ForgetFacts,
    Deed::Crash,
];

impl Script {
    /// The run of a seed.
    pub fn of(seed: u64, size: Size) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x0d57);
        let regions = match (size, rng.u8(..10)) {
            (_, 0) => 2,
            (Size::Small, 1..5) => 3,
            (Size::Small, _) | (_, 1..6) => 4,
            (_, 6..9) => rng.usize(5..7),
            _ => rng.usize(7..12),
        };
        let wide = if regions > 3 { rng.usize(1..=(regions - 2).min(4)) } else { 1 };
        let operators = 1 + usize::from(rng.u8(..3) > 0);
        let guard = *rng.choice([None, Some("guard"), Some("autopilot")].iter()).unwrap();
        let processes = operators + usize::from(guard.is_some()) + 1;
        let skews = (0..processes).map(|_| if rng.u8(..4) == 0 { rng.i64(-40..40) } else { 0 }).collect();
        let shape = Shape {
            regions,
            wide,
            parallelism: rng.u32(1..=2),
            operators,
            guard,
            scenario: match rng.u8(..5) {
                // They are about regions that the smallest fleet has not.
                3 if regions > 3 => "regression",
                4 if regions > 3 => "crashloop",
                _ => "steady",
            },
            skews,
            length: Duration::from_secs(match (size, rng.u8(..5)) {
                (Size::Small, _) => rng.u64(45..90),
                (_, 0) => rng.u64(150..600),
                _ => rng.u64(60..150),
            }),
        };
        let mut script = Self { seed, shape, events: Vec::new() };
        script.people(&mut rng);
        script.accidents(&mut rng);
        script.events.sort_by_key(|e| e.at);
        script
    }

    fn people(&mut self, rng: &mut fastrand::Rng) {
        let last = self.shape.length.as_millis() as u64;
        // Nothing can be wanted of what is not seen yet.
        let mut at = 8_000 + rng.u64(..6_000);
        while at < last {
            let who = rng.usize(..self.shape.operators);
            let what = self.wish(who, rng);
            let now = Duration::from_millis(at);
            // Two at once: the same, or something else.
            if self.shape.operators > 1 && rng.u8(..4) == 0 {
                let other = (who + 1) % self.shape.operators;
                let mut twin = if rng.bool() { what.clone() } else { self.wish(other, rng) };
                if let What::Act { who, .. } = &mut twin {
                    *who = other;
                }
                self.events.push(Event { at: now, what: twin });
            }
            // What was taken is given back, by whoever, sooner or later.
            if let What::Act { wish, region, .. } = what
                && let Some(wish) = wish.back()
                && rng.u8(..3) > 0
            {
                let (who, think) = (rng.usize(..self.shape.operators), Duration::from_millis(rng.u64(..1_500)));
                let at = now + Duration::from_millis(rng.u64(9_000..30_000));
                self.events.push(Event { at, what: What::Act { who, wish, region, think, glass: false } });
            }
            self.events.push(Event { at: now, what });
            at += rng.u64(3_000..45_000);
        }
    }

    fn wish(&self, who: usize, rng: &mut fastrand::Rng) -> What {
        let wish = match rng.u8(..100) {
            0..26 => Wish::Promote,
            26..34 => Wish::PromoteNow,
            34..42 => Wish::HoldAll,
            42..47 => Wish::HoldRing,
            47..54 => Wish::HoldRegion,
            54..68 => Wish::Resume,
            68..76 => Wish::RollBack,
            76..79 => Wish::Abort,
            79..88 => Wish::Drain,
            88..97 => Wish::Restore,
            _ => Wish::Cancel,
        };
        let think = Duration::from_millis(if rng.u8(..5) == 0 { rng.u64(5_000..60_000) } else { rng.u64(..2_000) });
        What::Act { who, wish, region: rng.usize(..self.shape.regions), think, glass: rng.u8(..6) == 0 }
    }

    fn accidents(&mut self, rng: &mut fastrand::Rng) {
        let last = self.shape.length.as_millis() as u64;
        let most = [0, 4, 10, 18][rng.usize(..4)];
        for _ in 0..most {
            let at = Duration::from_millis(rng.u64(1_000..last));
            let what = self.accident(rng);
            self.events.push(Event { at, what });
        }
    }

    fn accident(&self, rng: &mut fastrand::Rng) -> What {
        let processes = self.shape.skews.len();
        let (who, cluster) = (rng.usize(..processes), rng.usize(..=self.shape.regions));
        let region = rng.usize(..self.shape.regions);
        let lasts = Duration::from_millis(match rng.u8(..10) {
            0..5 => rng.u64(500..8_000),
            5..9 => rng.u64(8_000..60_000),
            _ => rng.u64(60_000..400_000),
        });
        match rng.u8(..100) {
            0..40 => {
                let trouble = TROUBLES[rng.usize(..TROUBLES.len())];
                let share = if rng.bool() { 100 } else { rng.u8(20..100) };
                // Mostly those who act: the wall has less to lose.
                let who = if rng.u8(..4) == 0 { who } else { rng.usize(..self.shape.operators) };
                What::Link { who, cluster, trouble, lasts, share }
            }
            40..48 => What::Away { cluster, hung: rng.bool(), lasts },
            48..51 => What::Compact { cluster },
            51..53 => What::CutWatches { cluster },
            53..55 => What::Expired { cluster, lasts: lasts.min(Duration::from_secs(20)) },
            55..58 => What::ServerSkew { cluster, seconds: rng.i64(-90..90), lasts },
            58..68 => What::Metrics { region, fault: metrics_fault(rng), lasts },
            68..71 => What::ClockStep { who, seconds: rng.i64(-120..120) },
            71..75 => What::DiskFails { who: rng.usize(..self.shape.operators), lasts },
            75..85 => What::Kill {
                who,
                crossings: rng.u32(..60),
                share: rng.f64(),
                down: Duration::from_millis(rng.u64(200..20_000)),
            },
            85..88 => What::Revoke { who: rng.usize(..self.shape.operators), cluster, lasts },
            88..97 => What::Other { region, deed: DEEDS[rng.usize(..DEEDS.len())] },
            _ => What::SelfHeal { region, lasts: lasts.max(Duration::from_secs(30)) },
        }
    }
}

fn metrics_fault(rng: &mut fastrand::Rng) -> PromFault {
    match rng.u8(..11) {
        0 => PromFault::Down,
        1 => PromFault::Hang,
        2 => PromFault::Slow(Duration::from_millis(rng.u64(500..20_000))),
        3 => PromFault::HtmlBody,
        4 => PromFault::Status(http::StatusCode::SERVICE_UNAVAILABLE),
        5 => PromFault::TruncatedJson,
        6 => PromFault::Empty,
        7 => PromFault::Without { service: None, region: None },
        8 => PromFault::NotANumber,
        9 => PromFault::Warnings(vec!["a store did not answer".to_owned()]),
        _ => PromFault::StaleSince(0),
    }
}

/// Whether nothing can be known of a region while it lasts.
pub fn blinds(fault: &PromFault) -> bool {
    !matches!(fault, PromFault::Slow(_))
}
