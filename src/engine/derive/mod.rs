//! From what is believed to what is shown: pure, and the same for screens, verbs and scripts.

use std::time::Duration;

use super::judge;
use super::scene::{Scene, World};
use super::state::{RegionState, ServiceState};
use super::view::{
    Burn, Heard, LastRaised, OtherPolicy, Question, RegionView, RegionWord, RingPhase, RingRuns, RingView, ServiceView,
};
use crate::domain::fleet::{Region, Ring};
use crate::domain::id::{RegionIx, RingIx, ServiceIx};
use crate::domain::link::{Freshness, Link};
use crate::domain::picture::Picture;
use crate::domain::record::{Body, Fact};
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::timeline::{self, Outlook, Projection, RegionStory, RingOutlook, Segment, SegmentKind};
use crate::domain::verdict::{Judgement, RingVerdict, Verdict};
use crate::domain::version::Version;
use crate::domain::workload::{Phase, Workload};
use crate::traffic::Sharing;

mod alarms;
mod delivered;
mod drained;
mod release;
mod rollback_clock;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod timeline_tests;

/// A sample older than this says nothing about live traffic.
const SAMPLE_LIFE: SignedDuration = SignedDuration::from_secs(90);

/// What is shown of a service now. Call [`super::bake::settle`] before.
pub fn derive(world: World<'_>, at: ServiceIx, state: &ServiceState) -> ServiceView {
    let Some(scene) = Scene::new(world, at, state) else { return ServiceView::default() };
    let target = release::target(&scene);
    let exits = scene.exits();
    let question = target.as_ref().and_then(|t| {
        let ring = release::next_ring(&scene, &t.version)?;
        Some(judge::question(&scene, exits, ring, &t.version))
    });
    let traffic = Traffic::of(&scene);
    let new = target.as_ref().map(|t| t.workload);
    let regions: Vec<RegionView> =
        scene.service.region_indexes().filter_map(|r| region_view(&scene, &traffic, r, new, exits)).collect();
    let mut rings: Vec<RingView> = exits
        .iter()
        .enumerate()
        .map(|(r, exit)| ring_view(&scene, r.into(), exit, &regions, target.as_ref().map(|t| &t.version)))
        .collect();
    let mut segments = history(&scene, &rings);
    let stage = Stage { rings: &rings, exits, question: question.as_ref(), history: &segments };
    let projection = projection(&scene, &stage, target.as_ref().map(|t| &t.version));
    for (ring, ready) in rings.iter_mut().zip(&projection.ready_at) {
        ring.ready_at = *ready;
    }
    for (ring, promote) in rings.iter_mut().zip(&projection.promote_at) {
        ring.promote_at = *promote;
    }
    segments.extend(projection.segments);
    timeline::order(&mut segments);
    let mut view = ServiceView {
        release: release::view(&scene, target.as_ref(), &rings, &regions, question.as_ref()),
        exposure: traffic.exposure(&regions),
        alarms: alarms::alarms(&scene, &traffic.qps),
        forgotten: alarms::forgotten(&scene),
        under_review: alarms::under_review(&scene),
        incidents: Vec::new(),
        policies: policies(&scene),
        changed_under_hold: alarms::changed_under_holds(&scene),
        holds: scene.holds.clone(),
        last_raised: last_raised(&scene),
        eta: projection.eta,
        rings,
        regions,
        question,
        segments,
    };
    view.incidents = rollback_clock::incidents(&scene, &view, &state.view);
    view
}

/// The board's question, asked about any ring: may it have the version that is on its way?
/// None where nothing is known of a version yet.
pub fn may(world: World<'_>, at: ServiceIx, state: &ServiceState, ring: RingIx) -> Option<Question> {
    let scene = Scene::new(world, at, state)?;
    let target = release::target(&scene)?;
    Some(judge::may(&scene, ring, &target.version))
}

/// What a cell of the board rests on, to be drawn.
pub fn picture(world: World<'_>, at: ServiceIx, state: &ServiceState, cell: (usize, usize)) -> Option<Picture> {
    let scene = Scene::new(world, at, state)?;
    judge::picture(&scene, state.view.question.as_ref()?, cell.0, cell.1)
}

/// A ring's exit gates as they stand, each with what it rests on.
pub fn exit_gates(world: World<'_>, at: ServiceIx, state: &ServiceState, ring: RingIx) -> RingVerdict {
    Scene::new(world, at, state).map(|scene| judge::exit(&scene, ring)).unwrap_or_default()
}

/// Measured traffic: a region's share of all that is live.
struct Traffic {
    /// Queries per second, by region; none: not measured, or no live traffic goes there.
    qps: Vec<Option<f64>>,
    /// Whether live traffic may go there.
    live: Vec<bool>,
    /// Of all live regions; none when any is unknown.
    total: Option<f64>,
    /// Share of a region's pods that run its newest template.
    updated: Vec<f64>,
}

impl Traffic {
    fn of(scene: &Scene<'_>) -> Self {
        let column = scene.service.traffic_column().map(|c| &c.name);
        let fresh = |r: &RegionState| -> Option<f64> {
            let (at, reading) = r.current.get(column?)?;
            let age = scene.world.now.duration_since(*at);
            (age <= SAMPLE_LIFE).then(|| reading.as_ref().ok().copied()).flatten().filter(|v| *v >= 0.0)
        };
        // Regions that are not steered (staging) carry no live traffic, where any is steered.
        let steered = scene.service.regions.iter().any(|r| r.route.is_some());
        let live: Vec<bool> = scene.service.regions.iter().map(|r| !steered || r.route.is_some()).collect();
        let qps: Vec<Option<f64>> = scene.state.regions.iter().map(fresh).collect();
        let total = qps.iter().zip(&live).filter(|(_, live)| **live).map(|(q, _)| *q).sum::<Option<f64>>();
        let updated = scene.state.regions.iter().map(|r| r.workload.as_ref().map_or(1.0, updated)).collect();
        Self { qps, live, total, updated }
    }

    fn share(&self, at: RegionIx) -> Option<f64> {
        let live = self.live.get(at.at()).copied().unwrap_or(false);
        let qps = self.qps.get(at.at()).copied().flatten().filter(|_| live)?;
        self.total.filter(|t| *t > 0.0).map(|total| (qps / total).clamp(0.0, 1.0))
    }

    /// Share of live traffic on the new version; a region that is being changed counts by its pods.
    fn exposure(&self, regions: &[RegionView]) -> Option<f64> {
        let live = || regions.iter().enumerate().filter(|(at, _)| self.live.get(*at).copied().unwrap_or(false));
        let shares: Option<Vec<f64>> = live()
            .map(|(at, view)| match (view.on_new, self.share(at.into())) {
                (Some(false), Some(_)) => Some(0.0),
                (Some(true), Some(share)) => Some(share * self.updated.get(at).copied().unwrap_or(1.0)),
                _ => None,
            })
            .collect();
        shares.filter(|s| !s.is_empty()).map(|s| s.iter().sum::<f64>().clamp(0.0, 1.0))
    }
}

/// Share of the pods that run the newest template; all of them where none is counted.
fn updated(workload: &Workload) -> f64 {
    match workload.replicas.total {
        0 => 1.0,
        total => (f64::from(workload.replicas.updated) / f64::from(total)).clamp(0.0, 1.0),
    }
}

/// How fast the error budget of a region burns, where a gate of its ring says so.
fn burn(scene: &Scene<'_>, region: &Region, exit: Option<&RingVerdict>, at: RegionIx) -> Option<Burn> {
    let specs = &scene.service.ring(region.ring)?.exit_gates;
    specs.iter().find(|g| &*g.gate == "burn_rate")?;
    let cells = exit.map(|e| e.cells().filter(|(r, ..)| *r == at)).into_iter().flatten();
    let told = cells.map(|(_, _, j)| j).find(|j| j.figure_of("burn").is_some());
    let Some(told) = told else {
        return Some(Burn { rate: None, left: None, at_most: false, verdict: Verdict::NoData });
    };
    let measured = told.figure_of("budget_left");
    Some(Burn {
        // What nobody can tell now is unknown, whatever was added up from the rest.
        rate: told.figure_of("burn").filter(|_| told.verdict != Verdict::NoData),
        left: measured.or_else(|| told.figure_of("budget_left_at_most")),
        at_most: measured.is_none(),
        verdict: told.verdict,
    })
}

fn region_view(
    scene: &Scene<'_>,
    traffic: &Traffic,
    at: RegionIx,
    new: Option<&Workload>,
    exits: &[RingVerdict],
) -> Option<RegionView> {
    let region = scene.service.region(at)?;
    let state = scene.region(at)?;
    let weight = weight(scene, region, state);
    let drained = drained::drained(scene, at, weight);
    Some(RegionView {
        state: word(state),
        heard: heard(scene, region),
        on_new: state.workload.as_ref().zip(new).map(|(w, n)| scene.service.same_release(w, n)),
        weight,
        share: traffic.share(at),
        drained,
        under_way: drained::under_way(scene, at, drained),
        residual: drained::residual(region, drained, traffic.qps.get(at.at()).copied().flatten()),
        held: scene.holds.iter().any(|h| scene.covers(h, at)),
        template: state.workload.as_ref().map(|w| w.template),
        burn: burn(scene, region, exits.get(region.ring.at()), at),
    })
}

/// Weight of a region's backend, and its share of all that comes; none: it is no share, or not all are known.
fn weight(scene: &Scene<'_>, region: &Region, state: &RegionState) -> Option<(u32, Option<f64>)> {
    let route = region.route.as_ref()?;
    let weight = state.weight(region)?;
    let sharing = crate::traffic::provider(&route.provider).map_or(Sharing::Rule, |p| p.sharing());
    let of_rule = || {
        let rule = state.route.as_ref()?.rules.get(route.rule)?;
        Some(rule.iter().map(|b| f64::from(b.weight)).sum::<f64>())
    };
    let sum = match sharing {
        Sharing::Rule => of_rule(),
        Sharing::Records => {
            let records = scene.service.regions.iter().zip(&scene.state.regions);
            let alike = |r: &Region| r.route.as_ref().is_some_and(|other| other.provider == route.provider);
            records.filter(|(r, _)| alike(r)).map(|(r, state)| state.weight(r).map(f64::from)).sum()
        }
        Sharing::Dial => None,
    };
    Some((weight, sum.map(|sum| if sum > 0.0 { f64::from(weight) / sum } else { 0.0 })))
}

/// A region's state in one word. Wish and fact differ: pausing is not paused.
pub(super) fn word(state: &RegionState) -> RegionWord {
    let Some(workload) = &state.workload else {
        return if state.absent { RegionWord::Absent } else { RegionWord::Unknown };
    };
    match workload.phase {
        _ if workload.paused && workload.observed_generation < workload.generation => RegionWord::Pausing,
        _ if workload.paused => RegionWord::Paused,
        Phase::DeadlineExceeded | Phase::Degraded => RegionWord::Failed,
        Phase::Complete => RegionWord::Settled,
        // Once settled on what it runs, missing pods are scaling or trouble, not a rollout.
        _ if state.settled.is_some() => RegionWord::Settled,
        _ => RegionWord::RollingOut,
    }
}

fn heard(scene: &Scene<'_>, region: &Region) -> Heard {
    // Whole seconds: a view that differs by less is not another view.
    let whole = |d: Duration| Duration::from_secs(d.as_secs());
    match scene.freshness(region) {
        Freshness::Never => Heard::Connecting,
        Freshness::Live => Heard::Live,
        Freshness::Late(age) => Heard::Late(whole(age)),
        Freshness::Lost(age, reason) => {
            let (word, text) = reason.text();
            let cluster =
                scene.world.clusters.get(region.cluster.at()).filter(|c| c.link != Link::Live).map(|c| &c.link);
            let link = cluster.or_else(|| scene.world.sources.link(region).map(|(link, _)| link));
            let next_try = match link {
                Some(Link::Lost { next_try, .. }) => *next_try,
                _ => scene.world.now,
            };
            Heard::Lost { word: word.into(), reason: text.into(), age: age.map(whole), next_try }
        }
    }
}

fn ring_view(
    scene: &Scene<'_>,
    at: RingIx,
    exit: &RingVerdict,
    regions: &[RegionView],
    target: Option<&Version>,
) -> RingView {
    let bake = scene.world.gates.minimum(scene.at, at);
    let runs = scene.runs(at).clone();
    let verdict = exit.folded();
    let start = scene.start(at);
    let over = start.is_some_and(|s| {
        let bake = SignedDuration::try_from(bake).unwrap_or(SignedDuration::MAX);
        s.at.checked_add(bake).is_ok_and(|end| end <= scene.world.now)
    });
    let empty = Vec::new();
    let mine = scene.service.ring(at).map_or(&empty, |r| &r.regions);
    let any = |word: RegionWord| mine.iter().filter_map(|r| regions.get(r.at())).any(|r| r.state == word);
    let on_target = matches!((&runs, target), (RingRuns::One(v), Some(t)) if v == t);
    let last = at.at() + 1 == scene.service.rings.len();
    let released = target.is_some_and(|t| scene.runs.iter().all(|r| matches!(r, RingRuns::One(v) if v == t)));
    let phase = match runs {
        _ if any(RegionWord::Failed) => RingPhase::Failed,
        RingRuns::Unknown => RingPhase::Unknown,
        _ if scene.hold_on(at).is_some() => RingPhase::Held,
        RingRuns::Mixed(_) => RingPhase::RollingOut,
        _ if any(RegionWord::RollingOut) || any(RegionWord::Pausing) || any(RegionWord::Paused) => {
            RingPhase::RollingOut
        }
        _ if !on_target => RingPhase::Waiting,
        // Nothing comes after: the last ring bakes for itself, then all is steady.
        _ if released && (over || !last) => RingPhase::Steady,
        _ if verdict == Verdict::NoGo => RingPhase::Blocked,
        _ if verdict <= Verdict::Findings => RingPhase::Baked,
        _ => RingPhase::Baking,
    };
    RingView { runs, phase, bake_start: start, bake, verdict, ready_at: None, promote_at: None }
}

fn history(scene: &Scene<'_>, rings: &[RingView]) -> Vec<Segment> {
    let stories: Vec<RegionStory<'_>> = scene
        .service
        .region_indexes()
        .filter_map(|at| {
            let state = scene.region(at)?;
            let ring = scene.service.region(at)?.ring;
            // A history that was listed for another template says nothing of the newest revision.
            let listed = state.workload.as_ref().is_some_and(|w| state.revisions_for == Some(w.template));
            Some(RegionStory {
                region: at,
                workload: state.workload.as_ref(),
                revisions: &state.revisions,
                listed,
                record: scene.state.record.region(at),
                happenings: &state.happenings,
                settled: state.settled,
                ring_start: scene.start(ring).map(|s| s.at),
                bake: rings.get(ring.at()).map(|r| r.bake).unwrap_or_default(),
                ring: ring.at(),
            })
        })
        .collect();
    timeline::segments(&stories, scene.world.now)
}

/// What a projection goes on from.
struct Stage<'a> {
    rings: &'a [RingView],
    /// Exit gates by ring, on what it runs now.
    exits: &'a [RingVerdict],
    question: Option<&'a Question>,
    history: &'a [Segment],
}

fn projection(scene: &Scene<'_>, stage: &Stage<'_>, target: Option<&Version>) -> Projection {
    let Stage { rings, exits, question, history } = *stage;
    let Some(version) = target else { return Projection::default() };
    if question.is_none() && rings.iter().all(|r| r.phase == RingPhase::Steady) {
        return Projection::default();
    }
    let outlook = |(at, ((ring, view), exit)): (usize, ((&Ring, &RingView), &RingVerdict))| {
        let has = |r: &RegionIx| (*r, scene.workload(*r).is_some_and(|w| w.version == *version));
        let policy = scene.service.policy.ring(at.into());
        let waits = exit.cells().filter(|(_, _, j)| j.verdict == Verdict::Wait).filter_map(|(_, _, j)| j.until);
        let on_target = matches!(&view.runs, RingRuns::One(v) if v == version);
        let says_no = on_target && matches!(view.verdict, Verdict::NoGo | Verdict::NoData) && view.bake_start.is_some();
        let asked_no = question.is_some_and(|q| q.ring.at() == at && only_its_own(q) >= Verdict::NoData);
        RingOutlook {
            regions: ring.regions.iter().map(has).collect(),
            bake_start: view.bake_start.filter(|_| on_target).map(|s| s.at),
            bake: view.bake,
            until: waits.max().filter(|_| on_target),
            not_before: question.filter(|q| q.ring.at() == at).and_then(own_waits),
            distance: policy.ring_distance,
            parallelism: ring.parallelism,
            stagger: scene.service.soak(at.into()),
            stuck: says_no
                || asked_no
                || matches!(view.phase, RingPhase::Unknown | RingPhase::Failed | RingPhase::Held | RingPhase::Blocked),
        }
    };
    let rings = scene.service.rings.iter().zip(rings).zip(exits).enumerate().map(outlook).collect();
    let moves = scene.state.record.regions.iter().flatten().filter_map(|r| r.newest_promotion());
    let changed = moves.map(|(fact, _)| fact.at).max();
    let opens = |at: RegionIx, from: Timestamp| {
        let ring = scene.service.region(at)?.ring;
        scene.world.gates.opens(scene.at, ring, at, from)
    };
    let rollout = usual_rollout(history);
    timeline::project(&Outlook { version, rings, rollout, changed, opens: &opens, now: scene.world.now })
}

/// The worst that the target ring's own rows say: gates of earlier rings are projected by themselves.
fn only_its_own(question: &Question) -> Verdict {
    let own = question.rows.iter().filter(|r| r.ring == question.ring);
    // A freeze says no, and when it ends: it is waited for.
    let ends = |j: &&Judgement| j.verdict != Verdict::NoGo || j.until.is_none();
    own.flat_map(|r| r.cells.iter().filter_map(|c| c.as_deref()))
        .filter(ends)
        .map(|j| j.verdict)
        .max()
        .unwrap_or(Verdict::Go)
}

/// Until when the target ring's own rows wait.
fn own_waits(question: &Question) -> Option<Timestamp> {
    let own = question.rows.iter().filter(|r| r.ring == question.ring);
    own.flat_map(|r| r.cells.iter().flatten()).filter(|j| j.verdict > Verdict::Findings).filter_map(|j| j.until).max()
}

/// The median of the rollouts that the timeline shows.
fn usual_rollout(history: &[Segment]) -> Option<SignedDuration> {
    let deploys = history.iter().filter(|s| s.kind == SegmentKind::Deploy);
    let mut lengths: Vec<SignedDuration> = deploys.filter_map(|s| Some(s.to?.duration_since(s.from))).collect();
    lengths.sort();
    lengths.get(lengths.len() / 2).copied()
}

/// Whose policy is not this console's: guards that are heard, and whoever promoted last.
fn policies(scene: &Scene<'_>) -> Vec<OtherPolicy> {
    let ours = &scene.service.policy_hash;
    let mut others: Vec<OtherPolicy> = Vec::new();
    let promotions = scene.state.record.regions.iter().enumerate();
    let promotions = promotions.filter_map(|(at, r)| Some((at, r.as_ref()?.newest_promotion()?)));
    if let Some((at, (fact, moved))) = promotions.max_by_key(|(_, (f, _))| f.id)
        && !moved.policy.is_empty()
        && moved.policy != *ours
    {
        others.push(OtherPolicy {
            who: fact.by.as_str().into(),
            hash: moved.policy.clone(),
            text: None,
            at: Some(fact.at),
            guards: false,
            regions: vec![at.into()],
        });
    }
    for (at, guard) in scene.state.regions.iter().enumerate().filter_map(|(at, r)| Some((at, r.guard.as_ref()?))) {
        if guard.policy.is_empty() || guard.policy == *ours || !guard.alive(scene.world.stamp) {
            continue;
        }
        match others.iter_mut().find(|o| o.guards && o.who == guard.holder && o.hash == guard.policy) {
            Some(known) => known.regions.push(at.into()),
            None => others.push(OtherPolicy {
                who: guard.holder.clone(),
                hash: guard.policy.clone(),
                text: guard.policy_text.clone(),
                at: guard.renewed.parse().ok(),
                guards: true,
                regions: vec![at.into()],
            }),
        }
    }
    // Who promoted left only a hash: a guard that goes by the same tells what is behind it.
    let told: Vec<_> = others.iter().filter_map(|o| Some((o.hash.clone(), o.text.clone()?))).collect();
    for other in others.iter_mut().filter(|o| o.text.is_none()) {
        other.text = told.iter().find(|(hash, _)| *hash == other.hash).map(|(_, text)| text.clone());
    }
    others
}

/// Who raised last: promoted, released a hold, or restored traffic.
fn last_raised(scene: &Scene<'_>) -> Option<LastRaised> {
    let facts = scene.state.record.regions.iter().enumerate();
    let facts = facts.flat_map(|(at, r)| r.iter().flat_map(|r| r.facts.values()).map(move |f| (at, f)));
    let raising =
        |(_, f): &(usize, &Fact)| matches!(f.body, Body::Promoted(_) | Body::Release { .. } | Body::Restored { .. });
    let (at, fact) = facts.filter(raising).max_by_key(|(_, f)| (f.at, f.id))?;
    let what = match &fact.body {
        Body::Promoted(moved) => format!("promote {} to {}", moved.ring, moved.to_version),
        Body::Restored { .. } => format!("restore {}", scene.region_name(at.into())),
        _ => "release a hold".to_owned(),
    };
    Some(LastRaised { by: fact.by.as_str().into(), at: fact.at, what: what.into() })
}
