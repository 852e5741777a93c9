//! What a policy wants done, from verdicts and record: pure, and the same in every guard.
//!
//! A NO-GO counts where the version of a release runs, from the moment it was given it: while
//! it rolls out, bakes, waits for a person, is held or paused. It does not count where nothing
//! was released, and never against what a rollback brought back.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::domain::fleet::Ring;
use crate::domain::id::{Place, RegionIx, RingIx, ServiceIx, Text};
use crate::domain::intent::{BEFORE_PREVIOUS, Intent, Target, Verb};
use crate::domain::policy::{Advance, BY_POLICY, Fallback, Mode, OnNogo, Reach, Reaction, RingPolicy};
use crate::domain::record::{Body, Fact, FactId, Scope};
use crate::domain::residency;
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::text::safe;
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::TemplateDigest;
use crate::domain::workload::Workload;
use crate::engine::bake;
use crate::engine::judge;
use crate::engine::scene::Scene;
use crate::engine::view::{RingRuns, ServiceView};

/// How the reason of a breaker's hold begins.
pub const BREAKER: &str = "by policy: breaker open: ";
/// Longest reason, in bytes.
const LONGEST: usize = 400;

/// Something to do by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// What.
    pub intent: Intent,
    /// What kind of deed it is.
    pub deed: Deed,
    /// Regions that it is about.
    pub regions: Vec<RegionIx>,
    /// The regions whose NO-GO it answers, with what they ran then.
    pub cases: Vec<Case>,
    /// Why, as the record and the journal keep it.
    pub why: Text,
}

/// A region with what it runs: what is done about it is done once.
pub type Case = (RegionIx, TemplateDigest);

/// What kind of deed a wish is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A hold, with the identity that every guard gives it.
    Hold(FactId),
    /// What is in flight is rolled back.
    Abort,
    /// Back, as far as this.
    Back(Fallback),
    /// On to the next ring.
    Promote,
    /// Takes up what another run of a guard left.
    Continue,
}

/// What a guard remembers of a case; lost with its process, and then found out anew.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Position in the policy's `fallback`.
    pub step: usize,
    /// Tries of that step.
    pub tries: u32,
    /// Not before that moment on the monotonic clock.
    pub not_before: Duration,
    /// Nothing is left to try, or nothing was to be done.
    pub over: bool,
    /// Actions that did not work.
    pub failures: u32,
}

/// What is asked of a guard's memory.
pub trait Memory {
    /// How far a case has come.
    fn progress(&self, place: Place, template: TemplateDigest) -> Progress;
    /// Something of ours is under way there.
    fn busy(&self, place: Place) -> bool;
    /// A deed is under way or done that may not be repeated.
    fn did(&self, place: Place, deed: &Deed, template: TemplateDigest) -> bool;
    /// This guard acts there.
    fn mine(&self, place: Place) -> bool;
    /// A raising plan of an earlier run waits for a person.
    fn waits(&self, service: ServiceIx) -> bool;
    /// Time on the monotonic clock.
    fn mono(&self) -> Duration;
}

/// A NO-GO that a policy answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// Where.
    pub region: RegionIx,
    /// Its ring.
    pub ring: RingIx,
    /// What it runs.
    pub template: TemplateDigest,
    /// The gate, as the board names it.
    pub gate: Text,
    /// What the gate says.
    pub sentence: Text,
    /// What the policy says to it.
    pub reaction: Reaction,
}

/// Whether a NO-GO in a region is about a release: what runs there was given to it by one.
pub fn armed(scene: &Scene<'_>, view: &ServiceView, at: RegionIx) -> bool {
    let Some(workload) = scene.workload(at) else { return false };
    let newest = scene.state.record.region(at).and_then(|r| r.newest_move());
    let runs_it = |to: TemplateDigest, version: &Text| to == workload.template || *version == workload.version.0;
    match newest {
        Some((fact, moved)) if runs_it(moved.to_template, &moved.to_version) => {
            matches!(fact.body, Body::Promoted(_)) && !complete(scene, view, workload)
        }
        // Brought by another tool: a release all the same while it is under way.
        _ => {
            let new = view.regions.get(at.at()).is_some_and(|r| r.on_new == Some(true));
            new && view.release.from != view.release.to
        }
    }
}

/// Every ring runs it, and the last one has baked.
fn complete(scene: &Scene<'_>, view: &ServiceView, workload: &Workload) -> bool {
    let everywhere = scene.runs.iter().all(|r| matches!(r, RingRuns::One(v) if *v == workload.version));
    let baked = view.rings.last().is_some_and(|last| {
        let bake = SignedDuration::try_from(last.bake).unwrap_or(SignedDuration::MAX);
        last.bake_start.is_some_and(|s| s.at.checked_add(bake).is_ok_and(|end| end <= scene.world.now))
    });
    everywhere && baked
}

/// Every NO-GO that counts: per region the one with the strongest reaction.
pub fn breaches(scene: &Scene<'_>, view: &ServiceView) -> Vec<Breach> {
    let of = |at: RegionIx| {
        let ring = scene.service.region(at)?.ring;
        let template = scene.workload(at)?.template;
        if !armed(scene, view, at) {
            return None;
        }
        let worst = cells(scene, view, at, ring)
            .into_iter()
            .filter(|(_, j)| j.verdict == Verdict::NoGo)
            .map(|(gate, j)| (scene.service.policy.reaction(ring, &gate), gate, j))
            .max_by_key(|(reaction, ..)| (reaction.on_nogo, reaction.scope))?;
        let (reaction, gate, judgement) = worst;
        // It goes into the record of every region, the journal and notices.
        let judgement = residency::judgement(scene.service, scene.service.ring(ring)?, at, &gate, &judgement);
        Some(Breach { region: at, ring, template, gate, sentence: judgement.sentence, reaction })
    };
    scene.service.region_indexes().filter_map(of).collect()
}

/// A region's exit gates, judged as the board's are; or from when the region was given what it
/// runs, where its ring does not bake as a whole.
fn cells(scene: &Scene<'_>, view: &ServiceView, at: RegionIx, ring: RingIx) -> Vec<(Text, Judgement)> {
    let shown = view.rings.get(ring.at()).map(|r| r.verdict);
    let says_no = shown == Some(Verdict::NoGo);
    // A ring that bakes was judged when the view was made.
    if says_no || scene.start(ring).is_none() { judge::armed(scene, at) } else { Vec::new() }
}

/// What is to be done now.
pub fn wishes(
    scene: &Scene<'_>,
    view: &ServiceView,
    breaches: &[Breach],
    memory: &dyn Memory,
    mode: Mode,
) -> Vec<Wish> {
    if mode == Mode::Advise {
        return Vec::new();
    }
    let decide = Decide { scene, view, memory };
    let mut out: Vec<Wish> = Vec::new();
    for breach in breaches {
        for wish in decide.about(breach) {
            add(&mut out, wish);
        }
    }
    if mode == Mode::Autopilot && breaches.is_empty() {
        out.extend(decide.promotion());
    }
    out
}

/// Two regions may want the same, or each a part of it: what is on its way back already is not sent
/// there a second time.
fn add(wishes: &mut Vec<Wish>, mut wish: Wish) {
    let same_hold = |known: &Wish| known.deed == wish.deed;
    let goes_back = |known: &Wish| !matches!(known.deed, Deed::Hold(_));
    if goes_back(&wish) {
        let taken = |at: &RegionIx| wishes.iter().any(|known| goes_back(known) && known.regions.contains(at));
        let left: Vec<RegionIx> = wish.regions.iter().copied().filter(|at| !taken(at)).collect();
        if left.is_empty() {
            let about =
                |known: &&mut Wish| goes_back(known) && wish.regions.iter().any(|at| known.regions.contains(at));
            if let Some(known) = wishes.iter_mut().find(about) {
                known.cases.extend(wish.cases);
            }
            return;
        }
        if left != wish.regions {
            wish.intent.target = Target::Regions(left.clone());
            wish.regions = left;
        }
    } else if let Some(known) = wishes.iter_mut().find(|known| same_hold(known)) {
        known.cases.extend(wish.cases);
        return;
    }
    wishes.push(wish);
}

struct Decide<'a> {
    scene: &'a Scene<'a>,
    view: &'a ServiceView,
    memory: &'a dyn Memory,
}

impl Decide<'_> {
    fn place(&self, at: RegionIx) -> Place {
        (self.scene.at, at)
    }

    fn about(&self, breach: &Breach) -> Vec<Wish> {
        let place = self.place(breach.region);
        let progress = self.memory.progress(place, breach.template);
        if !self.memory.mine(place) || self.memory.busy(place) || self.memory.mono() < progress.not_before {
            return Vec::new();
        }
        let wanted = breach.reaction.on_nogo;
        if wanted == OnNogo::Advise {
            return Vec::new();
        }
        let why = format!("{} says NO-GO: {}", breach.gate, breach.sentence);
        if wanted == OnNogo::Hold {
            return self.holds(breach, breach.reaction.scope, &why, "");
        }
        let policy = &self.scene.service.policy;
        if self.breaker_open(breach.region) {
            return Vec::new();
        }
        let failures = self.failures(breach.region) + progress.failures;
        if failures >= policy.breaker {
            let text = format!("{failures} automatic actions in this region; a person decides from here: {why}");
            return self.hold(breach, Target::Regions(vec![breach.region]), BREAKER, &text, &failures.to_string());
        }
        if self.actions(breach) >= policy.actions {
            let text = format!("{} automatic actions in this release, as many as there may be: {why}", policy.actions);
            return self.holds(breach, Reach::Region, &text, "bound");
        }
        match wanted {
            OnNogo::Abort => self.abort(breach, &why),
            _ => self.back(breach, &progress, &why),
        }
    }

    /// The regions that a reaction is about, where they run the version and we act.
    fn reach(&self, breach: &Breach, scope: Reach) -> Vec<RegionIx> {
        let version = self.scene.workload(breach.region).map(|w| &w.version);
        let within = |at: &RegionIx| {
            let ring = self.scene.service.region(*at).map(|r| r.ring);
            match scope {
                Reach::Region => *at == breach.region,
                Reach::Ring => ring == Some(breach.ring),
                Reach::Upstream => ring.is_some_and(|r| r <= breach.ring),
            }
        };
        let same = |at: &RegionIx| {
            *at == breach.region
                || self.scene.workload(*at).map(|w| &w.version) == version && armed(self.scene, self.view, *at)
        };
        let free = |at: &RegionIx| self.memory.mine(self.place(*at)) && !self.memory.busy(self.place(*at));
        self.scene.service.region_indexes().filter(within).filter(same).filter(free).collect()
    }

    fn wish(&self, breach: &Breach, verb: Verb, deed: Deed, regions: Vec<RegionIx>, why: &str) -> Wish {
        let target = Target::Regions(regions.clone());
        let why: Text = safe(&format!("{BY_POLICY}{why}"), LONGEST).into();
        let intent = Intent { service: self.scene.at, verb, target, reason: Some(why.clone()) };
        Wish { intent, deed, regions, cases: vec![(breach.region, breach.template)], why }
    }

    /// Rolls back what is in flight; what is rolled out already is held.
    fn abort(&self, breach: &Breach, why: &str) -> Vec<Wish> {
        let flies = |at: &RegionIx| self.scene.workload(*at).is_some_and(Workload::in_flight);
        let flying: Vec<RegionIx> = self.reach(breach, breach.reaction.scope).into_iter().filter(flies).collect();
        if flying.is_empty() {
            return self.holds(breach, breach.reaction.scope, why, "");
        }
        vec![self.wish(breach, Verb::Abort, Deed::Abort, flying, why)]
    }

    /// Back to known-good; further back, or out of traffic, where that did not work.
    fn back(&self, breach: &Breach, progress: &Progress, why: &str) -> Vec<Wish> {
        let ring: RingPolicy = self.scene.service.policy.ring(breach.ring);
        let Some(step) = ring.fallback.get(progress.step).copied().filter(|_| !progress.over) else {
            let text = format!("nothing that the policy names worked; a person decides from here: {why}");
            return self.hold(breach, Target::Regions(vec![breach.region]), BREAKER, &text, "exhausted");
        };
        let (verb, regions) = match step {
            Fallback::Previous => (Verb::RollBack { to_revision: None }, self.reach(breach, breach.reaction.scope)),
            Fallback::BeforePrevious => (Verb::RollBack { to_revision: Some(BEFORE_PREVIOUS) }, vec![breach.region]),
            Fallback::Drain => (Verb::Drain, vec![breach.region]),
        };
        vec![self.wish(breach, verb, Deed::Back(step), regions, why)]
    }

    fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.scene.state.record.regions.iter().flatten().flat_map(|r| r.facts.values())
    }

    /// Rollbacks from this version that policies made, in every region.
    fn actions(&self, breach: &Breach) -> u32 {
        let version = self.scene.workload(breach.region).map(|w| w.version.0.clone());
        let ours = |f: &&Fact| match &f.body {
            Body::RolledBack(m) => m.reason.starts_with(BY_POLICY) && Some(&m.from_version) == version.as_ref(),
            Body::Drained { reason, .. } => reason.starts_with(BY_POLICY),
            _ => false,
        };
        u32::try_from(self.facts().filter(ours).count()).unwrap_or(u32::MAX)
    }

    /// Automatic actions in a region since a person last closed its breaker.
    fn failures(&self, at: RegionIx) -> u32 {
        let closed = self.facts().filter_map(|f| match &f.body {
            Body::Release { hold, .. } if self.is_breaker(*hold, at) => Some(f.at),
            _ => None,
        });
        let closed = closed.max();
        let Some(record) = self.scene.state.record.region(at) else { return 0 };
        let counts = |f: &&Fact| {
            let reason = match &f.body {
                Body::RolledBack(m) => &m.reason,
                Body::Drained { reason, .. } => reason,
                _ => return false,
            };
            reason.starts_with(BY_POLICY) && closed.is_none_or(|c| f.at > c)
        };
        u32::try_from(record.relevant(self.scene.world.now).filter(counts).count()).unwrap_or(u32::MAX)
    }

    fn is_breaker(&self, hold: FactId, at: RegionIx) -> bool {
        let name = self.scene.region_name(at);
        self.facts().any(|f| {
            f.id == hold
                && matches!(&f.body, Body::Hold { scope: Scope::Region(r), reason } if *r == name && reason.starts_with(BREAKER))
        })
    }

    fn breaker_open(&self, at: RegionIx) -> bool {
        self.scene.holds.iter().any(|h| h.reason.starts_with(BREAKER) && self.scene.covers(h, at))
    }

    /// Holds for a scope: one per ring, since each is released for itself.
    fn holds(&self, breach: &Breach, scope: Reach, why: &str, salt: &str) -> Vec<Wish> {
        let targets: Vec<Target> = match scope {
            Reach::Region => vec![Target::Regions(vec![breach.region])],
            Reach::Ring => vec![Target::Ring(breach.ring)],
            Reach::Upstream => (0..=breach.ring.0).map(|r| Target::Ring(RingIx(r))).collect(),
        };
        targets.into_iter().flat_map(|t| self.hold(breach, t, BY_POLICY, why, salt)).collect()
    }

    /// One hold; none where a hold covers all of it, or this very one was released by a person.
    fn hold(&self, breach: &Breach, target: Target, mark: &str, why: &str, salt: &str) -> Vec<Wish> {
        let service = self.scene.service;
        let (scope, regions) = match &target {
            Target::Ring(ring) => match service.ring(*ring) {
                Some(Ring { name, regions, .. }) => (Scope::Ring(name.as_str().into()), regions.clone()),
                None => return Vec::new(),
            },
            _ => (Scope::Region(self.scene.region_name(breach.region)), vec![breach.region]),
        };
        let id = self.hold_id(breach, &scope, salt);
        let covered = |at: &RegionIx| self.scene.holds.iter().any(|h| self.scene.covers(h, *at));
        // A breaker must be there as such; any other hold is as good as ours.
        let covered = if mark == BREAKER { self.breaker_open(breach.region) } else { regions.iter().all(covered) };
        let deed = Deed::Hold(id);
        if covered
            || self.scene.state.record.released(id)
            || self.memory.did(self.place(breach.region), &deed, breach.template)
        {
            return Vec::new();
        }
        let why: Text = safe(&format!("{mark}{why}"), LONGEST).into();
        let intent = Intent { service: self.scene.at, verb: Verb::Hold, target, reason: Some(why.clone()) };
        vec![Wish { intent, deed, regions, cases: vec![(breach.region, breach.template)], why }]
    }

    /// The identity of a hold: equal in every guard that sees the same, so that it is one fact.
    fn hold_id(&self, breach: &Breach, scope: &Scope, salt: &str) -> FactId {
        let at = self.scene.region(breach.region);
        let moved = self.scene.state.record.region(breach.region).and_then(|r| r.newest_move());
        let begun = moved.map(|(fact, _)| fact.at).or_else(|| bake::begun(at?, None)).unwrap_or(Timestamp::UNIX_EPOCH);
        let text = format!(
            "{} {} {scope} {} {salt}",
            self.scene.world.fleet.name,
            self.scene.service.name,
            breach.template.hex()
        );
        let hash = Sha256::digest(text.as_bytes());
        let random = hash.iter().take(10).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
        FactId(Ulid::from_parts(u64::try_from(begun.as_millisecond()).unwrap_or(0), random))
    }

    /// On to the next ring: GO in every gate, nobody asked to wait, nothing rolled back before.
    fn promotion(&self) -> Option<Wish> {
        let question = self.view.question.as_ref().filter(|q| q.verdict == Verdict::Go && q.ring.0 > 0)?;
        let service = self.scene.service;
        if service.policy.ring(question.ring).advance != Advance::Auto {
            return None;
        }
        let lacks = |at: &RegionIx| self.scene.workload(*at).is_some_and(|w| w.version != question.version);
        let mine = |at: &RegionIx| self.memory.mine(self.place(*at));
        let regions: Vec<RegionIx> =
            service.ring(question.ring)?.regions.iter().copied().filter(lacks).filter(mine).collect();
        let first = *regions.first()?;
        let template = self.scene.workload(first)?.template;
        // What a rollback brought back to an earlier ring is not on its way to later ones.
        let earlier = service.rings.iter().take(question.ring.at()).flat_map(|r| &r.regions);
        let went_back = earlier
            .filter_map(|at| self.scene.state.record.region(*at)?.newest_move())
            .any(|(fact, moved)| matches!(fact.body, Body::RolledBack(_)) && moved.to_version == question.version.0);
        let busy = service.region_indexes().any(|at| self.memory.busy(self.place(at)));
        if went_back
            || busy
            || self.memory.waits(self.scene.at)
            || self.memory.did(self.place(first), &Deed::Promote, template)
        {
            return None;
        }
        let why: Text = safe(
            &format!(
                "{BY_POLICY}{} may have {}: {}",
                self.scene.ring_name(question.ring),
                question.version,
                question.told(self.scene.service).sentence
            ),
            LONGEST,
        )
        .into();
        let verb = Verb::Promote { to: None, without_wait: false };
        let target = Target::Regions(regions.clone());
        let intent = Intent { service: self.scene.at, verb, target, reason: Some(why.clone()) };
        Some(Wish { intent, deed: Deed::Promote, regions, cases: vec![(first, template)], why })
    }
}

/// Cases by place and template.
pub type Cases = BTreeMap<(Place, TemplateDigest), Progress>;
