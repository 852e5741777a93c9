//! Judges rings by their gates, and answers the board's question: may ring k have v?

use std::time::Duration;

use super::bake;
use super::besides::{self, CLOCK, DECIDE, HOLD, IDENTITY, LOCK, PACE, PAST, POLICY, RECORD, RUNS};
use super::pace::pace;
use super::scene::Scene;
use super::state::RegionState;
use super::view::{Question, QuestionRow};
use crate::domain::fleet::{Fleet, GateSpec, Region, Ring, Service};
use crate::domain::gate::{BakeSource, BakeStart, Entering, Evidence, Gate, GateType, Need, Sibling};
use crate::domain::id::{RegionIx, RingIx, ServiceIx, Text};
use crate::domain::link::Freshness;
use crate::domain::picture::Picture;
use crate::domain::stamp::{SignedDuration, Timestamp, short};
use crate::domain::verdict::{Judgement, RingVerdict, Verdict};
use crate::domain::version::Version;

/// So many openings of calendars are tried for one that suits all of a ring's.
const ROUNDS: usize = 64;
/// How many causes a sentence names.
pub(super) const CAUSES: usize = 3;

/// The gates of a fleet, built once.
#[derive(Default)]
pub struct Gates {
    services: Vec<Vec<RingGates>>,
}

/// The gates of one ring.
#[derive(Default)]
pub struct RingGates {
    exit: Vec<BuiltGate>,
    entry: Vec<BuiltGate>,
}

struct BuiltGate {
    label: Text,
    gate: Box<dyn Gate>,
    /// Other services that it asks about.
    asks: Vec<Text>,
}

/// A gate that could not be built: it never lets anything through.
struct Broken(Text);

impl Gate for Broken {
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
    fn judge(&self, evidence: &Evidence<'_>) -> Judgement {
        Judgement::new(Verdict::NoData, "broken", format!("{}: {}", evidence.region.name, self.0))
    }
}

impl Gates {
    /// Builds every gate of a fleet from the table that `find` looks in.
    pub fn build(fleet: &Fleet, find: &dyn Fn(&str) -> Option<&'static dyn GateType>) -> Self {
        let built = |service: &Service, specs: &[GateSpec]| -> Vec<BuiltGate> {
            specs.iter().map(|spec| build_gate(service, spec, find)).collect()
        };
        let services = fleet.services.iter().map(|service| {
            let ring =
                |r: &Ring| RingGates { exit: built(service, &r.exit_gates), entry: built(service, &r.entry_gates) };
            service.rings.iter().map(ring).collect()
        });
        Self { services: services.collect() }
    }

    fn ring(&self, service: ServiceIx, ring: RingIx) -> Option<&RingGates> {
        self.services.get(service.at())?.get(ring.at())
    }

    /// The longest minimum among a ring's exit gates.
    pub fn minimum(&self, service: ServiceIx, ring: RingIx) -> Duration {
        let gates = self.ring(service, ring).map(|g| g.exit.as_slice()).unwrap_or_default();
        gates.iter().map(|g| g.gate.minimum()).max().unwrap_or_default()
    }

    /// The earliest moment from one on at which every entry gate's calendar lets a region be changed.
    pub fn opens(&self, service: ServiceIx, ring: RingIx, at: RegionIx, from: Timestamp) -> Option<Timestamp> {
        let gates = self.ring(service, ring).map(|g| g.entry.as_slice()).unwrap_or_default();
        let mut moment = from;
        // Calendars that hand a moment to each other for ever never open together.
        for _ in 0..ROUNDS {
            let mut next = moment;
            for gate in gates {
                next = gate.gate.opens(at, next)?;
            }
            if next == moment {
                return Some(moment);
            }
            moment = next;
        }
        None
    }

    /// What a ring's exit gates want kept fresh.
    pub fn exit_needs(&self, service: ServiceIx, ring: RingIx) -> Vec<Need> {
        self.ring(service, ring).map(|g| needs(&g.exit)).unwrap_or_default()
    }

    /// What a ring's entry gates want kept fresh.
    pub fn entry_needs(&self, service: ServiceIx, ring: RingIx) -> Vec<Need> {
        self.ring(service, ring).map(|g| needs(&g.entry)).unwrap_or_default()
    }
}

/// What gates want kept fresh, each need once.
fn needs(gates: &[BuiltGate]) -> Vec<Need> {
    let mut needs: Vec<Need> = gates.iter().flat_map(|g| g.gate.needs()).collect();
    needs.sort();
    needs.dedup();
    needs
}

fn build_gate(service: &Service, spec: &GateSpec, find: &dyn Fn(&str) -> Option<&'static dyn GateType>) -> BuiltGate {
    let gate = match find(&spec.gate) {
        None => Box::new(Broken(format!("there is no gate of type {}", spec.gate).into())) as Box<dyn Gate>,
        Some(kind) => match kind.build(&spec.params, service) {
            Ok(gate) => gate,
            Err(e) => Box::new(Broken(format!("gate {}: {}: {}", spec.gate, e.name, e.message).into())),
        },
    };
    let other = |need| match need {
        Need::Service(name) => Some(name),
        _ => None,
    };
    let asks = gate.needs().into_iter().filter_map(other).collect();
    BuiltGate { label: spec.label.clone(), gate, asks }
}

/// A ring's exit gates, on what it runs now.
pub fn exit(scene: &Scene<'_>, ring: RingIx) -> RingVerdict {
    run(scene, ring, None, |g| &g.exit)
}

/// A region's exit gates from when it was given what it runs: also while it rolls out, and in a
/// ring of which a part has it. Where its ring bakes, that is [`exit`].
pub fn armed(scene: &Scene<'_>, at: RegionIx) -> Vec<(Text, Judgement)> {
    let judged = || {
        let ring = scene.service.region(at)?.ring;
        // Judged for the board already.
        if scene.start(ring).is_some()
            && let Some(judged) = scene.exits.get().and_then(|exits| exits.get(ring.at()))
        {
            let (_, row) = judged.rows.iter().find(|(region, _)| *region == at)?;
            return Some(judged.gates.iter().cloned().zip(row.iter().cloned()).collect());
        }
        let (spec, gates) = (scene.service.ring(ring)?, scene.world.gates.ring(scene.at, ring)?);
        let region = scene.region(at)?;
        let begun = || {
            let at = bake::begun(region, scene.state.record.region(at))?;
            Some(BakeStart { at, source: BakeSource::Record })
        };
        let start = scene.start(ring).or(region.settled).or_else(begun);
        let cell = |g: &BuiltGate| Some((g.label.clone(), judge(scene, spec, at, (None, start), g)?));
        Some(gates.exit.iter().filter_map(cell).collect())
    };
    judged().unwrap_or_default()
}

/// A ring's entry gates, on what it would get.
pub fn entry(scene: &Scene<'_>, ring: RingIx, version: &Version) -> RingVerdict {
    run(scene, ring, Some(entering(scene, ring, version)), |g| &g.entry)
}

/// What a ring would get: what the ring before it runs.
pub(super) fn entering<'a>(scene: &Scene<'a>, ring: RingIx, version: &'a Version) -> Entering<'a> {
    let source = ring.at().checked_sub(1).and_then(|j| scene.service.rings.get(j)).and_then(|r| r.regions.first());
    Entering { version, source: source.and_then(|at| scene.workload(*at)) }
}

fn run(
    scene: &Scene<'_>,
    at: RingIx,
    entering: Option<Entering<'_>>,
    which: fn(&RingGates) -> &[BuiltGate],
) -> RingVerdict {
    let (Some(ring), Some(gates)) = (scene.service.ring(at), scene.world.gates.ring(scene.at, at)) else {
        return RingVerdict::default();
    };
    let gates = which(gates);
    let start = scene.start(at);
    let row = |at: &RegionIx| {
        let cells = gates.iter().map(|g| judge(scene, ring, *at, (entering, start), g));
        Some((*at, cells.collect::<Option<Vec<_>>>()?))
    };
    RingVerdict {
        gates: gates.iter().map(|g| g.label.clone()).collect(),
        rows: if gates.is_empty() { Vec::new() } else { ring.regions.iter().filter_map(row).collect() },
    }
}

fn judge(
    scene: &Scene<'_>,
    ring: &Ring,
    at: RegionIx,
    (entering, bake_start): (Option<Entering<'_>>, Option<BakeStart>),
    gate: &BuiltGate,
) -> Option<Judgement> {
    let region = scene.service.region(at)?;
    let state = scene.region(at)?;
    let judgement = with_evidence(scene, ring, at, (entering, bake_start), gate, |e| gate.gate.judge(e))?;
    let unseen = if state.absent {
        Some(("absent", "the workload does not exist".to_owned()))
    } else if let Some(why) = unheard(&scene.freshness(region)) {
        Some(("stale", why))
    } else if state.workload.is_none() {
        Some(("unseen", "the workload was not seen yet".to_owned()))
    } else {
        None
    };
    // Whatever a gate makes of it: what rests on a region that cannot be read is unknown.
    Some(match unseen {
        Some((cell, why)) if judgement.verdict < Verdict::NoData => {
            Judgement::new(Verdict::NoData, cell, format!("{}: {why}", region.name))
        }
        _ => judgement,
    })
}

/// What a gate is shown of a region.
fn with_evidence<T>(
    scene: &Scene<'_>,
    ring: &Ring,
    at: RegionIx,
    (entering, bake_start): (Option<Entering<'_>>, Option<BakeStart>),
    gate: &BuiltGate,
    look: impl FnOnce(&Evidence<'_>) -> T,
) -> Option<T> {
    let region = scene.service.region(at)?;
    let state = scene.region(at)?;
    let siblings: Vec<Sibling<'_>> = gate.asks.iter().filter_map(|name| sibling(scene, name, region)).collect();
    let evidence = Evidence {
        service: scene.service,
        ring,
        region,
        at,
        workload: state.workload.as_ref(),
        delivery: state.delivery.as_ref(),
        delivery_freshness: scene.delivery_freshness(region),
        wanted: None,
        freshness: scene.freshness(region),
        record_unread: record_unread(scene, region, state),
        bake_start,
        windows: &state.windows,
        current: &state.current,
        peers: &scene.peers,
        entering,
        answers: &state.answers,
        siblings: &siblings,
        record: &scene.state.record,
        identities: &scene.world.fleet.identities,
        promoting: scene.promoting,
        pools: &scene.pools,
        now: scene.world.now,
    };
    Some(look(&evidence))
}

/// What a cell of the board rests on, to be drawn; none where its gate has nothing to draw.
pub fn picture(scene: &Scene<'_>, question: &Question, row: usize, column: usize) -> Option<Picture> {
    let found = question.rows.get(row)?;
    let (ring, at) = (scene.service.ring(found.ring)?, found.region?);
    let label = question.gates.get(column)?;
    // Of several gates of one name, which: columns are in the order of the configuration.
    let nth = question.gates.iter().take(column).filter(|g| *g == label).count();
    let gates = scene.world.gates.ring(scene.at, found.ring)?;
    let enters = found.ring == question.ring;
    let (gates, entering) = match enters {
        true => (&gates.entry, Some(entering(scene, found.ring, &question.version))),
        false => (&gates.exit, None),
    };
    let gate = gates.iter().filter(|g| g.label == *label).nth(nth)?;
    with_evidence(scene, ring, at, (entering, scene.start(found.ring)), gate, |e| gate.gate.picture(e))?
}

/// What another service runs in the region of the same name; none: there is no such service, or
/// it is not released there.
fn sibling<'a>(scene: &Scene<'a>, name: &str, region: &Region) -> Option<Sibling<'a>> {
    let (at, service) = scene.world.fleet.find_service(name)?;
    let (here, spec) = service.find_region(region.name.as_str())?;
    let state = scene.world.services.get(at.at()).and_then(|s| s.region(here));
    Some(Sibling { service, workload: state.and_then(|s| s.workload.as_ref()), freshness: scene.freshness(spec) })
}

/// Why a region's shared record is not known, if it is not.
fn record_unread(scene: &Scene<'_>, region: &Region, state: &RegionState) -> Option<Text> {
    if state.record_is_known(scene.world.stamp) {
        return None;
    }
    let facts = scene.world.clusters.get(region.cluster.at()).map(|c| &c.facts);
    let said = facts.into_iter().flat_map(|f| &f.troubles).find(|t| t.contains(" configmaps ")).cloned();
    Some(said.unwrap_or_else(|| "not read yet".into()))
}

/// Why evidence from a cluster does not count, if it does not.
fn unheard(freshness: &Freshness<'_>) -> Option<String> {
    let age = |d: &Duration| short(SignedDuration::try_from(*d).unwrap_or_default());
    match freshness {
        Freshness::Live => None,
        Freshness::Never => Some("its cluster was not heard yet".to_owned()),
        Freshness::Late(since) => Some(format!("its cluster was last heard {} ago", age(since))),
        Freshness::Lost(since, reason) => {
            let (word, text) = reason.text();
            let since = since.as_ref().map(|s| format!(" for {}", age(s))).unwrap_or_default();
            Some(format!("{word}{since}: {text}"))
        }
    }
}

/// May this ring have this version? Every exit gate of every ring before it, on that version,
/// and every entry gate of its own must say go; no hold may cover it.
pub fn may(scene: &Scene<'_>, ring: RingIx, version: &Version) -> Question {
    let exits: Vec<RingVerdict> = (0..ring.at()).map(|j| exit(scene, j.into())).collect();
    question(scene, &exits, ring, version)
}

/// The same, from exit gates that were judged already.
pub fn question(scene: &Scene<'_>, exits: &[RingVerdict], ring: RingIx, version: &Version) -> Question {
    let mut board = Board::default();
    for (j, verdict) in exits.iter().enumerate().take(ring.at()) {
        board.add_ring(j.into(), verdict);
        if let Some(problem) = besides::runs_another(scene, j.into(), verdict, version) {
            board.add(j.into(), None, RUNS, 0, problem);
        }
    }
    if let Some(problem) = besides::different_images(scene, ring) {
        board.add(ring, None, RUNS, 0, problem);
    }
    board.add_ring(ring, &entry(scene, ring, version));
    board.add(ring, None, HOLD, 0, besides::held(scene, ring));
    board.add(ring, None, RECORD, 0, besides::record(scene, ring));
    let besides = [
        (IDENTITY, besides::identity(scene)),
        (CLOCK, besides::clock(scene)),
        (POLICY, besides::policy(scene)),
        (LOCK, besides::lock(scene, ring, version)),
        (PACE, pace(scene, ring, version)),
        (DECIDE, besides::decide(scene, ring)),
        (PAST, besides::past(scene, ring, version)),
    ];
    for (heading, judgement) in besides {
        if let Some(judgement) = judgement {
            board.add(ring, None, heading, 0, judgement);
        }
    }
    board.finish(scene, ring, version)
}

/// The board while it is filled: headings grow as cells come.
#[derive(Default)]
struct Board {
    /// Heading, and which of several with that name.
    gates: Vec<(Text, usize)>,
    rows: Vec<QuestionRow>,
}

impl Board {
    fn add_ring(&mut self, ring: RingIx, verdict: &RingVerdict) {
        for (region, row) in &verdict.rows {
            for (n, (label, judgement)) in verdict.gates.iter().zip(row).enumerate() {
                let nth = verdict.gates.iter().take(n).filter(|l| *l == label).count();
                self.add(ring, Some(*region), label, nth, judgement.clone());
            }
        }
    }

    fn add(&mut self, ring: RingIx, region: Option<RegionIx>, heading: &str, nth: usize, judgement: Judgement) {
        let known = self.gates.iter().position(|(g, n)| &**g == heading && *n == nth);
        let column = known.unwrap_or_else(|| {
            self.gates.push((heading.into(), nth));
            self.gates.len() - 1
        });
        let row = match self.rows.iter().position(|r| r.ring == ring && r.region == region) {
            Some(at) => self.rows.get_mut(at),
            None => {
                self.rows.push(QuestionRow { ring, region, cells: Vec::new() });
                self.rows.last_mut()
            }
        };
        if let Some(row) = row {
            row.cells.resize(row.cells.len().max(column + 1), None);
            if let Some(cell) = row.cells.get_mut(column) {
                *cell = Some(Box::new(judgement));
            }
        }
    }

    fn finish(mut self, scene: &Scene<'_>, ring: RingIx, version: &Version) -> Question {
        let columns = self.gates.len();
        self.rows.iter_mut().for_each(|r| r.cells.resize(columns, None));
        let mut verdict = None;
        let mut causes: Vec<(&Judgement, String)> = Vec::new();
        for row in &self.rows {
            for ((heading, _), cell) in self.gates.iter().zip(&row.cells) {
                let Some(judgement) = cell else { continue };
                verdict = verdict.max(Some(judgement.verdict));
                if judgement.verdict > Verdict::Go {
                    causes.push((judgement, cause(scene, row, heading, judgement)));
                }
            }
        }
        // Nothing judged is nothing known.
        let verdict = verdict.unwrap_or(Verdict::NoData);
        let sentence = sentence(scene, ring, causes);
        Question {
            ring,
            version: version.clone(),
            verdict,
            sentence: sentence.into(),
            gates: self.gates.into_iter().map(|(g, _)| g).collect(),
            rows: self.rows,
        }
    }
}

/// A cell as a cause in one line: what is the same for several regions or gates is said in the
/// same words, so that it is said once.
fn cause(scene: &Scene<'_>, row: &QuestionRow, heading: &str, judgement: &Judgement) -> String {
    let region = row.region.and_then(|at| scene.service.region(at));
    let unheard = region.and_then(|r| Some((r, unheard(&scene.freshness(r))?)));
    match (judgement.verdict, unheard, judgement.until) {
        (Verdict::NoData, Some((region, why)), _) => format!("{}: {why}", region.name),
        (Verdict::Wait, _, Some(until)) if until > scene.world.now => {
            let left = short(until.duration_since(scene.world.now));
            let ring = scene.ring_name(row.ring);
            match heading {
                "bake" => format!("{left} of bake left in {ring}"),
                _ => format!("{heading} waits another {left} in {ring}"),
            }
        }
        _ => judgement.sentence.to_string(),
    }
}

/// The answer in one line, worst first.
fn sentence(scene: &Scene<'_>, ring: RingIx, mut causes: Vec<(&Judgement, String)>) -> String {
    causes.sort_by(|(a, _), (b, _)| b.verdict.cmp(&a.verdict).then(b.until.cmp(&a.until)));
    let mut told: Vec<String> = Vec::new();
    for (_, cause) in causes {
        if !told.contains(&cause) {
            told.push(cause);
        }
    }
    if told.is_empty() {
        let before: Vec<Text> = (0..ring.at()).map(|j| scene.ring_name(j.into())).collect();
        let name = scene.ring_name(ring);
        return match before.as_slice() {
            [] => format!("nothing stands before {name}"),
            [one] => format!("every gate of {one} says go"),
            [first, .., last] => format!("every gate of {first} to {last} says go"),
        };
    }
    let more = told.len().saturating_sub(CAUSES);
    let named = told.iter().take(CAUSES).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{named}{more}")
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
