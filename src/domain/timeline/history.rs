//! What happened, from facts, ReplicaSet times and conditions.

use super::lane::Lane;
use super::{Happened, RegionStory, Segment, SegmentKind};
use crate::domain::record::{Body, Fact, FactId, Move};
use crate::domain::stamp::{SignedDuration, Timestamp};
use crate::domain::version::{TemplateDigest, Version};
use crate::domain::workload::{Phase, Workload};

/// A fact bears the author's clock; a ReplicaSet may seem that much older than its cause.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);
/// A weight seen so long after a drain's or restore's fact is that drain or restore.
const SEEN_LATE: SignedDuration = SignedDuration::from_mins(15);

/// A time during which a region was to run one template.
#[derive(Clone, Debug)]
struct Stay {
    start: Timestamp,
    /// Whether anything tells when the rollout began.
    begun: bool,
    version: Option<Version>,
    template: Option<TemplateDigest>,
    mark: Option<SegmentKind>,
    settled: Option<Timestamp>,
    end: Option<Timestamp>,
}

/// Everything that happened, of all regions.
pub fn history(stories: &[RegionStory<'_>], now: Timestamp) -> Vec<Segment> {
    let stays: Vec<Vec<Stay>> = stories.iter().map(|s| stays(s, now)).collect();
    let later = Later::of(stories, &stays);
    let mut out = Vec::new();
    for (story, mine) in stories.iter().zip(&stays) {
        let mut lane = Lane::new(story.region, now);
        for stay in mine {
            let waits = later.wait_end(story.ring, stay);
            draw_stay(&mut lane, story, stay, waits, now);
        }
        draw_pauses(&mut lane, story, mine, now);
        draw_drains(&mut lane, story, now);
        for gap in story.happenings.iter().filter(|h| h.what == Happened::Gap) {
            lane.mark(SegmentKind::Gap, gap.at, None);
        }
        out.extend(lane.finish());
    }
    super::order(&mut out);
    out
}

/// The stays of a region, oldest first; each ends where the next begins.
fn stays(story: &RegionStory<'_>, now: Timestamp) -> Vec<Stay> {
    let mut stays = told(story, now);
    if let Some(workload) = story.workload {
        let current = stays.last().is_some_and(|last| is_current(story, last, workload));
        if !current {
            stays.extend(untold(story, workload, now));
        }
        if let Some(last) = stays.last_mut() {
            last.version = Some(workload.version.clone());
            last.template = Some(workload.template);
            last.settled = story.settled.map(|s| s.at.clamp(last.start.min(now), now));
        }
    }
    let starts: Vec<(Timestamp, Option<Version>, Option<TemplateDigest>)> =
        stays.iter().skip(1).map(|s| (s.start, s.version.clone(), s.template)).collect();
    for (stay, (end, ..)) in stays.iter_mut().zip(starts) {
        stay.end = Some(end);
        stay.settled = stay.template.and_then(|t| story.record?.settled.get(&t)).map(|s| s.at);
        stay.settled = stay.settled.filter(|at| *at >= stay.start && *at <= end);
    }
    stays
}

/// Stays that facts or ReplicaSets tell of, oldest first.
fn told(story: &RegionStory<'_>, now: Timestamp) -> Vec<Stay> {
    let mut created: Vec<Timestamp> =
        story.revisions.iter().filter(|r| !r.reused).filter_map(|r| r.created).filter(|t| *t <= now).collect();
    created.sort();
    let moves = moves(story, now);
    let mut stays: Vec<Stay> = Vec::new();
    for (n, (fact, moved)) in moves.iter().enumerate() {
        let until = moves.get(n + 1).map(|(f, _)| f.at);
        let earlier = moves.get(..n).unwrap_or_default();
        // A template that ran before has its ReplicaSet already: none is created.
        let known =
            earlier.iter().any(|(_, m)| m.to_template == moved.to_template || m.from_template == moved.to_template);
        let from = fact.at.saturating_sub(CLOCKS).unwrap_or(fact.at);
        let own = created.iter().position(|t| *t >= from && until.is_none_or(|u| *t < u)).filter(|_| !known);
        let start = own.map_or(fact.at, |i| created.remove(i)).min(now);
        let mark = if matches!(fact.body, Body::Promoted(_)) { SegmentKind::Promoted } else { SegmentKind::RolledBack };
        stays.push(Stay {
            start,
            begun: true,
            version: Some(Version(moved.to_version.clone())),
            template: Some(moved.to_template),
            mark: Some(mark),
            settled: None,
            end: None,
        });
    }
    stays.extend(created.into_iter().map(|start| Stay {
        start,
        begun: true,
        version: None,
        template: None,
        mark: None,
        settled: None,
        end: None,
    }));
    stays.sort_by_key(|s| s.start);
    // What ran before a move, the move tells.
    for n in 1..stays.len() {
        let before = stays.get(n).filter(|s| s.mark.is_some()).and_then(|s| s.template);
        let Some((_, moved)) = before.and_then(|t| moves.iter().find(|(_, m)| m.to_template == t)) else { continue };
        if let Some(stay) = stays.get_mut(n - 1).filter(|s| s.version.is_none()) {
            stay.version = Some(Version(moved.from_version.clone()));
            stay.template = Some(moved.from_template);
        }
    }
    stays
}

fn moves<'a>(story: &RegionStory<'a>, now: Timestamp) -> Vec<(&'a Fact, &'a Move)> {
    let facts = story.record.into_iter().flat_map(|r| r.relevant(now));
    let mut moves: Vec<(&Fact, &Move)> = facts
        .filter_map(|f| match &f.body {
            Body::Promoted(m) | Body::RolledBack(m) => Some((f, m)),
            _ => None,
        })
        .collect();
    moves.sort_by_key(|(f, _)| (f.at, f.id));
    moves
}

/// Whether the last stay that is told of is what the workload is to run now.
fn is_current(story: &RegionStory<'_>, last: &Stay, workload: &Workload) -> bool {
    if let Some(template) = last.template {
        return template == workload.template || last.version.as_ref() == Some(&workload.version);
    }
    // The newest revision is the last ReplicaSet that was made, unless an old one was taken again.
    let newest = story.revisions.iter().max_by_key(|r| r.number);
    newest
        .is_some_and(|r| !r.reused && r.created == Some(last.start) && workload.revision.is_none_or(|n| n == r.number))
}

/// What runs now, where neither fact nor new ReplicaSet tells when it began.
fn untold(story: &RegionStory<'_>, workload: &Workload, now: Timestamp) -> Vec<Stay> {
    let seen = |t: TemplateDigest| {
        story.happenings.iter().rev().find_map(|h| match &h.what {
            Happened::Template { template, .. } if *template == t => Some(h.at),
            _ => None,
        })
    };
    let settled = story.settled.map(|s| s.at);
    let start = match settled {
        Some(at) => Some(at),
        None => seen(workload.template).or(workload.progress.updated),
    };
    let start = start.unwrap_or(now).min(now);
    vec![Stay { start, begun: settled.is_none(), version: None, template: None, mark: None, settled: None, end: None }]
}

/// What later rings did, by ring: when a version was given to the next one, and who still lacks it.
struct Later {
    /// Per ring: when its regions were given versions.
    given: Vec<Vec<(Version, Timestamp)>>,
    /// Per ring: what the rings after it run.
    after: Vec<Vec<Version>>,
}

impl Later {
    fn of(stories: &[RegionStory<'_>], stays: &[Vec<Stay>]) -> Self {
        let rings = stories.iter().map(|s| s.ring + 1).max().unwrap_or(0);
        let mut later = Self { given: vec![Vec::new(); rings], after: vec![Vec::new(); rings] };
        for (story, stays) in stories.iter().zip(stays) {
            if let Some(given) = later.given.get_mut(story.ring) {
                let marked = stays.iter().filter(|s| s.mark.is_some());
                given.extend(marked.filter_map(|s| Some((s.version.clone()?, s.start))));
            }
            let Some(workload) = story.workload else { continue };
            for after in later.after.iter_mut().take(story.ring) {
                if !after.contains(&workload.version) {
                    after.push(workload.version.clone());
                }
            }
        }
        later.given.iter_mut().for_each(|g| g.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0))));
        later
    }

    /// Until when a baked region waited for the next ring; none: it did not, or nothing tells.
    fn wait_end(&self, ring: usize, stay: &Stay) -> Option<Option<Timestamp>> {
        let version = stay.version.as_ref()?;
        let settled = stay.settled?;
        let next = self.given.get(ring + 1).into_iter().flatten();
        let taken = next.into_iter().find(|(v, at)| v == version && *at >= settled).map(|(_, at)| *at);
        if taken.is_some() {
            return Some(taken);
        }
        let lacking = self.after.get(ring).is_some_and(|after| after.iter().any(|v| v != version));
        (stay.end.is_none() && lacking).then_some(None)
    }
}

fn draw_stay(lane: &mut Lane, story: &RegionStory<'_>, stay: &Stay, waits: Option<Option<Timestamp>>, now: Timestamp) {
    let version = stay.version.clone();
    if let Some(mark) = stay.mark {
        lane.mark(mark, stay.start, version.clone());
    }
    let Some(settled) = stay.settled else {
        match (stay.end, story.workload) {
            // Nothing tells how a past move went.
            (Some(end), _) if stay.mark.is_some() => lane.stretch(SegmentKind::Gap, stay.start, Some(end), version),
            (Some(_), _) => {}
            (None, Some(workload)) => draw_unsettled(lane, workload, stay),
            (None, None) => {}
        }
        return;
    };
    if stay.begun {
        lane.stretch(SegmentKind::Deploy, stay.start, Some(settled), version.clone());
    }
    let bake = SignedDuration::try_from(story.bake).unwrap_or(SignedDuration::MAX);
    let baked = match (stay.end, story.ring_start) {
        (Some(_), _) => settled.saturating_add(bake).ok(),
        (None, Some(start)) => start.max(settled).saturating_add(bake).ok(),
        // Another region of the ring has not settled: the ring's bake has not even begun.
        (None, None) => None,
    };
    let baked = baked.filter(|at| stay.end.is_some() || *at <= now);
    let bake_end = match (baked, stay.end) {
        (Some(baked), Some(end)) => Some(baked.min(end)),
        (baked, end) => baked.or(end),
    };
    lane.stretch(SegmentKind::Bake, settled, bake_end, version.clone());
    if let (Some(baked), Some(until)) = (baked, waits) {
        let until = match (until, stay.end) {
            (Some(until), Some(end)) => Some(until.min(end)),
            (until, end) => until.or(end),
        };
        lane.stretch(SegmentKind::Wait, baked, until, version);
    }
}

fn draw_unsettled(lane: &mut Lane, workload: &Workload, stay: &Stay) {
    let version = stay.version.clone();
    let failed = match workload.phase {
        Phase::DeadlineExceeded | Phase::Degraded => {
            workload.progress.updated.or(Some(stay.start)).map(|at| at.max(stay.start))
        }
        _ => None,
    };
    lane.stretch(SegmentKind::Deploy, stay.start, failed, version.clone());
    if let Some(at) = failed {
        lane.stretch(SegmentKind::Failed, at, None, version);
    }
}

fn draw_pauses(lane: &mut Lane, story: &RegionStory<'_>, stays: &[Stay], now: Timestamp) {
    let paused_now = story.workload.is_some_and(|w| w.paused);
    let version = |at: Timestamp| stays.iter().rev().find(|s| s.start <= at).and_then(|s| s.version.clone());
    let facts: Vec<&Fact> = story.record.into_iter().flat_map(|r| r.relevant(now)).collect();
    let mut told = false;
    for fact in facts.iter().filter(|f| matches!(f.body, Body::Paused { .. })) {
        let undone = facts.iter().find(|f| matches!(&f.body, Body::Unpaused { paused } if *paused == fact.id));
        let to = match undone {
            Some(undone) => Some(undone.at),
            None if paused_now => {
                told = true;
                None
            }
            // Somebody else un-paused it: at the latest when it went on.
            None => Some(went_on(stays, fact.at).unwrap_or(fact.at)),
        };
        lane.stretch(SegmentKind::Paused, fact.at, to, version(fact.at));
    }
    if let Some(workload) = story.workload.filter(|w| w.paused && !told) {
        let condition =
            workload.progress.updated.filter(|_| workload.progress.reason.as_deref() == Some("DeploymentPaused"));
        let seen = || story.happenings.iter().rev().find(|h| h.what == Happened::Paused).map(|h| h.at);
        let from = condition.or_else(seen).unwrap_or(now);
        lane.stretch(SegmentKind::Paused, from, None, Some(workload.version.clone()));
    }
}

/// The first moment after a pause at which something shows that the rollout went on.
fn went_on(stays: &[Stay], paused: Timestamp) -> Option<Timestamp> {
    stays.iter().flat_map(|s| [Some(s.start), s.settled]).flatten().filter(|at| *at > paused).min()
}

fn draw_drains(lane: &mut Lane, story: &RegionStory<'_>, now: Timestamp) {
    let facts: Vec<&Fact> = story.record.into_iter().flat_map(|r| r.relevant(now)).collect();
    let restored = |id: FactId, at: Timestamp| {
        let names = |f: &&&Fact| matches!(&f.body, Body::Restored { drained, .. } if *drained == id);
        // A second drain of a drained region ends with the first.
        let later = |f: &&&Fact| matches!(f.body, Body::Restored { .. }) && f.at > at;
        facts.iter().find(names).or_else(|| facts.iter().filter(later).min_by_key(|f| f.at)).map(|f| f.at)
    };
    let mut told: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
    for fact in facts.iter().filter(|f| matches!(f.body, Body::Drained { .. })) {
        let to = restored(fact.id, fact.at);
        lane.stretch(SegmentKind::Drained, fact.at, to, None);
        told.push((fact.at, to));
    }
    let explained = |at: Timestamp| {
        let late = |t: Timestamp| t.saturating_add(SEEN_LATE).unwrap_or(t);
        told.iter().any(|(from, to)| at >= *from && to.is_none_or(|to| at <= late(to)))
    };
    let weights = || {
        story.happenings.iter().filter_map(|h| match h.what {
            Happened::Weight(weight) => Some((h.at, weight)),
            _ => None,
        })
    };
    for (at, _) in weights().filter(|(at, w)| *w == 0 && !explained(*at)) {
        let back = weights().find(|(t, w)| *t > at && *w > 0).map(|(t, _)| t);
        lane.stretch(SegmentKind::Drained, at, back, None);
    }
}
