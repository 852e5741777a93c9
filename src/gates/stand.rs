//! A service of three rings with everything a gate may look at, for tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use ulid::Ulid;

use super::gate_type;
use crate::delivery::{Application, DeliveryTool};
use crate::domain::approval::Identities;
use crate::domain::call::{HttpAnswer, HttpCall};
use crate::domain::delivery::Delivery;
use crate::domain::fleet::{
    Better, Carry, Column, DeliveryRef, GateSpec, Param, Params, QueryText, Region, Ring, Service, Unit, VersionFrom,
    WorkloadRef,
};
use crate::domain::gate::{Entering, Evidence, Gate, ParamError, Peer, Sibling, query_column};
use crate::domain::id::{ColumnName, Operator, RegionIx, RingIx};
use crate::domain::link::Freshness;
use crate::domain::metric::Reading;
use crate::domain::record::{Body, Fact, FactId, Record, RegionRecord};
use crate::domain::stamp::Timestamp;
use crate::domain::verdict::Judgement;
use crate::domain::version::{Image, TemplateDigest, Version};
use crate::domain::workload::{Phase, Progress, Replicas, Workload};

/// A moment.
pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A parameter.
pub(super) fn text(value: &str) -> Param {
    Param::Text(value.to_owned())
}

/// A list of texts as a parameter.
pub(super) fn list(values: &[&str]) -> Param {
    Param::List(values.iter().map(|v| (*v).to_owned()).collect())
}

/// Parameters by name.
pub(super) fn params<const N: usize>(given: [(&str, Param); N]) -> Params {
    Params(given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// What a region runs: its template is that of its version.
pub(super) fn runs(version: &str) -> Workload {
    Workload {
        uid: "uid".into(),
        generation: 3,
        observed_generation: 3,
        template: template(version),
        version: Version(version.into()),
        image: Some(Image::parse(&format!("registry/web:{version}@sha256:{version}"))),
        replicas: Replicas { desired: 4, total: 4, updated: 4, ready: 4, available: 4 },
        paused: false,
        progress: Progress::default(),
        phase: Phase::Complete,
        revision: None,
        change_cause: None,
        owner: None,
        configurations: Default::default(),
    }
}

/// The template of a version.
pub(super) fn template(version: &str) -> TemplateDigest {
    TemplateDigest::of(&serde_json::json!({ "version": version }))
}

/// `staging` and `ap` run v2; `eu` (the last ring, judged) and `us` beside it run v1 and would get v2.
pub(super) struct Stand {
    pub service: Service,
    pub workloads: Vec<Option<Workload>>,
    pub freshness: Vec<Freshness<'static>>,
    pub weights: Vec<Option<u32>>,
    pub held: Vec<bool>,
    pub record: Record,
    /// Other services in the region that is judged.
    pub others: Vec<(Service, Option<Workload>, Freshness<'static>)>,
    /// What endpoints answered.
    pub answers: BTreeMap<HttpCall, HttpAnswer>,
    /// What gates' own queries gave for the region that is judged.
    pub queried: BTreeMap<ColumnName, (Timestamp, Reading)>,
    /// Queries per second, by region.
    pub qps: Vec<Option<f64>>,
    pub identities: Identities,
    /// Who this console is, in every cluster.
    pub user: Option<Operator>,
    pub promoting: bool,
    /// What delivers the region that is judged.
    pub delivery: Option<Delivery>,
    pub delivery_freshness: Freshness<'static>,
    /// The region that is judged.
    pub region: &'static str,
    /// The version it would get.
    pub entering: Option<&'static str>,
    pub now: Timestamp,
    facts: u128,
}

pub(super) fn stand() -> Stand {
    let ring = |name: &str, regions: &[u32]| Ring {
        name: name.into(),
        label: None,
        regions: regions.iter().map(|r| RegionIx(*r)).collect(),
        parallelism: 1,
        stagger: None,
        exit_gates: Vec::new(),
        entry_gates: Vec::new(),
    };
    let region = |n: u32, name: &str, ring: u32, zone: &str| Region {
        name: name.into(),
        ring: RingIx(ring),
        cluster: (n as usize).into(),
        workload: WorkloadRef {
            kind: "Deployment".into(),
            namespace: "web".into(),
            name: "web".into(),
            container: "web".into(),
        },
        route: None,
        delivery: None,
        carrier: None,
        capacity: None,
        absorbers: Vec::new(),
        zone: Some(zone.into()),
        owner: None,
        escalation: None,
        deciders: Vec::new(),
        stays: false,
    };
    let service = Service {
        name: "web".into(),
        rings: vec![ring("ring-0", &[0]), ring("ring-1", &[1]), ring("ring-2", &[2, 3])],
        regions: vec![
            region(0, "staging", 0, "UTC"),
            region(1, "ap", 1, "Asia/Kolkata"),
            region(2, "eu", 2, "Europe/Berlin"),
            region(3, "us", 2, "America/New_York"),
        ],
        columns: vec![Column {
            name: "qps".into(),
            title: "QPS".into(),
            query: QueryText::PerRegion("qps".into()),
            unit: Unit::PerSecond,
            better: Better::Neither,
            is_traffic: true,
        }],
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
        policy_hash: "".into(),
    };
    let mut record = Record::for_regions(4);
    record.regions.iter_mut().for_each(|r| *r = Some(RegionRecord::default()));
    Stand {
        service,
        workloads: ["v2", "v2", "v1", "v1"].map(|v| Some(runs(v))).into(),
        freshness: vec![Freshness::Live; 4],
        weights: vec![None; 4],
        held: vec![false; 4],
        record,
        others: Vec::new(),
        answers: BTreeMap::new(),
        queried: BTreeMap::new(),
        qps: vec![None; 4],
        identities: Identities::default(),
        user: Some("carol".into()),
        promoting: false,
        delivery: None,
        delivery_freshness: Freshness::Live,
        region: "eu",
        entering: Some("v2"),
        now: at("2026-11-20T14:32:07Z"),
        facts: 0,
    }
}

impl Stand {
    pub(super) fn ix(&self, region: &str) -> usize {
        self.service.find_region(region).unwrap().0.at()
    }

    pub(super) fn workload(&mut self, region: &str) -> &mut Workload {
        let at = self.ix(region);
        self.workloads[at].as_mut().unwrap()
    }

    /// Adds a fact to a region's record.
    pub(super) fn fact(&mut self, region: &str, by: &str, when: &str, body: Body) -> FactId {
        self.facts += 1;
        let id = FactId(Ulid::from_parts(u64::try_from(at(when).as_millisecond()).unwrap(), self.facts));
        let ix = self.ix(region);
        let fact = Fact { id, by: by.into(), at: at(when), journal: "".into(), body };
        self.record.regions[ix].as_mut().unwrap().facts.insert(id, fact);
        id
    }

    /// Gives a ring exit gates.
    pub(super) fn exit(&mut self, ring: usize, gate: &str, given: Params) {
        self.service.rings[ring].exit_gates.push(GateSpec { gate: gate.into(), label: gate.into(), params: given });
    }

    /// A query was answered now.
    pub(super) fn query(&mut self, query: &str, reading: Reading) {
        self.queried.insert(query_column(query), (self.now, reading));
    }

    /// An endpoint answered now.
    pub(super) fn answer(&mut self, endpoint: &str, path: &str, body: Option<&str>, result: Result<(u16, &str), &str>) {
        let call = HttpCall { endpoint: endpoint.into(), path: path.into(), body: body.map(Into::into) };
        let result = result.map(|(code, body)| (code, body.into())).map_err(Into::into);
        self.answers.insert(call, HttpAnswer { at: self.now, result });
    }

    pub(super) fn build<const N: usize>(
        &self,
        name: &str,
        given: [(&str, Param); N],
    ) -> Result<Box<dyn Gate>, ParamError> {
        gate_type(name).unwrap().build(&params(given), &self.service)
    }

    pub(super) fn judge(&self, gate: &dyn Gate) -> Judgement {
        let nothing = BTreeMap::new();
        let sample = |qps: &Option<f64>| qps.map(|v| (ColumnName::new("qps"), (self.now, Ok(v)))).into_iter().collect();
        let current: Vec<BTreeMap<ColumnName, (Timestamp, Reading)>> = self.qps.iter().map(sample).collect();
        let peers: Vec<Peer<'_>> = (0..self.service.regions.len())
            .map(|n| Peer {
                region: &self.service.regions[n],
                workload: self.workloads[n].as_ref(),
                freshness: self.freshness[n].clone(),
                settled: None,
                windows: &nothing,
                current: &current[n],
                user: self.user.as_ref(),
                held: self.held[n],
                weight: self.weights[n],
            })
            .collect();
        let (at, region) = self.service.find_region(self.region).unwrap();
        let mut mine = current[at.at()].clone();
        mine.extend(self.queried.clone());
        let siblings: Vec<Sibling<'_>> = self
            .others
            .iter()
            .map(|(service, workload, freshness)| Sibling {
                service,
                workload: workload.as_ref(),
                freshness: freshness.clone(),
            })
            .collect();
        let version = self.entering.map(|v| Version(v.into()));
        let source = region.ring.at().checked_sub(1).and_then(|r| self.service.rings[r].regions.first());
        let source = source.and_then(|r| self.workloads[r.at()].as_ref());
        gate.judge(&Evidence {
            service: &self.service,
            ring: &self.service.rings[region.ring.at()],
            region,
            at,
            workload: self.workloads[at.at()].as_ref(),
            delivery: self.delivery.as_ref(),
            delivery_freshness: self.delivery_freshness.clone(),
            wanted: None,
            freshness: self.freshness[at.at()].clone(),
            record_unread: None,
            bake_start: None,
            windows: &nothing,
            current: &mine,
            peers: &peers,
            entering: version.as_ref().map(|version| Entering { version, source }),
            answers: &self.answers,
            siblings: &siblings,
            record: &self.record,
            identities: &self.identities,
            promoting: self.promoting,
            pools: &crate::domain::pool::Pools::default(),
            now: self.now,
        })
    }

    /// The region that is judged is delivered by this Application.
    pub(super) fn delivered_by(&mut self, application: &serde_json::Value) {
        let ix = self.ix("eu");
        self.service.regions[ix].delivery = Some(DeliveryRef {
            kind: "Application".into(),
            cluster: 0.into(),
            namespace: "argocd".into(),
            name: "web-eu".into(),
            on_hold: Default::default(),
        });
        let read = Application.read(application.to_string().as_bytes());
        self.delivery = Some(read.unwrap().delivery);
    }

    /// Builds a gate, and judges with it.
    pub(super) fn verdict<const N: usize>(&self, name: &str, given: [(&str, Param); N]) -> Judgement {
        self.judge(&*self.build(name, given).unwrap_or_else(|e| panic!("{name}: {e:?}")))
    }
}

/// An Application at rest, in sync and healthy.
pub(super) fn application() -> serde_json::Value {
    serde_json::json!({
        "metadata": {"name": "web-eu", "namespace": "argocd", "uid": "a"},
        "spec": {"source": {"repoURL": "r"}, "syncPolicy": {"automated": {}}},
        "status": {
            "sync": {"status": "Synced"}, "health": {"status": "Healthy"},
            "operationState": {"phase": "Succeeded", "message": "done"},
        },
    })
}
