//! The world of a forecast: one ring with its gates, healthy, seen without a gap.

use std::collections::BTreeMap;

use crate::domain::approval::Identities;
use crate::domain::fleet::{GateSpec, Region, Ring, Service};
use crate::domain::gate::{BakeSource, BakeStart, Evidence, Gate, HangsOn};
use crate::domain::id::{ColumnName, RegionIx, RingIx, Text};
use crate::domain::link::Freshness;
use crate::domain::metric::Windows;
use crate::domain::pool::Pools;
use crate::domain::record::Record;
use crate::domain::stamp::{SignedDuration, Timestamp, WINDOW, window_ceil, window_floor};
use crate::domain::verdict::{Judgement, Verdict};
use crate::domain::version::{TemplateDigest, Version};
use crate::domain::workload::{Phase, Progress, Replicas, Workload};
use crate::gates;

/// Where a gate tells no moment at which to look again, it is asked again so much later.
const AGAIN: SignedDuration = WINDOW;
/// More traffic than any gate asks for.
const PLENTY: f64 = 1e12;

/// A ring, and those of its gates that hang on time.
pub(super) struct Stage<'a> {
    service: &'a Service,
    ring: Option<&'a Ring>,
    pub entry: Vec<Timed>,
    pub exit: Vec<Timed>,
    workload: Workload,
    record: Record,
    identities: Identities,
    pools: Pools,
}

/// A gate that hangs on time.
pub(super) struct Timed {
    pub label: Text,
    gate: Box<dyn Gate>,
}

/// Why a gate does not open.
pub(super) struct Shut {
    pub region: RegionIx,
    pub sentence: String,
}

/// What a region ran when it was asked: windows of every column since a moment.
pub(super) struct Baked {
    start: Timestamp,
    windows: BTreeMap<ColumnName, Windows>,
}

impl<'a> Stage<'a> {
    pub fn new(service: &'a Service, at: RingIx) -> Self {
        let ring = service.ring(at);
        let timed = |specs: &[GateSpec]| -> Vec<Timed> {
            let specs = specs.iter().filter(|s| super::hangs_on(s) == HangsOn::Time);
            // One that cannot be built is an error of the configuration, which is not read then.
            specs.filter_map(|s| Some(Timed { label: s.label.clone(), gate: gates::build(s, service).ok()? })).collect()
        };
        Self {
            service,
            ring,
            entry: ring.map(|r| timed(&r.entry_gates)).unwrap_or_default(),
            exit: ring.map(|r| timed(&r.exit_gates)).unwrap_or_default(),
            workload: healthy(),
            record: Record::for_regions(service.regions.len()),
            identities: Identities::default(),
            pools: Pools::default(),
        }
    }

    /// The regions of the ring.
    pub fn regions(&self) -> impl Iterator<Item = (RegionIx, &'a Region)> + use<'a> {
        let service = self.service;
        let regions = self.ring.map(|r| r.regions.as_slice()).unwrap_or_default();
        regions.iter().filter_map(move |at| Some((*at, service.region(*at)?)))
    }

    /// Everything that will have been sampled from one moment to another.
    pub fn baked(&self, start: Timestamp, until: Timestamp) -> Baked {
        let mut ends = Vec::new();
        let mut end = window_ceil(start);
        while end <= window_floor(until) {
            ends.push(end);
            end = super::plus(end, WINDOW);
        }
        let all = |value: f64| -> Windows { ends.iter().map(|end| (*end, Ok(value))).collect() };
        let (calm, plenty) = (all(0.0), all(PLENTY));
        let windows = |traffic: bool| if traffic { plenty.clone() } else { calm.clone() };
        let columns = self.service.columns.iter();
        Baked { start, windows: columns.map(|c| (c.name.clone(), windows(c.is_traffic))).collect() }
    }

    /// What a gate says of a region at a moment.
    pub fn judge(&self, gate: &Timed, at: RegionIx, baked: &Baked, now: Timestamp) -> Option<Judgement> {
        let region = self.service.region(at)?;
        let (current, answers) = (BTreeMap::new(), BTreeMap::new());
        Some(gate.gate.judge(&Evidence {
            // Not asked here: what hangs on the world is assumed.
            delivery: None,
            delivery_freshness: Freshness::Live,
            service: self.service,
            ring: self.ring?,
            region,
            at,
            workload: Some(&self.workload),
            wanted: None,
            freshness: Freshness::Live,
            record_unread: None,
            bake_start: Some(BakeStart { at: baked.start, source: BakeSource::Condition }),
            windows: &baked.windows,
            current: &current,
            peers: &[],
            entering: None,
            answers: &answers,
            siblings: &[],
            record: &self.record,
            identities: &self.identities,
            promoting: false,
            pools: &self.pools,
            now,
        }))
    }

    /// The first moment from `at` on at which a gate lets a region through.
    pub fn opens(
        &self,
        gate: &Timed,
        region: RegionIx,
        baked: &Baked,
        (mut at, until): (Timestamp, Timestamp),
        findings_pass: bool,
    ) -> Result<Timestamp, Shut> {
        loop {
            let Some(judged) = self.judge(gate, region, baked, at) else { return Ok(at) };
            if passes(judged.verdict, findings_pass) {
                return Ok(at);
            }
            let next = match judged.until {
                Some(next) if next > at => next,
                // It says no, and knows of no end to that.
                _ if judged.verdict == Verdict::NoGo => Timestamp::MAX,
                _ => super::plus(at, AGAIN),
            };
            if next > until {
                return Err(Shut { region, sentence: judged.sentence.to_string() });
            }
            at = next;
        }
    }
}

/// Whether a release goes on: a person reads findings and types, automation waits.
pub(super) fn passes(verdict: Verdict, findings_pass: bool) -> bool {
    verdict == Verdict::Go || (findings_pass && verdict == Verdict::Findings)
}

fn healthy() -> Workload {
    let version = Version("next".into());
    Workload {
        uid: "forecast".into(),
        generation: 1,
        observed_generation: 1,
        template: TemplateDigest::of(&serde_json::Value::Null),
        version,
        image: None,
        replicas: Replicas { desired: 1, total: 1, updated: 1, ready: 1, available: 1 },
        paused: false,
        progress: Progress::default(),
        phase: Phase::Complete,
        revision: None,
        change_cause: None,
        owner: None,
        configurations: Box::default(),
    }
}

/// The first moment from `at` on at which every entry gate of a ring that hangs on time lets all its
/// regions in, or the sentence of the gate that does not until `until`.
pub fn entry_opens(service: &Service, ring: RingIx, at: Timestamp, until: Timestamp) -> Result<Timestamp, String> {
    let stage = Stage::new(service, ring);
    super::enter::open(&stage, (at, until), true, &mut |_, _| {}).map(|(at, _)| at).map_err(|(_, shut)| shut.sentence)
}

/// How long the exit gates of a ring make it wait at least.
pub fn exit_minimum(service: &Service, ring: RingIx) -> SignedDuration {
    let specs = service.ring(ring).map(|r| r.exit_gates.as_slice()).unwrap_or_default();
    let minimum = |spec: &GateSpec| SignedDuration::try_from(gates::build(spec, service).ok()?.minimum()).ok();
    specs.iter().filter_map(minimum).max().unwrap_or_default()
}
