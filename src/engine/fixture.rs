//! Small fleets and states for tests: a service with rings of regions, each in a cluster of its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use ulid::Ulid;

use super::bake;
use super::derive::derive;
use super::judge::Gates;
use super::scene::World;
use super::state::{ClusterState, RegionState, ServiceState};
use super::view::ServiceView;
use crate::domain::fleet::{
    Better, Carry, Cluster, Column, Fleet, GateSpec, Param, Params, QueryText, Region, Ring, RouteRef, Service, Unit,
    VersionFrom, WorkloadRef,
};
use crate::domain::id::{ClusterIx, PrometheusIx, RegionIx, ServiceIx};
use crate::domain::link::Link;
use crate::domain::record::{Body, Fact, FactId, Move, Record, RegionRecord};
use crate::domain::stamp::{SignedDuration, Stamp, Timestamp};
use crate::domain::version::{Image, TemplateDigest, Version};
use crate::domain::workload::{Backend, Phase, Progress, Progressing, Replicas, Route, Workload};

/// `2026-11-20T14:32:07Z` and the like.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A time of the 20th of November 2026, as `14:32` or `14:32:07`.
pub(crate) fn clock(text: &str) -> Timestamp {
    let seconds = if text.len() == 5 { ":00" } else { "" };
    at(&format!("2026-11-20T{text}{seconds}Z"))
}

/// That many seconds after.
pub(crate) fn later(t: Timestamp, seconds: i64) -> Timestamp {
    t.saturating_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// Digest of the template that a version stands for.
pub(crate) fn template(version: &str) -> TemplateDigest {
    TemplateDigest::of(&serde_json::json!({ "v": version }))
}

/// A gate as configured.
pub(crate) fn gate(name: &str, params: &[(&str, &str)]) -> GateSpec {
    let label = params.iter().find(|(k, _)| *k == "column").map_or(name, |(_, v)| v);
    let params = params.iter().map(|(k, v)| ((*k).to_owned(), Param::Text((*v).to_owned()))).collect();
    GateSpec { gate: name.into(), label: label.into(), params: Params(params) }
}

/// A fleet of one service `webapp` and everything that is believed of it.
pub(crate) struct Stage {
    pub(crate) fleet: Fleet,
    pub(crate) clusters: Vec<ClusterState>,
    pub(crate) sources: super::sources::Sources,
    pub(crate) state: ServiceState,
    pub(crate) gates: Gates,
    pub(crate) now: Timestamp,
    pub(crate) stamp: Stamp,
    ids: u128,
}

/// The workload of a version that settled at a moment.
pub(crate) fn workload(version: &str, settled: Timestamp) -> Workload {
    Workload {
        uid: "uid-1".into(),
        generation: 4,
        observed_generation: 4,
        template: template(version),
        version: Version(version.into()),
        image: Some(Image::parse(&format!("registry/webapp:{version}"))),
        replicas: Replicas { desired: 12, total: 12, updated: 12, ready: 12, available: 12 },
        paused: false,
        progress: Progress {
            reason: Some("NewReplicaSetAvailable".into()),
            updated: Some(settled),
            deadline: Some(Duration::from_secs(600)),
            ..Progress::default()
        },
        phase: Phase::Complete,
        revision: Some(14),
        change_cause: None,
        owner: None,
        configurations: Default::default(),
    }
}

/// A service whose rings hold these regions; every ring has `ready` and a bake of 24 h.
pub(crate) fn service(name: &str, rings: &[&[&str]]) -> Service {
    let mut regions = Vec::new();
    let mut specs = Vec::new();
    for (r, names) in rings.iter().enumerate() {
        let first = regions.len();
        for region in *names {
            let route = RouteRef {
                provider: "HTTPRoute".into(),
                cluster: ClusterIx(0),
                namespace: name.into(),
                name: name.into(),
                rule: 0,
                backend: (*region).into(),
                drained_below: None,
                steps: Vec::new(),
                dwell: std::time::Duration::ZERO,
                steering: None,
            };
            regions.push(Region {
                name: (*region).into(),
                ring: r.into(),
                cluster: regions.len().into(),
                workload: WorkloadRef {
                    kind: "Deployment".into(),
                    namespace: name.into(),
                    name: name.into(),
                    container: "web".into(),
                },
                route: (*region != "staging").then_some(route),
                delivery: None,
                carrier: None,
                capacity: None,
                absorbers: Vec::new(),
                zone: None,
                owner: None,
                escalation: None,
                deciders: Vec::new(),
                stays: false,
            });
        }
        specs.push(Ring {
            name: format!("ring-{r}").into(),
            label: None,
            regions: (first..regions.len()).map(RegionIx::from).collect(),
            parallelism: 1,
            stagger: None,
            exit_gates: vec![gate("ready", &[]), gate("bake", &[("for", "24h")])],
            entry_gates: Vec::new(),
        });
    }
    let column = |name: &str, query: QueryText, is_traffic| Column {
        name: name.into(),
        title: name.into(),
        query,
        unit: if is_traffic { Unit::PerSecond } else { Unit::Ratio },
        better: if is_traffic { Better::Higher } else { Better::Lower },
        is_traffic,
    };
    let by_label = QueryText::ByLabel { query: "sum by (region) (qps)".into(), label: "region".into() };
    Service {
        name: name.into(),
        rings: specs,
        regions,
        columns: vec![
            column("qps", by_label, true),
            column("errors", QueryText::PerRegion("errors{region=\"{{region}}\",v=\"{{version}}\"}".into()), false),
        ],
        carries: vec![Carry::Image],
        version_from: VersionFrom::Image,
        owner: None,
        escalation: None,
        deciders: Vec::new(),
        runbook: None,
        release_url: None,
        freeze: false,
        flag_off: None,
        policy: Default::default(),
        policy_hash: "0123456789abcdef".into(),
    }
}

/// The source document's release: four rings, `v2.1.0` on the first two over `v2.0.0`.
///
/// It is 14:32:07 on the 20th; ring-0 settled on the 18th, ring-1 yesterday at 15:54.
pub(crate) fn release() -> Stage {
    let mut stage = Stage::new(service("webapp", &[&["staging"], &["ap-south-1"], &["eu-west-1"], &["us-east-1"]]));
    stage.runs("staging", workload("v2.1.0", at("2026-11-18T10:20:40Z")));
    stage.runs("ap-south-1", workload("v2.1.0", at("2026-11-19T15:54:00Z")));
    stage.runs("eu-west-1", workload("v2.0.0", at("2026-11-01T09:00:00Z")));
    stage.runs("us-east-1", workload("v2.0.0", at("2026-11-02T09:00:00Z")));
    stage
}

impl Stage {
    /// Everything is heard, records are listed and empty; no workload was seen.
    pub(crate) fn new(service: Service) -> Self {
        let now = clock("14:32:07");
        let stamp = Stamp { wall: now, mono: Duration::from_secs(3_600) };
        let count = service.regions.len();
        let clusters = (0..count)
            .map(|n| Cluster { name: format!("cluster-{n}").as_str().into(), prometheus: Some(PrometheusIx(0)) });
        let backends = service.regions.iter().filter(|r| r.route.is_some());
        let rule = backends.map(|r| Backend { name: r.name.as_str().into(), weight: 10 }).collect();
        let route = Route::of("route".into(), vec![rule], None, None);
        let region = |r: &Region| RegionState {
            record_listed: true,
            route: r.route.as_ref().map(|_| route.clone().into()),
            ..RegionState::default()
        };
        let mut record = Record::for_regions(count);
        record.regions.iter_mut().for_each(|r| *r = Some(RegionRecord::default()));
        let state =
            ServiceState { regions: service.regions.iter().map(region).collect(), record, ..ServiceState::default() };
        let fleet = Fleet {
            name: "acme".into(),
            clusters: clusters.collect(),
            prometheuses: vec!["prometheus".into()],
            services: vec![service],
            identities: Default::default(),
        };
        let heard = ClusterState {
            link: Link::Live,
            heard: Some(stamp),
            skew: Some(SignedDuration::ZERO),
            ..Default::default()
        };
        let gates = Gates::build(&fleet, &crate::gates::gate_type);
        Self { clusters: vec![heard; count], sources: Default::default(), fleet, state, gates, now, stamp, ids: 0 }
    }

    /// The service as configured, to change it; gates are built anew by [`Stage::build`].
    pub(crate) fn service(&mut self) -> &mut Service {
        &mut self.fleet.services[0]
    }

    /// Builds the gates anew.
    pub(crate) fn build(&mut self) {
        self.gates = Gates::build(&self.fleet, &crate::gates::gate_type);
    }

    pub(crate) fn ix(&self, region: &str) -> RegionIx {
        self.fleet.services[0].find_region(region).unwrap().0
    }

    pub(crate) fn region(&mut self, region: &str) -> &mut RegionState {
        let at = self.ix(region);
        &mut self.state.regions[at.at()]
    }

    pub(crate) fn runs(&mut self, region: &str, workload: Workload) {
        self.region(region).workload = Some(workload);
    }

    /// Changes a region's workload.
    pub(crate) fn edit(&mut self, region: &str, change: impl FnOnce(&mut Workload)) {
        change(self.region(region).workload.as_mut().unwrap());
    }

    /// A rollout of a version is under way.
    pub(crate) fn rolling(&mut self, region: &str, version: &str) {
        let mut new = workload(version, self.now);
        new.phase = Phase::Progressing(Progressing::Updating);
        new.progress.reason = Some("ReplicaSetUpdated".into());
        new.replicas.updated = 3;
        new.revision = Some(15);
        self.runs(region, new);
    }

    /// Time passes, and every cluster is heard.
    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now = later(self.now, seconds);
        self.stamp.wall = self.now;
        self.stamp.mono += Duration::from_secs(seconds.unsigned_abs());
        let stamp = self.stamp;
        self.clusters.iter_mut().for_each(|c| c.heard = Some(stamp));
    }

    /// A fact in a region's record; its identity is returned.
    pub(crate) fn fact(&mut self, region: &str, when: Timestamp, body: Body) -> FactId {
        self.ids += 1;
        let id = FactId(Ulid::from_parts(u64::try_from(when.as_millisecond()).unwrap(), self.ids));
        let fact = Fact { id, by: "oncall".into(), at: when, journal: "".into(), body };
        let at = self.ix(region);
        self.state.record.regions[at.at()].as_mut().unwrap().facts.insert(id, fact);
        id
    }

    /// A fact in every region's record.
    pub(crate) fn fleet_fact(&mut self, when: Timestamp, body: Body) -> FactId {
        let first = self.fleet.services[0].regions[0].name.clone();
        let id = self.fact(first.as_str(), when, body);
        let fact = self.state.record.regions[0].as_ref().unwrap().facts.get(&id).unwrap().clone();
        self.state.record.regions.iter_mut().flatten().for_each(|r| drop(r.facts.insert(id, fact.clone())));
        id
    }

    pub(crate) fn world(&self) -> World<'_> {
        World {
            fleet: &self.fleet,
            clusters: &self.clusters,
            services: std::slice::from_ref(&self.state),
            sources: &self.sources,
            gates: &self.gates,
            now: self.now,
            stamp: self.stamp,
        }
    }

    /// Brings the bake clocks up to date.
    pub(crate) fn settle(&mut self) {
        bake::settle(&mut self.state, self.now);
    }

    /// What is shown now; kept in the state as the engine does.
    pub(crate) fn view(&mut self) -> ServiceView {
        self.settle();
        let view = derive(self.world(), ServiceIx(0), &self.state);
        self.state.view = view.clone();
        view
    }
}

/// A move from one version to another in a ring.
pub(crate) fn moved(ring: &str, from: &str, to: &str) -> Move {
    Move {
        plan: Ulid(7),
        ring: ring.into(),
        from_version: from.into(),
        to_version: to.into(),
        from_template: template(from),
        to_template: template(to),
        from: Vec::new(),
        policy: "0123456789abcdef".into(),
        overrides: Vec::new(),
        break_glass: false,
        reason: "".into(),
    }
}
