//! What the screens, `status` and scripts show of a service: plain data, derived from the state.

use std::time::Duration;

use crate::domain::fleet::{Service, Unit};
use crate::domain::gate::BakeStart;
use crate::domain::id::{RegionIx, RingIx, Text};
use crate::domain::record::HoldInForce;
use crate::domain::residency;
use crate::domain::stamp::{SignedDuration, Timestamp, short};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::{TemplateDigest, Version};

pub use crate::domain::timeline::{Segment, SegmentKind};

/// A service as it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceView {
    /// The release under way, or the version that runs everywhere.
    pub release: ReleaseView,
    /// Rings, earliest first.
    pub rings: Vec<RingView>,
    /// Regions, by position.
    pub regions: Vec<RegionView>,
    /// The question the board answers: may the next ring have the version?
    pub question: Option<Question>,
    /// Holds in force, oldest first.
    pub holds: Vec<HoldInForce>,
    /// The timeline.
    pub segments: Vec<Segment>,
    /// Who raised last, and when.
    pub last_raised: Option<LastRaised>,
    /// Measured share of live traffic on the new version, from 0 to 1.
    pub exposure: Option<f64>,
    /// When the whole release would be done, all going well.
    pub eta: Option<Timestamp>,
    /// Loud sentences: changes made under a hold, a disappeared record, paused with no hold.
    pub alarms: Vec<Text>,
    /// Regions that are paused for longer than their policy expects, and since when.
    pub forgotten: Vec<(RegionIx, Timestamp)>,
    /// A ring that failed, and the earlier regions that still run the version it failed on.
    pub under_review: Option<UnderReview>,
    /// Regions that are to go back, or go, by position: a clock runs for each.
    pub incidents: Vec<Incident>,
    /// Policies of others that are not this console's.
    pub policies: Vec<OtherPolicy>,
    /// Regions whose pod template somebody else changed under a hold.
    pub changed_under_hold: Vec<RegionIx>,
}

/// A region on a version that was found bad: from then on a clock runs against the rollback limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// The region.
    pub region: RegionIx,
    /// The first NO-GO, or the first plan that takes it back; whichever came first.
    pub since: Timestamp,
    /// How long a way back may take by the ring's policy (`rollback_limit`).
    pub limit: Duration,
}

impl Incident {
    /// When the limit is reached.
    pub fn due(&self) -> Timestamp {
        SignedDuration::try_from(self.limit).ok().and_then(|l| self.since.checked_add(l).ok()).unwrap_or(Timestamp::MAX)
    }
    /// How long it has run; never negative.
    pub fn elapsed(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.since).max(SignedDuration::ZERO)
    }
    /// The limit has passed.
    pub fn overdue(&self, now: Timestamp) -> bool {
        now > self.due()
    }
}

impl ServiceView {
    /// The clock that a person must know of: that of the region whose limit comes first.
    pub fn rollback_clock(&self) -> Option<&Incident> {
        self.incidents.iter().min_by_key(|i| (i.due(), i.region))
    }
}

/// A ring failed on a version that earlier rings still run.
#[derive(Clone, Debug, PartialEq)]
pub struct UnderReview {
    /// The ring that failed.
    pub ring: RingIx,
    /// The region that was rolled back there.
    pub failed: RegionIx,
    /// The version.
    pub version: Text,
    /// Regions of earlier rings that run it.
    pub regions: Vec<RegionIx>,
}

/// Somebody judges by another policy than this console.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherPolicy {
    /// Who: an operator, or a guard's name.
    pub who: Text,
    /// The hash of its policy.
    pub hash: Text,
    /// Its policy as text, where a guard tells it.
    pub text: Option<Text>,
    /// When it promoted, or renewed its lease, as it wrote it.
    pub at: Option<Timestamp>,
    /// It is a guard.
    pub guards: bool,
    /// Where that was seen.
    pub regions: Vec<RegionIx>,
}

/// How fast a region's error budget burns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burn {
    /// How many times as fast as the objective allows, over the worst long window; none: unknown.
    pub rate: Option<f64>,
    /// Share of the budget that is left; none: unknown.
    pub left: Option<f64>,
    /// Nothing measures what is left: it is at most that.
    pub at_most: bool,
    /// What the gate says.
    pub verdict: Verdict,
}

/// Where the release stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReleaseView {
    /// Oldest version that still runs; none: nothing was seen.
    pub from: Option<Version>,
    /// Newest version, as the first ring runs it; equal to `from` when nothing is under way.
    pub to: Option<Version>,
    /// What is going on.
    pub phase: ReleasePhase,
    /// The ring that the phase is about.
    pub ring: Option<RingIx>,
}

/// What is going on with a release; the word stands in the top line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReleasePhase {
    /// Nothing was seen yet.
    #[default]
    Unknown,
    /// Every ring runs the same.
    Steady,
    /// A ring is being changed.
    RollingOut,
    /// The newest ring bakes.
    Baking,
    /// The next ring may be promoted.
    Ready,
    /// It may, and a person must read what speaks against it first.
    ReadyWithFindings,
    /// A hold is in force.
    Held,
    /// A rollout failed.
    Failed,
    /// A gate says no.
    Blocked,
    /// Evidence is missing.
    NoData,
}

/// A ring as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct RingView {
    /// What it runs.
    pub runs: RingRuns,
    /// Where it stands.
    pub phase: RingPhase,
    /// When its last region settled.
    pub bake_start: Option<BakeStart>,
    /// Longest minimum among its exit gates.
    pub bake: Duration,
    /// Worst of the exit gates, on what it runs now.
    pub verdict: Verdict,
    /// Earliest moment the next ring could be promoted, all going well: windows of that ring are not in it.
    pub ready_at: Option<Timestamp>,
    /// Earliest moment its own next region could be promoted, windows and freezes counted in; none: it
    /// has nothing to be given, or nobody can tell.
    pub promote_at: Option<Timestamp>,
}

/// What a ring runs.
#[derive(Clone, Debug, PartialEq)]
pub enum RingRuns {
    /// No region was seen, or one is missing.
    Unknown,
    /// One version; its regions may differ in registry, not in release.
    One(Version),
    /// Several: nothing is promoted from it.
    Mixed(Vec<Version>),
}

/// Where a ring stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RingPhase {
    /// Not seen.
    Unknown,
    /// Runs the old version and waits for its turn.
    Waiting,
    /// Is being changed.
    RollingOut,
    /// Bakes.
    Baking,
    /// Baked: later rings may start.
    Baked,
    /// A gate says no.
    Blocked,
    /// A rollout failed.
    Failed,
    /// Held.
    Held,
    /// Nothing is under way.
    Steady,
}

/// A region as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionView {
    /// What to call its state, in one word.
    pub state: RegionWord,
    /// Its cluster is heard.
    pub heard: Heard,
    /// Runs what the release wants.
    pub on_new: Option<bool>,
    /// Weight of its backend, and its share of all weights from 0 to 1, where it is one and all are known.
    pub weight: Option<(u32, Option<f64>)>,
    /// Its share of all live traffic, measured, from 0 to 1.
    pub share: Option<f64>,
    /// Taken out of traffic: by us, or seen at weight 0.
    pub drained: Drained,
    /// What still comes to it; none: it is in traffic.
    pub residual: Option<Residual>,
    /// How long a weight of 0 may still be under way; none: it is at work, or nobody knows since when it stands.
    pub under_way: Option<UnderWay>,
    /// A hold covers it.
    pub held: bool,
    /// Template that runs.
    pub template: Option<TemplateDigest>,
    /// Its error budget; none: no gate of its ring asks.
    pub burn: Option<Burn>,
}

impl RegionView {
    /// Whether and how far it is out of traffic, in a few words; none: it is in traffic.
    pub fn out_of_traffic(&self) -> Option<String> {
        let left = match self.residual {
            Some(Residual::Qps { qps, .. }) => Some(Unit::PerSecond.show(qps)),
            Some(Residual::Nothing | Residual::Unmeasured) | None => None,
        };
        let words = self.out_of_traffic_now(left)?;
        let is_gone = matches!(self.residual, Some(Residual::Nothing));
        Some(match self.under_way.filter(|_| !is_gone) {
            Some(under_way) => format!("{words}; {}", under_way.text()),
            None => words,
        })
    }

    fn out_of_traffic_now(&self, left: Option<String>) -> Option<String> {
        match (self.drained, left) {
            (Drained::No, _) => None,
            (Drained::Partly, _) => {
                let weight = self.weight.map(|(weight, _)| format!(", weight {weight} now")).unwrap_or_default();
                Some(format!("drained in part{weight}"))
            }
            (Drained::ByUs, Some(left)) => Some(format!("draining, {left}/s left")),
            // What nobody measures may still come, at least until the answers of before are forgotten.
            (Drained::ByUs, None) if self.under_way.is_some() && self.residual == Some(Residual::Unmeasured) => {
                Some("draining, not measured".to_owned())
            }
            (Drained::ByUs, None) => Some("drained".to_owned()),
            (Drained::Elsewhere, Some(left)) => Some(format!("weight 0, {left}/s left")),
            (Drained::Elsewhere, None) => Some("weight 0".to_owned()),
        }
    }
}

/// State of a region, in one word with a glyph and a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegionWord {
    /// Nothing seen.
    Unknown,
    /// The workload is not there.
    Absent,
    /// Rolled out.
    Settled,
    /// Being rolled out.
    RollingOut,
    /// A pause was asked for, and is not yet observed.
    Pausing,
    /// Paused.
    Paused,
    /// The progress deadline passed.
    Failed,
}

/// How well its cluster is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Not yet.
    Connecting,
    /// Live.
    Live,
    /// No proof of life for so long.
    Late(Duration),
    /// Lost: the word, the reason, and how long ago it was last heard.
    Lost {
        /// E.g. `unreachable`.
        word: Text,
        /// The reason.
        reason: Text,
        /// Age of what is shown, if anything was ever heard.
        age: Option<Duration>,
        /// Next try.
        next_try: Timestamp,
    },
}

/// Whether a region is out of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drained {
    /// In traffic, or not steered.
    No,
    /// By a drain of ours.
    ByUs,
    /// Weight 0, and not by us.
    Elsewhere,
    /// A drain of ours is in force, and has taken a part of its weight: in steps, or stopped on its way.
    Partly,
}

/// What still comes to a region that is out of traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Residual {
    /// Less than what counts: it is drained.
    Nothing,
    /// Queries per second, and below how many it counts as drained.
    Qps {
        /// Measured.
        qps: f64,
        /// The bound.
        below: f64,
    },
    /// Nobody measures it, or not now.
    Unmeasured,
}

/// A weight of 0 that is written, and may not yet be at work everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// How long clients keep an answer of before, where names are answered.
    pub ttl: Option<Duration>,
    /// At most so long until nobody goes by what was before; connections that are open stay open.
    pub left: SignedDuration,
}

impl UnderWay {
    /// `DNS TTL 60s: up to 2m05s left`.
    pub fn text(&self) -> String {
        let left = short(self.left);
        match self.ttl {
            Some(ttl) => format!("DNS TTL {}s: up to {left} left", ttl.as_secs()),
            None => format!("up to {left} until it is at work"),
        }
    }
}

/// The question of the board.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The ring that would change.
    pub ring: RingIx,
    /// The version it would get.
    pub version: Version,
    /// The answer.
    pub verdict: Verdict,
    /// Why, in one line.
    pub sentence: Text,
    /// Headings of the board.
    pub gates: Vec<Text>,
    /// Rows: exit gates of the rings before, region by region, then entry gates of the ring.
    pub rows: Vec<QuestionRow>,
}

/// When an answer may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is go now.
    Now,
    /// Only waits stand in the way; the last of them ends then, all going well.
    At(Timestamp),
    /// Something must happen first: evidence must come, or a person must act.
    Unknown,
}

impl Question {
    /// As it may be told outside of the regions whose measured values must stay there.
    pub fn told(&self, service: &Service) -> Question {
        let mut told = self.clone();
        let mut cut = None;
        for row in &mut told.rows {
            let Some(ring) = service.ring(row.ring) else { continue };
            for (gate, cell) in self.gates.iter().zip(&mut row.cells) {
                let Some(judged) = cell else { continue };
                let as_told = match row.region {
                    Some(at) => residency::judgement(service, ring, at, gate, judged),
                    None => residency::of_ring(service, ring, gate, judged),
                };
                if as_told != **judged {
                    if judged.verdict == self.verdict {
                        cut.get_or_insert_with(|| as_told.sentence.clone());
                    }
                    **judged = as_told;
                }
            }
        }
        // The sentence is that of a cell that decides.
        told.sentence = cut.unwrap_or(told.sentence);
        told
    }

    /// Every cell that is not go, worst first; among waits, the one that ends last.
    pub fn causes(&self) -> Vec<(&QuestionRow, &Text, &Judgement)> {
        let mut causes: Vec<_> = self.cells().filter(|(_, _, j)| j.verdict > Verdict::Go).collect();
        causes.sort_by(|a, b| b.2.verdict.cmp(&a.2.verdict).then(b.2.until.cmp(&a.2.until)));
        causes
    }

    /// Every cell with its row and the heading of its gate.
    pub fn cells(&self) -> impl Iterator<Item = (&QuestionRow, &Text, &Judgement)> {
        self.rows
            .iter()
            .flat_map(|row| self.gates.iter().zip(&row.cells).filter_map(move |(g, c)| Some((row, g, c.as_deref()?))))
    }

    /// When the answer may change by itself.
    pub fn turn(&self) -> Turn {
        match self.verdict {
            Verdict::Go | Verdict::Findings => Turn::Now,
            Verdict::Wait => {
                let waits = self.cells().filter(|(_, _, j)| j.verdict == Verdict::Wait).map(|(_, _, j)| j.until);
                waits.collect::<Option<Vec<_>>>().and_then(|u| u.into_iter().max()).map_or(Turn::Unknown, Turn::At)
            }
            Verdict::NoData | Verdict::NoGo => Turn::Unknown,
        }
    }
}

/// A row of the board.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionRow {
    /// The ring it is about.
    pub ring: RingIx,
    /// The region; none for the ring as a whole.
    pub region: Option<RegionIx>,
    /// One cell per heading; none where the gate does not apply.
    pub cells: Vec<Option<Box<Judgement>>>,
}

/// Who raised last.
#[derive(Clone, Debug, PartialEq)]
pub struct LastRaised {
    /// Who.
    pub by: Text,
    /// When.
    pub at: Timestamp,
    /// What, e.g. `promote ring-1`.
    pub what: Text,
}
