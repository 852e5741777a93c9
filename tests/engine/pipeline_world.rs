//! Regions that a pipeline reports, in the world of the engine's tests.

use std::sync::Arc;
use std::time::Duration;

use gonogo::domain::carrier::CarrierRef;
use gonogo::domain::change::ObjectRef;
use gonogo::domain::deed::{CommandLine, Deed, EndpointCall, Method};
use gonogo::domain::fleet::{Fleet, WorkloadRef};
use gonogo::domain::id::{ClusterIx, RegionIx};
use gonogo::domain::link::Link;
use gonogo::domain::observation::Observation;
use gonogo::domain::pipeline::Pipeline;
use gonogo::kinds;
use serde_json::{Value, json};

use super::{LONG_AGO, WEBAPP, World};

/// A command with these words.
pub fn run(words: &str) -> Option<Deed> {
    Some(Deed::Run(CommandLine {
        words: words.split(' ').map(Into::into).collect(),
        env: vec!["PATH".into(), "CD_TOKEN".into()],
        limit: Duration::from_secs(30),
    }))
}

/// A pipeline that is told by commands, and rolled back over HTTP.
pub fn pipeline() -> Pipeline {
    Pipeline {
        name: "deploys".into(),
        state: run("cd-state {{service}} {{region}}"),
        every: Duration::from_secs(15),
        deadline: Duration::from_secs(600),
        promote: run("cd deploy {{region}} --from={{from}} {{version}}"),
        hold: run("cd pause {{region}} {{version}}"),
        resume: run("cd resume {{region}}"),
        roll_back: Some(Deed::Call(EndpointCall {
            endpoint: "cd".into(),
            method: Method::Post,
            path: "/{{service}}/{{region}}/rollback".into(),
            body: Some(r#"{"from":"{{from}}","to":"{{version}}"}"#.into()),
        })),
    }
}

/// The fleet with every region behind a pipeline.
pub fn behind(mut fleet: Fleet, pipeline: Pipeline) -> Fleet {
    let pipeline = Arc::new(pipeline);
    for region in &mut fleet.services[0].regions {
        region.carrier = Some(CarrierRef::Pipeline(Arc::clone(&pipeline)));
        if pipeline.state.is_some() {
            region.workload = WorkloadRef {
                kind: "Pipeline".into(),
                namespace: "shop".into(),
                name: format!("webapp.{}", region.name).into(),
                container: "".into(),
            };
        }
    }
    fleet
}

/// What is reported of a version that is there, long since.
pub fn complete(version: &str) -> Value {
    json!({"schema": 1, "version": version, "phase": "complete", "desired": 4, "ready": 4, "updated": LONG_AGO})
}

/// The object that a report becomes.
pub fn object(of: &ObjectRef, report: &Value) -> Value {
    kinds::reported(of.namespace.as_str(), &of.name, "pipeline deploys", report.to_string().as_bytes()).unwrap()
}

/// The pipelines of a cluster's regions answer.
pub fn hear(world: &mut World, cluster: ClusterIx) {
    let fleet = world.fleet.clone();
    for (at, region) in fleet.services[0].regions.iter().enumerate() {
        if region.cluster == cluster && region.is_reported() {
            world.see(Observation::Reported { place: (WEBAPP, at.into()), link: Link::Live });
        }
    }
}

impl World {
    /// A region's pipeline reports this.
    pub fn report(&mut self, at: RegionIx, report: &Value) {
        let of = self.workload_ref(at);
        let value = object(&of, report);
        self.objects.insert(of.clone(), value);
        self.show(of);
    }
}
