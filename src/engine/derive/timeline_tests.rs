//! A console opened fresh on yesterday's release draws what one that ran all along draws.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::{ClusterIx, RegionIx, ServiceIx};
use crate::domain::link::Link;
use crate::domain::observation::{Observation, Seen, WatchKind};
use crate::domain::record::{Body, RegionRecord, Scope, Settled};
use crate::domain::stamp::{Stamp, Stamped, Timestamp};
use crate::domain::timeline::{Segment, SegmentKind};
use crate::domain::workload::{Phase, Progressing, Revision, Route, Workload};
use crate::engine::effect::Msg;
use crate::engine::fixture::{Stage, at, later, moved, release, template, workload};
use crate::engine::{Engine, Setting};

const ORIGIN: &str = "2026-11-18T00:00:00Z";

fn stamp(now: Timestamp) -> Stamp {
    let since = now.duration_since(at(ORIGIN));
    Stamp { wall: now, mono: Duration::try_from(since).unwrap() }
}

/// The world as it is, and consoles that look at it.
struct Watched {
    /// Facts and workloads as they stand in the clusters.
    world: Stage,
    revisions: Vec<Vec<Revision>>,
    consoles: Vec<Engine>,
    now: Timestamp,
}

impl Watched {
    fn new() -> Self {
        let mut world = release();
        for region in ["staging", "ap-south-1", "eu-west-1", "us-east-1"] {
            world.runs(region, workload("v2.0.0", at("2026-11-01T09:00:00Z")));
        }
        let old = |n: usize| vec![revision(14, later(at("2026-11-01T08:59:00Z"), n as i64))];
        let mut watched = Self { world, revisions: (0..4).map(old).collect(), consoles: Vec::new(), now: at(ORIGIN) };
        watched.open();
        watched
    }

    /// Opens a console: it sees what is there now.
    fn open(&mut self) {
        let refresh = crate::engine::sampling::SAMPLE_EVERY;
        let setting = Setting { operator: "me".into(), seed: 1, may_keep: false, refresh };
        let mut engine = Engine::new(Arc::new(self.world.fleet.clone()), setting, stamp(self.now));
        engine.show(ServiceIx(0));
        self.consoles.push(engine);
        let newest = self.consoles.len() - 1;
        for region in 0..4 {
            self.tell(newest, region);
        }
    }

    fn tell(&mut self, console: usize, region: usize) {
        let state = &self.world.state.regions[region];
        let cluster = ClusterIx::from(region);
        let name = self.world.fleet.record_name(&self.world.fleet.services[0]);
        let record = self.world.state.record.regions[region].clone().filter(|r| *r != RegionRecord::default());
        let seen = [
            Observation::Link { cluster, link: Link::Live },
            Observation::Heard { cluster, server_time: Some(self.now) },
            Observation::Object {
                cluster,
                version: None,
                seen: Seen::Workload {
                    namespace: "webapp".into(),
                    name: "webapp".into(),
                    kind: "Deployment".into(),
                    state: state.workload.clone().map(Box::new),
                },
            },
            Observation::Object {
                cluster,
                version: None,
                seen: Seen::Record { namespace: "webapp".into(), name: name.into(), state: record.map(Box::new) },
            },
            Observation::Object {
                cluster: ClusterIx(0),
                version: None,
                seen: Seen::Route {
                    namespace: "webapp".into(),
                    name: "webapp".into(),
                    provider: "HTTPRoute".into(),
                    state: state.route.as_deref().cloned().map(Box::new),
                },
            },
            Observation::Revisions {
                place: (ServiceIx(0), RegionIx::from(region)),
                result: Ok(self.revisions[region].clone()),
            },
        ];
        for seen in seen {
            self.consoles[console].update(Stamped { stamp: stamp(self.now), value: Msg::Seen(seen) });
        }
    }

    /// Something happens in a region at a moment, and everybody sees it.
    fn happens(&mut self, region: &str, when: &str, change: impl FnOnce(&mut Workload, Timestamp)) {
        self.now = at(when);
        self.world.now = self.now;
        let now = self.now;
        self.world.edit(region, |w| change(w, now));
        let ix = self.world.ix(region).at();
        for console in 0..self.consoles.len() {
            self.tell(console, ix);
        }
    }

    /// A rollout as a promotion through this console makes it, up to a moment while pods are replaced.
    fn promote(&mut self, region: &str, ring: &str, drafted: &str, written: &str) {
        self.world.fact(region, at(drafted), Body::Promoted(moved(ring, "v2.0.0", "v2.1.0")));
        let ix = self.world.ix(region).at();
        let mut created = None;
        self.happens(region, written, |w, now| {
            let old = w.progress.clone();
            *w = workload("v2.1.0", now);
            w.progress = old;
            w.generation += 1;
            w.phase = Phase::Unobserved;
            created = Some(later(now, 1));
        });
        self.revisions[ix].insert(0, revision(15, created.unwrap()));
        self.happens(region, written, |w, now| {
            w.observed_generation = w.generation;
            w.revision = Some(15);
            w.phase = Phase::Progressing(Progressing::Updating);
            w.progress.reason = Some("ReplicaSetUpdated".into());
            w.progress.updated = Some(later(now, 1));
        });
    }

    fn settles(&mut self, region: &str, when: &str) {
        self.happens(region, when, |w, now| {
            w.paused = false;
            w.phase = Phase::Complete;
            w.progress.reason = Some("NewReplicaSetAvailable".into());
            w.progress.updated = Some(now);
        });
        let fact = Settled { by: "me".into(), at: at(when), uid: "uid-1".into(), revision: Some(15) };
        let ix = self.world.ix(region).at();
        self.world.state.record.regions[ix].as_mut().unwrap().settled.insert(template("v2.1.0"), fact);
    }

    fn segments(&mut self, console: usize) -> Vec<Segment> {
        for region in 0..4 {
            self.tell(console, region);
        }
        let engine = &mut self.consoles[console];
        engine.update(Stamped { stamp: stamp(self.now), value: Msg::Tick });
        engine.freshen(ServiceIx(0));
        let mut segments = engine.services[0].view.segments.clone();
        segments.retain(|s| s.kind != SegmentKind::Gap);
        segments
    }
}

fn revision(number: u64, created: Timestamp) -> Revision {
    let hash = format!("hash{number}");
    Revision {
        name: "web".into(),
        number,
        hash: hash.as_str().into(),
        created: Some(created),
        reused: false,
        cause: None,
    }
}

/// Two days: ring-0 promoted; ring-1 promoted, held halfway, resumed; eu-west-1 drained and restored.
fn two_days() -> Watched {
    let mut w = Watched::new();
    w.promote("staging", "ring-0", "2026-11-18T10:18:00Z", "2026-11-18T10:20:00Z");
    w.settles("staging", "2026-11-18T10:20:40Z");
    w.promote("ap-south-1", "ring-1", "2026-11-19T15:50:00Z", "2026-11-19T15:51:00Z");
    let hold = w.world.fleet_fact(at("2026-11-19T15:52:00Z"), Body::Hold { scope: Scope::Service, reason: "".into() });
    let paused = Body::Paused { hold, template: template("v2.1.0"), was: None };
    let paused = w.world.fact("ap-south-1", at("2026-11-19T15:52:00Z"), paused);
    w.happens("ap-south-1", "2026-11-19T15:52:02Z", |w, now| {
        w.paused = true;
        w.progress.reason = Some("DeploymentPaused".into());
        w.progress.updated = Some(now);
    });
    w.world.fleet_fact(at("2026-11-19T16:10:00Z"), Body::Release { hold, reason: "fine".into() });
    w.world.fact("ap-south-1", at("2026-11-19T16:10:00Z"), Body::Unpaused { paused });
    w.happens("ap-south-1", "2026-11-19T16:10:02Z", |w, now| {
        w.paused = false;
        w.progress.reason = Some("DeploymentResumed".into());
        w.progress.updated = Some(now);
    });
    w.settles("ap-south-1", "2026-11-19T16:12:00Z");
    let body = Body::Drained { before: Vec::new(), backend: "eu-west-1".into(), reason: "".into() };
    let drained = w.world.fact("eu-west-1", at("2026-11-20T09:00:00Z"), body);
    weight(&mut w, "2026-11-20T09:00:03Z", 0);
    let body = Body::Restored { drained, reason: "".into() };
    w.world.fact("eu-west-1", at("2026-11-20T09:30:00Z"), body);
    weight(&mut w, "2026-11-20T09:30:03Z", 10);
    w
}

fn weight(w: &mut Watched, when: &str, weight: u32) {
    let change = |route: &mut Option<Arc<Route>>| {
        let rule = &mut Arc::make_mut(route.as_mut().unwrap()).rules[0];
        rule.iter_mut().filter(|b| &*b.name == "eu-west-1").for_each(|b| b.weight = weight);
    };
    w.world.state.regions.iter_mut().filter(|r| r.route.is_some()).for_each(|r| change(&mut r.route));
    w.happens("eu-west-1", when, |_, _| {});
}

#[test]
fn a_fresh_console_draws_what_one_that_ran_all_along_draws() {
    let mut w = two_days();
    // The one that ran all along was cut off for a while: it has a mark that the other lacks.
    let gap = Observation::Synced {
        cluster: ClusterIx(1),
        watch: WatchKind::Workloads("Deployment".into()),
        namespace: None,
        present: vec!["webapp/webapp".into()],
        version: None,
        gap: true,
    };
    let stamped = Stamped { stamp: stamp(w.now), value: Msg::Seen(gap) };
    w.consoles[0].update(stamped);
    w.now = at("2026-11-20T14:32:07Z");
    w.open();
    let (along, fresh) = (w.segments(0), w.segments(1));
    assert_eq!(along, fresh);
    let marks = |e: &Engine| e.services[0].view.segments.iter().filter(|s| s.kind == SegmentKind::Gap).count();
    assert!(marks(&w.consoles[0]) > marks(&w.consoles[1]));
}

#[test]
fn two_days_read_as_they_were() {
    let mut w = two_days();
    w.now = at("2026-11-20T14:32:07Z");
    w.open();
    let drawn: Vec<String> = w.segments(1).iter().filter(|s| !s.projected && s.region.0 < 3).map(line).collect();
    assert_eq!(
        drawn,
        [
            "staging Promoted 18T10:20:01 to 18T10:20:01 v2.1.0",
            "staging Deploy 18T10:20:01 to 18T10:20:40 v2.1.0",
            "staging Bake 18T10:20:40 to 19T10:20:40 v2.1.0",
            "staging Wait 19T10:20:40 to 19T15:51:01 v2.1.0",
            "ap-south-1 Promoted 19T15:51:01 to 19T15:51:01 v2.1.0",
            "ap-south-1 Deploy 19T15:51:01 to 19T15:52:00 v2.1.0",
            "ap-south-1 Paused 19T15:52:00 to 19T16:10:00 v2.1.0",
            "ap-south-1 Deploy 19T16:10:00 to 19T16:12:00 v2.1.0",
            "ap-south-1 Bake 19T16:12:00 on v2.1.0",
            "eu-west-1 Deploy 01T08:59:02 to 01T09:00:00 v2.0.0",
            "eu-west-1 Bake 01T09:00:00 to 02T09:00:00 v2.0.0",
            "eu-west-1 Drained 20T09:00:00 to 20T09:30:00",
        ]
    );
}

fn line(s: &Segment) -> String {
    let names = ["staging", "ap-south-1", "eu-west-1", "us-east-1"];
    let time = |t: Timestamp| t.strftime("%dT%H:%M:%S").to_string();
    let to = s.to.map_or_else(|| "on".to_owned(), |t| format!("to {}", time(t)));
    let version = s.version.as_ref().map(|v| format!(" {v}")).unwrap_or_default();
    format!("{} {:?} {} {to}{version}", names[s.region.at()], s.kind, time(s.from))
}
