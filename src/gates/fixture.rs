//! A small service and region for the tests of gates.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use crate::domain::fleet::{
    Better, Carry, Column, GateSpec, Param, Params, QueryText, Region, Ring, Service, Unit, VersionFrom, WorkloadRef,
};
use crate::domain::id::{ClusterIx, RegionIx, RingIx};
use crate::domain::version::{Image, TemplateDigest, Version};
use crate::domain::workload::{Phase, Progress, Replicas, Workload};

pub(crate) fn params(entries: &[(&str, &str)]) -> Params {
    Params(entries.iter().map(|(k, v)| ((*k).to_owned(), Param::Text((*v).to_owned()))).collect())
}

pub(crate) fn service() -> Service {
    let column = |name: &str, unit| Column {
        name: name.into(),
        title: name.into(),
        query: QueryText::PerRegion("q".into()),
        unit,
        better: Better::Lower,
        is_traffic: false,
    };
    Service {
        name: "webapp".into(),
        rings: vec![Ring {
            name: "ring-1".into(),
            label: None,
            regions: vec![RegionIx(0)],
            parallelism: 1,
            stagger: None,
            exit_gates: vec![GateSpec { gate: "ready".into(), label: "ready".into(), params: Params::default() }],
            entry_gates: Vec::new(),
        }],
        regions: vec![Region {
            name: "ap-south-1".into(),
            ring: RingIx(0),
            cluster: ClusterIx(0),
            workload: WorkloadRef {
                kind: "Deployment".into(),
                namespace: "webapp".into(),
                name: "webapp".into(),
                container: "web".into(),
            },
            route: None,
            capacity: None,
            absorbers: Vec::new(),
            zone: None,
            owner: None,
            escalation: None,
            deciders: Vec::new(),
        }],
        columns: vec![column("errors", Unit::Ratio), column("p99", Unit::Seconds)],
        carries: vec![Carry::Image],
        version_from: VersionFrom::Image,
        owner: None,
        escalation: None,
        deciders: Vec::new(),
        runbook: None,
        release_url: None,
        freeze: false,
        policy_hash: "0123456789abcdef".into(),
    }
}

pub(crate) fn workload(phase: Phase) -> Workload {
    Workload {
        uid: "u-1".into(),
        generation: 4,
        observed_generation: 4,
        template: TemplateDigest::of(&serde_json::json!({"v": 1})),
        version: Version("v2.1.0".into()),
        image: Some(Image::parse("r/web:v2.1.0")),
        replicas: Replicas { desired: 12, total: 12, updated: 12, ready: 12, available: 12 },
        paused: false,
        progress: Progress { deadline: Some(Duration::from_secs(600)), ..Progress::default() },
        phase,
        revision: Some(15),
        change_cause: None,
        owner: None,
    }
}
